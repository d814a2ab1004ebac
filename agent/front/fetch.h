/*
 * "vesper token fetch": the renewer asks a credential's authority now, and what
 * comes is judged here and shown.  It is neither kept nor used, nothing is
 * ordered by it, and the token itself is shown to nobody.
 *
 * What the renewer says is taken once, for a fetch that an operator waits for,
 * and reaches nothing but the report.  Builder thread only.
 */
#ifndef AGENT_FRONT_FETCH_H
#define AGENT_FRONT_FETCH_H

#include "agent/front/ops.h"

enum { FETCH_TIMEOUT_S = 80, FETCH_TOKEN_MAX = 65536 };

struct fetch_ask {
	const char *tenant, *name;
	const char *kind; /* "numbers", "claims"; NULL: numbers */
	uint64_t job;	  /* one fetch each */
};

/*
 * The first call for a job begins it: *event is for the renewer.  RC_BUSY with
 * *again_s: it goes on.  Then result has "authority" and a report
 * (token_put_report()), or what stood in the way is the fault: RC_TIMEOUT
 * authority_timeout, RC_NET with the renewer's reason; RC_CONFLICT conflict
 * where nobody can be asked.
 */
enum rc fetch_run(struct works *w, const struct fetch_ask *ask, int64_t now_s, json_t **event,
    int64_t *again_s, json_t *result, struct fault *f) MUST_CHECK;

/* The renewer's answer.  RC_NOT_FOUND no_errand: nobody waits for it. */
enum rc fetched_op(struct op_call *call, json_t *answer, struct fault *f) MUST_CHECK;

/* Of works_done(). */
void fetch_done(struct works *w);

#endif
