/*
 * How much is asked of one party, a CA or an authority, at once and a minute,
 * and who is next.  What a party does to those who wait for it stays in its
 * lane: one that hangs holds its own places and nobody else's, and when it has
 * failed a few times in a row it keeps two, for looking whether it is back.
 * No tenant holds the last quarter of a lane.
 *
 * Pure: the caller has the clock, and says when a step begins and ends.
 */
#ifndef AGENT_RENEWER_LANE_H
#define AGENT_RENEWER_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/renewer/schedule.h"

enum {
	LANE_MOST = 64,	      /* the widest lane */
	LANE_FAILURES = 3,    /* in a row: it is taken for broken */
	LANE_PROBES = 2,      /* places of a broken one */
	LANE_BURST_MS = 1000, /* what was not asked in this time may be asked at once */
};

struct job;

/* Who waits, and by what it is ranked. */
struct lane_turn {
	struct job *job;
	const char *tenant;
	enum schedule_urgency urgency;
	bool begun;    /* before whoever has not begun, within an urgency */
	bool paced;    /* waits for the lane's rate */
	int64_t order; /* the smaller first */
};

struct lane {
	unsigned places, busy, failures;
	int64_t interval_ms; /* between two that are paced; 0: no limit */
	int64_t paced_ms;
	/* While choosing: */
	const char *tenant; /* whose turns are being offered */
	unsigned held;	    /* places that this tenant holds */
	struct lane_turn *own[LANE_MOST], *best[LANE_MOST];
	size_t owns, bests, room;
};

/* rate_per_minute 0: no limit. */
void lane_init(struct lane *l, unsigned places, unsigned rate_per_minute);
/* A new configuration's lane goes on where the one before it stood. */
void lane_inherit(struct lane *l, const struct lane *before);

bool lane_is_broken(const struct lane *l);
/* Places that are free now. */
unsigned lane_free(const struct lane *l);
/* How many of n places one tenant may hold. */
unsigned lane_share(unsigned n);

void lane_take(struct lane *l); /* a place */
void lane_give(struct lane *l);
/* How the party did: it answered, whatever it was; or nothing of use came. */
void lane_answered(struct lane *l);
void lane_failed(struct lane *l);

/* May one more be asked now?  If not, *wake_ms is brought forward to when. */
bool lane_may_ask(const struct lane *l, int64_t now_ms, int64_t *wake_ms);
void lane_asked(struct lane *l, int64_t now_ms);
void lane_clock_back(struct lane *l, int64_t ms);

/*
 * Choosing.  Between lane_open() and lane_close() every place that is held and
 * every turn is named, a tenant's all together; then best[0 … bests - 1] are
 * those whose turn it is, at most room of them, the first first.
 */
void lane_open(struct lane *l, size_t room);
void lane_hold(struct lane *l, const char *tenant);
void lane_offer(struct lane *l, struct lane_turn *t);
void lane_close(struct lane *l);

#endif
