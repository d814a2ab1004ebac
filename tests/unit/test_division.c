/* division: a credential's numbers over several certificates, each a credential of its own */
#include "agent/front/division.h"

#include <sys/stat.h>
#include <unistd.h>

#include "agent/front/keyfile.h"
#include "agent/front/narrow.h"
#include "agent/front/numbers.h"
#include "agent/front/ops.h"
#include "agent/front/plan.h"
#include "agent/front/revocation.h"
#include "agent/front/store.h"
#include "stir/b64.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/crash.h"
#include "tests/unit/rows.h"

#define RECORD	    "state/front/shards/acme.json"
#define CHAIN(name) "state/front/tenants/acme/" name "/current.pem"
#define NUMBERS \
	"\"12025550100-12025550103\", \"12025550110\", \"12025550112\", \"12025550114\", " \
	"\"12025550116\", \"12025550118\""
#define FIRST  "12025550100-12025550103"
#define SECOND "12025550110,12025550112,12025550114,12025550116"
#define THIRD  "12025550118"
#define WHOLE  FIRST "," SECOND "," THIRD
#define DIVIDED(numbers, most) \
	"numbers = { " numbers " } renumber_window_s = 0\n" BWORLD_DELEGATE( \
	    "atis-delegate", "numbers_per_certificate = " most)

static const int64_t now = PKI_NOW;

struct lab {
	struct bworld world;
	struct works works;
};

static void
put_list(struct lab *l, const char *path, struct span list, const char *serial)
{
	struct bworld_cert spec = { .serial = serial, .tnauth = list };

	bworld_put(&l->world, path, &spec);
}

static void
put_chain(struct lab *l, const char *path, const char *numbers, const char *serial)
{
	AUTO_BUF list = BUF_INIT(4096);

	bworld_tnauth(&list, numbers);
	put_list(l, path, buf_view(&list), serial);
}

/* Two of three are there. */
static int
open_lab(void **state)
{
	struct lab *l = calloc(1, sizeof *l);

	assert_non_null(l);
	bworld_open(&l->world);
	bworld_tenant("acme", DIVIDED(NUMBERS, "4"));
	bworld_tenant(
	    "beta", "numbers = { \"13035550100\" }\n" BWORLD_DELEGATE("atis-delegate", ""));
	put_chain(l, CHAIN("main.1"), FIRST, "10");
	put_chain(l, CHAIN("main.2"), SECOND, "11");
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
restart(struct lab *l)
{
	bworld_again(&l->world, &l->works, now);
}

static void
reload(struct lab *l)
{
	struct fault f = { 0 };

	if (works_load(&l->works, now, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
}

static const struct config_tenant *
acme(const struct lab *l)
{
	return config_tenant_find(l->works.set->config, "acme");
}

static struct credential *
credential(const struct lab *l, const char *name)
{
	struct credset_place at;

	assert_true(credset_find(l->works.set, "acme", name, &at));
	return credset_credential(l->works.set, at);
}

/* "name: numbers; …" of all that the tenant has, in the order in which they stand. */
static void
expect(const struct lab *l, const char *whole)
{
	const struct config_tenant *t = acme(l);
	char have[2048] = "";

	for (size_t i = 0; i < t->credentials; i++) {
		const struct tnset *set = members_numbers(t, &t->credential[i]);
		size_t at = strlen(have);

		at +=
		    (size_t)snprintf(have + at, sizeof have - at, "%s:", t->credential[i].name);
		for (size_t k = 0; set != NULL && k < tnset_len(set); k++) {
			char one[TNSET_TEXT];

			tnset_text(tnset_at(set, k), one);
			at += (size_t)snprintf(have + at, sizeof have - at, " %s", one + 7);
		}
		snprintf(have + at, sizeof have - at, "; ");
	}
	assert_string_equal(have, whole);
}

#define AT_FIRST "main.1: 0100-12025550103; main.2: 0110 0112 0114 0116; main.3: 0118; "

static enum rc
change_of(struct lab *l, const char *add, const char *remove, struct fault *f)
{
	json_auto_t *result = json_object();
	struct tn_interval one = { 0 };
	AUTO(tnset) *more = NULL, *less = NULL;

	if (add != NULL) {
		assert_int_equal(tnset_parse(span_str(add), &one, NULL), RC_OK);
		assert_int_equal(tnset_build(&one, 1, &more, NULL), RC_OK);
	}
	if (remove != NULL) {
		assert_int_equal(tnset_parse(span_str(remove), &one, NULL), RC_OK);
		assert_int_equal(tnset_build(&one, 1, &less, NULL), RC_OK);
	}
	return numbers_change(&l->works, "acme", more, less, now, result, f);
}

static void
change(struct lab *l, const char *add, const char *remove)
{
	struct fault f = { 0 };

	if (change_of(l, add, remove, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
}

/* What the renewer is told of one; NULL: nothing. */
static json_t *
row_of(struct lab *l, const char *name)
{
	json_auto_t *out =
	    bworld_ask(&l->works, json_pack("{s:s, s:n}", "op", "plan", "after"), now);
	json_t *row = NULL, *one;
	size_t i;

	json_array_foreach (json_object_get(out, "credentials"), i, one) {
		if (strcmp(json_string_value(json_object_get(one, "tenant")), "acme") == 0 &&
		    strcmp(json_string_value(json_object_get(one, "name")), name) == 0)
			row = json_incref(one);
	}
	return row;
}

/* Is it to be ordered now, whatever the calendar says? */
static bool
is_ordered(struct lab *l, const char *name)
{
	json_auto_t *row = row_of(l, name);
	const json_t *active = json_object_get(row, "active");

	return row != NULL && (json_is_null(active) ||
				  json_is_false(json_object_get(active, "as_configured")));
}

static void
expect_asked(struct lab *l, const char *name, const char *numbers)
{
	AUTO_BUF der = BUF_INIT(4096), text = BUF_INIT(8192);
	json_auto_t *row = row_of(l, name);

	assert_non_null(row);
	bworld_tnauth(&der, numbers);
	b64_encode(&text, B64_URL, buf_view(&der));
	assert_string_equal(
	    json_string_value(json_object_get(row, "tnauthlist")), buf_text(&text));
}

/* ---- at load ---- */

static void
each_a_credential(void **state)
{
	struct lab *l = *state;

	expect(l, AT_FIRST);
	assert_int_equal(credential(l, "main.1")->state, CREDENTIAL_READY);
	assert_int_equal(credential(l, "main.2")->state, CREDENTIAL_READY);
	assert_int_equal(credential(l, "main.3")->state, CREDENTIAL_PENDING);
	expect_asked(l, "main.1", FIRST);
	expect_asked(l, "main.2", SECOND);
	expect_asked(l, "main.3", THIRD);
	assert_false(is_ordered(l, "main.1"));
	assert_false(is_ordered(l, "main.2"));
	assert_true(is_ordered(l, "main.3"));
	assert_null(row_of(l, "main"));
	assert_true(store_mtime(RECORD) != 0);
	assert_string_equal(
	    config_tenant_find(l->works.set->config, "beta")->credential[0].name, "main");
}

/* One number more, so one certificate: D-17 */
static void
an_added_number_orders_one(void **state)
{
	struct lab *l = *state;
	struct credential *first = credential(l, "main.1");

	put_chain(l, CHAIN("main.3"), THIRD, "12");
	reload(l);
	assert_false(is_ordered(l, "main.3"));
	change(l, "12025550130", NULL);
	expect(l, "main.1: 0100-12025550103; main.2: 0110 0112 0114 0116; main.3: 0118 0130; ");
	assert_false(is_ordered(l, "main.1"));
	assert_false(is_ordered(l, "main.2"));
	assert_true(is_ordered(l, "main.3"));
	expect_asked(l, "main.3", THIRD ",12025550130");
	assert_ptr_equal(credential(l, "main.1"), first); /* nor is anything made anew */
}

static void
a_removed_number_leaves_a_hole(void **state)
{
	struct lab *l = *state;

	change(l, NULL, "12025550112");
	expect(l, "main.1: 0100-12025550103; main.2: 0110 0114 0116; main.3: 0118; ");
	assert_false(is_ordered(l, "main.1"));
	assert_true(is_ordered(l, "main.2"));
	/* Neither forgotten nor filled by a restart, a reload, or files that say the same. */
	for (int i = 0; i < 3; i++) {
		if (i == 2)
			bworld_tenant(
			    "acme", DIVIDED("\"12025550100-12025550103\", \"12025550110\", "
					    "\"12025550114\", \"12025550116\", \"12025550118\"",
					"4"));
		if (i == 1)
			restart(l);
		else
			reload(l);
		expect(l, "main.1: 0100-12025550103; main.2: 0110 0114 0116; main.3: 0118; ");
	}
	change(l, "12025550130", NULL); /* the emptier one */
	expect(l, "main.1: 0100-12025550103; main.2: 0110 0114 0116; main.3: 0118 0130; ");
}

/* More than there is room for: another credential, behind those that there are. */
static void
a_new_one(void **state)
{
	struct lab *l = *state;
	struct credential *first = credential(l, "main.1");
	AUTO_CREDSET *before = credset_ref(l->works.set);

	change(l, "12025550120-12025550123", NULL);
	expect(l, AT_FIRST "main.4: 0120-12025550123; ");
	assert_int_equal(credential(l, "main.4")->state, CREDENTIAL_PENDING);
	assert_ptr_equal(credential(l, "main.1"), first);
	assert_true(is_ordered(l, "main.4"));
	assert_true(credset_same_files(before, l->works.set));
	assert_int_equal(config_tenant_find(before->config, "acme")->credentials, 3);
	assert_string_equal(credential(l, "main.2")->name, "main.2");
	change(l, NULL, "12025550120-12025550123");
	expect(l, AT_FIRST "main.4:; ");
	assert_null(row_of(l, "main.4")); /* nothing is asked for */
	change(l, "12025550124-12025550127", NULL);
	expect(l, AT_FIRST "main.4: 0124-12025550127; ");
	restart(l);
	expect(l, AT_FIRST "main.4: 0124-12025550127; ");
}

/* The tenant behind it keeps what it has, too. */
static void
others_keep_their_places(void **state)
{
	struct lab *l = *state;
	struct credset_place at;
	struct credential *theirs;

	assert_true(credset_find(l->works.set, "beta", "main", &at));
	theirs = credset_credential(l->works.set, at);
	change(l, "12025550120-12025550127", NULL);
	assert_int_equal(acme(l)->credentials, 5);
	assert_true(credset_find(l->works.set, "beta", "main", &at));
	assert_ptr_equal(credset_credential(l->works.set, at), theirs);
}

/* ---- the record ---- */

static const char *const bad_records[] = { "", "[]", "{", "{\"main\":1}", "{\"main\":[1]}",
	"{\"main\":[[\"1202555O100\"]]}", "{\"main\":[[],[]],\"main\":[]}" };

static void
a_record_that_cannot_be_read(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad_records); i++) {
		bworld_file(RECORD, bad_records[i]);
		f = (struct fault){ 0 };
		if (works_load(&l->works, now, &f) != RC_INVALID)
			fail_msg("record %zu was read", i);
		expect(l, AT_FIRST);
		restart(l); /* begins anew, and says so in the log */
		expect(l, AT_FIRST);
	}
	/* Well written, and cannot be: a number in two. */
	bworld_file(RECORD, "{\"main\":[[\"12025550110\"],[\"12025550110\"]]}");
	assert_int_equal(works_load(&l->works, now, &f), RC_INVALID);
	restart(l);
	expect(l, AT_FIRST);
}

#define HOLES "main.1: 0100-12025550102; main.2: 0110; main.3: 0118; "

/* Five of these would have room in two: what is in force says that they are in three. */
static void
open_holes(struct lab *l)
{
	put_chain(l, CHAIN("main.3"), THIRD, "12");
	restart(l);
	change(l, NULL, "12025550103");
	change(l, NULL, "12025550112");
	change(l, NULL, "12025550114");
	change(l, NULL, "12025550116");
	expect(l, HOLES);
}

static void
a_lost_record_and_holes(void **state)
{
	struct lab *l = *state;

	open_holes(l);
	bworld_file(RECORD, "{");
	restart(l);
	expect(l, HOLES);
	assert_int_equal(credential(l, "main.3")->state, CREDENTIAL_READY);
	assert_true(store_mtime(RECORD ".lost") != 0);
	restart(l);
	expect(l, HOLES);
	bworld_file(RECORD, NULL); /* a crash before the next one was written */
	restart(l);
	expect(l, HOLES);
}

/* Gone, and nobody says why: what is in force says it, at a reload and at a start. */
static void
a_record_that_is_gone(void **state)
{
	struct lab *l = *state;

	open_holes(l);
	for (int i = 0; i < 2; i++) {
		bworld_file(RECORD, i == 0 ? NULL : "{}");
		if (i == 0)
			reload(l);
		else
			restart(l);
		expect(l, HOLES);
		assert_int_equal(credential(l, "main.3")->state, CREDENTIAL_READY);
		assert_false(is_ordered(l, "main.3"));
		assert_true(store_mtime(RECORD) != 0);
		assert_true(store_mtime(RECORD ".lost") == 0);
	}
	change(l, "12025550130", NULL); /* one of them, and no other place */
	expect(l, "main.1: 0100-12025550102; main.2: 0110 0130; main.3: 0118; ");
}

/* A directory cannot be read as a file: it is left alone until there is something to write. */
static void
a_record_out_of_reach(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };

	open_holes(l);
	assert_int_equal(rename(RECORD, RECORD ".was"), 0);
	assert_int_equal(mkdir(RECORD, 0700), 0);
	assert_int_not_equal(works_load(&l->works, now, &f), RC_OK);
	restart(l);
	expect(l, HOLES);
	assert_int_equal(rmdir(RECORD), 0); /* so it was not replaced */
	assert_int_equal(rename(RECORD ".was", RECORD), 0);
	restart(l);
	expect(l, HOLES);
	assert_true(store_mtime(RECORD ".lost") == 0);
	assert_int_equal(rename(RECORD, RECORD ".was"), 0);
	assert_int_equal(mkdir(RECORD, 0700), 0);
	restart(l);
	change(l, "12025550130", NULL);
	assert_int_equal(rmdir(RECORD ".lost"), 0);
	restart(l);
	assert_int_equal(credential(l, "main.3")->state, CREDENTIAL_READY);
}

/* What it says of numbers that are not the tenant's counts for nothing. */
static void
a_record_of_others(void **state)
{
	struct lab *l = *state;

	bworld_file(RECORD, "{\"gone\":[[\"1\"]],\n\"main\":[[\"12025550118\",\"99\"],[]]}");
	restart(l);
	expect(l, "main.1: 0110 0112 0114 0118; main.2: 0100-12025550103; main.3: 0116; ");
}

static void
nothing_without_a_disk(void **state)
{
	struct lab *l = *state;
	unsigned refused = 0;

	for (unsigned at = 1;; at++) {
		struct fault f = { 0 };
		enum rc rc;

		crash_arm(CRASH_FAIL, at);
		rc = change_of(l, "12025550120-12025550123", NULL, &f);
		if (crash_calls() < at) {
			crash_arm(CRASH_NONE, 0);
			assert_int_equal(rc, RC_OK);
			break;
		}
		crash_arm(CRASH_NONE, 0);
		assert_int_equal(rc, RC_IO);
		expect(l, AT_FIRST);
		restart(l); /* nor after that */
		expect(l, AT_FIRST);
		refused++;
	}
	assert_true(refused >= 6); /* both files */
	restart(l);
	expect(l, AT_FIRST "main.4: 0120-12025550123; ");
}

/* ---- refused ---- */

static void
no_room_for_their_keys(void **state)
{
	struct lab *l = *state;
	struct config_token *token;
	struct fault f = { 0 };

	token = (struct config_token *)(uintptr_t)&l->works.set->config->token[0];
	token->max_keys = (unsigned)config_keys_needed(l->works.set->config, token);
	assert_int_equal(change_of(l, "12025550120-12025550123", NULL, &f), RC_DENIED);
	assert_string_equal(f.reason, "too_many_numbers");
	expect(l, AT_FIRST);
	change(l, "12025550130", NULL);
	token->max_keys++;
	change(l, "12025550120-12025550123", NULL);
	assert_int_equal(acme(l)->credentials, 4);
}

/* Into the token's section. */
static void
put_max_keys(size_t keys)
{
	static const char mark[] = "lock_file = \"token.lock\"";
	AUTO_BUF old = BUF_INIT(65536), new = BUF_INIT(65536);
	const char *text, *at;

	assert_int_equal(store_read("vesperd.conf", 65536, &old, NULL), RC_OK);
	text = buf_text(&old);
	at = strstr(text, mark);
	assert_non_null(at);
	buf_put(&new, text, (size_t)(at - text));
	buf_printf(&new, "max_keys = %zu ", keys);
	buf_str(&new, at);
	bworld_file("vesperd.conf", buf_text(&new));
}

/* Holes make one more of what the files alone would put into three. */
static void
no_room_for_the_keys_of_what_was(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };

	change(l, "12025550120-12025550123", NULL);
	change(l, NULL, "12025550118");
	change(l, NULL, "12025550116");
	expect(l, "main.1: 0100-12025550103; main.2: 0110 0112 0114; main.3:; "
		  "main.4: 0120-12025550123; ");
	put_max_keys(
	    config_keys_needed(l->works.set->config, &l->works.set->config->token[0]) - 1);
	works_done(&l->works);
	bworld_works(&l->world, &l->works, now); /* a start goes on, and says so */
	assert_int_equal(acme(l)->credentials, 4);
	assert_int_equal(works_load(&l->works, now, &f), RC_INVALID);
	assert_non_null(strstr(f.detail, "certificates of divided credentials need"));
}

static void
no_place_for_them(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };

	assert_int_equal(change_of(l, "12025560000-12025569999", NULL, &f), RC_DENIED);
	assert_string_equal(f.reason, "too_many_numbers");
	expect(l, AT_FIRST);
}

#define ONE_EACH(name) \
	" credential \"" name "\" { profile = \"atis-delegate\" token = \"main\" ca = \"lab\"" \
	" authority = \"numbers\" x5u = \"https://127.1.2.3:8443/certs/\"" \
	" publish_dir = \"www\" numbers_per_certificate = 1 }\n"

/* Each of five has fewer than it may, and together they are 5 x 820 certificates. */
static void
too_many_together(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };

	bworld_tenant("acme", "numbers = { \"12025550100\" }\n" ONE_EACH("a") ONE_EACH("b")
				  ONE_EACH("c") ONE_EACH("d") ONE_EACH("e"));
	restart(l);
	assert_int_equal(acme(l)->credentials, 5);
	assert_int_equal(change_of(l, "12025551000-12025551818", NULL, &f), RC_DENIED);
	assert_string_equal(f.reason, "too_many_numbers");
	assert_int_equal(acme(l)->credentials, 5);
}

/* ---- from one division to another ---- */

static bool
is_there(const char *path)
{
	return store_mtime(path) != 0;
}

static void
in_one(struct lab *l)
{
	bworld_tenant(
	    "acme", "numbers = { " NUMBERS " }\n" BWORLD_DELEGATE("atis-delegate", ""));
	bworld_file(RECORD, NULL);
	bworld_file(CHAIN("main.1"), NULL);
	bworld_file(CHAIN("main.2"), NULL);
	assert_int_equal(rmdir("state/front/tenants/acme/main.1"), 0);
	assert_int_equal(rmdir("state/front/tenants/acme/main.2"), 0);
	put_chain(l, CHAIN("main"), WHOLE, "20");
	restart(l);
	assert_int_equal(credential(l, "main")->state, CREDENTIAL_READY);
	assert_int_equal(keyfile_write(l->works.set->config, credential(l, "main")->key_id,
			     &(struct keyfile){ .token = "main", .made_s = now }, NULL),
	    RC_OK);
}

/* What covered all of them goes on as the first, until the others are there. */
static void
divided_from_now_on(void **state)
{
	struct lab *l = *state;

	in_one(l);
	bworld_tenant("acme", DIVIDED(NUMBERS, "4"));
	reload(l);
	expect(l, AT_FIRST);
	assert_false(is_there(CHAIN("main")));
	assert_true(is_there(CHAIN("main.1")));
	assert_int_equal(credential(l, "main.1")->state, CREDENTIAL_READY);
	expect_asked(l, "main.1", WHOLE); /* it would lose what nobody else has */
	assert_false(is_ordered(l, "main.1"));
	assert_true(is_ordered(l, "main.2"));
	put_chain(l, CHAIN("main.2"), SECOND, "21");
	reload(l);
	assert_false(is_ordered(l, "main.1"));
	put_chain(l, CHAIN("main.3"), THIRD, "22");
	reload(l);
	assert_true(is_ordered(l, "main.1"));
	expect_asked(l, "main.1", FIRST);
}

static enum credential_state
looked_at(const char *name)
{
	AUTO_CREDSET *set = NULL;
	struct credset_place at = { 0 };
	struct fault f = { 0 };

	if (load_look("vesperd.conf", now, &set, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	assert_true(credset_find(set, "acme", name, &at));
	return credset_credential(set, at)->state;
}

#define OF_ORDER \
	"numbers = { " NUMBERS " }\n" \
	"credential \"main\" { profile = \"atis-delegate\" token = \"main\" ca = \"lab\"\n" \
	"  authority = \"numbers\" x5u = \"https://127.1.2.3:8443/certs/\"\n" \
	"  x5u_from = order numbers_per_certificate = 4 }\n"

/* Before it is in force: judged by what would go on, which stays where it is. */
static void
looked_at_before(void **state)
{
	struct lab *l = *state;
	char noted[200];

	in_one(l);
	bworld_tenant("acme", DIVIDED(NUMBERS, "4"));
	assert_int_equal(looked_at("main.1"), CREDENTIAL_READY);
	assert_int_equal(looked_at("main.2"), CREDENTIAL_PENDING);
	assert_true(is_there(CHAIN("main")));
	assert_false(is_there(CHAIN("main.1")));
	snprintf(noted, sizeof noted, "state/front/tenants/acme/main/x5u-%s",
	    credential(l, "main")->fingerprint);
	bworld_tenant("acme", OF_ORDER);
	assert_int_equal(looked_at("main.1"), CREDENTIAL_UNUSABLE);
	bworld_file(noted, "https://127.1.2.3:8443/certs/1.pem");
	assert_int_equal(looked_at("main.1"), CREDENTIAL_READY);
	bworld_tenant("acme", DIVIDED(NUMBERS, "4"));
	reload(l);
	bworld_tenant(
	    "acme", "numbers = { " NUMBERS " }\n" BWORLD_DELEGATE("atis-delegate", ""));
	assert_int_equal(looked_at("main"), CREDENTIAL_READY);
	assert_true(is_there(CHAIN("main.1")));
	assert_false(is_there(CHAIN("main")));
}

#define TWO_TOKENS \
	"numbers = { " NUMBERS " }\n" \
	"credential \"main\" { profile = \"atis-delegate\" token = { \"main\", \"two\" }\n" \
	"  ca = \"lab\" authority = \"numbers\" x5u = \"https://127.1.2.3:8443/certs/\"\n" \
	"  publish_dir = \"www\" }\n"

/* Of each token the one with the key there: not the other's. */
static void
looked_at_before_a_token(void **state)
{
	struct lab *l = *state;

	in_one(l);
	bworld_main(
	    "token \"two\" { module = \"/x.so\" label = \"two\" pin = \"file:pin\" }\n");
	bworld_tenant("acme", TWO_TOKENS);
	assert_int_equal(looked_at("main.main"), CREDENTIAL_READY);
	assert_int_equal(looked_at("main.two"), CREDENTIAL_PENDING);
	assert_true(is_there(CHAIN("main")));
	assert_false(is_there(CHAIN("main.main")));
	restart(l);
	assert_int_equal(credential(l, "main.main")->state, CREDENTIAL_READY);
	assert_false(is_there(CHAIN("main")));
	assert_true(is_there(CHAIN("main.main")));
	assert_false(is_there(CHAIN("main.two")));
}

#define UNDIVIDED(numbers) \
	"numbers = { " numbers " } renumber_window_s = 0\n" BWORLD_DELEGATE("atis-delegate", "")
#define JOINED "main.1: 0100-12025550103 0110 0112 0114 0116 0118; main.2:; main.3:; "

static void
open_joined(struct lab *l)
{
	put_chain(l, CHAIN("main.3"), THIRD, "12");
	restart(l);
	bworld_tenant("acme", UNDIVIDED(NUMBERS));
	reload(l);
	expect(l, JOINED);
}

static void
put_whole(struct lab *l)
{
	AUTO_BUF pem = BUF_INIT(65536);
	AUTO(chain) *chain = NULL;

	put_chain(l, CHAIN("main.1"), WHOLE, "20");
	assert_int_equal(store_read(CHAIN("main.1"), 65536, &pem, NULL), RC_OK);
	assert_int_equal(chain_read_pem(buf_view(&pem), false, &chain, NULL), RC_OK);
	assert_int_equal(keyfile_write(l->works.set->config, chain->cert[0]->key_id,
			     &(struct keyfile){ .token = "main", .made_s = now }, NULL),
	    RC_OK);
	restart(l);
}

static void expect_all_covered(const struct lab *l);

/* D-17: none of the parts goes before one has all; each can be renewed until then. */
static void
divided_no_more(void **state)
{
	struct lab *l = *state;

	open_joined(l);
	for (int i = 0; i < 3; i++) { /* nor by a restart, nor without its record */
		expect_all_covered(l);
		assert_int_equal(credential(l, "main.3")->state, CREDENTIAL_READY);
		assert_true(is_ordered(l, "main.1"));
		expect_asked(l, "main.1", WHOLE);
		assert_false(is_ordered(l, "main.2"));
		expect_asked(l, "main.2", SECOND);
		bworld_file(RECORD, i == 0 ? NULL : "{}");
		restart(l);
		expect(l, JOINED);
	}
	put_whole(l);
	expect(l, "main:; ");
	assert_int_equal(credential(l, "main")->state, CREDENTIAL_READY);
	assert_true(is_there(CHAIN("main")));
	assert_false(is_there(CHAIN("main.1")));
	expect_all_covered(l);
	assert_false(is_ordered(l, "main"));
	reload(l);
	expect(l, "main:; ");
}

/* By mistake, and back again: everything is where it was, and nothing is ordered. */
static void
divided_again(void **state)
{
	struct lab *l = *state;

	open_joined(l);
	restart(l);
	bworld_tenant("acme", DIVIDED(NUMBERS, "4"));
	reload(l);
	expect(l, AT_FIRST);
	assert_false(is_ordered(l, "main.1"));
	assert_false(is_ordered(l, "main.2"));
	assert_false(is_ordered(l, "main.3"));
}

/* Numbers come and go meanwhile. */
static void
divided_no_more_and_changed(void **state)
{
	struct lab *l = *state;

	open_joined(l);
	change(l, "12025550130", NULL);
	change(l, NULL, "12025550118");
	expect(l, "main.1: 0100-12025550103 0110 0112 0114 0116 0130; main.2:; main.3:; ");
	expect_asked(l, "main.1", FIRST "," SECOND ",12025550130");
	restart(l); /* nobody needs the third, but it is there */
	expect(l, "main.1: 0100-12025550103 0110 0112 0114 0116 0130; main.2:; main.3:; ");
	assert_true(is_ordered(l, "main.1"));
}

/* What is over keeps nobody, nor what is called like one of them by now. */
static void
parts_that_are_over(void **state)
{
	struct lab *l = *state;

	open_joined(l);
	assert_int_equal(works_load(&l->works, now + 2 * 86400, NULL), RC_OK);
	expect(l, "main:; ");
	reload(l);
	expect(l, JOINED);
	bworld_tenant("acme",
	    UNDIVIDED(NUMBERS) "credential \"main.2\" { profile = \"atis-delegate\" "
			       "token = \"main\" x5u = \"https://127.1.2.3:8443/certs/\"\n"
			       "publish_dir = \"www\" }\n");
	reload(l);
	expect(l, "main:; main.2:; ");
}

/* A file of the revocations, of whom it is by the certificate's octets. */
static void
record_of_revoked(const char *path, char out[128])
{
	char id[CREDENTIAL_FINGERPRINT];
	AUTO_BUF pem = BUF_INIT(65536);
	AUTO(chain) *chain = NULL;

	assert_int_equal(store_read(path, 65536, &pem, NULL), RC_OK);
	assert_int_equal(chain_read_pem(buf_view(&pem), false, &chain, NULL), RC_OK);
	assert_int_equal(revocation_id(chain->cert[0], id, NULL), RC_OK);
	snprintf(out, 128, "state/front/revoked/%s.json", id);
}

/* One that has all of the numbers, and is revoked, serves nobody: the parts stay. */
static void
whole_and_revoked(void **state)
{
	struct lab *l = *state;
	char path[128];

	open_joined(l);
	put_chain(l, CHAIN("main.1"), WHOLE, "20");
	record_of_revoked(CHAIN("main.1"), path);
	assert_int_equal(store_write(path, span_str("{"), 0600, NULL), RC_OK);
	for (int i = 0; i < 2; i++) { /* by a reload and by a restart */
		reload(l);
		expect(l, JOINED);
		assert_int_equal(credential(l, "main.2")->state, CREDENTIAL_READY);
		assert_int_equal(credential(l, "main.3")->state, CREDENTIAL_READY);
		restart(l);
		expect(l, JOINED);
		assert_int_equal(credential(l, "main.1")->state, CREDENTIAL_REVOKED);
	}
	bworld_file(path, NULL);
	reload(l);
	expect(l, "main:; ");
}

/* Nor is one whole that is not valid yet. */
static void
whole_and_early(void **state)
{
	struct lab *l = *state;
	AUTO_BUF list = BUF_INIT(4096);
	struct bworld_cert spec = { .serial = "20", .not_before_s = now + 60 };

	open_joined(l);
	bworld_tnauth(&list, WHOLE);
	spec.tnauth = buf_view(&list);
	bworld_put(&l->world, CHAIN("main.1"), &spec);
	reload(l);
	expect(l, JOINED);
	assert_int_equal(credential(l, "main.2")->state, CREDENTIAL_READY);
	assert_int_equal(works_load(&l->works, now + 61, NULL), RC_OK);
	expect(l, "main:; ");
}

/* A part of which the disk does not tell may be needed: a reload fails, a start keeps it. */
static void
part_that_cannot_be_read(void **state)
{
	struct lab *l = *state;

	open_joined(l);
	put_chain(l, CHAIN("main.1"), FIRST "," SECOND, "20"); /* the third alone is needed */
	bworld_file(CHAIN("main.3"), NULL);
	assert_int_equal(mkdir(CHAIN("main.3"), 0700), 0);
	assert_int_equal(works_load(&l->works, now, NULL), RC_IO);
	expect(l, JOINED);
	restart(l);
	expect(l, JOINED);
	assert_int_equal(rmdir(CHAIN("main.3")), 0);
	restart(l); /* it is not there: nobody needs it */
	expect(l, "main:; ");
}

/* Fewer in each: those that have to go stay where they are until they are elsewhere. */
static void
fewer_in_each(void **state)
{
	struct lab *l = *state;

	put_chain(l, CHAIN("main.3"), THIRD, "12");
	bworld_tenant("acme", DIVIDED(NUMBERS, "3"));
	reload(l);
	expect(l, "main.1: 0100-12025550102; main.2: 0110 0112 0114; main.3: 0103 0116 0118; ");
	assert_true(is_ordered(l, "main.3"));
	assert_false(is_ordered(l, "main.1"));
	assert_false(is_ordered(l, "main.2"));
	put_chain(l, CHAIN("main.3"), "12025550103,12025550116,12025550118", "13");
	restart(l);
	assert_true(is_ordered(l, "main.1"));
	assert_true(is_ordered(l, "main.2"));
	assert_false(is_ordered(l, "main.3"));
}

/* ---- two that wait for each other ---- */

#define CYCLE \
	"\"12025550110-12025550113\", \"12025550120-12025550122\", " \
	"\"12025550130-12025550131\", \"12025550140-12025550145\""
#define CYCLE_A "12025550110-12025550113,12025550120-12025550122"
#define CYCLE_B "12025550130-12025550131,12025550140-12025550145"

/* What main.1 and main.2 lose to each other by five in each. */
static void
open_cycle(struct lab *l)
{
	works_done(&l->works);
	bworld_tenant("acme", DIVIDED(CYCLE, "8"));
	bworld_file(RECORD, "{\"main\":[[\"12025550110-12025550113\","
			    "\"12025550120-12025550122\"],[\"12025550130-12025550131\","
			    "\"12025550140-12025550145\"]]}");
	put_chain(l, CHAIN("main.1"), CYCLE_A, "30");
	put_chain(l, CHAIN("main.2"), CYCLE_B, "31");
	bworld_works(&l->world, &l->works, now);
	assert_false(is_ordered(l, "main.1"));
	assert_false(is_ordered(l, "main.2"));
	bworld_tenant("acme", DIVIDED(CYCLE, "5"));
	reload(l);
	expect(l, "main.1: 0110-12025550113 0145; main.2: 0120-12025550122 0130-12025550131; "
		  "main.3: 0140-12025550144; ");
}

/* Does one that is in force speak for each of the tenant's numbers? */
static void
expect_all_covered(const struct lab *l)
{
	const struct config_tenant *t = acme(l);
	AUTO(tnset) *all = NULL;

	for (size_t i = 0; i < t->credentials; i++) {
		const struct credential *c = credential(l, t->credential[i].name);
		AUTO(tnset) *one = NULL, *more = NULL;

		if (c->state != CREDENTIAL_READY)
			continue;
		assert_int_equal(credential_numbers(c, &one, NULL), RC_OK);
		assert_int_equal(tnset_union(all, one, &more, NULL), RC_OK);
		tnset_free(all);
		all = TAKE(more);
	}
	assert_true(tnset_within(t->numbers, all));
}

/* The CA gives what is asked for: is it something that may be put in force? */
static void
give(struct lab *l, const char *name, unsigned serial)
{
	AUTO_BUF der = BUF_INIT(4096);
	AUTO(tnauth) *after = NULL;
	json_auto_t *row = row_of(l, name);
	char path[96], text[16];
	struct credset_place at = { 0 };
	struct credential *c = credential(l, name);
	bool loses = false;

	assert_non_null(row);
	assert_int_equal(
	    b64_decode(&der, B64_URL,
		span_str(json_string_value(json_object_get(row, "tnauthlist"))), NULL),
	    RC_OK);
	assert_int_equal(tnauth_decode(buf_view(&der), false, &after, NULL), RC_OK);
	assert_true(credset_find(l->works.set, "acme", name, &at));
	if (c->state == CREDENTIAL_READY)
		assert_int_equal(
		    narrow_loses(l->works.set, at, c, tnauth_numbers(after), now, &loses, NULL),
		    RC_OK);
	if (loses)
		fail_msg("%s: what is ordered is narrower", name);
	snprintf(path, sizeof path, "state/front/tenants/acme/%s/current.pem", name);
	snprintf(text, sizeof text, "%u", serial);
	put_list(l, path, buf_view(&der), text);
	restart(l);
	expect_all_covered(l);
}

/* Until nothing is to be ordered any more; but not those of the other name. */
static void
order_all(struct lab *l, const char *but)
{
	unsigned serial = 40;

	for (bool more = true; more && serial < 60;) {
		more = false;
		for (size_t i = 0; i < acme(l)->credentials; i++) {
			char name[CONFIG_NAME_MAX + 1];

			snprintf(name, sizeof name, "%s", acme(l)->credential[i].name);
			if (strcmp(name, but) == 0 || !is_ordered(l, name))
				continue;
			give(l, name, serial++);
			more = true;
		}
	}
	assert_in_range(serial, 41, 59);
}

static void
each_waits_for_the_other(void **state)
{
	struct lab *l = *state;

	open_cycle(l);
	order_all(l, "");
	for (size_t i = 0; i < acme(l)->credentials; i++) {
		const struct config_credential *cc = &acme(l)->credential[i];
		AUTO(tnset) *have = NULL;

		assert_int_equal(
		    credential_numbers(credential(l, cc->name), &have, NULL), RC_OK);
		assert_true(tnset_within(have, members_numbers(acme(l), cc)));
	}
}

/* The other one is refused for good: this one is renewed all the same. */
static void
the_other_is_refused(void **state)
{
	struct lab *l = *state;

	open_cycle(l);
	order_all(l, "main.2");
	give(l, "main.1", 70); /* by the calendar */
	assert_false(is_ordered(l, "main.1"));
	expect_asked(l, "main.1",
	    "12025550110-12025550113,12025550120-12025550122,"
	    "12025550145");
	give(l, "main.1", 71);
}

static enum rc
allows(struct lab *l, const char *name, const char *numbers)
{
	AUTO_BUF der = BUF_INIT(4096);
	struct credset_place at = { 0 };

	bworld_tnauth(&der, numbers);
	assert_true(credset_find(l->works.set, "acme", name, &at));
	return narrow_allows(
	    l->works.set, at, now, buf_view(&der), (struct span){ NULL, 0 }, NULL);
}

static bool
frees(struct lab *l, const char *name)
{
	struct credset_place at = { 0 };

	assert_true(credset_find(l->works.set, "acme", name, &at));
	return narrow_frees(l->works.set, at);
}

/* Who is to be told of it when it is put in force? */
static void
somebody_waits(void **state)
{
	struct lab *l = *state;
	struct credset_place beta = { 0 };

	open_cycle(l);
	assert_true(frees(l, "main.1")); /* 0145 */
	assert_true(frees(l, "main.2")); /* 0120 */
	assert_true(frees(l, "main.3")); /* 0140 */
	order_all(l, "");
	assert_false(frees(l, "main.1"));
	assert_false(frees(l, "main.2"));
	assert_false(frees(l, "main.3"));
	assert_true(credset_find(l->works.set, "beta", "main", &beta));
	assert_false(narrow_frees(l->works.set, beta));
}

#define B_AT_FIRST "12025550120-12025550122,12025550130-12025550131,12025550140-12025550145"

/* What was wanted when the order began may be had when the others have changed. */
static void
ordered_meanwhile(void **state)
{
	struct lab *l = *state;

	open_cycle(l);
	expect_asked(l, "main.2", B_AT_FIRST);
	assert_int_equal(allows(l, "main.2", B_AT_FIRST), RC_OK);
	give(l, "main.3", 40);
	give(l, "main.1", 41);
	expect_asked(l, "main.2", "12025550120-12025550122,12025550130-12025550131");
	assert_int_equal(allows(l, "main.2", B_AT_FIRST), RC_OK);
	assert_int_equal(allows(l, "main.2", B_AT_FIRST ",12025550199"), RC_DENIED);
	assert_int_equal(allows(l, "main.2", B_AT_FIRST ",12025550110"), RC_DENIED);
	assert_int_equal(allows(l, "main.2", CYCLE_B), RC_DENIED); /* without its own */
	/* Nobody else has what has its place in main.2. */
	assert_int_equal(allows(l, "main.1", "12025550110-12025550113,12025550145"), RC_DENIED);
}

static struct narrow_case {
	const char *name, *after;
	bool loses;
} narrow_cases[] = {
	{ "as it was", SECOND, false },
	{ "wider", SECOND "," THIRD, false },
	{ "without one", "12025550110,12025550112,12025550114", true },
	{ "without its own that another has", "12025550110,12025550112,12025550116", true },
	{ "none", "12025550199", true },
};

/* What is over can lose nothing. */
static void
over(void **state)
{
	struct lab *l = *state;
	AUTO(tnset) *none = NULL;
	struct credset_place at = { 0 };
	struct credential *c = credential(l, "main.2");
	bool loses = true;

	assert_int_equal(tnset_build(NULL, 0, &none, NULL), RC_OK);
	assert_true(credset_find(l->works.set, "acme", "main.2", &at));
	assert_int_equal(
	    narrow_loses(l->works.set, at, c, none, c->not_after_s, &loses, NULL), RC_OK);
	assert_true(loses);
	assert_int_equal(
	    narrow_loses(l->works.set, at, c, none, c->not_after_s + 1, &loses, NULL), RC_OK);
	assert_false(loses);
}

/* The third has 0114 as well. */
static void
narrower(void **state)
{
	const struct narrow_case *c = *state;
	struct lab *l = NULL;
	AUTO_BUF der = BUF_INIT(4096);
	AUTO(tnauth) *after = NULL;
	struct credset_place at = { 0 };
	bool loses = !c->loses;

	open_lab((void **)&l);
	put_chain(l, CHAIN("main.3"), THIRD ",12025550114", "12");
	reload(l);
	bworld_tnauth(&der, c->after);
	assert_int_equal(tnauth_decode(buf_view(&der), false, &after, NULL), RC_OK);
	assert_true(credset_find(l->works.set, "acme", "main.2", &at));
	assert_int_equal(narrow_loses(l->works.set, at, credential(l, "main.2"),
			     tnauth_numbers(after), now, &loses, NULL),
	    RC_OK);
	assert_int_equal(loses, c->loses);
	close_lab((void **)&l);
}

#define IN_LAB(test) cmocka_unit_test_setup_teardown(test, open_lab, close_lab)

int
main(void)
{
	static const struct CMUnitTest in_lab[] = { IN_LAB(each_a_credential),
		IN_LAB(an_added_number_orders_one), IN_LAB(a_removed_number_leaves_a_hole),
		IN_LAB(a_new_one), IN_LAB(others_keep_their_places),
		IN_LAB(a_record_that_cannot_be_read), IN_LAB(a_record_of_others),
		IN_LAB(a_lost_record_and_holes), IN_LAB(a_record_out_of_reach),
		IN_LAB(a_record_that_is_gone), IN_LAB(divided_no_more), IN_LAB(divided_again),
		IN_LAB(divided_no_more_and_changed), IN_LAB(parts_that_are_over),
		IN_LAB(whole_and_revoked), IN_LAB(whole_and_early),
		IN_LAB(part_that_cannot_be_read), IN_LAB(nothing_without_a_disk),
		IN_LAB(no_room_for_their_keys), IN_LAB(no_room_for_the_keys_of_what_was),
		IN_LAB(no_place_for_them), IN_LAB(too_many_together),
		IN_LAB(divided_from_now_on), IN_LAB(looked_at_before),
		IN_LAB(looked_at_before_a_token), IN_LAB(fewer_in_each),
		IN_LAB(each_waits_for_the_other), IN_LAB(the_other_is_refused),
		IN_LAB(ordered_meanwhile), IN_LAB(somebody_waits), IN_LAB(over) };
	struct CMUnitTest tests[ARRAY_LEN(in_lab) + ARRAY_LEN(narrow_cases)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(in_lab); i++)
		tests[n++] = in_lab[i];
	ROWS(tests, n, narrow_cases, narrower);
	return cmocka_run_group_tests_name("division", tests, NULL, NULL);
}
