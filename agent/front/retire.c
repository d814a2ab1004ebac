#include "agent/front/retire.h"

#include "agent/front/keyfile.h"
#include "agent/front/keyuses.h"
#include "agent/front/offboard.h"
#include "agent/front/pending.h"
#include "agent/front/revoke.h"
#include "agent/front/spare.h"
#include "agent/front/store.h"
#include "agent/log.h"
#include "stir/chain.h"
#include "stir/jtext.h"

enum { RETIRE_FILE_MAX = 4096, RETIRE_BATCH = 64 };

struct retiring {
	uint8_t key_id[KEY_ID_LEN];
	char hex[2 * KEY_ID_LEN + 1];
	const char *token, *tenant, *name; /* borrowed from root */
	int64_t at_s;
	bool ends; /* so does its tenant: nothing of it needs a key any more */
	json_t *root;
};

static bool
id_of(const char *hex, uint8_t out[KEY_ID_LEN])
{
	return strlen(hex) == 2 * KEY_ID_LEN && works_unhex(hex, out, KEY_ID_LEN);
}

static enum rc
dir_of(const struct works *w, struct store_path *out, struct fault *f)
{
	return store_path(out, f, "%s/front/retiring", w->set->config->state_dir);
}

enum rc
retire_note_of(struct works *w, const uint8_t key_id[KEY_ID_LEN],
    const struct retire_whose *whose, int64_t at_s, struct fault *f)
{
	struct store_path dir = { 0 }, path = { 0 };
	char hex[2 * KEY_ID_LEN + 1];
	json_auto_t *root = json_pack("{s:s, s:s, s:s, s:I}", "token", whose->token, "tenant",
	    whose->tenant, "credential", whose->name, "at", (json_int_t)at_s);

	works_hex(key_id, KEY_ID_LEN, hex);
	TRY(dir_of(w, &dir, f));
	TRY(store_path(&path, f, "%s/%s.json", dir.text, hex));
	TRY(store_write_json(path.text, root, RETIRE_FILE_MAX, f));
	if (at_s < w->retire_at_s)
		w->retire_at_s = at_s;
	return RC_OK;
}

enum rc
retire_note(struct works *w, const uint8_t key_id[KEY_ID_LEN], struct credset_place at,
    int64_t at_s, struct fault *f)
{
	const struct config_credential *cc = credset_config(w->set, at);
	struct keyfile k = { .made_s = 0 };
	bool known = keyfile_read(w->set->config, key_id, &k, NULL) == RC_OK;
	const struct retire_whose whose = { known ? k.token : cc->token,
		w->set->config->tenant[at.tenant].name, cc->name };

	return retire_note_of(w, key_id, &whose, at_s, f);
}

void
retire_forget(struct works *w, const uint8_t key_id[KEY_ID_LEN])
{
	struct store_path dir = { 0 }, path = { 0 };
	struct fault why = { 0 };
	char hex[2 * KEY_ID_LEN + 1];
	enum rc rc = dir_of(w, &dir, &why);

	works_hex(key_id, KEY_ID_LEN, hex);
	if (rc == RC_OK)
		rc = store_path(&path, &why, "%s/%s.json", dir.text, hex);
	if (rc == RC_OK)
		rc = store_remove(path.text, &why);
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "retire", &why);
}

static void
retiring_done(struct retiring *r)
{
	json_decref(r->root);
}

static bool
names_key(const char *file, struct retiring *r)
{
	size_t len = sizeof r->hex - 1;

	if (strlen(file) != len + 5 || strcmp(file + len, ".json") != 0)
		return false;
	memcpy(r->hex, file, len);
	return id_of(r->hex, r->key_id);
}

static enum rc
retiring_read(const char *path, const char *file, struct retiring *out, struct fault *f)
{
	json_auto_t *root = NULL;
	struct retiring r = { 0 };
	json_int_t at = 0;

	if (!names_key(file, &r))
		return FAULT(f, RC_INVALID, "retiring_file", "%s: no name of a key", path);
	TRY(store_read_json(path, RETIRE_FILE_MAX, &root, f));
	if (json_unpack(root, "{s:s, s:s, s:s, s:I!}", "token", &r.token, "tenant", &r.tenant,
		"credential", &r.name, "at", &at) != 0)
		return FAULT(f, RC_INVALID, "retiring_file", "%s: not as we write it", path);
	r.at_s = at;
	r.root = TAKE(root);
	*out = r;
	return RC_OK;
}

enum need { KEY_FREE, KEY_NEEDED, KEY_UNSURE };

/* A tenant that has come to its end needs none, whoever has noted it. */
static bool
has_key(const struct works *w, const struct credential *c, const struct retiring *r)
{
	return memcmp(c->key_id, r->key_id, KEY_ID_LEN) == 0 &&
	       !offboard_destroys(w, c->tenant);
}

static bool
in_force(const struct works *w, const struct retiring *r)
{
	for (size_t i = 0; i < w->set->slots; i++) {
		const struct credential *c = w->set->slot[i];

		if (c->state == CREDENTIAL_READY && has_key(w, c, r))
			return true;
	}
	for (size_t i = 0; i < w->changes.len; i++) {
		if (has_key(w, w->changes.item[i].made, r))
			return true; /* as soon as it is learnt */
	}
	return false;
}

/*
 * A certificate on disk that is not in force now may be again, with its key:
 * where another is, what lies there may still be this one's.
 */
static enum need
need_on_disk(const struct works *w, const struct retiring *r)
{
	struct credset_place at;
	struct store_path path = { 0 };
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);
	AUTO(chain) *chain = NULL;
	enum rc rc = store_path(&path, NULL, "%s/front/tenants/%s/%s/current.pem",
	    w->set->config->state_dir, r->tenant, r->name);

	if (rc == RC_OK)
		rc = store_read(path.text, CHAIN_MAX_BYTES, &pem, NULL);
	if (rc == RC_NOT_FOUND)
		return KEY_FREE;
	if (rc != RC_OK || !credset_find(w->set, r->tenant, r->name, &at) ||
	    credset_credential(w->set, at)->state != CREDENTIAL_READY ||
	    chain_read_pem(buf_view(&pem), true, &chain, NULL) != RC_OK)
		return KEY_UNSURE;
	return chain->cert[0]->p256 &&
		       memcmp(chain->cert[0]->key_id, r->key_id, KEY_ID_LEN) != 0
		   ? KEY_FREE
		   : KEY_UNSURE;
}

struct wanted {
	const uint8_t *key_id;
	bool there;
};

static void
is_it(void *arg, const uint8_t key_id[KEY_ID_LEN])
{
	struct wanted *want = arg;

	if (memcmp(want->key_id, key_id, KEY_ID_LEN) == 0)
		want->there = true;
}

/* Of a CA that is configured or not; what a file says outlives what memory has. */
static enum need
need_of_account(const struct works *w, const struct retiring *r)
{
	struct wanted want = { .key_id = r->key_id };

	if (!accounts_on_disk(w->set->config, is_it, &want))
		return want.there ? KEY_NEEDED : KEY_UNSURE;
	return want.there ? KEY_NEEDED : KEY_FREE;
}

struct round {
	struct works *w;
	int64_t now_s, next_s;
	const char *dir;
	unsigned destroyed;
	struct keyuses asked; /* those that more than one may have */
	bool searched;	      /* for these */
	bool doubt;	      /* one of them waits for what cannot be read */
};

static void
round_next(struct round *round, int64_t at_s)
{
	if (at_s < round->next_s)
		round->next_s = at_s;
}

/* One that was made here is of one credential; one that was brought may be of several. */
static bool
may_be_shared(const struct works *w, const struct retiring *r)
{
	struct keyfile made = { .made_s = 0 };

	return keyfile_read(w->set->config, r->key_id, &made, NULL) != RC_OK || made.imported;
}

/* Not at once again what could not be told a moment ago. */
static enum need
ask(struct round *round, const struct retiring *r)
{
	int64_t search_at_s = round->w->search_at_s;

	if (search_at_s > round->now_s && search_at_s - round->now_s <= RETIRE_RETRY_S)
		round_next(round, search_at_s);
	else
		keyuses_ask(&round->asked, r->key_id);
	return KEY_UNSURE;
}

/* The first time it is asked for; the second time, for all at once, that is answered. */
static enum need
need_of_others(struct round *round, const struct retiring *r)
{
	const struct keyuse *k = NULL;

	if (!may_be_shared(round->w, r))
		return KEY_FREE;
	if (!round->searched)
		return ask(round, r);
	k = keyuses_find(&round->asked, r->key_id);
	if (k == NULL)
		return KEY_UNSURE;
	if (k->use > KEY_RETIRED)
		return KEY_NEEDED;
	/* Another's overlap, whose note this one may have replaced; at_s is of no end. */
	if (k->use == KEY_RETIRED && r->ends)
		return KEY_UNSURE;
	round->doubt |= round->asked.unsure;
	return round->asked.unsure ? KEY_UNSURE : KEY_FREE;
}

/* Nothing may need the key: not a certificate, a request nor an account. */
static enum need
need_of(struct round *round, const struct retiring *r)
{
	const struct works *w = round->w;
	AUTO_PENDING p = { 0 };
	enum need need;
	enum rc rc;

	if (in_force(w, r) || accounts_has_key(&w->accounts, r->key_id) ||
	    spare_has(w, r->key_id))
		return KEY_NEEDED;
	/* Later: it is noted nowhere else when the CA has answered. */
	if (revoke_needs_key(w, r->key_id))
		return KEY_UNSURE;
	if (r->tenant[0] == 0) /* of an account that has it no more */
		return need_of_account(w, r);
	if (r->ends)
		return need_of_others(round, r);
	if (!store_name_ok(r->tenant) || !store_name_ok(r->name))
		return KEY_UNSURE;
	rc = pending_read(w->set->config, r->tenant, r->name, &p, NULL);
	if (rc == RC_OK && memcmp(p.facts.key_id, r->key_id, KEY_ID_LEN) == 0)
		return KEY_NEEDED;
	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return KEY_UNSURE;
	need = need_on_disk(w, r);
	return need == KEY_FREE ? need_of_others(round, r) : need;
}

static void
audit_of_tenant(struct works *w, const char *event, const struct retiring *r)
{
	works_audit(w, event, r->tenant, r->name, json_pack("{s:s}", "key", r->hex));
}

/* Its tenant comes to its end without it. */
static void
tell_kept(struct works *w, const struct retiring *r)
{
	log_event(LEVEL_NOTICE, "key_kept", "tenant=%s credential=%s key=%s", r->tenant,
	    r->name, r->hex);
	audit_of_tenant(w, "key_kept", r);
}

static void
audit(struct works *w, const struct retiring *r)
{
	json_t *line;

	if (r->tenant[0] != 0) {
		audit_of_tenant(w, "key_retired", r);
		return;
	}
	line =
	    json_pack("{s:s, s:s, s:s}", "event", "key_retired", "ca", r->name, "key", r->hex);
	if (line != NULL)
		w->out.audit(w->out.arg, line);
	else
		log_event(LEVEL_ERR, "audit_lost", "event=key_retired ca=%s", r->name);
}

/*
 * At the end of a tenant "it is not there" has to be true of each token: where
 * nobody has noted in which it was made, the note's is a guess.
 */
static enum rc
destroy_anywhere(struct works *w, const struct retiring *r, struct fault *f)
{
	for (size_t i = 0; i < w->set->config->tokens; i++)
		TRY(works_discard(w, (unsigned)i, r->key_id, f));
	return RC_OK;
}

static enum rc
destroy(struct works *w, const struct retiring *r, struct fault *f)
{
	struct keyfile made = { .made_s = 0 };
	struct fault why = { 0 };
	enum rc rc = RC_OK;
	unsigned token = 0;

	if (r->ends)
		rc = keyfile_read(w->set->config, r->key_id, &made, &why);
	if (rc == RC_NOT_FOUND || rc == RC_INVALID) {
		TRY(destroy_anywhere(w, r, f));
	} else {
		if (rc != RC_OK)
			return FAULT(f, rc, why.reason, "%s", why.detail);
		/* Its file is right where the note has guessed. */
		TRY(works_token_index(w, r->ends ? made.token : r->token, &token, f));
		TRY(works_discard(w, token, r->key_id, f));
	}
	audit(w, r);
	return RC_OK;
}

/* As right after a start. */
static bool
is_away(const struct works *w, const struct retiring *r)
{
	unsigned token = 0;

	return works_token_index(w, r->token, &token, NULL) == RC_OK &&
	       !token_admin_ready(w->token[token].admin);
}

/* RC_BUSY: later. */
static enum rc
retire_key(struct round *round, const struct retiring *r, struct fault *f)
{
	struct fault why = { 0 };
	enum need need;
	enum rc rc;

	if (r->at_s > round->now_s && !r->ends) {
		round_next(round, r->at_s);
		return RC_BUSY;
	}
	if (round->destroyed >= RETIRE_BATCH) { /* others wait for this thread too */
		round_next(round, round->now_s + 1);
		return RC_BUSY;
	}
	need = need_of(round, r);
	if (need == KEY_NEEDED && r->ends)
		tell_kept(round->w, r);
	if (need == KEY_NEEDED)
		return RC_OK; /* it is noted again when it goes out of use */
	round_next(round, round->now_s + RETIRE_RETRY_S);
	if (need == KEY_UNSURE)
		return RC_BUSY;
	round->destroyed++;
	rc = destroy(round->w, r, &why);
	if (rc == RC_HSM && is_away(round->w, r)) {
		round_next(round, round->now_s + RETIRE_SOON_S);
		return RC_BUSY;
	}
	return rc == RC_OK ? RC_OK : FAULT(f, rc, why.reason, "%s", why.detail);
}

static enum rc
retire_one(void *arg, const char *file, struct fault *f)
{
	struct round *round = arg;
	struct retiring r __attribute__((cleanup(retiring_done))) = { 0 };
	struct store_path path = { 0 };
	struct fault why = { 0 };
	enum rc rc;

	TRY(store_path(&path, f, "%s/%s", round->dir, file));
	rc = retiring_read(path.text, file, &r, &why);
	r.ends = rc == RC_OK && r.tenant[0] != 0 && offboard_destroys(round->w, r.tenant);
	if (rc == RC_OK)
		rc = retire_key(round, &r, &why);
	if (rc == RC_OK)
		return store_remove(path.text, f);
	if (rc != RC_BUSY)
		log_fault(LEVEL_WARNING, "retire", &why);
	return RC_OK; /* the others are none the worse */
}

static void
doubted(struct round *round)
{
	struct fault why = { 0 };

	round->w->search_at_s = round->now_s + RETIRE_RETRY_S;
	(void)FAULT(&why, RC_IO, "io",
	    "whose the keys to be destroyed are cannot be told: %s cannot be read",
	    round->asked.doubt.text);
	log_fault(LEVEL_WARNING, "retire", &why);
}

/* One look at all directories for all of them; who could not be judged then is now. */
static enum rc
retire_asked(struct round *round, struct fault *f)
{
	char file[2 * KEY_ID_LEN + sizeof ".json"];

	if (round->asked.len == 0)
		return RC_OK;
	TRY(keyuses_search(round->w, &round->asked, f));
	round->searched = true;
	for (size_t i = 0; i < round->asked.len; i++) {
		works_hex(round->asked.key[i].id, KEY_ID_LEN, file);
		memcpy(file + 2 * KEY_ID_LEN, ".json", sizeof ".json");
		TRY(retire_one(round, file, f));
	}
	if (round->doubt)
		doubted(round);
	return RC_OK;
}

static void
round_done(struct round *round)
{
	keyuses_done(&round->asked);
}

int64_t
retire_due(struct works *w, int64_t now_s)
{
	struct store_path dir = { 0 };
	struct fault why = { 0 };
	struct round round __attribute__((
	    cleanup(round_done))) = { .w = w, .now_s = now_s, .next_s = INT64_MAX };
	enum rc rc = dir_of(w, &dir, &why);

	round.dir = dir.text;
	if (rc == RC_OK)
		rc = store_each(dir.text, retire_one, &round, &why);
	if (rc == RC_OK)
		rc = retire_asked(&round, &why);
	if (rc != RC_OK) {
		log_fault(LEVEL_WARNING, "retire", &why);
		round_next(&round, now_s + RETIRE_RETRY_S);
	}
	if (round.destroyed > 0 && round.destroyed < RETIRE_BATCH &&
	    round.next_s < now_s + RETIRE_TOGETHER_S)
		return now_s + RETIRE_TOGETHER_S;
	return round.next_s;
}

struct count {
	const char *dir, *tenant;
	size_t keys;
};

static enum rc
count_one(void *arg, const char *file, struct fault *f)
{
	struct count *count = arg;
	struct retiring r __attribute__((cleanup(retiring_done))) = { 0 };
	struct store_path path = { 0 };
	struct fault why = { 0 };
	enum rc rc;

	if (!names_key(file, &r))
		return RC_OK; /* nobody's */
	TRY(store_path(&path, f, "%s/%s", count->dir, file));
	rc = retiring_read(path.text, file, &r, &why);
	if (rc != RC_OK) /* it holds a tenant's end up: which one is it? */
		return FAULT(f, rc, why.reason, "%s: %s", path.text, why.detail);
	count->keys += strcmp(r.tenant, count->tenant) == 0;
	return RC_OK;
}

enum rc
retire_count(const struct works *w, const char *tenant, size_t *out, struct fault *f)
{
	struct store_path dir = { 0 };
	struct count count = { .dir = dir.text, .tenant = tenant };

	TRY(dir_of(w, &dir, f));
	TRY(store_each(dir.text, count_one, &count, f));
	*out = count.keys;
	return RC_OK;
}
