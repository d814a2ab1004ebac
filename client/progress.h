/*
 * A renewal while it goes on: asks the agent where it is, says each step, ends
 * with it.  One thread.
 */
#ifndef CLIENT_PROGRESS_H
#define CLIENT_PROGRESS_H

#include "client/job.h"

enum {
	PROGRESS_LOOK_MS = 250,
	PROGRESS_WAIT_MS = 600000, /* an order may be long under way; it goes on without us */
};

/*
 * Follow TENANT/NAME from what it was before (the credential as the agent
 * shows it) until another certificate is in force: EXIT_DONE; or until it is
 * refused for good: EXIT_REFUSED, said.  *last: the credential then, a new
 * reference, NULL where there was no answer.
 */
int progress_follow(
    struct cli *cli, const char *credential, const json_t *before, json_t **last);

#endif
