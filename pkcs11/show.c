#include "pkcs11/show.h"

/* The length of the well-formed UTF-8 character at the start, 0 when there is none. */
static size_t
utf8_len(struct span s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t c = s.ptr[0];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;
	uint32_t point = n == 4 ? c & 7 : n == 3 ? c & 15 : c & 31;

	if (n == 0 || c > 0xf4 || n > s.len)
		return 0;
	if (n == 1)
		return 1;
	for (size_t i = 1; i < n; i++) {
		if ((s.ptr[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (s.ptr[i] & 0x3f);
	}
	/* RFC 3629 section 3: no longer form, no surrogates, nothing beyond U+10FFFF. */
	if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	return n;
}

void
show_text(FILE *out, struct span text, int width)
{
	while (text.len > 0) {
		size_t n = utf8_len(text);
		/* C1 controls move a terminal's cursor as C0 ones do. */
		int control = n == 1 ? text.ptr[0] < 0x20 || text.ptr[0] == 0x7f
				     : n == 2 && text.ptr[0] == 0xc2 && text.ptr[1] < 0xa0;

		if (n == 0 || control)
			fputc('?', out);
		else
			fwrite(text.ptr, 1, n, out);
		span_cut(&text, n == 0 ? 1 : n);
		width--;
	}
	while (width-- > 0)
		fputc(' ', out);
}

static void
put_hex(FILE *out, const char *before, uint8_t byte)
{
	static const char digits[] = "0123456789abcdef";

	fputs(before, out);
	fputc(digits[byte >> 4], out);
	fputc(digits[byte & 15], out);
}

void
show_json(FILE *out, struct span text)
{
	fputc('"', out);
	while (text.len > 0) {
		size_t n = utf8_len(text);
		uint8_t c = text.ptr[0];

		if (n == 0)
			fputs("\\ufffd", out);
		else if (c < 0x20 || c == 0x7f)
			put_hex(out, "\\u00", c);
		else if (c == '"' || c == '\\')
			fputs(c == '"' ? "\\\"" : "\\\\", out);
		else
			fwrite(text.ptr, 1, n, out);
		span_cut(&text, n == 0 ? 1 : n);
	}
	fputc('"', out);
}

void
show_hex(FILE *out, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		put_hex(out, "", bytes.ptr[i]);
}
