/* One word for where a credential stands. */
#include "agent/front/life.h"

#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

static struct life_case {
	const char *name;
	struct life_facts facts;
	const char *life;
} cases[] = {
	/* clang-format off */
	{ "nothing yet", { true, CREDENTIAL_PENDING, "no_credential", false, "", 0 }, "draft" },
	{ "a token is awaited", { true, CREDENTIAL_PENDING, NULL, false, "token", 0 },
	    "waiting_token" },
	{ "the claims' too", { true, CREDENTIAL_PENDING, NULL, false, "claims-token", 0 },
	    "waiting_token" },
	{ "an order", { true, CREDENTIAL_PENDING, NULL, false, "order", 0 }, "ordering" },
	{ "a step of later versions", { true, CREDENTIAL_PENDING, NULL, false, "star", 0 },
	    "ordering" },
	{ "the chain is here", { true, CREDENTIAL_PENDING, NULL, false, "install", 0 },
	    "publishing" },
	{ "refused by the CA", { true, CREDENTIAL_PENDING, NULL, false, "", 1 }, "refused" },
	{ "refused, and tried again", { true, CREDENTIAL_PENDING, NULL, false, "order", 1 },
	    "ordering" },
	{ "what lies on disk is refused",
	    { true, CREDENTIAL_UNUSABLE, "chain_path", false, "", 0 }, "refused" },
	{ "not looked at yet", { true, CREDENTIAL_LOADING, "overloaded", false, "", 0 }, "publishing" },
	{ "unusable, the next one is asked for",
	    { true, CREDENTIAL_UNUSABLE, "chain_path", false, "poll", 0 }, "ordering" },
	{ "in force", { true, CREDENTIAL_READY, NULL, false, "", 0 }, "in_force" },
	{ "in force though the next one is refused",
	    { true, CREDENTIAL_READY, NULL, false, "", 7 }, "in_force" },
	{ "renewing", { true, CREDENTIAL_READY, NULL, false, "token", 0 }, "renewing" },
	{ "renewing, last step", { true, CREDENTIAL_READY, NULL, false, "install", 0 },
	    "renewing" },
	{ "expired", { true, CREDENTIAL_READY, NULL, true, "", 0 }, "expired" },
	{ "expired, however much it is asked for",
	    { true, CREDENTIAL_READY, NULL, true, "order", 3 }, "expired" },
	{ "revoked by an operator", { true, CREDENTIAL_REVOKED, NULL, false, "order", 1 },
	    "revoked" },
	{ "revoked", { true, CREDENTIAL_UNUSABLE, "revoked", false, "", 0 }, "revoked" },
	{ "revoked, without a chain", { true, CREDENTIAL_PENDING, "revoked", false, "order", 0 },
	    "revoked" },
	{ "a file on disk was revoked, another is in force",
	    { true, CREDENTIAL_READY, "revoked", false, "", 0 }, "in_force" },
	{ "disabled", { false, CREDENTIAL_READY, NULL, false, "", 0 }, "disabled" },
	{ "disabled before all", { false, CREDENTIAL_UNUSABLE, "revoked", true, "order", 2 },
	    "disabled" },
	/* clang-format on */
};

static void
has_a_life(void **state)
{
	const struct life_case *c = *state;

	assert_string_equal(life_name(life_of(&c->facts)), c->life);
}

static struct reason_case {
	const char *name, *problem, *reason;
} reasons[] = {
	{ "a reason", "acme_busy: later", "acme_busy" },
	{ "of digits too", "http_503: x", "http_503" },
	{ "none", "", "" },
	{ "no colon", "acme_busy", "" },
	{ "a sentence", "the CA: away", "" },
	{ "capitals", "Acme: x", "" },
	{ "only a colon", ": x", "" },
	{ "too long",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: x",
	    "" },
};

static void
has_a_reason(void **state)
{
	const struct reason_case *c = *state;
	char out[LIFE_REASON_MAX];

	life_reason(c->problem, out);
	assert_string_equal(out, c->reason);
}

static void
names_are_all_different(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LIFE__COUNT; i++) {
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(
			    life_name((enum life)i), life_name((enum life)k));
	}
	assert_string_equal(life_name(LIFE__COUNT), "unknown");
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(cases) + ARRAY_LEN(reasons) + 1];
	size_t n = 0;

	ROWS(tests, n, cases, has_a_life);
	ROWS(tests, n, reasons, has_a_reason);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(names_are_all_different);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
