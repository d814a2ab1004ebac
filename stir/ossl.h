/*
 * Scope-bound cleanup for OpenSSL objects: AUTO_OSSL(X509) *x = NULL;
 */
#ifndef STIR_OSSL_H
#define STIR_OSSL_H

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define OSSL_CLEANUP(type, func) \
	static inline void ossl_##type##_done(type **p) \
	{ \
		func(*p); \
	}
#define AUTO_OSSL(type) __attribute__((cleanup(ossl_##type##_done))) type

OSSL_CLEANUP(X509, X509_free)
OSSL_CLEANUP(X509_REQ, X509_REQ_free)
OSSL_CLEANUP(X509_STORE, X509_STORE_free)
OSSL_CLEANUP(X509_STORE_CTX, X509_STORE_CTX_free)
OSSL_CLEANUP(X509_EXTENSION, X509_EXTENSION_free)
OSSL_CLEANUP(GENERAL_NAMES, GENERAL_NAMES_free)
OSSL_CLEANUP(EVP_PKEY, EVP_PKEY_free)
OSSL_CLEANUP(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
OSSL_CLEANUP(EVP_MD_CTX, EVP_MD_CTX_free)
OSSL_CLEANUP(BIO, BIO_free_all)
OSSL_CLEANUP(BIGNUM, BN_free)
OSSL_CLEANUP(ECDSA_SIG, ECDSA_SIG_free)
OSSL_CLEANUP(ASN1_OBJECT, ASN1_OBJECT_free)
OSSL_CLEANUP(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)

#undef OSSL_CLEANUP
#endif
