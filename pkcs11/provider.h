/*
 * A small OpenSSL 3 provider in a private library context: P-256 keys whose
 * private half is in the token.  Its one operation is the ECDSA signature,
 * which sends the digest to the token admin; so CSR and ACME JWS are plain EVP
 * on the builder thread.  Verification and everything else stay with
 * OpenSSL's default provider in the same library context.
 */
#ifndef PKCS11_PROVIDER_H
#define PKCS11_PROVIDER_H

#include "stir/fault.h"

#include <openssl/evp.h>

/*
 * Sign a 32-byte digest with the key of this id: blocking, called on the
 * thread that uses EVP.  Returns r||s in sig.
 */
typedef enum rc token_sign_fn(void *arg, const uint8_t key_id[32], const uint8_t digest[32],
    uint8_t sig[64], struct fault *f);

struct token_provider; /* owns the library context */

enum rc token_provider_new(
    token_sign_fn *sign, void *arg, struct token_provider **out, struct fault *f) MUST_CHECK;
void token_provider_free(struct token_provider *p);
DEFINE_FREEP(token_provider);

/* The library context to pass to X509_REQ_new_ex, EVP_DigestSignInit_ex and the like. */
OSSL_LIB_CTX *token_provider_libctx(struct token_provider *p);

/*
 * An EVP_PKEY for a key in the token, by its 65-byte public point.  The
 * caller frees it (EVP_PKEY_free) before the provider.
 */
enum rc token_provider_key(struct token_provider *p, const uint8_t point[65], EVP_PKEY **out,
    struct fault *f) MUST_CHECK;

#endif
