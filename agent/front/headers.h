/*
 * What is the same for all requests of one credential and ppt: the header of
 * the PASSporT, the SHA-256 state after it, so that a request hashes only its
 * claims, and what makes the PASSporT an Identity value.
 *
 * Made at the first request, kept in the credential.  Loop thread only; a
 * credential that nobody uses any more is freed by any.
 */
#ifndef AGENT_FRONT_HEADERS_H
#define AGENT_FRONT_HEADERS_H

#include "agent/front/credset.h"

struct headers;
/* Empty.  RC_NO_MEMORY. */
enum rc headers_new(struct headers **out, struct fault *f) MUST_CHECK;
void headers_free(struct headers *h);
DEFINE_FREEP(headers);

struct header_made;
void header_made_free(struct header_made *m);
DEFINE_FREEP(header_made);

/* One of them, as long as the credential. */
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
