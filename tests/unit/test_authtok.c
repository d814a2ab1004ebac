/* authtok: what is asked of an authority, and which tokens are not used */
#include "agent/renewer/authtok.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stir/b64.h"
#include "tests/unit/cm.h"
#include "tests/unit/pki.h"
#include "tests/unit/rows.h"

static struct {
	EVP_PKEY *account, *other, *root, *authority, *stranger;
	X509 *root_cert, *authority_cert, *stranger_cert, *unlisted_cert;
	struct acme_account acct;
	struct anchors *anchors;
	struct buf tnauth, more_numbers, fewer, constraints, narrower, wider, other_claim;
} s;

static void
put_constraints(struct buf *out, const char *claim, const char *values)
{
	char claim_text[16], *value[4], letter[4][2];
	struct permitted p = { .claim = claim_text, .value = value, .values = strlen(values) };
	struct constraints c = { .form = CONSTRAINTS_JWT, .permitted = &p, .permitteds = 1 };

	*out = BUF_INIT(4096);
	snprintf(claim_text, sizeof claim_text, "%s", claim);
	for (size_t i = 0; i < p.values; i++) {
		snprintf(letter[i], 2, "%c", values[i]);
		value[i] = letter[i];
	}
	assert_int_equal(constraints_encode(out, &c, NULL), RC_OK);
}

static int
set_up(void **state)
{
	AUTO_BUF pem = BUF_INIT(65536);
	uint8_t hash[32];

	(void)state;
	s.account = pki_p256();
	s.other = pki_p256();
	s.root = pki_p256();
	s.authority = pki_p256();
	s.stranger = pki_p256();
	s.root_cert = pki_issue(&(struct pki_spec){ .cn = "root", .key = s.root, .ca = true });
	s.authority_cert = pki_issue(&(struct pki_spec){
	    .cn = "ta", .key = s.authority, .issuer = s.root_cert, .issuer_key = s.root });
	s.unlisted_cert = pki_issue(&(struct pki_spec){
	    .cn = "other", .key = s.authority, .issuer = s.root_cert, .issuer_key = s.root });
	s.stranger_cert = pki_issue(&(struct pki_spec){ .cn = "stranger", .key = s.stranger });
	pki_pem(&pem, s.root_cert);
	assert_int_equal(anchors_read_pem(buf_view(&pem), &s.anchors, NULL), RC_OK);
	assert_int_equal(p256_point(s.account, s.acct.point, NULL), RC_OK);
	jwk_thumbprint(s.acct.point, hash);
	fingerprint_text(hash, s.acct.jwk_fingerprint);
	snprintf(s.acct.spki_fingerprint, sizeof s.acct.spki_fingerprint, "%s",
	    s.acct.jwk_fingerprint);
	s.acct.spki_fingerprint[7] = s.acct.jwk_fingerprint[7] == '0' ? '1' : '0';
	s.tnauth = s.more_numbers = s.fewer = BUF_INIT(4096);
	pki_tnauth_one(&s.tnauth, "12025550100");
	pki_tnauth_one(&s.more_numbers, "12025550101");
	pki_tnauth_spc(&s.fewer, "1234");
	put_constraints(&s.constraints, "attest", "AB");
	put_constraints(&s.narrower, "attest", "A");
	put_constraints(&s.wider, "attest", "ABC");
	put_constraints(&s.other_claim, "origid", "A");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	EVP_PKEY_free(s.account);
	EVP_PKEY_free(s.other);
	EVP_PKEY_free(s.root);
	EVP_PKEY_free(s.authority);
	EVP_PKEY_free(s.stranger);
	X509_free(s.root_cert);
	X509_free(s.authority_cert);
	X509_free(s.stranger_cert);
	X509_free(s.unlisted_cert);
	anchors_free(s.anchors);
	buf_free(&s.tnauth);
	buf_free(&s.more_numbers);
	buf_free(&s.fewer);
	buf_free(&s.constraints);
	buf_free(&s.narrower);
	buf_free(&s.wider);
	buf_free(&s.other_claim);
	return 0;
}

/* ---- judging ---- */

enum oddity {
	FINE,
	OTHER_KEY, /* fingerprint of another account */
	CA_FLAG,
	EXPIRED,
	EXPIRING,
	OTHER_SIGNER, /* signed by a key that is not the certificate's */
	STRANGER,     /* a certificate that leads to no anchor */
	OTHER_ISSUER,
	NO_ISSUER,
	OTHER_SIGNER_NAME, /* under the same root, of a name that is not listed */
	TYPE_CASE,
	PADDED, /* tkvalue in padded standard base64 (D-28) */
};

static struct judge_case {
	const char *name;
	bool constraints;
	struct buf *granted;
	enum oddity odd;
	enum rc rc;
	const char *reason; /* NULL: good */
} judge_cases[] = {
	{ "numbers", false, &s.tnauth, FINE, RC_OK, NULL },
	{ "numbers, padded", false, &s.tnauth, PADDED, RC_OK, NULL },
	{ "constraints", true, &s.constraints, FINE, RC_OK, NULL },
	{ "narrower constraints", true, &s.narrower, FINE, RC_OK, NULL },
	{ "other numbers (RFC 9447 s5)", false, &s.more_numbers, FINE, RC_DENIED,
	    "authtok_numbers" },
	{ "a code for numbers", false, &s.fewer, FINE, RC_DENIED, "authtok_numbers" },
	{ "constraints for numbers", false, &s.constraints, FINE, RC_DENIED,
	    "authtok_numbers" },
	{ "wider constraints (RFC 9447 s5)", true, &s.wider, FINE, RC_DENIED, "authtok_wider" },
	{ "constraints on another claim (V-62)", true, &s.other_claim, FINE, RC_DENIED,
	    "authtok_wider" },
	{ "another account", false, &s.tnauth, OTHER_KEY, RC_DENIED, "authtoken_fingerprint" },
	{ "for a CA (RFC 9060 s8)", false, &s.tnauth, CA_FLAG, RC_DENIED, "authtoken_ca" },
	{ "expired", false, &s.tnauth, EXPIRED, RC_EXPIRED, "authtoken_expired" },
	{ "about to expire", false, &s.tnauth, EXPIRING, RC_EXPIRED, "authtoken_expired" },
	{ "wrong signature", false, &s.tnauth, OTHER_SIGNER, RC_DENIED, "authtoken_signature" },
	{ "unknown signer", false, &s.tnauth, STRANGER, RC_DENIED, "authtoken_chain" },
	{ "unlisted issuer (V-70, V-87)", false, &s.tnauth, OTHER_ISSUER, RC_DENIED,
	    "authtok_issuer" },
	{ "no issuer (V-61)", false, &s.tnauth, NO_ISSUER, RC_DENIED, "authtok_issuer" },
	{ "unlisted signer that claims a listed name", false, &s.tnauth, OTHER_SIGNER_NAME,
	    RC_DENIED, "authtok_issuer" },
	{ "type in another case", false, &s.tnauth, TYPE_CASE, RC_DENIED, "authtoken_tktype" },
};

static void
make_token(struct buf *out, const struct judge_case *c)
{
	AUTO_BUF value = BUF_INIT(8192), x5c = BUF_INIT(65536), header = BUF_INIT(65536);
	X509 *cert = c->odd == STRANGER		   ? s.stranger_cert
		     : c->odd == OTHER_SIGNER_NAME ? s.unlisted_cert
						   : s.authority_cert;
	const char *type = c->constraints ? "JWTClaimConstraints" : "TNAuthList";
	json_auto_t *claims = NULL;
	AUTO_FREE char *text = NULL;

	b64_encode(&value, c->odd == PADDED ? B64_STD : B64_URL, buf_view(c->granted));
	claims = json_pack("{s:I, s:s, s:{s:s, s:s, s:b, s:s}}", "exp",
	    (json_int_t)(PKI_NOW + (c->odd == EXPIRED	    ? -1
				       : c->odd == EXPIRING ? AUTHTOK_MARGIN_S
							    : 600)),
	    "jti", "1", "atc", "tktype", c->odd == TYPE_CASE ? "TnAuthList" : type, "tkvalue",
	    buf_text(&value), "ca", c->odd == CA_FLAG, "fingerprint",
	    c->odd == OTHER_KEY ? s.acct.spki_fingerprint : s.acct.jwk_fingerprint);
	if (c->odd != NO_ISSUER)
		json_object_set_new(
		    claims, "iss", json_string(c->odd == OTHER_ISSUER ? "X" : "TA"));
	text = json_dumps(claims, JSON_COMPACT);
	pki_x5c(&x5c, &cert, 1);
	buf_str(&header, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"x5c\":");
	buf_span(&header, buf_view(&x5c));
	buf_byte(&header, '}');
	pki_jws(out, buf_text(&header), text,
	    c->odd == STRANGER	     ? s.stranger
	    : c->odd == OTHER_SIGNER ? s.other
				     : s.authority);
}

static struct authtok_want
want_of(const struct config_authority *a, bool constraints)
{
	return (struct authtok_want){ .authority = a,
		.tktype = constraints ? "JWTClaimConstraints" : "TNAuthList",
		.der = buf_view(constraints ? &s.constraints : &s.tnauth),
		.constraints = constraints,
		.form = CONSTRAINTS_JWT,
		.account = &s.acct,
		.anchors = s.anchors };
}

static void
judge(void **state)
{
	const struct judge_case *c = *state;
	char *issuer[] = { (char[]){ "NA" }, (char[]){ "TA" }, (char[]){ "ta" } };
	struct config_authority a = { .name = (char[]){ "ta" }, .issuers = { issuer, 3 } };
	struct authtok_want w = want_of(&a, c->constraints);
	AUTO_BUF token = BUF_INIT(65536);
	struct authtok_grant g = { 0 };
	struct fault f = { 0 };
	enum rc rc;

	make_token(&token, c);
	rc = authtok_judge(&w, buf_view(&token), NULL, PKI_NOW, &g, &f);
	if (c->reason != NULL) {
		assert_string_equal(f.reason, c->reason);
		assert_int_equal(rc, c->rc);
		assert_null(g.token);
		return;
	}
	assert_int_equal(rc, RC_OK);
	assert_int_equal(g.exp_s, PKI_NOW + 600);
	assert_true(span_eq(buf_view(&g.der), buf_view(c->granted)));
	assert_true(span_is(buf_view(&token), g.token));
	authtok_grant_done(&g);
}

/* ---- asking ---- */

static struct body_case {
	const char *name;
	struct config_authority authority;
	const char *evidence;
	bool wrapped, spki;
} body_cases[] = {
	{ "flat", { .dialect = AUTHORITY_RFC9448 }, NULL, false, false },
	{ "flat, SPKI", { .dialect = AUTHORITY_RFC9448, .spki_fingerprint = true }, NULL, false,
	    true },
	{ "flat, evidence", { .dialect = AUTHORITY_RFC9448 }, "a.b.c", false, false },
	{ "wrapped (D-30)", { .dialect = AUTHORITY_STI_PA }, NULL, true, false },
	{ "wrapped, SPKI, evidence", { .dialect = AUTHORITY_STI_PA, .spki_fingerprint = true },
	    "a.b.c", true, true },
};

static const char *
text_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

/* RFC 9447 s5, D-28 */
static void
body(void **state)
{
	const struct body_case *c = *state;
	struct authtok_want w = want_of(&c->authority, false);
	AUTO_BUF out = BUF_INIT(65536), value = BUF_INIT(8192);
	json_auto_t *root = NULL;
	const json_t *atc;

	w.evidence = c->evidence;
	assert_int_equal(authtok_body(&out, &w, NULL), RC_OK);
	root = json_loadb((const char *)out.ptr, out.len, JSON_REJECT_DUPLICATES, NULL);
	atc = c->wrapped ? json_object_get(root, "atc") : root;
	assert_string_equal(text_of(atc, "tktype"), "TNAuthList");
	assert_true(json_is_false(json_object_get(atc, "ca")));
	assert_string_equal(text_of(atc, "fingerprint"),
	    c->spki ? s.acct.spki_fingerprint : s.acct.jwk_fingerprint);
	b64_encode(&value, c->wrapped ? B64_STD : B64_URL, w.der);
	assert_string_equal(text_of(atc, "tkvalue"), buf_text(&value));
	if (c->evidence != NULL)
		assert_string_equal(text_of(root, "evidence"), c->evidence);
	else
		assert_null(json_object_get(root, "evidence"));
	assert_int_equal(
	    json_object_size(root), (c->wrapped ? 1 : 4) + (size_t)(c->evidence != NULL));
}

static struct url_case {
	const char *name, *url, *account, *expected;
} url_cases[] = {
	{ "plain", "https://ta.example", "acme", "https://ta.example/at/account/acme/token" },
	{ "slashes at the end", "https://ta.example/x//", "acme",
	    "https://ta.example/x/at/account/acme/token" },
	{ "an account that is a path (RFC 9448 s5.5)", "https://ta.example", "../admin?x#y",
	    "https://ta.example/at/account/..%2Fadmin%3Fx%23y/token" },
	{ "an account beyond ASCII", "https://ta.example", "\xc3\xa9",
	    "https://ta.example/at/account/%C3%A9/token" },
	{ "no account", "https://ta.example", NULL, NULL },
	{ "empty account", "https://ta.example", "", NULL },
};

static void
url(void **state)
{
	const struct url_case *c = *state;
	AUTO_FREE char *base = strdup(c->url);
	AUTO_FREE char *account = c->account != NULL ? strdup(c->account) : NULL;
	struct config_authority a = {
		.name = (char[]){ "ta" }, .url = base, .account = account
	};
	AUTO_BUF out = BUF_INIT(1024);
	struct fault f = { 0 };

	if (c->expected == NULL) {
		assert_int_equal(authtok_url(&out, &a, &f), RC_DENIED);
		assert_string_equal(f.reason, "authtok_account");
		return;
	}
	assert_int_equal(authtok_url(&out, &a, &f), RC_OK);
	assert_string_equal(buf_text(&out), c->expected);
}

/* ---- the exchange ---- */

static struct {
	io_http_done *done;
	void *arg;
	char url[256];
	char user[32], secret[32], tls_cert[32], tls_key[32];
	unsigned requests, results;
	enum rc rc;
	char reason[32], detail[256];
	int64_t retry_after_s;
} x;

static enum rc
script_http(
    void *ctx, const struct http_request *r, io_http_done *done, void *arg, struct fault *f)
{
	(void)ctx;
	(void)f;
	x.done = done;
	x.arg = arg;
	x.requests++;
	snprintf(x.url, sizeof x.url, "%s", r->url);
	snprintf(x.user, sizeof x.user, "%s", r->user != NULL ? r->user : "");
	snprintf(x.secret, sizeof x.secret, "%s", r->bearer != NULL ? r->bearer : "");
	snprintf(x.tls_cert, sizeof x.tls_cert, "%s", r->tls_cert != NULL ? r->tls_cert : "");
	snprintf(x.tls_key, sizeof x.tls_key, "%.*s", (int)r->tls_key.len,
	    r->tls_key.len > 0 ? (const char *)r->tls_key.ptr : "");
	return RC_OK;
}

static int64_t
script_now(void *ctx)
{
	(void)ctx;
	return PKI_NOW * 1000;
}

static void
on_grant(void *arg, enum rc rc, struct authtok_grant *g, const struct fault *f,
    int64_t retry_after_s)
{
	(void)arg;
	assert_int_equal(g != NULL, rc == RC_OK);
	x.results++;
	x.rc = rc;
	x.retry_after_s = retry_after_s;
	snprintf(x.reason, sizeof x.reason, "%s", rc != RC_OK ? f->reason : "");
	snprintf(x.detail, sizeof x.detail, "%s", rc != RC_OK ? f->detail : "");
}

static void
reply_as(const char *type, long status, struct span text, int64_t retry_after_s)
{
	struct http_answer a = { .status = status, .retry_after_s = retry_after_s };

	a.body = BUF_INIT(HTTP_BODY_MAX);
	buf_span(&a.body, text);
	if (type != NULL)
		snprintf(a.content_type, sizeof a.content_type, "%s", type);
	x.done(x.arg, RC_OK, &a, NULL);
	buf_free(&a.body);
}

static void
reply(long status, struct span text, int64_t retry_after_s)
{
	reply_as(NULL, status, text, retry_after_s);
}

#define JSON	"application/json"
#define PROBLEM "application/problem+json"
#define TYPE(t) "{\"type\":\"urn:ietf:params:acme:error:" t "\"}"

static struct exchange_case {
	const char *name;
	long status;
	const char *body; /* NULL: a good token */
	int64_t retry_after_s;
	enum rc rc;
	const char *reason, *type;
} exchange_cases[] = {
	{ "good", 200, NULL, -1, RC_OK, "", NULL },
	{ "not JSON", 200, "<html>", -1, RC_INVALID, "authtok_answer", NULL },
	{ "no token", 200, "{}", -1, RC_INVALID, "authtok_answer", NULL },
	{ "token of another type", 200, "{\"token\":7}", -1, RC_INVALID, "authtok_answer",
	    NULL },
	{ "token that is none", 200, "{\"token\":\"x\"}", -1, RC_INVALID, "authtoken_syntax",
	    NULL },
	{ "refused", 403, "{}", -1, RC_DENIED, "acme_problem", NULL },
	/* RFC 9448 section 5.5: that alone is a refusal of the right to use. */
	{ "a gateway's 403", 403, "", -1, RC_DENIED, "http_status", NULL },
	{ "a gateway's 403, in JSON", 403, "{\"message\":\"Forbidden\"}", -1, RC_DENIED,
	    "acme_problem", JSON },
	{ "a type that is no problem's", 403, TYPE("unauthorized"), -1, RC_DENIED,
	    "acme_unauthorized", JSON },
	{ "a problem without a type", 403, "{}", -1, RC_DENIED, "acme_problem", PROBLEM },
	{ "an empty problem", 403, "", -1, RC_DENIED, "http_status", PROBLEM },
	{ "the right refused, by a problem", 403, TYPE("unauthorized"), -1, RC_DENIED,
	    AUTHTOK_REFUSED, PROBLEM },
	{ "the identifier rejected", 403, TYPE("rejectedIdentifier"), -1, RC_DENIED,
	    AUTHTOK_REFUSED, PROBLEM },
	{ "a proxy's page", 403, "<html>", -1, RC_DENIED, "http_status", "text/html" },
	{ "a proxy's JSON in HTML", 403, "{}", -1, RC_DENIED, "acme_problem", "text/html" },
	{ "too many", 403, TYPE("rateLimited"), -1, RC_BUSY, "acme_rate_limited", PROBLEM },
	{ "terms", 403, TYPE("userActionRequired"), -1, RC_DENIED, "acme_user_action",
	    PROBLEM },
	{ "its trouble", 403, TYPE("serverInternal"), -1, RC_NET, "acme_server_internal",
	    PROBLEM },
	{ "secret refused, by a problem", 401, TYPE("unauthorized"), -1, RC_DENIED,
	    "acme_unauthorized", PROBLEM },
	{ "no such account, by a problem", 404, TYPE("unauthorized"), -1, RC_DENIED,
	    "acme_unauthorized", PROBLEM },
	{ "bad request", 400, TYPE("rejectedIdentifier"), -1, RC_DENIED,
	    "acme_rejected_identifier", PROBLEM },
	{ "secret refused", 401, "", -1, RC_DENIED, "http_status", NULL },
	{ "no such account", 404, "", -1, RC_DENIED, "http_status", NULL },
	{ "moved", 301, "", -1, RC_DENIED, "http_status", NULL },
	{ "busy", 429, "", 30, RC_BUSY, "http_status", NULL },
	{ "down", 503, "", 7, RC_NET, "http_status", NULL },
};

static void
exchange(void **state)
{
	const struct exchange_case *c = *state;
	struct config_authority a = { .name = (char[]){ "ta" },
		.url = (char[]){ "https://ta.example" },
		.account = (char[]){ "acme" } };
	struct authtok_want w = want_of(&a, false);
	struct io io = { .http = script_http, .now_ms = script_now };
	AUTO_BUF token = BUF_INIT(65536), text = BUF_INIT(65536);

	memset(&x, 0, sizeof x);
	assert_int_equal(authtok_request(&io, &w, on_grant, NULL, NULL), RC_OK);
	assert_string_equal(x.url, "https://ta.example/at/account/acme/token");
	make_token(&token, &judge_cases[0]);
	buf_str(&text, "{\"token\":\"");
	buf_span(&text, buf_view(&token));
	buf_str(&text, "\"}");
	reply_as(c->type, c->status, c->body != NULL ? span_str(c->body) : buf_view(&text),
	    c->retry_after_s);
	assert_int_equal(x.results, 1);
	assert_int_equal(x.rc, c->rc);
	assert_string_equal(x.reason, c->reason);
	assert_int_equal(x.retry_after_s, c->retry_after_s);
}

/* The signer's certificate behind x5u is fetched, and judged like one in the header. */
static void
signer_by_x5u(void **state)
{
	static const char header[] =
	    "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"x5u\":\"https://ta.example/c.pem\"}";
	struct config_authority a = { .name = (char[]){ "ta" },
		.url = (char[]){ "https://ta.example" },
		.account = (char[]){ "acme" } };
	struct authtok_want w = want_of(&a, false);
	struct io io = { .http = script_http, .now_ms = script_now };
	X509 *const cert[] = { s.authority_cert, s.stranger_cert };
	static const char *const reason[] = { "", "authtoken_chain" };
	AUTO_BUF value = BUF_INIT(8192), token = BUF_INIT(65536), text = BUF_INIT(65536);
	AUTO_FREE char *claims = NULL;
	json_auto_t *root = NULL;

	(void)state;
	b64_encode(&value, B64_URL, buf_view(&s.tnauth));
	root = json_pack("{s:I, s:s, s:{s:s, s:s, s:s}}", "exp", (json_int_t)(PKI_NOW + 600),
	    "jti", "1", "atc", "tktype", "TNAuthList", "tkvalue", buf_text(&value),
	    "fingerprint", s.acct.jwk_fingerprint);
	claims = json_dumps(root, JSON_COMPACT);
	pki_jws(&token, header, claims, s.authority);
	buf_str(&text, "{\"token\":\"");
	buf_span(&text, buf_view(&token));
	buf_str(&text, "\"}");
	for (size_t i = 0; i < ARRAY_LEN(cert); i++) {
		AUTO_BUF pem = BUF_INIT(65536);

		memset(&x, 0, sizeof x);
		pki_pem(&pem, cert[i]);
		assert_int_equal(authtok_request(&io, &w, on_grant, NULL, NULL), RC_OK);
		reply(200, buf_view(&text), -1);
		assert_int_equal(x.results, 0);
		assert_int_equal(x.requests, 2);
		assert_string_equal(x.url, "https://ta.example/c.pem");
		reply(200, buf_view(&pem), -1);
		assert_int_equal(x.results, 1);
		assert_string_equal(x.reason, reason[i]);
	}
}

/* ---- who we are to it ---- */

static void
put_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
authenticates(void **state)
{
	char dir[] = "/tmp/vesper-authtok-XXXXXX", secret[64], key[64];
	char secret_path[96], key_path[96];
	struct config_authority a = { .name = (char[]){ "ta" },
		.url = (char[]){ "https://ta.example" },
		.account = (char[]){ "acme" },
		.user = (char[]){ "us" },
		.tls_cert = (char[]){ "ours.pem" } };
	struct authtok_want w = want_of(&a, false);
	struct io io = { .http = script_http, .now_ms = script_now };
	struct fault f = { 0 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(secret, sizeof secret, "%s/secret", dir);
	snprintf(key, sizeof key, "%s/key", dir);
	snprintf(secret_path, sizeof secret_path, "file:%s", secret);
	snprintf(key_path, sizeof key_path, "file:%s", key);
	a.secret.text = secret_path;
	a.tls_key.text = key_path;
	put_file(secret, "hush\n");
	memset(&x, 0, sizeof x);
	/* A secret that cannot be read is not left out. */
	assert_int_equal(authtok_request(&io, &w, on_grant, NULL, &f), RC_NOT_FOUND);
	assert_int_equal(x.requests, 0);
	put_file(key, "the key\n");
	assert_int_equal(authtok_request(&io, &w, on_grant, NULL, NULL), RC_OK);
	assert_string_equal(x.user, "us");
	assert_string_equal(x.secret, "hush");
	assert_string_equal(x.tls_cert, "ours.pem");
	assert_string_equal(x.tls_key, "the key");
	reply(401,
	    span_str("{\"message\":\"'Bearer hush' and 'Basic dXM6aHVzaA==' are no pairs\"}"),
	    -1);
	assert_non_null(strstr(x.detail, "'Bearer ~' and 'Basic ~' are no pairs"));
	a.dialect = AUTHORITY_STI_PA;
	assert_int_equal(authtok_request(&io, &w, on_grant, NULL, NULL), RC_OK);
	reply(200, span_str("{\"status\":\"hush\",\"message\":\"hush, 12025550100\"}"), -1);
	assert_non_null(strstr(x.detail, "says ~: ~, 120********"));
	a.dialect = AUTHORITY_RFC9448;
	assert_int_equal(chmod(key, 0644), 0);
	assert_int_equal(authtok_request(&io, &w, on_grant, NULL, NULL), RC_INVALID);
	assert_int_equal(unlink(key) | unlink(secret) | rmdir(dir), 0);
}

/* ---- what a policy administrator says with status 200 ---- */

static void
says_no(void **state)
{
	struct config_authority a = { .name = (char[]){ "pa" },
		.url = (char[]){ "https://pa.example" },
		.account = (char[]){ "1234" },
		.dialect = AUTHORITY_STI_PA };
	struct authtok_want w = want_of(&a, false);
	struct io io = { .http = script_http, .now_ms = script_now };

	(void)state;
	memset(&x, 0, sizeof x);
	assert_int_equal(authtok_request(&io, &w, on_grant, NULL, NULL), RC_OK);
	assert_string_equal(x.url, "https://pa.example/api/v1/account/1234/token");
	reply(200,
	    span_str("{\"status\":\"error\",\"message\":\"not yours\",\"token\":\"a.b.c\"}"),
	    -1);
	assert_int_equal(x.rc, RC_DENIED);
	assert_string_equal(x.reason, "authtok_status");
}

/* ---- one that is here already ---- */

static struct given_case {
	const char *name;
	enum oddity odd;
	const char *before, *behind, *instead;
	enum rc rc;
	const char *reason;
} given_cases[] = {
	{ "good", FINE, "", "", NULL, RC_OK, NULL },
	{ "a line feed behind it", FINE, "", " \r\n", NULL, RC_OK, NULL },
	{ "something before it", FINE, "x", "", NULL, RC_INVALID, NULL },
	{ "nothing", FINE, "", "", "", RC_INVALID, "authtoken_syntax" },
	{ "a blank", FINE, "", "", "\n", RC_INVALID, "authtoken_syntax" },
	{ "another account's", OTHER_KEY, "", "", NULL, RC_DENIED, "authtoken_fingerprint" },
	{ "an expired one", EXPIRED, "", "", NULL, RC_EXPIRED, "authtoken_expired" },
	{ "a stranger's", STRANGER, "", "", NULL, RC_DENIED, "authtoken_chain" },
};

static void
given(void **state)
{
	const struct given_case *c = *state;
	struct judge_case good = judge_cases[0];
	struct config_authority a = { .name = (char[]){ "ta" }, .source = SOURCE_PUSH };
	struct authtok_want w = want_of(&a, false);
	struct io io = { .http = script_http, .now_ms = script_now };
	AUTO_BUF token = BUF_INIT(65536), text = BUF_INIT(65536);
	struct authtok_grant g = { 0 };
	struct fault f = { 0 };
	bool waiting = true;
	enum rc rc;

	memset(&x, 0, sizeof x);
	good.odd = c->odd;
	make_token(&token, &good);
	buf_str(&text, c->instead != NULL ? c->instead : c->before);
	if (c->instead == NULL)
		buf_span(&text, buf_view(&token));
	buf_str(&text, c->behind);
	rc = authtok_given(&io, &w, buf_view(&text), on_grant, NULL, &waiting, &g, &f);
	assert_int_equal(rc, c->rc);
	assert_int_equal(x.requests + x.results, 0);
	if (rc != RC_OK) {
		assert_null(g.token);
		if (c->reason != NULL)
			assert_string_equal(f.reason, c->reason);
		return;
	}
	assert_false(waiting);
	assert_string_equal(g.token, buf_text(&token));
	authtok_grant_done(&g);
}

int
main(void)
{
	struct CMUnitTest tests[80] = { cmocka_unit_test(signer_by_x5u),
		cmocka_unit_test(authenticates), cmocka_unit_test(says_no) };
	size_t n = 3;

	ROWS(tests, n, given_cases, given);

	ROWS(tests, n, judge_cases, judge);
	ROWS(tests, n, body_cases, body);
	ROWS(tests, n, url_cases, url);
	ROWS(tests, n, exchange_cases, exchange);
	return _cmocka_run_group_tests("authtok", tests, n, set_up, tear_down);
}
