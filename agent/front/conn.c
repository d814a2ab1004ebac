#include "agent/front/conn.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

/* ---- users ---- */

static struct conn_user **
find_user(struct conn_user *const *bucket, uid_t uid, bool admin)
{
	struct conn_user **at =
	    (struct conn_user **)(uintptr_t)&bucket[uid % CONN_USER_BUCKETS];

	while (*at != NULL && ((*at)->uid != uid || (*at)->admin != admin))
		at = &(*at)->next;
	return at;
}

size_t
conn_open_of(const struct conn_host *h, uid_t uid)
{
	const struct conn_user *u = *find_user(h->user, uid, false);

	return u != NULL ? u->open : 0;
}

static bool
enter_user(struct conn *c)
{
	struct conn_user **at = find_user(c->host->user, c->caller.uid, c->admin);

	if (*at == NULL)
		*at = calloc(1, sizeof **at);
	if (*at == NULL)
		return false;
	(*at)->uid = c->caller.uid;
	(*at)->admin = c->admin;
	(*at)->open++;
	(*at)->held++;
	c->user = *at;
	return true;
}

/* Its connection is not open any more; what it has had in this turn counts on. */
static void
leave_user(struct conn *c)
{
	struct conn_user *u = TAKE(c->user), **at;

	if (--u->held > 0)
		return;
	at = find_user(c->host->user, u->uid, u->admin);
	*at = u->next;
	free(u);
}

/* The loop's clock stands still during a turn. */
static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* May it have a request handled in this turn? */
static bool
may_go(const struct conn *c)
{
	const struct conn_user *u = c->user;

	return c->turn != c->host->turn &&
	       (u->turn != c->host->turn ||
		   (u->requests < CONN_TURN_REQUESTS && u->spent_us < CONN_TURN_US));
}

static void
charge(struct conn *c, int64_t began_us)
{
	struct conn_user *u = c->user;

	c->turn = c->host->turn;
	if (u->turn != c->turn) {
		u->turn = c->turn;
		u->requests = 0;
		u->spent_us = 0;
	}
	u->requests++;
	u->spent_us += now_us() - began_us;
}

/* ---- the line ---- */

static void
line_up(struct conn *c)
{
	struct conn_host *h = c->host;

	if (c->in_line)
		return;
	c->left_ms = c->timer.at_ms - loop_now_ms(h->loop);
	loop_disarm(h->loop, &c->timer); /* to wait here is not the caller's slowness */
	c->in_line = true;
	c->next_in_line = NULL;
	c->prev_in_line = h->line_end;
	if (h->line_end != NULL)
		h->line_end->next_in_line = c;
	else
		h->line = c;
	h->line_end = c;
}

static void
leave_line(struct conn *c)
{
	struct conn_host *h = c->host;

	if (!c->in_line)
		return;
	c->in_line = false;
	c->unread = false;
	if (h->cursor == c)
		h->cursor = c->next_in_line;
	if (c->next_in_line != NULL)
		c->next_in_line->prev_in_line = c->prev_in_line;
	else
		h->line_end = c->prev_in_line;
	if (c->prev_in_line != NULL)
		c->prev_in_line->next_in_line = c->next_in_line;
	else
		h->line = c->next_in_line;
}

/* ---- connections ---- */

/* The bytes that are not handled yet. */
static struct span
waiting(const struct conn *c)
{
	struct span s = buf_view(&c->in);

	span_cut(&s, c->at);
	return s;
}

static void
finish(struct conn *c)
{
	struct conn_host *h = c->host;

	if (c->gone)
		return;
	c->gone = true;
	loop_disarm(h->loop, &c->timer);
	loop_remove(h->loop, &c->io);
	close(c->io.fd);
	if (c->busy)
		h->busy--;
	if (c->lost != NULL)
		c->lost(c->lost_arg);
	c->lost = NULL;
	leave_line(c);
	if (c->next != NULL)
		c->next->prev = c->prev;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		h->first = c->next;
	h->open--;
	c->user->open--;
	c->next = h->dead;
	h->dead = c;
}

static void
bury(struct conn_host *h)
{
	while (h->dead != NULL) {
		struct conn *c = h->dead;

		h->dead = c->next;
		leave_user(c);
		caller_done(&c->caller);
		buf_free(&c->in);
		buf_free(&c->out);
		free(c);
	}
}

static void
arm(struct conn *c, int64_t ms)
{
	loop_arm(c->host->loop, &c->timer, loop_now_ms(c->host->loop) + ms);
}

/*
 * Reading stops where nothing more can be kept, where there is more than the
 * caller's turn allows, and where the caller has ended its side.
 */
static void
want(struct conn *c)
{
	bool full = c->in.len >= c->in.max;

	loop_want(c->host->loop, &c->io,
	    (c->eof || full || c->unread ? 0 : EPOLLIN) |
		(c->out.len > 0 ? (uint32_t)EPOLLOUT : 0));
}

/* True when everything is out. */
static bool
flush(struct conn *c)
{
	while (c->out.len > 0) {
		ssize_t n = send(c->io.fd, c->out.ptr, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return false;
		if (n < 0) {
			finish(c);
			return false;
		}
		buf_consume(&c->out, (size_t)n);
	}
	buf_free(&c->out);
	return true;
}

/* Nothing is in flight: is there something to look at? */
static void
look(struct conn *c)
{
	size_t n = waiting(c).len;

	if (c->gone || c->busy || c->out.len > 0)
		return;
	if (n > 0 && n >= c->need)
		line_up(c);
	else if (c->eof)
		finish(c); /* also in the middle of a request */
}

/* An answer is written out: what comes next? */
static void
settle(struct conn *c)
{
	size_t n = waiting(c).len;

	if (c->gone)
		return;
	if (c->close || (c->host->closing && n == 0)) {
		finish(c);
		return;
	}
	arm(c, n > 0 ? CONN_HEAD_MS : CONN_IDLE_MS);
	look(c);
	if (!c->gone)
		want(c);
}

static void
push_out(struct conn *c)
{
	if (flush(c)) {
		settle(c);
	} else if (!c->gone) {
		arm(c, CONN_WRITE_MS);
		want(c);
	}
}

/* False: no memory, and half an answer is worse than none. */
static bool
keep(struct conn *c, struct span head, struct span body, size_t sent)
{
	span_cut(&body, sent > head.len ? sent - head.len : 0);
	span_cut(&head, sent > head.len ? head.len : sent);
	buf_span(&c->out, head);
	buf_span(&c->out, body);
	if (buf_check(&c->out, NULL) == RC_OK)
		return true;
	finish(c);
	return false;
}

/* One write, from where it was made; what the socket does not take at once waits in out. */
static bool
send_answer(struct conn *c, const struct http1_answer *a)
{
	struct buf *head = &c->host->head;
	struct iovec part[2];
	struct msghdr message = { .msg_iov = part, .msg_iovlen = 2 };
	ssize_t n = 0;

	buf_clear(head);
	http1_head(head, a);
	if (buf_check(head, NULL) != RC_OK) {
		finish(c);
		return false;
	}
	part[0] = (struct iovec){ head->ptr, head->len };
	part[1] = (struct iovec){ (void *)(uintptr_t)a->body.ptr, a->body.len };
	if (c->out.len == 0)
		n = sendmsg(c->io.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	/* An error shows again at the next write. */
	return keep(c, buf_view(head), a->body, n < 0 ? 0 : (size_t)n);
}

void
conn_answer(struct conn *c, const struct http1_answer *a)
{
	struct http1_answer last = *a;

	assert(c->busy && !c->gone);
	c->busy = false;
	c->host->busy--;
	c->lost = NULL;
	c->close = c->close || a->close || (c->host->closing && waiting(c).len == 0);
	last.close = c->close;
	if (send_answer(c, &last))
		push_out(c);
}

void
conn_on_lost(struct conn *c, void (*lost)(void *arg), void *arg)
{
	c->lost = lost;
	c->lost_arg = arg;
}

static void
set_busy(struct conn *c)
{
	c->busy = true;
	c->host->busy++;
	loop_disarm(c->host->loop, &c->timer);
}

static void
send_continue(struct conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	buf_put(&c->out, text, sizeof text - 1);
	(void)flush(c);
}

/* The spans of a request borrow from in until its handler has returned: not before. */
static void
forget_handled(struct conn *c)
{
	if (c->at < c->in.len)
		return;
	buf_free(&c->in);
	c->at = 0;
}

static void
refuse(struct conn *c, const struct http1_request *r, const struct fault *f)
{
	c->at = c->in.len; /* where the next request begins is not known */
	c->close = true;
	set_busy(c);
	c->host->malformed(c->host->arg, c, r, f);
	forget_handled(c);
}

static void
dispatch(struct conn *c, const struct http1_request *r)
{
	c->at += r->total;
	c->need = 0;
	c->close = r->close;
	set_busy(c);
	c->host->request(c->host->arg, c, r);
	forget_handled(c);
}

/* The rest of this request is still to come, into a buffer with room for it. */
static void
await_rest(struct conn *c, const struct http1_request *r, enum http1_state state)
{
	buf_consume(&c->in, c->at);
	c->at = 0;
	arm(c, c->left_ms);
	if (state == HTTP1_NEED_BODY) {
		c->need = r->total;
		if (r->expect)
			send_continue(c);
	}
	if (!c->gone && c->eof && c->out.len == 0)
		finish(c);
}

/* One request, as far as it is there. */
static void
advance(struct conn *c)
{
	struct http1_request r = { 0 };
	enum http1_state state = HTTP1_NEED_HEAD;
	struct fault f = { 0 };

	if (http1_read(waiting(c), &r, &state, &f) != RC_OK)
		refuse(c, &r, &f);
	else if (state == HTTP1_COMPLETE)
		dispatch(c, &r);
	else
		await_rest(c, &r, state);
}

/* Most often a whole request comes at once, and is read where it lies. */
static bool
read_at_once(struct conn *c, struct span bytes)
{
	int64_t began_us = now_us();
	enum http1_state state = HTTP1_NEED_HEAD;
	struct http1_request r = { 0 };

	if (c->in.len > 0 || c->busy || c->out.len > 0 || !may_go(c) ||
	    http1_read(bytes, &r, &state, NULL) != RC_OK || state != HTTP1_COMPLETE)
		return false;
	buf_put(&c->in, bytes.ptr + r.total, bytes.len - r.total);
	if (buf_check(&c->in, NULL) != RC_OK) {
		finish(c);
		return true;
	}
	c->close = r.close;
	set_busy(c);
	c->host->request(c->host->arg, c, &r);
	charge(c, began_us);
	return true;
}

static void
receive(struct conn *c)
{
	struct conn_host *h = c->host;
	size_t room = c->in.max - c->in.len;
	ssize_t n;

	if (room > sizeof h->scratch)
		room = sizeof h->scratch;
	n = recv(c->io.fd, h->scratch, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n < 0) {
		finish(c);
		return;
	}
	if (n == 0) {
		c->eof = true;
		return;
	}
	if (read_at_once(c, span_of(h->scratch, (size_t)n)))
		return;
	if (c->in.len == 0 && !c->busy)
		arm(c, CONN_HEAD_MS);
	buf_put(&c->in, h->scratch, (size_t)n);
	if (buf_check(&c->in, NULL) != RC_OK)
		finish(c);
}

static void
ready(void *arg, uint32_t events)
{
	struct conn *c = arg;

	if ((events & EPOLLOUT) != 0 && c->out.len > 0 && !c->busy)
		push_out(c);
	/* Both directions are shut: nobody reads an answer any more. */
	if (!c->gone && (events & (EPOLLHUP | EPOLLERR)) != 0 &&
	    (c->eof || (events & EPOLLIN) == 0))
		finish(c);
	if (!c->gone && (events & EPOLLIN) != 0 && c->in_line)
		c->unread = true;
	else if (!c->gone && (events & EPOLLIN) != 0 && c->in.len < c->in.max)
		receive(c);
	look(c);
	if (!c->gone)
		want(c);
}

static void
late(void *arg)
{
	finish(arg);
}

/* A connection that did not come about. */
static void
give_up(struct conn *c)
{
	if (c->user != NULL) {
		c->user->open--;
		leave_user(c);
	}
	close(c->io.fd);
	caller_done(&c->caller);
	free(c);
}

enum rc
conn_open(struct conn_host *h, int fd, struct caller *caller, bool admin, struct fault *f)
{
	struct conn *c = calloc(1, sizeof *c);
	enum rc rc;

	if (c == NULL) {
		close(fd);
		caller_done(caller);
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a connection");
	}
	c->caller = *caller;
	*caller = (struct caller){ 0 };
	c->admin = admin;
	c->host = h;
	c->in = BUF_INIT(HTTP1_REQUEST_MAX + CONN_PIPELINE);
	c->out = BUF_INIT(CONN_ANSWER_MAX);
	c->timer = (struct loop_timer){ .fire = late, .arg = c };
	c->io = (struct loop_io){ .fd = fd, .ready = ready, .arg = c };
	h->head.max = HTTP1_HEAD_MAX;
	c->turn = h->turn - 1; /* it has had none in this one */
	rc = enter_user(c) ? loop_add(h->loop, &c->io, EPOLLIN, f)
			   : FAULT(f, RC_NO_MEMORY, "no_memory", "a connection");
	if (rc != RC_OK) {
		give_up(c);
		return rc;
	}
	c->next = h->first;
	if (h->first != NULL)
		h->first->prev = c;
	h->first = c;
	h->open++;
	arm(c, CONN_HEAD_MS);
	return RC_OK;
}

/*
 * Along the line once: whose turn is over keeps its place, and who is served
 * stands at the end with what is left.  A handler may end any connection.
 */
static void
serve_line(struct conn_host *h)
{
	h->cursor = h->line;
	while (h->cursor != NULL) {
		struct conn *c = h->cursor;
		int64_t began_us;

		h->cursor = c->next_in_line;
		if (!may_go(c))
			continue;
		leave_line(c);
		began_us = now_us();
		advance(c);
		charge(c, began_us);
		if (!c->gone)
			want(c);
	}
}

void
conn_turn(struct conn_host *h)
{
	serve_line(h);
	bury(h);
	h->turn++;
	if (h->line != NULL)
		loop_hurry(h->loop);
}

void
conn_close_idle(struct conn_host *h)
{
	struct conn *next;

	h->closing = true;
	for (struct conn *c = h->first; c != NULL; c = next) {
		next = c->next;
		if (!c->busy && waiting(c).len == 0 && c->out.len == 0)
			finish(c);
	}
}

void
conn_close_all(struct conn_host *h)
{
	h->closing = true;
	while (h->first != NULL)
		finish(h->first);
	buf_free(&h->head);
	bury(h);
}
