/*
 * TNAuthList: what decodes encodes to the same octets, and its numbers are
 * those of a list by reference with the same octets, which is refused where
 * this is for anything but its length.
 */
#include "stir/tnauth.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void
by_reference(struct span der, const struct tnauth *list, const char *reason)
{
	AUTO(tnset) *numbers = NULL;
	struct fault f = { 0 };
	enum rc rc = tnauth_decode_numbers(der, true, &numbers, &f);

	if (list == NULL) {
		if (rc == RC_OK && strcmp(reason, "tnauth_limit") != 0)
			abort();
		return;
	}
	if (rc != RC_OK || tnset_len(numbers) != tnset_len(tnauth_numbers(list)))
		abort();
	for (size_t i = 0; i < tnset_len(numbers); i++) {
		struct tn_interval a = tnset_at(numbers, i);
		struct tn_interval b = tnset_at(tnauth_numbers(list), i);

		if (a.lo != b.lo || a.hi != b.hi)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	AUTO(tnauth) *list = NULL;
	AUTO_BUF out = BUF_INIT(1 << 20);
	struct tnauth_entry *entries;
	struct fault f = { 0 };
	enum rc rc = tnauth_decode(span_of(data, len), true, &list, &f);
	size_t n;

	by_reference(span_of(data, len), list, f.reason);
	if (rc != RC_OK)
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
