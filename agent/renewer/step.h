/*
 * What each state of a renewal does.  A step asks one party one thing (a look
 * at an authorization may go on to answer its challenge) and ends by one of
 * job_next(), job_goto(), job_look_again(), job_rest(), job_fail() or
 * job_installed().
 *
 * step.c has the table, the beginning and what the others share; step_token.c,
 * step_order.c, step_challenge.c, step_chain.c and step_issue.c are named after
 * what they are about; step_series() is star.c's.  One thread.
 */
#ifndef AGENT_RENEWER_STEP_H
#define AGENT_RENEWER_STEP_H

#include "agent/renewer/renew_parts.h"

/* RC_OK: an answer is due, or the step has ended; else it is the caller's to end. */
enum rc step_begin(struct job *j, struct fault *f) MUST_CHECK;
enum rc step_token(struct job *j, struct fault *f) MUST_CHECK;
enum rc step_claims(struct job *j, struct fault *f) MUST_CHECK;
enum rc step_order(struct job *j, struct fault *f) MUST_CHECK;
enum rc step_challenge(struct job *j, struct fault *f) MUST_CHECK;
enum rc step_csr(struct job *j, struct fault *f) MUST_CHECK;
enum rc step_finalize(struct job *j, struct fault *f) MUST_CHECK;
enum rc step_poll(struct job *j, struct fault *f) MUST_CHECK;
enum rc step_download(struct job *j, struct fault *f) MUST_CHECK;
enum rc step_install(struct job *j, struct fault *f) MUST_CHECK;
enum rc step_issue(struct job *j, struct fault *f) MUST_CHECK;
enum rc step_series(struct job *j, struct fault *f) MUST_CHECK;

struct step {
	enum rc (*start)(struct job *j, struct fault *f);
	enum renew_state next; /* after success */
	enum renew_state back; /* after a failure that may pass */
};
extern const struct step step_table[RENEW__COUNT];

/*
 * Unix seconds at which the first of the tokens that have to be pushed for it,
 * and were, expires; 0: one is not here; -1: none has to be.
 */
int64_t step_token_until_s(const struct job *j);

/* ---- what they share ---- */

/* The identifier's type for its constraints, borrowed (D-33); NULL: the CA has none. */
const char *step_constraints_type(const struct job *j);

/* A token of that kind is here and is good for a while yet. */
bool step_has_token(const struct job *j, enum token_kind k);

/* An operation of the front about this credential and what is ordered for it; NULL: no memory. */
json_t *step_credential_op(const struct job *j, const char *op);

/* A POST-as-GET at the CA.  What acme_call() fails with. */
enum rc step_look_at(struct job *j, const char *url, const char *accept, acme_done *done,
    struct fault *f) MUST_CHECK;

/* Of an answer for a job that is over, or one that fails it: there is nothing more to do. */
bool step_is_done(struct job *j, enum rc rc, const struct fault *f, int64_t retry_after_s);

/*
 * What an object of the CA says is judged; whatever stands in the way fails the
 * job.  reason: of an answer that is no JSON.
 */
typedef enum rc step_judge_fn(struct job *j, const struct acme_reply *reply, struct fault *f);
void step_judge(struct job *j, enum rc rc, const struct acme_reply *reply,
    const struct fault *f, step_judge_fn *judge, const char *reason);

/* An authorization or order that has failed: its error says whether another one may do. */
void step_order_over(struct job *j, const json_t *error, const char *what);

/* RC_NOT_FOUND acme_order_expired. */
enum rc step_in_time(const struct job *j, struct fault *f) MUST_CHECK;

/* A chain that was downloaded becomes the job's: RC_INVALID acme_chain. */
enum rc step_take_chain(
    struct job *j, const struct http_answer *http, struct fault *f) MUST_CHECK;

#endif
