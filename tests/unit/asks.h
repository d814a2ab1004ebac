/*
 * The renewer's questions about what operators asked, and what the JWS that it
 * is given say.
 */
#ifndef TESTS_UNIT_ASKS_H
#define TESTS_UNIT_ASKS_H

#include "agent/front/works.h"

#include <jansson.h>

#define ASKS_URL "https://127.1.2.3:14000/x"
#define ASKS_KID "https://127.1.2.3:14000/a/1"

/* The answer to an operation (taken); a new reference, as all that follow. */
json_t *asks_op(struct works *w, json_t *msg);

const char *asks_reason(const json_t *answer); /* "": it is good */
const char *asks_text(const json_t *o, const char *name);

/* The n-th errand; empty: there is none. */
json_t *asks_errand(struct works *w, size_t n);
json_t *asks_jws(
    struct works *w, const char *id, const char *ca, const char *kid, const char *url);
json_t *asks_told(
    struct works *w, const char *id, bool final, const char *reason, const char *detail);

/* Signed by this key; *header and *payload are new references. */
void asks_open(const json_t *answer, const uint8_t *point, json_t **header, json_t **payload);

/* The same of a JWS that no answer is around. */
void asks_open_jws(const json_t *jws, const uint8_t *point, json_t **header, json_t **payload);

#endif
