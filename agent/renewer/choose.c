#include "agent/renewer/choose.h"

#include "agent/renewer/renew_parts.h"

/* What is in force came of what is asked for now, even where it is narrower (V-89). */
static bool
is_satisfied(const struct job *j)
{
	return j->plan.as_configured || (strcmp(j->rec.installed, j->plan.serial) == 0 &&
					    strcmp(j->rec.asked, j->plan.hash) == 0);
}

/* Nobody and nothing but the calendar asks for it. */
static bool
is_routine(const struct job *j)
{
	return !j->asked && j->plan.active && is_satisfied(j);
}

/* The CA has named the moment (RFC 9773): it has spread them itself, or cannot wait. */
static bool
is_called(const struct job *j)
{
	return j->window.at.start_s != 0;
}

/* The moment from which the job has something to do. */
static int64_t
due_ms(const struct job *j)
{
	if (j->rec.state != RENEW_IDLE)
		return 0;
	return is_routine(j) ? j->renew_at_s * 1000 : j->seen_ms;
}

static bool
asks_front(enum renew_state s)
{
	return s == RENEW_CSR || s == RENEW_INSTALL;
}

static struct lane *
lane_of(const struct settings *set, const struct job *j, struct ca_slot *slot)
{
	struct authority_slot *a = NULL;

	if (j->rec.state == RENEW_IDLE)
		return &slot->begin;
	if (j->rec.state == RENEW_TOKEN)
		a = settings_authority(set, j->plan.authority);
	else if (j->rec.state == RENEW_CLAIMS && j->plan.constraints != NULL)
		a = settings_authority(set, j->plan.claim_agent);
	/* Without a section the step fails by itself. */
	return a != NULL ? &a->lane : &slot->lane;
}

static void
offer(struct renew *r, struct job *j, struct ca_slot *slot, int64_t now_ms)
{
	const struct schedule_cert *cert = j->plan.active ? &j->plan.cert : NULL;
	bool begun = j->rec.state != RENEW_IDLE;
	enum schedule_urgency urgency = schedule_urgency(cert, now_ms / 1000);

	j->turn = (struct lane_turn){
		.job = j,
		.tenant = j->plan.tenant,
		.urgency = urgency,
		.begun = begun,
		.paced = begun ? !asks_front(j->rec.state)
			       : urgency == URGENT_DUE && is_routine(j) && !is_called(j),
		.order = cert != NULL ? cert->not_after_s : j->seen_ms / 1000,
	};
	lane_offer(lane_of(r->set, j, slot), &j->turn);
}

static void
look_at(struct renew *r, struct job *j, int64_t now_ms, int64_t *wake_ms)
{
	int64_t due = due_ms(j), at = j->rec.wake_ms > due ? j->rec.wake_ms : due;
	struct ca_slot *slot;

	if (j->busy) {
		if (j->set == r->set)
			lane_hold(j->lane, j->plan.tenant);
		return;
	}
	if (at > now_ms) {
		*wake_ms = at < *wake_ms ? at : *wake_ms;
		return;
	}
	slot = settings_ca(r->set, j->plan.ca);
	if (job_has_ca(j, slot, wake_ms))
		offer(r, j, slot, now_ms);
}

static void
for_each_lane(struct settings *s, void (*visit)(struct lane *l))
{
	for (size_t i = 0; i < s->cas; i++) {
		visit(&s->ca[i].lane);
		visit(&s->ca[i].begin);
	}
	for (size_t i = 0; i < s->authorities; i++)
		visit(&s->authority[i].lane);
}

static void
open_lane(struct lane *l)
{
	lane_open(l, lane_free(l));
}

/* Steps under way in lanes that are taken for broken. */
static unsigned
probes(const struct settings *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s->cas; i++)
		n += lane_is_broken(&s->ca[i].lane) ? s->ca[i].lane.busy : 0;
	for (size_t i = 0; i < s->authorities; i++)
		n += lane_is_broken(&s->authority[i].lane) ? s->authority[i].lane.busy : 0;
	return n;
}

/* What is under way is bounded for all lanes together, and what leads nowhere more tightly. */
static bool
has_room(const struct renew *r, const struct lane *l)
{
	unsigned busy = r->set->busy + (r->old_set != NULL ? r->old_set->busy : 0);

	if (lane_is_broken(l) && probes(r->set) >= RENEW_PROBES)
		return false;
	return busy < RENEW_STEPS;
}

static void
run_lane(struct renew *r, struct lane *l, int64_t now_ms, int64_t *wake_ms)
{
	for (size_t i = 0; i < l->bests; i++) {
		struct job *j = l->best[i]->job;

		if (!has_room(r, l))
			return;
		if (l->best[i]->paced && !lane_may_ask(l, now_ms, wake_ms))
			continue;
		if (l->best[i]->paced)
			lane_asked(l, now_ms);
		job_start(j, settings_ca(r->set, j->plan.ca), l, now_ms);
		/* It went on at once, or failed here: its place is the next one's. */
		if (!j->busy)
			*wake_ms = now_ms;
	}
}

void
choose_steps(struct renew *r, int64_t now_ms, int64_t *wake_ms)
{
	struct settings *s = r->set;

	for_each_lane(s, open_lane);
	for (size_t i = 0; i < r->jobs; i++)
		look_at(r, r->job[i], now_ms, wake_ms);
	for_each_lane(s, lane_close);
	/* What is nearest to its end first. */
	for (size_t i = 0; i < s->cas; i++)
		run_lane(r, &s->ca[i].lane, now_ms, wake_ms);
	for (size_t i = 0; i < s->authorities; i++)
		run_lane(r, &s->authority[i].lane, now_ms, wake_ms);
	for (size_t i = 0; i < s->cas; i++)
		run_lane(r, &s->ca[i].begin, now_ms, wake_ms);
}

/* ---- how a party did ---- */

static bool
asked_somebody(const struct job *j)
{
	return j->lane != NULL && !j->alone && j->rec.state != RENEW_IDLE &&
	       !asks_front(j->rec.state);
}

void
choose_answered(struct job *j)
{
	if (asked_somebody(j))
		lane_answered(j->lane);
}

void
choose_failed(struct job *j, enum rc rc)
{
	if (!asked_somebody(j))
		return;
	if (rc == RC_NET || rc == RC_TIMEOUT || rc == RC_BUSY)
		lane_failed(j->lane);
	else
		lane_answered(j->lane);
}

void
choose_clock_back(struct settings *s, int64_t ms)
{
	for (size_t i = 0; i < s->cas; i++) {
		lane_clock_back(&s->ca[i].lane, ms);
		lane_clock_back(&s->ca[i].begin, ms);
	}
	for (size_t i = 0; i < s->authorities; i++)
		lane_clock_back(&s->authority[i].lane, ms);
}
