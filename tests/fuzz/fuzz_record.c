/* The renewer's records and the rows of the front's plan. */
#include "agent/renewer/plan.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static void
read_record(struct span text)
{
	AUTO_BUF once = BUF_INIT(1 << 20), twice = BUF_INIT(1 << 20);
	struct record r = { 0 }, again = { 0 };
	struct fault f = { 0 };

	record_init(&r, "acme", "main");
	record_init(&again, "acme", "main");
	if (record_read(&r, text, &f) == RC_OK && record_write(&once, &r, &f) == RC_OK) {
		if (record_read(&again, buf_view(&once), &f) != RC_OK ||
		    record_write(&twice, &again, &f) != RC_OK ||
		    !span_eq(buf_view(&once), buf_view(&twice)))
			abort();
	}
	record_done(&again);
	record_done(&r);
}

static void
read_plan(struct span text)
{
	json_auto_t *row =
	    json_loadb(text.len == 0 ? "" : (const char *)text.ptr, text.len, 0, NULL);
	struct plan plan = { 0 };
	struct fault f = { 0 };

	if (row == NULL)
		return;
	if (plan_read(row, &plan, &f) == RC_OK &&
	    (plan.tenant[0] == 0 || plan.name[0] == 0 || plan.tnauthlist == NULL ||
		plan_order(&plan, &plan) != 0))
		abort();
	plan_done(&plan);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	read_record(span_of(data, len));
	read_plan(span_of(data, len));
	return 0;
}
