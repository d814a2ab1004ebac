/* csr: requests that we build, and what they ask for */
#include "stir/csr.h"
#include "tests/unit/cm.h"
#include "tests/unit/pki.h"
#include "tests/unit/rows.h"

static const uint8_t must_note[] = { 0x30, 0x0a, 0xa0, 0x08, 0x30, 0x06, 0x16, 0x04, 'n', 'o',
	't', 'e' };

static struct build_case {
	const char *name, *cn, *organization, *country, *subject;
	bool constraints, basic, usage;
	enum constraints_form form;
	const char *dns_name;
} build_cases[] = {
	{ "bare", NULL, NULL, NULL, "", false, false, false, CONSTRAINTS_JWT, NULL },
	{ "name", "SHAKEN 1234", "Example", "US", "CN=SHAKEN 1234,O=Example,C=US", false, false,
	    false, CONSTRAINTS_JWT, NULL },
	{ "constraints", "x", NULL, NULL, "CN=x", true, false, false, CONSTRAINTS_JWT, NULL },
	{ "enhanced constraints", "x", NULL, NULL, "CN=x", true, false, false,
	    CONSTRAINTS_ENHANCED, NULL },
	{ "everything (RFC 9448 s4, D-34)", "x", "Ünicode", "DE", NULL, true, true, true,
	    CONSTRAINTS_ENHANCED, "sip.example.net" },
	{ "a domain (RFC 8555 s7.4)", NULL, NULL, NULL, "", false, false, false,
	    CONSTRAINTS_JWT, "sip.example.net" },
};

static void
builds(void **state)
{
	const struct build_case *t = *state;
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();
	AUTO_BUF der = BUF_INIT(65536), tnauth = BUF_INIT(100);
	uint8_t point[P256_POINT_LEN];
	struct csr_facts c;
	struct fault f = { 0 };

	pki_tnauth_one(&tnauth, "12025550100");
	assert_int_equal(csr_build(&der,
			     &(struct csr_template){ .common_name = t->cn,
				 .organization = t->organization,
				 .country = t->country,
				 .tnauth_der = buf_view(&tnauth),
				 .constraints_der =
				     span_of(must_note, t->constraints ? sizeof must_note : 0),
				 .form = t->form,
				 .basic_constraints = t->basic,
				 .key_usage = t->usage,
				 .dns_name = t->dns_name },
			     NULL, key, &f),
	    RC_OK);
	assert_int_equal(csr_decode(buf_view(&der), &c, &f), RC_OK);
	if (t->dns_name != NULL)
		assert_string_equal(c.dns_name, t->dns_name);
	else
		assert_null(c.dns_name);
	assert_int_equal(p256_point(key, point, NULL), RC_OK);
	assert_memory_equal(c.point, point, sizeof point);
	assert_true(span_eq(buf_view(&c.tnauth_der), buf_view(&tnauth)));
	assert_int_equal(c.constraints_der.len, t->constraints ? sizeof must_note : 0);
	if (t->constraints)
		assert_int_equal(c.form, t->form);
	assert_false(c.ca);
	if (t->subject != NULL)
		assert_string_equal(c.subject, t->subject);
	csr_done(&c);
}

/* OpenSSL's own reader takes the request, and sees each extension once (RFC 2986 s4). */
static void
openssl_agrees(void **state)
{
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();
	AUTO_OSSL(X509_REQ) *req = NULL;
	AUTO_BUF der = BUF_INIT(65536), tnauth = BUF_INIT(100);
	const unsigned char *p;
	STACK_OF(X509_EXTENSION) * list;

	(void)state;
	pki_tnauth_one(&tnauth, "12025550100");
	assert_int_equal(csr_build(&der,
			     &(struct csr_template){ .tnauth_der = buf_view(&tnauth),
				 .basic_constraints = true,
				 .key_usage = true },
			     NULL, key, NULL),
	    RC_OK);
	p = der.ptr;
	req = d2i_X509_REQ(NULL, &p, (long)der.len);
	assert_non_null(req);
	assert_int_equal(X509_REQ_verify(req, key), 1);
	assert_int_equal(X509_REQ_get_version(req), X509_REQ_VERSION_1);
	list = X509_REQ_get_extensions(req);
	assert_int_equal(sk_X509_EXTENSION_num(list), 3);
	assert_int_equal(X509_EXTENSION_get_critical(sk_X509_EXTENSION_value(list, 0)), 1);
	assert_int_equal(X509_EXTENSION_get_critical(sk_X509_EXTENSION_value(list, 2)), 0);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

static void
build_refuses(void **state)
{
	AUTO_OSSL(EVP_PKEY) *p384 = pki_key("EC", "P-384", 0), *key = pki_p256();
	AUTO_BUF der = BUF_INIT(65536), small = BUF_INIT(10), tnauth = BUF_INIT(100);
	struct fault f = { 0 }, g = { 0 }, h = { 0 }, i = { 0 };
	char name[255] = "";

	(void)state;
	pki_tnauth_one(&tnauth, "12025550100");
	assert_int_equal(
	    csr_build(&der, &(struct csr_template){ .tnauth_der = buf_view(&tnauth) }, NULL,
		p384, &f),
	    RC_INVALID);
	assert_string_equal(f.reason, "p256_curve");
	assert_int_equal(
	    csr_build(&der,
		&(struct csr_template){ .country = "USA", .tnauth_der = buf_view(&tnauth) },
		NULL, key, &g),
	    RC_INVALID);
	assert_string_equal(g.reason, "csr");
	assert_int_equal(der.len, 0);
	assert_int_equal(
	    csr_build(&small, &(struct csr_template){ .tnauth_der = buf_view(&tnauth) }, NULL,
		key, &h),
	    RC_INVALID);
	assert_string_equal(h.reason, "too_large");
	memset(name, 'a', sizeof name - 1);
	assert_int_equal(
	    csr_build(&der,
		&(struct csr_template){ .dns_name = name, .tnauth_der = buf_view(&tnauth) },
		NULL, key, &i),
	    RC_INVALID);
	assert_string_equal(i.reason, "csr");
}

/* Built by OpenSSL, with one extension of these octets. */
static void
request_with(struct buf *out, EVP_PKEY *key, const char *oid, struct span value)
{
	AUTO_OSSL(X509_REQ) *req = X509_REQ_new();
	AUTO_OSSL(ASN1_OBJECT) *object = OBJ_txt2obj(oid, 1);
	AUTO_OSSL(ASN1_OCTET_STRING) *octets = ASN1_OCTET_STRING_new();
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	unsigned char *der = NULL;
	int len;

	ASN1_OCTET_STRING_set(octets, value.ptr, (int)value.len);
	sk_X509_EXTENSION_push(list, X509_EXTENSION_create_by_OBJ(NULL, object, 0, octets));
	X509_REQ_set_pubkey(req, key);
	assert_int_equal(X509_REQ_add_extensions(req, list), 1);
	assert_true(X509_REQ_sign(req, key, EVP_sha256()) > 0);
	len = i2d_X509_REQ(req, &der);
	assert_true(len > 0);
	buf_put(out, der, (size_t)len);
	OPENSSL_free(der);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

/* What other programs put there: several names, or an address, are no one name. */
static void
other_names(void **state)
{
	static const uint8_t names[][16] = {
		{ 8, 0x30, 6, 0x82, 1, 'a', 0x82, 1, 'b' },
		{ 8, 0x30, 6, 0x87, 4, 127, 0, 0, 1 },
		{ 2, 0x30, 0 },
		{ 5, 0x30, 3, 0x82, 1, 'a' },
		{ 5, 0x30, 3, 0x82, 1, 0 },
		{ 4, 0x30, 2, 0x82, 0 },
		{ 3, 0x30, 3, 0x82 },
	};
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		AUTO_BUF der = BUF_INIT(65536);
		struct csr_facts c = { 0 };
		enum rc rc;

		request_with(&der, key, "2.5.29.17", span_of(names[i] + 1, names[i][0]));
		rc = csr_decode(buf_view(&der), &c, NULL);
		assert_int_equal(rc, i < 4 ? RC_OK : RC_INVALID);
		assert_int_equal(c.dns_name != NULL, i == 3);
		csr_done(&c);
	}
}

/* Built by OpenSSL with what we would not build. */
static void
make_request(struct buf *out, EVP_PKEY *key, EVP_PKEY *signer, const EVP_MD *md,
    const char *const *oid, size_t n)
{
	AUTO_OSSL(X509_REQ) *req = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	AUTO_BUF tnauth = BUF_INIT(100);
	unsigned char *der = NULL;
	int len;

	pki_tnauth_one(&tnauth, "12025550100");
	for (size_t i = 0; i < n; i++) {
		AUTO_OSSL(ASN1_OBJECT) *object = OBJ_txt2obj(oid[i], 1);
		AUTO_OSSL(ASN1_OCTET_STRING) *octets = ASN1_OCTET_STRING_new();

		ASN1_OCTET_STRING_set(octets, tnauth.ptr, (int)tnauth.len);
		sk_X509_EXTENSION_push(
		    list, X509_EXTENSION_create_by_OBJ(NULL, object, 0, octets));
	}
	X509_REQ_set_pubkey(req, key);
	assert_int_equal(X509_REQ_add_extensions(req, list), 1);
	assert_true(X509_REQ_sign(req, signer, md) > 0);
	len = i2d_X509_REQ(req, &der);
	assert_true(len > 0);
	buf_put(out, der, (size_t)len);
	OPENSSL_free(der);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

#define TNAUTH_OID   "1.3.6.1.5.5.7.1.26"
#define JWT_OID	     "1.3.6.1.5.5.7.1.27"
#define ENHANCED_OID "1.3.6.1.5.5.7.1.33"

static struct decode_case {
	const char *name, *oid[3];
	size_t n;
	bool p384, other_signer, sha384;
	enum rc rc;
	const char *reason;
} decode_cases[] = {
	{ "plain", { TNAUTH_OID }, 1, false, false, false, RC_OK, NULL },
	{ "TNAuthList twice", { TNAUTH_OID, TNAUTH_OID }, 2, false, false, false, RC_INVALID,
	    "csr_extension" },
	{ "both constraints", { JWT_OID, ENHANCED_OID }, 2, false, false, false, RC_INVALID,
	    "csr_extension" },
	{ "key on P-384", { TNAUTH_OID }, 1, true, false, false, RC_INVALID, "p256_curve" },
	{ "signed by another key", { TNAUTH_OID }, 1, false, true, false, RC_DENIED,
	    "signature" },
	{ "SHA-384", { TNAUTH_OID }, 1, false, false, true, RC_DENIED, "signature" },
	{ "basicConstraints that do not decode", { "2.5.29.19" }, 1, false, false, false,
	    RC_INVALID, "csr_extension" },
};

static void
decodes(void **state)
{
	const struct decode_case *t = *state;
	AUTO_OSSL(EVP_PKEY) *key = t->p384 ? pki_key("EC", "P-384", 0) : pki_p256();
	AUTO_OSSL(EVP_PKEY) *other = pki_p256();
	AUTO_BUF der = BUF_INIT(65536);
	struct csr_facts c = { 0 };
	struct fault f = { 0 };

	make_request(&der, key, t->other_signer ? other : key,
	    t->sha384 ? EVP_sha384() : EVP_sha256(), t->oid, t->n);
	assert_int_equal(csr_decode(buf_view(&der), &c, &f), t->rc);
	if (t->rc != RC_OK)
		assert_string_equal(f.reason, t->reason);
	csr_done(&c);
}

static void
cut_and_flipped(void **state)
{
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();
	AUTO_BUF der = BUF_INIT(65536), tnauth = BUF_INIT(100);
	struct csr_facts c = { 0 };

	(void)state;
	pki_tnauth_one(&tnauth, "12025550100");
	assert_int_equal(
	    csr_build(&der,
		&(struct csr_template){ .common_name = "x", .tnauth_der = buf_view(&tnauth) },
		NULL, key, NULL),
	    RC_OK);
	for (size_t n = 0; n < der.len; n++)
		assert_int_equal(csr_decode(span_of(der.ptr, n), &c, NULL), RC_INVALID);
	for (size_t bit = 0; bit < der.len * 8; bit++) {
		der.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(csr_decode(buf_view(&der), &c, NULL), RC_OK);
		der.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_byte(&der, 0);
	assert_int_equal(csr_decode(buf_view(&der), &c, NULL), RC_INVALID);
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(build_cases) + ARRAY_LEN(decode_cases) + 4];
	size_t n = 0;

	ROWS(tests, n, build_cases, builds);
	ROWS(tests, n, decode_cases, decodes);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(openssl_agrees);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(build_refuses);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(other_names);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(cut_and_flipped);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
