#include "agent/front/keyuses.h"

#include <stdio.h>

#include "agent/front/offboard.h"
#include "agent/front/pending.h"
#include "agent/front/revoke.h"
#include "agent/front/series.h"
#include "agent/log.h"
#include "stir/chain.h"

enum { KEYS_MAX = 100000 };

struct look {
	const struct works *w;
	struct keyuses *u;
	bool names, again; /* again: the chains on disk of what is in force */
	bool living;	   /* what a tenant has whose end is confirmed is no use */
	struct store_path tenants;
	const char *tenant; /* while its credentials are gone through */
	enum key_use use;   /* while a directory of notes is */
};

void
keyuses_done(struct keyuses *u)
{
	for (size_t i = 0; i < u->len; i++)
		free(u->key[i].of);
	free(u->key);
	*u = (struct keyuses){ 0 };
}

/* ---- what is in the token ---- */

static bool
grow(struct keyuses *u)
{
	struct keyuse *key;

	if (u->len < u->cap)
		return true;
	key = u->cap < KEYS_MAX ? works_grown(u->key, u->len, &u->cap, sizeof *key) : NULL;
	if (key != NULL)
		u->key = key;
	return key != NULL;
}

void
keyuses_ask(struct keyuses *u, const uint8_t key_id[KEY_ID_LEN])
{
	if (!grow(u))
		u->more = true;
	else
		memcpy(u->key[u->len++].id, key_id, KEY_ID_LEN);
}

static void
take_made(void *arg, const uint8_t key_id[32])
{
	struct look *l = arg;

	keyuses_ask(l->u, key_id);
}

static void
take_listed(void *arg, const uint8_t key_id[32], const struct frame_listed *key)
{
	struct look *l = arg;
	struct keyuse *at;

	take_made(arg, key_id);
	if (l->u->more)
		return;
	at = &l->u->key[l->u->len - 1];
	at->label = (enum frame_label)key->label;
	memcpy(at->name, key->name, sizeof at->name);
}

static int
by_id(const void *a, const void *b)
{
	return memcmp(
	    ((const struct keyuse *)a)->id, ((const struct keyuse *)b)->id, KEY_ID_LEN);
}

static struct keyuse *
find(const struct keyuses *u, const uint8_t key_id[KEY_ID_LEN])
{
	struct keyuse want = { .use = KEY_UNUSED };

	memcpy(want.id, key_id, KEY_ID_LEN);
	return u->len > 0 ? bsearch(&want, u->key, u->len, sizeof want, by_id) : NULL;
}

const struct keyuse *
keyuses_find(const struct keyuses *u, const uint8_t key_id[KEY_ID_LEN])
{
	return find(u, key_id);
}

/* ---- what names them ---- */

/* What cannot be read may name any of them. */
static void
doubt(struct look *l, const char *path)
{
	if (!l->u->unsure)
		(void)!store_path(&l->u->doubt, NULL, "%s", path);
	l->u->unsure = true;
}

static bool
is_over(const struct look *l, const char *tenant)
{
	return l->living && tenant != NULL && offboard_destroys(l->w, tenant);
}

/* The same where it is a tenant's alone. */
static void
doubt_of(struct look *l, const char *path)
{
	if (!is_over(l, l->tenant))
		doubt(l, path);
}

/* name may be NULL: there is nothing to say beside the use. */
static void
mark(struct look *l, const uint8_t key_id[KEY_ID_LEN], enum key_use use, const char *tenant,
    const char *name)
{
	struct keyuse *at = find(l->u, key_id);
	char of[2 * CONFIG_NAME_MAX + 2];

	if (at == NULL || at->use >= use || is_over(l, tenant))
		return;
	at->use = use;
	if (!l->names)
		return;
	snprintf(of, sizeof of, "%s%s%s", tenant != NULL ? tenant : "",
	    tenant != NULL ? "/" : "", name != NULL ? name : "");
	free(at->of);
	at->of = name != NULL ? strdup(of) : NULL;
}

static void
mark_spare(struct look *l, const struct works_token *t)
{
	uint8_t key_id[KEY_ID_LEN];

	for (size_t i = 0; i < t->spares; i++) {
		key_id_of_point(t->spare[i].point, key_id);
		mark(l, key_id, KEY_WAITING, NULL, NULL);
	}
}

/* What is in memory: no file has to be read for it. */
static void
mark_in_memory(struct look *l)
{
	const struct works *w = l->w;

	for (size_t i = 0; i < w->set->slots; i++) {
		const struct credential *c = w->set->slot[i];

		if (c->state == CREDENTIAL_READY)
			mark(l, c->key_id, KEY_CREDENTIAL, c->tenant, c->name);
		/* It signs what is dated before the one in force was valid. */
		if (w->set->before[i] != NULL)
			mark(l, w->set->before[i]->key_id, KEY_RETIRED,
			    w->set->before[i]->tenant, NULL);
	}
	for (size_t i = 0; i < w->changes.len; i++) {
		const struct credential *c = w->changes.item[i].made;

		mark(l, c->key_id, KEY_CREDENTIAL, c->tenant, c->name);
	}
	for (size_t i = 0; i < w->accounts.len; i++) {
		const struct account *a = &w->accounts.item[i];

		mark(l, a->key_id, KEY_ACCOUNT, NULL, a->ca);
		if (account_job_has_key(&a->job))
			mark(l, a->job.key_id, KEY_ACCOUNT, NULL, a->ca);
	}
	for (size_t i = 0; i < w->series.len; i++) {
		const struct series *s = &w->series.item[i];

		mark(l, s->key_id, KEY_WAITING, s->tenant, s->name);
	}
	for (unsigned t = 0; t < CONFIG_MAX_TOKENS; t++)
		mark_spare(l, &w->token[t]);
}

static void
mark_account(void *arg, const uint8_t key_id[KEY_ID_LEN])
{
	mark(arg, key_id, KEY_ACCOUNT, NULL, NULL);
}

static void
mark_chain(struct look *l, const char *credential)
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
		mark(l, chain->cert[0]->key_id, KEY_CREDENTIAL, l->tenant, credential);
	else
		doubt_of(l, path.text);
}

static void
mark_request(struct look *l, const char *credential, const char *file)
{
	struct store_path path = { 0 };
	AUTO_BUF der = BUF_INIT(PENDING_MAX);
	struct csr_facts facts __attribute__((cleanup(csr_done))) = { 0 };
	enum rc rc = store_path(
	    &path, NULL, "%s/%s/%s/%s", l->tenants.text, l->tenant, credential, file);

	if (rc == RC_OK)
		rc = store_read(path.text, PENDING_MAX, &der, NULL);
	if (rc == RC_NOT_FOUND)
		return;
	if (rc == RC_OK && csr_decode(buf_view(&der), &facts, NULL) == RC_OK)
		mark(l, facts.key_id, KEY_WAITING, l->tenant, credential);
	else
		doubt_of(l, path.text);
}

static bool
is_in_force(const struct look *l, const char *credential)
{
	struct credset_place at;

	return credset_find(l->w->set, l->tenant, credential, &at) &&
	       credset_credential(l->w->set, at)->state == CREDENTIAL_READY;
}

/* Of the configuration or not: a tenant that was taken away may come back. */
static enum rc
mark_credential(void *arg, const char *credential, struct fault *f)
{
	struct look *l = arg;

	(void)f;
	if (!l->again) {
		mark_request(l, credential, "pending.csr");
		mark_request(l, credential, "star.csr");
	}
	if (is_in_force(l, credential) == l->again)
		mark_chain(l, credential);
	return RC_OK;
}

static enum rc
mark_tenant(void *arg, const char *tenant, struct fault *f)
{
	struct look *l = arg;
	struct store_path dir = { 0 };

	TRY(store_path(&dir, f, "%s/%s", l->tenants.text, tenant));
	l->tenant = tenant;
	if (store_each(dir.text, mark_credential, l, NULL) != RC_OK)
		doubt_of(l, dir.text);
	return RC_OK;
}

static enum rc
mark_tenants(struct look *l, struct fault *f)
{
	TRY(store_path(&l->tenants, f, "%s/front/tenants", l->w->set->config->state_dir));
	if (store_each(l->tenants.text, mark_tenant, l, NULL) != RC_OK)
		doubt(l, l->tenants.text);
	return RC_OK;
}

static enum rc
mark_revocation(void *arg, const char *id, struct fault *f)
{
	struct look *l = arg;
	struct revocation r = { .reason = 0 };
	AUTO(cert) *leaf = NULL;
	enum rc rc = revocation_read(l->w->set->config, id, &r, NULL);
	bool signs = rc == RC_OK && r.by_key && r.state == REVOCATION_OUTSTANDING;

	(void)f;
	if (signs)
		rc = revocation_read_cert(l->w->set->config, id, &leaf, NULL);
	if (rc != RC_OK)
		doubt(l, id);
	else if (signs)
		mark(l, leaf->key_id, KEY_REVOKES, r.tenant, r.name);
	return RC_OK;
}

/* ---- notes: the name of the file is the key's, or its batch's ---- */

static bool
hex_name(const char *file, uint8_t *out, size_t len)
{
	return strlen(file) == 2 * len + strlen(".json") &&
	       strcmp(file + 2 * len, ".json") == 0 && works_unhex(file, out, len);
}

static enum rc
mark_note(void *arg, const char *file, struct fault *f)
{
	struct look *l = arg;
	uint8_t key_id[KEY_ID_LEN];

	(void)f;
	if (hex_name(file, key_id, KEY_ID_LEN))
		mark(l, key_id, l->use, NULL, NULL);
	return RC_OK;
}

static enum rc
mark_batch(void *arg, const char *file, struct fault *f)
{
	struct look *l = arg;
	uint8_t batch[FRAME_BATCH];

	(void)f;
	if (!hex_name(file, batch, FRAME_BATCH))
		return RC_OK;
	for (size_t i = 0; i < l->u->len; i++) {
		const struct keyuse *k = &l->u->key[i];

		if ((k->label == FRAME_LABEL_OWNED || k->label == FRAME_LABEL_BATCH) &&
		    memcmp(k->name, batch, FRAME_BATCH) == 0)
			mark(l, k->id, KEY_MAKING, NULL, NULL);
	}
	return RC_OK;
}

static enum rc
mark_notes(
    struct look *l, const char *folder, enum key_use use, store_each_fn *each, struct fault *f)
{
	struct store_path dir = { 0 };

	TRY(store_path(&dir, f, "%s/front/%s", l->w->set->config->state_dir, folder));
	l->use = use;
	if (store_each(dir.text, each, l, NULL) != RC_OK)
		doubt(l, dir.text);
	return RC_OK;
}

static bool
is_left(const struct look *l)
{
	for (size_t i = 0; i < l->u->len; i++) {
		const struct keyuse *k = &l->u->key[i];

		if (k->use == KEY_UNUSED && keyuses_owner(l->w, k) != KEY_ANOTHERS)
			return true;
	}
	return false;
}

/*
 * What is in force and what lies on disk may be two, where a chain that was put
 * there was not taken.  Thousands are read only where a key is left that one of
 * them may name.
 */
static enum rc
mark_left(struct look *l, struct fault *f)
{
	if (!is_left(l))
		return RC_OK;
	l->again = true;
	return mark_tenants(l, f);
}

/* Each key that was found: what names it? */
static enum rc
mark_all(struct look *l, struct fault *f)
{
	if (l->u->more)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu keys and more", l->u->len);
	if (l->u->len == 0)
		return RC_OK;
	qsort(l->u->key, l->u->len, sizeof *l->u->key, by_id);
	mark_in_memory(l);
	if (!accounts_on_disk(l->w->set->config, mark_account, l))
		doubt(l, "front/accounts");
	TRY(mark_tenants(l, f));
	if (revocation_each(l->w->set->config, mark_revocation, l, NULL) != RC_OK)
		doubt(l, "front/revoked");
	TRY(mark_notes(l, "spare", KEY_WAITING, mark_note, f));
	TRY(mark_notes(l, "retiring", KEY_RETIRED, mark_note, f));
	return mark_left(l, f);
}

/* ---- the questions ---- */

enum rc
keyuses_look(struct works *w, unsigned token, bool names, struct keyuses *out, struct fault *f)
{
	AUTO_KEYUSES u = { .key = NULL };
	struct look l = { .w = w, .u = &u, .names = names };

	TRY(token_admin_list(w->token[token].admin, take_listed, &l, f));
	TRY(mark_all(&l, f));
	TRY(mark_notes(&l, "making", KEY_MAKING, mark_batch, f));
	*out = u;
	u = (struct keyuses){ 0 };
	return RC_OK;
}

enum rc
keyuses_batch(struct works *w, unsigned token, const uint8_t batch[FRAME_BATCH],
    struct keyuses *out, struct fault *f)
{
	AUTO_KEYUSES u = { .key = NULL };
	struct look l = { .w = w, .u = &u };

	TRY(token_admin_made(w->token[token].admin, batch, take_made, &l, f));
	TRY(mark_all(&l, f));
	*out = u;
	u = (struct keyuses){ 0 };
	return RC_OK;
}

/* By what is not on its way out. */
static bool
all_used(const struct keyuses *u)
{
	for (size_t i = 0; i < u->len; i++) {
		if (u->key[i].use <= KEY_RETIRED)
			return false;
	}
	return true;
}

enum rc
keyuses_search(const struct works *w, struct keyuses *u, struct fault *f)
{
	struct look l = { .w = w, .u = u, .living = true };

	if (u->len > 0)
		qsort(u->key, u->len, sizeof *u->key, by_id);
	mark_in_memory(&l);
	for (int again = 0; again < 2 && !all_used(u); again++) {
		l.again = again > 0;
		TRY(mark_tenants(&l, f));
	}
	return RC_OK;
}

/* ---- names ---- */

enum key_owner
keyuses_owner(const struct works *w, const struct keyuse *k)
{
	if (k->label != FRAME_LABEL_OWNED)
		return KEY_OF_UNKNOWN;
	return w->installation.known && memcmp(k->name, w->installation.id, FRAME_OWNER) == 0
		   ? KEY_OURS
		   : KEY_ANOTHERS;
}

bool
keyuses_orphan(const struct works *w, const struct keyuse *k)
{
	return k->use == KEY_UNUSED && keyuses_owner(w, k) == KEY_OURS;
}

const char *
key_owner_name(enum key_owner o)
{
	static const char *const names[] = {
		[KEY_OURS] = "this", [KEY_ANOTHERS] = "another", [KEY_OF_UNKNOWN] = "unknown"
	};

	return names[o];
}

const char *
keyuses_name(const struct works *w, const struct keyuse *k)
{
	static const char *const names[KEY__USES] = {
		[KEY_MAKING] = "waiting",
		[KEY_RETIRED] = "retired",
		[KEY_WAITING] = "waiting",
		[KEY_REVOKES] = "revocation",
		[KEY_ACCOUNT] = "account",
		[KEY_CREDENTIAL] = "credential",
	};

	if (k->use == KEY_UNUSED && k->label == FRAME_LABEL_IMPORTED)
		return "imported";
	return keyuses_orphan(w, k) ? "orphan" : names[k->use];
}
