#include "agent/renewer/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

struct store {
	int dir[STORE__COUNT];
};

static const char *const kind_names[STORE__COUNT] = {
	[STORE_ORDERS] = "orders",
	[STORE_ACCOUNTS] = "accounts",
	[STORE_TOKENS] = "tokens",
};

enum { FILE_NAME_MAX = STORE_NAME_MAX + 16, STORE_PATH_MAX = 4096 };

static enum rc
open_dir(int at, const char *name, int *out, struct fault *f)
{
	int fd;

	if (mkdirat(at, name, 0700) != 0 && errno != EEXIST)
		return FAULT(f, RC_IO, "store", "mkdir %s: %s", name, strerror(errno));
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return FAULT(f, RC_IO, "store", "%s: %s", name, strerror(errno));
	*out = fd;
	return RC_OK;
}

enum rc
store_open(const char *state_dir, struct store **out, struct fault *f)
{
	AUTO(store) *s = calloc(1, sizeof *s);
	char path[STORE_PATH_MAX];
	AUTO_FD top = -1;

	if (s == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "store");
	for (size_t i = 0; i < STORE__COUNT; i++)
		s->dir[i] = -1;
	/* By its whole path: the state directory may be searched, not read, by a role. */
	if ((size_t)snprintf(path, sizeof path, "%s/renewer", state_dir) >= sizeof path)
		return FAULT(f, RC_INVALID, "store", "the state directory's path is too long");
	TRY(open_dir(AT_FDCWD, path, &top, f));
	for (size_t i = 0; i < STORE__COUNT; i++)
		TRY(open_dir(top, kind_names[i], &s->dir[i], f));
	*out = TAKE(s);
	return RC_OK;
}

void
store_free(struct store *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < STORE__COUNT; i++) {
		if (s->dir[i] >= 0)
			close(s->dir[i]);
	}
	free(s);
}

/* ".NAME.json.new" while it is written, "NAME.json" afterwards. */
static enum rc
file_name(char out[FILE_NAME_MAX], const char *name, bool temporary, struct fault *f)
{
	if (name[0] == 0 || name[0] == '.' || strchr(name, '/') != NULL ||
	    strlen(name) > STORE_NAME_MAX)
		return FAULT(f, RC_BUG, "store", "'%.40s' cannot name a file", name);
	snprintf(out, FILE_NAME_MAX, "%s%s.json%s", temporary ? "." : "", name,
	    temporary ? ".new" : "");
	return RC_OK;
}

static enum rc
write_all(int fd, struct span text, const char *name, struct fault *f)
{
	while (text.len > 0) {
		ssize_t n = write(fd, text.ptr, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return FAULT(f, RC_IO, "store", "%s: %s", name, strerror(errno));
		span_cut(&text, (size_t)n);
	}
	if (fsync(fd) != 0)
		return FAULT(f, RC_IO, "store", "fsync %s: %s", name, strerror(errno));
	return RC_OK;
}

enum rc
store_write(
    struct store *s, enum store_kind kind, const char *name, struct span text, struct fault *f)
{
	char final[FILE_NAME_MAX], temporary[FILE_NAME_MAX];
	int dir = s->dir[kind];
	AUTO_FD fd = -1;

	TRY(file_name(final, name, false, f));
	TRY(file_name(temporary, name, true, f));
	if (unlinkat(dir, temporary, 0) != 0 && errno != ENOENT)
		return FAULT(f, RC_IO, "store", "%s: %s", temporary, strerror(errno));
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return FAULT(f, RC_IO, "store", "%s: %s", temporary, strerror(errno));
	TRY(write_all(fd, text, temporary, f));
	if (renameat(dir, temporary, dir, final) != 0 || fsync(dir) != 0)
		return FAULT(f, RC_IO, "store", "%s: %s", final, strerror(errno));
	return RC_OK;
}

static enum rc
read_all(int fd, struct buf *out, const char *name, struct fault *f)
{
	for (size_t total = 0;;) {
		uint8_t chunk[4096];
		ssize_t n = read(fd, chunk, sizeof chunk);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return FAULT(f, RC_IO, "store", "%s: %s", name, strerror(errno));
		if (n == 0)
			return buf_check(out, f);
		total += (size_t)n;
		if (total > STORE_FILE_MAX)
			return FAULT(f, RC_INVALID, "store", "%s is too large", name);
		buf_put(out, chunk, (size_t)n);
	}
}

enum rc
store_read(
    struct store *s, enum store_kind kind, const char *name, struct buf *out, struct fault *f)
{
	char final[FILE_NAME_MAX];
	AUTO_FD fd = -1;

	TRY(file_name(final, name, false, f));
	fd = openat(s->dir[kind], final, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return FAULT(f, errno == ENOENT ? RC_NOT_FOUND : RC_IO, "store", "%s: %s",
		    final, strerror(errno));
	return read_all(fd, out, final, f);
}

enum rc
store_remove(struct store *s, enum store_kind kind, const char *name, struct fault *f)
{
	char final[FILE_NAME_MAX];

	TRY(file_name(final, name, false, f));
	if (unlinkat(s->dir[kind], final, 0) != 0) {
		if (errno == ENOENT)
			return RC_OK;
		return FAULT(f, RC_IO, "store", "%s: %s", final, strerror(errno));
	}
	if (fsync(s->dir[kind]) != 0)
		return FAULT(f, RC_IO, "store", "fsync: %s", strerror(errno));
	return RC_OK;
}

/* True for NAME.json, with the name in out. */
static bool
name_of(char out[FILE_NAME_MAX], const char *file)
{
	size_t len = strlen(file);

	if (len < 6 || len >= FILE_NAME_MAX || strcmp(file + len - 5, ".json") != 0)
		return false;
	snprintf(out, FILE_NAME_MAX, "%.*s", (int)(len - 5), file);
	return out[0] != '.';
}

static void
closedir_cleanup(DIR **d)
{
	if (*d != NULL)
		closedir(*d);
}

enum rc
store_sweep(struct store *s, enum store_kind kind, bool (*keep)(void *arg, const char *name),
    void *arg, struct fault *f)
{
	__attribute__((cleanup(closedir_cleanup))) DIR *d = NULL;
	int fd = openat(s->dir[kind], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;

	d = fd >= 0 ? fdopendir(fd) : NULL;
	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return FAULT(f, RC_IO, "store", "%s: %s", kind_names[kind], strerror(errno));
	}
	while ((e = readdir(d)) != NULL) {
		char name[FILE_NAME_MAX];

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (name_of(name, e->d_name) && keep(arg, name))
			continue;
		if (unlinkat(s->dir[kind], e->d_name, 0) != 0 && errno != ENOENT)
			return FAULT(f, RC_IO, "store", "%s: %s", e->d_name, strerror(errno));
	}
	return RC_OK;
}
