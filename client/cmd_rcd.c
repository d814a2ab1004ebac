/*
 * "vesper rcd": the claims rcd and rcdi from a name, URLs with local copies of
 * what lies there, and a jCard; the constraints that a claim agent should be
 * asked for; and the lines of rcd_content.  Nothing is fetched.
 */
#include "client/cli.h"
#include "client/show.h"
#include "stir/constraints.h"
#include "stir/jtext.h"
#include "stir/rcd.h"

enum { CONTENT_MAX = 4 * 1024 * 1024 };

struct rcd_options {
	const char *nam, *apn, *icn, *jcd, *jcl, *hash, *form;
	struct text_list crn, content;
};

/* What lies at one URL. */
struct content {
	char *uri;
	struct rcd_digest digest;
	json_t *card;
	bool other_text; /* the file is a card in another form than the one that is hashed */
};

struct rcd_work {
	const struct rcd_options *o;
	enum rcd_hash hash;
	struct content content[ARGS_MAX];
	size_t contents;
	json_t *rcd, *rcdi;
};

static enum rc
no_memory(struct fault *f)
{
	return FAULT(f, RC_NO_MEMORY, "no_memory", "no memory");
}

static void
work_done(struct rcd_work *w)
{
	for (size_t i = 0; i < w->contents; i++) {
		free(w->content[i].uri);
		json_decref(w->content[i].card);
	}
	json_decref(w->rcd);
	json_decref(w->rcdi);
}

/* ---- content ------------------------------------------------------------------------ */

/* A card is published in the RFC 8225 form, which every verifier hashes alike. */
static enum rc
take_card(struct content *c, struct buf *text, struct fault *f)
{
	AUTO_BUF form = BUF_INIT(JTEXT_MAX_BYTES);

	TRY(jtext_read(buf_view(text), &c->card, f));
	TRY(jcard_check(c->card, "jcl", f));
	TRY(jtext_write(&form, c->card, f));
	c->other_text = !span_eq(buf_view(&form), buf_view(text));
	buf_clear(text);
	buf_span(text, buf_view(&form));
	return buf_check(text, f);
}

/* "URL=FILE"; a URL may hold "=", so the last one parts them. */
static enum rc
take_content(struct rcd_work *w, const char *pair, struct fault *f)
{
	struct content *c = &w->content[w->contents++];
	const char *equals = strrchr(pair, '=');
	AUTO_BUF text = BUF_INIT(CONTENT_MAX);

	if (equals == NULL || equals == pair)
		return FAULT(f, RC_INVALID, "usage", "--content %.80s is not URL=FILE", pair);
	c->uri = strndup(pair, (size_t)(equals - pair));
	if (c->uri == NULL)
		return no_memory(f);
	TRY(cli_read(equals + 1, &text, f));
	if (w->o->jcl != NULL && strcmp(w->o->jcl, c->uri) == 0)
		TRY(take_card(c, &text, f));
	return rcd_digest_of(w->hash, buf_view(&text), &c->digest, f);
}

static enum rc
find_hash(const char *name, enum rcd_hash *out, struct fault *f)
{
	*out = RCD_SHA256;
	for (unsigned h = 0; name != NULL && h < RCD__HASHES; h++) {
		if (strcmp(rcd_hash_name((enum rcd_hash)h), name) == 0) {
			*out = (enum rcd_hash)h;
			return RC_OK;
		}
	}
	return name == NULL ? RC_OK
			    : FAULT(f, RC_INVALID, "usage",
				  "--hash is sha256, sha384 or sha512, not %.20s", name);
}

/* ---- claims ------------------------------------------------------------------------- */

static enum rc
put_text(json_t *object, const char *name, const char *text, struct fault *f)
{
	if (text == NULL || json_object_set_new(object, name, json_string(text)) == 0)
		return RC_OK;
	return FAULT(f, RC_INVALID, "usage", "--%s is not UTF-8", name);
}

static enum rc
put_jcd(json_t *rcd, const char *file, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(JTEXT_MAX_BYTES);
	json_t *card = NULL;

	if (file == NULL)
		return RC_OK;
	TRY(cli_read(file, &text, f));
	TRY(jtext_read(buf_view(&text), &card, f));
	return json_object_set_new(rcd, "jcd", card) == 0 ? RC_OK : no_memory(f);
}

static enum rc
build_rcd(struct rcd_work *w, struct fault *f)
{
	w->rcd = json_object();
	if (w->rcd == NULL)
		return no_memory(f);
	TRY(put_text(w->rcd, "nam", w->o->nam, f));
	TRY(put_text(w->rcd, "apn", w->o->apn, f));
	TRY(put_text(w->rcd, "icn", w->o->icn, f));
	TRY(put_text(w->rcd, "jcl", w->o->jcl, f));
	TRY(put_jcd(w->rcd, w->o->jcd, f));
	return rcd_check("rcd", w->rcd, f);
}

static enum rc
build(struct rcd_work *w, struct fault *f)
{
	struct rcd_known known[ARGS_MAX];

	TRY(find_hash(w->o->hash, &w->hash, f));
	for (size_t i = 0; i < w->o->content.len; i++)
		TRY(take_content(w, w->o->content.item[i], f));
	TRY(build_rcd(w, f));
	for (size_t i = 0; i < w->contents; i++)
		known[i] = (struct rcd_known){ w->content[i].uri, &w->content[i].digest, 1,
			w->content[i].card };
	return rcd_make_rcdi(w->rcd, w->hash, known, w->contents, &w->rcdi, f);
}

/* ---- what is said ------------------------------------------------------------------- */

static json_t *
claims_json(const struct rcd_work *w)
{
	json_t *claims = json_pack("{s:O, s:O}", "rcd", w->rcd, "rcdi", w->rcdi);

	if (claims != NULL && w->o->crn.len > 0)
		json_object_set_new(claims, "crn", json_string(w->o->crn.item[0]));
	return claims;
}

static json_t *
constraints_json(const struct constraints *c, struct fault *f)
{
	AUTO_BUF der = BUF_INIT(CONSTRAINTS_MAX_DER), hex = BUF_INIT(2 * CONSTRAINTS_MAX_DER);
	json_t *out = show_constraints(c);

	if (out == NULL || constraints_encode(&der, c, f) != RC_OK)
		return out;
	for (size_t i = 0; i < der.len; i++)
		buf_printf(&hex, "%02x", der.ptr[i]);
	if (buf_text(&hex) != NULL)
		json_object_set_new(out, "der", json_string(buf_text(&hex)));
	json_object_set_new(out, "oid",
	    json_string(
		c->form == CONSTRAINTS_JWT ? "1.3.6.1.5.5.7.1.27" : "1.3.6.1.5.5.7.1.33"));
	return out;
}

/*
 * RFC 9795 sections 6.2 and 6.3: both must be there, with these digests; a
 * call reason is one of those given.
 */
static json_t *
wanted_json(const struct rcd_work *w, enum constraints_form form, struct fault *f)
{
	static char rcd[] = "rcd", rcdi[] = "rcdi", crn[] = "crn";
	char *names[] = { rcd, rcdi, crn };
	AUTO_BUF text = BUF_INIT(JTEXT_MAX_BYTES);
	bool reasons = w->o->crn.len > 0;
	char *value[1];
	struct permitted permitted[] = { { rcdi, value, 1 },
		{ crn, (char **)(uintptr_t)w->o->crn.item, w->o->crn.len } };
	const struct constraints c = { .form = form,
		.must_include = names,
		.must_includes = reasons ? 3 : 2,
		.permitted = permitted,
		.permitteds = reasons ? 2 : 1 };

	if (jtext_write(&text, w->rcdi, f) != RC_OK || buf_text(&text) == NULL)
		return NULL;
	value[0] = (char *)text.ptr;
	return constraints_json(&c, f);
}

/* The lines of rcd_content, and what must lie at a URL where the file has another form. */
static enum rc
put_contents(json_t *out, const struct rcd_work *w, struct fault *f)
{
	json_t *lines = json_array(), *publish = json_object();

	json_object_set_new(out, "rcd_content", lines);
	json_object_set_new(out, "publish", publish);
	for (size_t i = 0; i < w->contents; i++) {
		const struct content *c = &w->content[i];
		AUTO_BUF form = BUF_INIT(JTEXT_MAX_BYTES);
		char digest[RCD_DIGEST_TEXT];

		rcd_digest_text(&c->digest, digest);
		if (json_array_append_new(lines, json_sprintf("%s %s", c->uri, digest)) != 0)
			return no_memory(f);
		if (!c->other_text)
			continue;
		TRY(jtext_write(&form, c->card, f));
		json_object_set_new(
		    publish, c->uri, json_stringn((const char *)form.ptr, form.len));
	}
	return RC_OK;
}

static enum rc
result(const struct rcd_work *w, enum constraints_form form, json_t **out, struct fault *f)
{
	json_auto_t *all = json_object();
	json_auto_t *claims = claims_json(w);

	if (all == NULL || claims == NULL)
		return no_memory(f);
	TRY(rcd_check_claims(claims, f));
	json_object_set(all, "claims", claims);
	if (json_object_set_new(all, "constraints", wanted_json(w, form, f)) != 0)
		return f->rc != RC_OK ? f->rc : no_memory(f);
	TRY(put_contents(all, w, f));
	*out = TAKE(all);
	return RC_OK;
}

static int
failed(struct cli *cli, const struct fault *f)
{
	if (strcmp(f->reason, "usage") == 0)
		return cli_fail(cli, EXIT_USAGE, "usage", f->detail, NULL);
	if (fault_is(f, REASON_RCD_CONTENT_UNKNOWN))
		return cli_fault(
		    cli, EXIT_USAGE, "content is missing", f, "give --content URL=FILE");
	if (f->rc == RC_NOT_FOUND || f->rc == RC_IO)
		return cli_unread(cli, "cannot read a file", f, NULL);
	if (fault_is(f, REASON_INVALID_CLAIM))
		return cli_fault(cli, EXIT_REFUSED, "the agent would not sign that", f, NULL);
	return cli_fault(cli, EXIT_FAILED, "cannot build the claims", f, NULL);
}

static int
print(struct cli *cli, json_t *out)
{
	json_auto_t *mine = out;

	if (cli->json)
		return cli_print_json(cli, TAKE(mine));
	show_text(mine, 0);
	return EXIT_DONE;
}

static int
run(struct cli *cli, const struct rcd_options *o)
{
	bool enhanced = o->form != NULL && strcmp(o->form, "enhanced") == 0;
	__attribute__((cleanup(work_done))) struct rcd_work w = { .o = o };
	json_t *out = NULL;
	struct fault f = { 0 };

	if (build(&w, &f) != RC_OK ||
	    result(&w, enhanced ? CONSTRAINTS_ENHANCED : CONSTRAINTS_JWT, &out, &f) != RC_OK)
		return failed(cli, &f);
	return print(cli, out);
}

int
cmd_rcd(struct cli *cli, int argc, char **argv)
{
	struct rcd_options o = { 0 };
	struct text_list rest = { 0 };
	const struct option options[] = { { "--nam", OPTION_TEXT, &o.nam },
		{ "--apn", OPTION_TEXT, &o.apn }, { "--icn", OPTION_TEXT, &o.icn },
		{ "--jcd", OPTION_TEXT, &o.jcd }, { "--jcl", OPTION_TEXT, &o.jcl },
		{ "--crn", OPTION_LIST, &o.crn }, { "--content", OPTION_LIST, &o.content },
		{ "--hash", OPTION_TEXT, &o.hash }, { "--form", OPTION_TEXT, &o.form }, { 0 } };
	struct fault f = { 0 };

	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (o.nam == NULL || rest.len != 0)
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "--nam TEXT is due (\"\" where there is no name), and options only", NULL);
	if (o.form != NULL && strcmp(o.form, "jwt") != 0 && strcmp(o.form, "enhanced") != 0)
		return cli_fail(cli, EXIT_USAGE, "usage", "--form is jwt or enhanced", NULL);
	return run(cli, &o);
}
