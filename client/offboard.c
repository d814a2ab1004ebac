#include "client/offboard.h"

#include <stdio.h>
#include <time.h>

#include "client/job.h"
#include "client/member.h"

enum { LOOK_MS = 250, LOOK_MOST_MS = 2000, TAIL_MAX = 32 };

/* ---- what is said ---- */

/* Not revoked, and why that may stay so. */
static const struct {
	const char *member, *says;
} counts[] = {
	{ "done", "revoked" },
	{ "outstanding",
	    "revocations outstanding: the CA has not answered and is asked again" },
	{ "canceling", "series being canceled" },
	{ "refused", "refused by the CA: ask it, then vesper cert revoke" },
	{ "apart", "of a CA that is not asked by itself: tell it" },
	{ "series", "of a series, which is canceled: they end by themselves" },
	{ "unrecorded", "not asked for yet: see the log" },
	{ "unplaced", "of credentials that are not in the configuration: put them back" },
};

static const struct {
	const char *state, *says;
} states[] = {
	{ "revoking", "signs nothing any more; its certificates are being revoked" },
	{ "revoked", "signs nothing any more; the keys wait for: vesper tenant offboard TENANT "
		     "--destroy-keys --yes" },
	{ "destroying", "signs nothing any more; its keys are being destroyed" },
	{ "destroyed", "signs nothing any more, and its keys are gone" },
};

static void
print(const json_t *shown)
{
	const json_t *certificates = json_object_get(shown, "certificates");
	const char *state = member_text(shown, "state"), *says = "";

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (strcmp(states[i].state, state) == 0)
			says = states[i].says;
	}
	printf("%s: %s: %s\n", member_text(shown, "tenant"), state, says);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		long long n = member_number(certificates, counts[i].member);

		if (n > 0)
			printf("  %lld %s\n", n, counts[i].says);
	}
	if (member_number(shown, "keys_waiting") > 0)
		printf(
		    "  %lld keys wait to be destroyed\n", member_number(shown, "keys_waiting"));
	if (json_is_false(json_object_get(shown, "configured")))
		printf("  the configuration does not name it any more\n");
}

/* Does somebody have to do something, or to wait? */
static int
status_of(const json_t *shown)
{
	const json_t *certificates = json_object_get(shown, "certificates");
	const char *state = member_text(shown, "state");

	if (strcmp(state, "destroyed") == 0)
		return EXIT_DONE;
	if (strcmp(state, "revoked") != 0 || member_number(certificates, "refused") > 0 ||
	    member_number(certificates, "apart") > 0)
		return EXIT_DEGRADED;
	return EXIT_DONE;
}

static int
say(struct cli *cli, const json_t *shown)
{
	int status = status_of(shown);

	if (!cli->json && !cli->quiet)
		print(shown);
	if (cli->json &&
	    cli_print_json(cli, json_incref((json_t *)(uintptr_t)shown)) != EXIT_DONE)
		return EXIT_FAILED;
	return status;
}

/* ---- what is asked ---- */

static int
target_of(
    struct cli *cli, const char *tenant, const char *tail, char out[JOB_TARGET_MAX + TAIL_MAX])
{
	if (tenant[0] == 0 || strlen(tenant) > 63 ||
	    tenant[strspn(tenant, "abcdefghijklmnopqrstuvwxyz0123456789._-")] != 0)
		return cli_fail(cli, EXIT_USAGE, "usage", "no name of a tenant section", NULL);
	snprintf(out, JOB_TARGET_MAX + TAIL_MAX, "/v1/tenants/%s/offboarding%s", tenant, tail);
	return EXIT_DONE;
}

static int
ask(struct cli *cli, const char *tenant, const char *tail, json_t *members, json_t **out)
{
	json_auto_t *body = members;
	AUTO_FREE char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
	char target[JOB_TARGET_MAX + TAIL_MAX];
	int status = target_of(cli, tenant, tail, target);

	if (status == EXIT_DONE && body != NULL && text == NULL)
		return cli_fail(cli, EXIT_USAGE, "usage", "an option that is not text", NULL);
	return status == EXIT_DONE ? job_run(cli, "not off-boarded", target, text, out)
				   : status;
}

static bool
is_under_way(const json_t *shown)
{
	const char *state = member_text(shown, "state");

	return strcmp(state, "revoking") == 0 || strcmp(state, "destroying") == 0;
}

/* Each look is on record in the agent: there are fewer and fewer. */
static int
wait_for_it(struct cli *cli, const char *tenant, json_t **shown)
{
	int look_ms = LOOK_MS;

	for (int waited_ms = 0; is_under_way(*shown) && waited_ms < OFFBOARD_WAIT_MS;
	     waited_ms += look_ms) {
		json_t *now = NULL;
		int status;

		nanosleep(&(struct timespec){ .tv_sec = look_ms / 1000,
			      .tv_nsec = look_ms % 1000 * 1000000L },
		    NULL);
		look_ms = 2 * look_ms < LOOK_MOST_MS ? 2 * look_ms : LOOK_MOST_MS;
		status = ask(cli, tenant, "/status", NULL, &now);
		if (status != EXIT_DONE)
			return status;
		json_decref(*shown);
		*shown = now;
	}
	return EXIT_DONE;
}

static int
take_back(struct cli *cli, const char *tenant)
{
	json_auto_t *result = NULL;
	int status = ask(cli, tenant, "/take-back", NULL, &result);

	if (status != EXIT_DONE)
		return status;
	if (cli->json)
		return cli_print_json(
		    cli, json_pack("{s:s, s:s}", "tenant", tenant, "state", "taken_back"));
	if (!cli->quiet)
		printf("%s: taken back; what was revoked is ordered anew, as its file says\n",
		    tenant);
	return EXIT_DONE;
}

static json_t *
begin_members(const char *tenant, const struct offboard_options *o)
{
	return json_pack(
	    "{s:s, s:s*, s:s*}", "confirm", tenant, "reason", o->reason, "by", o->by);
}

static json_t *
destroy_members(const char *tenant, const struct offboard_options *o)
{
	return json_pack(
	    "{s:s, s:s*}", "confirm", tenant, "outstanding", o->force ? "accept" : NULL);
}

static int
run(struct cli *cli, const char *tenant, const struct offboard_options *o)
{
	json_auto_t *shown = NULL;
	int status;

	if (o->status)
		status = ask(cli, tenant, "/status", NULL, &shown);
	else if (o->destroy)
		status = ask(cli, tenant, "/destroy-keys", destroy_members(tenant, o), &shown);
	else
		status = ask(cli, tenant, "", begin_members(tenant, o), &shown);
	if (status == EXIT_DONE && !o->status)
		status = wait_for_it(cli, tenant, &shown);
	return status == EXIT_DONE ? say(cli, shown) : status;
}

/* One of the four, and its own options alone. */
static bool
is_whole(const struct offboard_options *o)
{
	int verbs = o->status + o->destroy + o->take_back;
	bool begins = verbs == 0;

	return verbs <= 1 && (begins || o->destroy ? o->yes : !o->yes) &&
	       (o->destroy || !o->force) && (begins || (o->reason == NULL && o->by == NULL));
}

int
tenant_offboard(struct cli *cli, const struct text_list *rest, const struct offboard_options *o)
{
	if (rest->len == 2 && !o->yes && !o->status && !o->take_back)
		return cli_fail(
		    cli, EXIT_USAGE, "usage", "it cannot be undone: say --yes", NULL);
	if (rest->len != 2 || !is_whole(o))
		return cli_fail(
		    cli, EXIT_USAGE, "usage", "vesper tenant " OFFBOARD_USAGE, NULL);
	return o->take_back ? take_back(cli, rest->item[1]) : run(cli, rest->item[1], o);
}
