/*
 * Claim constraints about orig, dest and iat, which each PASSporT has (RFC 8225
 * section 5): what they can be, and what can never be met.
 */
#include "stir/constraintsparts.h"

#include <string.h>

#include "stir/passport.h"
#include "stir/ppt.h"

static const char *const bases[] = { "orig", "dest", "iat" };

static const struct constraints_place places[] = {
	{ "orig", "tn", false, false },
	{ "orig", "uri", false, false },
	{ "dest", "tn", true, false },
	{ "dest", "uri", true, false },
};

bool
constraints_is_base(struct span claim)
{
	for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
		if (span_is(claim, bases[i]))
			return true;
	}
	return false;
}

enum rc
constraints_fits_base(
    const char *claim, json_t *value, bool orig_uri, bool *yes, struct fault *f)
{
	json_auto_t *claims = json_pack(
	    "{s:{s:s},s:{s:[s]},s:i}", "orig", "tn", "1", "dest", "tn", "1", "iat", 1);
	struct passport_policy any = { .orig_uri = orig_uri };
	struct fault why = { 0 };
	struct passport p;

	*yes = false;
	if (json_object_set(claims, claim, value) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a permitted value");
	any.now_s = json_integer_value(json_object_get(claims, "iat"));
	if (passport_prepare(claims, PPT_BASE, &any, &p, &why) == RC_OK) {
		*yes = json_equal(json_object_get(p.claims, claim), value) == 1;
		passport_done(&p);
	}
	return why.rc == RC_NO_MEMORY ? FAULT(f, why.rc, "no_memory", "a permitted value")
				      : RC_OK;
}

/* ---- parts ------------------------------------------------------------------------------ */

/* Of an array of destinations (D-25); RFC 6901 section 4: no leading zero. */
static bool
is_index(struct span text)
{
	size_t n = 0;

	if (text.len == 0 || text.len > 2 || (text.len == 2 && text.ptr[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		n = n * 10 + (size_t)(text.ptr[i] - '0');
	}
	return n < PASSPORT_MAX_DEST;
}

bool
constraints_base_place(const struct privacy_name *n, struct constraints_place *out)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		size_t len = strlen(places[i].member);
		struct span rest = n->pointer;

		if (!span_is(n->claim, places[i].claim) || rest.len <= len)
			continue;
		(void)span_cut(&rest, 1); /* the slash */
		if (!span_eq(span_cut(&rest, len), span_str(places[i].member)))
			continue;
		*out = places[i];
		out->element = rest.len > 0;
		if (rest.len == 0)
			return true;
		return places[i].list && span_cut(&rest, 1).ptr[0] == '/' && is_index(rest);
	}
	return false;
}

enum rc
constraints_base_around(
    const struct constraints_place *at, json_t *value, json_t **whole, struct fault *f)
{
	*whole = json_pack(at->element ? "{s:[O]}" : "{s:O}", at->member, value);
	return *whole != NULL ? RC_OK
			      : FAULT(f, RC_NO_MEMORY, "no_memory", "a permitted value");
}

/* ---- what there is one of --------------------------------------------------------------- */

static bool
is_committed(const struct constraints *c, const char *path)
{
	for (size_t i = 0; i < c->permitteds; i++) {
		struct privacy_name n = constraints_parts(c->permitted[i].claim);

		if (n.mode == PRIVACY_COMMIT && span_is(n.path, path))
			return true;
	}
	return false;
}

/*
 * D-15 for what each PASSporT has, demanded or not: iat, orig with a number or,
 * where that is configured, a URI (D-26), dest with one of the two at least.
 */
static enum rc
check_committed(
    const struct constraints *c, const struct constraints_policy *policy, struct fault *f)
{
	bool tn = is_committed(c, "dest/tn") || is_committed(c, "dest/tn/0");
	bool uri = is_committed(c, "dest/uri") || is_committed(c, "dest/uri/0");
	const char *claim = NULL;

	if (is_committed(c, "iat"))
		claim = "iat";
	if (is_committed(c, "dest") || (tn && uri))
		claim = "dest";
	if (is_committed(c, "orig") ||
	    (is_committed(c, "orig/tn") && (!policy->orig_uri || is_committed(c, "orig/uri"))))
		claim = "orig";
	if (claim == NULL || policy->assert_committed)
		return RC_OK;
	return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, claim,
	    "each PASSporT has what is committed to, and a commitment is not sent in clear");
}

/* A value, or its hash, that has to be there where what is absent is refused. */
static bool
is_listed(const struct constraints *c, const char *path)
{
	for (size_t i = 0; i < c->permitteds; i++) {
		struct privacy_name n = constraints_parts(c->permitted[i].claim);

		if (n.mode < PRIVACY_COMMIT && span_is(n.path, path))
			return true;
	}
	return false;
}

/* D-08: of an orig that is a number no URI can be there, nor the other way about. */
static enum rc
check_strict(
    const struct constraints *c, const struct constraints_policy *policy, struct fault *f)
{
	if (c->form != CONSTRAINTS_JWT || !policy->rfc8226_strict_permitted ||
	    !is_listed(c, "orig/uri"))
		return RC_OK;
	if (policy->orig_uri && !is_listed(c, "orig/tn"))
		return RC_OK;
	return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, "orig/uri",
	    "it would have to be in each PASSporT (rfc8226_strict_permitted), and orig is a "
	    "number");
}

enum rc
constraints_check_base(
    const struct constraints *c, const struct constraints_policy *policy, struct fault *f)
{
	TRY(check_committed(c, policy, f));
	return check_strict(c, policy, f);
}
