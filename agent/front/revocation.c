#include "agent/front/revocation.h"

#include <assert.h>
#include <errno.h>
#include <sys/stat.h>

#include "agent/front/store.h"
#include "agent/front/works.h"
#include "stir/digest.h"
#include "stir/jtext.h"
#include "stir/text.h"

enum { RECORD_MAX = 4096, RECORD_MODE = 0600, ID_LEN = CREDENTIAL_FINGERPRINT - 1 };

/* ---- names ---- */

static const char *const state_names[] = {
	[REVOCATION_OUTSTANDING] = "outstanding",
	[REVOCATION_DONE] = "done",
	[REVOCATION_REFUSED] = "refused",
	[REVOCATION_APART] = "apart",
	[REVOCATION_SERIES] = "series",
};
static_assert(ARRAY_LEN(state_names) == REVOCATION__COUNT, "a name for each");

const char *
revocation_state_name(enum revocation_state s)
{
	return state_names[s];
}

static const struct {
	unsigned code;
	const char *name;
} reasons[] = {
	{ 0, "unspecified" },
	{ 1, "keyCompromise" },
	{ 3, "affiliationChanged" },
	{ 4, "superseded" },
	{ 5, "cessationOfOperation" },
	{ 9, "privilegeWithdrawn" },
};

static const char by_key[] = "key", by_account[] = "account", by_list[] = "crl";

const char *
revocation_by(const struct revocation *r)
{
	if (r->listed)
		return by_list;
	return r->by_key ? by_key : by_account;
}

bool
revocation_reason(const char *name, unsigned *code)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (strcmp(reasons[i].name, name) == 0) {
			*code = reasons[i].code;
			return true;
		}
	}
	return false;
}

const char *
revocation_reason_name(unsigned code)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (reasons[i].code == code)
			return reasons[i].name;
	}
	return NULL;
}

/* ---- files ---- */

enum rc
revocation_id(const struct cert *leaf, char out[CREDENTIAL_FINGERPRINT], struct fault *f)
{
	uint8_t digest[32] = { 0 };

	TRY(digest_sha256(span_of(leaf->der, leaf->der_len), digest, f));
	works_hex(digest, sizeof digest, out);
	return RC_OK;
}

static enum rc
file_of(const struct config *c, const char *id, const char *type, struct store_path *out,
    struct fault *f)
{
	return store_path(out, f, "%s/front/revoked/%s.%s", c->state_dir, id, type);
}

bool
revocation_there(const struct config *c, const char *id)
{
	struct store_path path = { 0 };
	struct stat st;

	if (file_of(c, id, "json", &path, NULL) != RC_OK)
		return true;
	return lstat(path.text, &st) == 0 || errno != ENOENT;
}

enum rc
revocation_readable(const struct config *c, struct fault *f)
{
	struct store_path path = { 0 };
	struct stat st;

	TRY(file_of(c, "none", "json", &path, f)); /* no id: nothing has that name */
	if (lstat(path.text, &st) == 0 || errno == ENOENT)
		return RC_OK;
	return FAULT(f, RC_IO, "io", "what is revoked cannot be told: %s: %s", path.text,
	    strerror(errno));
}

enum rc
revocation_write_cert(const struct config *c, const char *id, struct span der, struct fault *f)
{
	struct store_path path = { 0 };

	TRY(file_of(c, id, "der", &path, f));
	return store_write(path.text, der, RECORD_MODE, f);
}

enum rc
revocation_write(const struct config *c, const struct revocation *r, struct fault *f)
{
	struct store_path path = { 0 };
	json_auto_t *root = json_pack(
	    "{s:s, s:s, s:s, s:s, s:i, s:s, s:b, s:s, s:I, s:I, s:I, s:s}", "tenant", r->tenant,
	    "credential", r->name, "ca", r->ca, "serial", r->serial, "reason", (int)r->reason,
	    "by", revocation_by(r), "blocks", (int)r->blocks, "state",
	    revocation_state_name(r->state), "not_after", (json_int_t)r->not_after_s, "asked",
	    (json_int_t)r->asked_s, "ended", (json_int_t)r->ended_s, "answer", r->answer);

	TRY(file_of(c, r->id, "json", &path, f));
	return store_write_json(path.text, root, RECORD_MAX, f);
}

static enum rc
bad(struct fault *f, const char *id)
{
	return FAULT(f, RC_INVALID, "revocation_file",
	    "revoked/%.16s….json is not as we write it; its certificate stays out of force",
	    id);
}

static bool
find_state(const char *name, enum revocation_state *out)
{
	for (unsigned i = 0; i < REVOCATION__COUNT; i++) {
		if (strcmp(state_names[i], name) == 0) {
			*out = (enum revocation_state)i;
			return true;
		}
	}
	return false;
}

static bool
take(json_t *root, struct revocation *r)
{
	const char *tenant, *name, *ca, *serial, *by, *state, *answer;
	json_int_t not_after, asked, ended;
	int reason, blocks;

	if (json_unpack(root, "{s:s, s:s, s:s, s:s, s:i, s:s, s:b, s:s, s:I, s:I, s:I, s:s!}",
		"tenant", &tenant, "credential", &name, "ca", &ca, "serial", &serial, "reason",
		&reason, "by", &by, "blocks", &blocks, "state", &state, "not_after", &not_after,
		"asked", &asked, "ended", &ended, "answer", &answer) != 0)
		return false;
	r->by_key = strcmp(by, by_key) == 0;
	r->listed = strcmp(by, by_list) == 0;
	r->blocks = blocks != 0;
	r->reason = (unsigned)reason;
	r->not_after_s = not_after;
	r->asked_s = asked;
	r->ended_s = ended;
	return revocation_reason_name(r->reason) != NULL && find_state(state, &r->state) &&
	       strcmp(revocation_by(r), by) == 0 && store_name_ok(tenant) &&
	       store_name_ok(name) && text_copy(r->tenant, sizeof r->tenant, tenant) &&
	       text_copy(r->name, sizeof r->name, name) && text_copy(r->ca, sizeof r->ca, ca) &&
	       text_copy(r->serial, sizeof r->serial, serial) &&
	       text_copy(r->answer, sizeof r->answer, answer);
}

enum rc
revocation_read(const struct config *c, const char *id, struct revocation *out, struct fault *f)
{
	struct store_path path = { 0 };
	AUTO_BUF text = BUF_INIT(RECORD_MAX);
	json_auto_t *root = NULL;
	struct revocation r = { .reason = 0 };

	TRY(file_of(c, id, "json", &path, f));
	TRY(store_read(path.text, RECORD_MAX, &text, f));
	if (jtext_read(buf_view(&text), &root, NULL) != RC_OK || !take(root, &r) ||
	    !text_copy(r.id, sizeof r.id, id))
		return bad(f, id);
	*out = r;
	return RC_OK;
}

enum rc
revocation_read_cert(const struct config *c, const char *id, struct cert **out, struct fault *f)
{
	struct store_path path = { 0 };
	AUTO_BUF der = BUF_INIT(CERT_MAX_DER);

	TRY(file_of(c, id, "der", &path, f));
	TRY(store_read(path.text, CERT_MAX_DER, &der, f));
	return cert_decode(buf_view(&der), true, out, f);
}

enum rc
revocation_remove(const struct config *c, const char *id, struct fault *f)
{
	struct store_path record = { 0 }, der = { 0 };

	TRY(file_of(c, id, "json", &record, f));
	TRY(file_of(c, id, "der", &der, f));
	TRY(store_remove(record.text, f));
	return store_remove(der.text, f);
}

/* ---- all of them ---- */

struct walk {
	revocation_each_fn *each;
	void *arg;
};

static enum rc
walk_file(void *arg, const char *file, struct fault *f)
{
	const struct walk *walk = arg;
	char id[CREDENTIAL_FINGERPRINT];
	uint8_t digest[32];

	if (strlen(file) != ID_LEN + strlen(".json") || !works_unhex(file, digest, 32) ||
	    strcmp(file + ID_LEN, ".json") != 0)
		return RC_OK;
	memcpy(id, file, ID_LEN);
	id[ID_LEN] = 0;
	return walk->each(walk->arg, id, f);
}

enum rc
revocation_each(const struct config *c, revocation_each_fn *each, void *arg, struct fault *f)
{
	struct walk walk = { each, arg };
	struct store_path dir = { 0 };

	TRY(store_path(&dir, f, "%s/front/revoked", c->state_dir));
	return store_each(dir.text, walk_file, &walk, f);
}
