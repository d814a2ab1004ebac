#include "agent/renewer/eab.h"

#include <openssl/evp.h>

#include "agent/secret.h"
#include "stir/b64.h"
#include "stir/jtext.h"

enum { EAB_KEY_MAX = 1024, EAB_TEXT_MAX = 16384, HS256_LEN = 32 };

static enum rc
hs256(struct span key, struct span text, uint8_t mac[HS256_LEN], struct fault *f)
{
	size_t len = 0;

	if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key.ptr, key.len, text.ptr, text.len,
		mac, HS256_LEN, &len) == NULL ||
	    len != HS256_LEN)
		return FAULT(f, RC_BUG, "internal_error", "HMAC-SHA256 not available");
	return RC_OK;
}

/* RFC 8555 section 7.3.4: alg, kid and the URL of newAccount, and no nonce. */
static enum rc
encode(const char *kid, const char *url, const json_t *jwk, struct buf *header,
    struct buf *payload, struct fault *f)
{
	json_auto_t *h = json_pack("{s:s, s:s, s:s}", "alg", "HS256", "kid", kid, "url", url);
	AUTO_BUF text = BUF_INIT(EAB_TEXT_MAX), body = BUF_INIT(EAB_TEXT_MAX);

	if (h == NULL)
		return FAULT(f, RC_INVALID, "eab_key", "a kid that is not UTF-8");
	TRY(jtext_write(&text, h, f));
	TRY(jtext_write(&body, jwk, f));
	b64_encode(header, B64_URL, buf_view(&text));
	b64_encode(payload, B64_URL, buf_view(&body));
	TRY(buf_check(header, f));
	return buf_check(payload, f);
}

enum rc
eab_make(const char *kid, struct span key_b64, const char *url, const json_t *jwk, json_t **out,
    struct fault *f)
{
	AUTO_SECRET key = BUF_INIT(EAB_KEY_MAX);
	AUTO_BUF header = BUF_INIT(EAB_TEXT_MAX), payload = BUF_INIT(EAB_TEXT_MAX);
	AUTO_BUF input = BUF_INIT(2 * EAB_TEXT_MAX), sig = BUF_INIT(64);
	uint8_t mac[HS256_LEN];
	json_t *jws;

	TRY(secret_decode_key(key_b64, &key, f));
	TRY(encode(kid, url, jwk, &header, &payload, f));
	buf_span(&input, buf_view(&header));
	buf_byte(&input, '.');
	buf_span(&input, buf_view(&payload));
	TRY(buf_check(&input, f));
	TRY(hs256(buf_view(&key), buf_view(&input), mac, f));
	b64_encode(&sig, B64_URL, span_of(mac, sizeof mac));
	jws = json_pack("{s:s, s:s, s:s}", "protected", buf_text(&header), "payload",
	    buf_text(&payload), "signature", buf_text(&sig));
	if (jws == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "external account binding");
	*out = jws;
	return RC_OK;
}
