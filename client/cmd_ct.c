/*
 * The transparency logs: what they show, and whether they keep their promises.
 */
#include "client/job.h"
#include "client/member.h"

#include <stdio.h>

static void
print_log(const struct cli *cli, const json_t *log)
{
	const json_t *problem = json_object_get(log, "problem");
	char time[TIME_TEXT] = "-";

	if (json_is_integer(json_object_get(log, "tree_head_time")))
		cli_time_text(member_number(log, "tree_head_time"), time);
	printf("%-16.16s  %-12s %12lld  %-20s  %s\n", member_text(log, "log"),
	    member_text(log, "state"), member_number(log, "tree_size"), time,
	    member_text(log, "name"));
	if (json_is_object(problem)) {
		cli_time_text(member_number(problem, "since"), time);
		printf("  %s%s since %s: %s%s\n", cli_bold(cli),
		    json_is_true(json_object_get(log, "alarming")) ? "alarm" : "problem", time,
		    member_text(problem, "detail"), cli_plain(cli));
	}
}

static int
status(struct cli *cli)
{
	json_auto_t *answer = NULL;
	const json_t *list, *item;
	bool well = true;
	size_t i;
	int rc = job_get(cli, "no logs", "/v1/ct", &answer);

	if (rc != EXIT_DONE)
		return rc;
	list = json_object_get(answer, "logs");
	if (!cli->json && !cli->quiet)
		printf("%s%-16s  %-12s %12s  %-20s  %s%s\n", cli_bold(cli), "LOG", "STATE",
		    "ENTRIES", "TREE HEAD", "NAME", cli_plain(cli));
	json_array_foreach (list, i, item) {
		well = well && !json_is_true(json_object_get(item, "alarming"));
		if (!cli->json && !cli->quiet)
			print_log(cli, item);
	}
	if (cli->json && cli_print_json(cli, TAKE(answer)) != EXIT_DONE)
		return EXIT_FAILED;
	return well ? EXIT_DONE : EXIT_DEGRADED;
}

int
cmd_ct(struct cli *cli, int argc, char **argv)
{
	struct text_list rest = { 0 };
	struct fault f = { 0 };

	if (args_parse(cli, NULL, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (rest.len == 1 && strcmp(rest.item[0], "status") == 0)
		return status(cli);
	return cli_fail(cli, EXIT_USAGE, "usage", "ct status", NULL);
}
