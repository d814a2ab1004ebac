/* tnset: merged intervals, membership, subsets, intersections */
#include "stir/tnset.h"
#include "tests/unit/mutate.h"

enum { MAX = 16 };

/* A set of configuration text, separated by blanks. */
static struct tnset *
set_of(const char *text)
{
	struct tn_interval at[MAX];
	struct tnset *set = NULL;
	size_t n = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		assert_true(n < MAX);
		assert_int_equal(tnset_parse(span_of(text, len), &at[n++], NULL), RC_OK);
		text += len + (text[len] == ' ' ? 1 : 0);
	}
	assert_int_equal(tnset_build(at, n, &set, NULL), RC_OK);
	return set;
}

static struct parse_case {
	const char *name, *text;
	bool good;
} parse_cases[] = {
	{ "one", "12025550100", true },
	{ "range", "12025550110-12025550119", true },
	{ "range of one", "911-911", true },
	{ "star", "*67", true },
	{ "whole block", "00-99", true },
	{ "empty", "", false },
	{ "backwards", "12025550119-12025550110", false },
	{ "other length", "99-100", false },
	{ "star in a range", "*10-*19", false },
	{ "hash at the end of a range", "10-1#", false },
	{ "no end", "12025550110-", false },
	{ "no start", "-12025550110", false },
	{ "three", "1-2-3", false },
	{ "blank", "1 - 2", false },
	{ "plus", "+12025550100", false },
};

static void
parse(void **state)
{
	const struct parse_case *c = *state;
	struct tn_interval i = { 7, 7 };
	struct fault f = { 0 };
	enum rc rc = tnset_parse(span_str(c->text), &i, &f);

	assert_int_equal(rc, c->good ? RC_OK : RC_INVALID);
	if (c->good) {
		assert_true(i.lo <= i.hi);
		return;
	}
	assert_string_equal(f.reason, "invalid_tn");
	assert_true(i.lo == 7 && i.hi == 7);
}

static struct merge_case {
	const char *name, *text;
	size_t intervals;
	uint64_t count;
} merge_cases[] = {
	{ "empty", "", 0, 0 },
	{ "neighbours join", "10-19 20-29", 1, 20 },
	{ "in any order", "20-29 10-19", 1, 20 },
	{ "a gap stays", "10-19 21-29", 2, 19 },
	{ "overlap (D-55)", "10-19 15-25", 1, 16 },
	{ "inside", "10-29 15-16", 1, 20 },
	{ "inside, then a neighbour of the outer", "10-29 15-16 30", 1, 21 },
	{ "duplicates", "911 911 911", 1, 1 },
	{ "lengths do not join", "99 000", 2, 2 },
	{ "stars do not join (D-02)", "1* 1#", 2, 2 },
	{ "stars once", "1* 1*", 1, 1 },
	{ "star beside digits", "19 1* 20", 2, 3 },
	{ "largest", "000000000000000-999999999999999", 1, 1000000000000000 },
};

static void
merges(void **state)
{
	const struct merge_case *c = *state;
	AUTO(tnset) *set = set_of(c->text);

	assert_int_equal(tnset_len(set), c->intervals);
	assert_true(tnset_count(set) == c->count);
	for (size_t i = 1; i < tnset_len(set); i++)
		assert_true(tnset_at(set, i - 1).hi < tnset_at(set, i).lo);
}

static bool
has(const struct tnset *set, const char *text)
{
	struct tn tn = { 0 };

	assert_int_equal(tn_exact(span_str(text), &tn, NULL), RC_OK);
	return tnset_has(set, tn_key(&tn));
}

static void
membership_ends_where_the_interval_does(void **state)
{
	AUTO(tnset) *set = set_of("12025550110-12025550119 911 *67 00-98");
	AUTO(tnset) *none = set_of("");

	(void)state;
	assert_true(has(set, "12025550110") && has(set, "12025550119") && has(set, "911"));
	assert_true(has(set, "*67") && has(set, "00") && has(set, "98"));
	assert_false(has(set, "12025550109") || has(set, "12025550120"));
	assert_false(has(set, "0911") || has(set, "9") || has(set, "#67") || has(set, "99"));
	assert_false(has(set, "0*") || has(set, "2025550110"));
	assert_false(has(none, "911"));
}

static struct pair_case {
	const char *name, *a, *b;
	bool within;
	const char *both, *either, *rest; /* rest: a without b */
} pair_cases[] = {
	{ "equal", "10-19", "10-19", true, "10-19", "10-19", "" },
	{ "subset", "12-13", "10-19", true, "12-13", "10-19", "" },
	{ "superset", "10-19", "12-13", false, "12-13", "10-19", "10-11 14-19" },
	{ "one too low", "09-12", "10-19", false, "10-12", "09-19", "09" },
	{ "one too high", "15-20", "10-19", false, "15-19", "10-20", "20" },
	{ "over two merged parts", "12-25", "10-19 20-29", true, "12-25", "10-29", "" },
	{ "over a gap", "12-25", "10-19 21-29", false, "12-19 21-25", "10-29", "20" },
	{ "apart", "10-19", "30-39", false, "", "10-19 30-39", "10-19" },
	{ "other length", "010-019", "10-19", false, "", "10-19 010-019", "010-019" },
	{ "empty in anything", "", "10", true, "", "10", "" },
	{ "anything in empty", "10", "", false, "", "10", "10" },
	{ "star", "*67", "*67 10", true, "*67", "10 *67", "" },
	{ "star from digits", "*67 10", "10", false, "10", "10 *67", "*67" },
	{ "many", "1 3 5 7 9", "2-6 9", false, "3 5 9", "1 2-7 9", "1 7" },
	{ "holes at both ends", "10-19 30-39", "10 19-30 39", false, "10 19 30 39", "10-39",
	    "11-18 31-38" },
	{ "one hole in each of several", "10-19 30-39 50-59", "15 35 55", false, "15 35 55",
	    "10-19 30-39 50-59", "10-14 16-19 30-34 36-39 50-54 56-59" },
	{ "to the end of its length", "90-99 000", "95-99", false, "95-99", "90-99 000",
	    "90-94 000" },
};

static bool
same(const struct tnset *a, const struct tnset *b)
{
	return tnset_len(a) == tnset_len(b) && tnset_within(a, b) && tnset_within(b, a);
}

static void
joined_and_cut(const struct pair_case *c, const struct tnset *a, const struct tnset *b)
{
	AUTO(tnset) *either = NULL, *swapped = NULL, *rest = NULL;
	AUTO(tnset) *want_either = set_of(c->either), *want_rest = set_of(c->rest);

	assert_int_equal(tnset_union(a, b, &either, NULL), RC_OK);
	assert_int_equal(tnset_union(b, a, &swapped, NULL), RC_OK);
	assert_int_equal(tnset_subtract(a, b, &rest, NULL), RC_OK);
	assert_true(same(either, want_either) && same(swapped, want_either));
	assert_true(same(rest, want_rest));
	assert_int_equal(tnset_count_beyond(a, b), tnset_count(want_rest));
}

/* They meet where they have something in common, first where that begins. */
static void
met(const struct tnset *a, const struct tnset *b, const struct tnset *both)
{
	struct tn_interval common = { 0, 0 };

	assert_int_equal(tnset_meets(a, b, &common), tnset_len(both) > 0);
	if (tnset_len(both) > 0) {
		assert_int_equal(common.lo, tnset_at(both, 0).lo);
		assert_true(common.hi <= tnset_at(both, 0).hi);
	}
}

static void
pairs(void **state)
{
	const struct pair_case *c = *state;
	AUTO(tnset) *a = set_of(c->a), *b = set_of(c->b), *want = set_of(c->both);
	AUTO(tnset) *both = NULL, *swapped = NULL;

	assert_int_equal(tnset_within(a, b), c->within);
	assert_int_equal(tnset_intersect(a, b, &both, NULL), RC_OK);
	assert_int_equal(tnset_intersect(b, a, &swapped, NULL), RC_OK);
	assert_true(tnset_within(both, want) && tnset_within(want, both));
	assert_true(tnset_within(swapped, want) && tnset_within(want, swapped));
	joined_and_cut(c, a, b);
	met(a, b, both);
	met(b, a, both);
}

static void
none_is_the_empty_set(void **state)
{
	AUTO(tnset) *some = set_of("10-19"), *both = NULL, *rest = NULL, *none = NULL;

	(void)state;
	assert_int_equal(tnset_union(NULL, some, &both, NULL), RC_OK);
	assert_int_equal(tnset_subtract(some, NULL, &rest, NULL), RC_OK);
	assert_int_equal(tnset_subtract(NULL, some, &none, NULL), RC_OK);
	assert_true(same(both, some) && same(rest, some));
	assert_int_equal(tnset_len(none), 0);
}

/* Text that is read is the text that is written. */
static void
written_as_it_is_read(void **state)
{
	static const char *const texts[] = { "911", "*67", "12025550110-12025550119", "00-99",
		"000000000000000-999999999999999", "0#" };
	char text[TNSET_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct tn_interval in = { 0 };

		assert_int_equal(tnset_parse(span_str(texts[i]), &in, NULL), RC_OK);
		tnset_text(in, text);
		assert_string_equal(text, texts[i]);
	}
}

static void
refuses_what_is_no_interval(void **state)
{
	static const struct tn_interval bad[] = {
		{ 0, 0 },
		{ UINT64_C(2) << 60 | 19, UINT64_C(2) << 60 | 10 },
		{ UINT64_C(2) << 60 | 10, UINT64_C(3) << 60 | 10 },
		{ UINT64_C(2) << 60 | 10, UINT64_C(2) << 60 | 100 },
		{ UINT64_C(2) << 60 | UINT64_C(1) << 59 | 10,
		    UINT64_C(2) << 60 | UINT64_C(1) << 59 | 11 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct tnset *set = NULL;
		struct fault f = { 0 };

		assert_int_equal(tnset_build(&bad[i], 1, &set, &f), RC_BUG);
		assert_string_equal(f.reason, "tnset_interval");
		assert_null(set);
	}
}

/* Membership by search agrees with membership by looking at every interval (RFC 8226 s9). */
static void
search_agrees_with_a_scan(void **state)
{
	enum { N = 500, SPAN = 4000 };
	static struct tn_interval at[N];
	AUTO(tnset) *set = NULL;
	uint64_t base = UINT64_C(5) << 60, x = 88172645463325252;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		at[i].lo = base | x % SPAN;
		at[i].hi = at[i].lo + x / SPAN % 5;
	}
	assert_int_equal(tnset_build(at, N, &set, NULL), RC_OK);
	for (uint64_t key = base; key < base + SPAN + 10; key++) {
		bool found = false;

		for (size_t i = 0; i < N && !found; i++)
			found = key >= at[i].lo && key <= at[i].hi;
		assert_int_equal(tnset_has(set, key), found);
	}
}

/* A search through many for each of a few says what going through all of them would. */
static void
few_and_many(void **state)
{
	enum { MANY = 2000, FEW = 7, SPAN = 3 * MANY };
	static struct tn_interval many[MANY], few[FEW];
	AUTO(tnset) *a = NULL, *b = NULL, *both = NULL, *swapped = NULL;
	uint64_t base = tn_key(&(struct tn){ .len = 6, .text = "200000" }), n = 0;
	unsigned x = 12345;

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		many[i].lo = many[i].hi = base + 3 * i;
	for (size_t i = 0; i < FEW; i++) {
		x = x * 1103515245 + 12345;
		few[i].lo = base + x / 65536 % SPAN;
		few[i].hi = few[i].lo + i;
	}
	assert_int_equal(tnset_build(many, MANY, &a, NULL), RC_OK);
	assert_int_equal(tnset_build(few, FEW, &b, NULL), RC_OK);
	assert_int_equal(tnset_intersect(a, b, &both, NULL), RC_OK);
	assert_int_equal(tnset_intersect(b, a, &swapped, NULL), RC_OK);
	assert_true(same(both, swapped));
	for (uint64_t key = base; key < base + SPAN + FEW; key++) {
		bool in = tnset_has(a, key) && tnset_has(b, key);

		assert_int_equal(tnset_has(both, key), in);
		n += in;
	}
	assert_true(n > 0);
	assert_int_equal(tnset_count(both), n);
	assert_int_equal(tnset_count_beyond(a, b), tnset_count(a) - n);
	assert_int_equal(tnset_count_beyond(b, a), tnset_count(b) - n);
	assert_int_equal(tnset_count_beyond(NULL, a), 0);
	assert_int_equal(tnset_count_beyond(a, NULL), MANY);
}

int
main(void)
{
	struct CMUnitTest
	    tests[ARRAY_LEN(parse_cases) + ARRAY_LEN(merge_cases) + ARRAY_LEN(pair_cases) + 6];
	size_t n = 0;

	ROWS(tests, n, parse_cases, parse);
	ROWS(tests, n, merge_cases, merges);
	ROWS(tests, n, pair_cases, pairs);
	tests[n++] =
	    (struct CMUnitTest)cmocka_unit_test(membership_ends_where_the_interval_does);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(none_is_the_empty_set);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(written_as_it_is_read);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(refuses_what_is_no_interval);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(search_agrees_with_a_scan);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(few_and_many);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
