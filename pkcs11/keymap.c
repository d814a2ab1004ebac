#include "pkcs11/keymap.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "pkcs11/p11rc.h"

enum { SEARCH_BATCH = 512 };

struct keymap {
	struct login *login;
	pthread_mutex_t lock;	/* the entries */
	pthread_mutex_t search; /* the idle session; taken before lock, never after */
	size_t len;
	size_t foreign;	 /* private keys without an id of ours */
	struct key *key; /* KEYMAP_MAX, sorted by id */
};

enum rc
keymap_new(struct login *login, struct keymap **out, struct fault *f)
{
	AUTO(keymap) *map = calloc(1, sizeof *map);

	if (map == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "key map");
	map->login = login;
	pthread_mutex_init(&map->lock, NULL);
	pthread_mutex_init(&map->search, NULL);
	map->key = calloc(KEYMAP_MAX, sizeof map->key[0]);
	if (map->key == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "key map");
	*out = TAKE(map);
	return RC_OK;
}

void
keymap_free(struct keymap *map)
{
	if (map == NULL)
		return;
	pthread_mutex_destroy(&map->search);
	pthread_mutex_destroy(&map->lock);
	free(map->key);
	free(map);
}

/* ---- one object ----------------------------------------------------------- */

/* The OID of prime256v1, as CKA_EC_PARAMS has it. */
static const uint8_t p256_params[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
	0x07 };

/* What every attribute says when the token does not answer it: refuse. */
struct raw_facts {
	CK_KEY_TYPE type;
	CK_BBOOL token, sensitive, extractable, sign, ask_again;
	uint8_t params[32], id[P256_ID + 1], label[LABEL_MAX], point[P256_POINT + 3];
};

static bool
answered(const CK_ATTRIBUTE *a, const void *value, size_t len)
{
	return a->ulValueLen == len && memcmp(a->pValue, value, len) == 0;
}

static void
judge(const struct raw_facts *raw, const CK_ATTRIBUTE *params, const CK_ATTRIBUTE *id,
    const CK_ATTRIBUTE *label, const CK_ATTRIBUTE *point, struct key_facts *out)
{
	*out = (struct key_facts){
		.acceptable = raw->type == CKK_EC && raw->token == CK_TRUE &&
			      raw->sensitive == CK_TRUE && raw->extractable == CK_FALSE &&
			      raw->sign == CK_TRUE && raw->ask_again == CK_FALSE &&
			      answered(params, p256_params, sizeof p256_params),
		.label = { .form = FRAME_LABEL_OTHER },
		.has_id = id->ulValueLen == P256_ID,
	};
	if (label->ulValueLen <= sizeof raw->label)
		out->label = label_read(span_of(raw->label, label->ulValueLen));
	if (out->has_id)
		memcpy(out->id, raw->id, P256_ID);
	if (point->ulValueLen <= sizeof raw->point)
		out->has_point = p256_from_attribute(span_of(raw->point, point->ulValueLen),
				     out->point, NULL) == RC_OK;
}

/*
 * What the attributes say is a claim.  The proof is to ask for the private
 * value and not even be told how long it is (PKCS#11 v2.40 section 5.7:
 * C_GetAttributeValue of a sensitive or unextractable one).
 */
static bool
is_told(struct keymap *map, CK_OBJECT_HANDLE object)
{
	CK_ATTRIBUTE value = { CKA_VALUE, NULL, 0 };
	CK_RV rv = map->login->fn->C_GetAttributeValue(map->login->idle, object, &value, 1);

	return rv == CKR_OK && value.ulValueLen != CK_UNAVAILABLE_INFORMATION;
}

static CK_RV
inspect(struct keymap *map, CK_OBJECT_HANDLE object, struct key_facts *out)
{
	struct raw_facts raw = { .type = CK_UNAVAILABLE_INFORMATION, .extractable = CK_TRUE };
	CK_ATTRIBUTE a[] = {
		{ CKA_KEY_TYPE, &raw.type, sizeof raw.type },
		{ CKA_TOKEN, &raw.token, sizeof raw.token },
		{ CKA_SENSITIVE, &raw.sensitive, sizeof raw.sensitive },
		{ CKA_EXTRACTABLE, &raw.extractable, sizeof raw.extractable },
		{ CKA_SIGN, &raw.sign, sizeof raw.sign },
		{ CKA_LABEL, raw.label, sizeof raw.label },
		{ CKA_ID, raw.id, sizeof raw.id },
		{ CKA_EC_PARAMS, raw.params, sizeof raw.params },
		{ CKA_ALWAYS_AUTHENTICATE, &raw.ask_again, sizeof raw.ask_again },
		{ CKA_EC_POINT, raw.point, sizeof raw.point },
	};
	CK_RV rv =
	    map->login->fn->C_GetAttributeValue(map->login->idle, object, a, ARRAY_LEN(a));

	/* PKCS#11 v2.40 section 5.7: with these codes all other attributes are there. */
	if (rv != CKR_OK && rv != CKR_ATTRIBUTE_TYPE_INVALID && rv != CKR_ATTRIBUTE_SENSITIVE &&
	    rv != CKR_BUFFER_TOO_SMALL)
		return rv;
	judge(&raw, &a[7], &a[6], &a[5], &a[9], out);
	out->acceptable = out->acceptable && !is_told(map, object);
	return CKR_OK;
}

CK_RV
keymap_facts(struct keymap *map, CK_OBJECT_HANDLE object, struct key_facts *out)
{
	CK_RV rv;

	pthread_mutex_lock(&map->search);
	rv = inspect(map, object, out);
	pthread_mutex_unlock(&map->search);
	return rv;
}

CK_RV
keymap_point(struct keymap *map, CK_OBJECT_HANDLE object, uint8_t point[P256_POINT])
{
	uint8_t value[P256_POINT + 3];
	CK_ATTRIBUTE a = { CKA_EC_POINT, value, sizeof value };
	CK_RV rv;

	pthread_mutex_lock(&map->search);
	rv = map->login->fn->C_GetAttributeValue(map->login->idle, object, &a, 1);
	pthread_mutex_unlock(&map->search);
	if (rv != CKR_OK)
		return rv;
	if (a.ulValueLen > sizeof value ||
	    p256_from_attribute(span_of(value, a.ulValueLen), point, NULL) != RC_OK)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return CKR_OK;
}

/* ---- searches --------------------------------------------------------------- */

static CK_RV
search(struct keymap *map, CK_ATTRIBUTE *template, CK_ULONG attributes, CK_OBJECT_HANDLE *out,
    size_t max, size_t *n)
{
	CK_FUNCTION_LIST *fn = map->login->fn;
	CK_SESSION_HANDLE session = map->login->idle;
	CK_RV rv = fn->C_FindObjectsInit(session, template, attributes);
	CK_ULONG got = 1;

	*n = 0;
	if (rv != CKR_OK)
		return rv;
	while (rv == CKR_OK && got > 0 && *n < max) {
		size_t room = max - *n < SEARCH_BATCH ? max - *n : SEARCH_BATCH;

		rv = fn->C_FindObjects(session, out + *n, room, &got);
		if (rv == CKR_OK && got > room)
			rv = CKR_GENERAL_ERROR;
		if (rv == CKR_OK)
			*n += got;
	}
	(void)fn->C_FindObjectsFinal(session);
	return rv;
}

CK_RV
keymap_search(struct keymap *map, CK_ATTRIBUTE *template, CK_ULONG attributes,
    CK_OBJECT_HANDLE *out, size_t max, size_t *n)
{
	CK_RV rv;

	pthread_mutex_lock(&map->search);
	rv = search(map, template, attributes, out, max, n);
	pthread_mutex_unlock(&map->search);
	return rv;
}

static int
by_id(const void *a, const void *b)
{
	return memcmp(((const struct key *)a)->id, ((const struct key *)b)->id, P256_ID);
}

/* Two keys of one id: which of them would sign is a matter of luck, so neither does. */
static void
refuse_twins(struct keymap *map)
{
	for (size_t i = 1; i < map->len; i++) {
		if (by_id(&map->key[i - 1], &map->key[i]) != 0)
			continue;
		map->key[i - 1].state = KEY_REFUSED;
		map->key[i].state = KEY_REFUSED;
	}
}

static CK_RV
scan_one(struct keymap *map, CK_OBJECT_HANDLE object)
{
	struct key_facts facts;
	struct key *key = &map->key[map->len];
	CK_RV rv = keymap_facts(map, object, &facts);

	if (rv != CKR_OK || facts.label.form == FRAME_LABEL_CANARY)
		return rv;
	if (!facts.has_id) {
		map->foreign++;
		return CKR_OK;
	}
	*key = (struct key){
		.handle = object,
		.state = facts.acceptable ? KEY_FOUND : KEY_REFUSED,
		.has_point = facts.has_point,
		.label = facts.label,
	};
	memcpy(key->id, facts.id, P256_ID);
	memcpy(key->point, facts.point, P256_POINT);
	map->len++;
	return CKR_OK;
}

enum rc
keymap_scan(struct keymap *map, struct fault *f)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof class } };
	AUTO_FREE CK_OBJECT_HANDLE *found = calloc(KEYMAP_MAX, sizeof *found);
	size_t n = 0;
	CK_RV rv;

	if (found == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "search");
	rv = keymap_search(map, template, ARRAY_LEN(template), found, KEYMAP_MAX, &n);
	if (n == KEYMAP_MAX)
		return FAULT(f, RC_BUSY, "keys", "%zu or more private keys in the token", n);
	for (size_t i = 0; rv == CKR_OK && i < n; i++)
		rv = scan_one(map, found[i]);
	if (rv != CKR_OK)
		return FAULT(f, RC_HSM, "keys", "search of the keys: %s", p11rc_name(rv));
	qsort(map->key, map->len, sizeof map->key[0], by_id);
	refuse_twins(map);
	return RC_OK;
}

/* The one private key of this id; *code is FRAME_OK, FRAME_NO_KEY or FRAME_KEY_REFUSED. */
static CK_RV
find_one(
    struct keymap *map, const uint8_t id[P256_ID], CK_OBJECT_HANDLE *out, enum frame_code *code)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	uint8_t copy[P256_ID];
	CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof class },
		{ CKA_ID, copy, sizeof copy } };
	CK_OBJECT_HANDLE found[2] = { CK_INVALID_HANDLE };
	struct key_facts facts;
	size_t n = 0;
	CK_RV rv;

	memcpy(copy, id, sizeof copy);
	rv = search(map, template, ARRAY_LEN(template), found, ARRAY_LEN(found), &n);
	*code = n == 0 ? FRAME_NO_KEY : FRAME_KEY_REFUSED;
	if (rv != CKR_OK || n != 1)
		return rv;
	rv = inspect(map, found[0], &facts);
	if (rv == CKR_OK && facts.label.form == FRAME_LABEL_CANARY)
		*code = FRAME_NO_KEY;
	else if (rv == CKR_OK && facts.acceptable)
		*code = FRAME_OK;
	*out = found[0];
	return rv;
}

static CK_RV
find_by_id(
    struct keymap *map, const uint8_t id[P256_ID], CK_OBJECT_HANDLE *out, enum frame_code *code)
{
	CK_RV rv;

	pthread_mutex_lock(&map->search);
	rv = find_one(map, id, out, code);
	pthread_mutex_unlock(&map->search);
	return rv;
}

/* ---- entries; all under the lock -------------------------------------------- */

/* The entry of id, or where it belongs. */
static struct key *
place(struct keymap *map, const uint8_t id[P256_ID], bool *there)
{
	size_t low = 0, high = map->len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = memcmp(map->key[mid].id, id, P256_ID);

		if (order == 0) {
			*there = true;
			return &map->key[mid];
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*there = false;
	return &map->key[low];
}

static struct key *
lookup(struct keymap *map, const uint8_t id[P256_ID])
{
	bool there;
	struct key *key = place(map, id, &there);

	return there ? key : NULL;
}

static void
drop(struct keymap *map, struct key *key)
{
	size_t after = map->len - 1 - (size_t)(key - map->key);

	memmove(key, key + 1, after * sizeof *key);
	map->len--;
}

static enum frame_code
put(struct keymap *map, const struct key *key)
{
	bool there;
	struct key *at = place(map, key->id, &there);

	if (!there && map->len == KEYMAP_MAX)
		return FRAME_FULL;
	if (!there) {
		memmove(at + 1, at, (map->len - (size_t)(at - map->key)) * sizeof *at);
		map->len++;
	}
	*at = *key;
	return FRAME_OK;
}

bool
keymap_get(struct keymap *map, const uint8_t id[P256_ID], struct key *out)
{
	struct key *key;

	pthread_mutex_lock(&map->lock);
	key = lookup(map, id);
	if (key != NULL)
		*out = *key;
	pthread_mutex_unlock(&map->lock);
	return key != NULL;
}

bool
keymap_at(struct keymap *map, size_t index, struct key *out)
{
	bool there;

	pthread_mutex_lock(&map->lock);
	there = index < map->len;
	if (there)
		*out = map->key[index];
	pthread_mutex_unlock(&map->lock);
	return there;
}

enum frame_code
keymap_add(struct keymap *map, const struct key *key)
{
	enum frame_code code;

	pthread_mutex_lock(&map->lock);
	code = put(map, key);
	pthread_mutex_unlock(&map->lock);
	return code;
}

bool
keymap_forget(struct keymap *map, const uint8_t id[P256_ID])
{
	struct key *key;

	pthread_mutex_lock(&map->lock);
	key = lookup(map, id);
	if (key != NULL)
		drop(map, key);
	pthread_mutex_unlock(&map->lock);
	return key != NULL;
}

void
keymap_set_state(struct keymap *map, const struct key *key, enum key_state state)
{
	struct key *at;

	pthread_mutex_lock(&map->lock);
	at = lookup(map, key->id);
	if (at != NULL && at->handle == key->handle)
		at->state = state;
	pthread_mutex_unlock(&map->lock);
}

void
keymap_count(struct keymap *map, uint32_t *usable, uint32_t *refused)
{
	uint32_t bad = 0;

	pthread_mutex_lock(&map->lock);
	for (size_t i = 0; i < map->len; i++)
		bad += map->key[i].state == KEY_REFUSED || map->key[i].state == KEY_QUARANTINED;
	*usable = (uint32_t)map->len - bad;
	*refused = bad + (uint32_t)map->foreign;
	pthread_mutex_unlock(&map->lock);
}

void
keymap_forget_foreign(struct keymap *map)
{
	pthread_mutex_lock(&map->lock);
	if (map->foreign > 0)
		map->foreign--;
	pthread_mutex_unlock(&map->lock);
}

/* ---- learn -------------------------------------------------------------------- */

/* Search by id and renew the entry; what is gone or refused leaves no usable entry. */
static enum frame_code
renew(struct keymap *map, struct key *key, CK_RV *rv)
{
	enum frame_code code = FRAME_NO_KEY;

	*rv = find_by_id(map, key->id, &key->handle, &code);
	if (*rv != CKR_OK)
		return FRAME_FAILED;
	if (code == FRAME_NO_KEY) {
		(void)keymap_forget(map, key->id);
		return code;
	}
	if (code == FRAME_KEY_REFUSED)
		key->state = KEY_REFUSED;
	return keymap_add(map, key) == FRAME_OK ? code : FRAME_FULL;
}

enum frame_code
keymap_look(struct keymap *map, const uint8_t id[P256_ID], const uint8_t point[P256_POINT])
{
	struct key *at;
	uint8_t own[P256_ID];
	bool known;

	if (p256_key_id(point, own, NULL) != RC_OK || memcmp(own, id, sizeof own) != 0)
		return FRAME_BAD_FRAME;
	pthread_mutex_lock(&map->lock);
	at = lookup(map, id);
	known = at != NULL && at->state <= KEY_PROVEN;
	if (known && at->state == KEY_FOUND)
		at->state = KEY_LEARNT;
	if (known) {
		at->has_point = true;
		memcpy(at->point, point, P256_POINT);
	}
	pthread_mutex_unlock(&map->lock);
	return known ? FRAME_OK : FRAME_NO_KEY;
}

enum frame_code
keymap_learn(
    struct keymap *map, const uint8_t id[P256_ID], const uint8_t point[P256_POINT], CK_RV *rv)
{
	struct key key = { .state = KEY_LEARNT, .has_point = true };
	enum frame_code code = keymap_look(map, id, point);

	*rv = CKR_OK;
	if (code != FRAME_NO_KEY)
		return code;
	memcpy(key.id, id, P256_ID);
	memcpy(key.point, point, P256_POINT);
	return renew(map, &key, rv);
}

enum frame_code
keymap_find_again(struct keymap *map, const uint8_t id[P256_ID], CK_RV *rv)
{
	struct key key;

	*rv = CKR_OK;
	if (!keymap_get(map, id, &key))
		return FRAME_NO_KEY;
	key.state = key.has_point ? KEY_LEARNT : KEY_FOUND;
	return renew(map, &key, rv);
}
