/* The chain that was issued: fetched, chosen among alternates, and installed by the front. */
#include "agent/renewer/problem.h"
#include "agent/renewer/served.h"
#include "agent/renewer/step.h"
#include "stir/jtext.h"

/* ---- download ---- */

/* Does this chain lead to one of our anchors?  Only asked where there is a choice. */
static bool
leads_home(const struct job *j, struct span pem)
{
	const struct anchors *a = j->renew->set->trust_anchors;
	AUTO(chain) *c = NULL;

	return a == NULL || (chain_read_pem(pem, true, &c, NULL) == RC_OK &&
				chain_verify(c, a, job_now_s(j), NULL, NULL) == RC_OK);
}

static enum rc
take_alternates(struct job *j, const struct http_answer *http, struct fault *f)
{
	for (size_t i = 0; i < http->alternates; i++) {
		TRY(record_set(&j->alternate[j->alternates], http->alternate[i], f));
		j->alternates++;
	}
	return RC_OK;
}

enum rc
step_take_chain(struct job *j, const struct http_answer *http, struct fault *f)
{
	if (strcmp(http->content_type, HTTP_PEM_CHAIN) != 0)
		return FAULT(f, RC_INVALID, "acme_chain", "not " HTTP_PEM_CHAIN);
	if (http->body.len == 0 || http->body.len > RENEW_CHAIN_MAX)
		return FAULT(f, RC_INVALID, "acme_chain", "%zu bytes", http->body.len);
	buf_clear(&j->chain);
	buf_span(&j->chain, buf_view(&http->body));
	TRY(buf_check(&j->chain, f));
	return take_alternates(j, http, f);
}

/* What install is to be offered. */
static void
chosen(struct job *j)
{
	struct fault f = { 0 };
	enum rc rc = RC_OK;

	if (j->rec.x5u != NULL)
		rc = served_look(j, &f);
	else
		job_goto(j, RENEW_INSTALL);
	if (rc != RC_OK)
		job_fail(j, rc, &f, -1);
}

static void on_alternate(
    void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f);

/*
 * RFC 8555 section 7.4.2: another chain, if there is one left to look at; else
 * the first.  Not before all were seen: the one that leads home may be the one
 * that could not be had.
 */
static void
next_alternate(struct job *j)
{
	struct fault f = { 0 };

	while (j->alternate_at < j->alternates) {
		job_asks_more(j);
		if (step_look_at(j, j->alternate[j->alternate_at++], HTTP_PEM_CHAIN,
			on_alternate, &f) == RC_OK)
			return;
	}
	f = j->missed;
	if (f.rc != RC_OK)
		job_fail(j, f.rc, &f, -1);
	else
		chosen(j);
}

static void
note_missed(struct job *j, enum rc rc, const struct fault *f)
{
	/* One that is not there, or is none, is no better the next time. */
	if (problem_may_pass(rc) && rc != RC_NOT_FOUND && rc != RC_INVALID)
		j->missed = *f;
}

static void
on_alternate(void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	struct job *j = arg;

	if (job_over(j))
		return;
	if (rc != RC_OK)
		note_missed(j, rc, f);
	if (rc != RC_OK || !leads_home(j, buf_view(&reply->http->body))) {
		next_alternate(j);
		return;
	}
	buf_clear(&j->chain);
	buf_span(&j->chain, buf_view(&reply->http->body));
	chosen(j);
}

static void
on_chain(void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	struct job *j = arg;
	struct fault bad = { 0 };

	if (step_is_done(j, rc, f, reply->retry_after_s))
		return;
	rc = step_take_chain(j, reply->http, &bad);
	if (rc != RC_OK) {
		job_fail(j, rc, &bad, -1);
		return;
	}
	if (j->alternates > 0 && !leads_home(j, buf_view(&j->chain)))
		next_alternate(j);
	else
		chosen(j);
}

enum rc
step_download(struct job *j, struct fault *f)
{
	job_drop_alternates(j);
	return step_look_at(j, j->rec.certificate, HTTP_PEM_CHAIN, on_chain, f);
}

/* ---- install ---- */

static void
on_installed(void *arg, enum rc rc, const json_t *result, const struct fault *f)
{
	struct job *j = arg;
	const json_t *from = json_object_get(result, "not_before");
	const json_t *to = json_object_get(result, "not_after");
	const char *serial = jtext_get(result, "serial");

	if (job_over(j))
		return;
	if (rc != RC_OK) {
		/* Without an answer it may be in force: the plan says, before it is tried again. */
		if (problem_may_pass(rc)) {
			j->renew->plan_due = true;
			j->renew->plan_wake_ms = 0;
		}
		job_fail(j, rc, f, -1);
		return;
	}
	if (serial == NULL || strlen(serial) >= CERT_SERIAL_TEXT || !json_is_integer(from) ||
	    !json_is_integer(to)) {
		struct fault bad = { 0 };

		job_fail(j, FAULT(&bad, RC_INVALID, "channel", "install without validity"),
		    &bad, -1);
		return;
	}
	job_installed(j, serial, json_integer_value(from), json_integer_value(to),
	    jtext_get(result, "ari_id"));
}

enum rc
step_install(struct job *j, struct fault *f)
{
	const char *pem = buf_text(&j->chain);
	json_auto_t *op = NULL;

	if (pem == NULL || j->chain.len == 0)
		return FAULT(f, RC_BUG, "internal_error", "no chain to install");
	op = json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?}", "op", "install", "tenant",
	    j->plan.tenant, "name", j->plan.name, "chain", pem, "x5u", j->rec.x5u, "order",
	    j->rec.state == RENEW_SERIES ? j->rec.series.order : NULL);
	if (op == NULL)
		return FAULT(f, RC_INVALID, "acme_chain", "a chain that is not text");
	return j->renew->io->ask(j->renew->io->ctx, op, on_installed, j, f);
}
