#include "agent/front/auditfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "agent/front/auditspool.h"
#include "agent/front/store.h"

enum { NAME_TRIES = 64, MARK_MAX = 128, PUSH = 256 * 1024 };

/* What happened, by errno, and what helps. */
static enum rc
unavailable(const struct auditdir *d, const char *what, struct fault *f)
{
	bool full = errno == ENOSPC || errno == EDQUOT;

	return REFUSE(f, RC_IO, AUDIT_UNAVAILABLE, NULL, "%s: %s; %s %s", what, strerror(errno),
	    full ? "free space in" : "see to", d->path);
}

/* ---- the directory ------------------------------------------------------------------ */

/* Two writers would fork the chain. */
static enum rc
open_and_lock(const struct auditdir *d, int *out, struct fault *f)
{
	AUTO_FD fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return unavailable(d, "opening the audit directory", f);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return unavailable(d, "the audit directory is in use", f);
	*out = fd;
	fd = -1;
	return RC_OK;
}

enum rc
auditdir_open(const char *path, struct auditdir *out, struct fault *f)
{
	/* Whole: who reads it in the log stands elsewhere. */
	*out = (struct auditdir){ .fd = -1, .path = realpath(path, NULL) };
	if (out->path == NULL)
		out->path = strdup(path);
	if (out->path == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "the audit directory");
	return open_and_lock(out, &out->fd, f);
}

void
auditdir_close(struct auditdir *d)
{
	if (d->fd >= 0)
		close(d->fd);
	free(d->path);
	*d = (struct auditdir){ .fd = -1 };
}

enum rc
auditdir_keep(struct auditdir *d, struct fault *f)
{
	struct stat ours, named;
	int fd = -1;

	if (fstat(d->fd, &ours) != 0 || stat(d->path, &named) != 0)
		return unavailable(d, "looking for the audit directory", f);
	if (ours.st_dev == named.st_dev && ours.st_ino == named.st_ino)
		return RC_OK;
	TRY(open_and_lock(d, &fd, f));
	close(d->fd);
	d->fd = fd;
	return RC_OK;
}

/* ---- names -------------------------------------------------------------------------- */

static bool
is_file_name(const char *name)
{
	static const char form[] = "audit-dddddddd-dddddd.jsonl";

	if (strlen(name) != AUDITFILE_NAME_LEN)
		return false;
	for (size_t i = 0; i < AUDITFILE_NAME_LEN; i++) {
		bool digit = name[i] >= '0' && name[i] <= '9';

		/* "audit" and ".jsonl" have a d of their own, but no digit. */
		if (i >= 6 && form[i] == 'd' ? !digit : name[i] != form[i])
			return false;
	}
	return true;
}

/* The name of the newest file that sorts before limit ("": any); "" where there is none. */
static enum rc
newest(const struct auditdir *d, const char *limit, char out[AUDITFILE_NAME_LEN + 1],
    struct fault *f)
{
	int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (list == NULL) {
		enum rc rc = unavailable(d, "reading the audit directory", f);

		if (fd >= 0)
			close(fd);
		return rc;
	}
	out[0] = '\0';
	for (struct dirent *e = readdir(list); e != NULL; e = readdir(list)) {
		if (is_file_name(e->d_name) && strcmp(e->d_name, out) > 0 &&
		    (limit[0] == '\0' || strcmp(e->d_name, limit) < 0))
			memcpy(out, e->d_name, AUDITFILE_NAME_LEN + 1);
	}
	closedir(list);
	return RC_OK;
}

/*
 * Names sort as the files follow each other, also when two begin in the same
 * second or the clock was set back: then the name runs ahead of the clock.
 */
static void
next_name(const char *last, time_t now_s, char out[AUDITFILE_NAME_LEN + 1])
{
	struct tm tm;

	for (unsigned ahead = 0;; ahead++) {
		gmtime_r(&now_s, &tm);
		strftime(out, AUDITFILE_NAME_LEN + 1, "audit-%Y%m%d-%H%M%S.jsonl", &tm);
		if (strcmp(out, last) > 0 || ahead > 1)
			return;
		if (ahead == 0) {
			struct tm from = { 0 };

			if (strptime(last, "audit-%Y%m%d-%H%M%S", &from) != NULL)
				now_s = timegm(&from);
		}
		now_s++;
	}
}

int64_t
auditfile_today(void)
{
	return time(NULL) / (24 * 60 * 60);
}

/* ---- the file in use ---------------------------------------------------------------- */

/* The group reads it, whatever the umask; the name is as durable as what it names. */
static enum rc
settle_file(const struct auditdir *d, struct auditfile *file, struct fault *f)
{
	struct stat st;

	if (fchmod(file->fd, 0640) != 0 || fsync(d->fd) != 0 || fstat(file->fd, &st) != 0)
		return unavailable(d, "creating an audit file", f);
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	return RC_OK;
}

enum rc
auditfile_create(const struct auditdir *d, struct auditfile *out, struct fault *f)
{
	int flags = O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	struct auditfile file = { .fd = -1, .day = auditfile_today() };
	char last[AUDITFILE_NAME_LEN + 1] = "";
	enum rc rc;

	TRY(newest(d, "", last, f));
	for (int i = 0; i < NAME_TRIES && file.fd < 0; i++) {
		next_name(last, time(NULL), file.name);
		file.fd = openat(d->fd, file.name, flags, 0640);
		if (file.fd < 0 && errno != EEXIST)
			break;
		memcpy(last, file.name, sizeof last);
	}
	if (file.fd < 0)
		return unavailable(d, "creating an audit file", f);
	rc = settle_file(d, &file, f);
	if (rc != RC_OK) {
		close(file.fd);
		return rc;
	}
	*out = file;
	return RC_OK;
}

/*
 * By its whole path: also when the directory was moved, nobody would find it.
 * Its times are not asked for: a file whose times were looked at gets new ones
 * at each write, and they are synced as well.
 */
bool
auditfile_in_place(const struct auditdir *d, const struct auditfile *file)
{
	AUTO_BUF path = BUF_INIT(STORE_PATH_MAX + AUDITFILE_NAME_LEN + 2);
	struct statx st;

	buf_printf(&path, "%s/%s", d->path, file->name);
	return buf_check(&path, NULL) == RC_OK &&
	       statx(AT_FDCWD, buf_text(&path), AT_SYMLINK_NOFOLLOW, STATX_INO, &st) == 0 &&
	       makedev(st.stx_dev_major, st.stx_dev_minor) == file->dev &&
	       st.stx_ino == file->ino;
}

static enum rc
write_all(const struct auditdir *d, int fd, struct span bytes, struct fault *f)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return unavailable(d, "writing the audit", f);
		span_cut(&bytes, (size_t)n);
	}
	return RC_OK;
}

/* All of it, by a sync of its own; what follows goes to the spool, if it can be had. */
static enum rc
sync_file(const struct auditdir *d, struct auditfile *file, struct auditspool *spool, off_t end,
    struct fault *f)
{
	if (fdatasync(file->fd) != 0) {
		file->broken = true;
		return unavailable(d, "syncing the audit", f);
	}
	file->synced = file->pushed = end;
	if (spool->fd >= 0 && auditspool_begin(spool, file->name, end, NULL) != RC_OK)
		auditspool_drop(d, spool);
	return RC_OK;
}

/* So that the sync of its own, when the spool is full, finds little left to do. */
static void
push(struct auditfile *file, off_t end)
{
	if (end - file->pushed < PUSH)
		return;
	(void)sync_file_range(
	    file->fd, file->pushed, end - file->pushed, SYNC_FILE_RANGE_WRITE);
	file->pushed = end;
}

static enum rc
make_durable(const struct auditdir *d, struct auditfile *file, struct auditspool *spool,
    struct span bytes, struct fault *f)
{
	off_t end = file->good + (off_t)bytes.len;

	if (!auditspool_has_room(spool, file->name, bytes.len))
		return sync_file(d, file, spool, end, f);
	if (auditspool_put(spool, bytes, NULL) == RC_OK) {
		push(file, end);
		return RC_OK;
	}
	/* Until this sync has gone well, the spool has what was put there before. */
	TRY(sync_file(d, file, spool, end, f));
	auditspool_drop(d, spool);
	return RC_OK;
}

enum rc
auditfile_write(const struct auditdir *d, struct auditfile *file, struct auditspool *spool,
    struct span bytes, struct fault *f)
{
	TRY(write_all(d, file->fd, bytes, f));
	if (spool != NULL)
		TRY(make_durable(d, file, spool, bytes, f));
	if (!auditfile_in_place(d, file))
		return REFUSE(f, RC_NOT_FOUND, AUDIT_UNAVAILABLE, NULL,
		    "%s was taken away from %s while it was written", file->name, d->path);
	file->good += (off_t)bytes.len;
	return RC_OK;
}

/* What only the spool has kept so far; a second sync of what failed would lie. */
static bool
sync_rest(struct auditfile *file)
{
	if (file->synced == file->good)
		return true;
	if (file->broken || fdatasync(file->fd) != 0) {
		file->broken = true;
		return false;
	}
	file->synced = file->pushed = file->good;
	return true;
}

void
auditfile_abandon(struct auditfile *file, struct auditspool *spool)
{
	bool cut, synced;

	if (file->fd < 0)
		return;
	cut = ftruncate(file->fd, file->good) == 0;
	synced = fdatasync(file->fd) == 0 && !file->broken;
	if (spool->fd >= 0 && strcmp(spool->name, file->name) == 0 &&
	    (!cut || (!synced && file->synced < file->good))) {
		spool->owes = true;
		spool->octets = (size_t)(file->good - spool->base);
	}
	close(file->fd);
	file->fd = -1;
}

bool
auditfile_settle(struct auditfile *file, struct auditspool *spool)
{
	if (file->fd < 0)
		return true;
	if (sync_rest(file))
		return true;
	auditfile_abandon(file, spool);
	return false;
}

/* Not to come back by a crash: it would be the newest. */
void
auditfile_discard(const struct auditdir *d, struct auditfile *file)
{
	/* Where it cannot be removed it has nothing in it: no half line, no seq twice. */
	(void)!ftruncate(file->fd, 0);
	if (auditfile_in_place(d, file)) {
		unlinkat(d->fd, file->name, 0);
		(void)fsync(d->fd);
	}
	close(file->fd);
	file->fd = -1;
}

/* ---- recovery ----------------------------------------------------------------------- */

struct recovery {
	const struct auditdir *dir;
	struct auditspool *spool;
	struct auditchain *chain;
	const struct auditmark *known;
	struct auditspool_restored back;
	struct auditfound found;
	size_t good; /* where the last complete line of the file ends */
};

static void
compare(struct recovery *r)
{
	struct auditmark at = auditchain_mark(r->chain);

	if (at.seq == r->known->seq && strcmp(at.prev, r->known->prev) != 0)
		r->found.changed = true;
}

/* Follow the complete lines of a file. */
static enum rc
follow_file(struct recovery *r, struct span text, struct fault *f)
{
	for (struct span rest = text; rest.len > 0;) {
		const uint8_t *end = memchr(rest.ptr, '\n', rest.len);

		if (end == NULL)
			return RC_OK;
		TRY(auditchain_follow(
		    r->chain, span_cut(&rest, (size_t)(end - rest.ptr)), r->good == 0, f));
		compare(r);
		span_cut(&rest, 1);
		r->good = text.len - rest.len;
	}
	return RC_OK;
}

/*
 * No record has a NUL.  Where a crash of the machine left one behind what was
 * acknowledged, blocks of a record were never written, and no later one was answered for.
 */
static struct span
without_holes(const struct recovery *r, const char *name, struct span text)
{
	off_t sure = strcmp(r->back.name, name) == 0 ? r->back.end : (off_t)text.len;
	const uint8_t *hole =
	    sure < (off_t)text.len ? memchr(text.ptr + sure, 0, text.len - (size_t)sure) : NULL;

	return span_of(text.ptr, hole == NULL ? text.len : (size_t)(hole - text.ptr));
}

static enum rc
map_and_follow(struct recovery *r, int fd, const char *name, size_t len, struct fault *f)
{
	void *map;
	enum rc rc;

	if (len == 0)
		return RC_OK;
	map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return unavailable(r->dir, "reading the last audit file", f);
	rc = follow_file(r, without_holes(r, name, span_of(map, len)), f);
	munmap(map, len);
	return rc;
}

/* Cut off what has no newline: it was never acknowledged. */
static enum rc
cut_tail(const struct recovery *r, int fd, const char *name, struct fault *f)
{
	if (r->good == 0 ? unlinkat(r->dir->fd, name, 0) != 0 || fsync(r->dir->fd) != 0
			 : ftruncate(fd, (off_t)r->good) != 0)
		return unavailable(r->dir, "cutting off a torn line", f);
	return RC_OK;
}

/* The file stands in the way of going on; it is the operator's to judge. */
static enum rc
in_the_way(const struct recovery *r, const char *name, const char *why, struct fault *f)
{
	return FAULT(f, RC_INVALID, "audit_chain", "%s/%s: %s; move it away, a new file begins",
	    r->dir->path, name, why);
}

/* What follows it must not be more durable than it is; a sync that failed is not asked again. */
static enum rc
sync_last(struct recovery *r, int fd, const char *name, struct fault *f)
{
	if (!r->spool->suspect && fdatasync(fd) == 0)
		return RC_OK;
	r->spool->suspect = true;
	TRY(auditspool_copy(r->dir, name, fd, (off_t)r->good, f));
	r->spool->suspect = false;
	return RC_OK;
}

static enum rc
recover_file(struct recovery *r, const char *name, struct fault *f)
{
	/* Not blocking: a fifo there must not hold the start. */
	AUTO_FD fd = -1;
	struct fault inner = { 0 };
	struct stat st;
	enum rc rc;

	r->good = 0;
	fd = openat(r->dir->fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0)
		return in_the_way(
		    r, name, errno == ELOOP ? "a symbolic link" : strerror(errno), f);
	if (!S_ISREG(st.st_mode) || st.st_size > AUDITFILE_LIMIT)
		return in_the_way(r, name, "no audit file", f);
	rc = map_and_follow(r, fd, name, (size_t)st.st_size, &inner);
	if (rc == RC_INVALID)
		return in_the_way(r, name, inner.detail, f);
	if (rc != RC_OK)
		return fault_set(f, rc, inner.reason, NULL, inner.where, "%s", inner.detail);
	r->found.torn += (size_t)st.st_size - r->good;
	if ((size_t)st.st_size > r->good || r->good == 0)
		TRY(cut_tail(r, fd, name, f));
	return r->good == 0 ? RC_OK : sync_last(r, fd, name, f);
}

/* The newest file with a complete line; one without is what a crash at its creation left. */
enum rc
auditfile_recover(const struct auditdir *d, struct auditspool *spool, struct auditchain *c,
    const struct auditmark *known, struct auditfound *out, struct fault *f)
{
	struct recovery r = { .dir = d, .spool = spool, .chain = c, .known = known };
	char limit[AUDITFILE_NAME_LEN + 1] = "", name[AUDITFILE_NAME_LEN + 1];

	if (spool->fd >= 0)
		TRY(auditspool_restore(d, spool, &r.back, f));
	r.found.restored = r.back.octets;
	while (r.good == 0) {
		TRY(newest(d, limit, name, f));
		if (name[0] == '\0')
			break;
		TRY(recover_file(&r, name, f));
		memcpy(limit, name, sizeof limit);
	}
	*out = r.found;
	return RC_OK;
}

/* ---- the mark ----------------------------------------------------------------------- */

static void
put_mark(struct buf *out, const struct auditmark *mark)
{
	buf_printf(out, "{\"seq\":%" PRIu64 ",\"hash\":\"%s\"}\n", mark->seq, mark->prev);
}

/* Nothing but what put_mark() writes. */
static bool
parse_mark(const char *text, struct auditmark *out)
{
	AUTO_BUF same = BUF_INIT(MARK_MAX);
	struct auditmark mark = { 0 };

	if (sscanf(text, "{\"seq\":%" SCNu64 ",\"hash\":\"%64[0-9a-f]\"}", &mark.seq,
		mark.prev) != 2)
		return false;
	put_mark(&same, &mark);
	if (buf_check(&same, NULL) != RC_OK || strcmp(buf_text(&same), text) != 0 ||
	    strlen(mark.prev) != AUDIT_HASH_TEXT)
		return false;
	*out = mark;
	return true;
}

enum rc
auditfile_read_mark(const char *path, struct auditmark *out, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(MARK_MAX);
	enum rc rc = store_read(path, MARK_MAX, &text, f);

	if (rc == RC_NOT_FOUND) {
		*out = (struct auditmark){ 0 };
		return RC_OK;
	}
	TRY(rc);
	if (!parse_mark(buf_text(&text), out))
		return FAULT(f, RC_INVALID, "store", "%s is damaged", path);
	return RC_OK;
}

enum rc
auditfile_write_mark(const char *path, const struct auditmark *mark, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(MARK_MAX);

	put_mark(&text, mark);
	TRY(buf_check(&text, f));
	return store_write(path, buf_view(&text), 0600, f);
}
