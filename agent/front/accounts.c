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

bool
accounts_has_key(const struct accounts *a, const uint8_t key_id[KEY_ID_LEN])
{
	for (size_t i = 0; i < a->len; i++) {
		if (memcmp(a->item[i].key_id, key_id, KEY_ID_LEN) == 0)
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

	TRY(jtext_read(text, &root, f));
	if (json_unpack(root, "{s:s!}", "point", &b64) != 0)
		return FAULT(f, RC_INVALID, "account_file", "not {\"point\": …}");
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
	(void)FAULT(&d->why, RC_CONFLICT, "account_file",
	    "%s: move it away and reload to make a new account: %s", path, why->detail);
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

static enum rc
account_write(const struct config *c, const char *ca, const uint8_t point[P256_POINT_LEN],
    struct fault *f)
{
	struct store_path path = { 0 };
	AUTO_BUF text = BUF_INIT(ACCOUNT_FILE_MAX);

	TRY(file_of(c, ca, &path, f));
	buf_str(&text, "{\"point\":\"");
	b64_encode(&text, B64_URL, span_of(point, P256_POINT_LEN));
	buf_str(&text, "\"}\n");
	TRY(buf_check(&text, f));
	return store_write(path.text, buf_view(&text), ACCOUNT_MODE, f);
}

enum rc
accounts_add(struct accounts *a, const struct config *c, const char *ca,
    const uint8_t point[P256_POINT_LEN], struct fault *f)
{
	AUTO_FREE struct account *item = calloc(a->len + 1, sizeof *item);

	if (item == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "accounts");
	TRY(account_write(c, ca, point, f));
	if (a->len > 0)
		memcpy(item, a->item, a->len * sizeof *item);
	memcpy(item[a->len].ca, ca, strlen(ca) + 1);
	memcpy(item[a->len].point, point, P256_POINT_LEN);
	key_id_of_point(point, item[a->len].key_id);
	free(a->item);
	a->item = TAKE(item);
	a->len++;
	return RC_OK;
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
	return accounts_add(a, c, ca, there.point, f);
}

bool
accounts_file_there(const struct config *c, const char *ca)
{
	struct store_path path = { 0 };

	return file_of(c, ca, &path, NULL) == RC_OK && store_mtime(path.text) != 0;
}
