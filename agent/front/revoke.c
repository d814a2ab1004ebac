#include "agent/front/revoke.h"

#include <stdio.h>

#include "agent/front/load.h"
#include "agent/front/pending.h"
#include "agent/front/series.h"
#include "agent/front/store.h"
#include "agent/log.h"

/* ---- the list ---- */

static struct revocation *
find(const struct works *w, const char *id)
{
	for (size_t i = 0; i < w->revoked.len; i++) {
		if (strcmp(w->revoked.item[i].id, id) == 0)
			return &w->revoked.item[i];
	}
	return NULL;
}

const struct revocation *
revoke_find(const struct works *w, const char *id)
{
	return find(w, id);
}

/* Room for one more. */
static enum rc
grow(struct works_revoked *list, bool listed, struct fault *f)
{
	struct revocation *item;
	size_t of_lists = 0;

	for (size_t i = 0; listed && i < list->len; i++)
		of_lists += list->item[i].listed;
	if (of_lists >= REVOCATION_LISTED_MAX)
		return REFUSE(f, RC_BUSY, OVERLOADED, NULL,
		    "%d certificates that lists have are remembered", REVOCATION_LISTED_MAX);

	if (list->len >= REVOCATION_MAX)
		return REFUSE(f, RC_BUSY, OVERLOADED, NULL,
		    "%d revoked certificates are remembered", REVOCATION_MAX);
	if (list->len < list->cap)
		return RC_OK;
	item = works_grown(list->item, list->len, &list->cap, sizeof *item);
	if (item == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "revocations");
	list->item = item;
	return RC_OK;
}

/* Its key stays until the CA has answered: revoke_needs_key(). */
static void
load_key(const struct works *w, struct revocation *r)
{
	AUTO(cert) *leaf = NULL;
	struct fault why = { 0 };

	if (!r->by_key || r->state != REVOCATION_OUTSTANDING)
		return;
	if (revocation_read_cert(w->set->config, r->id, &leaf, &why) == RC_OK)
		memcpy(r->key_id, leaf->key_id, KEY_ID_LEN);
	else
		log_fault(LEVEL_ERR, "revocation_unreadable", &why);
}

/* One that cannot be read keeps its certificate out of force: the file is there. */
static enum rc
load_one(void *arg, const char *id, struct fault *f)
{
	struct works *w = arg;
	struct revocation r = { .reason = 0 };
	struct fault why = { 0 };

	if (revocation_read(w->set->config, id, &r, &why) == RC_OK &&
	    grow(&w->revoked, false, &why) == RC_OK) {
		load_key(w, &r);
		w->revoked.item[w->revoked.len++] = r;
		return RC_OK;
	}
	if (why.rc == RC_NO_MEMORY)
		return FAULT(f, why.rc, why.reason, "%s", why.detail);
	log_fault(LEVEL_ERR, "revocation_unreadable", &why);
	return RC_OK;
}

enum rc
revoke_load(struct works *w, struct fault *f)
{
	TRY(revocation_each(w->set->config, load_one, w, f));
	revoke_tell(w);
	return RC_OK;
}

/* On disk first: what is not recorded is not acted on. */
static enum rc
change(struct works *w, const struct revocation *to, struct fault *f)
{
	struct revocation *r = find(w, to->id);

	if (r == NULL) /* nor is what cannot be remembered written */
		TRY(grow(&w->revoked, false, f));
	TRY(revocation_write(w->set->config, to, f));
	if (r == NULL)
		r = &w->revoked.item[w->revoked.len++];
	*r = *to;
	return RC_OK;
}

/* ---- which certificate ---- */

static enum rc
look_into(const struct works *w, const char *tenant, const char *name, const char *file,
    const char *serial, struct chain **out, struct fault *f)
{
	AUTO(chain) *chain = NULL;
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);
	struct store_path path = { 0 };

	TRY(store_path(&path, f, "%s/front/tenants/%s/%s/%s", w->set->config->state_dir, tenant,
	    name, file));
	TRY(store_read(path.text, CHAIN_MAX_BYTES, &pem, f));
	TRY(chain_read_pem(buf_view(&pem), true, &chain, f));
	if (serial != NULL && strcmp(chain->cert[0]->serial, serial) != 0)
		return FAULT(f, RC_NOT_FOUND, "no_certificate", "another serial");
	*out = TAKE(chain);
	return RC_OK;
}

struct found {
	struct credset *set; /* owns leaf where it is of a credential */
	struct chain *chain; /* … and where it is of a file */
	const struct cert *leaf;
	bool current; /* in force, or the last that was */
};

static void
found_done(struct found *x)
{
	chain_free(x->chain);
	credset_release(x->set);
}
#define AUTO_FOUND __attribute__((cleanup(found_done))) struct found

static bool
is_asked(const struct credential *c, const struct revoke_ask *ask)
{
	return c != NULL && c->state == CREDENTIAL_READY &&
	       (ask->serial == NULL || strcmp(c->chain->cert[0]->serial, ask->serial) == 0) &&
	       (ask->id == NULL || strcmp(c->fingerprint, ask->id) == 0);
}

/* The same of a file. */
static enum rc
look_for(const struct works *w, const struct credential *c, const char *file,
    const struct revoke_ask *ask, struct chain **out)
{
	AUTO(chain) *chain = NULL;
	char id[CREDENTIAL_FINGERPRINT] = "";

	TRY(look_into(w, c->tenant, c->name, file, ask->serial, &chain, NULL));
	TRY(revocation_id(chain->cert[0], id, NULL));
	if (ask->id != NULL && strcmp(id, ask->id) != 0)
		return RC_NOT_FOUND;
	*out = TAKE(chain);
	return RC_OK;
}

/* In force, before that, or refused: a wrong one that a CA has issued is revoked, too. */
static enum rc
find_cert(const struct works *w, struct credset_place at, const struct revoke_ask *ask,
    int64_t now_s, struct found *out, struct fault *f)
{
	static const char *const kept[] = { "before", "refused" };
	const struct credential *c = credset_credential(w->set, at);
	const struct credential *before = credset_before(w->set, at, now_s);
	char file[CERT_SERIAL_TEXT + 16];
	enum rc rc = RC_NOT_FOUND;

	out->current = is_asked(c, ask);
	if (out->current || (ask->serial != NULL && is_asked(before, ask))) {
		out->leaf = out->current ? c->chain->cert[0] : before->chain->cert[0];
		return RC_OK;
	}
	if (c->state != CREDENTIAL_READY)
		rc = look_for(w, c, "current.pem", ask, &out->chain);
	out->current = rc == RC_OK;
	for (size_t i = 0; ask->serial != NULL && rc != RC_OK && i < ARRAY_LEN(kept); i++) {
		snprintf(file, sizeof file, "%s-%s.pem", kept[i], ask->serial);
		rc = look_for(w, c, file, ask, &out->chain);
	}
	if (rc != RC_OK)
		return FAULT(f, RC_NOT_FOUND, "no_certificate", "%s",
		    ask->serial != NULL ? "no certificate of that serial is kept here"
					: "there is no certificate");
	out->leaf = out->chain->cert[0];
	return RC_OK;
}

/* ---- out of force ---- */

static enum rc
put_away(struct works *w, struct credset_place at, const struct revocation *r, struct fault *f)
{
	const struct credential *was = credset_credential(w->set, at);
	struct credential *c = NULL;

	TRY(credential_new(was->tenant, was->name, CREDENTIAL_REVOKED, &c, f));
	atomic_store(&c->crl_listed, r->listed);
	c->token = was->token;
	c->profile = was->profile;
	c->priority = was->priority;
	memcpy(c->fingerprint, r->id, sizeof c->fingerprint);
	(void)FAULT(&c->why, RC_DENIED, "revoked", "serial %s was revoked%s%s", r->serial,
	    r->listed ? ": " : "", r->listed ? r->answer : "");
	TRY(works_change(w, at, c, f));
	c = credset_credential(w->set, at);
	log_event(LEVEL_NOTICE, "credential_revoked", "tenant=%s credential=%s serial=%s",
	    c->tenant, c->name, r->serial);
	return RC_OK;
}

/* The one before that in force, which still signs what is dated before the renewal. */
static enum rc
drop_before(struct works *w, struct credset_place at, struct fault *f)
{
	AUTO_CREDSET *set = NULL;

	TRY(credset_copy(w->set, &set, f));
	credset_put_before(set, at, NULL);
	TRY(w->out.publish(w->out.arg, set, false, f));
	credset_release(w->set);
	w->set = TAKE(set);
	return RC_OK;
}

static bool
is_of(const struct credential *c, const struct revocation *r)
{
	return c != NULL && c->state == CREDENTIAL_READY && strcmp(c->fingerprint, r->id) == 0;
}

static enum rc
enforce_at(struct works *w, struct credset_place at, const struct revocation *r, int64_t now_s,
    struct fault *f)
{
	if (is_of(credset_credential(w->set, at), r))
		return put_away(w, at, r, f);
	if (is_of(credset_before(w->set, at, now_s), r))
		return drop_before(w, at, f);
	return RC_OK;
}

static enum rc
enforce(struct works *w, const struct revocation *r, int64_t now_s, struct fault *f)
{
	struct credset_place at;

	return credset_find(w->set, r->tenant, r->name, &at) ? enforce_at(w, at, r, now_s, f)
							     : RC_OK;
}

/* A request with the same key would bring the key back with the next certificate. */
static enum rc
drop_request(struct works *w, struct credset_place at, const struct cert *leaf, struct fault *f)
{
	const struct credential *c = credset_credential(w->set, at);
	AUTO_PENDING p = { 0 };
	struct fault why = { 0 };
	enum rc rc = pending_read(w->set->config, c->tenant, c->name, &p, &why);

	if (rc == RC_IO || rc == RC_NO_MEMORY)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	if (rc != RC_OK || !leaf->p256 || memcmp(p.facts.key_id, leaf->key_id, KEY_ID_LEN) != 0)
		return RC_OK;
	return pending_remove(w->set->config, c->tenant, c->name, f);
}

/* ---- as it is asked for ---- */

static void
copy_name(char out[CONFIG_NAME_MAX + 1], const char *name)
{
	snprintf(out, CONFIG_NAME_MAX + 1, "%s", name);
}

static void
describe(const struct works *w, struct credset_place at, const struct found *found,
    struct revocation *r)
{
	const struct config_credential *cc = credset_config(w->set, at);
	bool asked = config_issuer(w->set->config, cc) == ISSUER_ACME;

	copy_name(r->tenant, w->set->config->tenant[at.tenant].name);
	copy_name(r->name, cc->name);
	copy_name(r->ca, asked ? cc->ca : "");
	r->state = asked ? REVOCATION_OUTSTANDING : REVOCATION_APART;
	/* RFC 8739 section 3.1.2: it is canceled, and a CA must refuse to revoke. */
	if (asked && series_has(w, found->leaf))
		r->state = REVOCATION_SERIES;
	snprintf(r->serial, sizeof r->serial, "%s", found->leaf->serial);
	r->not_after_s = found->leaf->not_after_s;
}

/* Its CA has said so itself: what an operator asked it for before is done as well. */
static void
describe_listed(const struct revoke_ask *ask, int64_t now_s, struct revocation *r)
{
	r->listed = true;
	r->state = REVOCATION_DONE;
	r->ended_s = now_s;
	credential_clip(ask->listed, r->answer);
}

static void
record(struct works *w, const struct revocation *r, const char *event)
{
	works_audit(w, event, r->tenant, r->name,
	    json_pack("{s:s, s:s, s:s, s:s, s:s}", "serial", r->serial, "cause",
		revocation_reason_name(r->reason), "by", revocation_by(r), "state",
		revocation_state_name(r->state), "detail", r->answer));
}

static bool
is_on_record(const struct works *w, const char *id)
{
	const struct revocation *old = find(w, id);

	return old != NULL && old->state == REVOCATION_DONE && !old->unrecorded;
}

static enum rc
describe_all(struct works *w, struct credset_place at, const struct revoke_ask *ask,
    const struct found *found, int64_t now_s, struct revocation *r, struct fault *f)
{
	const struct revocation *old = find(w, r->id);

	if (old != NULL && old->state == REVOCATION_DONE) {
		*r = *old;
		return RC_OK;
	}
	if (ask->by_key && !found->leaf->p256)
		return REFUSE(f, RC_CONFLICT, CONFLICT, NULL, "its key is none of ours");
	describe(w, at, found, r);
	r->blocks = old != NULL ? old->blocks : found->current && !ask->by_agent;
	r->reason = ask->reason;
	r->by_key = ask->by_key;
	if (r->by_key)
		memcpy(r->key_id, found->leaf->key_id, KEY_ID_LEN);
	r->asked_s = now_s;
	if (ask->listed != NULL)
		describe_listed(ask, now_s, r);
	return RC_OK;
}

static enum rc
write_cert(
    struct works *w, const struct cert *leaf, const struct revocation *r, struct fault *f)
{
	/* Before it is on record as of a series: its CA is told of the end alone. */
	TRY(series_revoked(w, leaf, f));
	return revocation_write_cert(
	    w->set->config, r->id, span_of(leaf->der, leaf->der_len), f);
}

static enum rc
put_on_record(
    struct works *w, const struct found *found, const struct revocation *r, struct fault *f)
{
	if (is_on_record(w, r->id))
		return series_revoked(w, found->leaf, f);
	TRY(write_cert(w, found->leaf, r, f));
	TRY(change(w, r, f));
	record(w, r, "revoke");
	return RC_OK;
}

static enum rc
out_of_force(struct works *w, struct credset_place at, const struct revocation *r,
    const struct found *found, int64_t now_s, struct fault *f)
{
	TRY(enforce_at(w, at, r, now_s, f));
	/* Also what was not in its validity or not in order waits for an operator now. */
	if (found->current && credset_credential(w->set, at)->state == CREDENTIAL_UNUSABLE)
		return put_away(w, at, r, f);
	return RC_OK;
}

/* ---- as a list has it ---- */

/* By its id in memory; NULL: there is no room, and nothing to be tried again. */
static struct revocation *
remember(struct works *w, const struct revocation *r)
{
	struct revocation *at = find(w, r->id);
	struct fault why = { 0 };

	if (at == NULL && grow(&w->revoked, true, &why) != RC_OK) {
		log_fault(LEVEL_ERR, "revocation_unrecorded", &why);
		return NULL;
	}
	if (at == NULL)
		at = &w->revoked.item[w->revoked.len++];
	*at = *r;
	return at;
}

/*
 * Nobody asks for it again when it fails, so the disk has no say in whether it
 * signs: out of force first.  After a start the list says so once more.
 */
static enum rc
revoke_listed(struct works *w, struct credset_place at, const struct found *found,
    const struct revocation *r, int64_t now_s, struct fault *f)
{
	enum rc rc = out_of_force(w, at, r, found, now_s, f);
	struct revocation *kept;
	struct fault why = { 0 };

	if (is_on_record(w, r->id))
		return rc;
	if (find(w, r->id) == NULL || find(w, r->id)->state != REVOCATION_DONE)
		record(w, r, "revoke");
	kept = remember(w, r);
	if (kept == NULL)
		return rc;
	kept->unrecorded = write_cert(w, found->leaf, r, &why) != RC_OK ||
			   revocation_write(w->set->config, r, &why) != RC_OK;
	if (!kept->unrecorded)
		return rc;
	log_fault(LEVEL_ERR, "revocation_unrecorded", &why);
	if (w->revoke_at_s > now_s + REVOKE_RECORD_S)
		w->revoke_at_s = now_s + REVOKE_RECORD_S;
	return rc;
}

/* Its certificate is kept beside it where it is still to be found. */
static enum rc
record_again(struct works *w, struct revocation *r, int64_t now_s, struct fault *f)
{
	const struct revoke_ask ask = { .serial = r->serial, .id = r->id };
	AUTO_FOUND found = { .set = credset_ref(w->set) };
	struct credset_place at;

	if (credset_find(w->set, r->tenant, r->name, &at) &&
	    find_cert(w, at, &ask, now_s, &found, NULL) == RC_OK)
		TRY(write_cert(w, found.leaf, r, f));
	TRY(revocation_write(w->set->config, r, f));
	r->unrecorded = false;
	return RC_OK;
}

/* The first that the disk refuses stands for the others.  false: some are left. */
static bool
record_all(struct works *w, int64_t now_s)
{
	struct fault why = { 0 };
	bool written = false;

	for (size_t i = 0; i < w->revoked.len && why.rc == RC_OK; i++) {
		if (!w->revoked.item[i].unrecorded)
			continue;
		if (record_again(w, &w->revoked.item[i], now_s, &why) != RC_OK)
			log_fault(LEVEL_ERR, "revocation_unrecorded", &why);
		else
			written = true;
	}
	if (written)
		revoke_tell(w);
	return why.rc == RC_OK;
}

/* ---- as it is asked for, or listed ---- */

enum rc
revoke_cert(struct works *w, struct credset_place at, const struct revoke_ask *ask,
    int64_t now_s, const struct revocation **out, struct fault *f)
{
	AUTO_FOUND found = { .set = credset_ref(w->set) };
	struct revocation r = { .reason = 0 };
	struct fault why = { 0 };
	enum rc rc;

	TRY(find_cert(w, at, ask, now_s, &found, f));
	TRY(revocation_id(found.leaf, r.id, f));
	TRY(describe_all(w, at, ask, &found, now_s, &r, f));
	if (ask->listed == NULL)
		TRY(put_on_record(w, &found, &r, f));
	rc = ask->listed != NULL ? revoke_listed(w, at, &found, &r, now_s, f)
				 : out_of_force(w, at, &r, &found, now_s, f);
	if (rc != RC_OK)
		w->revoke_at_s = now_s + REVOKE_RETRY_S;
	revoke_tell(w);
	*out = find(w, r.id);
	/* Last: what is wrong with a request keeps no certificate in force. */
	if (drop_request(w, at, found.leaf, &why) == RC_OK)
		return rc;
	log_fault(LEVEL_ERR, "revoked_request_kept", &why);
	return rc != RC_OK ? rc : FAULT(f, why.rc, why.reason, "%s", why.detail);
}

/* ---- what comes after it ---- */

/* By its certificate also under another name: its token list was changed (load.c). */
static bool
blocks(const struct revocation *r, const struct credential *c)
{
	return r->blocks &&
	       (strcmp(c->fingerprint, r->id) == 0 ||
		   (strcmp(r->tenant, c->tenant) == 0 && strcmp(r->name, c->name) == 0));
}

static bool
is_blocked(const struct works *w, const struct credential *c)
{
	for (size_t i = 0; i < w->revoked.len; i++) {
		if (blocks(&w->revoked.item[i], c))
			return true;
	}
	return false;
}

enum rc
revoke_check(const struct works *w, struct credset_place at, struct fault *f)
{
	const struct credential *c = credset_credential(w->set, at);

	/* One that an operator has put in its place by hand is renewed like any other. */
	if (c->state == CREDENTIAL_READY || !is_blocked(w, c))
		return RC_OK;
	return FAULT(f, RC_DENIED, "revoked",
	    "it is revoked; a new certificate is ordered by: vesper cert renew %s/%s",
	    c->tenant, c->name);
}

enum rc
revoke_release(struct works *w, struct credset_place at, struct fault *f)
{
	const struct credential *c = credset_credential(w->set, at);

	for (size_t i = 0; i < w->revoked.len; i++) {
		struct revocation r = w->revoked.item[i];

		if (!blocks(&r, c))
			continue;
		r.blocks = false;
		TRY(change(w, &r, f));
		record(w, &r, "revoked_renewal");
	}
	return RC_OK;
}

const struct revocation *
revoke_outstanding(const struct works *w, const char *ca, size_t *at)
{
	while (*at < w->revoked.len) {
		const struct revocation *r = &w->revoked.item[(*at)++];

		if (r->state == REVOCATION_OUTSTANDING && strcmp(r->ca, ca) == 0)
			return r;
	}
	return NULL;
}

bool
revoke_needs_key(const struct works *w, const uint8_t key_id[KEY_ID_LEN])
{
	for (size_t i = 0; i < w->revoked.len; i++) {
		const struct revocation *r = &w->revoked.item[i];

		if (r->by_key && r->state == REVOCATION_OUTSTANDING &&
		    memcmp(r->key_id, key_id, KEY_ID_LEN) == 0)
			return true;
	}
	return false;
}

size_t
revoke_waiting(const struct works *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->revoked.len; i++)
		n += w->revoked.item[i].state == REVOCATION_OUTSTANDING;
	return n;
}

enum rc
revoke_answered(struct works *w, const char *id, bool final, const char *reason,
    const char *detail, int64_t now_s, struct fault *f)
{
	const struct revocation *r = find(w, id);
	char said[sizeof f->reason + CREDENTIAL_PROBLEM_MAX];
	struct revocation to;

	if (r == NULL || r->state != REVOCATION_OUTSTANDING)
		return FAULT(f, RC_NOT_FOUND, "no_errand", "nobody asked for that");
	to = *r;
	snprintf(said, sizeof said, "%.*s%s%s", (int)sizeof f->reason - 1,
	    reason != NULL ? reason : "", reason != NULL && detail != NULL ? ": " : "",
	    detail != NULL ? detail : "");
	credential_clip(said, to.answer);
	if (final) {
		to.state = reason == NULL ? REVOCATION_DONE : REVOCATION_REFUSED;
		to.ended_s = now_s;
	}
	if (!final && strcmp(to.answer, r->answer) == 0)
		return RC_OK; /* no news: not worth a write */
	TRY(change(w, &to, f));
	if (final) {
		log_event(reason == NULL ? LEVEL_NOTICE : LEVEL_ERR, "revocation",
		    "tenant=%s credential=%s serial=%s state=%s answer=\"%s\"", to.tenant,
		    to.name, to.serial, revocation_state_name(to.state), to.answer);
		record(w, &to, "revocation");
	}
	revoke_tell(w);
	return RC_OK;
}

/* ---- what is shown ---- */

static void
tell(const struct works *w, const struct revocation *r)
{
	static const struct {
		const char *problem, *says;
	} rows[REVOCATION__COUNT] = {
		[REVOCATION_OUTSTANDING] = { "revocation_outstanding",
		    "revocation outstanding: its CA has not answered and is asked again" },
		[REVOCATION_REFUSED] = { "revocation_refused",
		    "its CA refuses the revocation; ask again by: vesper cert revoke" },
		[REVOCATION_APART] = { "revocation_apart",
		    "no CA is asked by itself: tell it of the revocation" },
		[REVOCATION_SERIES] = { "revocation_series",
		    "of a series, which is canceled; its CA revokes none: it ends by itself" },
	};
	char text[CREDENTIAL_PROBLEM_MAX + 2 * CERT_SERIAL_TEXT + 96];
	struct credset_place at;
	struct credential *c;

	if (!credset_find(w->set, r->tenant, r->name, &at))
		return;
	snprintf(text, sizeof text, "serial %s: %s%s%s", r->serial,
	    r->unrecorded		  ? "out of force, and not on record: no disk took it"
	    : rows[r->state].says != NULL ? rows[r->state].says
					  : "",
	    r->answer[0] != 0 ? ": " : "", r->answer);
	c = credset_credential(w->set, at);
	credential_revocation_set(
	    c, r->unrecorded ? "revocation_unrecorded" : rows[r->state].problem, text);
	if (r->listed && c->state == CREDENTIAL_REVOKED && strcmp(c->fingerprint, r->id) == 0)
		atomic_store(&c->crl_listed, true);
}

/* What is over first, so that it does not cover what is not. */
void
revoke_tell(const struct works *w)
{
	for (size_t i = 0; i < w->revoked.len; i++) {
		if (w->revoked.item[i].state == REVOCATION_DONE)
			tell(w, &w->revoked.item[i]);
	}
	for (size_t i = 0; i < w->revoked.len; i++) {
		if (w->revoked.item[i].state != REVOCATION_DONE)
			tell(w, &w->revoked.item[i]);
	}
}

/* ---- what falls due ---- */

static bool
blocks_any(const struct works *w, const struct revocation *r)
{
	struct credset_place at;

	if (!r->blocks || credset_find(w->set, r->tenant, r->name, &at))
		return r->blocks;
	for (size_t i = 0; i < w->set->slots; i++) {
		if (blocks(r, w->set->slot[i]))
			return true;
	}
	return false;
}

/* A file has its certificate: by a clock that is set back that would be in force. */
static bool
is_in(const struct works *w, const struct revocation *r, const char *file)
{
	AUTO(chain) *chain = NULL;
	char id[CREDENTIAL_FINGERPRINT] = "";
	enum rc rc = look_into(w, r->tenant, r->name, file, r->serial, &chain, NULL);

	if (rc == RC_OK)
		rc = revocation_id(chain->cert[0], id, NULL);
	/* What cannot be told is taken for it. */
	return rc == RC_OK ? strcmp(id, r->id) == 0 : rc != RC_NOT_FOUND;
}

/* In force under any name, or on disk to be so at a reload; also of a tenant that is gone. */
static bool
may_come_back(const struct works *w, const struct revocation *r)
{
	char before[CERT_SERIAL_TEXT + 16];

	for (size_t i = 0; i < w->set->slots; i++) {
		if (strcmp(w->set->slot[i]->fingerprint, r->id) == 0)
			return true;
	}
	snprintf(before, sizeof before, "before-%s.pem", r->serial);
	return is_in(w, r, "current.pem") || is_in(w, r, before);
}

/* Over, nothing is kept from order by it, and its certificate can serve nobody any more. */
static bool
is_over(const struct works *w, const struct revocation *r, int64_t now_s)
{
	return r->state != REVOCATION_OUTSTANDING && now_s > r->not_after_s + REVOKE_KEPT_S &&
	       !blocks_any(w, r) && !may_come_back(w, r);
}

static void
sweep(struct works *w, int64_t now_s)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->revoked.len; i++) {
		struct revocation *r = &w->revoked.item[i];
		struct fault why = { 0 };

		if (is_over(w, r, now_s) &&
		    revocation_remove(w->set->config, r->id, &why) == RC_OK)
			continue;
		if (why.rc != RC_OK)
			log_fault(LEVEL_WARNING, "revocation_kept", &why);
		w->revoked.item[kept++] = *r;
	}
	w->revoked.len = kept;
}

int64_t
revoke_due(struct works *w, int64_t now_s)
{
	bool again = false, written;

	for (size_t i = 0; i < w->revoked.len; i++) {
		struct fault why = { 0 };

		if (enforce(w, &w->revoked.item[i], now_s, &why) == RC_OK)
			continue;
		log_fault(LEVEL_ERR, "revocation_unenforced", &why);
		again = true;
	}
	written = record_all(w, now_s);
	if (!w->clock_holds) /* what is over by it may not be */
		sweep(w, now_s);
	if (again)
		return now_s + REVOKE_RETRY_S;
	return now_s + (written ? REVOKE_SWEEP_S : REVOKE_RECORD_S);
}
