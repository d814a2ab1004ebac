#include "pkcs11/softhsm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stir/buf.h"

enum { OBJECT_MAX = 65536, LINE_LEN = 4096, TOKENS_MAX = 256 };

#define OBJECT	    "token.object"
#define OBJECT_COPY OBJECT ".copy"
#define OBJECT_NEW  OBJECT ".new"

static void
dir_cleanup(DIR **dir)
{
	if (*dir != NULL)
		closedir(*dir);
}

static void
file_cleanup(FILE **file)
{
	if (*file != NULL)
		fclose(*file);
}

static enum rc
failed(struct fault *f, const char *what, const char *name)
{
	return FAULT(f, RC_IO, "softhsm", "%s %s: %s", what, name, strerror(errno));
}

/* The value of directories.tokendir, without its end of line. */
static bool
read_tokendir(const char *conf, char out[LINE_LEN])
{
	static const char key[] = "directories.tokendir";
	__attribute__((cleanup(file_cleanup))) FILE *file = fopen(conf, "re");
	char line[LINE_LEN];

	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		char *at = line + strspn(line, " \t");

		if (strncmp(at, key, sizeof key - 1) != 0)
			continue;
		at += sizeof key - 1;
		at += strspn(at, " \t");
		if (*at != '=')
			continue;
		at += 1 + strspn(at + 1, " \t");
		at[strcspn(at, "\r\n")] = 0;
		snprintf(out, LINE_LEN, "%s", at);
		return true;
	}
	return false;
}

/* RC_NOT_FOUND: no such file. */
static enum rc
slurp(int dir, const char *name, struct buf *out, struct fault *f)
{
	AUTO_FD fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return RC_NOT_FOUND;
	if (fd < 0)
		return failed(f, "open", name);
	do {
		uint8_t *room = buf_room(out, LINE_LEN);

		if (room == NULL)
			return buf_check(out, f);
		n = read(fd, room, LINE_LEN);
		if (n < 0)
			return failed(f, "read", name);
		buf_grew(out, (size_t)n);
	} while (n > 0);
	return RC_OK;
}

/* Whole or not at all: temp, fsync, rename. */
static enum rc
spit(int dir, const char *name, struct span text, struct fault *f)
{
	AUTO_FD fd = openat(
	    dir, OBJECT_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return failed(f, "create", OBJECT_NEW);
	if (write(fd, text.ptr, text.len) != (ssize_t)text.len || fsync(fd) != 0)
		return failed(f, "write", OBJECT_NEW);
	if (renameat(dir, OBJECT_NEW, dir, name) != 0)
		return failed(f, "rename to", name);
	return fsync(dir) == 0 ? RC_OK : failed(f, "fsync of the folder of", name);
}

/* A kill during a login leaves nothing of it, a loss of power perhaps as many zeros. */
static bool
is_lost(const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++) {
		if (b->ptr[i] != 0)
			return false;
	}
	return true;
}

static enum rc
mend_one(int dir, unsigned *mended, struct fault *f)
{
	AUTO_BUF object = BUF_INIT(OBJECT_MAX), copy = BUF_INIT(OBJECT_MAX);
	enum rc rc;

	/* Token sections may share a directory without sharing a lock file; closing lets go. */
	if (flock(dir, LOCK_EX) != 0)
		return failed(f, "lock the folder of", OBJECT);
	rc = slurp(dir, OBJECT, &object, f);
	if (rc == RC_NOT_FOUND)
		return RC_OK; /* not a token's folder */
	TRY(rc);
	rc = slurp(dir, OBJECT_COPY, &copy, f);
	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return rc;
	if (span_eq(buf_view(&object), buf_view(&copy)))
		return RC_OK;
	if (!is_lost(&object))
		return spit(dir, OBJECT_COPY, buf_view(&object), f);
	if (is_lost(&copy))
		return RC_OK;
	TRY(spit(dir, OBJECT, buf_view(&copy), f));
	(*mended)++;
	return RC_OK;
}

enum rc
softhsm_mend(unsigned *mended, struct fault *f)
{
	const char *conf = getenv("SOFTHSM2_CONF");
	__attribute__((cleanup(dir_cleanup))) DIR *tokens = NULL;
	char path[LINE_LEN];
	struct dirent *entry;
	unsigned seen = 0;

	*mended = 0;
	if (conf == NULL || !read_tokendir(conf, path))
		return RC_OK;
	tokens = opendir(path);
	while (tokens != NULL && seen < TOKENS_MAX && (entry = readdir(tokens)) != NULL) {
		AUTO_FD dir = -1;

		if (entry->d_name[0] == '.')
			continue;
		dir = openat(dirfd(tokens), entry->d_name,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		seen++;
		if (dir >= 0)
			TRY(mend_one(dir, mended, f));
	}
	return RC_OK;
}
