#include "tests/unit/pki.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "stir/b64.h"
#include "stir/cert.h"
#include "stir/der.h"
#include "tests/unit/cm.h"

EVP_PKEY *
pki_key(const char *type, const char *curve, unsigned bits)
{
	EVP_PKEY *key = curve != NULL ? EVP_PKEY_Q_keygen(NULL, NULL, type, curve)
				      : EVP_PKEY_Q_keygen(NULL, NULL, type, (size_t)bits);

	assert_non_null(key);
	return key;
}

EVP_PKEY *
pki_p256(void)
{
	return pki_key("EC", "P-256", 0);
}

static void
set_name(X509_NAME *name, const char *cn)
{
	assert_int_equal(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
			     (const unsigned char *)cn, -1, -1, 0),
	    1);
}

static void
add_text(X509 *x, X509 *issuer, int nid, const char *value)
{
	AUTO_OSSL(X509_EXTENSION) *ext = NULL;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
}

static void
add_raw(X509 *x, const char *oid, bool critical, struct span value)
{
	AUTO_OSSL(ASN1_OBJECT) *obj = OBJ_txt2obj(oid, 1);
	AUTO_OSSL(ASN1_OCTET_STRING) *octets = ASN1_OCTET_STRING_new();
	AUTO_OSSL(X509_EXTENSION) *ext = NULL;

	assert_int_equal(ASN1_OCTET_STRING_set(octets, value.ptr, (int)value.len), 1);
	ext = X509_EXTENSION_create_by_OBJ(NULL, obj, critical, octets);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
}

/* OIDs with commas between. */
static void
add_policies(X509 *x, const char *list)
{
	AUTO_BUF each = BUF_INIT(1000), all = BUF_INIT(1000);

	while (*list != 0) {
		size_t len = strcspn(list, ",");
		char dotted[64];
		unsigned char oid[64], *p = oid;
		AUTO_OSSL(ASN1_OBJECT) *object = NULL;
		int n;

		snprintf(dotted, sizeof dotted, "%.*s", (int)len, list);
		object = OBJ_txt2obj(dotted, 1);
		n = i2d_ASN1_OBJECT(object, &p);
		assert_true(n > 0 && n < (int)sizeof oid);
		der_put(&each, DER_SEQUENCE, span_of(oid, (size_t)n));
		list += len + (list[len] == ',');
	}
	der_put(&all, DER_SEQUENCE, buf_view(&each));
	add_raw(x, "2.5.29.32", false, buf_view(&all));
}

static void
add_basics(X509 *x, X509 *issuer, const struct pki_spec *s)
{
	char bc[48];

	snprintf(bc, sizeof bc,
	    s->pathlen > 0 ? "critical,CA:TRUE,pathlen:%d" : "critical,CA:TRUE",
	    s->pathlen - 1);
	add_text(x, issuer, NID_basic_constraints, s->ca ? bc : "critical,CA:FALSE");
	if ((s->faults & PKI_KEY_USAGE_CRL) != 0)
		add_text(x, issuer, NID_key_usage, "critical,cRLSign");
	else if ((s->faults & PKI_NO_KEY_USAGE) == 0)
		add_text(x, issuer, NID_key_usage,
		    s->ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
	if ((s->faults & PKI_NO_SKI) == 0)
		add_text(x, issuer, NID_subject_key_identifier, "hash");
	if ((s->faults & PKI_WRONG_AKI) != 0)
		add_raw(x, "2.5.29.35", false, span_of("\x30\x04\x80\x02\xab\xcd", 6));
	else if ((s->faults & PKI_NO_AKI) == 0)
		add_text(x, issuer, NID_authority_key_identifier, "keyid:always");
}

static void
add_optional(X509 *x, X509 *issuer, const struct pki_spec *s)
{
	AUTO_BUF scts = BUF_INIT(65536);

	if (s->san != NULL)
		add_text(x, issuer, NID_subject_alt_name, s->san);
	if (s->aia != NULL)
		add_text(x, issuer, NID_info_access, s->aia);
	if (s->policies != NULL)
		add_policies(x, s->policies);
	if (s->crl_points.len > 0)
		add_raw(x, "2.5.29.31", false, s->crl_points);
	if (s->name_constraints != NULL)
		add_text(x, issuer, NID_name_constraints, s->name_constraints);
	if (s->tnauth.len > 0)
		add_raw(
		    x, "1.3.6.1.5.5.7.1.26", (s->faults & PKI_CRITICAL_TNAUTH) != 0, s->tnauth);
	if ((s->faults & PKI_DUPLICATE) != 0)
		add_raw(x, "1.3.6.1.5.5.7.1.26", false, s->tnauth);
	if (s->jwt_constraints.len > 0)
		add_raw(x, "1.3.6.1.5.5.7.1.27", false, s->jwt_constraints);
	if (s->enhanced_constraints.len > 0)
		add_raw(x, "1.3.6.1.5.5.7.1.33", false, s->enhanced_constraints);
	if ((s->faults & PKI_UNKNOWN_CRITICAL) != 0)
		add_raw(x, "1.3.6.1.4.1.99999.1", true, span_str("x"));
	if (s->scts.len > 0) {
		der_put(&scts, DER_OCTET_STRING, s->scts);
		add_raw(x, "1.3.6.1.4.1.11129.2.4.2", false, buf_view(&scts));
	}
}

X509 *
pki_issue(const struct pki_spec *s)
{
	X509 *x = X509_new(), *issuer = s->issuer != NULL ? s->issuer : x;
	int64_t from = s->not_before_s != 0 ? s->not_before_s : PKI_NOW - 3600;
	int64_t to = s->not_after_s != 0 ? s->not_after_s : PKI_NOW + 86400;
	AUTO_OSSL(BIGNUM) *serial = NULL;
	BIGNUM *n = NULL;

	assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
	assert_true(BN_hex2bn(&n, s->serial != NULL ? s->serial : "01") > 0);
	serial = n;
	assert_non_null(BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)));
	assert_non_null(ASN1_TIME_adj(X509_getm_notBefore(x), (time_t)from, 0, 0));
	assert_non_null(ASN1_TIME_adj(X509_getm_notAfter(x), (time_t)to, 0, 0));
	set_name(X509_get_subject_name(x), s->cn);
	assert_int_equal(X509_set_issuer_name(x, X509_get_subject_name(issuer)), 1);
	assert_int_equal(X509_set_pubkey(x, s->key), 1);
	add_basics(x, issuer, s);
	add_optional(x, issuer, s);
	assert_true(X509_sign(x, s->issuer_key != NULL ? s->issuer_key : s->key,
			s->md != NULL ? s->md : EVP_sha256()) > 0);
	return x;
}

void
pki_der(struct buf *out, X509 *x)
{
	unsigned char *der = NULL;
	int len = i2d_X509(x, &der);

	assert_true(len > 0);
	buf_put(out, der, (size_t)len);
	OPENSSL_free(der);
}

void
pki_pem(struct buf *out, X509 *x)
{
	AUTO_OSSL(BIO) *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;

	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	len = BIO_get_mem_data(bio, &text);
	buf_put(out, text, (size_t)len);
}

struct cert *
pki_cert(X509 *x)
{
	AUTO_BUF der = BUF_INIT(CERT_MAX_DER);
	struct cert *out = NULL;
	struct fault f = { 0 };

	pki_der(&der, x);
	if (cert_decode(buf_view(&der), false, &out, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	return out;
}

/* ---- certificate transparency ---------------------------------------------- */

static void
put_uint(struct buf *out, uint64_t value, unsigned octets)
{
	while (octets-- > 0)
		buf_byte(out, (uint8_t)(value >> (8 * octets)));
}

static void
key_hash(EVP_PKEY *key, uint8_t out[32])
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	assert_true(len > 0);
	SHA256(der, (size_t)len, out);
	OPENSSL_free(der);
}

void
pki_sign(struct buf *out, struct span message, EVP_PKEY *key)
{
	AUTO_OSSL(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	uint8_t sig[512];
	size_t len = sizeof sig;

	assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL), 1);
	assert_int_equal(EVP_DigestSign(ctx, sig, &len, message.ptr, message.len), 1);
	buf_put(out, sig, len);
}

/* What the log signs: RFC 6962 section 3.2. */
static void
signed_data(struct buf *out, const struct pki_spec *spec, int64_t time_ms)
{
	AUTO_OSSL(X509) *bare = pki_issue(spec);
	uint8_t issuer[32];
	unsigned char *tbs = NULL;
	int len = i2d_re_X509_tbs(bare, &tbs);

	assert_true(len > 0);
	key_hash(spec->issuer_key, issuer);
	put_uint(out, 0, 2);
	put_uint(out, (uint64_t)time_ms, 8);
	put_uint(out, 1, 2);
	buf_put(out, issuer, sizeof issuer);
	put_uint(out, (uint64_t)len, 3);
	buf_put(out, tbs, (size_t)len);
	put_uint(out, 0, 2);
	OPENSSL_free(tbs);
}

void
pki_sct(struct buf *out, const struct pki_spec *spec, EVP_PKEY *log_key, int64_t time_ms)
{
	struct pki_spec without = *spec;
	AUTO_BUF data = BUF_INIT(65536), sct = BUF_INIT(1024), sig = BUF_INIT(512);
	uint8_t id[32];

	without.scts = (struct span){ 0 };
	signed_data(&data, &without, time_ms);
	pki_sign(&sig, buf_view(&data), log_key);
	key_hash(log_key, id);
	buf_byte(&sct, 0);
	buf_put(&sct, id, sizeof id);
	put_uint(&sct, (uint64_t)time_ms, 8);
	put_uint(&sct, 0, 2);
	buf_byte(&sct, 4);
	buf_byte(&sct, EVP_PKEY_is_a(log_key, "RSA") ? 1 : 3);
	put_uint(&sct, sig.len, 2);
	buf_span(&sct, buf_view(&sig));
	put_uint(out, sct.len, 2);
	buf_span(out, buf_view(&sct));
}

void
pki_sct_list(struct buf *out, struct span scts)
{
	put_uint(out, scts.len, 2);
	buf_span(out, scts);
}

void
pki_spki(struct buf *out, EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	assert_true(len > 0);
	b64_encode(out, B64_STD, span_of(der, (size_t)len));
	OPENSSL_free(der);
}

void
pki_log_id(struct buf *out, EVP_PKEY *key)
{
	uint8_t id[32];

	key_hash(key, id);
	b64_encode(out, B64_STD, span_of(id, sizeof id));
}

/* ---- tokens ---------------------------------------------------------------- */

void
pki_jws(struct buf *out, const char *header, const char *payload, EVP_PKEY *key)
{
	AUTO_BUF der = BUF_INIT(128);
	AUTO_OSSL(ECDSA_SIG) *pair = NULL;
	const unsigned char *p;
	uint8_t raw[64];

	b64_encode(out, B64_URL, span_str(header));
	buf_byte(out, '.');
	b64_encode(out, B64_URL, span_str(payload));
	pki_sign(&der, buf_view(out), key);
	p = der.ptr;
	pair = d2i_ECDSA_SIG(NULL, &p, (long)der.len);
	assert_non_null(pair);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32), 32);
	buf_byte(out, '.');
	b64_encode(out, B64_URL, span_of(raw, sizeof raw));
	assert_int_equal(buf_check(out, NULL), RC_OK);
}

void
pki_x5c(struct buf *out, X509 *const *x, size_t n)
{
	buf_byte(out, '[');
	for (size_t i = 0; i < n; i++) {
		AUTO_BUF der = BUF_INIT(65536);

		pki_der(&der, x[i]);
		buf_str(out, i == 0 ? "\"" : ",\"");
		b64_encode(out, B64_STD, buf_view(&der));
		buf_byte(out, '"');
	}
	buf_byte(out, ']');
}

static void
tnauth_entry(struct buf *out, uint8_t choice, const char *text)
{
	AUTO_BUF ia5 = BUF_INIT(64), entry = BUF_INIT(64);

	der_put(&ia5, DER_IA5_STRING, span_str(text));
	der_put(&entry, DER_CONTEXT(choice), buf_view(&ia5));
	der_put(out, DER_SEQUENCE, buf_view(&entry));
}

void
pki_tnauth_one(struct buf *out, const char *tn)
{
	tnauth_entry(out, 2, tn);
}

void
pki_tnauth_spc(struct buf *out, const char *spc)
{
	tnauth_entry(out, 0, spc);
}
