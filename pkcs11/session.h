/*
 * One session of one thread and the signature made with it.  After any error
 * between C_SignInit and C_Sign the session is closed, since an operation may
 * still be active in it; the next use opens another.
 */
#ifndef PKCS11_SESSION_H
#define PKCS11_SESSION_H

#include "pkcs11/login.h"
#include "pkcs11/p256.h"

struct session {
	struct login *login;
	CK_SESSION_HANDLE handle; /* CK_INVALID_HANDLE: to be opened */
	uint64_t checked_ns;	  /* when the canary was last asked */
	bool check;		  /* a signature failed: the canary decides about the process */
};

CK_RV session_open(struct session *s, struct login *login);
void session_close(struct session *s);

/*
 * CKM_ECDSA over 32 bytes: exactly 64 bytes of r||s or an error, with
 * CKR_SIGNATURE_LEN_RANGE for any other length.  *calls counts C_Sign.
 */
CK_RV session_sign(struct session *s, CK_OBJECT_HANDLE key, const uint8_t digest[P256_DIGEST],
    uint8_t sig[P256_SIG], atomic_uint_fast64_t *calls);

#endif
