/* passport: a caller's claims made canonical, and the bytes that are signed */
#include "stir/passport.h"

#include "tests/unit/mutate.h"
#include "tests/unit/spec.h"

enum { NOW = 1471375418 };

#define SHAKEN "'attest':'A','origid':'123E4567-e89b-12d3-a456-426655440000'"
#define BASE   "'orig':{'tn':'12155551212'},'dest':{'tn':['12125550111']}"

static const char *const extra[] = { "rcd", "iat", "na\xc3\xafve" };

static enum rc
prepare(const json_t *claims, enum ppt ppt, struct passport *p, struct fault *f)
{
	struct passport_policy policy = {
		.now_s = NOW,
		.iat_past_s = 60,
		.iat_future_s = 5,
		.iat_diverted_s = PASSPORT_DIVERTED_S,
		.extra_claims = extra,
		.extra = ARRAY_LEN(extra),
	};

	return passport_prepare(claims, ppt, &policy, p, f);
}

static struct good_case {
	const char *name, *in;
	enum ppt ppt;
	const char *out;
	size_t dests;
} good_cases[] = {
	{ "msg, digest of 64 octets",
	    "{" BASE ",'msgi':'sha512-NdZV4ce6hBn+sFEN/"
	    "8lTw26HtcNd5qfQMhGJeg1ONSUVYmJftx+6KerRRTvyhl0A/2aPD5gDGDZ7IwP4HDp6Jg'}",
	    PPT_MSG,
	    "{'dest':{'tn':['12125550111']},'iat':1471375418,'msgi':'sha512-NdZV4ce6hBn+sFEN/"
	    "8lTw26HtcNd5qfQMhGJeg1ONSUVYmJftx+6KerRRTvyhl0A/"
	    "2aPD5gDGDZ7IwP4HDp6Jg','orig':{'tn':'12155551212'}}",
	    1 },
	{ "base, iat absent (RFC 8224 s4.1, V-22)", "{" BASE "}", PPT_BASE,
	    "{'dest':{'tn':['12125550111']},'iat':1471375418,'orig':{'tn':'12155551212'}}", 1 },
	{ "numbers canonical (RFC 8224 s4.1, RFC 8225 s5.2.1.1)",
	    "{'orig':{'tn':'+1 (215) 555-1212'},'dest':{'tn':['+1.212.5550111']}}", PPT_BASE,
	    "{'dest':{'tn':['12125550111']},'iat':1471375418,'orig':{'tn':'12155551212'}}", 1 },
	{ "destinations sorted (RFC 8225 s9)",
	    "{'orig':{'tn':'1'},'dest':{'tn':['3','+20','*1','100']}}", PPT_BASE,
	    "{'dest':{'tn':['*1','100','20','3']},'iat':1471375418,'orig':{'tn':'1'}}", 4 },
	/* RFC 8225 appendix A */
	{ "published",
	    "{'orig':{'tn':'12155551212'},'iat':1471375418,"
	    "'dest':{'uri':['sip:alice@example.com']}}",
	    PPT_BASE,
	    "{'dest':{'uri':['sip:alice@example.com']},'iat':1471375418,"
	    "'orig':{'tn':'12155551212'}}",
	    0 },
	{ "dest.uri in normal form (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:a%20b;x=1@[::1]','sips:a%2Fb@c-d.e','tel:+"
	    "1;ext=A','urn:service:SOS']}}",
	    PPT_BASE,
	    "{'dest':{'uri':['sip:a%20b;x=1@[::1]','sips:a%2Fb@c-d.e','tel:+1;ext=A','urn:"
	    "service:SOS']},'iat':1471375418,'orig':{'tn':'1'}}",
	    0 },
	{ "both kinds of destination (RFC 8225 s5.2.1.2)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:b@c','sip:a@c'],'tn':['2']}}", PPT_BASE,
	    "{'dest':{'tn':['2'],'uri':['sip:a@c','sip:b@c']},'iat':1471375418,"
	    "'orig':{'tn':'1'}}",
	    1 },
	{ "shaken, spelling of origid kept (RFC 8588 s8, D-48)", "{" BASE "," SHAKEN "}",
	    PPT_SHAKEN,
	    "{'attest':'A','dest':{'tn':['12125550111']},'iat':1471375418,"
	    "'orig':{'tn':'12155551212'},'origid':'123E4567-e89b-12d3-a456-426655440000'}",
	    1 },
	{ "an extra claim", "{" BASE ",'rcd':{'nam':'ACME','apn':'1'}}", PPT_BASE,
	    "{'dest':{'tn':['12125550111']},'iat':1471375418,'orig':{'tn':'12155551212'},"
	    "'rcd':{'apn':'1','nam':'ACME'}}",
	    1 },
	{ "oldest iat", "{" BASE ",'iat':1471375358}", PPT_BASE,
	    "{'dest':{'tn':['12125550111']},'iat':1471375358,'orig':{'tn':'12155551212'}}", 1 },
	{ "latest iat", "{" BASE ",'iat':1471375423}", PPT_BASE,
	    "{'dest':{'tn':['12125550111']},'iat':1471375423,'orig':{'tn':'12155551212'}}", 1 },
	{ "sixteen destinations",
	    "{'orig':{'tn':'1'},'dest':{'tn':['0','1','2','3','4','5','6','7','8','9','10','11'"
	    ","
	    "'12','13','14','15']}}",
	    PPT_BASE,
	    "{'dest':{'tn':['0','1','10','11','12','13','14','15','2','3','4','5','6','7','8',"
	    "'9']},'iat':1471375418,'orig':{'tn':'1'}}",
	    16 },
};

static void
good(void **state)
{
	const struct good_case *c = *state;
	json_auto_t *claims = json_of(c->in), *copy = json_deep_copy(claims),
		    *want = json_of(c->out);
	struct passport p = { 0 };
	AUTO_BUF got = BUF_INIT(4096), text = BUF_INIT(4096);

	assert_int_equal(prepare(claims, c->ppt, &p, NULL), RC_OK);
	assert_int_equal(jtext_write(&got, p.claims, NULL), RC_OK);
	assert_int_equal(jtext_write(&text, want, NULL), RC_OK);
	assert_string_equal(buf_text(&got), buf_text(&text));
	assert_int_equal(p.dests, c->dests);
	assert_int_equal(p.iat_s, json_integer_value(json_object_get(p.claims, "iat")));
	assert_true(json_equal(claims, copy)); /* not changed */
	passport_done(&p);
	assert_null(p.claims);
	assert_true(json_equal(claims, copy));
}

static struct bad_case {
	const char *name, *in;
	enum ppt ppt;
	const char *reason, *claim;
} bad_cases[] = {
	{ "not an object", "[]", PPT_BASE, "invalid_claim", "claims" },
	{ "no orig (RFC 8224 s4.1)", "{'dest':{'tn':['1']}}", PPT_BASE, "missing_claim",
	    "orig" },
	{ "no dest (RFC 8224 s4.1)", "{'orig':{'tn':'1'}}", PPT_BASE, "missing_claim", "dest" },
	{ "unknown claim (D-51)", "{" BASE ",'foo':1}", PPT_BASE, "unknown_claim", "foo" },
	{ "extra claim that is not ASCII (RFC 8225 s5)", "{" BASE ",'na\xc3\xafve':1}",
	    PPT_BASE, "invalid_claim", "na\xc3\xafve" },
	{ "attest in base", "{" BASE ",'attest':'A'}", PPT_BASE, "unknown_claim", "attest" },
	{ "ppt is no claim", "{" BASE ",'ppt':'shaken'}", PPT_BASE, "unknown_claim", "ppt" },
	{ "x5u is no claim", "{" BASE ",'x5u':'https://a/b'}", PPT_BASE, "unknown_claim",
	    "x5u" },
	{ "orig a string", "{'orig':'1','dest':{'tn':['1']}}", PPT_BASE, "invalid_claim",
	    "orig" },
	{ "orig empty", "{'orig':{},'dest':{'tn':['1']}}", PPT_BASE, "invalid_claim", "orig" },
	{ "orig.tn an array", "{'orig':{'tn':['1']},'dest':{'tn':['1']}}", PPT_BASE,
	    "invalid_claim", "orig" },
	{ "orig.tn an integer", "{'orig':{'tn':12155551212},'dest':{'tn':['1']}}", PPT_BASE,
	    "invalid_claim", "orig" },
	{ "orig.uri (D-26)", "{'orig':{'uri':'sip:a@b'},'dest':{'tn':['1']}}", PPT_BASE,
	    "invalid_claim", "orig" },
	{ "orig.tn and orig.uri", "{'orig':{'tn':'1','uri':'sip:a@b'},'dest':{'tn':['1']}}",
	    PPT_BASE, "invalid_claim", "orig" },
	{ "orig with another member", "{'orig':{'tn':'1','x':1},'dest':{'tn':['1']}}", PPT_BASE,
	    "invalid_claim", "orig" },
	{ "orig.tn no number (RFC 8225 s5.2.1.1)",
	    "{'orig':{'tn':'alice'},'dest':{'tn':['1']}}", PPT_BASE, "invalid_tn", "orig" },
	{ "orig.tn empty", "{'orig':{'tn':''},'dest':{'tn':['1']}}", PPT_BASE, "invalid_tn",
	    "orig" },
	{ "stringified orig", "{'orig':'{}','dest':{'tn':['1']}}", PPT_BASE, "invalid_claim",
	    "orig" },
	{ "dest a string", "{'orig':{'tn':'1'},'dest':'1'}", PPT_BASE, "invalid_claim",
	    "dest" },
	{ "dest an array", "{'orig':{'tn':'1'},'dest':[{'tn':['1']}]}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest empty", "{'orig':{'tn':'1'},'dest':{}}", PPT_BASE, "invalid_claim", "dest" },
	{ "dest.tn a string", "{'orig':{'tn':'1'},'dest':{'tn':'1'}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.tn empty", "{'orig':{'tn':'1'},'dest':{'tn':[]}}", PPT_BASE, "invalid_claim",
	    "dest" },
	{ "dest.tn of integers", "{'orig':{'tn':'1'},'dest':{'tn':[1]}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.tn no number", "{'orig':{'tn':'1'},'dest':{'tn':['1','bob']}}", PPT_BASE,
	    "invalid_tn", "dest" },
	{ "one destination in two spellings", "{'orig':{'tn':'1'},'dest':{'tn':['12','+1-2']}}",
	    PPT_BASE, "invalid_claim", "dest" },
	{ "seventeen destinations",
	    "{'orig':{'tn':'1'},'dest':{'tn':['0','1','2','3','4','5','6','7','8','9','10','11'"
	    ","
	    "'12','13','14','15','16']}}",
	    PPT_BASE, "invalid_claim", "dest" },
	{ "seventeen of both kinds",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:a@b'],'tn':['0','1','2','3','4','5','6','7'"
	    ","
	    "'8','9','10','11','12','13','14','15']}}",
	    PPT_BASE, "invalid_claim", "dest" },
	{ "dest with another member", "{'orig':{'tn':'1'},'dest':{'tn':['1'],'x':1}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.uri a string", "{'orig':{'tn':'1'},'dest':{'uri':'sip:a@b'}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.uri no URI (RFC 8225 s5.2.1.2)", "{'orig':{'tn':'1'},'dest':{'uri':['alice']}}",
	    PPT_BASE, "invalid_claim", "dest" },
	{ "dest.uri with a blank", "{'orig':{'tn':'1'},'dest':{'uri':['sip:a b@c']}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.uri in angle brackets", "{'orig':{'tn':'1'},'dest':{'uri':['<sip:a@b>']}}",
	    PPT_BASE, "invalid_claim", "dest" },
	{ "dest.uri in capitals (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:Alice@example.com']}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.uri host in capitals (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:alice@Example.com']}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.uri scheme in capitals (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['SIP:alice@example.com']}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.uri with a password (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:alice:secret@example.com']}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.uri with a port (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:alice@example.com:5060']}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.uri with a parameter (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:alice@example.com;user=phone']}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.uri with a header (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:alice@example.com?subject=x']}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.uri without a user (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:example.com']}}", PPT_BASE, "invalid_claim",
	    "dest" },
	{ "dest.uri with an empty user (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:@example.com']}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.uri without a host (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:alice@']}}", PPT_BASE, "invalid_claim",
	    "dest" },
	{ "dest.uri with two hosts (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:alice@example.com@b']}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.uri escaped for nothing (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:%61lice@example.com']}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.uri with half an escape (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:alice%2@example.com']}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.uri with an escape of letters (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sips:alice%zz@example.com']}}", PPT_BASE,
	    "invalid_claim", "dest" },
	{ "dest.uri IPv6 not closed (RFC 8224 s8.5)",
	    "{'orig':{'tn':'1'},'dest':{'uri':['sip:alice@[::1']}}", PPT_BASE, "invalid_claim",
	    "dest" },
	{ "dest.uri twice", "{'orig':{'tn':'1'},'dest':{'uri':['sip:a@b','sip:a@b']}}",
	    PPT_BASE, "invalid_claim", "dest" },
	{ "iat a string", "{" BASE ",'iat':'1471375418'}", PPT_BASE, "invalid_claim", "iat" },
	{ "iat null", "{" BASE ",'iat':null}", PPT_BASE, "invalid_claim", "iat" },
	{ "iat true", "{" BASE ",'iat':true}", PPT_BASE, "invalid_claim", "iat" },
	{ "iat too old", "{" BASE ",'iat':1471375357}", PPT_BASE, "stale_iat", "iat" },
	{ "iat too far ahead (D-21)", "{" BASE ",'iat':1471375424}", PPT_BASE, "stale_iat",
	    "iat" },
	{ "iat zero", "{" BASE ",'iat':0}", PPT_BASE, "stale_iat", "iat" },
	{ "iat negative", "{" BASE ",'iat':-9007199254740991}", PPT_BASE, "stale_iat", "iat" },
	{ "iat in milliseconds", "{" BASE ",'iat':1471375418000}", PPT_BASE, "stale_iat",
	    "iat" },
	{ "shaken without attest", "{" BASE ",'origid':'123e4567-e89b-12d3-a456-426655440000'}",
	    PPT_SHAKEN, "missing_claim", "attest" },
	{ "shaken without origid", "{" BASE ",'attest':'A'}", PPT_SHAKEN, "missing_claim",
	    "origid" },
	{ "shaken, attest D",
	    "{" BASE ",'origid':'123e4567-e89b-12d3-a456-426655440000',"
	    "'attest':'D'}",
	    PPT_SHAKEN, "invalid_claim", "attest" },
	{ "shaken, origid no UUID", "{" BASE ",'attest':'A','origid':'1'}", PPT_SHAKEN,
	    "invalid_claim", "origid" },
	{ "div, nothing diverted", "{'orig':{'tn':'1'},'dest':{'tn':['+2']},'div':{'tn':'2'}}",
	    PPT_DIV, "invalid_claim", "dest" },
	{ "div-o, opt of letters",
	    "{'orig':{'tn':'1'},'dest':{'tn':['3']},'div':{'tn':'2'},"
	    "'opt':'a.b.c'}",
	    PPT_DIV_O, "invalid_claim", "opt" },
	{ "shaken with div", "{" BASE "," SHAKEN ",'div':{'tn':'1'}}", PPT_SHAKEN,
	    "unknown_claim", "div" },
};

static void
bad(void **state)
{
	const struct bad_case *c = *state;
	json_auto_t *claims = json_of(c->in);
	struct passport p = { 0 };
	struct fault f = { 0 };

	assert_int_equal(prepare(claims, c->ppt, &p, &f), RC_INVALID);
	assert_string_equal(f.reason, c->reason);
	assert_string_equal(f.claim, c->claim);
	assert_null(p.claims);
	assert_null(strstr(f.detail, "2155551212"));
}

/* What jansson can hold but no PASSporT. */
static void
an_extra_claim_needs_a_text(void **state)
{
	json_auto_t *claims = json_of("{" BASE "}");
	struct passport p = { 0 };
	struct fault f = { 0 };

	(void)state;
	json_object_set_new(claims, "rcd", json_pack("[f]", 1.5));
	assert_int_equal(prepare(claims, PPT_BASE, &p, &f), RC_INVALID);
	assert_string_equal(f.reason, "invalid_claim");
	assert_string_equal(f.claim, "rcd");
}

/* ---- header and signing input ----------------------------------------------------------- */

static struct header_case {
	const char *name;
	enum ppt ppt;
	const char *x5u;
	size_t certs;
	const char *out; /* NULL: refused */
} header_cases[] = {
	/* RFC 8225 appendix A */
	{ "published header (RFC 8224 s4.1, RFC 8225 s4, s4.1, s4.2, s4.3)", PPT_BASE,
	    "https://cert.example.org/passport.cer", 0,
	    "{\"alg\":\"ES256\",\"typ\":\"passport\","
	    "\"x5u\":\"https://cert.example.org/passport.cer\"}" },
	/* RFC 8588 section 6 */
	{ "shaken", PPT_SHAKEN, "https://cert.example.org/passport.cer", 0,
	    "{\"alg\":\"ES256\",\"ppt\":\"shaken\",\"typ\":\"passport\","
	    "\"x5u\":\"https://cert.example.org/passport.cer\"}" },
	{ "a message is no call (RFC 9475 s7)", PPT_MSG, "https://a.b/c", 0,
	    "{\"alg\":\"ES256\",\"ppt\":\"msg\",\"typ\":\"passport\","
	    "\"x5u\":\"https://a.b/c\"}" },
	{ "published header of rsp (RFC 9970 s9)", PPT_RSP, "https://www.example.com/cert.pem",
	    0,
	    "{\"alg\":\"ES256\",\"ppt\":\"rsp\",\"typ\":\"passport\","
	    "\"x5u\":\"https://www.example.com/cert.pem\"}" },
	{ "x5c only (V-02)", PPT_BASE, NULL, 2,
	    "{\"alg\":\"ES256\",\"typ\":\"passport\",\"x5c\":[\"+/8=\",\"MA==\"]}" },
	{ "both (V-04)", PPT_BASE, "https://a.b/c", 1,
	    "{\"alg\":\"ES256\",\"typ\":\"passport\",\"x5c\":[\"+/8=\"],"
	    "\"x5u\":\"https://a.b/c\"}" },
	{ "rsp, both (V-34)", PPT_RSP, "https://a.b/c", 1,
	    "{\"alg\":\"ES256\",\"ppt\":\"rsp\",\"typ\":\"passport\",\"x5c\":[\"+/8=\"],"
	    "\"x5u\":\"https://a.b/c\"}" },
	{ "neither (RFC 8225 s4)", PPT_BASE, NULL, 0, NULL },
	{ "x5u with a quote", PPT_BASE, "https://a.b/\"c", 0, NULL },
	{ "x5u with a backslash", PPT_BASE, "https://a.b/\\c", 0, NULL },
	{ "x5u with a blank", PPT_BASE, "https://a.b/ c", 0, NULL },
	{ "x5u without a scheme", PPT_BASE, "a.b/c", 0, NULL },
	{ "x5u empty", PPT_BASE, "", 0, NULL },
	{ "an empty certificate", PPT_BASE, NULL, 3, NULL },
};

static void
header(void **state)
{
	const struct header_case *c = *state;
	const struct span certs[] = { span_of("\xfb\xff", 2), span_of("0", 1), span_of("", 0) };
	AUTO_BUF out = BUF_INIT(1024);
	struct fault f = { 0 };
	enum rc rc = passport_header(&out, c->ppt, c->x5u, certs, c->certs, &f);

	if (c->out == NULL) {
		assert_int_equal(rc, RC_INVALID);
		assert_string_equal(f.reason, "passport_header");
		return;
	}
	assert_int_equal(rc, RC_OK);
	assert_string_equal(buf_text(&out), c->out);
}

/* What a switched-on orig.uri may be, and its claim where it may not. */
static struct uri_case {
	const char *name, *uri;
	enum ppt ppt;
	bool good;
} uri_cases[] = {
	{ "D-26 sip", "sip:alice@example.com", PPT_BASE, true },
	{ "D-26 sips", "sips:alice@example.com", PPT_MSG, true },
	{ "D-26 digits among letters", "sip:a2025550100@example.com", PPT_BASE, true },
	{ "D-26 shaken speaks of numbers", "sip:alice@example.com", PPT_SHAKEN, false },
	{ "D-26 tel", "tel:+12025550100", PPT_BASE, false },
	{ "D-26 mailto", "mailto:alice@example.com", PPT_BASE, false },
	{ "D-26 another scheme", "https://alice@example.com", PPT_BASE, false },
	{ "D-26 a number (RFC 8224 s8.1)", "sip:12025550100@example.com", PPT_BASE, false },
	{ "D-26 a number with a plus", "sip:+12025550100@example.com", PPT_BASE, false },
	{ "D-26 a plus and letters", "sip:+1800flowers@example.com", PPT_BASE, false },
	{ "D-26 a number, plus escaped", "sip:%2b12025550100@example.com", PPT_BASE, false },
	{ "D-26 a number with separators", "sip:202-555-0100@example.com", PPT_BASE, false },
	{ "D-26 a number with parameters", "sip:2025550100;ext=5@example.com", PPT_BASE,
	    false },
	{ "D-26 a code of the dial pad", "sip:*67@example.com", PPT_BASE, false },
	{ "D-26 a code, escaped", "sip:%2367@example.com", PPT_BASE, false },
	{ "D-26 upper case", "sip:Alice@example.com", PPT_BASE, false },
	{ "D-26 upper case in the host", "sip:alice@Example.com", PPT_BASE, false },
	{ "D-26 no user", "sip:example.com", PPT_BASE, false },
	{ "D-26 a port", "sip:alice@example.com:5060", PPT_BASE, false },
	{ "D-26 parameters", "sip:alice@example.com;user=phone", PPT_BASE, false },
	{ "D-26 two hosts", "sip:alice@example.com@b.example", PPT_BASE, false },
};

static void
origin_uri(void **state)
{
	const struct uri_case *c = *state;
	const struct passport_policy policy = {
		.now_s = NOW, .iat_past_s = 60, .iat_future_s = 5, .orig_uri = true
	};
	json_auto_t *claims =
	    json_pack("{s:{s:s}, s:{s:[s]}}", "orig", "uri", c->uri, "dest", "tn", "1");
	__attribute__((cleanup(passport_done))) struct passport p = { 0 };
	struct fault f = { 0 };
	enum rc rc;

	if (c->ppt == PPT_SHAKEN) {
		json_object_set_new(claims, "attest", json_string("A"));
		json_object_set_new(
		    claims, "origid", json_string("123e4567-e89b-12d3-a456-426655440000"));
	}
	rc = passport_prepare(claims, c->ppt, &policy, &p, &f);
	if (!c->good) {
		assert_int_equal(rc, RC_INVALID);
		assert_string_equal(f.reason, "invalid_claim");
		assert_string_equal(f.claim, "orig");
		return;
	}
	assert_int_equal(rc, RC_OK);
	assert_int_equal(p.orig.len, 0);
	assert_string_equal(p.orig_uri, c->uri);
	assert_ptr_equal(p.orig_uri,
	    json_string_value(json_object_get(json_object_get(p.claims, "orig"), "uri")));
}

/* RFC 8225 appendix A: both parts as printed there (RFC 8225 s6). */
static void
published_signing_input(void **state)
{
	json_auto_t *claims = json_of("{'dest':{'uri':['sip:alice@example.com']},"
				      "'iat':1471375418,'orig':{'tn':'12155551212'}}");
	AUTO_BUF head = BUF_INIT(1024), out = BUF_INIT(1024);

	(void)state;
	assert_int_equal(passport_header(&head, PPT_BASE,
			     "https://cert.example.org/passport.cer", NULL, 0, NULL),
	    RC_OK);
	assert_int_equal(passport_signing_input(&out, buf_view(&head), claims, NULL), RC_OK);
	assert_string_equal(buf_text(&out),
	    "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9j"
	    "ZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9"
	    "."
	    "eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6"
	    "MTQ3MTM3NTQxOCwib3JpZyI6eyJ0biI6IjEyMTU1NTUxMjEyIn19");
}

static void
too_large_a_buffer_is_refused(void **state)
{
	json_auto_t *claims = json_of("{'a':'0123456789'}");
	AUTO_BUF out = BUF_INIT(16);
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(passport_signing_input(&out, span_str("{}"), claims, &f), RC_INVALID);
	assert_string_equal(f.reason, "too_large");
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(good_cases) + ARRAY_LEN(bad_cases) +
				ARRAY_LEN(header_cases) + ARRAY_LEN(uri_cases) + 3];
	size_t n = 0;

	ROWS(tests, n, good_cases, good);
	ROWS(tests, n, bad_cases, bad);
	ROWS(tests, n, header_cases, header);
	ROWS(tests, n, uri_cases, origin_uri);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(an_extra_claim_needs_a_text);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(published_signing_input);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(too_large_a_buffer_is_refused);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
