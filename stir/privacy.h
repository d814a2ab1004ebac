/*
 * The privacy modes of VESPER -06 in claim constraints: a value itself, its
 * hash, or a commitment to it with a secret salt, and the salts.
 *
 * The mode is part of the name in permittedValues, so that it is read from
 * the certificate alone (D-13 … D-15):
 *
 *	vper/name			one of the values
 *	vper/name#sha-256		base64 of SHA-256(V)
 *	vper/name#commit-sha-256	base64 of SHA-256(S || V)
 *	vper/name#salt-sha-256		base64 of SHA-256(S)
 *
 * V is the RFC 8225 section 9 text of the claim's part, a string with its
 * quotes as in rcdi (RFC 9795 section 6.1); base64 has no padding.
 *
 * Pure.  A struct salts never changes once made and is wiped when it is freed.
 */
#ifndef STIR_PRIVACY_H
#define STIR_PRIVACY_H

#include "stir/buf.h"

#include <jansson.h>

enum {
	PRIVACY_DIGEST_TEXT = 43 + 1, /* base64 of 32 octets and a NUL */
	PRIVACY_SALT_MIN = 16,	      /* V-55: 128 bits */
	PRIVACY_SALT_MAX = 64,
	PRIVACY_SALT_NEW = 32, /* octets of those that we make */
	PRIVACY_MAX_SALTS = 256,
	PRIVACY_MAX_PATH = 1024,
	PRIVACY_MAX_FILE = 65536, /* bytes of a file of salts */
};

enum privacy_mode {
	PRIVACY_VALUE,
	PRIVACY_HASH,	/* "#sha-256" */
	PRIVACY_COMMIT, /* "#commit-sha-256" */
	PRIVACY_SALT,	/* "#salt-sha-256": what the salt of a commitment hashes to */
	PRIVACY__COUNT
};

/* A name of permittedValues taken apart; borrowed. */
struct privacy_name {
	enum privacy_mode mode;
	struct span path;    /* "vper/name": without the mode */
	struct span claim;   /* "vper" */
	struct span pointer; /* "/name"; empty for the whole claim */
};

/* RC_INVALID privacy_mode: what stands behind the last '#' is no mode of ours. */
enum rc privacy_name(const char *name, struct privacy_name *out, struct fault *f) MUST_CHECK;

/* "#commit-sha-256"; "" for PRIVACY_VALUE. */
const char *privacy_suffix(enum privacy_mode mode);

/* "value", "hash", "commit", "salt" */
const char *privacy_mode_name(enum privacy_mode mode);

/* Is it the one spelling of a SHA-256 digest: 43 characters of base64, no padding? */
bool privacy_is_digest(const char *text);

/* base64(SHA-256(salt || V)); an empty salt: the hash mode. */
enum rc privacy_digest(struct span salt, const json_t *value, char out[PRIVACY_DIGEST_TEXT],
    struct fault *f) MUST_CHECK;

/* base64(SHA-256(salt)). */
enum rc privacy_salt_digest(
    struct span salt, char out[PRIVACY_DIGEST_TEXT], struct fault *f) MUST_CHECK;

/* ---- salts ---- */

struct salts;

/*
 * A line a salt: its unpadded base64, a space, the path.  Empty lines and
 * those that begin with '#' are passed over.  RC_INVALID salts_line,
 * salts_base64, salts_length, salts_path, salts_twice, salts_limit with the
 * line's number and nothing of what is in it.
 */
enum rc salts_read(struct span text, struct salts **out, struct fault *f) MUST_CHECK;
void salts_free(struct salts *s); /* wipes */
DEFINE_FREEP(salts);

size_t salts_len(const struct salts *s); /* 0 for NULL */

/* The salt of a path, borrowed; len 0: none.  s may be NULL. */
struct span salts_find(const struct salts *s, struct span path);

/* Append the line of one salt to a file's text (buf_wipe() it). */
enum rc salts_put(
    struct buf *out, struct span path, struct span salt, struct fault *f) MUST_CHECK;

#endif
