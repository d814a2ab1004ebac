#include "agent/front/credset.h"

#include "agent/front/offboarding.h"
#include "agent/front/policy.h"
#include "agent/members.h"
#include "stir/digest.h"

struct credset_base {
	atomic_uint refs;
	struct credset_parts parts;
	struct holders holders;
	size_t slots;
	unsigned ppts;
	/*
	 * Where only numbers differ from what was read: the base that owns all
	 * parts but the tenants' array and the numbers in it.  NULL: it owns them.
	 */
	struct credset_base *root;
};

size_t
credset_lookup(const struct credset *s, uint64_t key, uint32_t *tenant, size_t max)
{
	return holders_of(s->holders, key, tenant, max);
}

/* ---- x5u -> credential ---- */

/*
 * Credentials by the hash of their x5u; 0 ends a list, else it is an index and
 * 1: of a slot, behind the slots of the one before it, whose PASSporTs are
 * still answered.
 */
struct credset_x5u {
	uint32_t mask; /* buckets - 1 */
	uint32_t *bucket, *next;
};

static void
x5u_free(struct credset_x5u *x)
{
	if (x == NULL)
		return;
	free(x->bucket);
	free(x->next);
	free(x);
}

static struct credset_x5u *
x5u_new(size_t slots)
{
	struct credset_x5u *x = calloc(1, sizeof *x);
	size_t buckets = 1;

	if (x == NULL)
		return NULL;
	while (buckets < slots)
		buckets *= 2;
	x->mask = (uint32_t)(buckets - 1);
	x->bucket = calloc(buckets, sizeof *x->bucket);
	x->next = calloc(slots + 1, sizeof *x->next);
	if (x->bucket != NULL && x->next != NULL)
		return x;
	x5u_free(x);
	return NULL;
}

/* FNV-1a.  The URLs in the table are the operator's: nobody fills one bucket on purpose. */
static uint32_t *
x5u_bucket(struct credset_x5u *x, struct span x5u)
{
	uint32_t hash = 2166136261;

	for (size_t i = 0; i < x5u.len; i++)
		hash = (hash ^ x5u.ptr[i]) * 16777619;
	return &x->bucket[hash & x->mask];
}

static bool
has_x5u(const struct credential *c)
{
	return c != NULL && c->state == CREDENTIAL_READY && c->x5u != NULL;
}

static const struct credential *
held_at(const struct credset *s, size_t i)
{
	return i < s->slots ? s->slot[i] : s->before[i - s->slots];
}

static void
x5u_add(struct credset *s, size_t slot)
{
	const struct credential *c = held_at(s, slot);
	uint32_t *head;

	if (!has_x5u(c))
		return;
	head = x5u_bucket(s->x5u, span_str(c->x5u));
	s->x5u->next[slot] = *head;
	*head = (uint32_t)slot + 1;
}

static void
x5u_remove(struct credset *s, size_t slot)
{
	const struct credential *c = held_at(s, slot);
	uint32_t *at;

	if (!has_x5u(c))
		return;
	at = x5u_bucket(s->x5u, span_str(c->x5u));
	while (*at != 0 && *at != slot + 1)
		at = &s->x5u->next[*at - 1];
	if (*at != 0)
		*at = s->x5u->next[slot];
}

const struct chain *
credset_chain(const struct credset *s, struct span x5u)
{
	for (uint32_t at = *x5u_bucket(s->x5u, x5u); at != 0; at = s->x5u->next[at - 1]) {
		if (span_is(x5u, held_at(s, at - 1)->x5u))
			return held_at(s, at - 1)->chain;
	}
	return peers_find(s->base->parts.peers, x5u);
}

/* ---- bases and sets ---- */

static unsigned
ppts_of(const struct config_tenant *t)
{
	unsigned ppts = 0;

	for (size_t i = 0; t->enabled && i < t->credentials; i++)
		ppts |= policy_ppts_passed(t, &t->credential[i]);
	return ppts;
}

static size_t
slots_of(const struct config *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->tenants; i++)
		n += c->tenant[i].credentials;
	return n;
}

enum rc
credset_base_new(const struct credset_parts *parts, struct credset_base **out, struct fault *f)
{
	AUTO_CREDSET_BASE *b = calloc(1, sizeof *b);

	if (b == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a snapshot");
	atomic_init(&b->refs, 1);
	TRY(holders_build(&b->holders, parts->config, f));
	b->slots = slots_of(parts->config);
	for (size_t i = 0; i < parts->config->tenants; i++)
		b->ppts |= ppts_of(&parts->config->tenant[i]);
	b->parts = *parts; /* from here on they are ours */
	*out = TAKE(b);
	return RC_OK;
}

/* Its numbers are its own wherever they are not the root's. */
static void
config_unshare(struct config *c, const struct config *root)
{
	for (size_t i = 0; c != NULL && c->tenant != NULL && i < c->tenants; i++) {
		if (c->tenant[i].numbers != root->tenant[i].numbers)
			tnset_free(c->tenant[i].numbers);
		if (c->tenant[i].asked != root->tenant[i].asked)
			tnset_free(c->tenant[i].asked);
		members_release(c->tenant[i].members);
	}
	if (c != NULL)
		free(c->tenant);
	free(c);
}

void
credset_base_release(struct credset_base *b)
{
	if (b == NULL || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	holders_done(&b->holders);
	if (b->root != NULL) {
		config_unshare(b->parts.config, b->root->parts.config);
		credset_base_release(b->root);
		free(b);
		return;
	}
	ctlogs_free(b->parts.ctlogs);
	anchors_free(b->parts.anchors);
	anchors_free(b->parts.authority_anchors);
	chain_free(b->parts.crl_issuers);
	peers_free(b->parts.peers);
	config_free(b->parts.config);
	free(b);
}

const uint8_t *
credset_judged_by(const struct credset *s)
{
	return s->judged_by;
}

static void
set_borrow(struct credset *s, struct credset_base *b)
{
	const struct config *c = b->parts.config;
	size_t at = 0;

	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	s->base = b;
	s->config = c;
	s->ctlogs = b->parts.ctlogs;
	s->anchors = b->parts.anchors;
	s->authority_anchors = b->parts.authority_anchors;
	memcpy(s->judged_by, b->parts.judged_by, sizeof s->judged_by);
	s->crl_issuers = b->parts.crl_issuers;
	s->holders = &b->holders;
	s->slots = b->slots;
	s->ppts = b->ppts;
	for (size_t i = 0; i < c->tenants; i++) {
		s->tenant[i] = (struct credset_tenant){ &c->tenant[i], s->slot + at };
		at += c->tenant[i].credentials;
	}
}

enum rc
credset_new(struct credset_base *base, struct credset **out, struct fault *f)
{
	struct credset *s = calloc(1, sizeof *s);

	if (s != NULL) {
		s->tenant = calloc(base->parts.config->tenants + 1, sizeof *s->tenant);
		s->slot = calloc(base->slots + 1, sizeof(struct credential *));
		s->before = calloc(base->slots + 1, sizeof(struct credential *));
		s->failed_over_at_s = calloc(base->slots + 1, sizeof *s->failed_over_at_s);
		s->x5u = x5u_new(2 * base->slots);
	}
	if (s == NULL || s->tenant == NULL || s->slot == NULL || s->before == NULL ||
	    s->failed_over_at_s == NULL || s->x5u == NULL) {
		if (s != NULL) {
			free(s->tenant);
			free(s->slot);
			free(s->before);
			free(s->failed_over_at_s);
			x5u_free(s->x5u);
		}
		free(s);
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a snapshot");
	}
	atomic_init(&s->refs, 1);
	set_borrow(s, base);
	*out = s;
	return RC_OK;
}

struct credset *
credset_ref(struct credset *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void
credset_release(struct credset *s)
{
	if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < s->slots; i++) {
		credential_release(s->slot[i]);
		credential_release(s->before[i]);
	}
	free(s->slot);
	free(s->before);
	free(s->failed_over_at_s);
	free(s->tenant);
	x5u_free(s->x5u);
	contents_release(s->contents);
	trust_release(s->trust);
	credset_base_release(s->base);
	free(s);
}

static size_t
slot_of(const struct credset *s, struct credset_place at)
{
	return (size_t)(&s->tenant[at.tenant].credential[at.credential] - s->slot);
}

/* What a list by reference has lost since must not be signed with the older one (D-46). */
static bool
same_list(const struct credential *a, const struct credential *b)
{
	return a->list == NULL || (b->list != NULL && memcmp(a->list->digest, b->list->digest,
							  sizeof a->list->digest) == 0);
}

static bool
is_renewed_by(const struct credential *old, const struct credential *c)
{
	return old->state == CREDENTIAL_READY && c->state == CREDENTIAL_READY &&
	       old->not_before_s < c->not_before_s && same_list(old, c);
}

static void
put_before(struct credset *s, size_t i, struct credential *c)
{
	x5u_remove(s, s->slots + i);
	credential_release(s->before[i]);
	s->before[i] = c;
	x5u_add(s, s->slots + i);
}

void
credset_put(struct credset *s, struct credset_place at, struct credential *c)
{
	size_t i = slot_of(s, at);
	struct credential *old = s->slot[i];

	if (old != NULL && atomic_load(&c->used_at_s) == 0)
		credential_used(c, atomic_load(&old->used_at_s));
	put_before(s, i, NULL);
	x5u_remove(s, i);
	s->slot[i] = c;
	x5u_add(s, i);
	if (old != NULL && is_renewed_by(old, c))
		put_before(s, i, old);
	else
		credential_release(old);
}

void
credset_fail_over(struct credset *s, struct credset_place at, int64_t since_s)
{
	s->failed_over_at_s[slot_of(s, at)] = since_s;
}

void
credset_put_before(struct credset *s, struct credset_place at, struct credential *c)
{
	put_before(s, slot_of(s, at), c);
}

void
credset_observe(struct credset *s, struct contents *t)
{
	contents_ref(t);
	contents_release(s->contents);
	s->contents = t;
}

/* An operator's file that is newer than what was fetched counts. */
static bool
is_newer(const struct trust_list *l, const struct ctlogs *file)
{
	return l != NULL && (file == NULL || l->issued_s >= ctlogs_issued_s(file));
}

enum rc
credset_joins(const struct credset *s, struct trust *t, struct fault *f)
{
	return trust_join(t, s->base->parts.anchors, f);
}

enum rc
credset_trust(struct credset *s, struct trust *t, struct fault *f)
{
	const struct credset_parts *p = &s->base->parts;
	const struct trust_list *logs = t->list[TRUST_LOGS];
	AUTO_BUF seen = BUF_INIT(sizeof p->judged_by + TRUST__KINDS * TRUST_DIGEST);

	buf_put(&seen, p->judged_by, sizeof p->judged_by);
	s->ctlogs = p->ctlogs;
	TRY(trust_join(t, p->anchors, f));
	s->anchors = t->anchors != NULL ? t->anchors : p->anchors;
	if (t->anchors != NULL)
		buf_put(&seen, t->list[TRUST_ROOTS]->digest, TRUST_DIGEST);
	if (is_newer(logs, p->ctlogs)) {
		s->ctlogs = logs->ctlogs;
		buf_put(&seen, logs->digest, sizeof logs->digest);
	}
	trust_ref(t);
	trust_release(s->trust);
	s->trust = t;
	TRY(buf_check(&seen, f));
	return digest_sha256(buf_view(&seen), s->judged_by, f);
}

static void
copy_slot(struct credset *copy, size_t to, const struct credset *s, size_t from)
{
	if (s->slot[from] != NULL)
		copy->slot[to] = credential_ref(s->slot[from]);
	if (s->before[from] != NULL)
		copy->before[to] = credential_ref(s->before[from]);
	copy->failed_over_at_s[to] = s->failed_over_at_s[from];
	x5u_add(copy, to);
	x5u_add(copy, copy->slots + to);
}

/* Each tenant of base has what it has in s, and perhaps more behind it. */
static enum rc
copy_onto(
    struct credset_base *base, const struct credset *s, struct credset **out, struct fault *f)
{
	AUTO_CREDSET *copy = NULL;

	TRY(credset_new(base, &copy, f));
	for (size_t t = 0; t < s->config->tenants; t++) {
		size_t from = (size_t)(s->tenant[t].credential - s->slot);
		size_t to = (size_t)(copy->tenant[t].credential - copy->slot);

		for (size_t i = 0; i < s->config->tenant[t].credentials; i++)
			copy_slot(copy, to + i, s, from + i);
	}
	if (s->contents != NULL)
		credset_observe(copy, s->contents);
	if (s->trust != NULL)
		TRY(credset_trust(copy, s->trust, f));
	copy->loading = s->loading;
	*out = TAKE(copy);
	return RC_OK;
}

enum rc
credset_copy(const struct credset *s, struct credset **out, struct fault *f)
{
	return copy_onto(s->base, s, out, f);
}

/* ---- the same with other numbers ---- */

static enum rc
copy_numbers(
    const struct tnset *from, const struct tnset *root, struct tnset **out, struct fault *f)
{
	if (from == NULL || from == root) {
		*out = (struct tnset *)(uintptr_t)from;
		return RC_OK;
	}
	return tnset_union(from, NULL, out, f);
}

/* As change says, as root has it, or as it was before. */
static enum rc
renumber_one(struct config_tenant *t, const struct config_tenant *root,
    const struct credset_renumber *change, struct fault *f)
{
	struct tnset *listed = root->renumbered ? root->listed : root->numbers;
	const struct tnset *numbers = change != NULL ? change->numbers : t->numbers;
	const struct tnset *asked = change != NULL ? change->asked : t->asked;

	t->numbers = root->numbers; /* until they are copied: nothing to free */
	t->asked = root->asked;
	t->members = members_ref(change != NULL ? change->members : t->members);
	if (t->members != NULL) {
		t->credential = t->members->credential;
		t->credentials = t->members->len;
	}
	TRY(copy_numbers(numbers, root->numbers, &t->numbers, f));
	TRY(copy_numbers(asked, root->asked, &t->asked, f));
	if (change == NULL)
		return RC_OK;
	t->listed = listed;
	t->renumbered = true;
	t->renumber_at_s = change->renumber_at_s;
	t->added = tnset_count_beyond(t->numbers, listed);
	t->removed = tnset_count_beyond(listed, t->numbers);
	return RC_OK;
}

static enum rc
renumber_config(struct config *c, const struct config *from, const struct config *root,
    const struct credset_renumber *change, size_t n, struct fault *f)
{
	size_t k = 0;

	c->tenant = calloc(from->tenants + 1, sizeof *c->tenant);
	if (c->tenant == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu tenants", from->tenants);
	for (size_t i = 0; i < from->tenants; i++) { /* nothing of its own yet */
		c->tenant[i] = root->tenant[i];
		c->tenant[i].members = NULL;
	}
	for (size_t i = 0; i < from->tenants; i++) {
		bool changed = k < n && change[k].tenant == i;
		struct config_tenant t = from->tenant[i];
		enum rc rc = renumber_one(&t, &root->tenant[i], changed ? &change[k] : NULL, f);

		c->tenant[i] = t;
		TRY(rc);
		k += changed;
	}
	return RC_OK;
}

static enum rc
base_renumber(const struct credset *s, const struct credset_renumber *change, size_t n,
    struct credset_base **out, struct fault *f)
{
	struct credset_base *root = s->base->root != NULL ? s->base->root : s->base;
	AUTO_CREDSET_BASE *b = calloc(1, sizeof *b);

	if (b == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a snapshot");
	atomic_init(&b->refs, 1);
	atomic_fetch_add_explicit(&root->refs, 1, memory_order_relaxed);
	b->root = root;
	b->parts = root->parts;
	b->ppts = s->base->ppts;
	b->parts.config = malloc(sizeof *b->parts.config);
	if (b->parts.config == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a configuration");
	*b->parts.config = *root->parts.config;
	b->parts.config->tenant = NULL;
	TRY(renumber_config(b->parts.config, s->config, root->parts.config, change, n, f));
	b->slots = slots_of(b->parts.config);
	TRY(holders_build(&b->holders, b->parts.config, f));
	*out = TAKE(b);
	return RC_OK;
}

enum rc
credset_renumber(const struct credset *s, const struct credset_renumber *change, size_t n,
    struct credset **out, struct fault *f)
{
	AUTO_CREDSET_BASE *base = NULL;

	TRY(base_renumber(s, change, n, &base, f));
	return copy_onto(base, s, out, f);
}

enum rc
credset_offboard(
    const struct credset *s, size_t tenant, bool off, struct credset **out, struct fault *f)
{
	AUTO_CREDSET_BASE *base = NULL;

	TRY(base_renumber(s, NULL, 0, &base, f));
	offboarding_set(&base->parts.config->tenant[tenant], off);
	base->ppts = 0;
	for (size_t i = 0; i < s->config->tenants; i++)
		base->ppts |= ppts_of(&base->parts.config->tenant[i]);
	return copy_onto(base, s, out, f);
}

const void *
credset_files(const struct credset *s)
{
	return s->base->root != NULL ? s->base->root : s->base;
}

bool
credset_same_files(const struct credset *a, const struct credset *b)
{
	return credset_files(a) == credset_files(b);
}

/* Its key is in the token, and its certificate valid. */
static bool
may_sign(const struct credential *before, const struct credential *now, int64_t now_s)
{
	bool has_key =
	    before->token == now->token && memcmp(before->key_id, now->key_id, KEY_ID_LEN) == 0;

	return now_s <= before->not_after_s &&
	       (has_key || now_s <= now->installed_at_s + CREDENTIAL_BEFORE_S);
}

enum rc
credset_forget(const struct credset *s, int64_t now_s, struct credset **out, bool *changed,
    struct fault *f)
{
	AUTO_CREDSET *copy = NULL;
	bool any = false;

	TRY(credset_copy(s, &copy, f));
	for (size_t i = 0; i < copy->slots; i++) {
		if (copy->before[i] == NULL || may_sign(copy->before[i], copy->slot[i], now_s))
			continue;
		put_before(copy, i, NULL);
		any = true;
	}
	*changed = any;
	*out = TAKE(copy);
	return RC_OK;
}

static bool
find_tenant(const struct config *c, const char *name, size_t *out)
{
	size_t lo = 0, hi = c->tenants, mid;
	int cmp;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		cmp = strcmp(c->tenant[mid].name, name);
		if (cmp == 0) {
			*out = mid;
			return true;
		}
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

bool
credset_find(
    const struct credset *s, const char *tenant, const char *name, struct credset_place *out)
{
	const struct config_tenant *t;
	size_t at;

	if (!find_tenant(s->config, tenant, &at))
		return false;
	t = &s->config->tenant[at];
	for (size_t i = 0; i < t->credentials; i++) {
		if (strcmp(t->credential[i].name, name) == 0) {
			*out = (struct credset_place){ at, i };
			return true;
		}
	}
	return false;
}

struct credential *
credset_credential(const struct credset *s, struct credset_place at)
{
	return s->tenant[at.tenant].credential[at.credential];
}

const struct config_credential *
credset_config(const struct credset *s, struct credset_place at)
{
	return &s->config->tenant[at.tenant].credential[at.credential];
}

struct credential *
credset_before(const struct credset *s, struct credset_place at, int64_t now_s)
{
	size_t i = slot_of(s, at);
	struct credential *c = s->before[i];

	return c != NULL && may_sign(c, s->slot[i], now_s) ? c : NULL;
}

struct credential *
credset_dated(const struct credset *s, struct credset_place at, int64_t iat_s, int64_t now_s)
{
	struct credential *now = credset_credential(s, at), *before;

	if (now->state != CREDENTIAL_READY || iat_s >= now->not_before_s)
		return now;
	before = credset_before(s, at, now_s);
	return before != NULL && iat_s >= before->not_before_s ? before : now;
}

bool
credset_serves(const struct credset *s, struct credset_place at, const struct credential *c)
{
	return c == credset_credential(s, at) || c == s->before[slot_of(s, at)];
}
