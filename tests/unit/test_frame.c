/* The asking end: single frames, and the blocking channel on an admin made of a thread. */
#include "pkcs11/client.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/cm.h"

enum { GENERATION = 77, TIME_LIMIT_S = 60 };

static void
make_pair(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void
close_pair(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

/* ---- one frame ---------------------------------------------------------------- */

static void
there_and_back(void **state)
{
	struct frame sent = frame_make(FRAME_SIGN, GENERATION, 0x1122334455667788), got;
	struct fault f = { 0 };
	int pair[2];

	(void)state;
	make_pair(pair);
	memset(sent.key_id, 5, sizeof sent.key_id);
	memset(sent.body, 6, sizeof sent.body);
	assert_int_equal(sent.version, FRAME_VERSION);
	assert_int_equal(sent.code, 0);
	assert_int_equal(frame_recv(pair[1], &got, &f), RC_NOT_FOUND);
	assert_int_equal(f.rc, RC_OK); /* an empty socket is no fault */
	assert_int_equal(frame_send(pair[0], &sent, &f), RC_OK);
	assert_int_equal(frame_recv(pair[1], &got, &f), RC_OK);
	assert_memory_equal(&got, &sent, sizeof got);
	assert_int_equal(frame_recv(pair[1], &got, &f), RC_NOT_FOUND);
	close_pair(pair);
}

static void
other_sizes_and_versions(void **state)
{
	uint8_t bytes[sizeof(struct frame) + 1];
	struct frame frame = frame_make(FRAME_STATS, GENERATION, 1), got = { .op = 99 };

	(void)state;
	memset(bytes, 0, sizeof bytes);
	memcpy(bytes, &frame, sizeof frame);
	for (size_t len = 1; len <= sizeof bytes; len++) {
		struct fault f = { 0 };
		int pair[2];

		make_pair(pair);
		assert_int_equal(send(pair[0], bytes, len, 0), (ssize_t)len);
		assert_int_equal(
		    frame_recv(pair[1], &got, &f), len == sizeof frame ? RC_OK : RC_HSM);
		if (len != sizeof frame)
			assert_string_equal(f.reason, "hsm_unavailable");
		close_pair(pair);
	}
	for (unsigned version = 0; version < 256; version++) {
		struct fault f = { 0 };
		int pair[2];

		make_pair(pair);
		bytes[0] = (uint8_t)version;
		assert_int_equal(send(pair[0], bytes, sizeof frame, 0), (ssize_t)sizeof frame);
		assert_int_equal(
		    frame_recv(pair[1], &got, &f), version == FRAME_VERSION ? RC_OK : RC_HSM);
		close_pair(pair);
	}
}

static void
a_full_socket_is_busy(void **state)
{
	struct frame frame = frame_make(FRAME_STATS, GENERATION, 1);
	struct fault f = { 0 };
	enum rc rc = RC_OK;
	int pair[2];

	(void)state;
	make_pair(pair);
	for (unsigned i = 0; rc == RC_OK && i < 100000; i++)
		rc = frame_send(pair[0], &frame, &f);
	assert_int_equal(rc, RC_BUSY);
	assert_string_equal(f.reason, "overloaded");
	assert_int_equal(frame_recv(pair[1], &frame, NULL), RC_OK);
	assert_int_equal(frame_send(pair[0], &frame, NULL), RC_OK);
	close_pair(pair);
}

static void
a_peer_that_is_gone(void **state)
{
	struct frame frame = frame_make(FRAME_STATS, GENERATION, 1);
	struct fault f = { 0 }, g = { 0 };
	int pair[2];

	(void)state;
	make_pair(pair);
	close(pair[1]);
	assert_int_equal(frame_recv(pair[0], &frame, &f), RC_HSM);
	assert_string_equal(f.reason, "hsm_unavailable");
	assert_int_equal(frame_send(pair[0], &frame, &g), RC_HSM);
	assert_string_equal(g.reason, "hsm_unavailable");
	close(pair[0]);
}

/* A process that dies with requests unread resets the socket; its answers still count. */
static void
last_words(void **state)
{
	struct frame frame = frame_make(FRAME_STATS, GENERATION, 1), got;
	int pair[2];

	(void)state;
	make_pair(pair);
	assert_int_equal(frame_send(pair[0], &frame, NULL), RC_OK);
	frame.request_id = 2;
	assert_int_equal(frame_send(pair[1], &frame, NULL), RC_OK);
	close(pair[1]);
	assert_int_equal(frame_recv(pair[0], &got, NULL), RC_OK);
	assert_int_equal(got.request_id, 2);
	assert_int_equal(frame_recv(pair[0], &got, NULL), RC_HSM);
	close(pair[0]);
}

/* ---- the channel ----------------------------------------------------------------- */

/* What the admin does with the one request it gets. */
struct script {
	int fd;
	bool hello;	 /* says it first */
	unsigned stale;	 /* answers of another id before */
	bool before;	 /* one of the same id, of the process before */
	unsigned listed; /* LIST: keys before the end */
	int code;	 /* < 0: none, the end of the stream */
	uint32_t generation;
	struct frame got;
	bool served;
};

static void
answer(struct script *s, struct frame *frame)
{
	for (unsigned i = 0; i < s->stale; i++) {
		struct frame old = *frame;

		old.request_id += 1000 + i;
		old.code = FRAME_FAILED;
		(void)send(s->fd, &old, sizeof old, MSG_NOSIGNAL);
	}
	if (s->before) {
		struct frame old = *frame;

		old.generation--;
		(void)send(s->fd, &old, sizeof old, MSG_NOSIGNAL);
	}
	for (unsigned i = 0; i < s->listed; i++) {
		frame->code = FRAME_OK;
		memset(frame->key_id, (int)(i + 1), sizeof frame->key_id);
		memset(frame->body, (int)(i + 1), sizeof frame->body);
		(void)send(s->fd, frame, sizeof *frame, MSG_NOSIGNAL);
	}
	frame->code = (uint8_t)s->code;
	frame->ck_rv = 0x30;
	if (s->listed == 0)
		memset(frame->body, 0xab, sizeof frame->body);
	if (s->code >= 0)
		(void)send(s->fd, frame, sizeof *frame, MSG_NOSIGNAL);
}

static void *
play(void *arg)
{
	struct script *s = arg;
	struct frame hello = frame_make(FRAME_HELLO, s->generation, 0), frame;

	if (s->hello)
		(void)send(s->fd, &hello, sizeof hello, MSG_NOSIGNAL);
	if (recv(s->fd, &frame, sizeof frame, 0) == (ssize_t)sizeof frame) {
		s->got = frame;
		s->served = true;
		answer(s, &frame);
	}
	close(s->fd);
	return NULL;
}

static pthread_t
begin(struct token_admin *a, struct script *s)
{
	pthread_t thread;
	int pair[2];

	make_pair(pair);
	s->fd = pair[1];
	token_admin_attach(a, pair[0], GENERATION);
	assert_int_equal(pthread_create(&thread, NULL, play, s), 0);
	return thread;
}

static struct code_case {
	const char *name;
	int code;
	enum rc rc;
	const char *reason;
} code_cases[] = {
	{ "ok", FRAME_OK, RC_OK, "" },
	{ "busy", FRAME_BUSY, RC_BUSY, "overloaded" },
	{ "full", FRAME_FULL, RC_BUSY, "token_full" },
	{ "no key", FRAME_NO_KEY, RC_NOT_FOUND, "no_key" },
	{ "key refused", FRAME_KEY_REFUSED, RC_DENIED, "key_refused" },
	{ "bad frame", FRAME_BAD_FRAME, RC_BUG, "bad_frame" },
	{ "rebuild", FRAME_REBUILD, RC_HSM, "hsm_unavailable" },
	{ "failed", FRAME_FAILED, RC_HSM, "hsm_unavailable" },
	{ "a code of the future", 200, RC_HSM, "hsm_unavailable" },
	{ "the end of the stream", -1, RC_HSM, "hsm_unavailable" },
};

static void
codes(void **state)
{
	const struct code_case *row = *state;
	struct script s = { .hello = true, .code = row->code, .generation = GENERATION };
	uint8_t id[32] = { 1 }, digest[32] = { 2 }, sig[64] = { 0 }, none[64] = { 0 };
	AUTO(token_admin) *a = NULL;
	struct fault f = { 0 };
	pthread_t thread;

	assert_int_equal(token_admin_new(&a, NULL), RC_OK);
	thread = begin(a, &s);
	assert_int_equal(token_admin_sign(a, id, digest, sig, &f), row->rc);
	assert_string_equal(f.reason, row->reason);
	pthread_join(thread, NULL);
	assert_int_equal(s.got.op, FRAME_SIGN);
	assert_int_equal(s.got.generation, GENERATION);
	assert_memory_equal(s.got.key_id, id, sizeof id);
	assert_memory_equal(s.got.body, digest, sizeof digest);
	if (row->rc == RC_OK)
		assert_int_equal(sig[63], 0xab);
	else
		assert_memory_equal(sig, none, sizeof none); /* written on success only */
}

static void
late_answers_are_passed_over(void **state)
{
	struct script s = {
		.hello = true, .stale = 5, .before = true, .generation = GENERATION
	};
	AUTO(token_admin) *a = NULL;
	uint8_t point[65] = { 0 };
	pthread_t thread;

	(void)state;
	assert_int_equal(token_admin_new(&a, NULL), RC_OK);
	thread = begin(a, &s);
	assert_int_equal(token_admin_generate(a, NULL, point, NULL), RC_OK);
	assert_int_equal(point[64], 0xab);
	pthread_join(thread, NULL);
}

static void
count(void *arg, const uint8_t key_id[32], const struct frame_listed *key)
{
	unsigned *n = arg;

	*n += 1;
	assert_int_equal(key_id[0], *n);
	assert_int_equal(key->point[64], *n);
}

static void
lists(void **state)
{
	static const struct {
		unsigned listed;
		int code;
		enum rc rc;
	} rows[] = {
		{ 0, FRAME_END, RC_OK },
		{ 3, FRAME_END, RC_OK },
		{ 3, FRAME_REBUILD, RC_HSM },
		{ 3, -1, RC_HSM },
		{ 0, FRAME_BAD_FRAME, RC_BUG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct script s = { .hello = true,
			.listed = rows[i].listed,
			.code = rows[i].code,
			.generation = GENERATION };
		AUTO(token_admin) *a = NULL;
		unsigned n = 0;
		pthread_t thread;

		assert_int_equal(token_admin_new(&a, NULL), RC_OK);
		thread = begin(a, &s);
		assert_int_equal(token_admin_list(a, count, &n, NULL), rows[i].rc);
		assert_int_equal(n, rows[i].listed);
		pthread_join(thread, NULL);
	}
}

static void
introductions(void **state)
{
	struct script stranger = { .hello = true, .generation = GENERATION + 1 };
	AUTO(token_admin) *a = NULL;
	struct frame stats = frame_make(FRAME_STATS, GENERATION, 0);
	uint8_t id[32] = { 0 };
	struct fault f = { 0 };
	pthread_t thread;
	int pair[2];

	(void)state;
	assert_int_equal(token_admin_new(&a, NULL), RC_OK);
	thread = begin(a, &stranger);
	assert_int_equal(token_admin_destroy(a, id, &f), RC_HSM);
	assert_non_null(strstr(f.detail, "introduce"));
	assert_false(token_admin_ready(a));
	pthread_join(thread, NULL);
	assert_false(stranger.served); /* nothing was sent to it */
	make_pair(pair);
	assert_int_equal(frame_send(pair[1], &stats, NULL), RC_OK);
	token_admin_attach(a, pair[0], GENERATION);
	assert_false(token_admin_ready(a));
	assert_int_equal(token_admin_destroy(a, id, NULL), RC_HSM);
	close(pair[1]);
}

static void
ready_is_hello_seen_and_not_lost(void **state)
{
	struct frame hello = frame_make(FRAME_HELLO, GENERATION, 0);
	AUTO(token_admin) *a = NULL;
	int pair[2], next[2];

	(void)state;
	assert_int_equal(token_admin_new(&a, NULL), RC_OK);
	assert_false(token_admin_ready(a));
	make_pair(pair);
	make_pair(next);
	token_admin_attach(a, pair[0], GENERATION);
	assert_false(token_admin_ready(a));
	assert_int_equal(frame_send(pair[1], &hello, NULL), RC_OK);
	assert_true(token_admin_ready(a));
	assert_true(token_admin_ready(a)); /* looking takes nothing away */
	token_admin_attach(a, next[0], GENERATION + 1);
	assert_false(token_admin_ready(a));
	assert_int_equal(fcntl(pair[0], F_GETFD), -1); /* the replaced end was closed */
	hello.generation++;
	assert_int_equal(frame_send(next[1], &hello, NULL), RC_OK);
	assert_true(token_admin_ready(a));
	close(next[1]);
	close(pair[1]);
}

static void
no_answer_is_a_timeout(void **state)
{
	struct frame hello = frame_make(FRAME_HELLO, GENERATION, 0), request;
	AUTO(token_admin) *a = NULL;
	uint8_t point[65];
	struct fault f = { 0 };
	int pair[2];

	(void)state;
	assert_int_equal(token_admin_new(&a, NULL), RC_OK);
	make_pair(pair);
	token_admin_attach(a, pair[0], GENERATION);
	assert_int_equal(frame_send(pair[1], &hello, NULL), RC_OK);
	assert_int_equal(token_admin_generate(a, NULL, point, &f), RC_TIMEOUT);
	assert_string_equal(f.reason, "hsm_timeout");
	assert_true(token_admin_ready(a)); /* slow is not gone */
	assert_int_equal(frame_recv(pair[1], &request, NULL), RC_OK);
	assert_int_equal(request.op, FRAME_GENERATE);
	close(pair[1]);
}

/* Several at once: the good ones count, whatever comes behind them. */
static void
several(void **state)
{
	struct frame frame = frame_make(FRAME_SIGN, 7, 0), got[FRAMES_MAX + 4];
	struct fault f = { 0 };
	size_t n = 9;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(frames_recv(pair[1], got, FRAMES_MAX, &n, &f), RC_NOT_FOUND);
	assert_int_equal(n, 0);
	for (frame.request_id = 0; frame.request_id < FRAMES_MAX + 3; frame.request_id++)
		assert_int_equal(frame_send(pair[0], &frame, &f), RC_OK);
	assert_int_equal(send(pair[0], &frame, 5, 0), 5);
	assert_int_equal(frames_recv(pair[1], got, 2, &n, &f), RC_OK);
	assert_int_equal(n, 2);
	assert_int_equal(frames_recv(pair[1], got, ARRAY_LEN(got), &n, &f), RC_OK);
	assert_int_equal(n, FRAMES_MAX);
	assert_int_equal(got[0].request_id, 2);
	assert_int_equal(frames_recv(pair[1], got, ARRAY_LEN(got), &n, &f), RC_HSM);
	assert_int_equal(n, 1);
	assert_int_equal(got[0].request_id, FRAMES_MAX + 2);
	frame.version++;
	assert_int_equal(frame_send(pair[0], &frame, &f), RC_OK);
	assert_int_equal(frames_recv(pair[1], got, ARRAY_LEN(got), &n, NULL), RC_HSM);
	assert_int_equal(n, 0);
	frame.version--;
	assert_int_equal(frame_send(pair[0], &frame, &f), RC_OK);
	close(pair[0]);
	assert_int_equal(frames_recv(pair[1], got, ARRAY_LEN(got), &n, NULL), RC_HSM);
	assert_int_equal(n, 1);
	close(pair[1]);
}

int
main(void)
{
	const struct CMUnitTest fixed[] = {
		cmocka_unit_test(several),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(other_sizes_and_versions),
		cmocka_unit_test(a_full_socket_is_busy),
		cmocka_unit_test(a_peer_that_is_gone),
		cmocka_unit_test(last_words),
		cmocka_unit_test(late_answers_are_passed_over),
		cmocka_unit_test(lists),
		cmocka_unit_test(introductions),
		cmocka_unit_test(ready_is_hello_seen_and_not_lost),
		cmocka_unit_test(no_answer_is_a_timeout),
	};
	struct CMUnitTest tests[ARRAY_LEN(fixed) + ARRAY_LEN(code_cases)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		tests[n++] = fixed[i];
	for (size_t i = 0; i < ARRAY_LEN(code_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = code_cases[i].name,
			.test_func = codes,
			.initial_state = &code_cases[i] };
	alarm(TIME_LIMIT_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
