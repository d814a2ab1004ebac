/*
 * The asking end of the frames, without PKCS#11: encode, send and receive one
 * frame on a SOCK_SEQPACKET descriptor, and a blocking call for the builder
 * thread's own channel to the token admin.
 */
#ifndef PKCS11_CLIENT_H
#define PKCS11_CLIENT_H

#include "pkcs11/frame.h"
#include "stir/fault.h"

#include <stdbool.h>

/*
 * Send without blocking.  RC_BUSY when the socket is full, RC_HSM
 * hsm_unavailable when the process is gone.
 */
enum rc frame_send(int fd, const struct frame *frame, struct fault *f) MUST_CHECK;

/*
 * Receive one frame without blocking.  RC_NOT_FOUND when none is there,
 * RC_HSM hsm_unavailable at the end of the stream or for a datagram of
 * another size or version.
 */
enum rc frame_recv(int fd, struct frame *frame, struct fault *f) MUST_CHECK;

/*
 * Receive what is there, at most max and FRAMES_MAX, by one call.  out[0] to
 * out[*n - 1] are good whatever is returned, which tells what is behind them:
 * RC_OK perhaps more, RC_NOT_FOUND none now, RC_HSM as above.
 */
enum { FRAMES_MAX = 16 };
enum rc frames_recv(
    int fd, struct frame *out, size_t max, size_t *n, struct fault *f) MUST_CHECK;

/* A frame for op, zeroed but for version, generation and request id. */
struct frame frame_make(enum frame_op op, uint32_t generation, uint64_t request_id);

/*
 * A blocking channel to one token admin, for one thread at a time.  The
 * descriptor may be replaced when the admin was restarted.
 */
struct token_admin;
enum rc token_admin_new(struct token_admin **out, struct fault *f) MUST_CHECK;
void token_admin_free(struct token_admin *a);
DEFINE_FREEP(token_admin);

/*
 * Take over fd (closed by us) as the channel of this generation; callable
 * from another thread, takes effect at the next call.
 */
void token_admin_attach(struct token_admin *a, int fd, uint32_t generation);
bool token_admin_ready(const struct token_admin *a); /* HELLO seen, not lost since */

enum { TOKEN_ADMIN_TIMEOUT_MS = 10000 };

/* All may block up to timeout; RC_HSM hsm_unavailable, RC_TIMEOUT hsm_timeout, RC_BUSY. */
/* The keys are called by the batch; NULL: by their ids alone. */
enum rc token_admin_generate(struct token_admin *a, const uint8_t batch[FRAME_BATCH],
    uint8_t point[65], struct fault *f) MUST_CHECK;
/*
 * Up to n (FRAME_MAX_MADE) keys in one go.  *made counts those that each() was
 * called for, also where it failed after some.
 */
enum rc token_admin_generate_some(struct token_admin *a, unsigned n,
    const uint8_t batch[FRAME_BATCH], void (*each)(void *arg, const uint8_t point[65]),
    void *arg, unsigned *made, struct fault *f) MUST_CHECK;
enum rc token_admin_stats(
    struct token_admin *a, struct frame_stats *out, struct fault *f) MUST_CHECK;
enum rc token_admin_destroy(
    struct token_admin *a, const uint8_t key_id[32], struct fault *f) MUST_CHECK;
enum rc token_admin_sign(struct token_admin *a, const uint8_t key_id[32],
    const uint8_t digest[32], uint8_t sig[64], struct fault *f) MUST_CHECK;
/* Calls back for every key of a batch; what a crash left without an id is destroyed. */
enum rc token_admin_made(struct token_admin *a, const uint8_t batch[FRAME_BATCH],
    void (*each)(void *arg, const uint8_t key_id[32]), void *arg, struct fault *f) MUST_CHECK;
/*
 * The same for a key that this installation made, as the token says when it is
 * asked.  RC_DENIED key_refused: it is not called so.
 */
enum rc token_admin_destroy_owned(struct token_admin *a, const uint8_t key_id[32],
    const uint8_t owner[FRAME_OWNER], struct fault *f) MUST_CHECK;

/* Calls back for every key in the token; a label of a kind that is not known is OTHER. */
enum rc token_admin_list(struct token_admin *a,
    void (*each)(void *arg, const uint8_t key_id[32], const struct frame_listed *key),
    void *arg, struct fault *f) MUST_CHECK;

#endif
