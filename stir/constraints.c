#include "stir/constraints.h"

#include <stdlib.h>

#include "stir/constraintsparts.h"
#include "stir/jpointer.h"
#include "stir/jtext.h"
#include "stir/ppt.h"

/* ---- names and pointers ------------------------------------------------------------- */

bool
constraints_has(char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i], name) == 0)
			return true;
	}
	return false;
}

bool
constraints_exclude_base(const struct constraints *c)
{
	for (size_t i = 0; i < c->must_excludes; i++) {
		if (ppt_is_base_claim(c->must_exclude[i]))
			return true;
	}
	return false;
}

const char *
constraints_form_name(enum constraints_form form)
{
	return form == CONSTRAINTS_ENHANCED ? "EnhancedJWTClaimConstraints"
					    : "JWTClaimConstraints";
}

struct privacy_name
constraints_parts(const char *name)
{
	struct privacy_name n = { 0 };

	if (privacy_name(name, &n, NULL) != RC_OK)
		n.claim = n.path = span_str(name);
	return n;
}

bool
constraints_permits(const struct constraints *c, const char *claim)
{
	for (size_t i = 0; i < c->permitteds; i++) {
		if (strcmp(c->permitted[i].claim, claim) == 0)
			return true;
	}
	return false;
}

/* ---- text (D-12) -------------------------------------------------------------------- */

enum rc
constraints_text(struct buf *out, const json_t *value, struct fault *f)
{
	if (!json_is_string(value))
		return jtext_write(out, value, f);
	buf_span(out, jtext_span(value));
	return buf_check(out, f);
}

bool
constraints_is_structured(const char *text)
{
	char first = text[strspn(text, " \t\r\n")];

	return first == '{' || first == '[';
}

enum rc
constraints_structured(const char *text, struct buf *out, bool *found, struct fault *f)
{
	json_auto_t *value = NULL;
	enum rc rc;

	*found = false;
	if (!constraints_is_structured(text))
		return RC_OK;
	rc = jtext_read(span_str(text), &value, NULL);
	if (rc == RC_NO_MEMORY)
		return FAULT(f, rc, "no_memory", "a permitted value");
	if (rc != RC_OK)
		return RC_OK; /* characters of a string, which any text may be */
	TRY(jtext_write(out, value, f));
	*found = true;
	return RC_OK;
}

void
constraints_readings_done(struct constraints_readings *r)
{
	while (r->len > 0)
		json_decref(r->value[--r->len]);
}

enum rc
constraints_read(const char *text, const struct constraints_policy *policy,
    struct constraints_readings *out, struct fault *f)
{
	json_auto_t *string = json_string_nocheck(text), *value = NULL;
	enum rc rc = jtext_read(span_str(text), &value, NULL);

	if (string == NULL || rc == RC_NO_MEMORY)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a permitted value");
	*out = (struct constraints_readings){ .value = { TAKE(string) }, .len = 1 };
	if (rc == RC_OK && (!json_is_string(value) || policy->accept_quoted_permitted))
		out->value[out->len++] = TAKE(value);
	return RC_OK;
}

/* ---- spans -------------------------------------------------------------------------- */

enum rc
constraints_copy(struct span text, char **out, struct fault *f)
{
	char *copy = calloc(1, text.len + 1);

	if (copy == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu octets", text.len);
	if (text.len > 0)
		memcpy(copy, text.ptr, text.len);
	*out = copy;
	return RC_OK;
}

/* ---- parts ------------------------------------------------------------------------ */

/* The part that a name points to; NULL where there is none. */
static enum rc
find_part(
    const json_t *claims, const struct privacy_name *n, const json_t **part, struct fault *f)
{
	AUTO_FREE char *claim = NULL;
	AUTO_FREE char *pointer = NULL;

	TRY(constraints_copy(n->claim, &claim, f));
	TRY(constraints_copy(n->pointer, &pointer, f));
	return jpointer_find(json_object_get(claims, claim), pointer, part, f);
}

enum rc
constraints_part(
    const json_t *claims, const struct permitted *p, const json_t **out, struct fault *f)
{
	struct privacy_name n = { 0 };

	TRY(privacy_name(p->claim, &n, f));
	return find_part(claims, &n, out, f);
}

/* ---- comparison --------------------------------------------------------------------- */

static enum rc
wider(struct fault *f, const char *claim, const char *what)
{
	return fault_set(f, RC_DENIED, "constraints_wider", claim, FAULT_HERE, "%s", what);
}

/* Does inner hold claim to the values of p?  One entry inside is enough: entries intersect. */
static bool
holds_to(const struct constraints *inner, const struct permitted *p)
{
	for (size_t i = 0; i < inner->permitteds; i++) {
		const struct permitted *q = &inner->permitted[i];
		bool inside = strcmp(q->claim, p->claim) == 0;

		for (size_t k = 0; k < q->values && inside; k++)
			inside = constraints_has(p->value, p->values, q->value[k]);
		if (inside)
			return true;
	}
	/* A claim that may not be there has no value, or part, that is not permitted. */
	for (size_t i = 0; i < inner->must_excludes; i++) {
		if (span_is(constraints_parts(p->claim).claim, inner->must_exclude[i]))
			return true;
	}
	return false;
}

/*
 * Entries are compared by their names with the mode: the encoding is the same
 * in what was asked for, the token and the extension (VESPER -06, V-59), and
 * nobody can tell what another one of a hash or commitment would permit.
 * The form does not count by itself: absence is permitted under both (D-08),
 * and only the enhanced one can exclude.
 */
enum rc
constraints_within(
    const struct constraints *inner, const struct constraints *outer, struct fault *f)
{
	if (outer == NULL)
		return RC_OK;
	if (inner == NULL)
		return wider(f, NULL, "no constraints where there should be");
	for (size_t i = 0; i < outer->must_includes; i++) {
		if (!constraints_has(
			inner->must_include, inner->must_includes, outer->must_include[i]))
			return wider(f, outer->must_include[i], "no longer demanded");
	}
	for (size_t i = 0; i < outer->must_excludes; i++) {
		if (!constraints_has(
			inner->must_exclude, inner->must_excludes, outer->must_exclude[i]))
			return wider(f, outer->must_exclude[i], "no longer excluded");
	}
	for (size_t i = 0; i < outer->permitteds; i++) {
		if (!holds_to(inner, &outer->permitted[i]))
			return wider(
			    f, outer->permitted[i].claim, "a value that was not permitted is");
	}
	return RC_OK;
}
