/* Log lists, and the SCT list of a certificate (RFC 6962 s3.3). */
#include "stir/sct.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	AUTO(ctlogs) *logs = NULL;
	struct fault f = { 0 };

	if (ctlogs_read(span_of(data, len), &logs, &f) == RC_OK &&
	    ctlogs_len(logs) > SCT_MAX_LOGS)
		abort();
	return 0;
}
