/*
 * Certificates that outlive the removal of a number in them.  One that lists
 * what its tenant has no more is put on record; where it ends later than
 * port_revoke_after from then, it is revoked: as soon as another one is in
 * force in its place, or when nothing is left that it could be used for.  What
 * is in force and of use is never revoked by this.
 *
 * Looked for where numbers are removed by command, and after each reading of
 * the configuration, a few tenants at a time.  STATE/front/ported/ID.json;
 * nothing is asked of a CA before the revocation itself is on record
 * (revoke.h).  Builder thread only.
 */
#ifndef AGENT_FRONT_PORTED_H
#define AGENT_FRONT_PORTED_H

#include "agent/front/works.h"

enum { PORTED_LOOK = 64 /* tenants of one look */, PORTED_SWEEP_S = 60, PORTED_MAX = 16384 };

/* Read what is on disk: after the first load. */
enum rc ported_load(struct works *w, struct fault *f) MUST_CHECK;
void ported_done(struct works *w);

/* All tenants are to be looked at again. */
void ported_begin(struct works *w, int64_t now_s);

/* This tenant is looked at now: index in the configuration. */
void ported_look(struct works *w, size_t tenant, int64_t now_s);

/* What is due; returns when again. */
int64_t ported_due(struct works *w, int64_t now_s);

/* When this certificate is to be revoked for it; 0: it is not. */
int64_t ported_revoke_at_s(const struct works *w, const char *id);

/* How many are on record. */
size_t ported_waiting(const struct works *w);

#endif
