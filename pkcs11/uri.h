/*
 * PKCS#11 URIs (RFC 7512) that name a token.  They come from an operator's
 * command line, where a PIN would be seen by everybody: one in a URI is
 * refused, and so is every attribute that would be ignored otherwise.
 */
#ifndef PKCS11_URI_H
#define PKCS11_URI_H

#include "stir/fault.h"

struct token_uri {
	char label[33], serial[17]; /* "": any */
};

/* RC_INVALID "uri". */
enum rc token_uri_parse(const char *text, struct token_uri *out, struct fault *f) MUST_CHECK;

#endif
