/*
 * Authority tokens (RFC 9447, RFC 9448 section 5): read one and say before it
 * is used whether the CA will take it.
 */
#ifndef STIR_AUTHTOKEN_H
#define STIR_AUTHTOKEN_H

#include "stir/chain.h"

struct authtoken {
	char *tktype;
	struct buf tkvalue; /* DER, whichever alphabet it was spelt in (D-28) */
	char *fingerprint;
	char *iss, *sub, *jti;
	bool ca;
	int64_t exp_s;
	struct chain *x5c; /* NULL when the header has x5u */
	char *x5u;
};

/* Take the token apart; RC_INVALID authtoken_syntax, authtoken_claim. */
enum rc authtoken_decode(struct span jwt, struct authtoken **out, struct fault *f) MUST_CHECK;
void authtoken_free(struct authtoken *t);
DEFINE_FREEP(authtoken);

enum fingerprint_form { FINGERPRINT_JWK, FINGERPRINT_SPKI }; /* D-29 */

struct authtoken_expect {
	const char *tktype;
	const uint8_t *account_point; /* P256_POINT_LEN; the ACME account key */
	enum fingerprint_form form;
	/* NULL: the chain is not judged; a token whose certificate is not at hand, no signature. */
	const struct anchors *anchors;
	const struct chain *x5u_chain; /* what the x5u led to, where the header has no x5c */
	const char *issuer;	       /* NULL: any (V-70, V-87) */
	int64_t now_s;
};

/*
 * The checks of RFC 9448 section 6 that a client can make, except the
 * comparison of tkvalue, which is the caller's.  RC_DENIED with
 * authtoken_signature, authtoken_chain, authtoken_expired (RC_EXPIRED),
 * authtoken_tktype, authtoken_fingerprint (saying which form it holds),
 * authtoken_ca, authtoken_issuer.
 */
enum rc authtoken_check(const struct authtoken *t, struct span jwt,
    const struct authtoken_expect *e, struct fault *f) MUST_CHECK;

#endif
