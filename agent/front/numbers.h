/*
 * Numbers that are added to a tenant and removed from it by command (D-60).
 *
 * The configuration says what a tenant has; a command changes that at once and
 * for good.  Where the two differ, a file of the state directory keeps what
 * was added and what was removed, until the configuration says the same.  A
 * removed number can not be signed for any more when numbers_change() returns:
 * the change is on disk, the set that requests are judged by is without it,
 * and what was under way is asked again before it is given out (sign_holds()).
 *
 * An added one is ordered for when renumber_window_s is over, together with
 * all that came meanwhile; until a certificate covers it, it is number_pending.
 *
 * Belongs to the builder thread.
 */
#ifndef AGENT_FRONT_NUMBERS_H
#define AGENT_FRONT_NUMBERS_H

#include "agent/front/works.h"

enum {
	NUMBERS_MAX_ENTRIES = 2048,  /* numbers and ranges of one command */
	NUMBERS_MAX_CHANGED = 65536, /* intervals that differ from the configuration */
	NUMBERS_RECORD = 128,	     /* entries in one record of the audit */
	NUMBERS_RETRY_S = 60,
};

/*
 * Before c is in force: what holds of each tenant's numbers, by its file.  One
 * that cannot be read leaves that tenant without numbers (numbers_lost), or
 * with strict fails.
 */
enum rc numbers_load(struct config *c, int64_t now_s, bool strict, struct fault *f) MUST_CHECK;

/* c is in force: what the configuration says by now is in the files no more. */
void numbers_settle(const struct config *c);

/* The numbers that the files of the configuration name; NULL: none. */
const struct tnset *numbers_listed(const struct config_tenant *t);

/*
 * Both may be NULL or hold what is there, or is not there, already.  result
 * gets "added", "removed" and "numbers", which are counts.
 *
 * RC_NOT_FOUND not_found; RC_INVALID invalid_member for a number in both;
 * RC_DENIED too_many_numbers where no certificate could hold them all;
 * RC_CONFLICT numbers_lost; RC_IO.
 */
enum rc numbers_change(struct works *w, const char *tenant, const struct tnset *add,
    const struct tnset *remove, int64_t now_s, json_t *result, struct fault *f) MUST_CHECK;

/* When the next window closes; INT64_MAX: none is open. */
int64_t numbers_due_s(const struct config *c);

/* Close those that are over; true where there is something new to be ordered. */
bool numbers_close(struct works *w, int64_t now_s);

#endif
