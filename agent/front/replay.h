/*
 * Past requests judged by a present set: what would be refused now, what would
 * be allowed, and by which rule.  A request is a line of the audit trail, or
 * the body of POST /v1/passports as a line.
 *
 * Nothing is signed and no token is asked; the keys count as ready.  A request
 * is judged as of now: its iat was judged when it came.  The rates run on the
 * times of the records.  Pure but for the lookup of a user's groups; one
 * thread.
 */
#ifndef AGENT_FRONT_REPLAY_H
#define AGENT_FRONT_REPLAY_H

#include "agent/front/decide.h"

enum { REPLAY_LINE_MAX = 131072, REPLAY_CALL_MAX = 16 };

struct replay_options {
	int64_t now_s;
	uid_t uid;    /* whose requests those are that do not say */
	bool enforce; /* what tenants only observe is judged as if it were enforced */
};

/* What is said of one line. */
struct replay_verdict {
	enum {
		REPLAY_SKIPPED,	 /* no request */
		REPLAY_UNJUDGED, /* a request that lacks what it is judged by: fault says what */
		REPLAY_ALLOWED,
		REPLAY_REFUSED,
	} now;
	enum { REPLAY_UNKNOWN, REPLAY_WAS_ALLOWED, REPLAY_WAS_REFUSED } was;
	int64_t seq;	     /* of the record; 0: none */
	char request_id[72]; /* or "" */
	char tenant[72];     /* as it is judged now, else as it was, or "" */
	char reason[40];     /* as it was refused then, or "" */
	struct fault fault;
	struct observation observed[OBSERVE__COUNT];
	size_t observeds;
};

struct replay;

/* Takes a reference of set. */
enum rc replay_new(const struct credset *set, const struct replay_options *o,
    struct replay **out, struct fault *f) MUST_CHECK;
void replay_free(struct replay *r); /* NULL is fine */
DEFINE_FREEP(replay);

/* RC_INVALID replay_line for what is neither; RC_NO_MEMORY. */
enum rc replay_judge(
    struct replay *r, struct span line, struct replay_verdict *out, struct fault *f) MUST_CHECK;

#endif
