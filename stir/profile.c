#include "stir/profile.h"

#include <assert.h>
#include <string.h>

enum { DAY_S = 24 * 60 * 60 };

/* V-12: VESPER certificates are short-lived; elsewhere a long life is only told. */
/* clang-format off */
static const struct profile_rule rules[] = {
	[PROFILE_SHAKEN_SP] = {
		.name = "shaken-sp", .cls = CLASS_SP, .convey = CONVEY_X5U,
		.warn_lifetime_s = 90 * DAY_S,
	},
	[PROFILE_ATIS_DELEGATE] = {
		.name = "atis-delegate", .cls = CLASS_DELEGATE, .convey = CONVEY_X5U,
		.warn_lifetime_s = 90 * DAY_S,
	},
	/* V-04: x5c SHOULD be there, so it is the default and can be given up by name. */
	[PROFILE_VESPER_05] = {
		.name = "vesper-05", .cls = CLASS_DELEGATE, .convey = CONVEY_BOTH,
		.min_scts = 1, .max_lifetime_s = 7 * DAY_S, .constraints_wanted = true,
		.attest_in_rsp = true,
		.codes_are_originators = true,
	},
	[PROFILE_VESPER_06] = {
		.name = "vesper-06", .cls = CLASS_DELEGATE, .convey = CONVEY_BOTH,
		.x5c_required = true, .min_scts = 1, .max_lifetime_s = 7 * DAY_S,
		.vetted_claims = true, .codes_are_originators = true,
	},
	[PROFILE_DOMAIN] = {
		.name = "domain", .cls = CLASS_DELEGATE, .convey = CONVEY_BOTH,
		.min_scts = 1, .max_lifetime_s = 7 * DAY_S, .codes_are_originators = true,
		.domain_bound = true,
	},
};
/* clang-format on */
static_assert(ARRAY_LEN(rules) == PROFILE__COUNT, "a row per profile");

const struct profile_rule *
profile_rule(enum profile p)
{
	assert(p < PROFILE__COUNT);
	return &rules[p];
}

const struct profile_rule *
profile_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (strcmp(rules[i].name, name) == 0)
			return &rules[i];
	}
	return NULL;
}
