/*
 * HTTPS transfers over one curl multi handle: no thread per transfer, every
 * size and time bounded, no redirect followed, every peer checked against the
 * CA file of its own section.  http only where a request says to which
 * addresses: for what is signed itself.
 *
 * One thread: the renewer's loop.
 */
#ifndef AGENT_RENEWER_HTTPC_H
#define AGENT_RENEWER_HTTPC_H

#include <curl/curl.h>

#include "agent/renewer/io.h"

enum {
	HTTPC_MAX = 256, /* transfers at once */
	HTTPC_CONNECT_MS = 10000,
	HTTPC_TOTAL_MS = 30000,
	HTTPC_HOST_CONNECTIONS = 16,
	HTTPC_HEADERS_MAX = 65536, /* octets of headers, of all that is answered */
};

struct httpc;

/* RC_IO: libcurl cannot start; RC_NO_MEMORY. */
enum rc httpc_new(struct httpc **out, struct fault *f) MUST_CHECK;

/* Every transfer still open is answered with RC_CONFLICT "stopping". */
void httpc_free(struct httpc *h);
DEFINE_FREEP(httpc);

/*
 * struct io's http(); RC_BUSY when HTTPC_MAX are open, RC_DENIED url for one
 * that is not asked.  What is met later is the transfer's: RC_DENIED
 * http_address where none of a host's addresses is allowed.
 */
enum rc httpc_start(void *httpc, const struct http_request *r, io_http_done *done, void *arg,
    struct fault *f) MUST_CHECK;

/* Wait for the transfers, for the further descriptors or for the time, then let curl work. */
enum rc httpc_wait(struct httpc *h, struct curl_waitfd *more, unsigned n, int timeout_ms,
    struct fault *f) MUST_CHECK;

/*
 * Retry-After (RFC 9110 section 10.2.3): seconds or an HTTP date.  -1 when it
 * is neither; never more than a year; 0 for a date that has passed.
 */
int64_t httpc_retry_after(const char *value, int64_t now_s);

/* max-age of Cache-Control (RFC 9111 section 5.2.2.1): seconds, at most a year; -1 without. */
int64_t httpc_max_age(const char *value);

/* One header line into the answer; exported for the tests. */
void httpc_header(struct http_answer *a, const char *line, size_t len, int64_t now_s);
void httpc_answer_done(struct http_answer *a);

#endif
