/*
 * The user PIN: read from its reference, held in locked memory for the one
 * login, and the record of a refused one, so that no restart tries it again
 * and locks the token.  Main thread only.
 */
#ifndef PKCS11_PIN_H
#define PKCS11_PIN_H

#include "stir/fault.h"

#include <stdbool.h>
#include <stdint.h>

enum { PIN_MAX = 255, PIN_PATH_MAX = 4096, PIN_NAME_LEN = 8 };

/* Where a PIN is from; nothing of it tells the PIN. */
struct pin_source {
	uint8_t hash[32];	    /* SHA-256 of the reference and the file's mtime and size */
	uint8_t name[PIN_NAME_LEN]; /* the beginning of that of the reference alone */
};

struct pin {
	uint8_t bytes[PIN_MAX + 1]; /* and a NUL */
	size_t len;
	struct pin_source source;
};

/*
 * Read ref, "file:PATH" or "credential:NAME" (of $CREDENTIALS_DIRECTORY); one
 * trailing newline is dropped.  The caller wipes it.  RC_INVALID "pin_source"
 * for anything that cannot be read, is empty, or that others can read.
 */
enum rc pin_read(const char *ref, struct pin *out, struct fault *f) MUST_CHECK;
void pin_wipe(struct pin *pin);

/* Keep it out of swap, until pin_wipe. */
void pin_lock(struct pin *pin);

/* One line of text is in it, with or without its newline, which is dropped; source for people. */
enum rc pin_check_line(struct pin *pin, const char *source, struct fault *f) MUST_CHECK;

/*
 * RC_DENIED "pin_refused" when this very source was refused by the token of
 * this serial before.  Prepares the record, so that a refusal can always be
 * written: RC_INVALID "state" when the directory does not allow it.  A NULL
 * directory keeps no record: an operator is there to see the refusal.
 */
enum rc pin_check_refused(const char *state_dir, const char *serial,
    const struct pin_source *source, struct fault *f) MUST_CHECK;

/* Remember the refusal durably, or forget an earlier one of the same reference. */
enum rc pin_refused(const char *state_dir, const char *serial, const struct pin_source *source,
    struct fault *f) MUST_CHECK;
void pin_accepted(const char *state_dir, const char *serial, const struct pin_source *source);

/* The login failed for another reason than the PIN: what was prepared goes. */
void pin_not_judged(const char *state_dir, const char *serial, const struct pin_source *source);

/* The token of this serial has another PIN now: whatever was refused may be right. */
void pin_changed(const char *state_dir, const char *serial);

enum pin_record {
	PIN_FREE, /* it goes to the token: nothing is on record, or what was there before it */
	PIN_UNKNOWN, /* one of this reference was refused; what is there now cannot be seen */
	PIN_HELD,    /* this very PIN was refused, and is not tried */
};

struct pin_found {
	enum pin_record is;
	char path[PIN_PATH_MAX]; /* of the record; "" where it is PIN_FREE */
};

/*
 * What is on record of ref, whose PIN is not read; serial NULL: at any token.
 * RC_IO, RC_INVALID "state" for a directory or a record that cannot be read.
 */
enum rc pin_recorded(const char *state_dir, const char *serial, const char *ref,
    struct pin_found *out, struct fault *f) MUST_CHECK;

#endif
