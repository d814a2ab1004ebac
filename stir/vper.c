#include "stir/vper.h"

#include <stdio.h>

#include "stir/ascii.h"
#include "stir/jtext.h"

static const char *const members[] = { "id", "glue", "name", "domain" };

static bool
is_glue_char(uint8_t c)
{
	return ascii_is_alnum(c) || c == '+' || c == '-' || c == '.';
}

/* authority = ALPHA / DIGIT, then letters, digits, "+", "-", "."; we produce lower case. */
static bool
is_authority(struct span s)
{
	if (s.len == 0 || s.len > GLUE_MAX_AUTHORITY || !ascii_is_alnum(s.ptr[0]))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_glue_char(s.ptr[i]) || (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z'))
			return false;
	}
	return true;
}

/* external: the same, or a leading "-"; its case is the authority's business. */
static bool
is_external(struct span s)
{
	if (s.len == 0 || s.len > GLUE_MAX_EXTERNAL)
		return false;
	if (!ascii_is_alnum(s.ptr[0]) && s.ptr[0] != '-')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_glue_char(s.ptr[i]))
			return false;
	}
	return true;
}

bool
vper_is_glue(struct span urn)
{
	static const char prefix[] = "urn:glue:";
	const uint8_t *colon;
	struct span authority;

	if (urn.len < sizeof prefix || memcmp(urn.ptr, prefix, sizeof prefix - 1) != 0)
		return false;
	(void)span_cut(&urn, sizeof prefix - 1);
	colon = memchr(urn.ptr, ':', urn.len);
	if (colon == NULL)
		return false;
	authority = span_cut(&urn, (size_t)(colon - urn.ptr));
	(void)span_cut(&urn, 1);
	return is_authority(authority) && is_external(urn);
}

static bool
is_label(struct span s)
{
	enum { LABEL_MAX = 63 };

	if (s.len == 0 || s.len > LABEL_MAX || s.ptr[0] == '-' || s.ptr[s.len - 1] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_alnum(s.ptr[i]) && s.ptr[i] != '-')
			return false;
	}
	return true;
}

static bool
is_number(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
	}
	return true;
}

bool
vper_is_domain(struct span name)
{
	size_t labels = 0;
	struct span label = { 0 };

	if (name.len > VPER_MAX_DOMAIN)
		return false;
	for (;; labels++) {
		const uint8_t *dot = name.len > 0 ? memchr(name.ptr, '.', name.len) : NULL;

		label = span_cut(&name, dot != NULL ? (size_t)(dot - name.ptr) : name.len);
		if (!is_label(label))
			return false;
		if (dot == NULL)
			break;
		(void)span_cut(&name, 1);
	}
	/* RFC 1123 section 2.1: the last label of a name is no number, an address's is. */
	return labels > 0 && !is_number(label);
}

bool
vper_is_member(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (span_is(name, members[i]))
			return true;
	}
	return false;
}

/* ---- the claim ---------------------------------------------------------------------- */

static enum rc
invalid(struct fault *f, const char *claim, const char *member, const char *what)
{
	char path[48];

	(void)snprintf(
	    path, sizeof path, "%s%s%s", claim, member[0] != '\0' ? "/" : "", member);
	return REFUSE(f, RC_INVALID, INVALID_CLAIM, path, "%s", what);
}

/* Text that people read: not empty, bounded. */
static bool
is_text(const json_t *value, size_t max)
{
	size_t len = json_string_length(value);

	return jtext_is_shown(value) && len > 0 && len <= max;
}

static enum rc
check_glue(const char *claim, const json_t *list, struct fault *f)
{
	if (!json_is_array(list) || json_array_size(list) == 0)
		return invalid(
		    f, claim, "glue", "an array of at least one GLUE URN"); /* V-46 */
	if (json_array_size(list) > VPER_MAX_GLUE)
		return invalid(f, claim, "glue", "more than 16 GLUE URNs");
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct span urn = jtext_span(json_array_get(list, i));

		if (!vper_is_glue(urn))
			return invalid(f, claim, "glue",
			    "a GLUE URN is urn:glue:AUTHORITY:IDENTIFIER, the first three in "
			    "lower case");
		for (size_t k = 0; k < i; k++) {
			if (span_eq(urn, jtext_span(json_array_get(list, k))))
				return invalid(f, claim, "glue", "a GLUE URN twice");
		}
	}
	return RC_OK;
}

static enum rc
check_members(const char *claim, const json_t *vper, struct fault *f)
{
	json_t *walk = jtext_walk(vper);

	for (size_t i = 0; i < ARRAY_LEN(members); i++) { /* V-44 */
		if (json_object_get(vper, members[i]) == NULL)
			return invalid(f, claim, members[i], "every vper has it");
	}
	for (void *i = json_object_iter(walk); i != NULL; i = json_object_iter_next(walk, i)) {
		if (!vper_is_member(span_str(json_object_iter_key(i)))) /* V-49 */
			return invalid(
			    f, claim, "", "a member other than id, glue, name and domain");
	}
	return RC_OK;
}

enum rc
vper_check(const char *name, const json_t *value, struct fault *f)
{
	const json_t *domain = json_object_get(value, "domain");

	if (!json_is_object(value)) /* D-58 */
		return invalid(f, name, "", "an object: it has no hashed form");
	TRY(check_members(name, value, f));
	if (!is_text(json_object_get(value, "id"), VPER_MAX_ID)) /* V-45 */
		return invalid(f, name, "id", "1 to 256 octets of text");
	TRY(check_glue(name, json_object_get(value, "glue"), f));
	if (!is_text(json_object_get(value, "name"), VPER_MAX_NAME))
		return invalid(f, name, "name", "1 to 512 octets of text");
	if (!json_is_string(domain) || !vper_is_domain(jtext_span(domain))) /* V-48 */
		return invalid(f, name, "domain", "a domain name of at least two labels");
	return RC_OK;
}

enum rc
vper_check_entity(const json_t *vper, const char *entity_id, struct fault *f)
{
	if (vper == NULL || entity_id == NULL ||
	    span_is(jtext_span(json_object_get(vper, "id")), entity_id))
		return RC_OK;
	return REFUSE(f, RC_DENIED, VALUE_NOT_PERMITTED, "vper/id",
	    "vper.id is the entity_id that is configured for the tenant, and this is another");
}
