#include "agent/front/numbers.h"

#include "agent/front/division.h"
#include "agent/front/ops.h"
#include "agent/front/ported.h"
#include "agent/front/store.h"
#include "agent/front/tnjson.h"
#include "agent/front/want.h"
#include "agent/log.h"

enum { NUMBERS_FILE_MAX = NUMBERS_MAX_CHANGED * TNJSON_TEXT + 1024 };

/* What the file of a tenant holds. */
struct overlay {
	struct tnset *added, *removed, *waiting;
	int64_t since_s; /* when the window of those that wait was opened */
};

static void
overlay_done(struct overlay *o)
{
	tnset_free(o->added);
	tnset_free(o->removed);
	tnset_free(o->waiting);
}
#define AUTO_OVERLAY __attribute__((cleanup(overlay_done))) struct overlay

const struct tnset *
numbers_listed(const struct config_tenant *t)
{
	return t->renumbered ? t->listed : t->numbers;
}

static size_t
len_of(const struct tnset *set)
{
	return set != NULL ? tnset_len(set) : 0;
}

static uint64_t
count_of(const struct tnset *set)
{
	return set != NULL ? tnset_count(set) : 0;
}

/* ---- the file ---- */

static enum rc
path_of(const struct config *c, const struct config_tenant *t, struct store_path *out,
    struct fault *f)
{
	return store_path(out, f, "%s/front/numbers/%s.json", c->state_dir, t->name);
}

static enum rc
overlay_parse(struct span text, struct overlay *o, struct fault *f)
{
	json_auto_t *root = NULL;
	const json_t *since;

	(void)!jtext_read_foreign(text, NUMBERS_FILE_MAX, &root, NULL);
	since = json_object_get(root, "since");
	if (!json_is_object(root) || json_object_size(root) != 4 || !json_is_integer(since))
		return FAULT(f, RC_INVALID, "numbers_file", "not as it was written");
	TRY(tnjson_read(json_object_get(root, "added"), NUMBERS_MAX_CHANGED, &o->added, f));
	TRY(tnjson_read(json_object_get(root, "removed"), NUMBERS_MAX_CHANGED, &o->removed, f));
	TRY(tnjson_read(json_object_get(root, "waiting"), NUMBERS_MAX_CHANGED, &o->waiting, f));
	o->since_s = json_integer_value(since);
	return RC_OK;
}

static enum rc
overlay_read(
    const struct config *c, const struct config_tenant *t, struct overlay *o, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(NUMBERS_FILE_MAX);
	struct store_path path = { 0 };
	struct fault why = { 0 };

	TRY(path_of(c, t, &path, f));
	if (store_read(path.text, NUMBERS_FILE_MAX, &text, &why) == RC_OK &&
	    overlay_parse(buf_view(&text), o, &why) == RC_OK)
		return RC_OK;
	return FAULT(f, why.rc, why.reason, "%s: %s", path.text, why.detail);
}

static enum rc
overlay_write(const struct config *c, const struct config_tenant *t, const struct overlay *o,
    struct fault *f)
{
	AUTO_BUF text = BUF_INIT(NUMBERS_FILE_MAX);
	struct store_path path = { 0 };

	TRY(path_of(c, t, &path, f));
	if (len_of(o->added) + len_of(o->removed) + len_of(o->waiting) == 0)
		return store_remove(path.text, f);
	buf_str(&text, "{\"added\":");
	tnjson_write(&text, o->added);
	buf_str(&text, ",\"removed\":");
	tnjson_write(&text, o->removed);
	buf_str(&text, ",\"waiting\":");
	tnjson_write(&text, o->waiting);
	buf_printf(&text, ",\"since\":%lld}\n", (long long)o->since_s);
	TRY(buf_check(&text, f));
	return store_write(path.text, buf_view(&text), 0600, f);
}

/* Of a tenant as it stands: what its file has to hold. */
static enum rc
overlay_of(const struct config_tenant *t, struct overlay *o, struct fault *f)
{
	TRY(tnset_subtract(t->numbers, numbers_listed(t), &o->added, f));
	TRY(tnset_subtract(numbers_listed(t), t->numbers, &o->removed, f));
	if (t->renumber_at_s == 0 || t->asked == NULL)
		return RC_OK;
	o->since_s = t->renumber_at_s - t->renumber_window_s;
	return tnset_subtract(t->numbers, t->asked, &o->waiting, f);
}

static enum rc
keep(const struct config *c, const struct config_tenant *t, struct fault *f)
{
	AUTO_OVERLAY o = { 0 };
	size_t n;

	TRY(overlay_of(t, &o, f));
	n = len_of(o.added) + len_of(o.removed) + len_of(o.waiting);
	if (n > NUMBERS_MAX_CHANGED)
		return FAULT(f, RC_DENIED, "too_many_numbers",
		    "%zu blocks differ from the configuration, at most %d: bring it up to date "
		    "and reload",
		    n, NUMBERS_MAX_CHANGED);
	return overlay_write(c, t, &o, f);
}

/* ---- at load ---- */

static enum rc
apply(struct config_tenant *t, const struct overlay *o, int64_t now_s, struct fault *f)
{
	/* A clock that was set back does not make the wait longer. */
	int64_t since_s = o->since_s < now_s ? o->since_s : now_s;
	int64_t until_s = since_s + t->renumber_window_s;
	AUTO(tnset) *more = NULL, *now = NULL, *asked = NULL;

	TRY(tnset_union(t->numbers, o->added, &more, f));
	TRY(tnset_subtract(more, o->removed, &now, f));
	if (len_of(o->waiting) > 0 && until_s > now_s)
		TRY(tnset_subtract(now, o->waiting, &asked, f));
	t->renumber_at_s = asked != NULL ? until_s : 0;
	t->listed = t->numbers;
	t->numbers = TAKE(now);
	t->asked = TAKE(asked);
	t->renumbered = true;
	t->added = tnset_count_beyond(t->numbers, t->listed);
	t->removed = tnset_count_beyond(t->listed, t->numbers);
	return RC_OK;
}

/* Which of its numbers were removed is not known: it has none until that is mended. */
static void
lose(struct config_tenant *t, const struct fault *why)
{
	log_fault(LEVEL_ERR, "numbers_lost", why);
	t->listed = TAKE(t->numbers);
	t->renumbered = t->numbers_lost = true;
}

enum rc
numbers_load(struct config *c, int64_t now_s, bool strict, struct fault *f)
{
	for (size_t i = 0; i < c->tenants; i++) {
		struct config_tenant *t = &c->tenant[i];
		AUTO_OVERLAY o = { 0 };
		struct fault why = { 0 };
		enum rc rc = overlay_read(c, t, &o, &why);

		if (rc == RC_OK)
			TRY(apply(t, &o, now_s, f));
		else if (rc != RC_NOT_FOUND && (strict || rc == RC_NO_MEMORY))
			return FAULT(f, rc, why.reason, "%s", why.detail);
		else if (rc != RC_NOT_FOUND)
			lose(t, &why);
	}
	return RC_OK;
}

void
numbers_settle(const struct config *c)
{
	for (size_t i = 0; i < c->tenants; i++) {
		const struct config_tenant *t = &c->tenant[i];
		struct fault why = { 0 };

		if (t->renumbered && !t->numbers_lost && keep(c, t, &why) != RC_OK)
			log_fault(LEVEL_WARNING, "numbers_kept", &why);
	}
}

/* ---- a change ---- */

struct change {
	struct works *w;
	size_t at; /* index of the tenant */
	const struct config_tenant *was;
	struct tnset *added, *removed; /* what is new, what is gone */
	struct tnset *numbers, *asked;
	struct members *members; /* NULL: nothing is divided */
	int64_t renumber_at_s;
};

static void
change_done(struct change *c)
{
	members_release(c->members);
	tnset_free(c->added);
	tnset_free(c->removed);
	tnset_free(c->numbers);
	tnset_free(c->asked);
}

/* The tenant as it is to be; borrows. */
static struct config_tenant
tenant_to_be(const struct change *c)
{
	struct config_tenant t = *c->was;

	t.listed = (struct tnset *)(uintptr_t)numbers_listed(c->was);
	t.renumbered = true;
	t.numbers = c->numbers;
	t.asked = c->asked;
	t.renumber_at_s = c->renumber_at_s;
	t.members = c->members;
	if (c->members != NULL) {
		t.credential = c->members->credential;
		t.credentials = c->members->len;
	}
	return t;
}

static enum rc
find_tenant(struct change *c, const struct config *config, const char *name, struct fault *f)
{
	c->was = config_tenant_find(config, name);
	if (c->was == NULL)
		return REFUSE(f, RC_NOT_FOUND, NOT_FOUND, NULL, "no such tenant");
	c->at = (size_t)(c->was - config->tenant);
	if (c->was->numbers_lost)
		return FAULT(f, RC_CONFLICT, "numbers_lost",
		    "what was changed of this tenant's numbers cannot be read: mend or remove "
		    "STATE/front/numbers/%s.json, then reload",
		    c->was->name);
	return RC_OK;
}

static enum rc
check_apart(const struct tnset *add, const struct tnset *remove, struct fault *f)
{
	AUTO(tnset) *both = NULL;

	if (add == NULL || remove == NULL)
		return RC_OK;
	TRY(tnset_intersect(add, remove, &both, f));
	if (tnset_len(both) > 0)
		return REFUSE(
		    f, RC_INVALID, INVALID_MEMBER, "add", "a number to add and to remove");
	return RC_OK;
}

/* The window stays as it was opened: whoever adds all the time does not wait for ever. */
static enum rc
gather(struct change *c, const struct tnset *remove, int64_t now_s, struct fault *f)
{
	const struct config_tenant *t = c->was;
	const struct tnset *asked = t->asked != NULL ? t->asked : t->numbers;

	if (t->renumber_window_s == 0)
		return RC_OK;
	c->renumber_at_s =
	    t->renumber_at_s != 0 ? t->renumber_at_s : now_s + t->renumber_window_s;
	return tnset_subtract(asked, remove, &c->asked, f);
}

static enum rc
work_out(struct change *c, const struct tnset *add, const struct tnset *remove, int64_t now_s,
    struct fault *f)
{
	AUTO(tnset) *more = NULL;

	TRY(check_apart(add, remove, f));
	TRY(tnset_union(c->was->numbers, add, &more, f));
	TRY(tnset_subtract(more, remove, &c->numbers, f));
	TRY(tnset_subtract(c->numbers, c->was->numbers, &c->added, f));
	TRY(tnset_subtract(c->was->numbers, c->numbers, &c->removed, f));
	TRY(division_change(c->w->set->config, c->was, c->numbers, &c->members, f));
	return gather(c, remove, now_s, f);
}

/*
 * What no certificate could hold would stop the renewal of all the others.
 * Of divided ones none holds more than it can (shards.h).
 */
static enum rc
check_orderable(const struct change *c, struct fault *f)
{
	struct config_tenant now = tenant_to_be(c);

	now.asked = NULL;
	for (size_t i = 0; i < now.credentials && tnset_len(c->added) > 0; i++) {
		const struct config_credential *cc = &now.credential[i];
		AUTO_WANT want = WANT_INIT;
		struct fault why = { 0 };

		if (cc->shard == 0 && want_of(&now, cc, &want, &why) != RC_OK)
			return FAULT(f, RC_DENIED, why.reason, "credential '%s': %s", cc->name,
			    why.detail);
	}
	return RC_OK;
}

/* What was on disk under the name of a certificate that is new has its say. */
static enum rc
load_added(struct works *w, struct credset *set, const struct credset_renumber *change,
    int64_t now_s, struct fault *f)
{
	const struct config_tenant *was = &w->set->config->tenant[change->tenant];
	struct credset_place at = { change->tenant, was->credentials };

	for (; at.credential < set->config->tenant[at.tenant].credentials; at.credential++)
		TRY(load_member(set, &w->accounts, at, now_s, f));
	return RC_OK;
}

static enum rc
publish(struct works *w, const struct credset_renumber *change, size_t n, int64_t now_s,
    struct fault *f)
{
	AUTO_CREDSET *set = NULL;

	TRY(credset_renumber(w->set, change, n, &set, f));
	for (size_t i = 0; i < n; i++)
		TRY(load_added(w, set, &change[i], now_s, f));
	TRY(w->out.publish(w->out.arg, set, false, f));
	credset_release(w->set);
	w->set = TAKE(set);
	w->series_at_s = 0; /* a number of one may have left */
	w->renumber_at_s = numbers_due_s(w->set->config);
	return RC_OK;
}

static enum rc
keep_all(const struct config *c, const struct config_tenant *t, struct fault *f)
{
	TRY(keep(c, t, f));
	return division_keep(c, t, f);
}

/* On disk, then in force: what was confirmed is not undone by a crash. */
static enum rc
put_in_force(const struct change *c, int64_t now_s, struct fault *f)
{
	struct credset_renumber one = { c->at, c->numbers, c->asked, c->members,
		c->renumber_at_s };
	struct config_tenant now = tenant_to_be(c);
	struct fault why = { 0 };
	enum rc rc = keep_all(c->w->set->config, &now, f);

	if (rc == RC_OK)
		rc = publish(c->w, &one, 1, now_s, f);
	if (rc == RC_OK)
		return RC_OK;
	/* Not confirmed, so not done: nor after a restart. */
	if (c->was->members != NULL)
		c->was->members->recorded = false;
	if (keep_all(c->w->set->config, c->was, &why) != RC_OK)
		log_fault(LEVEL_ERR, "numbers_kept", &why);
	return rc;
}

/* ---- who changed what ---- */

static json_t *
entries(const struct tnset *set, size_t from, size_t n)
{
	json_t *list = json_array();
	char text[TNSET_TEXT];

	for (size_t i = from; i < len_of(set) && i < from + n; i++) {
		tnset_text(tnset_at(set, i), text);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

/* As many records as it takes: each of a size that the trail takes. */
static void
record(const struct change *c, const char *event, const struct tnset *set)
{
	struct works *w = c->w;

	for (size_t i = 0; i < len_of(set); i += NUMBERS_RECORD) {
		json_t *line = json_pack("{s:s, s:s, s:o}", "event", event, "tenant",
		    c->was->name, "numbers", entries(set, i, NUMBERS_RECORD));

		if (line != NULL)
			w->out.audit(w->out.arg, line);
		else
			log_event(
			    LEVEL_ERR, "audit_lost", "event=%s tenant=%s", event, c->was->name);
	}
}

static enum rc
tell(const struct change *c, json_t *result, struct fault *f)
{
	TRY(op_put(result, "tenant", json_string(c->was->name), f));
	TRY(op_put(result, "added", json_integer((json_int_t)count_of(c->added)), f));
	TRY(op_put(result, "removed", json_integer((json_int_t)count_of(c->removed)), f));
	return op_put(result, "numbers", json_integer((json_int_t)count_of(c->numbers)), f);
}

enum rc
numbers_change(struct works *w, const char *tenant, const struct tnset *add,
    const struct tnset *remove, int64_t now_s, json_t *result, struct fault *f)
{
	__attribute__((cleanup(change_done))) struct change c = { .w = w };
	AUTO_CREDSET *before = credset_ref(w->set); /* c.was is in it */

	TRY(find_tenant(&c, before->config, tenant, f));
	TRY(work_out(&c, add, remove, now_s, f));
	TRY(check_orderable(&c, f));
	TRY(tell(&c, result, f));
	if (tnset_len(c.added) + tnset_len(c.removed) == 0)
		return RC_OK;
	TRY(put_in_force(&c, now_s, f));
	record(&c, "numbers_removed", c.removed);
	record(&c, "numbers_added", c.added);
	ported_look(w, c.at, now_s);
	log_event(LEVEL_NOTICE, "numbers_changed", "tenant=%s added=%llu removed=%llu",
	    c.was->name, (unsigned long long)count_of(c.added),
	    (unsigned long long)count_of(c.removed));
	return RC_OK;
}

/* ---- windows ---- */

int64_t
numbers_due_s(const struct config *c)
{
	int64_t at_s = INT64_MAX;

	for (size_t i = 0; i < c->tenants; i++) {
		int64_t one_s = c->tenant[i].renumber_at_s;

		if (one_s != 0 && one_s < at_s)
			at_s = one_s;
	}
	return at_s;
}

bool
numbers_close(struct works *w, int64_t now_s)
{
	AUTO_FREE struct credset_renumber *list = NULL;
	const struct config *c;
	struct fault why = { 0 };
	size_t n = 0;

	if (w->set == NULL || w->renumber_at_s > now_s)
		return false;
	c = w->set->config;
	list = calloc(c->tenants + 1, sizeof *list);
	for (size_t i = 0; list != NULL && i < c->tenants; i++) {
		const struct config_tenant *t = &c->tenant[i];

		if (t->renumber_at_s != 0 && t->renumber_at_s <= now_s)
			list[n++] =
			    (struct credset_renumber){ i, t->numbers, NULL, t->members, 0 };
	}
	if (list != NULL && publish(w, list, n, now_s, &why) == RC_OK)
		return true;
	log_fault(LEVEL_WARNING, "numbers_waiting", &why);
	w->renumber_at_s = now_s + NUMBERS_RETRY_S;
	return false;
}
