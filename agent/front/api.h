/*
 * The routes: which request is whose.  One table of method, path and handler,
 * each with the doors it is behind: the callers' sockets, the administration
 * socket, or both.
 */
#ifndef AGENT_FRONT_API_H
#define AGENT_FRONT_API_H

#include "agent/front/front.h"

struct api_call {
	struct front *front;
	struct conn *conn;
	const struct http1_request *http;
	char request_id[SIGN_REQUEST_ID_MAX + 1];
	struct span part[2]; /* what the path's wildcards stand for */
	enum hand hand;	     /* of the route */
};

enum api_match {
	API_EXACT,  /* the whole path */
	API_SUFFIX, /* its end: any prefix goes before it */
	API_ONE,    /* path, one name, tail */
	API_TWO,    /* path, a name "/" a name, tail */
};

enum api_door { API_CALLERS = 1, API_ADMIN = 2, API_BOTH = API_CALLERS | API_ADMIN };

struct api_route {
	enum api_door door;
	enum http1_method method;
	enum api_match match;
	const char *path, *tail;
	void (*handle)(struct api_call *call);
	enum hand hand; /* what admin_hand() does; HAND__COUNT: of another handler */
};

/* For struct conn_host; arg is the front. */
void api_request(void *arg, struct conn *c, const struct http1_request *r);
void api_malformed(
    void *arg, struct conn *c, const struct http1_request *r, const struct fault *f);

/* Answers of handlers. */
void api_json(struct api_call *call, int status, struct buf *body);
void api_problem(struct api_call *call, const struct fault *f);

/* A JSON body: content type, size and syntax.  *out is a new reference to an object. */
enum rc api_body(struct api_call *call, json_t **out, struct fault *f) MUST_CHECK;

/* The member "delegate": a delegate's PASSporT of the call, borrowed from value. */
enum rc api_take_delegate(
    const json_t *value, struct sign_request *r, struct fault *f) MUST_CHECK;

/* The caller's X-RequestID when it is 1 to 64 of A-Z a-z 0-9 "-", else 32 random hex digits. */
void api_request_id(struct span asked, char out[SIGN_REQUEST_ID_MAX + 1]);

/* Up to 18 decimal digits and nothing else. */
bool api_number(struct span text, uint64_t *out);

/* api_native.c, api_calls.c, api_atis.c */
void api_passports(struct api_call *call);
void api_calls(struct api_call *call);
void api_signing(struct api_call *call);
bool api_is_signing(struct span path);
void api_signing_problem(struct api_call *call, const struct fault *f, const char *allow);

/* status.c */
void api_status(struct api_call *call);
void api_credentials(struct api_call *call);
void api_credential(struct api_call *call);
void api_live(struct api_call *call);
void api_ready(struct api_call *call);

#endif
