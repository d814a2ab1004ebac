#include "pkcs11/tokenlock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

enum { STEP_MS = 10 };

enum rc
tokenlock_take(const char *path, unsigned timeout_ms, int *out, struct fault *f)
{
	static const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	AUTO_FD fd = -1;

	if (path == NULL) {
		*out = -1;
		return RC_OK;
	}
	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return FAULT(f, RC_INVALID, "token_lock",
		    "%s: %s: create its directory, or correct 'lock_file'", path,
		    strerror(errno));
	for (unsigned waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited_ms += STEP_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return FAULT(
			    f, RC_INVALID, "token_lock", "%s: %s", path, strerror(errno));
		if (waited_ms >= timeout_ms)
			return FAULT(f, RC_TIMEOUT, "token_lock",
			    "%s is held by another process for %u ms", path, timeout_ms);
		nanosleep(&step, NULL);
	}
	*out = fd;
	fd = -1;
	return RC_OK;
}
