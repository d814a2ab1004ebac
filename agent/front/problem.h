/*
 * application/problem+json (RFC 9457) as every native and administration
 * route answers what it refuses.
 */
#ifndef AGENT_FRONT_PROBLEM_H
#define AGENT_FRONT_PROBLEM_H

#include "agent/front/conn.h"

#define PROBLEM_TYPE "application/problem+json"

void problem_write(struct buf *out, const struct fault *f, const char *request_id);

/* Answer the request in flight.  allow: the methods of a 405, or NULL. */
void problem_answer(
    struct conn *c, const struct fault *f, const char *request_id, const char *allow);

#endif
