/*
 * Claim constraints in both forms: decode, check, encode, compare with themselves.
 * RFC 8226 s8
 */
#include "stir/constraints.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct constraints_policy policy = { 0 };

	for (int form = CONSTRAINTS_JWT; form <= CONSTRAINTS_ENHANCED; form++) {
		AUTO(constraints) *c = NULL;
		AUTO_BUF out = BUF_INIT(1 << 20);
		struct fault f = { 0 }, g = { 0 };

		if (constraints_decode(
			span_of(data, len), (enum constraints_form)form, &c, &f) != RC_OK)
			continue;
		if (constraints_encode(&out, c, &f) != RC_OK ||
		    !span_eq(buf_view(&out), span_of(data, len)))
			abort();
		if (constraints_check(c, &policy, &g) == RC_OK &&
		    constraints_within(c, c, &g) != RC_OK)
			abort();
	}
	return 0;
}
