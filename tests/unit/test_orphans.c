/* orphans: whose keys are in a token, what for, and which of them may be destroyed */
#include "agent/front/orphans.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/front/install.h"
#include "agent/front/keyfile.h"
#include "agent/front/making.h"
#include "agent/front/ops.h"
#include "agent/front/pending.h"
#include "agent/front/retire.h"
#include "agent/front/store.h"
#include "agent/front/unnamed.h"
#include "agent/front/want.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

#define TENANT "numbers = { \"12025550100\" }\n" BWORLD_DELEGATE("atis-delegate", "")

enum { AFTER_S = 3600, FOREIGN = 4 };

static const int64_t now = PKI_NOW;
static struct bworld world;

struct lab {
	struct works works;
	struct credset_place at;
	uint8_t account[KEY_ID_LEN], credential[KEY_ID_LEN], request[KEY_ID_LEN];
	uint8_t orphan[KEY_ID_LEN];
	uint8_t foreign[FOREIGN][KEY_ID_LEN];
};

static void
wait_for_admin(struct lab *l)
{
	for (int i = 0; i < 5000 && !token_admin_ready(l->works.token[0].admin); i++)
		(void)poll(NULL, 0, 1); /* its greeting is on the way */
	assert_true(token_admin_ready(l->works.token[0].admin));
}

static void
look(struct lab *l, int64_t now_s)
{
	wait_for_admin(l);
	(void)unnamed_look(&l->works, now_s);
}

static void
put_account(struct lab *l)
{
	json_auto_t *msg = json_pack("{s:i, s:s, s:s}", "id", 1, "op", "account", "ca", "lab");
	json_auto_t *out = NULL;
	int64_t again_s = 0;

	ops_answer(&l->works, msg, now, &out, &again_s);
	assert_true(json_is_true(json_object_get(out, "ok")));
	memcpy(l->account, accounts_find(&l->works.accounts, "lab")->key_id, KEY_ID_LEN);
}

static void
put_request(struct lab *l, struct pending *p)
{
	const struct config_tenant *t = &l->works.set->config->tenant[l->at.tenant];
	AUTO_WANT want = WANT_INIT;

	assert_int_equal(want_of(t, credset_config(l->works.set, l->at), &want, NULL), RC_OK);
	assert_int_equal(pending_make(&l->works, l->at, buf_view(&want.tnauth_der),
			     buf_view(&want.constraints_der), now, p, NULL),
	    RC_OK);
}

static void
put_certificate(struct lab *l)
{
	AUTO_BUF pem = BUF_INIT(65536);
	const struct credential *c = NULL;
	AUTO_PENDING p = { 0 };
	struct install_offer offer = { .pem = { 0 } };
	int64_t again_s = 0;

	put_request(l, &p);
	memcpy(l->credential, p.facts.key_id, KEY_ID_LEN);
	bworld_issue(&world, &pem,
	    &(struct bworld_cert){ .point = p.facts.point,
		.tnauth = buf_view(&p.facts.tnauth_der),
		.serial = "10",
		.not_before_s = now - 60,
		.not_after_s = now + 86400 });
	offer.pem = buf_view(&pem);
	assert_int_equal(
	    install_chain(&l->works, l->at, &offer, now, &again_s, &c, NULL), RC_OK);
}

static void
put_waiting(struct lab *l)
{
	AUTO_PENDING p = { 0 };

	put_request(l, &p);
	memcpy(l->request, p.facts.key_id, KEY_ID_LEN);
}

/* A key of ours that no file names, as a state that was restored leaves it. */
static void
put_orphan(struct lab *l, uint8_t key_id[KEY_ID_LEN])
{
	uint8_t point[P256_POINT_LEN];

	assert_int_equal(works_generate(&l->works, 0, point, NULL), RC_OK);
	making_end(&l->works, 0);
	key_id_of_point(point, key_id);
}

static void
put_foreign(struct lab *l)
{
	static const enum frame_label form[FOREIGN] = { FRAME_LABEL_OWNED, FRAME_LABEL_BATCH,
		FRAME_LABEL_IMPORTED, FRAME_LABEL_OTHER };
	uint8_t name[FRAME_BATCH];

	/* Only what is called another installation's is not of this one's bytes. */
	for (size_t i = 0; i < FOREIGN; i++) {
		memcpy(name, l->works.installation.id, FRAME_OWNER);
		memset(name + FRAME_OWNER, (int)i, FRAME_BATCH - FRAME_OWNER);
		name[0] ^= form[i] == FRAME_LABEL_OWNED;
		softadmin_put(world.admin, form[i], name, l->foreign[i]);
	}
}

static void
lab_open(struct lab *l)
{
	*l = (struct lab){ 0 };
	bworld_open(&world);
	bworld_tenant("acme", TENANT);
	bworld_works(&world, &l->works, now);
	assert_true(credset_find(l->works.set, "acme", "main", &l->at));
	wait_for_admin(l);
	put_account(l);
	put_certificate(l);
	put_waiting(l);
	put_orphan(l, l->orphan);
	put_foreign(l);
	look(l, now);
	(void)json_array_clear(world.audit);
}

static void
lab_close(struct lab *l)
{
	works_done(&l->works);
	bworld_close(&world);
}

static json_t *
run(struct lab *l, const char *confirm, const char *key, int64_t now_s, enum rc *rc,
    struct fault *f)
{
	const struct orphans_ask ask = {
		.token = "main", .confirm = confirm, .key = key, .now_s = now_s
	};
	json_t *result = json_object();

	*rc = orphans_run(&l->works, &ask, result, f);
	return result;
}

static const char *
state_of(const json_t *result, size_t i)
{
	return json_string_value(
	    json_object_get(json_array_get(json_object_get(result, "orphans"), i), "state"));
}

/* All that must not go is there. */
static void
check_kept(struct lab *l)
{
	assert_true(softadmin_has(world.admin, l->account));
	assert_true(softadmin_has(world.admin, l->credential));
	assert_true(softadmin_has(world.admin, l->request));
	for (size_t i = 0; i < FOREIGN; i++)
		assert_true(softadmin_has(world.admin, l->foreign[i]));
}

/* ---- what goes ---- */

static void
an_orphan_goes(void **state)
{
	struct lab l;
	struct fault f = { 0 };
	char hex[2 * KEY_ID_LEN + 1];
	const json_t *line;
	json_t *result;
	enum rc rc;

	(void)state;
	lab_open(&l);
	assert_int_equal(l.works.token[0].unnamed.keys, 1 + FOREIGN);
	assert_int_equal(l.works.token[0].unnamed.orphans, 1);
	assert_int_equal(l.works.token[0].unnamed.others, 1);
	result = run(&l, NULL, NULL, now + AFTER_S, &rc, &f);
	assert_int_equal(rc, RC_OK);
	assert_string_equal(state_of(result, 0), "due");
	assert_true(json_is_null(json_object_get(result, "reason")));
	assert_int_equal(json_integer_value(json_object_get(result, "own")), 4);
	assert_int_equal(json_integer_value(json_object_get(result, "left")), 1);
	json_decref(result);
	assert_true(softadmin_has(world.admin, l.orphan)); /* it was a question */
	assert_int_equal(json_array_size(world.audit), 0);
	result = run(&l, "main", NULL, now + AFTER_S, &rc, &f);
	assert_int_equal(rc, RC_OK);
	assert_string_equal(state_of(result, 0), "destroyed");
	json_decref(result);
	assert_false(softadmin_has(world.admin, l.orphan));
	check_kept(&l);
	assert_int_equal(json_array_size(world.audit), 2);
	works_hex(l.orphan, KEY_ID_LEN, hex);
	line = json_array_get(world.audit, 0);
	assert_string_equal(
	    json_string_value(json_object_get(line, "event")), "orphan_destroying");
	assert_string_equal(json_string_value(json_object_get(line, "key")), hex);
	line = json_array_get(world.audit, 1);
	assert_string_equal(
	    json_string_value(json_object_get(line, "event")), "orphan_destroyed");
	assert_string_equal(json_string_value(json_object_get(line, "token")), "main");
	assert_string_equal(json_string_value(json_object_get(line, "key")), hex);
	assert_int_equal(l.works.token[0].unnamed.orphans, 0);
	result = run(&l, "main", NULL, now + AFTER_S, &rc, &f); /* nothing to do */
	assert_int_equal(rc, RC_OK);
	assert_int_equal(json_array_size(json_object_get(result, "orphans")), 0);
	json_decref(result);
	lab_close(&l);
}

/* The alarm: once, when it has been one for as long; and its end. */
static void
an_orphan_alarms(void **state)
{
	struct lab l;
	struct fault f = { 0 };
	enum rc rc;

	(void)state;
	lab_open(&l);
	look(&l, now + AFTER_S - 1);
	assert_int_equal(json_array_size(world.alarms), 0);
	look(&l, now + AFTER_S);
	look(&l, now + 2 * AFTER_S);
	assert_int_equal(json_array_size(world.alarms), 1);
	assert_string_equal(
	    json_string_value(json_object_get(json_array_get(world.alarms, 0), "alarm")),
	    "orphan_keys");
	assert_true(
	    json_is_string(json_object_get(json_array_get(world.alarms, 0), "problem")));
	json_decref(run(&l, "main", NULL, now + 2 * AFTER_S, &rc, &f));
	assert_int_equal(rc, RC_OK);
	assert_int_equal(json_array_size(world.alarms), 2);
	assert_true(json_is_null(json_object_get(json_array_get(world.alarms, 1), "problem")));
	lab_close(&l);
}

/* Seen anew after a start: nobody knows what was before. */
static void
a_start_counts_anew(void **state)
{
	struct lab l;
	struct fault f = { 0 };
	json_t *result;
	enum rc rc;

	(void)state;
	lab_open(&l);
	works_done(&l.works);
	bworld_works(&world, &l.works, now + AFTER_S);
	wait_for_admin(&l);
	result = run(&l, "main", NULL, now + AFTER_S, &rc, &f);
	assert_int_equal(rc, RC_OK);
	assert_string_equal(state_of(result, 0), "waiting");
	json_decref(result);
	assert_true(softadmin_has(world.admin, l.orphan));
	lab_close(&l);
}

/* ---- what does not ---- */

enum how {
	BY_FILE,    /* this file has this text; NULL: is a directory's place taken by one */
	NEW_NAME,   /* the installation has another name */
	YOUNG_NAME, /* it has it for less than as long */
	NO_NAME,
	CLOCK,
	DISK,
	SHARE,
	TOKEN_FAILS,
	SOON,
	BEING_MADE,
	IMPORTED,
	KEYFILE,
};

static struct kept_case {
	const char *name;
	enum how how;
	const char *file, *text;
	enum rc rc;
	const char
	    *reason; /* or the state of the orphan, where rc is RC_OK; NULL: it is none */
} kept_cases[] = {
	{ "an account that cannot be read", BY_FILE, "accounts/other.json", "{", RC_CONFLICT,
	    "orphans_unsure" },
	{ "a request that cannot be read", BY_FILE, "tenants/gone/main/pending.csr", "x",
	    RC_CONFLICT, "orphans_unsure" },
	{ "a series' request that cannot be read", BY_FILE, "tenants/gone/main/star.csr", "x",
	    RC_CONFLICT, "orphans_unsure" },
	{ "a chain that cannot be read", BY_FILE, "tenants/gone/main/current.pem", "x",
	    RC_CONFLICT, "orphans_unsure" },
	{ "a tenant that is no directory", BY_FILE, "tenants/gone", "x", RC_CONFLICT,
	    "orphans_unsure" },
	{ "a revocation that cannot be read", BY_FILE,
	    "revoked/00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff.json",
	    "{", RC_CONFLICT, "orphans_unsure" },
	{ "notes of retired keys gone", BY_FILE, "retiring", NULL, RC_CONFLICT,
	    "orphans_unsure" },
	{ "notes of spare keys gone", BY_FILE, "spare", NULL, RC_CONFLICT, "orphans_unsure" },
	{ "notes of batches gone", BY_FILE, "making", NULL, RC_CONFLICT, "orphans_unsure" },
	{ "another name", NEW_NAME, NULL, NULL, RC_OK, NULL },
	{ "a young name", YOUNG_NAME, NULL, NULL, RC_CONFLICT, "orphans_new" },
	{ "no name", NO_NAME, NULL, NULL, RC_CONFLICT, "orphans_unsure" },
	{ "a doubted clock", CLOCK, NULL, NULL, RC_CONFLICT, "orphans_clock" },
	{ "a disk that fails", DISK, NULL, NULL, RC_CONFLICT, "orphans_unsure" },
	{ "too many at once", SHARE, NULL, NULL, RC_CONFLICT, "orphans_share" },
	{ "a token that fails", TOKEN_FAILS, NULL, NULL, RC_HSM, "hsm_unavailable" },
	{ "not for long enough", SOON, NULL, NULL, RC_OK, "waiting" },
	{ "being made", BEING_MADE, NULL, NULL, RC_OK, NULL },
	{ "its file says imported", IMPORTED, NULL, NULL, RC_OK, "unsure" },
	{ "its file cannot be read", KEYFILE, NULL, NULL, RC_OK, "unsure" },
};

static void
spoil_file(const struct kept_case *c)
{
	char path[STORE_PATH_MAX];

	snprintf(path, sizeof path, "state/front/%s", c->file);
	if (c->text == NULL)
		assert_true(rename(path, "state/elsewhere") == 0 || errno == ENOENT);
	assert_int_equal(
	    store_write(path, span_str(c->text != NULL ? c->text : "x"), 0600, NULL), RC_OK);
}

static void
note_batch(struct lab *l)
{
	char hex[2 * FRAME_BATCH + 1], path[128];

	works_hex(l->works.token[0].batch, FRAME_BATCH, hex);
	snprintf(path, sizeof path, "state/front/making/%s.json", hex);
	assert_int_equal(
	    store_write(path, span_str("{\"token\":\"main\"}"), 0600, NULL), RC_OK);
}

static void
spoil_keyfile(struct lab *l, bool readable)
{
	const struct keyfile k = { .token = "main", .imported = true };
	char hex[2 * KEY_ID_LEN + 1], path[160];

	works_hex(l->orphan, KEY_ID_LEN, hex);
	snprintf(path, sizeof path, "state/front/keys/%s.json", hex);
	if (readable)
		assert_int_equal(
		    keyfile_write(l->works.set->config, l->orphan, &k, NULL), RC_OK);
	else
		assert_int_equal(store_write(path, span_str("{"), 0600, NULL), RC_OK);
}

static void
spoil(struct lab *l, const struct kept_case *c)
{
	struct works *w = &l->works;
	uint8_t more[KEY_ID_LEN];

	switch (c->how) {
	case BY_FILE: spoil_file(c); break;
	case NEW_NAME: w->installation.id[FRAME_OWNER - 1] ^= 1; break;
	case YOUNG_NAME: w->installation.made_s = now + 1; break;
	case NO_NAME: w->installation.known = false; break;
	case CLOCK: w->clock_holds = true; break;
	case DISK: w->state_failed_s = now; break;
	case SHARE:
		put_orphan(l, more); /* two, and two are in use */
		look(l, now);
		break;
	case TOKEN_FAILS: softadmin_fail(world.admin, FRAME_FAILED); break;
	case BEING_MADE: note_batch(l); break;
	case IMPORTED:
	case KEYFILE: spoil_keyfile(l, c->how == IMPORTED); break;
	case SOON: w->installation.made_s = now - 1; break;
	}
}

static void
it_is_kept(void **state)
{
	const struct kept_case *c = *state;
	struct lab l;
	struct fault f = { 0 };
	json_auto_t *result = NULL;
	enum rc rc;

	lab_open(&l);
	spoil(&l, c);
	result = run(&l, "main", NULL, now + AFTER_S - (c->how == SOON), &rc, &f);
	assert_int_equal(rc, c->rc);
	if (rc != RC_OK)
		assert_string_equal(f.reason, c->reason);
	else if (c->reason != NULL)
		assert_string_equal(state_of(result, 0), c->reason);
	else
		assert_null(state_of(result, 0));
	assert_true(softadmin_has(world.admin, l.orphan));
	check_kept(&l);
	assert_int_equal(json_array_size(world.audit), 0);
	softadmin_fail(world.admin, 0);
	lab_close(&l);
}

/* What refuses says so to whoever only asks. */
static void
a_list_says_why_not(void **state)
{
	struct lab l;
	struct fault f = { 0 };
	json_auto_t *result = NULL;
	enum rc rc;

	(void)state;
	lab_open(&l);
	l.works.clock_holds = true;
	result = run(&l, NULL, NULL, now + AFTER_S, &rc, &f);
	assert_int_equal(rc, RC_OK);
	assert_string_equal(
	    json_string_value(json_object_get(result, "reason")), "orphans_clock");
	assert_string_equal(state_of(result, 0), "due");
	lab_close(&l);
}

/* One that is named goes where all would be too many; and nothing else by that way. */
static void
one_by_its_name(void **state)
{
	struct lab l;
	uint8_t more[KEY_ID_LEN];
	char hex[2 * KEY_ID_LEN + 1], named[2 * KEY_ID_LEN + 1];
	struct fault f = { 0 };
	json_t *result;
	enum rc rc;

	(void)state;
	lab_open(&l);
	put_orphan(&l, more);
	look(&l, now);
	works_hex(l.orphan, KEY_ID_LEN, hex);
	result = run(&l, "main", hex, now + AFTER_S, &rc, &f);
	assert_int_equal(rc, RC_OK);
	assert_string_equal(state_of(result, 0), "destroyed");
	assert_int_equal(json_array_size(json_object_get(result, "orphans")), 1);
	json_decref(result);
	assert_false(softadmin_has(world.admin, l.orphan));
	assert_true(softadmin_has(world.admin, more));
	for (size_t i = 0; i < FOREIGN + 2; i++) {
		struct fault why = { 0 };

		works_hex(i < FOREIGN	 ? l.foreign[i]
			  : i == FOREIGN ? l.account
					 : l.request,
		    KEY_ID_LEN, named);
		json_decref(run(&l, "main", named, now + AFTER_S, &rc, &why));
		assert_int_equal(rc, RC_NOT_FOUND);
		assert_string_equal(why.reason, "no_orphan");
	}
	check_kept(&l);
	lab_close(&l);
}

/* Another chain lies where the one in force was, and was not taken. */
static void
put_chain_on_disk(const uint8_t point[P256_POINT_LEN])
{
	AUTO_BUF tnauth = BUF_INIT(1024);

	bworld_tnauth(&tnauth, "12025550100");
	bworld_put(&world, "state/front/tenants/acme/main/current.pem",
	    &(struct bworld_cert){
		.point = point, .tnauth = buf_view(&tnauth), .serial = "11" });
}

static void
what_lies_on_disk_is_kept(void **state)
{
	struct lab l;
	uint8_t point[P256_POINT_LEN], key_id[KEY_ID_LEN], retired[KEY_ID_LEN];
	char hex[2 * KEY_ID_LEN + 1];
	struct fault f = { 0 };
	enum rc rc;

	(void)state;
	lab_open(&l);
	assert_int_equal(works_generate(&l.works, 0, point, NULL), RC_OK);
	making_end(&l.works, 0);
	key_id_of_point(point, key_id);
	put_orphan(&l, retired);
	put_chain_on_disk(point);
	assert_int_equal(credset_credential(l.works.set, l.at)->state, CREDENTIAL_READY);
	look(&l, now);
	works_hex(key_id, KEY_ID_LEN, hex);
	json_decref(run(&l, "main", hex, now + AFTER_S, &rc, &f));
	assert_int_equal(rc, RC_NOT_FOUND);
	assert_string_equal(f.reason, "no_orphan");
	/* Nor does the end of its overlap take it; another key of the same goes. */
	assert_int_equal(retire_note(&l.works, key_id, l.at, now, NULL), RC_OK);
	assert_int_equal(retire_note(&l.works, retired, l.at, now, NULL), RC_OK);
	(void)retire_due(&l.works, now + 1);
	assert_true(softadmin_has(world.admin, key_id));
	assert_false(softadmin_has(world.admin, retired));
	check_kept(&l);
	lab_close(&l);
}

/* It signs what is dated before the one in force was valid. */
static void
the_one_before_is_kept(void **state)
{
	struct credential *before;
	struct lab l;
	char hex[2 * KEY_ID_LEN + 1];
	struct fault f = { 0 };
	enum rc rc;

	(void)state;
	lab_open(&l);
	before = calloc(1, sizeof *before);
	assert_non_null(before);
	memcpy(before->key_id, l.orphan, KEY_ID_LEN);
	l.works.set->before[0] = before;
	works_hex(l.orphan, KEY_ID_LEN, hex);
	json_decref(run(&l, "main", hex, now + AFTER_S, &rc, &f));
	l.works.set->before[0] = NULL;
	free(before);
	assert_int_equal(rc, RC_NOT_FOUND);
	assert_string_equal(f.reason, "no_orphan");
	assert_true(softadmin_has(world.admin, l.orphan));
	lab_close(&l);
}

/* What was asked of the token is on record, whatever it answers. */
static void
no_answer_is_on_record(void **state)
{
	struct lab l;
	struct fault f = { 0 };
	const json_t *line;
	enum rc rc;

	(void)state;
	lab_open(&l);
	softadmin_stubborn(world.admin, true);
	json_decref(run(&l, "main", NULL, now + AFTER_S, &rc, &f));
	softadmin_stubborn(world.admin, false);
	assert_int_equal(rc, RC_HSM);
	assert_int_equal(json_array_size(world.audit), 2);
	line = json_array_get(world.audit, 0);
	assert_string_equal(
	    json_string_value(json_object_get(line, "event")), "orphan_destroying");
	line = json_array_get(world.audit, 1);
	assert_string_equal(json_string_value(json_object_get(line, "event")), "orphan_unsure");
	assert_string_equal(json_string_value(json_object_get(line, "cause")), f.reason);
	check_kept(&l);
	lab_close(&l);
}

static struct ask_case {
	const char *name, *token, *confirm, *key;
	enum rc rc;
	const char *reason;
} ask_cases[] = {
	{ "no such token", "second", NULL, NULL, RC_NOT_FOUND, "not_found" },
	{ "another token confirmed", "main", "second", NULL, RC_INVALID, "invalid_member" },
	{ "nothing confirmed", "main", "", NULL, RC_INVALID, "invalid_member" },
	{ "no key", "main", "main", "", RC_INVALID, "invalid_member" },
	{ "a short key", "main", "main", "00", RC_INVALID, "invalid_member" },
	{ "no hexadecimal", "main", "main",
	    "zz000000000000000000000000000000000000000000000000000000000000aa", RC_INVALID,
	    "invalid_member" },
};

static void
it_is_not_asked_so(void **state)
{
	const struct ask_case *c = *state;
	const struct orphans_ask ask = {
		.token = c->token, .confirm = c->confirm, .key = c->key, .now_s = now + AFTER_S
	};
	json_auto_t *result = json_object();
	struct fault f = { 0 };
	struct lab l;

	lab_open(&l);
	assert_int_equal(orphans_run(&l.works, &ask, result, &f), c->rc);
	assert_string_equal(f.reason, c->reason);
	assert_true(softadmin_has(world.admin, l.orphan));
	lab_close(&l);
}

/* ---- whose ---- */

static const json_t *
shown(const json_t *result, const uint8_t key_id[KEY_ID_LEN])
{
	char hex[2 * KEY_ID_LEN + 1];
	const json_t *one;
	size_t i;

	works_hex(key_id, KEY_ID_LEN, hex);
	json_array_foreach (json_object_get(result, "keys"), i, one) {
		if (strcmp(json_string_value(json_object_get(one, "key")), hex) == 0)
			return one;
	}
	fail_msg("%s is not shown", hex);
	return NULL;
}

static void
expect_shown(const json_t *result, const uint8_t key_id[KEY_ID_LEN], const char *owner,
    const char *use, const char *of)
{
	const json_t *one = shown(result, key_id);
	const char *said = json_string_value(json_object_get(one, "use"));
	const char *whose = json_string_value(json_object_get(one, "of"));

	assert_string_equal(json_string_value(json_object_get(one, "owner")), owner);
	assert_string_equal(said != NULL ? said : "-", use);
	assert_string_equal(whose != NULL ? whose : "-", of);
}

static void
each_is_shown(void **state)
{
	struct lab l;
	uint8_t retired[KEY_ID_LEN];
	json_auto_t *result = json_object();

	(void)state;
	lab_open(&l);
	put_orphan(&l, retired);
	assert_int_equal(retire_note(&l.works, retired, l.at, now + AFTER_S, NULL), RC_OK);
	assert_int_equal(orphans_keys(&l.works, "main", now, result, NULL), RC_OK);
	expect_shown(result, l.account, "this", "account", "lab");
	expect_shown(result, l.credential, "this", "credential", "acme/main");
	expect_shown(result, l.request, "this", "waiting", "acme/main");
	expect_shown(result, l.orphan, "this", "orphan", "-");
	expect_shown(result, retired, "this", "retired", "-");
	expect_shown(result, l.foreign[0], "another", "-", "-");
	expect_shown(result, l.foreign[1], "unknown", "-", "-");
	expect_shown(result, l.foreign[2], "unknown", "imported", "-");
	expect_shown(result, l.foreign[3], "unknown", "-", "-");
	assert_int_equal(json_array_size(json_object_get(result, "keys")), 5 + FOREIGN);
	assert_int_equal(orphans_keys(&l.works, "none", now, result, NULL), RC_NOT_FOUND);
	lab_close(&l);
}

/* ---- the installation's name ---- */

static void
a_name_stays(void **state)
{
	struct installation again = { .known = false };
	struct lab l;

	(void)state;
	lab_open(&l);
	assert_true(l.works.installation.known);
	assert_int_equal(l.works.installation.made_s, now);
	assert_int_equal(installation_load(l.works.set->config, now + 9, &again, NULL), RC_OK);
	assert_memory_equal(again.id, l.works.installation.id, FRAME_OWNER);
	assert_int_equal(again.made_s, now);
	assert_memory_equal(l.works.token[0].batch, again.id, FRAME_OWNER);
	lab_close(&l);
}

static struct name_case {
	const char *name, *text;
} name_cases[] = {
	{ "empty", "" },
	{ "no JSON", "{" },
	{ "no id", "{\"made\":1}" },
	{ "no time", "{\"id\":\"0011223344556677\"}" },
	{ "a time before", "{\"id\":\"0011223344556677\",\"made\":-1}" },
	{ "a short id", "{\"id\":\"00112233445566\",\"made\":1}" },
	{ "a long id", "{\"id\":\"001122334455667788\",\"made\":1}" },
	{ "capitals", "{\"id\":\"00112233445566AA\",\"made\":1}" },
};

/* It goes aside, twice if need be; what was made before is then another's. */
static void
a_damaged_name_goes_aside(void **state)
{
	const struct name_case *c = *state;
	struct lab l;

	lab_open(&l);
	for (int i = 0; i < 2; i++) {
		struct installation other = { .known = false };

		bworld_file("state/front/installation.json", c->text);
		assert_int_equal(
		    installation_load(l.works.set->config, now + 9, &other, NULL), RC_OK);
		assert_true(other.known);
		assert_memory_not_equal(other.id, l.works.installation.id, FRAME_OWNER);
		assert_int_equal(other.made_s, now + 9);
		assert_int_not_equal(store_mtime("state/front/installation.json.lost"), 0);
	}
	lab_close(&l);
}

/* What a later build has added does not cost it its name. */
static void
a_later_name_is_read(void **state)
{
	static const uint8_t id[FRAME_OWNER] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66,
		0x77 };
	struct installation i = { .known = false };
	struct lab l;

	(void)state;
	lab_open(&l);
	bworld_file("state/front/installation.json",
	    "{\"id\":\"0011223344556677\",\"made\":1,\"x\":1}");
	assert_int_equal(installation_load(l.works.set->config, now + 9, &i, NULL), RC_OK);
	assert_memory_equal(i.id, id, FRAME_OWNER);
	assert_int_equal(i.made_s, 1);
	assert_int_equal(store_mtime("state/front/installation.json.lost"), 0);
	lab_close(&l);
}

/* Without one no key is made: it would be called nobody's. */
static void
no_name_no_key(void **state)
{
	uint8_t point[P256_POINT_LEN];
	struct fault f = { 0 };
	struct lab l;

	(void)state;
	lab_open(&l);
	l.works.installation.known = false;
	assert_int_equal(works_generate(&l.works, 0, point, &f), RC_IO);
	assert_string_equal(f.reason, "io");
	(void)works_chores(&l.works, now);
	assert_true(l.works.installation.known);
	assert_int_equal(works_generate(&l.works, 0, point, NULL), RC_OK);
	lab_close(&l);
}

/* Keys that nothing here names take the room of what is configured. */
static void
they_take_room(void **state)
{
	static const uint8_t name[FRAME_BATCH];
	uint8_t other[KEY_ID_LEN];
	struct config *c;
	struct lab l;

	(void)state;
	lab_open(&l);
	c = (struct config *)(uintptr_t)l.works.set->config;
	c->token[0].max_keys = (unsigned)(1 + FOREIGN + config_keys_needed(c, &c->token[0]));
	look(&l, now);
	assert_int_equal(l.works.token[0].keys, 4 + FOREIGN);
	assert_int_equal(l.works.token[0].room, WORKS_ROOM);
	/* As many are free as before, but one less of what will be needed. */
	softadmin_put(world.admin, FRAME_LABEL_OTHER, name, other);
	softadmin_drop(world.admin, l.account);
	look(&l, now);
	assert_int_equal(l.works.token[0].keys, 4 + FOREIGN);
	assert_int_equal(l.works.token[0].room, WORKS_LOW);
	lab_close(&l);
}

int
main(void)
{
	struct CMUnitTest
	    tests[ARRAY_LEN(kept_cases) + ARRAY_LEN(ask_cases) + ARRAY_LEN(name_cases) + 13];
	size_t n = 0;

	ROWS(tests, n, kept_cases, it_is_kept);
	ROWS(tests, n, ask_cases, it_is_not_asked_so);
	ROWS(tests, n, name_cases, a_damaged_name_goes_aside);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(an_orphan_goes);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(an_orphan_alarms);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_start_counts_anew);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_list_says_why_not);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(one_by_its_name);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(each_is_shown);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_name_stays);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_later_name_is_read);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_lies_on_disk_is_kept);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_one_before_is_kept);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_answer_is_on_record);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_name_no_key);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(they_take_room);
	return _cmocka_run_group_tests("orphans", tests, n, NULL, NULL);
}
