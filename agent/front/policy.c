#include "agent/front/policy.h"

#include <string.h>

#include "stir/jtext.h"

struct bucket {
	const char *tenant; /* in the set's configuration */
	unsigned rate;
	int64_t level; /* thousandths of a request */
	int64_t at_ms;
};

struct policy {
	struct bucket *bucket; /* in the order of the set: by name */
	size_t len;
	struct bucket stranger;
	struct caller_bucket {
		uid_t uid;
		struct bucket refusals; /* rate 0: nobody's yet */
	} caller[POLICY_CALLERS];
	uint32_t *unlisted;
	size_t unlisteds;
	struct reach *unlisted_reach;
};

static bool
is_listed(const struct config_strings *list, const char *text)
{
	for (size_t i = 0; i < list->len; i++) {
		if (strcmp(list->item[i], text) == 0)
			return true;
	}
	return list->len == 0; /* an empty list: all of the class */
}

static unsigned
class_ppts(const struct config_credential *c)
{
	unsigned cls = 1U << profile_rule(c->profile)->cls, mask = 0;

	for (unsigned p = 0; p < PPT__COUNT; p++) {
		if ((ppt_rule((enum ppt)p)->classes & cls) != 0)
			mask |= 1U << p;
	}
	return mask;
}

unsigned
policy_ppts(const struct config_tenant *t, const struct config_credential *c)
{
	unsigned mask = class_ppts(c);

	for (unsigned p = 0; p < PPT__COUNT; p++) {
		if (!is_listed(&t->ppts, ppt_text((enum ppt)p)) ||
		    !is_listed(&c->ppts, ppt_text((enum ppt)p)))
			mask &= ~(1U << p);
	}
	return mask;
}

unsigned
policy_ppts_passed(const struct config_tenant *t, const struct config_credential *c)
{
	return (t->observe >> OBSERVE_PPTS & 1) != 0 ? class_ppts(c) : policy_ppts(t, c);
}

static enum rc
check_dests(const struct tnset *allowed, const char *what, const char *name,
    const struct passport *p, struct fault *f)
{
	if (allowed == NULL)
		return RC_OK;
	for (size_t i = 0; i < p->dests; i++) {
		if (!tnset_has(allowed, tn_key(&p->dest[i])))
			return REFUSE(f, RC_DENIED, DEST_NOT_ALLOWED, "dest",
			    "%s is not in dests of %s '%.40s': call a number that is",
			    tn_mask(&p->dest[i]).text, what, name);
	}
	if (json_object_get(json_object_get(p->claims, "dest"), "uri") != NULL)
		return REFUSE(f, RC_DENIED, DEST_NOT_ALLOWED, "dest",
		    "dests of %s '%.40s' lists numbers alone: leave dest.uri out", what, name);
	return RC_OK;
}

enum rc
policy_dests(const struct config_tenant *t, const struct config_credential *c,
    const struct passport *p, struct fault *f)
{
	TRY(check_dests(t->dests, "tenant", t->name, p, f));
	return check_dests(c->dests, "credential", c->name, p, f);
}

char
policy_attest_of(const json_t *claims)
{
	const char *text = json_string_value(json_object_get(claims, "attest"));

	return text != NULL ? text[0] : 0;
}

bool
policy_takes_proof(const struct config_tenant *t)
{
	return t->attestation.delegate_proof != 0;
}

struct attest_rule {
	const char *name;
	char most; /* 0: does not apply, or grants nothing */
};

/* The letters fall: 'A' says most, and 0 nothing at all. */
static bool
says_more(char a, char b)
{
	return a != 0 && (b == 0 || a < b);
}

/* Without the right to use, never "A" (D-05). */
static char
unlisted_cap(const struct config_credential *c, char most)
{
	char cap = c->unlisted_tn == UNLISTED_B ? 'B' : 'C';

	return says_more(most, cap) ? cap : most;
}

static struct attest_rule
best_rule(const struct config_tenant *t, const struct config_credential *c,
    const struct attest_evidence *e)
{
	const struct config_attestation *a = &t->attestation;
	char listed = a->set ? a->listed : t->attest_max;
	char otherwise = a->set ? a->otherwise : t->attest_max;
	const struct attest_rule rules[] = {
		{ "listed", e->listed ? listed : 0 },
		{ POLICY_DELEGATE_PROOF, e->delegate ? a->delegate_proof : 0 },
		{ "known_customer", !e->known	? 0
				    : e->listed ? a->known_customer
						: unlisted_cap(c, a->known_customer) },
		{ "otherwise", e->listed ? otherwise : unlisted_cap(c, otherwise) },
	};
	struct attest_rule best = rules[ARRAY_LEN(rules) - 1];

	for (size_t i = ARRAY_LEN(rules) - 1; i-- > 0;) {
		if (rules[i].most != 0 && !says_more(best.most, rules[i].most))
			best = rules[i];
	}
	return best;
}

static enum rc
above_cap(const struct config_tenant *t, const struct attest_rule *rule,
    const struct attest_evidence *e, char asked, struct fault *f)
{
	const char *why = e->unproven != NULL ? e->unproven : "";

	if (rule->most == 0)
		return REFUSE(f, RC_DENIED, ATTEST_NOT_ALLOWED, "attest",
		    "tenant '%.40s': no rule grants an attestation here%s%s", t->name,
		    why[0] != 0 ? "; " : "", why);
	return REFUSE(f, RC_DENIED, ATTEST_NOT_ALLOWED, "attest",
	    "tenant '%.40s': rule '%s' grants %c at most, not %c: ask for %c or less%s%s",
	    t->name, rule->name, rule->most, asked, rule->most, why[0] != 0 ? "; " : "", why);
}

enum rc
policy_attest(const struct config_tenant *t, const struct config_credential *c,
    const struct attest_evidence *e, char asked, struct attest_verdict *out, struct fault *f)
{
	struct attest_rule rule;

	if (asked == 0)
		return RC_OK;
	if (!t->attestation.set && t->attest_max == 0)
		return REFUSE(f, RC_DENIED, ATTEST_NOT_ALLOWED, "attest",
		    "tenant '%.40s' may not have shaken signed: neither attestation nor "
		    "attest_max is set",
		    t->name);
	rule = best_rule(t, c, e);
	*out = (struct attest_verdict){ asked, 0, rule.name };
	if (rule.most == 0 || (says_more(asked, rule.most) && !t->attestation.lower))
		return above_cap(t, &rule, e, asked, f);
	out->granted = says_more(asked, rule.most) ? rule.most : asked;
	return RC_OK;
}

enum rc
policy_rph(const struct config_credential *c, const json_t *claims, struct fault *f)
{
	return ppt_check_namespaces(
	    claims, (const char *const *)c->rph_namespaces.item, c->rph_namespaces.len, f);
}

enum rc
policy_new(struct policy **out, struct fault *f)
{
	AUTO(policy) *p = calloc(1, sizeof *p);

	if (p == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "policy");
	p->stranger.rate = POLICY_STRANGER_RATE;
	p->stranger.level = POLICY_STRANGER_BURST * 1000;
	*out = TAKE(p);
	return RC_OK;
}

void
policy_free(struct policy *p)
{
	if (p == NULL)
		return;
	free(p->bucket);
	free(p->unlisted);
	reach_free(p->unlisted_reach);
	free(p);
}

/* Both lists are sorted by name, so that one walk finds every tenant's old level. */
static void
fill_buckets(
    const struct policy *old, const struct credset *set, struct bucket *list, int64_t now_ms)
{
	size_t o = 0;

	for (size_t i = 0; i < set->config->tenants; i++) {
		const struct config_tenant *t = &set->config->tenant[i];

		list[i] = (struct bucket){ t->name, t->rate, (int64_t)t->rate * 1000, now_ms };
		while (o < old->len && strcmp(old->bucket[o].tenant, t->name) < 0)
			o++;
		if (o == old->len || strcmp(old->bucket[o].tenant, t->name) != 0)
			continue;
		if (old->bucket[o].rate != 0 && old->bucket[o].level < list[i].level)
			list[i].level = old->bucket[o].level;
		list[i].at_ms = old->bucket[o].at_ms;
	}
}

static bool
signs_unlisted(const struct config_tenant *t)
{
	for (size_t i = 0; i < t->credentials; i++) {
		const struct config_credential *c = &t->credential[i];

		if (profile_rule(c->profile)->cls == CLASS_SP &&
		    (c->unlisted_tn != UNLISTED_REFUSE || policy_takes_proof(t)))
			return true;
	}
	return false;
}

static size_t
fill_unlisted(const struct credset *set, uint32_t *list)
{
	size_t n = 0;

	for (size_t i = 0; i < set->config->tenants; i++) {
		if (signs_unlisted(&set->config->tenant[i]))
			list[n++] = (uint32_t)i;
	}
	return n;
}

enum rc
policy_adopt(struct policy *p, const struct credset *set, int64_t now_ms, struct fault *f)
{
	size_t n = set->config->tenants;
	AUTO_FREE struct bucket *list = calloc(n + 1, sizeof *list);
	AUTO_FREE uint32_t *unlisted = calloc(n + 1, sizeof *unlisted);
	AUTO(reach) *by_caller = NULL;
	size_t unlisteds;

	if (list == NULL || unlisted == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu tenants", n);
	unlisteds = fill_unlisted(set, unlisted);
	TRY(reach_new(set->config, unlisted, unlisteds, &by_caller, f));
	fill_buckets(p, set, list, now_ms);
	free(p->bucket);
	free(p->unlisted);
	reach_free(p->unlisted_reach);
	p->bucket = TAKE(list);
	p->unlisted = TAKE(unlisted);
	p->unlisteds = unlisteds;
	p->unlisted_reach = TAKE(by_caller);
	p->len = n;
	return RC_OK;
}

/* burst: thousandths of a request that the bucket holds. */
static enum rc
take(struct bucket *b, int64_t burst, int64_t now_ms, const char *whose, struct fault *f)
{
	int64_t passed_ms = now_ms - b->at_ms;

	/* rate a second is rate thousandths a millisecond; a long pause fills it anyway. */
	if (passed_ms > 0) {
		int64_t room = burst - b->level;

		b->level =
		    passed_ms >= room / b->rate + 1 ? burst : b->level + passed_ms * b->rate;
		b->level = b->level > burst ? burst : b->level;
		b->at_ms = now_ms;
	}
	if (b->level < 1000)
		return REFUSE(f, RC_BUSY, RATE_LIMITED, NULL,
		    "%s%s%.40s%s: at most %u a second", whose, b->tenant != NULL ? " '" : "",
		    b->tenant != NULL ? b->tenant : "", b->tenant != NULL ? "'" : "", b->rate);
	b->level -= 1000;
	return RC_OK;
}

enum rc
policy_take(struct policy *p, size_t tenant, int64_t now_ms, struct fault *f)
{
	struct bucket *b;

	if (tenant >= p->len)
		return REFUSE(f, RC_BUG, INTERNAL, NULL, "no bucket for tenant %zu", tenant);
	b = &p->bucket[tenant];
	if (b->rate == 0)
		return RC_OK;
	return take(b, (int64_t)b->rate * 1000, now_ms, "rate of tenant", f);
}

enum rc
policy_take_stranger(struct policy *p, int64_t now_ms, struct fault *f)
{
	return take(&p->stranger, POLICY_STRANGER_BURST * 1000, now_ms,
	    "requests of users that no tenant allows", f);
}

/* The user's own, else a full one in the place of whoever was refused longest ago. */
static struct bucket *
bucket_of(struct policy *p, uid_t uid, int64_t now_ms)
{
	struct caller_bucket *oldest = &p->caller[0];

	for (size_t i = 0; i < POLICY_CALLERS; i++) {
		struct caller_bucket *c = &p->caller[i];

		if (c->refusals.rate != 0 && c->uid == uid)
			return &c->refusals;
		if (oldest->refusals.rate != 0 &&
		    (c->refusals.rate == 0 || c->refusals.at_ms < oldest->refusals.at_ms))
			oldest = c;
	}
	oldest->uid = uid;
	oldest->refusals = (struct bucket){ NULL, POLICY_CALLER_RATE,
		POLICY_CALLER_BURST * INT64_C(1000), now_ms };
	return &oldest->refusals;
}

enum rc
policy_take_caller(struct policy *p, uid_t uid, int64_t now_ms, struct fault *f)
{
	return take(bucket_of(p, uid, now_ms), POLICY_CALLER_BURST * INT64_C(1000), now_ms,
	    "refusals of one user", f);
}

const uint32_t *
policy_unlisted(const struct policy *p, size_t *n)
{
	*n = p->unlisteds;
	return p->unlisted;
}

const struct reach *
policy_unlisted_reach(const struct policy *p)
{
	return p->unlisted_reach;
}
