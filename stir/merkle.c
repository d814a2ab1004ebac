#include "stir/merkle.h"

#include "stir/buf.h"

enum { LEAF_PREFIX = 0, NODE_PREFIX = 1 };

static enum rc
wrong_length(struct fault *f, size_t nodes)
{
	return FAULT(f, RC_INVALID, "merkle_path",
	    "%zu hashes are not what a tree of that size has", nodes);
}

static enum rc
node_hash(const uint8_t left[MERKLE_HASH], const uint8_t right[MERKLE_HASH],
    uint8_t out[MERKLE_HASH], struct fault *f)
{
	uint8_t both[1 + 2 * MERKLE_HASH] = { NODE_PREFIX };

	memcpy(both + 1, left, MERKLE_HASH);
	memcpy(both + 1 + MERKLE_HASH, right, MERKLE_HASH);
	return digest_sha256(span_of(both, sizeof both), out, f);
}

static bool
same(const uint8_t a[MERKLE_HASH], const uint8_t b[MERKLE_HASH])
{
	return memcmp(a, b, MERKLE_HASH) == 0;
}

/* ---- the walk that both proofs are ------------------------------------------------------ */

/* RFC 9162 sections 2.1.3.2 and 2.1.4.2: where one stands, and the last node there. */
struct walk {
	uint64_t at, last;
};

static void
up(struct walk *w)
{
	w->at >>= 1;
	w->last >>= 1;
}

/* At a right child, or at the last node of a level that has no sibling: those levels are skipped. */
static bool
stands_right(const struct walk *w)
{
	return (w->at & 1) != 0 || w->at == w->last;
}

static void
skip_single(struct walk *w)
{
	while ((w->at & 1) == 0 && w->at != 0)
		up(w);
}

enum rc
merkle_inclusion(const uint8_t leaf[MERKLE_HASH], uint64_t index, uint64_t size,
    const struct merkle_path *path, const uint8_t root[MERKLE_HASH], struct fault *f)
{
	struct walk w = { index, size - 1 };
	uint8_t r[MERKLE_HASH];

	if (index >= size)
		return FAULT(f, RC_INVALID, "merkle_path", "a leaf beyond the end of its tree");
	memcpy(r, leaf, sizeof r);
	for (size_t i = 0; i < path->len; i++) {
		if (w.last == 0)
			return wrong_length(f, path->len);
		if (stands_right(&w)) {
			TRY(node_hash(path->node[i], r, r, f));
			skip_single(&w);
		} else {
			TRY(node_hash(r, path->node[i], r, f));
		}
		up(&w);
	}
	if (w.last != 0)
		return wrong_length(f, path->len);
	return same(r, root)
		   ? RC_OK
		   : FAULT(f, RC_DENIED, "merkle_root", "the path leads to another root");
}

/* ---- one tree after another ------------------------------------------------------------ */

static enum rc
same_size(const struct merkle_tree *first, const struct merkle_tree *second,
    const struct merkle_path *path, struct fault *f)
{
	if (path->len != 0)
		return wrong_length(f, path->len);
	return same(first->root, second->root)
		   ? RC_OK
		   : FAULT(f, RC_DENIED, "merkle_root", "two roots for one size of the tree");
}

/* From the node where the first tree ends: both roots along the same path. */
static enum rc
climb(struct walk *w, const struct merkle_path *path, size_t from, uint8_t fr[MERKLE_HASH],
    uint8_t sr[MERKLE_HASH], struct fault *f)
{
	for (size_t i = from; i < path->len; i++) {
		if (w->last == 0)
			return wrong_length(f, path->len);
		if (stands_right(w)) {
			TRY(node_hash(path->node[i], fr, fr, f));
			TRY(node_hash(path->node[i], sr, sr, f));
			skip_single(w);
		} else {
			TRY(node_hash(sr, path->node[i], sr, f));
		}
		up(w);
	}
	return w->last == 0 ? RC_OK : wrong_length(f, path->len);
}

enum rc
merkle_consistency(const struct merkle_tree *first, const struct merkle_tree *second,
    const struct merkle_path *path, struct fault *f)
{
	struct walk w = { first->size - 1, second->size - 1 };
	bool whole = (first->size & (first->size - 1)) == 0;
	uint8_t fr[MERKLE_HASH], sr[MERKLE_HASH];

	if (second->size < first->size)
		return FAULT(f, RC_DENIED, "merkle_shrinks", "the tree has become smaller");
	if (second->size == first->size)
		return same_size(first, second, path, f);
	if (first->size == 0) /* anything goes on from nothing */
		return path->len == 0 ? RC_OK : wrong_length(f, path->len);
	if (!whole && path->len == 0)
		return wrong_length(f, 0);
	/* RFC 9162 section 2.1.4.2: a whole subtree is its own first node. */
	memcpy(fr, whole ? first->root : path->node[0], sizeof fr);
	memcpy(sr, fr, sizeof sr);
	while ((w.at & 1) != 0)
		up(&w);
	TRY(climb(&w, path, whole ? 0 : 1, fr, sr, f));
	if (!same(fr, first->root) || !same(sr, second->root))
		return FAULT(
		    f, RC_DENIED, "merkle_root", "the tree does not go on from the one before");
	return RC_OK;
}

/* ---- leaf by leaf ---------------------------------------------------------------------- */

enum rc
merkle_leaf(struct span leaf, uint8_t out[MERKLE_HASH], struct fault *f)
{
	AUTO_BUF octets = BUF_INIT(1 + MERKLE_LEAF_MAX);

	buf_byte(&octets, LEAF_PREFIX);
	buf_span(&octets, leaf);
	TRY(buf_check(&octets, f));
	return digest_sha256(buf_view(&octets), out, f);
}

size_t
merkle_nodes(uint64_t size)
{
	size_t n = 0;

	for (; size != 0; size &= size - 1)
		n++;
	return n;
}

enum rc
merkle_add(struct merkle_edge *e, const uint8_t leaf[MERKLE_HASH], struct fault *f)
{
	size_t n = merkle_nodes(e->size);
	uint8_t made[MERKLE_HASH];

	if (e->size == INT64_MAX)
		return FAULT(f, RC_INVALID, "merkle_path", "a tree without end");
	memcpy(made, leaf, sizeof made);
	for (uint64_t low = e->size; (low & 1) != 0; low >>= 1)
		TRY(node_hash(e->node[--n], made, made, f));
	memcpy(e->node[n], made, sizeof made);
	e->size++;
	return RC_OK;
}

enum rc
merkle_root(const struct merkle_edge *e, uint8_t out[MERKLE_HASH], struct fault *f)
{
	size_t n = merkle_nodes(e->size);
	uint8_t r[MERKLE_HASH];

	if (n == 0) /* RFC 6962 section 2.1: MTH of nothing */
		return digest_sha256((struct span){ 0 }, out, f);
	memcpy(r, e->node[--n], sizeof r);
	while (n > 0)
		TRY(node_hash(e->node[--n], r, r, f));
	memcpy(out, r, sizeof r);
	return RC_OK;
}
