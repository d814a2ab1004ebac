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
 * Make one, named by its point: CKA_ID is its key id, the label "vesper-" and
 * the id's beginning.  Its public half is not stored.  CKR_TEMPLATE_INCONSISTENT
 * when the token says other things of it than were asked for; nothing of a key
 * that failed is left.
 */
CK_RV keypair_make(
    struct login *login, struct keymap *map, CK_SESSION_HANDLE session, struct key *out);

/* The canary's: labelled so, and with its public half stored beside it. */
CK_RV keypair_make_canary(struct login *login, struct keymap *map, CK_SESSION_HANDLE session);

#endif
