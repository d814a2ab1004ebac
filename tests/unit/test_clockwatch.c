/* A clock that jumps, drifts, and is set right again. */
#include "agent/front/clockwatch.h"

#include "stir/attr.h"
#include "tests/unit/cm.h"

enum { HOUR = 3600, DAY = 86400, STEPS = 6 };

/* Every half a minute: by how much it is off from now on. */
static const struct row {
	const char *name;
	int64_t off_s[STEPS];
	unsigned jumps;
	bool held; /* at the end */
} rows[] = {
	{ "even", { 0 }, 0, false },
	{ "a slow drift", { 10, 20, 30, 40, 50, 60 }, 0, false },
	{ "just too little", { 0, 119, 119, 119, 0, 0 }, 0, false },
	{ "two minutes", { 0, 120, 120, 120, 120, 120 }, 1, true },
	{ "days ahead", { 0, 3 * DAY, 3 * DAY, 3 * DAY, 3 * DAY, 3 * DAY }, 1, true },
	{ "days ahead, and undone", { 0, 3 * DAY, 3 * DAY, 0, 0, 0 }, 2, false },
	{ "undone but for a little", { 0, 3 * DAY, 3 * DAY, 100, 100, 100 }, 2, false },
	{ "half undone", { 0, 3 * DAY, 3 * DAY, DAY, DAY, DAY }, 2, true },
	{ "in two steps, and undone", { 0, DAY, 2 * DAY, 2 * DAY, 0, 0 }, 3, false },
	{ "hours back", { 0, -5 * HOUR, -5 * HOUR, -5 * HOUR, -5 * HOUR, -5 * HOUR }, 1,
	    false },
	{ "back and ahead again", { 0, -5 * HOUR, -5 * HOUR, 0, 0, 0 }, 2, true },
	{ "from before the release", { -50LL * 365 * DAY, -50LL * 365 * DAY, 0, 0, 0, 0 }, 1,
	    true },
};

static void
jumps(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct clockwatch c = { .known = false };
		unsigned seen = 0;
		int64_t uptime_s = 1000;

		print_message("%s\n", r->name);
		for (size_t k = 0; k < STEPS; k++, uptime_s += 30)
			seen += clockwatch_look(
				    &c, 1800000000 + uptime_s + r->off_s[k], uptime_s) != 0;
		assert_int_equal(seen, r->jumps);
		assert_int_equal(c.jumps, r->jumps);
		assert_int_equal(clockwatch_holds(&c, uptime_s), r->held);
		assert_false(clockwatch_holds(&c, uptime_s + CLOCKWATCH_HOLD_S));
	}
}

static void
how_far_and_when(void **state)
{
	struct clockwatch c = { .known = false };

	(void)state;
	assert_int_equal(clockwatch_look(&c, 1800000000, 50), 0);
	assert_int_equal(clockwatch_look(&c, 1800000030 + DAY, 80), DAY);
	assert_int_equal(c.last_s, DAY);
	assert_int_equal(c.at_s, 1800000030 + DAY);
	assert_true(clockwatch_holds(&c, 80 + CLOCKWATCH_HOLD_S - 1));
	assert_false(clockwatch_holds(&c, 80 + CLOCKWATCH_HOLD_S));
	assert_int_equal(clockwatch_look(&c, 1800000060, 110), -DAY);
	assert_int_equal(c.last_s, -DAY);
	assert_false(clockwatch_holds(&c, 111));
}

/* What has lasted is believed: a step back later is a jump of its own, and holds nothing. */
static void
one_that_lasted(void **state)
{
	struct clockwatch c = { .known = false };

	(void)state;
	(void)clockwatch_look(&c, 1800000000, 50);
	assert_int_equal(clockwatch_look(&c, 1800000030 + DAY, 80), DAY);
	(void)clockwatch_look(&c, 1800000030 + DAY + 2 * HOUR, 80 + 2 * HOUR);
	assert_false(clockwatch_holds(&c, 80 + 2 * HOUR));
	assert_int_equal(
	    clockwatch_look(&c, 1800000060 + 2 * HOUR + 2 * DAY, 110 + 2 * HOUR), DAY);
	assert_true(clockwatch_holds(&c, 110 + 2 * HOUR));
	/* Only the last of the two is undone. */
	assert_int_equal(
	    clockwatch_look(&c, 1800000090 + 2 * HOUR + DAY, 140 + 2 * HOUR), -DAY);
	assert_false(clockwatch_holds(&c, 140 + 2 * HOUR));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jumps),
		cmocka_unit_test(how_far_and_when),
		cmocka_unit_test(one_that_lasted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
