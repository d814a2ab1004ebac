/*
 * The gate: may this certificate sign these claims?  The one decision that
 * the agent on its socket, "vesper check" and the tests share.
 *
 * Pure: time is an argument.  A struct gate is immutable and may be used by
 * many threads.
 */
#ifndef STIR_GATE_H
#define STIR_GATE_H

#include "stir/chain.h"
#include "stir/passport.h"
#include "stir/profile.h"

struct gate_policy {
	const struct profile_rule *profile;    /* NULL: no profile's rules (vesper check) */
	struct constraints_policy constraints; /* its salts are borrowed as the chain is */
	/* Who speaks in rich call data about numbers of others (D-52); NULL: nobody. */
	const char *third_party_iss;
	bool orig_uri;		      /* of the certificate's one dNSName (D-26) */
	bool attest_in_rsp;	      /* where the profile knows it at all (D-38) */
	bool rcd_without_rcdi;	      /* though it refers to content elsewhere */
	const char *do_not_originate; /* dotted OID of that extension (D-42); NULL: none */
	/*
	 * The numbers of the leaf's list by reference (D-46), borrowed; NULL:
	 * not at hand.  The caller intersects them with configured numbers.
	 */
	const struct tnset *referenced;
};

/* A leaf that may sign, with the facts that a decision needs. */
struct gate;

/*
 * Activation: everything about the leaf that does not depend on a request
 * (protocol.md 5.7 items 2, 5-7): P-256, not a CA, TNAuthList present and of
 * the profile's kind, constraints decodable, not contradictory and not of both
 * kinds, lifetime within the profile's maximum, exactly one dNSName where the
 * profile is bound to a domain.  Path and SCTs are judged
 * apart (chain.h, sct.h).
 *
 * The chain is borrowed and must outlive the gate, as what policy points to
 * but its texts.
 * RC_DENIED credential_unusable.
 */
enum rc gate_open(const struct chain *chain, const struct gate_policy *policy,
    struct gate **out, struct fault *f) MUST_CHECK;
void gate_free(struct gate *g);
DEFINE_FREEP(gate);

/* Within the chain's validity now?  No allowance (D-44).  RC_EXPIRED credential_expired. */
enum rc gate_in_time(const struct gate *g, int64_t now_s, struct fault *f) MUST_CHECK;

/* The same of the moment that a PASSporT is dated by; the claim is then iat. */
enum rc gate_dated(const struct gate *g, int64_t iat_s, struct fault *f) MUST_CHECK;

/*
 * The certificate's word on prepared claims, in the order of protocol.md
 * 3.10: validity now and at iat, then what gate_claims() says.
 */
enum rc gate_decide(
    const struct gate *g, const struct passport *p, int64_t now_s, struct fault *f) MUST_CHECK;

/*
 * All but the time: class and ppt, TNAuthList over the authorising number,
 * constraints, the profile's claim rules (D-16), then an rcdi where rcd refers
 * to content elsewhere (RC_INVALID missing_claim).  Local policy (configured
 * numbers, attest cap) is the agent's.
 *
 * RC_DENIED no_credential (class and ppt; with profile NULL every supported
 * ppt is judged), tn_not_authorized, claim_excluded, claim_missing_by_constraint, value_not_permitted,
 * private_claim_in_clear, commitment_not_provable, claim_not_vetted.  A
 * certificate that says doNotOriginate signs no orig, nor for a third party (D-42).  A service
 * provider code never authorises a number (D-05);
 * under class sp the number rule counts as passed, its numbers are the
 * tenant's configured ones.  Rich call data with iss is a third party's: it
 * needs third_party_iss, which iss is (value_not_permitted), and orig must not
 * be covered (invalid_claim, D-52).
 */
enum rc gate_claims(const struct gate *g, const struct passport *p, struct fault *f) MUST_CHECK;

/*
 * For a dry run, which must not tell whether a guess of a committed value is
 * right: RC_DENIED private_claim_in_clear when the claims carry one that this
 * credential would assert.
 */
enum rc gate_silent(const struct gate *g, const struct passport *p, struct fault *f) MUST_CHECK;

/*
 * The claims that may ride beside a ppt's own (D-51): the n names of list (the
 * credential's extra_claims) and those that the certificate's constraints
 * name.  *out is malloc'd (free()); its names are borrowed from list and gate.
 */
enum rc gate_extra_claims(const struct gate *g, const char *const *list, size_t n,
    const char ***out, size_t *len, struct fault *f) MUST_CHECK;

/* Is it one of the claims that the certificate's constraints name? */
bool gate_names(const struct gate *g, const char *claim);

/* The first authorising number that the TNAuthList does not cover; NULL: all are. */
const struct tn *gate_uncovered(const struct gate *g, const struct passport *p);

/* Is the number in the certificate's list, by value or by reference? */
bool gate_covers(const struct gate *g, const struct tn *tn);

/*
 * Is there an authorising number that the list by reference alone covers?  Not
 * where the certificate's numbers are not asked (class sp, a third party).
 */
bool gate_rests_on_reference(const struct gate *g, const struct passport *p);

/* NULL where the list is by reference alone. */
const struct tnauth *gate_tnauth(const struct gate *g);
const struct constraints *gate_constraints(const struct gate *g); /* NULL: none */
void gate_validity(const struct gate *g, int64_t *not_before_s, int64_t *not_after_s);

#endif
