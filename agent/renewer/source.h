/*
 * Where authority tokens come from: the authority itself, a directory, a
 * command of the operator.  One that was pushed is pushed.c's to keep and
 * step_token.c's to offer first.
 *
 * One thread.
 */
#ifndef AGENT_RENEWER_SOURCE_H
#define AGENT_RENEWER_SOURCE_H

#include "agent/renewer/authtok.h"

struct source {
	const struct io *io;
	const char *tenant, *name; /* whose: names the file */
	authtok_done *done;
	void *arg;
	io_run_wanted *wanted; /* by arg, of a command that waits; NULL: always */
};

/*
 * Ask for what is wanted, which is borrowed until done() was called; done()
 * may come from inside the call.  RC_NET token_awaited: nobody can be asked.
 */
enum rc source_ask(
    const struct source *s, const struct authtok_want *want, struct fault *f) MUST_CHECK;

/* The same with a token that is here. */
enum rc source_offer(const struct source *s, const struct authtok_want *want, struct span token,
    struct fault *f) MUST_CHECK;

#endif
