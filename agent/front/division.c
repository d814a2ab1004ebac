#include "agent/front/division.h"

#include "agent/front/parts.h"
#include "agent/front/store.h"
#include "agent/front/tnjson.h"
#include "agent/log.h"
#include "stir/jtext.h"

enum {
	DIVISION_MAX_ENTRIES = SHARDS_MAX * SHARDS_MAX_ENTRIES,
	DIVISION_FILE_MAX = 64 * 1024 * 1024,
};

/* One for each divided section of a tenant. */
struct divisions {
	struct shards *list;
	size_t len;
	bool known; /* as read: the record had each of them */
};

static void
divisions_done(struct divisions *d)
{
	for (size_t i = 0; d->list != NULL && i < d->len; i++)
		shards_done(&d->list[i]);
	free(d->list);
	*d = (struct divisions){ 0 };
}
#define AUTO_DIVISIONS __attribute__((cleanup(divisions_done))) struct divisions

static enum rc
divisions_new(struct divisions *d, size_t n, struct fault *f)
{
	d->list = calloc(n + 1, sizeof *d->list);
	if (d->list == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu divisions", n);
	d->len = n;
	return RC_OK;
}

/* The divided sections as read, one after the other: NULL behind the last. */
static const struct config_credential *
next_divided(const struct config_tenant *t, size_t *i)
{
	size_t n;
	const struct config_credential *all = members_read(t, &n);

	while (*i < n) {
		const struct config_credential *c = &all[*i];

		*i += members_copies(all, n, *i);
		if (c->numbers_per_certificate > 0)
			return c;
	}
	return NULL;
}

/* ---- the record ---- */

static enum rc
path_of(const struct config *c, const struct config_tenant *t, struct store_path *out,
    struct fault *f)
{
	return store_path(out, f, "%s/front/shards/%s.json", c->state_dir, t->name);
}

static enum rc
record_shards(const json_t *list, struct shards *out, struct fault *f)
{
	size_t n = json_array_size(list); /* 0 of what is none */

	if (!json_is_array(list) || n > SHARDS_MAX)
		return FAULT(f, RC_INVALID, "shards_file", "not as it was written");
	out->set = calloc(n + 1, sizeof(struct tnset *));
	if (out->set == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu shards", n);
	for (; out->len < n; out->len++)
		TRY(tnjson_read(json_array_get(list, out->len), DIVISION_MAX_ENTRIES,
		    &out->set[out->len], f));
	return RC_OK;
}

static enum rc
record_parse(
    const struct config_tenant *t, struct span text, struct divisions *d, struct fault *f)
{
	json_auto_t *root = NULL;
	size_t i = 0, k = 0;

	(void)!jtext_read_foreign(text, DIVISION_FILE_MAX, &root, NULL);
	if (!json_is_object(root))
		return FAULT(f, RC_INVALID, "shards_file", "not as it was written");
	for (const struct config_credential *c; (c = next_divided(t, &i)) != NULL; k++) {
		const json_t *list = json_object_get(root, c->base);

		if (list != NULL) /* else see unrecorded() */
			TRY(record_shards(list, &d->list[k], f));
	}
	return RC_OK;
}

static enum rc
record_read(
    const struct config *c, const struct config_tenant *t, struct divisions *d, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(DIVISION_FILE_MAX);
	struct store_path path = { 0 }, lost = { 0 };
	struct fault why = { 0 };
	enum rc rc;

	TRY(path_of(c, t, &path, f));
	TRY(store_path(&lost, f, "%s.lost", path.text));
	rc = store_read(path.text, DIVISION_FILE_MAX, &text, &why);
	if (rc == RC_NOT_FOUND && store_mtime(lost.text) == 0)
		return RC_OK;
	if (rc == RC_NOT_FOUND) /* a crash before the next one was there */
		return FAULT(f, RC_INVALID, "shards_file", "%s: there is %s.lost only",
		    path.text, path.text);
	if (rc == RC_OK)
		rc = record_parse(t, buf_view(&text), d, &why);
	if (rc == RC_OK)
		return RC_OK;
	return FAULT(f, rc, why.reason, "%s: %s", path.text, why.detail);
}

static void
put_shards(struct buf *text, const struct shards *s)
{
	buf_str(text, "[");
	for (size_t i = 0; i < s->len; i++) {
		buf_str(text, i > 0 ? ",\n" : "");
		tnjson_write(text, s->set[i]);
	}
	buf_str(text, "]");
}

/* What was of no use may be of some to whoever looks into it. */
static enum rc
put_aside(const char *path, struct fault *f)
{
	struct store_path to = { 0 };

	TRY(store_path(&to, f, "%s.lost", path));
	return store_mtime(path) != 0 ? store_rename(path, to.text, f) : RC_OK;
}

enum rc
division_keep(const struct config *c, const struct config_tenant *t, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(DIVISION_FILE_MAX);
	struct store_path path = { 0 };

	if (t->members == NULL || t->members->recorded)
		return RC_OK;
	TRY(path_of(c, t, &path, f));
	buf_str(&text, "{");
	for (size_t i = 0; i < t->members->sections; i++) {
		const struct members_section *s = &t->members->section[i];

		if (t->section[s->first].parts > 0) /* its certificates say it better */
			continue;
		buf_printf(
		    &text, "%s\"%s\":", text.len > 1 ? ",\n" : "", t->section[s->first].base);
		put_shards(&text, &s->shards);
	}
	buf_str(&text, "}\n");
	TRY(buf_check(&text, f));
	if (t->members->lost)
		TRY(put_aside(path.text, f));
	t->members->lost = t->members->unread = false;
	TRY(store_write(path.text, buf_view(&text), 0600, f));
	t->members->recorded = true;
	return RC_OK;
}

void
division_settle(const struct config *c)
{
	for (size_t i = 0; i < c->tenants; i++) {
		const struct config_tenant *t = &c->tenant[i];
		struct fault why = { 0 };

		if (t->members != NULL && t->members->unread)
			continue;
		if (!t->numbers_lost && division_keep(c, t, &why) != RC_OK)
			log_fault(LEVEL_WARNING, "shards_kept", &why);
	}
}

/* ---- dividing ---- */

/* before[i] of the section i, or NULL.  *left: what has no place. */
static enum rc
divide(const struct config_tenant *t, const struct tnset *numbers,
    const struct shards *const *before, struct divisions *out, size_t *left, struct fault *f)
{
	size_t i = 0, k = 0, more = 0;

	*left = 0;
	for (const struct config_credential *c; (c = next_divided(t, &i)) != NULL; k++) {
		if (c->parts > 0) {
			TRY(shards_join(numbers, c->parts, &out->list[k], f));
			continue;
		}
		TRY(shards_divide(numbers, c->numbers_per_certificate,
		    before != NULL ? before[k] : NULL, &out->list[k], &more, f));
		*left += more;
	}
	return RC_OK;
}

static enum rc
no_place(const struct config_tenant *t, size_t left, struct fault *f)
{
	return FAULT(f, RC_DENIED, "too_many_numbers",
	    "tenant '%s': %zu numbers or ranges have no place in %d certificates, each "
	    "of numbers_per_certificate numbers and %d numbers and ranges at most",
	    t->name, left, SHARDS_MAX, SHARDS_MAX_ENTRIES);
}

static enum rc
divide_from(const struct config_tenant *t, const struct divisions *was, struct divisions *now,
    size_t *left, struct fault *f)
{
	AUTO_FREE const struct shards **before = calloc(was->len + 1, sizeof(struct shards *));

	if (before == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu divisions", was->len);
	for (size_t i = 0; i < was->len; i++)
		before[i] = &was->list[i];
	TRY(divisions_new(now, was->len, f));
	return divide(t, t->numbers, before, now, left, f);
}

static bool
all_known(const struct divisions *d)
{
	for (size_t i = 0; i < d->len; i++) {
		if (d->list[i].set == NULL)
			return false;
	}
	return true;
}

/* Is it what the record says already? */
static bool
is_recorded(const struct divisions *was, const struct divisions *now)
{
	for (size_t i = 0; i < now->len; i++) {
		if (now->list[i].changed > 0)
			return false;
	}
	return was->known;
}

/*
 * Of a section that the record does not know what is in force says where the
 * numbers are: nothing where it was not divided before.
 */
static enum rc
unrecorded(const struct config *c, const struct config_tenant *t, struct divisions *was,
    struct fault *f)
{
	size_t n, i = 0, k = 0;
	const struct config_credential *all = members_read(t, &n);

	for (const struct config_credential *cc; (cc = next_divided(t, &i)) != NULL; k++) {
		if (was->list[k].set == NULL && cc->parts == 0)
			TRY(parts_read(c, t, cc, members_copies(all, n, (size_t)(cc - all)),
			    &was->list[k], f));
	}
	return RC_OK;
}

static enum rc
from_record(const struct config *c, const struct config_tenant *t, struct divisions *was,
    struct divisions *now, size_t *left, struct fault *f)
{
	TRY(divisions_new(was, members_divided(t), f));
	TRY(record_read(c, t, was, f));
	was->known = all_known(was);
	TRY(unrecorded(c, t, was, f));
	return divide_from(t, was, now, left, f);
}

/* ---- a record that will not do ---- */

/* What is in force says it of all. */
static enum rc
from_chains(const struct config *c, const struct config_tenant *t, struct divisions *was,
    struct divisions *now, size_t *left, struct fault *f)
{
	TRY(divisions_new(was, members_divided(t), f));
	TRY(unrecorded(c, t, was, f));
	return divide_from(t, was, now, left, f);
}

static enum rc
from_record_or_chains(const struct config *c, const struct config_tenant *t, bool strict,
    struct divisions *was, struct divisions *now, size_t *left, enum rc *read, struct fault *f)
{
	struct fault why = { 0 };
	enum rc rc = from_record(c, t, was, now, left, &why);

	*read = rc;
	if (rc == RC_OK)
		return RC_OK;
	if (strict || rc == RC_NO_MEMORY)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	log_event(LEVEL_ERR, "shards_lost", "tenant=%s reason=%s detail=\"%s\"", t->name,
	    why.reason, why.detail);
	divisions_done(was);
	divisions_done(now);
	if (from_chains(c, t, was, now, left, &why) == RC_OK)
		return RC_OK;
	log_fault(LEVEL_ERR, "shards_lost", &why); /* nor that: as if there had been none */
	divisions_done(was);
	divisions_done(now);
	TRY(divisions_new(was, members_divided(t), f));
	return divide_from(t, was, now, left, f);
}

static enum rc
load_tenant(const struct config *c, struct config_tenant *t, bool strict, struct fault *f)
{
	AUTO_DIVISIONS was = { 0 }, now = { 0 };
	struct members *m = NULL;
	struct fault full = { 0 };
	size_t left = 0;
	enum rc read = RC_OK;

	TRY(from_record_or_chains(c, t, strict, &was, &now, &left, &read, f));
	if (left > 0 && strict)
		return no_place(t, left, f);
	if (left > 0 && no_place(t, left, &full) != RC_OK)
		log_fault(LEVEL_ERR, "shards_full", &full);
	TRY(members_make(t, NULL, now.list, now.len, &m, f));
	m->lost = read != RC_OK;
	m->unread = m->lost && read != RC_INVALID;
	m->recorded = !m->lost && is_recorded(&was, &now);
	members_take(t, m);
	return RC_OK;
}

/* What was where may need more keys than what the files say by itself. */
static enum rc
check_tokens(const struct config *c, struct fault *f)
{
	for (size_t i = 0; i < c->tokens; i++) {
		const struct config_token *t = &c->token[i];

		if (t->max_keys != 0 && config_keys_needed(c, t) > t->max_keys)
			return FAULT(f, RC_INVALID, "config",
			    "token '%s': the certificates of divided credentials need %zu "
			    "keys, "
			    "and max_keys is %u",
			    t->name, config_keys_needed(c, t), t->max_keys);
	}
	return RC_OK;
}

/*
 * Taken away, numbers_per_certificate leaves the parts in force until one
 * certificate has all: the first one is to have it, and the others end as
 * those of a division do that lose what they have.
 */
static enum rc
keep_parts(const struct config *c, struct config_tenant *t, const struct parts_when *when,
    struct fault *f)
{
	size_t copies, left = 0;

	for (size_t i = 0; i < t->credentials; i += copies) {
		struct config_credential *first = &t->credential[i];

		copies = members_copies(t->credential, t->credentials, i);
		if (first->numbers_per_certificate > 0 ||
		    profile_rule(first->profile)->cls == CLASS_SP)
			continue;
		TRY(parts_left(c, t, first, copies, when, &left, f));
		for (size_t k = 0; left > 0 && k < copies; k++) {
			first[k].numbers_per_certificate = SHARDS_MAX_NUMBERS;
			first[k].parts = left;
		}
	}
	return RC_OK;
}

enum rc
division_load(struct config *c, int64_t now_s, bool strict, struct fault *f)
{
	const struct parts_when when = { now_s, strict };
	struct fault full = { 0 };
	size_t divided = 0;

	for (size_t i = 0; i < c->tenants; i++) {
		struct fault why = { 0 };

		if (keep_parts(c, &c->tenant[i], &when, &why) != RC_OK) {
			if (strict)
				return FAULT(f, why.rc, why.reason, "%s", why.detail);
			log_fault(LEVEL_ERR, "shards_lost", &why);
		}
		if (members_divided(&c->tenant[i]) == 0)
			continue;
		TRY(load_tenant(c, &c->tenant[i], strict, f));
		divided++;
	}
	if (divided == 0)
		return RC_OK;
	if (strict)
		return check_tokens(c, f);
	if (check_tokens(c, &full) != RC_OK)
		log_fault(LEVEL_ERR, "shards_full", &full);
	return RC_OK;
}

/* ---- a change by command ---- */

/* The files could not say so many either (config_tenant.c). */
static enum rc
check_number(const struct config_tenant *t, const struct members *was,
    const struct members *now, struct fault *f)
{
	if (now->len <= MEMBERS_MAX || now->len <= was->len)
		return RC_OK;
	return FAULT(f, RC_DENIED, "too_many_numbers",
	    "tenant '%s' would have %zu certificates, at most %d: raise "
	    "numbers_per_certificate",
	    t->name, now->len, MEMBERS_MAX);
}

/* A key each, and each token has room for so many. */
static enum rc
check_room(const struct config *c, const struct members *was, const struct members *now,
    struct fault *f)
{
	for (size_t i = 0; i < c->tokens; i++) {
		const struct config_token *token = &c->token[i];
		size_t more = 0, needed;

		for (size_t k = was->len; token->max_keys != 0 && k < now->len; k++)
			more += strcmp(now->credential[k].token, token->name) == 0;
		if (more == 0)
			continue;
		needed = config_keys_needed(c, token) + more;
		if (needed > token->max_keys)
			return FAULT(f, RC_DENIED, "too_many_numbers",
			    "token '%s' would need %zu keys, and max_keys is %u", token->name,
			    needed, token->max_keys);
	}
	return RC_OK;
}

enum rc
division_change(const struct config *c, const struct config_tenant *t,
    const struct tnset *numbers, struct members **out, struct fault *f)
{
	const struct members *was = t->members;
	const struct shards *before[CONFIG_MAX_CREDENTIALS];
	AUTO_DIVISIONS now = { 0 };
	struct members *m = NULL;
	size_t left = 0;
	enum rc rc;

	*out = NULL;
	if (was == NULL)
		return RC_OK;
	for (size_t i = 0; i < was->sections; i++)
		before[i] = &was->section[i].shards;
	TRY(divisions_new(&now, was->sections, f));
	TRY(divide(t, numbers, before, &now, &left, f));
	if (left > 0)
		return no_place(t, left, f);
	TRY(members_make(t, was, now.list, now.len, &m, f));
	m->lost = was->lost;
	m->unread = was->unread;
	rc = check_number(t, was, m, f);
	if (rc == RC_OK)
		rc = check_room(c, was, m, f);
	if (rc != RC_OK)
		members_release(m);
	else
		*out = m;
	return rc;
}
