/* merkle: proofs of RFC 6962 section 2.1, with the vectors that the RFC's authors published */
#include "stir/merkle.h"
#include "tests/unit/cm.h"
#include "tests/unit/mutate.h"

/* certificate-transparency, merkletree: eight leaves, and the roots after each of them. */
static const char *const leaves[] = { "", "00", "10", "2021", "3031", "40414243",
	"5051525354555657", "606162636465666768696a6b6c6d6e6f" };
static const char *const roots[] = {
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};
#define N_96A2 "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
#define N_5F08 "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
#define N_6B47 "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
#define N_BC1A "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
#define N_CA85 "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
#define N_D37E "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
#define N_0EBC "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
#define N_FAC5 "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
#define N_6E34 "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"

static void
hash_of(const char *hex, uint8_t out[MERKLE_HASH])
{
	assert_int_equal(unhex(hex, out, MERKLE_HASH).len, MERKLE_HASH);
}

static void
leaf_hash(size_t i, uint8_t out[MERKLE_HASH])
{
	uint8_t octets[32];

	assert_int_equal(
	    merkle_leaf(unhex(leaves[i], octets, sizeof octets), out, NULL), RC_OK);
}

static struct merkle_path
path_of(const char *const node[4])
{
	struct merkle_path p = { .len = 0 };

	for (; p.len < 4 && node[p.len] != NULL; p.len++)
		hash_of(node[p.len], p.node[p.len]);
	return p;
}

/* RFC 6962 s2.1 */
static void
published_roots(void **state)
{
	struct merkle_edge e = { .size = 0 };
	uint8_t made[MERKLE_HASH], wanted[MERKLE_HASH];

	(void)state;
	assert_int_equal(merkle_root(&e, made, NULL), RC_OK);
	hash_of("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", wanted);
	assert_memory_equal(made, wanted, MERKLE_HASH);
	for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
		leaf_hash(i, made);
		assert_int_equal(merkle_add(&e, made, NULL), RC_OK);
		assert_int_equal(e.size, i + 1);
		assert_int_equal(merkle_root(&e, made, NULL), RC_OK);
		hash_of(roots[i], wanted);
		assert_memory_equal(made, wanted, MERKLE_HASH);
	}
}

static struct inclusion_case {
	const char *name;
	size_t leaf, index, size;
	const char *node[4];
	enum rc rc;
	const char *reason;
} inclusion_cases[] = {
	{ "only leaf", 0, 0, 1, { NULL }, RC_OK, NULL },
	{ "first of eight", 0, 0, 8, { N_96A2, N_5F08, N_6B47 }, RC_OK, NULL },
	{ "sixth of eight (RFC 6962 s2.1.1)", 5, 5, 8, { N_BC1A, N_CA85, N_D37E }, RC_OK,
	    NULL },
	{ "last of three", 2, 2, 3, { N_FAC5 }, RC_OK, NULL },
	{ "second of five", 1, 1, 5, { N_6E34, N_5F08, N_BC1A }, RC_OK, NULL },
	{ "another leaf", 4, 5, 8, { N_BC1A, N_CA85, N_D37E }, RC_DENIED, "merkle_root" },
	{ "another place", 5, 4, 8, { N_BC1A, N_CA85, N_D37E }, RC_DENIED, "merkle_root" },
	{ "a hash of it another", 5, 5, 8, { N_BC1A, N_5F08, N_D37E }, RC_DENIED,
	    "merkle_root" },
	{ "two hashes changed places", 5, 5, 8, { N_CA85, N_BC1A, N_D37E }, RC_DENIED,
	    "merkle_root" },
	{ "a hash too few", 5, 5, 8, { N_BC1A, N_CA85 }, RC_INVALID, "merkle_path" },
	{ "a hash too many", 5, 5, 8, { N_BC1A, N_CA85, N_D37E, N_D37E }, RC_INVALID,
	    "merkle_path" },
	{ "of a smaller tree", 1, 1, 8, { N_6E34, N_5F08 }, RC_INVALID, "merkle_path" },
	{ "none at all", 5, 5, 8, { NULL }, RC_INVALID, "merkle_path" },
	{ "one for the only leaf", 0, 0, 1, { N_96A2 }, RC_INVALID, "merkle_path" },
	{ "beyond the end", 5, 8, 8, { N_BC1A, N_CA85, N_D37E }, RC_INVALID, "merkle_path" },
};

static void
inclusion(void **state)
{
	const struct inclusion_case *t = *state;
	struct merkle_path p = path_of(t->node);
	uint8_t leaf[MERKLE_HASH], root[MERKLE_HASH];
	struct fault f = { 0 };

	leaf_hash(t->leaf, leaf);
	hash_of(roots[t->size - 1], root);
	assert_int_equal(merkle_inclusion(leaf, t->index, t->size, &p, root, &f), t->rc);
	if (t->reason != NULL)
		assert_string_equal(f.reason, t->reason);
}

static void
in_an_empty_tree(void **state)
{
	static const uint8_t leaf[MERKLE_HASH];
	struct merkle_path p = { .len = 0 };
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(merkle_inclusion(leaf, 0, 0, &p, leaf, &f), RC_INVALID);
	assert_string_equal(f.reason, "merkle_path");
}

static struct consistency_case {
	const char *name;
	size_t first, second;
	const char *node[4];
	enum rc rc;
	const char *reason;
	const char *first_root; /* NULL: the right one */
} consistency_cases[] = {
	{ "the same", 5, 5, { NULL }, RC_OK, NULL, NULL },
	{ "one to eight", 1, 8, { N_96A2, N_5F08, N_6B47 }, RC_OK, NULL, NULL },
	{ "six to eight (RFC 6962 s2.1.2)", 6, 8, { N_0EBC, N_CA85, N_D37E }, RC_OK, NULL,
	    NULL },
	{ "two to five", 2, 5, { N_5F08, N_BC1A }, RC_OK, NULL, NULL },
	{ "two roots of one size", 5, 5, { NULL }, RC_DENIED, "merkle_root", N_6B47 },
	{ "the same with a proof", 5, 5, { N_BC1A }, RC_INVALID, "merkle_path", NULL },
	{ "a tree that shrinks", 8, 6, { N_0EBC, N_CA85, N_D37E }, RC_DENIED, "merkle_shrinks",
	    NULL },
	{ "from another tree", 6, 8, { N_0EBC, N_CA85, N_D37E }, RC_DENIED, "merkle_root",
	    N_6B47 },
	{ "from another whole tree", 2, 5, { N_5F08, N_BC1A }, RC_DENIED, "merkle_root",
	    N_6B47 },
	{ "to another tree", 2, 6, { N_5F08, N_BC1A }, RC_DENIED, "merkle_root", NULL },
	{ "a hash too few", 6, 8, { N_0EBC, N_CA85 }, RC_INVALID, "merkle_path", NULL },
	{ "a hash too many", 6, 8, { N_0EBC, N_CA85, N_D37E, N_D37E }, RC_INVALID,
	    "merkle_path", NULL },
	{ "no proof", 6, 8, { NULL }, RC_INVALID, "merkle_path", NULL },
	{ "no proof of a whole tree", 4, 8, { NULL }, RC_INVALID, "merkle_path", NULL },
};

static void
consistency(void **state)
{
	const struct consistency_case *t = *state;
	struct merkle_path p = path_of(t->node);
	struct merkle_tree first = { .size = t->first }, second = { .size = t->second };
	struct fault f = { 0 };

	hash_of(t->first_root != NULL ? t->first_root : roots[t->first - 1], first.root);
	hash_of(roots[t->second - 1], second.root);
	assert_int_equal(merkle_consistency(&first, &second, &p, &f), t->rc);
	if (t->reason != NULL)
		assert_string_equal(f.reason, t->reason);
}

/* Anything goes on from nothing, and needs no proof of it. */
static void
from_nothing(void **state)
{
	struct merkle_tree first = { .size = 0 }, second = { .size = 8 };
	struct merkle_path p = { .len = 0 };

	(void)state;
	hash_of(roots[7], second.root);
	assert_int_equal(merkle_consistency(&first, &second, &p, NULL), RC_OK);
	p.len = 1;
	assert_int_equal(merkle_consistency(&first, &second, &p, NULL), RC_INVALID);
}

/* No bit of a proof may change without being noticed. */
static void
bits_of_proofs(void **state)
{
	static const char *const in[4] = { N_BC1A, N_CA85, N_D37E };
	static const char *const on[4] = { N_0EBC, N_CA85, N_D37E };
	struct merkle_path a = path_of(in), b = path_of(on);
	struct merkle_tree first = { .size = 6 }, second = { .size = 8 };
	uint8_t leaf[MERKLE_HASH];

	(void)state;
	leaf_hash(5, leaf);
	hash_of(roots[5], first.root);
	hash_of(roots[7], second.root);
	for (size_t bit = 0; bit < (size_t)3 * MERKLE_HASH * 8; bit++) {
		a.node[bit / 256][bit % 256 / 8] ^= (uint8_t)(1u << bit % 8);
		b.node[bit / 256][bit % 256 / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(
		    merkle_inclusion(leaf, 5, 8, &a, second.root, NULL), RC_DENIED);
		assert_int_equal(merkle_consistency(&first, &second, &b, NULL), RC_DENIED);
		a.node[bit / 256][bit % 256 / 8] ^= (uint8_t)(1u << bit % 8);
		b.node[bit / 256][bit % 256 / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/* Sizes that only a hostile answer has. */
static void
huge_trees(void **state)
{
	static const uint8_t hash[MERKLE_HASH];
	struct merkle_tree first = { .size = UINT64_MAX - 1 }, second = { .size = UINT64_MAX };
	struct merkle_path p = { .len = MERKLE_MAX_PATH };
	struct merkle_edge e = { .size = INT64_MAX };

	(void)state;
	assert_int_not_equal(
	    merkle_inclusion(hash, UINT64_MAX - 1, UINT64_MAX, &p, hash, NULL), RC_OK);
	assert_int_not_equal(merkle_consistency(&first, &second, &p, NULL), RC_OK);
	assert_int_equal(merkle_add(&e, hash, NULL), RC_INVALID);
	assert_int_equal(merkle_nodes(INT64_MAX), 63);
}

int
main(void)
{
	static struct CMUnitTest
	    tests[ARRAY_LEN(inclusion_cases) + ARRAY_LEN(consistency_cases) + 5];
	size_t n = 0;

	ROWS(tests, n, inclusion_cases, inclusion);
	ROWS(tests, n, consistency_cases, consistency);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(published_roots);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(in_an_empty_tree);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(from_nothing);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(bits_of_proofs);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(huge_trees);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
