#include "agent/front/offboard.h"

#include <stdio.h>

#include "agent/front/keyfile.h"
#include "agent/front/load.h"
#include "agent/front/ops.h"
#include "agent/front/retire.h"
#include "agent/front/revoke.h"
#include "agent/front/series.h"
#include "agent/front/store.h"
#include "agent/log.h"

/* ---- the list ---- */

static struct works_offboard *
find(const struct works *w, const char *tenant)
{
	for (size_t i = 0; i < w->offboards.len; i++) {
		if (strcmp(w->offboards.item[i].rec.tenant, tenant) == 0)
			return &w->offboards.item[i];
	}
	return NULL;
}

static enum rc
not_there(struct fault *f)
{
	return REFUSE(f, RC_NOT_FOUND, NOT_FOUND, NULL, "it is not off-boarded");
}

static enum rc
grow(struct works_offboards *list, struct fault *f)
{
	struct works_offboard *item;

	if (list->len >= OFFBOARD_MAX)
		return REFUSE(
		    f, RC_BUSY, OVERLOADED, NULL, "%d tenants are off-boarded", OFFBOARD_MAX);
	if (list->len < list->cap)
		return RC_OK;
	item = works_grown(list->item, list->len, &list->cap, sizeof *item);
	if (item == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "off-boardings");
	list->item = item;
	return RC_OK;
}

void
offboard_done(struct works *w)
{
	free(w->offboards.item);
	w->offboards = (struct works_offboards){ 0 };
}

/* What cannot be read begins anew: keys are destroyed by a confirmation that can be read. */
static enum rc
load_one(void *arg, const char *tenant, struct fault *f)
{
	struct works *w = arg;
	struct works_offboard one = { .rec.state = OFFBOARDING_REVOKING };
	struct fault why = { 0 };

	if (offboarding_read(w->set->config, tenant, &one.rec, &why) != RC_OK) {
		log_fault(LEVEL_ERR, "offboarding_unreadable", &why);
		(void)revocation_reason("cessationOfOperation", &one.rec.reason);
		offboarding_name(&one.rec, tenant);
	}
	TRY(grow(&w->offboards, f));
	w->offboards.item[w->offboards.len++] = one;
	return RC_OK;
}

enum rc
offboard_load(struct works *w, int64_t now_s, struct fault *f)
{
	TRY(offboarding_each(w->set->config, load_one, w, f));
	for (size_t i = 0; i < w->offboards.len; i++) {
		if (w->offboards.item[i].rec.since_s == 0)
			w->offboards.item[i].rec.since_s = now_s;
	}
	w->offboard_at_s = now_s;
	return RC_OK;
}

/* On disk first. */
static enum rc
save(struct works *w, struct works_offboard *o, const struct offboarding *to, struct fault *f)
{
	TRY(offboarding_write(w->set->config, to, f));
	o->rec = *to;
	return RC_OK;
}

static void
record(struct works *w, const struct offboarding *o, const char *event)
{
	json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:s}", "event", event, "tenant",
	    o->tenant, "state", offboarding_state_name(o->state), "cause",
	    revocation_reason_name(o->reason), "by", o->by_key ? "key" : "account");

	log_event(LEVEL_NOTICE, event, "tenant=%s state=%s", o->tenant,
	    offboarding_state_name(o->state));
	if (line != NULL)
		w->out.audit(w->out.arg, line);
	else
		log_event(LEVEL_ERR, "audit_lost", "event=%s tenant=%s", event, o->tenant);
}

/* ---- served nothing, or again ---- */

/* NULL: the configuration does not name it any more. */
static const struct config_tenant *
configured(const struct works *w, const char *tenant)
{
	return config_tenant_find(w->set->config, tenant);
}

static enum rc
put_in_force(struct works *w, const char *tenant, bool off, struct fault *f)
{
	const struct config_tenant *t = configured(w, tenant);
	AUTO_CREDSET *set = NULL;

	if (t == NULL || t->offboarded == off)
		return RC_OK;
	TRY(credset_offboard(w->set, (size_t)(t - w->set->config->tenant), off, &set, f));
	TRY(w->out.publish(w->out.arg, set, false, f));
	credset_release(w->set);
	w->set = TAKE(set);
	w->series_at_s = 0; /* they end */
	return RC_OK;
}

enum rc
offboard_check(const struct works *w, struct credset_place at, struct fault *f)
{
	if (!w->set->config->tenant[at.tenant].offboarded)
		return RC_OK;
	return REFUSE(f, RC_DENIED, TENANT_DISABLED, NULL, "the tenant is off-boarded");
}

/* What fails may be there all the same: not confirmed, so not done, nor after a restart. */
static enum rc
begin_record(const struct works *w, const struct offboarding *o, struct fault *f)
{
	struct fault why = { 0 };
	enum rc rc = offboarding_write(w->set->config, o, f);

	if (rc != RC_OK && offboarding_remove(w->set->config, o->tenant, &why) != RC_OK)
		log_fault(LEVEL_ERR, "offboarding_kept", &why);
	return rc;
}

enum rc
offboard_begin(struct works *w, const char *tenant, const struct offboard_ask *ask,
    int64_t now_s, struct fault *f)
{
	struct works_offboard one = { .rec = { .state = OFFBOARDING_REVOKING,
					  .reason = ask->reason,
					  .by_key = ask->by_key,
					  .since_s = now_s } };

	if (configured(w, tenant) == NULL && find(w, tenant) == NULL)
		return REFUSE(f, RC_NOT_FOUND, NOT_FOUND, NULL, "no tenant of that name");
	if (find(w, tenant) == NULL) {
		offboarding_name(&one.rec, tenant);
		TRY(grow(&w->offboards, f)); /* what cannot be remembered is not written */
		TRY(begin_record(w, &one.rec, f));
		w->offboards.item[w->offboards.len++] = one;
		record(w, &one.rec, "offboard");
	}
	offboard_soon(w, tenant);
	return put_in_force(w, tenant, true, f);
}

/* ---- its certificates ---- */

struct look {
	struct works *w;
	struct works_offboard *o;
	struct credset_place at;
	bool placed; /* at says where; else nobody is asked, and they are counted alone */
	char dir[STORE_PATH_MAX];
	int64_t now_s;
};

/* In force now, or before that. */
static bool
is_chain(const char *file)
{
	return strcmp(file, "current.pem") == 0 || strncmp(file, "before-", 7) == 0;
}

static void
put_on_record(struct look *l, const struct cert *leaf, const char *id)
{
	const struct revoke_ask ask = {
		.serial = leaf->serial,
		.id = id, /* another CA's may have the same serial */
		.reason = l->o->rec.reason,
		.by_key = l->o->rec.by_key,
	};
	const struct revocation *r = NULL;
	struct fault why = { 0 };

	if (!l->placed) {
		l->o->unplaced++;
		return;
	}
	if (revoke_cert(l->w, l->at, &ask, l->now_s, &r, &why) != RC_OK)
		log_fault(LEVEL_ERR, "offboard_unrevoked", &why);
	/* Else the rest is tried by itself. */
	if (revoke_find(l->w, id) == NULL)
		l->o->unrecorded++;
}

static enum rc
look_at_leaf(struct look *l, const struct cert *leaf, struct fault *f)
{
	char id[CREDENTIAL_FINGERPRINT];

	if (leaf->not_after_s <= l->now_s)
		return RC_OK;
	TRY(revocation_id(leaf, id, f));
	if (revoke_find(l->w, id) == NULL)
		put_on_record(l, leaf, id);
	return RC_OK;
}

static enum rc
read_chain(const char *path, struct chain **out, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);

	TRY(store_read(path, CHAIN_MAX_BYTES, &pem, f));
	return chain_read_pem(buf_view(&pem), true, out, f);
}

/* A damaged one can be revoked by nobody, nor serve; one that cannot be read now may be whole. */
static enum rc
look_at_file(void *arg, const char *file, struct fault *f)
{
	struct look *l = arg;
	struct store_path path = { 0 };
	AUTO(chain) *chain = NULL;
	struct fault why = { 0 };
	enum rc rc;

	if (!is_chain(file))
		return RC_OK;
	TRY(store_path(&path, f, "%s/%s", l->dir, file));
	rc = read_chain(path.text, &chain, &why);
	if (rc == RC_OK)
		return look_at_leaf(l, chain->cert[0], f);
	if (rc != RC_IO && rc != RC_NO_MEMORY)
		return RC_OK;
	log_fault(LEVEL_ERR, "offboard_unrevoked", &why);
	l->o->unrecorded++;
	return RC_OK;
}

/* In force whatever has become of its file. */
static void
look_at_force(struct look *l)
{
	AUTO_CREDSET *set = credset_ref(l->w->set);
	const struct credential *const in_force[] = { credset_credential(set, l->at),
		credset_before(set, l->at, l->now_s) };

	for (size_t i = 0; i < ARRAY_LEN(in_force); i++) {
		const struct credential *c = in_force[i];
		struct fault why = { 0 };

		if (c == NULL || c->state != CREDENTIAL_READY ||
		    look_at_leaf(l, c->chain->cert[0], &why) == RC_OK)
			continue;
		log_fault(LEVEL_ERR, "offboard_unrevoked", &why);
		l->o->unrecorded++;
	}
}

static void
look_at(struct look *l, const char *name)
{
	struct fault why = { 0 };

	if ((size_t)snprintf(l->dir, sizeof l->dir, "%s/front/tenants/%s/%s",
		l->w->set->config->state_dir, l->o->rec.tenant, name) < sizeof l->dir &&
	    store_each(l->dir, look_at_file, l, &why) == RC_OK)
		return;
	log_fault(LEVEL_ERR, "offboard_unrevoked", &why);
	l->o->unrecorded++;
}

/* What lies under a name not in the configuration: nobody knows of which CA it is. */
static enum rc
look_beside(void *arg, const char *name, struct fault *f)
{
	struct look *l = arg;
	struct credset_place at;

	(void)f;
	if (store_name_ok(name) && !credset_find(l->w->set, l->o->rec.tenant, name, &at))
		look_at(l, name);
	return RC_OK;
}

static enum rc
each_directory(
    const struct works *w, const char *tenant, store_each_fn *each, void *arg, struct fault *f)
{
	struct store_path dir = { 0 };

	TRY(store_path(&dir, f, "%s/front/tenants/%s", w->set->config->state_dir, tenant));
	return store_each(dir.text, each, arg, f);
}

static void
end_round(struct look *l)
{
	struct works_offboard *o = l->o;
	struct fault why = { 0 };

	l->placed = false;
	if (each_directory(l->w, o->rec.tenant, look_beside, l, &why) != RC_OK) {
		log_fault(LEVEL_ERR, "offboard_unrevoked", &why);
		o->unrecorded++;
	}
	o->through = true;
	o->next = 0;
	o->look_at_s = o->unrecorded + o->unplaced > 0 || l->w->clock_holds
			   ? l->now_s + OFFBOARD_LOOK_S
			   : INT64_MAX;
}

/* Which credentials it has, and in which order: FNV-1a of their names. */
static uint64_t
names_of(const struct config_tenant *t)
{
	uint64_t sum = 14695981039346656037u;

	for (size_t i = 0; t != NULL && i < t->credentials; i++) {
		const char *at = t->credential[i].name;

		do
			sum = (sum ^ (uint8_t)*at) * 1099511628211u;
		while (*at++ != 0);
	}
	return sum;
}

/*
 * A few credentials of it; revocations change the set, and no place in it.
 * Where a load has changed the places the round begins anew.
 */
static void
look_on(struct works *w, struct works_offboard *o, int64_t now_s, size_t *budget)
{
	const struct config_tenant *t = configured(w, o->rec.tenant);
	size_t n = t != NULL ? t->credentials : 0;
	struct look l = { .w = w, .o = o, .placed = true, .now_s = now_s };

	if (o->names != names_of(t))
		o->next = 0;
	o->names = names_of(t);
	if (o->next == 0)
		o->unrecorded = o->unplaced = 0;
	for (; *budget > 0 && o->next < n; --*budget, o->next++) {
		t = configured(w, o->rec.tenant);
		l.at = (struct credset_place){ (size_t)(t - w->set->config->tenant), o->next };
		look_at_force(&l);
		look_at(&l, t->credential[o->next].name);
	}
	if (o->next >= n)
		end_round(&l);
}

/* What has become of them. */
struct left {
	size_t by[REVOCATION__COUNT]; /* OUTSTANDING: those that are not over */
	size_t series;		      /* whose CA has not said that it ended them */
};

static struct left
left_of(const struct works *w, const struct works_offboard *o, int64_t now_s)
{
	struct left left = { .series = 0 };

	for (size_t i = 0; i < w->revoked.len; i++) {
		const struct revocation *r = &w->revoked.item[i];

		if (strcmp(r->tenant, o->rec.tenant) == 0)
			left.by[r->state] += r->state != REVOCATION_OUTSTANDING ||
					     r->not_after_s > now_s || w->clock_holds;
	}
	for (size_t i = 0; i < w->series.len; i++) {
		const struct series *s = &w->series.item[i];

		if (strcmp(s->tenant, o->rec.tenant) != 0)
			continue;
		left.series += s->state != SERIES_REFUSED;
		left.by[REVOCATION_REFUSED] += s->state == SERIES_REFUSED;
	}
	return left;
}

/*
 * How much stands in the way of "revoked"; a refusal is the CA's last word.  By
 * a clock that may be wrong nothing is over.
 */
static size_t
undone(const struct works *w, const struct works_offboard *o, int64_t now_s)
{
	struct left left = left_of(w, o, now_s);
	bool unknown = o->rec.state == OFFBOARDING_REVOKING && !o->through;

	return unknown + w->clock_holds + o->unrecorded + o->unplaced +
	       left.by[REVOCATION_OUTSTANDING] + left.series;
}

static enum rc
end_revoking(struct works *w, struct works_offboard *o, int64_t now_s, struct fault *f)
{
	struct offboarding to = o->rec;

	if (undone(w, o, now_s) > 0)
		return RC_OK;
	to.state = OFFBOARDING_REVOKED;
	TRY(save(w, o, &to, f));
	record(w, &to, "offboard_revoked");
	return RC_OK;
}

/* What was over by a clock that was wrong is not. */
static enum rc
revoke_again(struct works *w, struct works_offboard *o, int64_t now_s, struct fault *f)
{
	struct offboarding to = o->rec;

	if (w->clock_holds || undone(w, o, now_s) == 0)
		return RC_OK;
	to.state = OFFBOARDING_REVOKING;
	return save(w, o, &to, f);
}

void
offboard_soon(struct works *w, const char *tenant)
{
	struct works_offboard *o = find(w, tenant);

	if (o == NULL)
		return;
	o->at_s = 0;
	w->offboard_at_s = 0;
}

void
offboard_clock_set(struct works *w)
{
	for (size_t i = 0; i < w->offboards.len; i++) {
		struct works_offboard *o = &w->offboards.item[i];

		o->look_at_s = o->at_s = 0;
		o->next = 0;
		o->through = false;
	}
	w->offboard_at_s = 0;
}

/* ---- its keys ---- */

struct keys {
	struct works *w;
	struct works_offboard *o;
	char dir[STORE_PATH_MAX]; /* of one credential */
	const char *name;
	int64_t now_s;
};

/* RC_NOT_FOUND: there is no such file. */
static enum rc
key_of_chain(const char *path, uint8_t out[KEY_ID_LEN], struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);
	AUTO(chain) *chain = NULL;

	TRY(store_read(path, CHAIN_MAX_BYTES, &pem, f));
	TRY(chain_read_pem(buf_view(&pem), true, &chain, f));
	if (!chain->cert[0]->p256)
		return FAULT(f, RC_NOT_FOUND, "no_key", "none of ours");
	memcpy(out, chain->cert[0]->key_id, KEY_ID_LEN);
	return RC_OK;
}

static enum rc
key_of_request(const char *path, uint8_t out[KEY_ID_LEN], struct fault *f)
{
	AUTO_BUF der = BUF_INIT(PENDING_MAX);
	struct csr_facts facts = { 0 };

	TRY(store_read(path, PENDING_MAX, &der, f));
	TRY(csr_decode(buf_view(&der), &facts, f));
	memcpy(out, facts.key_id, KEY_ID_LEN);
	csr_done(&facts);
	return RC_OK;
}

/*
 * In the token that it was made in; where nobody has noted that, in the one
 * where the configuration makes them, and looked for in all (retire.c).
 */
static enum rc
note_key(const struct keys *k, const uint8_t key_id[KEY_ID_LEN], struct fault *f)
{
	struct keyfile made = { .made_s = 0 };
	struct credset_place at;
	struct fault why = { 0 };
	enum rc rc = keyfile_read(k->w->set->config, key_id, &made, &why);

	if (rc == RC_OK)
		return retire_note_of(k->w, key_id,
		    &(struct retire_whose){ made.token, k->o->rec.tenant, k->name }, k->now_s,
		    f);
	if (rc != RC_NOT_FOUND && rc != RC_INVALID)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	if (credset_find(k->w->set, k->o->rec.tenant, k->name, &at))
		return retire_note(k->w, key_id, at, k->now_s, f);
	return FAULT(f, RC_NOT_FOUND, "no_token",
	    "in which token the key of credential '%s' is, nobody knows: put it back into the "
	    "configuration",
	    k->name);
}

static const struct {
	const char *name;
	enum rc (*key)(const char *path, uint8_t out[KEY_ID_LEN], struct fault *f);
	bool goes; /* a request is worth nothing without its key */
} key_files[] = {
	{ "current.pem", key_of_chain, false },
	{ "pending.csr", key_of_request, true },
	{ "star.csr", key_of_request, true },
};

/* Noted before the file goes that tells of it. */
static enum rc
note_file(const struct keys *k, size_t which, struct fault *f)
{
	struct store_path path = { 0 };
	uint8_t key_id[KEY_ID_LEN];
	struct fault why = { 0 };
	enum rc rc;

	TRY(store_path(&path, f, "%s/%s", k->dir, key_files[which].name));
	rc = key_files[which].key(path.text, key_id, &why);
	if (rc == RC_NOT_FOUND)
		return RC_OK;
	if (rc != RC_OK)
		return FAULT(f, rc, why.reason, "%s: %s", path.text, why.detail);
	TRY(note_key(k, key_id, f));
	return key_files[which].goes ? store_remove(path.text, f) : RC_OK;
}

static enum rc
note_keys(void *arg, const char *name, struct fault *f)
{
	struct keys *k = arg;

	if (!store_name_ok(name))
		return RC_OK;
	if ((size_t)snprintf(k->dir, sizeof k->dir, "%s/front/tenants/%s/%s",
		k->w->set->config->state_dir, k->o->rec.tenant, name) >= sizeof k->dir)
		return FAULT(f, RC_INVALID, "store_path", "too long");
	k->name = name;
	for (size_t i = 0; i < ARRAY_LEN(key_files); i++)
		TRY(note_file(k, i, f));
	return RC_OK;
}

/* A key that is to sign a revocation must be known as such before it is noted. */
static enum rc
note_all(struct works *w, struct works_offboard *o, int64_t now_s, struct fault *f)
{
	struct keys k = { .w = w, .o = o, .now_s = now_s };
	struct offboarding to = o->rec;

	if (o->rec.noted)
		return RC_OK;
	if (!o->through || o->unrecorded > 0 || w->clock_holds)
		return FAULT(f, RC_BUSY, "overloaded", "not all revocations are on record");
	TRY(each_directory(w, o->rec.tenant, note_keys, &k, f));
	to.noted = true;
	TRY(save(w, o, &to, f));
	w->retire_at_s = now_s; /* what was noted before, too */
	return RC_OK;
}

/* Without its key it can be in force no more, also not for whoever takes the tenant back. */
static enum rc
put_aside(void *arg, const char *name, struct fault *f)
{
	const struct keys *k = arg;
	struct store_path from = { 0 }, to = { 0 };
	AUTO(chain) *chain = NULL;
	const char *serial = "unreadable";
	struct fault why = { 0 };
	enum rc rc;

	if (!store_name_ok(name))
		return RC_OK;
	TRY(load_path(k->w->set->config, k->o->rec.tenant, name, &from, f));
	rc = read_chain(from.text, &chain, &why);
	if (rc == RC_IO || rc == RC_NO_MEMORY)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	if (rc == RC_OK)
		serial = chain->cert[0]->serial;
	TRY(store_path(&to, f, "%s/front/tenants/%s/%s/before-%s.pem",
	    k->w->set->config->state_dir, k->o->rec.tenant, name, serial));
	rc = store_rename(from.text, to.text, &why);
	if (rc == RC_NOT_FOUND)
		return RC_OK;
	if (rc == RC_CONFLICT) /* a crash in between */
		return store_remove(from.text, f);
	return rc == RC_OK ? RC_OK : FAULT(f, rc, why.reason, "%s", why.detail);
}

static enum rc
destroy_keys(struct works *w, struct works_offboard *o, int64_t now_s, struct fault *f)
{
	struct keys k = { .w = w, .o = o, .now_s = now_s };
	struct offboarding to;
	size_t keys = 0;

	TRY(note_all(w, o, now_s, f));
	TRY(retire_count(w, o->rec.tenant, &keys, f));
	if (keys > 0)
		return RC_OK;
	TRY(each_directory(w, o->rec.tenant, put_aside, &k, f));
	to = o->rec;
	to.state = OFFBOARDING_DESTROYED;
	to.ended_s = now_s;
	TRY(save(w, o, &to, f));
	record(w, &to, "offboarded");
	return RC_OK;
}

bool
offboard_destroys(const struct works *w, const char *tenant)
{
	const struct works_offboard *o = find(w, tenant);

	return o != NULL && o->rec.state >= OFFBOARDING_DESTROYING;
}

enum rc
offboard_destroy(
    struct works *w, const char *tenant, bool anyway, int64_t now_s, struct fault *f)
{
	struct works_offboard *o = find(w, tenant);
	struct offboarding to;

	if (o == NULL)
		return not_there(f);
	if (o->rec.state >= OFFBOARDING_DESTROYING)
		return RC_OK;
	if (!anyway && undone(w, o, now_s) > 0)
		return REFUSE(f, RC_CONFLICT, CONFLICT, NULL,
		    "not all of its certificates are revoked yet: wait, or confirm that too");
	to = o->rec;
	to.state = OFFBOARDING_DESTROYING;
	to.confirmed_s = now_s;
	TRY(save(w, o, &to, f));
	record(w, &to, "offboard_confirmed");
	offboard_soon(w, tenant);
	return RC_OK;
}

/* ---- taken back ---- */

/* Ordered again, as soon as it is enabled. */
static enum rc
release_all(struct works *w, const char *tenant, struct fault *f)
{
	const struct config_tenant *t = configured(w, tenant);
	struct credset_place at = { t != NULL ? (size_t)(t - w->set->config->tenant) : 0, 0 };

	for (; t != NULL && at.credential < t->credentials; at.credential++)
		TRY(revoke_release(w, at, f));
	return RC_OK;
}

static void
tell(struct works *w, struct works_offboard *o, const char *problem)
{
	json_t *word;

	if ((problem != NULL) == o->alarmed || w->out.alarm == NULL)
		return;
	word = json_pack("{s:s, s:s, s:s?}", "alarm", "tenant_offboarding", "name",
	    o->rec.tenant, "problem", problem);
	if (word == NULL)
		return; /* it is told the next time */
	w->out.alarm(w->out.arg, word);
	o->alarmed = problem != NULL;
}

/* What a crash leaves of it is off-boarded. */
enum rc
offboard_take_back(struct works *w, const char *tenant, struct fault *f)
{
	struct works_offboard *o = find(w, tenant);
	struct fault why = { 0 };
	struct offboarding was;
	enum rc rc;

	if (o == NULL)
		return not_there(f);
	if (o->rec.state == OFFBOARDING_DESTROYING)
		return REFUSE(f, RC_CONFLICT, CONFLICT, NULL,
		    "its keys are being destroyed: wait for the end of it");
	was = o->rec;
	TRY(release_all(w, tenant, f));
	rc = offboarding_remove(w->set->config, tenant, f);
	if (rc == RC_OK)
		rc = put_in_force(w, tenant, false, f);
	offboard_soon(w, tenant);
	if (rc != RC_OK && offboarding_write(w->set->config, &was, &why) != RC_OK)
		log_fault(LEVEL_ERR, "offboarding_lost", &why);
	TRY(rc);
	tell(w, o, NULL);
	*o = w->offboards.item[--w->offboards.len];
	record(w, &was, "offboard_taken_back");
	return RC_OK;
}

/* ---- what is shown ---- */

static json_t *
count_json(const struct works_offboard *o, const struct left *left)
{
	json_t *counts = json_pack("{s:I, s:I, s:I}", "unrecorded", (json_int_t)o->unrecorded,
	    "unplaced", (json_int_t)o->unplaced, "canceling", (json_int_t)left->series);

	for (unsigned i = 0; counts != NULL && i < REVOCATION__COUNT; i++) {
		if (json_object_set_new(counts, revocation_state_name(i),
			json_integer((json_int_t)left->by[i])) == 0)
			continue;
		json_decref(counts);
		return NULL;
	}
	return counts;
}

/* null: that cannot be told. */
static json_t *
keys_waiting(const struct works *w, const char *tenant)
{
	size_t keys = 0;

	if (retire_count(w, tenant, &keys, NULL) != RC_OK)
		return json_null();
	return json_integer((json_int_t)keys);
}

enum rc
offboard_show(
    const struct works *w, const char *tenant, int64_t now_s, json_t *result, struct fault *f)
{
	struct works_offboard *o = find(w, tenant);
	struct left left;

	if (o == NULL)
		return not_there(f);
	left = left_of(w, o, now_s);
	TRY(op_put(result, "tenant", json_string(tenant), f));
	TRY(op_put(result, "state", json_string(offboarding_state_name(o->rec.state)), f));
	TRY(op_put(result, "since", json_integer(o->rec.since_s), f));
	TRY(op_put(result, "confirmed", json_integer(o->rec.confirmed_s), f));
	TRY(op_put(result, "ended", json_integer(o->rec.ended_s), f));
	TRY(op_put(result, "configured", json_boolean(configured(w, tenant) != NULL), f));
	TRY(op_put(result, "looked", json_boolean(o->through), f));
	TRY(op_put(result, "keys_waiting", keys_waiting(w, tenant), f));
	return op_put(result, "certificates", count_json(o, &left), f);
}

void
offboard_count(const struct works *w, size_t out[OFFBOARDING__COUNT])
{
	memset(out, 0, OFFBOARDING__COUNT * sizeof out[0]);
	for (size_t i = 0; i < w->offboards.len; i++)
		out[w->offboards.item[i].rec.state]++;
}

/* ---- what is due ---- */

/* NULL: it is no alarm. */
static const char *
problem_of(const struct works *w, const struct works_offboard *o, int64_t now_s)
{
	switch (o->rec.state) {
	case OFFBOARDING_REVOKING:
		if (now_s - o->rec.since_s >= OFFBOARD_PATIENCE_S)
			return "not all of its certificates are revoked after an hour: vesper "
			       "tenant offboard --status";
		break;
	case OFFBOARDING_REVOKED:
		if (left_of(w, o, now_s).by[REVOCATION_REFUSED] > 0)
			return "a CA refuses to revoke a certificate of it: vesper tenant "
			       "offboard --status";
		break;
	case OFFBOARDING_DESTROYING:
		if (now_s - o->rec.confirmed_s >= OFFBOARD_PATIENCE_S)
			return "not all of its keys are destroyed after an hour: vesper tenant "
			       "offboard --status";
		break;
	default: break;
	}
	return NULL;
}

static enum rc
go_on(struct works *w, struct works_offboard *o, int64_t now_s, size_t *budget, struct fault *f)
{
	TRY(put_in_force(w, o->rec.tenant, true, f));
	if (o->rec.state == OFFBOARDING_DESTROYED)
		return RC_OK;
	if (o->look_at_s <= now_s)
		look_on(w, o, now_s, budget);
	if (o->rec.state == OFFBOARDING_REVOKING)
		return end_revoking(w, o, now_s, f);
	if (o->rec.state == OFFBOARDING_REVOKED)
		return revoke_again(w, o, now_s, f);
	if (o->rec.state != OFFBOARDING_DESTROYING || !o->through)
		return RC_OK;
	*budget -= *budget < OFFBOARD_COUNT_COST ? *budget : OFFBOARD_COUNT_COST;
	return destroy_keys(w, o, now_s, f);
}

/* What was recorded could not be put in force. */
static bool
is_served(const struct works *w, const struct works_offboard *o)
{
	const struct config_tenant *t = configured(w, o->rec.tenant);

	return t != NULL && !t->offboarded;
}

/* Returns when again. */
static int64_t
step(struct works *w, struct works_offboard *o, int64_t now_s, size_t *budget)
{
	int64_t again_s = now_s + OFFBOARD_LOOK_S;
	size_t had = *budget;
	struct fault why = { 0 };

	if (go_on(w, o, now_s, budget, &why) != RC_OK)
		log_fault(LEVEL_ERR, "offboard_unfinished", &why);
	*budget -= *budget == had; /* nothing is for nothing */
	tell(w, o, problem_of(w, o, now_s));
	if (is_served(w, o))
		return now_s + OFFBOARD_SOON_S;
	if (o->rec.state == OFFBOARDING_DESTROYING)
		again_s = now_s + OFFBOARD_SOON_S;
	if (o->rec.state < OFFBOARDING_DESTROYED && o->look_at_s < again_s)
		again_s = o->look_at_s;
	return again_s > now_s ? again_s : now_s;
}

/* Others wait for this thread too: what has no room goes on with the next turn, from there. */
int64_t
offboard_due(struct works *w, int64_t now_s)
{
	struct works_offboards *all = &w->offboards;
	size_t budget = OFFBOARD_STEP;
	int64_t at_s = INT64_MAX;

	for (size_t i = 0; i < all->len && budget > 0; i++) {
		struct works_offboard *o = &all->item[all->turn < all->len ? all->turn : 0];

		all->turn = (size_t)(o - all->item) + 1;
		if (o->at_s <= now_s)
			o->at_s = step(w, o, now_s, &budget);
	}
	for (size_t i = 0; i < all->len; i++)
		at_s = all->item[i].at_s < at_s ? all->item[i].at_s : at_s;
	return at_s;
}
