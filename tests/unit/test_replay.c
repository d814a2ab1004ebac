/* Lines of the audit trail and of requests: what is judged, what is not, what is refused. */
#include "agent/front/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stir/jtext.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

enum { NOW = 1800000000 };

#define CLAIMS \
	"\"claims\":{\"dest\":{\"tn\":[\"12125550111\"]},\"iat\":1,\"orig\":{\"tn\":" \
	"\"12025550100\"}}"
#define RECORD(event, more) \
	"{\"seq\":7,\"time\":\"2026-01-02T03:04:05.678Z\",\"event\":\"" event \
	"\",\"tenant\":\"acme\",\"tenant_seq\":1,\"request_id\":\"r1\",\"reason\":null," \
	"\"prev\":\"00\",\"ppt\":\"base\",\"uid\":1000,\"gid\":1000" more "}"
#define SIGNED RECORD("sign", "," CLAIMS)

/* One tenant, one credential without a certificate, one number. */
static struct credset *set;

static char *
copy(const char *text)
{
	char *out = strdup(text);

	assert_non_null(out);
	return out;
}

static struct config *
make_config(void)
{
	struct config *c = calloc(1, sizeof *c);
	struct tn_interval number;
	struct config_tenant *t;

	assert_non_null(c);
	c->iat_past_s = PASSPORT_PAST_S;
	c->iat_future_s = PASSPORT_FUTURE_S;
	c->iat_diverted_s = PASSPORT_DIVERTED_S;
	c->tenant = t = calloc(1, sizeof *t);
	assert_non_null(t);
	c->tenants = 1;
	t->name = copy("acme");
	t->enabled = true;
	assert_int_equal(tnset_parse(span_str("12025550100"), &number, NULL), RC_OK);
	assert_int_equal(tnset_build(&number, 1, &t->numbers, NULL), RC_OK);
	t->allow_uid = calloc(1, sizeof *t->allow_uid);
	t->credential = calloc(1, sizeof *t->credential);
	assert_true(t->allow_uid != NULL && t->credential != NULL);
	t->allow_uid[0] = 1000;
	t->allow_uids = 1;
	t->rate = 1;
	t->credentials = 1;
	t->credential[0].name = copy("main");
	t->credential[0].profile = PROFILE_ATIS_DELEGATE;
	return c;
}

static int
make_set(void **state)
{
	struct credset_parts parts = { .config = make_config() };
	struct credset_base *base = NULL;
	struct credential *c = NULL;

	(void)state;
	assert_int_equal(credset_base_new(&parts, &base, NULL), RC_OK);
	assert_int_equal(credset_new(base, &set, NULL), RC_OK);
	credset_base_release(base);
	assert_int_equal(credential_new("acme", "main", CREDENTIAL_PENDING, &c, NULL), RC_OK);
	credset_put(set, (struct credset_place){ 0, 0 }, c);
	set->generation = 1;
	return 0;
}

static int
drop_set(void **state)
{
	(void)state;
	credset_release(set);
	return 0;
}

static struct replay *
open_replay(void)
{
	struct replay_options o = { .now_s = NOW, .uid = 1000 };
	struct replay *r = NULL;

	assert_int_equal(replay_new(set, &o, &r, NULL), RC_OK);
	return r;
}

static struct line_case {
	const char *name, *line;
	int now, was; /* now -1: no line of a log */
	const char *reason;
} cases[] = {
	/* clang-format off */
	{ "a signed one", SIGNED, REPLAY_REFUSED, REPLAY_WAS_ALLOWED, "number_pending" },
	{ "a dry run", RECORD("dry_run", "," CLAIMS), REPLAY_REFUSED, REPLAY_WAS_ALLOWED,
	    "number_pending" },
	{ "a refused one", RECORD("refuse", "," CLAIMS), REPLAY_REFUSED, REPLAY_WAS_REFUSED,
	    "number_pending" },
	{ "another user", "{\"event\":\"sign\",\"uid\":1001,\"gid\":1," CLAIMS "}", REPLAY_REFUSED,
	    REPLAY_WAS_ALLOWED, "caller_not_allowed" },
	{ "by a door of its tenant",
	    "{\"event\":\"sign\",\"uid\":9,\"door\":{\"tenant\":\"acme\",\"auth_socket\":true},"
	    CLAIMS "}", REPLAY_REFUSED, REPLAY_WAS_ALLOWED, "number_pending" },
	{ "by a door of a tenant that is gone",
	    "{\"event\":\"sign\",\"uid\":1000,\"door\":{\"tenant\":\"old\",\"auth_socket\":true},"
	    CLAIMS "}", REPLAY_REFUSED, REPLAY_WAS_ALLOWED, "caller_not_allowed" },
	{ "a tenant by its name", RECORD("sign", ",\"asked\":{\"tenant\":\"acme\"}," CLAIMS),
	    REPLAY_REFUSED, REPLAY_WAS_ALLOWED, "number_pending" },
	{ "a tenant that is gone", RECORD("sign", ",\"asked\":{\"tenant\":\"old\"}," CLAIMS),
	    REPLAY_REFUSED, REPLAY_WAS_ALLOWED, "caller_not_allowed" },
	{ "a ppt that is gone", "{\"event\":\"sign\",\"ppt\":\"old\",\"uid\":1000," CLAIMS "}",
	    REPLAY_REFUSED, REPLAY_WAS_ALLOWED, "unsupported_ppt" },
	{ "a request", "{" CLAIMS "}", REPLAY_REFUSED, REPLAY_UNKNOWN, "number_pending" },
	{ "a request with another number", "{\"claims\":{\"orig\":{\"tn\":\"1\"},\"dest\":{\"tn\":[\"2\"]}}}",
	    REPLAY_REFUSED, REPLAY_UNKNOWN, "tn_not_authorized" },
	{ "a request that is wrong", "{\"claims\":{}}", REPLAY_REFUSED, REPLAY_UNKNOWN,
	    "missing_claim" },
	{ "no claims recorded", RECORD("sign", ""), REPLAY_UNJUDGED, REPLAY_WAS_ALLOWED,
	    "not_recorded" },
	{ "a delegate's PASSporT", RECORD("sign", ",\"delegate\":true," CLAIMS), REPLAY_UNJUDGED,
	    REPLAY_WAS_ALLOWED, "not_recorded" },
	{ "originals", RECORD("refuse", ",\"originals\":1," CLAIMS), REPLAY_UNJUDGED,
	    REPLAY_WAS_REFUSED, "not_recorded" },
	{ "originals of a request", "{\"original\":[\"a.b.c\"]," CLAIMS "}", REPLAY_UNJUDGED,
	    REPLAY_UNKNOWN, "not_recorded" },
	{ "the first of a file", RECORD("open", ""), REPLAY_SKIPPED, REPLAY_UNKNOWN, "" },
	{ "what failed later", RECORD("sign_failed", "," CLAIMS), REPLAY_SKIPPED, REPLAY_UNKNOWN, "" },
	{ "a certificate", RECORD("install", ""), REPLAY_SKIPPED, REPLAY_UNKNOWN, "" },
	{ "a list", "[]", -1, 0, "replay_line" },
	{ "a number", "1", -1, 0, "replay_line" },
	{ "nothing of both", "{\"a\":1}", -1, 0, "replay_line" },
	{ "claims that are a list", "{\"claims\":[]}", -1, 0, "replay_line" },
	{ "a member twice", "{\"claims\":{},\"claims\":{}}", -1, 0, "replay_line" },
	{ "more after it", "{" CLAIMS "} x", -1, 0, "replay_line" },
	/* clang-format on */
};

static void
judges(void **state)
{
	const struct line_case *c = *state;
	struct replay *r = open_replay();
	struct replay_verdict v = { .seq = -1 };
	struct fault f = { 0 };
	enum rc rc = replay_judge(r, span_str(c->line), &v, &f);

	assert_int_equal(rc, c->now < 0 ? RC_INVALID : RC_OK);
	if (c->now < 0) {
		assert_string_equal(f.reason, c->reason);
		assert_int_equal(v.seq, -1);
	} else {
		assert_string_equal(v.fault.reason, c->reason);
		assert_int_equal((int)v.now, c->now);
		assert_int_equal((int)v.was, c->was);
		assert_null(strstr(v.fault.detail, "55501"));
	}
	replay_free(r);
}

static void
prefixes(void **state)
{
	struct replay *r = open_replay();
	struct replay_verdict v;

	(void)state;
	for (size_t n = 0; n < strlen(SIGNED); n++)
		assert_int_equal(replay_judge(r, span_of(SIGNED, n), &v, NULL), RC_INVALID);
	replay_free(r);
}

static void
flips(void **state)
{
	struct replay *r = open_replay();
	uint8_t line[sizeof SIGNED];
	struct replay_verdict v;

	(void)state;
	for (size_t bit = 0; bit < 8 * strlen(SIGNED); bit++) {
		memcpy(line, SIGNED, sizeof line);
		line[bit / 8] ^= (uint8_t)(1u << bit % 8);
		(void)!replay_judge(r, span_of(line, strlen(SIGNED)), &v, NULL);
	}
	replay_free(r);
}

/* A tenant may ask once a second; the records say when they asked. */
static void
rates_follow_the_records(void **state)
{
	static const struct {
		const char *time, *reason;
	} rows[] = {
		{ "2026-01-02T03:04:05.000Z", "number_pending" },
		{ "2026-01-02T03:04:05.500Z", "rate_limited" },
		{ "2026-01-02T03:04:06.400Z", "number_pending" },
		{ "2026-01-02T03:04:06.600Z", "rate_limited" },
		{ "2026-01-02T04:00:00.000Z", "number_pending" },
		{ "2026-01-02T03:00:00.000Z", "rate_limited" }, /* the clock was set back */
		{ "2026-01-02T03:00:01.500Z", "number_pending" },
		{ "9999-12-31T23:59:59.000Z", "number_pending" },
		{ "1970-01-01T00:00:00.000Z", "rate_limited" },
		{ "1970-01-01T00:00:02.000Z", "number_pending" },
	};
	struct replay *r = open_replay();
	struct replay_verdict v;
	char line[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(line, sizeof line,
		    "{\"event\":\"sign\",\"time\":\"%s\",\"uid\":1000," CLAIMS "}",
		    rows[i].time);
		assert_int_equal(replay_judge(r, span_str(line), &v, NULL), RC_OK);
		assert_string_equal(v.fault.reason, rows[i].reason);
	}
	/* Requests that do not say when count as far apart. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(replay_judge(r, span_str("{" CLAIMS "}"), &v, NULL), RC_OK);
		assert_string_equal(v.fault.reason, "number_pending");
	}
	replay_free(r);
}

/* A record may be longer than any request, and has its bound. */
static void
long_records(void **state)
{
	static const struct {
		size_t len;
		enum rc rc;
	} rows[] = { { JTEXT_MAX_BYTES, RC_OK }, { JTEXT_MAX_BYTES + 1, RC_OK },
		{ REPLAY_LINE_MAX, RC_OK }, { REPLAY_LINE_MAX + 1, RC_INVALID } };
	static const char head[] = "{\"event\":\"sign\",\"uid\":1000," CLAIMS ",\"context\":\"";
	AUTO_FREE char *line = malloc(REPLAY_LINE_MAX + 1);

	(void)state;
	assert_non_null(line);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct replay *r = open_replay();
		struct replay_verdict v = { .seq = -1 };
		struct fault f = { 0 };

		memset(line, 'x', rows[i].len);
		memcpy(line, head, sizeof head - 1);
		memcpy(line + rows[i].len - 2, "\"}", 2);
		assert_int_equal(
		    replay_judge(r, span_of(line, rows[i].len), &v, &f), rows[i].rc);
		if (rows[i].rc == RC_OK)
			assert_string_equal(v.fault.reason, "number_pending");
		else
			assert_string_equal(f.reason, "replay_line");
		replay_free(r);
	}
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(cases) + 4];
	size_t n = 0;

	ROWS(tests, n, cases, judges);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(prefixes);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(flips);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(long_records);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(rates_follow_the_records);
	return cmocka_run_group_tests(tests, make_set, drop_set);
}
