/* TNAuthList: what decodes encodes to the same octets. */
#include "stir/tnauth.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	AUTO(tnauth) *list = NULL;
	AUTO_BUF out = BUF_INIT(1 << 20);
	struct tnauth_entry *entries;
	struct fault f = { 0 };
	size_t n;

	if (tnauth_decode(span_of(data, len), true, &list, &f) != RC_OK)
		return 0;
	n = tnauth_len(list);
	entries = calloc(n, sizeof *entries);
	if (entries == NULL)
		return 0;
	for (size_t i = 0; i < n; i++)
		entries[i] = *tnauth_at(list, i);
	/* A range may carry further components (D-04), which are not written back. */
	if (tnauth_encode(&out, entries, n, &f) != RC_OK || out.len > len)
		abort();
	free(entries);
	return 0;
}
