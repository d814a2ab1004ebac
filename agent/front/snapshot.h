/*
 * The set in force and how many requests still use it.  Loop thread only.
 *
 * Whoever drops the last reference of a set frees it, which is slow work for
 * the loop: so requests count on the snapshot, and its last user hands the
 * set to dispose() (the builder).
 */
#ifndef AGENT_FRONT_SNAPSHOT_H
#define AGENT_FRONT_SNAPSHOT_H

#include "agent/front/credset.h"

struct snapshot {
	struct credset *set; /* one reference */
	unsigned users;
	void (*dispose)(void *arg, struct credset *set);
	void *arg;
};

/* Takes the reference of set over; one user.  NULL without memory: set is untouched. */
static inline struct snapshot *
snapshot_new(struct credset *set, void (*dispose)(void *arg, struct credset *set), void *arg)
{
	struct snapshot *s = calloc(1, sizeof *s);

	if (s != NULL)
		*s = (struct snapshot){ set, 1, dispose, arg };
	return s;
}

static inline struct snapshot *
snapshot_use(struct snapshot *s)
{
	s->users++;
	return s;
}

static inline void
snapshot_leave(struct snapshot *s)
{
	if (s == NULL || --s->users > 0)
		return;
	s->dispose(s->arg, s->set);
	free(s);
}

#endif
