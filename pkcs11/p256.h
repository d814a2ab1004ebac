/*
 * The little of P-256 that the token's processes need: the id of a key, a
 * point off the token, and the check of a raw signature.  Key material never
 * enters here.  Pure; any thread.
 */
#ifndef PKCS11_P256_H
#define PKCS11_P256_H

#include "stir/fault.h"
#include "stir/span.h"

#include <openssl/evp.h>

enum { P256_POINT = 65, P256_ID = 32, P256_DIGEST = 32, P256_SIG = 64 };

/* The id of a key on every wire of ours and its CKA_ID: SHA-256 of the point. */
enum rc p256_key_id(
    const uint8_t point[P256_POINT], uint8_t id[P256_ID], struct fault *f) MUST_CHECK;

/*
 * CKA_EC_POINT as tokens give it: the DER OCTET STRING of PKCS#11, or the bare
 * 65 bytes of older ones.  RC_INVALID "p256_point" for anything else.
 */
enum rc p256_from_attribute(
    struct span value, uint8_t point[P256_POINT], struct fault *f) MUST_CHECK;

/* A public key of an uncompressed point on the curve; freed by the caller. */
enum rc p256_public(
    const uint8_t point[P256_POINT], EVP_PKEY **out, struct fault *f) MUST_CHECK;

/* r||s as the DER of ECDSA-Sig-Value, in at most P256_DER_SIG bytes, and back. */
enum { P256_DER_SIG = 72 };
enum rc p256_sig_to_der(const uint8_t sig[P256_SIG], uint8_t der[P256_DER_SIG], size_t *len,
    struct fault *f) MUST_CHECK;

/* RC_DENIED "signature" when r||s is not this point's signature of the digest. */
enum rc p256_verify(const uint8_t point[P256_POINT], const uint8_t digest[P256_DIGEST],
    const uint8_t sig[P256_SIG], struct fault *f) MUST_CHECK;

#endif
