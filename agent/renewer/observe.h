/*
 * Looks at the URLs of rcd_content: each is fetched now and then, and what was
 * found (its digests, a jCard's text, or the problem) is told to the front,
 * which signs only digests that it knows.  Keeps nothing on disk: a restart
 * looks again.
 *
 * One thread; the clock is io's.
 */
#ifndef AGENT_RENEWER_OBSERVE_H
#define AGENT_RENEWER_OBSERVE_H

#include "agent/config.h"
#include "agent/renewer/io.h"

enum {
	OBSERVE_UNDER_WAY = 4,
	OBSERVE_MAX = 4096,	/* URLs */
	OBSERVE_EVERY_S = 3600, /* after a look that found something */
	OBSERVE_AGAIN_S = 300,	/* after a problem */
	OBSERVE_TELL_S = 10,	/* after the front could not be told, or no transfer was free */
	OBSERVE_CARD_MAX = 65536,
	OBSERVE_TICK_MS = 60000,
};

struct observe;

/* io is borrowed. */
enum rc observe_new(const struct io *io, struct observe **out, struct fault *f) MUST_CHECK;
void observe_free(struct observe *o); /* nothing may be under way */
DEFINE_FREEP(observe);

/* The URLs of this configuration from now on; it is read, not kept. */
enum rc observe_adopt(struct observe *o, const struct config *c, struct fault *f) MUST_CHECK;

/* Answers that still come change nothing. */
void observe_stop(struct observe *o);

/* Do what is due.  Returns the milliseconds until the next call is due. */
int observe_run(struct observe *o);

#endif
