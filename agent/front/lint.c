#include "agent/front/lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "agent/log.h"
#include "stir/uri.h"

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400 };

struct lint {
	const struct config_credential *config;
	const struct profile_rule *rule;
	const struct cert *leaf;
	struct credential_warning found[CREDENTIAL_MAX_WARNINGS];
	size_t n;
};

static void PRINTF_LIKE(3, 4) warn(struct lint *l, const char *what, const char *fmt, ...)
{
	struct credential_warning *w;
	va_list ap;

	if (l->n == ARRAY_LEN(l->found))
		return;
	w = &l->found[l->n++];
	w->what = what;
	va_start(ap, fmt);
	vsnprintf(w->detail, sizeof w->detail, fmt, ap);
	va_end(ap);
}

bool
lint_has_policy(const struct cert *c, const char *oid)
{
	size_t len = strlen(oid);

	for (size_t i = 0; i < c->policies; i++) {
		const char *p = c->policy[i];

		if (strncmp(p, oid, len) == 0 && (p[len] == 0 || p[len] == '.'))
			return true;
	}
	return false;
}

bool
lint_is_host(const char *url, const char *dns_name)
{
	struct uri_https u = { 0 };

	return uri_read_https(span_str(url), &u) && u.host.len == strlen(dns_name) &&
	       strncasecmp((const char *)u.host.ptr, dns_name, u.host.len) == 0;
}

static void
lifetime(struct lint *l)
{
	int64_t life_s = l->leaf->not_after_s - l->leaf->not_before_s;

	if (l->rule->warn_lifetime_s > 0 && life_s > l->rule->warn_lifetime_s)
		warn(l, "long_lived",
		    "valid for %lld days %02lld:%02lld:%02lld; profile %s wants %lld days at "
		    "most",
		    (long long)(life_s / DAY_S), (long long)(life_s % DAY_S / HOUR_S),
		    (long long)(life_s % HOUR_S / MINUTE_S), (long long)(life_s % MINUTE_S),
		    l->rule->name, (long long)(l->rule->warn_lifetime_s / DAY_S));
}

/* Which are demanded elsewhere, the judge asks (judge.c). */
static void
policies(struct lint *l)
{
	const struct config_strings *wanted = &l->config->policies;

	for (size_t i = 0; i < wanted->len; i++) {
		if (lint_has_policy(l->leaf, wanted->item[i]))
			return;
	}
	if (wanted->len > 0)
		warn(l, "certificate_policy", "none of the configured policies is in it");
	else if (!lint_has_policy(l->leaf, LINT_STI_POLICIES))
		warn(l, "certificate_policy",
		    "no policy of " LINT_STI_POLICIES "; name others by 'policies'");
}

static void
revocation(struct lint *l)
{
	if (l->leaf->crl_points == 0)
		warn(l, "crl_point", "no CRL distribution point");
	else if (!l->leaf->crl_issuer)
		warn(l, "crl_point", "a CRL distribution point without cRLIssuer");
}

/* ATIS-1000080: what a provider's certificate looks like. */
static void
shape(struct lint *l)
{
	if (X509_get0_subject_key_id(l->leaf->x509) == NULL)
		warn(l, "key_identifier", "no subject key identifier");
	if ((X509_get_extension_flags(l->leaf->x509) & EXFLAG_KUSAGE) == 0)
		warn(l, "key_usage", "no key usage");
	if (strstr(l->leaf->subject, "SHAKEN") == NULL)
		warn(l, "subject", "the subject does not say SHAKEN");
}

/* RFC 9118 sections 4 and 8: SHOULD NOTs of whoever issued it. */
static void
oddities(struct lint *l)
{
	const struct constraints *c = l->leaf->constraints;

	for (size_t i = 0; c != NULL && constraints_oddity(c, i) != NULL; i++)
		warn(l, "constraints", "%s", constraints_oddity(c, i));
}

static void
look(struct lint *l)
{
	const char *x5u = l->config->x5u, *name = l->leaf->dns_name;

	lifetime(l);
	if (l->rule->constraints_wanted && l->leaf->constraints == NULL) /* V-15 */
		warn(l, "constraints", "no claim constraints");
	oddities(l);
	if (name != NULL && x5u != NULL && !lint_is_host(x5u, name))
		warn(l, "x5u_host", "its dNSName is not the host of x5u");
	if (l->rule->cls != CLASS_SP)
		return;
	policies(l);
	revocation(l);
	shape(l);
}

enum rc
lint_credential(const struct config_credential *cc, struct credential *c, struct fault *f)
{
	struct lint l = {
		.config = cc, .rule = profile_rule(cc->profile), .leaf = c->chain->cert[0]
	};

	look(&l);
	if (l.n == 0)
		return RC_OK;
	c->warning = calloc(l.n, sizeof c->warning[0]);
	if (c->warning == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "warnings");
	memcpy(c->warning, l.found, l.n * sizeof c->warning[0]);
	c->warnings = l.n;
	return RC_OK;
}

void
lint_log(const struct credential *c)
{
	for (size_t i = 0; i < c->warnings; i++)
		log_event(LEVEL_WARNING, "certificate_warning",
		    "tenant=%s credential=%s warning=%s detail=\"%s\"", c->tenant, c->name,
		    c->warning[i].what, c->warning[i].detail);
}
