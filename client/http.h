/*
 * The client's half of HTTP/1.1 over a Unix socket: requests to bytes, bytes
 * to answers.  Content-Length only, as vesperd speaks it; anything else is an
 * answer that was not understood.
 *
 * Pure: no descriptor, no clock.
 */
#ifndef CLIENT_HTTP_H
#define CLIENT_HTTP_H

#include "stir/buf.h"

enum {
	HTTP_HEADER_MAX = 16384,
	HTTP_BODY_MAX = 64 * 1024 * 1024, /* the status of many tenants */
	HTTP_FIELDS_MAX = 64,
};

/* Append a request.  body.len 0: no body, and its length is said unless the method is GET. */
void http_request(struct buf *out, const char *method, const char *target, struct span body);

struct http_answer {
	int status;	   /* 200 … 599 */
	size_t len;	   /* of the whole answer in the input */
	struct span body;  /* borrows from the input */
	bool close;	   /* the peer ends the connection after it */
	int retry_after_s; /* 0: none given */
};

/*
 * Take the answer at the start of in.  *complete is false, and nothing else is
 * written, while bytes are missing.  RC_NET "http" when it is not an answer.
 */
enum rc http_answer(
    struct span in, struct http_answer *out, bool *complete, struct fault *f) MUST_CHECK;

#endif
