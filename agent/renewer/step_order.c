/* The order as a whole: made, finalized, looked at until its certificate is there. */
#include "agent/log.h"
#include "agent/renewer/rfc3339.h"
#include "agent/renewer/served.h"
#include "agent/renewer/star.h"
#include "agent/renewer/step.h"
#include "stir/b64.h"
#include "stir/jtext.h"
#include "stir/text.h"

/* ---- newOrder ---- */

static enum rc
take_authorizations(struct record *rec, const json_t *order, struct fault *f)
{
	const json_t *list = json_object_get(order, "authorizations");
	size_t n = json_array_size(list);

	if (!json_is_array(list) || n == 0 || n > RECORD_AUTHZ_MAX)
		return FAULT(f, RC_INVALID, "acme_order", "%zu authorizations", n);
	for (size_t i = 0; i < n; i++) {
		const char *url = json_string_value(json_array_get(list, i));

		if (url == NULL || !url_is_https(url))
			return FAULT(
			    f, RC_INVALID, "acme_order", "an authorization without URL");
		TRY(record_set(&rec->authz[i], url, f));
		rec->authzs = i + 1;
	}
	return RC_OK;
}

/* One that ignores what it was asked for would issue something else. */
static enum rc
check_profile(const struct job *j, const json_t *order, struct fault *f)
{
	const char *asked = j->slot->config->acme_profile;

	if (asked == NULL || jtext_is(order, "profile", asked))
		return RC_OK;
	return FAULT(f, RC_DENIED, "acme_profile", "ca %s: the order is not of profile '%.60s'",
	    j->slot->config->name, asked);
}

static enum rc
take_order(struct job *j, const struct acme_reply *reply, struct fault *f)
{
	const char *finalize = jtext_get(reply->json, "finalize");

	if (reply->http->location == NULL || finalize == NULL || !url_is_https(finalize))
		return FAULT(f, RC_INVALID, "acme_order", "an order without its URLs");
	TRY(check_profile(j, reply->json, f));
	TRY(star_take_order(j, reply->json, f));
	TRY(take_authorizations(&j->rec, reply->json, f));
	TRY(record_set(&j->rec.finalize, finalize, f));
	j->rec.expires_s = rfc3339_s(jtext_get(reply->json, "expires"));
	return record_set(&j->rec.order, reply->http->location, f);
}

static void
on_order(void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	struct job *j = arg;
	struct fault bad = { 0 };

	if (job_over(j))
		return;
	/* RFC 9773 section 5: refused for what it replaces, or for another cause: that shows. */
	if (j->replaces && (rc == RC_DENIED || rc == RC_NOT_FOUND)) {
		j->no_replaces = true;
		log_event(LEVEL_NOTICE, "order_without_replaces",
		    "tenant=%s credential=%s reason=%s", j->plan.tenant, j->plan.name,
		    f->reason);
		job_goto(j, RENEW_ORDER);
		return;
	}
	if (rc != RC_OK) {
		job_fail(j, rc, f, reply->retry_after_s);
		return;
	}
	rc = take_order(j, reply, &bad);
	if (rc != RC_OK) {
		record_drop_order(&j->rec);
		job_fail(j, rc, &bad, -1);
		return;
	}
	j->looks = 0;
	j->window.replaced = j->window.replaced || j->replaces;
	job_next(j);
}

/* base64url of what the claim agent granted: it is ordered octet for octet. */
static enum rc
granted_text(const struct job *j, char **out, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(RECORD_VALUE_MAX);

	if (j->plan.constraints == NULL)
		return RC_OK;
	b64_encode(&text, B64_URL, buf_view(&j->token[TOKEN_CLAIMS].der));
	TRY(buf_check(&text, f));
	*out = buf_steal(&text);
	return *out != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "order");
}

/* RFC 9773 section 5: where the CA knows of it, and what is ordered is the same again. */
static json_t *
replaced(struct job *j)
{
	j->replaces = j->plan.active && j->plan.as_configured && j->plan.ari_id[0] != 0 &&
		      !j->no_replaces && !j->window.replaced &&
		      acme_renewal_info(j->slot->acme) != NULL;
	return j->replaces ? json_string(j->plan.ari_id) : json_null();
}

enum rc
step_order(struct job *j, struct fault *f)
{
	struct acme_series series = star_wanted(j);
	AUTO_FREE char *granted = NULL;
	json_auto_t *op = NULL;

	if (!step_has_token(j, TOKEN_NUMBERS) ||
	    (j->plan.constraints != NULL && !step_has_token(j, TOKEN_CLAIMS))) {
		job_goto(j, RENEW_TOKEN);
		return RC_OK;
	}
	TRY(acme_offers(j->slot->acme, &series, f));
	TRY(granted_text(j, &granted, f));
	/* New tokens for an order that is there already, as long as they say the same. */
	if (j->rec.order != NULL && text_same(granted, j->rec.constraints)) {
		job_next(j);
		return RC_OK;
	}
	record_drop_order(&j->rec);
	j->rec.constraints = TAKE(granted);
	op = step_credential_op(j, "new-order");
	if (op == NULL || json_object_set_new(op, "replaces", replaced(j)) != 0 ||
	    (series.lifetime_s != 0 && json_object_set_new(op, "by_get",
					   json_boolean(acme_star_by_get(j->slot->acme))) != 0))
		return FAULT(f, RC_NO_MEMORY, "no_memory", "order");
	return acme_call(
	    j->slot->acme, acme_new_order_url(j->slot->acme), op, NULL, on_order, j, f);
}

/* ---- csr, finalize, poll ---- */

static void
on_csr(void *arg, enum rc rc, const json_t *result, const struct fault *f)
{
	struct job *j = arg;

	(void)result; /* the front keeps the request and finalizes with it */
	if (!step_is_done(j, rc, f, -1))
		job_next(j);
}

enum rc
step_csr(struct job *j, struct fault *f)
{
	json_auto_t *op = step_credential_op(j, "csr");

	if (op == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "csr");
	return j->renew->io->ask(j->renew->io->ctx, op, on_csr, j, f);
}

static enum rc
issued(struct job *j, const json_t *order, struct fault *f)
{
	const char *url = jtext_get(order, "certificate");

	if (j->rec.auto_end_s != 0)
		return star_begin(j, order, f);
	if (url == NULL || !url_is_https(url))
		return FAULT(f, RC_INVALID, "acme_order", "a valid order without certificate");
	TRY(served_take(j, order, f));
	TRY(record_set(&j->rec.certificate, url, f));
	job_goto(j, RENEW_DOWNLOAD);
	return RC_OK;
}

static enum rc
judge_order(struct job *j, const struct acme_reply *reply, struct fault *f)
{
	const json_t *order = reply->json;
	enum renew_state at = j->rec.state;

	if (jtext_is(order, "status", "valid"))
		return issued(j, order, f);
	if (jtext_is(order, "status", "invalid")) {
		step_order_over(j, json_object_get(order, "error"), "the order failed");
		return RC_OK;
	}
	j->unsaved = true; /* the state changes here: on disk before the next step */
	if (jtext_is(order, "status", "processing") || at == RENEW_FINALIZE) {
		j->rec.state = RENEW_POLL;
		job_look_again(j, reply->retry_after_s);
		return RC_OK;
	}
	/* The request was lost, or an authorization is not as valid as it looked. */
	j->rec.state = jtext_is(order, "status", "ready") ? RENEW_CSR : RENEW_CHALLENGE;
	j->authz_at = 0;
	j->answered = false;
	job_look_again(j, reply->retry_after_s);
	return RC_OK;
}

static void
on_order_seen(void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	step_judge(arg, rc, reply, f, judge_order, "acme_order");
}

enum rc
step_finalize(struct job *j, struct fault *f)
{
	json_auto_t *op =
	    json_pack("{s:s, s:s, s:s, s:s?}", "op", "finalize", "tenant", j->plan.tenant,
		"name", j->plan.name, "order", j->rec.auto_end_s != 0 ? j->rec.order : NULL);

	if (op == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "finalize");
	return acme_call(j->slot->acme, j->rec.finalize, op, NULL, on_order_seen, j, f);
}

enum rc
step_poll(struct job *j, struct fault *f)
{
	TRY(step_in_time(j, f));
	return step_look_at(j, j->rec.order, NULL, on_order_seen, f);
}
