#include "pkcs11/canary.h"

#include <openssl/rand.h>
#include <string.h>

enum { CANARY_MAX = 16 };

void
canary_init(struct canary *c)
{
	*c = (struct canary){ .known = false };
	pthread_mutex_init(&c->lock, NULL);
}

bool
canary_known(struct canary *c)
{
	bool known;

	pthread_mutex_lock(&c->lock);
	known = c->known;
	pthread_mutex_unlock(&c->lock);
	return known;
}

static CK_RV
public_point(
    struct keymap *map, const uint8_t id[P256_ID], uint8_t point[P256_POINT], bool *found)
{
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	uint8_t copy[P256_ID];
	CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof class },
		{ CKA_ID, copy, sizeof copy } };
	CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
	uint8_t own[P256_ID];
	size_t n = 0;
	CK_RV rv;

	memcpy(copy, id, sizeof copy);
	rv = keymap_search(map, template, ARRAY_LEN(template), &object, 1, &n);
	if (rv != CKR_OK || n == 0)
		return rv;
	rv = keymap_point(map, object, point);
	*found = rv == CKR_OK && p256_key_id(point, own, NULL) == RC_OK &&
		 memcmp(own, id, sizeof own) == 0;
	return rv;
}

/* The lowest id, where several admins on one token made one each. */
static CK_RV
consider(struct keymap *map, CK_OBJECT_HANDLE object, struct key *best, bool *known)
{
	struct key_facts facts;
	bool found = false;
	CK_RV rv = keymap_facts(map, object, &facts);

	if (rv != CKR_OK || !facts.acceptable || !facts.has_id)
		return rv;
	if (*known && memcmp(facts.id, best->id, P256_ID) >= 0)
		return CKR_OK;
	rv = public_point(map, facts.id, facts.point, &found);
	if (rv != CKR_OK || !found)
		return rv;
	*best = (struct key){ .handle = object, .has_point = true };
	memcpy(best->id, facts.id, P256_ID);
	memcpy(best->point, facts.point, P256_POINT);
	*known = true;
	return CKR_OK;
}

CK_RV
canary_find(struct canary *c, struct keymap *map)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	char label[] = CANARY_LABEL;
	CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof class },
		{ CKA_LABEL, label, strlen(label) } };
	CK_OBJECT_HANDLE found[CANARY_MAX];
	struct key best = { .has_point = false };
	bool known = false;
	size_t n = 0;
	CK_RV rv = keymap_search(map, template, ARRAY_LEN(template), found, CANARY_MAX, &n);

	for (size_t i = 0; rv == CKR_OK && i < n; i++)
		rv = consider(map, found[i], &best, &known);
	if (rv != CKR_OK || !known)
		return rv;
	pthread_mutex_lock(&c->lock);
	c->known = true;
	c->key = best;
	pthread_mutex_unlock(&c->lock);
	return CKR_OK;
}

CK_RV
canary_sing(struct canary *c, struct session *s, atomic_uint_fast64_t *calls)
{
	uint8_t nonce[P256_DIGEST], sig[P256_SIG];
	struct key key;
	CK_RV rv;

	pthread_mutex_lock(&c->lock);
	key = c->known ? c->key : (struct key){ .handle = CK_INVALID_HANDLE };
	pthread_mutex_unlock(&c->lock);
	if (!key.has_point)
		return CKR_KEY_HANDLE_INVALID;
	if (RAND_bytes(nonce, sizeof nonce) != 1)
		return CKR_HOST_MEMORY;
	rv = session_sign(s, key.handle, nonce, sig, calls);
	if (rv == CKR_OK && p256_verify(key.point, nonce, sig, NULL) != RC_OK)
		rv = CKR_SIGNATURE_INVALID;
	return rv;
}
