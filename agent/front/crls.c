#include "agent/front/crls.h"

#include "agent/front/jw.h"
#include "agent/front/works.h"
#include "agent/log.h"
#include "stir/digest.h"
#include "stir/ossl.h"

enum { CRL_MODE = 0600, ID_TEXT_MAX = 2 * CERT_MAX_DER };

/* ---- the table ------------------------------------------------------------------------------ */

enum rc
crls_new(struct crls **out, struct fault *f)
{
	struct crls *t = calloc(1, sizeof *t);

	if (t == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "revocation lists");
	pthread_mutex_init(&t->lock, NULL);
	*out = t;
	return RC_OK;
}

static void
one_free(struct crls_one *one)
{
	if (one == NULL)
		return;
	X509_NAME_free(one->issuer);
	free(one->issuer_text);
	cert_free(one->signer);
	crl_free(one->crl);
	free(one);
}

static void
one_freep(struct crls_one **one)
{
	one_free(*one);
}
#define AUTO_ONE __attribute__((cleanup(one_freep))) struct crls_one

void
crls_free(struct crls *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->len; i++)
		one_free(t->one[i]);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

struct crls_one *
crls_find(const struct crls *t, const char *id)
{
	for (size_t i = 0; i < t->len; i++) {
		if (strcmp(t->one[i]->id, id) == 0)
			return t->one[i];
	}
	return NULL;
}

/* ---- whose ---------------------------------------------------------------------------------- */

static const X509_NAME *
issuer_of(const struct crls_wish *wish)
{
	return wish->point->issuer != NULL ? wish->point->issuer
					   : X509_get_issuer_name(wish->cert->x509);
}

/* By URL and signer: two CAs that name one URL want two lists. */
static enum rc
id_of(const struct crls_wish *wish, char out[CRLS_ID], struct fault *f)
{
	AUTO_BUF text = BUF_INIT(ID_TEXT_MAX);
	const X509_NAME *issuer = issuer_of(wish);
	uint8_t digest[32] = { 0 };
	const uint8_t *name = NULL;
	size_t len = 0;

	if (X509_NAME_get0_der(issuer, &name, &len) != 1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "a name");
	buf_str(&text, wish->point->url);
	buf_byte(&text, 0);
	buf_put(&text, name, len);
	buf_byte(&text, wish->point->issuer != NULL);
	if (wish->point->issuer == NULL)
		buf_put(&text, wish->signer->der, wish->signer->der_len);
	TRY(buf_check(&text, f));
	TRY(digest_sha256(buf_view(&text), digest, f));
	works_hex(digest, sizeof digest, out);
	return RC_OK;
}

static enum rc
name_text(const X509_NAME *name, char **out, struct fault *f)
{
	AUTO_OSSL(BIO) *bio = BIO_new(BIO_s_mem());
	AUTO_BUF text = BUF_INIT(CRLS_DETAIL_MAX);
	char *octets = NULL;
	long len;

	if (bio == NULL || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "a name");
	len = BIO_get_mem_data(bio, &octets);
	if (len > 0) /* for people: what is longer than that is cut */
		buf_put(&text, octets,
		    len < CRLS_DETAIL_MAX - 1 ? (size_t)len : CRLS_DETAIL_MAX - 1);
	*out = buf_steal(&text);
	return *out != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "a name");
}

static enum rc
fill(struct crls_one *one, const struct crls_wish *wish, struct fault *f)
{
	const X509_NAME *issuer = issuer_of(wish);

	snprintf(one->url, sizeof one->url, "%s", wish->point->url);
	one->issuer = X509_NAME_dup(issuer);
	if (one->issuer == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a revocation list");
	TRY(name_text(issuer, &one->issuer_text, f));
	if (wish->point->issuer != NULL)
		return RC_OK;
	return cert_decode(
	    span_of(wish->signer->der, wish->signer->der_len), true, &one->signer, f);
}

/* An indirect one by any of those certificates that has the name. */
enum rc
crls_verify(const struct crls_one *one, const struct crl *crl, const struct crls_rules *rules,
    struct fault *f)
{
	const struct chain *issuers = rules->issuers;
	struct fault why = { 0 };

	if (one->signer != NULL)
		return crl_verify(crl, one->signer, rules->now_s, f);
	for (size_t i = 0; issuers != NULL && i < issuers->len; i++) {
		if (X509_NAME_cmp(X509_get_subject_name(issuers->cert[i]->x509), one->issuer) !=
		    0)
			continue;
		if (crl_verify(crl, issuers->cert[i], rules->now_s, &why) == RC_OK)
			return RC_OK;
	}
	if (why.rc != RC_OK)
		return FAULT(f, why.rc, why.reason, "%s", why.detail);
	return FAULT(f, RC_DENIED, "crl_signer", "crl_issuers has no certificate of %.80s",
	    one->issuer_text);
}

static enum rc
speaks_of(const struct crls_one *one, const struct crl *crl, bool cas, struct fault *f)
{
	const struct crl_use use = { .issuer = one->issuer,
		.url = one->url,
		.indirect = one->signer == NULL,
		.of_ca = cas };

	return crl_covers(crl, &use, f);
}

enum rc
crls_fits(const struct crls_one *one, const struct crl *crl, struct fault *f)
{
	if (one->of_user && (!one->of_ca || speaks_of(one, crl, false, NULL) == RC_OK))
		return speaks_of(one, crl, false, f);
	return one->of_ca ? speaks_of(one, crl, true, f) : RC_OK;
}

/* In its time a list does not give way to one that is silent about what it speaks of. */
static enum rc
check_kinds(const struct crls_one *one, const struct crl *crl, struct fault *f)
{
	if (one->of_user && speaks_of(one, one->crl, false, NULL) == RC_OK)
		TRY(speaks_of(one, crl, false, f));
	if (one->of_ca && speaks_of(one, one->crl, true, NULL) == RC_OK)
		TRY(speaks_of(one, crl, true, f));
	return RC_OK;
}

static enum rc
check_order(const struct crls_one *one, const struct crl *crl, const struct crls_rules *rules,
    struct fault *f)
{
	const struct crl *kept = one->crl;
	struct fault why = { 0 };

	if (kept == NULL)
		return RC_OK;
	if (kept->next_update_s >= rules->now_s)
		TRY(check_kinds(one, crl, f));
	if (crl_follows(crl, kept, &why) == RC_OK)
		return RC_OK;
	if (kept->next_update_s >= rules->now_s || crl->this_update_s <= kept->this_update_s)
		return FAULT(f, why.rc, why.reason, "%s", why.detail);
	log_event(
	    LEVEL_WARNING, "crl_renumbered", "crl=%.16s url=\"%.100s\"", one->id, one->url);
	return RC_OK;
}

enum rc
crls_usable(const struct crls_one *one, const struct crls_rules *rules, struct fault *f)
{
	if (one->url[0] == 0)
		return FAULT(f, RC_DENIED, "crl_url",
		    "none of its distribution points can be fetched: that takes an https or "
		    "http "
		    "URL, for all reasons");
	if (one->crl == NULL)
		return FAULT(f, RC_BUSY, "crl_missing", "%s",
		    one->detail[0] != 0 ? one->detail : "it has not been fetched yet");
	TRY(crls_fits(one, one->crl, f));
	return crl_current(one->crl, rules->now_s, (int64_t)rules->config->crl_max_age_s, f);
}

/* ---- on disk -------------------------------------------------------------------------------- */

enum rc
crls_file(const struct config *c, const char *id, struct store_path *out, struct fault *f)
{
	return store_path(out, f, "%s/front/crls/%s.crl", c->state_dir, id);
}

enum rc
crls_write(const struct config *c, struct crls_one *one, struct fault *f)
{
	struct store_path path = { 0 };
	uint8_t *der = NULL;
	int len = i2d_X509_CRL(one->crl->x509, &der);
	enum rc rc;

	if (len <= 0)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "a revocation list");
	rc = crls_file(c, one->id, &path, f);
	if (rc == RC_OK)
		rc = store_write(path.text, span_of(der, (size_t)len), CRL_MODE, f);
	OPENSSL_free(der);
	one->dirty = rc != RC_OK;
	return rc;
}

/* Beside the others; of what is parsed the entries count, not the octets alone. */
static enum rc
check_room(const struct crls *t, const struct crls_one *but, size_t octets, size_t entries,
    struct fault *f)
{
	for (size_t i = 0; i < t->len; i++) {
		const struct crls_one *one = t->one[i];

		octets += one != but ? one->octets : 0;
		entries += one != but && one->crl != NULL ? one->crl->entries : 0;
	}
	if (octets <= CRLS_OCTETS_MAX && entries <= CRLS_ENTRIES_MAX)
		return RC_OK;
	return REFUSE(f, RC_BUSY, OVERLOADED, NULL,
	    "revocation lists of %d octets or %d entries", CRLS_OCTETS_MAX, CRLS_ENTRIES_MAX);
}

/* What comes from disk is checked like what comes from the renewer, but for its time. */
static enum rc
read_file(
    const struct crls *t, struct crls_one *one, const struct crls_rules *rules, struct fault *f)
{
	AUTO_BUF der = BUF_INIT(CRL_MAX_DER);
	AUTO(crl) *crl = NULL;
	struct store_path path = { 0 };

	TRY(crls_file(rules->config, one->id, &path, f));
	TRY(store_read(path.text, CRL_MAX_DER, &der, f));
	TRY(check_room(t, one, der.len, 0, f)); /* it stays on disk */
	TRY(crl_read(buf_view(&der), &crl, f));
	TRY(crls_verify(one, crl, rules, f));
	TRY(check_room(t, one, der.len, crl->entries, f));
	one->octets = der.len;
	one->crl = TAKE(crl);
	return RC_OK;
}

/* ---- wanted --------------------------------------------------------------------------------- */

static enum rc
add(struct crls *t, const char *id, const struct crls_wish *wish,
    const struct crls_rules *rules, struct crls_one **out, struct fault *f)
{
	AUTO_ONE *one = calloc(1, sizeof *one);
	struct fault why = { 0 };

	if (one == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a revocation list");
	if (t->len == CRLS_MAX)
		return REFUSE(f, RC_BUSY, OVERLOADED, NULL, "%d revocation lists", CRLS_MAX);
	memcpy(one->id, id, CRLS_ID);
	one->since_s = rules->now_s;
	TRY(fill(one, wish, f));
	if (one->url[0] != 0 && read_file(t, one, rules, &why) != RC_OK &&
	    why.rc != RC_NOT_FOUND)
		log_fault(LEVEL_WARNING, "crl_forgotten", &why);
	*out = one;
	pthread_mutex_lock(&t->lock);
	t->one[t->len++] = TAKE(one);
	pthread_mutex_unlock(&t->lock);
	return RC_OK;
}

enum rc
crls_want(struct crls *t, const struct crls_wish *wish, const struct crls_rules *rules,
    struct crls_one **out, struct fault *f)
{
	struct crls_one *one;
	char id[CRLS_ID];

	TRY(id_of(wish, id, f));
	one = crls_find(t, id);
	if (one == NULL)
		TRY(add(t, id, wish, rules, &one, f));
	if (one == NULL)
		return FAULT(f, RC_BUG, "internal_error", "no list was added");
	pthread_mutex_lock(&t->lock);
	one->of_ca = one->of_ca || wish->cert->is_ca;
	one->of_user = one->of_user || !wish->cert->is_ca;
	pthread_mutex_unlock(&t->lock);
	*out = one;
	return RC_OK;
}

enum rc
crls_take(struct crls *t, struct crls_one *one, struct span der, const struct crls_rules *rules,
    struct fault *f)
{
	AUTO(crl) *crl = NULL;
	struct crl *before;
	struct fault why = { 0 };

	TRY(check_room(t, one, der.len, 0, f));
	TRY(crl_read(der, &crl, f));
	TRY(crls_verify(one, crl, rules, f));
	TRY(crls_fits(one, crl, f));
	TRY(crl_current(crl, rules->now_s, (int64_t)rules->config->crl_max_age_s, f));
	TRY(check_order(one, crl, rules, f));
	TRY(check_room(t, one, der.len, crl->entries, f));
	pthread_mutex_lock(&t->lock);
	before = one->crl;
	one->failures = 0;
	one->crl = TAKE(crl);
	one->octets = der.len;
	one->fetched_s = rules->now_s;
	pthread_mutex_unlock(&t->lock);
	crl_free(before);
	if (crls_write(rules->config, one, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "crl_file", &why);
	return RC_OK;
}

void
crls_note(struct crls *t, struct crls_one *one, const char *detail, int64_t due_s)
{
	pthread_mutex_lock(&t->lock);
	snprintf(one->detail, sizeof one->detail, "%s", detail);
	one->due_s = due_s;
	pthread_mutex_unlock(&t->lock);
}

/* The file of one that is in its time stays: another one must not be older. */
static void
forget(struct crls *t, struct crls_one *one, const struct config *c, int64_t now_s)
{
	struct store_path path = { 0 };
	struct fault why = { 0 };

	if (one->crl != NULL && one->crl->next_update_s >= now_s)
		t->left++;
	else if (one->crl != NULL && crls_file(c, one->id, &path, &why) == RC_OK)
		(void)!store_remove(path.text, &why);
	if (why.rc != RC_OK)
		log_fault(LEVEL_WARNING, "crl_file", &why);
	one_free(one);
}

void
crls_drop(struct crls *t, const struct config *c, int64_t now_s)
{
	struct crls_one *gone;
	size_t i = 0;

	while (i < t->len) {
		gone = t->one[i];
		if (gone->wanted || gone->told) {
			i++;
			continue;
		}
		pthread_mutex_lock(&t->lock);
		t->one[i] = t->one[--t->len];
		pthread_mutex_unlock(&t->lock);
		forget(t, gone, c, now_s);
	}
}

/* ---- shown ---------------------------------------------------------------------------------- */

static void
show_list(const struct crls_one *one, struct buf *out)
{
	char number[2 * CRL_NUMBER_MAX + 1];
	const char *digits = number;

	if (one->crl == NULL) {
		jw_null(out, "this_update");
		jw_null(out, "next_update");
		jw_null(out, "number");
		return;
	}
	works_hex(one->crl->number, CRL_NUMBER_MAX, number);
	while (*digits == '0' && digits[1] != 0)
		digits++;
	jw_int(out, "this_update", one->crl->this_update_s);
	jw_int(out, "next_update", one->crl->next_update_s);
	jw_str(out, "number", one->crl->numbered ? digits : NULL);
	jw_uint(out, "entries", one->crl->entries);
}

static void
show_one(const struct crls_one *one, struct buf *out, const struct crls_rules *rules)
{
	struct fault why = { 0 };
	bool usable = crls_usable(one, rules, &why) == RC_OK;

	jw_open(out, NULL, '{');
	jw_str(out, "id", one->id);
	jw_str(out, "url", one->url[0] != 0 ? one->url : NULL);
	jw_str(out, "issuer", one->issuer_text);
	jw_bool(out, "indirect", one->signer == NULL);
	jw_bool(out, "usable", usable);
	jw_str(out, "reason", usable ? NULL : why.reason);
	jw_str(out, "problem", one->detail[0] != 0 ? one->detail : usable ? NULL : why.detail);
	if (one->fetched_s != 0)
		jw_int(out, "fetched_at", one->fetched_s);
	else
		jw_null(out, "fetched_at");
	show_list(one, out);
	jw_close(out, '}');
}

void
crls_show(struct crls *t, struct buf *out, const struct config *c, int64_t now_s)
{
	const struct crls_rules rules = { .config = c, .now_s = now_s };
	size_t shown = 0;

	jw_open(out, "crls", '[');
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->len && shown < CRLS_SHOWN; i++) {
		if (!t->one[i]->wanted)
			continue;
		show_one(t->one[i], out, &rules);
		shown++;
	}
	pthread_mutex_unlock(&t->lock);
	jw_close(out, ']');
}
