/*
 * A set of telephone numbers as sorted, merged intervals of tn_key(): a
 * million numbers cost a binary search.  Immutable once built.
 */
#ifndef STIR_TNSET_H
#define STIR_TNSET_H

#include "stir/tn.h"

struct tnset; /* opaque */

struct tn_interval {
	uint64_t lo, hi; /* keys, both inside */
};

static inline uint64_t
tnset_numbers_in(struct tn_interval in)
{
	return in.hi - in.lo + 1;
}

/*
 * Build from n intervals in any order; they are copied.  RC_BUG tnset_interval
 * for one that is no range of numbers of one length (of one number, with * or
 * #), RC_NO_MEMORY.
 */
enum rc tnset_build(
    const struct tn_interval *list, size_t n, struct tnset **out, struct fault *f) MUST_CHECK;
void tnset_free(struct tnset *set); /* NULL is fine */
DEFINE_FREEP(tnset);

bool tnset_has(const struct tnset *set, uint64_t key);
bool tnset_within(const struct tnset *inner, const struct tnset *outer);
enum rc tnset_intersect(const struct tnset *a, const struct tnset *b, struct tnset **out,
    struct fault *f) MUST_CHECK;
/* What is in a or in b, and what is in a alone.  NULL is the empty set. */
enum rc tnset_union(const struct tnset *a, const struct tnset *b, struct tnset **out,
    struct fault *f) MUST_CHECK;
enum rc tnset_subtract(const struct tnset *a, const struct tnset *b, struct tnset **out,
    struct fault *f) MUST_CHECK;
/* Have they a number in common?  *common: the first ones, as far as they go on. */
bool tnset_meets(const struct tnset *a, const struct tnset *b, struct tn_interval *common);
uint64_t tnset_count(
    const struct tnset *set); /* numbers, saturating; known since it was built */
/* How many tnset_subtract() would leave; NULL is the empty set. */
uint64_t tnset_count_beyond(const struct tnset *a, const struct tnset *b);
size_t tnset_len(const struct tnset *set); /* intervals */
struct tn_interval tnset_at(const struct tnset *set, size_t i);

/*
 * Parse "12025550100" or "12025550110-12025550119" of the configuration.
 * RC_INVALID invalid_tn.
 */
enum rc tnset_parse(struct span text, struct tn_interval *out, struct fault *f) MUST_CHECK;

/* The same text of an interval of a set. */
enum { TNSET_TEXT = 2 * TN_MAX + 2 };
void tnset_text(struct tn_interval in, char out[TNSET_TEXT]);

#endif
