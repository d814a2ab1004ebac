#include "pkcs11/keypair.h"

#include <stdio.h>
#include <string.h>

struct pair {
	CK_OBJECT_HANDLE public, private;
};

/*
 * The public half as a session object only: ten thousand of them stored make
 * every search slower.  The canary's alone is kept, for there is nobody else
 * to say what its point is.
 */
static CK_RV
generate_pair(struct login *login, CK_SESSION_HANDLE session, CK_BBOOL keep_public, char *label,
    struct pair *out)
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
		{ CKA_LABEL, label, label != NULL ? strlen(label) : 0 },
	};

	memcpy(params, p256, sizeof params);
	return login->fn->C_GenerateKeyPair(session, &mechanism, public, ARRAY_LEN(public),
	    private, ARRAY_LEN(private) - (label == NULL), &out->public, &out->private);
}

static CK_RV
set_name(struct login *login, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
    const uint8_t id[P256_ID], const char *label)
{
	uint8_t id_copy[P256_ID];
	char label_copy[LABEL_MAX];
	CK_ATTRIBUTE a[] = {
		{ CKA_ID, id_copy, sizeof id_copy },
		{ CKA_LABEL, label_copy, strlen(label) },
	};

	memcpy(id_copy, id, sizeof id_copy);
	snprintf(label_copy, sizeof label_copy, "%s", label);
	return login->fn->C_SetAttributeValue(session, object, a, ARRAY_LEN(a));
}

/* Name the key by its point and believe what the token now says of it, not what was asked. */
static CK_RV
adopt(struct login *login, struct keymap *map, CK_SESSION_HANDLE session,
    const struct pair *pair, const char *label, struct key *out)
{
	struct key_facts facts = { .acceptable = false };
	struct key key = { .handle = pair->private, .state = KEY_LEARNT, .has_point = true };
	char own_label[LABEL_MAX];
	CK_RV rv = keymap_point(map, pair->public, key.point);

	if (rv != CKR_OK)
		return rv;
	if (p256_key_id(key.point, key.id, NULL) != RC_OK)
		return CKR_HOST_MEMORY;
	label_write_id(key.id, own_label);
	rv = set_name(login, session, pair->private, key.id, label != NULL ? label : own_label);
	if (rv == CKR_OK)
		rv = keymap_facts(map, pair->private, &facts);
	if (rv != CKR_OK)
		return rv;
	if (!facts.acceptable || !facts.has_id || memcmp(facts.id, key.id, P256_ID) != 0)
		return CKR_TEMPLATE_INCONSISTENT;
	key.label = facts.label;
	*out = key;
	return CKR_OK;
}

/* A key that could not be named is of no use to anybody; what was here before is not touched. */
CK_RV
keypair_make(struct login *login, struct keymap *map, CK_SESSION_HANDLE session,
    const uint8_t batch[FRAME_BATCH], struct key *out)
{
	struct pair pair = { .public = CK_INVALID_HANDLE };
	char label[LABEL_MAX] = "", *called = batch != NULL ? label : NULL;
	CK_RV rv;

	if (batch != NULL)
		label_write(batch, label);
	rv = generate_pair(login, session, CK_FALSE, called, &pair);
	if (rv != CKR_OK)
		return rv;
	rv = adopt(login, map, session, &pair, called, out);
	(void)login->fn->C_DestroyObject(session, pair.public);
	if (rv != CKR_OK)
		(void)login->fn->C_DestroyObject(session, pair.private);
	return rv;
}

static CK_RV
find_called(struct keymap *map, char *label, CK_OBJECT_HANDLE *out, size_t max, size_t *n)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof class },
		{ CKA_LABEL, label, strlen(label) } };

	return keymap_search(map, template, ARRAY_LEN(template), out, max, n);
}

/* A batch that was noted before an upgrade is called as it was then. */
CK_RV
keypair_made(struct keymap *map, const uint8_t batch[FRAME_BATCH], CK_OBJECT_HANDLE *out,
    size_t max, size_t *n)
{
	char label[LABEL_MAX];
	size_t now = 0, before = 0;
	CK_RV rv;

	label_write(batch, label);
	rv = find_called(map, label, out, max, &now);
	if (rv != CKR_OK)
		return rv;
	label_write_before(batch, label);
	rv = find_called(map, label, out + now, max - now, &before);
	*n = now + before;
	return rv;
}

CK_RV
keypair_make_canary(struct login *login, struct keymap *map, CK_SESSION_HANDLE session)
{
	struct pair pair = { .public = CK_INVALID_HANDLE };
	struct key key;
	CK_RV rv = generate_pair(login, session, CK_TRUE, NULL, &pair);

	if (rv != CKR_OK)
		return rv;
	rv = adopt(login, map, session, &pair, CANARY_LABEL, &key);
	if (rv == CKR_OK)
		rv = set_name(login, session, pair.public, key.id, CANARY_LABEL);
	if (rv != CKR_OK) {
		(void)login->fn->C_DestroyObject(session, pair.private);
		(void)login->fn->C_DestroyObject(session, pair.public);
	}
	return rv;
}
