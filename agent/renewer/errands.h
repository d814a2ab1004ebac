/*
 * What an operator asked of a CA, carried there: the front has the list, and
 * signs each for what was asked and nothing else.  Asked again on the ladder
 * until the CA has answered; the front is told what it answered.  Nothing is
 * kept here: the front's list is what survives.
 *
 * One thread; the clock is io's.
 */
#ifndef AGENT_RENEWER_ERRANDS_H
#define AGENT_RENEWER_ERRANDS_H

#include "stir/fault.h"

#include <stdint.h>

enum {
	ERRANDS_MAX = 256,
	ERRANDS_OF_CA = 4, /* at one CA at once, beside its lane */
	ERRANDS_ID_MAX = 80,
	ERRANDS_ASK_MS = 60000,	 /* the list, where no event came */
	ERRANDS_AGAIN_MS = 1000, /* the front could not be told */
};

struct renew;
struct errands;

/* r is borrowed. */
enum rc errands_new(struct renew *r, struct errands **out, struct fault *f) MUST_CHECK;
void errands_free(struct errands *e); /* nothing may be under way; NULL is fine */

/* There is something new. */
void errands_ask(struct errands *e);

/* Do what is due; *wake_ms is made sooner. */
void errands_run(struct errands *e, int64_t now_ms, int64_t *wake_ms);

#endif
