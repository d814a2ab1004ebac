/*
 * What a div, div-o or rsp answers, one PASSporT a line, with every decision
 * that is taken of it: what is taken over matches, and nothing without a chain
 * is called verified.
 */
#include "stir/original.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

enum { NOW = 1800000000, LINES_MAX = 2 * ORIGINAL_MAX };

static size_t
split(struct span text, struct span token[LINES_MAX])
{
	size_t n = 0;

	while (text.len > 0 && n < LINES_MAX) {
		const uint8_t *end = memchr(text.ptr, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;

		token[n++] = span_cut(&text, len);
		if (text.len > 0)
			span_cut(&text, 1);
	}
	return n;
}

/* A div-o holds its original whole: what it took over has to match. */
static void
try_defaults(const struct originals *o, enum ppt ppt)
{
	json_auto_t *instead = NULL;
	struct fault f = { 0 };

	if (originals_defaults(o, ppt, &instead, &f) != RC_OK)
		abort();
	if ((json_object_get(instead, "opt") != NULL) != (ppt == PPT_DIV_O))
		abort();
}

static void
try_verify(const struct originals *o)
{
	static const enum original_check checks[] = { ORIGINAL_COMPARE, ORIGINAL_CACHED };

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		struct original_policy policy = {
			.check = checks[i], .now_s = NOW, .max_age_s = PASSPORT_DIVERTED_S
		};
		struct fault f = { 0 };
		size_t verified = 0;

		/* There is no anchor: nothing can lead to one. */
		if (originals_verify(o, &policy, &verified, &f) == RC_OK && verified > 0)
			abort();
		if (f.rc != RC_OK && reason_status(f.reason) != 403 && f.rc != RC_NO_MEMORY)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span token[LINES_MAX] = { { 0 } };
	size_t n = split(span_of(data, len), token);
	AUTO(originals) *o = NULL;
	struct fault f = { 0 };

	if (originals_read(token, n, &o, &f) != RC_OK) {
		if (reason_status(f.reason) / 100 != 4)
			abort();
		return 0;
	}
	if (originals_len(o) < n || originals_len(o) > ORIGINAL_MAX)
		abort();
	for (enum ppt ppt = 0; ppt < PPT__COUNT; ppt++)
		try_defaults(o, ppt);
	try_verify(o);
	return 0;
}
