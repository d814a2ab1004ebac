#include "agent/supervisor/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/supervisor/spawn.h"

enum { PATH_LEN = 4096, STALE_TRIES = 100, STALE_PAUSE_MS = 10 };

#define LOCK_NAME "vesperd.lock"

static enum rc
failed(struct fault *f, const char *path, const char *what)
{
	return FAULT(f, RC_IO, "start", "%s: %s: %s", path, what, strerror(errno));
}

/* The directory above is missing, or not ours to write in. */
static enum rc
not_made(struct fault *f, const char *path, const char *what)
{
	return FAULT(f, RC_IO, "start",
	    "%s: %s: %s; create the directory it stands in, or correct the configuration", path,
	    what, strerror(errno));
}

/* ---- users ------------------------------------------------------------------ */

static bool
find_user(const char *name, uid_t *uid, gid_t *gid, char *missing, size_t size)
{
	const struct passwd *pw = getpwnam(name);
	size_t used = strlen(missing);

	if (pw == NULL) {
		snprintf(missing + used, size - used, " %s", name);
		return false;
	}
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return true;
}

static enum rc
check_distinct(const struct place_users *u, struct fault *f)
{
	if (u->front_uid == 0 || u->hsm_uid == 0 || u->net_uid == 0)
		return FAULT(f, RC_DENIED, "start", "a role's user must not be root");
	if (u->front_uid == u->hsm_uid || u->front_uid == u->net_uid ||
	    u->hsm_uid == u->net_uid)
		return FAULT(f, RC_DENIED, "start", "two roles' users have the same number");
	return RC_OK;
}

enum rc
place_users(const struct config *c, bool as_root, struct place_users *out, struct fault *f)
{
	struct place_users u = { getuid(), getuid(), getuid(), getgid(), getgid(), getgid() };
	char missing[128] = "";
	bool all;

	if (as_root) {
		all = find_user(
		    c->front_user, &u.front_uid, &u.front_gid, missing, sizeof missing);
		all &= find_user(c->hsm_user, &u.hsm_uid, &u.hsm_gid, missing, sizeof missing);
		all &= find_user(c->net_user, &u.net_uid, &u.net_gid, missing, sizeof missing);
		if (!all)
			return FAULT(f, RC_NOT_FOUND, "start",
			    "no such user:%s; for each run: adduser --system --group "
			    "--no-create-home "
			    "NAME",
			    missing);
		TRY(check_distinct(&u, f));
	}
	*out = u;
	return RC_OK;
}

/* ---- directories --------------------------------------------------------------- */

struct owned {
	mode_t mode;
	uid_t uid;
	gid_t gid;
	bool ours; /* the name is ours: its mode is made right */
};

static bool
is_empty(int dir)
{
	AUTO_FD copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	size_t n = 0;

	if (d == NULL)
		return false;
	copy = -1;
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n <= 2; /* . and .. */
}

/* Never take over what others put there: audit_dir = "/var/log" is an error, not a chown. */
static enum rc
take_dir(int fd, const char *path, const struct stat *st, struct owned want, bool as_root,
    struct fault *f)
{
	if (st->st_uid == want.uid)
		return RC_OK;
	if (!as_root)
		return FAULT(f, RC_DENIED, "start",
		    "%s belongs to user %u: start as that user, or choose another directory",
		    path, (unsigned)st->st_uid);
	if (!is_empty(fd))
		return FAULT(f, RC_DENIED, "start",
		    "%s belongs to user %u and is not empty: chown -R it to user %u, or choose "
		    "another directory",
		    path, (unsigned)st->st_uid, (unsigned)want.uid);
	return fchown(fd, want.uid, want.gid) == 0 ? RC_OK : failed(f, path, "chown");
}

static enum rc
check_dir_mode(
    int fd, const char *path, const struct stat *st, struct owned want, struct fault *f)
{
	mode_t mode = st->st_mode & 07777, pass = want.mode & 0111;

	if (want.ours)
		return fchmod(fd, want.mode) == 0 ? RC_OK : failed(f, path, "chmod");
	if ((mode & 022) != 0)
		return FAULT(f, RC_DENIED, "start",
		    "%s can be written by others: run chmod go-w %s", path, path);
	if ((mode & pass) != pass && fchmod(fd, mode | pass) != 0)
		return failed(f, path, "chmod");
	return RC_OK;
}

/* Through a descriptor, so that what is checked is what is changed. */
static enum rc
make_dir(const char *path, struct owned want, bool as_root, struct fault *f)
{
	AUTO_FD fd = -1;
	struct stat st;

	if (mkdir(path, 0700) == 0)
		want.ours = true;
	else if (errno != EEXIST)
		return not_made(f, path, "mkdir");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOTDIR)
		return FAULT(f, RC_IO, "start",
		    "%s is not a directory: remove it, or choose another directory", path);
	if (fd < 0)
		return failed(f, path, "open");
	if (fstat(fd, &st) != 0)
		return failed(f, path, "stat");
	TRY(take_dir(fd, path, &st, want, as_root, f));
	return check_dir_mode(fd, path, &st, want, f);
}

static enum rc
make_below(const char *dir, const char *name, struct owned want, bool as_root, struct fault *f)
{
	char path[PATH_LEN];
	int n = snprintf(path, sizeof path, "%s/%s", dir, name);

	if (n < 0 || n >= PATH_LEN)
		return FAULT(f, RC_INVALID, "start", "%s: path too long", dir);
	return make_dir(path, want, as_root, f);
}

/* Made for the token processes, which may not create files where the operator put it. */
static enum rc
make_lock_file(const char *path, const struct place_users *u, bool as_root, struct fault *f)
{
	AUTO_FD fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno == EEXIST ? RC_OK : not_made(f, path, "lock file");
	if (as_root && fchown(fd, u->hsm_uid, u->hsm_gid) != 0)
		return failed(f, path, "chown");
	return RC_OK;
}

enum rc
place_directories(
    const struct config *c, const struct place_users *u, bool as_root, struct fault *f)
{
	/* As root three users pass through it to a directory of their own; nobody lists it. */
	struct owned top = { as_root ? 0711 : 0700, geteuid(), getegid(), false };
	struct owned front = { 0700, u->front_uid, u->front_gid, true };
	struct owned renewer = { 0700, u->net_uid, u->net_gid, true };
	struct owned hsm = { 0700, u->hsm_uid, u->hsm_gid, true };
	struct owned audit = { 0750, u->front_uid, u->front_gid, false };

	TRY(make_dir(c->state_dir, top, as_root, f));
	TRY(make_below(c->state_dir, "front", front, as_root, f));
	TRY(make_below(c->state_dir, "renewer", renewer, as_root, f));
	TRY(make_below(c->state_dir, "hsm", hsm, as_root, f));
	TRY(make_dir(c->audit_dir, audit, as_root, f));
	for (size_t i = 0; i < c->tokens; i++)
		TRY(make_lock_file(c->token[i].lock_file, u, as_root, f));
	return RC_OK;
}

/* ---- the lock ---------------------------------------------------------------- */

static long
holder(int fd)
{
	char text[24] = "";
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	return n > 0 ? strtol(text, NULL, 10) : 0;
}

enum rc
place_lock(const struct config *c, int *out, struct fault *f)
{
	char path[PATH_LEN], text[24];
	AUTO_FD fd = -1;
	int n = snprintf(path, sizeof path, "%s/%s", c->state_dir, LOCK_NAME);

	if (n < 0 || n >= PATH_LEN)
		return FAULT(f, RC_INVALID, "start", "%s: path too long", c->state_dir);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return failed(f, path, "open");
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK)
			return failed(f, path, "lock");
		return FAULT(f, RC_CONFLICT, "start",
		    "%s is in use by another vesperd (pid %ld): stop it, or give this one a "
		    "state_dir "
		    "of its own",
		    c->state_dir, holder(fd));
	}
	n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return failed(f, path, "write");
	TRY(spawn_high_fd(&fd, f)); /* the same open file: the lock stays */
	*out = fd;
	fd = -1;
	return RC_OK;
}

/* ---- sockets ----------------------------------------------------------------- */

struct socket_want {
	const char *path;
	mode_t mode;
	uid_t uid; /* -1: unchanged */
	gid_t gid; /* -1: unchanged */
};

/* In a directory that all may write without the sticky bit, anyone could put theirs instead. */
static enum rc
check_parent(const char *path, struct fault *f)
{
	char dir[PATH_LEN];
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (slash == NULL)
		snprintf(dir, sizeof dir, ".");
	else
		snprintf(
		    dir, sizeof dir, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	if (stat(dir, &st) != 0)
		return FAULT(f, RC_IO, "start",
		    "%s: %s; the socket's directory must exist: run "
		    "install -d -m 0755 %s",
		    dir, strerror(errno), dir);
	if (!S_ISDIR(st.st_mode))
		return FAULT(f, RC_IO, "start", "%s is not a directory", dir);
	if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0)
		return FAULT(f, RC_DENIED, "start",
		    "%s can be written by everyone: run chmod o-w %s", dir, dir);
	return RC_OK;
}

static struct sockaddr_un
address_of(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof a.sun_path, "%s",
	    path); /* length checked by the configuration */
	return a;
}

/* Does anybody answer on the socket at path? */
static enum rc
is_answered(const char *path, bool *answered, struct fault *f)
{
	struct sockaddr_un a = address_of(path);
	AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return failed(f, path, "socket");
	*answered = connect(fd, (const struct sockaddr *)&a, sizeof a) == 0 || errno == EAGAIN;
	if (!*answered && errno != ECONNREFUSED)
		return failed(f, path, "connect");
	return RC_OK;
}

/*
 * Only a socket that nobody answers on is removed: never a file, never a
 * living server's.  The front of a vesperd that was killed dies with it, but
 * an instant later: its socket is given that long.
 */
static enum rc
remove_stale(const char *path, struct fault *f)
{
	const struct timespec pause = { .tv_nsec = STALE_PAUSE_MS * 1000000L };
	bool answered = true;
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? RC_OK : failed(f, path, "stat");
	if (!S_ISSOCK(st.st_mode))
		return FAULT(
		    f, RC_CONFLICT, "start", "%s exists and is not a socket: remove it", path);
	for (int i = 0; answered && i < STALE_TRIES; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		TRY(is_answered(path, &answered, f));
	}
	if (answered)
		return FAULT(f, RC_CONFLICT, "start",
		    "another process answers on %s: stop it, or choose another path", path);
	if (unlink(path) != 0)
		return failed(f, path, "unlink");
	return RC_OK;
}

static enum rc
set_access(const struct socket_want *w, struct fault *f)
{
	if ((w->uid != (uid_t)-1 && w->uid != geteuid()) || w->gid != (gid_t)-1) {
		if (lchown(w->path, w->uid, w->gid) != 0)
			return FAULT(f, RC_DENIED, "start",
			    "%s: cannot give it to user %ld, group %ld: %s; start as root",
			    w->path, w->uid == (uid_t)-1 ? -1L : (long)w->uid,
			    w->gid == (gid_t)-1 ? -1L : (long)w->gid, strerror(errno));
	}
	if (chmod(w->path, w->mode) != 0)
		return failed(f, w->path, "chmod");
	return RC_OK;
}

static enum rc
open_socket(const struct socket_want *w, int *out, struct fault *f)
{
	struct sockaddr_un a = address_of(w->path);
	AUTO_FD fd = -1;
	mode_t mask;
	int rc;

	TRY(check_parent(w->path, f));
	TRY(remove_stale(w->path, f));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return failed(f, w->path, "socket");
	mask = umask(0177); /* nobody gets in before owner and mode are right */
	rc = bind(fd, (const struct sockaddr *)&a, sizeof a);
	(void)umask(mask);
	if (rc != 0)
		return failed(f, w->path, "bind");
	TRY(set_access(w, f));
	if (listen(fd, PLACE_BACKLOG) != 0)
		return failed(f, w->path, "listen");
	TRY(spawn_high_fd(&fd, f));
	*out = fd;
	fd = -1;
	return RC_OK;
}

static enum rc
open_listen(const struct config_listen *l, int *out, struct fault *f)
{
	struct socket_want w = { l->path, l->mode, (uid_t)-1, (gid_t)-1 };
	const struct group *gr;

	if (l->group != NULL) {
		gr = getgrnam(l->group);
		w.gid = gr != NULL ? gr->gr_gid : (gid_t)strtoul(l->group, NULL, 10);
	}
	return open_socket(&w, out, f);
}

static enum rc
open_admin(const struct config *c, int *out, struct fault *f)
{
	struct socket_want w = { c->admin_path, c->admin_gid == (gid_t)-1 ? 0600 : 0660,
		c->admin_uid, c->admin_gid };

	return open_socket(&w, out, f);
}

enum rc
place_sockets(const struct config *c, struct place_sockets *out, struct fault *f)
{
	size_t all = c->listens + (c->admin_path != NULL ? 1 : 0);
	enum rc rc = RC_OK;

	out->len = 0;
	out->fd = calloc(all + 1, sizeof out->fd[0]);
	if (out->fd == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "sockets");
	for (size_t i = 0; i < c->listens && rc == RC_OK; i++) {
		rc = open_listen(&c->listen[i], &out->fd[i], f);
		if (rc == RC_OK)
			out->len++;
	}
	if (rc == RC_OK && c->admin_path != NULL) {
		rc = open_admin(c, &out->fd[out->len], f);
		if (rc == RC_OK)
			out->len++;
	}
	if (rc != RC_OK) {
		place_sockets_unlink(c, out);
		place_sockets_close(out);
	}
	return rc;
}

void
place_sockets_close(struct place_sockets *s)
{
	for (size_t i = 0; i < s->len; i++)
		close(s->fd[i]);
	free(s->fd);
	*s = (struct place_sockets){ 0 };
}

void
place_sockets_unlink(const struct config *c, const struct place_sockets *s)
{
	for (size_t i = 0; i < s->len; i++)
		(void)unlink(i < c->listens ? c->listen[i].path : c->admin_path);
}
