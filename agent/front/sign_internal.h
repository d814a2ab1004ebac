/*
 * What the files of a signing request (sign.h) share among themselves; nobody
 * else includes it.  sign.c decides a request and says what comes next,
 * sign_wait.c has it wait for its originals, sign_job.c takes what was decided
 * to a token and on to another one, sign_batch.c keeps all of a request from
 * its beginning to its answer.
 *
 * Loop thread only, as sign.h.
 */
#ifndef AGENT_FRONT_SIGN_INTERNAL_H
#define AGENT_FRONT_SIGN_INTERNAL_H

#include "agent/front/sign.h"

/* One signature of a batch. */
struct sign_job {
	struct hsm_call call;
	struct sign_batch *batch;
	const struct config_tenant *tenant; /* in the snapshot, as the next two */
	const struct config_credential *config;
	struct credential *credential;
	/* The same in other tokens, where they are lost with this one: */
	struct decide_other other[DECIDE_MAX_OTHERS];
	size_t others, tried;
	/* tn_key of those that the tenant's list had to name (D-60): */
	uint64_t listed[PASSPORT_MAX_DEST];
	size_t listeds;
	enum ppt ppt;
	/* The passport, then what makes it an Identity value, then the claims as JSON. */
	struct buf text;
	size_t signature_at; /* where the signature's text goes */
	size_t passport_len, identity_len;
	char attest; /* as granted */
	size_t originals, originals_verified;
	const struct sign_job *rests_on; /* what its attestation was granted for; NULL: none */
	struct fault fault;		 /* why it is not given out */
	uint64_t seq;			 /* of its "sign" record; 0: none */
};

struct sign_batch {
	struct desk *desk;
	struct conn *conn; /* NULL: gone */
	const struct sign_face *face;
	struct snapshot *snapshot;
	char request_id[SIGN_REQUEST_ID_MAX + 1];
	bool best_effort, plain, dry_run;
	bool unaudited;	 /* only the records are waited for */
	uint64_t seq;	 /* of the last record */
	size_t at_token; /* signatures that are still to come */
	int64_t began_us;
	struct loop_timer audit_late;
	struct sign_batch *next, *prev;
	size_t len;
	struct sign_job job[]; /* as they were asked for */
};

/* While a request is looked at. */
struct sign_work {
	struct desk *desk;
	struct conn *conn; /* only while it is decided */
	const struct caller *who;
	bool known; /* some tenant is the caller's */
	const struct sign_request *request;
	struct sign_batch *batch;
	/* In the order of deciding: */
	size_t len;
	size_t of[SIGN_CALL_MAX]; /* which request, and so which job */
	struct decision decision[SIGN_CALL_MAX];
};

/* ---- sign_batch.c: from the beginning to the answer ---- */

/*
 * As many jobs as call has requests, all of one snapshot that is kept, with
 * the deadline of now; in the desk's list.  Owned by the desk: it goes with
 * sign_finish() or sign_batch_free().  NULL: no memory.
 */
struct sign_batch *sign_batch_new(struct desk *d, const struct sign_call *call);

/* Without an answer or a count; its connection no longer tells it of its end. */
void sign_batch_free(struct sign_batch *b);

/* A conn_on_lost() callback: arg is the batch, which goes on without its caller. */
void sign_batch_lost(void *arg);

/* What the whole is refused for: the first that has a reason of its own.  NULL: it is not. */
const struct fault *sign_cause(const struct sign_batch *b);

/* Journal that what was announced in the trail is not given out; else nothing. */
void sign_journal_job(struct sign_job *j, const struct fault *f);

/* The job has this fault from now on, a copy, and the trail knows. */
void sign_job_fails(struct sign_job *j, const struct fault *f);

/* By the faults there are so far: fail the jobs that are not given out without those. */
void sign_withhold(struct sign_batch *b);

/*
 * Withhold what has to be, also what may no longer be signed, count, answer who
 * is still there, and free it.
 */
void sign_finish(struct sign_batch *b);

/*
 * Nothing is at a token any more: finish it as soon as the records of what was
 * signed are on disk, now or in sign_audited(), or else at the deadline.
 */
void sign_settle(struct sign_batch *b);

/* An answer with this reason, in the desk's statistics. */
void sign_count_fault(struct desk *d, const struct fault *f);

/* Refuse c with f's status; everything is copied.  Not counted. */
void sign_answer_fault(struct conn *c, const struct sign_face *face, const struct fault *f,
    const struct sign_answers *a);

/* ---- sign_job.c: to a token ---- */

/*
 * What was decided, as far as it goes without a signer: the text but for the
 * signature, and the digest.  x is not needed afterwards; what the job keeps of
 * it is in the batch's snapshot.
 */
enum rc sign_build(struct sign_job *j, const struct sign_request *r, const struct decision *x,
    struct fault *f) MUST_CHECK;

/* tn_key of the numbers that x's tenant has to list; returns how many. */
size_t sign_listed(const struct decision *x, uint64_t key[PASSPORT_MAX_DEST]);
bool sign_lists(const struct config_tenant *t, const uint64_t *key, size_t n);

/*
 * May what was decided be signed by this credential of the job's tenant in the
 * set that is in force now?  Asked where a signature begins that was not
 * decided just now, and where one is given out: removing a number takes effect
 * before the removal is confirmed (D-60), for what is under way, too.  A reload
 * that touches neither tenant, number nor credential refuses nothing.  RC_BUSY
 * overloaded.
 */
enum rc sign_holds(const struct sign_job *j, const struct config_credential *cc,
    const struct credential *c, struct fault *f) MUST_CHECK;

/*
 * All is decided, built and verified: record it, send the digests, or finish
 * a batch that has none to send.  The decisions of w are done with, and so may
 * be the batch; the rest of w stays the caller's.
 */
void sign_conclude(struct sign_work *w);

/* The callbacks of a job's hsm_call, which is its first member. */
void sign_job_signed(
    struct hsm_call *call, const uint8_t sig[ES256_SIG_LEN], const struct fault *f);
void sign_job_coming(struct hsm_call *call);

/* ---- sign_wait.c: for the originals ---- */

/* Has the k-th decision originals to verify, and no fault? */
bool sign_is_unproven(const struct sign_work *w, size_t k);

/* Has any? */
bool sign_has_unproven(const struct sign_work *w);

/* The k-th decision comes to nothing, with this fault, and nothing rests on it. */
void sign_job_unproven(struct sign_work *w, size_t k, const struct fault *f);

/*
 * Have the verifier look at all of them, and sign_conclude() when it has or at
 * the deadline.  w is copied: its decisions and its batch are the wait's then,
 * and call->keep is counted.  On failure all of it is still the caller's.
 */
enum rc sign_put_off(
    struct sign_work *w, const struct sign_call *call, struct fault *f) MUST_CHECK;

/* For a wait that the verifier no longer reads.  Its batch stays. */
void sign_wait_free(struct sign_wait *wait);

#endif
