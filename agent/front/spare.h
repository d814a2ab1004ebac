/*
 * Keys made ahead of their use.  Each change of a big token costs every signer
 * of it the time to look at all of it again, so where many certificates are
 * renewed at once their keys are made together: the first two alone, then as
 * many as were asked for of late.  And the count of what is in the token, since
 * tokens are small.
 *
 * A spare key is a file STATE/front/spare/KEYID.json.  The file goes before
 * the key is used: what a crash leaves is a key that nothing names, never a
 * key for two credentials.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_SPARE_H
#define AGENT_FRONT_SPARE_H

#include "agent/front/works.h"

enum { SPARE_WINDOW_S = 60, SPARE_FEW = 3 };

/* What is on disk, once the first set is loaded. */
void spare_load(struct works *w);

/*
 * A key, spare or new.  RC_BUSY token_full, RC_HSM, RC_TIMEOUT, RC_BUSY of the
 * token; RC_IO when a spare one's file cannot be removed.
 */
enum rc spare_take(struct works *w, unsigned token, int64_t now_s, struct works_spare *out,
    struct fault *f) MUST_CHECK;

/* The token has lost one of them: the others are destroyed as well. */
void spare_drop(struct works *w, unsigned token);

/* Ask the token how many keys are in it; says so in the log where they get many. */
void spare_count(struct works *w, unsigned token);

#endif
