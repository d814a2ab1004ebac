/*
 * POST /v1/passports: the query up to the first newline, then the body.  What
 * is taken has claims; what is refused has a reason of the protocol.
 */
#include "agent/front/api_native.c" /* decode() is its own */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static void
check_refusal(const struct fault *f)
{
	AUTO_BUF out = BUF_INIT(1 << 16);
	json_auto_t *written = NULL;
	struct fault g = { 0 };

	if (reason_status(f->reason) / 100 != 4)
		abort();
	problem_write(&out, f, "0123456789abcdef");
	if (buf_check(&out, NULL) != RC_OK || jtext_read(buf_view(&out), &written, &g) != RC_OK)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span rest = span_of(data, len);
	const uint8_t *end = len == 0 ? NULL : memchr(data, '\n', len);
	struct http1_request http = { .method = HTTP1_POST,
		.content_type = span_str("application/json") };
	struct api_call call = { .http = &http };
	struct sign_request r = { .request_id = call.request_id };
	json_auto_t *root = NULL;
	struct fault f = { 0 };

	if (end != NULL) {
		http.query = span_cut(&rest, (size_t)(end - data));
		span_cut(&rest, 1);
	}
	http.body = rest;
	if (decode(&call, &root, &r, &f) != RC_OK)
		check_refusal(&f);
	else if (!json_is_object(r.claims) || (int)r.ppt < 0 || r.ppt >= PPT__COUNT)
		abort();
	return 0;
}
