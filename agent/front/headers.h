/*
 * What is the same for all requests of one credential and ppt: the header of
 * the PASSporT, the SHA-256 state after it, so that a request hashes only its
 * claims, and what makes the PASSporT an Identity value.
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

/* One of them, until the next headers_find(). */
struct header {
	struct span text; /* base64url */
	struct span tail; /* of the Identity value; empty: the credential makes none */
	const EVP_MD_CTX *after;
};

enum rc headers_find(struct headers *h, struct credential *c, enum ppt ppt, struct header *out,
    struct fault *f) MUST_CHECK;

/* SHA-256 of its text "." payload, which is the base64url of the claims. */
enum rc headers_digest(struct headers *h, const struct header *header, struct span payload,
    uint8_t digest[ES256_DIGEST_LEN], struct fault *f) MUST_CHECK;

#endif
