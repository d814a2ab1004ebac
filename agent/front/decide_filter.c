/*
 * What one credential is asked before it may sign: its tenant's rules, its
 * certificate's word, its health.
 */
#include "agent/front/decide_parts.h"

#include <string.h>

/* ---- the filters of D-59: RC_OK keeps the candidate ---- */

/* Before all else: what a reserve's certificate says is no reason while it stands by. */
static enum rc
of_reserve(const struct search *s, const struct candidate *c, struct fault *f)
{
	const struct config_credential *cc = config_of(s, c);
	const char *tenant = tenant_of(s, c)->name;

	if (!credset_stands_by(s->w->set, (struct credset_place){ c->tenant, c->credential }))
		return RC_OK;
	if (cc->reserve_for != NULL)
		return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
		    "credential '%.40s' of tenant '%.40s' is in reserve for '%.40s': ask for "
		    "that one",
		    cc->name, tenant, cc->reserve_for);
	return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
	    "credential '%.40s' of tenant '%.40s' has failed over to '%.40s': ask for '%.40s'",
	    cc->name, tenant, cc->reserve, cc->base);
}

static enum rc
of_ppts(const struct search *s, const struct candidate *c, struct fault *f)
{
	const struct config_tenant *t = tenant_of(s, c);
	const struct config_credential *cc = config_of(s, c), any = { .profile = cc->profile };

	if ((policy_ppts(t, cc) & 1U << s->r->ppt) != 0)
		return RC_OK;
	if ((policy_ppts(t, &any) & 1U << s->r->ppt) == 0)
		return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
		    "tenant '%.40s': ppts does not list %s: ask for one that it lists", t->name,
		    ppt_text(s->r->ppt));
	return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
	    "credential '%.40s' of tenant '%.40s': ppts does not list %s: ask for one that it "
	    "lists",
	    cc->name, t->name, ppt_text(s->r->ppt));
}

static enum rc
of_profile(const struct search *s, const struct candidate *c, struct fault *f)
{
	const struct profile_rule *profile = profile_rule(config_of(s, c)->profile);

	if ((ppt_rule(s->r->ppt)->classes & 1U << profile->cls) != 0)
		return RC_OK;
	return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
	    "credential '%.40s' of tenant '%.40s': profile %s does not sign %s: ask for %s",
	    config_of(s, c)->name, tenant_of(s, c)->name, profile->name, ppt_text(s->r->ppt),
	    ppt_names(1U << profile->cls).text);
}

/* What was made at activation, so that it is not found missing at a call. */
static enum rc
of_header(const struct search *s, const struct candidate *c, struct fault *f)
{
	const struct config_credential *cc = config_of(s, c);
	const struct credential *credential = credential_of(s, c);
	enum ppt ppt = s->r->ppt;
	bool x5u = (cc->convey & CONVEY_X5U) != 0 && credential->x5u != NULL;

	if (s->r->needs_identity && credential->x5u == NULL)
		return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
		    "credential '%.40s' of tenant '%.40s' has no x5u, which an Identity value "
		    "needs: ask for a PASSporT alone",
		    cc->name, tenant_of(s, c)->name);
	if (credential->header[ppt] != NULL)
		return RC_OK;
	if (ppt_rule(ppt)->needs_x5u && !x5u)
		return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
		    "credential '%.40s' of tenant '%.40s' conveys no x5u, which %s needs",
		    cc->name, tenant_of(s, c)->name, ppt_text(ppt));
	return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
	    "credential '%.40s' of tenant '%.40s': its certificates leave no room for %s "
	    "within identity_max_bytes",
	    cc->name, tenant_of(s, c)->name, ppt_text(ppt));
}

static enum rc
of_class(const struct search *s, const struct candidate *c, struct fault *f)
{
	TRY(of_profile(s, c, f));
	if (!observes(tenant_of(s, c), OBSERVE_PPTS))
		TRY(of_ppts(s, c, f));
	return credential_of(s, c)->state == CREDENTIAL_READY ? of_header(s, c, f) : RC_OK;
}

/* D-52; that the certificate does not cover the number is the gate's question. */
static enum rc
of_third_party(const struct search *s, const struct candidate *c, struct fault *f)
{
	const struct config_credential *cc = config_of(s, c);

	if (!cc->third_party_rcd)
		return REFUSE(f, RC_DENIED, TN_NOT_AUTHORIZED, "orig",
		    "credential '%.40s' of tenant '%.40s': third_party_rcd is not set, so iss "
		    "cannot stand for orig: send one of its own without iss",
		    cc->name, tenant_of(s, c)->name);
	if (c->listed && profile_rule(cc->profile)->cls == CLASS_SP)
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, "iss",
		    "tenant '%s' lists orig: it is no third party", tenant_of(s, c)->name);
	return RC_OK;
}

static enum rc
still_loading(const struct credential *c, struct fault *f)
{
	return REFUSE(f, RC_BUSY, OVERLOADED, NULL,
	    "the agent has just started, and credential '%s' of tenant '%s' is still being "
	    "loaded: ask again",
	    c->name, c->tenant);
}

static enum rc
beside_is_no_holder(const struct search *s, const struct candidate *c, struct fault *f)
{
	struct credential *one = credential_of(s, c);

	if (one->state == CREDENTIAL_LOADING) {
		atomic_store(&one->asked_for, true);
		return still_loading(one, f);
	}
	if (one->state != CREDENTIAL_READY ||
	    gate_uncovered(one->gate, &s->d->passport) != NULL)
		return RC_OK;
	return REFUSE(f, RC_INVALID, INVALID_CLAIM, "iss",
	    "credential '%.40s' of tenant '%.40s' covers orig, so its holder is no third "
	    "party: leave iss out",
	    one->name, one->tenant);
}

/*
 * D-52 for a credential of several certificates (D-17): the gate asks the one
 * that signs alone, and its holder holds what is in the others, or to be.
 */
static enum rc
of_own(const struct search *s, const struct candidate *c, struct fault *f)
{
	const struct config_credential *cc = config_of(s, c);
	struct candidate beside = *c;

	if (!s->d->passport.third_party || profile_rule(cc->profile)->cls == CLASS_SP)
		return RC_OK;
	if (decide_is_elsewhere(s, c, &s->number[0]))
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, "iss",
		    "orig belongs into another certificate than '%.40s' of tenant '%.40s', so "
		    "its holder is no third party: leave iss out",
		    cc->name, tenant_of(s, c)->name);
	for (size_t i = 0; i < tenant_of(s, c)->credentials; i++) {
		beside.credential = (uint32_t)i;
		if (i != c->credential && strcmp(config_of(s, &beside)->base, cc->base) == 0)
			TRY(beside_is_no_holder(s, &beside, f));
	}
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
	    "orig.uri needs authority over a domain: orig_uri of credential '%.40s' of tenant "
	    "'%.40s' is not set: send orig.tn",
	    config_of(s, c)->name, tenant_of(s, c)->name);
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
	const struct tn *uncovered;

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
	if (sp || credential->state != CREDENTIAL_READY)
		return RC_OK;
	uncovered = gate_uncovered(credential->gate, &s->d->passport);
	if (uncovered == NULL)
		return RC_OK;
	if (decide_is_elsewhere(s, c, uncovered)) /* D-25: one certificate for all of them */
		return REFUSE(f, RC_DENIED, TN_NOT_AUTHORIZED, s->claim,
		    "certificate %.20s: the number is in another of the certificates of "
		    "credential '%.64s', and one has to cover all that are signed for",
		    credential->chain->cert[0]->serial, cc->base);
	if (cc->ca != NULL)
		return REFUSE(f, RC_DENIED, NUMBER_PENDING, s->claim,
		    "certificate %.20s: the number is not in its TNAuthList; one of "
		    "credential '%.64s' that covers it is still to come",
		    credential->chain->cert[0]->serial, cc->name);
	return REFUSE(f, RC_DENIED, TN_NOT_AUTHORIZED, s->claim,
	    "certificate %.20s: the number is not in its TNAuthList; credential '%.64s' signs "
	    "for those that are",
	    credential->chain->cert[0]->serial, cc->name);
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
	    "certificate %.20s: its TNAuthList names originating providers, none of them in "
	    "caller_spc of tenant '%.40s'",
	    credential->chain->cert[0]->serial, tenant_of(s, c)->name);
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
		    "%s does not define it, and neither extra_claims of credential '%.40s' nor "
		    "its certificate names it: leave it out",
		    ppt_text(s->r->ppt), config_of(s, c)->name);
	}
	return RC_OK;
}

static enum rc
judge_claims(const struct search *s, const struct candidate *c, struct fault *f)
{
	const struct credential *credential = credential_of(s, c);

	if (s->r->dry_run)
		TRY(gate_silent(credential->gate, &s->d->passport, f));
	return gate_claims(credential->gate, &s->d->passport, f);
}

/* D-48: with the origid that this one would sign, which another may not have. */
static enum rc
judge_fixed(const struct search *s, const struct candidate *c, struct fault *f)
{
	json_t *claims = s->d->passport.claims;
	json_t *was = json_incref(json_object_get(claims, "origid"));
	json_t *own = json_string(config_of(s, c)->origid_value);
	enum rc rc = RC_NO_MEMORY;

	if (json_object_set_new(claims, "origid", own) == 0)
		rc = judge_claims(s, c, f);
	if (json_object_set_new(claims, "origid", was) != 0 || rc == RC_NO_MEMORY)
		return REFUSE(f, RC_NO_MEMORY, INTERNAL, NULL, "no memory for a claim");
	return rc;
}

enum rc
decide_of_constraints(const struct search *s, const struct candidate *c, struct fault *f)
{
	if (credential_of(s, c)->state != CREDENTIAL_READY)
		return RC_OK; /* of_health() says why */
	if (s->r->ppt == PPT_SHAKEN && config_of(s, c)->origid == ORIGID_FIXED)
		return judge_fixed(s, c, f);
	return judge_claims(s, c, f);
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
	struct rcd_contents contents = { .known = known,
		.trust = config_of(s, c)->trust_content };
	const struct constraints *k;

	if (json_object_get(s->d->passport.claims, "rcdi") == NULL ||
	    credential->state != CREDENTIAL_READY)
		return RC_OK;
	k = gate_constraints(credential->gate);
	if (k != NULL && constraints_permits(k, "rcdi"))
		return RC_OK; /* compared whole: the certificate is the authority */
	contents.n = known_content(s, config_of(s, c), known);
	return rcd_check_content(s->d->passport.claims, &contents, f);
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
	TRY(credential_may_sign(credential, s->w->now_s, f));
	TRY(gate_in_time(credential->gate, s->w->now_s, f));
	TRY(gate_dated(credential->gate, s->d->passport.iat_s, f));
	TRY(of_list(s, c, f));
	if (!s->w->key_ready(s->w->arg, credential->token, credential->key_id))
		return REFUSE(f, RC_HSM, HSM_UNAVAILABLE, NULL,
		    "no signer of token '%s' has the key ready",
		    s->w->set->config->token[credential->token].name);
	return RC_OK;
}

/* ---- all of them, over the list ---- */

typedef enum rc filter_fn(const struct search *s, const struct candidate *c, struct fault *f);

/* Keep those that pass; when none does, the fault of the last.  None at all is none that passes. */
static enum rc
sift(struct search *s, filter_fn *keep, struct fault *f)
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
	/* None kept is none moved: the list is as it was. */
	s->last = tenant_of(s, &s->list[(kept > 0 ? kept : s->len) - 1]);
	s->len = kept;
	if (kept > 0)
		return RC_OK;
	*f = why;
	return why.rc;
}

/*
 * At a start: what a certificate would have said of the claims, and which
 * credential would have signed, is not known before all of them are there.
 */
static enum rc
all_loaded(const struct search *s, struct fault *f)
{
	struct credential *missing = NULL;

	for (size_t i = 0; i < s->len; i++) {
		struct credential *c = credset_credential(s->w->set,
		    (struct credset_place){ s->list[i].tenant, s->list[i].credential });

		if (c->state != CREDENTIAL_LOADING)
			continue;
		atomic_store(&c->asked_for, true); /* it goes first */
		missing = c;
	}
	return missing == NULL ? RC_OK : still_loading(missing, f);
}

static enum rc
sift_by(struct search *s, filter_fn *const *filter, size_t n, struct fault *f)
{
	for (size_t i = 0; i < n; i++)
		TRY(sift(s, filter[i], f));
	return RC_OK;
}

enum rc
decide_filter(struct search *s, struct fault *f)
{
	static filter_fn *const configured[] = { of_reserve, of_class, of_number };
	static filter_fn *const certified[] = { of_own, of_dest, of_originator, of_claims,
		decide_of_constraints, of_content, of_health };

	TRY(sift_by(s, configured, ARRAY_LEN(configured), f));
	TRY(all_loaded(s, f));
	return sift_by(s, certified, ARRAY_LEN(certified), f);
}

bool
decide_is_overlooked(const struct search *s, const struct candidate *c)
{
	return tenant_of(s, c)->observe != 0 &&
	       (of_ppts(s, c, NULL) != RC_OK || of_dests(s, c, NULL) != RC_OK);
}

enum rc
decide_observe_chosen(struct search *s, const struct candidate *c, struct fault *f)
{
	const struct config_tenant *t = tenant_of(s, c);

	if (t->observe == 0)
		return RC_OK;
	TRY(decide_observe(s, t, OBSERVE_PPTS, of_ppts(s, c, f), f));
	return decide_observe(s, t, OBSERVE_DESTS, of_dests(s, c, f), f);
}
