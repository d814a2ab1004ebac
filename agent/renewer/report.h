/*
 * What the front is told for its status: when each credential is renewed, what
 * stands in its way, and how the accounts at the CAs are.  Nothing is decided
 * by it; one that is lost is said again with the next change.
 *
 * One thread.
 */
#ifndef AGENT_RENEWER_REPORT_H
#define AGENT_RENEWER_REPORT_H

struct renew;

/* Tells what has changed, at most RENEW_REPORTS at a time. */
void report_run(struct renew *r);

#endif
