/*
 * A delegate's word on a call: a PASSporT by which the holder of the number
 * shows its right to it, so that a provider may attest on its strength
 * (protocol of delegate certificates: RFC 9060).
 *
 * Nothing is fetched: the certificates are in the PASSporT (x5c), or its x5u
 * leads to a chain that is known beforehand.  Verifying it is dear and left to
 * the verifier thread (verifier.h); comparing it with the call is cheap.
 * Values never change.
 */
#ifndef AGENT_FRONT_PROOF_H
#define AGENT_FRONT_PROOF_H

#include "agent/front/credset.h"
#include "stir/passport.h"
#include "stir/profile.h"
#include "stir/sct.h"

enum { PROOF_MAX_BYTES = 32768 };

/* What is asked of its certificates beside the trust anchor. */
struct proof_policy {
	unsigned min_scts; /* valid ones of usable logs */
	enum encompass_mode encompassing;
	bool codes_are_scope;	/* else they name originators (D-45) */
	int64_t max_lifetime_s; /* of the leaf; 0: no limit */
	bool domain_bound;	/* its one dNSName is the host of its x5u (D-49) */
};

/* Of certificates of that profile (D-01). */
struct proof_policy proof_policy_of(const struct profile_rule *p, enum encompass_mode m);

/* From now on what both ask. */
void proof_policy_join(struct proof_policy *p, const struct proof_policy *more);

/*
 * The same of a credential in force here, whose own PASSporT of the call is the
 * delegate's: what was judged when it was activated, by its own profile, by
 * the one that is asked of delegates.  RC_DENIED attest_not_allowed.
 */
enum rc proof_judge_credential(
    const struct proof_policy *policy, const struct credential *c, struct fault *f) MUST_CHECK;

struct proof_input {
	struct span text; /* PASSporT or Identity value */
	const struct proof_policy *policy;
	const struct anchors *anchors; /* NULL: nothing can be proven */
	const struct ctlogs *ctlogs;   /* NULL: no SCT is valid */
	const char *do_not_originate;  /* dotted OID (D-42); NULL: none */
	/* As in stir/original.h, for this policy; all may be NULL. */
	const struct chain *(*known)(void *arg, struct span x5u);
	bool (*remembered)(void *arg, struct span token, const struct chain *chain);
	void (*remember)(void *arg, struct span token, const struct chain *chain);
	void *arg;
	int64_t now_s;
};

/*
 * Verify it at its own iat, which is at most a minute from now, with
 * certificates that are valid at both moments.  It is a base or rcd PASSporT
 * of no third party, and its orig is in the list of numbers of a leaf without
 * do_not_originate.  *claims: a new reference.
 * RC_DENIED attest_not_allowed.
 */
enum rc proof_verify(const struct proof_input *in, json_t **claims, struct fault *f) MUST_CHECK;

/* What came of it. */
struct proof {
	struct fault fault; /* RC_DENIED: it proves nothing; else it could not be verified */
	json_t *claims;	    /* RC_OK: owned */
};

void proof_done(struct proof *p);

/* Is it of this call: the same orig and dest?  Its fault, or RC_DENIED attest_not_allowed. */
enum rc proof_judge(
    const struct proof *p, const struct passport *call, struct fault *f) MUST_CHECK;

#endif
