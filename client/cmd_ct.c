/*
 * The transparency logs: what they show, whether they keep their promises, and
 * what they have of ours that nobody here ordered.
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

/* ---- watch ---------------------------------------------------------------------------- */

static void
print_found(const struct cli *cli, const json_t *log, const json_t *found)
{
	const char *tenant = member_text(found, "tenant");
	char until[TIME_TEXT] = "-";

	if (member_number(found, "until") != 0)
		cli_time_text(member_number(found, "until"), until);
	printf("%s%-16s%s  %-26s  serial %s until %s by %s (entry %lld of log %.16s)\n",
	    cli_bold(cli), tenant[0] != 0 ? tenant : "?", cli_plain(cli),
	    member_text(found, "what"),
	    member_text(found, "serial")[0] != 0 ? member_text(found, "serial") : "-", until,
	    member_text(found, "issuer")[0] != 0 ? member_text(found, "issuer") : "-",
	    member_number(found, "index"), member_text(log, "log"));
}

/* What a log has that nobody here ordered, and whether it can be told at all. */
struct watched {
	size_t found, unknown;
};

static void
print_watch(const struct cli *cli, const json_t *log, const json_t *watch)
{
	const char *problem = member_text(watch, "problem");
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(watch, "found"), i, item)
		print_found(cli, log, item);
	if (member_number(watch, "more") > 0)
		printf("and %lld more in log %.16s\n", member_number(watch, "more"),
		    member_text(log, "log"));
	printf("log %.16s: %lld of %lld entries read%s%s\n", member_text(log, "log"),
	    member_number(watch, "read"), member_number(log, "tree_size"),
	    problem[0] != 0 ? ", but " : "", problem);
}

static void
watch_log(const struct cli *cli, const json_t *log, struct watched *w)
{
	const json_t *watch = json_object_get(log, "watch");
	bool begun = json_is_integer(json_object_get(log, "tree_size"));
	bool read = member_number(watch, "read") > 0 || member_number(log, "tree_size") == 0;
	bool alarm = json_is_true(json_object_get(log, "alarming"));
	bool behind = json_is_true(json_object_get(watch, "behind"));

	w->unknown +=
	    !begun || !read || alarm || behind || member_text(watch, "problem")[0] != 0;
	w->found += json_array_size(json_object_get(watch, "found")) +
		    (size_t)member_number(watch, "more");
	if (!cli->json && !cli->quiet)
		print_watch(cli, log, watch);
}

static int
watch(struct cli *cli)
{
	json_auto_t *answer = NULL;
	struct watched w = { .found = 0 };
	const json_t *list, *item;
	size_t i;
	int rc = job_get(cli, "no logs", "/v1/ct", &answer);

	if (rc != EXIT_DONE)
		return rc;
	list = json_object_get(answer, "logs");
	if (!json_is_object(json_object_get(json_array_get(list, 0), "watch")))
		return cli_fail(cli, EXIT_USAGE, "no log is read",
		    "ct_watch is not set, or no log of ct_logs can be asked",
		    "set ct_watch = yes in vesperd.conf");
	json_array_foreach (list, i, item)
		watch_log(cli, item, &w);
	if (cli->json && cli_print_json(cli, TAKE(answer)) != EXIT_DONE)
		return EXIT_FAILED;
	if (w.found > 0)
		return EXIT_DEGRADED;
	return w.unknown > 0 ? EXIT_FAILED : EXIT_DONE;
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
	if (rest.len == 1 && strcmp(rest.item[0], "watch") == 0)
		return watch(cli);
	return cli_fail(cli, EXIT_USAGE, "usage", "ct status or ct watch", NULL);
}
