/*
 * A new P-256 key pair in the token, with the attributes that every key of
 * the agent has: it never leaves, and it signs and does nothing else.
 *
 * The caller has a read-write session of the map's login for itself.
 */
#ifndef PKCS11_KEYPAIR_H
#define PKCS11_KEYPAIR_H

#include "pkcs11/keymap.h"

/*
 * Make one, named by its point: CKA_ID is its key id.  The label names the
 * batch (label.h), which it does from the moment that the key is there; without
 * a batch (NULL) the id's beginning, which it gets with the id.  Its
 * public half is not stored.  CKR_TEMPLATE_INCONSISTENT when the token says
 * other things of it than were asked for; nothing of a key that failed is left.
 */
CK_RV keypair_make(struct login *login, struct keymap *map, CK_SESSION_HANDLE session,
    const uint8_t batch[FRAME_BATCH], struct key *out);

/* Handles of the private keys that are called by this batch. */
CK_RV keypair_made(struct keymap *map, const uint8_t batch[FRAME_BATCH], CK_OBJECT_HANDLE *out,
    size_t max, size_t *n);

/* The canary's: labelled so, and with its public half stored beside it. */
CK_RV keypair_make_canary(struct login *login, struct keymap *map, CK_SESSION_HANDLE session);

#endif
