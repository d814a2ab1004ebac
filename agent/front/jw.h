/*
 * Writes JSON text straight into a buffer: answers, audit members, status.
 * A comma is put where the byte before calls for one, so callers only name
 * what they write.  Bytes that are not UTF-8 become "?".
 */
#ifndef AGENT_FRONT_JW_H
#define AGENT_FRONT_JW_H

#include "stir/buf.h"

/* key NULL: an array element or the outermost value.  Keys are literals of ours. */
void jw_open(struct buf *out, const char *key, char bracket); /* '{' or '[' */
void jw_close(struct buf *out, char bracket);		      /* '}' or ']' */
void jw_span(struct buf *out, const char *key, struct span text);
/* A string that begins with text which has nothing to escape, as base64url has not. */
void jw_behind(struct buf *out, const char *key, struct span plain, struct span text);
void jw_str(struct buf *out, const char *key, const char *text); /* NULL: null */
void jw_int(struct buf *out, const char *key, int64_t value);
void jw_time(struct buf *out, const char *key, int64_t time_s); /* 0: null */
void jw_uint(struct buf *out, const char *key, uint64_t value);
void jw_bool(struct buf *out, const char *key, bool value);
void jw_null(struct buf *out, const char *key);
void jw_hex(struct buf *out, const char *key, struct span bytes);
/* JSON text that is correct already. */
void jw_raw(struct buf *out, const char *key, struct span text);

#endif
