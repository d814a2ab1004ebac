/*
 * Borrowed bytes: a pointer and a length.  Wire data is always a span; C
 * strings are for configuration, paths and validated text.
 */
#ifndef STIR_SPAN_H
#define STIR_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct span {
	const uint8_t *ptr; /* may be NULL when len is 0 */
	size_t len;
};

static inline struct span
span_of(const void *ptr, size_t len)
{
	return (struct span){ ptr, len };
}

static inline struct span
span_str(const char *s)
{
	return (struct span){ (const uint8_t *)s, strlen(s) };
}

static inline bool
span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool
span_is(struct span a, const char *s)
{
	return span_eq(a, span_str(s));
}

/* The same but for the case of ASCII letters. */
static inline bool
span_is_fold(struct span a, const char *s)
{
	return a.len == strlen(s) &&
	       (a.len == 0 || strncasecmp((const char *)a.ptr, s, a.len) == 0);
}

/* Without the blanks and tabs around it. */
static inline struct span
span_trim(struct span s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = (struct span){ s.ptr + 1, s.len - 1 };
	while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Cut the first n bytes off *s; the caller has checked that they are there. */
static inline struct span
span_cut(struct span *s, size_t n)
{
	struct span head = { s->ptr, n };

	s->ptr += n;
	s->len -= n;
	return head;
}

#endif
