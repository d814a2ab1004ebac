/*
 * The supervisor's loop: start every role, restart what ends, give the front
 * the new ends of its pairs, kill what the front calls hung, drain and stop.
 *
 * It parses nothing that a caller, the network or a token sent: only fixed
 * messages of the front and the renewer (struct control) reach it.  One thread.
 */
#ifndef AGENT_SUPERVISOR_SUPERVISOR_H
#define AGENT_SUPERVISOR_SUPERVISOR_H

#include "agent/supervisor/spawn.h"

enum {
	SUPERVISOR_DRAIN_MS = 10000, /* from SIGTERM to SIGKILL for all */
	SUPERVISOR_FRONT_MS =
	    9000, /* … for the front, so that token processes leave in order */
	SUPERVISOR_PIN_CHECK_MS = 500, /* how soon a mended PIN is seen */
};

/*
 * Runs until SIGTERM or SIGINT and all roles are gone.  Signals must be
 * blocked already (supervisor_block_signals).  notify is systemd's
 * NOTIFY_SOCKET or NULL.
 */
enum rc supervisor_run(
    const struct spawn_context *s, const char *notify, struct fault *f) MUST_CHECK;

/* Those that it hears through a descriptor; before anything is started.  RC_IO. */
enum rc supervisor_block_signals(struct fault *f) MUST_CHECK;

#endif
