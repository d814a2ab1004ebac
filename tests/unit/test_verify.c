/* verify: a verdict for each step of the verification service */
#include "stir/verify.h"
#include "tests/unit/cm.h"
#include "tests/unit/pki.h"
#include "tests/unit/rows.h"

#define CALLER "12025550100"
#define CALLEE "12125550111"
#define IAT    "1800000000"
#define ORIGID "\"origid\":\"123e4567-e89b-12d3-a456-426655440000\""
#define BASE \
	"{\"dest\":{\"tn\":[\"" CALLEE "\"]},\"iat\":" IAT ",\"orig\":{\"tn\":\"" CALLER "\"}" \
	"}"
#define SHAKEN \
	"{\"attest\":\"A\",\"dest\":{\"tn\":[\"" CALLEE "\"]},\"iat\":" IAT \
	",\"orig\":{\"tn\":\"" CALLER "\"}," ORIGID "}"
#define X5U "https://cert.example/a.pem"

static struct {
	EVP_PKEY *root_key, *leaf_key, *other_key, *log_key;
	X509 *root;
	struct anchors *anchors, *other_anchors;
	struct ctlogs *logs;
} w;

static struct anchors *
read_anchors(X509 *x)
{
	AUTO_BUF pem = BUF_INIT(10000);
	struct anchors *a = NULL;

	pki_pem(&pem, x);
	assert_int_equal(anchors_read_pem(buf_view(&pem), &a, NULL), RC_OK);
	return a;
}

static int
make_world(void **state)
{
	AUTO_BUF json = BUF_INIT(10000);
	AUTO_OSSL(X509) *other = NULL;

	(void)state;
	w.root_key = pki_p256();
	w.leaf_key = pki_p256();
	w.other_key = pki_p256();
	w.log_key = pki_p256();
	w.root = pki_issue(&(struct pki_spec){ .cn = "Root", .key = w.root_key, .ca = true });
	other = pki_issue(&(struct pki_spec){ .cn = "Root", .key = w.other_key, .ca = true });
	w.anchors = read_anchors(w.root);
	w.other_anchors = read_anchors(other);
	buf_str(&json, "{\"operators\":[{\"logs\":[{\"state\":\"usable\",\"key\":\"");
	pki_spki(&json, w.log_key);
	buf_str(&json, "\"}]}]}");
	assert_int_equal(ctlogs_read(buf_view(&json), &w.logs, NULL), RC_OK);
	return 0;
}

static int
drop_world(void **state)
{
	(void)state;
	EVP_PKEY_free(w.root_key);
	EVP_PKEY_free(w.leaf_key);
	EVP_PKEY_free(w.other_key);
	EVP_PKEY_free(w.log_key);
	X509_free(w.root);
	anchors_free(w.anchors);
	anchors_free(w.other_anchors);
	ctlogs_free(w.logs);
	return 0;
}

/* mustInclude {rcd}; mustExclude {iat} */
static const uint8_t must_rcd[] = { 0x30, 0x09, 0xa0, 0x07, 0x30, 0x05, 0x16, 0x03, 'r', 'c',
	'd' };
static const uint8_t no_iat[] = { 0x30, 0x09, 0xa2, 0x07, 0x30, 0x05, 0x16, 0x03, 'i', 'a',
	't' };

enum {
	NO_X5C = 1,
	SUPPLIED = 2,
	NO_ANCHORS = 4,
	OTHER_ANCHORS = 8,
	OTHER_KEY = 16,
	WITH_SCT = 32,
	NO_LOGS = 64,
	SPC = 128,
	MUST_RCD = 256,
	NO_IAT = 512,
	BOTH = 1024,
	FUTURE_SCT = 2048,
	NO_TNAUTH = 4096,
	NAMES_5678 = 8192, /* a code beside the number */
	OSP = 16384,	   /* 5678 originated */
	OTHER_OSP = 32768,
	BY_REFERENCE = 65536, /* the list is elsewhere */
	FETCHED = 131072,
	OTHER_TYP = 262144,
	OTHER_ALG = 524288,
	NO_ALG = 1048576,
	NAMED = 2097152 /* a dNSName */
};

#define URI_AT(host) \
	"{\"dest\":{\"tn\":[\"" CALLEE "\"]},\"iat\":" IAT ",\"orig\":{\"uri\":\"sip:a@" host \
	"\"}}"

static struct verify_case {
	const char *name;
	unsigned flags;
	const char *payload, *extra_header,
	    *parameters; /* NULL: BASE, "", the PASSporT alone */
	const char *from, *to;
	int64_t at_s;
	bool pass;
	int code;
	enum verify_step step; /* whose verdict is asserted */
	enum verdict verdict;
	const char *detail; /* a part of it */
} cases[] = {
	/* clang-format off */
	{ "bare PASSporT (V-06)", WITH_SCT, NULL, "", NULL, NULL, NULL, 0, true, 0,
	    VERIFY_SIGNATURE, VERDICT_PASS, "leaf" },
	{ "Identity value (V-26)",
	    WITH_SCT, NULL, ",\"x5u\":\"" X5U "\"", ";info=<" X5U ">;alg=ES256", CALLER,
	    CALLEE, 0, true, 0, VERIFY_INFO, VERDICT_PASS, "info is x5u" },
	{ "shaken by a provider", SPC, SHAKEN, ",\"ppt\":\"shaken\",\"x5u\":\"" X5U "\"",
	    ";info=<" X5U ">;alg=ES256;ppt=\"shaken\"", NULL, NULL, 0, true, 0,
	    VERIFY_AUTHORITY, VERDICT_PASS, "provider 1234" },
	{ "chain supplied (V-08)",
	    WITH_SCT | NO_X5C | SUPPLIED, NULL, "", NULL, NULL, NULL, 0, true, 0,
	    VERIFY_CONVEYANCE, VERDICT_PASS, "supplied" },
	{ "x5c, and a chain supplied for the x5u (V-06, V-07, V-10)",
	    WITH_SCT | SUPPLIED, NULL, ",\"x5u\":\"" X5U "\"", "", NULL, NULL, 0, true, 0,
	    VERIFY_CONVEYANCE, VERDICT_PASS, "in x5c" },
	{ "a minute before notBefore (D-44)", WITH_SCT,
	    "{\"dest\":{\"tn\":[\"" CALLEE "\"]},\"iat\":1799996360,\"orig\":{\"tn\":\"" CALLER "\"}}",
	    "", NULL, NULL, NULL, PKI_NOW - 3660, false, 437, VERIFY_SCT, VERDICT_FAIL,
	    "sct_future" },
	{ "without logs", NO_LOGS, NULL, "", NULL, NULL, NULL, 0, true, 0,
	    VERIFY_SCT, VERDICT_SKIPPED, "logs" },
	{ "unknown claims are ignored", WITH_SCT,
	    "{\"dest\":{\"tn\":[\"" CALLEE "\"]},\"iat\":" IAT ",\"new\":[1],\"orig\":{\"tn\":\"" CALLER "\"}}",
	    "", NULL, NULL, NULL, 0, true, 0, VERIFY_CLAIMS, VERDICT_PASS, "complete" },
	{ "other order of members", WITH_SCT,
	    "{\"orig\":{\"tn\":\"" CALLER "\"},\"dest\":{\"tn\":[\"" CALLEE "\"]},\"iat\":" IAT "}",
	    "", NULL, NULL, NULL, 0, true, 0, VERIFY_CLAIMS, VERDICT_WARN, "not in the form" },
	{ "base claim forbidden (RFC 9118 s3)",
	    WITH_SCT | NO_IAT, NULL, "", NULL, NULL, NULL, 0, true, 0,
	    VERIFY_CONSTRAINTS, VERDICT_WARN, "ignored" },
	{ "59 seconds old", WITH_SCT, NULL, "", NULL, NULL, NULL, PKI_NOW + 60, true, 0,
	    VERIFY_FRESHNESS, VERDICT_PASS, "60 s old" },

	{ "orig a URI of the dNSName (D-26)", NAMED | WITH_SCT, URI_AT("b.example"), "", NULL, NULL, NULL, 0, true,
	    0, VERIFY_AUTHORITY, VERDICT_PASS, "b.example" },
	{ "orig a URI of another host (D-26)", NAMED | WITH_SCT, URI_AT("c.example"), "", NULL, NULL, NULL, 0, false,
	    437, VERIFY_AUTHORITY, VERDICT_FAIL, "dNSName" },
	{ "orig a URI, no dNSName (D-26)", WITH_SCT, URI_AT("b.example"), "", NULL, NULL, NULL, 0, false,
	    437, VERIFY_AUTHORITY, VERDICT_FAIL, "dNSName" },
	{ "orig a URI, a number in signalling (RFC 8224 s6.2)", NAMED | WITH_SCT, URI_AT("b.example"), "", NULL, CALLER,
	    NULL, 0, false, 438, VERIFY_SIGNALLING, VERDICT_FAIL, "orig_mismatch" },
	{ "not a token (RFC 8224 s4)", 0, "x", NULL, "garbage", NULL, NULL, 0, false, 438,
	    VERIFY_PARSE, VERDICT_FAIL, "jws_syntax" },
	{ "later steps are skipped", 0, "x", NULL, "garbage", NULL, NULL, 0, false, 438,
	    VERIFY_PATH, VERDICT_SKIPPED, "cannot be read" },
	{ "compact form (RFC 8225 s7, D-20)",
	    0, "x", NULL, "..abcd;info=<" X5U ">", NULL, NULL, 0, false, 438,
	    VERIFY_PARSE, VERDICT_FAIL, "compact_form" },
	{ "payload no JSON", WITH_SCT, "x", "", NULL, NULL, NULL, 0, false, 438,
	    VERIFY_PARSE, VERDICT_FAIL, "malformed_json" },
	{ "unknown header member (RFC 8225 s4, V-85)",
	    WITH_SCT, NULL, ",\"kid\":\"1\"", NULL, NULL, NULL, 0, false, 438,
	    VERIFY_PARSE, VERDICT_FAIL, "kid" },
	/* RFC 8225 s4 */
	{ "crit", WITH_SCT, NULL, ",\"crit\":[]", NULL, NULL, NULL, 0, false, 438,
	    VERIFY_PARSE, VERDICT_FAIL, "crit" },
	{ "another typ (RFC 8225 s4)",
	    WITH_SCT | OTHER_TYP, NULL, "", NULL, NULL, NULL, 0, false,
	    438, VERIFY_PARSE, VERDICT_FAIL, "typ is not passport" },
	{ "another alg (RFC 8225 s4.2)",
	    WITH_SCT | OTHER_ALG, NULL, "", NULL, NULL, NULL, 0, false,
	    438, VERIFY_PARSE, VERDICT_FAIL, "alg is not ES256" },
	{ "alg none (RFC 8225 s4.2)", WITH_SCT | NO_ALG, NULL, "", NULL, NULL, NULL, 0, false,
	    438, VERIFY_PARSE, VERDICT_FAIL, "alg is not ES256" },
	{ "unknown ppt (RFC 8224 s6.2, RFC 8225 s8.1)",
	    WITH_SCT, NULL, ",\"ppt\":\"foo\"", NULL, NULL, NULL, 0, false, 428,
	    VERIFY_PARSE, VERDICT_FAIL, "unsupported_ppt" },
	{ "iat is text", WITH_SCT,
	    "{\"dest\":{\"tn\":[\"" CALLEE "\"]},\"iat\":\"" IAT "\",\"orig\":{\"tn\":\"" CALLER "\"}}",
	    "", NULL, NULL, NULL, 0, false, 438, VERIFY_PARSE, VERDICT_FAIL, "iat" },
	{ "no certificates (V-10)",
	    NO_X5C, NULL, ",\"x5u\":\"" X5U "\"", NULL, NULL, NULL, 0, false, 436,
	    VERIFY_CONVEYANCE, VERDICT_FAIL, "no_chain" },
	{ "info is not x5u (RFC 8224 s4.1)",
	    WITH_SCT, NULL, ",\"x5u\":\"" X5U "\"", ";info=<" X5U "x>", NULL, NULL, 0,
	    false, 436, VERIFY_INFO, VERDICT_FAIL, "info_mismatch" },
	{ "ppt parameter (RFC 8224 s4.1)",
	    WITH_SCT, NULL, ",\"x5u\":\"" X5U "\"", ";info=<" X5U ">;ppt=shaken", NULL,
	    NULL, 0, false, 438, VERIFY_INFO, VERDICT_FAIL, "ppt_mismatch" },
	{ "alg parameter (RFC 8224 s4.1)",
	    WITH_SCT, NULL, ",\"x5u\":\"" X5U "\"", ";info=<" X5U ">;alg=RS256", NULL,
	    NULL, 0, false, 437, VERIFY_INFO, VERDICT_FAIL, "alg" },
	{ "no anchors", WITH_SCT | NO_ANCHORS, NULL, "", NULL, NULL, NULL, 0, false, 0,
	    VERIFY_PATH, VERDICT_SKIPPED, "anchors" },
	{ "other anchors of the same name (V-09)",
	    WITH_SCT | OTHER_ANCHORS, NULL, "", NULL, NULL, NULL, 0,
	    false, 437, VERIFY_PATH, VERDICT_FAIL, "chain_path" },
	{ "61 seconds old (RFC 8224 s6.2)",
	    WITH_SCT, NULL, "", NULL, NULL, NULL, PKI_NOW + 61, false, 403,
	    VERIFY_FRESHNESS, VERDICT_FAIL, "stale_iat" },
	{ "61 seconds ahead (V-42)",
	    WITH_SCT, NULL, "", NULL, NULL, NULL, PKI_NOW - 61, false, 403,
	    VERIFY_FRESHNESS, VERDICT_FAIL, "ahead" },
	{ "another key (RFC 8224 s6.2, V-40)",
	    WITH_SCT | OTHER_KEY, NULL, "", NULL, NULL, NULL, 0, false, 438,
	    VERIFY_SIGNATURE, VERDICT_FAIL, "signature" },
	{ "number of another (RFC 8224 s6.2)", WITH_SCT,
	    "{\"dest\":{\"tn\":[\"" CALLEE "\"]},\"iat\":" IAT ",\"orig\":{\"tn\":\"12025550101\"}}",
	    "", NULL, NULL, NULL, 0, false, 437, VERIFY_AUTHORITY, VERDICT_FAIL,
	    "tn_not_authorized" },
	{ "shaken by a number holder (RFC 8588 s3)",
	    WITH_SCT, SHAKEN, ",\"ppt\":\"shaken\"", NULL, NULL, NULL, 0,
	    false, 437, VERIFY_AUTHORITY, VERDICT_FAIL, "provider code" },
	{ "base by a provider", SPC, NULL, "", NULL, NULL, NULL, 0, false, 437,
	    VERIFY_AUTHORITY, VERDICT_FAIL, "does not sign this ppt" },
	/* V-14 */
	{ "no TNAuthList", WITH_SCT | NO_TNAUTH, NULL, "", NULL, NULL, NULL, 0, false, 437,
	    VERIFY_AUTHORITY, VERDICT_FAIL, "no TNAuthList" },
	{ "claim demanded", WITH_SCT | MUST_RCD, NULL, "", NULL, NULL, NULL, 0, false, 438,
	    VERIFY_CONSTRAINTS, VERDICT_FAIL, "claim_missing_by_constraint" },
	{ "both constraints (RFC 9118 s6)",
	    WITH_SCT | BOTH, NULL, "", NULL, NULL, NULL, 0, false, 437,
	    VERIFY_CONSTRAINTS, VERDICT_FAIL, "both" },
	{ "no SCT (V-39, V-71)", 0, NULL, "", NULL, NULL, NULL, 0, false, 437,
	    VERIFY_SCT, VERDICT_FAIL, "sct_policy" },
	{ "SCT of the future", WITH_SCT | FUTURE_SCT, NULL, "", NULL, NULL, NULL, 0, false, 437,
	    VERIFY_SCT, VERDICT_FAIL, "sct_future" },
	{ "shaken without attest (RFC 8588 s4)", SPC,
	    "{\"dest\":{\"tn\":[\"" CALLEE "\"]},\"iat\":" IAT ",\"orig\":{\"tn\":\"" CALLER "\"}," ORIGID "}",
	    ",\"ppt\":\"shaken\"", NULL, NULL, NULL, 0, false, 438,
	    VERIFY_CLAIMS, VERDICT_FAIL, "attest" },
	{ "orig with a plus (RFC 8224 s8.3)", WITH_SCT,
	    "{\"dest\":{\"tn\":[\"" CALLEE "\"]},\"iat\":" IAT ",\"orig\":{\"tn\":\"+" CALLER "\"}}",
	    "", NULL, NULL, NULL, 0, false, 438, VERIFY_CLAIMS, VERDICT_FAIL, "canonical" },
	{ "other caller (RFC 8224 s6.2.4)",
	    WITH_SCT, NULL, "", NULL, "12025550101", CALLEE, 0, false, 438,
	    VERIFY_SIGNALLING, VERDICT_FAIL, "orig_mismatch" },
	{ "other callee", WITH_SCT, NULL, "", NULL, CALLER, "12125550112", 0, false, 438,
	    VERIFY_SIGNALLING, VERDICT_FAIL, "dest_mismatch" },
	{ "caller alone", WITH_SCT, NULL, "", NULL, CALLER, NULL, 0, true, 0,
	    VERIFY_SIGNALLING, VERDICT_WARN, "dest not compared" },
	{ "originator listed (V-74)",
	    WITH_SCT | NAMES_5678 | OSP, NULL, "", NULL, NULL, NULL, 0, true, 0,
	    VERIFY_ORIGINATOR, VERDICT_PASS, "5678 is listed" },
	{ "originator not listed (V-74)",
	    WITH_SCT | NAMES_5678 | OTHER_OSP, NULL, "", NULL, NULL, NULL, 0,
	    true, 0, VERIFY_ORIGINATOR, VERDICT_WARN, "9999 is not listed" },
	{ "no originators named (V-74)", WITH_SCT | OSP, NULL, "", NULL, NULL, NULL, 0, true, 0,
	    VERIFY_ORIGINATOR, VERDICT_SKIPPED, "names no originating" },
	{ "a list elsewhere, at hand (RFC 8226 s10.1)",
	    WITH_SCT | BY_REFERENCE | FETCHED, NULL, "", NULL,
	    NULL, NULL, 0, true, 0, VERIFY_AUTHORITY, VERDICT_PASS, "in the TNAuthList" },
	{ "a list elsewhere, not at hand", WITH_SCT | BY_REFERENCE, NULL, "", NULL, NULL, NULL, 0, false,
	    437, VERIFY_AUTHORITY, VERDICT_FAIL, "elsewhere" },
	{ "a list elsewhere of other numbers", WITH_SCT | BY_REFERENCE | FETCHED,
	    "{\"dest\":{\"tn\":[\"" CALLEE "\"]},\"iat\":" IAT ",\"orig\":{\"tn\":\"12025550101\"}}",
	    "", NULL, NULL, NULL, 0, false, 437, VERIFY_AUTHORITY, VERDICT_FAIL,
	    "tn_not_authorized" },
	{ "a list that nothing refers to", WITH_SCT | FETCHED | NO_TNAUTH, NULL, "", NULL, NULL, NULL, 0,
	    false, 437, VERIFY_AUTHORITY, VERDICT_FAIL, "no TNAuthList" },
	/* clang-format on */
};

/* The caller's number, and a code beside it. */
static void
put_numbers(struct buf *out, bool code)
{
	struct tnauth_entry e[] = { { .kind = TNAUTH_ONE, .count = 1 },
		{ .kind = TNAUTH_SPC, .spc = "5678" } };

	assert_int_equal(tn_exact(span_str(CALLER), &e[0].start, NULL), RC_OK);
	assert_int_equal(tnauth_encode(out, e, code ? 2 : 1, NULL), RC_OK);
}

static struct tnset *
fetched(void)
{
	AUTO_BUF der = BUF_INIT(100);
	struct tnset *set = NULL;

	pki_tnauth_one(&der, CALLER);
	assert_int_equal(tnauth_decode_numbers(buf_view(&der), false, &set, NULL), RC_OK);
	return set;
}

static X509 *
make_leaf(unsigned flags)
{
	AUTO_BUF tnauth = BUF_INIT(100), sct = BUF_INIT(1000), list = BUF_INIT(1000);
	struct pki_spec s = {
		.cn = "leaf", .key = w.leaf_key, .issuer = w.root, .issuer_key = w.root_key
	};

	if ((flags & SPC) != 0)
		pki_tnauth_spc(&tnauth, "1234");
	else
		put_numbers(&tnauth, (flags & NAMES_5678) != 0);
	if ((flags & BY_REFERENCE) != 0)
		s.aia = "1.3.6.1.5.5.7.48.14;URI:https://list.example/a";
	if ((flags & (NO_TNAUTH | BY_REFERENCE)) == 0)
		s.tnauth = buf_view(&tnauth);
	if ((flags & (MUST_RCD | BOTH)) != 0)
		s.enhanced_constraints = span_of(must_rcd, sizeof must_rcd);
	if ((flags & NO_IAT) != 0)
		s.enhanced_constraints = span_of(no_iat, sizeof no_iat);
	if ((flags & BOTH) != 0)
		s.jwt_constraints = span_of(must_rcd, sizeof must_rcd);
	if ((flags & NAMED) != 0)
		s.san = "DNS:b.example";
	if ((flags & WITH_SCT) != 0) {
		pki_sct(&sct, &s, w.log_key,
		    PKI_NOW * 1000 + ((flags & FUTURE_SCT) != 0 ? 1000 : 999));
		pki_sct_list(&list, buf_view(&sct));
		s.scts = buf_view(&list);
	}
	return pki_issue(&s);
}

static void
make_token(struct buf *out, const struct verify_case *c, X509 *leaf)
{
	AUTO_BUF header = BUF_INIT(20000);

	if (c->extra_header == NULL) {
		buf_str(out, c->parameters);
		return;
	}
	buf_printf(&header, "{\"alg\":\"%s\",\"typ\":\"%s\"",
	    (c->flags & NO_ALG) != 0	  ? "none"
	    : (c->flags & OTHER_ALG) != 0 ? "ES384"
					  : "ES256",
	    (c->flags & OTHER_TYP) != 0 ? "JWT" : "passport");
	if ((c->flags & NO_X5C) == 0) {
		buf_str(&header, ",\"x5c\":");
		pki_x5c(&header, &leaf, 1);
	}
	buf_printf(&header, "%s}", c->extra_header);
	pki_jws(out, buf_text(&header), c->payload != NULL ? c->payload : BASE,
	    (c->flags & OTHER_KEY) != 0 ? w.other_key : w.leaf_key);
	if (c->parameters != NULL)
		buf_str(out, c->parameters);
}

static struct chain *
chain_of(X509 *leaf)
{
	AUTO_BUF pem = BUF_INIT(10000);
	struct chain *c = NULL;

	pki_pem(&pem, leaf);
	assert_int_equal(chain_read_pem(buf_view(&pem), false, &c, NULL), RC_OK);
	return c;
}

static void
print_steps(const struct verify_result *r)
{
	for (enum verify_step s = 0; s < VERIFY__COUNT; s++)
		print_message("  %-12s %-8s %s\n", verify_step_name(s),
		    verdict_name(r->step[s].verdict), r->step[s].detail);
}

/* Who only asks whether it passes learns the same, and from the same step. */
static void
verifies_to_failure(struct verify_input in, const struct verify_result *whole)
{
	struct verify_result r;
	bool failed = false;

	in.to_failure = true;
	assert_int_equal(verify_passport(&in, &r, NULL), RC_OK);
	assert_int_equal(r.pass, whole->pass);
	assert_int_equal(r.code, whole->code);
	for (enum verify_step s = 0; s < VERIFY__COUNT; s++) {
		assert_int_equal(
		    r.step[s].verdict, failed ? VERDICT_SKIPPED : whole->step[s].verdict);
		assert_string_equal(r.step[s].detail, failed ? "" : whole->step[s].detail);
		failed = failed || r.step[s].verdict == VERDICT_FAIL;
	}
	verify_done(&r);
}

/* RFC 8224 s6.2.2, V-28 */
static void
verifies(void **state)
{
	const struct verify_case *c = *state;
	AUTO_OSSL(X509) *leaf = make_leaf(c->flags);
	AUTO_BUF token = BUF_INIT(65536);
	AUTO(tnset) *referenced = (c->flags & FETCHED) != 0 ? fetched() : NULL;
	AUTO(chain) *supplied = (c->flags & SUPPLIED) != 0 ? chain_of(leaf) : NULL;
	struct tn from, to;
	struct verify_input in = {
		.anchors = (c->flags & NO_ANCHORS) != 0	     ? NULL
			   : (c->flags & OTHER_ANCHORS) != 0 ? w.other_anchors
							     : w.anchors,
		.ctlogs = (c->flags & NO_LOGS) != 0 ? NULL : w.logs,
		.chain = supplied,
		.at_s = c->at_s != 0 ? c->at_s : PKI_NOW,
		.min_scts = 1,
		.referenced = referenced,
		.osp_spc = (c->flags & OSP) != 0	 ? "5678"
			   : (c->flags & OTHER_OSP) != 0 ? "9999"
							 : NULL,
	};
	struct verify_result r;

	make_token(&token, c, leaf);
	in.token = buf_view(&token);
	if (c->from != NULL && tn_exact(span_str(c->from), &from, NULL) == RC_OK)
		in.from = &from;
	if (c->to != NULL && tn_exact(span_str(c->to), &to, NULL) == RC_OK)
		in.to = &to;
	assert_int_equal(verify_passport(&in, &r, NULL), RC_OK);
	if (r.pass != c->pass || r.code != c->code || r.step[c->step].verdict != c->verdict ||
	    strstr(r.step[c->step].detail, c->detail) == NULL) {
		print_steps(&r);
		fail_msg("pass %d, code %d", r.pass, r.code);
	}
	verifies_to_failure(in, &r);
	verify_done(&r);
}

/* RFC 8225 section 7.1: verifies under appendix A.2's key, but its iat is a string. */
static const char rfc8225_token[] =
    "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9j"
    "ZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9.eyJkZXN0Ijp7InVyaSI6WyJ"
    "zaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6IjE0NDMyMDgzNDUiLCJvcml"
    "nIjp7InRuIjoiMTIxNTU1NTEyMTIifX0.rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ"
    "6F1VOgFWSjHBr8Qjpjlk-cpFYpFYsojNCpTzO3QfPOlckGaS6hEck7w";
static const char rfc8225_wrong_token[] =
    "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9j"
    "ZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9.eyJkZXN0Ijp7InVyaSI6WyJ"
    "zaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6MTQ3MTM3NTQxOCwib3JpZyI"
    "6eyJ0biI6IjEyMTU1NTUxMjEyIn19.VLBCIVDCaeK6M4hLJb6SHQvacAQVvoiiEO"
    "WQ_iUkqk79UD81fHQ0E1b3_GluIkba7UWYRM47ZbNFdOJquE35cw";
static const uint8_t rfc8225_point[] = { 0x04, 0xf0, 0x73, 0x5b, 0x41, 0xdf, 0xd3, 0x9a, 0xf0,
	0x8a, 0xc0, 0xf2, 0x87, 0x90, 0xc1, 0x7d, 0x7d, 0x27, 0x1a, 0xbc, 0x67, 0x87, 0xef,
	0xc6, 0x13, 0x53, 0xca, 0x8b, 0x4b, 0xc2, 0x39, 0x1c, 0xb1, 0xd2, 0x4a, 0x69, 0x40,
	0x4c, 0xb7, 0x2c, 0x95, 0x03, 0x21, 0x34, 0x2f, 0xce, 0x86, 0x55, 0x81, 0x60, 0x2e,
	0xb6, 0xea, 0x72, 0x25, 0xa3, 0xb5, 0xde, 0x79, 0xb6, 0x12, 0xed, 0x26, 0xf7, 0xee };

static bool
verifies_under(const char *token, const uint8_t point[P256_POINT_LEN])
{
	struct jws_parts p;
	EVP_PKEY *key = NULL;
	bool good;

	assert_int_equal(p256_from_point(point, &key, NULL), RC_OK);
	assert_int_equal(jws_split(span_str(token), &p, NULL), RC_OK);
	good = es256_verify(key, p.signing_input, span_of(p.sig, 64), NULL) == RC_OK;
	jws_done(&p);
	EVP_PKEY_free(key);
	return good;
}

/* RFC 8225 s7.1 */
static void
tokens_of_rfc8225(void **state)
{
	struct verify_input in = { .token = span_str(rfc8225_token), .at_s = 1443208345 };
	struct verify_result r;

	(void)state;
	assert_true(verifies_under(rfc8225_token, rfc8225_point));
	assert_false(verifies_under(rfc8225_wrong_token, rfc8225_point));
	assert_int_equal(verify_passport(&in, &r, NULL), RC_OK);
	assert_int_equal(r.code, 438);
	assert_int_equal(r.step[VERIFY_PARSE].verdict, VERDICT_FAIL);
	verify_done(&r);
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(cases) + 1];
	size_t n = 0;

	ROWS(tests, n, cases, verifies);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(tokens_of_rfc8225);
	return cmocka_run_group_tests(tests, make_world, drop_world);
}
