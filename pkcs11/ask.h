/*
 * A PIN from a person: asked for at the terminal, without echo.  Main thread
 * only, one at a time.
 */
#ifndef PKCS11_ASK_H
#define PKCS11_ASK_H

#include "pkcs11/pin.h"

/*
 * "PIN of the user: ", and with again a second time for a new one, which must
 * be the same.  RC_INVALID "pin_source" when there is no terminal, the two
 * differ, nothing was typed, or a signal came, which is then raised again.
 */
enum rc ask_pin(const char *what, bool again, struct pin *out, struct fault *f) MUST_CHECK;

#endif
