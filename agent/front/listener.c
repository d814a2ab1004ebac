#include "agent/front/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/front/problem.h"

enum { ACCEPT_BATCH = 64, ADMIN_RESERVE = 64, PAUSE_MS = 100, RETRY_AFTER_S = 1 };

/* Before any request, so without the id of one.  What the socket does not take is lost. */
static void
send_off(int fd)
{
	AUTO_BUF body = BUF_INIT(512), out = BUF_INIT(1024);
	struct fault f = { 0 };

	(void)REFUSE(&f, RC_BUSY, OVERLOADED, NULL, "this user has max_user_connections open");
	problem_write(&body, &f, NULL);
	http1_write(&out, &(struct http1_answer){ .status = reason_status(f.reason),
			      .content_type = PROBLEM_TYPE,
			      .body = buf_view(&body),
			      .retry_after_s = RETRY_AFTER_S,
			      .close = true });
	if (buf_check(&body, NULL) == RC_OK && buf_check(&out, NULL) == RC_OK)
		(void)send(fd, out.ptr, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void
welcome(struct listener *l, int fd)
{
	struct caller caller = { 0 };
	struct fault f = { 0 };
	/* Administration works when callers have used everything up. */
	size_t most = *l->max_open + (l->admin ? ADMIN_RESERVE : 0);

	if (l->host->open >= most) {
		l->failed++;
		close(fd);
		return;
	}
	if (caller_read(fd, &l->door, &caller, &f) != RC_OK) {
		l->refused++;
		close(fd);
		return;
	}
	if (!l->admin && conn_open_of(l->host, caller.uid) >= *l->max_user) {
		l->failed++;
		caller_done(&caller);
		send_off(fd);
		return;
	}
	if (conn_open(l->host, fd, &caller, l->admin, &f) != RC_OK)
		l->failed++;
}

static void
go_on(void *arg)
{
	struct listener *l = arg;

	loop_want(l->host->loop, &l->io, EPOLLIN);
}

/* Out of descriptors or memory: the connection stays readable and would spin the loop. */
static void
pause_accepting(struct listener *l)
{
	l->failed++;
	loop_want(l->host->loop, &l->io, 0);
	l->pause.fire = go_on;
	l->pause.arg = l;
	loop_arm(l->host->loop, &l->pause, loop_now_ms(l->host->loop) + PAUSE_MS);
}

static void
ready(void *arg, uint32_t events)
{
	struct listener *l = arg;

	(void)events;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		int fd = accept4(l->io.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			if (errno != EAGAIN && errno != EWOULDBLOCK)
				pause_accepting(l);
			return;
		}
		welcome(l, fd);
	}
}

enum rc
listener_open(struct listener *l, int fd, struct fault *f)
{
	int listening = 0, flags = fcntl(fd, F_GETFL);
	socklen_t len = sizeof listening;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening)
		return FAULT(f, RC_IO, "listen", "descriptor %d is no listening socket", fd);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return FAULT(f, RC_IO, "listen", "fcntl: %s", strerror(errno));
	l->io = (struct loop_io){ .fd = fd, .ready = ready, .arg = l };
	return loop_add(l->host->loop, &l->io, EPOLLIN, f);
}

void
listener_close(struct listener *l)
{
	loop_disarm(l->host->loop, &l->pause);
	loop_remove(l->host->loop, &l->io);
}
