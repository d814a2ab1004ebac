/*
 * The decision on one signing request: which credential signs it, or why none
 * does.  It reads the snapshot, the caller and the clock that it is given and
 * changes nothing but the rate buckets.
 */
#ifndef AGENT_FRONT_DECIDE_H
#define AGENT_FRONT_DECIDE_H

#include "agent/front/caller.h"
#include "agent/front/policy.h"
#include "agent/front/proof.h"

enum {
	DECIDE_MAX_CANDIDATES = 256,
	DECIDE_MAX_CLAIMS = 64,
	DECIDE_MAX_OTHERS = CONFIG_MAX_COPIES - 1,
};

/* What a request has cost its tenant before it is decided: decide_wants_proof(). */
struct decide_charge {
	const struct config_tenant *tenant; /* NULL: none yet */
	struct fault why;		    /* its rate refused; RC_OK: it did not */
};

/* What is asked, whichever route it came by. */
struct sign_request {
	enum ppt ppt;
	const char *tenant, *credential; /* NULL: chosen by the number */
	const json_t *claims;
	const json_t *original; /* array of 1 to ORIGINAL_MAX strings; NULL: none */
	const json_t *context;	/* recorded, not signed; NULL: none */
	/*
	 * What a shaken PASSporT may attest by where it is not among before: a
	 * delegate's PASSporT or Identity value that the caller has from elsewhere.
	 */
	struct span delegate_passport;	    /* empty: none */
	const struct proof *proof;	    /* what it shows; NULL: it was not verified */
	const struct decide_charge *charge; /* NULL: nothing yet */
	bool needs_identity; /* the answer is an Identity value and nothing else */
	bool dry_run;
	const char *request_id;
	/* What was decided before for the same call, refusals too; see decide_delegate(). */
	const struct decision *before;
	size_t befores;
};

struct decide_world {
	const struct credset *set;
	struct policy *policy;
	const struct caller *caller;
	const struct caller_view *view; /* of this caller in this set */
	/* Can a signature by this key be had now? */
	bool (*key_ready)(void *arg, unsigned token, const uint8_t key_id[KEY_ID_LEN]);
	/* How long one would take at this token: where several will do.  NULL: all alike. */
	uint64_t (*load_us)(void *arg, unsigned token);
	unsigned turn; /* which of several alike is first: another one for each request */
	void *arg;
	int64_t now_s;	/* Unix time */
	int64_t now_ms; /* monotonic, for the rates */
};

/* A local rule of the tenant that would have refused, were it not only observed. */
struct observation {
	enum observe_rule rule;
	struct fault why;
};

struct decision {
	/* Set as far as it came, also when it was refused: */
	const struct credset *set;	    /* what it was judged by, borrowed */
	const struct config_tenant *tenant; /* NULL: not known */
	/* It was refused, nobody named a tenant, and this one had the last candidate. */
	bool presumed;
	struct attest_verdict attest; /* all 0: not judged */
	size_t rests_on; /* the attestation: on this one of r->before, from 1; 0: on none */
	struct observation observed[OBSERVE__COUNT];
	size_t observeds;
	bool prepared;		     /* passport is set */
	struct passport passport;    /* decide_done() */
	struct originals *originals; /* owned; NULL: the ppt answers none */
	size_t originals_verified;   /* whose signature was verified: set by the caller */
	/* Set when it was allowed: */
	const struct config_credential *config;
	struct credential *credential; /* borrowed from the set */
	bool listed;		       /* the tenant's configuration names the number (D-60) */
	/*
	 * The same credential in other tokens, the one that is to be tried first
	 * before the others: each was judged for these very claims.
	 */
	struct decide_other {
		const struct config_credential *config;
		struct credential *credential;
	} other[DECIDE_MAX_OTHERS];
	size_t others;
};

/*
 * In this order, each with its reasons.  What a div, div-o or rsp answers is
 * read and compared with the syntax of the claims (original_mismatch).  That
 * it verifies is not judged here, for it is dear: where originals is set, it
 * is left to the verifier (original_invalid), and nothing is signed before.
 *
 * Callers without any tenant do not come here from the socket: api.c refuses
 * them (rate_limited, caller_not_allowed) before their bodies are read.
 *
 * clock        clock_not_credible
 * syntax       missing_original missing_claim invalid_claim invalid_tn stale_iat
 * caller       caller_not_allowed tenant_disabled rate_limited
 * reserve      no_credential
 * class, ppt   no_credential
 * number       tn_not_authorized number_pending
 * destination  dest_not_allowed
 * originator   originator_not_listed
 * claims       unknown_claim
 * constraints  claim_excluded claim_missing_by_constraint value_not_permitted
 *              private_claim_in_clear commitment_not_provable claim_not_vetted
 * content      rcd_content_unknown
 * health       sct_policy credential_expired credential_unusable hsm_unavailable
 * priority     ambiguous_credential
 * policy       value_not_permitted (vper.id, D-63) attest_not_allowed
 *              rph_not_allowed
 *
 * The reason is that of the filter which removed the last candidate (D-59).
 *
 * A refusal costs what a signature does, so that nobody guesses for nothing:
 * where no tenant's rate was asked before, that of the last candidate's is
 * (out->tenant), or of the caller's user where none came into question, or
 * where nobody named that tenant and it has none that is enforced.  With none
 * left the reason is rate_limited, whatever else it would have been.
 */
enum rc decide(const struct decide_world *w, const struct sign_request *r, struct decision *out,
    struct fault *f) MUST_CHECK;
void decide_done(struct decision *d);

/*
 * Before the decision: does it depend on the delegate's PASSporT that came
 * with the request?  Then that is to be verified by *policy (what all tenants
 * in question ask), and r->proof set; without, the decision is RC_BUSY
 * overloaded.  What came of it counts in the decision: a fault of RC_DENIED is
 * a PASSporT that proves nothing, any other one refuses the request.
 *
 * Nothing is verified for who has no rate left: the request is counted here,
 * and *charge, set in any case, is for r->charge.
 */
bool decide_wants_proof(const struct decide_world *w, const struct sign_request *r,
    struct proof_policy *policy, struct decide_charge *charge);

/*
 * The holder of p's orig number has shown its right to use it in this very
 * call: the allowed decision of class delegate among r->before with the same
 * orig and dest, under certificates that are as *policy asks.  NULL: none, and
 * where only those are wrong, *why says it.  What a provider's attestation
 * policy may rest on.
 */
const struct decision *decide_delegate(const struct sign_request *r, const struct passport *p,
    const struct proof_policy *policy, struct fault *why);

#endif
