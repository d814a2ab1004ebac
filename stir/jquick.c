#include "stir/jquick.h"

#include "stir/jtext.h"

enum { DIGITS_MAX = 15 }; /* below 2^53 */

static json_t *read_value(struct span *in, unsigned depth);

static void
skip_blanks(struct span *in)
{
	while (in->len > 0 && (in->ptr[0] == ' ' || in->ptr[0] == '\t' || in->ptr[0] == '\n' ||
				  in->ptr[0] == '\r'))
		span_cut(in, 1);
}

static bool
take(struct span *in, uint8_t c)
{
	skip_blanks(in);
	if (in->len == 0 || in->ptr[0] != c)
		return false;
	span_cut(in, 1);
	return true;
}

/* Behind its opening quote. */
static bool
take_string(struct span *in, struct span *out)
{
	*out = span_cut(in, jtext_plain(*in));
	if (in->len == 0 || in->ptr[0] != '"')
		return false;
	span_cut(in, 1);
	return true;
}

static json_t *
read_string(struct span *in)
{
	struct span s = { 0 };

	return take_string(in, &s) ? json_stringn_nocheck((const char *)s.ptr, s.len) : NULL;
}

static json_t *
read_number(struct span *in)
{
	json_int_t n = 0;
	size_t len = 0;

	while (len < in->len && len <= DIGITS_MAX && in->ptr[len] >= '0' && in->ptr[len] <= '9')
		n = n * 10 + (in->ptr[len++] - '0');
	if (len == 0 || len > DIGITS_MAX || (len > 1 && in->ptr[0] == '0'))
		return NULL;
	/* A fraction or an exponent is no end of a value, so the caller turns it down. */
	span_cut(in, len);
	return json_integer(n);
}

static json_t *
read_word(struct span *in, const char *word, json_t *value)
{
	size_t len = strlen(word);

	if (in->len < len || memcmp(in->ptr, word, len) != 0)
		return NULL;
	span_cut(in, len);
	return value;
}

/* Behind its bracket. */
static json_t *
read_array(struct span *in, unsigned depth)
{
	json_auto_t *array = json_array();
	bool more = !take(in, ']');

	while (more) {
		if (json_array_append_new(array, read_value(in, depth)) != 0)
			return NULL;
		more = take(in, ',');
		if (!more && !take(in, ']'))
			return NULL;
	}
	return TAKE(array);
}

static bool
read_member(struct span *in, json_t *object, unsigned depth)
{
	struct span name = { 0 };

	if (!take(in, '"') || !take_string(in, &name) || !take(in, ':') ||
	    json_object_getn(object, (const char *)name.ptr, name.len) != NULL)
		return false;
	return json_object_setn_new_nocheck(
		   object, (const char *)name.ptr, name.len, read_value(in, depth)) == 0;
}

static json_t *
read_object(struct span *in, unsigned depth)
{
	json_auto_t *object = json_object();
	bool more = !take(in, '}');

	while (more) {
		if (!read_member(in, object, depth))
			return NULL;
		more = take(in, ',');
		if (!more && !take(in, '}'))
			return NULL;
	}
	return TAKE(object);
}

/* jansson takes a NULL value for an error of the caller's and says so, which is how it ends. */
static json_t *
read_value(struct span *in, unsigned depth)
{
	skip_blanks(in);
	if (in->len == 0)
		return NULL;
	switch (in->ptr[0]) {
	case '{':
	case '[':
		if (depth == 0)
			return NULL;
		return *span_cut(in, 1).ptr == '{' ? read_object(in, depth - 1)
						   : read_array(in, depth - 1);
	case '"': span_cut(in, 1); return read_string(in);
	case 't': return read_word(in, "true", json_true());
	case 'f': return read_word(in, "false", json_false());
	case 'n': return read_word(in, "null", json_null());
	default: return read_number(in);
	}
}

json_t *
jquick_read(struct span text, unsigned max_depth)
{
	json_auto_t *value = read_value(&text, max_depth);

	skip_blanks(&text);
	return value != NULL && text.len == 0 ? TAKE(value) : NULL;
}
