#include "stir/constraints.h"

#include <stdlib.h>

#include "stir/der.h"
#include "stir/jpointer.h"
#include "stir/jtext.h"

static const char *const base_claims[] = { "orig", "dest", "iat" };

static void
free_names(char **list, size_t n)
{
	for (size_t i = 0; list != NULL && i < n; i++)
		free(list[i]);
	free(list);
}

void
constraints_free(struct constraints *c)
{
	if (c == NULL)
		return;
	free_names(c->must_include, c->must_includes);
	free_names(c->must_exclude, c->must_excludes);
	for (size_t i = 0; i < c->permitteds; i++) {
		free(c->permitted[i].claim);
		free_names(c->permitted[i].value, c->permitted[i].values);
	}
	free(c->permitted);
	free(c);
}

/* ---- DER ---------------------------------------------------------------------------- */

/* RFC 9118 section 3: claim names are ASCII; controls are no part of a name. */
static enum rc
check_name(struct span name, struct fault *f)
{
	if (name.len == 0)
		return FAULT(f, RC_INVALID, "constraints_name", "an empty claim name");
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] < 0x20 || name.ptr[i] > 0x7e)
			return FAULT(f, RC_INVALID, "constraints_name",
			    "octet 0x%02x in a claim name", name.ptr[i]);
	}
	return RC_OK;
}

static enum rc
check_value(struct span value, struct fault *f)
{
	json_auto_t *text = NULL;

	if (value.len > 0 && memchr(value.ptr, 0, value.len) != NULL)
		return FAULT(f, RC_INVALID, "constraints_value", "U+0000 in a value");
	/* jansson is the judge of UTF-8 here as it is where claims are read. */
	text = json_stringn(value.len == 0 ? "" : (const char *)value.ptr, value.len);
	if (text == NULL)
		return FAULT(f, RC_INVALID, "constraints_value", "a value is not UTF-8");
	return RC_OK;
}

static enum rc
copy_text(struct span text, char **out, struct fault *f)
{
	char *copy = calloc(1, text.len + 1);

	if (copy == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu octets", text.len);
	if (text.len > 0)
		memcpy(copy, text.ptr, text.len);
	*out = copy;
	return RC_OK;
}

static enum rc
count_elements(struct span seq, size_t max, size_t *n, struct fault *f)
{
	struct span body = { 0 };
	uint8_t tag = 0;

	for (*n = 0; seq.len > 0; (*n)++) {
		if (*n == max)
			return FAULT(
			    f, RC_INVALID, "constraints_limit", "more than %zu elements", max);
		TRY(der_next(&seq, &tag, &body, f));
	}
	if (*n == 0)
		return FAULT(f, RC_INVALID, "constraints_empty", "an empty list");
	return RC_OK;
}

/* A list of strings; *n counts what is there to free, also on failure. */
static enum rc
decode_strings(
    struct span seq, uint8_t tag, size_t max, char ***list, size_t *n, struct fault *f)
{
	size_t total = 0;

	TRY(count_elements(seq, max, &total, f));
	*list = calloc(total, sizeof **list);
	if (*list == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu names", total);
	for (*n = 0; *n < total; (*n)++) {
		struct span text = { 0 };

		TRY(der_expect(&seq, tag, &text, f));
		TRY(tag == DER_IA5_STRING ? check_name(text, f) : check_value(text, f));
		TRY(copy_text(text, &(*list)[*n], f));
	}
	return RC_OK;
}

/* The SEQUENCE inside an explicit tag, alone. */
static enum rc
unwrap(struct span body, struct span *seq, struct fault *f)
{
	if (der_peek(body) != DER_SEQUENCE)
		return FAULT(f, RC_INVALID, "constraints_tag",
		    "no SEQUENCE inside the tag: the module has explicit tags");
	TRY(der_expect(&body, DER_SEQUENCE, seq, f));
	return der_end(body, f);
}

static enum rc
decode_names(struct span body, char ***list, size_t *n, struct fault *f)
{
	struct span seq = { 0 };

	TRY(unwrap(body, &seq, f));
	return decode_strings(seq, DER_IA5_STRING, CONSTRAINTS_MAX_CLAIMS, list, n, f);
}

static enum rc
decode_permitted(struct span *list, struct permitted *p, struct fault *f)
{
	struct span seq = { 0 }, claim = { 0 }, values = { 0 };

	TRY(der_expect(list, DER_SEQUENCE, &seq, f));
	TRY(der_expect(&seq, DER_IA5_STRING, &claim, f));
	TRY(der_expect(&seq, DER_SEQUENCE, &values, f));
	TRY(der_end(seq, f));
	TRY(check_name(claim, f));
	TRY(copy_text(claim, &p->claim, f));
	return decode_strings(
	    values, DER_UTF8_STRING, CONSTRAINTS_MAX_VALUES, &p->value, &p->values, f);
}

static enum rc
decode_permitted_list(struct span body, struct constraints *c, struct fault *f)
{
	struct span seq = { 0 };
	size_t total = 0;

	TRY(unwrap(body, &seq, f));
	TRY(count_elements(seq, CONSTRAINTS_MAX_CLAIMS, &total, f));
	c->permitted = calloc(total, sizeof *c->permitted);
	if (c->permitted == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu claims", total);
	while (seq.len > 0) {
		c->permitteds++; /* first, so that a half-read entry is freed */
		TRY(decode_permitted(&seq, &c->permitted[c->permitteds - 1], f));
	}
	return RC_OK;
}

/* Members come in the order of their tags, each at most once. */
static enum rc
decode_members(struct span seq, struct constraints *c, struct fault *f)
{
	int last = -1, max = c->form == CONSTRAINTS_ENHANCED ? 2 : 1;

	while (seq.len > 0) {
		struct span body = { 0 };
		uint8_t tag = 0;
		int n;

		TRY(der_next(&seq, &tag, &body, f));
		n = tag - DER_CONTEXT(0);
		if (n <= last || n > max)
			return FAULT(f, RC_INVALID, "constraints_tag",
			    "member 0x%02x is unknown, repeated or out of order", tag);
		last = n;
		if (n == 0)
			TRY(decode_names(body, &c->must_include, &c->must_includes, f));
		else if (n == 1)
			TRY(decode_permitted_list(body, c, f));
		else
			TRY(decode_names(body, &c->must_exclude, &c->must_excludes, f));
	}
	if (last < 0)
		return FAULT(f, RC_INVALID, "constraints_empty", "no member");
	return RC_OK;
}

enum rc
constraints_decode(
    struct span der, enum constraints_form form, struct constraints **out, struct fault *f)
{
	AUTO(constraints) *c = NULL;
	struct span seq = { 0 };

	if (der.len > CONSTRAINTS_MAX_DER)
		return FAULT(f, RC_INVALID, "constraints_limit", "%zu octets", der.len);
	TRY(der_expect(&der, DER_SEQUENCE, &seq, f));
	TRY(der_end(der, f));
	c = calloc(1, sizeof *c);
	if (c == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "constraints");
	c->form = form;
	TRY(decode_members(seq, c, f));
	*out = TAKE(c);
	return RC_OK;
}

/* tag { text … } as a SEQUENCE of strings. */
static enum rc
encode_strings(
    struct buf *out, uint8_t tag, char *const *list, size_t n, size_t max, struct fault *f)
{
	AUTO_BUF seq = BUF_INIT(CONSTRAINTS_MAX_DER);

	if (n == 0)
		return FAULT(f, RC_INVALID, "constraints_empty", "an empty list");
	if (n > max)
		return FAULT(f, RC_INVALID, "constraints_limit", "more than %zu elements", max);
	for (size_t i = 0; i < n; i++) {
		struct span text = span_str(list[i]);

		TRY(tag == DER_IA5_STRING ? check_name(text, f) : check_value(text, f));
		der_put(&seq, tag, text);
	}
	TRY(buf_check(&seq, f));
	der_put(out, DER_SEQUENCE, buf_view(&seq));
	return RC_OK;
}

static enum rc
encode_names(struct buf *out, uint8_t member, char *const *list, size_t n, struct fault *f)
{
	AUTO_BUF body = BUF_INIT(CONSTRAINTS_MAX_DER);

	if (n == 0)
		return RC_OK; /* the member is absent */
	TRY(encode_strings(&body, DER_IA5_STRING, list, n, CONSTRAINTS_MAX_CLAIMS, f));
	TRY(buf_check(&body, f));
	der_put(out, DER_CONTEXT(member), buf_view(&body));
	return RC_OK;
}

static enum rc
encode_permitted(struct buf *out, const struct permitted *p, struct fault *f)
{
	AUTO_BUF seq = BUF_INIT(CONSTRAINTS_MAX_DER);

	TRY(check_name(span_str(p->claim), f));
	der_put(&seq, DER_IA5_STRING, span_str(p->claim));
	TRY(encode_strings(
	    &seq, DER_UTF8_STRING, p->value, p->values, CONSTRAINTS_MAX_VALUES, f));
	TRY(buf_check(&seq, f));
	der_put(out, DER_SEQUENCE, buf_view(&seq));
	return RC_OK;
}

static enum rc
encode_permitted_list(struct buf *out, const struct constraints *c, struct fault *f)
{
	AUTO_BUF seq = BUF_INIT(CONSTRAINTS_MAX_DER), body = BUF_INIT(CONSTRAINTS_MAX_DER);

	if (c->permitteds == 0)
		return RC_OK;
	if (c->permitteds > CONSTRAINTS_MAX_CLAIMS)
		return FAULT(f, RC_INVALID, "constraints_limit", "more than %d claims",
		    CONSTRAINTS_MAX_CLAIMS);
	for (size_t i = 0; i < c->permitteds; i++)
		TRY(encode_permitted(&seq, &c->permitted[i], f));
	TRY(buf_check(&seq, f));
	der_put(&body, DER_SEQUENCE, buf_view(&seq));
	TRY(buf_check(&body, f));
	der_put(out, DER_CONTEXT(1), buf_view(&body));
	return RC_OK;
}

enum rc
constraints_encode(struct buf *out, const struct constraints *c, struct fault *f)
{
	AUTO_BUF seq = BUF_INIT(CONSTRAINTS_MAX_DER);

	if (c->form == CONSTRAINTS_JWT && c->must_excludes > 0)
		return FAULT(f, RC_INVALID, "constraints_tag",
		    "mustExclude needs the enhanced form (RFC 9118)");
	TRY(encode_names(&seq, 0, c->must_include, c->must_includes, f));
	TRY(encode_permitted_list(&seq, c, f));
	TRY(encode_names(&seq, 2, c->must_exclude, c->must_excludes, f));
	TRY(buf_check(&seq, f));
	if (seq.len == 0)
		return FAULT(f, RC_INVALID, "constraints_empty", "no member");
	der_put(out, DER_SEQUENCE, buf_view(&seq));
	return buf_check(out, f);
}

/* ---- names and pointers ------------------------------------------------------------- */

static bool
has_name(char *const *list, size_t n, const char *name)
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
	for (size_t i = 0; i < ARRAY_LEN(base_claims); i++) {
		if (has_name(c->must_exclude, c->must_excludes, base_claims[i]))
			return true;
	}
	return false;
}

/* The pointer of "claim/pointer", with its slash; NULL for a plain name. */
static const char *
pointer_of(const char *name)
{
	return strchr(name, '/');
}

/* Is name a pointer into claim? */
static bool
points_into(const char *name, const char *claim)
{
	size_t n = strlen(claim);

	return strncmp(name, claim, n) == 0 && name[n] == '/';
}

bool
constraints_names(const struct constraints *c, const char *claim)
{
	if (has_name(c->must_include, c->must_includes, claim))
		return true;
	for (size_t i = 0; i < c->permitteds; i++) {
		const char *name = c->permitted[i].claim;

		if (strcmp(name, claim) == 0 || points_into(name, claim))
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

/*
 * The RFC 8225 form of a permitted text that is a JSON object or array; same
 * says whether it is in that form.  found false: it is no such text.
 */
static enum rc
structured_form(const char *text, struct buf *out, bool *found, struct fault *f)
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

/* ---- activation --------------------------------------------------------------------- */

static enum rc
check_list(char *const *list, size_t n, const char *member, struct fault *f)
{
	for (size_t i = 0; i < n; i++) {
		if (strpbrk(list[i], "/#") != NULL)
			return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, list[i],
			    "a pointer or privacy mode in %s: only permittedValues has them",
			    member);
	}
	return RC_OK;
}

static enum rc
check_contradictions(const struct constraints *c, struct fault *f)
{
	if (constraints_exclude_base(c))
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, NULL,
		    "mustExclude names orig, dest or iat");
	for (size_t i = 0; i < c->must_includes; i++) {
		if (has_name(c->must_exclude, c->must_excludes, c->must_include[i]))
			return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, c->must_include[i],
			    "one claim is demanded and forbidden");
	}
	return RC_OK;
}

/*
 * No plausible verifier may read the text otherwise than we do, unless the
 * operator knows his (D-12).
 */
static enum rc
check_form(const struct permitted *p, const struct constraints_policy *policy, struct fault *f)
{
	for (size_t i = 0; i < p->values; i++) {
		AUTO_BUF form = BUF_INIT(CONSTRAINTS_MAX_DER);
		bool found = false;

		TRY(structured_form(p->value[i], &form, &found, f));
		if (found && !policy->normalise_permitted &&
		    !span_eq(buf_view(&form), span_str(p->value[i])))
			return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
			    "permitted value %zu is JSON, but not in RFC 8225 form", i);
	}
	return RC_OK;
}

static enum rc
check_permitted_name(const struct permitted *p, struct fault *f)
{
	const char *pointer = pointer_of(p->claim);

	if (strchr(p->claim, '#') != NULL)
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
		    "privacy modes are not configured");
	if (pointer == p->claim)
		return REFUSE(
		    f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim, "a pointer without a claim");
	if (pointer != NULL && !jpointer_is_valid(pointer))
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
		    "'~' in a pointer stands only in ~0 and ~1");
	return RC_OK;
}

/* The text that two entries are compared by. */
static enum rc
comparable(
    const char *text, const struct constraints_policy *policy, struct buf *out, struct fault *f)
{
	bool found = false;

	if (policy->normalise_permitted)
		TRY(structured_form(text, out, &found, f));
	if (!found)
		buf_str(out, text);
	return buf_check(out, f);
}

/* Is this value in every other entry for the same claim? */
static enum rc
in_all(const struct constraints *c, const char *claim, const char *text,
    const struct constraints_policy *policy, bool *yes, struct fault *f)
{
	AUTO_BUF want = BUF_INIT(CONSTRAINTS_MAX_DER);

	TRY(comparable(text, policy, &want, f));
	*yes = true;
	for (size_t i = 0; i < c->permitteds && *yes; i++) {
		const struct permitted *p = &c->permitted[i];
		bool here = strcmp(p->claim, claim) != 0;

		for (size_t k = 0; k < p->values && !here; k++) {
			AUTO_BUF have = BUF_INIT(CONSTRAINTS_MAX_DER);

			TRY(comparable(p->value[k], policy, &have, f));
			here = span_eq(buf_view(&want), buf_view(&have));
		}
		*yes = here;
	}
	return RC_OK;
}

static bool
is_repeated(const struct constraints *c, const char *claim)
{
	size_t n = 0;

	for (size_t i = 0; i < c->permitteds; i++)
		n += strcmp(c->permitted[i].claim, claim) == 0 ? 1 : 0;
	return n > 1;
}

/* A claim twice in permittedValues means the intersection (D-11). */
static enum rc
check_intersection(const struct constraints *c, const struct permitted *p,
    const struct constraints_policy *policy, struct fault *f)
{
	bool common = !is_repeated(c, p->claim);

	for (size_t i = 0; i < p->values && !common; i++)
		TRY(in_all(c, p->claim, p->value[i], policy, &common, f));
	if (!common)
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
		    "the permitted values of a repeated claim have nothing in common");
	return RC_OK;
}

enum rc
constraints_check(
    const struct constraints *c, const struct constraints_policy *p, struct fault *f)
{
	TRY(check_list(c->must_include, c->must_includes, "mustInclude", f));
	TRY(check_list(c->must_exclude, c->must_excludes, "mustExclude", f));
	TRY(check_contradictions(c, f));
	for (size_t i = 0; i < c->permitteds; i++) {
		TRY(check_permitted_name(&c->permitted[i], f));
		TRY(check_form(&c->permitted[i], p, f));
		TRY(check_intersection(c, &c->permitted[i], p, f));
	}
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
	TRY(structured_form(permitted, &form, &found, f));
	*yes = found && span_eq(buf_view(&form), buf_view(&j->text));
	return RC_OK;
}

static enum rc
judge_value(const struct permitted *p, const struct constraints_policy *policy,
    const json_t *value, struct fault *f)
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
		    "none of the %zu permitted values", p->values);
	return RC_OK;
}

static enum rc
judge_absence(const struct constraints *c, const struct permitted *p,
    const struct constraints_policy *policy, struct fault *f)
{
	/* RFC 9118 section 3: absence is fine; some read RFC 8226 otherwise (D-08). */
	if (c->form == CONSTRAINTS_JWT && policy->rfc8226_strict_permitted)
		return REFUSE(f, RC_DENIED, CLAIM_MISSING_BY_CONSTRAINT, p->claim,
		    "absent, and the certificate lists its values");
	return RC_OK;
}

/* "claim/pointer": the part of the claim that the pointer names, NULL where there is none. */
static enum rc
find_part(const json_t *claims, const char *name, const json_t **part, struct fault *f)
{
	const char *pointer = pointer_of(name);
	AUTO_FREE char *claim = NULL;

	if (pointer == NULL)
		return RC_OK;
	TRY(copy_text(span_of(name, (size_t)(pointer - name)), &claim, f));
	return jpointer_find(json_object_get(claims, claim), pointer, part, f);
}

static enum rc
judge_permitted(const struct constraints *c, const struct permitted *p,
    const struct constraints_policy *policy, const json_t *claims, struct fault *f)
{
	const json_t *whole = json_object_get(claims, p->claim), *part = NULL;

	TRY(find_part(claims, p->claim, &part, f));
	if (whole == NULL && part == NULL)
		return judge_absence(c, p, policy, f);
	if (whole != NULL)
		TRY(judge_value(p, policy, whole, f));
	return part == NULL ? RC_OK : judge_value(p, policy, part, f);
}

enum rc
constraints_evaluate(const struct constraints *c, const struct constraints_policy *p,
    const json_t *claims, struct fault *f)
{
	for (size_t i = 0; i < c->must_excludes; i++) {
		if (json_object_get(claims, c->must_exclude[i]) != NULL)
			return REFUSE(f, RC_DENIED, CLAIM_EXCLUDED, c->must_exclude[i],
			    "the certificate excludes it");
	}
	for (size_t i = 0; i < c->must_includes; i++) {
		if (json_object_get(claims, c->must_include[i]) == NULL)
			return REFUSE(f, RC_DENIED, CLAIM_MISSING_BY_CONSTRAINT,
			    c->must_include[i], "the certificate demands it");
	}
	for (size_t i = 0; i < c->permitteds; i++)
		TRY(judge_permitted(c, &c->permitted[i], p, claims, f));
	return RC_OK;
}

/* ---- vetted claims (D-16) ----------------------------------------------------------- */

static bool
permits(const struct constraints *c, const char *name)
{
	for (size_t i = 0; i < c->permitteds; i++) {
		if (strcmp(c->permitted[i].claim, name) == 0)
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
	return has_name(c->must_include, c->must_includes, claim) ||
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
			inside = has_name(p->value, p->values, q->value[k]);
		if (inside)
			return true;
	}
	/* A claim that may not be there has no value that is not permitted. */
	return has_name(inner->must_exclude, inner->must_excludes, p->claim);
}

/*
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
		if (!has_name(
			inner->must_include, inner->must_includes, outer->must_include[i]))
			return wider(f, outer->must_include[i], "no longer demanded");
	}
	for (size_t i = 0; i < outer->must_excludes; i++) {
		if (!has_name(
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
