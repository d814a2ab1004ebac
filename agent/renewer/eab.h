/*
 * External account binding (RFC 8555 section 7.3.4): the CA's MAC key vouches
 * for the public account key.  HS256 only.  Pure.
 */
#ifndef AGENT_RENEWER_EAB_H
#define AGENT_RENEWER_EAB_H

#include "stir/buf.h"

#include <jansson.h>

/*
 * key_b64 is the MAC key in base64url as CAs hand it out (padding is
 * forgiven).  *out: flattened JWS over the deterministic text of jwk, new
 * reference.  RC_INVALID eab_key.
 */
enum rc eab_make(const char *kid, struct span key_b64, const char *url, const json_t *jwk,
    json_t **out, struct fault *f) MUST_CHECK;

#endif
