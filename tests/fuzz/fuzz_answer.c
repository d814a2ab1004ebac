/* HTTP answers as libvesper reads them: a longer read agrees with a shorter one. */
#include "client/http.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct http_answer whole = { 0 }, exact = { 0 };
	bool complete = false, again = false;
	struct fault f = { 0 };

	if (http_answer(span_of(data, len), &whole, &complete, &f) != RC_OK) {
		if (f.rc != RC_NET || complete)
			abort();
		return 0;
	}
	if (!complete)
		return 0;
	if (whole.len > len || whole.body.len > whole.len || whole.status < 200 ||
	    whole.status > 599)
		abort();
	if (http_answer(span_of(data, whole.len), &exact, &again, &f) != RC_OK || !again ||
	    exact.len != whole.len || !span_eq(exact.body, whole.body))
		abort();
	if (http_answer(span_of(data, whole.len - 1), &exact, &again, &f) == RC_OK && again)
		abort();
	return 0;
}
