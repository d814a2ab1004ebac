/* Authority tokens for what is going to be ordered. */
#include "agent/log.h"
#include "agent/renewer/right.h"
#include "agent/renewer/source.h"
#include "agent/renewer/step.h"
#include "stir/b64.h"

static void
on_grant(struct job *j, enum token_kind k, enum rc rc, struct authtok_grant *grant,
    const struct fault *f, int64_t retry_after_s)
{
	if (job_over(j))
		return;
	if (k == TOKEN_NUMBERS)
		right_say(j, rc, grant, f);
	if (rc != RC_OK) {
		job_fail(j, rc, f, retry_after_s);
		return;
	}
	authtok_grant_done(&j->token[k]);
	j->token[k] = *grant;
	*grant = (struct authtok_grant){ 0 };
	job_next(j);
}

static void
on_numbers(void *arg, enum rc rc, struct authtok_grant *grant, const struct fault *f,
    int64_t retry_after_s)
{
	on_grant(arg, TOKEN_NUMBERS, rc, grant, f, retry_after_s);
}

static void
on_claims(void *arg, enum rc rc, struct authtok_grant *grant, const struct fault *f,
    int64_t retry_after_s)
{
	on_grant(arg, TOKEN_CLAIMS, rc, grant, f, retry_after_s);
}

static struct source
source_of(struct job *j, enum token_kind k)
{
	return (struct source){ .io = j->renew->io,
		.tenant = j->plan.tenant,
		.name = j->plan.name,
		.done = k == TOKEN_NUMBERS ? on_numbers : on_claims,
		.arg = j,
		.wanted = job_is_wanted };
}

/* ---- those that were pushed ---- */

/* Of the one that is kept for this authority; INT64_MAX where it is asked for by itself. */
static int64_t
until_s(const struct job *j, enum token_kind k, const char *authority)
{
	const struct renew *r = j->renew;
	const struct config_authority *a = config_authority_find(r->set->config, authority);

	if (a == NULL || a->source != SOURCE_PUSH)
		return INT64_MAX;
	return pushed_until_s(r->store, j->plan.tenant, j->plan.name, k);
}

int64_t
step_token_until_s(const struct job *j)
{
	int64_t numbers_s = until_s(j, TOKEN_NUMBERS, j->plan.authority);
	int64_t claims_s = j->plan.constraints == NULL
			       ? INT64_MAX
			       : until_s(j, TOKEN_CLAIMS, j->plan.claim_agent);
	int64_t until_s = numbers_s < claims_s ? numbers_s : claims_s;

	return until_s != INT64_MAX ? until_s : -1;
}

/*
 * D-31: used until it expires.  One that the present request cannot use is
 * dropped and said; the source is asked the next time.
 */
static enum rc
offer_pushed(struct job *j, enum token_kind k, struct span token, struct fault *f)
{
	struct source from = source_of(j, k);
	enum rc rc = source_offer(&from, &j->want, token, f);

	if (rc != RC_DENIED && rc != RC_EXPIRED && rc != RC_INVALID)
		return rc;
	pushed_drop(j->renew->store, j->plan.tenant, j->plan.name, k);
	log_event(LEVEL_WARNING, "token_dropped", "tenant=%s credential=%s reason=%s",
	    j->plan.tenant, j->plan.name, f->reason);
	return rc;
}

/* ---- asking for one ---- */

static enum rc
request_token(struct job *j, enum token_kind k, const char *authority, const char *value_b64,
    struct fault *f)
{
	AUTO_SECRET token = BUF_INIT(AUTHTOK_MAX + 1);
	struct source from = source_of(j, k);
	struct renew *r = j->renew;
	struct authtok_want *w = &j->want;
	struct fault why = { 0 };
	enum rc rc;

	*w = (struct authtok_want){
		.authority = config_authority_find(r->set->config, authority),
		.tktype = k == TOKEN_NUMBERS ? AUTHTOK_TNAUTHLIST : step_constraints_type(j),
		.constraints = k == TOKEN_CLAIMS,
		.form = j->plan.form,
		.account = acme_account(j->slot->acme),
		.anchors = r->set->authority_anchors,
	};
	if (w->authority == NULL)
		return FAULT(f, RC_DENIED, "no_authority",
		    "no authority section '%s' for the %s", authority,
		    k == TOKEN_NUMBERS ? "numbers" : "constraints");
	if (w->tktype == NULL)
		return FAULT(f, RC_DENIED, "no_type", "no identifier type for constraints");
	if (k == TOKEN_CLAIMS && w->authority->evidence)
		w->evidence = j->token[TOKEN_NUMBERS].token; /* V-89 */
	buf_clear(&j->want_der);
	TRY(b64_decode(&j->want_der, B64_URL, span_str(value_b64), f));
	w->der = buf_view(&j->want_der);
	rc = pushed_read(r->store, j->plan.tenant, j->plan.name, k, &token, &why);
	if (rc == RC_OK)
		return offer_pushed(j, k, buf_view(&token), f);
	if (rc != RC_NOT_FOUND)
		log_fault(LEVEL_WARNING, "token_file", &why);
	return source_ask(&from, w, f);
}

/* D-31: a fresh token for each order, kept while it can still be used. */
enum rc
step_token(struct job *j, struct fault *f)
{
	if (step_has_token(j, TOKEN_NUMBERS)) {
		job_next(j);
		return RC_OK;
	}
	return request_token(j, TOKEN_NUMBERS, j->plan.authority, j->plan.tnauthlist, f);
}

enum rc
step_claims(struct job *j, struct fault *f)
{
	if (j->plan.constraints == NULL || step_has_token(j, TOKEN_CLAIMS)) {
		job_next(j);
		return RC_OK;
	}
	if (!step_has_token(j, TOKEN_NUMBERS)) {
		job_goto(j, RENEW_TOKEN);
		return RC_OK;
	}
	return request_token(j, TOKEN_CLAIMS, j->plan.claim_agent, j->plan.constraints, f);
}
