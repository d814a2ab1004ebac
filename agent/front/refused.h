/*
 * Since when chains for a credential are refused: what is kept of them for
 * inspection (install.h) says it to a process that did not see it.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_REFUSED_H
#define AGENT_FRONT_REFUSED_H

#include "agent/config.h"

#define REFUSED_PREFIX "refused-"

/* The first that is kept and came after current.pem was written; 0: none did. */
int64_t refused_since_s(const struct config *c, const char *tenant, const char *name);

#endif
