/*
 * One connection: bytes to requests, answers to bytes.  One request is in
 * flight; what a caller pipelines behind it waits in the buffer.
 *
 * In one turn of the loop a connection has one request handled, and a user at
 * most CONN_TURN_REQUESTS on all its connections, none of them begun after
 * CONN_TURN_US of work.  Connections with more wait in a line for the next
 * turns: whoever floods waits for itself, and nobody else for all of it.
 *
 * Loop thread only.  A connection that ends stays in memory to the end of the
 * loop's turn (conn_turn()).
 */
#ifndef AGENT_FRONT_CONN_H
#define AGENT_FRONT_CONN_H

#include "agent/front/caller.h"
#include "agent/front/http1.h"
#include "agent/front/loop.h"

enum {
	CONN_HEAD_MS = 5000,   /* from the first byte of a request to its last */
	CONN_IDLE_MS = 65000,  /* between requests */
	CONN_WRITE_MS = 10000, /* for a caller that does not read its answer */
	CONN_PIPELINE = 16384, /* bytes that may wait behind a request */
	CONN_ANSWER_MAX = 64 * 1024 * 1024,
	CONN_USER_BUCKETS = 256,
	CONN_TURN_REQUESTS = 16, /* of one user in one turn of the loop */
	CONN_TURN_US = 500,	 /* of work for one user, after which it begins no more */
};

struct conn;

/* What one user holds and has had; without connections it is not there. */
struct conn_user {
	uid_t uid;
	bool admin;  /* by the administration socket: that is another user */
	size_t open; /* connections */
	size_t held; /* those, and the ended ones that are not buried yet */
	uint64_t turn;
	unsigned requests; /* in that turn, as the next */
	int64_t spent_us;
	struct conn_user *next;
};

struct conn_host {
	struct loop *loop;
	/* A whole request: to be answered by conn_answer(), now or later.  The spans of r last
	 * until this returns. */
	void (*request)(void *arg, struct conn *c, const struct http1_request *r);
	/* No request could be read: to be answered now; the connection ends.  r has the path
	 * where it was seen. */
	void (*malformed)(
	    void *arg, struct conn *c, const struct http1_request *r, const struct fault *f);
	void *arg;
	/* conn.c's own: */
	size_t open, busy;
	uint64_t turn;
	struct conn *first, *dead;
	struct conn *line, *line_end; /* with bytes to be looked at */
	struct conn *cursor;	      /* in the line, the next to be served */
	struct conn_user *user[CONN_USER_BUCKETS];
	bool closing;
	uint8_t scratch[65536];
	struct buf head; /* of the answer that is being sent */
};

struct conn {
	struct caller caller;
	struct caller_view view;
	bool admin; /* came through the administration socket */
	/* conn.c's own: */
	struct conn_host *host;
	struct conn_user *user;
	struct loop_io io;
	struct loop_timer timer;
	struct buf in, out;
	size_t at;	 /* bytes of in that are handled */
	size_t need;	 /* do not look before so many bytes are there */
	uint64_t turn;	 /* of its last request */
	int64_t left_ms; /* of the timer, which stands still in the line */
	bool busy, eof, close, gone;
	bool in_line, unread; /* unread: there is more in the socket than it may have now */
	void (*lost)(void *arg);
	void *lost_arg;
	struct conn *next, *prev, *next_in_line, *prev_in_line;
};

/* Takes fd and caller over, also on failure. */
enum rc conn_open(
    struct conn_host *h, int fd, struct caller *caller, bool admin, struct fault *f) MUST_CHECK;

/* How many connections of this user are open; those of administration do not count. */
size_t conn_open_of(const struct conn_host *h, uid_t uid);

/* Answer the request in flight. */
void conn_answer(struct conn *c, const struct http1_answer *a);

/* Tell who will answer later when the caller goes away before; NULL: nobody. */
void conn_on_lost(struct conn *c, void (*lost)(void *arg), void *arg);

/* At the end of every loop turn. */
void conn_turn(struct conn_host *h);

/* Drain: idle connections end now, the others with their answer. */
void conn_close_idle(struct conn_host *h);
void conn_close_all(struct conn_host *h);

#endif
