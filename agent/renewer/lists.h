/*
 * TNAuthLists by reference (RFC 8226 section 10.1): asks the front which are
 * due, fetches one after the other and hands its octets over in parts.  What
 * they mean, and when to fetch again, is the front's business.
 *
 * One thread; the clock is io's.
 */
#ifndef AGENT_RENEWER_LISTS_H
#define AGENT_RENEWER_LISTS_H

#include "agent/config.h"
#include "agent/renewer/io.h"

enum {
	LISTS_ASK_MS = 5000, /* between two looks at what is due */
	LISTS_MAX = 16,	     /* of one answer */
};

struct lists;

/* io is borrowed. */
enum rc lists_new(const struct io *io, struct lists **out, struct fault *f) MUST_CHECK;
void lists_free(struct lists *l); /* nothing may be under way */
DEFINE_FREEP(lists);

/* Which CAs the servers' certificates come from: read, not kept. */
enum rc lists_adopt(struct lists *l, const struct config *c, struct fault *f) MUST_CHECK;

/* Answers that still come change nothing. */
void lists_stop(struct lists *l);

/* Do what is due.  Returns the milliseconds until the next call is due. */
int lists_run(struct lists *l);

#endif
