/*
 * Problem documents of CAs and authorities, and refusals of the front: always
 * a fault, whose detail has no run of digits that is a telephone number.
 */
#include "agent/renewer/problem.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void
check_text(const char *text, size_t max)
{
	size_t digits = 0;

	if (memchr(text, 0, max) == NULL)
		abort();
	for (const char *p = text; *p != 0; p++) {
		digits = *p >= '0' && *p <= '9' ? digits + 1 : 0;
		if (*p < 0x20 || *p > 0x7e || digits > 6)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const long statuses[] = { 400, 403, 404, 408, 429, 500, 302 };
	json_auto_t *object =
	    json_loadb(len == 0 ? "" : (const char *)data, len, JSON_REJECT_DUPLICATES, NULL);
	char *text = calloc(1, len + 1), clean[PROBLEM_TEXT];
	struct fault f = { 0 };

	if (text == NULL)
		return 0;
	if (len > 0)
		memcpy(text, data, len);
	problem_text(clean, text);
	check_text(clean, sizeof clean);
	free(text);
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct fault g = { 0 };

		if (problem_of_answer(statuses[i], span_of(data, len), &g) == RC_OK)
			abort();
		check_text(g.detail, sizeof g.detail);
	}
	if (json_is_object(object) && problem_of_refusal(object, &f) == RC_OK)
		abort();
	return 0;
}
