/*
 * What the renewer's state machines need of the world: an HTTPS transfer, a
 * question to the front, and the time.  httpc.c and ask.c give the real ones,
 * tests a script.
 *
 * A "done" function is called exactly once for each call that returned RC_OK,
 * later and from the loop, never from inside the call.  All on one thread.
 */
#ifndef AGENT_RENEWER_IO_H
#define AGENT_RENEWER_IO_H

#include "agent/role.h"
#include "stir/buf.h"

#include <jansson.h>
#include <sys/socket.h>

enum {
	HTTP_BODY_MAX = 256 * 1024, /* of an answer */
	HTTP_NONCE_MAX = 256,
	HTTP_URL_MAX = 2048,
	HTTP_ALTERNATES = 4, /* Link rel="alternate" kept */
};

/* The media type of a chain (RFC 8555 section 9.1). */
#define HTTP_PEM_CHAIN "application/pem-certificate-chain"

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST };

/* May a connection go there? */
typedef bool http_address_fn(const struct sockaddr *at, socklen_t len);

/* Everything is borrowed for the length of the call. */
struct http_request {
	enum http_method method;
	const char *url; /* https only … */
	/*
	 * … unless this is here: http as well, and then only to addresses that it allows.
	 * Without a secret, a certificate of ours or a body.
	 */
	http_address_fn *plain_to;
	const char *tls_ca;	  /* PEM file; NULL: the system's */
	const char *accept;	  /* NULL: none sent */
	const char *content_type; /* POST */
	const char *bearer;	  /* secret of an Authorization header; NULL: none */
	const char *user;     /* with bearer: Basic authentication with it as the password */
	const char *tls_cert; /* PEM file: our certificate; NULL: none */
	struct span tls_key;  /* of tls_cert, PEM; kept by the transfer until its end */
	size_t body_max;      /* of the answer; 0: HTTP_BODY_MAX */
	struct span body;
};

struct http_answer {
	long status;
	char nonce[HTTP_NONCE_MAX + 1]; /* Replay-Nonce, "" without */
	int64_t retry_after_s;		/* -1 without */
	int64_t max_age_s; /* Cache-Control; 0 for no-store and no-cache, -1 without */
	char *location;	   /* absolute https URL, NULL without */
	char *alternate[HTTP_ALTERNATES];
	size_t alternates;
	char content_type[64]; /* without parameters, lower case */
	struct buf body;
};

/* answer is NULL unless rc is RC_OK; it and f are borrowed.  Any status is RC_OK. */
typedef void io_http_done(
    void *arg, enum rc rc, const struct http_answer *answer, const struct fault *f);

/* RC_OK with the answer, or the front's refusal (RC_DENIED, or what problem_of_refusal() says). */
typedef void io_ask_done(void *arg, enum rc rc, const json_t *answer, const struct fault *f);

/*
 * What a command wrote to its standard output, borrowed, with RC_OK.  RC_NET:
 * it could not be run, or did not end well, and may another time; RC_TIMEOUT;
 * RC_DENIED: it said that it is no use to ask again; RC_BUSY: it was not run,
 * because there was no place for it in all the time that it may wait, or it was
 * not wanted any more.
 */
typedef void io_run_done(void *arg, enum rc rc, struct span output, const struct fault *f);

/* Before a command begins that has waited: is what it is for still there? */
typedef bool io_run_wanted(void *arg);

struct io {
	void *ctx;
	enum rc (*http)(void *ctx, const struct http_request *r, io_http_done *done, void *arg,
	    struct fault *f) MUST_CHECK;
	/* message is borrowed; "id" is added on the way. */
	enum rc (*ask)(void *ctx, const json_t *message, io_ask_done *done, void *arg,
	    struct fault *f) MUST_CHECK;
	/*
	 * The command of the section of that kind and name; input is copied.  RC_BUSY: too
	 * many wait.  One that is not wanted any more (NULL: it always is) is not run, and
	 * done() has RC_BUSY.
	 */
	enum rc (*run)(void *ctx, enum hook_kind kind, const char *name, struct span input,
	    io_run_wanted *wanted, io_run_done *done, void *arg, struct fault *f) MUST_CHECK;
	int64_t (*now_ms)(void *ctx); /* Unix time in milliseconds */
};

static inline int64_t
io_now_s(const struct io *io)
{
	return io->now_ms(io->ctx) / 1000;
}

#endif
