/* lint: what is said of a certificate in force, and what is not */
#include "agent/front/lint.h"

#include "tests/unit/cm.h"
#include "tests/unit/pki.h"
#include "tests/unit/rows.h"

enum { DAY_S = 86400 };

#define STI   "2.16.840.1.114569.1.1.3"
#define X5U   "https://calls.example:8443/c/"
#define POINT "\x30\x0f\xa0\x0d\xa0\x0b\x86\x09http://a/"
#define POINT_WITH_ISSUER \
	"\x30\x21\xa0\x0d\xa0\x0b\x86\x09http://a/\xa2\x10\xa4\x0e\x30\x0c\x31\x0a\x30\x08" \
	"\x06\x03\x55\x04\x03\x0c\x01P"

/* Of the certificate, and "a b" for the warnings that it gets. */
static struct lint_case {
	const char *name;
	enum profile profile;
	const char *warnings;
	int64_t life_s;
	const char *cn, *san, *policies;
	const char *crl; /* DER of the distribution points */
	unsigned faults;
	const char *wanted; /* by the configuration */
} lint_cases[] = {
	{ "a provider's as it should be", PROFILE_SHAKEN_SP, "", 90 * DAY_S, "SHAKEN 1234",
	    NULL, STI, POINT_WITH_ISSUER, 0, NULL },
	{ "91 days (D-62)", PROFILE_SHAKEN_SP, "long_lived ", 91 * DAY_S, "SHAKEN 1234", NULL,
	    STI, POINT_WITH_ISSUER, 0, NULL },
	{ "a second more than 90 days", PROFILE_ATIS_DELEGATE, "long_lived ", 90 * DAY_S + 1,
	    "x", NULL, NULL, NULL, 0, NULL },
	{ "a delegate of 90 days", PROFILE_ATIS_DELEGATE, "", 90 * DAY_S, "x", NULL, NULL, NULL,
	    0, NULL },
	{ "vesper-06 lives as long as it may", PROFILE_VESPER_06, "", 7 * DAY_S, "x", NULL,
	    NULL, NULL, 0, NULL },
	{ "vesper-05 without constraints (V-15)", PROFILE_VESPER_05, "constraints ", DAY_S, "x",
	    NULL, NULL, NULL, 0, NULL },
	{ "no policy", PROFILE_SHAKEN_SP, "certificate_policy ", DAY_S, "SHAKEN 1234", NULL,
	    NULL, POINT_WITH_ISSUER, 0, NULL },
	{ "another country's policy", PROFILE_SHAKEN_SP, "certificate_policy ", DAY_S,
	    "SHAKEN 1234", NULL, "1.2.250.1.695.1.1.1.1", POINT_WITH_ISSUER, 0, NULL },
	{ "the configured policy", PROFILE_SHAKEN_SP, "", DAY_S, "SHAKEN 1234", NULL,
	    "1.2.250.1.695.1.1.1.1", POINT_WITH_ISSUER, 0, "1.2.250.1.695" },
	{ "not the configured policy", PROFILE_SHAKEN_SP, "certificate_policy ", DAY_S,
	    "SHAKEN 1234", NULL, STI, POINT_WITH_ISSUER, 0, "1.2.250.1.695" },
	{ "an arc that only begins alike", PROFILE_SHAKEN_SP, "certificate_policy ", DAY_S,
	    "SHAKEN 1234", NULL, "2.16.840.1.114569.1.11", POINT_WITH_ISSUER, 0, NULL },
	{ "no distribution point", PROFILE_SHAKEN_SP, "crl_point ", DAY_S, "SHAKEN 1234", NULL,
	    STI, NULL, 0, NULL },
	{ "a distribution point without an issuer", PROFILE_SHAKEN_SP, "crl_point ", DAY_S,
	    "SHAKEN 1234", NULL, STI, POINT, 0, NULL },
	{ "no key identifier, no key usage", PROFILE_SHAKEN_SP, "key_identifier key_usage ",
	    DAY_S, "SHAKEN 1234", NULL, STI, POINT_WITH_ISSUER,
	    PKI_NO_SKI | PKI_NO_AKI | PKI_NO_KEY_USAGE, NULL },
	{ "another subject", PROFILE_SHAKEN_SP, "subject ", DAY_S, "Provider", NULL, STI,
	    POINT_WITH_ISSUER, 0, NULL },
	{ "all at once (D-62)", PROFILE_SHAKEN_SP,
	    "long_lived x5u_host certificate_policy crl_point key_identifier key_usage "
	    "subject ",
	    400 * DAY_S, "x", "DNS:other.example", NULL, NULL,
	    PKI_NO_SKI | PKI_NO_AKI | PKI_NO_KEY_USAGE, NULL },
	{ "the name of the host", PROFILE_ATIS_DELEGATE, "", DAY_S, "x", "DNS:Calls.Example",
	    NULL, NULL, 0, NULL },
	{ "the name of another host (D-49)", PROFILE_ATIS_DELEGATE, "x5u_host ", DAY_S, "x",
	    "DNS:example", NULL, NULL, 0, NULL },
};

static const struct cert *
leaf_of(struct credential *c, const struct lint_case *t)
{
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();
	AUTO_OSSL(X509) *x = NULL;
	AUTO_BUF pem = BUF_INIT(65536), tnauth = BUF_INIT(100), crl = BUF_INIT(200);
	struct fault f = { 0 };

	pki_tnauth_spc(&tnauth, "1234");
	if (t->crl != NULL) {
		buf_byte(&crl, 0x30);
		buf_byte(&crl, (uint8_t)strlen(t->crl));
		buf_str(&crl, t->crl);
	}
	x = pki_issue(&(struct pki_spec){ .cn = t->cn,
	    .key = key,
	    .not_before_s = PKI_NOW,
	    .not_after_s = PKI_NOW + t->life_s,
	    .tnauth = buf_view(&tnauth),
	    .san = t->san,
	    .policies = t->policies,
	    .crl_points = buf_view(&crl),
	    .faults = t->faults });
	pki_pem(&pem, x);
	if (chain_read_pem(buf_view(&pem), false, &c->chain, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	return c->chain->cert[0];
}

static void
warned(void **state)
{
	const struct lint_case *t = *state;
	char x5u[] = X5U, *wanted = (char *)(uintptr_t)t->wanted;
	struct config_credential cc = { .profile = t->profile, .x5u = x5u };
	AUTO_CREDENTIAL *c = NULL;
	char got[256] = "";

	if (wanted != NULL)
		cc.policies = (struct config_strings){ &wanted, 1 };
	assert_int_equal(credential_new("acme", "main", CREDENTIAL_READY, &c, NULL), RC_OK);
	(void)leaf_of(c, t);
	assert_int_equal(lint_credential(&cc, c, NULL), RC_OK);
	for (size_t i = 0; i < c->warnings; i++) {
		size_t len = strlen(got);

		snprintf(got + len, sizeof got - len, "%s ", c->warning[i].what);
		assert_true(c->warning[i].detail[0] != 0);
	}
	assert_string_equal(got, t->warnings);
	lint_log(c);
}

/* To the second, or it would say of 90 days that they are more than 90. */
static void
life_is_exact(void **state)
{
	static const struct {
		int64_t life_s;
		const char *says;
	} rows[] = { { 90 * DAY_S + 1, "valid for 90 days 00:00:01; " },
		{ 91 * DAY_S - 1, "valid for 90 days 23:59:59; " },
		{ 365 * DAY_S + 3723, "valid for 365 days 01:02:03; " } };
	struct config_credential cc = { .profile = PROFILE_ATIS_DELEGATE };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct lint_case t = { .life_s = rows[i].life_s, .cn = "x" };
		AUTO_CREDENTIAL *c = NULL;

		assert_int_equal(
		    credential_new("acme", "main", CREDENTIAL_READY, &c, NULL), RC_OK);
		(void)leaf_of(c, &t);
		assert_int_equal(lint_credential(&cc, c, NULL), RC_OK);
		assert_int_equal(c->warnings, 1);
		assert_ptr_equal(
		    strstr(c->warning[0].detail, rows[i].says), c->warning[0].detail);
		assert_non_null(strstr(c->warning[0].detail, "90 days at most"));
	}
}

/* Claim constraints that hold, and that their issuer should not have written. */
static void
odd_constraints(void **state)
{
	static const uint8_t shaken[] = { 0x30, 0x0c, 0xa0, 0x0a, 0x30, 0x08, 0x16, 0x06, 's',
		'h', 'a', 'k', 'e', 'n' };
	struct config_credential cc = { .profile = PROFILE_VESPER_06 };
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();
	AUTO_CREDENTIAL *c = NULL;
	AUTO_OSSL(X509) *x = NULL;
	AUTO_BUF pem = BUF_INIT(65536), tnauth = BUF_INIT(100);

	(void)state;
	pki_tnauth_one(&tnauth, "12025550100");
	x = pki_issue(&(struct pki_spec){ .cn = "x",
	    .key = key,
	    .tnauth = buf_view(&tnauth),
	    .jwt_constraints = span_of(shaken, sizeof shaken) });
	pki_pem(&pem, x);
	assert_int_equal(credential_new("acme", "main", CREDENTIAL_READY, &c, NULL), RC_OK);
	assert_int_equal(chain_read_pem(buf_view(&pem), false, &c->chain, NULL), RC_OK);
	assert_int_equal(lint_credential(&cc, c, NULL), RC_OK);
	assert_int_equal(c->warnings, 1);
	assert_string_equal(c->warning[0].what, "constraints");
	assert_non_null(strstr(c->warning[0].detail, "PASSporT type"));
}

/* D-49 */
static void
hosts(void **state)
{
	static const struct {
		const char *url, *name;
		bool same;
	} rows[] = {
		{ "https://a.example/", "a.example", true },
		{ "https://a.example:443/c/", "A.EXAMPLE", true },
		{ "https://a.example/", "b.a.example", false },
		{ "https://b.a.example/", "a.example", false },
		{ "https://a.example/", "*.example", false },
		{ "https://a.example.evil/", "a.example", false },
		{ "https://a.example/", "a.example.", false },
		{ "https://a.example/", "", false },
		{ "https://[::1]/", "::1", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (lint_is_host(rows[i].url, rows[i].name) != rows[i].same)
			fail_msg("%s %s", rows[i].url, rows[i].name);
	}
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(lint_cases) + 3];
	size_t n = 0;

	ROWS(tests, n, lint_cases, warned);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(hosts);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(odd_constraints);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(life_is_exact);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
