/*
 * A tenant tried as its callers and their verifiers would: the state of each
 * credential, a dry run, a signature, what x5u shows, and the verification.
 */
#include "agent/config.h"
#include "client/claims.h"
#include "client/failover.h"
#include "client/findings.h"
#include "client/job.h"
#include "client/member.h"
#include "client/numbers.h"
#include "client/offboard.h"
#include "client/probe.h"
#include "stir/jtext.h"
#include "stir/verify.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum { CLAIMS_TEXT_MAX = 65536, LOGS_TEXT_MAX = 1048576 };

struct trial {
	struct cli *cli;
	const char *config_file, *tls_ca; /* absolute */
	struct claims_options given;
	const struct config *config;
	const struct config_tenant *tenant;
	const struct config_credential *credential;
	const char *name;	   /* "acme/main", of the lines */
	const char *member;	   /* "main", or of a part of it "main.2" */
	bool part;		   /* its numbers are divided, and it has some of them */
	const struct chain *chain; /* as published; NULL: nobody fetched it */
	struct vesper_client *client;
	struct anchors *anchors;
	struct ctlogs *logs;
	const char *untrusted; /* why there are no anchors; NULL: there are */
	bool hidden;	       /* for this user */
	struct findings *found;
};

/* ---- the request -------------------------------------------------------------------- */

/* Of a divided credential its certificate tells which it has. */
static const struct tnset *
part_of(const struct trial *t)
{
	const struct tnauth *list = t->chain != NULL ? t->chain->cert[0]->tnauth : NULL;

	return list != NULL ? tnauth_numbers(list) : NULL;
}

/* Its first number, to itself: nobody's telephone rings. */
static enum rc
own_number(const struct trial *t, struct tn *out, struct fault *f)
{
	const struct tnset *part = t->part ? part_of(t) : NULL;

	if (t->part && (part == NULL || tnset_len(part) == 0))
		return FAULT(f, RC_NOT_FOUND, "no_number",
		    "nobody fetched its certificate, so which number it has is not known: "
		    "name one by --orig");
	if (part != NULL) {
		tn_from_key(tnset_at(part, 0).lo, out);
		return RC_OK;
	}
	if (t->tenant->numbers == NULL || tnset_len(t->tenant->numbers) == 0)
		return FAULT(f, RC_NOT_FOUND, "no_number",
		    "the tenant has no numbers: name one by --orig");
	tn_from_key(tnset_at(t->tenant->numbers, 0).lo, out);
	return RC_OK;
}

static void
attest_of(const struct config_tenant *t, char out[2])
{
	char most = t->attestation.set ? t->attestation.listed : t->attest_max;

	out[0] = most != 0 ? most : 'A';
	out[1] = 0;
}

static enum rc
make_claims(const struct trial *t, struct claims_options *o, struct buf *out, struct fault *f)
{
	json_auto_t *claims = NULL;
	struct tn own = { 0 };
	char attest[2];

	*o = t->given;
	attest_of(t->tenant, attest);
	if (o->orig == NULL)
		TRY(own_number(t, &own, f));
	if (o->orig == NULL)
		o->orig = own.text;
	if (o->dest.len == 0)
		o->dest.item[o->dest.len++] = o->orig;
	if (o->ppt == NULL && profile_rule(t->credential->profile)->cls == CLASS_SP)
		o->ppt = "shaken";
	if (o->ppt != NULL && strcmp(o->ppt, "shaken") == 0 && o->attest == NULL)
		o->attest = attest;
	TRY(claims_build(o, &claims, f));
	return jtext_write(out, claims, f);
}

/* ---- a dry run, a signature ------------------------------------------------------------ */

/* What the operator does about a refusal, where it is about who asks. */
static const char *
after_refusal(const char *reason)
{
	if (strcmp(reason, "caller_not_allowed") == 0)
		return "run it as a user of the tenant's allow_user or allow_group";
	if (strcmp(reason, "missing_claim") == 0 ||
	    strcmp(reason, "claim_missing_by_constraint") == 0)
		return "give the claims that its calls have by --claims FILE";
	if (strcmp(reason, "dest_not_allowed") == 0)
		return "name an allowed destination by --dest";
	return "see docs/PROTOCOL.md, Refusals";
}

static bool
ask(const struct trial *t, bool dry_run, struct vesper_signature **out)
{
	const char *check = dry_run ? "dry run" : "sign";
	AUTO_BUF claims = BUF_INIT(CLAIMS_TEXT_MAX);
	struct claims_options o;
	struct vesper_error e;
	struct fault f = { 0 };

	if (make_claims(t, &o, &claims, &f) != RC_OK) {
		findings_add(t->found, FINDING_BAD, check, "see: vesper sign --help", "%s: %s",
		    t->name, f.detail);
		return false;
	}
	if (vesper_sign(t->client,
		&(struct vesper_request){ .size = sizeof(struct vesper_request),
		    .tenant = t->tenant->name,
		    .credential = t->member,
		    .ppt = o.ppt,
		    .claims = buf_text(&claims),
		    .dry_run = dry_run },
		out, &e) == VESPER_OK) {
		findings_add(t->found, FINDING_OK, check, NULL, "%s: %s", t->name,
		    dry_run ? "it would be signed" : "signed");
		return true;
	}
	findings_add(t->found, e.code == VESPER_REFUSED ? FINDING_REFUSED : FINDING_BAD, check,
	    after_refusal(e.reason), "%s: %s: %s", t->name, e.reason, e.detail);
	return false;
}

/* ---- what a verifier sees ---------------------------------------------------------------- */

static void
judge_published(
    const struct trial *t, const json_t *shown, const json_t *probe, struct chain **chain)
{
	struct span pem = jtext_span(json_object_get(probe, "body"));
	struct fault f = { 0 };

	if (!json_is_true(json_object_get(probe, "ok")))
		findings_add(t->found, FINDING_BAD, "x5u",
		    "verifiers cannot read it: look at the web server and publish_dir",
		    "%s: %s: %s: %s", t->name, member_text(shown, "x5u"),
		    member_text(probe, "reason"), member_text(probe, "detail"));
	else if (chain_read_pem(pem, false, chain, &f) != RC_OK)
		findings_add(t->found, FINDING_BAD, "x5u",
		    "the web server gives something else out", "%s: %s: %s: %s", t->name,
		    member_text(shown, "x5u"), f.reason, f.detail);
	else if (strcmp((*chain)->cert[0]->serial, member_text(shown, "serial")) != 0)
		findings_add(t->found, FINDING_BAD, "x5u",
		    "publish what is in force: see publish_dir in vesperd.conf(5)",
		    "%s: %s shows serial %s, in force is %s", t->name,
		    member_text(shown, "x5u"), (*chain)->cert[0]->serial,
		    member_text(shown, "serial"));
	else
		findings_add(t->found, FINDING_OK, "x5u", NULL, "%s: %s shows what is in force",
		    t->name, member_text(shown, "x5u"));
}

static void
look_at_x5u(const struct trial *t, const json_t *shown, struct chain **chain)
{
	json_auto_t *probes = NULL;
	const char *url = member_text(shown, "x5u");

	if (url[0] == 0)
		findings_add(
		    t->found, FINDING_SKIPPED, "x5u", NULL, "%s: it has none", t->name);
	else if (probe_run(t->cli, t->config_file, url, t->tls_ca, &probes) != EXIT_DONE)
		findings_add(t->found, FINDING_WARN, "x5u", PROBE_TODO, "%s: nobody fetched it",
		    t->name);
	else
		judge_published(t, shown, json_array_get(probes, 0), chain);
}

static void
say_verdict(const struct trial *t, const struct verify_result *r)
{
	enum verify_step s = 0;

	while (s < VERIFY__COUNT && r->step[s].verdict != VERDICT_FAIL)
		s++;
	if (r->pass)
		findings_add(t->found, FINDING_OK, "verify", NULL,
		    "%s: a verification service takes it", t->name);
	else if (s < VERIFY__COUNT)
		findings_add(t->found, FINDING_BAD, "verify",
		    "see: vesper verify, for every step", "%s: %s: %s", t->name,
		    verify_step_name(s), r->step[s].detail);
	else
		findings_add(t->found, FINDING_WARN, "verify",
		    "see: vesper verify, for every step", "%s: not everything was verified",
		    t->name);
}

static void
verify(const struct trial *t, const struct vesper_signature *sig, const struct chain *chain)
{
	const char *passport = vesper_signature_passport(sig);
	struct verify_input in = { .token = span_str(passport != NULL ? passport : ""),
		.anchors = t->anchors,
		.ctlogs = t->logs,
		.chain = chain,
		.at_s = (int64_t)time(NULL),
		.min_scts = t->credential->min_scts,
		.encompassing = t->credential->encompassing };
	struct verify_result r;
	struct fault f = { 0 };

	if (t->untrusted != NULL) {
		findings_add(t->found, t->hidden ? FINDING_SKIPPED : FINDING_WARN, "verify",
		    t->hidden ? "run it as a user who may read the trust anchors"
			      : "mend trust_anchors or ct_logs: see vesperd.conf(5)",
		    "%s: %s", t->name, t->untrusted);
		return;
	}
	if (verify_passport(&in, &r, &f) != RC_OK) {
		findings_add(
		    t->found, FINDING_BAD, "verify", NULL, "%s: %s", t->name, f.detail);
		return;
	}
	say_verdict(t, &r);
	verify_done(&r);
}

/* ---- one credential ------------------------------------------------------------------------ */

/* False: there is nothing to try. */
static bool
judge_state(const struct trial *t, const json_t *shown)
{
	const char *why =
	    member_text(shown, "detail")[0] != 0 ? member_text(shown, "detail") : "no reason";

	if (json_is_true(json_object_get(shown, "signable"))) {
		findings_add(t->found, FINDING_OK, "credential", NULL, "%s: %s, serial %s",
		    t->name, member_text(shown, "life"), member_text(shown, "serial"));
		return true;
	}
	if (json_is_true(json_object_get(shown, "offboarded")))
		findings_add(t->found, FINDING_REFUSED, "credential",
		    "see: vesper tenant offboard --status", "%s: the tenant is off-boarded",
		    t->name);
	else if (json_is_false(json_object_get(shown, "enabled")))
		findings_add(t->found, FINDING_REFUSED, "credential",
		    "enable the tenant in its file, then: vesperd -t, and reload",
		    "%s: the tenant is disabled", t->name);
	else
		findings_add(t->found, FINDING_BAD, "credential",
		    "see: vesper cert show, vesper doctor", "%s: %s: %s", t->name,
		    member_text(shown, "life"), why);
	return false;
}

/* The number that was named is in another part of the credential. */
static bool
is_of_another(const struct trial *t)
{
	struct tn tn = { 0 };

	return t->part && t->given.orig != NULL && part_of(t) != NULL &&
	       tn_canonical(span_str(t->given.orig), &tn, NULL) == RC_OK &&
	       !tnset_has(part_of(t), tn_key(&tn));
}

static void
try_credential(struct trial *t, const json_t *shown)
{
	struct vesper_signature *dry = NULL, *sig = NULL;
	struct chain *chain = NULL;
	char word[FAILOVER_WORD_MAX];

	if (!judge_state(t, shown))
		return;
	look_at_x5u(t, shown, &chain);
	t->chain = chain;
	if (failover_word(shown, word) && json_is_true(json_object_get(shown, "stands_by")))
		findings_add(
		    t->found, FINDING_SKIPPED, "dry run", NULL, "%s: %s", t->name, word);
	else if (is_of_another(t))
		findings_add(t->found, FINDING_SKIPPED, "dry run", NULL,
		    "%s: the number is in another of its certificates", t->name);
	else if (ask(t, true, &dry) && ask(t, false, &sig))
		verify(t, sig, chain);
	vesper_signature_free(dry);
	vesper_signature_free(sig);
	t->chain = NULL;
	chain_free(chain);
}

static unsigned
try_all(struct trial *t, const json_t *list)
{
	unsigned tried = 0;
	const json_t *shown;
	char name[2 * CONFIG_NAME_MAX + 2];
	size_t i;

	json_array_foreach (list, i, shown) {
		if (strcmp(member_text(shown, "tenant"), t->tenant->name) != 0)
			continue;
		t->credential = config_credential_find(t->tenant, member_text(shown, "name"));
		if (t->credential == NULL) /* the file is newer than what is in force */
			continue;
		if (member_is_empty_part(shown))
			continue;
		t->member = member_text(shown, "name");
		t->part = json_is_integer(json_object_get(shown, "shard"));
		snprintf(name, sizeof name, "%s/%s", t->tenant->name, t->member);
		t->name = name;
		try_credential(t, shown);
		tried++;
	}
	return tried;
}

/* ---- the command ----------------------------------------------------------------------------- */

static enum rc
read_trust(struct trial *t, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(ANCHORS_MAX_BYTES), logs = BUF_INIT(LOGS_TEXT_MAX);

	if (t->config->trust_anchors == NULL)
		return FAULT(f, RC_NOT_FOUND, "config", "trust_anchors is not configured");
	if (t->config->ct_logs != NULL) {
		TRY(cli_read(t->config->ct_logs, &logs, f));
		TRY(ctlogs_read(buf_view(&logs), &t->logs, f));
	}
	TRY(cli_read(t->config->trust_anchors, &pem, f));
	return anchors_read_pem(buf_view(&pem), &t->anchors, f);
}

static bool
may_not_read(const char *path)
{
	return path != NULL && access(path, R_OK) != 0 && errno == EACCES;
}

static void
trust(struct trial *t, struct fault *why)
{
	if (read_trust(t, why) == RC_OK)
		return;
	t->untrusted = why->detail;
	t->hidden = may_not_read(t->config->trust_anchors) || may_not_read(t->config->ct_logs);
}

static int
list_credentials(struct trial *t, json_t **list)
{
	json_auto_t *root = NULL;
	int status =
	    job_ask(t->cli, t->client, "not tried", "GET", "/v1/credentials", NULL, &root);

	if (status != EXIT_DONE)
		return status;
	*list = json_incref(json_object_get(root, "credentials"));
	if (!json_is_array(*list))
		return cli_fail(t->cli, EXIT_FAILED, "not tried", "an answer of another kind",
		    "is this vesperd's socket?");
	return EXIT_DONE;
}

static int
try_tenant(struct trial *t)
{
	AUTO_FINDINGS found;
	json_auto_t *list = NULL;
	struct fault untrusted = { 0 };
	int status = EXIT_DONE;

	findings_init(&found, t->cli);
	t->found = &found;
	t->client = cli_connect(t->cli, t->cli->socket, &status);
	if (t->client == NULL)
		return status;
	status = list_credentials(t, &list);
	if (status == EXIT_DONE) {
		trust(t, &untrusted);
		if (try_all(t, list) == 0)
			status = cli_fail(t->cli, EXIT_ABSENT, "not tried",
			    "the agent shows this user no credential of that tenant",
			    "run it as a user of its allow_user or allow_group, after a "
			    "reload");
		else
			status = findings_end(&found);
	}
	vesper_close(t->client);
	anchors_free(t->anchors);
	ctlogs_free(t->logs);
	return status;
}

/* Where relative paths of the configuration begin. */
static int
test(struct trial *t, const char *file, const char *tenant)
{
	AUTO_FREE char *whole = realpath(file, NULL);
	AUTO_FREE char *tls_ca = t->tls_ca != NULL ? realpath(t->tls_ca, NULL) : NULL;
	AUTO(config) *c = NULL;
	struct fault f = { 0 };

	if (config_read(file, &c, &f) != RC_OK)
		return cli_fail(t->cli, EXIT_USAGE, "the configuration is not good", f.detail,
		    "name it by -c, and run it as a user who may read it");
	if (t->tls_ca != NULL && tls_ca == NULL) /* else the system's would vouch for it */
		return cli_fail(
		    t->cli, EXIT_USAGE, "cannot read --tls-ca", strerror(errno), t->tls_ca);
	t->config = c;
	t->config_file = whole;
	t->tls_ca = tls_ca;
	t->tenant = config_tenant_find(c, tenant);
	if (t->tenant == NULL)
		return cli_fail(
		    t->cli, EXIT_ABSENT, "no such tenant", tenant, "see: vesper cert list");
	if (whole == NULL || chdir(c->dir) != 0)
		return cli_fail(t->cli, EXIT_FAILED, "cannot go to", c->dir, NULL);
	return try_tenant(t);
}

int
cmd_tenant(struct cli *cli, int argc, char **argv)
{
	struct trial t = { .cli = cli };
	const char *config = SYSCONFDIR "/vesperd.conf";
	struct text_list rest = { 0 };
	struct offboard_options o = { 0 };
	const struct option options[] = { { "--config", OPTION_TEXT, &config },
		{ "-c", OPTION_TEXT, &config }, { "--orig", OPTION_TEXT, &t.given.orig },
		{ "--dest", OPTION_LIST, &t.given.dest },
		{ "--ppt", OPTION_TEXT, &t.given.ppt },
		{ "--attest", OPTION_TEXT, &t.given.attest },
		{ "--tls-ca", OPTION_TEXT, &t.tls_ca },
		{ "--claims", OPTION_TEXT, &t.given.file }, { "--yes", OPTION_FLAG, &o.yes },
		{ "--status", OPTION_FLAG, &o.status },
		{ "--destroy-keys", OPTION_FLAG, &o.destroy },
		{ "--take-back", OPTION_FLAG, &o.take_back },
		{ "--force", OPTION_FLAG, &o.force }, { "--reason", OPTION_TEXT, &o.reason },
		{ "--by", OPTION_TEXT, &o.by }, { 0 } };
	struct fault f = { 0 };

	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (rest.len > 0 && strcmp(rest.item[0], "offboard") == 0)
		return tenant_offboard(cli, &rest, &o);
	if (offboard_given(&o))
		return cli_fail(
		    cli, EXIT_USAGE, "usage", "vesper tenant " OFFBOARD_USAGE, NULL);
	if (rest.len > 0 && strcmp(rest.item[0], "numbers") == 0)
		return tenant_numbers(cli, &rest);
	if (rest.len > 0 && failover_is(rest.item[0]))
		return tenant_failover(cli, &rest);
	if (rest.len != 2 || strcmp(rest.item[0], "test") != 0)
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "tenant test TENANT, tenant numbers, tenant failover, or tenant offboard",
		    NULL);
	if (t.given.file != NULL) {
		AUTO_FREE char *file = realpath(t.given.file, NULL);

		t.given.file = file;
		return file != NULL
			   ? test(&t, config, rest.item[1])
			   : cli_fail(cli, EXIT_ABSENT, "--claims", "no such file", NULL);
	}
	return test(&t, config, rest.item[1]);
}
