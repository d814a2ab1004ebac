/*
 * The end of a tenant, as an operator asks for it on the administration socket:
 * it signs nothing from the moment on that this is recorded, whatever its file
 * says; each certificate that it has or had in force and that is not over is
 * revoked (revoke.h), its series are canceled, nothing is ordered, finalized or
 * installed; then its keys wait for a confirmation, and are destroyed (retire.h).
 *
 * It can be taken back before that: what was revoked stays revoked, and is
 * ordered anew.  Taken back after the end, the tenant begins as a new one.
 *
 * Each step is on disk before it is acted on (offboarding.h) and is gone on
 * with after a restart.  The renewer has no operation for any of it; by a lie
 * about a revocation it can have "revoked" shown too early, and an operator's
 * confirmation is asked for all the same.  Builder thread only.
 */
#ifndef AGENT_FRONT_OFFBOARD_H
#define AGENT_FRONT_OFFBOARD_H

#include "agent/front/works.h"

enum {
	OFFBOARD_MAX = 16384,	    /* remembered at once */
	OFFBOARD_STEP = 16,	    /* credentials of one go, of all tenants together */
	OFFBOARD_COUNT_COST = 4,    /* of these: to count the keys that a tenant has left */
	OFFBOARD_LOOK_S = 60,	    /* what could not be done is tried again */
	OFFBOARD_SOON_S = 2,	    /* are the keys gone? */
	OFFBOARD_PATIENCE_S = 3600, /* then what is not done is an alarm */
};

/* Read what is on disk: after the first load. */
enum rc offboard_load(struct works *w, int64_t now_s, struct fault *f) MUST_CHECK;
void offboard_done(struct works *w);

struct offboard_ask {
	unsigned reason; /* RFC 5280 section 5.3.1 */
	bool by_key;	 /* revoked by each certificate's key, not by the account's */
};

/*
 * Recorded, then served nothing.  RC_OK also where that was asked for before,
 * and nothing is changed.  RC_NOT_FOUND not_found; RC_IO where it could not be
 * recorded, and nothing was done; what fails after that is tried again by itself.
 */
enum rc offboard_begin(struct works *w, const char *tenant, const struct offboard_ask *ask,
    int64_t now_s, struct fault *f) MUST_CHECK;

/*
 * The operator's confirmation.  RC_CONFLICT conflict: not all is revoked, and
 * anyway is not set; a key that is to sign a revocation stays for that long
 * nevertheless.  RC_NOT_FOUND not_found: it is not off-boarded.
 */
enum rc offboard_destroy(struct works *w, const char *tenant, bool anyway, int64_t now_s,
    struct fault *f) MUST_CHECK;

/* RC_CONFLICT conflict while keys are being destroyed. */
enum rc offboard_take_back(struct works *w, const char *tenant, struct fault *f) MUST_CHECK;

/* {"tenant", "state", …}: docs/PROTOCOL.md. */
enum rc offboard_show(const struct works *w, const char *tenant, int64_t now_s, json_t *result,
    struct fault *f) MUST_CHECK;

/* RC_DENIED tenant_disabled: nothing is put in force for it. */
enum rc offboard_check(
    const struct works *w, struct credset_place at, struct fault *f) MUST_CHECK;

/* Its keys are to be destroyed, whatever they were needed for. */
bool offboard_destroys(const struct works *w, const char *tenant);

/* How many are in each state. */
void offboard_count(const struct works *w, size_t out[OFFBOARDING__COUNT]);

/* What its end may wait for has happened; nothing where it is not off-boarded. */
void offboard_soon(struct works *w, const char *tenant);

/* The clock jumped: what was over may not be, and all of it is looked at again. */
void offboard_clock_set(struct works *w);

/* What is due; returns when again. */
int64_t offboard_due(struct works *w, int64_t now_s);

#endif
