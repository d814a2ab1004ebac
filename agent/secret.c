#include "agent/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stir/b64.h"

enum { SECRET_MAX = 4096, SECRET_PATH_MAX = 4096, SECRET_KEY_MIN = 16 };

#define FILE_PREFIX	  "file:"
#define CREDENTIAL_PREFIX "credential:"

/* credential:NAME is a file of systemd's directory and nothing outside it. */
static enum rc
credential_path(const char *name, char path[SECRET_PATH_MAX], struct fault *f)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	int n;

	if (name[0] == 0 || name[0] == '.' || strchr(name, '/') != NULL)
		return FAULT(f, RC_INVALID, "secret", "'credential:%s' is not a name", name);
	if (dir == NULL)
		return FAULT(f, RC_NOT_FOUND, "secret",
		    "credential:%s: CREDENTIALS_DIRECTORY is not set; start from a unit with "
		    "LoadCredential=%s:PATH",
		    name, name);
	n = snprintf(path, SECRET_PATH_MAX, "%s/%s", dir, name);
	if (n < 0 || n >= SECRET_PATH_MAX)
		return FAULT(f, RC_INVALID, "secret", "path of credential:%s too long", name);
	return RC_OK;
}

static enum rc
secret_path(const char *ref, char path[SECRET_PATH_MAX], struct fault *f)
{
	int n;

	if (strncmp(ref, CREDENTIAL_PREFIX, strlen(CREDENTIAL_PREFIX)) == 0)
		return credential_path(ref + strlen(CREDENTIAL_PREFIX), path, f);
	if (strncmp(ref, FILE_PREFIX, strlen(FILE_PREFIX)) != 0)
		return FAULT(f, RC_INVALID, "secret", "neither file: nor credential:");
	n = snprintf(path, SECRET_PATH_MAX, "%s", ref + strlen(FILE_PREFIX));
	if (n <= 0 || n >= SECRET_PATH_MAX)
		return FAULT(f, RC_INVALID, "secret", "file: without a usable path");
	return RC_OK;
}

static enum rc
check_mode(int fd, const char *ref, size_t max, struct fault *f)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return FAULT(f, RC_IO, "secret", "%s: %s", ref, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return FAULT(f, RC_INVALID, "secret", "%s is not a regular file", ref);
	if ((st.st_mode & (S_IRWXO | S_IWGRP)) != 0)
		return FAULT(f, RC_INVALID, "secret",
		    "%s has mode %04o, others can reach it: chmod 0600 (or 0640)", ref,
		    (unsigned)(st.st_mode & 07777));
	if ((uintmax_t)st.st_size > max)
		return FAULT(f, RC_INVALID, "secret", "%s has more than %zu bytes", ref, max);
	return RC_OK;
}

static enum rc
read_all(int fd, const char *ref, size_t max, struct buf *out, struct fault *f)
{
	for (;;) {
		/* The whole room at once: a buffer that grew would leave a copy behind. */
		uint8_t *room = buf_room(out, max + 1 - out->len);
		ssize_t n;

		if (room == NULL)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "%s", ref);
		n = read(fd, room, max + 1 - out->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return FAULT(f, RC_IO, "secret", "%s: %s", ref, strerror(errno));
		if (n == 0)
			return RC_OK;
		buf_grew(out, (size_t)n);
		if (out->len > max)
			return FAULT(
			    f, RC_INVALID, "secret", "%s has more than %zu bytes", ref, max);
	}
}

static enum rc
check_content(struct buf *b, const char *ref, struct fault *f)
{
	if (b->len > 0 && b->ptr[b->len - 1] == '\n')
		b->len--;
	if (b->len == 0)
		return FAULT(f, RC_INVALID, "secret", "%s is empty", ref);
	if (memchr(b->ptr, 0, b->len) != NULL)
		return FAULT(f, RC_INVALID, "secret", "%s holds a NUL", ref);
	return RC_OK;
}

enum rc
secret_read_long(const struct secret_ref *ref, size_t max, struct buf *out, struct fault *f)
{
	AUTO_SECRET got = BUF_INIT(max + 1);
	char path[SECRET_PATH_MAX];
	AUTO_FD fd = -1;

	if (ref->text == NULL)
		return FAULT(f, RC_NOT_FOUND, "secret", "no secret is configured");
	TRY(secret_path(ref->text, path, f));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return FAULT(f, errno == ENOENT ? RC_NOT_FOUND : RC_IO, "secret", "%s: %s",
		    ref->text, strerror(errno));
	TRY(check_mode(fd, ref->text, max, f));
	TRY(read_all(fd, ref->text, max, &got, f));
	TRY(check_content(&got, ref->text, f));
	if (buf_room(out, got.len) == NULL)
		return buf_check(out, f) == RC_OK ? RC_NO_MEMORY : buf_check(out, f);
	buf_put(out, got.ptr, got.len);
	return RC_OK;
}

enum rc
secret_read(const struct secret_ref *ref, struct buf *out, struct fault *f)
{
	return secret_read_long(ref, SECRET_MAX, out, f);
}

enum rc
secret_decode_key(struct span text, struct buf *key, struct fault *f)
{
	while (text.len > 0 && text.ptr[text.len - 1] == '=')
		text.len--;
	if (b64_decode(key, B64_URL, text, NULL) != RC_OK || key->len < SECRET_KEY_MIN)
		return FAULT(f, RC_INVALID, "eab_key",
		    "not a base64url key of at least %d bytes; write it as the CA gave it",
		    SECRET_KEY_MIN);
	return RC_OK;
}
