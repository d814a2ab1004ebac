/*
 * PKCS#10 requests with TNAuthList and claim constraints (RFC 9448 section 4).
 */
#ifndef STIR_CSR_H
#define STIR_CSR_H

#include "stir/constraints.h"
#include "stir/es256.h"

struct csr_template {
	const char *common_name;     /* may be NULL: empty subject */
	const char *organization;    /* may be NULL */
	const char *country;	     /* two letters; may be NULL */
	struct span tnauth_der;	     /* octets of the ordered identifier */
	struct span constraints_der; /* len 0: none */
	enum constraints_form form;
	bool basic_constraints; /* ask for CA:FALSE explicitly (D-34) */
	bool key_usage;		/* ask for digitalSignature */
	const char *dns_name;	/* of subjectAltName; NULL: none */
};

/*
 * Append the DER of a request for key, signed by it (ES256 over plain EVP).
 * libctx is the library context that the key lives in, NULL the default one.
 */
enum rc csr_build(struct buf *out, const struct csr_template *t, OSSL_LIB_CTX *libctx,
    EVP_PKEY *key, struct fault *f) MUST_CHECK;

/* The request as PEM, for people and for programs. */
enum rc csr_pem(struct span der, struct buf *out, struct fault *f) MUST_CHECK;

/*
 * What an existing request asks for, signature verified.  RC_INVALID csr,
 * csr_extension, p256_curve; RC_DENIED "signature".
 */
struct csr_facts {
	char *subject; /* RFC 2253 text */
	bool ca;       /* basicConstraints with cA TRUE */
	uint8_t point[P256_POINT_LEN];
	uint8_t key_id[KEY_ID_LEN];
	struct buf tnauth_der, constraints_der;
	enum constraints_form form;
	char *dns_name; /* the only name of subjectAltName, a dNSName; else NULL */
};
enum rc csr_decode(struct span der, struct csr_facts *out, struct fault *f) MUST_CHECK;
void csr_done(struct csr_facts *c);

#endif
