#include "agent/config_parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/members.h"
#include "stir/ppt.h"
#include "stir/tnauth.h"
#include "stir/uri.h"
#include "stir/vper.h"

enum {
	MAX_NUMBERS_FILE = 32 * 1024 * 1024,
	MAX_INTERVALS = 1000000,
	MAX_IDENTITY_BYTES = 65536,
	MAX_SCTS = 16,
	MAX_RENEW_LIFETIME_S = 366 * 86400,
	MAX_RENEW_BACKDATE_S = 86400,
	MAX_RENUMBER_WINDOW_S = 86400,
};

/* ---- numbers -------------------------------------------------------------- */

static enum rc
put_interval(struct buf *list, struct span text, struct fault *f)
{
	struct tn_interval one = { 0 };

	TRY(tnset_parse(text, &one, f));
	buf_put(list, &one, sizeof one);
	return buf_check(list, f);
}

static enum rc
inline_numbers(const struct section *s, struct buf *list, struct fault *f)
{
	for (unsigned i = 0; i < cfg_size(s->cfg, "numbers"); i++) {
		const char *text = cfg_getnstr(s->cfg, "numbers", i);
		struct fault inner = { 0 };

		if (put_interval(list, span_str(text), &inner) != RC_OK)
			return section_bad(s, "numbers", f,
			    "entry %u of 'numbers': %s; write \"12025550100\" or "
			    "\"12025550110-12025550119\"",
			    i + 1, inner.detail);
	}
	return RC_OK;
}

static struct span
trim(struct span line)
{
	const uint8_t *hash = line.len > 0 ? memchr(line.ptr, '#', line.len) : NULL;

	/* A # right behind a digit belongs to a number; a comment stands apart. */
	while (hash != NULL && hash > line.ptr && !isspace(hash[-1]))
		hash = memchr(hash + 1, '#', line.len - (size_t)(hash + 1 - line.ptr));
	if (hash != NULL)
		line.len = (size_t)(hash - line.ptr);
	while (line.len > 0 && isspace(line.ptr[0]))
		(void)span_cut(&line, 1);
	while (line.len > 0 && isspace(line.ptr[line.len - 1]))
		line.len--;
	return line;
}

static enum rc
numbers_lines(const char *name, struct span rest, struct buf *list, struct fault *f)
{
	for (unsigned n = 1; rest.len > 0; n++) {
		const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
		size_t len = end != NULL ? (size_t)(end - rest.ptr) : rest.len;
		struct span line = trim(span_cut(&rest, len));
		struct fault inner = { 0 };

		if (end != NULL)
			(void)span_cut(&rest, 1);
		if (line.len > 0 && put_interval(list, line, &inner) != RC_OK)
			return scan_bad(
			    f, name, n, "%s; write one number or range a line", inner.detail);
	}
	return RC_OK;
}

static enum rc
file_numbers(
    const struct config_reader *r, const struct section *s, struct buf *list, struct fault *f)
{
	const char *name = section_text(s, "numbers_file");
	AUTO_BUF text = BUF_INIT(0);
	struct fault inner = { 0 };

	if (name == NULL)
		return RC_OK;
	if (config_slurp(r->dir, name, MAX_NUMBERS_FILE, &text, &inner) != RC_OK)
		return section_bad(s, "numbers_file", f, "%s", inner.detail);
	return numbers_lines(name, buf_view(&text), list, f);
}

static enum rc
read_numbers(const struct config_reader *r, const struct section *s, struct config_tenant *t,
    struct fault *f)
{
	AUTO_BUF list = BUF_INIT(MAX_INTERVALS * sizeof(struct tn_interval));
	size_t n;

	TRY(section_string(s, "numbers_file", &t->numbers_file, f));
	TRY(inline_numbers(s, &list, f));
	TRY(file_numbers(r, s, &list, f));
	n = list.len / sizeof(struct tn_interval);
	if (n == 0)
		return RC_OK;
	return tnset_build(
	    (const struct tn_interval *)(const void *)list.ptr, n, &t->numbers, f);
}

/* D-63: opaque, but a text that vper.id can be. */
static enum rc
read_entity(const struct section *s, struct config_tenant *t, struct fault *f)
{
	TRY(section_string(s, "entity_id", &t->entity_id, f));
	if (t->entity_id != NULL &&
	    (t->entity_id[0] == 0 || strlen(t->entity_id) > VPER_MAX_ID))
		return section_bad(
		    s, "entity_id", f, "'entity_id' has 1 to %d octets", VPER_MAX_ID);
	return RC_OK;
}

/* ---- constraints ---------------------------------------------------------- */

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

/* ---- credential ----------------------------------------------------------- */

static enum rc
read_profile(const struct section *s, struct config_credential *cred, struct fault *f)
{
	const char *name = section_text(s, "profile");

	if (name == NULL) /* D-01: no default */
		return section_bad(
		    s, NULL, f, "'profile' is missing; it is one of %s", PROFILE_NAMES);
	for (unsigned p = 0; p < PROFILE__COUNT; p++) {
		if (strcmp(profile_rule(p)->name, name) == 0) {
			cred->profile = p;
			return RC_OK;
		}
	}
	return section_bad(
	    s, "profile", f, "no profile '%.40s'; it is one of %s", name, PROFILE_NAMES);
}

/* ---- tokens ---------------------------------------------------------------- */

static enum rc
check_tokens(const struct config *c, const struct section *s,
    const struct config_credential *cred, struct fault *f)
{
	const struct config_strings *list = &cred->tokens;

	for (size_t i = 0; i < list->len; i++) {
		if (config_token_find(c, list->item[i]) == NULL)
			return section_bad(s, "token", f, "there is no section token \"%.60s\"",
			    list->item[i]);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(list->item[i], list->item[k]) == 0)
				return section_bad(s, "token", f,
				    "token \"%.60s\" is listed twice", list->item[i]);
		}
	}
	if (cred->spread && list->len < 2)
		return section_bad(
		    s, "spread", f, "with spread 'token' lists several, like { \"a\", \"b\" }");
	if (!cred->spread && list->len > CONFIG_MAX_COPIES)
		return section_bad(s, "token", f,
		    "a key in each of more than %d tokens; spread = yes makes it one of them",
		    CONFIG_MAX_COPIES);
	return RC_OK;
}

/* Which token, and the name: one of several copies has its token's behind its own. */
static enum rc
read_place(const struct config *c, const struct section *s, const char *tenant, size_t copy,
    struct config_credential *cred, struct fault *f)
{
	const char *token;
	int len;

	TRY(section_name(s, &cred->base, f));
	cred->spread = section_bool(s, "spread");
	if (cfg_size(s->cfg, "token") == 0)
		return section_bad(s, NULL, f, "'token' is missing; write token = \"NAME\"");
	TRY(section_strings(s, "token", &cred->tokens, f));
	TRY(check_tokens(c, s, cred, f));
	token = cred->spread ? members_draw(tenant, cred->base, &cred->tokens)
			     : cred->tokens.item[copy];
	cred->token = strdup(token);
	if (cred->spread || cred->tokens.len == 1)
		len = asprintf(&cred->name, "%s", cred->base);
	else
		len = asprintf(&cred->name, "%s.%s", cred->base, token);
	if (len < 0)
		cred->name = NULL;
	if (len < 0 || cred->token == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "credential");
	if (section_has(s, "numbers_per_certificate"))
		len += MEMBERS_SHARD_TEXT - 1;
	if (len > CONFIG_NAME_MAX)
		return section_bad(s, "token", f,
		    "'%.40s' and the name of its token together have more than %d characters",
		    cred->base, CONFIG_NAME_MAX - 1);
	return RC_OK;
}

static enum rc
read_references(const struct config *c, const struct section *s, struct config_credential *cred,
    struct fault *f)
{
	TRY(section_string(s, "ca", &cred->ca, f));
	if (cred->ca != NULL && config_ca_find(c, cred->ca) == NULL)
		return section_bad(s, "ca", f, "there is no section ca \"%.60s\"", cred->ca);
	TRY(section_string(s, "authority", &cred->authority, f));
	if (cred->authority != NULL && config_authority_find(c, cred->authority) == NULL)
		return section_bad(s, "authority", f, "there is no section authority \"%.60s\"",
		    cred->authority);
	TRY(section_string(s, "claim_agent", &cred->claim_agent, f));
	if (cred->claim_agent != NULL && config_authority_find(c, cred->claim_agent) == NULL)
		return section_bad(s, "claim_agent", f,
		    "there is no section authority \"%.60s\"", cred->claim_agent);
	if (config_issuer(c, cred) != ISSUER_ACME)
		return RC_OK;
	if (cred->authority == NULL)
		return section_bad(s, "ca", f,
		    "a credential with a ca needs an authority for its tokens; write authority "
		    "= \"…\"");
	if (c->authority_anchors == NULL)
		return section_bad(s, "ca", f,
		    "who signs the authority's tokens is not said; write authority_anchors = "
		    "\"FILE.pem\" in vesperd.conf");
	return RC_OK;
}

/* D-61: https, port 443 or 8443, no user name, query or fragment. */
static enum rc
check_x5u(const struct section *s, const char *url, struct fault *f)
{
	struct uri_https u = { 0 };

	if (strchr(url, '?') != NULL)
		return section_bad(s, "x5u", f, "'x5u' must not have a query");
	if (!uri_read_https(span_str(url), &u) || (u.port != 443 && u.port != 8443))
		return section_bad(s, "x5u", f, "'x5u' must use port 443 or 8443");
	if (url[strlen(url) - 1] != '/')
		return section_bad(s, "x5u", f,
		    "'x5u' is a directory and must end in '/': the file's name is appended");
	return RC_OK;
}

static const struct profile_rule *
rule_of(const struct config_credential *cred)
{
	return profile_rule(cred->profile);
}

static enum rc
read_conveyance(const struct section *s, struct config_credential *cred, struct fault *f)
{
	static const char *const ways[] = { "x5u", "x5c", "both", NULL };
	static const enum conveyance values[] = { CONVEY_X5U, CONVEY_X5C, CONVEY_BOTH };
	const struct profile_rule *rule = profile_rule(cred->profile);
	unsigned choice = 0;

	cred->convey = rule->convey;
	if (section_text(s, "conveyance") != NULL) {
		TRY(section_choice(s, "conveyance", ways, &choice, f));
		cred->convey = values[choice];
	}
	if (rule->x5c_required && (cred->convey & CONVEY_X5C) == 0) /* V-03 */
		return section_bad(s, "conveyance", f,
		    "profile %s carries x5c: write conveyance = \"both\" or \"x5c\"",
		    rule->name);
	return RC_OK;
}

/* Who names the file behind x5u: we, or the CA in its order. */
static enum rc
read_x5u_source(const struct config *c, const struct section *s, struct config_credential *cred,
    struct fault *f)
{
	static const char *const sources[] = { "fingerprint", "order", NULL };
	unsigned choice = 0;

	TRY(section_choice(s, "x5u_from", sources, &choice, f));
	cred->x5u_from_order = choice == 1;
	if (!cred->x5u_from_order)
		return RC_OK;
	if (cred->x5u == NULL)
		return section_bad(s, "x5u_from", f,
		    "x5u_from = \"order\" needs x5u, the directory that the CA serves");
	if (section_has(s, "publish_dir"))
		return section_bad(s, "publish_dir", f,
		    "'publish_dir' has no meaning with x5u_from = \"order\": the CA publishes");
	if (config_issuer(c, cred) != ISSUER_ACME)
		return section_bad(
		    s, "x5u_from", f, "x5u_from = \"order\" needs a ca that speaks ACME");
	return RC_OK;
}

/* D-49: a CA binds names, no addresses. */
static enum rc
check_bound_host(const struct section *s, const char *url, struct fault *f)
{
	struct uri_https u = { 0 };

	if (uri_read_https(span_str(url), &u) && uri_is_dns_name(u.host))
		return RC_OK;
	return section_bad(s, "x5u", f,
	    "the host of 'x5u' is what profile domain binds: a name, not an address");
}

static enum rc
read_publication(const struct config *c, const struct section *s,
    struct config_credential *cred, struct fault *f)
{
	static const char *const identity[] = { "header", "none", NULL };
	unsigned choice = 0;

	TRY(read_conveyance(s, cred, f));
	TRY(section_choice(s, "identity", identity, &choice, f));
	cred->identity = choice == 0;
	TRY(section_url(s, "x5u", &cred->x5u, f));
	if (cred->x5u != NULL)
		TRY(check_x5u(s, cred->x5u, f));
	if (cred->x5u == NULL && rule_of(cred)->domain_bound) /* D-49 */
		return section_bad(s, NULL, f,
		    "profile %s binds the host of x5u; write x5u = \"https://HOST/PATH/\"",
		    rule_of(cred)->name);
	if (cred->x5u == NULL && cred->identity) /* D-17 */
		return section_bad(s, NULL, f,
		    "'x5u' is missing; write x5u = \"https://HOST/PATH/\", or identity = "
		    "\"none\"");
	if (cred->x5u != NULL && rule_of(cred)->domain_bound)
		TRY(check_bound_host(s, cred->x5u, f));
	TRY(read_x5u_source(c, s, cred, f));
	TRY(section_string(s, "publish_dir", &cred->publish_dir, f));
	cred->publish_line = section_line(s, "publish_dir");
	cred->publish_root = section_bool(s, "publish_root");
	return section_uint(
	    s, "identity_max_bytes", 512, MAX_IDENTITY_BYTES, &cred->identity_max_bytes, f);
}

/*
 * An IA5String that is compared octet by octet (D-06): a blank or a character
 * that only looks right would make a code that no authority knows.
 */
static enum rc
check_spc(const struct section *s, const char *spc, struct fault *f)
{
	if (strlen(spc) > TNAUTH_SPC_MAX)
		return section_bad(
		    s, "spc", f, "'spc' has more than %d characters", TNAUTH_SPC_MAX);
	for (const char *p = spc; *p != 0; p++) {
		if (*p <= ' ' || *p > '~')
			return section_bad(s, "spc", f,
			    "'spc' is visible ASCII without blanks, exactly as the authority "
			    "gave it, like \"1234\"");
	}
	return RC_OK;
}

/* D-01: a provider's certificate holds one code, a delegate's none of ours. */
static enum rc
read_class(const struct section *s, const struct config_tenant *t,
    struct config_credential *cred, struct fault *f)
{
	static const char *const unlisted[] = { "refuse", "B", "C", NULL };
	const struct profile_rule *rule = profile_rule(cred->profile);
	unsigned choice = 0;

	TRY(section_string(s, "spc", &cred->spc, f));
	TRY(section_choice(s, "unlisted_tn", unlisted, &choice, f));
	cred->unlisted_tn = choice;
	if (rule->cls == CLASS_SP) {
		if (cred->spc == NULL)
			return section_bad(s, NULL, f,
			    "profile %s needs the provider's code; write spc = \"1234\"",
			    rule->name);
		return check_spc(s, cred->spc, f);
	}
	if (cred->spc != NULL)
		return section_bad(s, "spc", f, "'spc' belongs to profile shaken-sp only");
	if (section_has(s, "unlisted_tn"))
		return section_bad(
		    s, "unlisted_tn", f, "'unlisted_tn' belongs to profile shaken-sp only");
	if (t->numbers == NULL)
		return section_bad(s, NULL, f,
		    "tenant '%s' has no numbers for it; write numbers = { \"…\" } or "
		    "numbers_file",
		    t->name);
	return RC_OK;
}

static enum rc
read_scts(const struct config *c, const struct section *s, struct config_credential *cred,
    struct fault *f)
{
	cred->min_scts = profile_rule(cred->profile)->min_scts;
	if (section_has(s, "min_scts"))
		TRY(section_uint(s, "min_scts", 0, MAX_SCTS, &cred->min_scts, f));
	if (cred->min_scts > 0 && c->ct_logs == NULL)
		return section_bad(s, section_has(s, "min_scts") ? "min_scts" : "profile", f,
		    "%u SCTs are required but vesperd.conf has no ct_logs = \"FILE\"",
		    cred->min_scts);
	return RC_OK;
}

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

static bool
is_oid(const char *text)
{
	size_t dots = 0;

	for (const char *p = text; *p != 0; p++) {
		if (*p == '.' && (p == text || p[1] == 0 || p[1] == '.'))
			return false;
		if (*p != '.' && (*p < '0' || *p > '9'))
			return false;
		dots += *p == '.';
	}
	return dots > 0;
}

static enum rc
read_policies(const struct section *s, struct config_credential *cred, struct fault *f)
{
	TRY(section_strings(s, "policies", &cred->policies, f));
	for (size_t i = 0; i < cred->policies.len; i++) {
		if (!is_oid(cred->policies.item[i]))
			return section_bad(s, "policies", f,
			    "'%.60s' is no object identifier; write it like "
			    "\"2.16.840.1.114569.1.1.3\"",
			    cred->policies.item[i]);
	}
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

/* D-17: how many certificates it will be is known from here on, and that they are not too many. */
static enum rc
read_shards(const struct section *s, const struct config_tenant *t,
    struct config_credential *cred, struct fault *f)
{
	static const char key[] = "numbers_per_certificate";
	struct shards all = { 0 };
	size_t left = 0;

	if (!section_has(s, key))
		return RC_OK;
	TRY(section_uint(s, key, 1, SHARDS_MAX_NUMBERS, &cred->numbers_per_certificate, f));
	if (profile_rule(cred->profile)->cls == CLASS_SP)
		return section_bad(s, key, f,
		    "a certificate of profile %s holds a code, not numbers",
		    profile_rule(cred->profile)->name);
	TRY(shards_divide(t->numbers, cred->numbers_per_certificate, NULL, &all, &left, f));
	cred->shards = all.len;
	shards_done(&all);
	if (left > 0)
		return section_bad(s, key, f,
		    "%u in a certificate make more than %d certificates of what the tenant has",
		    cred->numbers_per_certificate, SHARDS_MAX);
	return RC_OK;
}

/* "every" certificate has a key of its own, or a key serves for so many days, or "never" ends. */
static enum rc
read_rekey(const struct section *s, struct config_credential *cred, struct fault *f)
{
	const char *text = section_text(s, "rekey");
	char *end = NULL;
	unsigned long days = 0;

	if (strcmp(text, "every") == 0)
		return RC_OK;
	if (text[0] >= '1' && text[0] <= '9')
		days = strtoul(text, &end, 10);
	if (strcmp(text, "never") == 0)
		days = CONFIG_REKEY_NEVER;
	else if (end == NULL || *end != 0 || days > CONFIG_MAX_REKEY_DAYS)
		return section_bad(s, "rekey", f,
		    "'rekey' is \"every\", \"never\" or a number of days up to %d",
		    CONFIG_MAX_REKEY_DAYS);
	cred->rekey_days = (unsigned)days;
	return RC_OK;
}

/* notBefore and notAfter of an order (RFC 8555 section 7.1.3). */
static enum rc
read_dates(const struct config *c, const struct section *s, struct config_credential *cred,
    struct fault *f)
{
	static const char *const keys[] = { "renew_lifetime_s", "renew_backdate_s" };

	TRY(section_uint(
	    s, "renew_lifetime_s", 0, MAX_RENEW_LIFETIME_S, &cred->renew_lifetime_s, f));
	TRY(section_uint(
	    s, "renew_backdate_s", 0, MAX_RENEW_BACKDATE_S, &cred->renew_backdate_s, f));
	cred->ask_not_before = section_has(s, "renew_backdate_s");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (section_has(s, keys[i]) && config_issuer(c, cred) != ISSUER_ACME)
			return section_bad(s, keys[i], f,
			    "'%s' is asked of a CA by ACME, and this credential has none",
			    keys[i]);
	}
	return RC_OK;
}

/* RFC 8739: neither dates beside it, nor one URL for all of its certificates (D-61). */
static enum rc
check_series(const struct config *c, const struct section *s,
    const struct config_credential *cred, struct fault *f)
{
	static const char *const others[] = { "renew_lifetime_s", "renew_backdate_s" };

	if (config_issuer(c, cred) != ISSUER_ACME)
		return section_bad(s, "star_lifetime_s", f,
		    "'star_lifetime_s' is asked of a CA by ACME, and this credential has none");
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (section_has(s, others[i]))
			return section_bad(s, others[i], f,
			    "'%s' has no meaning with star_lifetime_s", others[i]);
	}
	if (cred->x5u_from_order)
		return section_bad(s, "x5u_from", f,
		    "x5u_from = \"order\" does not go with star_lifetime_s: an order has one "
		    "URL, its certificates are many");
	if (cred->star_duration_s < cred->star_lifetime_s)
		return section_bad(
		    s, "star_duration_s", f, "'star_duration_s' is less than star_lifetime_s");
	return RC_OK;
}

static enum rc
read_series(const struct config *c, const struct section *s, struct config_credential *cred,
    struct fault *f)
{
	static const char *const rest[] = { "star_duration_s", "star_adjust_s" };

	TRY(section_uint(
	    s, "star_lifetime_s", 0, MAX_RENEW_LIFETIME_S, &cred->star_lifetime_s, f));
	TRY(section_uint(
	    s, "star_duration_s", 1, MAX_RENEW_LIFETIME_S, &cred->star_duration_s, f));
	TRY(section_uint(s, "star_adjust_s", 0, MAX_RENEW_LIFETIME_S, &cred->star_adjust_s, f));
	if (cred->star_lifetime_s != 0)
		return check_series(c, s, cred, f);
	for (size_t i = 0; i < ARRAY_LEN(rest); i++) {
		if (section_has(s, rest[i]))
			return section_bad(
			    s, rest[i], f, "'%s' needs star_lifetime_s", rest[i]);
	}
	return RC_OK;
}

static enum rc
read_credential(const struct config *c, const struct section *s, const struct config_tenant *t,
    size_t copy, struct config_credential *cred, struct fault *f)
{
	TRY(read_profile(s, cred, f));
	TRY(read_place(c, s, t->name, copy, cred, f));
	TRY(read_references(c, s, cred, f));
	TRY(read_class(s, t, cred, f));
	TRY(read_shards(s, t, cred, f));
	TRY(read_publication(c, s, cred, f));
	TRY(config_read_credential_policy(s, cred, f));
	TRY(section_uint(s, "priority", 0, 1000000, &cred->priority, f));
	TRY(section_string(s, "reserve_for", &cred->reserve_for, f));
	TRY(read_scts(c, s, cred, f));
	TRY(read_extra_claims(s, cred, f));
	TRY(read_contents(s, cred, f));
	TRY(read_policies(s, cred, f));
	TRY(read_types(s, cred, f));
	cred->allow_range_to_all_nines = section_bool(s, "allow_range_to_all_nines");
	TRY(read_wanted_constraints(c, s, cred, f));
	TRY(read_rekey(s, cred, f));
	TRY(read_series(c, s, cred, f));
	return read_dates(c, s, cred, f);
}

/* How many credentials the section stands for; what is wrong with it read_place() says. */
static size_t
copies(const struct section *s)
{
	size_t n = cfg_size(s->cfg, "token");

	return n < 2 || n > CONFIG_MAX_COPIES || section_bool(s, "spread") ? 1 : n;
}

/* "main.2" beside a divided "main" would be called like one of its certificates. */
static bool
looks_like_shard(const struct config_credential *c, const struct config_credential *divided)
{
	size_t len = strlen(divided->base);

	return divided->numbers_per_certificate > 0 &&
	       strncmp(c->base, divided->base, len) == 0 && c->base[len] == '.' &&
	       c->base[len + 1] >= '0' && c->base[len + 1] <= '9';
}

static enum rc
check_shards(const struct section *s, const struct config_tenant *t, struct fault *f)
{
	size_t all = 0;

	for (size_t i = 0; i < t->credentials; i++) {
		all += t->credential[i].shards;
		for (size_t k = 0; k < t->credentials; k++) {
			if (looks_like_shard(&t->credential[i], &t->credential[k]))
				return section_bad(s, NULL, f,
				    "credential '%s' is called like a certificate of '%s', "
				    "whose "
				    "numbers are divided; call it otherwise",
				    t->credential[i].base, t->credential[k].base);
		}
	}
	if (all > MEMBERS_MAX)
		return section_bad(s, NULL, f,
		    "its numbers make %zu certificates, at most %d: raise "
		    "numbers_per_certificate",
		    all, MEMBERS_MAX);
	return RC_OK;
}

static enum rc
check_names(const struct section *s, const struct config_tenant *t, struct fault *f)
{
	for (size_t i = 0; i < t->credentials; i++) {
		for (size_t k = 0; k < i; k++) {
			if (strcmp(t->credential[i].name, t->credential[k].name) == 0)
				return section_bad(s, NULL, f,
				    "two credentials would be called '%s', one of them for its "
				    "token",
				    t->credential[i].name);
		}
	}
	return RC_OK;
}

static enum rc
read_credentials(
    const struct config *c, const struct section *s, struct config_tenant *t, struct fault *f)
{
	size_t n = section_count(s, "credential"), all = 0;

	if (n == 0)
		return RC_OK;
	for (size_t i = 0; i < n; i++) {
		struct section one = section_child(s, "credential", i);

		all += copies(&one);
	}
	if (all > CONFIG_MAX_CREDENTIALS)
		return section_bad(
		    s, NULL, f, "more than %d credentials", CONFIG_MAX_CREDENTIALS);
	t->credential = calloc(all, sizeof t->credential[0]);
	if (t->credential == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "credential");
	for (size_t i = 0; i < n; i++) {
		struct section one = section_child(s, "credential", i);

		for (size_t k = 0; k < copies(&one); k++)
			TRY(read_credential(
			    c, &one, t, k, &t->credential[t->credentials++], f));
	}
	TRY(check_names(s, t, f));
	TRY(config_pair_reserves(s, t, f));
	return check_shards(s, t, f);
}

/* The names are those of the configuration. */
static const char *const rtu_policies[] = {
	[RTU_ALARM] = "alarm", [RTU_STOP_AFTER] = "stop_after", [RTU_STOP] = "stop", NULL
};

const char *
config_rtu_name(enum rtu_policy policy)
{
	return rtu_policies[policy];
}

static enum rc
read_rtu(const struct section *s, struct config_tenant *t, struct fault *f)
{
	unsigned choice = 0;

	TRY(section_choice(s, "on_rtu_refused", rtu_policies, &choice, f));
	t->on_rtu_refused = choice;
	if (section_has(s, "rtu_stop_after_s") && t->on_rtu_refused != RTU_STOP_AFTER)
		return section_bad(s, "rtu_stop_after_s", f,
		    "'rtu_stop_after_s' has a meaning only with on_rtu_refused = stop_after");
	return section_uint(
	    s, "rtu_stop_after_s", 1, CONFIG_MAX_RTU_STOP_S, &t->rtu_stop_after_s, f);
}

/* Seconds, or "never". */
static enum rc
read_port_revoke(const struct section *s, struct config_tenant *t, struct fault *f)
{
	const char *text = section_text(s, "port_revoke_after");
	char *end = NULL;
	unsigned long after_s = 0;

	if (strcmp(text, "never") == 0) {
		t->port_revoke_after_s = CONFIG_PORT_REVOKE_NEVER;
		return RC_OK;
	}
	if (text[0] >= '0' && text[0] <= '9')
		after_s = strtoul(text, &end, 10);
	if (end == NULL || *end != 0 || after_s > CONFIG_MAX_PORT_REVOKE_S)
		return section_bad(s, "port_revoke_after", f,
		    "'port_revoke_after' is \"never\" or a number of seconds up to %d",
		    CONFIG_MAX_PORT_REVOKE_S);
	t->port_revoke_after_s = (unsigned)after_s;
	return RC_OK;
}

enum rc
config_read_tenant(
    struct config_reader *r, const struct section *s, struct config_tenant *t, struct fault *f)
{
	TRY(section_name(s, &t->name, f));
	t->file = strdup(s->scan->file);
	if (t->file == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "tenant");
	t->line = scan_line(s->scan, s->node);
	t->enabled = section_bool(s, "enabled");
	TRY(read_numbers(r, s, t, f));
	TRY(section_uint(
	    s, "renumber_window_s", 0, MAX_RENUMBER_WINDOW_S, &t->renumber_window_s, f));
	TRY(read_port_revoke(s, t, f));
	TRY(read_rtu(s, t, f));
	TRY(read_entity(s, t, f));
	TRY(config_read_tenant_policy(r, s, t, f));
	TRY(section_uint(s, "rate", 0, 1000000, &t->rate, f));
	return read_credentials(r->c, s, t, f);
}
