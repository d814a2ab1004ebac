#include "stir/ppt.h"

#include <assert.h>

#include "stir/jtext.h"

/* RFC 8588 section 4: one of three upper-case letters, never a default. */
static enum rc
check_attest(const char *name, const json_t *value, struct fault *f)
{
	struct span s = jtext_span(value);

	if (span_is(s, "A") || span_is(s, "B") || span_is(s, "C"))
		return RC_OK;
	return REFUSE(f, RC_INVALID, INVALID_CLAIM, name, "attest is \"A\", \"B\" or \"C\"");
}

static bool
is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* RFC 8588 section 5: a UUID, RFC 9562 section 4; its spelling stays the caller's (D-48). */
static enum rc
check_uuid(const char *name, const json_t *value, struct fault *f)
{
	static const char form[] = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
	struct span s = jtext_span(value);
	bool good = s.len == sizeof form - 1;

	for (size_t i = 0; i < s.len && good; i++)
		good = form[i] == '-' ? s.ptr[i] == '-' : is_hex(s.ptr[i]);
	if (!good)
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, name, "%s is a UUID", name);
	return RC_OK;
}

static const struct claim_rule no_claims[] = { { 0 } };

static const struct claim_rule shaken_claims[] = {
	{ "attest", true, check_attest },
	{ "origid", true, check_uuid },
	{ 0 },
};

/* Which class signs which type: D-01. */
static const struct ppt_rule rules[] = {
	[PPT_BASE] = { NULL, 1u << CLASS_DELEGATE, AUTHORISED_BY_ORIG, no_claims },
	[PPT_SHAKEN] = { "shaken", 1u << CLASS_SP, AUTHORISED_BY_ORIG, shaken_claims },
};
static_assert(ARRAY_LEN(rules) == PPT__COUNT, "a row per ppt");

const struct ppt_rule *
ppt_rule(enum ppt p)
{
	assert(p < PPT__COUNT);
	return &rules[p];
}

enum rc
ppt_find(const char *name, enum ppt *out, struct fault *f)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const char *known = rules[i].name;

		if (name == NULL ? known == NULL : known != NULL && strcmp(name, known) == 0) {
			*out = (enum ppt)i;
			return RC_OK;
		}
	}
	return REFUSE(f, RC_INVALID, UNSUPPORTED_PPT, NULL, "this ppt is not supported");
}
