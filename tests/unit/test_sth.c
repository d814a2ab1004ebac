/* sth: what a log answers about its tree, honest and not */
#include "stir/sth.h"

#include <stdio.h>

#include "stir/b64.h"
#include "tests/unit/cm.h"
#include "tests/unit/ctlab.h"
#include "tests/unit/mutate.h"
#include "tests/unit/pki.h"

#define NOW_MS (PKI_NOW * 1000)

static struct {
	EVP_PKEY *key, *other, *rsa;
	struct ctlogs *logs, *rsa_logs;
	struct buf head; /* of five leaves */
	struct ctlab lab;
} w;

static struct ctlogs *
list_of(EVP_PKEY *key)
{
	AUTO_BUF json = BUF_INIT(8192);
	struct ctlogs *logs = NULL;

	ctlab_list(&json, key, "https://log.example/one/", 60);
	assert_int_equal(ctlogs_read(buf_view(&json), &logs, NULL), RC_OK);
	return logs;
}

static int
open_world(void **state)
{
	(void)state;
	w.key = pki_p256();
	w.other = pki_p256();
	w.rsa = pki_key("RSA", NULL, 2048);
	w.logs = list_of(w.key);
	w.rsa_logs = list_of(w.rsa);
	w.lab.key = w.key;
	ctlab_fill(&w.lab, 5);
	w.head = BUF_INIT(STH_JSON_MAX);
	ctlab_head(&w.head, &w.lab, 5, NOW_MS);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	EVP_PKEY_free(w.key);
	EVP_PKEY_free(w.other);
	EVP_PKEY_free(w.rsa);
	ctlogs_free(w.logs);
	ctlogs_free(w.rsa_logs);
	buf_free(&w.head);
	return 0;
}

static enum rc
read_head(struct span json, struct sth *out, struct fault *f)
{
	return sth_read(json, ctlogs_at(w.logs, 0), out, f);
}

/* RFC 6962 s3.5 */
static void
head_is_read(void **state)
{
	AUTO_BUF again = BUF_INIT(STH_JSON_MAX);
	struct sth sth = { .time_ms = 0 };
	uint8_t root[MERKLE_HASH];

	(void)state;
	assert_int_equal(read_head(buf_view(&w.head), &sth, NULL), RC_OK);
	assert_int_equal(sth.tree.size, 5);
	assert_int_equal(sth.time_ms, NOW_MS);
	ctlab_root(&w.lab, 5, root);
	assert_memory_equal(sth.tree.root, root, MERKLE_HASH);
	assert_int_equal(sth_write(&again, &sth, NULL), RC_OK);
	assert_true(span_eq(buf_view(&again), buf_view(&w.head)));
}

/* RFC 6962 s2.1.4: a log with an RSA key. */
static void
rsa_head_is_read(void **state)
{
	struct merkle_tree tree = { .size = 5 };
	AUTO_BUF json = BUF_INIT(STH_JSON_MAX);
	struct sth sth = { .time_ms = 0 };

	(void)state;
	ctlab_root(&w.lab, 5, tree.root);
	ctlab_sign(&json, w.rsa, &tree, NOW_MS);
	assert_int_equal(
	    sth_read(buf_view(&json), ctlogs_at(w.rsa_logs, 0), &sth, NULL), RC_OK);
}

/* D-35: the draft's time is a string, and the same. */
static void
time_as_text(void **state)
{
	const char *at = memmem(w.head.ptr, w.head.len, "1800000000000", 13);
	size_t before = (size_t)(at - (const char *)w.head.ptr);
	AUTO_BUF json = BUF_INIT(STH_JSON_MAX);
	struct sth sth = { .time_ms = 0 };

	(void)state;
	buf_put(&json, w.head.ptr, before);
	buf_str(&json, "\"1800000000000\"");
	buf_put(&json, w.head.ptr + before + 13, w.head.len - before - 13);
	assert_int_equal(read_head(buf_view(&json), &sth, NULL), RC_OK);
	assert_int_equal(sth.time_ms, NOW_MS);
}

static void
signed_by_another(void **state)
{
	struct merkle_tree tree = { .size = 5 };
	AUTO_BUF json = BUF_INIT(STH_JSON_MAX);
	struct sth sth;
	struct fault f = { 0 };

	(void)state;
	ctlab_root(&w.lab, 5, tree.root);
	ctlab_sign(&json, w.other, &tree, NOW_MS);
	assert_int_equal(read_head(buf_view(&json), &sth, &f), RC_DENIED);
	assert_string_equal(f.reason, "sth_signature");
}

#define ROOT "\"sha256_root_hash\":\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\""
#define SIG  "\"tree_head_signature\":\"BAMAAA==\""
#define TIME "\"timestamp\":1800000000000"

static struct head_case {
	const char *name, *json, *reason;
} head_cases[] = {
	{ "HTML instead of JSON", "<html></html>", "malformed_json" },
	{ "no object", "[]", "sth" },
	{ "a member twice", "{\"tree_size\":1,\"tree_size\":2," TIME "," ROOT "," SIG "}",
	    "duplicate_member" },
	{ "no size", "{" TIME "," ROOT "," SIG "}", "sth" },
	{ "a size below nothing", "{\"tree_size\":-1," TIME "," ROOT "," SIG "}", "sth" },
	{ "a size as text", "{\"tree_size\":\"1\"," TIME "," ROOT "," SIG "}", "sth" },
	{ "a size with a fraction", "{\"tree_size\":1.5," TIME "," ROOT "," SIG "}",
	    "malformed_json" },
	{ "a size beyond 2^53", "{\"tree_size\":9007199254740993," TIME "," ROOT "," SIG "}",
	    "malformed_json" },
	{ "no time", "{\"tree_size\":1," ROOT "," SIG "}", "sth" },
	{ "a time in seconds (D-35)",
	    "{\"tree_size\":1,\"timestamp\":1800000000," ROOT "," SIG "}", "sth" },
	{ "a time in words", "{\"tree_size\":1,\"timestamp\":\"noon\"," ROOT "," SIG "}",
	    "sth" },
	{ "a time without end",
	    "{\"tree_size\":1,\"timestamp\":\"180000000000000000000\"," ROOT "," SIG "}",
	    "sth" },
	{ "no root", "{\"tree_size\":1," TIME "," SIG "}", "sth" },
	{ "a short root", "{\"tree_size\":1," TIME ",\"sha256_root_hash\":\"AAAA\"," SIG "}",
	    "sth" },
	{ "a root that is no base64",
	    "{\"tree_size\":1," TIME ",\"sha256_root_hash\":"
	    "\"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=\"," SIG "}",
	    "sth" },
	{ "no signature", "{\"tree_size\":1," TIME "," ROOT "}", "sth" },
	{ "an empty signature",
	    "{\"tree_size\":1," TIME "," ROOT ",\"tree_head_signature\":\"\"}", "sth" },
	{ "a signature of nothing", "{\"tree_size\":1," TIME "," ROOT "," SIG "}",
	    "sth_signature" },
};

static void
head_is_refused(void **state)
{
	const struct head_case *t = *state;
	struct sth sth;
	struct fault f = { 0 };

	assert_int_not_equal(read_head(span_str(t->json), &sth, &f), RC_OK);
	assert_string_equal(f.reason, t->reason);
}

static bool
takes_head(struct span json)
{
	struct sth sth;

	return read_head(json, &sth, NULL) == RC_OK;
}

/* What is signed may not change; a bit of what is not (blanks, the spelling) may. */
static void
heads_cut_and_flipped(void **state)
{
	(void)state;
	no_prefix_is_taken(takes_head, buf_view(&w.head));
	assert_true(survives_bit_flips(takes_head, buf_view(&w.head)) == 0);
}

static bool
takes_inclusion(struct span json)
{
	struct merkle_path path;
	uint64_t index;

	return sth_read_inclusion(json, &index, &path, NULL) == RC_OK;
}

static bool
takes_consistency(struct span json)
{
	struct merkle_path path;

	return sth_read_consistency(json, &path, NULL) == RC_OK;
}

/* RFC 6962 s2.1.1, s2.1.2: every proof of every tree up to 20 leaves. */
static void
proofs_are_read(void **state)
{
	struct ctlab lab = { .key = w.key };

	(void)state;
	ctlab_fill(&lab, 20);
	for (size_t size = 1; size <= 20; size++) {
		struct merkle_tree tree = { .size = size }, before = { .size = 0 };

		ctlab_root(&lab, size, tree.root);
		for (size_t i = 0; i < size; i++) {
			AUTO_BUF in = BUF_INIT(8192), on = BUF_INIT(8192);
			struct merkle_path path = { .len = 0 };
			uint64_t index = 0;

			ctlab_inclusion(&in, &lab, i, size);
			assert_int_equal(
			    sth_read_inclusion(buf_view(&in), &index, &path, NULL), RC_OK);
			assert_int_equal(index, i);
			assert_int_equal(
			    merkle_inclusion(lab.leaf[i], index, size, &path, tree.root, NULL),
			    RC_OK);
			before.size = i + 1;
			ctlab_root(&lab, i + 1, before.root);
			ctlab_consistency(&on, &lab, i + 1, size);
			assert_int_equal(
			    sth_read_consistency(buf_view(&on), &path, NULL), RC_OK);
			assert_int_equal(
			    merkle_consistency(&before, &tree, &path, NULL), RC_OK);
		}
	}
}

static void
proofs_cut_and_flipped(void **state)
{
	AUTO_BUF in = BUF_INIT(8192), on = BUF_INIT(8192);

	(void)state;
	ctlab_inclusion(&in, &w.lab, 3, 5);
	ctlab_consistency(&on, &w.lab, 3, 5);
	no_prefix_is_taken(takes_inclusion, buf_view(&in));
	no_prefix_is_taken(takes_consistency, buf_view(&on));
	(void)survives_bit_flips(takes_inclusion, buf_view(&in));
	(void)survives_bit_flips(takes_consistency, buf_view(&on));
}

static struct proof_case {
	const char *name, *json;
} proof_cases[] = {
	{ "no object", "[]" },
	{ "no index", "{\"audit_path\":[]}" },
	{ "an index below nothing", "{\"leaf_index\":-1,\"audit_path\":[]}" },
	{ "an index as text", "{\"leaf_index\":\"1\",\"audit_path\":[]}" },
	{ "no path", "{\"leaf_index\":1}" },
	{ "a path that is no list", "{\"leaf_index\":1,\"audit_path\":{}}" },
	{ "a hash that is no text", "{\"leaf_index\":1,\"audit_path\":[1]}" },
	{ "a short hash", "{\"leaf_index\":1,\"audit_path\":[\"AAAA\"]}" },
	{ "consistency, no list", "{\"consistency\":null}" },
	{ "consistency, a short hash", "{\"consistency\":[\"AAAA\"]}" },
};

static void
proof_is_refused(void **state)
{
	const struct proof_case *t = *state;

	assert_false(takes_inclusion(span_str(t->json)));
	assert_false(takes_consistency(span_str(t->json)));
}

/* A path beyond any tree is not taken, however small its text. */
static void
proof_too_long(void **state)
{
	AUTO_BUF json = BUF_INIT(16384);
	struct merkle_path path;
	struct fault f = { 0 };

	(void)state;
	buf_str(&json, "{\"consistency\":[");
	for (size_t i = 0; i <= MERKLE_MAX_PATH; i++) {
		buf_str(&json, i == 0 ? "\"" : ",\"");
		b64_encode(&json, B64_STD, span_of(w.lab.leaf[0], MERKLE_HASH));
		buf_str(&json, "\"");
	}
	buf_str(&json, "]}");
	assert_true(json.len < STH_PATH_JSON_MAX);
	assert_int_equal(sth_read_consistency(buf_view(&json), &path, &f), RC_INVALID);
	assert_string_equal(f.reason, "ct_proof");
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(head_cases) + ARRAY_LEN(proof_cases) + 8];
	size_t n = 0;

	ROWS(tests, n, head_cases, head_is_refused);
	ROWS(tests, n, proof_cases, proof_is_refused);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(head_is_read);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(rsa_head_is_read);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(time_as_text);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(signed_by_another);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(heads_cut_and_flipped);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(proofs_are_read);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(proofs_cut_and_flipped);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(proof_too_long);
	return cmocka_run_group_tests(tests, open_world, close_world);
}
