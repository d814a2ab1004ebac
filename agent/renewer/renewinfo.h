/*
 * Asking CAs for their renewal information (RFC 9773 section 4): a few
 * certificates at a time.  What an answer means is ari.c's.
 *
 * One thread.
 */
#ifndef AGENT_RENEWER_RENEWINFO_H
#define AGENT_RENEWER_RENEWINFO_H

#include <stdint.h>

struct renew;

/* Asks where that is due; *wake_ms: no later than it is again. */
void renewinfo_run(struct renew *r, int64_t now_ms, int64_t *wake_ms);

#endif
