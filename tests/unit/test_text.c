/* text: what people are shown, what they would not see, and JSON that is safe on a terminal */
#include "stir/text.h"

#include <stdio.h>
#include <stdlib.h>

#include "stir/jtext.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

static struct shown_case {
	const char *name, *text;
	bool line, lines; /* shown on a line, and with line feeds */
} shown_cases[] = {
	{ "nothing", "", true, true },
	{ "ASCII", "Q Branch & Sons (\"Q\") ~", true, true },
	{ "letters of everywhere", "Ünïcode Ελλάς 日本語 שלום مرحبا हिन्दी", true, true },
	{ "beyond the first plane", "a\xf0\x9f\x98\x80z", true, true },
	{ "spaces of other widths", "a\xc2\xa0z\xe2\x80\x89z\xe3\x80\x80", true, true },
	{ "line feed", "a\nz", false, true },
	{ "carriage return", "a\rz", false, false },
	{ "tab", "a\tz", false, false },
	{ "escape", "a\x1b[2J", false, false },
	{ "DEL", "a\x7f", false, false },
	{ "C1: CSI", "a\xc2\x9bz", false, false },
	{ "C1: the first", "\xc2\x80", false, false },
	{ "C1: the last", "\xc2\x9f", false, false },
	{ "soft hyphen", "a\xc2\xadz", false, false },
	{ "combining grapheme joiner", "a\xcd\x8fz", false, false },
	{ "Arabic letter mark", "a\xd8\x9cz", false, false },
	{ "Hangul filler", "a\xe1\x85\x9fz", false, false },
	{ "another Hangul filler", "a\xe3\x85\xa4z", false, false },
	{ "half-width Hangul filler", "a\xef\xbe\xa0z", false, false },
	{ "Mongolian vowel separator", "a\xe1\xa0\x8ez", false, false },
	{ "zero width space", "a\xe2\x80\x8bz", false, false },
	{ "left-to-right mark", "a\xe2\x80\x8ez", false, false },
	{ "right-to-left mark", "a\xe2\x80\x8fz", false, false },
	{ "line separator", "a\xe2\x80\xa8z", false, false },
	{ "paragraph separator", "a\xe2\x80\xa9z", false, false },
	{ "left-to-right embedding", "a\xe2\x80\xaaz", false, false },
	{ "right-to-left override", "a\xe2\x80\xaez", false, false },
	{ "word joiner", "a\xe2\x81\xa0z", false, false },
	{ "right-to-left isolate", "a\xe2\x81\xa7z", false, false },
	{ "pop directional isolate", "a\xe2\x81\xa9z", false, false },
	{ "variation selector", "a\xef\xb8\x8fz", false, false },
	{ "byte order mark",
	    "\xef\xbb\xbf"
	    "a",
	    false, false },
	{ "interlinear annotation", "a\xef\xbf\xb9z", false, false },
	{ "no character", "a\xef\xbf\xbfz", false, false },
	{ "no character of the last plane", "a\xf4\x8f\xbf\xbez", false, false },
	{ "no character of Arabic forms", "a\xef\xb7\x90z", false, false },
	{ "musical control", "a\xf0\x9d\x85\xb3z", false, false },
	{ "tag", "a\xf3\xa0\x81\x81z", false, false },
	{ "variation selector of the supplement", "a\xf3\xa0\x84\x80z", false, false },
	{ "between the ranges", "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\x9f\xe2\x81\xb0", true,
	    true },

	{ "non-joiner between Persian letters", "می\xe2\x80\x8cخواهم", true, true },
	{ "joiner behind a virama", "श्\xe2\x80\x8dर", true, true },
	{ "non-joiner between Latin letters", "a\xe2\x80\x8cz", false, false },
	{ "non-joiner at the beginning", "\xe2\x80\x8cخ", false, false },
	{ "non-joiner at the end", "خ\xe2\x80\x8c", false, false },
	{ "non-joiner before a Latin letter", "خ\xe2\x80\x8cz", false, false },
	{ "two non-joiners", "خ\xe2\x80\x8c\xe2\x80\x8cخ", false, false },
	{ "joiner of pictures", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", true, true },
	{ "joiner behind a form", "\xe2\x9d\xa4\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x94\xa5", true,
	    true },
	{ "a telephone in colour", "\xe2\x98\x8e\xef\xb8\x8f", true, true },
	{ "copyright in black", "\xc2\xa9\xef\xb8\x8e", true, true },
	{ "non-joiner of pictures", "\xf0\x9f\x91\xa9\xe2\x80\x8c\xf0\x9f\x92\xbb", false,
	    false },
	{ "joiner behind a picture at the end", "\xf0\x9f\x91\xa9\xe2\x80\x8d", false, false },
	{ "joiner of a picture and a letter", "\xf0\x9f\x91\xa9\xe2\x80\x8dz", false, false },
	{ "two forms", "\xe2\x98\x8e\xef\xb8\x8f\xef\xb8\x8f", false, false },
	{ "a form at the beginning", "\xef\xb8\x8f\xe2\x98\x8e", false, false },
	{ "another variation of a picture", "\xe2\x98\x8e\xef\xb8\x80", false, false },

	{ "not UTF-8", "a\xff", false, false },
	{ "a tail alone", "\x80", false, false },
	{ "a head alone", "a\xe2\x80", false, false },
	{ "a longer form", "\xc0\xaf", false, false },
	{ "a longer form of three", "\xe0\x82\x9b", false, false },
	{ "a surrogate", "\xed\xa0\x80", false, false },
	{ "beyond U+10FFFF", "\xf4\x90\x80\x80", false, false },
};

static void
is_shown(void **state)
{
	const struct shown_case *c = *state;

	assert_int_equal(text_is_shown(span_str(c->text), false), c->line);
	assert_int_equal(text_is_shown(span_str(c->text), true), c->lines);
}

/* In a claim, and NUL with it. */
static void
in_json(void **state)
{
	json_auto_t *good = json_string("Ünïcode"), *bad = json_string("a\xc2\x9b");
	json_auto_t *number = json_integer(1), *nul = json_stringn("a\0b", 3);

	(void)state;
	assert_true(jtext_is_shown(good));
	assert_false(jtext_is_shown(bad));
	assert_false(jtext_is_shown(number));
	assert_false(nul != NULL && jtext_is_shown(nul));
}

static void
flatten(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = { { "", "" }, { "ab c", "ab c" }, { "a\nb\x7f", "a b " },
		{ "a\xc2\x9bz", "a  z" }, { "a\xe2\x80\xaez", "a   z" }, { "Ü", "Ü" },
		{ "a\xffz", "a?z" }, { "a\xe2\x80", "a??" }, { "\xf3\xa0\x81\x81", "    " } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[32];

		snprintf(text, sizeof text, "%s", rows[i].in);
		text_flatten(text);
		assert_string_equal(text, rows[i].out);
	}
}

/* Each character that JSON may hold: the same value comes back, and none is hidden. */
static void
json_of_everything(void **state)
{
	(void)state;
	for (uint32_t point = 1; point < 0x30000; point += point < 0x3000 ? 1 : 61) {
		char text[16];
		AUTO_BUF raw = BUF_INIT(64), safe = BUF_INIT(64);
		json_auto_t *value = NULL, *back = NULL;
		uint32_t same = 0;

		if (point >= 0xd800 && point <= 0xdfff)
			continue;
		snprintf(text, sizeof text,
		    point < 0x10000 ? "\"\\u%04x\"" : "\"\\u%04x\\u%04x\"",
		    (unsigned)(point < 0x10000 ? point : 0xd800 + ((point - 0x10000) >> 10)),
		    (unsigned)(0xdc00 + ((point - 0x10000) & 0x3ff)));
		assert_int_equal(jtext_read(span_str(text), &value, NULL), RC_OK);
		assert_int_equal(
		    text_char(jtext_span(value), &same), json_string_length(value));
		assert_int_equal(same, point);
		assert_int_equal(jtext_write(&raw, value, NULL), RC_OK);
		text_put_json(&safe, buf_view(&raw));
		assert_int_equal(jtext_read(buf_view(&safe), &back, NULL), RC_OK);
		assert_true(json_equal(value, back));
		assert_true(text_is_shown(buf_view(&safe), false));
	}
}

static void
copies(void **state)
{
	char out[4] = "old";

	(void)state;
	assert_false(text_copy(out, sizeof out, "four"));
	assert_string_equal(out, "old");
	assert_true(text_copy(out, sizeof out, "new"));
	assert_string_equal(out, "new");
	assert_true(text_copy(out, 1, ""));
	assert_string_equal(out, "");
	assert_false(text_copy(out, 0, ""));
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(shown_cases) + 4];
	size_t n = 0;

	ROWS(tests, n, shown_cases, is_shown);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(in_json);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(flatten);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(json_of_everything);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(copies);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
