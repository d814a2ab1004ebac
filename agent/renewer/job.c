#include "agent/renewer/job.h"

#include <stdio.h>

#include "agent/log.h"
#include "agent/renewer/choose.h"
#include "agent/renewer/renew_parts.h"
#include "agent/renewer/star.h"
#include "agent/renewer/step.h"

const struct config_credential *
job_config(const struct job *j)
{
	const struct settings *set = j->set != NULL ? j->set : j->renew->set;
	const struct config_tenant *t = config_tenant_find(set->config, j->plan.tenant);

	return t != NULL ? config_credential_find(t, j->plan.name) : NULL;
}

/* ---- what it holds ---- */

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
	j->missed = (struct fault){ 0 };
}

static void
drop_chain(struct job *j)
{
	buf_free(&j->chain);
	job_drop_alternates(j);
}

void
job_cleanup(struct job *j)
{
	if (j->cleanup != NULL && !j->renew->stopping)
		cleanups_add(j->renew->cleanups, TAKE(j->cleanup));
	cleanup_free(j->cleanup);
	j->cleanup = NULL;
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

void
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

void
job_set_problem(struct job *j, const char *text)
{
	if (strcmp(j->rec.problem, text) == 0)
		return;
	snprintf(j->rec.problem, sizeof j->rec.problem, "%s", text);
	if ((text[0] != 0) != (j->rec.failing_s != 0)) {
		j->rec.failing_s = text[0] != 0 ? renew_now_ms(j->renew) / 1000 : 0;
		j->unkept = true;
	}
	j->report = true;
}

bool
job_save(struct job *j)
{
	AUTO_BUF text = BUF_INIT(STORE_FILE_MAX);
	char file[2 * CONFIG_NAME_MAX + 2];
	struct fault f = { 0 };
	enum rc rc = record_write(&text, &j->rec, &f);

	record_file(file, j->plan.tenant, j->plan.name);
	if (rc == RC_OK)
		rc = store_write(j->renew->store, STORE_ORDERS, file, buf_view(&text), &f);
	j->unsaved = rc != RC_OK;
	j->unkept = false;
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

void
job_log(const struct job *j, const char *event, enum log_level level)
{
	log_event(level, event, "tenant=%s credential=%s state=%s", j->plan.tenant,
	    j->plan.name, renew_state_name(j->rec.state));
}

/* ---- from one state to another ---- */

static void
enter(struct job *j, enum renew_state s, int64_t wake_ms)
{
	j->report = j->report || j->rec.state != s;
	j->rec.state = s;
	j->rec.wake_ms = wake_ms;
	release_slot(j);
	(void)job_save(j); /* else before the next step */
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
	job_log(j, "renewal", LEVEL_INFO);
}

void
job_next(struct job *j)
{
	job_goto(j, step_table[j->rec.state].next);
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
	j->rec.wake_ms = renew_now_ms(j->renew) + schedule_poll_ms(j->polls++, retry_after_s);
	release_slot(j);
}

void
job_rest(struct job *j, int64_t wait_ms)
{
	choose_answered(j);
	drop_chain(j);
	j->rec.attempt = 0;
	job_set_problem(j, "");
	enter(j, RENEW_IDLE, renew_now_ms(j->renew) + wait_ms);
}

void
job_asks_more(struct job *j)
{
	if (j->lane != NULL)
		lane_asked(j->lane, renew_now_ms(j->renew));
}

void
job_ask(struct job *j)
{
	struct ca_slot *slot = settings_ca(j->renew->set, j->plan.ca);

	/* A look at a series is no renewal of what an operator wants anew. */
	j->asked = j->rec.state == RENEW_IDLE || j->rec.state == RENEW_SERIES;
	j->rec.wake_ms = 0;
	if (slot != NULL && slot->acme != NULL)
		acme_retry(slot->acme);
	job_log(j, "renewal_asked_for", LEVEL_NOTICE);
}

void
job_reset(struct job *j)
{
	job_drop_order(j);
	job_set_problem(j, "");
	j->restart = false;
	j->rec.attempt = 0;
	enter(j, RENEW_IDLE, 0);
}

bool
job_is_wanted(void *arg)
{
	const struct job *j = arg;

	return !j->gone && !j->restart && j->set == j->renew->set && !j->renew->incredible;
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
	job_reset(j);
	return true;
}

/* ---- failures ---- */

static void
problem_of_fault(struct job *j, const struct fault *f)
{
	char text[sizeof f->reason + sizeof f->detail + 32], clean[PROBLEM_TEXT];

	snprintf(text, sizeof text, "%s: %s%s", f->reason, f->detail,
	    problem_may_pass(f->rc) ? "; tried again by itself" : "");
	problem_text(clean, text);
	job_set_problem(j, clean);
}

/* What trying again does not cure: the order ends, an operator is told. */
static void
alarm_on(struct job *j, const struct fault *f)
{
	enum renew_state at = j->rec.state;
	int64_t now = renew_now_ms(j->renew), wait_ms;

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
	enum renew_state at = j->rec.state, back = step_table[at].back;
	int64_t now = renew_now_ms(j->renew), asked_ms;
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

/* ---- when ---- */

/* D-43: of a series, else what the CA suggests, else a moment by the lifetime. */
int64_t
job_renew_at_s(const struct job *j)
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
	j->renew_at_s = job_renew_at_s(j);
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
	job_set_problem(j, "");
	snprintf(rec->installed, sizeof rec->installed, "%s", serial);
	snprintf(j->plan.serial, sizeof j->plan.serial, "%s", serial);
	plan_set_ari_id(&j->plan, ari_id);
	j->plan.active = j->plan.as_configured = true;
	j->plan.cert = (struct schedule_cert){ .not_before_s = not_before_s,
		.not_after_s = not_after_s,
		.installed_s = renew_now_ms(j->renew) / 1000 };
	j->newer = j->renew->plan_busy;
	j->renew->spread_due = true;
	job_schedule(j);
	enter(j, RENEW_IDLE, 0);
	log_event(LEVEL_NOTICE, "renewed",
	    "tenant=%s credential=%s serial=%s not_after=%lld renew_at=%lld", j->plan.tenant,
	    j->plan.name, serial, (long long)not_after_s, (long long)j->renew_at_s);
}

/* ---- a step ---- */

bool
job_has_ca(struct job *j, struct ca_slot *slot, int64_t *wake_ms)
{
	if (slot == NULL) {
		job_set_problem(j, "no_ca: the configuration has no such ca section");
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
		job_reset(j);
		return;
	}
	if (j->unsaved && !job_save(j)) {
		job_set_problem(j, "io: the state directory cannot be written");
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
	rc = step_table[j->rec.state].start(j, &f);
	if (rc != RC_OK)
		job_fail(j, rc, &f, -1);
	j->alone = false;
}
