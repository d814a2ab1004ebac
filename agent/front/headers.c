#include "agent/front/headers.h"

#include <string.h>

#include "stir/identity.h"

enum { HEADERS_SLOTS = 4096, HEADERS_TAIL_MAX = 4096 };

struct slot {
	struct credential *credential; /* one reference */
	enum ppt ppt;
	EVP_MD_CTX *after; /* the state behind header and dot */
	size_t len;	   /* of the header */
	struct buf tail;
};

struct headers {
	EVP_MD *sha256; /* fetched once: a fetch by name takes a lock for each digest */
	EVP_MD_CTX *work;
	struct slot slot[HEADERS_SLOTS];
};

enum rc
headers_new(struct headers **out, struct fault *f)
{
	AUTO(headers) *h = calloc(1, sizeof *h);

	if (h == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "header cache");
	h->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	h->work = EVP_MD_CTX_new();
	if (h->sha256 == NULL || h->work == NULL)
		return FAULT_OPENSSL(f, RC_BUG, "internal_error", "SHA256");
	*out = TAKE(h);
	return RC_OK;
}

static void
empty(struct slot *s)
{
	EVP_MD_CTX_free(s->after);
	buf_free(&s->tail);
	credential_release(s->credential);
	*s = (struct slot){ 0 };
}

void
headers_clear(struct headers *h)
{
	for (size_t i = 0; i < HEADERS_SLOTS; i++)
		empty(&h->slot[i]);
}

void
headers_free(struct headers *h)
{
	if (h == NULL)
		return;
	headers_clear(h);
	EVP_MD_CTX_free(h->work);
	EVP_MD_free(h->sha256);
	free(h);
}

static enum rc
hash_header(struct headers *h, struct span text, EVP_MD_CTX *after, struct fault *f)
{
	if (EVP_DigestInit_ex2(after, h->sha256, NULL) != 1 ||
	    EVP_DigestUpdate(after, text.ptr, text.len) != 1 ||
	    EVP_DigestUpdate(after, ".", 1) != 1)
		return FAULT_OPENSSL(f, RC_BUG, "internal_error", "SHA256");
	return RC_OK;
}

static enum rc
fill(struct headers *h, struct slot *s, struct credential *c, enum ppt ppt, struct fault *f)
{
	AUTO_OSSL(EVP_MD_CTX) *after = EVP_MD_CTX_new();
	AUTO_BUF tail = BUF_INIT(HEADERS_TAIL_MAX);

	if (c->header[ppt] == NULL)
		return REFUSE(f, RC_BUG, INTERNAL, NULL, "no header for the ppt");
	if (after == NULL)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "SHA256");
	TRY(hash_header(h, span_str(c->header[ppt]), after, f));
	if (c->x5u != NULL)
		TRY(identity_tail(&tail, c->x5u, ppt_rule(ppt)->name, f));
	empty(s);
	s->credential = credential_ref(c);
	s->ppt = ppt;
	s->after = TAKE(after);
	s->len = strlen(c->header[ppt]);
	s->tail = tail;
	tail = BUF_INIT(0); /* handed over */
	return RC_OK;
}

enum rc
headers_find(
    struct headers *h, struct credential *c, enum ppt ppt, struct header *out, struct fault *f)
{
	size_t hash = ((uintptr_t)c >> 4) * 31 + (size_t)ppt;
	struct slot *s = &h->slot[hash % HEADERS_SLOTS];

	if (s->credential != c || s->ppt != ppt)
		TRY(fill(h, s, c, ppt, f));
	*out = (struct header){
		.text = span_of(c->header[ppt], s->len),
		.tail = buf_view(&s->tail),
		.after = s->after,
	};
	return RC_OK;
}

enum rc
headers_digest(struct headers *h, const struct header *header, struct span payload,
    uint8_t digest[ES256_DIGEST_LEN], struct fault *f)
{
	if (EVP_MD_CTX_copy_ex(h->work, header->after) != 1 ||
	    EVP_DigestUpdate(h->work, payload.ptr, payload.len) != 1 ||
	    EVP_DigestFinal_ex(h->work, digest, NULL) != 1)
		return FAULT_OPENSSL(f, RC_BUG, "internal_error", "SHA256");
	return RC_OK;
}
