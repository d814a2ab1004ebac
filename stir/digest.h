/*
 * SHA-256 of bytes that lie in one piece.  Pure.
 */
#ifndef STIR_DIGEST_H
#define STIR_DIGEST_H

#include "stir/fault.h"
#include "stir/span.h"

enum { DIGEST_SHA256_LEN = 32 };

/* RC_BUG internal_error: OpenSSL has none, or no memory. */
enum rc digest_sha256(
    struct span in, uint8_t out[DIGEST_SHA256_LEN], struct fault *f) MUST_CHECK;

#endif
