/*
 * What an operator does to a token: see what is there, make a new one.  Runs
 * in short-lived processes of its own, through libp11, and never signs.
 */
#ifndef PKCS11_PROVISION_H
#define PKCS11_PROVISION_H

#include "pkcs11/uri.h"

#include <stdbool.h>
#include <stdio.h>

struct provision_options {
	const char *module;
	struct token_uri token;		   /* "": any */
	const char *pin, *so_pin;	   /* references */
	const char *lock_file, *state_dir; /* NULL: none */
	bool json;
};

/* The tokens of the module: label, serial, manufacturer, flags. */
enum rc provision_list(
    const struct provision_options *o, FILE *out, struct fault *f) MUST_CHECK;

/* The private keys of one token with what decides whether the agent uses them. */
enum rc provision_objects(
    const struct provision_options *o, FILE *out, struct fault *f) MUST_CHECK;

/*
 * Initialise the first free slot as a token of this label, with both PINs.
 * RC_CONFLICT "token_exists" when there is one already: none is ever erased.
 */
enum rc provision_init(
    const struct provision_options *o, FILE *out, struct fault *f) MUST_CHECK;

#endif
