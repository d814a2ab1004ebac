#include "stir/gate.h"

#include <stdio.h>
#include <stdlib.h>

#include "stir/jtext.h"
#include "stir/rcd.h"

struct gate {
	const struct chain *chain; /* borrowed */
	const struct cert *leaf;
	struct gate_policy policy;
	int64_t not_before_s, not_after_s; /* that the whole chain shares */
	char *third_party_iss;		   /* its own copy of the policy's */
	struct constraints_plan *plan;	   /* NULL: no constraints */
	bool does_not_originate;
};

/* RFC 5280 section 4.1.2.5: 99991231235959Z, a certificate without an end. */
#define NO_END_S INT64_C(253402300799)

void
gate_free(struct gate *g)
{
	if (g == NULL)
		return;
	constraints_plan_free(g->plan);
	free(g->third_party_iss);
	free(g);
}

static enum rc
unusable(struct fault *f, const char *what)
{
	return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, NULL, "%s", what);
}

/* ---- activation --------------------------------------------------------------------- */

static enum rc
check_leaf(const struct cert *leaf, struct fault *f)
{
	if (!leaf->p256)
		return unusable(f, "the leaf's key is not on P-256"); /* D-57 */
	if (leaf->is_ca)
		return unusable(f, "the leaf is a CA certificate"); /* RFC 9060 section 4 */
	if (!leaf->digital_signature) /* RFC 5280 section 4.2.1.3 */
		return unusable(f, "the leaf's keyUsage does not allow digitalSignature");
	if (leaf->unknown_critical)
		return unusable(f, "the leaf has a critical extension that is not known");
	if (leaf->both_constraints)
		return unusable(f, /* RFC 9118 section 6, D-07 */
		    "both JWTClaimConstraints and EnhancedJWTClaimConstraints: RFC 9118 allows "
		    "one");
	return RC_OK;
}

/* V-14, D-46: a list in the certificate stands by itself. */
static enum rc
check_list(const struct cert *leaf, const struct gate_policy *policy, struct fault *f)
{
	if (leaf->tnauth != NULL)
		return RC_OK;
	if (!leaf->tnauth_by_reference)
		return unusable(f, "no TNAuthList");
	if (leaf->tnauth_url == NULL)
		return unusable(f, "a TNAuthList by reference is at exactly one https URI");
	if (policy->referenced == NULL)
		return unusable(f, "the TNAuthList by reference has not been fetched");
	return RC_OK;
}

/* D-01: exactly one service provider code, or numbers. */
static enum rc
check_class(const struct tnauth *list, const struct gate_policy *policy, struct fault *f)
{
	enum credential_class cls = policy->profile->cls;
	bool numbers = (list != NULL && tnset_len(tnauth_numbers(list)) > 0) ||
		       (policy->referenced != NULL && tnset_len(policy->referenced) > 0);

	if (cls == CLASS_SP &&
	    (list == NULL || tnauth_len(list) != 1 || tnauth_spcs(list) != 1))
		return unusable(f, "class sp has exactly one service provider code");
	if (cls == CLASS_DELEGATE && !numbers)
		return unusable(f, "class delegate has telephone numbers");
	return RC_OK;
}

static enum rc
check_lifetime(const struct cert *leaf, const struct profile_rule *profile, struct fault *f)
{
	int64_t life_s;

	if (leaf->not_after_s < leaf->not_before_s)
		return unusable(f, "the leaf ends before it begins");
	if (leaf->not_after_s >= NO_END_S)
		return unusable(f, "the leaf has no end of validity");
	life_s = leaf->not_after_s - leaf->not_before_s;
	if (profile != NULL && profile->max_lifetime_s > 0 && life_s > profile->max_lifetime_s)
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, NULL,
		    "valid for %lld s, profile %s allows %lld s", (long long)life_s,
		    profile->name, (long long)profile->max_lifetime_s);
	return RC_OK;
}

static enum rc
check_facts(const struct cert *leaf, const struct gate_policy *policy, struct fault *f)
{
	struct constraints_policy constraints = policy->constraints;

	constraints.orig_uri = policy->orig_uri;
	TRY(check_leaf(leaf, f));
	TRY(check_list(leaf, policy, f));
	if (policy->profile != NULL)
		TRY(check_class(leaf->tnauth, policy, f));
	if (policy->profile != NULL && policy->profile->domain_bound && leaf->dns_name == NULL)
		return unusable(f, "the profile wants exactly one dNSName"); /* D-49 */
	if (leaf->constraints != NULL)
		TRY(constraints_check(leaf->constraints, &constraints, f));
	return check_lifetime(leaf, policy->profile, f);
}

enum rc
gate_open(const struct chain *chain, const struct gate_policy *policy, struct gate **out,
    struct fault *f)
{
	AUTO(gate) *g = NULL;

	if (chain->len == 0)
		return unusable(f, "no certificate");
	TRY(check_facts(chain->cert[0], policy, f));
	g = calloc(1, sizeof *g);
	if (g == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a gate");
	g->chain = chain;
	g->leaf = chain->cert[0];
	g->policy = *policy;
	g->does_not_originate = policy->do_not_originate != NULL &&
				cert_has_extension(g->leaf, policy->do_not_originate);
	chain_validity(chain, &g->not_before_s, &g->not_after_s);
	if (policy->third_party_iss != NULL) {
		g->third_party_iss = strdup(policy->third_party_iss);
		if (g->third_party_iss == NULL)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "a gate");
	}
	if (g->leaf->constraints != NULL)
		TRY(constraints_plan(g->leaf->constraints, &g->plan, f));
	*out = TAKE(g);
	return RC_OK;
}

/* ---- decision ----------------------------------------------------------------------- */

/* The signer allows nothing on either end (D-44). */
enum rc
gate_in_time(const struct gate *g, int64_t now_s, struct fault *f)
{
	if (now_s < g->not_before_s)
		return REFUSE(f, RC_EXPIRED, CREDENTIAL_EXPIRED, NULL,
		    "certificate %.20s or one above it: not valid before %lld: ask from then "
		    "on",
		    g->leaf->serial, (long long)g->not_before_s);
	if (now_s > g->not_after_s)
		return REFUSE(f, RC_EXPIRED, CREDENTIAL_EXPIRED, NULL,
		    "certificate %.20s or one above it: not valid after %lld", g->leaf->serial,
		    (long long)g->not_after_s);
	return RC_OK;
}

/* RFC 8224 section 6.1 step 3: what is dated outside of it, no verifier can accept. */
enum rc
gate_dated(const struct gate *g, int64_t iat_s, struct fault *f)
{
	if (iat_s < g->not_before_s)
		return REFUSE(f, RC_EXPIRED, CREDENTIAL_EXPIRED, "iat",
		    "certificate %.20s or one above it: not valid before %lld, and iat is "
		    "%lld: "
		    "send an iat from then on",
		    g->leaf->serial, (long long)g->not_before_s, (long long)iat_s);
	if (iat_s > g->not_after_s)
		return REFUSE(f, RC_EXPIRED, CREDENTIAL_EXPIRED, "iat",
		    "certificate %.20s or one above it: not valid after %lld, and iat is %lld: "
		    "send an iat up to then",
		    g->leaf->serial, (long long)g->not_after_s, (long long)iat_s);
	return RC_OK;
}

static enum rc
decide_class(const struct gate *g, enum ppt ppt, struct fault *f)
{
	const struct profile_rule *profile = g->policy.profile;
	const struct ppt_rule *rule = ppt_rule(ppt);

	if (profile == NULL || (rule->classes & 1u << profile->cls) != 0)
		return RC_OK;
	return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
	    "profile %s does not sign %s: ask for %s", profile->name, ppt_text(ppt),
	    ppt_names(1U << profile->cls).text);
}

const struct tn *
gate_uncovered(const struct gate *g, const struct passport *p)
{
	size_t n = 0;
	const struct tn *tn = passport_authorising(p, &n);

	for (size_t i = 0; i < n; i++) {
		if (!gate_covers(g, &tn[i]))
			return &tn[i];
	}
	return NULL;
}

/* D-38: attest says nothing about who is called, but for one profile, and there by a switch. */
static enum rc
decide_rsp(const struct gate *g, const struct passport *p, struct fault *f)
{
	const struct profile_rule *profile = g->policy.profile;

	if (p->ppt != PPT_RSP || json_object_get(p->claims, "attest") == NULL ||
	    (g->policy.attest_in_rsp && profile != NULL && profile->attest_in_rsp))
		return RC_OK;
	return REFUSE(f, RC_INVALID, UNKNOWN_CLAIM, "attest",
	    "attest is for ppt shaken; in rsp only profile vesper-05 with attest_in_rsp takes "
	    "it: leave it out");
}

/* RFC 9795 section 10: iss names a signer who is not the caller (D-52). */
static enum rc
decide_third_party(const struct gate *g, const struct passport *p, struct fault *f)
{
	const struct profile_rule *profile = g->policy.profile;
	bool sp = profile != NULL && profile->cls == CLASS_SP;

	if (g->third_party_iss == NULL)
		return REFUSE(f, RC_DENIED, TN_NOT_AUTHORIZED, "orig",
		    "certificate %.20s: third_party_rcd is not set, so iss cannot stand for "
		    "orig: "
		    "send a number of its own without iss",
		    g->leaf->serial);
	if (!sp && gate_uncovered(g, p) == NULL)
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, "iss",
		    "certificate %.20s: its TNAuthList covers orig, so its holder is no third "
		    "party: leave iss out",
		    g->leaf->serial);
	if (!span_is(jtext_span(json_object_get(p->claims, "iss")), g->third_party_iss))
		return REFUSE(f, RC_DENIED, VALUE_NOT_PERMITTED, "iss",
		    "iss is not the name that is configured (third_party_iss)");
	return RC_OK;
}

/* RFC 8224 section 8.4: the domain is what the certificate names, letter case aside (D-26). */
static enum rc
decide_domain(const struct gate *g, const struct passport *p, struct fault *f)
{
	const struct profile_rule *profile = g->policy.profile;

	if (!g->policy.orig_uri || (profile != NULL && profile->cls == CLASS_SP))
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, "orig",
		    "certificate %.20s: orig_uri of its credential is not set: send orig.tn",
		    g->leaf->serial);
	if (g->leaf->dns_name != NULL &&
	    strcasecmp(strchr(p->orig_uri, '@') + 1, g->leaf->dns_name) == 0)
		return RC_OK;
	return REFUSE(f, RC_DENIED, TN_NOT_AUTHORIZED, "orig",
	    "certificate %.20s: subjectAltName has another dNSName, or none, than the host of "
	    "orig.uri: send one of its domain",
	    g->leaf->serial);
}

/* RFC 8224 section 6.1: no authority, no signature. */
static enum rc
decide_number(const struct gate *g, const struct passport *p, struct fault *f)
{
	const struct profile_rule *profile = g->policy.profile;
	const struct tn *outside;

	/* D-42: it wins over everything else, a third party's word among it. */
	if (g->does_not_originate && ppt_rule(p->ppt)->by == AUTHORISED_BY_ORIG)
		return REFUSE(f, RC_DENIED, TN_NOT_AUTHORIZED, "orig",
		    "certificate %.20s: extension %.40s says that its numbers do not originate "
		    "calls: what speaks for dest or div alone can be signed",
		    g->leaf->serial, g->policy.do_not_originate);
	if (p->third_party)
		return decide_third_party(g, p, f);
	if (p->orig_uri != NULL)
		return decide_domain(g, p, f);
	if (profile != NULL && profile->cls == CLASS_SP)
		return RC_OK; /* one code since activation; numbers are configured (D-05) */
	outside = gate_uncovered(g, p);
	if (outside == NULL)
		return RC_OK;
	return REFUSE(f, RC_DENIED, TN_NOT_AUTHORIZED,
	    ppt_authorising_claim(ppt_rule(p->ppt)->by),
	    "certificate %.20s: %s is not in its TNAuthList: send a number that is",
	    g->leaf->serial, tn_mask(outside).text);
}

/* V-16, V-21 */
static enum rc
not_vetted(const struct gate *g, const char *name, struct fault *f)
{
	const struct constraints *c = g->leaf->constraints;

	return REFUSE(f, RC_DENIED, CLAIM_NOT_VETTED, name,
	    "certificate %.20s: %s, and profile %s wants each claim vetted: leave it out",
	    g->leaf->serial,
	    c == NULL ? "no extension names claims"
	    : c->form == CONSTRAINTS_JWT
		? "JWTClaimConstraints does not name all of it"
		: "EnhancedJWTClaimConstraints does not name all of it",
	    g->policy.profile->name);
}

static enum rc
decide_vetted(const struct gate *g, const struct passport *p, struct fault *f)
{
	if (g->policy.profile == NULL || !g->policy.profile->vetted_claims)
		return RC_OK;
	for (void *i = json_object_iter(p->claims); i != NULL;
	     i = json_object_iter_next(p->claims, i)) {
		const char *name = json_object_iter_key(i);

		if (ppt_is_structural(name))
			continue;
		if (g->plan == NULL ||
		    !constraints_vets(g->plan, name, json_object_iter_value(i)))
			return not_vetted(g, name, f);
	}
	return RC_OK;
}

/* orig is held to values, and whoever asks for a div or rsp cannot choose it. */
static bool
is_about_caller(const struct passport *p, const struct fault *why)
{
	return ppt_rule(p->ppt)->by != AUTHORISED_BY_ORIG &&
	       fault_is(why, REASON_VALUE_NOT_PERMITTED) &&
	       (strcmp(why->claim, "orig") == 0 || strncmp(why->claim, "orig/", 5) == 0);
}

/* The constraints' word, and whose they are: several certificates may cover a number. */
static enum rc
decide_constraints(const struct gate *g, const struct passport *p, struct fault *f)
{
	struct fault why = { 0 };
	enum rc rc = RC_OK;

	if (g->plan != NULL)
		rc = constraints_judge(g->plan, &g->policy.constraints, p->claims, &why);
	if (rc == RC_OK)
		return RC_OK;
	if (is_about_caller(p, &why))
		return fault_set(f, rc, why.reason, why.claim, why.where,
		    "certificate %.20s: permittedValues of %s hold orig, which in %s is "
		    "another "
		    "party's: only a credential that leaves orig free can sign it",
		    g->leaf->serial, constraints_form_name(g->leaf->constraints->form),
		    ppt_text(p->ppt));
	return fault_set(f, rc, why.reason, why.claim, why.where, "certificate %.20s: %s",
	    g->leaf->serial, why.detail);
}

enum rc
gate_silent(const struct gate *g, const struct passport *p, struct fault *f)
{
	const struct permitted *entry = NULL;
	struct privacy_name n = { 0 };
	char path[sizeof f->claim];

	/* Where none may be sent, gate_decide() says so whatever the value is. */
	if (g->plan == NULL || !g->policy.constraints.assert_committed)
		return RC_OK;
	TRY(constraints_committed(g->plan, p->claims, &entry, f));
	if (entry == NULL)
		return RC_OK;
	TRY(privacy_name(entry->claim, &n, f));
	(void)snprintf(path, sizeof path, "%.*s", (int)n.path.len, entry->claim);
	return REFUSE(f, RC_DENIED, PRIVATE_CLAIM_IN_CLEAR, path,
	    "certificate %.20s only commits to it: a dry run does not say whether the value is "
	    "the one",
	    g->leaf->serial);
}

enum rc
gate_claims(const struct gate *g, const struct passport *p, struct fault *f)
{
	TRY(decide_class(g, p->ppt, f));
	TRY(decide_number(g, p, f));
	TRY(decide_rsp(g, p, f));
	TRY(decide_constraints(g, p, f));
	TRY(decide_vetted(g, p, f));
	return g->policy.rcd_without_rcdi ? RC_OK : rcd_check_integrity(p->claims, f);
}

enum rc
gate_decide(const struct gate *g, const struct passport *p, int64_t now_s, struct fault *f)
{
	TRY(gate_in_time(g, now_s, f));
	TRY(gate_dated(g, p->iat_s, f));
	return gate_claims(g, p, f);
}

/* ---- facts -------------------------------------------------------------------------- */

enum rc
gate_extra_claims(const struct gate *g, const char *const *list, size_t n, const char ***out,
    size_t *len, struct fault *f)
{
	size_t named = 0;
	const char **all;

	while (g->plan != NULL && constraints_name_at(g->plan, named) != NULL)
		named++;
	all = calloc(n + named + 1, sizeof *all);
	if (all == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "claim names");
	for (size_t i = 0; i < n; i++)
		all[i] = list[i];
	for (size_t i = 0; i < named; i++)
		all[n + i] = constraints_name_at(g->plan, i);
	*out = all;
	*len = n + named;
	return RC_OK;
}

static bool
covers_by_value(const struct gate *g, const struct tn *tn)
{
	return g->leaf->tnauth != NULL && tnauth_covers(g->leaf->tnauth, tn);
}

bool
gate_rests_on_reference(const struct gate *g, const struct passport *p)
{
	const struct profile_rule *profile = g->policy.profile;
	size_t n = 0;
	const struct tn *tn = passport_authorising(p, &n);

	if (p->third_party || (profile != NULL && profile->cls == CLASS_SP))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!covers_by_value(g, &tn[i]))
			return true;
	}
	return false;
}

bool
gate_names(const struct gate *g, const char *claim)
{
	return g->plan != NULL && constraints_names(g->plan, claim);
}

bool
gate_covers(const struct gate *g, const struct tn *tn)
{
	const struct tnset *elsewhere = g->policy.referenced;

	if (covers_by_value(g, tn))
		return true;
	return elsewhere != NULL && tn->len > 0 && tnset_has(elsewhere, tn_key(tn));
}

const struct tnauth *
gate_tnauth(const struct gate *g)
{
	return g->leaf->tnauth;
}

const struct constraints *
gate_constraints(const struct gate *g)
{
	return g->leaf->constraints;
}

void
gate_validity(const struct gate *g, int64_t *not_before_s, int64_t *not_after_s)
{
	*not_before_s = g->not_before_s;
	*not_after_s = g->not_after_s;
}
