/* What a log answers to get-entries, and the leaf of one entry (RFC 6962 s3.4, s4.6). */
#include "stir/ctentry.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static void
read_leaf(struct span leaf)
{
	struct ctentry e = { .time_ms = 0 };
	AUTO(cert) *cert = NULL;

	if (ctentry_decode(leaf, &e, NULL) != RC_OK)
		return;
	if (e.body.len == 0 || e.body.len > leaf.len)
		abort();
	(void)ctentry_names_tnauth(&e);
	if (ctentry_cert(&e, true, &cert, NULL) == RC_OK && cert->der_len == 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ctentry_list l = { .len = 0 };

	read_leaf(span_of(data, len));
	if (ctentry_read(span_of(data, len), CTENTRY_PAGE, &l, NULL) != RC_OK)
		return 0;
	for (size_t i = 0; i < l.len; i++)
		read_leaf(ctentry_leaf(&l, i));
	ctentry_done(&l);
	return 0;
}
