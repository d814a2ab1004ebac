/* Would the agent sign these claims with this certificate?  Its own code decides. */
#include "client/check.h"
#include "stir/gate.h"
#include "stir/jtext.h"
#include "stir/original.h"

#include <stdlib.h>

/* D-01: a ppt that the profile's class never signs. */
static enum rc
find_ppt(
    const struct check *c, const struct profile_rule *profile, enum ppt *out, struct fault *f)
{
	TRY(ppt_find(c->ppt, out, f));
	if (profile == NULL || (ppt_rule(*out)->classes & (1u << profile->cls)) != 0)
		return RC_OK;
	return REFUSE(
	    f, RC_INVALID, UNSUPPORTED_PPT, NULL, "profile %s does not sign it", profile->name);
}

/* Their signatures are judged where x5c is; whom they lead to is for "verify". */
static enum rc
check_originals(const struct check *c, struct fault *f)
{
	const struct original_policy policy = {
		.check = ORIGINAL_COMPARE, .without_anchors = true, .now_s = c->at_s
	};
	size_t verified = 0;

	return c->originals == NULL ? RC_OK
				    : originals_verify(c->originals, &policy, &verified, f);
}

/* Where none are given, the claims are judged by themselves. */
static enum rc
take_defaults(const struct check *c, enum ppt ppt, json_t **out, struct fault *f)
{
	if (c->originals == NULL)
		return RC_OK;
	if (ppt_rule(ppt)->answers == ANSWERS_NOTHING)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "original",
		    "a PASSporT of type %s answers no other", ppt_text(ppt));
	return originals_defaults(c->originals, ppt, out, f);
}

static enum rc
decide(const struct check *c, const struct gate *gate, enum ppt ppt, const json_t *claims,
    struct fault *f)
{
	struct passport_policy policy = { .now_s = c->at_s,
		.iat_past_s = PASSPORT_PAST_S,
		.iat_future_s = PASSPORT_FUTURE_S };
	struct passport p;
	json_auto_t *instead = NULL;
	const char **extra = NULL;
	enum rc rc;

	TRY(take_defaults(c, ppt, &instead, f));
	policy.defaults = instead;
	TRY(gate_extra_claims(gate, c->allowed.item, c->allowed.len, &extra, &policy.extra, f));
	policy.extra_claims = extra;
	rc = passport_prepare(claims, ppt, &policy, &p, f);
	free(extra);
	TRY(rc);
	rc = c->originals == NULL ? RC_OK : originals_match(c->originals, &p, f);
	if (rc == RC_OK)
		rc = gate_decide(gate, &p, c->at_s, f);
	if (rc == RC_OK)
		rc = check_originals(c, f);
	passport_done(&p);
	return rc;
}

/* Over the chain as it was given: who signed it is the business of verify. */
static enum rc
check_scope(const struct check *c, const struct chain *chain,
    const struct profile_rule *profile, struct fault *f)
{
	const struct encompass e = { .chain = chain,
		.referenced = c->referenced,
		.codes_are_originators = profile == NULL || profile->codes_are_originators };
	enum encompass_mode mode = ENCOMPASS_OFF;
	struct fault why = { 0 };

	if (c->encompassing == NULL || !encompass_find(c->encompassing, &mode))
		return RC_OK;
	if (encompass_check(&e, mode, &why) == RC_OK)
		return RC_OK;
	return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, NULL, "%s", why.detail);
}

enum rc
check_judge(
    const struct check *c, const struct chain *chain, struct span claims_text, struct fault *f)
{
	struct gate_policy policy = { .third_party_rcd = c->third_party_rcd };
	AUTO(gate) *gate = NULL;
	json_auto_t *claims = NULL;
	enum ppt ppt = PPT_BASE;

	if (c->profile != NULL)
		policy.profile = profile_find(c->profile);
	TRY(jtext_read(claims_text, &claims, f));
	if (!json_is_object(claims)) /* as the socket says it of its member */
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "claims", "must be an object");
	TRY(find_ppt(c, policy.profile, &ppt, f));
	policy.do_not_originate = c->do_not_originate;
	policy.referenced = c->referenced;
	policy.constraints.assert_committed = c->salts != NULL;
	policy.constraints.salts = c->salts;
	TRY(gate_open(chain, &policy, &gate, f));
	TRY(check_scope(c, chain, policy.profile, f));
	return decide(c, gate, ppt, claims, f);
}
