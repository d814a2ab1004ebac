#include "stir/jtext.h"

#include <inttypes.h>
#include <stdlib.h>

#include "stir/jquick.h"
#include "stir/text.h"

/* RFC 7493 section 2.2: what every parser holds exactly. */
#define INTEGER_MAX ((json_int_t)9007199254740991)

enum {
	USUAL_MEMBERS = 16,
	INTEGER_DIGITS = 16,		       /* of INTEGER_MAX */
	WRITE_MAX_DEPTH = 2 * JTEXT_MAX_DEPTH, /* our own values may wrap one that was read */
};

static enum rc
malformed(struct fault *f, size_t at, const char *what)
{
	return REFUSE(f, RC_INVALID, MALFORMED_JSON, NULL, "%s at octet %zu", what, at);
}

static bool
is_number_char(uint8_t c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' ||
	       c == 'E';
}

/* The step behind a string; where it does not end jansson says so. */
static size_t
skip_string(struct span text, size_t i)
{
	for (i++; i < text.len && text.ptr[i] != '"'; i++) {
		if (text.ptr[i] == '\\')
			i++;
	}
	return i + 1;
}

static bool
exceeds_integer(struct span digits)
{
	uint64_t value = 0;

	if (digits.len > INTEGER_DIGITS)
		return true;
	for (size_t i = 0; i < digits.len; i++)
		value = value * 10 + (uint64_t)(digits.ptr[i] - '0');
	return value > (uint64_t)INTEGER_MAX;
}

/* D-22: an integer that every parser reads alike; its grammar is jansson's to check. */
static enum rc
scan_number(struct span text, size_t *i, struct fault *f)
{
	size_t at = *i;
	struct span n = { text.ptr + at, 0 };

	while (at + n.len < text.len && is_number_char(n.ptr[n.len]))
		n.len++;
	*i = at + n.len;
	for (size_t k = 1; k < n.len; k++) {
		if (n.ptr[k] < '0' || n.ptr[k] > '9')
			return malformed(f, at, "a number that is not an integer");
	}
	if (span_is(n, "-0"))
		return malformed(f, at, "-0");
	if (n.ptr[0] == '-')
		span_cut(&n, 1);
	if (exceeds_integer(n))
		return malformed(f, at, "an integer beyond 2^53-1");
	return RC_OK;
}

/* Behind the bracket at i: does it hold anything? */
static bool
is_empty(struct span text, size_t i)
{
	while (++i < text.len && (text.ptr[i] == ' ' || text.ptr[i] == '\t' ||
				     text.ptr[i] == '\n' || text.ptr[i] == '\r'))
		;
	return i < text.len && (text.ptr[i] == ']' || text.ptr[i] == '}');
}

/*
 * Each value is a piece of memory and a short text holds many, so that they are
 * counted before they are made.  A value is the first, or stands behind a
 * bracket or a comma; one octet at least is between two.
 */
static enum rc
count_values(struct span text, size_t max, struct fault *f)
{
	size_t n = 1;

	if (text.len / 2 < max)
		return RC_OK;
	for (size_t i = 0; i < text.len;) {
		uint8_t c = text.ptr[i];

		if (c == '"') {
			i = skip_string(text, i);
			continue;
		}
		n += c == ',' || ((c == '{' || c == '[') && !is_empty(text, i));
		if (n > max)
			return malformed(f, i, "too many values");
		i++;
	}
	return RC_OK;
}

/*
 * What jansson would let pass: depth, an octet 0, which it skips behind a
 * number or a literal, and of ours numbers that it would turn into floats.
 */
static enum rc
scan(struct span text, bool ours, struct fault *f)
{
	size_t depth = 0;

	for (size_t i = 0; i < text.len;) {
		uint8_t c = text.ptr[i];

		if (c == '"') {
			i = skip_string(text, i);
			continue;
		}
		if (ours && (c == '-' || (c >= '0' && c <= '9'))) {
			TRY(scan_number(text, &i, f));
			continue;
		}
		if (c == 0)
			return malformed(f, i, "an octet 0");
		if ((c == '{' || c == '[') && ++depth > JTEXT_MAX_DEPTH)
			return malformed(f, i, "too much depth");
		if ((c == '}' || c == ']') && depth > 0)
			depth--;
		i++;
	}
	return RC_OK;
}

static enum rc
load(struct span text, size_t flags, json_t **out, struct fault *f)
{
	json_error_t error;
	json_t *value = json_loadb(
	    (const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES | flags, &error);

	if (value != NULL) {
		*out = value;
		return RC_OK;
	}
	/* jansson's own text quotes the input, so only the place is told. */
	if (json_error_code(&error) == json_error_duplicate_key)
		return REFUSE(f, RC_INVALID, DUPLICATE_MEMBER, NULL,
		    "a member name twice, at octet %d", error.position);
	if (json_error_code(&error) == json_error_out_of_memory)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu octets of JSON", text.len);
	return malformed(f, (size_t)error.position, "not JSON");
}

enum rc
jtext_read(struct span text, json_t **out, struct fault *f)
{
	json_t *value;

	if (text.len > JTEXT_MAX_BYTES)
		return REFUSE(f, RC_INVALID, MALFORMED_JSON, NULL, "more than %d octets",
		    JTEXT_MAX_BYTES);
	if (text.len == 0)
		return malformed(f, 0, "nothing");
	TRY(count_values(text, JTEXT_MAX_VALUES, f));
	value = jquick_read(text, JTEXT_MAX_DEPTH);
	if (value != NULL) {
		*out = value;
		return RC_OK;
	}
	TRY(scan(text, true, f));
	return load(text, JSON_DECODE_ANY, out, f);
}

enum rc
jtext_read_counted(struct span text, size_t max, size_t values, json_t **out, struct fault *f)
{
	if (text.len > max)
		return REFUSE(f, RC_INVALID, MALFORMED_JSON, NULL, "more than %zu octets", max);
	if (text.len == 0)
		return malformed(f, 0, "nothing");
	TRY(count_values(text, values, f));
	TRY(scan(text, false, f));
	return load(text, 0, out, f);
}

enum rc
jtext_read_foreign(struct span text, size_t max, json_t **out, struct fault *f)
{
	return jtext_read_counted(
	    text, max, JTEXT_MAX_VALUES + text.len / JTEXT_VALUE_OCTETS, out, f);
}

/*
 * Is any of eight octets not plain?  Below a borrow each term marks just the
 * octets that it looks for, and without one there is no borrow.
 */
static bool
has_special(uint64_t x)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
	uint64_t quote = x ^ ones * '"', slash = x ^ ones * '\\', del = x ^ ones * 0x7f;
	uint64_t found = (x - ones * 0x20) | x | (quote - ones) | (slash - ones) | (del - ones);

	return (found & high) != 0;
}

size_t
jtext_plain(struct span s)
{
	size_t i = 0;
	uint64_t x;

	for (; s.len - i >= sizeof x; i += sizeof x) {
		memcpy(&x, s.ptr + i, sizeof x);
		if (has_special(x))
			break;
	}
	while (i < s.len && s.ptr[i] >= 0x20 && s.ptr[i] < 0x7f && s.ptr[i] != '"' &&
	       s.ptr[i] != '\\')
		i++;
	return i;
}

/* RFC 8785 section 3.2.2.2: the short escapes, \u00xx for other controls, no more. */
static void
write_escaped(struct buf *out, uint8_t c)
{
	static const char from[] = "\b\t\n\f\r\"\\", to[] = "btnfr\"\\";
	const char *at = c == 0 ? NULL : strchr(from, c);

	if (at != NULL) {
		buf_byte(out, '\\');
		buf_byte(out, (uint8_t)to[at - from]);
		return;
	}
	buf_printf(out, "\\u%04x", c);
}

static bool
needs_escape(uint8_t c)
{
	return c < 0x20 || c == '"' || c == '\\';
}

static enum rc
write_string(struct buf *out, struct span s, struct fault *f)
{
	buf_byte(out, '"');
	while (s.len > 0) {
		size_t plain = jtext_plain(s);

		while (plain < s.len && !needs_escape(s.ptr[plain]))
			plain++;
		buf_span(out, span_cut(&s, plain));
		if (s.len == 0)
			break;
		if (s.ptr[0] == 0)
			return FAULT(f, RC_INVALID, "jtext_string", "U+0000");
		write_escaped(out, *span_cut(&s, 1).ptr);
	}
	buf_byte(out, '"');
	return RC_OK;
}

static enum rc write_value(
    struct buf *out, const json_t *value, unsigned depth, struct fault *f) MUST_CHECK;

static enum rc
write_array(struct buf *out, const json_t *array, unsigned depth, struct fault *f)
{
	buf_byte(out, '[');
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i > 0)
			buf_byte(out, ',');
		TRY(write_value(out, json_array_get(array, i), depth, f));
	}
	buf_byte(out, ']');
	return RC_OK;
}

struct member {
	const char *name;
	const json_t *value;
};

/* UTF-8 octets sort as code points do, and strcmp compares them unsigned (D-23). */
static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static enum rc
write_members(struct buf *out, const json_t *object, struct member *member, unsigned depth,
    struct fault *f)
{
	json_t *walk = jtext_walk(object);
	size_t n = 0;

	for (void *i = json_object_iter(walk); i != NULL; i = json_object_iter_next(walk, i))
		member[n++] =
		    (struct member){ json_object_iter_key(i), json_object_iter_value(i) };
	if (n > 1)
		qsort(member, n, sizeof *member, by_name);
	buf_byte(out, '{');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_byte(out, ',');
		TRY(write_string(out, span_str(member[i].name), f));
		buf_byte(out, ':');
		TRY(write_value(out, member[i].value, depth, f));
	}
	buf_byte(out, '}');
	return RC_OK;
}

static enum rc
write_object(struct buf *out, const json_t *object, unsigned depth, struct fault *f)
{
	AUTO_FREE struct member *many = NULL;
	struct member few[USUAL_MEMBERS];
	size_t n = json_object_size(object);

	if (n <= USUAL_MEMBERS)
		return write_members(out, object, few, depth, f);
	many = calloc(n, sizeof *many);
	if (many == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "an object");
	return write_members(out, object, many, depth, f);
}

static enum rc
write_integer(struct buf *out, json_int_t n, struct fault *f)
{
	if (n > INTEGER_MAX || n < -INTEGER_MAX)
		return FAULT(f, RC_INVALID, "jtext_number", "an integer beyond 2^53-1");
	buf_int(out, n);
	return RC_OK;
}

static enum rc
write_value(struct buf *out, const json_t *value, unsigned depth, struct fault *f)
{
	if (value == NULL)
		return FAULT(f, RC_BUG, "jtext_value", "no value");
	if (depth == 0)
		return FAULT(f, RC_INVALID, "jtext_depth", "deeper than %d", WRITE_MAX_DEPTH);
	switch (json_typeof(value)) {
	case JSON_OBJECT: return write_object(out, value, depth - 1, f);
	case JSON_ARRAY: return write_array(out, value, depth - 1, f);
	case JSON_STRING: return write_string(out, jtext_span(value), f);
	case JSON_INTEGER: return write_integer(out, json_integer_value(value), f);
	case JSON_TRUE: buf_str(out, "true"); return RC_OK;
	case JSON_FALSE: buf_str(out, "false"); return RC_OK;
	case JSON_NULL: buf_str(out, "null"); return RC_OK;
	default: return FAULT(f, RC_INVALID, "jtext_number", "a float");
	}
}

enum rc
jtext_write(struct buf *out, const json_t *value, struct fault *f)
{
	TRY(write_value(out, value, WRITE_MAX_DEPTH, f));
	return buf_check(out, f);
}

struct span
jtext_span(const json_t *string)
{
	return span_of(json_string_value(string), json_string_length(string));
}

bool
jtext_is_shown(const json_t *value)
{
	return json_is_string(value) && text_is_shown(jtext_span(value), false);
}
