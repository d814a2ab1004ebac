/*
 * Is a text JSON by its grammar alone (RFC 8259 sections 2 to 7)?  Whatever
 * its numbers are worth, whatever its escapes make, however deep it is, and a
 * name twice: what jtext_read() refuses is JSON all the same to other readers.
 *
 * For who has to know how another program may take a text.  Nothing is
 * decoded.  Pure.
 */
#ifndef STIR_JGRAMMAR_H
#define STIR_JGRAMMAR_H

#include "stir/span.h"

enum { JGRAMMAR_MAX_BYTES = 65536 };

/* The text is UTF-8, which is not looked at again; one that is longer is none. */
bool jgrammar_is_json(struct span text);

#endif
