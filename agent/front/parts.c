#include "agent/front/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/front/revocation.h"
#include "agent/front/store.h"
#include "agent/log.h"
#include "agent/members.h"
#include "stir/chain.h"

enum { PART_NAME_MAX = 2 * CONFIG_NAME_MAX };

/* A credential section as read, and all its copies. */
struct section {
	const struct config *config;
	const struct config_tenant *tenant;
	const struct config_credential *copy;
	size_t copies;
};

static const char *
token_suffix(const struct config_credential *copy)
{
	return copy->name + strlen(copy->base);
}

/* shard 0: of all the numbers. */
static void
part_name(const struct config_credential *copy, size_t shard, char out[PART_NAME_MAX])
{
	if (shard == 0)
		snprintf(out, PART_NAME_MAX, "%s", copy->name);
	else
		snprintf(out, PART_NAME_MAX, "%s.%zu%s", copy->base, shard, token_suffix(copy));
}

/* The directories of its parts: the last one, and which there are. */
struct seen {
	const struct section *s;
	bool part[SHARDS_MAX + 1];
	size_t last;
	bool taken; /* a section of its own is called so by now */
};

/* "main.7", "main.7.TOKEN" of any of its copies; 0: of none. */
static size_t
part_of(const struct section *s, const char *name)
{
	size_t base = strlen(s->copy->base), n = 0, digits;

	if (strncmp(name, s->copy->base, base) != 0 || name[base] != '.')
		return 0;
	digits = strspn(name + base + 1, "0123456789");
	if (digits == 0 || digits >= MEMBERS_SHARD_TEXT - 1 || name[base + 1] == '0')
		return 0;
	for (size_t i = 0; i < digits; i++)
		n = 10 * n + (size_t)(name[base + 1 + i] - '0');
	for (size_t k = 0; k < s->copies && n <= SHARDS_MAX; k++) {
		if (strcmp(name + base + 1 + digits, token_suffix(&s->copy[k])) == 0)
			return n;
	}
	return 0;
}

static enum rc
see(void *arg, const char *name, struct fault *f)
{
	struct seen *seen = arg;
	size_t n = part_of(seen->s, name);

	(void)f;
	if (n == 0)
		return RC_OK;
	seen->taken = seen->taken || config_credential_named(seen->s->tenant, name);
	seen->part[n] = true;
	seen->last = n > seen->last ? n : seen->last;
	return RC_OK;
}

static enum rc
look(struct seen *seen, struct fault *f)
{
	struct store_path dir = { 0 };

	TRY(store_path(
	    &dir, f, "%s/front/tenants/%s", seen->s->config->state_dir, seen->s->tenant->name));
	return store_each(dir.text, see, seen, f);
}

/* NULL: there is none, or one that is damaged.  RC_IO, RC_NO_MEMORY: that cannot be told. */
static enum rc
chain_of(const struct section *s, const char *name, struct chain **out, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);
	struct store_path path = { 0 };
	struct fault why = { 0 };
	enum rc rc;

	TRY(store_path(&path, f, "%s/front/tenants/%s/%s/current.pem", s->config->state_dir,
	    s->tenant->name, name));
	rc = store_read(path.text, CHAIN_MAX_BYTES, &pem, &why);
	if (rc == RC_OK)
		rc = chain_read_pem(buf_view(&pem), true, out, &why);
	if (rc == RC_IO || rc == RC_NO_MEMORY)
		return FAULT(f, rc, why.reason, "%s: %s", path.text, why.detail);
	return RC_OK;
}

static enum rc
numbers_in(
    const struct section *s, const struct chain *chain, struct tnset **out, struct fault *f)
{
	const struct tnauth *list = chain->cert[0]->tnauth;

	if (s->tenant->numbers == NULL || list == NULL || tnauth_numbers(list) == NULL)
		return RC_OK;
	return tnset_intersect(s->tenant->numbers, tnauth_numbers(list), out, f);
}

/* What the certificate there speaks for of the tenant's, over or not; NULL: nothing. */
static enum rc
numbers_of(const struct section *s, const char *name, struct tnset **out, struct fault *f)
{
	AUTO(chain) *chain = NULL;

	if (chain_of(s, name, &chain, NULL) != RC_OK || chain == NULL)
		return RC_OK;
	return numbers_in(s, chain, out, f);
}

static enum rc
join(struct tnset **to, const struct tnset *more, struct fault *f)
{
	AUTO(tnset) *both = NULL;

	if (more == NULL)
		return RC_OK;
	TRY(tnset_union(*to, more, &both, f));
	tnset_free(*to);
	*to = TAKE(both);
	return RC_OK;
}

/* ---- where the numbers are ---- */

/* The first of its copies that is there says it. */
static enum rc
read_part(const struct section *s, size_t shard, const struct tnset *lower, struct tnset **out,
    struct fault *f)
{
	AUTO(tnset) *own = NULL;

	for (size_t k = 0; k < s->copies && own == NULL; k++) {
		char name[PART_NAME_MAX];

		part_name(&s->copy[k], shard, name);
		TRY(numbers_of(s, name, &own, f));
	}
	return own != NULL ? tnset_subtract(own, lower, out, f) : RC_OK;
}

static enum rc
add_part(struct shards *out, size_t shard, struct tnset **own, struct fault *f)
{
	for (; out->len < shard - 1; out->len++)
		TRY(tnset_build(NULL, 0, &out->set[out->len], f));
	out->set[out->len++] = TAKE(*own);
	return RC_OK;
}

enum rc
parts_read(const struct config *c, const struct config_tenant *t,
    const struct config_credential *first, size_t copies, struct shards *out, struct fault *f)
{
	const struct section s = { c, t, first, copies };
	struct seen seen = { .s = &s };
	AUTO(tnset) *lower = NULL;

	TRY(look(&seen, f));
	out->set = calloc(SHARDS_MAX + 1, sizeof(struct tnset *));
	if (out->set == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "shards");
	for (size_t i = 1; i <= seen.last; i++) {
		AUTO(tnset) *one = NULL;

		if (!seen.part[i])
			continue;
		TRY(read_part(&s, i, lower, &one, f));
		if (one == NULL || tnset_len(one) == 0)
			continue;
		TRY(join(&lower, one, f));
		TRY(add_part(out, i, &one, f));
	}
	return RC_OK;
}

/* ---- what is left of a division that is over ---- */

struct question {
	const struct section *s;
	int64_t now_s;
	bool strict;
};

/* Revoked it does not serve, whatever is in it; what may be revoked is as good as that. */
static enum rc
serves(const struct question *q, const struct chain *chain, bool *is, struct fault *f)
{
	char id[CREDENTIAL_FINGERPRINT];
	int64_t from_s = 0, to_s = 0;

	chain_validity(chain, &from_s, &to_s);
	TRY(revocation_id(chain->cert[0], id, f));
	*is = from_s <= q->now_s && q->now_s <= to_s && !revocation_there(q->s->config, id);
	return RC_OK;
}

/* More of what a certificate of all the numbers has: one that cannot be read has none. */
static enum rc
add_whole(const struct question *q, const char *name, struct tnset **whole, struct fault *f)
{
	AUTO(chain) *chain = NULL;
	AUTO(tnset) *one = NULL;
	struct fault why = { 0 };
	bool is = false;
	enum rc rc = chain_of(q->s, name, &chain, &why);

	if (rc != RC_OK && q->strict)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	if (chain == NULL)
		return RC_OK;
	TRY(serves(q, chain, &is, f));
	if (!is)
		return RC_OK;
	TRY(numbers_in(q->s, chain, &one, f));
	return join(whole, one, f);
}

/* Of a part: one that is not over has more than that; one that cannot be read may have. */
static enum rc
has_more(const struct question *q, const char *name, const struct tnset *whole, bool *more,
    struct fault *f)
{
	AUTO(chain) *chain = NULL;
	AUTO(tnset) *one = NULL;
	struct fault why = { 0 };
	int64_t from_s = 0, to_s = 0;
	enum rc rc = chain_of(q->s, name, &chain, &why);

	if (rc != RC_OK && q->strict)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	*more = rc != RC_OK;
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "part_kept", &why);
	if (chain == NULL)
		return RC_OK;
	chain_validity(chain, &from_s, &to_s);
	if (to_s >= q->now_s)
		TRY(numbers_in(q->s, chain, &one, f));
	*more = one != NULL && tnset_count_beyond(one, whole) > 0;
	return RC_OK;
}

/* One copy: is there anything that its certificate of all the numbers has not? */
static enum rc
is_needed(const struct question *q, const struct seen *seen,
    const struct config_credential *copy, bool *needed, struct fault *f)
{
	AUTO(tnset) *whole = NULL;
	char name[PART_NAME_MAX];

	for (size_t i = 0; i <= 1; i++) {
		part_name(copy, i, name);
		TRY(add_whole(q, name, &whole, f));
	}
	for (size_t i = 2; i <= seen->last && !*needed; i++) {
		if (!seen->part[i])
			continue;
		part_name(copy, i, name);
		TRY(has_more(q, name, whole, needed, f));
	}
	return RC_OK;
}

enum rc
parts_left(const struct config *c, const struct config_tenant *t,
    const struct config_credential *first, size_t copies, const struct parts_when *when,
    size_t *left, struct fault *f)
{
	const struct section s = { c, t, first, copies };
	const struct question q = { &s, when->now_s, when->strict };
	struct seen seen = { .s = &s };
	bool needed = false;

	TRY(look(&seen, f));
	for (size_t k = 0; !seen.taken && seen.last >= 2 && k < copies; k++) {
		if (strlen(first[k].name) + MEMBERS_SHARD_TEXT - 1 > CONFIG_NAME_MAX) {
			needed = false; /* there can be none of that name */
			break;
		}
		TRY(is_needed(&q, &seen, &first[k], &needed, f));
	}
	*left = needed ? seen.last : 0;
	return RC_OK;
}
