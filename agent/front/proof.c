#include "agent/front/proof.h"

#include <string.h>

#include "agent/front/lint.h"
#include "stir/identity.h"
#include "stir/jtext.h"
#include "stir/verify.h"

enum { AGE_MAX_S = 60 }; /* RFC 8224 section 6.2 */

static enum rc
unproven(struct fault *f, const char *step, const char *why)
{
	return REFUSE(f, RC_DENIED, ATTEST_NOT_ALLOWED, "attest",
	    "the delegate's PASSporT proves nothing: %s%s%s", step, step[0] != 0 ? ": " : "",
	    why);
}

/* ---- policy ---- */

struct proof_policy
proof_policy_of(const struct profile_rule *p, enum encompass_mode m)
{
	return (struct proof_policy){ .min_scts = p->min_scts,
		.encompassing = m,
		.codes_are_scope = !p->codes_are_originators,
		.max_lifetime_s = p->max_lifetime_s,
		.domain_bound = p->domain_bound };
}

static unsigned
strictness(enum encompass_mode m)
{
	return m == ENCOMPASS_REQUIRE ? 2 : m == ENCOMPASS_IF_PRESENT;
}

void
proof_policy_join(struct proof_policy *p, const struct proof_policy *more)
{
	if (more->min_scts > p->min_scts)
		p->min_scts = more->min_scts;
	if (strictness(more->encompassing) > strictness(p->encompassing))
		p->encompassing = more->encompassing;
	p->codes_are_scope |= more->codes_are_scope;
	p->domain_bound |= more->domain_bound;
	if (p->max_lifetime_s == 0 ||
	    (more->max_lifetime_s != 0 && more->max_lifetime_s < p->max_lifetime_s))
		p->max_lifetime_s = more->max_lifetime_s;
}

static enum rc
check_lifetime(const struct proof_policy *policy, const struct cert *leaf, struct fault *f)
{
	if (policy->max_lifetime_s != 0 &&
	    leaf->not_after_s - leaf->not_before_s > policy->max_lifetime_s)
		return unproven(f, "profile", "its certificate lives longer than that allows");
	return RC_OK;
}

/* D-49; nothing corroborates where there is no x5u. */
static enum rc
check_domain(const struct proof_policy *policy, const struct cert *leaf, const char *x5u,
    struct fault *f)
{
	if (policy->domain_bound &&
	    (leaf->dns_name == NULL || x5u == NULL || !lint_is_host(x5u, leaf->dns_name)))
		return unproven(f, "profile", "the host of its x5u is not its one dNSName");
	return RC_OK;
}

enum rc
proof_judge_credential(
    const struct proof_policy *policy, const struct credential *c, struct fault *f)
{
	const struct cert *leaf = c->chain->cert[0];
	struct fault why = { 0 };

	TRY(check_lifetime(policy, leaf, f));
	TRY(check_domain(policy, leaf, c->x5u, f));
	if (c->scts < policy->min_scts)
		return unproven(f, verify_step_name(VERIFY_SCT), "its certificate has too few");
	if (encompass_allows(policy->encompassing,
		policy->codes_are_scope ? c->scope : c->scope_of_numbers, &why) != RC_OK)
		return unproven(f, why.reason, why.detail);
	return RC_OK;
}

/* ---- verifying ---- */

/* What is read before anything is verified. */
struct opened {
	struct span token; /* without the parameters of an Identity value */
	json_t *header, *claims;
	int64_t iat_s;
	struct tn orig;
	struct chain *own;	   /* of x5c */
	const struct chain *known; /* of x5u, where there is no x5c */
};

static void
opened_done(struct opened *o)
{
	json_decref(o->header);
	json_decref(o->claims);
	chain_free(o->own);
}

static enum rc
open_parts(const struct jws_parts *jws, struct opened *o, struct fault *f)
{
	const json_t *iat, *orig;

	o->header = json_incref(jws->header);
	TRY(jtext_read(buf_view(&jws->payload), &o->claims, f));
	iat = json_object_get(o->claims, "iat");
	if (!json_is_integer(iat))
		return FAULT(f, RC_INVALID, "invalid_claim", "iat is no integer");
	o->iat_s = json_integer_value(iat);
	orig = json_object_get(json_object_get(o->claims, "orig"), "tn");
	return tn_exact(jtext_span(orig), &o->orig, f);
}

static enum rc
open_text(struct span text, struct opened *o, struct fault *f)
{
	struct identity id = { .passport = text };
	struct jws_parts jws;
	enum rc rc;

	if (text.len == 0 || text.len > PROOF_MAX_BYTES)
		return FAULT(f, RC_INVALID, "size", "it is empty or too long");
	if (memchr(text.ptr, ';', text.len) != NULL)
		TRY(identity_parse(text, &id, f));
	o->token = id.passport;
	TRY(jws_split(o->token, &jws, f));
	rc = open_parts(&jws, o, f);
	jws_done(&jws);
	return rc;
}

static enum rc
open_chain(const struct proof_input *in, struct opened *o, struct fault *f)
{
	const json_t *x5c = json_object_get(o->header, "x5c");
	struct span x5u = jtext_span(json_object_get(o->header, "x5u"));

	if (x5c != NULL) /* never what x5u leads to, where the certificates are here (V-40) */
		return chain_read_x5c(x5c, &o->own, f);
	if (in->known != NULL && x5u.len > 0)
		o->known = in->known(in->arg, x5u);
	return o->known != NULL ? RC_OK
				: FAULT(f, RC_NOT_FOUND, "no_chain",
				      "no x5c, and the chain of its x5u is not known");
}

static const struct chain *
chain_of(const struct opened *o)
{
	return o->own != NULL ? o->own : o->known;
}

/* What depends on the moment, and so is judged each time. */
static enum rc
check_time(const struct proof_input *in, const struct opened *o, struct fault *f)
{
	const struct chain *chain = chain_of(o);
	int64_t from_s = 0, to_s = 0;

	/* All of them are below 2^53 in magnitude. */
	if (in->now_s - o->iat_s > AGE_MAX_S || o->iat_s - in->now_s > AGE_MAX_S)
		return unproven(f, "freshness", "stale_iat: iat is more than a minute away");
	chain_validity(chain, &from_s, &to_s);
	if (in->now_s > to_s)
		return unproven(f, "path", "its certificates have expired");
	return check_lifetime(in->policy, chain->cert[0], f);
}

static enum rc
judge_steps(const struct verify_result *r, const struct proof_policy *policy, struct fault *f)
{
	for (enum verify_step s = 0; s < VERIFY__COUNT; s++) {
		if (r->step[s].verdict == VERDICT_FAIL)
			return unproven(f, verify_step_name(s), r->step[s].detail);
	}
	if (!r->pass)
		return unproven(f, "", "its certificates do not lead to a trust anchor");
	if (policy->min_scts > 0 && r->step[VERIFY_SCT].verdict != VERDICT_PASS)
		return unproven(f, verify_step_name(VERIFY_SCT), r->step[VERIFY_SCT].detail);
	return RC_OK;
}

static enum rc
verify_steps(const struct proof_input *in, const struct opened *o, struct fault *f)
{
	const struct verify_input steps = { .token = in->text,
		.anchors = in->anchors,
		.ctlogs = in->ctlogs,
		.chain = o->known,
		.at_s = o->iat_s,
		.min_scts = in->policy->min_scts,
		.encompassing = in->policy->encompassing,
		.codes_are_scope = in->policy->codes_are_scope,
		.alone = true,
		.to_failure = true };
	struct verify_result r = { 0 };
	enum rc rc;

	TRY(verify_passport(&steps, &r, f));
	rc = judge_steps(&r, in->policy, f);
	verify_done(&r);
	return rc;
}

/* What does not depend on the policy, and so is judged each time. */
static enum rc
check_authority(const struct proof_input *in, const struct opened *o, struct fault *f)
{
	const struct chain *chain = chain_of(o);
	const struct tnauth *list = chain->cert[0]->tnauth;
	enum ppt ppt = PPT_BASE;

	if (ppt_find(json_string_value(json_object_get(o->header, "ppt")), &ppt, NULL) !=
		RC_OK ||
	    !ppt_rule(ppt)->speaks_for_orig)
		return unproven(f, "", "its ppt does not speak for orig");
	/* RFC 9795 section 10.1: of somebody else's number. */
	if (json_object_get(o->claims, "iss") != NULL)
		return unproven(f, "", "it is a third party's, by its iss");
	/* A provider's code authorises no number (D-05), whatever verifies by it. */
	if (list == NULL || !tnauth_covers(list, &o->orig))
		return unproven(f, "", "its certificate does not hold the number");
	if (in->do_not_originate != NULL &&
	    cert_has_extension(chain->cert[0], in->do_not_originate)) /* D-42 */
		return unproven(
		    f, "", "its certificate says that its numbers do not originate calls");
	return RC_OK;
}

static enum rc
verify_opened(const struct proof_input *in, const struct opened *o, struct fault *f)
{
	/* The whole text: the parameters of an Identity value are judged as well. */
	bool before = in->remembered != NULL && in->remembered(in->arg, in->text, o->known);

	TRY(check_time(in, o, f));
	if (!before)
		TRY(verify_steps(in, o, f));
	TRY(check_authority(in, o, f));
	TRY(check_domain(in->policy, chain_of(o)->cert[0],
	    json_string_value(json_object_get(o->header, "x5u")), f));
	if (!before && in->remember != NULL)
		in->remember(in->arg, in->text, o->known);
	return RC_OK;
}

static enum rc
open_all(const struct proof_input *in, struct opened *o, struct fault *f)
{
	struct fault why = { 0 };

	if (open_text(in->text, o, &why) == RC_OK && open_chain(in, o, &why) == RC_OK)
		return RC_OK;
	if (why.rc == RC_NO_MEMORY)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a delegate's PASSporT");
	return unproven(f, why.reason, why.detail);
}

enum rc
proof_verify(const struct proof_input *in, json_t **claims, struct fault *f)
{
	__attribute__((cleanup(opened_done))) struct opened o = { .header = NULL };

	TRY(open_all(in, &o, f));
	TRY(verify_opened(in, &o, f));
	*claims = TAKE(o.claims);
	return RC_OK;
}

/* ---- comparing ---- */

void
proof_done(struct proof *p)
{
	json_decref(p->claims);
	p->claims = NULL;
}

/* The members of two arrays of strings are the same, in whatever order. */
static bool
same_members(const json_t *a, const json_t *b)
{
	size_t n = json_array_size(a);

	if (n != json_array_size(b))
		return false;
	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (size_t k = 0; k < n && !found; k++)
			found = json_equal(json_array_get(a, i), json_array_get(b, k));
		if (!found)
			return false;
	}
	return true;
}

/* orig and dest are canonical on both sides; dest has no number twice. */
static bool
same_call(const json_t *a, const json_t *b)
{
	const json_t *x = json_object_get(a, "dest"), *y = json_object_get(b, "dest");

	return json_equal(json_object_get(a, "orig"), json_object_get(b, "orig")) &&
	       same_members(json_object_get(x, "tn"), json_object_get(y, "tn")) &&
	       same_members(json_object_get(x, "uri"), json_object_get(y, "uri"));
}

enum rc
proof_judge(const struct proof *p, const struct passport *call, struct fault *f)
{
	if (p->fault.rc != RC_OK) {
		if (f != NULL)
			*f = p->fault;
		return p->fault.rc;
	}
	return same_call(p->claims, call->claims) ? RC_OK
						  : unproven(f, "", "it is of another call");
}
