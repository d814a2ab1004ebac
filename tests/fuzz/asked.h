/*
 * A request as the socket reads it, for whoever drives decide() without a
 * socket: the routes' own decoders, each in a file of its own, for both are
 * called decode().
 */
#ifndef TESTS_FUZZ_ASKED_H
#define TESTS_FUZZ_ASKED_H

#include "agent/front/sign.h"

struct asked {
	struct sign_request sign; /* borrows from the rest */
	json_t *root, *claims;	  /* owned */
	char request_id[SIGN_REQUEST_ID_MAX + 1];
};

static inline struct http1_request
asked_http(struct span query, struct span body)
{
	return (struct http1_request){ .method = HTTP1_POST,
		.content_type = span_str("application/json"),
		.query = query,
		.body = body };
}

/* POST /v1/passports, POST …/v1/signing.  Also after a refusal: asked_done(). */
enum rc asked_native(
    struct span query, struct span body, struct asked *out, struct fault *f) MUST_CHECK;
enum rc asked_atis(struct span body, struct asked *out, struct fault *f) MUST_CHECK;
void asked_done(struct asked *a);

struct asked_call {
	struct sign_request sign[SIGN_CALL_MAX]; /* borrow from the rest */
	size_t len;
	json_t *root, *merged; /* owned */
	char request_id[SIGN_REQUEST_ID_MAX + 1];
};

/* POST /v1/calls.  Also after a refusal: asked_call_done(). */
enum rc asked_calls(
    struct span query, struct span body, struct asked_call *out, struct fault *f) MUST_CHECK;
void asked_call_done(struct asked_call *a);

#endif
