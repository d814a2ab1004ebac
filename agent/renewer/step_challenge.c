/* An order's authorizations, one after the other, and the challenges in them. */
#include "agent/renewer/domain.h"
#include "agent/renewer/step.h"
#include "stir/jtext.h"

static bool
is_domain(const struct job *j, const json_t *authz)
{
	const json_t *id = json_object_get(authz, "identifier");

	return j->plan.domain[0] != 0 && jtext_is(id, "type", "dns") &&
	       jtext_is(id, "value", j->plan.domain);
}

static bool
is_ours(const struct job *j, const json_t *authz, const json_t *challenge)
{
	if (is_domain(j, authz))
		return jtext_is(
		    challenge, "type", config_domain_name(j->slot->config->domain_challenge));
	return jtext_is(challenge, "type", "tkauth-01") &&
	       jtext_is(challenge, "tkauth-type", "atc");
}

static const json_t *
find_challenge(const struct job *j, const json_t *authz)
{
	const json_t *list = json_object_get(authz, "challenges"), *c;
	size_t i;

	json_array_foreach (list, i, c) {
		if (is_ours(j, authz, c))
			return c;
	}
	return NULL;
}

/* The token for the identifier of an authorization; it must be one that was ordered. */
static enum rc
kind_of(const struct job *j, const json_t *authz, enum token_kind *out, struct fault *f)
{
	const json_t *id = json_object_get(authz, "identifier");

	if (jtext_is(id, "type", AUTHTOK_TNAUTHLIST) &&
	    jtext_is(id, "value", j->plan.tnauthlist))
		*out = TOKEN_NUMBERS;
	else if (jtext_is(id, "type", step_constraints_type(j)) &&
		 jtext_is(id, "value", j->rec.constraints))
		*out = TOKEN_CLAIMS;
	else
		return FAULT(f, RC_DENIED, "acme_identifier",
		    "the CA wants an authorization that was not ordered");
	return RC_OK;
}

/* ---- answering ---- */

static void
on_answered(void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	struct job *j = arg;

	/* It may have arrived: the next look says. */
	if (step_is_done(j, rc, f, reply->retry_after_s))
		return;
	j->answered = true;
	j->polls = 0;
	job_look_again(j, reply->retry_after_s);
}

static enum rc
post_answer(struct job *j, const char *url, const char *token, struct fault *f)
{
	json_auto_t *op = json_pack("{s:s, s:s?}", "op", "challenge", "token", token);

	if (op == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "challenge");
	job_asks_more(j);
	return acme_call(j->slot->acme, url, op, NULL, on_answered, j, f);
}

/* A domain is shown by a command; what it says is of no interest, how it ends is. */
static void
on_presented(void *arg, enum rc rc, struct span output, const struct fault *f)
{
	struct job *j = arg;
	struct fault bad = { 0 };

	(void)output;
	if (rc == RC_BUSY) /* it was not run */
		cleanup_free(TAKE(j->cleanup));
	if (job_over(j))
		return;
	/* Each present has its cleanup: whatever it did, the next begins from nothing. */
	if (rc != RC_OK) {
		job_cleanup(j);
		j->alone = true; /* the command's failure is no word about the CA */
		job_fail(j, rc, f, -1);
		j->alone = false;
		return;
	}
	rc = post_answer(j, j->challenge, NULL, &bad);
	if (rc != RC_OK)
		job_fail(j, rc, &bad, -1);
}

/*
 * The CA looks at any moment from the first answer on: what is shown stays
 * until it has decided, and is never taken away beside being put there.
 */
static enum rc
present(struct job *j, const json_t *challenge, const char *url, struct fault *f)
{
	const struct io *io = j->renew->io;
	const struct config_ca *ca = j->slot->config;
	struct domain_proof p = { ca->domain_challenge, j->plan.domain,
		jtext_get(challenge, "token"), acme_account(j->slot->acme)->point };
	AUTO_BUF task = BUF_INIT(DOMAIN_TASK_MAX);
	AUTO(cleanup) *cleanup = NULL;

	TRY(cleanup_new(ca->name, &p, &cleanup, f));
	TRY(record_set(&j->challenge, url, f));
	if (j->cleanup != NULL && cleanup_same(j->cleanup, cleanup))
		return post_answer(j, url, NULL, f);
	job_cleanup(j);
	if (cleanups_has(j->renew->cleanups, cleanup)) {
		job_look_again(j, -1);
		return RC_OK;
	}
	TRY(domain_task(&task, DOMAIN_PRESENT, &p, f));
	TRY(io->run(io->ctx, HOOK_DOMAIN, ca->name, buf_view(&task), job_is_wanted,
	    on_presented, j, f));
	j->cleanup = TAKE(cleanup);
	return RC_OK;
}

static enum rc
answer(struct job *j, const json_t *authz, const char *url, struct fault *f)
{
	enum token_kind k = TOKEN_NUMBERS;

	TRY(kind_of(j, authz, &k, f));
	if (!step_has_token(j, k)) {
		job_goto(j, RENEW_TOKEN); /* the order stays */
		return RC_OK;
	}
	return post_answer(j, url, j->token[k].token, f);
}

/* ---- looking ---- */

static enum rc
pending(struct job *j, const json_t *authz, int64_t retry_after_s, struct fault *f)
{
	const json_t *c = find_challenge(j, authz);
	const char *url = jtext_get(c, "url");
	bool domain = is_domain(j, authz);

	if (c == NULL || url == NULL)
		return FAULT(f, RC_DENIED, "acme_challenge", "the CA offers no %s challenge",
		    domain ? config_domain_name(j->slot->config->domain_challenge)
			   : "tkauth-01 (atc)");
	if (jtext_is(c, "status", "invalid")) {
		step_order_over(j, json_object_get(c, "error"), "challenge failed");
		return RC_OK;
	}
	/* One that stays pending did not take the answer: a few looks later it gets it again. */
	if (jtext_is(c, "status", "pending") &&
	    (!j->answered || j->polls >= RENEW_ANSWER_LOOKS))
		return domain ? present(j, c, url, f) : answer(j, authz, url, f);
	job_look_again(j, retry_after_s);
	return RC_OK;
}

static enum rc
judge_authz(struct job *j, const struct acme_reply *reply, struct fault *f)
{
	const json_t *authz = reply->json;

	if (jtext_is(authz, "status", "pending"))
		return pending(j, authz, reply->retry_after_s, f);
	if (!jtext_is(authz, "status", "valid")) {
		step_order_over(j, json_object_get(find_challenge(j, authz), "error"),
		    "authorization failed");
		return RC_OK;
	}
	job_cleanup(j);
	j->answered = false;
	j->polls = 0;
	if (++j->authz_at < j->rec.authzs)
		job_goto(j, RENEW_CHALLENGE);
	else
		job_next(j);
	return RC_OK;
}

static void
on_authz(void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	step_judge(arg, rc, reply, f, judge_authz, "acme_authz");
}

enum rc
step_challenge(struct job *j, struct fault *f)
{
	TRY(step_in_time(j, f));
	if (j->authz_at >= j->rec.authzs)
		return FAULT(f, RC_BUG, "internal_error", "authorization %zu", j->authz_at);
	return step_look_at(j, j->rec.authz[j->authz_at], NULL, on_authz, f);
}
