/*
 * HTTP requests.  What a shorter read refused, a longer one refuses too, and
 * what it took for a request stays that request: nobody is made to see two
 * requests where there is one.
 */
#include "agent/front/http1.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

struct outcome {
	enum rc rc;
	enum http1_state state;
	struct http1_request request;
};

static struct outcome
read_one(struct span in)
{
	struct outcome o = { .state = HTTP1_NEED_HEAD };
	struct fault f = { 0 };

	o.rc = http1_read(in, &o.request, &o.state, &f);
	if (o.rc != RC_OK && reason_status(f.reason) == 500)
		abort();
	if (o.rc == RC_OK && o.state == HTTP1_COMPLETE &&
	    (o.request.total > in.len || o.request.total < o.request.head_len ||
		o.request.body.len != o.request.total - o.request.head_len))
		abort();
	return o;
}

static void
compare(const struct outcome *part, const struct outcome *whole)
{
	if (part->rc != RC_OK && whole->rc == RC_OK)
		abort();
	if (part->rc != RC_OK || part->state != HTTP1_COMPLETE)
		return;
	if (whole->rc != RC_OK || whole->state != HTTP1_COMPLETE ||
	    whole->request.total != part->request.total ||
	    !span_eq(whole->request.path, part->request.path) ||
	    !span_eq(whole->request.body, part->request.body))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum { CUTS = 16 };
	struct outcome whole = read_one(span_of(data, len));

	for (size_t i = 1; i < CUTS; i++) {
		struct outcome part = read_one(span_of(data, len * i / CUTS));

		compare(&part, &whole);
	}
	if (whole.rc == RC_OK && whole.state == HTTP1_COMPLETE) {
		struct outcome exact = read_one(span_of(data, whole.request.total));
		struct outcome less = read_one(span_of(data, whole.request.total - 1));

		compare(&exact, &whole);
		if (exact.rc != RC_OK || exact.state != HTTP1_COMPLETE || less.rc != RC_OK ||
		    less.state == HTTP1_COMPLETE)
			abort();
	}
	(void)http1_accepts(span_of(data, len), "application/json");
	(void)http1_is_type(span_of(data, len), "application/json");
	return 0;
}
