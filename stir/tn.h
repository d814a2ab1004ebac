/*
 * Telephone numbers in canonical form (RFC 8224 section 8.3, RFC 8226
 * section 9): 1 to 15 characters of 0-9 * #, nothing guessed.
 */
#ifndef STIR_TN_H
#define STIR_TN_H

#include "stir/fault.h"
#include "stir/span.h"

enum { TN_MAX = 15 };

struct tn {
	uint8_t len;
	char text[TN_MAX + 1]; /* NUL-terminated */
};

/*
 * Canonicalise what a caller wrote: one optional leading "+", then digits, *
 * and #, with the separators - . ( ) and space dropped.  Anything else would
 * need guessing and is RC_INVALID invalid_tn.
 */
enum rc tn_canonical(struct span text, struct tn *out, struct fault *f) MUST_CHECK;

/* The strict form of a certificate or PASSporT: no separator at all. */
enum rc tn_exact(struct span text, struct tn *out, struct fault *f) MUST_CHECK;

/* True for digits only: these have an order and can stand in ranges. */
bool tn_is_digits(const struct tn *tn);

/*
 * A key that orders numbers by (length, value), so that a range is one
 * interval of keys.  A number with * or # has a key of its own outside
 * every range of digits.
 */
uint64_t tn_key(const struct tn *tn);
void tn_from_key(uint64_t key, struct tn *out);

/* The parts of a key: length, whether there is a * or #, value, and how many values exist. */
uint8_t tn_key_len(uint64_t key);
bool tn_key_is_special(uint64_t key);
uint64_t tn_key_value(uint64_t key);
uint64_t tn_key_values(uint64_t key);

/* For logs and details: "1202555****" (at least the last four hidden). */
struct tn_masked {
	char text[TN_MAX + 1];
};
struct tn_masked tn_mask(const struct tn *tn);

#endif
