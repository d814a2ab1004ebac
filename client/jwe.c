#include "client/jwe.h"

#include <jose/jwe.h>
#include <jose/jwk.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "stir/b64.h"
#include "stir/jtext.h"

#define ALGORITHM "ECDH-ES+A256KW"

/* ---- keys --------------------------------------------------------------------------- */

static bool
is_ec(const json_t *jwk)
{
	static const char *const curves[] = { "P-256", "P-384", "P-521" };
	struct span curve = jtext_span(json_object_get(jwk, "crv"));

	for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
		if (span_is(curve, curves[i]))
			return span_is(jtext_span(json_object_get(jwk, "kty")), "EC");
	}
	return false;
}

/* RFC 7517 section 4.2: a key that says what it is for is taken at its word. */
static bool
may_encrypt(const json_t *jwk)
{
	const json_t *use = json_object_get(jwk, "use");

	return is_ec(jwk) && (use == NULL || span_is(jtext_span(use), "enc"));
}

/* The key alone: its "alg" or "key_ops" would make libjose choose for itself. */
static json_t *
bare_key(const json_t *jwk, bool private)
{
	static const char *const members[] = { "kty", "crv", "x", "y", "d" };
	size_t n = private ? ARRAY_LEN(members) : ARRAY_LEN(members) - 1;
	json_t *out = json_object();

	for (size_t i = 0; out != NULL && i < n; i++) {
		json_t *value = json_object_get(jwk, members[i]);

		if (value != NULL && json_object_set(out, members[i], value) != 0) {
			json_decref(out);
			return NULL;
		}
	}
	return out;
}

/* ---- sealing ------------------------------------------------------------------------ */

static json_t *
protected_header(const json_t *jwk, const char *type)
{
	const json_t *kid = json_object_get(jwk, "kid");
	json_t *out = json_pack("{s:{s:s, s:s, s:s, s:s}}", "protected", "alg", ALGORITHM,
	    "enc", "A256GCM", "typ", type, "cty", "application/json");

	if (out != NULL && json_is_string(kid) &&
	    json_object_set(json_object_get(out, "protected"), "kid", jtext_walk(kid)) != 0) {
		json_decref(out);
		return NULL;
	}
	return out;
}

/*
 * The compact form has no place for a recipient's header, where libjose puts the
 * ephemeral key (RFC 7518 section 4.6.1.1): it is protected like the rest.
 */
static enum rc
protect_epk(json_t *jwe, struct fault *f)
{
	const json_t *header = json_object_get(jwe, "header");
	json_t *epk = json_object_get(header, "epk");

	if (epk != NULL && json_object_set(json_object_get(jwe, "protected"), "epk", epk) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a JWE");
	if (json_object_size(header) > (epk != NULL ? 1 : 0))
		return FAULT(f, RC_BUG, "jwe", "a header that the compact form cannot have");
	(void)json_object_del(jwe, "header");
	return RC_OK;
}

static enum rc
encrypt(struct span plain, const json_t *key, json_t *jwe, struct fault *f)
{
	json_auto_t *cek = json_object();

	if (cek == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a JWE");
	if (!jose_jwe_enc_jwk(NULL, jwe, NULL, key, cek))
		return FAULT(f, RC_INVALID, "jwk", "nothing can be encrypted to this key");
	TRY(protect_epk(jwe, f));
	if (!jose_jwe_enc_cek(NULL, jwe, cek, plain.ptr, plain.len))
		return FAULT(f, RC_BUG, "jwe", "the contents could not be encrypted");
	return RC_OK;
}

static enum rc
put_compact(const json_t *jwe, struct buf *out, struct fault *f)
{
	static const char *const parts[] = { "protected", "encrypted_key", "iv", "ciphertext",
		"tag" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		const json_t *part = json_object_get(jwe, parts[i]);

		if (!json_is_string(part))
			return FAULT(f, RC_BUG, "jwe", "no %s was made", parts[i]);
		if (i > 0)
			buf_byte(out, '.');
		buf_span(out, jtext_span(part));
	}
	return buf_check(out, f);
}

enum rc
jwe_seal(
    struct span plain, const json_t *jwk, const char *type, struct buf *out, struct fault *f)
{
	json_auto_t *key = NULL, *jwe = NULL;

	if (!may_encrypt(jwk))
		return FAULT(f, RC_INVALID, "jwk",
		    "no JWK of a key for encryption on P-256, P-384 or P-521");
	key = bare_key(jwk, false);
	jwe = protected_header(jwk, type);
	if (key == NULL || jwe == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a JWE");
	TRY(encrypt(plain, key, jwe, f));
	return put_compact(jwe, out, f);
}

/* ---- opening ------------------------------------------------------------------------ */

static enum rc
split(struct span compact, json_t **out, struct fault *f)
{
	static const char *const parts[] = { "protected", "encrypted_key", "iv", "ciphertext",
		"tag" };
	json_auto_t *jwe = json_object();

	if (jwe == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a JWE");
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		const uint8_t *dot =
		    compact.len > 0 ? memchr(compact.ptr, '.', compact.len) : NULL;
		bool last = i == ARRAY_LEN(parts) - 1;
		struct span part =
		    span_cut(&compact, dot != NULL ? (size_t)(dot - compact.ptr) : compact.len);

		if ((dot == NULL) != last || part.len == 0)
			return FAULT(f, RC_INVALID, "jwe", "not five parts with dots between");
		if (dot != NULL)
			(void)span_cut(&compact, 1);
		if (json_object_set_new(
			jwe, parts[i], json_stringn((const char *)part.ptr, part.len)) != 0)
			return FAULT(f, RC_INVALID, "jwe", "a part is no base64url");
	}
	*out = TAKE(jwe);
	return RC_OK;
}

/* One algorithm, whatever else the library would try. */
static enum rc
check_header(const json_t *jwe, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(4096);
	json_auto_t *header = NULL;

	if (b64_decode(&text, B64_URL, jtext_span(json_object_get(jwe, "protected")), NULL) !=
		RC_OK ||
	    jtext_read(buf_view(&text), &header, NULL) != RC_OK)
		return FAULT(f, RC_INVALID, "jwe", "the header does not decode");
	if (!span_is(jtext_span(json_object_get(header, "alg")), ALGORITHM) ||
	    !span_is(jtext_span(json_object_get(header, "enc")), "A256GCM") ||
	    json_object_get(header, "crit") != NULL || json_object_get(header, "zip") != NULL)
		return FAULT(f, RC_INVALID, "jwe", "not " ALGORITHM " with A256GCM");
	return RC_OK;
}

enum rc
jwe_open(struct span compact, const json_t *jwk, struct buf *out, struct fault *f)
{
	json_auto_t *key = NULL, *jwe = NULL;
	size_t len = 0;
	void *plain;

	if (!may_encrypt(jwk) || json_object_get(jwk, "d") == NULL)
		return FAULT(
		    f, RC_INVALID, "jwk", "no JWK of a private key on P-256, P-384 or P-521");
	if (compact.len > JWE_MAX)
		return FAULT(f, RC_INVALID, "jwe", "more than %d bytes", JWE_MAX);
	TRY(split(compact, &jwe, f));
	TRY(check_header(jwe, f));
	key = bare_key(jwk, true);
	if (key == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a key");
	plain = jose_jwe_dec(NULL, jwe, NULL, key, &len);
	if (plain == NULL)
		return FAULT(f, RC_DENIED, "jwe_key", "it was not sealed to this key");
	buf_put(out, plain, len);
	OPENSSL_cleanse(plain, len);
	free(plain);
	return buf_check(out, f);
}
