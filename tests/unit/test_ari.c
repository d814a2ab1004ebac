/* ari: renewal information, the moments it is made of, and what nonsense comes to */
#include "agent/renewer/ari.h"
#include "agent/renewer/rfc3339.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

static struct time_case {
	const char *text;
	int64_t s;
} time_cases[] = {
	{ "2026-11-21T23:00:00Z", 1795302000 },
	{ "2026-11-21T23:00:00.999Z", 1795302000 },
	{ "2026-11-21T23:00:00+00:00", 1795302000 },
	{ "2026-11-22T04:30:00+05:30", 1795302000 },
	{ "2026-11-21T15:00:00-08:00", 1795302000 },
	{ "2024-02-29T00:00:00Z", 1709164800 },
	{ "2026-11-21T23:00:00", 0 },
	{ "2026-11-21 23:00:00Z", 0 },
	{ "2026-11-21T23:00:00z", 0 },
	{ "2026-11-21T23:00:00Z ", 0 },
	{ " 2026-11-21T23:00:00Z", 0 },
	{ "2026-11-21T23:00:00.Z", 0 },
	{ "2026-11-21T23:00:00+5:30", 0 },
	{ "2026-11-21T23:00:00+24:00", 0 },
	{ "2026-11-21T23:00:00+00:60", 0 },
	{ "2026-11-21T23:00:00+00:00x", 0 },
	{ "2026-11-21T24:00:00Z", 0 },
	{ "2026-13-01T00:00:00Z", 0 },
	{ "2026-00-01T00:00:00Z", 0 },
	{ "2026-01-00T00:00:00Z", 0 },
	{ "2026-02-29T00:00:00Z", 0 },
	{ "2026-04-31T12:00:00Z", 0 },
	{ "1969-12-31T23:59:59Z", 0 },
	{ "1970-01-01T00:00:00Z", 0 },
	{ "26-11-21T23:00:00Z", 0 },
	{ "soon", 0 },
	{ "", 0 },
};

static void
times(void **state)
{
	(void)state;
	assert_int_equal(rfc3339_s(NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(time_cases); i++) {
		if (rfc3339_s(time_cases[i].text) != time_cases[i].s)
			fail_msg("%s: %lld", time_cases[i].text,
			    (long long)rfc3339_s(time_cases[i].text));
	}
}

/* No prefix of a moment is one. */
static void
times_cut(void **state)
{
	static const char whole[] = "2026-11-22T04:30:00.5+05:30";
	char part[sizeof whole];

	(void)state;
	for (size_t n = 0; n < sizeof whole - 1; n++) {
		memcpy(part, whole, n);
		part[n] = 0;
		assert_int_equal(rfc3339_s(part), 0);
	}
}

#define WINDOW(start, end) \
	"{\"suggestedWindow\":{\"start\":\"" start "\",\"end\":\"" end "\"}," \
	"\"explanationURL\":\"https://ca.example/why\\n12025550100\"}"
#define EARLY "2026-11-21T23:00:00Z"
#define LATE  "2026-11-22T01:00:00+01:00"

static struct read_case {
	const char *name;
	long status;
	int64_t retry_after_s;
	const char *body;
	enum rc rc;
	const char *reason;
} read_cases[] = {
	{ "a window (RFC 9773 s4.2)", 200, 60, WINDOW(EARLY, LATE), RC_OK, NULL },
	{ "at once", 200, 0, WINDOW(EARLY, LATE), RC_OK, NULL },
	{ "no Retry-After (RFC 9773 s4.3)", 200, -1, WINDOW(EARLY, LATE), RC_INVALID,
	    "ari_answer" },
	{ "inverted", 200, 60, WINDOW(LATE, EARLY), RC_INVALID, "ari_answer" },
	{ "empty", 200, 60, WINDOW(EARLY, EARLY), RC_INVALID, "ari_answer" },
	{ "not a time", 200, 60, WINDOW("soon", LATE), RC_INVALID, "ari_answer" },
	{ "no end", 200, 60, "{\"suggestedWindow\":{\"start\":\"" EARLY "\"}}", RC_INVALID,
	    "ari_answer" },
	{ "numbers", 200, 60, "{\"suggestedWindow\":{\"start\":1,\"end\":2}}", RC_INVALID,
	    "ari_answer" },
	{ "a list", 200, 60, "{\"suggestedWindow\":[]}", RC_INVALID, "ari_answer" },
	{ "nothing", 200, 60, "{}", RC_INVALID, "ari_answer" },
	{ "twice", 200, 60, "{\"suggestedWindow\":{},\"suggestedWindow\":{}}", RC_INVALID,
	    "ari_answer" },
	{ "no object", 200, 60, "[]", RC_INVALID, "ari_answer" },
	{ "HTML", 200, 60, "<html>", RC_INVALID, "ari_answer" },
	{ "not there", 404, 60, WINDOW(EARLY, LATE), RC_NOT_FOUND, "acme_problem" },
	{ "away", 503, 60, "", RC_NET, "http_status" },
	{ "created", 201, 60, WINDOW(EARLY, LATE), RC_DENIED, "acme_problem" },
	{ "moved", 301, 60, "", RC_DENIED, "http_status" },
};

static void
reads(void **state)
{
	const struct read_case *c = *state;
	struct http_answer a = { .status = c->status,
		.retry_after_s = c->retry_after_s,
		.body = BUF_INIT(ARI_BODY_MAX) };
	struct ari_window w = { 7, 8 };
	char why[PROBLEM_TEXT];
	struct fault f = { 0 };

	buf_str(&a.body, c->body);
	assert_int_equal(ari_read(&a, &w, why, &f), c->rc);
	if (c->rc == RC_OK) {
		assert_int_equal(w.start_s, 1795302000);
		assert_int_equal(w.end_s, 1795305600);
		assert_string_equal(why, "https://ca.example/why 120********");
	} else {
		assert_string_equal(f.reason, c->reason);
		assert_int_equal(w.start_s, 7);
	}
	buf_free(&a.body);
}

/* Behind a number, where jansson passes it over. */
static void
octet_zero(void **state)
{
	static const char body[] =
	    "{\"suggestedWindow\":{\"start\":\"" EARLY "\",\"end\":\"" LATE "\"},\"x\":1\0}";
	struct http_answer a = {
		.status = 200, .retry_after_s = 60, .body = BUF_INIT(ARI_BODY_MAX)
	};
	struct ari_window w = { 7, 8 };
	char why[PROBLEM_TEXT];
	struct fault f = { 0 };

	(void)state;
	buf_put(&a.body, body, sizeof body - 1);
	assert_int_equal(ari_read(&a, &w, why, &f), RC_INVALID);
	assert_string_equal(f.reason, "ari_answer");
	a.body.ptr[a.body.len - 2] = ' '; /* and nothing else was wrong with it */
	assert_int_equal(ari_read(&a, &w, why, &f), RC_OK);
	buf_free(&a.body);
}

/* By jitter uniformly over the window; a day of life from 0. */
static struct moment_case {
	const char *name;
	int64_t start_s, end_s, not_before_s, not_after_s, installed_s;
	uint32_t jitter_ppm;
	int64_t at_s;
} moment_cases[] = {
	{ "the beginning", 40000, 50000, 0, 86400, 0, 0, 40000 },
	{ "the middle", 40000, 50000, 0, 86400, 0, 500000, 45000 },
	{ "the end", 40000, 50000, 0, 86400, 0, 999999, 49999 },
	{ "past", 1, 2, 0, 86400, 0, 0, 3600 },
	{ "past, of an hour", 1, 2, 0, 3600, 0, 0, 150 },
	{ "past, of a year", 1, 2, 0, 31536000, 0, 0, 3600 },
	{ "past, installed later", 1, 2, 0, 86400, 43200, 0, 45000 },
	{ "a quarter left (D-43)", 70000, 80000, 0, 86400, 0, 0, 64800 },
	{ "after the end", 90000, 99999, 0, 86400, 0, 0, 64800 },
	{ "all of time", 1, 253402300799, 0, 86400, 0, 999999, 64800 },
	{ "no life", 40000, 50000, 50000, 50000, 0, 0, 50000 },
	{ "less than none", 40000, 50000, 60000, 50000, 0, 0, 60000 },
};

static void
moment(void **state)
{
	const struct moment_case *c = *state;
	struct ari_window w = { c->start_s, c->end_s };
	struct schedule_cert cert = { c->not_before_s, c->not_after_s, c->installed_s, 0 };

	assert_int_equal(ari_renew_at(&w, &cert, c->jitter_ppm), c->at_s);
}

static void
polls(void **state)
{
	(void)state;
	assert_int_equal(ari_poll_ms(0), 60000);
	assert_int_equal(ari_poll_ms(3600), 3600000);
	assert_int_equal(ari_poll_ms(INT64_MAX), 86400000);
	/* A ladder for what may pass, then six hours; a short life more often. */
	assert_true(ari_failed_ms(1, true, 86400, 500000) <= 60000);
	assert_true(ari_failed_ms(4, true, 86400, 500000) <= 1200000);
	assert_int_equal(ari_failed_ms(5, true, 864000, 500000), 21600000);
	assert_int_equal(ari_failed_ms(1, false, 864000, 500000), 21600000);
	assert_int_equal(ari_failed_ms(1, false, 8000, 500000), 1000000);
	assert_int_equal(ari_failed_ms(9, true, 30, 500000), 60000);
	assert_int_equal(ari_failed_ms(9, false, -30, 500000), 60000);
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(read_cases) + ARRAY_LEN(moment_cases) + 4];
	size_t n = 0;

	tests[n++] = (struct CMUnitTest)cmocka_unit_test(times);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(times_cut);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(polls);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(octet_zero);
	ROWS(tests, n, read_cases, reads);
	ROWS(tests, n, moment_cases, moment);
	return _cmocka_run_group_tests("ari", tests, n, NULL, NULL);
}
