/*
 * libvesper: ask the signing agent on this host for a PASSporT.
 *
 * The only installed header.  It compiles as C89 and as C++, shows no type of
 * another library, and hides its own behind pointers.
 *
 * A client is one connection; it belongs to one thread at a time.  Different
 * clients are independent of each other.  Nothing here prints, exits or
 * changes a signal's disposition.
 */
#ifndef CLIENT_VESPER_H
#define CLIENT_VESPER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VESPER_VERSION "0.1.0"

#define VESPER_DEFAULT_SOCKET "/run/vesper/vesper.sock"

/* The version that is loaded, in the form of VESPER_VERSION. */
const char *vesper_version(void);

/* What every function returns: 0, or one value for each way of going on. */
enum vesper_code {
	VESPER_OK = 0,
	VESPER_REFUSED = 1,	/* the agent refused: reason says why; asking again is no use */
	VESPER_UNAVAILABLE = 2, /* the agent cannot now: ask again after retry_after_s */
	VESPER_NOT_REACHABLE = 3, /* no agent on that socket */
	VESPER_TIMED_OUT = 4,	  /* no answer in time */
	VESPER_INVALID = 5,	  /* the arguments of the call */
	VESPER_PROTOCOL = 6,	  /* what answered does not speak as the agent does */
	VESPER_NO_MEMORY = 7,
	VESPER_NOT_FOUND = 8 /* no such thing, or not for this caller */
};

/* Filled when a function does not return VESPER_OK. */
struct vesper_error {
	int code;	     /* enum vesper_code */
	int http_status;     /* 0 where no answer came */
	int retry_after_s;   /* 0 where the agent named no time */
	char reason[40];     /* stable token: "tn_not_authorized" */
	char claim[48];	     /* the claim it is about, or "" */
	char detail[256];    /* one line for people */
	char request_id[64]; /* the agent's, or "" */
};

struct vesper_client;

/*
 * Connect.  path NULL: the environment's VESPER_SOCKET, else
 * VESPER_DEFAULT_SOCKET.  *out is closed by vesper_close().
 */
int vesper_open(const char *path, struct vesper_client **out, struct vesper_error *error);
void vesper_close(struct vesper_client *client); /* NULL is fine */

/* How long a call may take, connecting again included; 6000 ms unless set. */
void vesper_set_timeout_ms(struct vesper_client *client, unsigned timeout_ms);

/* ---- signing ---------------------------------------------------------------- */

/* Set size to sizeof(struct vesper_request), so that members can be added. */
struct vesper_request {
	size_t size;
	const char *tenant;	/* NULL: by the authorising number */
	const char *credential; /* NULL: likewise */
	const char *ppt;	/* NULL: the base PASSporT */
	const char *claims;	/* a JSON object: {"orig":{"tn":…},"dest":{"tn":[…]}} */
	int dry_run;		/* decide and audit, do not sign */
	const char *original;	/* div, div-o, rsp: a JSON array of PASSporTs; else NULL */
};

struct vesper_signature;
struct vesper_response;

/*
 * Have a PASSporT signed.  *out is freed by vesper_signature_free(); after a
 * dry run its passport and identity are NULL.
 */
int vesper_sign(struct vesper_client *client, const struct vesper_request *request,
    struct vesper_signature **out, struct vesper_error *error);
void vesper_signature_free(struct vesper_signature *signature); /* NULL is fine */

/*
 * Have all the PASSporTs of a call signed: body is the JSON text of POST
 * /v1/calls.  *out, freed by vesper_response_free(), is the agent's answer with
 * "identities" and "results".  With "mode":"best_effort" it is VESPER_OK when
 * one of them was signed.
 */
int vesper_sign_call(struct vesper_client *client, const char *body, int dry_run,
    struct vesper_response **out, struct vesper_error *error);

/* Borrowed from the signature. */
const char *vesper_signature_passport(const struct vesper_signature *signature);
const char *vesper_signature_identity(const struct vesper_signature *signature);
const char *vesper_signature_json(const struct vesper_signature *signature); /* the answer */

/* ---- anything else the agent offers ------------------------------------------ */

/*
 * One request: method "GET" or "POST", target "/v1/status", body JSON text or
 * NULL.  VESPER_OK whatever the status of the answer is.
 */
int vesper_call(struct vesper_client *client, const char *method, const char *target,
    const char *body, struct vesper_response **out, struct vesper_error *error);
void vesper_response_free(struct vesper_response *response); /* NULL is fine */

int vesper_response_status(const struct vesper_response *response);
const char *vesper_response_body(const struct vesper_response *response);
size_t vesper_response_length(const struct vesper_response *response);

/* The agent's state as this caller may see it: GET /v1/status. */
int vesper_status(
    struct vesper_client *client, struct vesper_response **out, struct vesper_error *error);

#ifdef __cplusplus
}
#endif

#endif
