/* The renewer's operations on TNAuthLists by reference, over a certificate on disk */
#include "agent/front/tnlist_ops.h"

#include <glob.h>
#include <sys/stat.h>

#include "agent/front/store.h"
#include "stir/b64.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"

#define URL	  "https://lists.example/a.tnauthlist"
#define FILE_PATH "state/front/tenants/acme/main/current.pem"
static const int64_t now = PKI_NOW;
static const char acme[] = "numbers = { \"12025550100-12025550103\" }\n" BWORLD_DELEGATE(
    "atis-delegate", "tnlist_max_age_s = 3600");

struct lab {
	struct bworld world;
	struct works works;
};

/* parent: the numbers of a CA in between; NULL: none is. */
static int
open_below(void **state, const char *parent)
{
	struct lab *l = calloc(1, sizeof *l);
	AUTO_BUF above = BUF_INIT(4096);
	struct bworld_cert spec = { .serial = "10", .aia = "1.3.6.1.5.5.7.48.14;URI:" URL };

	assert_non_null(l);
	if (parent != NULL)
		bworld_tnauth(&above, parent);
	spec.parent = buf_view(&above);
	bworld_open(&l->world);
	bworld_tenant("acme", acme);
	bworld_put(&l->world, FILE_PATH, &spec);
	bworld_works(&l->world, &l->works, now);
	*state = l;
	return 0;
}

static int
open_lab(void **state)
{
	return open_below(state, NULL);
}

static int
open_capped(void **state)
{
	return open_below(state, "12025550100-12025550102");
}

static int
close_lab(void **state)
{
	struct lab *l = *state;

	bworld_done(&l->world, &l->works);
	free(l);
	return 0;
}

static struct credential *
only(const struct lab *l)
{
	return l->works.set->slot[0];
}

/* The answer to msg (taken over). */
static json_t *
answer_to(struct lab *l, json_t *msg, int64_t now_s)
{
	return bworld_ask(&l->works, msg, now_s);
}

static size_t
due(struct lab *l, int64_t now_s)
{
	json_auto_t *out = answer_to(l, json_pack("{s:s, s:i}", "op", "lists", "id", 1), now_s);
	const json_t *one = json_array_get(json_object_get(out, "lists"), 0);

	if (one != NULL)
		assert_string_equal(json_string_value(json_object_get(one, "url")), URL);
	return json_array_size(json_object_get(out, "lists"));
}

/* One part; NULL: it was taken, else the reason (static). */
static const char *
part(struct lab *l, const char *url, struct span der, size_t offset, size_t len, int64_t now_s)
{
	static char reason[64];
	AUTO_BUF text = BUF_INIT(100000);
	json_auto_t *out = NULL;

	b64_encode(&text, B64_URL, span_of(der.ptr + offset, len));
	out = answer_to(l,
	    json_pack("{s:s, s:i, s:s, s:s, s:s, s:I, s:I, s:s, s:i, s:n}", "op", "list", "id",
		1, "tenant", "acme", "name", "main", "url", url, "total", (json_int_t)der.len,
		"offset", (json_int_t)offset, "data", buf_text(&text), "fresh_s", 600,
		"problem"),
	    now_s);
	if (json_is_true(json_object_get(out, "ok")))
		return NULL;
	snprintf(
	    reason, sizeof reason, "%s", json_string_value(json_object_get(out, "reason")));
	return reason;
}

static const char *
whole(struct lab *l, const char *numbers, int64_t now_s)
{
	AUTO_BUF der = BUF_INIT(4096);

	bworld_tnauth(&der, numbers);
	return part(l, URL, buf_view(&der), 0, der.len, now_s);
}

static bool
covers(const struct lab *l, const char *number)
{
	struct tn tn;

	assert_int_equal(tn_exact(span_str(number), &tn, NULL), RC_OK);
	return only(l)->state == CREDENTIAL_READY && gate_covers(only(l)->gate, &tn);
}

/* D-46: not in force without the list, in force with it, from the disk after a restart. */
static void
in_force_with_its_list(void **state)
{
	struct lab *l = *state;

	assert_int_equal(only(l)->state, CREDENTIAL_UNUSABLE);
	assert_string_equal(only(l)->why.reason, "tnlist_missing");
	assert_int_equal(due(l, now), 1);
	assert_int_equal(due(l, now + 1), 0); /* handed out */
	assert_null(whole(l, "12025550100,12025550101", now));
	assert_true(covers(l, "12025550101"));
	assert_false(covers(l, "12025550102"));
	assert_int_equal(due(l, now + 599), 0);
	assert_int_equal(due(l, now + 600), 1);
	bworld_again(&l->world, &l->works, now);
	assert_true(covers(l, "12025550101"));
}

/*
 * A number that the list no longer has is gone with the next snapshot; one more is there.
 * D-46
 */
static void
follows_its_list(void **state)
{
	struct lab *l = *state;
	struct credset *before;

	assert_null(whole(l, "12025550100,12025550101", now));
	before = l->works.set;
	assert_null(whole(l, "12025550100,12025550101", now + 700));
	assert_ptr_equal(l->works.set, before); /* the same again is no change */
	assert_int_equal(only(l)->list->fetched_at_s, now + 700);
	assert_null(whole(l, "12025550100,12025550102", now + 1400));
	assert_false(covers(l, "12025550101"));
	assert_true(covers(l, "12025550102"));
}

/*
 * D-46: a list of which the parent does not hold all is not put in force, but
 * what it has lost is not signed any more; and nothing, where nothing is left.
 */
static void
losses_count_always(void **state)
{
	struct lab *l = *state;

	assert_null(whole(l, "12025550100,12025550101", now));
	assert_string_equal(whole(l, "12025550100,12025550103", now + 700), "chain_scope");
	assert_true(covers(l, "12025550100"));
	assert_false(covers(l, "12025550101"));
	assert_false(covers(l, "12025550103"));
	assert_int_equal(only(l)->list->fetched_at_s, now + 700);
	assert_int_equal(only(l)->list_due_s, now + 700 + LISTS_AGAIN_S);
	/* The same again is tried again, and with nothing lost only its age is news. */
	assert_string_equal(whole(l, "12025550100,12025550103", now + 1400), "chain_scope");
	assert_true(covers(l, "12025550100"));
	assert_int_equal(only(l)->list->fetched_at_s, now + 1400);
	assert_string_equal(whole(l, "12025550103", now + 2100), "chain_scope");
	assert_int_equal(only(l)->state, CREDENTIAL_UNUSABLE);
	assert_string_equal(only(l)->why.reason, "chain_scope");
	assert_int_equal(due(l, now + 2100 + LISTS_AGAIN_S), 1);
	assert_null(whole(l, "12025550100,12025550102", now + 2800));
	assert_true(covers(l, "12025550100") && covers(l, "12025550102"));
	/* The set that is in force without its file, too (D-46). */
	assert_int_equal(store_remove(FILE_PATH, NULL), RC_OK);
	assert_null(whole(l, "12025550102", now + 3500));
	assert_true(covers(l, "12025550102"));
	assert_false(covers(l, "12025550100"));
}

/* In force all the same; and no older one is left for a restart. */
static void
a_list_that_cannot_be_written(void **state)
{
	struct lab *l = *state;
	glob_t found = { 0 };

	assert_null(whole(l, "12025550100,12025550101", now));
	assert_int_equal(
	    glob("state/front/tenants/acme/main/tnlist-*.der", 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	assert_int_equal(unlink(found.gl_pathv[0]), 0);
	assert_int_equal(mkdir(found.gl_pathv[0], 0700), 0);
	assert_string_equal(whole(l, "12025550100", now + 700), "io");
	assert_true(covers(l, "12025550100"));
	assert_false(covers(l, "12025550101"));
	assert_int_equal(only(l)->list_due_s, now + 700 + LISTS_AGAIN_S);
	(void)rmdir(found.gl_pathv[0]);
	globfree(&found);
	works_done(&l->works);
	bworld_works(&l->world, &l->works, now + 700);
	assert_string_equal(only(l)->why.reason, "tnlist_missing");
}

static void
parts_follow_each_other(void **state)
{
	struct lab *l = *state;
	AUTO_BUF der = BUF_INIT(4096);
	struct span s;

	bworld_tnauth(&der, "12025550100,12025550101");
	s = buf_view(&der);
	assert_string_equal(part(l, URL, s, 5, 5, now), "conflict"); /* no beginning */
	assert_null(part(l, URL, s, 0, 10, now));
	assert_string_equal(part(l, URL, s, 11, s.len - 11, now), "conflict"); /* a gap */
	assert_null(part(l, URL, s, 0, 10, now));
	assert_null(part(l, URL, s, 0, 10, now)); /* begun anew */
	assert_int_equal(only(l)->state, CREDENTIAL_UNUSABLE);
	assert_null(part(l, URL, s, 10, s.len - 10, now));
	assert_true(covers(l, "12025550101"));
}

/* A taken-over renewer can bring no list but that of a URL in a certificate, and no nonsense. */
static void
refuses_what_it_must(void **state)
{
	struct lab *l = *state;
	static const uint8_t nonsense[] = { 0x30, 0x00 };
	AUTO_BUF der = BUF_INIT(4096);

	bworld_tnauth(&der, "12025550100");
	assert_string_equal(
	    part(l, "https://evil.example/", buf_view(&der), 0, der.len, now), "not_found");
	assert_null(whole(l, "12025550100", now));
	assert_string_equal(
	    part(l, URL, span_of(nonsense, sizeof nonsense), 0, 2, now + 1), "tnauth_empty");
	assert_true(covers(l, "12025550100")); /* what is known stays */
	assert_int_equal(only(l)->list_due_s, now + 1 + LISTS_AGAIN_S);
}

static void
a_problem_leaves_what_is_known(void **state)
{
	struct lab *l = *state;
	json_auto_t *out = NULL;

	assert_null(whole(l, "12025550100", now));
	out = answer_to(l,
	    json_pack("{s:s, s:i, s:s, s:s, s:s, s:i, s:i, s:n, s:n, s:s}", "op", "list", "id",
		1, "tenant", "acme", "name", "main", "url", URL, "total", 0, "offset", 0,
		"data", "fresh_s", "problem", "HTTP status 404"),
	    now + 600);
	assert_true(json_is_true(json_object_get(out, "ok")));
	assert_true(covers(l, "12025550100"));
	assert_int_equal(due(l, now + 600 + LISTS_AGAIN_S), 1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_lab, close_lab)
		TEST(in_force_with_its_list),
		TEST(follows_its_list),
		cmocka_unit_test_setup_teardown(losses_count_always, open_capped, close_lab),
		TEST(a_list_that_cannot_be_written),
		TEST(parts_follow_each_other),
		TEST(refuses_what_it_must),
		TEST(a_problem_leaves_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
