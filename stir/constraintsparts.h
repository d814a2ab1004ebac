/*
 * What the files of claim constraints share: reading and writing
 * (constraintsder.c), activation (constraintscheck.c), decision
 * (constraintsplan.c), comparison (constraints.c).  For these only.
 */
#ifndef STIR_CONSTRAINTSPARTS_H
#define STIR_CONSTRAINTSPARTS_H

#include "stir/constraints.h"
#include "stir/privacy.h"

bool constraints_has(char *const *list, size_t n, const char *name);

/* Taken apart; a mode that is not known is part of the path, which then names nothing. */
struct privacy_name constraints_parts(const char *name);

/* Were it JSON, it would be an object or an array. */
bool constraints_is_structured(const char *text);

/*
 * The RFC 8225 form of a permitted text that is a JSON object or array; same
 * says whether it is in that form.  *found false: it is no such text.
 */
enum rc constraints_structured(
    const char *text, struct buf *out, bool *found, struct fault *f) MUST_CHECK;

/* A string of these octets: free() it. */
enum rc constraints_copy(struct span text, char **out, struct fault *f) MUST_CHECK;

#endif
