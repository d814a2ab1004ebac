/*
 * A list of transparency logs as its publisher signs it: the JSON text of
 * ctlogs.h with its log_list_timestamp, and a detached signature over all its
 * octets, ECDSA (DER) with P-256 or RSA (PKCS #1 v1.5) from 2048 bits, with
 * SHA-256, as browsers' lists have it.
 *
 * Pure; when it is too old is said by who asks.
 */
#ifndef STIR_LOGLIST_H
#define STIR_LOGLIST_H

#include "stir/ctlogs.h"

enum {
	LOGLIST_MAX_BYTES = 1048576,
	LOGLIST_SIGNATURE_MAX = 1024,
	LOGLIST_KEY_MAX = 16384, /* octets of PEM */
};

/* The publisher's public key, in PEM.  RC_INVALID list_key. */
enum rc loglist_key(struct span pem, EVP_PKEY **out, struct fault *f) MUST_CHECK;

/*
 * Verify, then read: RC_DENIED list_signature; RC_INVALID list_time without a
 * log_list_timestamp, list_empty without a usable log, and what ctlogs_read() says.
 */
enum rc loglist_read(struct span json, struct span signature, EVP_PKEY *key,
    struct ctlogs **out, struct fault *f) MUST_CHECK;

#endif
