/*
 * JWTClaimConstraints (RFC 8226 section 8) and EnhancedJWTClaimConstraints
 * (RFC 9118): which claims a certificate demands, permits and forbids.
 *
 * Pure.  A struct constraints never changes once made.
 */
#ifndef STIR_CONSTRAINTS_H
#define STIR_CONSTRAINTS_H

#include "stir/privacy.h"

enum constraints_form {
	CONSTRAINTS_JWT,      /* id-pe 27: mustInclude, permittedValues */
	CONSTRAINTS_ENHANCED, /* id-pe 33: the same and mustExclude */
};

enum {
	CONSTRAINTS_MAX_CLAIMS = 256, /* names in one list */
	CONSTRAINTS_MAX_DER = 65536,
	CONSTRAINTS_MAX_VALUES = 1024, /* values of one claim */
};

/*
 * claim is a claim's name, or a name and an RFC 6901 pointer into its value
 * ("vper/name", D-13), with or without a privacy mode (privacy.h).  Such an
 * entry constrains only that part; a claim whose own name is the whole text
 * ("https://example.org/c") is held to it too.
 */
struct permitted {
	char *claim;
	char **value; /* UTF-8, NUL-terminated; an embedded NUL does not decode */
	size_t values;
};

struct constraints {
	enum constraints_form form;
	char **must_include;
	size_t must_includes;
	struct permitted *permitted;
	size_t permitteds;
	char **must_exclude;
	size_t must_excludes;
};

/*
 * Decode the extension value.  RC_INVALID with constraints_empty,
 * constraints_name (not ASCII), constraints_value (not UTF-8),
 * constraints_limit, constraints_tag, der_*.
 */
enum rc constraints_decode(struct span der, enum constraints_form form,
    struct constraints **out, struct fault *f) MUST_CHECK;
void constraints_free(struct constraints *c);
DEFINE_FREEP(constraints);

enum rc constraints_encode(
    struct buf *out, const struct constraints *c, struct fault *f) MUST_CHECK;

/* "JWTClaimConstraints" or "EnhancedJWTClaimConstraints" */
const char *constraints_form_name(enum constraints_form form);

/* Switches of D-08, D-12, D-15. */
struct constraints_policy {
	bool rfc8226_strict_permitted; /* absent claim fails under the RFC 8226 form */
	bool normalise_permitted;      /* accept object text that is not in RFC 8225 form */
	bool accept_quoted_permitted;  /* accept "\"x\"" for the string x */
	bool assert_committed;	       /* a committed value may be sent in clear */
	bool commit_without_salt;      /* … even where there is no salt to prove it with */
	bool orig_uri;		       /* D-26: not every PASSporT has orig.tn */
	const struct salts *salts;     /* borrowed, not part of a configuration; NULL: none */
};

/*
 * What a signer finds out when a credential is activated, not at the
 * thousandth call: base claims in mustExclude (D-09), one claim demanded and
 * forbidden, an empty intersection of duplicates (D-11), object text that is
 * not in RFC 8225 form (D-12), malformed pointers and pointers outside
 * permittedValues (D-13), privacy modes that are unknown or whose value is no
 * digest, more than one encoding of a path (V-53), a demanded claim, or one that
 * each PASSporT has, that no permitted value lets be sent, a path into orig, dest
 * or iat that names nothing there, or has none of its values in any PASSporT.
 * RC_DENIED credential_unusable, and the claim.
 */
enum rc constraints_check(const struct constraints *c, const struct constraints_policy *p,
    struct fault *f) MUST_CHECK;

/* What is odd but no reason to refuse, one line; NULL when there is no nth of them. */
const char *constraints_oddity(const struct constraints *c, size_t n);

/*
 * The constraints taken apart, once for many decisions: names, paths and values
 * are sorted, so that a decision costs no more than the logarithm of their
 * number for each part of the claims.  Borrows c; never changes once made.
 */
struct constraints_plan;
enum rc constraints_plan(
    const struct constraints *c, struct constraints_plan **out, struct fault *f) MUST_CHECK;
void constraints_plan_free(struct constraints_plan *p);
DEFINE_FREEP(constraints_plan);

/*
 * Are these claims inside the constraints?  RC_DENIED with claim_excluded,
 * claim_missing_by_constraint, value_not_permitted, private_claim_in_clear or
 * commitment_not_provable, and the claim or its part.  A commitment that
 * cannot be proven is told only where nothing else is wrong, so that a
 * verifier may go on from it (V-68).
 * The detail never shows a permitted value, a digest or a salt.
 */
enum rc constraints_judge(const struct constraints_plan *plan,
    const struct constraints_policy *p, const json_t *claims, struct fault *f) MUST_CHECK;
/* The same for who decides once; RC_NO_MEMORY as well. */
enum rc constraints_evaluate(const struct constraints *c, const struct constraints_policy *p,
    const json_t *claims, struct fault *f) MUST_CHECK;

/*
 * Do the claims carry something that the certificate only commits to?  *out
 * is the entry, NULL when there is none.
 */
enum rc constraints_committed(const struct constraints_plan *plan, const json_t *claims,
    const struct permitted **out, struct fault *f) MUST_CHECK;

/* The claim, or the part of it, that p is about; *out NULL: it is not there. */
enum rc constraints_part(const json_t *claims, const struct permitted *p, const json_t **out,
    struct fault *f) MUST_CHECK;

/* Named in any list, in permittedValues whole or by a pointer into it (D-51). */
bool constraints_names(const struct constraints_plan *plan, const char *claim);
/* One of those names, some of them twice; NULL behind the last. */
const char *constraints_name_at(const struct constraints_plan *plan, size_t i);

/* Does permittedValues list the claim whole: is every value of it compared? */
bool constraints_permits(const struct constraints *c, const char *claim);

/*
 * Is every part of this claim's value vetted (D-16)?  Either the claim is named
 * whole, or pointers name it or all of its members.
 */
bool constraints_vets(
    const struct constraints_plan *plan, const char *claim, const json_t *value);

/* orig, dest or iat in mustExclude: for a verifier as if there were no extension (D-09). */
bool constraints_exclude_base(const struct constraints *c);

/*
 * Does inner allow only what outer allows?  Used on authority tokens (what
 * the claim agent granted against what was asked) and at renewal.
 * RC_DENIED constraints_wider, with the claim.
 */
enum rc constraints_within(const struct constraints *inner, const struct constraints *outer,
    struct fault *f) MUST_CHECK;

/* The text of a claim value as constraints compare it (D-12). */
enum rc constraints_text(struct buf *out, const json_t *value, struct fault *f) MUST_CHECK;

#endif
