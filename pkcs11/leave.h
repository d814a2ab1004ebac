/*
 * How a token process ends: once, in order and within a bound, from whichever
 * thread finds the reason.  Waiting requests are answered FRAME_REBUILD,
 * threads inside the library are waited for, then C_Finalize, then _exit: the
 * at-exit handlers of OpenSSL and of a C++ module do not survive each other.
 */
#ifndef PKCS11_LEAVE_H
#define PKCS11_LEAVE_H

#include "pkcs11/module.h"

#include <stdint.h>

enum leave_code {
	LEAVE_ASKED = 0,
	LEAVE_CONFIG = 2,
	LEAVE_NO_TOKEN = 3,
	LEAVE_PIN = 4,
	LEAVE_REBUILD = 5,
};

enum { LEAVE_DRAIN_MS = 2000, LEAVE_FINALIZE_MS = 2000 };

/*
 * Before any other thread: ignores SIGPIPE, blocks SIGTERM and SIGINT in all of
 * them and waits for them in one.  say is told why, once, when there is a reason to tell.
 */
typedef void leave_say_fn(const struct fault *why);
enum rc leave_init(int fd, uint32_t generation, leave_say_fn *say, struct fault *f) MUST_CHECK;

/* The module to finalise, once it is loaded. */
void leave_module(struct module *m);

/* Around every stay inside the library; false when the process is leaving. */
bool leave_enter(void);
void leave_exit(void);

/* The same for what nobody has asked for and waits for, such as a look at the health. */
bool leave_enter_alone(unsigned *stay);
void leave_exit_alone(unsigned stay);

/*
 * A stay that lasts longer ends the process: a call that does not return would
 * keep the token's lock and its admin for ever.  0: none does, for somebody
 * else looks (the front, at the signatures that it asked for).  alone_ms: of
 * those alone, where the other threads go on and nobody would see it.
 */
void leave_limit(unsigned limit_ms, unsigned alone_ms);

/* Outside of enter and exit.  Does not return.  why may be NULL. */
_Noreturn void leave_now(enum leave_code code, const struct fault *why);

#endif
