/*
 * The JSON that callers send all day, read in one pass: objects, arrays,
 * printable ASCII without escapes, integers of up to 15 digits, true, false,
 * null.  jtext_read() asks here first.
 *
 * Not a second opinion: whatever is anything else, wrong or only unusual, is
 * left to the reader proper, which also says what is wrong.  Pure.
 */
#ifndef STIR_JQUICK_H
#define STIR_JQUICK_H

#include "stir/span.h"

#include <jansson.h>

/* A new reference; NULL: not for this reader, or no memory. */
json_t *jquick_read(struct span text, unsigned max_depth);

#endif
