/* Of a credential whose numbers are divided (D-17): which certificates come into question. */
#include "agent/front/decide_parts.h"

#include <string.h>

#include "agent/members.h"

/* A divided section of a tenant, and the search that looks into it. */
struct looked_at {
	struct search *s;
	const struct members *all;
	const struct members_section *section;
	uint32_t tenant;
	bool listed;
};

static enum rc
add_copies(const struct looked_at *l, size_t shard, struct fault *f)
{
	for (size_t k = 0; k < l->section->copies; k++)
		TRY(decide_add(l->s,
		    (struct candidate){
			l->tenant, l->section->at[shard - 1] + (uint32_t)k, l->listed },
		    f));
	return RC_OK;
}

/* At this time; or, timeless, over or not. */
static bool
is_ready(const struct looked_at *l, size_t shard, bool timeless)
{
	struct credset_place at = { l->tenant, l->section->at[shard - 1] };

	for (size_t k = 0; k < l->section->copies; k++, at.credential++) {
		const struct credential *one = credset_credential(l->s->w->set, at);

		if (timeless ? one->state == CREDENTIAL_READY
			     : credential_serves(one, l->s->w->now_s))
			return true;
	}
	return false;
}

static bool
covers(const struct looked_at *l, size_t shard)
{
	struct candidate c = { l->tenant, l->section->at[shard - 1], l->listed };

	for (size_t k = 0; k < l->section->copies; k++, c.credential++) {
		const struct credential *one = credential_of(l->s, &c);

		if (credential_serves(one, l->s->w->now_s) &&
		    gate_uncovered(one->gate, &l->s->d->passport) == NULL)
			return true;
	}
	return false;
}

static size_t
first_ready(const struct looked_at *l, bool timeless)
{
	for (size_t i = 1; i <= l->section->shards.len; i++) {
		if (is_ready(l, i, timeless))
			return i;
	}
	return 0;
}

/* The number decides nothing: any will do, the first that serves. */
static enum rc
add_any(const struct looked_at *l, struct fault *f)
{
	size_t i = first_ready(l, false);

	if (i == 0)
		i = first_ready(l, true);
	if (i > 0)
		return add_copies(l, i, f);
	return l->section->shards.len > 0 ? add_copies(l, 1, f) : RC_OK;
}

/*
 * While numbers go from one to another, one that covers the number need not be
 * the one where it belongs.  That comes last: it says what there is to wait for.
 */
static enum rc
add_covering(const struct looked_at *l, size_t owner, struct fault *f)
{
	bool any = false;

	for (size_t i = 1; i <= l->section->shards.len; i++) {
		if (i == owner || !covers(l, i))
			continue;
		TRY(add_copies(l, i, f));
		any = true;
	}
	if (owner == 0) /* there was no place for it (division.h), or it is nobody's */
		return any ? RC_OK : add_any(l, f);
	return add_copies(l, owner, f);
}

static enum rc
add_by_number(const struct looked_at *l, struct fault *f)
{
	const struct search *s = l->s;
	size_t owner;

	if (s->numbers == 0 || s->number[0].len == 0)
		return add_any(l, f);
	owner = shards_find(&l->section->shards, tn_key(&s->number[0]));
	if (s->d->passport.third_party) /* of_own() asks all of them */
		return owner != 0 ? add_copies(l, owner, f) : add_any(l, f);
	if (owner == 0 && !l->listed)
		return add_any(l, f); /* no number of the tenant's, and refused as such */
	return owner != 0 && covers(l, owner) ? add_copies(l, owner, f)
					      : add_covering(l, owner, f);
}

/* "main.2", or "main.2.TOKEN" */
static enum rc
add_named(const struct looked_at *l, struct fault *f)
{
	const struct members_section *section = l->section;

	for (size_t i = 0; i < section->shards.len; i++) {
		for (uint32_t k = section->at[i]; k < section->at[i] + section->copies; k++) {
			if (strcmp(l->all->credential[k].name, l->s->r->credential) == 0)
				return decide_add(
				    l->s, (struct candidate){ l->tenant, k, l->listed }, f);
		}
	}
	return RC_OK;
}

enum rc
decide_add_divided(struct search *s, uint32_t tenant, bool listed, struct fault *f)
{
	const struct config_tenant *t = &s->w->set->config->tenant[tenant];
	const char *asked = s->r->credential;

	for (size_t i = 0; t->members != NULL && i < t->members->sections; i++) {
		const struct members_section *section = &t->members->section[i];
		const struct config_credential *cc = &t->section[section->first];
		const char *base = cc->base;
		const struct looked_at l = { s, t->members, section, tenant, listed };

		if (asks_for(asked, cc))
			TRY(add_by_number(&l, f));
		else if (strncmp(asked, base, strlen(base)) == 0)
			TRY(add_named(&l, f));
	}
	return RC_OK;
}

bool
decide_is_elsewhere(const struct search *s, const struct candidate *c, const struct tn *tn)
{
	const struct members_section *section =
	    members_section_of(tenant_of(s, c), config_of(s, c));
	size_t owner = section != NULL ? shards_find(&section->shards, tn_key(tn)) : 0;

	return owner != 0 && owner != config_of(s, c)->shard;
}
