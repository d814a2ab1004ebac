/* Claims as a caller sends them: what is prepared prepares again to the same text (V-22). */
#include "stir/jtext.h"
#include "stir/passport.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct passport_policy policy = {
		.now_s = 1700000000,
		.iat_past_s = 60,
		.iat_future_s = 5,
		.iat_diverted_s = PASSPORT_DIVERTED_S,
	};
	json_auto_t *claims = NULL;
	struct fault f = { 0 };

	if (jtext_read(span_of(data, len), &claims, &f) != RC_OK)
		return 0;
	for (int ppt = 0; ppt < PPT__COUNT; ppt++) {
		struct passport first = { 0 }, second = { 0 };
		struct fault g = { 0 };

		if (passport_prepare(claims, (enum ppt)ppt, &policy, &first, &g) != RC_OK)
			continue;
		if (passport_prepare(first.claims, (enum ppt)ppt, &policy, &second, &g) !=
			RC_OK ||
		    !json_equal(first.claims, second.claims))
			abort();
		passport_done(&first);
		passport_done(&second);
	}
	return 0;
}
