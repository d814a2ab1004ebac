#include "stir/buf.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST = 256 };

void
buf_free(struct buf *b)
{
	free(b->ptr);
	*b = BUF_INIT(b->max);
}

void
buf_wipe(struct buf *b)
{
	if (b->ptr != NULL)
		OPENSSL_cleanse(b->ptr, b->cap);
	buf_free(b);
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->rc = RC_OK;
}

uint8_t *
buf_room(struct buf *b, size_t len)
{
	size_t cap = b->cap == 0 ? BUF_FIRST : b->cap;
	uint8_t *grown;

	if (b->rc != RC_OK)
		return NULL;
	if (len > b->max - b->len) {
		b->rc = RC_BUSY;
		return NULL;
	}
	if (b->cap - b->len >= len)
		return b->ptr + b->len;
	while (cap - b->len < len)
		cap *= 2; /* max bounds len, so this cannot overflow */
	grown = realloc(b->ptr, cap);
	if (grown == NULL) {
		b->rc = RC_NO_MEMORY;
		return NULL;
	}
	b->ptr = grown;
	b->cap = cap;
	return b->ptr + b->len;
}

void
buf_grew(struct buf *b, size_t len)
{
	b->len += len;
}

void
buf_put_grow(struct buf *b, const void *ptr, size_t len)
{
	uint8_t *room;

	if (len == 0)
		return;
	room = buf_room(b, len);
	if (room == NULL)
		return;
	memcpy(room, ptr, len);
	b->len += len;
}

void
buf_uint(struct buf *b, uint64_t n)
{
	uint8_t digits[20]; /* of 2^64-1 */
	size_t at = sizeof digits;

	do {
		digits[--at] = (uint8_t)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	buf_put(b, digits + at, sizeof digits - at);
}

void
buf_int(struct buf *b, int64_t n)
{
	if (n < 0)
		buf_byte(b, '-');
	buf_uint(b, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

void
buf_hex(struct buf *b, struct span s)
{
	static const char digit[] = "0123456789abcdef";
	uint8_t *out;

	if (s.len == 0)
		return;
	out = buf_room(b, s.len > SIZE_MAX / 2 ? SIZE_MAX : 2 * s.len);
	if (out == NULL)
		return;
	for (size_t i = 0; i < s.len; i++) {
		out[2 * i] = (uint8_t)digit[s.ptr[i] >> 4];
		out[2 * i + 1] = (uint8_t)digit[s.ptr[i] & 15];
	}
	b->len += 2 * s.len;
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char small[512];
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof small) {
		if (b->rc == RC_OK)
			b->rc = RC_BUSY;
		return;
	}
	buf_put(b, small, (size_t)n);
}

void
buf_consume(struct buf *b, size_t len)
{
	if (len > b->len)
		len = b->len;
	if (len == 0)
		return;
	memmove(b->ptr, b->ptr + len, b->len - len);
	b->len -= len;
}

enum rc
buf_check(const struct buf *b, struct fault *f)
{
	switch (b->rc) {
	case RC_OK: return RC_OK;
	case RC_BUSY: return FAULT(f, RC_INVALID, "too_large", "more than %zu bytes", b->max);
	default: return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu bytes", b->len);
	}
}

const char *
buf_text(struct buf *b)
{
	uint8_t *end;

	/* The terminator may stand one byte above the ceiling. */
	b->max++;
	end = buf_room(b, 1);
	b->max--;
	if (end == NULL)
		return NULL;
	*end = 0;
	return (const char *)b->ptr;
}

char *
buf_steal(struct buf *b)
{
	const char *text = buf_text(b);
	char *out;

	if (text == NULL)
		return NULL;
	out = (char *)b->ptr;
	*b = BUF_INIT(b->max);
	return out;
}
