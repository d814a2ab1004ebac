/*
 * What is read once for all credentials: the configuration, with what commands
 * changed in it, and the files that it names (anchors, logs, signers of lists,
 * chains of others).  No credential is looked at here: that is load.c's.
 *
 * Builder thread, and load_look().
 */
#ifndef AGENT_FRONT_READING_H
#define AGENT_FRONT_READING_H

#include "agent/front/credset.h"

/* How the files are read: at a reload there is something to fall back on. */
struct reading {
	const char *config_file;
	int64_t now_s;
	bool strict;
};

/* A configuration or another of the files that cannot be read fails as a whole. */
enum rc reading_base(
    const struct reading *r, struct credset_base **out, struct fault *f) MUST_CHECK;

/*
 * The token processes were started for the sections that the supervisor read,
 * and are known by their index: these change only with a restart.  To take the
 * rest of such a file would say "reloaded" of settings that are not in force:
 * RC_INVALID config.
 */
enum rc reading_same_tokens(
    const struct config *old, const struct config *now, struct fault *f) MUST_CHECK;

#endif
