#include "client/revoke.h"

#include <stdio.h>
#include <time.h>

#include "client/job.h"
#include "client/member.h"

enum { LOOK_MS = 250, LOOK_MOST_MS = 2000 };

/* JSON text of what was given, NULL without memory or UTF-8. */
static char *
body_of(const struct revoke_options *asked)
{
	json_auto_t *body = json_pack("{s:s*, s:s*, s:s*}", "serial", asked->serial, "reason",
	    asked->reason, "by", asked->by);

	return body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
}

/* What is known of this revocation: of the list where it is on that, else of the job. */
static const json_t *
word_in(const json_t *list, const char *serial)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const json_t *revocation = json_object_get(item, "revocation");

		if (strcmp(member_text(item, "serial"), serial) == 0 &&
		    json_is_object(revocation))
			return revocation;
	}
	return NULL;
}

static const json_t *
word_of(const json_t *history, const char *serial, const json_t *result)
{
	const json_t *word = word_in(json_object_get(history, "certificates"), serial);

	if (word == NULL)
		word = word_in(json_object_get(history, "others"), serial);
	return word != NULL ? word : result;
}

/* Nor is it where it is known why there is no answer: the agent goes on by itself. */
static bool
is_awaited(const json_t *word)
{
	return strcmp(member_text(word, "state"), "outstanding") == 0 &&
	       member_text(word, "answer")[0] == 0;
}

/* Each look is on record in the agent: there are fewer and fewer. */
static int
wait_for_ca(struct cli *cli, const char *target, const json_t *result, json_t **word)
{
	int look_ms = LOOK_MS;

	for (int waited_ms = 0;; waited_ms += look_ms) {
		json_auto_t *history = NULL;
		const json_t *now = result;

		if (is_awaited(result)) {
			int status = job_run(cli, "no answer", target, NULL, &history);

			if (status != EXIT_DONE) /* it was not the CA that refused */
				return status == EXIT_REFUSED ? EXIT_DEGRADED : status;
			now = word_of(history, member_text(result, "serial"), result);
		}
		if (!is_awaited(now) || now == result || waited_ms >= REVOKE_WAIT_MS) {
			*word = json_incref((json_t *)(uintptr_t)now);
			return EXIT_DONE;
		}
		nanosleep(&(struct timespec){ .tv_sec = look_ms / 1000,
			      .tv_nsec = look_ms % 1000 * 1000000L },
		    NULL);
		look_ms = 2 * look_ms < LOOK_MOST_MS ? 2 * look_ms : LOOK_MOST_MS;
	}
}

/* Only what the CA has done is done; a state of an agent that is newer than this is none. */
static const struct state {
	const char *name, *says;
	int status;
} states[] = {
	{ "outstanding", "revocation outstanding: its CA has not answered and is asked again",
	    EXIT_DEGRADED },
	{ "done", NULL, EXIT_DONE },
	{ "refused", "its CA refuses the revocation; ask again by: vesper cert revoke",
	    EXIT_REFUSED },
	{ "apart", "no CA is asked by itself: tell it of the revocation", EXIT_DEGRADED },
	{ "series",
	    "its series is canceled; a CA revokes no certificate of one: it ends by itself",
	    EXIT_DEGRADED },
};

static const struct state *
state_of(const json_t *word)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (strcmp(states[i].name, member_text(word, "state")) == 0)
			return &states[i];
	}
	return &states[0];
}

static int
say(struct cli *cli, const char *credential, const char *serial, const json_t *word)
{
	const struct state *state = state_of(word);
	const char *answer = member_text(word, "answer");
	char detail[512];

	snprintf(detail, sizeof detail, "serial %s: %s%s%s", serial,
	    state->says != NULL ? state->says : "", answer[0] != 0 ? ": " : "", answer);
	if (cli->json)
		(void)cli_print_json(
		    cli, json_pack("{s:s, s:s, s:s, s:s?}", "credential", credential, "serial",
			     serial, "state", state->name, "detail",
			     state->says != NULL ? detail : NULL));
	else if (state->says == NULL && !cli->quiet)
		printf("%s: serial %s is revoked and out of force\n", credential, serial);
	else if (!cli->quiet)
		printf("%s: out of force; %s\n", credential, detail);
	return state->status;
}

int
revoke_run(struct cli *cli, const char *credential, const struct revoke_options *asked)
{
	char target[JOB_TARGET_MAX], history[JOB_TARGET_MAX];
	json_auto_t *result = NULL, *word = NULL;
	AUTO_FREE char *body = body_of(asked);
	struct fault f = { 0 };
	int status;

	if (job_target(credential, "/revoke", target, &f) != RC_OK ||
	    job_target(credential, "/history", history, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (body == NULL)
		return cli_fail(cli, EXIT_USAGE, "usage", "an option that is not text", NULL);
	status = job_run(cli, "not revoked", target, body, &result);
	if (status == EXIT_DONE)
		status = wait_for_ca(cli, history, result, &word);
	if (status != EXIT_DONE)
		return status;
	return say(cli, credential, member_text(result, "serial"), word);
}
