/*
 * vesper tenant numbers: what a tenant has, and adding to it or removing from
 * it at once.  When a removal returns, nothing more is signed for the number.
 */
#ifndef CLIENT_NUMBERS_H
#define CLIENT_NUMBERS_H

#include "client/cli.h"

#define NUMBERS_USAGE \
	"numbers list TENANT\n" \
	"   or: vesper tenant numbers add|remove TENANT NUMBER|RANGE...\n" \
	"   or: vesper tenant numbers add|remove TENANT -"

/* rest: the operands of "vesper tenant", the first one is "numbers". */
int tenant_numbers(struct cli *cli, const struct text_list *rest);

#endif
