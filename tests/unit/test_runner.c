/* What the renewer gives a command and takes from it, with a supervisor that the test plays. */
#include "agent/renewer/runner.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

enum { LATE_MS = RUNNER_TOTAL_MS + 1 };

struct world {
	struct runner *r;
	int control, ours; /* the supervisor's ends */
	struct control asked;
	int fd; /* of the command */
	unsigned done;
	enum rc rc;
	char reason[40], output[64];
	size_t len;
	bool over; /* what its commands are for */
};

static void
world_open(struct world *w)
{
	int pair[2];
	struct fault f = { 0 };

	*w = (struct world){ .fd = -1 };
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	w->control = pair[0];
	w->ours = pair[1];
	assert_int_equal(runner_new(w->control, &w->r, &f), RC_OK);
}

static void
world_close(struct world *w)
{
	runner_free(w->r);
	close(w->control);
	close(w->ours);
	if (w->fd >= 0)
		close(w->fd);
}

static void
on_done(void *arg, enum rc rc, struct span output, const struct fault *f)
{
	struct world *w = arg;

	w->done++;
	w->rc = rc;
	w->len = output.len;
	snprintf(w->reason, sizeof w->reason, "%s", rc != RC_OK ? f->reason : "");
	snprintf(w->output, sizeof w->output, "%.*s", (int)output.len,
	    output.len > 0 ? (const char *)output.ptr : "");
}

static void
start(struct world *w, const char *input)
{
	struct fault f = { 0 };

	if (runner_start(
		w->r, HOOK_ISSUE, "printer", span_str(input), 0, NULL, on_done, w, &f) != RC_OK)
		fail_msg("%s", f.detail);
	assert_int_equal(control_recv(w->ours, &w->asked, &w->fd, &f), RC_OK);
	assert_true(w->fd >= 0);
}

static void
end(struct world *w, uint32_t status)
{
	runner_ended(
	    w->r, &(struct control){
		      .kind = CONTROL_HOOK_END, .serial = w->asked.serial, .status = status });
	runner_turn(w->r, 1);
}

/* ---- how it ends ---- */

static struct end_case {
	const char *name, *output;
	uint32_t status;
	enum rc rc;
	const char *reason;
} ends[] = {
	{ "well", "chain", 0, RC_OK, "" },
	{ "well, without a word", "", 0, RC_OK, "" },
	{ "badly", "chain", 1, RC_NET, "command_failed" },
	{ "killed", "chain", 137, RC_NET, "command_failed" },
	{ "not there", "", 127, RC_NET, "command_failed" },
	{ "refused for good", "no", RUNNER_EXIT_REFUSED, RC_DENIED, "command_refused" },
	{ "not run", "", HOOK_NOT_RUN, RC_NET, "command_not_run" },
};

static void
ends_so(void **state)
{
	const struct end_case *c = *state;
	struct world w;
	char text[16] = "";

	world_open(&w);
	start(&w, "request");
	assert_int_equal(w.asked.kind, CONTROL_HOOK);
	assert_int_equal(w.asked.hook, HOOK_ISSUE);
	assert_string_equal(w.asked.name, "printer");
	assert_int_not_equal(w.asked.serial, 0);
	runner_turn(w.r, 1);
	assert_int_equal(read(w.fd, text, sizeof text), 7);
	assert_string_equal(text, "request");
	assert_int_equal(read(w.fd, text, sizeof text), 0); /* closed behind the last byte */
	assert_int_equal(write(w.fd, c->output, strlen(c->output)), strlen(c->output));
	runner_turn(w.r, 1);
	assert_int_equal(w.done, 0); /* not before the supervisor says how */
	end(&w, c->status);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.rc, c->rc);
	assert_string_equal(w.reason, c->reason);
	assert_string_equal(w.output, c->rc == RC_OK ? c->output : "");
	end(&w, 0);
	assert_int_equal(w.done, 1);
	world_close(&w);
}

/* Written right before the end: all of it is taken. */
static void
last_words(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	start(&w, "");
	assert_int_equal(write(w.fd, "last", 4), 4);
	close(w.fd);
	w.fd = -1;
	end(&w, 0);
	assert_string_equal(w.output, "last");
	world_close(&w);
}

/* Something that the command left behind holds the descriptor. */
static void
the_descriptor_stays_open(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	start(&w, "x");
	assert_int_equal(write(w.fd, "done", 4), 4);
	end(&w, 0);
	assert_int_equal(w.rc, RC_OK);
	assert_string_equal(w.output, "done");
	world_close(&w);
}

static void
too_much(void **state)
{
	static char much[65536];
	struct world w;
	size_t sent = 0;

	(void)state;
	world_open(&w);
	start(&w, "x");
	assert_int_equal(fcntl(w.fd, F_SETFL, O_NONBLOCK), 0);
	while (sent <= RUNNER_OUTPUT_MAX) {
		ssize_t n = write(w.fd, much, sizeof much);

		if (n > 0)
			sent += (size_t)n;
		runner_turn(w.r, 1);
	}
	end(&w, 0);
	assert_int_equal(w.rc, RC_INVALID);
	assert_string_equal(w.reason, "command_output");
	world_close(&w);
}

static void
no_end(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	start(&w, "x");
	runner_turn(w.r, RUNNER_TOTAL_MS - 1);
	assert_int_equal(w.done, 0);
	runner_turn(w.r, LATE_MS);
	assert_int_equal(w.rc, RC_TIMEOUT);
	world_close(&w);
}

/* What it does not read is no failure: its exit status says. */
static void
does_not_read(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	start(&w, "x");
	assert_int_equal(shutdown(w.fd, SHUT_RD), 0);
	runner_turn(w.r, 1);
	end(&w, 0);
	assert_int_equal(w.rc, RC_OK);
	world_close(&w);
}

static void
another_serial(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	start(&w, "x");
	runner_ended(w.r, &(struct control){ .serial = w.asked.serial + 1 });
	runner_ended(w.r, &(struct control){ .serial = 0 });
	runner_turn(w.r, 1);
	assert_int_equal(w.done, 0);
	runner_free(w.r);
	w.r = NULL;
	assert_int_equal(w.done, 1);
	assert_string_equal(w.reason, "stopping");
	world_close(&w);
}

/* ---- more than there are places for ---- */

/* The names of those that the supervisor was told of, in that order; *last is the last one. */
static void
told(struct world *w, struct control *last, char *names, size_t size)
{
	struct fault f = { 0 };
	struct control c;
	int fd = -1;

	names[0] = 0;
	while (control_recv(w->ours, &c, &fd, &f) == RC_OK) {
		size_t len = strlen(names);

		*last = c;
		if (len < size)
			snprintf(names + len, size - len, "%s ", c.name);
		if (fd >= 0)
			close(fd);
	}
}

static void
start_named(struct world *w, const char *name, enum rc rc)
{
	struct fault f = { 0 };

	assert_int_equal(
	    runner_start(w->r, HOOK_ISSUE, name, span_str("y"), 0, NULL, on_done, w, &f), rc);
	if (rc != RC_OK)
		assert_string_equal(f.reason, "command_busy");
}

static void
fill(struct world *w)
{
	for (size_t i = 0; i < RUNNER_MAX; i++)
		start_named(w, "x", RC_OK);
}

static void
so_many(void **state)
{
	struct world w;
	struct curl_waitfd fds[RUNNER_MAX];

	(void)state;
	world_open(&w);
	fill(&w);
	for (size_t i = 0; i < RUNNER_LINE; i++)
		start_named(&w, "y", RC_OK);
	assert_int_equal(runner_fds(w.r, fds), RUNNER_MAX);
	start_named(&w, "z", RC_BUSY);
	world_close(&w);
	assert_int_equal(w.done, RUNNER_MAX + RUNNER_LINE);
	assert_string_equal(w.reason, "stopping");
}

/* Whoever has ended asks again at once, and does not push in. */
static void
asks_again(void *arg, enum rc rc, struct span output, const struct fault *f)
{
	on_done(arg, rc, output, f);
	start_named(arg, "again", RC_OK);
}

static void
first_come_first_served(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	struct control last = { .serial = 0 };
	struct fault f = { 0 };
	struct world w;
	char said[256];

	(void)state;
	world_open(&w);
	assert_int_equal(
	    runner_start(w.r, HOOK_ISSUE, "1st", span_str(""), 0, NULL, asks_again, &w, &f),
	    RC_OK);
	assert_int_equal(control_recv(w.ours, &w.asked, &w.fd, &f), RC_OK);
	for (size_t i = 1; i < RUNNER_MAX; i++)
		start_named(&w, "x", RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		start_named(&w, names[i], RC_OK);
	runner_turn(w.r, 1);
	told(&w, &last, said, sizeof said);
	assert_string_equal(said, "x x x x x x x ");
	end(&w, 0); /* one place */
	told(&w, &w.asked, said, sizeof said);
	assert_string_equal(said, "a ");
	end(&w, 0);
	told(&w, &w.asked, said, sizeof said);
	assert_string_equal(said, "b ");
	runner_turn(w.r, LATE_MS); /* all of them */
	told(&w, &last, said, sizeof said);
	assert_string_equal(said, "c d again ");
	assert_int_equal(w.done, 2 + RUNNER_MAX);
	world_close(&w);
	assert_int_equal(w.done, 2 + RUNNER_MAX + 3);
}

static bool
is_wanted(void *arg)
{
	return !((struct world *)arg)->over;
}

static void
start_while_wanted(struct world *w, const char *name)
{
	struct fault f = { 0 };

	assert_int_equal(
	    runner_start(w->r, HOOK_ISSUE, name, span_str("y"), 0, is_wanted, on_done, w, &f),
	    RC_OK);
}

/* What runs goes on; what waits leaves the line, and the others stay in theirs. */
static void
not_begun_for_nothing(void **state)
{
	struct control last = { .serial = 0 };
	struct fault f = { 0 };
	struct world w;
	char said[256];

	(void)state;
	world_open(&w);
	start_while_wanted(&w, "1st");
	assert_int_equal(control_recv(w.ours, &w.asked, &w.fd, &f), RC_OK);
	for (size_t i = 1; i < RUNNER_MAX; i++)
		start_named(&w, "x", RC_OK);
	start_while_wanted(&w, "not");
	start_named(&w, "a", RC_OK);
	start_while_wanted(&w, "this");
	start_while_wanted(&w, "nor");
	start_named(&w, "b", RC_OK);
	start_while_wanted(&w, "that");
	runner_turn(w.r, 1);
	assert_int_equal(w.done, 0);
	w.over = true;
	runner_turn(w.r, 2);
	assert_int_equal(w.done, 4); /* without a place for them */
	assert_int_equal(w.rc, RC_BUSY);
	assert_string_equal(w.reason, "command_busy");
	told(&w, &last, said, sizeof said);
	assert_string_equal(said, "x x x x x x x ");
	end(&w, 0);
	assert_int_equal(w.done, 5);
	assert_int_equal(w.rc, RC_OK);
	runner_turn(w.r, LATE_MS);
	told(&w, &last, said, sizeof said);
	assert_string_equal(said, "a b ");
	world_close(&w);
}

/* Twice eight get a place by the end of those before them; the others come again. */
static void
too_long_in_the_line(void **state)
{
	struct control last = { .serial = 0 };
	struct world w;
	char said[256];

	(void)state;
	world_open(&w);
	fill(&w);
	for (size_t i = 0; i < 2 * RUNNER_MAX + 3; i++)
		start_named(&w, "y", RC_OK);
	runner_turn(w.r, LATE_MS);
	runner_turn(w.r, 2 * LATE_MS);
	assert_int_equal(w.done, 2 * RUNNER_MAX);
	runner_turn(w.r, RUNNER_WAIT_MS - 1);
	assert_int_equal(w.done, 2 * RUNNER_MAX);
	told(&w, &last, said, sizeof said);
	runner_turn(w.r, RUNNER_WAIT_MS);
	assert_int_equal(w.done, 2 * RUNNER_MAX + 3);
	assert_int_equal(w.rc, RC_BUSY);
	assert_string_equal(w.reason, "command_busy");
	told(&w, &last, said, sizeof said);
	assert_string_equal(said, "");
	world_close(&w);
}

static void
the_supervisor_does_not_read(void **state)
{
	struct control junk = { .kind = CONTROL_HOOK }, last = { .serial = 0 };
	struct fault f = { 0 };
	struct world w;
	static char said[65536];

	(void)state;
	world_open(&w);
	while (control_send(w.control, &junk, -1, &f) == RC_OK)
		continue;
	assert_int_equal(f.rc, RC_BUSY);
	start_named(&w, "first", RC_OK);
	start_named(&w, "second", RC_OK);
	runner_turn(w.r, 1);
	told(&w, &last, said, sizeof said);
	assert_null(strstr(said, "first"));
	runner_turn(w.r, 2);
	told(&w, &last, said, sizeof said);
	assert_string_equal(said, "first second ");
	world_close(&w);
}

int
main(void)
{
	struct CMUnitTest tests[32] = {
		cmocka_unit_test(last_words),
		cmocka_unit_test(the_descriptor_stays_open),
		cmocka_unit_test(too_much),
		cmocka_unit_test(no_end),
		cmocka_unit_test(does_not_read),
		cmocka_unit_test(another_serial),
		cmocka_unit_test(so_many),
		cmocka_unit_test(first_come_first_served),
		cmocka_unit_test(too_long_in_the_line),
		cmocka_unit_test(the_supervisor_does_not_read),
		cmocka_unit_test(not_begun_for_nothing),
	};
	size_t n = 11;

	ROWS(tests, n, ends, ends_so);
	return _cmocka_run_group_tests("runner", tests, n, NULL, NULL);
}
