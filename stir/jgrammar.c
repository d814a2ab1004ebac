#include "stir/jgrammar.h"

#include "stir/ascii.h"

/* A bit for each bracket that is open: depth is bounded by the text alone. */
struct nest {
	uint8_t is_object[JGRAMMAR_MAX_BYTES / 8];
	size_t depth;
};

static void
push(struct nest *n, bool object)
{
	uint8_t bit = (uint8_t)(1u << n->depth % 8), *at = &n->is_object[n->depth / 8];

	*at = (uint8_t)(object ? *at | bit : *at & ~bit);
	n->depth++;
}

static bool
in_object(const struct nest *n)
{
	return (n->is_object[(n->depth - 1) / 8] >> (n->depth - 1) % 8 & 1) != 0;
}

static bool
take(struct span *in, char c)
{
	if (in->len == 0 || in->ptr[0] != (uint8_t)c)
		return false;
	span_cut(in, 1);
	return true;
}

static void
skip_blanks(struct span *in)
{
	while (take(in, ' ') || take(in, '\t') || take(in, '\n') || take(in, '\r'))
		;
}

/* Behind a backslash (section 7). */
static bool
take_escape(struct span *in)
{
	size_t hex = 0;

	if (in->len == 0 || in->ptr[0] == 0 || strchr("\"\\/bfnrtu", in->ptr[0]) == NULL)
		return false;
	if (span_cut(in, 1).ptr[0] != 'u')
		return true;
	for (; hex < 4 && in->len > 0 && ascii_hex(in->ptr[0]) >= 0; hex++)
		span_cut(in, 1);
	return hex == 4;
}

static bool
take_string(struct span *in)
{
	if (!take(in, '"'))
		return false;
	while (in->len > 0 && in->ptr[0] >= ' ') {
		uint8_t c = *span_cut(in, 1).ptr;

		if (c == '"')
			return true;
		if (c == '\\' && !take_escape(in))
			return false;
	}
	return false;
}

static bool
take_digits(struct span *in)
{
	size_t n = 0;

	while (n < in->len && ascii_is_digit(in->ptr[n]))
		n++;
	if (n > 0)
		span_cut(in, n);
	return n > 0;
}

/* Section 6; NaN and Infinity are none. */
static bool
take_number(struct span *in)
{
	(void)take(in, '-');
	if (!take(in, '0') && !take_digits(in))
		return false;
	if (take(in, '.') && !take_digits(in))
		return false;
	if (!take(in, 'e') && !take(in, 'E'))
		return true;
	(void)(take(in, '+') || take(in, '-'));
	return take_digits(in);
}

static bool
take_word(struct span *in, const char *word)
{
	size_t len = strlen(word);

	if (in->len < len || memcmp(in->ptr, word, len) != 0)
		return false;
	span_cut(in, len);
	return true;
}

static bool
take_scalar(struct span *in)
{
	return take_word(in, "true") || take_word(in, "false") || take_word(in, "null") ||
	       take_string(in) || take_number(in);
}

static bool
take_name(struct span *in)
{
	skip_blanks(in);
	if (!take_string(in))
		return false;
	skip_blanks(in);
	return take(in, ':');
}

/* To the end of the first value that holds no other: a scalar, [] or {}. */
static bool
take_innermost(struct span *in, struct nest *n)
{
	for (;;) {
		bool object;

		skip_blanks(in);
		object = take(in, '{');
		if (!object && !take(in, '['))
			return take_scalar(in);
		skip_blanks(in);
		if (take(in, object ? '}' : ']'))
			return true;
		push(n, object);
		if (object && !take_name(in))
			return false;
	}
}

/* Behind a value.  false: there is no other, since all is closed or since it is wrong. */
static bool
take_to_next(struct span *in, struct nest *n)
{
	skip_blanks(in);
	while (n->depth > 0 && take(in, in_object(n) ? '}' : ']')) {
		n->depth--;
		skip_blanks(in);
	}
	return n->depth > 0 && take(in, ',') && (!in_object(n) || take_name(in));
}

bool
jgrammar_is_json(struct span text)
{
	struct nest n = { .depth = 0 };

	if (text.len > JGRAMMAR_MAX_BYTES)
		return false;
	do {
		if (!take_innermost(&text, &n))
			return false;
	} while (take_to_next(&text, &n));
	return n.depth == 0 && text.len == 0;
}
