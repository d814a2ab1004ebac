#include "client/failover.h"

#include <stdio.h>

#include "client/job.h"
#include "client/member.h"

bool
failover_is(const char *verb)
{
	return strcmp(verb, "failover") == 0 || strcmp(verb, "failback") == 0;
}

bool
failover_word(const json_t *credential, char out[FAILOVER_WORD_MAX])
{
	const char *whose = member_text(credential, "reserve_for");
	const char *reserve = member_text(credential, "reserve");
	bool by = json_is_true(json_object_get(credential, "stands_by"));
	char since[TIME_TEXT] = "-";

	if (whose[0] == 0 && reserve[0] == 0)
		return false;
	cli_time_text(member_number(credential, "failed_over_since"), since);
	if (whose[0] != 0 && by)
		snprintf(out, FAILOVER_WORD_MAX, "in reserve for %s", whose);
	else if (whose[0] != 0)
		snprintf(out, FAILOVER_WORD_MAX, "signs for %s since %s", whose, since);
	else if (by)
		snprintf(out, FAILOVER_WORD_MAX, "failed over to %s since %s", reserve, since);
	else
		snprintf(out, FAILOVER_WORD_MAX, "%s is in reserve", reserve);
	return true;
}

/* "acme/main" to the tenant's route and the section's name. */
static bool
split(const char *text, const char *verb, char target[JOB_TARGET_MAX], char **body)
{
	const char *slash = strchr(text, '/');
	char whole[JOB_TARGET_MAX];
	json_auto_t *names = NULL;

	if (job_target(text, "", whole, NULL) != RC_OK)
		return false;
	snprintf(
	    target, JOB_TARGET_MAX, "/v1/tenants/%.*s/%s", (int)(slash - text), text, verb);
	names = json_pack("{s:s}", "credential", slash + 1);
	*body = json_dumps(names, JSON_COMPACT);
	return *body != NULL;
}

int
tenant_failover(struct cli *cli, const struct text_list *rest)
{
	const char *verb = rest->item[0];
	char target[JOB_TARGET_MAX];
	json_auto_t *result = NULL;
	AUTO_FREE char *body = NULL;
	bool over = strcmp(verb, "failover") == 0;
	int status;

	if (rest->len != 2 || !split(rest->item[1], verb, target, &body))
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "vesper tenant failover TENANT/CREDENTIAL, vesper tenant failback "
		    "TENANT/CREDENTIAL",
		    NULL);
	status =
	    job_run(cli, over ? "not failed over" : "not failed back", target, body, &result);
	if (status != EXIT_DONE)
		return status;
	if (cli->json)
		return cli_print_json(cli, TAKE(result));
	if (!cli->quiet)
		printf("%s: %s signs from now on\n", rest->item[1],
		    over ? member_text(result, "reserve") : member_text(result, "credential"));
	return EXIT_DONE;
}
