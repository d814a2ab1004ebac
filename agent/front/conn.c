#include "agent/front/conn.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* ---- users ---- */

static struct conn_user **
find_user(struct conn_user *const *bucket, uid_t uid)
{
	struct conn_user **at =
	    (struct conn_user **)(uintptr_t)&bucket[uid % CONN_USER_BUCKETS];

	while (*at != NULL && (*at)->uid != uid)
		at = &(*at)->next;
	return at;
}

size_t
conn_open_of(const struct conn_host *h, uid_t uid)
{
	const struct conn_user *u = *find_user(h->user, uid);

	return u != NULL ? u->open : 0;
}

static bool
enter_user(struct conn *c)
{
	struct conn_user **at = find_user(c->host->user, c->caller.uid);

	if (*at == NULL)
		*at = calloc(1, sizeof **at);
	if (*at == NULL)
		return false;
	(*at)->uid = c->caller.uid;
	(*at)->open++;
	c->user = *at;
	return true;
}

static void
leave_user(struct conn *c)
{
	struct conn_user *u = TAKE(c->user), **at;

	if (u == NULL || --u->open > 0)
		return;
	at = find_user(c->host->user, u->uid);
	*at = u->next;
	free(u);
}

/* ---- connections ---- */

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
	if (c->next != NULL)
		c->next->prev = c->prev;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		h->first = c->next;
	h->open--;
	leave_user(c);
	c->next = h->dead;
	h->dead = c;
}

static void
bury(struct conn_host *h)
{
	while (h->dead != NULL) {
		struct conn *c = h->dead;

		h->dead = c->next;
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

/* Reading stops where nothing more can be kept, and where the caller has ended its side. */
static void
want(struct conn *c)
{
	bool full = c->in.len >= c->in.max;

	loop_want(c->host->loop, &c->io,
	    (c->eof || full ? 0 : EPOLLIN) | (c->out.len > 0 ? (uint32_t)EPOLLOUT : 0));
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

/* An answer is written out: what comes next? */
static void
settle(struct conn *c)
{
	if (c->gone)
		return;
	if (c->close || (c->host->closing && c->in.len == 0) || (c->eof && c->in.len == 0)) {
		finish(c);
		return;
	}
	if (c->in.len == 0)
		buf_free(&c->in);
	arm(c, c->in.len > 0 ? CONN_HEAD_MS : CONN_IDLE_MS);
	if (c->in.len > 0 && !c->in_again) {
		c->in_again = true;
		c->next_again = c->host->again;
		c->host->again = c;
	}
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
	c->close = c->close || a->close || (c->host->closing && c->in.len == 0);
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

static void
refuse(struct conn *c, const struct http1_request *r, const struct fault *f)
{
	struct buf request = c->in; /* the spans of r borrow from it */

	c->in = BUF_INIT(request.max); /* where the next request begins is not known */
	c->close = true;
	set_busy(c);
	c->host->malformed(c->host->arg, c, r, f);
	buf_free(&request);
}

static void
dispatch(struct conn *c, const struct http1_request *r)
{
	struct buf request = c->in; /* the spans of r borrow from it */

	c->in = BUF_INIT(request.max);
	buf_put(&c->in, request.ptr + r->total, request.len - r->total);
	c->need = 0;
	c->close = r->close;
	set_busy(c);
	c->host->request(c->host->arg, c, r);
	buf_free(&request);
}

/* Read requests from the buffer until one is in flight or more bytes are needed. */
static void
advance(struct conn *c)
{
	while (
	    !c->gone && !c->busy && c->out.len == 0 && c->in.len > 0 && c->in.len >= c->need) {
		struct http1_request r = { 0 };
		enum http1_state state = HTTP1_NEED_HEAD;
		struct fault f = { 0 };

		if (http1_read(buf_view(&c->in), &r, &state, &f) != RC_OK) {
			refuse(c, &r, &f);
			return;
		}
		if (state == HTTP1_COMPLETE) {
			dispatch(c, &r);
			continue;
		}
		if (state == HTTP1_NEED_BODY) {
			c->need = r.total;
			if (r.expect)
				send_continue(c);
		}
		break;
	}
	if (c->gone || c->busy || c->out.len > 0)
		return;
	if (c->eof)
		finish(c); /* in the middle of a request */
}

/* Most often a whole request comes at once, and is read where it lies. */
static bool
read_at_once(struct conn *c, struct span bytes)
{
	enum http1_state state = HTTP1_NEED_HEAD;
	struct http1_request r = { 0 };

	if (c->in.len > 0 || c->busy || c->out.len > 0 ||
	    http1_read(bytes, &r, &state, NULL) != RC_OK || state != HTTP1_COMPLETE)
		return false;
	buf_put(&c->in, bytes.ptr + r.total, bytes.len - r.total);
	c->close = r.close;
	set_busy(c);
	c->host->request(c->host->arg, c, &r);
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
	if (!c->gone && (events & EPOLLIN) != 0 && c->in.len < c->in.max)
		receive(c);
	if (c->gone)
		return;
	advance(c);
	if (!c->gone)
		want(c);
}

static void
late(void *arg)
{
	finish(arg);
}

enum rc
conn_open(struct conn_host *h, int fd, struct caller *caller, bool admin, struct fault *f)
{
	struct conn *c = calloc(1, sizeof *c);

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
	if (!admin && !enter_user(c))
		(void)FAULT(f, RC_NO_MEMORY, "no_memory", "a connection");
	if ((!admin && c->user == NULL) || loop_add(h->loop, &c->io, EPOLLIN, f) != RC_OK) {
		leave_user(c);
		close(fd);
		caller_done(&c->caller);
		free(c);
		return RC_IO;
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
 * To the end of the list, also when it grows meanwhile: a connection that is
 * still in it must not be buried.  Each return to it costs a request, so it ends.
 */
static void
go_on(struct conn_host *h)
{
	while (h->again != NULL) {
		struct conn *c = h->again;

		h->again = c->next_again;
		c->in_again = false;
		if (!c->gone)
			advance(c);
		if (!c->gone)
			want(c);
	}
}

void
conn_turn(struct conn_host *h)
{
	go_on(h);
	bury(h);
}

void
conn_close_idle(struct conn_host *h)
{
	struct conn *next;

	h->closing = true;
	for (struct conn *c = h->first; c != NULL; c = next) {
		next = c->next;
		if (!c->busy && c->in.len == 0 && c->out.len == 0)
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
	go_on(h); /* all of them are gone: it only empties the list */
	bury(h);
}
