/*
 * What was presented for domains and is to be taken away again, by the same
 * command (RFC 8555 section 8).  One that finds no place waits for one; whoever
 * presents the same again waits until it is away.  In memory only: what a crash
 * leaves is the operator's.
 *
 * One thread.
 */
#ifndef AGENT_RENEWER_CLEANUPS_H
#define AGENT_RENEWER_CLEANUPS_H

#include "agent/renewer/domain.h"
#include "agent/renewer/io.h"

enum {
	CLEANUPS_MAX = 1024,
	CLEANUPS_AT_ONCE = 4, /* of the places for commands */
};

struct cleanup {
	struct cleanup *next;
	struct cleanups *all;
	bool running;
	char ca[CONFIG_NAME_MAX + 1];
	struct buf task;
};

/* For what is going to be presented; errors are domain_task()'s. */
enum rc cleanup_new(const char *ca, const struct domain_proof *p, struct cleanup **out,
    struct fault *f) MUST_CHECK;
void cleanup_free(struct cleanup *c);
DEFINE_FREEP(cleanup);

struct cleanups;

/* io is borrowed. */
enum rc cleanups_new(const struct io *io, struct cleanups **out, struct fault *f) MUST_CHECK;
void cleanups_free(struct cleanups *all); /* nothing may be under way; NULL is fine */

/* Takes c over; it is begun at once where there is a place. */
void cleanups_add(struct cleanups *all, struct cleanup *c);

/* Is the same as what c takes away still to be taken away? */
bool cleanups_has(const struct cleanups *all, const struct cleanup *c);
bool cleanup_same(const struct cleanup *a, const struct cleanup *b);

/* Begins those that wait, the oldest first. */
void cleanups_run(struct cleanups *all);

#endif
