/*
 * Base64 and base64url (RFC 4648 sections 4 and 5), strict: no white space,
 * no junk, and the unused bits of the last character must be zero, so that
 * one value has one spelling.
 */
#ifndef STIR_B64_H
#define STIR_B64_H

#include "stir/buf.h"

enum b64_form {
	B64_URL,      /* "-_", no padding */
	B64_STD,      /* "+/", padded */
	B64_STD_BARE, /* "+/", no padding */
};

/* Append the text of in. */
void b64_encode(struct buf *out, enum b64_form form, struct span in);

/*
 * The same to where there is room for it.  in may overlap it when both end at
 * the same octet: each group is read before it is written over.
 */
void b64_encode_to(uint8_t *p, enum b64_form form, struct span in);

/* Put the text of what out holds from offset at on in its place. */
void b64_encode_from(struct buf *out, enum b64_form form, size_t at);

/* Append the bytes of the text in; RC_INVALID "base64" where it is not of that form. */
enum rc b64_decode(
    struct buf *out, enum b64_form form, struct span in, struct fault *f) MUST_CHECK;

/* Exact lengths. */
size_t b64_encoded_len(enum b64_form form, size_t len);

#endif
