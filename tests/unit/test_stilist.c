/* stilist: the STI-PA's list of trusted CAs (ATIS-1000080, ATIS-1000084) */
#include "stir/stilist.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/mutate.h"
#include "tests/unit/pki.h"

enum { TEXT_MAX = STILIST_MAX_BYTES + 16 };

enum signer { PINNED, PATH, OTHER_PATH, OTHER_KEY };

static struct {
	EVP_PKEY *pa_key, *root_key, *other_key, *sti_key;
	X509 *root, *pa, *other_root, *other_pa, *sti, *leaf;
	struct buf roots, pinned; /* PEM of who may sign: a root, the signer itself */
} w;

static X509 *
issue(const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, bool ca)
{
	return pki_issue(&(struct pki_spec){
	    .cn = cn, .key = key, .issuer = issuer, .issuer_key = issuer_key, .ca = ca });
}

static int
make_world(void **state)
{
	(void)state;
	w.pa_key = pki_p256();
	w.root_key = pki_p256();
	w.other_key = pki_p256();
	w.sti_key = pki_p256();
	w.root = issue("PA root", w.root_key, NULL, NULL, true);
	w.pa = issue("PA", w.pa_key, w.root, w.root_key, false);
	w.other_root = issue("Other", w.other_key, NULL, NULL, true);
	w.other_pa = issue("Other PA", w.pa_key, w.other_root, w.other_key, false);
	w.sti = issue("STI root", w.sti_key, NULL, NULL, true);
	w.leaf = issue("leaf", w.other_key, w.sti, w.sti_key, false);
	w.roots = w.pinned = BUF_INIT(65536);
	pki_pem(&w.roots, w.root);
	pki_pem(&w.pinned, w.pa);
	return 0;
}

static int
drop_world(void **state)
{
	EVP_PKEY *const keys[] = { w.pa_key, w.root_key, w.other_key, w.sti_key };
	X509 *const certs[] = { w.root, w.pa, w.other_root, w.other_pa, w.sti, w.leaf };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		EVP_PKEY_free(keys[i]);
	for (size_t i = 0; i < ARRAY_LEN(certs); i++)
		X509_free(certs[i]);
	buf_free(&w.roots);
	buf_free(&w.pinned);
	return 0;
}

static json_t *
pem_json(X509 *const *x, size_t n)
{
	AUTO_BUF pem = BUF_INIT(65536);

	for (size_t i = 0; i < n; i++)
		pki_pem(&pem, x[i]);
	return json_string(buf_text(&pem));
}

static json_t *
good_claims(void)
{
	return json_pack("{s:s, s:i, s:I, s:[o]}", "version", "1.0", "sequence", 5, "exp",
	    (json_int_t)PKI_NOW + 86400, "trustList", pem_json(&w.sti, 1));
}

static void
make_jwt(
    struct buf *out, enum signer by, const char *alg, const char *more, const char *payload)
{
	AUTO_BUF header = BUF_INIT(65536), x5c = BUF_INIT(65536);
	bool pinned = by == PINNED || by == OTHER_KEY;

	pki_x5c(&x5c, by == OTHER_PATH ? &w.other_pa : &w.pa, 1);
	buf_printf(&header, "{\"alg\":\"%s\",\"typ\":\"JWT\"%s", alg, more);
	buf_str(&header, pinned ? ",\"x5u\":\"https://pa.example/c.pem\"" : ",\"x5c\":");
	buf_str(&header, pinned ? "" : buf_text(&x5c));
	buf_byte(&header, '}');
	pki_jws(out, buf_text(&header), payload, by == OTHER_KEY ? w.other_key : w.pa_key);
}

static enum rc
read_list(struct span text, struct span signers, int64_t at_s, struct fault *f)
{
	AUTO(stilist) *l = NULL;
	enum rc rc = stilist_read(text, signers, at_s, &l, f);

	assert_int_equal(rc == RC_OK, l != NULL);
	if (l != NULL) {
		assert_int_equal(l->sequence, 5);
		assert_non_null(l->anchors);
	}
	return rc;
}

/* What stands in a claim instead: JSON, or one of these. */
#define LEAF   "leaf"
#define TWICE  "twice"
#define TWO_IN "two in one"

struct claim_case {
	const char *name;
	enum signer by;
	const char *alg, *more;	   /* NULL: ES256, nothing */
	const char *claim, *value; /* value NULL: it is not there */
	enum rc rc;
	const char *reason;
};

static struct claim_case cases[] = {
	{ "signed by a configured certificate (RFC 7515 s5.2)", PINNED, NULL, NULL, NULL, NULL,
	    RC_OK, NULL },
	{ "signed by one that leads there", PATH, NULL, NULL, NULL, NULL, RC_OK, NULL },
	{ "one that leads elsewhere", OTHER_PATH, NULL, NULL, NULL, NULL, RC_DENIED,
	    "list_signer" },
	{ "another key", OTHER_KEY, NULL, NULL, NULL, NULL, RC_DENIED, "list_signature" },
	{ "alg none", PINNED, "none", NULL, NULL, NULL, RC_DENIED, "list_signature" },
	{ "alg HS256", PATH, "HS256", NULL, NULL, NULL, RC_DENIED, "list_signature" },
	{ "crit", PINNED, NULL, ",\"crit\":[\"b64\"]", NULL, NULL, RC_DENIED,
	    "list_signature" },
	{ "alg twice", PINNED, NULL, ",\"alg\":\"ES256\"", NULL, NULL, RC_INVALID,
	    "duplicate_member" },
	{ "no version", PINNED, NULL, NULL, "version", NULL, RC_INVALID, "list_claim" },
	{ "no sequence", PINNED, NULL, NULL, "sequence", NULL, RC_INVALID, "list_claim" },
	{ "a sequence below zero", PINNED, NULL, NULL, "sequence", "-1", RC_INVALID,
	    "list_claim" },
	{ "a sequence in text", PINNED, NULL, NULL, "sequence", "\"5\"", RC_INVALID,
	    "list_claim" },
	{ "no exp", PINNED, NULL, NULL, "exp", NULL, RC_INVALID, "list_claim" },
	{ "an exp of a fraction", PINNED, NULL, NULL, "exp", "1.5", RC_INVALID, "list_claim" },
	{ "no trustList", PINNED, NULL, NULL, "trustList", NULL, RC_INVALID, "list_claim" },
	{ "a trustList of text", PINNED, NULL, NULL, "trustList", "\"x\"", RC_INVALID,
	    "list_claim" },
	{ "a root that is a number", PINNED, NULL, NULL, "trustList", "[1]", RC_INVALID,
	    "list_claim" },
	{ "an empty trustList", PINNED, NULL, NULL, "trustList", "[]", RC_INVALID,
	    "list_empty" },
	{ "a root that is no PEM", PINNED, NULL, NULL, "trustList", "[\"x\"]", RC_INVALID,
	    "chain_empty" },
	{ "a root that is no CA", PINNED, NULL, NULL, "trustList", LEAF, RC_INVALID,
	    "list_ca" },
	{ "two certificates for one root", PINNED, NULL, NULL, "trustList", TWO_IN, RC_INVALID,
	    "list_ca" },
	{ "one that is no CA beside one that is", PINNED, NULL, NULL, "trustList", TWICE,
	    RC_INVALID, "list_ca" },
};

static json_t *
value_of(const char *value)
{
	X509 *const both[] = { w.sti, w.root };

	if (strcmp(value, LEAF) == 0)
		return json_pack("[o]", pem_json(&w.leaf, 1));
	if (strcmp(value, TWICE) == 0)
		return json_pack("[o, o]", pem_json(&w.sti, 1), pem_json(&w.leaf, 1));
	if (strcmp(value, TWO_IN) == 0)
		return json_pack("[o]", pem_json(both, 2));
	return json_loads(value, JSON_DECODE_ANY, NULL);
}

static void
run_case(void **state)
{
	const struct claim_case *t = *state;
	AUTO_BUF jwt = BUF_INIT(TEXT_MAX), wrapped = BUF_INIT(TEXT_MAX);
	json_auto_t *claims = good_claims();
	struct span signers =
	    buf_view(t->by == PATH || t->by == OTHER_PATH ? &w.roots : &w.pinned);
	struct fault f = { 0 };
	char *text;

	if (t->claim != NULL && t->value == NULL)
		assert_int_equal(json_object_del(claims, t->claim), 0);
	else if (t->claim != NULL)
		assert_int_equal(json_object_set_new(claims, t->claim, value_of(t->value)), 0);
	text = json_dumps(claims, 0);
	make_jwt(&jwt, t->by, t->alg != NULL ? t->alg : "ES256", t->more != NULL ? t->more : "",
	    text);
	free(text);
	assert_int_equal(read_list(buf_view(&jwt), signers, PKI_NOW, &f), t->rc);
	if (t->reason != NULL)
		assert_string_equal(f.reason, t->reason);
	/* As the API answers it. */
	buf_str(&wrapped, "{\"status\":\"success\",\"caList\":\"");
	buf_span(&wrapped, buf_view(&jwt));
	buf_str(&wrapped, "\"}\n");
	assert_int_equal(read_list(buf_view(&wrapped), signers, PKI_NOW, &f), t->rc);
}

/* The signer's certificate has to be valid when the list comes. */
static void
signer_is_over(void **state)
{
	static const enum signer by[] = { PINNED, PATH };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(by); i++) {
		AUTO_BUF jwt = BUF_INIT(TEXT_MAX);
		json_auto_t *claims = good_claims();
		char *text = json_dumps(claims, 0);
		struct span signers = buf_view(by[i] == PATH ? &w.roots : &w.pinned);

		make_jwt(&jwt, by[i], "ES256", "", text);
		free(text);
		assert_int_equal(read_list(buf_view(&jwt), signers, PKI_NOW, NULL), RC_OK);
		assert_int_equal(
		    read_list(buf_view(&jwt), signers, PKI_NOW + 2 * 86400, NULL), RC_DENIED);
		assert_int_equal(
		    read_list(buf_view(&jwt), signers, PKI_NOW - 2 * 86400, NULL), RC_DENIED);
	}
}

static void
odd_texts(void **state)
{
	static const char *const rows[] = { "", " ", "{}", "{\"caList\":1}",
		"{\"caList\":\"\"}", "{\"caList\":\"a.b.c\"}", "[]", "a.b", "..",
		"{\"caList\":\"x\",\"caList\":\"x\"}" };
	AUTO_BUF large = BUF_INIT(TEXT_MAX);
	struct fault f = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
		    read_list(span_str(rows[i]), buf_view(&w.pinned), PKI_NOW, &f), RC_INVALID);
	while (large.len <= STILIST_MAX_BYTES)
		buf_byte(&large, 'a');
	assert_int_equal(
	    read_list(buf_view(&large), buf_view(&w.pinned), PKI_NOW, &f), RC_INVALID);
	assert_string_equal(f.reason, "list_form");
}

static bool
is_list(struct span bytes)
{
	return read_list(bytes, buf_view(&w.pinned), PKI_NOW, NULL) == RC_OK;
}

static void
cut_and_flipped(void **state)
{
	AUTO_BUF jwt = BUF_INIT(TEXT_MAX);
	json_auto_t *claims = good_claims();
	char *text = json_dumps(claims, 0);

	(void)state;
	make_jwt(&jwt, PINNED, "ES256", "", text);
	free(text);
	no_prefix_is_taken(is_list, buf_view(&jwt));
	for (size_t i = 0; i < jwt.len;
	     i += 3) { /* each is a verification, and a parsed list */
		jwt.ptr[i] ^= (uint8_t)(1U << i % 7);
		assert_false(accepts_copy(is_list, buf_view(&jwt)));
		jwt.ptr[i] ^= (uint8_t)(1U << i % 7);
	}
}

/* More than there may be, all of them good. */
static void
too_many(void **state)
{
	AUTO_BUF jwt = BUF_INIT(TEXT_MAX);
	json_auto_t *claims = good_claims();
	json_t *list = json_object_get(claims, "trustList");
	struct fault f = { 0 };
	char *text;

	(void)state;
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(json_array_append_new(list, pem_json(&w.sti, 1)), 0);
	text = json_dumps(claims, 0);
	make_jwt(&jwt, PINNED, "ES256", "", text);
	free(text);
	if (jwt.len <= JWS_MAX_BYTES)
		fail_msg("only %zu octets", jwt.len);
	assert_int_not_equal(
	    read_list(buf_view(&jwt), buf_view(&w.pinned), PKI_NOW, &f), RC_OK);
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(cases) + 4];
	size_t n = 0;

	ROWS(tests, n, cases, run_case);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(signer_is_over);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(odd_texts);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(cut_and_flipped);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(too_many);
	return cmocka_run_group_tests(tests, make_world, drop_world);
}
