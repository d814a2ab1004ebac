#include "agent/front/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "stir/jtext.h"

enum {
	STORE_NAME_MAX = 63,
	STORE_TEMP_MAX = 255,
	STORE_DIR_MODE = 0700,
	STORE_RECORD_MODE = 0600
};

enum rc
store_path(struct store_path *out, struct fault *f, const char *fmt, ...)
{
	struct store_path p;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(p.text, sizeof p.text, fmt, ap);
	va_end(ap);
	if (n <= 0 || (size_t)n >= sizeof p.text)
		return FAULT(f, RC_INVALID, "store_path", "a path of %d characters", n);
	*out = p;
	return RC_OK;
}

bool
store_name_ok(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return len > 0 && len <= STORE_NAME_MAX && name[len] == 0 && name[0] != '.' &&
	       name[0] != '_' && name[0] != '-';
}

static enum rc
io_fault(struct fault *f, const char *what, const char *path)
{
	if (errno == ENOENT)
		return FAULT(f, RC_NOT_FOUND, "not_found", "%s %s", what, path);
	return FAULT(f, RC_IO, "io", "%s %s: %s", what, path, strerror(errno));
}

/* The directory of path, open, and the name in it. */
static enum rc
open_dir(const char *path, int *dir, const char **name, struct fault *f)
{
	const char *slash = strrchr(path, '/');
	struct store_path parent = { "." };

	if (slash != NULL)
		TRY(store_path(&parent, f, "%.*s", (int)(slash - path) + 1, path));
	*name = slash != NULL ? slash + 1 : path;
	*dir = open(parent.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *dir < 0 ? io_fault(f, "open", parent.text) : RC_OK;
}

static enum rc
read_all(int fd, const char *path, size_t max, struct buf *out, struct fault *f)
{
	uint8_t chunk[16384];
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, chunk, sizeof chunk)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return io_fault(f, "read", path);
		total += (size_t)n;
		if (total > max)
			return FAULT(
			    f, RC_INVALID, "store_size", "%s: more than %zu bytes", path, max);
		buf_put(out, chunk, (size_t)n);
	}
	return buf_check(out, f);
}

static enum rc
read_file(const char *path, int flags, size_t max, struct buf *out, struct fault *f)
{
	/* Not blocking: a fifo there must not hold the thread. */
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
	struct stat st;

	if (fd < 0)
		return io_fault(f, "open", path);
	if (fstat(fd, &st) != 0)
		return io_fault(f, "stat", path);
	if (!S_ISREG(st.st_mode))
		return FAULT(f, RC_IO, "io", "%s: not a file", path);
	return read_all(fd, path, max, out, f);
}

enum rc
store_read(const char *path, size_t max, struct buf *out, struct fault *f)
{
	return read_file(path, O_NOFOLLOW, max, out, f);
}

enum rc
store_read_linked(const char *path, size_t max, struct buf *out, struct fault *f)
{
	return read_file(path, 0, max, out, f);
}

/* A new name is on disk when the directory that holds it is. */
static enum rc
sync_above(const char *path, struct fault *f)
{
	AUTO_FD dir = -1;
	const char *name = NULL;

	if (open_dir(path, &dir, &name, NULL) != RC_OK)
		return RC_OK; /* one that we may change and not read */
	if (fsync(dir) != 0)
		return FAULT(f, RC_IO, "io", "fsync above %s: %s", path, strerror(errno));
	return RC_OK;
}

/* Make the directories above path that are missing. */
static enum rc
make_dirs(const char *path, struct fault *f)
{
	struct store_path p;

	TRY(store_path(&p, f, "%s", path));
	for (char *at = p.text + 1; *at != 0; at++) {
		if (*at != '/')
			continue;
		*at = 0;
		if (mkdir(p.text, STORE_DIR_MODE) == 0)
			TRY(sync_above(p.text, f));
		else if (errno != EEXIST)
			return FAULT(f, RC_IO, "io", "mkdir %s: %s", p.text, strerror(errno));
		*at = '/';
	}
	return RC_OK;
}

static enum rc
write_all(int fd, const char *path, struct span data, struct fault *f)
{
	ssize_t n;

	while (data.len > 0) {
		n = write(fd, data.ptr, data.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return FAULT(f, RC_IO, "io", "write %s: %s", path, strerror(errno));
		(void)span_cut(&data, (size_t)n);
	}
	if (fsync(fd) != 0)
		return FAULT(f, RC_IO, "io", "fsync %s: %s", path, strerror(errno));
	return RC_OK;
}

static enum rc
write_temp(
    int dir, const char *temp, mode_t mode, const char *path, struct span data, struct fault *f)
{
	AUTO_FD fd = -1;

	/* One that a crash left behind is in the way, and nobody's. */
	if (unlinkat(dir, temp, 0) != 0 && errno != ENOENT)
		return FAULT(f, RC_IO, "io", "unlink %s: %s", temp, strerror(errno));
	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return FAULT(f, RC_IO, "io", "create %s: %s", path, strerror(errno));
	if (fchmod(fd, mode) != 0) /* whatever the umask says */
		return FAULT(f, RC_IO, "io", "chmod %s: %s", path, strerror(errno));
	return write_all(fd, path, data, f);
}

enum rc
store_write(const char *path, struct span data, mode_t mode, struct fault *f)
{
	AUTO_FD dir = -1;
	const char *name = NULL;
	char temp[STORE_TEMP_MAX];
	int n;
	enum rc rc;

	TRY(make_dirs(path, f));
	TRY(open_dir(path, &dir, &name, f));
	n = snprintf(temp, sizeof temp, ".%s.tmp", name);
	if (n < 0 || (size_t)n >= sizeof temp)
		return FAULT(f, RC_INVALID, "store_path", "%s: too long a name", path);
	rc = write_temp(dir, temp, mode, path, data, f);
	if (rc == RC_OK && renameat(dir, temp, dir, name) != 0)
		rc = FAULT(f, RC_IO, "io", "rename %s: %s", path, strerror(errno));
	if (rc != RC_OK) {
		(void)unlinkat(dir, temp, 0);
		return rc;
	}
	if (fsync(dir) != 0)
		return FAULT(f, RC_IO, "io", "fsync above %s: %s", path, strerror(errno));
	return RC_OK;
}

enum rc
store_write_json(const char *path, const json_t *root, size_t max, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(max);

	if (root == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%s", path);
	TRY(jtext_write(&text, root, f));
	TRY(buf_check(&text, f));
	return store_write(path, buf_view(&text), STORE_RECORD_MODE, f);
}

enum rc
store_read_json(const char *path, size_t max, json_t **out, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(max);

	TRY(store_read(path, max, &text, f));
	return jtext_read(buf_view(&text), out, f);
}

enum rc
store_rename(const char *path, const char *to, struct fault *f)
{
	struct stat st;

	if (lstat(to, &st) == 0)
		return FAULT(f, RC_CONFLICT, "store_taken", "%s is there", to);
	if (renameat(AT_FDCWD, path, AT_FDCWD, to) != 0)
		return FAULT(f, errno == ENOENT ? RC_NOT_FOUND : RC_IO, "io",
		    "rename %s to %s: %s", path, to, strerror(errno));
	return sync_above(to, f);
}

enum rc
store_remove(const char *path, struct fault *f)
{
	AUTO_FD dir = -1;
	const char *name = NULL;
	struct fault open_fault = { 0 };
	enum rc rc = open_dir(path, &dir, &name, &open_fault);

	if (rc == RC_NOT_FOUND)
		return RC_OK;
	if (rc != RC_OK)
		return FAULT(f, rc, open_fault.reason, "%s", open_fault.detail);
	if (unlinkat(dir, name, 0) != 0)
		return errno == ENOENT ? RC_OK : io_fault(f, "unlink", path);
	return fsync(dir) == 0 ? RC_OK : io_fault(f, "fsync above", path);
}

int64_t
store_mtime(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? (int64_t)st.st_mtime : 0;
}

static void
dir_closep(DIR **d)
{
	if (*d != NULL)
		closedir(*d);
}

enum rc
store_each(const char *dir, store_each_fn *each, void *arg, struct fault *f)
{
	__attribute__((cleanup(dir_closep))) DIR *d = opendir(dir);
	const struct dirent *e;
	size_t n = 0;

	if (d == NULL)
		return errno == ENOENT ? RC_OK : io_fault(f, "open", dir);
	while (errno = 0, (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (++n > STORE_MAX_ENTRIES)
			return FAULT(f, RC_INVALID, "store_size", "%s: more than %d files", dir,
			    STORE_MAX_ENTRIES);
		TRY(each(arg, e->d_name, f));
	}
	return errno == 0 ? RC_OK : io_fault(f, "read", dir);
}
