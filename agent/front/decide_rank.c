/* Of several that could sign: which one does, and in which token. */
#include "agent/front/decide_parts.h"

#include <string.h>

/*
 * Whoever passes every rule goes before whoever would not; then whoever lists
 * the number before whoever only may; then the priority.
 */
static int
compare(const struct search *s, const struct candidate *a, const struct candidate *b)
{
	unsigned pa = config_of(s, a)->priority, pb = config_of(s, b)->priority;
	bool oa = decide_is_overlooked(s, a), ob = decide_is_overlooked(s, b);

	if (oa != ob)
		return oa ? -1 : 1;
	if (a->listed != b->listed)
		return a->listed ? 1 : -1;
	return (pa > pb) - (pa < pb);
}

/* One credential in two tokens. */
static bool
are_copies(const struct search *s, const struct candidate *a, const struct candidate *b)
{
	return a->tenant == b->tenant &&
	       strcmp(config_of(s, a)->base, config_of(s, b)->base) == 0;
}

static uint64_t
load_of(const struct search *s, const struct candidate *c)
{
	const struct decide_world *w = s->w;

	return w->load_us != NULL ? w->load_us(w->arg, credential_of(s, c)->token) : 0;
}

/* The copies of the best, the healthiest first; those alike take turns. */
static void
rank_copies(struct search *s, size_t best)
{
	struct candidate copy[DECIDE_MAX_OTHERS + 1];
	uint64_t load[DECIDE_MAX_OTHERS + 1];
	size_t n = 0;

	for (size_t i = 0; i < s->len && n < ARRAY_LEN(copy); i++) {
		const struct candidate *c = &s->list[(i + s->w->turn) % s->len];
		uint64_t mine;
		size_t at = n;

		if (!are_copies(s, c, &s->list[best]))
			continue;
		mine = load_of(s, c);
		for (; at > 0 && load[at - 1] > mine; at--) {
			copy[at] = copy[at - 1];
			load[at] = load[at - 1];
		}
		copy[at] = *c;
		load[at] = mine;
		n++;
	}
	memcpy(s->list, copy, n * sizeof copy[0]);
	s->len = n;
}

enum rc
decide_choose(struct search *s, struct fault *f)
{
	size_t best = 0, ties = 0;

	for (size_t i = 1; i < s->len; i++) {
		int order = compare(s, &s->list[i], &s->list[best]);

		if (order > 0) {
			best = i;
			ties = 0;
		} else if (order == 0 && !are_copies(s, &s->list[i], &s->list[best])) {
			ties++;
		}
	}
	if (ties > 0)
		return REFUSE(f, RC_DENIED, AMBIGUOUS_CREDENTIAL, NULL,
		    "%zu credentials of the same priority: name tenant and credential",
		    ties + 1);
	if (s->len > 1)
		rank_copies(s, best);
	return RC_OK;
}

static bool
has_token(const struct decision *d, unsigned token)
{
	if (d->credential->token == token)
		return true;
	for (size_t i = 0; i < d->others; i++) {
		if (d->other[i].credential->token == token)
			return true;
	}
	return false;
}

void
decide_keep_others(struct search *s)
{
	struct decision *d = s->d;

	for (size_t i = 1; i < s->len && d->others < DECIDE_MAX_OTHERS; i++) {
		struct credential *c = credential_of(s, &s->list[i]);

		if (has_token(d, c->token) ||
		    decide_of_constraints(s, &s->list[i], NULL) != RC_OK)
			continue;
		d->other[d->others++] = (struct decide_other){ config_of(s, &s->list[i]), c };
	}
}
