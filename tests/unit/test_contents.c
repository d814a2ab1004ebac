/* What the renewer saw at the URLs of rcd_content: the operation, the files, the table */
#include "agent/front/contents.h"

#include "agent/front/ops.h"
#include "agent/front/store.h"
#include "agent/log.h"
#include "stir/jtext.h"
#include "tests/unit/bworld.h"
#include "tests/unit/mutate.h"

static const int64_t now = PKI_NOW;

#define LOGO "https://example.com/logo.png"
#define CARD "https://example.com/card.json"
#define PINNED \
	"https://example.com/pinned.png sha256-RojgWwU6xUtI4q82+kHPyHm1JKbm7+663bMvzymhkl4"

static const char acme[] = "numbers = { \"12025550100\" }\n" BWORLD_DELEGATE(
    "atis-delegate", "rcd_content = { \"" LOGO "\", \"" CARD "\", \"" PINNED "\" }");
static const char twice[] = "numbers = { \"12025550200\" }\n" BWORLD_DELEGATE(
    "atis-delegate", "rcd_content = { \"" LOGO "\" }");

struct lab {
	struct bworld world;
	struct works works;
};

static int
open_lab(void **state)
{
	struct lab *l = calloc(1, sizeof *l);

	assert_non_null(l);
	bworld_open(&l->world);
	bworld_tenant("acme", acme);
	bworld_tenant("other", twice);
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

static const char good_card[] = "[\"vcard\",[[\"version\",{},\"text\",\"4.0\"],"
				"[\"fn\",{},\"text\",\"Q\"]]]";

/* A message about these octets. */
static json_t *
message(const char *uri, const char *octets, const char *card)
{
	json_t *msg = json_pack("{s:s, s:i, s:s, s:s?, s:n}", "op", "content", "id", 1, "uri",
	    uri, "card", card, "problem");

	assert_non_null(msg);
	for (unsigned h = 0; h < RCD__HASHES; h++) {
		struct rcd_digest d;
		char text[RCD_DIGEST_TEXT];

		assert_int_equal(
		    rcd_digest_of((enum rcd_hash)h, span_str(octets), &d, NULL), RC_OK);
		rcd_digest_text(&d, text);
		json_object_set_new(msg, rcd_hash_name((enum rcd_hash)h), json_string(text));
	}
	return msg;
}

/* NULL: it was taken; else the reason.  Static text. */
static const char *
answer_to(struct lab *l, json_t *msg, int64_t now_s)
{
	static char reason[64];
	json_auto_t *out = bworld_ask(&l->works, msg, now_s);

	if (json_is_true(json_object_get(out, "ok")))
		return NULL;
	snprintf(
	    reason, sizeof reason, "%s", json_string_value(json_object_get(out, "reason")));
	return reason;
}

static struct content *
seen(const struct lab *l, const char *uri)
{
	return contents_find(l->works.set->contents, uri);
}

static bool
has_digest_of(const struct content *c, const char *octets)
{
	struct rcd_digest d;

	assert_int_equal(rcd_digest_of(RCD_SHA256, span_str(octets), &d, NULL), RC_OK);
	return memcmp(&c->digest[RCD_SHA256], &d, sizeof d) == 0;
}

static void
only_what_is_observed(void **state)
{
	struct lab *l = *state;

	assert_non_null(seen(l, LOGO));
	assert_non_null(seen(l, CARD));
	assert_null(seen(l, "https://example.com/pinned.png"));
	assert_null(seen(l, "https://example.com/"));
	assert_null(contents_find(NULL, LOGO));
	assert_int_equal(seen(l, LOGO)->seen_at_s, 0);
}

/* D-41: seen, persisted with its time, changed, and known again after a restart. */
static void
seen_and_kept(void **state)
{
	struct lab *l = *state;
	struct credset *before = l->works.set;
	char problem[CONTENT_PROBLEM_MAX];

	assert_null(answer_to(l, message(LOGO, "one", NULL), now));
	assert_ptr_not_equal(l->works.set, before);
	assert_int_equal(l->world.published, 1);
	assert_int_equal(l->world.waited, 0);
	assert_true(has_digest_of(seen(l, LOGO), "one"));
	assert_int_equal(seen(l, LOGO)->seen_at_s, now);
	/* The same again is no change. */
	assert_null(answer_to(l, message(LOGO, "one", NULL), now + 60));
	assert_int_equal(l->world.published, 1);
	assert_int_equal(seen(l, LOGO)->seen_at_s, now);
	assert_int_equal(seen(l, LOGO)->checked_at_s, now + 60);
	assert_null(answer_to(l, message(LOGO, "two", NULL), now + 120));
	assert_int_equal(seen(l, LOGO)->seen_at_s, now + 120);
	assert_null(answer_to(l, message(CARD, good_card, good_card), now + 120));
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	assert_true(has_digest_of(seen(l, LOGO), "two"));
	bworld_again(&l->world, &l->works, now);
	assert_true(has_digest_of(seen(l, LOGO), "two"));
	assert_int_equal(seen(l, LOGO)->seen_at_s, now + 120);
	assert_non_null(seen(l, CARD)->card);
	content_problem(seen(l, LOGO), problem);
	assert_string_equal(problem, "");
}

/* A look that found nothing takes nothing out of force. */
static void
a_problem_keeps_what_is_known(void **state)
{
	struct lab *l = *state;
	json_t *msg = message(LOGO, "x", NULL);
	char problem[CONTENT_PROBLEM_MAX];

	assert_null(answer_to(l, message(LOGO, "one", NULL), now));
	json_object_set_new(msg, "problem", json_string("HTTP status 404\x1b[2J"));
	assert_null(answer_to(l, msg, now + 9));
	content_problem(seen(l, LOGO), problem);
	assert_string_equal(problem, "HTTP status 404 [2J");
	assert_true(has_digest_of(seen(l, LOGO), "one"));
	assert_int_equal(seen(l, LOGO)->checked_at_s, now);
	assert_int_equal(l->world.published, 1);
}

static void
not_in_force_is_not_known(void **state)
{
	struct lab *l = *state;

	l->world.publish_rc = RC_TIMEOUT;
	assert_string_equal(answer_to(l, message(LOGO, "one", NULL), now), "hsm_timeout");
	assert_int_equal(seen(l, LOGO)->seen_at_s, 0);
}

static struct bad_case {
	const char *name, *uri, *octets, *card;
	const char *member, *value; /* replaced, when not NULL */
	const char *reason;
} bad_cases[] = {
	{ "a URL that nobody observes", "https://example.com/x", "x", NULL, NULL, NULL,
	    "not_found" },
	{ "a URL that is pinned", "https://example.com/pinned.png", "x", NULL, NULL, NULL,
	    "not_found" },
	{ "no digest", LOGO, "x", NULL, "sha256", "null", "invalid_member" },
	{ "a digest of another kind", LOGO, "x", NULL, "sha384",
	    "\"sha256-RojgWwU6xUtI4q82+kHPyHm1JKbm7+663bMvzymhkl4\"", "invalid_member" },
	{ "a short digest", LOGO, "x", NULL, "sha512", "\"sha512-AAAA\"", "invalid_member" },
	{ "a digest that is a number", LOGO, "x", NULL, "sha256", "1", "invalid_member" },
	{ "a member more", LOGO, "x", NULL, "size", "1", "unknown_member" },
	{ "no URL", LOGO, "x", NULL, "uri", "null", "invalid_member" },
	{ "a card with other digests", CARD, "x", good_card, NULL, NULL, "invalid_member" },
	{ "a card in another form", CARD, "[\"vcard\", []]", "[\"vcard\", []]", NULL, NULL,
	    "invalid_claim" },
	{ "a card with a blank", CARD,
	    "[\"vcard\",[[\"version\",{},\"text\",\"4.0\"], [\"fn\",{},\"text\",\"Q\"]]]",
	    "[\"vcard\",[[\"version\",{},\"text\",\"4.0\"], [\"fn\",{},\"text\",\"Q\"]]]", NULL,
	    NULL, "invalid_member" },
	{ "a card that is none", CARD, "{}", "{}", NULL, NULL, "invalid_claim" },
	{ "a card that is no JSON", CARD, "[", "[", NULL, NULL, "malformed_json" },
	{ "a card with a member twice", CARD, "{\"a\":1,\"a\":1}", "{\"a\":1,\"a\":1}", NULL,
	    NULL, "duplicate_member" },
};

static void
refused(void **state)
{
	const struct bad_case *c = *state;
	struct lab *l = NULL;
	json_t *msg = message(c->uri, c->octets, c->card);

	open_lab((void **)&l);
	if (c->member != NULL)
		json_object_set_new(
		    msg, c->member, json_loads(c->value, JSON_DECODE_ANY, NULL));
	assert_string_equal(answer_to(l, msg, now), c->reason);
	assert_int_equal(l->world.published, 0);
	assert_int_equal(seen(l, LOGO)->seen_at_s + seen(l, CARD)->seen_at_s, 0);
	close_lab((void **)&l);
}

/* ---- the file ----------------------------------------------------------------------- */

static char file_path[STORE_PATH_MAX];
static struct lab *file_lab;

static enum rc
keep_path(void *arg, const char *name, struct fault *f)
{
	(void)arg;
	(void)f;
	snprintf(file_path, sizeof file_path, "state/front/contents/%s", name);
	return RC_OK;
}

/* Loaded anew: is the content known as it was? */
static bool
takes_file(struct span text)
{
	struct contents *t = NULL;
	struct content *c;
	bool yes;

	assert_int_equal(store_write(file_path, text, 0600, NULL), RC_OK);
	assert_int_equal(contents_load(file_lab->works.set->config, NULL, &t, NULL), RC_OK);
	c = contents_find(t, CARD);
	yes = c->seen_at_s == now && has_digest_of(c, good_card) && c->card != NULL;
	contents_release(t);
	return yes;
}

/* A damaged file is as if it were not there; it never crashes and is never half read. */
static void
damaged_file(void **state)
{
	AUTO_BUF text = BUF_INIT(8192);

	file_lab = *state;
	log_open("test", 0);
	assert_null(answer_to(file_lab, message(CARD, good_card, good_card), now));
	assert_int_equal(store_each("state/front/contents", keep_path, NULL, NULL), RC_OK);
	assert_int_equal(store_read(file_path, 8192, &text, NULL), RC_OK);
	no_prefix_is_taken(takes_file, buf_view(&text));
}

static enum rc
count(void *arg, const char *name, struct fault *f)
{
	(void)name;
	(void)f;
	(*(unsigned *)arg)++;
	return RC_OK;
}

/* A start removes what the configuration does not name any more, and nothing else. */
static void
unnamed_files_go(void **state)
{
	struct lab *l = *state;
	unsigned files = 0;

	assert_null(answer_to(l, message(CARD, good_card, good_card), now));
	assert_null(answer_to(l, message(LOGO, "one", NULL), now));
	bworld_file("state/front/contents/rubbish.json", "{");
	bworld_tenant("acme", NULL); /* LOGO is also another tenant's */
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	assert_int_equal(store_each("state/front/contents", count, &files, NULL), RC_OK);
	assert_int_equal(files, 3);
	bworld_again(&l->world, &l->works, now);
	files = 0;
	assert_int_equal(store_each("state/front/contents", count, &files, NULL), RC_OK);
	assert_int_equal(files, 1);
	assert_true(has_digest_of(seen(l, LOGO), "one"));
	assert_null(seen(l, CARD));
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(bad_cases) + 6];
	size_t n = 0;

	ROWS(tests, n, bad_cases, refused);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
	    only_what_is_observed, open_lab, close_lab);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
	    seen_and_kept, open_lab, close_lab);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
	    a_problem_keeps_what_is_known, open_lab, close_lab);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
	    not_in_force_is_not_known, open_lab, close_lab);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
	    unnamed_files_go, open_lab, close_lab);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
	    damaged_file, open_lab, close_lab);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
