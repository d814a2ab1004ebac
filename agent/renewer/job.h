/*
 * One credential's renewal in memory: what it works on, and how a step of it
 * (step.h) begins and ends.  A record is on disk before it is acted on.
 *
 * For the files of renew.h alone (renew_parts.h).  One thread.
 */
#ifndef AGENT_RENEWER_JOB_H
#define AGENT_RENEWER_JOB_H

#include "agent/log.h"
#include "agent/renewer/ari.h"
#include "agent/renewer/authtok.h"
#include "agent/renewer/cleanups.h"
#include "agent/renewer/plan.h"
#include "agent/renewer/pushed.h"
#include "agent/renewer/settings.h"

/* What the CA says of the certificate with this serial (RFC 9773). */
struct job_window {
	char serial[CERT_SERIAL_TEXT];
	struct ari_window at;
	int64_t ask_ms; /* not before */
	unsigned failures;
	bool asked;    /* an answer is due */
	bool replaced; /* an order names it: no other one is to */
};

struct job {
	struct renew *renew;
	struct plan plan;
	struct record rec;
	struct settings *set; /* while busy: with which the step began */
	struct ca_slot *slot; /* in set */
	struct lane *lane;    /* in set: where it holds a place */
	struct lane_turn turn;
	bool busy;    /* an answer is due */
	bool alone;   /* what fails now is not the doing of whoever is asked */
	bool gone;    /* no longer planned: freed when the answer is there */
	bool restart; /* what it works on was overtaken: idle when the answer is there */
	bool newer;   /* installed while a plan was being read: that plan is older */
	bool asked;   /* an operator wants it now */
	bool unsaved; /* the record in memory is newer than the one on disk */
	bool unkept;  /* since when it fails is not on disk */
	bool report;  /* status is to be told */
	uint32_t jitter;
	int64_t renew_at_s; /* with an active certificate */
	int64_t seen_ms;    /* when it was first planned */
	struct job_window window;
	struct authtok_grant token[TOKEN__COUNT];
	struct authtok_want want; /* of the request under way */
	struct buf want_der;
	size_t authz_at;	    /* the authorization looked at */
	bool replaces, no_replaces; /* the order names what it replaces; is not to */
	bool answered;		    /* its challenge was answered */
	char *challenge;	    /* URL of the one whose command runs */
	struct cleanup *cleanup;    /* of what was presented; NULL: nothing was */
	unsigned polls, looks;	    /* of this state, of this order */
	unsigned busies;	    /* times in a row that a command found no place */
	struct buf chain;	    /* what install offers */
	char *alternate[HTTP_ALTERNATES];
	size_t alternates, alternate_at;
	struct fault missed; /* why one of them could not be had, where that may pass */
};

void job_free(struct job *j); /* no answer is due; NULL is fine */

/* Its section of the configuration, borrowed; NULL: it is configured no longer. */
const struct config_credential *job_config(const struct job *j);

/* ---- a step begins ---- */

/*
 * Can its CA be asked?  If not, why stands in the problem, and *wake_ms says no
 * later than when to look again.  slot NULL: the configuration has no such CA.
 */
bool job_has_ca(struct job *j, struct ca_slot *slot, int64_t *wake_ms);

/* Does the step of its state: it holds a place in lane until the step ends. */
void job_start(struct job *j, struct ca_slot *slot, struct lane *lane, int64_t now_ms);

/* Another request of the same step goes to the party that it asks. */
void job_asks_more(struct job *j);

/* First in every answer: true when nobody waits for it any more (j may be gone). */
bool job_over(struct job *j);

/*
 * May a command of it (arg) that has waited still begin?  Not where job_over() will
 * say so, by settings of before a reload, or by a clock that cannot be right.
 */
bool job_is_wanted(void *arg);

/* ---- a step ends: by exactly one of these ---- */

void job_next(struct job *j);			  /* the table's next state, at once */
void job_goto(struct job *j, enum renew_state s); /* another state, at once */
/* The same state, by polling; retry_after_s of the answer, -1: it has none. */
void job_look_again(struct job *j, int64_t retry_after_s);
void job_rest(struct job *j, int64_t wait_ms); /* idle, for so long at least */
/* What may pass goes back by the table and waits; the rest ends the order and is an alarm. */
void job_fail(struct job *j, enum rc rc, const struct fault *f, int64_t retry_after_s);
/* A certificate is in force; Unix seconds; ari_id may be NULL. */
void job_installed(struct job *j, const char *serial, int64_t not_before_s, int64_t not_after_s,
    const char *ari_id);

/* ---- between steps ---- */

/* An operator wants it now. */
void job_ask(struct job *j);

/* Idle, without order, to be looked at at once. */
void job_reset(struct job *j);

/* When it is to be renewed, by all that is known now; job_schedule() notes it. */
int64_t job_renew_at_s(const struct job *j);
void job_schedule(struct job *j);

/* For status, "" none. */
void job_set_problem(struct job *j, const char *text);
/* On disk; false when that does not take it: then nothing is acted on. */
bool job_save(struct job *j);

/* event, with whose it is and its state. */
void job_log(const struct job *j, const char *event, enum log_level level);

/* What was presented for a domain is taken away again, if there is any. */
void job_cleanup(struct job *j);

/* The order is of no use: tokens, chain and URLs are forgotten (the record is not written). */
void job_drop_order(struct job *j);
void job_drop_tokens(struct job *j);
void job_drop_alternates(struct job *j);

#endif
