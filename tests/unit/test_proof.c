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
#define X5U "https://cert.example/ours.pem"

static struct {
	EVP_PKEY *root_key, *leaf_key, *other_key;
	X509 *root;
	struct anchors *anchors, *others;
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
	AUTO_OSSL(X509) *other = NULL;

	(void)state;
	w.root_key = pki_p256();
	w.leaf_key = pki_p256();
	w.other_key = pki_p256();
	w.root = pki_issue(&(struct pki_spec){ .cn = "Root", .key = w.root_key, .ca = true });
	other = pki_issue(&(struct pki_spec){ .cn = "Root", .key = w.other_key, .ca = true });
	w.anchors = read_anchors(w.root);
	w.others = read_anchors(other);
	return 0;
}

static int
drop_world(void **state)
{
	(void)state;
	EVP_PKEY_free(w.root_key);
	EVP_PKEY_free(w.leaf_key);
	EVP_PKEY_free(w.other_key);
	X509_free(w.root);
	anchors_free(w.anchors);
	anchors_free(w.others);
	return 0;
}

enum { OTHER_KEY = 1, OTHER_ANCHORS = 2, NO_ANCHORS = 4, CODE = 8, NO_X5C = 16, OURS = 32 };

static struct proof_case {
	const char *name;
	unsigned flags;
	const char *payload, *ppt;
	const char *detail; /* part of it; NULL: it proves */
} proof_cases[] = {
	{ "base PASSporT (RFC 8588 s4)", 0, GOOD, NULL, NULL },
	{ "x5u of one of ours", NO_X5C | OURS, GOOD, NULL, NULL },
	{ "a destination more", 0, CLAIMS(CALLER, Q("12125550112") "," Q(CALLEE), "1800000000"),
	    NULL, "another call" },
	{ "another call's dest", 0, CLAIMS(CALLER, Q("12125550112"), "1800000000"), NULL,
	    "another call" },
	{ "another number", 0, CLAIMS("12025550101", Q(CALLEE), "1800000000"), NULL,
	    "authority" },
	{ "a minute and a second old", 0, CLAIMS(CALLER, Q(CALLEE), "1799999939"), NULL,
	    "stale_iat" },
	{ "ahead", 0, CLAIMS(CALLER, Q(CALLEE), "1800000061"), NULL, "stale_iat" },
	{ "another key", OTHER_KEY, GOOD, NULL, "signature" },
	{ "an anchor that is not ours", OTHER_ANCHORS, GOOD, NULL, "path" },
	{ "no anchors at all", NO_ANCHORS, GOOD, NULL, "trust anchor" },
	{ "a provider's shaken", CODE, SHAKEN, "shaken", "speak for orig" },
	{ "certificates elsewhere", NO_X5C, GOOD, NULL, "no_chain" },
	{ "not a token", 0, NULL, NULL, "parse" },
};

static struct credset *
make_set(struct anchors *anchors)
{
	AUTO_CREDSET_BASE *base = NULL;
	struct config *config = calloc(1, sizeof *config);
	struct credset *set = NULL;

	assert_non_null(config);
	config->tenant = calloc(1, sizeof *config->tenant);
	config->tenants = 1;
	config->tenant->credential = calloc(1, sizeof *config->tenant->credential);
	config->tenant->credentials = 1;
	assert_int_equal(
	    credset_base_new(&(struct credset_parts){ .config = config }, &base, NULL), RC_OK);
	assert_int_equal(credset_new(base, &set, NULL), RC_OK);
	set->anchors = anchors;
	return set;
}

/* One credential of ours; takes the chain. */
static void
ours(struct credset *set, struct chain *chain)
{
	struct credential *c = NULL;

	assert_int_equal(credential_new("acme", "main", CREDENTIAL_READY, &c, NULL), RC_OK);
	c->x5u = strdup(X5U);
	c->chain = chain;
	credset_put(set, (struct credset_place){ 0, 0 }, c);
}

static X509 *
leaf_of(const struct proof_case *c)
{
	AUTO_BUF list = BUF_INIT(1000);
	struct pki_spec spec = {
		.cn = "Leaf", .key = w.leaf_key, .issuer = w.root, .issuer_key = w.root_key
	};

	if ((c->flags & CODE) != 0)
		pki_tnauth_spc(&list, "1234");
	else
		pki_tnauth_one(&list, CALLER);
	spec.tnauth = buf_view(&list);
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
	buf_str(&header, ",\"x5u\":\"" X5U "\"}");
	pki_jws(out, buf_text(&header), c->payload,
	    (c->flags & OTHER_KEY) != 0 ? w.other_key : w.leaf_key);
}

static void
prepare(struct passport *p, const char *claims)
{
	struct passport_policy policy = { .now_s = PKI_NOW, .iat_past_s = 60 };
	json_auto_t *root = json_loads(claims, 0, NULL);

	assert_non_null(root);
	assert_int_equal(passport_prepare(root, PPT_BASE, &policy, p, NULL), RC_OK);
}

static void
reads(void **state)
{
	const struct proof_case *c = *state;
	__attribute__((cleanup(passport_done))) struct passport call = { 0 };
	AUTO_BUF token = BUF_INIT(40000), pem = BUF_INIT(40000);
	AUTO_OSSL(X509) *leaf = leaf_of(c);
	AUTO(chain) *chain = NULL;
	AUTO_CREDSET *set = make_set((c->flags & OTHER_ANCHORS) != 0 ? w.others
				     : (c->flags & NO_ANCHORS) != 0  ? NULL
								     : w.anchors);
	struct fault f = { 0 };
	enum rc rc;

	pki_pem(&pem, leaf);
	assert_int_equal(chain_read_pem(buf_view(&pem), false, &chain, NULL), RC_OK);
	if ((c->flags & OURS) != 0)
		ours(set, TAKE(chain));
	if (c->payload != NULL)
		make_token(&token, c, leaf);
	else
		buf_str(&token, "no.token");
	prepare(&call, GOOD);
	rc = proof_read(set, buf_view(&token), &call, PKI_NOW, &f);
	if (c->detail == NULL) {
		assert_string_equal(f.detail, "");
		assert_int_equal(rc, RC_OK);
		return;
	}
	assert_int_equal(rc, RC_DENIED);
	assert_string_equal(f.reason, "attest_not_allowed");
	if (strstr(f.detail, c->detail) == NULL)
		fail_msg("got %s", f.detail);
}

/* A bit of the payload turned is a signature that does not verify, or no JSON: never a proof. */
static void
no_bit_may_turn(void **state)
{
	static const struct proof_case good = { "", 0, GOOD, NULL, NULL };
	__attribute__((cleanup(passport_done))) struct passport call = { 0 };
	AUTO_BUF token = BUF_INIT(40000);
	AUTO_OSSL(X509) *leaf = leaf_of(&good);
	AUTO_CREDSET *set = make_set(w.anchors);

	(void)state;
	prepare(&call, GOOD);
	make_token(&token, &good, leaf);
	for (size_t i = token.len - 200; i < token.len; i += 7) {
		struct fault f = { 0 };

		token.ptr[i] ^= 1;
		assert_int_not_equal(
		    proof_read(set, buf_view(&token), &call, PKI_NOW, &f), RC_OK);
		token.ptr[i] ^= 1;
	}
	assert_int_equal(proof_read(set, buf_view(&token), &call, PKI_NOW, NULL), RC_OK);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(proof_cases) + 1];
	size_t n = 0;

	ROWS(tests, n, proof_cases, reads);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_bit_may_turn);
	return cmocka_run_group_tests(tests, make_world, drop_world);
}
