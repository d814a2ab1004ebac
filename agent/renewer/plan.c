#include "agent/renewer/plan.h"

#include <stdio.h>

#include <openssl/evp.h>

#include "stir/jtext.h"

#define BAD(f, what) FAULT(f, RC_INVALID, "plan", "the front's plan: %s", what)

void
plan_done(struct plan *p)
{
	free(p->tnauthlist);
	free(p->constraints);
	*p = (struct plan){ 0 };
}

int
plan_order(const struct plan *a, const struct plan *b)
{
	int tenant = strcmp(a->tenant, b->tenant);

	return tenant != 0 ? tenant : strcmp(a->name, b->name);
}

int64_t
plan_remaining_s(const struct plan *p, int64_t now_s)
{
	return p->active ? p->cert.not_after_s - now_s : 0;
}

/* A name of the configuration; null or absent reads as "" where it may. */
static enum rc
take_name(const json_t *row, const char *member, bool required, char out[CONFIG_NAME_MAX + 1],
    struct fault *f)
{
	const json_t *v = json_object_get(row, member);
	const char *s = json_string_value(v);

	if (!required && (v == NULL || json_is_null(v))) {
		out[0] = 0;
		return RC_OK;
	}
	if (s == NULL || s[0] == 0 || s[0] == '.' || strlen(s) > CONFIG_NAME_MAX ||
	    strchr(s, '/') != NULL)
		return BAD(f, member);
	snprintf(out, CONFIG_NAME_MAX + 1, "%s", s);
	return RC_OK;
}

static enum rc
take_der(const json_t *row, const char *member, bool required, char **out, struct fault *f)
{
	const json_t *v = json_object_get(row, member);
	const char *s = json_string_value(v);

	if (!required && (v == NULL || json_is_null(v)))
		return RC_OK;
	if (s == NULL || s[0] == 0)
		return BAD(f, member);
	*out = strdup(s);
	return *out != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "plan");
}

static enum rc
take_form(const json_t *row, struct plan *p, struct fault *f)
{
	const char *s = jtext_get(row, "constraints_form");

	if (p->constraints == NULL)
		return RC_OK;
	if (s == NULL || (strcmp(s, "jwt") != 0 && strcmp(s, "enhanced") != 0))
		return BAD(f, "constraints_form");
	p->form = s[0] == 'j' ? CONSTRAINTS_JWT : CONSTRAINTS_ENHANCED;
	return RC_OK;
}

static enum rc
take_domain(const json_t *row, struct plan *p, struct fault *f)
{
	const json_t *v = json_object_get(row, "domain");
	const char *s = json_string_value(v);

	if (v == NULL || json_is_null(v))
		return RC_OK;
	if (s == NULL || s[0] == 0 || strlen(s) > PLAN_DOMAIN_MAX)
		return BAD(f, "domain");
	snprintf(p->domain, sizeof p->domain, "%s", s);
	return RC_OK;
}

void
plan_set_ari_id(struct plan *p, const char *ari_id)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789-_.";
	size_t len = ari_id != NULL ? strlen(ari_id) : 0;

	p->ari_id[0] = 0;
	if (len <= ARI_ID_MAX && len > 0 && strspn(ari_id, alphabet) == len)
		memcpy(p->ari_id, ari_id, len + 1);
}

static enum rc
take_active(const json_t *row, struct plan *p, struct fault *f)
{
	const json_t *a = json_object_get(row, "active");
	const json_t *installed = json_object_get(row, "installed_at");
	const json_t *from = json_object_get(a, "not_before"),
		     *to = json_object_get(a, "not_after");
	const char *serial = jtext_get(a, "serial");

	if (a == NULL || json_is_null(a))
		return RC_OK;
	if (serial == NULL || strlen(serial) >= CERT_SERIAL_TEXT || !json_is_integer(from) ||
	    !json_is_integer(to))
		return BAD(f, "active");
	snprintf(p->serial, sizeof p->serial, "%s", serial);
	p->cert.not_before_s = json_integer_value(from);
	p->cert.not_after_s = json_integer_value(to);
	p->cert.installed_s = json_integer_value(installed); /* 0 when null */
	plan_set_ari_id(p, jtext_get(a, "ari_id"));
	p->as_configured = !json_is_false(json_object_get(a, "as_configured"));
	p->active = true;
	return RC_OK;
}

static enum rc
hash_plan(struct plan *p, struct fault *f)
{
	const char *part[] = { p->ca, p->tnauthlist,
		p->constraints != NULL ? p->constraints : "",
		p->form == CONSTRAINTS_JWT ? "jwt" : "enhanced", p->domain };
	size_t parts = ARRAY_LEN(part) - (p->domain[0] == 0); /* what was before it had one */
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t digest[32];
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; ok && i < parts; i++)
		ok = EVP_DigestUpdate(ctx, part[i], strlen(part[i]) + 1) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "plan");
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(p->hash + 2 * i, 3, "%02x", digest[i]);
	return RC_OK;
}

static enum rc
read_row(const json_t *row, struct plan *p, struct fault *f)
{
	if (!json_is_object(row))
		return BAD(f, "a row that is no object");
	TRY(take_name(row, "tenant", true, p->tenant, f));
	TRY(take_name(row, "name", true, p->name, f));
	TRY(take_name(row, "ca", true, p->ca, f));
	TRY(take_name(row, "authority", false, p->authority, f));
	TRY(take_name(row, "claim_agent", false, p->claim_agent, f));
	TRY(take_der(row, "tnauthlist", true, &p->tnauthlist, f));
	TRY(take_der(row, "constraints", false, &p->constraints, f));
	TRY(take_form(row, p, f));
	TRY(take_domain(row, p, f));
	TRY(take_active(row, p, f));
	p->rtu_refused = json_is_true(json_object_get(row, "rtu_refused"));
	return hash_plan(p, f);
}

enum rc
plan_read(const json_t *row, struct plan *out, struct fault *f)
{
	struct plan p = { 0 };
	enum rc rc = read_row(row, &p, f);

	if (rc != RC_OK) {
		plan_done(&p);
		return rc;
	}
	*out = p;
	return RC_OK;
}
