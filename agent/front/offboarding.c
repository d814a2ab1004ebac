#include "agent/front/offboarding.h"

#include <assert.h>
#include <errno.h>
#include <sys/stat.h>

#include "agent/front/revocation.h"
#include "agent/front/store.h"
#include "agent/front/works.h"
#include "agent/log.h"
#include "stir/jtext.h"

enum { RECORD_MAX = 1024 };

static const char *const state_names[] = {
	[OFFBOARDING_REVOKING] = "revoking",
	[OFFBOARDING_REVOKED] = "revoked",
	[OFFBOARDING_DESTROYING] = "destroying",
	[OFFBOARDING_DESTROYED] = "destroyed",
};
static_assert(ARRAY_LEN(state_names) == OFFBOARDING__COUNT, "a name for each");

const char *
offboarding_state_name(enum offboarding_state s)
{
	return state_names[s];
}

/* ---- text ---- */

static json_t *
json_of(const struct offboarding *o)
{
	return json_pack("{s:s, s:i, s:s, s:I, s:I, s:I, s:b}", "state", state_names[o->state],
	    "reason", (int)o->reason, "by", o->by_key ? "key" : "account", "since",
	    (json_int_t)o->since_s, "confirmed", (json_int_t)o->confirmed_s, "ended",
	    (json_int_t)o->ended_s, "noted", (int)o->noted);
}

static bool
find_state(const char *name, enum offboarding_state *out)
{
	for (unsigned i = 0; i < OFFBOARDING__COUNT; i++) {
		if (strcmp(state_names[i], name) == 0) {
			*out = (enum offboarding_state)i;
			return true;
		}
	}
	return false;
}

static bool
take(json_t *root, struct offboarding *o)
{
	const char *state, *by;
	json_int_t since, confirmed, ended;
	int reason, noted;

	if (json_unpack(root, "{s:s, s:i, s:s, s:I, s:I, s:I, s:b!}", "state", &state, "reason",
		&reason, "by", &by, "since", &since, "confirmed", &confirmed, "ended", &ended,
		"noted", &noted) != 0)
		return false;
	o->reason = (unsigned)reason;
	o->by_key = strcmp(by, "key") == 0;
	o->since_s = since;
	o->confirmed_s = confirmed;
	o->ended_s = ended;
	o->noted = noted != 0;
	return find_state(state, &o->state) && revocation_reason_name(o->reason) != NULL &&
	       (o->by_key || strcmp(by, "account") == 0) && since >= 0 && confirmed >= 0 &&
	       ended >= 0;
}

enum rc
offboarding_decode(struct span text, struct offboarding *out, struct fault *f)
{
	struct offboarding o = { .since_s = 0 };
	json_auto_t *root = NULL;

	if (jtext_read(text, &root, NULL) != RC_OK || !take(root, &o))
		return FAULT(f, RC_INVALID, "offboarding_file", "not as we write it");
	*out = o;
	return RC_OK;
}

/* ---- files ---- */

static enum rc
file_of(const struct config *c, const char *tenant, struct store_path *out, struct fault *f)
{
	return store_path(out, f, "%s/front/offboarding/%s.json", c->state_dir, tenant);
}

enum rc
offboarding_write(const struct config *c, const struct offboarding *o, struct fault *f)
{
	struct store_path path = { 0 };
	json_auto_t *root = json_of(o);

	TRY(file_of(c, o->tenant, &path, f));
	return store_write_json(path.text, root, RECORD_MAX, f);
}

enum rc
offboarding_read(
    const struct config *c, const char *tenant, struct offboarding *out, struct fault *f)
{
	struct store_path path = { 0 };
	AUTO_BUF text = BUF_INIT(RECORD_MAX);
	struct offboarding o = { .since_s = 0 };

	TRY(file_of(c, tenant, &path, f));
	TRY(store_read(path.text, RECORD_MAX, &text, f));
	TRY(offboarding_decode(buf_view(&text), &o, f));
	offboarding_name(&o, tenant);
	*out = o;
	return RC_OK;
}

enum rc
offboarding_remove(const struct config *c, const char *tenant, struct fault *f)
{
	struct store_path path = { 0 };

	TRY(file_of(c, tenant, &path, f));
	return store_remove(path.text, f);
}

/* RC_IO: it cannot be told. */
static enum rc
look_for(const struct config *c, const char *tenant, bool *there, struct fault *f)
{
	struct store_path path = { 0 };
	struct stat st;

	TRY(file_of(c, tenant, &path, f));
	*there = lstat(path.text, &st) == 0;
	if (*there || errno == ENOENT)
		return RC_OK;
	return FAULT(f, RC_IO, "io", "who is off-boarded cannot be told: %s: %s", path.text,
	    strerror(errno));
}

enum rc
offboarding_mark(struct config *c, bool strict, struct fault *f)
{
	for (size_t i = 0; i < c->tenants; i++) {
		struct config_tenant *t = &c->tenant[i];
		struct fault why = { 0 };
		bool there = false;
		enum rc rc = look_for(c, t->name, &there, &why);

		if (rc != RC_OK && strict)
			return FAULT(f, rc, why.reason, "%s", why.detail);
		if (rc != RC_OK)
			log_fault(LEVEL_ERR, "offboarding_unknown", &why);
		offboarding_set(t, there || rc != RC_OK);
	}
	return RC_OK;
}

/* ---- all of them ---- */

struct walk {
	offboarding_each_fn *each;
	void *arg;
};

static enum rc
walk_file(void *arg, const char *file, struct fault *f)
{
	static const char end[] = ".json";
	const struct walk *walk = arg;
	size_t len = strlen(file), tail = sizeof end - 1;
	char tenant[CONFIG_NAME_MAX + 1] = "";

	if (len <= tail || len - tail > CONFIG_NAME_MAX || strcmp(file + len - tail, end) != 0)
		return RC_OK;
	memcpy(tenant, file, len - tail);
	return store_name_ok(tenant) ? walk->each(walk->arg, tenant, f) : RC_OK;
}

enum rc
offboarding_each(const struct config *c, offboarding_each_fn *each, void *arg, struct fault *f)
{
	struct walk walk = { each, arg };
	struct store_path dir = { 0 };

	TRY(store_path(&dir, f, "%s/front/offboarding", c->state_dir));
	return store_each(dir.text, walk_file, &walk, f);
}
