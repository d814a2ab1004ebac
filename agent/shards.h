/*
 * The numbers of one credential over several certificates (D-17): which of them
 * is in which.
 *
 * What is where stays there.  A number that is removed leaves its place empty;
 * what is added goes where something changes anyhow, then where there is least,
 * then into a new one.  A range is cut only where it alone is too large.  The
 * same numbers and the same division before give the same one again.
 *
 * Pure.  No file, no clock.
 */
#ifndef AGENT_SHARDS_H
#define AGENT_SHARDS_H

#include "stir/tnset.h"

enum {
	SHARDS_MAX = 1024,	   /* certificates of one credential */
	SHARDS_MAX_ENTRIES = 2048, /* numbers and ranges in one of them */
	SHARDS_MAX_NUMBERS = 1000000,
};

struct shards_owner {
	uint64_t lo, hi;
	uint32_t shard;
};

struct shards {
	struct tnset **set; /* set[i] is shard i + 1's; empty where all was removed */
	size_t len;
	struct shards_owner *owner; /* the same, by number */
	size_t owners;
	size_t changed; /* how many are not as they were before */
};

/*
 * Divide numbers (NULL: none), at most so many in one (1 … SHARDS_MAX_NUMBERS),
 * beginning with what was before (NULL: nothing).  *left: ranges for which
 * there is no place; whether that is refused is the caller's question.
 *
 * RC_INVALID shards_overlap: a number was in two of them before.  RC_NO_MEMORY.
 */
enum rc shards_divide(const struct tnset *numbers, uint64_t most, const struct shards *before,
    struct shards *out, size_t *left, struct fault *f) MUST_CHECK;
/* So many, 1 … SHARDS_MAX, of which the first is to have all, and the others none. */
enum rc shards_join(
    const struct tnset *numbers, size_t len, struct shards *out, struct fault *f) MUST_CHECK;
void shards_done(struct shards *s);

/* From 1 on; 0: in none.  A binary search. */
size_t shards_find(const struct shards *s, uint64_t key);
/* The same, and up to which number the answer holds. */
size_t shards_place(const struct shards *s, uint64_t key, uint64_t *last);

#endif
