#include "agent/front/decide.h"

#include <string.h>

#include "agent/front/decide_parts.h"
#include "stir/vper.h"

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
		TRY(decide_take_rate(s, wants_proof(s), f)); /* what may have been in its way */
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

static enum rc
prove(struct search *s, struct fault *f)
{
	const struct decision *delegate;
	struct proof_policy policy;

	if (wants_proof(s) == NULL)
		return RC_OK;
	join_policies(s, &policy);
	delegate = decide_delegate(s->r, &s->d->passport, &policy, &s->unproven);
	s->proven = delegate != NULL;
	s->d->rests_on = s->proven ? (size_t)(delegate - s->r->before) + 1 : 0;
	if (s->proven || s->r->delegate_passport.len == 0)
		return RC_OK;
	s->unproven = (struct fault){ 0 };
	return take_proof(s, f);
}

/* ---- the decision ---- */

/* What is granted is signed, so the certificate has to allow that as well. */
static enum rc
lower(struct search *s, const struct candidate *c, struct fault *f)
{
	char granted[2] = { s->d->attest.granted, 0 };

	if (json_object_set_new(s->d->passport.claims, "attest", json_string(granted)) != 0)
		return REFUSE(f, RC_NO_MEMORY, INTERNAL, NULL, "no memory for a claim");
	return decide_of_constraints(s, c, f);
}

/* judged: by the rules; what is granted all the same is granted for the right to the number. */
static bool
needs_proof(const struct attest_verdict *v, const struct attest_evidence *e, enum rc judged)
{
	if (v->rule != NULL && strcmp(v->rule, POLICY_DELEGATE_PROOF) == 0)
		return true;
	return judged != RC_OK && !e->listed;
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

	/* How far a number without a right to it may be attested is no local rule (D-05). */
	if (rc != RC_OK && (e.listed || e.delegate)) {
		TRY(decide_observe(s, tenant_of(s, c), OBSERVE_ATTEST, rc, f));
		v->asked = v->granted = asked;
	} else {
		TRY(rc);
	}
	if (!needs_proof(v, &e, rc))
		s->d->rests_on = 0; /* granted without it */
	return v->granted != v->asked ? lower(s, c, f) : RC_OK;
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
		TRY(decide_random_uuid(&origid, f));
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
	s->d->listed = c->listed;
	if (!s->counted)
		TRY(decide_take_rate(s, s->d->tenant, f));
	TRY(decide_observe_chosen(s, c, f));
	TRY(vper_check_entity(json_object_get(s->d->passport.claims, "vper"),
	    s->d->tenant->entity_id, f)); /* D-63 */
	TRY(set_origid(s, f));
	TRY(policy_rph(s->d->config, s->d->passport.claims, f));
	return attest(s, c, f);
}

static enum rc
decide_in(struct search *s, struct fault *f)
{
	TRY(decide_find(s, f));
	TRY(prove(s, f));
	TRY(decide_filter(s, f));
	TRY(decide_choose(s, f));
	TRY(settle(s, f));
	decide_keep_others(s);
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
	s->last = NULL;
	s->charge = r->charge != NULL ? *r->charge : (struct decide_charge){ 0 };
	s->counted = false;
	s->proven = false;
	s->unproven = (struct fault){ 0 };
	*out = (struct decision){ .set = w->set };
}

static bool
is_limited(const struct config_tenant *t)
{
	return t->rate != 0 && !observes(t, OBSERVE_RATE);
}

/*
 * A guess would be free where the tenant is not named.  One that was not named
 * may have no rate, while what is guessed is another's: then the user has.
 */
static enum rc
charge_refusal(struct search *s, struct fault *why)
{
	struct decision *d = s->d;

	if (d->tenant == NULL) {
		d->tenant = s->last; /* a candidate's: the caller may use it */
		d->presumed = s->last != NULL;
	}
	if (d->tenant != NULL && s->charge.tenant == NULL)
		TRY(decide_take_rate(s, d->tenant, why));
	if (d->tenant != NULL && (!d->presumed || is_limited(s->charge.tenant)))
		return RC_OK;
	return policy_take_caller(s->w->policy, s->w->caller->uid, s->w->now_ms, why);
}

enum rc
decide(const struct decide_world *w, const struct sign_request *r, struct decision *out,
    struct fault *f)
{
	struct search s;
	struct fault why = { 0 };
	enum rc rc;

	begin(&s, w, r, out);
	rc = decide_in(&s, f);
	if (rc != RC_OK) {
		if (charge_refusal(&s, &why) != RC_OK) {
			rc = why.rc;
			if (f != NULL)
				*f = why;
		}
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
	if (r->delegate_passport.len > 0 && decide_find(&s, &ignored) == RC_OK)
		t = wants_proof(&s);
	if (t != NULL && !s.counted)
		decide_ask_rate(&s, t);
	if (t != NULL && s.charge.why.rc != RC_OK && !observes(t, OBSERVE_RATE))
		t = NULL;
	if (t != NULL)
		join_policies(&s, policy);
	*charge = s.charge;
	decide_done(&d);
	return t != NULL;
}

static bool
is_of_holder(const struct decision *d, const struct passport *p)
{
	return d->credential != NULL &&
	       profile_rule(d->config->profile)->cls == CLASS_DELEGATE &&
	       ppt_rule(d->passport.ppt)->speaks_for_orig && !d->passport.third_party &&
	       d->passport.orig_uri == NULL && tn_key(&d->passport.orig) == tn_key(&p->orig) &&
	       json_equal(json_object_get(d->passport.claims, "dest"),
		   json_object_get(p->claims, "dest"));
}

/* Whichever of its tokens signs. */
static enum rc
judge_all(const struct decision *d, const struct proof_policy *policy, struct fault *f)
{
	TRY(proof_judge_credential(policy, d->credential, f));
	for (size_t i = 0; i < d->others; i++)
		TRY(proof_judge_credential(policy, d->other[i].credential, f));
	return RC_OK;
}

const struct decision *
decide_delegate(const struct sign_request *r, const struct passport *p,
    const struct proof_policy *policy, struct fault *why)
{
	for (size_t i = 0; i < r->befores; i++) {
		struct fault f = { 0 };

		if (!is_of_holder(&r->before[i], p))
			continue;
		if (judge_all(&r->before[i], policy, &f) == RC_OK)
			return &r->before[i];
		*why = f;
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
