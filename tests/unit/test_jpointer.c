/* jpointer: RFC 6901's own table, and what names nothing */
#include "stir/jpointer.h"

#include "tests/unit/mutate.h"
#include "tests/unit/spec.h"

/* RFC 6901 section 5 */
static const char rfc[] = "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,"
			  "\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8}";

static struct find_case {
	const char *name, *pointer;
	const char *text; /* NULL: names nothing */
} find_cases[] = {
	{ "RFC 6901 s5: whole", "", rfc },
	{ "RFC 6901 s5: foo", "/foo", "[\"bar\",\"baz\"]" },
	{ "RFC 6901 s5: foo/0", "/foo/0", "\"bar\"" },
	{ "RFC 6901 s5: empty token", "/", "0" },
	{ "RFC 6901 s5: a~1b", "/a~1b", "1" },
	{ "RFC 6901 s5: c%d", "/c%d", "2" },
	{ "RFC 6901 s5: e^f", "/e^f", "3" },
	{ "RFC 6901 s5: g|h", "/g|h", "4" },
	{ "RFC 6901 s5: i\\j", "/i\\j", "5" },
	{ "RFC 6901 s5: k\"l", "/k\"l", "6" },
	{ "RFC 6901 s5: space", "/ ", "7" },
	{ "RFC 6901 s5: m~0n", "/m~0n", "8" },
	{ "behind the last", "/foo/2", NULL },
	{ "no leading zero", "/foo/00", NULL },
	{ "leading zero", "/foo/01", NULL },
	{ "minus names no element", "/foo/-", NULL },
	{ "signed index", "/foo/+1", NULL },
	{ "negative index", "/foo/-1", NULL },
	{ "index of six digits", "/foo/000001", NULL },
	{ "index that would wrap", "/foo/18446744073709551616", NULL },
	{ "empty index", "/foo/", NULL },
	{ "index with a space", "/foo/ 1", NULL },
	{ "hexadecimal index", "/foo/0x1", NULL },
	{ "into a string", "/foo/0/0", NULL },
	{ "into a number", "/a~1b/0", NULL },
	{ "another member", "/fo", NULL },
	{ "longer member", "/foo0", NULL },
	{ "~01 is ~1", "/m~01n", NULL },
	{ "unescaped slash", "/a/b", NULL },
	{ "two slashes", "//foo", NULL },
};

static void
finds(void **state)
{
	const struct find_case *c = *state;
	json_auto_t *value = NULL, *want = NULL;
	const json_t *got = NULL;

	assert_int_equal(jtext_read(span_str(rfc), &value, NULL), RC_OK);
	assert_true(jpointer_is_valid(c->pointer));
	assert_int_equal(jpointer_find(value, c->pointer, &got, NULL), RC_OK);
	if (c->text == NULL) {
		assert_null(got);
		return;
	}
	assert_int_equal(jtext_read(span_str(c->text), &want, NULL), RC_OK);
	assert_true(json_equal(got, want));
}

static void
syntax(void **state)
{
	static const char *const wrong[] = { "foo", "~", "/~", "/~2", "/a~", "/a~/b", "/~~0",
		"0", "#/foo", " /foo" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(jpointer_is_valid(wrong[i]));
}

static void
escapes(void **state)
{
	AUTO_BUF text = BUF_INIT(64);

	(void)state;
	jpointer_put(&text, "a/b");
	jpointer_put(&text, "m~n");
	jpointer_put(&text, "");
	jpointer_put(&text, "~1");
	assert_string_equal(buf_text(&text), "/a~1b/m~0n//~01");
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(find_cases) + 2];
	size_t n = 0;

	ROWS(tests, n, find_cases, finds);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(syntax);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(escapes);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
