/*
 * The Merkle tree of a transparency log (RFC 6962 section 2.1): that a leaf
 * is in it, that one tree goes on from another, and the root of what was read
 * leaf by leaf.
 *
 * Pure.
 */
#ifndef STIR_MERKLE_H
#define STIR_MERKLE_H

#include "stir/digest.h"

enum { MERKLE_HASH = DIGEST_SHA256_LEN, MERKLE_MAX_PATH = 64, MERKLE_LEAF_MAX = 1024 * 1024 };

/* Hashes from the leaf upwards: an audit path, or a proof of consistency. */
struct merkle_path {
	size_t len;
	uint8_t node[MERKLE_MAX_PATH][MERKLE_HASH];
};

/* RFC 6962 section 2.1: SHA-256(00 | leaf). */
enum rc merkle_leaf(struct span leaf, uint8_t out[MERKLE_HASH], struct fault *f) MUST_CHECK;

/*
 * Does the path lead from the leaf's hash at index in a tree of that size to
 * root?  RC_INVALID merkle_path for one of another length than such a path
 * has, RC_DENIED merkle_root where it leads to another root.
 */
enum rc merkle_inclusion(const uint8_t leaf[MERKLE_HASH], uint64_t index, uint64_t size,
    const struct merkle_path *path, const uint8_t root[MERKLE_HASH],
    struct fault *f) MUST_CHECK;

struct merkle_tree {
	uint64_t size;
	uint8_t root[MERKLE_HASH];
};

/*
 * Is the first tree the beginning of the second?  RC_INVALID merkle_path and
 * RC_DENIED merkle_root as above; a second tree that is smaller is RC_DENIED
 * merkle_shrinks.
 */
enum rc merkle_consistency(const struct merkle_tree *first, const struct merkle_tree *second,
    const struct merkle_path *path, struct fault *f) MUST_CHECK;

/* A tree while its leaves are read: the roots of its whole subtrees, the largest first. */
struct merkle_edge {
	uint64_t size; /* leaves; as many nodes as it has bits that are set */
	uint8_t node[MERKLE_MAX_PATH][MERKLE_HASH];
};

size_t merkle_nodes(uint64_t size); /* of an edge of that size */

enum rc merkle_add(
    struct merkle_edge *e, const uint8_t leaf[MERKLE_HASH], struct fault *f) MUST_CHECK;
enum rc merkle_root(
    const struct merkle_edge *e, uint8_t out[MERKLE_HASH], struct fault *f) MUST_CHECK;

#endif
