#include "agent/front/making.h"

#include <openssl/rand.h>
#include <string.h>

#include "agent/front/store.h"
#include "agent/front/unnamed.h"
#include "agent/log.h"
#include "stir/jtext.h"

enum { MAKING_FILE_MAX = 1024, BATCH_TEXT = 2 * FRAME_BATCH };

static enum rc
path_of(const struct works *w, const uint8_t batch[FRAME_BATCH], struct store_path *out,
    struct fault *f)
{
	char hex[BATCH_TEXT + 1];

	works_hex(batch, FRAME_BATCH, hex);
	return store_path(out, f, "%s/front/making/%s.json", w->set->config->state_dir, hex);
}

enum rc
making_begin(struct works *w, unsigned token, struct fault *f)
{
	struct works_token *t = &w->token[token];
	struct store_path path = { 0 };
	json_auto_t *root = NULL;

	if (t->batched)
		return RC_OK;
	if (!w->installation.known)
		return FAULT(f, RC_IO, "io", "the installation's name is not known");
	root = json_pack("{s:s}", "token", w->set->config->token[token].name);
	memcpy(t->batch, w->installation.id, FRAME_OWNER);
	if (RAND_bytes(t->batch + FRAME_OWNER, sizeof t->batch - FRAME_OWNER) != 1)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "no random numbers");
	TRY(path_of(w, t->batch, &path, f));
	TRY(store_write_json(path.text, root, MAKING_FILE_MAX, f));
	t->batched = true;
	return RC_OK;
}

void
making_end(struct works *w, unsigned token)
{
	struct store_path path = { 0 };
	struct fault why = { 0 };
	enum rc rc = path_of(w, w->token[token].batch, &path, &why);

	if (rc == RC_OK)
		rc = store_remove(path.text, &why);
	if (rc == RC_OK) {
		w->token[token].batched = false;
		return;
	}
	log_fault(LEVEL_WARNING, "making", &why);
	making_leave(w);
}

void
making_leave(struct works *w)
{
	w->making_at_s = 0;
}

/* ---- what is left over ---- */

struct round {
	struct works *w;
	const char *dir;
	int64_t again_s; /* in so many seconds; 0: there is nothing more */
};

static enum rc
batch_of(const char *file, uint8_t out[FRAME_BATCH], struct fault *f)
{
	if (strlen(file) != BATCH_TEXT + strlen(".json") ||
	    strcmp(file + BATCH_TEXT, ".json") != 0 || !works_unhex(file, out, FRAME_BATCH))
		return FAULT(f, RC_INVALID, "making_file", "%s: no name of a batch", file);
	return RC_OK;
}

static enum rc
read_file(const struct works *w, const char *path, unsigned *token, struct fault *f)
{
	json_auto_t *root = NULL;
	const char *name = NULL;

	TRY(store_read_json(path, MAKING_FILE_MAX, &root, f));
	if (json_unpack(root, "{s:s!}", "token", &name) != 0)
		return FAULT(f, RC_INVALID, "making_file", "%s: not as we write it", path);
	return works_token_index(w, name, token, f);
}

static enum rc
sweep(struct round *round, const char *file, struct fault *f)
{
	struct store_path path = { 0 };
	struct works_token *t;
	uint8_t batch[FRAME_BATCH];
	unsigned token = 0;

	TRY(batch_of(file, batch, f));
	TRY(store_path(&path, f, "%s/%s", round->dir, file));
	TRY(read_file(round->w, path.text, &token, f));
	t = &round->w->token[token];
	if (!token_admin_ready(t->admin)) {
		round->again_s = MAKING_SOON_S; /* nobody waits here for one that is not up */
		return RC_OK;
	}
	TRY(unnamed_destroy(round->w, token, batch, f));
	TRY(store_remove(path.text, f));
	if (memcmp(t->batch, batch, sizeof batch) == 0)
		t->batched = false;
	return RC_OK;
}

static enum rc
sweep_one(void *arg, const char *file, struct fault *f)
{
	struct round *round = arg;
	struct fault why = { 0 };

	(void)f;
	if (sweep(round, file, &why) != RC_OK) {
		log_fault(LEVEL_WARNING, "making", &why);
		if (round->again_s == 0)
			round->again_s = MAKING_RETRY_S;
	}
	return RC_OK; /* the others are none the worse */
}

int64_t
making_due(struct works *w, int64_t now_s)
{
	struct store_path dir = { 0 };
	struct round round = { .w = w, .dir = dir.text };
	struct fault why = { 0 };
	enum rc rc = store_path(&dir, &why, "%s/front/making", w->set->config->state_dir);

	if (rc == RC_OK)
		rc = store_each(dir.text, sweep_one, &round, &why);
	if (rc != RC_OK) {
		log_fault(LEVEL_WARNING, "making", &why);
		round.again_s = MAKING_RETRY_S;
	}
	return round.again_s == 0 ? INT64_MAX : now_s + round.again_s;
}
