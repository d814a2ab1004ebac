#include "agent/front/tnlist.h"

#include <inttypes.h>

#include "agent/front/store.h"
#include "agent/log.h"
#include "stir/digest.h"
#include "stir/ossl.h"
#include "stir/tnauth.h"

enum { HEAD_MAX = TNLIST_URL_MAX + 128, LIST_MODE = 0600, FILE_NAME_MAX = 96 };
static const int64_t TIME_MAX_S = 253402300799; /* the end of 9999: sums do not overflow */

/* ---- one ---- */

struct tnlist *
tnlist_ref(struct tnlist *l)
{
	atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void
tnlist_release(struct tnlist *l)
{
	if (l == NULL || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
		return;
	tnset_free(l->numbers);
	free(l->url);
	free(l);
}

int64_t
tnlist_due_s(const struct tnlist_of *of, int64_t fetched_at_s, int64_t fresh_s)
{
	int64_t most_s = (int64_t)of->credential->tnlist_max_age_s / 2;

	if (fresh_s < 0 || fresh_s > most_s)
		fresh_s = most_s;
	return fetched_at_s + (fresh_s > TNLIST_LEAST_S ? fresh_s : TNLIST_LEAST_S);
}

enum rc
tnlist_make(const struct tnlist_of *of, const char *url, struct span der, int64_t fetched_at_s,
    int64_t fresh_s, struct tnlist **out, struct fault *f)
{
	AUTO_TNLIST *l = calloc(1, sizeof *l);

	if (l == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a list");
	atomic_init(&l->refs, 1);
	atomic_init(&l->fetched_at_s, fetched_at_s);
	atomic_init(&l->due_s, tnlist_due_s(of, fetched_at_s, fresh_s));
	l->url = strdup(url);
	if (l->url == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a list");
	TRY(digest_sha256(der, l->digest, f));
	TRY(tnauth_decode_numbers(
	    der, of->credential->allow_range_to_all_nines, &l->numbers, f));
	*out = TAKE(l);
	return RC_OK;
}

enum rc
tnlist_common(
    const struct tnlist *a, const struct tnlist *b, struct tnlist **out, struct fault *f)
{
	AUTO_TNLIST *l = calloc(1, sizeof *l);

	if (l == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a list");
	atomic_init(&l->refs, 1);
	atomic_init(&l->fetched_at_s, b->fetched_at_s);
	atomic_init(&l->due_s, b->due_s);
	l->url = strdup(b->url);
	if (l->url == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a list");
	TRY(tnset_intersect(a->numbers, b->numbers, &l->numbers, f));
	*out = TAKE(l);
	return RC_OK;
}

/* ---- on disk: a line with the URL, one with two times, then the octets ---- */

static enum rc
name_of(const char *url, char out[FILE_NAME_MAX], struct fault *f)
{
	uint8_t digest[32] = { 0 };
	size_t at = 7;

	TRY(digest_sha256(span_str(url), digest, f));
	memcpy(out, "tnlist-", 8);
	for (size_t i = 0; i < sizeof digest; i++, at += 2)
		snprintf(out + at, 3, "%02x", digest[i]);
	snprintf(out + at, FILE_NAME_MAX - at, ".der");
	return RC_OK;
}

static enum rc
dir_of(const struct tnlist_of *of, struct store_path *out, struct fault *f)
{
	if (!store_name_ok(of->tenant) || !store_name_ok(of->name))
		return FAULT(
		    f, RC_BUG, "internal_error", "a name that the configuration refuses");
	return store_path(
	    out, f, "%s/front/tenants/%s/%s", of->config->state_dir, of->tenant, of->name);
}

static enum rc
file_of(const struct tnlist_of *of, const char *url, struct store_path *out, struct fault *f)
{
	struct store_path dir = { 0 };
	char name[FILE_NAME_MAX];

	TRY(dir_of(of, &dir, f));
	TRY(name_of(url, name, f));
	return store_path(out, f, "%s/%s", dir.text, name);
}

enum rc
tnlist_write(const struct tnlist_of *of, const char *url, struct span der, int64_t fetched_at_s,
    int64_t fresh_s, struct fault *f)
{
	AUTO_BUF file = BUF_INIT(TNAUTH_MAX_REFERENCED_BYTES + HEAD_MAX);
	struct store_path path = { 0 };

	buf_str(&file, url);
	buf_printf(&file, "\n%" PRId64 " %" PRId64 "\n", fetched_at_s, fresh_s);
	buf_span(&file, der);
	TRY(buf_check(&file, f));
	TRY(file_of(of, url, &path, f));
	return store_write(path.text, buf_view(&file), LIST_MODE, f);
}

static enum rc
wrong_file(struct fault *f)
{
	return FAULT(f, RC_INVALID, "tnlist_file", "not as it was written");
}

static enum rc
cut_line(struct span *rest, char *out, size_t max, struct fault *f)
{
	const uint8_t *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
	size_t len = end != NULL ? (size_t)(end - rest->ptr) : max;

	if (len >= max || memchr(rest->ptr, 0, len) != NULL)
		return wrong_file(f);
	memcpy(out, rest->ptr, len);
	out[len] = 0;
	(void)span_cut(rest, len + 1);
	return RC_OK;
}

enum rc
tnlist_read(const struct tnlist_of *of, const char *url, struct tnlist **out, struct fault *f)
{
	AUTO_BUF file = BUF_INIT(TNAUTH_MAX_REFERENCED_BYTES + HEAD_MAX);
	char line[HEAD_MAX];
	struct store_path path = { 0 };
	int64_t at_s = 0, fresh_s = 0;
	struct span rest;

	TRY(file_of(of, url, &path, f));
	TRY(store_read(path.text, TNAUTH_MAX_REFERENCED_BYTES + HEAD_MAX, &file, f));
	rest = buf_view(&file);
	TRY(cut_line(&rest, line, sizeof line, f));
	if (strcmp(line, url) != 0)
		return wrong_file(f);
	TRY(cut_line(&rest, line, sizeof line, f));
	if (sscanf(line, "%" SCNd64 " %" SCNd64, &at_s, &fresh_s) != 2 || at_s <= 0 ||
	    at_s > TIME_MAX_S)
		return wrong_file(f);
	return tnlist_make(of, url, rest, at_s, fresh_s, out, f);
}

struct sweep {
	const char *dir;
	char keep[FILE_NAME_MAX];
};

static enum rc
sweep_one(void *arg, const char *name, struct fault *f)
{
	const struct sweep *s = arg;
	struct store_path path = { 0 };

	if (strncmp(name, "tnlist-", 7) != 0 || strcmp(name, s->keep) == 0)
		return RC_OK;
	TRY(store_path(&path, f, "%s/%s", s->dir, name));
	return store_remove(path.text, f);
}

void
tnlist_sweep(const struct tnlist_of *of, const char *url)
{
	struct store_path dir = { 0 };
	struct sweep s = { .dir = dir.text };
	struct fault why = { 0 };
	enum rc rc = dir_of(of, &dir, &why);

	if (rc == RC_OK && url != NULL)
		rc = name_of(url, s.keep, &why);
	if (rc == RC_OK)
		rc = store_each(dir.text, sweep_one, &s, &why);
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "tnlist_sweep", &why);
}
