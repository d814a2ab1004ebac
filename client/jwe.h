/*
 * Compact JWE (RFC 7516) to one recipient's public key, by libjose.  Only for
 * disclosures: never in the agent, never near a call.
 *
 * Keys are JWKs (RFC 7517) on P-256, P-384 or P-521, by ECDH-ES+A256KW; the
 * contents by A256GCM.  No RSA: Debian's libjose has PKCS#1 v1.5 alone.
 */
#ifndef CLIENT_JWE_H
#define CLIENT_JWE_H

#include "stir/buf.h"

#include <jansson.h>

enum { JWE_MAX = 262144 };

/*
 * Append the compact form of plain for the holder of jwk; type is the header's
 * typ.  RC_INVALID jwk (no public key of these kinds), RC_BUG jwe.
 */
enum rc jwe_seal(struct span plain, const json_t *jwk, const char *type, struct buf *out,
    struct fault *f) MUST_CHECK;

/* Append what a compact JWE holds (buf_wipe() it).  RC_INVALID jwe, RC_DENIED jwe_key. */
enum rc jwe_open(
    struct span compact, const json_t *jwk, struct buf *out, struct fault *f) MUST_CHECK;

#endif
