/*
 * The canary: a key made for nothing but health checks.  Its signature says
 * that the token works; info calls keep saying so when it does not.  The admin
 * makes it, with its public half as the only public object we store.
 *
 * Any thread.
 */
#ifndef PKCS11_CANARY_H
#define PKCS11_CANARY_H

#include "pkcs11/keymap.h"
#include "pkcs11/session.h"

#include <pthread.h>

struct canary {
	pthread_mutex_t lock;
	bool known;
	struct key key;
};

void canary_init(struct canary *c);
bool canary_known(struct canary *c);

/* Look for it; CKR_OK also when there is none. */
CK_RV canary_find(struct canary *c, struct keymap *map);

/*
 * One signature of a nonce, verified.  CKR_OK; CKR_SIGNATURE_INVALID when it
 * does not verify; CKR_KEY_HANDLE_INVALID when no canary is known.
 */
CK_RV canary_sing(struct canary *c, struct session *s, atomic_uint_fast64_t *calls);

#endif
