/* shards: which numbers are in which certificate, and that what is where stays there */
#include "agent/shards.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/mutate.h"
#include "tests/unit/rows.h"

enum { MAX = 64 };

/* Of text, separated by blanks, up to a bar. */
static struct tnset *
set_of(const char *text)
{
	struct tn_interval at[MAX];
	struct tnset *set = NULL;
	size_t n = 0;

	while (*text != '\0' && *text != '|') {
		size_t len = strcspn(text, " |");

		assert_true(n < MAX);
		assert_int_equal(tnset_parse(span_of(text, len), &at[n++], NULL), RC_OK);
		text += len + (text[len] == ' ' ? 1 : 0);
	}
	assert_int_equal(tnset_build(at, n, &set, NULL), RC_OK);
	return set;
}

/* "A|B": A is in the first one, B in the second; NULL: there are none. */
static struct shards
shards_of(const char *text)
{
	struct shards s = { .set = calloc(MAX, sizeof(struct tnset *)) };

	assert_non_null(s.set);
	for (bool more = text != NULL; more; text++) {
		s.set[s.len++] = set_of(text);
		text += strcspn(text, "|");
		more = *text == '|';
	}
	return s;
}

static void
text_of(const struct shards *s, char *out, size_t size)
{
	size_t at = 0;

	out[0] = 0;
	for (size_t i = 0; i < s->len; i++) {
		at += (size_t)snprintf(out + at, size - at, "%s", i > 0 ? "|" : "");
		for (size_t k = 0; k < tnset_len(s->set[i]); k++) {
			char one[TNSET_TEXT];

			tnset_text(tnset_at(s->set[i], k), one);
			at += (size_t)snprintf(
			    out + at, size - at, "%s%s", k > 0 ? " " : "", one);
		}
	}
}

static struct divide_case {
	const char *name;
	unsigned most;
	const char *before, *numbers, *after;
	size_t changed, left;
} divide_cases[] = {
	{ "none", 3, NULL, "", "", 0, 0 },
	{ "one in each", 1, NULL, "10 20 30", "10|20|30", 3, 0 },
	{ "all in one", 3, NULL, "10 20 30", "10 20 30", 1, 0 },
	{ "one more than fits", 3, NULL, "10 20 30 40", "10 20 30|40", 2, 0 },
	{ "many", 1000000, NULL, "10 20 30 40-99", "10 20 30 40-99", 1, 0 },
	{ "ranges first", 3, NULL, "10 20-22 30 40", "20-22|10 30 40", 2, 0 },
	{ "the larger range first", 4, NULL, "10-11 20-22 30", "20-22 30|10-11", 2, 0 },
	{ "a range is not cut", 4, NULL, "10-12 20-22", "10-12|20-22", 2, 0 },
	{ "a range larger than one", 4, NULL, "10-18", "10-13|14-17|18", 3, 0 },
	{ "its rest has company", 4, NULL, "10-14 20", "10-13|14 20", 2, 0 },
	{ "the same again", 2, "10 20|30", "10 20 30", "10 20|30", 0, 0 },
	{ "as it was, not as it would be", 2, "30|20 10", "10 20 30", "30|10 20", 0, 0 },
	{ "a removed one leaves a hole", 2, "10 20|30 40", "20 30 40", "20|30 40", 1, 0 },
	{ "all of one removed", 2, "10 20|30 40", "30 40", "|30 40", 1, 0 },
	{ "out of the middle of a range", 9, "10-18", "10-13 15-18", "10-13 15-18", 1, 0 },
	{ "an added one fills the hole", 2, "20|30 40", "20 30 40 50", "20 50|30 40", 1, 0 },
	{ "the least filled", 3, "10 20|30", "10 20 30 40", "10 20|30 40", 1, 0 },
	{ "the first of those alike", 3, "10|30", "10 30 40", "10 40|30", 1, 0 },
	{ "an emptied one", 2, "10 20|", "10 20 40", "10 20|40", 1, 0 },
	{ "a new one", 2, "10 20|30 40", "10 20 30 40 50", "10 20|30 40|50", 1, 0 },
	{ "where something changes anyhow", 3, "10 20 30|40", "10 20 40 50", "10 20 50|40", 1,
	    0 },
	{ "several go together", 3, "10|20", "10 20 30 40", "10 30 40|20", 1, 0 },
	{ "a range that no hole takes", 4, "10 20|30 40", "10 20 30 40 50-52",
	    "10 20|30 40|50-52", 1, 0 },
	{ "joins its neighbours", 4, "10-11", "10-12", "10-12", 1, 0 },
	{ "fewer in one from now on", 2, "10 20 30|40", "10 20 30 40", "10 20|30 40", 2, 0 },
	{ "a range is cut then", 2, "10-12", "10-12", "10-11|12", 2, 0 },
	{ "more in one changes nothing", 9, "10|20", "10 20", "10|20", 0, 0 },
	{ "all others instead", 2, "10 20|30", "50 60 70", "50 60|70", 2, 0 },
	{ "of two lengths", 2, NULL, "10 100", "10 100", 1, 0 },
	{ "beside a star", 2, NULL, "*10 10", "10 *10", 1, 0 },
	{ "too large for all of them", 1, NULL, "10000-29999 5", "5", 1, 1 },
	{ "too many", 1, NULL, "1000-2030", "", 0, 1 },
};

static void
divide(void **state)
{
	const struct divide_case *c = *state;
	struct shards before = shards_of(c->before), after = { 0 };
	AUTO(tnset) *numbers = set_of(c->numbers);
	char text[1024];
	struct fault f = { 0 };
	size_t left = 99;

	assert_int_equal(shards_divide(numbers, c->most, &before, &after, &left, &f), RC_OK);
	text_of(&after, text, sizeof text);
	assert_string_equal(text, c->after);
	assert_int_equal(after.changed, c->changed);
	assert_int_equal(left, c->left);
	shards_done(&before);
	shards_done(&after);
}

/* No numbers at all: they are lost, or were never there. */
static void
without_numbers(void **state)
{
	struct shards before = shards_of("10 20|30"), after = { 0 };
	size_t left = 99;

	(void)state;
	assert_int_equal(shards_divide(NULL, 2, &before, &after, &left, NULL), RC_OK);
	assert_int_equal(after.len, 2);
	assert_int_equal(after.owners, 0);
	assert_int_equal(left, 0);
	assert_int_equal(shards_find(&after, 0), 0);
	shards_done(&before);
	shards_done(&after);
}

static void
a_number_in_two(void **state)
{
	struct shards before = shards_of("10-12 20|30 12"), after = { 0 };
	AUTO(tnset) *numbers = set_of("10-12 20 30");
	struct fault f = { 0 };
	size_t left = 0;

	(void)state;
	assert_int_equal(shards_divide(numbers, 9, &before, &after, &left, &f), RC_INVALID);
	assert_string_equal(f.reason, "shards_overlap");
	assert_null(after.set);
	shards_done(&before);
}

/* As many single numbers as there can be at all, and one more. */
static void
to_the_last_place(void **state)
{
	enum { ALL = SHARDS_MAX * 2 };
	struct tn_interval *at = calloc(ALL + 1, sizeof *at);
	struct shards full = { 0 }, more = { 0 };
	struct tnset *set = NULL;
	struct tn tn = { 0 };
	size_t left = 0;

	(void)state;
	assert_non_null(at);
	assert_int_equal(tn_exact(span_str("12025550000"), &tn, NULL), RC_OK);
	for (size_t i = 0; i <= ALL; i++)
		at[i].lo = at[i].hi = tn_key(&tn) + 2 * i;
	assert_int_equal(tnset_build(at, ALL, &set, NULL), RC_OK);
	assert_int_equal(shards_divide(set, 2, NULL, &full, &left, NULL), RC_OK);
	assert_int_equal(left, 0);
	assert_int_equal(full.len, SHARDS_MAX);
	tnset_free(set);
	assert_int_equal(tnset_build(at, ALL + 1, &set, NULL), RC_OK);
	assert_int_equal(shards_divide(set, 2, &full, &more, &left, NULL), RC_OK);
	assert_int_equal(left, 1);
	assert_int_equal(more.changed, 0);
	tnset_free(set);
	shards_done(&full);
	shards_done(&more);
	free(at);
}

/* Entries are bounded as well: a certificate has to be ordered with them. */
static void
as_many_entries_as_one_takes(void **state)
{
	enum { ALL = SHARDS_MAX_ENTRIES + 1 };
	struct tn_interval *at = calloc(ALL, sizeof *at);
	AUTO(tnset) *set = NULL;
	struct shards s = { 0 };
	struct tn tn = { 0 };
	size_t left = 0;

	(void)state;
	assert_non_null(at);
	assert_int_equal(tn_exact(span_str("12025550000"), &tn, NULL), RC_OK);
	for (size_t i = 0; i < ALL; i++)
		at[i].lo = at[i].hi = tn_key(&tn) + 2 * i;
	assert_int_equal(tnset_build(at, ALL, &set, NULL), RC_OK);
	assert_int_equal(shards_divide(set, SHARDS_MAX_NUMBERS, NULL, &s, &left, NULL), RC_OK);
	assert_int_equal(s.len, 2);
	assert_int_equal(tnset_len(s.set[0]), SHARDS_MAX_ENTRIES);
	assert_int_equal(left, 0);
	shards_done(&s);
	free(at);
}

/* ---- whatever happens ---- */

enum { SPACE = 600, STEPS = 150, FIRST = 1000 };

struct walk {
	bool has[SPACE];
	unsigned most;
	struct shards now;
	uint64_t chance;
};

static uint64_t
key_of(size_t i)
{
	struct tn tn = { 0 };
	char text[8];

	snprintf(text, sizeof text, "%zu", FIRST + i);
	assert_int_equal(tn_exact(span_str(text), &tn, NULL), RC_OK);
	return tn_key(&tn);
}

static struct tnset *
numbers_of(const struct walk *w)
{
	struct tn_interval at[SPACE];
	struct tnset *set = NULL;
	size_t n = 0;

	for (size_t i = 0; i < SPACE; i++) {
		if (w->has[i])
			at[n++] = (struct tn_interval){ key_of(i), key_of(i) };
	}
	assert_int_equal(tnset_build(at, n, &set, NULL), RC_OK);
	return set;
}

/* Below n. */
static size_t
any(struct walk *w, size_t n)
{
	w->chance = w->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (size_t)(w->chance >> 33) % n;
}

/* A few numbers or a range come or go; how many that changes. */
static size_t
change(struct walk *w)
{
	size_t changed = 0;

	for (size_t times = 1 + any(w, 4); times > 0; times--) {
		size_t at = any(w, SPACE), len = any(w, 3) == 0 ? any(w, 40) : 1;
		bool there = any(w, 2) == 0;

		for (size_t i = at; i < at + len && i < SPACE; i++) {
			changed += w->has[i] != there;
			w->has[i] = there;
		}
	}
	return changed;
}

static bool
same(const struct tnset *a, const struct tnset *b)
{
	return tnset_within(a, b) && tnset_within(b, a);
}

/* Every number is in exactly one, and none holds more than it may. */
static void
check_whole(const struct walk *w, const struct shards *s)
{
	uint64_t count = 0;

	for (size_t i = 0; i < s->len; i++) {
		count += tnset_count(s->set[i]);
		assert_true(tnset_count(s->set[i]) <= w->most);
	}
	for (size_t i = 0; i < SPACE; i++) {
		size_t owner = shards_find(s, key_of(i));

		assert_int_equal(owner != 0, w->has[i]);
		assert_true(owner == 0 || tnset_has(s->set[owner - 1], key_of(i)));
		count -= w->has[i];
	}
	assert_int_equal(count, 0);
}

static void
check_step(const struct walk *w, const struct shards *s, size_t changed)
{
	size_t others = 0;

	for (size_t i = 0; i < s->len; i++)
		others +=
		    i < w->now.len ? !same(s->set[i], w->now.set[i]) : tnset_len(s->set[i]) > 0;
	assert_true(others <= changed);
	assert_true(others <= s->changed && s->changed <= changed);
	for (size_t i = 0; i < SPACE; i++) {
		size_t was = shards_find(&w->now, key_of(i));

		if (was != 0 && w->has[i]) /* nothing moves */
			assert_int_equal(shards_find(s, key_of(i)), was);
	}
}

static void
step(struct walk *w)
{
	size_t changed = change(w), left = 0;
	AUTO(tnset) *numbers = numbers_of(w);
	struct shards next = { 0 }, again = { 0 }, still = { 0 };
	char one[16384], other[16384];

	assert_int_equal(shards_divide(numbers, w->most, &w->now, &next, &left, NULL), RC_OK);
	assert_int_equal(shards_divide(numbers, w->most, &w->now, &again, &left, NULL), RC_OK);
	assert_int_equal(shards_divide(numbers, w->most, &next, &still, &left, NULL), RC_OK);
	assert_int_equal(left, 0);
	check_whole(w, &next);
	check_step(w, &next, changed);
	text_of(&next, one, sizeof one);
	text_of(&again, other, sizeof other);
	assert_string_equal(one, other);
	text_of(&still, other, sizeof other); /* a restart */
	assert_string_equal(one, other);
	assert_int_equal(still.changed, 0);
	shards_done(&w->now);
	shards_done(&again);
	shards_done(&still);
	w->now = next;
}

/* D-17 */
static void
whatever_happens(void **state)
{
	static const unsigned limits[] = { 1, 3, 10, 50, 1000 };
	const char *given = getenv("SHARDS_SEED");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

	(void)state;
	print_message("SHARDS_SEED=%llu\n", (unsigned long long)seed);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct walk w = { .most = limits[i], .chance = seed + i };

		for (int k = 0; k < STEPS; k++)
			step(&w);
		shards_done(&w.now);
	}
}

/* The first has all, the others keep their places. */
static void
joined(void **state)
{
	AUTO(tnset) *numbers = set_of("12025550100-12025550109 12025550120");
	struct shards s = { 0 };
	char text[256];

	(void)state;
	assert_int_equal(shards_join(numbers, 3, &s, NULL), RC_OK);
	text_of(&s, text, sizeof text);
	assert_string_equal(text, "12025550100-12025550109 12025550120||");
	for (size_t i = 0; i < tnset_len(numbers); i++) {
		struct tn_interval in = tnset_at(numbers, i);

		assert_int_equal(shards_find(&s, in.lo), 1);
		assert_int_equal(shards_find(&s, in.hi), 1);
		assert_int_equal(shards_find(&s, in.hi + 1), 0);
	}
	shards_done(&s);
	assert_int_equal(shards_join(NULL, 1, &s, NULL), RC_OK);
	assert_true(s.len == 1 && tnset_len(s.set[0]) == 0 && s.owners == 0);
	shards_done(&s);
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(divide_cases) + 6];
	size_t n = 0;

	ROWS(tests, n, divide_cases, divide);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(without_numbers);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_number_in_two);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(to_the_last_place);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(as_many_entries_as_one_takes);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(joined);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(whatever_happens);
	return cmocka_run_group_tests_name("shards", tests, NULL, NULL);
}
