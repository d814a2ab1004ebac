#include "agent/front/ct_ops.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "agent/front/inclusion.h"
#include "agent/front/transparency.h"
#include "agent/log.h"
#include "stir/b64.h"

enum { MS_PER_S = 1000, INCLUSION_AGAIN_S = 600, HASH_TEXT = 3 * 44 + 1 };

/* Places that entries may have: the rest is for heads and proofs. */
enum { PAGES_OUT = DOCUMENTS_OUT / 2 };

/* ---- what a log did wrong ------------------------------------------------------------------ */

static const char *
problem_of(const struct ct_log *log, int64_t now_s)
{
	if (log->watch != NULL && log->watch->wrong)
		return log->watch->why;
	if (log->detail[0] != 0)
		return log->detail;
	return ct_is_unread(log, now_s) ? "its entries were not read for too long"
					: "it was not heard of for too long";
}

/* The alarm's beginning and its end, once each. */
static void
tell(struct works *w, struct ct_log *log, int64_t now_s)
{
	bool alarming = log->listed && ct_is_alarming(log, now_s);
	char detail[CT_DETAIL_MAX + CTLOG_NAME_MAX + 8];
	json_t *word;

	if (alarming == log->told || w->out.alarm == NULL)
		return;
	snprintf(detail, sizeof detail, "%s: %s", log->name, problem_of(log, now_s));
	word = json_pack("{s:s, s:s%, s:s?}", "alarm", "ct_log", "name", log->hex, (size_t)32,
	    "problem", alarming ? detail : NULL);
	if (word == NULL)
		return; /* it is told the next time */
	w->out.alarm(w->out.arg, word);
	log->told = alarming;
}

static int64_t
every_s(const struct ct_log *log)
{
	int64_t half_s = log->mmd_s / 2;

	if (half_s > CT_EVERY_MAX_S)
		return CT_EVERY_MAX_S;
	return half_s < CT_EVERY_MIN_S ? CT_EVERY_MIN_S : half_s;
}

/* After a failure: soon, but no sooner than a log that is well. */
static int64_t
again_s(const struct ct_log *log)
{
	return every_s(log) < CT_AGAIN_S ? every_s(log) : CT_AGAIN_S;
}

/* What is broken stays so, whatever else goes wrong. */
static void PRINTF_LIKE(5, 6) trouble(
    struct works *w, struct ct_log *log, enum ct_trouble t, int64_t now_s, const char *fmt, ...)
{
	va_list ap;

	if (log->trouble == CT_BROKEN)
		return;
	pthread_mutex_lock(&w->ct->lock);
	if (log->trouble != t)
		log->trouble_since_s = now_s;
	log->trouble = t;
	va_start(ap, fmt);
	vsnprintf(log->detail, sizeof log->detail, fmt, ap);
	va_end(ap);
	log->has_next = false;
	log->due_s = now_s + again_s(log);
	pthread_mutex_unlock(&w->ct->lock);
	log_event(t == CT_UNREACHABLE ? LEVEL_INFO : LEVEL_WARNING, "ct_log",
	    "log=%.16s state=%s detail=\"%s\"", log->hex, ct_trouble_name(t), log->detail);
}

static void
is_well(struct works *w, struct ct_log *log)
{
	if (log->trouble == CT_BROKEN)
		return;
	pthread_mutex_lock(&w->ct->lock);
	log->trouble = CT_WELL;
	log->detail[0] = 0;
	pthread_mutex_unlock(&w->ct->lock);
}

/* ---- tree heads ---------------------------------------------------------------------------- */

/* What a full disk refuses is written with a later look. */
static enum rc
keep(struct works *w, struct ct_log *log, struct fault *f)
{
	log->dirty = true;
	TRY(transparency_write(w->set->config, log, f));
	log->dirty = false;
	return RC_OK;
}

/* Two heads that the log has signed, and that can not both be true: kept, for others to see. */
static enum rc
breaks(struct op_call *call, struct ct_log *log, const struct sth *sth, const char *how,
    struct fault *f)
{
	bool known = log->trouble == CT_BROKEN;

	trouble(call->w, log, CT_BROKEN, call->now_s, "%s", how);
	pthread_mutex_lock(&call->w->ct->lock);
	if (!known)
		log->evidence = *sth;
	log->due_s = call->now_s + every_s(log);
	pthread_mutex_unlock(&call->w->ct->lock);
	if (!known)
		TRY(keep(call->w, log, f));
	return FAULT(f, RC_DENIED, "ct_log_broken", "%s", how);
}

/* It is the newest one now, and on disk before a proof is asked for that relies on it. */
static enum rc
adopt(struct op_call *call, struct ct_log *log, const struct sth *sth, struct fault *f)
{
	struct sth newest = *sth; /* it may be the log's own */

	pthread_mutex_lock(&call->w->ct->lock);
	log->head = newest;
	log->has_head = true;
	log->has_next = false;
	log->fresh_s = call->now_s;
	log->due_s = call->now_s + every_s(log);
	pthread_mutex_unlock(&call->w->ct->lock);
	is_well(call->w, log);
	return keep(call->w, log, f);
}

/* Can both be of one tree that only grows?  NULL: yes. */
static const char *
contradiction(const struct sth *old, const struct sth *new)
{
	if (new->tree.size == old->tree.size)
		return memcmp(new->tree.root, old->tree.root, MERKLE_HASH) == 0
			   ? NULL
			   : "two tree heads of one size have different roots";
	if (new->time_ms > old->time_ms &&new->tree.size < old->tree.size)
		return "the tree has become smaller";
	if (new->time_ms<old->time_ms &&new->tree.size> old->tree.size)
		return "the tree was larger before than it is";
	return NULL;
}

static enum rc
judge_head(struct op_call *call, struct ct_log *log, const struct sth *sth, struct fault *f)
{
	const char *how = log->has_head ? contradiction(&log->head, sth) : NULL;

	if (how != NULL)
		return breaks(call, log, sth, how, f);
	/* RFC 6962 section 3.5: none that is older than the maximum merge delay. */
	if (sth->time_ms / MS_PER_S < call->now_s - log->mmd_s - CT_LATE_S) {
		trouble(call->w, log, CT_WRONG, call->now_s,
		    "its tree head is older than its maximum merge delay");
		return FAULT(f, RC_DENIED, "sth_stale", "%s", log->detail);
	}
	/* The first is taken as it is, and anything goes on from an empty tree. */
	if (!log->has_head || log->head.tree.size == 0)
		return adopt(call, log, sth, f);
	if (sth->tree.size == log->head.tree.size)
		return adopt(call, log, sth->time_ms > log->head.time_ms ? sth : &log->head, f);
	pthread_mutex_lock(&call->w->ct->lock);
	log->has_next = sth->tree.size > log->head.tree.size;
	log->next = *sth;
	log->due_s =
	    call->now_s + every_s(log); /* a smaller one is an older view: not evidence */
	pthread_mutex_unlock(&call->w->ct->lock);
	return RC_OK;
}

static enum rc
read_head(struct op_call *call, const struct ct_log *log, struct span octets, struct sth *out,
    struct fault *f)
{
	const struct ctlog *key = ctlogs_find(call->w->set->ctlogs, log->id);

	TRY(sth_read(octets, key, out, f));
	if (out->time_ms / MS_PER_S > call->now_s + CT_AHEAD_S)
		return FAULT(f, RC_DENIED, "sth_future", "its tree head is of the future");
	return RC_OK;
}

/* The log that a document is about, free to be asked again; NULL: it is not listed any more. */
static struct ct_log *
log_of(struct op_call *call, const struct document *d, struct fault *f)
{
	struct ct_log *log = transparency_find(call->w->ct, d->log_id);
	const struct ctlogs *now =
	    call->w->set->ctlogs; /* newer than what was last looked at */

	if (log == NULL || !log->listed || now == NULL || ctlogs_find(now, log->id) == NULL) {
		(void)REFUSE(f, RC_NOT_FOUND, NOT_FOUND, NULL, "that log is not listed");
		return NULL;
	}
	log->busy_s = 0;
	return log;
}

/* No answer, or a server that has none: nothing of it can be held against the log for long. */
static void
unanswered(struct op_call *call, struct ct_log *log, const struct document_come *come)
{
	trouble(call->w, log, CT_UNREACHABLE, call->now_s, "%s", come->problem);
}

static enum rc
head_came(struct op_call *call, const struct document *d, const struct document_come *come,
    struct fault *f)
{
	struct ct_log *log = log_of(call, d, f);
	struct fault why = { 0 };
	struct sth sth = { .time_ms = 0 };

	if (log == NULL)
		return RC_NOT_FOUND;
	if (come->status != 200) {
		unanswered(call, log, come);
		return RC_OK;
	}
	if (read_head(call, log, come->octets, &sth, &why) != RC_OK) {
		trouble(call->w, log, CT_WRONG, call->now_s, "get-sth: %s", why.detail);
		return FAULT(f, why.rc, why.reason, "%s", why.detail);
	}
	return judge_head(call, log, &sth, f);
}

static enum rc
consistency_came(struct op_call *call, const struct document *d,
    const struct document_come *come, struct fault *f)
{
	struct ct_log *log = log_of(call, d, f);
	struct merkle_path path = { .len = 0 };
	struct fault why = { 0 };
	struct sth next;

	if (log == NULL)
		return RC_NOT_FOUND;
	if (!log->has_next || memcmp(&log->next.tree, &d->tree, sizeof d->tree) != 0)
		return RC_OK; /* another head came meanwhile */
	if (come->status != 200) {
		unanswered(call, log, come);
		return RC_OK;
	}
	next = log->next;
	if (sth_read_consistency(come->octets, &path, &why) != RC_OK ||
	    merkle_consistency(&log->head.tree, &next.tree, &path, &why) != RC_OK) {
		trouble(
		    call->w, log, CT_WRONG, call->now_s, "get-sth-consistency: %s", why.detail);
		return FAULT(f, why.rc, why.reason, "%s", why.detail);
	}
	return adopt(call, log, &next, f);
}

/* ---- what is in the tree ------------------------------------------------------------------- */

static bool
find_promise(struct credential *c, const struct sct_promise *p, struct inclusion *out)
{
	struct inclusion item[SCT_MAX_LIST];
	size_t n = inclusion_copy(c, item);

	for (size_t i = 0; i < n; i++) {
		if (memcmp(&item[i].promise, p, sizeof *p) == 0) {
			*out = item[i];
			return true;
		}
	}
	return false;
}

static enum rc
proven(struct op_call *call, struct credential *c, struct inclusion *i, uint64_t index,
    uint64_t size, struct fault *f)
{
	i->state = INCLUSION_PROVEN;
	i->index = index;
	i->size = size;
	i->at_s = call->now_s;
	(void)inclusion_set(c, i);
	return inclusion_write(call->w->set->config, c, f);
}

/* The time to have it was over when it was asked for. */
static void
missing(
    struct credential *c, struct inclusion *i, const char *log, const char *why, int64_t now_s)
{
	if (i->state != INCLUSION_MISSING)
		i->at_s = now_s;
	i->state = INCLUSION_MISSING;
	i->due_s = now_s + INCLUSION_AGAIN_S;
	(void)inclusion_set(c, i);
	log_event(LEVEL_WARNING, "ct_missing",
	    "tenant=%s credential=%s log=%.16s detail=\"%s\"", c->tenant, c->name, log, why);
}

static enum rc
judge_inclusion(const struct document *d, const struct document_come *come, uint64_t *index,
    struct fault *f)
{
	struct merkle_path path = { .len = 0 };

	TRY(sth_read_inclusion(come->octets, index, &path, f));
	return merkle_inclusion(d->promise.leaf, *index, d->tree.size, &path, d->tree.root, f);
}

/*
 * RFC 6962 section 4.5: a log that does not have the leaf says so with a status.
 * One frontend may lag behind the head that another gave: what counts is the
 * second time, later, and of a head that is newer.
 */
static bool
has_denied(const struct op_call *call, const struct ct_log *log, const struct document *d,
    const struct document_come *come, struct inclusion *i)
{
	if ((come->status != 400 && come->status != 404) ||
	    memcmp(&d->tree, &log->head.tree, sizeof d->tree) != 0)
		return false;
	if (i->state == INCLUSION_MISSING)
		return true;
	if (i->denied_s == 0 || i->denied_s > call->now_s) {
		i->denied_s = call->now_s;
		i->denied_head_ms = log->head.time_ms;
		return false;
	}
	return call->now_s - i->denied_s >= again_s(log) &&
	       log->head.time_ms > i->denied_head_ms;
}

static enum rc
inclusion_came(struct op_call *call, const struct document *d, const struct document_come *come,
    struct fault *f)
{
	struct ct_log *log = log_of(call, d, f);
	struct credset_place at = { 0 };
	struct inclusion i = { .due_s = 0 };
	struct credential *c;
	struct fault why = { 0 };
	uint64_t index = 0;

	if (log == NULL)
		return RC_NOT_FOUND;
	if (!credset_find(call->w->set, d->tenant, d->name, &at))
		return REFUSE(f, RC_NOT_FOUND, NO_CREDENTIAL, NULL, "no such credential");
	c = credset_credential(call->w->set, at);
	if (!find_promise(c, &d->promise, &i))
		return RC_OK; /* another certificate is in force by now */
	if (come->status != 200 && !has_denied(call, log, d, come, &i)) {
		i.due_s = call->now_s + again_s(log);
		(void)inclusion_set(c, &i);
		return RC_OK;
	}
	if (come->status != 200) {
		missing(c, &i, log->hex, come->problem, call->now_s);
		return RC_OK;
	}
	if (judge_inclusion(d, come, &index, &why) == RC_OK)
		return proven(call, c, &i, index, d->tree.size, f);
	missing(c, &i, log->hex, why.detail, call->now_s);
	return FAULT(f, why.rc, why.reason, "%s", why.detail);
}

/* ---- what it has -------------------------------------------------------------------------- */

static enum rc
entries_came(struct op_call *call, const struct document *d, const struct document_come *come,
    struct fault *f)
{
	struct ct_log *log = log_of(call, d, f);

	if (log == NULL)
		return RC_NOT_FOUND;
	if (log->watch == NULL)
		return RC_OK; /* it is not read any more */
	if (come->status == 200)
		return ctwatch_take(call->w, log, come->octets, d->first,
		    (size_t)(d->last - d->first) + 1, call->now_s, f);
	pthread_mutex_lock(&call->w->ct->lock);
	ctwatch_fails(log->watch, come->problem, call->now_s + again_s(log));
	pthread_mutex_unlock(&call->w->ct->lock);
	return RC_OK;
}

/* ---- what is due --------------------------------------------------------------------------- */

struct asking {
	struct op_call *call;
	json_t *list;
};

/* A place with the log's address and the question behind it; NULL: none is free. */
static struct document *PRINTF_LIKE(4, 5) place(
    const struct asking *a, const struct ct_log *log, document_fn *come, const char *fmt, ...)
{
	struct document *d = documents_place(a->call->w->documents, a->call->now_s);
	int len;
	va_list ap;

	if (d == NULL)
		return NULL;
	d->come = come;
	d->max = STH_PATH_JSON_MAX;
	memcpy(d->log_id, log->id, CTLOG_ID_LEN);
	len = snprintf(d->url, sizeof d->url, "%s%s", log->url, log->api);
	va_start(ap, fmt);
	vsnprintf(d->url + len, sizeof d->url - (size_t)len, fmt, ap);
	va_end(ap);
	return d;
}

static enum rc
send(const struct asking *a, struct document *d, struct fault *f)
{
	return documents_ask(a->call->w->documents, d, a->list, a->call->now_s, f);
}

/* After all else, and of a head that is proven; NULL: nothing is to be read. */
static struct document *
place_entries(const struct asking *a, struct ct_log *log)
{
	struct document *d = NULL;
	uint64_t first = 0, last = 0;
	bool due;

	if (log->watch == NULL || !log->has_head)
		return NULL;
	pthread_mutex_lock(&a->call->w->ct->lock);
	due = ctwatch_next(log->watch, &log->head.tree, a->call->now_s, &first, &last);
	pthread_mutex_unlock(&a->call->w->ct->lock);
	if (due)
		d = place(a, log, entries_came, "get-entries?start=%" PRIu64 "&end=%" PRIu64,
		    first, last);
	if (d != NULL) {
		d->max = CTENTRY_JSON_MAX;
		d->first = first;
		d->last = last;
	}
	return d;
}

/* One question at a time to each log: its answer decides the next. */
static bool
is_free(const struct ct_log *log, int64_t now_s)
{
	/* A clock that was set back must not put anything off for long. */
	return log->listed && (log->busy_s <= now_s || log->busy_s > now_s + DOCUMENT_LEASE_S);
}

static enum rc
send_to(const struct asking *a, struct ct_log *log, struct document *d, struct fault *f)
{
	if (d == NULL)
		return RC_OK;
	log->busy_s = a->call->now_s + DOCUMENT_LEASE_S;
	return send(a, d, f);
}

static enum rc
ask_head(const struct asking *a, struct ct_log *log, struct fault *f)
{
	int64_t now_s = a->call->now_s;
	struct document *d = NULL;

	if (log->has_next) {
		d = place(a, log, consistency_came,
		    "get-sth-consistency?first=%" PRIu64 "&second=%" PRIu64,
		    log->head.tree.size, log->next.tree.size);
		if (d != NULL)
			d->tree = log->next.tree;
	} else if (log->due_s <= now_s || log->due_s > now_s + CT_EVERY_MAX_S) {
		d = place(a, log, head_came, "get-sth");
	}
	return send_to(a, log, d, f);
}

static enum rc
ask_entries(const struct asking *a, struct ct_log *log, struct fault *f)
{
	return send_to(a, log, place_entries(a, log), f);
}

static size_t
pages_out(const struct documents *d, int64_t now_s)
{
	size_t n = 0;

	for (size_t i = 0; i < DOCUMENTS_OUT; i++)
		n += d->out[i].id != 0 && d->out[i].until_s > now_s &&
		     d->out[i].come == entries_came;
	return n;
}

/* From where the last round had no place left, so that each log has its turn. */
static enum rc
ask_logs(const struct asking *a, bool pages, size_t *turn, struct fault *f)
{
	struct works *w = a->call->w;
	int64_t now_s = a->call->now_s;
	size_t n = w->ct->len, from = *turn;

	for (size_t i = 0; i < n; i++) {
		struct ct_log *log = w->ct->log[(from + i) % n];

		*turn = (from + i) % n;
		if (documents_place(w->documents, now_s) == NULL ||
		    (pages && pages_out(w->documents, now_s) >= PAGES_OUT))
			return RC_OK;
		if (is_free(log, now_s))
			TRY(pages ? ask_entries(a, log, f) : ask_head(a, log, f));
	}
	return RC_OK;
}

/* Base64 in a query: "+", "/" and "=" are written in hex (RFC 3986 section 2.1). */
static bool
query_text(const uint8_t hash[MERKLE_HASH], char out[HASH_TEXT])
{
	AUTO_BUF text = BUF_INIT(64);
	size_t at = 0;

	b64_encode(&text, B64_STD, span_of(hash, MERKLE_HASH));
	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.ptr[i];

		if (c == '+' || c == '/' || c == '=')
			at += (size_t)snprintf(out + at, HASH_TEXT - at, "%%%02X", c);
		else
			out[at++] = c;
	}
	out[at] = 0;
	return buf_check(&text, NULL) == RC_OK;
}

/* The log has a head that must have it: dated a merge delay after the promise. */
static bool
is_due(const struct inclusion *i, const struct ct_log *log, int64_t now_s)
{
	return i->state != INCLUSION_PROVEN && i->due_s <= now_s && log != NULL &&
	       log->listed && log->has_head && log->head.tree.size > 0 &&
	       i->promise.time_ms <= log->head.time_ms - log->mmd_s * MS_PER_S;
}

static enum rc
ask_inclusion(
    const struct asking *a, struct credential *c, struct inclusion *i, struct fault *f)
{
	const struct ct_log *log = transparency_find(a->call->w->ct, i->promise.log_id);
	char hash[HASH_TEXT];
	struct document *d;

	if (!is_due(i, log, a->call->now_s) || !query_text(i->promise.leaf, hash))
		return RC_OK;
	d = place(a, log, inclusion_came, "get-proof-by-hash?hash=%s&tree_size=%" PRIu64, hash,
	    log->head.tree.size);
	if (d == NULL)
		return RC_OK;
	d->tree = log->head.tree;
	d->promise = i->promise;
	snprintf(d->tenant, sizeof d->tenant, "%s", c->tenant);
	snprintf(d->name, sizeof d->name, "%s", c->name);
	i->due_s = a->call->now_s + DOCUMENT_LEASE_S;
	(void)inclusion_set(c, i);
	return send(a, d, f);
}

static enum rc
ask_credential(const struct asking *a, struct credential *c, struct fault *f)
{
	struct inclusion item[SCT_MAX_LIST];
	size_t n = inclusion_copy(c, item);

	for (size_t i = 0; i < n; i++)
		TRY(ask_inclusion(a, c, &item[i], f));
	return RC_OK;
}

static enum rc
ask_credentials(const struct asking *a, size_t *turn, struct fault *f)
{
	struct works *w = a->call->w;
	size_t n = w->set->config->ct_proofs ? w->set->slots : 0, from = *turn;

	for (size_t i = 0; i < n; i++) {
		*turn = (from + i) % n;
		if (documents_place(w->documents, a->call->now_s) == NULL)
			return RC_OK;
		TRY(ask_credential(a, w->set->slot[*turn], f));
	}
	return RC_OK;
}

/*
 * A log that owes a proof, and gives neither one nor a denial, for twice its
 * maximum merge delay: whoever keeps it back, it is not proven.
 */
static bool
is_overdue(const struct inclusion *i, const struct ct_log *log, int64_t now_s)
{
	int64_t owed_s;

	if (i->state != INCLUSION_WAITING || log == NULL || !log->listed)
		return false;
	owed_s = i->promise.time_ms / MS_PER_S + log->mmd_s;
	if (owed_s < log->since_s) /* nothing was asked before */
		owed_s = log->since_s;
	return now_s > owed_s + 2 * log->mmd_s + CT_LATE_S;
}

static void
look_at_promises(struct works *w, struct credential *c, int64_t now_s)
{
	struct inclusion item[SCT_MAX_LIST];
	size_t n = inclusion_copy(c, item);

	for (size_t i = 0; i < n; i++) {
		const struct ct_log *log = transparency_find(w->ct, item[i].promise.log_id);

		if (is_overdue(&item[i], log, now_s))
			missing(c, &item[i], log->hex, "no proof came", now_s);
	}
}

/* ---- certificates that were not ordered here ------------------------------------------------ */

static bool
is_found(const struct transparency *t, const char *tenant, int64_t now_s)
{
	for (size_t i = 0; i < t->len; i++) {
		if (t->log[i]->listed && t->log[i]->watch != NULL &&
		    ctwatch_count(t->log[i]->watch, tenant, now_s) > 0)
			return true;
	}
	return false;
}

static bool
tell_foreign(struct works *w, const char *tenant, bool begins)
{
	json_t *word = json_pack("{s:s, s:s, s:s?}", "alarm", "certificate_not_ordered", "name",
	    tenant, "problem",
	    begins ? "a log has a valid certificate for its numbers, codes or domains that was "
		     "not ordered here: vesper ct watch"
		   : NULL);

	if (word == NULL)
		return false; /* it is told the next time */
	w->out.alarm(w->out.arg, word);
	return true;
}

static void
begin_foreign(struct works *w, const char *tenant)
{
	struct transparency *t = w->ct;

	for (size_t i = 0; i < t->foreign; i++) {
		if (strcmp(t->foreign_of[i], tenant) == 0)
			return;
	}
	if (tenant[0] == 0 || t->foreign == CT_FOREIGN_MAX || !tell_foreign(w, tenant, true))
		return;
	snprintf(t->foreign_of[t->foreign++], sizeof t->foreign_of[0], "%s", tenant);
}

/* An alarm a tenant, as long as one of them is valid. */
static void
foreign_tell(struct works *w, int64_t now_s)
{
	struct transparency *t = w->ct;
	size_t kept = 0;

	if (w->out.alarm == NULL)
		return;
	for (size_t i = 0; i < t->foreign; i++) {
		if (!is_found(t, t->foreign_of[i], now_s) &&
		    tell_foreign(w, t->foreign_of[i], false))
			continue;
		memmove(t->foreign_of[kept++], t->foreign_of[i], sizeof t->foreign_of[0]);
	}
	t->foreign = kept;
	for (size_t i = 0; i < t->len; i++) {
		const struct ctwatch *watch = t->log[i]->listed ? t->log[i]->watch : NULL;

		for (size_t k = 0; watch != NULL && k < watch->found.len; k++) {
			if (watch->found.item[k].not_after_s >= now_s)
				begin_foreign(w, watch->found.item[k].tenant);
		}
	}
}

static void
look_at_log(struct works *w, struct ct_log *log, int64_t now_s)
{
	struct fault why = { 0 };

	pthread_mutex_lock(&w->ct->lock);
	/* A clock that was set back must not put an alarm off. */
	if (log->fresh_s > now_s)
		log->fresh_s = now_s;
	if (log->since_s > now_s)
		log->since_s = now_s;
	if (log->watch != NULL && (log->watch->moved_s > now_s || !log->has_head))
		log->watch->moved_s = now_s;
	if (log->watch != NULL && log->has_head && !ctwatch_stands(log->watch, &log->head.tree))
		log->watch->even_s = log->watch->moved_s = now_s;
	pthread_mutex_unlock(&w->ct->lock);
	if (log->dirty && keep(w, log, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "ct_file", &why);
	tell(w, log, now_s);
}

enum rc
ct_look(struct works *w, int64_t now_s, struct fault *f)
{
	TRY(transparency_adopt(w->ct, w->set, now_s, f));
	for (size_t i = 0; i < w->ct->len; i++)
		look_at_log(w, w->ct->log[i], now_s);
	for (size_t i = 0; w->set->config->ct_proofs && i < w->set->slots; i++)
		look_at_promises(w, w->set->slot[i], now_s);
	foreign_tell(w, now_s);
	return RC_OK;
}

enum rc
ct_ask(struct op_call *call, json_t *list, struct fault *f)
{
	const struct asking a = { call, list };
	struct works *w = call->w;

	TRY(ct_look(w, call->now_s, f));
	TRY(ask_logs(&a, false, &w->ct->head_turn, f));
	TRY(ask_credentials(&a, &w->ct->proof_turn, f));
	return ask_logs(&a, true, &w->ct->page_turn, f);
}
