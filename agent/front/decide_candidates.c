/*
 * From the request to the list: what it costs, what it claims, whose it is, and
 * which credentials come into question.
 */
#include "agent/front/decide_parts.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "agent/members.h"
#include "agent/release.h"
#include "stir/jtext.h"

/* ---- rules that a tenant only observes ---- */

enum rc
decide_observe(struct search *s, const struct config_tenant *t, enum observe_rule rule,
    enum rc rc, struct fault *f)
{
	if (rc == RC_OK || !observes(t, rule))
		return rc;
	assert(s->d->observeds < OBSERVE__COUNT); /* each rule is judged once */
	s->d->observed[s->d->observeds++] = (struct observation){ rule, *f };
	*f = (struct fault){ 0 };
	return RC_OK;
}

void
decide_ask_rate(struct search *s, const struct config_tenant *t)
{
	size_t index = (size_t)(t - s->w->set->config->tenant);

	if (s->charge.tenant == t)
		return; /* once a request */
	s->charge = (struct decide_charge){ .tenant = t };
	(void)!policy_take(s->w->policy, index, s->w->now_ms, &s->charge.why);
}

enum rc
decide_take_rate(struct search *s, const struct config_tenant *t, struct fault *f)
{
	decide_ask_rate(s, t);
	if (s->charge.why.rc != RC_OK && f != NULL)
		*f = s->charge.why;
	return decide_observe(s, t, OBSERVE_RATE, s->charge.why.rc, f);
}

/* ---- what stands in for claims that the caller leaves out ---- */

static enum rc
read_originals(struct search *s, struct fault *f)
{
	const json_t *list = s->r->original;
	struct span token[ORIGINAL_MAX];
	size_t n = json_array_size(list);

	if (ppt_rule(s->r->ppt)->answers == ANSWERS_NOTHING) {
		if (list == NULL)
			return RC_OK;
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "original",
		    "a PASSporT of type %s answers no other", ppt_text(s->r->ppt));
	}
	if (list == NULL)
		return REFUSE(f, RC_INVALID, MISSING_ORIGINAL, "original",
		    "ppt %s needs the PASSporTs that it answers", ppt_text(s->r->ppt));
	if (n > ORIGINAL_MAX)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "original", "at most %d PASSporTs",
		    ORIGINAL_MAX);
	for (size_t i = 0; i < n; i++)
		token[i] = jtext_span(json_array_get(list, i));
	return originals_read(token, n, &s->d->originals, f);
}

/* RFC 9562 section 5.4 */
enum rc
decide_random_uuid(json_t **out, struct fault *f)
{
	uint8_t b[16];
	char text[37], *p = text;

	if (RAND_bytes(b, sizeof b) != 1)
		return FAULT_OPENSSL(f, RC_BUG, "internal_error", "random bytes");
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof b; i++)
		p += snprintf(
		    p, 4, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
	*out = json_string(text);
	return *out != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "origid");
}

static enum rc
defaults(const struct search *s, json_t **out, struct fault *f)
{
	json_auto_t *all = NULL;
	json_t *origid = NULL;

	if (s->d->originals != NULL)
		return originals_defaults(s->d->originals, s->r->ppt, out, f);
	all = json_object();
	if (s->r->ppt == PPT_SHAKEN && json_object_get(s->r->claims, "origid") == NULL) {
		/* of_claims() and settle() say who wants it */
		TRY(decide_random_uuid(&origid, f));
		if (json_object_set_new(all, "origid", origid) != 0)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "origid");
	}
	*out = TAKE(all);
	return RC_OK;
}

/*
 * Which further claims are allowed depends on the credential, which is not
 * known before the number is: here all of them pass, of_claims() judges.
 */
static enum rc
prepare(struct search *s, struct fault *f)
{
	const char *extra[DECIDE_MAX_CLAIMS];
	struct passport_policy policy = { .now_s = s->w->now_s,
		.iat_past_s = s->w->set->config->iat_past_s,
		.iat_future_s = s->w->set->config->iat_future_s,
		.iat_diverted_s = s->w->set->config->iat_diverted_s,
		.extra_claims = extra,
		.orig_uri = true }; /* of_uri() judges */
	json_auto_t *instead = NULL;
	const char *name;
	json_t *value;

	if (json_object_size(s->r->claims) > DECIDE_MAX_CLAIMS)
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, NULL, "more than %d claims",
		    DECIDE_MAX_CLAIMS);
	/* json_object_foreach wants a mutable object; iterating does not change it. */
	json_object_foreach ((json_t *)(uintptr_t)s->r->claims, name, value) {
		if (!is_own(name, s->r->ppt))
			extra[policy.extra++] = name;
	}
	TRY(read_originals(s, f));
	TRY(defaults(s, &instead, f));
	policy.defaults = instead;
	TRY(passport_prepare(s->r->claims, s->r->ppt, &policy, &s->d->passport, f));
	s->d->prepared = true;
	s->number = passport_authorising(&s->d->passport, &s->numbers);
	s->claim = ppt_authorising_claim(ppt_rule(s->r->ppt)->by);
	return s->d->originals != NULL ? originals_match(s->d->originals, &s->d->passport, f)
				       : RC_OK;
}

/* ---- the caller, and with it the tenants ---- */

/* Whose request it is, where that can be told without the number; else NULL. */
static const struct config_tenant *
known_tenant(const struct search *s)
{
	const struct config *c = s->w->set->config;
	const struct config_tenant *t = NULL;

	if (s->r->tenant != NULL)
		t = config_tenant_find(c, s->r->tenant);
	else if (s->w->view->only != CALLER_NO_TENANT)
		t = &c->tenant[s->w->view->only];
	return t != NULL && t->enabled && caller_may(s->w->caller, t) ? t : NULL;
}

/* Before the claims are looked at: a flood of bad ones is a flood as well. */
static enum rc
charge(struct search *s, struct fault *f)
{
	s->d->tenant = known_tenant(s);
	s->counted = s->d->tenant != NULL;
	if (!s->counted)
		return RC_OK; /* settle() takes, when it is known */
	return decide_take_rate(s, s->d->tenant, f);
}

enum rc
decide_add(struct search *s, struct candidate c, struct fault *f)
{
	if (s->len == DECIDE_MAX_CANDIDATES)
		return REFUSE(f, RC_DENIED, AMBIGUOUS_CREDENTIAL, NULL,
		    "more than %d credentials come into question: name the tenant",
		    DECIDE_MAX_CANDIDATES);
	s->list[s->len++] = c;
	return RC_OK;
}

static enum rc
add_tenant(struct search *s, size_t tenant, bool listed, struct fault *f)
{
	const struct config_tenant *t = &s->w->set->config->tenant[tenant];
	size_t n = t->members != NULL ? t->members->plain : t->credentials;

	s->last = t;
	for (size_t i = 0; i < n; i++) {
		if (!asks_for(s->r->credential, &t->credential[i]) &&
		    strcmp(s->r->credential, t->credential[i].name) != 0)
			continue;
		TRY(decide_add(
		    s, (struct candidate){ (uint32_t)tenant, (uint32_t)i, listed }, f));
	}
	return decide_add_divided(s, (uint32_t)tenant, listed, f);
}

/* D-60: whoever signs for several numbers has all of them configured (D-25). */
static bool
lists(const struct search *s, const struct config_tenant *t)
{
	for (size_t i = 0; i < s->numbers; i++) {
		if (s->number[i].len == 0) /* a URI */
			return false;
		if (t->numbers == NULL || !tnset_has(t->numbers, tn_key(&s->number[i])))
			return false;
	}
	return true;
}

static enum rc
named_tenant(struct search *s, struct fault *f)
{
	const struct config *c = s->w->set->config;
	const struct config_tenant *t = config_tenant_find(c, s->r->tenant);

	/* A tenant that is not there and one that is not the caller's look the same. */
	if (t == NULL || !caller_may(s->w->caller, t))
		return REFUSE(f, RC_DENIED, CALLER_NOT_ALLOWED, NULL,
		    "this caller may not use a tenant of that name");
	s->d->tenant = t;
	if (!t->enabled)
		return REFUSE(
		    f, RC_DENIED, TENANT_DISABLED, NULL, "tenant '%s' is disabled", t->name);
	TRY(add_tenant(s, (size_t)(t - c->tenant), lists(s, t), f));
	if (s->len == 0)
		return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
		    "tenant '%s' has no such credential", t->name);
	return RC_OK;
}

static enum rc
add_if_callers(struct search *s, const uint32_t *list, size_t n, bool listed, struct fault *f)
{
	for (size_t i = 0; i < n; i++) {
		const struct config_tenant *t = &s->w->set->config->tenant[list[i]];

		if (t->enabled && caller_may(s->w->caller, t))
			TRY(add_tenant(s, list[i], listed && lists(s, t), f));
	}
	return RC_OK;
}

/* In a list that ascends. */
static bool
holds(const uint32_t *list, size_t n, uint32_t tenant)
{
	size_t lo = 0;

	while (lo < n) {
		size_t mid = lo + (n - lo) / 2;

		if (list[mid] == tenant)
			return true;
		if (list[mid] < tenant)
			lo = mid + 1;
		else
			n = mid;
	}
	return false;
}

/* Whose caller has one tenant is asked about that one. */
static enum rc
add_only_unlisted(struct search *s, const uint32_t *listed, size_t listeds, struct fault *f)
{
	uint32_t only = (uint32_t)s->w->view->only;
	size_t n = 0;
	const uint32_t *all = policy_unlisted(s->w->policy, &n);

	if (!holds(all, n, only) || holds(listed, listeds, only))
		return RC_OK;
	return add_if_callers(s, &only, 1, false, f);
}

/*
 * D-05: those of class sp that sign for numbers which they do not list.  There
 * may be thousands of them, and few are this caller's.
 */
static enum rc
add_unlisted(struct search *s, const uint32_t *listed, size_t listeds, struct fault *f)
{
	struct reach_walk w;
	uint32_t tenant;

	if (s->w->view->only != CALLER_NO_TENANT)
		return add_only_unlisted(s, listed, listeds, f);
	reach_begin(policy_unlisted_reach(s->w->policy), s->w->caller, &w);
	while (reach_next(&w, &tenant)) {
		if (!holds(listed, listeds, tenant))
			TRY(add_if_callers(s, &tenant, 1, false, f));
	}
	return RC_OK;
}

/*
 * Nobody has a credential of that name; or nobody has that number configured,
 * but D-59 filters class and ppt before the number: the view knows what the
 * caller's tenants could sign at all.
 */
static enum rc
nobody(const struct search *s, struct fault *f)
{
	if (s->last != NULL)
		return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
		    "this caller's tenants have no such credential");
	if ((s->w->view->ppts & 1U << s->r->ppt) == 0)
		return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
		    "no credential of this caller's tenants signs this ppt");
	return REFUSE(f, RC_DENIED, TN_NOT_AUTHORIZED, s->claim,
	    "the number is not among those configured for this caller's tenants");
}

/* The number is somebody else's (D-52), or it is none: it cannot lead to a tenant. */
static enum rc
only_tenant(struct search *s, struct fault *f)
{
	size_t only = s->w->view->only;

	if (only == CALLER_NO_TENANT && s->d->passport.orig_uri != NULL)
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, "orig",
		    "orig.uri leads to no tenant: name it");
	if (only == CALLER_NO_TENANT)
		return REFUSE(f, RC_DENIED, TN_NOT_AUTHORIZED, "orig",
		    "whoever signs for a third party is named: give the tenant");
	TRY(add_tenant(s, only, lists(s, &s->w->set->config->tenant[only]), f));
	return s->len > 0 ? RC_OK : nobody(s, f);
}

static enum rc
any_tenant(struct search *s, struct fault *f)
{
	const struct config *c = s->w->set->config;
	uint32_t found[CREDSET_MAX_OVERLAP];
	size_t n;

	if (s->w->view->only != CALLER_NO_TENANT)
		s->d->tenant = &c->tenant[s->w->view->only];
	if (!s->w->view->enabled)
		return REFUSE(
		    f, RC_DENIED, TENANT_DISABLED, NULL, "this caller's tenants are disabled");
	if (s->d->passport.third_party || s->d->passport.orig_uri != NULL)
		return only_tenant(s, f);
	n = credset_lookup(s->w->set, tn_key(s->number), found, CREDSET_MAX_OVERLAP);
	TRY(add_if_callers(s, found, n, true, f));
	if (s->r->ppt == PPT_SHAKEN)
		TRY(add_unlisted(s, found, n, f));
	return s->len > 0 ? RC_OK : nobody(s, f);
}

static enum rc
candidates(struct search *s, struct fault *f)
{
	if (!s->w->view->any)
		return REFUSE(
		    f, RC_DENIED, CALLER_NOT_ALLOWED, NULL, "this caller may use no tenant");
	return s->r->tenant != NULL ? named_tenant(s, f) : any_tenant(s, f);
}

enum rc
decide_find(struct search *s, struct fault *f)
{
	if (s->w->now_s < RELEASE_S)
		return REFUSE(f, RC_CONFLICT, CLOCK_NOT_CREDIBLE, NULL,
		    "the clock of this host is before this program was made");
	TRY(charge(s, f));
	TRY(prepare(s, f));
	return candidates(s, f);
}
