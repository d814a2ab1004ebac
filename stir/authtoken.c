#include "stir/authtoken.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "stir/b64.h"
#include "stir/jtext.h"

enum { TKVALUE_MAX = JWS_MAX_BYTES, TEXT_MAX = 4096 };

void
authtoken_free(struct authtoken *t)
{
	if (t == NULL)
		return;
	free(t->tktype);
	free(t->fingerprint);
	free(t->iss);
	free(t->sub);
	free(t->jti);
	free(t->x5u);
	buf_free(&t->tkvalue);
	chain_free(t->x5c);
	free(t);
}

/* A string member; absent is fine unless required. */
static enum rc
take_text(const json_t *object, const char *name, bool required, char **out, struct fault *f)
{
	const json_t *value = json_object_get(object, name);

	if (value == NULL && !required)
		return RC_OK;
	if (!json_is_string(value) || json_string_length(value) > TEXT_MAX)
		return FAULT(f, RC_INVALID, "authtoken_claim", "'%s' is no string", name);
	*out = strdup(json_string_value(value));
	return *out == NULL ? FAULT(f, RC_NO_MEMORY, "no_memory", "%s", name) : RC_OK;
}

/* D-28: base64url or base64, with or without padding; the octets are what counts. */
static enum rc
take_tkvalue(struct authtoken *t, const json_t *value, struct fault *f)
{
	struct span text = jtext_span(value);
	bool padded = text.len > 0 && text.ptr[text.len - 1] == '=';
	enum b64_form form = B64_URL;

	if (!json_is_string(value) || text.len == 0)
		return FAULT(f, RC_INVALID, "authtoken_claim", "'tkvalue' is no string");
	if (padded && text.len % 4 != 0)
		return FAULT(f, RC_INVALID, "base64", "'tkvalue': wrong padding");
	for (size_t i = 0; padded && i < 2 && text.ptr[text.len - 1] == '='; i++)
		text.len--;
	if (memchr(text.ptr, '+', text.len) != NULL || memchr(text.ptr, '/', text.len) != NULL)
		form = B64_STD_BARE;
	return b64_decode(&t->tkvalue, form, text, f);
}

/* RFC 9447 section 3.1 */
static enum rc
take_atc(struct authtoken *t, const json_t *atc, struct fault *f)
{
	const json_t *ca = json_object_get(atc, "ca");

	if (!json_is_object(atc))
		return FAULT(f, RC_INVALID, "authtoken_claim", "no 'atc' object");
	TRY(take_text(atc, "tktype", true, &t->tktype, f));
	TRY(take_text(atc, "fingerprint", true, &t->fingerprint, f));
	TRY(take_tkvalue(t, json_object_get(atc, "tkvalue"), f));
	if (ca != NULL && !json_is_boolean(ca))
		return FAULT(
		    f, RC_INVALID, "authtoken_claim", "'ca' is neither true nor false");
	t->ca = json_is_true(ca);
	return RC_OK;
}

static enum rc
take_claims(struct authtoken *t, struct span text, struct fault *f)
{
	json_auto_t *claims = NULL;
	const json_t *exp;

	TRY(jtext_read(text, &claims, f));
	if (!json_is_object(claims))
		return FAULT(f, RC_INVALID, "authtoken_claim", "the payload is no JSON object");
	exp = json_object_get(claims, "exp");
	if (!json_is_integer(exp))
		return FAULT(f, RC_INVALID, "authtoken_claim", "no 'exp'");
	t->exp_s = json_integer_value(exp);
	TRY(take_text(claims, "jti", true, &t->jti, f));
	TRY(take_text(claims, "iss", false, &t->iss, f));
	TRY(take_text(claims, "sub", false, &t->sub, f));
	t->evidence = json_is_object(json_object_get(claims, "evidence"));
	return take_atc(t, json_object_get(claims, "atc"), f);
}

static enum rc
take_header(struct authtoken *t, const json_t *header, struct fault *f)
{
	const json_t *typ = json_object_get(header, "typ");
	const json_t *x5c = json_object_get(header, "x5c");

	if (!span_is(jtext_span(json_object_get(header, "alg")), "ES256"))
		return FAULT(f, RC_INVALID, "authtoken_syntax", "alg is not ES256");
	if (typ != NULL &&
	    !(json_is_string(typ) && strcasecmp(json_string_value(typ), "JWT") == 0))
		return FAULT(f, RC_INVALID, "authtoken_syntax", "typ is not JWT");
	if (json_object_get(header, "crit") != NULL)
		return FAULT(f, RC_INVALID, "authtoken_syntax", "crit is not understood");
	TRY(take_text(header, "x5u", false, &t->x5u, f));
	if (x5c != NULL)
		return chain_read_x5c(x5c, &t->x5c, f);
	if (t->x5u == NULL)
		return FAULT(f, RC_INVALID, "authtoken_syntax", "neither x5c nor x5u");
	return RC_OK;
}

static enum rc
decode_parts(struct authtoken *t, const struct jws_parts *p, struct fault *f)
{
	TRY(take_header(t, p->header, f));
	return take_claims(t, buf_view(&p->payload), f);
}

enum rc
authtoken_decode(struct span jwt, struct authtoken **out, struct fault *f)
{
	AUTO(authtoken) *t = calloc(1, sizeof *t);
	struct jws_parts p;
	struct fault inner = { 0 };
	enum rc rc;

	if (t == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "token");
	t->tkvalue = BUF_INIT(TKVALUE_MAX);
	if (jws_split(jwt, &p, &inner) != RC_OK)
		return FAULT(f, inner.rc, "authtoken_syntax", "%s", inner.detail);
	rc = decode_parts(t, &p, f);
	jws_done(&p);
	if (rc == RC_OK)
		*out = TAKE(t);
	return rc;
}

/* ---- judging ---------------------------------------------------------------- */

static enum rc
check_tktype(const struct authtoken *t, const char *want, struct fault *f)
{
	if (strcmp(t->tktype, want) == 0)
		return RC_OK;
	if (strcasecmp(t->tktype, want) == 0)
		return FAULT(f, RC_DENIED, "authtoken_tktype",
		    "'%.40s' differs from '%.40s' in case", t->tktype, want);
	return FAULT(
	    f, RC_DENIED, "authtoken_tktype", "'%.40s' where '%.40s' is due", t->tktype, want);
}

/* D-29: the thumbprint of the account's JWK, or the digest of its SPKI. */
static enum rc
check_fingerprint(const struct authtoken *t, const struct authtoken_expect *e, struct fault *f)
{
	char text[2][FINGERPRINT_TEXT];
	uint8_t hash[32] = { 0 };
	enum fingerprint_form other =
	    e->form == FINGERPRINT_JWK ? FINGERPRINT_SPKI : FINGERPRINT_JWK;

	jwk_thumbprint(e->account_point, hash);
	fingerprint_text(hash, text[FINGERPRINT_JWK]);
	TRY(spki_hash(e->account_point, hash, f));
	fingerprint_text(hash, text[FINGERPRINT_SPKI]);
	if (strcmp(t->fingerprint, text[e->form]) == 0)
		return RC_OK;
	if (strcmp(t->fingerprint, text[other]) == 0)
		return FAULT(f, RC_DENIED, "authtoken_fingerprint",
		    "it is the %s of the account key, the authority is configured for the %s",
		    other == FINGERPRINT_SPKI ? "SPKI digest" : "JWK thumbprint",
		    other == FINGERPRINT_SPKI ? "JWK thumbprint" : "SPKI digest");
	return FAULT(f, RC_DENIED, "authtoken_fingerprint", "it is of another account key");
}

static enum rc
check_claims(const struct authtoken *t, const struct authtoken_expect *e, struct fault *f)
{
	TRY(check_tktype(t, e->tktype, f));
	TRY(check_fingerprint(t, e, f));
	/* RFC 9447 section 3.1: CA rights are asked for by no credential of ours. */
	if (t->ca)
		return FAULT(f, RC_DENIED, "authtoken_ca", "the token is for a CA certificate");
	if (t->exp_s <= e->now_s)
		return FAULT(
		    f, RC_EXPIRED, "authtoken_expired", "since %lld", (long long)t->exp_s);
	if (e->issuer != NULL && (t->iss == NULL || strcmp(t->iss, e->issuer) != 0))
		return FAULT(f, RC_DENIED, "authtoken_issuer", "iss is '%.60s'",
		    t->iss == NULL ? "" : t->iss);
	return RC_OK;
}

static enum rc
check_chain(const struct chain *chain, const struct authtoken_expect *e, struct fault *f)
{
	struct fault inner = { 0 };

	if (e->anchors == NULL)
		return RC_OK;
	if (chain == NULL)
		return FAULT(f, RC_DENIED, "authtoken_chain", "its certificate is not at hand");
	if (chain_verify(chain, e->anchors, e->now_s, NULL, &inner) != RC_OK)
		return FAULT(f, inner.rc == RC_EXPIRED ? RC_DENIED : inner.rc,
		    "authtoken_chain", "%s: %s", inner.reason, inner.detail);
	return RC_OK;
}

static enum rc
check_signature(const struct chain *chain, struct span jwt, struct fault *f)
{
	struct jws_parts p;
	bool good;

	if (!chain->cert[0]->p256)
		return FAULT(f, RC_DENIED, "authtoken_signature", "its key is not on P-256");
	TRY(jws_split(jwt, &p, f));
	good = es256_verify(X509_get0_pubkey(chain->cert[0]->x509), p.signing_input,
		   span_of(p.sig, ES256_SIG_LEN), NULL) == RC_OK;
	jws_done(&p);
	if (!good)
		return FAULT(f, RC_DENIED, "authtoken_signature", "it does not verify");
	return RC_OK;
}

enum rc
authtoken_check(const struct authtoken *t, struct span jwt, const struct authtoken_expect *e,
    struct fault *f)
{
	const struct chain *chain = t->x5c != NULL ? t->x5c : e->x5u_chain;

	TRY(check_claims(t, e, f));
	TRY(check_chain(chain, e, f));
	return chain == NULL ? RC_OK : check_signature(chain, jwt, f);
}

/* ---- everything that is wrong with one ---- */

struct report {
	const struct authtoken *t;
	struct span jwt;
	const struct authtoken_expect *e;
	const struct authtoken_wanted *w;
	const struct chain *chain;
};

static enum authtoken_verdict
say(struct authtoken_finding *out, enum authtoken_verdict v, const char *detail)
{
	snprintf(out->why.detail, sizeof out->why.detail, "%s", detail);
	return v;
}

/* What was found stands in the detail already, or is said here. */
static enum authtoken_verdict
judged(struct authtoken_finding *out, enum rc rc, const char *good)
{
	return rc != RC_OK ? AUTHTOKEN_BAD : say(out, AUTHTOKEN_GOOD, good);
}

static enum authtoken_verdict
report_type(const struct report *r, struct authtoken_finding *out)
{
	if (r->e->tktype == NULL)
		return say(out, AUTHTOKEN_UNJUDGED, r->t->tktype);
	return judged(out, check_tktype(r->t, r->e->tktype, &out->why), r->t->tktype);
}

static enum rc
check_within(const struct report *r, struct fault *f)
{
	AUTO(constraints) *inner = NULL;
	AUTO(constraints) *outer = NULL;
	struct fault why = { 0 };

	TRY(constraints_decode(buf_view(&r->t->tkvalue), r->w->form, &inner, f));
	TRY(constraints_decode(r->w->tkvalue, r->w->form, &outer, f));
	if (constraints_within(inner, outer, &why) != RC_OK)
		return FAULT(f, RC_DENIED, "authtok_wider",
		    "not within the constraints that are asked for: %s",
		    why.claim[0] != 0 ? why.claim : why.detail);
	return RC_OK;
}

static enum authtoken_verdict
report_value(const struct report *r, struct authtoken_finding *out)
{
	if (r->w->tkvalue.len == 0)
		return say(out, AUTHTOKEN_UNJUDGED, "what is asked for is not known here");
	if (span_eq(buf_view(&r->t->tkvalue), r->w->tkvalue))
		return say(out, AUTHTOKEN_GOOD, "the octets that are asked for");
	if (r->w->constraints)
		return judged(out, check_within(r, &out->why),
		    "narrower than what is asked for; that is what will be ordered");
	(void)FAULT(&out->why, RC_DENIED, "authtok_numbers",
	    "other numbers than those that are asked for");
	return AUTHTOKEN_BAD;
}

static enum authtoken_verdict
report_account(const struct report *r, struct authtoken_finding *out)
{
	if (r->e->account_point == NULL)
		return say(out, AUTHTOKEN_UNJUDGED, r->t->fingerprint);
	return judged(out, check_fingerprint(r->t, r->e, &out->why),
	    r->e->form == FINGERPRINT_JWK ? "the JWK thumbprint of the account key"
					  : "the SPKI digest of the account key");
}

static enum authtoken_verdict
report_ca(const struct report *r, struct authtoken_finding *out)
{
	if (!r->t->ca)
		return say(out, AUTHTOKEN_GOOD, "for an end entity");
	(void)FAULT(&out->why, RC_DENIED, "authtoken_ca", "the token is for a CA certificate");
	return AUTHTOKEN_BAD;
}

static enum authtoken_verdict
report_expiry(const struct report *r, struct authtoken_finding *out)
{
	if (r->t->exp_s > r->e->now_s) {
		snprintf(out->why.detail, sizeof out->why.detail, "for %lld s",
		    (long long)(r->t->exp_s - r->e->now_s));
		return AUTHTOKEN_GOOD;
	}
	(void)FAULT(&out->why, RC_EXPIRED, "authtoken_expired", "since %lld s",
	    (long long)(r->e->now_s - r->t->exp_s));
	return AUTHTOKEN_BAD;
}

static enum authtoken_verdict
report_issuer(const struct report *r, struct authtoken_finding *out)
{
	const char *iss = r->t->iss != NULL ? r->t->iss : "no iss";

	if (r->e->issuer == NULL)
		return say(out, AUTHTOKEN_UNJUDGED, iss);
	if (r->t->iss != NULL && strcmp(r->t->iss, r->e->issuer) == 0)
		return say(out, AUTHTOKEN_GOOD, iss);
	(void)FAULT(&out->why, RC_DENIED, "authtoken_issuer", "iss is '%.60s'", iss);
	return AUTHTOKEN_BAD;
}

static enum authtoken_verdict
report_chain(const struct report *r, struct authtoken_finding *out)
{
	if (r->chain == NULL)
		return say(out, AUTHTOKEN_UNJUDGED, "its certificate is behind its x5u");
	if (r->e->anchors == NULL)
		return say(out, AUTHTOKEN_UNJUDGED, r->chain->cert[0]->subject);
	return judged(out, check_chain(r->chain, r->e, &out->why), r->chain->cert[0]->subject);
}

static enum authtoken_verdict
report_signature(const struct report *r, struct authtoken_finding *out)
{
	if (r->chain == NULL)
		return say(out, AUTHTOKEN_UNJUDGED, "its certificate is behind its x5u");
	return judged(out, check_signature(r->chain, r->jwt, &out->why), "ES256");
}

/* V-61: a MUST on the claim agent, whose token a CA takes all the same. */
static enum authtoken_verdict
report_parties(const struct report *r, struct authtoken_finding *out)
{
	if (r->t->iss != NULL && r->t->sub != NULL) {
		snprintf(out->why.detail, sizeof out->why.detail, "%.60s for %.60s", r->t->iss,
		    r->t->sub);
		return AUTHTOKEN_GOOD;
	}
	return say(out, r->w->constraints ? AUTHTOKEN_WARNED : AUTHTOKEN_UNJUDGED,
	    r->t->iss == NULL ? "it names no issuer (iss)" : "it names no entity (sub)");
}

/* V-64: by the token that it rests on, or by the numbers that it permits. */
static enum authtoken_verdict
report_binding(const struct report *r, struct authtoken_finding *out)
{
	AUTO(constraints) *c = NULL;

	if (!r->w->constraints)
		return say(out, AUTHTOKEN_GOOD, "its value is the numbers");
	if (r->t->evidence)
		return say(out, AUTHTOKEN_GOOD, "by the evidence that it names");
	if (constraints_decode(buf_view(&r->t->tkvalue), r->w->form, &c, NULL) == RC_OK) {
		for (size_t i = 0; i < c->permitteds; i++) {
			if (strncmp(c->permitted[i].claim, "orig", 4) == 0)
				return say(out, AUTHTOKEN_GOOD, "by the orig that it permits");
		}
	}
	return say(out, AUTHTOKEN_WARNED, "nothing in it binds the claims to numbers");
}

static const struct {
	const char *name;
	enum authtoken_verdict (*judge)(const struct report *r, struct authtoken_finding *out);
} steps[] = {
	[AUTHTOKEN_TYPE] = { "tktype", report_type },
	[AUTHTOKEN_VALUE] = { "tkvalue", report_value },
	[AUTHTOKEN_ACCOUNT] = { "fingerprint", report_account },
	[AUTHTOKEN_CA] = { "ca", report_ca },
	[AUTHTOKEN_EXPIRY] = { "exp", report_expiry },
	[AUTHTOKEN_ISSUER] = { "iss", report_issuer },
	[AUTHTOKEN_CHAIN] = { "chain", report_chain },
	[AUTHTOKEN_SIGNATURE] = { "signature", report_signature },
	[AUTHTOKEN_PARTIES] = { "parties", report_parties },
	[AUTHTOKEN_BINDING] = { "binding", report_binding },
};
static_assert(ARRAY_LEN(steps) == AUTHTOKEN__STEPS, "a row for each");

const char *
authtoken_step_name(enum authtoken_step s)
{
	return steps[s].name;
}

const char *
authtoken_verdict_name(enum authtoken_verdict v)
{
	static const char *const names[] = { [AUTHTOKEN_UNJUDGED] = "unjudged",
		[AUTHTOKEN_GOOD] = "good",
		[AUTHTOKEN_WARNED] = "warned",
		[AUTHTOKEN_BAD] = "bad" };

	return names[v];
}

enum rc
authtoken_report(const struct authtoken *t, struct span jwt, const struct authtoken_expect *e,
    const struct authtoken_wanted *w, struct authtoken_finding out[AUTHTOKEN__STEPS],
    struct fault *f)
{
	struct report r = { t, jwt, e, w, t->x5c != NULL ? t->x5c : e->x5u_chain };

	for (size_t i = 0; i < AUTHTOKEN__STEPS; i++) {
		out[i] = (struct authtoken_finding){ 0 };
		out[i].verdict = steps[i].judge(&r, &out[i]);
		if (out[i].why.rc == RC_NO_MEMORY)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "a report");
	}
	return RC_OK;
}
