#include "stir/original.h"

#include <stdlib.h>

#include "stir/identity.h"
#include "stir/jtext.h"
#include "stir/verify.h"

/* One PASSporT and what it says. */
struct link {
	char *token;
	size_t len;
	bool nested; /* it came in the opt of a div-o */
	bool x5c;
	char *x5u; /* NULL: none */
	struct passport p;
};

struct originals {
	struct link link[ORIGINAL_MAX]; /* those of the call, then each diversion */
	size_t links;
	size_t roots; /* how many are of the call itself */
};

static void
link_done(struct link *l)
{
	passport_done(&l->p);
	free(l->token);
	free(l->x5u);
	*l = (struct link){ 0 };
}

void
originals_free(struct originals *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; i < o->links; i++)
		link_done(&o->link[i]);
	free(o);
}

static enum rc
no_memory(struct fault *f)
{
	return FAULT(f, RC_NO_MEMORY, "no_memory", "originals");
}

static enum rc
bad(struct fault *f, const struct fault *why)
{
	if (why->rc == RC_NO_MEMORY)
		return no_memory(f);
	return REFUSE(
	    f, RC_DENIED, ORIGINAL_INVALID, "original", "%s: %s", why->reason, why->detail);
}

static enum rc
mismatch(struct fault *f, const char *claim, const char *what)
{
	return REFUSE(f, RC_DENIED, ORIGINAL_MISMATCH, claim, "%s", what);
}

/* ---- reading ------------------------------------------------------------------------- */

static char *
copy(struct span s)
{
	return s.len > 0 ? strndup((const char *)s.ptr, s.len) : NULL;
}

static enum rc
passport_of(struct span text, struct span *out, struct fault *f)
{
	struct identity id;

	if (text.len == 0 || text.len > ORIGINAL_MAX_BYTES)
		return FAULT(
		    f, RC_INVALID, "size", "a PASSporT has 1 to %d bytes", ORIGINAL_MAX_BYTES);
	*out = text;
	if (memchr(text.ptr, ';', text.len) == NULL)
		return RC_OK;
	TRY(identity_parse(text, &id, f));
	*out = id.passport;
	/* RFC 8946 section 6: never the compact form, which does not say what it signs. */
	return id.compact ? FAULT(f, RC_INVALID, "compact_form", "a PASSporT in full is due")
			  : RC_OK;
}

static enum rc
read_claims(const struct jws_parts *jws, struct passport *out, struct fault *f)
{
	const json_t *ppt = json_object_get(jws->header, "ppt");
	struct passport_policy policy = { .lenient = true };
	json_auto_t *claims = NULL;
	enum ppt type = PPT_BASE;
	const json_t *iat;

	if (ppt != NULL && !json_is_string(ppt))
		return FAULT(f, RC_INVALID, "jose_header", "ppt is no string");
	TRY(ppt_find(json_string_value(ppt), &type, f));
	TRY(jtext_read(buf_view(&jws->payload), &claims, f));
	iat = json_object_get(claims, "iat");
	if (!json_is_integer(iat))
		return FAULT(f, RC_INVALID, "invalid_claim", "iat is no integer");
	policy.now_s = json_integer_value(iat);
	return passport_prepare(claims, type, &policy, out, f);
}

static enum rc
read_parts(struct span token, const struct jws_parts *jws, struct link *out, struct fault *f)
{
	struct span x5u = jtext_span(json_object_get(jws->header, "x5u"));

	TRY(read_claims(jws, &out->p, f));
	out->x5c = json_object_get(jws->header, "x5c") != NULL;
	out->x5u = copy(x5u);
	out->token = copy(token);
	out->len = token.len;
	if (out->token == NULL || (out->x5u == NULL && x5u.len > 0))
		return no_memory(f);
	return RC_OK;
}

static enum rc
read_link(struct span text, struct link *out, struct fault *f)
{
	__attribute__((cleanup(link_done))) struct link l = { 0 };
	struct span token = { 0 };
	struct jws_parts jws;
	enum rc rc;

	TRY(passport_of(text, &token, f));
	TRY(jws_split(token, &jws, f));
	rc = read_parts(token, &jws, &l, f);
	jws_done(&jws);
	TRY(rc);
	*out = l;
	l = (struct link){ 0 };
	return RC_OK;
}

/* One token and, behind it, what its opt holds, and so on: bounded by their number. */
static enum rc
add(struct originals *o, struct span text, struct fault *f)
{
	bool nested = false;

	do {
		struct link *l = &o->link[o->links];
		struct fault why = { 0 };

		if (o->links == ORIGINAL_MAX)
			return REFUSE(f, RC_DENIED, ORIGINAL_INVALID, "original",
			    "more than %d PASSporTs, those in opt counted", ORIGINAL_MAX);
		if (read_link(text, l, &why) != RC_OK)
			return bad(f, &why);
		l->nested = nested;
		o->links++;
		text = jtext_span(json_object_get(l->p.claims, "opt"));
		nested = true;
	} while (text.len > 0);
	return RC_OK;
}

/* ---- order --------------------------------------------------------------------------- */

static bool
is_diversion(const struct link *l)
{
	return ppt_rule(l->p.ppt)->by == AUTHORISED_BY_DIV;
}

static void
swap(struct originals *o, size_t a, size_t b)
{
	struct link l = o->link[a];

	o->link[a] = o->link[b];
	o->link[b] = l;
}

static bool
same(const struct passport *a, const struct passport *b, const char *claim)
{
	return json_equal(
		   json_object_get(a->claims, claim), json_object_get(b->claims, claim)) == 1;
}

static bool
went_to(const struct passport *p, const struct tn *tn)
{
	for (size_t i = 0; i < p->dests; i++) {
		if (strcmp(p->dest[i].text, tn->text) == 0)
			return true;
	}
	return false;
}

/* Those of the call itself come first; a call may carry several, of different types. */
static enum rc
put_roots_first(struct originals *o, struct fault *f)
{
	for (size_t i = 0; i < o->links; i++) {
		if (!is_diversion(&o->link[i]))
			swap(o, o->roots++, i);
	}
	if (o->roots == 0)
		return mismatch(f, "original", "the PASSporT of the call itself is missing");
	for (size_t i = 1; i < o->links; i++) {
		if (!same(&o->link[i].p, &o->link[0].p, "orig"))
			return mismatch(f, "original", "they have different orig");
		if (i < o->roots && !same(&o->link[i].p, &o->link[0].p, "dest"))
			return mismatch(f, "original", "they have different dest");
	}
	return RC_OK;
}

/* RFC 8946 section 4.2: each div is where the one before went to. */
static enum rc
put_diversions(struct originals *o, struct fault *f)
{
	const struct passport *at = &o->link[0].p;

	for (size_t n = o->roots; n < o->links; n++) {
		size_t next = n;

		while (next < o->links && !went_to(at, &o->link[next].p.div))
			next++;
		if (next == o->links)
			return mismatch(
			    f, "original", "a div does not go on from where the call was");
		swap(o, n, next);
		at = &o->link[n].p;
	}
	return RC_OK;
}

enum rc
originals_read(const struct span *token, size_t n, struct originals **out, struct fault *f)
{
	AUTO(originals) *o = calloc(1, sizeof *o);

	if (o == NULL)
		return no_memory(f);
	for (size_t i = 0; i < n; i++)
		TRY(add(o, token[i], f));
	if (o->links == 0)
		return REFUSE(f, RC_INVALID, MISSING_ORIGINAL, "original",
		    "there is none: send the PASSporT that this one answers");
	TRY(put_roots_first(o, f));
	TRY(put_diversions(o, f));
	*out = TAKE(o);
	return RC_OK;
}

/* ---- comparing ------------------------------------------------------------------------ */

/* Where the call stands: the last diversion, else the call itself. */
static const struct link *
last(const struct originals *o)
{
	return o->links > o->roots ? &o->link[o->links - 1] : &o->link[0];
}

enum rc
originals_defaults(const struct originals *o, enum ppt ppt, json_t **out, struct fault *f)
{
	const struct link *l = last(o);
	json_auto_t *all = json_object();

	if (ppt_rule(ppt)->iat == IAT_OF_ORIGINAL &&
	    json_object_set_new(all, "iat", json_integer(l->p.iat_s)) != 0)
		return no_memory(f);
	if (ppt_claim(ppt, "opt") != NULL &&
	    json_object_set_new(all, "opt", json_string(l->token)) != 0)
		return no_memory(f);
	if (all == NULL)
		return no_memory(f);
	*out = TAKE(all);
	return RC_OK;
}

static bool
has_iat(const struct originals *o, int64_t iat_s)
{
	if (o->links > o->roots)
		return last(o)->p.iat_s == iat_s;
	for (size_t i = 0; i < o->roots; i++) {
		if (o->link[i].p.iat_s == iat_s)
			return true;
	}
	return false;
}

/* RFC 8946 section 5: opt is the one PASSporT that is wrapped. */
static enum rc
match_opt(const struct originals *o, const struct passport *p, struct fault *f)
{
	size_t given = 0;

	for (size_t i = 0; i < o->links; i++)
		given += !o->link[i].nested;
	if (given != 1)
		return mismatch(f, "original", "a div-o wraps one PASSporT");
	if (!span_is(jtext_span(json_object_get(p->claims, "opt")), last(o)->token))
		return mismatch(f, "opt", "opt is not the original");
	return RC_OK;
}

/* RFC 8946 sections 4.1 and 5. */
static enum rc
match_diverted(const struct originals *o, const struct passport *p, struct fault *f)
{
	const struct passport *at = &last(o)->p;

	if (!same(p, at, "orig"))
		return mismatch(f, "orig", "orig is not that of the original");
	if (!went_to(at, &p->div))
		return mismatch(f, "div", "the original does not go to the number of div");
	if (went_to(p, &p->div))
		return mismatch(f, "dest", "the destination does not change");
	if (!has_iat(o, p->iat_s))
		return mismatch(f, "iat", "iat is not that of the original"); /* D-21 */
	return ppt_claim(p->ppt, "opt") != NULL ? match_opt(o, p, f) : RC_OK;
}

/* RFC 9970 section 5, D-37: where the call stands, with a chain of div when it has moved. */
static enum rc
match_answered(const struct originals *o, const struct passport *p, struct fault *f)
{
	const struct passport *at = &last(o)->p;

	if (!same(p, at, "orig"))
		return mismatch(f, "orig", "orig is not that of the original");
	if (!same(p, at, "dest"))
		return mismatch(f, "dest",
		    originals_diverted(o)
			? "dest is not where the last div went"
			: "dest is not that of the original, and no div leads there");
	return RC_OK;
}

enum rc
originals_match(const struct originals *o, const struct passport *p, struct fault *f)
{
	switch (ppt_rule(p->ppt)->answers) {
	case ANSWERS_NOTHING: break;
	case ANSWERS_DIVERTED: return match_diverted(o, p, f);
	case ANSWERS_CALL: return match_answered(o, p, f);
	}
	return RC_OK;
}

/* ---- verifying ------------------------------------------------------------------------- */

static enum rc
check_age(const struct link *l, const struct original_policy *policy, struct fault *f)
{
	/* Both are below 2^53 in magnitude. */
	int64_t age_s = policy->now_s - l->p.iat_s;

	if (age_s > policy->max_age_s || age_s < -ORIGINAL_FUTURE_S)
		return REFUSE(f, RC_DENIED, ORIGINAL_INVALID, "original",
		    "stale_iat: iat is %lld s %s", (long long)(age_s > 0 ? age_s : -age_s),
		    age_s > 0 ? "old" : "ahead");
	return RC_OK;
}

/* What holds without a certificate. */
static bool
is_about_text(enum verify_step s)
{
	return s == VERIFY_PARSE || s == VERIFY_CLAIMS;
}

static enum rc
judge(const struct verify_result *r, bool chained, bool must_pass, struct fault *f)
{
	for (enum verify_step s = 0; s < VERIFY__COUNT; s++) {
		if (r->step[s].verdict == VERDICT_FAIL && (chained || is_about_text(s)))
			return REFUSE(f, RC_DENIED, ORIGINAL_INVALID, "original", "%s: %s",
			    verify_step_name(s), r->step[s].detail);
	}
	if (chained && must_pass && !r->pass)
		return REFUSE(f, RC_DENIED, ORIGINAL_INVALID, "original",
		    "no trust anchor to prove it by");
	return RC_OK;
}

static enum rc
verify_steps(const struct verify_input *in, const struct original_policy *policy, bool chained,
    struct fault *f)
{
	struct verify_result r;
	enum rc rc;

	TRY(verify_passport(in, &r, f));
	rc = judge(&r, chained, !policy->without_anchors, f);
	verify_done(&r);
	return rc;
}

static enum rc
verify_link(const struct link *l, const struct original_policy *policy, size_t *verified,
    struct fault *f)
{
	struct verify_input in = { .token = span_of(l->token, l->len),
		.anchors = policy->anchors,
		.at_s = l->p.iat_s,
		.alone = true };
	bool chained, before;

	TRY(check_age(l, policy, f));
	if (!l->x5c && l->x5u != NULL && policy->known != NULL)
		in.chain = policy->known(policy->arg, span_str(l->x5u));
	chained = l->x5c || in.chain != NULL;
	in.to_failure = chained; /* else not every step counts */
	if (!chained && policy->check == ORIGINAL_CACHED)
		return REFUSE(f, RC_DENIED, ORIGINAL_INVALID, "original",
		    "no x5c, and the chain of its x5u is not known beforehand: original_check "
		    "= "
		    "cached wants it in x5c or original_chains");
	before = chained && policy->remembered != NULL &&
		 policy->remembered(policy->arg, in.token, in.chain);
	if (!before)
		TRY(verify_steps(&in, policy, chained, f));
	if (!before && chained && policy->remember != NULL)
		policy->remember(policy->arg, in.token, in.chain);
	*verified += chained;
	return RC_OK;
}

enum rc
originals_verify(const struct originals *o, const struct original_policy *policy,
    size_t *verified, struct fault *f)
{
	size_t n = 0;

	for (size_t i = 0; i < o->links; i++)
		TRY(verify_link(&o->link[i], policy, &n, f));
	*verified = n;
	return RC_OK;
}

/* ---- facts ------------------------------------------------------------------------------ */

size_t
originals_len(const struct originals *o)
{
	return o->links;
}

bool
originals_diverted(const struct originals *o)
{
	return o->links > o->roots;
}
