#include "agent/front/loop.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

enum { LOOP_BATCH = 128, LOOP_SLOTS = 1024, LOOP_IDLE_MS = 60000 };

struct loop {
	int epoll;
	bool stopping, hurried;
	int64_t now_ms, time_s;
	int64_t tick;			    /* the last tick whose slot was looked at */
	struct loop_timer slot[LOOP_SLOTS]; /* list heads */
	struct loop_timer due;
	struct epoll_event batch[LOOP_BATCH];
	int batched, at;
	void (*after)(void *arg);
	void *after_arg;
};

static void
read_clocks(struct loop *l)
{
	struct timespec mono, real;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &real);
	l->now_ms = (int64_t)mono.tv_sec * 1000 + mono.tv_nsec / 1000000;
	l->time_s = real.tv_sec;
}

static void
list_init(struct loop_timer *head)
{
	head->next = head->prev = head;
}

static void
list_put(struct loop_timer *head, struct loop_timer *t)
{
	t->prev = head->prev;
	t->next = head;
	head->prev->next = t;
	head->prev = t;
}

static void
list_cut(struct loop_timer *t)
{
	t->prev->next = t->next;
	t->next->prev = t->prev;
	t->next = t->prev = NULL;
}

enum rc
loop_new(struct loop **out, struct fault *f)
{
	AUTO(loop) *l = calloc(1, sizeof *l);

	if (l == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "event loop");
	for (size_t i = 0; i < LOOP_SLOTS; i++)
		list_init(&l->slot[i]);
	list_init(&l->due);
	read_clocks(l);
	l->tick = l->now_ms / LOOP_TICK_MS;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0)
		return FAULT(f, RC_IO, "epoll", "epoll_create1: %s", strerror(errno));
	*out = TAKE(l);
	return RC_OK;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	if (l->epoll >= 0)
		close(l->epoll);
	free(l);
}

enum rc
loop_add(struct loop *l, struct loop_io *io, uint32_t events, struct fault *f)
{
	struct epoll_event e = { .events = events, .data.ptr = io };

	assert(!io->added);
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, io->fd, &e) != 0)
		return FAULT(f, RC_IO, "epoll", "epoll_ctl: %s", strerror(errno));
	io->events = events;
	io->added = true;
	return RC_OK;
}

void
loop_want(struct loop *l, struct loop_io *io, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = io };

	if (!io->added || io->events == events)
		return;
	if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, io->fd, &e) == 0)
		io->events = events;
}

void
loop_remove(struct loop *l, struct loop_io *io)
{
	if (!io->added)
		return;
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, io->fd, NULL);
	io->added = false;
	for (int i = l->at; i < l->batched; i++) {
		if (l->batch[i].data.ptr == io)
			l->batch[i].data.ptr = NULL;
	}
}

void
loop_arm(struct loop *l, struct loop_timer *t, int64_t at_ms)
{
	int64_t tick = (at_ms + LOOP_TICK_MS - 1) / LOOP_TICK_MS;

	if (t->next != NULL)
		list_cut(t);
	if (tick <= l->tick)
		tick = l->tick + 1; /* in a slot that is still to come */
	t->at_ms = at_ms;
	list_put(&l->slot[tick % LOOP_SLOTS], t);
}

void
loop_disarm(struct loop *l, struct loop_timer *t)
{
	(void)l;
	if (t->next != NULL)
		list_cut(t);
}

void
loop_after(struct loop *l, void (*after)(void *arg), void *arg)
{
	l->after = after;
	l->after_arg = arg;
}

void
loop_hurry(struct loop *l)
{
	l->hurried = true;
}

int64_t
loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

int64_t
loop_time_s(const struct loop *l)
{
	return l->time_s;
}

/* Timers further away than one round of the wheel stay in their slot. */
static void
collect_slot(struct loop *l, struct loop_timer *head)
{
	struct loop_timer *next;

	for (struct loop_timer *t = head->next; t != head; t = next) {
		next = t->next;
		if (t->at_ms > l->now_ms)
			continue;
		list_cut(t);
		list_put(&l->due, t);
	}
}

static void
run_timers(struct loop *l)
{
	int64_t now = l->now_ms / LOOP_TICK_MS;

	if (now - l->tick > LOOP_SLOTS)
		l->tick = now - LOOP_SLOTS; /* every slot once is enough */
	while (l->tick < now)
		collect_slot(l, &l->slot[++l->tick % LOOP_SLOTS]);
	while (l->due.next != &l->due) {
		struct loop_timer *t = l->due.next;

		list_cut(t);
		t->fire(t->arg);
	}
}

static int
next_wait(const struct loop *l, int wait_ms)
{
	for (int i = 1; i <= LOOP_SLOTS; i++) {
		const struct loop_timer *head = &l->slot[(l->tick + i) % LOOP_SLOTS];
		int64_t ms;

		if (head->next == head)
			continue;
		ms = (l->tick + i) * LOOP_TICK_MS - l->now_ms;
		if (ms < 0)
			ms = 0;
		return ms < wait_ms ? (int)ms : wait_ms;
	}
	return wait_ms;
}

enum rc
loop_turn(struct loop *l, int wait_ms, struct fault *f)
{
	int n =
	    epoll_wait(l->epoll, l->batch, LOOP_BATCH, l->hurried ? 0 : next_wait(l, wait_ms));

	l->hurried = false;
	if (n < 0 && errno != EINTR)
		return FAULT(f, RC_IO, "epoll", "epoll_wait: %s", strerror(errno));
	read_clocks(l);
	l->batched = n < 0 ? 0 : n;
	for (l->at = 0; l->at < l->batched;) {
		const struct epoll_event *e = &l->batch[l->at++];
		const struct loop_io *io = e->data.ptr;

		if (io != NULL)
			io->ready(io->arg, e->events);
	}
	l->batched = 0;
	run_timers(l);
	if (l->after != NULL)
		l->after(l->after_arg);
	return RC_OK;
}

enum rc
loop_run(struct loop *l, struct fault *f)
{
	l->stopping = false;
	while (!l->stopping)
		TRY(loop_turn(l, LOOP_IDLE_MS, f));
	return RC_OK;
}

void
loop_stop(struct loop *l)
{
	l->stopping = true;
}
