/* jtext: strict reading, deterministic writing */
#include "stir/jtext.h"

#include "stir/jquick.h"
#include "tests/unit/mutate.h"

#define DEEP16 "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"

static struct good_case {
	const char *name, *in, *out;
} good_cases[] = {
	{ "members sorted", "{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}" },
	{ "at every level", " [ { \"b\" : { \"d\":1 , \"c\":2 } , \"a\":[ ] } ] ",
	    "[{\"a\":[],\"b\":{\"c\":2,\"d\":1}}]" },
	{ "arrays keep their order", "[3,1,2]", "[3,1,2]" },
	{ "literals", "[true,false,null]", "[true,false,null]" },
	{ "any value: number", "-7", "-7" },
	{ "any value: string", "\"x\"", "\"x\"" },
	{ "zero", "0", "0" },
	{ "largest", "9007199254740991", "9007199254740991" },
	{ "smallest", "-9007199254740991", "-9007199254740991" },
	{ "short escapes (RFC 8785 s3.2.2.2)",
	    "\"\\u0008\\u0009\\u000a\\u000c\\u000d\\u0022\\u005c\"",
	    "\"\\b\\t\\n\\f\\r\\\"\\\\\"" },
	{ "other controls", "\"\\u0001\\u001F\"", "\"\\u0001\\u001f\"" },
	{ "DEL and solidus are literal (RFC 8785 s3.2.2.2)", "\"\\u007f\\/\"", "\"\x7f/\"" },
	{ "UTF-8 is literal", "\"\\u00e9\\u20ac\\ud83d\\ude00\"",
	    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
	{ "prefix sorts first", "{\"ab\":1,\"a\":2,\"\":3}", "{\"\":3,\"a\":2,\"ab\":1}" },
	/* Where RFC 8785 would differ: U+1F600 is above U+FB01 by code point (D-23). */
	{ "code points, not UTF-16 (RFC 8225 s9)",
	    "{\"\xf0\x9f\x98\x80\":1,\"\xef\xac\x81\":2}",
	    "{\"\xef\xac\x81\":2,\"\xf0\x9f\x98\x80\":1}" },
	{ "numbers inside strings are text", "\"1.5e9 -0 99999999999999999999\"",
	    "\"1.5e9 -0 99999999999999999999\"" },
	{ "quotes and brackets inside strings", "[\"\\\"[[[[[[[[[[[[[[[[[[[[\",1]",
	    "[\"\\\"[[[[[[[[[[[[[[[[[[[[\",1]" },
	{ "depth 16", DEEP16, DEEP16 },
	/* RFC 8225 appendix A */
	{ "published payload (RFC 8225 s9)",
	    "{\"orig\":{\"tn\":\"12155551212\"},\"iat\":1471375418,"
	    "\"dest\":{\"uri\":[\"sip:alice@example.com\"]}}",
	    "{\"dest\":{\"uri\":[\"sip:alice@example.com\"]},\"iat\":1471375418,"
	    "\"orig\":{\"tn\":\"12155551212\"}}" },
	/* RFC 8225 section 9.1, its slips repaired */
	{ "published mky",
	    "{\"orig\":{\"tn\":\"12155551212\"},\"dest\":{\"uri\":[\"sip:alice@example.com\"]},"
	    "\"iat\":1443208345,\"mky\":[{\"dig\":\"021A\",\"alg\":\"sha-256\"}]}",
	    "{\"dest\":{\"uri\":[\"sip:alice@example.com\"]},\"iat\":1443208345,"
	    "\"mky\":[{\"alg\":\"sha-256\",\"dig\":\"021A\"}],\"orig\":{\"tn\":\"12155551212\"}"
	    "}" },
};

static void
good(void **state)
{
	const struct good_case *c = *state;
	json_auto_t *value = NULL, *again = NULL;
	AUTO_BUF out = BUF_INIT(1024), twice = BUF_INIT(1024);

	assert_int_equal(jtext_read(span_str(c->in), &value, NULL), RC_OK);
	assert_int_equal(jtext_write(&out, value, NULL), RC_OK);
	assert_string_equal(buf_text(&out), c->out);
	assert_int_equal(jtext_read(buf_view(&out), &again, NULL), RC_OK);
	assert_int_equal(jtext_write(&twice, again, NULL), RC_OK);
	assert_string_equal(buf_text(&twice), c->out);
}

static struct bad_case {
	const char *name, *in;
	const char *reason;
} bad_cases[] = {
	{ "nothing", "", "malformed_json" },
	{ "blank", " ", "malformed_json" },
	{ "duplicate", "{\"a\":1,\"a\":2}", "duplicate_member" },
	{ "duplicate after unescaping (RFC 8225 s9)", "{\"a\":1,\"\\u0061\":2}",
	    "duplicate_member" },
	{ "duplicate deep down", "[{\"x\":{\"a\":1,\"b\":2,\"a\":1}}]", "duplicate_member" },
	{ "float", "{\"iat\":1.5}", "malformed_json" },
	{ "float of a whole number", "[1.0]", "malformed_json" },
	{ "exponent", "[1e3]", "malformed_json" },
	{ "capital exponent", "[1E3]", "malformed_json" },
	{ "exponent with sign", "[1e+3]", "malformed_json" },
	{ "minus zero (D-22)", "[-0]", "malformed_json" },
	{ "minus zero at the end", "-0", "malformed_json" },
	{ "2^53 (RFC 7493 s2.2)", "9007199254740992", "malformed_json" },
	{ "-2^53 (D-22)", "-9007199254740992", "malformed_json" },
	{ "2^64+1", "18446744073709551617", "malformed_json" },
	{ "long integer", "10000000000000000000000000000000000000", "malformed_json" },
	{ "leading zero", "[01]", "malformed_json" },
	{ "plus", "[+1]", "malformed_json" },
	{ "bare minus", "[-]", "malformed_json" },
	{ "no integer part", "[.5]", "malformed_json" },
	{ "hexadecimal", "[0x10]", "malformed_json" },
	{ "NaN", "[NaN]", "malformed_json" },
	{ "capital literal", "[True]", "malformed_json" },
	{ "lone high surrogate", "\"\\ud83d\"", "malformed_json" },
	{ "lone low surrogate", "\"\\ude00\"", "malformed_json" },
	{ "surrogates the wrong way round", "\"\\ude00\\ud83d\"", "malformed_json" },
	{ "U+0000", "\"a\\u0000b\"", "malformed_json" },
	{ "U+0000 in a name", "{\"a\\u0000\":1}", "malformed_json" },
	{ "raw control", "\"a\nb\"", "malformed_json" },
	{ "unknown escape", "\"\\x41\"", "malformed_json" },
	{ "invalid UTF-8", "\"\xff\"", "malformed_json" },
	{ "overlong UTF-8", "\"\xc0\xaf\"", "malformed_json" },
	{ "UTF-8 surrogate", "\"\xed\xa0\x80\"", "malformed_json" },
	{ "beyond U+10FFFF", "\"\xf4\x90\x80\x80\"", "malformed_json" },
	{ "byte order mark", "\xef\xbb\xbf{}", "malformed_json" },
	{ "trailing comma", "[1,]", "malformed_json" },
	{ "comment", "[1/*x*/]", "malformed_json" },
	{ "single quotes", "{'a':1}", "malformed_json" },
	{ "two values", "{}{}", "malformed_json" },
	{ "unclosed", "{\"a\":1", "malformed_json" },
	{ "unclosed string", "\"abc", "malformed_json" },
	{ "string ends in an escape", "\"abc\\", "malformed_json" },
	{ "depth 17", "[" DEEP16 "]", "malformed_json" },
	{ "no colon", "{\"a\" 1}", "malformed_json" },
};

static void
bad(void **state)
{
	const struct bad_case *c = *state;
	json_t *value = NULL;
	struct fault f = { 0 };

	assert_int_equal(jtext_read(span_str(c->in), &value, &f), RC_INVALID);
	assert_string_equal(f.reason, c->reason);
	assert_null(value);
}

/* jansson passes it over where it has put back the octet behind a word or a number. */
static void
raw_nul(void **state)
{
	static const struct span texts[] = { { (const uint8_t *)"0\0", 2 },
		{ (const uint8_t *)"[5\0]", 4 }, { (const uint8_t *)"[\0005]", 4 },
		{ (const uint8_t *)"{\"a\":true\0}", 11 }, { (const uint8_t *)"[null\0,1]", 9 },
		{ (const uint8_t *)"{\"a\":1\0,\"b\":2}", 14 }, { (const uint8_t *)"[1]\0", 4 },
		{ (const uint8_t *)"\0{}", 3 }, { (const uint8_t *)"{\"a\"\0:1}", 8 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		json_t *value = NULL;
		struct fault f = { 0 };

		assert_int_equal(jtext_read(texts[i], &value, &f), RC_INVALID);
		assert_string_equal(f.reason, "malformed_json");
		assert_null(value);
	}
}

static void
raw_nul_and_size(void **state)
{
	AUTO_BUF big = BUF_INIT(JTEXT_MAX_BYTES + 8);
	json_auto_t *value = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(jtext_read(span_of("[1]\0", 4), &value, &f), RC_INVALID);
	assert_int_equal(jtext_read(span_of("\"a\0b\"", 5), &value, &f), RC_INVALID);
	buf_byte(&big, '1');
	while (big.len < JTEXT_MAX_BYTES)
		buf_byte(&big, ' ');
	assert_int_equal(jtext_read(buf_view(&big), &value, &f), RC_OK);
	buf_byte(&big, ' ');
	json_decref(TAKE(value));
	assert_int_equal(jtext_read(buf_view(&big), &value, &f), RC_INVALID);
	assert_string_equal(f.reason, "malformed_json");
}

/* What others write: their numbers are their own, the rest is as strict. */
static struct foreign_case {
	const char *name;
	struct span in;
	const char *reason;
} foreign_cases[] = {
#define TEXT(s) \
	{ \
		(const uint8_t *)(s), sizeof(s) - 1 \
	}
	{ "an object", TEXT("{\"a\":[1]}"), NULL },
	{ "a float", TEXT("[1.5e9,-0]"), NULL },
	{ "an integer beyond 2^53", TEXT("[9007199254740993]"), NULL },
	{ "an integer beyond 64 bits", TEXT("[99999999999999999999]"), "malformed_json" },
	{ "depth 16", TEXT(DEEP16), NULL },
	{ "depth 17", TEXT("[" DEEP16 "]"), "malformed_json" },
	{ "a string alone", TEXT("\"a\""), "malformed_json" },
	{ "a number alone", TEXT("1"), "malformed_json" },
	{ "a member twice", TEXT("{\"a\":1,\"\\u0061\":2}"), "duplicate_member" },
	{ "an octet 0 behind a number", TEXT("{\"a\":1\0}"), "malformed_json" },
	{ "an octet 0 behind a float", TEXT("[1.5\0]"), "malformed_json" },
	{ "an octet 0 behind a literal", TEXT("[null\0,1]"), "malformed_json" },
	{ "an octet 0 at the end", TEXT("[]\0"), "malformed_json" },
	{ "U+0000", TEXT("[\"\\u0000\"]"), "malformed_json" },
	{ "half a surrogate pair", TEXT("[\"\\ud83d\"]"), "malformed_json" },
	{ "two values", TEXT("{}{}"), "malformed_json" },
	{ "nothing", TEXT(""), "malformed_json" },
	{ "more octets than may be",
	    TEXT("[\"0123456789012345678901234567890123456789012345678901234567890\"]"),
	    "malformed_json" },
#undef TEXT
};

static void
foreign(void **state)
{
	const struct foreign_case *c = *state;
	json_auto_t *value = NULL;
	struct fault f = { 0 };
	enum rc rc = jtext_read_foreign(c->in, 64, &value, &f);

	assert_int_equal(rc, c->reason == NULL ? RC_OK : RC_INVALID);
	assert_int_equal(value != NULL, rc == RC_OK);
	if (rc != RC_OK)
		assert_string_equal(f.reason, c->reason);
}

enum { FOREIGN_MAX = 1 << 20 };

static enum rc
read_foreign_many(const char *one, size_t n, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(FOREIGN_MAX);
	json_auto_t *value = NULL;

	buf_str(&text, "[");
	for (size_t i = 1; i < n; i++)
		buf_printf(&text, "%s%s", i > 1 ? "," : "", one);
	buf_str(&text, "]");
	assert_int_equal(buf_check(&text, NULL), RC_OK);
	return jtext_read_foreign(buf_view(&text), FOREIGN_MAX, &value, f);
}

/* What is written for use has some octets a value, and may be as long as it likes. */
static void
foreign_values_are_counted(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(read_foreign_many("\"12025550100\"", 70000, NULL), RC_OK);
	assert_int_equal(read_foreign_many("\"123\"", 15000, NULL), RC_OK);
	assert_int_equal(read_foreign_many("{}", JTEXT_MAX_VALUES, NULL), RC_OK);
	assert_int_equal(read_foreign_many("{}", 300000, &f), RC_INVALID);
	assert_string_equal(f.reason, "malformed_json");
	assert_non_null(strstr(f.detail, "too many values"));
	assert_int_equal(read_foreign_many("[]", 8000, NULL), RC_INVALID);
}

/* n values in all: an array, strings in it, whose commas and brackets are none. */
static enum rc
read_many(size_t n, const char *one, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(JTEXT_MAX_BYTES);
	json_auto_t *value = NULL;
	enum rc rc;

	buf_str(&text, "[ ");
	for (size_t i = 1; i < n; i++)
		buf_printf(&text, "%s%s", i > 1 ? "," : "", one);
	buf_str(&text, "]");
	assert_int_equal(buf_check(&text, NULL), RC_OK);
	rc = jtext_read(buf_view(&text), &value, f);
	assert_int_equal(value != NULL, rc == RC_OK);
	return rc;
}

static void
values_are_counted(void **state)
{
	static const char *const ones[] = { "1", "\"\"", "\",[{\"", "\"\\\",\\\"\"", "[]",
		"{ }", "null" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ones); i++) {
		struct fault f = { 0 };

		assert_int_equal(read_many(JTEXT_MAX_VALUES, ones[i], &f), RC_OK);
		assert_int_equal(read_many(JTEXT_MAX_VALUES + 1, ones[i], &f), RC_INVALID);
		assert_string_equal(f.reason, "malformed_json");
		assert_non_null(strstr(f.detail, "too many values"));
	}
	/* A member is one with its name; an array is one, and so is what it holds. */
	assert_int_equal(read_many(JTEXT_MAX_VALUES / 2, "{\"a\":1}", NULL), RC_OK);
	assert_int_equal(read_many(JTEXT_MAX_VALUES / 2 + 2, "{\"a\":1}", NULL), RC_INVALID);
	assert_int_equal(read_many(JTEXT_MAX_VALUES / 2, "[[]]", NULL), RC_OK);
	assert_int_equal(read_many(JTEXT_MAX_VALUES / 2 + 2, "[[]]", NULL), RC_INVALID);
}

static void
details_do_not_quote_the_input(void **state)
{
	json_t *value = NULL;
	struct fault f = { 0 }, g = { 0 };

	(void)state;
	assert_int_equal(
	    jtext_read(span_str("{\"12025550100\":1,\"12025550100\":1}"), &value, &f),
	    RC_INVALID);
	assert_int_equal(jtext_read(span_str("{\"12025550100\" x}"), &value, &g), RC_INVALID);
	assert_null(strstr(f.detail, "1202555"));
	assert_null(strstr(g.detail, "1202555"));
}

static bool
takes(struct span text)
{
	json_auto_t *value = NULL;

	return jtext_read(text, &value, NULL) == RC_OK;
}

static void
mutations(void **state)
{
	struct span text = span_str("{\"dest\":{\"tn\":[\"12125550111\"]},\"iat\":1443208345,"
				    "\"x\":\"\\ud83d\\ude00\"}");

	(void)state;
	no_prefix_is_taken(takes, text);
	assert_true(survives_bit_flips(takes, text) < text.len * 8);
}

static void
write_refuses(void **state)
{
	json_auto_t *real = json_real(1.5), *big = json_integer(9007199254740992),
		    *nul = json_stringn("a\0b", 3), *deep = json_array();
	const json_t *bad_values[] = { real, big, nul };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_values); i++) {
		AUTO_BUF out = BUF_INIT(100);

		assert_int_equal(jtext_write(&out, bad_values[i], NULL), RC_INVALID);
	}
	for (int i = 0; i < 40; i++) {
		json_t *outer = json_array();

		json_array_append_new(outer, TAKE(deep));
		deep = outer;
	}
	AUTO_BUF out = BUF_INIT(100);
	struct fault f = { 0 };

	assert_int_equal(jtext_write(&out, deep, &f), RC_INVALID);
	assert_string_equal(f.reason, "jtext_depth");
}

static void
write_has_a_ceiling(void **state)
{
	json_auto_t *value = json_string("0123456789");
	AUTO_BUF out = BUF_INIT(8);
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(jtext_write(&out, value, &f), RC_INVALID);
	assert_string_equal(f.reason, "too_large");
}

/* Every octet at every place of a word, against the definition. */
static void
plain_runs(void **state)
{
	uint8_t text[19];

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

		for (size_t at = 0; at < sizeof text; at++) {
			memset(text, at % 2 == 0 ? ' ' : '~', sizeof text);
			text[at] = (uint8_t)c;
			assert_int_equal(
			    jtext_plain(span_of(text, sizeof text)), plain ? sizeof text : at);
			assert_int_equal(jtext_plain(span_of(text, at)), at);
		}
	}
}

/* Whatever the quick reader takes is what jansson reads; true when it took it. */
static bool
quick_agrees(struct span text)
{
	json_auto_t *quick = jquick_read(text, JTEXT_MAX_DEPTH), *slow = NULL;

	if (quick == NULL)
		return false;
	slow = json_loadb(
	    (const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	assert_true(slow != NULL && json_equal(quick, slow));
	return true;
}

static void
quick_is_no_second_opinion(void **state)
{
	static const struct {
		const char *text;
		bool taken;
	} rows[] = {
		{ "{\"a\":{\"b\":[\"c\",1,0,true,false,null,[],{}]},\"d\":123456789012345}",
		    true },
		{ " \t\r\n{ \"a\" : [ 1 , 2 ] } ", true },
		{ "\"text\"", true },
		{ "{\"a\":1,\"a\":1}", false }, /* from here on for the reader proper */
		{ "1234567890123456", false },
		{ "01", false },
		{ "-1", false },
		{ "1.5", false },
		{ "1e2", false },
		{ "\"\\u0041\"", false },
		{ "\"\xc3\xa9\"", false },
		{ "[1,]", false },
		{ "[1 2]", false },
		{ "{\"a\"}", false },
		{ "{\"a\":1,}", false },
		{ "true1", false },
		{ "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", true },
		{ "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(quick_agrees(span_str(rows[i].text)), rows[i].taken);
		(void)survives_bit_flips(quick_agrees, span_str(rows[i].text));
	}
	no_prefix_is_taken(quick_agrees, span_str(rows[0].text));
	for (size_t i = 0; i < ARRAY_LEN(good_cases); i++)
		(void)quick_agrees(span_str(good_cases[i].in));
	for (size_t i = 0; i < ARRAY_LEN(bad_cases); i++)
		assert_false(quick_agrees(span_str(bad_cases[i].in)));
}

int
main(void)
{
	struct CMUnitTest
	    tests[ARRAY_LEN(good_cases) + ARRAY_LEN(bad_cases) + ARRAY_LEN(foreign_cases) + 10];
	size_t n = 0;

	ROWS(tests, n, good_cases, good);
	ROWS(tests, n, bad_cases, bad);
	ROWS(tests, n, foreign_cases, foreign);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(raw_nul);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(raw_nul_and_size);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(values_are_counted);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(foreign_values_are_counted);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(details_do_not_quote_the_input);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(mutations);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(plain_runs);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(quick_is_no_second_opinion);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(write_refuses);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(write_has_a_ceiling);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
