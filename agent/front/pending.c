#include "agent/front/pending.h"

#include <stdio.h>

#include "agent/front/keyfile.h"
#include "agent/front/retire.h"
#include "agent/front/spare.h"
#include "agent/front/store.h"
#include "agent/front/want.h"
#include "agent/log.h"

enum { PENDING_MODE = 0600, SUBJECT_MAX = 64, DAY_S = 86400 };

void
pending_done(struct pending *p)
{
	buf_free(&p->der);
	csr_done(&p->facts);
}

static enum rc
file_of(const struct config *c, const char *tenant, const char *name, struct store_path *out,
    struct fault *f)
{
	return store_path(
	    out, f, "%s/front/tenants/%s/%s/pending.csr", c->state_dir, tenant, name);
}

enum rc
pending_read(const struct config *c, const char *tenant, const char *name, struct pending *out,
    struct fault *f)
{
	struct store_path path = { 0 };
	AUTO_BUF der = BUF_INIT(PENDING_MAX);
	struct csr_facts facts = { 0 };
	struct fault why = { 0 };
	enum rc rc;

	TRY(file_of(c, tenant, name, &path, f));
	rc = store_read(path.text, PENDING_MAX, &der, &why);
	if (rc == RC_NOT_FOUND)
		return FAULT(f, RC_NOT_FOUND, "no_pending_csr", "no request is outstanding");
	if (rc != RC_OK)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	TRY(csr_decode(buf_view(&der), &facts, f));
	*out = (struct pending){ der, facts };
	der = BUF_INIT(0); /* theirs now */
	return RC_OK;
}

int64_t
pending_since_s(const struct config *c, const char *tenant, const char *name)
{
	struct store_path path = { 0 };

	return file_of(c, tenant, name, &path, NULL) == RC_OK ? store_mtime(path.text) : 0;
}

enum rc
pending_remove(const struct config *c, const char *tenant, const char *name, struct fault *f)
{
	struct store_path path = { 0 };

	TRY(file_of(c, tenant, name, &path, f));
	return store_remove(path.text, f);
}

/* ATIS-1000080 wants "SHAKEN" and the code in the common name; a delegate has none. */
static void
subject_of(const struct config_credential *cc, char out[SUBJECT_MAX], struct csr_template *t)
{
	if (profile_rule(cc->profile)->cls != CLASS_SP)
		return;
	snprintf(out, SUBJECT_MAX, "SHAKEN %s", cc->spc);
	t->common_name = out;
}

static enum rc
build(struct works *w, struct credset_place at, const uint8_t point[P256_POINT_LEN],
    struct csr_template t, struct buf *out, struct fault *f)
{
	const struct config_credential *cc = credset_config(w->set, at);
	const struct config_ca *ca =
	    cc->ca != NULL ? config_ca_find(w->set->config, cc->ca) : NULL;
	char subject[SUBJECT_MAX] = "", domain[WANT_DOMAIN_MAX + 1];
	AUTO_OSSL(EVP_PKEY) *key = NULL;
	OSSL_LIB_CTX *libctx = NULL;
	struct fault why = { 0 };
	uint8_t key_id[KEY_ID_LEN];
	unsigned token = 0;
	enum rc rc;

	subject_of(cc, subject, &t);
	want_domain(w->set->config, cc, domain);
	t.dns_name = domain[0] != 0 ? domain : NULL;
	if (ca != NULL) { /* D-34 */
		t.organization = ca->csr_organization;
		t.country = ca->csr_country;
		t.basic_constraints = ca->csr_basic_constraints;
		t.key_usage = ca->csr_key_usage;
	}
	key_id_of_point(point, key_id);
	TRY(works_token_of(w, cc, key_id, &token, f));
	TRY(works_key(w, token, point, &libctx, &key, f));
	rc = csr_build(out, &t, libctx, key, &why);
	TRY(works_signed(w, token, rc, &why, f));
	return buf_check(out, f);
}

static bool
same_octets(const struct pending *p, const struct csr_template *t, const char *domain)
{
	const char *has = p->facts.dns_name != NULL ? p->facts.dns_name : "";
	bool bare = t->constraints_der.len == 0;

	return strcmp(has, domain) == 0 &&
	       span_eq(buf_view(&p->facts.tnauth_der), t->tnauth_der) &&
	       span_eq(buf_view(&p->facts.constraints_der), t->constraints_der) &&
	       (bare || p->facts.form == t->form);
}

static bool
key_in_force(const struct works *w, struct credset_place at, const uint8_t key_id[KEY_ID_LEN])
{
	const struct credential *c = credset_credential(w->set, at);

	return c->state == CREDENTIAL_READY && memcmp(c->key_id, key_id, KEY_ID_LEN) == 0;
}

/*
 * The key of a request that was not written has no other end.  One that the
 * file names all the same (its directory was not synced) is kept, and where
 * that or the token cannot tell, it is noted: what is due is judged again.
 */
static void
unmake(struct works *w, struct credset_place at, unsigned token,
    const uint8_t point[P256_POINT_LEN], int64_t now_s)
{
	const struct config_tenant *tenant = &w->set->config->tenant[at.tenant];
	uint8_t key_id[KEY_ID_LEN];
	AUTO_PENDING p = { 0 };
	struct fault why = { 0 };
	enum rc rc = pending_read(
	    w->set->config, tenant->name, credset_config(w->set, at)->name, &p, NULL);

	key_id_of_point(point, key_id);
	if (rc == RC_OK && memcmp(p.facts.key_id, key_id, KEY_ID_LEN) == 0)
		return;
	if (rc != RC_IO && rc != RC_NO_MEMORY)
		rc = works_discard(w, token, key_id, &why);
	if (rc == RC_OK)
		retire_forget(w, key_id);
	else
		rc = retire_note(w, key_id, at, now_s, &why);
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "key_left", &why);
}

/* A request for this key, in the file. */
static enum rc
write_request(struct works *w, struct credset_place at, const uint8_t point[P256_POINT_LEN],
    const struct csr_template *t, struct fault *f)
{
	const struct config *c = w->set->config;
	AUTO_BUF der = BUF_INIT(PENDING_MAX);
	struct store_path path = { 0 };

	TRY(file_of(c, c->tenant[at.tenant].name, credset_config(w->set, at)->name, &path, f));
	TRY(build(w, at, point, *t, &der, f));
	return store_write(path.text, buf_view(&der), PENDING_MODE, f);
}

/* Its token and its age, before anything rests on it. */
static enum rc
write_keyfile(struct works *w, unsigned token, const uint8_t point[P256_POINT_LEN],
    int64_t made_s, struct fault *f)
{
	struct keyfile k = { .made_s = made_s };
	uint8_t key_id[KEY_ID_LEN];

	key_id_of_point(point, key_id);
	snprintf(k.token, sizeof k.token, "%s", w->set->config->token[token].name);
	return keyfile_write(w->set->config, key_id, &k, f);
}

static void
record_made(struct works *w, struct credset_place at, const uint8_t point[P256_POINT_LEN])
{
	uint8_t key_id[KEY_ID_LEN];
	char hex[2 * KEY_ID_LEN + 1];

	key_id_of_point(point, key_id);
	retire_forget(w, key_id);
	works_hex(key_id, KEY_ID_LEN, hex);
	works_audit(w, "key_made", w->set->config->tenant[at.tenant].name,
	    credset_config(w->set, at)->name, json_pack("{s:s}", "key", hex));
}

static bool
is_lost(const struct fault *f)
{
	return strcmp(f->reason, "no_key") == 0 || strcmp(f->reason, "key_refused") == 0;
}

static enum rc
make_new(struct works *w, struct credset_place at, const struct csr_template *t, int64_t now_s,
    struct fault *f)
{
	struct works_spare key = { .made_s = 0 };
	unsigned token = 0;
	enum rc rc;

	TRY(works_token_index(w, credset_config(w->set, at)->token, &token, f));
	TRY(spare_take(w, token, at, now_s, &key, f));
	rc = write_keyfile(w, token, key.point, key.made_s, f);
	/* What a crash leaves before the request is written is noted as retiring (spare.h). */
	if (rc == RC_OK)
		rc = write_request(w, at, key.point, t, f);
	if (rc == RC_OK)
		record_made(w, at, key.point);
	else
		unmake(w, at, token, key.point, now_s);
	if (rc != RC_OK && is_lost(f))
		spare_drop(w, token); /* the others are no better */
	return rc;
}

/* May the key in force serve for another certificate?  One of unknown age may not, nor one
 * that came from a file: its renewal is what it waits for. */
static bool
key_stays(const struct works *w, struct credset_place at, int64_t now_s)
{
	const struct credential *c = credset_credential(w->set, at);
	unsigned days = credset_config(w->set, at)->rekey_days, token = 0;
	struct keyfile k = { .made_s = 0 };

	if (days == 0 || c->state != CREDENTIAL_READY || c->imported ||
	    works_token_index(w, credset_config(w->set, at)->token, &token, NULL) != RC_OK ||
	    token != c->token)
		return false;
	if (days == CONFIG_REKEY_NEVER)
		return true;
	return keyfile_read(w->set->config, c->key_id, &k, NULL) == RC_OK &&
	       now_s >= k.made_s && now_s - k.made_s < (int64_t)days * DAY_S;
}

static enum rc
make_request(struct works *w, struct credset_place at, const struct csr_template *t,
    int64_t now_s, struct fault *f)
{
	const char *tenant = w->set->config->tenant[at.tenant].name;
	const char *name = credset_config(w->set, at)->name;
	struct fault why = { .reason = "" };
	enum rc rc;

	TRY(allow_key(&w->allow, tenant, name, now_s, f));
	rc = RC_NOT_FOUND;
	if (key_stays(w, at, now_s))
		rc = write_request(w, at, credset_credential(w->set, at)->point, t, &why);
	/* One that the token has lost or refuses is no reason to go without a certificate. */
	if (rc == RC_NOT_FOUND || is_lost(&why))
		rc = make_new(w, at, t, now_s, f);
	else if (rc != RC_OK)
		rc = FAULT(f, rc, why.reason, "%s", why.detail);
	if (rc == RC_HSM || rc == RC_BUSY) /* no fault of the renewer's */
		allow_key_back(&w->allow, tenant, name);
	return rc;
}

enum rc
pending_make(struct works *w, struct credset_place at, struct span tnauth_der,
    struct span constraints_der, int64_t now_s, struct pending *out, struct fault *f)
{
	const struct config *c = w->set->config;
	const struct config_tenant *tenant = &c->tenant[at.tenant];
	const struct config_credential *cc = credset_config(w->set, at);
	struct csr_template t = { .tnauth_der = tnauth_der,
		.constraints_der = constraints_der };
	AUTO_PENDING old = { 0 };
	char domain[WANT_DOMAIN_MAX + 1];
	struct fault why = { 0 };
	bool in_force;
	enum rc rc;

	if (cc->constraints != NULL)
		t.form = cc->constraints->form;
	want_domain(c, cc, domain);
	rc = pending_read(c, tenant->name, cc->name, &old, &why);
	if (rc == RC_IO || rc == RC_NO_MEMORY)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	/* With a key that is to serve once; else it is installed, and the disk kept the file. */
	in_force = rc == RC_OK && key_in_force(w, at, old.facts.key_id);
	if (rc == RC_OK && same_octets(&old, &t, domain) &&
	    (!in_force || key_stays(w, at, now_s))) {
		*out = old;
		old = (struct pending){ 0 };
		return RC_OK;
	}
	/* Recorded first: a crash in between must not lose the old key's end. */
	if (rc == RC_OK && !in_force)
		TRY(retire_note(w, old.facts.key_id, at, now_s, f));
	TRY(make_request(w, at, &t, now_s, f));
	return pending_read(c, tenant->name, cc->name, out, f);
}

enum rc
pending_prove(
    struct works *w, struct credset_place at, const struct pending *p, struct fault *f)
{
	struct csr_template t = {
		.tnauth_der = buf_view(&p->facts.tnauth_der),
		.constraints_der = buf_view(&p->facts.constraints_der),
		.form = p->facts.form,
	};
	AUTO_BUF der = BUF_INIT(PENDING_MAX);
	struct csr_facts again = { 0 };
	bool same;

	TRY(build(w, at, p->facts.point, t, &der, f));
	TRY(csr_decode(buf_view(&der), &again, f)); /* verifies the signature */
	same = memcmp(again.point, p->facts.point, P256_POINT_LEN) == 0;
	csr_done(&again);
	if (!same)
		return FAULT(
		    f, RC_DENIED, "key_not_proven", "the token signed with another key");
	return RC_OK;
}
