#include "agent/front/policy.h"

#include <string.h>

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
	uint32_t *unlisted;
	size_t unlisteds;
};

static const char *
ppt_text(enum ppt p)
{
	const char *name = ppt_rule(p)->name;

	return name != NULL ? name : "base";
}

static bool
is_listed(const struct config_strings *list, const char *text)
{
	for (size_t i = 0; i < list->len; i++) {
		if (strcmp(list->item[i], text) == 0)
			return true;
	}
	return list->len == 0; /* an empty list: all of the class */
}

unsigned
policy_ppts(const struct config_tenant *t, const struct config_credential *c)
{
	unsigned cls = 1U << profile_rule(c->profile)->cls, mask = 0;

	for (unsigned p = 0; p < PPT__COUNT; p++) {
		if ((ppt_rule((enum ppt)p)->classes & cls) != 0 &&
		    is_listed(&t->ppts, ppt_text((enum ppt)p)))
			mask |= 1U << p;
	}
	return mask;
}

char
policy_attest_of(const json_t *claims)
{
	const char *text = json_string_value(json_object_get(claims, "attest"));

	return text != NULL ? text[0] : 0;
}

enum rc
policy_attest(const struct config_tenant *t, const struct config_credential *c, bool listed,
    char attest, struct fault *f)
{
	char most = t->attest_max;

	if (attest == 0)
		return RC_OK;
	if (most == 0)
		return REFUSE(f, RC_DENIED, ATTEST_NOT_ALLOWED, "attest",
		    "the tenant may not have shaken signed: attest_max is not set");
	/* The letters fall: "A" says most.  Without the right to use, never "A" (D-05). */
	if (!listed && c->unlisted_tn == UNLISTED_B && most < 'B')
		most = 'B';
	if (!listed && c->unlisted_tn != UNLISTED_B)
		most = 'C';
	if (attest < most)
		return REFUSE(f, RC_DENIED, ATTEST_NOT_ALLOWED, "attest",
		    "attest %c is above %c, the most that is allowed here", attest, most);
	return RC_OK;
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
		if (profile_rule(t->credential[i].profile)->cls == CLASS_SP &&
		    t->credential[i].unlisted_tn != UNLISTED_REFUSE)
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

	if (list == NULL || unlisted == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu tenants", n);
	fill_buckets(p, set, list, now_ms);
	p->unlisteds = fill_unlisted(set, unlisted);
	free(p->bucket);
	free(p->unlisted);
	p->bucket = TAKE(list);
	p->unlisted = TAKE(unlisted);
	p->len = n;
	return RC_OK;
}

/* burst: thousandths of a request that the bucket holds. */
static enum rc
take(struct bucket *b, int64_t burst, int64_t now_ms, struct fault *f)
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
		return REFUSE(
		    f, RC_BUSY, RATE_LIMITED, NULL, "more than %u requests a second", b->rate);
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
	return take(b, (int64_t)b->rate * 1000, now_ms, f);
}

enum rc
policy_take_stranger(struct policy *p, int64_t now_ms, struct fault *f)
{
	return take(&p->stranger, POLICY_STRANGER_BURST * 1000, now_ms, f);
}

const uint32_t *
policy_unlisted(const struct policy *p, size_t *n)
{
	*n = p->unlisteds;
	return p->unlisted;
}
