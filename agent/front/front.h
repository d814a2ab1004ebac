/*
 * The front: everything of the process in one place.  Loop thread only; the
 * builder and the audit's writer have threads of their own behind their
 * headers.
 */
#ifndef AGENT_FRONT_FRONT_H
#define AGENT_FRONT_FRONT_H

#include "agent/front/alarms.h"
#include "agent/front/builder.h"
#include "agent/front/events.h"
#include "agent/front/listener.h"
#include "agent/front/sign.h"
#include "agent/role.h"

extern const char front_version[];

enum {
	FRONT_MAX_LISTEN = 32,
	FRONT_MAX_CHILDREN = 1 + HSM_MAX_TOKENS * (HSM_MAX_PROCESSES + 1) + 1,
	FRONT_MAX_JOBS = 256,	 /* remembered */
	FRONT_MAX_RESULTS = 16,	 /* … with what came of them */
	FRONT_PUBLISH_MS = 5000, /* for new keys to be learnt */
	FRONT_DRAIN_MS = 10000,
};

struct front_child { /* as the supervisor tells */
	uint32_t role, token, process, pid, restarts, isolated;
	bool known;
};

enum job_state { JOB_RUNNING, JOB_DONE, JOB_FAILED };
struct front_job {
	uint64_t id; /* 0: free */
	const char *kind;
	enum job_state state;
	int64_t began_s, ended_s;
	struct fault fault;
	json_t *result; /* NULL: none, or forgotten */
};

struct front {
	struct loop *loop;
	struct desk desk;
	struct builder *builder;
	struct conn_host callers;
	struct listener listener[FRONT_MAX_LISTEN];
	struct config_listen door[FRONT_MAX_LISTEN]; /* what was listened on at the start */
	size_t listeners;
	size_t max_open, max_user;
	struct loop_io control, builder_io, audit_io, verifier_io, signals;
	struct loop_timer publish_late, drain_late;
	/* A set whose new keys are being learnt. */
	struct credset *coming;
	struct front_child child[FRONT_MAX_CHILDREN];
	size_t children;
	struct front_job job[FRONT_MAX_JOBS];
	uint64_t last_job;
	/* notice.c's own: */
	struct alarms *alarms;
	struct events *events;
	struct loop_timer look;
	bool draining, reduced, start_recorded;
	int64_t started_s;
};

/* Everything up to the first turn of the loop.  Descriptors as agent/role.h says. */
enum rc front_open(struct front *fr, const char *config_file, struct fault *f) MUST_CHECK;
enum rc front_run(struct front *fr, struct fault *f) MUST_CHECK;
void front_close(struct front *fr);

/* The set in force, borrowed for this turn. */
static inline const struct credset *
front_set(const struct front *fr)
{
	return fr->desk.now->set;
}

/* A job for the builder: 0 when it takes none. */
uint64_t front_reload(struct front *fr, struct fault *f);
uint64_t front_renew(struct front *fr, const char *tenant, const char *name, struct fault *f);
/* For uid of the administrator; name may be NULL; body is taken over, also on failure. */
uint64_t front_hand(struct front *fr, enum hand kind, const char *tenant, const char *name,
    json_t *body, uid_t uid, struct fault *f);
const struct front_job *front_job(const struct front *fr, uint64_t id);

/* Is this the administrator?  By uid or group of the configuration in force. */
bool front_is_admin(const struct front *fr, const struct caller *c);

#endif
