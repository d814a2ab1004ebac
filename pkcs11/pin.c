#include "pkcs11/pin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char file_prefix[] = "file:";
static const char credential_prefix[] = "credential:";

static enum rc
credential_path(const char *name, char path[PIN_PATH_MAX], struct fault *f)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (name[0] == 0 || name[0] == '.' || strchr(name, '/') != NULL)
		return FAULT(
		    f, RC_INVALID, "pin_source", "'credential:%s' is not a name", name);
	if (dir == NULL)
		return FAULT(f, RC_INVALID, "pin_source",

		    "credential:%s: CREDENTIALS_DIRECTORY is not set: start it by systemd with "
		    "LoadCredential=, or use file:PATH",
		    name);
	if (snprintf(path, PIN_PATH_MAX, "%s/%s", dir, name) >= PIN_PATH_MAX)
		return FAULT(f, RC_INVALID, "pin_source", "credential:%s: path too long", name);
	return RC_OK;
}

static enum rc
pin_path(const char *ref, char path[PIN_PATH_MAX], struct fault *f)
{
	if (strncmp(ref, credential_prefix, strlen(credential_prefix)) == 0)
		return credential_path(ref + strlen(credential_prefix), path, f);
	/* The reference is not repeated: it may be a PIN given by mistake. */
	if (strncmp(ref, file_prefix, strlen(file_prefix)) != 0)
		return FAULT(f, RC_INVALID, "pin_source",
		    "the PIN is given as file:PATH or credential:NAME, never itself");
	if (snprintf(path, PIN_PATH_MAX, "%s", ref + strlen(file_prefix)) >= PIN_PATH_MAX)
		return FAULT(f, RC_INVALID, "pin_source", "path too long");
	return RC_OK;
}

static enum rc
check_mode(const char *ref, const struct stat *st, struct fault *f)
{
	if (!S_ISREG(st->st_mode))
		return FAULT(f, RC_INVALID, "pin_source", "%s is not a regular file", ref);
	if ((st->st_mode & (S_IRWXO | S_IWGRP)) != 0)
		return FAULT(f, RC_INVALID, "pin_source",
		    "%s has mode %04o, others can reach it: chmod 0600 (or 0640)", ref,
		    (unsigned)(st->st_mode & 07777));
	if (st->st_size > PIN_MAX + 1)
		return FAULT(
		    f, RC_INVALID, "pin_source", "%s is longer than %d bytes", ref, PIN_MAX);
	return RC_OK;
}

/* A second line, or what an editor left: sent to a token it costs one of few tries. */
static bool
has_control(const struct pin *pin)
{
	for (size_t i = 0; i < pin->len; i++) {
		uint8_t c = (uint8_t)pin->bytes[i];

		if (c < 0x20 || c == 0x7f)
			return true;
	}
	return false;
}

enum rc
pin_check_line(struct pin *pin, const char *source, struct fault *f)
{
	if (pin->len > 0 && pin->bytes[pin->len - 1] == '\n')
		pin->len--;
	if (pin->len == 0 || pin->len > PIN_MAX || has_control(pin))
		return FAULT(f, RC_INVALID, "pin_source",
		    "%s: empty, longer than %d bytes, or not one line of text: put the PIN "
		    "there",
		    source, PIN_MAX);
	pin->bytes[pin->len] = 0;
	return RC_OK;
}

static enum rc
read_all(int fd, const char *ref, struct pin *pin, struct fault *f)
{
	while (pin->len < sizeof pin->bytes) {
		ssize_t n = read(fd, pin->bytes + pin->len, sizeof pin->bytes - pin->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return FAULT(
			    f, RC_INVALID, "pin_source", "%s: %s", ref, strerror(errno));
		if (n == 0)
			break;
		pin->len += (size_t)n;
	}
	return pin_check_line(pin, ref, f);
}

/* Not of the PIN: a short PIN would be found from its hash. */
static enum rc
hash_source(const char *ref, const struct stat *st, struct pin_source *out, struct fault *f)
{
	char text[PIN_PATH_MAX + 128];
	uint8_t of_ref[32];
	unsigned len = 32;
	int n = snprintf(text, sizeof text, "%s|%lld.%09ld|%lld", ref,
	    (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (long long)st->st_size);

	if (n < 0 || (size_t)n >= sizeof text)
		return FAULT(f, RC_INVALID, "pin_source", "path too long");
	if (EVP_Digest(text, (size_t)n, out->hash, &len, EVP_sha256(), NULL) != 1 ||
	    EVP_Digest(ref, strlen(ref), of_ref, &len, EVP_sha256(), NULL) != 1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "pin_source", "SHA-256");
	memcpy(out->name, of_ref, sizeof out->name);
	return RC_OK;
}

static enum rc
read_pin(const char *ref, struct pin *pin, struct fault *f)
{
	char path[PIN_PATH_MAX];
	struct stat st;
	AUTO_FD fd = -1;

	TRY(pin_path(ref, path, f));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0)
		return FAULT(f, RC_INVALID, "pin_source",
		    "%s: %s: put the PIN there, readable for the token's user alone", ref,
		    strerror(errno));
	TRY(check_mode(ref, &st, f));
	TRY(read_all(fd, ref, pin, f));
	return hash_source(ref, &st, &pin->source, f);
}

void
pin_lock(struct pin *pin)
{
	/* A limit of zero on locked memory is an operator's choice, not a reason to stop. */
	(void)mlock(pin, sizeof *pin);
}

enum rc
pin_read(const char *ref, struct pin *out, struct fault *f)
{
	enum rc rc;

	pin_lock(out);
	*out = (struct pin){ .len = 0 };
	rc = read_pin(ref, out, f);
	if (rc != RC_OK)
		pin_wipe(out);
	return rc;
}

void
pin_wipe(struct pin *pin)
{
	OPENSSL_cleanse(pin, sizeof *pin);
	(void)munlock(pin, sizeof *pin);
}

/* ---- the record of a refused PIN ---------------------------------------- */

enum { RECORD_LEN = 65, /* hex and a newline */ NAME_LEN = 64 };

/* A serial is the token's text; only what is safe in a name goes into one. */
static void
record_stem(const char *serial, char out[NAME_LEN])
{
	size_t n = (size_t)snprintf(out, NAME_LEN, "pin-refused-");

	for (size_t i = 0; serial[i] != 0 && n < NAME_LEN - 1; i++) {
		unsigned char c = (unsigned char)serial[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			     (c >= 'A' && c <= 'Z') || c == '-';

		out[n++] = (char)(plain ? c : '_');
	}
	out[n] = 0;
}

/* One for each reference: what another source is told changes nothing of this one's. */
static enum rc
record_path(const char *dir, const char *serial, const struct pin_source *source,
    const char *suffix, char path[PIN_PATH_MAX], struct fault *f)
{
	char stem[NAME_LEN], ref[2 * PIN_NAME_LEN + 1] = "";

	record_stem(serial, stem);
	for (size_t i = 0; i < sizeof source->name; i++)
		snprintf(ref + 2 * i, 3, "%02x", source->name[i]);
	if (snprintf(path, PIN_PATH_MAX, "%s/%s.%s%s", dir, stem, ref, suffix) >= PIN_PATH_MAX)
		return FAULT(f, RC_INVALID, "state", "path too long");
	return RC_OK;
}

static void
record_text(const struct pin_source *source, char text[RECORD_LEN + 1])
{
	for (size_t i = 0; i < sizeof source->hash; i++)
		snprintf(text + 2 * i, 3, "%02x", source->hash[i]);
	text[RECORD_LEN - 1] = '\n';
	text[RECORD_LEN] = 0;
}

static enum rc
prepare(const char *path, const char *text, struct fault *f)
{
	AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return FAULT(f, RC_INVALID, "state",
		    "%s: %s: a refused PIN could not be recorded, so none is tried", path,
		    strerror(errno));
	if (write(fd, text, RECORD_LEN) != RECORD_LEN || fsync(fd) != 0)
		return FAULT(f, RC_INVALID, "state", "%s: %s", path, strerror(errno));
	return RC_OK;
}

enum rc
pin_check_refused(
    const char *state_dir, const char *serial, const struct pin_source *source, struct fault *f)
{
	char path[PIN_PATH_MAX], temp[PIN_PATH_MAX];
	char text[RECORD_LEN + 1], found[RECORD_LEN + 1] = "";
	AUTO_FD fd = -1;

	if (state_dir == NULL)
		return RC_OK;
	TRY(record_path(state_dir, serial, source, "", path, f));
	TRY(record_path(state_dir, serial, source, ".new", temp, f));
	record_text(source, text);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno != ENOENT)
		return FAULT(f, RC_INVALID, "state", "%s: %s", path, strerror(errno));
	if (fd >= 0 && read(fd, found, RECORD_LEN) < 0)
		return FAULT(f, RC_INVALID, "state", "%s: %s", path, strerror(errno));
	if (memcmp(found, text, RECORD_LEN) == 0)
		return FAULT(f, RC_DENIED, "pin_refused",
		    "this PIN was refused before: correct it at its source, or remove %s",
		    path);
	return prepare(temp, text, f);
}

static enum rc
sync_dir(const char *dir, struct fault *f)
{
	AUTO_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		return FAULT(f, RC_IO, "state", "%s: %s", dir, strerror(errno));
	return RC_OK;
}

enum rc
pin_refused(
    const char *state_dir, const char *serial, const struct pin_source *source, struct fault *f)
{
	char path[PIN_PATH_MAX], temp[PIN_PATH_MAX];

	if (state_dir == NULL)
		return RC_OK;
	TRY(record_path(state_dir, serial, source, "", path, f));
	TRY(record_path(state_dir, serial, source, ".new", temp, f));
	if (rename(temp, path) != 0)
		return FAULT(f, RC_IO, "state", "%s: %s", path, strerror(errno));
	return sync_dir(state_dir, f);
}

void
pin_accepted(const char *state_dir, const char *serial, const struct pin_source *source)
{
	char path[PIN_PATH_MAX];

	if (state_dir == NULL)
		return;
	if (record_path(state_dir, serial, source, "", path, NULL) == RC_OK)
		(void)unlink(path);
	if (record_path(state_dir, serial, source, ".new", path, NULL) == RC_OK)
		(void)unlink(path);
}

void
pin_changed(const char *state_dir, const char *serial)
{
	DIR *dir = state_dir != NULL ? opendir(state_dir) : NULL;
	struct dirent *entry;
	char stem[NAME_LEN];
	size_t len;

	record_stem(serial, stem);
	len = strlen(stem);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, stem, len) == 0 && entry->d_name[len] == '.')
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
	if (dir != NULL)
		(void)closedir(dir);
}
