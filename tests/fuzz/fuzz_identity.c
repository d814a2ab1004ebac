/* The Identity header field value; what is compact is rebuilt, and is whole then. */
#include "stir/compact.h"
#include "stir/identity.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static void
rebuild(struct span text)
{
	static const char *const dest[] = { "12125550111" };
	const struct compact with = { "12025550100", dest, 1, 1700000000,
		"https://a.example/c" };
	AUTO_BUF full = BUF_INIT(1 << 20);
	struct identity id = { 0 };
	struct fault f = { 0 };

	if (compact_expand(&full, text, &with, &f) != RC_OK)
		return;
	if (identity_parse(buf_view(&full), &id, &f) != RC_OK || id.compact)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct identity id;
	struct fault f = { 0 };

	if (identity_parse(span_of(data, len), &id, &f) == RC_OK && id.passport.len > len)
		abort();
	rebuild(span_of(data, len));
	return 0;
}
