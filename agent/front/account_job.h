/*
 * What an operator asked of an account's CA (RFC 8555 sections 7.3.2, 7.3.5,
 * 7.3.6), and what became of it: a part of the account's file, written before
 * it is acted on.
 *
 * Values; what is done about it is account_work.h's.
 */
#ifndef AGENT_FRONT_ACCOUNT_JOB_H
#define AGENT_FRONT_ACCOUNT_JOB_H

#include "agent/front/credset.h"
#include "stir/es256.h"

#include <jansson.h>

/* The names go to disk: append only. */
enum account_job_kind {
	ACCOUNT_JOB_NONE, /* nothing was ever asked */
	ACCOUNT_JOB_CONTACT,
	ACCOUNT_JOB_KEY,
	ACCOUNT_JOB_DEACTIVATION,
	ACCOUNT_JOB__COUNT
};

enum account_job_state {
	ACCOUNT_JOB_OUTSTANDING, /* the CA has not answered yet */
	ACCOUNT_JOB_DONE,
	ACCOUNT_JOB_REFUSED,
	ACCOUNT_JOB_STATE__COUNT
};

struct account_job {
	enum account_job_kind kind;
	enum account_job_state state;
	/* Of ACCOUNT_JOB_KEY while it is outstanding: the key that is to come. */
	uint8_t point[P256_POINT_LEN];
	uint8_t key_id[KEY_ID_LEN];
	/*
	 * When it was last signed, since the CA was last known not to have done
	 * it; 0: it was not.  From then on the CA may have, whatever comes back.
	 */
	int64_t told_s;
	/* Refused; whether the CA has done it all the same, or before, is asked yet. */
	bool refusal;
	/* Of a change: when the last one was signed that nobody answered; it may arrive yet. */
	int64_t stray_s;
	int64_t asked_s, ended_s; /* ended_s 0: not yet */
	char answer[CREDENTIAL_PROBLEM_MAX];
	/* In memory alone. */
	bool looked;	/* what was signed last is the question whether it is done */
	int64_t hold_s; /* not asked before */
};

const char *account_job_name(const struct account_job *j);	 /* "key" */
const char *account_job_state_name(const struct account_job *j); /* "outstanding" */

static inline bool
account_job_waits(const struct account_job *j)
{
	return j->kind != ACCOUNT_JOB_NONE && j->state == ACCOUNT_JOB_OUTSTANDING;
}

/* There is a second key that may be the account's by now. */
static inline bool
account_job_has_key(const struct account_job *j)
{
	return j->kind == ACCOUNT_JOB_KEY && account_job_waits(j);
}

/* NULL without memory. */
json_t *account_job_write(const struct account_job *j);

/* RC_INVALID account_file for what is not as we write it. */
enum rc account_job_read(json_t *from, struct account_job *out, struct fault *f) MUST_CHECK;

/* The CA's word, fit to be kept. */
void account_job_say(struct account_job *j, const char *reason, const char *detail);

#endif
