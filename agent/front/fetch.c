#include "agent/front/fetch.h"

#include <openssl/crypto.h>

#include "agent/front/acme_ops.h"
#include "agent/front/life.h"
#include "agent/front/narrow.h"
#include "agent/front/token.h"
#include "agent/front/want.h"
#include "stir/b64.h"
#include "stir/jtext.h"

/* ---- the list ---- */

static void
fetch_end(struct works_fetch *x)
{
	if (x->token != NULL)
		OPENSSL_cleanse(x->token, strlen(x->token));
	free(x->token);
	chain_free(x->signer);
	*x = (struct works_fetch){ 0 };
}

void
fetch_done(struct works *w)
{
	for (size_t i = 0; i < WORKS_FETCHES; i++)
		fetch_end(&w->fetch[i]);
}

/* job 0: a free place. */
static struct works_fetch *
find(struct works *w, uint64_t job)
{
	for (size_t i = 0; i < WORKS_FETCHES; i++) {
		if (w->fetch[i].job == job)
			return &w->fetch[i];
	}
	return NULL;
}

/* Of jobs that are not asked about any more. */
static void
forget_old(struct works *w, int64_t now_s)
{
	for (size_t i = 0; i < WORKS_FETCHES; i++) {
		if (w->fetch[i].job != 0 && now_s > w->fetch[i].until_s + FETCH_TIMEOUT_S)
			fetch_end(&w->fetch[i]);
	}
}

/* ---- the question ---- */

static enum rc
wish_of(const struct config_authority *a, const char *tktype, struct span der, bool constraints,
    json_t **out, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(2 * WANT_MAX_DER);

	if (a->source == SOURCE_PUSH)
		return REFUSE(f, RC_CONFLICT, CONFLICT, NULL,
		    "authority '%s' cannot be asked: its tokens are pushed", a->name);
	b64_encode(&text, B64_URL, der);
	TRY(buf_check(&text, f));
	*out = json_pack("{s:s, s:s, s:s%, s:b}", "authority", a->name, "tktype", tktype,
	    "value", (const char *)text.ptr, text.len, "constraints", (int)constraints);
	return *out != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "a question");
}

struct question {
	const struct config *config;
	struct credset_place at;
	const struct config_credential *cc;
	const struct config_ca *ca;
	const struct config_authority *authority; /* that is asked for */
	bool claims;
	json_t *want, *evidence; /* evidence NULL: none */
};

static void
question_done(struct question *q)
{
	json_decref(q->want);
	json_decref(q->evidence);
}
#define AUTO_QUESTION __attribute__((cleanup(question_done))) struct question

static enum rc
find_authority(struct question *q, struct fault *f)
{
	const char *name = q->claims ? q->cc->claim_agent : q->cc->authority;

	q->authority = name != NULL ? config_authority_find(q->config, name) : NULL;
	if (q->authority != NULL)
		return RC_OK;
	return REFUSE(f, RC_CONFLICT, CONFLICT, NULL, "credential '%s' has no %s", q->cc->name,
	    q->claims ? "claim_agent" : "authority");
}

static enum rc
read_ask(
    const struct works *w, const struct fetch_ask *ask, struct question *q, struct fault *f)
{
	q->config = w->set->config;
	q->claims = ask->kind != NULL && strcmp(ask->kind, "claims") == 0;
	if (ask->kind != NULL && !q->claims && strcmp(ask->kind, "numbers") != 0)
		return REFUSE(
		    f, RC_INVALID, INVALID_MEMBER, "kind", "'kind' is numbers or claims");
	if (!credset_find(w->set, ask->tenant, ask->name, &q->at))
		return REFUSE(f, RC_NOT_FOUND, NO_CREDENTIAL, NULL, "no such credential");
	q->cc = credset_config(w->set, q->at);
	if (config_issuer(q->config, q->cc) != ISSUER_ACME)
		return REFUSE(f, RC_CONFLICT, CONFLICT, NULL,
		    "credential '%s' needs no authority tokens", q->cc->name);
	q->ca = config_ca_find(q->config, q->cc->ca);
	return find_authority(q, f);
}

/* What is ordered for: the numbers' token is the evidence of the claims' where that is wanted. */
static enum rc
put_wishes(const struct works *w, struct question *q, int64_t now_s, struct fault *f)
{
	const struct config_authority *numbers =
	    q->cc->authority != NULL ? config_authority_find(q->config, q->cc->authority)
				     : NULL;
	AUTO_WANT want = WANT_INIT;

	TRY(narrow_want(w->set, q->at, now_s, &want, f));
	if (!q->claims)
		return wish_of(
		    q->authority, "TNAuthList", buf_view(&want.tnauth_der), false, &q->want, f);
	if (q->authority->evidence && numbers != NULL)
		TRY(wish_of(
		    numbers, "TNAuthList", buf_view(&want.tnauth_der), false, &q->evidence, f));
	return wish_of(q->authority, token_constraints_type(q->cc, q->ca),
	    buf_view(&want.constraints_der), true, &q->want, f);
}

/* The account's fingerprints, whose key is made where there is none yet. */
static enum rc
account_of(
    struct works *w, const struct question *q, int64_t now_s, json_t *out, struct fault *f)
{
	json_auto_t *msg = json_pack("{s:s}", "ca", q->ca->name);
	struct op_call as = { .w = w, .msg = msg, .now_s = now_s };

	if (msg == NULL || out == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "an account");
	return account_op(&as, out, f);
}

static enum rc
begin(struct works *w, const struct fetch_ask *ask, int64_t now_s, json_t **event,
    struct fault *f)
{
	struct works_fetch *x;
	AUTO_QUESTION q = { .claims = false };
	json_auto_t *account = json_object();

	forget_old(w, now_s);
	x = find(w, 0);
	if (x == NULL)
		return REFUSE(f, RC_BUSY, OVERLOADED, NULL, "%d are under way", WORKS_FETCHES);
	TRY(read_ask(w, ask, &q, f));
	TRY(put_wishes(w, &q, now_s, f));
	TRY(account_of(w, &q, now_s, account, f));
	*event = json_pack("{s:s, s:I, s:s, s:s, s:O, s:O, s:O, s:O?}", "event", "fetch",
	    "fetch", (json_int_t)ask->job, "tenant", ask->tenant, "name", ask->name,
	    "jwk_fingerprint", json_object_get(account, "jwk_fingerprint"), "spki_fingerprint",
	    json_object_get(account, "spki_fingerprint"), "want", q.want, "evidence",
	    q.evidence);
	if (*event == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "an event");
	x->job = ask->job;
	x->until_s = now_s + FETCH_TIMEOUT_S;
	return RC_OK;
}

/* ---- the answer ---- */

enum rc
fetched_op(struct op_call *call, json_t *answer, struct fault *f)
{
	json_int_t id = json_integer_value(json_object_get(call->msg, "fetch"));
	struct works_fetch *x = id > 0 ? find(call->w, (uint64_t)id) : NULL;
	const char *token = op_text(call, "token"), *problem = op_text(call, "problem");
	AUTO(chain) *signer = NULL;

	(void)answer;
	if (x == NULL || x->answered)
		return FAULT(f, RC_NOT_FOUND, "no_errand", "nobody asked for that");
	if ((token == NULL) == (problem == NULL))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "token", "a token or a problem");
	if (token != NULL && strlen(token) > FETCH_TOKEN_MAX)
		return REFUSE(f, RC_INVALID, TOO_LARGE, "token", "an authority token");
	if (op_text(call, "signer") != NULL)
		TRY(chain_read_pem(
		    jtext_span(json_object_get(call->msg, "signer")), true, &signer, f));
	if (token != NULL) {
		x->token = strdup(token);
		if (x->token == NULL)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "a token");
	}
	credential_clip(problem != NULL ? problem : "", x->problem);
	x->signer = TAKE(signer);
	x->answered = true;
	return RC_OK;
}

static enum rc
report(struct works *w, const struct fetch_ask *ask, const struct works_fetch *x, int64_t now_s,
    json_t *result, struct fault *f)
{
	AUTO_TOKEN_JUDGED p = { .w = w, .signer = x->signer };
	char reason[LIFE_REASON_MAX];

	if (x->token == NULL) {
		life_reason(x->problem, reason);
		return FAULT(f, RC_NET, reason[0] != 0 ? reason : "authority", "%s",
		    reason[0] != 0 ? x->problem + strlen(reason) + 1 : x->problem);
	}
	p.jwt = span_str(x->token);
	TRY(token_judge(&p, ask->tenant, ask->name, now_s, f));
	TRY(op_put(result, "authority", json_string(p.authority->name), f));
	return token_put_report(&p, result, f);
}

enum rc
fetch_run(struct works *w, const struct fetch_ask *ask, int64_t now_s, json_t **event,
    int64_t *again_s, json_t *result, struct fault *f)
{
	struct works_fetch *x = find(w, ask->job);
	enum rc rc;

	if (ask->job == 0)
		return FAULT(f, RC_BUG, "internal_error", "a fetch of no job");
	if (x == NULL) {
		TRY(begin(w, ask, now_s, event, f));
		*again_s = now_s + 1;
		return RC_BUSY;
	}
	if (!x->answered && now_s <= x->until_s) {
		*again_s = now_s + 1;
		return RC_BUSY;
	}
	rc = x->answered ? report(w, ask, x, now_s, result, f)
			 : FAULT(f, RC_TIMEOUT, "authority_timeout",
			       "no answer of it came within %d s", FETCH_TIMEOUT_S);
	fetch_end(x);
	return rc;
}
