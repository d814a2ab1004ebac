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
	const char *both;
} pair_cases[] = {
	{ "equal", "10-19", "10-19", true, "10-19" },
	{ "subset", "12-13", "10-19", true, "12-13" },
	{ "one too low", "09-12", "10-19", false, "10-12" },
	{ "one too high", "15-20", "10-19", false, "15-19" },
	{ "over two merged parts", "12-25", "10-19 20-29", true, "12-25" },
	{ "over a gap", "12-25", "10-19 21-29", false, "12-19 21-25" },
	{ "apart", "10-19", "30-39", false, "" },
	{ "other length", "010-019", "10-19", false, "" },
	{ "empty in anything", "", "10", true, "" },
	{ "anything in empty", "10", "", false, "" },
	{ "star", "*67", "*67 10", true, "*67" },
	{ "many", "1 3 5 7 9", "2-6 9", false, "3 5 9" },
};

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

int
main(void)
{
	struct CMUnitTest
	    tests[ARRAY_LEN(parse_cases) + ARRAY_LEN(merge_cases) + ARRAY_LEN(pair_cases) + 3];
	size_t n = 0;

	ROWS(tests, n, parse_cases, parse);
	ROWS(tests, n, merge_cases, merges);
	ROWS(tests, n, pair_cases, pairs);
	tests[n++] =
	    (struct CMUnitTest)cmocka_unit_test(membership_ends_where_the_interval_does);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(refuses_what_is_no_interval);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(search_agrees_with_a_scan);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
