/*
 * Which credentials there are: the front's plan is asked for page by page, and
 * each row of it is a job (job.h) that is new, goes on, begins anew, or is gone
 * with its record.
 *
 * One thread.
 */
#ifndef AGENT_RENEWER_JOBS_H
#define AGENT_RENEWER_JOBS_H

#include <stdint.h>

struct renew;

/* Asks for the plan where that is due. */
void jobs_plan(struct renew *r, int64_t now_ms);

/* NULL: it is not planned. */
struct job *jobs_find(const struct renew *r, const char *tenant, const char *name);

/* All of them, and what has come of a plan; nothing may be under way. */
void jobs_free(struct renew *r);

#endif
