/*
 * One signing request from the decision to the answer: the token is built and
 * hashed, the audit record appended, the digest sent to a signer at the same
 * time, and the answer goes out when both the signature is there and the
 * record is on disk.
 *
 * Loop thread only.  A job outlives its connection: what was begun is
 * finished, only nobody is told.
 */
#ifndef AGENT_FRONT_SIGN_H
#define AGENT_FRONT_SIGN_H

#include "agent/front/conn.h"
#include "agent/front/desk.h"

enum {
	SIGN_TOKEN_MAX = 2 * 65536,
	SIGN_CONTEXT_MAX = 1024, /* text of the caller's context object */
	SIGN_REQUEST_ID_MAX = 64,
	SIGN_SIG_TEXT = 86, /* base64url of 64 bytes */
};

/* What an answer is made of. */
struct sign_answer {
	struct span passport; /* empty: a dry run */
	struct span identity; /* empty: the credential makes none, or a dry run */
	const char *tenant, *credential, *serial, *request_id;
	int64_t not_after_s;
	char attest; /* as granted; 0 where the ppt does not attest */
	bool dry_run;
	bool plain; /* the caller wants the bare Identity value */
};

/* How a route writes its answers. */
struct sign_face {
	const char *type, *problem_type; /* media types */
	void (*allowed)(struct buf *out, const struct sign_answer *a);
	void (*refused)(struct buf *out, const struct fault *f, const char *request_id);
};

void sign_open(struct desk *d);	 /* starts the once-a-second record of what is only counted */
void sign_close(struct desk *d); /* the last such record */

/* Forget every job, when the signers are gone already. */
void sign_drop(struct desk *d);

/* Decide and answer, now or later.  Everything in r is copied where it is needed later. */
void sign_start(struct desk *d, struct conn *c, const struct sign_request *r,
    const struct sign_face *face, bool plain);

/* A request that did not get as far as a decision: counted, answered. */
void sign_refuse(struct desk *d, struct conn *c, const struct sign_face *face,
    const struct fault *f, const char *request_id);

/* The audit has moved on: answer what waited for it. */
void sign_audited(struct desk *d);

#endif
