/*
 * Start one role program with exactly the descriptors, arguments and
 * environment that agent/role.h promises it.  From the main thread only: the
 * death signal of a role belongs to the thread that started it.
 */
#ifndef AGENT_SUPERVISOR_SPAWN_H
#define AGENT_SUPERVISOR_SPAWN_H

#include "agent/config.h"
#include "agent/supervisor/child.h"

/* Descriptors of ours stand at or above this, so that placing one never covers another. */
enum { SPAWN_FD_BASE = 256, SPAWN_RUN_ID_LEN = 32 };

struct spawn_context {
	const struct config *config;
	const char *config_name; /* basename: the working directory is the configuration's */
	const char *role_dir;	 /* where the role programs are */
	const char *credentials; /* $CREDENTIALS_DIRECTORY as we were started, or NULL */
	bool as_root;
	uid_t starter;
	char run_id[SPAWN_RUN_ID_LEN + 1];
	int null;	   /* /dev/null */
	const int *listen; /* the front's */
	size_t listens;
};

/* fd moved to a number at or above SPAWN_FD_BASE, close-on-exec; the old one is closed. */
enum rc spawn_high_fd(int *fd, struct fault *f) MUST_CHECK;

/* peer and control are the role's ends, or -1; they stay the caller's. */
enum rc spawn_role(const struct spawn_context *s, const struct child *c, int peer, int control,
    pid_t *pid, struct fault *f) MUST_CHECK;

/*
 * A command of the configuration, by vesper-hook, which makes it the renewer's
 * user: fd is its standard input and output, our stderr its stderr.
 */
enum rc spawn_hook(const struct spawn_context *s, const struct config_strings *command, int fd,
    pid_t *pid, struct fault *f) MUST_CHECK;

/* The directory of the role programs: beside vesperd itself, else LIBEXECDIR.  malloc'd. */
enum rc spawn_find_roles(char **dir, struct fault *f) MUST_CHECK;

#endif
