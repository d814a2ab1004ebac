/*
 * A token admin in software: answers the frames of pkcs11/frame.h on a
 * thread per connection, with keys in memory.  For what a real token cannot
 * be made to do: fail at a given moment, or survive a crash of its client.
 */
#ifndef TESTS_UNIT_SOFTADMIN_H
#define TESTS_UNIT_SOFTADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkcs11/frame.h"

struct softadmin;

struct softadmin *softadmin_new(void);
void softadmin_free(struct softadmin *s); /* ends its connections */

/* The client's end of a new connection, of this generation; HELLO is on its way. */
int softadmin_connect(struct softadmin *s, uint32_t generation);

/*
 * Before a fork: end every connection but the last one, and wait until that
 * one does nothing, so that no lock is held by a thread the child does not have.
 */
void softadmin_quiet(struct softadmin *s);

size_t softadmin_keys(struct softadmin *s);
size_t softadmin_asked(struct softadmin *s);	       /* GENERATE frames so far */
size_t softadmin_made(struct softadmin *s);	       /* keys so far */
size_t softadmin_signatures(struct softadmin *s);      /* given out so far */
size_t softadmin_batches(struct softadmin *s);	       /* of them, for more than one key */
void softadmin_room(struct softadmin *s, size_t keys); /* it holds so many, at most 256 */
bool softadmin_has(struct softadmin *s, const uint8_t key_id[32]);
void softadmin_drop(struct softadmin *s, const uint8_t key_id[32]);

/* A key that somebody else made, called so. */
void softadmin_put(struct softadmin *s, enum frame_label label, const uint8_t name[FRAME_BATCH],
    uint8_t key_id[32]);

/* Answer every request with this code (enum frame_code); 0: as it should be. */
void softadmin_fail(struct softadmin *s, int code);
/* Make keys, and fail whatever else is asked. */
void softadmin_limp(struct softadmin *s, bool on);
/* Fail whatever is to be destroyed by its owner. */
void softadmin_stubborn(struct softadmin *s, bool on);
/* Sign with another key than the one that was named. */
void softadmin_confuse(struct softadmin *s, bool on);

#endif
