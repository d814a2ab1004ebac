#include "agent/front/auditspool.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { BLOCK = 4096, PIECE = 256 * 1024, NEIGHBOURS = 32, SPARE = 4 };

static const char spool_name[] = ".spool";
static const char copy_name[] = ".restoring";

/* The first block, and what is before each run of octets.  Both stay on this machine. */
struct head {
	char magic[16];
	uint8_t salt[16];
	uint64_t base;
	char name[AUDITFILE_NAME_LEN + 1];
	uint8_t hash[DIGEST_SHA256_LEN]; /* of what is before it */
};

struct run {
	uint64_t len;
	uint8_t hash[DIGEST_SHA256_LEN]; /* of the run with the head's hash in this place */
};

static const struct head blank = { .magic = "vesper spool 1" };

/* What happened, by errno, and what helps. */
static enum rc
unavailable(const struct auditdir *d, const char *what, struct fault *f)
{
	bool full = errno == ENOSPC || errno == EDQUOT;

	return REFUSE(f, RC_IO, AUDIT_UNAVAILABLE, NULL, "%s: %s; %s %s", what, strerror(errno),
	    full ? "free space in" : "see to", d != NULL ? d->path : "the audit directory");
}

static enum rc
write_at(int fd, struct span bytes, off_t at, struct fault *f)
{
	while (bytes.len > 0) {
		ssize_t n = pwrite(fd, bytes.ptr, bytes.len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return unavailable(NULL, "writing the audit's spool", f);
		span_cut(&bytes, (size_t)n);
		at += n;
	}
	return RC_OK;
}

static enum rc
sync_all(int fd, struct fault *f)
{
	if (fdatasync(fd) != 0)
		return unavailable(NULL, "syncing the audit's spool", f);
	return RC_OK;
}

/* ---- the file ------------------------------------------------------------------------- */

/* Zeros that are written, not a hole: the blocks must be there. */
static enum rc
fill(int fd, struct fault *f)
{
	static const uint8_t zeros[PIECE];

	for (off_t at = 0; at < AUDITSPOOL_SIZE; at += PIECE)
		TRY(write_at(fd, span_of(zeros, sizeof zeros), at, f));
	TRY(sync_all(fd, f));
	return RC_OK;
}

/*
 * ext4 without a journal syncs the whole block of its table of inodes, and the
 * audit file's is always changed: not in one block with that.
 */
static bool
lies_beside(int fd, ino_t ino)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_ino - 1) / NEIGHBOURS == (ino - 1) / NEIGHBOURS;
}

/* A new file; those that lie beside that inode keep their places until there is one. */
static int
create_apart(const struct auditdir *d, ino_t ino)
{
	int beside[NEIGHBOURS], fd = -1;
	size_t n = 0;

	do {
		unlinkat(d->fd, spool_name, 0);
		fd = openat(d->fd, spool_name,
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 || n == NEIGHBOURS || !lies_beside(fd, ino))
			break;
		beside[n++] = fd;
	} while (true);
	while (n > 0)
		close(beside[--n]);
	return fd;
}

/* A disk that is nearly full needs its room for the records. */
static bool
has_space(const struct auditdir *d)
{
	struct statvfs fs;

	return fstatvfs(d->fd, &fs) != 0 ||
	       fs.f_bavail >=
		   SPARE * (uint64_t)AUDITSPOOL_SIZE / (fs.f_frsize > 0 ? fs.f_frsize : 1);
}

static enum rc
make(const struct auditdir *d, ino_t ino, struct auditspool *s, struct fault *f)
{
	AUTO_FD fd = -1;
	enum rc rc;

	if (!has_space(d))
		return REFUSE(f, RC_IO, AUDIT_UNAVAILABLE, NULL,
		    "no room for the audit's spool (%d MiB) in %s",
		    SPARE * AUDITSPOOL_SIZE >> 20, d->path);
	fd = create_apart(d, ino);
	if (fd < 0)
		return unavailable(d, "making the audit's spool", f);
	rc = fill(fd, f);
	if (rc == RC_OK && fsync(d->fd) != 0)
		rc = unavailable(d, "making the audit's spool", f);
	if (rc != RC_OK) {
		unlinkat(d->fd, spool_name, 0);
		return rc;
	}
	s->fd = fd;
	fd = -1;
	return RC_OK;
}

enum rc
auditspool_open(const struct auditdir *d, struct auditspool *s, struct fault *f)
{
	AUTO_FD fd = -1;
	struct stat st;

	auditspool_close(s);
	unlinkat(d->fd, copy_name, 0); /* of a copy that was not finished */
	fd = openat(d->fd, spool_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return RC_NOT_FOUND;
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return REFUSE(f, RC_IO, AUDIT_UNAVAILABLE, NULL,
		    "%s/%s cannot be opened: %s; it may hold records", d->path, spool_name,
		    fd < 0 ? strerror(errno) : "it is no file");
	s->fd = fd;
	fd = -1;
	return RC_OK;
}

/* One of another size was not finished, or is of another build: it was looked at before. */
static bool
is_usable(int fd, ino_t ino)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size == AUDITSPOOL_SIZE && !lies_beside(fd, ino);
}

enum rc
auditspool_make(const struct auditdir *d, ino_t ino, struct auditspool *s, struct fault *f)
{
	if (auditspool_open(d, s, NULL) == RC_OK && is_usable(s->fd, ino))
		return RC_OK;
	auditspool_close(s);
	return make(d, ino, s, f);
}

void
auditspool_drop(const struct auditdir *d, struct auditspool *s)
{
	auditspool_close(s);
	unlinkat(d->fd, spool_name, 0);
	(void)fsync(d->fd);
}

void
auditspool_close(struct auditspool *s)
{
	bool suspect = s->suspect;

	if (s->fd >= 0)
		close(s->fd);
	buf_free(&s->out);
	*s = AUDITSPOOL_NONE;
	s->suspect = suspect;
}

/* ---- filling it ----------------------------------------------------------------------- */

enum rc
auditspool_begin(struct auditspool *s, const char *name, off_t base, struct fault *f)
{
	struct head h = blank;

	s->name[0] = '\0';
	s->octets = 0;
	s->at = BLOCK;
	buf_clear(&s->out);
	if (base > AUDITFILE_LIMIT)
		return REFUSE(f, RC_IO, AUDIT_UNAVAILABLE, NULL, "%s is too long", name);
	if (RAND_bytes(h.salt, sizeof h.salt) != 1)
		return FAULT(f, RC_BUG, "internal_error", "random octets");
	h.base = (uint64_t)base;
	memcpy(h.name, name, AUDITFILE_NAME_LEN);
	TRY(digest_sha256(span_of(&h, offsetof(struct head, hash)), h.hash, f));
	/* Durable with the first octets: until then the file has all there is. */
	TRY(write_at(s->fd, span_of(&h, sizeof h), 0, f));
	memcpy(s->seed, h.hash, sizeof s->seed);
	memcpy(s->name, h.name, sizeof s->name);
	s->base = base;
	return RC_OK;
}

bool
auditspool_has_room(const struct auditspool *s, const char *name, size_t len)
{
	size_t left = AUDITSPOOL_SIZE - s->at;

	return s->fd >= 0 && !s->owes && strcmp(s->name, name) == 0 &&
	       left >= sizeof(struct run) && left - sizeof(struct run) >= len;
}

/* The run as it lies on the disk, behind what its first block has already. */
static enum rc
put_run(
    struct buf *out, struct span octets, const uint8_t seed[DIGEST_SHA256_LEN], struct fault *f)
{
	struct run run = { .len = octets.len };
	size_t at = out->len;

	memcpy(run.hash, seed, sizeof run.hash);
	buf_put(out, &run, sizeof run);
	buf_span(out, octets);
	TRY(buf_check(out, f));
	TRY(digest_sha256(span_of(out->ptr + at, out->len - at), run.hash, f));
	memcpy(out->ptr + at, &run, sizeof run);
	return RC_OK;
}

/* Whole blocks: one that is not in memory would be read first. */
static enum rc
write_blocks(struct auditspool *s, size_t end, struct fault *f)
{
	static const uint8_t zeros[BLOCK];
	size_t len = s->out.len;
	off_t from = (off_t)(end - len);

	buf_put(&s->out, zeros, (BLOCK - len % BLOCK) % BLOCK);
	TRY(buf_check(&s->out, f));
	TRY(write_at(s->fd, buf_view(&s->out), from, f));
	s->out.len = len;
	return sync_all(s->fd, f);
}

enum rc
auditspool_put(struct auditspool *s, struct span octets, struct fault *f)
{
	size_t end = s->at + sizeof(struct run) + octets.len;

	TRY(put_run(&s->out, octets, s->seed, f));
	TRY(write_blocks(s, end, f));
	s->at = end;
	s->octets += octets.len;
	buf_consume(&s->out, s->out.len - end % BLOCK);
	return RC_OK;
}

enum rc
auditspool_clear(struct auditspool *s, struct fault *f)
{
	static const struct head none;

	s->name[0] = '\0';
	s->octets = 0;
	s->owes = false;
	TRY(write_at(s->fd, span_of(&none, sizeof none), 0, f));
	return sync_all(s->fd, f);
}

/* ---- what it holds --------------------------------------------------------------------- */

static enum rc
read_all(int fd, size_t max, struct buf *out, struct fault *f)
{
	for (size_t got = 0; got < max;) {
		uint8_t *room = buf_room(out, max - got);
		ssize_t n = room == NULL ? -1 : pread(fd, room, max - got, (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return unavailable(NULL, "reading the audit's spool", f);
		if (n == 0)
			break;
		buf_grew(out, (size_t)n);
		got += (size_t)n;
	}
	return RC_OK;
}

static bool
is_whole(const struct head *h)
{
	uint8_t hash[DIGEST_SHA256_LEN];

	return memcmp(h->magic, blank.magic, sizeof h->magic) == 0 &&
	       digest_sha256(span_of(h, offsetof(struct head, hash)), hash, NULL) == RC_OK &&
	       memcmp(h->hash, hash, sizeof hash) == 0 && h->name[AUDITFILE_NAME_LEN] == '\0' &&
	       h->base <= AUDITFILE_LIMIT;
}

/* The next run of this filling; false: it was not written whole, or is of another. */
static bool
next_run(struct span *in, const uint8_t seed[DIGEST_SHA256_LEN], struct buf *out)
{
	AUTO_BUF same = BUF_INIT(AUDITSPOOL_SIZE);
	struct span whole = *in, octets;
	struct run run;

	if (in->len < sizeof run)
		return false;
	memcpy(&run, span_cut(in, sizeof run).ptr, sizeof run);
	if (run.len == 0 || run.len > in->len)
		return false;
	octets = span_cut(in, (size_t)run.len);
	if (put_run(&same, octets, seed, NULL) != RC_OK ||
	    memcmp(same.ptr, whole.ptr, sizeof run) != 0)
		return false;
	buf_span(out, octets);
	return true;
}

bool
auditspool_decode(struct span all, struct auditspool_found *out)
{
	struct head h;
	struct span rest = all;

	if (all.len < BLOCK)
		return false;
	memcpy(&h, span_cut(&rest, BLOCK).ptr, sizeof h);
	if (!is_whole(&h))
		return false;
	memcpy(out->name, h.name, sizeof out->name);
	memcpy(out->seed, h.hash, sizeof out->seed);
	out->base = (off_t)h.base;
	while (next_run(&rest, h.hash, &out->octets))
		;
	return buf_check(&out->octets, NULL) == RC_OK;
}

/* What it holds; the name is "" where its head is not whole. */
static enum rc
collect(const struct auditspool *s, struct auditspool_found *out, struct fault *f)
{
	AUTO_BUF all = BUF_INIT(AUDITSPOOL_SIZE);

	TRY(read_all(s->fd, AUDITSPOOL_SIZE, &all, f));
	if (!auditspool_decode(buf_view(&all), out))
		out->name[0] = '\0';
	return RC_OK;
}

/* ---- putting back --------------------------------------------------------------------- */

#define AUTO_FOUND __attribute__((cleanup(drop_found))) struct auditspool_found

static void
drop_found(struct auditspool_found *found)
{
	buf_free(&found->octets);
}

/* The file has these octets in that place. */
static bool
has(int fd, off_t base, struct span octets)
{
	uint8_t piece[BLOCK];

	while (octets.len > 0) {
		ssize_t n = pread(fd, piece, octets.len < BLOCK ? octets.len : BLOCK, base);

		if (n <= 0 || memcmp(piece, octets.ptr, (size_t)n) != 0)
			return false;
		span_cut(&octets, (size_t)n);
		base += n;
	}
	return true;
}

static enum rc
copy_start(const struct auditdir *d, int from, int to, off_t len, struct fault *f)
{
	AUTO_BUF piece = BUF_INIT(PIECE);
	uint8_t *room = buf_room(&piece, PIECE);

	if (room == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "the audit");
	for (off_t at = 0; at < len;) {
		size_t left = len - at < PIECE ? (size_t)(len - at) : PIECE;
		ssize_t n = pread(from, room, left, at);

		if (n < 0)
			return unavailable(d, "reading an audit file", f);
		if (n == 0)
			return REFUSE(f, RC_NOT_FOUND, AUDIT_UNAVAILABLE, NULL,
			    "the last audit file in %s is shorter than it was; move it away",
			    d->path);
		TRY(write_at(to, span_of(room, (size_t)n), at, f));
		at += n;
	}
	return RC_OK;
}

/* As long as len at least, with the octets in their place. */
static enum rc
write_copy(const struct auditdir *d, int from, int to, off_t len, off_t base,
    struct span octets, struct fault *f)
{
	TRY(copy_start(d, from, to, len, f));
	TRY(write_at(to, octets, base, f));
	if (fchmod(to, 0640) != 0 || fsync(to) != 0)
		return unavailable(d, "copying an audit file", f);
	return RC_OK;
}

/* A copy of the file's first len octets, and with these in their place, takes its place. */
static enum rc
replace(const struct auditdir *d, const char *name, int from, off_t len, off_t base,
    struct span octets, struct fault *f)
{
	AUTO_FD to = -1;
	enum rc rc;

	unlinkat(d->fd, copy_name, 0);
	to = openat(
	    d->fd, copy_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (to < 0)
		return unavailable(d, "copying an audit file", f);
	rc = write_copy(d, from, to, len, base, octets, f);
	if (rc == RC_OK && renameat(d->fd, copy_name, d->fd, name) != 0)
		rc = unavailable(d, "copying an audit file", f);
	if (rc != RC_OK) {
		unlinkat(d->fd, copy_name, 0);
		return rc;
	}
	if (fsync(d->fd) != 0)
		return unavailable(d, "copying an audit file", f);
	return RC_OK;
}

enum rc
auditspool_copy(
    const struct auditdir *d, const char *name, int from, off_t len, struct fault *f)
{
	return replace(d, name, from, len, len, span_of(NULL, 0), f);
}

/*
 * Written again even where the file has them: the kernel reports a write that
 * failed once, to whoever asked then, and has forgotten it for a process that
 * asks later.  What is behind them stays.
 */
static enum rc
write_back(
    const struct auditdir *d, const struct auditspool_found *found, int fd, struct fault *f)
{
	struct span octets = buf_view(&found->octets);
	struct stat st;

	if (fstat(fd, &st) != 0)
		return unavailable(d, "opening an audit file", f);
	if (st.st_size < found->base)
		return REFUSE(f, RC_NOT_FOUND, AUDIT_UNAVAILABLE, NULL,
		    "%s/%s is shorter than it was; move it away", d->path, found->name);
	if (write_at(fd, octets, found->base, NULL) == RC_OK && fdatasync(fd) == 0)
		return RC_OK;
	return replace(d, found->name, fd, st.st_size, found->base, octets, f);
}

enum rc
auditspool_restore(const struct auditdir *d, struct auditspool *s,
    struct auditspool_restored *out, struct fault *f)
{
	AUTO_FOUND found = AUDITSPOOL_NOTHING;
	AUTO_FD fd = -1;
	struct span octets;
	bool had;

	*out = (struct auditspool_restored){ 0 };
	TRY(collect(s, &found, f));
	octets = buf_view(&found.octets);
	if (octets.len == 0)
		return RC_OK;
	fd = openat(d->fd, found.name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return RC_OK;
	if (fd < 0)
		return unavailable(d, "opening an audit file", f);
	had = has(fd, found.base, octets);
	TRY(write_back(d, &found, fd, f));
	memcpy(out->name, found.name, sizeof out->name);
	out->end = found.base + (off_t)octets.len;
	out->octets = had ? 0 : octets.len;
	return RC_OK;
}

/* What was put last and failed was never acknowledged, and is numbered anew elsewhere. */
static enum rc
put_back(const struct auditdir *d, const struct auditspool *s, struct fault *f)
{
	AUTO_FD from = openat(d->fd, s->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	AUTO_FOUND found = AUDITSPOOL_NOTHING;

	if (from < 0 && errno == ENOENT)
		return REFUSE(f, RC_NOT_FOUND, AUDIT_UNAVAILABLE, NULL, "%s is gone from %s",
		    s->name, d->path);
	if (from < 0)
		return unavailable(d, "opening an audit file", f);
	TRY(collect(s, &found, f));
	if (found.octets.len < s->octets || memcmp(found.seed, s->seed, sizeof s->seed) != 0)
		return REFUSE(f, RC_NOT_FOUND, AUDIT_UNAVAILABLE, NULL,
		    "%s/%s: its sync failed, and the spool has not all of it either", d->path,
		    s->name);
	return replace(
	    d, s->name, from, s->base, s->base, span_of(found.octets.ptr, s->octets), f);
}

enum rc
auditspool_settle(const struct auditdir *d, struct auditspool *s, struct fault *f)
{
	enum rc rc = s->owes ? put_back(d, s, f) : RC_OK;

	if (rc == RC_OK || rc == RC_NOT_FOUND)
		s->owes = false;
	return rc;
}
