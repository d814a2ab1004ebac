/* Past requests judged by the present configuration: vesper-replay does it. */
#include "client/program.h"

#include <stdio.h>

int
cmd_replay(struct cli *cli, int argc, char **argv)
{
	const char *config = NULL;
	int64_t uid = -1; /* this user */
	bool enforce = false, all = false;
	struct text_list rest = { 0 };
	char uid_text[24] = "", path[PROGRAM_PATH];
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
	program_find("vesper-replay", path);
	words_add(&w, "vesper-replay");
	words_pair(&w, "--config", config);
	snprintf(uid_text, sizeof uid_text, "%lld", (long long)uid);
	words_pair(&w, "--uid", uid >= 0 ? uid_text : NULL);
	words_add(&w, cli->json ? "--json" : NULL);
	words_add(&w, cli->quiet ? "--quiet" : NULL);
	words_add(&w, enforce ? "--enforce" : NULL);
	words_add(&w, all ? "--all" : NULL);
	words_add(&w, "--");
	for (size_t i = 0; i < rest.len; i++)
		words_add(&w, rest.item[i]);
	return program_become(cli, path, &w, NULL);
}
