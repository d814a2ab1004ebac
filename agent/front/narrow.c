#include "agent/front/narrow.h"

#include <string.h>

#include "agent/members.h"
#include "stir/tnauth.h"

/* What another certificate of the section speaks for; made only where it has to be. */
struct theirs {
	const struct tnset *numbers; /* NULL: it is not in force */
	struct tnset *made;
	bool known;
};

/* A section that is divided, and one of its places. */
struct beside {
	const struct credset *set;
	struct credset_place at;
	const struct members_section *section;
	size_t copy; /* the same of each of the others: a token each */
	size_t shard;
	int64_t now_s;
	struct theirs *of; /* by shard, from 0 on */
	struct buf lost;   /* struct tn_interval */
};

static void
beside_done(struct beside *b)
{
	for (size_t i = 0; b->of != NULL && i < b->section->shards.len; i++)
		tnset_free(b->of[i].made);
	free(b->of);
	buf_free(&b->lost);
}
#define AUTO_BESIDE __attribute__((cleanup(beside_done))) struct beside

static enum rc
beside_new(struct beside *b, const struct config_credential *cc, struct fault *f)
{
	b->section = members_section_of(&b->set->config->tenant[b->at.tenant], cc);
	b->shard = cc->shard;
	b->copy = b->at.credential - b->section->at[cc->shard - 1];
	b->of = calloc(b->section->shards.len + 1, sizeof *b->of);
	if (b->of == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "what others speak for");
	return RC_OK;
}

static enum rc
numbers_of(struct beside *b, size_t shard, const struct tnset **out, struct fault *f)
{
	struct theirs *of = &b->of[shard - 1];
	const struct credential *c =
	    b->set->tenant[b->at.tenant].credential[b->section->at[shard - 1] + b->copy];

	if (!of->known && credential_serves(c, b->now_s)) {
		const struct tnauth *own = c->chain->cert[0]->tnauth;

		if (c->list != NULL || own == NULL)
			TRY(credential_numbers(c, &of->made, f));
		of->numbers = of->made != NULL ? of->made : tnauth_numbers(own);
	}
	of->known = true;
	*out = of->numbers;
	return RC_OK;
}

static void
put_lost(struct beside *b, struct tn_interval in)
{
	buf_put(&b->lost, &in, sizeof in);
}

/* What of this, whose place is all one, is not there yet? */
static enum rc
lost_to(struct beside *b, size_t owner, struct tn_interval in, struct fault *f)
{
	AUTO(tnset) *one = NULL, *rest = NULL;
	const struct tnset *have = NULL;

	if (owner != 0 && owner != b->shard)
		TRY(numbers_of(b, owner, &have, f));
	if (have == NULL) {
		put_lost(b, in);
		return RC_OK;
	}
	if (in.lo == in.hi) {
		if (!tnset_has(have, in.lo))
			put_lost(b, in);
		return RC_OK;
	}
	TRY(tnset_build(&in, 1, &one, f));
	TRY(tnset_subtract(one, have, &rest, f));
	for (size_t i = 0; i < tnset_len(rest); i++)
		put_lost(b, tnset_at(rest, i));
	return RC_OK;
}

/* An interval, cut where the place changes. */
static enum rc
lost_of(struct beside *b, struct tn_interval in, struct fault *f)
{
	for (struct tn_interval piece = in; piece.lo <= in.hi; piece.lo = piece.hi + 1) {
		size_t owner = shards_place(&b->section->shards, piece.lo, &piece.hi);

		if (piece.hi > in.hi)
			piece.hi = in.hi;
		TRY(lost_to(b, owner, piece, f));
	}
	return RC_OK;
}

/* *rest without what has its place in another one that is in force. */
static enum rc
without_others(struct beside *b, struct tnset **rest, struct fault *f)
{
	AUTO(tnset) *left = NULL;

	for (size_t i = 0; i < tnset_len(*rest); i++)
		TRY(lost_of(b, tnset_at(*rest, i), f));
	TRY(buf_check(&b->lost, f));
	TRY(tnset_build(
	    (const void *)b->lost.ptr, b->lost.len / sizeof(struct tn_interval), &left, f));
	tnset_free(*rest);
	*rest = TAKE(left);
	return RC_OK;
}

/* What would be lost; NULL: nothing. */
static enum rc
lost(const struct credset *set, struct credset_place at, const struct credential *present,
    const struct tnset *after, int64_t now_s, struct tnset **out, struct fault *f)
{
	const struct config_tenant *t = &set->config->tenant[at.tenant];
	const struct config_credential *cc = credset_config(set, at);
	AUTO(tnset) *before = NULL, *serving = NULL, *rest = NULL;
	AUTO_BESIDE b = { .set = set,
		.at = at,
		.now_s = now_s,
		.lost = BUF_INIT(
		    2 * SHARDS_MAX * SHARDS_MAX_ENTRIES * sizeof(struct tn_interval)) };

	if (t->numbers == NULL || now_s > present->not_after_s)
		return RC_OK;
	TRY(credential_numbers(present, &before, f));
	TRY(tnset_intersect(t->numbers, before, &serving, f));
	if (after != NULL && tnset_within(serving, after))
		return RC_OK;
	TRY(tnset_subtract(serving, after, &rest, f));
	if (cc->shard > 0) {
		TRY(beside_new(&b, cc, f));
		TRY(without_others(&b, &rest, f));
	}
	if (tnset_len(rest) > 0)
		*out = TAKE(rest);
	return RC_OK;
}

enum rc
narrow_loses(const struct credset *set, struct credset_place at,
    const struct credential *present, const struct tnset *after, int64_t now_s, bool *loses,
    struct fault *f)
{
	AUTO(tnset) *some = NULL;

	TRY(lost(set, at, present, after, now_s, &some, f));
	*loses = some != NULL;
	return RC_OK;
}

bool
narrow_frees(const struct credset *set, struct credset_place at)
{
	const struct config_tenant *t = &set->config->tenant[at.tenant];
	const struct config_credential *cc = credset_config(set, at);
	const struct members_section *s = members_section_of(t, cc);
	size_t copy = s != NULL ? at.credential - s->at[cc->shard - 1] : 0;

	for (size_t i = 0; s != NULL && i < s->shards.len; i++) {
		const struct credential *c = set->tenant[at.tenant].credential[s->at[i] + copy];
		const struct tnauth *list =
		    c->state == CREDENTIAL_READY ? c->chain->cert[0]->tnauth : NULL;
		struct tn_interval common;

		if (i + 1 != cc->shard && list != NULL && tnauth_numbers(list) != NULL &&
		    tnset_meets(tnauth_numbers(list), members_numbers(t, cc), &common))
			return true;
	}
	return false;
}

/* ---- what is wanted ---- */

/* Of the present one, as far as the numbers are the tenant's. */
static enum rc
want_present(const struct config_tenant *t, const struct config_credential *cc,
    const struct credential *present, struct want *out, struct fault *f)
{
	AUTO(tnset) *have = NULL, *serving = NULL;

	TRY(credential_numbers(present, &have, f));
	TRY(tnset_intersect(t->numbers, have, &serving, f));
	return want_these(cc, serving, out, f);
}

enum rc
narrow_want(const struct credset *set, struct credset_place at, int64_t now_s, struct want *out,
    struct fault *f)
{
	const struct config_tenant *t = &set->config->tenant[at.tenant];
	const struct config_credential *cc = credset_config(set, at);
	const struct credential *present = credset_credential(set, at);
	AUTO(tnset) *made = NULL, *kept = NULL, *both = NULL;
	const struct tnset *own = NULL;
	struct fault why = { 0 };
	enum rc rc;

	if (cc->shard == 0 || present->state != CREDENTIAL_READY)
		return want_of(t, cc, out, f);
	TRY(want_set(t, cc, &own, &made, f));
	TRY(lost(set, at, present, own, now_s, &kept, f));
	if (kept == NULL)
		return want_of(t, cc, out, f);
	TRY(tnset_union(own, kept, &both, f));
	rc = want_these(cc, both, out, &why);
	/* Too much for one: what it has is renewed, and what is its own comes later. */
	if (rc == RC_INVALID)
		return want_present(t, cc, present, out, f);
	return rc == RC_OK ? RC_OK : FAULT(f, rc, why.reason, "%s", why.detail);
}

/* ---- what may be ordered ---- */

/* Its own numbers, and beside them none that the present one has not; nothing is lost. */
static enum rc
was_wanted(const struct credset *set, struct credset_place at, int64_t now_s,
    const struct tnset *given, bool *yes, struct fault *f)
{
	const struct config_tenant *t = &set->config->tenant[at.tenant];
	const struct credential *present = credset_credential(set, at);
	AUTO(tnset) *made = NULL, *have = NULL, *serving = NULL, *all = NULL;
	const struct tnset *own = NULL;
	bool loses = false;

	TRY(want_set(t, credset_config(set, at), &own, &made, f));
	TRY(credential_numbers(present, &have, f));
	TRY(tnset_intersect(t->numbers, have, &serving, f));
	TRY(tnset_union(own, serving, &all, f));
	TRY(narrow_loses(set, at, present, given, now_s, &loses, f));
	*yes = !loses && tnset_within(own, given) && tnset_within(given, all);
	return RC_OK;
}

enum rc
narrow_allows(const struct credset *set, struct credset_place at, int64_t now_s,
    struct span tnauth_der, struct span constraints_der, struct fault *f)
{
	const struct config_credential *cc = credset_config(set, at);
	AUTO_WANT want = WANT_INIT;
	AUTO_WANT given = WANT_INIT;
	AUTO(tnauth) *list = NULL;
	bool yes = false;

	TRY(narrow_want(set, at, now_s, &want, f));
	if (cc->shard > 0 && credset_credential(set, at)->state == CREDENTIAL_READY &&
	    !span_eq(tnauth_der, buf_view(&want.tnauth_der)) &&
	    tnauth_decode(tnauth_der, false, &list, NULL) == RC_OK &&
	    tnauth_numbers(list) != NULL) {
		TRY(was_wanted(set, at, now_s, tnauth_numbers(list), &yes, f));
		if (yes && want_these(cc, tnauth_numbers(list), &given, NULL) == RC_OK)
			return want_allows(&given, cc, tnauth_der, constraints_der, f);
	}
	return want_allows(&want, cc, tnauth_der, constraints_der, f);
}
