/*
 * Commands of the configuration, which the supervisor runs for the renewer:
 * one socket pair each, its far end the command's standard input and output.
 * What is written to it is closed behind the last byte; what it writes is
 * taken when it has ended.  Who finds no place waits in a line, first come
 * first served.
 *
 * One thread.
 */
#ifndef AGENT_RENEWER_RUNNER_H
#define AGENT_RENEWER_RUNNER_H

#include <curl/curl.h>

#include "agent/renewer/io.h"

enum {
	RUNNER_MAX = 8,		  /* at once */
	RUNNER_LINE = 88,	  /* in the line; with those at most a half of RENEW_STEPS */
	RUNNER_WAIT_MS = 300000,  /* in it: then whoever it is comes again, at its end */
	RUNNER_TOTAL_MS = 125000, /* the supervisor ends it before */
	RUNNER_EXIT_REFUSED = 77, /* EX_NOPERM: asking again is no use */
	RUNNER_OUTPUT_MAX = HTTP_BODY_MAX,
};

struct runner;

/* control: the socket to the supervisor, borrowed. */
enum rc runner_new(int control, struct runner **out, struct fault *f) MUST_CHECK;

/* Everything that runs is answered with RC_CONFLICT "stopping". */
void runner_free(struct runner *r);
DEFINE_FREEP(runner);

/*
 * struct io's run().  RC_BUSY "command_busy" when the line is full; done() gets
 * the same from RUNNER_WAIT_MS in it, or once it is not wanted, and nothing was
 * run then.
 */
enum rc runner_start(struct runner *r, enum hook_kind kind, const char *name, struct span input,
    int64_t now_ms, io_run_wanted *wanted, io_run_done *done, void *arg,
    struct fault *f) MUST_CHECK;

/* What to wait for; returns how many of the places were taken. */
unsigned runner_fds(const struct runner *r, struct curl_waitfd fds[RUNNER_MAX]);

/* The supervisor says that one has ended. */
void runner_ended(struct runner *r, const struct control *c);

/* Write, read, finish; when something was waited for or at least once a second. */
void runner_turn(struct runner *r, int64_t now_ms);

#endif
