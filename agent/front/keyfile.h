/*
 * What is known of a key beyond its certificate: the token that it was made
 * in, and when, or that it was brought there.  STATE/front/keys/KEYID.json,
 * written before anything refers to the key and removed when the key is
 * destroyed.  "vesper key import" writes it for a key that it brings.
 *
 * A key without such a file is as good as any: it is of unknown age, and in
 * the token that the configuration names.
 */
#ifndef AGENT_FRONT_KEYFILE_H
#define AGENT_FRONT_KEYFILE_H

#include "agent/config.h"
#include "stir/es256.h"

struct keyfile {
	char token[CONFIG_NAME_MAX + 1]; /* the name of its section */
	int64_t made_s;			 /* Unix seconds */
	bool imported;			 /* from a key file: it may be elsewhere too */
};

/* In place of what was there.  RC_IO, RC_NO_MEMORY. */
enum rc keyfile_write(const struct config *c, const uint8_t key_id[KEY_ID_LEN],
    const struct keyfile *k, struct fault *f) MUST_CHECK;

/* RC_NOT_FOUND where there is none; RC_INVALID keyfile for one that is not as we write it. */
enum rc keyfile_read(const struct config *c, const uint8_t key_id[KEY_ID_LEN],
    struct keyfile *out, struct fault *f) MUST_CHECK;

/* RC_OK also where there is none. */
enum rc keyfile_remove(
    const struct config *c, const uint8_t key_id[KEY_ID_LEN], struct fault *f) MUST_CHECK;

#endif
