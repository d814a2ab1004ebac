#include "client/claims.h"
#include "stir/jtext.h"

#include <stdio.h>

enum { CLAIMS_MAX = 65536 };

struct sign {
	const char *tenant, *credential, *form;
	struct claims_options claims;
	bool dry_run;
};

static int
print_signature(struct cli *cli, const struct sign *s, const struct vesper_signature *sig)
{
	const char *text = strcmp(s->form, "jwt") == 0 ? vesper_signature_passport(sig)
						       : vesper_signature_identity(sig);

	if (cli->json || strcmp(s->form, "json") == 0)
		return cli_print_json(
		    cli, json_loads(vesper_signature_json(sig), JSON_REJECT_DUPLICATES, NULL));
	if (text != NULL)
		return puts(text) >= 0 ? EXIT_DONE : EXIT_FAILED;
	if (s->dry_run)
		return cli->quiet || puts("it would be signed") >= 0 ? EXIT_DONE : EXIT_FAILED;
	return cli_fail(cli, EXIT_FAILED, "no Identity value",
	    "the credential makes none (identity = none)", "use -o jwt");
}

static int
sign(struct cli *cli, const struct sign *s)
{
	AUTO_BUF claims = BUF_INIT(CLAIMS_MAX);
	json_auto_t *object = NULL;
	struct vesper_client *client;
	struct vesper_signature *sig = NULL;
	struct vesper_error e;
	struct fault f = { 0 };
	int status = EXIT_DONE;

	if (claims_build(&s->claims, &object, &f) != RC_OK ||
	    jtext_write(&claims, object, &f) != RC_OK)
		return cli_unread(cli, "the claims", &f, NULL);
	client = cli_connect(cli, cli->socket, &status);
	if (client == NULL)
		return status;
	if (vesper_sign(client,
		&(struct vesper_request){ .size = sizeof(struct vesper_request),
		    .tenant = s->tenant,
		    .credential = s->credential,
		    .ppt = s->claims.ppt,
		    .claims = buf_text(&claims),
		    .dry_run = s->dry_run },
		&sig, &e) != VESPER_OK)
		status = cli_unanswered(cli, "not signed", &e);
	else
		status = print_signature(cli, s, sig);
	vesper_signature_free(sig);
	vesper_close(client);
	return status;
}

int
cmd_sign(struct cli *cli, int argc, char **argv)
{
	struct sign s = { .form = "header" };
	struct text_list rest = { 0 };
	const struct option options[] = { { "--tenant", OPTION_TEXT, &s.tenant },
		{ "--credential", OPTION_TEXT, &s.credential },
		{ "--orig", OPTION_TEXT, &s.claims.orig },
		{ "--dest", OPTION_LIST, &s.claims.dest },
		{ "--ppt", OPTION_TEXT, &s.claims.ppt },
		{ "--attest", OPTION_TEXT, &s.claims.attest },
		{ "--origid", OPTION_TEXT, &s.claims.origid },
		{ "--claims", OPTION_TEXT, &s.claims.file },
		{ "--dry-run", OPTION_FLAG, &s.dry_run }, { "-o", OPTION_TEXT, &s.form },
		{ 0 } };
	struct fault f = { 0 };

	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (rest.len != 0 ||
	    ((s.claims.orig == NULL || s.claims.dest.len == 0) && s.claims.file == NULL))
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "--orig TN and --dest TN are due, or --claims FILE", NULL);
	if (strcmp(s.form, "header") != 0 && strcmp(s.form, "jwt") != 0 &&
	    strcmp(s.form, "json") != 0)
		return cli_fail(
		    cli, EXIT_USAGE, "usage: -o", s.form, "it is header, jwt or json");
	return sign(cli, &s);
}
