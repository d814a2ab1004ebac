/*
 * The integers and vectors of TLS's presentation language (RFC 5246 section
 * 4), in which the logs of RFC 6962 write.  Pure.
 */
#ifndef STIR_TLSREAD_H
#define STIR_TLSREAD_H

#include "stir/buf.h"

/* Cut one off in; false where it is not there whole, and *in is then of no use. */
bool tls_uint(struct span *in, unsigned octets, uint64_t *value);
bool tls_vector(struct span *in, unsigned octets, struct span *out); /* of its length */

/* Append. */
void tls_put_uint(struct buf *out, uint64_t value, unsigned octets);
void tls_put_vector(struct buf *out, struct span value, unsigned octets);

#endif
