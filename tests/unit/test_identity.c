/* identity: the header field value, written and taken apart */
#include "stir/identity.h"

#include "tests/unit/mutate.h"

#define INFO "info=<https://cert.example.org/passport.cer>"

static struct parse_case {
	const char *name, *text;
	const char *reason; /* NULL: good */
	const char *passport, *info, *alg, *ppt;
	bool compact;
} parse_cases[] = {
	/* RFC 8224 section 5.1 */
	{ "published compact",
	    "..rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1VOgFWSjHBr8Qjpjlk-"
	    "cpFYpFYsojNCpTzO3QfPOlckGaS6hEck"
	    "7w;" INFO,
	    NULL,
	    "..rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1VOgFWSjHBr8Qjpjlk-"
	    "cpFYpFYsojNCpTzO3QfPOlckGaS6hEck"
	    "7w",
	    "https://cert.example.org/passport.cer", "", "", true },
	/* RFC 8946 section 4.1 writes ppt in quotes */
	{ "quoted ppt (D-18)", "a.b.c;" INFO ";ppt=\"div\"", NULL, "a.b.c",
	    "https://cert.example.org/passport.cer", "", "div", false },
	{ "as deployed", "a.b.c;" INFO ";alg=ES256;ppt=shaken", NULL, "a.b.c",
	    "https://cert.example.org/passport.cer", "ES256", "shaken", false },
	{ "any order", "a.b.c;ppt=shaken;alg=ES256;info=<cid:x>", NULL, "a.b.c", "cid:x",
	    "ES256", "shaken", false },
	{ "names in any case", "a.b.c;Info=<cid:x>;PPT=shaken", NULL, "a.b.c", "cid:x", "",
	    "shaken", false },
	{ "blanks and a fold", " a.b.c ; info = <cid:x> ;\r\n ppt = shaken ", NULL, "a.b.c",
	    "cid:x", "", "shaken", false },
	{ "base64 of the printed alphabet (RFC 8224 s4)", "a+/.b.c;info=<cid:x>", NULL,
	    "a+/.b.c", "cid:x", "", "", false },
	{ "other parameters", "a.b.c;x;info=<cid:x>;y=z;q=\"a;\\\"b\";h=[::1]", NULL, "a.b.c",
	    "cid:x", "", "", false },
	{ "semicolon inside info", "a.b.c;info=<https://a/b;c=d>", NULL, "a.b.c",
	    "https://a/b;c=d", "", "", false },
	{ "empty", "", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "no parameters", "a.b.c", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "no info", "a.b.c;alg=ES256", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "bare info", "a.b.c;info=https://a.b/c", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "info in quotes", "a.b.c;info=\"https://a.b/c\"", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "info not closed", "a.b.c;info=<https://a.b/c", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "info empty", "a.b.c;info=<>", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "info without a scheme", "a.b.c;info=<//a.b/c>", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "info with a blank", "a.b.c;info=<https://a.b/ c>", "identity_syntax", 0, 0, 0, 0,
	    0 },
	{ "info with a control", "a.b.c;info=<https://a.b/\x01>", "identity_syntax", 0, 0, 0, 0,
	    0 },
	{ "info not ASCII", "a.b.c;info=<https://\xc3\xa9/>", "identity_syntax", 0, 0, 0, 0,
	    0 },
	{ "info twice (RFC 8224 s4)", "a.b.c;info=<cid:x>;info=<cid:x>", "identity_duplicate",
	    0, 0, 0, 0, 0 },
	{ "alg twice", "a.b.c;info=<cid:x>;alg=ES256;ALG=ES256", "identity_duplicate", 0, 0, 0,
	    0, 0 },
	{ "ppt twice", "a.b.c;info=<cid:x>;ppt=div;ppt=\"div\"", "identity_duplicate", 0, 0, 0,
	    0, 0 },
	{ "alg empty", "a.b.c;info=<cid:x>;alg=", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "alg without a value", "a.b.c;info=<cid:x>;alg", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "ppt empty in quotes", "a.b.c;info=<cid:x>;ppt=\"\"", "identity_syntax", 0, 0, 0, 0,
	    0 },
	{ "ppt with a blank in quotes", "a.b.c;info=<cid:x>;ppt=\"d v\"", "identity_syntax", 0,
	    0, 0, 0, 0 },
	{ "quote not closed", "a.b.c;info=<cid:x>;ppt=\"div", "identity_syntax", 0, 0, 0, 0,
	    0 },
	{ "quote ends in an escape", "a.b.c;info=<cid:x>;y=\"z\\\"", "identity_syntax", 0, 0, 0,
	    0, 0 },
	{ "last semicolon", "a.b.c;info=<cid:x>;", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "two semicolons", "a.b.c;;info=<cid:x>", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "behind info", "a.b.c;info=<cid:x>y", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "two values", "a.b.c;info=<cid:x>,a.b.c;info=<cid:x>", "identity_syntax", 0, 0, 0, 0,
	    0 },
	{ "two parts", "a.b;info=<cid:x>", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "four parts", "a.b.c.d;info=<cid:x>", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "no header", ".b.c;info=<cid:x>", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "no payload", "a..c;info=<cid:x>", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "no signature", "a.b.;info=<cid:x>", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "only dots", "..;info=<cid:x>", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "padding", "a.b.c=;info=<cid:x>", "identity_syntax", 0, 0, 0, 0, 0 },
	{ "the header's name", "Identity: a.b.c;info=<cid:x>", "identity_syntax", 0, 0, 0, 0,
	    0 },
	{ "a line break without a fold", "a.b.c;\r\ninfo=<cid:x>", "identity_syntax", 0, 0, 0,
	    0, 0 },
};

static void
parse(void **state)
{
	const struct parse_case *c = *state;
	struct identity id = { .compact = true };
	struct fault f = { 0 };
	enum rc rc = identity_parse(span_str(c->text), &id, &f);

	if (c->reason != NULL) {
		assert_int_equal(rc, RC_INVALID);
		assert_string_equal(f.reason, c->reason);
		return;
	}
	assert_int_equal(rc, RC_OK);
	assert_true(span_is(id.passport, c->passport));
	assert_true(span_is(id.info, c->info));
	assert_true(span_is(id.alg, c->alg));
	assert_true(span_is(id.ppt, c->ppt));
	assert_int_equal(id.compact, c->compact);
}

static bool
takes(struct span text)
{
	struct identity id;

	return identity_parse(text, &id, NULL) == RC_OK;
}

static void
mutations(void **state)
{
	struct span text = span_str("a.b.c;alg=ES256;ppt=\"div\";" INFO);

	(void)state;
	no_prefix_is_taken(takes, text);
	survives_bit_flips(takes, text);
}

static struct format_case {
	const char *name, *passport, *info, *ppt;
	const char *out; /* NULL: refused */
} format_cases[] = {
	{ "base (RFC 8224 s4.1, D-19)", "a.b.c", "https://a/b", NULL,
	    "a.b.c;info=<https://a/b>;alg=ES256" },
	/* RFC 8224 s4, s6.1, RFC 8588 s7, D-18 */
	{ "shaken", "a.b.c", "https://a/b", "shaken",
	    "a.b.c;info=<https://a/b>;alg=ES256;ppt=shaken" },
	{ "info that ends early", "a.b.c", "https://a/>;x=<", NULL, NULL },
	{ "info with a line break", "a.b.c", "https://a/\r\nX: y", NULL, NULL },
	/* RFC 8946 s4.1 */
	{ "div", "a.b.c", "https://a/b", "div", "a.b.c;info=<https://a/b>;alg=ES256;ppt=div" },
	/* RFC 9795 s12.1 */
	{ "rcd", "a.b.c", "https://a/b", "rcd", "a.b.c;info=<https://a/b>;alg=ES256;ppt=rcd" },
	{ "msg (RFC 9475 s3.2.1)", "a.b.c", "https://a/b", "msg",
	    "a.b.c;info=<https://a/b>;alg=ES256;ppt=msg" },
	{ "info empty, written (RFC 8224 s6.1)", "a.b.c", "", NULL, NULL },
	{ "ppt with a quote", "a.b.c", "https://a/b", "a\"", NULL },
	{ "ppt empty", "a.b.c", "https://a/b", "", NULL },
	{ "passport with a semicolon", "a.b.c;x", "https://a/b", NULL, NULL },
	{ "passport of two parts", "a.b", "https://a/b", NULL, NULL },
};

static void
format(void **state)
{
	const struct format_case *c = *state;
	AUTO_BUF out = BUF_INIT(1024);
	struct identity id = { 0 };
	struct fault f = { 0 };
	enum rc rc = identity_format(&out, span_str(c->passport), c->info, c->ppt, &f);

	if (c->out == NULL) {
		assert_int_equal(rc, RC_INVALID);
		assert_string_equal(f.reason, "identity_syntax");
		return;
	}
	assert_int_equal(rc, RC_OK);
	assert_string_equal(buf_text(&out), c->out);
	assert_int_equal(identity_parse(buf_view(&out), &id, NULL), RC_OK);
	assert_true(span_is(id.info, c->info));
	assert_true(span_is(id.passport, c->passport));
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(parse_cases) + ARRAY_LEN(format_cases) + 1];
	size_t n = 0;

	ROWS(tests, n, parse_cases, parse);
	ROWS(tests, n, format_cases, format);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(mutations);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
