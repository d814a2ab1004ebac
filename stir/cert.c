#include "stir/cert.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "stir/b64.h"
#include "stir/uri.h"

enum { OID_TEXT = 80, NAME_MAX_TEXT = CERT_MAX_DER * 4, URL_MAX = 2048 };

static const char oid_tnauth[] = "1.3.6.1.5.5.7.1.26";
static const char oid_constraints[] = "1.3.6.1.5.5.7.1.27";
static const char oid_enhanced[] = "1.3.6.1.5.5.7.1.33";
static const char oid_tn_list[] = "1.3.6.1.5.5.7.48.14";

void
cert_free(struct cert *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->policies; i++)
		free(c->policy[i]);
	free(c->policy);
	free(c->dns_name);
	free(c->tnauth_url);
	free(c->subject);
	free(c->issuer);
	free(c->der);
	tnauth_free(c->tnauth);
	constraints_free(c->constraints);
	X509_free(c->x509);
	free(c);
}

static bool
oid_is(const ASN1_OBJECT *oid, const char *dotted)
{
	char text[OID_TEXT];
	int n = OBJ_obj2txt(text, sizeof text, oid, 1);

	return n > 0 && n < (int)sizeof text && strcmp(text, dotted) == 0;
}

/* Exactly one certificate in DER; a second encoding of the same is not one. */
static enum rc
decode_x509(struct cert *c, struct span der, struct fault *f)
{
	const uint8_t *p = der.ptr;
	uint8_t *again = NULL;
	bool same;
	int len;

	if (der.len == 0 || der.len > CERT_MAX_DER)
		return FAULT(f, RC_INVALID, "cert_der", "%zu bytes", der.len);
	c->x509 = d2i_X509(NULL, &p, (long)der.len);
	if (c->x509 == NULL)
		return FAULT_OPENSSL(f, RC_INVALID, "cert_der", "not a certificate");
	len = i2d_X509(c->x509, &again);
	same = len > 0 && span_eq(span_of(again, (size_t)len), der);
	OPENSSL_free(again);
	if (!same)
		return FAULT(f, RC_INVALID, "cert_der", "trailing bytes, or not DER");
	c->der = malloc(der.len);
	if (c->der == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu bytes", der.len);
	memcpy(c->der, der.ptr, der.len);
	c->der_len = der.len;
	return RC_OK;
}

static enum rc
decode_serial(struct cert *c, struct fault *f)
{
	AUTO_OSSL(BIGNUM) *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(c->x509), NULL);
	uint8_t bytes[20] = { 0 };
	size_t len, out = 0;

	if (n == NULL)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "serial number");
	len = (size_t)BN_num_bytes(n);
	/* RFC 5280 section 4.1.2.2: positive, at most 20 octets. */
	if (BN_is_negative(n) || len > sizeof bytes)
		return FAULT(f, RC_INVALID, "cert_serial", "negative, or %zu octets", len);
	BN_bn2bin(n, bytes);
	for (size_t i = 0; i < 2 * len; i++) {
		uint8_t nibble = i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 15;

		if (out > 0 || nibble != 0)
			c->serial[out++] = "0123456789abcdef"[nibble];
	}
	if (out == 0)
		c->serial[out++] = '0';
	c->serial[out] = 0;
	return RC_OK;
}

static enum rc
decode_time(const ASN1_TIME *t, int64_t *out_s, struct fault *f)
{
	struct tm tm = { 0 };

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return FAULT_OPENSSL(f, RC_INVALID, "cert_time", "validity");
	*out_s = timegm(&tm);
	return RC_OK;
}

static enum rc
decode_name(const X509_NAME *name, char **out, struct fault *f)
{
	AUTO_OSSL(BIO) *bio = BIO_new(BIO_s_mem());
	AUTO_BUF text = BUF_INIT(NAME_MAX_TEXT);
	char *bytes = NULL;
	long len;

	if (bio == NULL || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0)
		return FAULT_OPENSSL(f, RC_INVALID, "cert_der", "name");
	len = BIO_get_mem_data(bio, &bytes);
	if (len > 0)
		buf_put(&text, bytes, (size_t)len);
	*out = buf_steal(&text);
	return *out == NULL ? buf_check(&text, f) : RC_OK;
}

static void
decode_key(struct cert *c)
{
	EVP_PKEY *key;

	ERR_set_mark();
	key = X509_get0_pubkey(c->x509);
	c->p256 = key != NULL && p256_point(key, c->point, NULL) == RC_OK;
	ERR_pop_to_mark();
	if (c->p256)
		key_id_of_point(c->point, c->key_id);
}

static enum rc
decode_constraints(
    struct cert *c, struct span value, enum constraints_form form, struct fault *f)
{
	struct constraints *raw = NULL;

	TRY(constraints_decode(value, form, &raw, f));
	if (c->constraints == NULL) {
		c->constraints = raw;
		c->constraints_der = value;
		return RC_OK;
	}
	/* RFC 9118 section 6: never both.  Which one is kept is of no account (D-07). */
	c->both_constraints = true;
	constraints_free(raw);
	return RC_OK;
}

/* The octets of an extension, borrowed from the certificate. */
static struct span
extension_value(X509_EXTENSION *ext)
{
	const ASN1_OCTET_STRING *octets = X509_EXTENSION_get_data(ext);

	return span_of(ASN1_STRING_get0_data(octets), (size_t)ASN1_STRING_length(octets));
}

static enum rc
decode_extension(struct cert *c, X509_EXTENSION *ext, bool all_nines, struct fault *f)
{
	const ASN1_OBJECT *oid = X509_EXTENSION_get_object(ext);
	struct span value = extension_value(ext);

	if (oid_is(oid, oid_tnauth)) {
		c->tnauth_der = value;
		return tnauth_decode(value, all_nines, &c->tnauth, f);
	}
	if (oid_is(oid, oid_constraints))
		return decode_constraints(c, value, CONSTRAINTS_JWT, f);
	if (oid_is(oid, oid_enhanced))
		return decode_constraints(c, value, CONSTRAINTS_ENHANCED, f);
	if (X509_EXTENSION_get_critical(ext) && !X509_supported_extension(ext))
		c->unknown_critical = true;
	return RC_OK;
}

static enum rc
decode_extensions(struct cert *c, bool all_nines, struct fault *f)
{
	int n = X509_get_ext_count(c->x509);

	if (n > CERT_MAX_EXTENSIONS)
		return FAULT(f, RC_INVALID, "cert_extension", "%d extensions", n);
	for (int i = 0; i < n; i++) {
		X509_EXTENSION *ext = X509_get_ext(c->x509, i);

		/* RFC 5280 section 4.2: at most one of a kind. */
		if (X509_get_ext_by_OBJ(c->x509, X509_EXTENSION_get_object(ext), i) >= 0)
			return FAULT(f, RC_INVALID, "cert_extension", "an extension twice");
		TRY(decode_extension(c, ext, all_nines, f));
	}
	return RC_OK;
}

/* What OpenSSL reads on its own, with its verdict on whether that could be read. */
static enum rc
decode_flags(struct cert *c, struct fault *f)
{
	uint32_t flags, usage;

	ERR_set_mark();
	flags = X509_get_extension_flags(c->x509);
	usage = X509_get_key_usage(c->x509);
	ERR_pop_to_mark();
	if ((flags & EXFLAG_INVALID) != 0)
		return FAULT(f, RC_INVALID, "cert_extension",
		    "an extension or the version is not valid");
	c->is_ca = (flags & EXFLAG_CA) != 0;
	c->digital_signature = (usage & KU_DIGITAL_SIGNATURE) != 0;
	c->key_cert_sign = (usage & KU_KEY_CERT_SIGN) != 0;
	return RC_OK;
}

/* NULL with *present false when there is none; RC_INVALID when it cannot be read. */
static enum rc
read_extension(const X509 *x, int nid, void **out, struct fault *f)
{
	int state = 0;

	*out = X509_get_ext_d2i(x, nid, &state, NULL);
	if (*out == NULL && state != -1)
		return FAULT_OPENSSL(f, RC_INVALID, "cert_extension", OBJ_nid2ln(nid));
	return RC_OK;
}

/* RFC 8226 section 10.1: an HTTPS URI; of another form nothing is taken. */
static void
take_url(struct cert *c, const GENERAL_NAME *at)
{
	const ASN1_IA5STRING *uri = at->d.uniformResourceIdentifier;
	struct uri_https ignored = { 0 };
	struct span text;

	if (at->type != GEN_URI || c->tnauth_url != NULL)
		return;
	text = span_of(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri));
	if (text.len > URL_MAX || !uri_read_https(text, &ignored))
		return;
	c->tnauth_url = strndup((const char *)text.ptr, text.len);
}

/* RFC 8226 section 10.2: a list by reference is an access description. */
static enum rc
decode_access(struct cert *c, struct fault *f)
{
	void *found = NULL;
	AUTHORITY_INFO_ACCESS *list;
	size_t places = 0;

	TRY(read_extension(c->x509, NID_info_access, &found, f));
	list = found;
	for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(list); i++) {
		const ACCESS_DESCRIPTION *at = sk_ACCESS_DESCRIPTION_value(list, i);

		if (!oid_is(at->method, oid_tn_list))
			continue;
		c->tnauth_by_reference = true;
		places++;
		take_url(c, at->location);
	}
	if (places > 1) {
		free(c->tnauth_url);
		c->tnauth_url = NULL;
	}
	AUTHORITY_INFO_ACCESS_free(list);
	return RC_OK;
}

bool
cert_has_extension(const struct cert *c, const char *oid)
{
	ASN1_OBJECT *wanted = OBJ_txt2obj(oid, 1);
	bool found = wanted == NULL || X509_get_ext_by_OBJ(c->x509, wanted, -1) >= 0;

	ASN1_OBJECT_free(wanted);
	ERR_clear_error();
	return found;
}

static enum rc
copy_policies(struct cert *c, const CERTIFICATEPOLICIES *list, struct fault *f)
{
	int n = sk_POLICYINFO_num(list);

	if (n <= 0)
		return RC_OK;
	c->policy = calloc((size_t)n, sizeof *c->policy);
	if (c->policy == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%d policies", n);
	for (int i = 0; i < n; i++) {
		char text[OID_TEXT];

		if (OBJ_obj2txt(text, sizeof text, sk_POLICYINFO_value(list, i)->policyid, 1) <=
		    0)
			return FAULT(f, RC_INVALID, "cert_extension", "a policy identifier");
		c->policy[c->policies] = strdup(text);
		if (c->policy[c->policies] == NULL)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "policy");
		c->policies++;
	}
	return RC_OK;
}

static enum rc
decode_policies(struct cert *c, struct fault *f)
{
	void *found = NULL;
	enum rc rc;

	TRY(read_extension(c->x509, NID_certificate_policies, &found, f));
	rc = copy_policies(c, found, f);
	CERTIFICATEPOLICIES_free(found);
	return rc;
}

static enum rc
decode_crl_points(struct cert *c, struct fault *f)
{
	CRL_DIST_POINTS *list;
	void *found = NULL;

	TRY(read_extension(c->x509, NID_crl_distribution_points, &found, f));
	list = found;
	c->crl_issuer = true;
	for (int i = 0; i < sk_DIST_POINT_num(list); i++) {
		c->crl_points++;
		c->crl_issuer &= sk_DIST_POINT_value(list, i)->CRLissuer != NULL;
	}
	c->crl_issuer &= c->crl_points > 0;
	CRL_DIST_POINTS_free(list);
	return RC_OK;
}

/* The only dNSName; more than one, or one with a NUL inside, names nothing. */
static enum rc
copy_dns_name(struct cert *c, const GENERAL_NAMES *names, struct fault *f)
{
	const ASN1_IA5STRING *only = NULL;
	size_t count = 0, len;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS)
			continue;
		only = name->d.dNSName;
		count++;
	}
	if (count != 1)
		return RC_OK;
	len = (size_t)ASN1_STRING_length(only);
	if (memchr(ASN1_STRING_get0_data(only), 0, len) != NULL)
		return FAULT(f, RC_INVALID, "cert_extension", "a NUL in a dNSName");
	c->dns_name = strndup((const char *)ASN1_STRING_get0_data(only), len);
	return c->dns_name == NULL ? FAULT(f, RC_NO_MEMORY, "no_memory", "dNSName") : RC_OK;
}

static enum rc
decode_dns_name(struct cert *c, struct fault *f)
{
	void *found = NULL;
	enum rc rc;

	TRY(read_extension(c->x509, NID_subject_alt_name, &found, f));
	rc = copy_dns_name(c, found, f);
	GENERAL_NAMES_free(found);
	return rc;
}

enum rc
cert_decode(struct span der, bool all_nines, struct cert **out, struct fault *f)
{
	AUTO(cert) *c = calloc(1, sizeof *c);

	if (c == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "certificate");
	TRY(decode_x509(c, der, f));
	TRY(decode_serial(c, f));
	TRY(decode_time(X509_get0_notBefore(c->x509), &c->not_before_s, f));
	TRY(decode_time(X509_get0_notAfter(c->x509), &c->not_after_s, f));
	TRY(decode_name(X509_get_subject_name(c->x509), &c->subject, f));
	TRY(decode_name(X509_get_issuer_name(c->x509), &c->issuer, f));
	TRY(decode_flags(c, f));
	TRY(decode_extensions(c, all_nines, f));
	TRY(decode_access(c, f));
	TRY(decode_policies(c, f));
	TRY(decode_crl_points(c, f));
	TRY(decode_dns_name(c, f));
	decode_key(c);
	*out = TAKE(c);
	return RC_OK;
}

enum rc
cert_ari_id(const struct cert *c, struct buf *out, struct fault *f)
{
	const ASN1_OCTET_STRING *aki = X509_get0_authority_key_id(c->x509);
	const ASN1_INTEGER *serial = X509_get0_serialNumber(c->x509);
	struct span magnitude =
	    span_of(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));
	AUTO_BUF content = BUF_INIT(32);

	if (aki == NULL)
		return FAULT(f, RC_NOT_FOUND, "cert_extension", "no authority key identifier");
	/* RFC 9773 section 4.1: the content octets, with the 00 that a high bit asks for. */
	if (magnitude.len > 0 && (magnitude.ptr[0] & 0x80) != 0)
		buf_byte(&content, 0);
	buf_span(&content, magnitude);
	TRY(buf_check(&content, f));
	b64_encode(
	    out, B64_URL, span_of(ASN1_STRING_get0_data(aki), (size_t)ASN1_STRING_length(aki)));
	buf_byte(out, '.');
	b64_encode(out, B64_URL, buf_view(&content));
	return buf_check(out, f);
}
