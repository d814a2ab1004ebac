/* external account binding: recomputed with another HMAC, key of RFC 7515 appendix A.1 */
#include "agent/renewer/eab.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

#define KEY \
	"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-" \
	"1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
#define URL "https://ca.example/new-account"

/* RFC 7515 appendix A.3, members in another order than they are to be written. */
static const char jwk_text[] =
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";

static const char *
member(const json_t *jws, const char *name)
{
	return json_string_value(json_object_get(jws, name));
}

static void
known_answer(void **state)
{
	json_auto_t *jwk = json_loads(jwk_text, 0, NULL), *jws = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(eab_make("kid-1", span_str(KEY), URL, jwk, &jws, &f), RC_OK);
	assert_int_equal(json_object_size(jws), 3);
	assert_string_equal(member(jws, "protected"),
	    "eyJhbGciOiJIUzI1NiIsImtpZCI6ImtpZC0xIiwidXJsIjoiaHR0cHM6Ly9jYS5leGFtcGxlL25ldy1hY"
	    "2NvdW50In0");
	assert_string_equal(member(jws, "payload"),
	    "eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6ImY4M09KM0QyeEYxQmc4dnViOXRMZTFnSE16Vjc2Z"
	    "ThUdXM5dVBIdlJWRVUiLCJ5IjoieF9GRXpSdTltMzZITE5fdHVlNjU5TE5wWFc2cEN5U3Rpa1lqS0lXSTV"
	    "hMCJ9");
	assert_string_equal(
	    member(jws, "signature"), "aBflegcdYaQ-B9MSLOIO9tP8bHBmHrcFxl4F2lax008");
}

static struct key_case {
	const char *name, *key;
	bool good;
} key_cases[] = {
	{ "padded", "AyM1SysPpbyDfgZld3umjw==", true },
	{ "not padded", "AyM1SysPpbyDfgZld3umjw", true },
	{ "empty", "", false },
	{ "only padding", "==", false },
	{ "fifteen bytes", "AyM1SysPpbyDfgZld3um", false },
	{ "standard alphabet", "AyM1SysPpbyDfgZld3um/w", false },
	{ "white space", "AyM1SysPpbyDfgZld3umjw ", false },
	{ "unused bits", "AyM1SysPpbyDfgZld3umjx", false },
	{ "hexadecimal with a colon", "00:11:22:33:44:55:66:77:88", false },
};

static void
key(void **state)
{
	const struct key_case *c = *state;
	json_auto_t *jwk = json_loads(jwk_text, 0, NULL), *jws = NULL;
	struct fault f = { 0 };
	enum rc rc = eab_make("kid-1", span_str(c->key), URL, jwk, &jws, &f);

	assert_int_equal(rc, c->good ? RC_OK : RC_INVALID);
	assert_int_equal(jws != NULL, c->good);
	if (c->good)
		return;
	assert_string_equal(f.reason, "eab_key");
	/* The key itself is never shown. */
	assert_true(c->key[0] == 0 || strstr(f.detail, c->key) == NULL);
}

/* RFC 8555 s7.3.4 */
static void
every_part_is_bound(void **state)
{
	json_auto_t *jwk = json_loads(jwk_text, 0, NULL);
	json_auto_t *a = NULL, *b = NULL, *c = NULL;

	(void)state;
	assert_int_equal(eab_make("kid-1", span_str(KEY), URL, jwk, &a, NULL), RC_OK);
	assert_int_equal(eab_make("kid-2", span_str(KEY), URL, jwk, &b, NULL), RC_OK);
	json_object_set_new(jwk, "x", json_string("other"));
	assert_int_equal(eab_make("kid-1", span_str(KEY), URL, jwk, &c, NULL), RC_OK);
	assert_string_not_equal(member(a, "signature"), member(b, "signature"));
	assert_string_not_equal(member(a, "signature"), member(c, "signature"));
}

int
main(void)
{
	struct CMUnitTest tests[16] = {
		cmocka_unit_test(known_answer),
		cmocka_unit_test(every_part_is_bound),
	};
	size_t n = 2;

	ROWS(tests, n, key_cases, key);
	return _cmocka_run_group_tests("eab", tests, n, NULL, NULL);
}
