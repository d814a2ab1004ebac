/* Would the agent sign these claims with this certificate?  Its own code decides. */
#include "client/cli.h"
#include "stir/gate.h"
#include "stir/jtext.h"

#include <stdlib.h>
#include <time.h>

enum { IAT_PAST_S = 60, IAT_FUTURE_S = 5, CLAIMS_MAX = 65536 }; /* D-21 */

struct check {
	const char *cert, *claims, *ppt, *profile;
	struct text_list allowed;
	int64_t at_s; /* -1: now */
};

/* D-01: a ppt that the profile's class never signs. */
static enum rc
find_ppt(
    const struct check *c, const struct profile_rule *profile, enum ppt *out, struct fault *f)
{
	TRY(ppt_find(c->ppt, out, f));
	if (profile == NULL || (ppt_rule(*out)->classes & (1u << profile->cls)) != 0)
		return RC_OK;
	return REFUSE(
	    f, RC_INVALID, UNSUPPORTED_PPT, NULL, "profile %s does not sign it", profile->name);
}

static enum rc
decide(const struct check *c, const struct gate *gate, enum ppt ppt, const json_t *claims,
    struct fault *f)
{
	struct passport_policy policy = {
		.now_s = c->at_s, .iat_past_s = IAT_PAST_S, .iat_future_s = IAT_FUTURE_S
	};
	struct passport p;
	const char **extra = NULL;
	enum rc rc;

	TRY(gate_extra_claims(gate, c->allowed.item, c->allowed.len, &extra, &policy.extra, f));
	policy.extra_claims = extra;
	rc = passport_prepare(claims, ppt, &policy, &p, f);
	free(extra);
	TRY(rc);
	rc = gate_decide(gate, &p, c->at_s, f);
	passport_done(&p);
	return rc;
}

static enum rc
judge(
    const struct check *c, const struct chain *chain, struct span claims_text, struct fault *f)
{
	struct gate_policy policy = { 0 };
	AUTO(gate) *gate = NULL;
	json_auto_t *claims = NULL;
	enum ppt ppt = PPT_BASE;

	if (c->profile != NULL)
		policy.profile = profile_find(c->profile);
	TRY(jtext_read(claims_text, &claims, f));
	if (!json_is_object(claims)) /* as the socket says it of its member */
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "claims", "must be an object");
	TRY(find_ppt(c, policy.profile, &ppt, f));
	TRY(gate_open(chain, &policy, &gate, f));
	return decide(c, gate, ppt, claims, f);
}

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

static int
check(struct cli *cli, const struct check *c)
{
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES), claims = BUF_INIT(CLAIMS_MAX);
	AUTO(chain) *chain = NULL;
	struct fault f = { 0 };
	enum rc rc;

	if (cli_read(c->cert, &pem, &f) != RC_OK)
		return cli_fault(cli, EXIT_FAILED, "cannot read the chain", &f, NULL);
	if (chain_read_pem(buf_view(&pem), false, &chain, &f) != RC_OK)
		return cli_fault(cli, EXIT_FAILED, "the chain does not decode", &f,
		    "give PEM certificates, leaf first");
	rc = cli_read(c->claims, &claims, &f);
	if (rc != RC_OK && rc != RC_INVALID)
		return cli_fault(cli, EXIT_FAILED, "cannot read the claims", &f, NULL);
	if (rc == RC_OK)
		rc = judge(c, chain, buf_view(&claims), &f);
	return answer(cli, rc, &f);
}

int
cmd_check(struct cli *cli, int argc, char **argv)
{
	struct check c = { .at_s = -1 };
	struct text_list rest = { 0 };
	const struct option options[] = { { "--cert", OPTION_TEXT, &c.cert },
		{ "--claims", OPTION_TEXT, &c.claims }, { "--ppt", OPTION_TEXT, &c.ppt },
		{ "--at", OPTION_TIME, &c.at_s }, { "--profile", OPTION_TEXT, &c.profile },
		{ "--allow-claim", OPTION_LIST, &c.allowed }, { 0 } };
	struct fault f = { 0 };

	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (c.cert == NULL || c.claims == NULL || rest.len != 0)
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "--cert CHAIN.pem and --claims FILE are due, and nothing else", NULL);
	if (c.profile != NULL && profile_find(c.profile) == NULL)
		return cli_fail(cli, EXIT_USAGE, "usage: no such profile", c.profile,
		    "it is shaken-sp, atis-delegate or vesper-06");
	if (c.at_s < 0)
		c.at_s = (int64_t)time(NULL);
	return check(cli, &c);
}
