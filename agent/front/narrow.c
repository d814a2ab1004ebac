#include "agent/front/narrow.h"

#include <string.h>

static bool
serves_beside(const struct credset *set, struct credset_place at, size_t i, int64_t now_s)
{
	const struct config_tenant *t = &set->config->tenant[at.tenant];
	const struct credential *c = set->tenant[at.tenant].credential[i];

	return i != at.credential &&
	       strcmp(t->credential[i].base, t->credential[at.credential].base) == 0 &&
	       c->state == CREDENTIAL_READY && c->not_before_s <= now_s &&
	       now_s <= c->not_after_s;
}

/* *rest without what the others of the same section speak for. */
static enum rc
without_others(const struct credset *set, struct credset_place at, int64_t now_s,
    struct tnset **rest, struct fault *f)
{
	size_t n = set->config->tenant[at.tenant].credentials;

	for (size_t i = 0; i < n && tnset_len(*rest) > 0; i++) {
		AUTO(tnset) *theirs = NULL, *less = NULL;

		if (!serves_beside(set, at, i, now_s))
			continue;
		TRY(credential_numbers(set->tenant[at.tenant].credential[i], &theirs, f));
		TRY(tnset_subtract(*rest, theirs, &less, f));
		tnset_free(*rest);
		*rest = TAKE(less);
	}
	return RC_OK;
}

enum rc
narrow_loses(const struct credset *set, struct credset_place at,
    const struct credential *present, const struct tnset *after, int64_t now_s, bool *loses,
    struct fault *f)
{
	const struct config_tenant *t = &set->config->tenant[at.tenant];
	AUTO(tnset) *before = NULL, *serving = NULL, *rest = NULL;

	*loses = false;
	if (t->numbers == NULL || now_s > present->not_after_s)
		return RC_OK;
	TRY(credential_numbers(present, &before, f));
	TRY(tnset_intersect(t->numbers, before, &serving, f));
	if (tnset_within(serving, after))
		return RC_OK;
	TRY(tnset_subtract(serving, after, &rest, f));
	if (credset_config(set, at)->shard > 0)
		TRY(without_others(set, at, now_s, &rest, f));
	*loses = tnset_len(rest) > 0;
	return RC_OK;
}
