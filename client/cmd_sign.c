#include "client/claims.h"
#include "client/token.h"
#include "stir/jtext.h"

#include <stdio.h>

enum { CLAIMS_MAX = 65536 };

struct sign {
	const char *tenant, *credential, *form;
	const char *call; /* a file with the body of POST /v1/calls */
	struct claims_options claims;
	struct text_list original; /* what a div, div-o or rsp answers */
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

/* A JSON array of them; *out stays empty where there are none. */
static enum rc
read_originals(const struct sign *s, struct buf *out, struct fault *f)
{
	AUTO_TOKENS list = { 0 };
	json_auto_t *array = json_array();

	TRY(token_list_add(&list, &s->original, f));
	if (list.len == 0)
		return RC_OK;
	for (size_t i = 0; i < list.len; i++) {
		json_t *one = json_stringn((const char *)list.token[i].ptr, list.token[i].len);

		if (json_array_append_new(array, one) != 0)
			return FAULT(f, RC_INVALID, "original", "a PASSporT is ASCII");
	}
	return jtext_write(out, array, f);
}

static int
sign(struct cli *cli, const struct sign *s)
{
	AUTO_BUF originals = BUF_INIT(ORIGINAL_MAX * ORIGINAL_MAX_BYTES);
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
	if (read_originals(s, &originals, &f) != RC_OK)
		return cli_unread(cli, "--original", &f, NULL);
	client = cli_connect(cli, cli->socket, &status);
	if (client == NULL)
		return status;
	if (vesper_sign(client,
		&(struct vesper_request){ .size = sizeof(struct vesper_request),
		    .tenant = s->tenant,
		    .credential = s->credential,
		    .ppt = s->claims.ppt,
		    .claims = buf_text(&claims),
		    .original = originals.len > 0 ? buf_text(&originals) : NULL,
		    .dry_run = s->dry_run },
		&sig, &e) != VESPER_OK)
		status = cli_unanswered(cli, "not signed", &e);
	else
		status = print_signature(cli, s, sig);
	vesper_signature_free(sig);
	vesper_close(client);
	return status;
}

/* ---- a whole call ----------------------------------------------------------------------- */

/* One line for each that was signed; what was not is said on standard error. */
static int
print_results(struct cli *cli, const struct sign *s, const json_t *results)
{
	const char *member = strcmp(s->form, "jwt") == 0 ? "passport" : "identity";
	int status = EXIT_DONE;
	char what[48];
	size_t i;
	json_t *one;

	json_array_foreach (results, i, one) {
		const char *text = json_string_value(json_object_get(one, member));
		const char *reason = json_string_value(json_object_get(one, "reason"));

		snprintf(what, sizeof what, "not signed: sign[%zu]", i);
		if (reason != NULL)
			status = cli_fail(cli, EXIT_REFUSED, what, reason,
			    json_string_value(json_object_get(one, "detail")));
		else if (text != NULL && puts(text) < 0)
			return EXIT_FAILED;
		else if (s->dry_run && !cli->quiet && puts("it would be signed") < 0)
			return EXIT_FAILED;
	}
	return status;
}

static int
print_call(struct cli *cli, const struct sign *s, const struct vesper_response *r)
{
	json_auto_t *answer = cli_answer(r);
	const json_t *results = json_object_get(answer, "results");
	bool all = true;
	size_t i;
	json_t *one;

	if (!cli->json && strcmp(s->form, "json") != 0)
		return print_results(cli, s, results);
	json_array_foreach (results, i, one)
		all = all && json_object_get(one, "reason") == NULL;
	if (cli_print_json(cli, json_incref(answer)) != EXIT_DONE)
		return EXIT_FAILED;
	return all ? EXIT_DONE : EXIT_REFUSED;
}

static int
sign_call(struct cli *cli, const struct sign *s)
{
	AUTO_BUF body = BUF_INIT(CLAIMS_MAX);
	struct vesper_client *client;
	struct vesper_response *r = NULL;
	struct vesper_error e;
	struct fault f = { 0 };
	int status = EXIT_DONE;

	if (cli_read(s->call, &body, &f) != RC_OK)
		return cli_unread(cli, "the call", &f, NULL);
	client = cli_connect(cli, cli->socket, &status);
	if (client == NULL)
		return status;
	if (vesper_sign_call(client, buf_text(&body), s->dry_run, &r, &e) != VESPER_OK)
		status = cli_unanswered(cli, "not signed", &e);
	else
		status = print_call(cli, s, r);
	vesper_response_free(r);
	vesper_close(client);
	return status;
}

static bool
is_of_one(const struct sign *s)
{
	const struct claims_options *c = &s->claims;

	return s->tenant != NULL || s->credential != NULL || c->orig != NULL ||
	       c->dest.len > 0 || c->ppt != NULL || c->attest != NULL || c->origid != NULL ||
	       c->file != NULL || c->div != NULL || s->original.len > 0;
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
		{ "--div", OPTION_TEXT, &s.claims.div },
		{ "--original", OPTION_LIST, &s.original },
		{ "--claims", OPTION_TEXT, &s.claims.file }, { "--call", OPTION_TEXT, &s.call },
		{ "--dry-run", OPTION_FLAG, &s.dry_run }, { "-o", OPTION_TEXT, &s.form },
		{ 0 } };
	struct fault f = { 0 };

	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (s.call != NULL && is_of_one(&s))
		return cli_fail(cli, EXIT_USAGE, "usage: --call",
		    "the file says everything of its PASSporTs",
		    "only --dry-run and -o go with it");
	if (rest.len != 0 || (s.call == NULL && s.claims.file == NULL &&
				 (s.claims.orig == NULL || s.claims.dest.len == 0)))
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "--orig TN and --dest TN are due, or --claims FILE, or --call FILE", NULL);
	if (strcmp(s.form, "header") != 0 && strcmp(s.form, "jwt") != 0 &&
	    strcmp(s.form, "json") != 0)
		return cli_fail(
		    cli, EXIT_USAGE, "usage: -o", s.form, "it is header, jwt or json");
	return s.call != NULL ? sign_call(cli, &s) : sign(cli, &s);
}
