#include "agent/renewer/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

struct run {
	uint32_t serial; /* 0: a free place, or it is in the line */
	enum hook_kind kind;
	char name[CONTROL_NAME];
	int fd;
	struct buf input, output;
	size_t written;
	bool heard; /* the supervisor said how it ended */
	bool whole; /* nothing more comes */
	uint32_t status;
	int64_t end_ms;
	io_run_wanted *wanted; /* NULL: always */
	io_run_done *done;
	void *arg;
};

struct runner {
	int control;
	uint32_t last_serial;
	bool stopping;
	struct run run[RUNNER_MAX];
	struct run line[RUNNER_LINE]; /* a ring */
	size_t first, waiting;
};

enum rc
runner_new(int control, struct runner **out, struct fault *f)
{
	struct runner *r = calloc(1, sizeof *r);

	if (r == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "commands");
	r->control = control;
	for (size_t i = 0; i < RUNNER_MAX; i++)
		r->run[i].fd = -1;
	*out = r;
	return RC_OK;
}

/* The place is free before done() runs, which may start another. */
static void
finish(struct run *run, enum rc rc, const struct fault *f)
{
	struct run was = *run;

	*run = (struct run){ .fd = -1 };
	if (was.fd >= 0)
		close(was.fd);
	was.done(was.arg, rc, rc == RC_OK ? buf_view(&was.output) : span_of(NULL, 0), f);
	buf_wipe(&was.input);
	buf_wipe(&was.output);
}

/* The first of it, whose place in it is free; it stays as it is until somebody comes. */
static struct run *
leave_line(struct runner *r)
{
	struct run *run = &r->line[r->first];

	r->first = (r->first + 1) % RUNNER_LINE;
	r->waiting--;
	return run;
}

void
runner_free(struct runner *r)
{
	struct fault f = { 0 };

	if (r == NULL)
		return;
	r->stopping = true;
	(void)FAULT(&f, RC_CONFLICT, "stopping", "the renewer stops");
	for (size_t i = 0; i < RUNNER_MAX; i++) {
		if (r->run[i].serial != 0)
			finish(&r->run[i], RC_CONFLICT, &f);
	}
	while (r->waiting > 0)
		finish(leave_line(r), RC_CONFLICT, &f);
	free(r);
}

static struct run *
find(struct runner *r, uint32_t serial)
{
	for (size_t i = 0; i < RUNNER_MAX; i++) {
		if (r->run[i].serial == serial)
			return &r->run[i];
	}
	return NULL;
}

static enum rc
make_pair(int *ours, int *theirs, struct fault *f)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return FAULT(f, RC_IO, "io", "socketpair: %s", strerror(errno));
	*ours = pair[0];
	*theirs = pair[1];
	/* Theirs stays as a program expects its standard input to be. */
	if (fcntl(*ours, F_SETFL, O_NONBLOCK) != 0)
		return FAULT(f, RC_IO, "io", "F_SETFL: %s", strerror(errno));
	return RC_OK;
}

/* Moves it to a place.  RC_BUSY: the supervisor does not read; it stays where it was. */
static enum rc
begin(struct runner *r, struct run *place, struct run *from, int64_t now_ms, struct fault *f)
{
	struct control c = { .kind = CONTROL_HOOK, .hook = from->kind };
	AUTO_FD ours = -1, theirs = -1;

	memcpy(c.name, from->name, sizeof from->name);
	TRY(make_pair(&ours, &theirs, f));
	c.serial = r->last_serial == UINT32_MAX ? 1 : r->last_serial + 1;
	TRY(control_send(r->control, &c, theirs, f));
	r->last_serial = c.serial;
	*place = *from;
	place->serial = c.serial;
	place->fd = ours;
	place->end_ms = now_ms + RUNNER_TOTAL_MS;
	ours = -1; /* the place's from here on */
	*from = (struct run){ .fd = -1 };
	return RC_OK;
}

/* What was ordered, or for whom, may be gone since: nothing is begun for that. */
static void
drop_unwanted(struct runner *r)
{
	size_t at = 0;

	for (size_t n = r->waiting; n > 0; n--) {
		struct run one = r->line[(r->first + at) % RUNNER_LINE];
		struct fault f = { 0 };

		if (one.wanted == NULL || one.wanted(one.arg)) {
			at++;
			continue;
		}
		r->waiting--;
		for (size_t i = at; i < r->waiting; i++)
			r->line[(r->first + i) % RUNNER_LINE] =
			    r->line[(r->first + i + 1) % RUNNER_LINE];
		finish(&one,
		    FAULT(&f, RC_BUSY, "command_busy", "what the command was for is over"), &f);
	}
}

/* Who has come first goes first, as long as there are places. */
static void
serve_line(struct runner *r, int64_t now_ms)
{
	while (r->waiting > 0) {
		struct run *first = &r->line[r->first], *place = find(r, 0);
		struct fault f = { 0 };
		enum rc rc = RC_BUSY;

		if (place != NULL)
			rc = begin(r, place, first, now_ms, &f);
		if (rc == RC_BUSY && now_ms < first->end_ms)
			return;
		(void)leave_line(r);
		if (rc == RC_BUSY)
			rc = FAULT(&f, RC_BUSY, "command_busy",
			    "no place for a command in %d s", RUNNER_WAIT_MS / 1000);
		if (rc != RC_OK)
			finish(first, rc, &f);
	}
}

enum rc
runner_start(struct runner *r, enum hook_kind kind, const char *name, struct span input,
    int64_t now_ms, io_run_wanted *wanted, io_run_done *done, void *arg, struct fault *f)
{
	AUTO_SECRET data = BUF_INIT(input.len);
	struct run run = { .kind = kind,
		.fd = -1,
		.output = BUF_INIT(RUNNER_OUTPUT_MAX),
		.end_ms = now_ms + RUNNER_WAIT_MS,
		.wanted = wanted,
		.done = done,
		.arg = arg };
	struct run *place = find(r, 0);
	enum rc rc = RC_BUSY;

	if (r->stopping || r->waiting == RUNNER_LINE)
		return FAULT(f, RC_BUSY, "command_busy", "%d commands wait", RUNNER_LINE);
	if (strlen(name) >= sizeof run.name)
		return FAULT(f, RC_BUG, "internal_error", "a name");
	memcpy(run.name, name, strlen(name) + 1);
	buf_span(&data, input);
	TRY(buf_check(&data, f));
	run.input = data;
	if (place != NULL && r->waiting == 0)
		rc = begin(r, place, &run, now_ms, f);
	if (rc == RC_BUSY)
		r->line[(r->first + r->waiting++) % RUNNER_LINE] = run;
	else if (rc != RC_OK)
		return rc;
	data = BUF_INIT(0); /* run's, wherever it is */
	return RC_OK;
}

unsigned
runner_fds(const struct runner *r, struct curl_waitfd fds[RUNNER_MAX])
{
	unsigned n = 0;

	for (size_t i = 0; i < RUNNER_MAX; i++) {
		const struct run *run = &r->run[i];

		if (run->serial == 0 || run->whole)
			continue;
		fds[n++] = (struct curl_waitfd){ .fd = run->fd,
			.events = CURL_WAIT_POLLIN |
				  (run->written < run->input.len ? CURL_WAIT_POLLOUT : 0) };
	}
	return n;
}

void
runner_ended(struct runner *r, const struct control *c)
{
	struct run *run = c->serial != 0 ? find(r, c->serial) : NULL;

	if (run == NULL)
		return;
	run->heard = true;
	run->status = c->status;
}

/* A command need not read what it is given; how it ends says whether that was well. */
static void
write_some(struct run *run)
{
	struct span rest = buf_view(&run->input);
	ssize_t n;

	if (run->written > run->input.len)
		return; /* closed already */
	span_cut(&rest, run->written);
	n = rest.len > 0 ? send(run->fd, rest.ptr, rest.len, MSG_NOSIGNAL) : 0;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	run->written = n < 0 ? run->input.len : run->written + (size_t)n;
	if (run->written < run->input.len)
		return;
	run->written = run->input.len + 1;
	(void)shutdown(run->fd, SHUT_WR);
}

static void
read_some(struct run *run)
{
	uint8_t chunk[4096];
	ssize_t n = 0;

	while (run->output.rc == RC_OK && (n = read(run->fd, chunk, sizeof chunk)) > 0)
		buf_put(&run->output, chunk, (size_t)n);
	run->whole =
	    run->output.rc != RC_OK || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	OPENSSL_cleanse(chunk, sizeof chunk);
}

static enum rc
outcome(const struct run *run, struct fault *f)
{
	if (run->status == RUNNER_EXIT_REFUSED)
		return FAULT(f, RC_DENIED, "command_refused",
		    "the command refuses (exit %d); what it says is in the log of vesperd",
		    RUNNER_EXIT_REFUSED);
	if (run->status == HOOK_NOT_RUN)
		return FAULT(f, RC_NET, "command_not_run",
		    "vesperd did not run the command: it takes its words at its start");
	if (run->status != 0)
		return FAULT(f, RC_NET, "command_failed",
		    "the command ended with %u; what it says is in the log of vesperd",
		    (unsigned)run->status);
	if (run->output.rc != RC_OK)
		return FAULT(f, RC_INVALID, "command_output", "more than %d bytes",
		    (int)RUNNER_OUTPUT_MAX);
	return RC_OK;
}

static void
turn(struct run *run, int64_t now_ms)
{
	struct fault f = { 0 };

	if (!run->whole) {
		write_some(run);
		read_some(run);
	}
	/* Something that it started may hold the descriptor: its own end is enough. */
	if (run->heard)
		finish(run, outcome(run, &f), &f);
	else if (now_ms >= run->end_ms)
		finish(run,
		    FAULT(&f, RC_TIMEOUT, "command_timeout", "the command does not end"), &f);
}

void
runner_turn(struct runner *r, int64_t now_ms)
{
	for (size_t i = 0; i < RUNNER_MAX; i++) {
		if (r->run[i].serial != 0)
			turn(&r->run[i], now_ms);
	}
	drop_unwanted(r);
	serve_line(r, now_ms);
}
