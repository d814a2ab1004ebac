/*
 * Can the state directory be written?  Everything that changes needs it, and
 * nothing that is in force does; so it is tried before it is needed, and an
 * operator hears of it.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_STATEDIR_H
#define AGENT_FRONT_STATEDIR_H

#include "agent/front/works.h"

enum { STATEDIR_TRY_S = 10, STATEDIR_RETRY_S = 3 };

/* Write and sync a file; says so in the log when it begins to fail, and when it is well. */
int64_t statedir_try(struct works *w, int64_t now_s);

#endif
