/*
 * A strict reader of HTTP/1.1 requests (RFC 9112) and a writer of answers.
 *
 * Pure: bytes in, one request out, nothing kept.  Everything that two parsers
 * could understand differently is refused: bodies have a Content-Length, lines
 * end in CRLF, fields that are interpreted appear once.
 */
#ifndef AGENT_FRONT_HTTP1_H
#define AGENT_FRONT_HTTP1_H

#include "stir/buf.h"

enum {
	HTTP1_LINE_MAX = 1024, /* request line, without CRLF */
	HTTP1_HEAD_MAX = 8192, /* all header lines with their CRLF */
	HTTP1_FIELDS_MAX = 32, /* header lines */
	HTTP1_BODY_MAX = 65536,
	HTTP1_REQUEST_MAX = HTTP1_LINE_MAX + 2 + HTTP1_HEAD_MAX + 2 + HTTP1_BODY_MAX,
};

enum http1_method { HTTP1_GET, HTTP1_POST, HTTP1_OTHER };

/* One request; the spans borrow from the input.  A missing field is an empty span with ptr NULL. */
struct http1_request {
	enum http1_method method;
	struct span method_text;
	struct span path;  /* of the target, up to "?" */
	struct span query; /* behind "?" */
	struct span host, content_type, accept, request_id;
	struct span body;
	bool has_length;
	bool close;	 /* the caller asked for it */
	bool expect;	 /* waits for 100 Continue before the body */
	size_t head_len; /* bytes of request line and header, with the empty line */
	size_t total;	 /* head_len and the body */
};

enum http1_state {
	HTTP1_NEED_HEAD, /* more bytes are needed for the header */
	HTTP1_NEED_BODY, /* the header is complete: *out is set but for body; total says how much */
	HTTP1_COMPLETE, /* *out is set, total bytes belong to it */
};

/*
 * Read the request that begins at the first byte of in.
 *
 * RC_INVALID malformed_http, length_required, too_large: answer and close,
 * since where the next request begins is not known.  Even then method, path
 * and query are set when the request line was read.
 */
enum rc http1_read(struct span in, struct http1_request *out, enum http1_state *state,
    struct fault *f) MUST_CHECK;

/* The phrase of a status this server answers: "Forbidden". */
const char *http1_phrase(int status);

struct http1_answer {
	int status;
	const char *content_type; /* NULL: no body */
	struct span body;
	const char *request_id; /* X-RequestID; NULL: none */
	const char *allow;	/* Allow; NULL: none */
	unsigned retry_after_s; /* Retry-After; 0: none */
	bool close;
};
void http1_head(struct buf *out, const struct http1_answer *a);	 /* all before the body */
void http1_write(struct buf *out, const struct http1_answer *a); /* with the body */

/*
 * Does the Accept field value allow this media type ("application/json")?
 * An absent field and wildcards allow everything; q=0 forbids.
 */
bool http1_accepts(struct span accept, const char *type);

/*
 * Is the Content-Type this media type, in UTF-8?  A charset is absent or utf-8
 * (JSON that is exchanged is nothing else: RFC 8259 section 8.1), and stands
 * once; other parameters mean nothing and are passed over.
 */
bool http1_is_type(struct span content_type, const char *type);

#endif
