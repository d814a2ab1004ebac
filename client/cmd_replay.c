/* Past requests judged by the present configuration: vesper-replay does it. */
#include "client/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_LEN = 4096, WORDS_MAX = ARGS_MAX + 16 };

/* Beside this program in a build tree, else where it is installed. */
static void
find_program(char out[PATH_LEN])
{
	static const char name[] = "vesper-replay";
	ssize_t n = readlink("/proc/self/exe", out, PATH_LEN - sizeof name - 1);
	char *slash;

	if (n > 0) {
		out[n] = 0;
		slash = strrchr(out, '/');
		if (slash != NULL)
			memcpy(slash + 1, name, sizeof name);
		if (slash != NULL && access(out, X_OK) == 0)
			return;
	}
	snprintf(out, PATH_LEN, "%s/%s", LIBEXECDIR, name);
}

struct words {
	char *item[WORDS_MAX];
	size_t len;
};

static void
add(struct words *w, const char *word)
{
	if (word != NULL && w->len < WORDS_MAX - 1)
		w->item[w->len++] = (char *)(uintptr_t)word;
}

int
cmd_replay(struct cli *cli, int argc, char **argv)
{
	const char *config = NULL;
	int64_t uid = -1; /* this user */
	bool enforce = false, all = false;
	struct text_list rest = { 0 };
	char uid_text[24] = "", path[PATH_LEN];
	const struct option options[] = { { "--config", OPTION_TEXT, &config },
		{ "-c", OPTION_TEXT, &config }, { "--uid", OPTION_TIME, &uid },
		{ "--enforce", OPTION_FLAG, &enforce }, { "--all", OPTION_FLAG, &all }, { 0 } };
	struct words w = { .len = 0 };
	struct fault f = { 0 };

	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (rest.len == 0)
		return cli_fail(
		    cli, EXIT_USAGE, "usage", "LOG... is due, or - for standard input", NULL);
	find_program(path);
	add(&w, "vesper-replay");
	if (config != NULL)
		add(&w, "--config");
	add(&w, config);
	snprintf(uid_text, sizeof uid_text, "%lld", (long long)uid);
	if (uid >= 0)
		add(&w, "--uid");
	add(&w, uid >= 0 ? uid_text : NULL);
	add(&w, cli->json ? "--json" : NULL);
	add(&w, cli->quiet ? "--quiet" : NULL);
	add(&w, enforce ? "--enforce" : NULL);
	add(&w, all ? "--all" : NULL);
	add(&w, "--");
	for (size_t i = 0; i < rest.len; i++)
		add(&w, rest.item[i]);
	execv(path, w.item);
	return cli_fail(
	    cli, EXIT_FAILED, path, strerror(errno), "install the agent completely");
}
