/*
 * Keys in the token that no file of the state directory names: what a crash
 * between the key and its file leaves.  They are counted, for status and the
 * log, and never destroyed by themselves: neither label nor id says which
 * agent made a key, and a token may serve several.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_UNNAMED_H
#define AGENT_FRONT_UNNAMED_H

#include "agent/front/works.h"

enum { UNNAMED_LOOK_S = 3600, UNNAMED_RETRY_S = 60, UNNAMED_SOON_S = 2 };

/* Count in every token that answers; returns when to look again. */
int64_t unnamed_look(struct works *w, int64_t now_s);

#endif
