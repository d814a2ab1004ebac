/* series: certificates that a CA renews by itself, what ends them, and who is told (RFC 8739) */
#include "agent/front/series.h"

#include <stdio.h>
#include <unistd.h>

#include "agent/front/acme_ops.h"
#include "agent/front/ops.h"
#include "agent/front/revoke.h"
#include "agent/front/store.h"
#include "agent/front/want.h"
#include "stir/b64.h"
#include "stir/jtext.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

#define NUMBERS "numbers = { \"12025550100\", \"12025550110-12025550119\" }\n"
#define SERIES \
	"star_lifetime_s = 3600 star_duration_s = 86400 identity_max_bytes = 8192 min_scts = " \
	"0"
#define ACME  NUMBERS BWORLD_DELEGATE("vesper-06", SERIES)
#define OF    "\"tenant\":\"acme\",\"name\":\"main\""
#define ORDER "https://127.1.2.3:14000/o/1"
#define OTHER "https://127.1.2.3:14000/o/2"
#define ASK(op, url) \
	"{\"id\":1,\"op\":\"" op "\",\"ca\":\"lab\",\"kid\":\"https://127.1.2.3:14000/a/1\"," \
	"\"nonce\":\"abc\",\"url\":\"" url "\""
#define FINALIZE(order) ASK("finalize", "https://127.1.2.3:14000/f") "," OF order "}"

static struct bworld world;
static const int64_t now = PKI_NOW;
static const char star_csr[] = "state/front/tenants/acme/main/star.csr";
static const char pending_csr[] = "state/front/tenants/acme/main/pending.csr";

struct lab {
	struct works works;
	struct credset_place at;
	struct pending request; /* the last */
	int64_t now;		/* of ask(); 0: now */
};

static void
start(struct lab *l)
{
	bworld_works(&world, &l->works, now);
	(void)credset_find(l->works.set, "acme", "main", &l->at);
}

static void
restart(struct lab *l)
{
	works_done(&l->works);
	start(l);
}

static json_t *
ask(struct lab *l, const char *text)
{
	json_auto_t *msg = NULL;
	json_t *out = NULL;
	int64_t again_s;
	struct fault f = { 0 };

	if (jtext_read(span_str(text), &msg, &f) != RC_OK)
		fail_msg("%s: %s", text, f.detail);
	ops_answer(&l->works, msg, l->now != 0 ? l->now : now, &out, &again_s);
	assert_non_null(out);
	return out;
}

/* reason NULL: it is done. */
static void
expect(struct lab *l, const char *text, const char *reason)
{
	json_auto_t *answer = ask(l, text);
	const char *got = json_string_value(json_object_get(answer, "reason"));

	if (json_is_true(json_object_get(answer, "ok")) != (reason == NULL) ||
	    (reason != NULL && strcmp(got, reason) != 0))
		fail_msg("%s: %s instead of %s", text, got, reason);
}

/* What was signed. */
static json_t *
payload(struct lab *l, const char *text)
{
	json_auto_t *answer = ask(l, text);
	const char *b64 =
	    json_string_value(json_object_get(json_object_get(answer, "jws"), "payload"));
	AUTO_BUF plain = BUF_INIT(65536);
	json_t *out = NULL;

	if (b64 == NULL)
		fail_msg("%s: %s", text, json_string_value(json_object_get(answer, "detail")));
	assert_int_equal(b64_decode(&plain, B64_URL, span_str(b64), NULL), RC_OK);
	assert_int_equal(jtext_read(buf_view(&plain), &out, NULL), RC_OK);
	return out;
}

static void
expect_json(const json_t *got, const char *text)
{
	json_auto_t *want = json_loads(text, 0, NULL);

	if (!json_equal(got, want))
		fail_msg("%s", json_dumps(got, JSON_ENCODE_ANY));
}

static void
question(struct lab *l, const char *begin, struct buf *out)
{
	const struct config_tenant *t = &l->works.set->config->tenant[l->at.tenant];
	AUTO_BUF b64 = BUF_INIT(4096);
	AUTO_WANT want = WANT_INIT;

	assert_int_equal(want_of(t, credset_config(l->works.set, l->at), &want, NULL), RC_OK);
	b64_encode(&b64, B64_URL, buf_view(&want.tnauth_der));
	buf_printf(out, "%s," OF ",\"tnauthlist\":\"%s\",\"constraints\":null}", begin,
	    buf_text(&b64));
}

/* An order and its request; neither is finalized. */
static void
order(struct lab *l)
{
	AUTO_BUF text = BUF_INIT(8192), csr = BUF_INIT(8192);
	json_auto_t *asked = NULL;

	question(l,
	    ASK("new-order", "https://127.1.2.3:14000/n") ",\"replaces\":null,\"by_get\":true",
	    &text);
	asked = payload(l, buf_text(&text));
	expect_json(json_object_get(asked, "auto-renewal"),
	    "{\"end-date\":\"2027-01-16T08:00:00Z\",\"lifetime\":3600,"
	    "\"allow-certificate-get\":true}");
	assert_null(json_object_get(asked, "notAfter"));
	question(l, "{\"id\":1,\"op\":\"csr\"", &csr);
	expect(l, buf_text(&csr), NULL);
	pending_done(&l->request);
	assert_int_equal(
	    pending_read(l->works.set->config, "acme", "main", &l->request, NULL), RC_OK);
}

static struct bworld_cert
good(const struct lab *l, const char *serial, int64_t end_s)
{
	return (struct bworld_cert){ .point = l->request.facts.point,
		.tnauth = buf_view(&l->request.facts.tnauth_der),
		.serial = serial,
		.not_before_s = now - 1800,
		.not_after_s = end_s };
}

static void
offer(struct lab *l, const struct bworld_cert *spec, const char *url, const char *reason)
{
	AUTO_BUF pem = BUF_INIT(65536);
	json_auto_t *msg = NULL, *keep = NULL;
	json_t *answer = NULL;
	int64_t again_s;
	const char *got;

	bworld_issue(&world, &pem, spec);
	msg = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s?}", "id", 1, "op", "install", "tenant",
	    "acme", "name", "main", "chain", buf_text(&pem), "order", url);
	ops_answer(&l->works, msg, now, &answer, &again_s);
	keep = answer;
	got = json_string_value(json_object_get(answer, "reason"));
	if ((got == NULL) != (reason == NULL) || (got != NULL && strcmp(got, reason) != 0))
		fail_msg("serial %s: %s instead of %s: %s", spec->serial, got, reason,
		    json_string_value(json_object_get(answer, "detail")));
}

static void
offer_good(
    struct lab *l, const char *serial, int64_t end_s, const char *url, const char *reason)
{
	struct bworld_cert spec = good(l, serial, end_s);

	offer(l, &spec, url, reason);
}

static const char *
serial(const struct lab *l)
{
	const struct credential *c = credset_credential(l->works.set, l->at);

	return c->state == CREDENTIAL_READY ? c->chain->cert[0]->serial : "";
}

/* A series of order 1 that runs. */
static void
run(struct lab *l)
{
	order(l);
	expect(l, FINALIZE(",\"order\":\"" ORDER "\""), NULL);
	offer_good(l, "0a", now + 3600, ORDER, NULL);
	assert_int_equal(access(star_csr, F_OK), 0);
}

static int
open_lab(void **state)
{
	struct lab *l = calloc(1, sizeof *l);

	bworld_open(&world);
	bworld_tenant("acme", ACME);
	start(l);
	expect(l, "{\"id\":1,\"op\":\"account\",\"ca\":\"lab\"}", NULL);
	*state = l;
	return 0;
}

static int
close_lab(void **state)
{
	struct lab *l = *state;

	pending_done(&l->request);
	works_done(&l->works);
	free(l);
	bworld_close(&world);
	return 0;
}

/* Of the one whose certificate is in force. */
static void
end(struct lab *l)
{
	const struct credential *c = credset_credential(l->works.set, l->at);

	assert_int_equal(series_revoked(&l->works, c->chain->cert[0], NULL), RC_OK);
}

/* The CA's errands, and how many they are. */
static size_t
errands(struct lab *l, char id[SERIES_ID])
{
	json_auto_t *answer = ask(l, "{\"id\":1,\"op\":\"errands\"}");
	const json_t *list = json_object_get(answer, "errands"), *one = json_array_get(list, 0);

	if (one != NULL) {
		assert_string_equal(
		    json_string_value(json_object_get(one, "resource")), "order");
		assert_string_equal(json_string_value(json_object_get(one, "url")), ORDER);
		assert_true(json_is_true(json_object_get(one, "kid")));
		snprintf(id, SERIES_ID, "%s", json_string_value(json_object_get(one, "id")));
	}
	return json_array_size(list);
}

/* RFC 8739 s3.1.1, s3.3, s3.5: one request for all of it, over a restart too */
static void
goes_on(void **state)
{
	struct lab *l = *state;
	AUTO_OSSL(EVP_PKEY) *other = pki_p256();
	uint8_t point[P256_POINT_LEN];
	struct bworld_cert spec;

	order(l);
	/* What could not be canceled is not begun. */
	expect(l, FINALIZE(""), "missing_member");
	expect(l, FINALIZE(",\"order\":\"https://evil.example/o/1\""), "url_origin");
	expect(l, FINALIZE(",\"order\":\"" ORDER "\""), NULL);
	expect(l, FINALIZE(",\"order\":\"" ORDER "\""), NULL); /* a nonce that was refused */
	assert_int_equal(l->works.series.len, 1);
	offer_good(l, "0a", now + 3600, ORDER, NULL);
	assert_int_not_equal(access(pending_csr, F_OK), 0);
	/* The next ones. */
	offer_good(l, "0b", now + 4000, NULL, "no_pending_csr");
	offer_good(l, "0b", now + 4000, OTHER, "no_pending_csr");
	offer_good(l, "0b", now + 3600, ORDER, "not_later");
	offer_good(l, "0a", now + 4000, ORDER, "serial_repeated");
	offer_good(l, "0b", now + 7300, ORDER, "dates_differ"); /* with its padding */
	spec = good(l, "0c", now + 86400 + 61);
	spec.not_before_s = now;
	offer(l, &spec, ORDER, "dates_differ"); /* beyond its end */
	assert_int_equal(p256_point(other, point, NULL), RC_OK);
	spec = good(l, "0d", now + 4000);
	spec.point = point;
	offer(l, &spec, ORDER, "key_mismatch");
	offer_good(l, "0b", now + 4000, ORDER, NULL);
	assert_string_equal(serial(l), "b");
	restart(l);
	assert_string_equal(serial(l), "b");
	offer_good(l, "0e", now + 5000, ORDER, NULL);
	assert_string_equal(serial(l), "e");
	/* It has ended. */
	(void)works_chores(&l->works, now + 86400 + ORDERED_SLACK_S + 1);
	assert_int_equal(l->works.series.len, 0);
	offer_good(l, "0f", now + 5100, ORDER, "no_pending_csr");
}

/* What the configuration says next, and why that ends it; NULL: it goes on. */
static struct end_case {
	const char *name, *tenant, *why;
} end_cases[] = {
	{ "the same (RFC 8739 s3.1.2)", ACME, NULL },
	{ "a number more",
	    "numbers = { \"12025550100\", \"12025550105\", \"12025550110-12025550119\" "
	    "}\n" BWORLD_DELEGATE("vesper-06", SERIES),
	    NULL },
	{ "a number less (RFC 8739 s3.1.2)",
	    "numbers = { \"12025550110-12025550119\" }\n" BWORLD_DELEGATE("vesper-06", SERIES),
	    "a number of it has left" },
	{ "disabled", "enabled = no\n" ACME, "the tenant is disabled" },
	{ "no series any more",
	    NUMBERS BWORLD_DELEGATE("vesper-06", "identity_max_bytes = 8192 min_scts = 0"),
	    "no series is configured" },
	{ "no tenant any more", NULL, "not configured any more" },
};

static const char *
last_reason(void)
{
	const char *why = NULL;
	const json_t *record;
	size_t i;

	json_array_foreach (world.audit, i, record) {
		if (strcmp(json_string_value(json_object_get(record, "event")),
			"series_canceled") == 0)
			why = json_string_value(json_object_get(record, "detail"));
	}
	return why;
}

static void
ends(void **state)
{
	const struct end_case *c = *state;
	struct lab l = { .at = { 0, 0 } };
	char id[SERIES_ID] = "";

	bworld_open(&world);
	bworld_tenant("acme", ACME);
	start(&l);
	expect(&l, "{\"id\":1,\"op\":\"account\",\"ca\":\"lab\"}", NULL);
	run(&l);
	(void)works_chores(&l.works, now);
	assert_int_equal(errands(&l, id), 0);
	bworld_tenant("acme", c->tenant);
	if (c->tenant == NULL)
		bworld_tenant("beta",
		    "numbers = { \"13035550100\" }\n" BWORLD_DELEGATE("atis-delegate", ""));
	assert_int_equal(works_load(&l.works, now, NULL), RC_OK);
	assert_true(works_due_s(&l.works) <= now);
	(void)works_chores(&l.works, now);
	assert_int_equal(errands(&l, id), c->why != NULL);
	assert_int_equal(access(star_csr, F_OK) == 0, c->why == NULL);
	assert_int_equal(l.works.errand, c->why != NULL);
	if (c->why != NULL)
		assert_non_null(strstr(last_reason(), c->why));
	if (c->tenant != NULL)
		offer_good(
		    &l, "0b", now + 4000, ORDER, c->why != NULL ? "no_pending_csr" : NULL);
	pending_done(&l.request);
	works_done(&l.works);
	bworld_close(&world);
}

/* RFC 8739 s3.1.2: its order is told, by the account, until the CA has answered */
static void
the_ca_is_told(void **state)
{
	struct lab *l = *state;
	char id[SERIES_ID] = "";
	AUTO_BUF text = BUF_INIT(4096), done = BUF_INIT(4096);
	json_auto_t *canceled = NULL;

	run(l);
	buf_printf(
	    &text, ASK("errand", ORDER) ",\"errand\":\"%s\"}", l->works.series.item[0].id);
	expect(l, buf_text(&text), "no_errand"); /* nobody asked for it */
	buf_printf(&done,
	    "{\"id\":1,\"op\":\"errand-done\",\"errand\":\"%s\",\"final\":true,"
	    "\"reason\":null,\"detail\":null}",
	    l->works.series.item[0].id);
	expect(l, buf_text(&done), "no_errand");
	end(l);
	restart(l);
	assert_int_equal(errands(l, id), 1);
	canceled = payload(l, buf_text(&text));
	expect_json(canceled, "{\"status\":\"canceled\"}");
	buf_clear(&text);
	buf_printf(&text, ASK("errand", OTHER) ",\"errand\":\"%s\"}", id);
	expect(l, buf_text(&text), "no_errand");
	buf_clear(&text);
	buf_printf(&text,
	    "{\"id\":1,\"op\":\"errand\",\"ca\":\"lab\",\"kid\":null,\"nonce\":\"abc\","
	    "\"url\":\"" ORDER "\",\"errand\":\"%s\"}",
	    id);
	expect(l, buf_text(&text), "no_errand");
	/* One that was canceled is not begun again. */
	order(l);
	expect(l, FINALIZE(",\"order\":\"" ORDER "\""), "series_over");
	expect(l, buf_text(&done), NULL);
	assert_int_equal(errands(l, id), 0);
	restart(l);
	assert_int_equal(l->works.series.len, 0);
}

static bool
is_unended(const struct lab *l)
{
	return atomic_load(&credset_credential(l->works.set, l->at)->series_refused);
}

static void
the_ca_refuses(void **state)
{
	struct lab *l = *state;
	const struct revocation *r = NULL;
	struct revoke_ask how = { .serial = NULL };
	size_t records;
	char id[SERIES_ID] = "";
	AUTO_BUF text = BUF_INIT(4096);

	run(l);
	end(l);
	assert_int_equal(errands(l, id), 1);
	buf_printf(&text,
	    "{\"id\":1,\"op\":\"errand-done\",\"errand\":\"%s\",\"final\":true,"
	    "\"reason\":\"acme_unauthorized\",\"detail\":\"not yours\"}",
	    id);
	expect(l, buf_text(&text), NULL);
	restart(l);
	assert_int_equal(l->works.series.item[0].state, SERIES_REFUSED);
	assert_string_equal(l->works.series.item[0].answer, "not yours");
	assert_int_equal(errands(l, id), 0);
	assert_true(is_unended(l));
	/* With a start, every day, and by a revocation. */
	(void)works_chores(&l->works, now);
	assert_int_equal(errands(l, id), 1);
	assert_true(l->works.errand);
	records = json_array_size(world.audit);
	expect(l, buf_text(&text), NULL);
	assert_int_equal(json_array_size(world.audit), records); /* no news */
	(void)works_chores(&l->works, now + SERIES_LOOK_S);
	assert_int_equal(errands(l, id), 0);
	assert_int_equal(revoke_cert(&l->works, l->at, &how, now, &r, NULL), RC_OK);
	assert_int_equal(errands(l, id), 1);
	expect(l, buf_text(&text), NULL);
	assert_int_equal(errands(l, id), 0);
	assert_true(is_unended(l));
	(void)works_chores(&l->works, now + SERIES_AGAIN_S);
	assert_int_equal(errands(l, id), 1);
	buf_clear(&text);
	buf_printf(&text,
	    "{\"id\":1,\"op\":\"errand-done\",\"errand\":\"%s\",\"final\":true,"
	    "\"reason\":null,\"detail\":null}",
	    id);
	expect(l, buf_text(&text), NULL);
	assert_false(is_unended(l));
	assert_int_equal(l->works.series.len, 0);
}

/* Of those which its CA does not answer none hides a compromised key. */
static void
in_turns(void **state)
{
	struct lab *l = *state;
	struct ordered o = { .not_after_s = now + 5000 };
	const struct revocation *r = NULL;
	struct revoke_ask how = { .reason = 1 };
	AUTO_BUF text = BUF_INIT(4096);
	json_auto_t *answer = NULL;
	const json_t *list;

	order(l);
	assert_int_equal(ordered_write(l->works.set->config, "acme", "main", &o, NULL), RC_OK);
	offer_good(l, "0a", now + 5000, NULL, NULL);
	order(l);
	for (int i = 0; i < 2 * ACME_ERRANDS_OF_CA; i++) {
		l->now = now + (int64_t)i * 400;
		buf_clear(&text);
		buf_printf(&text,
		    ASK("finalize", "https://127.1.2.3:14000/f") "," OF ",\"order\":\"https://"
								 "127.1.2.3:14000/x/%d\"}",
		    i);
		expect(l, buf_text(&text), NULL);
	}
	l->now = 0;
	assert_int_equal(revoke_cert(&l->works, l->at, &how, now, &r, NULL), RC_OK);
	assert_int_equal(r->state, REVOCATION_OUTSTANDING);
	answer = ask(l, "{\"id\":1,\"op\":\"errands\"}");
	list = json_object_get(answer, "errands");
	assert_int_equal(json_array_size(list), ACME_ERRANDS_OF_CA);
	assert_string_equal(
	    json_string_value(json_object_get(json_array_get(list, 0), "resource")),
	    "revokeCert");
	assert_string_equal(
	    json_string_value(json_object_get(json_array_get(list, 1), "resource")), "order");
}

/* RFC 8739 s3.1.2: a CA must refuse to revoke one */
static void
a_revoked_one(void **state)
{
	struct lab *l = *state;
	const struct revocation *r = NULL;
	struct revoke_ask how = { .serial = NULL };
	char fingerprint[CREDENTIAL_FINGERPRINT];
	char id[SERIES_ID] = "";
	size_t at = 0;

	run(l);
	assert_int_equal(revoke_cert(&l->works, l->at, &how, now, &r, NULL), RC_OK);
	assert_int_equal(r->state, REVOCATION_SERIES);
	snprintf(fingerprint, sizeof fingerprint, "%s", r->id);
	assert_null(revoke_outstanding(&l->works, "lab", &at));
	assert_int_equal(errands(l, id), 1);
	offer_good(l, "0b", now + 4000, ORDER, "revoked");
	restart(l);
	assert_string_equal(serial(l), "");
	assert_int_equal(revoke_find(&l->works, fingerprint)->state, REVOCATION_SERIES);
}

/* A power cut, or a full disk, after each of the two writes of it */
static void
revoked_in_two_steps(void **state)
{
	struct lab *l = *state;
	const struct revocation *r = NULL;
	struct revoke_ask how = { .reason = 1 };
	struct fault f = { 0 };

	run(l);
	assert_int_equal(rename("state/front/series", "state/front/away"), 0);
	bworld_file("state/front/series", "");
	assert_int_equal(revoke_cert(&l->works, l->at, &how, now, &r, &f), RC_IO);
	assert_string_equal(f.reason, "series_not_recorded");
	assert_int_equal(
	    l->works.revoked.len, 0); /* what is of a running one is not on record */
	bworld_file("state/front/series", NULL);
	assert_int_equal(rename("state/front/away", "state/front/series"), 0);
	(void)works_chores(&l->works, now + SERIES_LOOK_S);
	restart(l);
	assert_int_equal(l->works.series.item[0].state, SERIES_CANCELED);
}

static void
revoked_in_two_steps_2(void **state)
{
	struct lab *l = *state;
	const struct revocation *r = NULL;
	struct revoke_ask how = { .reason = 1 };
	struct fault f = { 0 };
	char id[SERIES_ID] = "";

	run(l);
	(void)rename("state/front/revoked", "state/front/away");
	bworld_file("state/front/revoked", "");
	assert_int_not_equal(revoke_cert(&l->works, l->at, &how, now, &r, &f), RC_OK);
	bworld_file("state/front/revoked", NULL);
	(void)rename("state/front/away", "state/front/revoked");
	restart(l);
	assert_int_equal(errands(l, id), 1);
	offer_good(l, "0b", now + 4000, ORDER, "no_pending_csr");
	assert_int_equal(revoke_cert(&l->works, l->at, &how, now, &r, NULL), RC_OK);
	assert_int_equal(r->state, REVOCATION_SERIES);
}

/* The key served before the series and after it: only what it issued is of it. */
static void
one_key_for_all(void **state)
{
	struct lab *l = *state;
	struct series *s;
	struct cert leaf = { .p256 = true };

	run(l);
	s = &l->works.series.item[0];
	memcpy(leaf.key_id, s->key_id, KEY_ID_LEN);
	leaf.not_before_s = now - 1801;
	assert_false(series_has(&l->works, &leaf));
	assert_int_equal(series_revoked(&l->works, &leaf, NULL), RC_OK);
	assert_int_equal(s->state, SERIES_RUNNING); /* nobody complained about that */
	leaf.not_before_s = now - 1800;
	assert_true(series_has(&l->works, &leaf));
	/* An order that is none of a series, with the key kept. */
	order(l);
	{
		struct ordered o = { .not_after_s = now + 5000 };
		struct bworld_cert spec = good(l, "0b", now + 5000);

		assert_int_equal(
		    ordered_write(l->works.set->config, "acme", "main", &o, NULL), RC_OK);
		spec.not_before_s = now - 900;
		offer(l, &spec, NULL, NULL);
	}
	restart(l);
	s = &l->works.series.item[0];
	assert_int_equal(s->state, SERIES_CANCELED);
	leaf.not_before_s = now - 901;
	assert_true(series_has(&l->works, &leaf));
	leaf.not_before_s = now - 900;
	assert_false(series_has(&l->works, &leaf));
	leaf.p256 = false;
	leaf.not_before_s = now - 901;
	assert_false(series_has(&l->works, &leaf));
}

/* The next series takes over when its certificate is in force, not before. */
static void
another_order(void **state)
{
	struct lab *l = *state;
	char id[SERIES_ID] = "";
	struct pending first = { .der = BUF_INIT(0) };
	struct bworld_cert spec;

	run(l);
	first = l->request;
	l->request = (struct pending){ .der = BUF_INIT(0) };
	order(l);
	assert_memory_not_equal(l->request.facts.point, first.facts.point, P256_POINT_LEN);
	expect(l, FINALIZE(",\"order\":\"" OTHER "\""), NULL);
	spec = good(l, "0b", now + 4000);
	spec.point = first.facts.point;
	offer(l, &spec, ORDER, NULL); /* the first goes on meanwhile */
	offer_good(l, "0c", now + 4500, ORDER, "key_mismatch");
	assert_int_equal(errands(l, id), 0);
	offer_good(l, "0c", now + 4500, OTHER, NULL);
	assert_int_equal(errands(l, id), 1);
	spec.serial = "0d";
	spec.not_after_s = now + 5000;
	offer(l, &spec, ORDER, "no_pending_csr");
	offer_good(l, "0e", now + 5000, OTHER, NULL);
	pending_done(&first);
}

/* A crash between the certificate and the note that it is a series': taken over at start. */
static void
after_a_crash(void **state)
{
	struct lab *l = *state;
	struct ordered o = { .star_end_s = now + 86400, .star_lifetime_s = 3600 };

	run(l);
	assert_int_equal(rename(star_csr, pending_csr), 0);
	assert_int_equal(ordered_write(l->works.set->config, "acme", "main", &o, NULL), RC_OK);
	{
		char path[256], text[4096];
		char *state_at;
		FILE *file;
		size_t n;

		snprintf(path, sizeof path, "state/front/series/%s.json",
		    l->works.series.item[0].id);
		file = fopen(path, "r");
		assert_non_null(file);
		n = fread(text, 1, sizeof text - 1, file);
		fclose(file);
		text[n] = 0;
		state_at = strstr(text, "running");
		assert_non_null(state_at);
		memcpy(state_at, "begun\",", 7); /* and what is left of it: */
		bworld_file(path, text);
		/* That is no JSON: a file that is not as we write it is passed over. */
		restart(l);
		assert_int_equal(l->works.series.len, 0);
		memcpy(state_at, "begun\" ", 7);
		memmove(state_at + 6, state_at + 8, strlen(state_at + 8) + 1);
		bworld_file(path, text);
	}
	restart(l);
	assert_int_equal(access(pending_csr, F_OK), 0);
	(void)works_chores(&l->works, now);
	assert_int_not_equal(access(pending_csr, F_OK), 0);
	assert_int_equal(access(star_csr, F_OK), 0);
	offer_good(l, "0b", now + 4000, ORDER, NULL);
}

/* A clock that jumped ahead: one that is canceled is not forgotten before its CA is told. */
static void
not_by_a_doubted_clock(void **state)
{
	struct lab *l = *state;
	const struct revocation *r = NULL;
	char id[SERIES_ID] = "";

	run(l);
	assert_int_equal(revoke_cert(&l->works, l->at, &(struct revoke_ask){ .serial = NULL },
			     now, &r, NULL),
	    RC_OK);
	l->works.clock_holds = true;
	works_clock_set(&l->works);
	(void)works_chores(&l->works, now + 10 * 365 * (int64_t)86400);
	assert_int_equal(errands(l, id), 1);
	l->works.clock_holds = false;
	works_clock_set(&l->works);
	(void)works_chores(&l->works, now + 10 * 365 * (int64_t)86400);
	assert_int_equal(l->works.series.len, 0);
}

/* RFC 8739 s3.1.2: what comes to nothing is canceled, and holds up nothing for a season. */
static void
no_end_of_them(void **state)
{
	struct lab *l = *state;
	AUTO_BUF text = BUF_INIT(4096);
	size_t live = 0;

	run(l);
	order(l);
	for (unsigned i = 1; i <= SERIES_OF_ONE; i++) {
		buf_clear(&text);
		buf_printf(&text,
		    ASK("finalize", "https://127.1.2.3:14000/f") "," OF ",\"order\":\"https://"
								 "127.1.2.3:14000/x/%u\"}",
		    i);
		expect(l, buf_text(&text), i < SERIES_OF_ONE ? NULL : "overloaded");
	}
	restart(l);
	for (size_t i = 0; i < l->works.series.len; i++)
		live += l->works.series.item[i].state != SERIES_CANCELED;
	assert_int_equal(live, 2); /* the one that runs, and the last */
	l->now = now + SERIES_OF_ONE_S;
	expect(l, buf_text(&text), NULL);
	offer_good(l, "0b", now + 4000, "https://127.1.2.3:14000/x/16", NULL);
	assert_int_equal(l->works.series.len, SERIES_OF_ONE + 1);
}

static void
first_one_refused(void **state)
{
	struct lab *l = *state;
	char id[SERIES_ID] = "";

	order(l);
	expect(l, FINALIZE(",\"order\":\"" ORDER "\""), NULL);
	offer_good(l, "0a", now + 2 * 86400, ORDER, "dates_differ");
	assert_int_equal(errands(l, id), 1);
	assert_non_null(strstr(last_reason(), "was refused"));
}

#define LAB(f) cmocka_unit_test_setup_teardown(f, open_lab, close_lab)

int
main(void)
{
	static const struct CMUnitTest steps[] = { LAB(goes_on), LAB(the_ca_is_told),
		LAB(the_ca_refuses), LAB(in_turns), LAB(a_revoked_one),
		LAB(revoked_in_two_steps), LAB(revoked_in_two_steps_2), LAB(one_key_for_all),
		LAB(another_order), LAB(after_a_crash), LAB(no_end_of_them),
		LAB(first_one_refused), LAB(not_by_a_doubted_clock) };
	struct CMUnitTest tests[ARRAY_LEN(steps) + ARRAY_LEN(end_cases)];
	size_t n = ARRAY_LEN(steps);

	memcpy(tests, steps, sizeof steps);
	ROWS(tests, n, end_cases, ends);
	return _cmocka_run_group_tests("series", tests, n, NULL, NULL);
}
