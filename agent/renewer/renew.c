#include "agent/renewer/renew.h"

#include <assert.h>
#include <stdio.h>

#include "agent/log.h"
#include "agent/release.h"
#include "agent/renewer/fetch.h"
#include "agent/renewer/job.h"
#include "agent/renewer/star.h"

static const struct {
	enum rc (*start)(struct job *j, struct fault *f);
	enum renew_state next; /* after success */
	enum renew_state back; /* after a failure that may pass */
} steps[] = {
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
static_assert(ARRAY_LEN(steps) == RENEW__COUNT, "a row per state");

static int64_t
now_ms(const struct renew *r)
{
	return r->io->now_ms(r->io->ctx);
}

/* ---- one job ---- */

void
job_drop_tokens(struct job *j)
{
	for (size_t i = 0; i < TOKEN__COUNT; i++)
		authtok_grant_done(&j->token[i]);
}

void
job_drop_alternates(struct job *j)
{
	for (size_t i = 0; i < j->alternates; i++) {
		free(j->alternate[i]);
		j->alternate[i] = NULL;
	}
	j->alternates = j->alternate_at = 0;
}

static void
drop_chain(struct job *j)
{
	buf_free(&j->chain);
	job_drop_alternates(j);
}

void
job_drop_order(struct job *j)
{
	job_drop_tokens(j);
	drop_chain(j);
	job_cleanup(j);
	record_drop_order(&j->rec);
	j->authz_at = 0;
	j->answered = false;
	j->looks = 0;
}

static void
job_free(struct job *j)
{
	if (j == NULL)
		return;
	job_drop_order(j);
	record_done(&j->rec);
	plan_done(&j->plan);
	buf_free(&j->want_der);
	free(j->challenge);
	free(j);
}

static void
set_problem(struct job *j, const char *text)
{
	if (strcmp(j->rec.problem, text) == 0)
		return;
	snprintf(j->rec.problem, sizeof j->rec.problem, "%s", text);
	j->report = true;
}

/* False when the disk does not take it: then nothing is acted on. */
static bool
save(struct job *j)
{
	AUTO_BUF text = BUF_INIT(STORE_FILE_MAX);
	char file[2 * CONFIG_NAME_MAX + 2];
	struct fault f = { 0 };
	enum rc rc = record_write(&text, &j->rec, &f);

	record_file(file, j->plan.tenant, j->plan.name);
	if (rc == RC_OK)
		rc = store_write(j->renew->store, STORE_ORDERS, file, buf_view(&text), &f);
	j->unsaved = rc != RC_OK;
	if (rc == RC_OK)
		return true;
	log_event(LEVEL_ERR, "renewal_not_recorded", "tenant=%s credential=%s detail=\"%s\"",
	    j->plan.tenant, j->plan.name, f.detail);
	return false;
}

static void
release_slot(struct job *j)
{
	if (j->busy) {
		lane_give(j->lane);
		j->set->busy--;
	}
	j->busy = false;
	j->set = NULL;
	j->slot = NULL;
	j->lane = NULL;
}

static void
log_state(const struct job *j, const char *event, enum log_level level)
{
	log_event(level, event, "tenant=%s credential=%s state=%s", j->plan.tenant,
	    j->plan.name, renew_state_name(j->rec.state));
}

static void
enter(struct job *j, enum renew_state s, int64_t wake_ms)
{
	j->report = j->report || j->rec.state != s;
	j->rec.state = s;
	j->rec.wake_ms = wake_ms;
	release_slot(j);
	(void)save(j); /* else before the next step */
}

void
job_goto(struct job *j, enum renew_state s)
{
	choose_answered(j);
	j->busies = 0;
	if (s != j->rec.state)
		j->polls = 0;
	if (s != RENEW_CHALLENGE || j->rec.state != RENEW_CHALLENGE) {
		j->authz_at = 0;
		j->answered = false;
	}
	enter(j, s, 0);
	log_state(j, "renewal", LEVEL_INFO);
}

void
job_next(struct job *j)
{
	job_goto(j, steps[j->rec.state].next);
}

void
job_look_again(struct job *j, int64_t retry_after_s)
{
	struct fault f = { 0 };

	choose_answered(j);
	if (++j->looks > RENEW_ORDER_LOOKS) {
		job_fail(j,
		    FAULT(&f, RC_NOT_FOUND, "acme_poll_limit", "the order does not end"), &f,
		    -1);
		return;
	}
	/* Only the moment changes: not worth a write. */
	j->rec.wake_ms = now_ms(j->renew) + schedule_poll_ms(j->polls++, retry_after_s);
	release_slot(j);
}

void
job_rest(struct job *j, int64_t wait_ms)
{
	choose_answered(j);
	drop_chain(j);
	j->rec.attempt = 0;
	set_problem(j, "");
	enter(j, RENEW_IDLE, now_ms(j->renew) + wait_ms);
}

void
job_asks_more(struct job *j)
{
	if (j->lane != NULL)
		lane_asked(j->lane, now_ms(j->renew));
}

static void
reset(struct job *j)
{
	job_drop_order(j);
	set_problem(j, "");
	j->restart = false;
	j->rec.attempt = 0;
	enter(j, RENEW_IDLE, 0);
}

bool
job_over(struct job *j)
{
	if (j->gone) {
		release_slot(j);
		job_free(j);
		return true;
	}
	if (j->renew->stopping) {
		release_slot(j);
		return true;
	}
	if (!j->restart)
		return false;
	release_slot(j);
	reset(j);
	return true;
}

static void
problem_of_fault(struct job *j, const struct fault *f)
{
	char text[sizeof f->reason + sizeof f->detail + 32], clean[PROBLEM_TEXT];

	snprintf(text, sizeof text, "%s: %s%s", f->reason, f->detail,
	    problem_may_pass(f->rc) ? "; tried again by itself" : "");
	problem_text(clean, text);
	set_problem(j, clean);
}

/* What trying again does not cure: the order ends, an operator is told. */
static void
alarm_on(struct job *j, const struct fault *f)
{
	enum renew_state at = j->rec.state;
	int64_t now = now_ms(j->renew), wait_ms;

	j->rec.alarms++;
	j->rec.attempt = 0;
	wait_ms = schedule_alarm_ms(j->rec.alarms, plan_remaining_s(&j->plan, now / 1000));
	job_drop_order(j);
	enter(j, RENEW_IDLE, now + wait_ms);
	log_event(LEVEL_ERR, "renewal_refused",
	    "tenant=%s credential=%s state=%s problem=\"%s\" reason=%s retry_s=%lld",
	    j->plan.tenant, j->plan.name, renew_state_name(at), j->rec.problem, f->reason,
	    (long long)(wait_ms / 1000));
}

/* No place for a command: it is nobody's failure, and does not count as one. */
static bool
is_busy(const struct fault *f)
{
	return strcmp(f->reason, "command_busy") == 0;
}

/* The token's process is away: nobody outside was asked, so nobody is spared by waiting. */
static bool
is_local(const struct fault *f)
{
	return is_busy(f) || fault_is(f, REASON_HSM_UNAVAILABLE);
}

static int64_t
backoff_ms(struct job *j, const struct fault *f, int64_t left_s)
{
	if (is_busy(f))
		return schedule_local_ms(++j->busies, left_s, j->jitter);
	j->rec.attempt++;
	return is_local(f) ? schedule_local_ms(j->rec.attempt, left_s, j->jitter)
			   : schedule_backoff_ms(j->rec.attempt, left_s, j->jitter);
}

static void
back_off(struct job *j, enum rc rc, const struct fault *f, int64_t retry_after_s)
{
	enum renew_state at = j->rec.state, back = steps[at].back;
	int64_t now = now_ms(j->renew), asked_ms;
	int64_t wait_ms = backoff_ms(j, f, plan_remaining_s(&j->plan, now / 1000));

	asked_ms = retry_after_s >= 0 ? schedule_poll_ms(0, retry_after_s) : 0;
	if (asked_ms > wait_ms)
		wait_ms = asked_ms;
	/* What was asked for is gone, or never gets better: begin again with a new order. */
	if (j->rec.order != NULL &&
	    (rc == RC_NOT_FOUND ||
		(!is_local(f) && j->rec.attempt % RENEW_ORDER_ATTEMPTS == 0))) {
		job_drop_order(j);
		back = RENEW_TOKEN;
	}
	j->polls = 0;
	enter(j, back, now + wait_ms);
	log_event(LEVEL_WARNING, "renewal_delayed",
	    "tenant=%s credential=%s state=%s problem=\"%s\" reason=%s attempt=%u "
	    "retry_ms=%lld",
	    j->plan.tenant, j->plan.name, renew_state_name(at), j->rec.problem, f->reason,
	    j->rec.attempt, (long long)wait_ms);
}

void
job_fail(struct job *j, enum rc rc, const struct fault *f, int64_t retry_after_s)
{
	problem_of_fault(j, f);
	if (!is_local(f))
		choose_failed(j, rc);
	if (problem_may_pass(rc))
		back_off(j, rc, f, retry_after_s);
	else
		alarm_on(j, f);
	j->report = true;
}

/* D-43: of a series, else what the CA suggests, else a moment by the lifetime. */
static int64_t
renew_at_s(const struct job *j)
{
	if (!j->plan.active)
		return 0;
	if (star_runs(j))
		return star_look_at_s(j);
	return j->window.at.start_s != 0 ? ari_renew_at(&j->window.at, &j->plan.cert, j->jitter)
					 : schedule_renew_at(&j->plan.cert, j->jitter);
}

void
job_schedule(struct job *j)
{
	/* A window is one certificate's. */
	if (strcmp(j->window.serial, j->plan.serial) != 0) {
		j->window = (struct job_window){ 0 };
		snprintf(j->window.serial, sizeof j->window.serial, "%s", j->plan.serial);
	}
	j->jitter = schedule_jitter(j->plan.tenant, j->plan.name, j->plan.serial);
	j->renew_at_s = renew_at_s(j);
	j->report = true;
}

void
job_installed(struct job *j, const char *serial, int64_t not_before_s, int64_t not_after_s,
    const char *ari_id)
{
	struct record *rec = &j->rec;

	job_drop_order(j);
	rec->attempt = rec->alarms = 0;
	rec->series.fresh = false;
	set_problem(j, "");
	snprintf(rec->installed, sizeof rec->installed, "%s", serial);
	snprintf(j->plan.serial, sizeof j->plan.serial, "%s", serial);
	plan_set_ari_id(&j->plan, ari_id);
	j->plan.active = j->plan.as_configured = true;
	j->plan.cert = (struct schedule_cert){ .not_before_s = not_before_s,
		.not_after_s = not_after_s,
		.installed_s = now_ms(j->renew) / 1000 };
	j->newer = j->renew->plan_busy;
	j->renew->spread_due = true;
	job_schedule(j);
	enter(j, RENEW_IDLE, 0);
	log_event(LEVEL_NOTICE, "renewed",
	    "tenant=%s credential=%s serial=%s not_after=%lld renew_at=%lld", j->plan.tenant,
	    j->plan.name, serial, (long long)not_after_s, (long long)j->renew_at_s);
}

/* ---- which jobs there are ---- */

static int
key_order(const struct job *j, const char *tenant, const char *name)
{
	int by_tenant = strcmp(j->plan.tenant, tenant);

	return by_tenant != 0 ? by_tenant : strcmp(j->plan.name, name);
}

struct job *
job_find(const struct renew *r, const char *tenant, const char *name)
{
	size_t lo = 0, hi = r->jobs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int order = key_order(r->job[mid], tenant, name);

		if (order == 0)
			return r->job[mid];
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* A record that cannot be read is no reason to stand still: the renewal begins again. */
static void
load_record(struct job *j)
{
	AUTO_BUF text = BUF_INIT(STORE_FILE_MAX);
	char file[2 * CONFIG_NAME_MAX + 2];
	struct fault f = { 0 };
	enum rc rc;

	record_init(&j->rec, j->plan.tenant, j->plan.name);
	record_file(file, j->plan.tenant, j->plan.name);
	rc = store_read(j->renew->store, STORE_ORDERS, file, &text, &f);
	if (rc == RC_NOT_FOUND)
		return;
	if (rc == RC_OK)
		rc = record_read(&j->rec, buf_view(&text), &f);
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "renewal_record", &f);
}

/* Tokens and the chain were in memory only; what the plan overtook is begun again. */
static void
resume(struct job *j)
{
	struct record *rec = &j->rec;

	if (rec->state == RENEW_IDLE)
		return;
	if (strcmp(rec->asked, j->plan.hash) != 0 ||
	    strcmp(rec->replacing, j->plan.serial) != 0) {
		record_drop_order(rec);
		rec->state = RENEW_IDLE;
		rec->wake_ms = 0;
		rec->problem[0] = 0;
		return;
	}
	if (rec->state < RENEW_CHALLENGE)
		rec->state = RENEW_TOKEN;
	/* The request may have arrived: the order says. */
	if (rec->state == RENEW_FINALIZE)
		rec->state = RENEW_POLL;
	if (rec->state == RENEW_INSTALL)
		rec->state = RENEW_DOWNLOAD;
	log_state(j, "renewal_resumed", LEVEL_NOTICE);
}

static struct job *
new_job(struct renew *r, struct plan *plan)
{
	struct job *j = calloc(1, sizeof *j);

	if (j == NULL)
		return NULL;
	j->renew = r;
	j->plan = *plan;
	*plan = (struct plan){ 0 };
	j->chain = BUF_INIT(HTTP_BODY_MAX);
	j->want_der = BUF_INIT(RECORD_VALUE_MAX);
	j->seen_ms = now_ms(r);
	load_record(j);
	resume(j);
	job_schedule(j);
	return j;
}

/* The plan's word about a credential that is known already. */
static void
replan(struct job *j, struct plan *plan)
{
	bool changed = strcmp(j->plan.hash, plan->hash) != 0;
	bool other = strcmp(j->plan.serial, plan->serial) != 0;

	if (j->newer) {
		memcpy(plan->serial, j->plan.serial, sizeof plan->serial);
		memcpy(plan->ari_id, j->plan.ari_id, sizeof plan->ari_id);
		plan->cert = j->plan.cert;
		plan->active = plan->as_configured = true;
		j->newer = false;
		j->renew->plan_due = true;
	}
	plan_done(&j->plan);
	j->plan = *plan;
	*plan = (struct plan){ 0 };
	job_schedule(j);
	/* Whoever changed the configuration wants it tried now. */
	if (changed && j->rec.state == RENEW_IDLE) {
		j->rec.wake_ms = 0;
		j->rec.alarms = 0;
	}
	/* What was wrong was about what is no longer asked for or replaced. */
	if ((changed || other) && j->rec.state == RENEW_IDLE)
		set_problem(j, "");
	if (j->rec.state == RENEW_IDLE ||
	    (!changed && strcmp(j->rec.replacing, j->plan.serial) == 0))
		return;
	if (j->busy)
		j->restart = true;
	else
		reset(j);
}

static void
remove_job(struct job *j)
{
	char file[2 * CONFIG_NAME_MAX + 2], token[TOKEN_FILE_NAME];
	struct fault f = { 0 };

	record_file(file, j->plan.tenant, j->plan.name);
	if (store_remove(j->renew->store, STORE_ORDERS, file, &f) != RC_OK)
		log_fault(LEVEL_WARNING, "renewal_record", &f);
	for (enum token_kind k = 0; k < TOKEN__COUNT; k++) {
		token_file(token, j->plan.tenant, j->plan.name, k);
		if (store_remove(j->renew->store, STORE_TOKENS, token, &f) != RC_OK)
			log_fault(LEVEL_WARNING, "token_file", &f);
	}
	log_state(j, "renewal_withdrawn", LEVEL_NOTICE);
	j->gone = true;
	if (!j->busy)
		job_free(j);
}

struct keep {
	char (*name)[2 * CONFIG_NAME_MAX + 2];
	size_t n;
};

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool
is_kept(void *arg, const char *name)
{
	const struct keep *k = arg;

	return strlen(name) < sizeof k->name[0] &&
	       bsearch(name, k->name, k->n, sizeof k->name[0], by_text) != NULL;
}

/* Of a token's file: the record's name and two characters. */
static bool
is_token_kept(void *arg, const char *name)
{
	char file[TOKEN_FILE_NAME];
	size_t len = strlen(name);

	if (len < 3 || len >= sizeof file)
		return false;
	snprintf(file, sizeof file, "%.*s", (int)(len - 2), name);
	return is_kept(arg, file);
}

/* Once after a start: records of credentials that are no longer planned. */
static void
sweep(struct renew *r)
{
	struct keep k = { .name = calloc(r->jobs + 1, sizeof *k.name), .n = r->jobs };
	struct fault f = { 0 };

	if (k.name == NULL)
		return;
	for (size_t i = 0; i < r->jobs; i++)
		record_file(k.name[i], r->job[i]->plan.tenant, r->job[i]->plan.name);
	qsort(k.name, k.n, sizeof k.name[0], by_text);
	if (store_sweep(r->store, STORE_ORDERS, is_kept, &k, &f) != RC_OK ||
	    store_sweep(r->store, STORE_TOKENS, is_token_kept, &k, &f) != RC_OK)
		log_fault(LEVEL_WARNING, "renewal_record", &f);
	free(k.name);
	r->swept = true;
}

static int
by_plan(const void *a, const void *b)
{
	return plan_order(a, b);
}

/* Takes what stays or is new over into list; both sides are sorted. */
static size_t
merge_into(struct renew *r, struct plan *plan, size_t n, struct job **list)
{
	size_t at = 0, len = 0;

	for (size_t i = 0; i < n; i++) {
		while (at < r->jobs && key_order(r->job[at], plan[i].tenant, plan[i].name) < 0)
			remove_job(r->job[at++]);
		if (at < r->jobs && key_order(r->job[at], plan[i].tenant, plan[i].name) == 0) {
			replan(r->job[at], &plan[i]);
			list[len++] = r->job[at++];
			continue;
		}
		/* A row twice is the front's fault; the first counts. */
		if (len > 0 && key_order(list[len - 1], plan[i].tenant, plan[i].name) == 0)
			continue;
		list[len] = new_job(r, &plan[i]);
		if (list[len] != NULL)
			len++;
	}
	while (at < r->jobs)
		remove_job(r->job[at++]);
	return len;
}

static void
drop_incoming(struct renew *r)
{
	struct plan *plan = (struct plan *)(void *)r->incoming.ptr;

	for (size_t i = 0; i < r->incoming.len / sizeof *plan; i++)
		plan_done(&plan[i]);
	buf_free(&r->incoming);
}

static enum rc
merge(struct renew *r, struct fault *f)
{
	struct plan *plan = (struct plan *)(void *)r->incoming.ptr;
	size_t n = r->incoming.len / sizeof *plan, len;
	struct job **list = calloc(n + 1, sizeof(struct job *));

	if (list == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "plan of %zu", n);
	if (n > 0)
		qsort(plan, n, sizeof *plan, by_plan);
	len = merge_into(r, plan, n, list);
	free(r->job);
	r->job = list;
	r->jobs = len;
	r->spread_due = true;
	if (!r->swept)
		sweep(r);
	return RC_OK;
}

/* ---- the plan ---- */

static void
plan_failed(struct renew *r, const struct fault *f)
{
	r->plan_busy = false;
	drop_incoming(r);
	if (r->stopping)
		return;
	r->plan_due = true;
	r->plan_wake_ms = now_ms(r) + schedule_backoff_ms(++r->plan_failures, 40, 0);
	log_fault(LEVEL_WARNING, "plan", f);
}

static enum rc
take_page(struct renew *r, const json_t *answer, struct fault *f)
{
	const json_t *list = json_object_get(answer, "credentials"), *row;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > PLAN_PAGE_MAX ||
	    !json_is_boolean(json_object_get(answer, "more")))
		return FAULT(f, RC_INVALID, "plan", "a page that is none");
	json_array_foreach (list, i, row) {
		struct plan p = { 0 };

		TRY(plan_read(row, &p, f));
		buf_put(&r->incoming, &p, sizeof p);
		if (r->incoming.rc != RC_OK) {
			plan_done(&p);
			return buf_check(&r->incoming, f);
		}
	}
	return RC_OK;
}

static enum rc ask_page(struct renew *r, struct fault *f) MUST_CHECK;

static enum rc
page_came(struct renew *r, const json_t *answer, struct fault *f)
{
	size_t before = r->incoming.len;

	TRY(take_page(r, answer, f));
	if (json_is_true(json_object_get(answer, "more"))) {
		if (r->incoming.len == before)
			return FAULT(
			    f, RC_INVALID, "plan", "an empty page that is not the last");
		return ask_page(r, f);
	}
	TRY(merge(r, f));
	drop_incoming(r);
	r->plan_busy = false;
	r->plan_failures = 0;
	log_event(LEVEL_INFO, "plan", "credentials=%zu", r->jobs);
	return RC_OK;
}

static void
on_page(void *arg, enum rc rc, const json_t *answer, const struct fault *f)
{
	struct renew *r = arg;
	struct fault bad = { 0 };

	if (rc != RC_OK || r->stopping) {
		plan_failed(r, f);
		return;
	}
	if (page_came(r, answer, &bad) != RC_OK)
		plan_failed(r, &bad);
}

static enum rc
ask_page(struct renew *r, struct fault *f)
{
	json_auto_t *op = json_pack("{s:s}", "op", "plan");
	const struct plan *plan = (const struct plan *)(const void *)r->incoming.ptr;
	size_t n = r->incoming.len / sizeof *plan;
	char after[2 * CONFIG_NAME_MAX + 2];

	if (op == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "plan");
	if (n > 0) {
		snprintf(after, sizeof after, "%s/%s", plan[n - 1].tenant, plan[n - 1].name);
		if (json_object_set_new(op, "after", json_string(after)) != 0)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "plan");
	}
	return r->io->ask(r->io->ctx, op, on_page, r, f);
}

static void
run_plan(struct renew *r, int64_t now)
{
	struct fault f = { 0 };

	if (!r->plan_due || r->plan_busy || now < r->plan_wake_ms)
		return;
	r->plan_due = false;
	r->plan_busy = true;
	if (ask_page(r, &f) != RC_OK)
		plan_failed(r, &f);
}

/* ---- what is told to status ---- */

static void
on_reported(void *arg, enum rc rc, const json_t *answer, const struct fault *f)
{
	struct renew *r = arg;

	(void)rc; /* only shown: a lost one is no loss */
	(void)answer;
	(void)f;
	r->reports--;
}

static enum rc
report(struct job *j, struct fault *f)
{
	int64_t at_s = j->rec.state == RENEW_IDLE ? j->renew_at_s : 0;
	int64_t until_s = step_token_until_s(j);
	json_auto_t *op = NULL;

	if (j->rec.wake_ms / 1000 > at_s)
		at_s = j->rec.wake_ms / 1000;
	op = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:o}", "op", "schedule",
	    "tenant", j->plan.tenant, "name", j->plan.name, "renew_at",
	    at_s > 0 ? json_integer(at_s) : json_null(), "problem",
	    j->rec.problem[0] != 0 ? json_string(j->rec.problem) : json_null(), "step",
	    j->rec.state != RENEW_IDLE ? json_string(renew_state_name(j->rec.state))
				       : json_null(),
	    "attempts", (json_int_t)j->rec.attempt, "refusals", (json_int_t)j->rec.alarms,
	    "token_until", until_s >= 0 ? json_integer((json_int_t)until_s) : json_null());
	if (op == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "report");
	return j->renew->io->ask(j->renew->io->ctx, op, on_reported, j->renew, f);
}

/* What is definite about a CA, or "" where it is well or may become so by itself. */
static void
account_problem(const struct ca_slot *slot, char out[PROBLEM_TEXT])
{
	const struct fault *f = acme_fault(slot->acme);
	char text[sizeof f->reason + sizeof f->detail + 4];

	out[0] = 0;
	if (f->rc == RC_OK || problem_may_pass(f->rc))
		return;
	snprintf(text, sizeof text, "%s: %s", f->reason, f->detail);
	problem_text(out, text);
}

static void
report_account(struct renew *r, struct ca_slot *slot)
{
	char problem[PROBLEM_TEXT];
	json_auto_t *op = NULL;

	account_problem(slot, problem);
	if (slot->told && strcmp(slot->problem, problem) == 0)
		return;
	op = json_pack("{s:s, s:s, s:s?}", "op", "account-word", "ca", slot->config->name,
	    "problem", problem[0] != 0 ? problem : NULL);
	if (op == NULL || r->io->ask(r->io->ctx, op, on_reported, r, NULL) != RC_OK)
		return;
	r->reports++;
	slot->told = true;
	memcpy(slot->problem, problem, sizeof slot->problem);
}

static void
run_reports(struct renew *r)
{
	for (size_t i = 0; i < r->set->cas && r->reports < RENEW_REPORTS; i++) {
		if (r->set->ca[i].acme != NULL)
			report_account(r, &r->set->ca[i]);
	}
	for (size_t i = 0; i < r->jobs && r->reports < RENEW_REPORTS; i++) {
		if (!r->job[i]->report)
			continue;
		if (report(r->job[i], NULL) != RC_OK)
			return;
		r->job[i]->report = false;
		r->reports++;
	}
}

/* ---- when ---- */

/* Of one CA's certificates in force; those whose moment it names need no slot. */
static void
spread_ca(struct renew *r, struct ca_slot *slot, struct schedule_member *m)
{
	size_t n = 0, called = 0;

	for (size_t i = 0; i < r->jobs; i++) {
		struct job *j = r->job[i];

		if (!j->plan.active || strcmp(j->plan.ca, slot->config->name) != 0)
			continue;
		m[n++] =
		    (struct schedule_member){ .cert = &j->plan.cert, .jitter_ppm = j->jitter };
		if (j->window.at.start_s != 0) {
			struct schedule_member first = m[called];

			m[called++] = m[n - 1];
			m[n - 1] = first;
		}
	}
	slot->begin.interval_ms = schedule_interval_ms(m, n);
	schedule_spread(m + called, n - called, slot->begin.interval_ms);
}

/* Certificates of one CA that started together would all come back together. */
static void
run_spread(struct renew *r, int64_t now)
{
	struct schedule_member *m = calloc(r->jobs + 1, sizeof *m);

	r->spread_due = false;
	r->spread_wake_ms = now + RENEW_SPREAD_MS;
	for (size_t c = 0; m != NULL && c < r->set->cas; c++)
		spread_ca(r, &r->set->ca[c], m);
	free(m);
	for (size_t i = 0; i < r->jobs; i++) {
		struct job *j = r->job[i];
		int64_t before_s = j->renew_at_s;

		j->renew_at_s = renew_at_s(j);
		j->report = j->report || j->renew_at_s != before_s;
	}
}

bool
job_has_ca(struct job *j, struct ca_slot *slot, int64_t *wake_ms)
{
	if (slot == NULL) {
		set_problem(j, "no_ca: the configuration has no such ca section");
		return false;
	}
	if (slot->acme == NULL || acme_ready(slot->acme))
		return true;
	if (acme_fault(slot->acme)->rc != RC_OK)
		problem_of_fault(j, acme_fault(slot->acme));
	if (!acme_busy(slot->acme) && acme_wake_ms(slot->acme) < *wake_ms)
		*wake_ms = acme_wake_ms(slot->acme);
	return false;
}

void
job_start(struct job *j, struct ca_slot *slot, struct lane *lane, int64_t now)
{
	struct fault f = { 0 };
	enum rc rc;

	/* The CA's section was changed from one way to the other. */
	if (j->rec.state != RENEW_IDLE &&
	    (j->rec.state == RENEW_ISSUE) != (slot->acme == NULL)) {
		reset(j);
		return;
	}
	if (j->unsaved && !save(j)) {
		set_problem(j, "io: the state directory cannot be written");
		j->rec.wake_ms = now + RENEW_SAVE_AGAIN_MS;
		return;
	}
	j->busy = true;
	j->set = j->renew->set;
	j->slot = slot;
	j->lane = lane;
	j->set->busy++;
	lane_take(lane);
	j->alone = true;
	rc = steps[j->rec.state].start(j, &f);
	if (rc != RC_OK)
		job_fail(j, rc, &f, -1);
	j->alone = false;
}

static bool
is_quiet(const struct settings *s)
{
	if (s->busy > 0)
		return false;
	for (size_t i = 0; i < s->cas; i++) {
		if (s->ca[i].acme != NULL && acme_busy(s->ca[i].acme))
			return false;
	}
	return true;
}

/*
 * At once: what began with the old one ends with it.  An authority that hangs
 * must not hold up everybody at each change of the configuration.
 */
static void
adopt(struct renew *r)
{
	settings_inherit(r->next_set, r->set);
	r->old_set = r->set;
	r->set = TAKE(r->next_set);
	/* Whoever changed the configuration wants to see whether it helped. */
	for (size_t i = 0; i < r->jobs; i++)
		r->job[i]->rec.wake_ms = 0;
	r->plan_due = r->spread_due = true;
	r->plan_wake_ms = 0;
	log_event(LEVEL_NOTICE, "reloaded", "cas=%zu", r->set->cas);
}

/* A clock that was set back must not make the waits longer. */
static void
follow_clock(struct renew *r, int64_t now)
{
	int64_t back = r->last_ms - now;

	r->last_ms = now;
	if (back <= 0)
		return;
	for (size_t i = 0; i < r->jobs; i++) {
		struct job *j = r->job[i];

		j->rec.wake_ms = j->rec.wake_ms > back ? j->rec.wake_ms - back : 0;
		j->seen_ms -= back;
		j->window.ask_ms -= back;
	}
	for (size_t i = 0; i < r->set->cas; i++) {
		if (r->set->ca[i].acme != NULL)
			acme_clock_back(r->set->ca[i].acme, back);
	}
	choose_clock_back(r->set, back);
	r->plan_wake_ms -= back;
	r->spread_wake_ms -= back;
}

/* Nothing is ordered by a clock that cannot be right: said when it begins and when it is over. */
static bool
is_credible(struct renew *r, int64_t now)
{
	bool is = now >= RELEASE_S * 1000;

	if (is == r->incredible)
		log_event(is ? LEVEL_NOTICE : LEVEL_ERR,
		    is ? "clock_credible" : "clock_not_credible", "time=%lld",
		    (long long)(now / 1000));
	r->incredible = !is;
	return is;
}

int
renew_run(struct renew *r)
{
	int64_t now = now_ms(r), wake_ms = now + RENEW_TICK_MS;

	follow_clock(r, now);
	if (!is_credible(r, now))
		return RENEW_TICK_MS;
	if (r->old_set != NULL && is_quiet(r->old_set)) {
		settings_free(r->old_set);
		r->old_set = NULL;
	}
	if (r->next_set != NULL && r->old_set == NULL)
		adopt(r);
	run_plan(r, now);
	if (r->spread_due && now >= r->spread_wake_ms)
		run_spread(r, now);
	errands_run(r->errands, now, &wake_ms);
	cleanups_run(r->cleanups);
	choose_steps(r, now, &wake_ms);
	renewinfo_run(r, now, &wake_ms);
	run_reports(r);
	if (wake_ms < now)
		wake_ms = now;
	return (int)(wake_ms - now);
}

/* ---- from outside ---- */

enum rc
renew_new(const struct io *io, struct store *store, struct config *config, struct renew **out,
    struct fault *f)
{
	AUTO(renew) *r = calloc(1, sizeof *r);

	if (r == NULL) {
		config_free(config);
		return FAULT(f, RC_NO_MEMORY, "no_memory", "renewer");
	}
	r->io = io;
	r->store = store;
	r->incoming = BUF_INIT(PLAN_MAX * sizeof(struct plan));
	r->plan_due = true;
	r->last_ms = now_ms(r);
	TRY(settings_new(config, io, store, &r->set, f));
	TRY(errands_new(r, &r->errands, f));
	TRY(cleanups_new(io, &r->cleanups, f));
	*out = TAKE(r);
	return RC_OK;
}

void
renew_free(struct renew *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->jobs; i++)
		job_free(r->job[i]);
	free(r->job);
	drop_incoming(r);
	errands_free(r->errands);
	cleanups_free(r->cleanups);
	settings_free(r->next_set);
	settings_free(r->old_set);
	settings_free(r->set);
	free(r);
}

void
renew_stop(struct renew *r)
{
	r->stopping = true;
}

static void
on_renew(struct renew *r, const json_t *event)
{
	const char *tenant = json_string_value(json_object_get(event, "tenant"));
	const char *name = json_string_value(json_object_get(event, "name"));
	struct job *j = tenant != NULL && name != NULL ? job_find(r, tenant, name) : NULL;
	struct ca_slot *slot = j != NULL ? settings_ca(r->set, j->plan.ca) : NULL;

	if (j == NULL)
		return;
	/* A look at a series is no renewal of what an operator wants anew. */
	j->asked = j->rec.state == RENEW_IDLE || j->rec.state == RENEW_SERIES;
	j->rec.wake_ms = 0;
	if (slot != NULL && slot->acme != NULL)
		acme_retry(slot->acme);
	log_state(j, "renewal_asked_for", LEVEL_NOTICE);
}

static bool
is_name(const char *text)
{
	return text != NULL && text[0] != 0 && text[0] != '.' &&
	       strlen(text) <= CONFIG_NAME_MAX && strchr(text, '/') == NULL;
}

static enum rc
keep_token(
    struct renew *r, const char *tenant, const char *name, const char *token, struct fault *f)
{
	json_auto_t *root = json_pack("{s:s}", "token", token);
	AUTO_FREE char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
	AUTO(authtoken) *t = NULL;
	char file[TOKEN_FILE_NAME];

	if (text == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "token");
	TRY(authtoken_decode(span_str(token), &t, f));
	token_file(file, tenant, name,
	    strcmp(t->tktype, "TNAuthList") == 0 ? TOKEN_NUMBERS : TOKEN_CLAIMS);
	return store_write(r->store, STORE_TOKENS, file, span_str(text), f);
}

/*
 * An operator or a portal has one: kept before it is used, and used at once
 * where one is awaited.  Right after a start the plan may still be on its way:
 * what was taken from an operator must not be lost for that.
 */
static void
on_token(struct renew *r, const json_t *event)
{
	const char *tenant = json_string_value(json_object_get(event, "tenant"));
	const char *name = json_string_value(json_object_get(event, "name"));
	const char *token = json_string_value(json_object_get(event, "token"));
	struct job *j = NULL;
	struct fault f = { 0 };

	if (!is_name(tenant) || !is_name(name) || token == NULL)
		return;
	if (keep_token(r, tenant, name, token, &f) != RC_OK) {
		log_fault(LEVEL_ERR, "token_not_kept", &f);
		return;
	}
	log_event(LEVEL_NOTICE, "token_pushed", "tenant=%s credential=%s", tenant, name);
	j = job_find(r, tenant, name);
	if (j == NULL)
		return;
	j->report = true;
	if (!j->busy)
		j->rec.wake_ms = 0;
}

void
renew_event(struct renew *r, const json_t *event)
{
	const char *kind = json_string_value(json_object_get(event, "event"));

	if (kind != NULL && strcmp(kind, "renew") == 0)
		on_renew(r, event);
	if (kind != NULL && strcmp(kind, "token") == 0)
		on_token(r, event);
	if (kind != NULL && strcmp(kind, "errand") == 0)
		errands_ask(r->errands);
	if (kind != NULL && strcmp(kind, "fetch") == 0)
		fetch_event(r, event);
	if (kind != NULL && (strcmp(kind, "changed") == 0 || strcmp(kind, "plan") == 0))
		r->plan_due = true;
}

enum rc
renew_reload(struct renew *r, struct config *config, struct fault *f)
{
	struct settings *next = NULL;

	TRY(settings_new(config, r->io, r->store, &next, f));
	settings_free(r->next_set);
	r->next_set = next;
	return RC_OK;
}

enum renew_state
renew_state_of(const struct renew *r, const char *tenant, const char *name)
{
	const struct job *j = job_find(r, tenant, name);

	return j != NULL ? j->rec.state : RENEW__COUNT;
}
