/*
 * Hex text as bytes, and the two mutations that every decoder must withstand.
 */
#ifndef TESTS_UNIT_MUTATE_H
#define TESTS_UNIT_MUTATE_H

#include <stdlib.h>

#include "stir/span.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

static inline unsigned
hex_digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* The bytes of hex text; blanks are skipped. */
static inline struct span
unhex(const char *hex, uint8_t *room, size_t max)
{
	size_t n = 0;

	for (; *hex != '\0'; hex++) {
		if (*hex == ' ')
			continue;
		assert_true(n < max && hex[1] != '\0');
		room[n++] = (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
		hex++;
	}
	return span_of(room, n);
}

/* Does the decoder take it?  It must not crash and must leave nothing behind. */
typedef bool accepts(struct span bytes);

/*
 * A copy without a byte to spare, so that a sanitizer sees a read beyond the
 * end.  malloc(0) may be NULL, which a span allows.
 */
static inline bool
accepts_copy(accepts *decoder, struct span bytes)
{
	uint8_t *copy = malloc(bytes.len);
	bool yes;

	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	yes = decoder(span_of(copy, bytes.len));
	free(copy);
	return yes;
}

static inline void
no_prefix_is_taken(accepts *decoder, struct span whole)
{
	assert_true(accepts_copy(decoder, whole));
	for (size_t n = 0; n < whole.len; n++)
		assert_false(accepts_copy(decoder, span_of(whole.ptr, n)));
}

/* Every one-bit change is decoded or refused, never worse; the count that is taken is told. */
static inline size_t
survives_bit_flips(accepts *decoder, struct span whole)
{
	uint8_t *copy = malloc(whole.len);
	size_t taken = 0;

	memcpy(copy, whole.ptr, whole.len);
	for (size_t bit = 0; bit < whole.len * 8; bit++) {
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		taken += accepts_copy(decoder, span_of(copy, whole.len)) ? 1 : 0;
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	free(copy);
	return taken;
}

#endif
