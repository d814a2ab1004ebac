/*
 * A tenant's local rules: which ppts it may have signed, for which
 * destinations, how far it may attest, how fast it may ask.  The
 * certificate's word is gate.h.
 *
 * Everything but the rates is a function of the configuration.  The rates are
 * token buckets of the loop: one per tenant, kept by name over a reload, one
 * per user for refusals that lead to no tenant's rate, and one that all callers
 * without a tenant share.
 */
#ifndef AGENT_FRONT_POLICY_H
#define AGENT_FRONT_POLICY_H

#include "agent/front/reach.h"

enum {
	POLICY_STRANGER_RATE = 200,  /* requests a second of all callers without a tenant */
	POLICY_STRANGER_BURST = 400, /* at once */
	/* Refusals a second of one user that lead to no tenant, or to one without a rate. */
	POLICY_CALLER_RATE = 200,
	POLICY_CALLER_BURST = 400,
	POLICY_CALLERS = 64, /* users whose refusals are remembered, the latest ones */
};

/* 1 << ppt for every ppt that the credential's class signs and tenant and credential allow. */
unsigned policy_ppts(const struct config_tenant *t, const struct config_credential *c);

/* Those, and where the tenant only observes which they are, all of the class. */
unsigned policy_ppts_passed(const struct config_tenant *t, const struct config_credential *c);

/*
 * Are all destinations among those that tenant and credential allow?  Where
 * one has a list, a URI is not.  RC_DENIED dest_not_allowed.
 */
enum rc policy_dests(const struct config_tenant *t, const struct config_credential *c,
    const struct passport *p, struct fault *f) MUST_CHECK;

/* What is known of the number of a call, and of who brings it. */
struct attest_evidence {
	bool listed;	      /* among the tenant's configured numbers */
	bool delegate;	      /* covered by a delegate's PASSporT of the same call */
	bool known;	      /* the caller is one of attestation.known */
	const char *unproven; /* why a delegate's PASSporT that was there is not; NULL */
};

/* The rule whose grant rests on the PASSporT of the number's holder. */
#define POLICY_DELEGATE_PROOF "delegate_proof"

/* For the audit trail: 0 and NULL where the ppt does not attest. */
struct attest_verdict {
	char asked, granted;
	const char *rule; /* by which it was granted, or judged: a name that stays */
};

/*
 * May the tenant attest as asked?  The rule that grants most of those that
 * apply decides; an unlisted number is held to unlisted_tn, too (D-05), unless
 * a delegate proved it.  RC_DENIED attest_not_allowed, with *out set; with
 * over_cap = lower, granted is less than asked instead.
 */
enum rc policy_attest(const struct config_tenant *t, const struct config_credential *c,
    const struct attest_evidence *e, char asked, struct attest_verdict *out,
    struct fault *f) MUST_CHECK;

/* Does the tenant take a delegate's PASSporT for a right to the number? */
bool policy_takes_proof(const struct config_tenant *t);

/*
 * May this credential assert these resource priorities (RFC 8443)?  Only those
 * of its rph_namespaces: no certificate speaks of them.  RC_DENIED
 * rph_not_allowed.
 */
enum rc policy_rph(
    const struct config_credential *c, const json_t *claims, struct fault *f) MUST_CHECK;

/* The value of the claim "attest": 'A', 'B', 'C', or 0 where there is none. */
char policy_attest_of(const json_t *claims);

struct policy;
/* No rates yet: they come with the tenants of a set.  RC_NO_MEMORY. */
enum rc policy_new(struct policy **out, struct fault *f) MUST_CHECK;
void policy_free(struct policy *p);
DEFINE_FREEP(policy);

/*
 * Make the buckets those of this set's tenants; a tenant of the set before
 * keeps its level.  Both sets must live during the call, the new one until
 * the next.  On failure the buckets stay as they were.
 */
enum rc policy_adopt(
    struct policy *p, const struct credset *set, int64_t now_ms, struct fault *f) MUST_CHECK;

/* Count one request of a tenant (index in the set); RC_BUSY rate_limited. */
enum rc policy_take(
    struct policy *p, size_t tenant, int64_t now_ms, struct fault *f) MUST_CHECK;
enum rc policy_take_stranger(struct policy *p, int64_t now_ms, struct fault *f) MUST_CHECK;
/* One refusal of a user's that leads to no tenant's rate; RC_BUSY rate_limited. */
enum rc policy_take_caller(
    struct policy *p, uid_t uid, int64_t now_ms, struct fault *f) MUST_CHECK;

/*
 * The tenants with a class sp credential that may sign numbers it does not
 * list (D-05), or numbers that a delegate proves: indexes, ascending; the
 * policy's own.
 */
const uint32_t *policy_unlisted(const struct policy *p, size_t *n);

/* The same, by who may use them; NULL before the first policy_adopt(). */
const struct reach *policy_unlisted_reach(const struct policy *p);

#endif
