#include "pkcs11/admin.h"

#include <stdio.h>
#include <string.h>

#include "pkcs11/p11rc.h"
#include "pkcs11/tokenlock.h"
#include "pkcs11/wire.h"

enum { CHANGE_LOCK_MS = 5000, LABEL_ID_BYTES = 8 };

/* ---- a new key -------------------------------------------------------------- */

struct pair {
	CK_OBJECT_HANDLE public, private;
};

/*
 * The public half as a session object only: ten thousand of them stored make
 * every search slower.  The canary's alone is kept, for there is nobody else
 * to say what its point is.
 */
static CK_RV
generate_pair(struct hsm *h, CK_SESSION_HANDLE session, CK_BBOOL keep_public, struct pair *out)
{
	static const uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
		0x07 };
	CK_MECHANISM mechanism = { .mechanism = CKM_EC_KEY_PAIR_GEN };
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	uint8_t params[sizeof p256];
	CK_ATTRIBUTE public[] = {
		{ CKA_EC_PARAMS, params, sizeof params },
		{ CKA_TOKEN, &keep_public, sizeof keep_public },
		{ CKA_PRIVATE, &no, sizeof no },
		{ CKA_VERIFY, &yes, sizeof yes },
	};
	CK_ATTRIBUTE private[] = {
		{ CKA_TOKEN, &yes, sizeof yes },
		{ CKA_PRIVATE, &yes, sizeof yes },
		{ CKA_SENSITIVE, &yes, sizeof yes },
		{ CKA_EXTRACTABLE, &no, sizeof no },
		{ CKA_SIGN, &yes, sizeof yes },
		{ CKA_SIGN_RECOVER, &no, sizeof no },
		{ CKA_DECRYPT, &no, sizeof no },
		{ CKA_UNWRAP, &no, sizeof no },
		{ CKA_DERIVE, &no, sizeof no },
	};

	memcpy(params, p256, sizeof params);
	return h->login.fn->C_GenerateKeyPair(session, &mechanism, public, ARRAY_LEN(public),
	    private, ARRAY_LEN(private), &out->public, &out->private);
}

static CK_RV
set_name(struct hsm *h, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
    const uint8_t id[P256_ID], const char *label)
{
	uint8_t id_copy[P256_ID];
	char label_copy[64];
	CK_ATTRIBUTE a[] = {
		{ CKA_ID, id_copy, sizeof id_copy },
		{ CKA_LABEL, label_copy, strlen(label) },
	};

	memcpy(id_copy, id, sizeof id_copy);
	snprintf(label_copy, sizeof label_copy, "%s", label);
	return h->login.fn->C_SetAttributeValue(session, object, a, ARRAY_LEN(a));
}

static void
key_label(const uint8_t id[P256_ID], char out[64])
{
	size_t n = (size_t)snprintf(out, 64, "vesper-");

	for (size_t i = 0; i < LABEL_ID_BYTES; i++)
		n += (size_t)snprintf(out + n, 64 - n, "%02x", id[i]);
}

/* Name the key by its point and believe what the token now says of it, not what was asked. */
static CK_RV
adopt(struct hsm *h, CK_SESSION_HANDLE session, const struct pair *pair, const char *label,
    struct key *out)
{
	struct key_facts facts = { .acceptable = false };
	struct key key = { .handle = pair->private, .state = KEY_LEARNT, .has_point = true };
	char own_label[64];
	CK_RV rv = keymap_point(h->map, pair->public, key.point);

	if (rv != CKR_OK)
		return rv;
	if (p256_key_id(key.point, key.id, NULL) != RC_OK)
		return CKR_HOST_MEMORY;
	key_label(key.id, own_label);
	rv = set_name(h, session, pair->private, key.id, label != NULL ? label : own_label);
	if (rv == CKR_OK)
		rv = keymap_facts(h->map, pair->private, &facts);
	if (rv != CKR_OK)
		return rv;
	if (!facts.acceptable || !facts.has_id || memcmp(facts.id, key.id, P256_ID) != 0)
		return CKR_TEMPLATE_INCONSISTENT;
	*out = key;
	return CKR_OK;
}

/* A key that could not be named is of no use to anybody; what was here before is not touched. */
static CK_RV
make_key(struct hsm *h, CK_SESSION_HANDLE session, struct key *out)
{
	struct pair pair = { .public = CK_INVALID_HANDLE };
	CK_RV rv = generate_pair(h, session, CK_FALSE, &pair);

	if (rv != CKR_OK)
		return rv;
	rv = adopt(h, session, &pair, NULL, out);
	(void)h->login.fn->C_DestroyObject(session, pair.public);
	if (rv != CKR_OK)
		(void)h->login.fn->C_DestroyObject(session, pair.private);
	return rv;
}

static CK_RV
make_canary(struct hsm *h)
{
	struct pair pair = { .public = CK_INVALID_HANDLE };
	CK_SESSION_HANDLE session = h->login.idle;
	struct key key;
	CK_RV rv = generate_pair(h, session, CK_TRUE, &pair);

	if (rv != CKR_OK)
		return rv;
	rv = adopt(h, session, &pair, CANARY_LABEL, &key);
	if (rv == CKR_OK)
		rv = set_name(h, session, pair.public, key.id, CANARY_LABEL);
	if (rv != CKR_OK) {
		(void)h->login.fn->C_DestroyObject(session, pair.private);
		(void)h->login.fn->C_DestroyObject(session, pair.public);
		return rv;
	}
	return canary_find(&h->canary, h->map);
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
generate(struct hsm *h, struct session *s, struct frame *frame, CK_RV *rv)
{
	AUTO_FD lock = -1;
	struct key key;

	memset(frame->body, 0, sizeof frame->body);
	if (is_full(h))
		return FRAME_FULL;
	if (tokenlock_take(h->options->lock_file, CHANGE_LOCK_MS, &lock, NULL) != RC_OK)
		return FRAME_BUSY;
	if (s->handle == CK_INVALID_HANDLE)
		*rv = session_open(s, &h->login);
	if (*rv == CKR_OK)
		*rv = make_key(h, s->handle, &key);
	if (*rv != CKR_OK) {
		session_close(s);
		return hsm_code(h, s, *rv);
	}
	memcpy(frame->key_id, key.id, P256_ID);
	memcpy(frame->body, key.point, P256_POINT);
	return keymap_add(h->map, &key);
}

static CK_RV
destroy_key(struct hsm *h, struct session *s, const struct key *key)
{
	CK_RV rv = CKR_OK;

	if (s->handle == CK_INVALID_HANDLE)
		rv = session_open(s, &h->login);
	if (rv == CKR_OK)
		rv = h->login.fn->C_DestroyObject(s->handle, key->handle);
	return rv;
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
		*rv = destroy_key(h, s, &key);
	return *rv == CKR_OK ? FRAME_OK : hsm_code(h, s, *rv);
}

static enum frame_code
destroy(struct hsm *h, struct session *s, const struct frame *frame, CK_RV *rv)
{
	AUTO_FD lock = -1;
	enum frame_code code = FRAME_OK;
	struct key key;

	if (!keymap_get(h->map, frame->key_id, &key))
		return FRAME_NO_KEY;
	/* Not one of ours, whatever its id says. */
	if (key.state == KEY_REFUSED)
		return FRAME_KEY_REFUSED;
	if (tokenlock_take(h->options->lock_file, CHANGE_LOCK_MS, &lock, NULL) != RC_OK)
		return FRAME_BUSY;
	*rv = destroy_key(h, s, &key);
	if (p11rc_class(*rv) == P11_KEY)
		code = destroy_again(h, s, frame, rv);
	else if (*rv != CKR_OK)
		code = hsm_code(h, s, *rv);
	if (code == FRAME_OK)
		(void)keymap_forget(h->map, frame->key_id);
	return code;
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
		memset(each.body, 0, sizeof each.body);
		if (key.has_point)
			memcpy(each.body, key.point, P256_POINT);
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
	case FRAME_DESTROY: return destroy(h, s, frame, rv);
	case FRAME_LIST: return list(h, frame);
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
