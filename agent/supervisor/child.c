#include "agent/supervisor/child.h"

#include <assert.h>
#include <sys/wait.h>

#include "agent/supervisor/breaker.h"

const char *
child_role_name(enum role_kind role)
{
	static const char *const names[ROLE__COUNT] = { "front", "signer", "admin", "renewer" };

	assert(role < ROLE__COUNT);
	return names[role];
}

void
child_started(struct child *c, pid_t pid, int64_t now_ms)
{
	if (c->started_ms != 0)
		c->restarts++;
	c->pid = pid;
	c->started_ms = now_ms;
	c->kill_ms = 0;
	c->stale = false;
	c->up = false;
	c->announce = true;
}

void
child_came_up(struct child *c)
{
	c->failures = 0;
	c->up = true;
}

static int64_t
backoff_ms(const struct child *c)
{
	return breaker_pause_ms(c->failures, c->max_ms != 0 ? c->max_ms : CHILD_BACKOFF_MAX_MS);
}

void
child_ended(struct child *c, int status, int64_t now_ms)
{
	c->pid = 0;
	c->kill_ms = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_EXIT_PIN &&
	    (c->role == ROLE_SIGNER || c->role == ROLE_ADMIN)) {
		c->held = true;
		return;
	}
	if (c->stale) {
		c->next_ms = now_ms;
		return;
	}
	if (now_ms - c->started_ms >= CHILD_STEADY_MS)
		c->failures = 0;
	c->next_ms = now_ms + backoff_ms(c);
	c->failures++;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_EXIT_USAGE)
		c->next_ms = now_ms + CHILD_BAD_START_MS;
}

void
child_not_started(struct child *c, int64_t now_ms)
{
	c->failures++;
	c->next_ms = now_ms + backoff_ms(c);
}

bool
child_due(const struct child *c, bool front_runs, int64_t now_ms)
{
	if (c->pid != 0 || c->held || now_ms < c->next_ms)
		return false;
	return c->role == ROLE_FRONT || front_runs;
}

void
child_orphaned(struct child *c, int64_t now_ms)
{
	if (c->pid == 0 || c->stale)
		return;
	c->stale = true;
	c->kill_ms = now_ms + CHILD_LEAVE_MS;
}

void
child_release(struct child *c, int64_t now_ms)
{
	c->held = false;
	c->failures = 0;
	c->next_ms = now_ms;
}
