/* rtu, fetch: what an authority refuses, grants again and answers; what the renewer may say of it */
#include "agent/front/rtu.h"

#include <stdio.h>

#include "agent/front/alarms.h"
#include "agent/front/fetch.h"
#include "agent/front/hand.h"
#include "agent/front/plan.h"
#include "agent/front/store.h"
#include "stir/b64.h"
#include "stir/jtext.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"

#define FILE_PATH "state/front/rtu/acme.main.json"
#define CHAIN	  "state/front/tenants/acme/main/current.pem"
#define TENANT(more) \
	"numbers = { \"12025550100\" }\n" more "\n" BWORLD_DELEGATE("atis-delegate", "")
#define WIDER \
	"numbers = { \"12025550100\", \"12025550101\" } on_rtu_refused = " \
	"\"stop\"\n" BWORLD_DELEGATE("atis-delegate", "")
#define STOP	   TENANT("on_rtu_refused = \"stop\"")
#define STOP_AFTER TENANT("on_rtu_refused = \"stop_after\" rtu_stop_after_s = 600")
#define CLAIMS	   "eyJ4IjoxfQ"

static const int64_t now = PKI_NOW;
static int64_t asked_s = PKI_NOW;

struct lab {
	struct bworld world;
	struct works works;
	struct credset_place at;
	EVP_PKEY *authority;
	X509 *signer;
	char fingerprint[FINGERPRINT_TEXT];
};

static json_t *
ask(struct lab *l, json_t *msg)
{
	return bworld_ask(&l->works, msg, asked_s);
}

static void
expect(struct lab *l, const char *reason, json_t *msg)
{
	json_auto_t *answer = ask(l, msg);
	const char *got = json_string_value(json_object_get(answer, "reason"));

	if (strcmp(json_is_true(json_object_get(answer, "ok")) ? "" : got, reason) != 0)
		fail_msg("'%s' instead of '%s': %s", got, reason,
		    json_string_value(json_object_get(answer, "detail")));
}

static json_t *
word(const char *name, const char *token, const char *detail)
{
	return json_pack("{s:s, s:s, s:s, s:s?, s:n, s:s?}", "op", "rtu", "tenant", "acme",
	    "name", name, "token", token, "signer", "detail", detail);
}

static void
refuse_at(struct lab *l, int64_t at_s)
{
	asked_s = at_s;
	expect(l, "", word("main", NULL, "HTTP 403"));
	asked_s = now;
}

/* And confirmed, just now. */
static void
refuse(struct lab *l)
{
	refuse_at(l, now - RTU_CONFIRM_S);
	refuse_at(l, now);
}

static void
start(struct lab *l, int64_t now_s)
{
	bworld_works(&l->world, &l->works, now_s);
	assert_true(credset_find(l->works.set, "acme", "main", &l->at));
}

static void
configure(struct lab *l, const char *inside)
{
	bworld_tenant("acme", inside);
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
}

static int
open_lab(void **state)
{
	struct lab *l = calloc(1, sizeof *l);
	AUTO_BUF list = BUF_INIT(4096);
	struct bworld_cert spec = { .serial = "10" };
	json_auto_t *account = NULL;

	assert_non_null(l);
	bworld_open(&l->world);
	bworld_tenant("acme", STOP);
	bworld_tnauth(&list, "12025550100");
	spec.tnauth = buf_view(&list);
	bworld_put(&l->world, CHAIN, &spec);
	start(l, now);
	account = ask(l, json_pack("{s:s, s:s}", "op", "account", "ca", "lab"));
	snprintf(l->fingerprint, sizeof l->fingerprint, "%s",
	    json_string_value(json_object_get(account, "jwk_fingerprint")));
	l->authority = pki_p256();
	l->signer = pki_issue(&(struct pki_spec){ .cn = "TA",
	    .key = l->authority,
	    .issuer = l->world.root,
	    .issuer_key = l->world.root_key });
	*state = l;
	return 0;
}

static int
close_lab(void **state)
{
	struct lab *l = *state;

	bworld_done(&l->world, &l->works);
	EVP_PKEY_free(l->authority);
	X509_free(l->signer);
	free(l);
	return 0;
}

/* ---- what signs ---- */

static const char *
may_sign(const struct lab *l, int64_t now_s)
{
	static struct fault f;

	f = (struct fault){ 0 };
	return credential_may_sign(credset_credential(l->works.set, l->at), now_s, &f) == RC_OK
		   ? ""
		   : f.reason;
}

/* Its life goes on by the audit: each word once. */
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

/* ---- a token ---- */

struct token {
	const char *numbers, *type, *fingerprint;
	int64_t exp_s;
	bool stranger, unsigned_;
};

static char *
make_token(const struct lab *l, const struct token *t)
{
	AUTO_BUF der = BUF_INIT(4096), value = BUF_INIT(4096), x5c = BUF_INIT(8192),
		 header = BUF_INIT(8192), jwt = BUF_INIT(16384);
	AUTO_OSSL(EVP_PKEY) *other = pki_p256();
	X509 *cert = l->signer;
	json_auto_t *claims = NULL;
	AUTO_FREE char *text = NULL;

	bworld_tnauth(&der, t->numbers != NULL ? t->numbers : "12025550100");
	b64_encode(&value, B64_URL, buf_view(&der));
	claims = json_pack("{s:I, s:s, s:{s:s, s:s, s:b, s:s}}", "exp",
	    (json_int_t)(t->exp_s != 0 ? t->exp_s : now + 600), "jti", "1", "atc", "tktype",
	    t->type != NULL ? t->type : "TNAuthList", "tkvalue", buf_text(&value), "ca", 0,
	    "fingerprint", t->fingerprint != NULL ? t->fingerprint : l->fingerprint);
	text = json_dumps(claims, JSON_COMPACT);
	pki_x5c(&x5c, &cert, 1);
	buf_str(&header, "{\"alg\":\"ES256\",\"typ\":\"JWT\",");
	if (t->unsigned_)
		buf_str(&header, "\"x5u\":\"https://a.example/c\"");
	else
		buf_printf(&header, "\"x5c\":%s", buf_text(&x5c));
	buf_str(&header, "}");
	pki_jws(&jwt, buf_text(&header), text, t->stranger ? other : l->authority);
	return strdup(buf_text(&jwt));
}

/* ---- refusals ---- */

static void
policies(void **state)
{
	struct lab *l = *state;
	const struct credential *c;

	refuse(l);
	c = credset_credential(l->works.set, l->at);
	assert_int_equal(c->rtu_refused_at_s, now - RTU_CONFIRM_S);
	assert_string_equal(may_sign(l, now), "rtu_withdrawn");
	configure(l, STOP_AFTER);
	assert_string_equal(may_sign(l, now - RTU_CONFIRM_S + 599), "");
	assert_string_equal(may_sign(l, now - RTU_CONFIRM_S + 600), "rtu_withdrawn");
	configure(l, TENANT(""));
	assert_string_equal(may_sign(l, now + 86400), "");
	c = credset_credential(l->works.set, l->at);
	assert_int_equal(c->rtu_refused_at_s, now - RTU_CONFIRM_S); /* and still an alarm */
	assert_int_equal(audited(l, "rtu_withdrawn"), 1);
	assert_int_equal(audited(l, "rtu_confirmed"), 1);
}

/* One answer is an alarm, however often it is said within a moment; also over a restart. */
static void
once_is_not_enough(void **state)
{
	struct lab *l = *state;

	for (int i = 0; i < RTU_CONFIRM_S; i += 30)
		refuse_at(l, now + i);
	assert_int_equal(credset_credential(l->works.set, l->at)->rtu_refused_at_s, now);
	assert_string_equal(may_sign(l, now + 86400), "");
	assert_int_equal(audited(l, "rtu_confirmed"), 0);
	configure(l, STOP_AFTER);
	assert_string_equal(may_sign(l, now + 86400), "");
	configure(l, STOP);
	works_done(&l->works);
	start(l, now);
	assert_string_equal(may_sign(l, now + 86400), "");
	refuse_at(l, now + RTU_CONFIRM_S);
	assert_string_equal(may_sign(l, now + RTU_CONFIRM_S), "rtu_withdrawn");
	assert_int_equal(audited(l, "rtu_confirmed"), 1);
}

static void
nothing_else_stops(void **state)
{
	struct lab *l = *state;

	expect(l, "",
	    json_pack("{s:s, s:s, s:s, s:n, s:s}", "op", "schedule", "tenant", "acme", "name",
		"main", "renew_at", "problem", "rtu_refused: a word is no refusal"));
	assert_string_equal(may_sign(l, now), "");
	assert_int_equal(audited(l, "rtu_withdrawn"), 0);
}

/* What is refused is more than was ever granted: a wrong addition stops nobody. */
static void
an_addition_is_refused(void **state)
{
	struct lab *l = *state;

	configure(l, WIDER);
	refuse(l);
	assert_string_equal(may_sign(l, now), "");
	assert_int_not_equal(credset_credential(l->works.set, l->at)->rtu_refused_at_s, 0);
	configure(l, STOP);
	assert_string_equal(may_sign(l, now), "");
	refuse(l); /* it is refused without the addition, too */
	assert_string_equal(may_sign(l, now), "rtu_withdrawn");
}

static void
survives(void **state)
{
	struct lab *l = *state;

	refuse(l);
	works_done(&l->works);
	start(l, now + 60);
	assert_string_equal(may_sign(l, now + 60), "rtu_withdrawn");
	assert_int_equal(
	    credset_credential(l->works.set, l->at)->rtu_refused_at_s, now - RTU_CONFIRM_S);
	/* A file that says nothing is no grant. */
	works_done(&l->works);
	assert_int_equal(store_write(FILE_PATH, span_str("{}"), 0600, NULL), RC_OK);
	start(l, now + 90);
	assert_string_equal(may_sign(l, now + 90), "rtu_withdrawn");
	/* Nor is one that is there no more a refusal. */
	works_done(&l->works);
	assert_int_equal(store_remove(FILE_PATH, NULL), RC_OK);
	start(l, now + 90);
	assert_string_equal(may_sign(l, now + 90), "");
}

static void
goes_with_its_credential(void **state)
{
	struct lab *l = *state;
	AUTO_BUF text = BUF_INIT(4096);

	refuse(l);
	bworld_tenant("acme", NULL);
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	assert_int_equal(store_read(FILE_PATH, 4096, &text, NULL), RC_NOT_FOUND);
	configure(l, STOP);
	assert_true(credset_find(l->works.set, "acme", "main", &l->at));
	assert_string_equal(may_sign(l, now), "");
}

/* Not on disk: not acted on. */
static void
unrecorded(void **state)
{
	struct lab *l = *state;

	assert_int_equal(store_write("state/front/rtu", span_str("x"), 0600, NULL), RC_OK);
	expect(l, "io", word("main", NULL, "HTTP 403"));
	assert_string_equal(may_sign(l, now), "");
	assert_int_equal(store_remove("state/front/rtu", NULL), RC_OK);
	refuse(l);
	assert_string_equal(may_sign(l, now), "rtu_withdrawn");
}

/* ---- grants ---- */

static const struct grant_case {
	const char *name;
	struct token token;
	const char *reason;
} grants[] = {
	{ "of other numbers", { .numbers = "12025550199" }, "authtok_numbers" },
	{ "of more", { .numbers = "12025550100,12025550101" }, "authtok_numbers" },
	{ "over", { .exp_s = PKI_NOW - 1 }, "authtoken_expired" },
	{ "another account's", { .fingerprint = "SHA256 00:11" }, "authtoken_fingerprint" },
	{ "signed by somebody", { .stranger = true }, "authtoken_signature" },
	{ "whose signer is not shown", { .unsigned_ = true }, "rtu_not_granted" },
	{ "of constraints", { .type = "JWTClaimConstraints" }, "authtoken_tktype" },
	{ "good", { .numbers = NULL }, "" },
};

static void
granted(void **state)
{
	struct lab *l = *state;
	AUTO_FREE char *unasked = make_token(l, &(struct token){ .numbers = NULL });

	expect(l, "no_errand", word("main", unasked, NULL)); /* nothing is refused */
	refuse(l);
	for (size_t i = 0; i < ARRAY_LEN(grants); i++) {
		AUTO_FREE char *token = make_token(l, &grants[i].token);

		print_message("%s\n", grants[i].name);
		assert_string_equal(may_sign(l, now), "rtu_withdrawn");
		expect(l, grants[i].reason, word("main", token, NULL));
	}
	assert_string_equal(may_sign(l, now), "");
	assert_int_equal(audited(l, "rtu_granted"), 1);
	works_done(&l->works);
	start(l, now);
	assert_string_equal(may_sign(l, now), "");
}

static void
who_may_say_it(void **state)
{
	struct lab *l = *state;

	expect(l, "no_credential", word("other", NULL, "x"));
	expect(l, "invalid_member", word("main", NULL, NULL));
	expect(l, "invalid_member", word("main", "x.y.z", "x"));
	expect(l, "missing_member", json_pack("{s:s, s:s}", "op", "rtu", "tenant", "acme"));
	configure(l, "numbers = { \"12025550100\" } on_rtu_refused = \"stop\"\n"
		     "credential \"main\" { profile = \"atis-delegate\" token = \"main\"\n"
		     "  x5u = \"https://127.1.2.3:8443/certs/\" }\n");
	expect(l, "conflict", word("main", NULL, "it asks nobody"));
	assert_string_equal(may_sign(l, now), "");
}

/* The renewer is told what to show a token for. */
static void
planned(void **state)
{
	struct lab *l = *state;
	json_auto_t *before = ask(l, json_pack("{s:s}", "op", "plan")), *after = NULL;
	const json_t *row = json_array_get(json_object_get(before, "credentials"), 0);

	assert_true(json_is_false(json_object_get(row, "rtu_refused")));
	refuse(l);
	after = ask(l, json_pack("{s:s}", "op", "plan"));
	row = json_array_get(json_object_get(after, "credentials"), 0);
	assert_true(json_is_true(json_object_get(row, "rtu_refused")));
}

/* ---- fetch ---- */

static enum rc
fetch(struct lab *l, uint64_t job, int64_t now_s, const char *kind, json_t **event,
    json_t *result, struct fault *f)
{
	struct fetch_ask a = { "acme", "main", kind, job };
	int64_t again_s = 0;
	enum rc rc = fetch_run(&l->works, &a, now_s, event, &again_s, result, f);

	assert_int_equal(rc == RC_BUSY && f->rc == RC_OK, again_s != 0);
	return rc;
}

static void
fetched(struct lab *l, const char *reason, int id, const char *token, const char *problem)
{
	expect(l, reason,
	    json_pack("{s:s, s:i, s:s?, s:n, s:s?}", "op", "fetched", "fetch", id, "token",
		token, "signer", "problem", problem));
}

static void
reports(void **state)
{
	struct lab *l = *state;
	AUTO_FREE char *good = make_token(l, &(struct token){ .numbers = NULL });
	AUTO_FREE char *bad = make_token(l, &(struct token){ .numbers = "12025550199" });
	json_auto_t *event = NULL, *result = json_object(), *other = json_object();
	json_t *second = NULL, *none = NULL;
	struct fault f = { 0 };
	const char *value;

	assert_int_equal(fetch(l, 7, now, NULL, &event, result, &f), RC_BUSY);
	assert_string_equal(
	    json_string_value(json_object_get(event, "jwk_fingerprint")), l->fingerprint);
	value = json_string_value(json_object_get(json_object_get(event, "want"), "authority"));
	assert_string_equal(value, "numbers");
	assert_int_equal(fetch(l, 8, now, "numbers", &second, other, &f), RC_BUSY);
	json_decref(second);
	fetched(l, "no_errand", 9, good, NULL);
	fetched(l, "no_errand", 0, good, NULL); /* a free place is nobody's */
	fetched(l, "invalid_member", 7, NULL, NULL);
	fetched(l, "invalid_member", 7, good, "x");
	fetched(l, "", 7, good, NULL);
	fetched(l, "no_errand", 7, bad, NULL); /* once */
	fetched(l, "", 8, bad, NULL);
	assert_int_equal(fetch(l, 7, now, NULL, &none, result, &f), RC_OK);
	assert_true(json_is_true(json_object_get(result, "good")));
	assert_null(json_object_get(result, "token"));
	assert_int_equal(fetch(l, 8, now, NULL, &none, other, &f), RC_OK);
	assert_true(json_is_false(json_object_get(other, "good")));
	fetched(l, "no_errand", 7, good, NULL);
	assert_null(none);
}

static const struct stop_case {
	const char *name, *problem;
	int64_t later_s;
	enum rc rc;
	const char *reason;
} stops[] = {
	{ "the authority's refusal", "rtu_refused: it says no", 0, RC_NET, "rtu_refused" },
	{ "no reason", "what is this", 0, RC_NET, "authority" },
	{ "no answer", NULL, FETCH_TIMEOUT_S + 1, RC_TIMEOUT, "authority_timeout" },
};

static void
stands_in_the_way(void **state)
{
	struct lab *l = *state;

	for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
		json_auto_t *event = NULL, *result = json_object();
		json_t *none = NULL;
		struct fault f = { 0 };

		assert_int_equal(fetch(l, i + 1, now, NULL, &event, result, &f), RC_BUSY);
		if (stops[i].problem != NULL)
			fetched(l, "", (int)i + 1, NULL, stops[i].problem);
		assert_int_equal(
		    fetch(l, i + 1, now + stops[i].later_s, NULL, &none, result, &f),
		    stops[i].rc);
		assert_string_equal(f.reason, stops[i].reason);
		assert_int_equal(json_object_size(result), 0);
	}
	assert_string_equal(may_sign(l, now), ""); /* a word in a report stops nobody */
}

static void
cannot_be_asked(void **state)
{
	struct lab *l = *state;
	json_t *none = NULL;
	struct fault f = { 0 };

	assert_int_equal(fetch(l, 1, now, "claims", &none, NULL, &f), RC_CONFLICT);
	f = (struct fault){ 0 };
	assert_int_equal(fetch(l, 1, now, "x", &none, NULL, &f), RC_INVALID);
	for (uint64_t i = 1; i <= WORKS_FETCHES; i++) {
		json_auto_t *event = NULL;

		f = (struct fault){ 0 };
		assert_int_equal(fetch(l, i, now, NULL, &event, NULL, &f), RC_BUSY);
	}
	assert_int_equal(fetch(l, 99, now, NULL, &none, NULL, &f), RC_BUSY);
	assert_string_equal(f.reason, "overloaded");
	assert_null(none);
	/* What nobody asks about any more makes room. */
	f = (struct fault){ 0 };
	assert_int_equal(
	    fetch(l, 99, now + 2 * FETCH_TIMEOUT_S + 1, NULL, &none, NULL, &f), RC_BUSY);
	assert_non_null(none);
	json_decref(none);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(policies, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(once_is_not_enough, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(nothing_else_stops, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(an_addition_is_refused, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(survives, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(goes_with_its_credential, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(unrecorded, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(granted, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(who_may_say_it, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(planned, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(reports, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(stands_in_the_way, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(cannot_be_asked, open_lab, close_lab),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
