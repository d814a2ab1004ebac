#include "stir/digest.h"

#include <openssl/evp.h>

#include "stir/ossl.h"

enum rc
digest_sha256(struct span in, uint8_t out[DIGEST_SHA256_LEN], struct fault *f)
{
	if (EVP_Q_digest(NULL, "SHA256", NULL, in.ptr, in.len, out, NULL) != 1)
		return FAULT_OPENSSL(f, RC_BUG, "internal_error", "SHA-256");
	return RC_OK;
}
