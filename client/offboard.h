/*
 * vesper tenant offboard: the end of a tenant, its confirmation, how far it is,
 * and back again.
 */
#ifndef CLIENT_OFFBOARD_H
#define CLIENT_OFFBOARD_H

#include "client/cli.h"

#define OFFBOARD_USAGE \
	"offboard TENANT --yes [--reason REASON] [--by account|key]\n" \
	"   or: vesper tenant offboard TENANT --status\n" \
	"   or: vesper tenant offboard TENANT --destroy-keys --yes [--force]\n" \
	"   or: vesper tenant offboard TENANT --take-back"

/* The agent is waited for; where it takes longer it goes on by itself. */
enum { OFFBOARD_WAIT_MS = 15000 };

struct offboard_options {
	bool yes, status, destroy, take_back, force;
	const char *reason, *by; /* NULL: not given */
};

static inline bool
offboard_given(const struct offboard_options *o)
{
	return o->yes || o->status || o->destroy || o->take_back || o->force ||
	       o->reason != NULL || o->by != NULL;
}

/* Returns the exit status: EXIT_DEGRADED as long as something is to be done or said. */
int tenant_offboard(
    struct cli *cli, const struct text_list *rest, const struct offboard_options *o);

#endif
