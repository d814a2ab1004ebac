/*
 * Certificates: what is in force, a renewal now, and for CAs that speak no
 * ACME the request that is carried there and the chain that comes back.
 */
#include "client/failover.h"
#include "client/member.h"
#include "client/progress.h"
#include "client/revoke.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { CHAIN_TEXT_MAX = 65536, LINE_TIMES = 2 * TIME_TEXT };

static void
time_of(const json_t *o, const char *name, char out[TIME_TEXT])
{
	const json_t *value = json_object_get(o, name);

	if (json_is_integer(value))
		cli_time_text(json_integer_value(value), out);
	else
		snprintf(out, TIME_TEXT, "-");
}

struct cert_options {
	bool wait; /* for the end of a renewal */
};

/* ---- list, show -------------------------------------------------------------------- */

static bool
is_well(const json_t *c)
{
	return json_is_true(json_object_get(c, "signable")) || member_is_empty_part(c) ||
	       json_is_false(json_object_get(c, "enabled"));
}

/* An agent of before says nothing but the state of the certificate. */
static const char *
life_of(const json_t *c)
{
	const char *life = member_text(c, "life");

	return life[0] != 0 ? life : member_text(c, "state");
}

/* Of one that was refused, or fails to be renewed: why that was. */
static const char *
reason_of(const json_t *c)
{
	const char *why = member_text(json_object_get(c, "renewal"), "reason");

	return why[0] != 0 ? why : member_text(c, "reason");
}

static void
print_line(const json_t *c)
{
	char end[TIME_TEXT], renewal[TIME_TEXT], name[140], word[FAILOVER_WORD_MAX];

	snprintf(name, sizeof name, "%s/%s", member_text(c, "tenant"), member_text(c, "name"));
	time_of(c, "not_after", end);
	time_of(c, "next_renewal", renewal);
	printf("%-24s %-13s %-20.20s %-20s  %-20s %s", name, life_of(c),
	    member_text(c, "serial")[0] == 0 ? "-" : member_text(c, "serial"), end, renewal,
	    reason_of(c));
	if (failover_word(c, word))
		printf("%s%s", reason_of(c)[0] != 0 ? ", " : "", word);
	putchar('\n');
}

static int
cert_list(struct cli *cli, const struct text_list *rest, const struct cert_options *o)
{
	json_auto_t *answer = NULL;
	const json_t *list, *item;
	bool well = true;
	size_t i;
	int status = job_get(cli, "no list", "/v1/credentials", &answer);

	(void)rest;
	(void)o;
	if (status != EXIT_DONE)
		return status;
	list = json_object_get(answer, "credentials");
	if (!cli->json && !cli->quiet)
		printf("%s%-24s %-13s %-20s %-20s  %-20s %s%s\n", cli_bold(cli), "CREDENTIAL",
		    "STATE", "SERIAL", "UNTIL", "RENEWAL", "REASON", cli_plain(cli));
	json_array_foreach (list, i, item) {
		well = well && is_well(item);
		if (!cli->json && !cli->quiet)
			print_line(item);
	}
	if (cli->json && cli_print_json(cli, TAKE(answer)) != EXIT_DONE)
		return EXIT_FAILED;
	return well ? EXIT_DONE : EXIT_DEGRADED;
}

static void
print_problems(const json_t *list, const char *what)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		printf("%-12s %s: %s\n", what, member_text(item, what),
		    member_text(item, "detail"));
}

/* Only what there is: most of the time nothing is under way and nothing fails. */
static void
print_renewal(const json_t *r)
{
	long long attempts = (long long)json_integer_value(json_object_get(r, "attempts"));
	long long refusals = (long long)json_integer_value(json_object_get(r, "refusals"));
	char since[TIME_TEXT];

	time_of(r, "since", since);
	if (member_text(r, "step")[0] != 0)
		printf("%-12s %s since %s\n", "under way", member_text(r, "step"), since);
	time_of(r, "failing_since", since);
	if (attempts + refusals > 0)
		printf("%-12s %lld times delayed, %lld times refused in a row, since %s\n",
		    "failing", attempts, refusals, since);
}

/* One line a log that has timestamped it. */
static void
print_logged(const json_t *list)
{
	const json_t *item;
	char when[TIME_TEXT];
	size_t i;

	json_array_foreach (list, i, item) {
		time_of(item, "since", when);
		printf("%-12s log %.16s: %s", "logged", member_text(item, "log"),
		    member_text(item, "state"));
		if (json_is_integer(json_object_get(item, "index")))
			printf(", entry %lld of %lld", member_number(item, "index"),
			    member_number(item, "tree_size"));
		printf("%s%s\n", when[0] == '-' ? "" : ", since ", when[0] == '-' ? "" : when);
	}
}

static void
print_whole(const json_t *c)
{
	static const char *const times[][2] = { { "from", "not_before" },
		{ "until", "not_after" }, { "renewal", "next_renewal" } };
	static const char *const texts[] = { "profile", "life", "state", "reason", "detail",
		"serial", "x5u" };
	char when[TIME_TEXT], word[FAILOVER_WORD_MAX];

	printf("%-12s %s/%s\n", "credential", member_text(c, "tenant"), member_text(c, "name"));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (member_text(c, texts[i])[0] != 0)
			printf("%-12s %s\n", texts[i], member_text(c, texts[i]));
	}
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		time_of(c, times[i][1], when);
		printf("%-12s %s\n", times[i][0], when);
	}
	printf("%-12s %lld\n", "numbers",
	    (long long)json_integer_value(json_object_get(c, "numbers")));
	if (json_is_integer(json_object_get(c, "shard")))
		printf("%-12s %lld\n", "shard", member_number(c, "shard"));
	printf("%-12s %s\n", "signable",
	    json_is_true(json_object_get(c, "signable")) ? "yes" : "no");
	if (failover_word(c, word))
		printf("%-12s %s\n", "reserve", word);
	print_logged(json_object_get(c, "logged"));
	print_renewal(json_object_get(c, "renewal"));
	print_problems(json_object_get(c, "problems"), "problem");
	print_problems(json_object_get(c, "warnings"), "warning");
}

/* The target of rest[1], or the usage was said. */
static int
target_of(struct cli *cli, const char *credential, const char *tail, char out[JOB_TARGET_MAX])
{
	struct fault f = { 0 };

	if (job_target(credential, tail, out, &f) == RC_OK)
		return EXIT_DONE;
	return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
}

static int
cert_show(struct cli *cli, const struct text_list *rest, const struct cert_options *o)
{
	char target[JOB_TARGET_MAX];
	json_auto_t *c = NULL;
	bool well;
	int status = target_of(cli, rest->item[1], "", target);

	(void)o;
	if (status == EXIT_DONE)
		status = job_get(cli, "nothing to show", target, &c);
	if (status != EXIT_DONE)
		return status;
	well = is_well(c);
	if (cli->json && cli_print_json(cli, json_incref(c)) != EXIT_DONE)
		return EXIT_FAILED;
	if (!cli->json && !cli->quiet)
		print_whole(c);
	return well ? EXIT_DONE : EXIT_DEGRADED;
}

/* ---- renew, csr, install ----------------------------------------------------------- */

/* Prints the result as JSON where that is asked for; else says is for the caller. */
static int
run(struct cli *cli, const char *what, const char *credential, const char *tail,
    const char *body, json_t **result)
{
	char target[JOB_TARGET_MAX];
	int status = target_of(cli, credential, tail, target);

	if (status == EXIT_DONE)
		status = job_run(cli, what, target, body, result);
	if (status == EXIT_DONE && cli->json)
		status = cli_print_json(
		    cli, json_is_object(*result) ? json_incref(*result) : json_object());
	return status;
}

/* Two lookers: one that was there before, one that sees what comes. */
static int
renew_and_wait(struct cli *cli, const char *credential)
{
	char target[JOB_TARGET_MAX];
	json_auto_t *before = NULL, *result = NULL, *last = NULL;
	int status = target_of(cli, credential, "", target);

	if (status == EXIT_DONE)
		status = job_get(cli, "not renewed", target, &before);
	if (status == EXIT_DONE)
		status = target_of(cli, credential, "/renew", target);
	if (status == EXIT_DONE)
		status = job_run(cli, "not renewed", target, NULL, &result);
	if (status != EXIT_DONE)
		return status;
	status = progress_follow(cli, credential, before, &last);
	if (cli->json && last != NULL && cli_print_json(cli, json_incref(last)) != EXIT_DONE)
		return EXIT_FAILED;
	return status;
}

static int
cert_renew(struct cli *cli, const struct text_list *rest, const struct cert_options *o)
{
	json_auto_t *result = NULL;
	int status;

	if (o->wait)
		return renew_and_wait(cli, rest->item[1]);
	status = run(cli, "not renewed", rest->item[1], "/renew", NULL, &result);
	if (status == EXIT_DONE && !cli->json && !cli->quiet)
		printf("%s: the renewal begins; see: vesper cert show %s\n", rest->item[1],
		    rest->item[1]);
	return status;
}

static int
cert_history(struct cli *cli, const struct text_list *rest, const struct cert_options *o)
{
	json_auto_t *result = NULL;
	const json_t *item;
	size_t i;
	int status = run(cli, "no history", rest->item[1], "/history", NULL, &result);

	(void)o;
	if (status != EXIT_DONE || cli->json || cli->quiet)
		return status;
	printf("%s%-40s %-20s  %-20s  %-12s %s%s\n", cli_bold(cli), "SERIAL", "FROM", "UNTIL",
	    "END", "KEY", cli_plain(cli));
	json_array_foreach (json_object_get(result, "certificates"), i, item) {
		bool over = json_integer_value(json_object_get(item, "until")) != 0;
		const json_t *revocation = json_object_get(item, "revocation");
		char from[TIME_TEXT], until[TIME_TEXT];

		time_of(item, "from", from);
		time_of(item, over ? "until" : "not_after", until);
		printf("%-40s %-20s  %-20s  %-12s %.16s%s%s\n", member_text(item, "serial"),
		    from, until, member_text(item, "end"), member_text(item, "key"),
		    json_is_object(revocation) ? "  revocation " : "",
		    member_text(revocation, "state"));
	}
	return EXIT_DONE;
}

/* A request is public; it must not end up in the middle of another file. */
static int
write_csr(const struct cli *cli, const char *path, const char *pem)
{
	FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "wxe");
	bool ok;

	if (out == NULL)
		return cli_fail(cli, EXIT_FAILED, "cannot write the request", strerror(errno),
		    errno == EEXIST ? "name a file that is not there yet" : NULL);
	ok = fputs(pem, out) >= 0;
	ok = (out == stdout ? fflush(out) : fclose(out)) == 0 && ok;
	if (!ok)
		return cli_fail(
		    cli, EXIT_FAILED, "cannot write the request", strerror(errno), NULL);
	return EXIT_DONE;
}

static int
cert_csr(struct cli *cli, const struct text_list *rest, const struct cert_options *o)
{
	json_auto_t *result = NULL;
	int status = run(cli, "no request", rest->item[1], "/csr", NULL, &result);

	(void)o;
	if (status != EXIT_DONE || cli->json)
		return status;
	return write_csr(cli, rest->len > 2 ? rest->item[2] : "-", member_text(result, "csr"));
}

static int
read_chain(struct cli *cli, const char *path, char **body)
{
	AUTO_BUF pem = BUF_INIT(CHAIN_TEXT_MAX);
	json_auto_t *object = NULL;
	struct fault f = { 0 };

	if (cli_read(path, &pem, &f) != RC_OK)
		return cli_unread(cli, "cannot read the chain", &f, NULL);
	object = json_pack("{s:s%}", "chain", (const char *)pem.ptr, pem.len);
	*body = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
	if (*body == NULL)
		return cli_fail(cli, EXIT_FAILED, "cannot read the chain", "it is not text",
		    "a chain is PEM, the certificate of the request first");
	return EXIT_DONE;
}

static int
cert_install(struct cli *cli, const struct text_list *rest, const struct cert_options *o)
{
	char until[TIME_TEXT];
	json_auto_t *result = NULL;
	AUTO_FREE char *body = NULL;
	int status = read_chain(cli, rest->item[2], &body);

	(void)o;
	if (status == EXIT_DONE)
		status = run(cli, "not installed", rest->item[1], "/install", body, &result);
	if (status != EXIT_DONE || cli->json || cli->quiet)
		return status;
	time_of(result, "not_after", until);
	printf("%s: in force: serial %s until %s\n", rest->item[1],
	    member_text(result, "serial"), until);
	return EXIT_DONE;
}

/* ---- the command ------------------------------------------------------------------- */

static const struct {
	const char *verb;
	size_t least, most; /* operands, the verb among them */
	int (*run)(struct cli *cli, const struct text_list *rest, const struct cert_options *o);
	const char *usage;
} verbs[] = {
	{ "list", 1, 1, cert_list, "cert list" },
	{ "show", 2, 2, cert_show, "cert show TENANT/NAME" },
	{ "history", 2, 2, cert_history, "cert history TENANT/NAME" },
	{ "renew", 2, 2, cert_renew, "cert renew [--wait] TENANT/NAME" },
	{ "csr", 2, 3, cert_csr, "cert csr TENANT/NAME [FILE]" },
	{ "install", 3, 3, cert_install, "cert install TENANT/NAME CHAIN.pem|-" },
};

#define REVOKE_USAGE \
	"cert revoke TENANT/NAME [--serial HEX] [--reason REASON] [--by account|key]"

int
cmd_cert(struct cli *cli, int argc, char **argv)
{
	struct revoke_options asked = { 0 };
	struct text_list rest = { 0 };
	struct cert_options o = { 0 };
	const struct option options[] = { { "--wait", OPTION_FLAG, &o.wait },
		{ "--follow", OPTION_FLAG, &o.wait },
		{ "--serial", OPTION_TEXT, &asked.serial },
		{ "--reason", OPTION_TEXT, &asked.reason }, { "--by", OPTION_TEXT, &asked.by },
		{ 0 } };
	struct fault f = { 0 };

	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (o.wait && (rest.len == 0 || strcmp(rest.item[0], "renew") != 0))
		return cli_fail(cli, EXIT_USAGE, "usage", "--wait goes with cert renew", NULL);
	if (rest.len == 2 && strcmp(rest.item[0], "revoke") == 0)
		return revoke_run(cli, rest.item[1], &asked);
	if (asked.serial != NULL || asked.reason != NULL || asked.by != NULL)
		return cli_fail(cli, EXIT_USAGE, "usage", REVOKE_USAGE, NULL);
	for (size_t i = 0; rest.len > 0 && i < ARRAY_LEN(verbs); i++) {
		if (strcmp(rest.item[0], verbs[i].verb) != 0)
			continue;
		if (rest.len < verbs[i].least || rest.len > verbs[i].most)
			return cli_fail(cli, EXIT_USAGE, "usage", verbs[i].usage, NULL);
		return verbs[i].run(cli, &rest, &o);
	}
	return cli_fail(cli, EXIT_USAGE, "usage",
	    "cert list, show, history, renew, csr, install or revoke", NULL);
}
