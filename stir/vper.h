/*
 * The PASSporT claim "vper" of draft-wendt-stir-vesper-06: who the caller is,
 * and GLUE identifiers (draft-ietf-spice-glue-id).
 *
 * Syntax alone.  That a name is the one which an identifier is registered
 * under (V-47) and that a domain is its holder's (V-48) was vetted when the
 * constraints were issued; nobody asks a registry or the DNS for a call.
 */
#ifndef STIR_VPER_H
#define STIR_VPER_H

#include "stir/fault.h"
#include "stir/span.h"

#include <jansson.h>

enum {
	VPER_MAX_ID = 256,
	VPER_MAX_GLUE = 16, /* identifiers of one entity */
	VPER_MAX_NAME = 512,
	VPER_MAX_DOMAIN = 253,
	GLUE_MAX_AUTHORITY = 50,
	GLUE_MAX_EXTERNAL = 1000,
};

/*
 * An object of id, glue, name and domain, all of them and nothing else (V-44,
 * V-49); a hashed form does not exist (D-58).  RC_INVALID invalid_claim with
 * "vper", "vper/glue", …  For the table of claims: name is the claim's.
 */
enum rc vper_check(const char *name, const json_t *value, struct fault *f) MUST_CHECK;

/*
 * Is vper.id the entity's opaque identifier (D-63)?  NULL for either: nothing
 * to compare.  RC_DENIED value_not_permitted; the detail shows neither.
 */
enum rc vper_check_entity(
    const json_t *vper, const char *entity_id, struct fault *f) MUST_CHECK;

/* The members that every vper has: "id", "glue", "name", "domain". */
bool vper_is_member(struct span name);

/* "urn:glue:AUTHORITY:EXTERNAL" in its canonical, lower-case form. */
bool vper_is_glue(struct span urn);

/* A name of at least two labels (RFC 1123 section 2.1), no address. */
bool vper_is_domain(struct span name);

#endif
