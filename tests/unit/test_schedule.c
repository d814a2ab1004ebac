/* schedule: when to renew, to try again, to look again */
#include "agent/renewer/schedule.h"

#include <stdio.h>
#include <string.h>

#include "stir/attr.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

enum { HOUR = 3600, DAY = 86400 };

static struct renew_case {
	const char *name;
	struct schedule_cert cert;
	uint32_t jitter_ppm;
	int64_t at_s;
} renew_cases[] = {
	{ "two thirds (D-43)", { 0, 90 * DAY, 0, 0 }, 0, 60 * DAY },
	{ "never later than a quarter left (D-43)", { 0, 90 * DAY, 0, 0 }, 999999, 5831999 },
	{ "half the jitter", { 1000, 1000 + 12 * DAY, 0, 0 }, 500000,
	    1000 + 8 * DAY + DAY / 2 },
	{ "an hour: a quarter is spare enough", { 0, HOUR, 0, 0 }, 0, 2400 },
	{ "half an hour: ten minutes to spare", { 0, 1800, 0, 0 }, 0, 1050 },
	{ "a quarter of an hour: half of it", { 0, 900, 0, 0 }, 0, 375 },
	{ "a quarter of an hour, all the jitter", { 0, 900, 0, 0 }, 999999, 449 },
	{ "a minute (V-01)", { 100, 160, 0, 0 }, 0, 125 },
	{ "a minute, all the jitter", { 100, 160, 0, 0 }, 999999, 129 },
	{ "its slot", { 0, 90 * DAY, 0, 40 * DAY }, 0, 40 * DAY },
	{ "a slot later than that", { 0, 90 * DAY, 0, 70 * DAY }, 0, 60 * DAY },
	{ "backdated by more than its life", { 0, HOUR + 60, HOUR, 0 }, 0, HOUR + 25 },
	{ "installed before notBefore", { 100, 160, 50, 0 }, 0, 125 },
	{ "installed after notAfter", { 100, 160, 200, 0 }, 0, 125 },
	{ "no life", { 100, 100, 0, 0 }, 0, 100 },
	{ "ends before it begins", { 100, 50, 0, 0 }, 999999, 100 },
	{ "far away", { 0, INT64_C(253402300799), 0, 0 }, 0, INT64_C(168934867199) },
};

static void
renew_at(void **state)
{
	const struct renew_case *c = *state;

	assert_int_equal(schedule_renew_at(&c->cert, c->jitter_ppm), c->at_s);
}

static struct backoff_case {
	const char *name;
	unsigned attempt;
	int64_t remaining_s;
	uint32_t jitter_ppm;
	int64_t ms;
} backoff_cases[] = {
	{ "first, least", 1, DAY, 0, 800 },
	{ "first, most", 1, DAY, 999999, 1199 },
	{ "middle of the jitter", 2, DAY, 500000, 2000 },
	{ "third", 3, DAY, 500000, 5000 },
	{ "sixth", 6, DAY, 500000, 60000 },
	{ "top of the ladder", 10, 30 * DAY, 500000, 3600000 },
	{ "beyond the ladder", 4000000000u, 30 * DAY, 500000, 3600000 },
	{ "an eighth of what remains", 10, 800, 500000, 100000 },
	{ "an eighth of a short life", 6, 20, 500000, 2500 },
	{ "the last second", 10, 1, 500000, 500 },
	{ "nothing in force: a minute", 10, 0, 500000, 60000 },
	{ "expired: a minute", 10, -5000, 500000, 60000 },
	{ "nothing in force, first", 1, 0, 500000, 1000 },
	{ "attempt nought", 0, DAY, 500000, 1000 },
};

static void
backoff(void **state)
{
	const struct backoff_case *c = *state;

	assert_int_equal(schedule_backoff_ms(c->attempt, c->remaining_s, c->jitter_ppm), c->ms);
}

static struct backoff_case local_cases[] = {
	{ "first", 1, DAY, 500000, 1000 },
	{ "top of its ladder", 4, DAY, 500000, 10000 },
	{ "and no further", 60, 30 * DAY, 999999, 11999 },
	{ "an eighth of a short life", 60, 20, 500000, 2500 },
	{ "nothing in force", 60, 0, 500000, 10000 },
};

static void
local(void **state)
{
	const struct backoff_case *c = *state;

	assert_int_equal(schedule_local_ms(c->attempt, c->remaining_s, c->jitter_ppm), c->ms);
}

static struct alarm_case {
	const char *name;
	unsigned n;
	int64_t remaining_s;
	int64_t s;
} alarm_cases[] = {
	{ "a CA may be wrong once", 1, 30 * DAY, 300 },
	{ "twice", 2, 30 * DAY, 1800 },
	{ "again and again", 4, 30 * DAY, 64800 },
	{ "a quarter of what remains", 9, 30 * DAY, 30 * DAY / 4 },
	{ "a quarter of little", 1, 600, 150 },
	{ "a minute left", 1, 60, 15 },
	{ "no more often at the very end", 9, 2, 3 },
	{ "nothing in force", 1, 0, 60 },
	{ "nothing in force, again", 2, 0, 120 },
	{ "nothing in force, fourth", 4, -1, 480 },
	{ "nothing in force, at most an hour", 1000000, 0, 3600 },
};

static void
alarm_wait(void **state)
{
	const struct alarm_case *c = *state;

	assert_int_equal(schedule_alarm_ms(c->n, c->remaining_s), c->s * 1000);
}

static struct poll_case {
	const char *name;
	unsigned n;
	int64_t retry_after_s;
	int64_t ms;
} poll_cases[] = {
	{ "first, nothing said", 0, -1, 200 },
	{ "second", 1, -1, 500 },
	{ "last rung", 6, -1, 30000 },
	{ "beyond", 4000000000u, -1, 30000 },
	{ "server says", 0, 7, 7000 },
	{ "server says at once", 0, 0, 1000 },
	{ "server says next week (RFC 8555 s7.5.1)", 0, 7 * DAY, HOUR * 1000 },
};

static void
poll_wait(void **state)
{
	const struct poll_case *c = *state;

	assert_int_equal(schedule_poll_ms(c->n, c->retry_after_s), c->ms);
}

static void
jitter_is_a_property_of_the_certificate(void **state)
{
	unsigned in_quarter[4] = { 0 };

	(void)state;
	assert_int_equal(schedule_jitter("a", "b", "01"), schedule_jitter("a", "b", "01"));
	assert_int_not_equal(schedule_jitter("a", "b", "01"), schedule_jitter("a", "b", "02"));
	assert_int_not_equal(schedule_jitter("ab", "c", ""), schedule_jitter("a", "bc", ""));
	for (int i = 0; i < 4000; i++) {
		char name[16];
		uint32_t j;

		snprintf(name, sizeof name, "t%d", i);
		j = schedule_jitter(name, "main", "");
		assert_true(j < SCHEDULE_PPM);
		in_quarter[j / (SCHEDULE_PPM / 4)]++;
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(in_quarter[i], 900, 1100);
}

enum { SOME = 64 };

/* n certificates, step_s between them; in sorted are their moments, the first first. */
static void
moments(size_t n, int64_t step_s, int64_t life_s, int64_t sorted[SOME])
{
	struct schedule_cert cert[SOME] = { 0 };
	struct schedule_member m[SOME];

	assert_true(n <= SOME);
	for (size_t i = 0; i < n; i++) {
		/* Not in order, as a plan sorted by name is not. */
		cert[i].not_before_s = (int64_t)(i * 7 % n) * step_s;
		cert[i].not_after_s = cert[i].not_before_s + life_s;
		cert[i].slot_s = 1; /* of an earlier time */
		m[i] = (struct schedule_member){ .cert = &cert[i] };
	}
	schedule_spread(m, n, schedule_interval_ms(m, n));
	for (size_t i = 0; i < n; i++) {
		int64_t at = schedule_renew_at(&cert[i], 0);
		size_t k = i;

		for (; k > 0 && sorted[k - 1] > at; k--)
			sorted[k] = sorted[k - 1];
		sorted[k] = at;
	}
}

static void
slots(void **state)
{
	int64_t at[SOME];

	(void)state;
	schedule_spread(NULL, 0, 1000);
	/* As many as need no slot; all at their own moment. */
	moments(SCHEDULE_CROWD, 0, DAY, at);
	assert_int_equal(at[0], DAY * 2 / 3);
	assert_int_equal(at[SCHEDULE_CROWD - 1], DAY * 2 / 3);
	/* One more: half of 17/24 of a day lies between the first and the last. */
	moments(SCHEDULE_CROWD + 1, 0, DAY, at);
	assert_int_equal(at[SCHEDULE_CROWD], DAY * 2 / 3);
	assert_in_range(at[0], DAY * 2 / 3 - 28801, DAY * 2 / 3 - 28799);
	for (size_t i = 1; i <= SCHEDULE_CROWD; i++)
		assert_in_range(at[i] - at[i - 1], 1799, 1801);
	/* They are spread by themselves: nobody is moved. */
	moments(40, 1600, DAY, at);
	for (int64_t i = 0; i < 40; i++)
		assert_int_equal(at[i], DAY * 2 / 3 + i * 1600);
	/* More than the second and third quarter take: none before a quarter. */
	moments(SOME, 0, 60, at);
	assert_int_equal(at[0], 15);
	assert_int_equal(at[SOME - 1], 25);
	moments(40, 0, 0, at);
	assert_int_equal(at[39], 0);
}

/* Who is left keeps the slot when others are renewed, and after a restart. */
static void
slots_stay(void **state)
{
	struct schedule_cert cert[SOME] = { 0 };
	struct schedule_member m[SOME];
	int64_t before[SOME];
	size_t renewed = 0;

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		for (size_t i = 0; i < SOME; i++) {
			if (turn == 0)
				cert[i].not_after_s = DAY;
			else if (before[i] <= DAY / 2)
				cert[i] =
				    (struct schedule_cert){ before[i], before[i] + DAY, 0, 0 };
			m[i] = (struct schedule_member){ &cert[i], (uint32_t)i * 1000, 0 };
		}
		schedule_spread(m, SOME, schedule_interval_ms(m, SOME));
		for (size_t i = 0; i < SOME; i++) {
			int64_t at = schedule_renew_at(&cert[i], (uint32_t)i * 1000);

			if (turn == 0)
				before[i] = at;
			else if (before[i] > DAY / 2)
				assert_int_equal(at, before[i]);
			else
				renewed++;
		}
	}
	assert_in_range(renewed, SOME / 10, SOME * 9 / 10);
}

static struct urgency_case {
	const char *name;
	int64_t now_s;
	bool none;
	enum schedule_urgency urgency;
} urgency_cases[] = {
	{ "new", 1000, false, URGENT_DUE },
	{ "more than a quarter left", 3699, false, URGENT_DUE },
	{ "a quarter left (D-43)", 3700, false, URGENT_LAPSING },
	{ "the last second", 4599, false, URGENT_LAPSING },
	{ "expired", 4600, false, URGENT_NONE },
	{ "nothing in force", 1000, true, URGENT_NONE },
};

static void
urgency(void **state)
{
	const struct urgency_case *c = *state;
	/* Backdated: its life begins with the installation. */
	const struct schedule_cert cert = { 0, 4600, 1000, 0 };

	assert_int_equal(schedule_urgency(c->none ? NULL : &cert, c->now_s), c->urgency);
}

/* ---- ten thousand certificates of a day ---- */

enum { MANY = 10000, DAY_MIN = 1440 };

static struct schedule_cert many[MANY];
static struct schedule_member member[MANY];

static uint32_t
jitter_of(int i, const char *serial)
{
	char name[16];

	snprintf(name, sizeof name, "t%d", i);
	return schedule_jitter(name, "main", serial);
}

/* How many are due in the fullest minute of the day after; *first, *last: of the minutes. */
static unsigned
fullest_minute(int *first, int *last)
{
	static unsigned due[DAY_MIN];
	unsigned most = 0;

	memset(due, 0, sizeof due);
	*first = DAY_MIN;
	*last = 0;
	for (int i = 0; i < MANY; i++) {
		int at = (int)(schedule_renew_at(&many[i], jitter_of(i, "01")) / 60);

		assert_in_range(at, 0, DAY_MIN - 1);
		due[at]++;
		most = due[at] > most ? due[at] : most;
		*first = at < *first ? at : *first;
		*last = at > *last ? at : *last;
	}
	return most;
}

/*
 * All issued within ten minutes: due evenly from two fifths to three quarters,
 * no minute above three times the mean.
 */
static void
mass_issue(void **state)
{
	int first = 0, last = 0;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		many[i] = (struct schedule_cert){ i % 600, i % 600 + DAY, 0, 0 };
		member[i] = (struct schedule_member){ &many[i], jitter_of(i, "01"), 0 };
	}
	/* It is the slots that do it. */
	assert_true(fullest_minute(&first, &last) >= MANY / 150);
	schedule_spread(member, MANY, schedule_interval_ms(member, MANY));
	assert_true(fullest_minute(&first, &last) <= 3 * MANY * 24 / (DAY_MIN * 17));
	assert_in_range(first, DAY_MIN * 2 / 5 - 20, DAY_MIN * 2 / 5 + 10);
	assert_in_range(last, DAY_MIN * 3 / 4 - 10, DAY_MIN * 3 / 4 + 10);
}

static struct interval_case {
	const char *name;
	size_t n;
	int64_t life_s, interval_ms;
} interval_cases[] = {
	{ "none", 0, DAY, 0 },
	{ "few", SCHEDULE_CROWD, DAY, 0 },
	{ "ten thousand of a day", MANY, DAY, 2448 },
	{ "three hundred of a quarter of an hour", 300, 900, 550 },
	{ "a thousand of a minute", 1000, 60, 10 },
	{ "without a life", 100, 0, 0 },
};

static void
interval(void **state)
{
	const struct interval_case *c = *state;

	for (size_t i = 0; i < c->n; i++) {
		many[i] = (struct schedule_cert){ 1000, 1000 + c->life_s, 0, 0 };
		member[i] = (struct schedule_member){ .cert = &many[i] };
	}
	assert_in_range(schedule_interval_ms(member, c->n),
	    c->interval_ms - c->interval_ms / 100, c->interval_ms);
}

int
main(void)
{
	struct CMUnitTest tests[80] = {
		cmocka_unit_test(jitter_is_a_property_of_the_certificate),
		cmocka_unit_test(slots),
		cmocka_unit_test(slots_stay),
		cmocka_unit_test(mass_issue),
	};
	size_t n = 4;

	ROWS(tests, n, urgency_cases, urgency);
	ROWS(tests, n, interval_cases, interval);

	ROWS(tests, n, renew_cases, renew_at);
	ROWS(tests, n, backoff_cases, backoff);
	ROWS(tests, n, local_cases, local);
	ROWS(tests, n, alarm_cases, alarm_wait);
	ROWS(tests, n, poll_cases, poll_wait);
	return _cmocka_run_group_tests("schedule", tests, n, NULL, NULL);
}
