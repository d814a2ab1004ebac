/*
 * Revocation by a CA, as the lists say that its certificates name (RFC 5280
 * section 6.3): fetched through the renewer and never while something is
 * signed, judged here.  A certificate in force that is found on one is out of
 * force, on record like one that an operator has revoked, and another one is
 * ordered by itself; so is one whose CA is found.
 *
 * Builder thread.
 */
#ifndef AGENT_FRONT_CRL_OPS_H
#define AGENT_FRONT_CRL_OPS_H

#include "agent/front/documents.h"

enum {
	CRL_LOOK_S = 60,
	CRL_AGAIN_S = 60,      /* after a failure … */
	CRL_AGAIN_MAX_S = 600, /* … twice as long after each further one, up to this */
	CRL_LEAST_S = 5,       /* between two fetches, however soon the next one is due */
	CRL_PATIENCE_S = 120,  /* a list that is not here yet is no alarm before */
	CRL_HELD_S = 600,      /* one that an install waits for is fetched for so long */
	CRL_HITS_MAX = 64,     /* put out of force in one look */
	CRL_ASK_MAX = 4,       /* handed to the renewer at once */
};

/*
 * What is in force against what is known, and the alarms.  Returns when to look
 * again: at once where there is more to do and nothing failed.
 */
int64_t crl_look(struct works *w, int64_t now_s);

/*
 * May this chain, which was verified, be put in force?  RC_DENIED revoked: it or
 * a CA of it is on a list.  RC_BUSY crl_missing: with crl_unavailable = refuse
 * its status cannot be told yet; what it takes is fetched.
 */
enum rc crl_check(
    struct works *w, const struct chain *chain, int64_t now_s, struct fault *f) MUST_CHECK;

/* Put what is due into the answer to "documents". */
enum rc crl_ask(struct op_call *call, json_t *list, struct fault *f) MUST_CHECK;

#endif
