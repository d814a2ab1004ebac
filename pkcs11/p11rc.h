/*
 * What a CK_RV means to us: its name for people and its class, one for each
 * reaction.  CK_RV itself travels no further than the stats and the log.
 * Pure; any thread.
 */
#ifndef PKCS11_P11RC_H
#define PKCS11_P11RC_H

#include <p11-kit/pkcs11.h>

enum p11_class {
	P11_OK,
	P11_REBUILD, /* sessions, login or device are lost: only a new process helps */
	P11_BUSY,    /* throttled or short of sessions: back off, the canary decides */
	P11_PIN,     /* the PIN or the login: stop until an operator acts */
	P11_KEY,     /* this key only, if the canary is well */
	P11_FULL,    /* no room for another object */
	P11_FATAL, /* the token cannot or will not: our request or its configuration is wrong */
};

enum p11_class p11rc_class(CK_RV rv);

/* "CKR_DEVICE_ERROR"; "CKR_VENDOR_DEFINED" and "CKR_UNKNOWN" for what has no name here. */
const char *p11rc_name(CK_RV rv);

#endif
