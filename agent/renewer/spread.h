/*
 * Certificates of one CA that began together would all be renewed together:
 * each is given a moment of its own.  How it is reckoned is schedule.c's.
 *
 * One thread.
 */
#ifndef AGENT_RENEWER_SPREAD_H
#define AGENT_RENEWER_SPREAD_H

#include <stdint.h>

struct renew;

/* Anew for all credentials; r->spread_wake_ms says when that may be done again. */
void spread_run(struct renew *r, int64_t now_ms);

#endif
