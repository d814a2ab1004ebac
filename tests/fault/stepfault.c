/*
 * Preloaded into a role by a test: ends the process at chosen points of what it
 * writes, lets the disk below a path fail, and moves its clocks.  Never
 * installed; without STEPFAULT in the environment it changes nothing.
 *
 * A point is a call that changes files, by what it does and to which file,
 * with keys and serials left out and the "state" of a record in it.  The
 * audit's files make no points: they grow by themselves.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "stir/attr.h"
#include "tests/fault/stepfault.h"

enum { FDS = 1024, PATH_LEN = 512, LABEL = 24, LONG_HEX = 12 };

/* What a descriptor was opened as, and what was done with it last. */
struct place {
	char path[PATH_LEN];
	char label[LABEL]; /* the state in what was written last */
	char last[PATH_LEN];
	bool writes;
};

static struct step_control *control;
static struct place place[FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ISO C has no way from one kind of pointer to the other. */
static void
find(const char *name, void *out)
{
	void *at = dlsym(RTLD_NEXT, name);

	memcpy(out, &at, sizeof at);
}

/* Each is found when it is first called: libraries call before our constructor. */
#define REAL(name) \
	static __typeof__(&name) real; \
	if (real == NULL) \
	find(#name, &real)

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("STEPFAULT");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		control = map;
	unsetenv("LD_PRELOAD");
	unsetenv("STEPFAULT");
}

/* ---- paths ----------------------------------------------------------------------- */

static void
resolve(char out[PATH_LEN], int dir, const char *name)
{
	const char *above = dir >= 0 && dir < FDS ? place[dir].path : "";
	size_t len = strlen(above);

	if (name[0] != '/' && len > 0)
		snprintf(out, PATH_LEN, "%.250s%s%.250s", above,
		    above[len - 1] == '/' ? "" : "/", name);
	else
		snprintf(out, PATH_LEN, "%.500s", name);
}

static bool
is_audit(const char *path)
{
	return strstr(path, "/audit/") != NULL || strstr(path, "/audit-") != NULL;
}

/* Below the state's directory, or the last two parts; long hex is one letter. */
static void
name_of(const char *path, char *out, size_t cap)
{
	const char *at = strstr(path, "/state/");
	size_t n = 0;

	at = at != NULL ? at + 7 : strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	while (*at != 0 && n + 1 < cap) {
		size_t hex = strspn(at, "0123456789abcdef");

		if (hex >= LONG_HEX) {
			out[n++] = '#';
			at += hex;
			continue;
		}
		out[n++] = *at++;
	}
	out[n] = 0;
}

/* ---- points ------------------------------------------------------------------------ */

static bool
take(const char *text)
{
	uint32_t len = control->len;

	for (uint32_t i = 0; i < len; i++) {
		if (strcmp(control->step[i].text, text) == 0)
			return control->step[i].hits++ == 0 && control->mode == STEP_ONE;
	}
	if (control->mode == STEP_ONE || len == STEP_MAX)
		return false;
	memcpy(control->step[len].text, text, strlen(text) + 1);
	control->step[len].hits = 1;
	control->len = len + 1;
	return control->mode == STEP_EACH;
}

static void
point(bool fine, const char *what, const char *path, const char *label)
{
	char name[96], text[STEP_TEXT];
	bool kills;

	if (control == NULL || control->mode == STEP_OFF || (fine && control->fine == 0) ||
	    is_audit(path) || path[0] == 0)
		return;
	name_of(path, name, sizeof name);
	snprintf(
	    text, sizeof text, "%s %.90s%s%.16s", what, name, label[0] != 0 ? " " : "", label);
	pthread_mutex_lock(&lock);
	kills = take(text);
	if (kills) {
		control->kills++;
		kill(getpid(), SIGKILL);
		pause();
	}
	pthread_mutex_unlock(&lock);
}

/* ---- the disk ------------------------------------------------------------------------ */

/* May this call on the path fail by the error that is set?  A full disk lets names go. */
static bool
refused(const char *path, bool grows)
{
	int error = control != NULL ? control->error : 0;

	if (error == 0 || control->where[0] == 0 || strstr(path, control->where) == NULL)
		return false;
	if (error == ENOSPC && !grows)
		return false;
	control->refused++;
	errno = error;
	return true;
}

static void
opened(int fd, const char *path, int flags)
{
	if (fd < 0 || fd >= FDS)
		return;
	memcpy(place[fd].path, path, strlen(path) + 1);
	place[fd].label[0] = place[fd].last[0] = 0;
	place[fd].writes = (flags & O_ACCMODE) != O_RDONLY;
}

static int
open_any(int dir, const char *name, int flags, mode_t mode)
{
	REAL(openat);
	bool writes = (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_ACCMODE) != O_RDONLY;
	char path[PATH_LEN];
	int fd;

	resolve(path, dir, name);
	if (writes && refused(path, (flags & O_CREAT) != 0))
		return -1;
	if ((flags & O_CREAT) != 0)
		point(false, "before create", path, "");
	fd = real(dir, name, flags, mode);
	opened(fd, path, flags);
	if (fd >= 0 && (flags & O_CREAT) != 0)
		point(true, "after create", path, "");
	return fd;
}

static mode_t
mode_of(int flags, va_list ap)
{
	return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
}

int
open(const char *name, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_any(AT_FDCWD, name, flags, mode);
}

int
openat(int dir, const char *name, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_any(dir, name, flags, mode);
}

/* What the fortified headers call where the flags are not known to the compiler. */
int __openat_2(int dir, const char *name, int flags);
int __open_2(const char *name, int flags);

int
__openat_2(int dir, const char *name, int flags)
{
	return open_any(dir, name, flags, 0);
}

int
__open_2(const char *name, int flags)
{
	return open_any(AT_FDCWD, name, flags, 0);
}

static struct place *
place_of(int fd)
{
	static struct place none;

	return fd >= 0 && fd < FDS ? &place[fd] : &none;
}

/* The state that a record of ours is in. */
static void
note_label(struct place *p, const char *text, size_t len)
{
	static const char member[] = "\"state\": \"";
	const char *at = memmem(text, len, member, sizeof member - 1);
	size_t n = 0;

	if (at == NULL)
		return;
	for (at += sizeof member - 1; at < text + len && *at != '"' && n + 1 < LABEL; at++)
		p->label[n++] = *at;
	p->label[n] = 0;
}

ssize_t
write(int fd, const void *data, size_t len)
{
	REAL(write);
	struct place *p = place_of(fd);
	ssize_t n;

	if (!p->writes)
		return real(fd, data, len);
	if (refused(p->path, true))
		return -1;
	note_label(p, data, len);
	n = real(fd, data, len);
	point(true, "after write", p->path, p->label);
	return n;
}

int
fsync(int fd)
{
	REAL(fsync);
	struct place *p = place_of(fd);
	int rc;

	if (refused(p->path, false))
		return -1;
	rc = real(fd);
	if (p->last[0] != 0)
		point(false, "kept", p->last, p->label);
	else
		point(true, "after sync", p->path, p->label);
	p->last[0] = 0;
	return rc;
}

int
fdatasync(int fd)
{
	REAL(fdatasync);

	return refused(place_of(fd)->path, false) ? -1 : real(fd);
}

int
ftruncate(int fd, off_t len)
{
	REAL(ftruncate);

	return refused(place_of(fd)->path, false) ? -1 : real(fd, len);
}

/* The label of what was written under the old name goes with it. */
static const char *
label_of(const char *path)
{
	for (size_t i = 0; i < FDS; i++) {
		if (place[i].writes && strcmp(place[i].path, path) == 0)
			return place[i].label;
	}
	return "";
}

int
renameat(int from, const char *old, int to, const char *new)
{
	REAL(renameat);
	char path[PATH_LEN], target[PATH_LEN], label[LABEL];
	struct place *p = place_of(to);
	int rc;

	resolve(path, from, old);
	resolve(target, to, new);
	snprintf(label, sizeof label, "%s", label_of(path));
	if (refused(target, false))
		return -1;
	rc = real(from, old, to, new);
	if (rc != 0)
		return rc;
	if (to >= 0) {
		memcpy(p->last, target, sizeof target);
		memcpy(p->label, label, sizeof label);
	}
	point(to >= 0, "renamed", target, label);
	return rc;
}

int
rename(const char *old, const char *new)
{
	return renameat(AT_FDCWD, old, AT_FDCWD, new);
}

int
unlinkat(int dir, const char *name, int flags)
{
	REAL(unlinkat);
	char path[PATH_LEN];
	int rc;

	resolve(path, dir, name);
	if (refused(path, false))
		return -1;
	rc = real(dir, name, flags);
	if (rc == 0)
		point(false, "removed", path, "");
	return rc;
}

int
unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

int
mkdirat(int dir, const char *name, mode_t mode)
{
	REAL(mkdirat);
	char path[PATH_LEN];
	int rc;

	resolve(path, dir, name);
	if (refused(path, true))
		return -1;
	rc = real(dir, name, mode);
	if (rc == 0)
		point(true, "made", path, "");
	return rc;
}

int
mkdir(const char *name, mode_t mode)
{
	return mkdirat(AT_FDCWD, name, mode);
}

/* ---- the clocks ------------------------------------------------------------------------ */

static void
move(struct timespec *ts, int64_t ns)
{
	int64_t all = (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec + ns;

	ts->tv_sec = (time_t)(all / 1000000000);
	ts->tv_nsec = (long)(all % 1000000000);
}

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	REAL(clock_gettime);
	int rc = real(clock, ts);

	if (rc != 0 || control == NULL)
		return rc;
	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		move(ts, control->wall_ns);
	if (clock == CLOCK_BOOTTIME)
		move(ts, control->uptime_ns);
	return rc;
}

time_t
time(time_t *out)
{
	struct timespec ts = { .tv_sec = 0 };

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (out != NULL)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts = { .tv_sec = 0 };

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
