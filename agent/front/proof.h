/*
 * A delegate's word on a call: a PASSporT by which the holder of the number
 * shows its right to it, so that a provider may attest on its strength
 * (protocol of delegate certificates: RFC 9060).
 *
 * Nothing is fetched: the certificates are in the PASSporT (x5c), or the x5u
 * is that of a credential of this agent.
 */
#ifndef AGENT_FRONT_PROOF_H
#define AGENT_FRONT_PROOF_H

#include "agent/front/credset.h"

enum { PROOF_MAX_BYTES = 32768 };

/*
 * Does this PASSporT (or Identity value) prove the right to the orig of call?
 * It verifies against the set's anchors and logs, is fresh, a base or rcd
 * PASSporT of a certificate with numbers, and has the same orig and dest.
 * RC_DENIED attest_not_allowed.
 */
enum rc proof_read(const struct credset *set, struct span text, const struct passport *call,
    int64_t now_s, struct fault *f) MUST_CHECK;

#endif
