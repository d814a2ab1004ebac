#include "agent/front/load.h"

#include "agent/front/judge.h"
#include "agent/front/keyfile.h"
#include "agent/front/ordered.h"
#include "agent/front/pending.h"
#include "agent/front/publish.h"
#include "agent/front/reading.h"
#include "agent/front/refused.h"
#include "agent/front/reserve.h"
#include "agent/front/revocation.h"
#include "agent/front/store.h"
#include "agent/front/used.h"
#include "agent/log.h"
#include "agent/members.h"

enum rc
load_path(const struct config *c, const char *tenant, const char *name, struct store_path *out,
    struct fault *f)
{
	if (!store_name_ok(tenant) || !store_name_ok(name))
		return FAULT(
		    f, RC_BUG, "internal_error", "a name that the configuration refuses");
	return store_path(
	    out, f, "%s/front/tenants/%s/%s/current.pem", c->state_dir, tenant, name);
}

/* ---- one credential ---- */

void
load_change_done(struct load_change *c)
{
	credential_release(c->kept);
	credential_release(c->made);
	*c = (struct load_change){ 0 };
}

void
load_changes_done(struct load_changes *c)
{
	for (size_t i = 0; i < c->len; i++)
		load_change_done(&c->item[i]);
	free(c->item);
	*c = (struct load_changes){ 0 };
}

struct load {
	struct credset *set;
	const struct credset *old; /* may be NULL */
	const struct accounts *accounts;
	struct load_changes *changes;
	int64_t now_s;
	bool looks; /* changes nothing on disk */
};

static struct credential *
old_of(const struct load *l, const char *tenant, const char *name)
{
	struct credset_place at;

	if (l->old == NULL || !credset_find(l->old, tenant, name, &at))
		return NULL;
	return credset_credential(l->old, at);
}

static enum rc
token_index(const struct config *c, const char *name, unsigned *out, struct fault *f)
{
	for (size_t i = 0; i < c->tokens; i++) {
		if (strcmp(c->token[i].name, name) == 0) {
			*out = (unsigned)i;
			return RC_OK;
		}
	}
	return FAULT(f, RC_INVALID, "config", "no token section '%s'", name);
}

/*
 * What is on disk will not do.  A credential that works is not taken out of
 * force by that, as long as the configuration, the anchors and the logs still
 * allow it.
 */
static enum rc
keep_old(const struct judge *j, const struct credential *old, const struct fault *why,
    struct credential **out)
{
	AUTO_BUF pem = BUF_INIT(2 * CHAIN_MAX_BYTES);
	struct judge as_it_serves = *j;
	struct fault refused = { 0 };

	if (old == NULL || old->state != CREDENTIAL_READY || why->rc == RC_NO_MEMORY)
		return RC_DENIED;
	TRY(chain_write_pem(&pem, old->chain, &refused));
	TRY(buf_check(&pem, &refused));
	as_it_serves.token = old->token; /* its key is there */
	as_it_serves.revoked = NULL;	 /* asked for of what is on disk alone */
	TRY(judge_chain(&as_it_serves, buf_view(&pem), out, &refused));
	(*out)->installed_at_s = old->installed_at_s;
	(*out)->why = *why;
	return RC_OK;
}

static enum rc
not_ready(const struct judge *j, const struct credential *old, const struct fault *why,
    struct credential **out, struct fault *f)
{
	const struct config_tenant *t = &j->set->config->tenant[j->at.tenant];
	const struct config_credential *cc = credset_config(j->set, j->at);
	bool absent = why->rc == RC_NOT_FOUND;
	enum credential_state state = absent ? CREDENTIAL_PENDING : CREDENTIAL_UNUSABLE;
	struct credential *c = NULL;

	if (keep_old(j, old, why, out) == RC_OK) {
		log_fault(LEVEL_WARNING, "certificate_kept", why);
		return RC_OK;
	}
	if (strcmp(why->reason, "revoked") == 0)
		state = CREDENTIAL_REVOKED;
	TRY(credential_new(t->name, cc->name, state, &c, f));
	if (state == CREDENTIAL_REVOKED)
		memcpy(c->fingerprint, j->revoked, sizeof c->fingerprint);
	c->token = j->token;
	c->profile = cc->profile;
	c->priority = cc->priority;
	if (absent)
		(void)REFUSE(&c->why, RC_NOT_FOUND, NUMBER_PENDING, NULL, "no certificate yet");
	else
		c->why = *why;
	if (!absent)
		log_event(LEVEL_WARNING, "credential_unusable",
		    "tenant=%s credential=%s reason=%s detail=\"%s\"", t->name, cc->name,
		    why->reason, why->detail);
	*out = c;
	return RC_OK;
}

static enum rc
judge_file(const struct judge *j, const char *path, struct credential *old,
    struct credential **out, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);
	uint8_t digest[32] = { 0 };

	TRY(store_read(path, CHAIN_MAX_BYTES, &pem, f));
	if (old != NULL && old->state == CREDENTIAL_READY && old->why.rc == RC_OK &&
	    !revocation_there(j->set->config, old->fingerprint) &&
	    judge_digest(j, buf_view(&pem), digest) && memcmp(digest, old->judged, 32) == 0) {
		*out = credential_ref(old);
		return RC_OK;
	}
	TRY(judge_chain(j, buf_view(&pem), out, f));
	(*out)->installed_at_s = store_mtime(path);
	return RC_OK;
}

/* What relies on the certificate finds it before it serves. */
static enum rc
publish_missing(
    const struct load *l, struct credset_place at, const struct credential *c, struct fault *f)
{
	const struct config_credential *cc = credset_config(l->set, at);

	return publish_done(cc, c) ? RC_OK : publish_chain(l->set->config, cc, c, f);
}

static bool
is_served_by_another(
    const struct load *l, const struct credential *old, const struct credential *made)
{
	if (old == NULL || old->state != CREDENTIAL_READY || made->state != CREDENTIAL_READY)
		return false;
	if (l->now_s < old->not_before_s || l->now_s > old->not_after_s)
		return false;
	return old->token != made->token || memcmp(old->key_id, made->key_id, KEY_ID_LEN) != 0;
}

static enum rc
put_off(const struct load *l, const struct judge *j, struct credential *kept,
    struct credential *made, struct fault *f)
{
	struct load_changes *list = l->changes;
	struct fault why = { 0 };

	if (list->item == NULL)
		list->item = calloc(l->set->slots, sizeof *list->item);
	if (list->item == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a list of changes");
	if (publish_missing(l, j->at, made, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "install_unfinished", &why);
	list->item[list->len++] = (struct load_change){
		.at = j->at, .kept = credential_ref(kept), .made = credential_ref(made)
	};
	return RC_OK;
}

/*
 * A set that comes from a reload is put in force at once: an operator's
 * disabling is not delayed by a key that no signer can learn.  But neither is
 * a credential that works taken out of force by that key, when the certificate
 * on disk was changed by hand: so the old one stays in this set, and the new
 * one follows by itself as an install does (works.c), when its key is learnt.
 * Where policy does not allow the old one any more, there is nothing to keep.
 */
static enum rc
keep_until_learnt(const struct load *l, const struct judge *j, struct credential *old,
    struct credential **made, struct fault *f)
{
	AUTO_CREDENTIAL *new = NULL;
	struct credential *kept = NULL;
	struct fault why = { 0 };

	if (!is_served_by_another(l, old, *made))
		return RC_OK;
	(void)FAULT(&why, RC_HSM, "hsm_unavailable",
	    "the certificate on disk waits for a signer to learn its key");
	if (keep_old(j, old, &why, &kept) != RC_OK)
		return RC_OK;
	credential_carry(old, kept);
	new = *made;
	*made = kept;
	return put_off(l, j, kept, new, f);
}

/* The one that was replaced lately stays as it is, or as the new policy sees it. */
static void
carry_before(const struct load *l, const struct judge *j, struct credential *old)
{
	struct credential *made = credset_credential(l->set, j->at), *before, *kept = NULL;
	const struct fault none = { 0 };
	struct credset_place was;

	if (old == NULL || made->state != CREDENTIAL_READY ||
	    !credset_find(l->old, made->tenant, made->name, &was))
		return;
	before = credset_before(l->old, was, l->now_s);
	if (before == NULL)
		return;
	if (made == old)
		credset_put_before(l->set, j->at, credential_ref(before));
	else if (keep_old(j, before, &none, &kept) == RC_OK)
		credset_put_before(l->set, j->at, kept);
}

/* ---- where a credential was before ---- */

static enum rc
dir_of(const struct config *c, const char *tenant, const char *name, struct store_path *out)
{
	return store_path(out, NULL, "%s/front/tenants/%s/%s", c->state_dir, tenant, name);
}

/* The token of the key that is certified there; false: not known. */
static bool
token_of_chain(const struct config *c, const char *tenant, const char *name, struct keyfile *k)
{
	struct store_path path = { 0 };
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);
	AUTO(chain) *chain = NULL;

	return load_path(c, tenant, name, &path, NULL) == RC_OK &&
	       store_read(path.text, CHAIN_MAX_BYTES, &pem, NULL) == RC_OK &&
	       chain_read_pem(buf_view(&pem), true, &chain, NULL) == RC_OK &&
	       chain->cert[0]->p256 &&
	       keyfile_read(c, chain->cert[0]->key_id, k, NULL) == RC_OK;
}

/* The name of the directory where it is. */
struct before {
	char name[2 * CONFIG_NAME_MAX + 2];
};

static bool
is_there(const struct config *c, const struct config_tenant *t, const char *name)
{
	struct store_path path = { 0 };

	return dir_of(c, t->name, name, &path) != RC_OK || store_mtime(path.text) != 0;
}

/* It is nobody's, and its key is in this one's token. */
static bool
may_adopt(const struct config *c, const struct config_tenant *t,
    const struct config_credential *cc, const char *name)
{
	struct keyfile k = { .made_s = 0 };

	return !config_credential_named(t, name) && token_of_chain(c, t->name, name, &k) &&
	       config_token_serves(cc, k.token);
}

/* Under that name, or under it with the name of one of the tokens. */
static bool
find_like(const struct config *c, const struct config_tenant *t,
    const struct config_credential *cc, const char *stem, struct before *out)
{
	snprintf(out->name, sizeof out->name, "%s", stem);
	if (may_adopt(c, t, cc, out->name))
		return true;
	for (size_t i = 0; i < c->tokens; i++) {
		snprintf(out->name, sizeof out->name, "%s.%s", stem, c->token[i].name);
		if (config_token_serves(cc, c->token[i].name) && may_adopt(c, t, cc, out->name))
			return true;
	}
	return false;
}

/*
 * A token was added to the only one, or one is left of several; numbers are
 * divided from now on, or no more: what is in force goes on under its new name.
 * Of several parts that is the first.
 */
static bool
find_before(const struct config *c, const struct config_tenant *t,
    const struct config_credential *cc, struct before *out)
{
	char shard[CONFIG_NAME_MAX + MEMBERS_SHARD_TEXT + 1];
	const char *own, *other;

	if (is_there(c, t, cc->name))
		return false;
	snprintf(shard, sizeof shard, "%s.%zu", cc->base, cc->shard > 0 ? cc->shard : 1);
	own = cc->shard > 0 ? shard : cc->base;
	other = cc->shard > 0 ? cc->base : shard;
	return find_like(c, t, cc, own, out) ||
	       (cc->shard <= 1 && find_like(c, t, cc, other, out));
}

static void
adopt(const struct config *c, const struct config_tenant *t, const struct config_credential *cc,
    const char *before)
{
	struct store_path from = { 0 }, to = { 0 };
	struct fault why = { 0 };
	enum rc rc = dir_of(c, t->name, before, &from);

	if (rc != RC_OK || dir_of(c, t->name, cc->name, &to) != RC_OK)
		return;
	rc = store_rename(from.text, to.text, &why);
	if (rc == RC_OK)
		log_event(LEVEL_NOTICE, "credential_renamed",
		    "tenant=%s credential=%s before=%s", t->name, cc->name, before);
	else
		log_fault(LEVEL_WARNING, "credential_renamed", &why);
}

/* Who only looks reads where it is; who loads takes it over. */
static bool
is_elsewhere(const struct load *l, const struct config_tenant *t,
    const struct config_credential *cc, struct before *out)
{
	const struct config *c = l->set->config;

	if (!find_before(c, t, cc, out))
		return false;
	if (!l->looks)
		adopt(c, t, cc, out->name);
	return l->looks;
}

/* With spread its key may be in another token than the one where the next is made. */
static enum rc
find_token(const struct config *c, const struct config_tenant *t,
    const struct config_credential *cc, const char *dir, unsigned *out, struct fault *f)
{
	struct keyfile k = { .made_s = 0 };

	if (cc->spread && token_of_chain(c, t->name, dir, &k) &&
	    config_token_serves(cc, k.token))
		return token_index(c, k.token, out, f);
	return token_index(c, cc->token, out, f);
}

/* Its CA's list has it, also where no disk has taken a record of that. */
static bool
is_listed(const struct load *l, const struct credential *old, const struct credential *made)
{
	return old != NULL && old->state == CREDENTIAL_REVOKED &&
	       atomic_load(&old->crl_listed) && l->set->config->crl_check &&
	       made->state == CREDENTIAL_READY &&
	       strcmp(old->fingerprint, made->fingerprint) == 0;
}

static enum rc
stay_listed(const struct judge *j, const struct credential *old, struct credential **made,
    struct fault *f)
{
	struct credential *c = NULL;

	memcpy(j->revoked, old->fingerprint, CREDENTIAL_FINGERPRINT);
	TRY(not_ready(j, NULL, &old->why, &c, f));
	atomic_store(&c->crl_listed, true);
	credential_release(*made);
	*made = c;
	return RC_OK;
}

static enum rc
load_one(const struct load *l, struct credset_place at, struct fault *f)
{
	const struct config *c = l->set->config;
	const struct config_tenant *t = &c->tenant[at.tenant];
	const struct config_credential *cc = credset_config(l->set, at);
	struct credential *old = old_of(l, t->name, cc->name);
	AUTO_CREDENTIAL *made = NULL;
	AUTO_FREE char *wanted = NULL;
	char revoked[CREDENTIAL_FINGERPRINT] = "";
	struct judge j = { .set = l->set,
		.accounts = l->accounts,
		.at = at,
		.now_s = l->now_s,
		.wanted = &wanted,
		.revoked = revoked };
	struct store_path path = { 0 };
	struct before before = { "" };
	struct fault why = { 0 };

	j.dir = is_elsewhere(l, t, cc, &before) ? before.name : cc->name;
	TRY(find_token(c, t, cc, j.dir, &j.token, f));
	TRY(load_path(c, t->name, j.dir, &path, f));
	if (judge_file(&j, path.text, old, &made, &why) != RC_OK) {
		/* That says nothing of it: the set that was in force stays. */
		if (why.rc == RC_NO_MEMORY && old != NULL)
			return FAULT(f, why.rc, why.reason, "%s", why.detail);
		TRY(not_ready(&j, old, &why, &made, f));
	}
	if (is_listed(l, old, made))
		TRY(stay_listed(&j, old, &made, f));
	if (wanted != NULL)
		TRY(credential_want_list(made, wanted, 0, f));
	credential_carry(old, made);
	if (old == NULL) /* else it knows */
		atomic_store(&made->refused_at_s, refused_since_s(c, t->name, j.dir));
	TRY(keep_until_learnt(l, &j, old, &made, f));
	credset_put(l->set, at, TAKE(made));
	carry_before(l, &j, old);
	reserve_look(l->set, at, l->old, l->now_s);
	return RC_OK;
}

enum rc
load_member(struct credset *set, const struct accounts *accounts, struct credset_place at,
    int64_t now_s, struct fault *f)
{
	const struct load l = { .set = set, .accounts = accounts, .now_s = now_s };

	return load_one(&l, at, f);
}

/* series_due() takes it over. */
static bool
is_of_series(const struct config *c, const struct credential *cred)
{
	struct ordered o = { 0 };

	return ordered_read(c, cred->tenant, cred->name, &o, NULL) != RC_OK ||
	       o.star_lifetime_s != 0;
}

/* What a crash between two steps of an install left to be done. */
static void
finish_install(const struct load *l, struct credset_place at)
{
	const struct config *c = l->set->config;
	const struct credential *cred = credset_credential(l->set, at);
	AUTO_PENDING p = { 0 };
	struct fault why = { 0 };
	enum rc rc;

	if (cred->state != CREDENTIAL_READY)
		return;
	rc = publish_missing(l, at, cred, &why);
	if (rc == RC_OK && l->old == NULL &&
	    pending_read(c, cred->tenant, cred->name, &p, NULL) == RC_OK &&
	    memcmp(p.facts.key_id, cred->key_id, KEY_ID_LEN) == 0 && !is_of_series(c, cred) &&
	    /* else the same key is to serve once more */
	    pending_since_s(c, cred->tenant, cred->name) <= cred->installed_at_s)
		rc = pending_remove(c, cred->tenant, cred->name, &why);
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "install_unfinished", &why);
}

static enum rc
load_tenant(const struct load *l, size_t tenant, struct fault *f)
{
	size_t n = l->set->config->tenant[tenant].credentials;
	struct credset_place at = { tenant, 0 };

	for (; at.credential < n; at.credential++) {
		TRY(load_one(l, at, f));
		if (!l->looks)
			finish_install(l, at);
	}
	return RC_OK;
}

static enum rc
load_all(const struct load *l, struct fault *f)
{
	for (size_t i = 0; i < l->set->config->tenants; i++)
		TRY(load_tenant(l, i, f));
	return RC_OK;
}

static enum rc
observe(struct credset *set, const struct credset *old, struct fault *f)
{
	AUTO_CONTENTS *t = NULL;

	TRY(contents_load(set->config, old != NULL ? old->contents : NULL, &t, f));
	credset_observe(set, t);
	return RC_OK;
}

/*
 * The lists that were fetched; old may be NULL.  Roots that have no room beside
 * an operator's anchors are left out: no start and no reload fails by what came
 * over the network.
 */
static enum rc
adopt_trust(struct credset *set, const struct credset *old, struct fault *f)
{
	AUTO_TRUST *t = NULL, *rest = NULL;
	struct fault why = { 0 };
	enum rc rc;

	TRY(trust_load(set->config, old != NULL ? old->trust : NULL, &t, f));
	rc = credset_joins(set, t, &why);
	if (rc == RC_OK)
		return credset_trust(set, t, f);
	if (rc == RC_NO_MEMORY)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	log_fault(LEVEL_ERR, "list_file", &why);
	TRY(trust_with(t, TRUST_ROOTS, NULL, &rest, f));
	return credset_trust(set, rest, f);
}

enum rc
load_trusted(const struct credset *old, struct trust *trust, const struct accounts *accounts,
    int64_t now_s, struct credset **out, struct load_changes *changes, struct fault *f)
{
	AUTO_CREDSET *set = NULL;
	struct load_changes later = { 0 };
	struct load l = { .old = old, .accounts = accounts, .changes = &later, .now_s = now_s };
	enum rc rc;

	TRY(revocation_readable(old->config, f));
	TRY(credset_copy(old, &set, f));
	TRY(credset_trust(set, trust, f));
	l.set = set;
	rc = load_all(&l, f);
	if (rc != RC_OK) {
		load_changes_done(&later);
		return rc;
	}
	*changes = later;
	*out = TAKE(set);
	return RC_OK;
}

enum rc
load_set(const char *config_file, const struct credset *old, int64_t now_s,
    struct credset **out, struct accounts *accounts, struct load_changes *changes,
    struct fault *f)
{
	AUTO_CREDSET_BASE *base = NULL;
	AUTO_CREDSET *set = NULL;
	struct accounts found = { 0 };
	struct load_changes later = { 0 };
	struct load l = { .old = old, .accounts = &found, .changes = &later, .now_s = now_s };
	enum rc rc;

	TRY(reading_base(&(struct reading){ config_file, now_s, old != NULL }, &base, f));
	TRY(credset_new(base, &set, f));
	if (old != NULL) {
		TRY(reading_same_tokens(old->config, set->config, f));
		TRY(revocation_readable(set->config, f));
	}
	TRY(observe(set, old, f));
	TRY(adopt_trust(set, old, f));
	TRY(accounts_load(set->config, &found, f));
	l.set = set;
	rc = load_all(&l, f);
	if (rc != RC_OK) {
		accounts_done(&found);
		load_changes_done(&later);
		return rc;
	}
	*accounts = found;
	if (changes != NULL)
		*changes = later;
	*out = TAKE(set);
	return RC_OK;
}

/* ---- a start, step by step ---- */

void
load_rest_done(struct load_rest *rest)
{
	free(rest->tenant);
	*rest = (struct load_rest){ 0 };
}

/* The place of a credential that is not loaded yet. */
static enum rc
put_loading(struct credset *set, struct credset_place at, int64_t now_s, struct fault *f)
{
	const struct config_tenant *t = &set->config->tenant[at.tenant];
	const struct config_credential *cc = credset_config(set, at);
	AUTO_CREDENTIAL *c = NULL;

	TRY(credential_new(t->name, cc->name, CREDENTIAL_LOADING, &c, f));
	TRY(token_index(set->config, cc->token, &c->token, f));
	c->profile = cc->profile;
	c->priority = cc->priority;
	(void)REFUSE(&c->why, RC_BUSY, OVERLOADED, NULL, "it is still being loaded");
	credset_put(set, at, TAKE(c));
	reserve_look(set, at, NULL, now_s);
	set->loading++;
	return RC_OK;
}

static enum rc
put_all_loading(struct credset *set, int64_t now_s, struct fault *f)
{
	struct credset_place at = { 0 };

	for (; at.tenant < set->config->tenants; at.tenant++) {
		size_t n = set->config->tenant[at.tenant].credentials;

		for (at.credential = 0; at.credential < n; at.credential++)
			TRY(put_loading(set, at, now_s, f));
	}
	return RC_OK;
}

/* All credentials of a tenant come at once: which of them signs depends on the others. */
static bool
is_loading(const struct credset *set, size_t tenant)
{
	return set->config->tenant[tenant].credentials > 0 &&
	       set->tenant[tenant].credential[0]->state == CREDENTIAL_LOADING;
}

static bool
is_asked_for(const struct credset *set, size_t tenant)
{
	for (size_t i = 0; i < set->config->tenant[tenant].credentials; i++) {
		if (atomic_load(&set->tenant[tenant].credential[i]->asked_for))
			return true;
	}
	return false;
}

/* *left: how many more are to be loaded in this step. */
static enum rc
load_step(const struct load *l, size_t tenant, size_t *left, struct fault *f)
{
	size_t n = l->set->config->tenant[tenant].credentials;

	if (!is_loading(l->set, tenant))
		return RC_OK;
	TRY(load_tenant(l, tenant, f));
	l->set->loading -= n;
	*left -= n < *left ? n : *left;
	return RC_OK;
}

static enum rc
load_some(const struct load *l, size_t most, struct load_rest *rest, struct fault *f)
{
	size_t left = most, next = rest->next;

	for (size_t i = 0; i < l->set->config->tenants && left > 0; i++) {
		if (is_asked_for(l->set, i))
			TRY(load_step(l, i, &left, f));
	}
	for (; next < rest->len && left > 0; next++)
		TRY(load_step(l, rest->tenant[next], &left, f));
	rest->next = next;
	return RC_OK;
}

static enum rc
first_set(struct load *l, size_t most, struct load_rest *rest, struct fault *f)
{
	TRY(observe(l->set, NULL, f));
	TRY(adopt_trust(l->set, NULL, f));
	TRY(put_all_loading(l->set, l->now_s, f));
	TRY(used_order(l->set, l->now_s, &rest->tenant, f));
	rest->len = l->set->config->tenants;
	return load_some(l, most, rest, f);
}

enum rc
load_first(const char *config_file, size_t most, int64_t now_s, struct credset **out,
    struct accounts *accounts, struct load_rest *rest, struct fault *f)
{
	AUTO_CREDSET_BASE *base = NULL;
	AUTO_CREDSET *set = NULL;
	struct accounts found = { 0 };
	struct load_rest later = { 0 };
	struct load l = { .accounts = &found, .now_s = now_s };
	enum rc rc;

	TRY(reading_base(&(struct reading){ config_file, now_s, false }, &base, f));
	TRY(credset_new(base, &set, f));
	TRY(accounts_load(set->config, &found, f));
	l.set = set;
	rc = first_set(&l, most, &later, f);
	if (rc != RC_OK) {
		accounts_done(&found);
		load_rest_done(&later);
		return rc;
	}
	*accounts = found;
	*rest = later;
	*out = TAKE(set);
	return RC_OK;
}

enum rc
load_more(const struct credset *set, const struct accounts *accounts, size_t most,
    int64_t now_s, struct load_rest *rest, struct credset **out, struct fault *f)
{
	AUTO_CREDSET *copy = NULL;
	struct load l = { .accounts = accounts, .now_s = now_s };

	TRY(credset_copy(set, &copy, f));
	l.set = copy;
	TRY(load_some(&l, most, rest, f));
	*out = TAKE(copy);
	return RC_OK;
}

enum rc
load_look(const char *config_file, int64_t now_s, struct credset **out, struct fault *f)
{
	AUTO_CREDSET_BASE *base = NULL;
	AUTO_CREDSET *set = NULL;
	struct accounts accounts = { 0 };
	struct load l = { .accounts = &accounts, .now_s = now_s, .looks = true };
	enum rc rc;

	TRY(reading_base(&(struct reading){ config_file, now_s, true }, &base, f));
	TRY(credset_new(base, &set, f));
	TRY(adopt_trust(set, NULL, f));
	TRY(accounts_load(set->config, &accounts, f));
	l.set = set;
	rc = load_all(&l, f);
	accounts_done(&accounts);
	TRY(rc);
	set->generation = 1;
	*out = TAKE(set);
	return RC_OK;
}
