#include "agent/renewer/authtok.h"

#include <stdio.h>

#include <openssl/crypto.h>

#include "agent/renewer/problem.h"
#include "agent/renewer/record.h"
#include "agent/secret.h"
#include "stir/b64.h"
#include "stir/jtext.h"

enum {
	AUTHTOK_BODY_MAX = 262144,
	AUTHTOK_SECRET_MAX = 1024,
	AUTHTOK_PAIR_MAX = 8192, /* user and secret */
	AUTHTOK_KEY_MAX = 16384,
	AUTHTOK_SIGNER_MAX = 65536
};

struct request {
	const struct io *io;
	struct authtok_want want;
	authtok_done *done;
	void *arg;
	char *token; /* waits for its signer's certificate */
	struct buf signer;
	struct buf secret, basic; /* what was sent, and how: a refusal may quote it */
};

static void
wipe_text(char *text)
{
	if (text == NULL)
		return;
	OPENSSL_cleanse(text, strlen(text));
	free(text);
}

static void
request_free(struct request *r)
{
	if (r == NULL)
		return;
	wipe_text(r->token);
	buf_free(&r->signer);
	buf_wipe(&r->secret);
	buf_wipe(&r->basic);
	free(r);
}
DEFINE_FREEP(request);

void
authtok_grant_done(struct authtok_grant *g)
{
	wipe_text(g->token);
	buf_free(&g->signer);
	buf_free(&g->der);
	*g = (struct authtok_grant){ 0 };
}

static bool
is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("-._~", c) != NULL;
}

enum rc
authtok_url(struct buf *out, const struct config_authority *a, struct fault *f)
{
	size_t len = strlen(a->url);

	if (a->account == NULL || a->account[0] == 0)
		return FAULT(
		    f, RC_DENIED, "authtok_account", "authority %s has no account", a->name);
	while (len > 0 && a->url[len - 1] == '/')
		len--;
	buf_put(out, a->url, len);
	buf_str(out, a->dialect == AUTHORITY_STI_PA ? "/api/v1/account/" : "/at/account/");
	for (const char *p = a->account; *p != 0; p++) {
		if (is_unreserved(*p))
			buf_byte(out, (uint8_t)*p);
		else
			buf_printf(out, "%%%02X", (unsigned)(uint8_t)*p);
	}
	buf_str(out, "/token");
	return buf_check(out, f);
}

static json_t *
atc_of(const struct authtok_want *w)
{
	AUTO_BUF value = BUF_INIT(AUTHTOK_BODY_MAX);
	enum b64_form form = w->authority->dialect == AUTHORITY_STI_PA ? B64_STD : B64_URL;
	const char *text;

	b64_encode(&value, form, w->der); /* D-28 */
	text = buf_text(&value);
	if (text == NULL)
		return NULL;
	return json_pack("{s:s, s:s, s:b, s:s}", "tktype", w->tktype, "tkvalue", text, "ca", 0,
	    "fingerprint",
	    w->authority->spki_fingerprint ? w->account->spki_fingerprint /* D-29 */
					   : w->account->jwk_fingerprint);
}

enum rc
authtok_body(struct buf *out, const struct authtok_want *w, struct fault *f)
{
	json_auto_t *atc = atc_of(w);
	json_auto_t *root = NULL;
	AUTO_FREE char *text = NULL;

	if (atc != NULL && w->authority->dialect == AUTHORITY_STI_PA) /* D-30 */
		root = json_pack("{s:O}", "atc", atc);
	else
		root = json_incref(atc);
	if (root != NULL && w->evidence != NULL &&
	    json_object_set_new(root, "evidence", json_string(w->evidence)) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "token request");
	text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
	if (text == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "token request");
	buf_str(out, text);
	OPENSSL_cleanse(text, strlen(text));
	return buf_check(out, f);
}

static bool
is_listed(const struct config_authority *a, const char *name)
{
	for (size_t i = 0; name != NULL && i < a->issuers.len; i++) {
		if (strcmp(a->issuers.item[i], name) == 0)
			return true;
	}
	return false;
}

/* By its common name; one that has several, or a NUL in it, is nobody's. */
static bool
signer_listed(const struct config_authority *a, const struct cert *signer)
{
	const X509_NAME *name = X509_get_subject_name(signer->x509);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1), len;
	unsigned char *text = NULL;
	bool listed;

	if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
		return false;
	len =
	    ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	listed = len > 0 && strlen((char *)text) == (size_t)len && is_listed(a, (char *)text);
	OPENSSL_free(text);
	return listed;
}

/*
 * V-70, V-87: only issuers that the configuration names, where it names any.
 * `iss` is the signer's own word: whoever has a certificate of the same root
 * could claim it, so the name in the certificate must be listed, too.
 */
static enum rc
check_issuer(const struct config_authority *a, const struct authtoken *t,
    const struct chain *x5u_chain, struct fault *f)
{
	const struct chain *chain = t->x5c != NULL ? t->x5c : x5u_chain;

	if (a->issuers.len == 0)
		return RC_OK;
	if (!is_listed(a, t->iss))
		return FAULT(f, RC_DENIED, "authtok_issuer",
		    "the token of authority %s is by an issuer that is not on its list",
		    a->name);
	if (chain == NULL || !signer_listed(a, chain->cert[0]))
		return FAULT(f, RC_DENIED, "authtok_issuer",
		    "the signer of authority %s's token, CN of '%.60s', is not among its "
		    "issuers",
		    a->name, chain != NULL ? chain->cert[0]->subject : "");
	return RC_OK;
}

static enum rc
check_constraints(const struct authtok_want *w, struct span granted, struct fault *f)
{
	AUTO(constraints) *inner = NULL;
	AUTO(constraints) *outer = NULL;
	struct fault why = { 0 };

	if (span_eq(w->der, granted))
		return RC_OK;
	TRY(constraints_decode(granted, w->form, &inner, f));
	TRY(constraints_decode(w->der, w->form, &outer, f));
	if (constraints_within(inner, outer, &why) != RC_OK)
		return FAULT(f, RC_DENIED, "authtok_wider",
		    "claim agent %s granted constraints that are not within what was asked: %s",
		    w->authority->name, why.claim[0] != 0 ? why.claim : why.detail);
	return RC_OK;
}

static enum rc
check_value(const struct authtok_want *w, struct span granted, struct fault *f)
{
	if (w->constraints)
		return check_constraints(w, granted, f);
	if (!span_eq(w->der, granted))
		return FAULT(f, RC_DENIED, "authtok_numbers",
		    "the token of authority %s is for other numbers than were asked for",
		    w->authority->name);
	return RC_OK;
}

enum rc
authtok_judge(const struct authtok_want *w, struct span jwt, const struct chain *x5u_chain,
    int64_t now_s, struct authtok_grant *out, struct fault *f)
{
	AUTO(authtoken) *t = NULL;
	struct authtoken_expect e = {
		.tktype = w->tktype,
		.account_point = w->account->point,
		.form = w->authority->spki_fingerprint ? FINGERPRINT_SPKI : FINGERPRINT_JWK,
		.anchors = w->anchors,
		.x5u_chain = x5u_chain,
		.now_s = now_s,
	};
	struct authtok_grant g = { .der = BUF_INIT(AUTHTOK_MAX) };

	TRY(authtoken_decode(jwt, &t, f));
	TRY(authtoken_check(t, jwt, &e, f));
	/* Taken, it would be asked for again at once: for ever, where none lives longer. */
	if (t->exp_s <= now_s + AUTHTOK_MARGIN_S)
		return FAULT(f, RC_EXPIRED, "authtoken_expired",
		    "in %lld s: too soon to be used", (long long)(t->exp_s - now_s));
	TRY(check_issuer(w->authority, t, x5u_chain, f));
	TRY(check_value(w, buf_view(&t->tkvalue), f));
	g.exp_s = t->exp_s;
	g.token = strndup((const char *)jwt.ptr, jwt.len);
	buf_span(&g.der, buf_view(&t->tkvalue));
	if (g.token == NULL || g.der.rc != RC_OK) {
		authtok_grant_done(&g);
		return FAULT(f, RC_NO_MEMORY, "no_memory", "authority token");
	}
	*out = g;
	return RC_OK;
}

static void
end(struct request *r, enum rc rc, struct authtok_grant *g, const struct fault *f,
    int64_t retry_after_s)
{
	r->done(r->arg, rc, g, f, retry_after_s);
	request_free(r);
}

static enum rc
judge(struct request *r, const struct chain *x5u_chain, struct authtok_grant *out,
    struct fault *f)
{
	if (r->want.unjudged)
		out->token = TAKE(r->token);
	else
		TRY(authtok_judge(
		    &r->want, span_str(r->token), x5u_chain, io_now_s(r->io), out, f));
	out->signer = r->signer;
	r->signer = (struct buf){ 0 };
	return RC_OK;
}

static void
judged(struct request *r, const struct chain *x5u_chain)
{
	struct authtok_grant g = { 0 };
	struct fault f = { 0 };
	enum rc rc = judge(r, x5u_chain, &g, &f);

	end(r, rc, rc == RC_OK ? &g : NULL, &f, -1);
	authtok_grant_done(&g); /* empty when it was taken */
}

static enum rc
take_signer(
    struct request *r, const struct http_answer *http, struct chain **out, struct fault *f)
{
	if (http->status != 200)
		return problem_of_answer(http->status, buf_view(&http->body), f);
	TRY(chain_read_pem(buf_view(&http->body), true, out, f));
	r->signer = BUF_INIT(AUTHTOK_SIGNER_MAX);
	buf_span(&r->signer, buf_view(&http->body));
	return buf_check(&r->signer, f);
}

static void
on_x5u(void *arg, enum rc rc, const struct http_answer *http, const struct fault *f)
{
	struct request *r = arg;
	struct fault bad = { 0 };
	AUTO(chain) *chain = NULL;

	if (rc != RC_OK) {
		end(r, rc, NULL, f, -1);
		return;
	}
	rc = take_signer(r, http, &chain, &bad);
	if (rc != RC_OK) {
		end(r, rc, NULL, &bad, http->retry_after_s);
		return;
	}
	judged(r, chain);
}

/* RFC 9447 section 3.1: the signer's certificate is in the header, or behind its x5u. */
static enum rc
fetch_signer(struct request *r, bool *fetching, struct fault *f)
{
	AUTO(authtoken) *t = NULL;

	TRY(authtoken_decode(span_str(r->token), &t, f));
	*fetching = t->x5c == NULL && t->x5u != NULL;
	if (!*fetching)
		return RC_OK;
	return r->io->http(r->io->ctx,
	    &(struct http_request){ .method = HTTP_GET,
		.url = t->x5u,
		.tls_ca = r->want.authority->tls_ca,
		.accept = HTTP_PEM_CHAIN },
	    on_x5u, r, f);
}

/*
 * RFC 9448 section 5.5: 403 says that the account may not have this token.
 * By itself it is also what a gateway before the authority says of an address
 * or a certificate: only a problem of a type that means it is the authority's.
 * 401 is about our secret, 404 about the account, another type another trouble.
 */
static bool
is_definitive(const struct request *r, const struct http_answer *http, const struct fault *why)
{
	static const char *const reasons[] = { "acme_unauthorized",
		"acme_rejected_identifier" };

	if (r->want.constraints || http->status != 403 ||
	    strcmp(http->content_type, "application/problem+json") != 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (strcmp(why->reason, reasons[i]) == 0)
			return true;
	}
	return false;
}

/* RFC 6750 and RFC 7617: as they stand in our Authorization header. */
static void
secrets_of(struct request *r, const char *out[3])
{
	size_t n = 0;

	if (r->secret.len > 0)
		out[n++] = buf_text(&r->secret);
	if (r->basic.len > 0)
		out[n++] = buf_text(&r->basic);
	out[n] = NULL;
}

/* What it refuses it refuses again: an operator has to look. */
static enum rc
refused_token(struct request *r, const struct http_answer *http, struct fault *f)
{
	struct fault why = { 0 };
	const char *secrets[3];
	enum rc rc;

	secrets_of(r, secrets);
	rc = problem_of_answer_to(secrets, http->status, buf_view(&http->body), &why);

	if (rc == RC_DENIED && is_definitive(r, http, &why))
		return FAULT(f, rc, AUTHTOK_REFUSED,
		    "authority %s refuses the right to use (check its account, secret and the "
		    "numbers asked for): %s",
		    r->want.authority->name, why.detail);
	if (rc != RC_DENIED && rc != RC_NOT_FOUND)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	return FAULT(f, rc, why.reason,
	    "authority %s refuses (check its account, secret and the %s asked for): %s",
	    r->want.authority->name, r->want.constraints ? "claims" : "numbers", why.detail);
}

/* A policy administrator says "success" or why not, with status 200 either way. */
static enum rc
check_status(struct request *r, const json_t *root, struct fault *f)
{
	const char *status = jtext_get(root, "status");
	const char *secrets[3];
	char word[PROBLEM_TEXT], message[PROBLEM_TEXT];

	if (r->want.authority->dialect != AUTHORITY_STI_PA || status == NULL ||
	    strcmp(status, "success") == 0)
		return RC_OK;
	secrets_of(r, secrets);
	problem_quoted(word, status, secrets);
	problem_quoted(message, jtext_get(root, "message"), secrets);
	return FAULT(f, RC_DENIED, "authtok_status", "authority %s says %.20s: %.80s",
	    r->want.authority->name, word, message);
}

static enum rc
take_token(struct request *r, const struct http_answer *http, struct fault *f)
{
	json_auto_t *root = NULL;
	const char *token;

	if (http->status < 200 || http->status > 299)
		return refused_token(r, http, f);
	(void)!jtext_read_foreign(buf_view(&http->body), HTTP_BODY_MAX, &root, NULL);
	TRY(check_status(r, root, f));
	token = jtext_get(root, "token");
	if (token == NULL || strlen(token) > AUTHTOK_MAX)
		return FAULT(f, RC_INVALID, "authtok_answer",
		    "authority %s answered without a token", r->want.authority->name);
	r->token = strdup(token);
	return r->token != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "token");
}

static void
on_token(void *arg, enum rc rc, const struct http_answer *http, const struct fault *f)
{
	struct request *r = arg;
	struct fault bad = { 0 };
	bool fetching = false;

	if (rc != RC_OK) {
		end(r, rc, NULL, f, -1);
		return;
	}
	rc = take_token(r, http, &bad);
	/* There is no such account: asking again does not make one. */
	if (rc == RC_NOT_FOUND)
		rc = bad.rc = RC_DENIED;
	if (rc == RC_OK)
		rc = fetch_signer(r, &fetching, &bad);
	if (rc != RC_OK)
		end(r, rc, NULL, &bad, http->retry_after_s);
	else if (!fetching)
		judged(r, NULL);
}

static enum rc
read_secret(struct request *r, struct fault *f)
{
	const struct config_authority *a = r->want.authority;
	AUTO_SECRET pair = BUF_INIT(AUTHTOK_PAIR_MAX);

	r->secret = BUF_INIT(AUTHTOK_SECRET_MAX);
	r->basic = BUF_INIT(2 * AUTHTOK_PAIR_MAX);
	if (a->secret.text == NULL)
		return RC_OK;
	TRY(secret_read(&a->secret, &r->secret, f));
	if (a->user != NULL) {
		buf_str(&pair, a->user);
		buf_byte(&pair, ':');
		buf_span(&pair, buf_view(&r->secret));
		b64_encode(&r->basic, B64_STD, buf_view(&pair));
	}
	TRY(buf_check(&pair, f));
	if (buf_text(&r->secret) == NULL || buf_text(&r->basic) == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "token request");
	return RC_OK;
}

static enum rc
send_request(struct request *r, struct fault *f)
{
	const struct config_authority *a = r->want.authority;
	AUTO_BUF url = BUF_INIT(HTTP_URL_MAX);
	AUTO_SECRET body = BUF_INIT(AUTHTOK_BODY_MAX);
	AUTO_SECRET key = BUF_INIT(AUTHTOK_KEY_MAX + 1);

	TRY(authtok_url(&url, a, f));
	TRY(authtok_body(&body, &r->want, f));
	TRY(read_secret(r, f));
	if (a->tls_key.text != NULL)
		TRY(secret_read_long(&a->tls_key, AUTHTOK_KEY_MAX, &key, f));
	if (buf_text(&url) == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "token request");
	return r->io->http(r->io->ctx,
	    &(struct http_request){
		.method = HTTP_POST,
		.url = buf_text(&url),
		.tls_ca = a->tls_ca,
		.accept = "application/json",
		.content_type = "application/json",
		.bearer = r->secret.len > 0 ? buf_text(&r->secret) : NULL,
		.user = a->user,
		.tls_cert = a->tls_cert,
		.tls_key = buf_view(&key),
		.body = buf_view(&body),
	    },
	    on_token, r, f);
}

static struct span
without_space(struct span text)
{
	while (text.len > 0 && strchr(" \t\r\n", text.ptr[text.len - 1]) != NULL)
		text.len--;
	return text;
}

enum rc
authtok_given(const struct io *io, const struct authtok_want *want, struct span token,
    authtok_done *done, void *arg, bool *waiting, struct authtok_grant *out, struct fault *f)
{
	AUTO(request) *r = calloc(1, sizeof *r);
	struct span text = without_space(token);
	bool fetching = false;

	if (text.len == 0 || text.len > AUTHTOK_MAX || memchr(text.ptr, 0, text.len) != NULL)
		return FAULT(
		    f, RC_INVALID, "authtoken_syntax", "%zu bytes that are no token", text.len);
	if (r == NULL || (r->token = strndup((const char *)text.ptr, text.len)) == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "token");
	r->io = io;
	r->want = *want;
	r->done = done;
	r->arg = arg;
	TRY(fetch_signer(r, &fetching, f));
	*waiting = fetching;
	if (!fetching)
		return judge(r, NULL, out, f);
	r = NULL; /* on_x5u() has it */
	return RC_OK;
}

enum rc
authtok_request(const struct io *io, const struct authtok_want *want, authtok_done *done,
    void *arg, struct fault *f)
{
	AUTO(request) *r = calloc(1, sizeof *r);

	if (r == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "token request");
	r->io = io;
	r->want = *want;
	r->done = done;
	r->arg = arg;
	TRY(send_request(r, f));
	r = NULL; /* on_token() has it */
	return RC_OK;
}
