#include "pkcs11/hsm.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pkcs11/p11rc.h"
#include "pkcs11/softhsm.h"
#include "pkcs11/tokenlock.h"
#include "pkcs11/wire.h"

enum { BUSY_TRIES = 4, BUSY_BACKOFF_MS = 50 };

/* ---- start ---------------------------------------------------------------- */

static enum rc
find_canary(struct hsm *h, struct fault *f)
{
	CK_RV rv;

	canary_init(&h->canary);
	rv = canary_find(&h->canary, h->map);
	if (rv != CKR_OK)
		return FAULT(f, RC_HSM, "canary", "canary key: %s", p11rc_name(rv));
	return RC_OK;
}

static enum rc
log_in(struct hsm *h, struct fault *f)
{
	const struct hsm_options *o = h->options;
	const struct login_options login = {
		.label = o->label,
		.serial = o->serial,
		.pin = o->pin,
		.state_dir = o->state_dir,
		.read_write = o->admin || o->read_write,
	};

	TRY(module_init(&h->module, f));
	h->threads = h->module.one_thread ? 1 : o->threads;
	return login_start(&h->login, &h->module, &login, f);
}

enum rc
hsm_start(struct hsm *h, const struct hsm_options *o, uid_t starter, int fd, struct fault *f)
{
	AUTO_FD lock = -1;

	*h = (struct hsm){ .options = o, .fd = fd };
	TRY(module_open(o->module, starter, &h->module, f));
	TRY(tokenlock_take(o->lock_file, TOKENLOCK_WAIT_MS, &lock, f));
	leave_module(&h->module);
	TRY(softhsm_mend(&h->mended, f));
	TRY(log_in(h, f));
	TRY(keymap_new(&h->login, &h->map, f));
	TRY(keymap_scan(h->map, f));
	return find_canary(h, f);
}

enum rc
hsm_prove(struct hsm *h, struct session *s, struct fault *f)
{
	CK_RV rv;

	if (!canary_known(&h->canary))
		return RC_OK;
	rv = canary_sing(&h->canary, s, &h->canaries);
	if (rv != CKR_OK)
		return FAULT(
		    f, RC_HSM, "canary", "signature of the canary: %s", p11rc_name(rv));
	return RC_OK;
}

/* ---- what it says of itself -------------------------------------------------- */

void
hsm_hello(const struct hsm *h, struct frame *answer)
{
	struct frame_hello hello = { .threads = h->threads, .pid = (uint32_t)getpid() };

	keymap_count(h->map, &hello.keys, &hello.refused);
	memcpy(hello.token_serial, h->login.serial, sizeof hello.token_serial);
	memcpy(hello.manufacturer, h->login.manufacturer, sizeof hello.manufacturer);
	*answer = (struct frame){
		.version = FRAME_VERSION,
		.op = FRAME_HELLO,
		.generation = h->options->generation,
	};
	_Static_assert(sizeof hello <= FRAME_BODY, "fits");
	memcpy(answer->body, &hello, sizeof hello);
}

static void
tell_stats(struct hsm *h, struct frame *answer)
{
	struct frame_stats stats = {
		.signatures = atomic_load(&h->signatures),
		.canaries = atomic_load(&h->canaries),
		.errors = atomic_load(&h->errors),
		.sign_ns = atomic_load(&h->sign_ns),
		.sessions = atomic_load(&h->login.sessions),
	};

	keymap_count(h->map, &stats.keys, &stats.refused);
	_Static_assert(sizeof stats <= FRAME_BODY, "fits");
	memcpy(answer->body, &stats, sizeof stats);
}

/* ---- signatures ---------------------------------------------------------------- */

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* No signature leaves before one of this key verified in this process; with verify_all none. */
static CK_RV
prove(struct hsm *h, const struct key *key, const uint8_t digest[P256_DIGEST],
    const uint8_t sig[P256_SIG])
{
	bool proven = key->state == KEY_PROVEN;

	if (!key->has_point || (proven && !h->options->verify_all))
		return CKR_OK;
	if (p256_verify(key->point, digest, sig, NULL) != RC_OK)
		return CKR_SIGNATURE_INVALID;
	if (!proven)
		keymap_set_state(h->map, key, KEY_PROVEN);
	return CKR_OK;
}

/* CKR_SIGNATURE_INVALID: there is a signature, and it is wrong. */
static CK_RV
sign_with(struct hsm *h, struct session *s, const struct key *key,
    const uint8_t digest[P256_DIGEST], uint8_t sig[P256_SIG])
{
	uint64_t began_ns = now_ns();
	CK_RV rv = session_sign(s, key->handle, digest, sig, &h->signatures);

	atomic_fetch_add_explicit(&h->sign_ns, now_ns() - began_ns, memory_order_relaxed);
	return rv == CKR_OK ? prove(h, key, digest, sig) : rv;
}

enum frame_code
hsm_code(struct hsm *h, struct session *s, CK_RV rv)
{
	atomic_fetch_add(&h->errors, 1);
	s->check = true;
	switch (p11rc_class(rv)) {
	case P11_OK: return FRAME_OK;
	case P11_BUSY: return FRAME_BUSY;
	case P11_FULL: return FRAME_FULL;
	case P11_KEY:
	case P11_FATAL: return FRAME_FAILED;
	case P11_REBUILD:
	case P11_PIN: break;
	}
	return FRAME_REBUILD;
}

/* What is the key's own, not the token's nor the request's. */
static bool
of_the_key(CK_RV rv)
{
	return p11rc_class(rv) == P11_KEY || rv == CKR_SIGNATURE_INVALID;
}

/* Failed although the canary is well, and once more after a new search: no more of it here. */
static enum frame_code
give_up(struct hsm *h, struct session *s, const struct key *key, CK_RV rv)
{
	keymap_set_state(
	    h->map, key, rv == CKR_SIGNATURE_INVALID ? KEY_REFUSED : KEY_QUARANTINED);
	(void)hsm_code(h, s, rv);
	return FRAME_KEY_REFUSED;
}

/*
 * One that is throttled says nothing of the token yet, and health() has more
 * patience; this request another process may serve, whose handle is good.
 */
static enum frame_code
ask_canary_once(struct hsm *h, struct session *s, CK_RV *rv)
{
	CK_RV well = CKR_OK;

	if (canary_known(&h->canary))
		well = canary_sing(&h->canary, s, &h->canaries);
	if (well == CKR_OK)
		return FRAME_OK;
	*rv = well;
	if (p11rc_class(well) != P11_BUSY)
		return FRAME_REBUILD;
	(void)hsm_code(h, s, well);
	return FRAME_FAILED;
}

/*
 * The handle of a key went bad, or signs wrongly.  With a well canary it is
 * that key alone: search it once more.  Without, it is the token, which only a
 * new process brings back; and so it is where another handle is found for a
 * key that signed wrongly, for then the others may mean other keys as well.
 */
static enum frame_code
sign_again(struct hsm *h, struct session *s, const struct key *was,
    const uint8_t digest[P256_DIGEST], uint8_t sig[P256_SIG], CK_RV *rv)
{
	bool wrong = *rv == CKR_SIGNATURE_INVALID;
	enum frame_code code;
	struct key key;

	code = ask_canary_once(h, s, rv);
	if (code != FRAME_OK)
		return code;
	code = keymap_find_again(h->map, was->id, rv);
	if (*rv != CKR_OK)
		return hsm_code(h, s, *rv);
	if (code != FRAME_OK || !keymap_get(h->map, was->id, &key))
		return code;
	*rv = wrong && key.handle != was->handle ? CKR_SIGNATURE_INVALID : CKR_OK;
	if (*rv != CKR_OK)
		return FRAME_REBUILD;
	*rv = sign_with(h, s, &key, digest, sig);
	if (*rv == CKR_OK)
		return FRAME_OK;
	return of_the_key(*rv) ? give_up(h, s, &key, *rv) : hsm_code(h, s, *rv);
}

enum frame_code
hsm_sign(struct hsm *h, struct session *s, const uint8_t id[P256_ID],
    const uint8_t digest[P256_DIGEST], uint8_t sig[P256_SIG], CK_RV *rv)
{
	struct key key;

	*rv = CKR_OK;
	if (!keymap_get(h->map, id, &key))
		return FRAME_NO_KEY;
	if (key.state == KEY_FOUND && !h->options->admin)
		return FRAME_NO_KEY;
	if (key.state == KEY_REFUSED || key.state == KEY_QUARANTINED)
		return FRAME_KEY_REFUSED;
	*rv = sign_with(h, s, &key, digest, sig);
	if (*rv == CKR_OK)
		return FRAME_OK;
	if (!of_the_key(*rv))
		return hsm_code(h, s, *rv);
	atomic_fetch_add(&h->errors, 1);
	return sign_again(h, s, &key, digest, sig, rv);
}

/* The body is the digest, then the signature or zeros. */
static enum frame_code
answer_sign(struct hsm *h, struct session *s, struct frame *frame, CK_RV *rv)
{
	uint8_t sig[P256_SIG] = { 0 };
	enum frame_code code = hsm_sign(h, s, frame->key_id, frame->body, sig, rv);

	memset(frame->body, 0, sizeof frame->body);
	if (code == FRAME_OK)
		memcpy(frame->body, sig, sizeof sig);
	return code;
}

enum frame_code
hsm_answer(struct hsm *h, struct session *s, struct frame *frame, CK_RV *rv)
{
	switch (frame->op) {
	case FRAME_SIGN: return answer_sign(h, s, frame, rv);
	case FRAME_STATS: tell_stats(h, frame); return FRAME_OK;
	default: return FRAME_BAD_FRAME;
	}
}

/* ---- health --------------------------------------------------------------------- */

/* Throttling is waited for; any other failure of the canary is the end of this process. */
static CK_RV
ask_canary(struct hsm *h, struct session *s)
{
	CK_RV rv = CKR_OK;

	for (unsigned i = 0; i < BUSY_TRIES; i++) {
		struct timespec pause = { .tv_nsec = (BUSY_BACKOFF_MS << i) * 1000000L };

		rv = canary_sing(&h->canary, s, &h->canaries);
		if (rv == CKR_OK)
			break;
		atomic_fetch_add(&h->errors, 1);
		if (p11rc_class(rv) != P11_BUSY)
			break;
		nanosleep(&pause, NULL);
	}
	return rv;
}

/* Before the admin made it there is none, and nothing to ask. */
static CK_RV
health(struct hsm *h, struct session *s)
{
	CK_RV rv = CKR_OK;

	if (!canary_known(&h->canary))
		rv = canary_find(&h->canary, h->map);
	if (rv == CKR_OK && canary_known(&h->canary))
		rv = ask_canary(h, s);
	return rv;
}

static _Noreturn void
leave_for(const char *what, CK_RV rv)
{
	struct fault f = { .rc = RC_OK };

	(void)FAULT(&f, RC_HSM, "rebuild", "%s: %s", what, p11rc_name(rv));
	leave_now(LEAVE_REBUILD, &f);
}

static void
check_health(struct hsm *h, struct session *s)
{
	unsigned stay = 0;
	CK_RV rv;

	s->check = false;
	s->checked_ns = now_ns();
	if (!leave_enter_alone(&stay))
		leave_now(LEAVE_REBUILD, NULL);
	rv = health(h, s);
	leave_exit_alone(stay);
	if (rv != CKR_OK)
		leave_for("the canary failed", rv);
}

/* ---- the loop ---------------------------------------------------------------------- */

static enum frame_code
answer_inside(struct hsm *h, struct session *s, hsm_answer_fn *answer, struct frame *frame)
{
	enum frame_code code;
	CK_RV rv = CKR_OK;

	if (!leave_enter())
		return FRAME_REBUILD;
	code = answer(h, s, frame, &rv);
	frame->ck_rv = rv;
	leave_exit();
	return code;
}

/* On the timer also while there is always something to sign. */
static bool
canary_due(const struct hsm *h, const struct session *s)
{
	return h->options->canary_s != 0 &&
	       now_ns() - s->checked_ns >= (uint64_t)h->options->canary_s * 1000000000u;
}

static void
answer_one(struct hsm *h, struct session *s, hsm_answer_fn *answer, struct frame *frame)
{
	frame->code = (uint8_t)answer_inside(h, s, answer, frame);
	if (!wire_send(h->fd, frame, 0))
		leave_now(LEAVE_ASKED, NULL);
	if (frame->code == FRAME_REBUILD)
		leave_for("a request failed", (CK_RV)frame->ck_rv);
	if (s->check || canary_due(h, s))
		check_health(h, s);
}

_Noreturn void
hsm_serve(struct hsm *h, struct session *s, hsm_answer_fn *answer)
{
	struct timeval idle = { .tv_sec = (time_t)h->options->canary_s };
	struct frame frame;

	s->checked_ns = now_ns();
	/* Zero means to wait for ever, as the option does. */
	(void)setsockopt(h->fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof idle);
	for (;;) {
		switch (wire_recv(h->fd, 0, h->options->generation, &frame)) {
		case WIRE_GONE: leave_now(LEAVE_ASKED, NULL);
		case WIRE_IDLE: check_health(h, s); break;
		case WIRE_BAD:
			if (!wire_send(h->fd, &frame, 0))
				leave_now(LEAVE_ASKED, NULL);
			break;
		case WIRE_FRAME: answer_one(h, s, answer, &frame); break;
		}
	}
}
