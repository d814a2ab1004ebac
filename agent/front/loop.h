/*
 * The event loop: epoll, timers in a hashed wheel, one coarse clock per turn.
 *
 * One thread, no locks, no allocation after loop_new(): sources and timers are
 * embedded in their owners.  A callback may remove or disarm any other source
 * or timer, also one that was about to be called in this turn.
 */
#ifndef AGENT_FRONT_LOOP_H
#define AGENT_FRONT_LOOP_H

#include "stir/fault.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

struct loop_io { /* zeroed, then loop_add() */
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT as now wanted */
	void (*ready)(void *arg, uint32_t events);
	void *arg;
	bool added;
};

struct loop_timer { /* zeroed with fire and arg set, then loop_arm() */
	int64_t at_ms;
	void (*fire)(void *arg);
	void *arg;
	struct loop_timer *next, *prev; /* next NULL: not armed */
};

enum rc loop_new(struct loop **out, struct fault *f) MUST_CHECK;
void loop_free(struct loop *l);
DEFINE_FREEP(loop);

enum rc loop_add(
    struct loop *l, struct loop_io *io, uint32_t events, struct fault *f) MUST_CHECK;
/* Change what is wanted; nothing is done where that is the same already. */
void loop_want(struct loop *l, struct loop_io *io, uint32_t events);
/* Forget the source; its descriptor stays open.  Nothing happens when it was not added. */
void loop_remove(struct loop *l, struct loop_io *io);

/* Fire once at or up to LOOP_TICK_MS after at_ms of loop_now_ms(); arming again moves it. */
enum { LOOP_TICK_MS = 8 };
void loop_arm(struct loop *l, struct loop_timer *t, int64_t at_ms);
void loop_disarm(struct loop *l, struct loop_timer *t);

/* Called once at the end of every turn; NULL: nothing. */
void loop_after(struct loop *l, void (*after)(void *arg), void *arg);

/* There is work left for the next turn: it does not wait. */
void loop_hurry(struct loop *l);

/* The time of this turn: monotonic, and Unix time. */
int64_t loop_now_ms(const struct loop *l);
int64_t loop_time_s(const struct loop *l);

/* One turn of at most wait_ms; loop_run() turns until loop_stop(). */
enum rc loop_turn(struct loop *l, int wait_ms, struct fault *f) MUST_CHECK;
enum rc loop_run(struct loop *l, struct fault *f) MUST_CHECK;
void loop_stop(struct loop *l);

#endif
