/* Arguments and output of "vesper check"; check.c decides. */
#include "client/check.h"
#include "client/disclosure.h"
#include "client/token.h"
#include "stir/profile.h"

#include <jansson.h>
#include <time.h>

enum { CLAIMS_MAX = 65536 };

static json_t *
text_or_null(const char *text)
{
	return text[0] == 0 ? json_null() : json_string(text);
}

static int
answer(struct cli *cli, enum rc rc, const struct fault *f)
{
	json_t *out;

	if (rc == RC_NO_MEMORY || rc == RC_BUG)
		return cli_fault(cli, EXIT_FAILED, "cannot decide", f, NULL);
	out = json_pack("{s:b, s:o, s:o, s:o}", "allow", rc == RC_OK, "reason",
	    text_or_null(f->reason), "detail", text_or_null(f->detail), "claim",
	    text_or_null(f->claim));
	if (out == NULL || cli_print_json(cli, out) != EXIT_DONE)
		return EXIT_FAILED;
	return rc == RC_OK ? EXIT_DONE : EXIT_REFUSED;
}

static enum rc
judge(struct check *c, const struct chain *chain, const struct token_list *list,
    struct span claims, struct fault *f)
{
	AUTO(originals) *originals = NULL;

	if (list->len > 0)
		TRY(originals_read(list->token, list->len, &originals, f));
	c->originals = originals;
	return check_judge(c, chain, claims, f);
}

static int
check(struct cli *cli, struct check *c)
{
	AUTO_TOKENS originals = { 0 };
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES), claims = BUF_INIT(CLAIMS_MAX);
	AUTO(chain) *chain = NULL;
	struct fault f = { 0 };
	enum rc rc;

	if (cli_read(c->cert, &pem, &f) != RC_OK)
		return cli_unread(cli, "cannot read the chain", &f, NULL);
	if (chain_read_pem(buf_view(&pem), false, &chain, &f) != RC_OK)
		return cli_fault(cli, EXIT_FAILED, "the chain does not decode", &f,
		    "give PEM certificates, leaf first");
	if (token_list_add(&originals, &c->original, &f) != RC_OK)
		return cli_unread(cli, "cannot read --original", &f, NULL);
	rc = cli_read(c->claims, &claims, &f);
	if (rc != RC_OK && rc != RC_INVALID)
		return cli_unread(cli, "cannot read the claims", &f, NULL);
	if (rc == RC_OK)
		rc = judge(c, chain, &originals, buf_view(&claims), &f);
	return answer(cli, rc, &f);
}

int
cmd_check(struct cli *cli, int argc, char **argv)
{
	struct check c = { .at_s = -1 };
	struct text_list rest = { 0 };
	AUTO(tnset) *referenced = NULL;
	AUTO(salts) *salts = NULL;
	const char *tn_list = NULL, *salts_file = NULL;
	enum encompass_mode ignored;
	const struct option options[] = { { "--cert", OPTION_TEXT, &c.cert },
		{ "--claims", OPTION_TEXT, &c.claims }, { "--ppt", OPTION_TEXT, &c.ppt },
		{ "--at", OPTION_TIME, &c.at_s }, { "--profile", OPTION_TEXT, &c.profile },
		{ "--allow-claim", OPTION_LIST, &c.allowed },
		{ "--encompassing", OPTION_TEXT, &c.encompassing },
		{ "--do-not-originate", OPTION_TEXT, &c.do_not_originate },
		{ "--tn-list", OPTION_TEXT, &tn_list },
		{ "--original", OPTION_LIST, &c.original },
		{ "--salts", OPTION_TEXT, &salts_file },
		{ "--third-party-rcd", OPTION_FLAG, &c.third_party_rcd }, { 0 } };
	struct fault f = { 0 };

	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (c.cert == NULL || c.claims == NULL || rest.len != 0)
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "--cert CHAIN.pem and --claims FILE are due, and nothing else", NULL);
	if (c.profile != NULL && profile_find(c.profile) == NULL)
		return cli_fail(cli, EXIT_USAGE, "usage: no such profile", c.profile,
		    "it is " PROFILE_NAMES);
	if (c.encompassing != NULL && !encompass_find(c.encompassing, &ignored))
		return cli_fail(cli, EXIT_USAGE, "usage: --encompassing", c.encompassing,
		    "it is require, if-present or off");
	if (tn_list != NULL && cli_read_tn_list(tn_list, &referenced, &f) != RC_OK)
		return cli_unread(cli, "cannot read the TNAuthList", &f, NULL);
	c.referenced = referenced;
	if (salts_file != NULL && disclosure_salts(salts_file, &salts, &f) != RC_OK)
		return cli_unread(cli, "cannot read the salts", &f, NULL);
	c.salts = salts;
	if (c.at_s < 0)
		c.at_s = (int64_t)time(NULL);
	return check(cli, &c);
}
