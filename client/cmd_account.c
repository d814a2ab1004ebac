/*
 * The ACME accounts of the agent: what authorities want to know of them before
 * they give out a token (both fingerprints of the account's key), and what is
 * asked of an account's CA.
 */
#include "client/job.h"
#include "client/member.h"

#include <stdio.h>
#include <time.h>

enum { LOOK_MS = 250, LOOK_MOST_MS = 2000, WAIT_MS = 15000 };

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

/* ---- one account ----------------------------------------------------------------- */

static void
print_account(const json_t *a)
{
	const json_t *job = json_object_get(a, "job");

	printf("ca           %s\nstatus       %s\njwk          %s\nspki         %s\n",
	    member_text(a, "ca"), member_text(a, "status"), member_text(a, "jwk_fingerprint"),
	    member_text(a, "spki_fingerprint"));
	if (!json_is_object(job))
		return;
	printf("asked        %s: %s%s%s\n", member_text(job, "what"), member_text(job, "state"),
	    member_text(job, "answer")[0] != 0 ? ": " : "", member_text(job, "answer"));
	if (member_text(job, "jwk_fingerprint")[0] != 0)
		printf("next jwk     %s\nnext spki    %s\n",
		    member_text(job, "jwk_fingerprint"), member_text(job, "spki_fingerprint"));
}

static int
say(struct cli *cli, json_t *account)
{
	if (!cli->json && !cli->quiet)
		print_account(account);
	return cli->json ? cli_print_json(cli, json_incref(account)) : EXIT_DONE;
}

/* Nor is it where it is known why there is no answer: the agent goes on by itself. */
static bool
is_awaited(const json_t *account)
{
	const json_t *job = json_object_get(account, "job");

	return strcmp(member_text(job, "state"), "outstanding") == 0 &&
	       member_text(job, "answer")[0] == 0;
}

/* Each look is on record in the agent: there are fewer and fewer. */
static int
wait_for_ca(struct cli *cli, const char *target, json_t **account)
{
	int look_ms = LOOK_MS;

	for (int waited_ms = 0; is_awaited(*account) && waited_ms < WAIT_MS;
	     waited_ms += look_ms) {
		json_t *now = NULL;
		int status;

		nanosleep(&(struct timespec){ .tv_sec = look_ms / 1000,
			      .tv_nsec = look_ms % 1000 * 1000000L },
		    NULL);
		look_ms = 2 * look_ms < LOOK_MOST_MS ? 2 * look_ms : LOOK_MOST_MS;
		status = job_run(cli, "no answer", target, NULL, &now);
		if (status != EXIT_DONE)
			return status == EXIT_REFUSED ? EXIT_DEGRADED : status;
		json_decref(*account);
		*account = now;
	}
	return EXIT_DONE;
}

static int
status_of(const json_t *account)
{
	const char *state = member_text(json_object_get(account, "job"), "state");

	if (strcmp(state, "done") == 0)
		return EXIT_DONE;
	return strcmp(state, "refused") == 0 ? EXIT_REFUSED : EXIT_DEGRADED;
}

static const struct verb {
	const char *name, *tail, *failed;
	bool asks;  /* the CA, which is waited for */
	bool final; /* it cannot be undone: "yes" is said with it */
} verbs[] = {
	{ "show", "", "no account", false, false },
	{ "update", "/contact", "contacts not changed", true, false },
	{ "rekey", "/key", "key not changed", true, false },
	{ "deactivate", "/deactivate", "not deactivated", true, true },
	{ "replace", "/replace", "not replaced", false, true },
};

static int
run(struct cli *cli, const struct verb *v, const char *ca)
{
	char shown[JOB_TARGET_MAX], target[JOB_TARGET_MAX + 16], body[JOB_TARGET_MAX];
	json_auto_t *account = NULL;
	int status;

	if (ca[0] == 0 || ca[strspn(ca, "abcdefghijklmnopqrstuvwxyz0123456789._-")] != 0 ||
	    strlen(ca) > 63)
		return cli_fail(cli, EXIT_USAGE, "usage", "no name of a ca section", NULL);
	snprintf(shown, sizeof shown, "/v1/accounts/%s", ca);
	snprintf(target, sizeof target, "%s%s", shown, v->tail);
	snprintf(body, sizeof body, "{\"confirm\":\"%s\"}", ca);
	status = job_run(cli, v->failed, target, v->final ? body : NULL, &account);
	if (status == EXIT_DONE && v->asks)
		status = wait_for_ca(cli, shown, &account);
	if (status != EXIT_DONE)
		return status;
	status = say(cli, account);
	return status == EXIT_DONE && v->asks ? status_of(account) : status;
}

int
cmd_account(struct cli *cli, int argc, char **argv)
{
	bool yes = false;
	const struct option options[] = { { "--yes", OPTION_FLAG, &yes }, { 0 } };
	struct text_list rest = { 0 };
	struct fault f = { 0 };

	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (rest.len == 1 && strcmp(rest.item[0], "list") == 0 && !yes)
		return list(cli);
	for (size_t i = 0; rest.len == 2 && i < ARRAY_LEN(verbs); i++) {
		if (strcmp(rest.item[0], verbs[i].name) != 0)
			continue;
		if (verbs[i].final != yes)
			return cli_fail(cli, EXIT_USAGE, "usage",
			    yes ? "--yes goes with deactivate and replace"
				: "it cannot be undone: say --yes",
			    NULL);
		return run(cli, &verbs[i], rest.item[1]);
	}
	return cli_fail(cli, EXIT_USAGE, "usage",
	    "account list, or show, update, rekey, deactivate --yes or replace --yes CA", NULL);
}
