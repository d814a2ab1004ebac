#include "agent/front/peers.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "agent/front/store.h"
#include "agent/front/works.h"
#include "agent/log.h"
#include "stir/digest.h"

enum { DIGEST_LEN = 32, DIGEST_HEX = 2 * DIGEST_LEN };

struct peer {
	uint8_t digest[DIGEST_LEN]; /* of its x5u */
	struct chain *chain;
};

struct peers {
	struct peer *item; /* by digest */
	size_t len;
};

void
peers_free(struct peers *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->len; i++)
		chain_free(p->item[i].chain);
	free(p->item);
	free(p);
}

size_t
peers_len(const struct peers *p)
{
	return p->len;
}

static int
by_digest(const void *a, const void *b)
{
	return memcmp(a, b, DIGEST_LEN); /* its first member */
}
_Static_assert(offsetof(struct peer, digest) == 0, "a peer is looked up by its digest");

const struct chain *
peers_find(const struct peers *p, struct span x5u)
{
	uint8_t digest[DIGEST_LEN];
	const struct peer *found;

	if (p == NULL || p->len == 0 || digest_sha256(x5u, digest, NULL) != RC_OK)
		return NULL;
	found = bsearch(digest, p->item, p->len, sizeof *p->item, by_digest);
	return found != NULL ? found->chain : NULL;
}

/* ---- reading ---- */

struct reading {
	const char *dir;
	struct peers *peers;
	size_t left_out;
	struct fault first; /* why the first one is left out */
};

static bool
digest_of_name(const char *name, uint8_t out[DIGEST_LEN])
{
	return strlen(name) == PEERS_NAME && strcmp(name + DIGEST_HEX, ".pem") == 0 &&
	       works_unhex(name, out, DIGEST_LEN);
}

static enum rc
read_chain(const struct reading *r, const char *name, struct chain **out, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(PEERS_FILE_MAX);
	struct store_path path = { 0 };

	TRY(store_path(&path, f, "%s/%s", r->dir, name));
	TRY(store_read_linked(path.text, PEERS_FILE_MAX, &pem, f));
	return chain_read_pem(buf_view(&pem), false, out, f);
}

static enum rc
read_one(const struct reading *r, const char *name, struct fault *f)
{
	struct peers *p = r->peers;
	struct peer one = { .chain = NULL };

	if (!digest_of_name(name, one.digest))
		return FAULT(f, RC_INVALID, "peer_name",
		    "not SHA-256 of an x5u in lower-case hex and .pem");
	if (p->len == PEERS_MAX)
		return FAULT(f, RC_INVALID, "peer_limit", "more than %d chains", PEERS_MAX);
	TRY(read_chain(r, name, &one.chain, f));
	p->item[p->len++] = one;
	return RC_OK;
}

static enum rc
each(void *arg, const char *name, struct fault *f)
{
	struct reading *r = arg;
	struct fault why = { 0 };
	enum rc rc = read_one(r, name, &why);

	if (rc == RC_NO_MEMORY)
		return FAULT(f, rc, "no_memory", "chains of other parties");
	if (rc != RC_OK && r->left_out++ == 0)
		(void)FAULT(&r->first, why.rc, why.reason, "%s: %s", name, why.detail);
	return RC_OK;
}

static void
say(const struct reading *r)
{
	if (r->left_out > 0)
		log_fault(LEVEL_WARNING, "original_chains", &r->first);
	log_event(r->left_out > 0 ? LEVEL_WARNING : LEVEL_INFO, "original_chains",
	    "known=%zu left_out=%zu", r->peers->len, r->left_out);
}

enum rc
peers_load(const char *dir, struct peers **out, struct fault *f)
{
	AUTO(peers) *p = calloc(1, sizeof *p);
	struct reading r = { .dir = dir, .peers = p };
	struct fault why = { 0 };
	enum rc rc;

	if (p != NULL)
		p->item = calloc(PEERS_MAX, sizeof *p->item);
	if (p == NULL || p->item == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "chains of other parties");
	rc = store_each(dir, each, &r, &why);
	if (rc == RC_NO_MEMORY)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "original_chains", &why);
	qsort(p->item, p->len, sizeof *p->item, by_digest);
	say(&r);
	*out = TAKE(p);
	return RC_OK;
}
