#include "agent/front/crl_ops.h"

#include "agent/front/crls_sweep.h"
#include "agent/front/revoke.h"
#include "agent/log.h"

#include <openssl/x509v3.h>

static struct crls_rules
rules_of(const struct works *w, int64_t now_s)
{
	return (struct crls_rules){
		.config = w->set->config, .issuers = w->set->crl_issuers, .now_s = now_s
	};
}

/* ---- one chain ------------------------------------------------------------------------------ */

struct hit {
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
	char serial[CERT_SERIAL_TEXT];	 /* of the leaf */
	char id[CREDENTIAL_FINGERPRINT]; /* likewise: two CAs may give one serial */
	unsigned reason;
	char text[CREDENTIAL_PROBLEM_MAX];
};

struct look {
	struct works *w;
	struct crls_rules rules;
	int64_t held_s; /* for an install: until then; 0: of what is in force */
	bool found;	/* what hit says */
	struct hit hit;
	struct fault unknown; /* RC_OK: the status of all certificates can be told */
};

/* NULL: an anchor stands as it is, whatever it names. */
static const struct cert *
signer_of(const struct look *l, const struct chain *chain, size_t i)
{
	return i + 1 < chain->len ? chain->cert[i + 1]
				  : chain_anchor(chain, l->w->set->anchors);
}

/* Those that are a CA's own, or of a hold, are no reason that a record of ours has. */
static unsigned
reason_of(int reason)
{
	return reason > 0 && revocation_reason_name((unsigned)reason) != NULL ? (unsigned)reason
									      : 0;
}

static void
take_hit(
    struct look *l, const struct chain *chain, size_t i, const struct crls_one *one, int reason)
{
	char text[CREDENTIAL_PROBLEM_MAX * 2];

	l->found = true;
	l->hit.reason = reason_of(reason);
	snprintf(l->hit.serial, sizeof l->hit.serial, "%s", chain->cert[0]->serial);
	if (i == 0)
		snprintf(
		    text, sizeof text, "the revocation list of %.80s has it", one->issuer_text);
	else
		snprintf(text, sizeof text, "the revocation list of %.50s has its CA %.50s",
		    one->issuer_text, chain->cert[i]->subject);
	credential_clip(text, l->hit.text);
}

static void
look_into(struct look *l, const struct chain *chain, size_t i, struct crls_one *one)
{
	struct crl_use use = { .issuer = one->issuer,
		.url = one->url,
		.indirect = one->signer == NULL,
		.of_ca = chain->cert[i]->is_ca };
	struct fault why = { 0 };
	int reason = CRL_REASON_NONE;

	if (one->crl != NULL && crl_covers(one->crl, &use, &why) != RC_OK) {
		one->unfit = true;
		l->unknown = why;
		return;
	}
	/* One that is too old says nothing of the others, but who is on it is revoked. */
	if (one->crl != NULL && crl_lists(one->crl, chain->cert[i], &reason))
		take_hit(l, chain, i, one, reason);
	else if (crls_usable(one, &l->rules, &why) != RC_OK)
		l->unknown = why;
}

/* It may be fetched before the next look finds who wants it, and soon, however it failed. */
static void
hold(const struct look *l, struct crls_one *one)
{
	int64_t soon_s = l->rules.now_s + CRL_AGAIN_S;

	one->held_s = l->held_s;
	pthread_mutex_lock(&l->w->crls->lock);
	one->wanted = true;
	if (one->failures > 0 && one->due_s > soon_s)
		one->due_s = soon_s;
	pthread_mutex_unlock(&l->w->crls->lock);
}

static enum rc
look_at_cert(struct look *l, const struct chain *chain, size_t i, struct fault *f)
{
	const struct cert *signer = signer_of(l, chain, i);
	AUTO_CRL_POINT point = { .named = CRL_NAMED_NONE };
	struct crls_one *one = NULL;

	if (signer == NULL || chain->cert[i]->crl_points == 0)
		return RC_OK;
	TRY(crl_point_read(chain->cert[i], &point, f));
	TRY(crls_want(l->w->crls,
	    &(struct crls_wish){ .point = &point, .cert = chain->cert[i], .signer = signer },
	    &l->rules, &one, f));
	one->marked = true;
	if (l->held_s != 0)
		hold(l, one);
	look_into(l, chain, i, one);
	return RC_OK;
}

/* A certificate that cannot be judged hides none of the others; f is of the first. */
static enum rc
look_at_chain(struct look *l, const struct chain *chain, struct fault *f)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < chain->len && !l->found; i++) {
		struct fault why = { 0 };

		if (look_at_cert(l, chain, i, &why) == RC_OK || rc != RC_OK)
			continue;
		rc = why.rc;
		*f = why;
	}
	return rc;
}

/* ---- what is to be put in force --------------------------------------------------------------- */

static enum rc
unknown(const struct look *l, struct fault *f)
{
	if (l->unknown.rc == RC_OK || !l->w->set->config->crl_refuse)
		return RC_OK;
	return FAULT(f, RC_BUSY, "crl_missing",
	    "whether it is revoked cannot be told (crl_unavailable = refuse): %s: %.100s",
	    l->unknown.reason, l->unknown.detail);
}

enum rc
crl_check(struct works *w, const struct chain *chain, int64_t now_s, struct fault *f)
{
	struct look l = { .w = w, .rules = rules_of(w, now_s), .held_s = now_s + CRL_HELD_S };
	struct fault why = { 0 };

	if (!w->set->config->crl_check)
		return RC_OK;
	if (look_at_chain(&l, chain, &why) != RC_OK) /* it cannot be told */
		l.unknown = why;
	if (l.found)
		return FAULT(
		    f, RC_DENIED, "revoked", "serial %s: %s", l.hit.serial, l.hit.text);
	return unknown(&l, f);
}

/* ---- what is in force ------------------------------------------------------------------------- */

struct hits {
	struct hit item[CRL_HITS_MAX];
	size_t len;
	size_t passed; /* that many of the first are left out */
	bool more;
	size_t unjudged;
	struct fault why; /* of the first of those */
};

static void
add_hit(struct hits *hits, const struct look *l, const struct credential *c)
{
	struct hit *at;

	if (hits->passed > 0) {
		hits->passed--;
		return;
	}
	if (hits->len == CRL_HITS_MAX) {
		hits->more = true;
		return;
	}
	at = &hits->item[hits->len++];
	*at = l->hit;
	snprintf(at->tenant, sizeof at->tenant, "%s", c->tenant);
	snprintf(at->name, sizeof at->name, "%s", c->name);
	memcpy(at->id, c->fingerprint, sizeof at->id);
}

static void
look_at(struct works *w, const struct credential *c, int64_t now_s, struct hits *hits)
{
	struct look l = { .w = w, .rules = rules_of(w, now_s) };
	struct fault why = { 0 };

	if (c == NULL || c->state != CREDENTIAL_READY || c->not_after_s < now_s)
		return;
	if (look_at_chain(&l, c->chain, &why) != RC_OK && hits->unjudged++ == 0)
		hits->why = why;
	if (l.found)
		add_hit(hits, &l, c);
}

static void
look_at_all(struct works *w, int64_t now_s, struct hits *hits)
{
	const struct credset *set = w->set;
	struct credset_place at = { 0 };

	for (; at.tenant < set->config->tenants; at.tenant++) {
		size_t n = set->config->tenant[at.tenant].credentials;

		for (at.credential = 0; at.credential < n; at.credential++) {
			look_at(w, credset_credential(set, at), now_s, hits);
			look_at(w, credset_before(set, at, now_s), now_s, hits);
		}
	}
}

static bool
put_away(struct works *w, const struct hit *hit, int64_t now_s)
{
	const struct revoke_ask ask = { .serial = hit->serial,
		.id = hit->id,
		.reason = hit->reason,
		.by_agent = true,
		.listed = hit->text };
	const struct revocation *r = NULL;
	struct fault why = { 0 };
	struct credset_place at;

	if (!credset_find(w->set, hit->tenant, hit->name, &at) ||
	    revoke_cert(w, at, &ask, now_s, &r, &why) == RC_OK || why.rc == RC_NOT_FOUND)
		return true;
	log_fault(LEVEL_ERR, "crl_unenforced", &why);
	return false;
}

/* ---- alarms ---------------------------------------------------------------------------------- */

static bool
is_alarming(const struct crls_one *one, const struct crls_rules *rules, struct fault *why)
{
	if (!one->wanted)
		return false;
	if (crls_usable(one, rules, why) == RC_OK) {
		(void)FAULT(why, RC_DENIED, "crl_scope",
		    "it does not speak of all kinds of certificates that name it");
		return one->unfit;
	}
	return one->crl != NULL || one->url[0] == 0 || one->detail[0] != 0 ||
	       rules->now_s - one->since_s > CRL_PATIENCE_S;
}

/* The alarm's beginning and its end, once each. */
static void
tell(struct works *w, struct crls_one *one, int64_t now_s)
{
	const struct crls_rules rules = rules_of(w, now_s);
	struct fault why = { 0 };
	bool alarming = is_alarming(one, &rules, &why);
	char detail[CRLS_DETAIL_MAX * 2];
	json_t *word;

	if (alarming == one->told || w->out.alarm == NULL)
		return;
	snprintf(detail, sizeof detail, "%.80s: %s", one->issuer_text,
	    one->detail[0] != 0 ? one->detail : why.detail);
	word = json_pack("{s:s, s:s%, s:s?}", "alarm", "crl_unavailable", "name", one->id,
	    (size_t)32, "problem", alarming ? detail : NULL);
	if (word == NULL)
		return; /* it is told the next time */
	w->out.alarm(w->out.arg, word);
	one->told = alarming;
}

/* Those that have no place in the table, or name what cannot be read. */
static void
tell_unjudged(struct works *w, const struct hits *hits)
{
	bool alarming = hits->unjudged > 0;
	char detail[CRLS_DETAIL_MAX * 2];
	json_t *word;

	if (alarming == w->crls->unjudged || w->out.alarm == NULL)
		return;
	snprintf(detail, sizeof detail, "%zu certificates are not judged: %s", hits->unjudged,
	    hits->why.detail);
	word = json_pack("{s:s, s:s, s:s?}", "alarm", "crl_unavailable", "name", "unjudged",
	    "problem", alarming ? detail : NULL);
	if (word == NULL)
		return;
	if (alarming)
		log_fault(LEVEL_WARNING, "crl_unjudged", &hits->why);
	w->out.alarm(w->out.arg, word);
	w->crls->unjudged = alarming;
}

/* ---- a look ---------------------------------------------------------------------------------- */

/* Whoever changed the configuration wants to see whether it helped. */
static void
ask_anew(struct crls *t)
{
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->len; i++) {
		if (t->one[i]->failures > 0)
			t->one[i]->due_s = 0;
		t->one[i]->failures = 0;
	}
	pthread_mutex_unlock(&t->lock);
}

/* Other certificates of indirect issuers: who has signed what is kept may be none any more. */
static void
verify_again(struct works *w, const struct crls_rules *rules)
{
	struct crls *t = w->crls;

	for (size_t i = 0; i < t->len; i++) {
		struct crls_one *one = t->one[i];
		struct fault why = { 0 };
		struct crl *gone;

		if (one->crl == NULL || crls_verify(one, one->crl, rules, &why) == RC_OK)
			continue;
		log_fault(LEVEL_WARNING, "crl_forgotten", &why);
		pthread_mutex_lock(&t->lock);
		gone = one->crl;
		one->crl = NULL;
		one->octets = 0;
		one->due_s = 0;
		pthread_mutex_unlock(&t->lock);
		crl_free(gone);
	}
	t->files = credset_files(w->set);
}

static void
begin(struct works *w, int64_t now_s)
{
	const struct crls_rules rules = rules_of(w, now_s);

	if (w->crls->files != credset_files(w->set)) {
		ask_anew(w->crls);
		verify_again(w, &rules);
	}
	for (size_t i = 0; i < w->crls->len; i++)
		w->crls->one[i]->marked = w->crls->one[i]->unfit = false;
}

static void
end(struct works *w, int64_t now_s)
{
	struct crls *t = w->crls;

	for (size_t i = 0; i < t->len; i++) {
		struct crls_one *one = t->one[i];
		struct fault why = { 0 };
		/* A clock that was set back must not hold anything for long. */
		bool held = one->held_s > now_s && one->held_s <= now_s + CRL_HELD_S;

		pthread_mutex_lock(&t->lock);
		one->wanted = one->marked || (held && w->set->config->crl_check);
		if (one->since_s > now_s)
			one->since_s = now_s;
		pthread_mutex_unlock(&t->lock);
		if (one->dirty && crls_write(w->set->config, one, &why) != RC_OK)
			log_fault(LEVEL_WARNING, "crl_file", &why);
		tell(w, one, now_s);
	}
	if (!w->clock_holds) /* what is over by it may not be */
		crls_drop(t, w->set->config, now_s);
}

/* Behind the look, which says what is named; what is over by a clock in doubt may not be. */
static void
sweep(struct works *w, int64_t now_s)
{
	struct crls *t = w->crls;
	bool due = t->sweep_at_s <= now_s || t->sweep_at_s > now_s + CRLS_SWEEP_S;

	if (t->sweep_at_s == 0) { /* nor does a start */
		t->sweep_at_s = now_s + CRL_LOOK_S;
		return;
	}
	if (w->clock_holds || (!due && t->left < CRLS_LEFT_MAX))
		return;
	t->left = 0;
	t->sweep_at_s = crls_sweep(t, w->set->config, now_s) ? now_s + CRLS_SWEEP_S : now_s;
}

int64_t
crl_look(struct works *w, int64_t now_s)
{
	struct hits hits = { .len = 0 };
	size_t passed = w->crls->passed, failed = 0;

	hits.passed = passed;
	if (w->set == NULL || works_is_loading(w))
		return now_s + 1;
	begin(w, now_s);
	if (w->set->config->crl_check)
		look_at_all(w, now_s, &hits);
	end(w, now_s);
	tell_unjudged(w, &hits);
	for (size_t i = 0; i < hits.len; i++)
		failed += !put_away(w, &hits.item[i], now_s);
	sweep(w, now_s); /* what is listed does not wait for the disk */
	/* Behind those that failed, and with the first again when that was the last. */
	w->crls->passed = hits.more ? passed + failed : 0;
	if (failed > 0 || (passed > 0 && !hits.more))
		return now_s + REVOKE_RETRY_S;
	return hits.more ? now_s : now_s + CRL_LOOK_S;
}

/* ---- fetching -------------------------------------------------------------------------------- */

/* Half of what is left of it, and no less often than crl_refresh_s. */
static int64_t
next_s(const struct works *w, const struct crls_one *one, int64_t now_s)
{
	int64_t half_s = (one->crl->next_update_s - now_s) / 2;
	int64_t most_s = (int64_t)w->set->config->crl_refresh_s;

	if (half_s > most_s)
		half_s = most_s;
	return now_s + (half_s > CRL_LEAST_S ? half_s : CRL_LEAST_S);
}

/* The longer it fails the less often, so that others have their turn. */
static int64_t
again_s(const struct works *w, struct crls_one *one, int64_t now_s)
{
	int64_t most_s = (int64_t)w->set->config->crl_refresh_s;
	int64_t wait_s = (int64_t)CRL_AGAIN_S << one->failures;

	if (wait_s < CRL_AGAIN_MAX_S)
		one->failures++;
	else
		wait_s = CRL_AGAIN_MAX_S;
	return now_s + (most_s < wait_s ? most_s : wait_s);
}

static enum rc
fails(struct works *w, struct crls_one *one, const char *detail, int64_t now_s)
{
	bool news = strcmp(one->detail, detail) != 0;

	crls_note(w->crls, one, detail, again_s(w, one, now_s));
	if (news)
		log_event(LEVEL_WARNING, "crl_failed", "crl=%.16s url=\"%.100s\" detail=\"%s\"",
		    one->id, one->url, one->detail);
	tell(w, one, now_s); /* without a look: nothing is listed that was not */
	return RC_OK;
}

static enum rc
came(struct op_call *call, const struct document *d, const struct document_come *come,
    struct fault *f)
{
	struct works *w = call->w;
	const struct crls_rules rules = rules_of(w, call->now_s);
	struct crls_one *one = crls_find(w->crls, d->crl);
	struct fault why = { 0 };

	if (one == NULL || !one->wanted)
		return REFUSE(f, RC_NOT_FOUND, NOT_FOUND, NULL, "that list is not wanted");
	one->busy_s = 0;
	if (come->status != 200)
		return fails(w, one, come->problem, call->now_s);
	if (crls_take(w->crls, one, come->octets, &rules, &why) != RC_OK) {
		(void)fails(w, one, why.detail, call->now_s);
		return FAULT(f, why.rc, why.reason, "%s", why.detail);
	}
	crls_note(w->crls, one, "", next_s(w, one, call->now_s));
	w->crl_at_s = 0; /* judged with the next chores: at once */
	return RC_OK;
}

static bool
is_due(const struct works *w, const struct crls_one *one, int64_t now_s)
{
	int64_t most_s = (int64_t)w->set->config->crl_refresh_s;

	if (!one->wanted || one->url[0] == 0)
		return false;
	/* A clock that was set back must not put anything off for long. */
	if (one->busy_s > now_s && one->busy_s <= now_s + DOCUMENT_LEASE_S)
		return false;
	return one->due_s <= now_s || one->due_s > now_s + most_s;
}

static enum rc
ask(struct op_call *call, struct crls_one *one, struct document *d, json_t *list,
    struct fault *f)
{
	d->tls_ca = "crl_tls_ca";
	d->come = came;
	d->max = CRL_MAX_DER;
	memcpy(d->crl, one->id, sizeof d->crl);
	snprintf(d->url, sizeof d->url, "%s", one->url);
	one->busy_s = call->now_s + DOCUMENT_LEASE_S;
	return documents_ask(call->w->documents, d, list, call->now_s, f);
}

enum rc
crl_ask(struct op_call *call, json_t *list, struct fault *f)
{
	struct crls *t = call->w->crls;
	size_t asked = 0;

	/* In turn: what is due again and again does not go before what is due at all. */
	for (size_t n = t->len; n > 0 && asked < CRL_ASK_MAX; n--) {
		struct crls_one *one = t->one[t->next % t->len];
		struct document *d = documents_place(call->w->documents, call->now_s);

		if (d == NULL)
			return RC_OK;
		t->next = (t->next + 1) % t->len;
		if (!is_due(call->w, one, call->now_s))
			continue;
		TRY(ask(call, one, d, list, f));
		asked++;
	}
	return RC_OK;
}
