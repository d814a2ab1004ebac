#include "agent/renewer/renewinfo.h"

#include <stdio.h>

#include "agent/log.h"
#include "agent/renewer/jobs.h"
#include "agent/renewer/problem.h"
#include "agent/renewer/renew_parts.h"
#include "agent/renewer/star.h"

/* What was asked about; the job may be gone, or renewed, when the answer comes. */
struct question {
	struct renew *renew;
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
	char serial[CERT_SERIAL_TEXT];
};

static void
take_window(struct job *j, const struct ari_window *w, int64_t retry_after_s, const char *why)
{
	bool same = j->window.at.start_s == w->start_s && j->window.at.end_s == w->end_s;

	j->window.failures = 0;
	j->window.ask_ms = renew_now_ms(j->renew) + ari_poll_ms(retry_after_s);
	j->window.at = *w;
	if (same)
		return;
	job_schedule(j);
	log_event(LEVEL_INFO, "renewal_window",
	    "tenant=%s credential=%s start=%lld end=%lld renew_at=%lld why=\"%s\"",
	    j->plan.tenant, j->plan.name, (long long)w->start_s, (long long)w->end_s,
	    (long long)j->renew_at_s, why);
}

/* What is known stays; without any, the moment is that of the lifetime. */
static void
no_window(struct job *j, enum rc rc, int64_t retry_after_s, const struct fault *f)
{
	bool passes = rc != RC_INVALID && rc != RC_NOT_FOUND && problem_may_pass(rc);
	int64_t now = renew_now_ms(j->renew), left_s = plan_remaining_s(&j->plan, now / 1000);
	int64_t wait_ms = ari_failed_ms(++j->window.failures, passes, left_s, j->jitter);

	if (retry_after_s >= 0 && ari_poll_ms(retry_after_s) > wait_ms)
		wait_ms = ari_poll_ms(retry_after_s);
	j->window.ask_ms = now + wait_ms;
	log_event(LEVEL_WARNING, "renewal_window_failed",
	    "tenant=%s credential=%s reason=%s detail=\"%s\"", j->plan.tenant, j->plan.name,
	    f->reason, f->detail);
}

static void
on_window(void *arg, enum rc rc, const struct http_answer *http, const struct fault *f)
{
	AUTO_FREE struct question *q = arg;
	struct job *j = jobs_find(q->renew, q->tenant, q->name);
	struct ari_window w = { 0 };
	struct fault bad = { 0 };
	char why[PROBLEM_TEXT];

	q->renew->windows--;
	if (q->renew->stopping || j == NULL || strcmp(j->window.serial, q->serial) != 0)
		return;
	j->window.asked = false;
	if (rc != RC_OK)
		bad = *f;
	else
		rc = ari_read(http, &w, why, &bad);
	if (rc == RC_OK)
		take_window(j, &w, http->retry_after_s, why);
	else
		no_window(j, rc, http != NULL ? http->retry_after_s : -1, &bad);
}

/* RFC 9773 section 4.1: an unauthenticated GET of the base and the identifier. */
static enum rc
ask(struct job *j, const struct ca_slot *slot, const char *base, struct fault *f)
{
	AUTO_FREE struct question *q = calloc(1, sizeof *q);
	size_t len = strlen(base);
	char url[HTTP_URL_MAX + 1];
	int n = snprintf(url, sizeof url, "%s%s%s", base,
	    len > 0 && base[len - 1] == '/' ? "" : "/", j->plan.ari_id);

	if (n < 0 || n >= (int)sizeof url)
		return FAULT(f, RC_DENIED, "ari_url", "longer than %d bytes", HTTP_URL_MAX);
	if (q == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "renewal information");
	q->renew = j->renew;
	snprintf(q->tenant, sizeof q->tenant, "%s", j->plan.tenant);
	snprintf(q->name, sizeof q->name, "%s", j->plan.name);
	snprintf(q->serial, sizeof q->serial, "%s", j->plan.serial);
	TRY(j->renew->io->http(j->renew->io->ctx,
	    &(struct http_request){ .method = HTTP_GET,
		.url = url,
		.tls_ca = slot->config->tls_ca,
		.accept = "application/json",
		.body_max = ARI_BODY_MAX },
	    on_window, q, f));
	q = NULL; /* on_window() has it */
	return RC_OK;
}

/* Of what is in force, and no longer once it is being replaced (RFC 9773 section 4.3). */
static bool
is_asked(const struct job *j, int64_t now)
{
	return j->plan.active && j->plan.ari_id[0] != 0 && !star_runs(j) &&
	       j->rec.state == RENEW_IDLE && !j->window.asked &&
	       now / 1000 < j->plan.cert.not_after_s;
}

/* By name: a question outlives the settings it began with. */
static void
count_windows(struct renew *r)
{
	for (size_t i = 0; i < r->set->cas; i++)
		r->set->ca[i].windows = 0;
	for (size_t i = 0; i < r->jobs; i++) {
		struct ca_slot *slot =
		    r->job[i]->window.asked ? settings_ca(r->set, r->job[i]->plan.ca) : NULL;

		if (slot != NULL)
			slot->windows++;
	}
}

/* True where a question is under way for it now. */
static bool
ask_if_due(struct job *j, int64_t now, int64_t *wake_ms)
{
	struct ca_slot *slot = NULL;
	const char *base = NULL;
	struct fault f = { 0 };
	enum rc rc;

	if (!is_asked(j, now))
		return false;
	if (j->window.ask_ms > now) {
		*wake_ms = j->window.ask_ms < *wake_ms ? j->window.ask_ms : *wake_ms;
		return false;
	}
	slot = settings_ca(j->renew->set, j->plan.ca);
	base = slot != NULL && slot->acme != NULL ? acme_renewal_info(slot->acme) : NULL;
	if (base == NULL || slot->windows >= RENEW_CA_WINDOWS)
		return false;
	rc = ask(j, slot, base, &f);
	if (rc != RC_OK) {
		no_window(j, rc, -1, &f);
		return false;
	}
	j->window.asked = true;
	slot->windows++;
	return true;
}

/* One CA that hangs keeps its own few; behind whom was asked about last, so all have a turn. */
void
renewinfo_run(struct renew *r, int64_t now, int64_t *wake_ms)
{
	size_t first = r->jobs > 0 ? r->window_at % r->jobs : 0;

	count_windows(r);
	for (size_t i = 0; i < r->jobs && r->windows < RENEW_WINDOWS; i++) {
		size_t at = (first + i) % r->jobs;

		if (!ask_if_due(r->job[at], now, wake_ms))
			continue;
		r->windows++;
		r->window_at = at + 1;
	}
}
