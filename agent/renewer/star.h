/*
 * Orders whose certificates the CA renews by itself (STAR, RFC 8739), where a
 * credential's configuration asks for them: what such an order must say, and
 * one look at its rolling certificate.  Each certificate of it goes through
 * install like any other; when there is none to come, when the CA has ended
 * it, or when it is late, the credential is ordered anew.
 *
 * One thread; the steps' own (step.h).
 */
#ifndef AGENT_RENEWER_STAR_H
#define AGENT_RENEWER_STAR_H

#include "agent/renewer/job.h"

enum { STAR_SLACK_S = 60 /* between the last certificate's end and the order's */ };

/* Does an order of this job ask for a series?  Then of what the CA must offer that. */
struct acme_series star_wanted(const struct job *j);

/* Of the answer to newOrder.  RC_DENIED acme_star: no series, or a longer one. */
enum rc star_take_order(struct job *j, const json_t *order, struct fault *f) MUST_CHECK;

/* Of a valid order: it becomes the record's series.  RC_INVALID acme_order. */
enum rc star_begin(struct job *j, const json_t *order, struct fault *f) MUST_CHECK;

/* Will its CA have the next certificate of what is in force?  With the moment to look for it. */
bool star_runs(const struct job *j);
int64_t star_look_at_s(const struct job *j);

/* The same, and nobody but the calendar asks: then that is the next step. */
bool star_is_next(const struct job *j);

#endif
