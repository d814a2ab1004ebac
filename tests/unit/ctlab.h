/*
 * A transparency log in software: leaves, the answers that an honest log
 * gives, and heads that say whatever a test wants.
 */
#ifndef TESTS_UNIT_CTLAB_H
#define TESTS_UNIT_CTLAB_H

#include "stir/ossl.h"
#include "stir/sth.h"

enum { CTLAB_LEAVES = 512 };

struct ctlab {
	EVP_PKEY *key; /* borrowed */
	size_t len;
	uint8_t leaf[CTLAB_LEAVES][MERKLE_HASH]; /* their hashes */
};

/* Filling: a leaf like no other. */
void ctlab_fill(struct ctlab *l, size_t n);
void ctlab_add(struct ctlab *l, const uint8_t hash[MERKLE_HASH]);

void ctlab_root(const struct ctlab *l, size_t size, uint8_t out[MERKLE_HASH]);

/* The answer to get-sth, signed by key, for any tree and time. */
void ctlab_sign(
    struct buf *out, EVP_PKEY *key, const struct merkle_tree *tree, int64_t time_ms);
/* … for the tree of the first size leaves, by the log itself. */
void ctlab_head(struct buf *out, const struct ctlab *l, size_t size, int64_t time_ms);

void ctlab_inclusion(struct buf *out, const struct ctlab *l, size_t index, size_t size);
void ctlab_consistency(struct buf *out, const struct ctlab *l, size_t first, size_t second);

/* "ct-logs.json" of one log with this key and address. */
void ctlab_list(struct buf *out, EVP_PKEY *key, const char *url, unsigned mmd_s);

#endif
