/*
 * Keys that this installation made and that nothing of it names any more: what
 * a state directory that was restored from an older copy, or a tenant's
 * directory that was removed by hand, has left in the token.  Listed, counted,
 * an alarm; destroyed when an operator confirms it on the administration
 * socket, an audit record each before it and one after.
 *
 * Nothing is destroyed in doubt: not where a file could not be read, the
 * installation's name or the clock is new, more than half as many would go as
 * keys of this installation are in use there, or a key was not seen as an orphan
 * for orphan_after_s by this process.  Only keys that are called this
 * installation's, which the token admin asks the token once more.  It happens
 * on the thread that makes keys and writes the files, so that none is being made
 * meanwhile.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_ORPHANS_H
#define AGENT_FRONT_ORPHANS_H

#include "agent/front/keyuses.h"

#include <jansson.h>

enum { ORPHANS_AT_ONCE = 64 }; /* others wait for this thread too */

/* What is an orphan now, since when: for the next look, and the alarm. */
void orphans_note(struct works *w, unsigned token, const struct keyuses *u, int64_t now_s);
void orphans_done(struct works_token *t);

struct orphans_ask {
	const char *token;   /* name of its section */
	const char *confirm; /* the same again: destroy them; NULL: say what would be done */
	const char *key;     /* hex: this one alone, whatever the share is; NULL: all */
	int64_t now_s;
};

/*
 * Result: "token", "installation", "own" (keys of ours), "orphans": of each "key",
 * "since", "state" ("waiting": not long enough an orphan, "due", "destroyed"),
 * "left" (due, for the next time); "reason", "detail": why nothing would be
 * destroyed, null else.  RC_NOT_FOUND not_found; RC_INVALID invalid_member;
 * RC_CONFLICT orphans_unsure, orphans_new, orphans_clock, orphans_share,
 * no_orphan where they were to be destroyed; as keyuses_look() and
 * token_admin_destroy_owned().
 */
enum rc orphans_run(
    struct works *w, const struct orphans_ask *ask, json_t *result, struct fault *f) MUST_CHECK;

/* "token", "installation", "keys": of each "key", "owner", "installation", "use", "of". */
enum rc orphans_keys(struct works *w, const char *token, int64_t now_s, json_t *result,
    struct fault *f) MUST_CHECK;

#endif
