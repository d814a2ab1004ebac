/* loglist: lists of logs that their publisher signs */
#include "stir/loglist.h"

#include <openssl/pem.h>
#include <stdio.h>

#include "tests/unit/ctlab.h"
#include "tests/unit/mutate.h"
#include "tests/unit/pki.h"

#define DATED	",\"log_list_timestamp\":\"2026-11-01T12:00:00Z\"}"
#define DATED_S INT64_C(1793534400)
enum { TEXT_MAX = 65536 };

static struct {
	EVP_PKEY *log, *ec, *rsa, *other, *p384, *weak;
} w;

static int
make_keys(void **state)
{
	(void)state;
	w.log = pki_p256();
	w.ec = pki_p256();
	w.other = pki_p256();
	w.rsa = pki_key("RSA", NULL, 2048);
	w.p384 = pki_key("EC", "P-384", 0);
	w.weak = pki_key("RSA", NULL, 1024);
	return 0;
}

static int
free_keys(void **state)
{
	EVP_PKEY *const all[] = { w.log, w.ec, w.rsa, w.other, w.p384, w.weak };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		EVP_PKEY_free(all[i]);
	return 0;
}

/* One log, with tail in place of the closing bracket of the list. */
static void
make_list(struct buf *out, const char *tail)
{
	ctlab_list(out, w.log, "https://log.example/one/", 60);
	out->len--;
	buf_str(out, tail);
}

static enum rc
read_text(struct span json, struct span sig, EVP_PKEY *key, struct fault *f)
{
	AUTO(ctlogs) *l = NULL;
	enum rc rc = loglist_read(json, sig, key, &l, f);

	assert_int_equal(rc == RC_OK, l != NULL);
	if (l != NULL) {
		assert_int_equal(ctlogs_issued_s(l), DATED_S);
		assert_int_equal(ctlogs_len(l), 1);
	}
	return rc;
}

struct list_case {
	const char *name;
	const char *from, *to; /* in the text, before it is signed; NULL: nothing */
	const char *after;     /* the same, after it was signed */
	EVP_PKEY **signer;     /* NULL: it is not signed */
	EVP_PKEY **key;
	enum rc rc;
	const char *reason; /* NULL: it is good */
};

static struct list_case cases[] = {
	{ "a list that is signed (RFC 6962 s3)", NULL, NULL, NULL, &w.ec, &w.ec, RC_OK, NULL },
	{ "signed with RSA", NULL, NULL, NULL, &w.rsa, &w.rsa, RC_OK, NULL },
	{ "another key", NULL, NULL, NULL, &w.other, &w.ec, RC_DENIED, "list_signature" },
	{ "another kind of key", NULL, NULL, NULL, &w.ec, &w.rsa, RC_DENIED, "list_signature" },
	{ "an unsigned list", NULL, NULL, NULL, NULL, &w.ec, RC_DENIED, "list_signature" },
	{ "a date changed afterwards", "2026-11", NULL, "2026-12", &w.ec, &w.ec, RC_DENIED,
	    "list_signature" },
	{ "white space added afterwards", "{\"operators\"", NULL, "{ \"operators\"", &w.ec,
	    &w.ec, RC_DENIED, "list_signature" },
	{ "no date", DATED, "}", NULL, &w.ec, &w.ec, RC_INVALID, "list_time" },
	{ "a date that is none", "2026-11", "2026-13", NULL, &w.ec, &w.ec, RC_INVALID,
	    "ctlogs" },
	{ "a date of another zone", "00Z", "00+01:00", NULL, &w.ec, &w.ec, RC_INVALID,
	    "ctlogs" },
	{ "a number for a date", "\"2026-11-01T12:00:00Z\"", "1793534400", NULL, &w.ec, &w.ec,
	    RC_INVALID, "ctlogs" },
	{ "a date before all dates", "2026-11-01", "1969-11-01", NULL, &w.ec, &w.ec, RC_INVALID,
	    "ctlogs" },
	{ "two dates", DATED, ",\"log_list_timestamp\":\"2026-11-02T12:00:00Z\"" DATED, NULL,
	    &w.ec, &w.ec, RC_INVALID, "duplicate_member" },
	{ "no operators", "\"operators\"", "\"operator\"", NULL, &w.ec, &w.ec, RC_INVALID,
	    "ctlogs" },
	{ "no usable log", "\"usable\"", "\"retired\"", NULL, &w.ec, &w.ec, RC_INVALID,
	    "list_empty" },
	{ "an unknown state", "\"usable\"", "\"splendid\"", NULL, &w.ec, &w.ec, RC_INVALID,
	    "ctlogs" },
	{ "text behind it", DATED, DATED "x", NULL, &w.ec, &w.ec, RC_INVALID,
	    "malformed_json" },
};

/* text with the first from in it as to. */
static void
replace(struct buf *text, const char *from, const char *to)
{
	AUTO_BUF out = BUF_INIT(TEXT_MAX);
	const char *all = buf_text(text), *at = strstr(all, from);

	assert_non_null(at);
	buf_put(&out, all, (size_t)(at - all));
	buf_str(&out, to);
	buf_str(&out, at + strlen(from));
	buf_clear(text);
	buf_span(text, buf_view(&out));
}

static void
run_case(void **state)
{
	const struct list_case *t = *state;
	AUTO_BUF json = BUF_INIT(TEXT_MAX), sig = BUF_INIT(LOGLIST_SIGNATURE_MAX);
	struct fault f = { 0 };

	make_list(&json, DATED);
	if (t->to != NULL)
		replace(&json, t->from, t->to);
	if (t->signer != NULL)
		pki_sign(&sig, buf_view(&json), *t->signer);
	if (t->after != NULL)
		replace(&json, t->from, t->after);
	assert_int_equal(read_text(buf_view(&json), buf_view(&sig), *t->key, &f), t->rc);
	if (t->reason != NULL)
		assert_string_equal(f.reason, t->reason);
}

static struct buf good_sig, good_json;

static bool
is_list(struct span bytes)
{
	return read_text(bytes, buf_view(&good_sig), w.ec, NULL) == RC_OK;
}

static bool
is_signature(struct span bytes)
{
	return read_text(buf_view(&good_json), bytes, w.ec, NULL) == RC_OK;
}

/* Neither a part of the list nor of its signature, nor a bit that is another. */
static void
cut_and_flipped(void **state)
{
	(void)state;
	good_json = BUF_INIT(TEXT_MAX);
	good_sig = BUF_INIT(LOGLIST_SIGNATURE_MAX);
	make_list(&good_json, DATED);
	pki_sign(&good_sig, buf_view(&good_json), w.ec);
	assert_true(is_list(buf_view(&good_json)));
	no_prefix_is_taken(is_list, buf_view(&good_json));
	no_prefix_is_taken(is_signature, buf_view(&good_sig));
	assert_int_equal(survives_bit_flips(is_list, buf_view(&good_json)), 0);
	assert_int_equal(survives_bit_flips(is_signature, buf_view(&good_sig)), 0);
	buf_free(&good_json);
	buf_free(&good_sig);
}

static void
too_large(void **state)
{
	AUTO_BUF json = BUF_INIT(LOGLIST_MAX_BYTES + 1), sig = BUF_INIT(LOGLIST_SIGNATURE_MAX);
	AUTO_BUF long_sig = BUF_INIT(LOGLIST_SIGNATURE_MAX + 1);
	struct fault f = { 0 };

	(void)state;
	make_list(&json, DATED);
	while (json.len < LOGLIST_MAX_BYTES)
		buf_byte(&json, ' ');
	pki_sign(&sig, buf_view(&json), w.ec);
	assert_int_equal(read_text(buf_view(&json), buf_view(&sig), w.ec, &f), RC_OK);
	buf_byte(&json, ' ');
	buf_clear(&sig);
	pki_sign(&sig, buf_view(&json), w.ec);
	assert_int_equal(read_text(buf_view(&json), buf_view(&sig), w.ec, &f), RC_INVALID);
	assert_string_equal(f.reason, "ctlogs");
	while (long_sig.len <= LOGLIST_SIGNATURE_MAX)
		buf_byte(&long_sig, 0);
	json.len--;
	assert_int_equal(read_text(buf_view(&json), buf_view(&long_sig), w.ec, &f), RC_DENIED);
}

/* ---- the publisher's key ---- */

static void
put_public(struct buf *out, EVP_PKEY *key)
{
	AUTO_OSSL(BIO) *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;

	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	len = BIO_get_mem_data(bio, &text);
	buf_put(out, text, (size_t)len);
}

static enum rc
read_key(struct span pem, struct fault *f)
{
	EVP_PKEY *key = NULL;
	enum rc rc = loglist_key(pem, &key, f);

	assert_int_equal(rc == RC_OK, key != NULL);
	EVP_PKEY_free(key);
	return rc;
}

static void
keys(void **state)
{
	const struct {
		EVP_PKEY *key;
		enum rc rc;
	} rows[] = { { w.ec, RC_OK }, { w.rsa, RC_OK }, { w.p384, RC_INVALID },
		{ w.weak, RC_INVALID } };
	static const char *const wrong[] = { "", "-----BEGIN PUBLIC KEY-----\n",
		"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "key" };
	struct fault f = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_BUF pem = BUF_INIT(LOGLIST_KEY_MAX);

		put_public(&pem, rows[i].key);
		assert_int_equal(read_key(buf_view(&pem), &f), rows[i].rc);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(read_key(span_str(wrong[i]), &f), RC_INVALID);
		assert_string_equal(f.reason, "list_key");
	}
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(cases) + 3];
	size_t n = 0;

	ROWS(tests, n, cases, run_case);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(cut_and_flipped);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(too_large);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(keys);
	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
