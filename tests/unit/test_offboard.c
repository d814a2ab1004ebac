/* offboard: a tenant signs nothing from the moment on that it is recorded, to the last key */
#include "agent/front/offboard.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/front/hand.h"
#include "agent/front/install.h"
#include "agent/front/keyfile.h"
#include "agent/front/pending.h"
#include "agent/front/retire.h"
#include "agent/front/revoke.h"
#include "agent/front/store.h"
#include "agent/front/want.h"
#include "stir/jtext.h"
#include "tests/unit/asks.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/crash.h"
#include "tests/unit/mutate.h"
#include "tests/unit/rows.h"

#define RECORD	"state/front/offboarding/acme.json"
#define CURRENT "state/front/tenants/acme/main/current.pem"
#define BEFORE	"state/front/tenants/acme/main/before-a.pem"
#define CONFIRM "\"confirm\":\"acme\""
#define LIFE_S	43200

static const int64_t now = PKI_NOW;
static struct bworld world;

struct lab {
	struct works works;
	struct credset_place at;
	uint8_t key_id[KEY_ID_LEN]; /* of the certificate that was put in force last */
};

static const char acme[] =
    "numbers = { \"12025550100\" }\n" BWORLD_DELEGATE("atis-delegate", "");
static const char by_hand[] = "numbers = { \"12025550100\" }\n"
			      "credential \"main\" { profile = \"atis-delegate\" token = "
			      "\"main\"\n  x5u = \"https://127.1.2.3:8443/certs/\" }\n";

static void
start(struct lab *l, int64_t now_s)
{
	bworld_works(&world, &l->works, now_s);
	(void)credset_find(l->works.set, "acme", "main", &l->at);
}

static void
restart(struct lab *l, int64_t now_s)
{
	works_done(&l->works);
	start(l, now_s);
}

static const struct credential *
present(const struct lab *l)
{
	return credset_credential(l->works.set, l->at);
}

static const struct config_tenant *
tenant(const struct lab *l)
{
	return config_tenant_find(l->works.set->config, "acme");
}

static enum rc
request(struct lab *l, struct pending *p, struct fault *f)
{
	AUTO_WANT want = WANT_INIT;

	TRY(want_of(tenant(l), credset_config(l->works.set, l->at), &want, f));
	return pending_make(&l->works, l->at, buf_view(&want.tnauth_der),
	    buf_view(&want.constraints_der), now, p, f);
}

static void
issue(struct lab *l, const char *serial, struct buf *pem)
{
	AUTO_PENDING p = { 0 };
	struct fault f = { 0 };

	if (request(l, &p, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	bworld_issue(&world, pem,
	    &(struct bworld_cert){ .point = p.facts.point,
		.tnauth = buf_view(&p.facts.tnauth_der),
		.serial = serial,
		.not_before_s = now - 60 + (int64_t)strlen(serial),
		.not_after_s = now + LIFE_S + (int64_t)strlen(serial) });
}

static void
install(struct lab *l, const char *serial)
{
	AUTO_BUF pem = BUF_INIT(65536);
	const struct credential *c = NULL;
	struct fault f = { 0 };
	int64_t again_s = 0;

	issue(l, serial, &pem);
	if (install_chain(&l->works, l->at, &(struct install_offer){ .pem = buf_view(&pem) },
		now, &again_s, &c, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	memcpy(l->key_id, c->key_id, KEY_ID_LEN);
}

static int
open_with(void **state, const char *text)
{
	struct lab *l = calloc(1, sizeof *l);

	assert_non_null(l);
	bworld_open(&world);
	bworld_tenant("acme", text);
	bworld_tenant("beta", "numbers = { \"13035550100\" }\n");
	start(l, now);
	install(l, "0a");
	(void)works_chores(&l->works, now);
	*state = l;
	return 0;
}

static int
open_lab(void **state)
{
	return open_with(state, acme);
}

static int
open_by_hand(void **state)
{
	return open_with(state, by_hand);
}

static int
close_lab(void **state)
{
	struct lab *l = *state;

	works_done(&l->works);
	bworld_close(&world);
	free(l);
	return 0;
}

/* ---- asking ---- */

static enum rc
by_command(struct lab *l, enum hand kind, const char *of, const char *body, int64_t now_s,
    json_t **result, struct fault *f)
{
	json_auto_t *asked = NULL, *out = json_object();
	struct hand_call call = { .w = &l->works, .tenant = of, .name = "", .now_s = now_s };
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
good(struct lab *l, enum hand kind, const char *body, int64_t now_s)
{
	struct fault f = { 0 };

	if (by_command(l, kind, "acme", body, now_s, NULL, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
}

static void
refused(struct lab *l, enum hand kind, const char *body, const char *reason)
{
	struct fault f = { 0 };

	assert_int_not_equal(by_command(l, kind, "acme", body, now, NULL, &f), RC_OK);
	assert_string_equal(f.reason, reason);
}

static json_t *
shown(struct lab *l, int64_t now_s)
{
	struct fault f = { 0 };
	json_t *out = NULL;

	if (by_command(l, HAND_OFFBOARDING, "acme", NULL, now_s, &out, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	return out;
}

static void
is_in(struct lab *l, const char *state, int64_t now_s)
{
	json_auto_t *o = shown(l, now_s);

	assert_string_equal(asks_text(o, "state"), state);
}

static void
counts(struct lab *l, const char *what, json_int_t n)
{
	json_auto_t *o = shown(l, now);
	const json_t *value = json_object_get(json_object_get(o, "certificates"), what);

	assert_int_equal(json_integer_value(value), n);
}

/* The CA has done it, or not; which is asked. */
static void
answered(struct lab *l, const char *reason)
{
	json_auto_t *errand = asks_errand(&l->works, 0);
	json_auto_t *done = asks_told(&l->works, asks_text(errand, "id"), true, reason, NULL);

	assert_string_equal(asks_reason(done), "");
}

static size_t
errands(struct lab *l)
{
	json_auto_t *answer = asks_op(&l->works, json_pack("{s:s}", "op", "errands"));

	return json_array_size(json_object_get(answer, "errands"));
}

/* Of this tenant, and of a file's word about it. */
static bool
is_served(const struct lab *l)
{
	return tenant(l)->enabled;
}

static size_t
recorded(const char *event)
{
	const json_t *line;
	size_t i, n = 0;

	json_array_foreach (world.audit, i, line)
		n += strcmp(json_string_value(json_object_get(line, "event")), event) == 0;
	return n;
}

/* As far as the confirmation. */
static void
revoked(struct lab *l)
{
	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now);
	(void)works_chores(&l->works, now);
	answered(l, NULL);
	(void)works_chores(&l->works, now);
	is_in(l, "revoked", now);
}

/* Chores, as often as it takes. */
static void
until_destroyed(struct lab *l, int64_t now_s)
{
	bool over = false;

	for (unsigned turn = 0; turn < 20 && !over; turn++) {
		json_auto_t *o = NULL;

		(void)works_chores(&l->works, now_s + turn);
		o = shown(l, now_s);
		over = strcmp(asks_text(o, "state"), "destroyed") == 0;
	}
	assert_true(over);
}

/* ---- the tests ---- */

static void
the_whole_way(void **state)
{
	struct lab *l = *state;

	assert_true(is_served(l));
	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now);
	assert_false(is_served(l)); /* before anything else is done */
	assert_true(config_tenant_find(l->works.set->config, "beta")->enabled);
	(void)works_chores(&l->works, now);
	assert_int_equal(present(l)->state, CREDENTIAL_REVOKED);
	assert_int_equal(errands(l), 1);
	is_in(l, "revoking", now);
	counts(l, "outstanding", 1);
	refused(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", "conflict");
	answered(l, NULL);
	(void)works_chores(&l->works, now);
	is_in(l, "revoked", now);
	counts(l, "done", 1);
	(void)works_chores(&l->works, now + LIFE_S / 2); /* by itself no key goes */
	assert_true(softadmin_has(world.admin, l->key_id));
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
	until_destroyed(l, now);
	assert_false(softadmin_has(world.admin, l->key_id));
	assert_int_equal(store_mtime(CURRENT), 0);
	assert_int_not_equal(store_mtime(BEFORE), 0);
	assert_int_equal(recorded("offboard"), 1);
	assert_int_equal(recorded("offboard_revoked"), 1);
	assert_int_equal(recorded("offboard_confirmed"), 1);
	assert_int_equal(recorded("key_retired"), 1);
	assert_int_equal(recorded("offboarded"), 1);
}

/* Neither a restart nor a reload of files that name it brings it back, at any step. */
static void
it_stays_so(void **state)
{
	static const char *const states[] = { "revoking", "revoked", "destroying",
		"destroyed" };
	struct lab *l = *state;

	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now);
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		restart(l, now);
		assert_false(is_served(l));
		assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
		assert_false(is_served(l));
		is_in(l, states[i], now);
		if (i == 0) {
			(void)works_chores(&l->works, now);
			answered(l, NULL);
			(void)works_chores(&l->works, now);
		}
		if (i == 1)
			good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
		if (i == 2)
			until_destroyed(l, now);
	}
	assert_false(softadmin_has(world.admin, l->key_id));
	assert_int_equal(recorded("offboarded"), 1);
}

/* What the renewer brings, and what an operator asks for otherwise. */
static void
nothing_is_ordered(void **state)
{
	struct lab *l = *state;
	AUTO_BUF pem = BUF_INIT(65536);
	json_auto_t *plan = NULL, *later = NULL, *chain = NULL;
	size_t keys;

	issue(l, "0bb", &pem); /* an order is under way */
	keys = softadmin_keys(world.admin);
	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now);
	plan = asks_op(&l->works, json_pack("{s:s}", "op", "plan"));
	assert_int_equal(json_array_size(json_object_get(plan, "credentials")), 0);
	chain = asks_op(&l->works, json_pack("{s:s, s:s, s:s, s:s%}", "op", "install", "tenant",
				       "acme", "name", "main", "chain", pem.ptr, pem.len));
	assert_string_equal(asks_reason(chain), "tenant_disabled");
	(void)works_chores(&l->works, now);
	later = asks_op(&l->works, json_pack("{s:s}", "op", "plan"));
	assert_int_equal(json_array_size(json_object_get(later, "credentials")), 0);
	assert_int_equal(softadmin_keys(world.admin), keys);
	answered(l, NULL);
	(void)works_chores(&l->works, now);
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
	until_destroyed(l, now);
	assert_int_equal(pending_since_s(l->works.set->config, "acme", "main"), 0);
	/* The key of the certificate, and that of the request. */
	assert_int_equal(softadmin_keys(world.admin), keys - 2);
}

/* RFC 8555 s7.6: the one in force, and those before it that are not over. */
static void
all_are_revoked(void **state)
{
	struct lab *l = *state;

	install(l, "0bb");
	install(l, "0ccc");
	good(l, HAND_OFFBOARD, "{" CONFIRM ",\"reason\":\"keyCompromise\"}", now);
	(void)works_chores(&l->works, now);
	assert_int_equal(errands(l), 3);
	counts(l, "outstanding", 3);
	for (size_t i = 0; i < l->works.revoked.len; i++)
		assert_int_equal(l->works.revoked.item[i].reason, 1);
	answered(l, NULL);
	answered(l, "acme_unauthorized"); /* the CA's last word, too */
	(void)works_chores(&l->works, now);
	is_in(l, "revoking", now);
	answered(l, NULL);
	(void)works_chores(&l->works, now);
	is_in(l, "revoked", now);
	counts(l, "refused", 1);
	assert_int_equal(json_array_size(world.alarms), 1);
}

static void
over_is_over(void **state)
{
	struct lab *l = *state;

	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now + LIFE_S + 100);
	(void)works_chores(&l->works, now + LIFE_S + 100);
	is_in(l, "revoked", now + LIFE_S + 100);
	assert_int_equal(l->works.revoked.len, 0);
	/* It is over, and in the set all the same: nothing needs its key. */
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now + LIFE_S + 100);
	until_destroyed(l, now + LIFE_S + 100);
	assert_false(softadmin_has(world.admin, l->key_id));
}

/* By a clock that has jumped ahead nothing is over: neither while that is in doubt nor after. */
static void
over_by_a_wrong_clock(void **state)
{
	struct lab *l = *state;
	int64_t ahead_s = now + LIFE_S + 100;

	l->works.clock_holds = true;
	good(l, HAND_OFFBOARD, "{" CONFIRM "}", ahead_s);
	(void)works_chores(&l->works, ahead_s);
	is_in(l, "revoking", ahead_s);
	refused(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", "conflict");
	l->works.clock_holds = false;
	works_clock_set(&l->works);
	(void)works_chores(&l->works, ahead_s); /* it was right, for all that is known */
	is_in(l, "revoked", ahead_s);
	works_clock_set(&l->works);
	(void)works_chores(&l->works, now); /* it was not */
	is_in(l, "revoking", now);
	assert_int_equal(errands(l), 1);
	answered(l, NULL);
	(void)works_chores(&l->works, now);
	is_in(l, "revoked", now);
}

static void
outstanding_by_a_wrong_clock(void **state)
{
	struct lab *l = *state;
	int64_t ahead_s = now + LIFE_S + 100;

	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now);
	(void)works_chores(&l->works, now);
	l->works.clock_holds = true;
	(void)works_chores(&l->works, ahead_s);
	is_in(l, "revoking", ahead_s);
	refused(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", "conflict");
}

/* What cannot be read now is looked at again; what is damaged is in force all the same. */
static void
unreadable_chains(void **state)
{
	struct lab *l = *state;

	bworld_file(CURRENT, "-----BEGIN");
	assert_int_equal(mkdir(BEFORE, 0700), 0);
	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now);
	(void)works_chores(&l->works, now);
	assert_int_equal(errands(l), 1);
	answered(l, NULL);
	(void)works_chores(&l->works, now);
	is_in(l, "revoking", now);
	counts(l, "unrecorded", 1);
	assert_int_equal(rmdir(BEFORE), 0);
	(void)works_chores(&l->works, now + OFFBOARD_LOOK_S);
	is_in(l, "revoked", now + OFFBOARD_LOOK_S);
}

enum { SECTIONS = 20, KEPT = 10 };

/* Sections from first on; the last has a certificate. */
static void
many(unsigned first)
{
	AUTO_BUF text = BUF_INIT(16384);

	buf_str(&text, "numbers = { \"12025550100\" }\n");
	for (unsigned i = first; i < SECTIONS; i++)
		buf_printf(&text,
		    "credential \"c%02u\" { profile = \"atis-delegate\" token = \"main\"\n"
		    "  ca = \"lab\" authority = \"numbers\"\n"
		    "  x5u = \"https://127.1.2.3:8443/certs/\" publish_dir = \"www\" }\n",
		    i);
	buf_put(&text, "", 1);
	bworld_tenant("acme", (const char *)text.ptr);
}

/* A load between two steps of a round moves what was not looked at yet. */
static void
moved_within_a_round(void **state)
{
	struct lab *l = *state;
	AUTO_BUF list = BUF_INIT(4096);
	uint8_t point[P256_POINT_LEN];
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();

	assert_int_equal(p256_point(key, point, NULL), RC_OK);
	bworld_tnauth(&list, "12025550100");
	bworld_put(&world, "state/front/tenants/acme/c19/current.pem",
	    &(struct bworld_cert){ .point = point, .tnauth = buf_view(&list), .serial = "0d" });
	many(0);
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now);
	(void)works_chores(&l->works, now);
	assert_int_equal(errands(l), 0); /* of the first ones */
	many(KEPT);
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	(void)works_chores(&l->works, now);
	assert_int_equal(errands(l), 1);
}

/* Of a CA that nobody asks by itself it is said, and not waited for. */
static void
by_hand_alone(void **state)
{
	struct lab *l = *state;

	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now);
	(void)works_chores(&l->works, now);
	is_in(l, "revoked", now);
	counts(l, "apart", 1);
}

/* The CA is down: confirmed anyway, but not the key that is to sign the revocation. */
static void
without_the_ca(void **state)
{
	struct lab *l = *state;

	good(l, HAND_OFFBOARD, "{" CONFIRM ",\"by\":\"key\"}", now);
	(void)works_chores(&l->works, now);
	refused(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", "conflict");
	refused(
	    l, HAND_DESTROY_KEYS, "{" CONFIRM ",\"outstanding\":\"ignore\"}", "invalid_member");
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM ",\"outstanding\":\"accept\"}", now);
	for (unsigned i = 0; i < 5; i++)
		(void)works_chores(&l->works, now + i);
	is_in(l, "destroying", now);
	assert_true(softadmin_has(world.admin, l->key_id));
	refused(l, HAND_TAKE_BACK, NULL, "conflict");
	answered(l, NULL);
	until_destroyed(l, now + RETIRE_RETRY_S);
	assert_false(softadmin_has(world.admin, l->key_id));
}

/* An hour is long enough to be told of, once; and of its end. */
static void
patience(void **state)
{
	struct lab *l = *state;

	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now);
	(void)works_chores(&l->works, now + OFFBOARD_PATIENCE_S - 1);
	assert_int_equal(json_array_size(world.alarms), 0);
	(void)works_chores(&l->works, now + OFFBOARD_PATIENCE_S + OFFBOARD_LOOK_S);
	(void)works_chores(&l->works, now + OFFBOARD_PATIENCE_S + 2 * OFFBOARD_LOOK_S);
	assert_int_equal(json_array_size(world.alarms), 1);
	answered(l, NULL);
	(void)works_chores(&l->works, now + OFFBOARD_PATIENCE_S + 3 * OFFBOARD_LOOK_S);
	assert_int_equal(json_array_size(world.alarms), 2);
	assert_true(json_is_null(json_object_get(json_array_get(world.alarms, 1), "problem")));
}

static void
taken_back(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };
	json_auto_t *plan = NULL;

	revoked(l);
	good(l, HAND_TAKE_BACK, NULL, now);
	assert_true(is_served(l));
	assert_int_equal(
	    by_command(l, HAND_OFFBOARDING, "acme", NULL, now, NULL, &f), RC_NOT_FOUND);
	assert_int_equal(recorded("offboard_taken_back"), 1);
	restart(l, now);
	assert_true(is_served(l));
	/* Revoked is revoked; another one is planned. */
	assert_int_equal(present(l)->state, CREDENTIAL_REVOKED);
	plan = asks_op(&l->works, json_pack("{s:s}", "op", "plan"));
	assert_int_equal(json_array_size(json_object_get(plan, "credentials")), 1);
	install(l, "0bb");
	assert_int_equal(present(l)->state, CREDENTIAL_READY);
}

/* After its end: with nothing of what it had. */
static void
begins_anew(void **state)
{
	struct lab *l = *state;
	uint8_t old[KEY_ID_LEN];

	memcpy(old, l->key_id, KEY_ID_LEN);
	revoked(l);
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
	until_destroyed(l, now);
	good(l, HAND_TAKE_BACK, NULL, now);
	restart(l, now);
	assert_true(is_served(l));
	assert_int_equal(present(l)->state, CREDENTIAL_PENDING);
	install(l, "0bb");
	assert_memory_not_equal(l->key_id, old, KEY_ID_LEN);
	assert_int_equal(present(l)->state, CREDENTIAL_READY);
}

/* A file that says so itself says so afterwards. */
static void
disabled_before(void **state)
{
	struct lab *l = *state;

	bworld_tenant("acme", "enabled = no\nnumbers = { \"12025550100\" }\n" BWORLD_DELEGATE(
				  "atis-delegate", ""));
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now);
	good(l, HAND_TAKE_BACK, NULL, now);
	assert_false(is_served(l));
}

/* Numbers that change meanwhile enable nobody. */
static void
others_go_on(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };

	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now);
	assert_int_equal(
	    by_command(l, HAND_NUMBERS, "beta", "{\"add\":[\"13035550101\"]}", now, NULL, &f),
	    RC_OK);
	assert_false(is_served(l));
	assert_int_equal(
	    by_command(l, HAND_NUMBERS, "acme", "{\"add\":[\"12025550101\"]}", now, NULL, &f),
	    RC_OK);
	assert_false(is_served(l));
	assert_int_equal(l->works.set->ppts, 0);
	good(l, HAND_TAKE_BACK, NULL, now);
	assert_int_not_equal(l->works.set->ppts, 0);
}

/* Out of the configuration: it goes on, and keys are found by their files. */
static void
not_configured_any_more(void **state)
{
	struct lab *l = *state;

	revoked(l);
	bworld_tenant("acme", NULL);
	restart(l, now);
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
	until_destroyed(l, now);
	assert_false(softadmin_has(world.admin, l->key_id));
	bworld_tenant("acme", acme);
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	assert_false(is_served(l));
}

/* A credential that was taken out before: counted, and nobody's to revoke. */
static void
unplaced(void **state)
{
	struct lab *l = *state;

	bworld_tenant("acme", "numbers = { \"12025550100\" }\n");
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now);
	(void)works_chores(&l->works, now);
	is_in(l, "revoking", now);
	counts(l, "unplaced", 1);
	bworld_tenant("acme", acme); /* as it is told */
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	(void)works_chores(&l->works, now + OFFBOARD_LOOK_S);
	counts(l, "unplaced", 0);
	assert_int_equal(errands(l), 1);
}

/* What is in it is lost, not that there is one; keys go by another confirmation alone. */
static void
a_damaged_record(void **state)
{
	struct lab *l = *state;

	revoked(l);
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
	bworld_file(RECORD, "{\"state\":\"revo");
	restart(l, now);
	assert_false(is_served(l));
	(void)works_chores(&l->works, now);
	is_in(l, "revoked", now);
	assert_true(softadmin_has(world.admin, l->key_id));
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
	until_destroyed(l, now);
}

/* The token is away: later, and it is said so. */
static void
without_the_token(void **state)
{
	struct lab *l = *state;

	revoked(l);
	softadmin_fail(world.admin, FRAME_FAILED);
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
	for (unsigned i = 0; i < 3; i++)
		(void)works_chores(&l->works, now + i);
	is_in(l, "destroying", now);
	softadmin_fail(world.admin, 0);
	until_destroyed(l, now + RETIRE_RETRY_S);
	assert_false(softadmin_has(world.admin, l->key_id));
}

/* In which token a key is: what a disk cannot tell now is not guessed. */
static void
without_its_file(void **state)
{
	struct lab *l = *state;
	char hex[2 * KEY_ID_LEN + 1], path[128];

	works_hex(l->key_id, KEY_ID_LEN, hex);
	snprintf(path, sizeof path, "state/front/keys/%s.json", hex);
	revoked(l);
	bworld_file(path, NULL);
	assert_int_equal(mkdir(path, 0700), 0);
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
	for (unsigned i = 0; i < 3; i++)
		(void)works_chores(&l->works, now + i);
	is_in(l, "destroying", now);
	assert_true(softadmin_has(world.admin, l->key_id));
	assert_int_equal(rmdir(path), 0);
	until_destroyed(l, now + OFFBOARD_LOOK_S);
	assert_false(softadmin_has(world.admin, l->key_id));
}

/* What lies there under no key's name is nobody's. */
static void
beside_an_odd_file(void **state)
{
	struct lab *l = *state;

	revoked(l);
	bworld_file("state/front/retiring/x~", "{");
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
	until_destroyed(l, now);
}

/* Two CAs have given one serial, and the one in force is found first: both are revoked. */
static void
one_serial_twice(void **state)
{
	AUTO_BUF tnauth = BUF_INIT(4096);
	struct lab *l = *state;

	bworld_tnauth(&tnauth, "12025550100");
	bworld_put(&world, BEFORE,
	    &(struct bworld_cert){ .tnauth = buf_view(&tnauth), .serial = "0a" });
	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now);
	(void)works_chores(&l->works, now);
	counts(l, "unrecorded", 0);
	assert_int_equal(errands(l), 2);
	answered(l, NULL);
	(void)works_chores(&l->works, now);
	is_in(l, "revoking", now);
	answered(l, NULL);
	(void)works_chores(&l->works, now);
	is_in(l, "revoked", now);
}

/* It cannot be put in force: later, and not all the time. */
static void
unpublished(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };

	world.publish_rc = RC_BUSY;
	assert_int_not_equal(
	    by_command(l, HAND_OFFBOARD, "acme", "{" CONFIRM "}", now, NULL, &f), RC_OK);
	assert_int_equal(offboard_due(&l->works, now), now + OFFBOARD_SOON_S);
	assert_true(is_served(l));
	world.publish_rc = RC_OK;
	(void)works_chores(&l->works, now + OFFBOARD_SOON_S);
	assert_false(is_served(l));
}

#define OTHER_TOKEN \
	"token \"other\" { module = \"/usr/lib/softhsm/libsofthsm2.so\" label = \"other\"\n" \
	"  pin = \"file:pin\" lock_file = \"other.lock\" }\n"

/*
 * Its key is in "other", as its file says; a note of before, which has guessed,
 * says "main", where it is not.
 */
static void
a_note_that_guessed(void **state)
{
	struct softadmin *empty = softadmin_new();
	struct lab *l = *state;
	struct keyfile made = { .token = "other", .made_s = now };

	bworld_main(OTHER_TOKEN);
	restart(l, now);
	assert_string_equal(l->works.set->config->token[0].name, "other");
	token_admin_attach(l->works.token[1].admin, softadmin_connect(empty, 1), 1);
	assert_int_equal(
	    retire_note_of(&l->works, l->key_id,
		&(struct retire_whose){ "main", "acme", "main" }, now + LIFE_S, NULL),
	    RC_OK);
	bworld_file(CURRENT, NULL); /* nothing notes it anew */
	assert_int_equal(keyfile_write(l->works.set->config, l->key_id, &made, NULL), RC_OK);
	revoked(l);
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
	until_destroyed(l, now);
	assert_false(softadmin_has(world.admin, l->key_id));
	works_done(&l->works); /* before the admin that it is connected to */
	softadmin_free(empty);
	start(l, now);
}

static void
put_elsewhere(struct lab *l, bool imported)
{
	struct keyfile made = { .token = "main", .made_s = now, .imported = imported };
	AUTO_BUF pem = BUF_INIT(65536);

	assert_int_equal(keyfile_write(l->works.set->config, l->key_id, &made, NULL), RC_OK);
	assert_int_equal(store_read(CURRENT, 65536, &pem, NULL), RC_OK);
	assert_int_equal(store_write("state/front/tenants/beta/main/current.pem",
			     buf_view(&pem), 0600, NULL),
	    RC_OK);
}

/* Another tenant's certificate has its key, which was brought to both; it is not in force. */
static void
a_key_of_two(void **state)
{
	struct lab *l = *state;

	put_elsewhere(l, true);
	revoked(l);
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
	until_destroyed(l, now);
	assert_true(softadmin_has(world.admin, l->key_id));
	assert_int_equal(recorded("key_retired"), 0);
	assert_int_equal(recorded("key_kept"), 1);
	assert_int_equal(store_mtime(CURRENT), 0);
}

/* Whether another tenant has it cannot be told: it waits. */
static void
a_key_of_perhaps_two(void **state)
{
	static const char other[] = "state/front/tenants/beta/main/current.pem";
	struct lab *l = *state;

	put_elsewhere(l, true);
	bworld_file(other, "what was a certificate");
	revoked(l);
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
	for (unsigned i = 0; i < 6; i++)
		(void)works_chores(&l->works, now + i);
	is_in(l, "destroying", now);
	assert_true(softadmin_has(world.admin, l->key_id));
	bworld_file(other, NULL);
	until_destroyed(l, now + RETIRE_RETRY_S);
	assert_false(softadmin_has(world.admin, l->key_id));
}

/* It ends with what nobody can revoke for it, its section being gone. */
static void
end_beta(struct lab *l, int64_t now_s)
{
	struct fault f = { 0 };

	if (by_command(l, HAND_OFFBOARD, "beta", "{\"confirm\":\"beta\"}", now_s, NULL, &f) !=
		RC_OK ||
	    works_chores(&l->works, now_s) < 0 ||
	    by_command(l, HAND_DESTROY_KEYS, "beta",
		"{\"confirm\":\"beta\",\"outstanding\":\"accept\"}", now_s, NULL, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
}

enum { BROUGHT = 6 };

static void
bring(struct lab *l, uint8_t key_id[KEY_ID_LEN])
{
	const struct keyfile made = { .token = "main", .made_s = now, .imported = true };
	uint8_t point[P256_POINT_LEN];

	assert_int_equal(works_generate(&l->works, 0, point, NULL), RC_OK);
	key_id_of_point(point, key_id);
	assert_int_equal(keyfile_write(l->works.set->config, key_id, &made, NULL), RC_OK);
	assert_int_equal(
	    retire_note_of(&l->works, key_id, &(struct retire_whose){ "main", "acme", "main" },
		now + LIFE_S, NULL),
	    RC_OK);
}

static struct both_case {
	const char *name;
	int64_t at_s;
	bool over; /* its certificate, which is in the set all the same */
	bool
	    waits; /* for the token with another key, while the second one's end is confirmed */
} boths[] = {
	{ "in one turn", 0, false, false },
	{ "in one turn, one in memory", LIFE_S + 100, true, false },
	{ "one while the other waits", 0, false, true },
};

/* Two tenants with one key, of which neither needs it: it goes. */
static void
both_end(void **state)
{
	const struct both_case *c = *state;
	int64_t now_s = now + c->at_s;
	uint8_t other[KEY_ID_LEN];
	void *lab = NULL;
	struct lab *l;

	(void)open_lab(&lab);
	l = lab;
	put_elsewhere(l, true);
	if (c->waits)
		bring(l, other);
	if (c->over)
		good(l, HAND_OFFBOARD, "{" CONFIRM "}", now_s);
	else
		revoked(l);
	(void)works_chores(&l->works, now_s);
	if (!c->waits)
		end_beta(l, now_s);
	softadmin_fail(world.admin, c->waits ? FRAME_FAILED : 0);
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now_s);
	for (unsigned i = 0; i < 3; i++)
		(void)works_chores(&l->works, now_s + i);
	if (c->waits)
		end_beta(l, now_s + 3);
	softadmin_fail(world.admin, 0);
	until_destroyed(l, now_s + RETIRE_RETRY_S);
	(void)works_chores(&l->works, now_s + 2 * RETIRE_RETRY_S);
	assert_false(softadmin_has(world.admin, l->key_id));
	assert_int_equal(recorded("key_retired"), 1 + c->waits);
	assert_int_equal(recorded("key_kept"), c->waits); /* the second one had it yet */
	assert_int_equal(store_mtime("state/front/tenants/beta/main/current.pem"), 0);
	(void)close_lab(&lab);
}

/* A damaged file holds up what it may name, is read once for all, and not all the time. */
static void
keys_in_doubt(void **state)
{
	static const char bad[] = "state/front/tenants/beta/bad/current.pem";
	uint8_t key_id[BROUGHT][KEY_ID_LEN];
	struct lab *l = *state;

	for (unsigned i = 0; i < BROUGHT; i++)
		bring(l, key_id[i]);
	put_elsewhere(l, true);
	assert_int_equal(
	    store_write(bad, span_str("what was a certificate"), 0600, NULL), RC_OK);
	revoked(l);
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
	(void)works_chores(&l->works, now);
	assert_int_equal(l->works.retire_at_s, now + RETIRE_RETRY_S);
	assert_int_equal(retire_due(&l->works, now + 5), now + RETIRE_RETRY_S);
	assert_int_equal(
	    recorded("key_kept"), 1); /* beta's is beta's, whatever else there is */
	bworld_file(bad, NULL);
	(void)retire_due(&l->works, now + 10); /* nobody has looked yet */
	for (unsigned i = 0; i < BROUGHT; i++)
		assert_true(softadmin_has(world.admin, key_id[i]));
	until_destroyed(l, now + RETIRE_RETRY_S);
	for (unsigned i = 0; i < BROUGHT; i++)
		assert_false(softadmin_has(world.admin, key_id[i]));
	assert_true(softadmin_has(world.admin, l->key_id));
}

static struct renewed_case {
	const char *name;
	bool imported, elsewhere, damaged, goes;
} reneweds[] = {
	{ "a key that was brought to one", true, false, false, true },
	{ "a key that was brought to two", true, true, false, false },
	{ "a key that was brought perhaps to two", true, true, true, false },
	{ "a key that was made here", false, true, false, true },
};

/* It is replaced, while another tenant has it that is not in force. */
static void
renewed(void **state)
{
	static const char other[] = "state/front/tenants/beta/main/current.pem";
	const struct renewed_case *c = *state;
	uint8_t old[KEY_ID_LEN];
	void *lab = NULL;
	struct lab *l;

	(void)open_lab(&lab);
	l = lab;
	memcpy(old, l->key_id, KEY_ID_LEN);
	put_elsewhere(l, c->imported);
	if (!c->elsewhere || c->damaged)
		bworld_file(other, c->damaged ? "what was a certificate" : NULL);
	install(l, "0bb");
	(void)works_chores(&l->works, now + RETIRE_OVERLAP_S - 1);
	assert_true(softadmin_has(world.admin, old));
	(void)works_chores(&l->works, now + RETIRE_OVERLAP_S);
	assert_int_equal(softadmin_has(world.admin, old), !c->goes);
	assert_int_equal(recorded("key_retired"), c->goes);
	if (c->damaged) /* it is judged again */
		bworld_file(other, NULL);
	(void)works_chores(&l->works, now + RETIRE_OVERLAP_S + RETIRE_RETRY_S);
	assert_int_equal(softadmin_has(world.admin, old), !c->goes && !c->damaged);
	(void)close_lab(&lab);
}

/* Another one's was replaced, and serves for its overlap: the note of that is overwritten. */
static void
a_key_of_an_overlap(void **state)
{
	struct lab *l = *state;
	uint8_t old[KEY_ID_LEN];

	memcpy(old, l->key_id, KEY_ID_LEN);
	put_elsewhere(l, true);
	install(l, "0bb");
	end_beta(l, now);
	for (unsigned i = 0; i < 5; i++)
		(void)works_chores(&l->works, now + i);
	assert_true(softadmin_has(world.admin, old));
	for (unsigned i = 0; i < 4; i++)
		(void)works_chores(&l->works, now + CREDENTIAL_BEFORE_S + i * RETIRE_RETRY_S);
	assert_false(softadmin_has(world.admin, old));
	assert_int_equal(recorded("key_kept"), 0);
	assert_int_equal(recorded("key_retired"), 1);
}

enum { MANY_TENANTS = OFFBOARD_STEP + 4 };

static size_t
looked_at(struct lab *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->works.offboards.len; i++)
		n += l->works.offboards.item[i].through;
	return n;
}

/* However many end at once, a turn of it has its end, and each gets its turn. */
static void
a_turn_has_an_end(void **state)
{
	struct lab *l = *state;
	char name[16], body[64];

	for (unsigned i = 0; i < MANY_TENANTS; i++) {
		snprintf(name, sizeof name, "many%02u", i);
		bworld_tenant(name, "numbers = { \"14045550100\" }\n");
	}
	restart(l, now);
	for (unsigned i = 0; i < MANY_TENANTS; i++) {
		struct fault f = { 0 };

		snprintf(name, sizeof name, "many%02u", i);
		snprintf(body, sizeof body, "{\"confirm\":\"%s\"}", name);
		assert_int_equal(
		    by_command(l, HAND_OFFBOARD, name, body, now, NULL, &f), RC_OK);
	}
	(void)works_chores(&l->works, now);
	assert_int_equal(looked_at(l), OFFBOARD_STEP);
	assert_true(
	    works_due_s(&l->works) <= now); /* the rest at once, and with it the others */
	(void)works_chores(&l->works, now);
	assert_int_equal(looked_at(l), MANY_TENANTS);
	assert_int_equal(recorded("offboard_revoked"), MANY_TENANTS);
	for (unsigned i = 0; i < MANY_TENANTS; i++) {
		snprintf(name, sizeof name, "many%02u", i);
		bworld_tenant(name, NULL);
	}
}

/* A renewer that answers what nobody asked has nothing looked at. */
static void
an_answer_to_nothing(void **state)
{
	struct lab *l = *state;
	json_auto_t *done = NULL;

	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now);
	(void)works_chores(&l->works, now);
	assert_true(l->works.offboard_at_s > now);
	done = asks_told(&l->works, "no errand of ours", true, NULL, NULL);
	assert_string_not_equal(asks_reason(done), "");
	assert_true(l->works.offboard_at_s > now);
	answered(l, NULL);
	assert_true(l->works.offboard_at_s <= now);
}

static struct wrong_case {
	const char *name;
	enum hand kind;
	const char *body, *reason;
} wrongs[] = {
	{ "by another name", HAND_OFFBOARD, "{\"confirm\":\"beta\"}", "invalid_member" },
	{ "for no reason", HAND_OFFBOARD, "{" CONFIRM ",\"reason\":\"boredom\"}",
	    "invalid_member" },
	{ "by nobody", HAND_OFFBOARD, "{" CONFIRM ",\"by\":\"ca\"}", "invalid_member" },
	{ "the end without a beginning", HAND_DESTROY_KEYS, "{" CONFIRM "}", "not_found" },
	{ "the end by another name", HAND_DESTROY_KEYS, "{\"confirm\":\"\"}",
	    "invalid_member" },
	{ "back from nowhere", HAND_TAKE_BACK, NULL, "not_found" },
	{ "what is not", HAND_OFFBOARDING, NULL, "not_found" },
};

static void
wrong(void **state)
{
	const struct wrong_case *c = *state;
	void *lab = NULL;

	(void)open_lab(&lab);
	refused(lab, c->kind, c->body, c->reason);
	assert_true(is_served(lab));
	assert_int_equal(store_mtime(RECORD), 0);
	(void)close_lab(&lab);
}

static void
of_nobody(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };

	assert_int_equal(
	    by_command(l, HAND_OFFBOARD, "gamma", "{\"confirm\":\"gamma\"}", now, NULL, &f),
	    RC_NOT_FOUND);
	assert_string_equal(f.reason, "not_found");
}

/* Asked again, it goes on as it was asked first. */
static void
twice(void **state)
{
	struct lab *l = *state;

	revoked(l);
	good(l, HAND_OFFBOARD, "{" CONFIRM ",\"by\":\"key\"}", now);
	is_in(l, "revoked", now);
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
	good(l, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
	until_destroyed(l, now);
	good(l, HAND_OFFBOARD, "{" CONFIRM "}", now);
	is_in(l, "destroyed", now);
	assert_int_equal(recorded("offboard"), 1);
	assert_int_equal(recorded("offboard_confirmed"), 1);
}

/* The disk fails at each call: what was confirmed is so after a restart, and goes on. */
static void
whole_or_not_at_all(void **state)
{
	bool through = false;

	(void)state;
	for (unsigned at = 1; !through; at++) {
		void *lab = NULL;
		struct fault f = { 0 };
		enum rc rc;

		(void)open_lab(&lab);
		crash_arm(CRASH_FAIL, at);
		rc = by_command(lab, HAND_OFFBOARD, "acme", "{" CONFIRM "}", now, NULL, &f);
		(void)works_chores(&((struct lab *)lab)->works, now);
		through = crash_calls() < at;
		crash_arm(CRASH_NONE, 0);
		restart(lab, now);
		assert_int_equal(is_served(lab), rc != RC_OK);
		revoked(lab);
		crash_arm(CRASH_FAIL, at);
		rc = by_command(lab, HAND_DESTROY_KEYS, "acme", "{" CONFIRM "}", now, NULL, &f);
		for (unsigned i = 0; i < 6; i++)
			(void)works_chores(&((struct lab *)lab)->works, now + i);
		through = through && crash_calls() < at;
		crash_arm(CRASH_NONE, 0);
		restart(lab, now);
		assert_false(is_served(lab));
		good(lab, HAND_DESTROY_KEYS, "{" CONFIRM "}", now);
		until_destroyed(lab, now + RETIRE_RETRY_S);
		assert_false(softadmin_has(world.admin, ((struct lab *)lab)->key_id));
		(void)close_lab(&lab);
	}
}

/* Nothing is signed again before that is on disk, and what is refused has not happened. */
static void
back_or_not_at_all(void **state)
{
	bool through = false;

	(void)state;
	for (unsigned at = 1; !through; at++) {
		void *lab = NULL;
		struct fault f = { 0 };
		enum rc rc;

		(void)open_lab(&lab);
		revoked(lab);
		crash_arm(CRASH_FAIL, at);
		rc = by_command(lab, HAND_TAKE_BACK, "acme", NULL, now, NULL, &f);
		through = crash_calls() < at;
		crash_arm(CRASH_NONE, 0);
		assert_int_equal(is_served(lab), rc == RC_OK);
		assert_int_equal(recorded("offboard_taken_back"), rc == RC_OK);
		restart(lab, now);
		assert_int_equal(is_served(lab), rc == RC_OK);
		(void)close_lab(&lab);
	}
}

/* ---- the record ---- */

static bool
is_taken(struct span text)
{
	struct offboarding o;

	return offboarding_decode(text, &o, NULL) == RC_OK;
}

#define FILE_OF(state, reason, by, more) \
	"{\"by\":\"" by "\",\"confirmed\":0,\"ended\":0,\"noted\":false,\"reason\":" reason \
	",\"since\":1,\"state\":\"" state "\"" more "}"

static void
the_record(void **state)
{
	static const char *const bad[] = { "", "{}", "[]", "null",
		FILE_OF("over", "5", "account", ""), FILE_OF("revoked", "2", "account", ""),
		FILE_OF("revoked", "5", "ca", ""), FILE_OF("revoked", "\"5\"", "account", ""),
		FILE_OF("revoked", "5", "account", ",\"more\":1"),
		FILE_OF("revoked", "5", "account", ",\"since\":2"),
		FILE_OF("revoked", "5,\"since\":-1", "account", ""),
		FILE_OF("revoked", "-5", "account", "") };

	(void)state;
	no_prefix_is_taken(is_taken, span_str(FILE_OF("destroying", "5", "key", "")));
	(void)survives_bit_flips(is_taken, span_str(FILE_OF("destroying", "5", "key", "")));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(is_taken(span_str(bad[i])));
}

static void
the_record_again(void **state)
{
	const struct lab *l = *state;
	const struct config *c = l->works.set->config;

	for (unsigned i = 0; i < OFFBOARDING__COUNT; i++) {
		struct offboarding o = { .state = i, .reason = 5, .since_s = 1 }, back;

		offboarding_name(&o, "acme");
		o.by_key = i % 2 != 0;
		o.noted = i > 2;
		o.confirmed_s = 2;
		o.ended_s = 3;
		assert_int_equal(offboarding_write(c, &o, NULL), RC_OK);
		assert_int_equal(offboarding_read(c, "acme", &back, NULL), RC_OK);
		assert_string_equal(back.tenant, "acme");
		assert_int_equal(back.state, i);
		assert_int_equal(back.by_key, o.by_key);
		assert_int_equal(back.noted, o.noted);
		assert_int_equal(back.reason, 5);
		assert_int_equal(
		    back.since_s + 10 * back.confirmed_s + 100 * back.ended_s, 321);
	}
}

#define LAB(f) cmocka_unit_test_setup_teardown(f, open_lab, close_lab)

int
main(void)
{
	struct CMUnitTest tests[56] = {
		LAB(the_whole_way),
		LAB(it_stays_so),
		LAB(nothing_is_ordered),
		LAB(all_are_revoked),
		LAB(over_is_over),
		LAB(over_by_a_wrong_clock),
		LAB(outstanding_by_a_wrong_clock),
		LAB(unreadable_chains),
		LAB(moved_within_a_round),
		cmocka_unit_test_setup_teardown(by_hand_alone, open_by_hand, close_lab),
		LAB(without_the_ca),
		LAB(patience),
		LAB(taken_back),
		LAB(begins_anew),
		LAB(disabled_before),
		LAB(others_go_on),
		LAB(not_configured_any_more),
		LAB(unplaced),
		LAB(a_damaged_record),
		LAB(without_the_token),
		LAB(without_its_file),
		LAB(beside_an_odd_file),
		LAB(one_serial_twice),
		LAB(unpublished),
		LAB(a_note_that_guessed),
		LAB(a_key_of_two),
		LAB(a_key_of_perhaps_two),
		LAB(keys_in_doubt),
		LAB(a_key_of_an_overlap),
		LAB(a_turn_has_an_end),
		LAB(an_answer_to_nothing),
		LAB(of_nobody),
		LAB(twice),
		cmocka_unit_test(whole_or_not_at_all),
		cmocka_unit_test(back_or_not_at_all),
		cmocka_unit_test(the_record),
		LAB(the_record_again),
	};
	size_t n = 0;

	while (tests[n].test_func != NULL)
		n++;
	ROWS(tests, n, wrongs, wrong);
	ROWS(tests, n, boths, both_end);
	ROWS(tests, n, reneweds, renewed);
	return _cmocka_run_group_tests("offboard", tests, n, NULL, NULL);
}
