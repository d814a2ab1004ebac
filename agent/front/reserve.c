#include "agent/front/reserve.h"

#include <sys/stat.h>

#include "agent/front/ops.h"
#include "agent/front/store.h"
#include "agent/log.h"
#include "agent/members.h"
#include "stir/jtext.h"

enum { RESERVE_FILE_MAX = 256, RESERVE_MODE = 0600 };

/* ---- files ---- */

static enum rc
path_of(const struct config *c, const char *tenant, const char *name, struct store_path *out,
    struct fault *f)
{
	return store_path(out, f, "%s/front/failover/%s/%s.json", c->state_dir, tenant, name);
}

static enum rc
read_file(const struct config *c, const char *tenant, const char *name, int64_t *since_s,
    struct fault *f)
{
	struct store_path path = { 0 };
	AUTO_BUF text = BUF_INIT(RESERVE_FILE_MAX);
	json_auto_t *root = NULL;
	json_int_t since = 0;

	TRY(path_of(c, tenant, name, &path, f));
	TRY(store_read(path.text, RESERVE_FILE_MAX, &text, f));
	if (jtext_read(buf_view(&text), &root, NULL) != RC_OK ||
	    json_unpack(root, "{s:I!}", "since", &since) != 0 || since <= 0)
		return FAULT(
		    f, RC_INVALID, "failover_file", "%s is not as we write it", path.text);
	*since_s = since;
	return RC_OK;
}

static enum rc
write_file(const struct config *c, const char *tenant, const char *name, int64_t since_s,
    struct fault *f)
{
	struct store_path path = { 0 };
	AUTO_BUF text = BUF_INIT(RESERVE_FILE_MAX);
	json_auto_t *root = json_pack("{s:I}", "since", (json_int_t)since_s);
	struct fault why = { 0 };
	enum rc rc;

	if (root == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a fail-over");
	TRY(path_of(c, tenant, name, &path, f));
	TRY(jtext_write(&text, root, f));
	TRY(buf_check(&text, f));
	rc = store_write(path.text, buf_view(&text), RESERVE_MODE, f);
	/* It may be there and not last: what is refused is not there. */
	if (rc != RC_OK && store_remove(path.text, &why) != RC_OK)
		log_fault(LEVEL_ERR, "failover_kept", &why);
	return rc;
}

static enum rc
remove_file(const struct config *c, const char *tenant, const char *name, struct fault *f)
{
	struct store_path path = { 0 };

	TRY(path_of(c, tenant, name, &path, f));
	return store_remove(path.text, f);
}

/* A file that is there, whatever is in it; what a disk cannot tell is nobody's word. */
static bool
is_there(const struct config *c, const char *tenant, const char *name)
{
	struct store_path path = { 0 };
	struct stat st;

	return path_of(c, tenant, name, &path, NULL) == RC_OK && lstat(path.text, &st) == 0;
}

/* The section whose fail-over it is about; NULL: it is of no pair. */
static const char *
pair_of(const struct config_credential *cc)
{
	return cc->reserve != NULL ? cc->base : cc->reserve_for;
}

/* Read once for all of a pair, which is of one mind whatever the disk does meanwhile. */
static bool
is_known(const struct credset *set, struct credset_place at, int64_t *since_s)
{
	const char *pair = pair_of(credset_config(set, at));
	struct credset_place other = { at.tenant, 0 };

	for (; other.credential < at.credential; other.credential++) {
		const char *of = pair_of(credset_config(set, other));

		if (of == NULL || strcmp(of, pair) != 0)
			continue;
		*since_s = credset_failed_over(set, other);
		return true;
	}
	return false;
}

/* What was told of this place before; false: nothing was, as at a start. */
static bool
was_told(const struct credset *old, const char *tenant, const struct config_credential *cc,
    int64_t *since_s)
{
	struct credset_place at;

	if (old == NULL || !credset_find(old, tenant, cc->name, &at))
		return false;
	*since_s = credset_failed_over(old, at);
	return true;
}

static int64_t
read_since(const struct credset *set, struct credset_place at, const struct credset *old,
    int64_t now_s)
{
	const struct config *c = set->config;
	const struct config_credential *cc = credset_config(set, at);
	const char *tenant = c->tenant[at.tenant].name, *name = pair_of(cc);
	struct fault why = { 0 };
	int64_t since_s = 0;

	if (read_file(c, tenant, name, &since_s, &why) == RC_OK)
		return since_s;
	if (why.rc == RC_NOT_FOUND)
		return 0;
	log_fault(LEVEL_ERR, "failover_unreadable", &why);
	if (was_told(old, tenant, cc, &since_s))
		return since_s;
	return is_there(c, tenant, name) ? now_s : 0;
}

void
reserve_look(
    struct credset *set, struct credset_place at, const struct credset *old, int64_t now_s)
{
	int64_t since_s = 0;

	if (pair_of(credset_config(set, at)) == NULL)
		return;
	if (!is_known(set, at, &since_s))
		since_s = read_since(set, at, old, now_s);
	credset_fail_over(set, at, since_s);
}

/* ---- what is about nothing any more ---- */

struct sweep {
	const struct config *config;
	const char *dir, *tenant;
};

static bool
has_reserve(const struct config *c, const char *tenant, const char *base)
{
	const struct config_tenant *t = config_tenant_find(c, tenant);

	for (size_t i = 0; t != NULL && i < t->credentials; i++) {
		if (t->credential[i].reserve != NULL &&
		    strcmp(t->credential[i].base, base) == 0)
			return true;
	}
	return false;
}

static enum rc
sweep_file(void *arg, const char *file, struct fault *f)
{
	static const char end[] = ".json";
	const struct sweep *s = arg;
	char name[CONFIG_NAME_MAX + 1] = "";
	size_t len = strlen(file), tail = sizeof end - 1;

	if (len <= tail || len - tail > CONFIG_NAME_MAX || strcmp(file + len - tail, end) != 0)
		return RC_OK;
	memcpy(name, file, len - tail);
	if (has_reserve(s->config, s->tenant, name))
		return RC_OK;
	log_event(
	    LEVEL_NOTICE, "failover_forgotten", "tenant=%s credential=%s", s->tenant, name);
	return remove_file(s->config, s->tenant, name, f);
}

static enum rc
sweep_tenant(void *arg, const char *tenant, struct fault *f)
{
	struct sweep s = *(const struct sweep *)arg;
	struct store_path dir = { 0 };

	if (!store_name_ok(tenant))
		return RC_OK;
	TRY(store_path(&dir, f, "%s/%s", s.dir, tenant));
	s.tenant = tenant;
	return store_each(dir.text, sweep_file, &s, f);
}

void
reserve_settle(const struct config *c)
{
	struct store_path dir = { 0 };
	struct sweep s = { .config = c, .dir = dir.text };
	struct fault why = { 0 };
	enum rc rc = store_path(&dir, &why, "%s/front/failover", c->state_dir);

	if (rc == RC_OK)
		rc = store_each(dir.text, sweep_tenant, &s, &why);
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "failover_kept", &why);
}

/* ---- an operator's word ---- */

/* Of a section with a reserve: who is meant. */
struct pair {
	size_t tenant; /* index in the configuration */
	const struct config_credential *main;
	bool over; /* asked for */
};

static const struct config_credential *
find_section(const struct config_tenant *t, const char *base)
{
	for (size_t i = 0; i < t->credentials; i++) {
		if (strcmp(t->credential[i].base, base) == 0)
			return &t->credential[i];
	}
	return NULL;
}

static enum rc
find_pair(const struct works *w, const char *tenant, const char *name, struct pair *out,
    struct fault *f)
{
	const struct config *c = w->set->config;
	const struct config_tenant *t = config_tenant_find(c, tenant);
	const struct config_credential *cc = t != NULL ? find_section(t, name) : NULL;

	if (cc == NULL)
		return REFUSE(
		    f, RC_NOT_FOUND, NOT_FOUND, NULL, "no credential section of that name");
	if (cc->reserve_for != NULL)
		return REFUSE(f, RC_CONFLICT, CONFLICT, NULL,
		    "credential '%s' is the reserve: name '%s', which it is for", cc->base,
		    cc->reserve_for);
	if (cc->reserve == NULL)
		return REFUSE(f, RC_CONFLICT, CONFLICT, NULL,
		    "credential '%s' has no reserve: none names it by reserve_for", cc->base);
	out->tenant = (size_t)(t - c->tenant);
	out->main = cc;
	return RC_OK;
}

static bool
serves(const struct credset *set, struct credset_place at, int64_t now_s)
{
	const struct credential *c = credset_credential(set, at);

	return credential_serves(c, now_s) && credential_may_sign(c, now_s, NULL) == RC_OK;
}

/* The next certificate of the tenant: the copies of one, in several tokens, stand together. */
static bool
is_copy(const struct config_credential *a, const struct config_credential *b)
{
	return a->shard == b->shard && strcmp(a->base, b->base) == 0;
}

/* Of the copies one is enough; none is needed for no numbers. */
const struct config_credential *
reserve_lacks(const struct credset *set, size_t tenant, const char *base, int64_t now_s)
{
	const struct config_tenant *t = &set->config->tenant[tenant];
	struct credset_place at = { tenant, 0 };

	while (at.credential < t->credentials) {
		const struct config_credential *first = credset_config(set, at);
		const struct tnset *part = members_numbers(t, first);
		bool well =
		    strcmp(first->base, base) != 0 || (part != NULL && tnset_len(part) == 0);

		do
			well = well || serves(set, at, now_s);
		while (++at.credential < t->credentials &&
		       is_copy(first, credset_config(set, at)));
		if (!well)
			return first;
	}
	return NULL;
}

/* To go over to what cannot sign is the end of signing, and that is another command's. */
static enum rc
check_in_force(const struct works *w, const struct pair *p, int64_t now_s, struct fault *f)
{
	const char *base = p->over ? p->main->reserve : p->main->base;
	const struct config_credential *lacks = reserve_lacks(w->set, p->tenant, base, now_s);

	if (lacks == NULL)
		return RC_OK;
	return REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL,
	    "credential '%s', which would sign, has no certificate in force: vesper cert show "
	    "%s/%s",
	    lacks->name, w->set->config->tenant[p->tenant].name, lacks->name);
}

static void
mark(struct credset *set, const struct pair *p, int64_t since_s)
{
	const struct config_tenant *t = &set->config->tenant[p->tenant];
	struct credset_place at = { p->tenant, 0 };

	for (; at.credential < t->credentials; at.credential++) {
		const char *base = credset_config(set, at)->base;

		if (strcmp(base, p->main->base) == 0 || strcmp(base, p->main->reserve) == 0)
			credset_fail_over(set, at, since_s);
	}
}

/* In one step: whoever decides has a set in which one of the two signs. */
static enum rc
put_in_force(struct works *w, const struct pair *p, int64_t since_s, struct fault *f)
{
	AUTO_CREDSET *set = NULL;

	TRY(credset_copy(w->set, &set, f));
	mark(set, p, since_s);
	TRY(w->out.publish(w->out.arg, set, false, f));
	credset_release(w->set);
	w->set = TAKE(set);
	return RC_OK;
}

static int64_t
since_of(const struct works *w, const struct pair *p)
{
	const struct config_tenant *t = &w->set->config->tenant[p->tenant];
	struct credset_place at = { p->tenant, (size_t)(p->main - t->credential) };

	return credset_failed_over(w->set, at);
}

/* What could not be removed for good is there again: memory and a restart agree. */
static enum rc
forget(const struct config *c, const char *tenant, const char *name, int64_t since_s,
    struct fault *f)
{
	struct fault why = { 0 };
	enum rc rc = remove_file(c, tenant, name, f);

	if (rc != RC_OK && write_file(c, tenant, name, since_s, &why) != RC_OK)
		log_fault(LEVEL_ERR, "failover_lost", &why);
	return rc;
}

/* On disk before it holds; what could not be put in force is not on disk either. */
static enum rc
change(struct works *w, const struct pair *p, int64_t now_s, struct fault *f)
{
	const struct config *c = w->set->config;
	const char *tenant = c->tenant[p->tenant].name, *name = p->main->base;
	int64_t was_s = since_of(w, p);
	struct fault why = { 0 };
	enum rc rc;

	if (p->over)
		TRY(write_file(c, tenant, name, now_s, f));
	else
		TRY(forget(c, tenant, name, was_s, f));
	rc = put_in_force(w, p, p->over ? now_s : 0, f);
	if (rc == RC_OK)
		return RC_OK;
	if (p->over && remove_file(c, tenant, name, &why) != RC_OK)
		log_fault(LEVEL_ERR, "failover_kept", &why);
	if (!p->over && write_file(c, tenant, name, was_s, &why) != RC_OK)
		log_fault(LEVEL_ERR, "failover_lost", &why);
	return rc;
}

static enum rc
go(struct works *w, const struct pair *p, int64_t now_s, struct fault *f)
{
	const char *event = p->over ? "failover" : "failback";
	const char *tenant = w->set->config->tenant[p->tenant].name, *name = p->main->base;

	TRY(check_in_force(w, p, now_s, f));
	TRY(change(w, p, now_s, f));
	log_event(LEVEL_NOTICE, event, "tenant=%s credential=%s reserve=%s", tenant, name,
	    p->main->reserve);
	works_audit(w, event, tenant, name, json_pack("{s:s}", "reserve", p->main->reserve));
	return RC_OK;
}

enum rc
reserve_switch(struct works *w, const char *tenant, const char *name, bool over, int64_t now_s,
    json_t *result, struct fault *f)
{
	struct pair p = { .over = over };
	int64_t since_s;

	TRY(find_pair(w, tenant, name, &p, f));
	if ((since_of(w, &p) != 0) != over)
		TRY(go(w, &p, now_s, f));
	since_s = since_of(w, &p);
	TRY(op_put(result, "tenant", json_string(tenant), f));
	TRY(op_put(result, "credential", json_string(name), f));
	TRY(op_put(result, "reserve", json_string(p.main->reserve), f));
	TRY(op_put(result, "failed_over", json_boolean(over), f));
	return op_put(result, "since", since_s != 0 ? json_integer(since_s) : json_null(), f);
}
