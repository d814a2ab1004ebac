/*
 * What a credential's PASSporTs may claim: beyond what their types have, in
 * single types, and by the constraints that its certificate is to have.
 */
#include "agent/config_parse.h"

#include <stdlib.h>
#include <string.h>

#include "stir/ppt.h"
#include "stir/uri.h"

/* ---- claims ------------------------------------------------------------------ */

static enum rc
read_extra_claims(const struct section *s, struct config_credential *cred, struct fault *f)
{
	static const char *const base[] = { "orig", "dest", "iat" };

	TRY(section_strings(s, "extra_claims", &cred->extra_claims, f));
	for (size_t i = 0; i < cred->extra_claims.len; i++) {
		for (size_t k = 0; k < ARRAY_LEN(base); k++) {
			if (strcmp(cred->extra_claims.item[i], base[k]) == 0)
				return section_bad(s, "extra_claims", f,
				    "'%s' is in every PASSporT, not an extra claim", base[k]);
		}
		/* RFC 8225 section 5 */
		for (const char *c = cred->extra_claims.item[i]; *c != '\0'; c++) {
			if (*c < ' ' || *c > '~')
				return section_bad(
				    s, "extra_claims", f, "the names of claims are ASCII");
		}
	}
	return RC_OK;
}

/* "https://host/path", or the same with a blank and "sha256-…" behind it. */
static enum rc
read_content(
    const struct section *s, const char *text, struct config_content *out, struct fault *f)
{
	size_t len = strcspn(text, " ");
	json_auto_t *uri = json_stringn(text, len);
	struct fault inner = { 0 };

	if (uri == NULL || uri_kind_of(uri) != URI_CONTENT)
		return section_bad(s, "rcd_content", f,
		    "'%.60s' is no https URL; write \"https://HOST/PATH\", or "
		    "\"https://HOST/PATH sha256-DIGEST\"",
		    text);
	out->uri = strndup(text, len);
	if (out->uri == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "rcd_content");
	out->pinned = text[len] != '\0';
	if (out->pinned &&
	    rcd_digest_parse(span_str(text + len + 1), &out->digest, &inner) != RC_OK)
		return section_bad(s, "rcd_content", f, "%.60s: %s", out->uri, inner.detail);
	return RC_OK;
}

static enum rc
read_contents(const struct section *s, struct config_credential *cred, struct fault *f)
{
	static const char *const ways[] = { "refuse", "trust", NULL };
	size_t n = cfg_size(s->cfg, "rcd_content");
	unsigned choice = 0;

	TRY(section_choice(s, "rcd_content_unknown", ways, &choice, f));
	cred->trust_content = choice == 1;
	if (n == 0)
		return RC_OK;
	if (n > CONFIG_MAX_CONTENT)
		return section_bad(
		    s, "rcd_content", f, "more than %d entries", CONFIG_MAX_CONTENT);
	cred->rcd_content = calloc(n, sizeof cred->rcd_content[0]);
	if (cred->rcd_content == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "rcd_content");
	while (cred->rcd_contents < n) {
		const char *text =
		    cfg_getnstr(s->cfg, "rcd_content", (unsigned)cred->rcd_contents);

		TRY(read_content(s, text, &cred->rcd_content[cred->rcd_contents++], f));
	}
	return RC_OK;
}

/* ---- constraints ------------------------------------------------------------- */

/* As section_strings, but in the shape of struct constraints: its owner frees. */
static enum rc
claim_names(const struct section *s, const char *key, char ***out, size_t *len, struct fault *f)
{
	struct config_strings list = { 0 };
	enum rc rc = section_strings(s, key, &list, f);

	*out = list.item;
	*len = list.len;
	if (rc == RC_OK && list.len > CONSTRAINTS_MAX_CLAIMS)
		return section_bad(s, key, f, "more than %d claims", CONSTRAINTS_MAX_CLAIMS);
	return rc;
}

static enum rc
read_permitted(const struct section *s, struct permitted *p, struct fault *f)
{
	struct config_strings values = { 0 };
	enum rc rc;

	p->claim = strdup(section_title(s));
	if (p->claim == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "permitted");
	rc = section_strings(s, "values", &values, f);
	p->value = values.item;
	p->values = values.len;
	if (rc == RC_OK && (p->values == 0 || p->values > CONSTRAINTS_MAX_VALUES))
		return section_bad(s, "values", f, "permitted '%.40s' needs 1 to %d values",
		    p->claim, CONSTRAINTS_MAX_VALUES);
	return rc;
}

static enum rc
read_permitteds(const struct section *s, struct constraints *k, struct fault *f)
{
	size_t n = section_count(s, "permitted");

	if (n == 0)
		return RC_OK;
	k->permitted = calloc(n, sizeof k->permitted[0]);
	if (k->permitted == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "permitted");
	while (k->permitteds < n) {
		struct section p = section_child(s, "permitted", k->permitteds);

		TRY(read_permitted(&p, &k->permitted[k->permitteds++], f));
	}
	return RC_OK;
}

static enum rc
check_constraints(const struct section *s, const struct constraints *k,
    const struct constraints_policy *policy, struct fault *f)
{
	struct fault inner = { 0 };

	if (k->form == CONSTRAINTS_JWT && k->must_excludes > 0)
		return section_bad(s, "must_exclude", f,
		    "'must_exclude' needs form = \"enhanced\" (RFC 9118)");
	if (k->must_includes == 0 && k->permitteds == 0 && k->must_excludes == 0)
		return section_bad(s, NULL, f, "'constraints' says nothing; leave it out");
	if (constraints_check(k, policy, &inner) != RC_OK)
		return section_bad(s, NULL, f, "%s", inner.detail);
	return RC_OK;
}

static enum rc
read_constraints(const struct section *s, struct config_credential *cred, struct fault *f)
{
	static const char *const forms[] = { "jwt", "enhanced", NULL };
	struct constraints *k = calloc(1, sizeof *k);
	unsigned choice = 0;

	cred->constraints = k; /* freed with the credential, half-built too */
	if (k == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "constraints");
	TRY(section_choice(s, "form", forms, &choice, f));
	k->form = choice == 0 ? CONSTRAINTS_JWT : CONSTRAINTS_ENHANCED;
	TRY(claim_names(s, "must_include", &k->must_include, &k->must_includes, f));
	TRY(claim_names(s, "must_exclude", &k->must_exclude, &k->must_excludes, f));
	TRY(read_permitteds(s, k, f));
	return check_constraints(s, k, &cred->constraints_policy, f);
}

/* D-15 */
static enum rc
read_commitments(const struct section *s, struct config_credential *cred, struct fault *f)
{
	static const char *const ways[] = { "refuse", "allow", NULL };
	unsigned choice = 0;

	TRY(section_secret(s, "salts", &cred->salts, f));
	TRY(section_choice(s, "commit_without_salt", ways, &choice, f));
	cred->constraints_policy.assert_committed = section_bool(s, "assert_committed");
	cred->constraints_policy.commit_without_salt = choice == 1;
	if (choice == 1 && !cred->constraints_policy.assert_committed)
		return section_bad(s, "commit_without_salt", f,
		    "'commit_without_salt' has a meaning only with assert_committed = yes");
	return RC_OK;
}

static enum rc
read_wanted_constraints(const struct config *c, const struct section *s,
    struct config_credential *cred, struct fault *f)
{
	size_t n = section_count(s, "constraints");
	struct section k;

	cred->constraints_policy = (struct constraints_policy){
		.rfc8226_strict_permitted = section_bool(s, "rfc8226_strict_permitted"),
		.normalise_permitted = section_bool(s, "normalise_permitted"),
		.accept_quoted_permitted = section_bool(s, "accept_quoted_permitted"),
		.orig_uri = section_bool(s, "orig_uri"),
	};
	TRY(read_commitments(s, cred, f));
	if (n > 0) {
		k = section_child(s, "constraints", 0);
		TRY(read_constraints(&k, cred, f));
		if (config_issuer(c, cred) == ISSUER_ACME && cred->claim_agent == NULL)
			return section_bad(&k, NULL, f,
			    "with a ca these need a claim agent for their token; write "
			    "claim_agent = \"…\"");
		return RC_OK;
	}
	if (cred->claim_agent != NULL)
		return section_bad(s, "claim_agent", f,
		    "a claim agent attests constraints; write constraints { … } or drop it");
	return RC_OK;
}

/* ---- single types ------------------------------------------------------------ */

/* A claim's rule on the text of a key. */
static enum rc
check_as_claim(const struct section *s, const char *key, const char *text, enum ppt ppt,
    const char *claim, struct fault *f)
{
	json_auto_t *value = json_string(text);
	struct fault why = { 0 };

	if (value == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%s", key);
	if (ppt_claim(ppt, claim)->check(claim, value, &why) == RC_OK)
		return RC_OK;
	return section_bad(s, key, f, "'%s' is no %s: %s", key, claim, why.detail);
}

/* D-48 */
static enum rc
read_origid(const struct section *s, struct config_credential *cred, struct fault *f)
{
	static const char *const sources[] = { "caller", "fixed", "random", NULL };
	unsigned choice = 0;

	TRY(section_choice(s, "origid", sources, &choice, f));
	TRY(section_string(s, "origid_value", &cred->origid_value, f));
	cred->origid = choice;
	if ((cred->origid == ORIGID_FIXED) != (cred->origid_value != NULL))
		return section_bad(s, section_has(s, "origid") ? "origid" : "origid_value", f,
		    "origid = fixed and origid_value = \"UUID\" go together");
	if (cred->origid_value == NULL)
		return RC_OK;
	return check_as_claim(s, "origid_value", cred->origid_value, PPT_SHAKEN, "origid", f);
}

/* D-52 */
static enum rc
read_third_party(const struct section *s, struct config_credential *cred, struct fault *f)
{
	cred->third_party_rcd = section_bool(s, "third_party_rcd");
	TRY(section_string(s, "third_party_iss", &cred->third_party_iss, f));
	if (cred->third_party_rcd != (cred->third_party_iss != NULL))
		return section_bad(s,
		    section_has(s, "third_party_rcd") ? "third_party_rcd" : "third_party_iss",
		    f, "third_party_rcd = yes and third_party_iss = \"NAME\" go together");
	if (cred->third_party_iss == NULL)
		return RC_OK;
	return check_as_claim(s, "third_party_iss", cred->third_party_iss, PPT_RCD, "iss", f);
}

/* D-38: what it means there is draft -05's alone to say. */
static enum rc
read_attest_in_rsp(const struct section *s, struct config_credential *cred, struct fault *f)
{
	const struct profile_rule *rule = profile_rule(cred->profile);

	cred->attest_in_rsp = section_bool(s, "attest_in_rsp");
	if (cred->attest_in_rsp && !rule->attest_in_rsp)
		return section_bad(s, "attest_in_rsp", f,
		    "attest has no meaning in ppt rsp under profile %s", rule->name);
	return RC_OK;
}

/* D-26: a provider's numbers are configured, and its code says nothing of a domain. */
static enum rc
read_orig_uri(const struct section *s, struct config_credential *cred, struct fault *f)
{
	const struct profile_rule *rule = profile_rule(cred->profile);

	cred->orig_uri = section_bool(s, "orig_uri");
	if (cred->orig_uri && rule->cls == CLASS_SP)
		return section_bad(
		    s, "orig_uri", f, "profile %s signs for numbers alone", rule->name);
	return RC_OK;
}

/* What belongs to single types of PASSporT. */
static enum rc
read_types(const struct section *s, struct config_credential *cred, struct fault *f)
{
	static const char *const checks[] = { "compare", "cached", NULL };
	unsigned choice = 0;

	TRY(read_attest_in_rsp(s, cred, f));
	cred->rcd_without_rcdi = section_bool(s, "rcd_without_rcdi");
	TRY(read_third_party(s, cred, f));
	TRY(read_orig_uri(s, cred, f));
	TRY(section_strings(s, "rph_namespaces", &cred->rph_namespaces, f));
	for (size_t i = 0; i < cred->rph_namespaces.len; i++) {
		const char *name = cred->rph_namespaces.item[i];

		/* RFC 4412 section 3.1: token-nodot */
		if (name[0] == 0 || strchr(name, '.') != NULL)
			return section_bad(s, "rph_namespaces", f,
			    "'%.40s' is no namespace: \"ets\", \"wps\", \"esnet\"", name);
	}
	TRY(section_choice(s, "original_check", checks, &choice, f));
	cred->original_check = choice;
	return read_origid(s, cred, f);
}

enum rc
config_read_credential_claims(const struct config *c, const struct section *s,
    struct config_credential *cred, struct fault *f)
{
	TRY(read_extra_claims(s, cred, f));
	TRY(read_contents(s, cred, f));
	TRY(read_types(s, cred, f));
	return read_wanted_constraints(c, s, cred, f);
}
