#include "stir/stilist.h"

#include <stdlib.h>

#include "stir/digest.h"
#include "stir/jtext.h"

void
stilist_free(struct stilist *l)
{
	if (l == NULL)
		return;
	anchors_free(l->anchors);
	free(l);
}

/* ---- who signs ----------------------------------------------------------------------------- */

static bool
is_signed_by(const struct jws_parts *jws, const struct cert *c)
{
	return c->p256 && c->digital_signature &&
	       es256_verify(X509_get0_pubkey(c->x509), jws->signing_input,
		   span_of(jws->sig, ES256_SIG_LEN), NULL) == RC_OK;
}

static enum rc
check_path(const struct jws_parts *jws, const json_t *x5c, struct span signers, int64_t at_s,
    struct fault *f)
{
	AUTO(anchors) *roots = NULL;
	AUTO(chain) *chain = NULL;
	struct fault why = { 0 };

	TRY(anchors_read_pem(signers, &roots, f));
	TRY(chain_read_x5c(x5c, &chain, f));
	if (chain_verify(chain, roots, at_s, NULL, &why) != RC_OK)
		return FAULT(f, RC_DENIED, "list_signer",
		    "its x5c leads to no configured certificate: %s", why.detail);
	if (!is_signed_by(jws, chain->cert[0]))
		return FAULT(f, RC_DENIED, "list_signature", "it does not verify");
	return RC_OK;
}

static enum rc
check_pinned(const struct jws_parts *jws, struct span signers, int64_t at_s, struct fault *f)
{
	AUTO(chain) *known = NULL;

	TRY(chain_read_pem(signers, false, &known, f));
	for (size_t i = 0; i < known->len; i++) {
		const struct cert *c = known->cert[i];

		if (c->not_before_s <= at_s && at_s <= c->not_after_s && is_signed_by(jws, c))
			return RC_OK;
	}
	return FAULT(f, RC_DENIED, "list_signature",
	    "it is not signed by a configured certificate, and has no x5c that leads to one");
}

/* RFC 7515 section 4.1.11: what crit lists has to be understood. */
static enum rc
check_signer(const struct jws_parts *jws, struct span signers, int64_t at_s, struct fault *f)
{
	const json_t *x5c = json_object_get(jws->header, "x5c");

	if (!span_is(jtext_span(json_object_get(jws->header, "alg")), "ES256"))
		return FAULT(f, RC_DENIED, "list_signature", "its alg is not ES256");
	if (json_object_get(jws->header, "crit") != NULL)
		return FAULT(f, RC_DENIED, "list_signature", "it has a crit");
	return x5c != NULL ? check_path(jws, x5c, signers, at_s, f)
			   : check_pinned(jws, signers, at_s, f);
}

/* ---- what it says -------------------------------------------------------------------------- */

static enum rc
add_root(struct buf *pem, const json_t *text, struct fault *f)
{
	AUTO(chain) *one = NULL;

	if (!json_is_string(text))
		return FAULT(f, RC_INVALID, "list_claim", "a root that is no text");
	TRY(chain_read_pem(jtext_span(text), false, &one, f));
	if (one->len != 1 || !one->cert[0]->is_ca || !one->cert[0]->key_cert_sign)
		return FAULT(f, RC_INVALID, "list_ca", "a root that is not one CA certificate");
	return chain_write_pem(pem, one, f);
}

static enum rc
read_roots(struct stilist *l, const json_t *roots, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(ANCHORS_MAX_BYTES);
	size_t i;
	json_t *text;

	if (!json_is_array(roots))
		return FAULT(f, RC_INVALID, "list_claim", "no trustList");
	/* A list that trusts nobody is a mistake, or somebody's wish. */
	if (json_array_size(roots) == 0)
		return FAULT(f, RC_INVALID, "list_empty", "a trustList without a root");
	json_array_foreach (roots, i, text)
		TRY(add_root(&pem, text, f));
	TRY(digest_sha256(buf_view(&pem), l->digest, f));
	return anchors_read_pem(buf_view(&pem), &l->anchors, f);
}

static enum rc
read_claims(struct stilist *l, struct span payload, struct fault *f)
{
	json_auto_t *claims = NULL;
	const json_t *version, *sequence, *exp;

	TRY(jtext_read_foreign(payload, STILIST_MAX_BYTES, &claims, f));
	version = json_object_get(claims, "version");
	sequence = json_object_get(claims, "sequence");
	exp = json_object_get(claims, "exp");
	if (!json_is_integer(sequence) || json_integer_value(sequence) < 0 ||
	    !json_is_integer(exp) || json_integer_value(exp) <= 0 || version == NULL)
		return FAULT(f, RC_INVALID, "list_claim",
		    "version, sequence or exp is missing, or no number");
	l->sequence = json_integer_value(sequence);
	l->exp_s = json_integer_value(exp);
	return read_roots(l, json_object_get(claims, "trustList"), f);
}

/* The answer of the API has it as a member, a file may have it alone. */
static enum rc
find_jwt(struct span text, json_t **root, struct span *out, struct fault *f)
{
	while (text.len > 0 && text.ptr[text.len - 1] <= ' ')
		text.len--;
	if (text.len == 0 || text.ptr[0] != '{') {
		*out = text;
		return RC_OK;
	}
	TRY(jtext_read_foreign(text, STILIST_MAX_BYTES, root, f));
	*out = jtext_span(json_object_get(*root, "caList"));
	if (out->len == 0)
		return FAULT(f, RC_INVALID, "list_form", "no caList");
	return RC_OK;
}

enum rc
stilist_read(
    struct span text, struct span signers, int64_t at_s, struct stilist **out, struct fault *f)
{
	AUTO(stilist) *l = NULL;
	json_auto_t *root = NULL;
	struct jws_parts jws;
	struct span jwt = { 0 };
	enum rc rc;

	if (text.len == 0 || text.len > STILIST_MAX_BYTES)
		return FAULT(f, RC_INVALID, "list_form", "%zu octets", text.len);
	TRY(find_jwt(text, &root, &jwt, f));
	l = calloc(1, sizeof *l);
	if (l == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a list");
	TRY(jws_split(jwt, &jws, f));
	rc = check_signer(&jws, signers, at_s, f);
	if (rc == RC_OK)
		rc = read_claims(l, buf_view(&jws.payload), f);
	jws_done(&jws);
	TRY(rc);
	*out = TAKE(l);
	return RC_OK;
}
