/*
 * What an operator asks of an ACME account: contacts, another key, its end,
 * another account; carried by the renewer, answered by a CA that is played
 * here, crashed at every step.
 */
#include "agent/front/account_work.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/front/hand.h"
#include "agent/front/retire.h"
#include "agent/front/store.h"
#include "stir/jtext.h"
#include "tests/unit/asks.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/crash.h"
#include "tests/unit/rows.h"

enum { CARRIES_MAX = 12, CHILD_MAX_S = 60 };

static const int64_t now = PKI_NOW;
static struct bworld world;
static struct works works;

/* The account as its CA has it; in memory that a child shares. */
static struct ca {
	uint8_t point[P256_POINT_LEN];
	unsigned changes;
	bool deactivated;
	bool lose;   /* the answer to a change gets lost, once */
	bool refuse; /* changes of keys, and the end */
} * ca;

static void
start(void)
{
	bworld_works(&world, &works, now);
}

static void
restart(void)
{
	works_done(&works);
	start();
}

static const struct account *
account(void)
{
	const struct account *a = accounts_find(&works.accounts, "lab");

	assert_non_null(a);
	return a;
}

static int
open_lab(void **state)
{
	json_auto_t *made = NULL;

	(void)state;
	bworld_open(&world);
	start();
	made = asks_op(&works, json_pack("{s:s, s:s}", "op", "account", "ca", "lab"));
	assert_string_equal(asks_reason(made), "");
	assert_true(json_is_false(json_object_get(made, "existing")));
	*ca = (struct ca){ .deactivated = false };
	memcpy(ca->point, account()->point, P256_POINT_LEN);
	return 0;
}

static int
close_lab(void **state)
{
	(void)state;
	bworld_done(&world, &works);
	return 0;
}

/* ---- the operator ---- */

static enum rc
by_hand(enum hand kind, const char *body, json_t **result, struct fault *f)
{
	json_auto_t *asked = NULL, *out = json_object();
	struct hand_call call = { .w = &works, .tenant = "lab", .now_s = now };
	enum rc rc;

	if (body != NULL)
		assert_int_equal(jtext_read(span_str(body), &asked, NULL), RC_OK);
	call.body = asked;
	rc = hand_run(kind, &call, out, f);
	json_decref(call.event);
	if (result != NULL)
		*result = rc == RC_OK ? json_incref(out) : NULL;
	return rc;
}

static void
ask_good(enum hand kind, const char *body)
{
	struct fault f = { 0 };

	if (by_hand(kind, body, NULL, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
}

/* ---- the CA ---- */

/* What its newAccount says to onlyReturnExisting. */
static const char *
looked(const json_t *jws)
{
	json_auto_t *header = NULL, *payload = NULL;
	uint8_t point[P256_POINT_LEN];

	asks_open_jws(jws,
	    account()->job.kind == ACCOUNT_JOB_KEY ? account()->job.point : account()->point,
	    &header, &payload);
	assert_int_equal(jwk_point(json_object_get(header, "jwk"), point, NULL), RC_OK);
	assert_null(json_object_get(header, "kid"));
	assert_true(json_is_true(json_object_get(payload, "onlyReturnExisting")));
	assert_int_equal(json_object_size(payload), 1);
	if (ca->deactivated)
		return "acme_unauthorized";
	return memcmp(point, ca->point, P256_POINT_LEN) == 0 ? NULL : "acme_no_account";
}

/* RFC 8555 section 7.3.5, all of what a server checks. */
static const char *
changed(const json_t *jws)
{
	json_auto_t *header = NULL, *inner = NULL, *inside = NULL, *about = NULL;
	uint8_t next[P256_POINT_LEN], old[P256_POINT_LEN];

	asks_open_jws(jws, account()->point, &header, &inner);
	assert_string_equal(asks_text(header, "kid"), ASKS_KID);
	if (memcmp(account()->point, ca->point, P256_POINT_LEN) != 0)
		return "acme_unauthorized"; /* that signature does not verify there */
	asks_open_jws(inner, account()->job.point, &inside, &about);
	assert_int_equal(json_object_size(inside), 3); /* no nonce, no kid */
	assert_string_equal(asks_text(inside, "url"), asks_text(header, "url"));
	assert_int_equal(jwk_point(json_object_get(inside, "jwk"), next, NULL), RC_OK);
	assert_int_equal(json_object_size(about), 2);
	assert_string_equal(asks_text(about, "account"), ASKS_KID);
	assert_int_equal(jwk_point(json_object_get(about, "oldKey"), old, NULL), RC_OK);
	assert_memory_equal(old, ca->point, P256_POINT_LEN);
	if (ca->refuse)
		return "acme_malformed";
	memcpy(ca->point, next, P256_POINT_LEN);
	ca->changes++;
	return NULL;
}

static const char *
served(const json_t *jws)
{
	json_auto_t *header = NULL, *payload = NULL;

	asks_open_jws(jws, account()->point, &header, &payload);
	assert_string_equal(asks_text(header, "url"), ASKS_KID);
	if (ca->deactivated || ca->refuse)
		return "acme_unauthorized";
	ca->deactivated = json_object_get(payload, "status") != NULL;
	return NULL;
}

/* One errand to the CA and its answer back; false: there is none. */
static bool
carry(void)
{
	json_auto_t *row = asks_errand(&works, 0), *jws = NULL, *back = NULL;
	bool kid = json_is_true(json_object_get(row, "kid"));
	const char *resource, *word;

	if (json_object_size(row) == 0)
		return false;
	resource = asks_text(row, "resource");
	jws = asks_jws(&works, asks_text(row, "id"), asks_text(row, "ca"),
	    kid ? ASKS_KID : NULL, strcmp(resource, "account") == 0 ? ASKS_KID : ASKS_URL);
	if (asks_reason(jws)[0] != 0)
		return true;
	if (strcmp(resource, "newAccount") == 0)
		word = looked(json_object_get(jws, "jws"));
	else if (strcmp(resource, "keyChange") == 0)
		word = changed(json_object_get(jws, "jws"));
	else
		word = served(json_object_get(jws, "jws"));
	if (ca->lose && strcmp(resource, "newAccount") != 0) {
		ca->lose = false;
		back = asks_told(&works, asks_text(row, "id"), false, "http_failed", "reset");
	} else {
		back = asks_told(&works, asks_text(row, "id"), true, word, word);
	}
	return true;
}

static void
carry_all(void)
{
	unsigned n = 0;

	while (carry())
		assert_true(++n < CARRIES_MAX);
}

/* The account is the CA's, and its key is there; all that is over goes. */
static void
expect_one_working_key(size_t most)
{
	assert_memory_equal(account()->point, ca->point, P256_POINT_LEN);
	(void)works_chores(&works, now + 2 * RETIRE_OVERLAP_S);
	assert_true(softadmin_has(world.admin, account()->key_id));
	assert_in_range(softadmin_keys(world.admin) - works.token[0].spares, 1, most);
}

/* ---- the tests ---- */

/* RFC 8555 s7.3.5 */
static void
another_key(void **state)
{
	json_auto_t *before = NULL, *after = NULL;
	const json_t *job;
	char next[128];

	(void)state;
	assert_int_equal(by_hand(HAND_KEY, NULL, &before, NULL), RC_OK);
	job = json_object_get(before, "job");
	assert_string_equal(asks_text(job, "state"), "outstanding");
	snprintf(next, sizeof next, "%s", asks_text(job, "jwk_fingerprint"));
	assert_string_not_equal(next, asks_text(before, "jwk_fingerprint"));
	ask_good(HAND_KEY, NULL); /* again: no third key */
	assert_int_equal(softadmin_keys(world.admin), 2);
	carry_all();
	assert_int_equal(ca->changes, 1);
	assert_int_equal(by_hand(HAND_ACCOUNT, NULL, &after, NULL), RC_OK);
	assert_string_equal(asks_text(after, "jwk_fingerprint"), next);
	assert_string_equal(asks_text(json_object_get(after, "job"), "state"), "done");
	/* The old one is not destroyed before its overlap. */
	(void)works_chores(&works, now + 1);
	assert_int_equal(softadmin_keys(world.admin), 2);
	expect_one_working_key(1);
}

/* RFC 8555 s7.3.5: it was done, and nobody heard of it. */
static void
a_lost_answer(void **state)
{
	json_auto_t *row = NULL;

	(void)state;
	ask_good(HAND_KEY, NULL);
	ca->lose = true;
	assert_true(carry());
	assert_int_equal(ca->changes, 1);
	restart();
	assert_memory_not_equal(account()->point, ca->point, P256_POINT_LEN);
	row = asks_errand(&works, 0);
	assert_string_equal(asks_text(row, "resource"), "newAccount");
	carry_all();
	assert_int_equal(ca->changes, 1);
	expect_one_working_key(1);
}

/* The renewer would carry it once more before it asks for the list: not before the question. */
static void
a_lost_answer_and_an_old_row(void **state)
{
	json_auto_t *row = NULL, *jws = NULL;
	const char *id;
	size_t signatures;

	(void)state;
	ask_good(HAND_KEY, NULL);
	ca->lose = true;
	assert_true(carry());
	row = asks_errand(&works, 0);
	id = asks_text(row, "id");
	signatures = softadmin_signatures(world.admin);
	jws = asks_jws(&works, id, "lab", ASKS_KID, ASKS_URL);
	assert_string_equal(asks_reason(jws), "overloaded");
	assert_int_equal(softadmin_signatures(world.admin), signatures);
	carry_all();
	assert_int_equal(ca->changes, 1);
	expect_one_working_key(1);
}

static json_t *
op_at(json_t *msg, int64_t at_s)
{
	json_auto_t *mine = msg;
	json_t *out = NULL;
	int64_t again_s = 0;

	assert_int_equal(json_object_set_new(mine, "id", json_integer(1)), 0);
	ops_answer(&works, mine, at_s, &out, &again_s);
	return out;
}

/* Is the new key there? */
static void
look_at(int64_t at_s)
{
	json_auto_t *jws =
	    op_at(json_pack("{s:s, s:s, s:s, s:n, s:s, s:s}", "op", "errand", "errand",
		      "account/lab", "ca", "lab", "kid", "nonce", "abc-_9", "url", ASKS_URL),
		at_s);
	const char *word = looked(json_object_get(jws, "jws"));
	json_auto_t *back =
	    op_at(json_pack("{s:s, s:s, s:b, s:s?, s:s?}", "op", "errand-done", "errand",
		      "account/lab", "final", 1, "reason", word, "detail", word),
		at_s);

	assert_string_equal(asks_reason(back), "");
}

static struct stray {
	const char *name;
	bool arrives;
} strays[] = {
	{ "it arrives after the next was refused", true },
	{ "it never arrives", false },
};

/* RFC 8555 s7.3.5: one hangs on its way, the next is refused. */
static void
a_stray_change(void **state)
{
	const struct stray *s = *state;
	json_auto_t *jws = NULL, *back = NULL, *row = NULL;
	uint8_t next[P256_POINT_LEN], next_id[KEY_ID_LEN];

	(void)open_lab(state);
	ask_good(HAND_KEY, NULL);
	memcpy(next, account()->job.point, sizeof next);
	memcpy(next_id, account()->job.key_id, sizeof next_id);
	jws = asks_jws(&works, "account/lab", "lab", ASKS_KID, ASKS_URL);
	assert_string_equal(asks_reason(jws), "");
	back = asks_told(&works, "account/lab", false, "http_failed", "timeout");
	look_at(now);
	ca->refuse = true;
	assert_true(carry());
	restart();
	look_at(now);
	assert_int_equal(account()->job.state, ACCOUNT_JOB_OUTSTANDING);
	row = asks_errand(&works, 0);
	assert_int_equal(json_object_size(row), 0); /* not at once again */
	(void)works_chores(&works, now + RETIRE_OVERLAP_S - 1);
	assert_true(softadmin_has(world.admin, next_id));
	if (s->arrives)
		memcpy(ca->point, next, sizeof next);
	look_at(now + RETIRE_OVERLAP_S);
	assert_int_equal(
	    account()->job.state, s->arrives ? ACCOUNT_JOB_DONE : ACCOUNT_JOB_REFUSED);
	(void)works_chores(&works, now + RETIRE_OVERLAP_S);
	assert_int_equal(softadmin_has(world.admin, next_id), s->arrives);
	expect_one_working_key(1);
	(void)close_lab(state);
}

/* The question is at the CA when the agent is told to reload, or is started anew. */
static struct forgotten {
	const char *name, *reason;
	bool reload, asked; /* what was signed last is known yet */
} forgotten[] = {
	{ "no account, after a reload", "acme_no_account", true, true },
	{ "no account, after a start", "acme_no_account", false, false },
	{ "another word, after a reload", "acme_unauthorized", true, true },
};

static void
a_question_is_no_refusal(void **state)
{
	const struct forgotten *u = *state;
	json_auto_t *jws = NULL, *lost = NULL, *look = NULL, *back = NULL;

	(void)open_lab(state);
	ask_good(HAND_KEY, NULL);
	jws = asks_jws(&works, "account/lab", "lab", ASKS_KID, ASKS_URL);
	lost = asks_told(&works, "account/lab", false, "http_failed", "reset");
	look = asks_jws(&works, "account/lab", "lab", NULL, ASKS_URL);
	assert_string_equal(asks_reason(look), "");
	if (u->reload)
		assert_int_equal(works_load(&works, now, NULL), RC_OK);
	else
		restart();
	assert_int_equal(account()->job.looked, u->asked);
	back = asks_told(&works, "account/lab", true, u->reason, "of the question");
	assert_string_equal(asks_reason(back), "");
	assert_int_equal(account()->job.state, ACCOUNT_JOB_OUTSTANDING);
	assert_false(account()->job.refusal);
	(void)close_lab(state);
}

static void
a_refused_change(void **state)
{
	json_auto_t *after = NULL;

	(void)state;
	ca->refuse = true;
	ask_good(HAND_KEY, NULL);
	carry_all();
	assert_int_equal(by_hand(HAND_ACCOUNT, NULL, &after, NULL), RC_OK);
	assert_string_equal(asks_text(json_object_get(after, "job"), "state"), "refused");
	assert_non_null(
	    strstr(asks_text(json_object_get(after, "job"), "answer"), "acme_malformed"));
	expect_one_working_key(1);
}

/* The directory names no keyChange: nothing was signed, so there is nothing to look for. */
static void
a_ca_without_it(void **state)
{
	json_auto_t *row = NULL, *back = NULL, *none = NULL;

	(void)state;
	ask_good(HAND_KEY, NULL);
	row = asks_errand(&works, 0);
	back = asks_told(&works, asks_text(row, "id"), true, "acme_directory", "no keyChange");
	assert_string_equal(asks_reason(back), "");
	none = asks_errand(&works, 0);
	assert_int_equal(json_object_size(none), 0);
	assert_int_equal(account()->job.state, ACCOUNT_JOB_REFUSED);
	expect_one_working_key(1);
}

static json_t *
new_account(bool only_existing)
{
	return asks_op(&works,
	    json_pack("{s:s, s:s, s:s, s:s, s:n, s:b}", "op", "new-account", "ca", "lab",
		"nonce", "n", "url", ASKS_URL, "eab", "only_existing", (int)only_existing));
}

static json_t *
poll_order(int64_t at_s)
{
	json_auto_t *msg = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "id", 1, "op",
	    "post-as-get", "ca", "lab", "kid", ASKS_KID, "nonce", "n", "url", ASKS_URL);
	json_t *out = NULL;
	int64_t again_s = 0;

	ops_answer(&works, msg, at_s, &out, &again_s);
	return out;
}

/* While it is open which key the CA has: orders wait a moment, another account is not opened. */
static void
in_between(void **state)
{
	json_auto_t *before = NULL, *held = NULL, *later = NULL, *opened = NULL, *looks = NULL;

	(void)state;
	ask_good(HAND_KEY, NULL);
	before = poll_order(now);
	assert_string_equal(asks_reason(before), "");
	ca->lose = true;
	assert_true(carry());
	held = poll_order(now + ACCOUNT_HELD_S - 1);
	assert_string_equal(asks_reason(held), "overloaded");
	later = poll_order(now + ACCOUNT_HELD_S);
	assert_string_equal(asks_reason(later), "");
	opened = new_account(false);
	assert_string_equal(asks_reason(opened), "overloaded");
	looks = new_account(true);
	assert_string_equal(asks_reason(looks), "");
}

/* RFC 8555 s7.3.2 */
static void
contacts(void **state)
{
	json_auto_t *row = NULL, *jws = NULL, *header = NULL, *payload = NULL, *want = NULL;

	(void)state;
	ask_good(HAND_CONTACT, NULL);
	row = asks_errand(&works, 0);
	jws = asks_jws(&works, asks_text(row, "id"), "lab", ASKS_KID, ASKS_KID);
	asks_open(jws, ca->point, &header, &payload);
	want = json_pack("{s:[s]}", "contact", "mailto:noc@example.net");
	assert_true(json_equal(payload, want));
	carry_all();
	assert_int_equal(account()->job.state, ACCOUNT_JOB_DONE);
	restart();
	assert_int_equal(account()->job.kind, ACCOUNT_JOB_CONTACT);
	assert_int_equal(account()->job.state, ACCOUNT_JOB_DONE);
}

/* RFC 8555 s7.3.6 */
static void
the_end_of_an_account(void **state)
{
	json_auto_t *order = NULL, *again = NULL, *opened = NULL, *shown = NULL, *next = NULL;
	struct fault f = { 0 };

	(void)state;
	ask_good(HAND_DEACTIVATE, "{\"confirm\":\"lab\"}");
	ca->lose = true;
	carry_all(); /* the second time it is refused, for it is done */
	assert_true(ca->deactivated && account()->deactivated);
	restart();
	order = poll_order(now);
	assert_string_equal(asks_reason(order), "account_deactivated");
	again = asks_op(&works, json_pack("{s:s, s:s}", "op", "account", "ca", "lab"));
	assert_string_equal(asks_reason(again), "account_deactivated");
	opened = new_account(false);
	assert_string_equal(asks_reason(opened), "account_deactivated");
	assert_int_equal(by_hand(HAND_ACCOUNT, NULL, &shown, NULL), RC_OK);
	assert_string_equal(asks_text(shown, "status"), "deactivated");
	assert_int_equal(by_hand(HAND_KEY, NULL, NULL, &f), RC_CONFLICT);
	assert_string_equal(f.reason, "account_deactivated");
	ask_good(HAND_REPLACE, "{\"confirm\":\"lab\"}");
	next = poll_order(now);
	assert_string_equal(asks_reason(next), "");
	memcpy(ca->point, account()->point, P256_POINT_LEN);
	expect_one_working_key(1); /* that of the other account is gone */
}

/* RFC 8555 s7.3.6: a CA that lets nobody do it: the account is there, and its key is. */
static void
an_end_that_is_refused(void **state)
{
	json_auto_t *order = NULL;

	(void)state;
	ca->refuse = true;
	ask_good(HAND_DEACTIVATE, "{\"confirm\":\"lab\"}");
	assert_true(carry());
	assert_int_equal(account()->job.state, ACCOUNT_JOB_OUTSTANDING);
	restart();
	carry_all();
	assert_int_equal(account()->job.state, ACCOUNT_JOB_REFUSED);
	assert_non_null(strstr(account()->job.answer, "acme_unauthorized"));
	assert_false(account()->deactivated);
	expect_one_working_key(1);
	order = poll_order(now);
	assert_string_equal(asks_reason(order), "");
}

/* Its token is lost, or its file: nothing of the old one is needed. */
static void
another_account(void **state)
{
	uint8_t old[KEY_ID_LEN];

	(void)state;
	memcpy(old, account()->key_id, KEY_ID_LEN);
	bworld_file("state/front/accounts/lab.json", "{}");
	restart();
	assert_null(accounts_find(&works.accounts, "lab"));
	ask_good(HAND_REPLACE, "{\"confirm\":\"lab\"}");
	assert_memory_not_equal(account()->key_id, old, KEY_ID_LEN);
	assert_int_equal(accounts_check(&works.accounts, "lab", NULL), RC_OK);
	softadmin_drop(world.admin, account()->key_id);
	memcpy(old, account()->key_id, KEY_ID_LEN);
	ask_good(HAND_REPLACE, "{\"confirm\":\"lab\"}");
	(void)works_chores(&works, now + 2 * RETIRE_OVERLAP_S);
	restart();
	assert_true(softadmin_has(world.admin, account()->key_id));
	assert_memory_not_equal(account()->key_id, old, KEY_ID_LEN);
}

/* ---- refusals ---- */

static struct refusal {
	const char *name;
	enum hand first; /* asked before; HAND__COUNT: nothing */
	enum hand kind;
	const char *body, *reason;
	enum rc rc;
} refusals[] = {
	{ "deactivate, not confirmed", HAND__COUNT, HAND_DEACTIVATE, "{\"confirm\":\"second\"}",
	    "invalid_member", RC_INVALID },
	{ "replace, not confirmed", HAND__COUNT, HAND_REPLACE, "{\"confirm\":\"\"}",
	    "invalid_member", RC_INVALID },
	{ "another key while contacts are told", HAND_CONTACT, HAND_KEY, NULL, "conflict",
	    RC_CONFLICT },
	{ "the end while the key is changed", HAND_KEY, HAND_DEACTIVATE,
	    "{\"confirm\":\"lab\"}", "conflict", RC_CONFLICT },
};

static void
refused(void **state)
{
	const struct refusal *r = *state;
	struct fault f = { 0 };
	size_t keys;

	(void)open_lab(state);
	if (r->first != HAND__COUNT)
		ask_good(r->first, NULL);
	keys = softadmin_keys(world.admin);
	assert_int_equal(by_hand(r->kind, r->body, NULL, &f), r->rc);
	assert_string_equal(f.reason, r->reason);
	assert_int_equal(softadmin_keys(world.admin), keys);
	(void)close_lab(state);
}

/* What the renewer may want of an account's errands, and is not given. */
static struct usurped {
	const char *name;
	enum hand asked; /* HAND__COUNT: nothing */
	const char *id, *ca, *kid, *url, *reason;
} usurped[] = {
	{ "nobody asked", HAND__COUNT, "account/lab", "lab", ASKS_KID, ASKS_URL, "no_errand" },
	{ "no such account", HAND_KEY, "account/second", "second", ASKS_KID, ASKS_URL,
	    "no_errand" },
	{ "a path", HAND_KEY, "account/../lab", "lab", ASKS_KID, ASKS_URL, "no_errand" },
	{ "at another CA", HAND_KEY, "account/lab", "named", ASKS_KID, ASKS_URL, "no_errand" },
	{ "by the new key before there was a change", HAND_KEY, "account/lab", "lab", NULL,
	    ASKS_URL, "invalid_member" },
	{ "contacts by a key that is sent along", HAND_CONTACT, "account/lab", "lab", NULL,
	    ASKS_URL, "invalid_member" },
	{ "contacts elsewhere than at the account", HAND_CONTACT, "account/lab", "lab",
	    ASKS_KID, ASKS_URL, "invalid_member" },
	{ "the end elsewhere than at the account", HAND_DEACTIVATE, "account/lab", "lab",
	    ASKS_KID, ASKS_URL, "invalid_member" },
	{ "another origin", HAND_KEY, "account/lab", "lab", ASKS_KID, "https://evil.example/x",
	    "url_origin" },
	{ "an account of another origin", HAND_KEY, "account/lab", "lab",
	    "https://evil.example/a", ASKS_URL, "url_origin" },
};

static void
not_given(void **state)
{
	const struct usurped *u = *state;
	json_auto_t *jws = NULL, *told = NULL;
	size_t signatures;

	(void)open_lab(state);
	if (u->asked != HAND__COUNT)
		ask_good(u->asked, "{\"confirm\":\"lab\"}");
	signatures = softadmin_signatures(world.admin);
	jws = asks_jws(&works, u->id, u->ca, u->kid, u->url);
	assert_string_equal(asks_reason(jws), u->reason);
	assert_null(json_object_get(jws, "jws"));
	assert_int_equal(softadmin_signatures(world.admin), signatures);
	/* Nor is it believed that it was done: nothing was signed for it. */
	told = asks_told(&works, "account/lab", true, NULL, NULL);
	assert_string_equal(asks_reason(told), "no_errand");
	assert_memory_equal(account()->point, ca->point, P256_POINT_LEN);
	assert_false(account()->deactivated);
	(void)close_lab(state);
}

static struct damaged {
	const char *name, *tail;
} damaged[] = {
	{ "no object", "\"job\":7" },
	{ "an unknown kind",
	    "\"job\":{\"kind\":\"x\",\"state\":\"done\",\"next\":\"\",\"told\":0,"
	    "\"refusal\":false,\"asked\":0,\"ended\":0,\"answer\":\"\"}" },
	{ "an unknown state",
	    "\"job\":{\"kind\":\"key\",\"state\":\"x\",\"next\":\"\",\"told\":0,"
	    "\"refusal\":false,\"asked\":0,\"ended\":0,\"answer\":\"\"}" },
	{ "a change without its key",
	    "\"job\":{\"kind\":\"key\",\"state\":\"outstanding\",\"next\":\"\",\"told\":0,"
	    "\"refusal\":false,\"asked\":0,\"ended\":0,\"answer\":\"\"}" },
	{ "a point that is none",
	    "\"job\":{\"kind\":\"key\",\"state\":\"outstanding\",\"next\":\"BAAA\",\"told\":0,"
	    "\"refusal\":false,\"asked\":0,\"ended\":0,\"answer\":\"\"}" },
	{ "one more member",
	    "\"job\":{\"kind\":\"key\",\"state\":\"done\",\"next\":\"\",\"told\":0,\"x\":1,"
	    "\"refusal\":false,\"asked\":0,\"ended\":0,\"answer\":\"\"}" },
	{ "one more beside it", "\"more\":1" },
	{ "deactivated, no bool", "\"deactivated\":1" },
};

/* Not as we write it: the account is out of use, and not made anew by itself. */
static void
file_that_will_not_do(void **state)
{
	const struct damaged *d = *state;
	AUTO_BUF text = BUF_INIT(4096), bad = BUF_INIT(4096);

	(void)open_lab(state);
	assert_int_equal(store_read("state/front/accounts/lab.json", 4096, &text, NULL), RC_OK);
	while (text.len > 0 && text.ptr[text.len - 1] != '}')
		text.len--;
	buf_put(&bad, text.ptr, text.len - 1);
	buf_printf(&bad, ",%s}\n", d->tail);
	bworld_file("state/front/accounts/lab.json", buf_text(&bad));
	restart();
	assert_null(accounts_find(&works.accounts, "lab"));
	assert_int_equal(accounts_check(&works.accounts, "lab", NULL), RC_CONFLICT);
	(void)close_lab(state);
}

/* ---- keys that memory does not know of ---- */

static struct unknown {
	const char *name, *file; /* beside nothing else: the account of lab is not in memory */
	bool good;		 /* as it was; else not readable */
} unknown[] = {
	{ "of a CA that is not configured", "state/front/accounts/gone.json", true },
	{ "of a file that will not do", "state/front/accounts/lab.json", false },
	{ "of a CA that is not configured, and not readable", "state/front/accounts/gone.json",
	    false },
};

/* A note that is left of a change whose file was never written destroys nothing. */
static void
kept_for_a_file(void **state)
{
	const struct unknown *u = *state;
	AUTO_BUF text = BUF_INIT(4096);
	uint8_t key_id[KEY_ID_LEN];

	(void)open_lab(state);
	memcpy(key_id, account()->key_id, KEY_ID_LEN);
	assert_int_equal(retire_note_of(&works, key_id,
			     &(struct retire_whose){ "main", "", "lab" }, now, NULL),
	    RC_OK);
	assert_int_equal(store_read("state/front/accounts/lab.json", 4096, &text, NULL), RC_OK);
	bworld_file("state/front/accounts/lab.json", NULL);
	bworld_file(u->file, u->good ? buf_text(&text) : "{}");
	restart();
	assert_null(accounts_find(&works.accounts, "lab"));
	(void)works_chores(&works, now + 1);
	assert_true(softadmin_has(world.admin, key_id));
	(void)close_lab(state);
}

/* The same note, and no file that names it. */
static void
goes_without_a_file(void **state)
{
	uint8_t key_id[KEY_ID_LEN];

	(void)state;
	memcpy(key_id, account()->key_id, KEY_ID_LEN);
	assert_int_equal(retire_note_of(&works, key_id,
			     &(struct retire_whose){ "main", "", "lab" }, now, NULL),
	    RC_OK);
	bworld_file("state/front/accounts/lab.json", NULL);
	bworld_file("state/front/accounts/lab.json.old", "{}"); /* none of ours */
	restart();
	(void)works_chores(&works, now + 1);
	assert_false(softadmin_has(world.admin, key_id));
}

/* A disk that fails at a reload costs no account. */
static void
unread_at_a_reload(void **state)
{
	(void)state;
	bworld_file("state/front/accounts/lab.json", NULL);
	assert_int_equal(mkdir("state/front/accounts/lab.json", 0700), 0);
	assert_int_equal(works_load(&works, now, NULL), RC_OK);
	assert_memory_equal(account()->point, ca->point, P256_POINT_LEN);
	assert_int_equal(accounts_check(&works.accounts, "lab", NULL), RC_OK);
	assert_int_equal(rmdir("state/front/accounts/lab.json"), 0);
	bworld_file("state/front/accounts/lab.json", "{}");
	assert_int_equal(works_load(&works, now, NULL), RC_OK);
	assert_int_equal(accounts_check(&works.accounts, "lab", NULL), RC_CONFLICT);
}

/* ---- crashes ---- */

/* The child asks for another key and carries it; true when it met no crash. */
static bool
change_until(enum crash_kind kind, unsigned at)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct fault f = { 0 };
		bool done;

		alarm(CHILD_MAX_S); /* a lock that another thread held is held for ever */
		crash_arm(kind, at);
		if (by_hand(HAND_KEY, NULL, NULL, &f) == RC_OK) {
			for (unsigned n = 0; n < CARRIES_MAX && carry(); n++)
				;
		}
		done = crash_calls() < at;
		crash_arm(CRASH_NONE, 0);
		(void)works_chores(&works, now); /* which destroy what is left over */
		_exit(done ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == 0;
}

/* RFC 8555 s7.3.5: whatever happened, the key that the CA has is there. */
static void
one_working_key_after_a_crash(void **state)
{
	const enum crash_kind *kind = *state;
	bool done = false, old = false;
	unsigned at = 1;

	for (; !done; at++) {
		assert_true(at < 100);
		(void)close_lab(state);
		(void)open_lab(state);
		restart(); /* with a channel to the token that nobody has used yet */
		softadmin_quiet(world.admin);
		ca->lose = at % 2 == 0;
		done = change_until(*kind, at);
		ca->lose = false;
		restart();
		assert_true(softadmin_has(world.admin, account()->key_id));
		assert_true(!account_job_has_key(&account()->job) ||
			    softadmin_has(world.admin, account()->job.key_id));
		carry_all();
		old = old || ca->changes == 0;
		assert_true(ca->changes <= 1);
		/* What a crash leaves between a key and its file is counted as unnamed. */
		expect_one_working_key(2);
	}
	assert_true(at > 10 && old && ca->changes == 1);
}

int
main(void)
{
	static enum crash_kind by_exit = CRASH_EXIT, by_error = CRASH_FAIL,
			       by_disk = CRASH_DISK;
#define STEP(f) cmocka_unit_test_setup_teardown(f, open_lab, close_lab)
	static const struct CMUnitTest steps[] = {
		STEP(another_key),
		STEP(a_lost_answer),
		STEP(a_lost_answer_and_an_old_row),
		STEP(a_refused_change),
		STEP(a_ca_without_it),
		STEP(in_between),
		STEP(contacts),
		STEP(the_end_of_an_account),
		STEP(an_end_that_is_refused),
		STEP(another_account),
		STEP(goes_without_a_file),
		STEP(unread_at_a_reload),
		{ "one working key after a crash", one_working_key_after_a_crash, open_lab,
		    close_lab, &by_exit },
		{ "one working key when the disk fails", one_working_key_after_a_crash,
		    open_lab, close_lab, &by_error },
		{ "one working key when the disk is gone for a while",
		    one_working_key_after_a_crash, open_lab, close_lab, &by_disk },
	};
	static struct CMUnitTest tests[ARRAY_LEN(steps) + ARRAY_LEN(refusals) +
				       ARRAY_LEN(usurped) + ARRAY_LEN(damaged) +
				       ARRAY_LEN(unknown) + ARRAY_LEN(strays) +
				       ARRAY_LEN(forgotten)];
	size_t n = ARRAY_LEN(steps);

	ca = mmap(NULL, sizeof *ca, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ca == MAP_FAILED)
		return 1;
	memcpy(tests, steps, sizeof steps);
	ROWS(tests, n, refusals, refused);
	ROWS(tests, n, usurped, not_given);
	ROWS(tests, n, damaged, file_that_will_not_do);
	ROWS(tests, n, unknown, kept_for_a_file);
	ROWS(tests, n, strays, a_stray_change);
	ROWS(tests, n, forgotten, a_question_is_no_refusal);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
