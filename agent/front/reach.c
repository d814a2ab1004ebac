#include "agent/front/reach.h"

#include <stdlib.h>

_Static_assert(sizeof(uid_t) == sizeof(uint32_t) && sizeof(gid_t) == sizeof(uint32_t),
    "the kernel's numbers are 32 bits");

/* By id, then by tenant. */
struct table {
	struct reach_entry *entry;
	size_t len;
};

struct reach {
	struct table users, groups;
};

static int
by_id(const void *a, const void *b)
{
	const struct reach_entry *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->tenant > y->tenant) - (x->tenant < y->tenant);
}

static void
put(struct table *t, const uint32_t *id, size_t ids, uint32_t tenant)
{
	for (size_t i = 0; i < ids; i++)
		t->entry[t->len++] = (struct reach_entry){ id[i], tenant };
}

static enum rc
make_room(struct table *t, size_t n, struct fault *f)
{
	t->entry = calloc(n + 1, sizeof *t->entry);
	return t->entry != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "%zu callers", n);
}

static void
sort(struct table *t)
{
	if (t->len > 1)
		qsort(t->entry, t->len, sizeof *t->entry, by_id);
}

enum rc
reach_new(const struct config *c, const uint32_t *tenant, size_t n, struct reach **out,
    struct fault *f)
{
	AUTO(reach) *r = calloc(1, sizeof *r);
	size_t uids = 0, gids = 0;

	if (r == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu tenants", n);
	for (size_t i = 0; i < n; i++) {
		uids += c->tenant[tenant[i]].allow_uids;
		gids += c->tenant[tenant[i]].allow_gids;
	}
	TRY(make_room(&r->users, uids, f));
	TRY(make_room(&r->groups, gids, f));
	for (size_t i = 0; i < n; i++) {
		const struct config_tenant *t = &c->tenant[tenant[i]];

		put(&r->users, t->allow_uid, t->allow_uids, tenant[i]);
		put(&r->groups, t->allow_gid, t->allow_gids, tenant[i]);
	}
	sort(&r->users);
	sort(&r->groups);
	*out = TAKE(r);
	return RC_OK;
}

void
reach_free(struct reach *r)
{
	if (r == NULL)
		return;
	free(r->users.entry);
	free(r->groups.entry);
	free(r);
}

/* The first entry whose id is not less. */
static const struct reach_entry *
find(const struct table *t, uint32_t id)
{
	size_t lo = 0, hi = t->len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->entry[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return t->entry + lo;
}

/* The overflow id stands for all that cannot be named, and is nobody's. */
static void
add_run(struct reach_walk *w, const struct table *t, uint32_t id)
{
	const struct reach_entry *at, *end;

	if (t->len == 0 || id == CONFIG_OVERFLOW_ID || id == UINT32_MAX)
		return;
	at = find(t, id);
	end = find(t, id + 1);
	if (at < end && w->runs < ARRAY_LEN(w->run))
		w->run[w->runs++] = (struct reach_run){ at, end };
}

void
reach_begin(const struct reach *r, const struct caller *c, struct reach_walk *w)
{
	w->runs = 0;
	if (r == NULL ||
	    c->uid == CONFIG_OVERFLOW_ID) /* as caller_among(): no user, no group of its */
		return;
	add_run(w, &r->users, c->uid);
	add_run(w, &r->groups, c->gid);
	for (size_t i = 0; i < c->groups; i++)
		add_run(w, &r->groups, c->group[i]);
}

bool
reach_next(struct reach_walk *w, uint32_t *tenant)
{
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < w->runs; i++) {
		if (w->run[i].at < w->run[i].end && w->run[i].at->tenant < least)
			least = w->run[i].at->tenant;
	}
	if (least == UINT32_MAX)
		return false;
	for (size_t i = 0; i < w->runs; i++) {
		while (w->run[i].at < w->run[i].end && w->run[i].at->tenant == least)
			w->run[i].at++;
	}
	*tenant = least;
	return true;
}
