#include "agent/front/jw.h"

#include "stir/jtext.h"
#include "stir/text.h"

static void
begin(struct buf *out, const char *key)
{
	uint8_t last = out->len > 0 ? out->ptr[out->len - 1] : '{';

	if (last != '{' && last != '[' && last != ':')
		buf_byte(out, ',');
	if (key == NULL)
		return;
	buf_byte(out, '"');
	buf_str(out, key);
	buf_str(out, "\":");
}

void
jw_open(struct buf *out, const char *key, char bracket)
{
	begin(out, key);
	buf_byte(out, (uint8_t)bracket);
}

void
jw_close(struct buf *out, char bracket)
{
	buf_byte(out, (uint8_t)bracket);
}

static void
put_char(struct buf *out, uint8_t c)
{
	static const char escaped[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
	const char *at = strchr(escaped, c);

	if (c != 0 && at != NULL)
		buf_printf(out, "\\%c", letter[at - escaped]);
	else if (c < 0x20 || c == 0x7f)
		buf_printf(out, "\\u%04x", c);
	else
		buf_byte(out, c);
}

static void
put_text(struct buf *out, struct span text)
{
	uint32_t point = 0;

	while (text.len > 0) {
		size_t n = jtext_plain(text); /* in one piece */

		buf_span(out, span_cut(&text, n));
		if (text.len == 0)
			break;
		n = text_char(text, &point);
		if (n == 1)
			put_char(out, text.ptr[0]);
		else if (n > 1)
			text_put_json(out, span_of(text.ptr, n)); /* for a terminal, too */
		else
			buf_byte(out, '?');
		span_cut(&text, n == 0 ? 1 : n);
	}
}

void
jw_span(struct buf *out, const char *key, struct span text)
{
	begin(out, key);
	buf_byte(out, '"');
	put_text(out, text);
	buf_byte(out, '"');
}

void
jw_behind(struct buf *out, const char *key, struct span plain, struct span text)
{
	begin(out, key);
	buf_byte(out, '"');
	buf_span(out, plain);
	put_text(out, text);
	buf_byte(out, '"');
}

void
jw_str(struct buf *out, const char *key, const char *text)
{
	if (text == NULL)
		jw_null(out, key);
	else
		jw_span(out, key, span_str(text));
}

void
jw_int(struct buf *out, const char *key, int64_t value)
{
	begin(out, key);
	buf_int(out, value);
}

void
jw_time(struct buf *out, const char *key, int64_t time_s)
{
	if (time_s != 0)
		jw_int(out, key, time_s);
	else
		jw_null(out, key);
}

void
jw_uint(struct buf *out, const char *key, uint64_t value)
{
	begin(out, key);
	buf_uint(out, value);
}

void
jw_bool(struct buf *out, const char *key, bool value)
{
	begin(out, key);
	buf_str(out, value ? "true" : "false");
}

void
jw_null(struct buf *out, const char *key)
{
	begin(out, key);
	buf_str(out, "null");
}

void
jw_hex(struct buf *out, const char *key, struct span bytes)
{
	begin(out, key);
	buf_byte(out, '"');
	buf_hex(out, bytes);
	buf_byte(out, '"');
}

void
jw_raw(struct buf *out, const char *key, struct span text)
{
	begin(out, key);
	text_put_json(out, text);
}
