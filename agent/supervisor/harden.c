#include "agent/supervisor/harden.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* What a role has from its exec until it is its user: enough to read and to switch. */
static const unsigned kept[] = { CAP_SETUID, CAP_SETGID, CAP_KILL, CAP_DAC_READ_SEARCH,
	CAP_DAC_OVERRIDE, CAP_SETPCAP };

static bool
is_kept(unsigned cap)
{
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		if (kept[i] == cap)
			return true;
	}
	return false;
}

static enum rc
drop_bounding_set(struct fault *f)
{
	for (unsigned cap = 0; prctl(PR_CAPBSET_READ, (long)cap) >= 0; cap++) {
		if (is_kept(cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, (long)cap) != 0)
			return FAULT(
			    f, RC_IO, "harden", "PR_CAPBSET_DROP %u: %s", cap, strerror(errno));
	}
	return RC_OK;
}

enum rc
supervisor_harden(struct fault *f)
{
	/* Nothing that is started here ever gains by exec; the roles only lose. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0)
		return FAULT(f, RC_IO, "harden", "PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
	return geteuid() == 0 ? drop_bounding_set(f) : RC_OK;
}
