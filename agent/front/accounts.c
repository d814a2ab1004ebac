#include "agent/front/accounts.h"

#include "agent/front/store.h"
#include "agent/log.h"
#include "stir/b64.h"
#include "stir/jtext.h"

enum { ACCOUNT_FILE_MAX = 4096, ACCOUNT_MODE = 0600 };

void
accounts_done(struct accounts *a)
{
	free(a->item);
	free(a->damage);
	*a = (struct accounts){ 0 };
}

const struct account *
accounts_find(const struct accounts *a, const char *ca)
{
	for (size_t i = 0; i < a->len; i++) {
		if (strcmp(a->item[i].ca, ca) == 0)
			return &a->item[i];
	}
	return NULL;
}

enum rc
accounts_check(const struct accounts *a, const char *ca, struct fault *f)
{
	for (size_t i = 0; i < a->damages; i++) {
		const struct fault *why = &a->damage[i].why;

		if (strcmp(a->damage[i].ca, ca) == 0)
			return FAULT(f, why->rc, why->reason, "%s", why->detail);
	}
	return RC_OK;
}

void
accounts_mended(struct accounts *a, const char *ca)
{
	size_t kept = 0;

	for (size_t i = 0; i < a->damages; i++) {
		if (strcmp(a->damage[i].ca, ca) != 0)
			a->damage[kept++] = a->damage[i];
	}
	a->damages = kept;
}

bool
accounts_has_key(const struct accounts *a, const uint8_t key_id[KEY_ID_LEN])
{
	for (size_t i = 0; i < a->len; i++) {
		const struct account *one = &a->item[i];

		if (memcmp(one->key_id, key_id, KEY_ID_LEN) == 0 ||
		    (account_job_has_key(&one->job) &&
			memcmp(one->job.key_id, key_id, KEY_ID_LEN) == 0))
			return true;
	}
	return false;
}

static enum rc
file_of(const struct config *c, const char *ca, struct store_path *out, struct fault *f)
{
	if (!store_name_ok(ca))
		return FAULT(f, RC_INVALID, "store_path", "no name of a CA");
	return store_path(out, f, "%s/front/accounts/%s.json", c->state_dir, ca);
}

static enum rc
account_parse(struct span text, struct account *out, struct fault *f)
{
	json_auto_t *root = NULL;
	AUTO_BUF point = BUF_INIT(P256_POINT_LEN);
	AUTO_OSSL(EVP_PKEY) *key = NULL;
	const char *b64 = NULL;
	json_t *job = NULL;
	int deactivated = 0;

	TRY(jtext_read(text, &root, f));
	if (json_unpack(root, "{s:s, s?b, s?o!}", "point", &b64, "deactivated", &deactivated,
		"job", &job) != 0)
		return FAULT(f, RC_INVALID, "account_file", "not {\"point\": …}");
	out->deactivated = deactivated != 0;
	if (job != NULL)
		TRY(account_job_read(job, &out->job, f));
	TRY(b64_decode(&point, B64_URL, span_str(b64), f));
	if (point.len != P256_POINT_LEN)
		return FAULT(f, RC_INVALID, "account_file", "a point of %zu bytes", point.len);
	TRY(p256_from_point(point.ptr, &key, f)); /* on the curve */
	memcpy(out->point, point.ptr, P256_POINT_LEN);
	key_id_of_point(out->point, out->key_id);
	return RC_OK;
}

static enum rc
account_read(const char *path, const char *ca, struct account *out, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(ACCOUNT_FILE_MAX);
	struct account a = { 0 };

	TRY(store_read(path, ACCOUNT_FILE_MAX, &text, f));
	TRY(account_parse(buf_view(&text), &a, f));
	memcpy(a.ca, ca, strlen(ca) + 1); /* store_name_ok() bounds it */
	*out = a;
	return RC_OK;
}

/* What to do stands first: a detail is cut at its end. */
static void
note_damage(struct accounts *a, const char *ca, const char *path, const struct fault *why)
{
	struct account_damage *d = &a->damage[a->damages++];

	memcpy(d->ca, ca, strlen(ca) + 1);
	d->unread = why->rc == RC_IO;
	(void)FAULT(&d->why, RC_CONFLICT, "account_file",
	    d->unread ? "%s: reload when it can be read: %s"
		      : "%s: mend it, or: vesper account replace: %s",
	    path, why->detail);
	log_fault(LEVEL_ERR, "account_unusable", &d->why);
}

static enum rc
load_account(struct accounts *a, const struct config *c, const char *ca, struct fault *f)
{
	struct store_path path = { 0 };
	struct fault why = { 0 };
	enum rc rc;

	TRY(file_of(c, ca, &path, f));
	rc = account_read(path.text, ca, &a->item[a->len], &why);
	if (rc == RC_NO_MEMORY)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	if (rc == RC_OK)
		a->len++;
	else if (rc != RC_NOT_FOUND)
		note_damage(a, ca, path.text, &why);
	return RC_OK;
}

enum rc
accounts_load(const struct config *c, struct accounts *out, struct fault *f)
{
	struct accounts a = { .item = calloc(c->cas + 1, sizeof *a.item),
		.damage = calloc(c->cas + 1, sizeof *a.damage) };
	enum rc rc = RC_OK;

	if (a.item == NULL || a.damage == NULL)
		rc = FAULT(f, RC_NO_MEMORY, "no_memory", "accounts");
	for (size_t i = 0; rc == RC_OK && i < c->cas; i++)
		rc = load_account(&a, c, c->ca[i].name, f);
	if (rc != RC_OK) {
		accounts_done(&a);
		return rc;
	}
	*out = a;
	return RC_OK;
}

/* A disk that failed says nothing about what is on it. */
static void
carry_unread(struct accounts *a, const struct accounts *was)
{
	size_t kept = 0;

	for (size_t i = 0; i < a->damages; i++) {
		const struct account_damage *d = &a->damage[i];
		const struct account *one = accounts_find(was, d->ca);

		if (!d->unread || one == NULL) {
			a->damage[kept++] = *d;
			continue;
		}
		a->item[a->len++] = *one; /* there is room for one a CA */
		log_event(LEVEL_WARNING, "account_kept", "ca=%s", one->ca);
	}
	a->damages = kept;
}

void
accounts_carry(struct accounts *a, const struct accounts *was)
{
	carry_unread(a, was);
	for (size_t i = 0; i < a->len; i++) {
		struct account *now = &a->item[i];
		const struct account *one = accounts_find(was, now->ca);

		if (one == NULL || memcmp(one->key_id, now->key_id, KEY_ID_LEN) != 0)
			continue;
		if (one->job.kind != now->job.kind || one->job.asked_s != now->job.asked_s)
			continue;
		now->job.looked = one->job.looked;
		now->job.hold_s = one->job.hold_s;
	}
}

/* ---- whose keys must stay ---- */

struct keys {
	const char *dir;
	accounts_key_fn *each;
	void *arg;
	bool all;
};

/* "CA.json"; else what it is called tells whose it would be. */
static bool
ca_of(const char *file, char ca[CONFIG_NAME_MAX + 1])
{
	size_t len = strlen(file), tail = strlen(".json");

	if (len <= tail || len - tail > CONFIG_NAME_MAX ||
	    strcmp(file + len - tail, ".json") != 0)
		return false;
	memcpy(ca, file, len - tail);
	ca[len - tail] = 0;
	return store_name_ok(ca);
}

static enum rc
keys_of_file(void *arg, const char *file, struct fault *f)
{
	struct keys *k = arg;
	struct store_path path = { 0 };
	struct account a = { .deactivated = false };
	char ca[CONFIG_NAME_MAX + 1];
	enum rc rc = store_path(&path, NULL, "%s/%s", k->dir, file);

	(void)f;
	if (rc == RC_OK && !ca_of(file, ca))
		return RC_OK; /* no file of ours */
	if (rc == RC_OK)
		rc = account_read(path.text, ca, &a, NULL);
	if (rc != RC_OK) {
		k->all = false;
		return RC_OK; /* the others name theirs */
	}
	k->each(k->arg, a.key_id);
	if (account_job_has_key(&a.job))
		k->each(k->arg, a.job.key_id);
	return RC_OK;
}

bool
accounts_on_disk(const struct config *c, accounts_key_fn *each, void *arg)
{
	struct store_path dir = { 0 };
	struct keys k = { .dir = dir.text, .each = each, .arg = arg, .all = true };

	return store_path(&dir, NULL, "%s/front/accounts", c->state_dir) == RC_OK &&
	       store_each(dir.text, keys_of_file, &k, NULL) == RC_OK && k.all;
}

static enum rc
account_text(const struct account *a, struct buf *out, struct fault *f)
{
	AUTO_BUF point = BUF_INIT(2 * P256_POINT_LEN);
	json_auto_t *root = NULL;

	b64_encode(&point, B64_URL, span_of(a->point, P256_POINT_LEN));
	TRY(buf_check(&point, f));
	root = json_pack("{s:s%}", "point", buf_text(&point), point.len);
	if (root == NULL ||
	    (a->deactivated && json_object_set_new(root, "deactivated", json_true()) != 0) ||
	    (a->job.kind != ACCOUNT_JOB_NONE &&
		json_object_set_new(root, "job", account_job_write(&a->job)) != 0))
		return FAULT(f, RC_NO_MEMORY, "no_memory", "an account");
	TRY(jtext_write(out, root, f));
	buf_str(out, "\n");
	return buf_check(out, f);
}

static enum rc
account_write(const struct config *c, const struct account *a, struct fault *f)
{
	struct store_path path = { 0 };
	AUTO_BUF text = BUF_INIT(ACCOUNT_FILE_MAX);

	TRY(file_of(c, a->ca, &path, f));
	TRY(account_text(a, &text, f));
	return store_write(path.text, buf_view(&text), ACCOUNT_MODE, f);
}

static struct account *
find(struct accounts *a, const char *ca)
{
	for (size_t i = 0; i < a->len; i++) {
		if (strcmp(a->item[i].ca, ca) == 0)
			return &a->item[i];
	}
	return NULL;
}

enum rc
accounts_save(
    struct accounts *a, const struct config *c, const struct account *now, struct fault *f)
{
	struct account *was = find(a, now->ca);
	struct account *item = NULL;

	if (was == NULL) { /* room first: what is on disk is in the list */
		item = calloc(a->len + 1, sizeof *item);
		if (item == NULL)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "accounts");
		if (a->len > 0)
			memcpy(item, a->item, a->len * sizeof *item);
		free(a->item);
		a->item = item;
		was = &item[a->len];
	}
	TRY(account_write(c, now, f));
	*was = *now;
	a->len += item != NULL;
	return RC_OK;
}

enum rc
accounts_add(struct accounts *a, const struct config *c, const char *ca,
    const uint8_t point[P256_POINT_LEN], struct fault *f)
{
	struct account now = { .deactivated = false };

	TRY(file_of(c, ca, &(struct store_path){ 0 }, f)); /* bounds the name */
	memcpy(now.ca, ca, strlen(ca) + 1);
	memcpy(now.point, point, P256_POINT_LEN);
	key_id_of_point(point, now.key_id);
	return accounts_save(a, c, &now, f);
}

enum rc
accounts_adopt(struct accounts *a, const struct config *c, const char *ca, struct fault *f)
{
	struct store_path path = { 0 };
	struct account there = { 0 };
	struct fault why = { 0 };
	enum rc rc;

	TRY(file_of(c, ca, &path, f));
	rc = account_read(path.text, ca, &there, &why);
	if (rc != RC_OK)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	return accounts_save(a, c, &there, f);
}

bool
accounts_file_there(const struct config *c, const char *ca)
{
	struct store_path path = { 0 };

	return file_of(c, ca, &path, NULL) == RC_OK && store_mtime(path.text) != 0;
}
