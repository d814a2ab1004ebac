#include "agent/front/install.h"

#include <stdio.h>

#include "agent/front/caurl.h"
#include "agent/front/crl_ops.h"
#include "agent/front/history.h"
#include "agent/front/judge.h"
#include "agent/front/lint.h"
#include "agent/front/load.h"
#include "agent/front/narrow.h"
#include "agent/front/ordered.h"
#include "agent/front/pending.h"
#include "agent/front/publish.h"
#include "agent/front/refused.h"
#include "agent/front/retire.h"
#include "agent/front/series.h"
#include "agent/front/store.h"
#include "agent/front/want.h"
#include "agent/log.h"
#include "stir/digest.h"

enum { INSTALL_MODE = 0600, REFUSED_NAME_MAX = 96 };

struct install {
	struct works *w;
	struct credset_place at;
	const struct config_tenant *tenant;
	const struct config_credential *config;
	const struct credential *present; /* in the set, READY or not */
	struct span pem;
	const char *x5u;	     /* of the order; NULL: none */
	const char *order;	     /* of a series; NULL: none */
	const struct series *series; /* that runs, and whose request it is for; NULL: none */
	int64_t now_s;
};

static bool
worth_another_try(enum rc rc)
{
	return rc == RC_HSM || rc == RC_TIMEOUT || rc == RC_BUSY || rc == RC_IO ||
	       rc == RC_NO_MEMORY;
}

/* ---- checks ---- */

/* D-44: never in force before notBefore; a minute is waited for. */
static enum rc
check_begin(
    const struct install *in, const struct chain *chain, int64_t *again_s, struct fault *f)
{
	int64_t from_s = 0, to_s = 0;

	chain_validity(chain, &from_s, &to_s);
	if (from_s <= in->now_s)
		return RC_OK;
	if (from_s - in->now_s > INSTALL_WAIT_S)
		return FAULT(f, RC_DENIED, "not_before", "valid only in %lld s",
		    (long long)(from_s - in->now_s));
	*again_s = from_s;
	return FAULT(
	    f, RC_BUSY, "not_yet_valid", "valid in %lld s", (long long)(from_s - in->now_s));
}

static bool
is_for(const struct cert *c, const struct pending *p)
{
	return c->p256 && memcmp(c->point, p->facts.point, P256_POINT_LEN) == 0;
}

static enum rc
check_key(const struct chain *chain, const struct pending *p, struct fault *f)
{
	if (is_for(chain->cert[0], p))
		return RC_OK;
	/* RFC 8555 section 9.1: the certificate that was asked for comes first. */
	for (size_t i = 1; i < chain->len; i++) {
		if (is_for(chain->cert[i], p))
			return FAULT(f, RC_DENIED, "chain_order",
			    "the certificate of the request is not the first");
	}
	return FAULT(f, RC_DENIED, "key_mismatch", "not the key of the request");
}

/* Exactly what was asked for: the key, the numbers, the constraints. */
static enum rc
check_request(const struct chain *chain, const struct pending *p, struct fault *f)
{
	const struct cert *leaf = chain->cert[0];

	TRY(check_key(chain, p, f));
	/* A CA may answer with a reference: it counts only beside what is configured (D-46). */
	if (!(leaf->tnauth == NULL && leaf->tnauth_by_reference) &&
	    !span_eq(leaf->tnauth_der, buf_view(&p->facts.tnauth_der)))
		return FAULT(
		    f, RC_DENIED, "tnauthlist_differs", "not the TNAuthList of the request");
	/* RFC 9118 section 8: neither wider nor of another form */
	if (!span_eq(leaf->constraints_der, buf_view(&p->facts.constraints_der)) ||
	    (leaf->constraints != NULL && leaf->constraints->form != p->facts.form))
		return FAULT(
		    f, RC_DENIED, "constraints_differ", "not the constraints of the request");
	return RC_OK;
}

/* One file, one chain: the present certificate's own may be written over, and no other. */
static bool
is_anothers(const struct install *in)
{
	const struct credset *set = in->w->set;
	const struct credential *before = credset_before(set, in->at, in->now_s);
	const struct chain *there = credset_chain(set, span_str(in->x5u));

	return there != NULL && there != in->present->chain &&
	       (before == NULL || there != before->chain);
}

/* Who names the file is the operator's decision. */
static enum rc
check_x5u(const struct install *in, struct fault *f)
{
	if (in->config->x5u_from_order && in->x5u == NULL)
		return FAULT(f, RC_DENIED, "x5u_missing", "the CA's order named no x5u");
	if (!in->config->x5u_from_order && in->x5u != NULL)
		return FAULT(f, RC_DENIED, "x5u_not_wanted", "x5u is not the CA's to name");
	if (in->x5u != NULL && is_anothers(in))
		return FAULT(f, RC_DENIED, "x5u_taken",
		    "the x5u of the CA's order is another certificate's");
	return RC_OK;
}

/* The configuration may have changed since the request was made. */
static enum rc
check_config(
    const struct install *in, const struct cert *leaf, bool *as_configured, struct fault *f)
{
	const struct constraints *asked = in->config->constraints, *have = leaf->constraints;
	AUTO_WANT want = WANT_INIT;

	if (asked != NULL && (have == NULL || have->form != asked->form))
		return FAULT(f, RC_DENIED, "constraints_wider", "not what is configured now");
	if (asked != NULL)
		TRY(constraints_within(have, asked, f));
	*as_configured = false;
	if (in->present->state == CREDENTIAL_READY &&
	    narrow_want(in->w->set, in->at, in->now_s, &want, NULL) == RC_OK)
		*as_configured = want_met(&want, in->config, in->present->chain->cert[0]);
	return RC_OK;
}

/* What an operator or a command brings was ordered elsewhere. */
static enum rc
check_ordered(const struct install *in, const struct cert *leaf, struct fault *f)
{
	const struct config *c = in->w->set->config;
	struct ordered o = { 0 };

	if (in->series != NULL)
		return ordered_check(&in->series->asked, leaf, f);
	if (config_issuer(c, in->config) != ISSUER_ACME)
		return RC_OK;
	TRY(ordered_read(c, in->tenant->name, in->config->name, &o, f));
	return ordered_check(&o, leaf, f);
}

static enum rc
check_not_narrower(const struct install *in, const struct credential *made, struct fault *f)
{
	AUTO(tnset) *after = NULL;
	bool loses = false;

	TRY(credential_numbers(made, &after, f));
	TRY(narrow_loses(in->w->set, in->at, in->present, after, in->now_s, &loses, f));
	if (loses)
		return FAULT(
		    f, RC_DENIED, "narrower", "numbers that are in force now are not in it");
	return RC_OK;
}

static enum rc
check_present(const struct install *in, const struct credential *made, struct fault *f)
{
	const struct cert *leaf = made->chain->cert[0];
	bool as_configured = false;
	const struct cert *before;

	TRY(check_config(in, leaf, &as_configured, f));
	if (in->present->state != CREDENTIAL_READY)
		return RC_OK;
	before = in->present->chain->cert[0];
	if (strcmp(before->serial, leaf->serial) == 0 &&
	    strcmp(before->issuer, leaf->issuer) == 0)
		return FAULT(f, RC_DENIED, "serial_repeated", "the serial of the present one");
	/*
	 * One that ends earlier is no renewal; where the present one is not
	 * what the configuration asks for, it is the change that counts.
	 */
	if (as_configured && leaf->not_after_s <= before->not_after_s)
		return FAULT(
		    f, RC_DENIED, "not_later", "it does not end after the present one");
	return check_not_narrower(in, made, f);
}

/* Its list by reference is fetched for the next try (D-46). */
static enum rc
ask_for_list(const struct install *in, const char *wanted, struct fault *f)
{
	struct credential *present = credset_credential(in->w->set, in->at);
	struct fault why = { 0 };

	if (wanted != NULL && credential_want_list(present, wanted, 0, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "tnlist_unasked", &why);
	return f->rc;
}

static enum rc
check(const struct install *in, const struct pending *p, int64_t *again_s,
    struct credential **out, struct fault *f)
{
	AUTO_FREE char *wanted = NULL;
	struct judge j = { .set = in->w->set,
		.accounts = &in->w->accounts,
		.at = in->at,
		.now_s = in->now_s,
		.strict_time = true,
		.x5u = in->x5u,
		.wanted = &wanted };
	AUTO(chain) *chain = NULL;
	AUTO_CREDENTIAL *c = NULL;

	TRY(works_token_of(in->w, in->config, p->facts.key_id, &j.token, f));
	TRY(chain_read_pem(in->pem, in->config->allow_range_to_all_nines, &chain, f));
	TRY(check_request(chain, p, f));
	TRY(check_x5u(in, f));
	TRY(check_begin(in, chain, again_s, f));
	if (judge_chain(&j, in->pem, &c, f) != RC_OK)
		return ask_for_list(in, wanted, f);
	TRY(crl_check(in->w, c->chain, in->now_s, f));
	TRY(check_ordered(in, c->chain->cert[0], f));
	TRY(check_present(in, c, f));
	TRY(pending_prove(in->w, in->at, p, f));
	*out = TAKE(c);
	return RC_OK;
}

/* ---- putting it in force ---- */

/* The keys of what is in force and of what lies on disk, which may be two. */
static enum rc
retire_old(const struct install *in, const struct buf *old_pem, const struct credential *made,
    struct fault *f)
{
	const struct credential *c = in->present;
	AUTO(chain) *chain = NULL;
	int64_t at_s = in->now_s + RETIRE_OVERLAP_S;

	if (c->state == CREDENTIAL_READY && memcmp(c->key_id, made->key_id, KEY_ID_LEN) != 0)
		TRY(retire_note(in->w, c->key_id, in->at, at_s, f));
	if (chain_read_pem(buf_view(old_pem), true, &chain, NULL) != RC_OK)
		return RC_OK;
	if (chain->cert[0]->p256 &&
	    memcmp(chain->cert[0]->key_id, made->key_id, KEY_ID_LEN) != 0)
		TRY(retire_note(in->w, chain->cert[0]->key_id, in->at, at_s, f));
	return RC_OK;
}

/*
 * The set was not put in force, so the signers may not have the new key.  The
 * old file goes back: a restart must come up with the credential that works,
 * not with one that was never seen to.  The request stays outstanding, so the
 * same certificate can be installed again.
 */
static void
roll_back(const char *path, const struct buf *old_pem)
{
	struct fault why = { 0 };
	enum rc rc = old_pem->len > 0 ? store_write(path, buf_view(old_pem), INSTALL_MODE, &why)
				      : store_remove(path, &why);

	if (rc != RC_OK)
		log_fault(LEVEL_ERR, "install_roll_back", &why);
}

/* Of a certificate before this one; what a crash leaves goes with the next install. */
static void
sweep_lists(const struct install *in)
{
	const struct credential *c = credset_credential(in->w->set, in->at);
	const struct tnlist_of of = { in->w->set->config, in->tenant->name, in->config->name,
		in->config };

	tnlist_sweep(&of, c->list != NULL ? c->list->url : NULL);
}

struct oldest {
	const char *dir, *prefix;
	struct store_path path;
	int64_t at_s;
	size_t kept;
};

static enum rc
find_oldest(void *arg, const char *name, struct fault *f)
{
	struct oldest *o = arg;
	struct store_path path = { 0 };
	int64_t at_s;

	if (strncmp(name, o->prefix, strlen(o->prefix)) != 0)
		return RC_OK;
	TRY(store_path(&path, f, "%s/%s", o->dir, name));
	at_s = store_mtime(path.text);
	if (o->kept++ == 0 || at_s < o->at_s) {
		o->path = path;
		o->at_s = at_s;
	}
	return RC_OK;
}

/* Besides the last few whose names begin so. */
static enum rc
keep_chain(
    const char *dir, const char *prefix, const char *path, struct span pem, struct fault *f)
{
	struct oldest o = { .dir = dir, .prefix = prefix };

	TRY(store_each(dir, find_oldest, &o, f));
	if (o.kept >= INSTALL_REFUSED_KEPT)
		TRY(store_remove(o.path.text, f));
	return store_write(path, pem, INSTALL_MODE, f);
}

/* For as long as it is valid an operator may want it revoked (revoke.h). */
static enum rc
keep_before(const struct install *in, const struct buf *old_pem, struct fault *f)
{
	AUTO(chain) *chain = NULL;
	struct store_path dir = { 0 }, path = { 0 };

	if (chain_read_pem(buf_view(old_pem), true, &chain, NULL) != RC_OK ||
	    chain->cert[0]->not_after_s < in->now_s)
		return RC_OK;
	TRY(store_path(&dir, f, "%s/front/tenants/%s/%s", in->w->set->config->state_dir,
	    in->tenant->name, in->config->name));
	TRY(store_path(&path, f, "%s/before-%s.pem", dir.text, chain->cert[0]->serial));
	return keep_chain(dir.text, "before-", path.text, buf_view(old_pem), f);
}

/* A few, for what was in force before is known by its own. */
static enum rc
keep_x5u(const struct install *in, const struct credential *made, struct fault *f)
{
	const struct config *c = in->w->set->config;
	struct store_path dir = { 0 }, path = { 0 };

	if (in->x5u == NULL)
		return RC_OK;
	TRY(store_path(&dir, f, "%s/front/tenants/%s/%s", c->state_dir, in->tenant->name,
	    in->config->name));
	TRY(caurl_path(c, in->tenant->name, in->config->name, made->fingerprint, &path, f));
	return keep_chain(dir.text, CAURL_PREFIX, path.text, span_str(in->x5u), f);
}

/* What was in force without being noted, then what is from now on. */
static void
note_history(const struct install *in, struct history *h)
{
	struct fault why = { 0 };

	history_add(h, credset_credential(in->w->set, in->at), in->now_s);
	if (history_write(in->w->set->config, in->tenant->name, in->config->name, h, &why) !=
	    RC_OK)
		log_fault(LEVEL_WARNING, "history", &why);
}

static void
read_history(const struct install *in, struct history *h)
{
	struct fault why = { 0 };

	if (history_read(in->w->set->config, in->tenant->name, in->config->name, h, &why) !=
	    RC_OK)
		log_fault(LEVEL_WARNING, "history", &why); /* it begins anew */
	history_add(h, in->present, in->present->installed_at_s);
}

/*
 * The order, and what a crash after each step leaves:
 *	before-….pem	old in force; the file goes with time
 *	x5u file	old in force; a file that nothing refers to, swept later
 *	x5u-…		the same, where the CA publishes
 *	retiring note	old in force; the note is dropped when it is due
 *	current.pem	new in force at start; load.c removes pending.csr
 *	set published	the same
 *	history.json	the same; what is missing there is added the next time
 *	star.csr	of a series: the same; series.c takes it over at start
 *	pending.csr	done; what was ordered goes with the next order
 *	ordered.json	done
 */
static enum rc
put_in_force(
    const struct install *in, const struct pending *p, struct credential *c, struct fault *f)
{
	AUTO_CREDENTIAL *made = c;
	const struct config *config = in->w->set->config;
	struct store_path path = { 0 };
	AUTO_BUF old_pem = BUF_INIT(CHAIN_MAX_BYTES);
	struct history h = { .len = 0 };
	struct fault why = { 0 };
	enum rc rc;

	TRY(load_path(config, in->tenant->name, in->config->name, &path, f));
	rc = store_read(path.text, CHAIN_MAX_BYTES, &old_pem, &why);
	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	TRY(keep_before(in, &old_pem, f));
	read_history(in, &h);
	TRY(publish_chain(config, in->config, made, f));
	TRY(keep_x5u(in, made, f));
	TRY(retire_old(in, &old_pem, made, f));
	made->installed_at_s = in->now_s;
	rc = store_write(path.text, in->pem, INSTALL_MODE, f); /* may be there and fail */
	if (rc == RC_OK)
		rc = works_put(in->w, in->at, TAKE(made), f);
	if (rc != RC_OK) {
		roll_back(path.text, &old_pem);
		return rc;
	}
	sweep_lists(in);
	note_history(in, &h);
	series_installed(in->w, in->at, in->order, p);
	if (in->series != NULL) /* what else is outstanding stays */
		return RC_OK;
	if (pending_remove(config, in->tenant->name, in->config->name, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "install_unfinished", &why); /* load.c tries again */
	else if (ordered_remove(config, in->tenant->name, in->config->name, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "install_unfinished", &why);
	return RC_OK;
}

/* ---- refusing it ---- */

static void
refused_name(const struct install *in, char out[REFUSED_NAME_MAX])
{
	AUTO(chain) *chain = NULL;
	uint8_t digest[32] = { 0 };

	if (chain_read_pem(in->pem, true, &chain, NULL) == RC_OK) {
		snprintf(
		    out, REFUSED_NAME_MAX, REFUSED_PREFIX "%s.pem", chain->cert[0]->serial);
		return;
	}
	(void)!digest_sha256(in->pem, digest, NULL);
	snprintf(out, REFUSED_NAME_MAX, REFUSED_PREFIX "x%02x%02x%02x%02x.pem", digest[0],
	    digest[1], digest[2], digest[3]);
}

struct refused {
	struct store_path dir, path;
};

static enum rc
refused_place(const struct install *in, struct refused *out, struct fault *f)
{
	char name[REFUSED_NAME_MAX];

	refused_name(in, name);
	TRY(store_path(&out->dir, f, "%s/front/tenants/%s/%s", in->w->set->config->state_dir,
	    in->tenant->name, in->config->name));
	return store_path(&out->path, f, "%s/%s", out->dir.text, name);
}

static bool
is_kept(const struct install *in, const struct refused *at)
{
	AUTO_BUF same = BUF_INIT(CHAIN_MAX_BYTES);

	return store_read(at->path.text, CHAIN_MAX_BYTES, &same, NULL) == RC_OK &&
	       span_eq(buf_view(&same), in->pem);
}

static enum rc
keep_refused(const struct install *in, const struct refused *at, struct fault *f)
{
	if (in->pem.len > CHAIN_MAX_BYTES)
		return RC_OK;
	return keep_chain(at->dir.text, REFUSED_PREFIX, at->path.text, in->pem, f);
}

static void
say_refused(const struct install *in, const struct fault *why, unsigned unsaid)
{
	json_t *more = json_pack("{s:s, s:s}", "reason", why->reason, "detail", why->detail);

	if (more != NULL && unsaid > 0)
		(void)json_object_set_new(more, "unrecorded", json_integer(unsaid));
	log_event(LEVEL_WARNING, "install_refused",
	    "tenant=%s credential=%s reason=%s unrecorded=%u detail=\"%s\"", in->tenant->name,
	    in->config->name, why->reason, unsaid, why->detail);
	works_audit(in->w, "install_refused", in->tenant->name, in->config->name, more);
}

static void
refuse(const struct install *in, const struct fault *why)
{
	struct refused at = { 0 };
	struct fault io = { 0 };
	unsigned unsaid = 0;
	enum rc rc = refused_place(in, &at, &io);

	if (rc == RC_OK && is_kept(in, &at)) { /* the same one again is no news */
		if (refused_since_s(in->w->set->config, in->tenant->name, in->config->name) ==
			0 &&
		    keep_refused(in, &at, &io) != RC_OK) /* but is after another was good */
			log_fault(LEVEL_WARNING, "install_refused_file", &io);
		return;
	}
	if (!allow_refusal(
		&in->w->allow, in->tenant->name, in->config->name, in->now_s, &unsaid))
		return;
	if (rc == RC_OK)
		rc = keep_refused(in, &at, &io);
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "install_refused_file", &io);
	say_refused(in, why, unsaid);
}

static void
record(const struct install *in, const struct credential *c)
{
	const struct cert *leaf = c->chain->cert[0];
	char key[2 * KEY_ID_LEN + 1];

	works_hex(c->key_id, KEY_ID_LEN, key);
	lint_log(c);
	log_event(LEVEL_NOTICE, "installed", "tenant=%s credential=%s serial=%s not_after=%lld",
	    in->tenant->name, in->config->name, leaf->serial, (long long)c->not_after_s);
	works_audit(in->w, "install", in->tenant->name, in->config->name,
	    json_pack("{s:s, s:I, s:I, s:s}", "serial", leaf->serial, "not_before",
		(json_int_t)c->not_before_s, "not_after", (json_int_t)c->not_after_s, "key",
		key));
}

/* The token has lost the key, or will not use it: the request can come to nothing. */
static void
drop_request(const struct install *in, const struct pending *p, const struct fault *f)
{
	struct fault why = { 0 };
	enum rc rc;

	if (strcmp(f->reason, "no_key") != 0 && strcmp(f->reason, "key_refused") != 0)
		return;
	rc = retire_note(in->w, p->facts.key_id, in->at, in->now_s, &why);
	if (rc == RC_OK)
		rc = pending_remove(
		    in->w->set->config, in->tenant->name, in->config->name, &why);
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "install_drop_request", &why);
}

static enum rc
install(struct install *in, int64_t *again_s, struct fault *f)
{
	AUTO_PENDING p = { 0 };
	struct credential *made = NULL;
	struct fault why = { 0 };
	enum rc rc;

	/* Only for an outstanding request: nothing is refused where none is. */
	rc = series_request(in->w, in->at, in->order, in->now_s, &p, &in->series, &why);
	if (rc == RC_NOT_FOUND)
		TRY(pending_read(
		    in->w->set->config, in->tenant->name, in->config->name, &p, f));
	else if (rc != RC_OK)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	rc = check(in, &p, again_s, &made, f);
	if (rc == RC_OK)
		rc = put_in_force(in, &p, made, f);
	if (rc != RC_OK && in->series == NULL)
		drop_request(in, &p, f);
	return rc;
}

enum rc
install_chain(struct works *w, struct credset_place at, const struct install_offer *offer,
    int64_t now_s, int64_t *again_s, const struct credential **out, struct fault *f)
{
	struct credential *present = credset_credential(w->set, at);
	struct install in = {
		.w = w,
		.at = at,
		.tenant = &w->set->config->tenant[at.tenant],
		.config = credset_config(w->set, at),
		.present = present,
		.pem = offer->pem,
		.x5u = offer->x5u,
		.order = offer->order,
		.now_s = now_s,
	};
	struct fault why = { 0 };
	enum rc rc = install(&in, again_s, &why);

	if (rc != RC_OK) {
		if (!worth_another_try(rc) && strcmp(why.reason, "no_pending_csr") != 0) {
			if (atomic_load(&present->refused_at_s) == 0)
				atomic_store(&present->refused_at_s, now_s);
			refuse(&in, &why);
			if (in.order != NULL)
				series_dropped(w, at, in.order);
		}
		return FAULT(f, rc, why.reason, "%s", why.detail);
	}
	*out = credset_credential(w->set, at);
	allow_key_back(&w->allow, in.tenant->name, in.config->name);
	record(&in, *out);
	return RC_OK;
}
