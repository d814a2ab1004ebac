#include "agent/front/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { ACCEPT_BATCH = 64, ADMIN_RESERVE = 64, PAUSE_MS = 100 };

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
