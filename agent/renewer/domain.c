#include "agent/renewer/domain.h"

#include <string.h>

#include "stir/b64.h"
#include "stir/digest.h"
#include "stir/jtext.h"

/* RFC 8555 section 8.1: at least 128 bits, in the base64url alphabet, without padding. */
static enum rc
check_token(const char *token, struct fault *f)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789-_";
	size_t len = token != NULL ? strlen(token) : 0;

	if (len < DOMAIN_TOKEN_MIN || len > DOMAIN_TOKEN_MAX || strspn(token, alphabet) != len)
		return FAULT(f, RC_DENIED, "acme_challenge",
		    "the token of the CA's challenge is none of RFC 8555 section 8.1");
	return RC_OK;
}

/* token "." base64url(thumbprint of the account's key) */
static enum rc
key_authorization(const struct domain_proof *p, struct buf *out, struct fault *f)
{
	uint8_t thumbprint[32];

	jwk_thumbprint(p->point, thumbprint);
	buf_str(out, p->token);
	buf_byte(out, '.');
	b64_encode(out, B64_URL, span_of(thumbprint, sizeof thumbprint));
	return buf_check(out, f);
}

static json_t *
text_after(const char *before, const char *text)
{
	AUTO_BUF whole = BUF_INIT(DOMAIN_TASK_MAX);

	buf_str(&whole, before);
	buf_str(&whole, text);
	return buf_check(&whole, NULL) == RC_OK ? json_string(buf_text(&whole)) : NULL;
}

/* RFC 8555 section 8.3 */
static int
put_http(json_t *task, const struct domain_proof *p)
{
	return json_object_set_new(
	    task, "path", text_after("/.well-known/acme-challenge/", p->token));
}

/* RFC 8555 section 8.4: base64url of the digest of the key authorization. */
static int
put_dns(json_t *task, const struct domain_proof *p, struct span authorization)
{
	AUTO_BUF value = BUF_INIT(64);
	uint8_t digest[DIGEST_SHA256_LEN];

	if (digest_sha256(authorization, digest, NULL) != RC_OK)
		return -1;
	b64_encode(&value, B64_URL, span_of(digest, sizeof digest));
	return json_object_set_new(task, "record", text_after("_acme-challenge.", p->domain)) |
	       json_object_set_new(task, "value", json_string(buf_text(&value)));
}

enum rc
domain_task(
    struct buf *out, enum domain_action action, const struct domain_proof *p, struct fault *f)
{
	AUTO_BUF authorization = BUF_INIT(DOMAIN_TASK_MAX);
	json_auto_t *task = NULL;
	int bad;

	TRY(check_token(p->token, f));
	TRY(key_authorization(p, &authorization, f));
	task = json_pack("{s:s, s:s, s:s, s:s, s:s}", "action",
	    action == DOMAIN_PRESENT ? "present" : "cleanup", "type",
	    config_domain_name(p->how), "domain", p->domain, "token", p->token,
	    "key_authorization", buf_text(&authorization));
	if (task == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a challenge");
	bad = p->how == DOMAIN_HTTP_01 ? put_http(task, p)
				       : put_dns(task, p, buf_view(&authorization));
	if (bad != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a challenge");
	TRY(jtext_write(out, task, f));
	return buf_check(out, f);
}
