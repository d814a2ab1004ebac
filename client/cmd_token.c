/*
 * Authority tokens: what is right and wrong with one, by itself, for a
 * credential of the agent, or as its authority answers now; and giving one to
 * the agent.
 */
#include "client/job.h"
#include "client/member.h"
#include "stir/authtoken.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

enum { JWT_TEXT_MAX = 65536 };

struct token {
	const char *credential; /* --for, or the operand of push; NULL: none */
	const char *anchors, *type;
	int64_t at_s;
	bool timed, claims;
};

/* ---- the report -------------------------------------------------------------------- */

static int
print_report(struct cli *cli, json_t *owned)
{
	json_auto_t *report = owned;
	const json_t *item;
	char when[TIME_TEXT];
	size_t i;
	bool good = json_is_true(json_object_get(report, "good"));

	if (cli->json)
		return cli_print_json(cli, TAKE(report)) == EXIT_DONE
			   ? (good ? EXIT_DONE : EXIT_REFUSED)
			   : EXIT_FAILED;
	cli_time_text(json_integer_value(json_object_get(report, "exp")), when);
	if (!cli->quiet)
		printf("%s, until %s: %s\n", member_text(report, "tktype"), when,
		    good ? "good" : "REFUSED");
	json_array_foreach (json_object_get(report, "checks"), i, item) {
		if (!cli->quiet)
			printf("  %-12s %-9s %s%s%s\n", member_text(item, "check"),
			    member_text(item, "verdict"), member_text(item, "reason"),
			    member_text(item, "reason")[0] != 0 ? ": " : "",
			    member_text(item, "detail"));
	}
	return good ? EXIT_DONE : EXIT_REFUSED;
}

static enum rc
read_anchors(const char *path, struct anchors **out, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(1024 * 1024);

	if (path == NULL)
		return RC_OK;
	TRY(cli_read(path, &pem, f));
	return anchors_read_pem(buf_view(&pem), out, f);
}

static json_t *
report_json(const struct authtoken *t, const struct authtoken_finding *found)
{
	json_t *list = json_array();
	bool good = true;

	for (size_t i = 0; i < AUTHTOKEN__STEPS; i++) {
		good = good && found[i].verdict != AUTHTOKEN_BAD;
		(void)json_array_append_new(
		    list, json_pack("{s:s, s:s, s:s?, s:s}", "check",
			      authtoken_step_name((enum authtoken_step)i), "verdict",
			      authtoken_verdict_name(found[i].verdict), "reason",
			      found[i].why.rc != RC_OK ? found[i].why.reason : NULL, "detail",
			      found[i].why.detail));
	}
	return json_pack("{s:b, s:s, s:I, s:o}", "good", good, "tktype", t->tktype, "exp",
	    (json_int_t)t->exp_s, "checks", list);
}

/* By itself: what was asked for and whose account it names is not known here. */
static int
judge_alone(struct cli *cli, const struct token *o, struct span jwt)
{
	struct authtoken_finding found[AUTHTOKEN__STEPS];
	AUTO(anchors) *anchors = NULL;
	AUTO(authtoken) *t = NULL;
	struct fault f = { 0 };
	struct authtoken_expect e = { .tktype = o->type,
		.now_s = o->timed ? o->at_s : (int64_t)time(NULL) };
	struct authtoken_wanted w = { 0 };
	json_t *report;

	if (read_anchors(o->anchors, &anchors, &f) != RC_OK)
		return cli_unread(cli, "cannot read the anchors", &f, NULL);
	if (authtoken_decode(jwt, &t, &f) != RC_OK)
		return cli_fault(cli, EXIT_FAILED, "no authority token", &f, NULL);
	e.anchors = anchors;
	w.constraints = strcasecmp(t->tktype, "TNAuthList") != 0;
	w.form =
	    strncasecmp(t->tktype, "Enhanced", 8) == 0 ? CONSTRAINTS_ENHANCED : CONSTRAINTS_JWT;
	if (authtoken_report(t, jwt, &e, &w, found, &f) != RC_OK)
		return cli_fault(cli, EXIT_FAILED, "no report", &f, NULL);
	report = report_json(t, found);
	if (report == NULL)
		return cli_fail(cli, EXIT_FAILED, "no report", "no memory", NULL);
	return print_report(cli, report);
}

/* ---- by the agent ------------------------------------------------------------------ */

static int
ask_agent(struct cli *cli, const char *what, const struct token *o, const char *tail,
    struct span jwt, json_t **result)
{
	char target[JOB_TARGET_MAX];
	json_auto_t *body = json_pack("{s:s%}", "token", (const char *)jwt.ptr, jwt.len);
	AUTO_FREE char *sent = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
	struct fault f = { 0 };
	int status;

	if (job_target(o->credential, tail, target, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (sent == NULL)
		return cli_fail(cli, EXIT_FAILED, what, "it is not text", NULL);
	status = job_run(cli, what, target, sent, result);
	OPENSSL_cleanse(sent, strlen(sent));
	return status;
}

static int
inspect(struct cli *cli, const struct token *o, struct span jwt)
{
	json_t *report = NULL;
	int status;

	if (o->credential == NULL)
		return judge_alone(cli, o, jwt);
	status = ask_agent(cli, "no report", o, "/token/judge", jwt, &report);
	return status == EXIT_DONE ? print_report(cli, report) : status;
}

static int
push(struct cli *cli, const struct token *o, struct span jwt)
{
	json_t *report = NULL;
	int status = ask_agent(cli, "not taken", o, "/token", jwt, &report);

	if (status == EXIT_REFUSED && !cli->json)
		fprintf(stderr, "vesper token: all of it: vesper token inspect --for %s ...\n",
		    o->credential);
	return status == EXIT_DONE ? print_report(cli, report) : status;
}

/* The token stays in the agent, and is forgotten there. */
static int
fetch(struct cli *cli, const char *credential, bool claims)
{
	char target[JOB_TARGET_MAX];
	json_t *report = NULL;
	struct fault f = { 0 };
	int status;

	if (job_target(credential, "/token/fetch", target, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	status = job_run(cli, "no token", target,
	    claims ? "{\"kind\":\"claims\"}" : "{\"kind\":\"numbers\"}", &report);
	return status == EXIT_DONE ? print_report(cli, report) : status;
}

/* ---- the command ------------------------------------------------------------------- */

static int
usage(const struct cli *cli)
{
	return cli_fail(cli, EXIT_USAGE, "usage",
	    "token inspect [--for TENANT/NAME] FILE|-, token push TENANT/NAME FILE|- or token "
	    "fetch TENANT/NAME [--claims]",
	    NULL);
}

static bool
has_options(const struct token *o)
{
	return o->credential != NULL || o->anchors != NULL || o->type != NULL || o->timed;
}

static int
run(struct cli *cli, struct token *o, const struct text_list *rest)
{
	bool fetches = rest->len == 2 && strcmp(rest->item[0], "fetch") == 0;
	bool pushes = rest->len == 3 && strcmp(rest->item[0], "push") == 0;
	AUTO_SECRET jwt = BUF_INIT(JWT_TEXT_MAX);
	struct fault f = { 0 };

	if (fetches && !has_options(o))
		return fetch(cli, rest->item[1], o->claims);
	if (!pushes && !(rest->len == 2 && strcmp(rest->item[0], "inspect") == 0))
		return usage(cli);
	if (o->claims || (pushes && has_options(o)))
		return usage(cli);
	if (pushes)
		o->credential = rest->item[1];
	if (cli_read(rest->item[rest->len - 1], &jwt, &f) != RC_OK)
		return cli_unread(cli, "cannot read the token", &f, NULL);
	return (pushes ? push : inspect)(cli, o, cli_trim(buf_view(&jwt)));
}

int
cmd_token(struct cli *cli, int argc, char **argv)
{
	struct token o = { .at_s = -1 };
	struct text_list rest = { 0 };
	const struct option options[] = { { "--for", OPTION_TEXT, &o.credential },
		{ "--trust", OPTION_TEXT, &o.anchors }, { "--type", OPTION_TEXT, &o.type },
		{ "--at", OPTION_TIME, &o.at_s }, { "--claims", OPTION_FLAG, &o.claims },
		{ 0 } };
	struct fault f = { 0 };

	cli_wipe_json();
	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	o.timed = o.at_s >= 0;
	return run(cli, &o, &rest);
}
