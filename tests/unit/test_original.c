/* original: what a div, div-o or rsp answers, read, ordered, compared, verified */
#include "stir/original.h"

#include <openssl/pem.h>

#include "stir/b64.h"
#include "stir/verify.h"
#include "tests/unit/mutate.h"
#include "tests/unit/pki.h"
#include "tests/unit/spec.h"

#define X5U "https://cert.example/a.pem"

/* The call goes from A to B, is diverted to C, then to D. */
#define A      "'orig':{'tn':'12025550100'}"
#define TO(x)  "'dest':{'tn':['" x "']}"
#define B      "12025550101"
#define C      "12025550102"
#define D      "12025550103"
#define DIV(x) "'div':{'tn':'" x "'}"
/* 64 bytes of zero in base64url */
#define ZEROS \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define IAT "'iat':1800000000"

/* Named tokens that rows put together; a suffix of ppt, then claims. */
static const struct {
	char name;
	const char *ppt, *claims;
} tokens[] = {
	{ 'b', NULL, "{" A "," TO(B) "," IAT "}" },
	{ 's', "shaken",
	    "{" A "," TO(B) "," IAT ",'attest':'A','origid':'123e4567-e89b-12d3-"
			    "a456-426655440000'}" },
	{ 'l', NULL, "{" A "," TO(B) ",'iat':1799999000}" },
	{ 'x', NULL, "{'orig':{'tn':'12025550199'}," TO(B) "," IAT "}" },
	{ 'y', NULL, "{" A "," TO(C) "," IAT "}" },
	{ 'z', NULL, "{" A "," TO("12025550199") "," IAT "}" },
	{ 'm', NULL, "{" A ",'dest':{'tn':['" B "','" C "']}," IAT "}" },
	{ 'u', NULL, "{" A ",'dest':{'uri':['sip:b@example.com']}," IAT "}" },
	{ 'c', "div", "{" A "," TO(C) "," IAT "," DIV(B) "}" },
	{ 'd', "div", "{" A "," TO(D) "," IAT "," DIV(C) "}" },
	{ 'o', "div", "{'orig':{'tn':'12025550199'}," TO(C) "," IAT "," DIV(B) "}" },
	{ 'r', "rsp", "{" A "," TO(B) "," IAT "}" }, { 'n', NULL, "{" A "," TO(B) "}" },
	{ 't', NULL, "{" A "," TO(B) ",'iat':'1800000000'}" },
	{ 'p', "msec", "{" A "," TO(B) "," IAT "}" },
	{ 'q', NULL, "{'orig':{'uri':'sip:a@b'}," TO(B) "," IAT "}" },
	{ 'a', NULL, "{" A ",'dest':{'tn':'" B "'}," IAT "}" }, /* as in RFC 8946 section 5 */
};

static EVP_PKEY *leaf_key, *root_key, *other_key;
static X509 *root, *leaf, *stranger;
static struct anchors *anchors;
static struct chain *chain;

static void
put_token(struct buf *out, const char *ppt, const char *claims, EVP_PKEY *key, X509 *x5c)
{
	AUTO_BUF header = BUF_INIT(16384), payload = BUF_INIT(65536);
	json_auto_t *value = json_of(claims);

	buf_str(&header, "{\"alg\":\"ES256\"");
	if (ppt != NULL)
		buf_printf(&header, ",\"ppt\":\"%s\"", ppt);
	buf_str(&header, ",\"typ\":\"passport\"");
	if (x5c != NULL) {
		buf_str(&header, ",\"x5c\":");
		pki_x5c(&header, &x5c, 1);
	}
	buf_str(&header, ",\"x5u\":\"" X5U "\"}");
	assert_int_equal(jtext_write(&payload, value, NULL), RC_OK);
	pki_jws(out, buf_text(&header), buf_text(&payload), key);
}

static void
put_named(struct buf *out, char name, EVP_PKEY *key, X509 *x5c)
{
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		if (tokens[i].name == name) {
			put_token(out, tokens[i].ppt, tokens[i].claims, key, x5c);
			return;
		}
	}
	fail_msg("no token '%c'", name);
}

/* A letter a token, "-" none of any length; "(cb" is a div-o like c with b in its opt, and so on inwards. */
static void
put_spelt(struct buf *out, const char **spec)
{
	AUTO_BUF inner = BUF_INIT(65536), claims = BUF_INIT(65536);
	const char *outer;

	if (**spec == '-') {
		++*spec;
		return;
	}
	if (**spec != '(') {
		put_named(out, *(*spec)++, leaf_key, NULL);
		return;
	}
	outer = ++*spec;
	++*spec;
	put_spelt(&inner, spec);
	buf_printf(&claims, "{" A "," TO("%s") "," IAT "," DIV("%s") ",'opt':'",
	    *outer == 'c' ? C : D, *outer == 'c' ? B : C);
	buf_span(&claims, buf_view(&inner)); /* too long for buf_printf() */
	buf_str(&claims, "'}");
	put_token(out, "div-o", buf_text(&claims), leaf_key, NULL);
}

static enum rc
read_spec(const char *spec, struct originals **out, struct fault *f)
{
	struct buf text[16] = { { 0 } };
	struct span token[16] = { { 0 } };
	size_t n = 0;
	enum rc rc;

	for (; *spec != '\0'; n++) {
		assert_true(n < ARRAY_LEN(text));
		text[n] = BUF_INIT(65536);
		put_spelt(&text[n], &spec);
		token[n] = buf_view(&text[n]);
	}
	rc = originals_read(token, n, out, f);
	while (n > 0)
		buf_free(&text[--n]);
	return rc;
}

/* ---- reading and order -------------------------------------------------------------- */

static struct read_case {
	const char *name, *spec;
	size_t len; /* 0: refused */
	bool diverted;
	const char *reason, *detail;
} read_cases[] = {
	{ "one", "b", 1, false, NULL, NULL },
	{ "two types of one call", "bs", 2, false, NULL, NULL },
	{ "one div", "bc", 2, true, NULL, NULL },
	{ "div first", "cb", 2, true, NULL, NULL },
	{ "two div, out of order (RFC 8946 s4.2)", "dcb", 3, true, NULL, NULL },
	{ "two types and a div", "bcs", 3, true, NULL, NULL },
	{ "div-o and what it wraps (RFC 8946 section 5)", "(cb", 2, true, NULL, NULL },
	{ "div-o in div-o (RFC 8946 s5, s5.1)", "(d(cb", 3, true, NULL, NULL },
	{ "div-o over a div, with the call's own (RFC 8946 s5.1)", "b(dc", 3, true, NULL,
	    NULL },
	{ "one of several destinations is diverted", "mc", 2, true, NULL, NULL },
	{ "dest is a URI", "u", 1, false, NULL, NULL },

	{ "none", "", 0, false, "missing_original", "send the PASSporT that this one answers" },
	{ "div alone", "c", 0, false, "original_mismatch", "itself is missing" },
	{ "another orig", "bx", 0, false, "original_mismatch", "different orig" },
	{ "another dest", "by", 0, false, "original_mismatch", "different dest" },
	{ "div of another orig", "bo", 0, false, "original_mismatch", "different orig" },
	{ "a div is missing between (RFC 8946 s4.2)", "bd", 0, false, "original_mismatch",
	    "go on" },
	{ "a div twice", "bcc", 0, false, "original_mismatch", "go on" },
	{ "rsp beside what it answers", "br", 2, false, NULL, NULL },
	{ "no iat", "n", 0, false, "original_invalid", "iat" },
	{ "iat a string", "t", 0, false, "original_invalid", "iat" },
	{ "unknown type", "p", 0, false, "original_invalid", "unsupported_ppt" },
	{ "orig is a URI (D-26)", "q", 0, false, "original_invalid", "domain" },
	{ "dest.tn a string", "a", 0, false, "original_invalid", "arrays" },
	{ "an empty text", "-", 0, false, "original_invalid", "" },
	{ "an empty text before one that is good", "-b", 0, false, "original_invalid", "" },
	{ "an empty text behind one that is good", "b-", 0, false, "original_invalid", "" },
	{ "too many", "bbbbbbbbb", 0, false, "original_invalid", "more than 8" },
};

static void
reads(void **state)
{
	const struct read_case *c = *state;
	AUTO(originals) *o = NULL;
	struct fault f = { 0 };
	enum rc rc = read_spec(c->spec, &o, &f);

	if (c->len > 0) {
		assert_int_equal(rc, RC_OK);
		assert_int_equal(originals_len(o), c->len);
		assert_int_equal(originals_diverted(o), c->diverted);
		return;
	}
	assert_int_not_equal(rc, RC_OK);
	assert_null(o);
	assert_string_equal(f.reason, c->reason);
	assert_string_equal(f.claim, "original");
	if (strstr(f.detail, c->detail) == NULL)
		fail_msg("%s", f.detail);
}

/* Nesting is bounded by number, however it is spelt. */
static void
bounded(void **state)
{
	AUTO(originals) *o = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(read_spec("(d(c(d(c(d(c(d(cb", &o, &f), RC_DENIED);
	assert_string_equal(f.reason, "original_invalid");
}

static bool
takes(struct span text)
{
	AUTO(originals) *o = NULL;

	return originals_read(&text, 1, &o, NULL) == RC_OK;
}

static void
mutations(void **state)
{
	AUTO_BUF token = BUF_INIT(65536), identity = BUF_INIT(65536);
	const char *spec = "(cb";

	(void)state;
	put_spelt(&token, &spec);
	no_prefix_is_taken(takes, buf_view(&token));
	survives_bit_flips(takes, buf_view(&token));
	buf_span(&identity, buf_view(&token));
	buf_str(&identity, ";info=<" X5U ">;ppt=\"div-o\"");
	assert_true(takes(buf_view(&identity)));
	assert_false(takes(span_str("..abcd;info=<" X5U ">")));
}

/* ---- comparing ------------------------------------------------------------------------ */

static struct match_case {
	const char *name, *spec, *ppt, *claims;
	const char *claim; /* NULL: they match */
} match_cases[] = {
	{ "div", "b", "div", "{" A "," TO(C) "," IAT "," DIV(B) "}", NULL },
	{ "div, iat taken over (RFC 8946 s3)", "b", "div", "{" A "," TO(C) "," DIV(B) "}",
	    NULL },
	{ "div in another spelling", "b", "div",
	    "{'orig':{'tn':'+1 (202) 555-0100'}," TO(
		C) ","
		   "'div':{'tn':'+1 202 555 0101','hi':'1.1'}}",
	    NULL },
	{ "div of one of several (RFC 8946 s3)", "m", "div", "{" A "," TO(D) "," DIV(C) "}",
	    NULL },
	{ "div of a diverted call", "bc", "div", "{" A "," TO(D) "," DIV(C) "}", NULL },
	{ "div to a URI", "b", "div", "{" A ",'dest':{'uri':['sip:c@d']}," DIV(B) "}", NULL },
	{ "div of an old call", "l", "div", "{" A "," TO(C) "," DIV(B) "}", NULL },
	{ "div-o", "b", "div-o", "{" A "," TO(C) "," IAT "," DIV(B) "}", NULL },
	{ "div-o of a div-o", "(cb", "div-o", "{" A "," TO(D) "," DIV(C) "}", NULL },
	{ "rsp (RFC 9970 s4, s5)", "b", "rsp", "{" A "," TO(B) "}", NULL },
	{ "rsp after a diversion (D-37)", "bc", "rsp", "{" A "," TO(C) "}", NULL },
	{ "rsp after two (RFC 9970 s5)", "dbc", "rsp", "{" A "," TO(D) "}", NULL },
	{ "rsp of several destinations (D-25)", "m", "rsp",
	    "{" A ",'dest':{'tn':['" C "','" B "']}}", NULL },
	{ "base answers nothing", "b", NULL, "{" A "," TO(D) "}", NULL },

	{ "div, another orig (RFC 8946 s3)", "b", "div",
	    "{'orig':{'tn':'12025550109'}," TO(C) "," DIV(B) "}", "orig" },
	{ "div of a number the call did not go to (RFC 8946 s3)", "b", "div",
	    "{" A "," TO(D) "," DIV(C) "}", "div" },
	{ "div from where the call no longer is", "bc", "div", "{" A "," TO(D) "," DIV(B) "}",
	    "div" },
	{ "div with an iat of its own (RFC 8946 s3, D-21)", "b", "div",
	    "{" A "," TO(C) ",'iat':1800000001," DIV(B) "}", "iat" },
	{ "div of a URI", "u", "div", "{" A "," TO(C) "," DIV(B) "}", "div" },
	{ "div-o with another opt (RFC 8946 s5)", "b", "div-o",
	    "{" A "," TO(C) "," DIV(B) ",'opt':'eyJhIjoxfQ.e30." ZEROS "'}", "opt" },
	{ "div-o of two", "bs", "div-o", "{" A "," TO(C) "," DIV(B) "}", "original" },
	{ "rsp, another orig", "b", "rsp", "{'orig':{'tn':'12025550109'}," TO(B) "}", "orig" },
	{ "rsp from elsewhere without div (RFC 9970 s5, D-37)", "b", "rsp", "{" A "," TO(C) "}",
	    "dest" },
	{ "rsp from where the call no longer is", "bc", "rsp", "{" A "," TO(B) "}", "dest" },
	{ "rsp from between", "bcd", "rsp", "{" A "," TO(C) "}", "dest" },
	{ "rsp of one of several", "m", "rsp", "{" A "," TO(B) "}", "dest" },
};

static void
matches(void **state)
{
	const struct match_case *c = *state;
	json_auto_t *claims = json_of(c->claims), *instead = NULL;
	struct passport_policy policy = { .now_s = PKI_NOW,
		.iat_past_s = 60,
		.iat_future_s = 5,
		.iat_diverted_s = PASSPORT_DIVERTED_S };
	__attribute__((cleanup(passport_done))) struct passport p = { 0 };
	AUTO(originals) *o = NULL;
	enum ppt ppt = PPT_BASE;
	struct fault f = { 0 };
	enum rc rc;

	assert_int_equal(ppt_find(c->ppt, &ppt, NULL), RC_OK);
	assert_int_equal(read_spec(c->spec, &o, NULL), RC_OK);
	assert_int_equal(originals_defaults(o, ppt, &instead, NULL), RC_OK);
	policy.defaults = instead;
	assert_int_equal(passport_prepare(claims, ppt, &policy, &p, &f), RC_OK);
	rc = originals_match(o, &p, &f);
	if (c->claim == NULL) {
		assert_int_equal(rc, RC_OK);
		return;
	}
	assert_int_equal(rc, RC_DENIED);
	assert_string_equal(f.reason, "original_mismatch");
	assert_string_equal(f.claim, c->claim);
}

/* ---- verifying ------------------------------------------------------------------------- */

enum {
	X5C = 1,
	OTHER_KEY = 2,
	KNOWN = 4,
	CACHED = 8,
	NO_ANCHORS = 16,
	CHECK_ONLY = 32,
	STRANGER = 64, /* a certificate that leads to no anchor */
};

static struct verify_case {
	const char *name;
	char token;
	unsigned flags;
	int64_t age_s;
	int verified; /* -1: refused */
	const char *detail;
} verify_cases[] = {
	{ "x5c", 'b', X5C, 0, 1, NULL },
	{ "three hours old (D-21)", 'b', X5C, 3 * 3600, 1, NULL },
	{ "compare: x5u alone", 'b', 0, 0, 0, NULL },
	{ "compare: x5u that is known", 'b', KNOWN, 0, 1, NULL },
	{ "cached: x5u that is known", 'b', KNOWN | CACHED, 0, 1, NULL },
	{ "cached: x5c", 'b', X5C | CACHED, 0, 1, NULL },
	{ "check: no anchors", 'b', X5C | NO_ANCHORS | CHECK_ONLY, 0, 1, NULL },

	{ "more than three hours old", 'b', X5C, 3 * 3600 + 1, -1, "old" },
	{ "ahead", 'b', X5C, -61, -1, "ahead" },
	{ "old, x5u alone", 'b', 0, 3 * 3600 + 1, -1, "old" },
	{ "signed by another (RFC 8946 s4.1)", 'b', X5C | OTHER_KEY, 0, -1, "signature" },
	{ "known, signed by another", 'b', KNOWN | OTHER_KEY, 0, -1, "signature" },
	{ "cached: not known", 'b', CACHED, 0, -1,
	    "not known beforehand: original_check = cached wants it in x5c or "
	    "original_chains" },
	{ "no anchors", 'b', X5C | NO_ANCHORS, 0, -1, "anchor" },
	{ "no anchors, another's signature", 'b', X5C | NO_ANCHORS | CHECK_ONLY | OTHER_KEY, 0,
	    -1, "signature" },
	{ "leads to no anchor", 'b', X5C | STRANGER, 0, -1, "path" },
	{ "a number that the certificate has not", 'x', X5C, 0, -1, "authority" },
	{ "shaken by a number holder", 's', X5C, 0, -1, "authority" },
};

static const struct chain *
known(void *arg, struct span x5u)
{
	assert_ptr_equal(arg, &chain);
	return span_is(x5u, X5U) ? chain : NULL;
}

static void
verifies(void **state)
{
	const struct verify_case *c = *state;
	const struct original_policy policy = {
		.check = (c->flags & CACHED) != 0 ? ORIGINAL_CACHED : ORIGINAL_COMPARE,
		.anchors = (c->flags & NO_ANCHORS) != 0 ? NULL : anchors,
		.without_anchors = (c->flags & CHECK_ONLY) != 0,
		.known = (c->flags & KNOWN) != 0 ? known : NULL,
		.arg = &chain,
		.now_s = PKI_NOW + c->age_s,
		.max_age_s = PASSPORT_DIVERTED_S
	};
	AUTO_BUF text = BUF_INIT(65536);
	AUTO(originals) *o = NULL;
	struct fault f = { 0 };
	size_t verified = 99;
	struct span token;
	enum rc rc;

	put_named(&text, c->token, (c->flags & OTHER_KEY) != 0 ? other_key : leaf_key,
	    (c->flags & X5C) == 0	 ? NULL
	    : (c->flags & STRANGER) != 0 ? stranger
					 : leaf);
	token = buf_view(&text);
	assert_int_equal(originals_read(&token, 1, &o, NULL), RC_OK);
	rc = originals_verify(o, &policy, &verified, &f);
	if (c->verified >= 0) {
		if (rc != RC_OK)
			fail_msg("%s", f.detail);
		assert_int_equal(verified, c->verified);
		return;
	}
	assert_int_equal(rc, RC_DENIED);
	assert_int_equal(verified, 99);
	assert_string_equal(f.reason, "original_invalid");
	if (strstr(f.detail, c->detail) == NULL)
		fail_msg("%s", f.detail);
}

/* ---- as a verification service ---------------------------------------------------------- */

static struct verify_result
verify_with(const char *ppt, const char *claims, const char *spec, bool x5c)
{
	AUTO_BUF token = BUF_INIT(65536), first = BUF_INIT(65536), second = BUF_INIT(65536);
	AUTO(originals) *o = NULL;
	struct verify_input in = { .anchors = anchors, .at_s = PKI_NOW };
	struct verify_result r;
	struct span list[2];

	put_token(&token, ppt, claims, leaf_key, leaf);
	put_named(&first, spec[0], leaf_key, x5c ? leaf : NULL);
	list[0] = buf_view(&first);
	if (spec[1] != '\0')
		put_named(&second, spec[1], leaf_key, leaf);
	list[1] = buf_view(&second);
	assert_int_equal(originals_read(list, strlen(spec), &o, NULL), RC_OK);
	in.token = buf_view(&token);
	in.originals = o;
	assert_int_equal(verify_passport(&in, &r, NULL), RC_OK);
	return r;
}

static struct service_case {
	const char *name, *ppt, *claims, *spec;
	bool x5c, pass, diverted;
	enum verdict verdict;
	const char *detail;
} service_cases[] = {
	/* V-34 */
	{ "rsp", "rsp", "{" A "," TO(B) "," IAT "}", "b", true, true, false, VERDICT_PASS,
	    "1 of 1" },
	{ "rsp after a diversion (D-37)", "rsp", "{" A "," TO(C) "," IAT "}", "bc", true, true,
	    true, VERDICT_PASS, "diverted" },
	{ "rsp, original not verified (RFC 9970 s6)", "rsp", "{" A "," TO(B) "," IAT "}", "b",
	    false, true, false, VERDICT_WARN, "0 of 1" },
	{ "rsp from elsewhere (V-37, V-41)", "rsp", "{" A "," TO(C) "," IAT "}", "b", true,
	    false, false, VERDICT_FAIL, "original_mismatch" },
	{ "div", "div", "{" A "," TO(C) "," IAT "," DIV(B) "}", "b", true, true, false,
	    VERDICT_PASS, "1 of 1" },
	{ "div of another call", "div", "{" A "," TO(D) "," IAT "," DIV(C) "}", "b", true,
	    false, false, VERDICT_FAIL, "original_mismatch" },
	{ "base answers no other", NULL, "{" A "," TO(B) "," IAT "}", "b", true, true, false,
	    VERDICT_SKIPPED, "answers no other" },
};

static void
services(void **state)
{
	const struct service_case *c = *state;
	struct verify_result r = verify_with(c->ppt, c->claims, c->spec, c->x5c);

	if (r.pass != c->pass || strstr(r.step[VERIFY_ORIGINAL].detail, c->detail) == NULL)
		fail_msg("%d %s", r.pass, r.step[VERIFY_ORIGINAL].detail);
	assert_int_equal(r.step[VERIFY_ORIGINAL].verdict, c->verdict);
	assert_int_equal(r.diverted, c->diverted);
	assert_int_equal(r.code, c->pass ? 0 : 438);
	verify_done(&r);
}

/* What is asked of any PASSporT is asked of rsp, too. */
static struct rsp_case {
	const char *name, *dest;
	bool stranger;
	int64_t at_s;
	enum verify_step step;
	const char *detail; /* NULL: it passes */
} rsp_cases[] = {
	{ "rsp by dest (V-38)", B, false, PKI_NOW, VERIFY_AUTHORITY, NULL },
	{ "rsp by another than dest (V-38)", "12025550199", false, PKI_NOW, VERIFY_AUTHORITY,
	    "TNAuthList" },
	{ "rsp, certificate of another CA (V-39)", B, true, PKI_NOW, VERIFY_PATH, "" },
	{ "rsp, certificate of yesterday (V-39)", B, false, PKI_NOW + 2 * 86400, VERIFY_PATH,
	    "" },
	{ "rsp, a minute and a second old (V-37)", B, false, PKI_NOW + 61, VERIFY_FRESHNESS,
	    "" },
};

static void
answers(void **state)
{
	const struct rsp_case *c = *state;
	AUTO_BUF token = BUF_INIT(65536), original = BUF_INIT(65536), claims = BUF_INIT(1000);
	AUTO(originals) *o = NULL;
	struct verify_input in = { .anchors = anchors, .at_s = c->at_s };
	struct verify_result r;
	struct span list;

	buf_printf(&claims, "{" A "," TO("%s") "," IAT "}", c->dest);
	put_token(&token, "rsp", buf_text(&claims), leaf_key, c->stranger ? stranger : leaf);
	put_named(&original, strcmp(c->dest, B) == 0 ? 'b' : 'z', leaf_key, leaf);
	list = buf_view(&original);
	assert_int_equal(originals_read(&list, 1, &o, NULL), RC_OK);
	in.token = buf_view(&token);
	in.originals = o;
	assert_int_equal(verify_passport(&in, &r, NULL), RC_OK);
	assert_int_equal(r.pass, c->detail == NULL);
	assert_int_equal(
	    r.step[c->step].verdict, c->detail == NULL ? VERDICT_PASS : VERDICT_FAIL);
	if (c->detail != NULL && strstr(r.step[c->step].detail, c->detail) == NULL)
		fail_msg("%s", r.step[c->step].detail);
	verify_done(&r);
}

/* ---- published ---------------------------------------------------------------------------- */

static bool
verifies_published(struct span text, EVP_PKEY *key)
{
	struct jws_parts jws;
	enum rc rc;

	assert_int_equal(jws_split(text, &jws, NULL), RC_OK);
	rc = es256_verify(key, jws.signing_input, span_of(jws.sig, ES256_SIG_LEN), NULL);
	jws_done(&jws);
	return rc == RC_OK;
}

/* RFC 8946 sections 3 and 5, the opt of the latter, and appendix A. */
static const char printed_div[] =
    "eyJhbGciOiJFUzI1NiIsInBwdCI6ImRpdiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6"
    "Ly93d3cuZXhhbXBsZS5jb20vY2VydC5jZXIifQ.eyJkZXN0Ijp7InRuIjpbIjEyMTU1NTUxMjE0I"
    "l19LCJkaXYiOnsidG4iOiIxMjE1NTU1NTEyMTMifSwiaWF0IjoxNDQzMjA4MzQ1LCJvcmlnIjp7I"
    "nRuIjoiMTIxNTU1NTEyMTIifX0.xBHWipDEEJ8a6TsdX6xUXAnblsFiGUiAxwLiv0HLC9IICj6eG"
    "9jQd6WzeSSjHRBwxmChHhVIiMTSqIlk3yCNkg";
static const char printed_divo[] =
    "eyJhbGciOiJFUzI1NiIsInBwdCI6ImRpdi1vIiwidHlwIjoicGFzc3BvcnQiLCJ4NXUiOiJodHRw"
    "czovL3d3dy5leGFtcGxlLmNvbS9jZXJ0LmNlciJ9.eyJkZXN0Ijp7InRuIjoiMTIxNTU1NTEyMTQ"
    "ifSwiZGl2Ijp7InRuIjoiMTIxNTU1NTUxMjEzIn0sImlhdCI6MTQ0MzIwODM0NSwib3B0IjoiZXl"
    "KaGJHY2lPaUpGVXpJMU5pSXNJblI1Y0NJNkluQmhjM053YjNKMElpd2llRFYxSWpvaWFIUjBjSE0"
    "2THk5M2QzY3VaWGhoYlhCc1pTNWpiMjB2WTJWeWRDNWpaWElpZlEuZXlKa1pYTjBJanA3SW5SdUl"
    "qcGJJakV5TVRVMU5UVXhNakV6SWwxOUxDSnBZWFFpT2pFME5ETXlNRGd6TkRVc0ltOXlhV2NpT25"
    "zaWRHNGlPaUl4TWpFMU5UVTFNVEl4TWlKOWZRLjFiRXpremNOYkt2Z3o0UW9NeDBfREoyVDhxRk1"
    "EQzFzUHFIUFhsMVd2YmF1elJKUnZZbFpxUTBxZ0dUbFM4dEpfd1hqVmUwN1ozd3ZEcmRBcEhoaFl"
    "3Iiwib3JpZyI6eyJ0biI6IjEyMTU1NTUxMjEyIn19.CHeA9wRnthl7paMe6rP0TARpmFCXjmi_vF"
    "_HRz2O_oulB_R-G9xZNiLVvmvHv4gk6LILaDV2y2VtHTLIEgmHig";
static const char printed_opt[] =
    "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly93d3cuZXhhbXBs"
    "ZS5jb20vY2VydC5jZXIifQ.eyJkZXN0Ijp7InRuIjpbIjEyMTU1NTUxMjEzIl19LCJpYXQiOjE0N"
    "DMyMDgzNDUsIm9yaWciOnsidG4iOiIxMjE1NTU1MTIxMiJ9fQ.1bEzkzcNbKvgz4QoMx0_DJ2T8q"
    "FMDC1sPqHPXl1WvbauzRJRvYlZqQ0qgGTlS8tJ_wXjVe07Z3wvDrdApHhhYw";
static const char printed_key[] =
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmzGM1VsO+3Iq"
    "bMF54rQMaYKQftO4\nhUYm9wv5wutLgEd9FsiTy3+4+Wa2O7pffOXPC0QzO+yD8hGEXGP/2mZo6w"
    "==\n-----END PUBLIC KEY-----\n";

/*
 * RFC 8946: sections 3 and 5 and their nested token verify under the key of
 * appendix A; the div-o's dest.tn is no array, and div.tn has twelve digits, so
 * that it does not continue the nested one: neither is taken.
 * RFC 8946 sA
 */
static void
published_8946(void **state)
{
	AUTO_OSSL(BIO) *bio = BIO_new_mem_buf(printed_key, -1);
	AUTO_OSSL(EVP_PKEY) *key = NULL;
	AUTO(originals) *o = NULL;
	struct fault f = { 0 };
	struct span text[2];

	(void)state;
	key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	assert_non_null(key);
	text[0] = span_str(printed_opt);
	text[1] = span_str(printed_div);
	assert_true(verifies_published(text[0], key) && verifies_published(text[1], key));
	assert_int_equal(originals_read(text, 1, &o, NULL), RC_OK);
	assert_int_equal(originals_len(o), 1);
	originals_free(TAKE(o));
	assert_int_equal(originals_read(text, 2, &o, &f), RC_DENIED);
	assert_string_equal(f.reason, "original_mismatch"); /* 121555551213 */
	f = (struct fault){ 0 };
	text[0] = span_str(printed_divo);
	assert_true(verifies_published(text[0], key));
	assert_int_equal(originals_read(text, 1, &o, &f), RC_DENIED);
	assert_string_equal(f.reason, "original_invalid");
}

static int
make_world(void **state)
{
	AUTO_BUF list = BUF_INIT(64), pem = BUF_INIT(10000), leaf_pem = BUF_INIT(10000);
	struct pki_spec spec = { .cn = "Leaf" };

	(void)state;
	root_key = pki_p256();
	leaf_key = pki_p256();
	other_key = pki_p256();
	root = pki_issue(&(struct pki_spec){ .cn = "Root", .key = root_key, .ca = true });
	pki_pem(&pem, root);
	assert_int_equal(anchors_read_pem(buf_view(&pem), &anchors, NULL), RC_OK);
	/* 12025550100 to …103: a range of four */
	buf_put(&list,
	    "\x30\x14\xa1\x12\x30\x10\x16\x0b"
	    "12025550100"
	    "\x02\x01\x04",
	    22);
	spec.key = leaf_key;
	spec.issuer = root;
	spec.issuer_key = root_key;
	spec.tnauth = buf_view(&list);
	leaf = pki_issue(&spec);
	spec.issuer_key = other_key;
	stranger = pki_issue(&spec);
	pki_pem(&leaf_pem, leaf);
	assert_int_equal(chain_read_pem(buf_view(&leaf_pem), false, &chain, NULL), RC_OK);
	return 0;
}

static int
drop_world(void **state)
{
	(void)state;
	EVP_PKEY_free(root_key);
	EVP_PKEY_free(leaf_key);
	EVP_PKEY_free(other_key);
	X509_free(root);
	X509_free(leaf);
	X509_free(stranger);
	anchors_free(anchors);
	chain_free(chain);
	return 0;
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(read_cases) + ARRAY_LEN(match_cases) +
				       ARRAY_LEN(verify_cases) + ARRAY_LEN(service_cases) +
				       ARRAY_LEN(rsp_cases) + 3];
	size_t n = 0;

	ROWS(tests, n, read_cases, reads);
	ROWS(tests, n, match_cases, matches);
	ROWS(tests, n, verify_cases, verifies);
	ROWS(tests, n, service_cases, services);
	ROWS(tests, n, rsp_cases, answers);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(bounded);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(mutations);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(published_8946);
	return cmocka_run_group_tests(tests, make_world, drop_world);
}
