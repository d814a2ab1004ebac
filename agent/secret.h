/*
 * Secrets by reference: "file:/path" and "credential:NAME" (systemd's
 * $CREDENTIALS_DIRECTORY).  Read once, kept in wiped memory.
 */
#ifndef AGENT_SECRET_H
#define AGENT_SECRET_H

#include "agent/config.h"

/*
 * Read the secret into out (buf_wipe when done); one trailing newline is
 * dropped.  RC_NOT_FOUND, RC_IO, RC_INVALID for a file that others can read.
 */
enum rc secret_read(const struct secret_ref *ref, struct buf *out, struct fault *f) MUST_CHECK;

/* The same for a file of up to max bytes; out has room for all of them. */
enum rc secret_read_long(
    const struct secret_ref *ref, size_t max, struct buf *out, struct fault *f) MUST_CHECK;

/*
 * The bytes of a key that is text in base64url, as CAs give one for external
 * account binding; "=" behind it is passed over.  RC_INVALID eab_key.
 */
enum rc secret_decode_key(struct span text, struct buf *key, struct fault *f) MUST_CHECK;

#endif
