#include "agent/channel.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

enum { CHANNEL_SEND_MS = 1000, CHANNEL_MAX_DEPTH = 16 };

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

/* jansson itself goes 2,048 levels deep; no message of ours has more than a few. */
static bool
deeper_than(const json_t *value, unsigned levels)
{
	const json_t *child;
	const char *name;
	size_t i;

	if (!json_is_object(value) && !json_is_array(value))
		return false;
	if (levels == 0)
		return true;
	json_array_foreach (value, i, child) {
		if (deeper_than(child, levels - 1))
			return true;
	}
	/* json_object_foreach wants a mutable object; iterating does not change it. */
	json_object_foreach ((json_t *)(uintptr_t)value, name, child) {
		if (deeper_than(child, levels - 1))
			return true;
	}
	return false;
}

static enum rc
decode(struct span text, json_t **message, struct fault *f)
{
	json_auto_t *root = NULL;
	json_error_t e;

	root = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &e);
	if (root == NULL)
		return FAULT(f, RC_INVALID, "malformed_json", "%s", e.text);
	if (!json_is_object(root))
		return FAULT(f, RC_INVALID, "malformed_json", "not an object");
	if (deeper_than(root, CHANNEL_MAX_DEPTH))
		return FAULT(f, RC_INVALID, "malformed_json", "more than %d levels deep",
		    CHANNEL_MAX_DEPTH);
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
