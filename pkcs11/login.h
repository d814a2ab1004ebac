/*
 * Logged in to one token: the slot found by label and serial, one idle session
 * that keeps the login, and the sessions of the threads.  There is no logout
 * and no second login: a lost login is a new process.
 *
 * login_start on the main thread; sessions from any.
 */
#ifndef PKCS11_LOGIN_H
#define PKCS11_LOGIN_H

#include "pkcs11/module.h"
#include "pkcs11/pin.h"

#include <stdatomic.h>

struct login {
	struct module *module;
	CK_FUNCTION_LIST *fn;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE idle; /* for searches under the key map's lock, else unused */
	bool read_write;
	atomic_uint sessions;
	char label[33], serial[17], manufacturer[33];
};

struct login_options {
	const char *label, *serial;	  /* NULL: any; all that are there must match */
	const char *manufacturer, *model; /* likewise */
	const char *pin;		  /* reference */
	const struct pin *given;	  /* instead of it: read already */
	bool by_hand;			  /* it was typed: the last try is the operator's */
	const char *state_dir;
	bool read_write;
};

/*
 * Find the token and log in once; the caller holds the token lock and has
 * initialised the module.
 *
 * RC_NOT_FOUND "token_not_found"; RC_INVALID "token_ambiguous", "pin_source",
 * "state"; RC_DENIED "pin_refused", "pin_locked", "pin_final_try",
 * "pin_missing"; RC_HSM "login".
 */
enum rc login_start(struct login *l, struct module *m, const struct login_options *o,
    struct fault *f) MUST_CHECK;

/* A session of its own for one thread.  The CK_RV goes to *rv when that is not NULL. */
CK_RV login_session(struct login *l, CK_SESSION_HANDLE *out);
void login_session_close(struct login *l, CK_SESSION_HANDLE session);

#endif
