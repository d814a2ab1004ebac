/* ctentry: the entries of a log, and the certificate that each is about */
#include "stir/ctentry.h"

#include "stir/b64.h"
#include "stir/tlsread.h"
#include "tests/unit/cm.h"
#include "tests/unit/mutate.h"
#include "tests/unit/pki.h"

static struct {
	EVP_PKEY *ca_key, *leaf_key, *log;
	X509 *ca, *leaf;
	struct buf tnauth, der, tbs, x509_leaf, precert_leaf;
} w;

/* MerkleTreeLeaf, RFC 6962 section 3.4 */
static void
leaf_of(struct buf *out, struct span body, bool precert)
{
	static const uint8_t issuer[MERKLE_HASH] = { 7 };

	tls_put_uint(out, 0, 1);
	tls_put_uint(out, 0, 1);
	tls_put_uint(out, PKI_NOW * 1000, 8);
	tls_put_uint(out, precert ? 1 : 0, 2);
	if (precert)
		buf_put(out, issuer, sizeof issuer);
	tls_put_vector(out, body, 3);
	tls_put_vector(out, (struct span){ 0 }, 2);
}

static int
make_world(void **state)
{
	unsigned char *tbs = NULL;
	int len;

	(void)state;
	w.ca_key = pki_p256();
	w.leaf_key = pki_p256();
	w.tnauth = w.der = w.tbs = w.x509_leaf = w.precert_leaf = BUF_INIT(65536);
	pki_tnauth_one(&w.tnauth, "12025550100");
	w.ca = pki_issue(&(struct pki_spec){ .cn = "CA", .key = w.ca_key, .ca = true });
	w.leaf = pki_issue(&(struct pki_spec){ .cn = "leaf",
	    .key = w.leaf_key,
	    .issuer = w.ca,
	    .issuer_key = w.ca_key,
	    .serial = "1f",
	    .tnauth = buf_view(&w.tnauth) });
	pki_der(&w.der, w.leaf);
	len = i2d_re_X509_tbs(w.leaf, &tbs);
	assert_true(len > 0);
	buf_put(&w.tbs, tbs, (size_t)len);
	OPENSSL_free(tbs);
	leaf_of(&w.x509_leaf, buf_view(&w.der), false);
	leaf_of(&w.precert_leaf, buf_view(&w.tbs), true);
	return 0;
}

static int
drop_world(void **state)
{
	(void)state;
	EVP_PKEY_free(w.ca_key);
	EVP_PKEY_free(w.leaf_key);
	X509_free(w.ca);
	X509_free(w.leaf);
	buf_free(&w.tnauth);
	buf_free(&w.der);
	buf_free(&w.tbs);
	buf_free(&w.x509_leaf);
	buf_free(&w.precert_leaf);
	return 0;
}

/* RFC 6962 s3.4: both kinds say whose certificate it is. */
static void
both_kinds(void **state)
{
	const struct buf *const leaves[] = { &w.x509_leaf, &w.precert_leaf };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct ctentry e = { .time_ms = 0 };
		AUTO(cert) *cert = NULL;
		uint8_t point[P256_POINT_LEN];

		assert_int_equal(ctentry_decode(buf_view(leaves[i]), &e, NULL), RC_OK);
		assert_int_equal(e.precert, i == 1);
		assert_int_equal(e.time_ms, PKI_NOW * 1000);
		assert_int_equal(ctentry_cert(&e, true, &cert, NULL), RC_OK);
		assert_string_equal(cert->serial, "1f");
		assert_string_equal(cert->subject, "CN=leaf");
		assert_int_equal(tnauth_len(cert->tnauth), 1);
		assert_int_equal(p256_point(w.leaf_key, point, NULL), RC_OK);
		assert_memory_equal(cert->point, point, sizeof point);
		assert_true(ctentry_names_tnauth(&e));
	}
}

static bool
takes(struct span leaf)
{
	struct ctentry e;

	return ctentry_decode(leaf, &e, NULL) == RC_OK;
}

static bool
takes_all(struct span leaf)
{
	struct ctentry e;
	AUTO(cert) *cert = NULL;

	return ctentry_decode(leaf, &e, NULL) == RC_OK &&
	       ctentry_cert(&e, true, &cert, NULL) == RC_OK;
}

static void
leaves_cut_and_flipped(void **state)
{
	AUTO_BUF more = BUF_INIT(65536);

	(void)state;
	no_prefix_is_taken(takes, buf_view(&w.x509_leaf));
	no_prefix_is_taken(takes, buf_view(&w.precert_leaf));
	(void)survives_bit_flips(takes_all, buf_view(&w.precert_leaf));
	buf_span(&more, buf_view(&w.precert_leaf));
	buf_byte(&more, 0);
	assert_false(takes(buf_view(&more)));
}

static struct leaf_case {
	const char *name, *hex;
} leaf_cases[] = {
	{ "nothing", "" },
	{ "version 2", "01 00 0000000000000001 0000 000001 30 0000" },
	{ "no timestamped entry", "00 01 0000000000000001 0000 000001 30 0000" },
	{ "a time beyond all", "00 00 ffffffffffffffff 0000 000001 30 0000" },
	{ "an unknown type", "00 00 0000000000000001 0002 000001 30 0000" },
	{ "no certificate", "00 00 0000000000000001 0000 000000 0000" },
	{ "a length beyond the end", "00 00 0000000000000001 0000 ffffff 30 0000" },
	{ "half an issuer's hash", "00 00 0000000000000001 0001 00112233" },
	{ "octets behind it", "00 00 0000000000000001 0000 000001 30 0000 00" },
};

static void
leaf_is_refused(void **state)
{
	const struct leaf_case *t = *state;
	uint8_t octets[128];
	struct ctentry e;
	struct fault f = { 0 };

	assert_int_equal(
	    ctentry_decode(unhex(t->hex, octets, sizeof octets), &e, &f), RC_INVALID);
	assert_string_equal(f.reason, "ct_leaf");
}

/* ---- answers ------------------------------------------------------------------------------ */

static void
answer(struct buf *out, size_t n)
{
	buf_str(out, "{\"entries\":[");
	for (size_t i = 0; i < n; i++) {
		buf_str(out, i == 0 ? "{\"leaf_input\":\"" : ",{\"leaf_input\":\"");
		b64_encode(out, B64_STD, buf_view(i % 2 == 0 ? &w.precert_leaf : &w.x509_leaf));
		buf_str(out, "\",\"extra_data\":\"AAAA\"}");
	}
	buf_str(out, "]}");
}

/* RFC 6962 s4.6 */
static void
entries_are_read(void **state)
{
	AUTO_BUF json = BUF_INIT(CTENTRY_JSON_MAX);
	struct ctentry_list l = { .len = 0 };
	struct fault f = { 0 };

	(void)state;
	answer(&json, 5);
	assert_int_equal(ctentry_read(buf_view(&json), 5, &l, NULL), RC_OK);
	assert_int_equal(l.len, 5);
	assert_true(span_eq(ctentry_leaf(&l, 1), buf_view(&w.x509_leaf)));
	assert_true(span_eq(ctentry_leaf(&l, 4), buf_view(&w.precert_leaf)));
	ctentry_done(&l);
	assert_int_equal(ctentry_read(buf_view(&json), 4, &l, &f), RC_INVALID);
	assert_string_equal(f.reason, "ct_entries");
}

static struct answer_case {
	const char *name, *json;
} answer_cases[] = {
	{ "HTML", "<html></html>" },
	{ "no object", "[]" },
	{ "no entries", "{}" },
	{ "an empty list", "{\"entries\":[]}" },
	{ "entries that are no list", "{\"entries\":{}}" },
	{ "an entry without a leaf", "{\"entries\":[{\"extra_data\":\"AAAA\"}]}" },
	{ "an empty leaf", "{\"entries\":[{\"leaf_input\":\"\"}]}" },
	{ "a leaf that is no text", "{\"entries\":[{\"leaf_input\":1}]}" },
	{ "a leaf that is no base64", "{\"entries\":[{\"leaf_input\":\"-_-_\"}]}" },
	{ "entries twice", "{\"entries\":[],\"entries\":[]}" },
};

static void
answer_is_refused(void **state)
{
	const struct answer_case *t = *state;
	struct ctentry_list l;

	assert_int_equal(ctentry_read(span_str(t->json), CTENTRY_PAGE, &l, NULL), RC_INVALID);
}

/* A piece of memory each: they are counted before they are made. */
static void
many_small_values(void **state)
{
	AUTO_BUF json = BUF_INIT(CTENTRY_JSON_MAX);
	struct ctentry_list l;
	struct fault f = { 0 };

	(void)state;
	buf_str(&json, "{\"entries\":[{}");
	while (json.len < CTENTRY_JSON_MAX - 16)
		buf_str(&json, ",{}");
	buf_str(&json, "]}");
	assert_int_equal(ctentry_read(buf_view(&json), CTENTRY_PAGE, &l, &f), RC_INVALID);
	assert_string_equal(f.reason, "malformed_json");
	assert_non_null(strstr(f.detail, "too many values"));
}

static void
more_than_a_page(void **state)
{
	AUTO_BUF json = BUF_INIT(CTENTRY_JSON_MAX);
	struct ctentry_list l;

	(void)state;
	answer(&json, CTENTRY_PAGE + 1);
	assert_int_equal(ctentry_read(buf_view(&json), 2 * CTENTRY_PAGE, &l, NULL), RC_INVALID);
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(leaf_cases) + ARRAY_LEN(answer_cases) + 5];
	size_t n = 0;

	ROWS(tests, n, leaf_cases, leaf_is_refused);
	ROWS(tests, n, answer_cases, answer_is_refused);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(both_kinds);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(leaves_cut_and_flipped);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(entries_are_read);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(many_small_values);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(more_than_a_page);
	return cmocka_run_group_tests(tests, make_world, drop_world);
}
