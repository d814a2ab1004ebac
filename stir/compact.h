/*
 * The compact form of a PASSporT (RFC 8225 section 7): ".." and a signature,
 * over a header and claims that its reader rebuilds from the signalling.  It is
 * read here and never written (D-20).
 *
 * Pure.
 */
#ifndef STIR_COMPACT_H
#define STIR_COMPACT_H

#include "stir/passport.h"

/* What the signalling says of it. */
struct compact {
	const char *orig;	 /* as people write numbers, as dest */
	const char *const *dest; /* n of them */
	size_t dests;
	int64_t iat_s;	  /* of the Date field */
	const char *info; /* where the text is a PASSporT alone; NULL: in the text */
};

/* Is it "..signature", an Identity value or alone? */
bool compact_is(struct span text);

/*
 * Append the Identity value in full that it stands for: base type, orig, dest,
 * iat and the x5u that info says, no further claim.  RC_INVALID compact_form
 * for another type or no info; identity_syntax, and what passport_prepare()
 * says of numbers.
 */
enum rc compact_expand(
    struct buf *out, struct span text, const struct compact *with, struct fault *f) MUST_CHECK;

#endif
