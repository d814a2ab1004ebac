#include "client/revoke.h"

#include <stdio.h>
#include <time.h>

#include "client/job.h"
#include "client/member.h"

enum { LOOK_MS = 250 };

/* JSON text of what was given, NULL without memory or UTF-8. */
static char *
body_of(const struct revoke_options *asked)
{
	json_auto_t *body = json_pack("{s:s*, s:s*, s:s*}", "serial", asked->serial, "reason",
	    asked->reason, "by", asked->by);

	return body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
}

/* The problem that a revocation of this serial has; NULL: none any more. */
static const json_t *
problem_of(const json_t *credential, const char *serial)
{
	char begin[64];
	const json_t *item;
	size_t i;

	snprintf(begin, sizeof begin, "serial %s:", serial);
	json_array_foreach (json_object_get(credential, "problems"), i, item) {
		if (strncmp(member_text(item, "problem"), "revocation_", 11) == 0 &&
		    strncmp(member_text(item, "detail"), begin, strlen(begin)) == 0)
			return item;
	}
	return NULL;
}

/* *out: the credential as it was seen last. */
static int
wait_for_ca(struct cli *cli, const char *target, const char *serial, json_t **out)
{
	for (int waited_ms = 0;; waited_ms += LOOK_MS) {
		json_t *now = NULL;
		const json_t *problem;
		int status = job_get(cli, "no answer", target, &now);

		if (status != EXIT_DONE)
			return status;
		json_decref(*out);
		*out = now;
		problem = problem_of(now, serial);
		/* Also where it is known why there is no answer: it goes on by itself. */
		if (problem == NULL || waited_ms >= REVOKE_WAIT_MS ||
		    strcmp(member_text(problem, "problem"), "revocation_outstanding") != 0 ||
		    strstr(member_text(problem, "detail"), "asked again: ") != NULL)
			return EXIT_DONE;
		nanosleep(&(struct timespec){ .tv_nsec = LOOK_MS * 1000000L }, NULL);
	}
}

static int
say(struct cli *cli, const char *credential, const char *serial, const json_t *problem)
{
	const char *what =
	    problem != NULL ? member_text(problem, "problem") : "revocation_done";
	bool refused = strcmp(what, "revocation_refused") == 0;

	if (cli->json)
		(void)cli_print_json(
		    cli, json_pack("{s:s, s:s, s:s, s:s?}", "credential", credential, "serial",
			     serial, "state", what + strlen("revocation_"), "detail",
			     problem != NULL ? member_text(problem, "detail") : NULL));
	else if (problem == NULL && !cli->quiet)
		printf("%s: serial %s is revoked and out of force\n", credential, serial);
	else if (!cli->quiet)
		printf("%s: out of force; %s\n", credential, member_text(problem, "detail"));
	if (refused)
		return EXIT_REFUSED;
	return problem != NULL ? EXIT_DEGRADED : EXIT_DONE;
}

int
revoke_run(struct cli *cli, const char *credential, const struct revoke_options *asked)
{
	char target[JOB_TARGET_MAX], show[JOB_TARGET_MAX];
	json_auto_t *result = NULL, *seen = NULL;
	AUTO_FREE char *body = body_of(asked);
	struct fault f = { 0 };
	int status;

	if (job_target(credential, "/revoke", target, &f) != RC_OK ||
	    job_target(credential, "", show, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (body == NULL)
		return cli_fail(cli, EXIT_USAGE, "usage", "an option that is not text", NULL);
	status = job_run(cli, "not revoked", target, body, &result);
	if (status == EXIT_DONE)
		status = wait_for_ca(cli, show, member_text(result, "serial"), &seen);
	if (status != EXIT_DONE)
		return status;
	return say(cli, credential, member_text(result, "serial"),
	    problem_of(seen, member_text(result, "serial")));
}
