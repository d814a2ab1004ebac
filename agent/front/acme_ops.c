#include "agent/front/acme_ops.h"

#include "agent/front/install.h"
#include "agent/front/ordered.h"
#include "agent/front/pending.h"
#include "agent/front/plan.h"
#include "agent/front/revoke.h"
#include "agent/front/want.h"
#include "agent/front/weburl.h"
#include "agent/log.h"
#include "stir/authtoken.h"
#include "stir/b64.h"
#include "stir/jtext.h"

enum { PAYLOAD_MAX = 131072, EAB_TEXT_MAX = 8192, HS256_LEN = 32 };

/* ---- CA, account, and the JWS around every payload ---- */

struct acme {
	const struct config_ca *ca;
	const struct account *account; /* find_acme()'s */
	/* Whose word it is: the account's key, or the certificate's that is revoked. */
	const uint8_t *point;
	unsigned token;
};

static enum rc
find_ca(const struct op_call *call, const struct config_ca **out, struct fault *f)
{
	const struct config_ca *ca = config_ca_find(call->w->set->config, op_text(call, "ca"));

	if (ca == NULL)
		return FAULT(f, RC_NOT_FOUND, "no_ca", "no such CA");
	if (ca->issuer != ISSUER_ACME)
		return REFUSE(
		    f, RC_CONFLICT, CONFLICT, NULL, "CA '%s' does not speak ACME", ca->name);
	*out = ca;
	return RC_OK;
}

static enum rc
find_acme(const struct op_call *call, struct acme *out, struct fault *f)
{
	TRY(find_ca(call, &out->ca, f));
	TRY(accounts_check(&call->w->accounts, out->ca->name, f));
	out->account = accounts_find(&call->w->accounts, out->ca->name);
	if (out->account == NULL)
		return FAULT(f, RC_CONFLICT, "no_account", "there is no account key yet");
	out->point = out->account->point;
	return works_token_index(call->w, out->ca->token, &out->token, f);
}

/* RFC 8555 section 6.5.1 */
static enum rc
check_nonce(const char *nonce, struct fault *f)
{
	size_t len = strlen(nonce);
	size_t good = strspn(nonce, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-_");

	if (len == 0 || len > ACME_NONCE_MAX || good != len)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "nonce", "not a nonce");
	return RC_OK;
}

/* RFC 8555 section 6.2: alg, nonce, url, and exactly one of kid and jwk. */
static enum rc
protected_of(const struct op_call *call, const struct acme *a, json_t **out, struct fault *f)
{
	const char *nonce = op_text(call, "nonce"), *url = op_text(call, "url");
	const char *kid = op_text(call, "kid");
	json_auto_t *header = NULL;

	TRY(check_nonce(nonce, f));
	TRY(weburl_same_origin(a->ca->directory, url, f));
	if (kid != NULL)
		TRY(weburl_same_origin(a->ca->directory, kid, f));
	header = json_pack("{s:s, s:s, s:s}", "alg", "ES256", "nonce", nonce, "url", url);
	if (header == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a header");
	if (kid != NULL)
		TRY(op_put(header, "kid", json_string(kid), f));
	else
		TRY(op_put(header, "jwk", jwk_of_point(a->point), f));
	*out = TAKE(header);
	return RC_OK;
}

static enum rc
answer_jws(const struct op_call *call, const struct acme *a, struct span payload,
    json_t *answer, struct fault *f)
{
	json_auto_t *header = NULL;
	AUTO_OSSL(EVP_PKEY) *key = NULL;
	OSSL_LIB_CTX *libctx = NULL;
	struct fault why = { 0 };
	json_t *jws = NULL;
	enum rc rc;

	TRY(protected_of(call, a, &header, f));
	TRY(works_key(call->w, a->token, a->point, &libctx, &key, f));
	rc = jws_flattened(header, payload, libctx, key, &jws, &why);
	TRY(works_signed(call->w, a->token, rc, &why, f));
	return op_put(answer, "jws", jws, f);
}

static enum rc
answer_json(const struct op_call *call, const struct acme *a, const json_t *payload,
    json_t *answer, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(PAYLOAD_MAX);

	TRY(jtext_write(&text, payload, f));
	TRY(buf_check(&text, f));
	return answer_jws(call, a, buf_view(&text), answer, f);
}

enum rc
post_as_get_op(struct op_call *call, json_t *answer, struct fault *f)
{
	struct acme a = { 0 };

	TRY(find_acme(call, &a, f));
	return answer_jws(call, &a, span_of(NULL, 0), answer, f);
}

/* ---- account ---- */

/* A key whose file was not written has no other end; one whose file is there is kept. */
static void
unmake_account(struct works *w, const struct config_ca *ca, unsigned token,
    const uint8_t point[P256_POINT_LEN])
{
	uint8_t key_id[KEY_ID_LEN];
	struct fault why = { 0 };

	if (accounts_file_there(w->set->config, ca->name))
		return;
	key_id_of_point(point, key_id);
	if (works_discard(w, token, key_id, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "key_left", &why);
}

static enum rc
make_account(struct works *w, const struct config_ca *ca, struct fault *f)
{
	uint8_t point[P256_POINT_LEN] = { 0 };
	struct fault why = { 0 };
	unsigned token = 0;
	enum rc rc = accounts_adopt(&w->accounts, w->set->config, ca->name, &why);

	if (rc == RC_OK)
		return RC_OK;
	if (rc != RC_NOT_FOUND)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	TRY(works_token_index(w, ca->token, &token, f));
	TRY(works_generate(w, token, point, f));
	rc = accounts_add(&w->accounts, w->set->config, ca->name, point, f);
	if (rc != RC_OK)
		unmake_account(w, ca, token, point);
	TRY(rc);
	log_event(LEVEL_NOTICE, "account_key_made", "ca=%s", ca->name);
	return RC_OK;
}

struct fingerprints {
	char jwk[FINGERPRINT_TEXT], spki[FINGERPRINT_TEXT];
};

static enum rc
fingerprints_of(const struct account *a, struct fingerprints *out, struct fault *f)
{
	uint8_t hash[32] = { 0 };

	jwk_thumbprint(a->point, hash);
	fingerprint_text(hash, out->jwk);
	TRY(spki_hash(a->point, hash, f));
	fingerprint_text(hash, out->spki);
	return RC_OK;
}

enum rc
account_op(struct op_call *call, json_t *answer, struct fault *f)
{
	struct acme a = { 0 };
	struct fingerprints text = { 0 };

	TRY(find_ca(call, &a.ca, f));
	TRY(accounts_check(&call->w->accounts, a.ca->name, f)); /* never made anew by itself */
	a.account = accounts_find(&call->w->accounts, a.ca->name);
	if (a.account == NULL) {
		TRY(make_account(call->w, a.ca, f));
		a.account = accounts_find(&call->w->accounts, a.ca->name);
	}
	if (a.account == NULL)
		return FAULT(f, RC_BUG, "internal_error", "the account that was just made");
	TRY(fingerprints_of(a.account, &text, f));
	TRY(op_put(answer, "jwk", jwk_of_point(a.account->point), f));
	TRY(op_put(answer, "jwk_fingerprint", json_string(text.jwk), f));
	return op_put(answer, "spki_fingerprint", json_string(text.spki), f);
}

static enum rc
bad_eab(struct fault *f, const char *why)
{
	return FAULT(f, RC_DENIED, "eab", "external account binding: %s", why);
}

static enum rc
eab_part(const char *b64, struct buf *text, json_t **out, struct fault *f)
{
	if (b64_decode(text, B64_URL, span_str(b64), NULL) != RC_OK ||
	    buf_check(text, NULL) != RC_OK)
		return bad_eab(f, "not base64url");
	return out == NULL ? RC_OK : jtext_read(buf_view(text), out, f);
}

/* RFC 8555 section 7.3.4: HS256, our kid, this url, no nonce. */
static enum rc
check_eab_header(
    const struct op_call *call, const struct config_ca *ca, const char *b64, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(EAB_TEXT_MAX);
	json_auto_t *header = NULL;
	const char *alg = NULL, *kid = NULL, *url = NULL;

	TRY(eab_part(b64, &text, &header, f));
	if (json_unpack(header, "{s:s, s:s, s:s!}", "alg", &alg, "kid", &kid, "url", &url) != 0)
		return bad_eab(f, "a header with other members than alg, kid and url");
	if (strcmp(alg, "HS256") != 0)
		return bad_eab(f, "an alg that is not HS256");
	if (ca->eab_kid == NULL || strcmp(kid, ca->eab_kid) != 0)
		return bad_eab(f, "a kid that is not the configured one");
	if (strcmp(url, op_text(call, "url")) != 0)
		return bad_eab(f, "another url than the request's");
	return RC_OK;
}

/* What the CA's key signs over must be our account key, and nothing beside it. */
static enum rc
check_eab_payload(const struct account *a, const char *b64, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(EAB_TEXT_MAX);
	json_auto_t *jwk = NULL, *ours = jwk_of_point(a->point);

	TRY(eab_part(b64, &text, &jwk, f));
	if (ours == NULL || !json_equal(jwk, ours))
		return bad_eab(f, "a payload that is not the account's key");
	return RC_OK;
}

static enum rc
check_eab(const struct op_call *call, const struct acme *a, json_t *eab, struct fault *f)
{
	const char *header = NULL, *payload = NULL, *signature = NULL;
	AUTO_BUF mac = BUF_INIT(EAB_TEXT_MAX);

	if (json_unpack(eab, "{s:s, s:s, s:s!}", "protected", &header, "payload", &payload,
		"signature", &signature) != 0)
		return bad_eab(f, "not a flattened JWS");
	TRY(check_eab_header(call, a->ca, header, f));
	TRY(check_eab_payload(a->account, payload, f));
	TRY(eab_part(signature, &mac, NULL, f));
	return mac.len == HS256_LEN ? RC_OK : bad_eab(f, "a signature of another length");
}

static enum rc
put_contact(json_t *payload, const struct config_ca *ca, struct fault *f)
{
	json_t *list;

	if (ca->contact.len == 0)
		return RC_OK;
	list = json_array();
	for (size_t i = 0; list != NULL && i < ca->contact.len; i++) {
		if (json_array_append_new(list, json_string(ca->contact.item[i])) != 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return op_put(payload, "contact", list, f);
}

/* RFC 8555 section 7.3 */
enum rc
new_account_op(struct op_call *call, json_t *answer, struct fault *f)
{
	json_t *eab = json_object_get(call->msg, "eab");
	json_auto_t *payload = json_object();
	struct acme a = { 0 };

	TRY(find_acme(call, &a, f));
	if (json_is_true(json_object_get(call->msg, "only_existing")))
		TRY(op_put(payload, "onlyReturnExisting", json_true(), f));
	if (a.ca->terms_agreed)
		TRY(op_put(payload, "termsOfServiceAgreed", json_true(), f));
	TRY(put_contact(payload, a.ca, f));
	if (json_is_object(eab)) {
		TRY(check_eab(call, &a, eab, f));
		TRY(op_put(payload, "externalAccountBinding", json_incref(eab), f));
	}
	return answer_json(call, &a, payload, answer, f);
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
	AUTO_WANT want = WANT_INIT;

	TRY(op_place(call, &out->at, f));
	out->tenant = &call->w->set->config->tenant[out->at.tenant];
	out->config = credset_config(call->w->set, out->at);
	TRY(revoke_check(call->w, out->at, f));
	TRY(op_octets(call, "tnauthlist", WANT_MAX_DER, &out->tnauth_der, f));
	TRY(op_octets(call, "constraints", WANT_MAX_DER, &out->constraints_der, f));
	if (!out->tenant->enabled)
		return REFUSE(f, RC_DENIED, TENANT_DISABLED, NULL, "the tenant is disabled");
	TRY(want_of(out->tenant, out->config, &want, f));
	return want_allows(
	    &want, out->config, buf_view(&out->tnauth_der), buf_view(&out->constraints_der), f);
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
	return ordered_put(&o, payload, f);
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

	TRY(find_acme(call, &a, f));
	TRY(asked_read(call, &asked, f));
	TRY(check_ca(asked.config, a.ca, f));
	TRY(put_identifiers(call, payload, &a, &asked, f));
	TRY(put_replaces(call, &asked, payload, f));
	TRY(put_profile(&a, payload, f));
	TRY(put_dates(call, &asked, payload, f));
	return answer_json(call, &a, payload, answer, f);
}

/* ---- challenge ---- */

/* Ours, and for an end entity: a token for another account is no business of this one. */
static enum rc
check_token(const struct acme *a, const char *text, struct fault *f)
{
	AUTO(authtoken) *token = NULL;
	struct fingerprints ours = { 0 };

	if (strlen(text) > ACME_TOKEN_MAX)
		return REFUSE(f, RC_INVALID, TOO_LARGE, "token", "an authority token");
	TRY(authtoken_decode(span_str(text), &token, f));
	TRY(fingerprints_of(a->account, &ours, f));
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
	return answer_json(call, a, payload, answer, f);
}

enum rc
challenge_op(struct op_call *call, json_t *answer, struct fault *f)
{
	const char *token = op_text(call, "token");
	json_auto_t *payload = json_object();
	struct acme a = { 0 };

	TRY(find_acme(call, &a, f));
	if (token == NULL)
		return answer_domain(call, &a, answer, f);
	TRY(check_token(&a, token, f));
	/* D-27: RFC 9448 section 3 says tkauth, older servers want atc. */
	if (a.ca->tkauth_response != TKAUTH_ATC)
		TRY(op_put(payload, "tkauth", json_string(token), f));
	if (a.ca->tkauth_response != TKAUTH_TKAUTH)
		TRY(op_put(payload, "atc", json_string(token), f));
	return answer_json(call, &a, payload, answer, f);
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

enum rc
finalize_op(struct op_call *call, json_t *answer, struct fault *f)
{
	json_auto_t *payload = json_object();
	AUTO_PENDING p = { 0 };
	struct credset_place at;
	struct acme a = { 0 };

	TRY(find_acme(call, &a, f));
	TRY(op_place(call, &at, f));
	TRY(revoke_check(call->w, at, f));
	TRY(check_ca(credset_config(call->w->set, at), a.ca, f));
	TRY(pending_read(
	    call->w->set->config, op_text(call, "tenant"), op_text(call, "name"), &p, f));
	/* RFC 8555 section 11.1: client and server check it both. */
	if (accounts_has_key(&call->w->accounts, p.facts.key_id))
		return FAULT(f, RC_DENIED, "account_key", "the request's key is an account's");
	TRY(put_csr(payload, &p, f));
	return answer_json(call, &a, payload, answer, f);
}

enum rc
install_op(struct op_call *call, json_t *answer, struct fault *f)
{
	struct install_offer offer = { jtext_span(json_object_get(call->msg, "chain")),
		op_text(call, "x5u") };
	const struct credential *c = NULL;
	struct credset_place at;

	TRY(op_place(call, &at, f));
	TRY(revoke_check(call->w, at, f));
	TRY(install_chain(call->w, at, &offer, call->now_s, &call->again_s, &c, f));
	TRY(op_put(answer, "serial", json_string(c->chain->cert[0]->serial), f));
	TRY(op_put(answer, "ari_id", plan_ari_id(c->chain->cert[0]), f));
	TRY(op_put(answer, "not_before", json_integer(c->not_before_s), f));
	return op_put(answer, "not_after", json_integer(c->not_after_s), f);
}

/* ---- what an operator asked of a CA ---- */

static json_t *
errand_of(const struct revocation *r)
{
	return json_pack("{s:s, s:s, s:s, s:b}", "id", r->id, "ca", r->ca, "resource",
	    "revokeCert", "kid", !r->by_key);
}

static enum rc
errands_of_ca(const struct works *w, const char *ca, size_t most, json_t *list, struct fault *f)
{
	const struct revocation *r;
	size_t at = 0;

	for (size_t n = 0; n < most && (r = revoke_outstanding(w, ca, &at)) != NULL; n++) {
		if (json_array_append_new(list, errand_of(r)) != 0)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "errands");
	}
	return RC_OK;
}

static size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* One CA that does not answer must not hide what others are to be asked. */
enum rc
errands_op(struct op_call *call, json_t *answer, struct fault *f)
{
	const struct config *c = call->w->set->config;
	json_t *list = json_array();
	size_t share, asked = 0;

	TRY(op_put(answer, "errands", list, f));
	for (size_t i = 0; i < c->cas; i++)
		asked += c->ca[i].issuer == ISSUER_ACME;
	share = asked > ACME_ERRANDS_MAX ? 1 : ACME_ERRANDS_MAX / (asked > 0 ? asked : 1);
	share = min_size(share, ACME_ERRANDS_OF_CA);
	for (size_t i = 0; i < c->cas; i++) {
		size_t room = min_size(share, ACME_ERRANDS_MAX - json_array_size(list));

		if (c->ca[i].issuer == ISSUER_ACME)
			TRY(errands_of_ca(call->w, c->ca[i].name, room, list, f));
	}
	return RC_OK;
}

/* RFC 8555 section 7.6: no reason is that of "unspecified". */
static enum rc
revocation_payload(
    const struct revocation *r, const struct cert *leaf, json_t **out, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(2 * CERT_MAX_DER);
	json_auto_t *payload = json_object();

	b64_encode(&text, B64_URL, span_of(leaf->der, leaf->der_len));
	TRY(buf_check(&text, f));
	TRY(op_put(payload, "certificate", json_stringn((const char *)text.ptr, text.len), f));
	if (r->reason != 0)
		TRY(op_put(payload, "reason", json_integer(r->reason), f));
	*out = TAKE(payload);
	return RC_OK;
}

/* Its key may be in another token than the account's. */
static enum rc
by_its_own_key(const struct op_call *call, const struct revocation *r, const struct cert *leaf,
    struct acme *a, struct fault *f)
{
	struct credset_place at;

	if (!credset_find(call->w->set, r->tenant, r->name, &at))
		return REFUSE(f, RC_NOT_FOUND, NO_CREDENTIAL, NULL, "no such credential");
	a->point = leaf->point;
	return works_token_of(
	    call->w, credset_config(call->w->set, at), leaf->key_id, &a->token, f);
}

enum rc
errand_op(struct op_call *call, json_t *answer, struct fault *f)
{
	const struct revocation *r = revoke_find(call->w, op_text(call, "errand"));
	json_auto_t *payload = NULL;
	AUTO(cert) *leaf = NULL;
	struct acme a = { 0 };

	if (r == NULL || r->state != REVOCATION_OUTSTANDING ||
	    strcmp(r->ca, op_text(call, "ca")) != 0)
		return FAULT(f, RC_NOT_FOUND, "no_errand", "nobody asked for that");
	if ((op_text(call, "kid") == NULL) != r->by_key)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "kid", "not by whom it is to be");
	TRY(revocation_read_cert(call->w->set->config, r->id, &leaf, f));
	if (r->by_key)
		TRY(find_ca(call, &a.ca, f));
	else
		TRY(find_acme(call, &a, f));
	if (r->by_key)
		TRY(by_its_own_key(call, r, leaf, &a, f));
	TRY(revocation_payload(r, leaf, &payload, f));
	return answer_json(call, &a, payload, answer, f);
}

enum rc
errand_done_op(struct op_call *call, json_t *answer, struct fault *f)
{
	(void)answer;
	return revoke_answered(call->w, op_text(call, "errand"),
	    json_is_true(json_object_get(call->msg, "final")), op_text(call, "reason"),
	    op_text(call, "detail"), call->now_s, f);
}
