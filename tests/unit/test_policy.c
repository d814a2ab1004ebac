/* policy: how far a tenant may attest, and whom it may call */
#include "agent/front/policy.h"

#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

/* ---- attestation -------------------------------------------------------------- */

enum { LISTED = 1, DELEGATE = 2, KNOWN = 4 };

/* Letters by rule: listed, delegate_proof, known_customer, otherwise; '-' for none. */
static struct attest_case {
	const char *name, *rules;
	bool lower;
	enum unlisted_tn unlisted;
	unsigned evidence;
	char asked, granted; /* granted 0: refused */
	const char *rule;
} attest_cases[] = {
	{ "listed", "AABC", false, UNLISTED_REFUSE, LISTED, 'A', 'A', "listed" },
	{ "less than granted stays as asked", "AABC", false, UNLISTED_REFUSE, LISTED, 'C', 'C',
	    "listed" },
	{ "delegate proof of an unlisted number", "BA--", false, UNLISTED_REFUSE, DELEGATE, 'A',
	    'A', "delegate_proof" },
	{ "delegate proof grants more than the list", "BA--", false, UNLISTED_REFUSE,
	    LISTED | DELEGATE, 'A', 'A', "delegate_proof" },
	{ "a tie goes to the list", "AA--", false, UNLISTED_REFUSE, LISTED | DELEGATE, 'A', 'A',
	    "listed" },
	{ "a proof that the tenant does not take", "B--C", false, UNLISTED_B, DELEGATE, 'B', 0,
	    "otherwise" },
	{ "known customer", "AAB-", false, UNLISTED_B, KNOWN, 'B', 'B', "known_customer" },
	{ "known customer, never A (RFC 8588 s4)", "AAB-", false, UNLISTED_B, KNOWN, 'A', 0,
	    "known_customer" },
	{ "known customer under unlisted_tn C (D-05)", "AAB-", false, UNLISTED_C, KNOWN, 'B', 0,
	    "known_customer" },
	{ "not a known customer", "AAB-", false, UNLISTED_B, 0, 'C', 0, "otherwise" },
	{ "otherwise", "AABC", false, UNLISTED_B, 0, 'C', 'C', "otherwise" },
	{ "otherwise is not listed", "AABC", false, UNLISTED_B, 0, 'B', 0, "otherwise" },
	{ "the list says nothing of this number", "A---", false, UNLISTED_B, 0, 'C', 0,
	    "otherwise" },
	{ "lowered from the list", "BABC", true, UNLISTED_B, LISTED, 'A', 'B', "listed" },
	{ "lowered for a customer", "AABC", true, UNLISTED_B, KNOWN, 'A', 'B',
	    "known_customer" },
	{ "lowered otherwise", "AABC", true, UNLISTED_B, 0, 'A', 'C', "otherwise" },
	{ "nothing to lower to", "A---", true, UNLISTED_B, 0, 'C', 0, "otherwise" },
	{ "lowering never raises", "AABC", true, UNLISTED_B, LISTED, 'C', 'C', "listed" },
};

static char
letter(char c)
{
	return c == '-' ? 0 : c;
}

static void
attests(void **state)
{
	const struct attest_case *c = *state;
	struct config_tenant t = { .attestation = { .set = true,
				       .listed = letter(c->rules[0]),
				       .delegate_proof = letter(c->rules[1]),
				       .known_customer = letter(c->rules[2]),
				       .otherwise = letter(c->rules[3]),
				       .lower = c->lower } };
	struct config_credential k = { .unlisted_tn = c->unlisted };
	struct attest_evidence e = { .listed = (c->evidence & LISTED) != 0,
		.delegate = (c->evidence & DELEGATE) != 0,
		.known = (c->evidence & KNOWN) != 0,
		.unproven = (c->evidence & DELEGATE) != 0 ? NULL : "it is of another call" };
	struct attest_verdict v = { 0 };
	struct fault f = { 0 };
	enum rc rc = policy_attest(&t, &k, &e, c->asked, &v, &f);

	assert_int_equal(rc, c->granted != 0 ? RC_OK : RC_DENIED);
	assert_int_equal(v.asked, c->asked);
	assert_int_equal(v.granted, c->granted);
	assert_string_equal(v.rule, c->rule);
	if (c->granted != 0)
		return;
	assert_string_equal(f.reason, "attest_not_allowed");
	assert_string_equal(f.claim, "attest");
	if (e.unproven != NULL)
		assert_non_null(strstr(f.detail, e.unproven));
}

/* Never a default: without either setting nothing is granted, without the claim nothing judged. */
static void
attest_has_no_default(void **state)
{
	struct config_tenant t = { 0 };
	struct config_credential k = { .unlisted_tn = UNLISTED_B };
	struct attest_evidence e = { .listed = true };
	struct attest_verdict v = { 0 };
	struct fault f = { 0 };

	(void)state;
	for (char a = 'A'; a <= 'C'; a++)
		assert_int_equal(policy_attest(&t, &k, &e, a, &v, &f), RC_DENIED);
	assert_int_equal(policy_attest(&t, &k, &e, 0, &v, NULL), RC_OK);
	assert_int_equal(v.granted, 0);
	assert_null(v.rule);
}

/* ---- types -------------------------------------------------------------------- */

static void
watched_types_are_of_the_class(void **state)
{
	char div[] = "div", *list[] = { div };
	struct config_tenant t = { .ppts = { list, 1 } };
	struct config_credential k = { .profile = PROFILE_SHAKEN_SP };

	(void)state;
	assert_int_equal(policy_ppts(&t, &k), 1U << PPT_DIV);
	assert_int_equal(policy_ppts_passed(&t, &k), 1U << PPT_DIV);
	t.observe = 1U << OBSERVE_DESTS;
	assert_int_equal(policy_ppts_passed(&t, &k), 1U << PPT_DIV);
	t.observe = 1U << OBSERVE_PPTS;
	assert_int_equal(policy_ppts(&t, &k), 1U << PPT_DIV);
	/* D-01: the class is no local rule. */
	assert_int_equal(policy_ppts_passed(&t, &k),
	    1U << PPT_SHAKEN | 1U << PPT_RCD | 1U << PPT_DIV | 1U << PPT_RPH);
}

/* ---- destinations ------------------------------------------------------------- */

static struct dest_case {
	const char *name, *tenant, *credential; /* a block; NULL: no list */
	const char *dest[2];
	bool uri, allowed;
} dest_cases[] = {
	{ "no list", NULL, NULL, { "911" }, true, true },
	{ "in the tenant's", "12025550100-12025550199", NULL, { "12025550150" }, false, true },
	{ "beside the tenant's", "12025550100-12025550199", NULL, { "12025550200" }, false,
	    false },
	{ "one of two beside", "12025550100-12025550199", NULL, { "12025550150", "911" }, false,
	    false },
	{ "longer number of the same digits", "12025550100-12025550199", NULL,
	    { "120255501500" }, false, false },
	{ "in the credential's", NULL, "12025550100", { "12025550100" }, false, true },
	{ "beside the credential's", NULL, "12025550100", { "12025550101" }, false, false },
	{ "in the tenant's alone", "12025550100-12025550199", "12025550100", { "12025550101" },
	    false, false },
	{ "a URI under a list", "12025550100", NULL, { "12025550100" }, true, false },
};

static struct tnset *
set_of(const char *text)
{
	struct tn_interval one = { 0 };
	struct tnset *set = NULL;

	if (text == NULL)
		return NULL;
	assert_int_equal(tnset_parse(span_str(text), &one, NULL), RC_OK);
	assert_int_equal(tnset_build(&one, 1, &set, NULL), RC_OK);
	return set;
}

static void
calls(void **state)
{
	const struct dest_case *c = *state;
	struct config_tenant t = { .dests = set_of(c->tenant) };
	struct config_credential k = { .dests = set_of(c->credential) };
	json_auto_t *claims = c->uri
				  ? json_pack("{s:{s:[s]}}", "dest", "uri", "sip:a@b.example")
				  : json_pack("{s:{s:[]}}", "dest", "tn");
	struct passport p = { .claims = claims };
	struct fault f = { 0 };

	for (; p.dests < 2 && c->dest[p.dests] != NULL; p.dests++)
		assert_int_equal(
		    tn_exact(span_str(c->dest[p.dests]), &p.dest[p.dests], NULL), RC_OK);
	assert_int_equal(policy_dests(&t, &k, &p, &f), c->allowed ? RC_OK : RC_DENIED);
	if (!c->allowed) {
		assert_string_equal(f.reason, "dest_not_allowed");
		assert_string_equal(f.claim, "dest");
	}
	tnset_free(t.dests);
	tnset_free(k.dests);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(attest_cases) + ARRAY_LEN(dest_cases) + 2];
	size_t n = 0;

	ROWS(tests, n, attest_cases, attests);
	ROWS(tests, n, dest_cases, calls);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(attest_has_no_default);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(watched_types_are_of_the_class);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
