/*
 * Operators' commands that run for the renewer: started with a descriptor of
 * the renewer's as standard input and output, ended when they take too long.
 * What goes over the descriptor is not read here.
 *
 * The words of a command are those of the configuration that vesperd was
 * started with.
 */
#ifndef AGENT_SUPERVISOR_HOOK_H
#define AGENT_SUPERVISOR_HOOK_H

#include "agent/supervisor/spawn.h"

enum { HOOK_MAX = 16, HOOK_LIMIT_MS = 120000 };

struct hook {
	pid_t pid;	 /* 0: a free place */
	uint32_t serial; /* 0: nobody waits for it */
	int64_t kill_ms;
};

struct hooks {
	struct hook item[HOOK_MAX];
};

/* The words of a command; NULL when the configuration has none of that kind and name. */
const struct config_strings *hook_command(const struct config *c, const struct control *m);

/*
 * fd stays the caller's.  RC_NOT_FOUND: no such command; RC_BUSY: HOOK_MAX
 * run; RC_IO.
 */
enum rc hook_start(struct hooks *h, const struct spawn_context *s, const struct control *m,
    int fd, int64_t now_ms, struct fault *f) MUST_CHECK;

/* A child ended.  True when it was one of these; *out says to whom it is told (serial 0: nobody). */
bool hook_ended(struct hooks *h, pid_t pid, int status, struct control *out);

/* Kill what has taken too long; returns when to look again, 0: nothing runs. */
int64_t hook_overdue(struct hooks *h, int64_t now_ms);

/* The renewer is gone, or all stops. */
void hook_kill_all(struct hooks *h);

#endif
