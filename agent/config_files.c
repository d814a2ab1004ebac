/* Are the files that the configuration names what they should be? */
#include "agent/config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/config_parse.h"
#include "agent/secret.h"
#include "stir/chain.h"
#include "stir/loglist.h"
#include "stir/sct.h"

typedef enum rc content_fn(struct span in, struct fault *f);

static enum rc
is_anchors(struct span in, struct fault *f)
{
	AUTO(anchors) *a = NULL;

	return anchors_read_pem(in, &a, f);
}

static enum rc
is_ctlogs(struct span in, struct fault *f)
{
	AUTO(ctlogs) *logs = NULL;

	return ctlogs_read(in, &logs, f);
}

static enum rc
is_list_key(struct span in, struct fault *f)
{
	AUTO_OSSL(EVP_PKEY) *key = NULL;

	return loglist_key(in, &key, f);
}

static enum rc
is_certificates(struct span in, struct fault *f)
{
	AUTO(chain) *c = NULL;

	return chain_read_pem(in, true, &c, f);
}

struct named_file {
	const char *key, *path;
	content_fn *is;
	const char *wanted;
};

static enum rc
check(int dir, const struct named_file *n, bool may_read, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(CONFIG_MAX_FILE);
	struct fault why = { 0 };
	enum rc rc;

	if (n->path == NULL)
		return RC_OK;
	rc = config_slurp(dir, n->path, CONFIG_MAX_FILE, &text, &why);
	if (rc == RC_IO && !may_read)
		return RC_OK;
	if (rc != RC_OK) /* the name is in it, and what to do */
		return FAULT(f, RC_INVALID, "config", "%s %s", n->key, why.detail);
	if (n->is(buf_view(&text), &why) == RC_OK)
		return RC_OK;
	return FAULT(f, RC_INVALID, "config", "%s %s: %s; name %s", n->key, n->path, why.detail,
	    n->wanted);
}

enum rc
config_check_files(const struct config *c, int dir, bool may_read, struct fault *f)
{
	static const char roots[] = "a PEM file of certificates";
	const struct named_file files[] = {
		{ "trust_anchors", c->trust_anchors, is_anchors, roots },
		{ "authority_anchors", c->authority_anchors, is_anchors, roots },
		{ "ct_logs", c->ct_logs, is_ctlogs, "a JSON list of logs" },
		{ "sti_pa_anchors", c->sti_pa_anchors, is_anchors, roots },
		{ "ct_logs_key", c->ct_logs_key, is_list_key, "a PEM file of a public key" },
		{ "crl_issuers", c->crl_issuers, is_certificates, roots },
	};

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		TRY(check(dir, &files[i], may_read, f));
	return RC_OK;
}

/* ---- keys that a CA gave ---- */

enum { EAB_TEXT_MAX = 4097 };

static enum rc
check_eab(const struct config_ca *ca, bool must_read, struct fault *f)
{
	AUTO_SECRET text = BUF_INIT(EAB_TEXT_MAX), key = BUF_INIT(EAB_TEXT_MAX);
	struct fault why = { 0 };
	enum rc rc = secret_read(&ca->eab_key, &text, &why);

	if (rc == RC_OK)
		rc = secret_decode_key(buf_view(&text), &key, &why);
	if (rc == RC_OK || (!must_read && (rc == RC_IO || rc == RC_NOT_FOUND)))
		return RC_OK;
	return FAULT(f, RC_INVALID, "config", "ca '%s': eab_key: %s%s%s", ca->name,
	    rc == RC_INVALID && text.len > 0 ? ca->eab_key.text : "",
	    rc == RC_INVALID && text.len > 0 ? " is " : "", why.detail);
}

enum rc
config_check_eab(const struct config *c, bool must_read, struct fault *f)
{
	for (size_t i = 0; i < c->cas; i++) {
		if (c->ca[i].eab_key.text != NULL)
			TRY(check_eab(&c->ca[i], must_read, f));
	}
	return RC_OK;
}

/* ---- what the configuration was read from ---- */

/* One that has gone meanwhile is another matter. */
static enum rc
check_open(int dir, const char *name, int flags, struct fault *f)
{
	AUTO_FD fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
	struct fault why = { 0 };

	if (fd >= 0 || errno == ENOENT)
		return RC_OK;
	(void)!config_unreadable(name, &why);
	return FAULT(f, RC_INVALID, "config", "%s", why.detail);
}

enum rc
config_check_readable(const struct config *c, int dir, struct fault *f)
{
	const char *slash = strrchr(c->file, '/');

	TRY(check_open(dir, slash != NULL ? slash + 1 : c->file, 0, f));
	TRY(check_open(dir, CONFIG_TENANTS_DIR, O_DIRECTORY, f));
	for (size_t i = 0; i < c->tenants; i++) {
		TRY(check_open(dir, c->tenant[i].file, 0, f));
		if (c->tenant[i].numbers_file != NULL)
			TRY(check_open(dir, c->tenant[i].numbers_file, 0, f));
	}
	return RC_OK;
}
