/* Arguments and output of "vesper check"; check.c decides. */
#include "client/check.h"
#include "client/disclosure.h"
#include "client/token.h"
#include "stir/profile.h"

#include <jansson.h>
#include <stdio.h>
#include <time.h>

enum { CLAIMS_MAX = 65536 };

static json_t *
text_or_null(const char *text)
{
	return text[0] == 0 ? json_null() : json_string(text);
}

static json_t *
names_of(unsigned blanks)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < CHECK__BLANKS; i++) {
		if ((blanks >> i & 1) != 0)
			(void)json_array_append_new(list, json_string(check_blank_name(i)));
	}
	return list;
}

static unsigned
due_of(const struct check *c)
{
	unsigned due = 0;

	for (size_t i = 0; i < c->due.len; i++) {
		enum check_blank blank = CHECK_PATH;

		if (check_blank_find(c->due.item[i], &blank))
			due |= 1U << blank;
	}
	return due;
}

/* Allowed, as far as it was judged. */
static int
tell_blanks(const struct cli *cli, unsigned blanks)
{
	for (unsigned i = 0; i < CHECK__BLANKS; i++) {
		if ((blanks >> i & 1) != 0)
			return cli_fail(cli, EXIT_DEGRADED, "not judged", check_blank_name(i),
			    "give what it is judged by: see vesper(1)");
	}
	return EXIT_DONE;
}

/* No such PASSporT is signed alone, so that what is missing is said where it is allowed, too. */
#define ORIGINAL_MISSING \
	"as far as it was judged: what it answers was not given (--original), and the agent " \
	"signs it with that alone"

static int
answer(struct cli *cli, const struct check *c, enum rc rc, unsigned blanks, struct fault *f)
{
	json_t *out;

	if (rc == RC_NO_MEMORY || rc == RC_BUG)
		return cli_fault(cli, EXIT_FAILED, "cannot decide", f, NULL);
	if (rc == RC_OK && (blanks >> CHECK_ORIGINAL & 1) != 0)
		snprintf(f->detail, sizeof f->detail, "%s", ORIGINAL_MISSING);
	out = json_pack("{s:b, s:o, s:o, s:o, s:o}", "allow", rc == RC_OK, "reason",
	    text_or_null(f->reason), "detail", text_or_null(f->detail), "claim",
	    text_or_null(f->claim), "not_judged", names_of(blanks));
	if (out == NULL || cli_print_json(cli, out) != EXIT_DONE)
		return EXIT_FAILED;
	return rc == RC_OK ? tell_blanks(cli, blanks & due_of(c)) : EXIT_REFUSED;
}

static enum rc
judge(struct check *c, const struct chain *chain, const struct token_list *list,
    struct span claims, unsigned *blanks, struct fault *f)
{
	AUTO(originals) *originals = NULL;

	if (list->len > 0)
		TRY(originals_read(list->token, list->len, &originals, f));
	c->originals = originals;
	return check_judge(c, chain, claims, blanks, f);
}

static int
check(struct cli *cli, struct check *c, bool to_all_nines)
{
	AUTO_TOKENS originals = { 0 };
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES), claims = BUF_INIT(CLAIMS_MAX);
	AUTO(chain) *chain = NULL;
	unsigned blanks = 0;
	struct fault f = { 0 };
	enum rc rc;

	if (cli_read(c->cert, &pem, &f) != RC_OK)
		return cli_unread(cli, "cannot read the chain", &f, NULL);
	if (chain_read_pem(buf_view(&pem), to_all_nines, &chain, &f) != RC_OK)
		return cli_fault(cli, EXIT_FAILED, "the chain does not decode", &f,
		    "give PEM certificates, leaf first");
	if (token_list_add(&originals, &c->original, &f) != RC_OK)
		return cli_unread(cli, "cannot read --original", &f, NULL);
	rc = cli_read(c->claims, &claims, &f);
	if (rc != RC_OK && rc != RC_INVALID)
		return cli_unread(cli, "cannot read the claims", &f, NULL);
	if (rc == RC_OK)
		rc = judge(c, chain, &originals, buf_view(&claims), &blanks, &f);
	return answer(cli, c, rc, blanks, &f);
}

/* What is read before anything is judged. */
struct files {
	const char *tn_list, *salts;
	struct tnset *numbers;
	struct salts *secret;
};

static void
files_done(struct files *files)
{
	tnset_free(files->numbers);
	salts_free(files->secret);
}

/* EXIT_DONE, or the failure that has been told. */
static int
read_files(struct cli *cli, struct files *files, struct check *c)
{
	struct fault f = { 0 };

	if (files->tn_list != NULL &&
	    cli_read_tn_list(files->tn_list, &files->numbers, &f) != RC_OK)
		return cli_unread(cli, "cannot read the TNAuthList", &f, NULL);
	if (files->salts != NULL && disclosure_salts(files->salts, &files->secret, &f) != RC_OK)
		return cli_unread(cli, "cannot read the salts", &f, NULL);
	c->referenced = files->numbers;
	c->constraints.salts = files->secret;
	return EXIT_DONE;
}

/* EXIT_DONE, or the usage that has been told. */
static int
check_usage(struct cli *cli, const struct check *c, const struct text_list *rest)
{
	enum encompass_mode ignored;

	if (c->cert == NULL || c->claims == NULL || rest->len != 0)
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "--cert CHAIN.pem and --claims FILE are due, and nothing else", NULL);
	if (c->profile != NULL && profile_find(c->profile) == NULL)
		return cli_fail(cli, EXIT_USAGE, "usage: no such profile", c->profile,
		    "it is " PROFILE_NAMES);
	if (c->encompassing != NULL && !encompass_find(c->encompassing, &ignored))
		return cli_fail(cli, EXIT_USAGE, "usage: --encompassing", c->encompassing,
		    "it is require, if-present or off");
	for (size_t i = 0; i < c->due.len; i++) {
		enum check_blank blank;

		if (!check_blank_find(c->due.item[i], &blank))
			return cli_fail(cli, EXIT_USAGE, "usage: --must-judge", c->due.item[i],
			    "it is a name that not_judged may have");
	}
	/* As the configuration. */
	if (c->constraints.commit_without_salt && !c->constraints.assert_committed)
		return cli_fail(cli, EXIT_USAGE, "usage", "--commit-without-salt has a meaning",
		    "only with --assert-committed");
	return EXIT_DONE;
}

int
cmd_check(struct cli *cli, int argc, char **argv)
{
	struct check c = { .at_s = -1 };
	struct constraints_policy *p = &c.constraints;
	struct text_list rest = { 0 };
	__attribute__((cleanup(files_done))) struct files files = { 0 };
	bool to_all_nines = false;
	const struct option options[] = { { "--cert", OPTION_TEXT, &c.cert },
		{ "--claims", OPTION_TEXT, &c.claims }, { "--ppt", OPTION_TEXT, &c.ppt },
		{ "--at", OPTION_TIME, &c.at_s }, { "--profile", OPTION_TEXT, &c.profile },
		{ "--allow-claim", OPTION_LIST, &c.allowed },
		{ "--encompassing", OPTION_TEXT, &c.encompassing },
		{ "--do-not-originate", OPTION_TEXT, &c.do_not_originate },
		{ "--tn-list", OPTION_TEXT, &files.tn_list },
		{ "--original", OPTION_LIST, &c.original },
		{ "--salts", OPTION_TEXT, &files.salts },
		{ "--assert-committed", OPTION_FLAG, &p->assert_committed },
		{ "--commit-without-salt", OPTION_FLAG, &p->commit_without_salt },
		{ "--rfc8226-strict-permitted", OPTION_FLAG, &p->rfc8226_strict_permitted },
		{ "--normalise-permitted", OPTION_FLAG, &p->normalise_permitted },
		{ "--accept-quoted-permitted", OPTION_FLAG, &p->accept_quoted_permitted },
		{ "--allow-range-to-all-nines", OPTION_FLAG, &to_all_nines },
		{ "--rph-namespace", OPTION_LIST, &c.namespaces },
		{ "--entity-id", OPTION_TEXT, &c.entity_id },
		{ "--must-judge", OPTION_LIST, &c.due },
		{ "--orig-uri", OPTION_FLAG, &c.orig_uri },
		{ "--attest-in-rsp", OPTION_FLAG, &c.attest_in_rsp },
		{ "--rcd-without-rcdi", OPTION_FLAG, &c.rcd_without_rcdi },
		{ "--third-party-iss", OPTION_TEXT, &c.third_party_iss }, { 0 } };
	struct fault f = { 0 };
	int status;

	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	status = check_usage(cli, &c, &rest);
	if (status == EXIT_DONE)
		status = read_files(cli, &files, &c);
	if (status != EXIT_DONE)
		return status;
	if (c.at_s < 0)
		c.at_s = (int64_t)time(NULL);
	return check(cli, &c, to_all_nines);
}
