/*
 * A growing byte buffer with a ceiling.
 *
 * The ceiling is named when the buffer is made, so none grows without bound.
 * Errors stick: after a failed append every further one is a no-op and
 * buf_check() reports it once, which keeps encoders straight.
 */
#ifndef STIR_BUF_H
#define STIR_BUF_H

#include "stir/fault.h"
#include "stir/span.h"

struct buf {
	uint8_t *ptr;
	size_t len;
	size_t cap;
	size_t max;
	enum rc rc; /* sticky: RC_OK, RC_BUSY (over max) or RC_NO_MEMORY */
};

/* A buffer of at most max bytes; nothing is allocated yet. */
#define BUF_INIT(limit) ((struct buf){ .max = (limit) })

void buf_free(struct buf *b);  /* leaves it empty and usable */
void buf_wipe(struct buf *b);  /* the same, clearing the bytes first */
void buf_clear(struct buf *b); /* length and error to zero, memory kept */

void buf_put_grow(struct buf *b, const void *ptr, size_t len); /* buf_put()'s own */

static inline void
buf_put(struct buf *b, const void *ptr, size_t len)
{
	if (len > 0 && b->rc == RC_OK && len <= b->cap - b->len && len <= b->max - b->len) {
		memcpy(b->ptr + b->len, ptr, len);
		b->len += len;
		return;
	}
	buf_put_grow(b, ptr, len);
}

static inline void
buf_str(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

static inline void
buf_span(struct buf *b, struct span s)
{
	buf_put(b, s.ptr, s.len);
}

static inline void
buf_byte(struct buf *b, uint8_t c)
{
	buf_put(b, &c, 1);
}

void buf_uint(struct buf *b, uint64_t n); /* in decimal */
void buf_int(struct buf *b, int64_t n);
void buf_hex(struct buf *b, struct span s); /* in lower case */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Room for len more bytes, for the caller to fill and count by buf_grew(); NULL on error. */
uint8_t *buf_room(struct buf *b, size_t len);
void buf_grew(struct buf *b, size_t len);

/* Drop the first len bytes. */
void buf_consume(struct buf *b, size_t len);

enum rc buf_check(const struct buf *b, struct fault *f) MUST_CHECK;

/* NUL-terminated text of the buffer (the NUL is not counted); NULL on error. */
const char *buf_text(struct buf *b);

/* Hand the bytes over as a malloc'd C string; the buffer is empty afterwards. */
char *buf_steal(struct buf *b);

static inline struct span
buf_view(const struct buf *b)
{
	return span_of(b->ptr, b->len);
}

#define AUTO_BUF    __attribute__((cleanup(buf_free))) struct buf
#define AUTO_SECRET __attribute__((cleanup(buf_wipe))) struct buf /* what it held is wiped */

#endif
