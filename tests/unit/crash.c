#include "tests/unit/crash.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static enum crash_kind armed;
static unsigned crash_at, calls;

void
crash_arm(enum crash_kind kind, unsigned at)
{
	armed = kind;
	crash_at = at;
	calls = 0;
}

unsigned
crash_calls(void)
{
	return calls;
}

static bool
hit(void)
{
	if (armed == CRASH_NONE || ++calls < crash_at ||
	    (calls > crash_at && armed != CRASH_DISK))
		return false;
	if (armed == CRASH_EXIT)
		_exit(CRASH_STATUS);
	errno = EIO;
	return true;
}

/* Before the call and, with a number of its own, after it: a rename may have happened. */
#define WRAP(ret, name, params, args) \
	ret __real_##name params; \
	ret __wrap_##name params; \
	ret __wrap_##name params \
	{ \
		ret r; \
\
		if (hit()) \
			return -1; \
		r = __real_##name args; \
		return hit() ? -1 : r; \
	} \
	struct crash_calls

WRAP(int, renameat, (int a, const char *b, int c, const char *d), (a, b, c, d));
WRAP(int, fsync, (int fd), (fd));
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode));
WRAP(int, unlinkat, (int dir, const char *name, int flags), (dir, name, flags));
