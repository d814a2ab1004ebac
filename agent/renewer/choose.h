/*
 * Whose turn it is.  Every credential that has something to do waits in the
 * lane of the party that its next step asks; each lane lets in whom it has
 * room for.  All of the credentials are looked at in one pass, which reads a
 * few words of each: at ten thousand it takes a fraction of a millisecond.
 *
 * One thread.
 */
#ifndef AGENT_RENEWER_CHOOSE_H
#define AGENT_RENEWER_CHOOSE_H

#include "agent/renewer/job.h"

/* Starts the steps that are due and have a place; *wake_ms is brought forward. */
void choose_steps(struct renew *r, int64_t now_ms, int64_t *wake_ms);

/* Whoever the step of j asks has answered, or failed by rc: its lane is told. */
void choose_answered(struct job *j);
void choose_failed(struct job *j, enum rc rc);

/* The clock was set back by so much. */
void choose_clock_back(struct settings *s, int64_t ms);

#endif
