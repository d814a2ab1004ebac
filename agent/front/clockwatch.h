/*
 * Has the wall's clock been set?  It is compared with the time since the boot,
 * which goes on evenly, through a suspend, too.
 *
 * A clock that jumps ahead makes much look as if its time were over.  What
 * would be gone for good by that (keys, published chains) is held back until
 * the jump has lasted for CLOCKWATCH_HOLD_S, or is undone.
 *
 * Pure.  No clock of its own.
 */
#ifndef AGENT_FRONT_CLOCKWATCH_H
#define AGENT_FRONT_CLOCKWATCH_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CLOCKWATCH_JUMP_S = 120, /* less than that in one step is no jump */
	CLOCKWATCH_HOLD_S = 3600,
};

struct clockwatch {
	bool known;
	int64_t off_s;	  /* between the two, as last seen */
	int64_t before_s; /* the same before what is held back for */
	int64_t until_s;  /* since the boot; 0: nothing is held back */
	uint64_t jumps;	  /* so many were seen */
	int64_t last_s;	  /* how far, of the last */
	int64_t at_s;	  /* when, by the wall's clock after it */
};

/* To be called every half a minute at least.  How far it has jumped, 0: it has not. */
int64_t clockwatch_look(struct clockwatch *c, int64_t wall_s, int64_t uptime_s);

/* Is anything to be held back? */
bool clockwatch_holds(const struct clockwatch *c, int64_t uptime_s);

#endif
