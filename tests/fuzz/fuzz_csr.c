/* Certificate requests (RFC 2986 s4). */
#include "stir/csr.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct csr_facts facts = { 0 };
	struct fault f = { 0 };

	if (csr_decode(span_of(data, len), &facts, &f) == RC_OK)
		csr_done(&facts);
	return 0;
}
