/*
 * What a token process gives up: the user that started it, the way back, new
 * privileges, core dumps, being traced, and outliving its supervisor.
 * Main thread, before any other.
 */
#ifndef PKCS11_ISOLATE_H
#define PKCS11_ISOLATE_H

#include "stir/fault.h"

/*
 * Become name for good (NULL: stay who we are), before anything else is done.
 * RC_INVALID "user" for an unknown name or root, RC_IO "isolate".
 */
enum rc isolate_become(const char *name, struct fault *f) MUST_CHECK;

/* The part of it for a program that an operator runs: no core, not traced, no new privileges. */
enum rc isolate_limits(struct fault *f) MUST_CHECK;

/*
 * After start-up, when library, token and sessions are open: checks that what
 * was given up stays given up.  The filters of system calls and paths belong
 * here, for only from here on is it known what the library still needs.
 */
enum rc isolate_harden(struct fault *f) MUST_CHECK;

#endif
