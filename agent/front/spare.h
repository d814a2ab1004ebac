/*
 * Keys made ahead of their use.  Each change of a big token costs every signer
 * of it the time to look at all of it again, so where many certificates are
 * renewed at once their keys are made together: the first two alone, then as
 * many as were asked for of late.  And the count of what is in the token, since
 * tokens are small.
 *
 * A spare key is a file STATE/front/spare/KEYID.json.  The file goes before
 * the key is used, so that it is never one for two credentials; before that the
 * key is noted as retiring, so that what a crash leaves has an end.
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
 * A key for the credential at this place, spare or new, that is noted as retiring:
 * retire_forget() it when a file names it.  RC_BUSY token_full, RC_HSM, RC_TIMEOUT,
 * RC_BUSY of the token; RC_IO of the disk.
 */
enum rc spare_take(struct works *w, unsigned token, struct credset_place at, int64_t now_s,
    struct works_spare *out, struct fault *f) MUST_CHECK;

/* In any of the tokens. */
bool spare_has(const struct works *w, const uint8_t key_id[KEY_ID_LEN]);

/* The token has lost one of them: the others are destroyed as well. */
void spare_drop(struct works *w, unsigned token);

/* Ask the token how many keys are in it; says so in the log where they get many. */
void spare_count(struct works *w, unsigned token);

#endif
