#include "pkcs11/admin.h"

#include <string.h>

#include "pkcs11/keypair.h"
#include "pkcs11/p11rc.h"
#include "pkcs11/tokenlock.h"
#include "pkcs11/wire.h"

enum { CHANGE_LOCK_MS = 5000, MADE_MAX = 512 };

static CK_RV
make_canary(struct hsm *h)
{
	CK_RV rv = keypair_make_canary(&h->login, h->map, h->login.idle);

	return rv == CKR_OK ? canary_find(&h->canary, h->map) : rv;
}

/* ---- frames --------------------------------------------------------------------- */

/* HSMs are small, and their keys are dear to those who share them. */
static bool
is_full(const struct hsm *h)
{
	uint32_t usable = 0, refused = 0;

	keymap_count(h->map, &usable, &refused);
	return h->options->max_keys != 0 && usable + refused >= h->options->max_keys;
}

static enum frame_code
generate_one(struct hsm *h, struct session *s, const uint8_t batch[FRAME_BATCH],
    struct frame *frame, CK_RV *rv)
{
	struct key key;

	memset(frame->key_id, 0, sizeof frame->key_id);
	memset(frame->body, 0, sizeof frame->body);
	if (is_full(h))
		return FRAME_FULL;
	if (s->handle == CK_INVALID_HANDLE)
		*rv = session_open(s, &h->login);
	if (*rv == CKR_OK)
		*rv = keypair_make(&h->login, h->map, s->handle, batch, &key);
	if (*rv != CKR_OK) {
		session_close(s);
		return hsm_code(h, s, *rv);
	}
	memcpy(frame->key_id, key.id, P256_ID);
	memcpy(frame->body, key.point, P256_POINT);
	return keymap_add(h->map, &key);
}

/* In one go: each change of a big token makes its signers look at all of it again. */
static enum frame_code
generate(struct hsm *h, struct session *s, struct frame *frame, CK_RV *rv)
{
	static const uint8_t none[FRAME_BATCH];
	AUTO_FD lock = -1;
	unsigned more = frame->body[0];
	uint8_t batch[FRAME_BATCH];
	bool called;

	memcpy(batch, frame->body + 1, sizeof batch);
	called = memcmp(batch, none, sizeof batch) != 0;
	if (more >= FRAME_MAX_MADE)
		return FRAME_BAD_FRAME;
	if (tokenlock_take(h->options->lock_file, CHANGE_LOCK_MS, &lock, NULL) != RC_OK)
		return FRAME_BUSY;
	for (;; more--) {
		enum frame_code code = generate_one(h, s, called ? batch : NULL, frame, rv);

		frame->code = FRAME_OK;
		frame->ck_rv = CKR_OK;
		/* A peer that is gone is seen again by the answer to the last. */
		if (code != FRAME_OK || more == 0 || !wire_send(h->fd, frame, 0))
			return code;
	}
}

static bool
is_of(const struct key_facts *facts, const struct frame *frame)
{
	return facts->has_id && memcmp(facts->id, frame->key_id, P256_ID) == 0 &&
	       facts->label.form == FRAME_LABEL_OWNED &&
	       memcmp(facts->label.name, frame->body, FRAME_OWNER) == 0;
}

/* The label that counts is the one that the object to be destroyed has now. */
static enum frame_code
check_owner(const struct hsm *h, const struct key *key, const struct frame *frame, CK_RV *rv)
{
	struct key_facts facts = { .acceptable = false };

	if (frame->op != FRAME_DESTROY_OWNED)
		return FRAME_OK;
	*rv = keymap_facts(h->map, key->handle, &facts);
	return *rv != CKR_OK || is_of(&facts, frame) ? FRAME_OK : FRAME_KEY_REFUSED;
}

static enum frame_code
destroy_key(struct hsm *h, struct session *s, const struct key *key, const struct frame *frame,
    CK_RV *rv)
{
	enum frame_code code = check_owner(h, key, frame, rv);

	if (code != FRAME_OK || *rv != CKR_OK)
		return code;
	if (s->handle == CK_INVALID_HANDLE)
		*rv = session_open(s, &h->login);
	if (*rv == CKR_OK)
		*rv = h->login.fn->C_DestroyObject(s->handle, key->handle);
	return FRAME_OK;
}

/* A handle that went bad is searched once more: the key may be gone already, or be another. */
static enum frame_code
destroy_again(struct hsm *h, struct session *s, const struct frame *frame, CK_RV *rv)
{
	enum frame_code code = keymap_find_again(h->map, frame->key_id, rv);
	struct key key;

	if (*rv == CKR_OK && (code != FRAME_OK || !keymap_get(h->map, frame->key_id, &key)))
		return code;
	if (*rv == CKR_OK)
		code = destroy_key(h, s, &key, frame, rv);
	return *rv == CKR_OK ? code : hsm_code(h, s, *rv);
}

static enum frame_code
destroy(struct hsm *h, struct session *s, const struct frame *frame, CK_RV *rv)
{
	AUTO_FD lock = -1;
	enum frame_code code;
	struct key key;

	if (!keymap_get(h->map, frame->key_id, &key))
		return FRAME_NO_KEY;
	/* Not one of ours, whatever its id says. */
	if (key.state == KEY_REFUSED)
		return FRAME_KEY_REFUSED;
	if (tokenlock_take(h->options->lock_file, CHANGE_LOCK_MS, &lock, NULL) != RC_OK)
		return FRAME_BUSY;
	code = destroy_key(h, s, &key, frame, rv);
	if (p11rc_class(*rv) == P11_KEY)
		code = destroy_again(h, s, frame, rv);
	else if (*rv != CKR_OK)
		code = hsm_code(h, s, *rv);
	if (code == FRAME_OK)
		(void)keymap_forget(h->map, frame->key_id);
	return code;
}

/* Where a process ended between the key and its id, the id cannot be known any more. */
static CK_RV
destroy_nameless(struct hsm *h, struct session *s, CK_OBJECT_HANDLE object)
{
	CK_RV rv = CKR_OK;

	if (s->handle == CK_INVALID_HANDLE)
		rv = session_open(s, &h->login);
	if (rv == CKR_OK)
		rv = h->login.fn->C_DestroyObject(s->handle, object);
	if (rv == CKR_OK)
		keymap_forget_foreign(h->map);
	return rv;
}

static enum frame_code
made(struct hsm *h, struct session *s, struct frame *frame, CK_RV *rv)
{
	AUTO_FD lock = -1;
	CK_OBJECT_HANDLE found[MADE_MAX] = { CK_INVALID_HANDLE };
	struct frame each = *frame;
	struct key_facts facts;
	size_t n = 0;

	if (tokenlock_take(h->options->lock_file, CHANGE_LOCK_MS, &lock, NULL) != RC_OK)
		return FRAME_BUSY;
	*rv = keypair_made(h->map, frame->body, found, MADE_MAX, &n);
	for (size_t i = 0; *rv == CKR_OK && i < n; i++) {
		*rv = keymap_facts(h->map, found[i], &facts);
		if (*rv != CKR_OK)
			break;
		if (!facts.has_id) {
			*rv = destroy_nameless(h, s, found[i]);
			continue;
		}
		each.code = FRAME_OK;
		memcpy(each.key_id, facts.id, P256_ID);
		if (!wire_send(h->fd, &each, 0))
			break; /* seen again by the next receive */
	}
	return *rv == CKR_OK ? FRAME_END : hsm_code(h, s, *rv);
}

static void
tell(const struct key *key, uint8_t body[FRAME_BODY])
{
	struct frame_listed listed = { .label = (uint8_t)key->label.form };

	if (key->has_point)
		memcpy(listed.point, key->point, P256_POINT);
	memcpy(listed.name, key->label.name, sizeof listed.name);
	memset(body, 0, FRAME_BODY);
	memcpy(body, &listed, sizeof listed);
}

static enum frame_code
list(struct hsm *h, struct frame *frame)
{
	struct frame each = *frame;
	struct key key;

	each.code = FRAME_OK;
	for (size_t i = 0; keymap_at(h->map, i, &key); i++) {
		if (key.state == KEY_REFUSED)
			continue;
		memcpy(each.key_id, key.id, P256_ID);
		tell(&key, each.body);
		if (!wire_send(h->fd, &each, 0))
			break; /* seen again by the next receive */
	}
	return FRAME_END;
}

static enum frame_code
answer(struct hsm *h, struct session *s, struct frame *frame, CK_RV *rv)
{
	switch (frame->op) {
	case FRAME_GENERATE: return generate(h, s, frame, rv);
	case FRAME_DESTROY:
	case FRAME_DESTROY_OWNED: return destroy(h, s, frame, rv);
	case FRAME_LIST: return list(h, frame);
	case FRAME_MADE: return made(h, s, frame, rv);
	default: return hsm_answer(h, s, frame, rv);
	}
}

static enum rc
need_canary(struct hsm *h, struct fault *f)
{
	AUTO_FD lock = -1;
	CK_RV rv;

	if (canary_known(&h->canary))
		return RC_OK;
	TRY(tokenlock_take(h->options->lock_file, TOKENLOCK_WAIT_MS, &lock, f));
	rv = make_canary(h);
	if (rv != CKR_OK)
		return FAULT(
		    f, RC_HSM, "canary", "no canary key can be made: %s", p11rc_name(rv));
	return RC_OK;
}

enum rc
admin_run(struct hsm *h, struct fault *f)
{
	struct session session;
	struct frame hello;
	CK_RV rv = session_open(&session, &h->login);

	if (rv != CKR_OK)
		return FAULT(f, RC_HSM, "session", "C_OpenSession: %s", p11rc_name(rv));
	TRY(need_canary(h, f));
	TRY(hsm_prove(h, &session, f));
	hsm_hello(h, &hello);
	if (!wire_send(h->fd, &hello, 0))
		return FAULT(f, RC_CONFLICT, "peer", "the front is gone");
	leave_exit(); /* the start is over */
	hsm_serve(h, &session, answer);
}
