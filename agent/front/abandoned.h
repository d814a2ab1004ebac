/*
 * Orders that nobody goes on with: the pending request of a credential that the
 * configuration has not had for abandoned_key_after days.  Its key was never in
 * force: it is retired, and its request removed.
 *
 * Kept where there is any doubt: beside a certificate of the credential, without
 * the key's own file, which says in which token of ours it was made, or where
 * that token is not configured any more.  A key that no file names at all is
 * not looked at here (unnamed.h).
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_ABANDONED_H
#define AGENT_FRONT_ABANDONED_H

#include "agent/front/works.h"

enum { ABANDONED_LOOK_S = 3600 };

/* Returns when to look again. */
int64_t abandoned_look(struct works *w, int64_t now_s);

#endif
