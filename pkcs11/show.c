#include "pkcs11/show.h"

#include "stir/text.h"

void
show_text(FILE *out, struct span text, int width)
{
	while (text.len > 0) {
		uint32_t point = 0;
		size_t n = text_char(text, &point);

		if (n == 0 || text_is_hidden(point))
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
		uint32_t point = 0;
		size_t n = text_char(text, &point);
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
