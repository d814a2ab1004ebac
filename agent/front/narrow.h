/*
 * A number that can be signed for today must not be lost by a certificate that
 * is narrower: what is configured and in force now has to stay so.  Where the
 * numbers of a credential are divided, it may go when the one whose place it is
 * by now (division.h) has it.
 *
 * Until then a certificate of a division is wanted with its own numbers and
 * those beside them: it can be renewed at any time, whatever becomes of the
 * others, and two that wait for each other both come to an end.
 */
#ifndef AGENT_FRONT_NARROW_H
#define AGENT_FRONT_NARROW_H

#include "agent/front/credset.h"
#include "agent/front/want.h"

/*
 * Would anything be lost, if present (READY, in this place or meant for it)
 * were followed by a certificate with these numbers?
 */
enum rc narrow_loses(const struct credset *set, struct credset_place at,
    const struct credential *present, const struct tnset *after, int64_t now_s, bool *loses,
    struct fault *f) MUST_CHECK;

/* Does another of its section still speak for a number whose place is this one? */
bool narrow_frees(const struct credset *set, struct credset_place at);

/* want_of() in this place at this time, with what the present one has to keep. */
enum rc narrow_want(const struct credset *set, struct credset_place at, int64_t now_s,
    struct want *out, struct fault *f) MUST_CHECK;

/*
 * want_allows() of that; in a division also what was wanted a moment ago: the
 * others are put in force while an order is under way.
 */
enum rc narrow_allows(const struct credset *set, struct credset_place at, int64_t now_s,
    struct span tnauth_der, struct span constraints_der, struct fault *f) MUST_CHECK;

#endif
