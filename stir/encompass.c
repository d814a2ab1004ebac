#include "stir/encompass.h"

static const char *const names[] = {
	[ENCOMPASS_IF_PRESENT] = "if-present",
	[ENCOMPASS_REQUIRE] = "require",
	[ENCOMPASS_OFF] = "off",
};

bool
encompass_find(const char *name, enum encompass_mode *out)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], name) == 0) {
			*out = (enum encompass_mode)i;
			return true;
		}
	}
	return false;
}

const char *
encompass_name(enum encompass_mode m)
{
	return names[m];
}

/* What one certificate speaks for. */
struct scope {
	const struct cert *cert;
	const struct tnset *referenced; /* beside the list in the certificate */
	bool codes;			/* they are part of it */
};

static bool
has_list(const struct cert *c)
{
	return c->tnauth != NULL || c->tnauth_by_reference;
}

static bool
codes_within(const struct tnauth *child, const struct tnauth *parent)
{
	for (size_t i = 0; i < tnauth_len(child); i++) {
		const struct tnauth_entry *e = tnauth_at(child, i);

		if (e->kind == TNAUTH_SPC && !tnauth_has_spc(parent, e->spc))
			return false;
	}
	return true;
}

/* Everything that is known of the child is in the list that the parent's certificate holds. */
static bool
is_inside(const struct scope *child, const struct tnauth *parent)
{
	const struct tnauth *own = child->cert->tnauth;

	if (own != NULL && !tnset_within(tnauth_numbers(own), tnauth_numbers(parent)))
		return false;
	if (child->referenced != NULL &&
	    !tnset_within(child->referenced, tnauth_numbers(parent)))
		return false;
	return own == NULL || !child->codes || codes_within(own, parent);
}

/* A reference that nobody followed: what it lists is not known. */
static bool
is_known(const struct scope *child)
{
	return !child->cert->tnauth_by_reference || child->referenced != NULL;
}

/* Both have a list. */
static enum encompass_verdict
judge_pair(const struct scope *child, const struct cert *parent)
{
	const struct tnauth *list = parent->tnauth;

	if (!has_list(child->cert))
		return ENCOMPASS_OUTSIDE; /* it claims no less than everything */
	if (list == NULL)
		return ENCOMPASS_OPEN;
	if (is_inside(child, list))
		return is_known(child) ? ENCOMPASS_PROVEN : ENCOMPASS_OPEN;
	/* RFC 9060 section 5: what a code covers is in a database, not in the path. */
	return tnauth_spcs(list) > 0 || parent->tnauth_by_reference ? ENCOMPASS_OPEN
								    : ENCOMPASS_OUTSIDE;
}

static const struct cert *
cert_at(const struct encompass *e, size_t i)
{
	return i < e->chain->len ? e->chain->cert[i] : e->anchor;
}

/*
 * Each against every list above it, not only the next: one without a list in
 * between neither widens nor hides what stands further up (RFC 8226 section 9:
 * the list of a CA caps every path through it).
 */
static enum encompass_verdict
judge_above(const struct encompass *e, size_t i, enum encompass_verdict so_far)
{
	size_t n = e->chain->len + (e->anchor != NULL ? 1 : 0);
	const struct scope child = { cert_at(e, i), i == 0 ? e->referenced : NULL,
		i > 0 || !e->codes_are_originators };

	for (size_t k = i + 1; k < n; k++) {
		enum encompass_verdict v;

		if (!has_list(cert_at(e, k)))
			continue;
		v = judge_pair(&child, cert_at(e, k));
		if (v == ENCOMPASS_OUTSIDE)
			return v;
		if (v == ENCOMPASS_OPEN || so_far == ENCOMPASS_ABSENT)
			so_far = v;
	}
	return so_far;
}

enum encompass_verdict
encompass_judge(const struct encompass *e)
{
	enum encompass_verdict v = ENCOMPASS_ABSENT;

	for (size_t i = 0; i < e->chain->len && v != ENCOMPASS_OUTSIDE; i++) {
		if (i == 0 || has_list(e->chain->cert[i]))
			v = judge_above(e, i, v);
	}
	return v;
}

enum rc
encompass_allows(enum encompass_mode mode, enum encompass_verdict v, struct fault *f)
{
	static const char *const why[] = {
		[ENCOMPASS_OPEN] =
		    "a certificate above speaks by code or by reference, so that "
		    "it cannot be shown to hold the leaf's numbers",
		[ENCOMPASS_ABSENT] = "no certificate above the leaf has a TNAuthList",
		[ENCOMPASS_OUTSIDE] = "numbers that a certificate above does not have",
	};

	if (mode == ENCOMPASS_OFF || v == ENCOMPASS_PROVEN)
		return RC_OK;
	if (mode == ENCOMPASS_IF_PRESENT && v != ENCOMPASS_OUTSIDE)
		return RC_OK;
	return FAULT(
	    f, RC_DENIED, "chain_scope", "%s (encompassing = %s)", why[v], names[mode]);
}

enum rc
encompass_check(const struct encompass *e, enum encompass_mode mode, struct fault *f)
{
	return encompass_allows(mode, encompass_judge(e), f);
}
