/* Alarms: what is one, that each begins and ends once, and events by their numbers. */
#include "agent/front/alarms.h"
#include "agent/front/events.h"
#include "agent/front/numbers.h"

#include <stdio.h>

#include "stir/jtext.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

enum { NOW = 1800000000, DAY = 86400 };

/* ---- what is one ---- */

#define READY(age, life) \
	.enabled = true, .ready = true, .from_s = NOW - (age), .until_s = NOW - (age) + (life)
#define PUSH(until)	.progress = { .by_push = true, .token_until_s = (until) }
#define FAILS(since, n) .progress = { .failing_since_s = NOW - (since), .refusals = (n) }

static struct judge_case {
	const char *name;
	enum alarm_kind kind;
	struct alarm_facts facts;
	bool is;
	int64_t since_s; /* of one; 0: the facts do not say */
} cases[] = {
	/* clang-format off */
	{ "new", ALARM_LAPSING, { READY(0, DAY) }, false, 0 },
	{ "the renewal is due", ALARM_LAPSING, { READY(DAY * 3 / 4, DAY) }, false, 0 },
	{ "a fifth is left", ALARM_LAPSING, { READY(DAY * 4 / 5, DAY) }, false, 0 },
	{ "less than a fifth", ALARM_LAPSING, { READY(DAY * 4 / 5 + 1, DAY) }, true, NOW - 1 },
	{ "the last second", ALARM_LAPSING, { READY(DAY, DAY) }, true, NOW - DAY / 5 },
	{ "over is another alarm", ALARM_LAPSING, { READY(DAY + 1, DAY) }, false, 0 },
	{ "of minutes", ALARM_LAPSING, { READY(721, 900) }, true, NOW - 1 },
	{ "nothing there", ALARM_LAPSING, { .enabled = true }, false, 0 },
	{ "a disabled tenant's", ALARM_LAPSING, { .ready = true, .from_s = NOW - DAY, .until_s = NOW }, false, 0 },
	{ "in the last second", ALARM_EXPIRED, { READY(DAY, DAY) }, false, 0 },
	{ "over", ALARM_EXPIRED, { READY(DAY + 1, DAY) }, true, NOW - 1 },
	{ "none is none that is over", ALARM_EXPIRED, { .enabled = true }, false, 0 },
	{ "over, of a disabled tenant", ALARM_EXPIRED, { .ready = true, .until_s = 1 }, false, 0 },
	{ "does not fail", ALARM_FAILING, { READY(DAY / 2, DAY) }, false, 0 },
	{ "fails since a moment", ALARM_FAILING, { READY(DAY / 2, DAY), FAILS(899, 0) }, false, 0 },
	{ "fails since a quarter of an hour", ALARM_FAILING, { READY(DAY / 2, DAY), FAILS(900, 0) }, true, NOW - 900 },
	{ "fails for good", ALARM_FAILING, { READY(DAY / 2, DAY), FAILS(0, 1) }, true, NOW },
	{ "of minutes, a moment", ALARM_FAILING, { READY(450, 900), FAILS(89, 0) }, false, 0 },
	{ "of minutes, a tenth", ALARM_FAILING, { READY(450, 900), FAILS(90, 0) }, true, NOW - 90 },
	{ "of seconds, a moment", ALARM_FAILING, { READY(30, 60), FAILS(59, 0) }, false, 0 },
	{ "never was one, a moment", ALARM_FAILING, { .enabled = true, FAILS(299, 0) }, false, 0 },
	{ "never was one", ALARM_FAILING, { .enabled = true, FAILS(300, 0) }, true, NOW - 300 },
	{ "a token is awaited, which is an alarm of its own", ALARM_FAILING,
	    { READY(DAY / 2, DAY), FAILS(5000, 0), .problem = "token_awaited: push it" }, false, 0 },
	{ "nobody has to bring a token", ALARM_TOKEN, { READY(DAY / 2, DAY), .renew_at_s = NOW + 9 }, false, 0 },
	{ "in the first half there is time", ALARM_TOKEN,
	    { READY(DAY / 2 - 1, DAY), .renew_at_s = NOW + DAY / 6, PUSH(0) }, false, 0 },
	{ "none is here by the middle", ALARM_TOKEN,
	    { READY(DAY / 2, DAY), .renew_at_s = NOW + DAY / 6, PUSH(0) }, true, NOW },
	{ "one is here and ends before", ALARM_TOKEN,
	    { READY(DAY / 2, DAY), .renew_at_s = NOW + DAY / 6, PUSH(NOW + DAY / 6) }, true, NOW },
	{ "one is here that lasts", ALARM_TOKEN,
	    { READY(DAY / 2, DAY), .renew_at_s = NOW + DAY / 6, PUSH(NOW + DAY / 6 + 1) }, false, 0 },
	{ "the first one is awaited", ALARM_TOKEN,
	    { .enabled = true, .problem = "token_awaited: push it" }, true, 0 },
	{ "another is awaited, since it failed for that", ALARM_TOKEN,
	    { READY(DAY / 3, DAY), FAILS(77, 0), .problem = "token_awaited: push it" }, true, NOW - 77 },
	{ "another problem", ALARM_TOKEN, { .enabled = true, .problem = "acme_busy: later" }, false, 0 },
	{ "a word like it", ALARM_TOKEN, { .enabled = true, .problem = "token_awaited" }, false, 0 },
	{ "nothing was refused", ALARM_REFUSED, { READY(0, DAY) }, false, 0 },
	{ "one was refused", ALARM_REFUSED, { READY(0, DAY), .refused_at_s = NOW - 5 }, true, NOW - 5 },
	{ "refused, and none is in force", ALARM_REFUSED, { .enabled = true, .refused_at_s = 1 }, true, 1 },
	{ "every log has proven it", ALARM_UNLOGGED, { READY(0, DAY) }, false, 0 },
	{ "a log does not prove it (V-43)", ALARM_UNLOGGED, { READY(0, DAY), .unlogged_since_s = 1 }, true, 1 },
	{ "not proven, and not in force", ALARM_UNLOGGED, { .enabled = true, .unlogged_since_s = 1 }, false, 0 },
	{ "logs are told, not judged", ALARM_CT_LOG, { READY(DAY + 1, DAY), .unlogged_since_s = 1 }, false, 0 },
	{ "every series ended", ALARM_SERIES, { READY(0, DAY) }, false, 0 },
	{ "a CA does not end one", ALARM_SERIES, { .enabled = true, .series_refused = true }, true, 0 },
	{ "a disabled tenant's", ALARM_SERIES, { .series_refused = true }, false, 0 },
	{ "revoked by its CA", ALARM_REVOKED, { .enabled = true, .crl_listed = true }, true, 0 },
	{ "revoked by an operator", ALARM_REVOKED, { .enabled = true }, false, 0 },
	{ "another one is in force", ALARM_REVOKED, { READY(0, DAY), .crl_listed = true }, false, 0 },
	{ "revoked, of a disabled tenant", ALARM_REVOKED, { .crl_listed = true }, false, 0 },
	{ "lists are told, not judged", ALARM_CRL, { .enabled = true, .crl_listed = true }, false, 0 },
	{ "no right is refused", ALARM_RTU, { READY(0, DAY) }, false, 0 },
	{ "one is, and it signs", ALARM_RTU, { READY(0, DAY), .rtu_refused_at_s = NOW - 9 }, true, NOW - 9 },
	{ "one is, and it will not", ALARM_RTU,
	    { READY(0, DAY), .rtu_refused_at_s = NOW - 9, .rtu_stop_at_s = NOW + 9 }, true, NOW - 9 },
	{ "one is, and it does not", ALARM_RTU,
	    { READY(0, DAY), .rtu_refused_at_s = NOW, .rtu_stop_at_s = NOW }, true, NOW },
	{ "a disabled tenant's right", ALARM_RTU, { .rtu_refused_at_s = NOW - 9 }, false, 0 },
	{ "accounts are told, not judged", ALARM_ACCOUNT, { READY(DAY + 1, DAY), FAILS(0, 9) }, false, 0 },
	/* clang-format on */
};

static void
judged(void **state)
{
	struct judge_case *c = *state;
	struct alarm out = { .by_s = -1 };

	if (c->facts.problem == NULL)
		c->facts.problem = "";
	c->facts.remedy = "";
	assert_int_equal(alarm_judge(c->kind, &c->facts, NOW, &out), c->is);
	if (!c->is) {
		assert_true(out.by_s == -1 && out.detail[0] == 0);
		return;
	}
	assert_true(out.detail[0] != 0);
	assert_int_equal(out.since_s, c->since_s);
	if (c->kind == ALARM_TOKEN && c->facts.ready)
		assert_true(out.by_s == c->facts.until_s);
}

/* ---- beginning and end ---- */

struct heard {
	unsigned begins, ends;
	struct alarm last;
};

static void
hear(void *arg, const struct alarm *a, bool begins)
{
	struct heard *h = arg;

	h->begins += begins;
	h->ends += !begins;
	h->last = *a;
}

static void
look_all(struct alarms *a, const struct credset *set, int64_t now_s)
{
	for (unsigned n = 0; !alarms_look(a, set, now_s); n++)
		assert_true(n < 1000);
}

static void
put_tenants(unsigned n)
{
	char text[512], name[16];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof name, "t%03u", i);
		snprintf(text, sizeof text, "numbers = { \"1202555%04u\" }\n%s", i,
		    BWORLD_DELEGATE("atis-delegate", ""));
		bworld_tenant(name, text);
	}
}

/* Of 600 credentials the one that is refused, over several looks; and those that go. */
static void
each_begins_and_ends_once(void **state)
{
	struct bworld world;
	struct works w;
	struct heard h = { 0 };
	struct alarms *a = NULL;
	struct credset_place at;

	(void)state;
	bworld_open(&world);
	put_tenants(600);
	bworld_works(&world, &w, NOW);
	assert_int_equal(alarms_new(hear, &h, &a, NULL), RC_OK);
	assert_false(alarms_look(a, w.set, NOW)); /* not all at once */
	look_all(a, w.set, NOW);
	assert_int_equal(h.begins + h.ends, 0);
	assert_true(credset_find(w.set, "t599", "main", &at));
	atomic_store(&credset_credential(w.set, at)->refused_at_s, NOW);
	for (int i = 0; i < 3; i++)
		look_all(a, w.set, NOW + i);
	assert_int_equal(h.begins, 1);
	assert_string_equal(h.last.tenant, "t599");
	assert_true(h.last.since_s == NOW && h.last.kind == ALARM_REFUSED);
	assert_int_equal(alarms_count(a, ALARM_REFUSED), 1);
	/* Another tree in the middle of a round: it neither ends nor begins again. */
	bworld_tenant("t000", "numbers = { \"13035550100\" }\n");
	assert_false(alarms_look(a, w.set, NOW + 5));
	assert_int_equal(works_load(&w, NOW + 5, NULL), RC_OK);
	look_all(a, w.set, NOW + 6);
	assert_int_equal(h.begins * 10 + h.ends, 10);
	/* A new one is in force. */
	assert_true(credset_find(w.set, "t599", "main", &at));
	atomic_store(&credset_credential(w.set, at)->refused_at_s, 0);
	look_all(a, w.set, NOW + 7);
	assert_int_equal(h.begins * 10 + h.ends, 11);
	assert_true(h.last.since_s == NOW);
	/* Not newer by that it is looked at late, as after a restart. */
	atomic_store(&credset_credential(w.set, at)->refused_at_s, NOW - 5000);
	look_all(a, w.set, NOW + 8);
	assert_true(h.last.since_s == NOW - 5000 && h.begins == 2);
	atomic_store(&credset_credential(w.set, at)->refused_at_s, 0);
	look_all(a, w.set, NOW + 8);
	assert_int_equal(h.begins * 10 + h.ends, 22);
	/* Begins again, and its credential leaves the configuration. */
	atomic_store(&credset_credential(w.set, at)->refused_at_s, NOW + 8);
	look_all(a, w.set, NOW + 8);
	assert_int_equal(alarms_count(a, ALARM_REFUSED), 1);
	bworld_tenant("t599", "numbers = { \"13035550100\" }\n");
	assert_int_equal(works_load(&w, NOW + 9, NULL), RC_OK);
	look_all(a, w.set, NOW + 9);
	assert_int_equal(h.begins * 10 + h.ends, 33);
	assert_int_equal(alarms_count(a, ALARM_REFUSED), 0);
	alarms_free(a);
	works_done(&w);
	bworld_close(&world);
}

/* Of the first tenant, by the command for it. */
static void
add_number(struct works *w, unsigned n)
{
	json_auto_t *result = json_object();
	struct tn_interval one = { 0 };
	AUTO(tnset) *more = NULL;
	char text[16];

	snprintf(text, sizeof text, "1303555%04u", n);
	assert_int_equal(tnset_parse(span_str(text), &one, NULL), RC_OK);
	assert_int_equal(tnset_build(&one, 1, &more, NULL), RC_OK);
	assert_int_equal(numbers_change(w, "t000", more, NULL, NOW, result, NULL), RC_OK);
}

/* Each makes another configuration, but no other places: a round goes on. */
static void
numbers_do_not_start_a_round(void **state)
{
	struct bworld world;
	struct works w;
	struct heard h = { 0 };
	struct alarms *a = NULL;
	struct credset_place at;
	unsigned looks = 1;

	(void)state;
	bworld_open(&world);
	put_tenants(600);
	bworld_works(&world, &w, NOW);
	assert_int_equal(alarms_new(hear, &h, &a, NULL), RC_OK);
	assert_true(credset_find(w.set, "t599", "main", &at));
	atomic_store(&credset_credential(w.set, at)->refused_at_s, NOW);
	for (; !alarms_look(a, w.set, NOW); looks++) {
		assert_true(looks < 10);
		add_number(&w, looks);
	}
	assert_int_equal(looks, (2 * 600) / ALARMS_LOOK + 1);
	assert_int_equal(alarms_count(a, ALARM_REFUSED), 1);
	alarms_free(a);
	works_done(&w);
	bworld_close(&world);
}

/* Those that find no room are counted once, however often a round begins anew. */
static void
a_round_that_begins_anew(void **state)
{
	struct bworld world;
	struct works w;
	struct heard h = { 0 };
	struct alarms *a = NULL;
	char name[16];

	(void)state;
	bworld_open(&world);
	put_tenants(600);
	bworld_works(&world, &w, NOW);
	assert_int_equal(alarms_new(hear, &h, &a, NULL), RC_OK);
	for (unsigned i = 0; i < ALARMS_MAX; i++) {
		snprintf(name, sizeof name, "ca%u", i);
		alarms_account(a, name, "x: y", NOW);
	}
	for (size_t i = 0; i < w.set->slots; i++)
		atomic_store(&w.set->slot[i]->refused_at_s, NOW);
	assert_false(alarms_look(a, w.set, NOW));
	assert_int_equal(works_load(&w, NOW, NULL), RC_OK);
	for (size_t i = 0; i < w.set->slots; i++)
		atomic_store(&w.set->slot[i]->refused_at_s, NOW);
	look_all(a, w.set, NOW);
	assert_int_equal(alarms_count(a, ALARM_REFUSED), 600);
	alarms_free(a);
	works_done(&w);
	bworld_close(&world);
}

static void
count_one(void *arg, const struct alarm *a)
{
	(void)a;
	++*(unsigned *)arg;
}

static void
accounts_are_told(void **state)
{
	struct heard h = { 0 };
	struct alarms *a = NULL;
	unsigned n = 0;

	(void)state;
	assert_int_equal(alarms_new(hear, &h, &a, NULL), RC_OK);
	alarms_account(a, "lab", NULL, NOW);
	assert_int_equal(h.begins + h.ends, 0);
	alarms_account(a, "lab", "acme_unauthorized: no", NOW);
	alarms_account(a, "lab", "acme_unauthorized: never", NOW + 1);
	alarms_account(a, "other", "acme_terms: agree", NOW + 2);
	assert_int_equal(h.begins * 10 + h.ends, 20);
	alarms_each(a, count_one, &n);
	assert_int_equal(n, 2);
	alarms_account(a, "lab", NULL, NOW + ALARM_LEAST_S);
	assert_int_equal(h.begins * 10 + h.ends, 21);
	assert_string_equal(h.last.name, "lab");
	assert_string_equal(h.last.detail, "acme_unauthorized: never");
	assert_true(h.last.since_s == NOW);
	alarms_account(a, "lab", NULL, NOW + ALARM_LEAST_S + 1);
	assert_int_equal(h.ends, 1);
	alarms_free(a);
}

/* A log is another one than a CA of that name, and no configuration has to know it. */
static void
logs_that_are_told(void **state)
{
	struct bworld world;
	struct works w;
	struct heard h = { 0 };
	struct alarms *a = NULL;

	(void)state;
	bworld_open(&world);
	put_tenants(1);
	bworld_works(&world, &w, NOW);
	assert_int_equal(alarms_new(hear, &h, &a, NULL), RC_OK);
	alarms_log(a, "00ff", "it has become smaller", NOW);
	alarms_account(a, "00ff", NULL, NOW + ALARM_LEAST_S);
	look_all(a, w.set, NOW + 2 * ALARM_LEAST_S);
	assert_int_equal(h.begins * 10 + h.ends, 10);
	assert_int_equal(alarms_count(a, ALARM_CT_LOG), 1);
	assert_string_equal(h.last.detail, "it has become smaller");
	alarms_log(a, "00ff", NULL, NOW + 2 * ALARM_LEAST_S);
	assert_int_equal(h.begins * 10 + h.ends, 11);
	alarms_free(a);
	works_done(&w);
	bworld_close(&world);
}

/* However fast the word changes, it begins once and ends once in a minute. */
static void
words_that_change_fast(void **state)
{
	struct bworld world;
	struct works w;
	struct heard h = { 0 };
	struct alarms *a = NULL;

	(void)state;
	bworld_open(&world);
	put_tenants(1);
	bworld_works(&world, &w, NOW);
	assert_int_equal(alarms_new(hear, &h, &a, NULL), RC_OK);
	for (unsigned i = 0; i < 1000; i++)
		alarms_account(a, "lab", i % 2 == 0 ? "acme_terms: agree" : NULL, NOW + i % 9);
	assert_int_equal(h.begins * 10 + h.ends, 10);
	/* The last word holds: it ends by itself. */
	look_all(a, w.set, NOW + ALARM_LEAST_S - 1);
	assert_int_equal(h.ends, 0);
	look_all(a, w.set, NOW + ALARM_LEAST_S);
	assert_int_equal(h.begins * 10 + h.ends, 11);
	/* And where it is a problem, it does not. */
	alarms_account(a, "lab", "acme_terms: agree", NOW + 100);
	alarms_account(a, "lab", NULL, NOW + 101);
	alarms_account(a, "lab", "acme_terms: again", NOW + 102);
	look_all(a, w.set, NOW + 900);
	assert_int_equal(h.begins * 10 + h.ends, 21);
	/* A clock that was set back holds nothing up. */
	alarms_account(a, "lab", NULL, NOW + 99);
	assert_int_equal(h.begins * 10 + h.ends, 22);
	alarms_free(a);
	works_done(&w);
	bworld_close(&world);
}

/* More than there is room for: counted, and none of those that are there is lost. */
/* The same of a credential's: only a certificate that came is believed at once. */
static void
a_renewal_that_fails_and_does_not(void **state)
{
	static const struct credential_progress well = { 0 }, fails = { .failing_since_s = NOW,
		.refusals = 1 };
	struct bworld world;
	struct works w;
	struct heard h = { 0 };
	struct alarms *a = NULL;
	struct credset_place at;
	struct credential *c;

	(void)state;
	bworld_open(&world);
	put_tenants(1);
	bworld_works(&world, &w, NOW);
	assert_int_equal(alarms_new(hear, &h, &a, NULL), RC_OK);
	assert_true(credset_find(w.set, "t000", "main", &at));
	c = credset_credential(w.set, at);
	for (int i = 0; i < ALARM_LEAST_S; i++) {
		credential_proceed(c, i % 2 == 0 ? &fails : &well);
		look_all(a, w.set, NOW + i);
	}
	assert_int_equal(h.begins * 10 + h.ends, 10);
	assert_int_equal(h.last.kind, ALARM_FAILING);
	look_all(a, w.set, NOW + ALARM_LEAST_S);
	assert_int_equal(h.begins * 10 + h.ends, 11);
	credential_proceed(c, &fails);
	look_all(a, w.set, NOW + 100);
	credential_proceed(c, &well);
	look_all(a, w.set, NOW + 101);
	assert_int_equal(h.begins * 10 + h.ends, 21);
	c->installed_at_s = NOW + 100; /* within the second in which it began */
	look_all(a, w.set, NOW + 102);
	assert_int_equal(h.begins * 10 + h.ends, 22);
	alarms_free(a);
	works_done(&w);
	bworld_close(&world);
}

static void
there_is_a_most(void **state)
{
	struct heard h = { 0 };
	struct alarms *a = NULL;
	char name[16];

	(void)state;
	assert_int_equal(alarms_new(hear, &h, &a, NULL), RC_OK);
	for (unsigned i = 0; i < ALARMS_MAX + 7; i++) {
		snprintf(name, sizeof name, "ca%u", i);
		alarms_account(a, name, "x: y", NOW);
	}
	assert_int_equal(h.begins, ALARMS_MAX);
	assert_int_equal(alarms_count(a, ALARM_ACCOUNT), ALARMS_MAX);
	alarms_account(a, "ca0", NULL, NOW + ALARM_LEAST_S);
	assert_int_equal(h.ends, 1);
	alarms_free(a);
}

/* ---- events ---- */

static json_t *
after(const struct events *e, uint64_t n)
{
	AUTO_BUF out = BUF_INIT(4 * 1024 * 1024);
	json_t *root = NULL;

	events_after(e, n, &out);
	assert_int_equal(buf_check(&out, NULL), RC_OK);
	root = json_loadb((const char *)out.ptr, out.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	return root;
}

static void
expect_events(const struct events *e, uint64_t n, size_t len, int first, bool more, bool lost)
{
	json_auto_t *root = after(e, n);
	const json_t *list = json_object_get(root, "events");

	assert_int_equal(json_array_size(list), len);
	if (len > 0)
		assert_int_equal(
		    json_integer_value(json_object_get(json_array_get(list, 0), "id")), first);
	assert_int_equal(json_is_true(json_object_get(root, "more")), more);
	assert_int_equal(json_is_true(json_object_get(root, "lost")), lost);
}

static void
events_by_number(void **state)
{
	struct events *e = NULL;
	char large[EVENT_TEXT_MAX + 2];
	json_auto_t *root = NULL;

	(void)state;
	assert_int_equal(events_new(&e, NULL), RC_OK);
	expect_events(e, 0, 0, 0, false, false);
	expect_events(e, 7, 0, 0, false, true); /* of another life */
	assert_int_equal(events_add(e, "one", span_str("\"tenant\":\"acme\""), NOW), 1);
	memset(large, 'x', sizeof large);
	assert_int_equal(events_add(e, "two", span_of(large, sizeof large), NOW), 2);
	expect_events(e, 0, 2, 1, false, false);
	expect_events(e, 1, 1, 2, false, false);
	expect_events(e, 2, 0, 0, false, false);
	root = after(e, 0);
	assert_string_equal(json_string_value(json_object_get(
				json_array_get(json_object_get(root, "events"), 0), "tenant")),
	    "acme");
	for (unsigned i = 3; i <= EVENTS_MAX; i++)
		(void)events_add(e, "more", (struct span){ 0 }, NOW);
	expect_events(e, 0, EVENTS_PAGE, 1, true, false);
	(void)events_add(e, "last", (struct span){ 0 }, NOW);
	expect_events(e, 0, EVENTS_PAGE, 2, true, true);
	expect_events(e, 1, EVENTS_PAGE, 2, true, false);
	expect_events(e, EVENTS_MAX, 1, EVENTS_MAX + 1, false, false);
	events_free(e);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(cases) + 9];
	size_t n = 0;

	ROWS(tests, n, cases, judged);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(each_begins_and_ends_once);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(numbers_do_not_start_a_round);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_round_that_begins_anew);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(accounts_are_told);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(logs_that_are_told);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(words_that_change_fast);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_renewal_that_fails_and_does_not);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(there_is_a_most);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(events_by_number);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
