#include "agent/front/api_native.c" /* decode() is its own */
#include "tests/fuzz/asked.h"

enum rc
asked_native(struct span query, struct span body, struct asked *out, struct fault *f)
{
	struct http1_request http = asked_http(query, body);
	struct api_call call = { .http = &http };

	*out = (struct asked){ .sign = { .ppt = PPT_BASE } };
	out->sign.request_id = out->request_id;
	api_request_id((struct span){ 0 }, out->request_id);
	return decode(&call, &out->root, &out->sign, f);
}

void
asked_done(struct asked *a)
{
	json_decref(a->claims);
	json_decref(a->root);
	*a = (struct asked){ 0 };
}
