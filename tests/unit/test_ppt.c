/* ppt: the table and the checks of their claims */
#include "stir/ppt.h"

#include "tests/unit/mutate.h"

static void
finds_types(void **state)
{
	static const char *const unknown[] = { "", "base", "Shaken", "SHAKEN", "shaken ",
		"passport", "vper" };
	enum ppt p = PPT__COUNT;

	(void)state;
	assert_int_equal(ppt_find(NULL, &p, NULL), RC_OK);
	assert_int_equal(p, PPT_BASE);
	assert_int_equal(ppt_find("shaken", &p, NULL), RC_OK);
	assert_int_equal(p, PPT_SHAKEN);
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
		struct fault f = { 0 };

		assert_int_equal(ppt_find(unknown[i], &p, &f), RC_INVALID);
		assert_string_equal(f.reason, "unsupported_ppt");
		assert_non_null(
		    strstr(f.detail, "base, shaken, rcd, div, div-o, rsp, msg, rph"));
	}
}

/* D-01: who signs what. */
static void
classes(void **state)
{
	(void)state;
	assert_int_equal(ppt_rule(PPT_BASE)->classes, 1u << CLASS_DELEGATE);
	assert_int_equal(ppt_rule(PPT_SHAKEN)->classes, 1u << CLASS_SP);
}

static struct claim_case {
	const char *name, *claim, *value;
	bool good;
} claim_cases[] = {
	{ "A", "attest", "\"A\"", true },
	{ "B", "attest", "\"B\"", true },
	{ "C", "attest", "\"C\"", true },
	{ "D", "attest", "\"D\"", false },
	{ "lower case (RFC 8588 s4)", "attest", "\"a\"", false },
	{ "empty attest", "attest", "\"\"", false },
	{ "AB", "attest", "\"AB\"", false },
	{ "a list", "attest", "[\"A\"]", false },
	{ "null attest", "attest", "null", false },
	{ "uuid", "origid", "\"123e4567-e89b-12d3-a456-426655440000\"", true },
	{ "upper-case uuid", "origid", "\"123E4567-E89B-12D3-A456-426655440000\"", true },
	{ "short uuid (RFC 8588 s5)", "origid", "\"123e4567-e89b-12d3-a456-42665544000\"",
	    false },
	{ "long uuid", "origid", "\"123e4567-e89b-12d3-a456-4266554400000\"", false },
	{ "uuid in braces", "origid", "\"{123e4567-e89b-12d3-a456-426655440000}\"", false },
	{ "uuid urn", "origid", "\"urn:uuid:123e4567-e89b-12d3-a456-426655440000\"", false },
	{ "uuid without dashes", "origid", "\"123e4567e89b12d3a456426655440000\"", false },
	{ "dash in another place", "origid", "\"123e456-7e89b-12d3-a456-426655440000\"",
	    false },
	{ "no hexadecimal digit", "origid", "\"g23e4567-e89b-12d3-a456-426655440000\"", false },
	{ "empty origid", "origid", "\"\"", false },
	{ "origid a number", "origid", "1", false },
};

static void
claims(void **state)
{
	const struct claim_case *c = *state;
	json_auto_t *value = json_loads(c->value, JSON_DECODE_ANY, NULL);
	struct fault f = { 0 };

	for (const struct claim_rule *r = ppt_rule(PPT_SHAKEN)->claims; r->name != NULL; r++) {
		if (strcmp(r->name, c->claim) != 0)
			continue;
		assert_true(r->required);
		assert_int_equal(r->check(r->name, value, &f), c->good ? RC_OK : RC_INVALID);
		if (!c->good) {
			assert_string_equal(f.reason, "invalid_claim");
			assert_string_equal(f.claim, c->claim);
		}
		return;
	}
	fail_msg("no rule for %s", c->claim);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(claim_cases) + 2];
	size_t n = 0;

	ROWS(tests, n, claim_cases, claims);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(finds_types);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(classes);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
