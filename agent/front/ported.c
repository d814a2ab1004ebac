#include "agent/front/ported.h"

#include <stdio.h>

#include "agent/front/keyfile.h"
#include "agent/front/load.h"
#include "agent/front/revoke.h"
#include "agent/front/store.h"
#include "agent/log.h"
#include "stir/jtext.h"
#include "stir/text.h"

enum { PORTED_FILE_MAX = 2048, ID_LEN = CREDENTIAL_FINGERPRINT - 1 };

/* ---- files ---- */

static enum rc
path_of(const struct config *c, const char *id, struct store_path *out, struct fault *f)
{
	return store_path(out, f, "%s/front/ported/%s.json", c->state_dir, id);
}

static enum rc
write_file(const struct config *c, const struct works_port *p, struct fault *f)
{
	struct store_path path = { 0 };
	json_auto_t *root = json_pack("{s:s, s:s, s:s, s:I, s:I}", "tenant", p->tenant,
	    "credential", p->name, "serial", p->serial, "not_after", (json_int_t)p->not_after_s,
	    "since", (json_int_t)p->since_s);

	TRY(path_of(c, p->id, &path, f));
	return store_write_json(path.text, root, PORTED_FILE_MAX, f);
}

static bool
take(json_t *root, struct works_port *p)
{
	const char *tenant, *name, *serial;
	json_int_t not_after, since;

	if (json_unpack(root, "{s:s, s:s, s:s, s:I, s:I!}", "tenant", &tenant, "credential",
		&name, "serial", &serial, "not_after", &not_after, "since", &since) != 0)
		return false;
	p->not_after_s = not_after;
	p->since_s = since;
	return store_name_ok(tenant) && store_name_ok(name) &&
	       text_copy(p->tenant, sizeof p->tenant, tenant) &&
	       text_copy(p->name, sizeof p->name, name) &&
	       text_copy(p->serial, sizeof p->serial, serial);
}

/* ---- the list ---- */

static struct works_port *
find(const struct works *w, const char *id)
{
	for (size_t i = 0; i < w->ported.len; i++) {
		if (strcmp(w->ported.item[i].id, id) == 0)
			return &w->ported.item[i];
	}
	return NULL;
}

static enum rc
add(struct works *w, const struct works_port *p, struct fault *f)
{
	struct works_ports *list = &w->ported;
	struct works_port *item;

	if (list->len < list->cap) {
		list->item[list->len++] = *p;
		return RC_OK;
	}
	if (list->len >= PORTED_MAX)
		return REFUSE(f, RC_BUSY, OVERLOADED, NULL, "%d are on record", PORTED_MAX);
	item = works_grown(list->item, list->len, &list->cap, sizeof *item);
	if (item == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "ported numbers' certificates");
	list->item = item;
	list->item[list->len++] = *p;
	return RC_OK;
}

void
ported_done(struct works *w)
{
	free(w->ported.item);
	w->ported = (struct works_ports){ 0 };
}

static enum rc
load_one(void *arg, const char *file, struct fault *f)
{
	struct works *w = arg;
	struct works_port p = { .since_s = 0 };
	struct store_path path = { 0 };
	json_auto_t *root = NULL;
	uint8_t digest[ID_LEN / 2];

	if (strlen(file) != ID_LEN + strlen(".json") ||
	    !works_unhex(file, digest, sizeof digest))
		return RC_OK;
	memcpy(p.id, file, ID_LEN);
	TRY(path_of(w->set->config, p.id, &path, f));
	if (store_read_json(path.text, PORTED_FILE_MAX, &root, NULL) == RC_OK && take(root, &p))
		return add(w, &p, f);
	/* The look at all tenants finds its certificate again. */
	log_event(LEVEL_WARNING, "ported_unreadable", "id=%.16s", p.id);
	return store_remove(path.text, f);
}

enum rc
ported_load(struct works *w, struct fault *f)
{
	struct store_path dir = { 0 };

	TRY(store_path(&dir, f, "%s/front/ported", w->set->config->state_dir));
	return store_each(dir.text, load_one, w, f);
}

static bool
forget(struct works *w, size_t i)
{
	struct store_path path = { 0 };
	struct fault why = { 0 };

	if (path_of(w->set->config, w->ported.item[i].id, &path, &why) != RC_OK ||
	    store_remove(path.text, &why) != RC_OK) {
		log_fault(LEVEL_WARNING, "ported_kept", &why);
		return false;
	}
	w->ported.item[i] = w->ported.item[--w->ported.len];
	return true;
}

size_t
ported_waiting(const struct works *w)
{
	return w->ported.len;
}

/* ---- which certificates ---- */

/* One that came with a key of an operator's may be wider than what we would have asked for. */
static bool
is_imported(const struct works *w, const struct cert *leaf)
{
	struct keyfile k = { .imported = false };

	return leaf->p256 && keyfile_read(w->set->config, leaf->key_id, &k, NULL) == RC_OK &&
	       k.imported;
}

/* What was ordered was within the tenant's numbers; what is not any more was removed. */
static bool
is_wide(const struct works *w, const struct config_tenant *t, const struct cert *leaf)
{
	const struct tnset *has = leaf->tnauth != NULL ? tnauth_numbers(leaf->tnauth) : NULL;

	return !t->numbers_lost && has != NULL && tnset_len(has) > 0 &&
	       (t->numbers == NULL || !tnset_within(has, t->numbers)) && !is_imported(w, leaf);
}

static enum rc
note(struct works *w, struct credset_place at, const struct cert *leaf, const char *id,
    int64_t now_s, struct fault *f)
{
	const struct credential *c = credset_credential(w->set, at);
	struct works_port p = { .since_s = now_s, .not_after_s = leaf->not_after_s };

	memcpy(p.id, id, sizeof p.id);
	snprintf(p.tenant, sizeof p.tenant, "%s", c->tenant);
	snprintf(p.name, sizeof p.name, "%s", c->name);
	snprintf(p.serial, sizeof p.serial, "%s", leaf->serial);
	TRY(write_file(w->set->config, &p, f));
	TRY(add(w, &p, f));
	log_event(LEVEL_NOTICE, "certificate_ported", "tenant=%s credential=%s serial=%s",
	    p.tenant, p.name, p.serial);
	works_audit(
	    w, "certificate_ported", p.tenant, p.name, json_pack("{s:s}", "serial", p.serial));
	return RC_OK;
}

/* Both ways: a number that came back is none that was removed. */
static enum rc
judge(struct works *w, struct credset_place at, const struct cert *leaf, int64_t now_s,
    struct fault *f)
{
	const struct config_tenant *t = &w->set->config->tenant[at.tenant];
	char id[CREDENTIAL_FINGERPRINT];
	const struct works_port *there;
	bool wide = leaf->not_after_s > now_s && is_wide(w, t, leaf);

	TRY(revocation_id(leaf, id, f));
	there = find(w, id);
	if (there == NULL && wide && revoke_find(w, id) == NULL)
		return note(w, at, leaf, id, now_s, f);
	if (there != NULL && !wide && !t->numbers_lost)
		(void)forget(w, (size_t)(there - w->ported.item));
	return RC_OK;
}

struct look {
	struct works *w;
	struct credset_place at;
	const char *dir;
	int64_t now_s;
};

/* A chain that was in force; one that cannot be read can be of no use to find_cert() either. */
static enum rc
look_at_file(void *arg, const char *file, struct fault *f)
{
	static const char begin[] = "before-";
	const struct look *l = arg;
	struct store_path path = { 0 };
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);
	AUTO(chain) *chain = NULL;

	if (strncmp(file, begin, sizeof begin - 1) != 0)
		return RC_OK;
	TRY(store_path(&path, f, "%s/%s", l->dir, file));
	if (store_read(path.text, CHAIN_MAX_BYTES, &pem, NULL) != RC_OK ||
	    chain_read_pem(buf_view(&pem), true, &chain, NULL) != RC_OK)
		return RC_OK;
	return judge(l->w, l->at, chain->cert[0], l->now_s, f);
}

static enum rc
look_at(struct works *w, struct credset_place at, int64_t now_s, struct fault *f)
{
	struct credential *c = credset_credential(w->set, at);
	struct store_path dir = { 0 };
	struct look l = { w, at, dir.text, now_s };

	if (c->state == CREDENTIAL_LOADING || profile_rule(c->profile)->cls == CLASS_SP)
		return RC_OK;
	if (c->state == CREDENTIAL_READY)
		TRY(judge(w, at, c->chain->cert[0], now_s, f));
	TRY(store_path(
	    &dir, f, "%s/front/tenants/%s/%s", w->set->config->state_dir, c->tenant, c->name));
	return store_each(dir.text, look_at_file, &l, f);
}

/* ---- when ---- */

/* INT64_MAX: never. */
static int64_t
due_s(const struct works_port *p, const struct config_tenant *t)
{
	if (t->port_revoke_after_s == CONFIG_PORT_REVOKE_NEVER ||
	    p->not_after_s <= p->since_s + t->port_revoke_after_s)
		return INT64_MAX;
	return p->since_s + t->port_revoke_after_s;
}

/* 0: not at all. */
static int64_t
revoke_at_s(const struct works *w, const struct works_port *p)
{
	const struct config_tenant *t = config_tenant_find(w->set->config, p->tenant);
	int64_t at_s = t != NULL ? due_s(p, t) : INT64_MAX;

	return at_s != INT64_MAX ? at_s : 0;
}

int64_t
ported_revoke_at_s(const struct works *w, const char *id)
{
	const struct works_port *p = find(w, id);

	return p != NULL ? revoke_at_s(w, p) : 0;
}

static void
tell(const struct works *w, const struct works_port *p)
{
	struct credset_place at;
	int64_t at_s = revoke_at_s(w, p), before_s;
	struct credential *c;

	if (at_s == 0 || !credset_find(w->set, p->tenant, p->name, &at))
		return;
	c = credset_credential(w->set, at);
	before_s = atomic_load(&c->port_revoke_at_s);
	if (before_s == 0 || at_s < before_s)
		atomic_store(&c->port_revoke_at_s, at_s);
}

/* What the credentials of this tenant say. */
static void
tell_tenant(const struct works *w, const char *tenant)
{
	const struct config_tenant *t = config_tenant_find(w->set->config, tenant);
	struct credset_place at = { t != NULL ? (size_t)(t - w->set->config->tenant) : 0, 0 };

	for (; t != NULL && at.credential < t->credentials; at.credential++)
		atomic_store(&credset_credential(w->set, at)->port_revoke_at_s, 0);
	for (size_t i = 0; i < w->ported.len; i++) {
		if (strcmp(w->ported.item[i].tenant, tenant) == 0)
			tell(w, &w->ported.item[i]);
	}
}

void
ported_look(struct works *w, size_t tenant, int64_t now_s)
{
	const struct config_tenant *t = &w->set->config->tenant[tenant];
	struct credset_place at = { tenant, 0 };

	for (; at.credential < t->credentials; at.credential++) {
		struct fault why = { 0 };

		if (look_at(w, at, now_s, &why) == RC_OK)
			continue;
		log_fault(LEVEL_ERR, "ported_unknown", &why);
		w->ported.again = true;
	}
	tell_tenant(w, t->name);
	w->ported_at_s = now_s;
}

void
ported_begin(struct works *w, int64_t now_s)
{
	w->ported.next = 0;
	w->ported_at_s = now_s;
}

/* ---- what is due ---- */

/* Is it in force, and are there numbers left that it serves? */
static bool
is_of_use(const struct works *w, struct credset_place at, const struct works_port *p)
{
	const struct config_tenant *t = &w->set->config->tenant[at.tenant];
	const struct credential *c = credset_credential(w->set, at);
	AUTO(tnset) *both = NULL;

	if (c->state != CREDENTIAL_READY || strcmp(c->fingerprint, p->id) != 0)
		return false;
	return t->numbers != NULL && (tnset_intersect(tnauth_numbers(c->chain->cert[0]->tnauth),
					  t->numbers, &both, NULL) != RC_OK ||
					 tnset_len(both) > 0);
}

/* RFC 5280 section 5.3.1: superseded where there is another one, else its use has ended. */
static enum rc
revoke_ported(struct works *w, struct credset_place at, const struct works_port *p,
    int64_t now_s, struct fault *f)
{
	const struct credential *c = credset_credential(w->set, at);
	const struct revocation *r = NULL;
	struct revoke_ask ask = { .serial = p->serial, .by_agent = true };
	bool other = c->state == CREDENTIAL_READY && strcmp(c->fingerprint, p->id) != 0;

	(void)revocation_reason(other ? "superseded" : "cessationOfOperation", &ask.reason);
	TRY(revoke_cert(w, at, &ask, now_s, &r, f));
	log_event(LEVEL_NOTICE, "ported_revoked", "tenant=%s credential=%s serial=%s",
	    p->tenant, p->name, p->serial);
	return RC_OK;
}

/* True when there is nothing more to do about it. */
static bool
settle(struct works *w, const struct works_port *p, int64_t now_s)
{
	struct credset_place at;
	struct fault why = { 0 };
	enum rc rc;

	if (p->not_after_s <= now_s || revoke_find(w, p->id) != NULL)
		return true;
	if (!credset_find(w->set, p->tenant, p->name, &at) ||
	    due_s(p, &w->set->config->tenant[at.tenant]) > now_s || is_of_use(w, at, p))
		return false;
	rc = revoke_ported(w, at, p, now_s, &why);
	if (rc != RC_OK)
		log_fault(LEVEL_ERR, "ported_unrevoked", &why);
	return rc == RC_OK || revoke_find(w, p->id) != NULL;
}

/* When the first of those that are not due yet is; at least that often. */
static int64_t
next_s(const struct works *w, int64_t now_s)
{
	int64_t at_s = now_s + PORTED_SWEEP_S;

	for (size_t i = 0; i < w->ported.len; i++) {
		int64_t one_s = revoke_at_s(w, &w->ported.item[i]);

		if (one_s > now_s && one_s < at_s)
			at_s = one_s;
	}
	return at_s;
}

/* A few tenants; false: there are more. */
static bool
look_on(struct works *w, int64_t now_s)
{
	for (size_t n = 0; n < PORTED_LOOK && w->ported.next < w->set->config->tenants; n++)
		ported_look(w, w->ported.next++, now_s);
	return w->ported.next >= w->set->config->tenants;
}

int64_t
ported_due(struct works *w, int64_t now_s)
{
	bool whole = look_on(w, now_s);

	for (size_t i = w->ported.len; i-- > 0;) {
		struct works_port p = w->ported.item[i];

		if (settle(w, &p, now_s) && forget(w, i))
			tell_tenant(w, p.tenant);
	}
	if (whole && w->ported.again) { /* of what could not be looked at or written */
		w->ported.again = false;
		w->ported.next = 0;
	}
	return whole ? next_s(w, now_s) : now_s;
}
