#include "stir/crl.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "stir/chain.h"
#include "stir/ossl.h"
#include "stir/uri.h"

enum { VERSION_2 = 1 };

/* ---- what a certificate names -------------------------------------------------------------- */

void
crl_point_done(struct crl_point *p)
{
	X509_NAME_free(p->issuer);
	p->issuer = NULL;
}

typedef bool read_fn(struct span s, struct uri_https *out);

/* The first URI of that scheme among the names: of another form nothing is fetched. */
static bool
take_url(const GENERAL_NAMES *names, read_fn *read, char out[CRL_URL_MAX + 1])
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		struct uri_https ignored = { 0 };
		struct span text;

		if (name->type != GEN_URI)
			continue;
		text = span_of(ASN1_STRING_get0_data(name->d.uniformResourceIdentifier),
		    (size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier));
		if (text.len > CRL_URL_MAX || !read(text, &ignored))
			continue;
		memcpy(out, text.ptr, text.len);
		out[text.len] = 0;
		return true;
	}
	return false;
}

/* RFC 5280 section 4.2.1.13: the name of a directory is the only form of a cRLIssuer. */
static const X509_NAME *
issuer_of(const GENERAL_NAMES *names)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DIRNAME)
			return name->d.directoryName;
	}
	return NULL;
}

/* One for some reasons only would need others beside it. */
static enum rc
take_point(const DIST_POINT *p, read_fn *read, struct crl_point *out, struct fault *f)
{
	const X509_NAME *issuer = p->CRLissuer != NULL ? issuer_of(p->CRLissuer) : NULL;

	if (p->distpoint == NULL || p->distpoint->type != 0 || p->reasons != NULL ||
	    (p->CRLissuer != NULL && issuer == NULL) ||
	    !take_url(p->distpoint->name.fullname, read, out->url))
		return RC_OK;
	if (issuer != NULL) {
		out->issuer = X509_NAME_dup(issuer);
		if (out->issuer == NULL)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "a distribution point");
	}
	out->named = CRL_NAMED;
	return RC_OK;
}

static enum rc
take_points(const CRL_DIST_POINTS *list, read_fn *read, struct crl_point *out, struct fault *f)
{
	for (int i = 0; i < sk_DIST_POINT_num(list) && out->named != CRL_NAMED; i++)
		TRY(take_point(sk_DIST_POINT_value(list, i), read, out, f));
	return RC_OK;
}

/*
 * RFC 5280 section 8: a CA should not name https, whose server's certificate
 * would need a list of its own; what comes is signed.  Where both are named
 * https is asked: it shows nobody which certificates are here.
 */
static enum rc
take_best(const CRL_DIST_POINTS *list, struct crl_point *out, struct fault *f)
{
	TRY(take_points(list, uri_read_https, out, f));
	return take_points(list, uri_read_http, out, f);
}

enum rc
crl_point_read(const struct cert *c, struct crl_point *out, struct fault *f)
{
	struct crl_point p = { .named = CRL_NAMED_NONE };
	CRL_DIST_POINTS *list;
	enum rc rc;

	*out = p;
	if (c->crl_points == 0)
		return RC_OK;
	p.named = CRL_NAMED_OTHER;
	list = X509_get_ext_d2i(c->x509, NID_crl_distribution_points, NULL, NULL);
	if (list == NULL)
		return FAULT_OPENSSL(f, RC_INVALID, "cert_extension", "distribution points");
	rc = take_best(list, &p, f);
	CRL_DIST_POINTS_free(list);
	TRY(rc);
	*out = p;
	return RC_OK;
}

/* ---- reading -------------------------------------------------------------------------------- */

void
crl_free(struct crl *c)
{
	if (c == NULL)
		return;
	ISSUING_DIST_POINT_free(c->scope);
	X509_CRL_free(c->x509);
	free(c);
}

static enum rc
read_der(struct crl *c, struct span der, struct fault *f)
{
	const uint8_t *at = der.ptr;
	uint8_t *again = NULL;
	int len;
	bool same;

	if (der.len == 0 || der.len > CRL_MAX_DER)
		return FAULT(f, RC_INVALID, "crl_der", "%zu octets", der.len);
	c->x509 = d2i_X509_CRL(NULL, &at, (long)der.len);
	if (c->x509 == NULL)
		return FAULT_OPENSSL(f, RC_INVALID, "crl_der", "not a revocation list");
	len = i2d_X509_CRL(c->x509, &again);
	same = len > 0 && span_eq(span_of(again, (size_t)len), der);
	OPENSSL_free(again);
	ERR_clear_error();
	if (!same)
		return FAULT(f, RC_INVALID, "crl_der", "trailing octets, or not DER");
	/* RFC 5280 section 5.1.2.1: extensions make it version 2. */
	if (X509_CRL_get_version(c->x509) != VERSION_2)
		return FAULT(f, RC_INVALID, "crl_der", "not version 2");
	return RC_OK;
}

static enum rc
read_time(const ASN1_TIME *t, int64_t *out_s, struct fault *f)
{
	struct tm tm = { 0 };

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1) {
		ERR_clear_error();
		return FAULT(f, RC_INVALID, "crl_time", "no thisUpdate, or no nextUpdate");
	}
	*out_s = timegm(&tm);
	return RC_OK;
}

/* RFC 5280 section 5.1.2.5: a nextUpdate has to be there. */
static enum rc
read_times(struct crl *c, struct fault *f)
{
	TRY(read_time(X509_CRL_get0_lastUpdate(c->x509), &c->this_update_s, f));
	TRY(read_time(X509_CRL_get0_nextUpdate(c->x509), &c->next_update_s, f));
	if (c->next_update_s < c->this_update_s)
		return FAULT(f, RC_INVALID, "crl_time", "nextUpdate is before thisUpdate");
	return RC_OK;
}

/* Those that are processed below, in lists (RFC 5280 section 5.2). */
static bool
is_processed(int nid)
{
	return nid == NID_issuing_distribution_point || nid == NID_authority_key_identifier ||
	       nid == NID_crl_number;
}

static enum rc
check_extensions(const struct crl *c, struct fault *f)
{
	int n = X509_CRL_get_ext_count(c->x509);

	if (n > CRL_MAX_EXTENSIONS)
		return FAULT(f, RC_INVALID, "crl_extension", "%d extensions", n);
	for (int i = 0; i < n; i++) {
		X509_EXTENSION *ext = X509_CRL_get_ext(c->x509, i);
		const ASN1_OBJECT *oid = X509_EXTENSION_get_object(ext);

		if (X509_CRL_get_ext_by_OBJ(c->x509, oid, i) >= 0)
			return FAULT(f, RC_INVALID, "crl_extension", "an extension twice");
		if (OBJ_obj2nid(oid) == NID_delta_crl)
			return FAULT(f, RC_DENIED, "crl_delta", "a delta is no whole list");
		if (X509_EXTENSION_get_critical(ext) && !is_processed(OBJ_obj2nid(oid)))
			return FAULT(f, RC_DENIED, "crl_critical",
			    "a critical extension that is not processed");
	}
	return RC_OK;
}

/* RFC 5280 section 5.2.3: at most 20 octets; where it is missing nothing is compared. */
static enum rc
read_number(struct crl *c, struct fault *f)
{
	int state = 0;
	ASN1_INTEGER *n = X509_CRL_get_ext_d2i(c->x509, NID_crl_number, &state, NULL);
	BIGNUM *bn = n != NULL ? ASN1_INTEGER_to_BN(n, NULL) : NULL;
	bool good = n == NULL ? state == -1
			      : bn != NULL && !BN_is_negative(bn) &&
				    BN_bn2binpad(bn, c->number, sizeof c->number) > 0;

	c->numbered = n != NULL;
	BN_free(bn);
	ASN1_INTEGER_free(n);
	ERR_clear_error();
	return good ? RC_OK : FAULT(f, RC_INVALID, "crl_extension", "the CRL number");
}

static enum rc
read_scope(struct crl *c, struct fault *f)
{
	int state = 0;
	const ISSUING_DIST_POINT *s;

	c->scope = X509_CRL_get_ext_d2i(c->x509, NID_issuing_distribution_point, &state, NULL);
	s = c->scope;
	if (s == NULL && state == -1)
		return RC_OK;
	if (s == NULL)
		return FAULT_OPENSSL(
		    f, RC_INVALID, "crl_extension", "the issuing distribution point");
	if (s->onlysomereasons != NULL || s->onlyattr > 0)
		return FAULT(f, RC_DENIED, "crl_partial",
		    "for some reasons only, or for attribute certificates");
	if (s->onlyuser > 0 && s->onlyCA > 0)
		return FAULT(f, RC_INVALID, "crl_extension", "for nobody");
	c->indirect = s->indirectCRL > 0;
	return RC_OK;
}

/*
 * RFC 5280 section 5.3: a critical extension of an entry that is not
 * understood makes it useless for any certificate; names of issuers are for
 * indirect lists alone.
 */
static enum rc
check_entry(const struct crl *c, const X509_REVOKED *r, struct fault *f)
{
	int n = X509_REVOKED_get_ext_count(r);

	if (n > CRL_MAX_EXTENSIONS)
		return FAULT(f, RC_INVALID, "crl_extension", "%d extensions of an entry", n);
	for (int i = 0; i < n; i++) {
		X509_EXTENSION *ext = X509_REVOKED_get_ext(r, i);
		int nid = OBJ_obj2nid(X509_EXTENSION_get_object(ext));

		if (nid == NID_certificate_issuer && !c->indirect)
			return FAULT(f, RC_INVALID, "crl_extension",
			    "an issuer of an entry, in a list that is not indirect");
		if (nid != NID_certificate_issuer && nid != NID_crl_reason &&
		    X509_EXTENSION_get_critical(ext))
			return FAULT(f, RC_DENIED, "crl_critical",
			    "a critical extension of an entry that is not processed");
	}
	return RC_OK;
}

/* What OpenSSL passes over when it reads the list is not passed over here. */
static enum rc
check_entry_values(const X509_REVOKED *r, struct fault *f)
{
	int state = 0;
	GENERAL_NAMES *issuer =
	    X509_REVOKED_get_ext_d2i(r, NID_certificate_issuer, &state, NULL);
	bool good = issuer != NULL ? issuer_of(issuer) != NULL : state == -1;
	ASN1_ENUMERATED *reason;

	GENERAL_NAMES_free(issuer);
	reason = X509_REVOKED_get_ext_d2i(r, NID_crl_reason, &state, NULL);
	/* removeFromCRL is a word of deltas (RFC 5280 section 5.3.1). */
	good =
	    good && (reason != NULL ? ASN1_ENUMERATED_get(reason) != CRL_REASON_REMOVE_FROM_CRL
				    : state == -1);
	ASN1_ENUMERATED_free(reason);
	ERR_clear_error();
	return good ? RC_OK
		    : FAULT(f, RC_INVALID, "crl_extension", "an entry's issuer or reason");
}

static enum rc
check_entries(struct crl *c, struct fault *f)
{
	STACK_OF(X509_REVOKED) *list = X509_CRL_get_REVOKED(c->x509);
	int n = sk_X509_REVOKED_num(list);

	for (int i = 0; i < n; i++) {
		const X509_REVOKED *r = sk_X509_REVOKED_value(list, i);

		TRY(check_entry(c, r, f));
		if (X509_REVOKED_get_ext_count(r) > 0)
			TRY(check_entry_values(r, f));
	}
	c->entries = n > 0 ? (size_t)n : 0;
	return RC_OK;
}

enum rc
crl_read(struct span der, struct crl **out, struct fault *f)
{
	AUTO(crl) *c = calloc(1, sizeof *c);

	if (c == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a revocation list");
	TRY(read_der(c, der, f));
	TRY(read_times(c, f));
	TRY(check_extensions(c, f));
	TRY(read_number(c, f));
	TRY(read_scope(c, f));
	TRY(check_entries(c, f));
	*out = TAKE(c);
	return RC_OK;
}

/* ---- whose it is ---------------------------------------------------------------------------- */

static bool
is_algorithm_allowed(const struct crl *c)
{
	int nid = X509_CRL_get_signature_nid(c->x509);

	return nid == NID_ecdsa_with_SHA256 || nid == NID_ecdsa_with_SHA384 ||
	       nid == NID_sha256WithRSAEncryption;
}

/* RFC 5280 section 5.2.1: where both say which key it is they say the same. */
static bool
is_key_named(const struct crl *c, const struct cert *signer)
{
	AUTHORITY_KEYID *aki =
	    X509_CRL_get_ext_d2i(c->x509, NID_authority_key_identifier, NULL, NULL);
	const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(signer->x509);
	bool same = aki == NULL || aki->keyid == NULL || ski == NULL ||
		    ASN1_OCTET_STRING_cmp(aki->keyid, ski) == 0;

	AUTHORITY_KEYID_free(aki);
	ERR_clear_error();
	return same;
}

enum rc
crl_verify(const struct crl *c, const struct cert *signer, int64_t at_s, struct fault *f)
{
	EVP_PKEY *key = X509_get0_pubkey(signer->x509);

	if (X509_NAME_cmp(X509_CRL_get_issuer(c->x509), X509_get_subject_name(signer->x509)) !=
		0 ||
	    !is_key_named(c, signer))
		return FAULT(f, RC_DENIED, "crl_signer", "it is not of %.80s", signer->subject);
	/* RFC 5280 section 6.3.3 (f); without keyUsage every use is allowed. */
	if ((X509_get_key_usage(signer->x509) & KU_CRL_SIGN) == 0)
		return FAULT(f, RC_DENIED, "crl_signer", "%.80s may not sign revocation lists",
		    signer->subject);
	if (at_s < signer->not_before_s || at_s > signer->not_after_s)
		return FAULT(f, RC_DENIED, "crl_signer",
		    "the certificate of %.80s is not valid", signer->subject);
	if (!is_algorithm_allowed(c) || !chain_key_allowed(signer))
		return FAULT(f, RC_DENIED, "crl_algorithm", "how it is signed (D-56)");
	if (X509_CRL_verify(c->x509, key) != 1) {
		ERR_clear_error();
		return FAULT(
		    f, RC_DENIED, "crl_signature", "%.80s has not signed it", signer->subject);
	}
	return RC_OK;
}

/* ---- when ------------------------------------------------------------------------------------ */

enum rc
crl_current(const struct crl *c, int64_t at_s, int64_t max_age_s, struct fault *f)
{
	if (c->this_update_s > at_s + CRL_AHEAD_S)
		return FAULT(f, RC_DENIED, "crl_future", "it is of %lld, which is to come",
		    (long long)c->this_update_s);
	if (at_s > c->next_update_s)
		return FAULT(f, RC_EXPIRED, "crl_expired", "the next one was due at %lld",
		    (long long)c->next_update_s);
	if (at_s - c->this_update_s > max_age_s)
		return FAULT(f, RC_EXPIRED, "crl_expired", "it is of %lld, older than allowed",
		    (long long)c->this_update_s);
	return RC_OK;
}

enum rc
crl_follows(const struct crl *c, const struct crl *kept, struct fault *f)
{
	bool back = c->this_update_s < kept->this_update_s;

	/* RFC 5280 section 5.2.3: numbers only grow, and do not stop being there. */
	if (kept->numbered)
		back = back || !c->numbered ||
		       memcmp(c->number, kept->number, sizeof c->number) < 0;
	if (!back)
		return RC_OK;
	return FAULT(f, RC_DENIED, "crl_older",
	    "it is older than the one that is kept, of %lld", (long long)kept->this_update_s);
}

/* ---- of whom -------------------------------------------------------------------------------- */

static bool
has_uri(const GENERAL_NAMES *names, const char *url)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_URI &&
		    span_eq(span_of(ASN1_STRING_get0_data(name->d.uniformResourceIdentifier),
				(size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier)),
			span_str(url)))
			return true;
	}
	return false;
}

/* RFC 5280 section 6.3.3 (b) (2) */
static enum rc
check_scope(const ISSUING_DIST_POINT *s, const struct crl_use *use, struct fault *f)
{
	if (s == NULL)
		return RC_OK;
	if (s->distpoint != NULL &&
	    (s->distpoint->type != 0 || !has_uri(s->distpoint->name.fullname, use->url)))
		return FAULT(f, RC_DENIED, "crl_scope", "it is of another distribution point");
	if ((s->onlyuser > 0 && use->of_ca) || (s->onlyCA > 0 && !use->of_ca))
		return FAULT(f, RC_DENIED, "crl_scope", "it is of other kinds of certificates");
	return RC_OK;
}

enum rc
crl_covers(const struct crl *c, const struct crl_use *use, struct fault *f)
{
	if (X509_NAME_cmp(X509_CRL_get_issuer(c->x509), use->issuer) != 0)
		return FAULT(f, RC_DENIED, "crl_scope", "it is of another issuer");
	/* RFC 5280 section 6.3.3 (b) (1) */
	if (use->indirect && !c->indirect)
		return FAULT(f, RC_DENIED, "crl_scope", "it is not indirect");
	return check_scope(c->scope, use, f);
}

bool
crl_lists(const struct crl *c, const struct cert *cert, int *reason)
{
	X509_REVOKED *entry = NULL;
	ASN1_ENUMERATED *why;

	/* By issuer and serial number, also where an entry names an issuer of its own. */
	if (X509_CRL_get0_by_cert(c->x509, &entry, cert->x509) == 0 || entry == NULL)
		return false;
	why = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
	*reason = why != NULL ? (int)ASN1_ENUMERATED_get(why) : CRL_REASON_NONE;
	ASN1_ENUMERATED_free(why);
	ERR_clear_error();
	return true;
}
