/*
 * ES256 (RFC 7518 section 3.4): signatures as raw r||s, compact and flattened
 * JWS, JWK thumbprints.  P-256 with SHA-256 and nothing else.
 */
#ifndef STIR_ES256_H
#define STIR_ES256_H

#include "stir/buf.h"
#include "stir/ossl.h"

#include <jansson.h>

enum { ES256_DIGEST_LEN = 32, ES256_SIG_LEN = 64, P256_POINT_LEN = 65 };

/* An uncompressed point 04||X||Y as a public key; RC_INVALID "p256_point" off the curve. */
enum rc p256_from_point(
    const uint8_t point[P256_POINT_LEN], EVP_PKEY **out, struct fault *f) MUST_CHECK;

/* The point of a P-256 public key; RC_INVALID "p256_curve" for another key. */
enum rc p256_point(EVP_PKEY *key, uint8_t point[P256_POINT_LEN], struct fault *f) MUST_CHECK;

/* The identity of a key on every wire of ours and its CKA_ID: SHA-256 of the point. */
enum { KEY_ID_LEN = 32 };
void key_id_of_point(const uint8_t point[P256_POINT_LEN], uint8_t id[KEY_ID_LEN]);

/* r||s of a 32-byte digest or of a message.  RC_DENIED "signature" when it does not verify. */
enum rc es256_verify_digest(EVP_PKEY *key, const uint8_t digest[ES256_DIGEST_LEN],
    const uint8_t sig[ES256_SIG_LEN], struct fault *f) MUST_CHECK;
enum rc es256_verify(
    EVP_PKEY *key, struct span message, struct span sig, struct fault *f) MUST_CHECK;

/*
 * Sign with a private EVP_PKEY (in the agent: a key in the token, by our
 * provider).  libctx is the library context that the key lives in; NULL is the
 * default one.  RC_HSM "sign" when the key does not sign.
 */
enum rc es256_sign(OSSL_LIB_CTX *libctx, EVP_PKEY *key, struct span message,
    uint8_t sig[ES256_SIG_LEN], struct fault *f) MUST_CHECK;

/* The ECDSA-Sig-Value of r||s (RFC 3279 section 2.2.3), as X.509 carries it. */
enum rc es256_to_der(
    struct buf *out, const uint8_t sig[ES256_SIG_LEN], struct fault *f) MUST_CHECK;

/* {"crv":"P-256","kty":"EC","x":…,"y":…}: new reference, NULL without memory. */
json_t *jwk_of_point(const uint8_t point[P256_POINT_LEN]);
enum rc jwk_point(const json_t *jwk, uint8_t point[P256_POINT_LEN], struct fault *f) MUST_CHECK;

/* RFC 7638 thumbprint: 32 bytes. */
void jwk_thumbprint(const uint8_t point[P256_POINT_LEN], uint8_t out[32]);

/* SHA-256 of the SubjectPublicKeyInfo: 32 bytes.  RC_INVALID "p256_point". */
enum rc spki_hash(
    const uint8_t point[P256_POINT_LEN], uint8_t out[32], struct fault *f) MUST_CHECK;

/* RFC 9447 fingerprint: "SHA256 AB:CD:…" of 32 bytes. */
enum { FINGERPRINT_TEXT = 7 + 32 * 3 };
void fingerprint_text(const uint8_t hash[32], char out[FINGERPRINT_TEXT]);

/*
 * A compact JWS taken apart, nothing verified: the header is a JSON object,
 * the payload any bytes, the signature 64 of them.  RC_INVALID jws_syntax,
 * base64, malformed_json, duplicate_member.  Spans borrow from the text.
 */
enum { JWS_MAX_BYTES = 131072 };
struct jws_parts {
	struct span header_b64, payload_b64, signature_b64, signing_input;
	json_t *header;	    /* owned */
	struct buf payload; /* decoded bytes, owned */
	uint8_t sig[ES256_SIG_LEN];
};
enum rc jws_split(struct span text, struct jws_parts *out, struct fault *f) MUST_CHECK;
void jws_done(struct jws_parts *p);

/*
 * RFC 7515 flattened JSON JWS of a protected header and payload, signed by key
 * (RFC 8555 section 6.2).  libctx as for es256_sign().  New reference.
 */
enum rc jws_flattened(const json_t *protected_header, struct span payload, OSSL_LIB_CTX *libctx,
    EVP_PKEY *key, json_t **out, struct fault *f) MUST_CHECK;

#endif
