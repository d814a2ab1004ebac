#include "agent/channel.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "stir/jtext.h"

enum { CHANNEL_SEND_MS = 1000 };

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
put_text(const char *text, size_t len, void *arg)
{
	buf_put(arg, text, len);
	return 0;
}

static enum rc
send_once(int fd, struct span text, struct fault *f)
{
	while (send(fd, text.ptr, text.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
			return RC_BUSY;
		return FAULT(f, RC_IO, "channel", "send: %s", strerror(errno));
	}
	return RC_OK;
}

enum rc
channel_send(int fd, const json_t *message, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(CHANNEL_MAX);
	int64_t until_ms = now_ms() + CHANNEL_SEND_MS, left_ms;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	enum rc rc;

	if (!json_is_object(message))
		return FAULT(f, RC_BUG, "internal_error", "a channel message is an object");
	if (json_dump_callback(message, put_text, &text, JSON_COMPACT) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a message to the peer");
	TRY(buf_check(&text, f));
	while ((rc = send_once(fd, buf_view(&text), f)) == RC_BUSY) {
		left_ms = until_ms - now_ms();
		if (left_ms <= 0)
			return FAULT(f, RC_BUSY, "channel", "the peer does not read");
		(void)poll(&p, 1, (int)left_ms);
	}
	return rc;
}

static enum rc
decode(struct span text, json_t **message, struct fault *f)
{
	json_auto_t *root = NULL;

	TRY(jtext_read_foreign(text, CHANNEL_MAX, &root, f));
	if (!json_is_object(root))
		return FAULT(f, RC_INVALID, "malformed_json", "not an object");
	*message = TAKE(root);
	return RC_OK;
}

enum rc
channel_recv(int fd, json_t **message, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(CHANNEL_MAX);
	uint8_t *room = buf_room(&text, CHANNEL_MAX);
	ssize_t n;

	if (room == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a message of the peer");
	do /* MSG_TRUNC: the length of the whole datagram */
		n = recv(fd, room, CHANNEL_MAX, MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return RC_NOT_FOUND;
	if (n < 0)
		return FAULT(f, RC_IO, "channel", "recv: %s", strerror(errno));
	if (n == 0)
		return FAULT(f, RC_IO, "channel", "the peer is gone");
	if (n > CHANNEL_MAX)
		return FAULT(f, RC_INVALID, "too_large", "a message of %zd bytes", n);
	return decode(span_of(room, (size_t)n), message, f);
}
