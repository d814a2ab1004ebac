/*
 * The PASSporTs that a div, div-o or rsp answers: read, put into the order of
 * the call's diversions, compared with the claims that are to be signed, and
 * verified (RFC 8946 sections 4 and 5, RFC 9970 section 4).
 *
 * Nothing is fetched: a signature is verified with the chain in x5c, or with
 * one that is known beforehand by its x5u.  Pure; values never change.
 */
#ifndef STIR_ORIGINAL_H
#define STIR_ORIGINAL_H

#include "stir/chain.h"
#include "stir/passport.h"

enum {
	ORIGINAL_MAX = 8,	    /* PASSporTs, those in opt of a div-o counted */
	ORIGINAL_MAX_BYTES = 65536, /* of one */
	ORIGINAL_FUTURE_S = 60,	    /* how far ahead its iat may be: RFC 8224 section 6.2 */
};

/* What is done with an original whose chain is not in x5c. */
enum original_check {
	ORIGINAL_COMPARE, /* its claims are compared, its signature is not verified */
	ORIGINAL_CACHED,  /* the chain must be known beforehand by x5u */
};

struct original_policy {
	enum original_check check;
	const struct anchors *anchors; /* NULL: no chain can be proven */
	bool without_anchors;	       /* "vesper check": a chain that is not proven will do */
	/* A chain that is known beforehand, or NULL; may itself be NULL. */
	const struct chain *(*known)(void *arg, struct span x5u);
	/*
	 * Was this token found good before, by the same anchors and with this
	 * chain (NULL: that of its x5c)?  remember() is told when it was.  Its
	 * age is judged all the same.  Both may be NULL.
	 */
	bool (*remembered)(void *arg, struct span token, const struct chain *chain);
	void (*remember)(void *arg, struct span token, const struct chain *chain);
	void *arg;
	int64_t now_s;
	int64_t max_age_s; /* of an iat: PASSPORT_DIVERTED_S (D-21) */
};

struct originals; /* opaque */

/*
 * Read n PASSporTs or Identity values: syntax and claims, and the order of the
 * call's diversions.  One or more are those of the call itself, with the same
 * orig and dest; each further one is a div or div-o that takes the call on
 * from where it stands.  The PASSporT in the opt of a div-o takes part, too.
 *
 * RC_DENIED original_invalid (not a PASSporT of a supported type),
 * original_mismatch (they do not belong to one call), both with the claim
 * "original".
 */
enum rc originals_read(
    const struct span *token, size_t n, struct originals **out, struct fault *f) MUST_CHECK;
void originals_free(struct originals *o);
DEFINE_FREEP(originals);

/*
 * What the PASSporT takes over where the caller's claims leave it out: iat and,
 * for div-o, opt.  New reference.
 */
enum rc originals_defaults(
    const struct originals *o, enum ppt ppt, json_t **out, struct fault *f) MUST_CHECK;

/*
 * Compare prepared claims.  div and div-o: orig is theirs, div one of the
 * numbers that the call went to last, dest another, iat that of the last;
 * div-o: opt is the last of them.  rsp: orig and dest are where the call
 * stands, after its diversions.  RC_DENIED original_mismatch, with the claim.
 */
enum rc originals_match(
    const struct originals *o, const struct passport *p, struct fault *f) MUST_CHECK;

/*
 * Verify them as a verification service does, each at its own iat, which is
 * at most max_age_s old.  *verified: how many have had their
 * signature verified.  RC_DENIED original_invalid.
 */
enum rc originals_verify(const struct originals *o, const struct original_policy *policy,
    size_t *verified, struct fault *f) MUST_CHECK;

size_t originals_len(const struct originals *o);

/* The call has been diverted: dest is not that of its first PASSporT (D-37). */
bool originals_diverted(const struct originals *o);

#endif
