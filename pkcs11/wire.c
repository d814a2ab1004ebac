#include "pkcs11/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static bool
well_formed(const struct frame *frame, uint32_t generation)
{
	return frame->version == FRAME_VERSION && frame->generation == generation &&
	       frame->reserved == 0 && frame->code == 0;
}

/* The request's own op and id where it has them, so that its sender can tell which it was. */
static enum wire
bad(struct frame *frame, uint32_t generation, bool whole)
{
	struct frame answer = {
		.version = FRAME_VERSION,
		.op = whole ? frame->op : 0,
		.code = FRAME_BAD_FRAME,
		.generation = generation,
		.request_id = whole ? frame->request_id : 0,
	};

	*frame = answer;
	return WIRE_BAD;
}

enum wire
wire_recv(int fd, int flags, uint32_t generation, struct frame *frame)
{
	ssize_t n;

	do
		n = recv(fd, frame, sizeof *frame, flags | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return WIRE_IDLE;
	if (n <= 0)
		return WIRE_GONE;
	if (n != sizeof *frame)
		return bad(frame, generation, false);
	if (!well_formed(frame, generation))
		return bad(frame, generation, true);
	return WIRE_FRAME;
}

bool
wire_send(int fd, const struct frame *frame, int flags)
{
	ssize_t n;

	do
		n = send(fd, frame, sizeof *frame, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == sizeof *frame;
}
