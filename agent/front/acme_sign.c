#include "agent/front/acme_sign.h"

#include "agent/front/account_work.h"
#include "agent/front/acme_ops.h"
#include "agent/front/weburl.h"
#include "stir/authtoken.h"
#include "stir/jtext.h"

enum { PAYLOAD_MAX = 131072 };

enum rc
acme_find_ca(const struct op_call *call, const struct config_ca **out, struct fault *f)
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

enum rc
acme_find_account(const struct op_call *call, struct acme *out, struct fault *f)
{
	TRY(acme_find_ca(call, &out->ca, f));
	TRY(accounts_check(&call->w->accounts, out->ca->name, f));
	out->account = accounts_find(&call->w->accounts, out->ca->name);
	if (out->account == NULL)
		return FAULT(f, RC_CONFLICT, "no_account", "there is no account key yet");
	out->point = out->account->point;
	return works_token_index(call->w, out->ca->token, &out->token, f);
}

enum rc
acme_find(const struct op_call *call, struct acme *out, struct fault *f)
{
	TRY(acme_find_account(call, out, f));
	return account_usable(out->account, call->now_s, f);
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

enum rc
acme_check(const struct op_call *call, const struct config_ca *ca, struct fault *f)
{
	const char *kid = op_text(call, "kid");

	TRY(check_nonce(op_text(call, "nonce"), f));
	TRY(weburl_same_origin(ca->directory, op_text(call, "url"), f));
	return kid != NULL ? weburl_same_origin(ca->directory, kid, f) : RC_OK;
}

/* RFC 8555 section 6.2: alg, nonce, url, and exactly one of kid and jwk. */
static enum rc
protected_of(const struct op_call *call, const struct acme *a, json_t **out, struct fault *f)
{
	const char *nonce = op_text(call, "nonce"), *url = op_text(call, "url");
	const char *kid = op_text(call, "kid");
	json_auto_t *header = NULL;

	TRY(acme_check(call, a->ca, f));
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

enum rc
acme_answer_jws(const struct op_call *call, const struct acme *a, struct span payload,
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

enum rc
acme_answer(const struct op_call *call, const struct acme *a, const json_t *payload,
    json_t *answer, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(PAYLOAD_MAX);

	TRY(jtext_write(&text, payload, f));
	TRY(buf_check(&text, f));
	return acme_answer_jws(call, a, buf_view(&text), answer, f);
}

enum rc
acme_fingerprints(
    const uint8_t point[P256_POINT_LEN], struct acme_fingerprints *out, struct fault *f)
{
	uint8_t hash[32] = { 0 };

	jwk_thumbprint(point, hash);
	fingerprint_text(hash, out->jwk);
	TRY(spki_hash(point, hash, f));
	fingerprint_text(hash, out->spki);
	return RC_OK;
}
