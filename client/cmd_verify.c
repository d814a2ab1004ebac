/* The verification service's steps, offline: nothing is fetched. */
#include "client/disclosure.h"
#include "client/jwe.h"
#include "client/show.h"
#include "client/token.h"
#include "stir/compact.h"
#include "stir/jtext.h"
#include "stir/verify.h"

#include <stdio.h>
#include <time.h>

enum { LOGS_MAX = 1048576, KEY_MAX = 16384 };

struct verify {
	const char *trust, *ct_logs, *chain, *from, *to, *tn_list, *osp_spc;
	const char *encompassing; /* NULL: if-present */
	enum encompass_mode mode;
	const char *disclosure, *disclosure_key;
	struct text_list original, div;
	int64_t at_s; /* -1: now */
	/* What the compact form leaves out (D-20). */
	const char *orig, *info;
	struct text_list dest;
	int64_t iat_s; /* -1: not given */
};

/* What the options name, read. */
struct material {
	struct anchors *anchors;
	struct ctlogs *logs;
	struct chain *chain;
	struct tnset *tn_list;
	struct tn from, to;
	struct buf text, full;
	struct span token; /* in one of them */
	struct originals *originals;
	struct disclosure disclosure;
};

static void
material_done(struct material *m)
{
	anchors_free(m->anchors);
	ctlogs_free(m->logs);
	chain_free(m->chain);
	buf_free(&m->text);
	buf_free(&m->full);
	originals_free(m->originals);
	tnset_free(m->tn_list);
	disclosure_done(&m->disclosure);
}

static enum rc
read_files(const struct verify *v, struct material *m, struct fault *f)
{
	AUTO_BUF trust = BUF_INIT(ANCHORS_MAX_BYTES), logs = BUF_INIT(LOGS_MAX);
	AUTO_BUF chain = BUF_INIT(CHAIN_MAX_BYTES);

	if (v->trust != NULL) {
		TRY(cli_read(v->trust, &trust, f));
		TRY(anchors_read_pem(buf_view(&trust), &m->anchors, f));
	}
	if (v->ct_logs != NULL) {
		TRY(cli_read(v->ct_logs, &logs, f));
		TRY(ctlogs_read(buf_view(&logs), &m->logs, f));
	}
	if (v->chain != NULL) {
		TRY(cli_read(v->chain, &chain, f));
		TRY(chain_read_pem(buf_view(&chain), false, &m->chain, f));
	}
	return v->tn_list != NULL ? cli_read_tn_list(v->tn_list, &m->tn_list, f) : RC_OK;
}

/* The document itself, or the JWE that "vesper disclose" made of it. */
static enum rc
read_disclosure(const struct verify *v, struct material *m, struct fault *f)
{
	AUTO_SECRET plain = BUF_INIT(DISCLOSURE_MAX);
	AUTO_BUF sealed = BUF_INIT(JWE_MAX), text = BUF_INIT(KEY_MAX);
	json_auto_t *key = NULL;

	if (v->disclosure == NULL)
		return RC_OK;
	if (v->disclosure_key == NULL) {
		TRY(cli_read(v->disclosure, &plain, f));
		return disclosure_read(cli_trim(buf_view(&plain)), &m->disclosure, f);
	}
	TRY(cli_read(v->disclosure, &sealed, f));
	TRY(cli_read(v->disclosure_key, &text, f));
	TRY(jtext_read(cli_trim(buf_view(&text)), &key, f));
	TRY(jwe_open(cli_trim(buf_view(&sealed)), key, &plain, f));
	return disclosure_read(buf_view(&plain), &m->disclosure, f);
}

/* The call's own and the diversions: their order is told by what they say. */
static enum rc
read_originals(const struct verify *v, struct material *m, struct fault *f)
{
	AUTO_TOKENS list = { 0 };

	TRY(token_list_add(&list, &v->original, f));
	TRY(token_list_add(&list, &v->div, f));
	if (list.len == 0)
		return RC_OK;
	return originals_read(list.token, list.len, &m->originals, f);
}

static enum rc
read_numbers(const struct verify *v, struct material *m, struct fault *f)
{
	if (v->from != NULL)
		TRY(tn_canonical(span_str(v->from), &m->from, f));
	if (v->to != NULL)
		TRY(tn_canonical(span_str(v->to), &m->to, f));
	return RC_OK;
}

/* ---- the answer ------------------------------------------------------------------- */

static json_t *
steps_json(const struct verify_result *r)
{
	json_t *steps = json_array();

	for (enum verify_step s = 0; s < VERIFY__COUNT; s++) {
		json_t *one = json_pack("{s:s, s:s, s:s}", "step", verify_step_name(s),
		    "verdict", verdict_name(r->step[s].verdict), "detail", r->step[s].detail);

		if (json_array_append_new(steps, one) != 0) {
			json_decref(steps);
			return NULL;
		}
	}
	return steps;
}

/* What the certificate says of claims beside what the PASSporT carries. */
struct announced {
	json_t *list;	   /* disclosure.h */
	const char *proof; /* of what was disclosed; NULL: nothing was */
	bool fails;
};

static enum rc
see_announced(const struct verify *v, const struct material *m, const struct verify_result *r,
    struct announced *out, struct fault *f)
{
	const struct cert *leaf = r->chain != NULL ? r->chain->cert[0] : NULL;
	json_auto_t *sha256 = leaf != NULL ? show_fingerprint(leaf) : NULL;
	bool other = false;

	TRY(disclosure_announced(leaf != NULL ? leaf->constraints : NULL, r->claims,
	    v->disclosure != NULL ? &m->disclosure : NULL, &out->list, &other, f));
	if (v->disclosure == NULL)
		return RC_OK;
	out->proof = other ? "something else than the certificate commits to" : "holds";
	if (!span_is(jtext_span(sha256), m->disclosure.sha256))
		out->proof = "about another certificate";
	out->fails = strcmp(out->proof, "holds") != 0;
	return RC_OK;
}

static int
print_json(
    const struct cli *cli, const struct verify_result *r, const struct announced *announced)
{
	json_t *out = json_pack("{s:b, s:i, s:o, s:O?, s:O?, s:O, s:s?}", "pass", r->pass,
	    "code", r->code, "steps", steps_json(r), "header", r->header, "claims", r->claims,
	    "announced", announced->list, "disclosure", announced->proof);

	/* D-37: what a verifier that wants dest unchanged would say. */
	if (out != NULL && r->diverted && r->answers)
		json_object_set_new(out, "vesper_strict", json_false());
	if (out == NULL)
		return cli_fail(cli, EXIT_FAILED, "cannot answer", "no memory", NULL);
	return cli_print_json(cli, out);
}

static void
print_announced(const struct announced *announced)
{
	size_t i;
	json_t *one;

	json_array_foreach (announced->list, i, one) {
		const char *verdict = json_string_value(json_object_get(one, "verdict"));

		printf("announced: %s (%s)%s%s%s\n",
		    json_string_value(json_object_get(one, "claim")),
		    json_string_value(json_object_get(one, "mode")),
		    json_is_true(json_object_get(one, "carried")) ? ", carried" : "",
		    verdict != NULL ? ": " : "", verdict != NULL ? verdict : "");
	}
	if (announced->proof != NULL)
		printf("disclosure: %s\n", announced->proof);
}

static void
print_table(const struct cli *cli, const struct verify_result *r)
{
	for (enum verify_step s = 0; s < VERIFY__COUNT; s++) {
		bool fails = r->step[s].verdict == VERDICT_FAIL;

		printf("%2d %-12s %s%-7s%s ", (int)s + 1, verify_step_name(s),
		    fails ? cli_bold(cli) : "", verdict_name(r->step[s].verdict),
		    fails ? cli_plain(cli) : "");
		show_plain(r->step[s].detail);
		putchar('\n');
	}
	if (r->pass)
		puts("PASS");
	else if (r->code != 0)
		printf("FAIL, SIP code %d\n", r->code);
	else
		puts("FAIL: not everything was verified");
}

static int
answer(struct cli *cli, const struct verify *v, const struct material *m,
    const struct verify_result *r)
{
	struct announced announced = { 0 };
	struct fault f = { 0 };
	int status = EXIT_DONE;

	if (see_announced(v, m, r, &announced, &f) != RC_OK)
		return cli_fault(cli, EXIT_FAILED, "cannot verify", &f, NULL);
	if (cli->json) {
		status = print_json(cli, r, &announced);
	} else if (!cli->quiet) {
		print_announced(&announced);
		print_table(cli, r);
	}
	json_decref(announced.list);
	if (status == EXIT_DONE && (!r->pass || announced.fails))
		status = EXIT_REFUSED;
	return status;
}

/* The token in full, where it is compact and the signalling is told. */
static int
expand(struct cli *cli, const struct verify *v, struct material *m)
{
	const struct compact with = { .orig = v->orig,
		.dest = v->dest.item,
		.dests = v->dest.len,
		.iat_s = v->iat_s,
		.info = v->info };
	struct fault f = { 0 };

	if (v->orig == NULL)
		return EXIT_DONE; /* its first step says what is missing */
	if (!compact_is(m->token))
		return cli_fail(cli, EXIT_USAGE, "usage: --orig, --dest, --iat, --info",
		    "they are of the compact form, and this token is in full", NULL);
	m->full = BUF_INIT(TOKEN_MAX);
	if (compact_expand(&m->full, m->token, &with, &f) != RC_OK)
		return cli_fault(cli, EXIT_REFUSED, "cannot rebuild the PASSporT", &f, NULL);
	m->token = buf_view(&m->full);
	return EXIT_DONE;
}

static int
verify_with(struct cli *cli, const struct verify *v, const struct material *m)
{
	struct verify_input in = { .token = m->token,
		.anchors = m->anchors,
		.ctlogs = m->logs,
		.chain = m->chain,
		.from = v->from != NULL ? &m->from : NULL,
		.to = v->to != NULL ? &m->to : NULL,
		.salts = m->disclosure.salts,
		.at_s = v->at_s,
		.originals = m->originals,
		.min_scts = 1,
		.encompassing = v->mode,
		.referenced = m->tn_list,
		.osp_spc = v->osp_spc };
	struct verify_result r;
	struct fault f = { 0 };
	int status;

	if (verify_passport(&in, &r, &f) != RC_OK)
		return cli_fault(cli, EXIT_FAILED, "cannot verify", &f, NULL);
	status = answer(cli, v, m, &r);
	verify_done(&r);
	return status;
}

static int
verify(struct cli *cli, const struct verify *v, const char *token)
{
	__attribute__((cleanup(material_done))) struct material m = { .text =
									  BUF_INIT(TOKEN_MAX) };
	struct fault f = { 0 };
	int status;

	if (read_numbers(v, &m, &f) != RC_OK)
		return cli_fault(cli, EXIT_USAGE, "usage: --from or --to", &f, NULL);
	if (read_files(v, &m, &f) != RC_OK)
		return cli_unread(cli, "cannot read what it is verified with", &f,
		    "check --trust, --ct-logs and --chain");
	if (read_disclosure(v, &m, &f) != RC_OK)
		return cli_unread(cli, "cannot read the disclosure", &f,
		    "check --disclosure and --disclosure-key");
	if (token_read(token, &m.text, &m.token, &f) != RC_OK)
		return cli_unread(cli, "cannot read the token", &f, NULL);
	if (read_originals(v, &m, &f) != RC_OK)
		return cli_fault(cli,
		    f.rc == RC_NOT_FOUND ? EXIT_ABSENT
		    : f.rc == RC_DENIED	 ? EXIT_REFUSED
					 : EXIT_FAILED,
		    "--original and --div", &f, NULL);
	status = expand(cli, v, &m);
	return status == EXIT_DONE ? verify_with(cli, v, &m) : status;
}

int
cmd_verify(struct cli *cli, int argc, char **argv)
{
	struct verify v = { .at_s = -1, .iat_s = -1 };
	struct text_list rest = { 0 };
	const struct option options[] = { { "--trust", OPTION_TEXT, &v.trust },
		{ "--ct-logs", OPTION_TEXT, &v.ct_logs }, { "--chain", OPTION_TEXT, &v.chain },
		{ "--from", OPTION_TEXT, &v.from }, { "--to", OPTION_TEXT, &v.to },
		{ "--at", OPTION_TIME, &v.at_s }, { "--tn-list", OPTION_TEXT, &v.tn_list },
		{ "--osp-spc", OPTION_TEXT, &v.osp_spc },
		{ "--encompassing", OPTION_TEXT, &v.encompassing },
		{ "--original", OPTION_LIST, &v.original }, { "--div", OPTION_LIST, &v.div },
		{ "--orig", OPTION_TEXT, &v.orig }, { "--dest", OPTION_LIST, &v.dest },
		{ "--iat", OPTION_TIME, &v.iat_s }, { "--info", OPTION_TEXT, &v.info },
		{ "--disclosure", OPTION_TEXT, &v.disclosure },
		{ "--disclosure-key", OPTION_TEXT, &v.disclosure_key }, { 0 } };
	struct fault f = { 0 };

	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (rest.len != 1)
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "one token is due, or - for standard input", NULL);
	if (v.encompassing != NULL && !encompass_find(v.encompassing, &v.mode))
		return cli_fail(cli, EXIT_USAGE, "usage: --encompassing", v.encompassing,
		    "it is require, if-present or off");
	if ((v.orig != NULL) != (v.dest.len > 0) || (v.orig != NULL) != (v.iat_s >= 0) ||
	    (v.orig == NULL && v.info != NULL))
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "--orig, --dest and --iat go together, and --info with them", NULL);
	if (v.disclosure_key != NULL && v.disclosure == NULL)
		return cli_fail(cli, EXIT_USAGE, "usage: --disclosure-key",
		    "it opens what --disclosure names", NULL);
	if (v.at_s < 0)
		v.at_s = (int64_t)time(NULL);
	return verify(cli, &v, rest.item[0]);
}
