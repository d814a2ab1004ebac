#include "agent/front/trust.h"

#include <string.h>

#include "agent/front/store.h"
#include "agent/log.h"
#include "stir/b64.h"
#include "stir/digest.h"
#include "stir/jtext.h"
#include "stir/loglist.h"

enum {
	TRUST_FILE_MAX = 2 * 1024 * 1024, /* base64 of the largest list, and a signature */
};

const char *
trust_name(enum trust_kind k)
{
	static const char *const names[] = { [TRUST_LOGS] = "ct_logs" };

	return names[k];
}

const char *
trust_url(const struct config *c, enum trust_kind k)
{
	return k == TRUST_LOGS ? c->ct_logs_url : NULL;
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

/* ---- one list ------------------------------------------------------------------------------ */

/* The publisher's key, an operator's file, and what tells it from another one. */
static enum rc
read_key(const struct config *c, EVP_PKEY **out, uint8_t by[TRUST_DIGEST], struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(LOGLIST_KEY_MAX);
	struct fault why = { 0 };

	TRY(store_read_linked(c->ct_logs_key, LOGLIST_KEY_MAX, &pem, f));
	TRY(digest_sha256(buf_view(&pem), by, f));
	if (loglist_key(buf_view(&pem), out, &why) != RC_OK)
		return FAULT(f, why.rc, why.reason, "%s: %s", c->ct_logs_key, why.detail);
	return RC_OK;
}

enum rc
trust_read(const struct config *c, enum trust_kind k, struct span octets, struct span proof,
    int64_t now_s, struct trust_list **out, struct fault *f)
{
	AUTO_TRUST_LIST *l = calloc(1, sizeof *l);
	AUTO_OSSL(EVP_PKEY) *key = NULL;

	(void)k;
	if (l == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a list");
	atomic_init(&l->refs, 1);
	TRY(read_key(c, &key, l->by, f));
	TRY(loglist_read(octets, proof, key, &l->ctlogs, f));
	l->issued_s = ctlogs_issued_s(l->ctlogs);
	if (l->issued_s > now_s + TRUST_AHEAD_S)
		return FAULT(f, RC_DENIED, "list_future", "it is dated in the future");
	TRY(digest_sha256(octets, l->digest, f));
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
    struct fault *f)
{
	struct store_path path = { 0 };
	json_auto_t *file = json_object();

	if (file == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a list");
	TRY(put_octets(file, "list", octets, f));
	TRY(put_octets(file, "signature", proof, f));
	TRY(file_of(c, k, &path, f));
	return store_write_json(path.text, file, TRUST_FILE_MAX, f);
}

static enum rc
take_file(const struct config *c, enum trust_kind k, struct span text, int64_t now_s,
    struct trust_list **out, struct fault *f)
{
	AUTO_BUF octets = BUF_INIT(LOGLIST_MAX_BYTES), proof = BUF_INIT(LOGLIST_SIGNATURE_MAX);
	json_auto_t *file = NULL;
	json_t *list, *signature;

	TRY(jtext_read_foreign(text, TRUST_FILE_MAX, &file, f));
	if (json_unpack(file, "{s:o, s:o!}", "list", &list, "signature", &signature) != 0)
		return FAULT(f, RC_INVALID, "list_file", "not as we write it");
	TRY(b64_decode(&octets, B64_STD, jtext_span(list), f));
	TRY(b64_decode(&proof, B64_STD, jtext_span(signature), f));
	return trust_read(c, k, buf_view(&octets), buf_view(&proof), now_s, out, f);
}

/* A clock that stands in the past must not take from us what was in force before. */
static enum rc
read_file(const struct config *c, enum trust_kind k, struct trust_list **out, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(TRUST_FILE_MAX);
	struct store_path path = { 0 };

	TRY(file_of(c, k, &path, f));
	TRY(store_read(path.text, TRUST_FILE_MAX, &text, f));
	TRY(take_file(c, k, buf_view(&text), INT64_MAX - TRUST_AHEAD_S, out, f));
	(*out)->kept_s = store_mtime(path.text);
	return RC_OK;
}

static bool
is_of_key(const struct config *c, const struct trust_list *l)
{
	AUTO_OSSL(EVP_PKEY) *key = NULL;
	uint8_t by[TRUST_DIGEST] = { 0 };

	return l != NULL && read_key(c, &key, by, NULL) == RC_OK &&
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
	if (is_of_key(c, old))
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
