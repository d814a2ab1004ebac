#include "client/progress.h"

#include <stdio.h>
#include <time.h>

#include "client/member.h"

static int64_t
monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- what is said ------------------------------------------------------------------ */

static void
say(const struct cli *cli, const char *what, const char *detail)
{
	char now[TIME_TEXT];

	if (cli->quiet || cli->json)
		return;
	cli_time_text((int64_t)time(NULL), now);
	printf("%s  %s%s%s\n", now, what, detail[0] != 0 ? ": " : "", detail);
	(void)fflush(stdout); /* somebody is looking */
}

/* What is different from what was said before. */
static void
say_news(const struct cli *cli, const json_t *was, const json_t *is)
{
	const json_t *before = json_object_get(was, "renewal");
	const json_t *now = json_object_get(is, "renewal");

	if (strcmp(member_text(before, "step"), member_text(now, "step")) != 0 &&
	    member_text(now, "step")[0] != 0)
		say(cli, member_text(now, "step"), "");
	if (member_number(now, "attempts") > member_number(before, "attempts"))
		say(cli, "delayed", member_text(is, "detail"));
}

static void
say_end(const struct cli *cli, const json_t *is)
{
	char until[TIME_TEXT], line[128];

	cli_time_text(member_number(is, "not_after"), until);
	snprintf(line, sizeof line, "serial %.64s until %s", member_text(is, "serial"), until);
	say(cli, "in force", line);
}

/* ---- the end ----------------------------------------------------------------------- */

static bool
is_new(const json_t *before, const json_t *is)
{
	return member_text(is, "serial")[0] != 0 &&
	       strcmp(member_text(before, "serial"), member_text(is, "serial")) != 0;
}

static bool
is_refused(const json_t *before, const json_t *is)
{
	return member_number(json_object_get(is, "renewal"), "refusals") >
	       member_number(json_object_get(before, "renewal"), "refusals");
}

static int
refused(const struct cli *cli, const json_t *is)
{
	return cli_fail(cli, EXIT_REFUSED, "not renewed", member_text(is, "detail"),
	    member_text(is, "serial")[0] != 0
		? "what is in force stays; mend it, then: vesper cert "
		  "renew"
		: "mend it, then: vesper cert renew");
}

int
progress_follow(struct cli *cli, const char *credential, const json_t *before, json_t **last)
{
	int64_t until_ms = monotonic_ms() + PROGRESS_WAIT_MS;
	json_auto_t *was = json_incref((json_t *)(uintptr_t)before);
	char target[JOB_TARGET_MAX];
	struct fault f = { 0 };
	int status;

	*last = NULL;
	if (job_target(credential, "", target, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	while (monotonic_ms() < until_ms) {
		json_t *is = NULL;

		status = job_get(cli, "no progress", target, &is);
		if (status != EXIT_DONE)
			return status;
		json_decref(*last);
		*last = json_incref(is);
		say_news(cli, was, is);
		json_decref(was);
		was = is;
		if (is_new(before, is)) {
			say_end(cli, is);
			return EXIT_DONE;
		}
		if (is_refused(before, is))
			return refused(cli, is);
		nanosleep(&(struct timespec){ .tv_nsec = PROGRESS_LOOK_MS * 1000000L }, NULL);
	}
	return cli_fail(cli, EXIT_FAILED, "not renewed yet", "it takes too long",
	    "it goes on in the agent; see: vesper cert show");
}
