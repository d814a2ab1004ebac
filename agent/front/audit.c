#include "agent/front/audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/front/auditchain.h"
#include "stir/jtext.h"

enum {
	MAX_RECORD = 65536,	       /* members of one record */
	MAX_QUEUE = 64 * 1024 * 1024,  /* octets that wait */
	MAX_BATCH = 128 * 1024 * 1024, /* the same with numbers and hashes */
	MAX_FILE = 256 * 1024 * 1024,  /* a new file above */
	MAX_OPEN = 16 * 1024 * 1024,   /* an open record, which names all tenants */
	STAMP_LEN = 15,		       /* YYYYMMDD-HHMMSS */
	NAME_LEN = 6 + STAMP_LEN + 6,  /* audit-….jsonl */
	NAME_TRIES = 64,
	RETRY_S = 1,
};

/* What waits: records without their numbers, each behind its head. */
struct head {
	uint32_t stamp, tenant, cause, members;
};

struct queue {
	struct buf bytes;
	size_t records;
	uint64_t last; /* ticket of the newest */
};

struct file {
	int fd;
	int64_t day; /* days since 1970 */
	off_t good;  /* octets up to the last good sync */
	char name[NAME_LEN + 1];
};

struct audit {
	int dir;
	int event;
	bool sync;

	/* The event loop's. */
	uint64_t tickets;
	uint64_t due, begun; /* tickets: to be written, given to the writer */
	struct queue held;

	/* Between the two. */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct queue waiting;
	bool stopping;
	atomic_size_t unwritten;  /* records that are not durable */
	_Atomic uint64_t durable; /* ticket */
	_Atomic uint64_t seq;	  /* of the last durable line */
	atomic_bool failed;

	/* The writer's. */
	pthread_t thread;
	bool running;
	struct auditchain *chain;
	struct file file;
	struct queue batch;
	struct buf lines;
};

static enum rc
unavailable(struct fault *f, const char *what)
{
	return REFUSE(f, RC_IO, AUDIT_UNAVAILABLE, NULL, "%s: %s", what, strerror(errno));
}

/* The text of a second serves for all records of it; of this thread. */
static const char *
second_text(time_t second)
{
	static _Thread_local char text[32];
	static _Thread_local time_t of = -1;
	struct tm tm;

	if (second == of)
		return text;
	gmtime_r(&second, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.", &tm);
	of = second;
	return text;
}

static void
put_time(struct buf *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	buf_str(out, "\"time\":\"");
	buf_str(out, second_text(now.tv_sec));
	buf_byte(out, (uint8_t)('0' + now.tv_nsec / 100000000));
	buf_byte(out, (uint8_t)('0' + now.tv_nsec / 10000000 % 10));
	buf_byte(out, (uint8_t)('0' + now.tv_nsec / 1000000 % 10));
	buf_str(out, "Z\",\"event\":");
}

/* ---- files -------------------------------------------------------------------------- */

static bool
is_file_name(const char *name)
{
	static const char form[] = "audit-dddddddd-dddddd.jsonl";

	if (strlen(name) != NAME_LEN)
		return false;
	for (size_t i = 0; i < NAME_LEN; i++) {
		bool digit = name[i] >= '0' && name[i] <= '9';

		/* "audit" and ".jsonl" have a d of their own, but no digit. */
		if (i >= 6 && form[i] == 'd' ? !digit : name[i] != form[i])
			return false;
	}
	return true;
}

/* The name of the newest file that sorts before limit ("": any); "" where there is none. */
static enum rc
newest(int dir, const char *limit, char out[NAME_LEN + 1], struct fault *f)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return unavailable(f, "reading the audit directory");
	}
	out[0] = '\0';
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		if (is_file_name(e->d_name) && strcmp(e->d_name, out) > 0 &&
		    (limit[0] == '\0' || strcmp(e->d_name, limit) < 0))
			memcpy(out, e->d_name, NAME_LEN + 1);
	}
	closedir(d);
	return RC_OK;
}

/*
 * Names sort as the files follow each other, also when two begin in the same
 * second or the clock was set back: then the name runs ahead of the clock.
 */
static void
next_name(const char *last, time_t now_s, char out[NAME_LEN + 1])
{
	struct tm tm;

	for (unsigned ahead = 0;; ahead++) {
		gmtime_r(&now_s, &tm);
		strftime(out, NAME_LEN + 1, "audit-%Y%m%d-%H%M%S.jsonl", &tm);
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

static int64_t
today(void)
{
	return time(NULL) / (24 * 60 * 60);
}

static enum rc
create_file(const struct audit *a, struct file *out, struct fault *f)
{
	int flags = O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	struct file file = { .fd = -1, .day = today() };
	char last[NAME_LEN + 1] = "";

	TRY(newest(a->dir, "", last, f));
	for (int i = 0; i < NAME_TRIES && file.fd < 0; i++) {
		next_name(last, time(NULL), file.name);
		file.fd = openat(a->dir, file.name, flags, 0640);
		if (file.fd < 0 && errno != EEXIST)
			return unavailable(f, "creating an audit file");
		memcpy(last, file.name, sizeof last);
	}
	/* The group reads it, whatever the umask; the name is as durable as what it names. */
	if (file.fd < 0 || fchmod(file.fd, 0640) != 0 || fsync(a->dir) != 0) {
		enum rc rc = unavailable(f, "creating an audit file");

		if (file.fd >= 0)
			close(file.fd);
		return rc;
	}
	*out = file;
	return RC_OK;
}

static enum rc
write_all(int fd, struct span bytes, struct fault *f)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return unavailable(f, "writing the audit");
		span_cut(&bytes, (size_t)n);
	}
	return RC_OK;
}

/* One write, one sync, at once: what was appended meanwhile shares the next one. */
static enum rc
commit(struct audit *a, struct file *file, struct span bytes, struct fault *f)
{
	TRY(write_all(file->fd, bytes, f));
	if (a->sync && fdatasync(file->fd) != 0)
		return unavailable(f, "syncing the audit");
	file->good += (off_t)bytes.len;
	return RC_OK;
}

/* ---- records ------------------------------------------------------------------------ */

/* The next record of a batch; false at its end. */
static bool
next_record(struct span *in, struct auditrecord *r)
{
	struct head h;

	if (in->len == 0)
		return false;
	memcpy(&h, span_cut(in, sizeof h).ptr, sizeof h);
	r->stamp = span_cut(in, h.stamp);
	r->tenant = span_cut(in, h.tenant);
	r->cause = span_cut(in, h.cause);
	r->members = span_cut(in, h.members);
	return true;
}

/* Undo the numbers of records, so that they can be written elsewhere. */
static void
take_back(struct audit *a, const struct auditmark *mark, struct span records)
{
	struct auditrecord r;

	auditchain_back(a->chain, mark);
	while (next_record(&records, &r))
		auditchain_untenant(a->chain, r.tenant);
}

/* All of the batch or, in the chain, nothing. */
static enum rc
render_batch(struct audit *a, struct buf *out, struct fault *f)
{
	struct span all = buf_view(&a->batch.bytes), in = all;
	struct auditmark mark = auditchain_mark(a->chain);
	struct auditrecord r;

	for (struct span rest = in; next_record(&rest, &r); in = rest) {
		enum rc rc = auditchain_render(a->chain, &r, out, f);

		if (rc != RC_OK) {
			take_back(a, &mark, span_of(all.ptr, all.len - in.len));
			return rc;
		}
	}
	return RC_OK;
}

/* The first line of a file has what a restart needs to know of the files before it. */
static enum rc
render_open(struct audit *a, size_t torn, const char *why, struct buf *out, struct fault *f)
{
	AUTO_BUF members = BUF_INIT(MAX_OPEN), stamp = BUF_INIT(128);

	put_time(&stamp);
	buf_str(&stamp, "\"open\"");
	auditchain_put_tenants(a->chain, &members);
	if (torn > 0)
		buf_printf(&members, ",\"torn_bytes\":%zu", torn);
	if (why != NULL)
		buf_printf(&members, ",\"why\":\"%s\"", why);
	TRY(buf_check(&members, f));
	TRY(buf_check(&stamp, f));
	return auditchain_render(a->chain,
	    &(struct auditrecord){
		.stamp = buf_view(&stamp),
		.tenant = span_str("null"),
		.cause = span_str("\"request_id\":null,\"reason\":null"),
		.members = buf_view(&members),
	    },
	    out, f);
}

/* ---- the writer --------------------------------------------------------------------- */

/* The file that failed keeps nothing that was not synced: its records stand in the next one. */
static void
abandon(struct audit *a)
{
	if (a->file.fd < 0)
		return;
	if (ftruncate(a->file.fd, a->file.good) == 0)
		fdatasync(a->file.fd);
	close(a->file.fd);
	a->file.fd = -1;
}

static void
discard(const struct audit *a, const struct file *file)
{
	close(file->fd);
	unlinkat(a->dir, file->name, 0);
}

/* The open record and the batch; on failure the chain is where it was. */
static enum rc
fill_file(struct audit *a, struct file *file, size_t torn, const char *why, struct fault *f)
{
	struct auditmark mark = auditchain_mark(a->chain);
	enum rc rc;

	buf_clear(&a->lines);
	TRY(render_open(a, torn, why, &a->lines, f));
	rc = render_batch(a, &a->lines, f);
	if (rc != RC_OK) {
		auditchain_back(a->chain, &mark);
		return rc;
	}
	rc = commit(a, file, buf_view(&a->lines), f);
	if (rc != RC_OK)
		take_back(a, &mark, buf_view(&a->batch.bytes));
	return rc;
}

/* Begin a new file; the one in use stays on failure. */
static enum rc
begin_file(struct audit *a, size_t torn, const char *why, struct fault *f)
{
	struct file file = { .fd = -1 };
	enum rc rc;

	TRY(create_file(a, &file, f));
	rc = fill_file(a, &file, torn, why, f);
	if (rc != RC_OK) {
		discard(a, &file);
		return rc;
	}
	if (a->file.fd >= 0)
		close(a->file.fd);
	a->file = file;
	atomic_store(&a->seq, auditchain_mark(a->chain).seq);
	return RC_OK;
}

static enum rc
append_to_file(struct audit *a, struct fault *f)
{
	struct auditmark mark = auditchain_mark(a->chain);
	enum rc rc;

	buf_clear(&a->lines);
	TRY(render_batch(a, &a->lines, f));
	rc = commit(a, &a->file, buf_view(&a->lines), f);
	if (rc != RC_OK)
		take_back(a, &mark, buf_view(&a->batch.bytes));
	return rc;
}

/*
 * After a failed sync the kernel may have dropped the pages and a second sync
 * would lie: everything since the last good one goes into a new file.
 */
static enum rc
write_batch(struct audit *a, struct fault *f)
{
	bool full = a->file.good + (off_t)a->batch.bytes.len > MAX_FILE;

	if (a->file.fd < 0)
		return begin_file(a, 0, "failure", f);
	/* Where no new file can be had, the one in use may still take it. */
	if ((full || a->file.day != today()) &&
	    begin_file(a, 0, full ? "size" : "day", NULL) == RC_OK)
		return RC_OK;
	if (append_to_file(a, NULL) == RC_OK) {
		atomic_store(&a->seq, auditchain_mark(a->chain).seq);
		return RC_OK;
	}
	abandon(a);
	return begin_file(a, 0, "failure", f);
}

static void
notify(const struct audit *a)
{
	static const uint64_t one = 1;

	/* Full means that the loop was told already. */
	if (write(a->event, &one, sizeof one) < 0)
		return;
}

static void
publish(struct audit *a)
{
	atomic_store(&a->durable, a->batch.last);
	atomic_fetch_sub(&a->unwritten, a->batch.records);
	atomic_store(&a->failed, false);
	buf_clear(&a->batch.bytes);
	a->batch.records = 0;
	notify(a);
}

static struct timespec
in_a_second(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += RETRY_S;
	return t;
}

/* Wait for records, or for the moment to try again; false when there is nothing left to do. */
static bool
take_batch(struct audit *a)
{
	struct timespec until = in_a_second();
	bool pending = a->batch.records > 0, go;
	int waited = 0;

	pthread_mutex_lock(&a->lock);
	while (pending && !a->stopping && waited != ETIMEDOUT)
		waited = pthread_cond_timedwait(&a->wake, &a->lock, &until);
	while (!pending && !a->stopping && a->waiting.records == 0)
		pthread_cond_wait(&a->wake, &a->lock);
	if (!pending) {
		struct queue taken = a->waiting;

		a->waiting = a->batch;
		a->batch = taken;
	}
	go = a->batch.records > 0;
	pthread_mutex_unlock(&a->lock);
	return go;
}

static bool
is_stopping(struct audit *a)
{
	bool stopping;

	pthread_mutex_lock(&a->lock);
	stopping = a->stopping;
	pthread_mutex_unlock(&a->lock);
	return stopping;
}

static void *
writer(void *arg)
{
	struct audit *a = arg;

	while (take_batch(a)) {
		if (write_batch(a, NULL) == RC_OK) {
			publish(a);
			continue;
		}
		abandon(a);
		if (!atomic_exchange(&a->failed, true))
			notify(a);
		if (is_stopping(a))
			break; /* it was tried; the disk does not take it */
	}
	return NULL;
}

/* ---- recovery ----------------------------------------------------------------------- */

/* Follow the complete lines of a file; *good is where the last one ends. */
static enum rc
follow_file(struct auditchain *c, struct span text, size_t *good, struct fault *f)
{
	bool first = true;

	*good = 0;
	for (struct span rest = text; rest.len > 0;) {
		const uint8_t *end = memchr(rest.ptr, '\n', rest.len);

		if (end == NULL)
			return RC_OK;
		TRY(auditchain_follow(c, span_cut(&rest, (size_t)(end - rest.ptr)), first, f));
		span_cut(&rest, 1);
		*good = text.len - rest.len;
		first = false;
	}
	return RC_OK;
}

static enum rc
map_and_follow(struct auditchain *c, int fd, size_t len, size_t *good, struct fault *f)
{
	void *map;
	enum rc rc;

	*good = 0;
	if (len == 0)
		return RC_OK;
	map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return unavailable(f, "reading the last audit file");
	rc = follow_file(c, span_of(map, len), good, f);
	munmap(map, len);
	return rc;
}

/* Cut off what has no newline: it was never acknowledged. */
static enum rc
cut_tail(const struct audit *a, int fd, const char *name, size_t good, struct fault *f)
{
	if (good == 0 ? unlinkat(a->dir, name, 0) != 0 || fsync(a->dir) != 0
		      : ftruncate(fd, (off_t)good) != 0 || fsync(fd) != 0)
		return unavailable(f, "cutting off a torn line");
	return RC_OK;
}

static enum rc
recover_file(struct audit *a, const char *name, size_t *good, size_t *torn, struct fault *f)
{
	AUTO_FD fd = openat(a->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct fault inner = { 0 };
	struct stat st;
	enum rc rc;

	if (fd < 0 || fstat(fd, &st) != 0)
		return unavailable(f, "opening the last audit file");
	if (!S_ISREG(st.st_mode) || st.st_size > INT64_C(4) * MAX_FILE)
		return FAULT(f, RC_INVALID, "audit_chain", "%s is no audit file", name);
	rc = map_and_follow(a->chain, fd, (size_t)st.st_size, good, &inner);
	if (rc == RC_INVALID)
		return FAULT(
		    f, rc, inner.reason, "%s, octet %zu: %s", name, *good, inner.detail);
	if (rc != RC_OK)
		return fault_set(
		    f, rc, inner.reason, NULL, inner.where, "%s: %s", name, inner.detail);
	*torn = (size_t)st.st_size - *good;
	return *torn > 0 || *good == 0 ? cut_tail(a, fd, name, *good, f) : RC_OK;
}

/* The newest file with a complete line; one without is what a crash at its creation left. */
static enum rc
recover(struct audit *a, size_t *torn, struct fault *f)
{
	char limit[NAME_LEN + 1] = "", name[NAME_LEN + 1];
	size_t good = 0;

	*torn = 0;
	while (good == 0) {
		size_t here = 0;

		TRY(newest(a->dir, limit, name, f));
		if (name[0] == '\0')
			return RC_OK;
		TRY(recover_file(a, name, &good, &here, f));
		*torn += here;
		memcpy(limit, name, sizeof limit);
	}
	return RC_OK;
}

/* ---- life --------------------------------------------------------------------------- */

static enum rc
open_directory(struct audit *a, const char *dir, struct fault *f)
{
	a->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->dir < 0)
		return unavailable(f, "opening the audit directory");
	/* Two writers would fork the chain. */
	if (flock(a->dir, LOCK_EX | LOCK_NB) != 0)
		return unavailable(f, "the audit directory is in use");
	a->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (a->event < 0)
		return unavailable(f, "eventfd");
	return RC_OK;
}

static struct audit *
audit_new(bool sync)
{
	struct audit *a = calloc(1, sizeof *a);
	pthread_condattr_t attr;

	if (a == NULL)
		return NULL;
	a->dir = a->event = a->file.fd = -1;
	a->sync = sync;
	a->held.bytes = a->waiting.bytes = a->batch.bytes = BUF_INIT(MAX_QUEUE);
	a->lines = BUF_INIT(MAX_BATCH + MAX_OPEN);
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&a->wake, &attr);
	pthread_condattr_destroy(&attr);
	return a;
}

static void
stop(struct audit *a)
{
	if (!a->running)
		return;
	pthread_mutex_lock(&a->lock);
	a->waiting.bytes.max += a->held.bytes.len;
	pthread_mutex_unlock(&a->lock);
	audit_start(a, a->tickets);
	pthread_mutex_lock(&a->lock);
	a->stopping = true;
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
}

void
audit_close(struct audit *a)
{
	if (a == NULL)
		return;
	stop(a);
	if (a->file.fd >= 0)
		close(a->file.fd);
	if (a->event >= 0)
		close(a->event);
	if (a->dir >= 0)
		close(a->dir);
	auditchain_free(a->chain);
	buf_free(&a->held.bytes);
	buf_free(&a->waiting.bytes);
	buf_free(&a->batch.bytes);
	buf_free(&a->lines);
	pthread_cond_destroy(&a->wake);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

/* No signal is the writer's: SIGXFSZ would end the process instead of failing the write. */
static enum rc
start_thread(struct audit *a, struct fault *f)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = pthread_create(&a->thread, NULL, writer, a);
	a->running = errno == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return a->running ? RC_OK : unavailable(f, "starting the audit's thread");
}

static enum rc
start(struct audit *a, const char *dir, struct fault *f)
{
	size_t torn = 0;

	TRY(open_directory(a, dir, f));
	TRY(auditchain_new(&a->chain, f));
	TRY(recover(a, &torn, f));
	TRY(begin_file(a, torn, "start", f));
	return start_thread(a, f);
}

enum rc
audit_open(const char *dir, bool sync, struct audit **out, struct fault *f)
{
	struct audit *a = audit_new(sync);
	enum rc rc;

	if (a == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "the audit");
	rc = start(a, dir, f);
	if (rc != RC_OK) {
		audit_close(a);
		return rc;
	}
	*out = a;
	return RC_OK;
}

/* ---- the event loop's side ---------------------------------------------------------- */

/*
 * Text in a record is ASCII: a request's id is the caller's and may hold
 * anything, so every other octet is written as \u00xx.
 */
static void
put_string(struct buf *out, const char *text)
{
	if (text == NULL) {
		buf_str(out, "null");
		return;
	}
	buf_byte(out, '"');
	for (struct span rest = span_str(text); rest.len > 0;) {
		buf_span(out, span_cut(&rest, jtext_plain(rest)));
		if (rest.len > 0)
			buf_printf(out, "\\u%04x", *span_cut(&rest, 1).ptr);
	}
	buf_byte(out, '"');
}

/* A control would end the line; the rest of the text is the caller's word. */
static enum rc
check_members(struct span members, struct fault *f)
{
	if (members.len > MAX_RECORD)
		return FAULT(f, RC_BUG, "audit_record", "%zu octets of members", members.len);
	for (size_t i = 0; i < members.len; i++) {
		if (members.ptr[i] < 0x20)
			return FAULT(f, RC_BUG, "audit_record", "a control in the members");
	}
	return RC_OK;
}

static uint32_t
since(const struct buf *b, size_t *at)
{
	size_t n = b->len - *at;

	*at = b->len;
	return (uint32_t)n;
}

/* One record as it waits: its head, then its parts. */
static enum rc
put_record(struct buf *out, const char *event, const char *tenant, const char *request_id,
    const char *reason, struct span members, struct fault *f)
{
	struct head h = { .members = (uint32_t)members.len };
	size_t start = out->len, at = start + sizeof h;

	buf_put(out, &h, sizeof h);
	put_time(out);
	put_string(out, event);
	h.stamp = since(out, &at);
	put_string(out, tenant);
	h.tenant = since(out, &at);
	buf_str(out, "\"request_id\":");
	put_string(out, request_id);
	buf_str(out, ",\"reason\":");
	put_string(out, reason);
	h.cause = since(out, &at);
	buf_span(out, members);
	if (buf_check(out, NULL) != RC_OK)
		return REFUSE(f, RC_IO, AUDIT_UNAVAILABLE, NULL, "too much waits for the disk");
	if (h.tenant > AUDIT_MAX_TENANT)
		return FAULT(
		    f, RC_BUG, "audit_record", "a tenant's name of %u octets", h.tenant);
	memcpy(out->ptr + start, &h, sizeof h);
	return RC_OK;
}

/* Behind what the writer has not taken yet; the lock is held for a copy at most, never for I/O. */
static void
hand_over(struct audit *a)
{
	struct queue *to = &a->waiting, swap;

	pthread_mutex_lock(&a->lock);
	if (to->records == 0) {
		swap = *to;
		*to = a->held;
		a->held = swap;
	} else if (buf_room(&to->bytes, a->held.bytes.len) != NULL) {
		buf_span(&to->bytes, buf_view(&a->held.bytes));
		to->records += a->held.records;
		to->last = a->held.last;
		a->held.records = 0;
	} else {
		to->bytes.rc = RC_OK; /* what waits is whole; audit_go_on() tries again */
	}
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
	if (a->held.records > 0)
		return;
	buf_clear(&a->held.bytes);
	a->begun = a->tickets;
}

void
audit_start(struct audit *a, uint64_t ticket)
{
	if (ticket > a->due)
		a->due = ticket;
	audit_go_on(a);
}

void
audit_go_on(struct audit *a)
{
	if (a->due > a->begun && a->held.records > 0)
		hand_over(a);
}

enum rc
audit_hold(struct audit *a, const char *event, const char *tenant, const char *request_id,
    const char *reason, struct span members, uint64_t *seq, struct fault *f)
{
	size_t before = a->held.bytes.len;
	enum rc rc;

	if (atomic_load(&a->failed))
		return REFUSE(f, RC_IO, AUDIT_UNAVAILABLE, NULL, "the audit cannot be written");
	if (atomic_load(&a->unwritten) >= AUDIT_MAX_WAITING)
		return REFUSE(f, RC_IO, AUDIT_UNAVAILABLE, NULL, "%d records wait for the disk",
		    AUDIT_MAX_WAITING);
	TRY(check_members(members, f));
	rc = put_record(&a->held.bytes, event, tenant, request_id, reason, members, f);
	if (rc != RC_OK) {
		a->held.bytes.len = before; /* what waits is whole; this record is refused */
		a->held.bytes.rc = RC_OK;
		return rc;
	}
	atomic_fetch_add(&a->unwritten, 1);
	a->held.records++;
	a->held.last = *seq = ++a->tickets;
	return RC_OK;
}

enum rc
audit_append(struct audit *a, const char *event, const char *tenant, const char *request_id,
    const char *reason, struct span members, uint64_t *seq, struct fault *f)
{
	TRY(audit_hold(a, event, tenant, request_id, reason, members, seq, f));
	audit_start(a, *seq);
	return RC_OK;
}

int
audit_fd(const struct audit *a)
{
	return a->event;
}

uint64_t
audit_durable(const struct audit *a)
{
	return atomic_load(&a->durable);
}

uint64_t
audit_seq(const struct audit *a)
{
	return atomic_load(&a->seq);
}

bool
audit_failed(const struct audit *a)
{
	return atomic_load(&a->failed);
}
