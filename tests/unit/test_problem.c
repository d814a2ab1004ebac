/* problem: what a refusal of others means, and what of it may be shown */
#include "agent/renewer/problem.h"
#include "stir/buf.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

#define ACME(type) "{\"type\":\"urn:ietf:params:acme:error:" type "\",\"detail\":\"why\"}"

static struct answer_case {
	const char *name;
	long status;
	const char *body;
	enum rc rc;
	const char *reason;
} answer_cases[] = {
	{ "badNonce", 400, ACME("badNonce"), RC_CONFLICT, "acme_bad_nonce" },
	{ "orderNotReady", 403, ACME("orderNotReady"), RC_CONFLICT, "acme_order_not_ready" },
	{ "rateLimited", 429, ACME("rateLimited"), RC_BUSY, "acme_rate_limited" },
	{ "rateLimited as 403", 403, ACME("rateLimited"), RC_BUSY, "acme_rate_limited" },
	{ "serverInternal", 500, ACME("serverInternal"), RC_NET, "acme_server_internal" },
	{ "connection", 400, ACME("connection"), RC_NET, "acme_connection" },
	{ "unauthorized", 403, ACME("unauthorized"), RC_DENIED, "acme_unauthorized" },
	{ "rejectedIdentifier", 400, ACME("rejectedIdentifier"), RC_DENIED,
	    "acme_rejected_identifier" },
	{ "badCSR", 400, ACME("badCSR"), RC_DENIED, "acme_bad_csr" },
	{ "externalAccountRequired", 403, ACME("externalAccountRequired"), RC_DENIED,
	    "acme_eab_required" },
	{ "userActionRequired", 403, ACME("userActionRequired"), RC_DENIED,
	    "acme_user_action" },
	{ "accountDoesNotExist", 400, ACME("accountDoesNotExist"), RC_NOT_FOUND,
	    "acme_no_account" },
	/* The rest of RFC 8555 s6.7, of RFC 9773 s7.4 and of RFC 8739 s6.3. */
	{ "alreadyRevoked", 400, ACME("alreadyRevoked"), RC_DENIED, "acme_already_revoked" },
	{ "badPublicKey", 400, ACME("badPublicKey"), RC_DENIED, "acme_bad_public_key" },
	{ "badRevocationReason", 400, ACME("badRevocationReason"), RC_DENIED,
	    "acme_bad_reason" },
	{ "badSignatureAlgorithm", 400, ACME("badSignatureAlgorithm"), RC_DENIED,
	    "acme_bad_algorithm" },
	{ "caa", 403, ACME("caa"), RC_DENIED, "acme_caa" },
	{ "compound", 403, ACME("compound"), RC_DENIED, "acme_compound" },
	{ "dns", 400, ACME("dns"), RC_NET, "acme_dns" },
	{ "tls", 400, ACME("tls"), RC_NET, "acme_tls" },
	{ "incorrectResponse", 403, ACME("incorrectResponse"), RC_DENIED,
	    "acme_incorrect_response" },
	{ "invalidContact", 400, ACME("invalidContact"), RC_DENIED, "acme_invalid_contact" },
	{ "unsupportedContact", 400, ACME("unsupportedContact"), RC_DENIED,
	    "acme_unsupported_contact" },
	{ "unsupportedIdentifier", 400, ACME("unsupportedIdentifier"), RC_DENIED,
	    "acme_unsupported_identifier" },
	{ "alreadyReplaced", 409, ACME("alreadyReplaced"), RC_DENIED, "acme_already_replaced" },
	{ "autoRenewalCanceled", 403, ACME("autoRenewalCanceled"), RC_NOT_FOUND,
	    "acme_star_canceled" },
	{ "autoRenewalExpired", 403, ACME("autoRenewalExpired"), RC_NOT_FOUND,
	    "acme_star_expired" },
	{ "autoRenewalCancellationInvalid", 400, ACME("autoRenewalCancellationInvalid"),
	    RC_DENIED, "acme_star_cancellation" },
	{ "autoRenewalRevocationNotSupported", 403, ACME("autoRenewalRevocationNotSupported"),
	    RC_DENIED, "acme_star_revocation" },
	{ "a lost order", 404, ACME("malformed"), RC_NOT_FOUND, "acme_malformed" },
	{ "malformed", 400, ACME("malformed"), RC_DENIED, "acme_malformed" },
	{ "case matters", 403, ACME("BadNonce"), RC_DENIED, "acme_problem" },
	{ "another scheme", 400, "{\"type\":\"about:blank\"}", RC_DENIED, "acme_problem" },
	{ "unknown type, 503", 503, ACME("novel"), RC_NET, "acme_problem" },
	{ "no type", 400, "{}", RC_DENIED, "acme_problem" },
	{ "type of another type", 500, "{\"type\":7}", RC_NET, "acme_problem" },
	{ "not JSON, 500", 500, "<html>", RC_NET, "http_status" },
	{ "not JSON, 502", 502, "", RC_NET, "http_status" },
	{ "not an object", 400, "[]", RC_DENIED, "http_status" },
	{ "twice the same member", 400, "{\"type\":\"a\",\"type\":\"b\"}", RC_DENIED,
	    "http_status" },
	{ "redirect", 302, "", RC_DENIED, "http_status" },
	{ "not found", 404, "", RC_NOT_FOUND, "http_status" },
	{ "gone", 410, "", RC_NOT_FOUND, "http_status" },
	{ "timeout", 408, "", RC_NET, "http_status" },
	{ "too many", 429, "", RC_BUSY, "http_status" },
	{ "not authenticated", 401, "", RC_DENIED, "http_status" },
};

/* RFC 8555 s6.7 */
static void
answer(void **state)
{
	const struct answer_case *c = *state;
	struct fault f = { 0 };

	assert_int_equal(problem_of_answer(c->status, span_str(c->body), &f), c->rc);
	assert_int_equal(f.rc, c->rc);
	assert_string_equal(f.reason, c->reason);
}

static struct refusal_case {
	const char *name, *answer;
	enum rc rc;
	const char *reason;
} refusal_cases[] = {
	{ "token", "{\"reason\":\"hsm_unavailable\"}", RC_HSM, "hsm_unavailable" },
	{ "slow token", "{\"reason\":\"hsm_timeout\"}", RC_TIMEOUT, "hsm_timeout" },
	{ "busy", "{\"reason\":\"overloaded\"}", RC_BUSY, "overloaded" },
	{ "disk", "{\"reason\":\"io\"}", RC_IO, "io" },
	{ "certificate", "{\"reason\":\"chain_path\"}", RC_DENIED, "chain_path" },
	{ "no reason", "{}", RC_DENIED, "front_refused" },
	{ "reason of another type", "{\"reason\":1}", RC_DENIED, "front_refused" },
};

static void
refusal(void **state)
{
	const struct refusal_case *c = *state;
	json_auto_t *a = json_loads(c->answer, 0, NULL);
	struct fault f = { 0 };

	assert_int_equal(problem_of_refusal(a, &f), c->rc);
	assert_string_equal(f.reason, c->reason);
	assert_int_equal(problem_may_pass(c->rc), c->rc != RC_DENIED);
}

static struct text_case {
	const char *name, *in, *out;
} text_cases[] = {
	{ "plain", "no such order", "no such order" },
	{ "nothing", NULL, "" },
	{ "a number", "12025550100 is not yours", "120******** is not yours" },
	{ "a number at the end", "not for +12025550100", "not for +120********" },
	{ "a short code", "code 123456", "code 123456" },
	{ "two numbers", "12025550100,13035550199", "120********,130********" },
	{ "a line of its own", "a\nb\tc", "a b c" },
	{ "a quote", "say \"x\"", "say  x " },
	{ "beyond ASCII", "caf\xc3\xa9", "caf  " },
	{ "a token", "got eyJhbGciOiJFUzI1NiJ9eyJhbGciOiJFUzI1NiJ9eyJh twice",
	    "got eyJhbGci~ twice" },
	{ "a token alone", "eyJhbGciOiJFUzI1NiJ9eyJhbGciOiJFUzI1NiJ9eyJh", "eyJhbGci~" },
	{ "forty-one digits", "12345678901234567890123456789012345678901", "********~" },
	{ "escape sequence in a long word",
	    "\x1b[31m\xc3\xa4"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	    " [**m  x~" },
	{ "escape sequence", "\x1b[31mred", " [31mred" },
};

static void
text(void **state)
{
	const struct text_case *c = *state;
	char out[PROBLEM_TEXT];

	problem_text(out, c->in);
	assert_string_equal(out, c->out);
}

static void
text_is_bounded(void **state)
{
	char in[4096], out[PROBLEM_TEXT];

	(void)state;
	for (size_t n = 0; n < sizeof in; n += 97) {
		memset(in, n % 2 == 0 ? 'x' : ' ', n);
		in[n] = 0;
		problem_text(out, in);
		assert_true(strlen(out) < PROBLEM_TEXT);
	}
}

/* A long word is shortened where the text ends too. */
static void
long_word_at_the_end(void **state)
{
	char in[4 * PROBLEM_TEXT], guarded[PROBLEM_TEXT + 8];

	(void)state;
	for (size_t before = 0; before < 2 * PROBLEM_TEXT; before++) {
		memset(in, 'x', sizeof in);
		memset(in, ' ', before);
		in[sizeof in - 1] = 0;
		memset(guarded, '#', sizeof guarded);
		problem_text(guarded, in);
		assert_true(strlen(guarded) < PROBLEM_TEXT);
		assert_memory_equal(guarded + PROBLEM_TEXT, "########", 8);
	}
}

/* RFC 8555 s6.7.1 */
static void
subproblems_are_shown(void **state)
{
	static const char body[] =
	    "{\"type\":\"urn:ietf:params:acme:error:compound\",\"detail\":\"outer\","
	    "\"subproblems\":[{\"type\":\"x\",\"detail\":\"inner\"}]}";
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(problem_of_answer(403, span_str(body), &f), RC_DENIED);
	assert_string_equal(f.reason, "acme_compound");
	assert_string_equal(f.detail, "inner");
}

static struct words_case {
	const char *name, *body, *detail;
} words_cases[] = {
	{ "detail before title", "{\"title\":\"t\",\"detail\":\"d\"}", "HTTP 403: d" },
	{ "title alone", "{\"title\":\"contract ended\"}", "HTTP 403: contract ended" },
	{ "an empty detail", "{\"detail\":\"\",\"title\":\"t\"}", "HTTP 403: t" },
	{ "a detail that is no text", "{\"detail\":7,\"message\":\"m\"}", "HTTP 403: m" },
	{ "a gateway's message", "{\"message\":\"Forbidden\"}", "HTTP 403: Forbidden" },
	{ "a number in it", "{\"message\":\"not 12025550100\"}", "HTTP 403: not 120********" },
	{ "a subproblem without words",
	    "{\"detail\":\"outer\",\"subproblems\":[{\"type\":\"x\"}]}", "HTTP 403: outer" },
	{ "nothing", "{}", "HTTP 403: " },
};

/* Whoever refuses without a problem document has said why all the same. */
static void
words_are_shown(void **state)
{
	const struct words_case *c = *state;
	struct fault f = { 0 };

	assert_int_equal(problem_of_answer(403, span_str(c->body), &f), RC_DENIED);
	assert_string_equal(f.reason, "acme_problem");
	assert_string_equal(f.detail, c->detail);
}

static struct quoted_case {
	const char *name, *in, *out;
} quoted_cases[] = {
	{ "nothing of it", "no such account", "no such account" },
	{ "nothing at all", NULL, "" },
	{ "whole", "'Bearer 0a1b2c3d4e5f60718293' is not valid", "'Bearer ~' is not valid" },
	{ "twice", "0a1b2c3d4e5f607182930a1b2c3d4e5f60718293", "~~" },
	{ "cut off", "got 0a1b2c3d4e...", "got ~..." },
	{ "cut off at the end", "got 0a1b2c3d", "got ~" },
	{ "too little to tell", "got 0a1b2c3", "got 0a1b2c3" },
	{ "with more behind it", "0a1b2c3d4e5f60718293!", "~!" },
	{ "the other", "x pin y", "x ~ y" },
	{ "a number beside it", "pin 12025550100", "~ 120********" },
};

static void
quoted(void **state)
{
	static const char *const secrets[] = { "pin", "0a1b2c3d4e5f60718293", NULL };
	static const char *const none[] = { "", NULL };
	const struct quoted_case *c = *state;
	char out[PROBLEM_TEXT], plain[PROBLEM_TEXT];

	problem_quoted(out, c->in, secrets);
	assert_string_equal(out, c->out);
	problem_text(plain, c->in);
	problem_quoted(out, c->in, NULL);
	assert_string_equal(out, plain);
	problem_quoted(out, c->in, none);
	assert_string_equal(out, plain);
}

/* A gateway's message has our Authorization header, in JSON's spelling. */
static void
an_answer_that_quotes_us(void **state)
{
	static const char *const secrets[] = { "0a1b/2c3d4e5f60718293", NULL };
	static const char body[] =
	    "{\"message\":\"'Bearer 0a1b\\/2c3d4e5f\\u00360718293' not a valid pair\"}";
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(problem_of_answer_to(secrets, 403, span_str(body), &f), RC_DENIED);
	assert_string_equal(f.detail, "HTTP 403: 'Bearer ~' not a valid pair");
}

/* Behind a number, where jansson passes it over. */
static void
octet_zero(void **state)
{
	static const char body[] =
	    "{\"type\":\"urn:ietf:params:acme:error:badNonce\",\"status\":400\0}";
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(problem_of_answer(400, span_of(body, sizeof body - 1), &f), RC_DENIED);
	assert_string_equal(f.reason, "http_status");
}

int
main(void)
{
	struct CMUnitTest tests[128] = {
		cmocka_unit_test(octet_zero),
		cmocka_unit_test(text_is_bounded),
		cmocka_unit_test(long_word_at_the_end),
		cmocka_unit_test(subproblems_are_shown),
		cmocka_unit_test(an_answer_that_quotes_us),
	};
	size_t n = 5;

	ROWS(tests, n, answer_cases, answer);
	ROWS(tests, n, refusal_cases, refusal);
	ROWS(tests, n, text_cases, text);
	ROWS(tests, n, words_cases, words_are_shown);
	ROWS(tests, n, quoted_cases, quoted);
	return _cmocka_run_group_tests("problem", tests, n, NULL, NULL);
}
