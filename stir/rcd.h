/*
 * Rich call data (RFC 9795): the claims rcd, rcdi, crn and iss, and the
 * integrity of what rcd holds and refers to.
 *
 * Inline content is hashed here, whatever a caller says of it; of content
 * elsewhere a digest is only known or not (D-41).  Nothing is fetched.
 *
 * Pure.
 */
#ifndef STIR_RCD_H
#define STIR_RCD_H

#include "stir/buf.h"
#include "stir/jcard.h"

/*
 * One claim each, as the ppt table checks it (claim_check of stir/ppt.h):
 * RC_INVALID invalid_claim, the detail names member or pointer.
 *
 * rcd: an object (D-40) of nam (required, may be ""), apn (a canonical
 * number), icn (https or data:image), and jcd (a jCard) or jcl (https).
 * rcdi: JSON pointers into rcd, each with "sha256-", "sha384-" or "sha512-"
 * and base64, padded or not.
 */
enum rc rcd_check(const char *name, const json_t *rcd, struct fault *f) MUST_CHECK;
enum rc rcd_check_rcdi(const char *name, const json_t *rcdi, struct fault *f) MUST_CHECK;
enum rc rcd_check_crn(const char *name, const json_t *crn, struct fault *f) MUST_CHECK;
enum rc rcd_check_iss(const char *name, const json_t *iss, struct fault *f) MUST_CHECK;

/* ppt rcd exists for one of them (RFC 9795 section 8): RC_INVALID missing_claim "rcd". */
enum rc rcd_check_present(const json_t *claims, struct fault *f) MUST_CHECK;

/*
 * Everything about rcd, rcdi and crn that the claims show by themselves,
 * whatever the ppt: each alone as above, then rcd and rcdi against each other.
 * rcdi needs rcd (missing_claim "rcd"), points at what is there, has the digest
 * of what is inline, and with an rcdi every reference to content elsewhere has
 * its entry.  RC_INVALID invalid_claim.
 */
enum rc rcd_check_claims(const json_t *claims, struct fault *f) MUST_CHECK;

/*
 * RFC 9795 section 4, mode 2: rcd that refers to content elsewhere has an
 * rcdi.  RC_INVALID missing_claim "rcdi".
 */
enum rc rcd_check_integrity(const json_t *claims, struct fault *f) MUST_CHECK;

/* ---- digests ------------------------------------------------------------------------ */

enum rcd_hash { RCD_SHA256, RCD_SHA384, RCD_SHA512, RCD__HASHES };

struct rcd_digest {
	enum rcd_hash hash;
	uint8_t bytes[64];
};

enum { RCD_DIGEST_TEXT = 7 + 88 + 1 }; /* "sha512-" and base64 */

/* "sha256-…", base64 with or without padding (D-40).  RC_INVALID "rcd_digest". */
enum rc rcd_digest_parse(struct span text, struct rcd_digest *out, struct fault *f) MUST_CHECK;
void rcd_digest_text(const struct rcd_digest *d, char out[RCD_DIGEST_TEXT]); /* unpadded */
enum rc rcd_digest_of(enum rcd_hash hash, struct span content, struct rcd_digest *out,
    struct fault *f) MUST_CHECK;

/* "sha256" */
const char *rcd_hash_name(enum rcd_hash hash);

/* ---- content elsewhere -------------------------------------------------------------- */

/* What is known of the content at one URI: any of these digests.  A URI may be there again. */
struct rcd_known {
	const char *uri;
	const struct rcd_digest *digest;
	size_t digests;
	const json_t *card; /* the jCard that it is, or NULL */
};

struct rcd_contents {
	const struct rcd_known *known;
	size_t n;
	bool trust; /* where nothing is known of a URI, the caller's word will do */
};

/*
 * Do the digests of claims that rcd_check_claims() took belong to known content?  Without an rcdi
 * nothing is claimed of it.  Pointers below /jcl are judged inside the known
 * card.  RC_DENIED rcd_content_unknown, with the pointer.
 */
enum rc rcd_check_content(
    const json_t *claims, const struct rcd_contents *contents, struct fault *f) MUST_CHECK;

/*
 * The rcdi of a checked rcd with an entry for everything in it: new reference.
 * RC_NOT_FOUND rcd_content_unknown where a reference is not in known.
 */
enum rc rcd_make_rcdi(const json_t *rcd, enum rcd_hash hash, const struct rcd_known *known,
    size_t n, json_t **out, struct fault *f) MUST_CHECK;

#endif
