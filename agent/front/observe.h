/*
 * The renewer's word on content elsewhere: its operation "content".
 * Builder thread.
 */
#ifndef AGENT_FRONT_OBSERVE_H
#define AGENT_FRONT_OBSERVE_H

#include "agent/front/ops.h"

/*
 * One look at a URL that the configuration has observed: its three digests,
 * the text of a jCard, or the problem that it met.  What is known stays known
 * after a problem.  RC_NOT_FOUND not_found for another URL.
 */
op_fn content_op;

#endif
