/*
 * JSON text, strictly read and deterministically written.
 *
 * Reading refuses what two parsers could understand differently: duplicate
 * members (after unescaping), floats and exponents, -0, integers beyond
 * 2^53-1, lone surrogates, U+0000, invalid UTF-8, too much depth or size, too
 * many values.
 * Writing is RFC 8225 section 9: no white space, members sorted by Unicode
 * code point at every level, RFC 8785 section 3.2.2.2 escaping (D-22, D-23).
 *
 * Pure.  Values are jansson's; a value that was read is not changed by us.
 */
#ifndef STIR_JTEXT_H
#define STIR_JTEXT_H

#include "stir/buf.h"

#include <jansson.h>

enum {
	JTEXT_MAX_DEPTH = 16,
	JTEXT_MAX_BYTES = 65536,
	JTEXT_MAX_VALUES = 4096,
	JTEXT_VALUE_OCTETS = 8
};

/*
 * Read any JSON value.  *out is a new reference (json_decref).
 * RC_INVALID with malformed_json or duplicate_member.
 */
enum rc jtext_read(struct span text, json_t **out, struct fault *f) MUST_CHECK;

/*
 * An object or an array that another program wrote for its like, a CA's answer
 * or a list of logs, or a file of ours that is larger than any request: at most
 * max octets.  As strict, but for numbers, which may be whatever jansson holds,
 * and the count of values: JTEXT_MAX_VALUES, and one more for each
 * JTEXT_VALUE_OCTETS of the text.  *out is a new reference.
 * RC_INVALID with malformed_json or duplicate_member.
 */
enum rc jtext_read_foreign(
    struct span text, size_t max, json_t **out, struct fault *f) MUST_CHECK;

/* The same, of so many values at most: for a long text of few, which others send. */
enum rc jtext_read_counted(
    struct span text, size_t max, size_t values, json_t **out, struct fault *f) MUST_CHECK;

/*
 * Append the deterministic text of value; RC_INVALID for a float, an
 * integer beyond 2^53-1, U+0000 or too much depth, RC_NO_MEMORY.
 */
enum rc jtext_write(struct buf *out, const json_t *value, struct fault *f) MUST_CHECK;

/*
 * How many octets at the start of s are printable ASCII but '"' and '\\': they
 * stand in a JSON string as they are, whoever writes it.
 */
size_t jtext_plain(struct span s);

/* For jansson's iterators, which read only but do not take const. */
static inline json_t *
jtext_walk(const json_t *object)
{
	return (json_t *)(uintptr_t)object;
}

/* The bytes of a JSON string, borrowed; empty for another type. */
struct span jtext_span(const json_t *string);

/* The text of an object's member, borrowed; NULL: it is no string, or there is none. */
static inline const char *
jtext_get(const json_t *object, const char *member)
{
	return json_string_value(json_object_get(object, member));
}

/* Is the member that text?  NULL is none. */
static inline bool
jtext_is(const json_t *object, const char *member, const char *text)
{
	const char *s = jtext_get(object, member);

	return s != NULL && text != NULL && strcmp(s, text) == 0;
}

/* A string to be shown to people on one line: text_is_shown(). */
bool jtext_is_shown(const json_t *value);

#endif
