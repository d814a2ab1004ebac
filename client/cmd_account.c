/*
 * The ACME accounts of the agent, and what authorities want to know of them
 * before they give out a token: both fingerprints of the account's key.
 */
#include "client/job.h"
#include "client/member.h"

#include <stdio.h>

static int
list(struct cli *cli)
{
	json_auto_t *answer = NULL;
	const json_t *item;
	size_t i;
	int status = job_get(cli, "no list", "/v1/accounts", &answer);

	if (status != EXIT_DONE || cli->quiet)
		return status;
	if (cli->json)
		return cli_print_json(cli, TAKE(answer));
	printf("%s%-16s %-9s %-12s %s%s\n", cli_bold(cli), "CA", "ISSUER", "TOKEN", "DIRECTORY",
	    cli_plain(cli));
	json_array_foreach (json_object_get(answer, "cas"), i, item)
		printf("%-16s %-9s %-12s %s\n", member_text(item, "ca"),
		    member_text(item, "issuer"), member_text(item, "token"),
		    member_text(item, "directory"));
	return EXIT_DONE;
}

static int
show(struct cli *cli, const char *ca)
{
	char target[JOB_TARGET_MAX];
	json_auto_t *result = NULL;
	int status;

	if (ca[strspn(ca, "abcdefghijklmnopqrstuvwxyz0123456789._-")] != 0 || strlen(ca) > 63)
		return cli_fail(cli, EXIT_USAGE, "usage", "no name of a ca section", NULL);
	snprintf(target, sizeof target, "/v1/accounts/%s", ca);
	status = job_run(cli, "no account", target, NULL, &result);
	if (status != EXIT_DONE || cli->quiet)
		return status;
	if (cli->json)
		return cli_print_json(cli, TAKE(result));
	printf("ca           %s\njwk          %s\nspki         %s\n", member_text(result, "ca"),
	    member_text(result, "jwk_fingerprint"), member_text(result, "spki_fingerprint"));
	return EXIT_DONE;
}

int
cmd_account(struct cli *cli, int argc, char **argv)
{
	struct text_list rest = { 0 };
	struct fault f = { 0 };

	if (args_parse(cli, NULL, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (rest.len == 1 && strcmp(rest.item[0], "list") == 0)
		return list(cli);
	if (rest.len == 2 && strcmp(rest.item[0], "show") == 0)
		return show(cli, rest.item[1]);
	return cli_fail(cli, EXIT_USAGE, "usage", "account list or account show CA", NULL);
}
