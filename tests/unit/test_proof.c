/* proof: what a delegate's PASSporT shows of a call */
#include "agent/front/proof.h"

#include "tests/unit/cm.h"
#include "tests/unit/pki.h"
#include "tests/unit/rows.h"

#define CALLER "12025550100"
#define CALLEE "12125550111"
#define CLAIMS(orig, dest, iat) \
	"{\"dest\":{\"tn\":[" dest "]},\"iat\":" iat ",\"orig\":{\"tn\":\"" orig "\"}}"
#define Q(text) "\"" text "\""
#define GOOD	CLAIMS(CALLER, Q(CALLEE), "1800000000")
#define SHAKEN \
	"{\"attest\":\"A\",\"dest\":{\"tn\":[\"" CALLEE "\"]},\"iat\":1800000000," \
	"\"orig\":{\"tn\":\"" CALLER \
	"\"},\"origid\":\"123e4567-e89b-12d3-a456-426655440000\"}"
#define RCD(iss) \
	"{\"dest\":{\"tn\":[\"" CALLEE "\"]},\"iat\":1800000000," iss \
	"\"orig\":{\"tn\":\"" CALLER "\"},\"rcd\":{\"nam\":\"Q\"}}"
#define X5U "https://cert.example/ours.pem"

static struct {
	EVP_PKEY *root_key, *leaf_key, *other_key, *log_key;
	X509 *root, *coded, *narrow, *own; /* no list, a code, another number, the number */
	struct anchors *anchors, *others, *codeds, *narrows, *owns;
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

static struct ctlogs *
read_logs(EVP_PKEY *key)
{
	AUTO_BUF json = BUF_INIT(4000);
	struct ctlogs *logs = NULL;

	buf_str(&json, "{\"operators\":[{\"logs\":[{\"state\":\"usable\",\"key\":\"");
	pki_spki(&json, key);
	buf_str(&json, "\"}]}]}");
	assert_int_equal(ctlogs_read(buf_view(&json), &logs, NULL), RC_OK);
	return logs;
}

static X509 *
issue_root(EVP_PKEY *key, struct span tnauth)
{
	return pki_issue(
	    &(struct pki_spec){ .cn = "Root", .key = key, .ca = true, .tnauth = tnauth });
}

static int
make_world(void **state)
{
	AUTO_OSSL(X509) *other = NULL;
	AUTO_BUF code = BUF_INIT(100), number = BUF_INIT(100), caller = BUF_INIT(100);

	(void)state;
	pki_tnauth_spc(&code, "1234");
	pki_tnauth_one(&number, "12025550199");
	pki_tnauth_one(&caller, CALLER);
	w.root_key = pki_p256();
	w.leaf_key = pki_p256();
	w.other_key = pki_p256();
	w.log_key = pki_p256();
	w.root = issue_root(w.root_key, (struct span){ 0 });
	w.coded = issue_root(w.root_key, buf_view(&code));
	w.narrow = issue_root(w.root_key, buf_view(&number));
	w.own = issue_root(w.root_key, buf_view(&caller));
	other = issue_root(w.other_key, (struct span){ 0 });
	w.anchors = read_anchors(w.root);
	w.codeds = read_anchors(w.coded);
	w.narrows = read_anchors(w.narrow);
	w.owns = read_anchors(w.own);
	w.others = read_anchors(other);
	w.logs = read_logs(w.log_key);
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
	X509_free(w.coded);
	X509_free(w.narrow);
	X509_free(w.own);
	anchors_free(w.anchors);
	anchors_free(w.codeds);
	anchors_free(w.narrows);
	anchors_free(w.owns);
	anchors_free(w.others);
	ctlogs_free(w.logs);
	return 0;
}

enum {
	OTHER_KEY = 1,
	OTHER_ANCHORS = 2,
	NO_ANCHORS = 4,
	CODE = 8,
	NO_X5C = 16,
	OURS = 32,
	LOGGED = 64,
	NO_LOGS = 128,
	CODED = 256,	   /* the anchor names a provider */
	NARROW = 512,	   /* the anchor has another number */
	LONG = 1024,	   /* eight days */
	SPENT = 2048,	   /* by now, not by its iat */
	ORIGINATOR = 4096, /* a code beside the number */
	IDENTITY = 8192,
	WRONG_INFO = 16384,
	OWN = 32768,  /* the anchor has the number and nothing else */
	MUTE = 65536, /* an extension of the leaf stands for doNotOriginate */
	NAMED = 131072,
	TWO_NAMES = 262144,
	OTHER_NAME = 524288,
	NO_X5U = 1048576,
};

#define OFF	ENCOMPASS_OFF
#define REQUIRE ENCOMPASS_REQUIRE
#define PRESENT ENCOMPASS_IF_PRESENT

static struct proof_case {
	const char *name;
	unsigned flags;
	enum profile profile;
	enum encompass_mode mode;
	const char *payload, *ppt;
	const char *detail; /* part of it; NULL: it proves */
} proof_cases[] = {
/* clang-format off */
#define ATIS PROFILE_ATIS_DELEGATE, PRESENT
#define VESPER PROFILE_VESPER_06, PRESENT
#define DOMAIN PROFILE_DOMAIN, PRESENT
	{ "base PASSporT (RFC 8588 s4)", 0, ATIS, GOOD, NULL, NULL },
	{ "Identity value", IDENTITY, ATIS, GOOD, NULL, NULL },
	{ "Identity value of another x5u", IDENTITY | WRONG_INFO, ATIS, GOOD, NULL, "info" },
	{ "x5u of one of ours", NO_X5C | OURS, ATIS, GOOD, NULL, NULL },
	{ "a minute old", 0, ATIS, CLAIMS(CALLER, Q(CALLEE), "1799999940"), NULL, NULL },
	{ "a destination more", 0, ATIS,
	    CLAIMS(CALLER, Q("12125550112") "," Q(CALLEE), "1800000000"), NULL, "another call" },
	{ "another call's dest", 0, ATIS, CLAIMS(CALLER, Q("12125550112"), "1800000000"), NULL,
	    "another call" },
	{ "another number", 0, ATIS, CLAIMS("12025550101", Q(CALLEE), "1800000000"), NULL,
	    "authority" },
	{ "a minute and a second old", 0, ATIS, CLAIMS(CALLER, Q(CALLEE), "1799999939"), NULL,
	    "stale_iat" },
	{ "ahead", 0, ATIS, CLAIMS(CALLER, Q(CALLEE), "1800000061"), NULL, "stale_iat" },
	{ "iat as text", 0, ATIS, CLAIMS(CALLER, Q(CALLEE), Q("1800000000")), NULL, "iat" },
	{ "no number", 0, ATIS, "{\"dest\":{\"tn\":[\"1\"]},\"iat\":1800000000}", NULL, "tn" },
	{ "certificates that have expired since", SPENT, ATIS,
	    CLAIMS(CALLER, Q(CALLEE), "1799999980"), NULL, "expired" },
	{ "another key", OTHER_KEY, ATIS, GOOD, NULL, "signature" },
	{ "an anchor that is not ours", OTHER_ANCHORS, ATIS, GOOD, NULL, "path" },
	{ "no anchors at all", NO_ANCHORS, ATIS, GOOD, NULL, "trust anchor" },
	{ "a provider's shaken", CODE, ATIS, SHAKEN, "shaken", "speak for orig" },
	{ "rich call data", 0, ATIS, RCD(""), "rcd", NULL },
	{ "a third party's (RFC 9795 s10.1)", 0, ATIS, RCD("\"iss\":\"Q\","), "rcd",
	    "third party" },
	{ "numbers that do not originate (D-42)", MUTE, ATIS, GOOD, NULL, "do not originate" },
	{ "certificates elsewhere", NO_X5C, ATIS, GOOD, NULL, "no_chain" },
	{ "not a token", 0, ATIS, NULL, NULL, "proves nothing" },
	{ "an SCT, as the profile wants (V-11)", LOGGED, VESPER, GOOD, NULL, NULL },
	{ "no SCT (V-11)", 0, VESPER, GOOD, NULL, "sct_policy" },
	{ "an SCT of no log that we know (V-11)", LOGGED | NO_LOGS, VESPER, GOOD, NULL, "no list" },
	{ "no SCT, and none wanted", NO_LOGS, ATIS, GOOD, NULL, NULL },
	{ "lives for eight days (V-12)", LOGGED | LONG, VESPER, GOOD, NULL, "lives longer" },
	{ "eight days elsewhere", LOGGED | LONG, ATIS, GOOD, NULL, NULL },
	{ "outside its parent (D-45)", NARROW, ATIS, GOOD, NULL, "chain_scope" },
	{ "outside, switched off (D-45)", NARROW, PROFILE_ATIS_DELEGATE, OFF, GOOD, NULL, NULL },
	{ "a parent by code (D-45)", CODED, ATIS, GOOD, NULL, NULL },
	{ "a parent by code, proof required (D-45)", CODED, PROFILE_ATIS_DELEGATE, REQUIRE, GOOD,
	    NULL, "chain_scope" },
	{ "nothing above has a list (D-45)", 0, PROFILE_ATIS_DELEGATE, REQUIRE, GOOD, NULL,
	    "chain_scope" },
	{ "inside its parent (D-45)", OWN, PROFILE_ATIS_DELEGATE, REQUIRE, GOOD, NULL, NULL },
	{ "originators are no scope (D-05)", LOGGED | ORIGINATOR | OWN, PROFILE_VESPER_06,
	    REQUIRE, GOOD, NULL, NULL },
	{ "elsewhere a code is scope (D-05)", LOGGED | ORIGINATOR | OWN, ATIS, GOOD, NULL,
	    "chain_scope" },
	{ "domain, its own host (D-49)", LOGGED | NAMED, DOMAIN, GOOD, NULL, NULL },
	{ "domain, another host (D-49)", LOGGED | OTHER_NAME, DOMAIN, GOOD, NULL, "dNSName" },
	{ "domain, two names (D-49)", LOGGED | TWO_NAMES, DOMAIN, GOOD, NULL, "dNSName" },
	{ "domain, no name (D-49)", LOGGED, DOMAIN, GOOD, NULL, "dNSName" },
	{ "domain, no x5u (D-49)", LOGGED | NAMED | NO_X5U, DOMAIN, GOOD, NULL, "dNSName" },
	{ "elsewhere another host", LOGGED | OTHER_NAME, VESPER, GOOD, NULL, NULL },
	/* clang-format on */
};

static X509 *
anchor_of(unsigned flags)
{
	return (flags & CODED) != 0    ? w.coded
	       : (flags & NARROW) != 0 ? w.narrow
	       : (flags & OWN) != 0    ? w.own
				       : w.root;
}

static X509 *
leaf_of(const struct proof_case *c)
{
	AUTO_BUF list = BUF_INIT(1000), sct = BUF_INIT(1000), scts = BUF_INIT(1000);
	struct tnauth_entry e[] = { { .kind = TNAUTH_ONE, .count = 1 },
		{ .kind = TNAUTH_SPC, .spc = "5678" } };
	struct pki_spec spec = { .cn = "Leaf",
		.key = w.leaf_key,
		.issuer = anchor_of(c->flags),
		.issuer_key = w.root_key };

	assert_int_equal(tn_exact(span_str(CALLER), &e[0].start, NULL), RC_OK);
	if ((c->flags & CODE) != 0)
		pki_tnauth_spc(&list, "1234");
	else
		assert_int_equal(
		    tnauth_encode(&list, e, (c->flags & ORIGINATOR) != 0 ? 2 : 1, NULL), RC_OK);
	spec.tnauth = buf_view(&list);
	if ((c->flags & LONG) != 0)
		spec.not_after_s = PKI_NOW + 8 * 86400;
	if ((c->flags & SPENT) != 0)
		spec.not_after_s = PKI_NOW - 10;
	spec.san = (c->flags & NAMED) != 0	  ? "DNS:Cert.example"
		   : (c->flags & TWO_NAMES) != 0  ? "DNS:cert.example,DNS:b.example"
		   : (c->flags & OTHER_NAME) != 0 ? "DNS:a.cert.example"
						  : NULL;
	if ((c->flags & LOGGED) != 0) {
		pki_sct(&sct, &spec, w.log_key, (PKI_NOW - 100) * 1000);
		pki_sct_list(&scts, buf_view(&sct));
		spec.scts = buf_view(&scts);
	}
	return pki_issue(&spec);
}

static void
make_token(struct buf *out, const struct proof_case *c, X509 *leaf)
{
	AUTO_BUF header = BUF_INIT(20000);

	buf_str(&header, "{\"alg\":\"ES256\",");
	if (c->ppt != NULL)
		buf_printf(&header, "\"ppt\":\"%s\",", c->ppt);
	buf_str(&header, "\"typ\":\"passport\"");
	if ((c->flags & NO_X5C) == 0) {
		buf_str(&header, ",\"x5c\":");
		pki_x5c(&header, &leaf, 1);
	}
	if ((c->flags & NO_X5U) == 0)
		buf_str(&header, ",\"x5u\":\"" X5U "\"");
	buf_str(&header, "}");
	pki_jws(out, buf_text(&header), c->payload,
	    (c->flags & OTHER_KEY) != 0 ? w.other_key : w.leaf_key);
	if ((c->flags & IDENTITY) != 0)
		buf_printf(out, ";info=<%s>;alg=ES256",
		    (c->flags & WRONG_INFO) != 0 ? "https://cert.example/b.pem" : X5U);
}

static void
prepare(struct passport *p, const char *claims)
{
	struct passport_policy policy = { .now_s = PKI_NOW, .iat_past_s = 60 };
	json_auto_t *root = json_loads(claims, 0, NULL);

	assert_non_null(root);
	assert_int_equal(passport_prepare(root, PPT_BASE, &policy, p, NULL), RC_OK);
}

/* ---- what is remembered ---- */

static struct memory {
	const struct chain *chain; /* of X5U */
	bool holds;
	unsigned asked, told;
} memory;

static const struct chain *
known(void *arg, struct span x5u)
{
	return span_is(x5u, X5U) ? ((struct memory *)arg)->chain : NULL;
}

static bool
remembered(void *arg, struct span token, const struct chain *chain)
{
	struct memory *m = arg;

	(void)token;
	assert_ptr_equal(chain, m->chain);
	m->asked++;
	return m->holds;
}

static void
remember(void *arg, struct span token, const struct chain *chain)
{
	(void)token;
	(void)chain;
	((struct memory *)arg)->told++;
}

static const struct anchors *
anchors_of(unsigned flags)
{
	return (flags & OTHER_ANCHORS) != 0 ? w.others
	       : (flags & NO_ANCHORS) != 0  ? NULL
	       : (flags & CODED) != 0	    ? w.codeds
	       : (flags & NARROW) != 0	    ? w.narrows
	       : (flags & OWN) != 0	    ? w.owns
					    : w.anchors;
}

/* Verified, then compared with the call of GOOD. */
static enum rc
prove(const struct proof_case *c, struct span token, struct fault *f)
{
	const struct proof_policy policy = proof_policy_of(profile_rule(c->profile), c->mode);
	const struct proof_input in = { .text = token,
		.policy = &policy,
		.anchors = anchors_of(c->flags),
		.ctlogs = (c->flags & NO_LOGS) != 0 ? NULL : w.logs,
		.do_not_originate =
		    (c->flags & MUTE) != 0 ? "2.5.29.14" : "1.3.6.1.4.1.99999.1",
		.known = known,
		.remembered = remembered,
		.remember = remember,
		.arg = &memory,
		.now_s = PKI_NOW };
	__attribute__((cleanup(passport_done))) struct passport call = { 0 };
	__attribute__((cleanup(proof_done))) struct proof p = { 0 };

	prepare(&call, GOOD);
	if (proof_verify(&in, &p.claims, &p.fault) == RC_OK)
		assert_non_null(p.claims);
	else
		assert_null(p.claims);
	return proof_judge(&p, &call, f);
}

static void
proves(void **state)
{
	const struct proof_case *c = *state;
	AUTO_BUF token = BUF_INIT(40000), pem = BUF_INIT(40000);
	AUTO_OSSL(X509) *leaf = leaf_of(c);
	AUTO(chain) *chain = NULL;
	struct fault f = { 0 };
	enum rc rc;

	pki_pem(&pem, leaf);
	assert_int_equal(chain_read_pem(buf_view(&pem), false, &chain, NULL), RC_OK);
	memory = (struct memory){ .chain = (c->flags & OURS) != 0 ? chain : NULL };
	if (c->payload != NULL)
		make_token(&token, c, leaf);
	else
		buf_str(&token, "no.token");
	rc = prove(c, buf_view(&token), &f);
	if (c->detail == NULL) {
		assert_string_equal(f.detail, "");
		assert_int_equal(rc, RC_OK);
		assert_int_equal(memory.told, 1);
		return;
	}
	assert_int_equal(rc, RC_DENIED);
	assert_string_equal(f.reason, "attest_not_allowed");
	if (strstr(f.detail, c->detail) == NULL)
		fail_msg("got %s", f.detail);
	assert_int_equal(memory.told, strcmp(c->detail, "another call") == 0);
}

/* A bit of the payload turned is a signature that does not verify, or no JSON: never a proof. */
static void
no_bit_may_turn(void **state)
{
	static const struct proof_case good = { "", 0, ATIS, GOOD, NULL, NULL };
	AUTO_BUF token = BUF_INIT(40000);
	AUTO_OSSL(X509) *leaf = leaf_of(&good);

	(void)state;
	memory = (struct memory){ .holds = false };
	make_token(&token, &good, leaf);
	for (size_t i = token.len - 200; i < token.len; i += 7) {
		struct fault f = { 0 };

		token.ptr[i] ^= 1;
		assert_int_not_equal(prove(&good, buf_view(&token), &f), RC_OK);
		token.ptr[i] ^= 1;
	}
	for (size_t n = 0; n < token.len; n += n < token.len - 100 ? 37 : 1)
		assert_int_equal(prove(&good, span_of(token.ptr, n), NULL), RC_DENIED);
	assert_int_equal(memory.told, 0);
	assert_int_equal(prove(&good, buf_view(&token), NULL), RC_OK);
	assert_int_equal(memory.told, 1);
}

/* Signatures are not verified again; the moment and the call are judged each time. */
static void
what_was_good(void **state)
{
	static const struct proof_case rows[] = {
		{ "", OTHER_KEY, ATIS, GOOD, NULL, NULL },
		{ "", OTHER_KEY | SPENT, ATIS, GOOD, NULL, "expired" },
		{ "", OTHER_KEY | LONG, VESPER, GOOD, NULL, "lives longer" },
		{ "", OTHER_KEY | CODE, ATIS, GOOD, NULL, "hold the number" },
		{ "", OTHER_KEY | OTHER_NAME, DOMAIN, GOOD, NULL, "dNSName" },
		{ "", OTHER_KEY | MUTE, ATIS, GOOD, NULL, "do not originate" },
		{ "", OTHER_KEY, ATIS, CLAIMS(CALLER, Q(CALLEE), "1799999939"), NULL,
		    "stale_iat" },
		{ "", OTHER_KEY, ATIS, CLAIMS(CALLER, Q("911"), "1800000000"), NULL,
		    "another call" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_BUF token = BUF_INIT(40000);
		AUTO_OSSL(X509) *leaf = leaf_of(&rows[i]);
		struct fault f = { 0 };

		memory = (struct memory){ .holds = true };
		make_token(&token, &rows[i], leaf);
		(void)!prove(&rows[i], buf_view(&token), &f);
		if (strstr(f.detail, rows[i].detail != NULL ? rows[i].detail : "") == NULL ||
		    (rows[i].detail == NULL) != (f.rc == RC_OK))
			fail_msg("row %zu: %s", i, f.detail);
		assert_int_equal(memory.told, 0);
	}
}

/* What both ask: never less than one of them. */
static void
policies_join(void **state)
{
	static const struct {
		struct proof_policy a, b, want;
	} rows[] = {
		{ { 0, OFF, false, 0, false }, { 1, PRESENT, true, 7, true },
		    { 1, PRESENT, true, 7, true } },
		{ { 1, REQUIRE, true, 7, true }, { 0, OFF, false, 0, false },
		    { 1, REQUIRE, true, 7, true } },
		{ { 1, PRESENT, false, 7, false }, { 2, REQUIRE, false, 9, false },
		    { 2, REQUIRE, false, 7, false } },
		{ { 0, REQUIRE, false, 9, false }, { 0, PRESENT, false, 7, false },
		    { 0, REQUIRE, false, 7, false } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct proof_policy p = rows[i].a;

		proof_policy_join(&p, &rows[i].b);
		assert_int_equal(p.min_scts, rows[i].want.min_scts);
		assert_int_equal(p.encompassing, rows[i].want.encompassing);
		assert_int_equal(p.codes_are_scope, rows[i].want.codes_are_scope);
		assert_int_equal(p.max_lifetime_s, rows[i].want.max_lifetime_s);
		assert_int_equal(p.domain_bound, rows[i].want.domain_bound);
	}
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(proof_cases) + 3];
	size_t n = 0;

	ROWS(tests, n, proof_cases, proves);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_bit_may_turn);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_was_good);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(policies_join);
	return cmocka_run_group_tests(tests, make_world, drop_world);
}
