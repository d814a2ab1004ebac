/* What the agent says about itself: status, credentials, health. */
#include "agent/front/api.h"

#include <unistd.h>

#include "agent/front/fresh.h"
#include "agent/front/jw.h"
#include "agent/front/status.h"

bool
status_visible(const struct conn *c, const struct config_tenant *t)
{
	return c->admin || caller_may(&c->caller, t);
}

const char *
status_state(const struct credential *c, int64_t now_s)
{
	if (c->state == CREDENTIAL_PENDING)
		return "pending";
	if (c->state == CREDENTIAL_UNUSABLE)
		return "unusable";
	return now_s > c->not_after_s ? "expired" : "ready";
}

static void
put_why(struct buf *out, struct credential *c)
{
	char problem[CREDENTIAL_PROBLEM_MAX] = "";

	credential_problem(c, problem);
	jw_str(out, "reason", c->why.rc != RC_OK ? c->why.reason : NULL);
	if (problem[0] != 0)
		jw_str(out, "detail", problem);
	else
		jw_str(out, "detail", c->why.rc != RC_OK ? c->why.detail : NULL);
}

static void
put_credential(struct buf *out, const struct config_tenant *t,
    const struct config_credential *cc, struct credential *c, int64_t now_s)
{
	bool ready = c->state == CREDENTIAL_READY;

	jw_open(out, NULL, '{');
	jw_str(out, "tenant", c->tenant);
	jw_str(out, "name", c->name);
	jw_str(out, "profile", profile_rule(cc->profile)->name);
	jw_bool(out, "enabled", t->enabled);
	jw_str(out, "state", status_state(c, now_s));
	put_why(out, c);
	jw_str(out, "serial", ready ? c->chain->cert[0]->serial : NULL);
	if (ready) {
		jw_int(out, "not_before", c->not_before_s);
		jw_int(out, "not_after", c->not_after_s);
	} else {
		jw_null(out, "not_before");
		jw_null(out, "not_after");
	}
	jw_str(out, "x5u", ready ? c->x5u : NULL);
	jw_uint(out, "numbers", t->numbers != NULL ? tnset_count(t->numbers) : 0);
	if (atomic_load(&c->renew_at_s) != 0)
		jw_int(out, "next_renewal", atomic_load(&c->renew_at_s));
	else
		jw_null(out, "next_renewal");
	jw_close(out, '}');
}

static void
put_tenant(struct buf *out, const struct credset *set, size_t i, int64_t now_s)
{
	const struct config_tenant *t = &set->config->tenant[i];

	for (size_t n = 0; n < t->credentials; n++)
		put_credential(out, t, &t->credential[n], set->tenant[i].credential[n], now_s);
}

static void
put_credentials(struct buf *out, const struct api_call *call)
{
	const struct credset *set = front_set(call->front);
	int64_t now_s = loop_time_s(call->front->loop);

	jw_open(out, "credentials", '[');
	for (size_t i = 0; i < set->config->tenants; i++) {
		if (status_visible(call->conn, &set->config->tenant[i]))
			put_tenant(out, set, i, now_s);
	}
	jw_close(out, ']');
}

static void
put_signer(struct buf *out, const struct hsm_process *p)
{
	jw_open(out, NULL, '{');
	jw_uint(out, "process", p->process);
	jw_uint(out, "pid", p->pid);
	jw_bool(out, "up", p->ready && p->taught && !p->draining);
	jw_uint(out, "generation", p->generation);
	jw_uint(out, "keys", p->stats.keys);
	jw_uint(out, "signatures", p->stats.signatures);
	jw_uint(out, "canaries", p->stats.canaries);
	jw_uint(out, "errors", p->stats.errors);
	jw_uint(out, "timeouts", p->timeouts);
	jw_close(out, '}');
}

static uint32_t
pid_of(const struct front *fr, enum role_kind role, unsigned token)
{
	for (size_t i = 0; i < fr->children; i++) {
		if (fr->child[i].role == role && fr->child[i].token == token)
			return fr->child[i].pid;
	}
	return 0;
}

/* Callers see whether a token is up; what runs there is the administrator's. */
static void
put_token(struct buf *out, const struct api_call *call, unsigned i,
    const struct builder_status *builder)
{
	const struct front *fr = call->front;
	struct hsm_process list[HSM_MAX_PROCESSES];
	size_t n = call->conn->admin ? hsm_processes(fr->desk.hsm, i, list) : 0;

	jw_open(out, NULL, '{');
	jw_str(out, "name", front_set(fr)->config->token[i].name);
	jw_bool(out, "up", hsm_token_up(fr->desk.hsm, i));
	jw_open(out, "signers", '[');
	for (size_t k = 0; k < n; k++)
		put_signer(out, &list[k]);
	jw_close(out, ']');
	jw_open(out, "admin", '{');
	if (call->conn->admin)
		jw_uint(out, "pid", pid_of(fr, ROLE_ADMIN, i));
	jw_bool(out, "up", i < CONFIG_MAX_TOKENS && builder->admin[i]);
	jw_close(out, '}');
	jw_close(out, '}');
}

/* Why it failed may name files and tenants of others. */
static void
put_reload(struct buf *out, const struct builder_status *builder, bool admin)
{
	bool ok = builder->reload_fault.rc == RC_OK;

	jw_open(out, "reload", '{');
	jw_bool(out, "ok", ok);
	jw_int(out, "at", builder->reloaded_s);
	jw_str(out, "detail", ok || !admin ? NULL : builder->reload_fault.detail);
	jw_close(out, '}');
}

static void
put_own(struct buf *out, const struct front *fr, bool admin)
{
	const struct desk_stats *s = &fr->desk.stats;

	jw_open(out, "isolation", '{');
	jw_bool(out, "reduced", fr->reduced);
	jw_str(out, "detail",
	    fr->reduced ? "all roles run as the user who started vesperd"
			: "each role is a user of its own");
	jw_close(out, '}');
	jw_open(out, "audit", '{');
	jw_bool(out, "ok", !audit_failed(fr->desk.audit));
	if (admin)
		jw_uint(out, "seq", audit_durable(fr->desk.audit));
	jw_close(out, '}');
	if (!admin)
		return;
	jw_open(out, "requests", '{');
	jw_uint(out, "signed", s->signed_);
	jw_uint(out, "refused", s->refused);
	jw_uint(out, "failed", s->failed);
	jw_uint(out, "connections", fr->callers.open);
	jw_close(out, '}');
}

static void
answer_status(struct api_call *call)
{
	AUTO_BUF out = BUF_INIT(CONN_ANSWER_MAX / 2);
	const struct front *fr = call->front;
	struct builder_status builder = { 0 };

	builder_status(fr->builder, &builder);
	jw_open(&out, NULL, '{');
	jw_str(&out, "schema", "vesper/status/1");
	jw_str(&out, "version", front_version);
	if (call->conn->admin)
		jw_int(&out, "pid", getpid());
	jw_int(&out, "started", fr->started_s);
	put_own(&out, fr, call->conn->admin);
	put_reload(&out, &builder, call->conn->admin);
	jw_open(&out, "renewer", '{');
	jw_bool(&out, "up", builder.renewer);
	jw_close(&out, '}');
	jw_open(&out, "tokens", '[');
	for (size_t i = 0; i < front_set(fr)->config->tokens; i++)
		put_token(&out, call, (unsigned)i, &builder);
	jw_close(&out, ']');
	put_credentials(&out, call);
	jw_close(&out, '}');
	api_json(call, 200, &out);
}

/* Callers see no counters, and wait for none. */
void
api_status(struct api_call *call)
{
	if (call->conn->admin)
		fresh_answer(call, answer_status);
	else
		answer_status(call);
}

void
api_credentials(struct api_call *call)
{
	AUTO_BUF out = BUF_INIT(CONN_ANSWER_MAX / 2);

	jw_open(&out, NULL, '{');
	put_credentials(&out, call);
	jw_close(&out, '}');
	api_json(call, 200, &out);
}

bool
status_find(const struct api_call *call, struct credset_place *at)
{
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
	const struct span *part = call->part;
	const struct credset *set = front_set(call->front);

	if (part[0].len > CONFIG_NAME_MAX || part[1].len > CONFIG_NAME_MAX)
		return false;
	memcpy(tenant, part[0].ptr, part[0].len);
	tenant[part[0].len] = 0;
	memcpy(name, part[1].ptr, part[1].len);
	name[part[1].len] = 0;
	return credset_find(set, tenant, name, at) &&
	       status_visible(call->conn, &set->config->tenant[at->tenant]);
}

void
api_credential(struct api_call *call)
{
	AUTO_BUF out = BUF_INIT(16384);
	const struct credset *set = front_set(call->front);
	struct credset_place at = { 0 };
	struct fault f = { 0 };

	/* One that is not there and one that is not the caller's look the same. */
	if (!status_find(call, &at)) {
		(void)REFUSE(&f, RC_NOT_FOUND, NOT_FOUND, NULL, "no credential of that name");
		api_problem(call, &f);
		return;
	}
	put_credential(&out, &set->config->tenant[at.tenant], credset_config(set, at),
	    credset_credential(set, at), loop_time_s(call->front->loop));
	api_json(call, 200, &out);
}

/* ---- health ---- */

void
api_live(struct api_call *call)
{
	AUTO_BUF out = BUF_INIT(64);

	buf_str(&out, "{\"live\":true}");
	api_json(call, 200, &out);
}

static bool
can_sign(const struct front *fr, const struct credential *c, struct fault *f)
{
	if (c->state != CREDENTIAL_READY) {
		(void)REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL, "no certificate is in force");
		return false;
	}
	if (gate_in_time(c->gate, loop_time_s(fr->loop), f) != RC_OK)
		return false;
	if (hsm_ready(fr->desk.hsm, c->token, c->key_id))
		return true;
	(void)REFUSE(f, RC_HSM, HSM_UNAVAILABLE, NULL, "no signer has the key ready");
	return false;
}

/*
 * Some credential that this caller may use can sign; for a caller without a
 * tenant (a probe), some credential at all.
 */
static bool
some_can_sign(struct api_call *call, struct fault *f)
{
	const struct credset *set = front_set(call->front);
	struct conn *c = call->conn;
	bool all = c->admin || !caller_see(&c->caller, set, &c->view)->any;
	bool any = false;

	for (size_t i = 0; i < set->config->tenants; i++) {
		const struct config_tenant *t = &set->config->tenant[i];

		for (size_t n = 0; (all || caller_may(&c->caller, t)) && n < t->credentials;
		     n++) {
			any = true;
			if (can_sign(call->front, set->tenant[i].credential[n], f))
				return true;
		}
	}
	return !any;
}

static enum rc
ready(struct api_call *call, struct fault *f)
{
	const struct front *fr = call->front;
	struct fault why = { 0 };

	if (fr->draining)
		return REFUSE(f, RC_CONFLICT, OVERLOADED, NULL, "the agent is stopping");
	if (loop_time_s(fr->loop) < DECIDE_RELEASE_S)
		return REFUSE(
		    f, RC_CONFLICT, CLOCK_NOT_CREDIBLE, NULL, "the clock is not credible");
	if (audit_failed(fr->desk.audit))
		return REFUSE(f, RC_IO, AUDIT_UNAVAILABLE, NULL, "the audit cannot be written");
	if (some_can_sign(call, &why))
		return RC_OK;
	*f = why;
	return why.rc;
}

void
api_ready(struct api_call *call)
{
	AUTO_BUF out = BUF_INIT(1024);
	struct fault f = { 0 };
	bool ok = ready(call, &f) == RC_OK;

	jw_open(&out, NULL, '{');
	jw_bool(&out, "ready", ok);
	if (!ok) {
		jw_str(&out, "reason", f.reason);
		jw_str(&out, "detail", f.detail);
	}
	jw_close(&out, '}');
	api_json(call, ok ? 200 : 503, &out);
}
