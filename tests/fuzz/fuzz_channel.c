/* A message between front and renewer: one datagram; what is read can be sent and read again. */
#include "agent/channel.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void
there_and_back(const int pair[2], const uint8_t *data, size_t len)
{
	json_auto_t *message = NULL, *again = NULL;
	struct fault f = { 0 };

	if (send(pair[1], data, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len)
		return;
	if (channel_recv(pair[0], &message, &f) != RC_OK)
		return;
	if (!json_is_object(message) || len > CHANNEL_MAX)
		abort();
	/* Escapes may make it longer than it came. */
	if (channel_send(pair[1], message, &f) != RC_OK)
		return;
	if (channel_recv(pair[0], &again, &f) != RC_OK || !json_equal(message, again))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int pair[2];

	if (len == 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
		return 0;
	there_and_back(pair, data, len);
	close(pair[0]);
	close(pair[1]);
	return 0;
}
