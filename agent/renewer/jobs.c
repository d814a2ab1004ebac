#include "agent/renewer/jobs.h"

#include <stdio.h>

#include "agent/log.h"
#include "agent/renewer/awaited.h"
#include "agent/renewer/renew_parts.h"

static int
key_order(const struct job *j, const char *tenant, const char *name)
{
	int by_tenant = strcmp(j->plan.tenant, tenant);

	return by_tenant != 0 ? by_tenant : strcmp(j->plan.name, name);
}

struct job *
jobs_find(const struct renew *r, const char *tenant, const char *name)
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

/* ---- one that is new, changed or gone ---- */

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
		rec->failing_s = 0;
		return;
	}
	if (rec->state < RENEW_CHALLENGE)
		rec->state = RENEW_TOKEN;
	/* The request may have arrived: the order says. */
	if (rec->state == RENEW_FINALIZE)
		rec->state = RENEW_POLL;
	if (rec->state == RENEW_INSTALL)
		rec->state = RENEW_DOWNLOAD;
	job_log(j, "renewal_resumed", LEVEL_NOTICE);
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
	j->seen_ms = renew_now_ms(r);
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
	if ((changed || other) && j->rec.state == RENEW_IDLE) {
		j->rec.wake_ms = 0;
		j->rec.alarms = 0;
		/* What was wrong was about what is no longer asked for or replaced. */
		job_set_problem(j, "");
	}
	if (j->rec.state == RENEW_IDLE ||
	    (!changed && strcmp(j->rec.replacing, j->plan.serial) == 0))
		return;
	if (j->busy)
		j->restart = true;
	else
		job_reset(j);
}

static void
remove_job(struct job *j)
{
	char file[2 * CONFIG_NAME_MAX + 2];
	struct fault f = { 0 };

	record_file(file, j->plan.tenant, j->plan.name);
	if (store_remove(j->renew->store, STORE_ORDERS, file, &f) != RC_OK)
		log_fault(LEVEL_WARNING, "renewal_record", &f);
	for (enum token_kind k = 0; k < TOKEN__COUNT; k++)
		pushed_drop(j->renew->store, j->plan.tenant, j->plan.name, k);
	job_log(j, "renewal_withdrawn", LEVEL_NOTICE);
	j->gone = true;
	if (!j->busy)
		job_free(j);
}

/* ---- records of those that are gone ---- */

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
	char file[PUSHED_FILE_NAME];
	size_t len = strlen(name);

	if (len < 3 || len >= sizeof file)
		return false;
	snprintf(file, sizeof file, "%.*s", (int)(len - 2), name);
	return is_kept(arg, file);
}

/* Once after a start: of credentials that are no longer planned. */
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

/* ---- a plan that came ---- */

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

/* ---- asking for it ---- */

static void
plan_failed(struct renew *r, const struct fault *f)
{
	r->plan_busy = false;
	drop_incoming(r);
	if (r->stopping)
		return;
	r->plan_due = true;
	r->plan_wake_ms = renew_now_ms(r) + schedule_backoff_ms(++r->plan_failures, 40, 0);
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
	awaited_planned(r);
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

void
jobs_plan(struct renew *r, int64_t now)
{
	struct fault f = { 0 };

	if (!r->plan_due || r->plan_busy || now < r->plan_wake_ms)
		return;
	r->plan_due = false;
	r->plan_busy = true;
	if (ask_page(r, &f) != RC_OK)
		plan_failed(r, &f);
}

void
jobs_free(struct renew *r)
{
	for (size_t i = 0; i < r->jobs; i++)
		job_free(r->job[i]);
	free(r->job);
	drop_incoming(r);
}
