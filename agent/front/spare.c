#include "agent/front/spare.h"

#include <string.h>

#include "agent/front/making.h"
#include "agent/front/retire.h"
#include "agent/front/store.h"
#include "agent/log.h"
#include "stir/b64.h"
#include "stir/jtext.h"

enum { SPARE_FILE_MAX = 1024, POINT_TEXT = 128 };

/* ---- files ---- */

static enum rc
path_of(const struct works *w, const uint8_t point[P256_POINT_LEN], struct store_path *out,
    struct fault *f)
{
	uint8_t key_id[KEY_ID_LEN];
	char hex[2 * KEY_ID_LEN + 1];

	key_id_of_point(point, key_id);
	works_hex(key_id, KEY_ID_LEN, hex);
	return store_path(out, f, "%s/front/spare/%s.json", w->set->config->state_dir, hex);
}

static enum rc
write_file(
    const struct works *w, unsigned token, const struct works_spare *key, struct fault *f)
{
	AUTO_BUF point = BUF_INIT(POINT_TEXT);
	struct store_path path = { 0 };
	json_auto_t *root = NULL;

	b64_encode(&point, B64_URL, span_of(key->point, P256_POINT_LEN));
	TRY(buf_check(&point, f));
	root = json_pack("{s:s, s:s%, s:I}", "token", w->set->config->token[token].name,
	    "point", (const char *)point.ptr, point.len, "made", (json_int_t)key->made_s);
	TRY(path_of(w, key->point, &path, f));
	return store_write_json(path.text, root, SPARE_FILE_MAX, f);
}

static enum rc
remove_file(const struct works *w, const uint8_t point[P256_POINT_LEN], struct fault *f)
{
	struct store_path path = { 0 };

	TRY(path_of(w, point, &path, f));
	return store_remove(path.text, f);
}

static enum rc
read_file(const struct works *w, const char *path, unsigned *token, struct works_spare *out)
{
	AUTO_BUF point = BUF_INIT(P256_POINT_LEN);
	json_auto_t *root = NULL;
	const char *name = NULL, *coded = NULL;
	json_int_t made = 0;
	size_t len = 0;

	TRY(store_read_json(path, SPARE_FILE_MAX, &root, NULL));
	if (json_unpack(root, "{s:s, s:s%, s:I!}", "token", &name, "point", &coded, &len,
		"made", &made) != 0)
		return RC_INVALID;
	TRY(b64_decode(&point, B64_URL, span_of(coded, len), NULL));
	if (point.len != P256_POINT_LEN)
		return RC_INVALID;
	memcpy(out->point, point.ptr, P256_POINT_LEN);
	out->made_s = made;
	return works_token_index(w, name, token, NULL);
}

/* Whoever put it there: what is in use is not spare. */
static bool
is_in_use(const struct works *w, const uint8_t point[P256_POINT_LEN])
{
	uint8_t key_id[KEY_ID_LEN];

	key_id_of_point(point, key_id);
	for (size_t i = 0; i < w->set->slots; i++) {
		const struct credential *c = w->set->slot[i];

		if (c->state == CREDENTIAL_READY && memcmp(c->key_id, key_id, KEY_ID_LEN) == 0)
			return true;
	}
	return accounts_has_key(&w->accounts, key_id);
}

struct loading {
	struct works *w;
	const char *dir;
};

static enum rc
load_one(void *arg, const char *name, struct fault *f)
{
	struct loading *l = arg;
	struct store_path path = { 0 }, right = { 0 };
	struct works_spare key = { .made_s = 0 };
	struct works_token *t;
	unsigned token = 0;

	TRY(store_path(&path, f, "%s/%s", l->dir, name));
	if (read_file(l->w, path.text, &token, &key) != RC_OK ||
	    path_of(l->w, key.point, &right, NULL) != RC_OK ||
	    strcmp(path.text, right.text) != 0 || is_in_use(l->w, key.point)) {
		log_event(LEVEL_WARNING, "spare_key", "file=%s reason=unusable", path.text);
		return RC_OK;
	}
	t = &l->w->token[token];
	if (t->spares < WORKS_SPARES)
		t->spare[t->spares++] = key;
	return RC_OK;
}

void
spare_load(struct works *w)
{
	struct store_path dir = { 0 };
	struct fault why = { 0 };
	struct loading l = { w, dir.text };
	enum rc rc = store_path(&dir, &why, "%s/front/spare", w->set->config->state_dir);

	if (rc == RC_OK)
		rc = store_each(dir.text, load_one, &l, &why);
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "spare_keys", &why);
}

/* ---- how full the token is ---- */

/* Said when it changes. */
static void
say_room(struct works *w, unsigned token, enum works_room room)
{
	struct works_token *t = &w->token[token];
	const struct config_token *c = &w->set->config->token[token];
	static const char *const event[] = { "token_has_room", "token_nearly_full",
		"token_full" };

	if (t->room == room)
		return;
	t->room = room;
	log_event(room == WORKS_ROOM  ? LEVEL_NOTICE
		  : room == WORKS_LOW ? LEVEL_WARNING
				      : LEVEL_ERR,
	    event[room], "token=%s keys=%u max_keys=%u", c->name, t->keys, c->max_keys);
}

/* What nothing here names takes the room of what is configured, sooner or later. */
static bool
is_taken(const struct works *w, unsigned token)
{
	const struct config *c = w->set->config;
	size_t needed = config_keys_needed(c, &c->token[token]);

	return w->token[token].unnamed.keys + needed > c->token[token].max_keys;
}

void
spare_count(struct works *w, unsigned token)
{
	struct works_token *t = &w->token[token];
	unsigned max = w->set->config->token[token].max_keys, before = t->keys;
	struct frame_stats stats = { .keys = 0 };

	if (token_admin_stats(t->admin, &stats, NULL) != RC_OK)
		return; /* what was known stays known */
	t->keys = stats.keys + stats.refused;
	t->sized = true;
	if (max == 0 && t->keys < before)
		say_room(
		    w, token, WORKS_ROOM); /* only the token itself knows when it is full */
	if (max == 0)
		return;
	if (t->keys >= max)
		say_room(w, token, WORKS_FULL);
	else if ((max - t->keys) * WORKS_LOW_PART <= max || is_taken(w, token))
		say_room(w, token, WORKS_LOW);
	else
		say_room(w, token, WORKS_ROOM);
}

/* ---- making them ---- */

/* As many as were asked for of late, in half of the room that is left. */
static unsigned
how_many(struct works *w, unsigned token, int64_t now_s)
{
	struct works_token *t = &w->token[token];
	unsigned max = w->set->config->token[token].max_keys, n;

	if (now_s < t->asked_at_s || now_s - t->asked_at_s >= SPARE_WINDOW_S) {
		t->asked_at_s = now_s;
		t->asked = 0;
	}
	n = ++t->asked < FRAME_MAX_MADE ? t->asked : FRAME_MAX_MADE;
	if (n < SPARE_FEW)
		n = 1;
	if (max == 0 || n == 1)
		return n;
	if (!t->sized || t->keys >= max || (max - t->keys) / 2 <= 1)
		return 1;
	return n < (max - t->keys) / 2 ? n : (max - t->keys) / 2;
}

struct going {
	struct works *w;
	unsigned token, seen;
	int64_t now_s;
	struct works_spare first;
	struct works_spare more[FRAME_MAX_MADE]; /* seen - 1 of them */
};

static void
take_made(void *arg, const uint8_t point[65])
{
	struct going *m = arg;
	struct works_spare *k = m->seen == 0 ? &m->first : &m->more[m->seen - 1];

	memcpy(k->point, point, P256_POINT_LEN);
	k->made_s = m->now_s;
	m->seen++;
}

/* One that no file names is of no use. */
static void
keep(struct works *w, unsigned token, const struct works_spare *key)
{
	struct works_token *t = &w->token[token];
	struct fault why = { 0 };
	uint8_t key_id[KEY_ID_LEN];
	enum rc rc;

	if (t->spares < WORKS_SPARES && write_file(w, token, key, &why) == RC_OK) {
		t->spare[t->spares++] = *key;
		return;
	}
	key_id_of_point(key->point, key_id);
	rc = remove_file(w, key->point, &why); /* written, and not synced */
	if (rc == RC_OK)
		rc = works_discard(w, token, key_id, &why);
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "key_left", &why);
}

/* Until its request is written this is the file that names it. */
static enum rc
note(struct works *w, struct credset_place at, const struct works_spare *key, int64_t now_s,
    struct fault *f)
{
	uint8_t key_id[KEY_ID_LEN];

	key_id_of_point(key->point, key_id);
	return retire_note(w, key_id, at, now_s + RETIRE_OVERLAP_S, f);
}

static enum rc
make(struct works *w, unsigned token, struct credset_place at, int64_t now_s,
    struct works_spare *out, struct fault *f)
{
	struct going m = { .w = w, .token = token, .now_s = now_s };
	struct works_token *t = &w->token[token];
	struct fault why = { .reason = "" };
	unsigned n = how_many(w, token, now_s), made = 0;
	enum rc rc;

	TRY(making_begin(w, token, f));
	rc = token_admin_generate_some(t->admin, n, t->batch, take_made, &m, &made, &why);
	for (unsigned i = 1; i < made; i++)
		keep(w, token, &m.more[i - 1]);
	spare_count(w, token);
	if (strcmp(why.reason, "token_full") == 0)
		say_room(w, token, WORKS_FULL);
	if (made > 0)
		rc = note(w, at, &m.first, now_s, &why);
	/* Where the answer did not come, a key may be there all the same. */
	if (made == n && rc == RC_OK)
		making_end(w, token);
	else
		making_leave(w);
	if (made == 0 || rc != RC_OK)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	*out = m.first;
	return RC_OK;
}

bool
spare_has(const struct works *w, const uint8_t key_id[KEY_ID_LEN])
{
	uint8_t own[KEY_ID_LEN];

	for (unsigned token = 0; token < CONFIG_MAX_TOKENS; token++) {
		for (size_t i = 0; i < w->token[token].spares; i++) {
			key_id_of_point(w->token[token].spare[i].point, own);
			if (memcmp(own, key_id, KEY_ID_LEN) == 0)
				return true;
		}
	}
	return false;
}

enum rc
spare_take(struct works *w, unsigned token, struct credset_place at, int64_t now_s,
    struct works_spare *out, struct fault *f)
{
	struct works_token *t = &w->token[token];

	if (t->spares == 0)
		return make(w, token, at, now_s, out, f);
	TRY(note(w, at, &t->spare[t->spares - 1], now_s, f));
	TRY(remove_file(w, t->spare[t->spares - 1].point, f));
	*out = t->spare[--t->spares];
	if (now_s >= t->asked_at_s && now_s - t->asked_at_s < SPARE_WINDOW_S)
		t->asked++;
	return RC_OK;
}

void
spare_drop(struct works *w, unsigned token)
{
	struct works_token *t = &w->token[token];

	while (t->spares > 0) {
		const struct works_spare *key = &t->spare[--t->spares];
		struct fault why = { 0 };
		uint8_t key_id[KEY_ID_LEN];
		enum rc rc = remove_file(w, key->point, &why);

		key_id_of_point(key->point, key_id);
		if (rc == RC_OK)
			rc = works_discard(w, token, key_id, &why);
		if (rc != RC_OK)
			log_fault(LEVEL_WARNING, "key_left", &why);
	}
}
