/*
 * An operator wants to see what an authority answers now: asked for by the
 * front, which judges what came.  Nothing is kept, used or ordered by it.
 *
 * One thread; beside the authorities' lanes, FETCHES_MAX at once.
 */
#ifndef AGENT_RENEWER_FETCH_H
#define AGENT_RENEWER_FETCH_H

#include <jansson.h>

enum { FETCHES_MAX = 8 };

struct renew;

/*
 * {"event": "fetch", "fetch", "tenant", "name", "jwk_fingerprint",
 * "spki_fingerprint", "want", "evidence"}; want and evidence, which may be
 * null, are {"authority", "tktype", "value", "constraints"}.  The operation
 * "fetched" says what became of it.
 */
void fetch_event(struct renew *r, const json_t *event);

#endif
