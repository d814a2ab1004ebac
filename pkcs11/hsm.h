/*
 * What signer and admin share: the state of the process, a signature with
 * everything that can go wrong with it, health, and the loop that answers
 * frames.
 *
 * hsm_start on the main thread, the rest from any.
 */
#ifndef PKCS11_HSM_H
#define PKCS11_HSM_H

#include "pkcs11/canary.h"
#include "pkcs11/frame.h"
#include "pkcs11/keymap.h"
#include "pkcs11/leave.h"
#include "pkcs11/options.h"

struct hsm {
	const struct hsm_options *options;
	uint32_t threads; /* those wished for, or the one that the module allows */
	int fd;
	struct module module;
	struct login login;
	struct keymap *map;
	struct canary canary;
	unsigned mended; /* SoftHSM tokens that were put back at the start */
	atomic_uint_fast64_t signatures, canaries, errors, sign_ns;
};

/* Load, initialise and log in under the token lock, read the keys, find the canary. */
enum rc hsm_start(struct hsm *h, const struct hsm_options *o, uid_t starter, int fd,
    struct fault *f) MUST_CHECK;

/* A first signature of the canary, if there is one.  RC_HSM "canary". */
enum rc hsm_prove(struct hsm *h, struct session *s, struct fault *f) MUST_CHECK;

void hsm_hello(const struct hsm *h, struct frame *answer);

/*
 * Sign with the key of id.  A signature without a proof yet is verified first.
 * On failure *rv has the return value; FRAME_REBUILD means that the caller
 * leaves after its answer, and s->check that the canary is to be asked after.
 */
enum frame_code hsm_sign(struct hsm *h, struct session *s, const uint8_t id[P256_ID],
    const uint8_t digest[P256_DIGEST], uint8_t sig[P256_SIG], CK_RV *rv);

/* The frames that signer and admin answer alike: FRAME_SIGN and FRAME_STATS; others are bad. */
enum frame_code hsm_answer(struct hsm *h, struct session *s, struct frame *frame, CK_RV *rv);

/* What an error of another call means for its answer; counts it and asks for the canary. */
enum frame_code hsm_code(struct hsm *h, struct session *s, CK_RV rv);

/*
 * The loop of one thread: receive, answer, check the health when idle or after
 * an error.  Does not return.
 */
typedef enum frame_code hsm_answer_fn(
    struct hsm *h, struct session *s, struct frame *frame, CK_RV *rv);
_Noreturn void hsm_serve(struct hsm *h, struct session *s, hsm_answer_fn *answer);

#endif
