/*
 * The start of the signing input is the same for all requests of one
 * credential and ppt: here is the SHA-256 state after it, so that a request
 * hashes only its claims.
 *
 * A small cache, loop thread only.  It holds a reference of each credential.
 */
#ifndef AGENT_FRONT_HEADERS_H
#define AGENT_FRONT_HEADERS_H

#include "agent/front/credset.h"

struct headers;
enum rc headers_new(struct headers **out, struct fault *f) MUST_CHECK;
void headers_free(struct headers *h);
DEFINE_FREEP(headers);

/* Forget everything: the credentials of a set that is no longer in force must be let go. */
void headers_clear(struct headers *h);

/*
 * SHA-256 of header "." payload, where header is the credential's of this ppt
 * and payload the base64url of the claims.
 */
enum rc headers_digest(struct headers *h, struct credential *c, enum ppt ppt,
    struct span payload, uint8_t digest[ES256_DIGEST_LEN], struct fault *f) MUST_CHECK;

#endif
