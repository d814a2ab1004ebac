#include "stir/constraints.h"

#include <stdlib.h>

#include "stir/der.h"
#include "stir/jpointer.h"
#include "stir/jtext.h"
#include "stir/vper.h"

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

const char *
constraints_form_name(enum constraints_form form)
{
	return form == CONSTRAINTS_ENHANCED ? "EnhancedJWTClaimConstraints"
					    : "JWTClaimConstraints";
}

/* Taken apart; a mode that is not known is part of the path, which then names nothing. */
static struct privacy_name
parts_of(const char *name)
{
	struct privacy_name n = { 0 };

	if (privacy_name(name, &n, NULL) != RC_OK)
		n.claim = n.path = span_str(name);
	return n;
}

bool
constraints_names(const struct constraints *c, const char *claim)
{
	if (has_name(c->must_include, c->must_includes, claim))
		return true;
	for (size_t i = 0; i < c->permitteds; i++) {
		const char *name = c->permitted[i].claim;

		if (strcmp(name, claim) == 0 || span_is(parts_of(name).claim, claim))
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
 * A JSON object or array that no PASSporT can hold: a float, a doubled member.
 * It parses, so it is not in RFC 8225 form (D-12), normalised or not.
 */
static bool
never_rfc8225(const char *text)
{
	json_auto_t *value = json_loads(text, 0, NULL);

	return value != NULL;
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
		bool found = false, good;

		TRY(structured_form(p->value[i], &form, &found, f));
		good = found ? policy->normalise_permitted ||
				   span_eq(buf_view(&form), span_str(p->value[i]))
			     : !never_rfc8225(p->value[i]);
		if (!good)
			return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
			    "permitted value %zu is JSON, but not in RFC 8225 form", i);
	}
	return RC_OK;
}

/* D-14, D-15: a mode's values are digests, and a commitment is one. */
static enum rc
check_digests(const struct permitted *p, enum privacy_mode mode, struct fault *f)
{
	if (mode == PRIVACY_VALUE)
		return RC_OK;
	if (mode != PRIVACY_HASH && p->values != 1)
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
		    "%zu values where a commitment has one", p->values);
	for (size_t i = 0; i < p->values; i++) {
		if (!privacy_is_digest(p->value[i]))
			return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
			    "value %zu is no unpadded base64 of a SHA-256 digest", i);
	}
	return RC_OK;
}

static enum rc
check_permitted_name(const struct permitted *p, struct fault *f)
{
	struct privacy_name n = { 0 };
	struct fault why = { 0 };
	AUTO_FREE char *pointer = NULL;

	if (privacy_name(p->claim, &n, &why) != RC_OK) /* V-63 */
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim, "%s", why.detail);
	if (n.claim.len == 0)
		return REFUSE(
		    f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim, "a pointer without a claim");
	TRY(copy_text(n.pointer, &pointer, f));
	if (!jpointer_is_valid(pointer))
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
		    "'~' in a pointer stands only in ~0 and ~1");
	return check_digests(p, n.mode, f);
}

/* V-53, V-62: one encoding for each claim or path; a salt's digest goes with a commitment. */
static enum rc
check_encoding(const struct constraints *c, const struct permitted *p, struct fault *f)
{
	struct privacy_name n = parts_of(p->claim);
	bool committed = n.mode != PRIVACY_SALT;

	for (size_t i = 0; i < c->permitteds; i++) {
		struct privacy_name other = parts_of(c->permitted[i].claim);

		if (!span_eq(other.path, n.path) || other.mode == n.mode)
			continue;
		if (other.mode < PRIVACY_COMMIT || n.mode < PRIVACY_COMMIT)
			return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
			    "encoded in more than one way");
		committed = true;
	}
	if (!committed)
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
		    "the digest of a salt without a commitment");
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

/* Does a demanded claim have to carry this part?  Its whole does; vper, every member (V-44). */
static bool
is_demanded(const struct constraints *c, const struct privacy_name *n)
{
	struct span token = n->pointer;

	for (size_t i = 0; i < c->must_includes; i++) {
		if (!span_is(n->claim, c->must_include[i]))
			continue;
		if (token.len == 0)
			return true;
		(void)span_cut(&token, 1);
		return span_is(n->claim, "vper") && vper_is_member(token);
	}
	return false;
}

/* D-15: what is demanded, and must not be sent, makes the certificate useless. */
static enum rc
check_demand(const struct constraints *c, const struct permitted *p,
    const struct constraints_policy *policy, struct fault *f)
{
	struct privacy_name n = parts_of(p->claim);

	if (n.mode == PRIVACY_COMMIT && !policy->assert_committed && is_demanded(c, &n))
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
		    "mustInclude demands what is committed to, and a commitment is not sent "
		    "in clear");
	return RC_OK;
}

static enum rc check_whole(const struct constraints *c, const struct permitted *p,
    const struct constraints_policy *policy, struct fault *f);

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
		TRY(check_encoding(c, &c->permitted[i], f));
		TRY(check_demand(c, &c->permitted[i], p, f));
	}
	for (size_t i = 0; i < c->permitteds; i++)
		TRY(check_whole(c, &c->permitted[i], p, f));
	return RC_OK;
}

const char *
constraints_oddity(const struct constraints *c, size_t n)
{
	static const char *const ppts[] = { "shaken", "div-o", "rsp", "msg", "msec" };
	const char *found[3] = { 0 };
	size_t len = 0;

	/* No claim has the name of a type alone; a demand for it is never met. */
	for (size_t i = 0; i < ARRAY_LEN(ppts) && len == 0; i++) {
		if (has_name(c->must_include, c->must_includes, ppts[i]))
			found[len++] = "mustInclude names a PASSporT type, which is no claim";
	}
	for (size_t i = 0; i < ARRAY_LEN(base_claims); i++) {
		if (has_name(c->must_include, c->must_includes, base_claims[i])) {
			/* RFC 9118 section 4: SHOULD NOT */
			found[len++] = "mustInclude names a claim that is always there";
			break;
		}
	}
	if (has_name(c->must_exclude, c->must_excludes, "rcdi"))
		found[len++] = "mustExclude names rcdi, which protects rcd";
	return n < len ? found[n] : NULL;
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
	if (has_name(p->value, p->values, digest))
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
		struct privacy_name other = parts_of(p->claim);
		char digest[PRIVACY_DIGEST_TEXT];

		if (other.mode != PRIVACY_SALT || !span_eq(other.path, n->path))
			continue;
		TRY(privacy_salt_digest(salt, digest, f));
		if (!has_name(p->value, p->values, digest))
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
	if (has_name(p->value, p->values, digest))
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

	TRY(copy_text(n->claim, &claim, f));
	TRY(copy_text(n->pointer, &pointer, f));
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
	return strcmp(f->reason, reason_token(REASON_COMMITMENT_NOT_PROVABLE)) == 0;
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
		struct privacy_name n = parts_of(c->permitted[i].claim);
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

/* ---- values against the entries for their parts ------------------------------------- */

/* Would this value of a whole claim be let through by the entries that point into it? */
static enum rc
fits_parts(const struct constraints *c, const char *claim, const char *text,
    const struct constraints_policy *policy, bool *yes, struct fault *f)
{
	struct constraints_policy without = *policy;
	json_auto_t *value = NULL, *claims = json_object();
	struct fault why = { 0 };

	*yes = true;
	if (text[0] != '{' && text[0] != '[')
		return RC_OK; /* it has no parts */
	if (jtext_read(span_str(text), &value, NULL) != RC_OK)
		return RC_OK; /* a string that looks like JSON */
	if (json_object_set(claims, claim, value) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a permitted value");
	without.salts = NULL; /* activation does not depend on which salts are here */
	without.rfc8226_strict_permitted = false; /* the other claims are not asked about */
	*yes = evaluate_permitted(c, &without, claims, &why) == RC_OK || is_unproven(&why);
	return why.rc == RC_NO_MEMORY ? pass_on(&why, f) : RC_OK;
}

/* RFC 9118 section 8: a demanded claim of which no permitted value can be sent. */
static enum rc
check_whole(const struct constraints *c, const struct permitted *p,
    const struct constraints_policy *policy, struct fault *f)
{
	bool fits = !has_name(c->must_include, c->must_includes, p->claim);

	for (size_t i = 0; i < p->values && !fits; i++)
		TRY(fits_parts(c, p->claim, p->value[i], policy, &fits, f));
	if (!fits)
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
		    "demanded, but none of its values fits the entries for it and its parts");
	return RC_OK;
}

/* ---- vetted claims (D-16) ----------------------------------------------------------- */

static bool
permits(const struct constraints *c, const char *name)
{
	for (size_t i = 0; i < c->permitteds; i++) {
		struct privacy_name n = parts_of(c->permitted[i].claim);

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
	/* A claim that may not be there has no value, or part, that is not permitted. */
	for (size_t i = 0; i < inner->must_excludes; i++) {
		if (span_is(parts_of(p->claim).claim, inner->must_exclude[i]))
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
