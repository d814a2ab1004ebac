#include "agent/front/installation.h"

#include <openssl/rand.h>
#include <string.h>

#include "agent/front/store.h"
#include "agent/front/works.h"
#include "agent/log.h"
#include "stir/jtext.h"

enum { INSTALLATION_FILE_MAX = 1024 };

static enum rc
path_of(const struct config *c, struct store_path *out, struct fault *f)
{
	return store_path(out, f, "%s/front/installation.json", c->state_dir);
}

static enum rc
read_file(const char *path, struct installation *out, struct fault *f)
{
	struct installation i = { .known = true };
	json_auto_t *root = NULL;
	const char *id = NULL;
	json_int_t made = 0;

	TRY(store_read_json(path, INSTALLATION_FILE_MAX, &root, f));
	/* What a later build adds must not cost its name an older one: its keys hang on it. */
	if (json_unpack(root, "{s:s, s:I}", "id", &id, "made", &made) != 0 || made < 0 ||
	    strlen(id) != INSTALLATION_TEXT - 1 || !works_unhex(id, i.id, FRAME_OWNER))
		return FAULT(
		    f, RC_INVALID, "installation_file", "%s: not as we write it", path);
	i.made_s = made;
	*out = i;
	return RC_OK;
}

static enum rc
make(const char *path, int64_t now_s, struct installation *out, struct fault *f)
{
	struct installation i = { .known = true, .made_s = now_s };
	char hex[INSTALLATION_TEXT];
	json_auto_t *root = NULL;

	if (RAND_bytes(i.id, sizeof i.id) != 1)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "no random numbers");
	works_hex(i.id, FRAME_OWNER, hex);
	root = json_pack("{s:s, s:I}", "id", hex, "made", (json_int_t)now_s);
	TRY(store_write_json(path, root, INSTALLATION_FILE_MAX, f));
	log_event(LEVEL_NOTICE, "installation", "id=%s", hex);
	*out = i;
	return RC_OK;
}

/* For whoever wants to know what it was. */
static enum rc
put_aside(const char *path, const struct fault *why, struct fault *f)
{
	struct store_path to = { 0 };

	TRY(store_path(&to, f, "%s.lost", path));
	TRY(store_remove(to.text, f));
	TRY(store_rename(path, to.text, f));
	log_fault(LEVEL_ERR, "installation_lost", why);
	return RC_OK;
}

enum rc
installation_load(
    const struct config *c, int64_t now_s, struct installation *out, struct fault *f)
{
	struct store_path path = { 0 };
	struct fault why = { 0 };
	enum rc rc;

	if (out->known)
		return RC_OK;
	TRY(path_of(c, &path, f));
	rc = read_file(path.text, out, &why);
	if (rc == RC_INVALID)
		TRY(put_aside(path.text, &why, f));
	if (rc == RC_INVALID || rc == RC_NOT_FOUND)
		return make(path.text, now_s, out, f);
	return rc == RC_OK ? RC_OK : FAULT(f, rc, why.reason, "%s", why.detail);
}
