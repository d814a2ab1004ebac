/*
 * The x5u that a CA names in an order (RFC 9448 section 7): taken from the
 * order, and fetched before install, for nothing is in force before verifiers
 * find what was issued.  Where it is not asked for it is not read.
 *
 * One thread; the steps' own (step.h).
 */
#ifndef AGENT_RENEWER_SERVED_H
#define AGENT_RENEWER_SERVED_H

#include "agent/renewer/job.h"

/* Of a valid order.  RC_DENIED acme_x5u: there is none, or it is not below the credential's. */
enum rc served_take(struct job *j, const json_t *order, struct fault *f) MUST_CHECK;

/*
 * Fetches it, and goes on to install when it is j->chain.  RC_NET x5u_differs,
 * x5u_unserved: tried again.
 */
enum rc served_look(struct job *j, struct fault *f) MUST_CHECK;

#endif
