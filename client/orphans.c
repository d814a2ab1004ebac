#include "client/orphans.h"

#include <stdio.h>

#include "client/job.h"
#include "client/member.h"

/* The socket that the command line names, else the configuration's. */
static void
choose_socket(struct cli *cli, const struct config *c)
{
	if (cli->socket == NULL && c != NULL)
		cli->socket = c->admin_path;
}

static const char *
target_of(const char *token, const char *tail, char out[JOB_TARGET_MAX])
{
	snprintf(out, JOB_TARGET_MAX, "/v1/tokens/%s%s", token, tail);
	return out;
}

/* ---- for vesper-hsm-admin ---- */

/* Names of the configuration and words of the agent: none has a blank in it. */
static bool
is_word(const char *s)
{
	return s[0] != 0 && s[strcspn(s, " \n")] == 0;
}

static void
write_uses(FILE *out, const json_t *answer)
{
	const json_t *key;
	size_t i;

	fprintf(out, "installation %s\n",
	    is_word(member_text(answer, "installation")) ? member_text(answer, "installation")
							 : "-");
	json_array_foreach (json_object_get(answer, "keys"), i, key) {
		const char *use = member_text(key, "use"), *of = member_text(key, "of");

		fprintf(out, "%s %s %s\n", member_text(key, "key"), is_word(use) ? use : "-",
		    is_word(of) ? of : "-");
	}
}

/* Without a name, and gone with those who have it open. */
static bool
pass_on(const json_t *answer, char path[ORPHANS_PATH])
{
	FILE *file = tmpfile();

	if (file == NULL)
		return false;
	write_uses(file, answer);
	if (fflush(file) != 0 || ferror(file)) {
		fclose(file);
		return false;
	}
	snprintf(path, ORPHANS_PATH, "/proc/self/fd/%d", fileno(file));
	return true; /* it stays open for the program that vesper becomes */
}

static bool
is_there(const struct cli *cli)
{
	const char *path = cli_admin_path(cli);
	struct vesper_client *client = NULL;
	struct vesper_error e;
	bool there =
	    vesper_open(path != NULL ? path : JOB_ADMIN_SOCKET, &client, &e) == VESPER_OK;

	if (!there)
		fprintf(stderr,
		    "vesper hsm: the agent does not answer (%s): whose keys these are is not "
		    "known\n",
		    e.detail);
	vesper_close(client);
	return there;
}

void
orphans_uses(struct cli *cli, const struct config *c, const struct config_token *t,
    char path[ORPHANS_PATH])
{
	struct cli as = *cli;
	char target[JOB_TARGET_MAX];
	json_auto_t *answer = NULL;

	path[0] = 0;
	as.json = false; /* standard output is the other program's */
	choose_socket(&as, c);
	if (is_there(&as) &&
	    job_run(&as, "whose keys these are is not known",
		target_of(t->name, "/keys", target), NULL, &answer) == EXIT_DONE &&
	    !pass_on(answer, path))
		path[0] = 0;
}

/* ---- orphans ---- */

static void
print_orphans(const json_t *answer)
{
	const json_t *list = json_object_get(answer, "orphans"), *one;
	char since[TIME_TEXT];
	size_t i;

	printf("token %s  installation %s  %lld keys of it, %zu orphans\n",
	    member_text(answer, "token"), member_text(answer, "installation"),
	    member_number(answer, "own"), json_array_size(list));
	json_array_foreach (list, i, one) {
		cli_time_text((int64_t)member_number(one, "since"), since);
		printf("%s  %-9s  since %s\n", member_text(one, "key"),
		    member_text(one, "state"), since);
	}
	if (member_text(answer, "reason")[0] != 0)
		printf("none would be destroyed: %s: %s\n", member_text(answer, "reason"),
		    member_text(answer, "detail"));
	if (member_number(answer, "left") > 0)
		printf("%lld may go: --destroy --yes\n", member_number(answer, "left"));
}

static bool
are_left(const json_t *answer)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(answer, "orphans"), i, one) {
		if (strcmp(member_text(one, "state"), "destroyed") != 0)
			return true;
	}
	return false;
}

static int
ask(struct cli *cli, const char *token, const struct orphans_options *more)
{
	char target[JOB_TARGET_MAX];
	json_auto_t *body = json_pack("{s:s?}", "key", more->key), *answer = NULL;
	AUTO_FREE char *text = NULL;
	int status;

	if (more->key == NULL)
		(void)json_object_clear(body);
	if (more->destroy)
		(void)json_object_set_new(body, "confirm", json_string(token));
	text = json_dumps(body, JSON_COMPACT);
	if (text == NULL)
		return cli_fail(cli, EXIT_FAILED, "orphans", "no memory", NULL);
	status = job_run(cli, more->destroy ? "not destroyed" : "no list",
	    target_of(token, "/orphans", target), json_object_size(body) > 0 ? text : NULL,
	    &answer);
	if (status != EXIT_DONE)
		return status;
	if (!cli->json && !cli->quiet)
		print_orphans(answer);
	status = more->destroy && are_left(answer) ? EXIT_DEGRADED : EXIT_DONE;
	if (cli->json && cli_print_json(cli, TAKE(answer)) != EXIT_DONE)
		return EXIT_FAILED;
	return status;
}

int
orphans_show(
    struct cli *cli, const struct provision_options *o, const struct orphans_options *more)
{
	const char *file = o->config != NULL ? o->config : SYSCONFDIR "/vesperd.conf";
	AUTO(config) *c = NULL;
	const struct config_token *t = NULL;
	struct fault f = { 0 };

	if (!provision_by_config(o))
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "orphans are of a token of the configuration", NULL);
	if (more->destroy != more->yes)
		return cli_fail(cli, EXIT_USAGE, "usage",
		    more->yes ? "--yes goes with --destroy"
			      : "it cannot be undone: say --destroy --yes",
		    NULL);
	if (config_read(file, &c, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "the configuration is not good", f.detail,
		    "mend it, or name another by -c");
	if (provision_section(o, c, &t, &f) != RC_OK)
		return cli_fail(cli, f.rc == RC_NOT_FOUND ? EXIT_ABSENT : EXIT_USAGE,
		    "which token", f.detail, NULL);
	choose_socket(cli, c);
	return ask(cli, t->name, more);
}
