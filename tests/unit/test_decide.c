/* caller, policy and the order of the decision, over sets made by hand */
#include "agent/front/decide.h"

#include <poll.h>
#include <sys/socket.h>

#include "agent/front/verifier.h"
#include "agent/members.h"
#include "agent/release.h"
#include "stir/b64.h"
#include "tests/unit/pki.h"
#include "tests/unit/rows.h"
#include "tests/unit/spec.h"

enum { NOW = 1800000000, DAY = 86400 };
#define N0		 "12025550100"
#define ORIGID		 "'origid':'123e4567-e89b-12d3-a456-426655440000'"
#define BASE(orig)	 "{'orig':{'tn':'" orig "'},'dest':{'tn':['12125550111']}}"
#define MORE(orig, more) "{'orig':{'tn':'" orig "'},'dest':{'tn':['12125550111']}," more "}"
#define SHAKEN(orig, a)	 MORE(orig, "'attest':'" a "'," ORIGID)

/* RFC 9795 section 8.3 */
#define ICON	    "https://example.com/photos/q-256x256.png"
#define D_ICON	    "sha256-RojgWwU6xUtI4q82+kHPyHm1JKbm7+663bMvzymhkl4"
#define D_OTHER	    "sha256-jL4f47fF82LuwcrOrSyckA4SWrlElfARHkW6kYo1JdI"
#define RCD(uri, d) "'rcd':{'nam':'Q','icn':'" uri "'},'rcdi':{'/icn':'" d "'}"
/* SHA-256 of the salt and "ACME" with its quotes, made with Python's hashlib. */
#define COMMITTED  "YrpXe5ipbgni7cdSVK0kAHkRsSgBg2iYsETMMxJeSIg"
#define SALTS	   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 pid\n"
#define PRIV(more) MORE("12025550197", more)
#define KEY_ID_OID "2.5.29.14" /* subjectKeyIdentifier */
#define VPER(id) \
	"'vper':{'id':'" id "','glue':['urn:glue:pen:32473'],'name':'ACME'," \
	"'domain':'acme.example'}"

/* ---- the set ---- */

struct spec { /* a tenant with one credential, or two */
	const char *tenant, *numbers;
	uid_t uid;
	gid_t gid;
	char attest_max;
	unsigned rate;
	const char *ppt; /* the only one allowed */
	bool disabled;
	struct spec_credential {
		const char *name;
		enum profile profile;
		enum credential_state state;
		const char *why; /* reason of an unusable one */
		const char *tn;	 /* number in the certificate, or its code for class sp */
		bool ca;	 /* another certificate may come */
		bool expired, no_x5u;
		unsigned priority;
		enum unlisted_tn unlisted;
		const char *extra;	 /* extra_claims */
		const char *constraints; /* see spec.h */
	} credential[2];
};

/* Sorted by name, as a configuration is. */
static const struct spec specs[] = {
	{ "acme", "12025550100-12025550109", 1000, 0, 'A', 0, NULL, false,
	    { { "main", PROFILE_VESPER_06, CREDENTIAL_READY, NULL, N0, true, false, false, 0, 0,
		"note,memo", "{'p':[['note','yes']],'x':['evil']}" } } },
	{ "both", "12025550120", 1007, 0, 'A', 0, NULL, false,
	    { { "one", PROFILE_ATIS_DELEGATE, CREDENTIAL_READY, NULL, "12025550120", true,
		  false, false, 1, 0, NULL, NULL },
		{ "two", PROFILE_ATIS_DELEGATE, CREDENTIAL_READY, NULL, "12025550120", true,
		    false, false, 1, 0, NULL, NULL } } },
	{ "byhand", "12025550130-12025550139", 1010, 0, 'A', 0, NULL, false,
	    { { "main", PROFILE_ATIS_DELEGATE, CREDENTIAL_READY, NULL, "12025550130", false,
		false, true, 0, 0, NULL, NULL } } },
	{ "expired", "12025550150", 1004, 0, 'A', 0, NULL, false,
	    { { "main", PROFILE_ATIS_DELEGATE, CREDENTIAL_READY, NULL, "12025550150", true,
		true, false, 0, 0, NULL, "{'x':['evil']}" } } },
	{ "few", "12025550160", 1011, 0, 0, 2, "base", false,
	    { { "main", PROFILE_ATIS_DELEGATE, CREDENTIAL_READY, NULL, "12025550160", true,
		false, false, 0, 0, NULL, NULL } } },
	{ "group", "12025550170", 1, 77, 'A', 0, NULL, false,
	    { { "main", PROFILE_ATIS_DELEGATE, CREDENTIAL_READY, NULL, "12025550170", true,
		false, false, 0, 0, NULL, NULL } } },
	{ "late", "12025550190", 1003, 0, 'A', 0, NULL, false,
	    { { "main", PROFILE_ATIS_DELEGATE, CREDENTIAL_PENDING, NULL, NULL, true, false,
		false, 0, 0, NULL, NULL } } },
	{ "off", "12025550180", 1002, 0, 'A', 0, NULL, true,
	    { { "main", PROFILE_ATIS_DELEGATE, CREDENTIAL_READY, NULL, "12025550180", true,
		false, false, 0, 0, NULL, NULL } } },
	{ "osp", N0, 1000, 0, 'B', 0, NULL, false,
	    { { "main", PROFILE_SHAKEN_SP, CREDENTIAL_READY, NULL, "1234", true, false, false,
		0, UNLISTED_C, NULL, NULL } } },
	{ "permits", "12025550193", 1015, 0, 'A', 0, NULL, false,
	    { { "main", PROFILE_ATIS_DELEGATE, CREDENTIAL_READY, NULL, "12025550193", true,
		false, false, 0, 0, "rcd",
		"{'p':[['rcdi','{\\\"/icn\\\":\\\"" D_ICON "\\\"}']]}" } } },
	{ "owna", "12025550111", 1015, 0, 'A', 0, NULL, false,
	    { { "main", PROFILE_VESPER_05, CREDENTIAL_READY, NULL, "12025550111", true, false,
		false, 0, 0, NULL, NULL } } },
	{ "ownb", "12025550112", 1015, 0, 'A', 0, NULL, false,
	    { { "main", PROFILE_VESPER_05, CREDENTIAL_READY, NULL, "12025550112", true, false,
		false, 0, 0, NULL, NULL } } },
	{ "ownc", "12025550113", 1015, 0, 'B', 0, NULL, false,
	    { { "main", PROFILE_VESPER_05, CREDENTIAL_READY, NULL, "12025550113", true, false,
		false, 0, 0, "attest", NULL } } },
	{ "pins", "12025550194", 1016, 0, 'A', 0, NULL, false,
	    { { "main", PROFILE_ATIS_DELEGATE, CREDENTIAL_READY, NULL, "12025550194", true,
		false, false, 0, 0, "rcd,rcdi", NULL } } },
	{ "priv", "12025550197", 1017, 0, 'A', 0, NULL, false,
	    { { "main", PROFILE_ATIS_DELEGATE, CREDENTIAL_READY, NULL, "12025550197", true,
		false, false, 0, 0, NULL,
		"{'p':[['pid#commit-sha-256','" COMMITTED "'],['vper/id','e-1','e-2']]}" } } },
	{ "prov", "12025550196", 1013, 0, 0, 0, NULL, false,
	    { { "main", PROFILE_SHAKEN_SP, CREDENTIAL_READY, NULL, "7777", true, false, false,
		0, UNLISTED_REFUSE, NULL, "{'p':[['attest','A','B']]}" } } },
	{ "provc", "12025550199", 1013, 0, 0, 0, NULL, false,
	    { { "main", PROFILE_SHAKEN_SP, CREDENTIAL_READY, NULL, "8888", true, false, false,
		0, UNLISTED_REFUSE, NULL, "{'p':[['attest','A','B']]}" } } },
	{ "rank", "12025550140", 1008, 0, 0, 0, NULL, false,
	    { { "high", PROFILE_ATIS_DELEGATE, CREDENTIAL_READY, NULL, "12025550140", true,
		  false, false, 9, 0, NULL, NULL },
		{ "low", PROFILE_ATIS_DELEGATE, CREDENTIAL_READY, NULL, "12025550140", true,
		    false, false, 1, 0, NULL, NULL } } },
	{ "sct", "12025550191", 1005, 0, 'A', 0, NULL, false,
	    { { "main", PROFILE_VESPER_06, CREDENTIAL_UNUSABLE, "sct_policy", NULL, true, false,
		false, 0, 0, NULL, NULL } } },
	{ "spent", "12025550192", 1006, 0, 'A', 0, NULL, false,
	    { { "main", PROFILE_VESPER_06, CREDENTIAL_UNUSABLE, "chain_path", NULL, true, false,
		false, 0, 0, NULL, NULL } } },
	{ "strict", "12025550195", 1012, 0, 'A', 0, NULL, false,
	    { { "main", PROFILE_SHAKEN_SP, CREDENTIAL_READY, NULL, "5678", true, false, false,
		0, UNLISTED_REFUSE, NULL, NULL } } },
	{ "watch", "12025550198", 1019, 0, 'B', 1, "base", false,
	    { { "main", PROFILE_SHAKEN_SP, CREDENTIAL_READY, NULL, "4321", true, false, false,
		0, UNLISTED_C, NULL, NULL } } },
	{ "zone", "12025550197", 1014, 0, 'A', 0, NULL, false,
	    { { "main", PROFILE_ATIS_DELEGATE, CREDENTIAL_READY, NULL, "12025550197", true,
		false, false, 0, 0, "vper", NULL } } },
};

static const struct rules { /* of some of them */
	const char *tenant, *dests;
	const char *content;	 /* URI and digest of rcd_content */
	const char *attestation; /* listed, delegate_proof, known_customer, otherwise; lowers */
	const char *caller_spc;
	const char *originator; /* a code in the certificate beside the number */
} rules[] = {
	{ "owna", NULL, NULL, NULL, "1234", "1234" },
	{ "ownb", NULL, NULL, NULL, "5678,abc", "ABC" },
	{ "ownc", NULL, NULL, NULL, "5678", NULL },
	{ "pins", NULL, ICON " " D_ICON, NULL, NULL, NULL },
	{ "prov", NULL, NULL, "BABC", NULL, NULL },
	{ "provc", NULL, NULL, "C\0BC", NULL, NULL },
	{ "watch", "12125550100-12125550110", NULL, NULL, NULL, NULL },
	{ "zone", "12125550100-12125550119", NULL, NULL, NULL, NULL },
};

static char *
copy(const char *text)
{
	char *out = text == NULL ? NULL : strdup(text);

	assert_true(text == NULL || out != NULL);
	return out;
}

static void
put_list(struct config_strings *list, const char *commas)
{
	AUTO_FREE char *text = copy(commas);
	char *rest = text, *one;

	if (text == NULL)
		return;
	list->item = calloc(8, sizeof(char *));
	assert_non_null(list->item);
	while ((one = strsep(&rest, ",")) != NULL)
		list->item[list->len++] = copy(one);
}

static void
put_config_credential(struct config_credential *c, const struct spec_credential *s)
{
	c->name = copy(s->name);
	c->base = copy(s->name);
	c->profile = s->profile;
	c->token = copy("main");
	c->ca = s->ca ? copy("lab") : NULL;
	c->priority = s->priority;
	c->unlisted_tn = s->unlisted;
	put_list(&c->extra_claims, s->extra);
}

static void
put_content(struct config_credential *c, const char *text)
{
	c->rcd_content = calloc(2, sizeof *c->rcd_content);
	assert_non_null(c->rcd_content);
	c->rcd_contents = 2;
	c->rcd_content[0].uri = copy("https://example.com/observed.png");
	c->rcd_content[1].uri = strndup(text, strcspn(text, " "));
	c->rcd_content[1].pinned = true;
	assert_int_equal(
	    rcd_digest_parse(span_str(strchr(text, ' ') + 1), &c->rcd_content[1].digest, NULL),
	    RC_OK);
}

static void
put_rules(struct config_tenant *t, const struct rules *r)
{
	struct tn_interval dests;

	if (strcmp(t->name, r->tenant) != 0)
		return;
	if (r->dests != NULL) {
		assert_int_equal(tnset_parse(span_str(r->dests), &dests, NULL), RC_OK);
		assert_int_equal(tnset_build(&dests, 1, &t->dests, NULL), RC_OK);
	}
	put_list(&t->caller_spc, r->caller_spc);
	if (r->attestation != NULL)
		t->attestation = (struct config_attestation){ .set = true,
			.listed = r->attestation[0],
			.delegate_proof = r->attestation[1],
			.known_customer = r->attestation[2],
			.otherwise = r->attestation[3],
			.lower = true };
	if (r->content != NULL)
		put_content(&t->credential[0], r->content);
}

static void
put_config_tenant(struct config_tenant *t, const struct spec *s)
{
	struct tn_interval numbers;

	t->name = copy(s->tenant);
	t->enabled = !s->disabled;
	assert_int_equal(tnset_parse(span_str(s->numbers), &numbers, NULL), RC_OK);
	assert_int_equal(tnset_build(&numbers, 1, &t->numbers, NULL), RC_OK);
	t->allow_uid = calloc(1, sizeof *t->allow_uid);
	t->allow_gid = calloc(1, sizeof *t->allow_gid);
	assert_true(t->allow_uid != NULL && t->allow_gid != NULL);
	t->allow_uid[0] = s->uid;
	t->allow_uids = 1;
	t->allow_gid[0] = s->gid;
	t->allow_gids = s->gid != 0;
	t->attest_max = s->attest_max;
	t->entity_id = strcmp(s->tenant, "priv") == 0 ? copy("e-1") : NULL;
	t->rate = s->rate;
	put_list(&t->ppts, s->ppt);
	t->credentials = s->credential[1].name != NULL ? 2 : 1;
	t->credential = calloc(2, sizeof *t->credential);
	assert_non_null(t->credential);
	for (size_t i = 0; i < t->credentials; i++)
		put_config_credential(&t->credential[i], &s->credential[i]);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		put_rules(t, &rules[i]);
}

static struct config *
make_config(void)
{
	struct config *c = calloc(1, sizeof *c);

	assert_non_null(c);
	c->iat_past_s = PASSPORT_PAST_S;
	c->iat_future_s = PASSPORT_FUTURE_S;
	c->iat_diverted_s = PASSPORT_DIVERTED_S;
	c->token = calloc(2, sizeof *c->token);
	c->tenant = calloc(ARRAY_LEN(specs), sizeof *c->tenant);
	assert_true(c->token != NULL && c->tenant != NULL);
	c->token[0].name = copy("main");
	c->token[1].name = copy("second");
	c->tokens = 2;
	for (size_t i = 0; i < ARRAY_LEN(specs); i++)
		put_config_tenant(&c->tenant[c->tenants++], &specs[i]);
	return c;
}

/* One number, and the code that the tenant's rules put beside it. */
static void
put_tnauth(struct buf *out, const char *tenant, const char *tn)
{
	struct tnauth_entry e[2] = { { .kind = TNAUTH_ONE, .count = 1 },
		{ .kind = TNAUTH_SPC } };
	size_t n = 1;

	assert_int_equal(tn_exact(span_str(tn), &e[0].start, NULL), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (strcmp(rules[i].tenant, tenant) != 0 || rules[i].originator == NULL)
			continue;
		snprintf(e[1].spc, sizeof e[1].spc, "%s", rules[i].originator);
		n = 2;
	}
	assert_int_equal(tnauth_encode(out, e, n, NULL), RC_OK);
}

struct life {
	int64_t from_s, to_s;
};

static void
issue(struct credential *c, const struct spec_credential *s, EVP_PKEY *key, struct life life)
{
	AUTO_BUF tnauth = BUF_INIT(1000), constraints = BUF_INIT(4000), pem = BUF_INIT(20000);
	struct gate_policy policy = { .profile = profile_rule(s->profile),
		.attest_in_rsp = true,
		.third_party_iss = "A" }; /* third_party_rcd is judged before */
	struct constraints *wanted = NULL;
	struct pki_spec spec = { .cn = "leaf", .key = key };
	struct fault f = { 0 };
	X509 *x;

	if (profile_rule(s->profile)->cls == CLASS_SP)
		pki_tnauth_spc(&tnauth, s->tn);
	else
		put_tnauth(&tnauth, c->tenant, s->tn);
	if (s->constraints != NULL) {
		wanted = make(s->constraints, CONSTRAINTS_ENHANCED);
		assert_int_equal(constraints_encode(&constraints, wanted, NULL), RC_OK);
		constraints_free(wanted);
	}
	spec.tnauth = buf_view(&tnauth);
	spec.enhanced_constraints = buf_view(&constraints);
	spec.not_before_s = life.from_s;
	spec.not_after_s = life.to_s;
	x = pki_issue(&spec);
	pki_pem(&pem, x);
	X509_free(x);
	assert_int_equal(chain_read_pem(buf_view(&pem), false, &c->chain, NULL), RC_OK);
	if (s->constraints != NULL && strstr(s->constraints, "#commit") != NULL) {
		assert_int_equal(salts_read(span_str(SALTS), &c->salts, NULL), RC_OK);
		policy.constraints.assert_committed = true;
		policy.constraints.salts = c->salts;
	}
	assert_int_equal(gate_open(c->chain, &policy, &c->gate, &f), RC_OK);
	gate_validity(c->gate, &c->not_before_s, &c->not_after_s);
	c->scope = c->scope_of_numbers = ENCOMPASS_ABSENT;
	c->x5u = s->no_x5u ? NULL : copy("https://cert.example/x.pem");
}

static struct credential *
make_living(
    const struct spec *s, const struct spec_credential *k, EVP_PKEY *key, struct life life)
{
	struct credential *c = NULL;

	assert_int_equal(credential_new(s->tenant, k->name, k->state, &c, NULL), RC_OK);
	c->profile = k->profile;
	c->priority = k->priority;
	if (k->state == CREDENTIAL_READY) {
		issue(c, k, key, life);
		for (size_t p = 0; p < PPT__COUNT; p++)
			c->header[p] = copy("e30");
	} else if (k->why != NULL)
		(void)FAULT(&c->why, RC_DENIED, k->why, "as it was judged");
	return c;
}

static struct credential *
make_credential(const struct spec *s, const struct spec_credential *k, EVP_PKEY *key)
{
	return make_living(
	    s, k, key, (struct life){ NOW - DAY - 3600, k->expired ? NOW - 1 : NOW + DAY });
}

struct fixture {
	struct credset *set;
	struct policy *policy;
	bool key_ready;
	bool down[2];	  /* this token */
	uint64_t load[2]; /* of this token; both 0: nobody asks */
	unsigned turn;
};

static int
set_up(void **state)
{
	struct fixture *x = calloc(1, sizeof *x);
	struct credset_parts parts = { .config = make_config() };
	struct credset_base *base = NULL;
	EVP_PKEY *key = pki_p256();
	struct fault f = { 0 };

	assert_non_null(x);
	assert_int_equal(credset_base_new(&parts, &base, &f), RC_OK);
	assert_int_equal(credset_new(base, &x->set, &f), RC_OK);
	credset_base_release(base);
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		for (size_t n = 0; n < x->set->config->tenant[i].credentials; n++)
			credset_put(x->set, (struct credset_place){ i, n },
			    make_credential(&specs[i], &specs[i].credential[n], key));
	}
	EVP_PKEY_free(key);
	x->set->generation = 1;
	assert_int_equal(policy_new(&x->policy, &f), RC_OK);
	assert_int_equal(policy_adopt(x->policy, x->set, 0, &f), RC_OK);
	x->key_ready = true;
	*state = x;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *x = *state;

	policy_free(x->policy);
	credset_release(x->set);
	free(x);
	return 0;
}

static bool
key_ready(void *arg, unsigned token, const uint8_t *key_id)
{
	const struct fixture *x = arg;

	(void)key_id;
	return x->key_ready && !x->down[token];
}

static uint64_t
load_us(void *arg, unsigned token)
{
	return ((struct fixture *)arg)->load[token];
}

/* ---- rows ---- */

static struct decide_case {
	const char *name;
	uid_t uid;
	enum ppt ppt;
	const char *tenant, *credential, *claims;
	const char *reason; /* NULL: allowed */
	const char
	    *is; /* "tenant/credential" when allowed; the claim when refused; NULL: none */
} cases[] = {
	{ "by its number", 1000, PPT_BASE, NULL, NULL, BASE(N0), NULL, "acme/main" },
	{ "written with signs", 1000, PPT_BASE, NULL, NULL, BASE("+1 (202) 555-0100"), NULL,
	    "acme/main" },
	{ "named tenant", 1000, PPT_BASE, "acme", NULL, BASE(N0), NULL, "acme/main" },
	{ "named credential", 1000, PPT_BASE, "acme", "main", BASE(N0), NULL, "acme/main" },
	{ "shaken takes class sp", 1000, PPT_SHAKEN, NULL, NULL, SHAKEN(N0, "B"), NULL,
	    "osp/main" },
	{ "vetted claim", 1000, PPT_BASE, NULL, NULL, MORE(N0, "'note':'yes'"), NULL,
	    "acme/main" },
	{ "by priority (D-59)", 1008, PPT_BASE, NULL, NULL, BASE("12025550140"), NULL,
	    "rank/high" },
	{ "named in a tie", 1007, PPT_BASE, NULL, "two", BASE("12025550120"), NULL,
	    "both/two" },
	{ "unlisted, class sp", 1000, PPT_SHAKEN, NULL, NULL, SHAKEN("13035550100", "C"), NULL,
	    "osp/main" },
	{ "unlisted, named", 1000, PPT_SHAKEN, "osp", NULL, SHAKEN("13035550100", "C"), NULL,
	    "osp/main" },

	/* syntax comes before everything that depends on who asks */
	{ "no orig", 1000, PPT_BASE, NULL, NULL, "{'dest':{'tn':['12125550111']}}",
	    "missing_claim", "orig" },
	{ "no orig from a stranger", 9, PPT_BASE, NULL, NULL, "{'dest':{'tn':['12125550111']}}",
	    "missing_claim", "orig" },
	{ "no number", 1000, PPT_BASE, NULL, NULL, BASE("12a"), "invalid_tn", "orig" },
	{ "old iat", 1000, PPT_BASE, NULL, NULL, MORE(N0, "'iat':1799999939"), "stale_iat",
	    "iat" },
	{ "iat ahead (D-21)", 1000, PPT_BASE, NULL, NULL, MORE(N0, "'iat':1800000006"),
	    "stale_iat", "iat" },
	{ "no attest", 1000, PPT_SHAKEN, NULL, NULL, BASE(N0), "missing_claim", "attest" },

	/* caller */
	{ "stranger (RFC 8224 s6.1)", 9, PPT_BASE, NULL, NULL, BASE(N0), "caller_not_allowed",
	    NULL },
	{ "root is not special", 0, PPT_BASE, NULL, NULL, BASE(N0), "caller_not_allowed",
	    NULL },
	{ "stranger names a tenant", 9, PPT_BASE, "acme", NULL, BASE(N0), "caller_not_allowed",
	    NULL },
	{ "another's tenant", 1000, PPT_BASE, "late", NULL, BASE("12025550190"),
	    "caller_not_allowed", NULL },
	{ "no such tenant", 1000, PPT_BASE, "nobody", NULL, BASE(N0), "caller_not_allowed",
	    NULL },
	{ "disabled", 1002, PPT_BASE, NULL, NULL, BASE("12025550180"), "tenant_disabled",
	    NULL },
	{ "disabled, named", 1002, PPT_BASE, "off", NULL, BASE("12025550180"),
	    "tenant_disabled", NULL },

	/* class and ppt */
	{ "no such credential, and no tenant named", 1000, PPT_BASE, NULL, "other", BASE(N0),
	    "no_credential", NULL },
	{ "no such credential of the only tenant, for a third party (D-52)", 1012, PPT_RCD,
	    NULL, "other", MORE("13035550100", "'iss':'A','crn':'x'"), "no_credential", NULL },
	{ "no such credential", 1000, PPT_BASE, "acme", "other", BASE(N0), "no_credential",
	    NULL },
	{ "delegate and shaken", 1003, PPT_SHAKEN, NULL, NULL, SHAKEN("12025550190", "A"),
	    "no_credential", NULL },
	{ "ppt before the number", 1003, PPT_SHAKEN, NULL, NULL, SHAKEN("13035550100", "A"),
	    "no_credential", NULL },
	{ "class sp and base", 1012, PPT_BASE, NULL, NULL, BASE("12025550195"), "no_credential",
	    NULL },
	{ "a ppt that the tenant does not allow (ppts)", 1011, PPT_MSG, "few", NULL,
	    BASE("12025550160"), "no_credential", "" },
	{ "the ppt that the tenant allows (ppts)", 1011, PPT_BASE, "few", NULL,
	    BASE("12025550160"), NULL, "few/main" },

	/* number */
	{ "nobody's number (RFC 8224 s6.1)", 1000, PPT_BASE, NULL, NULL, BASE("13035550199"),
	    "tn_not_authorized", "orig" },
	{ "another tenant's number", 1000, PPT_BASE, NULL, NULL, BASE("12025550190"),
	    "tn_not_authorized", "orig" },
	{ "named, not configured (D-60)", 1000, PPT_BASE, "acme", NULL, BASE("13035550199"),
	    "tn_not_authorized", "orig" },
	{ "same digits, longer", 1000, PPT_BASE, NULL, NULL, BASE("112025550100"),
	    "tn_not_authorized", "orig" },
	{ "configured, certificate to come", 1003, PPT_BASE, NULL, NULL, BASE("12025550190"),
	    "number_pending", "orig" },
	{ "configured, wider certificate to come", 1000, PPT_BASE, NULL, NULL,
	    BASE("12025550101"), "number_pending", "orig" },
	{ "configured, no other certificate to come", 1010, PPT_BASE, NULL, NULL,
	    BASE("12025550131"), "tn_not_authorized", "orig" },
	{ "class sp refuses unlisted (D-05)", 1012, PPT_SHAKEN, NULL, NULL,
	    SHAKEN("13035550100", "C"), "tn_not_authorized", "orig" },

	/* destination */
	{ "allowed destination", 1014, PPT_BASE, NULL, NULL, BASE("12025550197"), NULL,
	    "zone/main" },
	{ "another destination", 1014, PPT_BASE, NULL, NULL,
	    "{'orig':{'tn':'12025550197'},'dest':{'tn':['12125550120']}}", "dest_not_allowed",
	    "dest" },
	{ "one of two destinations", 1014, PPT_BASE, NULL, NULL,
	    "{'orig':{'tn':'12025550197'},'dest':{'tn':['12125550111','911']}}",
	    "dest_not_allowed", "dest" },
	{ "number before the destination", 1014, PPT_BASE, NULL, NULL,
	    "{'orig':{'tn':'12025550198'},'dest':{'tn':['911']}}", "tn_not_authorized",
	    "orig" },

	/* originator (V-73) */
	{ "originator listed", 1015, PPT_BASE, NULL, NULL, BASE("12025550111"), NULL,
	    "owna/main" },
	{ "originator of another case (V-73, D-06)", 1015, PPT_BASE, NULL, NULL,
	    BASE("12025550112"), "originator_not_listed", NULL },
	{ "no originators named", 1015, PPT_BASE, NULL, NULL, BASE("12025550113"), NULL,
	    "ownc/main" },

	/* claims, then constraints */
	{ "unknown claim", 1000, PPT_BASE, NULL, NULL, MORE(N0, "'foo':'x'"), "unknown_claim",
	    "foo" },
	{ "number before the claim", 1000, PPT_BASE, NULL, NULL,
	    MORE("13035550199", "'foo':'x'"), "tn_not_authorized", "orig" },
	{ "value not permitted", 1000, PPT_BASE, NULL, NULL, MORE(N0, "'note':'no'"),
	    "value_not_permitted", "note" },
	{ "allowed here, not vetted there", 1000, PPT_BASE, NULL, NULL, MORE(N0, "'memo':'x'"),
	    "claim_not_vetted", "memo" },
	{ "D-15 a committed value, asserted", 1017, PPT_BASE, NULL, NULL, PRIV("'pid':'ACME'"),
	    NULL, "priv/main" },
	{ "D-15 another value than the committed", 1017, PPT_BASE, NULL, NULL,
	    PRIV("'pid':'ACMF'"), "value_not_permitted", "pid" },
	{ "V-44 vper without its members", 1017, PPT_BASE, NULL, NULL,
	    PRIV("'vper':{'id':'e-1'}"), "invalid_claim", "vper/glue" },
	{ "D-63 the tenant's entity", 1017, PPT_BASE, NULL, NULL, PRIV(VPER("e-1")), NULL,
	    "priv/main" },
	{ "D-63 another entity, which the certificate permits", 1017, PPT_BASE, NULL, NULL,
	    PRIV(VPER("e-2")), "value_not_permitted", "vper/id" },

	{ "D-63 no entity_id is set", 1014, PPT_BASE, NULL, NULL, PRIV(VPER("e-9")), NULL,
	    "zone/main" },

	/* content elsewhere (D-41) */
	{ "D-41: pinned content", 1016, PPT_BASE, NULL, NULL,
	    MORE("12025550194", RCD(ICON, D_ICON)), NULL, "pins/main" },
	{ "no rcdi, nothing to know", 1016, PPT_BASE, NULL, NULL,
	    MORE("12025550194", "'rcd':{'nam':'Q','icn':'data:image/png;base64,AAAA'}"), NULL,
	    "pins/main" },
	{ "no rcdi, content elsewhere (RFC 9795 s4)", 1016, PPT_BASE, NULL, NULL,
	    MORE("12025550194", "'rcd':{'nam':'Q','icn':'https://example.com/x.png'}"),
	    "missing_claim", "rcdi" },
	{ "D-41: the certificate permits the rcdi", 1015, PPT_BASE, NULL, NULL,
	    MORE("12025550193", RCD(ICON, D_ICON)), NULL, "permits/main" },
	{ "D-41: the certificate permits another rcdi (RFC 9795 s6.2)", 1015, PPT_BASE, NULL,
	    NULL, MORE("12025550193", RCD(ICON, D_OTHER)), "value_not_permitted", "rcdi" },
	{ "D-41: another digest than pinned", 1016, PPT_BASE, NULL, NULL,
	    MORE("12025550194", RCD(ICON, D_OTHER)), "rcd_content_unknown", "rcdi" },
	{ "D-41: content that nobody named", 1016, PPT_BASE, NULL, NULL,
	    MORE("12025550194", RCD("https://example.com/x.png", D_ICON)),
	    "rcd_content_unknown", "rcdi" },
	{ "D-41: content not observed yet", 1016, PPT_BASE, NULL, NULL,
	    MORE("12025550194", RCD("https://example.com/observed.png", D_ICON)),
	    "rcd_content_unknown", "rcdi" },
	{ "inline digest before everything", 9, PPT_BASE, NULL, NULL,
	    MORE("12025550194", "'rcd':{'nam':'Q'},'rcdi':{'/nam':'" D_ICON "'}"),
	    "invalid_claim", "rcdi" },
	{ "rcd an array (RFC 9795 s5.1)", 1016, PPT_BASE, NULL, NULL,
	    MORE("12025550194", "'rcd':[]"), "invalid_claim", "rcd" },

	/* health */
	{ "scts (V-35)", 1005, PPT_BASE, NULL, NULL, BASE("12025550191"), "sct_policy", NULL },
	{ "unusable", 1006, PPT_BASE, NULL, NULL, BASE("12025550192"), "credential_unusable",
	    NULL },
	{ "expired", 1004, PPT_BASE, NULL, NULL, BASE("12025550150"), "credential_expired",
	    NULL },
	{ "constraints before expired", 1004, PPT_BASE, NULL, NULL,
	    MORE("12025550150", "'evil':1"), "claim_excluded", "evil" },
	{ "unknown before expired", 1004, PPT_BASE, NULL, NULL, MORE("12025550150", "'foo':1"),
	    "unknown_claim", "foo" },

	/* priority and policy */
	{ "tie (D-59)", 1007, PPT_BASE, NULL, NULL, BASE("12025550120"), "ambiguous_credential",
	    NULL },
	{ "attest above", 1000, PPT_SHAKEN, NULL, NULL, SHAKEN(N0, "A"), "attest_not_allowed",
	    "attest" },
	{ "attest above for an unlisted one", 1000, PPT_SHAKEN, NULL, NULL,
	    SHAKEN("13035550100", "B"), "attest_not_allowed", "attest" },
};

static struct sign_request
request_of(const struct decide_case *c, const json_t *claims)
{
	return (struct sign_request){ .ppt = c->ppt,
		.tenant = c->tenant,
		.credential = c->credential,
		.claims = claims,
		.request_id = "test" };
}

static enum rc
run_as(struct fixture *x, const struct caller *who, const struct sign_request *r, int64_t now_s,
    struct decision *d, struct fault *f)
{
	struct caller_view view = { 0 };
	struct decide_world w = { .set = x->set,
		.policy = x->policy,
		.caller = who,
		.view = caller_see(who, x->set, &view),
		.key_ready = key_ready,
		.load_us = x->load[0] + x->load[1] != 0 ? load_us : NULL,
		.turn = x->turn,
		.arg = x,
		.now_s = now_s };

	return decide(&w, r, d, f);
}

static enum rc
run(struct fixture *x, const struct decide_case *c, int64_t now_s, struct decision *d,
    struct fault *f)
{
	struct caller who = { .uid = c->uid, .gid = 100 };
	json_auto_t *claims = json_of(c->claims);
	struct sign_request r = request_of(c, claims);

	return run_as(x, &who, &r, now_s, d, f);
}

static struct fixture *shared;

static int
share_up(void **state)
{
	void *made = NULL;

	(void)state; /* each row is its test's state */
	set_up(&made);
	shared = made;
	return 0;
}

static int
share_down(void **state)
{
	void *made = shared;

	(void)state;
	return tear_down(&made);
}

static void
decides(void **state)
{
	const struct decide_case *c = *state;
	struct decision d = { 0 };
	struct fault f = { 0 };
	enum rc rc = run(shared, c, NOW, &d, &f);
	char name[128];

	if (c->reason == NULL) {
		assert_string_equal(f.detail, "");
		assert_int_equal(rc, RC_OK);
		snprintf(name, sizeof name, "%s/%s", d.tenant->name, d.credential->name);
		assert_string_equal(name, c->is);
		assert_string_equal(d.config->name, d.credential->name);
	} else {
		assert_int_not_equal(rc, RC_OK);
		assert_string_equal(f.reason, c->reason);
		assert_string_equal(f.claim, c->is != NULL ? c->is : "");
		assert_null(d.credential);
		assert_null(strstr(f.detail, "55501")); /* never a whole number */
	}
	decide_done(&d);
}

/* ---- what a row cannot say ---- */

static const struct decide_case plain = { "", 1000, PPT_BASE, NULL, NULL, BASE(N0), NULL,
	NULL };

/* A dry run is no oracle for a committed value: right and wrong look the same (D-15). */
static void
dry_run_is_silent(void **state)
{
	struct fixture *x = *state;
	static const char *const claims[] = { PRIV("'pid':'ACME'"), PRIV("'pid':'ACMF'") };
	struct fault f[ARRAY_LEN(claims)] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		struct caller who = { .uid = 1017, .gid = 100 };
		json_auto_t *json = json_of(claims[i]);
		struct sign_request r = {
			.ppt = PPT_BASE, .claims = json, .dry_run = true, .request_id = "test"
		};
		struct decision d = { 0 };

		assert_int_equal(run_as(x, &who, &r, NOW, &d, &f[i]), RC_DENIED);
		assert_string_equal(f[i].reason, "private_claim_in_clear");
		assert_string_equal(f[i].claim, "pid");
		decide_done(&d);
	}
	assert_string_equal(f[0].detail, f[1].detail);
}

static void
refused_with(struct fixture *x, const struct decide_case *c, int64_t now_s, const char *reason,
    const char *claim)
{
	struct decision d = { 0 };
	struct fault f = { 0 };

	assert_int_not_equal(run(x, c, now_s, &d, &f), RC_OK);
	assert_string_equal(f.reason, reason);
	assert_string_equal(f.claim, claim);
	decide_done(&d);
}

static void
clock_before_release(void **state)
{
	refused_with(*state, &plain, RELEASE_S - 1, "clock_not_credible", "");
	refused_with(*state, &plain, 0, "clock_not_credible", "");
}

static void
signer_not_ready(void **state)
{
	struct fixture *x = *state;
	struct decide_case wrong = plain, expired = plain;

	x->key_ready = false;
	refused_with(x, &plain, NOW, "hsm_unavailable", "");
	wrong.claims = BASE("13035550199");
	refused_with(x, &wrong, NOW, "tn_not_authorized", "orig"); /* health is last */
	expired.uid = 1004;
	expired.claims = BASE("12025550150");
	refused_with(x, &expired, NOW, "credential_expired", "");
	x->key_ready = true;
}

static void
not_yet_valid(void **state)
{
	refused_with(*state, &plain, NOW - 2 * DAY, "credential_expired", "");
	refused_with(*state, &plain, NOW + DAY + 1, "credential_expired", "");
}

static void
identity_needed(void **state)
{
	struct fixture *x = *state;
	json_auto_t *claims = json_of(BASE("12025550130"));
	struct sign_request r = { .claims = claims, .request_id = "t" };
	struct caller who = { .uid = 1010 };
	struct decision d = { 0 };
	struct fault f = { 0 };

	assert_int_equal(run_as(x, &who, &r, NOW, &d, &f), RC_OK);
	decide_done(&d);
	r.needs_identity = true;
	assert_int_not_equal(run_as(x, &who, &r, NOW, &d, &f), RC_OK);
	assert_string_equal(f.reason, "no_credential");
	assert_string_equal(f.claim, "");
	decide_done(&d);
}

static void
rates(void **state)
{
	struct decide_case c = plain;
	struct fixture *x = *state;
	struct decision d = { 0 };
	struct fault f = { 0 };

	c.uid = 1011;
	c.claims = BASE("12025550160");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(run(x, &c, NOW, &d, &f), RC_OK);
		decide_done(&d);
	}
	refused_with(x, &c, NOW, "rate_limited", "");
	/* Refused requests count as well, and the named tenant is the same bucket. */
	c.tenant = "few";
	refused_with(x, &c, NOW, "rate_limited", "");
	c.claims = "{}"; /* and so do those that no tenant's number is looked up for */
	refused_with(x, &c, NOW, "rate_limited", "");
	assert_int_equal(policy_take(x->policy, 4, 499, &f), RC_BUSY);
	f = (struct fault){ 0 };
	assert_int_equal(policy_take(x->policy, 4, 500, &f), RC_OK);
	assert_int_equal(policy_take(x->policy, 4, 500, &f), RC_BUSY);
	/* A reload does not fill the bucket. */
	f = (struct fault){ 0 };
	assert_int_equal(policy_adopt(x->policy, x->set, 500, &f), RC_OK);
	assert_int_equal(policy_take(x->policy, 4, 500, &f), RC_BUSY);
	f = (struct fault){ 0 };
	assert_int_equal(policy_take(x->policy, 4, 1000000, &f), RC_OK);
	assert_int_equal(policy_take(x->policy, 4, 1000000, &f), RC_OK);
	assert_int_equal(policy_take(x->policy, 4, 1000000, &f), RC_BUSY);
}

static void
strangers_share_one_rate(void **state)
{
	struct fixture *x = *state;
	struct fault f = { 0 };
	unsigned n = 0;

	while (policy_take_stranger(x->policy, 0, &f) == RC_OK)
		n++;
	assert_int_equal(n, POLICY_STRANGER_BURST);
	assert_string_equal(f.reason, "rate_limited");
	f = (struct fault){ 0 };
	assert_int_equal(policy_take_stranger(x->policy, 5, &f), RC_OK);
	assert_int_equal(policy_take_stranger(x->policy, 5, &f), RC_BUSY);
}

/* Of the fixture's own configuration. */
static struct config *
config_in(struct fixture *x)
{
	return (struct config *)(uintptr_t)x->set->config;
}

static void
passes(struct fixture *x, const struct decide_case *c)
{
	struct decision d = { 0 };
	struct fault f = { 0 };

	if (run(x, c, NOW, &d, &f) != RC_OK)
		fail_msg("%s: %s: %s", c->claims, f.reason, f.detail);
	decide_done(&d);
}

/* Who is refused most lately is remembered; nobody pays for another. */
static void
users_have_a_rate_each(void **state)
{
	struct fixture *x = *state;
	struct fault f = { 0 };
	unsigned n = 0;

	while (policy_take_caller(x->policy, 7, 1, &f) == RC_OK)
		n++;
	assert_int_equal(n, POLICY_CALLER_BURST);
	assert_string_equal(f.reason, "rate_limited");
	f = (struct fault){ 0 };
	for (uid_t uid = 1000; uid < 1000 + POLICY_CALLERS - 1; uid++)
		assert_int_equal(policy_take_caller(x->policy, uid, 2, &f), RC_OK);
	assert_int_equal(policy_take_caller(x->policy, 7, 2, &f), RC_BUSY);
	f = (struct fault){ 0 };
	assert_int_equal(policy_take_caller(x->policy, 7, 6, &f), RC_OK);
	assert_int_equal(policy_take_caller(x->policy, 7, 6, &f), RC_BUSY);
	f = (struct fault){ 0 };
	assert_int_equal(
	    policy_take_caller(x->policy, 8, 6, &f), RC_OK); /* in another's place */
	assert_int_equal(policy_take_caller(x->policy, 7, 6, &f), RC_BUSY);
}

/* Refused with this reason, and recorded under this tenant; NULL: under none. */
static void
refused_under(
    struct fixture *x, const struct decide_case *c, const char *reason, const char *tenant)
{
	struct decision d = { 0 };
	struct fault f = { 0 };

	assert_int_not_equal(run(x, c, NOW, &d, &f), RC_OK);
	assert_string_equal(f.reason, reason);
	assert_int_equal(d.tenant != NULL, tenant != NULL);
	if (tenant != NULL)
		assert_string_equal(d.tenant->name, tenant);
	assert_int_equal(d.presumed, tenant != NULL && c->tenant == NULL && c->uid == 1000);
	decide_done(&d);
}

static void
set_rate(struct fixture *x, const char *tenant, unsigned rate)
{
	const struct config_tenant *t = config_tenant_find(x->set->config, tenant);

	config_in(x)->tenant[t - x->set->config->tenant].rate = rate;
	assert_int_equal(policy_adopt(x->policy, x->set, 0, NULL), RC_OK);
}

/* Whoever has several tenants and names none: right and wrong guesses cost the same. */
static void
guesses_cost(void **state)
{
	struct fixture *x = *state;
	struct decide_case wrong = plain, right = plain, off = plain;

	wrong.claims = MORE(N0, "'note':'no'");
	right.claims = MORE(N0, "'note':'yes'");
	set_rate(x, "acme", 2);
	refused_under(x, &wrong, "value_not_permitted", "acme");
	refused_under(x, &wrong, "value_not_permitted", "acme");
	refused_under(x, &wrong, "rate_limited", "acme");
	refused_with(x, &right, NOW, "rate_limited", "");
	set_rate(x, "acme", 0);
	refused_under(x, &wrong, "value_not_permitted", "acme");
	/* Counted before, and so once. */
	set_rate(x, "acme", 2);
	wrong.tenant = "acme";
	refused_under(x, &wrong, "value_not_permitted", "acme");
	refused_under(x, &wrong, "value_not_permitted", "acme");
	refused_under(x, &wrong, "rate_limited", "acme");
	/* What is disabled is nobody's to ask for without end either. */
	off.uid = 1002;
	off.claims = BASE("12025550180");
	set_rate(x, "off", 1);
	refused_under(x, &off, "tenant_disabled", "off");
	refused_under(x, &off, "rate_limited", "off");
}

/* No tenant came into question, or none that is the caller's: its user pays, not the tenant. */
static void
guesses_without_a_tenant_cost(void **state)
{
	struct fixture *x = *state;
	struct decide_case far = plain, anothers = plain, neighbour = plain;

	far.claims = BASE("13035550199");
	anothers.claims = BASE("12025550190"); /* late's */
	neighbour.uid = 1015;
	neighbour.tenant = "late";
	set_rate(x, "late", 1);
	for (int i = 0; i < POLICY_CALLER_BURST; i += 2) {
		refused_under(x, &far, "tn_not_authorized", NULL);
		refused_under(x, &anothers, "tn_not_authorized", NULL);
	}
	refused_under(x, &far, "rate_limited", NULL);
	refused_under(x, &anothers, "rate_limited", NULL);
	passes(x, &plain);
	refused_under(x, &neighbour, "caller_not_allowed", NULL);
	refused_under(x, &neighbour, "caller_not_allowed", NULL);
}

/* A refusal of the user's bucket is all that is left of it. */
static void
user_pays(struct fixture *x, const struct decide_case *c, const char *reason)
{
	assert_int_equal(policy_adopt(x->policy, x->set, 0, NULL), RC_OK);
	for (int i = 0; i < POLICY_CALLER_BURST; i++)
		refused_under(x, c, reason, "acme");
	refused_under(x, c, "rate_limited", "acme");
	policy_free(x->policy);
	assert_int_equal(policy_new(&x->policy, NULL), RC_OK);
	assert_int_equal(policy_adopt(x->policy, x->set, 0, NULL), RC_OK);
}

/* The last candidate's tenant has no rate, or it is only observed; whose value it was is open. */
static void
guesses_at_no_rate_cost(void **state)
{
	struct fixture *x = *state;
	struct decide_case wrong = plain;
	struct config_tenant *t =
	    &config_in(x)
		 ->tenant[config_tenant_find(x->set->config, "acme") - x->set->config->tenant];

	wrong.claims = MORE(N0, "'note':'no'");
	user_pays(x, &wrong, "value_not_permitted");
	t->rate = 1;
	t->observe = 1u << OBSERVE_RATE;
	user_pays(x, &wrong, "value_not_permitted");
	/* By its name it has the rate that its operator gave it. */
	t->rate = 0;
	t->observe = 0;
	assert_int_equal(policy_adopt(x->policy, x->set, 0, NULL), RC_OK);
	wrong.tenant = "acme";
	for (int i = 0; i < POLICY_CALLER_BURST + 1; i++)
		refused_under(x, &wrong, "value_not_permitted", "acme");
	passes(x, &plain);
}

/* A list by reference beside the certificate's own, which holds N0. */
static struct tnlist *
refer(struct credential *c, const char *numbers)
{
	struct gate_policy policy = { .profile = profile_rule(PROFILE_VESPER_06) };
	struct tnlist *list = calloc(1, sizeof *list);
	struct tn_interval in;

	assert_non_null(list);
	atomic_init(&list->refs, 1);
	assert_int_equal(tnset_parse(span_str(numbers), &in, NULL), RC_OK);
	assert_int_equal(tnset_build(&in, 1, &list->numbers, NULL), RC_OK);
	policy.referenced = list->numbers;
	gate_free(c->gate);
	c->gate = NULL;
	assert_int_equal(gate_open(c->chain, &policy, &c->gate, NULL), RC_OK);
	c->list = list; /* freed with it */
	return list;
}

/* D-46: to the second, and only of numbers that nothing else covers. */
static void
too_old_a_list(void **state)
{
	struct fixture *x = *state;
	struct credset_place at = { 0 };
	struct decide_case far = plain, near = plain, neither = plain;
	struct decision d = { 0 };
	struct tnlist *list;

	assert_true(credset_find(x->set, "acme", "main", &at));
	list = refer(credset_credential(x->set, at), "12025550100-12025550101");
	((struct config *)(uintptr_t)x->set->config)
	    ->tenant[at.tenant]
	    .credential[at.credential]
	    .tnlist_max_age_s = 600;
	far.claims = BASE("12025550101");
	near.claims = BASE(N0); /* by value as well */
	neither.claims = BASE("12025550102");
	list->fetched_at_s = NOW - 600;
	assert_int_equal(run(x, &far, NOW, &d, NULL), RC_OK);
	decide_done(&d);
	refused_with(x, &neither, NOW, "number_pending", "orig");
	list->fetched_at_s = NOW - 601;
	refused_with(x, &far, NOW, "credential_unusable", "orig");
	refused_with(x, &neither, NOW, "number_pending", "orig");
	assert_int_equal(run(x, &near, NOW, &d, NULL), RC_OK);
	decide_done(&d);
}

/* D-21: iat_past_s and iat_future_s, at their edges. */
static void
iat_windows(void **state)
{
	static const struct {
		unsigned past_s, future_s;
		const char *claims;
		bool good;
	} rows[] = { { 60, 5, MORE(N0, "'iat':1799999940"), true },
		{ 60, 5, MORE(N0, "'iat':1799999939"), false },
		{ 60, 5, MORE(N0, "'iat':1800000005"), true },
		{ 60, 5, MORE(N0, "'iat':1800000006"), false },
		{ 10, 0, MORE(N0, "'iat':1799999990"), true },
		{ 10, 0, MORE(N0, "'iat':1799999989"), false },
		{ 10, 0, MORE(N0, "'iat':1800000001"), false },
		{ 600, 60, MORE(N0, "'iat':1799999400"), true },
		{ 600, 60, MORE(N0, "'iat':1799999399"), false },
		{ 600, 60, MORE(N0, "'iat':1800000060"), true },
		{ 600, 60, MORE(N0, "'iat':1800000061"), false } };
	struct fixture *x = *state;
	struct decide_case c = plain;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		config_in(x)->iat_past_s = rows[i].past_s;
		config_in(x)->iat_future_s = rows[i].future_s;
		c.claims = rows[i].claims;
		if (rows[i].good)
			passes(x, &c);
		else
			refused_with(x, &c, NOW, "stale_iat", "iat");
	}
}

/* D-41, rcd_content_unknown = trust: the caller's word on what is elsewhere, and no more. */
static void
content_on_trust(void **state)
{
	struct fixture *x = *state;
	struct decide_case c = plain;
	const struct config_tenant *pins = config_tenant_find(x->set->config, "pins");

	c.uid = 1016;
	c.claims = MORE("12025550194", RCD("https://example.com/x.png", D_ICON));
	refused_with(x, &c, NOW, "rcd_content_unknown", "rcdi");
	pins->credential[0].trust_content = true;
	passes(x, &c);
	c.claims = MORE("12025550194", RCD(ICON, D_ICON));
	passes(x, &c);
	c.claims = MORE("12025550194", RCD(ICON, D_OTHER)); /* something else is known of it */
	refused_with(x, &c, NOW, "rcd_content_unknown", "rcdi");
	c.claims = MORE("12025550194", "'rcd':{'nam':'Q'},'rcdi':{'/nam':'" D_ICON "'}");
	refused_with(x, &c, NOW, "invalid_claim", "rcdi");
}

/* ---- one credential in two tokens ---- */

static const struct copies_case {
	const char *name, *credential; /* asked for */
	const char *bases[2];
	unsigned token[2]; /* of "one" and "two" */
	bool down[2];
	uint64_t load[2];
	unsigned turn;
	const char *is;	   /* "" refused for two that are no copies */
	const char *other; /* NULL: none */
} copies_cases[] = {
	{ "two of a kind", NULL, { "pair", "pair" }, { 0, 1 }, { 0 }, { 0 }, 0, "one", "two" },
	{ "by their name", "pair", { "pair", "pair" }, { 0, 1 }, { 0 }, { 0 }, 0, "one",
	    "two" },
	{ "by one's own name", "two", { "pair", "pair" }, { 0, 1 }, { 0 }, { 0 }, 0, "two",
	    NULL },
	{ "the least loaded", NULL, { "pair", "pair" }, { 0, 1 }, { 0 }, { 9, 8 }, 0, "two",
	    "one" },
	{ "as configured where alike", NULL, { "pair", "pair" }, { 0, 1 }, { 0 }, { 7, 7 }, 0,
	    "one", "two" },
	{ "in turn where alike", NULL, { "pair", "pair" }, { 0, 1 }, { 0 }, { 7, 7 }, 1, "two",
	    "one" },
	{ "and back", NULL, { "pair", "pair" }, { 0, 1 }, { 0 }, { 7, 7 }, 2, "one", "two" },
	{ "no turn for the slower", NULL, { "pair", "pair" }, { 0, 1 }, { 0 }, { 7, 8 }, 1,
	    "one", "two" },
	{ "the first is down", NULL, { "pair", "pair" }, { 0, 1 }, { true, false }, { 1, 9 }, 0,
	    "two", NULL },
	{ "the second is down", NULL, { "pair", "pair" }, { 0, 1 }, { false, true }, { 9, 1 },
	    0, "one", NULL },
	{ "both in one token", NULL, { "pair", "pair" }, { 0, 0 }, { 0 }, { 0 }, 0, "one",
	    NULL },
	{ "no copies (D-59)", NULL, { "one", "two" }, { 0, 1 }, { 0 }, { 1, 9 }, 0, "", NULL },
};

/* D-59: copies do not compete. */
static void
copies_of_one(void **state)
{
	struct fixture *x = *state;
	struct credset_place at = { 0 };
	struct config_tenant *t;

	assert_true(credset_find(x->set, "both", "one", &at));
	t = &config_in(x)->tenant[at.tenant];
	for (size_t i = 0; i < ARRAY_LEN(copies_cases); i++) {
		const struct copies_case *row = &copies_cases[i];
		struct decide_case c = { "", 1007, PPT_BASE, NULL, row->credential,
			BASE("12025550120"), NULL, NULL };
		struct decision d = { 0 };
		struct fault f = { 0 };

		for (size_t k = 0; k < 2; k++) {
			free(t->credential[k].base);
			t->credential[k].base = copy(row->bases[k]);
			x->set->tenant[at.tenant].credential[k]->token = row->token[k];
			x->down[k] = row->down[k];
			x->load[k] = row->load[k];
		}
		x->turn = row->turn;
		if (row->is[0] == 0) {
			refused_with(x, &c, NOW, "ambiguous_credential", "");
			continue;
		}
		if (run(x, &c, NOW, &d, &f) != RC_OK)
			fail_msg("%s: %s: %s", row->name, f.reason, f.detail);
		if (strcmp(d.config->name, row->is) != 0 || d.others != (row->other != NULL) ||
		    (d.others == 1 && strcmp(d.other[0].config->name, row->other) != 0))
			fail_msg("%s: %s and %zu others", row->name, d.config->name, d.others);
		if (d.others == 1)
			assert_ptr_not_equal(d.other[0].credential, d.credential);
		decide_done(&d);
	}
}

/* What one's certificate does not allow is not moved to it. */
static void
a_copy_that_may_not(void **state)
{
	struct fixture *x = *state;
	struct credset_place at = { 0 };
	struct decide_case c = { "", 1007, PPT_BASE, NULL, NULL, BASE("12025550120"), NULL,
		NULL };
	struct decision d = { 0 };
	struct fault f = { 0 };
	struct config_tenant *t;
	struct credential *two;

	assert_true(credset_find(x->set, "both", "two", &at));
	t = &config_in(x)->tenant[at.tenant];
	two = credset_credential(x->set, at);
	for (size_t k = 0; k < 2; k++) {
		free(t->credential[k].base);
		t->credential[k].base = copy("pair");
	}
	two->token = 1;
	two->state = CREDENTIAL_PENDING;
	assert_int_equal(run(x, &c, NOW, &d, &f), RC_OK);
	assert_int_equal(d.others, 0);
	decide_done(&d);
	two->state = CREDENTIAL_READY;
	assert_int_equal(run(x, &c, NOW, &d, &f), RC_OK);
	assert_int_equal(d.others, 1);
	decide_done(&d);
	x->down[0] = x->down[1] = true;
	refused_with(x, &c, NOW, "hsm_unavailable", "");
}

/* ---- numbers over several certificates (D-17) ---- */

#define LATER "12025550121" /* of the tenant, and in no certificate yet */

static const struct divided_case {
	const char *name;
	const char *part[2]; /* which of the numbers belong into which; NULL: none */
	enum credential_state state[2];
	const char *credential, *orig;
	const char *is; /* the credential, or the reason of the refusal */
} divided_cases[] = {
	{ "where the number belongs (D-17)", { "12025550120", LATER }, { 0 }, NULL,
	    BASE("12025550120"), "pair.1" },
	{ "both certificates cover it", { LATER, "12025550120" }, { 0 }, NULL,
	    BASE("12025550120"), "pair.2" },
	{ "by the name of the section", { LATER, "12025550120" }, { 0 }, "pair",
	    BASE("12025550120"), "pair.2" },
	{ "by the name of a part", { LATER, "12025550120" }, { 0 }, "pair.1",
	    BASE("12025550120"), "pair.1" },
	{ "on its way to another", { LATER, "12025550120" },
	    { CREDENTIAL_READY, CREDENTIAL_PENDING }, NULL, BASE("12025550120"), "pair.1" },
	{ "it belongs where nothing is, and is nowhere", { "12025550120", LATER },
	    { CREDENTIAL_READY, CREDENTIAL_PENDING }, NULL, BASE(LATER), "number_pending" },
	{ "it is still to come", { "12025550120", LATER }, { 0 }, NULL, BASE(LATER),
	    "number_pending" },
	{ "asked of another part by name", { "12025550120", LATER }, { 0 }, "pair.1",
	    BASE(LATER), "tn_not_authorized" },
	{ "a part that there is not", { "12025550120", LATER }, { 0 }, "pair.3",
	    BASE("12025550120"), "no_credential" },
	{ "a number of nobody's", { "12025550120", LATER }, { 0 }, NULL, BASE("12025550129"),
	    "tn_not_authorized" },
	{ "it has no place", { "12025550120", NULL }, { 0 }, NULL, BASE(LATER),
	    "number_pending" },
	{ "not loaded yet", { "12025550120", LATER },
	    { CREDENTIAL_LOADING, CREDENTIAL_LOADING }, NULL, BASE("12025550120"),
	    "overloaded" },
	{ "revoked", { "12025550120", LATER }, { CREDENTIAL_REVOKED, CREDENTIAL_PENDING }, NULL,
	    BASE("12025550120"), "credential_unusable" },
};

static struct tnset *
set_of_two(const char *a, const char *b)
{
	struct tn_interval at[2];
	struct tnset *set = NULL;
	size_t n = 0;

	if (a != NULL)
		assert_int_equal(tnset_parse(span_str(a), &at[n++], NULL), RC_OK);
	if (b != NULL)
		assert_int_equal(tnset_parse(span_str(b), &at[n++], NULL), RC_OK);
	assert_int_equal(tnset_build(at, n, &set, NULL), RC_OK);
	return set;
}

/* The tenant's two credentials are parts of one, "pair". */
static void
make_parts(struct members *m, struct config_tenant *t, const struct divided_case *row)
{
	struct shards before = { .set = (struct tnset *[]){ set_of_two(row->part[0], NULL),
				     set_of_two(row->part[1], NULL) },
		.len = 2 };
	AUTO(tnset) *numbers = set_of_two(row->part[0], row->part[1]);
	size_t left = 0;

	assert_int_equal(
	    shards_divide(numbers, 1, &before, &m->section->shards, &left, NULL), RC_OK);
	tnset_free(before.set[0]);
	tnset_free(before.set[1]);
	m->credential = t->section = t->credential;
	m->len = t->sections = 2;
	m->sections = 1;
	m->section->copies = 1;
	for (size_t k = 0; k < 2; k++) {
		free(t->credential[k].base);
		t->credential[k].base = copy("pair");
		free(t->credential[k].name);
		t->credential[k].name = copy(k == 0 ? "pair.1" : "pair.2");
		t->credential[k].shard = k + 1;
	}
	t->members = m;
}

static void
ask_divided(struct fixture *x, size_t tenant, const struct divided_case *row, enum ppt ppt)
{
	struct config_tenant *t = &config_in(x)->tenant[tenant];
	struct decide_case c = { "", 1007, ppt, "both", row->credential, row->orig, NULL,
		NULL };
	struct members_section section = { .at = (uint32_t[]){ 0, 1 } };
	struct members m = { .section = &section };
	struct decision d = { 0 };
	struct fault f = { 0 };

	make_parts(&m, t, row);
	for (size_t k = 0; k < 2; k++)
		x->set->tenant[tenant].credential[k]->state = row->state[k];
	if (run(x, &c, NOW, &d, &f) == RC_OK ? strcmp(d.config->name, row->is) != 0
					     : strcmp(f.reason, row->is) != 0)
		fail_msg("%s: %s %s", row->name, f.rc == RC_OK ? d.config->name : f.reason,
		    f.detail);
	decide_done(&d);
	shards_done(&section.shards);
	t->members = NULL;
	for (size_t k = 0; k < 2; k++) {
		t->credential[k].shard = 0;
		x->set->tenant[tenant].credential[k]->state = CREDENTIAL_READY;
	}
}

/* While the first of the two is over. */
static void
ask_without_first(
    struct fixture *x, size_t tenant, const struct divided_case *row, enum ppt ppt)
{
	struct credential *first = x->set->tenant[tenant].credential[0];
	const int64_t not_after_s = first->not_after_s;

	first->not_after_s = NOW - 1;
	ask_divided(x, tenant, row, ppt);
	first->not_after_s = not_after_s;
}

static const struct divided_case own_is_over = { "its own is over, and another has it",
	{ "12025550120", LATER }, { 0 }, NULL, BASE("12025550120"), "pair.2" };

static void
divided_over_two(void **state)
{
	struct fixture *x = *state;
	struct credset_place at = { 0 };
	struct config_tenant *t;

	assert_true(credset_find(x->set, "both", "one", &at));
	t = &config_in(x)->tenant[at.tenant];
	tnset_free(t->numbers);
	t->numbers = set_of_two("12025550120", LATER);
	for (size_t i = 0; i < ARRAY_LEN(divided_cases); i++)
		ask_divided(x, at.tenant, &divided_cases[i], PPT_BASE);
	ask_without_first(x, at.tenant, &own_is_over, PPT_BASE);
}

/*
 * The first certificate of the two has 12025550120, the second LATER, and rich
 * call data of others may be signed: of numbers that neither has.
 */
#define ISS(tn) MORE(tn, "'iss':'A','crn':'x'")

static const struct divided_case others_cases[] = {
	{ "third party, the number is in neither (D-52, D-17)", { "12025550120", LATER }, { 0 },
	    NULL, ISS("13035550100"), "pair.1" },
	{ "third party, the number is in the first", { "12025550120", LATER }, { 0 }, NULL,
	    ISS("12025550120"), "invalid_claim" },
	{ "third party, the number is in the second (D-52, D-17)", { "12025550120", LATER },
	    { 0 }, NULL, ISS(LATER), "invalid_claim" },
	{ "third party, by the name of the section", { "12025550120", LATER }, { 0 }, "pair",
	    ISS(LATER), "invalid_claim" },
	{ "third party, by the name of the other part", { "12025550120", LATER }, { 0 },
	    "pair.1", ISS(LATER), "invalid_claim" },
	{ "third party, by the name of the other part, the second", { "12025550120", LATER },
	    { 0 }, "pair.2", ISS("12025550120"), "invalid_claim" },
	{ "third party, by the name of a part, in neither", { "12025550120", LATER }, { 0 },
	    "pair.2", ISS("13035550100"), "pair.2" },
	{ "third party, on its way to the first", { LATER, "12025550120" }, { 0 }, NULL,
	    ISS(LATER), "invalid_claim" },
	{ "third party, on its way to the second", { LATER, "12025550120" }, { 0 }, NULL,
	    ISS("12025550120"), "invalid_claim" },
	{ "third party, no number of the tenant's any more", { "12025550120", NULL }, { 0 },
	    NULL, ISS(LATER), "invalid_claim" },
	{ "third party, where the number belongs is revoked", { "12025550120", LATER },
	    { CREDENTIAL_READY, CREDENTIAL_REVOKED }, NULL, ISS(LATER), "credential_unusable" },
	{ "third party, by the name of the other part, it is revoked", { "12025550120", LATER },
	    { CREDENTIAL_READY, CREDENTIAL_REVOKED }, "pair.1", ISS(LATER), "invalid_claim" },
	{ "third party, where the number belongs is nothing yet", { "12025550120", LATER },
	    { CREDENTIAL_READY, CREDENTIAL_PENDING }, NULL, ISS(LATER), "credential_unusable" },
	{ "third party, in neither, one is not loaded yet", { "12025550120", LATER },
	    { CREDENTIAL_READY, CREDENTIAL_LOADING }, NULL, ISS("13035550100"), "overloaded" },
	{ "third party, in neither, one has no certificate", { "12025550120", LATER },
	    { CREDENTIAL_READY, CREDENTIAL_PENDING }, NULL, ISS("13035550100"), "pair.1" },
};

static const struct divided_case first_is_over = { "third party, the first is over",
	{ "12025550120", LATER }, { 0 }, NULL, ISS("13035550100"), "pair.2" };

/* What the second speaks for still, though it has its place in neither (D-17). */
static const struct divided_case without_place = { "it has no place, and one has it still",
	{ "12025550120", NULL }, { 0 }, NULL, BASE(LATER), "pair.2" };

static void
put_second(struct fixture *x, struct credset_place at)
{
	struct spec_credential two = { "two", PROFILE_ATIS_DELEGATE, CREDENTIAL_READY, NULL,
		LATER, true, false, false, 1, 0, NULL, NULL };
	EVP_PKEY *key = pki_p256();

	at.credential = 1;
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		if (strcmp(specs[i].tenant, "both") == 0)
			credset_put(x->set, at, make_credential(&specs[i], &two, key));
	}
	EVP_PKEY_free(key);
}

static void
others_over_two(void **state)
{
	struct fixture *x = *state;
	struct credset_place at = { 0 };
	struct config_tenant *t;

	assert_true(credset_find(x->set, "both", "one", &at));
	t = &config_in(x)->tenant[at.tenant];
	put_second(x, at);
	t->credential[0].third_party_rcd = t->credential[1].third_party_rcd = true;
	for (size_t i = 0; i < ARRAY_LEN(others_cases); i++)
		ask_divided(x, at.tenant, &others_cases[i], PPT_RCD);
	ask_without_first(x, at.tenant, &first_is_over, PPT_RCD);
	tnset_free(t->numbers);
	t->numbers = set_of_two("12025550120", LATER);
	ask_divided(x, at.tenant, &without_place, PPT_BASE);
}

/* Two copies, and one of them is behind (D-52). */
static void
others_of_a_copy(void **state)
{
	struct fixture *x = *state;
	struct decide_case c = { "", 1007, PPT_RCD, "both", NULL, ISS(LATER), NULL, NULL };
	struct credset_place at = { 0 };
	struct config_tenant *t;

	assert_true(credset_find(x->set, "both", "one", &at));
	t = &config_in(x)->tenant[at.tenant];
	put_second(x, at);
	for (size_t k = 0; k < 2; k++) {
		free(t->credential[k].base);
		t->credential[k].base = copy("pair");
		t->credential[k].third_party_rcd = true;
	}
	refused_with(x, &c, NOW, "invalid_claim", "iss");
	c.credential = "one";
	refused_with(x, &c, NOW, "invalid_claim", "iss");
}

static void
set_state(struct fixture *x, const char *tenant, const char *name, enum credential_state state)
{
	struct credset_place at = { 0 };

	assert_true(credset_find(x->set, tenant, name, &at));
	credset_credential(x->set, at)->state = state;
}

/*
 * At a start: nothing is said of what only a certificate can say, and nobody
 * signs instead; what the configuration refuses is refused as ever.
 */
static void
not_loaded_yet(void **state)
{
	static const struct {
		const char *tenant, *name;
		struct decide_case c;
		const char *reason, *claim;
	} rows[] = {
		{ "acme", "main", { "", 1000, PPT_BASE, NULL, NULL, BASE(N0), NULL, NULL },
		    "overloaded", "" },
		{ "acme", "main", { "", 1000, PPT_BASE, "acme", "main", BASE(N0), NULL, NULL },
		    "overloaded", "" },
		{ "acme", "main",
		    { "", 1000, PPT_BASE, NULL, NULL, MORE(N0, "'nothing':1"), NULL, NULL },
		    "overloaded", "" },
		{ "osp", "main",
		    { "", 1000, PPT_SHAKEN, NULL, NULL, SHAKEN(N0, "B"), NULL, NULL },
		    "overloaded", "" },
		{ "both", "two",
		    { "", 1007, PPT_BASE, NULL, NULL, BASE("12025550120"), NULL, NULL },
		    "overloaded", "" },
		{ "rank", "low",
		    { "", 1008, PPT_BASE, NULL, NULL, BASE("12025550140"), NULL, NULL },
		    "overloaded", "" },
		{ "acme", "main", { "", 9, PPT_BASE, NULL, NULL, BASE(N0), NULL, NULL },
		    "caller_not_allowed", "" },
		{ "acme", "main", { "", 1000, PPT_BASE, NULL, NULL, BASE("12a"), NULL, NULL },
		    "invalid_tn", "orig" },
		{ "acme", "main",
		    { "", 1000, PPT_BASE, "acme", NULL, BASE("13035550100"), NULL, NULL },
		    "tn_not_authorized", "orig" },
		{ "acme", "main", { "", 1000, PPT_BASE, "acme", "other", BASE(N0), NULL, NULL },
		    "no_credential", "" },
	};
	struct fixture *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct credset_place at = { 0 };

		set_state(x, rows[i].tenant, rows[i].name, CREDENTIAL_LOADING);
		refused_with(x, &rows[i].c, NOW, rows[i].reason, rows[i].claim);
		set_state(x, rows[i].tenant, rows[i].name, CREDENTIAL_READY);
		assert_true(credset_find(x->set, rows[i].tenant, rows[i].name, &at));
		/* Who waits for it has it loaded next. */
		assert_int_equal(
		    atomic_exchange(&credset_credential(x->set, at)->asked_for, false),
		    strcmp(rows[i].reason, "overloaded") == 0);
	}
	assert_int_equal(reason_status("overloaded"), 503);
}

/* D-26: by its name and the switch; it leads to a tenant only where there is one. */
static void
origin_is_a_uri(void **state)
{
	struct fixture *x = *state;
	struct decide_case c = plain;
	struct credset_place at = { 0 };
	const struct gate_policy policy = { .profile = profile_rule(PROFILE_VESPER_06),
		.orig_uri = true };
	struct config_credential *cc;
	struct credential *mine;
	struct cert *leaf;

	assert_true(credset_find(x->set, "acme", "main", &at));
	mine = credset_credential(x->set, at);
	leaf = mine->chain->cert[0];
	cc = &config_in(x)->tenant[at.tenant].credential[at.credential];
	c.claims = "{'orig':{'uri':'sip:a@b.example'},'dest':{'tn':['12125550111']}}";
	c.tenant = "acme";
	refused_with(x, &c, NOW, "invalid_claim", "orig");
	cc->orig_uri = true;
	refused_with(x, &c, NOW, "invalid_claim", "orig"); /* the gate was opened without */
	gate_free(mine->gate);
	mine->gate = NULL;
	assert_int_equal(gate_open(mine->chain, &policy, &mine->gate, NULL), RC_OK);
	refused_with(x, &c, NOW, "tn_not_authorized", "orig");
	leaf->dns_name = copy("b.example"); /* freed with it */
	passes(x, &c);
	cc->orig_uri = false;
	refused_with(x, &c, NOW, "invalid_claim", "orig");
	cc->orig_uri = true;
	c.tenant = NULL;
	refused_with(x, &c, NOW, "invalid_claim", "orig"); /* several tenants */
	c.uid = 9;
	refused_with(x, &c, NOW, "caller_not_allowed", "");
}

/* Any extension of the certificate stands for the one that has no number yet. */
static const struct mute_case {
	const char *name, *oid; /* of do_not_originate */
	enum ppt ppt;
	const char *claims, *reason, *claim; /* as in struct type_case */
} mute_cases[] = {
	{ "base, no extension is configured", NULL, PPT_BASE, BASE(N0), NULL, NULL },
	{ "base (D-42)", KEY_ID_OID, PPT_BASE, BASE(N0), "tn_not_authorized", "orig" },
	{ "base, another extension (D-42)", "1.3.6.1.4.1.99999.1", PPT_BASE, BASE(N0), NULL,
	    NULL },
	{ "base, no identifier (D-42)", "no identifier", PPT_BASE, BASE(N0),
	    "tn_not_authorized", "orig" },
	{ "msg (D-42)", KEY_ID_OID, PPT_MSG, BASE(N0), "tn_not_authorized", "orig" },
	{ "rcd (D-42)", KEY_ID_OID, PPT_RCD, MORE(N0, "'crn':'x'"), "tn_not_authorized",
	    "orig" },
	{ "rcd of a third party (D-42)", KEY_ID_OID, PPT_RCD,
	    MORE("13035550100", "'iss':'A','crn':'x'"), "tn_not_authorized", "orig" },
	{ "rcd of a third party, another extension (D-42)", "1.3.6.1.4.1.99999.1", PPT_RCD,
	    MORE("13035550100", "'iss':'A','crn':'x'"), NULL, NULL },
	{ "rcd of a third party of another name (D-42)", KEY_ID_OID, PPT_RCD,
	    MORE("13035550100", "'iss':'B','crn':'x'"), "tn_not_authorized", "orig" },
	{ "div (D-42)", KEY_ID_OID, PPT_DIV, MORE("13035550100", "'div':{'tn':'" N0 "'}"), NULL,
	    NULL },
	{ "rsp (D-42)", KEY_ID_OID, PPT_RSP,
	    "{'orig':{'tn':'13035550100'},'dest':{'tn':['" N0 "']}}", NULL, NULL },
};

static void
ask_mute(const struct mute_case *c, const struct chain *chain)
{
	const struct gate_policy policy = { .profile = profile_rule(PROFILE_ATIS_DELEGATE),
		.third_party_iss = "A",
		.do_not_originate = c->oid };
	const struct passport_policy prepared = { .now_s = NOW };
	__attribute__((cleanup(passport_done))) struct passport p = { 0 };
	json_auto_t *claims = json_of(c->claims);
	AUTO(gate) *g = NULL;
	struct fault f = { 0 };
	enum rc rc;

	assert_int_equal(passport_prepare(claims, c->ppt, &prepared, &p, NULL), RC_OK);
	assert_int_equal(gate_open(chain, &policy, &g, NULL), RC_OK);
	rc = gate_decide(g, &p, NOW, &f);
	if (rc != (c->reason == NULL ? RC_OK : RC_DENIED) ||
	    strcmp(f.reason, c->reason != NULL ? c->reason : "") != 0 ||
	    strcmp(f.claim, c->claim != NULL ? c->claim : "") != 0)
		fail_msg("%s: %s %s %s", c->name, f.reason, f.claim, f.detail);
}

/* D-42 */
static void
does_not_originate(void **state)
{
	struct fixture *x = *state;
	struct decision d = { 0 };

	assert_int_equal(run(x, &plain, NOW, &d, NULL), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(mute_cases); i++)
		ask_mute(&mute_cases[i], d.credential->chain);
	decide_done(&d);
}

/* ---- attestation: what is asked, what is granted ---- */

static struct granted_case {
	const char *name;
	const char *claims;
	const char *delegate; /* claims of a base PASSporT of acme's; NULL: none */
	const char *reason;   /* NULL: signed */
	const char *claim;
	char granted;
	const char *rule;
} granted_cases[] = {
	{ "as the list says", SHAKEN("12025550196", "B"), NULL, NULL, NULL, 'B', "listed" },
	{ "lowered to what the list says (RFC 8588 s4)", SHAKEN("12025550196", "A"), NULL, NULL,
	    NULL, 'B', "listed" },
	{ "an unlisted number of a delegate of this call", SHAKEN(N0, "A"), BASE(N0), NULL,
	    NULL, 'A', "delegate_proof" },
	{ "a delegate of another call", SHAKEN(N0, "A"),
	    "{'orig':{'tn':'12025550100'},'dest':{'tn':['911']}}", "tn_not_authorized", "orig",
	    0, NULL },
	{ "an unlisted number alone", SHAKEN(N0, "A"), NULL, "tn_not_authorized", "orig", 0,
	    NULL },
	/* The certificate permits A and B. */
	{ "what is lowered is judged again", SHAKEN("12025550199", "A"), NULL,
	    "value_not_permitted", "attest", 0, NULL },
	{ "what the certificate forbids is not signed", SHAKEN("12025550196", "C"), NULL,
	    "value_not_permitted", "attest", 0, NULL },
};

static enum rc
decide_first(struct fixture *x, const char *text, struct decision *out)
{
	struct caller who = { .uid = 1000, .gid = 100 };
	json_auto_t *claims = json_of(text);
	struct sign_request r = { .claims = claims, .request_id = "d" };

	return run_as(x, &who, &r, NOW, out, NULL);
}

static void
grants(void **state)
{
	const struct granted_case *c = *state;
	struct caller who = { .uid = 1013, .gid = 100 };
	json_auto_t *claims = json_of(c->claims);
	struct decision delegate = { 0 }, d = { 0 };
	struct sign_request r = { .ppt = PPT_SHAKEN, .claims = claims, .request_id = "t" };
	char granted[2] = { c->granted, 0 };
	struct fault f = { 0 };

	if (c->delegate != NULL) {
		assert_int_equal(decide_first(shared, c->delegate, &delegate), RC_OK);
		r.before = &delegate;
		r.befores = 1;
	}
	if (run_as(shared, &who, &r, NOW, &d, &f) == RC_OK) {
		assert_null(c->reason);
		assert_int_equal(d.attest.granted, c->granted);
		assert_string_equal(d.attest.rule, c->rule);
		assert_string_equal(
		    json_string_value(json_object_get(d.passport.claims, "attest")), granted);
	} else {
		assert_non_null(c->reason);
		assert_string_equal(f.reason, c->reason);
		assert_string_equal(f.claim, c->claim);
	}
	decide_done(&d);
	decide_done(&delegate);
}

/* ---- a delegate's PASSporT that came with the request ---- */

static struct supplied_case {
	const char *name;
	const char *claims;
	enum rc rc; /* of its verification */
	const char *
	    delegate; /* RC_OK: its claims, canonical; else why not; NULL: it was not verified */
	const char *reason, *claim, *detail; /* NULL: signed */
	char granted;
} supplied_cases[] = {
	{ "proves an unlisted number", SHAKEN(N0, "A"), RC_OK, BASE(N0), NULL, NULL, NULL,
	    'A' },
	{ "of another number", SHAKEN(N0, "A"), RC_OK, BASE("12025550101"), "tn_not_authorized",
	    "orig", "not among those", 0 },
	{ "of another destination", SHAKEN(N0, "A"), RC_OK,
	    "{'orig':{'tn':'12025550100'},'dest':{'tn':['911']}}", "tn_not_authorized", "orig",
	    "not among those", 0 },
	{ "proves nothing", SHAKEN(N0, "A"), RC_DENIED, "bad", "tn_not_authorized", "orig",
	    "not among those", 0 },
	{ "proves nothing, and the list says enough", SHAKEN("12025550196", "B"), RC_DENIED,
	    "bad", NULL, NULL, NULL, 'B' },
	{ "proves nothing, and is lowered", SHAKEN("12025550196", "A"), RC_DENIED, "bad", NULL,
	    NULL, NULL, 'B' },
	{ "proves a listed number", SHAKEN("12025550196", "A"), RC_OK, BASE("12025550196"),
	    NULL, NULL, NULL, 'A' },
	{ "was not verified in time", SHAKEN(N0, "A"), RC_TIMEOUT, "late", "overloaded",
	    "delegate", "late", 0 },
	{ "found no room", SHAKEN("12025550196", "B"), RC_BUSY, "full", "overloaded",
	    "delegate", "full", 0 },
	{ "was not verified at all", SHAKEN("12025550196", "B"), RC_OK, NULL, "overloaded",
	    "delegate", "not verified", 0 },
};

static void
supplied(void **state)
{
	const struct supplied_case *c = *state;
	struct caller who = { .uid = 1013, .gid = 100 };
	json_auto_t *claims = json_of(c->claims);
	__attribute__((cleanup(proof_done))) struct proof proof = { 0 };
	struct decision d = { 0 };
	struct sign_request r = { .ppt = PPT_SHAKEN,
		.claims = claims,
		.delegate_passport = span_str("its text"),
		.proof = c->delegate != NULL ? &proof : NULL,
		.request_id = "t" };
	struct fault f = { 0 };
	enum rc rc;

	if (c->rc != RC_OK)
		(void)fault_set(&proof.fault, c->rc,
		    reason_token(
			c->rc == RC_DENIED ? REASON_ATTEST_NOT_ALLOWED : REASON_OVERLOADED),
		    "delegate", FAULT_HERE, "%s", c->delegate);
	else if (c->delegate != NULL)
		proof.claims = json_of(c->delegate);
	rc = run_as(shared, &who, &r, NOW, &d, &f);
	if (c->reason == NULL) {
		assert_string_equal(f.detail, "");
		assert_int_equal(d.attest.granted, c->granted);
		assert_int_equal(d.rests_on, 0);
	} else {
		assert_int_not_equal(rc, RC_OK);
		assert_string_equal(f.reason, c->reason);
		assert_string_equal(f.claim, c->claim);
		assert_non_null(strstr(f.detail, c->detail));
	}
	decide_done(&d);
}

static struct config_tenant *
tenant_at(struct fixture *x, const char *name)
{
	return (struct config_tenant *)(uintptr_t)config_tenant_find(x->set->config, name);
}

/* known_user, known_group; the caller is user 1013 of group 100, the number is unlisted. */
static const struct known_case {
	const char *name;
	uid_t uid; /* known, one of each kind; 0: none */
	gid_t gid;
	char asked, granted; /* granted 0: attest_not_allowed */
} known_cases[] = {
	{ "a known user", 1013, 0, 'B', 'B' },
	{ "an unknown user", 1014, 0, 'B', 0 },
	{ "a user of a known group", 0, 100, 'B', 'B' },
	{ "a user of no known group", 0, 101, 'B', 0 },
	{ "a known user of no known group", 1013, 101, 'B', 'B' },
	{ "a user's number is no group", 100, 1013, 'B', 0 },
	{ "a known user, never A (RFC 8588 s4)", 1013, 100, 'A', 0 },
};

static void
ask_known(struct fixture *x, struct config_attestation *a, const struct known_case *c)
{
	uid_t uid = c->uid;
	gid_t gid = c->gid;
	struct caller who = { .uid = 1013, .gid = 100 };
	json_auto_t *claims = json_of(c->asked == 'A' ? SHAKEN(N0, "A") : SHAKEN(N0, "B"));
	struct sign_request r = {
		.ppt = PPT_SHAKEN, .tenant = "prov", .claims = claims, .request_id = "t"
	};
	struct decision d = { 0 };
	struct fault f = { 0 };
	enum rc rc;

	a->known = (struct config_callers){ &uid, uid != 0, &gid, gid != 0 };
	rc = run_as(x, &who, &r, NOW, &d, &f);
	a->known = (struct config_callers){ 0 };
	if ((rc == RC_OK) != (c->granted != 0) || d.attest.granted != c->granted ||
	    (rc != RC_OK && (strcmp(f.reason, "attest_not_allowed") != 0 ||
				strcmp(f.claim, "attest") != 0)))
		fail_msg("%s: %s %s %s", c->name, f.reason, f.claim, f.detail);
	if (c->granted == 'B')
		assert_string_equal(d.attest.rule, "known_customer");
	decide_done(&d);
}

static void
known_customers(void **state)
{
	struct fixture *x = *state;
	struct config_tenant *t = tenant_at(x, "prov");

	t->attestation.lower = false;
	t->attestation.known_customer = 'B';
	t->credential[0].unlisted_tn = UNLISTED_B;
	for (size_t i = 0; i < ARRAY_LEN(known_cases); i++)
		ask_known(x, &t->attestation, &known_cases[i]);
}

static bool
wants(struct fixture *x, uid_t uid, struct sign_request *r, struct proof_policy *p,
    struct decide_charge *charge)
{
	struct caller who = { .uid = uid, .gid = 100 };
	struct caller_view view = { 0 };
	const struct decide_world w = { .set = x->set,
		.policy = x->policy,
		.caller = &who,
		.view = caller_see(&who, x->set, &view),
		.key_ready = key_ready,
		.arg = x,
		.now_s = NOW };

	r->charge = NULL;
	return decide_wants_proof(&w, r, p, charge);
}

/* Only where it counts, and by what all ask who would count it. */
static void
wants_a_proof(void **state)
{
	struct fixture *x = *state;
	json_auto_t *shaken = json_of(SHAKEN(N0, "A")), *base = json_of(BASE(N0));
	struct sign_request r = { .ppt = PPT_SHAKEN,
		.claims = shaken,
		.delegate_passport = span_str("its text"),
		.request_id = "t" };
	struct proof_policy p = { 0 };
	struct decide_charge charge = { 0 };

	tenant_at(x, "prov")->attestation.delegate_profile = PROFILE_ATIS_DELEGATE;
	tenant_at(x, "prov")->attestation.delegate_encompassing = ENCOMPASS_REQUIRE;
	tenant_at(x, "provc")->attestation.delegate_proof = 'C';
	tenant_at(x, "provc")->attestation.delegate_profile = PROFILE_VESPER_06;
	assert_int_equal(policy_adopt(x->policy, x->set, 0, NULL), RC_OK); /* who is asked */
	assert_true(wants(x, 1013, &r, &p, &charge));
	assert_int_equal(p.min_scts, 1);
	assert_int_equal(p.encompassing, ENCOMPASS_REQUIRE);
	assert_true(p.codes_are_scope);
	r.tenant = "provc";
	assert_true(wants(x, 1013, &r, &p, &charge));
	assert_int_equal(p.encompassing, ENCOMPASS_IF_PRESENT);
	assert_false(p.codes_are_scope);
	r.tenant = "prov";
	assert_true(wants(x, 1013, &r, &p, &charge));
	assert_int_equal(p.min_scts, 0);
	r.delegate_passport = span_of(NULL, 0);
	assert_false(wants(x, 1013, &r, &p, &charge));
	r.delegate_passport = span_str("its text");
	r.tenant = "osp"; /* not the caller's */
	assert_false(wants(x, 1013, &r, &p, &charge));
	r.tenant = NULL;
	r.claims = base;
	assert_false(wants(x, 1013, &r, &p, &charge));
	r.ppt = PPT_BASE;
	assert_false(wants(x, 1013, &r, &p, &charge));
	r.ppt = PPT_SHAKEN;
	r.claims = shaken;
	tenant_at(x, "prov")->attestation.delegate_proof = 0;
	tenant_at(x, "provc")->attestation.delegate_proof = 0;
	assert_false(wants(x, 1013, &r, &p, &charge));
}

/* What is verified is counted first, and once. */
static void
proofs_count_for_the_rate(void **state)
{
	static const char *const named[] = { NULL, "prov" };

	for (size_t i = 0; i < ARRAY_LEN(named); i++) {
		struct fixture *x = *state;
		struct caller who = { .uid = 1013, .gid = 100 };
		json_auto_t *claims = json_of(SHAKEN("12025550196", "B"));
		struct proof proof = { 0 };
		struct sign_request r = { .ppt = PPT_SHAKEN,
			.tenant = named[i],
			.claims = claims,
			.delegate_passport = span_str("its text"),
			.request_id = "t" };
		struct proof_policy p = { 0 };
		struct decide_charge charge = { 0 };
		struct decision d = { 0 };
		struct fault f = { 0 };

		tenant_at(x, "prov")->rate = 1;
		assert_int_equal(
		    policy_adopt(x->policy, x->set, (int64_t)i * 5000, NULL), RC_OK);
		assert_true(wants(x, 1013, &r, &p, &charge));
		(void)REFUSE(&proof.fault, RC_DENIED, ATTEST_NOT_ALLOWED, NULL, "nothing");
		r.proof = &proof;
		r.charge = &charge;
		assert_int_equal(run_as(x, &who, &r, NOW, &d, &f), RC_OK);
		decide_done(&d);
		r.proof = NULL;
		assert_false(wants(x, 1013, &r, &p, &charge));
		r.charge = &charge;
		assert_int_equal(run_as(x, &who, &r, NOW, &d, &f), RC_BUSY);
		assert_string_equal(f.reason, "rate_limited");
		decide_done(&d);
		/* Only observed, it is said once and stands in nobody's way. */
		tenant_at(x, "prov")->observe = 1u << OBSERVE_RATE;
		assert_true(wants(x, 1013, &r, &p, &charge));
		r.proof = &proof;
		r.charge = &charge;
		f = (struct fault){ 0 };
		assert_int_equal(run_as(x, &who, &r, NOW, &d, &f), RC_OK);
		assert_int_equal(d.observeds, 1);
		assert_string_equal(d.observed[0].why.reason, "rate_limited");
		decide_done(&d);
		tenant_at(x, "prov")->observe = 0;
		tenant_at(x, "prov")->rate = 0;
		assert_int_equal(policy_adopt(x->policy, x->set, 0, NULL), RC_OK);
	}
}

/* That a tenant without a rate paid for the proof pays for no guess of another's values. */
static void
proofs_pay_for_no_guess(void **state)
{
	struct fixture *x = *state;
	struct caller who = { .uid = 1013, .gid = 100 };
	json_auto_t *claims = json_of(SHAKEN("12025550196", "C"));
	struct proof proof = { 0 };
	struct sign_request r = { .ppt = PPT_SHAKEN,
		.claims = claims,
		.delegate_passport = span_str("its text"),
		.request_id = "t" };
	struct proof_policy p = { 0 };
	struct decide_charge charge = { 0 };

	(void)REFUSE(&proof.fault, RC_DENIED, ATTEST_NOT_ALLOWED, NULL, "nothing");
	for (int i = 0; i <= POLICY_CALLER_BURST; i++) {
		struct decision d = { 0 };
		struct fault f = { 0 };

		assert_true(wants(x, 1013, &r, &p, &charge));
		r.proof = &proof;
		r.charge = &charge;
		assert_int_not_equal(run_as(x, &who, &r, NOW, &d, &f), RC_OK);
		assert_string_equal(
		    f.reason, i < POLICY_CALLER_BURST ? "value_not_permitted" : "rate_limited");
		assert_string_equal(d.tenant->name, "prov");
		assert_true(d.presumed);
		decide_done(&d);
	}
}

/* D-05 */
static void
attest_table(void **state)
{
	static const struct {
		char most;
		bool listed;
		enum unlisted_tn unlisted;
		const char *allowed;
	} rows[] = {
		{ 'A', true, UNLISTED_REFUSE, "ABC" },
		{ 'B', true, UNLISTED_REFUSE, "BC" },
		{ 'C', true, UNLISTED_REFUSE, "C" },
		{ 0, true, UNLISTED_REFUSE, "" },
		{ 'A', false, UNLISTED_B, "BC" },
		{ 'A', false, UNLISTED_C, "C" },
		{ 'B', false, UNLISTED_B, "BC" },
		{ 'C', false, UNLISTED_B, "C" },
		{ 'A', false, UNLISTED_REFUSE, "C" },
		{ 0, false, UNLISTED_B, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config_tenant t = { .attest_max = rows[i].most };
		struct config_credential c = { .unlisted_tn = rows[i].unlisted };
		struct attest_evidence e = { .listed = rows[i].listed };
		struct attest_verdict v = { 0 };

		for (char a = 'A'; a <= 'C'; a++)
			assert_int_equal(policy_attest(&t, &c, &e, a, &v, NULL),
			    strchr(rows[i].allowed, a) != NULL ? RC_OK : RC_DENIED);
		assert_int_equal(policy_attest(&t, &c, &e, 0, &v, NULL), RC_OK);
	}
}

static void
callers(void **state)
{
	static gid_t groups[] = { 5, 77 };
	static const struct {
		const char *name;
		struct caller who;
		const char *tenant;
		bool may;
	} rows[] = {
		{ "uid", { .uid = 1000 }, "acme", true },
		{ "other uid", { .uid = 1001 }, "acme", false },
		{ "root", { .uid = 0, .gid = 0 }, "acme", false },
		{ "gid", { .uid = 5, .gid = 77 }, "group", true },
		{ "supplementary", { .uid = 5, .group = groups, .groups = 2 }, "group", true },
		{ "not in the group", { .uid = 5, .group = groups, .groups = 1 }, "group",
		    false },
		{ "a group is not a user", { .uid = 77, .gid = 5 }, "group", false },
		{ "door of this tenant", { .uid = 1000, .door = { "acme", false } }, "acme",
		    true },
		{ "a door does not widen (V-81)", { .uid = 1001, .door = { "acme", false } },
		    "acme", false },
		{ "a door narrows", { .uid = 1000, .door = { "osp", false } }, "acme", false },
		{ "auth = socket", { .uid = 9, .door = { "acme", true } }, "acme", true },
		{ "auth = socket, nameless",
		    { .uid = CONFIG_OVERFLOW_ID, .door = { "acme", true } }, "acme", true },
		{ "auth = socket, another's", { .uid = 1000, .door = { "osp", true } }, "acme",
		    false },
		{ "nameless", { .uid = CONFIG_OVERFLOW_ID, .gid = 77 }, "group", false },
	};
	struct fixture *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct config_tenant *t =
		    config_tenant_find(x->set->config, rows[i].tenant);

		assert_non_null(t);
		if (caller_may(&rows[i].who, t) != rows[i].may)
			fail_msg("%s", rows[i].name);
	}
}

/* D-01 */
enum {
	DELEGATE_PPTS = 1U << PPT_BASE | 1U << PPT_RCD | 1U << PPT_RSP | 1U << PPT_MSG |
			1U << PPT_DIV | 1U << PPT_DIV_O,
	SP_PPTS = 1U << PPT_SHAKEN | 1U << PPT_DIV | 1U << PPT_RCD | 1U << PPT_RPH,
};

static void
view_follows_the_set(void **state)
{
	struct fixture *x = *state;
	struct caller who = { .uid = 1003 };
	struct caller_view v = { 0 };

	assert_true(caller_see(&who, x->set, &v)->any);
	assert_int_equal(v.only, 6); /* "late" */
	assert_int_equal(v.ppts, DELEGATE_PPTS);
	who.uid = 1000;
	assert_int_equal(
	    caller_see(&who, x->set, &v)->only, 6); /* the same generation: as it was */
	x->set->generation++;
	assert_true(caller_see(&who, x->set, &v)->only == CALLER_NO_TENANT);
	assert_int_equal(v.ppts, DELEGATE_PPTS | SP_PPTS);
	who.uid = 9;
	x->set->generation++;
	assert_false(caller_see(&who, x->set, &v)->any);
}

/* RFC 8224 s12.4: who asks, the kernel says. */
static void
peer_of_a_socket(void **state)
{
	struct caller_door door = { 0 };
	struct caller who = { 0 };
	struct fault f = { 0 };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(caller_read(pair[0], &door, &who, NULL), RC_OK);
	assert_int_equal(who.uid, geteuid());
	assert_int_equal(who.gid, getegid());
	assert_int_equal(who.pid, getpid());
	assert_int_equal(who.groups, getgroups(0, NULL));
	caller_done(&who);
	close(pair[0]);
	close(pair[1]);
	/* Of a way that is none of this machine the kernel names nobody. */
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(pair[0] >= 0);
	assert_int_equal(caller_read(pair[0], &door, &who, &f), RC_DENIED);
	assert_string_equal(f.reason, "caller_not_allowed");
	assert_null(who.group);
	close(pair[0]);
}

/* Only an allowed delegate of the same call proves the number (D-05). */
static void
delegate_of_the_call(void **state)
{
	static const struct {
		const char *name, *claims;
		uid_t uid;
		enum ppt ppt;
		bool proves;
	} rows[] = {
		{ "the delegate", BASE(N0), 1000, PPT_BASE, true },
		{ "a stranger's request", BASE(N0), 9, PPT_BASE, false },
		{ "one that was not prepared", "{}", 1000, PPT_BASE, false },
		{ "a provider's own", SHAKEN(N0, "B"), 1000, PPT_SHAKEN, false },
		{ "another number", BASE("12025550120"), 1007, PPT_BASE, false },
		{ "another callee", "{'orig':{'tn':'" N0 "'},'dest':{'tn':['12125550112']}}",
		    1000, PPT_BASE, false },
	};
	static const struct proof_policy any = { .encompassing = ENCOMPASS_OFF };
	struct fixture *x = *state;
	struct decide_case shaken = plain, before = plain;
	struct decision mine, other;
	struct fault f = { 0 };

	shaken.ppt = PPT_SHAKEN;
	shaken.claims = SHAKEN(N0, "B");
	assert_int_equal(run(x, &shaken, NOW, &mine, NULL), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sign_request r = { .before = &other, .befores = 1 };

		before.uid = rows[i].uid;
		before.ppt = rows[i].ppt;
		before.claims = rows[i].claims;
		if (strcmp(rows[i].name, "another number") == 0)
			before.credential = "one";
		(void)!run(x, &before, NOW, &other, NULL);
		if ((decide_delegate(&r, &mine.passport, &any, &f) == &other) != rows[i].proves)
			fail_msg("%s", rows[i].name);
		r.befores = 0;
		assert_null(decide_delegate(&r, &mine.passport, &any, &f));
		assert_int_equal(f.rc, RC_OK); /* nothing there is no fault */
		decide_done(&other);
	}
	decide_done(&mine);
}

/* Its certificate is held to what one from elsewhere is (V-11, D-45, D-49). */
static void
delegate_by_its_certificate(void **state)
{
	static const struct {
		struct proof_policy policy;
		size_t scts;
		enum encompass_verdict scope, scope_of_numbers;
		const char *why; /* NULL: it proves */
	} rows[] = {
		{ { .min_scts = 1 }, 1, ENCOMPASS_ABSENT, ENCOMPASS_ABSENT, NULL },
		{ { .min_scts = 1 }, 0, ENCOMPASS_ABSENT, ENCOMPASS_ABSENT, "sct" },
		{ { .min_scts = 2 }, 1, ENCOMPASS_ABSENT, ENCOMPASS_ABSENT, "sct" },
		{ { .max_lifetime_s = 2 * DAY + 3600 }, 0, ENCOMPASS_ABSENT, ENCOMPASS_ABSENT,
		    NULL },
		{ { .max_lifetime_s = 2 * DAY + 3599 }, 0, ENCOMPASS_ABSENT, ENCOMPASS_ABSENT,
		    "lives longer" },
		{ { .encompassing = ENCOMPASS_REQUIRE }, 0, ENCOMPASS_ABSENT, ENCOMPASS_ABSENT,
		    "chain_scope" },
		{ { .encompassing = ENCOMPASS_REQUIRE }, 0, ENCOMPASS_OUTSIDE, ENCOMPASS_PROVEN,
		    NULL },
		{ { .encompassing = ENCOMPASS_REQUIRE, .codes_are_scope = true }, 0,
		    ENCOMPASS_OUTSIDE, ENCOMPASS_PROVEN, "chain_scope" },
		{ { .encompassing = ENCOMPASS_IF_PRESENT }, 0, ENCOMPASS_PROVEN,
		    ENCOMPASS_OUTSIDE, "chain_scope" },
		{ { .encompassing = ENCOMPASS_OFF }, 0, ENCOMPASS_OUTSIDE, ENCOMPASS_OUTSIDE,
		    NULL },
		{ { .domain_bound = true }, 0, ENCOMPASS_ABSENT, ENCOMPASS_ABSENT, "dNSName" },
	};
	struct fixture *x = *state;
	struct decide_case shaken = plain;
	struct decision mine, other;

	shaken.ppt = PPT_SHAKEN;
	shaken.claims = SHAKEN(N0, "B");
	assert_int_equal(run(x, &shaken, NOW, &mine, NULL), RC_OK);
	assert_int_equal(run(x, &plain, NOW, &other, NULL), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sign_request r = { .before = &other, .befores = 1 };
		struct fault f = { 0 };
		bool proves;

		other.credential->scts = rows[i].scts;
		other.credential->scope = rows[i].scope;
		other.credential->scope_of_numbers = rows[i].scope_of_numbers;
		proves = decide_delegate(&r, &mine.passport, &rows[i].policy, &f) == &other;
		if (proves != (rows[i].why == NULL) || proves != (f.rc == RC_OK) ||
		    strstr(f.detail, proves ? "" : rows[i].why) == NULL)
			fail_msg("row %zu: %s", i, f.detail);
	}
	decide_done(&mine);
	decide_done(&other);
}

/* By the profile of the provider's rules, and of each token that may sign it. */
static void
delegate_by_the_rules(void **state)
{
	static const char granted[] = { 'B', 'A', 'B' };
	struct fixture *x = *state;
	struct caller who = { .uid = 1013, .gid = 100 };
	json_auto_t *claims = json_of(SHAKEN("12025550196", "A"));
	struct decision delegate = { 0 }, d = { 0 };
	struct sign_request r = { .ppt = PPT_SHAKEN,
		.claims = claims,
		.before = &delegate,
		.befores = 1,
		.request_id = "t" };
	struct credential lacking = { 0 };

	tenant_at(x, "prov")->attestation.delegate_profile = PROFILE_VESPER_06;
	assert_int_equal(decide_first(x, BASE(N0), &delegate), RC_OK);
	/* As if it held the provider's number. */
	assert_int_equal(
	    tn_exact(span_str("12025550196"), &delegate.passport.orig, NULL), RC_OK);
	lacking.chain = delegate.credential->chain;
	lacking.scope_of_numbers = ENCOMPASS_ABSENT;
	for (size_t i = 0; i < ARRAY_LEN(granted); i++) {
		delegate.credential->scts = i > 0; /* 0, then as many as the profile wants */
		delegate.others = i == 2;	   /* or a copy of it has fewer */
		delegate.other[0].credential = &lacking;
		assert_int_equal(run_as(x, &who, &r, NOW, &d, NULL), RC_OK);
		assert_int_equal(d.attest.granted, granted[i]);
		assert_int_equal(d.rests_on, granted[i] == 'A');
		decide_done(&d);
	}
	decide_done(&delegate);
}

/* ---- observing ---- */

/* What breaks every local rule of "watch" from its second request on. */
#define BREAKS SHAKEN("12025550198", "A")

static void
set_observe(struct fixture *x, unsigned mask)
{
	const struct config_tenant *t = config_tenant_find(x->set->config, "watch");

	((struct config_tenant *)(uintptr_t)t)->observe = mask;
}

static const struct decide_case watched = { "", 1019, PPT_SHAKEN, NULL, NULL, BREAKS, NULL,
	NULL };

static void
lets_pass_what_it_observes(void **state)
{
	static const char *const claims[] = { [OBSERVE_ATTEST] = "attest",
		[OBSERVE_DESTS] = "dest",
		[OBSERVE_PPTS] = "",
		[OBSERVE_RATE] = "" };
	static const char *const reasons[] = { [OBSERVE_ATTEST] = "attest_not_allowed",
		[OBSERVE_DESTS] = "dest_not_allowed",
		[OBSERVE_PPTS] = "no_credential",
		[OBSERVE_RATE] = "rate_limited" };
	struct fixture *x = *state;
	struct decision d = { 0 };
	struct fault f = { 0 };

	set_observe(x, (1u << OBSERVE__COUNT) - 1);
	assert_int_equal(run(x, &watched, NOW, &d, &f), RC_OK);
	assert_int_equal(d.observeds, OBSERVE__COUNT - 1); /* the rate allows the first */
	decide_done(&d);
	assert_int_equal(run(x, &watched, NOW, &d, &f), RC_OK);
	assert_int_equal(f.rc, RC_OK);
	assert_string_equal(d.tenant->name, "watch");
	assert_int_equal(d.attest.granted, 'A');
	assert_int_equal(d.observeds, OBSERVE__COUNT);
	for (size_t i = 0; i < d.observeds; i++) {
		assert_string_equal(d.observed[i].why.reason, reasons[d.observed[i].rule]);
		assert_string_equal(d.observed[i].why.claim, claims[d.observed[i].rule]);
		assert_null(strstr(d.observed[i].why.detail, "125551"));
	}
	decide_done(&d);
	for (unsigned i = 0; i < OBSERVE__COUNT; i++) { /* each by itself is enforced */
		set_observe(x, ((1u << OBSERVE__COUNT) - 1) & ~(1u << i));
		refused_with(x, &watched, NOW, reasons[i], claims[i]);
	}
	set_observe(x, 0);
}

/* What the list and a delegate of the call grant, and what is asked. */
static const struct {
	const char *name;
	char delegate_proof, asked;
	bool listed, delegate;
	char granted; /* 0: attest_not_allowed */
	size_t rests_on;
} excesses[] = {
	{ "above every rule, for the delegate alone", 'C', 'A', false, true, 'A', 1 },
	{ "what another rule grants", 'C', 'B', false, true, 'B', 0 },
	{ "by the delegate's own rule", 'A', 'A', false, true, 'A', 1 },
	{ "above every rule, for the list", 'C', 'A', true, true, 'A', 0 },
	{ "for the list alone", 'C', 'A', true, false, 'A', 0 },
	{ "for nothing (D-05)", 'C', 'A', false, false, 0, 0 },
};

/* D-05: an observed excess rests on what gives the right to the number. */
static void
an_excess_rests_on_the_proof(void **state)
{
	struct fixture *x = *state;
	struct config_tenant *t = tenant_at(x, "prov");
	struct caller who = { .uid = 1013, .gid = 100 };
	struct decision delegate = { 0 };
	struct tn_interval mine;

	t->observe = 1u << OBSERVE_ATTEST;
	t->attestation.lower = false;
	t->attestation.otherwise = 'B';
	t->credential[0].unlisted_tn = UNLISTED_B;
	assert_int_equal(decide_first(x, BASE(N0), &delegate), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(excesses); i++) {
		json_auto_t *claims =
		    json_of(excesses[i].asked == 'A' ? SHAKEN(N0, "A") : SHAKEN(N0, "B"));
		struct sign_request r = { .ppt = PPT_SHAKEN,
			.tenant = "prov",
			.claims = claims,
			.before = &delegate,
			.befores = excesses[i].delegate,
			.request_id = "t" };
		struct decision d = { 0 };
		struct fault f = { 0 };
		enum rc rc;

		tnset_free(t->numbers);
		t->numbers = NULL;
		assert_int_equal(
		    tnset_parse(span_str(excesses[i].listed ? N0 : "1"), &mine, NULL), RC_OK);
		assert_int_equal(tnset_build(&mine, 1, &t->numbers, NULL), RC_OK);
		t->attestation.delegate_proof = excesses[i].delegate_proof;
		rc = run_as(x, &who, &r, NOW, &d, &f);
		if (excesses[i].granted == 0)
			assert_string_equal(f.reason, "attest_not_allowed");
		else if (rc != RC_OK || d.attest.granted != excesses[i].granted ||
			 d.rests_on != excesses[i].rests_on)
			fail_msg("%s: %c rests on %zu, %s", excesses[i].name, d.attest.granted,
			    d.rests_on, f.reason);
		decide_done(&d);
	}
	decide_done(&delegate);
}

/* What the certificate and the configured numbers say is no local rule. */
static void
never_observes_authority(void **state)
{
	static const struct {
		const char *claims, *reason, *claim;
		enum ppt ppt;
	} rows[] = {
		{ SHAKEN("13035550100", "A"), "attest_not_allowed", "attest", PPT_SHAKEN },
		{ SHAKEN("13035550100", "B"), "attest_not_allowed", "attest", PPT_SHAKEN },
		{ BASE("12025550198"), "no_credential", "", PPT_BASE },
		{ MORE("12025550198", "'attest':'A','foo':1," ORIGID), "unknown_claim", "foo",
		    PPT_SHAKEN },
		{ MORE("12025550198", "'attest':'A'"), "missing_claim", "origid", PPT_SHAKEN },
	};
	struct fixture *x = *state;
	struct decide_case c = watched, other = plain;

	set_observe(x, (1u << OBSERVE__COUNT) - 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		c.claims = rows[i].claims;
		c.ppt = rows[i].ppt;
		refused_with(x, &c, NOW, rows[i].reason, rows[i].claim);
	}
	set_observe(x, 0);
	/* A number outside certificate or configuration, whatever its tenant observes. */
	((struct config_tenant *)(uintptr_t)config_tenant_find(x->set->config, "byhand"))
	    ->observe = (1u << OBSERVE__COUNT) - 1;
	other.uid = 1010;
	other.claims = BASE("12025550131");
	refused_with(x, &other, NOW, "tn_not_authorized", "orig");
	other.claims = BASE("13035550199");
	refused_with(x, &other, NOW, "tn_not_authorized", "orig");
}

/* ---- what belongs to single types -------------------------------------------------------- */

#define FAR	       "13035550100"
#define TO(orig, dest) "'orig':{'tn':'" orig "'},'dest':{'tn':['" dest "']}"
#define CALL	       "{" TO(FAR, N0) ",'iat':1799999000}"
#define DIVERTED(div)  "{" TO(FAR, "12125550111") ",'div':{'tn':'" div "'}}"
#define NO_ORIGID      "{" TO(N0, "12125550111") ",'attest':'B'}"
#define FIXED	       "00000000-0000-4000-8000-00000000000f"

enum {
	CACHED = 1,
	THIRD = 2,
	ETS = 4,
	RANDOM_ID = 8,
	FIXED_ID = 16,
	LONG_AGO = 32,
	ONLY_BASE = 64,
	TRUST = 128,
	PAST_10 = 256,
	AHEAD_60 = 512
};

static const struct type_case {
	const char *name;
	enum ppt ppt;
	const char *tenant, *claims, *original;
	unsigned switches;	 /* of acme's and osp's credential */
	const char *reason, *is; /* as in struct decide_case */
} type_cases[] = {
	{ "div", PPT_DIV, "acme", DIVERTED(N0), CALL, 0, NULL, "acme/main" },
	{ "div, by two (D-59)", PPT_DIV, NULL, DIVERTED(N0), CALL, 0, "ambiguous_credential",
	    "" },
	{ "div by a provider", PPT_DIV, "osp", DIVERTED(N0), CALL, 0, NULL, "osp/main" },
	{ "div-o", PPT_DIV_O, NULL, DIVERTED(N0), CALL, 0, NULL, "acme/main" },
	{ "rsp (V-77)", PPT_RSP, NULL, "{" TO(FAR, N0) "}", CALL, 0, NULL, "acme/main" },
	{ "attest in rsp, as attest_max allows (V-31)", PPT_RSP, "ownc",
	    "{" TO(FAR, "12025550113") ",'attest':'B'}",
	    "{" TO(FAR, "12025550113") ",'iat':1799999000}", 0, NULL, "ownc/main" },
	{ "attest in rsp above attest_max (V-31)", PPT_RSP, "ownc",
	    "{" TO(FAR, "12025550113") ",'attest':'A'}",
	    "{" TO(FAR, "12025550113") ",'iat':1799999000}", 0, "attest_not_allowed",
	    "attest" },
	{ "div without original (RFC 8946 s4.1)", PPT_DIV, NULL, DIVERTED(N0), NULL, 0,
	    "missing_original", "original" },
	{ "rsp without original", PPT_RSP, NULL, "{" TO(FAR, N0) "}", NULL, 0,
	    "missing_original", "original" },
	{ "base with original", PPT_BASE, NULL, BASE(N0), CALL, 0, "invalid_member",
	    "original" },
	{ "div of nobody's number (D-39)", PPT_DIV, NULL, DIVERTED("13035550109"),
	    "{" TO(FAR, "13035550109") ",'iat':1799999000}", 0, "tn_not_authorized", "div" },
	{ "div of a number to come", PPT_DIV, NULL, DIVERTED("12025550101"),
	    "{" TO(FAR, "12025550101") ",'iat':1799999000}", 0, "number_pending", "div" },
	{ "div of an unlisted number by a provider (D-39)", PPT_DIV, "osp", DIVERTED(FAR),
	    "{" TO(FAR, FAR) ",'iat':1799999000}", 0, "tn_not_authorized", "div" },
	{ "rsp of a foreign number", PPT_RSP, NULL, "{" TO(FAR, "13035550109") "}",
	    "{" TO(FAR, "13035550109") ",'iat':1799999000}", 0, "tn_not_authorized", "dest" },
	{ "rsp of several, one foreign (D-25)", PPT_RSP, NULL,
	    "{'orig':{'tn':'1'},'dest':{'tn':['" N0 "','" FAR "']}}",
	    "{'orig':{'tn':'1'},'dest':{'tn':['" N0 "','" FAR "']},'iat':1799999000}", 0,
	    "tn_not_authorized", "dest" },
	{ "rsp not as the original (V-29)", PPT_RSP, NULL, "{" TO("1", N0) "}", CALL, 0,
	    "original_mismatch", "orig" },
	{ "iat not the original's (D-21)", PPT_DIV, NULL,
	    "{" TO(FAR, "12125550111") ",'div':{'tn':'" N0 "'},'iat':1799999001}", CALL, 0,
	    "original_mismatch", "iat" },
	{ "original too old (D-21)", PPT_RSP, NULL, "{" TO(FAR, N0) "}",
	    "{" TO(FAR, N0) ",'iat':1799989199}", 0, "original_invalid", "original" },
	{ "original too old of a div (D-21)", PPT_DIV, "acme", DIVERTED(N0),
	    "{" TO(FAR, N0) ",'iat':1799989199}", 0, "stale_iat", "iat" },
	{ "iat_diverted_s (D-21)", PPT_DIV, "acme", DIVERTED(N0),
	    "{" TO(FAR, N0) ",'iat':1799989199}", LONG_AGO, NULL, "acme/main" },
	{ "iat_diverted_s of rsp (D-21)", PPT_RSP, NULL, "{" TO(FAR, N0) "}",
	    "{" TO(FAR, N0) ",'iat':1799989199}", LONG_AGO, NULL, "acme/main" },
	{ "older than iat_diverted_s (D-21)", PPT_DIV, "acme", DIVERTED(N0),
	    "{" TO(FAR, N0) ",'iat':1799985599}", LONG_AGO, "stale_iat", "iat" },
	{ "original_check = cached", PPT_DIV, "acme", DIVERTED(N0), CALL, CACHED,
	    "original_invalid", "original" },

	{ "ppts of the credential, another", PPT_MSG, "acme", BASE(N0), NULL, ONLY_BASE,
	    "no_credential", "" },
	{ "ppts of the credential, this one", PPT_BASE, "acme", BASE(N0), NULL, ONLY_BASE, NULL,
	    "acme/main" },

	{ "iat_past_s = 10, 10 s old (D-21)", PPT_BASE, "acme", MORE(N0, "'iat':1799999990"),
	    NULL, PAST_10, NULL, "acme/main" },
	{ "iat_past_s = 10, 11 s old (D-21)", PPT_BASE, "acme", MORE(N0, "'iat':1799999989"),
	    NULL, PAST_10, "stale_iat", "iat" },
	{ "iat_past_s = 60, 11 s old (D-21)", PPT_BASE, "acme", MORE(N0, "'iat':1799999989"),
	    NULL, 0, NULL, "acme/main" },
	{ "iat_future_s = 60, 60 s ahead (D-21)", PPT_BASE, "acme",
	    MORE(N0, "'iat':1800000060"), NULL, AHEAD_60, NULL, "acme/main" },
	{ "iat_future_s = 60, 61 s ahead (D-21)", PPT_BASE, "acme",
	    MORE(N0, "'iat':1800000061"), NULL, AHEAD_60, "stale_iat", "iat" },
	{ "iat_future_s = 5, 60 s ahead (D-21)", PPT_BASE, "acme", MORE(N0, "'iat':1800000060"),
	    NULL, 0, "stale_iat", "iat" },

	{ "rcd_content_unknown = refuse (D-41)", PPT_RCD, "osp",
	    MORE(N0, RCD("https://example.com/x.png", D_ICON)), NULL, 0, "rcd_content_unknown",
	    "rcdi" },
	{ "rcd_content_unknown = trust (D-41)", PPT_RCD, "osp",
	    MORE(N0, RCD("https://example.com/x.png", D_ICON)), NULL, TRUST, NULL, "osp/main" },

	{ "third party (D-52)", PPT_RCD, "osp", "{" TO(FAR, "1") ",'iss':'A','crn':'x'}", NULL,
	    THIRD, NULL, "osp/main" },
	{ "third party of another name (D-52)", PPT_RCD, "osp",
	    "{" TO(FAR, "1") ",'iss':'B','crn':'x'}", NULL, THIRD, "value_not_permitted",
	    "iss" },
	{ "third party under vesper-06 (D-16)", PPT_RCD, "acme",
	    "{" TO(FAR, "1") ",'iss':'A','crn':'x'}", NULL, THIRD, "claim_not_vetted", "iss" },
	{ "third_party_rcd is not set (D-52)", PPT_RCD, "acme",
	    "{" TO(FAR, "1") ",'iss':'A','crn':'x'}", NULL, 0, "tn_not_authorized", "orig" },
	{ "third party, tenant not named", PPT_RCD, NULL,
	    "{" TO(FAR, "1") ",'iss':'A','crn':'x'}", NULL, THIRD, "tn_not_authorized",
	    "orig" },
	{ "third party of its own number (D-52)", PPT_RCD, "acme",
	    "{" TO(N0, "1") ",'iss':'A','crn':'x'}", NULL, THIRD, "invalid_claim", "iss" },
	{ "provider as third party of a listed number (D-52)", PPT_RCD, "osp",
	    "{" TO(N0, "1") ",'iss':'A','crn':'x'}", NULL, THIRD, "invalid_claim", "iss" },
	{ "foreign number without iss (D-52)", PPT_RCD, "acme", "{" TO(FAR, "1") ",'crn':'x'}",
	    NULL, THIRD, "tn_not_authorized", "orig" },

	{ "rph_namespaces", PPT_RPH, NULL, MORE(N0, "'rph':{'auth':['ets.0']}"), NULL, ETS,
	    NULL, "osp/main" },
	{ "no rph_namespaces (RFC 8443 section 5)", PPT_RPH, NULL,
	    MORE(N0, "'rph':{'auth':['ets.0']}"), NULL, 0, "rph_not_allowed", "rph" },
	{ "another namespace", PPT_RPH, NULL, MORE(N0, "'rph':{'auth':['ets.0','wps.0']}"),
	    NULL, ETS, "rph_not_allowed", "rph" },
	{ "a namespace that begins so", PPT_RPH, NULL, MORE(N0, "'rph':{'auth':['etsx.0']}"),
	    NULL, ETS, "rph_not_allowed", "rph" },

	{ "origid = caller, none given (D-48)", PPT_SHAKEN, NULL, NO_ORIGID, NULL, 0,
	    "missing_claim", "origid" },
	{ "origid = random (RFC 8588 s10, D-48)", PPT_SHAKEN, NULL, NO_ORIGID, NULL, RANDOM_ID,
	    NULL, "osp/main" },
	{ "origid = fixed (D-48)", PPT_SHAKEN, NULL, NO_ORIGID, NULL, FIXED_ID, NULL,
	    "osp/main" },
	{ "origid = fixed stands above the caller's (D-48)", PPT_SHAKEN, NULL, SHAKEN(N0, "B"),
	    NULL, FIXED_ID, NULL, "osp/main" },
};

/* Read well, and signed by nobody: its chain is elsewhere. */
static void
put_original(struct buf *out, const char *claims)
{
	static const char header[] =
	    "{\"alg\":\"ES256\",\"typ\":\"passport\",\"x5u\":\"https://c.example/a.pem\"}";
	static const uint8_t none[ES256_SIG_LEN];
	json_auto_t *value = json_of(claims);

	assert_int_equal(passport_signing_input(out, span_str(header), value, NULL), RC_OK);
	buf_byte(out, '.');
	b64_encode(out, B64_URL, span_of(none, sizeof none));
}

static void
set_switches(struct fixture *x, const char *tenant, unsigned switches)
{
	static char ets[] = "ets", fixed[] = FIXED, base[] = "base";
	static char *list[] = { ets }, *only[] = { base };
	struct config_credential *c =
	    config_tenant_find(x->set->config, tenant)->credential; /* not const in there */

	config_in(x)->iat_past_s = (switches & PAST_10) != 0 ? 10 : PASSPORT_PAST_S;
	config_in(x)->iat_future_s = (switches & AHEAD_60) != 0 ? 60 : PASSPORT_FUTURE_S;
	c->trust_content = (switches & TRUST) != 0;
	config_in(x)->iat_diverted_s =
	    (switches & LONG_AGO) != 0 ? 4 * 60 * 60 : PASSPORT_DIVERTED_S;
	c->original_check = (switches & CACHED) != 0 ? ORIGINAL_CACHED : ORIGINAL_COMPARE;
	c->third_party_rcd = (switches & THIRD) != 0;
	c->origid = (switches & RANDOM_ID) != 0	 ? ORIGID_RANDOM
		    : (switches & FIXED_ID) != 0 ? ORIGID_FIXED
						 : ORIGID_CALLER;
	c->origid_value = (switches & FIXED_ID) != 0 ? fixed : NULL;
	c->rph_namespaces = (struct config_strings){ (switches & ETS) != 0 ? list : NULL,
		(switches & ETS) != 0 ? 1 : 0 };
	c->ppts = (struct config_strings){ (switches & ONLY_BASE) != 0 ? only : NULL,
		(switches & ONLY_BASE) != 0 ? 1 : 0 };
}

static void
check_origid(const struct type_case *c, const struct decision *d)
{
	static char last[64];
	const char *origid = json_string_value(json_object_get(d->passport.claims, "origid"));

	if ((c->switches & FIXED_ID) != 0)
		assert_string_equal(origid, FIXED);
	if ((c->switches & RANDOM_ID) == 0)
		return;
	assert_int_equal(strlen(origid), strlen(FIXED));
	assert_int_equal(origid[14], '4');
	assert_string_not_equal(origid, last);
	snprintf(last, sizeof last, "%s", origid);
}

static void
verified(struct verifier_task *t)
{
	t->items = 0;
}

/* What the front leaves to its verifier. */
static enum rc
verify(struct fixture *x, struct decision *d, struct fault *f)
{
	struct verifier_task t = {
		.item = { { .originals = d->originals, .check = d->config->original_check } },
		.items = 1,
		.now_s = NOW,
		.deadline_ms = INT64_MAX,
		.done = verified
	};
	struct verifier *v = NULL;
	struct pollfd p = { .events = POLLIN };

	assert_int_equal(verifier_new(&v, NULL), RC_OK);
	assert_int_equal(verifier_post(v, &t, x->set, NULL), RC_OK);
	p.fd = verifier_fd(v);
	while (t.items > 0) {
		assert_int_equal(poll(&p, 1, 20000), 1);
		verifier_take(v);
	}
	verifier_free(v);
	d->originals_verified = t.item[0].verified;
	*f = t.item[0].fault;
	return f->rc;
}

/* Who may ask for it; who has acme and osp where none is named. */
static uid_t
uid_of(const char *tenant)
{
	for (size_t i = 0; tenant != NULL && i < ARRAY_LEN(specs); i++) {
		if (strcmp(specs[i].tenant, tenant) == 0)
			return specs[i].uid;
	}
	return 1000;
}

static void
ask_type(struct fixture *x, const struct type_case *c)
{
	const struct decide_case plainly = { c->name, uid_of(c->tenant), c->ppt, c->tenant,
		NULL, c->claims, c->reason, c->is };
	struct caller who = { .uid = plainly.uid, .gid = 100 };
	AUTO_BUF token = BUF_INIT(65536);
	json_auto_t *claims = json_of(c->claims), *original = NULL;
	struct sign_request r = request_of(&plainly, claims);
	struct decision d = { 0 };
	struct fault f = { 0 };
	char is[64] = "";
	enum rc rc;

	if (c->original != NULL) {
		put_original(&token, c->original);
		original = json_pack("[s]", buf_text(&token));
	}
	r.original = original;
	set_switches(x, "acme", c->switches);
	set_switches(x, "osp", c->switches);
	rc = run_as(x, &who, &r, NOW, &d, &f);
	if (rc == RC_OK && d.originals != NULL)
		rc = verify(x, &d, &f);
	if (c->reason == NULL && rc == RC_OK) {
		snprintf(is, sizeof is, "%s/%s", d.tenant->name, d.config->name);
		check_origid(c, &d);
	}
	set_switches(x, "acme", 0);
	set_switches(x, "osp", 0);
	decide_done(&d);
	if (c->reason == NULL ? strcmp(is, c->is) != 0
			      : rc == RC_OK || strcmp(f.reason, c->reason) != 0 ||
				    strcmp(f.claim, c->is) != 0)
		fail_msg("%s: %s %s %s %s", c->name, is, f.reason, f.claim, f.detail);
}

static void
types_of_passports(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(type_cases); i++)
		ask_type(*state, &type_cases[i]);
	for (size_t i = 0; i < 3; i++) /* never the same */
		ask_type(*state, &type_cases[ARRAY_LEN(type_cases) - 3]);
}

/* Which rule of whom, and what would do. */
static const struct explained_case {
	struct decide_case c;
	const char *original; /* claims of it */
	const char *says;
} explained_cases[] = {
	{ { "ppt of another class", 1000, PPT_SHAKEN, "acme", NULL, SHAKEN(N0, "A"),
	      "no_credential", "" },
	    NULL,
	    "credential 'main' of tenant 'acme': profile vesper-06 does not sign shaken: ask "
	    "for "
	    "base, rcd, div, div-o, rsp, msg" },
	{ { "ppts of the tenant", 1011, PPT_MSG, "few", NULL, BASE("12025550160"),
	      "no_credential", "" },
	    NULL, "tenant 'few': ppts does not list msg: ask for one that it lists" },
	{ { "third_party_rcd is not set", 1000, PPT_RCD, "acme", NULL,
	      "{" TO(FAR, "1") ",'iss':'A','crn':'x'}", "tn_not_authorized", "orig" },
	    NULL,
	    "credential 'main' of tenant 'acme': third_party_rcd is not set, so iss cannot "
	    "stand for orig: send one of its own without iss" },
	{ { "orig_uri is not set", 1000, PPT_BASE, "acme", NULL,
	      "{'orig':{'uri':'sip:a@b.example'},'dest':{'tn':['12125550111']}}",
	      "invalid_claim", "orig" },
	    NULL,
	    "orig.uri needs authority over a domain: orig_uri of credential 'main' of tenant "
	    "'acme' is not set: send orig.tn" },
	{ { "unknown claim", 1000, PPT_BASE, "acme", NULL, MORE(N0, "'other':1"),
	      "unknown_claim", "other" },
	    NULL,
	    "base does not define it, and neither extra_claims of credential 'main' nor its "
	    "certificate names it: leave it out" },
	{ { "iat", 1000, PPT_BASE, "acme", NULL, MORE(N0, "'iat':1799999939"), "stale_iat",
	      "iat" },
	    NULL, "iat is 61 s old, at most 60 are taken" },
	{ { "iat ahead", 1000, PPT_BASE, "acme", NULL, MORE(N0, "'iat':1800000061"),
	      "stale_iat", "iat" },
	    NULL, "iat is 61 s ahead, at most 5 are taken" },
	{ { "rph_namespaces", 1000, PPT_RPH, NULL, NULL, MORE(N0, "'rph':{'auth':['ets.0']}"),
	      "rph_not_allowed", "rph" },
	    NULL,
	    "priority 'ets.0' is outside rph_namespaces of the credential: send one inside" },
	{ { "attest_max", 1000, PPT_SHAKEN, "osp", NULL, SHAKEN(N0, "A"), "attest_not_allowed",
	      "attest" },
	    NULL, "tenant 'osp': rule 'listed' grants B at most, not A: ask for B or less" },
	{ { "dests", 1014, PPT_BASE, NULL, NULL,
	      "{'orig':{'tn':'12025550197'},'dest':{'tn':['12125550120']}}", "dest_not_allowed",
	      "dest" },
	    NULL, "1212555**** is not in dests of tenant 'zone': call a number that is" },
	{ { "dests, a URI", 1014, PPT_BASE, NULL, NULL,
	      "{'orig':{'tn':'12025550197'},'dest':{'uri':['sip:a@b.example']}}",
	      "dest_not_allowed", "dest" },
	    NULL, "dests of tenant 'zone' lists numbers alone: leave dest.uri out" },
	{ { "caller_spc", 1015, PPT_BASE, NULL, NULL, BASE("12025550112"),
	      "originator_not_listed", "" },
	    NULL,
	    ": its TNAuthList names originating providers, none of them in caller_spc of "
	    "tenant "
	    "'ownb'" },
	{ { "ppts, again", 1011, PPT_MSG, "few", NULL, BASE("12025550160"), "no_credential",
	      "" },
	    NULL, "ppts does not list" },
	{ { "rate", 1011, PPT_MSG, "few", NULL, BASE("12025550160"), "rate_limited", "" }, NULL,
	    "rate of tenant 'few': at most 2 a second" },
	{ { "no x5u", 1010, PPT_DIV, NULL, NULL, DIVERTED("12025550130"), "no_credential", "" },
	    "{" TO(FAR, "12025550130") ",'iat':1800000000}",
	    "credential 'main' of tenant 'byhand' conveys no x5u, which div needs" },
};

static void
explains(struct fixture *x, const struct explained_case *e)
{
	struct caller who = { .uid = e->c.uid, .gid = 100 };
	AUTO_BUF token = BUF_INIT(65536);
	json_auto_t *claims = json_of(e->c.claims), *original = NULL;
	struct sign_request r = request_of(&e->c, claims);
	struct decision d = { 0 };
	struct fault f = { 0 };

	if (e->original != NULL) {
		put_original(&token, e->original);
		original = json_pack("[s]", buf_text(&token));
	}
	r.original = original;
	assert_int_not_equal(run_as(x, &who, &r, NOW, &d, &f), RC_OK);
	if (strcmp(f.reason, e->c.reason) != 0 || strcmp(f.claim, e->c.is) != 0 ||
	    strstr(f.detail, e->says) == NULL)
		fail_msg("%s: %s %s: %s", e->c.name, f.reason, f.claim, f.detail);
	decide_done(&d);
}

static void
no_header(struct fixture *x, const char *tenant, enum ppt ppt)
{
	struct credset_place at = { 0 };
	struct credential *c;

	assert_true(credset_find(x->set, tenant, "main", &at));
	c = credset_credential(x->set, at);
	free(c->header[ppt]);
	c->header[ppt] = NULL;
}

static void
refusals_explain(void **state)
{
	no_header(*state, "byhand", PPT_DIV);
	for (size_t i = 0; i < ARRAY_LEN(explained_cases); i++)
		explains(*state, &explained_cases[i]);
}

static void
ppts_explain(void **state)
{
	static char base[] = "base";
	static char *only[] = { base };
	struct fixture *x = *state;
	struct decide_case c = plain;
	struct credset_place at = { 0 };
	struct config_credential *cc;
	struct fault f[2] = { 0 };
	struct decision d = { 0 };

	assert_true(credset_find(x->set, "acme", "main", &at));
	cc = &config_in(x)->tenant[at.tenant].credential[at.credential];
	c.ppt = PPT_MSG;
	c.tenant = "acme";
	no_header(x, "acme", PPT_MSG);
	assert_int_equal(run(x, &c, NOW, &d, &f[0]), RC_DENIED);
	assert_string_equal(f[0].detail,
	    "credential 'main' of tenant 'acme': its certificates leave no room for msg within "
	    "identity_max_bytes");
	decide_done(&d);
	cc->ppts = (struct config_strings){ only, 1 };
	assert_int_equal(run(x, &c, NOW, &d, &f[1]), RC_DENIED);
	cc->ppts = (struct config_strings){ 0 };
	assert_string_equal(f[1].detail,
	    "credential 'main' of tenant 'acme': ppts does not list msg: ask for one that it "
	    "lists");
	decide_done(&d);
}

/* ---- a renewal ---- */

/* A certificate of acme's that begins and ends then, with a key of its own. */
static struct credential *
renewed(int64_t not_before_s, int64_t not_after_s)
{
	EVP_PKEY *key = pki_p256();
	struct credential *c = make_living(&specs[0], &specs[0].credential[0], key,
	    (struct life){ not_before_s, not_after_s });

	c->installed_at_s = NOW;
	memcpy(c->key_id, c->chain->cert[0]->key_id, KEY_ID_LEN);
	EVP_PKEY_free(key);
	return c;
}

static const struct credential *
signs(struct fixture *x, int64_t iat_s, int64_t now_s, struct fault *f)
{
	char claims[160];
	struct decide_case c = plain;
	struct decision d = { 0 };
	const struct credential *by = NULL;

	snprintf(claims, sizeof claims,
	    "{'orig':{'tn':'" N0 "'},'dest':{'tn':['12125550111']},'iat':%lld}",
	    (long long)iat_s);
	c.claims = claims;
	if (run(x, &c, now_s, &d, f) == RC_OK)
		by = d.credential;
	decide_done(&d);
	return by;
}

static void
dated_too_early(struct fixture *x, int64_t iat_s, int64_t now_s)
{
	struct fault f = { 0 };

	assert_null(signs(x, iat_s, now_s, &f));
	assert_string_equal(f.reason, "credential_expired");
	assert_string_equal(f.claim, "iat");
}

/* RFC 8224 s6.1: both moments in one certificate, and no request is refused by a renewal. */
static void
renewal_refuses_nobody(void **state)
{
	struct fixture *x = *state;
	struct credset_place at = { 0 };
	struct credential *old, *new = renewed(NOW, NOW + DAY);

	assert_true(credset_find(x->set, "acme", "main", &at));
	old = credset_credential(x->set, at);
	credset_put(x->set, at, new);
	assert_ptr_equal(signs(x, NOW, NOW, NULL), new);
	assert_ptr_equal(signs(x, NOW + 5, NOW, NULL), new);
	for (int64_t s = 0; s <= 60; s++) {
		assert_ptr_equal(signs(x, NOW + s - 60, NOW + s, NULL), s < 60 ? old : new);
		assert_ptr_equal(signs(x, NOW + s, NOW + s, NULL), new);
	}
	/* Its key is gone before long; what is dated before the new one is then refused. */
	assert_ptr_equal(credset_before(x->set, at, NOW + CREDENTIAL_BEFORE_S), old);
	assert_null(credset_before(x->set, at, NOW + CREDENTIAL_BEFORE_S + 1));
	assert_true(credset_serves(x->set, at, old) && credset_serves(x->set, at, new));
}

/* The first certificate: nobody could have signed that call then. */
static void
dated_before_the_first(void **state)
{
	struct fixture *x = *state;
	struct credset_place at = { 0 };
	struct credential *none = NULL;

	assert_true(credset_find(x->set, "acme", "main", &at));
	assert_int_equal(
	    credential_new("acme", "main", CREDENTIAL_PENDING, &none, NULL), RC_OK);
	credset_put(x->set, at, none);
	credset_put(x->set, at, renewed(NOW, NOW + DAY));
	assert_non_null(signs(x, NOW, NOW, NULL));
	dated_too_early(x, NOW - 1, NOW);
	dated_too_early(x, NOW - 60, NOW);
	dated_too_early(x, NOW - 1, NOW + 59);
	assert_non_null(signs(x, NOW, NOW + 60, NULL));
}

/* The one before has ended, or is not valid at iat either; or was put away with its list. */
static void
renewal_that_cannot_help(void **state)
{
	struct fixture *x = *state;
	struct credset_place at = { 0 };
	struct tnlist *list = calloc(1, sizeof *list);
	struct credential *c;

	assert_non_null(list);
	assert_true(credset_find(x->set, "acme", "main", &at));
	credset_put(x->set, at, renewed(NOW - 30, NOW + 20));
	credset_put(x->set, at, renewed(NOW, NOW + DAY));
	assert_non_null(signs(x, NOW - 30, NOW + 20, NULL));
	dated_too_early(x, NOW - 31, NOW + 20); /* two before is not kept */
	dated_too_early(x, NOW - 30, NOW + 21);
	/* Of a list by reference that has changed, nothing older signs any more (D-46). */
	atomic_init(&list->refs, 1);
	c = renewed(NOW + 40, NOW + DAY);
	credset_credential(x->set, at)->list = list;
	credset_put(x->set, at, c);
	dated_too_early(x, NOW + 39, NOW + 40);
	/* Nor is one that is put in force again, as it was, its own predecessor. */
	credset_put(x->set, at, renewed(NOW + 40, NOW + DAY));
	dated_too_early(x, NOW + 39, NOW + 40);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	struct CMUnitTest
	    tests[ARRAY_LEN(cases) + ARRAY_LEN(granted_cases) + ARRAY_LEN(supplied_cases)];
	const struct CMUnitTest more[] = {
		TEST(dry_run_is_silent),
		TEST(clock_before_release),
		TEST(signer_not_ready),
		TEST(not_yet_valid),
		TEST(renewal_refuses_nobody),
		TEST(dated_before_the_first),
		TEST(renewal_that_cannot_help),
		TEST(identity_needed),
		TEST(delegate_of_the_call),
		TEST(delegate_by_its_certificate),
		TEST(delegate_by_the_rules),
		TEST(lets_pass_what_it_observes),
		TEST(never_observes_authority),
		TEST(an_excess_rests_on_the_proof),
		TEST(known_customers),
		TEST(types_of_passports),
		TEST(refusals_explain),
		TEST(ppts_explain),
		TEST(rates),
		TEST(does_not_originate),
		TEST(iat_windows),
		TEST(content_on_trust),
		TEST(wants_a_proof),
		TEST(proofs_count_for_the_rate),
		TEST(proofs_pay_for_no_guess),
		TEST(origin_is_a_uri),
		TEST(copies_of_one),
		TEST(divided_over_two),
		TEST(others_over_two),
		TEST(others_of_a_copy),
		TEST(a_copy_that_may_not),
		TEST(not_loaded_yet),
		TEST(too_old_a_list),
		TEST(strangers_share_one_rate),
		TEST(users_have_a_rate_each),
		TEST(guesses_cost),
		TEST(guesses_without_a_tenant_cost),
		TEST(guesses_at_no_rate_cost),
		cmocka_unit_test(attest_table),
		TEST(callers),
		TEST(view_follows_the_set),
		cmocka_unit_test(peer_of_a_socket),
	};
	size_t n = 0;
	int failed;

	ROWS(tests, n, cases, decides);
	ROWS(tests, n, granted_cases, grants);
	ROWS(tests, n, supplied_cases, supplied);
	failed = cmocka_run_group_tests(tests, share_up, share_down);
	return failed + cmocka_run_group_tests(more, NULL, NULL);
}
