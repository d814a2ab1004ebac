#include "client/cli.h"
#include "client/failover.h"
#include "client/member.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { REMAINING_TEXT = 32 };

static bool
yes(const json_t *o, const char *name)
{
	return json_is_true(json_object_get(o, name));
}

/* "in 19 h", "3 d ago" */
static void
remaining(const json_t *when, char out[REMAINING_TEXT])
{
	static const struct {
		long long s;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	long long left_s, amount_s;
	size_t i = 0;

	if (!json_is_integer(when)) {
		snprintf(out, REMAINING_TEXT, "-");
		return;
	}
	left_s = (long long)json_integer_value(when) - (long long)time(NULL);
	amount_s = left_s < 0 ? -left_s : left_s;
	while (i + 1 < ARRAY_LEN(units) && amount_s < 2 * units[i].s)
		i++;
	snprintf(out, REMAINING_TEXT, left_s < 0 ? "%lld %s ago" : "in %lld %s",
	    amount_s / units[i].s, units[i].name);
	if (left_s >= 0 && amount_s == 0)
		snprintf(out, REMAINING_TEXT, "now");
}

/* ---- is all well? ------------------------------------------------------------------- */

/* What is not well, a line each; quiet where the exit status alone is asked for. */
struct complaints {
	bool quiet;
	size_t len;
};

static void
complain(struct complaints *c, const char *what, const char *name, const char *how)
{
	c->len++;
	if (!c->quiet)
		printf("degraded   %s%s%s\n", what, name, how);
}

static bool
token_well(const json_t *token)
{
	size_t i;
	json_t *signer, *list = json_object_get(token, "signers");

	if (!yes(token, "up"))
		return false;
	json_array_foreach (list, i, signer) {
		if (!yes(signer, "up"))
			return false;
	}
	return true;
}

/* The caller's own socket may not show everything: only what is there is judged. */
static bool
is_false(const json_t *status, const char *part, const char *member)
{
	return json_is_false(json_object_get(json_object_get(status, part), member));
}

/* "" where it is not told. */
static const char *
room_of(const json_t *token)
{
	return member_text(json_object_get(token, "capacity"), "state");
}

static void
judge_token(const json_t *token, struct complaints *c)
{
	if (!token_well(token))
		complain(c, "token ", member_text(token, "name"), ": a signer is down");
	if (is_false(token, "admin", "up"))
		complain(c, "token ", member_text(token, "name"),
		    ": its admin is down, no key can be made and no certificate asked for");
	if (strcmp(room_of(token), "full") == 0)
		complain(c, "token ", member_text(token, "name"),
		    " is full: no key can be made and no certificate renewed");
	else if (strcmp(room_of(token), "low") == 0)
		complain(c, "token ", member_text(token, "name"),
		    " is nearly full: see max_keys and rekey in vesperd.conf(5)");
}

/* An agent of before says nothing but the state of the certificate. */
static bool
can_sign(const json_t *credential)
{
	const json_t *signable = json_object_get(credential, "signable");

	if (signable != NULL)
		return json_is_true(signable) || member_is_empty_part(credential);
	return strcmp(member_text(credential, "state"), "ready") == 0;
}

static void
judge_credentials(const json_t *list, struct complaints *c)
{
	char count[24];
	size_t i, waiting = 0;
	json_t *item;

	json_array_foreach (list, i, item)
		waiting += json_is_false(json_object_get(item, "enabled"))
			       ? strcmp(member_text(item, "state"), "ready") != 0 /* as meant */
			       : !can_sign(item);
	snprintf(count, sizeof count, "%zu", waiting);
	if (waiting > 0)
		complain(c, "", count, " of the credentials cannot sign");
}

static void
judge_alarms(const json_t *list, struct complaints *c)
{
	json_t *a;
	size_t i;

	json_array_foreach (list, i, a) {
		char by[REMAINING_TEXT];
		const char *told =
		    member_text(a, "ca"); /* a CA, log, list or token, else a tenant */

		if (told[0] == 0)
			told = member_text(a, "log");
		if (told[0] == 0)
			told = member_text(a, "list");
		if (told[0] == 0)
			told = member_text(a, "token");

		c->len++;
		if (c->quiet)
			continue;
		remaining(json_object_get(a, "by"), by);
		printf("alarm      %s: %s%s%s%s%s: %s\n", member_text(a, "alarm"),
		    told[0] != 0 ? told : member_text(a, "tenant"), told[0] != 0 ? "" : "/",
		    member_text(a, "credential"), by[0] != '-' ? ", too late " : "",
		    by[0] != '-' ? by : "", member_text(a, "detail"));
	}
}

static bool
is_well(const json_t *status, bool quiet)
{
	struct complaints c = { .quiet = quiet };
	size_t i;
	json_t *item;

	json_array_foreach (json_object_get(status, "tokens"), i, item)
		judge_token(item, &c);
	judge_credentials(json_object_get(status, "credentials"), &c);
	judge_alarms(json_object_get(status, "alarms"), &c);
	if (is_false(status, "renewer", "up"))
		complain(&c, "the renewer is down", "", ", nothing is renewed");
	if (is_false(status, "audit", "ok"))
		complain(&c, "the audit cannot be written", "", ", nothing is signed");
	if (member_number(json_object_get(status, "audit"), "vanished") > 0)
		complain(&c, "records of the audit vanished", "", "; see the log");
	if (is_false(status, "state_dir", "ok"))
		complain(
		    &c, "the state directory cannot be written", "", ", nothing is renewed");
	if (is_false(status, "clock", "ok"))
		complain(&c, "the clock is not credible", "", ", nothing is signed");
	if (yes(json_object_get(status, "clock"), "holding"))
		complain(&c, "the clock jumped ahead", "",
		    ", no key is destroyed until it is believed");
	if (is_false(status, "reload", "ok"))
		complain(
		    &c, "the configuration was not taken", "", ", the one before is in force");
	return c.len == 0;
}

/* ---- for people ---------------------------------------------------------------------- */

static void
print_head(const json_t *s)
{
	const json_t *reload = json_object_get(s, "reload");
	const json_t *isolation = json_object_get(s, "isolation");
	char when[REMAINING_TEXT];

	remaining(json_object_get(reload, "at"), when);
	printf("vesperd %s", member_text(s, "version"));
	if (member_number(s, "pid") > 0)
		printf("  pid %lld", member_number(s, "pid"));
	printf("  configuration %s (read %s)\n", yes(reload, "ok") ? "ok" : "NOT TAKEN", when);
	if (member_text(reload, "detail")[0] != 0)
		printf("  %s\n", member_text(reload, "detail"));
	if (yes(isolation, "reduced"))
		printf("isolation  reduced: %s\n", member_text(isolation, "detail"));
}

static void
print_capacity(const json_t *c)
{
	if (!json_is_integer(json_object_get(c, "keys")))
		return;
	printf("  %lld keys", member_number(c, "keys"));
	if (json_is_integer(json_object_get(c, "max_keys")))
		printf(" of %lld, %lld free", member_number(c, "max_keys"),
		    member_number(c, "free"));
	if (member_number(c, "spare") > 0)
		printf(", %lld made ahead", member_number(c, "spare"));
	putchar('\n');
}

/* They cost room; whose they are is known of those that say so. */
static void
print_unnamed(const json_t *t)
{
	const json_t *unnamed = json_object_get(t, "unnamed");
	json_t *ids = json_object_get(unnamed, "ids"), *id;
	char when[REMAINING_TEXT];
	size_t i;

	if (member_number(t, "unnamed_keys") <= 0)
		return;
	remaining(json_object_get(unnamed, "since"), when);
	printf(
	    "  %lld keys that no file of this agent names, first seen %s: %lld orphans of its\n"
	    "  own (vesper hsm orphans %s), %lld of another installation, %lld of nobody who\n"
	    "  says so (CKA_ID):\n",
	    member_number(t, "unnamed_keys"), when, member_number(unnamed, "orphans"),
	    member_text(t, "name"), member_number(unnamed, "another"),
	    member_number(unnamed, "unknown"));
	json_array_foreach (ids, i, id)
		printf("    %s\n", json_string_value(id));
	if (member_number(t, "unnamed_keys") > (long long)json_array_size(ids))
		printf("    and %lld more\n",
		    member_number(t, "unnamed_keys") - (long long)json_array_size(ids));
}

/* What runs for a token is shown to the administrator alone. */
static void
print_token(const json_t *t, bool all)
{
	const json_t *admin = json_object_get(t, "admin");
	size_t i, up = 0;
	long long signatures = 0, errors = 0;
	json_t *signer, *list = json_object_get(t, "signers");

	json_array_foreach (list, i, signer) {
		up += yes(signer, "up");
		signatures += member_number(signer, "signatures");
		errors += member_number(signer, "errors");
	}
	printf("token %-12s %s", member_text(t, "name"), token_well(t) ? "ok" : "DOWN");
	if (!all) {
		putchar('\n');
		return;
	}
	printf("%s %zu/%zu signers  admin %s  %lld signatures  %lld errors\n",
	    token_well(t) ? "   " : " ", up, json_array_size(list),
	    admin == NULL      ? "-"
	    : yes(admin, "up") ? "up"
			       : "down",
	    signatures, errors);
	print_capacity(json_object_get(t, "capacity"));
	print_unnamed(t);
}

static void
print_counts(const json_t *s)
{
	const json_t *requests = json_object_get(s, "requests");
	const json_t *audit = json_object_get(s, "audit");
	const json_t *renewer = json_object_get(s, "renewer");

	if (requests != NULL)
		printf("requests   %lld signed  %lld refused  %lld failed\n",
		    member_number(requests, "signed"), member_number(requests, "refused"),
		    member_number(requests, "failed"));
	if (audit != NULL)
		printf("audit      %s", yes(audit, "ok") ? "ok" : "FAILED");
	if (json_object_get(audit, "seq") != NULL)
		printf("  seq %lld", member_number(audit, "seq"));
	if (json_object_get(audit, "vanished") != NULL)
		printf("  records up to %lld VANISHED", member_number(audit, "vanished"));
	if (json_is_string(json_object_get(audit, "detail")))
		printf("  %s", member_text(audit, "detail"));
	if (audit != NULL)
		putchar('\n');
	if (renewer != NULL)
		printf("renewer    %s\n", yes(renewer, "up") ? "up" : "down");
}

static void
print_credential(const json_t *c)
{
	char name[140], expires[REMAINING_TEXT], renewal[REMAINING_TEXT], serial[16];
	char word[FAILOVER_WORD_MAX];
	const char *why = member_text(c, "reason");

	snprintf(name, sizeof name, "%s/%s", member_text(c, "tenant"), member_text(c, "name"));
	snprintf(serial, sizeof serial, "%.12s", member_text(c, "serial"));
	remaining(json_object_get(c, "not_after"), expires);
	remaining(json_object_get(c, "next_renewal"), renewal);
	printf("%-24s %-13s %-13s %-12s %-12s %7lld", name,
	    member_text(c, "life")[0] != 0 ? member_text(c, "life") : member_text(c, "state"),
	    serial[0] == 0 ? "-" : serial, expires, renewal, member_number(c, "numbers"));
	if (why[0] != 0)
		printf("  %s: %s", why, member_text(c, "detail"));
	else if (member_text(c, "detail")[0] != 0) /* in force, but not renewed */
		printf("  %s", member_text(c, "detail"));
	if (failover_word(c, word))
		printf("  %s", word);
	if (yes(c, "imported"))
		printf("  imported key: the next renewal makes one in the token");
	putchar('\n');
}

/* What does not stand behind the credential already. */
static void
print_problems(const json_t *c)
{
	size_t i;
	json_t *item;

	json_array_foreach (json_object_get(c, "problems"), i, item) {
		if (strcmp(member_text(item, "detail"), member_text(c, "detail")) != 0)
			printf("  %s: %s\n", member_text(item, "problem"),
			    member_text(item, "detail"));
	}
	json_array_foreach (json_object_get(c, "warnings"), i, item)
		printf("  warning: %s: %s\n", member_text(item, "warning"),
		    member_text(item, "detail"));
}

static void
print_credentials(const struct cli *cli, const json_t *s)
{
	json_t *list = json_object_get(s, "credentials"), *item;
	size_t i, ready = 0;

	printf("%s%-24s %-13s %-13s %-12s %-12s %7s%s\n", cli_bold(cli), "CREDENTIAL", "STATE",
	    "SERIAL", "EXPIRES", "RENEWAL", "NUMBERS", cli_plain(cli));
	json_array_foreach (list, i, item) {
		print_credential(item);
		print_problems(item);
		ready += can_sign(item);
	}
	printf("%zu credentials, %zu can sign now\n", json_array_size(list), ready);
}

static void
print_status(const struct cli *cli, const json_t *s)
{
	size_t i;
	json_t *token;

	print_head(s);
	json_array_foreach (json_object_get(s, "tokens"), i, token)
		print_token(token, json_object_get(s, "pid") != NULL);
	print_counts(s);
	print_credentials(cli, s);
}

/* ---- the command ----------------------------------------------------------------------- */

static int
refused(const struct cli *cli, unsigned http_status, const json_t *problem)
{
	struct fault f = { 0 };

	if (member_text(problem, "reason")[0] == 0)
		return cli_fail(
		    cli, EXIT_FAILED, "no status", "an answer of another kind", NULL);
	(void)FAULT(&f, RC_DENIED, member_text(problem, "reason"), "%s",
	    member_text(problem, "detail"));
	return cli_fault(cli, http_status == 403 ? EXIT_REFUSED : EXIT_FAILED, "no status", &f,
	    http_status == 403 ? "name a caller's socket by --socket" : NULL);
}

static int
answer(struct cli *cli, const struct vesper_response *r)
{
	json_auto_t *status = cli_answer(r);

	if (vesper_response_status(r) != 200 || !json_is_object(status))
		return refused(cli, vesper_response_status(r), status);
	if (cli->json && cli_print_json(cli, json_incref(status)) != EXIT_DONE)
		return EXIT_FAILED;
	if (!cli->json && !cli->quiet)
		print_status(cli, status);
	return is_well(status, cli->json || cli->quiet) ? EXIT_DONE : EXIT_DEGRADED;
}

int
cmd_status(struct cli *cli, int argc, char **argv)
{
	struct text_list rest = { 0 };
	struct vesper_client *client;
	struct vesper_response *r = NULL;
	struct vesper_error e;
	struct fault f = { 0 };
	int status = EXIT_DONE;

	if (args_parse(cli, NULL, argc, argv, &rest, &f) != RC_OK || rest.len > 0)
		return cli_fail(cli, EXIT_USAGE, "usage",
		    rest.len > 0 ? "it takes no arguments" : f.detail, NULL);
	/* The administration socket shows all tenants, any other the caller's own. */
	client = cli_connect(cli, cli_admin_path(cli), &status);
	if (client == NULL)
		return status;
	if (vesper_status(client, &r, &e) != VESPER_OK)
		status = cli_unanswered(cli, "no status", &e);
	else
		status = answer(cli, r);
	vesper_response_free(r);
	vesper_close(client);
	return status;
}
