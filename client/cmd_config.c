#include "agent/config.h"
#include "client/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static int
check(struct cli *cli, const struct config *c)
{
	size_t credentials = 0;

	for (size_t i = 0; i < c->tenants; i++)
		credentials += c->tenant[i].credentials;
	if (cli->json)
		return cli_print_json(
		    cli, json_pack("{s:b, s:s, s:i, s:i}", "valid", 1, "file", c->file,
			     "tenants", (int)c->tenants, "credentials", (int)credentials));
	if (!cli->quiet)
		printf("%s: good: %zu tenants, %zu credentials, %zu tokens\n", c->file,
		    c->tenants, credentials, c->tokens);
	return EXIT_DONE;
}

static int
show(struct cli *cli, const struct config *c)
{
	struct fault f = { 0 };
	json_t *tree = NULL;

	if (config_to_json(c, &tree, &f) != RC_OK)
		return cli_fault(cli, EXIT_FAILED, "cannot show it", &f, NULL);
	return cli_print_json(cli, tree);
}

/* By whoever asks: what only the front's user may read is not judged. */
static enum rc
check_files(const struct config *c, struct fault *f)
{
	AUTO_FD dir = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum rc rc;

	if (dir < 0 || back < 0)
		return FAULT(f, RC_IO, "config", "%s: %s", c->dir, strerror(errno));
	TRY(config_check_files(c, dir, false, f));
	if (fchdir(dir) != 0)
		return FAULT(f, RC_IO, "config", "%s: %s", c->dir, strerror(errno));
	rc = config_check_eab(c, false, f); /* a secret is named from there */
	if (fchdir(back) != 0)
		return FAULT(f, RC_IO, "config", "%s", strerror(errno));
	return rc;
}

static int
run(struct cli *cli, const char *verb, const char *file)
{
	AUTO(config) *c = NULL;
	struct fault f = { 0 };

	if (config_read(file, &c, &f) != RC_OK ||
	    (strcmp(verb, "check") == 0 && check_files(c, &f) != RC_OK))
		return cli_fail(cli, EXIT_USAGE, "the configuration is not good", f.detail,
		    "vesperd would refuse it and keep what it has");
	return strcmp(verb, "check") == 0 ? check(cli, c) : show(cli, c);
}

int
cmd_config(struct cli *cli, int argc, char **argv)
{
	struct text_list rest = { 0 };
	struct fault f = { 0 };

	if (args_parse(cli, NULL, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (rest.len < 1 || rest.len > 2 ||
	    (strcmp(rest.item[0], "check") != 0 && strcmp(rest.item[0], "show") != 0))
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "config check [FILE] or config show [FILE]", NULL);
	return run(
	    cli, rest.item[0], rest.len == 2 ? rest.item[1] : SYSCONFDIR "/vesperd.conf");
}
