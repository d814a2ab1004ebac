/*
 * The outstanding certificate request of a credential: pending.csr, and its
 * key in the token.  There is at most one; the same octets get the same
 * request again.
 */
#ifndef AGENT_FRONT_PENDING_H
#define AGENT_FRONT_PENDING_H

#include "agent/front/works.h"
#include "stir/csr.h"

enum { PENDING_MAX = 131072 };

struct pending {
	struct buf der;
	struct csr_facts facts;
};

/* RC_NOT_FOUND no_pending_csr. */
enum rc pending_read(const struct config *c, const char *tenant, const char *name,
    struct pending *out, struct fault *f) MUST_CHECK;
void pending_done(struct pending *p);
#define AUTO_PENDING __attribute__((cleanup(pending_done))) struct pending

/* When it was made, Unix seconds; 0: there is none. */
int64_t pending_since_s(const struct config *c, const char *tenant, const char *name);

/* RC_OK also where there is none; its key stays, for retire.h.  RC_IO. */
enum rc pending_remove(
    const struct config *c, const char *tenant, const char *name, struct fault *f) MUST_CHECK;

/*
 * The request for these octets: the outstanding one, or a new one, whereupon
 * the key of another outstanding one is retired.  Its key is new, or the one
 * in force as long as rekey lets that serve and the token has it.  A key whose
 * request cannot be written is destroyed.  RC_BUSY overloaded: too many keys
 * were made that never came into force (allow.h).
 */
enum rc pending_make(struct works *w, struct credset_place at, struct span tnauth_der,
    struct span constraints_der, int64_t now_s, struct pending *out,
    struct fault *f) MUST_CHECK;

/*
 * Does the token have the key?  Proven by signing the same request once more:
 * a credential's key signs requests and PASSporTs, and nothing for a test.
 * RC_NOT_FOUND no_key; RC_DENIED signature: it signed with another key;
 * key_not_proven.
 */
enum rc pending_prove(struct works *w, struct credset_place at, const struct pending *p,
    struct fault *f) MUST_CHECK;

#endif
