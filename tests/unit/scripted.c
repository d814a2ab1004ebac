#include "tests/unit/scripted.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/cm.h"

static void
say(int fd, const char *text, bool piecewise)
{
	size_t len = strlen(text), step = piecewise ? 1 : len;

	for (size_t at = 0; at < len; at += step) {
		if (send(fd, text + at, step, MSG_NOSIGNAL) < 0)
			return;
		if (piecewise)
			poll(NULL, 0, 1);
	}
}

/* One request: until its body is there. */
static bool
hear(struct scripted *a, int fd)
{
	size_t len = 0;

	for (;;) {
		char *end, *length;
		ssize_t n = recv(fd, a->asked + len, sizeof a->asked - 1 - len, 0);

		if (n <= 0)
			return false;
		len += (size_t)n;
		a->asked[len] = 0;
		end = strstr(a->asked, "\r\n\r\n");
		length = strstr(a->asked, "Content-Length: ");
		if (end != NULL &&
		    (length == NULL ||
			len >= (size_t)(end + 4 - a->asked) + strtoul(length + 16, NULL, 10)))
			return true;
	}
}

static void *
serve(void *arg)
{
	struct scripted *a = arg;
	size_t n = 0;

	while (a->answers[n] != NULL) {
		int fd = accept(a->fd, NULL, NULL);

		if (fd < 0)
			return NULL;
		while (a->answers[n] != NULL && hear(a, fd)) {
			if (a->silent)
				poll(NULL, 0, 300);
			else
				say(fd, a->answers[n], a->piecewise);
			n++;
			if (a->close_each)
				break;
		}
		close(fd);
	}
	return NULL;
}

void
scripted_start(struct scripted *a)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(a->dir, sizeof a->dir, "/tmp/vesper-client-XXXXXX");
	assert_non_null(mkdtemp(a->dir));
	snprintf(a->path, sizeof a->path, "%s/s", a->dir);
	snprintf(at.sun_path, sizeof at.sun_path, "%s", a->path);
	a->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(a->fd, (const struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(a->fd, 8), 0);
	assert_int_equal(pthread_create(&a->thread, NULL, serve, a), 0);
}

void
scripted_stop(struct scripted *a)
{
	shutdown(a->fd, SHUT_RDWR);
	pthread_join(a->thread, NULL);
	close(a->fd);
	unlink(a->path);
	rmdir(a->dir);
}
