#include "agent/front/headers.h"

#include <string.h>

#include "stir/identity.h"

enum { HEADERS_TAIL_MAX = 4096 };

struct headers {
	EVP_MD *sha256; /* fetched once: a fetch by name takes a lock for each digest */
	EVP_MD_CTX *work;
};

struct header_made {
	EVP_MD_CTX *after; /* the state behind header and dot */
	size_t len;	   /* of the header */
	struct buf tail;
};

enum rc
headers_new(struct headers **out, struct fault *f)
{
	AUTO(headers) *h = calloc(1, sizeof *h);

	if (h == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "headers");
	h->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	h->work = EVP_MD_CTX_new();
	if (h->sha256 == NULL || h->work == NULL)
		return FAULT_OPENSSL(f, RC_BUG, "internal_error", "SHA256");
	*out = TAKE(h);
	return RC_OK;
}

void
headers_free(struct headers *h)
{
	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->work);
	EVP_MD_free(h->sha256);
	free(h);
}

void
header_made_free(struct header_made *m)
{
	if (m == NULL)
		return;
	EVP_MD_CTX_free(m->after);
	buf_free(&m->tail);
	free(m);
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
make(struct headers *h, const struct credential *c, enum ppt ppt, struct header_made **out,
    struct fault *f)
{
	AUTO(header_made) *m = calloc(1, sizeof *m);

	if (c->header[ppt] == NULL)
		return REFUSE(f, RC_BUG, INTERNAL, NULL, "no header for the ppt");
	if (m != NULL)
		m->after = EVP_MD_CTX_new();
	if (m == NULL || m->after == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a header");
	m->len = strlen(c->header[ppt]);
	m->tail = BUF_INIT(HEADERS_TAIL_MAX);
	TRY(hash_header(h, span_of(c->header[ppt], m->len), m->after, f));
	if (c->x5u != NULL)
		TRY(identity_tail(&m->tail, c->x5u, ppt_rule(ppt)->name, f));
	*out = TAKE(m);
	return RC_OK;
}

enum rc
headers_find(
    struct headers *h, struct credential *c, enum ppt ppt, struct header *out, struct fault *f)
{
	if (c->made[ppt] == NULL)
		TRY(make(h, c, ppt, &c->made[ppt], f));
	*out = (struct header){
		.text = span_of(c->header[ppt], c->made[ppt]->len),
		.tail = buf_view(&c->made[ppt]->tail),
		.after = c->made[ppt]->after,
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
