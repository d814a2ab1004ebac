#include "agent/front/orphans.h"

#include <stdio.h>

#include "agent/front/installation.h"
#include "agent/front/keyfile.h"
#include "agent/front/ops.h"
#include "agent/front/unnamed.h"
#include "agent/log.h"

enum { ORPHANS_SHARE = 2 }; /* so many in use for each that goes */

/* ---- since when ---- */

static int
by_id(const void *a, const void *b)
{
	return memcmp(
	    ((const struct works_seen *)a)->id, ((const struct works_seen *)b)->id, KEY_ID_LEN);
}

static const struct works_seen *
seen(const struct works_token *t, const uint8_t key_id[KEY_ID_LEN])
{
	struct works_seen want = { .since_s = 0 };

	memcpy(want.id, key_id, KEY_ID_LEN);
	return t->seens > 0 ? bsearch(&want, t->seen, t->seens, sizeof want, by_id) : NULL;
}

void
orphans_done(struct works_token *t)
{
	free(t->seen);
	t->seen = NULL;
	t->seens = 0;
}

/* In the order of the keys, which is that of their ids. */
static size_t
note_all(const struct works *w, const struct works_token *t, const struct keyuses *u,
    int64_t now_s, struct works_seen *out)
{
	size_t n = 0;

	for (size_t i = 0; i < u->len; i++) {
		const struct works_seen *before = seen(t, u->key[i].id);

		if (!keyuses_orphan(w, &u->key[i]))
			continue;
		memcpy(out[n].id, u->key[i].id, KEY_ID_LEN);
		out[n++].since_s =
		    before != NULL && before->since_s <= now_s ? before->since_s : now_s;
	}
	return n;
}

static size_t
count_long(const struct works *w, const struct works_token *t, int64_t now_s)
{
	size_t n = 0;

	for (size_t i = 0; i < t->seens; i++)
		n += now_s - t->seen[i].since_s >= (int64_t)w->set->config->orphan_after_s;
	return n;
}

/* The alarm's beginning and its end, once each. */
static void
tell(struct works *w, unsigned token, int64_t now_s)
{
	struct works_token *t = &w->token[token];
	size_t n = count_long(w, t, now_s);
	char problem[CREDENTIAL_PROBLEM_MAX];
	json_t *word;

	if ((n > 0) == t->orphans_told || w->out.alarm == NULL)
		return;
	snprintf(problem, sizeof problem,
	    "%zu keys that this installation made and no file names: vesper hsm orphans", n);
	word = json_pack("{s:s, s:s, s:s?}", "alarm", "orphan_keys", "name",
	    w->set->config->token[token].name, "problem", n > 0 ? problem : NULL);
	if (word == NULL)
		return; /* it is told the next time */
	w->out.alarm(w->out.arg, word);
	t->orphans_told = n > 0;
}

void
orphans_note(struct works *w, unsigned token, const struct keyuses *u, int64_t now_s)
{
	struct works_token *t = &w->token[token];
	struct works_seen *now = u->len > 0 ? calloc(u->len, sizeof *now) : NULL;
	size_t n;

	if (u->len > 0 && now == NULL)
		return; /* nothing is seen for as long */
	n = note_all(w, t, u, now_s, now);
	orphans_done(t);
	t->seen = now;
	t->seens = n;
	tell(w, token, now_s);
}

/* ---- which may go ---- */

struct round {
	struct works *w;
	const struct orphans_ask *ask;
	unsigned token;
	struct keyuses *u;
	size_t own, used, orphans; /* keys of ours; used: by certificates and accounts */
	struct fault why;	   /* RC_OK: they may go */
	size_t destroyed, left;
};

/* RC_OK: it is one for as long. */
static enum rc
since_of(
    const struct round *r, const uint8_t key_id[KEY_ID_LEN], int64_t *since_s, struct fault *f)
{
	const struct works_seen *s = seen(&r->w->token[r->token], key_id);
	struct keyfile k = { .made_s = 0 };
	enum rc rc = keyfile_read(r->w->set->config, key_id, &k, f);

	*since_s = s != NULL ? s->since_s : r->ask->now_s;
	if (rc == RC_OK && k.imported)
		return FAULT(f, RC_CONFLICT, "orphans_unsure", "its file calls it imported");
	return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static bool
is_due(const struct round *r, int64_t since_s)
{
	return since_s <= r->ask->now_s &&
	       r->ask->now_s - since_s >= (int64_t)r->w->set->config->orphan_after_s;
}

static void
count(struct round *r)
{
	for (size_t i = 0; i < r->u->len; i++) {
		const struct keyuse *k = &r->u->key[i];
		bool ours = keyuses_owner(r->w, k) == KEY_OURS;

		r->own += ours;
		r->used += ours && k->use >= KEY_REVOKES;
		r->orphans += ours && k->use == KEY_UNUSED;
	}
}

static enum rc
judge(const struct round *r, struct fault *f)
{
	const struct works *w = r->w;

	if (!w->installation.known)
		return FAULT(f, RC_CONFLICT, "orphans_unsure", "installation.json is not read");
	if (w->state_failed_s != 0)
		return FAULT(
		    f, RC_CONFLICT, "orphans_unsure", "the state directory cannot be written");
	if (r->u->unsure)
		return FAULT(f, RC_CONFLICT, "orphans_unsure",
		    "what may name one of them cannot be read: %.120s", r->u->doubt.text);
	if (w->clock_holds)
		return FAULT(f, RC_CONFLICT, "orphans_clock", "the clock has jumped ahead");
	if (r->ask->now_s - w->installation.made_s < (int64_t)w->set->config->orphan_after_s)
		return FAULT(f, RC_CONFLICT, "orphans_new",
		    "this installation has its name for less than orphan_after_s");
	if (r->ask->key == NULL && r->orphans * ORPHANS_SHARE > r->used)
		return FAULT(f, RC_CONFLICT, "orphans_share",
		    "%zu keys would go where %zu are in use: is the state directory whole?  "
		    "One that is named alone goes all the same",
		    r->orphans, r->used);
	return RC_OK;
}

/* ---- destroyed ---- */

/* why: the reason of a destruction that failed; NULL: there is none to say. */
static void
audit(struct works *w, const char *event, const char *token, const char *hex, const char *why)
{
	json_t *line = json_pack("{s:s, s:s, s:s}", "event", event, "token", token, "key", hex);

	if (line != NULL && why != NULL &&
	    json_object_set_new(line, "cause", json_string(why)) != 0) {
		json_decref(line);
		line = NULL;
	}
	if (line != NULL)
		w->out.audit(w->out.arg, line);
	else
		log_event(LEVEL_ERR, "audit_lost", "event=%s key=%s", event, hex);
}

/*
 * Said before it is done.  Gone already is as good; where no answer comes, it may
 * have been destroyed all the same.
 */
static enum rc
destroy(struct round *r, const struct keyuse *k, const char *hex, struct fault *f)
{
	struct works *w = r->w;
	struct fault why = { 0 };
	enum rc rc;

	audit(w, "orphan_destroying", r->ask->token, hex, NULL);
	rc = token_admin_destroy_owned(
	    w->token[r->token].admin, k->id, w->installation.id, &why);
	if (rc == RC_OK)
		audit(w, "orphan_destroyed", r->ask->token, hex, NULL);
	else
		audit(w, "orphan_unsure", r->ask->token, hex, why.reason);
	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	r->destroyed++;
	if (keyfile_remove(w->set->config, k->id, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "keyfile", &why);
	return RC_OK;
}

static enum rc
put_orphan(json_t *list, const char *hex, int64_t since_s, const char *state, struct fault *f)
{
	json_t *one = json_pack(
	    "{s:s, s:I, s:s}", "key", hex, "since", (json_int_t)since_s, "state", state);

	return one != NULL && json_array_append_new(list, one) == 0
		   ? RC_OK
		   : FAULT(f, RC_NO_MEMORY, "no_memory", "a list of orphans");
}

static enum rc
one(struct round *r, const struct keyuse *k, json_t *list, struct fault *f)
{
	bool go = r->ask->confirm != NULL && r->destroyed < ORPHANS_AT_ONCE, due;
	char hex[2 * KEY_ID_LEN + 1];
	struct fault why = { 0 };
	int64_t since_s = 0;
	bool sure;

	works_hex(k->id, KEY_ID_LEN, hex);
	if (r->ask->key != NULL && strcmp(r->ask->key, hex) != 0)
		return RC_OK;
	sure = since_of(r, k->id, &since_s, &why) == RC_OK;
	due = sure && is_due(r, since_s);
	if (due && go)
		TRY(destroy(r, k, hex, f));
	r->left += due && !go;
	return put_orphan(list, hex, since_s,
	    !sure	? "unsure"
	    : !due	? "waiting"
	    : due && go ? "destroyed"
			: "due",
	    f);
}

static enum rc
each(struct round *r, json_t *list, struct fault *f)
{
	for (size_t i = 0; i < r->u->len; i++) {
		if (keyuses_orphan(r->w, &r->u->key[i]))
			TRY(one(r, &r->u->key[i], list, f));
	}
	return RC_OK;
}

/* ---- asked ---- */

static enum rc
put_head(const struct works *w, const char *token, json_t *result, struct fault *f)
{
	char hex[INSTALLATION_TEXT];

	works_hex(w->installation.id, FRAME_OWNER, hex);
	TRY(op_put(result, "token", json_string(token), f));
	return op_put(
	    result, "installation", w->installation.known ? json_string(hex) : json_null(), f);
}

static enum rc
put_why(const struct fault *why, json_t *result, struct fault *f)
{
	bool well = why->rc == RC_OK;

	TRY(op_put(result, "reason", well ? json_null() : json_string(why->reason), f));
	return op_put(result, "detail", well ? json_null() : json_string(why->detail), f);
}

static enum rc
find_token(const struct works *w, const char *name, unsigned *out, struct fault *f)
{
	if (works_token_index(w, name, out, NULL) == RC_OK)
		return RC_OK;
	return REFUSE(f, RC_NOT_FOUND, NOT_FOUND, NULL, "no token section of that name");
}

/* What cannot be undone is asked for by its name twice. */
static enum rc
check_ask(const struct orphans_ask *ask, struct fault *f)
{
	uint8_t key_id[KEY_ID_LEN];

	if (ask->confirm != NULL && strcmp(ask->confirm, ask->token) != 0)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "confirm",
		    "it cannot be undone: 'confirm' repeats the token's name");
	if (ask->key != NULL &&
	    (strlen(ask->key) != 2 * KEY_ID_LEN || !works_unhex(ask->key, key_id, KEY_ID_LEN)))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "key",
		    "a key is %d hexadecimal digits in lower case", 2 * KEY_ID_LEN);
	return RC_OK;
}

static enum rc
answer(struct round *r, json_t *list, json_t *result, struct fault *f)
{
	TRY(op_put(result, "own", json_integer((json_int_t)r->own), f));
	TRY(op_put(result, "left", json_integer((json_int_t)r->left), f));
	TRY(op_put(result, "orphans", json_incref(list), f));
	return put_why(&r->why, result, f);
}

static void
look_again(struct works *w, unsigned token, int64_t now_s)
{
	AUTO_KEYUSES u = { .key = NULL };
	struct fault why = { 0 };

	if (keyuses_look(w, token, false, &u, &why) == RC_OK)
		unnamed_count(w, token, &u, now_s);
	else
		log_fault(LEVEL_WARNING, "unnamed_keys", &why);
}

enum rc
orphans_run(struct works *w, const struct orphans_ask *ask, json_t *result, struct fault *f)
{
	AUTO_KEYUSES u = { .key = NULL };
	struct round r = { .w = w, .ask = ask, .u = &u };
	json_auto_t *list = json_array();
	enum rc rc;

	TRY(find_token(w, ask->token, &r.token, f));
	TRY(check_ask(ask, f));
	TRY(keyuses_look(w, r.token, false, &u, f));
	unnamed_count(w, r.token, &u, ask->now_s);
	count(&r);
	rc = judge(&r, &r.why);
	if (rc != RC_OK && ask->confirm != NULL)
		return FAULT(f, rc, r.why.reason, "%s", r.why.detail);
	TRY(put_head(w, ask->token, result, f));
	rc = list != NULL ? each(&r, list, f)
			  : FAULT(f, RC_NO_MEMORY, "no_memory", "a list of orphans");
	if (r.destroyed > 0)
		look_again(w, r.token, ask->now_s);
	TRY(rc);
	if (ask->key != NULL && json_array_size(list) == 0)
		return FAULT(f, RC_NOT_FOUND, "no_orphan",
		    "this installation has no such key, or something names it");
	return answer(&r, list, result, f);
}

/* ---- all of them ---- */

static json_t *
show(const struct works *w, const struct keyuse *k)
{
	char hex[2 * KEY_ID_LEN + 1], owner[INSTALLATION_TEXT];

	works_hex(k->id, KEY_ID_LEN, hex);
	works_hex(k->name, FRAME_OWNER, owner);
	return json_pack("{s:s, s:s, s:s?, s:s?, s:s?}", "key", hex, "owner",
	    key_owner_name(keyuses_owner(w, k)), "installation",
	    k->label == FRAME_LABEL_OWNED ? owner : NULL, "use", keyuses_name(w, k), "of",
	    k->of);
}

enum rc
orphans_keys(struct works *w, const char *token, int64_t now_s, json_t *result, struct fault *f)
{
	AUTO_KEYUSES u = { .key = NULL };
	json_auto_t *list = json_array();
	unsigned at = 0;

	TRY(find_token(w, token, &at, f));
	TRY(keyuses_look(w, at, true, &u, f));
	unnamed_count(w, at, &u, now_s);
	for (size_t i = 0; i < u.len; i++) {
		if (json_array_append_new(list, show(w, &u.key[i])) != 0)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "a list of keys");
	}
	TRY(put_head(w, token, result, f));
	return op_put(result, "keys", json_incref(list), f);
}
