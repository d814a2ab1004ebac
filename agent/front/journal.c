#include "agent/front/journal.h"

#include <inttypes.h>
#include <string.h>

#include "agent/front/jw.h"
#include "agent/log.h"
#include "stir/jtext.h"

enum { TALLY_MS = 1000, RECORD_MAX = 32768 };

enum reason
journal_reason(const char *token)
{
	for (unsigned i = 0; i < REASON__COUNT; i++) {
		if (strcmp(token, reason_token((enum reason)i)) == 0)
			return (enum reason)i;
	}
	return REASON_INTERNAL;
}

void
journal_count(struct desk *d, const struct fault *why)
{
	d->uncounted[journal_reason(why->reason)]++;
}

/* ---- what is only counted ---- */

/* What was refused before a tenant was known or by a rate: one record a second. */
static void
write_tally(struct desk *d)
{
	AUTO_BUF members = BUF_INIT(4096);
	uint64_t total = 0, seq;

	jw_open(&members, "reasons", '{');
	for (unsigned i = 0; i < REASON__COUNT; i++) {
		if (d->uncounted[i] == 0)
			continue;
		jw_uint(&members, reason_token((enum reason)i), d->uncounted[i]);
		total += d->uncounted[i];
	}
	jw_close(&members, '}');
	if (total == 0)
		return;
	jw_uint(&members, "count", total);
	if (audit_append(d->audit, "refused_unknown", NULL, NULL, NULL, buf_view(&members),
		&seq, NULL) == RC_OK)
		memset(d->uncounted, 0, sizeof d->uncounted);
}

/* A line a second, however many there were; which they were is in the trail. */
static void
log_observed(struct desk *d)
{
	for (unsigned i = 0; i < OBSERVE__COUNT; i++) {
		uint64_t n = d->stats.observed[i] - d->told[i];

		if (n > 0)
			log_event(LEVEL_NOTICE, "observed", "rule=%s would_refuse=%" PRIu64,
			    config_observe_name((enum observe_rule)i), n);
		d->told[i] = d->stats.observed[i];
	}
}

static void
tally(void *arg)
{
	struct desk *d = arg;

	write_tally(d);
	log_observed(d);
	d->unnamed = 0;
	loop_arm(d->loop, &d->tally, loop_now_ms(d->loop) + TALLY_MS);
}

void
journal_open(struct desk *d)
{
	d->tally = (struct loop_timer){ .fire = tally, .arg = d };
	loop_arm(d->loop, &d->tally, loop_now_ms(d->loop) + TALLY_MS);
}

void
journal_close(struct desk *d)
{
	loop_disarm(d->loop, &d->tally);
	write_tally(d);
}

/* ---- one by one ---- */

static void
put_context(struct buf *out, const json_t *context)
{
	AUTO_BUF text = BUF_INIT(JOURNAL_CONTEXT_MAX);

	if (context != NULL && jtext_write(&text, context, NULL) == RC_OK)
		jw_raw(out, "context", buf_view(&text));
}

static void
put_letter(struct buf *out, const char *name, char letter)
{
	const char text[2] = { letter, 0 };

	jw_str(out, name, letter != 0 ? text : NULL);
}

/* What was asked for, what was granted, and by which rule of the tenant. */
static void
put_attest(struct buf *out, const struct attest_verdict *v)
{
	if (v->asked == 0)
		return;
	jw_open(out, "attest", '{');
	put_letter(out, "asked", v->asked);
	put_letter(out, "granted", v->granted);
	jw_str(out, "rule", v->rule);
	jw_close(out, '}');
}

/* What was let pass, as it would have been refused. */
static void
put_observed(struct buf *out, const struct decision *d)
{
	if (d->observeds == 0)
		return;
	jw_open(out, "observed", '[');
	for (size_t i = 0; i < d->observeds; i++) {
		const struct observation *o = &d->observed[i];

		jw_open(out, NULL, '{');
		jw_str(out, "rule", config_observe_name(o->rule));
		jw_str(out, "reason", o->why.reason);
		jw_str(out, "claim", o->why.claim[0] != 0 ? o->why.claim : NULL);
		jw_str(out, "detail", o->why.detail);
		jw_close(out, '}');
	}
	jw_close(out, ']');
}

/* What the caller named itself, and by which door it came where that says more than its user. */
static void
put_asked(struct buf *out, const struct sign_request *r, const struct caller *who)
{
	if (r->tenant != NULL || r->credential != NULL) {
		jw_open(out, "asked", '{');
		if (r->tenant != NULL)
			jw_str(out, "tenant", r->tenant);
		if (r->credential != NULL)
			jw_str(out, "credential", r->credential);
		jw_close(out, '}');
	}
	if (who->door.tenant != NULL) {
		jw_open(out, "door", '{');
		jw_str(out, "tenant", who->door.tenant);
		jw_bool(out, "auth_socket", who->door.auth_socket);
		jw_close(out, '}');
	}
	if (r->needs_identity)
		jw_bool(out, "needs_identity", true);
	if (r->delegate_passport.len > 0)
		jw_bool(out, "delegate", true);
	if (r->befores > 0)
		jw_uint(out, "after", r->befores);
}

static const struct constraints *
constraints_of(const struct credential *c)
{
	return c->state == CREDENTIAL_READY ? gate_constraints(c->gate) : NULL;
}

static bool
keeps_private(const struct constraints *k)
{
	for (size_t n = 0; k != NULL && n < k->permitteds; n++) {
		if (strchr(k->permitted[n].claim, '#') != NULL)
			return true;
	}
	return false;
}

/* A certificate that is not at hand may keep anything private, whatever is configured now. */
static bool
may_keep_private(const struct credential *c, const struct config_credential *cc)
{
	const struct constraints *k = constraints_of(c);

	if (c->state == CREDENTIAL_LOADING || c->state == CREDENTIAL_REVOKED)
		return true;
	return k != NULL ? keeps_private(k) : cc->constraints != NULL || cc->salts.text != NULL;
}

/* Some certificate of the tenant's keeps values from being seen (V-51): so does the trail. */
static bool
has_private_claims(const struct credset *set, const struct config_tenant *t)
{
	const struct credset_tenant *all = &set->tenant[t - set->config->tenant];

	for (size_t i = 0; i < t->credentials; i++) {
		const struct credential *before = set->before[all->credential - set->slot + i];

		if (may_keep_private(all->credential[i], &t->credential[i]) ||
		    (before != NULL && keeps_private(constraints_of(before))))
			return true;
	}
	return false;
}

/* What "vesper replay" judges again; text: the claims where they were written already. */
static void
put_claims(struct buf *out, const struct decision *d, struct span text)
{
	AUTO_BUF own = BUF_INIT(JOURNAL_CLAIMS_MAX);

	if (!d->prepared || d->tenant == NULL || d->presumed ||
	    has_private_claims(d->set, d->tenant))
		return; /* another candidate may keep them private */
	if (text.len == 0 && jtext_write(&own, d->passport.claims, NULL) == RC_OK)
		text = buf_view(&own);
	if (text.len > 0 && text.len <= JOURNAL_CLAIMS_MAX)
		jw_raw(out, "claims", text);
}

/* Who asked, and for which call; whole numbers are the audit's business. */
static void
put_request(struct buf *out, const struct sign_request *r, const struct caller *who,
    const struct decision *d, struct span claims)
{
	jw_str(out, "ppt", ppt_text(r->ppt));
	if (d->tenant != NULL && d->tenant->entity_id != NULL) /* D-63 */
		jw_str(out, "entity", d->tenant->entity_id);
	jw_uint(out, "uid", who->uid);
	jw_uint(out, "gid", who->gid);
	jw_int(out, "pid", who->pid);
	if (d->prepared) {
		jw_str(out, "orig",
		    d->passport.orig_uri != NULL ? d->passport.orig_uri
						 : d->passport.orig.text);
		jw_uint(out, "dests", d->passport.dests);
		if (d->passport.dests > 0)
			jw_str(out, "dest", d->passport.dest[0].text);
		if (d->passport.div.len > 0)
			jw_str(out, "div", d->passport.div.text);
	}
	if (d->originals != NULL) {
		jw_uint(out, "originals", originals_len(d->originals));
		jw_uint(out, "originals_verified", d->originals_verified);
	} else if (r->original != NULL) { /* not read */
		jw_uint(out, "originals", json_array_size(r->original));
	}
	put_attest(out, &d->attest);
	put_observed(out, d);
	put_asked(out, r, who);
	put_claims(out, d, claims);
	put_context(out, r->context);
}

enum rc
journal_allowed(struct desk *d, const struct caller *who, const struct sign_request *r,
    const struct decision *x, const struct journal_signed *what, uint64_t *seq, struct fault *f)
{
	struct buf *members = &d->members;

	members->max = RECORD_MAX;
	buf_clear(members);
	jw_str(members, "credential", x->config->name);
	jw_str(members, "serial", x->credential->chain->cert[0]->serial);
	jw_hex(members, "key", span_of(x->credential->key_id, KEY_ID_LEN));
	if (x->credential->imported)
		jw_bool(members, "imported", true);
	jw_hex(members, "digest", span_of(what->digest, ES256_DIGEST_LEN));
	put_request(members, r, who, x, what->claims);
	TRY(buf_check(members, f));
	for (size_t i = 0; i < x->observeds; i++)
		d->stats.observed[x->observed[i].rule]++;
	if (r->dry_run)
		return audit_append(d->audit, "dry_run", x->tenant->name, r->request_id, NULL,
		    buf_view(members), seq, f);
	/* Until a signer is about to work at the digest: sign_job.c starts it. */
	return audit_hold(
	    d->audit, "sign", x->tenant->name, r->request_id, NULL, buf_view(members), seq, f);
}

/* Recorded one by one unless a flood of them would cost a flood of records. */
static bool
is_only_counted(const struct fault *f, bool known)
{
	return !known || fault_is(f, REASON_RATE_LIMITED) || fault_is(f, REASON_OVERLOADED) ||
	       fault_is(f, REASON_AUDIT_UNAVAILABLE);
}

/*
 * Where no tenant is known, no tenant's rate holds a caller: the first ones of
 * a second are recorded, the others only counted.
 */
static bool
is_flood(struct desk *d, const struct decision *x)
{
	return x->tenant == NULL && d->unnamed++ >= JOURNAL_UNNAMED_PER_S;
}

void
journal_refused(struct desk *d, const struct caller *who, bool known,
    const struct sign_request *r, const struct decision *x, const struct fault *why)
{
	AUTO_BUF members = BUF_INIT(RECORD_MAX);
	uint64_t seq;

	if (is_only_counted(why, known) || is_flood(d, x)) {
		journal_count(d, why);
		return;
	}
	jw_str(&members, "claim", why->claim[0] != 0 ? why->claim : NULL);
	if (r->dry_run)
		jw_bool(&members, "dry_run", true);
	put_request(&members, r, who, x, (struct span){ 0 });
	/* A refusal stands with or without its record. */
	if (buf_check(&members, NULL) != RC_OK ||
	    audit_append(d->audit, "refuse", x->tenant != NULL ? x->tenant->name : NULL,
		r->request_id, why->reason, buf_view(&members), &seq, NULL) != RC_OK)
		journal_count(d, why);
}

void
journal_failed(struct desk *d, const char *tenant, const char *credential,
    const char *request_id, uint64_t of, const struct fault *why)
{
	AUTO_BUF members = BUF_INIT(512);
	uint64_t seq;

	jw_str(&members, "credential", credential);
	if (audit_append_of(d->audit, "sign_failed", tenant, request_id, why->reason,
		buf_view(&members), of, &seq, NULL) != RC_OK)
		journal_count(d, why);
}

enum rc
journal_moved(struct desk *d, const char *tenant, const struct credential *c,
    const char *request_id, const char *instead, const uint8_t digest[ES256_DIGEST_LEN],
    uint64_t *seq, struct fault *f)
{
	AUTO_BUF members = BUF_INIT(1024);

	jw_str(&members, "credential", c->name);
	jw_str(&members, "serial", c->chain->cert[0]->serial);
	jw_hex(&members, "key", span_of(c->key_id, KEY_ID_LEN));
	jw_hex(&members, "digest", span_of(digest, ES256_DIGEST_LEN));
	jw_str(&members, "instead", instead);
	TRY(buf_check(&members, f));
	return audit_hold(
	    d->audit, "sign_again", tenant, request_id, NULL, buf_view(&members), seq, f);
}
