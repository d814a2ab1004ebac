#include "agent/front/reading.h"

#include "agent/front/division.h"
#include "agent/front/numbers.h"
#include "agent/front/offboarding.h"
#include "agent/front/store.h"
#include "stir/digest.h"
#include "stir/text.h"

enum { ANCHORS_FILE_MAX = 4 * 1024 * 1024, CTLOGS_FILE_MAX = 4 * 1024 * 1024 };

static enum rc
read_named(const char *what, const char *path, size_t max, struct buf *out, struct fault *f)
{
	struct fault why = { 0 };

	/* An operator may link these. */
	if (path == NULL || store_read_linked(path, max, out, &why) == RC_OK)
		return RC_OK;
	return FAULT(f, why.rc, why.reason, "%s: %s", what, why.detail);
}

static enum rc
named(const char *what, const char *path, enum rc rc, const struct fault *why, struct fault *f)
{
	if (rc == RC_OK)
		return RC_OK;
	return FAULT(f, rc, why->reason, "%s %s: %s", what, path, why->detail);
}

static enum rc
read_anchors(
    const char *what, const char *path, struct buf *seen, struct anchors **out, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(ANCHORS_FILE_MAX);
	struct fault why = { 0 };

	if (path == NULL)
		return RC_OK;
	TRY(read_named(what, path, ANCHORS_FILE_MAX, &pem, f));
	buf_span(seen, buf_view(&pem));
	return named(what, path, anchors_read_pem(buf_view(&pem), out, &why), &why, f);
}

/* Whoever has signed an indirect list has to be one of these: they stand as they are. */
static enum rc
read_crl_issuers(const char *path, struct chain **out, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);
	struct fault why = { 0 };

	if (path == NULL)
		return RC_OK;
	TRY(read_named("crl_issuers", path, CHAIN_MAX_BYTES, &pem, f));
	return named(
	    "crl_issuers", path, chain_read_pem(buf_view(&pem), true, out, &why), &why, f);
}

static enum rc
read_ctlogs(const char *path, struct buf *seen, struct ctlogs **out, struct fault *f)
{
	AUTO_BUF json = BUF_INIT(CTLOGS_FILE_MAX);
	struct fault why = { 0 };

	if (path == NULL)
		return RC_OK;
	TRY(read_named("ct_logs", path, CTLOGS_FILE_MAX, &json, f));
	buf_byte(seen, 0); /* apart from the anchors */
	buf_span(seen, buf_view(&json));
	return named("ct_logs", path, ctlogs_read(buf_view(&json), out, &why), &why, f);
}

static void
parts_free(struct credset_parts *p)
{
	config_free(p->config);
	ctlogs_free(p->ctlogs);
	anchors_free(p->anchors);
	anchors_free(p->authority_anchors);
	chain_free(p->crl_issuers);
	peers_free(p->peers);
}

static enum rc
read_parts(const struct reading *r, struct credset_parts *p, struct fault *f)
{
	AUTO_BUF seen = BUF_INIT(ANCHORS_FILE_MAX + CTLOGS_FILE_MAX + 2);
	AUTO_BUF apart = BUF_INIT(ANCHORS_FILE_MAX); /* judges no credential */

	TRY(config_read(r->config_file, &p->config, f));
	TRY(numbers_load(p->config, r->now_s, r->strict, f));
	TRY(division_load(p->config, r->now_s, r->strict, f));
	TRY(offboarding_mark(p->config, r->strict, f));
	TRY(read_anchors("trust_anchors", p->config->trust_anchors, &seen, &p->anchors, f));
	TRY(read_ctlogs(p->config->ct_logs, &seen, &p->ctlogs, f));
	TRY(read_anchors("authority_anchors", p->config->authority_anchors, &apart,
	    &p->authority_anchors, f));
	TRY(read_crl_issuers(p->config->crl_issuers, &p->crl_issuers, f));
	if (p->config->original_chains != NULL)
		TRY(peers_load(p->config->original_chains, &p->peers, f));
	buf_byte(&seen, 0); /* never empty */
	TRY(buf_check(&seen, f));
	return digest_sha256(buf_view(&seen), p->judged_by, f);
}

enum rc
reading_base(const struct reading *r, struct credset_base **out, struct fault *f)
{
	struct credset_parts p = { 0 };
	enum rc rc = read_parts(r, &p, f);

	if (rc == RC_OK)
		rc = credset_base_new(&p, out, f);
	if (rc != RC_OK)
		parts_free(&p);
	return rc;
}

/* ---- what a reload cannot change ---- */

static bool
same_strings(const struct config_strings *a, const struct config_strings *b)
{
	bool same = a->len == b->len;

	for (size_t i = 0; same && i < a->len; i++)
		same = strcmp(a->item[i], b->item[i]) == 0;
	return same;
}

/* The first key of the section that is not as it was; NULL: none. */
static const char *
token_change(const struct config_token *a, const struct config_token *b)
{
	const struct {
		const char *key;
		bool same;
	} keys[] = {
		{ "module", text_same(a->module, b->module) },
		{ "label", text_same(a->label, b->label) },
		{ "serial", text_same(a->serial, b->serial) },
		{ "pin", text_same(a->pin.text, b->pin.text) },
		{ "processes", a->processes == b->processes },
		{ "threads", a->threads == b->threads },
		{ "lock_file", text_same(a->lock_file, b->lock_file) },
		{ "environment", same_strings(&a->environment, &b->environment) },
		{ "read_paths", same_strings(&a->read_paths, &b->read_paths) },
		{ "write_paths", same_strings(&a->write_paths, &b->write_paths) },
		{ "read_write", a->read_write == b->read_write },
		{ "max_keys", a->max_keys == b->max_keys },
		{ "canary_s", a->canary_s == b->canary_s },
		{ "verify_signatures", a->verify_all == b->verify_all },
		{ "network", a->network == b->network },
		{ "backoff_max_ms", a->backoff_max_ms == b->backoff_max_ms },
		{ "affinity", a->any_processor == b->any_processor },
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!keys[i].same)
			return keys[i].key;
	}
	return NULL;
}

enum rc
reading_same_tokens(const struct config *old, const struct config *now, struct fault *f)
{
	bool same = old->tokens == now->tokens;

	for (size_t i = 0; same && i < now->tokens; i++)
		same = strcmp(old->token[i].name, now->token[i].name) == 0;
	if (!same)
		return FAULT(f, RC_INVALID, "config",
		    "token sections were added, removed or renamed: this needs a restart of "
		    "vesperd");
	for (size_t i = 0; i < now->tokens; i++) {
		const char *key = token_change(&old->token[i], &now->token[i]);

		if (key != NULL)
			return FAULT(f, RC_INVALID, "config",
			    "token \"%s\": '%s' changed: this needs a restart of vesperd",
			    now->token[i].name, key);
	}
	if (strcmp(old->state_dir, now->state_dir) != 0)
		return FAULT(f, RC_INVALID, "config",
		    "state_dir changed: this needs a restart of vesperd");
	return RC_OK;
}
