/*
 * What the agent says of the keys of a token, as "vesper hsm objects" hands it
 * over: a line "installation HEX", then one a key, sorted by id: its id in
 * hexadecimal, its use, whose; "-" where there is none.
 */
#ifndef PKCS11_PROVISION_USES_H
#define PKCS11_PROVISION_USES_H

#include "pkcs11/frame.h"
#include "stir/fault.h"
#include "stir/span.h"

enum { USES_MAX_FILE = 32 * 1024 * 1024, USES_MAX_KEYS = 100000, USES_WORD_MAX = 160 };

struct use {
	uint8_t id[FRAME_KEY_ID];
	struct span use, of; /* of len 0: none */
};

struct uses {
	bool owner_known;
	uint8_t owner[FRAME_OWNER];
	struct use *use;
	size_t len;
};
void uses_done(struct uses *u);

/* Keeps pointers into text.  RC_INVALID uses_file; RC_NO_MEMORY. */
enum rc uses_read(struct span text, struct uses *out, struct fault *f) MUST_CHECK;

/* NULL: the agent does not know of it. */
const struct use *uses_find(const struct uses *u, struct span id);

#endif
