/*
 * Keys in the token that no file of the state directory names.  They are
 * counted, for status and the log, and never destroyed by themselves: neither
 * label nor id says which agent made a key, and a token may serve several.
 * Those of a batch that we noted (making.h) are ours.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_UNNAMED_H
#define AGENT_FRONT_UNNAMED_H

#include "agent/front/works.h"

enum { UNNAMED_LOOK_S = 3600, UNNAMED_RETRY_S = 60, UNNAMED_SOON_S = 2 };

/* Count in every token that answers; returns when to look again. */
int64_t unnamed_look(struct works *w, int64_t now_s);

/*
 * Destroy the keys of this batch of ours that no file names.  RC_CONFLICT
 * unnamed_unsure: a file that may name one cannot be read.
 */
enum rc unnamed_destroy(struct works *w, unsigned token, const uint8_t batch[FRAME_BATCH],
    struct fault *f) MUST_CHECK;

#endif
