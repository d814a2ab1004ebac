#include "agent/front/acme_ops.h"

#include "agent/front/account_work.h"
#include "agent/front/acme_sign.h"
#include "agent/log.h"
#include "stir/authtoken.h"
#include "stir/b64.h"
#include "stir/jtext.h"

enum { EAB_TEXT_MAX = 8192, HS256_LEN = 32 };

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

enum rc
account_op(struct op_call *call, json_t *answer, struct fault *f)
{
	struct acme a = { 0 };
	struct acme_fingerprints text = { 0 };
	bool existing;

	TRY(acme_find_ca(call, &a.ca, f));
	TRY(accounts_check(&call->w->accounts, a.ca->name, f)); /* never made anew by itself */
	a.account = accounts_find(&call->w->accounts, a.ca->name);
	existing = a.account != NULL;
	if (!existing) {
		TRY(make_account(call->w, a.ca, f));
		a.account = accounts_find(&call->w->accounts, a.ca->name);
	}
	if (a.account == NULL)
		return FAULT(f, RC_BUG, "internal_error", "the account that was just made");
	if (a.account->deactivated)
		return account_usable(a.account, call->now_s, f);
	TRY(acme_fingerprints(a.account->point, &text, f));
	TRY(op_put(answer, "existing", json_boolean(existing), f));
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

/* RFC 8555 section 7.3 */
enum rc
new_account_op(struct op_call *call, json_t *answer, struct fault *f)
{
	json_t *eab = json_object_get(call->msg, "eab");
	json_auto_t *payload = json_object();
	struct acme a = { 0 };

	TRY(acme_find_account(call, &a, f));
	if (a.account->deactivated)
		return account_usable(a.account, call->now_s, f);
	if (json_is_true(json_object_get(call->msg, "only_existing"))) /* section 7.3.1 */
		TRY(op_put(payload, "onlyReturnExisting", json_true(), f));
	else
		TRY(account_may_open(a.account, f));
	if (a.ca->terms_agreed)
		TRY(op_put(payload, "termsOfServiceAgreed", json_true(), f));
	if (a.ca->contact.len > 0)
		TRY(op_put(payload, "contact", account_contacts(a.ca), f));
	if (json_is_object(eab)) {
		TRY(check_eab(call, &a, eab, f));
		TRY(op_put(payload, "externalAccountBinding", json_incref(eab), f));
	}
	return acme_answer(call, &a, payload, answer, f);
}
