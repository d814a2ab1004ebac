/*
 * Some of a configuration's tenants, found by the users and groups that they
 * allow: a caller finds its own among many thousands for the logarithm of
 * their number.
 *
 * A filter, not the right: caller_may() says whether a caller may use a
 * tenant, and the door that it came through is that function's matter alone.
 * Values never change once made.
 */
#ifndef AGENT_FRONT_REACH_H
#define AGENT_FRONT_REACH_H

#include "agent/front/caller.h"

struct reach;

/* Of n tenants, by their indexes; nothing of c or tenant is kept.  RC_NO_MEMORY. */
enum rc reach_new(const struct config *c, const uint32_t *tenant, size_t n, struct reach **out,
    struct fault *f) MUST_CHECK;
void reach_free(struct reach *r); /* NULL is fine */
DEFINE_FREEP(reach);

struct reach_entry {
	uint32_t id, tenant;
};

/* Where a walk is: in the tenants of the caller's user and of each of its groups. */
struct reach_walk {
	struct reach_run {
		const struct reach_entry *at, *end;
	} run[CALLER_MAX_GROUPS + 2];
	size_t runs;
};

/* Borrows r, where NULL is nobody's; c may go. */
void reach_begin(const struct reach *r, const struct caller *c, struct reach_walk *w);

/* The next one that the caller is allowed by, ascending, each once; false: no more. */
bool reach_next(struct reach_walk *w, uint32_t *tenant);

#endif
