#include "agent/front/decide.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "stir/jtext.h"
#include "stir/vper.h"

struct candidate {
	uint32_t tenant;
	uint32_t credential;
	bool listed; /* its tenant's configuration names the number */
};

struct search {
	const struct decide_world *w;
	const struct sign_request *r;
	struct decision *d;
	struct candidate list[DECIDE_MAX_CANDIDATES];
	size_t len;
	const struct tn *number; /* those that must be authorised, all of them */
	size_t numbers;
	const char *claim;	     /* where they stand */
	bool met;		     /* some tenant came into question, whatever it has */
	struct decide_charge charge; /* whose rate was asked */
	bool counted;		     /* by charge() */
	bool proven;		     /* a delegate's PASSporT of the call covers it */
	struct fault unproven;	     /* why one that was there does not */
};

static const struct config_tenant *
tenant_of(const struct search *s, const struct candidate *c)
{
	return &s->w->set->config->tenant[c->tenant];
}

static const struct config_credential *
config_of(const struct search *s, const struct candidate *c)
{
	return &tenant_of(s, c)->credential[c->credential];
}

/* Just renewed, the one before it signs what is dated before it. */
static struct credential *
credential_of(const struct search *s, const struct candidate *c)
{
	const struct credset_place at = { c->tenant, c->credential };

	return credset_dated(s->w->set, at, s->d->passport.iat_s, s->w->now_s);
}

/* ---- rules that a tenant only observes ---- */

static bool
observes(const struct config_tenant *t, enum observe_rule rule)
{
	return (t->observe >> rule & 1) != 0;
}

/* Let pass what the rule refuses, and say so; anything else stays as it is. */
static enum rc
observe(struct search *s, const struct config_tenant *t, enum observe_rule rule, enum rc rc,
    struct fault *f)
{
	if (rc == RC_OK || !observes(t, rule))
		return rc;
	assert(s->d->observeds < OBSERVE__COUNT); /* each rule is judged once */
	s->d->observed[s->d->observeds++] = (struct observation){ rule, *f };
	*f = (struct fault){ 0 };
	return RC_OK;
}

static void
ask_rate(struct search *s, const struct config_tenant *t)
{
	size_t index = (size_t)(t - s->w->set->config->tenant);

	if (s->charge.tenant == t)
		return; /* once a request */
	s->charge = (struct decide_charge){ .tenant = t };
	(void)!policy_take(s->w->policy, index, s->w->now_ms, &s->charge.why);
}

static enum rc
take_rate(struct search *s, const struct config_tenant *t, struct fault *f)
{
	ask_rate(s, t);
	if (s->charge.why.rc != RC_OK && f != NULL)
		*f = s->charge.why;
	return observe(s, t, OBSERVE_RATE, s->charge.why.rc, f);
}

/* ---- syntax ---- */

/* One that the ppt itself knows. */
static bool
is_own(const char *name, enum ppt ppt)
{
	return ppt_is_base_claim(name) || ppt_claim(ppt, name) != NULL;
}

/* ---- what stands in for claims that the caller leaves out ---- */

static enum rc
read_originals(struct search *s, struct fault *f)
{
	const json_t *list = s->r->original;
	struct span token[ORIGINAL_MAX];
	size_t n = json_array_size(list);

	if (ppt_rule(s->r->ppt)->answers == ANSWERS_NOTHING) {
		if (list == NULL)
			return RC_OK;
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "original",
		    "a PASSporT of type %s answers no other", ppt_text(s->r->ppt));
	}
	if (list == NULL)
		return REFUSE(f, RC_INVALID, MISSING_ORIGINAL, "original",
		    "ppt %s needs the PASSporTs that it answers", ppt_text(s->r->ppt));
	if (n > ORIGINAL_MAX)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "original", "at most %d PASSporTs",
		    ORIGINAL_MAX);
	for (size_t i = 0; i < n; i++)
		token[i] = jtext_span(json_array_get(list, i));
	return originals_read(token, n, &s->d->originals, f);
}

/* RFC 9562 section 5.4 */
static enum rc
random_uuid(json_t **out, struct fault *f)
{
	uint8_t b[16];
	char text[37], *p = text;

	if (RAND_bytes(b, sizeof b) != 1)
		return FAULT_OPENSSL(f, RC_BUG, "internal_error", "random bytes");
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof b; i++)
		p += snprintf(
		    p, 4, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
	*out = json_string(text);
	return *out != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "origid");
}

static enum rc
defaults(const struct search *s, json_t **out, struct fault *f)
{
	json_auto_t *all = NULL;
	json_t *origid = NULL;

	if (s->d->originals != NULL)
		return originals_defaults(s->d->originals, s->r->ppt, out, f);
	all = json_object();
	if (s->r->ppt == PPT_SHAKEN && json_object_get(s->r->claims, "origid") == NULL) {
		TRY(random_uuid(&origid, f)); /* of_claims() and settle() say who wants it */
		if (json_object_set_new(all, "origid", origid) != 0)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "origid");
	}
	*out = TAKE(all);
	return RC_OK;
}

/*
 * Which further claims are allowed depends on the credential, which is not
 * known before the number is: here all of them pass, of_claims() judges.
 */
static enum rc
prepare(struct search *s, struct fault *f)
{
	const char *extra[DECIDE_MAX_CLAIMS];
	struct passport_policy policy = { .now_s = s->w->now_s,
		.iat_past_s = s->w->set->config->iat_past_s,
		.iat_future_s = s->w->set->config->iat_future_s,
		.iat_diverted_s = s->w->set->config->iat_diverted_s,
		.extra_claims = extra,
		.orig_uri = true }; /* of_uri() judges */
	json_auto_t *instead = NULL;
	const char *name;
	json_t *value;

	if (json_object_size(s->r->claims) > DECIDE_MAX_CLAIMS)
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, NULL, "more than %d claims",
		    DECIDE_MAX_CLAIMS);
	/* json_object_foreach wants a mutable object; iterating does not change it. */
	json_object_foreach ((json_t *)(uintptr_t)s->r->claims, name, value) {
		if (!is_own(name, s->r->ppt))
			extra[policy.extra++] = name;
	}
	TRY(read_originals(s, f));
	TRY(defaults(s, &instead, f));
	policy.defaults = instead;
	TRY(passport_prepare(s->r->claims, s->r->ppt, &policy, &s->d->passport, f));
	s->d->prepared = true;
	s->number = passport_authorising(&s->d->passport, &s->numbers);
	s->claim = ppt_authorising_claim(ppt_rule(s->r->ppt)->by);
	return s->d->originals != NULL ? originals_match(s->d->originals, &s->d->passport, f)
				       : RC_OK;
}

/* ---- the caller, and with it the tenants ---- */

/* Whose request it is, where that can be told without the number; else NULL. */
static const struct config_tenant *
known_tenant(const struct search *s)
{
	const struct config *c = s->w->set->config;
	const struct config_tenant *t = NULL;

	if (s->r->tenant != NULL)
		t = config_tenant_find(c, s->r->tenant);
	else if (s->w->view->only != CALLER_NO_TENANT)
		t = &c->tenant[s->w->view->only];
	return t != NULL && t->enabled && caller_may(s->w->caller, t) ? t : NULL;
}

/* Before the claims are looked at: a flood of bad ones is a flood as well. */
static enum rc
charge(struct search *s, struct fault *f)
{
	s->d->tenant = known_tenant(s);
	s->counted = s->d->tenant != NULL;
	if (!s->counted)
		return RC_OK; /* settle() takes, when it is known */
	return take_rate(s, s->d->tenant, f);
}

static enum rc
add_tenant(struct search *s, size_t tenant, bool listed, struct fault *f)
{
	const struct config_tenant *t = &s->w->set->config->tenant[tenant];

	s->met = true;
	for (size_t i = 0; i < t->credentials; i++) {
		if (s->r->credential != NULL &&
		    strcmp(s->r->credential, t->credential[i].name) != 0 &&
		    strcmp(s->r->credential, t->credential[i].base) != 0)
			continue;
		if (s->len == DECIDE_MAX_CANDIDATES)
			return REFUSE(f, RC_DENIED, AMBIGUOUS_CREDENTIAL, NULL,
			    "more than %d credentials come into question: name the tenant",
			    DECIDE_MAX_CANDIDATES);
		s->list[s->len++] = (struct candidate){ (uint32_t)tenant, (uint32_t)i, listed };
	}
	return RC_OK;
}

/* D-60: whoever signs for several numbers has all of them configured (D-25). */
static bool
lists(const struct search *s, const struct config_tenant *t)
{
	for (size_t i = 0; i < s->numbers; i++) {
		if (s->number[i].len == 0) /* a URI */
			return false;
		if (t->numbers == NULL || !tnset_has(t->numbers, tn_key(&s->number[i])))
			return false;
	}
	return true;
}

static enum rc
named_tenant(struct search *s, struct fault *f)
{
	const struct config *c = s->w->set->config;
	const struct config_tenant *t = config_tenant_find(c, s->r->tenant);

	/* A tenant that is not there and one that is not the caller's look the same. */
	if (t == NULL || !caller_may(s->w->caller, t))
		return REFUSE(f, RC_DENIED, CALLER_NOT_ALLOWED, NULL,
		    "this caller may not use a tenant of that name");
	s->d->tenant = t;
	if (!t->enabled)
		return REFUSE(
		    f, RC_DENIED, TENANT_DISABLED, NULL, "tenant '%s' is disabled", t->name);
	TRY(add_tenant(s, (size_t)(t - c->tenant), lists(s, t), f));
	if (s->len == 0)
		return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
		    "tenant '%s' has no such credential", t->name);
	return RC_OK;
}

static enum rc
add_if_callers(struct search *s, const uint32_t *list, size_t n, bool listed, struct fault *f)
{
	for (size_t i = 0; i < n; i++) {
		const struct config_tenant *t = &s->w->set->config->tenant[list[i]];

		if (t->enabled && caller_may(s->w->caller, t))
			TRY(add_tenant(s, list[i], listed && lists(s, t), f));
	}
	return RC_OK;
}

/* D-05: those of class sp that sign for numbers which they do not list. */
static enum rc
add_unlisted(struct search *s, const uint32_t *list, size_t n, const uint32_t *listed,
    size_t listeds, struct fault *f)
{
	for (size_t i = 0, at = 0; i < n; i++) {
		while (at < listeds && listed[at] < list[i])
			at++;
		if (at == listeds || listed[at] != list[i])
			TRY(add_if_callers(s, &list[i], 1, false, f));
	}
	return RC_OK;
}

/*
 * Nobody has a credential of that name; or nobody has that number configured,
 * but D-59 filters class and ppt before the number: the view knows what the
 * caller's tenants could sign at all.
 */
static enum rc
nobody(const struct search *s, struct fault *f)
{
	if (s->met)
		return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
		    "this caller's tenants have no such credential");
	if ((s->w->view->ppts & 1U << s->r->ppt) == 0)
		return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
		    "no credential of this caller's tenants signs this ppt");
	return REFUSE(f, RC_DENIED, TN_NOT_AUTHORIZED, s->claim,
	    "the number is not among those configured for this caller's tenants");
}

/* The number is somebody else's (D-52), or it is none: it cannot lead to a tenant. */
static enum rc
only_tenant(struct search *s, struct fault *f)
{
	size_t only = s->w->view->only;

	if (only == CALLER_NO_TENANT && s->d->passport.orig_uri != NULL)
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, "orig",
		    "orig.uri leads to no tenant: name it");
	if (only == CALLER_NO_TENANT)
		return REFUSE(f, RC_DENIED, TN_NOT_AUTHORIZED, "orig",
		    "whoever signs for a third party is named: give the tenant");
	TRY(add_tenant(s, only, lists(s, &s->w->set->config->tenant[only]), f));
	return s->len > 0 ? RC_OK : nobody(s, f);
}

static enum rc
any_tenant(struct search *s, struct fault *f)
{
	const struct config *c = s->w->set->config;
	uint32_t found[CREDSET_MAX_OVERLAP];
	const uint32_t *unlisted;
	size_t n, all;

	if (s->w->view->only != CALLER_NO_TENANT)
		s->d->tenant = &c->tenant[s->w->view->only];
	if (!s->w->view->enabled)
		return REFUSE(
		    f, RC_DENIED, TENANT_DISABLED, NULL, "this caller's tenants are disabled");
	if (s->d->passport.third_party || s->d->passport.orig_uri != NULL)
		return only_tenant(s, f);
	n = credset_lookup(s->w->set, tn_key(s->number), found, CREDSET_MAX_OVERLAP);
	TRY(add_if_callers(s, found, n, true, f));
	if (s->r->ppt == PPT_SHAKEN) {
		unlisted = policy_unlisted(s->w->policy, &all);
		TRY(add_unlisted(s, unlisted, all, found, n, f));
	}
	return s->len > 0 ? RC_OK : nobody(s, f);
}

static enum rc
candidates(struct search *s, struct fault *f)
{
	if (!s->w->view->any)
		return REFUSE(
		    f, RC_DENIED, CALLER_NOT_ALLOWED, NULL, "this caller may use no tenant");
	return s->r->tenant != NULL ? named_tenant(s, f) : any_tenant(s, f);
}

/* ---- a delegate's word on the number ---- */

/* A tenant that would attest by it; NULL: none. */
static const struct config_tenant *
wants_proof(const struct search *s)
{
	if (s->r->befores == 0 && s->r->delegate_passport.len == 0)
		return NULL;
	if (policy_attest_of(s->d->passport.claims) == 0)
		return NULL;
	for (size_t i = 0; i < s->len; i++) {
		if (policy_takes_proof(tenant_of(s, &s->list[i])))
			return tenant_of(s, &s->list[i]);
	}
	return NULL;
}

/* One that proves nothing counts as none: what it was for is refused, and says why. */
static enum rc
take_proof(struct search *s, struct fault *f)
{
	const struct sign_request *r = s->r;
	enum rc rc;

	if (r->proof == NULL && r->charge != NULL && !s->counted)
		TRY(take_rate(s, wants_proof(s), f)); /* what may have been in its way */
	if (r->proof == NULL)
		return REFUSE(f, RC_BUSY, OVERLOADED, "delegate",
		    "the delegate's PASSporT was not verified: ask again");
	rc = proof_judge(r->proof, &s->d->passport, &s->unproven);
	s->proven = rc == RC_OK;
	if (rc == RC_OK || rc == RC_DENIED)
		return RC_OK;
	*f = s->unproven;
	return rc;
}

static enum rc
prove(struct search *s, struct fault *f)
{
	const struct decision *delegate;

	if (wants_proof(s) == NULL)
		return RC_OK;
	delegate = decide_delegate(s->r, &s->d->passport);
	s->proven = delegate != NULL;
	s->d->rests_on = s->proven ? (size_t)(delegate - s->r->before) + 1 : 0;
	if (s->proven || s->r->delegate_passport.len == 0)
		return RC_OK;
	return take_proof(s, f);
}

/* Tenants in question may ask different things: then all of them. */
static void
join_policies(const struct search *s, struct proof_policy *out)
{
	struct proof_policy p = { .encompassing = ENCOMPASS_OFF };

	for (size_t i = 0; i < s->len; i++) {
		const struct config_attestation *a = &tenant_of(s, &s->list[i])->attestation;
		struct proof_policy one = proof_policy_of(
		    profile_rule(a->delegate_profile), a->delegate_encompassing);

		if (policy_takes_proof(tenant_of(s, &s->list[i])))
			proof_policy_join(&p, &one);
	}
	*out = p;
}

static bool
is_proven(const struct search *s, const struct candidate *c)
{
	return s->proven && policy_takes_proof(tenant_of(s, c));
}

/* ---- the filters of D-59: RC_OK keeps the candidate ---- */

static enum rc
of_ppts(const struct search *s, const struct candidate *c, struct fault *f)
{
	if ((policy_ppts(tenant_of(s, c), config_of(s, c)) & 1U << s->r->ppt) != 0)
		return RC_OK;
	return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
	    "credential '%s' of tenant '%s' does not sign this ppt", config_of(s, c)->name,
	    tenant_of(s, c)->name);
}

static bool
is_of_class(const struct search *s, const struct candidate *c)
{
	unsigned cls = 1U << profile_rule(config_of(s, c)->profile)->cls;

	return (ppt_rule(s->r->ppt)->classes & cls) != 0;
}

static enum rc
of_class(const struct search *s, const struct candidate *c, struct fault *f)
{
	const struct config_credential *cc = config_of(s, c);
	const struct credential *credential = credential_of(s, c);

	if (!is_of_class(s, c) || !observes(tenant_of(s, c), OBSERVE_PPTS))
		TRY(of_ppts(s, c, f));
	if (credential->state == CREDENTIAL_READY && s->r->needs_identity &&
	    credential->x5u == NULL)
		return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
		    "credential '%s' of tenant '%s' makes no Identity value", cc->name,
		    tenant_of(s, c)->name);
	if (credential->state == CREDENTIAL_READY && credential->header[s->r->ppt] == NULL)
		return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
		    "credential '%s' of tenant '%s' has no x5u, or no room, for this ppt",
		    cc->name, tenant_of(s, c)->name);
	return RC_OK;
}

/* D-52; that the certificate does not cover the number is the gate's question. */
static enum rc
of_third_party(const struct search *s, const struct candidate *c, struct fault *f)
{
	const struct config_credential *cc = config_of(s, c);

	if (!cc->third_party_rcd)
		return REFUSE(f, RC_DENIED, TN_NOT_AUTHORIZED, "orig",
		    "credential '%s' has no third_party_rcd", cc->name);
	if (c->listed && profile_rule(cc->profile)->cls == CLASS_SP)
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, "iss",
		    "tenant '%s' lists orig: it is no third party", tenant_of(s, c)->name);
	return RC_OK;
}

/* D-26; whose domain it is the gate asks the certificate. */
static enum rc
of_uri(const struct search *s, const struct candidate *c, struct fault *f)
{
	if (config_of(s, c)->orig_uri && credential_of(s, c)->state == CREDENTIAL_PENDING)
		return REFUSE(f, RC_DENIED, NUMBER_PENDING, "orig",
		    "credential '%s' of tenant '%s' has no certificate yet",
		    config_of(s, c)->name, tenant_of(s, c)->name);
	if (config_of(s, c)->orig_uri)
		return RC_OK;
	return REFUSE(f, RC_INVALID, INVALID_CLAIM, "orig",
	    "orig.uri needs authority over a domain: credential '%s' has no orig_uri",
	    config_of(s, c)->name);
}

/* D-05 is about attestation alone: a div for a number not covered is refused (D-39). */
static bool
may_be_unlisted(const struct search *s, const struct candidate *c)
{
	return s->r->ppt == PPT_SHAKEN &&
	       (config_of(s, c)->unlisted_tn != UNLISTED_REFUSE || is_proven(s, c));
}

/* D-60: the tenant's configured numbers and the certificate's, both at every request. */
static enum rc
of_number(const struct search *s, const struct candidate *c, struct fault *f)
{
	const struct config_credential *cc = config_of(s, c);
	const struct credential *credential = credential_of(s, c);
	bool sp = profile_rule(cc->profile)->cls == CLASS_SP;

	if (s->d->passport.third_party)
		return of_third_party(s, c, f);
	if (s->d->passport.orig_uri != NULL)
		return of_uri(s, c, f);
	if (!c->listed && !(sp && may_be_unlisted(s, c)))
		return REFUSE(f, RC_DENIED, TN_NOT_AUTHORIZED, s->claim,
		    "the number is not among those configured for tenant '%s'",
		    tenant_of(s, c)->name);
	if (credential->state == CREDENTIAL_PENDING)
		return REFUSE(f, RC_DENIED, NUMBER_PENDING, s->claim,
		    "credential '%s' of tenant '%s' has no certificate yet", cc->name,
		    tenant_of(s, c)->name);
	if (sp || credential->state != CREDENTIAL_READY ||
	    gate_uncovered(credential->gate, &s->d->passport) == NULL)
		return RC_OK;
	if (cc->ca != NULL)
		return REFUSE(f, RC_DENIED, NUMBER_PENDING, s->claim,
		    "the certificate that covers the number is still to come");
	return REFUSE(f, RC_DENIED, TN_NOT_AUTHORIZED, s->claim,
	    "the certificate of credential '%s' does not cover the number", cc->name);
}

static enum rc
of_dests(const struct search *s, const struct candidate *c, struct fault *f)
{
	return policy_dests(tenant_of(s, c), config_of(s, c), &s->d->passport, f);
}

static enum rc
of_dest(const struct search *s, const struct candidate *c, struct fault *f)
{
	return observes(tenant_of(s, c), OBSERVE_DESTS) ? RC_OK : of_dests(s, c, f);
}

/* V-73: whom the holder expects to sign its calls, where it says so at all. */
static enum rc
of_originator(const struct search *s, const struct candidate *c, struct fault *f)
{
	const struct config_strings *own = &tenant_of(s, c)->caller_spc;
	const struct credential *credential = credential_of(s, c);
	const struct tnauth *list;

	if (own->len == 0 || credential->state != CREDENTIAL_READY ||
	    profile_rule(credential->profile)->cls == CLASS_SP)
		return RC_OK;
	list = gate_tnauth(credential->gate);
	if (list == NULL || tnauth_spcs(list) == 0)
		return RC_OK;
	for (size_t i = 0; i < own->len; i++) {
		if (tnauth_has_spc(list, own->item[i]))
			return RC_OK;
	}
	return REFUSE(f, RC_DENIED, ORIGINATOR_NOT_LISTED, NULL,
	    "the certificate of credential '%s' names originating providers, and none of the "
	    "tenant's caller_spc is among them",
	    config_of(s, c)->name);
}

static bool
is_extra(
    const struct config_credential *cc, const struct credential *credential, const char *name)
{
	for (size_t i = 0; i < cc->extra_claims.len; i++) {
		if (strcmp(cc->extra_claims.item[i], name) == 0)
			return true;
	}
	return credential->state == CREDENTIAL_READY && gate_names(credential->gate, name);
}

/* D-51 */
static enum rc
of_claims(const struct search *s, const struct candidate *c, struct fault *f)
{
	const char *name;
	json_t *value;

	if (s->r->ppt == PPT_SHAKEN && config_of(s, c)->origid == ORIGID_CALLER &&
	    json_object_get(s->r->claims, "origid") == NULL)
		return REFUSE(f, RC_INVALID, MISSING_CLAIM, "origid",
		    "credential '%s' takes it from the caller", config_of(s, c)->name);
	json_object_foreach (s->d->passport.claims, name, value) {
		if (is_own(name, s->r->ppt) ||
		    is_extra(config_of(s, c), credential_of(s, c), name))
			continue;
		return REFUSE(f, RC_INVALID, UNKNOWN_CLAIM, name,
		    "neither the ppt nor credential '%s' knows the claim",
		    config_of(s, c)->name);
	}
	return RC_OK;
}

/* Everything the certificate says but the time, which D-59 puts under health. */
static enum rc
of_constraints(const struct search *s, const struct candidate *c, struct fault *f)
{
	const struct credential *credential = credential_of(s, c);

	if (credential->state != CREDENTIAL_READY)
		return RC_OK; /* of_health() says why */
	if (s->r->dry_run)
		TRY(gate_silent(credential->gate, &s->d->passport, f));
	return gate_claims(credential->gate, &s->d->passport, f);
}

/* What the operator pinned, and what was observed. */
static size_t
known_content(const struct search *s, const struct config_credential *cc,
    struct rcd_known known[CONFIG_MAX_CONTENT])
{
	size_t n = 0;

	for (size_t i = 0; i < cc->rcd_contents; i++) {
		const struct config_content *one = &cc->rcd_content[i];
		const struct content *seen =
		    one->pinned ? NULL : contents_find(s->w->set->contents, one->uri);

		if (one->pinned)
			known[n++] = (struct rcd_known){ one->uri, &one->digest, 1, NULL };
		else if (seen != NULL && seen->seen_at_s != 0)
			known[n++] = (struct rcd_known){ one->uri, seen->digest, RCD__HASHES,
				seen->card };
	}
	return n;
}

/* D-41 */
static enum rc
of_content(const struct search *s, const struct candidate *c, struct fault *f)
{
	const struct credential *credential = credential_of(s, c);
	struct rcd_known known[CONFIG_MAX_CONTENT];
	const struct constraints *k;

	if (json_object_get(s->d->passport.claims, "rcdi") == NULL ||
	    config_of(s, c)->trust_content || credential->state != CREDENTIAL_READY)
		return RC_OK;
	k = gate_constraints(credential->gate);
	if (k != NULL && constraints_permits(k, "rcdi"))
		return RC_OK; /* compared whole: the certificate is the authority */
	return rcd_check_content(
	    s->d->passport.claims, known, known_content(s, config_of(s, c), known), f);
}

static enum rc
unusable(const struct credential *credential, struct fault *f)
{
	static const enum reason own[] = { REASON_SCT_POLICY, REASON_CREDENTIAL_EXPIRED };

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (strcmp(credential->why.reason, reason_token(own[i])) == 0)
			return fault_set(f, RC_DENIED, reason_token(own[i]), NULL, FAULT_HERE,
			    "%s", credential->why.detail);
	}
	return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, NULL,
	    "credential '%s' of tenant '%s': %s", credential->name, credential->tenant,
	    credential->why.detail);
}

/* D-46: what the certificate holds by value does not age. */
static enum rc
of_list(const struct search *s, const struct candidate *c, struct fault *f)
{
	const struct credential *credential = credential_of(s, c);
	int64_t most_s = (int64_t)config_of(s, c)->tnlist_max_age_s;

	if (credential->list == NULL ||
	    s->w->now_s - credential->list->fetched_at_s <= most_s ||
	    !gate_rests_on_reference(credential->gate, &s->d->passport))
		return RC_OK;
	return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, s->claim,
	    "credential '%s' has the number by reference alone, and that TNAuthList is older "
	    "than tnlist_max_age_s",
	    credential->name);
}

static enum rc
of_health(const struct search *s, const struct candidate *c, struct fault *f)
{
	const struct credential *credential = credential_of(s, c);

	if (credential->state != CREDENTIAL_READY)
		return unusable(credential, f);
	TRY(gate_in_time(credential->gate, s->w->now_s, f));
	TRY(gate_dated(credential->gate, s->d->passport.iat_s, f));
	TRY(of_list(s, c, f));
	if (!s->w->key_ready(s->w->arg, credential->token, credential->key_id))
		return REFUSE(f, RC_HSM, HSM_UNAVAILABLE, NULL,
		    "no signer of token '%s' has the key ready",
		    s->w->set->config->token[credential->token].name);
	return RC_OK;
}

typedef enum rc filter_fn(const struct search *s, const struct candidate *c, struct fault *f);

/* Keep those that pass; when none does, the fault of the last.  None at all is none that passes. */
static enum rc
narrow(struct search *s, filter_fn *keep, struct fault *f)
{
	size_t kept = 0;
	struct fault why = { 0 };

	if (s->len == 0)
		return REFUSE(
		    f, RC_DENIED, NO_CREDENTIAL, NULL, "no credential comes into question");
	for (size_t i = 0; i < s->len; i++) {
		struct fault mine = { 0 };

		if (keep(s, &s->list[i], &mine) == RC_OK)
			s->list[kept++] = s->list[i];
		else
			why = mine;
	}
	s->len = kept;
	if (kept > 0)
		return RC_OK;
	*f = why;
	return why.rc;
}

/* Here only because a rule is observed. */
static bool
is_overlooked(const struct search *s, const struct candidate *c)
{
	return tenant_of(s, c)->observe != 0 &&
	       (of_ppts(s, c, NULL) != RC_OK || of_dests(s, c, NULL) != RC_OK);
}

/*
 * Whoever passes every rule goes before whoever would not; then whoever lists
 * the number before whoever only may; then the priority.
 */
static int
compare(const struct search *s, const struct candidate *a, const struct candidate *b)
{
	unsigned pa = config_of(s, a)->priority, pb = config_of(s, b)->priority;
	bool oa = is_overlooked(s, a), ob = is_overlooked(s, b);

	if (oa != ob)
		return oa ? -1 : 1;
	if (a->listed != b->listed)
		return a->listed ? 1 : -1;
	return (pa > pb) - (pa < pb);
}

/* One credential in two tokens. */
static bool
are_copies(const struct search *s, const struct candidate *a, const struct candidate *b)
{
	return a->tenant == b->tenant &&
	       strcmp(config_of(s, a)->base, config_of(s, b)->base) == 0;
}

static uint64_t
load_of(const struct search *s, const struct candidate *c)
{
	const struct decide_world *w = s->w;

	return w->load_us != NULL ? w->load_us(w->arg, credential_of(s, c)->token) : 0;
}

/* The copies of the best, the healthiest first; those alike take turns. */
static void
rank_copies(struct search *s, size_t best)
{
	struct candidate copy[DECIDE_MAX_OTHERS + 1];
	uint64_t load[DECIDE_MAX_OTHERS + 1];
	size_t n = 0;

	for (size_t i = 0; i < s->len && n < ARRAY_LEN(copy); i++) {
		const struct candidate *c = &s->list[(i + s->w->turn) % s->len];
		uint64_t mine;
		size_t at = n;

		if (!are_copies(s, c, &s->list[best]))
			continue;
		mine = load_of(s, c);
		for (; at > 0 && load[at - 1] > mine; at--) {
			copy[at] = copy[at - 1];
			load[at] = load[at - 1];
		}
		copy[at] = *c;
		load[at] = mine;
		n++;
	}
	memcpy(s->list, copy, n * sizeof copy[0]);
	s->len = n;
}

/* All but the first of the list are copies of it. */
static enum rc
choose(struct search *s, struct fault *f)
{
	size_t best = 0, ties = 0;

	for (size_t i = 1; i < s->len; i++) {
		int order = compare(s, &s->list[i], &s->list[best]);

		if (order > 0) {
			best = i;
			ties = 0;
		} else if (order == 0 && !are_copies(s, &s->list[i], &s->list[best])) {
			ties++;
		}
	}
	if (ties > 0)
		return REFUSE(f, RC_DENIED, AMBIGUOUS_CREDENTIAL, NULL,
		    "%zu credentials of the same priority: name tenant and credential",
		    ties + 1);
	if (s->len > 1)
		rank_copies(s, best);
	return RC_OK;
}

static bool
has_token(const struct decision *d, unsigned token)
{
	if (d->credential->token == token)
		return true;
	for (size_t i = 0; i < d->others; i++) {
		if (d->other[i].credential->token == token)
			return true;
	}
	return false;
}

/*
 * What settle() may have put into the claims, the certificate of each has to
 * allow.  A second key in a token that is lost is of no use.
 */
static void
keep_others(struct search *s)
{
	struct decision *d = s->d;

	for (size_t i = 1; i < s->len && d->others < DECIDE_MAX_OTHERS; i++) {
		struct credential *c = credential_of(s, &s->list[i]);

		if (has_token(d, c->token) || of_constraints(s, &s->list[i], NULL) != RC_OK)
			continue;
		d->other[d->others++] = (struct decide_other){ config_of(s, &s->list[i]), c };
	}
}

/* What is granted is signed, so the certificate has to allow that as well. */
static enum rc
lower(struct search *s, const struct candidate *c, struct fault *f)
{
	char granted[2] = { s->d->attest.granted, 0 };

	if (json_object_set_new(s->d->passport.claims, "attest", json_string(granted)) != 0)
		return REFUSE(f, RC_NO_MEMORY, INTERNAL, NULL, "no memory for a claim");
	return of_constraints(s, c, f);
}

static enum rc
attest(struct search *s, const struct candidate *c, struct fault *f)
{
	const struct config_callers *known = &tenant_of(s, c)->attestation.known;
	const struct attest_evidence e = {
		.listed = c->listed,
		.delegate = is_proven(s, c),
		.known = caller_among(
		    s->w->caller, known->uid, known->uids, known->gid, known->gids),
		.unproven = s->unproven.rc != RC_OK ? s->unproven.detail : NULL,
	};
	struct attest_verdict *v = &s->d->attest;
	char asked = policy_attest_of(s->d->passport.claims);
	enum rc rc = policy_attest(tenant_of(s, c), config_of(s, c), &e, asked, v, f);

	if (v->rule != NULL && strcmp(v->rule, POLICY_DELEGATE_PROOF) != 0)
		s->d->rests_on = 0; /* granted without it */
	/* How far a number without a right to it may be attested is no local rule (D-05). */
	if (rc != RC_OK && (e.listed || e.delegate)) {
		TRY(observe(s, tenant_of(s, c), OBSERVE_ATTEST, rc, f));
		v->asked = v->granted = asked;
		return RC_OK;
	}
	TRY(rc);
	return v->granted != v->asked ? lower(s, c, f) : RC_OK;
}

/* What the chosen one's tenant would have had refused, were it not observed. */
static enum rc
observe_chosen(struct search *s, const struct candidate *c, struct fault *f)
{
	const struct config_tenant *t = tenant_of(s, c);

	if (t->observe == 0)
		return RC_OK;
	TRY(observe(s, t, OBSERVE_PPTS, of_ppts(s, c, f), f));
	return observe(s, t, OBSERVE_DESTS, of_dests(s, c, f), f);
}

/* D-48: whose origid it is.  What was judged with another is judged again. */
static enum rc
set_origid(struct search *s, struct fault *f)
{
	const struct config_credential *cc = s->d->config;
	json_t *origid = NULL;

	if (s->r->ppt != PPT_SHAKEN || cc->origid == ORIGID_CALLER)
		return RC_OK;
	if (cc->origid == ORIGID_FIXED)
		origid = json_string(cc->origid_value);
	else
		TRY(random_uuid(&origid, f));
	if (json_object_set_new(s->d->passport.claims, "origid", origid) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "origid");
	return gate_claims(s->d->credential->gate, &s->d->passport, f);
}

static enum rc
settle(struct search *s, struct fault *f)
{
	const struct candidate *c = &s->list[0];

	s->d->tenant = tenant_of(s, c);
	s->d->config = config_of(s, c);
	s->d->credential = credential_of(s, c);
	if (!s->counted)
		TRY(take_rate(s, s->d->tenant, f));
	TRY(observe_chosen(s, c, f));
	TRY(vper_check_entity(json_object_get(s->d->passport.claims, "vper"),
	    s->d->tenant->entity_id, f)); /* D-63 */
	TRY(set_origid(s, f));
	TRY(policy_rph(s->d->config, s->d->passport.claims, f));
	return attest(s, c, f);
}

/* As far as it goes without what only a certificate or a delegate says. */
static enum rc
find(struct search *s, struct fault *f)
{
	if (s->w->now_s < DECIDE_RELEASE_S)
		return REFUSE(f, RC_CONFLICT, CLOCK_NOT_CREDIBLE, NULL,
		    "the clock of this host is before this program was made");
	TRY(charge(s, f));
	TRY(prepare(s, f));
	return candidates(s, f);
}

static enum rc
decide_in(struct search *s, struct fault *f)
{
	static filter_fn *const filters[] = { of_class, of_number, of_dest, of_originator,
		of_claims, of_constraints, of_content, of_health };

	TRY(find(s, f));
	TRY(prove(s, f));
	for (size_t i = 0; i < ARRAY_LEN(filters); i++)
		TRY(narrow(s, filters[i], f));
	TRY(choose(s, f));
	TRY(settle(s, f));
	keep_others(s);
	return RC_OK;
}

/* The list is long and need not be cleared. */
static void
begin(struct search *s, const struct decide_world *w, const struct sign_request *r,
    struct decision *out)
{
	s->w = w;
	s->r = r;
	s->d = out;
	s->len = 0;
	s->number = NULL;
	s->numbers = 0;
	s->claim = NULL;
	s->met = false;
	s->charge = r->charge != NULL ? *r->charge : (struct decide_charge){ 0 };
	s->counted = false;
	s->proven = false;
	s->unproven = (struct fault){ 0 };
	*out = (struct decision){ .set = w->set };
}

enum rc
decide(const struct decide_world *w, const struct sign_request *r, struct decision *out,
    struct fault *f)
{
	struct search s;
	enum rc rc;

	begin(&s, w, r, out);
	rc = decide_in(&s, f);
	if (rc != RC_OK) {
		out->config = NULL;
		out->credential = NULL;
		out->others = 0;
	}
	return rc;
}

bool
decide_wants_proof(const struct decide_world *w, const struct sign_request *r,
    struct proof_policy *policy, struct decide_charge *charge)
{
	struct search s;
	struct decision d;
	const struct config_tenant *t = NULL;
	struct fault ignored = { 0 }; /* decide() says it again */

	begin(&s, w, r, &d);
	if (r->delegate_passport.len > 0 && find(&s, &ignored) == RC_OK)
		t = wants_proof(&s);
	if (t != NULL && !s.counted)
		ask_rate(&s, t);
	if (t != NULL && s.charge.why.rc != RC_OK && !observes(t, OBSERVE_RATE))
		t = NULL;
	if (t != NULL)
		join_policies(&s, policy);
	*charge = s.charge;
	decide_done(&d);
	return t != NULL;
}

const struct decision *
decide_delegate(const struct sign_request *r, const struct passport *p)
{
	for (size_t i = 0; i < r->befores; i++) {
		const struct decision *d = &r->before[i];

		if (d->credential != NULL &&
		    profile_rule(d->config->profile)->cls == CLASS_DELEGATE &&
		    ppt_rule(d->passport.ppt)->speaks_for_orig && !d->passport.third_party &&
		    d->passport.orig_uri == NULL &&
		    tn_key(&d->passport.orig) == tn_key(&p->orig) &&
		    json_equal(json_object_get(d->passport.claims, "dest"),
			json_object_get(p->claims, "dest")))
			return d;
	}
	return NULL;
}

void
decide_done(struct decision *d)
{
	if (d->prepared)
		passport_done(&d->passport);
	originals_free(d->originals);
	*d = (struct decision){ 0 };
}
