/*
 * A strict DER reader and a small writer on spans (X.690 section 10): definite
 * lengths in their shortest form, low tag numbers only.
 */
#ifndef STIR_DER_H
#define STIR_DER_H

#include "stir/buf.h"

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_UTF8_STRING = 0x0c,
	DER_IA5_STRING = 0x16,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
};
#define DER_CONTEXT(n) ((uint8_t)(0xa0 | (n))) /* [n] EXPLICIT: constructed */

/* The tag of the next element, or -1 at the end. */
int der_peek(struct span in);

/* Cut one element off in: its tag and contents.  RC_INVALID "der_length", "der_tag". */
enum rc der_next(
    struct span *in, uint8_t *tag, struct span *contents, struct fault *f) MUST_CHECK;

/* The same where only one tag will do. */
enum rc der_expect(
    struct span *in, uint8_t tag, struct span *contents, struct fault *f) MUST_CHECK;

/* An INTEGER of 0 … INT64_MAX in its shortest form. */
enum rc der_uint(struct span *in, uint64_t *value, struct fault *f) MUST_CHECK;

/* RC_INVALID "der_trailing" unless nothing is left. */
enum rc der_end(struct span in, struct fault *f) MUST_CHECK;

void der_put(struct buf *out, uint8_t tag, struct span contents);
void der_put_uint(struct buf *out, uint64_t value);

#endif
