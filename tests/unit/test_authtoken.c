/* authtoken: reading an authority token, and whether the CA will take it */
#include "stir/authtoken.h"
#include "stir/b64.h"
#include "tests/unit/cm.h"
#include "tests/unit/pki.h"
#include "tests/unit/rows.h"

static struct {
	EVP_PKEY *root_key, *ta_key, *account_key, *other_key;
	X509 *root, *ta, *other_root;
	struct buf x5c;
	uint8_t account[P256_POINT_LEN];
	char jwk_print[FINGERPRINT_TEXT];
} w;

static int
make_world(void **state)
{
	uint8_t hash[32];

	(void)state;
	w.root_key = pki_p256();
	w.ta_key = pki_p256();
	w.account_key = pki_p256();
	w.other_key = pki_p256();
	w.root =
	    pki_issue(&(struct pki_spec){ .cn = "TA root", .key = w.root_key, .ca = true });
	w.other_root =
	    pki_issue(&(struct pki_spec){ .cn = "Other", .key = w.other_key, .ca = true });
	w.ta = pki_issue(&(struct pki_spec){
	    .cn = "TA", .key = w.ta_key, .issuer = w.root, .issuer_key = w.root_key });
	w.x5c = BUF_INIT(10000);
	pki_x5c(&w.x5c, &w.ta, 1);
	assert_int_equal(p256_point(w.account_key, w.account, NULL), RC_OK);
	jwk_thumbprint(w.account, hash);
	fingerprint_text(hash, w.jwk_print);
	return 0;
}

static int
drop_world(void **state)
{
	(void)state;
	EVP_PKEY_free(w.root_key);
	EVP_PKEY_free(w.ta_key);
	EVP_PKEY_free(w.account_key);
	EVP_PKEY_free(w.other_key);
	X509_free(w.root);
	X509_free(w.other_root);
	X509_free(w.ta);
	buf_free(&w.x5c);
	return 0;
}

/* "SHA256 AB:…" over the DER SPKI, as the policy administrators do it (D-29). */
static void
spki_print(char out[FINGERPRINT_TEXT])
{
	unsigned char *der = NULL, hash[32];
	int len = i2d_PUBKEY(w.account_key, &der);

	assert_int_equal(EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL), 1);
	OPENSSL_free(der);
	fingerprint_text(hash, out);
}

/* NULL members are those of a good token; tkvalue 3008a006160431323334. */
struct token_parts {
	const char *header, *payload; /* whole, instead of the rest */
	const char *tktype, *tkvalue, *fingerprint, *ca, *iss, *exp;
};

static void
make_token(struct buf *out, const struct token_parts *t, EVP_PKEY *key)
{
	AUTO_BUF header = BUF_INIT(20000), payload = BUF_INIT(20000);

	buf_printf(&header, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"x5c\":");
	buf_span(&header, buf_view(&w.x5c));
	buf_str(&header, "}");
	buf_printf(&payload, "{\"exp\":%s,\"jti\":\"id6098364921\",\"iss\":\"%s\",\"atc\":{",
	    t->exp != NULL ? t->exp : "1800000600",
	    t->iss != NULL ? t->iss : "https://authority.example");
	buf_printf(&payload, "\"tktype\":\"%s\",\"tkvalue\":\"%s\",\"fingerprint\":\"%s\"",
	    t->tktype != NULL ? t->tktype : "TNAuthList",
	    t->tkvalue != NULL ? t->tkvalue : "MAigBhYEMTIzNA",
	    t->fingerprint != NULL ? t->fingerprint : w.jwk_print);
	buf_printf(&payload, "%s}}", t->ca != NULL ? t->ca : "");
	pki_jws(out, t->header != NULL ? t->header : buf_text(&header),
	    t->payload != NULL ? t->payload : buf_text(&payload), key);
}

/* ---- reading --------------------------------------------------------------------- */

static struct decode_case {
	const char *name;
	struct token_parts parts;
	const char *reason; /* NULL: decodes */
} decode_cases[] = {
	{ "good", { 0 }, NULL },
	{ "base64url", { .tkvalue = "MAigBhYEMTIzNA" }, NULL },
	{ "padded base64 (D-28)", { .tkvalue = "MAigBhYEMTIzNA==" }, NULL },
	{ "ca false", { .ca = ",\"ca\":false" }, NULL },
	{ "wrong padding", { .tkvalue = "MAigBhYEMTIzNA=" }, "base64" },
	{ "both alphabets", { .tkvalue = "-_+/" }, "base64" },
	{ "empty tkvalue", { .tkvalue = "" }, "authtoken_claim" },
	{ "ca is text", { .ca = ",\"ca\":\"false\"" }, "authtoken_claim" },
	{ "exp is text", { .exp = "\"1800000600\"" }, "authtoken_claim" },
	{ "exp is a fraction", { .exp = "1800000600.5" }, "malformed_json" },
	{ "member twice", { .ca = ",\"ca\":false,\"ca\":true" }, "duplicate_member" },
	{ "no atc", { .payload = "{\"exp\":1800000600,\"jti\":\"x\"}" }, "authtoken_claim" },
	{ "atc is text", { .payload = "{\"exp\":1800000600,\"jti\":\"x\",\"atc\":\"x\"}" },
	    "authtoken_claim" },
	{ "no jti (RFC 9447 s3.1)", { .payload = "{\"exp\":1800000600,\"atc\":{}}" },
	    "authtoken_claim" },
	{ "no fingerprint",
	    { .payload = "{\"exp\":1800000600,\"jti\":\"x\",\"atc\":{\"tktype\":\"TNAuthList\","
			 "\"tkvalue\":\"AAAA\"}}" },
	    "authtoken_claim" },
	{ "payload an array", { .payload = "[]" }, "authtoken_claim" },
	{ "payload no JSON", { .payload = "exp" }, "malformed_json" },
	{ "no certificate", { .header = "{\"alg\":\"ES256\",\"typ\":\"JWT\"}" },
	    "authtoken_syntax" },
	{ "alg none", { .header = "{\"alg\":\"none\",\"x5u\":\"https://a/\"}" },
	    "authtoken_syntax" },
	{ "typ passport",
	    { .header = "{\"alg\":\"ES256\",\"typ\":\"passport\",\"x5u\":\"https://a/\"}" },
	    "authtoken_syntax" },
	{ "crit", { .header = "{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"x5u\":\"https://a/\"}" },
	    "authtoken_syntax" },
	{ "x5c undecodable", { .header = "{\"alg\":\"ES256\",\"x5c\":[\"AAAA\"]}" },
	    "cert_der" },
	{ "x5c empty", { .header = "{\"alg\":\"ES256\",\"x5c\":[]}" }, "chain_x5c" },
};

static void
decodes(void **state)
{
	const struct decode_case *c = *state;
	static const uint8_t spc_1234[] = { 0x30, 0x08, 0xa0, 0x06, 0x16, 0x04, '1', '2', '3',
		'4' };
	AUTO_BUF jwt = BUF_INIT(65536);
	AUTO(authtoken) *t = NULL;
	struct fault f = { 0 };
	enum rc rc;

	make_token(&jwt, &c->parts, w.ta_key);
	rc = authtoken_decode(buf_view(&jwt), &t, &f);
	if (c->reason != NULL) {
		assert_int_equal(rc, RC_INVALID);
		assert_string_equal(f.reason, c->reason);
		assert_null(t);
		return;
	}
	assert_int_equal(rc, RC_OK);
	assert_true(span_eq(buf_view(&t->tkvalue), span_of(spc_1234, sizeof spc_1234)));
	assert_string_equal(t->tktype, "TNAuthList");
	assert_string_equal(t->jti, "id6098364921");
	assert_string_equal(t->iss, "https://authority.example");
	assert_null(t->sub);
	assert_int_equal(t->exp_s, 1800000600);
	assert_int_equal(t->x5c->len, 1);
	assert_false(t->ca);
}

static void
not_a_jws(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a.b.c", "not a token",
		"eyJhbGciOiJFUzI1NiJ9.e30" };
	struct authtoken *t = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct fault f = { 0 };

		assert_int_equal(authtoken_decode(span_str(bad[i]), &t, &f), RC_INVALID);
		assert_string_equal(f.reason, "authtoken_syntax");
	}
	assert_null(t);
}

/* ---- judging ---------------------------------------------------------------------- */

enum { ANCHOR_OWN, ANCHOR_OTHER, ANCHOR_NONE };
enum { PRINT_JWK, PRINT_SPKI, PRINT_OTHER };

static struct check_case {
	const char *name;
	struct token_parts parts;
	int print, anchor;
	bool other_key, by_x5u, x5u_chain;
	enum fingerprint_form form;
	const char *issuer;
	int64_t now_s;
	enum rc rc;
	const char *reason, *detail; /* detail: a part of it */
} check_cases[] = {
	{ "good", .rc = RC_OK },
	{ "good issuer", .issuer = "https://authority.example", .rc = RC_OK },
	{ "SPKI form", .print = PRINT_SPKI, .form = FINGERPRINT_SPKI, .rc = RC_OK },
	{ "by x5u", .by_x5u = true, .x5u_chain = true, .rc = RC_OK },
	{ "by x5u, nothing judged", .by_x5u = true, .anchor = ANCHOR_NONE, .rc = RC_OK },
	{ "without anchors", .anchor = ANCHOR_NONE, .rc = RC_OK },
	{ "last second (V-64)", .now_s = 1800000599, .rc = RC_OK },
	{ "by x5u, no certificate", .by_x5u = true, .rc = RC_DENIED,
	    .reason = "authtoken_chain" },
	{ "other anchor (RFC 9447 s3.1)", .anchor = ANCHOR_OTHER, .rc = RC_DENIED,
	    .reason = "authtoken_chain" },
	{ "authority expired", .now_s = PKI_NOW + 86401, .parts = { .exp = "1900000000" },
	    .rc = RC_DENIED, .reason = "authtoken_chain" },
	{ "expired (V-64)", .now_s = 1800000600, .rc = RC_EXPIRED,
	    .reason = "authtoken_expired" },
	{ "other type", .parts = { .tktype = "JWTClaimConstraints" }, .rc = RC_DENIED,
	    .reason = "authtoken_tktype" },
	{ "case of RFC 9447's sample (RFC 9447 s3.1)", .parts = { .tktype = "TnAuthList" },
	    .rc = RC_DENIED, .reason = "authtoken_tktype", .detail = "case" },
	{ "for a CA", .parts = { .ca = ",\"ca\":true" }, .rc = RC_DENIED,
	    .reason = "authtoken_ca" },
	{ "other account (RFC 9447 s3.2)", .print = PRINT_OTHER, .rc = RC_DENIED,
	    .reason = "authtoken_fingerprint", .detail = "another account" },
	{ "SPKI where JWK is due (D-29)", .print = PRINT_SPKI, .rc = RC_DENIED,
	    .reason = "authtoken_fingerprint", .detail = "it is the SPKI digest" },
	{ "JWK where SPKI is due", .form = FINGERPRINT_SPKI, .rc = RC_DENIED,
	    .reason = "authtoken_fingerprint", .detail = "it is the JWK thumbprint" },
	{ "other issuer", .issuer = "https://authority.example/", .rc = RC_DENIED,
	    .reason = "authtoken_issuer" },
	{ "other key", .other_key = true, .rc = RC_DENIED, .reason = "authtoken_signature" },
	{ "other key, no anchors", .other_key = true, .anchor = ANCHOR_NONE, .rc = RC_DENIED,
	    .reason = "authtoken_signature" },
};

static struct anchors *
anchors_of(int which)
{
	AUTO_BUF pem = BUF_INIT(10000);
	struct anchors *a = NULL;

	if (which == ANCHOR_NONE)
		return NULL;
	pki_pem(&pem, which == ANCHOR_OWN ? w.root : w.other_root);
	assert_int_equal(anchors_read_pem(buf_view(&pem), &a, NULL), RC_OK);
	return a;
}

static struct chain *
ta_chain(void)
{
	AUTO_BUF pem = BUF_INIT(10000);
	struct chain *c = NULL;

	pki_pem(&pem, w.ta);
	assert_int_equal(chain_read_pem(buf_view(&pem), false, &c, NULL), RC_OK);
	return c;
}

static void
checks(void **state)
{
	const struct check_case *c = *state;
	struct token_parts parts = c->parts;
	char spki[FINGERPRINT_TEXT];
	AUTO(anchors) *anchors = anchors_of(c->anchor);
	AUTO(chain) *chain = c->x5u_chain ? ta_chain() : NULL;
	AUTO(authtoken) *t = NULL;
	AUTO_BUF jwt = BUF_INIT(65536);
	struct fault f = { 0 };
	enum rc rc;

	spki_print(spki);
	if (c->print != PRINT_JWK)
		parts.fingerprint = c->print == PRINT_SPKI ? spki : "SHA256 00:11";
	if (c->by_x5u)
		parts.header = "{\"alg\":\"ES256\",\"x5u\":\"https://a.example/ta.pem\"}";
	make_token(&jwt, &parts, c->other_key ? w.other_key : w.ta_key);
	assert_int_equal(authtoken_decode(buf_view(&jwt), &t, &f), RC_OK);
	rc = authtoken_check(t, buf_view(&jwt),
	    &(struct authtoken_expect){ .tktype = "TNAuthList",
		.account_point = w.account,
		.form = c->form,
		.anchors = anchors,
		.x5u_chain = chain,
		.issuer = c->issuer,
		.now_s = c->now_s != 0 ? c->now_s : PKI_NOW },
	    &f);
	if (rc != c->rc)
		fail_msg("%s: %s: %s", rc_name(rc), f.reason, f.detail);
	if (rc == RC_OK)
		return;
	assert_string_equal(f.reason, c->reason);
	if (c->detail != NULL)
		assert_non_null(strstr(f.detail, c->detail));
}

/* ---- everything that is wrong ---------------------------------------------------------- */

/* mustInclude {rcd}; mustInclude {rcd, div} */
#define ONE_CLAIM  "MAmgBzAFFgNyY2Q"
#define TWO_CLAIMS "MA6gDDAKFgNyY2QWA2Rpdg"

static struct report_case {
	const char *name;
	struct token_parts parts;
	bool other_key, other_root, constraints, unknown;
	const char *verdicts; /* a letter a step: g b w u, in the order of the steps */
	enum authtoken_step step;
	const char *reason;
} report_cases[] = {
	/*   type value account ca exp iss chain signature parties binding */
	{ "all well", { 0 },
	    .verdicts = "gggggggg"
			"ug" },
	{ "case of tktype (RFC 9447 s3.1)", { .tktype = "TnAuthList" },
	    .verdicts = "bggggggg"
			"ug",
	    .step = AUTHTOKEN_TYPE, .reason = "authtoken_tktype" },
	{ "other numbers", { .tkvalue = "MAigBhYEOTk5OQ" },
	    .verdicts = "gbgggggg"
			"ug",
	    .step = AUTHTOKEN_VALUE, .reason = "authtok_numbers" },
	{ "padded numbers are the same", { .tkvalue = "MAigBhYEMTIzNA==" },
	    .verdicts = "gggggggg"
			"ug" },
	{ "another account", { .fingerprint = "SHA256 00:11" },
	    .verdicts = "ggbggggg"
			"ug",
	    .step = AUTHTOKEN_ACCOUNT, .reason = "authtoken_fingerprint" },
	{ "for a CA", { .ca = ",\"ca\":true" },
	    .verdicts = "gggbgggg"
			"ug",
	    .step = AUTHTOKEN_CA, .reason = "authtoken_ca" },
	{ "expired", { .exp = "1799999999" },
	    .verdicts = "ggggbggg"
			"ug",
	    .step = AUTHTOKEN_EXPIRY, .reason = "authtoken_expired" },
	{ "another issuer", { .iss = "https://other.example" },
	    .verdicts = "gggggbgg"
			"ug",
	    .step = AUTHTOKEN_ISSUER, .reason = "authtoken_issuer" },
	{ "another root", { 0 }, .other_root = true,
	    .verdicts = "ggggggbg"
			"ug",
	    .step = AUTHTOKEN_CHAIN, .reason = "authtoken_chain" },
	{ "another key", { 0 }, .other_key = true,
	    .verdicts = "gggggggb"
			"ug",
	    .step = AUTHTOKEN_SIGNATURE, .reason = "authtoken_signature" },
	{ "all at once",
	    { .tktype = "x",
		.tkvalue = "MAigBhYEOTk5OQ",
		.fingerprint = "SHA256 00",
		.ca = ",\"ca\":true",
		.exp = "1",
		.iss = "x" },
	    .other_key = true, .other_root = true,
	    .verdicts = "bbbbbbbb"
			"ug",
	    .step = AUTHTOKEN_SIGNATURE, .reason = "authtoken_signature" },
	{ "by x5u, fetched by nobody",
	    { .header = "{\"alg\":\"ES256\",\"x5u\":\"https://a.example/ta.pem\"}" },
	    .verdicts = "gggggguu"
			"ug" },
	{ "nothing is known", { 0 }, .unknown = true,
	    .verdicts = "uuugguug"
			"ug" },
	{ "constraints, narrower is more", { .tkvalue = TWO_CLAIMS }, .constraints = true,
	    .verdicts = "gggggggg"
			"ww" },
	{ "constraints on nothing that was asked", { .tkvalue = "MAmgBzAFFgNkaXY" },
	    .constraints = true,
	    .verdicts = "gbgggggg"
			"ww",
	    .step = AUTHTOKEN_VALUE, .reason = "authtok_wider" },
	{ "constraints that are none", { .tkvalue = "AAAA" }, .constraints = true,
	    .verdicts = "gbgggggg"
			"ww",
	    .step = AUTHTOKEN_VALUE, .reason = NULL },
};

static void
reports(void **state)
{
	const struct report_case *c = *state;
	AUTO(anchors) *anchors = anchors_of(c->other_root ? ANCHOR_OTHER : ANCHOR_OWN);
	AUTO_BUF jwt = BUF_INIT(65536), want = BUF_INIT(100);
	AUTO(authtoken) *t = NULL;
	struct authtoken_finding got[AUTHTOKEN__STEPS];
	struct authtoken_expect e = { .tktype = "TNAuthList",
		.account_point = w.account,
		.anchors = anchors,
		.issuer = "https://authority.example",
		.now_s = 1800000000 };
	struct authtoken_wanted wanted = { .constraints = c->constraints };
	static const char letters[] = "ugwb";
	char verdicts[AUTHTOKEN__STEPS + 1] = "";

	make_token(&jwt, &c->parts, c->other_key ? w.other_key : w.ta_key);
	assert_int_equal(authtoken_decode(buf_view(&jwt), &t, NULL), RC_OK);
	assert_int_equal(b64_decode(&want, B64_URL,
			     span_str(c->constraints ? ONE_CLAIM : "MAigBhYEMTIzNA"), NULL),
	    RC_OK);
	wanted.tkvalue = buf_view(&want);
	if (c->unknown) {
		e = (struct authtoken_expect){ .now_s = e.now_s };
		wanted.tkvalue.len = 0;
	}
	assert_int_equal(authtoken_report(t, buf_view(&jwt), &e, &wanted, got, NULL), RC_OK);
	for (size_t i = 0; i < AUTHTOKEN__STEPS; i++) {
		verdicts[i] = letters[got[i].verdict];
		assert_true(got[i].why.detail[0] != 0);
		assert_int_equal(got[i].verdict == AUTHTOKEN_BAD, got[i].why.rc != RC_OK);
	}
	assert_string_equal(verdicts, c->verdicts);
	if (c->reason != NULL)
		assert_string_equal(got[c->step].why.reason, c->reason);
}

/* V-61, V-64: what a claim agent should say, and by what it is bound to numbers. */
static void
agents_token(void **state)
{
	static const char *const evidence[] = { "",
		",\"evidence\":{\"tktype\":\"TNAuthList\"}" };
	const struct authtoken_wanted wanted = { .constraints = true };
	struct authtoken_finding got[AUTHTOKEN__STEPS];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(evidence); i++) {
		AUTO_BUF jwt = BUF_INIT(65536), payload = BUF_INIT(4096);
		AUTO(authtoken) *t = NULL;
		struct token_parts parts = { 0 };

		buf_printf(&payload,
		    "{\"exp\":1800000600,\"jti\":\"1\",\"iss\":\"agent\",\"sub\":\"acme\"%s,"
		    "\"atc\":{\"tktype\":\"JWTClaimConstraints\",\"tkvalue\":\"" ONE_CLAIM
		    "\",\"fingerprint\":\"%s\"}}",
		    evidence[i], w.jwk_print);
		parts.payload = buf_text(&payload);
		make_token(&jwt, &parts, w.ta_key);
		assert_int_equal(authtoken_decode(buf_view(&jwt), &t, NULL), RC_OK);
		assert_int_equal(
		    authtoken_report(t, buf_view(&jwt),
			&(struct authtoken_expect){ .now_s = 1800000000 }, &wanted, got, NULL),
		    RC_OK);
		assert_int_equal(got[AUTHTOKEN_PARTIES].verdict, AUTHTOKEN_GOOD);
		assert_string_equal(got[AUTHTOKEN_PARTIES].why.detail, "agent for acme");
		assert_int_equal(
		    got[AUTHTOKEN_BINDING].verdict, i == 0 ? AUTHTOKEN_WARNED : AUTHTOKEN_GOOD);
	}
}

/* What libstirshaken's tests have as a token: neither exp nor jti nor atc. */
static void
token_of_libstirshaken(void **state)
{
	static const char text[] =
	    "eyJhbGciOiJFUzI1NiIsImlzc3VlciI6IlNpZ25hbFdpcmUgU1RJLVBBIFRlc3Qi"
	    "LCJ0eXAiOiJKV1QiLCJ4NXUiOiJodHRwczovL3BhLnNoYWtlbi5zaWduYWx3aXJl"
	    "LmNsb3VkL3BhLnBlbSJ9.eyJub3RBZnRlciI6IjEgeWVhciBmcm9tIG5vdyIsIm5"
	    "vdEJlZm9yZSI6InRvZGF5Iiwic3BjIjoiMSIsInR5cGUiOiJzcGMtdG9rZW4ifQ."
	    "Gv8WAB2S_FhEnm_sgoaHznC1rlYXCIFz01GBXg6WbVAWFKT6f4BhskFcmTTfXaOi"
	    "p2rr0aOHWktFH0j_4kFiPw";
	struct authtoken *t = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(authtoken_decode(span_str(text), &t, &f), RC_INVALID);
	assert_string_equal(f.reason, "authtoken_claim");
	assert_null(t);
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(decode_cases) + ARRAY_LEN(check_cases) +
				       ARRAY_LEN(report_cases) + 3];
	size_t n = 0;

	ROWS(tests, n, decode_cases, decodes);
	ROWS(tests, n, check_cases, checks);
	ROWS(tests, n, report_cases, reports);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(not_a_jws);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(token_of_libstirshaken);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(agents_token);
	return cmocka_run_group_tests(tests, make_world, drop_world);
}
