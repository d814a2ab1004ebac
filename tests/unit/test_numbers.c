/* numbers: what a command adds and removes holds, lasts, and gives way to the configuration */
#include "agent/front/numbers.h"

#include <sys/stat.h>

#include "agent/front/ops.h"
#include "agent/front/plan.h"
#include "agent/front/store.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/crash.h"
#include "tests/unit/rows.h"

#define FILE_PATH "state/front/numbers/acme.json"
#define CHAIN	  "state/front/tenants/acme/main/current.pem"
#define CONFIGURED(numbers, more) \
	"numbers = { " numbers " }\n" more "\n" BWORLD_DELEGATE("atis-delegate", "")
#define ACME CONFIGURED("\"12025550100-12025550109\"", "")

static const int64_t now = PKI_NOW;

struct lab {
	struct bworld world;
	struct works works;
};

static int
open_lab(void **state)
{
	struct lab *l = calloc(1, sizeof *l);
	AUTO_BUF list = BUF_INIT(4096);
	struct bworld_cert spec = { .serial = "10" };

	assert_non_null(l);
	bworld_open(&l->world);
	bworld_tenant("acme", ACME);
	bworld_tenant("beta", CONFIGURED("\"13035550100\"", ""));
	bworld_tnauth(&list, "12025550100-12025550109");
	spec.tnauth = buf_view(&list);
	bworld_put(&l->world, CHAIN, &spec);
	bworld_works(&l->world, &l->works, now);
	*state = l;
	return 0;
}

static int
close_lab(void **state)
{
	struct lab *l = *state;

	bworld_done(&l->world, &l->works);
	free(l);
	return 0;
}

static void
restart(struct lab *l, int64_t now_s)
{
	bworld_again(&l->world, &l->works, now_s);
}

/* Of text, separated by blanks; NULL for "". */
static struct tnset *
set_of(const char *text)
{
	struct tn_interval at[16];
	struct tnset *set = NULL;
	size_t n = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		assert_int_equal(tnset_parse(span_of(text, len), &at[n++], NULL), RC_OK);
		text += len + (text[len] == ' ' ? 1 : 0);
	}
	if (n > 0)
		assert_int_equal(tnset_build(at, n, &set, NULL), RC_OK);
	return set;
}

static enum rc
change_of(struct lab *l, const char *tenant, const char *add, const char *remove, int64_t now_s,
    json_t *result, struct fault *f)
{
	AUTO(tnset) *more = set_of(add), *less = set_of(remove);

	return numbers_change(&l->works, tenant, more, less, now_s, result, f);
}

static void
change(struct lab *l, const char *add, const char *remove, int64_t now_s)
{
	json_auto_t *result = json_object();
	struct fault f = { 0 };

	if (change_of(l, "acme", add, remove, now_s, result, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
}

static const struct config_tenant *
acme(const struct lab *l)
{
	return config_tenant_find(l->works.set->config, "acme");
}

static void
text_of(const struct tnset *set, char *out, size_t size)
{
	out[0] = 0;
	for (size_t i = 0; set != NULL && i < tnset_len(set); i++) {
		char one[TNSET_TEXT];
		size_t at = strlen(out);

		tnset_text(tnset_at(set, i), one);
		snprintf(out + at, size - at, "%s%s", at > 0 ? " " : "", one);
	}
}

static void
expect(const struct lab *l, const char *numbers)
{
	char have[512];

	text_of(acme(l)->numbers, have, sizeof have);
	assert_string_equal(have, numbers);
}

static void
expect_asked(const struct lab *l, const char *numbers)
{
	char have[512];

	assert_non_null(acme(l)->asked);
	text_of(acme(l)->asked, have, sizeof have);
	assert_string_equal(have, numbers);
}

/* In the index that requests are found by, not only in the tenant's set. */
static bool
is_found(const struct lab *l, const char *number)
{
	uint32_t list[CREDSET_MAX_OVERLAP];
	struct tn tn = { 0 };
	size_t n;

	assert_int_equal(tn_exact(span_str(number), &tn, NULL), RC_OK);
	n = credset_lookup(l->works.set, tn_key(&tn), list, CREDSET_MAX_OVERLAP);
	return n == 1 && strcmp(l->works.set->config->tenant[list[0]].name, "acme") == 0;
}

/* ---- changes ---- */

static struct change_case {
	const char *name, *add, *remove, *numbers;
	int added, removed;
	int records; /* of what was removed, one more for the certificate that lists it still */
} change_cases[] = {
	{ "one added", "14045550100", "", "12025550100-12025550109 14045550100", 1, 0, 1 },
	{ "one removed", "", "12025550104", "12025550100-12025550103 12025550105-12025550109",
	    0, 1, 2 },
	{ "a range removed", "", "12025550100-12025550108", "12025550109", 0, 9, 2 },
	{ "more than there is removed", "", "12025550090-12025550199", "", 0, 10, 2 },
	{ "both at once", "12025550110", "12025550100", "12025550101-12025550110", 1, 1, 3 },
	{ "the neighbour joins", "12025550110", "", "12025550100-12025550110", 1, 0, 1 },
	{ "there already", "12025550105", "", "12025550100-12025550109", 0, 0, 0 },
	{ "not there", "", "14045550100", "12025550100-12025550109", 0, 0, 0 },
	{ "of another length", "", "2025550100", "12025550100-12025550109", 0, 0, 0 },
};

static void
changes(void **state)
{
	const struct change_case *c = *state;
	struct lab *l = NULL;
	struct credential *cred;
	json_auto_t *result = json_object();
	size_t told;
	struct fault f = { 0 };

	open_lab((void **)&l);
	cred = credset_credential(l->works.set, (struct credset_place){ 0, 0 });
	assert_int_equal(cred->state, CREDENTIAL_READY);
	told = json_array_size(l->world.audit);
	if (change_of(l, "acme", c->add, c->remove, now, result, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	expect(l, c->numbers);
	assert_int_equal(json_integer_value(json_object_get(result, "added")), c->added);
	assert_int_equal(json_integer_value(json_object_get(result, "removed")), c->removed);
	assert_int_equal(json_array_size(l->world.audit) - told, c->records);
	/* Nothing else is made anew. */
	assert_ptr_equal(
	    credset_credential(l->works.set, (struct credset_place){ 0, 0 }), cred);
	assert_int_equal(l->world.published, c->added + c->removed > 0);
	assert_int_equal(l->world.waited, 0);
	restart(l, now + 3600);
	expect(l, c->numbers);
	assert_int_equal(works_load(&l->works, now + 3601, &f), RC_OK); /* a reload */
	expect(l, c->numbers);
	close_lab((void **)&l);
}

static struct refused_case {
	const char *name, *tenant, *add, *remove, *reason;
	enum rc rc;
} refused_cases[] = {
	{ "no such tenant", "gamma", "14045550100", "", "not_found", RC_NOT_FOUND },
	{ "in both", "acme", "14045550100-14045550109", "14045550109", "invalid_member",
	    RC_INVALID },
};

static void
refused(void **state)
{
	const struct refused_case *c = *state;
	struct lab *l = NULL;
	json_auto_t *result = json_object();
	struct fault f = { 0 };

	open_lab((void **)&l);
	assert_int_equal(change_of(l, c->tenant, c->add, c->remove, now, result, &f), c->rc);
	assert_string_equal(f.reason, c->reason);
	expect(l, "12025550100-12025550109");
	assert_int_equal(l->world.published, 0);
	assert_int_equal(store_mtime(FILE_PATH), 0);
	close_lab((void **)&l);
}

/* One by one, so that no certificate could list them all. */
static void
more_than_a_certificate_holds(void **state)
{
	static struct tn_interval many[TNAUTH_MAX_ENTRIES];
	struct lab *l = *state;
	AUTO(tnset) *set = NULL;
	json_auto_t *result = json_object();
	struct tn tn = { 0 };
	struct fault f = { 0 };

	assert_int_equal(tn_exact(span_str("14040000000"), &tn, NULL), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i].lo = many[i].hi = tn_key(&tn) + 2 * i;
	assert_int_equal(tnset_build(many, ARRAY_LEN(many), &set, NULL), RC_OK);
	assert_int_equal(
	    numbers_change(&l->works, "acme", set, NULL, now, result, &f), RC_DENIED);
	assert_string_equal(f.reason, "too_many_numbers");
	expect(l, "12025550100-12025550109");
	assert_int_equal(store_mtime(FILE_PATH), 0);
}

static void
found_by_what_is_in_force(void **state)
{
	struct lab *l = *state;

	assert_true(is_found(l, "12025550104"));
	assert_false(is_found(l, "14045550100"));
	change(l, "14045550100", "12025550104", now);
	assert_false(is_found(l, "12025550104"));
	assert_true(is_found(l, "14045550100") && is_found(l, "12025550105"));
	change(l, "12025550104", "14045550100", now);
	assert_true(is_found(l, "12025550104"));
	assert_false(is_found(l, "14045550100"));
	assert_true(is_found(l, "12025550105"));
}

/* A set of before, which a request may still hold, says what it said. */
static void
the_set_before_is_untouched(void **state)
{
	struct lab *l = *state;
	AUTO_CREDSET *before = credset_ref(l->works.set);
	struct fault f = { 0 };

	change(l, "14045550100", "12025550104", now);
	change(l, "14045550102", "12025550105", now);
	assert_true(credset_same_files(before, l->works.set));
	assert_int_equal(tnset_count(config_tenant_find(before->config, "acme")->numbers), 10);
	assert_int_equal(works_load(&l->works, now, &f), RC_OK);
	assert_false(credset_same_files(before, l->works.set));
	assert_int_equal(tnset_count(config_tenant_find(before->config, "acme")->numbers), 10);
	assert_string_equal(config_tenant_find(before->config, "beta")->name, "beta");
}

/* ---- what lasts ---- */

static void
agrees_with_the_configuration(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };

	change(l, "14045550100", "12025550109", now);
	assert_true(store_mtime(FILE_PATH) != 0);
	/* The files catch up: from now on they alone count. */
	bworld_tenant("acme", CONFIGURED("\"12025550100-12025550108\", \"14045550100\"", ""));
	assert_int_equal(works_load(&l->works, now + 100, &f), RC_OK);
	expect(l, "12025550100-12025550108 14045550100");
	assert_int_equal(store_mtime(FILE_PATH), 0);
	bworld_tenant("acme", ACME);
	assert_int_equal(works_load(&l->works, now + 200, &f), RC_OK);
	expect(l, "12025550100-12025550109");
}

/* A reading that is not in force has said nothing: the removal stays. */
static void
a_reload_that_fails_forgets_nothing(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };

	change(l, "", "12025550109", now);
	bworld_tenant("acme", CONFIGURED("\"12025550100-12025550108\"", ""));
	l->world.publish_rc = RC_TIMEOUT;
	assert_int_equal(works_load(&l->works, now + 100, &f), RC_TIMEOUT);
	l->world.publish_rc = RC_OK;
	bworld_tenant("acme", ACME);
	restart(l, now + 200);
	expect(l, "12025550100-12025550108");
}

/* Not confirmed, so not done: neither now nor after a restart. */
static void
what_is_not_in_force_is_not_kept(void **state)
{
	struct lab *l = *state;
	json_auto_t *result = json_object();
	struct fault f = { 0 };

	change(l, "14045550100", "", now);
	l->world.publish_rc = RC_TIMEOUT;
	assert_int_equal(
	    change_of(l, "acme", "14045550102", "12025550100", now, result, &f), RC_TIMEOUT);
	expect(l, "12025550100-12025550109 14045550100");
	l->world.publish_rc = RC_OK;
	restart(l, now);
	expect(l, "12025550100-12025550109 14045550100");
}

/* D-60: nothing is confirmed that is not on disk. */
static void
nothing_without_a_disk(void **state)
{
	struct lab *l = *state;
	unsigned refused_ones = 0;

	for (unsigned at = 1;; at++) {
		json_auto_t *result = json_object();
		struct fault f = { 0 };
		unsigned published = l->world.published;
		enum rc rc;

		crash_arm(CRASH_FAIL, at);
		rc = change_of(l, "acme", "", "12025550100", now, result, &f);
		if (crash_calls() < at) {
			crash_arm(CRASH_NONE, 0);
			assert_int_equal(rc, RC_OK);
			break;
		}
		crash_arm(CRASH_NONE, 0);
		if (rc == RC_OK) /* it was on disk: what failed came after (ported.h) */
			break;
		assert_int_equal(rc, RC_IO);
		assert_int_equal(l->world.published, published);
		expect(l, "12025550100-12025550109");
		assert_int_equal(store_mtime(FILE_PATH), 0); /* nor after a restart */
		refused_ones++;
	}
	assert_true(refused_ones >= 3); /* sync of the file, rename, sync of the directory */
	restart(l, now);
	expect(l, "12025550101-12025550109");
}

/* ---- a file that is not as it was written ---- */

static const char *const bad_files[] = { "", "{}", "[]", "null", "{\"added\":[]}",
	"{\"added\":[],\"removed\":[],\"waiting\":[]}",
	"{\"added\":[],\"removed\":[],\"waiting\":[],\"since\":\"1\"}",
	"{\"added\":[],\"removed\":[],\"waiting\":{},\"since\":1}",
	"{\"added\":[1],\"removed\":[],\"waiting\":[],\"since\":1}",
	"{\"added\":[\"1202555O100\"],\"removed\":[],\"waiting\":[],\"since\":1}",
	"{\"added\":[],\"removed\":[\"9-1\"],\"waiting\":[],\"since\":1}",
	"{\"added\":[],\"removed\":[],\"waiting\":[],\"since\":1,\"more\":1}",
	"{\"added\":[],\"added\":[],\"removed\":[],\"waiting\":[],\"since\":1}" };

static void
expect_lost(struct lab *l)
{
	json_auto_t *result = json_object();
	struct fault f = { 0 };

	restart(l, now);
	expect(l, "");
	assert_true(acme(l)->numbers_lost);
	assert_false(config_tenant_find(l->works.set->config, "beta")->numbers_lost);
	assert_int_equal(change_of(l, "acme", "14045550100", "", now, result, &f), RC_CONFLICT);
	assert_string_equal(f.reason, "numbers_lost");
}

/* What was removed is not known: none is signed for, and the others go on. */
static void
a_bad_file_costs_its_tenant(void **state)
{
	struct lab *l = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad_files); i++) {
		assert_int_equal(
		    store_write(FILE_PATH, span_str(bad_files[i]), 0600, NULL), RC_OK);
		expect_lost(l);
		assert_true(store_mtime(FILE_PATH) != 0); /* it is not thrown away */
	}
	bworld_file(FILE_PATH, NULL);
	restart(l, now);
	expect(l, "12025550100-12025550109");
}

static void
a_file_cut_short_is_bad(void **state)
{
	struct lab *l = *state;
	AUTO_BUF whole = BUF_INIT(65536);

	change(l, "14045550100", "12025550104", now);
	assert_int_equal(store_read(FILE_PATH, 65536, &whole, NULL), RC_OK);
	for (size_t len = 0; len + 1 < whole.len; len += 7) { /* the last octet ends the line */
		assert_int_equal(
		    store_write(FILE_PATH, span_of(whole.ptr, len), 0600, NULL), RC_OK);
		expect_lost(l);
	}
}

/* At a reload there is what was in force before. */
static void
a_bad_file_stops_a_reload(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };

	change(l, "", "12025550104", now);
	bworld_file(FILE_PATH, "oops");
	assert_int_equal(works_load(&l->works, now, &f), RC_INVALID);
	expect(l, "12025550100-12025550103 12025550105-12025550109");
}

/* ---- the window ---- */

/* Is an order for other numbers wanted now?  The renewer's view. */
static bool
is_ordered(struct lab *l)
{
	json_auto_t *out =
	    bworld_ask(&l->works, json_pack("{s:s, s:n}", "op", "plan", "after"), now);

	return json_is_false(json_object_get(
	    json_object_get(json_array_get(json_object_get(out, "credentials"), 0), "active"),
	    "as_configured"));
}

static void
additions_are_gathered(void **state)
{
	struct lab *l = *state;

	assert_false(is_ordered(l));
	change(l, "14045550100", "", now);
	change(l, "14045550102", "", now + 59); /* the window does not move */
	assert_int_equal(acme(l)->renumber_at_s, now + 60);
	assert_int_equal(works_due_s(&l->works) <= now + 60, 1);
	expect_asked(l, "12025550100-12025550109");
	assert_false(is_ordered(l));
	assert_false(numbers_close(&l->works, now + 59));
	assert_true(numbers_close(&l->works, now + 60));
	assert_false(numbers_close(&l->works, now + 61));
	assert_null(acme(l)->asked);
	assert_true(is_ordered(l));
	expect(l, "12025550100-12025550109 14045550100 14045550102");
	change(l, "14045550104", "", now + 61); /* the next window */
	assert_int_equal(acme(l)->renumber_at_s, now + 121);
	expect_asked(l, "12025550100-12025550109 14045550100 14045550102");
	/* It does not hold up what the one before has gathered. */
	assert_true(is_ordered(l));
}

/* For a removal alone nothing is ordered before the window closes. */
static void
removals_are_gathered(void **state)
{
	struct lab *l = *state;

	change(l, "", "12025550109", now);
	assert_false(is_ordered(l));
	assert_true(numbers_close(&l->works, now + 60));
	assert_true(is_ordered(l));
}

/* What left is not asked for a moment longer: its authority would refuse all of it. */
static void
removals_leave_the_order_at_once(void **state)
{
	struct lab *l = *state;

	change(l, "14045550100", "", now);
	change(l, "", "12025550109 14045550100", now + 10);
	expect_asked(l, "12025550100-12025550108");
	expect(l, "12025550100-12025550108");
}

static void
a_window_survives_a_restart(void **state)
{
	struct lab *l = *state;

	change(l, "14045550100", "", now);
	restart(l, now + 30);
	assert_int_equal(acme(l)->renumber_at_s, now + 60);
	expect_asked(l, "12025550100-12025550109");
	restart(l, now + 60);
	assert_int_equal(acme(l)->renumber_at_s, 0);
	assert_null(acme(l)->asked);
	assert_true(is_ordered(l));
}

/* A clock that was set back by a day holds nothing up by a day. */
static void
a_clock_set_back(void **state)
{
	struct lab *l = *state;

	change(l, "14045550100", "", now + 86400);
	restart(l, now);
	assert_int_equal(acme(l)->renumber_at_s, now + 60);
}

static void
without_a_window(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };

	bworld_tenant(
	    "acme", CONFIGURED("\"12025550100-12025550109\"", "renumber_window_s = 0"));
	assert_int_equal(works_load(&l->works, now, &f), RC_OK);
	change(l, "14045550100", "", now);
	assert_null(acme(l)->asked);
	assert_true(is_ordered(l));
}

/* That the set cannot be put in force is tried again, and nothing is lost. */
static void
a_window_that_cannot_close(void **state)
{
	struct lab *l = *state;

	change(l, "14045550100", "", now);
	l->world.publish_rc = RC_TIMEOUT;
	assert_false(numbers_close(&l->works, now + 60));
	assert_non_null(acme(l)->asked);
	l->world.publish_rc = RC_OK;
	assert_false(numbers_close(&l->works, now + 61));
	assert_true(numbers_close(&l->works, now + 60 + NUMBERS_RETRY_S));
}

/* ---- the audit ---- */

static void
the_trail_names_each_number(void **state)
{
	static struct tn_interval many[NUMBERS_RECORD + 1];
	struct lab *l = *state;
	AUTO(tnset) *set = NULL;
	json_auto_t *result = json_object();
	size_t told = json_array_size(l->world.audit);
	const json_t *one;
	struct tn tn = { 0 };
	struct fault f = { 0 };

	assert_int_equal(tn_exact(span_str("14040000000"), &tn, NULL), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i].lo = many[i].hi = tn_key(&tn) + 2 * i;
	assert_int_equal(tnset_build(many, ARRAY_LEN(many), &set, NULL), RC_OK);
	assert_int_equal(numbers_change(&l->works, "acme", set, NULL, now, result, &f), RC_OK);
	assert_int_equal(json_array_size(l->world.audit), told + 2);
	one = json_array_get(l->world.audit, told);
	assert_string_equal(json_string_value(json_object_get(one, "event")), "numbers_added");
	assert_string_equal(json_string_value(json_object_get(one, "tenant")), "acme");
	assert_int_equal(json_array_size(json_object_get(one, "numbers")), NUMBERS_RECORD);
	one = json_array_get(l->world.audit, told + 1);
	assert_int_equal(json_array_size(json_object_get(one, "numbers")), 1);
	assert_string_equal(
	    json_string_value(json_array_get(json_object_get(one, "numbers"), 0)),
	    "14040000256");
}

#define IN_LAB(test) cmocka_unit_test_setup_teardown(test, open_lab, close_lab)

int
main(void)
{
	static const struct CMUnitTest in_lab[] = { IN_LAB(more_than_a_certificate_holds),
		IN_LAB(found_by_what_is_in_force), IN_LAB(the_set_before_is_untouched),
		IN_LAB(agrees_with_the_configuration),
		IN_LAB(a_reload_that_fails_forgets_nothing),
		IN_LAB(what_is_not_in_force_is_not_kept), IN_LAB(nothing_without_a_disk),
		IN_LAB(a_bad_file_costs_its_tenant), IN_LAB(a_file_cut_short_is_bad),
		IN_LAB(a_bad_file_stops_a_reload), IN_LAB(additions_are_gathered),
		IN_LAB(removals_are_gathered), IN_LAB(removals_leave_the_order_at_once),
		IN_LAB(a_window_survives_a_restart), IN_LAB(a_clock_set_back),
		IN_LAB(without_a_window), IN_LAB(a_window_that_cannot_close),
		IN_LAB(the_trail_names_each_number) };
	struct CMUnitTest
	    tests[ARRAY_LEN(change_cases) + ARRAY_LEN(refused_cases) + ARRAY_LEN(in_lab)];
	size_t n = 0;

	ROWS(tests, n, change_cases, changes);
	ROWS(tests, n, refused_cases, refused);
	memcpy(&tests[n], in_lab, sizeof in_lab);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
