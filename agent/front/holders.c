#include "agent/front/holders.h"

#include <stdlib.h>
#include <string.h>

struct held {
	uint64_t lo, hi;
	uint32_t tenant;
};

static int
held_cmp(const void *a, const void *b)
{
	const struct held *x = a, *y = b;

	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	return x->tenant < y->tenant ? -1 : x->tenant > y->tenant;
}

/* The tenants that hold the numbers from `at` on, ascending by tenant. */
struct sweep {
	struct held active[HOLDERS_MAX];
	size_t len;
	uint64_t at;
	struct holders *index;
};

static void
sweep_emit(struct sweep *s, uint64_t hi)
{
	struct holders *x = s->index;
	struct holders_segment seg = { .lo = s->at, .hi = hi, .len = (uint32_t)s->len };

	seg.first = s->active[0].tenant;
	if (s->len > 1) {
		seg.first = (uint32_t)(x->list_mem.len / sizeof(uint32_t));
		for (size_t i = 0; i < s->len; i++)
			buf_put(&x->list_mem, &s->active[i].tenant, sizeof(uint32_t));
	}
	buf_put(&x->segment_mem, &seg, sizeof seg);
}

static void
sweep_drop(struct sweep *s, uint64_t below)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->len; i++) {
		if (s->active[i].hi >= below)
			s->active[kept++] = s->active[i];
	}
	s->len = kept;
}

/* Cut segments off until all numbers below limit are behind us. */
static void
sweep_to(struct sweep *s, uint64_t limit)
{
	uint64_t end;

	while (s->len > 0 && s->at < limit) {
		end = limit - 1;
		for (size_t i = 0; i < s->len; i++) {
			if (s->active[i].hi < end)
				end = s->active[i].hi;
		}
		sweep_emit(s, end);
		s->at = end + 1;
		sweep_drop(s, s->at);
	}
	s->at = limit;
}

static enum rc
sweep_add(struct sweep *s, const struct held *h, struct fault *f)
{
	size_t i = s->len;
	struct tn tn;

	if (s->len == HOLDERS_MAX) {
		tn_from_key(h->lo, &tn);
		return FAULT(f, RC_INVALID, "config", "more than %d tenants hold %s",
		    HOLDERS_MAX, tn_mask(&tn).text);
	}
	for (; i > 0 && s->active[i - 1].tenant > h->tenant; i--)
		s->active[i] = s->active[i - 1];
	s->active[i] = *h;
	s->len++;
	return RC_OK;
}

static enum rc
build(struct holders *x, struct held *held, size_t n, struct fault *f)
{
	struct sweep s = { .index = x };

	/* Every interval begins one segment and ends at most one. */
	x->segment_mem = BUF_INIT((2 * n + 1) * sizeof(struct holders_segment));
	x->list_mem = BUF_INIT((2 * n + 1) * HOLDERS_MAX * sizeof(uint32_t));
	qsort(held, n, sizeof *held, held_cmp);
	for (size_t i = 0; i < n; i++) {
		if (held[i].hi == UINT64_MAX || held[i].lo > held[i].hi)
			return FAULT(f, RC_BUG, "internal_error", "a number key out of range");
		sweep_to(&s, held[i].lo);
		TRY(sweep_add(&s, &held[i], f));
	}
	sweep_to(&s, UINT64_MAX);
	TRY(buf_check(&x->segment_mem, f));
	TRY(buf_check(&x->list_mem, f));
	x->segment = (void *)x->segment_mem.ptr; /* malloc'd: aligned for anything */
	x->segments = x->segment_mem.len / sizeof(struct holders_segment);
	x->list = (void *)x->list_mem.ptr;
	return RC_OK;
}

static enum rc
count_held(const struct config *c, size_t *out, struct fault *f)
{
	size_t n = 0;

	for (size_t i = 0; i < c->tenants; i++) {
		if (c->tenant[i].numbers != NULL)
			n += tnset_len(c->tenant[i].numbers);
		if (n > HOLDERS_MAX_INTERVALS)
			return FAULT(f, RC_INVALID, "config", "more than %d blocks of numbers",
			    HOLDERS_MAX_INTERVALS);
	}
	*out = n;
	return RC_OK;
}

enum rc
holders_build(struct holders *x, const struct config *c, struct fault *f)
{
	AUTO_FREE struct held *held = NULL;
	struct tn_interval in;
	size_t n = 0, k = 0;

	TRY(count_held(c, &n, f));
	held = calloc(n + 1, sizeof *held);
	if (held == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu blocks of numbers", n);
	for (size_t i = 0; i < c->tenants; i++) {
		const struct tnset *set = c->tenant[i].numbers;

		for (size_t j = 0; set != NULL && j < tnset_len(set); j++) {
			in = tnset_at(set, j);
			held[k++] = (struct held){ in.lo, in.hi, (uint32_t)i };
		}
	}
	return build(x, held, n, f);
}

/* The first segment that ends at key or after it, or NULL. */
static const struct holders_segment *
find(const struct holders *x, uint64_t key)
{
	size_t lo = 0, hi = x->segments, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (x->segment[mid].hi < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < x->segments ? &x->segment[lo] : NULL;
}

size_t
holders_of(const struct holders *x, uint64_t key, uint32_t *tenant, size_t max)
{
	const struct holders_segment *seg = find(x, key);
	size_t n;

	if (seg == NULL || key < seg->lo || max == 0)
		return 0;
	if (seg->len == 1) {
		tenant[0] = seg->first;
		return 1;
	}
	n = seg->len < max ? seg->len : max;
	memcpy(tenant, x->list + seg->first, n * sizeof *tenant);
	return n;
}

void
holders_done(struct holders *x)
{
	buf_free(&x->segment_mem);
	buf_free(&x->list_mem);
}
