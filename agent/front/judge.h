/*
 * Activation: a chain in PEM to a credential that may serve, or the reason
 * why not.  The same judgement for what comes from a CA and from disk.
 */
#ifndef AGENT_FRONT_JUDGE_H
#define AGENT_FRONT_JUDGE_H

#include "agent/front/accounts.h"
#include "agent/front/credset.h"

enum { JUDGE_MAX_X5C = 8192 }; /* bytes of DER that are conveyed by value */

struct judge {
	const struct credset *set; /* configuration, anchors and logs; may be still empty */
	const struct accounts *accounts;
	struct credset_place at;
	unsigned token;	 /* index of the credential's token section */
	const char *dir; /* the name of the directory of its files; NULL: its own name */
	int64_t now_s;
	/*
	 * Must it be in its validity now?  At load not: an expired credential
	 * stays loaded and gate_decide() refuses; its path is then judged at
	 * the last moment at which it was valid.
	 */
	bool strict_time;
	/*
	 * Set to the URL of a TNAuthList by reference that is not at hand
	 * (RC_BUSY tnlist_missing); malloc'd.  NULL: nobody asks.
	 */
	char **wanted;
	/* CREDENTIAL_FINGERPRINT characters: the leaf, where it is revoked.  NULL: nobody asks. */
	char *revoked;
	/* What the CA's order names (x5u_from = order) and is not noted yet; NULL: what is. */
	const char *x5u;
	/* In the place of the one on disk, where the leaf has its URL; NULL: none. */
	struct tnlist *list;
};

/*
 * RC_OK: *out is READY, with one reference.  Else what chain.h, gate.h and
 * sct.h say, sct_policy, identity_too_large, account_key.
 */
enum rc judge_chain(const struct judge *j, struct span pem, struct credential **out,
    struct fault *f) MUST_CHECK;

/* Digest of all that the judgement depends on but the time; false without memory. */
bool judge_digest(const struct judge *j, struct span pem, uint8_t out[32]);

/* How many certificates are conveyed: all but a self-signed anchor (D-47). */
size_t judge_conveyed(const struct chain *c);

#endif
