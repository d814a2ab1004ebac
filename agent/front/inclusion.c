#include "agent/front/inclusion.h"

#include <assert.h>

#include "agent/front/store.h"
#include "agent/front/works.h"
#include "agent/log.h"
#include "stir/jtext.h"

enum { LOGGED_FILE_MAX = 16384 };

static const char *const names[] = {
	[INCLUSION_WAITING] = "waiting",
	[INCLUSION_PROVEN] = "proven",
	[INCLUSION_MISSING] = "missing",
};

const char *
inclusion_state_name(enum inclusion_state s)
{
	return names[s];
}

/* ---- what is known of them ---------------------------------------------------------------- */

static bool
same_promise(const struct sct_promise *a, const struct sct_promise *b)
{
	return memcmp(a->log_id, b->log_id, CTLOG_ID_LEN) == 0 &&
	       memcmp(a->leaf, b->leaf, MERKLE_HASH) == 0;
}

size_t
inclusion_copy(struct credential *c, struct inclusion out[SCT_MAX_LIST])
{
	size_t n = 0;

	pthread_mutex_lock(&c->problem_lock);
	if (c->logged != NULL)
		n = c->logged->len;
	if (n > 0)
		memcpy(out, c->logged->item, n * sizeof out[0]);
	pthread_mutex_unlock(&c->problem_lock);
	return n;
}

int64_t
inclusion_missing_since(struct credential *c)
{
	int64_t since_s = 0;

	pthread_mutex_lock(&c->problem_lock);
	for (size_t i = 0; c->logged != NULL && i < c->logged->len; i++) {
		const struct inclusion *at = &c->logged->item[i];

		if (at->state == INCLUSION_MISSING && (since_s == 0 || at->at_s < since_s))
			since_s = at->at_s;
	}
	pthread_mutex_unlock(&c->problem_lock);
	return since_s;
}

bool
inclusion_set(struct credential *c, const struct inclusion *now)
{
	bool there = false;

	pthread_mutex_lock(&c->problem_lock);
	for (size_t i = 0; c->logged != NULL && i < c->logged->len && !there; i++) {
		struct inclusion *at = &c->logged->item[i];

		there = same_promise(&at->promise, &now->promise);
		if (there)
			*at = *now;
	}
	pthread_mutex_unlock(&c->problem_lock);
	return there;
}

/* ---- on disk ------------------------------------------------------------------------------- */

static enum rc
file_of(const struct config *config, const struct credential *c, struct store_path *out,
    struct fault *f)
{
	return store_path(out, f, "%s/front/tenants/%s/%s/logged.json", config->state_dir,
	    c->tenant, c->name);
}

static json_t *
row_of(const struct inclusion *i)
{
	char log[2 * CTLOG_ID_LEN + 1], leaf[2 * MERKLE_HASH + 1];

	works_hex(i->promise.log_id, CTLOG_ID_LEN, log);
	works_hex(i->promise.leaf, MERKLE_HASH, leaf);
	return json_pack("{s:s, s:s, s:I, s:I, s:I}", "log", log, "leaf", leaf, "index",
	    (json_int_t)i->index, "size", (json_int_t)i->size, "at", (json_int_t)i->at_s);
}

enum rc
inclusion_write(const struct config *config, struct credential *c, struct fault *f)
{
	struct inclusion item[SCT_MAX_LIST];
	size_t n = inclusion_copy(c, item);
	struct store_path path = { 0 };
	json_auto_t *root = json_array();

	for (size_t i = 0; i < n; i++) {
		if (item[i].state == INCLUSION_PROVEN &&
		    json_array_append_new(root, row_of(&item[i])) != 0)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "proofs");
	}
	TRY(file_of(config, c, &path, f));
	return store_write_json(path.text, root, LOGGED_FILE_MAX, f);
}

static bool
hex_is(const char *text, const uint8_t *octets, size_t len)
{
	char hex[2 * MERKLE_HASH + 1];

	assert(len <= MERKLE_HASH);
	works_hex(octets, len, hex);
	return strcmp(text, hex) == 0;
}

static bool
take_row(struct inclusions *list, json_t *row)
{
	const char *log, *leaf;
	json_int_t index, size, at;

	if (json_unpack(row, "{s:s, s:s, s:I, s:I, s:I!}", "log", &log, "leaf", &leaf, "index",
		&index, "size", &size, "at", &at) != 0 ||
	    index < 0 || size <= index)
		return false;
	for (size_t i = 0; i < list->len; i++) {
		struct inclusion *to = &list->item[i];

		if (!hex_is(log, to->promise.log_id, CTLOG_ID_LEN) ||
		    !hex_is(leaf, to->promise.leaf, MERKLE_HASH))
			continue;
		to->state = INCLUSION_PROVEN;
		to->index = (uint64_t)index;
		to->size = (uint64_t)size;
		to->at_s = at;
	}
	return true;
}

/* A file of another certificate has other leaves; one that cannot be read is as if none were there. */
static void
take_file(const struct config *config, const struct credential *c, struct inclusions *list)
{
	struct store_path path = { 0 };
	json_auto_t *root = NULL;
	struct fault why = { 0 };
	enum rc rc = file_of(config, c, &path, &why);

	if (rc == RC_OK)
		rc = store_read_json(path.text, LOGGED_FILE_MAX, &root, &why);
	if (rc == RC_NOT_FOUND)
		return;
	for (size_t i = 0; rc == RC_OK && i < json_array_size(root); i++) {
		if (!take_row(list, json_array_get(root, i)))
			rc = FAULT(&why, RC_INVALID, "logged_file", "%s: not as we write it",
			    path.text);
	}
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "logged_file", &why);
}

/* ---- at judging ---------------------------------------------------------------------------- */

enum rc
inclusion_open(const struct config *config, const struct ctlogs *logs, const X509 *issuer,
    struct credential *c, struct fault *f)
{
	struct sct_promise promise[SCT_MAX_LIST];
	struct inclusions *list;
	size_t n = 0;

	if (!config->ct_proofs || logs == NULL)
		return RC_OK;
	TRY(sct_promises(c->chain->cert[0], issuer, promise, &n, f));
	list = calloc(1, sizeof *list + n * sizeof list->item[0]);
	if (list == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "promises of logs");
	for (size_t i = 0; i < n; i++) {
		const struct ctlog *log = ctlogs_find(logs, promise[i].log_id);

		if (log != NULL && log->usable && log->url != NULL)
			list->item[list->len++].promise = promise[i];
	}
	take_file(config, c, list);
	c->logged = list;
	return RC_OK;
}
