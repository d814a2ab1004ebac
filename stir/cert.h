/*
 * One certificate: the facts that STIR needs, taken out once (RFC 8226,
 * RFC 9060, RFC 9118).  Nothing about trust: that is chain.h.
 */
#ifndef STIR_CERT_H
#define STIR_CERT_H

#include "stir/constraints.h"
#include "stir/es256.h"
#include "stir/tnauth.h"

enum { CERT_MAX_DER = 65536, CERT_MAX_EXTENSIONS = 64, CERT_SERIAL_TEXT = 2 * 20 + 1 };

struct cert {
	X509 *x509;
	uint8_t *der; /* the octets as they came */
	size_t der_len;
	bool p256; /* subject key is P-256; else point and key_id are zero */
	uint8_t point[P256_POINT_LEN];
	uint8_t key_id[KEY_ID_LEN];
	char serial[CERT_SERIAL_TEXT]; /* lower-case hex, no leading zeros but "0" */
	char *subject, *issuer;	       /* RFC 2253 text */
	int64_t not_before_s, not_after_s;
	bool is_ca;
	bool unknown_critical;	  /* a critical extension that we do not process */
	bool digital_signature;	  /* no keyUsage, or one that allows it */
	bool key_cert_sign;	  /* the same for keyCertSign */
	bool tnauth_by_reference; /* id-ad-stirTNList present (D-46) */
	char *tnauth_url; /* where that is; NULL unless there is exactly one, an https URI */
	struct tnauth *tnauth;			 /* NULL: no such extension */
	struct constraints *constraints;	 /* NULL: neither extension */
	struct span tnauth_der, constraints_der; /* extension values, borrowed from x509 */
	bool both_constraints;			 /* RFC 9118 s6 forbids (D-07) */
	size_t policies;			 /* certificate policy OIDs as dotted text */
	char **policy;
	size_t crl_points; /* CRL distribution points */
	bool crl_issuer;   /* and each of them names its cRLIssuer */
	char *dns_name;	   /* the only dNSName of the SAN, or NULL */
};

/*
 * Decode one certificate.  An undecodable TNAuthList or constraints extension,
 * a duplicate extension or trailing bytes are RC_INVALID: cert_der,
 * cert_extension, cert_serial, cert_time, or a token of the list's decoder.
 */
enum rc cert_decode(
    struct span der, bool all_nines, struct cert **out, struct fault *f) MUST_CHECK;
void cert_free(struct cert *c);
DEFINE_FREEP(cert);

/*
 * Is there an extension with this dotted object identifier, critical or not?
 * True as well where that cannot be told.
 */
bool cert_has_extension(const struct cert *c, const char *oid);

/* RFC 9773 certificate identifier: base64url(AKI) "." base64url(serial). */
enum rc cert_ari_id(const struct cert *c, struct buf *out, struct fault *f) MUST_CHECK;

#endif
