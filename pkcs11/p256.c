#include "pkcs11/p256.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "stir/ossl.h"

enum { UNCOMPRESSED = 0x04, DER_OCTETS = 0x04 };

enum rc
p256_key_id(const uint8_t point[P256_POINT], uint8_t id[P256_ID], struct fault *f)
{
	unsigned len = P256_ID;

	if (EVP_Digest(point, P256_POINT, id, &len, EVP_sha256(), NULL) != 1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "p256_id", "SHA-256");
	return RC_OK;
}

enum rc
p256_from_attribute(struct span value, uint8_t point[P256_POINT], struct fault *f)
{
	/* PKCS#11 v2.40 section 2.3.3: CKA_EC_POINT is the DER of an OCTET STRING. */
	if (value.len == P256_POINT + 2 && value.ptr[0] == DER_OCTETS &&
	    value.ptr[1] == P256_POINT)
		span_cut(&value, 2);
	if (value.len != P256_POINT || value.ptr[0] != UNCOMPRESSED)
		return FAULT(f, RC_INVALID, "p256_point", "%zu bytes of point", value.len);
	memcpy(point, value.ptr, P256_POINT);
	return RC_OK;
}

enum rc
p256_public(const uint8_t point[P256_POINT], EVP_PKEY **out, struct fault *f)
{
	AUTO_OSSL(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;
	char group[] = "P-256";
	uint8_t copy[P256_POINT];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy, sizeof copy),
		OSSL_PARAM_construct_end(),
	};

	memcpy(copy, point, sizeof copy);
	if (copy[0] != UNCOMPRESSED)
		return FAULT(f, RC_INVALID, "p256_point", "not an uncompressed point");
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "p256_point", "EVP_PKEY_fromdata_init");
	if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return FAULT_OPENSSL(f, RC_INVALID, "p256_point", "not on the curve");
	*out = key;
	return RC_OK;
}

enum rc
p256_sig_to_der(
    const uint8_t sig[P256_SIG], uint8_t der[P256_DER_SIG], size_t *len, struct fault *f)
{
	AUTO_OSSL(ECDSA_SIG) *s = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(sig, P256_SIG / 2, NULL);
	BIGNUM *v = BN_bin2bn(sig + P256_SIG / 2, P256_SIG / 2, NULL);
	uint8_t *end = der;
	int n;

	if (s == NULL || r == NULL || v == NULL || ECDSA_SIG_set0(s, r, v) != 1) {
		BN_free(r);
		BN_free(v);
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "ECDSA_SIG");
	}
	n = i2d_ECDSA_SIG(s, NULL);
	if (n <= 0 || n > P256_DER_SIG || i2d_ECDSA_SIG(s, &end) != n)
		return FAULT_OPENSSL(f, RC_BUG, "signature_der", "i2d_ECDSA_SIG");
	*len = (size_t)n;
	return RC_OK;
}

enum rc
p256_verify(const uint8_t point[P256_POINT], const uint8_t digest[P256_DIGEST],
    const uint8_t sig[P256_SIG], struct fault *f)
{
	AUTO_OSSL(EVP_PKEY) *key = NULL;
	AUTO_OSSL(EVP_PKEY_CTX) *ctx = NULL;
	uint8_t der[P256_DER_SIG];
	size_t len = 0;

	TRY(p256_public(point, &key, f));
	TRY(p256_sig_to_der(sig, der, &len, f));
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "signature", "EVP_PKEY_verify_init");
	if (EVP_PKEY_verify(ctx, der, len, digest, P256_DIGEST) != 1)
		return FAULT_OPENSSL(f, RC_DENIED, "signature", "does not verify");
	return RC_OK;
}
