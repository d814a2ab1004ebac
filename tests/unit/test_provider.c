/* The provider with a signer in software: what OpenSSL makes of such a key. */
#include "pkcs11/provider.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

#include "pkcs11/p256.h"
#include "stir/ossl.h"
#include "tests/unit/cm.h"

/* The token: a key in software, signing what it is asked to. */
struct fake {
	EVP_PKEY *key;
	uint8_t point[P256_POINT], id[P256_ID];
	unsigned calls;
	bool broken;
	struct token_provider *provider;
	EVP_PKEY *token_key;
};

static enum rc
fake_sign(void *arg, const uint8_t key_id[32], const uint8_t digest[32], uint8_t sig[64],
    struct fault *f)
{
	struct fake *t = arg;
	AUTO_OSSL(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, t->key, NULL);
	AUTO_OSSL(ECDSA_SIG) *pair = NULL;
	uint8_t der[P256_DER_SIG];
	const uint8_t *p = der;
	size_t len = sizeof der;

	t->calls++;
	assert_memory_equal(key_id, t->id, sizeof t->id);
	if (t->broken)
		return REFUSE(f, RC_HSM, HSM_UNAVAILABLE, NULL, "it is unplugged");
	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_int_equal(EVP_PKEY_sign(ctx, der, &len, digest, P256_DIGEST), 1);
	pair = d2i_ECDSA_SIG(NULL, &p, (long)len);
	assert_non_null(pair);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), sig, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), sig + 32, 32), 32);
	return RC_OK;
}

static int
setup(void **state)
{
	struct fake *t = calloc(1, sizeof *t);
	size_t len = 0;

	assert_non_null(t);
	t->key = EVP_EC_gen("P-256");
	assert_non_null(t->key);
	assert_int_equal(EVP_PKEY_get_octet_string_param(
			     t->key, OSSL_PKEY_PARAM_PUB_KEY, t->point, sizeof t->point, &len),
	    1);
	assert_int_equal(len, P256_POINT);
	assert_int_equal(p256_key_id(t->point, t->id, NULL), RC_OK);
	assert_int_equal(token_provider_new(fake_sign, t, &t->provider, NULL), RC_OK);
	assert_int_equal(token_provider_key(t->provider, t->point, &t->token_key, NULL), RC_OK);
	*state = t;
	return 0;
}

static int
teardown(void **state)
{
	struct fake *t = *state;

	EVP_PKEY_free(t->token_key);
	token_provider_free(t->provider);
	EVP_PKEY_free(t->key);
	free(t);
	return 0;
}

static const uint8_t message[] = "what is to be signed";

static int
verifies(EVP_PKEY *key, const uint8_t *sig, size_t len)
{
	AUTO_OSSL(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();

	assert_int_equal(
	    EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL), 1);
	return EVP_DigestVerify(ctx, sig, len, message, sizeof message) == 1;
}

static void
one_shot(void **state)
{
	struct fake *t = *state;
	AUTO_OSSL(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	OSSL_LIB_CTX *libctx = token_provider_libctx(t->provider);
	uint8_t sig[80];
	size_t len = 0;

	assert_int_equal(
	    EVP_DigestSignInit_ex(ctx, NULL, "SHA256", libctx, NULL, t->token_key, NULL), 1);
	assert_int_equal(EVP_DigestSign(ctx, NULL, &len, message, sizeof message), 1);
	assert_int_equal(len, P256_DER_SIG);
	assert_int_equal(t->calls, 0); /* a question for the length signs nothing */
	len = sizeof sig;
	assert_int_equal(EVP_DigestSign(ctx, sig, &len, message, sizeof message), 1);
	assert_int_equal(t->calls, 1);
	assert_true(verifies(t->key, sig, len));
	sig[len - 1] ^= 1;
	assert_false(verifies(t->key, sig, len));
}

static void
in_pieces(void **state)
{
	struct fake *t = *state;
	AUTO_OSSL(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	AUTO_OSSL(EVP_MD_CTX) *copy = EVP_MD_CTX_new();
	uint8_t sig[80];
	size_t len = sizeof sig;

	assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, NULL,
			     token_provider_libctx(t->provider), NULL, t->token_key, NULL),
	    1);
	assert_int_equal(EVP_DigestSignUpdate(ctx, message, 5), 1);
	assert_int_equal(EVP_MD_CTX_copy_ex(copy, ctx), 1);
	assert_int_equal(EVP_DigestSignUpdate(copy, message + 5, sizeof message - 5), 1);
	assert_int_equal(EVP_DigestSignFinal(copy, sig, &len), 1);
	assert_true(verifies(t->key, sig, len));
}

static void
over_a_digest(void **state)
{
	struct fake *t = *state;
	AUTO_OSSL(EVP_PKEY_CTX) *ctx =
	    EVP_PKEY_CTX_new_from_pkey(token_provider_libctx(t->provider), t->token_key, NULL);
	uint8_t digest[P256_DIGEST + 1] = { 0 }, sig[80];
	unsigned n = 0;
	size_t len = sizeof sig;

	assert_int_equal(
	    EVP_Digest(message, sizeof message, digest, &n, EVP_sha256(), NULL), 1);
	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_int_equal(EVP_PKEY_sign(ctx, sig, &len, digest, P256_DIGEST), 1);
	assert_true(verifies(t->key, sig, len));
	len = sizeof sig;
	assert_true(EVP_PKEY_sign(ctx, sig, &len, digest, P256_DIGEST - 1) <= 0);
	assert_true(EVP_PKEY_sign(ctx, sig, &len, digest, P256_DIGEST + 1) <= 0);
	len = P256_DER_SIG - 1;
	assert_true(EVP_PKEY_sign(ctx, sig, &len, digest, P256_DIGEST) <= 0);
	assert_int_equal(t->calls, 1);
}

static void
a_request(void **state)
{
	struct fake *t = *state;
	OSSL_LIB_CTX *libctx = token_provider_libctx(t->provider);
	AUTO_OSSL(X509_REQ) *req = X509_REQ_new_ex(libctx, NULL);
	AUTO_OSSL(X509_REQ) *back = NULL;
	AUTO_OSSL(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	unsigned char *der = NULL;
	const unsigned char *p;
	int len;

	assert_int_equal(X509_REQ_set_version(req, X509_REQ_VERSION_1), 1);
	assert_int_equal(X509_REQ_set_pubkey(req, t->token_key), 1);
	assert_int_equal(
	    EVP_DigestSignInit_ex(ctx, NULL, "SHA256", libctx, NULL, t->token_key, NULL), 1);
	assert_true(X509_REQ_sign_ctx(req, ctx) > 0);
	assert_int_equal(t->calls, 1);
	len = i2d_X509_REQ(req, &der);
	assert_true(len > 0);
	p = der;
	back = d2i_X509_REQ(NULL, &p, len);
	OPENSSL_free(der);
	assert_non_null(back);
	assert_int_equal(X509_REQ_get_signature_nid(back), NID_ecdsa_with_SHA256);
	assert_int_equal(X509_REQ_verify(back, X509_REQ_get0_pubkey(back)), 1);
	assert_int_equal(EVP_PKEY_eq(X509_REQ_get0_pubkey(back), t->key), 1);
}

static void
a_request_in_one_call(void **state)
{
	struct fake *t = *state;
	AUTO_OSSL(X509_REQ) *req = X509_REQ_new_ex(token_provider_libctx(t->provider), NULL);

	assert_int_equal(X509_REQ_set_pubkey(req, t->token_key), 1);
	assert_true(X509_REQ_sign(req, t->token_key, EVP_sha256()) > 0);
	assert_int_equal(X509_REQ_verify(req, t->key), 1);
	assert_true(X509_REQ_sign(req, t->token_key, EVP_sha384()) <= 0);
	assert_int_equal(t->calls, 1);
}

static void
what_it_says_of_itself(void **state)
{
	struct fake *t = *state;
	AUTO_OSSL(EVP_PKEY) *copy = EVP_PKEY_dup(t->token_key);
	unsigned char *der = NULL, *other = NULL;
	char group[32] = "";
	int nid = 0, len;

	assert_int_equal(EVP_PKEY_get_bits(t->token_key), 256);
	assert_int_equal(EVP_PKEY_get_security_bits(t->token_key), 128);
	assert_int_equal(EVP_PKEY_get_size(t->token_key), P256_DER_SIG);
	assert_true(EVP_PKEY_is_a(t->token_key, "EC"));
	assert_true(EVP_PKEY_get_default_digest_nid(t->token_key, &nid) > 0);
	assert_int_equal(nid, NID_sha256);
	assert_int_equal(EVP_PKEY_get_group_name(t->token_key, group, sizeof group, NULL), 1);
	assert_string_equal(group, "P-256");
	assert_int_equal(EVP_PKEY_eq(t->token_key, t->key), 1);
	assert_non_null(copy);
	assert_int_equal(EVP_PKEY_eq(copy, t->token_key), 1);
	len = i2d_PUBKEY(t->token_key, &der);
	assert_true(len > 0);
	assert_int_equal(i2d_PUBKEY(t->key, &other), len);
	assert_memory_equal(der, other, (size_t)len);
	OPENSSL_free(der);
	OPENSSL_free(other);
}

static void
nothing_private_comes_out(void **state)
{
	struct fake *t = *state;
	OSSL_PARAM *params = NULL;
	BIGNUM *n = NULL;
	unsigned char *der = NULL;

	assert_int_equal(EVP_PKEY_todata(t->token_key, EVP_PKEY_PUBLIC_KEY, &params), 1);
	assert_null(OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_PRIV_KEY));
	OSSL_PARAM_free(params);
	assert_true(EVP_PKEY_todata(t->token_key, EVP_PKEY_KEYPAIR, &params) <= 0);
	assert_true(EVP_PKEY_get_bn_param(t->token_key, OSSL_PKEY_PARAM_PRIV_KEY, &n) <= 0);
	assert_true(i2d_PrivateKey(t->token_key, &der) <= 0);
}

static void
other_digests_are_refused(void **state)
{
	static const char *const names[] = { "SHA1", "SHA224", "SHA384", "SHA512", "SHA3-256" };
	struct fake *t = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		AUTO_OSSL(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();

		assert_true(
		    EVP_DigestSignInit_ex(ctx, NULL, names[i],
			token_provider_libctx(t->provider), NULL, t->token_key, NULL) <= 0);
	}
	assert_int_equal(t->calls, 0);
}

static void
bad_points_are_refused(void **state)
{
	struct fake *t = *state;
	uint8_t point[P256_POINT];
	EVP_PKEY *key = NULL;
	struct fault f = { 0 };

	for (size_t i = 0; i < P256_POINT; i++) {
		memcpy(point, t->point, sizeof point);
		point[i] ^= 1;
		memset(&f, 0, sizeof f);
		/* Another point of the curve is met by one flip in 2^255 tries. */
		assert_int_equal(token_provider_key(t->provider, point, &key, &f), RC_INVALID);
		assert_string_equal(f.reason, "p256_point");
		assert_null(key);
	}
}

/* What the token said must reach whoever asked for the signature. */
static void
a_broken_token(void **state)
{
	struct fake *t = *state;
	AUTO_OSSL(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	struct fault f = { 0 };
	uint8_t sig[80];
	size_t len = sizeof sig;

	t->broken = true;
	ERR_clear_error();
	assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, "SHA256",
			     token_provider_libctx(t->provider), NULL, t->token_key, NULL),
	    1);
	assert_true(EVP_DigestSign(ctx, sig, &len, message, sizeof message) <= 0);
	(void)FAULT_OPENSSL(&f, RC_HSM, "sign", "the key does not sign");
	assert_non_null(strstr(f.detail, "the key does not sign"));
	t->broken = false;
	len = sizeof sig;
	assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, "SHA256",
			     token_provider_libctx(t->provider), NULL, t->token_key, NULL),
	    1);
	assert_int_equal(EVP_DigestSign(ctx, sig, &len, message, sizeof message), 1);
	assert_true(verifies(t->key, sig, len));
}

static void
two_providers_keep_apart(void **state)
{
	struct fake *t = *state;
	void *other = NULL;
	struct fake *u;
	AUTO_OSSL(X509_REQ) *req = X509_REQ_new();

	setup(&other);
	u = other;
	assert_int_equal(X509_REQ_set_pubkey(req, u->token_key), 1);
	assert_true(X509_REQ_sign(req, u->token_key, EVP_sha256()) > 0);
	assert_int_equal(X509_REQ_verify(req, u->key), 1);
	assert_int_equal(u->calls, 1);
	assert_int_equal(t->calls, 0);
	teardown(&other);
}

int
main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		ROW(one_shot),
		ROW(in_pieces),
		ROW(over_a_digest),
		ROW(a_request),
		ROW(a_request_in_one_call),
		ROW(what_it_says_of_itself),
		ROW(nothing_private_comes_out),
		ROW(other_digests_are_refused),
		ROW(bad_points_are_refused),
		ROW(a_broken_token),
		ROW(two_providers_keep_apart),
	};
#undef ROW

	return cmocka_run_group_tests(tests, NULL, NULL);
}
