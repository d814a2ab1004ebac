/*
 * A load of requests over many kept-alive connections: an epoll client that
 * sends prepared requests, in turn and again, and measures the answers.
 */
#ifndef CLIENT_LOAD_H
#define CLIENT_LOAD_H

#include <sys/socket.h>

#include "stir/buf.h"

enum { LOAD_CONNECTIONS_MAX = 10000 };

struct load_plan {
	struct sockaddr_storage to;
	socklen_t to_len;
	const struct span *request; /* borrowed */
	size_t requests;	    /* 1 and more */
	unsigned connections;
	double seconds;
	double rate; /* requests a second over all connections; 0: as fast as answers come */
};

struct load_result {
	uint64_t answered, good, refused, failed; /* 2xx, 4xx, everything else and broken */
	double seconds;
	double p50_us, p90_us, p99_us, max_us;
	int last_status; /* of the last answer that was not good */
	char last_body[512];
};

/* A Unix socket's address; RC_NET connect for a path that is too long for one. */
enum rc load_to_path(struct load_plan *plan, const char *path, struct fault *f) MUST_CHECK;

/* 1 to LOAD_CONNECTIONS_MAX, else RC_INVALID usage. */
enum rc load_bounds(unsigned connections, struct fault *f) MUST_CHECK;

/* RC_NET when no connection could be made, RC_INVALID for the plan. */
enum rc load_run(
    const struct load_plan *plan, struct load_result *out, struct fault *f) MUST_CHECK;

#endif
