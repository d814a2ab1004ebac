#include "agent/front/api_atis.c" /* decode() is its own */
#include "tests/fuzz/asked.h"

enum rc
asked_atis(struct span body, struct asked *out, struct fault *f)
{
	struct http1_request http = asked_http((struct span){ 0 }, body);
	struct api_call call = { .http = &http };
	struct atis_request a = { .sign = { .needs_identity = true } };
	enum rc rc = decode(&call, &a, f);

	*out = (struct asked){ .sign = a.sign, .root = a.root, .claims = a.claims };
	memcpy(out->request_id, call.request_id, sizeof out->request_id);
	out->sign.request_id = out->request_id;
	return rc;
}
