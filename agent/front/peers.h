/*
 * Chains of other parties that are known beforehand by their x5u: a directory
 * that the operator's verification service fills (original_chains), one PEM
 * file a chain, leaf first, named PEERS_NAME: SHA-256 of the x5u in lower-case
 * hex, then ".pem".  Read at start and at a reload, on the builder thread;
 * immutable from then on.
 *
 * Nothing is believed by being there: whoever uses a chain verifies it to the
 * trust anchors.
 */
#ifndef AGENT_FRONT_PEERS_H
#define AGENT_FRONT_PEERS_H

#include "stir/chain.h"

enum {
	PEERS_MAX = 4096,	/* chains */
	PEERS_FILE_MAX = 65536, /* bytes of one */
	PEERS_NAME = 2 * 32 + 4,
};

struct peers;

/*
 * What is there and can be used; the rest is logged and left out: a directory
 * that is missing or full of rubbish is no reason not to sign.  RC_NO_MEMORY.
 */
enum rc peers_load(const char *dir, struct peers **out, struct fault *f) MUST_CHECK;
void peers_free(struct peers *p);
DEFINE_FREEP(peers);

/* Chains. */
size_t peers_len(const struct peers *p);

/* Borrowed; NULL: not known.  p may be NULL. */
const struct chain *peers_find(const struct peers *p, struct span x5u);

#endif
