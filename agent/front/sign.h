/*
 * A signing request, of one PASSporT or of all those of a call, from the
 * decision to the answer: what a delegate's PASSporT proves is found out first
 * (prove.h), everything is decided and built, the originals of a div, div-o or
 * rsp verified by the verifier thread, the audit records
 * appended, the digests sent to signers at the same time, and one answer goes
 * out when the signatures are there and the records are on disk.
 *
 * Loop thread only.  A batch outlives its connection: what was begun is
 * finished, only nobody is told.
 */
#ifndef AGENT_FRONT_SIGN_H
#define AGENT_FRONT_SIGN_H

#include "agent/front/conn.h"
#include "agent/front/desk.h"

enum {
	SIGN_CALL_MAX = 16, /* PASSporTs of one call */
	SIGN_TOKEN_MAX = 2 * 65536,
	SIGN_REQUEST_ID_MAX = 64,
	SIGN_SIG_TEXT = 86, /* base64url of 64 bytes */
	SIGN_CALL_KEEP = 2,
};

/* What an answer is made of: one for each PASSporT, in the order they were asked for. */
struct sign_answer {
	const struct fault *fault; /* NULL: signed, or a dry run that would be */
	/* Where there is no fault: */
	struct span passport; /* empty: a dry run */
	struct span identity; /* empty: the credential makes none, or a dry run */
	const char *tenant, *credential, *serial;
	int64_t not_after_s;
	char attest;			      /* as granted; 0 where the ppt does not attest */
	size_t originals, originals_verified; /* 0 of 0 where the ppt answers none */
	bool dry_run;
};

/* All of a request: */
struct sign_answers {
	const struct sign_answer *item;
	size_t len; /* 0: it did not get as far as a decision */
	const char *request_id;
};

/* How a route writes its answers. */
struct sign_face {
	const char *type, *problem_type; /* media types */
	void (*allowed)(struct buf *out, const struct sign_answers *a);
	/* f: what the answer's status is that of. */
	void (*refused)(struct buf *out, const struct fault *f, const struct sign_answers *a);
};

/* What is asked at once. */
struct sign_call {
	const struct sign_request *request; /* 1 to SIGN_CALL_MAX */
	size_t len;
	bool best_effort; /* else nothing is given out unless all of them are signed */
	const struct sign_face *face;
	bool plain;		/* the caller wants the one bare Identity value */
	const char *request_id; /* of every one */
	/*
	 * What the requests borrow from, where one of them has originals or a
	 * delegate's PASSporT: a reference is kept while these are verified.
	 */
	json_t *keep[SIGN_CALL_KEEP]; /* NULL: nothing */
};

/*
 * Decide and answer, now or later.  Everything in call is copied where it is
 * needed later.  Types that a number's holder signs are decided before shaken,
 * so that an attestation can rest on them (decide_delegate()).
 */
void sign_start(struct desk *d, struct conn *c, const struct sign_call *call);

/* A request that did not get as far as a decision: counted, answered. */
void sign_refuse(struct desk *d, struct conn *c, const struct sign_face *face,
    const struct fault *f, const char *request_id);

/* The same where the answer is another's: only counted. */
void sign_count_refused(struct desk *d, const struct fault *f);

/* The audit has moved on: answer what waited for it. */
void sign_audited(struct desk *d);

/* Forget every batch, when the signers and the verifier are gone already. */
void sign_drop(struct desk *d);

#endif
