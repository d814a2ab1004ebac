/*
 * One role process as the supervisor sees it: when it was started, when it may
 * be started again.  Decides, does nothing: no clock, no process, no socket.
 */
#ifndef AGENT_SUPERVISOR_CHILD_H
#define AGENT_SUPERVISOR_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "agent/role.h"

enum {
	/* The first restart is at once, then BREAKER_FIRST_MS, doubling. */
	CHILD_BACKOFF_MAX_MS = 5000, /* of a token process: what its section says */
	CHILD_STEADY_MS = 1000, /* alive so long it had come up: its failures are forgotten */
	CHILD_BAD_START_MS = 5000, /* exit 2: its arguments or files are wrong */
	CHILD_LEAVE_MS = 5000,	   /* from the loss of its peer to SIGKILL */
	CHILD_EXIT_USAGE = 2,
	CHILD_EXIT_PIN = 4, /* vesper-hsm: the token refused the PIN */
};

/* Tells one state of the PIN file from another. */
struct pin_mark {
	ino_t ino;
	off_t size;
	struct timespec changed;
};

struct child {
	enum role_kind role;
	uint32_t token, process; /* signer and admin */
	uint32_t generation;	 /* of this start, per token */
	uint32_t restarts;
	unsigned failures; /* in a row */
	unsigned max_ms;   /* the longest pause, 0: CHILD_BACKOFF_MAX_MS */
	pid_t pid;	   /* 0: not running */
	int control;	   /* our end, or -1 */
	int64_t started_ms;
	int64_t next_ms; /* not started before */
	int64_t kill_ms; /* SIGKILL at this time, 0: never */
	bool held;	 /* PIN refused: waits for an operator */
	bool stale;	 /* its peer is gone: replaced without back-off when it left */
	bool announce;	 /* the front must be told */
	bool up;	 /* it said that it serves */
	bool quiet;	 /* it need not say why it ends */
	struct pin_mark pin;
};

const char *child_role_name(enum role_kind role); /* "signer" */

/* It was started. */
void child_started(struct child *c, pid_t pid, int64_t now_ms);

/* It says that it serves: what ends it from now on is not a failure to start. */
void child_came_up(struct child *c);

/* It ended with this wait status: when is the next start? */
void child_ended(struct child *c, int status, int64_t now_ms);

/* It could not even be started. */
void child_not_started(struct child *c, int64_t now_ms);

/* May it be started now?  Every role but the front needs the front. */
bool child_due(const struct child *c, bool front_runs, int64_t now_ms);

/* The end of its pair is gone: it has to leave and is replaced. */
void child_orphaned(struct child *c, int64_t now_ms);

/* An operator acted (SIGHUP), or the PIN file changed. */
void child_release(struct child *c, int64_t now_ms);

#endif
