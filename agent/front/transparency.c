#include "agent/front/transparency.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent/front/metrics.h"
#include "agent/front/store.h"
#include "agent/front/works.h"
#include "agent/log.h"
#include "stir/jtext.h"

/* Those of a list, and as many of the list before whose alarms are not over. */
enum { CT_FILE_MAX = 32768, CT_LOGS = 2 * SCT_MAX_LOGS };

static const char *const troubles[] = {
	[CT_WELL] = "well",
	[CT_UNREACHABLE] = "unreachable",
	[CT_WRONG] = "wrong",
	[CT_BROKEN] = "broken",
};

const char *
ct_trouble_name(enum ct_trouble t)
{
	return troubles[t];
}

static void
log_free(struct ct_log *log)
{
	if (log != NULL)
		free(log->watch);
	free(log);
}

static void
log_freep(struct ct_log **log)
{
	log_free(*log);
}
#define AUTO_LOG __attribute__((cleanup(log_freep))) struct ct_log

enum rc
transparency_new(struct transparency **out, struct fault *f)
{
	struct transparency *t = calloc(1, sizeof *t);

	if (t == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "logs");
	pthread_mutex_init(&t->lock, NULL);
	*out = t;
	return RC_OK;
}

void
transparency_free(struct transparency *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->len; i++)
		log_free(t->log[i]);
	free(t->log);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

struct ct_log *
transparency_find(const struct transparency *t, const uint8_t id[CTLOG_ID_LEN])
{
	for (size_t i = 0; i < t->len; i++) {
		if (memcmp(t->log[i]->id, id, CTLOG_ID_LEN) == 0)
			return t->log[i];
	}
	return NULL;
}

bool
ct_is_unread(const struct ct_log *log, int64_t now_s)
{
	return log->watch != NULL && log->has_head &&
	       ctwatch_stands(log->watch, &log->head.tree) &&
	       now_s - log->watch->moved_s > log->mmd_s + CT_LATE_S;
}

/* Not yet, or not any more, as far as its newest head: what is found may not be all. */
static bool
is_behind(const struct ct_log *log, int64_t now_s)
{
	return !log->has_head || (ctwatch_stands(log->watch, &log->head.tree) &&
				     now_s - log->watch->even_s > log->mmd_s + CT_LATE_S);
}

bool
ct_is_alarming(const struct ct_log *log, int64_t now_s)
{
	int64_t most_s = log->mmd_s + CT_LATE_S;

	return log->trouble == CT_BROKEN || log->trouble == CT_WRONG ||
	       (log->watch != NULL && log->watch->wrong) || ct_is_unread(log, now_s) ||
	       (log->trouble == CT_UNREACHABLE && now_s - log->fresh_s > most_s) ||
	       (now_s - log->fresh_s > most_s && now_s - log->since_s > most_s);
}

/* ---- on disk ------------------------------------------------------------------------------- */

static enum rc
file_of(
    const struct config *c, const struct ct_log *log, struct store_path *out, struct fault *f)
{
	return store_path(out, f, "%s/front/ct/%s.json", c->state_dir, log->hex);
}

/* A head as the log wrote it, as a string: its signature is checked again when it is read. */
static json_t *
head_text(const struct sth *sth, bool there)
{
	AUTO_BUF text = BUF_INIT(STH_JSON_MAX);

	if (!there)
		return json_null();
	return sth_write(&text, sth, NULL) == RC_OK ? json_string(buf_text(&text)) : NULL;
}

enum rc
transparency_write(const struct config *c, const struct ct_log *log, struct fault *f)
{
	struct store_path path = { 0 };
	bool broken = log->trouble == CT_BROKEN;
	json_auto_t *root = json_pack("{s:o, s:I, s:o, s:s, s:I}", "head",
	    head_text(&log->head, log->has_head), "fresh", (json_int_t)log->fresh_s, "evidence",
	    head_text(&log->evidence, broken), "detail", broken ? log->detail : "", "since",
	    broken ? (json_int_t)log->trouble_since_s : 0);

	TRY(file_of(c, log, &path, f));
	return store_write_json(path.text, root, CT_FILE_MAX, f);
}

static enum rc
take_head(
    const json_t *text, const struct ctlog *key, struct sth *out, bool *there, struct fault *f)
{
	if (json_is_null(text))
		return RC_OK;
	TRY(sth_read(jtext_span(text), key, out, f));
	*there = true;
	return RC_OK;
}

static enum rc
take_file(struct ct_log *log, const struct ctlog *key, json_t *root, struct fault *f)
{
	json_t *head, *evidence;
	const char *detail;
	json_int_t fresh, since;
	bool broken = false;

	if (json_unpack(root, "{s:o, s:I, s:o, s:s, s:I!}", "head", &head, "fresh", &fresh,
		"evidence", &evidence, "detail", &detail, "since", &since) != 0)
		return FAULT(f, RC_INVALID, "ct_file", "not as we write it");
	TRY(take_head(head, key, &log->head, &log->has_head, f));
	TRY(take_head(evidence, key, &log->evidence, &broken, f));
	if (log->has_head)
		log->fresh_s = fresh;
	if (broken) {
		log->trouble = CT_BROKEN;
		log->trouble_since_s = since;
		snprintf(log->detail, sizeof log->detail, "%s", detail);
	}
	return RC_OK;
}

/*
 * A head that was lost begins anew, which is said: what the log showed before
 * is not held against it any more.
 */
static enum rc
read_file(const struct config *c, struct ct_log *log, const struct ctlog *key, struct fault *f)
{
	struct store_path path = { 0 };
	json_auto_t *root = NULL;
	struct fault why = { 0 };
	enum rc rc;

	TRY(file_of(c, log, &path, f));
	rc = store_read_json(path.text, CT_FILE_MAX, &root, &why);
	if (rc == RC_NOT_FOUND)
		return RC_OK;
	if (rc == RC_OK)
		rc = take_file(log, key, root, &why);
	if (rc == RC_OK || rc == RC_NO_MEMORY)
		return rc;
	log_event(LEVEL_ERR, "ct_file", "log=%.16s reason=%s detail=\"%s\"", log->hex,
	    why.reason, why.detail);
	return RC_OK;
}

/* ---- the logs of a set --------------------------------------------------------------------- */

static enum rc
add_log(struct transparency *t, const struct config *c, const struct ctlog *key, int64_t now_s,
    struct fault *f)
{
	AUTO_LOG *log = calloc(1, sizeof *log);

	if (log == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a log");
	if (t->len == CT_LOGS)
		return FAULT(f, RC_BUSY, "overloaded", "more than %d logs", CT_LOGS);
	memcpy(log->id, key->id, CTLOG_ID_LEN);
	works_hex(log->id, CTLOG_ID_LEN, log->hex);
	log->fresh_s = log->since_s = now_s; /* nothing is held against it before */
	TRY(read_file(c, log, key, f));
	pthread_mutex_lock(&t->lock);
	t->log[t->len++] = TAKE(log);
	pthread_mutex_unlock(&t->lock);
	return RC_OK;
}

/* What the list says of it now. */
static void
take_facts(struct ct_log *log, const struct ctlog *key)
{
	snprintf(log->name, sizeof log->name, "%s", key->name);
	snprintf(log->url, sizeof log->url, "%s", key->url);
	log->api = key->api;
	log->mmd_s = key->mmd_s;
	log->listed = true;
}

/* Read, or not any more: its position is on disk. */
static enum rc
set_watch(struct transparency *t, const struct config *c, struct ct_log *log, int64_t now_s,
    struct fault *f)
{
	struct ctwatch *watch = NULL;

	if (c->ct_watch == (log->watch != NULL))
		return RC_OK;
	if (c->ct_watch)
		TRY(ctwatch_open(c, log, &watch, f));
	if (watch != NULL)
		watch->moved_s = now_s;
	pthread_mutex_lock(&t->lock);
	free(log->watch);
	log->watch = watch;
	pthread_mutex_unlock(&t->lock);
	return RC_OK;
}

static enum rc
take_list(struct transparency *t, const struct credset *set, int64_t now_s, struct fault *f)
{
	for (size_t i = 0; set->ctlogs != NULL && i < ctlogs_len(set->ctlogs); i++) {
		const struct ctlog *key = ctlogs_at(set->ctlogs, i);

		if (!key->usable || key->url == NULL)
			continue;
		if (transparency_find(t, key->id) == NULL)
			TRY(add_log(t, set->config, key, now_s, f));
		pthread_mutex_lock(&t->lock);
		take_facts(transparency_find(t, key->id), key);
		pthread_mutex_unlock(&t->lock);
		TRY(set_watch(t, set->config, transparency_find(t, key->id), now_s, f));
	}
	return RC_OK;
}

/* What is not listed any more goes when its alarm is over. */
static void
drop_unlisted(struct transparency *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->len; i++) {
		struct ct_log *log = t->log[i];

		if (!log->listed && !log->told)
			log_free(log);
		else
			t->log[kept++] = log;
	}
	t->len = kept;
}

static void
begin_list(struct transparency *t)
{
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->len; i++)
		t->log[i]->listed = false;
	pthread_mutex_unlock(&t->lock);
}

enum rc
transparency_adopt(
    struct transparency *t, const struct credset *set, int64_t now_s, struct fault *f)
{
	if (t->generation == set->generation && t->log != NULL)
		return RC_OK;
	if (t->log == NULL)
		t->log = calloc(CT_LOGS, sizeof(struct ct_log *));
	if (t->log == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "logs");
	begin_list(t);
	if (set->config->ct_proofs || set->config->ct_watch)
		TRY(take_list(t, set, now_s, f));
	pthread_mutex_lock(&t->lock);
	drop_unlisted(t);
	pthread_mutex_unlock(&t->lock);
	t->generation = set->generation;
	return RC_OK;
}

/* ---- shown --------------------------------------------------------------------------------- */

static json_t *
log_json(const struct ct_log *l, int64_t now_s)
{
	bool well = l->trouble == CT_WELL;

	return json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:I, s:s, s:b, s:o, s:o, s:o}",
	    "log", l->hex, "name", l->name, "url", l->url, "mmd", (json_int_t)l->mmd_s,
	    "tree_size",
	    l->has_head ? json_integer((json_int_t)l->head.tree.size) : json_null(),
	    "tree_head_time", l->has_head ? json_integer(l->head.time_ms / 1000) : json_null(),
	    "tree_head", head_text(&l->head, l->has_head), "fresh_at", (json_int_t)l->fresh_s,
	    "state", ct_trouble_name(l->trouble), "alarming", ct_is_alarming(l, now_s),
	    "problem",
	    well ? json_null()
		 : json_pack("{s:s, s:I}", "detail", l->detail, "since",
		       (json_int_t)l->trouble_since_s),
	    "evidence", head_text(&l->evidence, l->trouble == CT_BROKEN), "watch",
	    l->watch != NULL ? ctwatch_show(l->watch, is_behind(l, now_s), now_s)
			     : json_null());
}

json_t *
transparency_show(struct transparency *t, int64_t now_s)
{
	json_t *list = json_array(), *out = json_pack("{s:o}", "logs", list);

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; out != NULL && i < t->len; i++) {
		if (t->log[i]->listed &&
		    json_array_append_new(list, log_json(t->log[i], now_s)) != 0) {
			json_decref(out);
			out = NULL;
		}
	}
	pthread_mutex_unlock(&t->lock);
	return out;
}

static void
put_metric(struct transparency *t, struct buf *out, const char *name, const char *help,
    int64_t (*value)(const struct ct_log *l, int64_t now_s), int64_t now_s)
{
	metrics_family(out, name, "gauge", help);
	for (size_t i = 0; i < t->len; i++) {
		if (t->log[i]->listed)
			buf_printf(out, "%s{log=\"%.16s\"} %" PRId64 "\n", name, t->log[i]->hex,
			    value(t->log[i], now_s));
	}
}

static int64_t
tree_size(const struct ct_log *l, int64_t now_s)
{
	(void)now_s;
	return l->has_head ? (int64_t)l->head.tree.size : 0;
}

static int64_t
head_time(const struct ct_log *l, int64_t now_s)
{
	(void)now_s;
	return l->has_head ? l->head.time_ms / 1000 : 0;
}

static int64_t
is_alarming(const struct ct_log *l, int64_t now_s)
{
	return ct_is_alarming(l, now_s);
}

static int64_t
entries_read(const struct ct_log *l, int64_t now_s)
{
	(void)now_s;
	return l->watch != NULL ? (int64_t)l->watch->done.size : 0;
}

static int64_t
not_ordered(const struct ct_log *l, int64_t now_s)
{
	return l->watch != NULL ? (int64_t)ctwatch_count(l->watch, NULL, now_s) : 0;
}

void
transparency_metrics(struct transparency *t, struct buf *out, int64_t now_s)
{
	pthread_mutex_lock(&t->lock);
	put_metric(t, out, "vesper_ct_tree_size", "Entries of the log's newest tree head.",
	    tree_size, now_s);
	put_metric(t, out, "vesper_ct_tree_head_timestamp_seconds",
	    "Time of the log's newest tree head.", head_time, now_s);
	put_metric(t, out, "vesper_ct_log_alarming",
	    "The log answered wrongly, broke a promise, or shows no new tree head.",
	    is_alarming, now_s);
	put_metric(t, out, "vesper_ct_entries_read",
	    "Entries of the log that were looked at, and are those of its tree head.",
	    entries_read, now_s);
	put_metric(t, out, "vesper_ct_not_ordered",
	    "Valid certificates in the log for our numbers, codes or domains that were not "
	    "ordered here.",
	    not_ordered, now_s);
	pthread_mutex_unlock(&t->lock);
}
