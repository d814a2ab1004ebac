#include "stir/b64.h"

static const char std_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t
b64_encoded_len(enum b64_form form, size_t len)
{
	if (form == B64_STD)
		return (len + 2) / 3 * 4;
	return len / 3 * 4 + (len % 3 == 0 ? 0 : len % 3 + 1);
}

void
b64_encode_to(uint8_t *p, enum b64_form form, struct span in)
{
	const char *alphabet = form == B64_URL ? url_alphabet : std_alphabet;
	size_t len = b64_encoded_len(form, in.len), i, n = 0;

	for (i = 0; i + 3 <= in.len; i += 3) {
		uint32_t v =
		    (uint32_t)in.ptr[i] << 16 | (uint32_t)in.ptr[i + 1] << 8 | in.ptr[i + 2];

		p[n++] = (uint8_t)alphabet[v >> 18];
		p[n++] = (uint8_t)alphabet[v >> 12 & 63];
		p[n++] = (uint8_t)alphabet[v >> 6 & 63];
		p[n++] = (uint8_t)alphabet[v & 63];
	}
	if (in.len - i > 0) {
		bool two = in.len - i == 2;
		uint32_t v =
		    (uint32_t)in.ptr[i] << 16 | (two ? (uint32_t)in.ptr[i + 1] << 8 : 0);

		p[n++] = (uint8_t)alphabet[v >> 18];
		p[n++] = (uint8_t)alphabet[v >> 12 & 63];
		if (two)
			p[n++] = (uint8_t)alphabet[v >> 6 & 63];
		while (n < len)
			p[n++] = '=';
	}
}

void
b64_encode(struct buf *out, enum b64_form form, struct span in)
{
	size_t len = b64_encoded_len(form, in.len);
	uint8_t *p = len == 0 ? NULL : buf_room(out, len);

	if (p == NULL)
		return;
	b64_encode_to(p, form, in);
	buf_grew(out, len);
}

void
b64_encode_from(struct buf *out, enum b64_form form, size_t at)
{
	size_t bare = out->len - at, len = b64_encoded_len(form, bare);

	if (bare == 0 || buf_room(out, len - bare) == NULL)
		return;
	memmove(out->ptr + at + len - bare, out->ptr + at, bare);
	b64_encode_to(out->ptr + at, form, span_of(out->ptr + at + len - bare, bare));
	buf_grew(out, len - bare);
}

static int
value_of(enum b64_form form, uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (form == B64_URL ? '-' : '+'))
		return 62;
	if (c == (form == B64_URL ? '_' : '/'))
		return 63;
	return -1;
}

/* Take the padding off; its presence must fit the form. */
static enum rc
strip_padding(enum b64_form form, struct span *in, struct fault *f)
{
	size_t pad = 0;

	if (form != B64_STD)
		return RC_OK;
	if (in->len % 4 != 0)
		return FAULT(f, RC_INVALID, "base64", "padding is missing");
	while (pad < 2 && in->len > 0 && in->ptr[in->len - 1] == '=') {
		in->len--;
		pad++;
	}
	return RC_OK;
}

enum rc
b64_decode(struct buf *out, enum b64_form form, struct span in, struct fault *f)
{
	uint32_t acc = 0;
	unsigned bits = 0;
	uint8_t *p;
	size_t n = 0;

	TRY(strip_padding(form, &in, f));
	if (in.len % 4 == 1)
		return FAULT(f, RC_INVALID, "base64", "impossible length %zu", in.len);
	if (in.len == 0)
		return RC_OK;
	p = buf_room(out, in.len / 4 * 3 + 2);
	if (p == NULL)
		return buf_check(out, f);
	for (size_t i = 0; i < in.len; i++) {
		int v = value_of(form, in.ptr[i]);

		if (v < 0)
			return FAULT(f, RC_INVALID, "base64", "character 0x%02x at offset %zu",
			    in.ptr[i], i);
		acc = acc << 6 | (uint32_t)v;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			p[n++] = (uint8_t)(acc >> bits & 0xff);
		}
	}
	if ((acc & ((1u << bits) - 1)) != 0)
		return FAULT(f, RC_INVALID, "base64", "unused bits are not zero");
	buf_grew(out, n);
	return RC_OK;
}
