/*
 * The keys of the token as this process knows them: id -> handle.  Handles
 * are private to the process and die with it, for they are reshuffled by every
 * C_Initialize and a stale one signs with another key without an error.
 *
 * Any thread; one search at a time, on the login's idle session.
 */
#ifndef PKCS11_KEYMAP_H
#define PKCS11_KEYMAP_H

#include "pkcs11/frame.h"
#include "pkcs11/label.h"
#include "pkcs11/login.h"
#include "pkcs11/p256.h"

enum { KEYMAP_MAX = 100000 };

enum key_state {
	KEY_FOUND,	 /* in the token; nobody has named its point */
	KEY_LEARNT,	 /* its point is known, no signature was verified yet */
	KEY_PROVEN,	 /* a signature of this process verified */
	KEY_REFUSED,	 /* extractable and such, or a signature did not verify */
	KEY_QUARANTINED, /* failed although the canary is well, and again after a new search */
};

struct key {
	uint8_t id[P256_ID];
	CK_OBJECT_HANDLE handle;
	enum key_state state;
	bool has_point;
	uint8_t point[P256_POINT];
	struct label label; /* as it was when the key was found or made */
};

struct keymap;
enum rc keymap_new(struct login *login, struct keymap **out, struct fault *f) MUST_CHECK;
void keymap_free(struct keymap *map);
DEFINE_FREEP(keymap);

/* One search over all private keys; once, before the threads.  RC_HSM "keys", RC_BUSY over the
 * maximum. */
enum rc keymap_scan(struct keymap *map, struct fault *f) MUST_CHECK;

/* A copy of the entry; false when there is none. */
bool keymap_get(struct keymap *map, const uint8_t id[P256_ID], struct key *out);
/* The index'th entry of a map that nobody changes meanwhile. */
bool keymap_at(struct keymap *map, size_t index, struct key *out);

/*
 * The point of a key: FRAME_OK, FRAME_BAD_FRAME when the point has another id,
 * FRAME_NO_KEY, FRAME_KEY_REFUSED, FRAME_FULL; FRAME_FAILED with *rv when the
 * search failed.  A key that is not in the map, or was refused or quarantined,
 * is searched again by its CKA_ID.
 */
enum frame_code keymap_learn(
    struct keymap *map, const uint8_t id[P256_ID], const uint8_t point[P256_POINT], CK_RV *rv);

/* The same without a search: FRAME_NO_KEY where there would be one. */
enum frame_code keymap_look(
    struct keymap *map, const uint8_t id[P256_ID], const uint8_t point[P256_POINT]);

/* Search again after its handle failed; the point is kept, the proof is not. */
enum frame_code keymap_find_again(struct keymap *map, const uint8_t id[P256_ID], CK_RV *rv);

/* A key that this process made: FRAME_OK, FRAME_FULL. */
enum frame_code keymap_add(struct keymap *map, const struct key *key);
bool keymap_forget(struct keymap *map, const uint8_t id[P256_ID]);
/* Only while the entry still has this handle: a new search may have come between. */
void keymap_set_state(struct keymap *map, const struct key *key, enum key_state state);

void keymap_count(struct keymap *map, uint32_t *usable, uint32_t *refused);
void keymap_forget_foreign(struct keymap *map); /* one without an id is destroyed */

/*
 * Handles of the objects of a template, at most max; *n counts those found.
 * Serialised with the map's own searches.
 */
CK_RV keymap_search(struct keymap *map, CK_ATTRIBUTE *template, CK_ULONG attributes,
    CK_OBJECT_HANDLE *out, size_t max, size_t *n);

/* What a private key object says of itself. */
struct key_facts {
	bool acceptable; /* EC P-256, sensitive, not extractable, signs, stays in the token */
	struct label label;
	bool has_id; /* 32 bytes */
	bool has_point;
	uint8_t id[P256_ID];
	uint8_t point[P256_POINT];
};
CK_RV keymap_facts(struct keymap *map, CK_OBJECT_HANDLE object, struct key_facts *out);

/* CKA_EC_POINT of an object; CKR_ATTRIBUTE_VALUE_INVALID when it is no P-256 point. */
CK_RV keymap_point(struct keymap *map, CK_OBJECT_HANDLE object, uint8_t point[P256_POINT]);

#endif
