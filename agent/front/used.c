#include "agent/front/used.h"

#include "agent/front/store.h"
#include "agent/log.h"
#include "stir/jtext.h"

enum { USED_FILE_MAX = 512 * 1024 };

struct used {
	uint32_t tenant;
	int64_t at_s;
};

/* The last first; those of the same second as the configuration has them. */
static int
by_use(const void *a, const void *b)
{
	const struct used *x = a, *y = b;

	if (x->at_s != y->at_s)
		return x->at_s > y->at_s ? -1 : 1;
	return x->tenant < y->tenant ? -1 : x->tenant > y->tenant;
}

static int64_t
last_use(const struct credset *set, size_t tenant)
{
	int64_t at_s = 0;

	for (size_t i = 0; i < set->config->tenant[tenant].credentials; i++) {
		int64_t one_s = atomic_load(&set->tenant[tenant].credential[i]->used_at_s);

		at_s = one_s > at_s ? one_s : at_s;
	}
	return at_s;
}

/* One for each tenant, in order of use. */
static struct used *
sort_by_use(const struct credset *set)
{
	size_t n = set->config->tenants;
	struct used *list = calloc(n + 1, sizeof *list);

	if (list == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		list[i] = (struct used){ (uint32_t)i, last_use(set, i) };
	if (n > 0)
		qsort(list, n, sizeof *list, by_use);
	return list;
}

static enum rc
path_of(const struct credset *set, struct store_path *out, struct fault *f)
{
	return store_path(out, f, "%s/front/used.json", set->config->state_dir);
}

/* ---- reading ---- */

static void
take_use(const struct credset *set, const char *name, int64_t at_s)
{
	const struct config_tenant *t = config_tenant_find(set->config, name);

	for (size_t i = 0; t != NULL && i < t->credentials; i++)
		credential_used(set->tenant[t - set->config->tenant].credential[i], at_s);
}

static enum rc
check(const json_t *root, int64_t now_s, struct fault *f)
{
	const char *name;
	json_t *at;

	if (!json_is_object(root) || json_object_size(root) > USED_MAX)
		return FAULT(f, RC_INVALID, "used_file", "used.json: not as we write it");
	json_object_foreach ((json_t *)(uintptr_t)root, name, at) {
		if (!store_name_ok(name) || !json_is_integer(at) ||
		    json_integer_value(at) <= 0 || json_integer_value(at) > now_s)
			return FAULT(
			    f, RC_INVALID, "used_file", "used.json: not as we write it");
	}
	return RC_OK;
}

static enum rc
read_file(const struct credset *set, int64_t now_s, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(USED_FILE_MAX);
	struct store_path path = { 0 };
	json_auto_t *root = NULL;
	const char *name;
	json_t *at;

	TRY(path_of(set, &path, f));
	TRY(store_read(path.text, USED_FILE_MAX, &text, f));
	(void)!jtext_read_foreign(buf_view(&text), USED_FILE_MAX, &root, NULL); /* NULL: none */
	TRY(check(root, now_s, f));
	json_object_foreach (root, name, at)
		take_use(set, name, json_integer_value(at));
	return RC_OK;
}

enum rc
used_order(const struct credset *set, int64_t now_s, uint32_t **out, struct fault *f)
{
	size_t n = set->config->tenants;
	AUTO_FREE uint32_t *order = calloc(n + 1, sizeof *order);
	AUTO_FREE struct used *list = NULL;
	struct fault why = { 0 };
	enum rc rc = read_file(set, now_s, &why);

	if (rc != RC_OK && rc != RC_NOT_FOUND)
		log_fault(LEVEL_WARNING, "used_file", &why);
	list = sort_by_use(set);
	if (order == NULL || list == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu tenants", n);
	for (size_t i = 0; i < n; i++)
		order[i] = list[i].tenant;
	*out = TAKE(order);
	return RC_OK;
}

/* ---- writing ---- */

static enum rc
put_uses(const struct credset *set, const struct used *list, json_t *root, struct fault *f)
{
	for (size_t i = 0; i < set->config->tenants && i < USED_MAX && list[i].at_s != 0; i++) {
		const char *name = set->config->tenant[list[i].tenant].name;

		if (json_object_set_new(root, name, json_integer(list[i].at_s)) != 0)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "used.json");
	}
	return RC_OK;
}

enum rc
used_write(const struct credset *set, int64_t *written_s, struct fault *f)
{
	AUTO_FREE struct used *list = sort_by_use(set);
	struct store_path path = { 0 };
	json_auto_t *root = json_object();

	if (list == NULL || root == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "used.json");
	if (set->config->tenants == 0 || list[0].at_s <= *written_s)
		return RC_OK;
	TRY(put_uses(set, list, root, f));
	TRY(path_of(set, &path, f));
	TRY(store_write_json(path.text, root, USED_FILE_MAX, f));
	*written_s = list[0].at_s;
	return RC_OK;
}
