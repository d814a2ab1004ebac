/*
 * vesper tenant failover, failback: which of a credential and the one in
 * reserve for it signs, and how that is shown.
 */
#ifndef CLIENT_FAILOVER_H
#define CLIENT_FAILOVER_H

#include "client/cli.h"

enum { FAILOVER_WORD_MAX = 160 };

bool failover_is(const char *verb); /* "failover", "failback" */

/* rest: the operands of "vesper tenant", the first one is the verb. */
int tenant_failover(struct cli *cli, const struct text_list *rest);

/* "in reserve for main", of a credential as the agent shows it; false: it has no part in any. */
bool failover_word(const json_t *credential, char out[FAILOVER_WORD_MAX]);

#endif
