/*
 * application/problem+json (RFC 9457) as every native and administration
 * route answers what it refuses.
 */
#ifndef AGENT_FRONT_PROBLEM_H
#define AGENT_FRONT_PROBLEM_H

#include "agent/front/conn.h"

#define PROBLEM_TYPE "application/problem+json"

/* The token that the socket shows: internal_error for one that it does not know. */
const char *problem_reason(const struct fault *f);

/* Its members alone, where there are more of them, and all of it. */
void problem_put(struct buf *out, const struct fault *f, const char *request_id);
void problem_write(struct buf *out, const struct fault *f, const char *request_id);

/* Answer the request in flight.  allow: the methods of a 405, or NULL. */
void problem_answer(
    struct conn *c, const struct fault *f, const char *request_id, const char *allow);

#endif
