/* domain: what the command is told to prove a domain by, and tokens that it is not given */
#include "agent/renewer/domain.h"
#include "stir/b64.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

#define TOKEN "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJyPCt92wr-oA"
/* The key of RFC 7515 appendix A.3; its thumbprint by another program. */
#define AUTHORIZATION TOKEN ".oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"

static void
key(uint8_t point[P256_POINT_LEN])
{
	json_auto_t *jwk = json_pack("{s:s, s:s, s:s, s:s}", "kty", "EC", "crv", "P-256", "x",
	    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y",
	    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");

	assert_int_equal(jwk_point(jwk, point, NULL), RC_OK);
}

static struct task_case {
	const char *name;
	enum domain_action action;
	enum domain_challenge how;
	const char *text;
} task_cases[] = {
	{ "http-01 (RFC 8555 s8.3)", DOMAIN_PRESENT, DOMAIN_HTTP_01,
	    "{\"action\":\"present\",\"domain\":\"sip.example.net\",\"key_authorization\":"
	    "\"" AUTHORIZATION "\",\"path\":\"/.well-known/acme-challenge/" TOKEN
	    "\",\"token\":\"" TOKEN "\",\"type\":\"http-01\"}" },
	{ "dns-01 (RFC 8555 s8.4)", DOMAIN_PRESENT, DOMAIN_DNS_01,
	    "{\"action\":\"present\",\"domain\":\"sip.example.net\",\"key_authorization\":"
	    "\"" AUTHORIZATION "\",\"record\":\"_acme-challenge.sip.example.net\",\"token\":"
	    "\"" TOKEN "\",\"type\":\"dns-01\",\"value\":"
	    "\"bf40KYxRX5G1u6oGsHg3ahVPp4XNnsjgPhfwvy6DBDE\"}" },
	{ "over", DOMAIN_CLEANUP, DOMAIN_HTTP_01,
	    "{\"action\":\"cleanup\",\"domain\":\"sip.example.net\",\"key_authorization\":"
	    "\"" AUTHORIZATION "\",\"path\":\"/.well-known/acme-challenge/" TOKEN
	    "\",\"token\":\"" TOKEN "\",\"type\":\"http-01\"}" },
};

static void
task(void **state)
{
	const struct task_case *c = *state;
	AUTO_BUF out = BUF_INIT(DOMAIN_TASK_MAX);
	uint8_t point[P256_POINT_LEN];
	struct domain_proof p = { c->how, "sip.example.net", TOKEN, point };
	struct fault f = { 0 };

	key(point);
	assert_int_equal(domain_task(&out, c->action, &p, &f), RC_OK);
	assert_string_equal(buf_text(&out), c->text);
}

static struct token_case {
	const char *name, *token;
	size_t len; /* of "a", where there is no token */
	enum rc rc;
} token_cases[] = {
	{ "shortest", "0123456789-_ABCDEFGabc", 0, RC_OK },
	{ "longest", NULL, DOMAIN_TOKEN_MAX, RC_OK },
	{ "none", NULL, 0, RC_DENIED },
	{ "one short", "0123456789-_ABCDEFGab", 0, RC_DENIED },
	{ "one too long", NULL, DOMAIN_TOKEN_MAX + 1, RC_DENIED },
	{ "padded", TOKEN "=", 0, RC_DENIED },
	{ "the other alphabet", "0123456789+/ABCDEFGabc", 0, RC_DENIED },
	{ "a path", "../../../../../etc/passwd", 0, RC_DENIED },
	{ "a line more", TOKEN "\n", 0, RC_DENIED },
	{ "a blank", "0123456789 ABCDEFGabcdef", 0, RC_DENIED },
	{ "a dot", "0123456789.ABCDEFGabcdef", 0, RC_DENIED },
	{ "beyond ASCII",
	    "0123456789\xc3\xa4"
	    "BCDEFGabcdef",
	    0, RC_DENIED },
};

/* RFC 8555 s8.1 */
static void
token(void **state)
{
	const struct token_case *c = *state;
	AUTO_BUF out = BUF_INIT(DOMAIN_TASK_MAX);
	char made[DOMAIN_TOKEN_MAX + 2] = "";
	uint8_t point[P256_POINT_LEN];
	struct domain_proof p = { DOMAIN_DNS_01, "sip.example.net", c->token, point };
	struct fault f = { 0 };

	key(point);
	if (c->len > 0) {
		memset(made, 'a', c->len);
		p.token = made;
	}
	assert_int_equal(domain_task(&out, DOMAIN_PRESENT, &p, &f), c->rc);
	if (c->rc != RC_OK)
		assert_string_equal(f.reason, "acme_challenge");
	assert_int_equal(out.len > 0, c->rc == RC_OK);
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(task_cases) + ARRAY_LEN(token_cases)];
	size_t n = 0;

	ROWS(tests, n, task_cases, task);
	ROWS(tests, n, token_cases, token);
	return _cmocka_run_group_tests("domain", tests, n, NULL, NULL);
}
