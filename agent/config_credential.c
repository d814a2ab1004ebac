/*
 * A credential's section: its token, its certificate, where verifiers find it,
 * and how it is ordered.  What it may sign is in config_policy.c and
 * config_claims.c.
 */
#include "agent/config_parse.h"

#include <stdlib.h>
#include <string.h>

#include "agent/members.h"
#include "stir/tnauth.h"
#include "stir/uri.h"

enum {
	MAX_IDENTITY_BYTES = 65536,
	MAX_SCTS = 16,
	MAX_RENEW_LIFETIME_S = 366 * 86400,
	MAX_RENEW_BACKDATE_S = 86400,
};

/* ---- token ------------------------------------------------------------------- */

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

/* ---- certificate ------------------------------------------------------------- */

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

/* ---- publication ------------------------------------------------------------- */

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

/* ---- order ------------------------------------------------------------------- */

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

enum rc
config_read_credential(const struct config *c, const struct section *s,
    const struct config_tenant *t, size_t copy, struct config_credential *cred, struct fault *f)
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
	TRY(read_policies(s, cred, f));
	cred->allow_range_to_all_nines = section_bool(s, "allow_range_to_all_nines");
	TRY(config_read_credential_claims(c, s, cred, f));
	TRY(read_rekey(s, cred, f));
	TRY(read_series(c, s, cred, f));
	return read_dates(c, s, cred, f);
}
