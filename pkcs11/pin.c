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

static enum rc
hash_ref(const char *ref, uint8_t out[PIN_NAME_LEN], struct fault *f)
{
	uint8_t whole[32];
	unsigned len = 32;

	if (EVP_Digest(ref, strlen(ref), whole, &len, EVP_sha256(), NULL) != 1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "pin_source", "SHA-256");
	memcpy(out, whole, PIN_NAME_LEN);
	return RC_OK;
}

/* Not of the PIN: a short PIN would be found from its hash. */
static enum rc
hash_source(const char *ref, const struct stat *st, struct pin_source *out, struct fault *f)
{
	char text[PIN_PATH_MAX + 128];
	unsigned len = 32;
	int n = snprintf(text, sizeof text, "%s|%lld.%09ld|%lld", ref,
	    (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (long long)st->st_size);

	if (n < 0 || (size_t)n >= sizeof text)
		return FAULT(f, RC_INVALID, "pin_source", "path too long");
	if (EVP_Digest(text, (size_t)n, out->hash, &len, EVP_sha256(), NULL) != 1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "pin_source", "SHA-256");
	return hash_ref(ref, out->name, f);
}

/* As hash_source(), of a file that need not be readable. */
static enum rc
look_at_source(const char *ref, struct pin_source *out, struct fault *f)
{
	char path[PIN_PATH_MAX];
	struct stat st;

	TRY(pin_path(ref, path, f));
	if (stat(path, &st) != 0)
		return FAULT(f, RC_INVALID, "pin_source", "%s: %s", ref, strerror(errno));
	return hash_source(ref, &st, out, f);
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

enum {
	RECORD_LEN = 65, /* hex and a newline */
	STEM_LEN = 64,
	END_LEN = 2 * PIN_NAME_LEN + 2, /* a dot, hex and a NUL */
};
static const char prepared[] = ".new";

/* A serial is the token's text; only what is safe in a name goes into one. */
static void
record_stem(const char *serial, char out[STEM_LEN])
{
	size_t n = (size_t)snprintf(out, STEM_LEN, "pin-refused-");

	for (size_t i = 0; serial[i] != 0 && n < STEM_LEN - 1; i++) {
		unsigned char c = (unsigned char)serial[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			     (c >= 'A' && c <= 'Z') || c == '-';

		out[n++] = (char)(plain ? c : '_');
	}
	out[n] = 0;
}

/* One for each reference: what another source is told changes nothing of this one's. */
static void
record_end(const uint8_t name[PIN_NAME_LEN], char out[END_LEN])
{
	out[0] = '.';
	for (size_t i = 0; i < PIN_NAME_LEN; i++)
		snprintf(out + 1 + 2 * i, 3, "%02x", name[i]);
}

struct record {
	char path[PIN_PATH_MAX], temp[PIN_PATH_MAX];
	char old[PIN_PATH_MAX]; /* of the serial alone, as they were named at first */
	char text[RECORD_LEN + 1];
};

static void
record_text(const struct pin_source *source, char text[RECORD_LEN + 1])
{
	for (size_t i = 0; i < sizeof source->hash; i++)
		snprintf(text + 2 * i, 3, "%02x", source->hash[i]);
	text[RECORD_LEN - 1] = '\n';
	text[RECORD_LEN] = 0;
}

static enum rc
record_of(const char *dir, const char *serial, const struct pin_source *source,
    struct record *out, struct fault *f)
{
	char stem[STEM_LEN], end[END_LEN];

	record_stem(serial, stem);
	record_end(source->name, end);
	record_text(source, out->text);
	if (snprintf(out->temp, PIN_PATH_MAX, "%s/%s%s%s", dir, stem, end, prepared) >=
	    PIN_PATH_MAX)
		return FAULT(f, RC_INVALID, "state", "path too long");
	(void)snprintf(out->path, PIN_PATH_MAX, "%s/%s%s", dir, stem, end);
	(void)snprintf(out->old, PIN_PATH_MAX, "%s/%s", dir, stem);
	return RC_OK;
}

static enum rc
write_record(const char *path, const char *text, struct fault *f)
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

static enum rc
check_record(const char *path, const char *text, struct fault *f)
{
	char found[RECORD_LEN + 1] = "";
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return RC_OK;
	if (fd < 0 || read(fd, found, RECORD_LEN) < 0)
		return FAULT(f, RC_INVALID, "state", "%s: %s", path, strerror(errno));
	if (memcmp(found, text, RECORD_LEN) == 0)
		return FAULT(f, RC_DENIED, "pin_refused",
		    "this PIN was refused before: correct it at its source, or remove %s",
		    path);
	return RC_OK;
}

enum rc
pin_check_refused(
    const char *state_dir, const char *serial, const struct pin_source *source, struct fault *f)
{
	struct record r;

	if (state_dir == NULL)
		return RC_OK;
	TRY(record_of(state_dir, serial, source, &r, f));
	TRY(check_record(r.path, r.text, f));
	TRY(check_record(r.old, r.text, f));
	return write_record(r.temp, r.text, f);
}

static enum rc
sync_dir(const char *dir, struct fault *f)
{
	AUTO_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		return FAULT(f, RC_IO, "state", "%s: %s", dir, strerror(errno));
	return RC_OK;
}

/* Others wait for the token's lock with the same PIN: without a record they try it too. */
enum rc
pin_refused(
    const char *state_dir, const char *serial, const struct pin_source *source, struct fault *f)
{
	struct record r;

	if (state_dir == NULL)
		return RC_OK;
	TRY(record_of(state_dir, serial, source, &r, f));
	if (rename(r.temp, r.path) != 0)
		TRY(write_record(r.path, r.text, f));
	return sync_dir(state_dir, f);
}

void
pin_accepted(const char *state_dir, const char *serial, const struct pin_source *source)
{
	struct record r;

	if (state_dir == NULL || record_of(state_dir, serial, source, &r, NULL) != RC_OK)
		return;
	(void)unlink(r.path);
	(void)unlink(r.old);
	(void)unlink(r.temp);
}

void
pin_not_judged(const char *state_dir, const char *serial, const struct pin_source *source)
{
	struct record r;

	if (state_dir != NULL && record_of(state_dir, serial, source, &r, NULL) == RC_OK)
		(void)unlink(r.temp);
}

/* NULL: any token's. */
static bool
is_of(const char *entry, const char *serial)
{
	char stem[STEM_LEN];
	size_t len;

	record_stem(serial != NULL ? serial : "", stem);
	len = strlen(stem);
	return strncmp(entry, stem, len) == 0 &&
	       (serial == NULL || entry[len] == '.' || entry[len] == 0);
}

static bool
ends_in(const char *entry, const char *end)
{
	size_t len = strlen(entry), n = strlen(end);

	return len >= n && strcmp(entry + len - n, end) == 0;
}

static void
dir_cleanup(DIR **dir)
{
	if (*dir != NULL)
		(void)closedir(*dir);
}

void
pin_changed(const char *state_dir, const char *serial)
{
	__attribute__((cleanup(dir_cleanup))) DIR *dir = NULL;
	struct dirent *entry;

	if (state_dir != NULL)
		dir = opendir(state_dir);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (is_of(entry->d_name, serial))
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
}

/* text NULL: what its source is now could not be seen. */
static enum rc
judge(const char *dir, const char *entry, const char *end, const char *text,
    struct pin_found *found, struct fault *f)
{
	enum pin_record is = PIN_HELD;
	char path[PIN_PATH_MAX];
	enum rc rc = RC_DENIED;

	if (snprintf(path, sizeof path, "%s/%s", dir, entry) >= PIN_PATH_MAX)
		return FAULT(f, RC_INVALID, "state", "path too long");
	if (text != NULL)
		rc = check_record(path, text, f);
	else if (ends_in(entry, end))
		is = PIN_UNKNOWN;
	else
		return RC_OK;
	if (rc != RC_DENIED)
		return rc;
	found->is = is;
	memcpy(found->path, path, sizeof path);
	return RC_OK;
}

enum rc
pin_recorded(const char *state_dir, const char *serial, const char *ref, struct pin_found *out,
    struct fault *f)
{
	__attribute__((cleanup(dir_cleanup))) DIR *dir = opendir(state_dir);
	struct pin_found found = { .is = PIN_FREE };
	char text[RECORD_LEN + 1], end[END_LEN];
	struct pin_source source = { .name = { 0 } };
	struct dirent *entry;
	bool seen;

	if (dir == NULL)
		return FAULT(f, RC_IO, "state", "%s: %s", state_dir, strerror(errno));
	seen = look_at_source(ref, &source, NULL) == RC_OK;
	TRY(hash_ref(ref, source.name, f));
	record_end(source.name, end);
	record_text(&source, text);
	while ((entry = readdir(dir)) != NULL && found.is == PIN_FREE) {
		const char *name = entry->d_name;

		if (is_of(name, serial) && !ends_in(name, prepared))
			TRY(judge(state_dir, name, end, seen ? text : NULL, &found, f));
	}
	*out = found;
	return RC_OK;
}
