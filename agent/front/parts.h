/*
 * What the certificates in force say of a division (division.h): where the
 * numbers are, where no record says it; and which parts of one that is over
 * are still needed, because no certificate has all of their numbers yet.
 *
 * Reads STATE/front/tenants, judges nothing.  Belongs to the builder thread.
 */
#ifndef AGENT_FRONT_PARTS_H
#define AGENT_FRONT_PARTS_H

#include "agent/config.h"
#include "agent/shards.h"

/*
 * Of a section with so many copies, as read: what each part speaks for and no
 * lower one does.  The sets alone are made; where there are no certificates
 * there are none.
 */
enum rc parts_read(const struct config *c, const struct config_tenant *t,
    const struct config_credential *first, size_t copies, struct shards *out,
    struct fault *f) MUST_CHECK;

struct parts_when {
	int64_t now_s;
	bool
	    strict; /* RC_IO of a certificate is one; else a part that cannot be read is needed */
};

/*
 * Of one that is not divided: how many parts there were of it, where one of
 * them is not over and has numbers of the tenant's that no certificate of all
 * of them has which is valid and not revoked.  0: none is needed.
 */
enum rc parts_left(const struct config *c, const struct config_tenant *t,
    const struct config_credential *first, size_t copies, const struct parts_when *when,
    size_t *left, struct fault *f) MUST_CHECK;

#endif
