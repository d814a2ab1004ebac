#include "agent/front/acme_ops.h"

#include "agent/front/acme_sign.h"
#include "agent/front/install.h"
#include "agent/front/narrow.h"
#include "agent/front/offboard.h"
#include "agent/front/ordered.h"
#include "agent/front/pending.h"
#include "agent/front/plan.h"
#include "agent/front/revoke.h"
#include "agent/front/rtu.h"
#include "agent/front/series.h"
#include "agent/front/want.h"
#include "agent/front/weburl.h"
#include "stir/authtoken.h"
#include "stir/b64.h"
#include "stir/jtext.h"

enum rc
post_as_get_op(struct op_call *call, json_t *answer, struct fault *f)
{
	struct acme a = { 0 };

	TRY(acme_find(call, &a, f));
	return acme_answer_jws(call, &a, span_of(NULL, 0), answer, f);
}

/* ---- orders ---- */

/* The octets that the renewer names, checked against the configuration. */
struct asked {
	struct credset_place at;
	const struct config_tenant *tenant;
	const struct config_credential *config;
	struct buf tnauth_der, constraints_der;
};
#define ASKED_INIT \
	{ \
		.tnauth_der = BUF_INIT(WANT_MAX_DER), \
		.constraints_der = BUF_INIT(WANT_MAX_DER) \
	}

static void
asked_done(struct asked *a)
{
	buf_free(&a->tnauth_der);
	buf_free(&a->constraints_der);
}
#define AUTO_ASKED __attribute__((cleanup(asked_done))) struct asked

static enum rc
asked_read(const struct op_call *call, struct asked *out, struct fault *f)
{
	TRY(op_place(call, &out->at, f));
	out->tenant = &call->w->set->config->tenant[out->at.tenant];
	out->config = credset_config(call->w->set, out->at);
	TRY(revoke_check(call->w, out->at, f));
	TRY(op_octets(call, "tnauthlist", WANT_MAX_DER, &out->tnauth_der, f));
	TRY(op_octets(call, "constraints", WANT_MAX_DER, &out->constraints_der, f));
	if (!out->tenant->enabled)
		return REFUSE(f, RC_DENIED, TENANT_DISABLED, NULL, "the tenant is disabled");
	return narrow_allows(call->w->set, out->at, call->now_s, buf_view(&out->tnauth_der),
	    buf_view(&out->constraints_der), f);
}

static enum rc
check_ca(const struct config_credential *cc, const struct config_ca *ca, struct fault *f)
{
	if (cc->ca == NULL || strcmp(cc->ca, ca->name) != 0)
		return FAULT(f, RC_DENIED, "ca_not_of_credential",
		    "the credential's certificates come from another CA");
	return RC_OK;
}

/* RFC 9448 section 3: the value is base64url of the extension's octets. */
static enum rc
put_identifier(json_t *list, const char *type, const struct buf *der, struct fault *f)
{
	AUTO_BUF value = BUF_INIT(2 * WANT_MAX_DER);
	json_t *item;

	b64_encode(&value, B64_URL, buf_view(der));
	TRY(buf_check(&value, f));
	item =
	    json_pack("{s:s, s:s%}", "type", type, "value", (const char *)value.ptr, value.len);
	if (item == NULL || json_array_append_new(list, item) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "an identifier");
	return RC_OK;
}

/* Beside the numbers, in the same order: what is bound together is proven together. */
static enum rc
put_domain(json_t *list, const struct op_call *call, const struct asked *asked, struct fault *f)
{
	char domain[WANT_DOMAIN_MAX + 1];
	json_t *item;

	want_domain(call->w->set->config, asked->config, domain);
	if (domain[0] == 0)
		return RC_OK;
	item = json_pack("{s:s, s:s}", "type", "dns", "value", domain);
	if (item == NULL || json_array_append_new(list, item) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "an identifier");
	return RC_OK;
}

static enum rc
put_identifiers(const struct op_call *call, json_t *payload, const struct acme *a,
    const struct asked *asked, struct fault *f)
{
	json_t *list = json_array();
	const char *type = a->ca->constraints_type; /* D-33 */

	TRY(op_put(payload, "identifiers", list, f)); /* the payload's from here on */
	TRY(put_identifier(list, "TNAuthList", &asked->tnauth_der, f));
	TRY(put_domain(list, call, asked, f));
	if (asked->constraints_der.len == 0)
		return RC_OK;
	if (asked->config->constraints->form == CONSTRAINTS_ENHANCED)
		type = a->ca->enhanced_type;
	return put_identifier(list, type, &asked->constraints_der, f);
}

/* Asked for by the configuration; noted first, to be compared with what the CA gives. */
static enum rc
put_dates(
    const struct op_call *call, const struct asked *asked, json_t *payload, struct fault *f)
{
	struct ordered o;

	ordered_of(asked->config, call->now_s, &o);
	TRY(ordered_write(
	    call->w->set->config, asked->tenant->name, asked->config->name, &o, f));
	return ordered_put(&o, json_is_true(json_object_get(call->msg, "by_get")), payload, f);
}

/* RFC 9773 section 5: only the certificate in force is replaced. */
static enum rc
put_replaces(
    const struct op_call *call, const struct asked *asked, json_t *payload, struct fault *f)
{
	const char *replaces = op_text(call, "replaces");
	const struct credential *c = credset_credential(call->w->set, asked->at);
	AUTO_BUF id = BUF_INIT(ACME_REPLACES_MAX);

	if (replaces == NULL)
		return RC_OK;
	if (c->state != CREDENTIAL_READY ||
	    cert_ari_id(c->chain->cert[0], &id, NULL) != RC_OK ||
	    !span_is(buf_view(&id), replaces))
		return REFUSE(f, RC_DENIED, INVALID_MEMBER, "replaces",
		    "not the certificate that is in force");
	return op_put(payload, "replaces", json_string(replaces), f);
}

/* draft-ietf-acme-profiles: the operator's choice among what the CA offers. */
static enum rc
put_profile(const struct acme *a, json_t *payload, struct fault *f)
{
	if (a->ca->acme_profile == NULL)
		return RC_OK;
	return op_put(payload, "profile", json_string(a->ca->acme_profile), f);
}

enum rc
new_order_op(struct op_call *call, json_t *answer, struct fault *f)
{
	AUTO_ASKED asked = ASKED_INIT;
	json_auto_t *payload = json_object();
	struct acme a = { 0 };

	TRY(acme_find(call, &a, f));
	TRY(asked_read(call, &asked, f));
	TRY(check_ca(asked.config, a.ca, f));
	TRY(put_identifiers(call, payload, &a, &asked, f));
	TRY(put_replaces(call, &asked, payload, f));
	TRY(put_profile(&a, payload, f));
	TRY(put_dates(call, &asked, payload, f));
	return acme_answer(call, &a, payload, answer, f);
}

/* ---- challenge ---- */

/* Ours, and for an end entity: a token for another account is no business of this one. */
static enum rc
check_token(const struct acme *a, const char *text, struct fault *f)
{
	AUTO(authtoken) *token = NULL;
	struct acme_fingerprints ours = { 0 };

	if (strlen(text) > ACME_TOKEN_MAX)
		return REFUSE(f, RC_INVALID, TOO_LARGE, "token", "an authority token");
	TRY(authtoken_decode(span_str(text), &token, f));
	TRY(acme_fingerprints(a->account->point, &ours, f));
	if (strcmp(token->fingerprint, ours.jwk) != 0 &&
	    strcmp(token->fingerprint, ours.spki) != 0)
		return FAULT(
		    f, RC_DENIED, "authtoken_fingerprint", "the token is for another account");
	if (token->ca)
		return FAULT(f, RC_DENIED, "authtoken_ca", "the token is for a CA certificate");
	return RC_OK;
}

/* RFC 8555 section 7.5.1: an empty object; a command has done what it is about. */
static enum rc
answer_domain(const struct op_call *call, const struct acme *a, json_t *answer, struct fault *f)
{
	json_auto_t *payload = json_object();

	if (a->ca->domain_challenge == DOMAIN_NONE)
		return REFUSE(
		    f, RC_DENIED, INVALID_MEMBER, "token", "no domain is proven to this CA");
	return acme_answer(call, a, payload, answer, f);
}

enum rc
challenge_op(struct op_call *call, json_t *answer, struct fault *f)
{
	const char *token = op_text(call, "token");
	json_auto_t *payload = json_object();
	struct acme a = { 0 };

	TRY(acme_find(call, &a, f));
	if (token == NULL)
		return answer_domain(call, &a, answer, f);
	TRY(check_token(&a, token, f));
	/* D-27: RFC 9448 section 3 says tkauth, older servers want atc. */
	if (a.ca->tkauth_response != TKAUTH_ATC)
		TRY(op_put(payload, "tkauth", json_string(token), f));
	if (a.ca->tkauth_response != TKAUTH_TKAUTH)
		TRY(op_put(payload, "atc", json_string(token), f));
	return acme_answer(call, &a, payload, answer, f);
}

/* ---- request, finalize, install ---- */

static enum rc
put_csr(json_t *to, const struct pending *p, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(2 * PENDING_MAX);

	b64_encode(&text, B64_URL, buf_view(&p->der));
	TRY(buf_check(&text, f));
	return op_put(to, "csr", json_stringn((const char *)text.ptr, text.len), f);
}

enum rc
csr_op(struct op_call *call, json_t *answer, struct fault *f)
{
	AUTO_ASKED asked = ASKED_INIT;
	AUTO_PENDING p = { 0 };

	TRY(asked_read(call, &asked, f));
	TRY(pending_make(call->w, asked.at, buf_view(&asked.tnauth_der),
	    buf_view(&asked.constraints_der), call->now_s, &p, f));
	return put_csr(answer, &p, f);
}

/* RFC 8739: what could not be canceled is not begun; which order it is the renewer says. */
static enum rc
begin_series(const struct op_call *call, const struct acme *a, struct credset_place at,
    const struct pending *p, struct fault *f)
{
	const struct config *c = call->w->set->config;
	const char *order = op_text(call, "order");
	struct ordered o = { 0 };

	TRY(ordered_read(c, op_text(call, "tenant"), op_text(call, "name"), &o, f));
	if (o.star_lifetime_s == 0)
		return RC_OK;
	if (order == NULL)
		return REFUSE(
		    f, RC_INVALID, MISSING_MEMBER, "order", "a series without its order");
	TRY(weburl_same_origin(a->ca->directory, order, f));
	return series_begin(call->w, at, order, &o, p, call->now_s, f);
}

enum rc
finalize_op(struct op_call *call, json_t *answer, struct fault *f)
{
	json_auto_t *payload = json_object();
	AUTO_PENDING p = { 0 };
	struct credset_place at;
	struct acme a = { 0 };

	TRY(acme_find(call, &a, f));
	TRY(op_place(call, &at, f));
	TRY(offboard_check(call->w, at, f));
	TRY(revoke_check(call->w, at, f));
	TRY(check_ca(credset_config(call->w->set, at), a.ca, f));
	TRY(pending_read(
	    call->w->set->config, op_text(call, "tenant"), op_text(call, "name"), &p, f));
	/* RFC 8555 section 11.1: client and server check it both. */
	if (accounts_has_key(&call->w->accounts, p.facts.key_id))
		return FAULT(f, RC_DENIED, "account_key", "the request's key is an account's");
	TRY(begin_series(call, &a, at, &p, f));
	TRY(put_csr(payload, &p, f));
	return acme_answer(call, &a, payload, answer, f);
}

enum rc
install_op(struct op_call *call, json_t *answer, struct fault *f)
{
	struct install_offer offer = { jtext_span(json_object_get(call->msg, "chain")),
		op_text(call, "x5u"), op_text(call, "order") };
	const struct credential *c = NULL;
	struct credset_place at;

	TRY(op_place(call, &at, f));
	TRY(offboard_check(call->w, at, f));
	TRY(revoke_check(call->w, at, f));
	TRY(install_chain(call->w, at, &offer, call->now_s, &call->again_s, &c, f));
	if (rtu_is_refused(call->w, at))
		rtu_granted(call->w, at, "certificate");
	TRY(op_put(answer, "serial", json_string(c->chain->cert[0]->serial), f));
	TRY(op_put(answer, "ari_id", plan_ari_id(c->chain->cert[0]), f));
	TRY(op_put(answer, "not_before", json_integer(c->not_before_s), f));
	return op_put(answer, "not_after", json_integer(c->not_after_s), f);
}
