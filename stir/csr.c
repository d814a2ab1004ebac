#include "stir/csr.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "stir/der.h"

enum { CSR_MAX_DER = 131072, DNS_NAME_MAX = 253 };

static const char oid_tnauth[] = "1.3.6.1.5.5.7.1.26";
static const char oid_constraints[] = "1.3.6.1.5.5.7.1.27";
static const char oid_enhanced[] = "1.3.6.1.5.5.7.1.33";

typedef STACK_OF(X509_EXTENSION) extension_stack;

static void
extensions_done(extension_stack **list)
{
	sk_X509_EXTENSION_pop_free(*list, X509_EXTENSION_free);
}
#define AUTO_EXTENSIONS __attribute__((cleanup(extensions_done))) extension_stack

/* ---- building --------------------------------------------------------------- */

static enum rc
add_name(X509_NAME *name, int nid, const char *value, struct fault *f)
{
	if (value == NULL)
		return RC_OK;
	if (X509_NAME_add_entry_by_NID(
		name, nid, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0) != 1)
		return FAULT_OPENSSL(f, RC_INVALID, "csr", OBJ_nid2ln(nid));
	return RC_OK;
}

static enum rc
add_extension(
    extension_stack *list, const char *oid, bool critical, struct span value, struct fault *f)
{
	AUTO_OSSL(ASN1_OBJECT) *object = OBJ_txt2obj(oid, 1);
	AUTO_OSSL(ASN1_OCTET_STRING) *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext;

	if (object == NULL || octets == NULL ||
	    ASN1_OCTET_STRING_set(octets, value.ptr, (int)value.len) != 1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "extension");
	ext = X509_EXTENSION_create_by_OBJ(NULL, object, critical, octets);
	if (ext == NULL || sk_X509_EXTENSION_push(list, ext) <= 0) {
		X509_EXTENSION_free(ext);
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "extension");
	}
	return RC_OK;
}

/* RFC 8555 section 7.4: the dns identifier is a dNSName; [2] IMPLICIT IA5String. */
static enum rc
add_dns_name(extension_stack *list, const char *dns_name, struct fault *f)
{
	AUTO_BUF name = BUF_INIT(DNS_NAME_MAX + 8), names = BUF_INIT(DNS_NAME_MAX + 16);

	if (strlen(dns_name) > DNS_NAME_MAX)
		return FAULT(f, RC_INVALID, "csr", "a dNSName of %zu", strlen(dns_name));
	der_put(&name, 0x80 | GEN_DNS, span_str(dns_name));
	der_put(&names, DER_SEQUENCE, buf_view(&name));
	TRY(buf_check(&names, f));
	return add_extension(list, "2.5.29.17", false, buf_view(&names), f);
}

static enum rc
fill_extensions(extension_stack *list, const struct csr_template *t, struct fault *f)
{
	static const uint8_t ca_false[] = { 0x30, 0x00 };
	static const uint8_t digital_signature[] = { 0x03, 0x02, 0x07, 0x80 };

	if (t->basic_constraints)
		TRY(add_extension(
		    list, "2.5.29.19", true, span_of(ca_false, sizeof ca_false), f));
	if (t->key_usage)
		TRY(add_extension(list, "2.5.29.15", true,
		    span_of(digital_signature, sizeof digital_signature), f));
	if (t->dns_name != NULL)
		TRY(add_dns_name(list, t->dns_name, f));
	/* RFC 9448 section 4: the octets of the identifier are those of the extension. */
	TRY(add_extension(list, oid_tnauth, false, t->tnauth_der, f));
	if (t->constraints_der.len == 0)
		return RC_OK;
	return add_extension(list, t->form == CONSTRAINTS_JWT ? oid_constraints : oid_enhanced,
	    false, t->constraints_der, f);
}

static enum rc
add_extensions(X509_REQ *req, const struct csr_template *t, struct fault *f)
{
	AUTO_EXTENSIONS *list = sk_X509_EXTENSION_new_null();

	if (list == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "extensions");
	TRY(fill_extensions(list, t, f));
	if (X509_REQ_add_extensions(req, list) != 1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "X509_REQ_add_extensions");
	return RC_OK;
}

/* The public half as a key of the default provider, whoever holds the private one. */
static enum rc
set_public_key(X509_REQ *req, EVP_PKEY *key, struct fault *f)
{
	uint8_t point[P256_POINT_LEN] = { 0 };
	EVP_PKEY *raw = NULL;
	int ok;

	TRY(p256_point(key, point, f));
	TRY(p256_from_point(point, &raw, f));
	ok = X509_REQ_set_pubkey(req, raw);
	EVP_PKEY_free(raw);
	return ok == 1 ? RC_OK : FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "public key");
}

/* AlgorithmIdentifier of ecdsa-with-SHA256 (RFC 5758 section 3.2: no parameters). */
static const uint8_t ecdsa_sha256[] = { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
	0x04, 0x03, 0x02 };

/*
 * CertificationRequest of RFC 2986 section 4.2.  Not X509_REQ_sign(): that asks
 * the key's provider for an AlgorithmIdentifier, and a token's knows digests only.
 */
static enum rc
put_signed(
    struct buf *out, struct span info, OSSL_LIB_CTX *libctx, EVP_PKEY *key, struct fault *f)
{
	AUTO_BUF bits = BUF_INIT(128), whole = BUF_INIT(CSR_MAX_DER);
	uint8_t raw[ES256_SIG_LEN] = { 0 };

	TRY(es256_sign(libctx, key, info, raw, f));
	buf_byte(&bits, 0); /* no unused bits */
	TRY(es256_to_der(&bits, raw, f));
	buf_span(&whole, info);
	buf_put(&whole, ecdsa_sha256, sizeof ecdsa_sha256);
	der_put(&whole, DER_BIT_STRING, buf_view(&bits));
	TRY(buf_check(&whole, f));
	der_put(out, DER_SEQUENCE, buf_view(&whole));
	return buf_check(out, f);
}

enum rc
csr_build(struct buf *out, const struct csr_template *t, OSSL_LIB_CTX *libctx, EVP_PKEY *key,
    struct fault *f)
{
	AUTO_OSSL(X509_REQ) *req = X509_REQ_new();
	unsigned char *info = NULL;
	X509_NAME *subject;
	enum rc rc;
	int len;

	if (req == NULL || X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "X509_REQ");
	subject = X509_REQ_get_subject_name(req);
	TRY(add_name(subject, NID_countryName, t->country, f));
	TRY(add_name(subject, NID_organizationName, t->organization, f));
	TRY(add_name(subject, NID_commonName, t->common_name, f));
	TRY(set_public_key(req, key, f));
	TRY(add_extensions(req, t, f));
	len = i2d_re_X509_REQ_tbs(req, &info);
	if (len <= 0)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "request");
	rc = put_signed(out, span_of(info, (size_t)len), libctx, key, f);
	OPENSSL_free(info);
	return rc;
}

/* ---- reading ---------------------------------------------------------------- */

static bool
oid_is(const ASN1_OBJECT *oid, const char *dotted)
{
	char text[64];
	int n = OBJ_obj2txt(text, sizeof text, oid, 1);

	return n > 0 && n < (int)sizeof text && strcmp(text, dotted) == 0;
}

static enum rc
copy_once(struct buf *out, struct span value, struct fault *f)
{
	if (out->len != 0 || value.len == 0)
		return FAULT(f, RC_INVALID, "csr_extension", "an extension twice, or empty");
	buf_span(out, value);
	return buf_check(out, f);
}

static enum rc
read_basic_constraints(struct csr_facts *c, X509_EXTENSION *ext, struct fault *f)
{
	BASIC_CONSTRAINTS *bc = X509V3_EXT_d2i(ext);

	if (bc == NULL)
		return FAULT_OPENSSL(f, RC_INVALID, "csr_extension", "basicConstraints");
	c->ca = bc->ca != 0;
	BASIC_CONSTRAINTS_free(bc);
	return RC_OK;
}

/* As of a certificate: several names, or another kind, name nothing. */
static enum rc
read_dns_name(struct csr_facts *c, X509_EXTENSION *ext, struct fault *f)
{
	AUTO_OSSL(GENERAL_NAMES) *names = X509V3_EXT_d2i(ext);
	const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, 0);
	const char *text;
	size_t len;

	if (names == NULL || c->dns_name != NULL)
		return FAULT_OPENSSL(f, RC_INVALID, "csr_extension", "subjectAltName");
	if (sk_GENERAL_NAME_num(names) != 1 || name->type != GEN_DNS)
		return RC_OK;
	text = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
	len = (size_t)ASN1_STRING_length(name->d.dNSName);
	if (len == 0 || len > DNS_NAME_MAX || memchr(text, 0, len) != NULL)
		return FAULT(f, RC_INVALID, "csr_extension", "a dNSName that is none");
	c->dns_name = strndup(text, len);
	return c->dns_name != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "dNSName");
}

static enum rc
read_one(struct csr_facts *c, X509_EXTENSION *ext, struct fault *f)
{
	const ASN1_OBJECT *oid = X509_EXTENSION_get_object(ext);
	const ASN1_OCTET_STRING *octets = X509_EXTENSION_get_data(ext);
	struct span value =
	    span_of(ASN1_STRING_get0_data(octets), (size_t)ASN1_STRING_length(octets));

	if (oid_is(oid, oid_tnauth))
		return copy_once(&c->tnauth_der, value, f);
	if (OBJ_obj2nid(oid) == NID_basic_constraints)
		return read_basic_constraints(c, ext, f);
	if (OBJ_obj2nid(oid) == NID_subject_alt_name)
		return read_dns_name(c, ext, f);
	if (oid_is(oid, oid_constraints)) {
		c->form = CONSTRAINTS_JWT;
		return copy_once(&c->constraints_der, value, f);
	}
	if (oid_is(oid, oid_enhanced)) {
		c->form = CONSTRAINTS_ENHANCED;
		return copy_once(&c->constraints_der, value, f);
	}
	return RC_OK;
}

static enum rc
read_extensions(struct csr_facts *c, X509_REQ *req, struct fault *f)
{
	AUTO_EXTENSIONS *list = X509_REQ_get_extensions(req);

	for (int i = 0; i < sk_X509_EXTENSION_num(list); i++)
		TRY(read_one(c, sk_X509_EXTENSION_value(list, i), f));
	return RC_OK;
}

static enum rc
read_subject(struct csr_facts *c, X509_REQ *req, struct fault *f)
{
	AUTO_OSSL(BIO) *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;

	if (bio == NULL ||
	    X509_NAME_print_ex(bio, X509_REQ_get_subject_name(req), 0, XN_FLAG_RFC2253) < 0)
		return FAULT_OPENSSL(f, RC_INVALID, "csr", "subject");
	len = BIO_get_mem_data(bio, &text);
	c->subject = strndup(text == NULL ? "" : text, (size_t)len);
	return c->subject == NULL ? FAULT(f, RC_NO_MEMORY, "no_memory", "subject") : RC_OK;
}

static enum rc
check_signature(struct csr_facts *c, X509_REQ *req, struct fault *f)
{
	EVP_PKEY *key = X509_REQ_get0_pubkey(req);
	bool good;

	TRY(p256_point(key, c->point, f));
	key_id_of_point(c->point, c->key_id);
	good = X509_REQ_get_signature_nid(req) == NID_ecdsa_with_SHA256 &&
	       X509_REQ_verify(req, key) == 1;
	ERR_clear_error();
	if (!good)
		return FAULT(f, RC_DENIED, "signature", "not signed with its own key by ES256");
	return RC_OK;
}

static enum rc
read_facts(struct csr_facts *c, X509_REQ *req, struct fault *f)
{
	TRY(check_signature(c, req, f));
	TRY(read_subject(c, req, f));
	return read_extensions(c, req, f);
}

enum rc
csr_decode(struct span der, struct csr_facts *out, struct fault *f)
{
	AUTO_OSSL(X509_REQ) *req = NULL;
	const unsigned char *p = der.ptr;
	struct csr_facts c = { .tnauth_der = BUF_INIT(CSR_MAX_DER),
		.constraints_der = BUF_INIT(CSR_MAX_DER) };
	enum rc rc;

	if (der.len == 0 || der.len > CSR_MAX_DER)
		return FAULT(f, RC_INVALID, "csr", "%zu bytes", der.len);
	req = d2i_X509_REQ(NULL, &p, (long)der.len);
	if (req == NULL)
		return FAULT_OPENSSL(f, RC_INVALID, "csr", "not a PKCS#10 request");
	if (p != der.ptr + der.len)
		return FAULT(f, RC_INVALID, "csr", "bytes after the request");
	rc = read_facts(&c, req, f);
	if (rc != RC_OK) {
		csr_done(&c);
		return rc;
	}
	*out = c;
	return RC_OK;
}

void
csr_done(struct csr_facts *c)
{
	free(c->subject);
	free(c->dns_name);
	c->subject = c->dns_name = NULL;
	buf_free(&c->tnauth_der);
	buf_free(&c->constraints_der);
}

enum rc
csr_pem(struct span der, struct buf *out, struct fault *f)
{
	AUTO_OSSL(BIO) *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;

	if (bio == NULL ||
	    PEM_write_bio(bio, PEM_STRING_X509_REQ, "", der.ptr, (long)der.len) <= 0)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "PEM");
	len = BIO_get_mem_data(bio, &text);
	buf_put(out, text, (size_t)len);
	return buf_check(out, f);
}
