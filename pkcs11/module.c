#include "pkcs11/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "pkcs11/p11rc.h"

static enum rc
check_owner(const char *path, uid_t starter, struct fault *f)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return FAULT(f, RC_INVALID, "module", "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return FAULT(f, RC_INVALID, "module", "%s is not a regular file", path);
	if (st.st_uid != 0 && st.st_uid != starter)
		return FAULT(f, RC_INVALID, "module",
		    "%s belongs to user %u, neither root nor the starter: chown it", path,
		    (unsigned)st.st_uid);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return FAULT(
		    f, RC_INVALID, "module", "%s is writable by others: chmod go-w", path);
	return RC_OK;
}

/*
 * A folder that others may change gives them the file in it, whatever its mode;
 * in a sticky one they may not.  The group of an ordinary starter's own folder
 * is his to choose.
 */
static bool
others_may_change(const struct stat *st, uid_t starter)
{
	bool own = starter != 0 && st->st_uid == starter;
	mode_t others = S_IWOTH;

	if (st->st_gid != 0 && !own)
		others |= S_IWGRP;
	return (st->st_mode & others) != 0 && (st->st_mode & S_ISVTX) == 0;
}

static enum rc
check_folders(char *path, uid_t starter, struct fault *f)
{
	struct stat st;
	char *slash;

	while ((slash = strrchr(path, '/')) != NULL) {
		slash[slash == path ? 1 : 0] = 0;
		if (stat(path, &st) != 0)
			return FAULT(f, RC_INVALID, "module", "%s: %s", path, strerror(errno));
		if (st.st_uid != 0 && st.st_uid != starter)
			return FAULT(f, RC_INVALID, "module",
			    "folder %s belongs to user %u, neither root nor the starter", path,
			    (unsigned)st.st_uid);
		if (others_may_change(&st, starter))
			return FAULT(f, RC_INVALID, "module",
			    "folder %s is writable by others: chmod go-w", path);
		if (slash == path)
			break;
	}
	return RC_OK;
}

static enum rc
load(const char *path, struct module *out, struct fault *f)
{
	CK_RV (*get)(CK_FUNCTION_LIST **) = NULL;
	CK_FUNCTION_LIST *fn = NULL;
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	CK_RV rv;

	if (handle == NULL)
		return FAULT(f, RC_INVALID, "module",
		    "dlopen: %s: install what it needs, or correct 'module'", dlerror());
	/* POSIX dlsym: the object pointer is stored, not converted. */
	*(void **)&get = dlsym(handle, "C_GetFunctionList");
	if (get == NULL)
		return FAULT(f, RC_INVALID, "module",
		    "%s has no C_GetFunctionList: it is no PKCS#11 module, correct 'module'",
		    path);
	rv = get(&fn);
	if (rv != CKR_OK || fn == NULL || fn->version.major < 2)
		return FAULT(f, RC_INVALID, "module", "C_GetFunctionList: %s", p11rc_name(rv));
	*out = (struct module){ .fn = fn };
	return RC_OK;
}

enum rc
module_check(const char *path, uid_t starter, char **out, struct fault *f)
{
	AUTO_FREE char *real = NULL;
	AUTO_FREE char *folder = NULL;

	if (path[0] != '/')
		return FAULT(f, RC_INVALID, "module", "'%s' is not an absolute path", path);
	real = realpath(path, NULL);
	if (real == NULL)
		return FAULT(f, RC_INVALID, "module",
		    "%s: %s: install the module's package, or correct 'module'", path,
		    strerror(errno));
	folder = strdup(real);
	if (folder == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "module path");
	TRY(check_owner(real, starter, f));
	TRY(check_folders(folder, starter, f));
	*out = TAKE(real);
	return RC_OK;
}

enum rc
module_open(const char *path, uid_t starter, struct module *out, struct fault *f)
{
	AUTO_FREE char *real = NULL;

	TRY(module_check(path, starter, &real, f));
	return load(real, out, f);
}

enum rc
module_init(struct module *m, struct fault *f)
{
	/* Without arguments a library may assume a single thread. */
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	CK_RV rv = m->fn->C_Initialize(&args);

	if (rv == CKR_CANT_LOCK) {
		m->one_thread = true;
		rv = m->fn->C_Initialize(NULL);
	}
	if (rv != CKR_OK)
		return FAULT(f, RC_HSM, "module_init",
		    "C_Initialize: %s: see the module's own configuration, which 'environment' "
		    "names, and that its user can read it",
		    p11rc_name(rv));
	m->initialized = true;
	return RC_OK;
}

static void *
finalize(void *arg)
{
	const struct module *m = arg;

	m->fn->C_Finalize(NULL);
	return NULL;
}

bool
module_finalize(struct module *m, unsigned timeout_ms)
{
	struct timespec until;
	pthread_t thread;

	if (!m->initialized)
		return true;
	m->initialized = false;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (time_t)(timeout_ms / 1000);
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	if (pthread_create(&thread, NULL, finalize, m) != 0)
		return false;
	if (pthread_timedjoin_np(thread, NULL, &until) == 0)
		return true;
	pthread_detach(thread);
	return false;
}
