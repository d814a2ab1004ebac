/*
 * The lock file of a token, held around C_Initialize and C_Login and around
 * every change of the token: SoftHSM 2.6 shows an empty token to a process
 * that initialises while another one logs in.
 */
#ifndef PKCS11_TOKENLOCK_H
#define PKCS11_TOKENLOCK_H

#include "stir/fault.h"

enum { TOKENLOCK_WAIT_MS = 60000 };

/*
 * Take it, waiting up to timeout_ms; close the descriptor (AUTO_FD) to let it
 * go.  A NULL path needs no lock: *fd is -1.  RC_TIMEOUT "token_lock" when
 * another process keeps it, RC_INVALID "token_lock" when it cannot be opened.
 */
enum rc tokenlock_take(
    const char *path, unsigned timeout_ms, int *fd, struct fault *f) MUST_CHECK;

#endif
