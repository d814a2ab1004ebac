/* What the agent says about itself: status, health; about a credential: status_credential.c. */
#include "agent/front/api.h"

#include <string.h>
#include <unistd.h>

#include "agent/front/crls.h"
#include "agent/front/fresh.h"
#include "agent/front/jw.h"
#include "agent/front/notice.h"
#include "agent/front/status.h"
#include "agent/front/trust_ops.h"
#include "agent/front/works.h"
#include "agent/release.h"

bool
status_visible(const struct conn *c, const struct config_tenant *t)
{
	return c->admin || caller_may(&c->caller, t);
}

static void
put_tenant(struct buf *out, const struct front *fr, const struct credset *set, size_t i)
{
	struct credset_place at = { i, 0 };

	for (; at.credential < set->config->tenant[i].credentials; at.credential++) {
		status_put_credential(out, fr, set, at);
	}
}

static void
put_credentials(struct buf *out, const struct api_call *call)
{
	const struct credset *set = front_set(call->front);

	jw_open(out, "credentials", '[');
	for (size_t i = 0; i < set->config->tenants; i++) {
		if (status_visible(call->conn, &set->config->tenant[i]))
			put_tenant(out, call->front, set, i);
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

static void
put_capacity(struct buf *out, const struct builder_room *r, unsigned max_keys)
{
	static const char *const room[] = { "ok", "low", "full" };

	jw_open(out, "capacity", '{');
	jw_str(out, "state", room[r->room]);
	if (r->known)
		jw_uint(out, "keys", r->keys);
	else
		jw_null(out, "keys");
	jw_uint(out, "spare", r->spares);
	if (max_keys != 0)
		jw_uint(out, "max_keys", max_keys);
	else
		jw_null(out, "max_keys");
	if (max_keys != 0 && r->known)
		jw_uint(out, "free", r->keys < max_keys ? max_keys - r->keys : 0);
	else
		jw_null(out, "free");
	jw_close(out, '}');
}

/* What an operator needs to look for them. */
static void
put_unnamed(struct buf *out, const struct works_unnamed *u)
{
	jw_uint(out, "unnamed_keys", u->keys);
	jw_open(out, "unnamed", '{');
	jw_uint(out, "orphans", u->orphans);
	jw_uint(out, "another", u->others);
	jw_uint(out, "unknown", u->keys - u->orphans - u->others);
	jw_time(out, "since", u->since_s);
	jw_open(out, "ids", '[');
	for (size_t i = 0; i < u->keys && i < WORKS_UNNAMED_SHOWN; i++) {
		char hex[2 * KEY_ID_LEN + 1];

		works_hex(u->id[i], KEY_ID_LEN, hex);
		jw_str(out, NULL, hex);
	}
	jw_close(out, ']');
	jw_close(out, '}');
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
	if (call->conn->admin && i < CONFIG_MAX_TOKENS && builder->counted[i])
		put_unnamed(out, &builder->unnamed[i]);
	if (call->conn->admin && i < CONFIG_MAX_TOKENS)
		put_capacity(out, &builder->room[i], front_set(fr)->config->token[i].max_keys);
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
put_audit(struct buf *out, struct audit *a, bool admin)
{
	struct fault why = { 0 };
	bool ok = audit_problem(a, &why) == RC_OK;
	uint64_t vanished = audit_vanished(a);

	jw_open(out, "audit", '{');
	jw_bool(out, "ok", ok);
	jw_str(out, "detail", ok ? NULL : why.detail);
	if (admin)
		jw_uint(out, "seq", audit_seq(a));
	if (admin && vanished > 0)
		jw_uint(out, "vanished", vanished);
	jw_close(out, '}');
}

static void
put_state_dir(struct buf *out, const struct builder_status *b)
{
	jw_open(out, "state_dir", '{');
	jw_bool(out, "ok", b->state_failed_s == 0);
	if (b->state_failed_s != 0)
		jw_int(out, "since", b->state_failed_s);
	jw_str(out, "detail", b->state_failed_s == 0 ? NULL : b->state_fault.detail);
	jw_close(out, '}');
}

static void
put_installation(struct buf *out, const struct installation *i)
{
	char hex[INSTALLATION_TEXT];

	works_hex(i->id, FRAME_OWNER, hex);
	jw_str(out, "installation", i->known ? hex : NULL);
}

static void
put_clock(struct buf *out, const struct front *fr, const struct builder_status *b)
{
	bool ok = loop_time_s(fr->loop) >= RELEASE_S;

	jw_open(out, "clock", '{');
	jw_bool(out, "ok", ok);
	jw_str(out, "reason", ok ? NULL : reason_token(REASON_CLOCK_NOT_CREDIBLE));
	jw_str(out, "detail", ok ? NULL : "it is before this program was made");
	jw_uint(out, "jumps", b->clock.jumps);
	if (b->clock.jumps > 0) {
		jw_int(out, "jumped_s", b->clock.last_s);
		jw_int(out, "jumped_at", b->clock.at_s);
	}
	jw_bool(out, "holding", b->clock_holds);
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
	put_audit(out, fr->desk.audit, admin);
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
	if (call->conn->admin) {
		put_installation(&out, &builder.installation);
		put_state_dir(&out, &builder);
		put_clock(&out, fr, &builder);
		trust_show(builder_lists(fr->builder), &out);
		crls_show(builder_crls(fr->builder), &out, front_set(fr)->config,
		    loop_time_s(fr->loop));
	}
	jw_open(&out, "renewer", '{');
	jw_bool(&out, "up", builder.renewer);
	jw_close(&out, '}');
	jw_open(&out, "tokens", '[');
	for (size_t i = 0; i < front_set(fr)->config->tokens; i++)
		put_token(&out, call, (unsigned)i, &builder);
	jw_close(&out, ']');
	notice_put(&out, call);
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

static bool
find(const struct api_call *call, struct credset_place *at)
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

bool
status_find(struct api_call *call, struct credset_place *at)
{
	struct fault f = { 0 };

	if (find(call, at))
		return true;
	/* One that is not there and one that is not the caller's look the same. */
	(void)REFUSE(&f, RC_NOT_FOUND, NOT_FOUND, NULL, "no credential of that name");
	api_problem(call, &f);
	return false;
}

void
api_credential(struct api_call *call)
{
	AUTO_BUF out = BUF_INIT(16384);
	const struct credset *set = front_set(call->front);
	struct credset_place at = { 0 };

	if (!status_find(call, &at))
		return;
	status_put_credential(&out, call->front, set, at);
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
			if (credset_stands_by(set, (struct credset_place){ i, n }))
				continue;
			any = true;
			if (status_can_sign(call->front, t, set->tenant[i].credential[n], f))
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
	if (loop_time_s(fr->loop) < RELEASE_S)
		return REFUSE(
		    f, RC_CONFLICT, CLOCK_NOT_CREDIBLE, NULL, "the clock is not credible");
	TRY(audit_problem(fr->desk.audit, f));
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
