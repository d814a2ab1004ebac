/*
 * Certificate revocation lists (RFC 5280 section 5): what a certificate says
 * about where its list is, a list as it came, who signed it and whom it lists.
 * Direct ones are signed by the certificate's issuer, indirect ones
 * (ATIS-1000080: the STI-PA's) by whom the certificate names.
 *
 * Complete lists alone: no deltas, none for some reasons only.  Where lists
 * come from, and which of them are believed, is agent/front/crls.h's.
 */
#ifndef STIR_CRL_H
#define STIR_CRL_H

#include "stir/cert.h"

enum {
	CRL_MAX_DER = 4194304,
	CRL_MAX_EXTENSIONS = 16,
	CRL_NUMBER_MAX = 20, /* octets, RFC 5280 section 5.2.3 */
	CRL_AHEAD_S = 60,    /* that its issuer's clock may be */
	CRL_URL_MAX = 2000,
};

/* ---- what a certificate names ---- */

enum crl_named {
	CRL_NAMED_NONE,	 /* no distribution points */
	CRL_NAMED_OTHER, /* some, and none that can be fetched: a URI, for all reasons */
	CRL_NAMED,
};

struct crl_point {
	enum crl_named named;
	char url[CRL_URL_MAX + 1];
	X509_NAME *issuer; /* cRLIssuer; NULL: the certificate's own issuer signs it */
};

/* The first point with an https URI, else with an http one, whole; crl_point_done() when it is done with. */
enum rc crl_point_read(const struct cert *c, struct crl_point *out, struct fault *f) MUST_CHECK;
void crl_point_done(struct crl_point *p);
#define AUTO_CRL_POINT __attribute__((cleanup(crl_point_done))) struct crl_point

/* ---- one list ---- */

struct crl {
	X509_CRL *x509;
	ISSUING_DIST_POINT *scope; /* NULL: it speaks of all that its issuer has issued */
	int64_t this_update_s, next_update_s;
	uint8_t number[CRL_NUMBER_MAX]; /* big-endian, to the right */
	bool numbered;
	bool indirect;
	size_t entries;
};

/*
 * DER to a list: version 2, in order, with nothing behind it.  RC_INVALID
 * crl_der, crl_time (no nextUpdate, or before thisUpdate), crl_extension;
 * RC_DENIED crl_critical (an extension of it or of an entry that is not
 * processed), crl_delta, crl_partial (for some reasons, or for attribute
 * certificates).  The octets are signed by nobody yet.
 */
enum rc crl_read(struct span der, struct crl **out, struct fault *f) MUST_CHECK;
void crl_free(struct crl *c);
DEFINE_FREEP(crl);

/*
 * Is it signed by this certificate's key?  By name, key identifier, keyUsage
 * cRLSign, validity at at_s, and with an algorithm that a certificate may be
 * signed with (D-56).  RC_DENIED crl_signer, crl_algorithm, crl_signature.
 */
enum rc crl_verify(
    const struct crl *c, const struct cert *signer, int64_t at_s, struct fault *f) MUST_CHECK;

/* Is its time now?  RC_DENIED crl_future, RC_EXPIRED crl_expired. */
enum rc crl_current(
    const struct crl *c, int64_t at_s, int64_t max_age_s, struct fault *f) MUST_CHECK;

/* Does it come after the one that is kept, or is it that?  RC_DENIED crl_older. */
enum rc crl_follows(const struct crl *c, const struct crl *kept, struct fault *f) MUST_CHECK;

/* What is asked of a list: by whom, from where, and of which kind of certificate. */
struct crl_use {
	const X509_NAME *issuer;
	const char *url;
	bool indirect; /* a certificate names its issuer */
	bool of_ca;
};

/* Is it the list for that (RFC 5280 section 6.3.3 (b))?  RC_DENIED crl_scope. */
enum rc crl_covers(const struct crl *c, const struct crl_use *use, struct fault *f) MUST_CHECK;

/* Is the certificate, by issuer and serial number, on it?  *reason: CRL_REASON_… of OpenSSL. */
bool crl_lists(const struct crl *c, const struct cert *cert, int *reason);

#endif
