#include "agent/front/keyfile.h"

#include <string.h>

#include "agent/front/store.h"
#include "agent/front/works.h"
#include "stir/jtext.h"

enum { KEYFILE_MAX = 1024 };

static enum rc
path_of(const struct config *c, const uint8_t key_id[KEY_ID_LEN], struct store_path *out,
    struct fault *f)
{
	char hex[2 * KEY_ID_LEN + 1];

	works_hex(key_id, KEY_ID_LEN, hex);
	return store_path(out, f, "%s/front/keys/%s.json", c->state_dir, hex);
}

enum rc
keyfile_write(const struct config *c, const uint8_t key_id[KEY_ID_LEN], const struct keyfile *k,
    struct fault *f)
{
	struct store_path path = { 0 };
	json_auto_t *root =
	    json_pack("{s:s, s:I}", "token", k->token, "made", (json_int_t)k->made_s);

	if (root == NULL ||
	    (k->imported && json_object_set_new(root, "imported", json_true()) != 0))
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a key's file");
	TRY(path_of(c, key_id, &path, f));
	return store_write_json(path.text, root, KEYFILE_MAX, f);
}

enum rc
keyfile_read(const struct config *c, const uint8_t key_id[KEY_ID_LEN], struct keyfile *out,
    struct fault *f)
{
	struct store_path path = { 0 };
	AUTO_BUF text = BUF_INIT(KEYFILE_MAX);
	json_auto_t *root = NULL;
	struct keyfile k = { .made_s = 0 };
	const char *token = NULL;
	json_int_t made = 0;
	int imported = 0;

	TRY(path_of(c, key_id, &path, f));
	TRY(store_read(path.text, KEYFILE_MAX, &text, f));
	if (jtext_read(buf_view(&text), &root, NULL) != RC_OK ||
	    json_unpack(root, "{s:s, s:I, s?b!}", "token", &token, "made", &made, "imported",
		&imported) != 0 ||
	    !store_name_ok(token) || made < 0)
		return FAULT(f, RC_INVALID, "keyfile", "%s: not as we write it", path.text);
	memcpy(k.token, token, strlen(token) + 1);
	k.made_s = made;
	k.imported = imported != 0;
	*out = k;
	return RC_OK;
}

enum rc
keyfile_remove(const struct config *c, const uint8_t key_id[KEY_ID_LEN], struct fault *f)
{
	struct store_path path = { 0 };

	TRY(path_of(c, key_id, &path, f));
	return store_remove(path.text, f);
}
