/*
 * A tenant's local rules: which ppts it may have signed, how far it may
 * attest, how fast it may ask.  The certificate's word is gate.h.
 *
 * Everything but the rates is a function of the configuration.  The rates are
 * token buckets of the loop: one per tenant, kept by name over a reload, and
 * one that all callers without a tenant share.
 */
#ifndef AGENT_FRONT_POLICY_H
#define AGENT_FRONT_POLICY_H

#include "agent/front/credset.h"

enum {
	POLICY_STRANGER_RATE = 200,  /* requests a second of all callers without a tenant */
	POLICY_STRANGER_BURST = 400, /* at once */
};

/* 1 << ppt for every ppt that this credential's class signs and the tenant allows. */
unsigned policy_ppts(const struct config_tenant *t, const struct config_credential *c);

/*
 * May the tenant attest as asked?  listed: the number is among its configured
 * ones (else D-05 says how far).  RC_DENIED attest_not_allowed.
 */
enum rc policy_attest(const struct config_tenant *t, const struct config_credential *c,
    bool listed, char attest, struct fault *f) MUST_CHECK;

/* The value of the claim "attest": 'A', 'B', 'C', or 0 where there is none. */
char policy_attest_of(const json_t *claims);

struct policy;
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

/*
 * The tenants with a class sp credential that signs numbers it does not list
 * (D-05): indexes, ascending; the policy's own.
 */
const uint32_t *policy_unlisted(const struct policy *p, size_t *n);

#endif
