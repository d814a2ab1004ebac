#include "agent/front/works.h"

#include "agent/front/abandoned.h"
#include "agent/front/account_work.h"
#include "agent/front/crl_ops.h"
#include "agent/front/ct_ops.h"
#include "agent/front/division.h"
#include "agent/front/fetch.h"
#include "agent/front/keyfile.h"
#include "agent/front/load.h"
#include "agent/front/making.h"
#include "agent/front/numbers.h"
#include "agent/front/offboard.h"
#include "agent/front/orphans.h"
#include "agent/front/ported.h"
#include "agent/front/publish.h"
#include "agent/front/reserve.h"
#include "agent/front/retire.h"
#include "agent/front/revoke.h"
#include "agent/front/rtu.h"
#include "agent/front/series.h"
#include "agent/front/spare.h"
#include "agent/front/statedir.h"
#include "agent/front/transparency.h"
#include "agent/front/trust_ops.h"
#include "agent/front/unnamed.h"
#include "agent/front/used.h"
#include "agent/log.h"

void *
works_grown(void *list, size_t len, size_t *cap, size_t size)
{
	size_t more = *cap > 0 ? 2 * *cap : 16;
	void *grown = calloc(more, size);

	if (grown == NULL)
		return NULL;
	if (len > 0)
		memcpy(grown, list, len * size);
	free(list);
	*cap = more;
	return grown;
}

void
works_hex(const uint8_t *in, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[in[i] >> 4];
		out[2 * i + 1] = digits[in[i] & 15];
	}
	out[2 * len] = 0;
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
works_unhex(const char *hex, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = nibble(hex[2 * i]), low = high < 0 ? -1 : nibble(hex[2 * i + 1]);

		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

enum rc
works_init(
    struct works *w, const char *config_file, const struct works_out *out, struct fault *f)
{
	*w = (struct works){
		.out = *out, .changes_at_s = INT64_MAX, .renumber_at_s = INT64_MAX
	};
	w->config_file = strdup(config_file);
	if (w->config_file == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "the builder");
	w->documents = calloc(1, sizeof *w->documents);
	if (w->documents == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "the builder");
	TRY(transparency_new(&w->ct, f));
	TRY(trust_desk_new(&w->lists, f));
	TRY(crls_new(&w->crls, f));
	for (unsigned i = 0; i < CONFIG_MAX_TOKENS; i++)
		TRY(token_admin_new(&w->token[i].admin, f));
	return RC_OK;
}

void
works_done(struct works *w)
{
	for (unsigned i = 0; i < CONFIG_MAX_TOKENS; i++) {
		token_provider_free(w->token[i].provider);
		token_admin_free(w->token[i].admin);
		orphans_done(&w->token[i]);
	}
	accounts_done(&w->accounts);
	load_changes_done(&w->changes);
	load_rest_done(&w->rest);
	allow_done(&w->allow);
	free(w->revoked.item);
	fetch_done(w);
	rtu_done(w);
	ported_done(w);
	series_done(w);
	offboard_done(w);
	buf_free(&w->list.octets);
	if (w->documents != NULL)
		buf_free(&w->documents->octets);
	free(w->documents);
	transparency_free(w->ct);
	trust_desk_free(w->lists);
	crls_free(w->crls);
	credset_release(w->set);
	free(w->config_file);
	*w = (struct works){ 0 };
}

/* What looks at all credentials has all of them before it. */
static void
loaded(struct works *w, int64_t now_s)
{
	w->renumber_at_s = numbers_due_s(w->set->config);
	numbers_settle(w->set->config);
	division_settle(w->set->config);
	reserve_settle(w->set->config);
	load_rest_done(&w->rest);
	spare_load(w);
	publish_look(w->set, now_s);
	w->look_at_s = now_s + PUBLISH_LOOK_S;
	w->unnamed_at_s = now_s;
	w->used_at_s = now_s + USED_WRITE_S;
	w->abandoned_at_s = now_s + ABANDONED_LOOK_S;
	ported_begin(w, now_s);
}

bool
works_is_loading(const struct works *w)
{
	return w->set != NULL && w->set->loading > 0;
}

/* Without it no key is made; the state directory is tried again by itself. */
static void
name_installation(struct works *w, int64_t now_s)
{
	struct fault why = { 0 };

	if (installation_load(w->set->config, now_s, &w->installation, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "installation", &why);
}

static enum rc
first_load(struct works *w, int64_t now_s, struct fault *f)
{
	TRY(load_first(w->config_file, LOAD_FIRST, now_s, &w->set, &w->accounts, &w->rest, f));
	name_installation(w, now_s);
	TRY(revoke_load(w, f));
	account_tell(w);
	TRY(rtu_load(w, now_s, f));
	TRY(ported_load(w, f));
	TRY(series_load(w, f));
	TRY(offboard_load(w, now_s, f));
	series_tell(w);
	if (!works_is_loading(w))
		loaded(w, now_s);
	return RC_OK;
}

enum rc
works_load_more(struct works *w, int64_t now_s, struct fault *f)
{
	AUTO_CREDSET *set = NULL;
	size_t next = w->rest.next;
	enum rc rc;

	TRY(load_more(w->set, &w->accounts, LOAD_STEP, now_s, &w->rest, &set, f));
	rtu_mark(w, set);
	rc = w->out.publish(w->out.arg, set, false, f);
	if (rc != RC_OK) {
		w->rest.next = next;
		return rc;
	}
	credset_release(w->set);
	w->set = TAKE(set);
	revoke_tell(w);
	account_tell(w);
	series_tell(w);
	if (!works_is_loading(w))
		loaded(w, now_s);
	return RC_OK;
}

void
works_note_use(struct works *w)
{
	struct fault why = { 0 };

	if (w->set != NULL && used_write(w->set, &w->used_s, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "used_file", &why);
}

enum rc
works_load(struct works *w, int64_t now_s, struct fault *f)
{
	AUTO_CREDSET *set = NULL;
	struct accounts accounts = { 0 };
	struct load_changes changes = { 0 };
	enum rc rc;

	if (w->set == NULL)
		return first_load(w, now_s, f);
	TRY(load_set(w->config_file, w->set, now_s, &set, &accounts, &changes, f));
	rtu_mark(w, set);
	rc = w->out.publish(w->out.arg, set, false, f);
	if (rc != RC_OK) {
		accounts_done(&accounts);
		load_changes_done(&changes);
		return rc;
	}
	accounts_carry(&accounts, &w->accounts);
	accounts_done(&w->accounts);
	w->accounts = accounts;
	load_changes_done(&w->changes);
	w->changes = changes;
	w->changes_at_s = changes.len > 0 ? now_s : INT64_MAX;
	credset_release(w->set);
	w->set = TAKE(set);
	revoke_tell(w);
	account_tell(w);
	series_tell(w);
	rtu_settle(w);
	w->series_at_s = now_s;
	w->ct_at_s = w->crl_at_s = now_s;
	w->renumber_at_s = numbers_due_s(w->set->config);
	numbers_settle(w->set->config);
	division_settle(w->set->config);
	reserve_settle(w->set->config);
	publish_look(w->set, now_s);
	w->look_at_s = now_s + PUBLISH_LOOK_S;
	w->unnamed_at_s = now_s;
	ported_begin(w, now_s);
	return RC_OK;
}

enum rc
works_trust(struct works *w, struct trust *t, int64_t now_s, struct fault *f)
{
	AUTO_CREDSET *set = NULL;
	struct load_changes changes = { 0 };
	enum rc rc;

	TRY(load_trusted(w->set, t, &w->accounts, now_s, &set, &changes, f));
	rtu_mark(w, set);
	rc = w->out.publish(w->out.arg, set, false, f);
	if (rc != RC_OK) {
		load_changes_done(&changes);
		return rc;
	}
	load_changes_done(&w->changes);
	w->changes = changes;
	w->changes_at_s = changes.len > 0 ? now_s : INT64_MAX;
	credset_release(w->set);
	w->set = TAKE(set);
	revoke_tell(w);
	account_tell(w);
	series_tell(w);
	rtu_settle(w);
	return RC_OK;
}

static enum rc
sign_by_admin(void *arg, const uint8_t key_id[32], const uint8_t digest[32], uint8_t sig[64],
    struct fault *f)
{
	struct works_token *t = arg;

	if (token_admin_sign(t->admin, key_id, digest, sig, &t->failed) == RC_OK)
		return RC_OK;
	return FAULT(f, t->failed.rc, t->failed.reason, "%s", t->failed.detail);
}

enum rc
works_signed(
    struct works *w, unsigned token, enum rc rc, const struct fault *why, struct fault *f)
{
	const struct fault *failed = &w->token[token].failed;

	if (rc == RC_OK)
		return RC_OK;
	if (failed->rc != RC_OK)
		why = failed;
	return FAULT(f, why->rc, why->reason, "%s", why->detail);
}

enum rc
works_key(struct works *w, unsigned token, const uint8_t point[P256_POINT_LEN],
    OSSL_LIB_CTX **libctx, EVP_PKEY **out, struct fault *f)
{
	struct works_token *t = &w->token[token];

	if (t->provider == NULL)
		TRY(token_provider_new(sign_by_admin, t, &t->provider, f));
	t->failed = (struct fault){ 0 };
	*libctx = token_provider_libctx(t->provider);
	return token_provider_key(t->provider, point, out, f);
}

enum rc
works_generate(struct works *w, unsigned token, uint8_t point[P256_POINT_LEN], struct fault *f)
{
	TRY(making_begin(w, token, f));
	making_leave(w);
	return token_admin_generate(w->token[token].admin, w->token[token].batch, point, f);
}

enum rc
works_discard(
    struct works *w, unsigned token, const uint8_t key_id[KEY_ID_LEN], struct fault *f)
{
	struct fault why = { 0 };
	enum rc rc = token_admin_destroy(w->token[token].admin, key_id, &why);

	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	if (keyfile_remove(w->set->config, key_id, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "keyfile", &why);
	spare_count(w, token);
	return RC_OK;
}

enum rc
works_token_index(const struct works *w, const char *name, unsigned *out, struct fault *f)
{
	for (size_t i = 0; i < w->set->config->tokens; i++) {
		if (strcmp(w->set->config->token[i].name, name) == 0) {
			*out = (unsigned)i;
			return RC_OK;
		}
	}
	return FAULT(f, RC_BUG, "config", "no token section '%s'", name);
}

static enum rc
put(struct works *w, struct credset_place at, struct credential *c, bool wait_for_keys,
    struct fault *f)
{
	AUTO_CREDENTIAL *made = c;
	AUTO_CREDSET *set = NULL;

	TRY(credset_copy(w->set, &set, f));
	credset_put(set, at, TAKE(made));
	rtu_mark(w, set);
	TRY(w->out.publish(w->out.arg, set, wait_for_keys, f));
	credset_release(w->set);
	w->set = TAKE(set);
	revoke_tell(w);
	account_tell(w);
	series_tell(w);
	w->ported_at_s = 0; /* what waited to be replaced may be */
	return RC_OK;
}

enum rc
works_token_of(const struct works *w, const struct config_credential *cc,
    const uint8_t key_id[KEY_ID_LEN], unsigned *out, struct fault *f)
{
	struct keyfile k = { .made_s = 0 };
	bool other = cc->spread && keyfile_read(w->set->config, key_id, &k, NULL) == RC_OK &&
		     config_token_serves(cc, k.token);

	return works_token_index(w, other ? k.token : cc->token, out, f);
}

enum rc
works_put(struct works *w, struct credset_place at, struct credential *c, struct fault *f)
{
	return put(w, at, c, true, f);
}

enum rc
works_change(struct works *w, struct credset_place at, struct credential *c, struct fault *f)
{
	return put(w, at, c, false, f);
}

void
works_audit(
    struct works *w, const char *event, const char *tenant, const char *name, json_t *more)
{
	json_t *record =
	    json_pack("{s:s, s:s, s:s}", "event", event, "tenant", tenant, "credential", name);
	bool whole = record != NULL && (more == NULL || json_object_update(record, more) == 0);

	json_decref(more); /* before another thread has the values that the two share */
	if (!whole) {
		log_event(LEVEL_ERR, "audit_lost", "event=%s tenant=%s credential=%s", event,
		    tenant, name);
		json_decref(record);
		return;
	}
	w->out.audit(w->out.arg, record);
}

/* ---- certificates that were changed on disk ---- */

/* RC_OK: there is nothing more to do about it. */
static enum rc
take_change(struct works *w, struct load_change *c)
{
	struct fault why = { 0 };
	enum rc rc;

	if (credset_credential(w->set, c->at) != c->kept)
		return RC_OK; /* an install has put another one there */
	if (revocation_there(w->set->config, c->made->fingerprint)) {
		log_event(LEVEL_WARNING, "certificate_kept",
		    "tenant=%s credential=%s reason=revoked detail=\"the one on disk was "
		    "revoked while it waited for a signer\"",
		    c->made->tenant, c->made->name);
		return RC_OK;
	}
	rc = works_put(w, c->at, credential_ref(c->made), &why);
	if (rc == RC_OK) {
		log_event(LEVEL_NOTICE, "certificate_taken", "tenant=%s credential=%s",
		    c->made->tenant, c->made->name);
		return RC_OK;
	}
	if (!c->said && rc != RC_BUSY)
		log_fault(LEVEL_WARNING, "certificate_kept", &why);
	c->said = c->said || rc != RC_BUSY;
	return rc;
}

/*
 * One by one, so that a key which is refused holds up no other; a token that
 * lets one wait to the end is left for the next time, and a reload that waits
 * (RC_BUSY) goes first.
 */
static void
take_changes(struct works *w)
{
	struct load_changes *list = &w->changes;
	bool down[CONFIG_MAX_TOKENS] = { false };
	size_t kept = 0;
	enum rc rc = RC_OK;

	for (size_t i = 0; i < list->len; i++) {
		struct load_change *c = &list->item[i];
		unsigned token = c->made->token;

		if (rc != RC_BUSY && !down[token]) {
			rc = take_change(w, c);
			down[token] = rc == RC_TIMEOUT;
			if (rc == RC_OK) {
				load_change_done(c);
				continue;
			}
		}
		list->item[kept++] = *c;
	}
	list->len = kept;
}

/* Their keys are about to be destroyed: no signer is to be asked for them again. */
static void
forget_replaced(struct works *w, int64_t now_s)
{
	AUTO_CREDSET *set = NULL;
	struct fault why = { 0 };
	bool changed = false;
	enum rc rc = credset_forget(w->set, now_s, &set, &changed, &why);

	if (rc == RC_OK && !changed)
		return;
	if (rc == RC_OK)
		rc = w->out.publish(w->out.arg, set, false, &why);
	if (rc != RC_OK) { /* they may not sign any more whether they are there or not */
		log_fault(LEVEL_WARNING, "replaced_kept", &why);
		return;
	}
	credset_release(w->set);
	w->set = TAKE(set);
}

int64_t
works_due_s(const struct works *w)
{
	const int64_t due[] = { w->publish_at_s, w->look_at_s, w->changes_at_s, w->unnamed_at_s,
		w->used_at_s, w->revoke_at_s, w->renumber_at_s, w->abandoned_at_s,
		w->making_at_s, w->ct_at_s, w->crl_at_s, w->state_at_s, w->ported_at_s,
		w->series_at_s, w->offboard_at_s };
	int64_t at_s = w->retire_at_s;

	for (size_t i = 0; i < ARRAY_LEN(due); i++)
		at_s = due[i] < at_s ? due[i] : at_s;
	return at_s;
}

static void
look_at_logs(struct works *w, int64_t now_s)
{
	struct fault why = { 0 };

	trust_look(w, now_s);
	if (ct_look(w, now_s, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "ct_log", &why);
	w->ct_at_s = now_s + CT_LOOK_S;
}

void
works_clock_set(struct works *w)
{
	int64_t *at_s[] = { &w->retire_at_s, &w->publish_at_s, &w->look_at_s, &w->changes_at_s,
		&w->unnamed_at_s, &w->used_at_s, &w->revoke_at_s, &w->abandoned_at_s,
		&w->making_at_s, &w->ct_at_s, &w->crl_at_s, &w->state_at_s, &w->series_at_s };

	for (size_t i = 0; i < ARRAY_LEN(at_s); i++)
		*at_s[i] = 0;
	offboard_clock_set(w);
}

/* What is gone for good when its time is over: not while the clock may be wrong about it. */
static void
chores_for_good(struct works *w, int64_t now_s)
{
	if (w->retire_at_s <= now_s) {
		forget_replaced(w, now_s);
		w->retire_at_s = INT64_MAX;
		w->retire_at_s = retire_due(w, now_s);
	}
	if (w->abandoned_at_s <= now_s)
		w->abandoned_at_s = abandoned_look(w, now_s);
	if (w->publish_at_s <= now_s) {
		publish_sweep(w->set->config, now_s);
		w->publish_at_s = now_s + PUBLISH_SWEEP_S;
	}
	if (w->ported_at_s <= now_s)
		w->ported_at_s = ported_due(w, now_s);
}

static void
hold(struct works *w, int64_t now_s)
{
	int64_t *at_s[] = { &w->retire_at_s, &w->abandoned_at_s, &w->publish_at_s,
		&w->ported_at_s };

	for (size_t i = 0; i < ARRAY_LEN(at_s); i++) {
		if (*at_s[i] <= now_s)
			*at_s[i] = now_s + WORKS_HELD_LOOK_S;
	}
}

int64_t
works_chores(struct works *w, int64_t now_s)
{
	if (w->set == NULL)
		return INT64_MAX;
	if (w->state_at_s <= now_s) {
		w->state_at_s = statedir_try(w, now_s);
		name_installation(w, now_s);
	}
	if (w->revoke_at_s <= now_s)
		w->revoke_at_s = revoke_due(w, now_s);
	if (w->series_at_s <= now_s)
		w->series_at_s = series_due(w, now_s);
	if (w->offboard_at_s <= now_s)
		w->offboard_at_s = offboard_due(w, now_s);
	if (w->changes_at_s <= now_s) {
		take_changes(w);
		w->changes_at_s =
		    w->changes.len > 0 ? now_s + WORKS_CHANGES_RETRY_S : INT64_MAX;
	}
	if (w->clock_holds)
		hold(w, now_s);
	else
		chores_for_good(w, now_s);
	if (w->making_at_s <= now_s)
		w->making_at_s = making_due(w, now_s);
	if (w->look_at_s <= now_s) {
		publish_look(w->set, now_s);
		w->look_at_s = now_s + PUBLISH_LOOK_S;
	}
	if (w->ct_at_s <= now_s)
		look_at_logs(w, now_s);
	if (w->crl_at_s <= now_s)
		w->crl_at_s = crl_look(w, now_s);
	if (w->unnamed_at_s <= now_s)
		w->unnamed_at_s = unnamed_look(w, now_s);
	if (w->used_at_s <= now_s) {
		works_note_use(w);
		w->used_at_s = now_s + USED_WRITE_S;
	}
	return works_due_s(w);
}
