/*
 * What the front wants fetched, whatever it is: asks which documents are due,
 * fetches one after the other and hands the octets over in parts.  What they
 * mean is the front's business.
 *
 * One thread; the clock is io's.
 */
#ifndef AGENT_RENEWER_DOCUMENTS_H
#define AGENT_RENEWER_DOCUMENTS_H

#include "agent/config.h"
#include "agent/renewer/io.h"

enum {
	DOCUMENTS_ASK_MS = 5000,  /* between two looks at what is due … */
	DOCUMENTS_NEXT_MS = 1000, /* … after one that found something */
	DOCUMENTS_MAX = 16,	  /* of one answer */
	DOCUMENTS_BODY_MAX = 8 * 1024 * 1024,
};

struct documents;

/* io is borrowed. */
enum rc documents_new(const struct io *io, struct documents **out, struct fault *f) MUST_CHECK;
void documents_free(struct documents *d); /* nothing may be under way */
DEFINE_FREEP(documents);

/* Whether there is anything to ask for, and which CAs the servers' certificates come from. */
enum rc documents_adopt(
    struct documents *d, const struct config *c, struct fault *f) MUST_CHECK;

/* Answers that still come change nothing. */
void documents_stop(struct documents *d);

/* Do what is due.  Returns the milliseconds until the next call is due. */
int documents_run(struct documents *d);

#endif
