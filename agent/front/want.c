#include "agent/front/want.h"

#include "agent/members.h"
#include "stir/ascii.h"
#include "stir/tnauth.h"
#include "stir/uri.h"

void
want_done(struct want *w)
{
	buf_free(&w->tnauth_der);
	buf_free(&w->constraints_der);
}

static enum rc
want_spc(const struct config_credential *c, struct buf *out, struct fault *f)
{
	struct tnauth_entry e = { .kind = TNAUTH_SPC };
	size_t len = c->spc != NULL ? strlen(c->spc) : 0;

	if (len == 0 || len > TNAUTH_SPC_MAX)
		return FAULT(f, RC_INVALID, "no_numbers", "no service provider code");
	memcpy(e.spc, c->spc, len + 1);
	return tnauth_encode(out, &e, 1, f);
}

enum rc
want_set(const struct config_tenant *t, const struct config_credential *c,
    const struct tnset **out, struct tnset **made, struct fault *f)
{
	const struct tnset *own = members_numbers(t, c);

	*out = own != NULL ? own : t->asked != NULL ? t->asked : t->numbers;
	if (own == NULL || t->asked == NULL)
		return RC_OK;
	TRY(tnset_intersect(own, t->asked, made, f));
	*out = *made;
	return RC_OK;
}

static enum rc
want_numbers(const struct config_credential *c, const struct tnset *numbers, struct buf *out,
    struct fault *f)
{
	AUTO_FREE struct tnauth_entry *entry = NULL;
	struct fault why = { 0 };
	size_t n = 0;

	if (numbers == NULL || tnset_len(numbers) == 0)
		return FAULT(f, RC_INVALID, "no_numbers",
		    c->shard > 0 ? "no numbers are left for this certificate"
				 : "the tenant has no numbers");
	if (tnauth_from_set(numbers, TNAUTH_MAX_ENTRIES, &entry, &n, &why) != RC_OK)
		return FAULT(f, why.rc, "too_many_numbers", "%s", why.detail);
	return tnauth_encode(out, entry, n, f);
}

static enum rc
want_fill(const struct config_credential *c, const struct tnset *numbers, struct want *w,
    struct fault *f)
{
	/* Class sp: exactly one code, and no number beside it (D-01). */
	if (profile_rule(c->profile)->cls == CLASS_SP)
		TRY(want_spc(c, &w->tnauth_der, f));
	else
		TRY(want_numbers(c, numbers, &w->tnauth_der, f));
	if (c->constraints != NULL) {
		w->form = c->constraints->form;
		TRY(constraints_encode(&w->constraints_der, c->constraints, f));
	}
	if (buf_check(&w->tnauth_der, NULL) != RC_OK ||
	    buf_check(&w->constraints_der, NULL) != RC_OK ||
	    w->tnauth_der.len + w->constraints_der.len > WANT_MAX_DER)
		return FAULT(f, RC_INVALID, "too_many_numbers",
		    "more than %d bytes of TNAuthList and constraints", WANT_MAX_DER);
	return RC_OK;
}

enum rc
want_of(const struct config_tenant *t, const struct config_credential *c, struct want *out,
    struct fault *f)
{
	AUTO(tnset) *made = NULL;
	const struct tnset *numbers = NULL;

	TRY(want_set(t, c, &numbers, &made, f));
	return want_these(c, numbers, out, f);
}

enum rc
want_these(const struct config_credential *c, const struct tnset *numbers, struct want *out,
    struct fault *f)
{
	struct want w = WANT_INIT;
	enum rc rc = want_fill(c, numbers, &w, f);

	if (rc != RC_OK) {
		want_done(&w);
		return rc;
	}
	*out = w;
	return RC_OK;
}

void
want_domain(const struct config *config, const struct config_credential *c,
    char out[WANT_DOMAIN_MAX + 1])
{
	const struct config_ca *ca = c->ca != NULL ? config_ca_find(config, c->ca) : NULL;
	struct uri_https u = { 0 };

	out[0] = 0;
	if (!profile_rule(c->profile)->domain_bound || c->x5u == NULL ||
	    (ca != NULL && ca->issuer == ISSUER_ACME && ca->domain_challenge == DOMAIN_NONE) ||
	    !uri_read_https(span_str(c->x5u), &u) || !uri_is_dns_name(u.host))
		return;
	for (size_t i = 0; i < u.host.len; i++)
		out[i] = (char)ascii_lower(u.host.ptr[i]);
	out[u.host.len] = 0;
}

static enum rc
constraints_allowed(const struct config_credential *c, struct span der, struct fault *f)
{
	AUTO(constraints) *given = NULL;

	if (c->constraints == NULL && der.len == 0)
		return RC_OK;
	if (c->constraints == NULL)
		return FAULT(f, RC_DENIED, "constraints_not_wanted", "none are configured");
	if (der.len == 0)
		return FAULT(
		    f, RC_DENIED, "constraints_wider", "none where some are configured");
	TRY(constraints_decode(der, c->constraints->form, &given, f));
	return constraints_within(given, c->constraints, f);
}

enum rc
want_allows(const struct want *w, const struct config_credential *c, struct span tnauth_der,
    struct span constraints_der, struct fault *f)
{
	if (!span_eq(buf_view(&w->tnauth_der), tnauth_der))
		return FAULT(f, RC_DENIED, "tnauthlist_not_wanted",
		    "not the numbers that the configuration asks for");
	if (constraints_der.len > WANT_MAX_DER)
		return FAULT(f, RC_INVALID, "too_large", "constraints of %zu bytes",
		    constraints_der.len);
	return constraints_allowed(c, constraints_der, f);
}

bool
want_met(const struct want *w, const struct config_credential *c, const struct cert *leaf)
{
	struct fault why = { 0 };
	const struct constraints *have = leaf->constraints;

	if (have != NULL && c->constraints != NULL && have->form != c->constraints->form)
		return false;
	/* What a list by reference says changes without a new certificate (D-46). */
	if (leaf->tnauth == NULL && leaf->tnauth_by_reference)
		return constraints_allowed(c, leaf->constraints_der, &why) == RC_OK;
	return want_allows(w, c, leaf->tnauth_der, leaf->constraints_der, &why) == RC_OK;
}
