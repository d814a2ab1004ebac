/*
 * An agent on a Unix socket of its own that answers by a script: no HTTP
 * beyond finding where a request ends.  A thread serves; the test asks.
 */
#ifndef TESTS_UNIT_SCRIPTED_H
#define TESTS_UNIT_SCRIPTED_H

#include <pthread.h>
#include <stdbool.h>

struct scripted {
	char dir[64], path[96];
	int fd;
	pthread_t thread;
	const char *const *answers; /* one a request; NULL ends */
	bool close_each, piecewise, silent;
	char asked[65536]; /* the last request */
};

/* The script's members are set by the test; everything else is scripted_start()'s. */
void scripted_start(struct scripted *a);
void scripted_stop(struct scripted *a);

#define ANSWER(status, fields, len, body) \
	"HTTP/1.1 " status "\r\n" fields "Content-Length: " len "\r\n\r\n" body

#endif
