/*
 * One credential's renewal in memory, shared by renew.c (when), choose.c (who
 * first) and steps.c (what).  Private to the three.
 */
#ifndef AGENT_RENEWER_JOB_H
#define AGENT_RENEWER_JOB_H

#include "agent/renewer/ari.h"
#include "agent/renewer/cleanups.h"
#include "agent/renewer/errands.h"
#include "agent/renewer/lane.h"
#include "agent/renewer/renew.h"

struct ca_slot {
	const struct config_ca *config;
	struct acme *acme; /* NULL: ISSUER_COMMAND */
	struct lane lane;  /* what asks it */
	struct lane begin; /* renewals of its credentials that are begun */
	unsigned windows;  /* questions for renewal information at it: of this turn */
	bool told;	   /* the front knows how the account is: */
	char problem[PROBLEM_TEXT];
};

struct authority_slot {
	const struct config_authority *config;
	struct lane lane;
};

/* All that comes of one reading of the configuration. */
struct settings {
	struct config *config;
	struct anchors *authority_anchors, *trust_anchors; /* NULL: none configured */
	struct ca_slot *ca;
	size_t cas;
	struct authority_slot *authority;
	size_t authorities;
	unsigned busy; /* steps under way that began with it */
};

/* config is taken over, also on failure. */
enum rc settings_new(struct config *config, const struct io *io, struct store *store,
    struct settings **out, struct fault *f) MUST_CHECK;
void settings_free(struct settings *s);
DEFINE_FREEP(settings);
struct ca_slot *settings_ca(const struct settings *s, const char *name); /* NULL: none */
struct authority_slot *settings_authority(const struct settings *s, const char *name);
/* Each lane goes on where the one of its name stood. */
void settings_inherit(struct settings *s, const struct settings *before);

enum token_kind { TOKEN_NUMBERS, TOKEN_CLAIMS, TOKEN__COUNT };

/* The base name of a pushed token's file: the record's, ".n" or ".c". */
enum { TOKEN_FILE_NAME = 2 * CONFIG_NAME_MAX + 5 };
void token_file(
    char out[TOKEN_FILE_NAME], const char *tenant, const char *name, enum token_kind k);

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
};

struct renew {
	const struct io *io;
	struct store *store;
	struct settings *set, *next_set;
	struct settings *old_set; /* until what began with it is over; then next may come */
	struct job **job;	  /* sorted by tenant, then name */
	size_t jobs;
	struct buf incoming; /* struct plan of the pages that came */
	bool plan_due, plan_busy, swept;
	unsigned plan_failures;
	int64_t plan_wake_ms, last_ms;
	unsigned reports, windows; /* under way */
	unsigned fetches;	   /* likewise */
	size_t window_at;	   /* the job that is asked about next, if it is due */
	int64_t spread_wake_ms;
	bool spread_due, stopping;
	bool incredible; /* the clock is: nothing is done */
	struct errands *errands;
	struct cleanups *cleanups;
};

/* Starts the steps that are due and have a place; *wake_ms is brought forward. */
void choose_steps(struct renew *r, int64_t now_ms, int64_t *wake_ms);
/* Whoever the step of j asks has answered, or failed by rc: its lane is told. */
void choose_answered(struct job *j);
void choose_failed(struct job *j, enum rc rc);
void choose_clock_back(struct settings *s, int64_t ms);

/* renew.c's share of it: is its CA there (if not, why, and when to look); one step. */
bool job_has_ca(struct job *j, struct ca_slot *slot, int64_t *wake_ms);
void job_start(struct job *j, struct ca_slot *slot, struct lane *lane, int64_t now_ms);

/* What state means: renew.c's table runs these.  RC_OK: an answer is due, or it went on. */
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

/* A chain that was downloaded becomes the job's: RC_INVALID acme_chain. */
enum rc job_take_chain(
    struct job *j, const struct http_answer *http, struct fault *f) MUST_CHECK;

/*
 * When the first of the tokens that have to be pushed for it, and were,
 * expires; 0: one is not here; -1: none has to be.
 */
int64_t step_token_until_s(struct job *j);

/* How a step ends: exactly one of these for each that was started. */
void job_next(struct job *j);				   /* the table's next state, at once */
void job_goto(struct job *j, enum renew_state s);	   /* another state, at once */
void job_look_again(struct job *j, int64_t retry_after_s); /* the same state, by polling */
void job_rest(struct job *j, int64_t wait_ms);		   /* idle, for so long at least */
void job_fail(struct job *j, enum rc rc, const struct fault *f, int64_t retry_after_s);
/* ari_id may be NULL. */
void job_installed(struct job *j, const char *serial, int64_t not_before_s, int64_t not_after_s,
    const char *ari_id);

struct job *job_find(const struct renew *r, const char *tenant, const char *name);

/* When it is to be renewed, by all that is known now. */
void job_schedule(struct job *j);

/* Asks for renewal information where that is due; *wake_ms: no later than it is again. */
void renewinfo_run(struct renew *r, int64_t now_ms, int64_t *wake_ms);

/* What was presented for a domain is taken away again, if there is any. */
void job_cleanup(struct job *j);

/* Another request of the same step goes to the party that it asks. */
void job_asks_more(struct job *j);

/* First in every answer: true when nobody waits for it any more (j may be gone). */
bool job_over(struct job *j);

/* The order is of no use: tokens, chain and URLs are forgotten (the record is not written). */
void job_drop_order(struct job *j);
void job_drop_tokens(struct job *j);
void job_drop_alternates(struct job *j);

#endif
