/* privacy: the modes of VESPER -06, D-13 to D-15, V-54 to V-58, V-63 */
#include "stir/privacy.h"

#include "tests/unit/mutate.h"
#include "tests/unit/spec.h"

/* Made with Python's hashlib: S is the octets 0 to 31. */
#define S      "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define H_ACME "5U3Z2edmZj2Z81pbo9mly8IbgTKaNZaJbCDAb080scU" /* of "ACME" with its quotes */
#define H_OBJ  "CFW/wg62z6pL59a1EMY90imXcYvdrcsaSRXOw6FhRbk" /* of {"a":1,"b":[2]} */
#define C_ACME "YrpXe5ipbgni7cdSVK0kAHkRsSgBg2iYsETMMxJeSIg"
#define C_5    "EXlIBrugXiV0rh6e1fpJeboyWS1aTwnhMvxj4/fqb+E"
#define H_S    "Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0"

static struct span
salt_s(void)
{
	static uint8_t octet[32];

	for (size_t i = 0; i < sizeof octet; i++)
		octet[i] = (uint8_t)i;
	return span_of(octet, sizeof octet);
}

/* ---- names ---------------------------------------------------------------------------- */

static struct name_case {
	const char *name, *text;
	enum privacy_mode mode;
	const char *path, *claim, *pointer; /* path NULL: refused */
} name_cases[] = {
	{ "a claim", "attest", PRIVACY_VALUE, "attest", "attest", "" },
	{ "a pointer", "vper/name", PRIVACY_VALUE, "vper/name", "vper", "/name" },
	{ "D-14 hash", "vper/name#sha-256", PRIVACY_HASH, "vper/name", "vper", "/name" },
	{ "D-14 hash of a claim", "vper#sha-256", PRIVACY_HASH, "vper", "vper", "" },
	{ "D-15 commit", "vper/id#commit-sha-256", PRIVACY_COMMIT, "vper/id", "vper", "/id" },
	{ "D-15 salt", "vper/id#salt-sha-256", PRIVACY_SALT, "vper/id", "vper", "/id" },
	{ "a number sign in the pointer", "a/b#c#sha-256", PRIVACY_HASH, "a/b#c", "a", "/b#c" },
	{ "only a mode", "#sha-256", PRIVACY_HASH, "", "", "" },
	{ "V-63 another hash", "vper/name#sha-512", 0, NULL, NULL, NULL },
	{ "upper case", "vper/name#SHA-256", 0, NULL, NULL, NULL },
	{ "rcdi's spelling", "vper/name#sha256", 0, NULL, NULL, NULL },
	{ "more behind it", "vper/name#sha-256x", 0, NULL, NULL, NULL },
	{ "less of it", "vper/name#commit-sha", 0, NULL, NULL, NULL },
	{ "nothing behind it", "vper/name#", 0, NULL, NULL, NULL },
	{ "an ordinary fragment", "https://a.example/c#d", 0, NULL, NULL, NULL },
};

static void
name(void **state)
{
	const struct name_case *c = *state;
	struct privacy_name n = { 0 };
	struct fault f = { 0 };
	enum rc rc = privacy_name(c->text, &n, &f);

	if (c->path == NULL) {
		assert_int_equal(rc, RC_INVALID);
		assert_string_equal(f.reason, "privacy_mode");
		return;
	}
	assert_int_equal(rc, RC_OK);
	assert_int_equal(n.mode, c->mode);
	assert_true(span_is(n.path, c->path));
	assert_true(span_is(n.claim, c->claim));
	assert_true(span_is(n.pointer, c->pointer));
}

/* ---- digests -------------------------------------------------------------------------- */

static struct digest_case {
	const char *name, *value;
	bool salted;
	const char *want;
} digest_cases[] = {
	{ "V-54 a string with its quotes", "'ACME'", false, H_ACME },
	{ "V-54 an object in RFC 8225 form", "{'b':[2],'a':1}", false, H_OBJ },
	{ "V-58 a committed string", "'ACME'", true, C_ACME },
	{ "V-58 a committed number", "5", true, C_5 },
};

static void
digest(void **state)
{
	const struct digest_case *c = *state;
	json_auto_t *value = json_of(c->value);
	char got[PRIVACY_DIGEST_TEXT];

	assert_int_equal(
	    privacy_digest(c->salted ? salt_s() : span_of(NULL, 0), value, got, NULL), RC_OK);
	assert_string_equal(got, c->want);
	assert_true(privacy_is_digest(got));
}

static void
digest_of_a_salt(void **state)
{
	char got[PRIVACY_DIGEST_TEXT];

	(void)state;
	assert_int_equal(privacy_salt_digest(salt_s(), got, NULL), RC_OK);
	assert_string_equal(got, H_S);
}

static struct form_case {
	const char *name, *text;
	bool good;
} form_cases[] = {
	{ "43 characters", H_ACME, true },
	{ "padded", H_ACME "=", false },
	{ "base64url", "CFW_wg62z6pL59a1EMY90imXcYvdrcsaSRXOw6FhRbk", false },
	{ "one short", "5U3Z2edmZj2Z81pbo9mly8IbgTKaNZaJbCDAb080sc", false },
	{ "unused bits set", "5U3Z2edmZj2Z81pbo9mly8IbgTKaNZaJbCDAb080scV", false },
	{ "rcdi's prefix", "sha256-5U3Z2edmZj2Z81pbo9mly8IbgTKaNZaJbCDAb080scU", false },
	{ "20 octets", "AAECAwQFBgcICQoLDA0ODxAREhM", false },
	{ "nothing", "", false },
};

static void
form(void **state)
{
	const struct form_case *c = *state;

	assert_int_equal(privacy_is_digest(c->text), c->good);
}

/* ---- salts ---------------------------------------------------------------------------- */

static struct salts_case {
	const char *name, *text, *reason;
	size_t len;
} salts_cases[] = {
	{ "one", S " vper/name\n", NULL, 1 },
	{ "without the last line feed", S " vper/name", NULL, 1 },
	{ "comments and empty lines", "# made by hand\n\n" S " vper/name\n\n", NULL, 1 },
	{ "two", S " vper/name\n" S " vper/id\n", NULL, 2 },
	{ "none", "", NULL, 0 },
	{ "V-55 128 bits", "AAECAwQFBgcICQoLDA0ODw a\n", NULL, 1 },
	{ "V-55 120 bits", "AAECAwQFBgcICQoLDA0O a\n", "salts_length", 0 },
	{ "65 octets",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    "AA"
	    "AAA a\n",
	    "salts_length", 0 },
	{ "far too long",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    "AA"
	    "AAAAAAAAAAAA a\n",
	    "salts_base64", 0 },
	{ "no path (V-60)", S "\n", "salts_line", 0 },
	{ "an empty path", S " \n", "salts_path", 0 },
	{ "a pointer alone", S " /name\n", "salts_path", 0 },
	{ "a path with its mode", S " vper/name#commit-sha-256\n", "salts_path", 0 },
	{ "a carriage return", S " vper/name\r\n", "salts_path", 0 },
	{ "the path first", "vper/name " S "\n", "salts_base64", 0 },
	{ "padded", S "= vper/name\n", "salts_base64", 0 },
	{ "blank in front", " " S " vper/name\n", "salts_length", 0 },
	{ "one path twice", S " a\n" S " a\n", "salts_twice", 0 },
};

static void
salts(void **state)
{
	const struct salts_case *c = *state;
	AUTO(salts) *s = NULL;
	struct fault f = { 0 };
	enum rc rc = salts_read(span_str(c->text), &s, &f);

	if (c->reason == NULL) {
		assert_int_equal(rc, RC_OK);
		assert_int_equal(salts_len(s), c->len);
		return;
	}
	assert_int_equal(rc, RC_INVALID);
	assert_string_equal(f.reason, c->reason);
	assert_null(s);
	assert_null(strstr(f.detail, "AAEC")); /* V-60: nothing of a salt in an error */
}

static void
salts_are_found_by_path(void **state)
{
	AUTO(salts) *s = NULL;

	(void)state;
	assert_int_equal(salts_read(span_str(S " vper/name\n"), &s, NULL), RC_OK);
	assert_true(span_eq(salts_find(s, span_str("vper/name")), salt_s()));
	assert_int_equal(salts_find(s, span_str("vper/nam")).len, 0);
	assert_int_equal(salts_find(s, span_str("vper/name/")).len, 0);
	assert_int_equal(salts_find(NULL, span_str("vper/name")).len, 0);
	assert_int_equal(salts_len(NULL), 0);
}

static void
salts_go_round(void **state)
{
	AUTO_BUF text = BUF_INIT(1024);
	AUTO(salts) *s = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(salts_put(&text, span_str("vper/id"), salt_s(), NULL), RC_OK);
	assert_int_equal(salts_put(&text, span_str("a b"), salt_s(), NULL), RC_OK);
	assert_int_equal(salts_read(buf_view(&text), &s, NULL), RC_OK);
	assert_true(span_eq(salts_find(s, span_str("a b")), salt_s()));
	assert_int_equal(salts_put(&text, span_str("a#b"), salt_s(), &f), RC_INVALID);
	assert_int_equal(
	    salts_put(&text, span_str("a"), span_of(salt_s().ptr, 15), NULL), RC_INVALID);
}

static void
salts_are_bounded(void **state)
{
	AUTO_BUF text = BUF_INIT(PRIVACY_MAX_FILE + 1);
	AUTO(salts) *s = NULL;
	struct fault f = { 0 };

	(void)state;
	for (int i = 0; i <= PRIVACY_MAX_SALTS; i++)
		buf_printf(&text, S " claim%d\n", i);
	assert_int_equal(salts_read(buf_view(&text), &s, &f), RC_INVALID);
	assert_string_equal(f.reason, "salts_limit");
	buf_clear(&text);
	memset(buf_room(&text, PRIVACY_MAX_FILE + 1), '\n', PRIVACY_MAX_FILE + 1);
	buf_grew(&text, PRIVACY_MAX_FILE + 1);
	assert_int_equal(salts_read(buf_view(&text), &s, NULL), RC_INVALID);
}

static bool
takes(struct span text)
{
	AUTO(salts) *s = NULL;

	return salts_read(text, &s, NULL) == RC_OK && salts_len(s) == 2;
}

static void
mutations(void **state)
{
	static const char text[] = S " vper/name\n" S " vper/id";

	(void)state;
	assert_true(takes(span_str(text)));
	for (size_t n = 0; n < sizeof S + sizeof " vper/name"; n++)
		assert_false(takes(span_of(text, n)));
	(void)survives_bit_flips(takes, span_str(text));
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(name_cases) + ARRAY_LEN(digest_cases) +
				ARRAY_LEN(form_cases) + ARRAY_LEN(salts_cases) + 5];
	size_t n = 0;

	ROWS(tests, n, name_cases, name);
	ROWS(tests, n, digest_cases, digest);
	ROWS(tests, n, form_cases, form);
	ROWS(tests, n, salts_cases, salts);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(digest_of_a_salt);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(salts_are_found_by_path);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(salts_go_round);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(salts_are_bounded);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(mutations);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
