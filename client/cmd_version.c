#include "client/cli.h"
#include "stir/profile.h"

#include <stdio.h>

int
cmd_version(struct cli *cli, int argc, char **argv)
{
	struct text_list rest = { 0 };
	struct fault f = { 0 };

	if (args_parse(cli, NULL, argc, argv, &rest, &f) != RC_OK || rest.len > 0)
		return cli_fail(cli, EXIT_USAGE, "usage",
		    rest.len > 0 ? "it takes no arguments" : f.detail, NULL);
	if (cli->json)
		return cli_print_json(cli, json_pack("{s:s, s:s}", "version", vesper_version(),
					       "draft", VESPER_DRAFT));
	printf("vesper %s (%s)\n", vesper_version(), VESPER_DRAFT);
	return EXIT_DONE;
}
