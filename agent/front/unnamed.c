#include "agent/front/unnamed.h"

#include "agent/front/orphans.h"
#include "agent/front/spare.h"
#include "agent/log.h"

enum rc
unnamed_destroy(
    struct works *w, unsigned token, const uint8_t batch[FRAME_BATCH], struct fault *f)
{
	AUTO_KEYUSES u = { .key = NULL };
	char hex[2 * KEY_ID_LEN + 1];

	TRY(keyuses_batch(w, token, batch, &u, f));
	for (size_t i = 0; i < u.len; i++) {
		if (u.key[i].use != KEY_UNUSED)
			continue;
		if (u.unsure)
			return FAULT(f, RC_CONFLICT, "unnamed_unsure",
			    "a file that may name the key cannot be read: %s", u.doubt.text);
		TRY(works_discard(w, token, u.key[i].id, f));
		works_hex(u.key[i].id, KEY_ID_LEN, hex);
		log_event(LEVEL_NOTICE, "unfinished_key", "key=%s", hex);
	}
	return RC_OK;
}

/* ---- counted ---- */

static void
count_one(const struct works *w, const struct keyuse *k, struct works_unnamed *n)
{
	if (n->keys < WORKS_UNNAMED_SHOWN)
		memcpy(n->id[n->keys], k->id, KEY_ID_LEN);
	n->keys++;
	n->orphans += keyuses_orphan(w, k);
	n->others += keyuses_owner(w, k) == KEY_ANOTHERS;
}

void
unnamed_count(struct works *w, unsigned token, const struct keyuses *u, int64_t now_s)
{
	struct works_token *t = &w->token[token];
	struct works_unnamed n = { 0 };

	for (size_t i = 0; i < u->len; i++) {
		if (u->key[i].use <= KEY_MAKING)
			count_one(w, &u->key[i], &n);
	}
	if (n.keys > 0 && (!t->counted || t->unnamed.keys != n.keys))
		log_event(LEVEL_WARNING, "unnamed_keys",
		    "token=%s keys=%zu orphans=%zu another=%zu",
		    w->set->config->token[token].name, n.keys, n.orphans, n.others);
	if (n.keys > 0)
		n.since_s = t->unnamed.since_s != 0 ? t->unnamed.since_s : now_s;
	t->unnamed = n;
	t->counted = true;
	orphans_note(w, token, u, now_s);
	spare_count(w, token);
}

static enum rc
look(struct works *w, unsigned token, int64_t now_s, struct fault *f)
{
	AUTO_KEYUSES u = { .key = NULL };

	TRY(keyuses_look(w, token, false, &u, f));
	unnamed_count(w, token, &u, now_s);
	return RC_OK;
}

/* In how many seconds again. */
static int64_t
look_at(struct works *w, unsigned token, int64_t now_s)
{
	struct fault why = { 0 };

	if (!token_admin_ready(w->token[token].admin))
		return UNNAMED_SOON_S; /* nobody waits here for one that is not up */
	if (look(w, token, now_s, &why) == RC_OK)
		return UNNAMED_LOOK_S;
	log_fault(LEVEL_WARNING, "unnamed_keys", &why);
	return UNNAMED_RETRY_S;
}

int64_t
unnamed_look(struct works *w, int64_t now_s)
{
	int64_t soonest_s = UNNAMED_LOOK_S;

	for (unsigned i = 0; i < w->set->config->tokens && i < CONFIG_MAX_TOKENS; i++) {
		int64_t again_s = look_at(w, i, now_s);

		soonest_s = again_s < soonest_s ? again_s : soonest_s;
	}
	return now_s + soonest_s;
}
