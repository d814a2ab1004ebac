/*
 * Authority tokens (RFC 9447, RFC 9448 section 5): read one and say before it
 * is used whether the CA will take it.
 */
#ifndef STIR_AUTHTOKEN_H
#define STIR_AUTHTOKEN_H

#include "stir/chain.h"
#include "stir/constraints.h"

struct authtoken {
	char *tktype;
	struct buf tkvalue; /* DER, whichever alphabet it was spelt in (D-28) */
	char *fingerprint;
	char *iss, *sub, *jti;
	bool evidence; /* it names the TNAuthList token that it rests on (V-89) */
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
	const char *tktype; /* NULL: any, in a report */
	const uint8_t
	    *account_point; /* P256_POINT_LEN; the ACME account key; a report's may be NULL */
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

/* ---- everything that is wrong with one ---- */

enum authtoken_step {
	AUTHTOKEN_TYPE,	   /* tktype */
	AUTHTOKEN_VALUE,   /* tkvalue: the octets that are asked for */
	AUTHTOKEN_ACCOUNT, /* fingerprint */
	AUTHTOKEN_CA,
	AUTHTOKEN_EXPIRY,
	AUTHTOKEN_ISSUER,
	AUTHTOKEN_CHAIN,
	AUTHTOKEN_SIGNATURE,
	AUTHTOKEN_PARTIES, /* V-61: claim agent and entity */
	AUTHTOKEN_BINDING, /* V-64: numbers */
	AUTHTOKEN__STEPS
};

struct authtoken_finding {
	enum authtoken_verdict {
		AUTHTOKEN_UNJUDGED, /* what it takes is not at hand */
		AUTHTOKEN_GOOD,
		AUTHTOKEN_WARNED, /* a CA will take it; a requirement on others is not met */
		AUTHTOKEN_BAD,
	} verdict;
	struct fault why; /* detail: what was found, also where it is good */
};

const char *authtoken_step_name(enum authtoken_step s);	      /* "fingerprint" */
const char *authtoken_verdict_name(enum authtoken_verdict v); /* "good" */

/* What a report knows beside struct authtoken_expect, of which any part may be missing. */
struct authtoken_wanted {
	struct span tkvalue; /* len 0: not known */
	bool constraints;    /* that is what it is for: equal or narrower will do */
	enum constraints_form form;
};

/* Judge every step, whatever the others are.  RC_NO_MEMORY. */
enum rc authtoken_report(const struct authtoken *t, struct span jwt,
    const struct authtoken_expect *e, const struct authtoken_wanted *w,
    struct authtoken_finding out[AUTHTOKEN__STEPS], struct fault *f) MUST_CHECK;

#endif
