/* revoke: out of force at once and for good, what the renewer is given for it, and nothing else */
#include "agent/front/revoke.h"

#include <stdio.h>

#include "agent/front/acme_ops.h"
#include "agent/front/hand.h"
#include "agent/front/history.h"
#include "agent/front/install.h"
#include "agent/front/ops.h"
#include "agent/front/pending.h"
#include "agent/front/retire.h"
#include "agent/front/store.h"
#include "agent/front/want.h"
#include "stir/b64.h"
#include "stir/jtext.h"
#include "tests/unit/asks.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/crash.h"
#include "tests/unit/rows.h"

#define CURRENT "state/front/tenants/acme/main/current.pem"
#define BEFORE	"state/front/tenants/acme/main/before-a.pem"

static const int64_t now = PKI_NOW;
static struct bworld world;

struct lab {
	struct works works;
	struct credset_place at;
	uint8_t point[P256_POINT_LEN]; /* of the key that was certified last */
};

static const char acme[] =
    "numbers = { \"12025550100\" }\n" BWORLD_DELEGATE("atis-delegate", "");
static const char rekeyed[] =
    "numbers = { \"12025550100\" }\n" BWORLD_DELEGATE("atis-delegate", "rekey = \"never\"");
static const char by_hand[] =
    "numbers = { \"12025550100\" }\n"
    "credential \"main\" { profile = \"atis-delegate\" token = \"main\"\n"
    "  x5u = \"https://127.1.2.3:8443/certs/\" }\n";

static const struct credential *
present(const struct lab *l)
{
	return credset_credential(l->works.set, l->at);
}

static void
start(struct lab *l)
{
	bworld_works(&world, &l->works, now);
	assert_true(credset_find(l->works.set, "acme", "main", &l->at));
}

static void
restart(struct lab *l)
{
	works_done(&l->works);
	start(l);
}

static enum rc
request(struct lab *l, struct pending *p, struct fault *f)
{
	const struct config_tenant *t = &l->works.set->config->tenant[l->at.tenant];
	AUTO_WANT want = WANT_INIT;

	TRY(want_of(t, credset_config(l->works.set, l->at), &want, f));
	return pending_make(&l->works, l->at, buf_view(&want.tnauth_der),
	    buf_view(&want.constraints_der), now, p, f);
}

static void
install(struct lab *l, const char *serial)
{
	AUTO_BUF pem = BUF_INIT(65536);
	const struct credential *c = NULL;
	AUTO_PENDING p = { 0 };
	struct fault f = { 0 };
	int64_t again_s = 0;

	if (request(l, &p, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	memcpy(l->point, p.facts.point, P256_POINT_LEN);
	bworld_issue(&world, &pem,
	    &(struct bworld_cert){ .point = p.facts.point,
		.tnauth = buf_view(&p.facts.tnauth_der),
		.serial = serial,
		.not_before_s = now - 60,
		.not_after_s = now + 43200 + (int64_t)strlen(serial) });
	if (install_chain(&l->works, l->at, &(struct install_offer){ .pem = buf_view(&pem) },
		now, &again_s, &c, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
}

static int
open_lab(void **state)
{
	struct lab *l = calloc(1, sizeof *l);

	bworld_open(&world);
	bworld_tenant("acme", acme);
	start(l);
	install(l, "0a");
	*state = l;
	return 0;
}

static int
close_lab(void **state)
{
	struct lab *l = *state;

	bworld_done(&world, &l->works);
	free(l);
	return 0;
}

/* ---- asking, as the two sockets do ---- */

static enum rc
revoke_it(struct lab *l, const char *body, json_t **result, struct fault *f)
{
	json_auto_t *asked = NULL, *out = json_object();
	struct hand_call call = {
		.w = &l->works, .tenant = "acme", .name = "main", .now_s = now
	};
	enum rc rc;

	if (body != NULL)
		assert_int_equal(jtext_read(span_str(body), &asked, NULL), RC_OK);
	call.body = asked;
	rc = hand_run(HAND_REVOKE, &call, out, f);
	json_decref(call.event);
	if (result != NULL)
		*result = rc == RC_OK ? json_incref(out) : NULL;
	return rc;
}

static void
revoke_good(struct lab *l, const char *body)
{
	struct fault f = { 0 };

	if (revoke_it(l, body, NULL, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
}

/* The payload names the certificate octet for octet. */
static void
expect_certificate(const json_t *payload, const struct cert *leaf)
{
	AUTO_BUF der = BUF_INIT(65536);

	assert_int_equal(
	    b64_decode(&der, B64_URL, span_str(asks_text(payload, "certificate")), NULL),
	    RC_OK);
	assert_true(span_eq(buf_view(&der), span_of(leaf->der, leaf->der_len)));
}

static void
make_account(struct lab *l)
{
	json_auto_t *answer =
	    asks_op(&l->works, json_pack("{s:s, s:s}", "op", "account", "ca", "lab"));

	assert_string_equal(asks_reason(answer), "");
}

static const char *
problem(struct lab *l, char detail[CREDENTIAL_PROBLEM_MAX])
{
	return credential_revocation(credset_credential(l->works.set, l->at), detail);
}

/* ---- the tests ---- */

static void
by_the_account(void **state)
{
	struct lab *l = *state;
	struct credential *was = credential_ref(credset_credential(l->works.set, l->at));
	json_auto_t *errand = NULL, *jws = NULL, *header = NULL, *payload = NULL;
	char detail[CREDENTIAL_PROBLEM_MAX];

	make_account(l);
	revoke_good(l, "{\"reason\":\"keyCompromise\"}");
	assert_int_equal(present(l)->state, CREDENTIAL_REVOKED);
	assert_string_equal(present(l)->why.reason, "revoked");
	assert_string_equal(problem(l, detail), "revocation_outstanding");
	assert_non_null(strstr(detail, "revocation outstanding"));
	errand = asks_errand(&l->works, 0);
	assert_string_equal(asks_text(errand, "resource"), "revokeCert");
	assert_string_equal(asks_text(errand, "ca"), "lab");
	assert_true(json_is_true(json_object_get(errand, "kid")));
	jws = asks_jws(&l->works, asks_text(errand, "id"), "lab", ASKS_KID, ASKS_URL);
	asks_open(jws, accounts_find(&l->works.accounts, "lab")->point, &header, &payload);
	assert_string_equal(asks_text(header, "kid"), ASKS_KID);
	assert_null(json_object_get(header, "jwk"));
	assert_int_equal(json_object_size(payload), 2);
	assert_int_equal(json_integer_value(json_object_get(payload, "reason")), 1);
	expect_certificate(payload, was->chain->cert[0]);
	credential_release(was);
}

/* RFC 8555 s7.6: jwk, not kid; and "unspecified" is no reason at all. */
static void
by_its_own_key(void **state)
{
	struct lab *l = *state;
	json_auto_t *errand = NULL, *jws = NULL, *header = NULL, *payload = NULL;
	uint8_t point[P256_POINT_LEN];

	revoke_good(l, "{\"by\":\"key\"}");
	errand = asks_errand(&l->works, 0);
	assert_true(json_is_false(json_object_get(errand, "kid")));
	jws = asks_jws(&l->works, asks_text(errand, "id"), "lab", NULL, ASKS_URL);
	asks_open(jws, l->point, &header, &payload);
	assert_null(json_object_get(header, "kid"));
	assert_int_equal(jwk_point(json_object_get(header, "jwk"), point, NULL), RC_OK);
	assert_memory_equal(point, l->point, P256_POINT_LEN);
	/* Sent to newAccount, it opens none (section 7.3.1). */
	assert_true(json_is_true(json_object_get(payload, "onlyReturnExisting")));
	assert_int_equal(json_object_size(payload), 2);
}

static void
survives(void **state)
{
	struct lab *l = *state;
	json_auto_t *before = NULL, *after = NULL, *none = NULL, *done = NULL;
	char detail[CREDENTIAL_PROBLEM_MAX];

	revoke_good(l, NULL);
	before = asks_errand(&l->works, 0);
	restart(l);
	assert_int_equal(present(l)->state, CREDENTIAL_REVOKED);
	after = asks_errand(&l->works, 0);
	assert_true(json_equal(before, after));
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	assert_int_equal(present(l)->state, CREDENTIAL_REVOKED);
	assert_string_equal(problem(l, detail), "revocation_outstanding");
	done = asks_told(&l->works, asks_text(after, "id"), true, NULL, NULL);
	assert_string_equal(asks_reason(done), "");
	assert_null(problem(l, detail));
	restart(l);
	assert_int_equal(present(l)->state, CREDENTIAL_REVOKED);
	assert_null(problem(l, detail));
	none = asks_errand(&l->works, 0);
	assert_int_equal(json_object_size(none), 0);
}

/* What the CA says is shown; a refusal ends it until an operator asks again. */
static void
refused_by_the_ca(void **state)
{
	struct lab *l = *state;
	json_auto_t *errand = NULL, *none = NULL, *again = NULL, *a = NULL, *b = NULL;
	char detail[CREDENTIAL_PROBLEM_MAX];

	revoke_good(l, NULL);
	errand = asks_errand(&l->works, 0);
	a = asks_told(
	    &l->works, asks_text(errand, "id"), false, "http_failed", "connection refused");
	assert_string_equal(asks_reason(a), "");
	assert_string_equal(problem(l, detail), "revocation_outstanding");
	assert_non_null(strstr(detail, "http_failed: connection refused"));
	b = asks_told(
	    &l->works, asks_text(errand, "id"), true, "acme_unauthorized", "not\nyours");
	assert_string_equal(asks_reason(b), "");
	assert_string_equal(problem(l, detail), "revocation_refused");
	assert_null(strchr(detail, '\n'));
	none = asks_errand(&l->works, 0);
	assert_int_equal(json_object_size(none), 0);
	assert_int_equal(present(l)->state, CREDENTIAL_REVOKED);
	revoke_good(l, "{\"by\":\"key\"}");
	again = asks_errand(&l->works, 0);
	assert_true(json_is_false(json_object_get(again, "kid")));
	assert_string_equal(asks_text(again, "id"), asks_text(errand, "id"));
}

/* n outstanding ones of a CA, in the works alone. */
static void
wait_in_line(struct lab *l, const char *ca, size_t n)
{
	struct works_revoked *list = &l->works.revoked;
	struct revocation *item = calloc(list->len + n, sizeof *item);

	assert_non_null(item);
	if (list->len > 0)
		memcpy(item, list->item, list->len * sizeof *item);
	free(list->item);
	list->item = item;
	list->cap = list->len + n;
	for (; list->len < list->cap; list->len++) {
		struct revocation *r = &item[list->len];

		r->state = REVOCATION_OUTSTANDING;
		snprintf(r->id, sizeof r->id, "%064zx", list->len);
		snprintf(r->ca, sizeof r->ca, "%s", ca);
	}
}

static size_t
listed_of(const json_t *answer, const char *ca)
{
	const json_t *row;
	size_t i, n = 0;

	json_array_foreach (json_object_get(answer, "errands"), i, row)
		n += strcmp(asks_text(row, "ca"), ca) == 0;
	return n;
}

/* What one CA does not answer for does not hide what another is to be asked. */
static void
a_ca_hides_no_other(void **state)
{
	struct lab *l = *state;
	struct config_ca *ca = l->works.set->config->ca;
	json_auto_t *answer = NULL, *later = NULL;

	assert_string_equal(ca[0].name, "lab");
	wait_in_line(l, "lab", 300);
	wait_in_line(l, "gone", 300);
	wait_in_line(l, "second", 3);
	wait_in_line(l, "named", 40);
	wait_in_line(l, "second", 3);
	answer = asks_op(&l->works, json_pack("{s:s}", "op", "errands"));
	assert_int_equal(listed_of(answer, "lab"), ACME_ERRANDS_OF_CA);
	assert_int_equal(listed_of(answer, "second"), 6);
	assert_int_equal(listed_of(answer, "named"), ACME_ERRANDS_OF_CA);
	assert_int_equal(listed_of(answer, "gone"), 0);
	/* It is no ACME any more: nobody would ask it. */
	ca[0].issuer = ISSUER_HAND;
	later = asks_op(&l->works, json_pack("{s:s}", "op", "errands"));
	ca[0].issuer = ISSUER_ACME;
	assert_int_equal(listed_of(later, "lab"), 0);
	assert_int_equal(listed_of(later, "second"), 6);
}

/* Nothing is signed that nobody asked for, whatever a taken-over renewer says. */
static void
only_what_was_asked(void **state)
{
	struct lab *l = *state;
	static const char nobody[] =
	    "0000000000000000000000000000000000000000000000000000000000000000";
	char id[CREDENTIAL_FINGERPRINT];
	struct {
		const char *id, *ca, *kid, *url, *reason;
	} rows[] = {
		{ nobody, "lab", ASKS_KID, ASKS_URL, "no_errand" },
		{ "../../accounts/lab", "lab", ASKS_KID, ASKS_URL, "no_errand" },
		{ id, "second", ASKS_KID, ASKS_URL, "no_errand" },
		{ id, "lab", NULL, ASKS_URL, "invalid_member" },
		{ id, "lab", ASKS_KID, "https://other.example/x", "acme_origin" },
		{ id, "lab", "https://other.example/a/1", ASKS_URL, "acme_origin" },
		{ id, "lab", ASKS_KID, ASKS_URL, "" },
	};
	json_auto_t *over = NULL, *done = NULL, *again = NULL, *unknown = NULL;
	size_t signatures;

	make_account(l);
	signatures = softadmin_signatures(world.admin);
	assert_int_equal(revocation_id(present(l)->chain->cert[0], id, NULL), RC_OK);
	over = asks_jws(&l->works, id, "lab", ASKS_KID, ASKS_URL); /* not asked for yet */
	assert_string_equal(asks_reason(over), "no_errand");
	unknown = asks_told(&l->works, id, true, NULL, NULL);
	assert_string_equal(asks_reason(unknown), "no_errand");
	assert_int_equal(present(l)->state, CREDENTIAL_READY);
	revoke_good(l, NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_auto_t *jws =
		    asks_jws(&l->works, rows[i].id, rows[i].ca, rows[i].kid, rows[i].url);

		if (strcmp(rows[i].reason, "acme_origin") == 0)
			assert_false(json_is_true(json_object_get(jws, "ok")));
		else
			assert_string_equal(asks_reason(jws), rows[i].reason);
	}
	done = asks_told(&l->works, id, true, NULL, NULL);
	again = asks_jws(&l->works, id, "lab", ASKS_KID, ASKS_URL);
	assert_string_equal(asks_reason(again), "no_errand");
	assert_int_equal(softadmin_signatures(world.admin), signatures + 1);
}

/* Nothing is planned, requested, ordered or put in force before an operator says so. */
static void
waits_for_the_operator(void **state)
{
	struct lab *l = *state;
	json_auto_t *none = NULL, *csr = NULL, *chain = NULL, *planned = NULL;
	AUTO_BUF tnauth = BUF_INIT(4096), b64 = BUF_INIT(4096);
	struct fault f = { 0 };

	revoke_good(l, NULL);
	restart(l);
	none = asks_op(&l->works, json_pack("{s:s}", "op", "plan"));
	assert_int_equal(json_array_size(json_object_get(none, "credentials")), 0);
	bworld_tnauth(&tnauth, "12025550100");
	b64_encode(&b64, B64_URL, buf_view(&tnauth));
	csr = asks_op(
	    &l->works, json_pack("{s:s, s:s, s:s, s:s, s:n}", "op", "csr", "tenant", "acme",
			   "name", "main", "tnauthlist", buf_text(&b64), "constraints"));
	assert_string_equal(asks_reason(csr), "revoked");
	chain = asks_op(&l->works, json_pack("{s:s, s:s, s:s, s:s}", "op", "install", "tenant",
				       "acme", "name", "main", "chain", "x"));
	assert_string_equal(asks_reason(chain), "revoked");
	assert_int_equal(revoke_release(&l->works, l->at, &f), RC_OK);
	restart(l); /* the operator's word is on disk */
	planned = asks_op(&l->works, json_pack("{s:s}", "op", "plan"));
	assert_int_equal(json_array_size(json_object_get(planned, "credentials")), 1);
	install(l, "0b");
	assert_int_equal(present(l)->state, CREDENTIAL_READY);
	restart(l);
	assert_int_equal(present(l)->state, CREDENTIAL_READY);
}

/* Another token in the configuration, and it has another name. */
static const char in_two[] =
    "numbers = { \"12025550100\" }\n"
    "credential \"main\" { profile = \"atis-delegate\" token = { \"main\", \"second\" }\n"
    "  ca = \"lab\" authority = \"numbers\" x5u = \"https://127.1.2.3:8443/certs/\"\n"
    "  publish_dir = \"www\" }\n";

static bool
is_planned(struct lab *l, const char *name)
{
	json_auto_t *plan = asks_op(&l->works, json_pack("{s:s}", "op", "plan"));
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(plan, "credentials"), i, row) {
		if (strcmp(asks_text(row, "name"), name) == 0)
			return true;
	}
	return false;
}

static void
waits_under_another_name(void **state)
{
	struct lab *l = *state;
	AUTO_BUF conf = BUF_INIT(65536);
	struct fault f = { 0 };
	int64_t late_s = now + 43200 + 2 + REVOKE_KEPT_S + 1;
	json_auto_t *done = NULL;
	char id[CREDENTIAL_FINGERPRINT];

	assert_int_equal(store_read("vesperd.conf", 65536, &conf, NULL), RC_OK);
	buf_str(&conf, "token \"second\" { module = \"/usr/lib/softhsm/libsofthsm2.so\"\n"
		       "label = \"v2\" pin = \"file:pin\" lock_file = \"second.lock\" }\n");
	bworld_file("vesperd.conf", buf_text(&conf));
	restart(l);
	revoke_good(l, NULL);
	memcpy(id, l->works.revoked.item[0].id, sizeof id);
	bworld_tenant("acme", in_two);
	for (unsigned i = 0; i < 2; i++) { /* at a reload and at a start */
		if (i == 0)
			assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
		else
			bworld_works(&world, &l->works, now);
		assert_true(credset_find(l->works.set, "acme", "main.main", &l->at));
		assert_int_equal(present(l)->state, CREDENTIAL_REVOKED);
		assert_string_equal(present(l)->fingerprint, id);
		assert_int_equal(revoke_check(&l->works, l->at, &f), RC_DENIED);
		assert_false(is_planned(l, "main.main"));
		if (i == 0)
			works_done(&l->works);
	}
	/* It is not forgotten before it is released. */
	done = asks_told(&l->works, id, true, NULL, NULL);
	(void)revoke_due(&l->works, late_s);
	assert_int_equal(l->works.revoked.len, 1);
	assert_int_equal(revoke_release(&l->works, l->at, &f), RC_OK);
	assert_int_equal(revoke_check(&l->works, l->at, &f), RC_OK);
	assert_true(is_planned(l, "main.main"));
	(void)revoke_due(&l->works, late_s);
	assert_int_equal(l->works.revoked.len, 1); /* nor while it stands in force on disk */
}

/* A request that is outstanding with the same key would bring the key back. */
static void
its_key_does_not_come_back(void **state)
{
	struct lab *l = *state;
	uint8_t revoked[P256_POINT_LEN];
	AUTO_PENDING p = { 0 };
	struct fault f = { 0 };

	bworld_tenant("acme", rekeyed);
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	memcpy(revoked, l->point, P256_POINT_LEN);
	assert_int_equal(request(l, &p, &f), RC_OK);
	assert_memory_equal(p.facts.point, revoked, P256_POINT_LEN);
	revoke_good(l, "{\"reason\":\"keyCompromise\"}");
	assert_int_equal(revoke_release(&l->works, l->at, &f), RC_OK);
	install(l, "0b");
	assert_memory_not_equal(l->point, revoked, P256_POINT_LEN);
}

/* A request that cannot be looked at is said, and does not keep the certificate in force. */
static void
a_request_that_cannot_be_read(void **state)
{
	static const char request[] = "state/front/tenants/acme/main/pending.csr";
	struct lab *l = *state;
	char detail[CREDENTIAL_PROBLEM_MAX];
	struct fault f = { 0 };

	assert_int_equal(symlink("elsewhere", request), 0);
	assert_int_equal(revoke_it(l, NULL, NULL, &f), RC_IO);
	assert_int_equal(present(l)->state, CREDENTIAL_REVOKED);
	assert_string_equal(problem(l, detail), "revocation_outstanding");
	/* Also once its CA has done it. */
	l->works.revoked.item[0].state = REVOCATION_DONE;
	assert_int_equal(revoke_it(l, NULL, NULL, &f), RC_IO);
	world.publish_rc = RC_TIMEOUT;
	assert_int_equal(unlink(request), 0);
	revoke_good(l, NULL); /* there is nothing left to put out of force */
}

/* It may be that neither can be done: the certificate is tried again at once. */
static void
neither_at_once(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };

	assert_int_equal(symlink("elsewhere", "state/front/tenants/acme/main/pending.csr"), 0);
	world.publish_rc = RC_TIMEOUT;
	assert_int_equal(revoke_it(l, NULL, NULL, &f), RC_TIMEOUT);
	assert_int_equal(present(l)->state, CREDENTIAL_READY);
	assert_true(works_due_s(&l->works) <= now + REVOKE_RETRY_S);
	world.publish_rc = RC_OK;
	(void)works_chores(&l->works, now + REVOKE_RETRY_S);
	assert_int_equal(present(l)->state, CREDENTIAL_REVOKED);
}

/* The key that is to sign it stays until its CA has answered, also over a restart. */
static void
its_key_stays_until_it_is_asked(void **state)
{
	struct lab *l = *state;
	static const int64_t due_s = PKI_NOW + RETIRE_OVERLAP_S;
	uint8_t key_id[KEY_ID_LEN];
	json_auto_t *errand = NULL, *jws = NULL, *done = NULL;
	struct fault f = { 0 };

	memcpy(key_id, present(l)->key_id, KEY_ID_LEN);
	revoke_good(l, "{\"by\":\"key\"}");
	assert_int_equal(revoke_release(&l->works, l->at, &f), RC_OK);
	install(l, "0bb");
	assert_memory_not_equal(present(l)->key_id, key_id, KEY_ID_LEN);
	(void)retire_due(&l->works, due_s);
	assert_true(softadmin_has(world.admin, key_id));
	restart(l);
	assert_int_equal(retire_due(&l->works, due_s), due_s + RETIRE_RETRY_S);
	assert_true(softadmin_has(world.admin, key_id));
	errand = asks_errand(&l->works, 0);
	jws = asks_jws(&l->works, asks_text(errand, "id"), "lab", NULL, ASKS_URL);
	assert_string_equal(asks_reason(jws), "");
	done = asks_told(&l->works, asks_text(errand, "id"), true, NULL, NULL);
	(void)retire_due(&l->works, due_s + RETIRE_RETRY_S);
	assert_false(softadmin_has(world.admin, key_id));
}

/* One that its account asks for needs no key of its own. */
static void
its_key_goes_by_the_account(void **state)
{
	struct lab *l = *state;
	uint8_t key_id[KEY_ID_LEN];
	struct fault f = { 0 };

	memcpy(key_id, present(l)->key_id, KEY_ID_LEN);
	revoke_good(l, "{\"by\":\"key\"}");
	revoke_good(l, "{\"by\":\"account\"}");
	assert_int_equal(revoke_release(&l->works, l->at, &f), RC_OK);
	install(l, "0bb");
	(void)retire_due(&l->works, now + RETIRE_OVERLAP_S);
	assert_false(softadmin_has(world.admin, key_id));
}

/* The one before it still signed what is dated before the renewal: not any more. */
static void
of_the_one_before(void **state)
{
	struct lab *l = *state;
	AUTO_BUF pem = BUF_INIT(65536);
	json_auto_t *result = NULL;
	const struct credential *c = NULL;
	AUTO_PENDING p = { 0 };
	struct fault f = { 0 };
	int64_t again_s = 0;

	assert_int_equal(request(l, &p, &f), RC_OK);
	bworld_issue(&world, &pem,
	    &(struct bworld_cert){ .point = p.facts.point,
		.tnauth = buf_view(&p.facts.tnauth_der),
		.serial = "0b",
		.not_before_s = now,
		.not_after_s = now + 50000 });
	assert_int_equal(
	    install_chain(&l->works, l->at, &(struct install_offer){ .pem = buf_view(&pem) },
		now, &again_s, &c, &f),
	    RC_OK);
	assert_non_null(credset_before(l->works.set, l->at, now));
	assert_int_equal(revoke_it(l, "{\"serial\":\"0A\"}", &result, &f), RC_OK);
	assert_string_equal(asks_text(result, "serial"), "a");
	assert_null(credset_before(l->works.set, l->at, now));
	assert_int_equal(present(l)->state, CREDENTIAL_READY);
	assert_int_equal(revoke_check(&l->works, l->at, &f), RC_OK);
}

/* No CA is asked: an operator is told to. */
static void
by_hand_alone(void **state)
{
	struct lab *l = *state;
	json_auto_t *result = NULL, *none = NULL;
	char detail[CREDENTIAL_PROBLEM_MAX];
	struct fault f = { 0 };

	bworld_tenant("acme", by_hand);
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	assert_int_equal(present(l)->state, CREDENTIAL_READY);
	assert_int_equal(revoke_it(l, NULL, &result, &f), RC_OK);
	assert_string_equal(asks_text(result, "state"), "apart");
	assert_int_equal(present(l)->state, CREDENTIAL_REVOKED);
	assert_string_equal(problem(l, detail), "revocation_apart");
	none = asks_errand(&l->works, 0);
	assert_int_equal(json_object_size(none), 0);
}

/* What is not told to the loop in time is out of force all the same, as soon as it can be. */
static void
not_in_force_at_once(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };

	world.publish_rc = RC_TIMEOUT;
	assert_int_equal(revoke_it(l, NULL, NULL, &f), RC_TIMEOUT);
	assert_int_equal(present(l)->state, CREDENTIAL_READY);
	assert_true(works_due_s(&l->works) <= now + REVOKE_RETRY_S);
	assert_true(revoke_due(&l->works, now) == now + REVOKE_RETRY_S);
	world.publish_rc = RC_OK;
	assert_true(revoke_due(&l->works, now) == now + REVOKE_SWEEP_S);
	assert_int_equal(present(l)->state, CREDENTIAL_REVOKED);
}

static void
a_damaged_record(void **state)
{
	struct lab *l = *state;
	char path[160];
	static const char *const damaged[] = { "", "{}", "{\"tenant\":\"acme\"}", "[1]" };

	revoke_good(l, NULL);
	snprintf(path, sizeof path, "state/front/revoked/%s.json", l->works.revoked.item[0].id);
	for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
		bworld_file(path, damaged[i]);
		restart(l);
		assert_int_equal(l->works.revoked.len, 0);
		assert_int_equal(present(l)->state, CREDENTIAL_REVOKED);
	}
}

/* Over for a day, and nothing waits for it: forgotten, with its files. */
static void
forgotten_at_last(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };
	int64_t late_s = now + 43200 + 2 + REVOKE_KEPT_S + 1;
	json_auto_t *done = NULL;
	char id[CREDENTIAL_FINGERPRINT];

	revoke_good(l, NULL);
	memcpy(id, l->works.revoked.item[0].id, sizeof id);
	(void)revoke_due(&l->works, late_s);
	assert_int_equal(l->works.revoked.len, 1); /* outstanding */
	done = asks_told(&l->works, id, true, NULL, NULL);
	(void)revoke_due(&l->works, late_s);
	assert_int_equal(l->works.revoked.len, 1); /* nothing is ordered in its place yet */
	assert_int_equal(revoke_release(&l->works, l->at, &f), RC_OK);
	(void)revoke_due(&l->works, late_s);
	assert_int_equal(l->works.revoked.len, 1); /* it is what stands in force on disk */
	assert_int_equal(rename(CURRENT, BEFORE), 0);
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	(void)revoke_due(&l->works, late_s);
	assert_int_equal(l->works.revoked.len, 1);
	assert_int_equal(store_remove(BEFORE, NULL), RC_OK);
	(void)revoke_due(&l->works, late_s - 1);
	assert_int_equal(l->works.revoked.len, 1);
	(void)revoke_due(&l->works, late_s);
	assert_int_equal(l->works.revoked.len, 0);
	assert_false(revocation_there(l->works.set->config, id));
}

/* A clock that jumped ahead and back: what was revoked by an operator stays so. */
static void
not_by_a_doubted_clock(void **state)
{
	struct lab *l = *state;
	struct fault f = { 0 };
	int64_t late_s = now + 43200 + 2 + REVOKE_KEPT_S + 1;
	json_auto_t *done = NULL;
	char id[CREDENTIAL_FINGERPRINT];

	revoke_good(l, NULL);
	memcpy(id, l->works.revoked.item[0].id, sizeof id);
	done = asks_told(&l->works, id, true, NULL, NULL);
	assert_int_equal(revoke_release(&l->works, l->at, &f), RC_OK);
	/* The tenant is taken out of the configuration for a while; believed, and yet wrong. */
	bworld_tenant("acme", NULL);
	bworld_tenant(
	    "beta", "numbers = { \"13035550100\" }\n" BWORLD_DELEGATE("atis-delegate", ""));
	assert_int_equal(works_load(&l->works, late_s, NULL), RC_OK);
	works_clock_set(&l->works);
	(void)works_chores(&l->works, late_s);
	assert_int_equal(l->works.revoked.len, 1);
	bworld_tenant("acme", acme);
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	assert_true(credset_find(l->works.set, "acme", "main", &l->at));
	assert_int_equal(present(l)->state, CREDENTIAL_REVOKED);
	/* Nothing has it: as long as the clock is doubted it stays all the same. */
	assert_int_equal(store_remove(CURRENT, NULL), RC_OK);
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	l->works.clock_holds = true;
	works_clock_set(&l->works);
	(void)works_chores(&l->works, late_s);
	assert_int_equal(l->works.revoked.len, 1);
	l->works.clock_holds = false;
	works_clock_set(&l->works);
	(void)works_chores(&l->works, late_s);
	assert_int_equal(l->works.revoked.len, 0);
}

/* ---- what was in force ---- */

static json_t *
history_of(struct lab *l, const char *member, int64_t at_s, struct fault *f)
{
	struct hand_call call = {
		.w = &l->works, .tenant = "acme", .name = "main", .now_s = at_s
	};
	json_auto_t *out = json_object();

	if (hand_run(HAND_HISTORY, &call, out, f) != RC_OK)
		return NULL;
	return json_incref(json_object_get(out, member));
}

static json_t *
history(struct lab *l, int64_t at_s, struct fault *f)
{
	return history_of(l, "certificates", at_s, f);
}

/* One that was never in force: the CA's word about it is told all the same. */
static void
of_one_that_was_refused(void **state)
{
	struct lab *l = *state;
	json_auto_t *none = NULL, *others = NULL, *after = NULL, *errand = NULL, *done = NULL;
	AUTO_BUF pem = BUF_INIT(65536), tnauth = BUF_INIT(4096);
	const json_t *row;

	bworld_tnauth(&tnauth, "12025550100");
	bworld_issue(&world, &pem,
	    &(struct bworld_cert){
		.point = l->point, .tnauth = buf_view(&tnauth), .serial = "77" });
	bworld_file("state/front/tenants/acme/main/refused-77.pem", buf_text(&pem));
	none = history_of(l, "others", now, NULL);
	assert_int_equal(json_array_size(none), 0);
	revoke_good(l, "{\"serial\":\"77\"}");
	assert_int_equal(present(l)->state, CREDENTIAL_READY);
	others = history_of(l, "others", now, NULL);
	assert_int_equal(json_array_size(others), 1);
	row = json_array_get(others, 0);
	assert_string_equal(asks_text(row, "serial"), "77");
	row = json_object_get(row, "revocation");
	assert_string_equal(asks_text(row, "state"), "outstanding");
	errand = asks_errand(&l->works, 0);
	done = asks_told(&l->works, asks_text(errand, "id"), true, NULL, NULL);
	assert_string_equal(asks_reason(done), "");
	after = history_of(l, "others", now, NULL);
	row = json_object_get(json_array_get(after, 0), "revocation");
	assert_string_equal(asks_text(row, "state"), "done");
}

static void
expect_entry(const json_t *list, size_t n, const char *serial, const char *end)
{
	const json_t *row = json_array_get(list, n);

	assert_string_equal(asks_text(row, "serial"), serial);
	assert_string_equal(asks_text(row, "end"), end);
}

static void
what_was_in_force(void **state)
{
	struct lab *l = *state;
	json_auto_t *one = NULL, *two = NULL, *late = NULL, *three = NULL;
	char key[2 * KEY_ID_LEN + 1];
	struct fault f = { 0 };

	one = history(l, now, &f);
	assert_int_equal(json_array_size(one), 1);
	expect_entry(one, 0, "a", "in_force");
	works_hex(present(l)->key_id, KEY_ID_LEN, key);
	assert_string_equal(asks_text(json_array_get(one, 0), "key"), key);
	install(l, "0bb");
	restart(l); /* no credential before is in memory any more */
	two = history(l, now, &f);
	assert_int_equal(json_array_size(two), 2);
	expect_entry(two, 0, "bb", "in_force");
	expect_entry(two, 1, "a", "replaced");
	late = history(l, now + 100000, &f);
	expect_entry(late, 0, "bb", "expired");
	expect_entry(late, 1, "a", "replaced");
	/* Of the one before the file is kept: it can be revoked still. */
	revoke_good(l, "{\"serial\":\"a\"}");
	assert_int_equal(present(l)->state, CREDENTIAL_READY);
	revoke_good(l, "{\"reason\":\"superseded\"}");
	three = history(l, now, &f);
	expect_entry(three, 0, "bb", "revoked");
	expect_entry(three, 1, "a", "revoked");
	assert_string_equal(
	    asks_text(json_object_get(json_array_get(three, 0), "revocation"), "reason"),
	    "superseded");
}

static enum rc
count(void *arg, const char *name, struct fault *f)
{
	(void)f;
	*(unsigned *)arg += strncmp(name, "before-", 7) == 0;
	return RC_OK;
}

static void
history_is_bounded(void **state)
{
	struct lab *l = *state;
	json_auto_t *list = NULL;
	char serial[64] = "1";
	unsigned files = 0;
	struct fault f = { 0 };

	for (unsigned i = 0; i < HISTORY_KEPT + 3; i++) {
		/* Longer is later: install() says so. */
		snprintf(serial, sizeof serial, "%0*x", (int)i + 3, i + 16);
		install(l, serial);
	}
	list = history(l, now, &f);
	assert_int_equal(json_array_size(list), HISTORY_KEPT);
	assert_int_equal(store_each("state/front/tenants/acme/main", count, &files, &f), RC_OK);
	assert_int_equal(files, INSTALL_REFUSED_KEPT);
}

/* Nothing is decided by it: it is said, and begins anew. */
static void
a_damaged_history(void **state)
{
	static const char *const damaged[] = { "", "{}", "[{}]", "[1]", "[{\"id\":\"x\"}]" };
	struct lab *l = *state;
	json_auto_t *after = NULL;

	for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
		struct fault f = { 0 };

		bworld_file("state/front/tenants/acme/main/history.json", damaged[i]);
		assert_null(history(l, now, &f));
		assert_string_equal(f.reason, "history_file");
	}
	install(l, "0bb");
	after = history(l, now, NULL);
	assert_int_equal(json_array_size(after), 2);
	expect_entry(after, 1, "a", "replaced");
}

static struct wrong_case {
	const char *name, *body;
	enum rc rc;
	const char *reason;
} wrong_cases[] = {
	{ "a CA's reason", "{\"reason\":\"cACompromise\"}", RC_INVALID, "invalid_member" },
	{ "a hold", "{\"reason\":\"certificateHold\"}", RC_INVALID, "invalid_member" },
	{ "a number", "{\"reason\":\"1\"}", RC_INVALID, "invalid_member" },
	{ "no reason", "{\"reason\":\"\"}", RC_INVALID, "invalid_member" },
	{ "by nobody", "{\"by\":\"\"}", RC_INVALID, "invalid_member" },
	{ "by others", "{\"by\":\"ca\"}", RC_INVALID, "invalid_member" },
	{ "another serial", "{\"serial\":\"0b\"}", RC_NOT_FOUND, "no_certificate" },
	{ "serial zero", "{\"serial\":\"00\"}", RC_NOT_FOUND, "no_certificate" },
	{ "no serial", "{\"serial\":\"../../x\"}", RC_INVALID, "invalid_member" },
	{ "a long serial", "{\"serial\":\"112233445566778899001122334455667788990011\"}",
	    RC_INVALID, "invalid_member" },
};

static void
wrong(void **state)
{
	const struct wrong_case *c = *state;
	struct fault f = { 0 };
	void *lab = NULL;

	(void)open_lab(&lab);
	assert_int_equal(revoke_it(lab, c->body, NULL, &f), c->rc);
	assert_string_equal(f.reason, c->reason);
	assert_int_equal(present(lab)->state, CREDENTIAL_READY);
	assert_int_equal(((struct lab *)lab)->works.revoked.len, 0);
	(void)close_lab(&lab);
}

/* The disk fails at each call: it is in force as before, or on record and out of force. */
static void
whole_or_not_at_all(void **state)
{
	bool through = false;

	(void)state;
	for (unsigned at = 1; !through; at++) {
		struct fault f = { 0 };
		void *lab = NULL;
		enum rc rc;

		(void)open_lab(&lab);
		crash_arm(CRASH_FAIL, at);
		rc = revoke_it(lab, NULL, NULL, &f);
		through = crash_calls() < at;
		crash_arm(CRASH_NONE, 0);
		assert_true(!through || rc == RC_OK);
		restart(lab);
		assert_true(rc != RC_OK || present(lab)->state == CREDENTIAL_REVOKED);
		assert_true(present(lab)->state == CREDENTIAL_READY ||
			    present(lab)->state == CREDENTIAL_REVOKED);
		revoke_good(lab, NULL);
		assert_int_equal(present(lab)->state, CREDENTIAL_REVOKED);
		(void)close_lab(&lab);
	}
}

#define LAB(f) cmocka_unit_test_setup_teardown(f, open_lab, close_lab)

int
main(void)
{
	struct CMUnitTest tests[48] = {
		LAB(by_the_account),
		LAB(by_its_own_key),
		LAB(survives),
		LAB(refused_by_the_ca),
		LAB(a_ca_hides_no_other),
		LAB(only_what_was_asked),
		LAB(waits_for_the_operator),
		LAB(waits_under_another_name),
		LAB(its_key_does_not_come_back),
		LAB(a_request_that_cannot_be_read),
		LAB(neither_at_once),
		LAB(its_key_stays_until_it_is_asked),
		LAB(its_key_goes_by_the_account),
		LAB(of_the_one_before),
		LAB(by_hand_alone),
		LAB(not_in_force_at_once),
		LAB(a_damaged_record),
		LAB(forgotten_at_last),
		LAB(not_by_a_doubted_clock),
		LAB(of_one_that_was_refused),
		LAB(what_was_in_force),
		LAB(history_is_bounded),
		LAB(a_damaged_history),
		cmocka_unit_test(whole_or_not_at_all),
	};
	size_t n = 0;

	while (tests[n].test_func != NULL)
		n++;
	ROWS(tests, n, wrong_cases, wrong);
	return _cmocka_run_group_tests("revoke", tests, n, NULL, NULL);
}
