/*
 * PASSporT types by one table of rules, a row a ppt.  Adding a type is adding
 * a row and the checks of its claims.
 */
#ifndef STIR_PPT_H
#define STIR_PPT_H

#include "stir/profile.h"
#include "stir/tn.h"

#include <jansson.h>

enum ppt { PPT_BASE, PPT_SHAKEN, PPT__COUNT };

enum authorising { AUTHORISED_BY_ORIG }; /* whose number the certificate must cover */

/* Checks one claim's type and syntax: RC_INVALID invalid_claim. */
typedef enum rc claim_check(const char *name, const json_t *value, struct fault *f);

struct claim_rule {
	const char *name;
	bool required;
	claim_check *check;
};

struct ppt_rule {
	const char *name; /* NULL: the base PASSporT, which has no ppt */
	unsigned classes; /* 1 << enum credential_class */
	enum authorising by;
	const struct claim_rule *claims; /* beside orig, dest, iat; ends with name NULL */
};

const struct ppt_rule *ppt_rule(enum ppt p);

/* NULL name is the base type.  RC_INVALID unsupported_ppt. */
enum rc ppt_find(const char *name, enum ppt *out, struct fault *f) MUST_CHECK;

#endif
