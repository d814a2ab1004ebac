#include "agent/renewer/step.h"

#include <assert.h>
#include <stdio.h>

#include "agent/log.h"
#include "agent/renewer/choose.h"
#include "agent/renewer/problem.h"
#include "agent/renewer/star.h"

const struct step step_table[] = {
	/* clang-format off */
	[RENEW_IDLE]      = { step_begin,     RENEW_TOKEN,     RENEW_IDLE },
	[RENEW_TOKEN]     = { step_token,     RENEW_CLAIMS,    RENEW_TOKEN },
	[RENEW_CLAIMS]    = { step_claims,    RENEW_ORDER,     RENEW_CLAIMS },
	[RENEW_ORDER]     = { step_order,     RENEW_CHALLENGE, RENEW_ORDER },
	[RENEW_CHALLENGE] = { step_challenge, RENEW_CSR,       RENEW_CHALLENGE },
	[RENEW_CSR]       = { step_csr,       RENEW_FINALIZE,  RENEW_CSR },
	[RENEW_FINALIZE]  = { step_finalize,  RENEW_POLL,      RENEW_POLL },
	[RENEW_POLL]      = { step_poll,      RENEW_DOWNLOAD,  RENEW_POLL },
	[RENEW_DOWNLOAD]  = { step_download,  RENEW_INSTALL,   RENEW_DOWNLOAD },
	[RENEW_INSTALL]   = { step_install,   RENEW_IDLE,      RENEW_DOWNLOAD },
	[RENEW_ISSUE]     = { step_issue,     RENEW_IDLE,      RENEW_ISSUE },
	[RENEW_SERIES]    = { step_series,    RENEW_IDLE,      RENEW_SERIES },
	/* clang-format on */
};
static_assert(ARRAY_LEN(step_table) == RENEW__COUNT, "a row per state");

enum rc
step_begin(struct job *j, struct fault *f)
{
	struct record *rec = &j->rec;
	bool series = star_is_next(j);

	(void)f;
	job_drop_order(j);
	if (!series)
		record_drop_series(rec);
	if (strcmp(rec->asked, j->plan.hash) != 0)
		rec->installed[0] = 0;
	snprintf(rec->asked, sizeof rec->asked, "%s", j->plan.hash);
	snprintf(rec->replacing, sizeof rec->replacing, "%s", j->plan.serial);
	log_event(LEVEL_NOTICE, "renewal_started", "tenant=%s credential=%s why=%s",
	    j->plan.tenant, j->plan.name,
	    j->asked		    ? "operator"
	    : !j->plan.active	    ? "first"
	    : series		    ? "series"
	    : j->plan.as_configured ? "due"
				    : "configuration");
	j->asked = j->no_replaces = false;
	if (j->slot->acme == NULL)
		job_goto(j, RENEW_ISSUE);
	else if (series)
		job_goto(j, RENEW_SERIES);
	else
		job_next(j);
	return RC_OK;
}

/* ---- what the steps share ---- */

/* D-33 */
const char *
step_constraints_type(const struct job *j)
{
	const struct config_ca *ca = j->slot->config;

	return j->plan.form == CONSTRAINTS_ENHANCED ? ca->enhanced_type : ca->constraints_type;
}

bool
step_has_token(const struct job *j, enum token_kind k)
{
	return j->token[k].token != NULL && j->token[k].exp_s > job_now_s(j) + AUTHTOK_MARGIN_S;
}

bool
step_is_done(struct job *j, enum rc rc, const struct fault *f, int64_t retry_after_s)
{
	if (job_over(j))
		return true;
	if (rc != RC_OK)
		job_fail(j, rc, f, retry_after_s);
	return rc != RC_OK;
}

void
step_judge(struct job *j, enum rc rc, const struct acme_reply *reply, const struct fault *f,
    step_judge_fn *judge, const char *reason)
{
	struct fault bad = { 0 };

	if (step_is_done(j, rc, f, reply->retry_after_s))
		return;
	rc = reply->json != NULL ? judge(j, reply, &bad)
				 : FAULT(&bad, RC_INVALID, reason, "not JSON");
	if (rc != RC_OK)
		job_fail(j, rc, &bad, -1);
}

void
step_order_over(struct job *j, const json_t *error, const char *what)
{
	struct fault f = { 0 };
	enum rc rc;

	if (json_is_object(error))
		rc = problem_of_object(error, 403, &f);
	else
		rc = FAULT(&f, RC_NET, "acme_order_invalid", "%s", what);
	choose_answered(j); /* it is the order that failed, not the CA */
	job_drop_order(j);
	j->rec.state = RENEW_TOKEN;
	job_fail(j, rc, &f, -1);
}

json_t *
step_credential_op(const struct job *j, const char *op)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s?}", "op", op, "tenant", j->plan.tenant,
	    "name", j->plan.name, "tnauthlist", j->plan.tnauthlist, "constraints",
	    j->rec.constraints);
}

enum rc
step_look_at(
    struct job *j, const char *url, const char *accept, acme_done *done, struct fault *f)
{
	json_auto_t *op = json_pack("{s:s}", "op", "post-as-get");

	if (op == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "post-as-get");
	return acme_call(j->slot->acme, url, op, accept, done, j, f);
}

enum rc
step_in_time(const struct job *j, struct fault *f)
{
	if (j->rec.expires_s == 0 || job_now_s(j) < j->rec.expires_s)
		return RC_OK;
	return FAULT(f, RC_NOT_FOUND, "acme_order_expired", "the order has expired");
}
