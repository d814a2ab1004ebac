/*
 * One token, logged in to as the agent does, for the life of one command; and
 * what the commands share.  Not for libp11's half.
 */
#ifndef PKCS11_PROVISION_TOKEN_H
#define PKCS11_PROVISION_TOKEN_H

#include "pkcs11/keymap.h"
#include "pkcs11/login.h"
#include "pkcs11/provision.h"

struct provision_token {
	struct module module;
	struct login login;
	struct keymap *map; /* read by provision_keys() */
	int lock;	    /* of the token; -1: none, or let go */
};

#define PROVISION_TOKEN_INIT \
	{ \
		.lock = -1 \
	}

/* Load the module and initialise it, under the token's lock. */
enum rc provision_load(
    const struct provision *o, struct provision_token *t, struct fault *f) MUST_CHECK;
/* Find the token and log in. */
enum rc provision_login(const struct provision *o, bool read_write, struct provision_token *t,
    struct fault *f) MUST_CHECK;
/* Both of them. */
enum rc provision_open(const struct provision *o, bool read_write, struct provision_token *t,
    struct fault *f) MUST_CHECK;
enum rc provision_keys(struct provision_token *t, struct fault *f) MUST_CHECK;
void provision_unlock(struct provision_token *t);
void provision_close(struct provision_token *t);

#define AUTO_TOKEN __attribute__((cleanup(provision_close))) struct provision_token

/* The URI's parts of the token that was found. */
struct token_uri provision_uri(const struct provision_token *t);

#endif
