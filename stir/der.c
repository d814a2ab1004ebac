#include "stir/der.h"

int
der_peek(struct span in)
{
	return in.len == 0 ? -1 : in.ptr[0];
}

/* Read a definite length in its shortest form (X.690 section 10.1). */
static enum rc
read_length(struct span *in, size_t *len, struct fault *f)
{
	size_t octets, value = 0;
	uint8_t first;

	if (in->len == 0)
		return FAULT(f, RC_INVALID, "der_length", "no length octet");
	first = *span_cut(in, 1).ptr;
	if (first < 0x80) {
		*len = first;
		return RC_OK;
	}
	octets = first & 0x7f;
	if (octets == 0 || octets > 4 || octets > in->len)
		return FAULT(f, RC_INVALID, "der_length", "length of %zu octets", octets);
	for (size_t i = 0; i < octets; i++)
		value = value << 8 | in->ptr[i];
	if (in->ptr[0] == 0 || value < 0x80)
		return FAULT(f, RC_INVALID, "der_length", "length not in its shortest form");
	span_cut(in, octets);
	*len = value;
	return RC_OK;
}

enum rc
der_next(struct span *in, uint8_t *tag, struct span *contents, struct fault *f)
{
	struct span rest = *in;
	size_t len = 0;

	if (rest.len == 0)
		return FAULT(f, RC_INVALID, "der_tag", "element missing");
	*tag = *span_cut(&rest, 1).ptr;
	if ((*tag & 0x1f) == 0x1f)
		return FAULT(f, RC_INVALID, "der_tag", "high tag number");
	TRY(read_length(&rest, &len, f));
	if (len > rest.len)
		return FAULT(f, RC_INVALID, "der_length", "%zu bytes announced, %zu there", len,
		    rest.len);
	*contents = span_cut(&rest, len);
	*in = rest;
	return RC_OK;
}

enum rc
der_expect(struct span *in, uint8_t tag, struct span *contents, struct fault *f)
{
	struct span rest = *in, found = { 0 };
	uint8_t got = 0;

	TRY(der_next(&rest, &got, &found, f));
	if (got != tag)
		return FAULT(
		    f, RC_INVALID, "der_tag", "tag 0x%02x where 0x%02x is due", got, tag);
	*contents = found;
	*in = rest;
	return RC_OK;
}

enum rc
der_uint(struct span *in, uint64_t *value, struct fault *f)
{
	struct span n = { 0 };
	uint64_t v = 0;

	TRY(der_expect(in, DER_INTEGER, &n, f));
	if (n.len == 0 || n.len > 8)
		return FAULT(f, RC_INVALID, "der_integer", "INTEGER of %zu octets", n.len);
	if ((n.ptr[0] & 0x80) != 0)
		return FAULT(f, RC_INVALID, "der_integer", "negative INTEGER");
	if (n.len > 1 && n.ptr[0] == 0 && (n.ptr[1] & 0x80) == 0)
		return FAULT(f, RC_INVALID, "der_integer", "INTEGER not in its shortest form");
	for (size_t i = 0; i < n.len; i++)
		v = v << 8 | n.ptr[i];
	*value = v;
	return RC_OK;
}

enum rc
der_end(struct span in, struct fault *f)
{
	if (in.len != 0)
		return FAULT(f, RC_INVALID, "der_trailing", "%zu bytes too many", in.len);
	return RC_OK;
}

void
der_put(struct buf *out, uint8_t tag, struct span contents)
{
	uint8_t head[6] = { tag };
	size_t n = 1, len = contents.len;

	if (len < 0x80) {
		head[n++] = (uint8_t)len;
	} else {
		uint8_t octets = len < 0x100 ? 1 : len < 0x10000 ? 2 : len < 0x1000000 ? 3 : 4;

		head[n++] = (uint8_t)(0x80 | octets);
		for (uint8_t i = octets; i > 0; i--)
			head[n++] = (uint8_t)(len >> (8 * (i - 1)));
	}
	buf_put(out, head, n);
	buf_span(out, contents);
}

void
der_put_uint(struct buf *out, uint64_t value)
{
	uint8_t octets[9];
	size_t n = sizeof octets;

	do {
		octets[--n] = (uint8_t)value;
		value >>= 8;
	} while (value != 0);
	if ((octets[n] & 0x80) != 0)
		octets[--n] = 0; /* a positive number needs a clear sign bit */
	der_put(out, DER_INTEGER, span_of(octets + n, sizeof octets - n));
}
