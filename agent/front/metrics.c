#include "agent/front/metrics.h"

#include <inttypes.h>

#include "agent/front/fresh.h"
#include "agent/front/notice.h"
#include "agent/front/status.h"
#include "agent/front/transparency.h"
#include "agent/front/trust_ops.h"
#include "agent/members.h"
#include "agent/release.h"

enum { METRICS_MAX_CREDENTIALS = 2000 };

void
metrics_family(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
put_requests(struct buf *out, const struct desk_stats *s)
{
	metrics_family(
	    out, "vesper_sign_requests_total", "counter", "Signing requests by result.");
	buf_printf(
	    out, "vesper_sign_requests_total{result=\"signed\"} %" PRIu64 "\n", s->signed_);
	buf_printf(
	    out, "vesper_sign_requests_total{result=\"refused\"} %" PRIu64 "\n", s->refused);
	buf_printf(
	    out, "vesper_sign_requests_total{result=\"failed\"} %" PRIu64 "\n", s->failed);
	buf_printf(
	    out, "vesper_sign_requests_total{result=\"dry_run\"} %" PRIu64 "\n", s->dry_runs);
	metrics_family(out, "vesper_sign_moved_total", "counter",
	    "Requests that went on to the same credential in another token.");
	buf_printf(out, "vesper_sign_moved_total %" PRIu64 "\n", s->moved);
	metrics_family(
	    out, "vesper_rejected_total", "counter", "Refused or failed requests by reason.");
	for (unsigned i = 0; i < REASON__COUNT; i++)
		buf_printf(out, "vesper_rejected_total{reason=\"%s\"} %" PRIu64 "\n",
		    reason_token((enum reason)i), s->reason[i]);
	metrics_family(out, "vesper_observed_total", "counter",
	    "Requests let pass that a rule would refuse, were it not observed.");
	for (unsigned i = 0; i < OBSERVE__COUNT; i++)
		buf_printf(out, "vesper_observed_total{rule=\"%s\"} %" PRIu64 "\n",
		    config_observe_name((enum observe_rule)i), s->observed[i]);
	metrics_family(out, "vesper_http_malformed_total", "counter",
	    "Requests that were no strict HTTP.");
	buf_printf(out, "vesper_http_malformed_total %" PRIu64 "\n", s->not_http);
}

static void
put_histogram(struct buf *out, const struct desk_stats *s)
{
	uint64_t sum = 0;
	int64_t edge_us = 100;

	metrics_family(out, "vesper_sign_duration_seconds", "histogram",
	    "From the whole request to the answer, signed requests.");
	for (unsigned i = 0; i + 1 < DESK_BUCKETS; i++, edge_us *= 2) {
		sum += s->took[i];
		buf_printf(out,
		    "vesper_sign_duration_seconds_bucket{le=\"%" PRId64 ".%06" PRId64
		    "\"} %" PRIu64 "\n",
		    edge_us / 1000000, edge_us % 1000000, sum);
	}
	buf_printf(
	    out, "vesper_sign_duration_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", s->signed_);
	buf_printf(out, "vesper_sign_duration_seconds_sum %" PRIu64 ".%06" PRIu64 "\n",
	    s->took_us / 1000000, s->took_us % 1000000);
	buf_printf(out, "vesper_sign_duration_seconds_count %" PRIu64 "\n", s->signed_);
}

struct token_metric {
	const char *name, *type, *help;
	uint64_t (*value)(const struct front *fr, unsigned token);
};

static uint64_t
token_up(const struct front *fr, unsigned token)
{
	return hsm_token_up(fr->desk.hsm, token);
}

static uint64_t
token_waiting(const struct front *fr, unsigned token)
{
	return hsm_waiting(fr->desk.hsm, token);
}

static uint64_t
sum_processes(
    const struct front *fr, unsigned token, uint64_t (*of)(const struct hsm_process *p))
{
	struct hsm_process list[HSM_MAX_PROCESSES];
	size_t n = hsm_processes(fr->desk.hsm, token, list);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += of(&list[i]);
	return sum;
}

static uint64_t
is_ready(const struct hsm_process *p)
{
	return p->ready && !p->draining;
}

static uint64_t
token_processes(const struct front *fr, unsigned token)
{
	return sum_processes(fr, token, is_ready);
}

static uint64_t
has_timeouts(const struct hsm_process *p)
{
	return p->timeouts;
}

static uint64_t
token_timeouts(const struct front *fr, unsigned token)
{
	return sum_processes(fr, token, has_timeouts);
}

static const struct token_metric token_metrics[] = {
	{ "vesper_hsm_up", "gauge", "Some signer of the token is ready.", token_up },
	{ "vesper_hsm_processes", "gauge", "Signers of the token that are ready.",
	    token_processes },
	{ "vesper_hsm_waiting", "gauge", "Requests that wait for the token.", token_waiting },
	{ "vesper_hsm_timeouts", "gauge", "Calls past their deadline at the present signers.",
	    token_timeouts },
};

static void
put_tokens(struct buf *out, const struct front *fr)
{
	const struct config *c = front_set(fr)->config;

	for (size_t m = 0; m < ARRAY_LEN(token_metrics); m++) {
		const struct token_metric *t = &token_metrics[m];

		metrics_family(out, t->name, t->type, t->help);
		for (size_t i = 0; i < c->tokens; i++)
			buf_printf(out, "%s{token=\"%s\"} %" PRIu64 "\n", t->name,
			    c->token[i].name, t->value(fr, (unsigned)i));
	}
}

static void
put_unnamed(struct buf *out, const struct config *c, const struct builder_status *b,
    const char *name, bool orphans)
{
	for (size_t i = 0; i < c->tokens; i++) {
		const struct works_unnamed *u = &b->unnamed[i];

		if (b->counted[i])
			buf_printf(out, "%s{token=\"%s\"} %zu\n", name, c->token[i].name,
			    orphans ? u->orphans : u->keys - u->orphans);
	}
}

/* What is known of it: a token that was not asked yet, or says no maximum, has no line. */
static void
put_capacity(struct buf *out, const struct front *fr)
{
	const struct config *c = front_set(fr)->config;
	struct builder_status b = { 0 };

	builder_status(fr->builder, &b);
	metrics_family(
	    out, "vesper_hsm_keys", "gauge", "Private keys in the token, whoever's.");
	for (size_t i = 0; i < c->tokens; i++) {
		if (b.room[i].known)
			buf_printf(out, "vesper_hsm_keys{token=\"%s\"} %u\n", c->token[i].name,
			    b.room[i].keys);
	}
	metrics_family(out, "vesper_hsm_keys_max", "gauge", "Private keys the token may hold.");
	for (size_t i = 0; i < c->tokens; i++) {
		if (c->token[i].max_keys != 0)
			buf_printf(out, "vesper_hsm_keys_max{token=\"%s\"} %u\n",
			    c->token[i].name, c->token[i].max_keys);
	}
	metrics_family(out, "vesper_hsm_orphan_keys", "gauge",
	    "Keys that this installation made and nothing of it names.");
	put_unnamed(out, c, &b, "vesper_hsm_orphan_keys", true);
	metrics_family(out, "vesper_hsm_foreign_keys", "gauge",
	    "Keys of another installation, or of an unknown one, that nothing here names.");
	put_unnamed(out, c, &b, "vesper_hsm_foreign_keys", false);
	metrics_family(
	    out, "vesper_hsm_full", "gauge", "1: a tenth of the room or less; 2: none.");
	for (size_t i = 0; i < c->tokens; i++)
		buf_printf(out, "vesper_hsm_full{token=\"%s\"} %d\n", c->token[i].name,
		    (int)b.room[i].room);
}

static void
put_signers(struct buf *out, const struct front *fr)
{
	const struct config *c = front_set(fr)->config;

	metrics_family(out, "vesper_hsm_signatures_total", "counter",
	    "Signatures of requests by each signer since it began.");
	for (size_t i = 0; i < c->tokens; i++) {
		struct hsm_process list[HSM_MAX_PROCESSES];
		size_t n = hsm_processes(fr->desk.hsm, (unsigned)i, list);

		for (size_t k = 0; k < n; k++)
			buf_printf(out,
			    "vesper_hsm_signatures_total{token=\"%s\",process=\"%u\","
			    "generation=\"%u\"} %" PRIu64 "\n",
			    c->token[i].name, list[k].process, list[k].generation,
			    list[k].stats.signatures);
	}
}

static void
put_validity(struct buf *out, const struct front *fr, bool ready)
{
	const struct credset *set = front_set(fr);
	size_t n = set->slots < METRICS_MAX_CREDENTIALS ? set->slots : METRICS_MAX_CREDENTIALS;

	for (size_t i = 0; i < n; i++) {
		const struct credential *c = set->slot[i];
		bool is = strcmp(status_state(c, loop_time_s(fr->loop)), "ready") == 0;

		if (ready)
			buf_printf(out,
			    "vesper_certificate_ready{tenant=\"%s\",credential=\"%s\"} %d\n",
			    c->tenant, c->name, is);
		else if (c->state == CREDENTIAL_READY)
			buf_printf(out,
			    "vesper_certificate_not_after_timestamp_seconds{tenant=\"%s\","
			    "credential=\"%s\"} %" PRId64 "\n",
			    c->tenant, c->name, c->not_after_s);
	}
}

/* Of the first certificate of a section: all of them are told the same. */
static bool
has_failed_over(const struct credset *set, size_t tenant, const char *base)
{
	struct credset_place at = { tenant, 0 };

	for (; at.credential < set->config->tenant[tenant].credentials; at.credential++) {
		if (strcmp(credset_config(set, at)->base, base) == 0)
			return credset_stands_by(set, at);
	}
	return false;
}

/* A row for each section with a reserve, however many certificates it has. */
static void
put_failovers(struct buf *out, const struct credset *set)
{
	size_t left = METRICS_MAX_CREDENTIALS;

	metrics_family(out, "vesper_failed_over", "gauge", "The reserve signs in its place.");
	for (size_t i = 0; i < set->config->tenants; i++) {
		size_t n;
		const struct config_tenant *t = &set->config->tenant[i];
		const struct config_credential *all = members_read(t, &n);

		for (size_t k = 0; k < n && left > 0; k += members_copies(all, n, k)) {
			if (all[k].reserve == NULL)
				continue;
			left--;
			buf_printf(out,
			    "vesper_failed_over{tenant=\"%s\",credential=\"%s\",reserve="
			    "\"%s\"} %d\n",
			    t->name, all[k].base, all[k].reserve,
			    has_failed_over(set, i, all[k].base));
		}
	}
}

static void
put_gauge(struct buf *out, const char *name, const char *help, uint64_t value)
{
	metrics_family(out, name, "gauge", help);
	buf_printf(out, "%s %" PRIu64 "\n", name, value);
}

static void
put_offboardings(struct buf *out, const struct builder_status *b)
{
	metrics_family(out, "vesper_offboardings", "gauge", "Tenants that were off-boarded.");
	for (unsigned i = 0; i < OFFBOARDING__COUNT; i++)
		buf_printf(out, "vesper_offboardings{state=\"%s\"} %zu\n",
		    offboarding_state_name(i), b->offboardings[i]);
}

static void
put_rest(struct buf *out, const struct front *fr)
{
	struct builder_status builder = { 0 };

	builder_status(fr->builder, &builder);
	put_gauge(out, "vesper_connections", "Open connections.", fr->callers.open);
	put_gauge(out, "vesper_audit_failed", "The audit cannot be written.",
	    audit_failed(fr->desk.audit));
	metrics_family(out, "vesper_audit_records_total", "counter", "Audit records on disk.");
	buf_printf(
	    out, "vesper_audit_records_total %" PRIu64 "\n", audit_durable(fr->desk.audit));
	put_gauge(out, "vesper_state_failed", "The state directory cannot be written.",
	    builder.state_failed_s != 0);
	put_gauge(out, "vesper_clock_credible", "The clock is not before this release.",
	    loop_time_s(fr->loop) >= RELEASE_S);
	put_gauge(out, "vesper_clock_holding",
	    "The clock jumped ahead: nothing that is over by it is destroyed yet.",
	    builder.clock_holds);
	metrics_family(out, "vesper_clock_jumps_total", "counter", "Jumps of the clock.");
	buf_printf(out, "vesper_clock_jumps_total %" PRIu64 "\n", builder.clock.jumps);
	put_gauge(out, "vesper_revocations_outstanding",
	    "Revocations that their CA has not answered.", builder.revocations);
	put_gauge(out, "vesper_certificates_ported",
	    "Certificates, not over, that list a number which was removed.", builder.ported);
	put_offboardings(out, &builder);
	put_gauge(out, "vesper_renewer_up", "The renewer is connected.", builder.renewer);
	put_gauge(out, "vesper_config_last_reload_successful", "The last reload was good.",
	    builder.reload_fault.rc == RC_OK);
	put_gauge(out, "vesper_config_last_reload_timestamp_seconds", "When it was.",
	    (uint64_t)builder.reloaded_s);
}

static void
answer(struct api_call *call)
{
	AUTO_BUF out = BUF_INIT(CONN_ANSWER_MAX / 2);
	const struct front *fr = call->front;

	metrics_family(&out, "vesper_build_info", "gauge", "The version of this agent.");
	buf_printf(&out, "vesper_build_info{version=\"%s\"} 1\n", front_version);
	put_requests(&out, &fr->desk.stats);
	put_histogram(&out, &fr->desk.stats);
	put_tokens(&out, fr);
	put_capacity(&out, fr);
	put_signers(&out, fr);
	metrics_family(
	    &out, "vesper_certificate_ready", "gauge", "The credential can be used.");
	put_validity(&out, fr, true);
	metrics_family(&out, "vesper_certificate_not_after_timestamp_seconds", "gauge",
	    "End of the validity of the chain in force.");
	put_validity(&out, fr, false);
	put_failovers(&out, front_set(fr));
	notice_metrics(&out, fr);
	trust_metrics(builder_lists(fr->builder), &out);
	transparency_metrics(builder_transparency(fr->builder), &out, loop_time_s(fr->loop));
	put_rest(&out, fr);
	conn_answer(call->conn, &(struct http1_answer){ .status = 200,
				    .content_type = "text/plain; version=0.0.4",
				    .body = buf_view(&out),
				    .request_id = call->request_id });
}

void
metrics_show(struct api_call *call)
{
	fresh_answer(call, answer);
}
