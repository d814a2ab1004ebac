#include "tests/unit/ctlab.h"

#include <inttypes.h>

#include "stir/b64.h"
#include "stir/tlsread.h"
#include "tests/unit/cm.h"
#include "tests/unit/pki.h"

void
ctlab_add(struct ctlab *l, const uint8_t hash[MERKLE_HASH])
{
	assert_true(l->len < CTLAB_LEAVES);
	memcpy(l->leaf[l->len++], hash, MERKLE_HASH);
}

void
ctlab_fill(struct ctlab *l, size_t n)
{
	while (n-- > 0) {
		uint8_t octets[3] = { 'f', (uint8_t)(l->len >> 8), (uint8_t)l->len };
		uint8_t hash[MERKLE_HASH];

		assert_int_equal(
		    merkle_leaf(span_of(octets, sizeof octets), hash, NULL), RC_OK);
		ctlab_add(l, hash);
	}
}

/* The largest power of two below n, as RFC 6962 section 2.1 splits. */
static size_t
split(size_t n)
{
	size_t k = 1;

	while (2 * k < n)
		k *= 2;
	return k;
}

/* MTH(D[from:to]), by the definition and not by the code that is tested. */
static void
root_of(const struct ctlab *l, size_t from, size_t to, uint8_t out[MERKLE_HASH])
{
	uint8_t both[1 + 2 * MERKLE_HASH] = { 1 };
	size_t k;

	if (to == from) {
		assert_int_equal(digest_sha256((struct span){ 0 }, out, NULL), RC_OK);
		return;
	}
	if (to - from == 1) {
		memcpy(out, l->leaf[from], MERKLE_HASH);
		return;
	}
	k = split(to - from);
	root_of(l, from, from + k, both + 1);
	root_of(l, from + k, to, both + 1 + MERKLE_HASH);
	assert_int_equal(digest_sha256(span_of(both, sizeof both), out, NULL), RC_OK);
}

void
ctlab_root(const struct ctlab *l, size_t size, uint8_t out[MERKLE_HASH])
{
	root_of(l, 0, size, out);
}

/* ---- heads ------------------------------------------------------------------------------- */

static void
digitally_signed(struct buf *out, EVP_PKEY *key, struct span data)
{
	AUTO_OSSL(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	uint8_t sig[512];
	size_t len = sizeof sig;

	assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL), 1);
	assert_int_equal(EVP_DigestSign(ctx, sig, &len, data.ptr, data.len), 1);
	tls_put_uint(out, 4, 1);
	tls_put_uint(out, EVP_PKEY_is_a(key, "RSA") ? 1 : 3, 1);
	tls_put_vector(out, span_of(sig, len), 2);
}

void
ctlab_sign(struct buf *out, EVP_PKEY *key, const struct merkle_tree *tree, int64_t time_ms)
{
	struct sth sth = { .tree = *tree, .time_ms = time_ms };
	AUTO_BUF data = BUF_INIT(64), sig = BUF_INIT(STH_SIGNATURE_MAX);

	tls_put_uint(&data, 0, 1);
	tls_put_uint(&data, 1, 1);
	tls_put_uint(&data, (uint64_t)time_ms, 8);
	tls_put_uint(&data, tree->size, 8);
	buf_put(&data, tree->root, MERKLE_HASH);
	digitally_signed(&sig, key, buf_view(&data));
	memcpy(sth.signature, sig.ptr, sig.len);
	sth.signature_len = sig.len;
	assert_int_equal(sth_write(out, &sth, NULL), RC_OK);
}

void
ctlab_head(struct buf *out, const struct ctlab *l, size_t size, int64_t time_ms)
{
	struct merkle_tree tree = { .size = size };

	ctlab_root(l, size, tree.root);
	ctlab_sign(out, l->key, &tree, time_ms);
}

/* ---- proofs ------------------------------------------------------------------------------ */

static void
put_node(struct buf *out, bool *first, const struct ctlab *l, size_t from, size_t to)
{
	uint8_t node[MERKLE_HASH];

	root_of(l, from, to, node);
	buf_str(out, *first ? "\"" : ",\"");
	b64_encode(out, B64_STD, span_of(node, MERKLE_HASH));
	buf_str(out, "\"");
	*first = false;
}

/* RFC 6962 section 2.1.1: PATH(index, D[from:to]). */
static void
put_path(
    struct buf *out, bool *first, const struct ctlab *l, size_t index, size_t from, size_t to)
{
	size_t k;

	if (to - from <= 1)
		return;
	k = from + split(to - from);
	put_path(out, first, l, index, index < k ? from : k, index < k ? k : to);
	put_node(out, first, l, index < k ? k : from, index < k ? to : k);
}

void
ctlab_inclusion(struct buf *out, const struct ctlab *l, size_t index, size_t size)
{
	bool first = true;

	buf_printf(out, "{\"leaf_index\":%zu,\"audit_path\":[", index);
	put_path(out, &first, l, index, 0, size);
	buf_str(out, "]}");
}

/* RFC 6962 section 2.1.2: SUBPROOF(m, D[from:to], whole). */
static void
put_subproof(struct buf *out, bool *first, const struct ctlab *l, size_t m, size_t from,
    size_t to, bool whole)
{
	size_t k;

	if (m == to) {
		if (!whole)
			put_node(out, first, l, from, to);
		return;
	}
	k = from + split(to - from);
	put_subproof(out, first, l, m, m <= k ? from : k, m <= k ? k : to, whole && m <= k);
	put_node(out, first, l, m <= k ? k : from, m <= k ? to : k);
}

void
ctlab_consistency(struct buf *out, const struct ctlab *l, size_t first_size, size_t second)
{
	bool first = true;

	buf_str(out, "{\"consistency\":[");
	put_subproof(out, &first, l, first_size, 0, second, true);
	buf_str(out, "]}");
}

void
ctlab_list(struct buf *out, EVP_PKEY *key, const char *url, unsigned mmd_s)
{
	buf_str(out, "{\"operators\":[{\"name\":\"one\",\"logs\":[{\"key\":\"");
	pki_spki(out, key);
	buf_printf(out,
	    "\",\"description\":\"One's log\",\"url\":\"%s\",\"mmd\":%u,\"state\":"
	    "{\"usable\":{}}}]}]}",
	    url, mmd_s);
}
