/* profile: the table of D-01 */
#include "stir/profile.h"

#include <string.h>

#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

enum { DAY_S = 86400 };

static struct profile_case {
	const char *name;
	enum profile profile;
	struct profile_rule rule; /* its name is the row's */
} profile_cases[] = {
	{ "shaken-sp", PROFILE_SHAKEN_SP,
	    { .cls = CLASS_SP, .convey = CONVEY_X5U, .warn_lifetime_s = 90 * DAY_S } },
	{ "atis-delegate", PROFILE_ATIS_DELEGATE,
	    { .cls = CLASS_DELEGATE, .convey = CONVEY_X5U, .warn_lifetime_s = 90 * DAY_S } },
	{ "vesper-05", PROFILE_VESPER_05,
	    { .cls = CLASS_DELEGATE,
		.convey = CONVEY_BOTH,
		.min_scts = 1,
		.max_lifetime_s = 7 * DAY_S,
		.constraints_wanted = true,
		.codes_are_originators = true } },
	{ "vesper-06", PROFILE_VESPER_06,
	    { .cls = CLASS_DELEGATE,
		.convey = CONVEY_BOTH,
		.x5c_required = true,
		.min_scts = 1,
		.max_lifetime_s = 7 * DAY_S,
		.vetted_claims = true,
		.codes_are_originators = true } },
	{ "domain", PROFILE_DOMAIN,
	    { .cls = CLASS_DELEGATE,
		.convey = CONVEY_BOTH,
		.min_scts = 1,
		.max_lifetime_s = 7 * DAY_S,
		.domain_bound = true,
		.codes_are_originators = true } },
};

static void
of_d_01(void **state)
{
	const struct profile_case *c = *state;
	const struct profile_rule *r = profile_find(c->name), *want = &c->rule;

	assert_non_null(r);
	assert_ptr_equal(r, profile_rule(c->profile));
	assert_string_equal(r->name, c->name);
	assert_int_equal(r->cls, want->cls);
	assert_int_equal(r->convey, want->convey);
	assert_int_equal(r->x5c_required, want->x5c_required);
	assert_int_equal(r->min_scts, want->min_scts);
	assert_int_equal(r->max_lifetime_s, want->max_lifetime_s);
	assert_int_equal(r->warn_lifetime_s, want->warn_lifetime_s);
	assert_int_equal(r->vetted_claims, want->vetted_claims);
	assert_int_equal(r->constraints_wanted, want->constraints_wanted);
	assert_int_equal(r->codes_are_originators, want->codes_are_originators);
	assert_int_equal(r->domain_bound, want->domain_bound);
	assert_non_null(strstr(PROFILE_NAMES, c->name));
}

static void
of_other_names(void **state)
{
	static const char *const unknown[] = { "", "vesper", "vesper-07", "VESPER-06", "shaken",
		"domain " };

	(void)state;
	assert_int_equal(ARRAY_LEN(profile_cases), PROFILE__COUNT);
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		assert_null(profile_find(unknown[i]));
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(profile_cases) + 1];
	size_t n = 0;

	ROWS(tests, n, profile_cases, of_d_01);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(of_other_names);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
