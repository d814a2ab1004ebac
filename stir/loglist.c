#include "stir/loglist.h"

#include <openssl/pem.h>

#include "stir/es256.h"

enum { LIST_RSA_MIN_BITS = 2048 };

enum rc
loglist_key(struct span pem, EVP_PKEY **out, struct fault *f)
{
	AUTO_OSSL(BIO) *bio = NULL;
	AUTO_OSSL(EVP_PKEY) *key = NULL;
	bool allowed;

	if (pem.len == 0 || pem.len > LOGLIST_KEY_MAX)
		return FAULT(f, RC_INVALID, "list_key", "%zu octets", pem.len);
	bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	if (bio == NULL)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "a key");
	key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	if (key == NULL)
		return FAULT_OPENSSL(f, RC_INVALID, "list_key", "no public key in PEM");
	allowed = EVP_PKEY_is_a(key, "RSA")
		      ? EVP_PKEY_get_bits(key) >= LIST_RSA_MIN_BITS
		      : p256_point(key, (uint8_t[P256_POINT_LEN]){ 0 }, NULL) == RC_OK;
	if (!allowed)
		return FAULT(f, RC_INVALID, "list_key", "the key is not P-256 or RSA 2048");
	*out = TAKE(key);
	return RC_OK;
}

static enum rc
verify(struct span json, struct span signature, EVP_PKEY *key, struct fault *f)
{
	AUTO_OSSL(EVP_MD_CTX) *md = EVP_MD_CTX_new();

	if (signature.len == 0 || signature.len > LOGLIST_SIGNATURE_MAX)
		return FAULT(
		    f, RC_DENIED, "list_signature", "a signature of %zu octets", signature.len);
	if (md == NULL ||
	    EVP_DigestVerifyInit_ex(md, NULL, "SHA256", NULL, NULL, key, NULL) != 1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "a signature");
	if (EVP_DigestVerify(md, signature.ptr, signature.len, json.ptr, json.len) != 1)
		return FAULT_OPENSSL(
		    f, RC_DENIED, "list_signature", "it is not signed by the configured key");
	return RC_OK;
}

static bool
has_usable(const struct ctlogs *l)
{
	for (size_t i = 0; i < ctlogs_len(l); i++) {
		if (ctlogs_at(l, i)->usable)
			return true;
	}
	return false;
}

enum rc
loglist_read(struct span json, struct span signature, EVP_PKEY *key, struct ctlogs **out,
    struct fault *f)
{
	AUTO(ctlogs) *l = NULL;

	if (json.len == 0 || json.len > LOGLIST_MAX_BYTES)
		return FAULT(f, RC_INVALID, "ctlogs", "%zu bytes", json.len);
	TRY(verify(json, signature, key, f));
	TRY(ctlogs_read(json, &l, f));
	if (ctlogs_issued_s(l) == 0)
		return FAULT(f, RC_INVALID, "list_time", "a list without log_list_timestamp");
	if (!has_usable(l))
		return FAULT(f, RC_INVALID, "list_empty", "a list without a usable log");
	*out = TAKE(l);
	return RC_OK;
}
