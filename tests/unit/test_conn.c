/* conn: requests over a real socket pair, whole, in pieces, in a row, and broken off */
#include "agent/front/conn.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/front/listener.h"
#include "tests/unit/cm.h"

#define ONE   "POST /one HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
#define TWO   "GET /two HTTP/1.1\r\nHost: x\r\n\r\n"
#define CLOSE "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

enum { MANY = 40 };

struct fixture {
	struct loop *loop;
	struct conn_host host;
	int fd;		  /* the caller's end */
	char paths[4096]; /* of the requests, with bodies, in their order */
	unsigned malformed;
	unsigned asked_by[MANY + 1]; /* by uid */
	uid_t slow; /* whose requests take longer than a user's turn; 0: nobody */
	bool later; /* answer by hand */
	bool deaf;  /* the caller does not read */
	struct conn *asked;
	unsigned lost;
	size_t answer_len;
	char *got; /* what the caller read */
	size_t got_len;
	bool ended;
};

enum { GOT_MAX = 1 << 20, GOT_EACH = 4096 };

static void
give(struct fixture *x, struct conn *c)
{
	static uint8_t body[300000];

	memset(body, 'b', x->answer_len);
	conn_answer(c, &(struct http1_answer){ .status = 200,
			   .content_type = "text/plain",
			   .body = span_of(body, x->answer_len) });
}

static void
on_lost(void *arg)
{
	struct fixture *x = arg;

	x->lost++;
	x->asked = NULL;
}

static int64_t
clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void
work(int64_t us)
{
	int64_t end_us = clock_us() + us;

	while (clock_us() < end_us)
		;
}

static void
on_request(void *arg, struct conn *c, const struct http1_request *r)
{
	struct fixture *x = arg;
	size_t at = strlen(x->paths);

	x->asked_by[c->caller.uid]++;
	if (x->slow != 0 && c->caller.uid == x->slow)
		work(2 * CONN_TURN_US);
	snprintf(x->paths + at, sizeof x->paths - at, "%.*s%.*s ", (int)r->path.len,
	    (const char *)r->path.ptr, (int)r->body.len,
	    r->body.len > 0 ? (const char *)r->body.ptr : "");
	if (!x->later) {
		give(x, c);
		return;
	}
	x->asked = c;
	conn_on_lost(c, on_lost, x);
}

static void
on_malformed(void *arg, struct conn *c, const struct http1_request *r, const struct fault *f)
{
	(void)r;
	((struct fixture *)arg)->malformed++;
	conn_answer(c, &(struct http1_answer){ .status = reason_status(f->reason) });
}

/* The caller's end of a new connection of this user. */
static int
connect_as(struct fixture *x, uid_t uid)
{
	struct caller who = { .uid = uid };
	struct fault f = { 0 };
	int pair[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(conn_open(&x->host, pair[0], &who, false, &f), RC_OK);
	return pair[1];
}

static int
set_up(void **state)
{
	struct fixture *x = calloc(1, sizeof *x);
	struct fault f = { 0 };

	assert_non_null(x);
	x->got = malloc(GOT_MAX);
	assert_non_null(x->got);
	assert_int_equal(loop_new(&x->loop, &f), RC_OK);
	x->host = (struct conn_host){
		.loop = x->loop, .request = on_request, .malformed = on_malformed, .arg = x
	};
	x->fd = connect_as(x, 0);
	*state = x;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *x = *state;

	conn_close_all(&x->host);
	assert_int_equal(x->host.open, 0);
	assert_int_equal(x->host.busy, 0);
	if (x->fd >= 0)
		close(x->fd);
	loop_free(x->loop);
	free(x->got);
	free(x);
	return 0;
}

static void
turn(struct fixture *x)
{
	struct fault f = { 0 };
	ssize_t n = 0;

	assert_int_equal(loop_turn(x->loop, 0, &f), RC_OK);
	conn_turn(&x->host);
	if (x->deaf)
		return;
	if (x->fd >= 0)
		n = recv(x->fd, x->got + x->got_len, GOT_MAX - 1 - x->got_len, 0);
	if (n > 0)
		x->got_len += (size_t)n;
	else if (n == 0 && x->fd >= 0)
		x->ended = true;
	x->got[x->got_len] = 0;
}

static void
turns(struct fixture *x, int n)
{
	while (n-- > 0)
		turn(x);
}

static void
put(struct fixture *x, const void *text, size_t len)
{
	assert_int_equal(send(x->fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void
say(struct fixture *x, const char *text)
{
	put(x, text, strlen(text));
}

static unsigned
answers(const struct fixture *x, const char *status)
{
	unsigned n = 0;

	for (const char *at = x->got; (at = strstr(at, status)) != NULL; at++)
		n++;
	return n;
}

static void
keeps_alive(void **state)
{
	struct fixture *x = *state;

	say(x, ONE);
	turns(x, 3);
	assert_int_equal(answers(x, "HTTP/1.1 200 OK"), 1);
	say(x, TWO);
	turns(x, 3);
	assert_int_equal(answers(x, "HTTP/1.1 200 OK"), 2);
	assert_string_equal(x->paths, "/oneabc /two ");
	assert_false(x->ended);
	say(x, CLOSE);
	turns(x, 3);
	assert_int_equal(answers(x, "Connection: close"), 1);
	assert_true(x->ended);
	assert_int_equal(x->host.open, 0);
}

static void
split_at_every_byte(void **state)
{
	static const char both[] = ONE TWO;

	(void)state;
	for (size_t cut = 1; cut < sizeof both - 1; cut++) {
		void *own = NULL;
		struct fixture *x;

		set_up(&own);
		x = own;
		put(x, both, cut);
		turns(x, 2);
		put(x, both + cut, sizeof both - 1 - cut);
		turns(x, 3);
		assert_string_equal(x->paths, "/oneabc /two ");
		assert_int_equal(answers(x, "HTTP/1.1 200 OK"), 2);
		tear_down(&own);
	}
}

static void
byte_by_byte(void **state)
{
	static const char both[] = ONE TWO;
	struct fixture *x = *state;

	for (size_t i = 0; i < sizeof both - 1; i++) {
		put(x, both + i, 1);
		turn(x);
	}
	turns(x, 2);
	assert_string_equal(x->paths, "/oneabc /two ");
}

static void
pipelined_in_order(void **state)
{
	struct fixture *x = *state;

	x->later = true;
	say(x, ONE TWO ONE);
	turns(x, 3);
	assert_string_equal(x->paths, "/oneabc "); /* one in flight */
	assert_int_equal(x->got_len, 0);
	give(x, x->asked);
	turns(x, 2);
	assert_string_equal(x->paths, "/oneabc /two ");
	give(x, x->asked);
	turns(x, 2);
	give(x, x->asked);
	turns(x, 2);
	assert_string_equal(x->paths, "/oneabc /two /oneabc ");
	assert_int_equal(answers(x, "HTTP/1.1 200 OK"), 3);
	assert_int_equal(x->lost, 0);
}

/* Behind a late answer: one that is answered at once, and one that ends the connection. */
static void
pipelined_to_the_end(void **state)
{
	struct fixture *x = *state;

	x->later = true;
	say(x, ONE TWO CLOSE TWO);
	turns(x, 2);
	x->later = false;
	give(x, x->asked);
	turns(x, 4);
	assert_int_equal(x->host.open, 0);
	assert_null(x->host.line); /* it is buried: nothing may name it */
	assert_string_equal(x->paths, "/oneabc /two /last ");
	assert_true(x->ended);
}

/* What waits behind a request is bounded; the rest waits in the socket, and nothing is lost. */
static void
flooded(void **state)
{
	struct fixture *x = *state;
	size_t sent = 0, n = 0;

	x->later = true;
	fcntl(x->fd, F_SETFL, O_NONBLOCK);
	while (send(x->fd, TWO, sizeof TWO - 1, MSG_NOSIGNAL) == sizeof TWO - 1) {
		sent++;
		turn(x);
	}
	assert_true(sent * (sizeof TWO - 1) < 1 << 20);
	x->later = false;
	give(x, x->asked);
	x->paths[0] = 0;
	for (int i = 0; i < 50000 && n < sent; i++) {
		turn(x);
		n = answers(x, "HTTP/1.1 200 OK");
		x->paths[0] = 0;
	}
	assert_true(n >= sent);
}

/* Asked or not: what the agent says.  Empty: it waits for a request. */
static size_t
hear(int fd, char *text, size_t size)
{
	ssize_t n = recv(fd, text, size - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

/* ---- turns ---- */

/* As many requests as fit into what is read at once, on many connections of one user. */
static void
flood(struct fixture *x, uid_t uid, int fd[MANY])
{
	for (size_t i = 0; i < MANY; i++) {
		fd[i] = connect_as(x, uid);
		for (size_t n = 0; n < MANY; n++)
			assert_int_equal(send(fd[i], TWO, sizeof TWO - 1, MSG_NOSIGNAL),
			    (ssize_t)sizeof TWO - 1);
	}
}

static void
close_all(int fd[MANY])
{
	for (size_t i = 0; i < MANY; i++)
		close(fd[i]);
}

/* What arrived at once is not handled at once; and the loop does not wait before the rest. */
static void
one_request_a_turn(void **state)
{
	struct fixture *x = *state;
	struct fault f = { 0 };
	int64_t began_us;

	say(x, TWO TWO TWO TWO TWO);
	for (unsigned n = 1; n <= 5; n++) {
		began_us = clock_us();
		assert_int_equal(loop_turn(x->loop, 4000, &f), RC_OK);
		conn_turn(&x->host);
		assert_true(clock_us() - began_us < 3000000);
		assert_int_equal(x->asked_by[0], n);
	}
	turns(x, 2);
	assert_int_equal(x->asked_by[0], 5);
	assert_int_equal(answers(x, "HTTP/1.1 200 OK"), 5);
}

/* Also where the answer is not the handler's own: sent later, and the next one waits its turn. */
static void
one_request_a_turn_of_late_answers(void **state)
{
	struct fixture *x = *state;

	x->later = true;
	say(x, TWO TWO TWO);
	for (unsigned n = 1; n <= 3; n++) {
		turn(x);
		assert_int_equal(x->asked_by[0], n);
		give(x, x->asked);
		assert_int_equal(x->asked_by[0], n);
	}
}

static void
a_flood_is_served_in_turns(void **state)
{
	struct fixture *x = *state;
	unsigned before = 0, most = 0;
	int fd[MANY], n = 0;

	flood(x, 1, fd);
	for (; x->asked_by[1] < MANY * MANY && n < 100000; n++) {
		turn(x);
		if (x->asked_by[1] - before > most)
			most = x->asked_by[1] - before;
		before = x->asked_by[1];
		x->paths[0] = 0;
	}
	assert_int_equal(x->asked_by[1], MANY * MANY); /* all of it, in the end */
	assert_true(most <= CONN_TURN_REQUESTS);
	assert_true(n >= MANY * MANY / CONN_TURN_REQUESTS);
	assert_null(x->host.line);
	close_all(fd);
	turns(x, 3);
}

/* Another user is answered in the turn in which it asks, whatever the flood. */
static void
nobody_waits_for_a_flood(void **state)
{
	struct fixture *x = *state;
	int fd[MANY], other;

	flood(x, 1, fd);
	turns(x, 3);
	other = connect_as(x, 2);
	for (unsigned n = 1; n <= 20; n++) {
		assert_int_equal(
		    send(other, TWO, sizeof TWO - 1, MSG_NOSIGNAL), (ssize_t)sizeof TWO - 1);
		turn(x);
		assert_int_equal(x->asked_by[2], n);
		x->paths[0] = 0;
	}
	assert_true(x->asked_by[1] < MANY * MANY); /* while it lasted */
	close(other);
	close_all(fd);
	turns(x, 3);
}

/* Few that are dear count as many that are cheap. */
static void
dear_requests_end_the_turn(void **state)
{
	struct fixture *x = *state;
	unsigned before;
	int fd[MANY];

	x->slow = 1;
	flood(x, 1, fd);
	for (int i = 0; i < 10; i++) {
		before = x->asked_by[1];
		turn(x);
		assert_int_equal(x->asked_by[1] - before, 1);
	}
	close_all(fd);
	turns(x, 3);
}

/*
 * The connections of one user come round.  The first of all was served before
 * the others were there, and stands before them in the line: it comes twice.
 */
static void
connections_come_round(void **state)
{
	struct fixture *x = *state;
	char text[GOT_EACH];
	int fd[MANY];

	x->slow = 1;
	flood(x, 1, fd);
	for (int i = 0; i < MANY + 1; i++) {
		turn(x);
		x->paths[0] = 0;
	}
	assert_int_equal(x->asked_by[1], MANY + 1);
	for (size_t i = 0; i < MANY; i++)
		assert_int_not_equal(hear(fd[i], text, sizeof text), 0);
	close_all(fd);
	turns(x, 3);
}

/* ---- deadlines ---- */

static const struct deadline_case {
	const char *name, *first, *then;
	int64_t ms;
} deadline_cases[] = {
	{ "nothing yet", "", "", CONN_HEAD_MS },
	{ "a first request that is slow", "POST /o", "", CONN_HEAD_MS },
	{ "between requests", ONE, "", CONN_IDLE_MS },
	{ "a second request that is slow, behind the first", ONE "GET /t", "", CONN_HEAD_MS },
	{ "a second request that is slow, later", ONE, "GET /t", CONN_HEAD_MS },
	{ "a second request whose body is slow", TWO,
	    "POST /o HTTP/1.1\r\nHost: x\r\n"
	    "Content-Length: 9\r\n\r\nabc",
	    CONN_HEAD_MS },
};

static void
deadline(void **state)
{
	const struct deadline_case *k = *state;
	void *own = NULL;
	struct fixture *x;
	struct conn *c;
	int64_t left_ms;

	set_up(&own);
	x = own;
	say(x, k->first);
	turns(x, 3);
	say(x, k->then);
	turns(x, 3);
	c = x->host.first;
	assert_non_null(c);
	assert_non_null(c->timer.next);
	left_ms = c->timer.at_ms - loop_now_ms(x->loop);
	assert_true(left_ms <= k->ms && left_ms > k->ms - CONN_HEAD_MS / 2);
	c->timer.fire(c->timer.arg);
	turns(x, 2);
	assert_int_equal(x->host.open, 0);
	tear_down(&own);
}

/* Who waits for a turn is not slow. */
static void
no_deadline_in_line(void **state)
{
	struct fixture *x = *state;
	const struct conn *c = x->host.first;

	say(x, TWO TWO "GET /t");
	turn(x);
	assert_true(c->in_line);
	assert_null(c->timer.next);
	turns(x, 3);
	assert_false(c->in_line);
	assert_non_null(c->timer.next);
	assert_int_equal(x->asked_by[0], 2);
}

/* More descriptors than epoll takes, so to say: one that it does not take at all. */
static void
no_connection_without_epoll(void **state)
{
	struct fixture *x = *state;
	struct caller who = { .uid = 3 };
	struct fault f = { 0 };
	FILE *plain = tmpfile();
	int fd;

	assert_non_null(plain);
	fd = dup(fileno(plain));
	assert_true(fd >= 0);
	assert_int_equal(conn_open(&x->host, fd, &who, false, &f), RC_IO);
	assert_int_equal(f.rc, RC_IO);
	assert_string_equal(f.reason, "epoll");
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* it was taken over */
	assert_int_equal(conn_open_of(&x->host, 3), 0);
	assert_int_equal(x->host.open, 1);
	fclose(plain);
}

static void
large_answer_to_a_slow_reader(void **state)
{
	struct fixture *x = *state;

	x->answer_len = 300000;
	x->deaf = true;
	say(x, TWO TWO);
	turns(x, 10);
	assert_string_equal(x->paths, "/two "); /* the next one waits for the reader */
	x->deaf = false;
	for (int i = 0; i < 50 && x->got_len < 600000; i++)
		turn(x);
	assert_int_equal(answers(x, "HTTP/1.1 200 OK"), 2);
	assert_true(x->got_len > 600000);
}

static void
malformed_ends_it(void **state)
{
	struct fixture *x = *state;

	say(x, "GET /two HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" TWO);
	turns(x, 3);
	assert_int_equal(x->malformed, 1);
	assert_int_equal(answers(x, "HTTP/1.1 400 Bad Request"), 1);
	assert_int_equal(answers(x, "Connection: close"), 1);
	assert_string_equal(x->paths, ""); /* what follows is not looked at */
	assert_true(x->ended);
}

static void
good_one_before_a_bad_one(void **state)
{
	struct fixture *x = *state;

	say(x, ONE "nonsense\n");
	turns(x, 4);
	assert_string_equal(x->paths, "/oneabc ");
	assert_int_equal(answers(x, "HTTP/1.1 200 OK"), 1);
	assert_int_equal(answers(x, "HTTP/1.1 400"), 1);
	assert_true(x->ended);
}

static void
continues(void **state)
{
	struct fixture *x = *state;

	say(x,
	    "POST /c HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	turns(x, 3);
	assert_string_equal(x->got, "HTTP/1.1 100 Continue\r\n\r\n");
	say(x, "o");
	turns(x, 2);
	say(x, "k");
	turns(x, 2);
	assert_string_equal(x->paths, "/cok ");
	assert_int_equal(answers(x, "100 Continue"), 1);
	assert_int_equal(answers(x, "200 OK"), 1);
}

static void
gone_while_it_waits(void **state)
{
	struct fixture *x = *state;

	x->later = true;
	say(x, ONE);
	turns(x, 2);
	assert_non_null(x->asked);
	close(x->fd);
	x->fd = -1;
	turns(x, 4);
	assert_int_equal(x->lost, 1);
	assert_int_equal(x->host.open, 0);
	assert_int_equal(x->host.busy, 0);
}

/* A caller may shut its side after the request and read the answer. */
static void
half_closed(void **state)
{
	struct fixture *x = *state;

	x->later = true;
	say(x, ONE TWO);
	shutdown(x->fd, SHUT_WR);
	turns(x, 4);
	assert_non_null(x->asked);
	give(x, x->asked);
	turns(x, 3);
	give(x, x->asked);
	turns(x, 3);
	assert_int_equal(answers(x, "HTTP/1.1 200 OK"), 2);
	assert_true(x->ended);
	assert_int_equal(x->lost, 0);
}

static void
ends_inside_a_request(void **state)
{
	struct fixture *x = *state;

	put(x, ONE, sizeof ONE - 2);
	shutdown(x->fd, SHUT_WR);
	turns(x, 4);
	assert_true(x->ended);
	assert_string_equal(x->paths, "");
	assert_int_equal(x->host.open, 0);
}

static void
drains(void **state)
{
	struct fixture *x = *state;

	x->later = true;
	say(x, ONE);
	turns(x, 2);
	conn_close_idle(&x->host);
	assert_int_equal(x->host.open, 1); /* it is owed an answer */
	give(x, x->asked);
	turns(x, 2);
	assert_int_equal(answers(x, "Connection: close"), 1);
	assert_true(x->ended);
}

static void
drains_idle_ones(void **state)
{
	struct fixture *x = *state;

	conn_close_idle(&x->host);
	turns(x, 2);
	assert_true(x->ended);
	assert_int_equal(x->host.open, 0);
}

/* ---- the loop's timers ---- */

struct alarm {
	struct loop_timer timer;
	struct loop *loop;
	unsigned fired;
	int64_t at_ms;
	struct alarm *other; /* disarmed when this one fires */
};

static void
on_alarm(void *arg)
{
	struct alarm *a = arg;

	a->fired++;
	a->at_ms = loop_now_ms(a->loop);
	if (a->other != NULL)
		loop_disarm(a->loop, &a->other->timer);
}

static void
timers(void **state)
{
	static const int64_t after_ms[] = { 0, 1, 7, 8, 9, 50, 51, 200, 8192 + 100 };
	struct alarm a[ARRAY_LEN(after_ms)] = { 0 };
	struct loop *l = NULL;
	struct fault f = { 0 };
	int64_t began_ms;

	(void)state;
	assert_int_equal(loop_new(&l, &f), RC_OK);
	began_ms = loop_now_ms(l);
	for (size_t i = 0; i < ARRAY_LEN(a); i++) {
		a[i].loop = l;
		a[i].timer = (struct loop_timer){ .fire = on_alarm, .arg = &a[i] };
		loop_arm(l, &a[i].timer, began_ms + 1000000);
		loop_arm(l, &a[i].timer, began_ms + after_ms[i]); /* moves it */
	}
	a[5].other = &a[6];
	while (loop_now_ms(l) < began_ms + 300)
		assert_int_equal(loop_turn(l, 1000, &f), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(a); i++) {
		bool due = after_ms[i] < 300 && i != 6;

		assert_int_equal(a[i].fired, due);
		if (due)
			assert_true(a[i].at_ms >= began_ms + after_ms[i]);
	}
	loop_free(l);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* ---- how many one user may hold ---- */

enum { DOOR_USER_MAX = 2 };

struct door {
	struct listener l;
	size_t max_open, max_user;
	struct sockaddr_un at;
	socklen_t at_len;
	int fd;
};

/* An abstract name that the kernel chooses. */
static void
open_door(struct fixture *x, struct door *d, bool admin)
{
	struct fault f = { 0 };

	*d = (struct door){ .max_open = 100, .at_len = sizeof d->at };
	d->max_user = conn_open_of(&x->host, getuid()) + DOOR_USER_MAX;
	d->at.sun_family = AF_UNIX;
	d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(d->fd, (struct sockaddr *)&d->at, sizeof d->at.sun_family), 0);
	assert_int_equal(listen(d->fd, 8), 0);
	assert_int_equal(getsockname(d->fd, (struct sockaddr *)&d->at, &d->at_len), 0);
	d->l = (struct listener){ .host = &x->host,
		.admin = admin,
		.max_open = &d->max_open,
		.max_user = &d->max_user };
	assert_int_equal(listener_open(&d->l, d->fd, &f), RC_OK);
}

static void
close_door(struct door *d)
{
	listener_close(&d->l);
	close(d->fd);
}

static int
knock(struct fixture *x, const struct door *d)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&d->at, d->at_len), 0);
	turns(x, 3);
	return fd;
}

static void
one_user_leaves_room(void **state)
{
	struct fixture *x = *state;
	size_t before = conn_open_of(&x->host, getuid());
	char text[2048];
	int fd[DOOR_USER_MAX], more;
	struct door d;

	open_door(x, &d, false);
	for (size_t i = 0; i < DOOR_USER_MAX; i++) {
		fd[i] = knock(x, &d);
		assert_int_equal(hear(fd[i], text, sizeof text), 0);
		assert_int_equal(conn_open_of(&x->host, getuid()), before + i + 1);
	}
	more = knock(x, &d);
	assert_int_not_equal(hear(more, text, sizeof text), 0);
	assert_memory_equal(text, "HTTP/1.1 503 ", 13);
	assert_non_null(strstr(text, "\r\nRetry-After: 1\r\n"));
	assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
	assert_non_null(strstr(text, "\"reason\":\"overloaded\""));
	assert_int_equal(recv(more, text, sizeof text, 0), 0); /* and closes */
	close(more);
	assert_int_equal(d.l.failed, 1);
	assert_int_equal(conn_open_of(&x->host, getuid()), before + DOOR_USER_MAX);
	/* Who closes one may open one. */
	close(fd[0]);
	turns(x, 3);
	fd[0] = knock(x, &d);
	assert_int_equal(hear(fd[0], text, sizeof text), 0);
	assert_int_equal(send(fd[0], TWO, strlen(TWO), 0), strlen(TWO));
	turns(x, 5);
	assert_int_not_equal(hear(fd[0], text, sizeof text), 0);
	assert_memory_equal(text, "HTTP/1.1 200 ", 13);
	for (size_t i = 0; i < DOOR_USER_MAX; i++)
		close(fd[i]);
	turns(x, 3);
	assert_int_equal(conn_open_of(&x->host, getuid()), before);
	assert_int_equal(conn_open_of(&x->host, 4711), 0);
	close_door(&d);
}

static void
administration_does_not_count(void **state)
{
	struct fixture *x = *state;
	size_t before = conn_open_of(&x->host, getuid());
	int fd[DOOR_USER_MAX + 2];
	char text[2048];
	struct door d;

	open_door(x, &d, true);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
		fd[i] = knock(x, &d);
		assert_int_equal(hear(fd[i], text, sizeof text), 0);
	}
	assert_int_equal(conn_open_of(&x->host, getuid()), before);
	assert_int_equal(d.l.failed, 0);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		close(fd[i]);
	turns(x, 3);
	close_door(&d);
}

int
main(void)
{
	struct CMUnitTest late[ARRAY_LEN(deadline_cases)];
	const struct CMUnitTest tests[] = {
		TEST(keeps_alive),
		cmocka_unit_test(split_at_every_byte),
		TEST(byte_by_byte),
		TEST(pipelined_in_order),
		TEST(pipelined_to_the_end),
		TEST(flooded),
		TEST(one_request_a_turn),
		TEST(one_request_a_turn_of_late_answers),
		TEST(a_flood_is_served_in_turns),
		TEST(nobody_waits_for_a_flood),
		TEST(dear_requests_end_the_turn),
		TEST(connections_come_round),
		TEST(no_deadline_in_line),
		TEST(no_connection_without_epoll),
		TEST(large_answer_to_a_slow_reader),
		TEST(malformed_ends_it),
		TEST(good_one_before_a_bad_one),
		TEST(continues),
		TEST(gone_while_it_waits),
		TEST(half_closed),
		TEST(ends_inside_a_request),
		TEST(drains),
		TEST(drains_idle_ones),
		TEST(one_user_leaves_room),
		TEST(administration_does_not_count),
		cmocka_unit_test(timers),
	};

	for (size_t i = 0; i < ARRAY_LEN(late); i++)
		late[i] = (struct CMUnitTest){ deadline_cases[i].name, deadline, NULL, NULL,
			(void *)(uintptr_t)&deadline_cases[i] };
	return cmocka_run_group_tests(tests, NULL, NULL) +
	       cmocka_run_group_tests(late, NULL, NULL);
}
