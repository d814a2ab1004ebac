#include "client/job.h"

#include <stdio.h>
#include <time.h>

#include "client/member.h"

/* ---- one request ------------------------------------------------------------------ */

/* A reason of the checks is a refusal; what may pass by itself is a failure. */
static int
exit_of(int http_status)
{
	if (http_status == 404)
		return EXIT_ABSENT;
	return http_status == 429 || http_status >= 500 ? EXIT_FAILED : EXIT_REFUSED;
}

static int
refused(const struct cli *cli, const char *what, int http_status, const json_t *problem)
{
	struct fault f = { 0 };

	if (member_text(problem, "reason")[0] == 0)
		return cli_fail(cli, EXIT_FAILED, what, "an answer of another kind",
		    "is this vesperd's socket?");
	if (cli->json)
		(void)cli_print_json(cli, json_pack("{s:O}", "error", problem));
	(void)FAULT(&f, RC_DENIED, member_text(problem, "reason"), "%s",
	    member_text(problem, "detail"));
	return cli_fault(cli, exit_of(http_status), what, &f,
	    strcmp(f.reason, "not_found") == 0 ? "see: vesper cert list" : NULL);
}

int
job_ask(struct cli *cli, struct vesper_client *client, const char *what, const char *method,
    const char *target, const char *body, json_t **answer)
{
	struct vesper_response *r = NULL;
	struct vesper_error e;
	json_auto_t *root = NULL;
	int status;

	if (vesper_call(client, method, target, body, &r, &e) != VESPER_OK)
		return cli_unanswered(cli, what, &e);
	root = cli_answer(r);
	status = vesper_response_status(r);
	vesper_response_free(r);
	if ((status != 200 && status != 202) || !json_is_object(root))
		return refused(cli, what, status, root);
	*answer = TAKE(root);
	return EXIT_DONE;
}

static struct vesper_client *
open_admin(struct cli *cli, int *status)
{
	const char *path = cli_admin_path(cli);

	return cli_connect(cli, path != NULL ? path : JOB_ADMIN_SOCKET, status);
}

int
job_get(struct cli *cli, const char *what, const char *target, json_t **answer)
{
	int status = EXIT_DONE;
	struct vesper_client *client = open_admin(cli, &status);

	if (client == NULL)
		return status;
	status = job_ask(cli, client, what, "GET", target, NULL, answer);
	vesper_close(client);
	return status;
}

/* ---- a job ------------------------------------------------------------------------- */

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The reasons for which the same command may do later. */
static bool
may_pass(const char *reason)
{
	static const char *const reasons[] = { "hsm_unavailable", "hsm_timeout", "overloaded",
		"io", "renewer_unavailable", "http_unreachable", "http_timeout", "http_failed",
		"authority_timeout" };

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (strcmp(reasons[i], reason) == 0)
			return true;
	}
	return false;
}

static int
status_of_job(const char *reason)
{
	if (strcmp(reason, "not_found") == 0)
		return EXIT_ABSENT;
	return may_pass(reason) ? EXIT_FAILED : EXIT_REFUSED;
}

static int
job_failed(const struct cli *cli, const char *what, const json_t *job)
{
	struct fault f = { 0 };
	int status = status_of_job(member_text(job, "reason"));

	if (cli->json)
		(void)cli_print_json(
		    cli, json_pack("{s:{s:s, s:s}}", "error", "reason",
			     member_text(job, "reason"), "detail", member_text(job, "detail")));
	(void)FAULT(
	    &f, RC_DENIED, member_text(job, "reason"), "%s", member_text(job, "detail"));
	return cli_fault(cli, status, what, &f, status == EXIT_FAILED ? "try again" : NULL);
}

static int
wait_for(struct cli *cli, struct vesper_client *client, const char *what, const json_t *started,
    json_t **result)
{
	json_auto_t *job = json_incref((json_t *)(uintptr_t)started);
	int64_t until_ms = now_ms() + JOB_WAIT_MS;
	char target[JOB_TARGET_MAX];

	snprintf(target, sizeof target, "/v1/jobs/%lld",
	    (long long)json_integer_value(json_object_get(started, "job")));
	while (strcmp(member_text(job, "state"), "running") == 0) {
		json_t *next = NULL;
		int status;

		if (now_ms() > until_ms)
			return cli_fail(cli, EXIT_FAILED, what, "it takes too long",
			    "it goes on in the agent; see: vesper cert list");
		nanosleep(&(struct timespec){ .tv_nsec = JOB_LOOK_MS * 1000000L }, NULL);
		status = job_ask(cli, client, what, "GET", target, NULL, &next);
		if (status != EXIT_DONE)
			return status;
		json_decref(job);
		job = next;
	}
	if (strcmp(member_text(job, "state"), "done") != 0)
		return job_failed(cli, what, job);
	*result = json_incref(json_object_get(job, "result"));
	if (*result == NULL)
		*result = json_null();
	return EXIT_DONE;
}

int
job_run(
    struct cli *cli, const char *what, const char *target, const char *body, json_t **result)
{
	int status = EXIT_DONE;
	struct vesper_client *client = open_admin(cli, &status);
	json_t *started = NULL;

	if (client == NULL)
		return status;
	status = job_ask(cli, client, what, "POST", target, body, &started);
	if (status == EXIT_DONE)
		status = wait_for(cli, client, what, started, result);
	json_decref(started);
	vesper_close(client);
	return status;
}

/* ---- names ------------------------------------------------------------------------- */

enum rc
job_target(const char *credential, const char *tail, char out[JOB_TARGET_MAX], struct fault *f)
{
	size_t good = strspn(credential, "abcdefghijklmnopqrstuvwxyz0123456789._-/");
	const char *slash = strchr(credential, '/');

	if (slash == NULL || slash == credential || slash[1] == 0 ||
	    strchr(slash + 1, '/') != NULL || credential[good] != 0 || strlen(credential) > 127)
		return FAULT(f, RC_INVALID, "usage",
		    "'%.60s' is no credential; name it as TENANT/NAME", credential);
	snprintf(out, JOB_TARGET_MAX, "/v1/credentials/%s%s", credential, tail);
	return RC_OK;
}
