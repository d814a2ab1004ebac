#include "agent/front/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/front/store.h"
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

/* What the certificate there speaks for of the tenant's; NULL: nothing, or it was over. */
static enum rc
numbers_of(const struct section *s, const char *name, int64_t at_s, struct tnset **out,
    struct fault *f)
{
	const struct config_tenant *t = s->tenant;
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);
	struct store_path path = { 0 };
	AUTO(chain) *chain = NULL;
	int64_t from_s = 0, to_s = 0;
	const struct tnauth *list;

	TRY(store_path(&path, f, "%s/front/tenants/%s/%s/current.pem", s->config->state_dir,
	    t->name, name));
	if (store_read(path.text, CHAIN_MAX_BYTES, &pem, NULL) != RC_OK ||
	    chain_read_pem(buf_view(&pem), true, &chain, NULL) != RC_OK)
		return RC_OK;
	chain_validity(chain, &from_s, &to_s);
	list = chain->cert[0]->tnauth;
	if (to_s < at_s || t->numbers == NULL || list == NULL || tnauth_numbers(list) == NULL)
		return RC_OK;
	return tnset_intersect(t->numbers, tnauth_numbers(list), out, f);
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
		TRY(numbers_of(s, name, INT64_MIN, &own, f));
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

/* One copy: is there anything that its certificate of all the numbers has not? */
static enum rc
is_needed(const struct seen *seen, const struct config_credential *copy, int64_t now_s,
    bool *needed, struct fault *f)
{
	AUTO(tnset) *whole = NULL;

	for (size_t i = 0; i <= seen->last && !*needed; i++) {
		AUTO(tnset) *one = NULL;
		char name[PART_NAME_MAX];

		if (i > 1 && !seen->part[i])
			continue;
		part_name(copy, i, name);
		TRY(numbers_of(seen->s, name, now_s, &one, f));
		if (i <= 1)
			TRY(join(&whole, one, f));
		else
			*needed = one != NULL && tnset_count_beyond(one, whole) > 0;
	}
	return RC_OK;
}

enum rc
parts_left(const struct config *c, const struct config_tenant *t,
    const struct config_credential *first, size_t copies, int64_t now_s, size_t *left,
    struct fault *f)
{
	const struct section s = { c, t, first, copies };
	struct seen seen = { .s = &s };
	bool needed = false;

	*left = 0;
	TRY(look(&seen, f));
	if (seen.taken || seen.last < 2)
		return RC_OK;
	for (size_t k = 0; k < copies; k++) {
		if (strlen(first[k].name) + MEMBERS_SHARD_TEXT - 1 > CONFIG_NAME_MAX)
			return RC_OK; /* there can be none of that name */
		TRY(is_needed(&seen, &first[k], now_s, &needed, f));
	}
	*left = needed ? seen.last : 0;
	return RC_OK;
}
