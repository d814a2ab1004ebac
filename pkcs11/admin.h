/*
 * The token admin: the one process that changes the token.  One thread:
 * generate, list, destroy, and signatures for CSRs and ACME.
 */
#ifndef PKCS11_ADMIN_H
#define PKCS11_ADMIN_H

#include "pkcs11/hsm.h"

/* Open the session, say HELLO and serve; returns only when it could not begin. */
enum rc admin_run(struct hsm *h, struct fault *f) MUST_CHECK;

#endif
