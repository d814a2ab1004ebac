#include "agent/front/trust_ops.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent/front/jw.h"
#include "agent/front/metrics.h"
#include "agent/log.h"
#include "stir/loglist.h"
#include "stir/stilist.h"

enum { TRUST_URL_TEXT = DOCUMENT_URL_MAX + 1 };

struct desk_list {
	int64_t since_s; /* when this configuration first asked for it */
	int64_t due_s, busy_s;
	int64_t fetched_s; /* when it last came, was good and was not older; 0: never */
	bool refused;	   /* what came last was not put in force */
	char detail[TRUST_DETAIL_MAX]; /* why; "": nothing is known to be wrong */
	struct buf proof;	       /* a signature that waits for its list */
	bool told;		       /* the alarm has begun */
	uint64_t asked;		       /* the document that is awaited */
};

/* The same as others see it. */
struct shown_list {
	bool listed, alarming;
	char url[TRUST_URL_TEXT];
	bool in_force;
	int64_t issued_s, sequence, until_s; /* of what is in force */
	int64_t fetched_s;
	char problem[TRUST_DETAIL_MAX];
};

struct trust_desk {
	const void *files; /* of the set that was last looked at */
	struct desk_list list[TRUST__KINDS];
	pthread_mutex_t lock; /* of shown */
	struct shown_list shown[TRUST__KINDS];
};

enum rc
trust_desk_new(struct trust_desk **out, struct fault *f)
{
	struct trust_desk *d = calloc(1, sizeof *d);

	if (d == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "lists");
	pthread_mutex_init(&d->lock, NULL);
	*out = d;
	return RC_OK;
}

void
trust_desk_free(struct trust_desk *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < TRUST__KINDS; i++)
		buf_free(&d->list[i].proof);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static const struct trust_list *
in_force(const struct works *w, enum trust_kind k)
{
	return w->set->trust != NULL ? w->set->trust->list[k] : NULL;
}

/* ---- what holds for one -------------------------------------------------------------------- */

static unsigned
refresh_s(const struct config *c, enum trust_kind k)
{
	return k == TRUST_LOGS ? c->ct_logs_refresh_s : c->sti_pa_refresh_s;
}

/* When it is too old, by its own word or by the configuration's. */
static int64_t
until_s(const struct config *c, const struct trust_list *l, enum trust_kind k)
{
	return k == TRUST_LOGS ? l->issued_s + c->ct_logs_max_age_s : l->exp_s;
}

/* From when on that is an alarm: a list of roots has to be replaced before it expires. */
static int64_t
warn_s(const struct config *c, const struct trust_list *l, enum trust_kind k)
{
	int64_t end_s = until_s(c, l, k);

	return k == TRUST_LOGS ? end_s : end_s - (end_s - l->kept_s) / TRUST_NEAR_PART;
}

/* ---- alarms -------------------------------------------------------------------------------- */

static void PRINTF_LIKE(2, 3) say(char out[TRUST_DETAIL_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out, TRUST_DETAIL_MAX, fmt, ap);
	va_end(ap);
}

static bool
is_silent(const struct desk_list *l, unsigned refresh, int64_t now_s)
{
	int64_t last_s = l->fetched_s > l->since_s ? l->fetched_s : l->since_s;

	return now_s > last_s + (int64_t)TRUST_SILENT * refresh + TRUST_SILENT_S;
}

static void
judge(const struct works *w, enum trust_kind k, int64_t now_s, char out[TRUST_DETAIL_MAX])
{
	const struct config *c = w->set->config;
	const struct desk_list *l = &w->lists->list[k];
	const struct trust_list *now = in_force(w, k);

	out[0] = 0;
	if (trust_url(c, k) == NULL)
		return;
	if (l->refused)
		say(out, "what came was refused, the one before stays in force: %s", l->detail);
	else if (now != NULL && now_s > warn_s(c, now, k))
		say(out, "the one in force %s, and there is no newer one: %s",
		    now_s > until_s(c, now, k) ? "is too old" : "ends soon",
		    l->detail[0] != 0 ? l->detail : "its publisher shows the same");
	else if (is_silent(l, refresh_s(c, k), now_s))
		say(out, "it was not fetched for too long: %s",
		    l->detail[0] != 0 ? l->detail : "no answer came");
}

/* The alarm's beginning and its end, once each. */
static void
tell(struct works *w, enum trust_kind k, const char *problem)
{
	struct desk_list *l = &w->lists->list[k];
	bool alarming = problem[0] != 0;
	json_t *word;

	if (alarming == l->told || w->out.alarm == NULL)
		return;
	word = json_pack("{s:s, s:s, s:s?}", "alarm", "trust_list", "name", trust_name(k),
	    "problem", alarming ? problem : NULL);
	if (word == NULL)
		return; /* it is told the next time */
	w->out.alarm(w->out.arg, word);
	l->told = alarming;
}

/* After a start, and where an operator has read the configuration anew: at once. */
static void
begin(struct works *w, enum trust_kind k, int64_t now_s)
{
	struct desk_list *l = &w->lists->list[k];
	const struct trust_list *now = in_force(w, k);

	l->since_s = now_s;
	l->due_s = l->busy_s = 0;
	l->refused = false;
	l->detail[0] = 0;
	l->fetched_s = now != NULL ? now->kept_s : 0;
	buf_free(&l->proof);
}

static void
look(struct works *w, enum trust_kind k, int64_t now_s)
{
	struct desk_list *l = &w->lists->list[k];
	const struct trust_list *now = in_force(w, k);
	const char *url = trust_url(w->set->config, k);
	struct shown_list *shown = &w->lists->shown[k];
	char problem[TRUST_DETAIL_MAX];

	/* A clock that was set back must not put an alarm off. */
	if (l->since_s > now_s)
		l->since_s = now_s;
	if (l->fetched_s > now_s)
		l->fetched_s = now_s;
	judge(w, k, now_s, problem);
	pthread_mutex_lock(&w->lists->lock);
	shown->listed = url != NULL;
	shown->alarming = problem[0] != 0;
	snprintf(shown->url, sizeof shown->url, "%s", url != NULL ? url : "");
	shown->in_force = now != NULL;
	shown->issued_s = now != NULL ? now->issued_s : 0;
	shown->sequence = now != NULL ? now->sequence : 0;
	shown->until_s = now != NULL ? until_s(w->set->config, now, k) : 0;
	shown->fetched_s = l->fetched_s;
	memcpy(shown->problem, shown->alarming ? problem : l->detail, sizeof shown->problem);
	pthread_mutex_unlock(&w->lists->lock);
	tell(w, k, problem);
}

void
trust_look(struct works *w, int64_t now_s)
{
	bool anew = w->lists->files != credset_files(w->set);

	w->lists->files = credset_files(w->set);
	for (enum trust_kind k = 0; k < TRUST__KINDS; k++) {
		if (anew)
			begin(w, k, now_s);
		look(w, k, now_s);
	}
}

/* ---- what comes ---------------------------------------------------------------------------- */

/* The list that a document is about; NULL: another configuration is in force by now. */
static struct desk_list *
list_of(struct op_call *call, const struct document *d, struct fault *f)
{
	struct desk_list *l = &call->w->lists->list[d->list];

	trust_look(call->w, call->now_s);
	if (l->busy_s == 0 || l->asked != d->id) {
		(void)REFUSE(f, RC_NOT_FOUND, NOT_FOUND, NULL, "that list is not asked for");
		return NULL;
	}
	l->busy_s = 0;
	return l;
}

static int64_t
again_s(const struct works *w, enum trust_kind k)
{
	unsigned refresh = refresh_s(w->set->config, k);

	return refresh < TRUST_AGAIN_S ? refresh : TRUST_AGAIN_S;
}

/* No answer is not held against anybody for a while; one that is refused is told at once. */
static void
fails(struct op_call *call, enum trust_kind k, bool refused, const char *detail)
{
	struct desk_list *l = &call->w->lists->list[k];

	buf_free(&l->proof);
	l->due_s = call->now_s + again_s(call->w, k);
	l->refused = l->refused || refused;
	say(l->detail, "%s", detail);
	log_event(refused ? LEVEL_WARNING : LEVEL_INFO, "trust_list",
	    "list=%s refused=%s detail=\"%s\"", trust_name(k), refused ? "yes" : "no", detail);
	trust_look(call->w, call->now_s);
}

/* Never older than what is in force, by whichever way that came. */
static bool
is_older(const struct works *w, enum trust_kind k, const struct trust_list *l)
{
	const struct trust_list *old = in_force(w, k);
	int64_t file_s = w->set->ctlogs != NULL ? ctlogs_issued_s(w->set->ctlogs) : 0;

	if (k == TRUST_ROOTS)
		return old != NULL &&
		       (l->sequence < old->sequence ||
			   (l->sequence == old->sequence && l->exp_s < old->exp_s));
	return l->issued_s < file_s || (old != NULL && l->issued_s < old->issued_s);
}

static bool
is_same(const struct trust_list *l, const struct trust_list *old)
{
	return old != NULL && memcmp(l->digest, old->digest, sizeof l->digest) == 0;
}

static enum rc
follows(const struct works *w, enum trust_kind k, const struct trust_list *l, int64_t now_s,
    struct fault *f)
{
	const struct trust_list *old = in_force(w, k);
	int64_t end_s = until_s(w->set->config, l, k);

	if (is_older(w, k, l))
		return FAULT(f, RC_DENIED, "list_older", "it is older than the one in force");
	if (old != NULL && !is_same(l, old) && l->issued_s == old->issued_s &&
	    l->sequence == old->sequence)
		return FAULT(f, RC_DENIED, "list_differs",
		    "it is another one than that in force, with the same date or number");
	if (now_s > end_s)
		return FAULT(f, RC_DENIED, "list_stale", "it is too old since %" PRId64 " days",
		    (now_s - end_s) / 86400);
	return RC_OK;
}

/*
 * On disk before it is in force: what a start finds is never older than what
 * was.  But only what can be put in force: a start finds it as well.
 */
static enum rc
take(struct op_call *call, enum trust_kind k, struct span octets, struct span proof,
    struct fault *f)
{
	struct works *w = call->w;
	const struct config *c = w->set->config;
	const struct trust_list *old = in_force(w, k);
	AUTO_TRUST_LIST *l = NULL;
	AUTO_TRUST *t = NULL;

	TRY(trust_read(c, k, octets, proof, call->now_s, &l, f));
	TRY(follows(w, k, l, call->now_s, f));
	TRY(trust_with(w->set->trust, k, l, &t, f));
	TRY(credset_joins(w->set, t, f));
	TRY(trust_keep(c, k, octets, proof, call->now_s, f));
	if (is_same(l, old) && l->exp_s == old->exp_s)
		return RC_OK;
	TRY(works_trust(w, t, call->now_s, f));
	log_event(LEVEL_NOTICE, "trust_list", "list=%s in_force=%" PRId64, trust_name(k),
	    k == TRUST_LOGS ? l->issued_s : l->sequence);
	return RC_OK;
}

static enum rc
list_came(struct op_call *call, const struct document *d, const struct document_come *come,
    struct fault *f)
{
	struct desk_list *l = list_of(call, d, f);
	struct fault why = { 0 };
	enum rc rc;

	if (l == NULL)
		return RC_NOT_FOUND;
	if (come->status != 200) {
		fails(call, d->list, false, come->problem);
		return RC_OK;
	}
	rc = take(call, d->list, come->octets, buf_view(&l->proof), &why);
	if (rc != RC_OK) {
		fails(call, d->list, rc == RC_DENIED || rc == RC_INVALID, why.detail);
		return FAULT(f, rc, why.reason, "%s", why.detail);
	}
	buf_free(&l->proof);
	l->refused = false;
	l->detail[0] = 0;
	l->fetched_s = call->now_s;
	l->due_s = call->now_s + refresh_s(call->w->set->config, d->list);
	trust_look(call->w, call->now_s);
	return RC_OK;
}

static enum rc
proof_came(struct op_call *call, const struct document *d, const struct document_come *come,
    struct fault *f)
{
	struct desk_list *l = list_of(call, d, f);

	if (l == NULL)
		return RC_NOT_FOUND;
	if (come->status != 200) {
		fails(call, d->list, false, come->problem);
		return RC_OK;
	}
	buf_free(&l->proof);
	l->proof = BUF_INIT(LOGLIST_SIGNATURE_MAX);
	buf_span(&l->proof, come->octets);
	return buf_check(&l->proof, f);
}

/* ---- what is due --------------------------------------------------------------------------- */

/* A list of logs after its signature. */
static void
fill_logs(struct document *d, const struct config *c, bool proven)
{
	d->tls_ca = "ct_logs_tls_ca";
	d->come = proven ? list_came : proof_came;
	d->max = proven ? LOGLIST_MAX_BYTES : LOGLIST_SIGNATURE_MAX;
	snprintf(
	    d->url, sizeof d->url, "%s", proven ? c->ct_logs_url : c->ct_logs_signature_url);
}

static void
fill_roots(struct document *d, const struct config *c)
{
	d->tls_ca = "sti_pa_tls_ca";
	d->come = list_came;
	d->max = STILIST_MAX_BYTES;
	snprintf(d->url, sizeof d->url, "%s", c->sti_pa_url);
}

static enum rc
ask(struct op_call *call, json_t *list, enum trust_kind k, struct fault *f)
{
	const struct config *c = call->w->set->config;
	struct desk_list *l = &call->w->lists->list[k];
	struct document *d = documents_place(call->w->documents, call->now_s);

	if (d == NULL)
		return RC_OK;
	d->list = k;
	if (k == TRUST_LOGS)
		fill_logs(d, c, l->proof.len > 0);
	else
		fill_roots(d, c);
	TRY(documents_ask(call->w->documents, d, list, call->now_s, f));
	l->asked = d->id;
	l->busy_s = call->now_s + DOCUMENT_LEASE_S;
	return RC_OK;
}

/* A clock that was set back must not put anything off for long. */
static bool
is_due(const struct desk_list *l, unsigned refresh, int64_t now_s)
{
	bool busy = l->busy_s > now_s && l->busy_s <= now_s + DOCUMENT_LEASE_S;

	return !busy && (l->due_s <= now_s || l->due_s > now_s + refresh);
}

enum rc
trust_ask(struct op_call *call, json_t *list, struct fault *f)
{
	struct works *w = call->w;

	trust_look(w, call->now_s);
	for (enum trust_kind k = 0; k < TRUST__KINDS; k++) {
		if (trust_url(w->set->config, k) != NULL &&
		    is_due(&w->lists->list[k], refresh_s(w->set->config, k), call->now_s))
			TRY(ask(call, list, k, f));
	}
	return RC_OK;
}

/* ---- shown --------------------------------------------------------------------------------- */

static void
put_list(struct buf *out, const struct shown_list *l, const char *name)
{
	jw_open(out, NULL, '{');
	jw_str(out, "list", name);
	jw_str(out, "url", l->url);
	jw_bool(out, "in_force", l->in_force);
	jw_int(out, "issued", l->issued_s);
	jw_int(out, "sequence", l->sequence);
	jw_int(out, "until", l->until_s);
	jw_int(out, "fetched", l->fetched_s);
	jw_bool(out, "alarming", l->alarming);
	jw_str(out, "problem", l->problem[0] != 0 ? l->problem : NULL);
	jw_close(out, '}');
}

void
trust_show(struct trust_desk *d, struct buf *out)
{
	jw_open(out, "trust_lists", '[');
	pthread_mutex_lock(&d->lock);
	for (enum trust_kind k = 0; k < TRUST__KINDS; k++) {
		if (d->shown[k].listed)
			put_list(out, &d->shown[k], trust_name(k));
	}
	pthread_mutex_unlock(&d->lock);
	jw_close(out, ']');
}

static void
put_metric(struct trust_desk *d, struct buf *out, const char *name, const char *help,
    int64_t (*value)(const struct shown_list *l))
{
	metrics_family(out, name, "gauge", help);
	for (enum trust_kind k = 0; k < TRUST__KINDS; k++) {
		if (d->shown[k].listed)
			buf_printf(out, "%s{list=\"%s\"} %" PRId64 "\n", name, trust_name(k),
			    value(&d->shown[k]));
	}
}

static int64_t
until(const struct shown_list *l)
{
	return l->until_s;
}

static int64_t
alarming(const struct shown_list *l)
{
	return l->alarming;
}

void
trust_metrics(struct trust_desk *d, struct buf *out)
{
	pthread_mutex_lock(&d->lock);
	put_metric(d, out, "vesper_trust_list_until_timestamp_seconds",
	    "When the fetched list in force is too old, 0: none is in force.", until);
	put_metric(d, out, "vesper_trust_list_alarming",
	    "The list is too old, was refused, or was not fetched for too long.", alarming);
	pthread_mutex_unlock(&d->lock);
}
