#include "pkcs11/leave.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pkcs11/options.h"
#include "pkcs11/wire.h"

enum { LOOK_MS = 500, MAX_ALONE = OPTIONS_MAX_THREADS };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t empty;
	unsigned inside;
	int64_t since_ms; /* somebody is inside, without a pause */
	unsigned limit_ms, alone_limit_ms;
	int64_t alone_ms[MAX_ALONE]; /* since when; 0: free */
	bool leaving;
	int fd;
	uint32_t generation;
	struct module *module;
	leave_say_fn *say;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER, .empty = PTHREAD_COND_INITIALIZER, .fd = -1 };

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool
too_long(int64_t now, int64_t since_ms, unsigned limit_ms)
{
	return limit_ms > 0 && now - since_ms >= (int64_t)limit_ms;
}

static bool
hangs(void)
{
	int64_t now = now_ms();
	bool yes;

	pthread_mutex_lock(&state.lock);
	yes = state.inside > 0 && too_long(now, state.since_ms, state.limit_ms);
	for (size_t i = 0; i < MAX_ALONE; i++)
		yes |= state.alone_ms[i] != 0 &&
		       too_long(now, state.alone_ms[i], state.alone_limit_ms);
	pthread_mutex_unlock(&state.lock);
	return yes;
}

static void *
watch(void *arg)
{
	static const struct timespec look = { .tv_nsec = LOOK_MS * 1000000L };
	const sigset_t *set = arg;
	struct fault f = { .rc = RC_OK };

	while (sigtimedwait(set, NULL, &look) < 0) {
		if (!hangs())
			continue;
		(void)FAULT(&f, RC_TIMEOUT, "hang", "a call of the module does not return");
		leave_now(LEAVE_REBUILD, &f);
	}
	leave_now(LEAVE_ASKED, NULL);
}

enum rc
leave_init(int fd, uint32_t generation, leave_say_fn *say, struct fault *f)
{
	static sigset_t set;
	pthread_t thread;

	state.fd = fd;
	state.generation = generation;
	state.say = say;
	/* A module may write to a device that has gone, and is to say so itself. */
	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 ||
	    pthread_create(&thread, NULL, watch, &set) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "watching thread");
	pthread_detach(thread);
	return RC_OK;
}

void
leave_module(struct module *m)
{
	pthread_mutex_lock(&state.lock);
	state.module = m;
	pthread_mutex_unlock(&state.lock);
}

void
leave_limit(unsigned limit_ms, unsigned alone_ms)
{
	pthread_mutex_lock(&state.lock);
	state.limit_ms = limit_ms;
	state.alone_limit_ms = alone_ms;
	pthread_mutex_unlock(&state.lock);
}

bool
leave_enter(void)
{
	bool in;

	pthread_mutex_lock(&state.lock);
	in = !state.leaving;
	if (in && state.inside++ == 0)
		state.since_ms = now_ms();
	pthread_mutex_unlock(&state.lock);
	return in;
}

void
leave_exit(void)
{
	pthread_mutex_lock(&state.lock);
	if (--state.inside == 0)
		pthread_cond_broadcast(&state.empty);
	pthread_mutex_unlock(&state.lock);
}

bool
leave_enter_alone(unsigned *stay)
{
	unsigned i = 0;

	if (!leave_enter())
		return false;
	pthread_mutex_lock(&state.lock);
	while (i < MAX_ALONE - 1 && state.alone_ms[i] != 0)
		i++;
	state.alone_ms[i] = now_ms();
	pthread_mutex_unlock(&state.lock);
	*stay = i;
	return true;
}

void
leave_exit_alone(unsigned stay)
{
	pthread_mutex_lock(&state.lock);
	state.alone_ms[stay] = 0;
	pthread_mutex_unlock(&state.lock);
	leave_exit();
}

/* True for the one thread that does the leaving. */
static bool
first(void)
{
	bool mine;

	pthread_mutex_lock(&state.lock);
	mine = !state.leaving;
	state.leaving = true;
	pthread_mutex_unlock(&state.lock);
	return mine;
}

/*
 * What still waits in the socket is answered, so that the front tries another
 * process at once; closing it unread would also cost answers on their way.
 */
static void
turn_away(void)
{
	struct frame frame;

	if (state.fd < 0)
		return;
	(void)shutdown(state.fd, SHUT_RD);
	while (wire_recv(state.fd, MSG_DONTWAIT, state.generation, &frame) >= WIRE_BAD) {
		frame.code = FRAME_REBUILD;
		if (!wire_send(state.fd, &frame, MSG_DONTWAIT))
			return;
	}
}

static bool
drained(void)
{
	struct timespec until;
	bool empty;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LEAVE_DRAIN_MS / 1000;
	pthread_mutex_lock(&state.lock);
	while (state.inside > 0) {
		if (pthread_cond_timedwait(&state.empty, &state.lock, &until) == ETIMEDOUT)
			break;
	}
	empty = state.inside == 0;
	pthread_mutex_unlock(&state.lock);
	return empty;
}

_Noreturn void
leave_now(enum leave_code code, const struct fault *why)
{
	if (!first()) {
		for (;;)
			pause();
	}
	if (why != NULL && state.say != NULL)
		state.say(why);
	turn_away();
	/* C_Finalize under another thread's call is undefined: a hung one forgoes it. */
	if (drained() && state.module != NULL)
		(void)module_finalize(state.module, LEAVE_FINALIZE_MS);
	_exit(code);
}
