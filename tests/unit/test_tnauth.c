/* tnauth: TNAuthList of RFC 8226 section 9 */
#include "stir/tnauth.h"

#include "stir/der.h"
#include "tests/unit/mutate.h"

/* pyasn1-modules, tests/test_rfc8226.py: one of each kind */
#define PYASN1 \
	"302ba0071605626f677573a1123010160a35373135353531323132020203" \
	"14a20c160a37303335353531323132"

static struct decode_case {
	const char *name, *hex;
	bool all_nines;
	const char *reason; /* NULL: decodes */
	size_t len;
	uint64_t numbers;
} decode_cases[] = {
	/* draft-wendt-stir-tn-domain-binding, appendix */
	{ "published spc", "3008a006160431323334", false, NULL, 1, 0 },
	{ "published one", "300fa20d160b3132303135353530313030", false, NULL, 1, 1 },
	{ "published all kinds", PYASN1, false, NULL, 3, 789 },
	{ "range to 98", "300ba1093007160231300201 59", false, NULL, 1, 89 },
	{ "range to all nines, allowed (D-03)", "300ba10930071602313002015a", true, NULL, 1,
	    90 },
	{ "a component behind the count (D-04)", "300ea10c300a16023130020102 040100", false,
	    NULL, 1, 2 },
	{ "duplicates (D-55)", "300c a204160231 31 a204160231 31", false, NULL, 2, 1 },
	{ "star", "3007a2051603 2a3637", false, NULL, 1, 1 },
	{ "fifteen digits", "3013a211160f313233343536373839303132333435", false, NULL, 1, 1 },
	{ "empty list", "3000", false, "tnauth_empty", 0, 0 },
	{ "nothing", "", false, "der_tag", 0, 0 },
	{ "not a sequence", "3108a006160431323334", false, "der_tag", 0, 0 },
	{ "behind the list", "3008a006160431323334 00", false, "der_trailing", 0, 0 },
	{ "implicit spc", "3006800431323334", false, "tnauth_choice", 0, 0 },
	{ "implicit one (RFC 8226 s9)", "300482023931", false, "tnauth_choice", 0, 0 },
	{ "implicit range", "3009a107 16023130 020102", false, "tnauth_choice", 0, 0 },
	{ "implicit range, primitive", "3009 8107 16023130 020102", false, "tnauth_choice", 0,
	    0 },
	{ "choice 3 (RFC 8226 s9)", "3006a30416023931", false, "tnauth_choice", 0, 0 },
	{ "bare string", "300416023931", false, "tnauth_choice", 0, 0 },
	{ "a URL where an entry is due", "3010 160e 68747470733a2f2f612e622f6364", false,
	    "tnauth_choice", 0, 0 },
	{ "as libstirshaken's certificate has it: a URL",
	    "16316361 2e7368616b656e2e7369676e616c776972652e636c6f7564 2f7374692d63612f61636d65"
	    "2f544e417574684c697374",
	    false, "der_tag", 0, 0 },
	{ "spc as UTF8String", "3008a0060c0431323334", false, "der_tag", 0, 0 },
	{ "empty spc (D-06)", "3004a0021600", false, "tnauth_spc", 0, 0 },
	{ "spc with a control", "3006a0041602310a", false, "tnauth_spc", 0, 0 },
	{ "spc with NUL", "3006a00416023100", false, "tnauth_spc", 0, 0 },
	{ "spc not ASCII", "3006a004160231e9", false, "tnauth_spc", 0, 0 },
	{ "spc of 33",
	    "3025a0231621"
	    "313131313131313131313131313131313131313131313131313131313131313131",
	    false, "tnauth_spc", 0, 0 },
	{ "empty number", "3004a2021600", false, "tnauth_number", 0, 0 },
	{ "number of 16", "3014a2121610 31323334353637383930313233343536", false,
	    "tnauth_number", 0, 0 },
	{ "number with plus (RFC 8226 s9)", "3006a20416022b31", false, "tnauth_number", 0, 0 },
	{ "number with a letter", "3006a20416023141", false, "tnauth_number", 0, 0 },
	{ "behind the number", "3008a206160239310500", false, "der_trailing", 0, 0 },
	{ "count 1 (RFC 8226 s9)", "300ba1093007160231300201 01", false, "tnauth_count", 0, 0 },
	{ "count 0", "300ba1093007160231300201 00", false, "tnauth_count", 0, 0 },
	{ "count -1", "300ba1093007160231300201 ff", false, "der_integer", 0, 0 },
	{ "no count", "3008a106 3004 16023130", false, "der_tag", 0, 0 },
	{ "count with a leading zero", "300ca10a300816023130 02020002", false, "der_integer", 0,
	    0 },
	{ "count 2^64+2 does not wrap (RFC 8226 s9)",
	    "3013a111300f16023130 0209010000000000000002", false, "der_integer", 0, 0 },
	{ "count 2^63-1", "3012a110300e16023130 02087fffffffffffffff", false,
	    "tnauth_range_end", 0, 0 },
	/* RFC 8226 section 9: its own example of what is invalid */
	{ "start 10, count 91", "300ba10930071602313002015b", false, "tnauth_range_end", 0, 0 },
	{ "start 10, count 91, nines allowed", "300ba10930071602313002015b", true,
	    "tnauth_range_end", 0, 0 },
	{ "range to all nines (D-03)", "300ba10930071602313002015a", false, "tnauth_range_end",
	    0, 0 },
	{ "range from a star", "300ba1093007160231 2a 020102", false, "tnauth_number", 0, 0 },
	{ "extension is not DER", "300da10b300916023130020102 0401", false, "der_length", 0,
	    0 },
	{ "behind the range", "300da10b30071602313002010205 00", false, "der_trailing", 0, 0 },
	{ "long-form length", "308108a006160431323334", false, "der_length", 0, 0 },
	{ "indefinite length", "3080a0061604313233340000", false, "der_length", 0, 0 },
};

static void
decode(void **state)
{
	const struct decode_case *c = *state;
	AUTO(tnauth) *list = NULL;
	uint8_t room[256];
	struct span der = unhex(c->hex, room, sizeof room);
	struct fault f = { 0 };
	enum rc rc = tnauth_decode(der, c->all_nines, &list, &f);

	if (c->reason == NULL) {
		assert_int_equal(rc, RC_OK);
		assert_int_equal(tnauth_len(list), c->len);
		assert_true(tnset_count(tnauth_numbers(list)) == c->numbers);
		return;
	}
	assert_int_equal(rc, RC_INVALID);
	assert_string_equal(f.reason, c->reason);
	assert_null(list);
}

static struct tnauth *
list_of(const char *hex)
{
	struct tnauth *list = NULL;
	uint8_t room[256];

	assert_int_equal(
	    tnauth_decode(unhex(hex, room, sizeof room), false, &list, NULL), RC_OK);
	return list;
}

static struct tn
tn_of(const char *text)
{
	struct tn tn = { 0 };

	assert_int_equal(tn_exact(span_str(text), &tn, NULL), RC_OK);
	return tn;
}

static bool
covers(const struct tnauth *list, const char *text)
{
	struct tn tn = tn_of(text);

	return tnauth_covers(list, &tn);
}

/* D-05 (D-06) */
static void
covers_numbers_and_no_code(void **state)
{
	AUTO(tnauth) *list = list_of(PYASN1);

	(void)state;
	assert_true(covers(list, "5715551212") && covers(list, "5715551999"));
	assert_true(covers(list, "7035551212"));
	assert_false(covers(list, "5715551211") || covers(list, "5715552000"));
	assert_false(covers(list, "15715551212") || covers(list, "571555121"));
	assert_int_equal(tnauth_spcs(list), 1);
	assert_true(tnauth_has_spc(list, "bogus"));
	assert_false(tnauth_has_spc(list, "BOGUS") || tnauth_has_spc(list, "bogu"));
	assert_int_equal(tnauth_at(list, 1)->kind, TNAUTH_RANGE);
	assert_true(tnauth_at(list, 1)->count == 788);
}

static bool
takes(struct span der)
{
	AUTO(tnauth) *list = NULL;

	return tnauth_decode(der, false, &list, NULL) == RC_OK;
}

static void
mutations(void **state)
{
	uint8_t room[256];
	struct span der = unhex(PYASN1, room, sizeof room);

	(void)state;
	no_prefix_is_taken(takes, der);
	assert_true(survives_bit_flips(takes, der) < der.len * 8);
}

/* RFC 8226 s9 */
static void
more_than_the_limit(void **state)
{
	static const uint8_t one[] = { 0xa2, 0x03, 0x16, 0x01, '1' };
	AUTO_BUF seq = BUF_INIT(65536), der = BUF_INIT(65536);
	AUTO(tnauth) *list = NULL;
	struct fault f = { 0 };

	(void)state;
	for (int i = 0; i < TNAUTH_MAX_ENTRIES; i++)
		buf_put(&seq, one, sizeof one);
	der_put(&der, DER_SEQUENCE, buf_view(&seq));
	assert_int_equal(tnauth_decode(buf_view(&der), false, &list, &f), RC_OK);
	assert_int_equal(tnauth_len(list), TNAUTH_MAX_ENTRIES);

	buf_put(&seq, one, sizeof one);
	buf_clear(&der);
	der_put(&der, DER_SEQUENCE, buf_view(&seq));
	tnauth_free(TAKE(list));
	assert_int_equal(tnauth_decode(buf_view(&der), false, &list, &f), RC_INVALID);
	assert_string_equal(f.reason, "tnauth_limit");
}

static void
encodes_what_was_published(void **state)
{
	static const char *const hex[] = { PYASN1, "3008a006160431323334",
		"300fa20d160b3132303135353530313030" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hex); i++) {
		AUTO(tnauth) *list = list_of(hex[i]);
		AUTO_BUF der = BUF_INIT(256);
		uint8_t room[256];

		assert_int_equal(
		    tnauth_encode(&der, tnauth_at(list, 0), tnauth_len(list), NULL), RC_OK);
		assert_true(span_eq(buf_view(&der), unhex(hex[i], room, sizeof room)));
	}
}

static struct encode_case {
	const char *name;
	struct tnauth_entry entry;
	size_t n;
	const char *reason;
} encode_cases[] = {
	{ "encode nothing", { .kind = TNAUTH_ONE }, 0, "tnauth_empty" },
	{ "encode an empty number", { .kind = TNAUTH_ONE }, 1, "tnauth_number" },
	{ "encode an empty spc", { .kind = TNAUTH_SPC }, 1, "tnauth_spc" },
	{ "encode plus", { .kind = TNAUTH_ONE, .start = { 2, "+1" } }, 1, "tnauth_number" },
	{ "encode a wrong length", { .kind = TNAUTH_ONE, .start = { 3, "11" } }, 1,
	    "tnauth_number" },
	{ "encode a range of one", { .kind = TNAUTH_RANGE, .start = { 2, "11" }, .count = 1 },
	    1, "tnauth_count" },
	{ "encode a range to nines",
	    { .kind = TNAUTH_RANGE, .start = { 2, "11" }, .count = 89 }, 1,
	    "tnauth_range_end" },
	{ "encode a count that wraps",
	    { .kind = TNAUTH_RANGE, .start = { 2, "11" }, .count = UINT64_MAX - 5 }, 1,
	    "tnauth_range_end" },
	{ "encode kind 3", { .kind = (enum tnauth_kind)3 }, 1, "tnauth_choice" },
};

static void
encode_refuses(void **state)
{
	const struct encode_case *c = *state;
	AUTO_BUF der = BUF_INIT(256);
	struct fault f = { 0 };

	assert_int_equal(tnauth_encode(&der, &c->entry, c->n, &f), RC_INVALID);
	assert_string_equal(f.reason, c->reason);
}

static struct from_case {
	const char *name;
	struct {
		const char *lo, *hi;
	} in[3];
	const char *hex;
} from_cases[] = {
	{ "ranges before ones", { { "11", "11" }, { "911", "913" }, { "112", "112" } },
	    "3019 a10a 3008 1603393131 020103 a2041602 3131 a205 1603 313132" },
	{ "neighbours become a range", { { "11", "11" }, { "12", "12" } },
	    "300b a109 3007 1602 3131 0201 02" },
	{ "to all nines", { { "90", "99" } },
	    "3011 a109 3007 1602 3930 0201 09 a204 1602 3939" },
	{ "two to all nines", { { "98", "99" } }, "300c a204 1602 3938 a204 1602 3939" },
	{ "stars are ones", { { "1*", "1*" }, { "1#", "1#" } },
	    "300c a204 1602 312a a204 1602 3123" },
};

static void
from_set(void **state)
{
	const struct from_case *c = *state;
	AUTO(tnset) *set = NULL;
	AUTO(tnauth) *list = NULL;
	AUTO_FREE struct tnauth_entry *entry = NULL;
	AUTO_BUF der = BUF_INIT(256);
	struct tn_interval at[3];
	struct fault f = { 0 };
	uint8_t room[256];
	size_t n = 0, entries = 0;

	for (; n < 3 && c->in[n].lo != NULL; n++) {
		struct tn lo = tn_of(c->in[n].lo), hi = tn_of(c->in[n].hi);

		at[n] = (struct tn_interval){ tn_key(&lo), tn_key(&hi) };
	}
	assert_int_equal(tnset_build(at, n, &set, NULL), RC_OK);
	assert_int_equal(tnauth_from_set(set, 10, &entry, &entries, NULL), RC_OK);
	assert_int_equal(tnauth_encode(&der, entry, entries, NULL), RC_OK);
	assert_true(span_eq(buf_view(&der), unhex(c->hex, room, sizeof room)));
	/* And back: the same numbers, no more. */
	assert_int_equal(tnauth_decode(buf_view(&der), false, &list, NULL), RC_OK);
	assert_true(tnset_within(set, tnauth_numbers(list)));
	assert_true(tnset_within(tnauth_numbers(list), set));
	free(TAKE(entry));
	assert_int_equal(tnauth_from_set(set, entries - 1, &entry, &entries, &f), RC_INVALID);
	assert_string_equal(f.reason, "tnauth_limit");
}

static void
from_an_empty_set(void **state)
{
	AUTO(tnset) *set = NULL;
	struct tnauth_entry *entry = NULL;
	struct fault f = { 0 };
	size_t n = 0;

	(void)state;
	assert_int_equal(tnset_build(NULL, 0, &set, NULL), RC_OK);
	assert_int_equal(tnauth_from_set(set, 10, &entry, &n, &f), RC_INVALID);
	assert_string_equal(f.reason, "tnauth_empty");
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(decode_cases) + ARRAY_LEN(encode_cases) +
				ARRAY_LEN(from_cases) + 5];
	size_t n = 0;

	ROWS(tests, n, decode_cases, decode);
	ROWS(tests, n, encode_cases, encode_refuses);
	ROWS(tests, n, from_cases, from_set);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(covers_numbers_and_no_code);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(mutations);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(more_than_the_limit);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(encodes_what_was_published);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(from_an_empty_set);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
