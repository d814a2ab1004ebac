/*
 * Which numbers of a tenant are in which of a credential's certificates, where
 * numbers_per_certificate divides them (D-17, shards.h): worked out at load and
 * with every change by command, from the numbers that hold and from what a
 * file of the state directory says was where.
 *
 * That file is no more than the memory of it: what is worked out from the same
 * file and the same numbers is the same, so a crash between a change and its
 * record changes nothing.  What it does not know, or where it is not there, the
 * certificates in force say (parts.h); so, at a start, where it cannot be read,
 * and then it goes aside as T.json.lost before another is written: at once where
 * it is none, with the next change by command where it may only be out of reach.
 *
 * A section that is divided no more stays so with certificates for all in the
 * first of them, until that is in force and there is another load.
 *
 * Belongs to the builder thread.
 */
#ifndef AGENT_FRONT_DIVISION_H
#define AGENT_FRONT_DIVISION_H

#include "agent/members.h"

/*
 * After numbers_load(), before c is in force: every tenant's members.  A
 * record that cannot be read, or numbers that have no place, fail with strict;
 * else they are logged, and what has no place is number_pending.
 */
enum rc division_load(struct config *c, int64_t now_s, bool strict, struct fault *f) MUST_CHECK;

/* c is in force: what it says is recorded. */
void division_settle(const struct config *c);

/*
 * The members of a tenant with these numbers; NULL where nothing is divided.
 * RC_DENIED too_many_numbers: no place, more than MEMBERS_MAX, or no room in a
 * token for their keys.
 */
enum rc division_change(const struct config *c, const struct config_tenant *t,
    const struct tnset *numbers, struct members **out, struct fault *f) MUST_CHECK;

/* On disk; nothing to do for a tenant without members.  RC_IO. */
enum rc division_keep(
    const struct config *c, const struct config_tenant *t, struct fault *f) MUST_CHECK;

#endif
