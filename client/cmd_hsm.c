/* What an operator does to a token: vesper-hsm-admin does it, but for what the agent knows. */
#include "client/orphans.h"
#include "client/provision.h"

#include <stdio.h>

static const char *const verbs[] = { "list", "init", "set-pin", "objects", "store-cert", "test",
	"bench" };

static bool
is_verb(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i], word) == 0)
			return true;
	}
	return false;
}

static int
start(struct cli *cli, const char *verb, const struct provision_options *o, const char *cert)
{
	static struct provision_start s;
	char uses[ORPHANS_PATH] = "";
	AUTO(config) *c = NULL;
	const struct config_token *t = NULL;
	struct fault f = { 0 };

	if (provision_by_config(o)) {
		if (config_read(o->config != NULL ? o->config : SYSCONFDIR "/vesperd.conf", &c,
			&f) != RC_OK)
			return cli_fail(cli, EXIT_USAGE, "the configuration is not good",
			    f.detail, "mend it, or name the module by --module");
		if (provision_section(o, c, &t, &f) != RC_OK)
			return cli_fail(cli, f.rc == RC_NOT_FOUND ? EXIT_ABSENT : EXIT_USAGE,
			    "which token", f.detail, NULL);
	}
	if (cert != NULL && provision_path(&s, cert, &cert, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (provision_prepare(cli, verb, o, c, t, &s, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	words_pair(&s.args, "--cert", cert);
	if (t != NULL && strcmp(verb, "objects") == 0)
		orphans_uses(cli, c, t, uses);
	words_pair(&s.args, "--uses", uses[0] != 0 ? uses : NULL);
	return program_become(cli, s.program, &s.args, &s.env);
}

int
cmd_hsm(struct cli *cli, int argc, char **argv)
{
	struct provision_options o = { 0 };
	struct orphans_options more = { .key = NULL };
	const char *cert = NULL;
	struct text_list rest = { 0 };
	struct fault f = { 0 };
	bool orphans;
	const struct option options[] = { PROVISION_OPTIONS(o),
		{ "--so-pin", OPTION_TEXT, &o.so_pin },
		{ "--new-pin", OPTION_TEXT, &o.new_pin }, { "--so", OPTION_FLAG, &o.so },
		{ "--cert", OPTION_TEXT, &cert }, { "--threads", OPTION_NUMBER, &o.threads },
		{ "--seconds", OPTION_NUMBER, &o.seconds },
		{ "--destroy", OPTION_FLAG, &more.destroy },
		{ "--yes", OPTION_FLAG, &more.yes }, { "--key", OPTION_TEXT, &more.key },
		{ 0 } };

	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, "see: vesper hsm --help");
	orphans = rest.len >= 1 && strcmp(rest.item[0], "orphans") == 0;
	if (rest.len < 1 || rest.len > 2 || (!orphans && !is_verb(rest.item[0])))
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "hsm list|init|set-pin|objects|orphans|store-cert|test|bench [TOKEN]",
		    "see: vesper hsm --help");
	if (rest.len == 2 && o.token != NULL)
		return cli_fail(cli, EXIT_USAGE, "usage", "two tokens are named", NULL);
	if (rest.len == 2)
		o.token = rest.item[1];
	if (orphans)
		return orphans_show(cli, &o, &more);
	if (more.destroy || more.yes || more.key != NULL)
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "--destroy, --yes and --key go with orphans", NULL);
	return start(cli, rest.item[0], &o, cert);
}
