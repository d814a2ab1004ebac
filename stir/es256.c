#include "stir/es256.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "stir/b64.h"
#include "stir/digest.h"
#include "stir/jtext.h"

enum { P256_FIELD = 32, DER_SIG_MAX = 80, SPKI_MAX = 256 };

/* A digest fails only without memory, and a wrong identity would be worse than a stop. */
static void
insist(bool ok)
{
	if (!ok)
		__builtin_trap();
}

static void
sha256(struct span in, uint8_t out[SHA256_DIGEST_LENGTH])
{
	insist(digest_sha256(in, out, NULL) == RC_OK);
}

enum rc
p256_from_point(const uint8_t point[P256_POINT_LEN], EVP_PKEY **out, struct fault *f)
{
	AUTO_OSSL(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	char group[] = "prime256v1";
	uint8_t copy[P256_POINT_LEN];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy, sizeof copy),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;

	if (ctx == NULL)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "EVP_PKEY_CTX");
	if (point[0] != 0x04)
		return FAULT(f, RC_INVALID, "p256_point", "form 0x%02x", point[0]);
	memcpy(copy, point, sizeof copy);
	if (EVP_PKEY_fromdata_init(ctx) <= 0 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		return FAULT_OPENSSL(f, RC_INVALID, "p256_point", "not a point of P-256");
	*out = key;
	return RC_OK;
}

/* Named P-256: explicit parameters that happen to equal it are not it (RFC 5480 section 2.1.1). */
static bool
is_p256(EVP_PKEY *key)
{
	char group[32] = "";
	int explicit_params = 0;
	bool named;

	ERR_set_mark();
	named = EVP_PKEY_get_group_name(key, group, sizeof group, NULL) > 0 &&
		(strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0);
	/* A provider that does not know this parameter leaves it at zero. */
	(void)EVP_PKEY_get_int_param(
	    key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit_params);
	ERR_pop_to_mark();
	return named && explicit_params == 0;
}

static bool
coordinate(EVP_PKEY *key, const char *name, uint8_t out[P256_FIELD])
{
	BIGNUM *raw = NULL;
	bool ok = EVP_PKEY_get_bn_param(key, name, &raw) > 0;
	AUTO_OSSL(BIGNUM) *n = raw;

	return ok && BN_bn2binpad(n, out, P256_FIELD) == P256_FIELD;
}

/* The encoding follows the key's point format, which may be a compressed one. */
static bool
encoded(EVP_PKEY *key, uint8_t out[P256_POINT_LEN])
{
	size_t len = 0;

	return EVP_PKEY_get_octet_string_param(
		   key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, out, P256_POINT_LEN, &len) > 0 &&
	       len == P256_POINT_LEN && out[0] == 0x04;
}

enum rc
p256_point(EVP_PKEY *key, uint8_t point[P256_POINT_LEN], struct fault *f)
{
	uint8_t found[P256_POINT_LEN] = { 0x04 };
	bool good;

	if (key == NULL || !is_p256(key))
		return FAULT(f, RC_INVALID, "p256_curve", "the key is not on P-256");
	ERR_set_mark();
	good = (coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, found + 1) &&
		   coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, found + 1 + P256_FIELD)) ||
	       encoded(key, found);
	ERR_pop_to_mark();
	if (!good)
		return FAULT(f, RC_INVALID, "p256_curve", "the key shows no point");
	memcpy(point, found, sizeof found);
	return RC_OK;
}

void
key_id_of_point(const uint8_t point[P256_POINT_LEN], uint8_t id[KEY_ID_LEN])
{
	sha256(span_of(point, P256_POINT_LEN), id);
}

enum rc
es256_to_der(struct buf *out, const uint8_t sig[ES256_SIG_LEN], struct fault *f)
{
	AUTO_OSSL(ECDSA_SIG) *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(sig, P256_FIELD, NULL);
	BIGNUM *s = BN_bin2bn(sig + P256_FIELD, P256_FIELD, NULL);
	uint8_t *end = buf_room(out, DER_SIG_MAX);
	int len;

	if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return FAULT(f, RC_NO_MEMORY, "no_memory", "ECDSA_SIG");
	}
	TRY(buf_check(out, f));
	len = i2d_ECDSA_SIG(pair, &end);
	if (len <= 0)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "i2d_ECDSA_SIG");
	buf_grew(out, (size_t)len);
	return RC_OK;
}

/* r||s of an ECDSA-Sig-Value. */
static enum rc
raw_of_der(struct span der, uint8_t sig[ES256_SIG_LEN], struct fault *f)
{
	const uint8_t *p = der.ptr;
	AUTO_OSSL(ECDSA_SIG) *pair = d2i_ECDSA_SIG(NULL, &p, (long)der.len);

	if (pair == NULL ||
	    BN_bn2binpad(ECDSA_SIG_get0_r(pair), sig, P256_FIELD) != P256_FIELD ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(pair), sig + P256_FIELD, P256_FIELD) != P256_FIELD)
		return FAULT_OPENSSL(f, RC_HSM, "sign", "the signature is not one of P-256");
	return RC_OK;
}

enum rc
es256_verify_digest(EVP_PKEY *key, const uint8_t digest[ES256_DIGEST_LEN],
    const uint8_t sig[ES256_SIG_LEN], struct fault *f)
{
	AUTO_OSSL(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	AUTO_BUF der = BUF_INIT(DER_SIG_MAX);
	bool good;

	if (ctx == NULL)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "EVP_PKEY_CTX");
	if (!is_p256(key))
		return FAULT(f, RC_DENIED, "signature", "the key is not on P-256");
	TRY(es256_to_der(&der, sig, f));
	/* OpenSSL refuses r and s outside 1 … n-1. */
	good = EVP_PKEY_verify_init(ctx) == 1 &&
	       EVP_PKEY_verify(ctx, der.ptr, der.len, digest, ES256_DIGEST_LEN) == 1;
	ERR_clear_error();
	if (!good)
		return FAULT(f, RC_DENIED, "signature", "the signature does not verify");
	return RC_OK;
}

enum rc
es256_verify(EVP_PKEY *key, struct span message, struct span sig, struct fault *f)
{
	uint8_t digest[ES256_DIGEST_LEN];

	if (sig.len != ES256_SIG_LEN)
		return FAULT(f, RC_DENIED, "signature", "%zu bytes of signature", sig.len);
	sha256(message, digest);
	return es256_verify_digest(key, digest, sig.ptr, f);
}

enum rc
es256_sign(OSSL_LIB_CTX *libctx, EVP_PKEY *key, struct span message, uint8_t sig[ES256_SIG_LEN],
    struct fault *f)
{
	AUTO_OSSL(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	uint8_t der[DER_SIG_MAX], raw[ES256_SIG_LEN];
	size_t len = sizeof der;

	if (ctx == NULL)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "EVP_MD_CTX");
	if (!is_p256(key))
		return FAULT(f, RC_INVALID, "p256_curve", "the key is not on P-256");
	if (EVP_DigestSignInit_ex(ctx, NULL, "SHA256", libctx, NULL, key, NULL) <= 0 ||
	    EVP_DigestSign(ctx, der, &len, message.ptr, message.len) <= 0)
		return FAULT_OPENSSL(f, RC_HSM, "sign", "the key does not sign");
	TRY(raw_of_der(span_of(der, len), raw, f));
	memcpy(sig, raw, sizeof raw);
	return RC_OK;
}

/* ---- JWK ------------------------------------------------------------------ */

enum { COORDINATE_TEXT = 43 };

static void
coordinate_text(const uint8_t *bytes, char out[COORDINATE_TEXT + 1])
{
	AUTO_BUF text = BUF_INIT(COORDINATE_TEXT);
	const char *p;

	b64_encode(&text, B64_URL, span_of(bytes, P256_FIELD));
	p = buf_text(&text);
	insist(p != NULL);
	memcpy(out, p, COORDINATE_TEXT + 1);
}

json_t *
jwk_of_point(const uint8_t point[P256_POINT_LEN])
{
	char x[COORDINATE_TEXT + 1], y[COORDINATE_TEXT + 1];

	coordinate_text(point + 1, x);
	coordinate_text(point + 1 + P256_FIELD, y);
	return json_pack("{s:s, s:s, s:s, s:s}", "crv", "P-256", "kty", "EC", "x", x, "y", y);
}

static enum rc
jwk_coordinate(const json_t *jwk, const char *name, uint8_t *out, struct fault *f)
{
	AUTO_BUF bytes = BUF_INIT(JWS_MAX_BYTES);
	const json_t *text = json_object_get(jwk, name);

	if (!json_is_string(text))
		return FAULT(f, RC_INVALID, "jwk", "no '%s'", name);
	TRY(b64_decode(&bytes, B64_URL, jtext_span(text), f));
	if (bytes.len != P256_FIELD)
		return FAULT(f, RC_INVALID, "jwk", "'%s' of %zu bytes", name, bytes.len);
	memcpy(out, bytes.ptr, P256_FIELD);
	return RC_OK;
}

enum rc
jwk_point(const json_t *jwk, uint8_t point[P256_POINT_LEN], struct fault *f)
{
	uint8_t found[P256_POINT_LEN] = { 0x04 };
	EVP_PKEY *raw = NULL;

	if (!span_is(jtext_span(json_object_get(jwk, "kty")), "EC") ||
	    !span_is(jtext_span(json_object_get(jwk, "crv")), "P-256"))
		return FAULT(f, RC_INVALID, "jwk", "not an EC key on P-256");
	TRY(jwk_coordinate(jwk, "x", found + 1, f));
	TRY(jwk_coordinate(jwk, "y", found + 1 + P256_FIELD, f));
	TRY(p256_from_point(found, &raw, f));
	EVP_PKEY_free(raw);
	memcpy(point, found, sizeof found);
	return RC_OK;
}

void
jwk_thumbprint(const uint8_t point[P256_POINT_LEN], uint8_t out[32])
{
	char x[COORDINATE_TEXT + 1], y[COORDINATE_TEXT + 1];
	char text[160];
	int n;

	coordinate_text(point + 1, x);
	coordinate_text(point + 1 + P256_FIELD, y);
	/* RFC 7638 section 3: the required members in lexicographic order, no white space. */
	n = snprintf(text, sizeof text,
	    "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
	sha256(span_of(text, (size_t)n), out);
}

enum rc
spki_hash(const uint8_t point[P256_POINT_LEN], uint8_t out[32], struct fault *f)
{
	AUTO_OSSL(EVP_PKEY) *key = NULL;
	uint8_t der[SPKI_MAX], *end = der;
	int len;

	TRY(p256_from_point(point, &key, f));
	len = i2d_PUBKEY(key, NULL);
	if (len <= 0 || len > SPKI_MAX || i2d_PUBKEY(key, &end) != len)
		return FAULT_OPENSSL(f, RC_BUG, "internal_error", "i2d_PUBKEY");
	sha256(span_of(der, (size_t)len), out);
	return RC_OK;
}

void
fingerprint_text(const uint8_t hash[32], char out[FINGERPRINT_TEXT])
{
	char *p = out;

	memcpy(p, "SHA256 ", 7);
	p += 7;
	for (size_t i = 0; i < 32; i++)
		p += snprintf(p, 4, i == 0 ? "%02X" : ":%02X", hash[i]);
}

/* ---- JWS ------------------------------------------------------------------ */

/* Three parts, two dots, none of them empty but perhaps the payload. */
static enum rc
cut_parts(struct span text, struct jws_parts *p, struct fault *f)
{
	const uint8_t *dot1, *dot2;

	if (text.len == 0 || text.len > JWS_MAX_BYTES)
		return FAULT(f, RC_INVALID, "jws_syntax", "%zu bytes", text.len);
	dot1 = memchr(text.ptr, '.', text.len);
	dot2 = dot1 == NULL ? NULL
			    : memchr(dot1 + 1, '.', text.len - (size_t)(dot1 + 1 - text.ptr));
	if (dot2 == NULL)
		return FAULT(f, RC_INVALID, "jws_syntax", "not header.payload.signature");
	p->header_b64 = span_of(text.ptr, (size_t)(dot1 - text.ptr));
	p->payload_b64 = span_of(dot1 + 1, (size_t)(dot2 - dot1 - 1));
	p->signing_input = span_of(text.ptr, (size_t)(dot2 - text.ptr));
	p->signature_b64 = span_of(dot2 + 1, text.len - p->signing_input.len - 1);
	if (p->header_b64.len == 0 || p->signature_b64.len == 0)
		return FAULT(f, RC_INVALID, "jws_syntax", "header or signature is empty");
	return RC_OK;
}

static enum rc
decode_parts(struct jws_parts *p, struct fault *f)
{
	AUTO_BUF header = BUF_INIT(JWS_MAX_BYTES), sig = BUF_INIT(JWS_MAX_BYTES);

	TRY(b64_decode(&sig, B64_URL, p->signature_b64, f));
	if (sig.len != ES256_SIG_LEN)
		return FAULT(f, RC_INVALID, "jws_syntax", "%zu bytes of signature", sig.len);
	memcpy(p->sig, sig.ptr, ES256_SIG_LEN);
	TRY(b64_decode(&header, B64_URL, p->header_b64, f));
	TRY(b64_decode(&p->payload, B64_URL, p->payload_b64, f));
	TRY(jtext_read(buf_view(&header), &p->header, f));
	if (!json_is_object(p->header))
		return FAULT(f, RC_INVALID, "jws_syntax", "the header is no JSON object");
	return RC_OK;
}

enum rc
jws_split(struct span text, struct jws_parts *out, struct fault *f)
{
	struct jws_parts p = { .payload = BUF_INIT(JWS_MAX_BYTES) };
	enum rc rc;

	TRY(cut_parts(text, &p, f));
	rc = decode_parts(&p, f);
	if (rc != RC_OK) {
		jws_done(&p);
		return rc;
	}
	*out = p;
	return RC_OK;
}

void
jws_done(struct jws_parts *p)
{
	json_decref(p->header);
	p->header = NULL;
	buf_free(&p->payload);
}

static json_t *
json_of_part(const struct buf *b, size_t from, size_t len)
{
	return json_stringn_nocheck((const char *)b->ptr + from, len);
}

enum rc
jws_flattened(const json_t *protected_header, struct span payload, OSSL_LIB_CTX *libctx,
    EVP_PKEY *key, json_t **out, struct fault *f)
{
	AUTO_BUF header = BUF_INIT(JWS_MAX_BYTES), input = BUF_INIT(2 * JWS_MAX_BYTES);
	AUTO_BUF sig_text = BUF_INIT(2 * ES256_SIG_LEN);
	uint8_t sig[ES256_SIG_LEN] = { 0 };
	size_t dot;
	json_t *jws;

	TRY(jtext_write(&header, protected_header, f));
	b64_encode(&input, B64_URL, buf_view(&header));
	dot = input.len;
	buf_byte(&input, '.');
	b64_encode(&input, B64_URL, payload);
	TRY(buf_check(&input, f));
	TRY(es256_sign(libctx, key, buf_view(&input), sig, f));
	b64_encode(&sig_text, B64_URL, span_of(sig, sizeof sig));
	TRY(buf_check(&sig_text, f));
	jws = json_pack("{s:o, s:o, s:o}", "protected", json_of_part(&input, 0, dot), "payload",
	    json_of_part(&input, dot + 1, input.len - dot - 1), "signature",
	    json_of_part(&sig_text, 0, sig_text.len));
	if (jws == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "JWS");
	*out = jws;
	return RC_OK;
}
