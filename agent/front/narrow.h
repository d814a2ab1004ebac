/*
 * A number that can be signed for today must not be lost by a certificate that
 * is narrower: what is configured and in force now has to stay so.  Where the
 * numbers of a credential are divided, any of its certificates will do.
 */
#ifndef AGENT_FRONT_NARROW_H
#define AGENT_FRONT_NARROW_H

#include "agent/front/credset.h"

/*
 * Would anything be lost, if present (READY, in this place or meant for it)
 * were followed by a certificate with these numbers?
 */
enum rc narrow_loses(const struct credset *set, struct credset_place at,
    const struct credential *present, const struct tnset *after, int64_t now_s, bool *loses,
    struct fault *f) MUST_CHECK;

#endif
