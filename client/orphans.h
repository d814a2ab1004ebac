/*
 * What the agent knows of the keys in a token: whose they are and of what use,
 * and those of its own that nothing names any more.  One thread.
 */
#ifndef CLIENT_ORPHANS_H
#define CLIENT_ORPHANS_H

#include "client/provision.h"

struct orphans_options {
	bool destroy, yes;
	const char *key; /* hex; NULL: all */
};

/*
 * "vesper hsm orphans": of the token that o names, by its agent's administration
 * socket.  Returns the exit status.
 */
int orphans_show(
    struct cli *cli, const struct provision_options *o, const struct orphans_options *more);

/*
 * For vesper-hsm-admin: a file with what the agent says of the keys of this
 * token, as pkcs11/provision_uses.h reads it, whose path is put into path; "" where there is
 * no agent that says so, which has been told on standard error.
 */
enum { ORPHANS_PATH = 64 };
void orphans_uses(struct cli *cli, const struct config *c, const struct config_token *t,
    char path[ORPHANS_PATH]);

#endif
