/*
 * What an operator does to a token: see what is there, make a new one, set its
 * PINs, store a certificate, bring a key, try it, measure it.  Runs in
 * short-lived processes of its own and never signs for a caller.
 *
 * What lists and changes tokens goes through libp11; what logs in as the agent
 * does, to see what the agent would see, through the agent's own code.
 */
#ifndef PKCS11_PROVISION_H
#define PKCS11_PROVISION_H

#include "pkcs11/pin.h"
#include "pkcs11/uri.h"
#include "stir/buf.h"

#include <stdio.h>
#include <sys/types.h>

enum {
	PROVISION_MAX_FILE = 65536,
	PROVISION_MAX_THREADS = 64,
	PROVISION_MAX_SECONDS = 600,
};

/* Given by reference, or typed; read before the process gives up its user. */
struct provision_pin {
	const char *ref; /* NULL or "ask": at the terminal */
	struct pin pin;
};

struct provision {
	const char *module;
	uid_t starter; /* may own the module, besides root */
	struct token_uri token;
	struct provision_pin pin, so_pin, new_pin;
	const char *lock_file, *state_dir; /* NULL: none */
	const char *file_name;		   /* --cert or --key */
	const char *key_id;		   /* hex: the only key that is imported; NULL: any */
	struct buf file;
	const char *uses_name; /* --uses; NULL: none */
	struct buf uses;       /* provision_uses.h */
	uint32_t threads, seconds;
	bool json, read_write;
	bool
	    so; /* set-pin: the security officer's own; with so_pin alone: the user's, by him */
};

/* How a PIN was given. */
bool provision_typed(const struct provision_pin *p);

typedef enum rc provision_fn(struct provision *o, FILE *out, struct fault *f) MUST_CHECK;

/* The tokens of the module: label, serial, manufacturer, model, flags, URI. */
provision_fn provision_list;

/*
 * The private keys of one token with what decides whether the agent uses them,
 * whose they are, and what the agent says that each is for.
 */
provision_fn provision_objects;

/*
 * Initialise the first free slot as a token of this label, with both PINs.
 * RC_CONFLICT "token_exists" when there is one already: none is ever erased.
 */
provision_fn provision_init;

/*
 * Another PIN: the user's by himself or by the security officer, who so also
 * unlocks it, or the security officer's own.  RC_DENIED "pin_refused".
 */
provision_fn provision_set_pin;

/*
 * Store the first certificate of the file beside its private key, under the
 * same CKA_ID; nothing is done when it is there.  RC_NOT_FOUND "no_key".
 */
provision_fn provision_store_cert;

/*
 * Bring a P-256 key of a PEM file into the token, where it cannot be read
 * again; labelled "vesper-imported-…".  Nothing is done when it is there.
 * RC_INVALID "key_file"; RC_HSM "import" when the token takes no keys.
 */
provision_fn provision_import;

/*
 * Everything that the agent does with a token, once, a line each: load, log
 * in, mechanisms, keys, sessions, make a key, sign, destroy it.
 */
provision_fn provision_test;

/* C_Sign as the signers call it, threads times for seconds; what it takes. */
provision_fn provision_bench;

#endif
