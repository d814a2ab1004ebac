#include "client/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <time.h>

#include "client/http.h"

enum {
	READ_CHUNK = 16384,
	ANSWER_MAX = 1024 * 1024,
	EVENTS_MAX = 256,
	DRAIN_NS = 1000000000, /* how long the last answers are waited for */
};

/*
 * Latencies in a histogram of 64 octaves of 64 steps each: the quantiles are
 * right to 1.6 % whatever the number of answers.
 */
enum { STEP_BITS = 6, STEPS = 1 << STEP_BITS, BUCKETS = 64 * STEPS };

struct connection {
	int fd;
	struct buf in;
	uint32_t events;    /* what epoll is asked for */
	struct span rest;   /* of the request in flight, not sent yet */
	bool busy;	    /* a request is in flight */
	int64_t started_ns; /* when it was due: late sending counts as waiting */
};

struct load {
	const struct load_plan *plan;
	struct load_result *result;
	struct connection *conn;
	unsigned conns, alive;
	int epoll;
	uint64_t *histogram;
	int64_t begin_ns, end_ns;
	uint64_t due; /* requests given out so far */
};

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- latencies ---------------------------------------------------------------------- */

static size_t
bucket_of(uint64_t ns)
{
	unsigned octave = 0;

	while (ns >> octave >= 2 * STEPS)
		octave++;
	return (size_t)octave * STEPS + (size_t)(ns >> octave);
}

static double
bucket_us(size_t bucket)
{
	size_t octave = bucket < 2 * STEPS ? 0 : bucket / STEPS - 1;

	return (double)((uint64_t)(bucket - octave * STEPS) << octave) / 1000.0;
}

static double
quantile_us(const uint64_t *histogram, uint64_t total, double q)
{
	uint64_t wanted = (uint64_t)((double)total * q), seen = 0;

	for (size_t i = 0; i < BUCKETS; i++) {
		seen += histogram[i];
		if (seen > wanted)
			return bucket_us(i);
	}
	return 0;
}

/* ---- connections ----------------------------------------------------------------------- */

static enum rc
dial(struct load *l, struct connection *c, struct fault *f)
{
	const struct load_plan *plan = l->plan;
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	c->fd = socket(plan->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* Connecting blocks while the listener's queue is full; nothing is measured yet. */
	if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&plan->to, plan->to_len) != 0)
		return FAULT(f, RC_NET, "connect", "%s", strerror(errno));
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
	    epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0)
		return FAULT(f, RC_IO, "epoll", "%s", strerror(errno));
	c->events = ev.events;
	l->alive++;
	return RC_OK;
}

/* A broken connection is not made again: it counts, and the others go on. */
static void
lose(struct load *l, struct connection *c)
{
	if (c->fd < 0)
		return;
	close(c->fd);
	c->fd = -1;
	l->alive--;
	l->result->failed += c->busy;
	c->busy = false;
}

/*
 * Room is asked for only while some is missing: who always asks is woken, and
 * lets the agent do the waking, each time that a request is read.
 */
static void
want(struct load *l, struct connection *c, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	if (c->fd < 0 || c->events == events)
		return;
	if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &ev) == 0)
		c->events = events;
	else
		lose(l, c);
}

static void
push(struct load *l, struct connection *c)
{
	while (c->fd >= 0 && c->rest.len > 0) {
		ssize_t n = send(c->fd, c->rest.ptr, c->rest.len, MSG_NOSIGNAL);

		if (n > 0)
			span_cut(&c->rest, (size_t)n);
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			lose(l, c);
	}
	want(l, c, EPOLLIN | (c->rest.len > 0 ? (uint32_t)EPOLLOUT : 0));
}

/* When the next request is due; INT64_MAX after the last. */
static int64_t
next_due_ns(const struct load *l, int64_t now)
{
	int64_t due = now;

	if (l->plan->rate > 0)
		due = l->begin_ns + (int64_t)((double)l->due * 1e9 / l->plan->rate);
	return due >= l->end_ns ? INT64_MAX : due;
}

static void
start(struct load *l, struct connection *c, int64_t now)
{
	int64_t due = next_due_ns(l, now);

	if (c->fd < 0 || c->busy || due > now)
		return;
	c->rest = l->plan->request[l->due++ % l->plan->requests];
	c->busy = true;
	c->started_ns = due;
	push(l, c);
}

static void
count(struct load *l, const struct http_answer *a, int64_t ns)
{
	struct load_result *r = l->result;
	bool good = a->status < 300;

	r->answered++;
	r->good += good;
	r->refused += a->status >= 400 && a->status < 500;
	r->failed += a->status >= 500 || (a->status >= 300 && a->status < 400);
	l->histogram[bucket_of(ns < 0 ? 0 : (uint64_t)ns)]++;
	if ((double)ns / 1000.0 > r->max_us)
		r->max_us = (double)ns / 1000.0;
	if (!good) {
		r->last_status = a->status;
		snprintf(r->last_body, sizeof r->last_body, "%.*s",
		    (int)(a->body.len < 500 ? a->body.len : 500), (const char *)a->body.ptr);
	}
}

/* What has come in; true when an answer was among it. */
static bool
take_answer(struct load *l, struct connection *c, int64_t now)
{
	struct http_answer a = { 0 };
	bool complete = false;

	if (!c->busy || c->in.len == 0)
		return false;
	if (http_answer(buf_view(&c->in), &a, &complete, NULL) != RC_OK) {
		lose(l, c);
		return false;
	}
	if (!complete)
		return false;
	c->busy = false;
	count(l, &a, now - c->started_ns);
	buf_consume(&c->in, a.len);
	if (a.close)
		lose(l, c);
	return true;
}

/* Once: what is left shows again. */
static void
pull(struct load *l, struct connection *c)
{
	uint8_t *room = c->fd >= 0 ? buf_room(&c->in, READ_CHUNK) : NULL;
	ssize_t n = room == NULL ? 0 : recv(c->fd, room, READ_CHUNK, 0);

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			lose(l, c);
		return;
	}
	buf_grew(&c->in, (size_t)n);
	if (take_answer(l, c, now_ns()))
		start(l, c, now_ns());
}

/* ---- the run ------------------------------------------------------------------------------- */

static bool
in_flight(const struct load *l)
{
	for (unsigned i = 0; i < l->conns; i++) {
		if (l->conn[i].busy)
			return true;
	}
	return false;
}

/* Give due requests to connections that are free. */
static void
hand_out(struct load *l)
{
	int64_t now = now_ns();

	for (unsigned i = 0; i < l->conns && next_due_ns(l, now) <= now; i++)
		start(l, &l->conn[i], now);
}

/* Not in milliseconds: what is due within one would be sent together at its end. */
static struct timespec
wait_time(const struct load *l, int64_t now)
{
	int64_t due = next_due_ns(l, now);
	int64_t until = due < l->end_ns ? due : l->end_ns;

	if (l->plan->rate <= 0 || until <= now)
		until = l->end_ns > now ? l->end_ns : now + 10000000;
	return (struct timespec){ .tv_sec = (until - now) / 1000000000,
		.tv_nsec = (until - now) % 1000000000 };
}

static void
turn(struct load *l)
{
	struct epoll_event events[EVENTS_MAX];
	struct timespec wait = wait_time(l, now_ns());
	int n = epoll_pwait2(l->epoll, events, EVENTS_MAX, &wait, NULL);

	for (int i = 0; i < n; i++) {
		struct connection *c = events[i].data.ptr;

		if ((events[i].events & EPOLLOUT) != 0)
			push(l, c);
		if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0)
			pull(l, c);
	}
}

static void
run(struct load *l)
{
	int64_t stop_ns;

	l->begin_ns = now_ns();
	l->end_ns = l->begin_ns + (int64_t)(l->plan->seconds * 1e9);
	stop_ns = l->end_ns + DRAIN_NS;
	hand_out(l);
	while (l->alive > 0 && now_ns() < l->end_ns) {
		turn(l);
		/* Without a rate every answer starts the next request itself. */
		if (l->plan->rate > 0)
			hand_out(l);
	}
	l->result->seconds = (double)(now_ns() - l->begin_ns) / 1e9;
	while (l->alive > 0 && in_flight(l) && now_ns() < stop_ns)
		turn(l);
	for (unsigned i = 0; i < l->conns; i++)
		lose(l, &l->conn[i]);
	l->result->p50_us = quantile_us(l->histogram, l->result->answered, 0.50);
	l->result->p90_us = quantile_us(l->histogram, l->result->answered, 0.90);
	l->result->p99_us = quantile_us(l->histogram, l->result->answered, 0.99);
}

static void
load_done(struct load *l)
{
	for (unsigned i = 0; l->conn != NULL && i < l->conns; i++) {
		if (l->conn[i].fd >= 0)
			close(l->conn[i].fd);
		buf_free(&l->conn[i].in);
	}
	free(l->conn);
	free(l->histogram);
	if (l->epoll >= 0)
		close(l->epoll);
}

static enum rc
prepare(struct load *l, struct fault *f)
{
	l->conn = calloc(l->plan->connections, sizeof *l->conn);
	if (l->conn == NULL || l->histogram == NULL || l->epoll < 0)
		return FAULT(
		    f, RC_NO_MEMORY, "no_memory", "%u connections", l->plan->connections);
	l->conns = l->plan->connections;
	for (unsigned i = 0; i < l->conns; i++)
		l->conn[i] = (struct connection){ .fd = -1, .in = BUF_INIT(ANSWER_MAX) };
	for (unsigned i = 0; i < l->conns; i++)
		TRY(dial(l, &l->conn[i], f));
	return RC_OK;
}

enum rc
load_to_path(struct load_plan *plan, const char *path, struct fault *f)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof to.sun_path)
		return FAULT(f, RC_NET, "connect", "%.100s: the path is too long", path);
	memcpy(to.sun_path, path, strlen(path));
	memcpy(&plan->to, &to, sizeof to);
	plan->to_len = sizeof to;
	return RC_OK;
}

enum rc
load_bounds(unsigned connections, struct fault *f)
{
	if (connections == 0 || connections > LOAD_CONNECTIONS_MAX)
		return FAULT(
		    f, RC_INVALID, "usage", "--connections is 1 to %d", LOAD_CONNECTIONS_MAX);
	return RC_OK;
}

enum rc
load_run(const struct load_plan *plan, struct load_result *out, struct fault *f)
{
	struct load_result result = { 0 };
	__attribute__((cleanup(load_done))) struct load l = {
		.plan = plan,
		.result = &result,
		.histogram = calloc(BUCKETS, sizeof(uint64_t)),
		.epoll = epoll_create1(EPOLL_CLOEXEC),
	};

	TRY(load_bounds(plan->connections, f));
	TRY(prepare(&l, f));
	run(&l);
	*out = result;
	return RC_OK;
}
