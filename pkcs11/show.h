/*
 * Text of a token, which nobody vouches for, in tables and in JSON.
 */
#ifndef PKCS11_SHOW_H
#define PKCS11_SHOW_H

#include "stir/span.h"

#include <stdio.h>

/* Padded to width on a terminal; what is not printable ASCII or UTF-8 text becomes '?'. */
void show_text(FILE *out, struct span text, int width);

/* A JSON string with its quotes. */
void show_json(FILE *out, struct span text);

void show_hex(FILE *out, struct span bytes);

#endif
