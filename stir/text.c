#include "stir/text.h"

size_t
text_char(struct span s, uint32_t *point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t c = s.ptr[0];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;
	uint32_t all = n == 4 ? c & 7 : n == 3 ? c & 15 : n == 2 ? c & 31 : c;

	if (n == 0 || c > 0xf4 || n > s.len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s.ptr[i] & 0xc0) != 0x80)
			return 0;
		all = all << 6 | (s.ptr[i] & 0x3f);
	}
	/* RFC 3629 section 3: no longer form, no surrogates, nothing beyond U+10FFFF. */
	if (all < least[n] || all > 0x10ffff || (all >= 0xd800 && all <= 0xdfff))
		return 0;
	*point = all;
	return n;
}

bool
text_is_hidden(uint32_t point)
{
	/* Ascending.  Default_Ignorable_Code_Point of Unicode 15, and what moves the rest. */
	static const struct {
		uint32_t first, last;
	} hidden[] = { { 0x0000, 0x001f }, { 0x007f, 0x009f }, { 0x00ad, 0x00ad },
		{ 0x034f, 0x034f }, { 0x061c, 0x061c }, { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 },
		{ 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
		{ 0x3164, 0x3164 }, { 0xfdd0, 0xfdef }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
		{ 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0x1bca0, 0x1bca3 },
		{ 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff } };

	if ((point & 0xfffe) == 0xfffe) /* the last two of each plane are no characters */
		return true;
	for (size_t i = 0; i < ARRAY_LEN(hidden) && point >= hidden[i].first; i++) {
		if (point <= hidden[i].last)
			return true;
	}
	return false;
}

/* Arabic, Syriac, Thaana, N'Ko and the scripts of India up to Sinhala. */
static bool
is_joined(uint32_t point)
{
	return point >= 0x0620 && point <= 0x0dff && !text_is_hidden(point);
}

/* Symbols that have a form in colour, with the modifiers of skin among them. */
static bool
is_picture(uint32_t point)
{
	return point == 0xa9 || point == 0xae || (point >= 0x2190 && point <= 0x21ff) ||
	       (point >= 0x2300 && point <= 0x23ff) || (point >= 0x25a0 && point <= 0x27bf) ||
	       (point >= 0x2b00 && point <= 0x2bff) || (point >= 0x1f000 && point <= 0x1faff);
}

static bool
is_form(uint32_t point)
{
	return point == 0xfe0e || point == 0xfe0f;
}

/* Does a hidden character shape its neighbours?  before, after: 0 at the ends. */
static bool
shapes(uint32_t before, uint32_t point, uint32_t after)
{
	if (is_form(point))
		return is_picture(before);
	if (point == 0x200d && (is_picture(before) || is_form(before)))
		return is_picture(after); /* the form itself was behind a picture */
	return (point == 0x200c || point == 0x200d) && is_joined(before) && is_joined(after);
}

bool
text_is_shown(struct span s, bool lines)
{
	uint32_t before = 0, point = 0, after = 0;

	while (s.len > 0) {
		size_t n = text_char(s, &point);

		if (n == 0)
			return false;
		span_cut(&s, n);
		after = 0;
		if (s.len > 0 && text_char(s, &after) == 0)
			return false;
		if (text_is_hidden(point) && !(lines && point == '\n') &&
		    !shapes(before, point, after))
			return false;
		before = point;
	}
	return true;
}

bool
text_copy(char *out, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

void
text_flatten(char *s)
{
	struct span rest = span_str(s);
	uint8_t *at = (uint8_t *)s;
	uint32_t point = 0;

	while (rest.len > 0) {
		size_t n = text_char(rest, &point);

		if (n == 0)
			*at = '?';
		else if (text_is_hidden(point))
			memset(at, ' ', n);
		n = n == 0 ? 1 : n;
		at += n;
		span_cut(&rest, n);
	}
}

static void
put_escape(struct buf *out, uint32_t point)
{
	if (point < 0x10000) {
		buf_printf(out, "\\u%04x", (unsigned)point);
		return;
	}
	point -= 0x10000; /* RFC 8259 section 7 */
	buf_printf(out, "\\u%04x\\u%04x", (unsigned)(0xd800 + (point >> 10)),
	    (unsigned)(0xdc00 + (point & 0x3ff)));
}

/* As they are: printable ASCII, and the controls that JSON text has between its values. */
static size_t
plain(struct span s)
{
	size_t n = 0;

	while (n < s.len && s.ptr[n] < 0x7f)
		n++;
	return n;
}

void
text_put_json(struct buf *out, struct span json)
{
	uint32_t point = 0;

	while (json.len > 0) {
		size_t n = plain(json);

		buf_span(out, span_cut(&json, n));
		if (json.len == 0)
			break;
		n = text_char(json, &point);
		if (n > 0 && text_is_hidden(point))
			put_escape(out, point);
		else
			buf_put(out, json.ptr, n == 0 ? 1 : n);
		span_cut(&json, n == 0 ? 1 : n);
	}
}
