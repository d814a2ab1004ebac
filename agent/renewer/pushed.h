/*
 * Authority tokens that an operator or a portal gave: kept in
 * STATE/renewer/tokens, one of each kind for a credential, until they expire or
 * are of no use.  Whether one can be used is authtok.c's to say.
 *
 * A token is never logged.  One thread.
 */
#ifndef AGENT_RENEWER_PUSHED_H
#define AGENT_RENEWER_PUSHED_H

#include "agent/config.h"
#include "agent/renewer/store.h"

enum token_kind { TOKEN_NUMBERS, TOKEN_CLAIMS, TOKEN__COUNT };

/* The base name of its file: the record's (record.h), and ".n" or ".c". */
enum { PUSHED_FILE_NAME = 2 * CONFIG_NAME_MAX + 5 };

/* RC_INVALID: it is no authority token, whose type says which kind it is; RC_IO; RC_NO_MEMORY. */
enum rc pushed_keep(struct store *store, const char *tenant, const char *name,
    const char *token, struct fault *f) MUST_CHECK;

/* Appended to *out, which the caller wipes.  RC_NOT_FOUND: none, or a file without; RC_IO. */
enum rc pushed_read(struct store *store, const char *tenant, const char *name,
    enum token_kind k, struct buf *out, struct fault *f) MUST_CHECK;

/* Unix seconds at which it expires; 0: there is none. */
int64_t pushed_until_s(
    struct store *store, const char *tenant, const char *name, enum token_kind k);

/* It is kept no longer; what the disk says to that is logged. */
void pushed_drop(struct store *store, const char *tenant, const char *name, enum token_kind k);

#endif
