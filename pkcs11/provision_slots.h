/*
 * libp11 for the life of one command: the slots of a module, the token that is
 * meant, and what went wrong.  Main thread.
 */
#ifndef PKCS11_PROVISION_SLOTS_H
#define PKCS11_PROVISION_SLOTS_H

#include "pkcs11/p11rc.h"
#include "pkcs11/provision.h"

/* libp11.h names two types in functions not used here that OpenSSL has let go of. */
typedef struct rsa_meth_st RSA_METHOD;
typedef struct ec_key_method_st EC_KEY_METHOD;
#include <libp11.h>

struct slots {
	PKCS11_CTX *ctx;
	PKCS11_SLOT *slot;
	unsigned n;
	bool loaded;
};

/* Check the module, load it and list its slots; the caller has the token's lock. */
enum rc slots_open(const struct provision *o, struct slots *s, struct fault *f) MUST_CHECK;
void slots_done(struct slots *s);
#define AUTO_SLOTS __attribute__((cleanup(slots_done))) struct slots

/* The one that o->token means.  RC_NOT_FOUND token_not_found, RC_INVALID token_ambiguous. */
enum rc slots_find(const struct provision *o, const struct slots *s, PKCS11_SLOT **out,
    struct fault *f) MUST_CHECK;

/* The CK_RV behind the oldest error of OpenSSL's queue; CKR_OK where libp11 itself failed. */
CK_RV slots_rv(void);

/*
 * The fault of a failed call: RC_DENIED pin_refused for the PIN's class, else
 * RC_HSM with this reason.  Never RC_OK; the queue is empty then.
 */
enum rc slots_refused(
    struct fault *f, const char *reason, const char *call, const char *remedy) MUST_CHECK;

/* Empty where libp11 has none. */
struct span slots_text(const char *text);
/* As libp11 wants it. */
const char *slots_pin(const struct provision_pin *p);

#endif
