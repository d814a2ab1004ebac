/*
 * Files of revocation lists that nobody names any more: each stays until its
 * time is over, so that no older one takes its place when it is named again,
 * and no more of them than fit.
 *
 * Builder thread.
 */
#ifndef AGENT_FRONT_CRLS_SWEEP_H
#define AGENT_FRONT_CRLS_SWEEP_H

#include "agent/front/crls.h"

enum {
	CRLS_SWEEP_S = 86400, /* between two sweeps */
	CRLS_OVER_S = 86400,  /* a file stays for so long behind its nextUpdate */
	CRLS_SWEEP_MAX = 256, /* files removed at once */
};

/*
 * Remove what is in STATE/front/crls, is not in the table and is over, is no
 * list, or is beyond the CRLS_LEFT_MAX that were written last.  What cannot be
 * read or removed is logged, and stays.  False: there is more to do.
 */
bool crls_sweep(const struct crls *t, const struct config *c, int64_t now_s);

#endif
