#include "agent/front/api_calls.c" /* decode() is its own */
#include "tests/fuzz/asked.h"

enum rc
asked_calls(struct span query, struct span body, struct asked_call *out, struct fault *f)
{
	struct http1_request http = asked_http(query, body);
	struct api_call call = { .http = &http };
	struct calls k = { .len = 0 };
	enum rc rc = decode(&call, &k, f);

	*out = (struct asked_call){ .root = k.root, .merged = k.merged, .len = k.len };
	memcpy(out->sign, k.request, sizeof out->sign);
	for (size_t i = 0; i < out->len; i++)
		out->sign[i].request_id = out->request_id;
	api_request_id((struct span){ 0 }, out->request_id);
	return rc;
}

void
asked_call_done(struct asked_call *a)
{
	json_decref(a->merged);
	json_decref(a->root);
	*a = (struct asked_call){ 0 };
}
