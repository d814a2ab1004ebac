#include "agent/front/unnamed.h"

#include "agent/front/pending.h"
#include "agent/front/spare.h"
#include "agent/front/store.h"
#include "agent/log.h"
#include "stir/chain.h"

enum { UNNAMED_MAX = 100000, UNNAMED_FIRST = 64 };

struct found {
	uint8_t id[KEY_ID_LEN];
	bool named;
};

struct look {
	const struct works *w;
	struct found *key; /* sorted by id once all are there */
	size_t keys, cap;
	bool more; /* than there is room or memory for */
	struct store_path tenants;
	const char *tenant; /* while its credentials are gone through */
	bool unsure;	    /* a file that may name one could not be read */
};

static void
look_done(struct look *l)
{
	free(l->key);
}

static bool
grow(struct look *l)
{
	size_t cap = l->cap == 0 ? UNNAMED_FIRST : l->cap * 2;
	struct found *key;

	if (l->keys < l->cap)
		return true;
	if (l->cap >= UNNAMED_MAX)
		return false;
	key = calloc(cap, sizeof *key);
	if (key == NULL)
		return false;
	if (l->keys > 0)
		memcpy(key, l->key, l->keys * sizeof *key);
	free(l->key);
	l->key = key;
	l->cap = cap;
	return true;
}

static void
take_made(void *arg, const uint8_t key_id[32])
{
	struct look *l = arg;

	if (!grow(l))
		l->more = true;
	else
		memcpy(l->key[l->keys++].id, key_id, KEY_ID_LEN);
}

static void
take(void *arg, const uint8_t key_id[32], const uint8_t point[65])
{
	(void)point;
	take_made(arg, key_id);
}

static int
by_id(const void *a, const void *b)
{
	return memcmp(((const struct found *)a)->id, ((const struct found *)b)->id, KEY_ID_LEN);
}

static void
name(struct look *l, const uint8_t key_id[KEY_ID_LEN])
{
	struct found want = { .named = true }, *at;

	memcpy(want.id, key_id, KEY_ID_LEN);
	at = l->keys > 0 ? bsearch(&want, l->key, l->keys, sizeof *l->key, by_id) : NULL;
	if (at != NULL)
		at->named = true;
}

static void
name_spare(struct look *l, const struct works_token *t)
{
	uint8_t key_id[KEY_ID_LEN];

	for (size_t i = 0; i < t->spares; i++) {
		key_id_of_point(t->spare[i].point, key_id);
		name(l, key_id);
	}
}

/* What is in memory: no file has to be read for it. */
static void
name_in_force(struct look *l)
{
	const struct works *w = l->w;

	for (size_t i = 0; i < w->set->slots; i++) {
		if (w->set->slot[i]->state == CREDENTIAL_READY)
			name(l, w->set->slot[i]->key_id);
	}
	for (size_t i = 0; i < w->changes.len; i++)
		name(l, w->changes.item[i].made->key_id);
	for (size_t i = 0; i < w->accounts.len; i++) {
		const struct account *a = &w->accounts.item[i];

		name(l, a->key_id);
		if (account_job_has_key(&a->job))
			name(l, a->job.key_id);
	}
	for (unsigned t = 0; t < CONFIG_MAX_TOKENS; t++)
		name_spare(l, &w->token[t]);
}

static void
name_account(void *arg, const uint8_t key_id[KEY_ID_LEN])
{
	name(arg, key_id);
}

static void
name_on_disk(struct look *l, const char *credential)
{
	struct store_path path = { 0 };
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);
	AUTO(chain) *chain = NULL;
	enum rc rc = store_path(
	    &path, NULL, "%s/%s/%s/current.pem", l->tenants.text, l->tenant, credential);

	if (rc == RC_OK)
		rc = store_read(path.text, CHAIN_MAX_BYTES, &pem, NULL);
	if (rc == RC_NOT_FOUND)
		return;
	if (rc == RC_OK && chain_read_pem(buf_view(&pem), true, &chain, NULL) == RC_OK &&
	    chain->cert[0]->p256)
		name(l, chain->cert[0]->key_id);
	else
		l->unsure = true;
}

/* Of the configuration or not: a tenant that was taken away may come back. */
static enum rc
name_credential(void *arg, const char *credential, struct fault *f)
{
	struct look *l = arg;
	struct credset_place at;
	AUTO_PENDING p = { 0 };
	enum rc rc = pending_read(l->w->set->config, l->tenant, credential, &p, NULL);

	(void)f;
	if (rc == RC_OK)
		name(l, p.facts.key_id);
	else if (rc != RC_NOT_FOUND)
		l->unsure = true;
	if (!credset_find(l->w->set, l->tenant, credential, &at) ||
	    credset_credential(l->w->set, at)->state != CREDENTIAL_READY)
		name_on_disk(l, credential);
	return RC_OK;
}

static enum rc
name_tenant(void *arg, const char *tenant, struct fault *f)
{
	struct look *l = arg;
	struct store_path dir = { 0 };

	TRY(store_path(&dir, f, "%s/%s", l->tenants.text, tenant));
	l->tenant = tenant;
	return store_each(dir.text, name_credential, l, f);
}

static bool
retiring(const struct look *l, const uint8_t key_id[KEY_ID_LEN])
{
	struct store_path path = { 0 };
	char hex[2 * KEY_ID_LEN + 1];

	works_hex(key_id, KEY_ID_LEN, hex);
	return store_path(&path, NULL, "%s/front/retiring/%s.json",
		   l->w->set->config->state_dir, hex) == RC_OK &&
	       store_mtime(path.text) != 0;
}

/* Each key that was found: does anything name it? */
static enum rc
name_all(struct look *l, struct fault *f)
{
	if (l->more)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu keys and more", l->keys);
	if (l->keys == 0)
		return RC_OK;
	qsort(l->key, l->keys, sizeof *l->key, by_id);
	name_in_force(l);
	if (!accounts_on_disk(l->w->set->config, name_account, l))
		l->unsure = true;
	TRY(store_path(&l->tenants, f, "%s/front/tenants", l->w->set->config->state_dir));
	TRY(store_each(l->tenants.text, name_tenant, l, f));
	for (size_t i = 0; i < l->keys; i++) {
		if (!l->key[i].named)
			l->key[i].named = retiring(l, l->key[i].id);
	}
	return RC_OK;
}

enum rc
unnamed_destroy(
    struct works *w, unsigned token, const uint8_t batch[FRAME_BATCH], struct fault *f)
{
	struct look l __attribute__((cleanup(look_done))) = { .w = w };
	char hex[2 * KEY_ID_LEN + 1];

	TRY(token_admin_made(w->token[token].admin, batch, take_made, &l, f));
	TRY(name_all(&l, f));
	for (size_t i = 0; i < l.keys; i++) {
		if (l.key[i].named)
			continue;
		if (l.unsure)
			return FAULT(f, RC_CONFLICT, "unnamed_unsure",
			    "a file that may name the key cannot be read");
		TRY(works_discard(w, token, l.key[i].id, f));
		works_hex(l.key[i].id, KEY_ID_LEN, hex);
		log_event(LEVEL_NOTICE, "unfinished_key", "key=%s", hex);
	}
	return RC_OK;
}

static enum rc
count(struct works *w, unsigned token, struct works_unnamed *out, struct fault *f)
{
	struct look l __attribute__((cleanup(look_done))) = { .w = w };
	struct works_unnamed u = { 0 };

	TRY(token_admin_list(w->token[token].admin, take, &l, f));
	TRY(name_all(&l, f));
	for (size_t i = 0; i < l.keys; i++) {
		if (l.key[i].named)
			continue;
		if (u.keys < WORKS_UNNAMED_SHOWN)
			memcpy(u.id[u.keys], l.key[i].id, KEY_ID_LEN);
		u.keys++;
	}
	*out = u;
	return RC_OK;
}

/* In how many seconds again. */
static int64_t
look_at(struct works *w, unsigned token, int64_t now_s)
{
	struct works_token *t = &w->token[token];
	struct fault why = { 0 };
	struct works_unnamed u = { 0 };

	if (!token_admin_ready(t->admin))
		return UNNAMED_SOON_S; /* nobody waits here for one that is not up */
	if (count(w, token, &u, &why) != RC_OK) {
		log_fault(LEVEL_WARNING, "unnamed_keys", &why);
		return UNNAMED_RETRY_S;
	}
	if (u.keys > 0 && (!t->counted || t->unnamed.keys != u.keys))
		log_event(LEVEL_WARNING, "unnamed_keys", "token=%s keys=%zu",
		    w->set->config->token[token].name, u.keys);
	if (u.keys > 0)
		u.since_s = t->unnamed.since_s != 0 ? t->unnamed.since_s : now_s;
	t->unnamed = u;
	t->counted = true;
	spare_count(w, token);
	return UNNAMED_LOOK_S;
}

int64_t
unnamed_look(struct works *w, int64_t now_s)
{
	int64_t soonest_s = UNNAMED_LOOK_S;

	for (unsigned i = 0; i < w->set->config->tokens && i < CONFIG_MAX_TOKENS; i++) {
		int64_t again_s = look_at(w, i, now_s);

		soonest_s = again_s < soonest_s ? again_s : soonest_s;
	}
	return now_s + soonest_s;
}
