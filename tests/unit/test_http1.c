/* http1: strictness, every prefix, every split, the answers */
#include "agent/front/http1.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

#include <stdlib.h>

#define HEAD "POST /v1/passports HTTP/1.1\r\nHost: localhost\r\n"
#define GOOD HEAD "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

/* A NUL ends no text here. */
#define NUL_IN_VALUE "GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n"
#define NUL_IN_LINE  "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n"

static struct http_case {
	const char *name;
	const char *text;
	size_t len; /* 0: strlen */
	const char *reason;
} cases[] = {
	{ "good", GOOD, 0, NULL },
	{ "get", "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 0, NULL },
	{ "empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 0, NULL },
	{ "query", "GET /a?b=c&d HTTP/1.1\r\nHost: x\r\n\r\n", 0, NULL },
	{ "length with white space around", HEAD "Content-Length: \t 2 \t\r\n\r\n{}", 0, NULL },
	{ "length in other letters", HEAD "content-LENGTH:2\r\n\r\n{}", 0, NULL },
	{ "length zero", HEAD "Content-Length: 0\r\n\r\n", 0, NULL },
	{ "other method", "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", 0, NULL },
	{ "bytes above 0x7f in a value", "GET / HTTP/1.1\r\nHost: x\r\nX: \xc3\xa9\r\n\r\n", 0,
	    NULL },

	{ "two different lengths", HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 0,
	    "malformed_http" },
	{ "two equal lengths", HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 0,
	    "malformed_http" },
	{ "a list of lengths", HEAD "Content-Length: 2, 2\r\n\r\n{}", 0, "malformed_http" },
	{ "plus", HEAD "Content-Length: +0\r\n\r\n", 0, "malformed_http" },
	{ "minus", HEAD "Content-Length: -1\r\n\r\n", 0, "malformed_http" },
	{ "hexadecimal length", HEAD "Content-Length: 0x2\r\n\r\n{}", 0, "malformed_http" },
	{ "empty length", HEAD "Content-Length:\r\n\r\n", 0, "malformed_http" },
	{ "space inside the length", HEAD "Content-Length: 1 0\r\n\r\n", 0, "malformed_http" },
	{ "length above the limit", HEAD "Content-Length: 65537\r\n\r\n", 0, "too_large" },
	{ "length beyond 64 bits", HEAD "Content-Length: 18446744073709551618\r\n\r\n", 0,
	    "too_large" },
	{ "length and chunked",
	    HEAD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 0,
	    "malformed_http" },
	{ "chunked and length",
	    HEAD "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}", 0,
	    "malformed_http" },
	{ "chunked", HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 0,
	    "length_required" },
	{ "identity coding", HEAD "Transfer-Encoding: identity\r\n\r\n", 0, "length_required" },
	{ "chunked GET", "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 0,
	    "length_required" },
	{ "POST without length", HEAD "\r\n", 0, "length_required" },
	{ "bare LF in the request line", "GET / HTTP/1.1\nHost: x\r\n\r\n", 0,
	    "malformed_http" },
	{ "bare LF in a field", "GET / HTTP/1.1\r\nHost: x\n\r\n", 0, "malformed_http" },
	{ "bare LF at the end", "GET / HTTP/1.1\r\nHost: x\r\n\n", 0, "malformed_http" },
	{ "bare CR", "GET / HTTP/1.1\r\nHost: x\rY: z\r\n\r\n", 0, "malformed_http" },
	{ "two CR", "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n", 0, "malformed_http" },
	{ "no Host", "GET / HTTP/1.1\r\n\r\n", 0, "malformed_http" },
	{ "two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 0, "malformed_http" },
	{ "space in Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 0, "malformed_http" },
	{ "slash in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 0, "malformed_http" },
	{ "control byte in a value", "GET / HTTP/1.1\r\nHost: x\r\nX: a\x01z\r\n\r\n", 0,
	    "malformed_http" },
	{ "DEL in a value", "GET / HTTP/1.1\r\nHost: x\r\nX: a\x7f\r\n\r\n", 0,
	    "malformed_http" },
	{ "NUL in a value", NUL_IN_VALUE, sizeof NUL_IN_VALUE - 1, "malformed_http" },
	{ "NUL in the request line", NUL_IN_LINE, sizeof NUL_IN_LINE - 1, "malformed_http" },
	{ "space before the colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", 0, "malformed_http" },
	{ "tab before the colon", "GET / HTTP/1.1\r\nHost: x\r\nX\t: x\r\n\r\n", 0,
	    "malformed_http" },
	{ "folded field", "GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", 0,
	    "malformed_http" },
	{ "folded with a tab", "GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n\tb: c\r\n\r\n", 0,
	    "malformed_http" },
	{ "white space before the first field", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", 0,
	    "malformed_http" },
	{ "no colon", "GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n", 0, "malformed_http" },
	{ "no field name", "GET / HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n", 0, "malformed_http" },
	{ "field name in brackets", "GET / HTTP/1.1\r\nHost: x\r\n(X): a\r\n\r\n", 0,
	    "malformed_http" },
	{ "HTTP/1.0", "GET / HTTP/1.0\r\nHost: x\r\n\r\n", 0, "malformed_http" },
	{ "HTTP/1.2", "GET / HTTP/1.2\r\nHost: x\r\n\r\n", 0, "malformed_http" },
	{ "HTTP/2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, "malformed_http" },
	{ "lower-case version", "GET / http/1.1\r\nHost: x\r\n\r\n", 0, "malformed_http" },
	{ "no version", "GET /\r\nHost: x\r\n\r\n", 0, "malformed_http" },
	{ "two spaces", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 0, "malformed_http" },
	{ "space at the end", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 0, "malformed_http" },
	{ "empty first line", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 0, "malformed_http" },
	{ "no method", " / HTTP/1.1\r\nHost: x\r\n\r\n", 0, "malformed_http" },
	{ "absolute form", "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 0, "malformed_http" },
	{ "asterisk form", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 0, "malformed_http" },
	{ "fragment", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 0, "malformed_http" },
	{ "non-ASCII target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", 0,
	    "malformed_http" },
	{ "other expectation", HEAD "Expect: 200-ok\r\nContent-Length: 0\r\n\r\n", 0,
	    "malformed_http" },
	{ "two types",
	    HEAD "Content-Type: a/b\r\nContent-Type: a/b\r\nContent-Length: 0\r\n\r\n", 0,
	    "malformed_http" },
	{ "two request ids",
	    "GET / HTTP/1.1\r\nHost: x\r\nX-RequestID: a\r\nX-RequestID: a\r\n\r\n", 0,
	    "malformed_http" },
};

static struct span
text_of(const struct http_case *c)
{
	return span_of(c->text, c->len != 0 ? c->len : strlen(c->text));
}

static void
reads(void **state)
{
	const struct http_case *c = *state;
	struct http1_request r = { 0 };
	enum http1_state s = HTTP1_NEED_HEAD;
	struct fault f = { 0 };
	enum rc rc = http1_read(text_of(c), &r, &s, &f);

	if (c->reason != NULL) {
		assert_int_equal(rc, RC_INVALID);
		assert_string_equal(f.reason, c->reason);
		return;
	}
	assert_int_equal(rc, RC_OK);
	assert_int_equal(s, HTTP1_COMPLETE);
	assert_int_equal(r.total, text_of(c).len);
}

/* A prefix is never a whole request, and of a good one never refused. */
static void
every_prefix(void **state)
{
	const struct http_case *c = *state;
	struct span text = text_of(c);

	for (size_t n = 0; n < text.len; n++) {
		struct http1_request r = { 0 };
		enum http1_state s = HTTP1_COMPLETE;
		/* A copy of its own, so that reading beyond it shows. */
		uint8_t *copy = malloc(n + 1);
		enum rc rc;

		assert_non_null(copy);
		memcpy(copy, text.ptr, n);
		rc = http1_read(span_of(copy, n), &r, &s, NULL);
		if (c->reason == NULL) {
			assert_int_equal(rc, RC_OK);
			assert_int_not_equal(s, HTTP1_COMPLETE);
			if (s == HTTP1_NEED_BODY)
				assert_int_equal(r.total, text.len);
		}
		free(copy);
	}
}

static void
one_bit_flips(void **state)
{
	const struct http_case *c = *state;
	struct span text = text_of(c);

	for (size_t bit = 0; bit < text.len * 8; bit++) {
		struct http1_request r = { 0 };
		enum http1_state s = HTTP1_NEED_HEAD;
		uint8_t *copy = malloc(text.len);

		assert_non_null(copy);
		memcpy(copy, text.ptr, text.len);
		copy[bit / 8] = (uint8_t)(copy[bit / 8] ^ 1 << bit % 8);
		if (http1_read(span_of(copy, text.len), &r, &s, NULL) == RC_OK &&
		    s == HTTP1_COMPLETE)
			assert_true(r.total <= text.len);
		free(copy);
	}
}

static void
fields_are_found(void **state)
{
	static const char text[] =
	    "POST /x/y?dry_run=1 HTTP/1.1\r\nhost: localhost:80\r\n"
	    "Content-Type: application/json; charset=utf-8\r\n"
	    "ACCEPT: */*\r\nX-RequestID: abc-1\r\nConnection: foo, Close\r\n"
	    "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\nabcGET";
	struct http1_request r = { 0 };
	enum http1_state s = HTTP1_NEED_HEAD;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(http1_read(span_str(text), &r, &s, &f), RC_OK);
	assert_int_equal(s, HTTP1_COMPLETE);
	assert_int_equal(r.method, HTTP1_POST);
	assert_true(span_is(r.path, "/x/y"));
	assert_true(span_is(r.query, "dry_run=1"));
	assert_true(span_is(r.content_type, "application/json; charset=utf-8"));
	assert_true(span_is(r.accept, "*/*"));
	assert_true(span_is(r.request_id, "abc-1"));
	assert_true(span_is(r.body, "abc"));
	assert_true(r.close);
	assert_true(r.expect);
	assert_int_equal(r.total, sizeof text - 1 - 3); /* the next request stays */
}

static void
limits(void **state)
{
	static const struct {
		size_t target, fields, field_len;
		const char *reason;
	} rows[] = {
		{ HTTP1_LINE_MAX - 13, 1, 1, NULL },
		{ HTTP1_LINE_MAX - 12, 1, 1, "too_large" },
		{ 1, HTTP1_FIELDS_MAX - 1, 1, NULL },
		{ 1, HTTP1_FIELDS_MAX, 1, "too_large" },
		{ 1, 1, HTTP1_HEAD_MAX - 9 - 5, NULL },
		{ 1, 1, HTTP1_HEAD_MAX - 9 - 4, "too_large" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_BUF text = BUF_INIT(100000);
		struct http1_request r = { 0 };
		enum http1_state s = HTTP1_NEED_HEAD;
		struct fault f = { 0 };

		buf_str(&text, "GET ");
		for (size_t n = 0; n < rows[i].target; n++)
			buf_byte(&text, '/');
		buf_str(&text, " HTTP/1.1\r\nHost: x\r\n"); /* 9 bytes of header */
		for (size_t n = 0; n < rows[i].fields; n++) {
			buf_str(&text, "X: "); /* 5 bytes beside the value */
			for (size_t k = 0; k < rows[i].field_len; k++)
				buf_byte(&text, 'v');
			buf_str(&text, "\r\n");
		}
		buf_str(&text, "\r\n");
		assert_int_equal(http1_read(buf_view(&text), &r, &s, &f),
		    rows[i].reason == NULL ? RC_OK : RC_INVALID);
		assert_string_equal(f.reason, rows[i].reason == NULL ? "" : rows[i].reason);
	}
}

/* Rubbish without an end is refused before the buffer is full. */
static void
endless_lines(void **state)
{
	AUTO_BUF text = BUF_INIT(100000);
	struct http1_request r = { 0 };
	enum http1_state s = HTTP1_NEED_HEAD;
	struct fault f = { 0 };

	(void)state;
	for (size_t n = 0; n <= HTTP1_LINE_MAX; n++)
		buf_byte(&text, 'a');
	assert_int_equal(http1_read(buf_view(&text), &r, &s, &f), RC_INVALID);
	assert_string_equal(f.reason, "too_large");
	buf_clear(&text);
	buf_str(&text, "GET / HTTP/1.1\r\n");
	for (size_t n = 0; n <= HTTP1_HEAD_MAX; n++)
		buf_byte(&text, 'a');
	f = (struct fault){ 0 };
	assert_int_equal(http1_read(buf_view(&text), &r, &s, &f), RC_INVALID);
	assert_string_equal(f.reason, "too_large");
}

static void
content_types(void **state)
{
	static const struct {
		const char *text;
		bool yes;
	} rows[] = {
		{ "application/json", true },
		{ "Application/JSON", true },
		{ "application/json ; charset=utf-8", true },
		{ "application/json;charset=UTF-8", true },
		{ "application/json; charset=\"utf-8\"", true },
		{ "application/json; profile=x; Charset=Utf-8", true },
		{ "application/json;", true },
		{ "application/json; charset=utf-16", false },
		{ "application/json; charset=\"utf-16\"", false },
		{ "application/json; CHARSET=iso-8859-1", false },
		{ "application/json; charset=utf-8; charset=utf-16", false },
		{ "application/json; charset=utf-8; charset=utf-8", false },
		{ "application/json; charset=", false },
		{ "application/json; charset", false },
		{ "application/json; charset=\"utf-8", false },
		{ "application/json; charset=utf-80", false },
		{ "application/json; x=y ; charset = utf-32", false },
		{ "application/json2", false },
		{ "text/plain; charset=utf-8", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (http1_is_type(span_str(rows[i].text), "application/json") != rows[i].yes)
			fail_msg("%s", rows[i].text);
	}
	assert_false(http1_is_type((struct span){ 0 }, "application/json"));
}

static void
accepts(void **state)
{
	static const struct {
		const char *accept, *type;
		bool yes;
	} rows[] = {
		{ "", "application/json", true },
		{ "*/*", "application/json", true },
		{ "application/*", "application/json", true },
		{ "application/*", "text/plain", false },
		{ "application/json", "application/json", true },
		{ "Application/JSON;q=0.5", "application/json", true },
		{ "text/html, application/json", "application/json", true },
		{ "text/html", "application/json", false },
		{ "application/json;q=0", "application/json", false },
		{ "application/json; q=0.000", "application/json", false },
		{ "text/plain", "text/plain", true },
		{ "application/jsonx", "application/json", false },
		{ "a,,b", "application/json", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
		    http1_accepts(span_str(rows[i].accept), rows[i].type), rows[i].yes);
}

static void
answers(void **state)
{
	AUTO_BUF out = BUF_INIT(1000);

	(void)state;
	http1_write(&out, &(struct http1_answer){ .status = 503,
			      .content_type = "application/json",
			      .body = span_str("{}"),
			      .request_id = "abc",
			      .retry_after_s = 1,
			      .close = true });
	assert_string_equal(buf_text(&out), "HTTP/1.1 503 Service Unavailable\r\n"
					    "Content-Type: application/json\r\n"
					    "Content-Length: 2\r\nCache-Control: no-store\r\n"
					    "X-RequestID: abc\r\nRetry-After: 1\r\n"
					    "Connection: close\r\n\r\n{}");
	buf_clear(&out);
	http1_write(&out, &(struct http1_answer){ .status = 405, .allow = "POST" });
	assert_string_equal(buf_text(&out), "HTTP/1.1 405 Method Not Allowed\r\n"
					    "Content-Length: 0\r\nCache-Control: no-store\r\n"
					    "Allow: POST\r\n\r\n");
}

int
main(void)
{
	struct CMUnitTest tests[3 * ARRAY_LEN(cases) + 6];
	size_t n = 0;

	ROWS(tests, n, cases, reads);
	ROWS(tests, n, cases, every_prefix);
	ROWS(tests, n, cases, one_bit_flips);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(fields_are_found);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(limits);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(endless_lines);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(accepts);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(content_types);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(answers);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
