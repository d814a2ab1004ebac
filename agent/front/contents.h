/*
 * What was seen at the URLs of rcd_content (D-41): digests, the jCard where
 * it is one, and when.  The renewer fetches; nothing is fetched while signing.
 *
 * A table belongs to a set and never changes once the set is published; the
 * time and the problem of an entry do, so they have functions.  Entries are
 * shared between tables.
 */
#ifndef AGENT_FRONT_CONTENTS_H
#define AGENT_FRONT_CONTENTS_H

#include "agent/config.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
	CONTENTS_MAX = 4096, /* URLs of all tenants together */
	CONTENT_PROBLEM_MAX = 160,
};

struct content {
	atomic_uint refs;
	char *uri;
	int64_t seen_at_s;		       /* these digests, for the first time; 0: never */
	struct rcd_digest digest[RCD__HASHES]; /* with seen_at_s */
	json_t *card;			       /* NULL: no jCard */
	_Atomic int64_t checked_at_s;	       /* the last look that found something; 0: none */
	pthread_mutex_t lock;
	char problem[CONTENT_PROBLEM_MAX]; /* of the last look; content_problem() */
};

struct contents;

/*
 * A table of every URL that the configuration has observed.  What old knows
 * is taken over, the rest read from STATE/front/contents; a file that cannot
 * be read is as if it were not there.  Without old (the start) files of other
 * URLs are removed.  RC_INVALID config for more than CONTENTS_MAX.
 */
enum rc contents_load(const struct config *c, const struct contents *old, struct contents **out,
    struct fault *f) MUST_CHECK;
struct contents *contents_ref(struct contents *t);
void contents_release(struct contents *t); /* NULL is fine */

static inline void
contents_releasep(struct contents **t)
{
	contents_release(*t);
}
#define AUTO_CONTENTS __attribute__((cleanup(contents_releasep))) struct contents

/* Borrowed; NULL: not configured. */
struct content *contents_find(const struct contents *t, const char *uri);

/* Any thread.  An empty text: none. */
void content_problem(struct content *c, char out[CONTENT_PROBLEM_MAX]);
void content_looked(struct content *c, int64_t checked_at_s, const char *problem);

/*
 * The same table with other digests for one URL that it has, on disk before
 * this returns.  card (taken over) may be NULL.
 */
enum rc contents_change(const struct contents *t, const struct config *c, const char *uri,
    const struct rcd_digest digest[RCD__HASHES], json_t *card, int64_t now_s,
    struct contents **out, struct fault *f) MUST_CHECK;

#endif
