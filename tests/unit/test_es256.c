/* es256: signatures, JWK, thumbprints, compact and flattened JWS */
#include "stir/b64.h"
#include "stir/es256.h"
#include "stir/jtext.h"
#include "tests/unit/cm.h"
#include "tests/unit/pki.h"
#include "tests/unit/rows.h"

static void
unhex(const char *hex, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned byte = 0;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
}

/* RFC 6979 section A.2.5 */
static const char a25_point[] =
    "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
    "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
static const char a25_sample[] =
    "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
    "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8";
static const char a25_test[] =
    "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367"
    "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083";
static const char zero_r[] = "0000000000000000000000000000000000000000000000000000000000000000"
			     "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8";
static const char order_s[] =
    "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
    "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";

static struct verify_case {
	const char *name, *message, *sig;
	size_t sig_len;
	enum rc rc;
} verify_cases[] = {
	{ "RFC 6979 sample (RFC 7518 s3.4)", "sample", a25_sample, 64, RC_OK },
	{ "RFC 6979 test", "test", a25_test, 64, RC_OK },
	{ "other message", "Sample", a25_sample, 64, RC_DENIED },
	{ "other signature", "sample", a25_test, 64, RC_DENIED },
	{ "r is zero (RFC 7518 s3.4)", "sample", zero_r, 64, RC_DENIED },
	{ "s is the order", "sample", order_s, 64, RC_DENIED },
	{ "short signature", "sample", a25_sample, 63, RC_DENIED },
	{ "no signature", "sample", a25_sample, 0, RC_DENIED },
};

static void
verifies(void **state)
{
	const struct verify_case *c = *state;
	uint8_t point[P256_POINT_LEN], sig[64];
	EVP_PKEY *raw = NULL;
	struct fault f = { 0 };

	unhex(a25_point, point, sizeof point);
	unhex(c->sig, sig, sizeof sig);
	assert_int_equal(p256_from_point(point, &raw, &f), RC_OK);
	assert_int_equal(
	    es256_verify(raw, span_str(c->message), span_of(sig, c->sig_len), &f), c->rc);
	if (c->rc != RC_OK)
		assert_string_equal(f.reason, "signature");
	EVP_PKEY_free(raw);
}

static void
no_bit_of_a_signature_is_free(void **state)
{
	uint8_t point[P256_POINT_LEN], sig[64];
	EVP_PKEY *raw = NULL;

	(void)state;
	unhex(a25_point, point, sizeof point);
	unhex(a25_sample, sig, sizeof sig);
	assert_int_equal(p256_from_point(point, &raw, NULL), RC_OK);
	for (size_t bit = 0; bit < 512; bit += 7) {
		sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(
		    es256_verify(raw, span_str("sample"), span_of(sig, 64), NULL), RC_DENIED);
		sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	EVP_PKEY_free(raw);
}

static void
points(void **state)
{
	uint8_t point[P256_POINT_LEN], back[P256_POINT_LEN] = { 0 };
	EVP_PKEY *raw = NULL;
	struct fault f = { 0 };

	(void)state;
	unhex(a25_point, point, sizeof point);
	assert_int_equal(p256_from_point(point, &raw, &f), RC_OK);
	assert_int_equal(p256_point(raw, back, &f), RC_OK);
	assert_memory_equal(point, back, sizeof point);
	EVP_PKEY_free(raw);

	raw = NULL;
	point[64] ^= 1;
	assert_int_equal(p256_from_point(point, &raw, &f), RC_INVALID);
	assert_string_equal(f.reason, "p256_point");
	assert_null(raw);
	point[64] ^= 1;
	point[0] = 0x02;
	assert_int_equal(p256_from_point(point, &raw, NULL), RC_INVALID);
}

/* RFC 5480 s2.1.1 */
static void
only_p256_has_a_point(void **state)
{
	AUTO_OSSL(EVP_PKEY) *p384 = pki_key("EC", "P-384", 0);
	AUTO_OSSL(EVP_PKEY) *rsa = pki_key("RSA", NULL, 2048);
	AUTO_OSSL(EVP_PKEY) *compressed = pki_p256();
	uint8_t point[P256_POINT_LEN], sig[64];
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(p256_point(p384, point, &f), RC_INVALID);
	assert_string_equal(f.reason, "p256_curve");
	assert_int_equal(p256_point(rsa, point, NULL), RC_INVALID);
	assert_int_equal(p256_point(NULL, point, NULL), RC_INVALID);
	assert_int_equal(es256_sign(NULL, p384, span_str("x"), sig, NULL), RC_INVALID);
	assert_int_equal(es256_sign(NULL, rsa, span_str("x"), sig, NULL), RC_INVALID);

	/* A key that writes itself in the compressed form has the same point. */
	assert_int_equal(
	    EVP_PKEY_set_utf8_string_param(compressed, "point-format", "compressed"), 1);
	assert_int_equal(p256_point(compressed, point, NULL), RC_OK);
	assert_int_equal(point[0], 0x04);
}

static void
signs_what_verifies(void **state)
{
	AUTO_OSSL(EVP_PKEY) *key = pki_p256(), *public = NULL;
	uint8_t point[P256_POINT_LEN], sig[64];
	EVP_PKEY *raw = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(p256_point(key, point, &f), RC_OK);
	assert_int_equal(p256_from_point(point, &raw, &f), RC_OK);
	public = raw;
	assert_int_equal(es256_sign(NULL, key, span_str("hello"), sig, &f), RC_OK);
	assert_int_equal(es256_verify(public, span_str("hello"), span_of(sig, 64), &f), RC_OK);
	assert_int_equal(
	    es256_verify(public, span_str("hellp"), span_of(sig, 64), &f), RC_DENIED);
	/* A public key does not sign. */
	assert_int_equal(es256_sign(NULL, public, span_str("hello"), sig, NULL), RC_HSM);
}

/* RFC 7515 appendix A.3 */
static const char a3_jws[] = "eyJhbGciOiJFUzI1NiJ9."
			     "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
			     "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
			     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
			     "pmWQxfKTUJqPP3-Kg6NU1Q";
static const char a3_jwk[] = "{\"kty\":\"EC\",\"crv\":\"P-256\","
			     "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
			     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";

/* RFC 7515 s3 */
static void
jws_of_rfc7515(void **state)
{
	json_auto_t *jwk = json_loads(a3_jwk, 0, NULL);
	uint8_t point[P256_POINT_LEN];
	struct jws_parts p;
	EVP_PKEY *raw = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(jwk_point(jwk, point, &f), RC_OK);
	assert_int_equal(p256_from_point(point, &raw, &f), RC_OK);
	assert_int_equal(jws_split(span_str(a3_jws), &p, &f), RC_OK);
	assert_string_equal(json_string_value(json_object_get(p.header, "alg")), "ES256");
	assert_int_equal(p.payload.len, 70);
	assert_int_equal(es256_verify(raw, p.signing_input, span_of(p.sig, 64), &f), RC_OK);
	jws_done(&p);
	EVP_PKEY_free(raw);
}

/* 64 octets */
#define ZEROS \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static struct split_case {
	const char *name, *text, *reason;
} split_cases[] = {
	{ "empty", "", "jws_syntax" },
	{ "one part", "eyJhbGciOiJFUzI1NiJ9", "jws_syntax" },
	{ "two parts", "eyJhbGciOiJFUzI1NiJ9.e30", "jws_syntax" },
	{ "compact passport", "..DtEhU3ljbEg8L38VWAfUAqOyKAM6", "jws_syntax" },
	{ "no signature", "eyJhbGciOiJFUzI1NiJ9.e30.", "jws_syntax" },
	{ "short signature", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA", "jws_syntax" },
	{ "four parts", "e30.e30.e30.e30", "base64" },
	{ "padding", "e30=.e30.AAAA", "jws_syntax" },
	{ "header no JSON", "e2E.e30." ZEROS, "malformed_json" },
	{ "header an array", "W10.e30." ZEROS, "jws_syntax" },
	{ "header member twice", "eyJhIjoxLCJhIjoyfQ.e30." ZEROS, "duplicate_member" },
	{ "white space", " e30.e30.AAAA", "jws_syntax" },
};

/* RFC 7515 s3 */
static void
split_refuses(void **state)
{
	const struct split_case *c = *state;
	struct jws_parts p = { 0 };
	struct fault f = { 0 };

	assert_int_equal(jws_split(span_str(c->text), &p, &f), RC_INVALID);
	assert_string_equal(f.reason, c->reason);
	assert_null(p.header);
}

static void
split_of_prefixes(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof a3_jws - 1; n++) {
		struct jws_parts p;
		struct fault f = { 0 };

		assert_int_equal(jws_split(span_of(a3_jws, n), &p, &f), RC_INVALID);
	}
}

static struct jwk_case {
	const char *name, *text;
} jwk_cases[] = {
	{ "other curve", "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}" },
	{ "RSA", "{\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AQAB\"}" },
	{ "no y", "{\"kty\":\"EC\",\"crv\":\"P-256\","
		  "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}" },
	{ "short x", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83O\","
		     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}" },
	{ "off the curve", "{\"kty\":\"EC\",\"crv\":\"P-256\","
			   "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
			   "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}" },
	{ "padded", "{\"kty\":\"EC\",\"crv\":\"P-256\","
		    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=\","
		    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0=\"}" },
	{ "no object", "[]" },
};

static void
jwk_refuses(void **state)
{
	const struct jwk_case *c = *state;
	json_auto_t *jwk = json_loads(c->text, 0, NULL);
	uint8_t point[P256_POINT_LEN] = { 0 };

	assert_int_equal(jwk_point(jwk, point, NULL), RC_INVALID);
	assert_int_equal(point[0], 0);
}

/* RFC 7638 s3 */
static void
thumbprint_and_fingerprint(void **state)
{
	json_auto_t *jwk = json_loads(a3_jwk, 0, NULL), *again = NULL;
	uint8_t point[P256_POINT_LEN], back[P256_POINT_LEN], hash[32];
	AUTO_BUF text = BUF_INIT(64);
	char fingerprint[FINGERPRINT_TEXT];

	(void)state;
	assert_int_equal(jwk_point(jwk, point, NULL), RC_OK);
	jwk_thumbprint(point, hash);
	b64_encode(&text, B64_URL, span_of(hash, 32));
	/* Computed with Python's hashlib over the RFC 7638 form of the RFC 7515 A.3 key. */
	assert_string_equal(buf_text(&text), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
	fingerprint_text(hash, fingerprint);
	assert_int_equal(strlen(fingerprint), 7 + 32 * 3 - 1);
	assert_string_equal(fingerprint, "SHA256 "
					 "A0:A2:32:C2:F1:94:A5:35:53:CB:13:10:DD:BC:08:21:E4:"
					 "14:B9:D7:EB:FC:29:0B:32:30:84:D7:D1:02:0F:E5");
	assert_int_equal(spki_hash(point, hash, NULL), RC_OK);
	fingerprint_text(hash, fingerprint);
	/* openssl pkey -pubin -outform DER | sha256sum, of the same key. */
	assert_string_equal(fingerprint, "SHA256 "
					 "2B:D1:BB:0C:44:A8:97:C3:0A:7A:A0:99:1C:DE:38:D8:06:"
					 "2F:E4:41:DE:50:DA:0F:46:82:53:44:F6:02:E8:27");
	again = jwk_of_point(point);
	assert_int_equal(jwk_point(again, back, NULL), RC_OK);
	assert_memory_equal(point, back, sizeof point);
	point[P256_POINT_LEN - 1] ^= 1;
	assert_int_equal(spki_hash(point, hash, NULL), RC_INVALID);
}

/* RFC 8555 s6.2 */
static void
flattened(void **state)
{
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();
	json_auto_t *header =
	    json_loads("{\"url\":\"https://ca/x\",\"alg\":\"ES256\"}", 0, NULL);
	json_auto_t *jws = NULL, *raw = NULL;
	AUTO_BUF compact = BUF_INIT(1000);
	struct jws_parts p;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(
	    jws_flattened(header, span_str("{\"a\":1}"), NULL, key, &raw, &f), RC_OK);
	jws = json_incref(raw);
	assert_int_equal(json_object_size(jws), 3);
	buf_printf(&compact, "%s.%s.%s", json_string_value(json_object_get(jws, "protected")),
	    json_string_value(json_object_get(jws, "payload")),
	    json_string_value(json_object_get(jws, "signature")));
	assert_int_equal(jws_split(buf_view(&compact), &p, &f), RC_OK);
	assert_true(span_is(buf_view(&p.payload), "{\"a\":1}"));
	assert_true(json_equal(p.header, header));
	assert_int_equal(es256_verify(key, p.signing_input, span_of(p.sig, 64), &f), RC_OK);
	jws_done(&p);
	json_decref(raw);
	raw = NULL;

	/* POST-as-GET: the payload is the empty string (RFC 8555 section 6.3). */
	assert_int_equal(jws_flattened(header, span_of(NULL, 0), NULL, key, &raw, &f), RC_OK);
	assert_string_equal(json_string_value(json_object_get(raw, "payload")), "");
}

int
main(void)
{
	struct CMUnitTest
	    tests[ARRAY_LEN(verify_cases) + ARRAY_LEN(split_cases) + ARRAY_LEN(jwk_cases) + 8];
	size_t n = 0;

	ROWS(tests, n, verify_cases, verifies);
	ROWS(tests, n, split_cases, split_refuses);
	ROWS(tests, n, jwk_cases, jwk_refuses);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_bit_of_a_signature_is_free);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(points);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(only_p256_has_a_point);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(signs_what_verifies);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(jws_of_rfc7515);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(split_of_prefixes);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(thumbprint_and_fingerprint);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(flattened);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
