/* sct: lists of logs, and the SCTs of a certificate against them */
#include "stir/chain.h"
#include "stir/sct.h"
#include "tests/unit/cm.h"
#include "tests/unit/pki.h"
#include "tests/unit/rows.h"
#include "tests/unit/vectors_sct.h"

#define NOW_MS (PKI_NOW * 1000)

/* ---- published certificates ---------------------------------------------------- */

static struct cert *
cert_of(const char *pem)
{
	AUTO(chain) *c = NULL;
	struct fault f = { 0 };

	if (chain_read_pem(span_str(pem), false, &c, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	c->len = 0;
	return c->cert[0];
}

/* Every log of its own operator, all usable. */
static void
list_logs(struct buf *json, const char *const *keys, size_t n)
{
	buf_str(json, "{\"operators\":[");
	for (size_t i = 0; i < n; i++)
		buf_printf(json,
		    "%s{\"name\":\"op %zu\",\"logs\":[{\"key\":\"%s\",\"state\":{\"usable\":"
		    "{\"timestamp\":\"2020-01-01T00:00:00Z\"}}}]}",
		    i == 0 ? "" : ",", i, keys[i]);
	buf_str(json, "]}");
}

static struct published_case {
	const char *name, *leaf, *issuer;
	const char *keys[4];
	size_t n, present, valid, unknown, invalid;
} published_cases[] = {
	{ "one SCT", embeddedSCTs1_pem, embeddedSCTs1_issuer_pem, { log_test }, 1, 1, 1, 0, 0 },
	{ "three SCTs", embeddedSCTs3_pem, embeddedSCTs3_issuer_pem,
	    { log_pilot, log_aviator, log_digicert }, 3, 3, 3, 0, 0 },
	{ "one log of three", embeddedSCTs3_pem, embeddedSCTs3_issuer_pem, { log_digicert }, 1,
	    3, 1, 2, 0 },
	{ "no log of three", embeddedSCTs3_pem, embeddedSCTs3_issuer_pem, { log_test }, 1, 3, 0,
	    3, 0 },
	{ "other issuer (RFC 6962 s3.2)", embeddedSCTs3_pem, embeddedSCTs1_issuer_pem,
	    { log_pilot, log_aviator, log_digicert }, 3, 3, 0, 0, 3 },
};

/* RFC 6962 s3.2 */
static void
published(void **state)
{
	const struct published_case *t = *state;
	AUTO(cert) *leaf = cert_of(t->leaf), *issuer = cert_of(t->issuer);
	AUTO_BUF json = BUF_INIT(10000);
	AUTO(ctlogs) *logs = NULL;
	struct sct_result r = { 0 };
	struct fault f = { 0 };

	list_logs(&json, t->keys, t->n);
	assert_int_equal(ctlogs_read(buf_view(&json), &logs, &f), RC_OK);
	assert_int_equal(ctlogs_len(logs), t->n);
	if (sct_check(leaf, issuer->x509, logs, NOW_MS, &r, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	assert_int_equal(r.present, t->present);
	assert_int_equal(r.valid, t->valid);
	assert_int_equal(r.operators, t->valid);
	assert_int_equal(r.unknown, t->unknown);
	assert_int_equal(r.invalid, t->invalid);
}

/* ---- our own ---------------------------------------------------------------------- */

static struct {
	EVP_PKEY *ca_key, *leaf_key, *log[3];
	X509 *ca;
	struct buf tnauth;
} w;

static int
make_world(void **state)
{
	(void)state;
	w.ca_key = pki_p256();
	w.leaf_key = pki_p256();
	w.log[0] = pki_p256();
	w.log[1] = pki_p256();
	w.log[2] = pki_key("RSA", NULL, 2048);
	w.tnauth = BUF_INIT(100);
	pki_tnauth_one(&w.tnauth, "12025550100");
	w.ca = pki_issue(&(struct pki_spec){ .cn = "CA", .key = w.ca_key, .ca = true });
	return 0;
}

static int
drop_world(void **state)
{
	(void)state;
	EVP_PKEY_free(w.ca_key);
	EVP_PKEY_free(w.leaf_key);
	for (size_t i = 0; i < 3; i++)
		EVP_PKEY_free(w.log[i]);
	X509_free(w.ca);
	buf_free(&w.tnauth);
	return 0;
}

/* Which logs gave SCTs (digits), which are listed, how, and what is counted. */
static struct own_case {
	const char *name, *scts, *state[3], *interval;
	bool same_operator;
	int64_t time_ms;
	enum rc rc;
	size_t present, valid, operators, unknown, future;
} own_cases[] = {
	{ "two logs", "01", { "usable", "usable" }, NULL, false, NOW_MS, RC_OK, 2, 2, 2, 0, 0 },
	{ "RSA log (RFC 6962 s2.1.4)", "2", { NULL, NULL, "usable" }, NULL, false, NOW_MS,
	    RC_OK, 1, 1, 1, 0, 0 },
	{ "one operator (V-82)", "01", { "usable", "usable" }, NULL, true, NOW_MS, RC_OK, 2, 2,
	    1, 0, 0 },
	{ "one log twice (RFC 6962 s5.2)", "00", { "usable" }, NULL, false, NOW_MS, RC_OK, 2, 1,
	    1, 0, 0 },
	{ "readonly counts", "0", { "readonly" }, NULL, false, NOW_MS, RC_OK, 1, 1, 1, 0, 0 },
	{ "rejected log", "01", { "rejected", "usable" }, NULL, false, NOW_MS, RC_OK, 2, 1, 1,
	    1, 0 },
	{ "retired log", "0", { "retired" }, NULL, false, NOW_MS, RC_OK, 1, 0, 0, 1, 0 },
	{ "pending log", "0", { "pending" }, NULL, false, NOW_MS, RC_OK, 1, 0, 0, 1, 0 },
	{ "inside the interval", "0", { "usable" },
	    "2027-01-01T00:00:00Z\",\"end_exclusive\":\"2028-01-01T00:00:00Z", false, NOW_MS,
	    RC_OK, 1, 1, 1, 0, 0 },
	{ "outside the interval", "0", { "usable" },
	    "2026-01-01T00:00:00Z\",\"end_exclusive\":\"2027-01-01T00:00:00Z", false, NOW_MS,
	    RC_OK, 1, 0, 0, 1, 0 },
	{ "no SCT", "", { "usable" }, NULL, false, NOW_MS, RC_OK, 0, 0, 0, 0, 0 },
	{ "now is not the future", "0", { "usable" }, NULL, false, NOW_MS, RC_OK, 1, 1, 1, 0,
	    0 },
	{ "the future (RFC 6962 s5.2)", "0", { "usable" }, NULL, false, NOW_MS + 1, RC_DENIED,
	    1, 0, 0, 0, 1 },
	{ "the future of an unknown log", "0", { NULL, "usable" }, NULL, false, NOW_MS + 1,
	    RC_DENIED, 1, 0, 0, 0, 1 },
};

static void
list_own(struct buf *json, const struct own_case *t)
{
	const char *comma = "";

	buf_str(json, "{\"operators\":[{\"name\":\"a\",\"logs\":[");
	for (size_t i = 0; i < 3; i++) {
		if (t->state[i] == NULL)
			continue;
		if (!t->same_operator && *comma != 0) {
			buf_str(json, "]},{\"name\":\"b\",\"logs\":[");
			comma = "";
		}
		buf_printf(json, "%s{\"key\":\"", comma);
		pki_spki(json, w.log[i]);
		buf_str(json, "\",\"log_id\":\"");
		pki_log_id(json, w.log[i]);
		buf_printf(json, "\",\"state\":{\"%s\":{}}", t->state[i]);
		if (t->interval != NULL)
			buf_printf(json, ",\"temporal_interval\":{\"start_inclusive\":\"%s\"}",
			    t->interval);
		buf_str(json, "}");
		comma = ",";
	}
	buf_str(json, "]}]}");
}

static struct pki_spec
leaf_spec(void)
{
	return (struct pki_spec){ .cn = "leaf",
		.key = w.leaf_key,
		.issuer = w.ca,
		.issuer_key = w.ca_key,
		.tnauth = buf_view(&w.tnauth) };
}

/* D-36 */
static void
own(void **state)
{
	const struct own_case *t = *state;
	struct pki_spec s = leaf_spec();
	AUTO_BUF json = BUF_INIT(10000), scts = BUF_INIT(10000), list = BUF_INIT(10000);
	AUTO_OSSL(X509) *x = NULL;
	AUTO(cert) *leaf = NULL;
	AUTO(ctlogs) *logs = NULL;
	struct sct_result r = { 0 };
	struct fault f = { 0 };

	for (const char *p = t->scts; *p != 0; p++)
		pki_sct(&scts, &s, w.log[*p - '0'], t->time_ms);
	if (scts.len > 0) {
		pki_sct_list(&list, buf_view(&scts));
		s.scts = buf_view(&list);
	}
	x = pki_issue(&s);
	leaf = pki_cert(x);
	list_own(&json, t);
	if (ctlogs_read(buf_view(&json), &logs, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	assert_int_equal(sct_check(leaf, w.ca, logs, NOW_MS, &r, &f), t->rc);
	if (t->rc != RC_OK)
		assert_string_equal(f.reason, "sct_future");
	assert_int_equal(r.present, t->present);
	assert_int_equal(r.valid, t->valid);
	assert_int_equal(r.operators, t->operators);
	assert_int_equal(r.unknown, t->unknown);
	assert_int_equal(r.future, t->future);
	assert_int_equal(r.invalid, 0);
}

static void
no_issuer(void **state)
{
	struct pki_spec s = leaf_spec();
	AUTO_BUF json = BUF_INIT(10000), scts = BUF_INIT(10000), list = BUF_INIT(10000);
	AUTO_OSSL(X509) *x = NULL;
	AUTO(cert) *leaf = NULL;
	AUTO(ctlogs) *logs = NULL;
	struct sct_result r;
	struct fault f = { 0 };

	(void)state;
	pki_sct(&scts, &s, w.log[0], NOW_MS);
	pki_sct_list(&list, buf_view(&scts));
	s.scts = buf_view(&list);
	x = pki_issue(&s);
	leaf = pki_cert(x);
	list_own(&json, &own_cases[0]);
	assert_int_equal(ctlogs_read(buf_view(&json), &logs, &f), RC_OK);
	assert_int_equal(sct_check(leaf, NULL, logs, NOW_MS, &r, &f), RC_DENIED);
	assert_string_equal(f.reason, "sct_issuer");
}

static void
check_raw_list(struct span list, const struct ctlogs *logs, bool decodes)
{
	struct pki_spec s = leaf_spec();
	AUTO_OSSL(X509) *x = NULL;
	AUTO(cert) *leaf = NULL;
	struct sct_result r = { 0 };
	struct fault f = { 0 };
	enum rc rc;

	s.scts = list;
	x = pki_issue(&s);
	leaf = pki_cert(x);
	rc = sct_check(leaf, w.ca, logs, NOW_MS, &r, &f);
	assert_int_equal(r.valid, 0);
	if (!decodes) {
		assert_int_equal(rc, RC_INVALID);
		assert_string_equal(f.reason, "sct_list");
	}
}

/*
 * No prefix decodes, and no bit of an SCT may change without being noticed.
 * RFC 6962 s3.3
 */
static void
lists_cut_and_flipped(void **state)
{
	struct pki_spec s = leaf_spec();
	AUTO_BUF json = BUF_INIT(10000), scts = BUF_INIT(10000), list = BUF_INIT(10000);
	AUTO(ctlogs) *logs = NULL;

	(void)state;
	list_own(&json, &own_cases[0]);
	assert_int_equal(ctlogs_read(buf_view(&json), &logs, NULL), RC_OK);
	pki_sct(&scts, &s, w.log[0], NOW_MS - 1);
	pki_sct_list(&list, buf_view(&scts));
	for (size_t n = 1; n < list.len; n++)
		check_raw_list(span_of(list.ptr, n), logs, false);
	for (size_t bit = 0; bit < list.len * 8; bit += 5) {
		list.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
		check_raw_list(buf_view(&list), logs, true);
		list.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_byte(&list, 0);
	check_raw_list(buf_view(&list), logs, false);
}

static struct list_case {
	const char *name, *json, *reason;
} list_cases[] = {
	{ "empty", "", "ctlogs" },
	{ "no JSON", "operators", "malformed_json" },
	{ "member twice", "{\"operators\":[],\"operators\":[]}", "duplicate_member" },
	{ "no operators", "{}", "ctlogs" },
	{ "operator without logs", "{\"operators\":[{\"name\":\"a\"}]}", "ctlogs" },
	{ "log without key", "{\"operators\":[{\"logs\":[{\"state\":\"usable\"}]}]}",
	    "ctlogs" },
	{ "key is no base64",
	    "{\"operators\":[{\"logs\":[{\"key\":\"*\",\"state\":\"usable\"}]}]}", "base64" },
	{ "key is no SPKI (RFC 6962 s2.1.4)",
	    "{\"operators\":[{\"logs\":[{\"key\":\"AAAA\",\"state\":\"usable\"}]}]}",
	    "ctlogs" },
	{ "log id of another key",
	    "{\"operators\":[{\"logs\":[{\"log_id\":\"AAAA\",\"state\":\"usable\",\"key\":\""
	    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmXg8sUUzwBYaWrRb+V0IopzQ6o3U"
	    "yEJ04r5ZrRXGdpYM8K+hB0pXrGRLI0eeWz+3skXrS0IO83AhA3GpRL6s6w==\"}]}]}",
	    "ctlogs" },
	{ "no state",
	    "{\"operators\":[{\"logs\":[{\"key\":\""
	    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmXg8sUUzwBYaWrRb+V0IopzQ6o3U"
	    "yEJ04r5ZrRXGdpYM8K+hB0pXrGRLI0eeWz+3skXrS0IO83AhA3GpRL6s6w==\"}]}]}",
	    "ctlogs" },
	{ "unknown state",
	    "{\"operators\":[{\"logs\":[{\"state\":\"fine\",\"key\":\""
	    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmXg8sUUzwBYaWrRb+V0IopzQ6o3U"
	    "yEJ04r5ZrRXGdpYM8K+hB0pXrGRLI0eeWz+3skXrS0IO83AhA3GpRL6s6w==\"}]}]}",
	    "ctlogs" },
	{ "interval is no time",
	    "{\"operators\":[{\"logs\":[{\"state\":\"usable\",\"temporal_interval\":{"
	    "\"start_inclusive\":\"soon\"},\"key\":\""
	    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmXg8sUUzwBYaWrRb+V0IopzQ6o3U"
	    "yEJ04r5ZrRXGdpYM8K+hB0pXrGRLI0eeWz+3skXrS0IO83AhA3GpRL6s6w==\"}]}]}",
	    "ctlogs" },
};

static void
list_refuses(void **state)
{
	const struct list_case *t = *state;
	struct ctlogs *logs = NULL;
	struct fault f = { 0 };

	assert_int_equal(ctlogs_read(span_str(t->json), &logs, &f), RC_INVALID);
	assert_string_equal(f.reason, t->reason);
	assert_null(logs);
}

/* One bad log refuses the good one beside it: nothing is half loaded (V-86). */
static void
one_bad_log_refuses_all(void **state)
{
	static const char *const keys[] = { log_test, "AAAA" };
	static const char *const twice[] = { log_test, log_test };
	AUTO_BUF json = BUF_INIT(10000), again = BUF_INIT(10000);
	struct ctlogs *logs = NULL;

	(void)state;
	list_logs(&json, keys, 2);
	assert_int_equal(ctlogs_read(buf_view(&json), &logs, NULL), RC_INVALID);
	list_logs(&again, twice, 2);
	assert_int_equal(ctlogs_read(buf_view(&again), &logs, NULL), RC_INVALID);
	assert_null(logs);
}

static struct key_case {
	const char *name, *type, *curve;
	unsigned bits;
	bool good;
} key_cases[] = {
	{ "log of P-256 (RFC 6962 s2.1.4)", "EC", "P-256", 0, true },
	{ "log of RSA 2048 (RFC 6962 s2.1.4)", "RSA", NULL, 2048, true },
	{ "log of P-384 (RFC 6962 s2.1.4)", "EC", "P-384", 0, false },
	{ "log of secp256k1 (RFC 6962 s2.1.4)", "EC", "secp256k1", 0, false },
	{ "log of RSA 1024 (RFC 6962 s2.1.4)", "RSA", NULL, 1024, false },
	{ "log of RSA 2040 (RFC 6962 s2.1.4)", "RSA", NULL, 2040, false },
};

static void
key_of_a_log(void **state)
{
	const struct key_case *c = *state;
	AUTO_OSSL(EVP_PKEY) *key = pki_key(c->type, c->curve, c->bits);
	AUTO_BUF spki = BUF_INIT(10000), json = BUF_INIT(10000);
	AUTO(ctlogs) *logs = NULL;
	struct fault f = { 0 };

	pki_spki(&spki, key);
	list_logs(&json, &(const char *){ buf_text(&spki) }, 1);
	assert_int_equal(ctlogs_read(buf_view(&json), &logs, &f), c->good ? RC_OK : RC_INVALID);
	assert_string_equal(f.reason, c->good ? "" : "ctlogs");
	assert_true(c->good || strstr(f.detail, "P-256 or RSA 2048") != NULL);
}

/* Behind a number, where jansson passes it over. */
static void
octet_zero(void **state)
{
	static const char text[] = "{\"operators\":[],\"version\":1\0}";
	char mended[sizeof text];
	struct ctlogs *logs = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(ctlogs_read(span_of(text, sizeof text - 1), &logs, &f), RC_INVALID);
	assert_string_equal(f.reason, "malformed_json");
	memcpy(mended, text, sizeof text);
	mended[sizeof text - 3] = ' ';
	assert_int_equal(ctlogs_read(span_of(mended, sizeof text - 1), &logs, &f), RC_OK);
	ctlogs_free(logs);
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(published_cases) + ARRAY_LEN(own_cases) +
				       ARRAY_LEN(list_cases) + ARRAY_LEN(key_cases) + 4];
	size_t n = 0;

	ROWS(tests, n, published_cases, published);
	ROWS(tests, n, own_cases, own);
	ROWS(tests, n, list_cases, list_refuses);
	ROWS(tests, n, key_cases, key_of_a_log);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_issuer);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(octet_zero);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(lists_cut_and_flipped);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(one_bad_log_refuses_all);
	return cmocka_run_group_tests(tests, make_world, drop_world);
}
