#include "tests/unit/renew_world.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "stir/b64.h"
#include "tests/unit/cm.h"
#include "tests/unit/pki.h"

#define CA  "https://ca.test"
#define TA  "https://ta.test"
#define TB  "https://tb.test"
#define X5U "https://x5u.test"

enum { HANG_MS = 30000 }; /* as HTTPC_TOTAL_MS */

/* ---- what the parties answer ---- */

static void
put_json(struct http_answer *a, long status, const char *type, json_t *body)
{
	AUTO_FREE char *text = json_dumps(body, 0);

	a->status = status;
	snprintf(a->content_type, sizeof a->content_type, "%s", type);
	buf_str(&a->body, text);
	json_decref(body);
}

static void
put_problem(struct http_answer *a, long status, const char *kind)
{
	char type[96];

	snprintf(type, sizeof type, "urn:ietf:params:acme:error:%s", kind);
	put_json(a, status, "application/problem+json",
	    json_pack("{s:s, s:s}", "type", type, "detail", "12025550100 by script"));
}

static void
put_nonce(struct world *w, struct http_answer *a)
{
	snprintf(a->nonce, sizeof a->nonce, "n%u", ++w->nonces);
}

static json_t *
b64_json(const struct buf *der)
{
	AUTO_BUF text = BUF_INIT(65536);

	b64_encode(&text, B64_URL, buf_view(der));
	return json_string(buf_text(&text));
}

static const struct buf *
tnauth_of(const struct world *w, const struct world_credential *c)
{
	return c->tenant[0] == 't' ? &w->tnauth : &w->tnauth_other;
}

/* Is it about numbers of another tenant than t? */
static bool
asks_for_other(const struct world *w, const json_t *asked)
{
	json_auto_t *other = b64_json(&w->tnauth_other);

	return json_equal(json_object_get(asked, "tkvalue"), other) != 0;
}

/* A real token, signed by the scripted authority. */
static json_t *
make_token(struct world *w, const json_t *asked)
{
	AUTO_BUF header = BUF_INIT(65536), x5c = BUF_INIT(65536), jws = BUF_INIT(65536);
	bool numbers =
	    strcmp(json_string_value(json_object_get(asked, "tktype")), "TNAuthList") == 0;
	const struct buf *der = numbers && asks_for_other(w, asked) ? &w->tnauth_other
				: numbers			    ? &w->tnauth
				: w->grant_narrower		    ? &w->narrower
				: w->grant_wider		    ? &w->wider
								    : &w->constraints;
	json_auto_t *atc = json_pack("{s:O, s:o, s:b, s:O}", "tktype",
	    json_object_get(asked, "tktype"), "tkvalue", b64_json(der), "ca", 0, "fingerprint",
	    json_object_get(asked, "fingerprint"));
	json_auto_t *claims = json_pack("{s:I, s:s, s:s, s:O}", "exp",
	    (json_int_t)(w->now_ms / 1000 + w->token_life_s), "jti", "1", "iss", "TA", "atc",
	    atc);
	AUTO_FREE char *text = json_dumps(claims, JSON_COMPACT);
	json_t *out;

	pki_x5c(&x5c, &w->authority_cert, 1);
	buf_str(&header, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"x5c\":");
	buf_span(&header, buf_view(&x5c));
	buf_byte(&header, '}');
	pki_jws(&jws, buf_text(&header), text, w->authority);
	out = json_pack("{s:s}", "token", buf_text(&jws));
	assert_non_null(out);
	return out;
}

static const char *
order_status(const struct world *w, struct world_order *o)
{
	if (o->failed)
		return "invalid";
	for (size_t i = 0; i < o->authzs; i++) {
		if (!o->valid[i])
			return "pending";
	}
	if (!o->finalized)
		return "ready";
	/* Issuing takes two looks where the script says so. */
	return w->processing && o->looks++ < 2 ? "processing" : "valid";
}

static json_t *
order_json(const struct world *w, size_t k)
{
	struct world_order *o = (struct world_order *)(uintptr_t)&w->order[k];
	const char *status = order_status(w, o);
	json_t *list = json_array(), *out;
	char url[64];

	for (size_t i = 0; i < o->authzs; i++) {
		snprintf(url, sizeof url, CA "/authz/%zu/%zu", k, i);
		json_array_append_new(list, json_string(url));
	}
	snprintf(url, sizeof url, CA "/fin/%zu", k);
	out = json_pack("{s:s, s:s, s:s, s:o}", "status", status, "expires",
	    "2030-01-01T00:00:00Z", "finalize", url, "authorizations", list);
	snprintf(url, sizeof url, CA "/cert/%zu", k);
	if (strcmp(status, "valid") == 0)
		json_object_set_new(out, "certificate", json_string(url));
	if (w->order_x5u != NULL)
		json_object_set_new(out, "x5u", json_string(w->order_x5u));
	if (w->star_end != NULL) {
		json_object_set_new(out, "auto-renewal",
		    json_pack("{s:s, s:I, s:b}", "end-date", w->star_end, "lifetime",
			(json_int_t)w->star_s, "allow-certificate-get", (int)w->star_get));
		snprintf(url, sizeof url, CA "/star/%zu", k);
		json_object_set_new(out, "star-certificate", json_string(url));
		json_object_del(out, "certificate");
	}
	if (w->order_profile != NULL)
		json_object_set_new(out, "profile", json_string(w->order_profile));
	return out;
}

static json_t *
domain_authz(const struct world *w, size_t k, bool valid, const char *url)
{
	char token[96];

	/* Where it matters each order has its own. */
	snprintf(token, sizeof token, w->creds > 1 ? "%s%zu" : "%s", w->challenge_token, k);
	const char *status = valid ? "valid" : "pending";

	return json_pack("{s:s, s:{s:s, s:s}, s:[{s:s, s:s}, {s:s, s:s, s:s, s:s}]}", "status",
	    status, "identifier", "type", "dns", "value", "sip.example.net", "challenges",
	    "type", "dns-01", "url", url, "type", "http-01", "url", url, "status", status,
	    "token", token);
}

static json_t *
authz_json(struct world *w, size_t k, size_t i)
{
	struct world_order *o = &w->order[k];
	json_t *value;
	char url[64];

	snprintf(url, sizeof url, CA "/chall/%zu/%zu", k, i);
	if (w->domain && i == o->authzs - 1) {
		w->cleaned_early |= o->slow > 0 && w->cleaned > 0;
		o->valid[i] |= o->slow > 0 && --o->slow == 0;
		return domain_authz(w, k, o->valid[i], url);
	}
	value = i == 0 ? b64_json(tnauth_of(w, &w->cred[o->credential]))
		       : json_string(w->cred[o->credential].ordered);
	return json_pack("{s:s, s:{s:s, s:o}, s:[{s:s}, {s:s, s:s, s:s, s:s, s:s}]}", "status",
	    o->valid[i] ? "valid" : "pending", "identifier", "type",
	    i == 0 ? "TNAuthList" : "JWTClaimConstraints", "value", value, "challenges", "type",
	    "dns-01", "type", "tkauth-01", "tkauth-type", "atc", "url", url, "status",
	    o->valid[i] ? "valid" : "pending", "token", "x");
}

static size_t
find_cred(const struct world *w, const char *name)
{
	for (size_t i = 0; i < w->creds; i++) {
		if (strcmp(w->cred[i].name, name) == 0)
			return i;
	}
	fail_msg("no credential %s", name);
	return 0;
}

/* The scripted front's JWS names what it is for in its payload. */
static void
new_order(struct world *w, struct http_answer *a, const json_t *jws)
{
	size_t c = find_cred(w, json_string_value(json_object_get(jws, "payload")));
	char url[64];

	if (w->refuse_order || (w->refuse_replaces && w->replaced[0] != 0)) {
		put_problem(a, 409, w->refuse_order ? "rejectedIdentifier" : "alreadyReplaced");
		return;
	}
	assert_true(w->orders < WORLD_ORDERS);
	w->order[w->orders] = (struct world_order){ .credential = c,
		.authzs = 1 + (w->cred[c].ordered != NULL) + w->domain };
	put_json(a, 201, "application/json", order_json(w, w->orders));
	snprintf(url, sizeof url, CA "/order/%zu", w->orders++);
	a->location = strdup(url);
}

static void
answer_challenge(struct world *w, struct world_order *o, size_t i)
{
	const char *fails =
	    w->domain && i == o->authzs - 1 ? w->domain_fails : w->challenge_fails;

	w->answers += w->domain && i == o->authzs - 1;
	if (w->slow > 0 && w->domain && i == o->authzs - 1) {
		o->slow = o->slow > 0 ? o->slow : w->slow;
		return;
	}
	o->valid[i] = fails == NULL;
	o->failed = fails != NULL;
}

/* RFC 8555 section 7.1.4: the challenge that failed says why. */
static json_t *
failed_authz(const struct world *w, bool domain)
{
	char type[96];

	snprintf(type, sizeof type, "urn:ietf:params:acme:error:%s",
	    domain ? w->domain_fails : w->challenge_fails);
	if (domain)
		return json_pack("{s:s, s:{s:s, s:s}, s:[{s:s, s:s, s:{s:s, s:s}}]}", "status",
		    "invalid", "identifier", "type", "dns", "value", "sip.example.net",
		    "challenges", "type", "http-01", "status", "invalid", "error", "type", type,
		    "detail", "by script");
	return json_pack("{s:s, s:[{s:s, s:s, s:s, s:{s:s, s:s}}]}", "status", "invalid",
	    "challenges", "type", "tkauth-01", "tkauth-type", "atc", "status", "invalid",
	    "error", "type", type, "detail", "by script");
}

/* RFC 8555 section 7.4.2: a chain of nothing; one alternate may be a real one. */
static void
put_chain(const struct world *w, struct http_answer *a, unsigned alternate)
{
	a->status = 200;
	snprintf(a->content_type, sizeof a->content_type, "application/pem-certificate-chain");
	if (alternate > 0 && alternate == w->home)
		pki_pem(&a->body, w->authority_cert);
	else
		buf_str(&a->body, "-----BEGIN CERTIFICATE-----\n");
	for (unsigned i = 1; alternate == 0 && i <= w->alternates; i++) {
		char url[64];

		snprintf(url, sizeof url, CA "/alternate/%u", i);
		a->alternate[a->alternates++] = strdup(url);
	}
}

/* RFC 8739 section 3.3: another one from the half of its life on. */
static void
put_series(struct world *w, struct http_answer *a, unsigned order)
{
	const struct world_credential *c = &w->cred[0];
	int64_t half_s = (c->not_before_s + c->not_after_s) / 2;
	char serial[16], url[64];
	bool next;

	if (w->star_problem != NULL && order <= w->star_problem_to) {
		put_problem(a, 403, w->star_problem);
		return;
	}
	snprintf(url, sizeof url, CA "/order/%u", order);
	next = strcmp(url, w->installed_order) != 0 ||
	       (!w->star_late && w->now_ms / 1000 >= half_s);
	snprintf(serial, sizeof serial, "%x", 0xa0 + c->installs + next);
	a->status = 200;
	snprintf(a->content_type, sizeof a->content_type, "application/pem-certificate-chain");
	{
		X509 *leaf = pki_issue(&(struct pki_spec){ .cn = "leaf",
		    .key = w->authority,
		    .issuer = w->root_cert,
		    .issuer_key = w->root,
		    .serial = serial });

		pki_pem(&a->body, leaf);
		X509_free(leaf);
	}
}

static void
put_account(struct world *w, struct http_answer *a)
{
	const struct world_account *odd = w->odd_account;

	w->registrations++;
	if (odd == NULL) {
		put_json(a, 201, "application/json", json_pack("{s:s}", "status", "valid"));
		a->location = strdup(CA "/acct/1");
		return;
	}
	a->status = odd->status;
	snprintf(a->content_type, sizeof a->content_type, "%s", odd->type);
	buf_str(&a->body, odd->body);
	a->location = odd->location != NULL ? strdup(odd->location) : NULL;
}

static void
ca_post(struct world *w, struct http_answer *a, const char *path, const json_t *jws)
{
	size_t k = 0, i = 0;

	put_nonce(w, a);
	if (strcmp(path, "/acct") == 0) {
		put_account(w, a);
	} else if (strcmp(path, "/revoke") == 0) {
		w->errand.posts++;
		if (w->errand.problem != NULL)
			put_problem(a, w->errand.status, w->errand.problem);
		else
			a->status = 200;
	} else if (strcmp(path, "/new-order") == 0) {
		new_order(w, a, jws);
	} else if (sscanf(path, "/order/%zu", &k) == 1) {
		put_json(a, 200, "application/json", order_json(w, k));
	} else if (sscanf(path, "/authz/%zu/%zu", &k, &i) == 2) {
		put_json(a, 200, "application/json",
		    w->order[k].failed
			? failed_authz(w, w->domain && i == w->order[k].authzs - 1)
			: authz_json(w, k, i));
	} else if (sscanf(path, "/chall/%zu/%zu", &k, &i) == 2) {
		answer_challenge(w, &w->order[k], i);
		put_json(
		    a, 200, "application/json", json_pack("{s:s}", "status", "processing"));
	} else if (sscanf(path, "/fin/%zu", &k) == 1) {
		if (w->order[k].finalized) {
			put_problem(a, 403, "orderNotReady");
			return;
		}
		w->order[k].finalized = true;
		put_json(a, 200, "application/json", order_json(w, k));
	} else if (strncmp(path, "/star/", strlen("/star/")) == 0) {
		w->star_posts++;
		put_series(w, a, (unsigned)strtoul(path + strlen("/star/"), NULL, 10));
	} else if (sscanf(path, "/cert/%zu", &k) == 1) {
		put_chain(w, a, 0);
	} else if (sscanf(path, "/alternate/%zu", &k) == 1) {
		put_chain(w, a, (unsigned)k);
	} else {
		fail_msg("POST %s", path);
	}
}

/* RFC 9773 section 4.2 */
static void
put_window(struct world *w, struct http_answer *a, const char *id)
{
	const struct world_credential *c = &w->cred[0];
	char text[2][32];
	const int64_t at[] = { c->not_before_s + w->ari_start_s,
		c->not_before_s + w->ari_end_s };

	w->windows_asked++;
	assert_string_equal(id + strlen("aki."), c->serial);
	a->retry_after_s = w->ari_retry_s;
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		time_t when = (time_t)at[i];
		struct tm tm;

		assert_non_null(gmtime_r(&when, &tm));
		strftime(text[i], sizeof text[i], "%Y-%m-%dT%H:%M:%SZ", &tm);
	}
	put_json(a, w->ari_status != 0 ? w->ari_status : 200, "application/json",
	    json_pack("{s:{s:s, s:s}}", "suggestedWindow", "start", text[0], "end", text[1]));
	if (w->ari_body != NULL) {
		buf_clear(&a->body);
		buf_str(&a->body, w->ari_body);
	}
}

static void
put_directory(struct world *w, struct http_answer *a, bool other)
{
	const char *revoke = w->errand.named != NULL ? w->errand.named : "\"" CA "/revoke\"";

	w->looked++;
	put_json(a, 200, "application/json",
	    json_pack("{s:s, s:s, s:s, s:o*, s:s*, s:o*}", "newNonce", CA "/nonce",
		"newAccount", CA "/acct", "newOrder", CA "/new-order", "revokeCert",
		w->errand.unnamed ? NULL : json_loads(revoke, JSON_DECODE_ANY, NULL),
		"renewalInfo",
		!w->ari ? NULL
		: other ? CA "/hung"
			: CA "/ari",
		"meta",
		w->offered != NULL ? json_pack("{s:{s:s}}", "profiles", w->offered, "by script")
		: w->star_offered_s != 0
		    ? json_pack("{s:{s:I, s:I, s:b}}", "auto-renewal", "min-lifetime",
			  (json_int_t)w->star_offered_s, "max-duration", (json_int_t)86400,
			  "allow-certificate-get", (int)w->star_get)
		    : NULL));
}

static void
http_answer(struct world *w, const struct http_request *r, struct http_answer *a)
{
	json_auto_t *body = json_loadb((const char *)r->body.ptr, r->body.len, 0, NULL);

	if (strcmp(r->url, TA "/at/account/a/token") == 0 ||
	    strcmp(r->url, TB "/at/account/a/token") == 0) {
		w->tokens++;
		if (w->refuse_right != NULL) {
			put_problem(a, 403, w->refuse_right);
			return;
		}
		put_json(a, 200, "application/json", make_token(w, body));
		return;
	}
	if (strncmp(r->url, X5U, strlen(X5U)) == 0) {
		a->status = w->x5u_gone ? 404 : 200;
		snprintf(a->content_type, sizeof a->content_type,
		    "application/pem-certificate-chain");
		pki_pem(&a->body, w->x5u_other ? w->root_cert : w->authority_cert);
		return;
	}
	assert_int_equal(strncmp(r->url, CA, strlen(CA)), 0);
	if (r->method == HTTP_POST) {
		assert_string_equal(r->content_type, "application/jose+json");
		ca_post(w, a, r->url + strlen(CA), body);
	} else if (r->method == HTTP_HEAD) {
		a->status = 200;
		put_nonce(w, a);
	} else if (strncmp(r->url, CA "/star/", strlen(CA "/star/")) == 0) {
		w->star_gets++;
		put_series(w, a, (unsigned)strtoul(r->url + strlen(CA "/star/"), NULL, 10));
	} else if (strncmp(r->url, CA "/ari/", strlen(CA "/ari/")) == 0) {
		put_window(w, a, r->url + strlen(CA "/ari/"));
	} else {
		put_directory(w, a, strcmp(r->url, CA "/dir2") == 0);
	}
}

/* ---- what the front answers ---- */

static json_t *
ari_id(const struct world *w, const struct world_credential *c)
{
	return w->ari ? json_sprintf("aki.%s", c->serial) : json_null();
}

static json_t *
plan_row(const struct world *w, const struct world_credential *c)
{
	json_t *active = json_null();

	if (c->installs > 0)
		active =
		    json_pack("{s:s, s:I, s:I, s:o, s:b}", "serial", c->serial, "not_before",
			(json_int_t)c->not_before_s, "not_after", (json_int_t)c->not_after_s,
			"ari_id", ari_id(w, c), "as_configured", c->as_configured);
	return json_pack("{s:b, s:s, s:s, s:s, s:s, s:s, s:s?, s:o, s:o, s:o, s:o, s:n}",
	    "rtu_refused", (int)w->right_is_refused, "tenant", c->tenant, "name", c->name, "ca",
	    c->other_ca ? "lax" : "lab", "authority", c->other_authority ? "tb" : "ta",
	    "claim_agent", "ta", "domain",
	    w->domain && !w->plan_without_domain ? "sip.example.net" : NULL, "tnauthlist",
	    b64_json(tnauth_of(w, c)), "constraints",
	    c->constraints ? b64_json(&w->constraints) : json_null(), "constraints_form",
	    c->constraints ? json_string("jwt") : json_null(), "active", active,
	    "installed_at");
}

static json_t *
plan_answer(const struct world *w, const json_t *m)
{
	const char *after = json_string_value(json_object_get(m, "after"));
	json_t *rows = json_array();
	bool more = false;

	for (size_t i = 0; i < w->creds; i++) {
		if (w->cred[i].removed ||
		    (after != NULL && strcmp(w->cred[i].name, after + 2) <= 0))
			continue;
		more = json_array_size(rows) == 7;
		if (more)
			break;
		json_array_append_new(rows, plan_row(w, &w->cred[i]));
	}
	return json_pack("{s:o, s:b}", "credentials", rows, "more", more);
}

static json_t *
account_answer(struct world *w)
{
	uint8_t point[P256_POINT_LEN], hash[32];
	char text[FINGERPRINT_TEXT];

	assert_int_equal(p256_point(w->account, point, NULL), RC_OK);
	jwk_thumbprint(point, hash);
	fingerprint_text(hash, text);
	return json_pack("{s:o, s:s, s:s}", "jwk", jwk_of_point(point), "jwk_fingerprint", text,
	    "spki_fingerprint", text);
}

static json_t *
install(struct world *w, struct world_credential *c, const json_t *m)
{
	const char *x5u = json_string_value(json_object_get(m, "x5u"));
	const char *order = json_string_value(json_object_get(m, "order"));

	snprintf(
	    w->installed_order, sizeof w->installed_order, "%s", order != NULL ? order : "");
	snprintf(w->installed_x5u, sizeof w->installed_x5u, "%s", x5u != NULL ? x5u : "");
	w->chain_len = json_string_length(json_object_get(m, "chain"));
	c->installs++;
	c->installed_as = ++w->installs;
	snprintf(c->serial, sizeof c->serial, "%x", 0xa0 + c->installs);
	c->not_before_s = w->now_ms / 1000;
	c->not_after_s = c->not_before_s + w->life_s;
	return json_pack("{s:s, s:I, s:I, s:o}", "serial", c->serial, "not_before",
	    (json_int_t)c->not_before_s, "not_after", (json_int_t)c->not_after_s, "ari_id",
	    ari_id(w, c));
}

static void
take_schedule(struct world *w, struct world_credential *c, const json_t *m)
{
	const char *problem = json_string_value(json_object_get(m, "problem"));
	const char *step = json_string_value(json_object_get(m, "step"));
	char name[32];

	snprintf(name, sizeof name, "%s,", step != NULL ? step : "idle");
	if (strstr(c->steps, name) == NULL && strlen(c->steps) + strlen(name) < sizeof c->steps)
		memcpy(c->steps + strlen(c->steps), name, strlen(name) + 1);
	c->token_until_s = json_integer_value(json_object_get(m, "token_until"));
	c->failing_s = json_integer_value(json_object_get(m, "failing_since"));
	snprintf(c->problem, sizeof c->problem, "%s", problem != NULL ? problem : "");
	c->renew_at_s = json_integer_value(json_object_get(m, "renew_at"));
	w->problems += problem != NULL;
}

static void
take_word(struct world *w, const json_t *m)
{
	const char *problem = json_string_value(json_object_get(m, "problem"));

	snprintf(w->account_problem, sizeof w->account_problem, "%s",
	    problem != NULL ? problem : "");
	w->account_words++;
}

/* One or the other: what is refused, or the token that grants it. */
static void
take_right(struct world *w, const json_t *m)
{
	bool refused = json_is_string(json_object_get(m, "detail"));

	assert_true(refused != json_is_string(json_object_get(m, "token")));
	w->rights_refused += refused;
	w->rights_granted += !refused;
	w->right_is_refused = refused;
}

static json_t *
errands_answer(const struct world *w)
{
	unsigned n = w->errand.many > 0 ? w->errand.many : 1;
	json_t *list = json_array();

	unsigned first = w->errand.batches > 0 ? w->errand.over / n * n : 0;

	if (w->errand.stuck)
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:s, s:b}", "id", "stuck", "ca", "gone",
			      "resource", "revokeCert", "kid", 1));
	for (unsigned i = 1; w->errand.wanted && i <= n; i++) {
		char id[16];

		snprintf(id, sizeof id, "e%u", first + i);
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:s, s:b}", "id", id, "ca",
			      w->errand.ca != NULL ? w->errand.ca : "lab", "resource",
			      "revokeCert", "kid", (int)!w->errand.by_key));
	}
	return json_pack("{s:o}", "errands", list);
}

static void
take_errand_done(struct world *w, const json_t *m)
{
	const char *reason = json_string_value(json_object_get(m, "reason"));

	assert_true(w->errand.many > 0 ||
		    strcmp(json_string_value(json_object_get(m, "errand")), "e1") == 0);
	snprintf(w->errand.reason, sizeof w->errand.reason, "%s", reason != NULL ? reason : "");
	w->errand.told++;
	w->errand.final = json_is_true(json_object_get(m, "final"));
	w->errand.over += w->errand.final;
	if (w->errand.batches == 0 || w->errand.over >= w->errand.batches * w->errand.many)
		w->errand.wanted = w->errand.wanted && !w->errand.final;
}

static json_t *
ask_answer(struct world *w, const json_t *m)
{
	const char *op = json_string_value(json_object_get(m, "op"));
	const char *name = json_string_value(json_object_get(m, "name"));
	const char *constraints = json_string_value(json_object_get(m, "constraints"));
	struct world_credential *c = name != NULL ? &w->cred[find_cred(w, name)] : NULL;

	if (strcmp(op, "plan") == 0) {
		w->pages++;
		return plan_answer(w, m);
	}
	if (strcmp(op, "account") == 0)
		return account_answer(w);
	if (strcmp(op, "errands") == 0)
		return errands_answer(w);
	if (strcmp(op, "errand-done") == 0) {
		take_errand_done(w, m);
		return json_object();
	}
	if (strcmp(op, "install") == 0)
		return install(w, c, m);
	if (strcmp(op, "csr") == 0)
		return json_pack("{s:s}", "csr", "MAA");
	if (strcmp(op, "schedule") == 0) {
		take_schedule(w, c, m);
		return json_object();
	}
	if (strcmp(op, "rtu") == 0) {
		take_right(w, m);
		return json_object();
	}
	if (strcmp(op, "account-word") == 0) {
		take_word(w, m);
		return json_object();
	}
	/* What is left is a JWS. */
	assert_non_null(json_object_get(m, "nonce"));
	if (strcmp(op, "errand") == 0)
		w->errand.kid_was_null = json_is_null(json_object_get(m, "kid"));
	if (strcmp(op, "finalize") == 0) {
		const char *order = json_string_value(json_object_get(m, "order"));

		snprintf(w->finalized_order, sizeof w->finalized_order, "%s",
		    order != NULL ? order : "");
	}
	if (strcmp(op, "new-order") == 0) {
		w->star_orders +=
		    json_is_true(json_object_get(m, "by_get")) == (int)w->star_get;
		free(c->ordered);
		c->ordered = constraints != NULL ? strdup(constraints) : NULL;
		snprintf(w->replaced, sizeof w->replaced, "%s",
		    json_is_string(json_object_get(m, "replaces"))
			? json_string_value(json_object_get(m, "replaces"))
			: "");
	}
	return json_pack("{s:{s:s, s:s, s:s}}", "jws", "protected", op, "payload",
	    name != NULL ? name : "", "signature", "x");
}

/* ---- the io of the renewer ---- */

static struct pending *
add_pending(struct world *w)
{
	struct pending *p = &w->pending[w->waiting];

	assert_true(w->waiting < WORLD_PENDING);
	*p = (struct pending){ .answer = {
				   .retry_after_s = -1, .body = BUF_INIT(HTTP_BODY_MAX) } };
	w->waiting++;
	return p;
}

static enum world_fault
strikes(struct world *w)
{
	w->calls++;
	if (w->fail_at == 0 || w->calls < w->fail_at ||
	    (w->calls > w->fail_at && !w->fail_always))
		return FAULT_NONE;
	w->fault_struck = true;
	return w->fault;
}

/* To the authority tb, or to have something revoked: it may not come back for long. */
static void
may_hang(struct world *w, struct pending *p, const struct http_request *r)
{
	json_auto_t *body = json_loadb((const char *)r->body.ptr, r->body.len, 0, NULL);
	bool hung = strncmp(r->url, CA "/hung/", strlen(CA "/hung/")) == 0;
	bool revokes = w->errand.hangs && strcmp(r->url, CA "/revoke") == 0;
	unsigned hanging = 0;

	if (!revokes && !hung &&
	    (strncmp(r->url, TB, strlen(TB)) != 0 || (!w->hangs && !w->hangs_for_t) ||
		(!w->hangs && asks_for_other(w, body))))
		return;
	p->due_ms = w->now_ms + HANG_MS;
	p->rc = FAULT(&p->fault, RC_NET, "http_failed", "by script");
	for (size_t i = 0; i < w->waiting; i++)
		hanging += w->pending[i].due_ms > 0;
	w->hanging_most = hanging > w->hanging_most ? hanging : w->hanging_most;
}

static enum rc
world_http(
    void *ctx, const struct http_request *r, io_http_done *done, void *arg, struct fault *f)
{
	struct world *w = ctx;
	struct pending *p = add_pending(w);
	enum world_fault fault = strikes(w);

	(void)f;
	if (w->orders_vanish && strcmp(r->url, CA "/new-order") == 0)
		fault = FAULT_LOST;
	p->http = true;
	p->http_done = done;
	p->arg = arg;
	may_hang(w, p, r);
	if (p->due_ms > 0)
		return RC_OK;
	if (fault == FAULT_LOST) {
		p->rc = FAULT(&p->fault, RC_NET, "http_failed", "by script");
	} else if (fault == FAULT_UNAVAILABLE) {
		p->answer.status = 503;
		p->answer.retry_after_s = 3;
	} else if (fault == FAULT_GARBAGE) {
		p->answer.status = 200;
		buf_str(&p->answer.body, "{\"status\":");
	} else if (fault == FAULT_DENIED) {
		put_problem(&p->answer, 403, "unauthorized");
	} else if (fault == FAULT_BAD_NONCE && r->method == HTTP_POST) {
		put_nonce(w, &p->answer);
		put_problem(&p->answer, 400, "badNonce");
	} else {
		http_answer(w, r, &p->answer);
		if (fault == FAULT_UNHEARD)
			p->rc = FAULT(&p->fault, RC_NET, "http_failed", "by script");
	}
	return RC_OK;
}

static void
refuse(struct pending *p, enum rc rc, const char *reason)
{
	p->rc = rc;
	(void)FAULT(&p->fault, rc, reason, "by script");
}

static enum rc
world_ask(void *ctx, const json_t *m, io_ask_done *done, void *arg, struct fault *f)
{
	struct world *w = ctx;
	struct pending *p;
	const char *op = json_string_value(json_object_get(m, "op"));
	/* Reports to status matter to nobody, nor does a list that comes again: no calls. */
	bool counts = strcmp(op, "schedule") != 0 && strcmp(op, "errands") != 0;
	enum world_fault fault = counts ? strikes(w) : FAULT_NONE;

	if (w->errand.deaf && strcmp(op, "errand-done") == 0)
		return FAULT(f, RC_BUSY, "front_busy", "by script");
	p = add_pending(w);
	p->ask_done = done;
	p->arg = arg;
	switch (fault) {
	case FAULT_LOST: refuse(p, RC_TIMEOUT, "front_timeout"); return RC_OK;
	case FAULT_UNAVAILABLE: refuse(p, RC_HSM, "hsm_unavailable"); return RC_OK;
	case FAULT_DENIED: refuse(p, RC_DENIED, "invalid_member"); return RC_OK;
	case FAULT_GARBAGE: p->reply = json_object(); return RC_OK;
	default: break;
	}
	if (strcmp(op, "install") == 0 && w->refuse_install) {
		refuse(p, RC_DENIED, "credential_unusable");
		return RC_OK;
	}
	p->reply = ask_answer(w, m);
	assert_non_null(p->reply);
	if (fault == FAULT_UNHEARD)
		refuse(p, RC_TIMEOUT, "front_timeout");
	return RC_OK;
}

/* What it is told in full is test_domain's. */
static void
domain_command(struct world *w, struct pending *p, struct span input)
{
	json_auto_t *task = json_loadb((const char *)input.ptr, input.len, 0, NULL);
	const char *action = json_string_value(json_object_get(task, "action"));

	assert_string_equal(
	    json_string_value(json_object_get(task, "domain")), "sip.example.net");
	assert_int_equal(strncmp(json_string_value(json_object_get(task, "token")),
			     w->challenge_token, strlen(w->challenge_token)),
	    0);
	for (size_t i = 0; i < w->waiting; i++)
		w->overlaps += w->pending[i].domain && &w->pending[i] != p;
	p->domain = true;
	p->due_ms = w->now_ms + w->command_ms;
	if (strcmp(action, "present") == 0)
		w->presented++;
	else
		w->cleaned++;
	if (w->command_rc != RC_OK)
		refuse(p, w->command_rc, "command_failed");
}

static enum rc
world_run(void *ctx, enum hook_kind kind, const char *name, struct span input,
    io_run_wanted *wanted, io_run_done *done, void *arg, struct fault *f)
{
	struct world *w = ctx;
	struct pending *p = NULL;
	enum world_fault fault;
	unsigned busy = 0;

	for (size_t i = 0; i < w->waiting; i++)
		busy += w->pending[i].run_done != NULL;
	if (w->places > 0 && busy >= w->places) {
		w->busy++;
		return FAULT(f, RC_BUSY, "command_busy", "by script");
	}
	p = add_pending(w);
	fault = strikes(w);
	assert_string_equal(name, "lab");
	p->run_wanted = wanted;
	p->run_done = done;
	p->arg = arg;
	if (kind == HOOK_DOMAIN) {
		domain_command(w, p, input);
		if (fault == FAULT_NONE)
			return RC_OK;
	} else {
		assert_int_equal(kind, HOOK_ISSUE);
		assert_int_equal(
		    strncmp((const char *)input.ptr, "-----BEGIN CERTIFICATE REQUEST", 30), 0);
		w->runs++;
	}
	switch (fault) {
	case FAULT_NONE:
	case FAULT_BAD_NONCE: buf_str(&p->answer.body, "a chain"); break;
	case FAULT_GARBAGE: break;
	case FAULT_DENIED: refuse(p, RC_DENIED, "command_refused"); break;
	default: refuse(p, RC_NET, "command_failed"); break;
	}
	return RC_OK;
}

static int64_t
world_now(void *ctx)
{
	return ((struct world *)ctx)->now_ms;
}

/* ---- running it ---- */

static void
deliver(struct pending *p, bool stopping)
{
	struct fault stop = { 0 };

	(void)FAULT(&stop, RC_CONFLICT, "stopping", "by script");
	if (stopping) {
		p->rc = RC_CONFLICT;
		p->fault = stop;
	}
	if (p->run_done != NULL)
		p->run_done(p->arg, p->rc,
		    p->rc == RC_OK ? buf_view(&p->answer.body) : span_of(NULL, 0), &p->fault);
	else if (p->http)
		p->http_done(p->arg, p->rc, p->rc == RC_OK ? &p->answer : NULL, &p->fault);
	else
		p->ask_done(p->arg, p->rc, p->rc == RC_OK ? p->reply : NULL, &p->fault);
	free(p->answer.location);
	for (size_t i = 0; i < p->answer.alternates; i++)
		free(p->answer.alternate[i]);
	buf_free(&p->answer.body);
	json_decref(p->reply);
}

/* What has come, or everything; false when nothing had. */
static bool
deliver_all(struct world *w, bool stopping)
{
	struct pending now[WORLD_PENDING];
	size_t n = w->waiting, come = 0;

	memcpy(now, w->pending, n * sizeof now[0]);
	w->waiting = 0;
	for (size_t i = 0; i < n; i++) {
		if (!stopping && now[i].due_ms > w->now_ms)
			w->pending[w->waiting++] = now[i];
	}
	for (size_t i = 0; i < n; i++) {
		if (!stopping && now[i].due_ms > w->now_ms)
			continue;
		deliver(&now[i], stopping);
		come++;
	}
	return come > 0;
}

bool
world_turn(struct world *w)
{
	int wait_ms = renew_run(w->renew);
	bool under_way;
	unsigned steps = 0;

	for (size_t i = 0; i < w->waiting; i++)
		steps += w->pending[i].http ? 1 : 0;
	w->steps_most = steps > w->steps_most ? steps : w->steps_most;
	under_way = deliver_all(w, false);
	if (!under_way)
		w->now_ms += wait_ms > 0 ? wait_ms : 1;
	return under_way;
}

bool
world_until(struct world *w, bool (*cond)(const struct world *w), int64_t most_s)
{
	int64_t end_ms = w->now_ms + most_s * 1000;

	for (unsigned turns = 0; w->now_ms < end_ms && !cond(w); turns++) {
		(void)world_turn(w);
		assert_true(turns < 1000000);
	}
	return cond(w);
}

void
world_pass(struct world *w, int64_t s)
{
	int64_t end_ms = w->now_ms + s * 1000;

	while (w->now_ms < end_ms)
		(void)world_turn(w);
}

enum renew_state
world_state(const struct world *w, size_t credential)
{
	return renew_state_of(w->renew, w->cred[credential].tenant, w->cred[credential].name);
}

/* ---- setting it up ---- */

/* What the front's plan does not say of c00. */
static void
put_tenant(const struct world *w, struct config *c)
{
	c->tenant = calloc(1, sizeof *c->tenant);
	c->tenants = 1;
	c->tenant[0].name = strdup("t");
	c->tenant[0].credential = calloc(1, sizeof *c->tenant[0].credential);
	c->tenant[0].credentials = 1;
	c->tenant[0].credential[0].name = strdup("c00");
	c->tenant[0].credential[0].x5u = strdup(X5U "/c/");
	c->tenant[0].credential[0].x5u_from_order = w->x5u_from_order;
	c->tenant[0].credential[0].star_lifetime_s = (unsigned)w->star_s;
	c->tenant[0].credential[0].star_duration_s = 20000;
}

static struct config *
make_config(const struct world *w)
{
	struct config *c = calloc(1, sizeof *c);

	assert_non_null(c);
	c->authority_anchors = strdup(w->anchors);
	c->trust_anchors = strdup(w->anchors);
	c->ca = calloc(2, sizeof *c->ca);
	c->cas = 1;
	c->ca[0].name = strdup("lab");
	c->ca[0].issuer = w->command ? ISSUER_COMMAND : ISSUER_ACME;
	c->ca[0].directory = strdup(CA "/dir");
	if (w->domain)
		c->ca[0].domain_challenge = DOMAIN_HTTP_01;
	c->ca[0].constraints_type = strdup("JWTClaimConstraints");
	c->ca[0].enhanced_type = strdup("EnhancedJWTClaimConstraints");
	c->ca[0].concurrency = w->command ? CONFIG_COMMAND_STEPS : CONFIG_PARTY_STEPS;
	if (w->profile != NULL)
		c->ca[0].acme_profile = strdup(w->profile);
	if (w->x5u_from_order || w->star_s != 0)
		put_tenant(w, c);
	if (w->concurrency > 0)
		c->ca[0].concurrency = w->concurrency;
	c->ca[0].rate_per_minute = w->ca_rate;
	if (w->two_cas) {
		c->ca[c->cas] = c->ca[0];
		c->ca[c->cas].name = strdup("lax");
		c->ca[c->cas].directory = strdup(CA "/dir2");
		c->ca[c->cas].constraints_type = strdup("JWTClaimConstraints");
		c->ca[c->cas++].enhanced_type = strdup("EnhancedJWTClaimConstraints");
	}
	c->authority = calloc(2, sizeof *c->authority);
	for (c->authorities = 0; c->authorities < 2; c->authorities++) {
		struct config_authority *a = &c->authority[c->authorities];

		a->name = strdup(c->authorities == 0 ? "ta" : "tb");
		a->source = w->push ? SOURCE_PUSH : SOURCE_REST;
		a->url = strdup(c->authorities == 0 ? TA "/" : TB "/");
		a->account = strdup("a");
		a->concurrency = c->ca[0].concurrency;
		a->rate_per_minute = w->rate_per_minute;
	}
	return c;
}

static void
put_constraints(struct buf *out, const char *const *value, size_t n)
{
	char *copy[4];
	struct permitted p = { .claim = (char[]){ "attest" }, .value = copy, .values = n };
	struct constraints c = { .form = CONSTRAINTS_JWT, .permitted = &p, .permitteds = 1 };

	for (size_t i = 0; i < n; i++)
		copy[i] = strdup(value[i]);
	assert_int_equal(constraints_encode(out, &c, NULL), RC_OK);
	for (size_t i = 0; i < n; i++)
		free(copy[i]);
}

static void
make_parties(struct world *w)
{
	AUTO_BUF pem = BUF_INIT(65536);
	FILE *out;

	w->account = pki_p256();
	w->root = pki_p256();
	w->authority = pki_p256();
	w->root_cert =
	    pki_issue(&(struct pki_spec){ .cn = "root", .key = w->root, .ca = true });
	w->authority_cert = pki_issue(&(struct pki_spec){
	    .cn = "ta", .key = w->authority, .issuer = w->root_cert, .issuer_key = w->root });
	pki_pem(&pem, w->root_cert);
	snprintf(w->anchors, sizeof w->anchors, "%s/anchors.pem", w->dir);
	out = fopen(w->anchors, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(pem.ptr, 1, pem.len, out), pem.len);
	fclose(out);
	pki_tnauth_one(&w->tnauth, "12025550100");
	pki_tnauth_one(&w->tnauth_other, "12025550101");
	put_constraints(&w->constraints, (const char *const[]){ "A", "B" }, 2);
	put_constraints(&w->narrower, (const char *const[]){ "A" }, 1);
	put_constraints(&w->wider, (const char *const[]){ "A", "B", "C" }, 3);
}

static void
start(struct world *w)
{
	struct fault f = { 0 };

	assert_int_equal(store_open(w->dir, &w->store, &f), RC_OK);
	assert_int_equal(renew_new(&w->io, w->store, make_config(w), &w->renew, &f), RC_OK);
}

static void
finish(struct world *w)
{
	renew_stop(w->renew);
	while (w->waiting > 0)
		(void)deliver_all(w, true);
	renew_free(w->renew);
	store_free(w->store);
}

void
world_open(struct world *w, size_t credentials)
{
	*w = (struct world){ .now_ms = PKI_NOW * 1000,
		.life_s = 3600,
		.token_life_s = 3600,
		.challenge_token = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJyPCt92wr-oA" };
	snprintf(w->dir, sizeof w->dir, "/tmp/test-renew-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->io = (struct io){ .ctx = w,
		.http = world_http,
		.ask = world_ask,
		.run = world_run,
		.now_ms = world_now };
	w->tnauth = w->tnauth_other = w->constraints = w->narrower = w->wider = BUF_INIT(4096);
	w->creds = credentials;
	for (size_t i = 0; i < credentials; i++) {
		snprintf(w->cred[i].name, sizeof w->cred[i].name, "c%02u",
		    (unsigned)i % WORLD_CREDENTIALS);
		w->cred[i].tenant[0] = 't';
		w->cred[i].constraints = i % 2 == 0;
		w->cred[i].as_configured = true;
	}
	make_parties(w);
	start(w);
}

void
world_close(struct world *w)
{
	char path[128];

	finish(w);
	EVP_PKEY_free(w->account);
	EVP_PKEY_free(w->authority);
	EVP_PKEY_free(w->root);
	X509_free(w->root_cert);
	X509_free(w->authority_cert);
	buf_free(&w->tnauth);
	buf_free(&w->tnauth_other);
	buf_free(&w->constraints);
	buf_free(&w->narrower);
	buf_free(&w->wider);
	for (size_t i = 0; i < w->creds; i++)
		free(w->cred[i].ordered);
	for (size_t i = 0; i < w->creds; i++) {
		snprintf(path, sizeof path, "%s/renewer/orders/%s.%s.json", w->dir,
		    w->cred[i].tenant, w->cred[i].name);
		unlink(path);
		snprintf(path, sizeof path, "%s/renewer/tokens/t.%s.n.json", w->dir,
		    w->cred[i].name);
		unlink(path);
	}
	static const char *const part[] = { "renewer/accounts/lab.json",
		"renewer/accounts/lax.json", "anchors.pem" };
	static const char *const dirs[] = { "renewer/orders", "renewer/accounts",
		"renewer/tokens", "renewer", "" };

	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		snprintf(path, sizeof path, "%s/%s", w->dir, part[i]);
		unlink(path);
	}
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		snprintf(path, sizeof path, "%s/%s", w->dir, dirs[i]);
		rmdir(path);
	}
	assert_int_not_equal(access(w->dir, F_OK), 0);
}

void
world_kill(struct world *w)
{
	finish(w);
	w->renew = NULL;
	w->store = NULL;
	start(w);
}

void
world_reload(struct world *w)
{
	struct fault f = { 0 };

	assert_int_equal(renew_reload(w->renew, make_config(w), &f), RC_OK);
}

void
world_event(struct world *w, const char *event, const char *name)
{
	json_auto_t *e =
	    json_pack("{s:s, s:s, s:s}", "event", event, "tenant", "t", "name", name);

	renew_event(w->renew, e);
}

void
world_push(struct world *w, const char *name, bool other)
{
	json_auto_t *account = account_answer(w), *asked = NULL, *token = NULL, *e = NULL;

	asked = json_pack("{s:s, s:O}", "tktype", "TNAuthList", "fingerprint",
	    json_object_get(account, "jwk_fingerprint"));
	if (other)
		json_object_set_new(asked, "fingerprint", json_string("SHA256 00"));
	token = make_token(w, asked);
	e = json_pack("{s:s, s:s, s:s, s:O}", "event", "token", "tenant", "t", "name", name,
	    "token", json_object_get(token, "token"));
	renew_event(w->renew, e);
}
