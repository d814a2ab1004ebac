/*
 * One token as the supervisor sees it: whether its processes may be started,
 * and whether there is an outage to tell of.  While starts fail, one signer at
 * a time tries, after growing pauses; the others and the admin follow when it
 * has come up.  Decides, does nothing: no clock, no process.
 */
#ifndef AGENT_SUPERVISOR_BREAKER_H
#define AGENT_SUPERVISOR_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum {
	BREAKER_FIRST_MS = 100,
	BREAKER_QUIET_FROM = 2,	  /* failures in a row after which a try says no more why … */
	BREAKER_QUIET_EVERY = 64, /* … but so often */
};

struct breaker {
	unsigned max_ms;   /* the longest pause */
	unsigned failures; /* starts in a row that did not come up; 0: it is closed */
	int64_t next_ms;   /* while it is open: no start before */
	int64_t down_ms;   /* when the outage began, 0: there is none */
	unsigned ends;	   /* of processes in it */
};

/* The pause after so many failures in a row: none, then doubling from BREAKER_FIRST_MS. */
int64_t breaker_pause_ms(unsigned failures, unsigned max_ms);

/* A process ended though nobody asked.  True: with it an outage begins. */
bool breaker_ended(struct breaker *b, int64_t now_ms);

/* It was a signer that had not come up. */
void breaker_start_failed(struct breaker *b, int64_t now_ms);

/* A signer has come up. */
void breaker_came_up(struct breaker *b);

/* When may a signer, or else the admin, be started that itself is due at due_ms?  -1: not now. */
int64_t breaker_due_ms(
    const struct breaker *b, bool signer, bool another_starts, int64_t due_ms);

/* All processes are steady: how long the outage was, -1 when there is none. */
int64_t breaker_over_ms(struct breaker *b, int64_t now_ms);

/* Does the next try say why it fails? */
bool breaker_quiet(const struct breaker *b);

#endif
