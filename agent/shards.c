#include "agent/shards.h"

#include <stdlib.h>

#include "stir/buf.h"

enum { PIECES_MAX = SHARDS_MAX * SHARDS_MAX_ENTRIES };

/* How full one is, and whether it is another one than before by now. */
struct box {
	uint64_t numbers;
	size_t entries;
	bool open;
};

struct draft {
	uint64_t most;
	struct buf placed; /* struct shards_owner */
	struct box box[SHARDS_MAX];
	size_t len;
	uint32_t open[SHARDS_MAX]; /* those that are, in the order in which they were opened */
	size_t opens;
	/* Of pieces of one size: what had no room for one has none for the next. */
	uint64_t size;
	size_t at;
	bool full;
	size_t left;
};

void
shards_done(struct shards *s)
{
	for (size_t i = 0; s->set != NULL && i < s->len; i++)
		tnset_free(s->set[i]);
	free(s->set);
	free(s->owner);
	*s = (struct shards){ 0 };
}

/* ---- putting something in ---- */

static void
open_box(struct draft *d, size_t i)
{
	if (d->box[i].open)
		return;
	d->box[i].open = true;
	d->open[d->opens++] = (uint32_t)i;
}

static bool
fits(const struct draft *d, size_t i, uint64_t numbers)
{
	const struct box *b = &d->box[i];

	return b->entries < SHARDS_MAX_ENTRIES && numbers <= d->most - b->numbers;
}

static void
put(struct draft *d, size_t i, struct tn_interval in)
{
	struct shards_owner one = { in.lo, in.hi, (uint32_t)i + 1 };

	d->box[i].numbers += tnset_numbers_in(in);
	d->box[i].entries++;
	buf_put(&d->placed, &one, sizeof one);
}

/* ---- what is where stays there ---- */

static void
keep_interval(struct draft *d, size_t i, struct tn_interval in)
{
	if (tnset_numbers_in(in) > d->most && d->box[i].numbers == 0)
		in.hi = in.lo + d->most - 1;
	if (fits(d, i, tnset_numbers_in(in)))
		put(d, i, in);
}

static enum rc
keep_one(struct draft *d, size_t i, const struct tnset *was, const struct tnset *numbers,
    struct fault *f)
{
	AUTO(tnset) *stays = NULL;

	if (numbers != NULL)
		TRY(tnset_intersect(was, numbers, &stays, f));
	for (size_t k = 0; stays != NULL && k < tnset_len(stays); k++)
		keep_interval(d, i, tnset_at(stays, k));
	if (d->box[i].numbers != tnset_count(was))
		open_box(d, i);
	return buf_check(&d->placed, f);
}

/* What is placed, as a set. */
static enum rc
placed_set(const struct draft *d, struct tnset **out, struct fault *f)
{
	const struct shards_owner *p = (const void *)d->placed.ptr;
	size_t n = d->placed.len / sizeof *p;
	AUTO_FREE struct tn_interval *list = calloc(n + 1, sizeof *list);

	if (list == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu intervals", n);
	for (size_t i = 0; i < n; i++)
		list[i] = (struct tn_interval){ p[i].lo, p[i].hi };
	return tnset_build(list, n, out, f);
}

static enum rc
keep(struct draft *d, const struct shards *before, const struct tnset *numbers,
    struct tnset **kept, struct fault *f)
{
	uint64_t count = 0;

	if (before != NULL && before->len > SHARDS_MAX)
		return FAULT(f, RC_INVALID, "shards_overlap", "more than %d", SHARDS_MAX);
	d->len = before != NULL ? before->len : 0;
	for (size_t i = 0; i < d->len; i++) {
		TRY(keep_one(d, i, before->set[i], numbers, f));
		count += d->box[i].numbers;
	}
	TRY(placed_set(d, kept, f));
	if (tnset_count(*kept) != count)
		return FAULT(f, RC_INVALID, "shards_overlap", "a number in two certificates");
	return RC_OK;
}

/* ---- what is new ---- */

/* Ranges first, the larger ones before the others: they find room while there is some. */
static int
by_size(const void *a, const void *b)
{
	const struct tn_interval *x = a, *y = b;

	if (tnset_numbers_in(*x) != tnset_numbers_in(*y))
		return tnset_numbers_in(*x) > tnset_numbers_in(*y) ? -1 : 1;
	return (x->lo > y->lo) - (x->lo < y->lo);
}

/* None is larger than one certificate holds. */
static void
cut(struct draft *d, struct tn_interval in, struct buf *pieces)
{
	if ((tnset_numbers_in(in) - 1) / d->most >= SHARDS_MAX ||
	    pieces->len / sizeof in >= PIECES_MAX) {
		d->left++;
		return;
	}
	while (tnset_numbers_in(in) > d->most) {
		struct tn_interval first = { in.lo, in.lo + d->most - 1 };

		buf_put(pieces, &first, sizeof first);
		in.lo += d->most;
	}
	buf_put(pieces, &in, sizeof in);
}

static bool
open_another(struct draft *d, uint64_t numbers, size_t *out)
{
	size_t best = d->len;

	for (size_t i = 0; i < d->len; i++) {
		if (!d->box[i].open && fits(d, i, numbers) &&
		    (best == d->len || d->box[i].numbers < d->box[best].numbers))
			best = i;
	}
	if (best == SHARDS_MAX)
		return false;
	if (best == d->len)
		d->len++;
	open_box(d, best);
	*out = best;
	return true;
}

static bool
choose(struct draft *d, uint64_t numbers, size_t *out)
{
	if (numbers != d->size) {
		d->size = numbers;
		d->at = 0;
		d->full = false;
	}
	for (; d->at < d->opens; d->at++) {
		*out = d->open[d->at];
		if (fits(d, *out, numbers))
			return true;
	}
	d->full = d->full || !open_another(d, numbers, out);
	return !d->full;
}

static enum rc
place(struct draft *d, const struct tnset *numbers, const struct tnset *kept, struct fault *f)
{
	AUTO_BUF pieces = BUF_INIT((PIECES_MAX + SHARDS_MAX) * sizeof(struct tn_interval));
	AUTO(tnset) *rest = NULL;
	struct tn_interval *p;
	size_t n, at = 0;

	TRY(tnset_subtract(numbers, kept, &rest, f));
	for (size_t i = 0; i < tnset_len(rest); i++)
		cut(d, tnset_at(rest, i), &pieces);
	TRY(buf_check(&pieces, f));
	p = (void *)pieces.ptr;
	n = pieces.len / sizeof *p;
	if (n > 0)
		qsort(p, n, sizeof *p, by_size);
	for (size_t i = 0; i < n; i++) {
		if (choose(d, tnset_numbers_in(p[i]), &at))
			put(d, at, p[i]);
		else
			d->left++;
	}
	return buf_check(&d->placed, f);
}

/* ---- the result ---- */

static int
by_shard(const void *a, const void *b)
{
	const struct shards_owner *x = a, *y = b;

	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	return (x->lo > y->lo) - (x->lo < y->lo);
}

static int
by_number(const void *a, const void *b)
{
	const struct shards_owner *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

static enum rc
build_sets(struct shards *s, const struct draft *d, struct fault *f)
{
	const struct shards_owner *p = s->owner;
	AUTO_FREE struct tn_interval *list = calloc(s->owners + 1, sizeof *list);

	s->set = calloc(d->len + 1, sizeof(struct tnset *));
	if (list == NULL || s->set == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu shards", d->len);
	s->len = d->len;
	for (size_t i = 0; i < s->len; i++) {
		size_t n = 0;

		for (; p < s->owner + s->owners && p->shard == i + 1; p++)
			list[n++] = (struct tn_interval){ p->lo, p->hi };
		TRY(tnset_build(list, n, &s->set[i], f));
	}
	return RC_OK;
}

static enum rc
finish(struct draft *d, struct shards *s, struct fault *f)
{
	s->owners = d->placed.len / sizeof *s->owner;
	s->owner = calloc(s->owners + 1, sizeof *s->owner);
	if (s->owner == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu intervals", s->owners);
	if (s->owners > 0)
		memcpy(s->owner, d->placed.ptr, d->placed.len);
	qsort(s->owner, s->owners, sizeof *s->owner, by_shard);
	TRY(build_sets(s, d, f));
	qsort(s->owner, s->owners, sizeof *s->owner, by_number);
	s->changed = d->opens;
	return RC_OK;
}

static enum rc
divide(struct draft *d, const struct tnset *numbers, const struct shards *before,
    struct shards *out, struct fault *f)
{
	AUTO(tnset) *kept = NULL;

	TRY(keep(d, before, numbers, &kept, f));
	TRY(place(d, numbers, kept, f));
	return finish(d, out, f);
}

enum rc
shards_divide(const struct tnset *numbers, uint64_t most, const struct shards *before,
    struct shards *out, size_t *left, struct fault *f)
{
	struct draft *d = calloc(1, sizeof *d);
	struct shards s = { 0 };
	enum rc rc;

	if (d == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a division");
	d->most = most;
	/* A million intervals as they are, and what is cut anew. */
	d->placed = BUF_INIT(2 * PIECES_MAX * sizeof(struct shards_owner));
	rc = divide(d, numbers, before, &s, f);
	*left = d->left;
	buf_free(&d->placed);
	free(d);
	if (rc != RC_OK) {
		shards_done(&s);
		return rc;
	}
	*out = s;
	return RC_OK;
}

static enum rc
join(const struct tnset *numbers, size_t len, struct shards *s, struct fault *f)
{
	size_t n = numbers != NULL ? tnset_len(numbers) : 0;

	s->set = calloc(len + 1, sizeof(struct tnset *));
	s->owner = calloc(n + 1, sizeof *s->owner);
	if (s->set == NULL || s->owner == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu shards", len);
	for (size_t i = 0; i < n; i++) {
		struct tn_interval in = tnset_at(numbers, i);

		s->owner[s->owners++] = (struct shards_owner){ in.lo, in.hi, 1 };
	}
	TRY(tnset_union(numbers, NULL, &s->set[s->len++], f));
	for (; s->len < len; s->len++)
		TRY(tnset_build(NULL, 0, &s->set[s->len], f));
	s->changed = len;
	return RC_OK;
}

enum rc
shards_join(const struct tnset *numbers, size_t len, struct shards *out, struct fault *f)
{
	struct shards s = { 0 };
	enum rc rc = join(numbers, len, &s, f);

	if (rc != RC_OK) {
		shards_done(&s);
		return rc;
	}
	*out = s;
	return RC_OK;
}

size_t
shards_place(const struct shards *s, uint64_t key, uint64_t *last)
{
	size_t lo = 0, hi = s->owners, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (s->owner[mid].lo <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo > 0 && key <= s->owner[lo - 1].hi) {
		*last = s->owner[lo - 1].hi;
		return s->owner[lo - 1].shard;
	}
	*last = lo < s->owners ? s->owner[lo].lo - 1 : UINT64_MAX;
	return 0;
}

size_t
shards_find(const struct shards *s, uint64_t key)
{
	uint64_t last;

	return shards_place(s, key, &last);
}
