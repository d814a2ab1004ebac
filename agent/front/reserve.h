/*
 * A credential in reserve for another one of its tenant (reserve_for), with a
 * CA, a key and a certificate of its own: ordered, renewed and kept in force
 * like any, and not chosen.  An operator says that it signs from now on, and
 * the other one does not, and says when that is over.  Nothing else does: no
 * certificate that ends, no CA and no token that fails.
 *
 * It is said of the whole section, in all of its tokens and certificates, and
 * is on disk before it holds: STATE/front/failover/TENANT/NAME.json, which is
 * there as long as it does.  It holds with the next set, all at once:
 * credset_stands_by().  Builder thread only.
 */
#ifndef AGENT_FRONT_RESERVE_H
#define AGENT_FRONT_RESERVE_H

#include "agent/front/works.h"

/*
 * At a load: what the disk says of the credential in this place.  What old, the
 * set before, says of one of that name holds where the file cannot be read;
 * without it (NULL) a file that is there is a fail-over, and what cannot be told
 * is none.  The places before it in the tenant have been looked at: a pair is
 * read once.
 */
void reserve_look(
    struct credset *set, struct credset_place at, const struct credset *old, int64_t now_s);

/*
 * Could the section of this name sign for all of its numbers?  NULL: yes; else
 * the first of its certificates that is not in force in any token.  Any thread.
 */
const struct config_credential *reserve_lacks(
    const struct credset *set, size_t tenant, const char *base, int64_t now_s);

/* c is in force: forget what is about no credential that has a reserve. */
void reserve_settle(const struct config *c);

/*
 * name is a section with a reserve.  over: the reserve signs from now on; else
 * the section's own certificates do again.  result gets "tenant",
 * "credential", "reserve", "failed_over" and "since".  RC_OK also where it is
 * so already.
 *
 * RC_NOT_FOUND not_found; RC_CONFLICT conflict: it has no reserve; RC_DENIED
 * no_credential: what is to sign has no certificate in force for all of its
 * numbers; RC_IO, RC_NO_MEMORY, RC_TIMEOUT publish_timeout: nothing has changed.
 */
enum rc reserve_switch(struct works *w, const char *tenant, const char *name, bool over,
    int64_t now_s, json_t *result, struct fault *f) MUST_CHECK;

#endif
