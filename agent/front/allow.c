#include "agent/front/allow.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { ALLOW_FIRST = 16 };

struct bucket {
	unsigned used;
	int64_t since_s; /* nothing has come back for what was used since then */
};

struct allow_one {
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
	struct bucket keys, refusals;
	unsigned unsaid;
};

void
allow_done(struct allow *a)
{
	free(a->item);
	*a = (struct allow){ 0 };
}

static void
refill(struct bucket *b, int64_t every_s, int64_t now_s)
{
	int64_t back;

	if (now_s < b->since_s)
		b->since_s = now_s; /* the clock was set back */
	back = (now_s - b->since_s) / every_s;
	if (back >= b->used) {
		*b = (struct bucket){ 0, now_s };
		return;
	}
	b->used -= (unsigned)back;
	b->since_s += back * every_s;
}

static struct allow_one *
find(const struct allow *a, const char *tenant, const char *name)
{
	for (size_t i = 0; i < a->len; i++) {
		if (strcmp(a->item[i].tenant, tenant) == 0 &&
		    strcmp(a->item[i].name, name) == 0)
			return &a->item[i];
	}
	return NULL;
}

static void
drop_idle(struct allow *a, int64_t now_s)
{
	size_t kept = 0;

	for (size_t i = 0; i < a->len; i++) {
		struct allow_one *one = &a->item[i];

		refill(&one->keys, ALLOW_KEY_S, now_s);
		refill(&one->refusals, ALLOW_REFUSAL_S, now_s);
		if (one->keys.used > 0 || one->refusals.used > 0)
			a->item[kept++] = *one;
	}
	a->len = kept;
}

static enum rc
reserve(struct allow *a, struct fault *f)
{
	size_t cap = a->cap == 0 ? ALLOW_FIRST : a->cap * 2;
	AUTO_FREE struct allow_one *item = NULL;

	if (a->len < a->cap)
		return RC_OK;
	if (a->cap >= ALLOW_MAX)
		return REFUSE(f, RC_BUSY, OVERLOADED, NULL, "too many credentials at once");
	item = calloc(cap, sizeof *item);
	if (item == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu credentials", cap);
	if (a->len > 0)
		memcpy(item, a->item, a->len * sizeof *item);
	free(a->item);
	a->item = TAKE(item);
	a->cap = cap;
	return RC_OK;
}

static enum rc
need(struct allow *a, const char *tenant, const char *name, int64_t now_s,
    struct allow_one **out, struct fault *f)
{
	struct allow_one *one = find(a, tenant, name);

	if (one == NULL) {
		if (a->len == a->cap)
			drop_idle(a, now_s);
		TRY(reserve(a, f));
		one = &a->item[a->len++];
		*one = (struct allow_one){ .keys.since_s = now_s, .refusals.since_s = now_s };
		memcpy(one->tenant, tenant, strnlen(tenant, CONFIG_NAME_MAX));
		memcpy(one->name, name, strnlen(name, CONFIG_NAME_MAX));
	}
	refill(&one->keys, ALLOW_KEY_S, now_s);
	refill(&one->refusals, ALLOW_REFUSAL_S, now_s);
	*out = one;
	return RC_OK;
}

enum rc
allow_key(struct allow *a, const char *tenant, const char *name, int64_t now_s, struct fault *f)
{
	struct allow_one *one = NULL;

	TRY(need(a, tenant, name, now_s, &one, f));
	if (one->keys.used >= ALLOW_KEYS)
		return REFUSE(f, RC_BUSY, OVERLOADED, NULL,
		    "%d keys were made that never came into force: the next in %lld s",
		    ALLOW_KEYS, (long long)(one->keys.since_s + ALLOW_KEY_S - now_s));
	one->keys.used++;
	return RC_OK;
}

void
allow_key_back(struct allow *a, const char *tenant, const char *name)
{
	struct allow_one *one = find(a, tenant, name);

	if (one != NULL && one->keys.used > 0)
		one->keys.used--;
}

bool
allow_refusal(
    struct allow *a, const char *tenant, const char *name, int64_t now_s, unsigned *unsaid)
{
	struct allow_one *one = NULL;

	*unsaid = 0;
	if (need(a, tenant, name, now_s, &one, NULL) != RC_OK)
		return false;
	if (one->refusals.used >= ALLOW_REFUSALS) {
		one->unsaid += one->unsaid < UINT_MAX;
		return false;
	}
	one->refusals.used++;
	*unsaid = one->unsaid;
	one->unsaid = 0;
	return true;
}
