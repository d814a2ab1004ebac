#include "agent/front/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/front/judge.h"
#include "agent/front/store.h"
#include "agent/log.h"
#include "stir/jtext.h"

enum { PUBLISH_MODE = 0644, RECORD_MAX = 4096 };

static enum rc
file_of(const struct config_credential *cc, const struct credential *cred,
    struct store_path *out, struct fault *f)
{
	return store_path(out, f, "%s/%s.pem", cc->publish_dir, cred->fingerprint);
}

bool
publish_done(const struct config_credential *cc, const struct credential *cred)
{
	struct store_path path = { 0 };

	return cc->publish_dir == NULL ||
	       (file_of(cc, cred, &path, NULL) == RC_OK && store_mtime(path.text) != 0);
}

/* Written before the file, so that none of ours is forgotten. */
static enum rc
write_record(
    const struct config *c, const struct credential *cred, const char *file, struct fault *f)
{
	struct store_path path = { 0 };
	json_auto_t *root = json_pack("{s:s, s:I}", "path", file, "remove_at",
	    (json_int_t)(cred->not_after_s + PUBLISH_AFTER_S));

	if (root == NULL)
		return FAULT(f, RC_INVALID, "invalid_path", "publish_dir is not UTF-8");
	TRY(store_path(
	    &path, f, "%s/front/published/%s.json", c->state_dir, cred->fingerprint));
	return store_write_json(path.text, root, RECORD_MAX, f);
}

enum rc
publish_chain(const struct config *c, const struct config_credential *cc,
    const struct credential *cred, struct fault *f)
{
	struct chain conveyed = *cred->chain; /* borrows: never freed */
	struct store_path path = { 0 };
	AUTO_BUF pem = BUF_INIT(2 * CHAIN_MAX_BYTES);

	if (cc->publish_dir == NULL)
		return RC_OK;
	if (!cc->publish_root)
		conveyed.len = judge_conveyed(cred->chain);
	TRY(file_of(cc, cred, &path, f));
	TRY(chain_write_pem(&pem, &conveyed, f));
	if (cred->root_pem != NULL)
		buf_str(&pem, cred->root_pem);
	TRY(buf_check(&pem, f));
	TRY(write_record(c, cred, path.text, f));
	return store_write(path.text, buf_view(&pem), PUBLISH_MODE, f);
}

/* 0, or the errno: a directory that this process may write in. */
static int
dir_error(const char *dir)
{
	struct stat st;

	if (stat(dir, &st) != 0)
		return errno;
	if (!S_ISDIR(st.st_mode))
		return ENOTDIR;
	return faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

static void
note_error(struct credential *c, const char *dir, int error)
{
	if (atomic_exchange(&c->publish_error, error) == error)
		return;
	if (error != 0)
		log_event(LEVEL_WARNING, "publish_dir",
		    "tenant=%s credential=%s dir=%s detail=\"%s\"", c->tenant, c->name, dir,
		    strerror(error));
	else
		log_event(LEVEL_NOTICE, "publish_dir",
		    "tenant=%s credential=%s dir=%s detail=\"well again\"", c->tenant, c->name,
		    dir);
}

/* One that is over is not put back: publish_sweep() has removed it. */
static bool
is_wanted(const struct credential *cred, int64_t now_s)
{
	return cred->state == CREDENTIAL_READY && now_s < cred->not_after_s + PUBLISH_AFTER_S;
}

struct look {
	const struct config *config;
	int64_t now_s;
	const char *dir; /* the one looked at last: many credentials share one */
	int error;
};

static void
look_at(struct look *l, const struct config_credential *cc, struct credential *cred)
{
	struct fault why = { 0 };
	int error;

	if (cc->publish_dir == NULL) {
		atomic_store(&cred->publish_error, 0);
		return;
	}
	if (l->dir == NULL || strcmp(l->dir, cc->publish_dir) != 0)
		l->error = dir_error(cc->publish_dir);
	l->dir = cc->publish_dir;
	error = l->error;
	if (error == 0 && is_wanted(cred, l->now_s) && !publish_done(cc, cred) &&
	    publish_chain(l->config, cc, cred, &why) != RC_OK) {
		log_fault(LEVEL_WARNING, "publish", &why);
		error = EIO;
	}
	note_error(cred, cc->publish_dir, error);
}

void
publish_look(const struct credset *set, int64_t now_s)
{
	struct look l = { .config = set->config, .now_s = now_s };

	for (size_t i = 0; i < set->config->tenants; i++) {
		const struct config_tenant *t = &set->config->tenant[i];

		for (size_t k = 0; k < t->credentials; k++)
			look_at(&l, &t->credential[k], set->tenant[i].credential[k]);
	}
}

struct sweep {
	const char *dir;
	int64_t now_s;
};

/* "…/<64 hex>.pem" of a record "<64 hex>.json": we remove nothing else. */
static bool
names_agree(const char *record, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t hex = CREDENTIAL_FINGERPRINT - 1;

	return strlen(record) == hex + 5 && slash != NULL && strlen(slash + 1) == hex + 4 &&
	       strspn(record, "0123456789abcdef") == hex &&
	       memcmp(record, slash + 1, hex) == 0 && strcmp(slash + 1 + hex, ".pem") == 0;
}

static enum rc
sweep_record(const struct sweep *s, const char *record, const char *name, struct fault *f)
{
	json_auto_t *root = NULL;
	const char *path = NULL;
	json_int_t remove_at = 0;

	TRY(store_read_json(record, RECORD_MAX, &root, f));
	if (json_unpack(root, "{s:s, s:I!}", "path", &path, "remove_at", &remove_at) != 0 ||
	    !names_agree(name, path))
		return FAULT(f, RC_INVALID, "published_file", "%s: not as we write it", record);
	if (remove_at > s->now_s)
		return RC_OK;
	TRY(store_remove(path, f));
	return store_remove(record, f);
}

static enum rc
sweep_one(void *arg, const char *name, struct fault *f)
{
	const struct sweep *s = arg;
	struct store_path record = { 0 };
	struct fault why = { 0 };

	TRY(store_path(&record, f, "%s/%s", s->dir, name));
	if (sweep_record(s, record.text, name, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "publish_sweep", &why);
	return RC_OK;
}

void
publish_sweep(const struct config *c, int64_t now_s)
{
	struct store_path dir = { 0 };
	struct sweep s = { dir.text, now_s };
	struct fault why = { 0 };
	enum rc rc = store_path(&dir, &why, "%s/front/published", c->state_dir);

	if (rc == RC_OK)
		rc = store_each(dir.text, sweep_one, &s, &why);
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "publish_sweep", &why);
}
