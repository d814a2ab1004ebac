/*
 * The signer: threads that each own a session and take frames from the shared
 * descriptor themselves.  It signs 32-byte digests with keys that it was told
 * to learn, and nothing else.
 */
#ifndef PKCS11_SIGNER_H
#define PKCS11_SIGNER_H

#include "pkcs11/hsm.h"

/* Open the sessions, say HELLO and serve; returns only when it could not begin. */
enum rc signer_run(struct hsm *h, struct fault *f) MUST_CHECK;

#endif
