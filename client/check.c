/* Would the agent sign these claims with this certificate?  Its own code decides. */
#include "client/check.h"
#include "stir/gate.h"
#include "stir/jtext.h"
#include "stir/original.h"
#include "stir/rcd.h"
#include "stir/vper.h"

#include <assert.h>
#include <stdlib.h>

const char *
check_blank_name(enum check_blank blank)
{
	static const char *const names[] = { [CHECK_PATH] = "path",
		[CHECK_SCTS] = "scts",
		[CHECK_TENANT] = "tenant",
		[CHECK_SIZE] = "identity_size",
		[CHECK_CONVEYANCE] = "conveyance",
		[CHECK_PROFILE] = "profile",
		[CHECK_ENCOMPASSING] = "encompassing",
		[CHECK_ORIGINAL] = "original",
		[CHECK_NAMESPACES] = "rph_namespaces",
		[CHECK_ENTITY_ID] = "entity_id",
		[CHECK_CONTENT] = "rcd_content" };
	static_assert(ARRAY_LEN(names) == CHECK__BLANKS, "a name per blank");

	return names[blank];
}

bool
check_blank_find(const char *name, enum check_blank *out)
{
	for (enum check_blank b = 0; b < CHECK__BLANKS; b++) {
		if (strcmp(name, check_blank_name(b)) == 0) {
			*out = b;
			return true;
		}
	}
	return false;
}

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
	const struct original_policy policy = { .check = ORIGINAL_COMPARE,
		.without_anchors = true,
		.now_s = c->at_s,
		.max_age_s = PASSPORT_DIVERTED_S };
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

/*
 * RFC 8946 section 5: what a div-o wraps is what it answers; where nothing else
 * is given, it is compared as that.  One that is no PASSporT, the claims' rules find.
 */
static enum rc
read_opt(struct check *c, enum ppt ppt, const json_t *claims, struct originals **own,
    struct fault *f)
{
	const struct claim_rule *rule = ppt_claim(ppt, "opt");
	const json_t *opt = json_object_get(claims, "opt");
	struct span token = jtext_span(opt);

	if (c->originals != NULL || rule == NULL || opt == NULL ||
	    rule->check("opt", opt, NULL) != RC_OK)
		return RC_OK;
	TRY(originals_read(&token, 1, own, f));
	c->originals = *own;
	return RC_OK;
}

/* Local rules that the command was told. */
static enum rc
check_local(const struct check *c, const json_t *claims, struct fault *f)
{
	TRY(vper_check_entity(json_object_get(claims, "vper"), c->entity_id, f));
	if (c->namespaces.len == 0)
		return RC_OK;
	return ppt_check_namespaces(claims, c->namespaces.item, c->namespaces.len, f);
}

static enum rc
decide(const struct check *c, const struct gate *gate, enum ppt ppt, const json_t *claims,
    struct fault *f)
{
	struct passport_policy policy = { .now_s = c->at_s,
		.iat_past_s = PASSPORT_PAST_S,
		.iat_future_s = PASSPORT_FUTURE_S,
		.iat_diverted_s = PASSPORT_DIVERTED_S,
		.orig_uri = c->orig_uri };
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
		rc = check_local(c, p.claims, f);
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

/* The socket's question with nothing known of the world: then only the agent can answer. */
static bool
needs_content(const json_t *claims, const struct constraints *k)
{
	const struct rcd_contents nothing = { .n = 0 };
	struct fault why = { 0 };

	return json_object_get(claims, "rcdi") != NULL &&
	       !(k != NULL && constraints_permits(k, "rcdi")) &&
	       rcd_check_claims(claims, &why) == RC_OK &&
	       rcd_check_content(claims, &nothing, &why) == RC_DENIED;
}

static unsigned
blanks_of(const struct check *c, const struct chain *chain, enum ppt ppt, const json_t *claims)
{
	const struct constraints *k = chain->len > 0 ? chain->cert[0]->constraints : NULL;
	unsigned all = 1U << CHECK_PATH | 1U << CHECK_SCTS | 1U << CHECK_TENANT |
		       1U << CHECK_SIZE | 1U << CHECK_CONVEYANCE;

	if (c->profile == NULL)
		all |= 1U << CHECK_PROFILE;
	if (c->encompassing == NULL)
		all |= 1U << CHECK_ENCOMPASSING;
	if (c->originals == NULL && ppt_rule(ppt)->answers != ANSWERS_NOTHING)
		all |= 1U << CHECK_ORIGINAL;
	if (c->namespaces.len == 0 && json_object_get(claims, "rph") != NULL)
		all |= 1U << CHECK_NAMESPACES;
	if (c->entity_id == NULL && json_object_get(claims, "vper") != NULL)
		all |= 1U << CHECK_ENTITY_ID;
	if (needs_content(claims, k))
		all |= 1U << CHECK_CONTENT;
	return all;
}

static enum rc
read_claims(struct span text, json_t **out, struct fault *f)
{
	TRY(jtext_read(text, out, f));
	if (!json_is_object(*out)) /* as the socket says it of its member */
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "claims", "must be an object");
	return RC_OK;
}

static enum rc
judge(const struct check *c, const struct chain *chain, const struct profile_rule *profile,
    enum ppt ppt, const json_t *claims, struct fault *f)
{
	const struct gate_policy policy = { .profile = profile,
		.constraints = c->constraints,
		.third_party_iss = c->third_party_iss,
		.attest_in_rsp = c->attest_in_rsp,
		.rcd_without_rcdi = c->rcd_without_rcdi,
		.orig_uri = c->orig_uri,
		.do_not_originate = c->do_not_originate,
		.referenced = c->referenced };
	AUTO(gate) *gate = NULL;

	TRY(gate_open(chain, &policy, &gate, f));
	TRY(check_scope(c, chain, profile, f));
	return decide(c, gate, ppt, claims, f);
}

enum rc
check_judge(const struct check *given, const struct chain *chain, struct span claims_text,
    unsigned *blanks, struct fault *f)
{
	struct check c = *given;
	const struct profile_rule *profile = c.profile != NULL ? profile_find(c.profile) : NULL;
	AUTO(originals) *wrapped = NULL;
	json_auto_t *claims = NULL;
	enum ppt ppt = PPT_BASE;
	enum rc rc;

	rc = read_claims(claims_text, &claims, f);
	if (rc == RC_OK)
		rc = find_ppt(&c, profile, &ppt, f);
	if (rc == RC_OK)
		rc = read_opt(&c, ppt, claims, &wrapped, f);
	if (blanks != NULL)
		*blanks = blanks_of(&c, chain, ppt, claims);
	TRY(rc);
	return judge(&c, chain, profile, ppt, claims, f);
}
