/*
 * Answers that wait for the signers' own counters, so that what an
 * administrator reads is no older than the question.  Loop thread only.
 */
#ifndef AGENT_FRONT_FRESH_H
#define AGENT_FRONT_FRESH_H

#include "agent/front/api.h"

/*
 * Call answer() with fresh counters, in a later turn.  Its call has the request
 * id and neither http nor part.
 */
void fresh_answer(struct api_call *call, void (*answer)(struct api_call *call));

#endif
