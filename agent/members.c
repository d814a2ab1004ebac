#include "agent/members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which token ---- */

static uint64_t
mix(uint64_t h, const char *text)
{
	for (const char *p = text; *p != 0; p++) /* FNV-1a */
		h = (h ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	return (h ^ UINT64_C(0xff)) * UINT64_C(0x100000001b3);
}

/*
 * Rendezvous: each token draws a lot for this certificate and the highest has
 * it, so that a token that is added takes its share and moves no others.
 */
const char *
members_draw(const char *tenant, const char *name, const struct config_strings *tokens)
{
	uint64_t best = 0;
	size_t at = 0;

	for (size_t i = 0; i < tokens->len; i++) {
		uint64_t lot = mix(UINT64_C(0xcbf29ce484222325), tokens->item[i]);

		lot = mix(mix(lot, tenant), name);
		lot = (lot ^ lot >> 33) * UINT64_C(0xff51afd7ed558ccd);
		lot ^= lot >> 33;
		if (i == 0 || lot > best) {
			best = lot;
			at = i;
		}
	}
	return tokens->item[at];
}

const char *
members_token(const char *tenant, const struct config_credential *c, size_t shard)
{
	char name[CONFIG_NAME_MAX + MEMBERS_SHARD_TEXT + 1];

	if (!c->spread)
		return c->token;
	snprintf(name, sizeof name, "%s.%zu", c->base, shard);
	return members_draw(tenant, name, &c->tokens);
}

/* ---- names ---- */

bool
members_is_name(const struct config_credential *c, const char *name)
{
	size_t base = strlen(c->base), digits;

	if (strncmp(name, c->base, base) != 0 || name[base] != '.')
		return false;
	name += base + 1;
	digits = strspn(name, "0123456789");
	return digits > 0 && digits < MEMBERS_SHARD_TEXT - 1 && name[0] != '0' &&
	       strcmp(name + digits, c->name + base) == 0; /* ".TOKEN" or nothing */
}

/* ---- sections ---- */

size_t
members_copies(const struct config_credential *all, size_t n, size_t i)
{
	size_t end = i + 1;

	while (end < n && strcmp(all[end].base, all[i].base) == 0)
		end++;
	return end - i;
}

const struct config_credential *
members_read(const struct config_tenant *t, size_t *n)
{
	*n = t->members != NULL ? t->sections : t->credentials;
	return t->members != NULL ? t->section : t->credential;
}

size_t
members_divided(const struct config_tenant *t)
{
	size_t n, divided = 0;
	const struct config_credential *all = members_read(t, &n);

	for (size_t i = 0; i < n; i += members_copies(all, n, i))
		divided += all[i].numbers_per_certificate > 0;
	return divided;
}

const struct members_section *
members_section_of(const struct config_tenant *t, const struct config_credential *c)
{
	if (c->shard == 0)
		return NULL;
	for (size_t i = 0; i < t->members->sections; i++) {
		const struct members_section *s = &t->members->section[i];

		if (strcmp(t->section[s->first].base, c->base) == 0)
			return s;
	}
	return NULL;
}

const struct tnset *
members_numbers(const struct config_tenant *t, const struct config_credential *c)
{
	const struct members_section *s = members_section_of(t, c);

	return s != NULL ? s->shards.set[c->shard - 1] : NULL;
}

/* ---- making them ---- */

static enum rc
add(struct members *m, const char *tenant, const struct config_credential *of, size_t shard,
    struct fault *f)
{
	struct config_credential *c = &m->credential[m->len++];
	int len;

	*c = *of;
	c->shard = shard;
	c->name = NULL;
	c->token = strdup(members_token(tenant, of, shard));
	if (shard > 0)
		len = asprintf(
		    &c->name, "%s.%zu%s", of->base, shard, of->name + strlen(of->base));
	else
		len = asprintf(&c->name, "%s", of->name);
	if (len < 0)
		c->name = NULL;
	if (len < 0 || c->token == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a credential");
	return RC_OK;
}

static enum rc
add_shard(struct members *m, const struct config_tenant *t, struct members_section *s,
    size_t shard, struct fault *f)
{
	size_t n;
	const struct config_credential *all = members_read(t, &n);

	s->at[shard - 1] = (uint32_t)m->len;
	for (size_t k = 0; k < s->copies; k++)
		TRY(add(m, t->name, &all[s->first + k], shard, f));
	return RC_OK;
}

static enum rc
add_plain(struct members *m, const struct config_tenant *t, struct fault *f)
{
	size_t n;
	const struct config_credential *all = members_read(t, &n);

	for (size_t i = 0; i < n; i++) {
		if (all[i].numbers_per_certificate == 0)
			TRY(add(m, t->name, &all[i], 0, f));
	}
	m->plain = m->len;
	return RC_OK;
}

/* In the places that they had. */
static enum rc
add_known(struct members *m, const struct config_tenant *t, const struct members *before,
    struct fault *f)
{
	for (size_t i = before->plain; i < before->len;) {
		const struct config_credential *c = &before->credential[i];
		size_t k = 0;

		while (strcmp(t->section[before->section[k].first].base, c->base) != 0)
			k++;
		TRY(add_shard(m, t, &m->section[k], c->shard, f));
		i += m->section[k].copies;
	}
	return RC_OK;
}

static enum rc
add_new(struct members *m, const struct config_tenant *t, const struct members *before,
    struct fault *f)
{
	for (size_t k = 0; k < m->sections; k++) {
		size_t there = before != NULL ? before->section[k].shards.len : 0;

		for (size_t i = there; i < m->section[k].shards.len; i++)
			TRY(add_shard(m, t, &m->section[k], i + 1, f));
	}
	return RC_OK;
}

/* The shards are borrowed: until nothing can fail any more. */
static enum rc
prepare(struct members *m, const struct config_tenant *t, const struct shards *list,
    size_t sections, struct fault *f)
{
	size_t n, all_len = 0, k = 0;
	const struct config_credential *all = members_read(t, &n);

	m->section = calloc(sections + 1, sizeof *m->section);
	if (m->section == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu sections", sections);
	for (size_t i = 0; i < n; i += members_copies(all, n, i)) {
		struct members_section *s = &m->section[k];
		size_t copies = members_copies(all, n, i);

		all_len += copies;
		if (all[i].numbers_per_certificate == 0)
			continue;
		*s = (struct members_section){ .first = i, .copies = copies };
		s->at = calloc(list[k].len + 1, sizeof *s->at);
		if (s->at == NULL)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu shards", list[k].len);
		s->shards = list[k++];
		all_len += copies * s->shards.len;
	}
	m->sections = k;
	m->credential = calloc(all_len + 1, sizeof *m->credential);
	return m->credential != NULL
		   ? RC_OK
		   : FAULT(f, RC_NO_MEMORY, "no_memory", "%zu credentials", all_len);
}

static void
members_free(struct members *m)
{
	for (size_t i = 0; i < m->len; i++) {
		free(m->credential[i].name);
		free(m->credential[i].token);
	}
	free(m->credential);
	for (size_t i = 0; m->section != NULL && i < m->sections; i++) {
		shards_done(&m->section[i].shards);
		free(m->section[i].at);
	}
	free(m->section);
	free(m);
}

static enum rc
fill(struct members *m, const struct config_tenant *t, const struct members *before,
    const struct shards *list, size_t n, struct fault *f)
{
	TRY(prepare(m, t, list, n, f));
	TRY(add_plain(m, t, f));
	if (before != NULL)
		TRY(add_known(m, t, before, f));
	return add_new(m, t, before, f);
}

enum rc
members_make(const struct config_tenant *t, const struct members *before, struct shards *list,
    size_t n, struct members **out, struct fault *f)
{
	struct members *m = calloc(1, sizeof *m);
	enum rc rc;

	if (m == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "members");
	atomic_init(&m->refs, 1);
	rc = fill(m, t, before, list, n, f);
	if (rc != RC_OK) {
		for (size_t i = 0; m->section != NULL && i < n; i++)
			m->section[i].shards = (struct shards){ 0 }; /* theirs still */
		m->sections = n;
		members_free(m);
		return rc;
	}
	for (size_t i = 0; i < n; i++)
		list[i] = (struct shards){ 0 };
	*out = m;
	return RC_OK;
}

struct members *
members_ref(struct members *m)
{
	if (m != NULL)
		atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

void
members_release(struct members *m)
{
	if (m == NULL || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
		return;
	members_free(m);
}

void
members_take(struct config_tenant *t, struct members *m)
{
	if (t->members == NULL) {
		t->section = t->credential;
		t->sections = t->credentials;
	} else {
		members_release(t->members);
	}
	t->members = m;
	t->credential = m->credential;
	t->credentials = m->len;
}
