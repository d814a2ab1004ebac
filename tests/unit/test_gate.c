/* gate: activation and decision over one leaf's facts */
#include "stir/gate.h"

#include <stdio.h>

#include "tests/unit/mutate.h"
#include "tests/unit/spec.h"

enum { NOW = 1700000000, DAY = 86400 };

#define NUMBER "300fa20d160b3132303235353530313030"		    /* 12025550100 */
#define CODE   "3008a006160431323334"				    /* 1234 */
#define CODES  "3010a006160431323334a006160435363738"		    /* 1234, 5678 */
#define MIXED  "3017a006160431323334a20d160b3132303235353530313030" /* both */

/* ---- a leaf, as cert.h hands it over ---------------------------------------------------- */

struct leaf {
	struct cert cert;
	struct chain chain;
};

static void
leaf_done(struct leaf *l)
{
	tnauth_free(l->cert.tnauth);
	constraints_free(l->cert.constraints);
}

#define AUTO_LEAF __attribute__((cleanup(leaf_done))) struct leaf

/* A good leaf of a day, begun an hour ago. */
static void
leaf_init(struct leaf *l, const char *tnauth_hex, const char *constraints)
{
	uint8_t room[128];

	*l = (struct leaf){ .cert = { .p256 = true,
				.digital_signature = true,
				.not_before_s = NOW - 3600,
				.not_after_s = NOW - 3600 + DAY } };
	if (tnauth_hex != NULL)
		assert_int_equal(tnauth_decode(unhex(tnauth_hex, room, sizeof room), false,
				     &l->cert.tnauth, NULL),
		    RC_OK);
	if (constraints != NULL)
		l->cert.constraints = make(constraints, CONSTRAINTS_ENHANCED);
	l->chain.cert[0] = &l->cert;
	l->chain.len = 1;
}

static const struct profile_rule *
profile(const char *name)
{
	return name == NULL ? NULL : profile_find(name);
}

/* ---- activation ------------------------------------------------------------------------- */

static void
is_ca(struct cert *c)
{
	c->is_ca = true;
}

static void
p384(struct cert *c)
{
	c->p256 = false;
}

static void
for_crls(struct cert *c)
{
	c->digital_signature = false;
}

static void
critical(struct cert *c)
{
	c->unknown_critical = true;
}

static void
both(struct cert *c)
{
	c->both_constraints = true;
}

static void
by_reference(struct cert *c)
{
	c->tnauth_by_reference = true;
}

static void
at_an_uri(struct cert *c)
{
	static char url[] = "https://list.example/a";

	by_reference(c);
	c->tnauth_url = url;
}

static void
week(struct cert *c)
{
	c->not_after_s = c->not_before_s + 7 * DAY;
}

static void
week_and_a_second(struct cert *c)
{
	c->not_after_s = c->not_before_s + 7 * DAY + 1;
}

static void
year(struct cert *c)
{
	c->not_after_s = c->not_before_s + 365 * DAY;
}

static void
endless(struct cert *c)
{
	c->not_after_s = INT64_C(253402300799);
}

static void
backwards(struct cert *c)
{
	c->not_after_s = c->not_before_s - 1;
}

static void
week_of_a_host(struct cert *c)
{
	static char host[] = "calls.example";

	week(c);
	c->dns_name = host;
}

static void
too_long_of_a_host(struct cert *c)
{
	week_of_a_host(c);
	c->not_after_s++;
}

static struct open_case {
	const char *name, *tnauth, *constraints, *profile;
	void (*change)(struct cert *c);
	const char *detail; /* part of it; NULL: opens */
	const char *claim;  /* NULL: none */
} open_cases[] = {
	{ "delegate", NUMBER, NULL, "atis-delegate", NULL, NULL, NULL },
	{ "delegate with a code beside", MIXED, NULL, "vesper-06", NULL, NULL, NULL },
	{ "provider", CODE, NULL, "shaken-sp", NULL, NULL, NULL },
	{ "no profile: any list", CODES, NULL, NULL, NULL, NULL, NULL },
	{ "a list beside a reference", NUMBER, NULL, "vesper-06", by_reference, NULL, NULL },
	{ "seven days (V-12)", NUMBER, NULL, "vesper-06", week, NULL, NULL },
	{ "seven days of vesper-05", NUMBER, NULL, "vesper-05", week, NULL, NULL },
	{ "seven days of a domain", NUMBER, NULL, "domain", week_of_a_host, NULL, NULL },
	{ "a year, elsewhere", NUMBER, NULL, "atis-delegate", year, NULL, NULL },
	{ "constraints", NUMBER, "{'i':['rcd'],'x':['crn']}", "vesper-06", NULL, NULL, NULL },
	{ "key not on P-256 (RFC 8226 s4)", NUMBER, NULL, NULL, p384, "P-256", NULL },
	{ "CA (RFC 8226 s8)", NUMBER, NULL, NULL, is_ca, "CA certificate", NULL },
	{ "keyUsage without digitalSignature", NUMBER, NULL, NULL, for_crls, "digitalSignature",
	    NULL },
	{ "unknown critical extension", NUMBER, NULL, NULL, critical, "critical", NULL },
	{ "both kinds of constraints (RFC 9118 s6, D-07)", NUMBER, "{'i':['a']}", NULL, both,
	    "both JWTClaimConstraints and EnhancedJWTClaimConstraints", NULL },
	{ "no list (V-14)", NULL, NULL, NULL, NULL, "no TNAuthList", NULL },
	{ "only a reference (RFC 8226 s10.1)", NULL, NULL, NULL, by_reference, "one https",
	    NULL },
	{ "only a reference, not fetched (D-46)", NULL, NULL, NULL, at_an_uri, "been fetched",
	    NULL },
	{ "provider with numbers", NUMBER, NULL, "shaken-sp", NULL, "class sp", NULL },
	{ "provider with two codes (D-01)", CODES, NULL, "shaken-sp", NULL, "class sp", NULL },
	{ "provider with a number beside", MIXED, NULL, "shaken-sp", NULL, "class sp", NULL },
	{ "delegate with a code only", CODE, NULL, "atis-delegate", NULL, "class delegate",
	    NULL },
	{ "vesper with a code only", CODE, NULL, "vesper-06", NULL, "class delegate", NULL },
	{ "a second too long (V-05)", NUMBER, NULL, "vesper-06", week_and_a_second, "allows",
	    NULL },
	{ "a second too long for vesper-05", NUMBER, NULL, "vesper-05", week_and_a_second,
	    "allows", NULL },
	{ "a second too long for a domain", NUMBER, NULL, "domain", too_long_of_a_host,
	    "allows", NULL },
	{ "no dNSName (D-49)", NUMBER, NULL, "domain", week, "dNSName", NULL },
	{ "vesper-05 with a code only", CODE, NULL, "vesper-05", NULL, "class delegate", NULL },
	{ "domain with a code only", CODE, NULL, "domain", week_of_a_host, "class delegate",
	    NULL },
	{ "no end", NUMBER, NULL, NULL, endless, "no end", NULL },
	{ "backwards", NUMBER, NULL, NULL, backwards, "before it begins", NULL },
	{ "orig excluded (RFC 9118 s3)", NUMBER, "{'x':['orig']}", NULL, NULL, "mustExclude",
	    "orig" },
	{ "contradiction", NUMBER, "{'i':['a'],'x':['a']}", NULL, NULL,
	    "EnhancedJWTClaimConstraints: mustInclude and mustExclude both name it", "a" },
	{ "hash mode", NUMBER,
	    "{'p':[['v/a#sha-256','5U3Z2edmZj2Z81pbo9mly8IbgTKaNZaJbCDAb080scU']]}", NULL, NULL,
	    NULL, NULL },
	{ "hash mode without a hash", NUMBER, "{'p':[['v/a#sha-256','x']]}", NULL, NULL,
	    "no unpadded base64", "v/a#sha-256" },
	{ "unknown privacy mode", NUMBER, "{'p':[['v/a#md5','x']]}", NULL, NULL, "behind '#'",
	    "v/a#md5" },
};

static void
opens(void **state)
{
	const struct open_case *c = *state;
	struct gate_policy policy = { .profile = profile(c->profile) };
	AUTO_LEAF l;
	AUTO(gate) *g = NULL;
	struct fault f = { 0 };
	enum rc rc;

	leaf_init(&l, c->tnauth, c->constraints);
	if (c->change != NULL)
		c->change(&l.cert);
	rc = gate_open(&l.chain, &policy, &g, &f);
	if (c->detail == NULL) {
		assert_int_equal(rc, RC_OK);
		assert_ptr_equal(gate_tnauth(g), l.cert.tnauth);
		assert_ptr_equal(gate_constraints(g), l.cert.constraints);
		return;
	}
	assert_int_equal(rc, RC_DENIED);
	assert_string_equal(f.reason, "credential_unusable");
	assert_string_equal(f.claim, c->claim != NULL ? c->claim : "");
	assert_non_null(strstr(f.detail, c->detail));
	assert_null(g);
}

static void
an_empty_chain_is_unusable(void **state)
{
	struct gate_policy policy = { 0 };
	struct chain none = { 0 };
	struct gate *g = NULL;

	(void)state;
	assert_int_equal(gate_open(&none, &policy, &g, NULL), RC_DENIED);
	assert_null(g);
}

/*
 * The list in the certificate and the one it refers to count as one (RFC 9060 s4.1).
 * RFC 8226 s10.1
 */
static void
lists_are_a_union(void **state)
{
	static const char *const profiles[] = { NULL, "atis-delegate", "vesper-06" };
	struct tn_interval more = { 0 };
	AUTO(tnset) *set = NULL;
	struct tn own = { 0 }, other = { 0 }, none = { 0 };

	(void)state;
	assert_int_equal(tnset_parse(span_str("12025550200-12025550201"), &more, NULL), RC_OK);
	assert_int_equal(tnset_build(&more, 1, &set, NULL), RC_OK);
	assert_int_equal(tn_exact(span_str("12025550100"), &own, NULL), RC_OK);
	assert_int_equal(tn_exact(span_str("12025550201"), &other, NULL), RC_OK);
	for (size_t i = 0; i < 2 * ARRAY_LEN(profiles); i++) {
		struct gate_policy policy = { .profile = profile(profiles[i / 2]),
			.referenced = set };
		AUTO_LEAF l;
		AUTO(gate) *g = NULL;

		leaf_init(&l, i % 2 == 0 ? NUMBER : NULL, NULL);
		at_an_uri(&l.cert);
		assert_int_equal(gate_open(&l.chain, &policy, &g, NULL), RC_OK);
		assert_int_equal(gate_covers(g, &own), i % 2 == 0);
		assert_true(gate_covers(g, &other));
		assert_false(gate_covers(g, &none));
	}
}

/* ---- time ------------------------------------------------------------------------------- */

/* No allowance on either end (D-44), and the whole chain counts (RFC 8224 s6.1). */
static void
time_is_exact(void **state)
{
	struct gate_policy policy = { 0 };
	struct cert ca = { .is_ca = true, .not_before_s = NOW - 60, .not_after_s = NOW + 60 };
	static const int64_t in[] = { NOW - 60, NOW, NOW + 60 }, out[] = { NOW - 61, NOW + 61 };
	static const char *const says[][2] = {
		{ "certificate 7f00aa or one above it: not valid before 1699999940: ask from "
		  "then "
		  "on",
		    "certificate 7f00aa or one above it: not valid before 1699999940, and iat "
		    "is "
		    "1699999939: send an iat from then on" },
		{ "certificate 7f00aa or one above it: not valid after 1700000060",
		    "certificate 7f00aa or one above it: not valid after 1700000060, and iat "
		    "is "
		    "1700000061: send an iat up to then" },
	};
	AUTO_LEAF l;
	AUTO(gate) *g = NULL;
	int64_t from = 0, to = 0;

	(void)state;
	leaf_init(&l, NUMBER, NULL);
	l.chain.cert[1] = &ca;
	l.chain.len = 2;
	snprintf(l.cert.serial, sizeof l.cert.serial, "7f00aa");
	assert_int_equal(gate_open(&l.chain, &policy, &g, NULL), RC_OK);
	gate_validity(g, &from, &to);
	assert_true(from == NOW - 60 && to == NOW + 60);
	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		assert_int_equal(gate_in_time(g, in[i], NULL), RC_OK);
		assert_int_equal(gate_dated(g, in[i], NULL), RC_OK);
	}
	for (size_t i = 0; i < ARRAY_LEN(out); i++) {
		struct fault f = { 0 }, dated = { 0 };

		assert_int_equal(gate_in_time(g, out[i], &f), RC_EXPIRED);
		assert_string_equal(f.reason, "credential_expired");
		assert_int_equal(gate_dated(g, out[i], &dated), RC_EXPIRED);
		assert_string_equal(dated.reason, "credential_expired");
		assert_string_equal(dated.claim, "iat");
		assert_string_equal(f.detail, says[i][0]);
		assert_string_equal(dated.detail, says[i][1]);
	}
}

/* ---- decision --------------------------------------------------------------------------- */

#define ATTEST "'attest':'A','origid':'123e4567-e89b-12d3-a456-426655440000'"

#define VPER "'vper':{'name':'x','id':'1','glue':['urn:glue:pen:1'],'domain':'a.b'}"

static struct decide_case {
	const char *name, *tnauth, *constraints, *profile;
	enum ppt ppt;
	const char *orig, *more; /* further claims */
	int64_t now_s;
	const char *reason, *claim;
} decide_cases[] = {
	{ "delegate signs base", NUMBER, NULL, "atis-delegate", PPT_BASE, "12025550100", "",
	    NOW, NULL, NULL },
	{ "in another spelling", NUMBER, NULL, "atis-delegate", PPT_BASE, "+1 202-555-0100", "",
	    NOW, NULL, NULL },
	{ "another number (RFC 8224 s6.1)", NUMBER, NULL, "atis-delegate", PPT_BASE,
	    "12025550101", "", NOW, "tn_not_authorized", "orig" },
	{ "a prefix of the number (V-23)", NUMBER, NULL, "atis-delegate", PPT_BASE,
	    "1202555010", "", NOW, "tn_not_authorized", "orig" },
	{ "a national form", NUMBER, NULL, "atis-delegate", PPT_BASE, "2025550100", "", NOW,
	    "tn_not_authorized", "orig" },
	{ "the code as a number", MIXED, NULL, "atis-delegate", PPT_BASE, "1234", "", NOW,
	    "tn_not_authorized", "orig" },
	{ "a code beside authorises nothing (V-73)", MIXED, NULL, "atis-delegate", PPT_BASE,
	    "12025550101", "", NOW, "tn_not_authorized", "orig" },
	{ "delegate does not sign shaken", NUMBER, NULL, "atis-delegate", PPT_SHAKEN,
	    "12025550100", ATTEST, NOW, "no_credential", "" },
	{ "provider signs shaken for any number", CODE, NULL, "shaken-sp", PPT_SHAKEN,
	    "14045550199", ATTEST, NOW, NULL, NULL },
	{ "provider does not sign base", CODE, NULL, "shaken-sp", PPT_BASE, "12025550100", "",
	    NOW, "no_credential", "" },
	{ "no profile: shaken by the list", NUMBER, NULL, NULL, PPT_SHAKEN, "12025550100",
	    ATTEST, NOW, NULL, NULL },
	{ "no profile: base by the list", NUMBER, NULL, NULL, PPT_BASE, "12025550100", "", NOW,
	    NULL, NULL },
	{ "no profile: a code authorises nothing", CODE, NULL, NULL, PPT_SHAKEN, "12025550100",
	    ATTEST, NOW, "tn_not_authorized", "orig" },
	{ "expired comes first", NUMBER, NULL, "atis-delegate", PPT_SHAKEN, "1", ATTEST,
	    NOW + DAY, "credential_expired", "" },
	{ "not yet valid", NUMBER, NULL, "atis-delegate", PPT_BASE, "12025550100", "",
	    NOW - 3601, "credential_expired", "" },
	{ "class before number", NUMBER, NULL, "atis-delegate", PPT_SHAKEN, "1", ATTEST, NOW,
	    "no_credential", "" },
	{ "number before constraints", NUMBER, "{'i':['rcd']}", "atis-delegate", PPT_BASE, "1",
	    "", NOW, "tn_not_authorized", "orig" },
	{ "demanded claim absent", NUMBER, "{'i':['rcd']}", "atis-delegate", PPT_BASE,
	    "12025550100", "", NOW, "claim_missing_by_constraint", "rcd" },
	{ "excluded claim", NUMBER, "{'x':['rcd']}", "atis-delegate", PPT_BASE, "12025550100",
	    "'rcd':{'nam':'x'}", NOW, "claim_excluded", "rcd" },
	{ "value not permitted", NUMBER, "{'p':[['crn','a']]}", "atis-delegate", PPT_BASE,
	    "12025550100", "'crn':'b'", NOW, "value_not_permitted", "crn" },
	{ "attest capped by the certificate", CODE, "{'p':[['attest','B','C']]}", "shaken-sp",
	    PPT_SHAKEN, "12025550100", ATTEST, NOW, "value_not_permitted", "attest" },
	{ "orig held to a number (V-20)", NUMBER, "{'p':[['orig','{\\\"tn\\\":\\\"911\\\"}']]}",
	    "vesper-06", PPT_BASE, "12025550100", "", NOW, "value_not_permitted", "orig" },
	{ "elsewhere claims need no vetting", NUMBER, NULL, "atis-delegate", PPT_BASE,
	    "12025550100", "'rcd':{'nam':'x'}", NOW, NULL, NULL },
	{ "vesper: base claims need none", NUMBER, NULL, "vesper-06", PPT_BASE, "12025550100",
	    "", NOW, NULL, NULL },
	{ "vesper: structural claims need none", NUMBER, NULL, "vesper-06", PPT_BASE,
	    "12025550100",
	    "'mky':[{'alg':'sha-256','dig':'"
	    "021ACC5427ABEB9C533F3E4B652E7D463F5442CD54F17A03A27DF9B07F4619B2'}]",
	    NOW, NULL, NULL },
	{ "vesper: no constraints, further claim (V-16)", NUMBER, NULL, "vesper-06", PPT_BASE,
	    "12025550100", "'rcd':{'nam':'x'}", NOW, "claim_not_vetted", "rcd" },
	{ "vesper: another claim named (V-21)", NUMBER, "{'i':['crn']}", "vesper-06", PPT_BASE,
	    "12025550100", "'crn':'a','rcd':{'nam':'x'}", NOW, "claim_not_vetted", "rcd" },
	{ "vesper: named in mustInclude", NUMBER, "{'i':['rcd']}", "vesper-06", PPT_BASE,
	    "12025550100", "'rcd':{'nam':'x'}", NOW, NULL, NULL },
	{ "vesper: named in permittedValues", NUMBER, "{'p':[['crn','a']]}", "vesper-06",
	    PPT_BASE, "12025550100", "'crn':'a'", NOW, NULL, NULL },
	{ "vesper: every member by pointer", NUMBER,
	    "{'p':[['vper/name','x'],['vper/id','1'],['vper/glue/0','urn:glue:pen:1'],"
	    "['vper/domain','a.b']]}",
	    "vesper-06", PPT_BASE, "12025550100", VPER, NOW, NULL, NULL },
	{ "vesper: one member not vetted (D-16)", NUMBER, "{'p':[['vper/name','x']]}",
	    "vesper-06", PPT_BASE, "12025550100", VPER, NOW, "claim_not_vetted", "vper" },
	{ "vesper-05: claims need no vetting (D-16)", NUMBER, NULL, "vesper-05", PPT_BASE,
	    "12025550100", "'rcd':{'nam':'x'}", NOW, NULL, NULL },
	{ "vesper-05 does not sign shaken", NUMBER, NULL, "vesper-05", PPT_SHAKEN,
	    "12025550100", ATTEST, NOW, "no_credential", "" },
	{ "vesper: a hash vets (V-21)", NUMBER,
	    "{'p':[['crn#sha-256','5U3Z2edmZj2Z81pbo9mly8IbgTKaNZaJbCDAb080scU']]}",
	    "vesper-06", PPT_BASE, "12025550100", "'crn':'ACME'", NOW, NULL, NULL },
	{ "vesper: a hash of another value (V-67)", NUMBER,
	    "{'p':[['crn#sha-256','5U3Z2edmZj2Z81pbo9mly8IbgTKaNZaJbCDAb080scU']]}",
	    "vesper-06", PPT_BASE, "12025550100", "'crn':'ACMF'", NOW, "value_not_permitted",
	    "crn" },
	{ "vesper: committed, in clear (D-15)", NUMBER,
	    "{'p':[['crn#commit-sha-256','YrpXe5ipbgni7cdSVK0kAHkRsSgBg2iYsETMMxJeSIg']]}",
	    "vesper-06", PPT_BASE, "12025550100", "'crn':'ACME'", NOW, "private_claim_in_clear",
	    "crn" },
	{ "vesper: constraints before vetting", NUMBER, "{'p':[['crn','a']]}", "vesper-06",
	    PPT_BASE, "12025550100", "'crn':'b','rcd':{'nam':'x'}", NOW, "value_not_permitted",
	    "crn" },
};

static void
prepare(const struct decide_case *c, struct passport *p)
{
	static const char *const extra[] = { "rcd", "crn", "mky", "vper" };
	struct passport_policy policy = {
		.now_s = c->now_s, .extra_claims = extra, .extra = ARRAY_LEN(extra)
	};
	AUTO_BUF text = BUF_INIT(4096);
	json_auto_t *claims = NULL;

	buf_printf(&text, "{'orig':{'tn':'%s'},'dest':{'tn':['12125550111']}%s%s}", c->orig,
	    c->more[0] != '\0' ? "," : "", c->more);
	claims = json_of(buf_text(&text));
	assert_int_equal(passport_prepare(claims, c->ppt, &policy, p, NULL), RC_OK);
}

static void
decide(void **state)
{
	const struct decide_case *c = *state;
	struct gate_policy policy = { .profile = profile(c->profile) };
	__attribute__((cleanup(passport_done))) struct passport p = { 0 };
	AUTO_LEAF l;
	AUTO(gate) *g = NULL;
	struct fault f = { 0 };
	enum rc rc;

	leaf_init(&l, c->tnauth, c->constraints);
	prepare(c, &p);
	assert_int_equal(gate_open(&l.chain, &policy, &g, NULL), RC_OK);
	rc = gate_decide(g, &p, c->now_s, &f);
	if (c->reason == NULL) {
		assert_int_equal(rc, RC_OK);
		return;
	}
	assert_int_equal(
	    rc, strcmp(c->reason, "credential_expired") == 0 ? RC_EXPIRED : RC_DENIED);
	assert_string_equal(f.reason, c->reason);
	assert_string_equal(f.claim, c->claim);
	assert_null(strstr(f.detail, "2025550"));
}

/* orig held to a number of one's own: what does not sign by orig is told what it takes (V-20). */
static void
hint_where_orig_is_held(void **state)
{
	static const struct {
		enum ppt ppt;
		const char *constraints, *claims, *claim;
		bool hint;
	} rows[] = {
		{ PPT_DIV, "{'p':[['orig','{\\\"tn\\\":\\\"12025550100\\\"}']]}",
		    "{'orig':{'tn':'911'},'dest':{'tn':['1']},'div':{'tn':'12025550100'}}",
		    "orig", true },
		{ PPT_RSP, "{'p':[['orig/tn','12025550100']]}",
		    "{'orig':{'tn':'911'},'dest':{'tn':['12025550100']}}", "orig/tn", true },
		{ PPT_BASE, "{'p':[['orig/tn','911']]}",
		    "{'orig':{'tn':'12025550100'},'dest':{'tn':['1']}}", "orig/tn", false },
		{ PPT_RSP, "{'p':[['dest/tn/0','911']]}",
		    "{'orig':{'tn':'911'},'dest':{'tn':['12025550100']}}", "dest/tn/0", false },
		{ PPT_RSP, "{'p':[['orig-x','a']]}",
		    "{'orig':{'tn':'911'},'dest':{'tn':['12025550100']},'orig-x':'b'}",
		    "orig-x", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		static const char *const extra[] = { "orig-x" };
		const struct passport_policy prepared = {
			.now_s = NOW, .extra_claims = extra, .extra = 1
		};
		struct gate_policy policy = { .profile = profile("atis-delegate") };
		__attribute__((cleanup(passport_done))) struct passport p = { 0 };
		json_auto_t *claims = json_of(rows[i].claims);
		AUTO_LEAF l;
		AUTO(gate) *g = NULL;
		struct fault f = { 0 };

		leaf_init(&l, NUMBER, rows[i].constraints);
		assert_int_equal(
		    passport_prepare(claims, rows[i].ppt, &prepared, &p, NULL), RC_OK);
		assert_int_equal(gate_open(&l.chain, &policy, &g, NULL), RC_OK);
		assert_int_equal(gate_decide(g, &p, NOW, &f), RC_DENIED);
		assert_string_equal(f.reason, "value_not_permitted");
		assert_string_equal(f.claim, rows[i].claim);
		assert_int_equal(strstr(f.detail, "leaves orig free") != NULL, rows[i].hint);
		assert_null(strstr(f.detail, "911"));
		assert_null(strstr(f.detail, "2025550"));
		assert_true(strlen(f.detail) + 1 < sizeof f.detail); /* whole */
	}
}

/* Whoever has several certificates is told which one, what in it, and what would do. */
static const struct named_case {
	const char *constraints, *profile;
	enum ppt ppt;
	const char *claims, *reason, *extension, *helps;
} named_cases[] = {
	{ NULL, "atis-delegate", PPT_BASE,
	    "{'orig':{'tn':'12025550101'},'dest':{'tn':['911']}}", "tn_not_authorized",
	    "TNAuthList", "send a number that is" },
	{ NULL, "atis-delegate", PPT_BASE,
	    "{'orig':{'uri':'sip:bob@other.example'},'dest':{'tn':['911']}}",
	    "tn_not_authorized", "subjectAltName", "send one of its domain" },
	{ NULL, "atis-delegate", PPT_RCD,
	    "{'orig':{'tn':'12025550100'},'dest':{'tn':['911']},'iss':'Zorin','crn':'x'}",
	    "invalid_claim", "TNAuthList", "leave iss out" },
	{ NULL, "vesper-06", PPT_RCD,
	    "{'orig':{'tn':'12025550100'},'dest':{'tn':['911']},'crn':'x'}", "claim_not_vetted",
	    "no extension names claims", "leave it out" },
	{ "{'i':['a']}", "vesper-06", PPT_RCD,
	    "{'orig':{'tn':'12025550100'},'dest':{'tn':['911']},'crn':'x','a':1}",
	    "claim_not_vetted", "EnhancedJWTClaimConstraints", "leave it out" },
	{ "{'x':['crn']}", "atis-delegate", PPT_RCD,
	    "{'orig':{'tn':'12025550100'},'dest':{'tn':['911']},'crn':'x'}", "claim_excluded",
	    "mustExclude of EnhancedJWTClaimConstraints", "leave it out" },
};

static void
refusals_name_the_certificate(void **state)
{
	static const char *const extra[] = { "a" };
	static char host[] = "calls.example";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(named_cases); i++) {
		const struct named_case *c = &named_cases[i];
		const struct passport_policy prepared = {
			.now_s = NOW, .extra_claims = extra, .extra = 1, .orig_uri = true
		};
		struct gate_policy policy = { .profile = profile(c->profile),
			.third_party_iss = "Zorin",
			.orig_uri = true };
		__attribute__((cleanup(passport_done))) struct passport p = { 0 };
		json_auto_t *claims = json_of(c->claims);
		AUTO_LEAF l;
		AUTO(gate) *g = NULL;
		struct fault f = { 0 };

		leaf_init(&l, NUMBER, c->constraints);
		l.cert.dns_name = host;
		snprintf(l.cert.serial, sizeof l.cert.serial, "7f00aa");
		assert_int_equal(passport_prepare(claims, c->ppt, &prepared, &p, NULL), RC_OK);
		assert_int_equal(gate_open(&l.chain, &policy, &g, NULL), RC_OK);
		assert_int_not_equal(gate_decide(g, &p, NOW, &f), RC_OK);
		assert_string_equal(f.reason, c->reason);
		assert_non_null(strstr(f.detail, "certificate 7f00aa: "));
		assert_non_null(strstr(f.detail, c->extension));
		assert_non_null(strstr(f.detail, c->helps));
		assert_null(strstr(f.detail, "2025550"));
		assert_null(strstr(f.detail, "calls.example"));
		assert_true(strlen(f.detail) + 1 < sizeof f.detail); /* whole */
	}
}

/* What is not switched on, and what can be sent without it. */
static void
refusals_name_the_switch(void **state)
{
	static const struct {
		enum ppt ppt;
		const char *claims, *reason, *says;
	} rows[] = {
		{ PPT_SHAKEN, "{'orig':{'tn':'12025550100'},'dest':{'tn':['911']}," ATTEST "}",
		    "no_credential",
		    "profile atis-delegate does not sign shaken: ask for base, rcd, div, "
		    "div-o, "
		    "rsp, msg" },
		{ PPT_RCD,
		    "{'orig':{'tn':'12025550101'},'dest':{'tn':['911']},'iss':'Zorin','crn':'x'"
		    "}",
		    "tn_not_authorized",
		    "certificate 7f00aa: third_party_rcd is not set, so iss cannot stand for "
		    "orig: send a number of its own without iss" },
		{ PPT_BASE, "{'orig':{'uri':'sip:bob@a.example'},'dest':{'tn':['911']}}",
		    "invalid_claim",
		    "certificate 7f00aa: orig_uri of its credential is not set: send orig.tn" },
		{ PPT_RSP, "{'orig':{'tn':'911'},'dest':{'tn':['12025550100']},'attest':'A'}",
		    "unknown_claim",
		    "attest is for ppt shaken; in rsp only profile vesper-05 with "
		    "attest_in_rsp "
		    "takes it: leave it out" },
	};
	static const char *const extra[] = { "attest" };
	const struct passport_policy prepared = {
		.now_s = NOW, .extra_claims = extra, .extra = 1, .orig_uri = true
	};
	const struct gate_policy policy = { .profile = profile("atis-delegate") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		__attribute__((cleanup(passport_done))) struct passport p = { 0 };
		json_auto_t *claims = json_of(rows[i].claims);
		AUTO_LEAF l;
		AUTO(gate) *g = NULL;
		struct fault f = { 0 };

		leaf_init(&l, NUMBER, NULL);
		snprintf(l.cert.serial, sizeof l.cert.serial, "7f00aa");
		assert_int_equal(
		    passport_prepare(claims, rows[i].ppt, &prepared, &p, NULL), RC_OK);
		assert_int_equal(gate_open(&l.chain, &policy, &g, NULL), RC_OK);
		assert_int_not_equal(gate_decide(g, &p, NOW, &f), RC_OK);
		assert_string_equal(f.reason, rows[i].reason);
		assert_string_equal(f.detail, rows[i].says);
	}
}

/* ---- claims that may ride (D-51) -------------------------------------------------------- */

static bool
has(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i], name) == 0)
			return true;
	}
	return false;
}

static void
extra_claims(void **state)
{
	static const char *const own[] = { "crn" };
	struct gate_policy policy = { 0 };
	AUTO_LEAF l, m;
	AUTO(gate) *g = NULL, *bare = NULL;
	const char **all = NULL;
	size_t n = 0;

	(void)state;
	leaf_init(&l, NUMBER,
	    "{'i':['rcd'],'p':[['vper/name','x'],['https://a/c','y']],'x':['attest']}");
	assert_int_equal(gate_open(&l.chain, &policy, &g, NULL), RC_OK);
	assert_int_equal(gate_extra_claims(g, own, 1, &all, &n, NULL), RC_OK);
	assert_true(has(all, n, "crn") && has(all, n, "rcd") && has(all, n, "vper"));
	assert_true(has(all, n, "https://a/c"));
	assert_true(has(all, n, "attest")); /* so that the gate says claim_excluded */
	assert_false(has(all, n, "orig"));
	free(all);

	leaf_init(&m, NUMBER, NULL);
	assert_int_equal(gate_open(&m.chain, &policy, &bare, NULL), RC_OK);
	assert_int_equal(gate_extra_claims(bare, NULL, 0, &all, &n, NULL), RC_OK);
	assert_int_equal(n, 0);
	free(all);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(open_cases) + ARRAY_LEN(decide_cases) + 7];
	size_t n = 0;

	ROWS(tests, n, open_cases, opens);
	ROWS(tests, n, decide_cases, decide);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(an_empty_chain_is_unusable);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(time_is_exact);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(lists_are_a_union);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(refusals_name_the_certificate);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(refusals_name_the_switch);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(extra_claims);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(hint_where_orig_is_held);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
