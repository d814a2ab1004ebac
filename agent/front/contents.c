#include "agent/front/contents.h"

#include "agent/front/store.h"
#include "agent/front/works.h"
#include "agent/log.h"
#include "agent/members.h"
#include "stir/jtext.h"

enum { CONTENT_FILE_MAX = 2 * JTEXT_MAX_BYTES };

struct contents {
	atomic_uint refs;
	struct content **item; /* by URL */
	size_t len;
};

/* ---- one ---------------------------------------------------------------------------- */

static void
content_release(struct content *c)
{
	if (c == NULL || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(c->uri);
	json_decref(c->card);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static void
content_releasep(struct content **c)
{
	content_release(*c);
}
#define AUTO_CONTENT __attribute__((cleanup(content_releasep))) struct content

static enum rc
content_new(const char *uri, struct content **out, struct fault *f)
{
	struct content *c = calloc(1, sizeof *c);

	if (c == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "content");
	atomic_init(&c->refs, 1);
	atomic_init(&c->checked_at_s, 0);
	pthread_mutex_init(&c->lock, NULL);
	c->uri = strdup(uri);
	if (c->uri == NULL) {
		content_release(c);
		return FAULT(f, RC_NO_MEMORY, "no_memory", "content");
	}
	*out = c;
	return RC_OK;
}

void
content_problem(struct content *c, char out[CONTENT_PROBLEM_MAX])
{
	pthread_mutex_lock(&c->lock);
	memcpy(out, c->problem, CONTENT_PROBLEM_MAX);
	pthread_mutex_unlock(&c->lock);
}

void
content_looked(struct content *c, int64_t checked_at_s, const char *problem)
{
	char text[CONTENT_PROBLEM_MAX] = "";

	/* The renewer's words reach terminals: printable ASCII is enough for them. */
	for (size_t i = 0; i < sizeof text - 1 && problem[i] != '\0'; i++)
		text[i] = problem[i] >= ' ' && problem[i] <= '~' ? problem[i] : ' ';
	if (checked_at_s > 0)
		c->checked_at_s = checked_at_s;
	pthread_mutex_lock(&c->lock);
	memcpy(c->problem, text, sizeof text);
	pthread_mutex_unlock(&c->lock);
}

/* ---- on disk ------------------------------------------------------------------------ */

/* A file a URL, named by its hash. */
static enum rc
file_of(const struct config *c, const char *uri, struct store_path *out, struct fault *f)
{
	struct rcd_digest name;
	char hex[2 * 32 + 1];

	TRY(rcd_digest_of(RCD_SHA256, span_str(uri), &name, f));
	works_hex(name.bytes, 32, hex);
	return store_path(out, f, "%s/front/contents/%s.json", c->state_dir, hex);
}

static enum rc
save(const struct config *c, const struct content *one, struct fault *f)
{
	struct store_path path = { 0 };
	json_auto_t *file = json_pack("{s:s, s:I, s:O?}", "uri", one->uri, "seen_at",
	    (json_int_t)one->seen_at_s, "card", one->card);

	for (size_t h = 0; file != NULL && h < RCD__HASHES; h++) {
		char digest[RCD_DIGEST_TEXT];

		rcd_digest_text(&one->digest[h], digest);
		json_object_set_new(file, rcd_hash_name((enum rcd_hash)h), json_string(digest));
	}
	if (file == NULL || json_object_size(file) != 3 + RCD__HASHES)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "content");
	TRY(file_of(c, one->uri, &path, f));
	return store_write_json(path.text, file, CONTENT_FILE_MAX, f);
}

static enum rc
wrong_file(struct fault *f)
{
	return FAULT(f, RC_INVALID, "content_file", "not as it was written");
}

/* What comes from disk is checked like what comes from the renewer. */
static enum rc
fill(struct content *c, json_t *file, struct fault *f)
{
	json_t *card = json_object_get(file, "card");

	if (!span_eq(jtext_span(json_object_get(file, "uri")), span_str(c->uri)))
		return wrong_file(f);
	for (size_t h = 0; h < RCD__HASHES; h++) {
		const json_t *text = json_object_get(file, rcd_hash_name((enum rcd_hash)h));

		TRY(rcd_digest_parse(jtext_span(text), &c->digest[h], f));
		if (c->digest[h].hash != (enum rcd_hash)h)
			return wrong_file(f);
	}
	if (card != NULL && !json_is_null(card)) {
		TRY(jcard_check(card, "card", f));
		c->card = json_incref(card);
	}
	c->seen_at_s = (int64_t)json_integer_value(json_object_get(file, "seen_at"));
	return c->seen_at_s > 0 ? RC_OK : wrong_file(f);
}

static enum rc
read_file(const struct config *c, const char *uri, struct content **out, struct fault *f)
{
	AUTO_CONTENT *one = NULL;
	json_auto_t *file = NULL;
	struct store_path path = { 0 };

	TRY(content_new(uri, &one, f));
	TRY(file_of(c, uri, &path, f));
	TRY(store_read_json(path.text, CONTENT_FILE_MAX, &file, f));
	TRY(fill(one, file, f));
	*out = TAKE(one);
	return RC_OK;
}

/* ---- a table ------------------------------------------------------------------------ */

struct contents *
contents_ref(struct contents *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void
contents_release(struct contents *t)
{
	if (t == NULL || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < t->len; i++)
		content_release(t->item[i]);
	free(t->item);
	free(t);
}

static enum rc
table_new(size_t max, struct contents **out, struct fault *f)
{
	struct contents *t = calloc(1, sizeof *t);

	if (t != NULL)
		t->item = calloc(max + 1, sizeof(struct content *));
	if (t == NULL || t->item == NULL) {
		free(t);
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu URLs", max);
	}
	atomic_init(&t->refs, 1);
	*out = t;
	return RC_OK;
}

static size_t
find(const struct contents *t, const char *uri)
{
	size_t lo = 0, hi = t->len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int cmp = strcmp(t->item[mid]->uri, uri);

		if (cmp == 0)
			return mid;
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return t->len;
}

struct content *
contents_find(const struct contents *t, const char *uri)
{
	size_t at = t == NULL ? 0 : find(t, uri);

	return t == NULL || at == t->len ? NULL : t->item[at];
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Once for a section, however many certificates it stands for. */
static enum rc
collect_tenant(
    const struct config_tenant *t, const char *uri[CONTENTS_MAX], size_t *n, struct fault *f)
{
	size_t all;
	const struct config_credential *read = members_read(t, &all);

	for (size_t k = 0; k < all; k++) {
		for (size_t i = 0; i < read[k].rcd_contents; i++) {
			if (read[k].rcd_content[i].pinned)
				continue;
			if (*n == CONTENTS_MAX)
				return FAULT(f, RC_INVALID, "config",
				    "more than %d URLs in rcd_content", CONTENTS_MAX);
			uri[(*n)++] = read[k].rcd_content[i].uri;
		}
	}
	return RC_OK;
}

/* Every URL to be observed, sorted, once; borrowed from the configuration. */
static enum rc
collect(const struct config *c, const char *uri[CONTENTS_MAX], size_t *n, struct fault *f)
{
	for (size_t t = 0; t < c->tenants; t++)
		TRY(collect_tenant(&c->tenant[t], uri, n, f));
	qsort(uri, *n, sizeof uri[0], by_text);
	return RC_OK;
}

static enum rc
load_content(const struct config *c, const struct contents *old, const char *uri,
    struct content **out, struct fault *f)
{
	struct content *known = contents_find(old, uri);
	struct fault why = { 0 };

	if (known != NULL) {
		atomic_fetch_add_explicit(&known->refs, 1, memory_order_relaxed);
		*out = known;
		return RC_OK;
	}
	if (read_file(c, uri, out, &why) == RC_OK)
		return RC_OK;
	if (why.rc == RC_NO_MEMORY)
		return FAULT(f, why.rc, why.reason, "%s", why.detail);
	if (why.rc != RC_NOT_FOUND)
		log_fault(LEVEL_WARNING, "content_forgotten", &why);
	return content_new(uri, out, f);
}

struct sweep {
	const struct contents *t;
	const char *dir;
};

/* The URL of a file, where it is one of ours that is still observed. */
static bool
is_wanted(const struct sweep *s, const char *path)
{
	json_auto_t *file = NULL;
	const char *uri;

	if (store_read_json(path, CONTENT_FILE_MAX, &file, NULL) != RC_OK)
		return false;
	uri = jtext_get(file, "uri");
	return uri != NULL && contents_find(s->t, uri) != NULL;
}

static enum rc
sweep_one(void *arg, const char *name, struct fault *f)
{
	const struct sweep *s = arg;
	struct store_path path = { 0 };

	TRY(store_path(&path, f, "%s/%s", s->dir, name));
	return is_wanted(s, path.text) ? RC_OK : store_remove(path.text, f);
}

/* At the start: what no configuration names any more goes. */
static void
sweep(const struct config *c, const struct contents *t)
{
	struct store_path dir = { 0 };
	struct sweep s = { t, dir.text };
	struct fault why = { 0 };

	if (store_path(&dir, &why, "%s/front/contents", c->state_dir) != RC_OK ||
	    store_each(dir.text, sweep_one, &s, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "content_sweep", &why);
}

enum rc
contents_load(
    const struct config *c, const struct contents *old, struct contents **out, struct fault *f)
{
	AUTO_FREE const char **uri = calloc(CONTENTS_MAX, sizeof *uri);
	AUTO_CONTENTS *t = NULL;
	size_t n = 0;

	if (uri == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "rcd_content");
	TRY(collect(c, uri, &n, f));
	TRY(table_new(n, &t, f));
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && strcmp(uri[i - 1], uri[i]) == 0)
			continue;
		TRY(load_content(c, old, uri[i], &t->item[t->len], f));
		t->len++;
	}
	if (old == NULL)
		sweep(c, t);
	*out = TAKE(t);
	return RC_OK;
}

static enum rc
copy_with(const struct contents *t, struct content *one, struct contents **out, struct fault *f)
{
	TRY(table_new(t->len, out, f));
	for (; (*out)->len < t->len; (*out)->len++) {
		struct content *c = t->item[(*out)->len];

		if (strcmp(c->uri, one->uri) == 0)
			c = one;
		atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
		(*out)->item[(*out)->len] = c;
	}
	return RC_OK;
}

enum rc
contents_change(const struct contents *t, const struct config *c, const char *uri,
    const struct rcd_digest digest[RCD__HASHES], json_t *card, int64_t now_s,
    struct contents **out, struct fault *f)
{
	json_auto_t *mine = card;
	AUTO_CONTENT *one = NULL;

	TRY(content_new(uri, &one, f));
	memcpy(one->digest, digest, sizeof one->digest);
	one->card = TAKE(mine);
	one->seen_at_s = now_s;
	one->checked_at_s = now_s;
	TRY(save(c, one, f));
	return copy_with(t, one, out, f);
}
