#include "stir/tnset.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct tnset {
	size_t len;
	uint64_t count;
	struct tn_interval at[]; /* sorted, apart from each other */
};

static struct tnset *
set_alloc(size_t n)
{
	struct tnset *set;

	if (n > (SIZE_MAX - sizeof *set) / sizeof set->at[0])
		return NULL;
	return calloc(1, sizeof *set + n * sizeof set->at[0]);
}

void
tnset_free(struct tnset *set)
{
	free(set);
}

/* Numbers of one length in order; what has * or # has no order and stands alone. */
static bool
is_interval(const struct tn_interval *i)
{
	if (tn_key_len(i->lo) == 0 || tn_key_len(i->lo) > TN_MAX)
		return false;
	if (tn_key_value(i->hi) >= tn_key_values(i->hi))
		return false;
	if (tn_key_is_special(i->lo))
		return i->lo == i->hi;
	return i->lo <= i->hi && i->hi - i->lo < tn_key_values(i->lo);
}

static int
by_lo(const void *a, const void *b)
{
	const struct tn_interval *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

/* Do two intervals, the first one not after the second, become one? */
static bool
joins(const struct tn_interval *a, const struct tn_interval *b)
{
	if (tn_key_is_special(b->lo))
		return a->lo == b->lo;
	return b->lo <= a->hi + 1;
}

/* The last step of whatever makes one. */
static void
count(struct tnset *set)
{
	for (size_t i = 0; i < set->len; i++) {
		uint64_t more = tnset_numbers_in(set->at[i]);

		set->count = more > UINT64_MAX - set->count ? UINT64_MAX : set->count + more;
	}
}

static void
merge(struct tnset *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->len; i++) {
		if (n == 0 || !joins(&set->at[n - 1], &set->at[i]))
			set->at[n++] = set->at[i];
		else if (set->at[i].hi > set->at[n - 1].hi)
			set->at[n - 1].hi = set->at[i].hi;
	}
	set->len = n;
}

enum rc
tnset_build(const struct tn_interval *list, size_t n, struct tnset **out, struct fault *f)
{
	AUTO(tnset) *set = set_alloc(n);

	if (set == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu intervals", n);
	for (size_t i = 0; i < n; i++) {
		if (!is_interval(&list[i]))
			return FAULT(f, RC_BUG, "tnset_interval", "interval %zu", i);
		set->at[i] = list[i];
	}
	set->len = n;
	qsort(set->at, n, sizeof set->at[0], by_lo);
	merge(set);
	count(set);
	*out = TAKE(set);
	return RC_OK;
}

/* The last interval that does not begin after key, or NULL. */
static const struct tn_interval *
find(const struct tnset *set, uint64_t key)
{
	size_t lo = 0, hi = set->len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (set->at[mid].lo <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo == 0 ? NULL : &set->at[lo - 1];
}

bool
tnset_has(const struct tnset *set, uint64_t key)
{
	const struct tn_interval *i = find(set, key);

	return i != NULL && key <= i->hi;
}

/* Neighbours are merged, so an interval inside the outer set is inside one of its own. */
bool
tnset_within(const struct tnset *inner, const struct tnset *outer)
{
	for (size_t i = 0; i < inner->len; i++) {
		const struct tn_interval *o = find(outer, inner->at[i].lo);

		if (o == NULL || inner->at[i].hi > o->hi)
			return false;
	}
	return true;
}

bool
tnset_meets(const struct tnset *a, const struct tnset *b, struct tn_interval *common)
{
	for (size_t i = 0; i < b->len; i++) {
		const struct tn_interval *x = find(a, b->at[i].hi), *y = &b->at[i];

		/* Of those that begin before its end only the first that reaches into it is wanted. */
		while (x != NULL && x > a->at && x[-1].hi >= y->lo)
			x--;
		if (x == NULL || x->hi < y->lo)
			continue;
		common->lo = x->lo > y->lo ? x->lo : y->lo;
		common->hi = x->hi < y->hi ? x->hi : y->hi;
		return true;
	}
	return false;
}

/* The first one from i on that does not end before key; it is near more often than not. */
static size_t
seek(const struct tnset *set, size_t i, uint64_t key)
{
	size_t step = 1, hi;

	if (i >= set->len || set->at[i].hi >= key)
		return i;
	for (; i + step < set->len && set->at[i + step].hi < key; step *= 2)
		i += step;
	hi = i + step < set->len ? i + step : set->len;
	while (i + 1 < hi) {
		size_t mid = i + (hi - i) / 2;

		if (set->at[mid].hi < key)
			i = mid;
		else
			hi = mid;
	}
	return hi;
}

/* A few numbers and a million cost the few a search each. */
enum rc
tnset_intersect(
    const struct tnset *a, const struct tnset *b, struct tnset **out, struct fault *f)
{
	AUTO(tnset) *set = set_alloc(a->len + b->len);
	size_t i = 0, j = 0;

	if (set == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu intervals", a->len + b->len);
	while (i < a->len && j < b->len) {
		const struct tn_interval *x = &a->at[i], *y = &b->at[j];
		uint64_t lo = x->lo > y->lo ? x->lo : y->lo;
		uint64_t hi = x->hi < y->hi ? x->hi : y->hi;

		if (lo <= hi)
			set->at[set->len++] = (struct tn_interval){ lo, hi };
		if (x->hi < y->hi)
			i = seek(a, i + 1, y->lo);
		else
			j = seek(b, j + 1, x->lo);
	}
	count(set);
	*out = TAKE(set);
	return RC_OK;
}

enum rc
tnset_union(const struct tnset *a, const struct tnset *b, struct tnset **out, struct fault *f)
{
	size_t of_a = a != NULL ? a->len : 0, of_b = b != NULL ? b->len : 0;
	AUTO(tnset) *set = set_alloc(of_a + of_b);

	if (set == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu intervals", of_a + of_b);
	for (size_t i = 0, j = 0; i < of_a || j < of_b;) {
		bool first = j == of_b || (i < of_a && a->at[i].lo <= b->at[j].lo);

		set->at[set->len++] = first ? a->at[i++] : b->at[j++];
	}
	merge(set);
	count(set);
	*out = TAKE(set);
	return RC_OK;
}

/* Append what of x is in none of the intervals of b from *at on, which goes forward. */
static void
put_rest(struct tnset *set, struct tn_interval x, const struct tnset *b, size_t *at)
{
	while (*at < b->len && b->at[*at].hi < x.lo)
		++*at;
	for (size_t k = *at; k < b->len && b->at[k].lo <= x.hi; k++) {
		if (x.lo < b->at[k].lo)
			set->at[set->len++] = (struct tn_interval){ x.lo, b->at[k].lo - 1 };
		if (x.hi <= b->at[k].hi)
			return;
		x.lo = b->at[k].hi + 1;
	}
	set->at[set->len++] = x;
}

enum rc
tnset_subtract(
    const struct tnset *a, const struct tnset *b, struct tnset **out, struct fault *f)
{
	size_t of_a = a != NULL ? a->len : 0, of_b = b != NULL ? b->len : 0, at = 0;
	/* Each interval of b cuts at most one in two. */
	AUTO(tnset) *set = set_alloc(of_a + of_b);

	if (set == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu intervals", of_a + of_b);
	for (size_t i = 0; i < of_a; i++) {
		if (of_b > 0)
			put_rest(set, a->at[i], b, &at);
		else
			set->at[set->len++] = a->at[i];
	}
	count(set);
	*out = TAKE(set);
	return RC_OK;
}

uint64_t
tnset_count(const struct tnset *set)
{
	return set->count;
}

/* What of x is in b: *at goes forward over those that lie before it. */
static uint64_t
shared(struct tn_interval x, const struct tnset *b, size_t *at)
{
	uint64_t n = 0;

	*at = seek(b, *at, x.lo);
	for (size_t k = *at; k < b->len && b->at[k].lo <= x.hi; k++) {
		uint64_t lo = b->at[k].lo > x.lo ? b->at[k].lo : x.lo;
		uint64_t hi = b->at[k].hi < x.hi ? b->at[k].hi : x.hi;

		n += hi - lo + 1;
	}
	return n;
}

uint64_t
tnset_count_beyond(const struct tnset *a, const struct tnset *b)
{
	uint64_t n = 0;
	size_t at = 0;

	for (size_t i = 0; a != NULL && i < a->len; i++) {
		uint64_t more =
		    tnset_numbers_in(a->at[i]) - (b != NULL ? shared(a->at[i], b, &at) : 0);

		n = more > UINT64_MAX - n ? UINT64_MAX : n + more;
	}
	return n;
}

size_t
tnset_len(const struct tnset *set)
{
	return set->len;
}

struct tn_interval
tnset_at(const struct tnset *set, size_t i)
{
	assert(i < set->len);
	return set->at[i];
}

static enum rc
parse_range(
    const struct tn *first, const struct tn *last, struct tn_interval *out, struct fault *f)
{
	if (!tn_is_digits(first) || !tn_is_digits(last))
		return REFUSE(f, RC_INVALID, INVALID_TN, NULL, "a range with * or #");
	if (first->len != last->len)
		return REFUSE(
		    f, RC_INVALID, INVALID_TN, NULL, "the ends of a range differ in length");
	if (strcmp(first->text, last->text) > 0)
		return REFUSE(
		    f, RC_INVALID, INVALID_TN, NULL, "a range that ends before it begins");
	*out = (struct tn_interval){ tn_key(first), tn_key(last) };
	return RC_OK;
}

enum rc
tnset_parse(struct span text, struct tn_interval *out, struct fault *f)
{
	const uint8_t *dash = text.len == 0 ? NULL : memchr(text.ptr, '-', text.len);
	struct tn first = { 0 }, last = { 0 };

	if (dash == NULL) {
		TRY(tn_exact(text, &first, f));
		*out = (struct tn_interval){ tn_key(&first), tn_key(&first) };
		return RC_OK;
	}
	TRY(tn_exact(span_cut(&text, (size_t)(dash - text.ptr)), &first, f));
	span_cut(&text, 1);
	TRY(tn_exact(text, &last, f));
	return parse_range(&first, &last, out, f);
}

void
tnset_text(struct tn_interval in, char out[TNSET_TEXT])
{
	struct tn lo = { 0 }, hi = { 0 };

	tn_from_key(in.lo, &lo);
	tn_from_key(in.hi, &hi);
	if (in.lo == in.hi)
		snprintf(out, TNSET_TEXT, "%s", lo.text);
	else
		snprintf(out, TNSET_TEXT, "%s-%s", lo.text, hi.text);
}
