#include "stir/tlsread.h"

bool
tls_uint(struct span *in, unsigned octets, uint64_t *value)
{
	uint64_t v = 0;
	struct span part;

	if (in->len < octets)
		return false;
	part = span_cut(in, octets);
	for (unsigned i = 0; i < octets; i++)
		v = v << 8 | part.ptr[i];
	*value = v;
	return true;
}

bool
tls_vector(struct span *in, unsigned octets, struct span *out)
{
	uint64_t len = 0;

	if (!tls_uint(in, octets, &len) || len > in->len)
		return false;
	*out = span_cut(in, (size_t)len);
	return true;
}

void
tls_put_uint(struct buf *out, uint64_t value, unsigned octets)
{
	while (octets-- > 0)
		buf_byte(out, (uint8_t)(value >> (8 * octets)));
}

void
tls_put_vector(struct buf *out, struct span value, unsigned octets)
{
	tls_put_uint(out, value.len, octets);
	buf_span(out, value);
}
