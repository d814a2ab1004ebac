/*
 * What the supervisor gives up once everything it needs is open.  The one
 * place of this process for capabilities, seccomp and Landlock.
 *
 * As root it hands a role no more than the role needs to become its user
 * (agent/role.h).  It keeps its own rights: it has to start, kill and clean up.
 */
#ifndef AGENT_SUPERVISOR_HARDEN_H
#define AGENT_SUPERVISOR_HARDEN_H

#include "stir/fault.h"

/* For the process and all that it starts.  RC_IO: it must not go on. */
enum rc supervisor_harden(struct fault *f) MUST_CHECK;

#endif
