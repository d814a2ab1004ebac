/*
 * What the front gives up once it has started: new privileges, core dumps,
 * being looked into.  The place for further fences of the process.
 */
#ifndef AGENT_FRONT_HARDEN_H
#define AGENT_FRONT_HARDEN_H

#include "stir/fault.h"

/* For the whole process and for good.  RC_IO: the front must not go on. */
enum rc harden(struct fault *f) MUST_CHECK;

#endif
