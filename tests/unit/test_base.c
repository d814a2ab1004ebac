/* fault, buf, b64, der */
#include "stir/b64.h"
#include "stir/der.h"
#include "tests/unit/cm.h"

static struct b64_case {
	const char *name;
	enum b64_form form;
	const char *bytes, *text;
} b64_cases[] = {
	/* RFC 4648 section 10 */
	{ "empty", B64_STD, "", "" },
	{ "one", B64_STD, "f", "Zg==" },
	{ "two", B64_STD, "fo", "Zm8=" },
	{ "three", B64_STD, "foo", "Zm9v" },
	{ "six", B64_STD, "foobar", "Zm9vYmFy" },
	{ "url one", B64_URL, "f", "Zg" },
	{ "url alphabet", B64_URL, "\xfb\xff", "-_8" },
	{ "std alphabet", B64_STD_BARE, "\xfb\xff", "+/8" },
};

static void
b64_both_ways(void **state)
{
	const struct b64_case *c = *state;
	AUTO_BUF out = BUF_INIT(100), back = BUF_INIT(100);
	struct fault f = { 0 };

	b64_encode(&out, c->form, span_str(c->bytes));
	assert_string_equal(buf_text(&out), c->text);
	assert_int_equal(b64_decode(&back, c->form, span_str(c->text), &f), RC_OK);
	assert_string_equal(buf_text(&back), c->bytes);
}

/* RFC 4648 s4 */
static void
b64_refuses(void **state)
{
	static const struct {
		enum b64_form form;
		const char *text;
	} bad[] = {
		{ B64_STD, "Zg" },
		{ B64_STD, "Zg=" },
		{ B64_STD, "Zh==" },
		{ B64_STD, "Z===" },
		{ B64_STD, "Zm9v\n" },
		{ B64_URL, "Zg==" },
		{ B64_URL, "Zh" },
		{ B64_URL, "Z" },
		{ B64_URL, "+/8" },
		{ B64_STD_BARE, "-_8" },
		{ B64_URL, " Zg" },
		{ B64_STD, "Zg==Zg==" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO_BUF out = BUF_INIT(100);
		struct fault f = { 0 };

		assert_int_equal(
		    b64_decode(&out, bad[i].form, span_str(bad[i].text), &f), RC_INVALID);
		assert_string_equal(f.reason, "base64");
	}
}

static void
buf_has_a_ceiling(void **state)
{
	AUTO_BUF b = BUF_INIT(4);
	struct fault f = { 0 };

	(void)state;
	buf_str(&b, "1234");
	assert_int_equal(buf_check(&b, &f), RC_OK);
	assert_string_equal(buf_text(&b), "1234");
	buf_byte(&b, '5');
	assert_int_equal(buf_check(&b, &f), RC_INVALID);
	assert_string_equal(f.reason, "too_large");
	assert_int_equal(b.len, 4);
}

static void
first_fault_wins(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(FAULT(&f, RC_DENIED, "first", "a"), RC_DENIED);
	assert_int_equal(FAULT(&f, RC_INVALID, "second", "b"), RC_INVALID);
	assert_string_equal(f.reason, "first");
	assert_int_equal(f.rc, RC_DENIED);
	assert_int_equal(reason_status("tn_not_authorized"), 403);
	assert_int_equal(reason_status("hsm_timeout"), 503);
	assert_int_equal(reason_status("no such token"), 500);
}

static void
der_lengths(void **state)
{
	static const struct {
		const char *name;
		uint8_t der[8];
		size_t len;
		const char *reason;
	} cases[] = {
		{ "short", { 0x04, 0x01, 0xaa }, 3, NULL },
		{ "indefinite", { 0x04, 0x80, 0x00, 0x00 }, 4, "der_length" },
		{ "long form of a short length", { 0x04, 0x81, 0x01, 0xaa }, 4, "der_length" },
		{ "leading zero", { 0x04, 0x82, 0x00, 0x80 }, 4, "der_length" },
		{ "truncated", { 0x04, 0x02, 0xaa }, 3, "der_length" },
		{ "no length", { 0x04 }, 1, "der_length" },
		{ "empty", { 0 }, 0, "der_tag" },
		{ "high tag", { 0x1f, 0x01, 0xaa }, 3, "der_tag" },
		{ "wrong tag", { 0x02, 0x01, 0xaa }, 3, "der_tag" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct span in = span_of(cases[i].der, cases[i].len), out = { 0 };
		struct fault f = { 0 };
		enum rc rc = der_expect(&in, DER_OCTET_STRING, &out, &f);

		assert_int_equal(rc, cases[i].reason == NULL ? RC_OK : RC_INVALID);
		if (cases[i].reason != NULL)
			assert_string_equal(f.reason, cases[i].reason);
	}
}

static void
der_integers(void **state)
{
	static const uint64_t values[] = { 0, 1, 127, 128, 255, 256, 0x7fffffffffffffff };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		AUTO_BUF out = BUF_INIT(32);
		struct span in;
		uint64_t back = 1;
		struct fault f = { 0 };

		der_put_uint(&out, values[i]);
		in = buf_view(&out);
		assert_int_equal(der_uint(&in, &back, &f), RC_OK);
		assert_true(back == values[i]);
		assert_int_equal(in.len, 0);
	}
}

static void
buf_numbers(void **state)
{
	static const struct {
		int64_t n;
		const char *text;
	} rows[] = { { 0, "0" }, { 9, "9" }, { 10, "10" }, { -1, "-1" },
		{ INT64_MAX, "9223372036854775807" }, { INT64_MIN, "-9223372036854775808" } };
	static const uint8_t bytes[] = { 0x00, 0x9f, 0xf0 };
	AUTO_BUF b = BUF_INIT(40), small = BUF_INIT(5);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&b);
		buf_int(&b, rows[i].n);
		assert_string_equal(buf_text(&b), rows[i].text);
	}
	buf_clear(&b);
	buf_uint(&b, UINT64_MAX);
	buf_hex(&b, span_of(NULL, 0));
	buf_hex(&b, span_of(bytes, sizeof bytes));
	assert_string_equal(buf_text(&b), "18446744073709551615009ff0");
	buf_hex(&small, span_of(bytes, sizeof bytes));
	assert_int_equal(small.rc, RC_BUSY);
	assert_int_equal(small.len, 0);
}

/* In place as elsewhere, for every length around the groups and behind any prefix. */
static void
b64_in_place(void **state)
{
	uint8_t bytes[97];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 37 + 5);
	for (size_t n = 0; n <= sizeof bytes; n++) {
		AUTO_BUF a = BUF_INIT(400), b = BUF_INIT(400);

		for (size_t i = 0; i < n % 5; i++) {
			buf_byte(&a, 'x');
			buf_byte(&b, 'x');
		}
		b64_encode(&a, B64_URL, span_of(bytes, n));
		buf_put(&b, bytes, n);
		b64_encode_from(&b, B64_URL, n % 5);
		assert_true(span_eq(buf_view(&a), buf_view(&b)));
	}
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(b64_cases) + 7];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(b64_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = b64_cases[i].name,
			.test_func = b64_both_ways,
			.initial_state = &b64_cases[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(b64_refuses);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(b64_in_place);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(buf_numbers);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(buf_has_a_ceiling);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(first_fault_wins);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(der_lengths);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(der_integers);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
