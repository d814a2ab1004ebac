/* The Identity header field value. */
#include "stir/identity.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct identity id;
	struct fault f = { 0 };

	if (identity_parse(span_of(data, len), &id, &f) == RC_OK && id.passport.len > len)
		abort();
	return 0;
}
