/* jgrammar: what is JSON by RFC 8259, whoever can read it, and what only looks like it */
#include "stir/jgrammar.h"

#include "stir/attr.h"
#include "tests/unit/mutate.h"

static struct text_case {
	const char *name, *text;
	bool good;
} text_cases[] = {
	{ "object", "{\"a\":1,\"b\":[{}, [ ] ,\"x\"]}", true },
	{ "blanks of all four kinds", " \t\r\n[ \t\r\n1 , 2 ]\n", true },
	{ "RFC 8259 s2 a scalar", "5", true },
	{ "literals", "[true,false,null]", true },
	{ "RFC 8259 s6 beyond a double", "[1e999]", true },
	{ "beyond 64 bits", "[-123456789012345678901234567890]", true },
	{ "all of a number", "[-0.50E+01,0e-1,10.0,1e5]", true },
	{ "-0", "[-0]", true },
	{ "RFC 8259 s8.2 U+0000", "[\"\\u0000\"]", true },
	{ "half a surrogate pair", "[\"\\ud800\",\"\\uDC00\\uD800\"]", true },
	{ "all escapes", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00Ff\"", true },
	{ "a name twice", "{\"a\":1,\"a\":1}", true },
	{ "DEL and UTF-8", "[\"\x7f\xc3\xa9\"]", true },
	{ "nothing", "", false },
	{ "blanks alone", "  ", false },
	{ "another value behind", "{}{}", false },
	{ "text behind", "[1]x", false },
	{ "byte order mark", "\xef\xbb\xbf[]", false },
	{ "comma at the end", "[1,]", false },
	{ "comma at the front", "[,1]", false },
	{ "no comma", "[1 2]", false },
	{ "comma at the end of an object", "{\"a\":1,}", false },
	{ "a name alone", "{\"a\"}", false },
	{ "a name without value", "{\"a\":}", false },
	{ "a value without name", "{1}", false },
	{ "a name that is no string", "{a:1}", false },
	{ "a name in an array", "[\"a\":1]", false },
	{ "closed by the other bracket", "[1}", false },
	{ "closed by the other bracket, empty", "{]", false },
	{ "closed crosswise", "[{\"a\":[1}]]", false },
	{ "closed twice", "[]]", false },
	{ "RFC 8259 s6 NaN", "[NaN]", false },
	{ "RFC 8259 s6 Infinity", "[-Infinity]", false },
	{ "leading zero", "[01]", false },
	{ "leading plus", "[+1]", false },
	{ "leading dot", "[.5]", false },
	{ "trailing dot", "[1.]", false },
	{ "an exponent without digits", "[1e]", false },
	{ "minus alone", "[-]", false },
	{ "hexadecimal", "[0x1]", false },
	{ "literal in capitals", "[True]", false },
	{ "half a literal", "[nul]", false },
	{ "single quotes", "['a']", false },
	{ "a control in a string", "[\"\n\"]", false },
	{ "unknown escape", "[\"\\x41\"]", false },
	{ "three digits of an escape", "[\"\\u123\"]", false },
	{ "comment", "[1/**/]", false },
	{ "form feed is no blank", "[\f1]", false },
};

static void
judges(void **state)
{
	const struct text_case *c = *state;

	assert_int_equal(jgrammar_is_json(span_str(c->text)), c->good);
}

static void
mutations(void **state)
{
	struct span whole = span_str("{\"a\":[-1.5e3,\"\\u00e9\\\\\",{\"\":null}]}");

	(void)state;
	no_prefix_is_taken(jgrammar_is_json, whole);
	assert_in_range(survives_bit_flips(jgrammar_is_json, whole), 1, whole.len * 8 - 1);
	assert_false(jgrammar_is_json(span_of(NULL, 0)));
	assert_false(jgrammar_is_json(span_of("[\0]", 3)));
	assert_false(jgrammar_is_json(span_of("[\"\\\0\"]", 6)));
}

/* Half of the text opens brackets: as deep as a text can be. */
static void
depth(void **state)
{
	enum { HALF = JGRAMMAR_MAX_BYTES / 2 };
	char *text = malloc(2 * HALF + 1);

	(void)state;
	assert_non_null(text);
	memset(text, '[', HALF);
	memset(text + HALF, ']', HALF + 1);
	assert_true(jgrammar_is_json(span_of(text, 2 * HALF)));
	assert_false(jgrammar_is_json(span_of(text, 2 * HALF - 1)));
	assert_false(jgrammar_is_json(span_of(text, 2 * HALF + 1)));
	memset(text, '[', 2 * HALF);
	assert_false(jgrammar_is_json(span_of(text, 2 * HALF)));
	free(text);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(text_cases) + 2];
	size_t n = 0;

	ROWS(tests, n, text_cases, judges);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(mutations);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(depth);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
