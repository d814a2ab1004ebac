/*
 * What the files of claim constraints share: reading and writing
 * (constraintsder.c), activation (constraintscheck.c, and constraintsbase.c for
 * orig, dest and iat), decision (constraintsplan.c), comparison
 * (constraints.c).  For these only.
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

/* The values that a permitted text stands for (D-12): its characters, the JSON that it is. */
struct constraints_readings {
	json_t *value[2]; /* owned */
	size_t len;
};
enum rc constraints_read(const char *text, const struct constraints_policy *policy,
    struct constraints_readings *out, struct fault *f) MUST_CHECK;
void constraints_readings_done(struct constraints_readings *r);

/* ---- constraintsbase.c ---- */

/* orig, dest or iat. */
bool constraints_is_base(struct span claim);

/* Can orig, dest or iat be just this in some PASSporT: complete, canonical, sorted? */
enum rc constraints_fits_base(
    const char *claim, json_t *value, bool orig_uri, bool *yes, struct fault *f) MUST_CHECK;

/* A part that an orig or a dest can have (RFC 8225 section 5.2.1). */
struct constraints_place {
	const char *claim, *member;
	bool list;    /* the member is an array */
	bool element; /* one of its elements is meant */
};

/* Where the pointer of a name leads in a base claim; false: nowhere, in any PASSporT. */
bool constraints_base_place(const struct privacy_name *n, struct constraints_place *out);

/* *whole: a claim of which that part is the value, and nothing beside; owned. */
enum rc constraints_base_around(const struct constraints_place *at, json_t *value,
    json_t **whole, struct fault *f) MUST_CHECK;

/*
 * What no PASSporT can be sent without is not only committed to (D-15), nor,
 * where what is absent is refused (D-08), permitted in forms of which a
 * PASSporT has one alone.
 */
enum rc constraints_check_base(const struct constraints *c,
    const struct constraints_policy *policy, struct fault *f) MUST_CHECK;

#endif
