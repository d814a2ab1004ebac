#include "agent/front/account_work.h"

#include <stdio.h>

#include "agent/front/acme_sign.h"
#include "agent/front/retire.h"
#include "agent/log.h"
#include "stir/jtext.h"

enum { INNER_MAX = 16384 };

static const char id_head[] = "account/";

/* ---- what is asked ---- */

static enum rc
account_of(const struct works *w, const char *ca, const struct account **out, struct fault *f)
{
	TRY(accounts_check(&w->accounts, ca, f));
	*out = accounts_find(&w->accounts, ca);
	return *out != NULL ? RC_OK
			    : FAULT(f, RC_CONFLICT, "no_account",
				  "there is no account key at CA '%s' yet", ca);
}

static enum rc
is_deactivated(const struct account *a, struct fault *f)
{
	return FAULT(f, RC_CONFLICT, "account_deactivated",
	    "the account is deactivated; another one is made by: vesper account replace %s",
	    a->ca);
}

/* Where the file was written and not synced, it holds: a key that it names is kept. */
static void
save_failed(struct works *w, const char *ca, unsigned token, const uint8_t key_id[KEY_ID_LEN])
{
	struct fault why = { 0 };
	enum rc rc = accounts_adopt(&w->accounts, w->set->config, ca, &why);

	if (accounts_has_key(&w->accounts, key_id))
		return;
	if (rc == RC_OK || rc == RC_NOT_FOUND)
		rc = works_discard(w, token, key_id, &why);
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "key_left", &why);
}

static void
record(struct works *w, const struct account *a, const char *event)
{
	json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:s}", "event", event, "ca", a->ca,
	    "what", account_job_name(&a->job), "state", account_job_state_name(&a->job),
	    "detail", a->job.answer);

	if (line != NULL)
		w->out.audit(w->out.arg, line);
	else
		log_event(LEVEL_ERR, "audit_lost", "event=%s ca=%s", event, a->ca);
}

static enum rc
begin(struct works *w, const struct account *a, enum account_job_kind kind, int64_t now_s,
    struct fault *f)
{
	const struct config_ca *ca = config_ca_find(w->set->config, a->ca);
	struct account to = *a;
	unsigned token = 0;
	enum rc rc;

	to.job = (struct account_job){ .kind = kind, .asked_s = now_s };
	if (kind == ACCOUNT_JOB_KEY) {
		TRY(works_token_index(w, ca->token, &token, f));
		TRY(works_generate(w, token, to.job.point, f));
		key_id_of_point(to.job.point, to.job.key_id);
	}
	rc = accounts_save(&w->accounts, w->set->config, &to, f);
	if (rc != RC_OK && kind == ACCOUNT_JOB_KEY)
		save_failed(w, to.ca, token, to.job.key_id);
	if (rc != RC_OK)
		return rc;
	log_event(
	    LEVEL_NOTICE, "account_asked", "ca=%s what=%s", to.ca, account_job_name(&to.job));
	record(w, &to, "account_asked");
	return RC_OK;
}

enum rc
account_ask(
    struct works *w, const char *ca, enum account_job_kind kind, int64_t now_s, struct fault *f)
{
	const struct account *a = NULL;

	TRY(account_of(w, ca, &a, f));
	if (a->deactivated)
		return is_deactivated(a, f);
	if (account_job_waits(&a->job) && a->job.kind == kind)
		return RC_OK;
	if (account_job_waits(&a->job))
		return REFUSE(f, RC_CONFLICT, CONFLICT, NULL,
		    "the CA has not answered yet what was asked before (%s)",
		    account_job_name(&a->job));
	return begin(w, a, kind, now_s, f);
}

static bool
any_deactivated(const struct works *w)
{
	for (size_t i = 0; i < w->accounts.len; i++) {
		if (w->accounts.item[i].deactivated)
			return true;
	}
	return false;
}

/* It is asked at every change of a set: nothing is looked at where there is nothing to say. */
void
account_tell(struct works *w)
{
	const struct config *c = w->set->config;
	bool any = any_deactivated(w);

	for (size_t t = 0; t < c->tenants && (any || w->unordered); t++) {
		for (size_t i = 0; i < c->tenant[t].credentials; i++) {
			const char *ca = c->tenant[t].credential[i].ca;
			const struct account *a =
			    ca != NULL ? accounts_find(&w->accounts, ca) : NULL;
			struct credset_place at = { t, i };

			atomic_store(&credset_credential(w->set, at)->unordered,
			    a != NULL && a->deactivated);
		}
	}
	w->unordered = any;
}

/* ---- keys that are over ---- */

/* Noted before the file that does not name it any more; which token is not known surely. */
static enum rc
note_key(struct works *w, const char *ca, const uint8_t key_id[KEY_ID_LEN], int64_t at_s,
    struct fault *f)
{
	const struct config_ca *section = config_ca_find(w->set->config, ca);
	const struct retire_whose whose = { section->token, "", ca };

	return retire_note_of(w, key_id, &whose, at_s, f);
}

static enum rc
note_keys(struct works *w, const struct account *a, int64_t at_s, struct fault *f)
{
	TRY(note_key(w, a->ca, a->key_id, at_s, f));
	return account_job_has_key(&a->job) ? note_key(w, a->ca, a->job.key_id, at_s, f)
					    : RC_OK;
}

enum rc
account_replace(struct works *w, const char *ca, int64_t now_s, struct fault *f)
{
	const struct config_ca *section = config_ca_find(w->set->config, ca);
	const struct account *a = accounts_find(&w->accounts, ca);
	struct account to = { .deactivated = false };
	unsigned token = 0;
	enum rc rc;

	TRY(works_token_index(w, section->token, &token, f));
	TRY(works_generate(w, token, to.point, f));
	key_id_of_point(to.point, to.key_id);
	snprintf(to.ca, sizeof to.ca, "%s", ca);
	rc = a != NULL ? note_keys(w, a, now_s + RETIRE_OVERLAP_S, f) : RC_OK;
	if (rc == RC_OK)
		rc = accounts_save(&w->accounts, w->set->config, &to, f);
	if (rc == RC_OK) {
		accounts_mended(&w->accounts, ca);
		account_tell(w);
		log_event(LEVEL_NOTICE, "account_replaced", "ca=%s", ca);
		record(w, &to, "account_replaced");
		return RC_OK;
	}
	save_failed(w, ca, token, to.key_id);
	return rc;
}

/* ---- what is shown ---- */

static enum rc
put_fingerprints(json_t *to, const uint8_t point[P256_POINT_LEN], struct fault *f)
{
	struct acme_fingerprints text = { 0 };

	TRY(acme_fingerprints(point, &text, f));
	TRY(op_put(to, "jwk", jwk_of_point(point), f));
	TRY(op_put(to, "jwk_fingerprint", json_string(text.jwk), f));
	return op_put(to, "spki_fingerprint", json_string(text.spki), f);
}

static enum rc
put_job(json_t *result, const struct account_job *j, struct fault *f)
{
	json_t *job = json_pack("{s:s, s:s, s:I, s:I, s:s}", "what", account_job_name(j),
	    "state", account_job_state_name(j), "asked", (json_int_t)j->asked_s, "ended",
	    (json_int_t)j->ended_s, "answer", j->answer);

	TRY(op_put(result, "job", job, f));
	return account_job_has_key(j) ? put_fingerprints(job, j->point, f) : RC_OK;
}

enum rc
account_show(struct works *w, const struct config_ca *ca, json_t *result, struct fault *f)
{
	const struct account *a = NULL;

	TRY(account_of(w, ca->name, &a, f));
	TRY(op_put(result, "ca", json_string(a->ca), f));
	TRY(put_fingerprints(result, a->point, f));
	TRY(op_put(result, "status", json_string(a->deactivated ? "deactivated" : "valid"), f));
	return a->job.kind != ACCOUNT_JOB_NONE ? put_job(result, &a->job, f) : RC_OK;
}

/* ---- what it means for orders ---- */

enum rc
account_usable(const struct account *a, int64_t now_s, struct fault *f)
{
	if (a->deactivated)
		return is_deactivated(a, f);
	/* A clock that was set back holds nobody. */
	if (account_job_has_key(&a->job) && a->job.told_s != 0 && now_s >= a->job.told_s &&
	    now_s < a->job.told_s + ACCOUNT_HELD_S)
		return REFUSE(f, RC_BUSY, OVERLOADED, NULL,
		    "the account's key is being changed: the CA has not answered yet");
	return RC_OK;
}

enum rc
account_may_open(const struct account *a, struct fault *f)
{
	if (!account_job_has_key(&a->job) || a->job.told_s == 0)
		return RC_OK;
	return REFUSE(f, RC_BUSY, OVERLOADED, NULL,
	    "the account may have its new key: no other one is opened with the old key");
}

json_t *
account_contacts(const struct config_ca *ca)
{
	json_auto_t *list = json_array();

	for (size_t i = 0; list != NULL && i < ca->contact.len; i++) {
		if (json_array_append_new(list, json_string(ca->contact.item[i])) != 0)
			return NULL;
	}
	return TAKE(list);
}

/* ---- the errand ---- */

/*
 * By a key that is sent along: has the CA an account of the new one, where the
 * change may have arrived; of the present one, where its end was refused?
 */
static bool
is_question(const struct account_job *j)
{
	return (j->kind == ACCOUNT_JOB_KEY && j->told_s != 0) ||
	       (j->kind == ACCOUNT_JOB_DEACTIVATION && j->refusal);
}

static const char *
resource_of(const struct account_job *j)
{
	if (is_question(j))
		return "newAccount";
	return j->kind == ACCOUNT_JOB_KEY ? "keyChange" : "account";
}

json_t *
account_errand(const struct works *w, const char *ca, int64_t now_s)
{
	const struct account *a = accounts_find(&w->accounts, ca);
	char id[ACCOUNT_ID_MAX];

	if (a == NULL || !account_job_waits(&a->job) ||
	    (a->job.hold_s > now_s && a->job.hold_s <= now_s + ACCOUNT_AGAIN_S))
		return NULL;
	snprintf(id, sizeof id, "%s%s", id_head, a->ca);
	return json_pack("{s:s, s:s, s:s, s:b}", "id", id, "ca", a->ca, "resource",
	    resource_of(&a->job), "kid", (int)!is_question(&a->job));
}

bool
account_is_errand(const char *id)
{
	return strncmp(id, id_head, sizeof id_head - 1) == 0;
}

static enum rc
find_job(const struct works *w, const char *id, const struct account **out, struct fault *f)
{
	*out = accounts_find(&w->accounts, id + sizeof id_head - 1);
	if (*out == NULL || !account_job_waits(&(*out)->job))
		return FAULT(f, RC_NOT_FOUND, "no_errand", "nobody asked for that");
	return RC_OK;
}

/* What is posted to another resource of the CA may mean another thing there. */
static enum rc
check_account_url(const struct op_call *call, struct fault *f)
{
	if (strcmp(op_text(call, "url"), op_text(call, "kid")) != 0)
		return REFUSE(f, RC_DENIED, INVALID_MEMBER, "url", "not the account's URL");
	return RC_OK;
}

/* RFC 8555 section 7.3.5: signed by the new key, about this account and the old key. */
static enum rc
inner_jws(struct op_call *call, const struct acme *a, struct buf *out, struct fault *f)
{
	const uint8_t *next = a->account->job.point;
	json_auto_t *header = json_pack("{s:s, s:o, s:s}", "alg", "ES256", "jwk",
	    jwk_of_point(next), "url", op_text(call, "url"));
	json_auto_t *payload = json_pack("{s:s, s:o}", "account", op_text(call, "kid"),
	    "oldKey", jwk_of_point(a->account->point));
	AUTO_BUF text = BUF_INIT(INNER_MAX);
	AUTO_OSSL(EVP_PKEY) *key = NULL;
	OSSL_LIB_CTX *libctx = NULL;
	json_auto_t *jws = NULL;
	struct fault why = { 0 };
	enum rc rc;

	if (header == NULL || payload == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a change of key");
	TRY(jtext_write(&text, payload, f));
	TRY(buf_check(&text, f));
	TRY(works_key(call->w, a->token, next, &libctx, &key, f));
	rc = jws_flattened(header, buf_view(&text), libctx, key, &jws, &why);
	TRY(works_signed(call->w, a->token, rc, &why, f));
	TRY(jtext_write(out, jws, f));
	return buf_check(out, f);
}

/* On disk before it leaves: a crash does not make it one that was never sent. */
static enum rc
mark_told(struct op_call *call, const struct account *a, struct fault *f)
{
	struct account to = *a;

	if (to.job.told_s != 0)
		return RC_OK;
	to.job.told_s = call->now_s;
	to.job.looked = false;
	return accounts_save(&call->w->accounts, call->w->set->config, &to, f);
}

/* What the renewer has is an older row: it asks for the list, whose row is the question. */
static enum rc
is_asked_first(struct fault *f)
{
	return REFUSE(f, RC_BUSY, OVERLOADED, NULL,
	    "it may have arrived: the CA is asked whether it did");
}

/* Two at once under way could be done one after the other was refused. */
static enum rc
change_of_key(struct op_call *call, const struct acme *a, json_t *answer, struct fault *f)
{
	AUTO_BUF inner = BUF_INIT(INNER_MAX);

	if (a->account->job.told_s != 0)
		return is_asked_first(f);
	TRY(inner_jws(call, a, &inner, f));
	TRY(mark_told(call, a->account, f));
	return acme_answer_jws(call, a, buf_view(&inner), answer, f);
}

/* RFC 8555 section 7.3.1: the CA opens no account, whatever it has. */
static enum rc
look_for_key(struct op_call *call, struct acme *a, json_t *answer, struct fault *f)
{
	json_auto_t *payload = json_pack("{s:b}", "onlyReturnExisting", 1);
	struct account to = *a->account;

	if (payload == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a payload");
	to.job.looked = true;
	TRY(accounts_save(&call->w->accounts, call->w->set->config, &to, f));
	a->account = accounts_find(&call->w->accounts, to.ca);
	if (a->account->job.kind == ACCOUNT_JOB_KEY)
		a->point = a->account->job.point;
	else
		a->point = a->account->point;
	return acme_answer(call, a, payload, answer, f);
}

static enum rc
account_payload(const struct acme *a, json_t **out, struct fault *f)
{
	*out = a->account->job.kind == ACCOUNT_JOB_CONTACT
		   ? json_pack("{s:o}", "contact", account_contacts(a->ca))
		   : json_pack("{s:s}", "status", "deactivated"); /* RFC 8555 section 7.3.6 */
	return *out != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "a payload");
}

/* Not by acme_find(): orders wait for it, it does not wait for itself. */
static enum rc
find_signer(const struct op_call *call, struct acme *a, struct fault *f)
{
	TRY(acme_find_ca(call, &a->ca, f));
	TRY(find_job(call->w, op_text(call, "errand"), &a->account, f));
	if (strcmp(a->account->ca, a->ca->name) != 0)
		return FAULT(f, RC_NOT_FOUND, "no_errand", "nobody asked for that");
	a->point = a->account->point;
	return works_token_index(call->w, a->ca->token, &a->token, f);
}

enum rc
account_errand_jws(struct op_call *call, json_t *answer, struct fault *f)
{
	json_auto_t *payload = NULL;
	struct acme a = { 0 };
	bool by_new = op_text(call, "kid") == NULL, change;

	TRY(find_signer(call, &a, f));
	TRY(acme_check(call, a.ca, f)); /* before it is noted that it was signed */
	change = a.account->job.kind == ACCOUNT_JOB_KEY;
	if (by_new && !is_question(&a.account->job))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "kid", "not by whom it is to be");
	if (by_new)
		return look_for_key(call, &a, answer, f);
	if (change)
		return change_of_key(call, &a, answer, f);
	if (is_question(&a.account->job))
		return is_asked_first(f);
	TRY(check_account_url(call, f));
	TRY(account_payload(&a, &payload, f));
	TRY(mark_told(call, a.account, f));
	return acme_answer(call, &a, payload, answer, f);
}

/* ---- the answer ---- */

static enum rc
end_job(struct works *w, struct account *to, int64_t now_s, struct fault *f)
{
	to->job.ended_s = account_job_waits(&to->job) ? 0 : now_s;
	TRY(accounts_save(&w->accounts, w->set->config, to, f));
	if (account_job_waits(&to->job))
		return RC_OK;
	account_tell(w);
	log_event(to->job.state == ACCOUNT_JOB_DONE ? LEVEL_NOTICE : LEVEL_ERR,
	    "account_answered", "ca=%s what=%s state=%s answer=\"%s\"", to->ca,
	    account_job_name(&to->job), account_job_state_name(&to->job), to->job.answer);
	record(w, to, "account_answered");
	return RC_OK;
}

static enum rc
new_key_known(struct works *w, struct account *to, int64_t now_s, struct fault *f)
{
	struct account_job *j = &to->job;

	TRY(note_key(w, to->ca, to->key_id, now_s + RETIRE_OVERLAP_S, f));
	memcpy(to->point, j->point, P256_POINT_LEN);
	memcpy(to->key_id, j->key_id, KEY_ID_LEN);
	j->state = ACCOUNT_JOB_DONE;
	j->answer[0] = 0;
	return end_job(w, to, now_s, f);
}

static enum rc
new_key_refused(struct works *w, struct account *to, int64_t now_s, struct fault *f)
{
	TRY(note_key(w, to->ca, to->job.key_id, now_s, f));
	to->job.state = ACCOUNT_JOB_REFUSED;
	return end_job(w, to, now_s, f);
}

/* What nobody answered may arrive yet, for so long; a clock that was set back begins anew. */
static bool
may_arrive(struct account_job *j, int64_t now_s)
{
	if (j->stray_s > now_s)
		j->stray_s = now_s;
	return j->stray_s != 0 && now_s < j->stray_s + RETIRE_OVERLAP_S;
}

/* The CA does not have the new key. */
static enum rc
not_there(struct works *w, struct account *to, int64_t now_s, struct fault *f)
{
	struct account_job *j = &to->job;

	if (j->refusal && !may_arrive(j, now_s))
		return new_key_refused(w, to, now_s, f);
	if (j->refusal) {
		j->hold_s = now_s + ACCOUNT_AGAIN_S;
		return end_job(w, to, now_s, f);
	}
	j->stray_s = j->told_s; /* of which nothing was heard */
	j->told_s = 0;
	j->looked = false;
	return end_job(w, to, now_s, f);
}

static enum rc
change_refused(struct works *w, struct account *to, const char *reason, const char *detail,
    int64_t now_s, struct fault *f)
{
	struct account_job *j = &to->job;

	account_job_say(j, reason, detail);
	if (j->told_s == 0 && !may_arrive(j, now_s)) /* the CA offers no such thing */
		return new_key_refused(w, to, now_s, f);
	if (j->told_s == 0)
		j->told_s = now_s; /* the question is next */
	j->refusal = true;
	return end_job(w, to, now_s, f);
}

/* The CA's definite word about the change, or about the question whether it has it. */
static enum rc
key_answered(struct works *w, struct account *to, const char *reason, const char *detail,
    int64_t now_s, struct fault *f)
{
	struct account_job *j = &to->job;

	if (reason == NULL)
		return new_key_known(w, to, now_s, f);
	if (j->looked && strcmp(reason, "acme_no_account") == 0)
		return not_there(w, to, now_s, f);
	/* Of a question from before a restart: the renewer has no such last word of a change. */
	if (j->told_s != 0 && strcmp(reason, "acme_no_account") == 0)
		return RC_OK;
	if (!j->looked)
		return change_refused(w, to, reason, detail, now_s, f);
	j->hold_s = now_s + ACCOUNT_AGAIN_S;
	return end_job(w, to, now_s, f);
}

static enum rc
ended(struct works *w, struct account *to, int64_t now_s, struct fault *f)
{
	to->job.state = ACCOUNT_JOB_DONE;
	if (to->job.kind == ACCOUNT_JOB_DEACTIVATION) {
		TRY(note_key(w, to->ca, to->key_id, now_s + RETIRE_OVERLAP_S, f));
		to->deactivated = true;
	}
	return end_job(w, to, now_s, f);
}

static enum rc
refused(struct works *w, struct account *to, int64_t now_s, struct fault *f)
{
	to->job.state = ACCOUNT_JOB_REFUSED;
	return end_job(w, to, now_s, f);
}

/*
 * RFC 8555 section 7.3.6: a CA answers whatever comes from an account that is
 * deactivated with "unauthorized"; of one that it has it says so (7.3.1), and
 * that one is not deactivated, nor is its key to be destroyed.
 */
static enum rc
end_looked_for(
    struct works *w, struct account *to, const char *reason, int64_t now_s, struct fault *f)
{
	if (to->job.looked && reason == NULL)
		return refused(w, to, now_s, f);
	if (to->job.looked && (strcmp(reason, "acme_unauthorized") == 0 ||
				  strcmp(reason, "acme_no_account") == 0))
		return ended(w, to, now_s, f);
	to->job.hold_s = now_s + ACCOUNT_AGAIN_S;
	return end_job(w, to, now_s, f);
}

/* One that the answer was lost of is answered so, and one that the CA does not let anybody end. */
static bool
is_open(const struct account_job *j, const char *reason)
{
	return j->kind == ACCOUNT_JOB_DEACTIVATION && j->told_s != 0 && reason != NULL &&
	       strcmp(reason, "acme_unauthorized") == 0;
}

static enum rc
other_answered(struct works *w, struct account *to, const char *reason, const char *detail,
    int64_t now_s, struct fault *f)
{
	struct account_job *j = &to->job;

	if (is_question(j))
		return end_looked_for(w, to, reason, now_s, f);
	account_job_say(j, reason, detail);
	if (reason == NULL)
		return ended(w, to, now_s, f);
	if (!is_open(j, reason))
		return refused(w, to, now_s, f);
	j->refusal = true;
	return end_job(w, to, now_s, f);
}

enum rc
account_answered(struct works *w, const char *id, bool final, const char *reason,
    const char *detail, int64_t now_s, struct fault *f)
{
	const struct account *a = NULL;
	struct account to;

	TRY(find_job(w, id, &a, f));
	to = *a;
	/* Whoever carries it has not been at the CA. */
	if (final && reason == NULL && a->job.told_s == 0)
		return FAULT(f, RC_DENIED, "no_errand", "nothing was signed for it");
	if (!final && a->job.refusal)
		return RC_OK; /* the CA's own word is kept */
	if (!final) {
		account_job_say(&to.job, reason, detail);
		return strcmp(to.job.answer, a->job.answer) == 0 ? RC_OK
								 : end_job(w, &to, now_s, f);
	}
	return to.job.kind == ACCOUNT_JOB_KEY
		   ? key_answered(w, &to, reason, detail, now_s, f)
		   : other_answered(w, &to, reason, detail, now_s, f);
}
