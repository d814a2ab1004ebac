/* uri: what is one, whose server an https URL names, and which are of one origin */
#include "stir/uri.h"

#include "stir/ascii.h"
#include "stir/digest.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

static struct https_case {
	const char *name, *text, *host; /* NULL: refused */
	unsigned port;
	const char *rest;
} https_cases[] = {
	{ "a host", "https://a.example", "a.example", 443, "" },
	{ "a path", "https://a.example/b?c", "a.example", 443, "/b?c" },
	{ "a query at once", "https://a.example?c", "a.example", 443, "?c" },
	{ "a port", "https://a.example:8443/", "a.example", 8443, "/" },
	{ "the last port", "https://a:65535", "a", 65535, "" },
	{ "capitals", "HTTPS://A.Example/", "A.Example", 443, "/" },
	{ "IPv6", "https://[::1]:8443/c", "[::1]", 8443, "/c" },
	{ "at sign behind the host", "https://a/@b", "a", 443, "/@b" },
	{ "nothing", "", NULL, 0, NULL },
	{ "the scheme alone", "https://", NULL, 0, NULL },
	{ "another scheme", "http://a.example/", NULL, 0, NULL },
	{ "no slashes", "https:a.example", NULL, 0, NULL },
	{ "no host", "https:///a", NULL, 0, NULL },
	{ "no host but a query", "https://?a", NULL, 0, NULL },
	{ "a port alone", "https://:443/a", NULL, 0, NULL },
	{ "an empty port", "https://a:/b", NULL, 0, NULL },
	{ "port 0", "https://a:0/", NULL, 0, NULL },
	{ "port with a zero before", "https://a:0443/", NULL, 0, NULL },
	{ "port beyond", "https://a:65536/", NULL, 0, NULL },
	{ "port of six digits", "https://a:123456/", NULL, 0, NULL },
	{ "port in letters", "https://a:44x/", NULL, 0, NULL },
	{ "user", "https://u@a.example/", NULL, 0, NULL },
	{ "user and password", "https://u:1@a.example/", NULL, 0, NULL },
	{ "user that looks like IPv6", "https://[::1]@a.example/", NULL, 0, NULL },
	{ "fragment", "https://a.example/#b", NULL, 0, NULL },
	{ "fragment at once", "https://a.example#b", NULL, 0, NULL },
	{ "open bracket", "https://[::1/", NULL, 0, NULL },
	{ "empty brackets", "https://[]/", NULL, 0, NULL },
	{ "behind the brackets", "https://[::1]x/", NULL, 0, NULL },
	{ "backslash", "https://a.example\\@b/", NULL, 0, NULL },
	{ "blank", "https://a.example/ b", NULL, 0, NULL },
	{ "line feed", "https://a.example/\nb", NULL, 0, NULL },
	{ "beyond ASCII", "https://ä.example/", NULL, 0, NULL },
	{ "angle bracket", "https://a.example/>", NULL, 0, NULL },
};

static void
https(void **state)
{
	const struct https_case *c = *state;
	struct uri_https u = { .port = 7 };

	assert_int_equal(uri_read_https(span_str(c->text), &u), c->host != NULL);
	assert_int_equal(u.port, c->host != NULL ? c->port : 7);
	if (c->host == NULL)
		return;
	assert_true(span_is(u.host, c->host));
	assert_true(span_is(u.rest, c->rest));
	for (size_t n = 0; n <= strlen("https://"); n++)
		assert_false(uri_read_https(span_of(c->text, n), &u));
}

/* The same, but for the scheme and its port. */
static void
http(void **state)
{
	static const struct {
		const char *text, *host;
		unsigned port;
	} rows[] = { { "http://a.example/b", "a.example", 80 },
		{ "HTTP://a.example", "a.example", 80 },
		{ "http://[::1]:8080/c", "[::1]", 8080 }, { "https://a.example/", NULL, 0 },
		{ "http://u@a.example/", NULL, 0 }, { "http://a.example/#b", NULL, 0 },
		{ "http:///b", NULL, 0 }, { "http://", NULL, 0 }, { "http:/a", NULL, 0 },
		{ "http://a b/", NULL, 0 }, { "http://a:0/", NULL, 0 }, { "", NULL, 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct uri_https u = { .port = 7 };

		assert_int_equal(
		    uri_read_http(span_str(rows[i].text), &u), rows[i].host != NULL);
		assert_int_equal(u.port, rows[i].host != NULL ? rows[i].port : 7);
		if (rows[i].host != NULL)
			assert_true(span_is(u.host, rows[i].host));
	}
}

static void
absolute(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = { { "sip:a@b", true }, { "urn:service:sos", true }, { "x-y+z.1:a", true },
		{ "a:b", true }, { "", false }, { ":", false }, { "a:", false },
		{ "1a:b", false }, { "a_b:c", false }, { "alice", false }, { "a:b c", false },
		{ "a:b\"", false }, { "a:b\x7f", false }, { "<a:b>", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(uri_is_absolute(span_str(rows[i].text)), rows[i].good);
	assert_true(uri_has_scheme(span_str("SIP:a"), "sip"));
	assert_false(uri_has_scheme(span_str("sips:a"), "sip"));
	assert_false(uri_has_scheme(span_str("sip:"), "sip"));
}

static void
origins(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = { { "https://a/x", "https://a/y?z", true },
		{ "https://a", "https://A:443/", true },
		{ "https://[::1]:1/", "https://[::1]:1", true },
		{ "https://a/", "https://b/", false },
		{ "https://a:1/", "https://a:2/", false },
		{ "https://a/", "https://a.b/", false }, { "https://a/", "http://a/", false },
		{ "https://a/", "https://a@b/", false }, { "no", "no", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(
		    uri_same_origin(span_str(rows[i].a), span_str(rows[i].b)), rows[i].same);
		assert_int_equal(
		    uri_same_origin(span_str(rows[i].b), span_str(rows[i].a)), rows[i].same);
	}
}

/* By the whole alphabet. */
static void
classes(void **state)
{
	static const char digits[] = "0123456789", hex[] = "0123456789abcdef",
			  letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		bool digit = c != 0 && strchr(digits, (int)c) != NULL;
		bool letter = c != 0 && strchr(letters, (int)c) != NULL;
		unsigned low = c >= 'A' && c <= 'Z' ? c + 32 : c;
		const char *at = low == 0 ? NULL : strchr(hex, (int)low);

		assert_int_equal(ascii_is_digit((uint8_t)c), digit);
		assert_int_equal(ascii_is_alpha((uint8_t)c), letter);
		assert_int_equal(ascii_is_alnum((uint8_t)c), digit || letter);
		assert_int_equal(ascii_hex((uint8_t)c), at == NULL ? -1 : at - hex);
	}
}

/* FIPS 180-4, "abc" */
static void
sha256(void **state)
{
	static const uint8_t want[4] = { 0xba, 0x78, 0x16, 0xbf };
	uint8_t out[DIGEST_SHA256_LEN];

	(void)state;
	assert_int_equal(digest_sha256(span_str("abc"), out, NULL), RC_OK);
	assert_memory_equal(out, want, sizeof want);
	assert_int_equal(digest_sha256(span_str(""), out, NULL), RC_OK);
	assert_int_equal(out[0], 0xe3);
}

/* What a CA can bind. */
static void
dns_names(void **state)
{
	static const struct {
		const char *host;
		bool name;
	} rows[] = { { "a.example", true }, { "a.b.c1", true }, { "xn--a.example", true },
		{ "", false }, { "localhost", false }, { "a.example.", false },
		{ "127.0.0.1", false }, { "a.1", false }, { "[::1]", false }, { ".", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(uri_is_dns_name(span_str(rows[i].host)), rows[i].name);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(https_cases) + 6];
	size_t n = 0;

	ROWS(tests, n, https_cases, https);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(http);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(absolute);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(origins);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(dns_names);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(classes);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(sha256);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
