/*
 * Values of the core as JSON and as text for people.  JSON functions return a
 * new reference, NULL without memory.
 */
#ifndef CLIENT_SHOW_H
#define CLIENT_SHOW_H

#include "stir/chain.h"

/* {"entries":[…],"numbers":n,"spcs":n} */
json_t *show_tnauth(const struct tnauth *list);

/* {"must_include":[…],"permitted_values":[…],"must_exclude":[…],"form":…} */
json_t *show_constraints(const struct constraints *c);

/* SHA-256 of the whole certificate, lower-case hex. */
json_t *show_fingerprint(const struct cert *c);

/* An array of them. */
json_t *show_strings(char *const *item, size_t n);

json_t *show_cert(const struct cert *c);

/* Print text with '?' for what a person would not see. */
void show_plain(const char *text);

/*
 * Print a JSON value as people read it: one member a line, nested ones
 * indented, no quotes around text.
 */
void show_text(const json_t *value, int indent);

#endif
