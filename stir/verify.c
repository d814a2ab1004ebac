#include "stir/verify.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "stir/identity.h"
#include "stir/jtext.h"
#include "stir/passport.h"

enum { FRESH_S = 60, NOT_BEFORE_SLACK_S = 60 }; /* RFC 8224 section 6.2, D-44 */

/* SIP response codes: RFC 8224 section 6.2.2. */
enum {
	SIP_STALE_DATE = 403,
	SIP_USE_IDENTITY_HEADER = 428,
	SIP_BAD_IDENTITY_INFO = 436,
	SIP_UNSUPPORTED_CREDENTIAL = 437,
	SIP_INVALID_IDENTITY_HEADER = 438,
};

/* What the steps find out for those after them. */
struct run {
	const struct verify_input *in;
	struct verify_result *out;
	struct identity id; /* of an Identity value; passport alone otherwise */
	bool has_identity;
	struct jws_parts jws;
	bool parsed;
	enum ppt ppt;
	struct passport passport;
	bool prepared;
	struct fault claims_fault; /* why not */
	const X509 *issuer;
	int64_t iat_s;
	int code; /* of the step that runs, where it is not that of the table */
};

/*
 * A step leaves RC_OK and a verdict with its detail in *v, or fails with a
 * fault, which is the verdict FAIL.
 */
struct finding {
	enum verdict verdict;
	char detail[160];
};
typedef enum rc step_fn(struct run *r, struct finding *v, struct fault *f);

#define SAY(v, what, ...) \
	((v)->verdict = (what), (void)snprintf((v)->detail, sizeof(v)->detail, __VA_ARGS__))

static const struct cert *
leaf_of(const struct run *r)
{
	return r->out->chain == NULL ? NULL : r->out->chain->cert[0];
}

static const json_t *
header(const struct run *r, const char *name)
{
	return json_object_get(r->out->header, name);
}

/* ---- 1: syntax --------------------------------------------------------------- */

static enum rc
parse_token(struct run *r, struct fault *f)
{
	struct span token = r->in->token;

	if (memchr(token.ptr, ';', token.len) != NULL) {
		r->has_identity = true;
		TRY(identity_parse(token, &r->id, f));
		token = r->id.passport;
		if (r->id.compact)
			return FAULT(f, RC_INVALID, "compact_form",
			    "the compact form needs its claims from the signalling");
	}
	return jws_split(token, &r->jws, f);
}

/* RFC 8225 section 4; anything else in the header could change what it means. */
static enum rc
check_header(const struct run *r, struct fault *f)
{
	static const char *const known[] = { "alg", "ppt", "typ", "x5c", "x5u" };
	json_t *members = jtext_walk(r->out->header);

	for (void *i = json_object_iter(members); i != NULL;
	     i = json_object_iter_next(members, i)) {
		bool found = false;

		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			found = found || strcmp(known[k], json_object_iter_key(i)) == 0;
		if (!found)
			return FAULT(f, RC_INVALID, "jose_header", "unknown member '%.40s'",
			    json_object_iter_key(i));
	}
	if (!span_is(jtext_span(header(r, "typ")), "passport"))
		return FAULT(f, RC_INVALID, "jose_header", "typ is not passport");
	if (!span_is(jtext_span(header(r, "alg")), "ES256"))
		return FAULT(f, RC_INVALID, "jose_header", "alg is not ES256");
	if (header(r, "x5u") != NULL && !json_is_string(header(r, "x5u")))
		return FAULT(f, RC_INVALID, "jose_header", "x5u is no string");
	return RC_OK;
}

static enum rc
find_ppt(struct run *r, struct fault *f)
{
	const json_t *ppt = header(r, "ppt");

	if (ppt != NULL && !json_is_string(ppt))
		return FAULT(f, RC_INVALID, "jose_header", "ppt is no string");
	/* RFC 8224 section 6.2 step 1: such a header is ignored; none is left. */
	if (ppt_find(json_string_value(ppt), &r->ppt, NULL) != RC_OK) {
		r->code = SIP_USE_IDENTITY_HEADER;
		return FAULT(
		    f, RC_INVALID, "unsupported_ppt", "ppt '%.40s'", json_string_value(ppt));
	}
	return RC_OK;
}

/*
 * The claims by the same rules as for signing, but for what a verifier ignores
 * (claims it does not know) and judges apart (freshness).
 */
static enum rc
prepare(struct run *r, struct fault *f)
{
	const struct passport_policy policy = {
		.now_s = r->iat_s, .lenient = true, .orig_uri = true
	};
	enum rc rc =
	    passport_prepare(r->out->claims, r->ppt, &policy, &r->passport, &r->claims_fault);

	if (rc == RC_NO_MEMORY)
		return FAULT(f, rc, "no_memory", "claims");
	r->prepared = rc == RC_OK;
	return RC_OK;
}

static enum rc
step_parse(struct run *r, struct finding *v, struct fault *f)
{
	const json_t *iat;

	TRY(parse_token(r, f));
	r->parsed = true;
	r->out->header = json_incref(r->jws.header);
	TRY(jtext_read(buf_view(&r->jws.payload), &r->out->claims, f));
	if (!json_is_object(r->out->claims))
		return FAULT(f, RC_INVALID, "claims", "the payload is no JSON object");
	TRY(check_header(r, f));
	TRY(find_ppt(r, f));
	iat = json_object_get(r->out->claims, "iat");
	if (!json_is_integer(iat))
		return FAULT(f, RC_INVALID, "invalid_claim", "iat is no integer");
	r->iat_s = json_integer_value(iat);
	SAY(v, VERDICT_PASS, "%s, %s", r->has_identity ? "Identity value" : "PASSporT alone",
	    r->ppt == PPT_BASE ? "base" : ppt_rule(r->ppt)->name);
	return prepare(r, f);
}

/* ---- 2, 3: the certificates, and what the header field says of them ---------- */

static enum rc
step_conveyance(struct run *r, struct finding *v, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);
	const json_t *x5c = header(r, "x5c");

	if (x5c != NULL) {
		/* Never what x5u leads to, where the certificates are here (V-40). */
		TRY(chain_read_x5c(x5c, &r->out->chain, f));
		SAY(v, VERDICT_PASS, "%zu certificates in x5c", r->out->chain->len);
		return RC_OK;
	}
	if (r->in->chain == NULL)
		return FAULT(f, RC_NOT_FOUND, "no_chain",
		    "no x5c, and nobody fetched what x5u leads to");
	TRY(chain_write_pem(&pem, r->in->chain, f));
	TRY(chain_read_pem(buf_view(&pem), false, &r->out->chain, f));
	SAY(v, VERDICT_PASS, "%zu certificates supplied", r->out->chain->len);
	return RC_OK;
}

static enum rc
check_parameters(struct run *r, struct fault *f)
{
	struct span ppt = jtext_span(header(r, "ppt"));

	if (r->id.ppt.len != 0 && !span_eq(r->id.ppt, ppt)) {
		r->code = SIP_INVALID_IDENTITY_HEADER;
		return FAULT(
		    f, RC_DENIED, "ppt_mismatch", "the parameter ppt is not the header's");
	}
	if (r->id.alg.len != 0 && !span_is(r->id.alg, "ES256")) {
		r->code = SIP_UNSUPPORTED_CREDENTIAL;
		return FAULT(f, RC_DENIED, "alg", "the parameter alg is not ES256");
	}
	return RC_OK;
}

static enum rc
step_info(struct run *r, struct finding *v, struct fault *f)
{
	const json_t *x5u = header(r, "x5u");

	if (!r->has_identity) {
		SAY(v, VERDICT_SKIPPED, "a PASSporT alone has no parameters");
		return RC_OK;
	}
	TRY(check_parameters(r, f));
	if (x5u == NULL) {
		SAY(v, VERDICT_WARN, "no x5u to compare info with");
		return RC_OK;
	}
	/* RFC 8224 section 4.1: by simple string comparison. */
	if (!span_eq(r->id.info, jtext_span(x5u)))
		return FAULT(f, RC_DENIED, "info_mismatch", "info is not x5u");
	SAY(v, VERDICT_PASS, "info is x5u");
	return RC_OK;
}

/* ---- 4-6: path, time, signature ----------------------------------------------- */

static enum rc
step_path(struct run *r, struct finding *v, struct fault *f)
{
	const struct cert *leaf = leaf_of(r);
	int64_t at_s = r->in->at_s;

	if (leaf == NULL || r->in->anchors == NULL) {
		SAY(v, VERDICT_SKIPPED, leaf == NULL ? "no certificates" : "no trust anchors");
		return RC_OK;
	}
	/* D-44: a CA's clock may be ahead of ours by a minute. */
	if (at_s < leaf->not_before_s && at_s + NOT_BEFORE_SLACK_S >= leaf->not_before_s)
		at_s = leaf->not_before_s;
	TRY(chain_verify(r->out->chain, r->in->anchors, at_s, &r->issuer, f));
	SAY(v, VERDICT_PASS, "serial %s leads to an anchor", leaf->serial);
	return RC_OK;
}

static enum rc
step_freshness(struct run *r, struct finding *v, struct fault *f)
{
	/* Both are below 2^53 in magnitude. */
	int64_t age_s = r->in->at_s - r->iat_s;

	int64_t past_s =
	    ppt_rule(r->ppt)->iat == IAT_OF_ORIGINAL ? PASSPORT_DIVERTED_S : FRESH_S;

	if (age_s > past_s || age_s < -FRESH_S)
		return FAULT(f, RC_DENIED, "stale_iat", "iat is %lld s %s",
		    (long long)(age_s > 0 ? age_s : -age_s), age_s > 0 ? "old" : "ahead");
	SAY(v, VERDICT_PASS, "iat is %lld s old", (long long)age_s);
	return RC_OK;
}

static enum rc
step_signature(struct run *r, struct finding *v, struct fault *f)
{
	const struct cert *leaf = leaf_of(r);

	if (leaf == NULL) {
		SAY(v, VERDICT_SKIPPED, "no certificate");
		return RC_OK;
	}
	if (!leaf->p256) {
		r->code = SIP_UNSUPPORTED_CREDENTIAL;
		return FAULT(f, RC_DENIED, "chain_algorithm", "the key is not on P-256");
	}
	TRY(es256_verify(X509_get0_pubkey(leaf->x509), r->jws.signing_input,
	    span_of(r->jws.sig, ES256_SIG_LEN), f));
	SAY(v, VERDICT_PASS, "by the leaf's key");
	return RC_OK;
}

/* ---- 7, 8: what the certificate authorises ------------------------------------ */

static bool
is_sp(const struct tnauth *list)
{
	return tnauth_len(list) == 1 && tnauth_spcs(list) == 1;
}

/* The list in the certificate and the one it refers to count as one (RFC 9060 section 4.1). */
static bool
covers(const struct run *r, const struct cert *leaf, const struct tn *tn)
{
	const struct tnset *elsewhere = leaf->tnauth_by_reference ? r->in->referenced : NULL;

	if (leaf->tnauth != NULL && tnauth_covers(leaf->tnauth, tn))
		return true;
	return elsewhere != NULL && tn->len > 0 && tnset_has(elsewhere, tn_key(tn));
}

/* RFC 8224 section 8.4, D-26 */
static enum rc
check_domain(const struct run *r, const struct cert *leaf, struct finding *v, struct fault *f)
{
	const char *host = strchr(r->passport.orig_uri, '@') + 1;

	if (leaf->dns_name == NULL || strcasecmp(host, leaf->dns_name) != 0)
		return FAULT(f, RC_DENIED, "tn_not_authorized",
		    "the host of orig.uri is not the one dNSName of the certificate");
	SAY(v, VERDICT_PASS, "%.100s is the certificate's dNSName", host);
	return RC_OK;
}

static enum rc
check_authority(struct run *r, const struct cert *leaf, struct finding *v, struct fault *f)
{
	const struct tnauth *list = leaf->tnauth;
	enum credential_class cls = list != NULL && is_sp(list) ? CLASS_SP : CLASS_DELEGATE;
	size_t n = 0;
	const struct tn *tn = passport_authorising(&r->passport, &n);

	/* D-01: shaken is a provider's, everything else a number holder's. */
	if ((ppt_rule(r->ppt)->classes & (1u << cls)) == 0)
		return FAULT(f, RC_DENIED, "tn_not_authorized",
		    cls == CLASS_SP ? "a provider's certificate does not sign this ppt"
				    : "this ppt needs a certificate of one provider code");
	if (r->passport.orig_uri != NULL)
		return check_domain(r, leaf, v, f);
	if (cls == CLASS_SP) {
		SAY(v, VERDICT_PASS, "provider %s", tnauth_at(list, 0)->spc);
		return RC_OK;
	}
	for (size_t i = 0; i < n; i++) {
		if (!covers(r, leaf, &tn[i]))
			return FAULT(f, RC_DENIED, "tn_not_authorized",
			    "%s is not in the TNAuthList", tn_mask(&tn[i]).text);
	}
	SAY(v, VERDICT_PASS, "%s is in the TNAuthList", tn_mask(tn).text);
	return RC_OK;
}

static enum rc
check_scope(const struct run *r, const struct cert *leaf, struct fault *f)
{
	const struct tnauth *list = leaf->tnauth;
	const struct encompass e = { .chain = r->out->chain,
		.anchor = r->issuer != NULL && r->in->anchors != NULL
			      ? chain_anchor(r->out->chain, r->in->anchors)
			      : NULL,
		.referenced = leaf->tnauth_by_reference ? r->in->referenced : NULL,
		/* Beside numbers they name who originates (D-05). */
		.codes_are_originators =
		    !r->in->codes_are_scope && (list == NULL || !is_sp(list)) };

	return encompass_check(&e, r->in->encompassing, f);
}

static enum rc
step_authority(struct run *r, struct finding *v, struct fault *f)
{
	const struct cert *leaf = leaf_of(r);

	if (leaf == NULL || !r->prepared) {
		SAY(v, VERDICT_SKIPPED,
		    leaf == NULL ? "no certificate" : "the claims do not hold");
		return RC_OK;
	}
	if (leaf->tnauth == NULL && (!leaf->tnauth_by_reference || r->in->referenced == NULL))
		return FAULT(f, RC_DENIED, "credential_unusable",
		    leaf->tnauth_by_reference ? "the TNAuthList is elsewhere"
					      : "no TNAuthList");
	TRY(check_authority(r, leaf, v, f));
	return check_scope(r, leaf, f);
}

static enum rc
step_constraints(struct run *r, struct finding *v, struct fault *f)
{
	/* D-12: a verifier matches what a CA printed in another order. */
	const struct constraints_policy policy = {
		.normalise_permitted = true,
		.assert_committed = true, /* whether it should have been sent is the signer's */
		.salts = r->in->salts,
	};
	const struct cert *leaf = leaf_of(r);
	struct fault inner = { 0 };

	if (leaf == NULL || leaf->constraints == NULL) {
		SAY(v, leaf == NULL ? VERDICT_SKIPPED : VERDICT_PASS,
		    leaf == NULL ? "no certificate" : "the certificate has none");
		return RC_OK;
	}
	if (leaf->both_constraints) {
		r->code = SIP_UNSUPPORTED_CREDENTIAL;
		return FAULT(f, RC_DENIED, "credential_unusable", "both kinds of constraints");
	}
	/* RFC 9118 section 3: then the extension counts as absent (D-09). */
	if (constraints_exclude_base(leaf->constraints)) {
		SAY(v, VERDICT_WARN, "ignored: they forbid a base claim");
		return RC_OK;
	}
	if (constraints_evaluate(leaf->constraints, &policy, r->out->claims, &inner) == RC_OK) {
		SAY(v, VERDICT_PASS, "the claims are inside the constraints");
		return RC_OK;
	}
	if (fault_is(&inner, REASON_COMMITMENT_NOT_PROVABLE)) {
		/* V-68 */
		SAY(v, VERDICT_WARN, "%s: authorized but not presently verifiable",
		    inner.claim);
		return RC_OK;
	}
	return FAULT(f, inner.rc, inner.reason, "%s: %s", inner.claim, inner.detail);
}

/* ---- 9: transparency ----------------------------------------------------------- */

static enum rc
step_sct(struct run *r, struct finding *v, struct fault *f)
{
	const struct cert *leaf = leaf_of(r);
	struct sct_result s = { 0 };
	bool demanded;

	if (leaf == NULL || r->in->ctlogs == NULL || r->issuer == NULL) {
		SAY(v, VERDICT_SKIPPED, "%s",
		    leaf == NULL	    ? "no certificate"
		    : r->in->ctlogs == NULL ? "no list of logs"
					    : "no issuer to check them with");
		return RC_OK;
	}
	/* at_s is the second that has begun: a timestamp inside it is not of the future. */
	TRY(sct_check(leaf, r->issuer, r->in->ctlogs, r->in->at_s * 1000 + 999, &s, f));
	/* D-01: providers' certificates are not logged everywhere. */
	demanded = leaf->tnauth == NULL || !is_sp(leaf->tnauth);
	if (s.valid < r->in->min_scts && demanded)
		return FAULT(f, RC_DENIED, "sct_policy",
		    "%zu valid of %zu, %u are due (%zu of unusable logs, %zu invalid)", s.valid,
		    s.present, r->in->min_scts, s.unknown, s.invalid);
	SAY(v, s.valid < r->in->min_scts ? VERDICT_WARN : VERDICT_PASS,
	    "%zu valid of %zu, by %zu operators", s.valid, s.present, s.operators);
	return RC_OK;
}

/* ---- 10, 11: claims, and the call they are about -------------------------------- */

static enum rc
step_claims(struct run *r, struct finding *v, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(PASSPORT_MAX_BYTES);

	if (!r->prepared)
		return FAULT(f, RC_DENIED, r->claims_fault.reason, "%s: %s",
		    r->claims_fault.claim, r->claims_fault.detail);
	/* Signed numbers are canonical already (RFC 8224 section 8.3). */
	if (!json_equal(json_object_get(r->passport.claims, "orig"),
		json_object_get(r->out->claims, "orig")))
		return FAULT(f, RC_DENIED, "invalid_tn", "orig.tn is not canonical");
	if (!json_equal(json_object_get(r->passport.claims, "div"),
		json_object_get(r->out->claims, "div")) &&
	    r->passport.div.len > 0)
		return FAULT(f, RC_DENIED, "invalid_tn", "div.tn is not canonical");
	TRY(jtext_write(&text, r->passport.claims, f));
	if (span_eq(buf_view(&text), buf_view(&r->jws.payload)))
		SAY(v, VERDICT_PASS, "complete, in the form of RFC 8225 section 9");
	else
		SAY(v, VERDICT_WARN, "complete, not in the form of RFC 8225 section 9");
	return RC_OK;
}

/* What the call was before, verified as this one is, with nothing but x5c to go by. */
static enum rc
check_originals(struct run *r, const struct originals *o, struct finding *v, struct fault *f)
{
	const struct original_policy policy = { .check = ORIGINAL_COMPARE,
		.anchors = r->in->anchors,
		.known = r->in->known,
		.arg = r->in->arg,
		.now_s = r->in->at_s,
		.max_age_s = PASSPORT_DIVERTED_S };
	size_t verified = 0, n = originals_len(o);

	TRY(originals_match(o, &r->passport, f));
	TRY(originals_verify(o, &policy, &verified, f));
	r->out->answers = ppt_rule(r->ppt)->answers == ANSWERS_CALL;
	r->out->diverted = originals_diverted(o);
	SAY(v, verified == n ? VERDICT_PASS : VERDICT_WARN,
	    "%zu of %zu PASSporTs before it are verified%s", verified, n,
	    r->out->diverted ? ", the call was diverted" : "");
	return RC_OK;
}

static enum rc
step_original(struct run *r, struct finding *v, struct fault *f)
{
	AUTO(originals) *nested = NULL;
	struct span opt = jtext_span(json_object_get(r->out->claims, "opt"));

	if (ppt_rule(r->ppt)->answers == ANSWERS_NOTHING || !r->prepared) {
		SAY(v, VERDICT_SKIPPED,
		    r->prepared ? "it answers no other" : "the claims do not hold");
		return RC_OK;
	}
	if (r->in->originals != NULL)
		return check_originals(r, r->in->originals, v, f);
	if (r->ppt != PPT_DIV_O || r->in->alone) {
		SAY(v, VERDICT_SKIPPED, "what it answers was not supplied");
		return RC_OK;
	}
	TRY(originals_read(&opt, 1, &nested, f));
	return check_originals(r, nested, v, f);
}

static bool
same_tn(const struct tn *a, const struct tn *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static bool
is_dest(const struct passport *p, const struct tn *to)
{
	for (size_t i = 0; i < p->dests; i++) {
		if (same_tn(&p->dest[i], to))
			return true;
	}
	return false;
}

static enum rc
step_signalling(struct run *r, struct finding *v, struct fault *f)
{
	const struct tn *from = r->in->from, *to = r->in->to;

	if ((from == NULL && to == NULL) || !r->prepared) {
		SAY(v, VERDICT_SKIPPED,
		    r->prepared ? "nothing from signalling to compare with"
				: "the claims do not hold");
		return RC_OK;
	}
	if (from != NULL && !same_tn(from, &r->passport.orig))
		return FAULT(f, RC_DENIED, "orig_mismatch", "orig is not the caller %s",
		    tn_mask(from).text);
	if (to != NULL && !is_dest(&r->passport, to))
		return FAULT(
		    f, RC_DENIED, "dest_mismatch", "%s is not in dest", tn_mask(to).text);
	if (from == NULL || to == NULL)
		SAY(v, VERDICT_WARN, "%s not compared", from == NULL ? "orig" : "dest");
	else
		SAY(v, VERDICT_PASS, "orig and dest are those of the call");
	return RC_OK;
}

/* V-74: reported, and judged by whoever reads it. */
static enum rc
step_originator(struct run *r, struct finding *v, struct fault *f)
{
	const struct cert *leaf = leaf_of(r);
	const struct tnauth *list = leaf != NULL ? leaf->tnauth : NULL;

	(void)f;
	if (r->in->osp_spc == NULL)
		SAY(v, VERDICT_SKIPPED, "no originating provider was given");
	else if (list == NULL || is_sp(list) || tnauth_spcs(list) == 0)
		SAY(v, VERDICT_SKIPPED, "the certificate names no originating providers");
	else if (tnauth_has_spc(list, r->in->osp_spc))
		SAY(v, VERDICT_PASS, "%.40s is listed", r->in->osp_spc);
	else
		SAY(v, VERDICT_WARN, "%.40s is not listed", r->in->osp_spc);
	return RC_OK;
}

/* ---- all of them ----------------------------------------------------------------- */

static const struct {
	const char *name;
	step_fn *run;
	int code;
} steps[] = {
	[VERIFY_PARSE] = { "parse", step_parse, SIP_INVALID_IDENTITY_HEADER },
	[VERIFY_CONVEYANCE] = { "conveyance", step_conveyance, SIP_BAD_IDENTITY_INFO },
	[VERIFY_INFO] = { "info", step_info, SIP_BAD_IDENTITY_INFO },
	[VERIFY_PATH] = { "path", step_path, SIP_UNSUPPORTED_CREDENTIAL },
	[VERIFY_FRESHNESS] = { "freshness", step_freshness, SIP_STALE_DATE },
	[VERIFY_SIGNATURE] = { "signature", step_signature, SIP_INVALID_IDENTITY_HEADER },
	[VERIFY_AUTHORITY] = { "authority", step_authority, SIP_UNSUPPORTED_CREDENTIAL },
	[VERIFY_CONSTRAINTS] = { "constraints", step_constraints, SIP_INVALID_IDENTITY_HEADER },
	[VERIFY_SCT] = { "sct", step_sct, SIP_UNSUPPORTED_CREDENTIAL },
	[VERIFY_CLAIMS] = { "claims", step_claims, SIP_INVALID_IDENTITY_HEADER },
	[VERIFY_ORIGINAL] = { "original", step_original, SIP_INVALID_IDENTITY_HEADER },
	[VERIFY_SIGNALLING] = { "signalling", step_signalling, SIP_INVALID_IDENTITY_HEADER },
	[VERIFY_ORIGINATOR] = { "originator", step_originator, SIP_INVALID_IDENTITY_HEADER },
};
static_assert(ARRAY_LEN(steps) == VERIFY__COUNT, "a row per step");

const char *
verify_step_name(enum verify_step s)
{
	assert(s < VERIFY__COUNT);
	return steps[s].name;
}

const char *
verdict_name(enum verdict v)
{
	static const char *const names[] = { "skipped", "pass", "warn", "fail" };

	assert((size_t)v < ARRAY_LEN(names));
	return names[v];
}

static enum rc
run_step(struct run *r, enum verify_step s, struct fault *f)
{
	struct verify_result *out = r->out;
	struct finding v = { VERDICT_SKIPPED, "the token cannot be read" };
	struct fault inner = { 0 };
	enum rc rc = RC_OK;

	r->code = 0;
	if (s == VERIFY_PARSE || out->step[VERIFY_PARSE].verdict == VERDICT_PASS)
		rc = steps[s].run(r, &v, &inner);
	if (rc == RC_NO_MEMORY)
		return FAULT(f, rc, "no_memory", "%s", inner.detail);
	if (rc != RC_OK) {
		SAY(&v, VERDICT_FAIL, "%s: %.120s", inner.reason, inner.detail);
		out->pass = false;
		if (out->code == 0)
			out->code = r->code != 0 ? r->code : steps[s].code;
	}
	out->step[s].verdict = v.verdict;
	memcpy(out->step[s].detail, v.detail, sizeof v.detail);
	return RC_OK;
}

static enum rc
run_steps(struct run *r, struct fault *f)
{
	r->out->pass = true;
	for (enum verify_step s = 0; s < VERIFY__COUNT; s++) {
		TRY(run_step(r, s, f));
		if (r->in->to_failure && !r->out->pass)
			break;
	}
	/* What nobody vouches for does not pass. */
	if (r->out->step[VERIFY_PATH].verdict != VERDICT_PASS ||
	    r->out->step[VERIFY_SIGNATURE].verdict != VERDICT_PASS)
		r->out->pass = false;
	return RC_OK;
}

enum rc
verify_passport(const struct verify_input *in, struct verify_result *out, struct fault *f)
{
	struct verify_result result = { 0 };
	struct run r = { .in = in, .out = &result };
	enum rc rc = run_steps(&r, f);

	if (r.parsed)
		jws_done(&r.jws);
	if (r.prepared)
		passport_done(&r.passport);
	if (rc != RC_OK) {
		verify_done(&result);
		return rc;
	}
	*out = result;
	return RC_OK;
}

void
verify_done(struct verify_result *r)
{
	json_decref(r->header);
	json_decref(r->claims);
	chain_free(r->chain);
	r->header = r->claims = NULL;
	r->chain = NULL;
}
