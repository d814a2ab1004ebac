/* What a signer finds out about claim constraints when a credential is activated. */
#include "stir/constraints.h"

#include <stdlib.h>

#include "stir/constraintsparts.h"
#include "stir/jgrammar.h"
#include "stir/jpointer.h"
#include "stir/jtext.h"
#include "stir/ppt.h"
#include "stir/vper.h"

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
	for (size_t i = 0; i < c->must_excludes; i++) {
		if (ppt_is_base_claim(c->must_exclude[i]))
			return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, c->must_exclude[i],
			    "mustExclude names it, which each PASSporT has");
	}
	for (size_t i = 0; i < c->must_includes; i++) {
		if (constraints_has(c->must_exclude, c->must_excludes, c->must_include[i]))
			return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, c->must_include[i],
			    "mustInclude and mustExclude both name it");
	}
	return RC_OK;
}

/*
 * A JSON object or array that no PASSporT can hold: a float, a doubled member,
 * a number or a nesting beyond what parsers share, half a surrogate pair.  It
 * is JSON (RFC 8259), so it is not in RFC 8225 form (D-12), normalised or not.
 */
static bool
never_rfc8225(const char *text)
{
	return constraints_is_structured(text) && jgrammar_is_json(span_str(text));
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

		TRY(constraints_structured(p->value[i], &form, &found, f));
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
	TRY(constraints_copy(n.pointer, &pointer, f));
	if (!jpointer_is_valid(pointer))
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
		    "'~' in a pointer stands only in ~0 and ~1");
	return check_digests(p, n.mode, f);
}

/* V-53, V-62: one encoding for each claim or path; a salt's digest goes with a commitment. */
static enum rc
check_encoding(const struct constraints *c, const struct permitted *p, struct fault *f)
{
	struct privacy_name n = constraints_parts(p->claim);
	bool committed = n.mode != PRIVACY_SALT;

	for (size_t i = 0; i < c->permitteds; i++) {
		struct privacy_name other = constraints_parts(c->permitted[i].claim);

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
		TRY(constraints_structured(text, out, &found, f));
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

/* ---- values that a claim can have ---------------------------------------------------- */

static enum rc
fits_value(const char *claim, json_t *value, const struct constraints_policy *policy, bool *yes,
    struct fault *f)
{
	struct fault why = { 0 };

	if (ppt_is_base_claim(claim))
		return constraints_fits_base(claim, value, policy->orig_uri, yes, f);
	*yes = ppt_check_anywhere(claim, value, &why) == RC_OK;
	return why.rc == RC_NO_MEMORY ? FAULT(f, why.rc, "no_memory", "a permitted value")
				      : RC_OK;
}

/* Is there a value of the claim, in a PASSporT of any type, that this text permits (D-12)? */
static enum rc
fits_claim(const char *claim, const char *text, const struct constraints_policy *policy,
    bool *yes, struct fault *f)
{
	__attribute__((
	    cleanup(constraints_readings_done))) struct constraints_readings r = { 0 };

	TRY(constraints_read(text, policy, &r, f));
	*yes = false;
	for (size_t i = 0; i < r.len && !*yes; i++)
		TRY(fits_value(claim, r.value[i], policy, yes, f));
	return RC_OK;
}

/* ---- values against the entries for their parts ------------------------------------- */

/* Would this value of a claim be let through by the entries for it and its parts? */
static enum rc
is_let_through(const struct constraints_plan *entries, const char *claim, json_t *value,
    const struct constraints_policy *policy, bool *yes, struct fault *f)
{
	struct constraints_policy without = *policy;
	json_auto_t *claims = json_object();
	struct fault why = { 0 };

	if (json_object_set(claims, claim, value) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a permitted value");
	without.salts = NULL; /* activation does not depend on which salts are here */
	without.rfc8226_strict_permitted = false; /* the other claims are not asked about */
	*yes = constraints_judge(entries, &without, claims, &why) == RC_OK ||
	       fault_is(&why, REASON_COMMITMENT_NOT_PROVABLE);
	return why.rc == RC_NO_MEMORY ? FAULT(f, why.rc, "no_memory", "a permitted value")
				      : RC_OK;
}

static enum rc
fits_parts(const struct constraints_plan *entries, const char *claim, const char *text,
    const struct constraints_policy *policy, bool *yes, struct fault *f)
{
	json_auto_t *value = NULL;

	*yes = true;
	if (text[0] != '{' && text[0] != '[')
		return RC_OK; /* it has no parts */
	if (jtext_read(span_str(text), &value, NULL) != RC_OK)
		return RC_OK; /* a string that looks like JSON */
	return is_let_through(entries, claim, value, policy, yes, f);
}

/* Demanded by the certificate, by RFC 8225 section 5, or by a reading of RFC 8226 (D-08). */
static bool
is_due(const struct constraints *c, const char *claim, const struct constraints_policy *policy)
{
	return ppt_is_base_claim(claim) ||
	       constraints_has(c->must_include, c->must_includes, claim) ||
	       (policy->rfc8226_strict_permitted && c->form == CONSTRAINTS_JWT);
}

/* RFC 9118 section 8: a demanded claim of which no permitted value can be sent. */
static enum rc
check_whole(const struct constraints *c, const struct constraints_plan *entries,
    const struct permitted *p, const struct constraints_policy *policy, struct fault *f)
{
	bool fits = !is_due(c, p->claim, policy);

	for (size_t i = 0; i < p->values && !fits; i++) {
		TRY(fits_claim(p->claim, p->value[i], policy, &fits, f));
		if (fits)
			TRY(in_all(c, p->claim, p->value[i], policy, &fits, f));
		if (fits)
			TRY(fits_parts(entries, p->claim, p->value[i], policy, &fits, f));
	}
	if (!fits)
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
		    "demanded, but none of its values fits the claim and the entries for it "
		    "and its parts");
	return RC_OK;
}

/* A value of a part of a base claim: can a PASSporT be sent that has it there? */
static enum rc
fits_base_part(const struct constraints *c, const struct constraints_plan *entries,
    const struct constraints_place *at, json_t *value, const struct constraints_policy *policy,
    bool *yes, struct fault *f)
{
	json_auto_t *whole = NULL;

	TRY(constraints_base_around(at, value, &whole, f));
	TRY(constraints_fits_base(at->claim, whole, true, yes, f));
	/* Of the whole claim check_whole() has said whether it agrees with its parts. */
	if (!*yes || at->element || constraints_permits(c, at->claim))
		return RC_OK;
	return is_let_through(entries, at->claim, whole, policy, yes, f);
}

static enum rc
text_fits_base_part(const struct constraints *c, const struct constraints_plan *entries,
    const struct constraints_place *at, const char *text,
    const struct constraints_policy *policy, bool *yes, struct fault *f)
{
	__attribute__((
	    cleanup(constraints_readings_done))) struct constraints_readings r = { 0 };

	TRY(constraints_read(text, policy, &r, f));
	*yes = false;
	for (size_t i = 0; i < r.len && !*yes; i++)
		TRY(fits_base_part(c, entries, at, r.value[i], policy, yes, f));
	return RC_OK;
}

/*
 * Each PASSporT has orig, dest and iat, and no further parts of them than RFC
 * 8225 section 5.2.1 says: an entry for another part never applies, and one
 * whose values the part cannot have never lets a call pass.
 */
static enum rc
check_base_part(const struct constraints *c, const struct constraints_plan *entries,
    const struct permitted *p, const struct constraints_policy *policy, struct fault *f)
{
	struct privacy_name n = constraints_parts(p->claim);
	struct constraints_place at = { 0 };
	bool fits = n.mode != PRIVACY_VALUE;

	if (n.pointer.len == 0 || !constraints_is_base(n.claim))
		return RC_OK;
	if (!constraints_base_place(&n, &at))
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
		    "no PASSporT has such a part of a base claim");
	for (size_t i = 0; i < p->values && !fits; i++) {
		TRY(text_fits_base_part(c, entries, &at, p->value[i], policy, &fits, f));
		if (fits)
			TRY(in_all(c, p->claim, p->value[i], policy, &fits, f));
	}
	if (!fits)
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
		    "that part of a PASSporT has none of its values, whatever the call");
	return RC_OK;
}

static enum rc
check_wholes(
    const struct constraints *c, const struct constraints_policy *policy, struct fault *f)
{
	struct constraints only = *c; /* its entries, not its lists */
	AUTO(constraints_plan) *entries = NULL;

	only.must_includes = only.must_excludes = 0;
	TRY(constraints_plan(&only, &entries, f));
	for (size_t i = 0; i < c->permitteds; i++) {
		TRY(check_whole(c, entries, &c->permitted[i], policy, f));
		TRY(check_base_part(c, entries, &c->permitted[i], policy, f));
	}
	return RC_OK;
}

/* ---- the whole ---------------------------------------------------------------------- */

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
	struct privacy_name n = constraints_parts(p->claim);

	if (n.mode == PRIVACY_COMMIT && !policy->assert_committed && is_demanded(c, &n))
		return REFUSE(f, RC_DENIED, CREDENTIAL_UNUSABLE, p->claim,
		    "mustInclude demands what is committed to, and a commitment is not sent "
		    "in clear");
	return RC_OK;
}

static enum rc
check(const struct constraints *c, const struct constraints_policy *p, struct fault *f)
{
	TRY(check_list(c->must_include, c->must_includes, "mustInclude", f));
	TRY(check_list(c->must_exclude, c->must_excludes, "mustExclude", f));
	TRY(check_contradictions(c, f));
	TRY(constraints_check_base(c, p, f));
	for (size_t i = 0; i < c->permitteds; i++) {
		TRY(check_permitted_name(&c->permitted[i], f));
		TRY(check_form(&c->permitted[i], p, f));
		TRY(check_intersection(c, &c->permitted[i], p, f));
		TRY(check_encoding(c, &c->permitted[i], f));
		TRY(check_demand(c, &c->permitted[i], p, f));
	}
	return check_wholes(c, p, f);
}

enum rc
constraints_check(
    const struct constraints *c, const struct constraints_policy *p, struct fault *f)
{
	struct fault why = { 0 };

	if (check(c, p, &why) == RC_OK)
		return RC_OK;
	return fault_set(f, why.rc, why.reason, why.claim, why.where, "%s: %s",
	    constraints_form_name(c->form), why.detail);
}

const char *
constraints_oddity(const struct constraints *c, size_t n)
{
	static const char *const ppts[] = { "shaken", "div-o", "rsp", "msg", "msec" };
	const char *found[3] = { 0 };
	size_t len = 0;

	/* No claim has the name of a type alone; a demand for it is never met. */
	for (size_t i = 0; i < ARRAY_LEN(ppts) && len == 0; i++) {
		if (constraints_has(c->must_include, c->must_includes, ppts[i]))
			found[len++] = "mustInclude names a PASSporT type, which is no claim";
	}
	for (size_t i = 0; i < c->must_includes; i++) {
		if (ppt_is_base_claim(c->must_include[i])) {
			/* RFC 9118 section 3: SHOULD NOT */
			found[len++] = "mustInclude names a claim that is always there";
			break;
		}
	}
	if (constraints_has(c->must_exclude, c->must_excludes, "rcdi"))
		found[len++] = "mustExclude names rcdi, which protects rcd";
	return n < len ? found[n] : NULL;
}
