/* Whom the agent asks: CAs and authorities. */
#include "agent/config_parse.h"

#include <string.h>

enum {
	MAX_CAS = 64,
	MAX_AUTHORITIES = 64,
	MAX_COMMAND = 32,
	MAX_PROFILE_NAME = 64,
};

/* ---- ca ------------------------------------------------------------------- */

static enum rc
read_eab(const struct section *s, struct config_ca *ca, struct fault *f)
{
	TRY(section_string(s, "eab_kid", &ca->eab_kid, f));
	TRY(section_secret(s, "eab_key", &ca->eab_key, f));
	if ((ca->eab_kid == NULL) != (ca->eab_key.text == NULL))
		return section_bad(s, ca->eab_kid != NULL ? "eab_kid" : "eab_key", f,
		    "'eab_kid' and 'eab_key' belong together: write both or none");
	return RC_OK;
}

static enum rc
read_contact(const struct section *s, struct config_ca *ca, struct fault *f)
{
	TRY(section_strings(s, "contact", &ca->contact, f));
	for (size_t i = 0; i < ca->contact.len; i++) {
		/* RFC 8555 section 7.3: contacts are URLs. */
		if (strchr(ca->contact.item[i], ':') == NULL)
			return section_bad(s, "contact", f,
			    "'contact' holds URLs: write \"mailto:%.60s\"",
			    ca->contact.item[i]);
	}
	return RC_OK;
}

static enum rc
read_ca_csr(const struct section *s, struct config_ca *ca, struct fault *f)
{
	ca->csr_basic_constraints = section_bool(s, "csr_basic_constraints");
	ca->csr_key_usage = section_bool(s, "csr_key_usage");
	TRY(section_string(s, "csr_country", &ca->csr_country, f));
	if (ca->csr_country != NULL && strlen(ca->csr_country) != 2)
		return section_bad(
		    s, "csr_country", f, "'csr_country' is a two-letter code, like \"US\"");
	return section_string(s, "csr_organization", &ca->csr_organization, f);
}

/* What only ACME asks for must not stand where nobody would look at it. */
static enum rc
refuse_acme_keys(const struct section *s, const char *issuer, struct fault *f)
{
	static const char *const keys[] = { "directory", "tls_ca", "eab_kid", "eab_key",
		"contact", "terms_agreed", "token", "tkauth_response", "constraints_type",
		"enhanced_type", "domain_challenge", "domain_command", "acme_profile" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (section_has(s, keys[i]))
			return section_bad(s, keys[i], f,
			    "'%s' belongs to ACME: drop it, or issuer = \"%s\"", keys[i],
			    issuer);
	}
	return RC_OK;
}

/* The supervisor runs it as it stands: no shell, no search, nothing put in. */
static enum rc
read_command(
    const struct section *s, const char *key, struct config_strings *out, struct fault *f)
{
	TRY(section_strings(s, key, out, f));
	if (out->len == 0)
		return section_bad(s, NULL, f,
		    "'%s' is missing; write %s = { \"/PATH/PROGRAM\", \"ARGUMENT\" }", key,
		    key);
	if (out->item[0][0] != '/')
		return section_bad(
		    s, key, f, "'%s' begins with the absolute path of a program", key);
	if (out->len > MAX_COMMAND)
		return section_bad(s, key, f, "'%s' has more than %d words", key, MAX_COMMAND);
	return RC_OK;
}

static enum rc
read_domain(const struct section *s, struct config_ca *ca, struct fault *f)
{
	const char *const ways[] = { config_domain_name(DOMAIN_NONE),
		config_domain_name(DOMAIN_HTTP_01), config_domain_name(DOMAIN_DNS_01), NULL };
	unsigned choice = 0;

	TRY(section_choice(s, "domain_challenge", ways, &choice, f));
	ca->domain_challenge = (enum domain_challenge)choice;
	if (ca->domain_challenge != DOMAIN_NONE)
		return read_command(s, "domain_command", &ca->domain_command, f);
	if (section_has(s, "domain_command"))
		return section_bad(s, "domain_command", f,
		    "'domain_command' needs domain_challenge = \"http-01\" or \"dns-01\"");
	return RC_OK;
}

static enum rc
read_profile(const struct section *s, struct config_ca *ca, struct fault *f)
{
	TRY(section_string(s, "acme_profile", &ca->acme_profile, f));
	if (ca->acme_profile != NULL && strlen(ca->acme_profile) > MAX_PROFILE_NAME)
		return section_bad(s, "acme_profile", f,
		    "'acme_profile' has more than %d characters", MAX_PROFILE_NAME);
	return RC_OK;
}

static enum rc
read_acme(
    const struct config *c, const struct section *s, struct config_ca *ca, struct fault *f)
{
	static const char *const response[] = { "tkauth", "atc", "both", NULL };
	unsigned choice = 0;

	TRY(section_url(s, "directory", &ca->directory, f));
	if (ca->directory == NULL)
		return section_bad(
		    s, NULL, f, "'directory' is missing; write directory = \"https://…\"");
	TRY(section_string(s, "tls_ca", &ca->tls_ca, f));
	TRY(read_eab(s, ca, f));
	TRY(read_contact(s, ca, f));
	ca->terms_agreed = section_bool(s, "terms_agreed");
	TRY(section_required(s, "token", &ca->token, f));
	if (config_token_find(c, ca->token) == NULL)
		return section_bad(
		    s, "token", f, "there is no section token \"%.60s\"", ca->token);
	TRY(section_choice(s, "tkauth_response", response, &choice, f));
	ca->tkauth_response = choice;
	TRY(section_required(s, "constraints_type", &ca->constraints_type, f));
	TRY(section_required(s, "enhanced_type", &ca->enhanced_type, f));
	TRY(read_profile(s, ca, f));
	return read_domain(s, ca, f);
}

static const char *const limit_keys[] = { "concurrency", "rate_per_minute" };

static enum rc
refuse_keys(const struct section *s, const char *const *keys, size_t n, const char *kind,
    const char *value, struct fault *f)
{
	for (size_t i = 0; i < n; i++) {
		if (section_has(s, keys[i]))
			return section_bad(s, keys[i], f,
			    "'%s' has no meaning with %s = \"%s\"", keys[i], kind, value);
	}
	return RC_OK;
}

/* Of a CA or an authority: how much it is asked at once, and how often. */
static enum rc
read_party_limits(const struct section *s, bool command, unsigned *concurrency,
    unsigned *rate_per_minute, struct fault *f)
{
	*concurrency = command ? CONFIG_COMMAND_STEPS : CONFIG_PARTY_STEPS;
	if (section_has(s, "concurrency"))
		TRY(section_uint(s, "concurrency", 1, CONFIG_MAX_PARTY_STEPS, concurrency, f));
	return section_uint(s, "rate_per_minute", 0, CONFIG_MAX_PARTY_RATE, rate_per_minute, f);
}

static enum rc
read_ca(const struct config *c, const struct section *s, struct config_ca *ca, struct fault *f)
{
	static const char *const issuers[] = { "acme", "command", "hand", NULL };
	unsigned choice = 0;

	TRY(section_name(s, &ca->name, f));
	TRY(section_choice(s, "issuer", issuers, &choice, f));
	ca->issuer = choice;
	if (ca->issuer == ISSUER_ACME)
		TRY(read_acme(c, s, ca, f));
	else
		TRY(refuse_acme_keys(s, issuers[choice], f));
	if (ca->issuer == ISSUER_COMMAND)
		TRY(read_command(s, "command", &ca->command, f));
	else if (section_has(s, "command"))
		return section_bad(s, "command", f, "'command' needs issuer = \"command\"");
	if (ca->issuer == ISSUER_HAND)
		TRY(refuse_keys(s, limit_keys, ARRAY_LEN(limit_keys), "issuer", "hand", f));
	TRY(read_party_limits(
	    s, ca->issuer == ISSUER_COMMAND, &ca->concurrency, &ca->rate_per_minute, f));
	return read_ca_csr(s, ca, f);
}

enum rc
config_read_cas(struct config *c, const struct section *top, struct fault *f)
{
	void *list = NULL;
	size_t n = 0;

	TRY(section_list(top, "ca", sizeof c->ca[0], MAX_CAS, &list, &n, f));
	c->ca = list;
	for (c->cas = 0; c->cas < n;) {
		struct section s = section_child(top, "ca", c->cas);

		TRY(read_ca(c, &s, &c->ca[c->cas++], f));
	}
	return RC_OK;
}

/* ---- authority ------------------------------------------------------------ */

/* Who we are to it: a certificate of ours, a name with the secret, or the secret alone. */
static enum rc
read_client(const struct section *s, struct config_authority *a, struct fault *f)
{
	TRY(section_string(s, "user", &a->user, f));
	if (a->user != NULL && (a->secret.text == NULL || strchr(a->user, ':') != NULL))
		return section_bad(s, "user", f, "%s",
		    a->secret.text == NULL ? "'user' needs its secret = \"file:…\""
					   : "'user' has no colon"); /* RFC 7617 section 2 */
	TRY(section_string(s, "tls_cert", &a->tls_cert, f));
	TRY(section_secret(s, "tls_key", &a->tls_key, f));
	if ((a->tls_cert == NULL) != (a->tls_key.text == NULL))
		return section_bad(s, a->tls_cert != NULL ? "tls_cert" : "tls_key", f,
		    "'tls_cert' and 'tls_key' belong together: write both or none");
	return RC_OK;
}

static enum rc
read_rest(const struct section *s, struct config_authority *a, struct fault *f)
{
	static const char *const others[] = { "path", "command" };

	TRY(refuse_keys(s, others, ARRAY_LEN(others), "source", "rest", f));
	TRY(section_url(s, "url", &a->url, f));
	if (a->url == NULL)
		return section_bad(s, NULL, f, "'url' is missing; write url = \"https://…\"");
	TRY(section_string(s, "tls_ca", &a->tls_ca, f));
	TRY(section_string(s, "account", &a->account, f));
	TRY(section_secret(s, "secret", &a->secret, f));
	return read_client(s, a, f);
}

/* What is not asked over HTTPS; x5u of its tokens may still be fetched. */
static enum rc
read_given(const struct section *s, struct config_authority *a, struct fault *f)
{
	static const char *const rest[] = { "url", "account", "secret", "user", "tls_cert",
		"tls_key", "evidence" };
	const char *name = config_source_name(a->source);
	/* A command is told what is asked for, a directory or a portal is not. */
	size_t n = a->source == SOURCE_COMMAND ? ARRAY_LEN(rest) - 1 : ARRAY_LEN(rest);

	TRY(refuse_keys(s, rest, n, "source", name, f));
	TRY(section_string(s, "tls_ca", &a->tls_ca, f));
	if (a->source == SOURCE_COMMAND)
		TRY(read_command(s, "command", &a->command, f));
	else if (section_has(s, "command"))
		return section_bad(s, "command", f, "'command' needs source = \"command\"");
	TRY(section_string(s, "path", &a->path, f));
	if ((a->path != NULL) != (a->source == SOURCE_FILE))
		return section_bad(s, a->path != NULL ? "path" : NULL, f,
		    "source = \"file\" and path = \"DIRECTORY\" go together");
	return RC_OK;
}

static enum rc
read_authority(const struct section *s, struct config_authority *a, struct fault *f)
{
	static const char *const sources[] = { "rest", "push", "file", "command", NULL };
	static const char *const dialects[] = { "rfc9448", "sti-pa", NULL };
	static const char *const evidence[] = { "none", "tnauthlist-token", NULL };
	unsigned choice = 0;

	TRY(section_name(s, &a->name, f));
	TRY(section_choice(s, "source", sources, &choice, f));
	a->source = choice;
	if (a->source == SOURCE_REST)
		TRY(read_rest(s, a, f));
	else
		TRY(read_given(s, a, f));
	TRY(section_choice(s, "dialect", dialects, &choice, f));
	a->dialect = choice;
	a->spki_fingerprint = section_bool(s, "spki_fingerprint");
	TRY(section_choice(s, "evidence", evidence, &choice, f));
	a->evidence = choice == 1;
	if (a->source == SOURCE_PUSH || a->source == SOURCE_FILE)
		TRY(refuse_keys(s, limit_keys, ARRAY_LEN(limit_keys), "source",
		    config_source_name(a->source), f));
	TRY(read_party_limits(
	    s, a->source == SOURCE_COMMAND, &a->concurrency, &a->rate_per_minute, f));
	return section_strings(s, "issuers", &a->issuers, f);
}

enum rc
config_read_authorities(struct config *c, const struct section *top, struct fault *f)
{
	void *list = NULL;
	size_t n = 0;

	TRY(section_list(
	    top, "authority", sizeof c->authority[0], MAX_AUTHORITIES, &list, &n, f));
	c->authority = list;
	for (c->authorities = 0; c->authorities < n;) {
		struct section s = section_child(top, "authority", c->authorities);

		TRY(read_authority(&s, &c->authority[c->authorities++], f));
	}
	return RC_OK;
}
