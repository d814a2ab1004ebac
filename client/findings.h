/*
 * What a command that tries things has found: a line for each as it comes,
 * with what to do where something is not well; the whole as JSON; an exit
 * status at the end.  One thread.
 */
#ifndef CLIENT_FINDINGS_H
#define CLIENT_FINDINGS_H

#include "client/cli.h"

enum finding {
	FINDING_OK,
	FINDING_SKIPPED, /* nothing to try, or this user may not look: says why */
	FINDING_WARN,	 /* will give trouble; or was not tried, and nobody forbade it */
	FINDING_REFUSED, /* by policy */
	FINDING_BAD,
	FINDING__COUNT
};

struct findings {
	const struct cli *cli;
	json_t *list;
	unsigned count[FINDING__COUNT];
};

void findings_init(struct findings *f, const struct cli *cli);
void findings_done(struct findings *f);
#define AUTO_FINDINGS __attribute__((cleanup(findings_done))) struct findings

/* todo NULL: nothing is to be done.  No secret and no whole number in either. */
void findings_add(struct findings *f, enum finding is, const char *check, const char *todo,
    const char *fmt, ...) PRINTF_LIKE(5, 6);

/*
 * Prints the end; EXIT_FAILED where something is bad, else EXIT_REFUSED, else
 * EXIT_DEGRADED for warnings, else EXIT_DONE.
 */
int findings_end(struct findings *f);

#endif
