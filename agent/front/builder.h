/*
 * The builder thread: everything slow that the front does.  It reads the
 * configuration and the state directory, checks certificates at load and
 * install, builds and signs CSRs and ACME JWS through the token admin, answers
 * the renewer, and frees old snapshots.  The event loop never waits for it.
 *
 * Jobs run in order, one at a time.  Results reach the loop through
 * builder_fd(), an eventfd, and builder_next().
 */
#ifndef AGENT_FRONT_BUILDER_H
#define AGENT_FRONT_BUILDER_H

#include "agent/front/clockwatch.h"
#include "agent/front/hand.h"
#include "agent/front/works.h"
#include "pkcs11/client.h"

struct builder;

/* Reads nothing yet.  config_file as the front was started with. */
enum rc builder_new(const char *config_file, struct builder **out, struct fault *f) MUST_CHECK;
void builder_free(struct builder *b); /* stops and joins the thread */

/* The first load, on the caller's thread before the loop starts: configuration, state, no network. */
enum rc builder_load(struct builder *b, struct credset **out, struct fault *f) MUST_CHECK;
enum rc builder_start(struct builder *b, struct fault *f) MUST_CHECK;

/* Called by the loop when the supervisor sends new ends; the descriptors are taken over. */
void builder_attach_admin(struct builder *b, unsigned token, int fd, uint32_t generation);
void builder_attach_renewer(struct builder *b, int fd);

/* Jobs.  All return at once; RC_BUSY when 1,024 wait. */
enum rc builder_reload(struct builder *b, uint64_t job, struct fault *f) MUST_CHECK;
enum rc builder_renew(struct builder *b, const char *tenant, const char *name, uint64_t job,
    struct fault *f) MUST_CHECK; /* tells the renewer: now */

/* name may be NULL; body (NULL: none) is taken over, also on failure. */
enum rc builder_hand(struct builder *b, enum hand kind, const char *tenant, const char *name,
    json_t *body, uint64_t job, struct fault *f) MUST_CHECK;
void builder_dispose(struct builder *b, struct credset *old); /* free it there */

enum builder_event_kind {
	/*
	 * set: let the signers learn the keys that are new in it, put it in
	 * force, then builder_confirm() with its generation.  With
	 * wait_for_keys (an install) it is put in force only when they are
	 * learnt, since a credential that works must not give way to one that
	 * cannot; else (a reload) at once, since an operator's word must not
	 * wait for a token: a credential whose key is missing says so itself.
	 * A fault there says that it was not put in force; the builder then
	 * goes back to the set before.  An install and a reload wait for it
	 * for BUILDER_CONFIRM_MS.  Sets are put in force in the order of their
	 * generations and none after a later one.
	 */
	BUILDER_PUBLISH,
	BUILDER_RELOAD_FAILED, /* fault: the old set stays */
	BUILDER_JOB_DONE,      /* job, fault (rc RC_OK when good), record: its result or NULL */
	/*
	 * record: a line for the audit, without seq, time and prev: event
	 * ("install", "install_refused", "key_made", "key_retired"), tenant,
	 * credential, and what there is of serial, not_before, not_after, key
	 * (hex key id), reason, detail.
	 */
	BUILDER_AUDIT,
	BUILDER_ACCOUNT, /* record: {"ca", "problem"}: the renewer's word of an account */
	BUILDER_ALARM,	 /* record: {"alarm", "name", "problem"}: works_out.alarm */
};
enum { BUILDER_CONFIRM_MS = 10000, BUILDER_MAX_JOBS = 1024 };
struct builder_event {
	enum builder_event_kind kind;
	struct credset *set; /* reference passes to the loop */
	bool wait_for_keys;
	uint64_t job;
	struct fault fault;
	json_t *record; /* owned by the receiver */
};
int builder_fd(const struct builder *b);
bool builder_next(struct builder *b, struct builder_event *out);

/*
 * A reload is asked for and not begun: what waits for keys makes room for it,
 * with a fault of RC_BUSY, which is worth another try.
 */
bool builder_reload_waits(struct builder *b);

/* The set is in force (RC_OK) or its keys could not be learnt; wakes an install that waits. */
void builder_confirm(struct builder *b, uint64_t generation, const struct fault *f);

/* For status: is the renewer there, is each admin there, when was the last reload, was it good. */
struct builder_status {
	bool renewer;
	struct installation installation;
	size_t revocations; /* that no CA has answered yet */
	size_t ported;	    /* certificates with a number that was removed */
	size_t offboardings[OFFBOARDING__COUNT];
	bool admin[CONFIG_MAX_TOKENS];
	bool counted[CONFIG_MAX_TOKENS];
	struct works_unnamed unnamed[CONFIG_MAX_TOKENS]; /* when counted */
	struct builder_room {
		bool known;
		unsigned keys; /* in the token, whoever's */
		size_t spares; /* of them, made ahead */
		enum works_room room;
	} room[CONFIG_MAX_TOKENS];
	int64_t
	    state_failed_s; /* since when the state directory cannot be written; 0: it can */
	struct fault state_fault;
	struct clockwatch clock;
	bool clock_holds; /* nothing that is over by the clock is destroyed */
	int64_t reloaded_s;
	struct fault reload_fault; /* RC_OK: good */
};
void builder_status(struct builder *b, struct builder_status *out);

/* What is known of the logs: any thread shows it (transparency.h). */
struct transparency *builder_transparency(const struct builder *b);
struct crls *builder_crls(const struct builder *b); /* the same of revocation lists (crls.h) */

/* The same of the signed lists (trust_ops.h). */
struct trust_desk *builder_lists(const struct builder *b);

#endif
