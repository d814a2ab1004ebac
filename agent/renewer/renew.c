#include "agent/renewer/renew.h"

#include "agent/log.h"
#include "agent/release.h"
#include "agent/renewer/awaited.h"
#include "agent/renewer/choose.h"
#include "agent/renewer/fetch.h"
#include "agent/renewer/jobs.h"
#include "agent/renewer/pushed.h"
#include "agent/renewer/renew_parts.h"
#include "agent/renewer/renewinfo.h"
#include "agent/renewer/report.h"
#include "agent/renewer/spread.h"
#include "stir/jtext.h"

/* ---- the clock ---- */

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

/* ---- one turn ---- */

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

int
renew_run(struct renew *r)
{
	int64_t now = renew_now_ms(r), wake_ms = now + RENEW_TICK_MS;

	follow_clock(r, now);
	if (!is_credible(r, now))
		return RENEW_TICK_MS;
	if (r->old_set != NULL && is_quiet(r->old_set)) {
		settings_free(r->old_set);
		r->old_set = NULL;
	}
	if (r->next_set != NULL && r->old_set == NULL)
		adopt(r);
	jobs_plan(r, now);
	if (r->spread_due && now >= r->spread_wake_ms)
		spread_run(r, now);
	errands_run(r->errands, now, &wake_ms);
	cleanups_run(r->cleanups);
	choose_steps(r, now, &wake_ms);
	renewinfo_run(r, now, &wake_ms);
	report_run(r);
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
	r->awaited = BUF_INIT(AWAITED_MAX * sizeof(struct awaited));
	r->plan_due = true;
	r->last_ms = renew_now_ms(r);
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
	jobs_free(r);
	buf_free(&r->awaited);
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

static bool
is_name(const char *text)
{
	return text != NULL && text[0] != 0 && text[0] != '.' &&
	       strlen(text) <= CONFIG_NAME_MAX && strchr(text, '/') == NULL;
}

static void
on_renew(struct renew *r, const json_t *event)
{
	const char *tenant = jtext_get(event, "tenant");
	const char *name = jtext_get(event, "name");
	struct job *j = NULL;

	if (!is_name(tenant) || !is_name(name))
		return;
	j = jobs_find(r, tenant, name);
	if (j != NULL)
		job_ask(j);
	else
		awaited_add(r, tenant, name);
}

/*
 * An operator or a portal has one: kept before it is used, and used at once
 * where one is awaited.  Right after a start the plan may still be on its way:
 * what was taken from an operator must not be lost for that.
 */
static void
on_token(struct renew *r, const json_t *event)
{
	const char *tenant = jtext_get(event, "tenant");
	const char *name = jtext_get(event, "name");
	const char *token = jtext_get(event, "token");
	struct job *j = NULL;
	struct fault f = { 0 };

	if (!is_name(tenant) || !is_name(name) || token == NULL)
		return;
	if (pushed_keep(r->store, tenant, name, token, &f) != RC_OK) {
		log_fault(LEVEL_ERR, "token_not_kept", &f);
		return;
	}
	log_event(LEVEL_NOTICE, "token_pushed", "tenant=%s credential=%s", tenant, name);
	j = jobs_find(r, tenant, name);
	if (j == NULL)
		return;
	j->report = true;
	if (!j->busy)
		j->rec.wake_ms = 0;
}

void
renew_event(struct renew *r, const json_t *event)
{
	const char *kind = jtext_get(event, "event");

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
	const struct job *j = jobs_find(r, tenant, name);

	return j != NULL ? j->rec.state : RENEW__COUNT;
}
