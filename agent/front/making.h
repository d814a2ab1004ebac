/*
 * Keys on their way.  Between a key in the token and the file that names it a
 * crash may come; so the batch that a key is called by in the token is on disk
 * before it is made, STATE/front/making/BATCH.json, and goes when each key of it
 * has a file.  What is left of a batch then is ours and nobody's: destroyed.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_MAKING_H
#define AGENT_FRONT_MAKING_H

#include "agent/front/works.h"

enum { MAKING_SOON_S = 2, MAKING_RETRY_S = 60 };

/* w->token[token].batch is noted: a new one, or the one before that was left. */
enum rc making_begin(struct works *w, unsigned token, struct fault *f) MUST_CHECK;

/* Each key of it has a file, or is gone. */
void making_end(struct works *w, unsigned token);

/* Not each has: looked at with the next chores. */
void making_leave(struct works *w);

/* What batches have left over goes; returns when to call again, INT64_MAX: there is none. */
int64_t making_due(struct works *w, int64_t now_s);

#endif
