/*
 * A spool as it lies on the disk.  What it is said to hold is in it, in its
 * order; and the octets in front of any cut hold a beginning of that.
 */
#include "agent/front/auditspool.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void
decode_again(struct span all, const struct auditspool_found *whole)
{
	struct auditspool_found part = AUDITSPOOL_NOTHING;

	if (auditspool_decode(all, &part) &&
	    (part.octets.len > whole->octets.len || part.base != whole->base ||
		(part.octets.len > 0 &&
		    memcmp(part.octets.ptr, whole->octets.ptr, part.octets.len) != 0)))
		abort();
	buf_free(&part.octets);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct auditspool_found found = AUDITSPOOL_NOTHING;

	if (auditspool_decode(span_of(data, len), &found)) {
		if (found.octets.len > len || found.base < 0 ||
		    memchr(found.name, '\0', sizeof found.name) == NULL)
			abort();
		decode_again(span_of(data, len - len / 3), &found);
	}
	buf_free(&found.octets);
	return 0;
}
