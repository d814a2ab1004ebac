/*
 * The salts of chosen commitments to one relying party, sealed to its public
 * key (VESPER -06 "Salt Disclosure", V-57).  Nothing is disclosed that the
 * certificate does not commit to.
 */
#include "client/cli.h"
#include "client/disclosure.h"
#include "client/jwe.h"
#include "client/show.h"
#include "stir/b64.h"
#include "stir/chain.h"
#include "stir/jtext.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <time.h>

enum { CLAIMS_MAX = 65536, KEY_MAX = 16384 };

struct disclose {
	const char *salts, *claims, *cert, *to, *audience;
	struct text_list claim;
};

struct material {
	struct salts *salts;
	struct chain *chain;
	json_t *claims, *key;
};

static void
material_done(struct material *m)
{
	salts_free(m->salts);
	chain_free(m->chain);
	json_decref(m->claims);
	json_decref(m->key);
}

/* ---- reading ------------------------------------------------------------------------ */

static enum rc
read_json(const char *path, size_t max, json_t **out, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(max);

	TRY(cli_read(path, &text, f));
	TRY(jtext_read(cli_trim(buf_view(&text)), out, f));
	return json_is_object(*out)
		   ? RC_OK
		   : FAULT(f, RC_INVALID, "malformed_json", "%.100s: no JSON object", path);
}

static enum rc
read_all(const struct disclose *o, struct material *m, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);

	TRY(cli_read(o->cert, &pem, f));
	TRY(chain_read_pem(buf_view(&pem), false, &m->chain, f));
	TRY(read_json(o->claims, CLAIMS_MAX, &m->claims, f));
	TRY(read_json(o->to, KEY_MAX, &m->key, f));
	return disclosure_salts(o->salts, &m->salts, f);
}

/* ---- the document ------------------------------------------------------------------- */

static enum rc
no_memory(struct fault *f)
{
	return FAULT(f, RC_NO_MEMORY, "no_memory", "a disclosure");
}

static enum rc
put_salt(json_t *one, struct span salt, struct fault *f)
{
	AUTO_SECRET text = BUF_INIT(128);

	if (buf_room(&text, 127) == NULL)
		return no_memory(f);
	b64_encode(&text, B64_STD_BARE, salt);
	return json_object_set_new(
		   one, "salt", json_stringn((const char *)text.ptr, text.len)) == 0
		   ? RC_OK
		   : no_memory(f);
}

/* V-58 before anybody else does it: a disclosure that proves nothing only gives away. */
static enum rc
put_claim(const struct material *m, char *path, json_t *list, struct fault *f)
{
	const struct permitted p = { .claim = path };
	struct span salt = salts_find(m->salts, span_str(path));
	const json_t *value = NULL;
	enum disclosed what = DISCLOSED_NOTHING;
	json_t *one;

	TRY(constraints_part(m->claims, &p, &value, f));
	if (salt.len == 0 || value == NULL)
		return FAULT(f, RC_NOT_FOUND, "path", "'%.60s': no %s of it", path,
		    salt.len == 0 ? "salt" : "value");
	TRY(disclosed_is(m->chain->cert[0]->constraints, path, salt, value, &what, f));
	if (what != DISCLOSED_PROVEN)
		return FAULT(f, RC_DENIED, "value_not_permitted",
		    "'%.60s': the certificate does not commit to this salt and value", path);
	one = json_pack("{s:s, s:s}", "claim", path, "alg", "sha-256");
	if (json_array_append_new(list, one) != 0 ||
	    json_object_set(one, "value", jtext_walk(value)) != 0)
		return no_memory(f);
	return put_salt(one, salt, f);
}

static enum rc
put_claims(const struct disclose *o, const struct material *m, json_t *list, struct fault *f)
{
	for (size_t i = 0; i < o->claim.len; i++) {
		AUTO_FREE char *path = strdup(o->claim.item[i]);

		if (path == NULL)
			return no_memory(f);
		TRY(put_claim(m, path, list, f));
	}
	return RC_OK;
}

static enum rc
document(const struct disclose *o, const struct material *m, json_t **out, struct fault *f)
{
	const struct cert *leaf = m->chain->cert[0];
	json_t *claims = json_array();
	json_auto_t *d = json_pack("{s:s, s:I, s:{s:s, s:o}, s:o}", "schema",
	    "vesper/disclosure/1", "iat", (json_int_t)time(NULL), "certificate", "serial",
	    leaf->serial, "sha256", show_fingerprint(leaf), "claims", claims);

	if (d == NULL)
		return no_memory(f);
	if (o->audience != NULL && json_object_set_new(d, "aud", json_string(o->audience)) != 0)
		return FAULT(f, RC_INVALID, "usage", "--audience is no text");
	TRY(put_claims(o, m, claims, f));
	*out = TAKE(d);
	return RC_OK;
}

static enum rc
seal(const struct disclose *o, const struct material *m, struct buf *out, struct fault *f)
{
	AUTO_SECRET text = BUF_INIT(DISCLOSURE_MAX);
	json_auto_t *d = NULL;

	if (m->chain->cert[0]->constraints == NULL)
		return FAULT(f, RC_DENIED, "value_not_permitted",
		    "the certificate commits to nothing: it has no claim constraints");
	TRY(document(o, m, &d, f));
	if (buf_room(&text, DISCLOSURE_MAX) == NULL)
		return no_memory(f);
	TRY(jtext_write(&text, d, f));
	return jwe_seal(buf_view(&text), m->key, DISCLOSURE_TYPE, out, f);
}

/* ---- the command -------------------------------------------------------------------- */

static int
disclose(struct cli *cli, const struct disclose *o)
{
	__attribute__((cleanup(material_done))) struct material m = { 0 };
	AUTO_BUF jwe = BUF_INIT(JWE_MAX);
	struct fault f = { 0 };
	enum rc rc;

	if (read_all(o, &m, &f) != RC_OK)
		return cli_fault(cli, f.rc == RC_NOT_FOUND ? EXIT_ABSENT : EXIT_FAILED,
		    "cannot read what is to be disclosed", &f, NULL);
	rc = seal(o, &m, &jwe, &f);
	if (rc != RC_OK)
		return cli_fault(cli,
		    rc == RC_DENIED	 ? EXIT_REFUSED
		    : rc == RC_NOT_FOUND ? EXIT_ABSENT
					 : EXIT_FAILED,
		    "nothing is disclosed", &f, NULL);
	if (buf_text(&jwe) == NULL)
		return cli_fail(cli, EXIT_FAILED, "cannot answer", "no memory", NULL);
	if (cli->json)
		return cli_print_json(cli, json_pack("{s:s}", "jwe", buf_text(&jwe)));
	return puts(buf_text(&jwe)) >= 0 ? EXIT_DONE : EXIT_FAILED;
}

int
cmd_disclose(struct cli *cli, int argc, char **argv)
{
	struct disclose o = { 0 };
	struct text_list rest = { 0 };
	const struct option options[] = { { "--salts", OPTION_TEXT, &o.salts },
		{ "--claims", OPTION_TEXT, &o.claims }, { "--cert", OPTION_TEXT, &o.cert },
		{ "--to", OPTION_TEXT, &o.to }, { "--audience", OPTION_TEXT, &o.audience },
		{ "--claim", OPTION_LIST, &o.claim }, { 0 } };
	struct fault f = { 0 };

	cli_wipe_json();
	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (o.salts == NULL || o.claims == NULL || o.cert == NULL || o.to == NULL ||
	    o.claim.len == 0 || rest.len != 0)
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "--cert, --claims, --salts, --to and at least one --claim are due", NULL);
	return disclose(cli, &o);
}
