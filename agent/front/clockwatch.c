#include "agent/front/clockwatch.h"

static void
jumped(struct clockwatch *c, int64_t by_s, int64_t wall_s, int64_t uptime_s)
{
	int64_t off_s = c->off_s + by_s;

	c->jumps++;
	c->last_s = by_s;
	c->at_s = wall_s;
	if (by_s > 0) {
		if (!clockwatch_holds(c, uptime_s))
			c->before_s = c->off_s;
		c->until_s = uptime_s + CLOCKWATCH_HOLD_S;
	} else if (c->until_s != 0 && off_s <= c->before_s + CLOCKWATCH_JUMP_S) {
		c->until_s = 0; /* undone */
	}
}

int64_t
clockwatch_look(struct clockwatch *c, int64_t wall_s, int64_t uptime_s)
{
	int64_t off_s = wall_s - uptime_s;
	int64_t by_s = c->known ? off_s - c->off_s : 0;

	if (by_s <= -CLOCKWATCH_JUMP_S || by_s >= CLOCKWATCH_JUMP_S)
		jumped(c, by_s, wall_s, uptime_s);
	else
		by_s = 0;
	c->known = true;
	c->off_s = off_s;
	return by_s;
}

bool
clockwatch_holds(const struct clockwatch *c, int64_t uptime_s)
{
	return uptime_s < c->until_s;
}
