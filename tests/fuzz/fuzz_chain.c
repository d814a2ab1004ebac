/* PEM chains and every certificate in them (RFC 5280 s6). */
#include "stir/chain.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	AUTO(chain) *chain = NULL;
	AUTO_BUF pem = BUF_INIT(1 << 22);
	struct fault f = { 0 };

	if (chain_read_pem(span_of(data, len), false, &chain, &f) != RC_OK)
		return 0;
	if (chain_write_pem(&pem, chain, &f) != RC_OK)
		abort();
	return 0;
}
