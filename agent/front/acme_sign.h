/*
 * The JWS around every payload for a CA (RFC 8555 section 6.2): whose word it
 * is, its header, its signature in the token.  What the payloads are is
 * acme_ops.c's, account_ops.c's and errand_ops.c's.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_ACME_SIGN_H
#define AGENT_FRONT_ACME_SIGN_H

#include "agent/front/ops.h"

struct acme {
	const struct config_ca *ca;
	const struct account *account; /* acme_find_account()'s */
	/* Whose word it is: the account's key, or the certificate's that is revoked. */
	const uint8_t *point;
	unsigned token;
};

/* The CA that the operation names, which speaks ACME. */
enum rc acme_find_ca(
    const struct op_call *call, const struct config_ca **out, struct fault *f) MUST_CHECK;

/* … with its account, whose word it is; acme_find() only where that may ask for something. */
enum rc acme_find_account(
    const struct op_call *call, struct acme *out, struct fault *f) MUST_CHECK;
enum rc acme_find(const struct op_call *call, struct acme *out, struct fault *f) MUST_CHECK;

/* The operation's nonce, url and kid are such as may be signed; acme_answer() asks that, too. */
enum rc acme_check(
    const struct op_call *call, const struct config_ca *ca, struct fault *f) MUST_CHECK;

/* "jws" of the answer, by the operation's nonce, url and kid; kid null: the key is sent along. */
enum rc acme_answer_jws(const struct op_call *call, const struct acme *a, struct span payload,
    json_t *answer, struct fault *f) MUST_CHECK;
enum rc acme_answer(const struct op_call *call, const struct acme *a, const json_t *payload,
    json_t *answer, struct fault *f) MUST_CHECK;

/* An account's key as authorities name it (D-29). */
struct acme_fingerprints {
	char jwk[FINGERPRINT_TEXT], spki[FINGERPRINT_TEXT];
};
enum rc acme_fingerprints(const uint8_t point[P256_POINT_LEN], struct acme_fingerprints *out,
    struct fault *f) MUST_CHECK;

#endif
