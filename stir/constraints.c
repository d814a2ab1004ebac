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
constraints_names(const struct constraints *c, const char *claim)
{
	/* What is excluded as well: then it is refused as that, and not as unknown. */
	if (constraints_has(c->must_include, c->must_includes, claim) ||
	    constraints_has(c->must_exclude, c->must_excludes, claim))
		return true;
	for (size_t i = 0; i < c->permitteds; i++) {
		const char *name = c->permitted[i].claim;

		if (strcmp(name, claim) == 0 || span_is(constraints_parts(name).claim, claim))
			return true;
	}
	return false;
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

enum rc
constraints_structured(const char *text, struct buf *out, bool *found, struct fault *f)
{
	json_auto_t *value = NULL;
	enum rc rc;

	*found = false;
	if (text[strspn(text, " \t\r\n")] != '{' && text[strspn(text, " \t\r\n")] != '[')
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

/* ---- decision ----------------------------------------------------------------------- */

/* The value that is judged, in the spellings that count as equal. */
struct judged {
	struct buf text;
	struct buf quoted; /* of a string: with its quotes */
};

static void
judged_done(struct judged *j)
{
	buf_free(&j->text);
	buf_free(&j->quoted);
}

static enum rc
matches(const char *permitted, const struct judged *j, const json_t *value,
    const struct constraints_policy *policy, bool *yes, struct fault *f)
{
	AUTO_BUF form = BUF_INIT(CONSTRAINTS_MAX_DER);
	bool found = false;

	*yes = span_is(buf_view(&j->text), permitted);
	if (!*yes && policy->accept_quoted_permitted && json_is_string(value))
		*yes = span_is(buf_view(&j->quoted), permitted);
	if (*yes || !policy->normalise_permitted || json_is_string(value))
		return RC_OK;
	TRY(constraints_structured(permitted, &form, &found, f));
	*yes = found && span_eq(buf_view(&form), buf_view(&j->text));
	return RC_OK;
}

/* Which list of which extension, for people; never what it holds. */
#define NOT_PERMITTED(f, c, claim, what) \
	REFUSE(f, RC_DENIED, VALUE_NOT_PERMITTED, claim, "permittedValues of %s: %s", \
	    constraints_form_name((c)->form), what)

static enum rc
judge_value(const struct constraints *c, const struct permitted *p,
    const struct constraints_policy *policy, const json_t *value, struct fault *f)
{
	__attribute__((cleanup(judged_done))) struct judged j = { BUF_INIT(JTEXT_MAX_BYTES),
		BUF_INIT(JTEXT_MAX_BYTES) };
	bool yes = false;

	TRY(constraints_text(&j.text, value, f));
	if (json_is_string(value))
		TRY(jtext_write(&j.quoted, value, f));
	for (size_t i = 0; i < p->values && !yes; i++)
		TRY(matches(p->value[i], &j, value, policy, &yes, f));
	if (!yes)
		return REFUSE(f, RC_DENIED, VALUE_NOT_PERMITTED, p->claim,
		    "permittedValues of %s: none of the %zu values; send one of those",
		    constraints_form_name(c->form), p->values);
	return RC_OK;
}

static enum rc
judge_absence(const struct constraints *c, const struct permitted *p,
    const struct constraints_policy *policy, struct fault *f)
{
	/* RFC 9118 section 3: absence is fine; some read RFC 8226 otherwise (D-08). */
	if (c->form == CONSTRAINTS_JWT && policy->rfc8226_strict_permitted)
		return REFUSE(f, RC_DENIED, CLAIM_MISSING_BY_CONSTRAINT, p->claim,
		    "permittedValues of %s lists its values: send one of them",
		    constraints_form_name(c->form));
	return RC_OK;
}

/* The claim as the caller knows it: a path without its mode. */
struct path {
	char text[sizeof((struct fault){ 0 }.claim)];
};

static struct path
path_text(const struct privacy_name *n)
{
	struct path p = { 0 };
	size_t len = n->path.len < sizeof p.text ? n->path.len : sizeof p.text - 1;

	memcpy(p.text, n->path.ptr, len);
	return p;
}

/* D-14, V-54: V-67 */
static enum rc
judge_hash(const struct constraints *c, const struct permitted *p, const struct privacy_name *n,
    const json_t *value, struct fault *f)
{
	char digest[PRIVACY_DIGEST_TEXT];

	TRY(privacy_digest(span_of(NULL, 0), value, digest, f));
	if (constraints_has(p->value, p->values, digest))
		return RC_OK;
	return NOT_PERMITTED(f, c, path_text(n).text, "it fixes the hash of another value");
}

/* V-58: the salt is the one that the certificate names, where it names one. */
static enum rc
judge_salt(const struct constraints *c, const struct privacy_name *n, struct span salt,
    struct fault *f)
{
	for (size_t i = 0; i < c->permitteds; i++) {
		const struct permitted *p = &c->permitted[i];
		struct privacy_name other = constraints_parts(p->claim);
		char digest[PRIVACY_DIGEST_TEXT];

		if (other.mode != PRIVACY_SALT || !span_eq(other.path, n->path))
			continue;
		TRY(privacy_salt_digest(salt, digest, f));
		if (!constraints_has(p->value, p->values, digest))
			return NOT_PERMITTED(
			    f, c, path_text(n).text, "it names another salt than the one here");
	}
	return RC_OK;
}

static enum rc
judge_commit(const struct constraints *c, const struct permitted *p,
    const struct privacy_name *n, const struct constraints_policy *policy, const json_t *value,
    struct fault *f)
{
	struct span salt = salts_find(policy->salts, n->path);
	char digest[PRIVACY_DIGEST_TEXT];

	if (!policy->assert_committed) /* D-15: every intermediary would read it */
		return REFUSE(f, RC_DENIED, PRIVATE_CLAIM_IN_CLEAR, path_text(n).text,
		    "permittedValues of %s only commits to it: leave it out and disclose it "
		    "to whom it is meant for",
		    constraints_form_name(c->form));
	if (salt.len == 0 && policy->commit_without_salt)
		return RC_OK;
	if (salt.len == 0)
		return REFUSE(f, RC_DENIED, COMMITMENT_NOT_PROVABLE, path_text(n).text,
		    "permittedValues of %s commits to it, and its salt is not here",
		    constraints_form_name(c->form));
	TRY(judge_salt(c, n, salt, f));
	TRY(privacy_digest(salt, value, digest, f));
	if (constraints_has(p->value, p->values, digest))
		return RC_OK;
	return NOT_PERMITTED(f, c, path_text(n).text, "it commits to another value");
}

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

static enum rc
judge_part(const struct constraints *c, const struct permitted *p, const struct privacy_name *n,
    const struct constraints_policy *policy, const json_t *value, struct fault *f)
{
	switch (n->mode) {
	case PRIVACY_VALUE: return judge_value(c, p, policy, value, f);
	case PRIVACY_HASH: return judge_hash(c, p, n, value, f);
	case PRIVACY_COMMIT: return judge_commit(c, p, n, policy, value, f);
	default: return RC_OK; /* the salt's digest is the commitment's matter */
	}
}

static enum rc
judge_permitted(const struct constraints *c, const struct permitted *p,
    const struct constraints_policy *policy, const json_t *claims, struct fault *f)
{
	const json_t *whole = json_object_get(claims, p->claim), *part = NULL;
	struct privacy_name n = { 0 };

	TRY(privacy_name(p->claim, &n, f)); /* a mode that nobody knows permits nothing */
	if (n.mode != PRIVACY_VALUE || n.pointer.len > 0)
		TRY(find_part(claims, &n, &part, f));
	/* A commitment is never sent, so its absence is no fault under any reading. */
	if (whole == NULL && part == NULL)
		return n.mode >= PRIVACY_COMMIT ? RC_OK : judge_absence(c, p, policy, f);
	if (whole != NULL)
		TRY(judge_value(c, p, policy, whole, f));
	return part == NULL ? RC_OK : judge_part(c, p, &n, policy, part, f);
}

static bool
is_unproven(const struct fault *f)
{
	return fault_is(f, REASON_COMMITMENT_NOT_PROVABLE);
}

static enum rc
pass_on(const struct fault *inner, struct fault *f)
{
	if (f != NULL && f->rc == RC_OK)
		*f = *inner;
	return inner->rc;
}

static enum rc
evaluate_permitted(const struct constraints *c, const struct constraints_policy *policy,
    const json_t *claims, struct fault *f)
{
	struct fault unproven = { 0 };

	for (size_t i = 0; i < c->permitteds; i++) {
		struct fault why;

		why.rc = RC_OK; /* the rest is set with it */
		if (judge_permitted(c, &c->permitted[i], policy, claims, &why) == RC_OK)
			continue;
		if (!is_unproven(&why))
			return pass_on(&why, f);
		if (unproven.rc == RC_OK)
			unproven = why;
	}
	return unproven.rc == RC_OK ? RC_OK : pass_on(&unproven, f);
}

enum rc
constraints_evaluate(const struct constraints *c, const struct constraints_policy *p,
    const json_t *claims, struct fault *f)
{
	for (size_t i = 0; i < c->must_excludes; i++) {
		if (json_object_get(claims, c->must_exclude[i]) != NULL)
			return REFUSE(f, RC_DENIED, CLAIM_EXCLUDED, c->must_exclude[i],
			    "mustExclude of %s names it: leave it out",
			    constraints_form_name(c->form));
	}
	for (size_t i = 0; i < c->must_includes; i++) {
		if (json_object_get(claims, c->must_include[i]) == NULL)
			return REFUSE(f, RC_DENIED, CLAIM_MISSING_BY_CONSTRAINT,
			    c->must_include[i], "mustInclude of %s names it: send it",
			    constraints_form_name(c->form));
	}
	return evaluate_permitted(c, p, claims, f);
}

enum rc
constraints_committed(const struct constraints *c, const json_t *claims,
    const struct permitted **out, struct fault *f)
{
	for (size_t i = 0; i < c->permitteds; i++) {
		struct privacy_name n = constraints_parts(c->permitted[i].claim);
		const json_t *part = NULL;

		if (n.mode != PRIVACY_COMMIT)
			continue;
		TRY(find_part(claims, &n, &part, f));
		if (part != NULL) {
			*out = &c->permitted[i];
			return RC_OK;
		}
	}
	*out = NULL;
	return RC_OK;
}

/* ---- vetted claims (D-16) ----------------------------------------------------------- */

static bool
permits(const struct constraints *c, const char *name)
{
	for (size_t i = 0; i < c->permitteds; i++) {
		struct privacy_name n = constraints_parts(c->permitted[i].claim);

		/* In whichever mode: the claim agent knew the value (V-21). */
		if (n.mode != PRIVACY_SALT && span_is(n.path, name))
			return true;
	}
	return false;
}

static bool vets_path(
    const struct constraints *c, const char *name, const json_t *value, unsigned depth);

static bool
vets_member(const struct constraints *c, const char *name, const char *token,
    const json_t *value, unsigned depth)
{
	AUTO_BUF path = BUF_INIT(CONSTRAINTS_MAX_DER);

	buf_str(&path, name);
	jpointer_put(&path, token);
	return buf_text(&path) != NULL && vets_path(c, buf_text(&path), value, depth);
}

static bool
vets_object(const struct constraints *c, const char *name, json_t *object, unsigned depth)
{
	for (void *i = json_object_iter(object); i != NULL;
	     i = json_object_iter_next(object, i)) {
		if (!vets_member(
			c, name, json_object_iter_key(i), json_object_iter_value(i), depth))
			return false;
	}
	return json_object_size(object) > 0;
}

static bool
vets_array(const struct constraints *c, const char *name, const json_t *array, unsigned depth)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		AUTO_BUF index = BUF_INIT(32);

		buf_printf(&index, "%zu", i);
		if (buf_text(&index) == NULL ||
		    !vets_member(c, name, buf_text(&index), json_array_get(array, i), depth))
			return false;
	}
	return json_array_size(array) > 0;
}

static bool
vets_path(const struct constraints *c, const char *name, const json_t *value, unsigned depth)
{
	if (permits(c, name))
		return true;
	if (depth == 0)
		return false;
	if (json_is_object(value))
		return vets_object(c, name, jtext_walk(value), depth - 1);
	return json_is_array(value) && vets_array(c, name, value, depth - 1);
}

bool
constraints_vets(const struct constraints *c, const char *claim, const json_t *value)
{
	return constraints_has(c->must_include, c->must_includes, claim) ||
	       vets_path(c, claim, value, JTEXT_MAX_DEPTH);
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
