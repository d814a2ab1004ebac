/*
 * What the files of the decision share: whose credentials come into question
 * (decide_candidates.c), the filters of D-59 (decide_filter.c), which of those
 * that pass is the first (decide_rank.c), a delegate's word, attestation and
 * the whole in its order (decide.c).  For these only.
 *
 * Nothing here is shared between threads: a search is one call of decide() or
 * decide_wants_proof() and lies on its stack.  In the front that is the loop's
 * thread alone.
 */
#ifndef AGENT_FRONT_DECIDE_PARTS_H
#define AGENT_FRONT_DECIDE_PARTS_H

#include "agent/front/decide.h"

#include <string.h>

/* By index into the configuration of the set. */
struct candidate {
	uint32_t tenant;
	uint32_t credential;
	bool listed; /* its tenant's configuration names the number */
};

/* Owns nothing: w, r and d are the caller's, and what is made on the way is d's. */
struct search {
	const struct decide_world *w;
	const struct sign_request *r;
	struct decision *d;
	struct candidate list[DECIDE_MAX_CANDIDATES];
	size_t len;
	const struct tn *number; /* those that must be authorised, all of them */
	size_t numbers;
	const char *claim; /* where they stand */
	/* Whose credential was the last in question, or would be if it had one; NULL: none. */
	const struct config_tenant *last;
	struct decide_charge charge; /* whose rate was asked */
	bool counted;		     /* by charge() */
	bool proven;		     /* a delegate's PASSporT of the call covers it */
	struct fault unproven;	     /* why one that was there does not */
};

/* Of a candidate: borrowed from the set. */
static inline const struct config_tenant *
tenant_of(const struct search *s, const struct candidate *c)
{
	return &s->w->set->config->tenant[c->tenant];
}

static inline const struct config_credential *
config_of(const struct search *s, const struct candidate *c)
{
	return &tenant_of(s, c)->credential[c->credential];
}

/* Just renewed, the one before it signs what is dated before it. */
static inline struct credential *
credential_of(const struct search *s, const struct candidate *c)
{
	const struct credset_place at = { c->tenant, c->credential };

	return credset_dated(s->w->set, at, s->d->passport.iat_s, s->w->now_s);
}

static inline bool
observes(const struct config_tenant *t, enum observe_rule rule)
{
	return (t->observe >> rule & 1) != 0;
}

/* One that the ppt itself knows. */
static inline bool
is_own(const char *name, enum ppt ppt)
{
	return ppt_is_base_claim(name) || ppt_claim(ppt, name) != NULL;
}

/*
 * Does that name ask for this section?  Its own does, and so does that of the
 * one that it is in reserve for, whose callers need not know which of the two
 * signs.  NULL asks for none in particular.
 */
static inline bool
asks_for(const char *asked, const struct config_credential *cc)
{
	return asked == NULL || strcmp(asked, cc->base) == 0 ||
	       (cc->reserve_for != NULL && strcmp(asked, cc->reserve_for) == 0);
}

/* false until prove() (decide.c) has judged a delegate's word. */
static inline bool
is_proven(const struct search *s, const struct candidate *c)
{
	return s->proven && policy_takes_proof(tenant_of(s, c));
}

/* ---- decide_candidates.c ---- */

/*
 * The clock, the rate, the claims, the caller, and with it the list: as far as
 * it goes without what only a certificate or a delegate says.  RC_OK: the list
 * is not empty, and s->d->passport is prepared.  Refused as well, what was made
 * is in s->d: decide_done().
 */
enum rc decide_find(struct search *s, struct fault *f) MUST_CHECK;

/*
 * rc and *f are what the rule said.  Let pass what it refuses where t only
 * observes it, and say so in s->d; anything else stays as it is.  Each rule
 * once a decision.
 */
enum rc decide_observe(struct search *s, const struct config_tenant *t, enum observe_rule rule,
    enum rc rc, struct fault *f) MUST_CHECK;

/* Take one from t's bucket, once a request: s->charge keeps what came of it. */
void decide_ask_rate(struct search *s, const struct config_tenant *t);
/* The same; RC_BUSY rate_limited where there was none, unless t only observes that. */
enum rc decide_take_rate(
    struct search *s, const struct config_tenant *t, struct fault *f) MUST_CHECK;

/* A random one as a JSON string, owned by the caller.  RC_BUG, RC_NO_MEMORY. */
enum rc decide_random_uuid(json_t **out, struct fault *f) MUST_CHECK;

/* RC_DENIED ambiguous_credential: more than a list holds. */
enum rc decide_add(struct search *s, struct candidate c, struct fault *f) MUST_CHECK;

/* ---- decide_shards.c ---- */

/*
 * Those of a tenant's divided credentials that may have the number in their
 * certificate, or that are asked for by name.
 */
enum rc decide_add_divided(
    struct search *s, uint32_t tenant, bool listed, struct fault *f) MUST_CHECK;

/* Does the number belong into another certificate of the same credential? */
bool decide_is_elsewhere(
    const struct search *s, const struct candidate *c, const struct tn *tn);

/* ---- decide_filter.c ---- */

/*
 * One filter after the other over the list, after decide_find(): whoever passes
 * them all remains, in its order.  When nobody does, the fault is that of the
 * last one that was removed.
 */
enum rc decide_filter(struct search *s, struct fault *f) MUST_CHECK;

/*
 * Everything the certificate says but the time, which D-59 puts under health:
 * one of the filters, for whoever changes a claim behind them.  f may be NULL.
 */
enum rc decide_of_constraints(
    const struct search *s, const struct candidate *c, struct fault *f) MUST_CHECK;

/* It is here only because a rule is observed. */
bool decide_is_overlooked(const struct search *s, const struct candidate *c);
/*
 * What the tenant of c, the chosen one, would have had refused, were it not
 * observed, is noted in s->d.
 */
enum rc decide_observe_chosen(
    struct search *s, const struct candidate *c, struct fault *f) MUST_CHECK;

/* ---- decide_rank.c ---- */

/*
 * Of those that passed, the one that signs becomes the first of the list; all
 * others of it are its copies in other tokens, the healthiest first.  RC_DENIED
 * ambiguous_credential.
 */
enum rc decide_choose(struct search *s, struct fault *f) MUST_CHECK;

/*
 * The copies behind the first go to s->d->other, borrowed from the set as
 * s->d->credential is, which is set.  What was put into the claims since the
 * filters, the certificate of each has to allow.  A second key in a token that
 * is lost is of no use: one of each token.
 */
void decide_keep_others(struct search *s);

#endif
