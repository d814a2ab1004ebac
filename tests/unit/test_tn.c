/* tn: canonical numbers, keys, masks */
#include "stir/tn.h"
#include "tests/unit/mutate.h"

static struct canonical_case {
	const char *name, *text;
	const char *tn; /* NULL: refused */
} canonical_cases[] = {
	{ "plain", "12025550100", "12025550100" },
	{ "plus", "+12025550100", "12025550100" },
	{ "separators", "+1 (202) 555-01.00", "12025550100" },
	{ "emergency", "911", "911" },
	{ "one digit", "0", "0" },
	{ "leading zeros stay", "0049 30 1", "0049301" },
	{ "service code", "*67", "*67" },
	{ "hash", "#31#", "#31#" },
	{ "fifteen", "123456789012345", "123456789012345" },
	{ "fifteen with separators", "+123-456-789-012-345", "123456789012345" },
	{ "empty", "", NULL },
	{ "only plus", "+", NULL },
	{ "only separators", "()- .", NULL },
	{ "sixteen", "1234567890123456", NULL },
	{ "two plus", "++12025550100", NULL },
	{ "plus inside", "1+2025550100", NULL },
	{ "plus behind a blank", " +12025550100", NULL },
	{ "letters", "1800FLOWERS", NULL },
	{ "extension", "12025550100;ext=1", NULL },
	{ "tel URI (RFC 8224 s8.1)", "tel:+12025550100", NULL },
	{ "slash", "1/2025550100", NULL },
	{ "tab", "1\t2025550100", NULL },
	{ "newline", "12025550100\n", NULL },
	{ "no-break space",
	    "1\xc2\xa0"
	    "202",
	    NULL },
	{ "full-width digit", "\xef\xbc\x91", NULL },
	{ "arabic-indic digit", "\xd9\xa1", NULL },
	{ "percent", "%2b1202", NULL },
};

/* RFC 8224 s8.3 */
static void
canonical(void **state)
{
	const struct canonical_case *c = *state;
	struct tn tn = { .len = 99 };
	struct fault f = { 0 };
	enum rc rc = tn_canonical(span_str(c->text), &tn, &f);

	if (c->tn != NULL) {
		assert_int_equal(rc, RC_OK);
		assert_string_equal(tn.text, c->tn);
		assert_int_equal(tn.len, strlen(c->tn));
		return;
	}
	assert_int_equal(rc, RC_INVALID);
	assert_string_equal(f.reason, "invalid_tn");
	assert_int_equal(tn.len, 99); /* untouched */
}

static void
nul_is_no_digit(void **state)
{
	struct tn tn = { 0 };
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(tn_canonical(span_of("12\0", 3), &tn, &f), RC_INVALID);
	assert_int_equal(tn_exact(span_of("12\0", 3), &tn, &f), RC_INVALID);
	assert_int_equal(tn_canonical(span_of(NULL, 0), &tn, &f), RC_INVALID);
}

static void
exact_takes_no_spelling(void **state)
{
	static const char *const bad[] = { "+1", "1 2", "1-2", "(1)", "1.2", "",
		"1234567890123456", "a" };
	struct tn tn = { 0 };
	struct fault f = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(tn_exact(span_str(bad[i]), &tn, &f), RC_INVALID);
	assert_int_equal(tn_exact(span_str("*123#"), &tn, &f), RC_OK);
	assert_string_equal(tn.text, "*123#");
}

static struct tn
tn_of(const char *text)
{
	struct tn tn = { 0 };

	assert_int_equal(tn_exact(span_str(text), &tn, NULL), RC_OK);
	return tn;
}

static void
keys_order_by_length_and_value(void **state)
{
	/* In the order of their keys. */
	static const char *const list[] = { "0", "1", "9", "*", "#", "00", "01", "99", "0*",
		"1*", "**", "##", "911", "00000000000", "12025550100", "12025550101",
		"99999999999", "1202555010*", "000000000000000", "999999999999999",
		"99999999999999*", "###############" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		struct tn tn = tn_of(list[i]), back = { 0 };

		tn_from_key(tn_key(&tn), &back);
		assert_string_equal(back.text, list[i]);
		assert_int_equal(back.len, tn.len);
		assert_int_equal(tn_is_digits(&tn), strpbrk(list[i], "*#") == NULL);
		assert_int_equal(tn_key_is_special(tn_key(&tn)), !tn_is_digits(&tn));
		if (i > 0) {
			struct tn before = tn_of(list[i - 1]);

			assert_true(tn_key(&before) < tn_key(&tn));
		}
	}
}

static void
neighbours_have_neighbouring_keys(void **state)
{
	struct tn a = tn_of("12025550199"), b = tn_of("12025550200"), nines = tn_of("99"),
		  next = tn_of("000");

	(void)state;
	assert_true(tn_key(&a) + 1 == tn_key(&b));
	assert_true(tn_key(&nines) + 1 != tn_key(&next));
}

static void
masks_hide_the_last_four(void **state)
{
	static const char *const pairs[][2] = { { "12025550100", "1202555****" },
		{ "911", "***" }, { "1234", "****" }, { "12345", "1****" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct tn tn = tn_of(pairs[i][0]);

		assert_string_equal(tn_mask(&tn).text, pairs[i][1]);
	}
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(canonical_cases) + 5];
	size_t n = 0;

	ROWS(tests, n, canonical_cases, canonical);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(nul_is_no_digit);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(exact_takes_no_spelling);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(keys_order_by_length_and_value);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(neighbours_have_neighbouring_keys);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(masks_hide_the_last_four);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
