/*
 * Text that people are shown: its characters in UTF-8, and which of them move
 * a cursor, turn the order of what is read, or are not seen at all.  What a
 * text means is not judged here, nor which letters look like others.
 *
 * Pure.
 */
#ifndef STIR_TEXT_H
#define STIR_TEXT_H

#include "stir/buf.h"

/*
 * The octets of the well-formed character at the start of s, which is not
 * empty (RFC 3629 section 3); 0: there is none.  *point is set where it is.
 */
size_t text_char(struct span s, uint32_t *point);

/*
 * Is it one of those that a person does not see: a control (C0, DEL, C1), a
 * line or paragraph separator, an override or isolate of direction, whatever
 * Unicode has as default-ignorable, or no character at all?
 */
bool text_is_hidden(uint32_t point);

/*
 * UTF-8 without any of them, but for those that shape what is seen: a joiner
 * (U+200C, U+200D) between two letters of the scripts that are written with
 * it, from Arabic to Sinhala; and with pictures, between two of them U+200D,
 * behind one U+FE0E or U+FE0F.
 * lines: a line feed may be there as well.
 */
bool text_is_shown(struct span s, bool lines);

/* A copy with its NUL in size octets; false, and nothing is copied: it does not fit. */
bool text_copy(char *out, size_t size, const char *text);

/* NULL is the same as NULL, and as nothing else. */
static inline bool
text_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* For a line on a terminal: what is hidden becomes blanks, what is not UTF-8 '?'. */
void text_flatten(char *s);

/*
 * Append JSON text, or a part of it, with DEL and what is hidden beyond ASCII as
 * \uXXXX: the same value, and safe on a terminal.
 */
void text_put_json(struct buf *out, struct span json);

#endif
