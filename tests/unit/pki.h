/*
 * Keys, certificates, SCTs and tokens that tests make for themselves.  Every
 * function fails the test when it cannot do its work.
 */
#ifndef TESTS_UNIT_PKI_H
#define TESTS_UNIT_PKI_H

#include "stir/constraints.h"
#include "stir/ossl.h"

#define PKI_NOW INT64_C(1800000000)

EVP_PKEY *pki_p256(void);
EVP_PKEY *pki_key(const char *type, const char *curve, unsigned bits); /* "EC" or "RSA" */

enum pki_fault {
	PKI_NO_SKI = 1 << 0,
	PKI_NO_AKI = 1 << 1,
	PKI_WRONG_AKI = 1 << 2,
	PKI_NO_KEY_USAGE = 1 << 3,
	PKI_KEY_USAGE_CRL = 1 << 4, /* cRLSign alone */
	PKI_UNKNOWN_CRITICAL = 1 << 5,
	PKI_DUPLICATE = 1 << 6,
	PKI_CRITICAL_TNAUTH = 1 << 7,
};

struct pki_spec {
	const char *cn;
	EVP_PKEY *key;
	X509 *issuer; /* NULL: self-signed */
	EVP_PKEY *issuer_key;
	bool ca;
	int pathlen;			   /* 0: none given; n: n - 1 */
	int64_t not_before_s, not_after_s; /* 0: an hour before, a day after PKI_NOW */
	const char *serial;		   /* hex; NULL: 01 */
	struct span tnauth;		   /* extension values; len 0: none */
	struct span jwt_constraints, enhanced_constraints;
	struct span scts; /* SignedCertificateTimestampList */
	const char *san;  /* "DNS:a.example"; NULL: none */
	const char *aia;  /* NULL: none */
	const char *policies;
	struct span crl_points; /* the extension's value */
	const char *name_constraints;
	const EVP_MD *md; /* NULL: SHA-256 */
	unsigned faults;
};

X509 *pki_issue(const struct pki_spec *spec);

void pki_der(struct buf *out, X509 *x);
void pki_pem(struct buf *out, X509 *x);
struct cert;
struct cert *pki_cert(X509 *x); /* decoded */

/* Append one SCT with its length, as it stands in a list, for the certificate of spec. */
void pki_sct(struct buf *out, const struct pki_spec *spec, EVP_PKEY *log_key, int64_t time_ms);
/* Put the 2-octet length before the SCTs. */
void pki_sct_list(struct buf *out, struct span scts);
/* base64 of the key's SPKI and its SHA-256, as log lists show them. */
void pki_spki(struct buf *out, EVP_PKEY *key);
void pki_log_id(struct buf *out, EVP_PKEY *key);

/* A detached signature with SHA-256: ECDSA in DER, RSA as PKCS #1 v1.5. */
void pki_sign(struct buf *out, struct span message, EVP_PKEY *key);

/* header.payload.signature */
void pki_jws(struct buf *out, const char *header, const char *payload, EVP_PKEY *key);
/* The x5c array of these certificates as JSON text. */
void pki_x5c(struct buf *out, X509 *const *x, size_t n);

/* TNAuthList of one number, of one SPC. */
void pki_tnauth_one(struct buf *out, const char *tn);
void pki_tnauth_spc(struct buf *out, const char *spc);

#endif
