/*
 * Sets of numbers in our own JSON files: an array of "12025550100" and
 * "12025550110-12025550119".  Pure.
 */
#ifndef AGENT_FRONT_TNJSON_H
#define AGENT_FRONT_TNJSON_H

#include "stir/buf.h"
#include "stir/jtext.h"
#include "stir/tnset.h"

/* An interval in JSON: both numbers, "-", quotes and a comma. */
enum { TNJSON_TEXT = TNSET_TEXT + 3 };

/* RC_INVALID numbers_file: no array of at most max of them. */
enum rc tnjson_read(
    const json_t *list, size_t max, struct tnset **out, struct fault *f) MUST_CHECK;
void tnjson_write(struct buf *out, const struct tnset *set); /* NULL is the empty set */

#endif
