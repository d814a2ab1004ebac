/*
 * What the files behind renew.h share: renew.c is one turn of it all, jobs.c
 * the plan and so which credentials there are, awaited.c what is asked for
 * before a plan has it, choose.c whose turn it is, job.c one credential's
 * renewal, step.h what each of its states does, renewinfo.c what CAs suggest,
 * spread.c what the calendar does, report.c what status is told.  errands.c,
 * fetch.c and right.c run beside it.  For these only.
 *
 * One thread.
 */
#ifndef AGENT_RENEWER_RENEW_PARTS_H
#define AGENT_RENEWER_RENEW_PARTS_H

#include "agent/renewer/errands.h"
#include "agent/renewer/job.h"
#include "agent/renewer/renew.h"

struct renew {
	const struct io *io;
	struct store *store;
	struct settings *set, *next_set;
	struct settings *old_set; /* until what began with it is over; then next may come */
	struct job **job;	  /* sorted by tenant, then name */
	size_t jobs;
	struct buf incoming; /* struct plan of the pages that came */
	struct buf awaited;  /* struct awaited: asked for, and in no plan yet */
	bool plan_due, plan_busy, swept;
	unsigned plan_failures;
	int64_t plan_wake_ms, last_ms;
	unsigned reports, windows; /* under way */
	unsigned fetches;	   /* likewise */
	size_t window_at;	   /* the job that is asked about next, if it is due */
	int64_t spread_wake_ms;
	bool spread_due, stopping;
	bool incredible; /* the clock is: nothing is done */
	struct errands *errands;
	struct cleanups *cleanups;
};

static inline int64_t
renew_now_ms(const struct renew *r)
{
	return r->io->now_ms(r->io->ctx);
}

static inline int64_t
job_now_s(const struct job *j)
{
	return io_now_s(j->renew->io);
}

#endif
