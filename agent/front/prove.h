/*
 * Requests whose decision depends on a delegate's PASSporT that came with
 * them: it is verified by the verifier thread first, and decided afterwards.
 *
 * Loop thread only.  Nothing is decided, recorded or signed here; a caller
 * that goes away meanwhile has asked for nothing.
 */
#ifndef AGENT_FRONT_PROVE_H
#define AGENT_FRONT_PROVE_H

#include "agent/front/sign.h"

/*
 * What is done then: call is as it was asked, with what was proven in its
 * requests, and lasts until this returns.  c is NULL where the caller is gone.
 */
typedef void prove_fn(void *arg, struct conn *c, const struct sign_call *call);

/* Has any request such a PASSporT? */
bool prove_is_due(const struct sign_call *call);

/*
 * Verify what is wanted (decide_wants_proof(), in world), until the deadline
 * (monotonic) at most, and call then() exactly once, now or later, unless
 * prove_drop() comes before.  What call->keep and call->request_id hold must
 * outlive it, or be counted in keep.  RC_NO_MEMORY: then() is not called.
 */
enum rc prove(struct desk *d, struct conn *c, const struct decide_world *world,
    const struct sign_call *call, int64_t deadline_ms, prove_fn *then, void *arg,
    struct fault *f) MUST_CHECK;

/* Forget all that wait, when the verifier is gone already. */
void prove_drop(struct desk *d);

#endif
