/*
 * What happened lately, for whoever asks for it by number: the last
 * EVENTS_MAX, in memory alone.  The audit is what counts; this is for
 * programs that act on it.
 *
 * No clock of its own.  One thread.
 */
#ifndef AGENT_FRONT_EVENTS_H
#define AGENT_FRONT_EVENTS_H

#include "stir/buf.h"

enum {
	EVENTS_MAX = 1024, /* remembered */
	EVENTS_PAGE = 256, /* of one answer */
	EVENT_TEXT_MAX = 4096,
};

struct events;
/* RC_NO_MEMORY. */
enum rc events_new(struct events **out, struct fault *f) MUST_CHECK;
void events_free(struct events *e);

/*
 * The next number.  members: JSON text of what belongs to it, without braces
 * and without "id", "time" and "event"; empty: nothing.  One that is too large
 * is left out, its number and name are not.
 */
uint64_t events_add(struct events *e, const char *event, struct span members, int64_t now_s);

/*
 * {"events": [those after this number], "last": n, "more": bool, "lost": bool}
 * into out.  lost: some after it are forgotten, or the number is of before the
 * last start.
 */
void events_after(const struct events *e, uint64_t after, struct buf *out);

#endif
