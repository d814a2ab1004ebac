/*
 * STATE/renewer: small JSON files, written as temp, fsync, rename, fsync of
 * the directory.  Names are made of the configuration's names, so they hold
 * no "/" and begin with a letter or digit.
 */
#ifndef AGENT_RENEWER_STORE_H
#define AGENT_RENEWER_STORE_H

#include "stir/buf.h"

enum store_kind { STORE_ORDERS, STORE_ACCOUNTS, STORE_TOKENS, STORE__COUNT };
enum { STORE_FILE_MAX = 256 * 1024, STORE_NAME_MAX = 192 };

struct store;

/* Opens state_dir/renewer, making what is missing below state_dir (0700).  RC_IO store. */
enum rc store_open(const char *state_dir, struct store **out, struct fault *f) MUST_CHECK;
void store_free(struct store *s);
DEFINE_FREEP(store);

/* Replace the file NAME.json; it is on disk when this returns RC_OK. */
enum rc store_write(struct store *s, enum store_kind kind, const char *name, struct span text,
    struct fault *f) MUST_CHECK;

/* Append its content to out.  RC_NOT_FOUND; RC_INVALID above STORE_FILE_MAX. */
enum rc store_read(struct store *s, enum store_kind kind, const char *name, struct buf *out,
    struct fault *f) MUST_CHECK;

/* RC_OK also when it was not there. */
enum rc store_remove(
    struct store *s, enum store_kind kind, const char *name, struct fault *f) MUST_CHECK;

/* Remove every file that keep() does not want, and what an interrupted write left. */
enum rc store_sweep(struct store *s, enum store_kind kind,
    bool (*keep)(void *arg, const char *name), void *arg, struct fault *f) MUST_CHECK;

#endif
