#include "agent/renewer/star.h"

#include "agent/log.h"
#include "agent/renewer/problem.h"
#include "agent/renewer/rfc3339.h"
#include "agent/renewer/step.h"
#include "stir/jtext.h"

enum { LOOK_PPM = 500000, JITTER_PART = 12, AGAIN_PART = 16, AGAIN_MIN_MS = 1000 };

struct acme_series
star_wanted(const struct job *j)
{
	const struct config_credential *c = job_config(j);

	if (c == NULL)
		return (struct acme_series){ 0, 0 };
	return (struct acme_series){ c->star_lifetime_s, c->star_duration_s };
}

/* ---- an order ---- */

enum rc
star_take_order(struct job *j, const json_t *order, struct fault *f)
{
	struct acme_series asked = star_wanted(j);
	const json_t *series = json_object_get(order, "auto-renewal");
	const json_t *lifetime = json_object_get(series, "lifetime");
	int64_t end_s = rfc3339_s(jtext_get(series, "end-date"));

	j->rec.auto_end_s = 0;
	if (asked.lifetime_s == 0)
		return RC_OK;
	/* RFC 8739 section 3.1.1: a CA may adjust them; what is more than was asked for is not. */
	if (!json_is_integer(lifetime) || json_integer_value(lifetime) <= 0 ||
	    json_integer_value(lifetime) > asked.lifetime_s || end_s <= job_now_s(j) ||
	    end_s > job_now_s(j) + asked.duration_s + STAR_SLACK_S)
		return FAULT(f, RC_DENIED, "acme_star",
		    "ca %s: the order is no series as it was asked for", j->plan.ca);
	j->rec.auto_end_s = end_s;
	j->rec.auto_get = json_is_true(json_object_get(series, "allow-certificate-get"));
	return RC_OK;
}

enum rc
star_begin(struct job *j, const json_t *order, struct fault *f)
{
	const char *url = jtext_get(order, "star-certificate");
	struct record *rec = &j->rec;
	char *certificate, *where;

	if (url == NULL || !url_same_origin(j->slot->config->directory, url))
		return FAULT(
		    f, RC_INVALID, "acme_order", "a valid order without star-certificate");
	certificate = strdup(url);
	where = strdup(rec->order);
	if (certificate == NULL || where == NULL) {
		free(certificate);
		free(where);
		return FAULT(f, RC_NO_MEMORY, "no_memory", "order");
	}
	record_drop_series(rec);
	rec->series =
	    (struct record_series){ where, certificate, rec->auto_end_s, rec->auto_get, true };
	job_drop_order(j);
	job_goto(j, RENEW_SERIES);
	return RC_OK;
}

/* ---- when ---- */

bool
star_runs(const struct job *j)
{
	const struct record_series *s = &j->rec.series;

	return s->certificate != NULL && !s->fresh && j->plan.active &&
	       star_wanted(j).lifetime_s != 0 &&
	       j->plan.cert.not_after_s + STAR_SLACK_S < s->end_s;
}

/*
 * RFC 8739 section 3.3: the next one is there by the half of the life of the
 * present one, of which the CA's padding may have begun before it was installed.
 */
int64_t
star_look_at_s(const struct job *j)
{
	const struct schedule_cert *c = &j->plan.cert;
	int64_t start_s = schedule_start(c), life_s = c->not_after_s - start_s;

	if (life_s <= 0)
		return 0;
	return start_s + schedule_part(life_s, LOOK_PPM + j->jitter / JITTER_PART);
}

static bool
is_late(const struct job *j)
{
	return schedule_urgency(j->plan.active ? &j->plan.cert : NULL, job_now_s(j)) !=
	       URGENT_DUE;
}

bool
star_is_next(const struct job *j)
{
	const struct record *rec = &j->rec;

	return star_runs(j) && !j->asked && !is_late(j) &&
	       strcmp(rec->asked, j->plan.hash) == 0 &&
	       (j->plan.as_configured || strcmp(rec->installed, j->plan.serial) == 0);
}

/* ---- a look ---- */

static void
end_series(struct job *j, const char *why)
{
	log_event(LEVEL_NOTICE, "series_over", "tenant=%s credential=%s reason=%s",
	    j->plan.tenant, j->plan.name, why);
	record_drop_series(&j->rec);
	job_goto(j, RENEW_TOKEN);
}

/* The same one again is no failure: the CA has it until the half, or later. */
static void
look_later(struct job *j)
{
	const struct schedule_cert *c = &j->plan.cert;
	int64_t ms = (c->not_after_s - schedule_start(c)) * 1000 / AGAIN_PART;

	job_rest(j, ms > AGAIN_MIN_MS ? ms : AGAIN_MIN_MS);
}

static enum rc
take(struct job *j, const struct http_answer *http, bool *same, struct fault *f)
{
	AUTO(chain) *chain = NULL;

	TRY(step_take_chain(j, http, f));
	job_drop_alternates(j);
	TRY(chain_read_pem(buf_view(&j->chain), true, &chain, f));
	*same = j->plan.active && strcmp(chain->cert[0]->serial, j->plan.serial) == 0;
	return RC_OK;
}

static void
came(struct job *j, const struct http_answer *http)
{
	struct fault f = { 0 };
	bool same = false;
	enum rc rc = take(j, http, &same, &f);

	if (rc == RC_OK && same) {
		look_later(j);
		return;
	}
	if (rc == RC_OK)
		rc = step_install(j, &f);
	if (rc != RC_OK)
		job_fail(j, rc, &f, -1);
}

/* RFC 8739 sections 3.1.2 and 3.3: one that is over answers 403. */
static void
failed(struct job *j, enum rc rc, const struct fault *f, int64_t retry_after_s)
{
	bool account = strcmp(f->reason, "acme_no_account") == 0;

	if (account || (problem_may_pass(rc) && rc != RC_NOT_FOUND))
		job_fail(j, rc, f, retry_after_s);
	else if (j->rec.series.fresh) /* ordered a moment ago: not again at once */
		job_fail(j, RC_DENIED, f, -1);
	else
		end_series(j, f->reason);
}

static void
on_posted(void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	struct job *j = arg;

	if (job_over(j))
		return;
	if (rc == RC_OK)
		came(j, reply->http);
	else
		failed(j, rc, f, reply->retry_after_s);
}

static void
on_got(void *arg, enum rc rc, const struct http_answer *http, const struct fault *f)
{
	struct job *j = arg;
	struct fault bad = { 0 };

	if (job_over(j))
		return;
	if (rc == RC_OK && http->status != 200)
		rc = problem_of_answer(http->status, buf_view(&http->body), &bad);
	else if (rc != RC_OK)
		bad = *f;
	if (rc == RC_OK)
		came(j, http);
	else
		failed(j, rc, &bad, http != NULL ? http->retry_after_s : -1);
}

/* Section 3.4: without the account, where the order has it so. */
static enum rc
get(struct job *j, struct fault *f)
{
	const struct io *io = j->renew->io;

	if (!url_same_origin(j->slot->config->directory, j->rec.series.certificate))
		return FAULT(f, RC_DENIED, "acme_origin",
		    "ca %s: a series at another origin than its directory's", j->plan.ca);
	return io->http(io->ctx,
	    &(struct http_request){ .method = HTTP_GET,
		.url = j->rec.series.certificate,
		.tls_ca = j->slot->config->tls_ca,
		.accept = HTTP_PEM_CHAIN },
	    on_got, j, f);
}

enum rc
step_series(struct job *j, struct fault *f)
{
	if (!j->rec.series.fresh && is_late(j)) {
		end_series(j, "late");
		return RC_OK;
	}
	if (j->rec.series.get)
		return get(j, f);
	return step_look_at(j, j->rec.series.certificate, HTTP_PEM_CHAIN, on_posted, f);
}
