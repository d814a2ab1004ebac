#include "pkcs11/client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- frames ---------------------------------------------------------------- */

static enum rc
gone(struct fault *f, const char *why)
{
	return REFUSE(f, RC_HSM, HSM_UNAVAILABLE, NULL, "token process: %s", why);
}

enum rc
frame_send(int fd, const struct frame *frame, struct fault *f)
{
	ssize_t n;

	do
		n = send(fd, frame, sizeof *frame, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n == sizeof *frame)
		return RC_OK;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS))
		return REFUSE(f, RC_BUSY, OVERLOADED, NULL, "token process: its queue is full");
	return gone(f, n < 0 ? strerror(errno) : "half a frame was sent");
}

static ssize_t
receive(int fd, struct frame *frame)
{
	ssize_t n;

	do
		n = recv(fd, frame, sizeof *frame, MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	return n;
}

enum rc
frame_recv(int fd, struct frame *frame, struct fault *f)
{
	struct frame got;
	ssize_t n = receive(fd, &got);

	/* A process that died with requests unread resets; its answers are still here behind that. */
	if (n < 0 && errno == ECONNRESET)
		n = receive(fd, &got);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return RC_NOT_FOUND;
	if (n < 0)
		return gone(f, strerror(errno));
	if (n == 0)
		return gone(f, "it ended");
	if (n != sizeof got || got.version != FRAME_VERSION)
		return gone(f, "a datagram that is no frame of this version");
	*frame = got;
	return RC_OK;
}

static int
receive_some(int fd, struct mmsghdr *message, size_t max)
{
	int n;

	do
		n = recvmmsg(fd, message, (unsigned)max, MSG_DONTWAIT | MSG_TRUNC, NULL);
	while (n < 0 && errno == EINTR);
	return n;
}

enum rc
frames_recv(int fd, struct frame *out, size_t max, size_t *n, struct fault *f)
{
	struct mmsghdr message[FRAMES_MAX] = { 0 };
	struct iovec part[FRAMES_MAX];
	size_t ask = max < FRAMES_MAX ? max : FRAMES_MAX;
	int got;

	*n = 0;
	for (size_t i = 0; i < ask; i++) {
		part[i] = (struct iovec){ &out[i], sizeof out[i] };
		message[i].msg_hdr.msg_iov = &part[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
	got = receive_some(fd, message, ask);
	if (got < 0 && errno == ECONNRESET) /* as in frame_recv() */
		got = receive_some(fd, message, ask);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return RC_NOT_FOUND;
	if (got < 0)
		return gone(f, strerror(errno));
	for (; *n < (size_t)got; ++*n) {
		if (message[*n].msg_len == 0)
			return gone(f, "it ended");
		if (message[*n].msg_len != sizeof *out || out[*n].version != FRAME_VERSION)
			return gone(f, "a datagram that is no frame of this version");
	}
	return *n < ask ? RC_NOT_FOUND : RC_OK;
}

struct frame
frame_make(enum frame_op op, uint32_t generation, uint64_t request_id)
{
	return (struct frame){ .version = FRAME_VERSION,
		.op = (uint8_t)op,
		.generation = generation,
		.request_id = request_id };
}

/* ---- the blocking channel ----------------------------------------------------- */

struct token_admin {
	pthread_mutex_t lock; /* what attach and ready touch; never held while waiting */
	int fd;		      /* closed only by the calling thread, under the lock */
	uint32_t generation;
	bool hello;
	int next_fd; /* attached, not yet taken over */
	uint32_t next_generation;
	uint64_t last_id; /* calling thread only */
};

enum rc
token_admin_new(struct token_admin **out, struct fault *f)
{
	struct token_admin *a = calloc(1, sizeof *a);

	if (a == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "token admin");
	pthread_mutex_init(&a->lock, NULL);
	a->fd = -1;
	a->next_fd = -1;
	*out = a;
	return RC_OK;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
token_admin_free(struct token_admin *a)
{
	if (a == NULL)
		return;
	close_fd(&a->fd);
	close_fd(&a->next_fd);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

void
token_admin_attach(struct token_admin *a, int fd, uint32_t generation)
{
	pthread_mutex_lock(&a->lock);
	close_fd(&a->next_fd);
	a->next_fd = fd;
	a->next_generation = generation;
	pthread_mutex_unlock(&a->lock);
}

static bool
is_hello(const struct frame *frame, uint32_t generation)
{
	return frame->version == FRAME_VERSION && frame->op == FRAME_HELLO &&
	       frame->code == FRAME_OK && frame->request_id == 0 &&
	       frame->generation == generation;
}

/* A look at what waits, without taking it from the thread that calls. */
static bool
alive(int fd, bool hello, uint32_t generation)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct frame frame;
	ssize_t n;

	/* What it sent before it ended can still be read. */
	if (fd < 0 || poll(&p, 1, 0) < 0 || (p.revents & POLLHUP) != 0)
		return false;
	n = recv(fd, &frame, sizeof frame, MSG_DONTWAIT | MSG_PEEK);
	if (n < 0)
		return hello && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
	return n == sizeof frame && (hello || is_hello(&frame, generation));
}

bool
token_admin_ready(const struct token_admin *admin)
{
	/* The lock is the one part of it that a question changes. */
	struct token_admin *a = (struct token_admin *)(uintptr_t)admin;
	bool ready;

	pthread_mutex_lock(&a->lock);
	if (a->next_fd >= 0)
		ready = alive(a->next_fd, false, a->next_generation);
	else
		ready = alive(a->fd, a->hello, a->generation);
	pthread_mutex_unlock(&a->lock);
	return ready;
}

static void
take_over(struct token_admin *a)
{
	pthread_mutex_lock(&a->lock);
	if (a->next_fd >= 0) {
		close_fd(&a->fd);
		a->fd = a->next_fd;
		a->generation = a->next_generation;
		a->next_fd = -1;
		a->hello = false;
	}
	pthread_mutex_unlock(&a->lock);
}

static void
lose(struct token_admin *a)
{
	pthread_mutex_lock(&a->lock);
	close_fd(&a->fd);
	a->hello = false;
	pthread_mutex_unlock(&a->lock);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The next frame of any kind, or hsm_timeout at the deadline. */
static enum rc
next_frame(struct token_admin *a, int64_t until_ms, struct frame *out, struct fault *f)
{
	for (;;) {
		struct pollfd p = { .fd = a->fd, .events = POLLIN };
		int64_t left_ms = until_ms - now_ms();
		enum rc rc = frame_recv(a->fd, out, f);

		if (rc == RC_HSM)
			lose(a);
		if (rc != RC_NOT_FOUND)
			return rc;
		if (left_ms <= 0)
			return REFUSE(f, RC_TIMEOUT, HSM_TIMEOUT, NULL,
			    "token admin: no answer within %d ms", TOKEN_ADMIN_TIMEOUT_MS);
		(void)poll(&p, 1, (int)left_ms);
	}
}

static enum rc
await_hello(struct token_admin *a, int64_t until_ms, struct fault *f)
{
	struct frame frame = { .version = 0 };

	while (!a->hello) {
		TRY(next_frame(a, until_ms, &frame, f));
		if (!is_hello(&frame, a->generation)) {
			lose(a);
			return gone(f, "it did not introduce itself");
		}
		pthread_mutex_lock(&a->lock);
		a->hello = true;
		pthread_mutex_unlock(&a->lock);
	}
	return RC_OK;
}

/* Answers to a call that timed out are still on their way: passed over by their id. */
static enum rc
await_answer(struct token_admin *a, const struct frame *request, int64_t until_ms,
    struct frame *out, struct fault *f)
{
	do
		TRY(next_frame(a, until_ms, out, f));
	while (out->request_id != request->request_id || out->op != request->op ||
	       out->generation != request->generation);
	return RC_OK;
}

static enum rc
code_rc(const struct frame *answer, struct fault *f)
{
	unsigned long long rv = answer->ck_rv;

	switch (answer->code) {
	case FRAME_OK:
	case FRAME_END: return RC_OK;
	case FRAME_BUSY:
		return REFUSE(f, RC_BUSY, OVERLOADED, NULL, "the token is busy (0x%llx)", rv);
	case FRAME_FULL:
		return FAULT(f, RC_BUSY, "token_full", "no room for a key (0x%llx)", rv);
	case FRAME_NO_KEY: return FAULT(f, RC_NOT_FOUND, "no_key", "not in the token");
	case FRAME_KEY_REFUSED:
		return FAULT(f, RC_DENIED, "key_refused",
		    "the key is not one that may be used, or its signature did not verify");
	case FRAME_BAD_FRAME: return FAULT(f, RC_BUG, "bad_frame", "the admin refused a frame");
	default:
		return REFUSE(
		    f, RC_HSM, HSM_UNAVAILABLE, NULL, "the token failed (0x%llx)", rv);
	}
}

/* Send *frame and wait for its (first) answer, which replaces it. */
static enum rc
call(struct token_admin *a, struct frame *frame, int64_t *until_ms, struct fault *f)
{
	struct frame answer = { .version = 0 };
	enum rc rc;

	take_over(a);
	if (a->fd < 0)
		return gone(f, "none is there");
	*until_ms = now_ms() + TOKEN_ADMIN_TIMEOUT_MS;
	TRY(await_hello(a, *until_ms, f));
	frame->version = FRAME_VERSION;
	frame->generation = a->generation;
	frame->request_id = ++a->last_id;
	rc = frame_send(a->fd, frame, f);
	if (rc == RC_HSM)
		lose(a);
	TRY(rc);
	TRY(await_answer(a, frame, *until_ms, &answer, f));
	*frame = answer;
	return code_rc(frame, f);
}

static struct frame
generate_frame(unsigned n, const uint8_t batch[FRAME_BATCH])
{
	struct frame frame = { .op = FRAME_GENERATE };

	frame.body[0] = (uint8_t)(n - 1);
	if (batch != NULL)
		memcpy(frame.body + 1, batch, FRAME_BATCH);
	return frame;
}

enum rc
token_admin_generate(
    struct token_admin *a, const uint8_t batch[FRAME_BATCH], uint8_t point[65], struct fault *f)
{
	struct frame frame = generate_frame(1, batch);
	int64_t until_ms;

	TRY(call(a, &frame, &until_ms, f));
	memcpy(point, frame.body, 65);
	return RC_OK;
}

enum rc
token_admin_generate_some(struct token_admin *a, unsigned n, const uint8_t batch[FRAME_BATCH],
    void (*each)(void *arg, const uint8_t point[65]), void *arg, unsigned *made,
    struct fault *f)
{
	struct frame frame = generate_frame(n, batch), request;
	int64_t until_ms;

	*made = 0;
	if (n == 0 || n > FRAME_MAX_MADE)
		return FAULT(f, RC_BUG, "bad_frame", "%u keys at once", n);
	TRY(call(a, &frame, &until_ms, f));
	request = frame;
	for (;;) {
		each(arg, frame.body);
		if (++*made == n)
			return RC_OK;
		TRY(await_answer(a, &request, until_ms, &frame, f));
		TRY(code_rc(&frame, f));
	}
}

enum rc
token_admin_stats(struct token_admin *a, struct frame_stats *out, struct fault *f)
{
	struct frame frame = { .op = FRAME_STATS };
	int64_t until_ms;

	TRY(call(a, &frame, &until_ms, f));
	memcpy(out, frame.body, sizeof *out);
	return RC_OK;
}

enum rc
token_admin_destroy(struct token_admin *a, const uint8_t key_id[32], struct fault *f)
{
	struct frame frame = { .op = FRAME_DESTROY };
	int64_t until_ms;

	memcpy(frame.key_id, key_id, sizeof frame.key_id);
	return call(a, &frame, &until_ms, f);
}

enum rc
token_admin_destroy_owned(struct token_admin *a, const uint8_t key_id[32],
    const uint8_t owner[FRAME_OWNER], struct fault *f)
{
	struct frame frame = { .op = FRAME_DESTROY_OWNED };
	int64_t until_ms;

	memcpy(frame.key_id, key_id, sizeof frame.key_id);
	memcpy(frame.body, owner, FRAME_OWNER);
	return call(a, &frame, &until_ms, f);
}

enum rc
token_admin_sign(struct token_admin *a, const uint8_t key_id[32], const uint8_t digest[32],
    uint8_t sig[64], struct fault *f)
{
	struct frame frame = { .op = FRAME_SIGN };
	int64_t until_ms;

	memcpy(frame.key_id, key_id, sizeof frame.key_id);
	memcpy(frame.body, digest, 32);
	TRY(call(a, &frame, &until_ms, f));
	memcpy(sig, frame.body, 64);
	return RC_OK;
}

enum rc
token_admin_made(struct token_admin *a, const uint8_t batch[FRAME_BATCH],
    void (*each)(void *arg, const uint8_t key_id[32]), void *arg, struct fault *f)
{
	struct frame frame = { .op = FRAME_MADE }, request;
	int64_t until_ms;

	memcpy(frame.body, batch, FRAME_BATCH);
	TRY(call(a, &frame, &until_ms, f));
	request = frame;
	while (frame.code != FRAME_END) {
		each(arg, frame.key_id);
		TRY(await_answer(a, &request, until_ms, &frame, f));
		TRY(code_rc(&frame, f));
	}
	return RC_OK;
}

enum rc
token_admin_list(struct token_admin *a,
    void (*each)(void *arg, const uint8_t key_id[32], const struct frame_listed *key),
    void *arg, struct fault *f)
{
	struct frame frame = { .op = FRAME_LIST }, request;
	int64_t until_ms;

	TRY(call(a, &frame, &until_ms, f));
	request = frame;
	while (frame.code != FRAME_END) {
		struct frame_listed key;

		memcpy(&key, frame.body, sizeof key);
		if (key.label > FRAME_LABEL_CANARY)
			key.label = FRAME_LABEL_OTHER;
		each(arg, frame.key_id, &key);
		TRY(await_answer(a, &request, until_ms, &frame, f));
		TRY(code_rc(&frame, f));
	}
	return RC_OK;
}
