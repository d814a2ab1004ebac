/*
 * Octets that the front asked for, handed over to it: in parts of which each
 * fits one datagram, one after the other; or why there are none.  What the
 * front refuses goes no further: it knows when to ask for it again.
 *
 * One thread.
 */
#ifndef AGENT_RENEWER_UPLOAD_H
#define AGENT_RENEWER_UPLOAD_H

#include "agent/renewer/io.h"

enum { UPLOAD_PART = 65536 /* octets of one message */ };

/* One at a time.  The first four are set by whoever has it, and borrowed. */
struct upload {
	const struct io *io;
	const char *refused;	 /* the event that is logged where the front does not take it */
	void (*done)(void *arg); /* once for each that is begun, perhaps from inside the call */
	void *arg;
	bool stopped;
	json_t *head;
	struct buf body;
	size_t told; /* of body */
};

/*
 * body is copied.  head is what each message has besides total, offset, data
 * and problem: op, what it is about, and what is told of it.  It is taken over;
 * NULL is a lack of memory.
 */
void upload_body(struct upload *u, json_t *head, struct span body);
void upload_problem(struct upload *u, json_t *head, const char *problem);

/* Answers that still come end what is under way, without a word. */
void upload_stop(struct upload *u);

void upload_free(struct upload *u); /* what it holds; nothing may be under way */

#endif
