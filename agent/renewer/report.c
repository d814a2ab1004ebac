#include "agent/renewer/report.h"

#include <stdio.h>

#include "agent/renewer/renew_parts.h"
#include "agent/renewer/step.h"

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
	op = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:o, s:o}", "op", "schedule",
	    "tenant", j->plan.tenant, "name", j->plan.name, "renew_at",
	    at_s > 0 ? json_integer(at_s) : json_null(), "problem",
	    j->rec.problem[0] != 0 ? json_string(j->rec.problem) : json_null(), "step",
	    j->rec.state != RENEW_IDLE ? json_string(renew_state_name(j->rec.state))
				       : json_null(),
	    "attempts", (json_int_t)j->rec.attempt, "refusals", (json_int_t)j->rec.alarms,
	    "token_until", until_s >= 0 ? json_integer((json_int_t)until_s) : json_null(),
	    "failing_since",
	    j->rec.failing_s > 0 ? json_integer((json_int_t)j->rec.failing_s) : json_null());
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

void
report_run(struct renew *r)
{
	for (size_t i = 0; i < r->set->cas && r->reports < RENEW_REPORTS; i++) {
		if (r->set->ca[i].acme != NULL)
			report_account(r, &r->set->ca[i]);
	}
	for (size_t i = 0; i < r->jobs && r->reports < RENEW_REPORTS; i++) {
		if (!r->job[i]->report)
			continue;
		if (r->job[i]->unkept)
			(void)job_save(r->job[i]); /* else with the next step */
		if (report(r->job[i], NULL) != RC_OK)
			return;
		r->job[i]->report = false;
		r->reports++;
	}
}
