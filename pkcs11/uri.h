/*
 * PKCS#11 URIs (RFC 7512) that name a token, and with it the module and where
 * its PIN is.  They come from an operator's command line, where a PIN would be
 * seen by everybody: one in a URI is refused, and so is every attribute that
 * would be ignored otherwise.
 */
#ifndef PKCS11_URI_H
#define PKCS11_URI_H

#include "stir/fault.h"
#include "stir/span.h"

enum { URI_PATH_MAX = 1024, URI_TEXT_MAX = 1024 };

/* As CK_TOKEN_INFO has them, without the padding. */
struct token_uri {
	char label[33], serial[17], manufacturer[33], model[17]; /* "": any */
	char module[URI_PATH_MAX];				 /* "": not said */
	char pin[URI_PATH_MAX];					 /* "file:PATH"; "": not said */
};

/* RC_INVALID "uri". */
enum rc token_uri_parse(const char *text, struct token_uri *out, struct fault *f) MUST_CHECK;

/* The URI of a token by its label, serial, manufacturer and model. */
enum rc token_uri_format(
    const struct token_uri *t, char out[URI_TEXT_MAX], struct fault *f) MUST_CHECK;

/* The URI of a private key of that token; an empty label is left out. */
enum rc key_uri_format(const struct token_uri *t, struct span id, struct span label,
    char out[URI_TEXT_MAX], struct fault *f) MUST_CHECK;

#endif
