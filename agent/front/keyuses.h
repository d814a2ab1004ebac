/*
 * The keys that are in a token, whose they are, and what of ours names each: a
 * certificate, a request, an account, a series, a revocation, a note.  The file
 * of a key (keyfile.h) says where it was made and is no use of it.
 *
 * Whose: by the label, which the token tells (pkcs11/label.h); the admin tells
 * what it found at its start and what it made since.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_KEYUSES_H
#define AGENT_FRONT_KEYUSES_H

#include "agent/front/store.h"
#include "agent/front/works.h"

/* Of several the last one counts. */
enum key_use {
	KEY_UNUSED,
	KEY_MAKING,  /* of a batch that is noted: on its way, or left over (making.h) */
	KEY_RETIRED, /* noted: goes when its overlap is over */
	KEY_WAITING, /* made ahead, or of an outstanding request or series */
	KEY_REVOKES, /* a revocation that its CA has not answered is signed by it */
	KEY_ACCOUNT,
	KEY_CREDENTIAL, /* of a certificate in force, or on disk */
	KEY__USES
};

enum key_owner { KEY_OURS, KEY_ANOTHERS, KEY_OF_UNKNOWN };

struct keyuse {
	uint8_t id[KEY_ID_LEN];
	enum key_use use;
	enum frame_label label;
	uint8_t name[FRAME_BATCH]; /* as the label has it */
	char *of; /* "TENANT/NAME", a CA; NULL: nothing, or nobody asked for names */
};

struct keyuses {
	struct keyuse *key; /* sorted by id */
	size_t len, cap;
	bool more;   /* than there is room or memory for */
	bool unsure; /* what may name one could not be read: */
	struct store_path doubt;
};
void keyuses_done(struct keyuses *u);
#define AUTO_KEYUSES __attribute__((cleanup(keyuses_done))) struct keyuses

/* Every key in the token.  RC_NO_MEMORY; RC_HSM, RC_TIMEOUT, RC_BUSY of the token. */
enum rc keyuses_look(struct works *w, unsigned token, bool names, struct keyuses *out,
    struct fault *f) MUST_CHECK;

/* Those of a batch, of whom no label is known; that it is noted names none. */
enum rc keyuses_batch(struct works *w, unsigned token, const uint8_t batch[FRAME_BATCH],
    struct keyuses *out, struct fault *f) MUST_CHECK;

/* One more to search for; more: there is no room for it. */
void keyuses_ask(struct keyuses *u, const uint8_t key_id[KEY_ID_LEN]);

/*
 * Which of those that were asked for has a certificate, a request or a series,
 * in force or not, in memory or on disk?  What a tenant has whose end is
 * confirmed (offboard_destroys()) is no use.  Reads all directories, once for
 * all keys; unsure: of what is not found used that cannot be told.
 */
enum rc keyuses_search(const struct works *w, struct keyuses *u, struct fault *f) MUST_CHECK;

/* After a look or a search; NULL: it is none of them. */
const struct keyuse *keyuses_find(const struct keyuses *u, const uint8_t key_id[KEY_ID_LEN]);

enum key_owner keyuses_owner(const struct works *w, const struct keyuse *k);

/* One of ours that nothing names. */
bool keyuses_orphan(const struct works *w, const struct keyuse *k);

const char *key_owner_name(enum key_owner o);
const char *keyuses_name(const struct works *w, const struct keyuse *k); /* "orphan"; NULL */

#endif
