/*
 * The listening sockets that the supervisor opened: accept, ask the kernel
 * who it is, hand over to conn.h.  Above the connection limit a connection is
 * accepted and closed at once, so that its caller does not hang.  A user who
 * holds as many as one user may is told so first.
 */
#ifndef AGENT_FRONT_LISTENER_H
#define AGENT_FRONT_LISTENER_H

#include "agent/front/conn.h"

struct listener {
	struct conn_host *host;
	struct loop_io io;
	struct loop_timer pause;
	struct caller_door door;
	bool admin;
	size_t *max_open;
	size_t *max_user;	  /* of them, for one user */
	uint64_t refused, failed; /* callers the kernel could not name, and over a limit */
};

/* fd must listen already; the listener does not own it. */
enum rc listener_open(struct listener *l, int fd, struct fault *f) MUST_CHECK;
void listener_close(struct listener *l);

#endif
