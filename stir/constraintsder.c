/* Claim constraints as DER, both ways. */
#include "stir/constraints.h"

#include <stdlib.h>

#include "stir/constraintsparts.h"
#include "stir/der.h"

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
		TRY(constraints_copy(text, &(*list)[*n], f));
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
	TRY(constraints_copy(claim, &p->claim, f));
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
