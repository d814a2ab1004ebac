#include "pkcs11/isolate.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* The leak checker of a sanitizer build traces its own process. */
#ifdef VESPER_SANITIZED
enum { DUMPABLE = 1 };
#else
enum { DUMPABLE = 0 };
#endif

static enum rc
done(int result, const char *what, struct fault *f)
{
	if (result == 0)
		return RC_OK;
	return FAULT(f, RC_IO, "isolate", "%s: %s", what, strerror(errno));
}

static enum rc
no_way_back(uid_t uid, gid_t gid, struct fault *f)
{
	uid_t u[3];
	gid_t g[3];

	TRY(done(getresuid(&u[0], &u[1], &u[2]), "getresuid", f));
	TRY(done(getresgid(&g[0], &g[1], &g[2]), "getresgid", f));
	for (size_t i = 0; i < ARRAY_LEN(u); i++) {
		if (u[i] != uid || g[i] != gid)
			return FAULT(
			    f, RC_IO, "isolate", "user %u only in part", (unsigned)uid);
	}
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || setegid(0) == 0)
		return FAULT(f, RC_IO, "isolate", "user %u can return to root", (unsigned)uid);
	return RC_OK;
}

static enum rc
switch_user(const char *name, struct fault *f)
{
	char space[4096];
	struct passwd pw, *found = NULL;
	int err = getpwnam_r(name, &pw, space, sizeof space, &found);

	if (found == NULL)
		return FAULT(f, RC_INVALID, "user", "user '%s': %s", name,
		    err != 0 ? strerror(err) : "no such user");
	if (pw.pw_uid == 0 || pw.pw_gid == 0)
		return FAULT(f, RC_INVALID, "user", "a token process is never root");
	/* Its own groups stay: a token's files may belong to one of them. */
	TRY(done(initgroups(name, pw.pw_gid), "initgroups", f));
	TRY(done(setresgid(pw.pw_gid, pw.pw_gid, pw.pw_gid), "setresgid", f));
	TRY(done(setresuid(pw.pw_uid, pw.pw_uid, pw.pw_uid), "setresuid", f));
	return no_way_back(pw.pw_uid, pw.pw_gid, f);
}

enum rc
isolate_limits(struct fault *f)
{
	static const struct rlimit no_core = { .rlim_cur = 0, .rlim_max = 0 };

	TRY(done(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS", f));
	TRY(done(setrlimit(RLIMIT_CORE, &no_core), "RLIMIT_CORE", f));
	return done(prctl(PR_SET_DUMPABLE, DUMPABLE, 0, 0, 0), "PR_SET_DUMPABLE", f);
}

enum rc
isolate_become(const char *name, struct fault *f)
{
	pid_t parent = getppid();

	if (name != NULL)
		TRY(switch_user(name, f));
	/* Now and not before: a change of the user clears both signal and flag. */
	TRY(done(prctl(PR_SET_PDEATHSIG, SIGKILL), "PR_SET_PDEATHSIG", f));
	if (getppid() != parent)
		return FAULT(f, RC_IO, "isolate", "the supervisor is gone");
	return isolate_limits(f);
}

enum rc
isolate_harden(struct fault *f)
{
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return FAULT(f, RC_IO, "isolate", "new privileges are possible");
	/* A vendor library may have turned it on for its own crash reports. */
	return done(prctl(PR_SET_DUMPABLE, DUMPABLE, 0, 0, 0), "PR_SET_DUMPABLE", f);
}
