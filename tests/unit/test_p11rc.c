/* Return values, points and signatures, URIs, and text of a token. */
#include "pkcs11/p11rc.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <stdio.h>
#include <string.h>

#include "pkcs11/p256.h"
#include "pkcs11/show.h"
#include "pkcs11/uri.h"
#include "stir/ossl.h"
#include "tests/unit/cm.h"

/* ---- classes: the list that hardware and SoftHSM taught ------------------------- */

static const struct {
	CK_RV rv;
	enum p11_class class;
	const char *name;
} classes[] = {
	{ CKR_OK, P11_OK, "CKR_OK" },
	{ CKR_USER_ALREADY_LOGGED_IN, P11_OK, "CKR_USER_ALREADY_LOGGED_IN" },
	{ CKR_GENERAL_ERROR, P11_REBUILD, "CKR_GENERAL_ERROR" },
	{ CKR_DEVICE_ERROR, P11_REBUILD, "CKR_DEVICE_ERROR" },
	{ CKR_DEVICE_REMOVED, P11_REBUILD, "CKR_DEVICE_REMOVED" },
	{ CKR_TOKEN_NOT_PRESENT, P11_REBUILD, "CKR_TOKEN_NOT_PRESENT" },
	{ CKR_TOKEN_NOT_RECOGNIZED, P11_REBUILD, "CKR_TOKEN_NOT_RECOGNIZED" },
	{ CKR_SESSION_HANDLE_INVALID, P11_REBUILD, "CKR_SESSION_HANDLE_INVALID" },
	{ CKR_SESSION_CLOSED, P11_REBUILD, "CKR_SESSION_CLOSED" },
	{ CKR_CRYPTOKI_NOT_INITIALIZED, P11_REBUILD, "CKR_CRYPTOKI_NOT_INITIALIZED" },
	{ CKR_USER_NOT_LOGGED_IN, P11_REBUILD, "CKR_USER_NOT_LOGGED_IN" },
	{ CKR_OPERATION_ACTIVE, P11_REBUILD, "CKR_OPERATION_ACTIVE" },
	{ CKR_FUNCTION_FAILED, P11_BUSY, "CKR_FUNCTION_FAILED" },
	{ CKR_SESSION_COUNT, P11_BUSY, "CKR_SESSION_COUNT" },
	{ CKR_PIN_INCORRECT, P11_PIN, "CKR_PIN_INCORRECT" },
	{ CKR_PIN_LOCKED, P11_PIN, "CKR_PIN_LOCKED" },
	{ CKR_PIN_EXPIRED, P11_PIN, "CKR_PIN_EXPIRED" },
	{ CKR_PIN_LEN_RANGE, P11_PIN, "CKR_PIN_LEN_RANGE" },
	{ CKR_OBJECT_HANDLE_INVALID, P11_KEY, "CKR_OBJECT_HANDLE_INVALID" },
	{ CKR_KEY_HANDLE_INVALID, P11_KEY, "CKR_KEY_HANDLE_INVALID" },
	{ CKR_DEVICE_MEMORY, P11_FULL, "CKR_DEVICE_MEMORY" },
	{ CKR_MECHANISM_INVALID, P11_FATAL, "CKR_MECHANISM_INVALID" },
	{ CKR_DATA_LEN_RANGE, P11_FATAL, "CKR_DATA_LEN_RANGE" },
	{ CKR_BUFFER_TOO_SMALL, P11_FATAL, "CKR_BUFFER_TOO_SMALL" },
	{ 0x201, P11_BUSY, "CKR_TOKEN_RESOURCE_EXCEEDED" },
	{ CKR_VENDOR_DEFINED, P11_REBUILD, "CKR_VENDOR_DEFINED" },
	{ CKR_VENDOR_DEFINED + 0x1234, P11_REBUILD, "CKR_VENDOR_DEFINED" },
	{ 0x4, P11_REBUILD, "CKR_UNKNOWN" },
	{ 0x7fffffff, P11_REBUILD, "CKR_UNKNOWN" },
};

static void
every_class(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		assert_string_equal(p11rc_name(classes[i].rv), classes[i].name);
		assert_int_equal(p11rc_class(classes[i].rv), classes[i].class);
	}
}

/* No code but CKR_OK and the known one is success, whatever is added to the table. */
static void
nothing_else_is_success(void **state)
{
	(void)state;
	for (CK_RV rv = 1; rv < 0x1000; rv++)
		assert_int_equal(p11rc_class(rv) == P11_OK, rv == CKR_USER_ALREADY_LOGGED_IN);
}

/* ---- points and signatures --------------------------------------------------------- */

static void
make_point(EVP_PKEY **key, uint8_t point[P256_POINT])
{
	size_t len = 0;

	*key = EVP_EC_gen("P-256");
	assert_non_null(*key);
	assert_int_equal(EVP_PKEY_get_octet_string_param(
			     *key, OSSL_PKEY_PARAM_PUB_KEY, point, P256_POINT, &len),
	    1);
}

static void
points_of_attributes(void **state)
{
	uint8_t der[P256_POINT + 3] = { 0x04, P256_POINT }, out[P256_POINT] = { 0 };
	AUTO_OSSL(EVP_PKEY) *key = NULL;
	struct fault f = { 0 };

	(void)state;
	make_point(&key, der + 2);
	assert_int_equal(p256_from_attribute(span_of(der, P256_POINT + 2), out, NULL), RC_OK);
	assert_memory_equal(out, der + 2, P256_POINT);
	memset(out, 0, sizeof out);
	assert_int_equal(p256_from_attribute(span_of(der + 2, P256_POINT), out, NULL), RC_OK);
	assert_memory_equal(out, der + 2, P256_POINT);
	for (size_t len = 0; len < P256_POINT + 2; len++) {
		/* A cut one of 65 bytes begins with the DER's own 04: it is no point of the curve. */
		if (len == P256_POINT)
			continue;
		assert_int_equal(p256_from_attribute(span_of(der, len), out, NULL), RC_INVALID);
	}
	assert_int_equal(p256_from_attribute(span_of(der, sizeof der), out, &f), RC_INVALID);
	assert_string_equal(f.reason, "p256_point");
	der[2] = 0x02;
	assert_int_equal(
	    p256_from_attribute(span_of(der, P256_POINT + 2), out, NULL), RC_INVALID);
	der[2] = 0x04;
	der[0] = 0x03;
	assert_int_equal(
	    p256_from_attribute(span_of(der, P256_POINT + 2), out, NULL), RC_INVALID);
}

static void
sign_with(EVP_PKEY *key, const uint8_t digest[P256_DIGEST], uint8_t sig[P256_SIG])
{
	AUTO_OSSL(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	AUTO_OSSL(ECDSA_SIG) *pair = NULL;
	uint8_t der[P256_DER_SIG];
	const uint8_t *p = der;
	size_t len = sizeof der;

	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_int_equal(EVP_PKEY_sign(ctx, der, &len, digest, P256_DIGEST), 1);
	pair = d2i_ECDSA_SIG(NULL, &p, (long)len);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), sig, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), sig + 32, 32), 32);
}

static void
signatures(void **state)
{
	uint8_t point[P256_POINT], digest[P256_DIGEST] = { 3 }, sig[P256_SIG], bad[P256_SIG];
	AUTO_OSSL(EVP_PKEY) *key = NULL;
	struct fault f = { 0 };

	(void)state;
	make_point(&key, point);
	sign_with(key, digest, sig);
	assert_int_equal(p256_verify(point, digest, sig, &f), RC_OK);
	for (size_t bit = 0; bit < 8 * P256_SIG; bit++) {
		memcpy(bad, sig, sizeof bad);
		bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(p256_verify(point, digest, bad, NULL), RC_DENIED);
	}
	memset(bad, 0, sizeof bad);
	assert_int_equal(p256_verify(point, digest, bad, &f), RC_DENIED);
	assert_string_equal(f.reason, "signature");
	memset(bad, 0xff, sizeof bad);
	assert_int_equal(p256_verify(point, digest, bad, NULL), RC_DENIED);
	digest[31] ^= 1;
	assert_int_equal(p256_verify(point, digest, sig, NULL), RC_DENIED);
	point[40] ^= 1;
	assert_int_equal(p256_verify(point, digest, sig, NULL), RC_INVALID);
}

/* DER of the least and the largest numbers keeps within its bound. */
static void
der_of_signatures(void **state)
{
	uint8_t sig[P256_SIG], der[P256_DER_SIG];
	size_t len = 0;

	(void)state;
	memset(sig, 0xff, sizeof sig);
	assert_int_equal(p256_sig_to_der(sig, der, &len, NULL), RC_OK);
	assert_int_equal(len, P256_DER_SIG);
	memset(sig, 0, sizeof sig);
	assert_int_equal(p256_sig_to_der(sig, der, &len, NULL), RC_OK);
	assert_int_equal(len, 8);
}

/* ---- URIs ----------------------------------------------------------------------------- */

static const struct {
	const char *uri, *label, *serial, *module, *pin, *model;
} uris[] = {
	{ "pkcs11:token=main", "main", "", "", "", "" },
	{ "pkcs11:token=my%20token;serial=00ab", "my token", "00ab", "", "", "" },
	{ "pkcs11:serial=123", "", "123", "", "", "" },
	{ "pkcs11:token=a:token=b;serial=c&serial=d", "a:token=b", "c&serial=d", "", "", "" },
	{ "pkcs11:token=a;model=m;manufacturer=some%20one", "a", "", "", "", "m" },
	{ "pkcs11:token=a?pin-source=file:/x", "a", "", "", "file:/x", "" },
	{ "pkcs11:token=a?pin-source=/x", "a", "", "", "file:/x", "" },
	{ "pkcs11:token=a?module-path=/x.so&pin-source=/x%20y", "a", "", "/x.so", "file:/x y",
	    "" },
};

static const char *const refused_uris[] = {
	"pkcs11:",
	"pkcs11:token=",
	"pkcs12:token=a",
	"token=a",
	"",
	"pkcs11:token=a%2",
	"pkcs11:token=a?pin-value=1234",
	"pkcs11:token=a;pin-value=1234",
	"pkcs11:model=m;manufacturer=m",
	"pkcs11:token=a;model=",
	"pkcs11:token=a?pin-source=%7Cecho%201234",
	"pkcs11:token=a?pin-source=file:x",
	"pkcs11:token=a?module-path=x.so",
	"pkcs11:token=a?module-path=/x.so&x-vendor=1",
	"pkcs11:token=a?module-path=/x.so&pin-value=1234",
	"pkcs11:token=a?",
	"pkcs11:token=a?module-name=x",
	"pkcs11:token=a?x-vendor=1",
	"pkcs11:token=a;x-vendor=1",
	"pkcs11:token=a;unknown=1",
	"pkcs11:token=a;slot-id=1",
	"pkcs11:token=a;object=o",
	"pkcs11:token=a;id=%01",
	"pkcs11:token=a;type=private",
	"pkcs11:token=0123456789012345678901234567890123",
	"pkcs11:token=a;token=b",
	"pkcs11:token=a;token=a",
	"pkcs11:token=a?pin-source=/x&pin-source=/y",
	"pkcs11:token=a?module-path=/x.so&pin-source=/y&module-path=/x.so",
	"pkcs11:token=a;;serial=b",
	"pkcs11:token=a;;slot-id=1",
	"pkcs11:;token=a",
	"pkcs11:token=a;",
	"pkcs11:token=a;module-path=/x.so",
	"pkcs11:token=a?pin-source=/x&&module-path=/x.so",
	"pkcs11:token=a b",
	"pkcs11:\ntoken=a",
	"pkcs11:token=a%00b",
	"pkcs11:token=a;serial=%00",
	"pkcs11:token=a?module-path=/x%00.so",
};

/* RFC 7512 s2.3, RFC 7512 s7 */
static void
token_uris(void **state)
{
	struct token_uri out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(uris); i++) {
		struct fault f = { 0 };

		if (token_uri_parse(uris[i].uri, &out, &f) != RC_OK)
			fail_msg("%s: %s", uris[i].uri, f.detail);
		assert_string_equal(out.label, uris[i].label);
		assert_string_equal(out.serial, uris[i].serial);
		assert_string_equal(out.module, uris[i].module);
		assert_string_equal(out.pin, uris[i].pin);
		assert_string_equal(out.model, uris[i].model);
	}
	out = (struct token_uri){ .label = "untouched" };
	for (size_t i = 0; i < ARRAY_LEN(refused_uris); i++) {
		struct fault f = { 0 };

		if (token_uri_parse(refused_uris[i], &out, &f) != RC_INVALID)
			fail_msg("%s was taken", refused_uris[i]);
		assert_string_equal(f.reason, "uri");
		assert_string_equal(out.label, "untouched");
		assert_null(strstr(f.detail, "1234"));
	}
}

/* RFC 7512 s2.3: what is printed can be given back. */
static void
uris_back(void **state)
{
	static const uint8_t id[] = { 0x00, 0x25, 0xff };
	struct token_uri t = { .label = "my;token %", .serial = "00ab", .model = "M?" }, again;
	char text[URI_TEXT_MAX];

	(void)state;
	assert_int_equal(token_uri_format(&t, text, NULL), RC_OK);
	assert_null(strchr(text, ' '));
	assert_int_equal(token_uri_parse(text, &again, NULL), RC_OK);
	assert_string_equal(again.label, t.label);
	assert_string_equal(again.serial, t.serial);
	assert_string_equal(again.model, t.model);
	assert_string_equal(again.manufacturer, "");
	assert_int_equal(
	    key_uri_format(&t, span_of(id, sizeof id), span_str("k"), text, NULL), RC_OK);
	assert_non_null(strstr(text, "id=%00%25%FF"));
	assert_non_null(strstr(text, "type=private"));
	assert_non_null(strstr(text, "object=k"));
	assert_int_equal(token_uri_parse(text, &again, NULL), RC_INVALID);
}

/* ---- text of a token ---------------------------------------------------------------------- */

static const struct {
	const char *text, *json, *plain;
} texts[] = {
	{ "plain", "\"plain\"", "plain" },
	{ "a\"b\\c", "\"a\\\"b\\\\c\"", "a\"b\\c" },
	{ "\x1b[31m\n", "\"\\u001b[31m\\u000a\"", "?[31m?" },
	{ "\x7f", "\"\\u007f\"", "?" },
	{ "\xc3\xa9", "\"\xc3\xa9\"", "\xc3\xa9" },
	{ "\xc2\x9b"
	  "2J",
	    "\"\xc2\x9b"
	    "2J\"",
	    "?2J" },
	{ "\xff", "\"\\ufffd\"", "?" },
	{ "\xc3", "\"\\ufffd\"", "?" },
	{ "\xc0\xaf", "\"\\ufffd\\ufffd\"", "??" },
	{ "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"", "???" },
	{ "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"", "????" },
	{ "", "\"\"", "" },
};

static void
shown_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char out[128] = "";
		FILE *file = fmemopen(out, sizeof out, "w");

		show_json(file, span_str(texts[i].text));
		fflush(file);
		assert_string_equal(out, texts[i].json);
		rewind(file);
		memset(out, 0, sizeof out);
		show_text(file, span_str(texts[i].text), 0);
		fclose(file);
		assert_string_equal(out, texts[i].plain);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_class),
		cmocka_unit_test(nothing_else_is_success),
		cmocka_unit_test(points_of_attributes),
		cmocka_unit_test(signatures),
		cmocka_unit_test(der_of_signatures),
		cmocka_unit_test(token_uris),
		cmocka_unit_test(uris_back),
		cmocka_unit_test(shown_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
