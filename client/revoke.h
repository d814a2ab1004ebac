/*
 * vesper cert revoke: out of force at once, then what the CA says of it.
 */
#ifndef CLIENT_REVOKE_H
#define CLIENT_REVOKE_H

#include "client/cli.h"

/* The CA is waited for; where it takes longer the agent goes on by itself. */
enum { REVOKE_WAIT_MS = 15000 };

struct revoke_options {
	const char *serial, *reason, *by; /* NULL: not given */
};

/* Returns the exit status: EXIT_DEGRADED while the CA has not answered. */
int revoke_run(struct cli *cli, const char *credential, const struct revoke_options *asked);

#endif
