#include "stir/jcard.h"

#include <stdio.h>

#include "stir/jtext.h"
#include "stir/text.h"
#include "stir/uri.h"

/* ---- URIs --------------------------------------------------------------------------- */

/*
 * Content is named in one spelling, in lower case up to its host: a digest is
 * known for a text.  A fragment is no part of what is fetched.
 */
static bool
is_https(struct span s)
{
	struct uri_https u = { 0 };

	return s.len <= URI_MAX_CONTENT && uri_read_https(s, &u) &&
	       memcmp(s.ptr, "https://", strlen("https://")) == 0;
}

/* RFC 2397: "data:" [ media type ] [ ";base64" ] "," data */
static bool
is_data(struct span s)
{
	return memchr(s.ptr, ',', s.len) != NULL;
}

enum uri_kind
uri_kind_of(const json_t *value)
{
	static const char *const names[] = { "tel", "sip", "sips", "mailto", "urn", "geo", "im",
		"xmpp" };
	struct span s = jtext_span(value);

	if (!uri_is_text(s))
		return URI_NONE;
	if (uri_has_scheme(s, "https"))
		return is_https(s) ? URI_CONTENT : URI_NONE;
	if (uri_has_scheme(s, "data"))
		return is_data(s) ? URI_INLINE : URI_NONE;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (uri_has_scheme(s, names[i]))
			return URI_NAME;
	}
	return URI_NONE;
}

/* ---- a card ------------------------------------------------------------------------- */

enum { PROPERTY_VALUES = 3 }; /* name, parameters, type; then the values */

static enum rc
wrong(const char *claim, size_t i, const char *what, struct fault *f)
{
	return REFUSE(f, RC_INVALID, INVALID_CLAIM, claim, "jCard property %zu: %s", i, what);
}

/* RFC 7095 sections 3.3 to 3.5: names of properties, parameters and types are in lower case. */
static bool
is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
			return false;
	}
	return s.len > 0;
}

static bool
all_strings(const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (!json_is_string(json_array_get(array, i)))
			return false;
	}
	return json_array_size(array) > 0;
}

/* RFC 7095 section 3.3.1.3: a structured value is an array, perhaps of arrays. */
static bool
all_shown(const json_t *value)
{
	if (json_is_string(value))
		return text_is_shown(jtext_span(value), true);
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (!all_shown(json_array_get(value, i)))
			return false;
	}
	return true;
}

static bool
is_address(struct span s)
{
	for (size_t i = 0; i + 3 <= s.len; i++) {
		if (memcmp(s.ptr + i, "://", 3) == 0)
			return true;
	}
	return uri_has_scheme(s, "http") || uri_has_scheme(s, "https");
}

/*
 * An address anywhere in it, of which a reader could take content that no
 * digest protects (RFC 9795 section 6.1.3).
 */
static bool
has_address(const json_t *value)
{
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (has_address(json_array_get(value, i)))
			return true;
	}
	return is_address(jtext_span(value));
}

/* RFC 7095 section 3.4: a value is a string, or several are an array. */
static bool
are_parameters(const json_t *value)
{
	json_t *walk = jtext_walk(value);

	if (!json_is_object(value))
		return false;
	for (void *i = json_object_iter(walk); i != NULL; i = json_object_iter_next(walk, i)) {
		const json_t *v = json_object_iter_value(i);

		if (!is_token(span_str(json_object_iter_key(i))) || !all_shown(v) ||
		    (!json_is_string(v) && !(json_is_array(v) && all_strings(v))))
			return false;
	}
	return true;
}

/* RFC 6350 section 6.3.1: LABEL is the one parameter that is shown as it stands. */
static bool
parameters_have_address(const json_t *parameters)
{
	json_t *walk = jtext_walk(parameters);

	for (void *i = json_object_iter(walk); i != NULL; i = json_object_iter_next(walk, i)) {
		if (strcmp(json_object_iter_key(i), "label") != 0 &&
		    has_address(json_object_iter_value(i)))
			return true;
	}
	return false;
}

static bool
is_named(const json_t *property, const char *name)
{
	return span_is(jtext_span(json_array_get(property, 0)), name);
}

static bool
is_among(const json_t *property, const char *const names[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (is_named(property, names[i]))
			return true;
	}
	return false;
}

static bool
is_of_type(const json_t *property, const char *type)
{
	return span_is(jtext_span(json_array_get(property, 2)), type);
}

/* RFC 6350 section 6: a URI and nothing else. */
static bool
is_of_uris(const json_t *property)
{
	static const char *const names[] = { "source", "photo", "impp", "geo", "logo", "member",
		"sound", "url", "fburl", "caladruri", "caluri" };

	return is_among(property, names, ARRAY_LEN(names));
}

/*
 * RFC 6350 section 6: text that people read, and no reader takes content from,
 * whatever stands in it.  What is not known here may be more than that.
 */
static bool
is_prose(const json_t *property)
{
	static const char *const names[] = { "fn", "n", "nickname", "adr", "title", "role",
		"org", "categories", "note" };

	return is_of_type(property, "text") && is_among(property, names, ARRAY_LEN(names));
}

static enum rc
check_value(
    const json_t *property, const json_t *value, size_t i, const char *claim, struct fault *f)
{
	if (json_is_object(value) || json_is_null(value))
		return wrong(claim, i, "a value is an object or null", f);
	if (!all_shown(value))
		return wrong(claim, i, "a value has characters that nobody sees", f);
	if (is_of_type(property, "uri") && uri_kind_of(value) == URI_NONE)
		return wrong(claim, i, "a URI is https without a fragment, data, or a name", f);
	if (!is_of_type(property, "uri") && !is_prose(property) && has_address(value))
		return wrong(claim, i, "an address is of type uri", f);
	return RC_OK;
}

static enum rc
check_property(const json_t *property, size_t i, const char *claim, struct fault *f)
{
	if (json_array_size(property) <= PROPERTY_VALUES)
		return wrong(claim, i, "not [name, {…}, type, value, …]", f);
	if (!is_token(jtext_span(json_array_get(property, 0))) ||
	    !is_token(jtext_span(json_array_get(property, 2))))
		return wrong(claim, i, "name and type are lower case", f);
	if (!are_parameters(json_array_get(property, 1)))
		return wrong(claim, i,
		    "the parameters are no object of strings with names in lower case", f);
	/* RFC 7095 section 3.4: the type stands in its own place, and nowhere else. */
	if (json_object_get(json_array_get(property, 1), "value") != NULL)
		return wrong(claim, i, "a parameter that gives the type again", f);
	if (parameters_have_address(json_array_get(property, 1)))
		return wrong(
		    claim, i, "an address in a parameter, where no digest is for it", f);
	if (is_of_uris(property) && !is_of_type(property, "uri"))
		return wrong(claim, i, "its type is uri", f);
	for (size_t k = PROPERTY_VALUES; k < json_array_size(property); k++)
		TRY(check_value(property, json_array_get(property, k), i, claim, f));
	return RC_OK;
}

/* RFC 6350 sections 6.2.1 and 6.7.9: fn at least once, version once and "4.0". */
static enum rc
check_cardinality(const json_t *properties, const char *claim, struct fault *f)
{
	size_t versions = 0, names = 0;

	for (size_t i = 0; i < json_array_size(properties); i++) {
		const json_t *p = json_array_get(properties, i);

		names += is_named(p, "fn") ? 1 : 0;
		if (!is_named(p, "version"))
			continue;
		versions++;
		if (!span_is(jtext_span(json_array_get(p, PROPERTY_VALUES)), "4.0"))
			return wrong(claim, i, "version is \"4.0\"", f);
	}
	if (versions != 1 || names == 0)
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, claim,
		    "a jCard has one version and at least one fn");
	return RC_OK;
}

enum rc
jcard_check(const json_t *card, const char *claim, struct fault *f)
{
	const json_t *properties = json_array_get(card, 1);

	/* RFC 7095 section 3.2 */
	if (json_array_size(card) != 2 ||
	    !span_is(jtext_span(json_array_get(card, 0)), "vcard") ||
	    !json_is_array(properties))
		return REFUSE(
		    f, RC_INVALID, INVALID_CLAIM, claim, "a jCard is [\"vcard\", [...]]");
	if (json_array_size(properties) > JCARD_MAX_PROPERTIES)
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, claim,
		    "a jCard of more than %d properties", JCARD_MAX_PROPERTIES);
	for (size_t i = 0; i < json_array_size(properties); i++)
		TRY(check_property(json_array_get(properties, i), i, claim, f));
	return check_cardinality(properties, claim, f);
}

/* ---- references --------------------------------------------------------------------- */

static enum rc
add_refs(const json_t *property, size_t i, const char *prefix, struct uri_ref *list, size_t *n,
    const char *claim, struct fault *f)
{
	if (!is_of_type(property, "uri"))
		return RC_OK;
	for (size_t k = PROPERTY_VALUES; k < json_array_size(property); k++) {
		const json_t *value = json_array_get(property, k);
		struct uri_ref *ref = &list[*n];

		if (uri_kind_of(value) != URI_CONTENT)
			continue;
		if (*n == JCARD_MAX_REFS)
			return REFUSE(f, RC_INVALID, INVALID_CLAIM, claim,
			    "more than %d references to content", JCARD_MAX_REFS);
		snprintf(ref->pointer, sizeof ref->pointer, "%.8s/1/%zu/%zu", prefix, i, k);
		ref->uri = json_string_value(value);
		(*n)++;
	}
	return RC_OK;
}

enum rc
jcard_refs(const json_t *card, const char *prefix, struct uri_ref *list, size_t *n,
    const char *claim, struct fault *f)
{
	const json_t *properties = json_array_get(card, 1);

	for (size_t i = 0; i < json_array_size(properties); i++)
		TRY(add_refs(json_array_get(properties, i), i, prefix, list, n, claim, f));
	return RC_OK;
}
