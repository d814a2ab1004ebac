/*
 * One PKCS#11 library in this process: load it from a path that only root or
 * the starter can change, initialise it once, and leave it within a bound.
 * What it cannot do: unload.  Vendor libraries do not survive dlclose.
 *
 * module_open and module_finalize on the main thread, the functions from any.
 */
#ifndef PKCS11_MODULE_H
#define PKCS11_MODULE_H

#include "stir/fault.h"

#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <sys/types.h>

struct module {
	CK_FUNCTION_LIST *fn;
	bool initialized;
	bool one_thread; /* it cannot lock */
};

/*
 * Is path an absolute path to a regular file that belongs to root or to
 * starter and that nobody else can write or replace?  *real is the file behind
 * it, freed by the caller.  RC_INVALID "module" says what does not hold.
 */
enum rc module_check(const char *path, uid_t starter, char **real, struct fault *f) MUST_CHECK;

/* Check, dlopen and fetch the function list. */
enum rc module_open(
    const char *path, uid_t starter, struct module *out, struct fault *f) MUST_CHECK;

/* C_Initialize with CKF_OS_LOCKING_OK, else for one thread alone.  RC_HSM "module_init". */
enum rc module_init(struct module *m, struct fault *f) MUST_CHECK;

/*
 * C_Finalize on a thread of its own, given up after timeout_ms.  True when it
 * came back; either way the caller leaves by _exit.
 */
bool module_finalize(struct module *m, unsigned timeout_ms);

#endif
