#include "agent/front/notice.h"

#include <inttypes.h>

#include "agent/front/jw.h"
#include "agent/front/metrics.h"
#include "agent/front/status.h"
#include "agent/log.h"

enum { NOTICE_METRICS_MAX = 2000 };

/* ---- alarms ------------------------------------------------------------------------- */

/* Whose a told one is: the label of its name. */
static const char *
label_of(const struct alarm *a)
{
	if (alarm_is_of_tenant(a->kind))
		return "tenant";
	if (a->kind == ALARM_LIST)
		return "list";
	if (a->kind == ALARM_ORPHANS)
		return "token";
	if (a->kind == ALARM_CRL)
		return "crl";
	return a->kind == ALARM_CT_LOG ? "log" : "ca";
}

static void
put_names(struct buf *out, const struct alarm *a)
{
	bool told = alarm_is_told(a->kind);

	jw_str(out, "alarm", alarm_name(a->kind));
	jw_str(out, "tenant", alarm_is_of_tenant(a->kind) ? a->name : told ? NULL : a->tenant);
	jw_str(out, "credential", told ? NULL : a->name);
	jw_str(out, "ca", a->kind == ALARM_ACCOUNT ? a->name : NULL);
	if (a->kind == ALARM_CT_LOG || a->kind == ALARM_LIST || a->kind == ALARM_ORPHANS ||
	    a->kind == ALARM_CRL)
		jw_str(out, label_of(a), a->name);
	jw_int(out, "since", a->since_s);
	jw_time(out, "by", a->by_s);
	jw_str(out, "detail", a->detail);
}

static void
log_alarm(const struct alarm *a, const char *event, enum log_level level)
{
	if (alarm_is_told(a->kind))
		log_event(level, event, "alarm=%s %s=%s since=%" PRId64 " detail=\"%s\"",
		    alarm_name(a->kind), label_of(a), a->name, a->since_s, a->detail);
	else
		log_event(level, event,
		    "alarm=%s tenant=%s credential=%s since=%" PRId64 " by=%" PRId64
		    " detail=\"%s\"",
		    alarm_name(a->kind), a->tenant, a->name, a->since_s, a->by_s, a->detail);
}

static void
say(void *arg, const struct alarm *a, bool begins)
{
	struct front *fr = arg;
	AUTO_BUF members = BUF_INIT(EVENT_TEXT_MAX);
	const char *event = begins ? "alarm_begins" : "alarm_ends";

	put_names(&members, a);
	(void)events_add(fr->events, event, buf_view(&members), loop_time_s(fr->loop));
	log_alarm(a, event, begins ? LEVEL_WARNING : LEVEL_NOTICE);
}

static void
look(void *arg)
{
	struct front *fr = arg;
	bool all = alarms_look(fr->alarms, front_set(fr), loop_time_s(fr->loop));

	loop_arm(fr->loop, &fr->look,
	    loop_now_ms(fr->loop) + (all ? ALARMS_REST_MS : ALARMS_LOOK_MS));
}

enum rc
notice_open(struct front *fr, struct fault *f)
{
	TRY(events_new(&fr->events, f));
	TRY(alarms_new(say, fr, &fr->alarms, f));
	fr->look = (struct loop_timer){ .fire = look, .arg = fr };
	loop_arm(fr->loop, &fr->look, loop_now_ms(fr->loop) + ALARMS_LOOK_MS);
	return RC_OK;
}

void
notice_close(struct front *fr)
{
	if (fr->alarms != NULL)
		loop_disarm(fr->loop, &fr->look);
	alarms_free(fr->alarms);
	events_free(fr->events);
}

void
notice_account(struct front *fr, const json_t *word)
{
	const char *ca = json_string_value(json_object_get(word, "ca"));

	/* One that a reload has taken away meanwhile has no account. */
	if (ca != NULL && config_ca_find(front_set(fr)->config, ca) != NULL)
		alarms_account(fr->alarms, ca,
		    json_string_value(json_object_get(word, "problem")), loop_time_s(fr->loop));
}

void
notice_word(struct front *fr, const json_t *word)
{
	const char *alarm = json_string_value(json_object_get(word, "alarm"));
	const char *name = json_string_value(json_object_get(word, "name"));
	const char *problem = json_string_value(json_object_get(word, "problem"));
	int64_t now_s = loop_time_s(fr->loop);

	if (alarm == NULL || name == NULL)
		return;
	if (strcmp(alarm, alarm_name(ALARM_CT_LOG)) == 0)
		alarms_log(fr->alarms, name, problem, now_s);
	if (strcmp(alarm, alarm_name(ALARM_CRL)) == 0)
		alarms_crl(fr->alarms, name, problem, now_s);
	if (strcmp(alarm, alarm_name(ALARM_FOREIGN)) == 0)
		alarms_foreign(fr->alarms, name, problem, now_s);
	if (strcmp(alarm, alarm_name(ALARM_LIST)) == 0)
		alarms_list(fr->alarms, name, problem, now_s);
	if (strcmp(alarm, alarm_name(ALARM_ORPHANS)) == 0)
		alarms_orphans(fr->alarms, name, problem, now_s);
	if (strcmp(alarm, alarm_name(ALARM_OFFBOARD)) == 0)
		alarms_offboard(fr->alarms, name, problem, now_s);
}

/* ---- events --------------------------------------------------------------------------- */

void
notice_line(struct front *fr, const char *event, const char *tenant, const char *reason,
    struct span members)
{
	AUTO_BUF all = BUF_INIT(EVENT_TEXT_MAX);

	jw_str(&all, "tenant", tenant);
	jw_str(&all, "reason", reason);
	if (members.len > 0) {
		buf_byte(&all, ',');
		buf_span(&all, members);
	}
	(void)events_add(fr->events, event,
	    buf_check(&all, NULL) == RC_OK ? buf_view(&all) : (struct span){ 0 },
	    loop_time_s(fr->loop));
}

/* "after=N", or nothing: from the first that is remembered. */
static enum rc
read_query(struct span query, uint64_t *after, struct fault *f)
{
	static const char name[] = "after=";
	size_t len = sizeof name - 1;

	*after = 0;
	if (query.len == 0)
		return RC_OK;
	if (query.len <= len || memcmp(query.ptr, name, len) != 0 ||
	    !api_number(span_of((const char *)query.ptr + len, query.len - len), after))
		return REFUSE(
		    f, RC_INVALID, INVALID_MEMBER, NULL, "the only query is 'after=N'");
	return RC_OK;
}

void
admin_events(struct api_call *call)
{
	AUTO_BUF out = BUF_INIT(2 * EVENTS_PAGE * EVENT_TEXT_MAX);
	struct fault f = { 0 };
	uint64_t after;

	if (read_query(call->http->query, &after, &f) != RC_OK) {
		api_problem(call, &f);
		return;
	}
	events_after(call->front->events, after, &out);
	api_json(call, 200, &out);
}

/* ---- status, metrics ------------------------------------------------------------------- */

struct putting {
	struct buf *out;
	const struct api_call *call;
	size_t left;
};

static void
put_one(void *arg, const struct alarm *a)
{
	struct putting *p = arg;
	const char *tenant = alarm_is_of_tenant(a->kind) ? a->name : a->tenant;
	const struct config_tenant *t =
	    config_tenant_find(front_set(p->call->front)->config, tenant);

	if (!p->call->conn->admin && (t == NULL || !status_visible(p->call->conn, t)))
		return;
	jw_open(p->out, NULL, '{');
	put_names(p->out, a);
	jw_close(p->out, '}');
}

void
notice_put(struct buf *out, const struct api_call *call)
{
	struct putting p = { .out = out, .call = call };

	jw_open(out, "alarms", '[');
	alarms_each(call->front->alarms, put_one, &p);
	jw_close(out, ']');
}

static void
put_since(void *arg, const struct alarm *a)
{
	struct putting *p = arg;

	if (p->left == 0)
		return;
	p->left--;
	if (alarm_is_told(a->kind))
		buf_printf(p->out,
		    "vesper_alarm_since_timestamp_seconds{alarm=\"%s\",%s=\"%s\"} %" PRId64
		    "\n",
		    alarm_name(a->kind), label_of(a), a->name, a->since_s);
	else
		buf_printf(p->out,
		    "vesper_alarm_since_timestamp_seconds{alarm=\"%s\",tenant=\"%s\","
		    "credential=\"%s\"} %" PRId64 "\n",
		    alarm_name(a->kind), a->tenant, a->name, a->since_s);
}

static void
put_needed(void *arg, const struct alarm *a)
{
	struct putting *p = arg;

	if (p->left == 0 || a->kind != ALARM_TOKEN || a->by_s == 0)
		return;
	p->left--;
	buf_printf(p->out,
	    "vesper_token_needed_timestamp_seconds{tenant=\"%s\",credential=\"%s\"} %" PRId64
	    "\n",
	    a->tenant, a->name, a->by_s);
}

void
notice_metrics(struct buf *out, const struct front *fr)
{
	struct putting since = { .out = out, .left = NOTICE_METRICS_MAX }, needed = since;

	metrics_family(out, "vesper_alarms", "gauge", "Alarms that have begun and not ended.");
	for (enum alarm_kind k = 0; k < ALARM__COUNT; k++)
		buf_printf(out, "vesper_alarms{alarm=\"%s\"} %zu\n", alarm_name(k),
		    alarms_count(fr->alarms, k));
	metrics_family(
	    out, "vesper_alarm_since_timestamp_seconds", "gauge", "When an alarm began.");
	alarms_each(fr->alarms, put_since, &since);
	metrics_family(out, "vesper_token_needed_timestamp_seconds", "gauge",
	    "By when a token has to be brought, else the certificate ends.");
	alarms_each(fr->alarms, put_needed, &needed);
}
