/*
 * Revocation, as an operator asks for it on the administration socket: the
 * certificate is out of force at once and stays so over restarts, nothing is
 * ordered in its place before an operator says so, and its CA is asked
 * (RFC 8555 section 7.6) until it has answered.
 *
 * The renewer only carries what is built here: it can make nobody revoke
 * anything, and a wrong word of it about the answer changes nothing but what
 * is shown.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_REVOKE_H
#define AGENT_FRONT_REVOKE_H

#include "agent/front/works.h"

enum {
	REVOKE_RETRY_S = 1,
	REVOKE_RECORD_S = 60, /* what no disk took is tried again */
	REVOKE_SWEEP_S = 3600,
	REVOKE_KEPT_S = 86400,
};

/* Read what is on disk: after the first load. */
enum rc revoke_load(struct works *w, struct fault *f) MUST_CHECK;

struct revoke_ask {
	const char *serial; /* hex; NULL: the one in force, or the last that was */
	const char *id;	    /* revocation_id() of it: two CAs may give one serial; NULL: any */
	unsigned reason;
	bool by_key;
	bool by_agent; /* no operator asked: what comes in its place is ordered by itself */
	const char *listed; /* how its CA has said so (crl_ops.h): nobody is told; else NULL */
};

/*
 * Recorded, then out of force.  *out is borrowed until the next call.  Asked
 * again: how and why are as it is asked now, unless the CA has done it.
 * RC_NOT_FOUND no_certificate; what put it on record and could not put it out
 * of force yet fails with the reason of that, and is tried again by itself.
 * RC_IO, and all of it is done but one thing: a request that is outstanding
 * with the same key could not be dropped; asked again, that is tried again.
 * RC_IO series_not_recorded, and nothing is done: the end of its series goes first.
 *
 * listed: out of force first, and on record when the disk takes it, without a
 * failure where it does not: there is nobody who could ask again.
 */
enum rc revoke_cert(struct works *w, struct credset_place at, const struct revoke_ask *ask,
    int64_t now_s, const struct revocation **out, struct fault *f) MUST_CHECK;

/* RC_DENIED revoked: nothing may be ordered for it. */
enum rc revoke_check(
    const struct works *w, struct credset_place at, struct fault *f) MUST_CHECK;

/* An operator wants a new certificate in the place of the revoked one. */
enum rc revoke_release(struct works *w, struct credset_place at, struct fault *f) MUST_CHECK;

/* The next from *at on that this CA is to be asked about; NULL: no more. */
const struct revocation *revoke_outstanding(const struct works *w, const char *ca, size_t *at);
const struct revocation *revoke_find(const struct works *w, const char *id); /* or NULL */

/* What the renewer says of it.  final: there is no need to ask again; reason NULL: it is done. */
enum rc revoke_answered(struct works *w, const char *id, bool final, const char *reason,
    const char *detail, int64_t now_s, struct fault *f) MUST_CHECK;

/* Is this the key that is to sign one which is outstanding? */
bool revoke_needs_key(const struct works *w, const uint8_t key_id[KEY_ID_LEN]);

/* How many wait for their CA. */
size_t revoke_waiting(const struct works *w);

/* The credentials of w->set say what is outstanding. */
void revoke_tell(const struct works *w);

/* What is due: put out of force what was not yet, forget what is over.  Returns when again. */
int64_t revoke_due(struct works *w, int64_t now_s);

#endif
