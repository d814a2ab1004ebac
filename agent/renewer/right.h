/*
 * What a number authority says of the right to use numbers, told to the front:
 * that it refuses it, and that it grants again what it refused.
 */
#ifndef AGENT_RENEWER_RIGHT_H
#define AGENT_RENEWER_RIGHT_H

#include "agent/renewer/job.h"

/* What came of asking for the token of j's numbers; grant with RC_OK, else f. */
void right_say(
    struct job *j, enum rc rc, const struct authtok_grant *grant, const struct fault *f);

#endif
