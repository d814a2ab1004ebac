/* Compact JWS and authority tokens (RFC 7515 s3). */
#include "stir/authtoken.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct jws_parts parts = { 0 };
	AUTO(authtoken) *token = NULL;
	struct fault f = { 0 }, g = { 0 };

	if (jws_split(span_of(data, len), &parts, &f) == RC_OK)
		jws_done(&parts);
	if (authtoken_decode(span_of(data, len), &token, &g) == RC_OK && f.rc != RC_OK)
		abort();
	return 0;
}
