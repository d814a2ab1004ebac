/*
 * POST …/v1/signing.  No claim of the body is dropped in silence, and every
 * refusal is a document of the interface.
 */
#include "agent/front/api_atis.c" /* decode() is its own */
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
	write_refused(&out, f, "0123456789abcdef");
	if (buf_check(&out, NULL) != RC_OK ||
	    jtext_read(buf_view(&out), &written, &g) != RC_OK ||
	    !json_is_object(json_object_get(written, "requestError")))
		abort();
}

static void
check_taken(const struct atis_request *a)
{
	const json_t *body = json_object_get(a->root, "signingRequest");

	for (size_t i = 0; i < ARRAY_LEN(claim_names); i++) {
		const json_t *asked = json_object_get(body, claim_names[i]);

		if (asked != json_object_get(a->sign.claims, claim_names[i]))
			abort();
	}
	if (a->sign.ppt == PPT_BASE)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct http1_request http = { .method = HTTP1_POST,
		.content_type = span_str("application/json"),
		.body = span_of(data, len) };
	struct api_call call = { .http = &http };
	struct atis_request a = { .sign = { .needs_identity = true } };
	struct fault f = { 0 };

	if (decode(&call, &a, &f) != RC_OK)
		check_refusal(&f);
	else
		check_taken(&a);
	if (memchr(call.request_id, 0, sizeof call.request_id) == NULL)
		abort();
	json_decref(a.claims);
	json_decref(a.root);
	return 0;
}
