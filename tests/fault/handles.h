/*
 * The private keys of the real module as the faults need them: which handles
 * there are, what a handle means after a reshuffle, and which key a session
 * is about to sign with.  Any thread.
 */
#ifndef TESTS_FAULT_HANDLES_H
#define TESTS_FAULT_HANDLES_H

#include <p11-kit/pkcs11.h>
#include <stdbool.h>

enum { HANDLES_ID_TEXT = 65 };

void handles_add(CK_OBJECT_HANDLE real); /* a private key was found */
void handles_reshuffle(void);
CK_OBJECT_HANDLE handles_real(CK_OBJECT_HANDLE seen);
CK_OBJECT_HANDLE handles_seen(CK_OBJECT_HANDLE real);
/* Another private key than this one; itself when there is none. */
CK_OBJECT_HANDLE handles_other(CK_OBJECT_HANDLE real);
CK_ULONG handles_count(void);

/* The id, in hex, of the key that C_SignInit named in this session. */
void handles_signing(CK_SESSION_HANDLE session, const char *id);
void handles_signs(CK_SESSION_HANDLE session, char out[HANDLES_ID_TEXT]);

#endif
