#include "agent/front/harden.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* The leak checker of a sanitizer build traces its own process. */
#ifdef VESPER_SANITIZED
static const long dumpable = 1;
#else
static const long dumpable = 0;
#endif

enum rc
harden(struct fault *f)
{
	struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return FAULT(f, RC_IO, "harden", "PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return FAULT(f, RC_IO, "harden", "RLIMIT_CORE: %s", strerror(errno));
	if (prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0) != 0)
		return FAULT(f, RC_IO, "harden", "PR_SET_DUMPABLE: %s", strerror(errno));
	return RC_OK;
}
