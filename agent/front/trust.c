#include "agent/front/trust.h"

#include <string.h>

#include "agent/front/store.h"
#include "agent/log.h"
#include "stir/b64.h"
#include "stir/digest.h"
#include "stir/jtext.h"
#include "stir/loglist.h"
#include "stir/stilist.h"

enum {
	TRUST_FILE_MAX = 2 * 1024 * 1024, /* base64 of the largest list, and a signature */
};

const char *
trust_name(enum trust_kind k)
{
	static const char *const names[] = {
		[TRUST_LOGS] = "ct_logs", [TRUST_ROOTS] = "sti_pa"
	};

	return names[k];
}

const char *
trust_url(const struct config *c, enum trust_kind k)
{
	return k == TRUST_LOGS ? c->ct_logs_url : c->sti_pa_url;
}

/* ---- references ---------------------------------------------------------------------------- */

static struct trust_list *
list_ref(struct trust_list *l)
{
	atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void
trust_list_release(struct trust_list *l)
{
	if (l == NULL || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
		return;
	ctlogs_free(l->ctlogs);
	anchors_free(l->anchors);
	free(l);
}

struct trust *
trust_ref(struct trust *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void
trust_release(struct trust *t)
{
	if (t == NULL || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < TRUST__KINDS; i++)
		trust_list_release(t->list[i]);
	anchors_free(t->anchors);
	free(t);
}

static enum rc
trust_new(struct trust **out, struct fault *f)
{
	struct trust *t = calloc(1, sizeof *t);

	if (t == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "lists");
	atomic_init(&t->refs, 1);
	*out = t;
	return RC_OK;
}

enum rc
trust_with(const struct trust *old, enum trust_kind k, struct trust_list *l, struct trust **out,
    struct fault *f)
{
	struct trust *t = NULL;

	TRY(trust_new(&t, f));
	for (enum trust_kind i = 0; i < TRUST__KINDS; i++) {
		struct trust_list *from = i == k ? l : old != NULL ? old->list[i] : NULL;

		t->list[i] = from != NULL ? list_ref(from) : NULL;
	}
	*out = t;
	return RC_OK;
}

enum rc
trust_join(struct trust *t, const struct anchors *file, struct fault *f)
{
	const struct trust_list *roots = t->list[TRUST_ROOTS];

	if (t->anchors != NULL || roots == NULL || file == NULL)
		return RC_OK;
	return anchors_join(file, roots->anchors, &t->anchors, f);
}

/* ---- one list ------------------------------------------------------------------------------ */

/* The publisher's key or certificates, an operator's file, and what tells it from another one. */
static enum rc
read_key(const struct config *c, enum trust_kind k, struct buf *pem, uint8_t by[TRUST_DIGEST],
    struct fault *f)
{
	const char *path = k == TRUST_LOGS ? c->ct_logs_key : c->sti_pa_anchors;

	TRY(store_read_linked(path, STILIST_SIGNERS_MAX, pem, f));
	return digest_sha256(buf_view(pem), by, f);
}

static enum rc
read_logs(struct trust_list *l, struct span pem, struct span octets, struct span proof,
    int64_t now_s, struct fault *f)
{
	AUTO_OSSL(EVP_PKEY) *key = NULL;

	TRY(loglist_key(pem, &key, f));
	TRY(loglist_read(octets, proof, key, &l->ctlogs, f));
	l->issued_s = ctlogs_issued_s(l->ctlogs);
	if (l->issued_s > now_s + TRUST_AHEAD_S)
		return FAULT(f, RC_DENIED, "list_future", "it is dated in the future");
	return digest_sha256(octets, l->digest, f);
}

static enum rc
read_roots(
    struct trust_list *l, struct span pem, struct span octets, int64_t now_s, struct fault *f)
{
	AUTO(stilist) *roots = NULL;

	TRY(stilist_read(octets, pem, now_s, &roots, f));
	memcpy(l->digest, roots->digest, sizeof l->digest);
	l->sequence = roots->sequence;
	l->exp_s = roots->exp_s;
	l->anchors = TAKE(roots->anchors);
	return RC_OK;
}

enum rc
trust_read(const struct config *c, enum trust_kind k, struct span octets, struct span proof,
    int64_t now_s, struct trust_list **out, struct fault *f)
{
	AUTO_TRUST_LIST *l = calloc(1, sizeof *l);
	AUTO_BUF pem = BUF_INIT(STILIST_SIGNERS_MAX);

	if (l == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a list");
	atomic_init(&l->refs, 1);
	TRY(read_key(c, k, &pem, l->by, f));
	TRY(k == TRUST_LOGS ? read_logs(l, buf_view(&pem), octets, proof, now_s, f)
			    : read_roots(l, buf_view(&pem), octets, now_s, f));
	l->kept_s = now_s;
	*out = TAKE(l);
	return RC_OK;
}

/* ---- on disk ------------------------------------------------------------------------------- */

static enum rc
file_of(const struct config *c, enum trust_kind k, struct store_path *out, struct fault *f)
{
	return store_path(out, f, "%s/front/lists/%s.json", c->state_dir, trust_name(k));
}

static enum rc
put_octets(json_t *file, const char *name, struct span octets, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(TRUST_FILE_MAX);

	b64_encode(&text, B64_STD, octets);
	TRY(buf_check(&text, f));
	if (json_object_set_new(file, name, json_string(buf_text(&text))) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a list");
	return RC_OK;
}

/* In one file, so that a crash never leaves the one with the other's signature. */
enum rc
trust_keep(const struct config *c, enum trust_kind k, struct span octets, struct span proof,
    int64_t now_s, struct fault *f)
{
	struct store_path path = { 0 };
	json_auto_t *file = json_pack("{s:I}", "fetched", (json_int_t)now_s);

	if (file == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a list");
	TRY(put_octets(file, "list", octets, f));
	TRY(put_octets(file, "signature", proof, f));
	TRY(file_of(c, k, &path, f));
	return store_write_json(path.text, file, TRUST_FILE_MAX, f);
}

/* Judged by the time when it was fetched: what was good then is not lost with a start. */
static enum rc
take_file(const struct config *c, enum trust_kind k, struct span text, struct trust_list **out,
    struct fault *f)
{
	AUTO_BUF octets = BUF_INIT(LOGLIST_MAX_BYTES), proof = BUF_INIT(LOGLIST_SIGNATURE_MAX);
	json_auto_t *file = NULL;
	json_t *list, *signature;
	json_int_t fetched;

	TRY(jtext_read_foreign(text, TRUST_FILE_MAX, &file, f));
	if (json_unpack(file, "{s:o, s:o, s:I!}", "list", &list, "signature", &signature,
		"fetched", &fetched) != 0)
		return FAULT(f, RC_INVALID, "list_file", "not as we write it");
	TRY(b64_decode(&octets, B64_STD, jtext_span(list), f));
	TRY(b64_decode(&proof, B64_STD, jtext_span(signature), f));
	return trust_read(c, k, buf_view(&octets), buf_view(&proof), fetched, out, f);
}

static enum rc
read_file(const struct config *c, enum trust_kind k, struct trust_list **out, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(TRUST_FILE_MAX);
	struct store_path path = { 0 };

	TRY(file_of(c, k, &path, f));
	TRY(store_read(path.text, TRUST_FILE_MAX, &text, f));
	return take_file(c, k, buf_view(&text), out, f);
}

static bool
is_of_key(const struct config *c, enum trust_kind k, const struct trust_list *l)
{
	AUTO_BUF pem = BUF_INIT(STILIST_SIGNERS_MAX);
	uint8_t by[TRUST_DIGEST] = { 0 };

	return l != NULL && read_key(c, k, &pem, by, NULL) == RC_OK &&
	       memcmp(by, l->by, sizeof by) == 0;
}

static enum rc
load_list(const struct config *c, enum trust_kind k, struct trust_list *old,
    struct trust_list **out, struct fault *f)
{
	struct fault why = { 0 };
	enum rc rc = read_file(c, k, out, &why);

	if (rc == RC_NO_MEMORY)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	if (rc == RC_OK)
		return RC_OK;
	if (rc != RC_NOT_FOUND)
		log_event(LEVEL_ERR, "list_file", "list=%s reason=%s detail=\"%s\"",
		    trust_name(k), why.reason, why.detail);
	if (is_of_key(c, k, old))
		*out = list_ref(old);
	return RC_OK;
}

enum rc
trust_load(const struct config *c, const struct trust *old, struct trust **out, struct fault *f)
{
	AUTO_TRUST *t = NULL;

	TRY(trust_new(&t, f));
	for (enum trust_kind k = 0; k < TRUST__KINDS; k++) {
		if (trust_url(c, k) != NULL)
			TRY(load_list(c, k, old != NULL ? old->list[k] : NULL, &t->list[k], f));
	}
	*out = TAKE(t);
	return RC_OK;
}
