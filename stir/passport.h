/*
 * PASSporT (RFC 8225): from a caller's claims to the bytes that are signed,
 * and back.
 */
#ifndef STIR_PASSPORT_H
#define STIR_PASSPORT_H

#include "stir/buf.h"
#include "stir/ppt.h"

enum { PASSPORT_MAX_DEST = 16, PASSPORT_MAX_BYTES = 65536, PASSPORT_MAX_URI = 512 };

struct passport_policy {
	int64_t now_s;		/* Unix time */
	int64_t iat_past_s;	/* how old an iat may be: PASSPORT_PAST_S */
	int64_t iat_future_s;	/* and how far ahead */
	int64_t iat_diverted_s; /* how old that of a div, if more: PASSPORT_DIVERTED_S */
	const char *const
	    *extra_claims; /* claims allowed beside the ppt's (D-51); may be NULL */
	size_t extra;
	/*
	 * What stands in for a claim that the caller leaves out, by name: iat
	 * and opt of the PASSporT that is answered, a made origid.  Borrowed;
	 * NULL: nothing.
	 */
	const json_t *defaults;
	bool orig_uri; /* a SIP URI in orig, where the ppt may have one (D-26) */
	bool lenient;  /* a verifier's: claims that nobody knows are carried */
};

/* How far from a signer's clock an iat may be, and how old that of a div (D-21). */
enum { PASSPORT_PAST_S = 60, PASSPORT_FUTURE_S = 5, PASSPORT_DIVERTED_S = 3 * 60 * 60 };

/* Claims that are complete, checked and canonical. */
struct passport {
	enum ppt ppt;
	json_t *claims; /* owned: orig, dest (sorted), iat and the rest */
	int64_t iat_s;
	struct tn orig;	      /* orig.tn; of length 0 where orig is a URI */
	const char *orig_uri; /* in claims: sip:user@host in normal form; NULL: a tn */
	struct tn div;	      /* div.tn; of length 0 where there is none */
	struct tn dest[PASSPORT_MAX_DEST];
	size_t dests;	  /* tn destinations */
	bool third_party; /* rich call data of somebody else: iss names the signer (D-52) */
};

/*
 * The n numbers that the certificate must cover, all of them; at least one.  A
 * URI in orig is one of length 0, which nothing covers.
 */
const struct tn *passport_authorising(const struct passport *p, size_t *n);

/*
 * Check and canonicalise a caller's claims for one ppt.  The input is not
 * changed; its further values are shared by reference.  An absent iat is
 * now_s.  Refusals: unknown_claim, missing_claim, invalid_claim, invalid_tn,
 * stale_iat, each with its claim.  div.uri is refused, and orig.uri where
 * policy or ppt have none (D-26), which is sip:user@host with a user that is
 * no telephone number; dest.uri is carried as it stands, sorted, but not in rsp, which dest
 * authorises.
 */
enum rc passport_prepare(const json_t *claims, enum ppt ppt,
    const struct passport_policy *policy, struct passport *out, struct fault *f) MUST_CHECK;
void passport_done(struct passport *p);

/*
 * Append the protected header: alg, ppt, typ, x5c, x5u in this order.
 * x5c: standard base64 DER of leaf and intermediates, leaf first, no anchor
 * (D-47); n 0 leaves it out.  x5u NULL leaves it out; one of them is needed.
 * RC_INVALID passport_header.
 */
enum rc passport_header(struct buf *out, enum ppt ppt, const char *x5u, const struct span *x5c,
    size_t n, struct fault *f) MUST_CHECK;

/* Append base64url(header) "." base64url(claims): what is hashed and signed. */
enum rc passport_signing_input(
    struct buf *out, struct span header, const json_t *claims, struct fault *f) MUST_CHECK;

#endif
