/* libvesper and the command's own parts: HTTP answers, arguments, a scripted agent */
#include "client/cli.h"
#include "client/http.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"
#include "tests/unit/scripted.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- HTTP answers ----------------------------------------------------------------- */

#define OK_LINE "HTTP/1.1 200 OK\r\n"

static struct answer_case {
	const char *name, *text;
	int status; /* 0: refused; -1: not complete */
	const char *body;
	bool close;
	int retry_after_s;
} answer_cases[] = {
	{ "plain", OK_LINE "Content-Length: 2\r\n\r\nhi", 200, "hi", false, 0 },
	{ "no reason phrase", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, "", false, 0 },
	{ "name in another case", OK_LINE "content-LENGTH:2\r\n\r\nhi", 200, "hi", false, 0 },
	{ "closing", OK_LINE "Connection: close\r\nContent-Length: 0\r\n\r\n", 200, "", true,
	    0 },
	{ "no content", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", false, 0 },
	{ "more follows", OK_LINE "Content-Length: 1\r\n\r\nabc", 200, "a", false, 0 },
	{ "retry after", "HTTP/1.1 503 x\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 503,
	    "", false, 7 },
	{ "retry after a date",
	    "HTTP/1.1 503 x\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n"
	    "Content-Length: 0\r\n\r\n",
	    503, "", false, 0 },
	{ "nothing yet", "", -1, NULL, false, 0 },
	{ "header cut", OK_LINE "Content-Length: 2\r\n\r", -1, NULL, false, 0 },
	{ "body cut", OK_LINE "Content-Length: 3\r\n\r\nhi", -1, NULL, false, 0 },
	{ "no status line", "hello\r\n\r\n", 0, NULL, false, 0 },
	{ "HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 0, NULL, false, 0 },
	{ "status of two digits", "HTTP/1.1 20\r\nContent-Length: 0\r\n\r\n", 0, NULL, false,
	    0 },
	{ "status of four digits", "HTTP/1.1 2000\r\nContent-Length: 0\r\n\r\n", 0, NULL, false,
	    0 },
	{ "interim", "HTTP/1.1 100 Continue\r\n\r\n", 0, NULL, false, 0 },
	{ "status 600", "HTTP/1.1 600 x\r\nContent-Length: 0\r\n\r\n", 0, NULL, false, 0 },
	{ "no length", OK_LINE "\r\n", 0, NULL, false, 0 },
	{ "two lengths", OK_LINE "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 0, NULL,
	    false, 0 },
	{ "negative length", OK_LINE "Content-Length: -1\r\n\r\n", 0, NULL, false, 0 },
	{ "length in words", OK_LINE "Content-Length: two\r\n\r\n", 0, NULL, false, 0 },
	{ "empty length", OK_LINE "Content-Length:\r\n\r\n", 0, NULL, false, 0 },
	{ "huge length", OK_LINE "Content-Length: 99999999999\r\n\r\n", 0, NULL, false, 0 },
	{ "chunked", OK_LINE "Transfer-Encoding: chunked\r\n\r\n", 0, NULL, false, 0 },
	{ "folded field", OK_LINE "A: b\r\n c\r\nContent-Length: 0\r\n\r\n", 0, NULL, false,
	    0 },
	{ "no colon", OK_LINE "Content-Length\r\n\r\n", 0, NULL, false, 0 },
	{ "bare LF", OK_LINE "A: b\nContent-Length: 0\r\n\r\n", 0, NULL, false, 0 },
	{ "CR in a value", OK_LINE "A: b\rc\r\nContent-Length: 0\r\n\r\n", 0, NULL, false, 0 },
};

static void
answers(void **state)
{
	const struct answer_case *c = *state;
	struct http_answer a = { .status = 1 };
	bool complete = true;
	struct fault f = { 0 };
	enum rc rc = http_answer(span_str(c->text), &a, &complete, &f);

	assert_int_equal(rc, c->status == 0 ? RC_NET : RC_OK);
	assert_int_equal(complete, c->status > 0);
	if (c->status <= 0) {
		assert_int_equal(a.status, 1);
		return;
	}
	assert_int_equal(a.status, c->status);
	assert_true(span_is(a.body, c->body));
	assert_int_equal(a.close, c->close);
	assert_int_equal(a.retry_after_s, c->retry_after_s);
}

static void
answers_are_bounded(void **state)
{
	AUTO_BUF text = BUF_INIT(4 * HTTP_HEADER_MAX);
	struct http_answer a;
	bool complete;

	(void)state;
	buf_str(&text, OK_LINE);
	for (size_t i = 0; i <= HTTP_FIELDS_MAX; i++)
		buf_str(&text, "A: b\r\n");
	buf_str(&text, "Content-Length: 0\r\n\r\n");
	assert_int_equal(http_answer(buf_view(&text), &a, &complete, NULL), RC_NET);
	buf_clear(&text);
	buf_str(&text, OK_LINE "A: ");
	while (text.len <= HTTP_HEADER_MAX)
		buf_str(&text, "bbbbbbbbbbbbbbbbbbbbbbbb");
	assert_int_equal(http_answer(buf_view(&text), &a, &complete, NULL), RC_NET);
}

/* A prefix is never a whole answer, and never an error. */
static void
answers_cut(void **state)
{
	static const char whole[] =
	    OK_LINE "Connection: close\r\nContent-Length: 5\r\n\r\nhello";

	(void)state;
	for (size_t n = 0; n < sizeof whole - 1; n++) {
		struct http_answer a;
		bool complete = true;

		assert_int_equal(http_answer(span_of(whole, n), &a, &complete, NULL), RC_OK);
		assert_false(complete);
	}
}

static void
requests(void **state)
{
	AUTO_BUF get = BUF_INIT(1000), post = BUF_INIT(1000), bare = BUF_INIT(1000);

	(void)state;
	http_request(&get, "GET", "/v1/status", span_of(NULL, 0));
	assert_string_equal(buf_text(&get),
	    "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n");
	http_request(&post, "POST", "/x", span_str("{}"));
	assert_non_null(strstr(
	    buf_text(&post), "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"));
	http_request(&bare, "POST", "/x", span_of(NULL, 0));
	assert_non_null(strstr(buf_text(&bare), "\r\nContent-Length: 0\r\n\r\n"));
}

/* ---- arguments ---------------------------------------------------------------------- */

static struct args_case {
	const char *name, *argv[8];
	bool good;
	const char *text;
	unsigned number;
	size_t list, rest;
	bool json;
	unsigned timeout_ms;
} args_cases[] = {
	{ "nothing", { NULL }, true, NULL, 0, 0, 0, false, 1 },
	{ "value apart", { "--text", "a" }, true, "a", 0, 0, 0, false, 1 },
	{ "value joined", { "--text=a=b" }, true, "a=b", 0, 0, 0, false, 1 },
	{ "empty value", { "--text=" }, true, "", 0, 0, 0, false, 1 },
	{ "value with a dash", { "--text", "-x" }, true, "-x", 0, 0, 0, false, 1 },
	{ "short", { "-o", "a" }, true, "a", 0, 0, 0, false, 1 },
	{ "list", { "--list", "a", "--list=b" }, true, NULL, 0, 2, 0, false, 1 },
	{ "operands between", { "a", "--number", "7", "-", "b" }, true, NULL, 7, 0, 3, false,
	    1 },
	{ "options end", { "--", "--text" }, true, NULL, 0, 0, 1, false, 1 },
	{ "global after", { "a", "--json", "--timeout", "2.5" }, true, NULL, 0, 0, 1, true,
	    2500 },
	{ "unknown", { "--texts", "a" }, false, NULL, 0, 0, 0, false, 0 },
	{ "prefix of an option", { "--tex", "a" }, false, NULL, 0, 0, 0, false, 0 },
	{ "unknown short", { "-x" }, false, NULL, 0, 0, 0, false, 0 },
	{ "no value", { "--text" }, false, NULL, 0, 0, 0, false, 0 },
	{ "value for a flag", { "--json=yes" }, false, NULL, 0, 0, 0, false, 0 },
	{ "number in words", { "--number", "seven" }, false, NULL, 0, 0, 0, false, 0 },
	{ "negative number", { "--number=-1" }, false, NULL, 0, 0, 0, false, 0 },
	{ "number with a tail", { "--number=1x" }, false, NULL, 0, 0, 0, false, 0 },
	{ "huge number", { "--number=99999999999999999999" }, false, NULL, 0, 0, 0, false, 0 },
	{ "timeout of nothing", { "--timeout", "0" }, false, NULL, 0, 0, 0, false, 0 },
	{ "timeout not a number", { "--timeout", "nan" }, false, NULL, 0, 0, 0, false, 0 },
};

static void
arguments(void **state)
{
	const struct args_case *c = *state;
	struct cli cli = { .timeout_ms = 1 };
	const char *text = NULL;
	unsigned number = 0;
	struct text_list list = { 0 }, rest = { 0 };
	const struct option options[] = { { "--text", OPTION_TEXT, &text },
		{ "-o", OPTION_TEXT, &text }, { "--number", OPTION_NUMBER, &number },
		{ "--list", OPTION_LIST, &list }, { 0 } };
	char *argv[8];
	int argc = 0;
	struct fault f = { 0 };
	enum rc rc;

	while (argc < 8 && c->argv[argc] != NULL) {
		argv[argc] = strdup(c->argv[argc]);
		argc++;
	}
	rc = args_parse(&cli, options, argc, argv, &rest, &f);
	assert_int_equal(rc, c->good ? RC_OK : RC_INVALID);
	if (!c->good)
		assert_string_equal(f.reason, "usage");
	else {
		assert_int_equal(number, c->number);
		assert_int_equal(list.len, c->list);
		assert_int_equal(rest.len, c->rest);
		assert_int_equal(cli.json, c->json);
		assert_int_equal(cli.timeout_ms, c->timeout_ms);
		assert_true((text == NULL) == (c->text == NULL));
	}
	if (c->good && c->text != NULL)
		assert_string_equal(text, c->text);
	while (argc > 0)
		free(argv[--argc]);
}

static void
hex_text(void **state)
{
	static const char *const bad[] = { "0", "0g", "00 1", "0x00", "00,00" };
	AUTO_BUF out = BUF_INIT(100);

	(void)state;
	assert_int_equal(cli_unhex(span_str(" 00 fF\nA0 "), &out, NULL), RC_OK);
	assert_int_equal(out.len, 3);
	assert_memory_equal(out.ptr, "\x00\xff\xa0", 3);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(cli_unhex(span_str(bad[i]), &out, NULL), RC_INVALID);
}

/* ---- against an agent that answers by a script ----------------------------------------- */

#define SIGNED "{\"passport\":\"a.b.c\",\"identity\":\"a.b.c;info=<x>\"}"

static struct sign_case {
	const char *name, *answers[2];
	bool piecewise, silent, close_each;
	int code, http_status, retry_after_s;
	const char *reason;
} sign_cases[] = {
	{ "signed", { ANSWER("200 OK", "", "48", SIGNED) }, false, false, false, VESPER_OK, 0,
	    0, NULL },
	{ "byte by byte", { ANSWER("200 OK", "", "48", SIGNED) }, true, false, false, VESPER_OK,
	    0, 0, NULL },
	{ "refused",
	    { ANSWER("403 Forbidden", "", "45",
		"{\"reason\":\"tn_not_authorized\",\"claim\":\"orig\"}") },
	    false, false, false, VESPER_REFUSED, 403, 0, "tn_not_authorized" },
	{ "busy",
	    { ANSWER("503 x", "Retry-After: 2\r\n", "23", "{\"reason\":\"overloaded\"}") },
	    false, false, false, VESPER_UNAVAILABLE, 503, 2, "overloaded" },
	{ "not found", { ANSWER("404 x", "", "2", "{}") }, false, false, false,
	    VESPER_NOT_FOUND, 404, 0, "" },
	{ "internal error", { ANSWER("500 x", "", "27", "{\"reason\":\"internal_error\"}") },
	    false, false, false, VESPER_PROTOCOL, 500, 0, "internal_error" },
	{ "not JSON", { ANSWER("200 OK", "", "5", "hello") }, false, false, false,
	    VESPER_PROTOCOL, 0, 0, "json" },
	{ "not HTTP", { "hello\r\n\r\n" }, false, false, false, VESPER_PROTOCOL, 0, 0, "http" },
	{ "no answer", { "" }, false, true, false, VESPER_TIMED_OUT, 0, 0, "timeout" },
	{ "hangs up", { "" }, false, false, true, VESPER_NOT_REACHABLE, 0, 0, "closed" },
	{ "hangs up half-way", { "HTTP/1.1 200 OK\r\nConte" }, false, false, true,
	    VESPER_NOT_REACHABLE, 0, 0, "closed" },
};

static void
signs(void **state)
{
	const struct sign_case *c = *state;
	struct scripted a = { .answers = c->answers,
		.piecewise = c->piecewise,
		.silent = c->silent,
		.close_each = c->close_each };
	struct vesper_request r = {
		.size = sizeof r, .tenant = "acme", .claims = "{\"orig\":{\"tn\":\"1\"}}"
	};
	struct vesper_client *client = NULL;
	struct vesper_signature *sig = NULL;
	struct vesper_error e = { 0 };

	scripted_start(&a);
	assert_int_equal(vesper_open(a.path, &client, &e), VESPER_OK);
	vesper_set_timeout_ms(client, c->silent ? 100 : 5000);
	if (vesper_sign(client, &r, &sig, &e) != c->code)
		fail_msg("%d %s: %s", e.code, e.reason, e.detail);
	if (c->code == VESPER_OK) {
		assert_string_equal(vesper_signature_passport(sig), "a.b.c");
		assert_string_equal(vesper_signature_identity(sig), "a.b.c;info=<x>");
		assert_string_equal(vesper_signature_json(sig), SIGNED);
	} else {
		assert_null(sig);
		assert_int_equal(e.code, c->code);
		assert_int_equal(e.http_status, c->http_status);
		assert_int_equal(e.retry_after_s, c->retry_after_s);
		assert_string_equal(e.reason, c->reason);
	}
	vesper_signature_free(sig);
	vesper_close(client);
	scripted_stop(&a);
	assert_non_null(strstr(a.asked, "POST /v1/passports HTTP/1.1\r\n"));
	assert_non_null(
	    strstr(a.asked, "{\"tenant\":\"acme\",\"claims\":{\"orig\":{\"tn\":\"1\"}}}"));
}

/* The agent ends idle connections; the next call makes a new one without a word. */
static void
connects_again(void **state)
{
	static const char *const twice[] = { ANSWER("200 OK", "", "2", "{}"),
		ANSWER("200 OK", "", "3", "{ }"), NULL };
	struct scripted a = { .answers = twice, .close_each = true };
	struct vesper_client *client = NULL;
	struct vesper_response *r = NULL;
	struct vesper_error e = { 0 };

	(void)state;
	scripted_start(&a);
	assert_int_equal(vesper_open(a.path, &client, &e), VESPER_OK);
	assert_int_equal(vesper_status(client, &r, &e), VESPER_OK);
	assert_string_equal(vesper_response_body(r), "{}");
	vesper_response_free(r);
	poll(NULL, 0, 50);
	assert_int_equal(vesper_status(client, &r, &e), VESPER_OK);
	assert_int_equal(vesper_response_length(r), 3);
	assert_int_equal(vesper_response_status(r), 200);
	vesper_response_free(r);
	vesper_close(client);
	scripted_stop(&a);
}

static void
arguments_of_the_library(void **state)
{
	static const char *const none[] = { NULL };
	struct scripted a = { .answers = none };
	struct vesper_client *client = NULL;
	struct vesper_signature *sig = NULL;
	struct vesper_response *response = NULL;
	struct vesper_request r = { .size = sizeof r, .claims = "[]" };
	struct vesper_error e = { 0 };
	char path[200];

	(void)state;
	assert_string_equal(vesper_version(), VESPER_VERSION);
	memset(path, 'a', sizeof path);
	path[sizeof path - 1] = 0;
	assert_int_equal(vesper_open(path, &client, &e), VESPER_INVALID);
	assert_int_equal(vesper_open("/nonexistent/s", &client, &e), VESPER_NOT_REACHABLE);
	assert_int_equal(vesper_open("/nonexistent/s", &client, NULL), VESPER_NOT_REACHABLE);
	assert_null(client);
	scripted_start(&a);
	assert_int_equal(vesper_open(a.path, &client, &e), VESPER_OK);
	assert_int_equal(vesper_sign(client, &r, &sig, &e), VESPER_INVALID);
	r.claims = "{\"a\":1,\"a\":2}";
	assert_int_equal(vesper_sign(client, &r, &sig, NULL), VESPER_INVALID);
	r.claims = "{}";
	r.size = 1;
	assert_int_equal(vesper_sign(client, &r, &sig, &e), VESPER_INVALID);
	assert_int_equal(
	    vesper_call(client, "GET", "v1/status", NULL, &response, &e), VESPER_INVALID);
	assert_int_equal(vesper_call(client, "GET", "/a HTTP/1.1\r\nX: y", NULL, &response, &e),
	    VESPER_INVALID);
	assert_null(sig);
	assert_null(response);
	vesper_close(client);
	scripted_stop(&a);
}

int
main(void)
{
	static struct CMUnitTest
	    tests[ARRAY_LEN(answer_cases) + ARRAY_LEN(args_cases) + ARRAY_LEN(sign_cases) + 6];
	size_t n = 0;

	ROWS(tests, n, answer_cases, answers);
	ROWS(tests, n, args_cases, arguments);
	ROWS(tests, n, sign_cases, signs);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(answers_are_bounded);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(answers_cut);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(requests);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(hex_text);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(connects_again);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(arguments_of_the_library);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
