#include "agent/renewer/problem.h"

#include <stdio.h>
#include <string.h>

#include "agent/renewer/io.h"
#include "stir/ascii.h"
#include "stir/buf.h"
#include "stir/jtext.h"

#define ACME_ERROR "urn:ietf:params:acme:error:"

/* clang-format off */
static const struct kind {
	const char *type; /* after ACME_ERROR */
	enum rc rc;
	const char *reason;
} kinds[] = {
	{ "badNonce",                RC_CONFLICT,  "acme_bad_nonce" },
	{ "orderNotReady",           RC_CONFLICT,  "acme_order_not_ready" },
	{ "rateLimited",             RC_BUSY,      "acme_rate_limited" },
	{ "serverInternal",          RC_NET,       "acme_server_internal" },
	{ "connection",              RC_NET,       "acme_connection" },
	{ "dns",                     RC_NET,       "acme_dns" },
	{ "tls",                     RC_NET,       "acme_tls" },
	{ "accountDoesNotExist",     RC_NOT_FOUND, "acme_no_account" },
	{ "alreadyRevoked",          RC_DENIED,    "acme_already_revoked" },
	{ "alreadyReplaced",         RC_DENIED,    "acme_already_replaced" },
	{ "badCSR",                  RC_DENIED,    "acme_bad_csr" },
	{ "badPublicKey",            RC_DENIED,    "acme_bad_public_key" },
	{ "badRevocationReason",     RC_DENIED,    "acme_bad_reason" },
	{ "badSignatureAlgorithm",   RC_DENIED,    "acme_bad_algorithm" },
	{ "caa",                     RC_DENIED,    "acme_caa" },
	{ "compound",                RC_DENIED,    "acme_compound" },
	{ "externalAccountRequired", RC_DENIED,    "acme_eab_required" },
	{ "incorrectResponse",       RC_DENIED,    "acme_incorrect_response" },
	{ "invalidContact",          RC_DENIED,    "acme_invalid_contact" },
	{ "invalidProfile",          RC_DENIED,    "acme_invalid_profile" },
	{ "malformed",               RC_DENIED,    "acme_malformed" },
	{ "rejectedIdentifier",      RC_DENIED,    "acme_rejected_identifier" },
	{ "unauthorized",            RC_DENIED,    "acme_unauthorized" },
	{ "unsupportedContact",      RC_DENIED,    "acme_unsupported_contact" },
	{ "unsupportedIdentifier",   RC_DENIED,    "acme_unsupported_identifier" },
	{ "userActionRequired",      RC_DENIED,    "acme_user_action" },
	/* RFC 8739 section 6.3: a series that is over is asked for anew. */
	{ "autoRenewalCanceled",     RC_NOT_FOUND, "acme_star_canceled" },
	{ "autoRenewalExpired",      RC_NOT_FOUND, "acme_star_expired" },
	{ "autoRenewalCancellationInvalid", RC_DENIED, "acme_star_cancellation" },
	{ "autoRenewalRevocationNotSupported", RC_DENIED, "acme_star_revocation" },
};
/* clang-format on */

static size_t
digits_at(const char *s)
{
	size_t n = 0;

	while (ascii_is_digit((uint8_t)s[n]))
		n++;
	return n;
}

static size_t
word_at(const char *s)
{
	return strcspn(s, " \t\r\n\"'<>(),");
}

static char
fit(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' ? c : ' ';
}

void
problem_text(char out[PROBLEM_TEXT], const char *text)
{
	enum { SHOWN = 3, NUMBER = 7, WORD = 40, WORD_SHOWN = 8 };
	size_t n = 0, hide = 0, shown = 0;

	for (const char *p = text != NULL ? text : ""; *p != 0 && n < PROBLEM_TEXT - 1; p++) {
		char c = fit(*p);

		if (p == text || word_at(p - 1) == 0) {
			size_t len = word_at(p);

			if (len > WORD) {
				for (size_t i = 0; i < WORD_SHOWN && n < PROBLEM_TEXT - 1; i++)
					out[n++] =
					    ascii_is_digit((uint8_t)p[i]) ? '*' : fit(p[i]);
				if (n == PROBLEM_TEXT - 1)
					break;
				p += len - 1;
				c = '~';
			}
		}
		if (!ascii_is_digit((uint8_t)c))
			hide = shown = 0;
		else if (hide == 0)
			hide = digits_at(p);
		if (hide >= NUMBER && ++shown > SHOWN)
			c = '*';
		out[n++] = c;
	}
	out[n] = 0;
}

/* How much of secret stands there: 0 where it is less than would tell. */
static size_t
quoted_at(const char *text, const char *secret)
{
	size_t n = 0;

	while (text[n] != 0 && text[n] == secret[n])
		n++;
	return n >= PROBLEM_QUOTE || secret[n] == 0 ? n : 0;
}

void
problem_quoted(char out[PROBLEM_TEXT], const char *text, const char *const *secrets)
{
	AUTO_BUF clean = BUF_INIT(HTTP_BODY_MAX);
	const char *p = text != NULL ? text : "";

	while (*p != 0) {
		size_t most = 0;

		for (const char *const *s = secrets; s != NULL && *s != NULL; s++) {
			size_t n = quoted_at(p, *s);

			most = n > most ? n : most;
		}
		buf_byte(&clean, most > 0 ? '~' : (uint8_t)*p);
		p += most > 0 ? most : 1;
	}
	problem_text(out, buf_text(&clean)); /* without memory: nothing */
}

static enum rc
of_status(long status)
{
	if (status == 429)
		return RC_BUSY;
	if (status == 408 || status >= 500)
		return RC_NET;
	if (status == 404 || status == 410)
		return RC_NOT_FOUND;
	/* A redirect is never followed: the party is not what was configured. */
	return RC_DENIED;
}

static const struct kind *
find_kind(const char *type)
{
	if (type == NULL || strncmp(type, ACME_ERROR, strlen(ACME_ERROR)) != 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].type, type + strlen(ACME_ERROR)) == 0)
			return &kinds[i];
	}
	return NULL;
}

/* RFC 8555 section 6.7.1: what is wrong stands in the subproblems. */
static const json_t *
deepest(const json_t *problem)
{
	const json_t *sub = json_array_get(json_object_get(problem, "subproblems"), 0);

	return json_is_object(sub) ? sub : problem;
}

/*
 * What it says itself: a problem's detail, else its title (RFC 7807 section
 * 3.1), else the message of those whose refusals are no problem documents.
 */
static const char *
words_of(const json_t *problem)
{
	static const char *const members[] = { "detail", "title", "message" };
	const json_t *const where[] = { deepest(problem), problem };

	for (size_t i = 0; i < ARRAY_LEN(where); i++) {
		for (size_t k = 0; k < ARRAY_LEN(members); k++) {
			const char *text = jtext_get(where[i], members[k]);

			if (text != NULL && text[0] != 0)
				return text;
		}
	}
	return "";
}

static enum rc
of_object(const char *const *secrets, const json_t *problem, long status, struct fault *f)
{
	const char *type = jtext_get(problem, "type");
	const struct kind *k = find_kind(type);
	char detail[PROBLEM_TEXT];

	problem_quoted(detail, words_of(problem), secrets);
	if (k == NULL)
		return FAULT(
		    f, of_status(status), "acme_problem", "HTTP %ld: %s", status, detail);
	/* An order or certificate that the server no longer knows is "malformed" to some. */
	if (k->rc == RC_DENIED && (status == 404 || status == 410))
		return FAULT(f, RC_NOT_FOUND, k->reason, "HTTP %ld: %s", status, detail);
	return FAULT(f, k->rc, k->reason, "%s", detail);
}

enum rc
problem_of_object(const json_t *problem, long status, struct fault *f)
{
	return of_object(NULL, problem, status, f);
}

enum rc
problem_of_answer(long status, struct span body, struct fault *f)
{
	return problem_of_answer_to(NULL, status, body, f);
}

enum rc
problem_of_answer_to(const char *const *secrets, long status, struct span body, struct fault *f)
{
	json_auto_t *root = NULL;

	(void)!jtext_read_foreign(body, HTTP_BODY_MAX, &root, NULL);
	if (json_is_object(root))
		return of_object(secrets, root, status, f);
	return FAULT(f, of_status(status), "http_status", "HTTP %ld", status);
}

enum rc
problem_of_refusal(const json_t *answer, struct fault *f)
{
	static const struct {
		const char *reason;
		enum rc rc;
	} passing[] = {
		{ "hsm_unavailable", RC_HSM },
		{ "hsm_timeout", RC_TIMEOUT },
		{ "overloaded", RC_BUSY },
		{ "io", RC_IO },
	};
	const char *reason = jtext_get(answer, "reason");
	const char *detail = jtext_get(answer, "detail");
	char clean[PROBLEM_TEXT];

	problem_text(clean, detail);
	for (size_t i = 0; reason != NULL && i < ARRAY_LEN(passing); i++) {
		if (strcmp(passing[i].reason, reason) == 0)
			return FAULT(f, passing[i].rc, reason, "%s", clean);
	}
	return FAULT(f, RC_DENIED, reason != NULL ? reason : "front_refused", "%s", clean);
}

bool
problem_may_pass(enum rc rc)
{
	return rc != RC_OK && rc != RC_DENIED;
}
