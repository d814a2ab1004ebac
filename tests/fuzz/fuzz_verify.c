/* An Identity value or PASSporT through the verifier's steps, with and without a chain in it. */
#include "stir/verify.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct verify_input in = { .token = span_of(data, len), .at_s = 1795267000 };
	struct verify_result r = { .pass = false };
	struct fault f = { 0 };

	if (verify_passport(&in, &r, &f) != RC_OK)
		return 0;
	/* Without anchors the path is not judged: nothing may pass. */
	if (r.pass || r.step[VERIFY_PATH].verdict == VERDICT_PASS)
		abort();
	if (r.step[VERIFY_PARSE].verdict != VERDICT_PASS &&
	    r.step[VERIFY_SIGNATURE].verdict == VERDICT_PASS)
		abort();
	verify_done(&r);
	return 0;
}
