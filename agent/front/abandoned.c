#include "agent/front/abandoned.h"

#include "agent/front/keyfile.h"
#include "agent/front/pending.h"
#include "agent/front/retire.h"
#include "agent/front/store.h"
#include "agent/log.h"

enum { DAY_S = 86400 };

struct look {
	struct works *w;
	int64_t now_s;
	const char *tenants; /* the directory of all */
	const char *tenant;  /* while its credentials are gone through */
};

static bool
is_over(const struct look *l, const char *name)
{
	const struct config *c = l->w->set->config;
	int64_t since_s = pending_since_s(c, l->tenant, name);

	return since_s > 0 && since_s <= l->now_s &&
	       l->now_s - since_s >= (int64_t)c->abandoned_key_after * DAY_S;
}

/* It had a certificate: what was in force may be so again. */
static bool
was_in_force(const struct look *l, const char *name)
{
	struct store_path path = { 0 };

	return load_path(l->w->set->config, l->tenant, name, &path, NULL) != RC_OK ||
	       store_mtime(path.text) != 0;
}

/* Recorded first: a crash in between must not lose the key's end. */
static enum rc
give_up(const struct look *l, const char *name, struct fault *f)
{
	const struct config *c = l->w->set->config;
	AUTO_PENDING p = { 0 };
	struct keyfile k = { .made_s = 0 };
	unsigned token = 0;

	TRY(pending_read(c, l->tenant, name, &p, f));
	TRY(keyfile_read(c, p.facts.key_id, &k, f));
	if (k.imported)
		return FAULT(f, RC_DENIED, "imported", "a key from a file");
	TRY(works_token_index(l->w, k.token, &token, f));
	TRY(retire_note_of(l->w, p.facts.key_id,
	    &(struct retire_whose){ k.token, l->tenant, name }, l->now_s, f));
	TRY(pending_remove(c, l->tenant, name, f));
	log_event(LEVEL_NOTICE, "order_abandoned", "tenant=%s credential=%s", l->tenant, name);
	return RC_OK;
}

static enum rc
look_at(void *arg, const char *name, struct fault *f)
{
	const struct look *l = arg;
	struct fault why = { 0 };
	struct credset_place at;

	(void)f;
	if (!store_name_ok(name) || credset_find(l->w->set, l->tenant, name, &at) ||
	    !is_over(l, name) || was_in_force(l, name))
		return RC_OK;
	if (give_up(l, name, &why) != RC_OK)
		log_event(LEVEL_WARNING, "order_kept",
		    "tenant=%s credential=%s reason=%s detail=\"%s\"", l->tenant, name,
		    why.reason, why.detail);
	return RC_OK; /* the others are none the worse */
}

static enum rc
look_at_tenant(void *arg, const char *tenant, struct fault *f)
{
	struct look *l = arg;
	struct store_path dir = { 0 };

	if (!store_name_ok(tenant))
		return RC_OK;
	TRY(store_path(&dir, f, "%s/%s", l->tenants, tenant));
	l->tenant = tenant;
	return store_each(dir.text, look_at, l, f);
}

int64_t
abandoned_look(struct works *w, int64_t now_s)
{
	struct store_path dir = { 0 };
	struct look l = { .w = w, .now_s = now_s, .tenants = dir.text };
	struct fault why = { 0 };
	enum rc rc;

	if (w->set->config->abandoned_key_after == 0)
		return now_s + ABANDONED_LOOK_S;
	rc = store_path(&dir, &why, "%s/front/tenants", w->set->config->state_dir);
	if (rc == RC_OK)
		rc = store_each(dir.text, look_at_tenant, &l, &why);
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "abandoned_orders", &why);
	return now_s + ABANDONED_LOOK_S;
}
