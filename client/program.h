/*
 * Programs of the agent that a subcommand becomes or waits for: vesper itself
 * holds neither their libraries nor what they know.  One thread.
 */
#ifndef CLIENT_PROGRAM_H
#define CLIENT_PROGRAM_H

#include "client/cli.h"

enum { PROGRAM_PATH = 4096, PROGRAM_WORDS = 128 };

/* What execve() wants: pointers that it does not write through; the texts are borrowed. */
struct words {
	char *item[PROGRAM_WORDS];
	size_t len;
	bool full;
};

void words_add(struct words *w, const char *word); /* NULL: none */
void words_pair(struct words *w, const char *option, const char *value);

/* Beside this program in a build tree, else where it is installed. */
void program_find(const char *name, char out[PROGRAM_PATH]);

/*
 * Become it, with this environment; NULL: the present one.  With --quiet its
 * standard output goes nowhere.  Returns on failure: its status.
 */
int program_become(
    const struct cli *cli, const char *path, const struct words *args, const struct words *env);

/* Start it, wait for it; its exit status, EXIT_FAILED where it was killed. */
int program_run(
    const struct cli *cli, const char *path, const struct words *args, const struct words *env);

/*
 * The same with its standard output in out, which has a limit; EXIT_FAILED
 * where that is not enough.
 */
int program_capture(const struct cli *cli, const char *path, const struct words *args,
    const struct words *env, struct buf *out);

#endif
