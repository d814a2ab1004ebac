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
	{ "two thirds (D-43)", { 0, 90 * DAY, 0, false }, 0, 60 * DAY },
	{ "never later than a quarter left (D-43)", { 0, 90 * DAY, 0, false }, 999999,
	    5831999 },
	{ "half the jitter", { 1000, 1000 + 12 * DAY, 0, false }, 500000,
	    1000 + 8 * DAY + DAY / 2 },
	{ "a minute (V-01)", { 100, 160, 0, false }, 0, 140 },
	{ "a minute, all the jitter", { 100, 160, 0, false }, 999999, 144 },
	{ "crowd: one third", { 0, 90 * DAY, 0, true }, 0, 30 * DAY },
	{ "crowd: two thirds", { 0, 90 * DAY, 0, true }, 999999, 60 * DAY - 3 },
	{ "backdated by more than its life", { 0, HOUR + 60, HOUR, false }, 0, HOUR + 40 },
	{ "installed before notBefore", { 100, 160, 50, false }, 0, 140 },
	{ "installed after notAfter", { 100, 160, 200, false }, 0, 140 },
	{ "no life", { 100, 100, 0, false }, 0, 100 },
	{ "ends before it begins", { 100, 50, 0, false }, 999999, 100 },
	{ "far away", { 0, INT64_C(253402300799), 0, false }, 0, INT64_C(168934867199) },
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
	{ "a quarter of what remains", 1, 30 * DAY, 30 * DAY / 4 },
	{ "the same again", 9, 30 * DAY, 30 * DAY / 4 },
	{ "a minute left", 1, 60, 15 },
	{ "no more often at the very end", 9, 2, 15 },
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

/* n certificates, step_s between them; how many are found to be of a crowd. */
static size_t
crowd_of(size_t n, int64_t step_s, int64_t life_s)
{
	struct schedule_cert cert[64] = { 0 };
	struct schedule_member m[64];
	size_t crowd = 0;

	assert_true(n <= ARRAY_LEN(cert));
	for (size_t i = 0; i < n; i++) {
		/* Not in order, as a plan sorted by name is not. */
		cert[i].not_before_s = 1000000 + (int64_t)(i * 7 % n) * step_s;
		cert[i].not_after_s = cert[i].not_before_s + life_s;
		m[i].cert = &cert[i];
	}
	schedule_crowds(m, n);
	for (size_t i = 0; i < n; i++)
		crowd += cert[i].crowd;
	return crowd;
}

static void
crowds(void **state)
{
	(void)state;
	schedule_crowds(NULL, 0);
	assert_int_equal(crowd_of(1, 0, DAY), 0);
	assert_int_equal(crowd_of(SCHEDULE_CROWD, 0, DAY), 0);
	assert_int_equal(crowd_of(SCHEDULE_CROWD + 1, 0, DAY), SCHEDULE_CROWD + 1);
	assert_int_equal(crowd_of(40, 1, DAY), 40);
	assert_int_equal(crowd_of(40, HOUR, DAY), 0); /* spread: five in a window */
	assert_int_equal(crowd_of(40, 0, 0), 0);
	/* The ends see half a window only. */
	assert_in_range(crowd_of(60, 600, DAY), 30, 59);
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
	const struct schedule_cert cert = { 0, 4600, 1000, false };

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
fullest_minute(bool jitter, int *first, int *last)
{
	static unsigned due[DAY_MIN];
	unsigned most = 0;

	memset(due, 0, sizeof due);
	*first = DAY_MIN;
	*last = 0;
	for (int i = 0; i < MANY; i++) {
		int at =
		    (int)(schedule_renew_at(&many[i], jitter ? jitter_of(i, "01") : 0) / 60);

		assert_in_range(at, 0, DAY_MIN - 1);
		due[at]++;
		most = due[at] > most ? due[at] : most;
		*first = at < *first ? at : *first;
		*last = at > *last ? at : *last;
	}
	return most;
}

/*
 * All issued within ten minutes: due evenly over the middle third, no minute
 * above three times the mean of renewals at half of the life.
 */
static void
mass_issue(void **state)
{
	int first = 0, last = 0;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		many[i] = (struct schedule_cert){ i % 600, i % 600 + DAY, 0, false };
		member[i].cert = &many[i];
	}
	schedule_crowds(member, MANY);
	for (int i = 0; i < MANY; i++)
		assert_true(many[i].crowd);
	assert_true(fullest_minute(true, &first, &last) <= 3 * MANY / (DAY_MIN / 2));
	assert_in_range(first, DAY_MIN / 3, DAY_MIN / 3 + 10);
	assert_in_range(last, DAY_MIN * 2 / 3 - 10, DAY_MIN * 2 / 3 + 10);
	/* It is the jitter that does it. */
	assert_true(fullest_minute(false, &first, &last) >= MANY / 10);
}

static struct interval_case {
	const char *name;
	size_t n;
	int64_t life_s, interval_ms;
} interval_cases[] = {
	{ "none", 0, DAY, 0 },
	{ "few", SCHEDULE_CROWD, DAY, 0 },
	{ "ten thousand of a day", MANY, DAY, 2448 },
	{ "three hundred of a quarter of an hour", 300, 900, 850 },
	{ "a thousand of a minute", 1000, 60, 16 },
	{ "without a life", 100, 0, 0 },
};

static void
interval(void **state)
{
	const struct interval_case *c = *state;

	for (size_t i = 0; i < c->n; i++) {
		many[i] = (struct schedule_cert){ 1000, 1000 + c->life_s, 0, false };
		member[i].cert = &many[i];
	}
	assert_in_range(schedule_interval_ms(member, c->n),
	    c->interval_ms - c->interval_ms / 100, c->interval_ms);
}

int
main(void)
{
	struct CMUnitTest tests[80] = {
		cmocka_unit_test(jitter_is_a_property_of_the_certificate),
		cmocka_unit_test(crowds),
		cmocka_unit_test(mass_issue),
	};
	size_t n = 3;

	ROWS(tests, n, urgency_cases, urgency);
	ROWS(tests, n, interval_cases, interval);

	ROWS(tests, n, renew_cases, renew_at);
	ROWS(tests, n, backoff_cases, backoff);
	ROWS(tests, n, local_cases, local);
	ROWS(tests, n, alarm_cases, alarm_wait);
	ROWS(tests, n, poll_cases, poll_wait);
	return _cmocka_run_group_tests("schedule", tests, n, NULL, NULL);
}
