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
