/*
 * What an entity discloses to one relying party so that it can verify
 * commitments of a certificate (VESPER -06, "Salt Disclosure"):
 *
 *	{"schema":"vesper/disclosure/1","aud":"…","iat":n,
 *	 "certificate":{"serial":"…","sha256":"…"},
 *	 "claims":[{"claim":"vper/name","alg":"sha-256","salt":"…","value":…}]}
 */
#ifndef CLIENT_DISCLOSURE_H
#define CLIENT_DISCLOSURE_H

#include "stir/cert.h"

enum { DISCLOSURE_MAX = 65536 };
#define DISCLOSURE_TYPE "vesper-disclosure+jwe" /* typ of the JWE */

struct disclosure {
	char sha256[2 * 32 + 1]; /* of the certificate that it is about, lower-case hex */
	struct salts *salts;
	json_t *values; /* path -> value, an object */
};

/* Read one; unknown members are passed over.  RC_INVALID disclosure. */
enum rc disclosure_read(struct span text, struct disclosure *out, struct fault *f) MUST_CHECK;
void disclosure_done(struct disclosure *d); /* wipes the salts */

/* A file of salts; RC_DENIED salts where others can read it. */
enum rc disclosure_salts(const char *path, struct salts **out, struct fault *f) MUST_CHECK;

/* What is proven by a salt and a value, the committed entry of a certificate given. */
enum disclosed {
	DISCLOSED_NOTHING, /* no salt or no value: not presently verifiable (V-68) */
	DISCLOSED_PROVEN,
	DISCLOSED_OTHER, /* it is not what the certificate commits to */
};

/* V-58: C' and, where the certificate has it, H(S). */
enum rc disclosed_is(const struct constraints *c, const char *path, struct span salt,
    const json_t *value, enum disclosed *out, struct fault *f) MUST_CHECK;

/*
 * What a certificate announces of claims: an array, new reference, with an
 * object for each path that the claims do not carry, or carry without that it
 * can be verified; d NULL: nothing was disclosed.  *other: something disclosed
 * is not what the certificate commits to.
 */
enum rc disclosure_announced(const struct constraints *c, const json_t *claims,
    const struct disclosure *d, json_t **out, bool *other, struct fault *f) MUST_CHECK;

#endif
