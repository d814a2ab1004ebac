/* reserve: which of two signs, that it is on disk before it holds, and that nothing else decides it */
#include "agent/front/reserve.h"

#include <stdio.h>
#include <sys/stat.h>

#include "agent/front/alarms.h"
#include "agent/front/decide.h"
#include "agent/front/hand.h"
#include "agent/front/store.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/crash.h"
#include "tests/unit/rows.h"
#include "tests/unit/spec.h"

enum { USER = 1000 };

#define RECORD	"state/front/failover/acme/main.json"
#define NUMBERS "numbers = { \"12025550100\" } allow_user = { \"1000\" }\n"
#define SPARE(more) \
	"credential \"spare\" { profile = \"atis-delegate\" token = \"main\" ca = " \
	"\"second\"\n" \
	"  authority = \"numbers\" x5u = \"https://127.1.2.3:8443/certs/\"\n" \
	"  publish_dir = \"www\" reserve_for = \"main\"\n" more " }\n"
#define PAIR NUMBERS BWORLD_DELEGATE("atis-delegate", "") SPARE("")
#define DIVIDED \
	NUMBERS BWORLD_DELEGATE("atis-delegate", "") SPARE("numbers_per_certificate = 1")
#define TWO_PARTS \
	"numbers = { \"12025550100\", \"12025550101\" } allow_user = { \"1000\" " \
	"}\n" BWORLD_DELEGATE("atis-delegate", "") SPARE("numbers_per_certificate = 1")
#define NO_SPARE NUMBERS BWORLD_DELEGATE("atis-delegate", "")

static const int64_t now = PKI_NOW;

struct lab {
	struct bworld world;
	struct works works;
	uint8_t point[2][P256_POINT_LEN]; /* of main, of spare */
};

static void
put_cert(struct lab *l, const char *name, unsigned key, int64_t not_after_s)
{
	AUTO_BUF list = BUF_INIT(4096);
	struct bworld_cert spec = { .point = l->point[key], .not_after_s = not_after_s };
	char path[128];

	snprintf(path, sizeof path, "state/front/tenants/acme/%s/current.pem", name);
	bworld_tnauth(&list, "12025550100");
	spec.tnauth = buf_view(&list);
	spec.serial = key == 0 ? "10" : "11";
	bworld_put(&l->world, path, &spec);
}

static int
open_lab(void **state)
{
	struct lab *l = calloc(1, sizeof *l);

	assert_non_null(l);
	for (size_t i = 0; i < ARRAY_LEN(l->point); i++) {
		AUTO_OSSL(EVP_PKEY) *key = pki_p256();

		assert_int_equal(p256_point(key, l->point[i], NULL), RC_OK);
	}
	bworld_open(&l->world);
	bworld_tenant("acme", PAIR);
	put_cert(l, "main", 0, 0);
	put_cert(l, "spare", 1, 0);
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
reload(struct lab *l, const char *inside)
{
	bworld_tenant("acme", inside);
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
}

/* ---- who signs ---- */

static bool
key_ready(void *arg, unsigned token, const uint8_t key_id[KEY_ID_LEN])
{
	(void)arg;
	(void)token;
	(void)key_id;
	return true;
}

/* The credential's name, or the reason. */
static const char *
signer(const struct lab *l, const char *asked, int64_t at_s)
{
	static char said[64];
	const struct caller who = { .uid = USER, .gid = 5 };
	struct caller_view view = { 0 };
	json_auto_t *claims =
	    json_of("{'orig':{'tn':'12025550100'},'dest':{'tn':['12125550111']}}");
	struct sign_request r = { .claims = claims, .credential = asked, .request_id = "t" };
	struct policy *policy = NULL;
	struct decision d = { 0 };
	struct fault f = { 0 };
	struct decide_world w = { .set = l->works.set,
		.caller = &who,
		.view = caller_see(&who, l->works.set, &view),
		.key_ready = key_ready,
		.now_s = at_s };

	assert_int_equal(policy_new(&policy, NULL), RC_OK);
	assert_int_equal(policy_adopt(policy, l->works.set, 0, NULL), RC_OK);
	w.policy = policy;
	snprintf(said, sizeof said, "%s",
	    decide(&w, &r, &d, &f) == RC_OK ? d.config->name : f.reason);
	decide_done(&d);
	policy_free(policy);
	return said;
}

static enum rc
ask_for(struct lab *l, bool over, json_t *result, struct fault *f)
{
	json_auto_t *body = json_pack("{s:s}", "credential", "main");
	struct hand_call call = {
		.w = &l->works, .tenant = "acme", .body = body, .now_s = now
	};

	return hand_run(over ? HAND_FAILOVER : HAND_FAILBACK, &call, result, f);
}

static void
go(struct lab *l, bool over, const char *reason)
{
	json_auto_t *result = json_object();
	struct fault f = { 0 };
	enum rc rc = ask_for(l, over, result, &f);

	assert_string_equal(rc == RC_OK ? "" : f.reason, reason);
	if (rc != RC_OK)
		return;
	assert_int_equal(json_is_true(json_object_get(result, "failed_over")), over);
	assert_int_equal(json_integer_value(json_object_get(result, "since")), over ? now : 0);
	assert_string_equal(json_string_value(json_object_get(result, "reserve")), "spare");
}

static unsigned
audited(const struct lab *l, const char *event)
{
	const json_t *line;
	unsigned n = 0;
	size_t i;

	json_array_foreach (l->world.audit, i, line)
		n += strcmp(json_string_value(json_object_get(line, "event")), event) == 0;
	return n;
}

static bool
recorded(void)
{
	return access(RECORD, F_OK) == 0;
}

static const struct choice_case {
	const char *asked;
	bool over;
	const char *signer; /* or the reason */
} choices[] = {
	{ NULL, false, "main" },
	{ "main", false, "main" },
	{ "spare", false, "no_credential" },
	{ NULL, true, "spare" },
	{ "main", true, "spare" }, /* it is called by what it stands in for */
	{ "spare", true, "spare" },
	{ "other", true, "no_credential" },
};

/* D-59: of the two one comes into question */
static void
one_of_two(void **state)
{
	struct lab *l = *state;

	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		go(l, choices[i].over, "");
		assert_string_equal(signer(l, choices[i].asked, now), choices[i].signer);
	}
	assert_int_equal(audited(l, "failover"), 1); /* said again it is no news */
	assert_int_equal(audited(l, "failback"), 0);
	go(l, false, "");
	assert_string_equal(signer(l, NULL, now), "main");
	assert_int_equal(audited(l, "failback"), 1);
}

/* D-59: of both the certificates end; who signs is not decided by that. */
static void
nothing_else_decides(void **state)
{
	struct lab *l = *state;

	put_cert(l, "main", 0, now + 60);
	reload(l, PAIR);
	assert_string_equal(signer(l, NULL, now + 61), "credential_expired");
	assert_string_equal(signer(l, "spare", now + 61), "no_credential");
	go(l, true, "");
	assert_string_equal(signer(l, NULL, now + 61), "spare");
	put_cert(l, "main", 0, 0);
	put_cert(l, "spare", 1, now + 60);
	reload(l, PAIR);
	assert_string_equal(signer(l, NULL, now + 61), "credential_expired");
	assert_string_equal(signer(l, NULL, now), "spare");
}

static void
lasts(void **state)
{
	struct lab *l = *state;
	struct credset_place at = { 0 };
	struct credential *c = NULL;

	go(l, true, "");
	assert_true(recorded());
	reload(l, PAIR);
	assert_string_equal(signer(l, NULL, now), "spare");
	restart(l);
	assert_string_equal(signer(l, NULL, now), "spare");
	/* And with a certificate that is put in force later. */
	assert_true(credset_find(l->works.set, "acme", "main", &at));
	assert_int_equal(credential_new("acme", "main", CREDENTIAL_PENDING, &c, NULL), RC_OK);
	assert_int_equal(works_change(&l->works, at, c, NULL), RC_OK);
	assert_true(credset_stands_by(l->works.set, at));
	restart(l);
	go(l, false, "");
	assert_false(recorded());
	restart(l);
	assert_string_equal(signer(l, NULL, now), "main");
}

static const char *const damaged[] = { "", "{", "{}", "{\"since\":0}", "{\"since\":\"1\"}",
	"{\"since\":1,\"x\":1}", "[1]" };

/* That it is there is what it says. */
static void
unreadable(void **state)
{
	struct lab *l = *state;

	go(l, true, "");
	for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
		bworld_file(RECORD, damaged[i]);
		reload(l, PAIR);
		assert_string_equal(signer(l, NULL, now), "spare");
		restart(l);
		assert_string_equal(signer(l, NULL, now), "spare");
	}
	go(l, false, "");
	assert_false(recorded());
	/* One that serves is not taken away by what a disk says later. */
	bworld_file(RECORD, "{");
	reload(l, PAIR);
	assert_string_equal(signer(l, NULL, now), "main");
}

static void
unwritable(void **state)
{
	struct lab *l = *state;

	assert_int_equal(store_remove("state/front/failover", NULL), RC_OK);
	bworld_file("state/front/failover", "in the way");
	go(l, true, "io");
	assert_string_equal(signer(l, NULL, now), "main");
	assert_int_equal(audited(l, "failover"), 0);
	restart(l); /* what cannot be told is no fail-over */
	assert_string_equal(signer(l, NULL, now), "main");
	bworld_file("state/front/failover", NULL);
	go(l, true, "");
}

/* The disk fails at the at-th call, of which there are fewer: true. */
static bool
half_way(struct lab *l, bool over, unsigned at)
{
	json_auto_t *result = json_object();
	struct fault f = { 0 };
	const char *want;
	bool through;

	crash_arm(CRASH_FAIL, at);
	want = (ask_for(l, over, result, &f) == RC_OK) == over ? "spare" : "main";
	through = crash_calls() < at;
	crash_arm(CRASH_NONE, 0);
	assert_string_equal(signer(l, NULL, now), want);
	restart(l);
	assert_string_equal(signer(l, NULL, now), want);
	go(l, over, "");
	return through;
}

/* The disk fails at each call: what is refused has not happened, now nor after a restart. */
static void
whole_or_not_at_all(void **state)
{
	struct lab *l = *state;
	bool through = false;

	for (unsigned at = 1; !through; at++) {
		through = half_way(l, true, at);
		through = half_way(l, false, at) && through;
	}
}

/* What has no certificate, or one that is over, is gone over to by nobody. */
static void
to_what_cannot_sign(void **state)
{
	struct lab *l = *state;

	put_cert(l, "spare", 1, now - 1);
	reload(l, PAIR);
	go(l, true, "no_credential");
	assert_false(recorded());
	assert_string_equal(signer(l, NULL, now), "main");
	put_cert(l, "spare", 1, 0);
	put_cert(l, "main", 0, now - 1);
	reload(l, PAIR);
	go(l, true, "");
	go(l, false, "no_credential");
	assert_true(recorded());
	assert_string_equal(signer(l, NULL, now), "spare");
}

static void
divided(void **state)
{
	struct lab *l = *state;

	reload(l, DIVIDED);
	go(l, true, "no_credential"); /* that of spare is not spare.1's */
	put_cert(l, "spare.1", 1, 0);
	reload(l, DIVIDED);
	go(l, true, "");
	assert_string_equal(signer(l, NULL, now), "spare.1");
	assert_string_equal(signer(l, "main", now), "spare.1");
	assert_string_equal(signer(l, "spare", now), "spare.1");
	assert_string_equal(signer(l, "spare.1", now), "spare.1");
	go(l, false, "");
	assert_string_equal(signer(l, "spare.1", now), "no_credential");
	assert_string_equal(signer(l, "spare", now), "no_credential");
	assert_string_equal(signer(l, NULL, now), "main");
}

/* Who has the set of the moment before sees nothing of it: neither both nor nobody. */
static void
all_at_once(void **state)
{
	struct lab *l = *state;

	for (unsigned i = 0; i < 2; i++) {
		AUTO_CREDSET *before = credset_ref(l->works.set), *after = NULL;
		unsigned published = l->world.published;

		go(l, i == 0, "");
		assert_ptr_not_equal(l->works.set, before);
		assert_int_equal(l->world.published, published + 1);
		after = l->works.set;
		l->works.set = before;
		assert_string_equal(signer(l, NULL, now), i == 0 ? "main" : "spare");
		assert_string_equal(signer(l, "main", now), i == 0 ? "main" : "spare");
		l->works.set = after;
		after = NULL;
		assert_string_equal(signer(l, NULL, now), i == 0 ? "spare" : "main");
		go(l, i == 0, ""); /* it is so: nothing is published */
		assert_int_equal(l->world.published, published + 1);
	}
}

/* What could not be put in force is not so after a restart either. */
static void
not_in_force(void **state)
{
	struct lab *l = *state;

	for (unsigned i = 0; i < 2; i++) {
		const char *now_signs = i == 0 ? "main" : "spare";

		l->world.publish_rc = RC_TIMEOUT;
		go(l, i == 0, "hsm_unavailable");
		l->world.publish_rc = RC_OK;
		assert_string_equal(signer(l, NULL, now), now_signs);
		assert_int_equal(recorded(), i == 1);
		assert_int_equal(audited(l, i == 0 ? "failover" : "failback"), 0);
		restart(l);
		assert_string_equal(signer(l, NULL, now), now_signs);
		go(l, i == 0, "");
	}
}

/* Years later another pair of these names begins anew. */
static void
goes_with_the_pair(void **state)
{
	struct lab *l = *state;

	go(l, true, "");
	reload(l, NO_SPARE);
	assert_string_equal(signer(l, NULL, now), "main");
	assert_false(recorded());
	reload(l, PAIR);
	assert_string_equal(signer(l, NULL, now), "main");
	go(l, true, "");
	bworld_tenant("acme", NULL);
	restart(l);
	assert_false(recorded());
}

static const struct refused_case {
	const char *tenant, *name;
	enum rc rc;
	const char *reason;
} refusals[] = {
	{ "acme", "spare", RC_CONFLICT, "conflict" },
	{ "acme", "none", RC_NOT_FOUND, "not_found" },
	{ "acme", "", RC_NOT_FOUND, "not_found" },
	{ "acme", "../main", RC_NOT_FOUND, "not_found" },
	{ "other", "main", RC_NOT_FOUND, "not_found" },
};

static void
of_no_pair(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		json_auto_t *result = json_object();

		f = (struct fault){ 0 };
		assert_int_equal(reserve_switch(&l->works, refusals[i].tenant, refusals[i].name,
				     true, now, result, &f),
		    refusals[i].rc);
		assert_string_equal(f.reason, refusals[i].reason);
		assert_int_equal(json_object_size(result), 0);
	}
	reload(l, NO_SPARE);
	f = (struct fault){ 0 };
	assert_int_equal(
	    reserve_switch(&l->works, "acme", "main", true, now, NULL, &f), RC_CONFLICT);
	assert_string_equal(f.reason, "conflict");
}

/* ---- alarms ---- */

struct heard {
	const char *name; /* of whom */
	char detail[ALARM_DETAIL_MAX];
};

static void
remember(void *arg, const struct alarm *a, bool begins)
{
	struct heard *h = arg;

	if (begins && strcmp(a->name, h->name) == 0)
		snprintf(h->detail, sizeof h->detail, "%s", a->detail);
}

/* What the operator of a lapsing credential is told: which way to go, NULL for none. */
static const char *
told(const struct lab *l, const char *name, int64_t at_s)
{
	struct alarms *a = NULL;
	struct heard h = { .name = name };

	assert_int_equal(alarms_new(remember, &h, &a, NULL), RC_OK);
	while (!alarms_look(a, l->works.set, at_s)) {
	}
	alarms_free(a);
	assert_true(h.detail[0] != 0);
	if (strstr(h.detail, "vesper tenant failover acme/main") != NULL)
		return "over";
	return strstr(h.detail, "vesper tenant failback acme/main") != NULL ? "back" : "";
}

static void
alarms_name_it(void **state)
{
	struct lab *l = *state;
	struct credset_place at = { 0 };

	put_cert(l, "main", 0, now + 60);
	reload(l, PAIR);
	assert_string_equal(told(l, "main", now + 59), "over");
	assert_string_equal(told(l, "main", now + 61), "over");
	assert_true(credset_find(l->works.set, "acme", "spare", &at));
	atomic_store(&credset_credential(l->works.set, at)->rtu_stop_at_s, now);
	assert_string_equal(told(l, "main", now + 61), ""); /* it may not sign */
	atomic_store(&credset_credential(l->works.set, at)->rtu_stop_at_s, 0);
	go(l, true, "");
	assert_string_equal(told(l, "main", now + 61), ""); /* it is done */
	put_cert(l, "spare", 1, now + 60);
	put_cert(l, "main", 0, 0);
	reload(l, PAIR);
	assert_string_equal(told(l, "spare", now + 61), "back");
	go(l, false, "");
	assert_string_equal(told(l, "spare", now + 61), "");
	put_cert(l, "main", 0, now + 60);
	reload(l, PAIR);
	assert_string_equal(told(l, "main", now + 61), ""); /* it would be of no use */
	reload(l, NO_SPARE);
	assert_string_equal(told(l, "main", now + 61), "");
}

/* The command would be refused: one of two certificates is not in force. */
static void
alarms_name_what_works(void **state)
{
	struct lab *l = *state;

	put_cert(l, "main", 0, now + 60);
	put_cert(l, "spare.1", 1, 0);
	reload(l, TWO_PARTS);
	assert_string_equal(signer(l, "spare.1", now), "no_credential"); /* it stands by */
	go(l, true, "no_credential");
	assert_string_equal(told(l, "main", now + 61), "");
	reload(l, DIVIDED);
	assert_string_equal(told(l, "main", now + 61), "over");
	go(l, true, "");
}

/* At a start, before anything is judged: whoever asks for the one that signs has to wait. */
static void
while_loading(void **state)
{
	struct lab *l = *state;
	struct accounts accounts = { 0 };
	struct load_rest rest = { 0 };
	AUTO_CREDSET *set = NULL;
	struct credset_place at = { 0 };

	go(l, true, "");
	assert_int_equal(
	    load_first("vesperd.conf", 0, now, &set, &accounts, &rest, NULL), RC_OK);
	for (; at.credential < 2; at.credential++) {
		const struct config_credential *cc = credset_config(set, at);

		assert_int_equal(credset_credential(set, at)->state, CREDENTIAL_LOADING);
		assert_int_equal(credset_stands_by(set, at), strcmp(cc->name, "main") == 0);
	}
	accounts_done(&accounts);
	load_rest_done(&rest);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_of_two, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(nothing_else_decides, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(lasts, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(unreadable, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(unwritable, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(whole_or_not_at_all, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(to_what_cannot_sign, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(divided, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(all_at_once, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(not_in_force, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(goes_with_the_pair, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(of_no_pair, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(alarms_name_it, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(alarms_name_what_works, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(while_loading, open_lab, close_lab),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
