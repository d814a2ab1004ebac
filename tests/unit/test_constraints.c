/* constraints: RFC 8226 section 8, RFC 9118, D-07 to D-13 */
#include "stir/constraints.h"

#include <time.h>

#include "stir/der.h"
#include "tests/unit/mutate.h"
#include "tests/unit/spec.h"

/* RFC 9118 section 5, figure 2: confidence demanded and one of two values, priority excluded. */
#define RFC9118 \
	"3040a00e300c160a636f6e666964656e6365a120301e301c160a636f6e666964656e6365300e0c046869" \
	"6768" \
	"0c066d656469756da20c300a16087072696f72697479"

/* pyasn1-modules, tests/test_rfc8226.py: foo demanded, values of foo and bar */
#define PYASN1 \
	"303da007300516 03666f6f a1323030 3019 1603666f6f 3012 0c04666f6f31 0c04666f6f32 " \
	"0c04666f6f33 3013 1603626172 300c 0c0462617231 0c0462617232"

/* ---- decoding ------------------------------------------------------------------------- */

static struct decode_case {
	const char *name, *hex;
	enum constraints_form form;
	const char *reason;
} decode_cases[] = {
	{ "published enhanced", RFC9118, CONSTRAINTS_ENHANCED, NULL },
	{ "published jwt", PYASN1, CONSTRAINTS_JWT, NULL },
	{ "jwt form read as enhanced", PYASN1, CONSTRAINTS_ENHANCED, NULL },
	{ "an empty value", "300e a10c 300a 3008 160161 3003 0c01 78", CONSTRAINTS_JWT, NULL },
	{ "enhanced form read as jwt", RFC9118, CONSTRAINTS_JWT, "constraints_tag" },
	{ "no member", "3000", CONSTRAINTS_ENHANCED, "constraints_empty" },
	{ "nothing", "", CONSTRAINTS_ENHANCED, "der_tag" },
	{ "no sequence", "3100", CONSTRAINTS_ENHANCED, "der_tag" },
	{ "behind it", "3007a0053003160161 00", CONSTRAINTS_JWT, "der_trailing" },
	{ "implicit tag (RFC 8226 s8)", "3005 a003 160161", CONSTRAINTS_JWT,
	    "constraints_tag" },
	{ "implicit primitive tag", "3005 8003 160161", CONSTRAINTS_JWT, "constraints_tag" },
	{ "member 3", "3007 a305 3003 160161", CONSTRAINTS_ENHANCED, "constraints_tag" },
	{ "a member twice", "300e a0053003160161 a0053003160162", CONSTRAINTS_JWT,
	    "constraints_tag" },
	{ "members out of order", "300e a2053003160161 a0053003160162", CONSTRAINTS_ENHANCED,
	    "constraints_tag" },
	{ "empty mustInclude", "3004 a002 3000", CONSTRAINTS_JWT, "constraints_empty" },
	{ "empty permittedValues", "3004 a102 3000", CONSTRAINTS_JWT, "constraints_empty" },
	{ "a claim without values", "300b a109 3007 3005 160161 3000", CONSTRAINTS_JWT,
	    "constraints_empty" },
	{ "empty mustExclude", "3004 a202 3000", CONSTRAINTS_ENHANCED, "constraints_empty" },
	{ "behind the list", "3009 a007 3003160161 0500", CONSTRAINTS_JWT, "der_trailing" },
	{ "empty name", "3006 a004 3002 1600", CONSTRAINTS_JWT, "constraints_name" },
	{ "name not ASCII (RFC 9118 s3)", "3007 a005 3003 1601e9", CONSTRAINTS_JWT,
	    "constraints_name" },
	{ "name with NUL", "3008 a006 3004 16026100", CONSTRAINTS_JWT, "constraints_name" },
	{ "name with a line break", "3007 a005 3003 16010a", CONSTRAINTS_JWT,
	    "constraints_name" },
	{ "name as UTF8String", "3007 a005 3003 0c0161", CONSTRAINTS_JWT, "der_tag" },
	{ "value as IA5String", "300e a10c 300a 3008 160161 3003 160178", CONSTRAINTS_JWT,
	    "der_tag" },
	{ "value not UTF-8", "300e a10c 300a 3008 160161 3003 0c01ff", CONSTRAINTS_JWT,
	    "constraints_value" },
	{ "value overlong UTF-8", "300f a10d 300b 3009 160161 3004 0c02c0af", CONSTRAINTS_JWT,
	    "constraints_value" },
	{ "value with NUL", "300e a10c 300a 3008 160161 3003 0c0100", CONSTRAINTS_JWT,
	    "constraints_value" },
	{ "behind the values", "3010 a10e 300c 300a 160161 30030c0178 0500", CONSTRAINTS_JWT,
	    "der_trailing" },
	{ "long-form length", "308107a0053003160161", CONSTRAINTS_JWT, "der_length" },
};

static struct constraints *
decode_hex(const char *hex, enum constraints_form form)
{
	struct constraints *c = NULL;
	uint8_t room[512];

	assert_int_equal(
	    constraints_decode(unhex(hex, room, sizeof room), form, &c, NULL), RC_OK);
	return c;
}

static void
decode(void **state)
{
	const struct decode_case *c = *state;
	AUTO(constraints) *got = NULL;
	AUTO_BUF again = BUF_INIT(1024);
	uint8_t room[512];
	struct span der = unhex(c->hex, room, sizeof room);
	struct fault f = { 0 };
	enum rc rc = constraints_decode(der, c->form, &got, &f);

	if (c->reason == NULL) {
		assert_int_equal(rc, RC_OK);
		assert_int_equal(constraints_encode(&again, got, &f), RC_OK);
		assert_true(span_eq(buf_view(&again), der));
		return;
	}
	assert_int_equal(rc, RC_INVALID);
	assert_string_equal(f.reason, c->reason);
	assert_null(got);
}

static void
published_contents(void **state)
{
	AUTO(constraints) *c = decode_hex(RFC9118, CONSTRAINTS_ENHANCED);

	(void)state;
	assert_int_equal(c->must_includes, 1);
	assert_string_equal(c->must_include[0], "confidence");
	assert_int_equal(c->permitteds, 1);
	assert_string_equal(c->permitted[0].claim, "confidence");
	assert_int_equal(c->permitted[0].values, 2);
	assert_string_equal(c->permitted[0].value[0], "high");
	assert_string_equal(c->permitted[0].value[1], "medium");
	assert_int_equal(c->must_excludes, 1);
	assert_string_equal(c->must_exclude[0], "priority");
}

static bool
takes(struct span der)
{
	AUTO(constraints) *c = NULL;

	return constraints_decode(der, CONSTRAINTS_ENHANCED, &c, NULL) == RC_OK;
}

static void
mutations(void **state)
{
	uint8_t room[512];
	struct span der = unhex(RFC9118, room, sizeof room);

	(void)state;
	no_prefix_is_taken(takes, der);
	assert_true(survives_bit_flips(takes, der) < der.len * 8);
}

static void
limits(void **state)
{
	static const uint8_t name[] = { 0x16, 0x01, 'a' };
	AUTO_BUF seq = BUF_INIT(8192), tagged = BUF_INIT(8192), der = BUF_INIT(8192);
	AUTO(constraints) *c = NULL;
	struct fault f = { 0 };

	(void)state;
	for (int i = 0; i <= CONSTRAINTS_MAX_CLAIMS; i++)
		buf_put(&seq, name, sizeof name);
	der_put(&tagged, DER_SEQUENCE, buf_view(&seq));
	buf_clear(&seq);
	der_put(&seq, DER_CONTEXT(0), buf_view(&tagged));
	der_put(&der, DER_SEQUENCE, buf_view(&seq));
	assert_int_equal(
	    constraints_decode(buf_view(&der), CONSTRAINTS_JWT, &c, &f), RC_INVALID);
	assert_string_equal(f.reason, "constraints_limit");
}

static void
encode_refuses(void **state)
{
	char name[] = "a", empty[] = "", bad[] = "\xff";
	char *names[] = { name }, *empties[] = { empty }, *bads[] = { bad };
	struct permitted value = { name, bads, 1 }, none = { name, names, 0 };
	const struct constraints list[] = {
		{ .form = CONSTRAINTS_JWT },
		{ .form = CONSTRAINTS_JWT, .must_exclude = names, .must_excludes = 1 },
		{ .form = CONSTRAINTS_JWT, .must_include = empties, .must_includes = 1 },
		{ .form = CONSTRAINTS_JWT, .permitted = &value, .permitteds = 1 },
		{ .form = CONSTRAINTS_JWT, .permitted = &none, .permitteds = 1 },
	};
	static const char *const reason[] = { "constraints_empty", "constraints_tag",
		"constraints_name", "constraints_value", "constraints_empty" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		AUTO_BUF out = BUF_INIT(1024);
		struct fault f = { 0 };

		assert_int_equal(constraints_encode(&out, &list[i], &f), RC_INVALID);
		assert_string_equal(f.reason, reason[i]);
	}
}

/* SHA-256 in unpadded base64, made with Python's hashlib; S is the octets 0 to 31. */
#define H_ACME	"5U3Z2edmZj2Z81pbo9mly8IbgTKaNZaJbCDAb080scU" /* of "ACME" with its quotes */
#define H_BARE	"qDCOji5LczB9hg3i7/3GdfoSL2TCCV55dNjvgEudO3A" /* of ACME without */
#define H_OBJ	"CFW/wg62z6pL59a1EMY90imXcYvdrcsaSRXOw6FhRbk" /* of {"a":1,"b":[2]} */
#define C_ACME	"YrpXe5ipbgni7cdSVK0kAHkRsSgBg2iYsETMMxJeSIg" /* of S and "ACME" */
#define C_AFTER "2Ci+/vriLJ19JsJ2sqhcjyQPCEM/wOYA+CIhY+H/arM" /* of "ACME" and S */
#define H_S	"Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0"
#define H_OTHER "hBJtDdhQGZvikCGq267mjLkZkEexy37JiU3bHjVieDw" /* of another salt */
#define SALTS \
	"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 vper/name\n" \
	"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 pid\n"

#define COMMIT	       "['vper/name#commit-sha-256','" C_ACME "']"
#define SALTED(digest) "['vper/name#salt-sha-256','" digest "']"
#define NAMED	       "'vper':{'name':'ACME'}"

#define ASSERT \
	{ \
		.assert_committed = true \
	}
#define WITHOUT_SALT \
	{ \
		.assert_committed = true, .commit_without_salt = true \
	}
#define STRICT \
	{ \
		.rfc8226_strict_permitted = true \
	}
#define NORMALISE \
	{ \
		.normalise_permitted = true \
	}
#define QUOTED \
	{ \
		.accept_quoted_permitted = true \
	}

#define DEEP "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]" /* 17 */

/* ---- activation ------------------------------------------------------------------------- */

static struct check_case {
	const char *name, *spec;
	struct constraints_policy policy;
	bool good;
} check_cases[] = {
	{ "plain", "{'i':['rcd'],'p':[['attest','A','B']],'x':['crn']}", { 0 }, true },
	{ "base claims demanded",
	    "{'i':['orig','iat'],'p':[['dest','{\\\"tn\\\":[\\\"1\\\"]}']]}", { 0 }, true },
	{ "orig excluded", "{'x':['orig']}", { 0 }, false },
	{ "dest excluded", "{'x':['a','dest']}", { 0 }, false },
	{ "iat excluded (D-09)", "{'x':['iat']}", { 0 }, false },
	{ "demanded and excluded (RFC 9118 s8)", "{'i':['a','b'],'x':['b']}", { 0 }, false },
	{ "permitted and excluded", "{'p':[['a','1']],'x':['a']}", { 0 }, true },
	{ "twice with something in common", "{'p':[['a','1','2'],['a','2','3']]}", { 0 },
	    true },
	{ "twice with nothing in common (D-11)", "{'p':[['a','1','2'],['a','3']]}", { 0 },
	    false },
	{ "three times, pairwise only", "{'p':[['a','1','2'],['a','2','3'],['a','1','3']]}",
	    { 0 }, false },
	{ "twice, equal after normalising", "{'p':[['a','[1, 2]'],['a','[1,2]']]}", NORMALISE,
	    true },
	{ "object in form", "{'p':[['a','{\\\"b\\\":1,\\\"c\\\":2}']]}", { 0 }, true },
	{ "object out of order (D-12)", "{'p':[['a','{\\\"c\\\":1,\\\"b\\\":2}']]}", { 0 },
	    false },
	{ "object with blanks", "{'p':[['a','{\\\"b\\\": 1}']]}", { 0 }, false },
	{ "array with blanks", "{'p':[['a','[1, 2]']]}", { 0 }, false },
	{ "blank before an object", "{'p':[['a',' {}']]}", { 0 }, false },
	{ "array with blanks, normalised", "{'p':[['a','[1, 2]']]}", NORMALISE, true },
	{ "float, never in form", "{'p':[['a','{\\\"b\\\":1.5}']]}", { 0 }, false },
	{ "doubled member, normalised", "{'p':[['a','{\\\"b\\\":1,\\\"b\\\":1}']]}", NORMALISE,
	    false },
	/* What jansson cannot read is JSON to others (D-12, RFC 8259). */
	{ "D-12 a number beyond a double", "{'p':[['a','[1e999]']]}", { 0 }, false },
	{ "D-12 a number beyond a double, normalised", "{'p':[['a','[1e999]']]}", NORMALISE,
	    false },
	{ "D-12 a number beyond 64 bits", "{'p':[['a','[99999999999999999999]']]}", { 0 },
	    false },
	{ "D-12 U+0000", "{'p':[['a','[\\\"\\\\u0000\\\"]']]}", { 0 }, false },
	{ "D-12 U+0000 in a name", "{'p':[['a','{\\\"\\\\u0000\\\":1}']]}", { 0 }, false },
	{ "D-12 half a surrogate pair", "{'p':[['a','[\\\"\\\\ud800\\\"]']]}", { 0 }, false },
	{ "D-12 deeper than a claim", "{'p':[['a','" DEEP "']]}", { 0 }, false },
	{ "D-12 its characters, where no bracket begins it",
	    "{'p':[['a','1e999','-0','\\\"\\\\ud800\\\"']]}", { 0 }, true },
	{ "no JSON at all", "{'p':[['a','{not json','[']]}", { 0 }, true },
	{ "pointer", "{'p':[['vper/name','x']]}", { 0 }, true },
	{ "escaped pointer", "{'p':[['a/b~1c~0d','x']]}", { 0 }, true },
	{ "pointer with a bare tilde", "{'p':[['a/b~c','x']]}", { 0 }, false },
	{ "pointer with a last tilde", "{'p':[['a/b~','x']]}", { 0 }, false },
	{ "pointer without a claim", "{'p':[['/b','x']]}", { 0 }, false },
	{ "pointer demanded (D-13)", "{'i':['vper/name']}", { 0 }, false },
	{ "pointer excluded", "{'x':['vper/name']}", { 0 }, false },
	{ "D-14 hash mode", "{'p':[['vper/name#sha-256','" H_ACME "']]}", { 0 }, true },
	{ "D-14 hash mode, two values",
	    "{'p':[['vper/name#sha-256','" H_ACME "','" H_OBJ "']]}", { 0 }, true },
	{ "D-14 hash mode of a whole claim", "{'p':[['vper#sha-256','" H_ACME "']]}", { 0 },
	    true },
	{ "D-14 value is no digest", "{'p':[['vper/name#sha-256','x']]}", { 0 }, false },
	{ "D-14 second value is no digest", "{'p':[['vper/name#sha-256','" H_ACME "','x']]}",
	    { 0 }, false },
	{ "D-14 padded digest", "{'p':[['vper/name#sha-256','" H_ACME "=']]}", { 0 }, false },
	{ "D-14 digest with rcdi's prefix", "{'p':[['vper/name#sha-256','sha256-" H_ACME "']]}",
	    { 0 }, false },
	{ "D-15 commit mode", "{'p':[" COMMIT "]}", { 0 }, true },
	{ "D-15 commit mode with its salt",
	    "{'p':[" COMMIT ",['vper/name#salt-sha-256','" H_S "']]}", { 0 }, true },
	{ "D-15 the salt first", "{'p':[['vper/name#salt-sha-256','" H_S "']," COMMIT "]}",
	    { 0 }, true },
	{ "D-15 a salt without a commitment", "{'p':[['vper/name#salt-sha-256','" H_S "']]}",
	    { 0 }, false },
	{ "D-15 a salt of another path",
	    "{'p':[" COMMIT ",['vper/id#salt-sha-256','" H_S "']]}", { 0 }, false },
	{ "D-15 two commitments",
	    "{'p':[['vper/name#commit-sha-256','" C_ACME "','" C_AFTER "']]}", { 0 }, false },
	{ "D-15 two entries, two commitments",
	    "{'p':[" COMMIT ",['vper/name#commit-sha-256','" C_AFTER "']]}", { 0 }, false },
	{ "D-15 commitment is no digest", "{'p':[['vper/name#commit-sha-256','x']]}", { 0 },
	    false },
	{ "D-15 salt's digest is none",
	    "{'p':[" COMMIT ",['vper/name#salt-sha-256','" H_S "=']]}", { 0 }, false },
	{ "V-63 another hash", "{'p':[['vper/name#sha-512','" H_ACME "']]}", { 0 }, false },
	{ "V-53 value and hash", "{'p':[['a/b','x'],['a/b#sha-256','" H_ACME "']]}", { 0 },
	    false },
	{ "V-53 hash and commit", "{'p':[['vper/name#sha-256','" H_ACME "']," COMMIT "]}",
	    { 0 }, false },
	{ "V-53 value and commit, whole", "{'p':[['a','x'],['a#commit-sha-256','" C_ACME "']]}",
	    { 0 }, false },
	{ "V-53 value and salt", "{'p':[['a','x'],['a#salt-sha-256','" H_S "']]}", { 0 },
	    false },
	{ "V-52 a mode for each path",
	    "{'p':[['vper/domain','a.b'],['vper/id#sha-256','" H_ACME "']," COMMIT "]}", { 0 },
	    true },
	{ "hash of a pointer without a claim", "{'p':[['/a#sha-256','" H_ACME "']]}", { 0 },
	    false },
	{ "hash of no name", "{'p':[['#sha-256','" H_ACME "']]}", { 0 }, false },
	{ "hash of a malformed pointer", "{'p':[['a/b~#sha-256','" H_ACME "']]}", { 0 },
	    false },
	{ "D-13 mode demanded", "{'i':['vper#sha-256']}", { 0 }, false },
	{ "D-13 mode excluded", "{'x':['vper#sha-256']}", { 0 }, false },
	{ "D-15 demanded, only committed",
	    "{'i':['a'],'p':[['a#commit-sha-256','" C_ACME "']]}", { 0 }, false },
	{ "D-15 demanded, committed and asserted",
	    "{'i':['a'],'p':[['a#commit-sha-256','" C_ACME "']]}", ASSERT, true },
	{ "D-15 vper demanded, a member of every vper committed (RFC 9118 s8)",
	    "{'i':['vper'],'p':[" COMMIT "]}", { 0 }, false },
	{ "D-15 vper demanded, its name asserted", "{'i':['vper'],'p':[" COMMIT "]}", ASSERT,
	    true },
	{ "D-15 demanded, a part committed",
	    "{'i':['a'],'p':[['a/b#commit-sha-256','" C_ACME "']]}", { 0 }, true },
	{ "D-15 orig committed, which each PASSporT has",
	    "{'p':[['orig#commit-sha-256','" C_ACME "']]}", { 0 }, false },
	{ "D-15 dest committed", "{'p':[['dest#commit-sha-256','" C_ACME "']]}", { 0 }, false },
	{ "D-15 iat committed", "{'p':[['iat#commit-sha-256','" C_ACME "']]}", { 0 }, false },
	{ "D-15 iat committed, not alone",
	    "{'i':['a'],'p':[['a','1'],['iat#commit-sha-256','" C_ACME "']]}", { 0 }, false },
	{ "D-15 iat committed and asserted", "{'p':[['iat#commit-sha-256','" C_ACME "']]}",
	    ASSERT, true },
	{ "D-14 iat hashed", "{'p':[['iat#sha-256','" H_ACME "']]}", { 0 }, true },
	{ "D-15 the number of orig committed",
	    "{'p':[['orig/tn#commit-sha-256','" C_ACME "']]}", { 0 }, false },
	{ "D-26 the number of orig committed, and orig may be a URI",
	    "{'p':[['orig/tn#commit-sha-256','" C_ACME "']]}", { .orig_uri = true }, true },
	{ "D-26 number and URI of orig committed",
	    "{'p':[['orig/tn#commit-sha-256','" C_ACME "'],['orig/uri#commit-sha-256','" C_ACME
	    "']]}",
	    { .orig_uri = true }, false },
	{ "D-15 orig committed, and it may be a URI",
	    "{'p':[['orig#commit-sha-256','" C_ACME "']]}", { .orig_uri = true }, false },
	{ "D-15 a URI of orig committed", "{'p':[['orig/uri#commit-sha-256','" C_ACME "']]}",
	    { 0 }, true },
	{ "D-15 the numbers of dest committed: it may be a URI",
	    "{'p':[['dest/tn#commit-sha-256','" C_ACME "']]}", { 0 }, true },
	{ "D-15 numbers and URIs of dest committed",
	    "{'p':[['dest/uri#commit-sha-256','" C_ACME "'],['dest/tn#commit-sha-256','" C_ACME
	    "']]}",
	    { 0 }, false },
	{ "D-15 first number and first URI of dest committed",
	    "{'p':[['dest/tn/0#commit-sha-256','" C_ACME
	    "'],['dest/uri/0#commit-sha-256','" C_ACME "']]}",
	    { 0 }, false },
	{ "D-15 second number and first URI of dest committed",
	    "{'p':[['dest/tn/1#commit-sha-256','" C_ACME
	    "'],['dest/uri/0#commit-sha-256','" C_ACME "']]}",
	    { 0 }, true },
	{ "RFC 9118 s8 orig and its number agree",
	    "{'p':[['orig','{\\\"tn\\\":\\\"911\\\"}'],['orig/tn','911']]}", { 0 }, true },
	{ "RFC 9118 s8 orig and its number contradict",
	    "{'p':[['orig','{\\\"tn\\\":\\\"911\\\"}'],['orig/tn','912']]}", { 0 }, false },
	{ "RFC 9118 s8 the number of orig", "{'p':[['orig/tn','911','12025550100']]}", { 0 },
	    true },
	{ "RFC 9118 s8 the number of orig, not canonical", "{'p':[['orig/tn','+12025550100']]}",
	    { 0 }, false },
	{ "RFC 9118 s8 the number of orig, one of two canonical",
	    "{'p':[['orig/tn','+12025550100','12025550100']]}", { 0 }, true },
	{ "RFC 9118 s8 the number of orig, one of two, and orig may be a URI",
	    "{'p':[['orig/tn','+1']]}", { .orig_uri = true }, false },
	{ "RFC 9118 s8 the number of orig twice, what is common is none",
	    "{'p':[['orig/tn','+1','2'],['orig/tn','+1','3']]}", { 0 }, false },
	{ "RFC 9118 s8 the number of orig an array", "{'p':[['orig/tn','[\\\"911\\\"]']]}",
	    { 0 }, false },
	{ "RFC 9118 s8 the number of orig quoted", "{'p':[['orig/tn','\\\"911\\\"']]}", { 0 },
	    false },
	{ "RFC 9118 s8 the number of orig quoted, which is accepted (D-12)",
	    "{'p':[['orig/tn','\\\"911\\\"']]}", QUOTED, true },
	{ "RFC 9118 s8 the number of orig hashed", "{'p':[['orig/tn#sha-256','" H_ACME "']]}",
	    { 0 }, true },
	{ "RFC 9118 s8 a URI of orig", "{'p':[['orig/uri','sip:bob@a.example']]}", { 0 },
	    true },
	{ "RFC 9118 s8 a URI of orig that is a number",
	    "{'p':[['orig/uri','sip:911@a.example']]}", { .orig_uri = true }, false },
	{ "RFC 9118 s8 a part that no orig has", "{'p':[['orig/name','ACME']]}", { 0 }, false },
	{ "RFC 9118 s8 a part that no orig has, hashed",
	    "{'p':[['orig/name#sha-256','" H_ACME "']]}", { 0 }, false },
	{ "RFC 9118 s8 below the number of orig", "{'p':[['orig/tn/0','911']]}", { 0 }, false },
	{ "RFC 9118 s8 the member '' of orig", "{'p':[['orig/','911']]}", { 0 }, false },
	{ "RFC 9118 s8 a longer name than tn", "{'p':[['orig/tnx','911']]}", { 0 }, false },
	{ "RFC 9118 s8 a part of iat", "{'p':[['iat/0','1']]}", { 0 }, false },
	{ "RFC 9118 s8 the numbers of dest", "{'p':[['dest/tn','[\\\"1\\\",\\\"2\\\"]']]}",
	    { 0 }, true },
	{ "RFC 9118 s8 the numbers of dest, not sorted",
	    "{'p':[['dest/tn','[\\\"2\\\",\\\"1\\\"]']]}", { 0 }, false },
	{ "RFC 9118 s8 the numbers of dest, none", "{'p':[['dest/tn','[]']]}", { 0 }, false },
	{ "RFC 9118 s8 the numbers of dest as a number", "{'p':[['dest/tn','911']]}", { 0 },
	    false },
	{ "RFC 9118 s8 a number of dest", "{'p':[['dest/tn/0','911'],['dest/tn/15','911']]}",
	    { 0 }, true },
	{ "RFC 9118 s8 a number of dest, not canonical", "{'p':[['dest/tn/1','91-1']]}", { 0 },
	    false },
	{ "RFC 9118 s8 the seventeenth number of dest (D-25)", "{'p':[['dest/tn/16','911']]}",
	    { 0 }, false },
	{ "RFC 6901 s4 an index with a zero before it", "{'p':[['dest/tn/01','911']]}", { 0 },
	    false },
	{ "RFC 6901 s4 behind the last number of dest", "{'p':[['dest/tn/-','911']]}", { 0 },
	    false },
	{ "RFC 9118 s8 below a number of dest", "{'p':[['dest/tn/0/0','911']]}", { 0 }, false },
	{ "RFC 9118 s8 dest as an array", "{'p':[['dest/0','911']]}", { 0 }, false },
	{ "RFC 9118 s8 the numbers of dest and the first agree",
	    "{'p':[['dest/tn','[\\\"1\\\"]'],['dest/tn/0','1']]}", { 0 }, true },
	{ "RFC 9118 s8 the numbers of dest and the first contradict",
	    "{'p':[['dest/tn','[\\\"1\\\"]'],['dest/tn/0','2']]}", { 0 }, false },
	{ "RFC 9118 s8 a URI of dest", "{'p':[['dest/uri/0','sip:bob@a.example']]}", { 0 },
	    true },
	{ "RFC 9118 s8 a URI of dest, not in normal form",
	    "{'p':[['dest/uri/0','SIP:bob@a.example']]}", { 0 }, false },
	{ "RFC 9118 s8 iat twice, what is common is none",
	    "{'p':[['iat','now','1'],['iat','now','2']]}", { 0 }, false },
	{ "RFC 8259 s6 NaN is no JSON: a string", "{'p':[['a','[NaN]','[-Infinity]']]}", { 0 },
	    true },
	{ "RFC 9118 s8 a demanded value and its part agree",
	    "{'i':['a'],'p':[['a','{\\\"b\\\":\\\"x\\\"}'],['a/b','x','y']]}", { 0 }, true },
	{ "RFC 9118 s8 a demanded value and its part contradict",
	    "{'i':['a'],'p':[['a','{\\\"b\\\":\\\"x\\\"}'],['a/b','y']]}", { 0 }, false },
	{ "RFC 9118 s8 one of two values fits",
	    "{'i':['a'],'p':[['a','{\\\"b\\\":1}','{\\\"b\\\":2}'],['a/b','2']]}", { 0 },
	    true },
	{ "RFC 9118 s8 not demanded, so it can be left out",
	    "{'p':[['a','{\\\"b\\\":\\\"x\\\"}'],['a/b','y']]}", { 0 }, true },
	{ "RFC 9118 s8 a demanded value and a part's hash contradict",
	    "{'i':['a'],'p':[['a','{\\\"b\\\":\\\"x\\\"}'],['a/b#sha-256','" H_ACME "']]}",
	    { 0 }, false },
	{ "RFC 9118 s8 attest demanded, with values that it has not",
	    "{'i':['attest'],'p':[['attest','D','a','\\\"A\\\"']]}", { 0 }, false },
	{ "RFC 9118 s8 attest demanded, one that it has",
	    "{'i':['attest'],'p':[['attest','D','A']]}", { 0 }, true },
	{ "RFC 9118 s8 attest with such values, but not demanded", "{'p':[['attest','D']]}",
	    { 0 }, true },
	{ "RFC 9118 s8 attest demanded, quoted, which is accepted (D-12)",
	    "{'i':['attest'],'p':[['attest','\\\"A\\\"']]}", QUOTED, true },
	{ "RFC 9118 s8 msgi demanded, no digest", "{'i':['msgi'],'p':[['msgi','x']]}", { 0 },
	    false },
	{ "RFC 9118 s8 rph demanded, no object", "{'i':['rph'],'p':[['rph','ets.0']]}", { 0 },
	    false },
	{ "RFC 9118 s8 a claim of nobody's form", "{'i':['a'],'p':[['a','x']]}", { 0 }, true },
	{ "RFC 9118 s8 orig as a bare number", "{'p':[['orig','12025550100']]}", { 0 }, false },
	{ "RFC 9118 s8 orig not canonical",
	    "{'p':[['orig','{\\\"tn\\\":\\\"+12025550100\\\"}']]}", { 0 }, false },
	{ "RFC 9118 s8 one orig of two is canonical",
	    "{'p':[['orig','{\\\"tn\\\":\\\"+1\\\"}','{\\\"tn\\\":\\\"1\\\"}']]}", { 0 },
	    true },
	{ "RFC 9118 s8 orig a URI, which is not configured (D-26)",
	    "{'p':[['orig','{\\\"uri\\\":\\\"sip:bob@a.example\\\"}']]}", { 0 }, false },
	{ "RFC 9118 s8 orig a URI, which is",
	    "{'p':[['orig','{\\\"uri\\\":\\\"sip:bob@a.example\\\"}']]}", { .orig_uri = true },
	    true },
	{ "RFC 9118 s8 dest not sorted",
	    "{'p':[['dest','{\\\"tn\\\":[\\\"2\\\",\\\"1\\\"]}']]}", { 0 }, false },
	{ "RFC 9118 s8 dest without an array", "{'p':[['dest','{\\\"tn\\\":\\\"1\\\"}']]}",
	    { 0 }, false },
	{ "RFC 9118 s8 iat as a word", "{'p':[['iat','now']]}", { 0 }, false },
	{ "RFC 9118 s8 iat a moment", "{'p':[['iat','1800000000']]}", { 0 }, true },
	{ "D-15 a demanded value with a committed part",
	    "{'i':['a'],'p':[['a','{\\\"b\\\":\\\"ACME\\\"}'],['a/b#commit-sha-256','" C_ACME
	    "']]}",
	    { 0 }, false },
};

static void
check(void **state)
{
	const struct check_case *c = *state;
	AUTO(constraints) *made = make(c->spec, CONSTRAINTS_ENHANCED);
	struct fault f = { 0 };
	enum rc rc = constraints_check(made, &c->policy, &f);

	assert_int_equal(rc, c->good ? RC_OK : RC_DENIED);
	if (!c->good)
		assert_string_equal(f.reason, "credential_unusable");
}

/* D-08: by that reading what is permitted is demanded, under the older form alone. */
static void
strictly_demanded(void **state)
{
	static const struct constraints_policy strict = { .rfc8226_strict_permitted = true };
	AUTO(constraints) *older = make("{'p':[['attest','D']]}", CONSTRAINTS_JWT);
	AUTO(constraints) *newer = make("{'p':[['attest','D']]}", CONSTRAINTS_ENHANCED);
	AUTO(constraints) *parts =
	    make("{'p':[['a/b','x'],['c#sha-256','" H_ACME "']]}", CONSTRAINTS_JWT);
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(constraints_check(older, &strict, &f), RC_DENIED);
	assert_string_equal(f.claim, "attest");
	assert_int_equal(
	    constraints_check(older, &(struct constraints_policy){ 0 }, NULL), RC_OK);
	assert_int_equal(constraints_check(newer, &strict, NULL), RC_OK);
	assert_int_equal(constraints_check(parts, &strict, NULL), RC_OK);
}

/* The same of orig, which is a number or a URI and never both. */
static void
strictly_one_of_two(void **state)
{
	static const struct {
		const char *spec;
		bool orig_uri, good;
	} rows[] = {
		{ "{'p':[['orig/tn','911']]}", false, true },
		{ "{'p':[['orig/uri','sip:b@a.example']]}", false, false },
		{ "{'p':[['orig/uri','sip:b@a.example']]}", true, true },
		{ "{'p':[['orig/uri#sha-256','" H_ACME "']]}", false, false },
		{ "{'p':[['orig/tn','911'],['orig/uri','sip:b@a.example']]}", true, false },
		{ "{'p':[['dest/tn/0','911'],['dest/uri/0','sip:b@a.example']]}", false, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(constraints) *older = make(rows[i].spec, CONSTRAINTS_JWT);
		AUTO(constraints) *newer = make(rows[i].spec, CONSTRAINTS_ENHANCED);
		const struct constraints_policy strict = { .rfc8226_strict_permitted = true,
			.orig_uri = rows[i].orig_uri };
		struct fault f = { 0 };

		assert_int_equal(constraints_check(newer, &strict, NULL), RC_OK);
		assert_int_equal(
		    constraints_check(older, &strict, &f), rows[i].good ? RC_OK : RC_DENIED);
		if (!rows[i].good)
			assert_string_equal(f.claim, "orig/uri");
	}
}

/* ---- decision --------------------------------------------------------------------------- */

static struct evaluate_case {
	const char *name, *spec, *claims;
	enum constraints_form form;
	struct constraints_policy policy;
	const char *reason, *claim;
} evaluate_cases[] = {
	{ "nothing said about it", "{'i':['a']}", "{'a':1,'b':2}", CONSTRAINTS_JWT, { 0 }, NULL,
	    NULL },
	{ "demanded and there, null", "{'i':['a']}", "{'a':null}", CONSTRAINTS_JWT, { 0 }, NULL,
	    NULL },
	{ "demanded and absent (RFC 8226 s8, RFC 9118 s3)", "{'i':['a']}", "{'b':1}",
	    CONSTRAINTS_JWT, { 0 }, "claim_missing_by_constraint", "a" },
	{ "msgi excluded: no messages (RFC 9475 s4)", "{'x':['msgi']}", "{'msgi':'sha256-x'}",
	    CONSTRAINTS_ENHANCED, { 0 }, "claim_excluded", "msgi" },
	{ "msgi demanded: messages alone (RFC 9475 s4)", "{'i':['msgi']}", "{'b':1}",
	    CONSTRAINTS_ENHANCED, { 0 }, "claim_missing_by_constraint", "msgi" },
	{ "excluded and absent", "{'x':['a']}", "{'b':1}", CONSTRAINTS_ENHANCED, { 0 }, NULL,
	    NULL },
	{ "excluded and there", "{'x':['a']}", "{'a':1}", CONSTRAINTS_ENHANCED, { 0 },
	    "claim_excluded", "a" },
	{ "excluded and null (RFC 9118 s3)", "{'x':['a']}", "{'a':null}", CONSTRAINTS_ENHANCED,
	    { 0 }, "claim_excluded", "a" },
	{ "exclusion comes first", "{'i':['b'],'p':[['c','1']],'x':['a']}", "{'a':1,'c':2}",
	    CONSTRAINTS_ENHANCED, { 0 }, "claim_excluded", "a" },
	{ "demand comes before values", "{'i':['b'],'p':[['c','1']]}", "{'c':2}",
	    CONSTRAINTS_JWT, { 0 }, "claim_missing_by_constraint", "b" },
	/* RFC 8226 s8 */
	{ "permitted", "{'p':[['attest','A','B']]}", "{'attest':'B'}", CONSTRAINTS_JWT, { 0 },
	    NULL, NULL },
	{ "not permitted (V-50)", "{'p':[['attest','A','B']]}", "{'attest':'C'}",
	    CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "attest" },
	{ "a part of a value (RFC 9118 s3, V-66)", "{'p':[['a','high']]}", "{'a':'hig'}",
	    CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "a" },
	{ "a value and more (RFC 9118 s3)", "{'p':[['a','high']]}", "{'a':'higher'}",
	    CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "a" },
	{ "another case", "{'p':[['a','high']]}", "{'a':'High'}", CONSTRAINTS_JWT, { 0 },
	    "value_not_permitted", "a" },
	{ "absent, jwt", "{'p':[['a','1']]}", "{}", CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "absent, enhanced (RFC 9118 s3)", "{'p':[['a','1']]}", "{}", CONSTRAINTS_ENHANCED,
	    STRICT, NULL, NULL },
	{ "absent, jwt, strict (RFC 8226 s8, D-08)", "{'p':[['a','1']]}", "{}", CONSTRAINTS_JWT,
	    STRICT, "claim_missing_by_constraint", "a" },
	{ "number (RFC 8226 s8)", "{'p':[['a','5']]}", "{'a':5}", CONSTRAINTS_JWT, { 0 }, NULL,
	    NULL },
	{ "number as a string", "{'p':[['a','5']]}", "{'a':'5'}", CONSTRAINTS_JWT, { 0 }, NULL,
	    NULL },
	{ "another number", "{'p':[['a','5']]}", "{'a':55}", CONSTRAINTS_JWT, { 0 },
	    "value_not_permitted", "a" },
	{ "true", "{'p':[['a','true']]}", "{'a':true}", CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "false is not true", "{'p':[['a','true']]}", "{'a':false}", CONSTRAINTS_JWT, { 0 },
	    "value_not_permitted", "a" },
	{ "null", "{'p':[['a','null']]}", "{'a':null}", CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "object (RFC 8226 s8)", "{'p':[['a','{\\\"b\\\":1,\\\"c\\\":[2]}']]}",
	    "{'a':{'c':[2],'b':1}}", CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "object with one member more", "{'p':[['a','{\\\"b\\\":1}']]}", "{'a':{'b':1,'c':2}}",
	    CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "a" },
	{ "array in another order", "{'p':[['a','[1,2]']]}", "{'a':[2,1]}", CONSTRAINTS_JWT,
	    { 0 }, "value_not_permitted", "a" },
	{ "text out of form", "{'p':[['a','[1, 2]']]}", "{'a':[1,2]}", CONSTRAINTS_JWT, { 0 },
	    "value_not_permitted", "a" },
	{ "text out of form, normalised", "{'p':[['a','[1, 2]']]}", "{'a':[1,2]}",
	    CONSTRAINTS_JWT, NORMALISE, NULL, NULL },
	{ "normalising is not for strings", "{'p':[['a','[1, 2]']]}", "{'a':'[1,2]'}",
	    CONSTRAINTS_JWT, NORMALISE, "value_not_permitted", "a" },
	{ "quoted text (D-12)", "{'p':[['a','\\\"x\\\"']]}", "{'a':'x'}", CONSTRAINTS_JWT,
	    { 0 }, "value_not_permitted", "a" },
	{ "quoted text, accepted", "{'p':[['a','\\\"x\\\"']]}", "{'a':'x'}", CONSTRAINTS_JWT,
	    QUOTED, NULL, NULL },
	{ "quoted text and a number", "{'p':[['a','\\\"5\\\"']]}", "{'a':5}", CONSTRAINTS_JWT,
	    QUOTED, "value_not_permitted", "a" },
	{ "duplicates intersect, inside", "{'p':[['a','1','2'],['a','2','3']]}", "{'a':2}",
	    CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "duplicates intersect, first only", "{'p':[['a','1','2'],['a','2','3']]}", "{'a':1}",
	    CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "a" },
	{ "duplicates intersect, second only", "{'p':[['a','1','2'],['a','2','3']]}", "{'a':3}",
	    CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "a" },
	{ "duplicates intersect, one spelling each, normalised",
	    "{'p':[['a','[1, 2]'],['a','[1,2]']]}", "{'a':[1,2]}", CONSTRAINTS_JWT, NORMALISE,
	    NULL, NULL },
	{ "duplicates intersect, one spelling each, not normalised",
	    "{'p':[['a','[1,2]'],['a','[1, 2]']]}", "{'a':[1,2]}", CONSTRAINTS_JWT, { 0 },
	    "value_not_permitted", "a" },
	{ "duplicates intersect, one of them quoted", "{'p':[['a','x'],['a','\\\"x\\\"']]}",
	    "{'a':'x'}", CONSTRAINTS_JWT, QUOTED, NULL, NULL },
	{ "duplicates intersect, one of them quoted, not accepted",
	    "{'p':[['a','x'],['a','\\\"x\\\"']]}", "{'a':'x'}", CONSTRAINTS_JWT, { 0 },
	    "value_not_permitted", "a" },
	{ "duplicates intersect, the third (D-11)",
	    "{'p':[['a','1','2'],['b','1'],['a','1','2'],['b','1'],['a','2']]}",
	    "{'a':1,'b':1}", CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "a" },
	{ "orig held to a number (D-10)", "{'p':[['orig','{\\\"tn\\\":\\\"911\\\"}']]}",
	    "{'orig':{'tn':'912'}}", CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "orig" },
	{ "pointer", "{'p':[['vper/name','ACME']]}", "{'vper':{'name':'ACME','id':'1'}}",
	    CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "pointer, another value", "{'p':[['vper/name','ACME']]}", "{'vper':{'name':'EVIL'}}",
	    CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "vper/name" },
	{ "pointer into an absent claim", "{'p':[['vper/name','ACME']]}", "{}", CONSTRAINTS_JWT,
	    { 0 }, NULL, NULL },
	{ "pointer into an absent claim, strict", "{'p':[['vper/name','ACME']]}", "{}",
	    CONSTRAINTS_JWT, STRICT, "claim_missing_by_constraint", "vper/name" },
	{ "pointer to an absent member", "{'p':[['vper/name','ACME']]}", "{'vper':{'id':'1'}}",
	    CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "pointer into a string", "{'p':[['vper/name','ACME']]}", "{'vper':'x'}",
	    CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "pointer into an array", "{'p':[['a/1/b','x']]}", "{'a':[0,{'b':'y'}]}",
	    CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "a/1/b" },
	{ "index with a leading zero", "{'p':[['a/01','x']]}", "{'a':[0,1]}", CONSTRAINTS_JWT,
	    { 0 }, NULL, NULL },
	{ "index beyond the end", "{'p':[['a/2','x']]}", "{'a':[0,1]}", CONSTRAINTS_JWT, { 0 },
	    NULL, NULL },
	{ "index -", "{'p':[['a/-','x']]}", "{'a':[0,1]}", CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "empty token", "{'p':[['a/','x']]}", "{'a':{'':'y'}}", CONSTRAINTS_JWT, { 0 },
	    "value_not_permitted", "a/" },
	{ "~1 is a slash", "{'p':[['a/b~1c','x']]}", "{'a':{'b/c':'y'}}", CONSTRAINTS_JWT,
	    { 0 }, "value_not_permitted", "a/b~1c" },
	{ "~0 is a tilde", "{'p':[['a/b~0c','x']]}", "{'a':{'b~c':'y'}}", CONSTRAINTS_JWT,
	    { 0 }, "value_not_permitted", "a/b~0c" },
	{ "~01 is ~1 (RFC 6901 s3)", "{'p':[['a/b~01c','x']]}", "{'a':{'b~1c':'y','b/c':'x'}}",
	    CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "a/b~01c" },
	{ "a claim of that very name", "{'p':[['https://a/c','x']]}", "{'https://a/c':'y'}",
	    CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "https://a/c" },
	{ "V-66 value mode, the value", "{'p':[['vper/name','ACME']]}", "{" NAMED "}",
	    CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "V-67 hash mode, the value", "{'p':[['vper/name#sha-256','" H_ACME "']]}",
	    "{" NAMED "}", CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "V-67 hash mode, another value", "{'p':[['vper/name#sha-256','" H_ACME "']]}",
	    "{'vper':{'name':'ACMF'}}", CONSTRAINTS_JWT, { 0 }, "value_not_permitted",
	    "vper/name" },
	{ "V-67 hash mode, one of two",
	    "{'p':[['vper/name#sha-256','" H_OBJ "','" H_ACME "']]}", "{" NAMED "}",
	    CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "V-67 hash mode twice, inside both (D-11)",
	    "{'p':[['a#sha-256','" H_OBJ "','" H_ACME "'],['a#sha-256','" H_ACME "']]}",
	    "{'a':'ACME'}", CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "V-67 hash mode twice, inside the first only (D-11)",
	    "{'p':[['a#sha-256','" H_OBJ "','" H_ACME "'],['a#sha-256','" H_OBJ "']]}",
	    "{'a':'ACME'}", CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "a" },
	{ "V-67 hash mode twice, inside the second only (D-11)",
	    "{'p':[['a#sha-256','" H_OBJ "'],['a#sha-256','" H_OBJ "','" H_ACME "']]}",
	    "{'a':'ACME'}", CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "a" },
	{ "V-54 a string is hashed with its quotes",
	    "{'p':[['vper/name#sha-256','" H_BARE "']]}", "{" NAMED "}", CONSTRAINTS_JWT, { 0 },
	    "value_not_permitted", "vper/name" },
	{ "V-54 an object is hashed in its form", "{'p':[['a#sha-256','" H_OBJ "']]}",
	    "{'a':{'b':[2],'a':1}}", CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "V-54 an object with a member more", "{'p':[['a#sha-256','" H_OBJ "']]}",
	    "{'a':{'b':[2],'a':1,'c':1}}", CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "a" },
	{ "hash mode, absent", "{'p':[['vper/name#sha-256','" H_ACME "']]}", "{}",
	    CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "hash mode, absent, strict", "{'p':[['vper/name#sha-256','" H_ACME "']]}", "{}",
	    CONSTRAINTS_JWT, STRICT, "claim_missing_by_constraint", "vper/name#sha-256" },
	{ "D-15 commit mode, absent", "{'p':[" COMMIT "]}", "{'vper':{'id':'1'}}",
	    CONSTRAINTS_JWT, { 0 }, NULL, NULL },
	{ "D-15 commit mode, absent, strict", "{'p':[" COMMIT "]}", "{}", CONSTRAINTS_JWT,
	    STRICT, NULL, NULL },
	{ "D-15 commit mode, in clear", "{'p':[" COMMIT "]}", "{" NAMED "}", CONSTRAINTS_JWT,
	    { 0 }, "private_claim_in_clear", "vper/name" },
	{ "D-15 commit mode, another value in clear", "{'p':[" COMMIT "]}",
	    "{'vper':{'name':'ACMF'}}", CONSTRAINTS_JWT, { 0 }, "private_claim_in_clear",
	    "vper/name" },
	{ "D-15 commit_without_salt alone asserts nothing", "{'p':[" COMMIT "]}", "{" NAMED "}",
	    CONSTRAINTS_JWT, { .commit_without_salt = true }, "private_claim_in_clear",
	    "vper/name" },
	{ "V-68 asserted, no salt", "{'p':[" COMMIT "]}", "{" NAMED "}", CONSTRAINTS_JWT,
	    ASSERT, "commitment_not_provable", "vper/name" },
	{ "D-15 commit_without_salt", "{'p':[" COMMIT "]}", "{" NAMED "}", CONSTRAINTS_JWT,
	    WITHOUT_SALT, NULL, NULL },
	{ "V-68 what fails comes before what is not provable", "{'p':[" COMMIT ",['crn','a']]}",
	    "{" NAMED ",'crn':'b'}", CONSTRAINTS_JWT, ASSERT, "value_not_permitted", "crn" },
	{ "a claim with the name of a mode", "{'p':[['a#sha-256','" H_ACME "']]}",
	    "{'a#sha-256':'x'}", CONSTRAINTS_JWT, { 0 }, "value_not_permitted", "a#sha-256" },
};

/* With the salts of SALTS at hand. */
static struct evaluate_case salted_cases[] = {
	{ "V-58 asserted, the value and its salt", "{'p':[" COMMIT "]}", "{" NAMED "}",
	    CONSTRAINTS_JWT, ASSERT, NULL, NULL },
	{ "V-58 asserted, another value", "{'p':[" COMMIT "]}", "{'vper':{'name':'ACMF'}}",
	    CONSTRAINTS_JWT, ASSERT, "value_not_permitted", "vper/name" },
	{ "V-58 the salt goes before the value",
	    "{'p':[['vper/name#commit-sha-256','" C_AFTER "']]}", "{" NAMED "}",
	    CONSTRAINTS_JWT, ASSERT, "value_not_permitted", "vper/name" },
	{ "V-58 the salt that is named",
	    "{'p':[" COMMIT ",['vper/name#salt-sha-256','" H_S "']]}", "{" NAMED "}",
	    CONSTRAINTS_JWT, ASSERT, NULL, NULL },
	{ "V-58 another salt is named",
	    "{'p':[" COMMIT ",['vper/name#salt-sha-256','" H_OTHER "']]}", "{" NAMED "}",
	    CONSTRAINTS_JWT, ASSERT, "value_not_permitted", "vper/name" },
	{ "V-58 the salt that is named, twice",
	    "{'p':[" COMMIT "," SALTED(H_S) "," COMMIT "," SALTED(H_S) "]}", "{" NAMED "}",
	    CONSTRAINTS_JWT, ASSERT, NULL, NULL },
	{ "V-58 two salts are named", "{'p':[" COMMIT "," SALTED(H_S) "," SALTED(H_OTHER) "]}",
	    "{" NAMED "}", CONSTRAINTS_JWT, ASSERT, "value_not_permitted", "vper/name" },
	{ "V-58 two commitments",
	    "{'p':[" COMMIT ",['vper/name#commit-sha-256','" C_AFTER "']]}", "{" NAMED "}",
	    CONSTRAINTS_JWT, ASSERT, "value_not_permitted", "vper/name" },
	{ "V-58 a whole claim", "{'p':[['pid#commit-sha-256','" C_ACME "']]}", "{'pid':'ACME'}",
	    CONSTRAINTS_JWT, ASSERT, NULL, NULL },
	{ "V-68 asserted, a salt of another path only",
	    "{'p':[['vper/id#commit-sha-256','" C_ACME "']]}", "{'vper':{'id':'ACME'}}",
	    CONSTRAINTS_JWT, ASSERT, "commitment_not_provable", "vper/id" },
	{ "D-15 commit_without_salt, but there is one", "{'p':[" COMMIT "]}",
	    "{'vper':{'name':'ACMF'}}", CONSTRAINTS_JWT, WITHOUT_SALT, "value_not_permitted",
	    "vper/name" },
};

static void
evaluate_with(const struct evaluate_case *c, const struct salts *salts)
{
	AUTO(constraints) *made = make(c->spec, c->form);
	json_auto_t *claims = json_of(c->claims);
	struct constraints_policy policy = c->policy;
	struct fault f = { 0 };
	enum rc rc;

	policy.salts = salts;
	rc = constraints_evaluate(made, &policy, claims, &f);
	if (c->reason == NULL) {
		assert_int_equal(rc, RC_OK);
		return;
	}
	assert_int_equal(rc, RC_DENIED);
	assert_string_equal(f.reason, c->reason);
	assert_string_equal(f.claim, c->claim);
}

/* V-24 */
static void
evaluate(void **state)
{
	evaluate_with(*state, NULL);
}

static void
evaluate_salted(void **state)
{
	AUTO(salts) *salts = NULL;

	assert_int_equal(salts_read(span_str(SALTS), &salts, NULL), RC_OK);
	evaluate_with(*state, salts);
}

/* Point 6 of the gate: the rule and the extension, never what the caller has not shown. */
static struct detail_case {
	const char *name, *spec, *claims, *says;
	enum constraints_form form;
	struct constraints_policy policy;
} detail_cases[] = {
	{ "excluded: which rule", "{'x':['a']}", "{'a':'shown'}",
	    "mustExclude of EnhancedJWTClaimConstraints", CONSTRAINTS_ENHANCED, { 0 } },
	{ "demanded: which rule", "{'i':['a']}", "{}", "mustInclude of JWTClaimConstraints",
	    CONSTRAINTS_JWT, { 0 } },
	{ "value: which rule, no value", "{'p':[['a','hidden','hidden2']]}", "{'a':'shown'}",
	    "permittedValues of JWTClaimConstraints: none of the 2 values", CONSTRAINTS_JWT,
	    { 0 } },
	{ "strict absence: no value", "{'p':[['a','hidden']]}", "{}",
	    "permittedValues of JWTClaimConstraints", CONSTRAINTS_JWT, STRICT },
	{ "hash: no digest", "{'p':[['a#sha-256','" H_ACME "']]}", "{'a':'shown'}",
	    "permittedValues of EnhancedJWTClaimConstraints", CONSTRAINTS_ENHANCED, { 0 } },
	{ "commitment in clear: no digest (V-51)",
	    "{'p':[['pid#commit-sha-256','" C_ACME "']]}", "{'pid':'shown'}",
	    "only commits to it", CONSTRAINTS_JWT, { 0 } },
	{ "commitment, another value: no digest, no salt",
	    "{'p':[['pid#commit-sha-256','" C_ACME "']]}", "{'pid':'shown'}",
	    "commits to another value", CONSTRAINTS_JWT, ASSERT },
	{ "salt that is not named: no salt, no digest",
	    "{'p':[['pid#commit-sha-256','" C_ACME "'],['pid#salt-sha-256','" H_OTHER "']]}",
	    "{'pid':'shown'}", "another salt", CONSTRAINTS_JWT, ASSERT },
	{ "no salt: no digest", "{'p':[['other#commit-sha-256','" C_ACME "']]}",
	    "{'other':'shown'}", "its salt is not here: leave it out", CONSTRAINTS_JWT,
	    ASSERT },
};

static void
detail(void **state)
{
	static const char *const never[] = { "hidden", "shown", "5U3Z", "YrpX", "hBJt", "Yw3N",
		"AAEC" };
	const struct detail_case *c = *state;
	AUTO(constraints) *made = make(c->spec, c->form);
	json_auto_t *claims = json_of(c->claims);
	struct constraints_policy policy = c->policy;
	AUTO(salts) *salts = NULL;
	struct fault f = { 0 };

	assert_int_equal(salts_read(span_str(SALTS), &salts, NULL), RC_OK);
	policy.salts = salts;
	assert_int_equal(constraints_evaluate(made, &policy, claims, &f), RC_DENIED);
	assert_non_null(strstr(f.detail, c->says));
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		assert_null(strstr(f.detail, never[i]));
}

/* Which claim, which list, whose. */
static void
check_details_name_the_extension(void **state)
{
	static const struct {
		const char *spec, *claim, *says;
	} rows[] = {
		{ "{'x':['crn','iat']}", "iat",
		    "EnhancedJWTClaimConstraints: mustExclude names it, which each PASSporT "
		    "has" },
		{ "{'i':['a'],'x':['a']}", "a",
		    "EnhancedJWTClaimConstraints: mustInclude and mustExclude both name it" },
		{ "{'p':[['dest#commit-sha-256','" C_ACME "']]}", "dest",
		    "EnhancedJWTClaimConstraints: each PASSporT has what is committed to" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(constraints) *c = make(rows[i].spec, CONSTRAINTS_ENHANCED);
		struct constraints_policy policy = { 0 };
		struct fault f = { 0 };

		assert_int_equal(constraints_check(c, &policy, &f), RC_DENIED);
		assert_string_equal(f.claim, rows[i].claim);
		assert_true(strncmp(f.detail, rows[i].says, strlen(rows[i].says)) == 0);
	}
}

/* What a signer finds at activation tells no value either. */
static void
check_details_show_no_value(void **state)
{
	static const char *const specs[] = {
		"{'p':[['a','hidden'],['a','hidden2']]}",
		"{'p':[['a#sha-256','hidden']]}",
		"{'p':[['a#commit-sha-256','hidden']]}",
		"{'p':[['a','{\\\"hidden\\\": 1}']]}",
		"{'i':['a'],'p':[['a','{\\\"b\\\":\\\"hidden\\\"}'],['a/b','hidden2']]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		AUTO(constraints) *c = NULL;
		struct constraints_policy policy = { 0 };
		struct fault f = { 0 };

		c = make(specs[i], CONSTRAINTS_JWT);
		assert_int_equal(constraints_check(c, &policy, &f), RC_DENIED);
		assert_null(strstr(f.detail, "hidden"));
	}
}

static struct committed_case {
	const char *name, *spec, *claims, *entry; /* NULL: nothing committed is sent */
} committed_cases[] = {
	{ "D-15 sent", "{'p':[" COMMIT "]}", "{" NAMED "}", "vper/name#commit-sha-256" },
	{ "D-15 another member sent", "{'p':[" COMMIT "]}", "{'vper':{'id':'1'}}", NULL },
	{ "D-15 sent as null", "{'p':[" COMMIT "]}", "{'vper':{'name':null}}",
	    "vper/name#commit-sha-256" },
	{ "D-15 only a hash", "{'p':[['vper/name#sha-256','" H_ACME "']]}", "{" NAMED "}",
	    NULL },
	{ "D-15 a whole claim", "{'p':[['a','1'],['pid#commit-sha-256','" C_ACME "']]}",
	    "{'a':'1','pid':2}", "pid#commit-sha-256" },
};

static void
committed(void **state)
{
	const struct committed_case *c = *state;
	AUTO(constraints) *made = make(c->spec, CONSTRAINTS_JWT);
	json_auto_t *claims = json_of(c->claims);
	AUTO(constraints_plan) *plan = NULL;
	const struct permitted *entry = NULL;

	assert_int_equal(constraints_plan(made, &plan, NULL), RC_OK);
	assert_int_equal(constraints_committed(plan, claims, &entry, NULL), RC_OK);
	if (c->entry == NULL)
		assert_null(entry);
	else
		assert_string_equal(entry->claim, c->entry);
}

static struct oddity_case {
	const char *name, *spec, *says; /* NULL: nothing is odd */
} oddity_cases[] = {
	{ "nothing odd", "{'i':['rcd'],'x':['crn']}", NULL },
	{ "a ppt demanded", "{'i':['shaken']}", "PASSporT type" },
	{ "RFC 9118 s3 base claim demanded", "{'i':['orig']}", "always there" },
	{ "RFC 9118 s8 rcdi excluded", "{'x':['rcdi']}", "rcdi" },
};

static void
oddity(void **state)
{
	const struct oddity_case *c = *state;
	AUTO(constraints) *made = make(c->spec, CONSTRAINTS_ENHANCED);

	if (c->says == NULL) {
		assert_null(constraints_oddity(made, 0));
		return;
	}
	assert_non_null(constraints_oddity(made, 0));
	assert_non_null(strstr(constraints_oddity(made, 0), c->says));
	assert_null(constraints_oddity(made, 1));
}

static struct vets_case {
	const char *name, *spec, *value;
	bool named, vetted;
} vets_cases[] = {
	{ "demanded", "{'i':['vper']}", "{'a':1}", true, true },
	{ "permitted", "{'p':[['vper','x']]}", "'x'", true, true },
	{ "excluded (D-51)", "{'x':['vper']}", "1", true, false },
	{ "not named", "{'i':['vper2'],'p':[['vpe','x']]}", "1", false, false },
	{ "every member", "{'p':[['vper/a','1'],['vper/b','2']]}", "{'a':1,'b':2}", true,
	    true },
	{ "not every member", "{'p':[['vper/a','1'],['vper/b','2']]}", "{'a':1,'b':2,'c':3}",
	    true, false },
	{ "deeper", "{'p':[['vper/a/x','1'],['vper/a/y','2']]}", "{'a':{'x':1,'y':2}}", true,
	    true },
	{ "deeper, one missing", "{'p':[['vper/a/x','1']]}", "{'a':{'x':1,'y':2}}", true,
	    false },
	{ "a longer name beside it", "{'p':[['vper/ab','1'],['vper/a-','1']]}", "{'a':1}", true,
	    false },
	{ "the whole among its parts", "{'p':[['vper/b','1'],['vper','2'],['vper/a','1']]}",
	    "{'a':1,'c':1}", true, true },
	{ "an entry of another claim", "{'p':[['vper2/a','1'],['vper-/a','1']]}", "{'a':1}",
	    false, false },
	{ "elements", "{'p':[['vper/0','1'],['vper/1','2']]}", "[1,2]", true, true },
	{ "one element more", "{'p':[['vper/0','1']]}", "[1,2]", true, false },
	{ "escaped", "{'p':[['vper/a~1b','1']]}", "{'a/b':1}", true, true },
	{ "an empty object has no vetted part", "{'p':[['vper/a','1']]}", "{}", true, false },
	{ "a scalar has no parts", "{'p':[['vper/a','1']]}", "'x'", true, false },
	{ "V-21 hashed whole", "{'p':[['vper#sha-256','" H_ACME "']]}", "{'a':1}", true, true },
	{ "V-21 committed whole", "{'p':[['vper#commit-sha-256','" C_ACME "']]}", "{'a':1}",
	    true, true },
	{ "V-21 members in three modes",
	    "{'p':[['vper/a','1'],['vper/b#sha-256','" H_ACME
	    "'],['vper/c#commit-sha-256','" C_ACME "']]}",
	    "{'a':1,'b':2,'c':3}", true, true },
	{ "V-21 a salt's digest vets nothing", "{'p':[['vper/a#salt-sha-256','" H_S "']]}",
	    "{'a':1}", true, false },
};

static void
vets(void **state)
{
	const struct vets_case *c = *state;
	AUTO(constraints) *made = make(c->spec, CONSTRAINTS_ENHANCED);
	json_auto_t *value = json_of(c->value);

	AUTO(constraints_plan) *plan = NULL;

	assert_int_equal(constraints_plan(made, &plan, NULL), RC_OK);
	assert_int_equal(constraints_names(plan, "vper"), c->named);
	assert_int_equal(constraints_vets(plan, "vper", value), c->vetted);
}

/* Sorted as they are, each value is found, and nothing beside it. */
static void
long_lists(void **state)
{
	enum { VALUES = 300 };
	AUTO_BUF spec = BUF_INIT(16384);
	struct constraints_policy quoted = { .accept_quoted_permitted = true };
	AUTO(constraints) *made = NULL;
	AUTO(constraints_plan) *plan = NULL;

	(void)state;
	buf_str(&spec, "{'p':[['c'");
	for (int i = 0; i < VALUES; i++) /* not in order, of different lengths */
		buf_printf(&spec, ",'%d'", i * 7919 % VALUES * 3 + 1);
	buf_str(&spec, "]]}");
	made = make(buf_text(&spec), CONSTRAINTS_JWT);
	assert_int_equal(constraints_plan(made, &plan, NULL), RC_OK);
	for (int i = -1; i <= VALUES * 3 + 1; i++) {
		json_auto_t *claims = json_pack("{s:i}", "c", i);
		json_auto_t *text = NULL;
		enum rc want = i > 0 && i % 3 == 1 && i < VALUES * 3 ? RC_OK : RC_DENIED;
		char digits[16];

		snprintf(digits, sizeof digits, "%d", i);
		text = json_pack("{s:s}", "c", digits);
		assert_int_equal(constraints_judge(plan, &quoted, claims, NULL), want);
		assert_int_equal(constraints_judge(plan, &quoted, text, NULL), want);
	}
}

static int64_t
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* What a decision costs where the entry stands that often: the least of some. */
static int64_t
cost_of(const char *entry, int times, const json_t *claims)
{
	AUTO_BUF spec = BUF_INIT(65536);
	struct constraints_policy policy = { 0 };
	AUTO(constraints) *made = NULL;
	AUTO(constraints_plan) *plan = NULL;
	int64_t least = INT64_MAX;

	for (int i = 0; i < times; i++)
		buf_printf(&spec, "%s%s", i == 0 ? "{'p':[" : ",", entry);
	buf_str(&spec, "]}");
	made = make(buf_text(&spec), CONSTRAINTS_JWT);
	assert_int_equal(constraints_plan(made, &plan, NULL), RC_OK);
	for (int i = 0; i < 7; i++) {
		int64_t began = cpu_ns(), took;

		assert_int_equal(constraints_judge(plan, &policy, claims, NULL), RC_OK);
		took = cpu_ns() - began;
		least = took < least ? took : least;
	}
	return least;
}

/* D-11: a long value is written and hashed once, however often the claim is named. */
static void
repeated_entries(void **state)
{
	enum { LENGTH = 9000, TIMES = 250 };
	AUTO_BUF text = BUF_INIT(LENGTH + 1), entry = BUF_INIT(128);
	char digest[PRIVACY_DIGEST_TEXT];
	json_auto_t *claims = NULL;

	(void)state;
	for (int i = 0; i < LENGTH; i++)
		buf_byte(&text, 1); /* six characters each, as JSON */
	claims = json_pack("{s:s}", "a", buf_text(&text));
	assert_int_equal(
	    privacy_digest(span_of(NULL, 0), json_object_get(claims, "a"), digest, NULL),
	    RC_OK);
	buf_printf(&entry, "['a#sha-256','%s']", digest);
	assert_true(cost_of(buf_text(&entry), TIMES, claims) <
		    20 * cost_of(buf_text(&entry), 1, claims));
}

/* ---- comparison ------------------------------------------------------------------------- */

static struct within_case {
	const char *name, *inner, *outer;
	const char *claim; /* NULL: within */
} within_cases[] = {
	{ "equal", "{'i':['a'],'p':[['b','1','2']],'x':['c']}",
	    "{'i':['a'],'p':[['b','1','2']],'x':['c']}", NULL },
	{ "another order", "{'i':['b','a'],'p':[['d','2','1'],['c','x']]}",
	    "{'i':['a','b'],'p':[['c','x'],['d','1','2']]}", NULL },
	{ "fewer values", "{'p':[['b','2']]}", "{'p':[['b','1','2']]}", NULL },
	{ "further restrictions", "{'i':['a','z'],'p':[['q','1']],'x':['y']}", "{'i':['a']}",
	    NULL },
	{ "excluded instead of listed", "{'x':['b']}", "{'p':[['b','1']]}", NULL },
	{ "one value more", "{'p':[['b','1','2','3']]}", "{'p':[['b','1','2']]}", "b" },
	{ "values not listed", "{'i':['b']}", "{'p':[['b','1']]}", "b" },
	{ "no longer demanded", "{'i':['z']}", "{'i':['a','z']}", "a" },
	{ "no longer excluded", "{'i':['a']}", "{'i':['a'],'x':['c']}", "c" },
	{ "one of two entries inside", "{'p':[['b','1','9'],['b','1']]}", "{'p':[['b','1']]}",
	    NULL },
	{ "a pointer is another name", "{'p':[['v/a','1']]}", "{'p':[['v/b','1']]}", "v/b" },
	{ "V-59 the same commitment", "{'p':[" COMMIT "]}", "{'p':[" COMMIT "]}", NULL },
	{ "V-59 fewer hashes", "{'p':[['a#sha-256','" H_ACME "']]}",
	    "{'p':[['a#sha-256','" H_OBJ "','" H_ACME "']]}", NULL },
	{ "V-59 another commitment", "{'p':[['vper/name#commit-sha-256','" C_AFTER "']]}",
	    "{'p':[" COMMIT "]}", "vper/name#commit-sha-256" },
	{ "V-59 another encoding", "{'p':[['vper/name','ACME']]}",
	    "{'p':[['vper/name#sha-256','" H_ACME "']]}", "vper/name#sha-256" },
	{ "V-59 a hash where there was a commitment",
	    "{'p':[['vper/name#sha-256','" H_ACME "']]}", "{'p':[" COMMIT "]}",
	    "vper/name#commit-sha-256" },
	{ "V-59 no commitment", "{'i':['a']}", "{'p':[" COMMIT "]}",
	    "vper/name#commit-sha-256" },
	{ "V-59 the salt's digest is gone", "{'p':[" COMMIT "]}",
	    "{'p':[" COMMIT ",['vper/name#salt-sha-256','" H_S "']]}",
	    "vper/name#salt-sha-256" },
	{ "V-59 excluded altogether", "{'x':['vper']}", "{'p':[" COMMIT "]}", NULL },
};

static void
within(void **state)
{
	const struct within_case *c = *state;
	AUTO(constraints) *inner = make(c->inner, CONSTRAINTS_ENHANCED);
	AUTO(constraints) *outer = make(c->outer, CONSTRAINTS_ENHANCED);
	struct fault f = { 0 };
	enum rc rc = constraints_within(inner, outer, &f);

	if (c->claim == NULL) {
		assert_int_equal(rc, RC_OK);
		return;
	}
	assert_int_equal(rc, RC_DENIED);
	assert_string_equal(f.reason, "constraints_wider");
	assert_string_equal(f.claim, c->claim);
}

static void
within_nothing(void **state)
{
	AUTO(constraints) *c = make("{'i':['a']}", CONSTRAINTS_JWT);
	AUTO(constraints) *e = make("{'i':['a'],'x':['b']}", CONSTRAINTS_ENHANCED);
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(constraints_within(c, NULL, &f), RC_OK);
	assert_int_equal(constraints_within(NULL, NULL, &f), RC_OK);
	assert_int_equal(constraints_within(e, c, &f), RC_OK);
	assert_int_equal(constraints_within(c, e, NULL), RC_DENIED); /* cannot exclude */
	assert_int_equal(constraints_within(NULL, c, &f), RC_DENIED);
	assert_string_equal(f.reason, "constraints_wider");
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(decode_cases) + ARRAY_LEN(check_cases) +
				ARRAY_LEN(evaluate_cases) + ARRAY_LEN(salted_cases) +
				ARRAY_LEN(vets_cases) + ARRAY_LEN(within_cases) +
				ARRAY_LEN(detail_cases) + ARRAY_LEN(committed_cases) +
				ARRAY_LEN(oddity_cases) + 11];
	size_t n = 0;

	ROWS(tests, n, decode_cases, decode);
	ROWS(tests, n, check_cases, check);
	ROWS(tests, n, evaluate_cases, evaluate);
	ROWS(tests, n, salted_cases, evaluate_salted);
	ROWS(tests, n, vets_cases, vets);
	ROWS(tests, n, within_cases, within);
	ROWS(tests, n, detail_cases, detail);
	ROWS(tests, n, committed_cases, committed);
	ROWS(tests, n, oddity_cases, oddity);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(strictly_demanded);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(strictly_one_of_two);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(published_contents);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(mutations);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(limits);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(encode_refuses);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(check_details_show_no_value);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(check_details_name_the_extension);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(within_nothing);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(long_lists);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(repeated_entries);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
