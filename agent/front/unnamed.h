/*
 * Keys in the token that no file of the state directory names (keyuses.h).
 * They are counted, for status, metrics, alarm and log, and never destroyed by
 * themselves: another agent's are not ours to judge, and our own are an
 * operator's decision (orphans.h).  Those of a batch that we noted (making.h)
 * are what a crash left.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_UNNAMED_H
#define AGENT_FRONT_UNNAMED_H

#include "agent/front/keyuses.h"

enum { UNNAMED_LOOK_S = 3600, UNNAMED_RETRY_S = 60, UNNAMED_SOON_S = 2 };

/* Count in every token that answers; returns when to look again. */
int64_t unnamed_look(struct works *w, int64_t now_s);

/* The same of keys that were looked at already. */
void unnamed_count(struct works *w, unsigned token, const struct keyuses *u, int64_t now_s);

/*
 * Destroy the keys of this batch of ours that no file names.  RC_CONFLICT
 * unnamed_unsure: a file that may name one cannot be read.
 */
enum rc unnamed_destroy(struct works *w, unsigned token, const uint8_t batch[FRAME_BATCH],
    struct fault *f) MUST_CHECK;

#endif
