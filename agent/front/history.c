#include "agent/front/history.h"

#include <stdio.h>

#include "agent/front/ops.h"
#include "agent/front/ported.h"
#include "agent/front/revoke.h"
#include "agent/front/store.h"
#include "stir/jtext.h"
#include "stir/text.h"

enum { HISTORY_FILE_MAX = 16384 };

static enum rc
file_of(const struct config *c, const char *tenant, const char *name, struct store_path *out,
    struct fault *f)
{
	return store_path(
	    out, f, "%s/front/tenants/%s/%s/history.json", c->state_dir, tenant, name);
}

/* ---- the file ---- */

static bool
take(json_t *row, struct history_entry *e)
{
	const char *id, *serial, *key;
	json_int_t not_before, not_after, from, until;

	if (json_unpack(row, "{s:s, s:s, s:s, s:I, s:I, s:I, s:I!}", "id", &id, "serial",
		&serial, "key", &key, "not_before", &not_before, "not_after", &not_after,
		"from", &from, "until", &until) != 0)
		return false;
	e->not_before_s = not_before;
	e->not_after_s = not_after;
	e->from_s = from;
	e->until_s = until;
	return text_copy(e->id, sizeof e->id, id) &&
	       text_copy(e->serial, sizeof e->serial, serial) &&
	       text_copy(e->key, sizeof e->key, key);
}

enum rc
history_read(const struct config *c, const char *tenant, const char *name, struct history *out,
    struct fault *f)
{
	struct store_path path = { 0 };
	AUTO_BUF text = BUF_INIT(HISTORY_FILE_MAX);
	struct history h = { .len = 0 };
	json_auto_t *root = NULL;
	struct fault why = { 0 };
	enum rc rc;
	bool good;

	TRY(file_of(c, tenant, name, &path, f));
	rc = store_read(path.text, HISTORY_FILE_MAX, &text, &why);
	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	good = rc == RC_NOT_FOUND || jtext_read(buf_view(&text), &root, NULL) == RC_OK;
	good = good && json_array_size(root) <= HISTORY_KEPT &&
	       (root == NULL || json_is_array(root));
	for (; good && h.len < json_array_size(root); h.len++)
		good = take(json_array_get(root, h.len), &h.item[h.len]);
	if (!good)
		return FAULT(
		    f, RC_INVALID, "history_file", "%s: not as we write it", path.text);
	*out = h;
	return RC_OK;
}

static json_t *
row_of(const struct history_entry *e)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "id", e->id, "serial",
	    e->serial, "key", e->key, "not_before", (json_int_t)e->not_before_s, "not_after",
	    (json_int_t)e->not_after_s, "from", (json_int_t)e->from_s, "until",
	    (json_int_t)e->until_s);
}

enum rc
history_write(const struct config *c, const char *tenant, const char *name,
    const struct history *h, struct fault *f)
{
	struct store_path path = { 0 };
	json_auto_t *root = json_array();

	for (size_t i = 0; i < h->len; i++) {
		if (json_array_append_new(root, row_of(&h->item[i])) != 0)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "a history");
	}
	TRY(file_of(c, tenant, name, &path, f));
	return store_write_json(path.text, root, HISTORY_FILE_MAX, f);
}

/* ---- what follows what ---- */

void
history_add(struct history *h, const struct credential *c, int64_t from_s)
{
	struct history_entry *last = h->len > 0 ? &h->item[h->len - 1] : NULL;

	if (c->state != CREDENTIAL_READY ||
	    (last != NULL && strcmp(last->id, c->fingerprint) == 0))
		return;
	if (last != NULL && last->until_s == 0)
		last->until_s = from_s;
	if (h->len == HISTORY_KEPT)
		memmove(&h->item[0], &h->item[1], --h->len * sizeof h->item[0]);
	last = &h->item[h->len++];
	*last = (struct history_entry){
		.not_before_s = c->not_before_s, .not_after_s = c->not_after_s, .from_s = from_s
	};
	snprintf(last->id, sizeof last->id, "%s", c->fingerprint);
	snprintf(last->serial, sizeof last->serial, "%s", c->chain->cert[0]->serial);
	works_hex(c->key_id, KEY_ID_LEN, last->key);
}

/* ---- shown ---- */

/* An operator's word goes before what would have come of it without. */
static const char *
end_of(const struct history_entry *e, const struct credential *present,
    const struct revocation *r, int64_t now_s)
{
	bool is_present =
	    present->state == CREDENTIAL_READY && strcmp(present->fingerprint, e->id) == 0;

	if (r != NULL && (e->until_s == 0 || r->asked_s <= e->until_s))
		return "revoked";
	if (e->until_s != 0 && e->until_s <= e->not_after_s)
		return "replaced";
	if (now_s > e->not_after_s || e->until_s != 0)
		return "expired";
	return is_present ? "in_force" : "out_of_force";
}

static json_t *
revocation_of(const struct revocation *r)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:s}", "state", revocation_state_name(r->state),
	    "reason", revocation_reason_name(r->reason), "by", r->by_key ? "key" : "account",
	    "at", (json_int_t)r->asked_s, "answer", r->answer);
}

static json_t *
shown(const struct works *w, const struct history_entry *e, const struct credential *present,
    int64_t now_s)
{
	const struct revocation *r = revoke_find(w, e->id);
	json_t *row = row_of(e), *revocation = r != NULL ? revocation_of(r) : NULL;
	int64_t at_s = ported_revoke_at_s(w, e->id);

	if (row == NULL ||
	    json_object_set_new(row, "end", json_string(end_of(e, present, r, now_s))) != 0 ||
	    json_object_set_new(
		row, "revoke_at", at_s != 0 ? json_integer(at_s) : json_null()) != 0 ||
	    json_object_set_new(
		row, "revocation", revocation != NULL ? revocation : json_null()) != 0) {
		json_decref(row);
		return NULL;
	}
	return row;
}

static bool
is_in(const struct history *h, const char *id)
{
	for (size_t i = 0; i < h->len; i++) {
		if (strcmp(h->item[i].id, id) == 0)
			return true;
	}
	return false;
}

/* Of certificates that were never in force, or that the history has forgotten. */
static enum rc
show_others(const struct works *w, const struct credential *c, const struct history *h,
    json_t *list, struct fault *f)
{
	for (size_t i = 0; i < w->revoked.len; i++) {
		const struct revocation *r = &w->revoked.item[i];
		json_t *row;

		if (strcmp(r->tenant, c->tenant) != 0 || strcmp(r->name, c->name) != 0 ||
		    is_in(h, r->id))
			continue;
		row = json_pack("{s:s, s:s, s:o}", "serial", r->serial, "id", r->id,
		    "revocation", revocation_of(r));
		if (row == NULL || json_array_append_new(list, row) != 0)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "a history");
	}
	return RC_OK;
}

enum rc
history_show(const struct works *w, struct credset_place at, int64_t now_s, json_t *result,
    struct fault *f)
{
	const struct config *config = w->set->config;
	const struct credential *c = credset_credential(w->set, at);
	struct history h = { .len = 0 };
	json_t *list = json_array(), *others = json_array();
	enum rc rc = op_put(result, "certificates", list, f); /* the result's from here on */

	if (rc != RC_OK)
		json_decref(others);
	TRY(rc);
	TRY(op_put(result, "others", others, f));
	TRY(history_read(
	    config, config->tenant[at.tenant].name, credset_config(w->set, at)->name, &h, f));
	history_add(&h, c, c->installed_at_s); /* what came by another way */
	for (size_t i = h.len; i-- > 0;) {
		if (json_array_append_new(list, shown(w, &h.item[i], c, now_s)) != 0)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "a history");
	}
	return show_others(w, c, &h, others, f);
}
