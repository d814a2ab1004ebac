#include "agent/front/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#include "agent/front/auditfile.h"
#include "agent/front/auditspool.h"
#include "agent/log.h"
#include "stir/jtext.h"

enum {
	MAX_RECORD = 65536,	       /* members of one record */
	MAX_QUEUE = 64 * 1024 * 1024,  /* octets that wait */
	MAX_BATCH = 128 * 1024 * 1024, /* the same with numbers and hashes */
	MAX_OPEN = 16 * 1024 * 1024,   /* an open record, which names all tenants */
	RETRY_S = 1,
	NUMBERINGS = 64,
};

/* What waits: records without their numbers, each behind its head. */
struct head {
	uint32_t stamp, tenant, cause, members;
	uint64_t of; /* ticket; 0: none */
};

/* From this ticket on, lines and tickets count alike: an open record came between. */
struct numbering {
	uint64_t ticket, seq;
};

struct queue {
	struct buf bytes;
	size_t records;
	uint64_t last; /* ticket of the newest */
};

struct audit {
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
	_Atomic uint64_t vanished;
	struct fault problem; /* why it failed */

	/* The writer's. */
	pthread_t thread;
	bool running;
	bool ready; /* recovered, and the first file was begun */
	char *mark; /* path, may be NULL */
	struct auditdir dir;
	struct auditchain *chain;
	struct auditfile file;
	struct auditspool spool;
	bool unspooled;	       /* there is none: every sync is the file's own */
	struct auditmark lost; /* what the next open record says is gone */
	struct numbering numbering[NUMBERINGS]; /* the last of them, in turn */
	size_t numberings;
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
	r->of = h.of;
	return true;
}

/* What is written again after a failure is noted again, and the newest counts. */
static void
number_batch(struct audit *a, uint64_t seq)
{
	const struct numbering now = { a->batch.last - a->batch.records + 1, seq };
	const struct numbering *last =
	    &a->numbering[(a->numberings + NUMBERINGS - 1) % NUMBERINGS];

	if (a->batch.records == 0 ||
	    (a->numberings > 0 && seq - now.ticket == last->seq - last->ticket))
		return;
	a->numbering[a->numberings++ % NUMBERINGS] = now;
}

/* The seq of the line that a ticket became; 0: not known any more. */
static uint64_t
seq_of(const struct audit *a, uint64_t ticket)
{
	for (size_t n = a->numberings; n > 0 && a->numberings - n < NUMBERINGS; n--) {
		const struct numbering *at = &a->numbering[(n - 1) % NUMBERINGS];

		if (at->ticket <= ticket)
			return at->seq + (ticket - at->ticket);
	}
	return 0;
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

	number_batch(a, mark.seq + 1);
	for (struct span rest = in; next_record(&rest, &r); in = rest) {
		enum rc rc;

		r.of = r.of != 0 ? seq_of(a, r.of) : 0;
		rc = auditchain_render(a->chain, &r, out, f);
		if (rc != RC_OK) {
			take_back(a, &mark, span_of(all.ptr, all.len - in.len));
			return rc;
		}
	}
	return RC_OK;
}

/* The first line of a file has what a restart needs to know of the files before it. */
static enum rc
render_open(struct audit *a, const struct auditfound *found, const char *why, struct buf *out,
    struct fault *f)
{
	AUTO_BUF members = BUF_INIT(MAX_OPEN), stamp = BUF_INIT(128);

	put_time(&stamp);
	buf_str(&stamp, "\"open\"");
	auditchain_put_tenants(a->chain, &members);
	if (found != NULL && found->torn > 0)
		buf_printf(&members, ",\"torn_bytes\":%zu", found->torn);
	if (found != NULL && found->restored > 0)
		buf_printf(&members, ",\"restored_bytes\":%zu", found->restored);
	if (why != NULL)
		buf_printf(&members, ",\"why\":\"%s\"", why);
	if (a->lost.seq > 0)
		buf_printf(&members, ",\"vanished\":{\"seq\":%" PRIu64 ",\"hash\":\"%s\"}",
		    a->lost.seq, a->lost.prev);
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

static struct auditspool *
spool_of(struct audit *a)
{
	return a->sync ? &a->spool : NULL;
}

/* The trail does without one, only slower. */
static void
make_spool(struct audit *a, const struct auditfile *file)
{
	struct fault f = { 0 };

	if (!a->sync) {
		auditspool_drop(&a->dir, &a->spool); /* not to be believed later */
		return;
	}
	if (auditspool_make(&a->dir, file->ino, &a->spool, &f) != RC_OK && !a->unspooled)
		log_fault(LEVEL_WARNING, "audit_spool", &f);
	a->unspooled = a->spool.fd < 0;
}

/* Until another file is begun. */
static void
tell_of_spool(struct audit *a)
{
	if (!a->sync || a->unspooled || a->spool.fd >= 0)
		return;
	a->unspooled = true;
	log_event(LEVEL_WARNING, "audit_spool",
	    "detail=\"the spool in %s failed; every sync is the file's own\"", a->dir.path);
}

/* The open record and the batch; on failure the chain is where it was. */
static enum rc
fill_file(struct audit *a, struct auditfile *file, const struct auditfound *found,
    const char *why, struct fault *f)
{
	struct auditmark mark = auditchain_mark(a->chain);
	enum rc rc;

	buf_clear(&a->lines);
	TRY(render_open(a, found, why, &a->lines, f));
	rc = render_batch(a, &a->lines, f);
	if (rc != RC_OK) {
		auditchain_back(a->chain, &mark);
		return rc;
	}
	rc = auditfile_write(&a->dir, file, spool_of(a), buf_view(&a->lines), f);
	if (rc != RC_OK)
		take_back(a, &mark, buf_view(&a->batch.bytes));
	return rc;
}

/* A trail without it is whole: only its end would not be missed. */
static void
remember(const struct audit *a)
{
	struct auditmark end = auditchain_mark(a->chain);
	struct fault f = { 0 };

	if (a->mark != NULL && auditfile_write_mark(a->mark, &end, &f) != RC_OK)
		log_fault(LEVEL_WARNING, "audit_mark", &f);
}

static void
tell_vanished(struct audit *a, const struct auditmark *last, const char *what)
{
	a->lost = *last;
	if (atomic_exchange(&a->vanished, last->seq) == last->seq)
		return; /* told already */
	log_event(LEVEL_ERR, "audit_vanished", "seq=%" PRIu64 " hash=%s detail=\"%s\"",
	    last->seq, last->prev, what);
}

/*
 * What the file in use has by the spool alone becomes its own.  What is lost on
 * both ways is said, and in the next open record as well.
 */
static enum rc
settle(struct audit *a, struct fault *f)
{
	struct auditmark last = auditchain_mark(a->chain);
	struct fault why = { 0 };
	enum rc rc;

	(void)auditfile_settle(&a->file, &a->spool);
	if (!a->spool.owes)
		return RC_OK;
	remember(a); /* a restart must know how far it went */
	rc = auditspool_settle(&a->dir, &a->spool, &why);
	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return fault_set(f, rc, why.reason, NULL, why.where, "%s", why.detail);
	if (rc == RC_NOT_FOUND)
		tell_vanished(a, &last, why.detail);
	else
		log_event(LEVEL_WARNING, "audit_copied",
		    "file=%s detail=\"a sync failed; the file was written anew\"",
		    a->spool.name);
	return RC_OK;
}

/* A directory that was moved away and is back has all its records. */
static void
take_back_vanished(struct audit *a)
{
	if (a->lost.seq == 0 || a->file.name[0] == '\0' ||
	    !auditfile_in_place(&a->dir, &a->file))
		return;
	a->lost = (struct auditmark){ 0 };
	atomic_store(&a->vanished, 0);
}

/* Begin a new file; the one in use stays on failure. */
static enum rc
begin_file(struct audit *a, const struct auditfound *found, const char *why, struct fault *f)
{
	struct auditfile file = { .fd = -1 };
	enum rc rc;

	TRY(settle(a, f));
	TRY(auditdir_keep(&a->dir, f));
	take_back_vanished(a);
	TRY(auditfile_create(&a->dir, &file, f));
	make_spool(a, &file);
	rc = fill_file(a, &file, found, why, f);
	if (rc != RC_OK) {
		auditfile_discard(&a->dir, &file);
		return rc;
	}
	if (a->file.fd >= 0)
		close(a->file.fd);
	a->file = file;
	a->lost = (struct auditmark){ 0 };
	atomic_store(&a->seq, auditchain_mark(a->chain).seq);
	remember(a);
	return RC_OK;
}

static enum rc
append_to_file(struct audit *a, struct fault *f)
{
	struct auditmark mark = auditchain_mark(a->chain);
	enum rc rc;

	buf_clear(&a->lines);
	TRY(render_batch(a, &a->lines, f));
	rc = auditfile_write(&a->dir, &a->file, spool_of(a), buf_view(&a->lines), f);
	if (rc != RC_OK)
		take_back(a, &mark, buf_view(&a->batch.bytes));
	return rc;
}

/*
 * The file in use did not take the batch.  Where it was taken away, what it
 * held is gone with it.
 */
static enum rc
leave_file(struct audit *a, const struct fault *why, struct fault *f)
{
	struct auditmark last = auditchain_mark(a->chain);

	if (why->rc == RC_NOT_FOUND)
		tell_vanished(a, &last, why->detail);
	auditfile_abandon(&a->file, &a->spool);
	TRY(begin_file(a, NULL, "failure", f));
	log_fault(LEVEL_WARNING, "audit_new_file", why);
	return RC_OK;
}

/*
 * After a failed sync the kernel may have dropped the pages and a second sync
 * would lie: everything since the last good one goes into a new file.
 */
static enum rc
write_batch(struct audit *a, struct fault *f)
{
	bool full = a->file.good + (off_t)a->batch.bytes.len > AUDITFILE_MAX;
	struct fault why = { 0 };

	/* Where no new file can be had, the one in use may still take it. */
	if (a->file.fd >= 0 && (full || a->file.day != auditfile_today()) &&
	    begin_file(a, NULL, full ? "size" : "day", NULL) == RC_OK)
		return RC_OK;
	if (a->file.fd < 0)
		return begin_file(a, NULL, "failure", f);
	if (append_to_file(a, &why) == RC_OK) {
		tell_of_spool(a);
		atomic_store(&a->seq, auditchain_mark(a->chain).seq);
		return RC_OK;
	}
	return leave_file(a, &why, f);
}

static void
notify(const struct audit *a)
{
	static const uint64_t one = 1;

	/* Full means that the loop was told already. */
	if (write(a->event, &one, sizeof one) < 0)
		return;
}

/* The loop is told, and the log, once an outage. */
static void
fail(struct audit *a, const struct fault *f)
{
	pthread_mutex_lock(&a->lock);
	a->problem = *f;
	pthread_mutex_unlock(&a->lock);
	if (atomic_exchange(&a->failed, true))
		return;
	log_fault(LEVEL_ERR, "audit_failed", f);
	notify(a);
}

static void
recovered(struct audit *a)
{
	if (atomic_exchange(&a->failed, false))
		log_event(LEVEL_NOTICE, "audit_well", "file=%s seq=%" PRIu64, a->file.name,
		    atomic_load(&a->seq));
}

static void
publish(struct audit *a)
{
	atomic_store(&a->durable, a->batch.last);
	atomic_fetch_sub(&a->unwritten, a->batch.records);
	recovered(a);
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

/* ---- the start ---------------------------------------------------------------------- */

/* Is what was remembered of the trail still there? */
static void
look_back(struct audit *a, const struct auditmark *known, const struct auditfound *found)
{
	uint64_t seq = auditchain_mark(a->chain).seq;

	a->lost = (struct auditmark){ 0 };
	if (found->changed)
		tell_vanished(a, known, "the trail is another one");
	else if (seq == 0 && known->seq > 0)
		tell_vanished(a, known, "no audit file is left, a new chain begins");
	else if (seq < known->seq)
		tell_vanished(a, known, "the newest records are gone");
	else
		atomic_store(&a->vanished, 0);
}

/* Go on where the last file ends. */
static enum rc
begin(struct audit *a, struct fault *f)
{
	struct auditmark known = { 0 };
	struct auditfound found = { 0 };
	struct fault forgotten = { 0 };
	bool empty;
	enum rc rc;

	auditchain_free(a->chain);
	a->chain = NULL;
	TRY(auditchain_new(&a->chain, f));
	TRY(auditdir_keep(&a->dir, f));
	if (a->mark != NULL && auditfile_read_mark(a->mark, &known, &forgotten) != RC_OK)
		log_fault(LEVEL_WARNING, "audit_mark", &forgotten);
	rc = auditspool_open(&a->dir, &a->spool, f); /* also where none is to be used */
	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return rc;
	TRY(auditfile_recover(&a->dir, &a->spool, a->chain, &known, &found, f));
	if (found.restored > 0)
		log_event(LEVEL_WARNING, "audit_restored", "octets=%zu", found.restored);
	look_back(a, &known, &found);
	empty = auditchain_mark(a->chain).seq == 0;
	TRY(begin_file(a, &found, "start", f));
	if (empty)
		log_event(LEVEL_NOTICE, "audit_begins", "dir=%s seq=1", a->dir.path);
	a->ready = true;
	return RC_OK;
}

/* False: stopping. */
static bool
rest_a_second(struct audit *a)
{
	struct timespec until = in_a_second();
	bool stopping;
	int waited = 0;

	pthread_mutex_lock(&a->lock);
	while (!a->stopping && waited != ETIMEDOUT)
		waited = pthread_cond_timedwait(&a->wake, &a->lock, &until);
	stopping = a->stopping;
	pthread_mutex_unlock(&a->lock);
	return !stopping;
}

/* Until an operator has seen to what is in the way. */
static bool
begin_late(struct audit *a)
{
	while (!a->ready) {
		struct fault f = { 0 };

		if (!rest_a_second(a))
			return false;
		if (begin(a, &f) != RC_OK) {
			fail(a, &f);
			continue;
		}
		recovered(a);
		notify(a);
	}
	return true;
}

static bool
clear_spool(struct audit *a, struct fault *f)
{
	return a->spool.fd < 0 || auditspool_clear(&a->spool, f) == RC_OK;
}

/* A trail that was closed in good order needs no spool: what is changed in it later is found. */
static void
finish(struct audit *a)
{
	struct fault f = { 0 };

	if (a->file.fd >= 0)
		remember(a);
	if (a->ready && a->sync && (settle(a, &f) != RC_OK || !clear_spool(a, &f)))
		log_fault(LEVEL_WARNING, "audit_spool", &f);
}

static void *
writer(void *arg)
{
	struct audit *a = arg;

	if (!begin_late(a))
		return NULL;
	while (take_batch(a)) {
		struct fault f = { 0 };

		if (write_batch(a, &f) == RC_OK) {
			publish(a);
			continue;
		}
		auditfile_abandon(&a->file, &a->spool);
		fail(a, &f);
		if (is_stopping(a))
			break; /* it was tried; the disk does not take it */
	}
	finish(a);
	return NULL;
}

/* ---- life --------------------------------------------------------------------------- */

static struct audit *
audit_new(bool sync)
{
	struct audit *a = calloc(1, sizeof *a);
	pthread_condattr_t attr;

	if (a == NULL)
		return NULL;
	a->dir.fd = a->event = a->file.fd = -1;
	a->spool = AUDITSPOOL_NONE;
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
	auditspool_close(&a->spool);
	if (a->event >= 0)
		close(a->event);
	auditdir_close(&a->dir);
	free(a->mark);
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
start(struct audit *a, const char *dir, const char *mark, struct fault *f)
{
	struct fault why = { 0 };

	TRY(auditdir_open(dir, &a->dir, f));
	a->mark = mark != NULL ? strdup(mark) : NULL;
	if (mark != NULL && a->mark == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "the audit");
	a->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (a->event < 0)
		return unavailable(f, "eventfd");
	if (begin(a, &why) != RC_OK)
		fail(a, &why);
	return start_thread(a, f);
}

enum rc
audit_open(const char *dir, const char *mark, bool sync, struct audit **out, struct fault *f)
{
	struct audit *a = audit_new(sync);
	enum rc rc;

	if (a == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "the audit");
	rc = start(a, dir, mark, f);
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

/* Among eight octets: a borrow marks none but behind one that is there. */
static bool
has_control(uint64_t x)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);

	return ((x - ones * 0x20) & ~x & ones << 7) != 0;
}

static bool
has_controls(struct span text)
{
	for (uint64_t x; text.len >= sizeof x;) {
		memcpy(&x, span_cut(&text, sizeof x).ptr, sizeof x);
		if (has_control(x))
			return true;
	}
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < 0x20)
			return true;
	}
	return false;
}

/* A control would end the line; the rest of the text is the caller's word. */
static enum rc
check_members(struct span members, struct fault *f)
{
	if (members.len > MAX_RECORD)
		return FAULT(f, RC_BUG, "audit_record", "%zu octets of members", members.len);
	if (has_controls(members))
		return FAULT(f, RC_BUG, "audit_record", "a control in the members");
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
    const char *reason, struct span members, uint64_t of, struct fault *f)
{
	struct head h = { .members = (uint32_t)members.len, .of = of };
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

static enum rc
hold(struct audit *a, const char *event, const char *tenant, const char *request_id,
    const char *reason, struct span members, uint64_t of, uint64_t *seq, struct fault *f)
{
	size_t before = a->held.bytes.len;
	enum rc rc;

	if (atomic_load(&a->failed))
		return REFUSE(f, RC_IO, AUDIT_UNAVAILABLE, NULL, "the audit cannot be written");
	if (atomic_load(&a->unwritten) >= AUDIT_MAX_WAITING)
		return REFUSE(f, RC_IO, AUDIT_UNAVAILABLE, NULL, "%d records wait for the disk",
		    AUDIT_MAX_WAITING);
	TRY(check_members(members, f));
	rc = put_record(&a->held.bytes, event, tenant, request_id, reason, members, of, f);
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
audit_hold(struct audit *a, const char *event, const char *tenant, const char *request_id,
    const char *reason, struct span members, uint64_t *seq, struct fault *f)
{
	return hold(a, event, tenant, request_id, reason, members, 0, seq, f);
}

enum rc
audit_append_of(struct audit *a, const char *event, const char *tenant, const char *request_id,
    const char *reason, struct span members, uint64_t of, uint64_t *seq, struct fault *f)
{
	TRY(hold(a, event, tenant, request_id, reason, members, of, seq, f));
	audit_start(a, *seq);
	return RC_OK;
}

enum rc
audit_append(struct audit *a, const char *event, const char *tenant, const char *request_id,
    const char *reason, struct span members, uint64_t *seq, struct fault *f)
{
	return audit_append_of(a, event, tenant, request_id, reason, members, 0, seq, f);
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

uint64_t
audit_vanished(const struct audit *a)
{
	return atomic_load(&a->vanished);
}

enum rc
audit_problem(struct audit *a, struct fault *f)
{
	struct fault why;

	if (!atomic_load(&a->failed))
		return RC_OK;
	pthread_mutex_lock(&a->lock);
	why = a->problem;
	pthread_mutex_unlock(&a->lock);
	return REFUSE(f, RC_IO, AUDIT_UNAVAILABLE, NULL, "%s", why.detail);
}
