/*
 * JSON Pointer (RFC 6901): which part of a value a text like "/jcd/1/3/3"
 * names.
 *
 * Pure.
 */
#ifndef STIR_JPOINTER_H
#define STIR_JPOINTER_H

#include "stir/buf.h"

#include <jansson.h>

/* Empty, or reference tokens that begin with "/" and have "~" in "~0" and "~1" only. */
bool jpointer_is_valid(const char *pointer);

/*
 * What a valid pointer names in value; *out NULL: nothing.  An array index has
 * no leading zeros, and "-" names no element that is there.
 */
enum rc jpointer_find(
    const json_t *value, const char *pointer, const json_t **out, struct fault *f) MUST_CHECK;

/* Append "/" and one reference token, escaped. */
void jpointer_put(struct buf *out, const char *token);

#endif
