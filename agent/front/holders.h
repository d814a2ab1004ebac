/*
 * Which tenants hold a number: the configured numbers of all tenants, cut into
 * disjoint segments and searched.  Built once, on the builder thread, for a set
 * (credset.h); then it does not change, and any thread asks.
 */
#ifndef AGENT_FRONT_HOLDERS_H
#define AGENT_FRONT_HOLDERS_H

#include "agent/config.h"
#include "stir/buf.h"

enum {
	HOLDERS_MAX = 64,		  /* tenants that share one number */
	HOLDERS_MAX_INTERVALS = 16777216, /* of all tenants together */
};

struct holders_segment {
	uint64_t lo, hi; /* keys, both inside */
	uint32_t first;	 /* one tenant: the tenant itself; else where its list starts */
	uint32_t len;
};

/* Disjoint segments, ascending, and the lists of those that tenants share. */
struct holders {
	struct holders_segment *segment;
	size_t segments;
	uint32_t *list;
	struct buf segment_mem, list_mem;
};

/*
 * Into *x, which is all zero and also after a failure the caller's to end.
 * RC_INVALID config when more than HOLDERS_MAX tenants share a number.
 */
enum rc holders_build(struct holders *x, const struct config *c, struct fault *f) MUST_CHECK;
void holders_done(struct holders *x);

/* The tenants (indexes into config->tenant) that hold key (tn_key): at most max, sorted. */
size_t holders_of(const struct holders *x, uint64_t key, uint32_t *tenant, size_t max);

#endif
