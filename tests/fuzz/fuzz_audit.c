/*
 * Lines of an audit file.  A chain that follows them goes on: the record that
 * is written next is one that another reader of the same lines takes.
 */
#include "agent/front/auditchain.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static bool
follow_all(struct auditchain *c, struct span text)
{
	struct fault f = { 0 };
	bool first = true;

	while (text.len > 0) {
		const uint8_t *end = memchr(text.ptr, '\n', text.len);
		struct span line =
		    span_cut(&text, end == NULL ? text.len : (size_t)(end - text.ptr));

		if (end != NULL)
			span_cut(&text, 1);
		if (auditchain_follow(c, line, first, &f) != RC_OK)
			return false;
		first = false;
	}
	return !first;
}

static void
go_on(struct auditchain *writer, struct auditchain *reader)
{
	const struct auditrecord record = {
		.stamp = span_str("\"time\":\"2026-01-02T03:04:05.678Z\",\"event\":\"sign\""),
		.tenant = span_str("\"acme\""),
		.cause = span_str("\"request_id\":null,\"reason\":null"),
	};
	AUTO_BUF line = BUF_INIT(1 << 20);
	struct auditmark ours, theirs;
	struct fault f = { 0 };

	if (auditchain_render(writer, &record, &line, &f) != RC_OK)
		return;
	if (auditchain_follow(reader, span_of(line.ptr, line.len - 1), false, &f) != RC_OK)
		abort();
	ours = auditchain_mark(writer);
	theirs = auditchain_mark(reader);
	if (ours.seq != theirs.seq || strcmp(ours.prev, theirs.prev) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	AUTO(auditchain) *writer = NULL, *reader = NULL;
	struct fault f = { 0 };

	if (auditchain_new(&writer, &f) != RC_OK || auditchain_new(&reader, &f) != RC_OK)
		return 0;
	if (!follow_all(writer, span_of(data, len)))
		return 0;
	if (!follow_all(reader, span_of(data, len)))
		abort();
	go_on(writer, reader);
	return 0;
}
