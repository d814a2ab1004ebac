#include "pkcs11/session.h"

#include <string.h>

CK_RV
session_open(struct session *s, struct login *login)
{
	*s = (struct session){ .login = login, .handle = CK_INVALID_HANDLE };
	return login_session(login, &s->handle);
}

void
session_close(struct session *s)
{
	if (s->handle == CK_INVALID_HANDLE)
		return;
	login_session_close(s->login, s->handle);
	s->handle = CK_INVALID_HANDLE;
}

static CK_RV
sign(struct session *s, CK_OBJECT_HANDLE key, const uint8_t digest[P256_DIGEST],
    uint8_t sig[P256_SIG], atomic_uint_fast64_t *calls)
{
	CK_MECHANISM mechanism = { .mechanism = CKM_ECDSA };
	/* Larger than a signature: a token that answers with DER must not be cut to fit. */
	uint8_t in[P256_DIGEST], out[2 * P256_SIG];
	CK_ULONG len = sizeof out;
	CK_RV rv = s->login->fn->C_SignInit(s->handle, &mechanism, key);

	if (rv != CKR_OK)
		return rv;
	memcpy(in, digest, sizeof in);
	atomic_fetch_add_explicit(calls, 1, memory_order_relaxed);
	rv = s->login->fn->C_Sign(s->handle, in, sizeof in, out, &len);
	if (rv != CKR_OK)
		return rv;
	if (len != P256_SIG)
		return CKR_SIGNATURE_LEN_RANGE;
	memcpy(sig, out, P256_SIG);
	return CKR_OK;
}

CK_RV
session_sign(struct session *s, CK_OBJECT_HANDLE key, const uint8_t digest[P256_DIGEST],
    uint8_t sig[P256_SIG], atomic_uint_fast64_t *calls)
{
	CK_RV rv = CKR_OK;

	if (s->handle == CK_INVALID_HANDLE)
		rv = login_session(s->login, &s->handle);
	if (rv == CKR_OK)
		rv = sign(s, key, digest, sig, calls);
	if (rv != CKR_OK)
		session_close(s);
	return rv;
}
