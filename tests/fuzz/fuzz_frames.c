/*
 * What a token process sends: the first byte says who reads (one frame after
 * the other, or one of the calls of the token admin, or a token process
 * itself), the rest is datagrams of a frame's size, the last one of what is
 * left.
 */
#include "pkcs11/client.h"
#include "pkcs11/wire.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GENERATION = 7, DATAGRAMS_MAX = 64 };

enum reader { READ_FRAMES, CALL_GENERATE, CALL_DESTROY, CALL_SIGN, CALL_LIST, READ_WIRE };

static void
send_all(int fd, const uint8_t *data, size_t len)
{
	for (int i = 0; i < DATAGRAMS_MAX && len > 0; i++) {
		size_t n = len < sizeof(struct frame) ? len : sizeof(struct frame);

		if (send(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n)
			break;
		data += n;
		len -= n;
	}
	(void)shutdown(fd, SHUT_WR);
}

static void
read_frames(int fd)
{
	struct frame frame = { 0 };
	struct fault f = { 0 };

	for (int i = 0; i < DATAGRAMS_MAX; i++) {
		if (frame_recv(fd, &frame, &f) != RC_OK)
			return;
		if (frame.version != FRAME_VERSION)
			abort();
	}
}

static void
read_wire(int fd)
{
	struct frame frame = { 0 };

	for (int i = 0; i <= DATAGRAMS_MAX; i++) {
		enum wire w = wire_recv(fd, MSG_DONTWAIT, GENERATION, &frame);

		if (w == WIRE_GONE)
			return;
		if (w == WIRE_FRAME &&
		    (frame.version != FRAME_VERSION || frame.generation != GENERATION))
			abort();
		if (w == WIRE_BAD && frame.code != FRAME_BAD_FRAME)
			abort();
	}
}

static void
one_key(void *arg, const uint8_t key_id[32], const struct frame_listed *key)
{
	unsigned *sum = arg;

	/* All are there to the last octet. */
	*sum += key_id[31] + key->point[64] + key->name[FRAME_BATCH - 1];
	if (key->label > FRAME_LABEL_CANARY)
		abort();
}

static enum rc
call(struct token_admin *a, enum reader which, struct fault *f)
{
	static const uint8_t id[32], digest[32];
	uint8_t point[65], sig[64];
	unsigned sum = 0;

	switch (which) {
	case CALL_GENERATE: return token_admin_generate(a, NULL, point, f);
	case CALL_DESTROY: return token_admin_destroy(a, id, f);
	case CALL_SIGN: return token_admin_sign(a, id, digest, sig, f);
	default: return token_admin_list(a, one_key, &sum, f);
	}
}

static void
call_admin(int fd, enum reader which)
{
	AUTO(token_admin) *a = NULL;
	struct fault f = { 0 };

	if (token_admin_new(&a, &f) != RC_OK)
		abort();
	token_admin_attach(a, dup(fd), GENERATION);
	(void)token_admin_ready(a);
	if (call(a, which, &f) != RC_OK && f.reason[0] == 0)
		abort();
	(void)token_admin_ready(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int pair[2];

	if (len == 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return 0;
	send_all(pair[1], data + 1, len - 1);
	switch (data[0] % (READ_WIRE + 1)) {
	case READ_FRAMES: read_frames(pair[0]); break;
	case READ_WIRE: read_wire(pair[0]); break;
	default: call_admin(pair[0], data[0] % (READ_WIRE + 1)); break;
	}
	close(pair[0]);
	close(pair[1]);
	return 0;
}
