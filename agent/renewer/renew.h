/*
 * The renewals of all credentials: a table of states, one short step at a
 * time, each written to disk before it is acted on.  A restart goes on where
 * it was or begins again cleanly; what is in force is never touched here.
 *
 *	idle -> token -> claims-token -> order -> challenge -> csr ->
 *	finalize -> poll -> download -> install -> idle
 *
 * or, where a command stands in the place of the CA,
 *
 *	idle -> issue -> idle
 *
 * A failure that may pass goes back by the table and waits on a ladder; one
 * that trying again does not cure ends the order and is an alarm.  Each CA and
 * each authority has a lane of its own (agent/renewer/lane.h); in it the
 * shortest time left goes first.
 *
 * One thread; the clock is io's.
 */
#ifndef AGENT_RENEWER_RENEW_H
#define AGENT_RENEWER_RENEW_H

#include "agent/renewer/acme.h"
#include "agent/renewer/authtok.h"
#include "agent/renewer/plan.h"

enum {
	RENEW_STEPS = 192,	  /* under way in all lanes; of HTTPC_MAX transfers */
	RENEW_PROBES = 64,	  /* of these, in lanes that are taken for broken */
	RENEW_BEGINS = 16,	  /* renewals of one CA begun in one turn */
	RENEW_SPREAD_MS = 1000,	  /* slots are given at most so often */
	RENEW_REPORTS = 4,	  /* schedule reports under way */
	RENEW_WINDOWS = 16,	  /* questions for renewal information under way */
	RENEW_CA_WINDOWS = 2,	  /* of these, at one CA */
	RENEW_TICK_MS = 1000,	  /* the plan is looked at at least this often */
	RENEW_ORDER_ATTEMPTS = 6, /* failures before an order is given up */
	RENEW_ORDER_LOOKS = 500,  /* looks at one order before it is given up */
	RENEW_ANSWER_LOOKS = 5,	  /* at a challenge that stays pending though it was answered */
	RENEW_SAVE_AGAIN_MS = 5000, /* a record that could not be written */
	RENEW_CHAIN_MAX = 98304,    /* of one install: it is one datagram */
};

struct renew;

/* io and store are borrowed; config is taken over, also on failure. */
enum rc renew_new(const struct io *io, struct store *store, struct config *config,
    struct renew **out, struct fault *f) MUST_CHECK;
void renew_free(struct renew *r); /* nothing may be under way */
DEFINE_FREEP(renew);

/* From now on answers change nothing and are not recorded: what is on disk stands. */
void renew_stop(struct renew *r);

/* An event of the front. */
void renew_event(struct renew *r, const json_t *event);

/* Takes config over; it is adopted once no step is under way.  RC_INVALID: the old one stays. */
enum rc renew_reload(struct renew *r, struct config *config, struct fault *f) MUST_CHECK;

/* Do what is due.  Returns the milliseconds until the next call is due, at most RENEW_TICK_MS. */
int renew_run(struct renew *r);

/* For tests and logs: the state of one credential, RENEW__COUNT when there is none. */
enum renew_state renew_state_of(const struct renew *r, const char *tenant, const char *name);

#endif
