#include "agent/renewer/lane.h"

#include <string.h>

enum { MINUTE_MS = 60000 };

void
lane_init(struct lane *l, unsigned places, unsigned rate_per_minute)
{
	*l = (struct lane){ .places = places < LANE_MOST ? places : LANE_MOST };
	if (rate_per_minute > 0)
		l->interval_ms = MINUTE_MS / rate_per_minute;
}

void
lane_inherit(struct lane *l, const struct lane *before)
{
	l->failures = before->failures;
	l->paced_ms = before->paced_ms;
}

bool
lane_is_broken(const struct lane *l)
{
	return l->failures >= LANE_FAILURES;
}

static unsigned
places(const struct lane *l)
{
	return lane_is_broken(l) && l->places > LANE_PROBES ? LANE_PROBES : l->places;
}

unsigned
lane_free(const struct lane *l)
{
	return l->busy < places(l) ? places(l) - l->busy : 0;
}

unsigned
lane_share(unsigned n)
{
	return n > 1 ? n * 3 / 4 : n;
}

void
lane_take(struct lane *l)
{
	l->busy++;
}

void
lane_give(struct lane *l)
{
	l->busy--;
}

void
lane_answered(struct lane *l)
{
	l->failures = 0;
}

void
lane_failed(struct lane *l)
{
	if (l->failures < LANE_FAILURES)
		l->failures++;
}

bool
lane_may_ask(const struct lane *l, int64_t now_ms, int64_t *wake_ms)
{
	int64_t at_ms = l->paced_ms - LANE_BURST_MS;

	if (l->interval_ms == 0 || at_ms <= now_ms)
		return true;
	*wake_ms = at_ms < *wake_ms ? at_ms : *wake_ms;
	return false;
}

void
lane_asked(struct lane *l, int64_t now_ms)
{
	l->paced_ms = (l->paced_ms > now_ms ? l->paced_ms : now_ms) + l->interval_ms;
}

void
lane_clock_back(struct lane *l, int64_t ms)
{
	l->paced_ms -= ms;
}

/* ---- choosing ---- */

static bool
goes_before(const struct lane_turn *a, const struct lane_turn *b)
{
	if (a->urgency != b->urgency)
		return a->urgency < b->urgency;
	if (a->begun != b->begun)
		return a->begun;
	return a->order < b->order;
}

/* Into a list of at most room, the best first; who comes later comes behind its like. */
static void
insert(struct lane_turn **list, size_t *n, size_t room, struct lane_turn *t)
{
	size_t at = *n;

	while (at > 0 && goes_before(t, list[at - 1]))
		at--;
	if (at >= room)
		return;
	if (*n < room)
		++*n;
	memmove(&list[at + 1], &list[at], (*n - 1 - at) * sizeof(struct lane_turn *));
	list[at] = t;
}

/* One tenant's turns are all there: as many as its share leaves compete with the others'. */
static void
next_tenant(struct lane *l, const char *tenant)
{
	unsigned share = lane_share(places(l));

	if (l->tenant != NULL && tenant != NULL && strcmp(l->tenant, tenant) == 0)
		return;
	for (size_t i = 0; i < l->owns && l->held + i < share; i++)
		insert(l->best, &l->bests, l->room, l->own[i]);
	l->owns = 0;
	l->held = 0;
	l->tenant = tenant;
}

void
lane_open(struct lane *l, size_t room)
{
	l->tenant = NULL;
	l->owns = l->bests = 0;
	l->held = 0;
	l->room = room < LANE_MOST ? room : LANE_MOST;
}

void
lane_hold(struct lane *l, const char *tenant)
{
	next_tenant(l, tenant);
	l->held++;
}

void
lane_offer(struct lane *l, struct lane_turn *t)
{
	next_tenant(l, t->tenant);
	insert(l->own, &l->owns, l->room, t);
}

void
lane_close(struct lane *l)
{
	next_tenant(l, NULL);
}
