/* What the agent says about itself: status, credentials, health. */
#include "agent/front/api.h"

#include <string.h>
#include <unistd.h>

#include "agent/front/crls.h"
#include "agent/front/fresh.h"
#include "agent/front/inclusion.h"
#include "agent/front/jw.h"
#include "agent/front/life.h"
#include "agent/front/notice.h"
#include "agent/front/status.h"
#include "agent/front/trust_ops.h"
#include "agent/front/works.h"
#include "agent/members.h"
#include "agent/release.h"

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
	if (c->state == CREDENTIAL_LOADING)
		return "loading";
	if (c->state == CREDENTIAL_REVOKED)
		return "revoked";
	return now_s > c->not_after_s ? "expired" : "ready";
}

/* Can the token sign for it?  That it is down is another matter than a key that it lost. */
static bool
token_can(
    const struct front *fr, const struct credential *c, const char **problem, struct fault *f)
{
	static const struct {
		const char *problem, *says;
	} rows[] = {
		[HSM_KEY_DOWN] = { "token_down", "is down: no signer of it is up; key" },
		[HSM_KEY_READY] = { NULL, NULL },
		[HSM_KEY_MISSING] = { "key_missing", "is up and does not have the key" },
		[HSM_KEY_REFUSED] = { "key_refused", "is up and its signers refuse the key" },
		[HSM_KEY_AWAITED] = { "key_not_learnt",
		    "is up and its signers have not learnt the key yet:" },
	};
	enum hsm_key_state state = hsm_key_state(fr->desk.hsm, c->token, c->key_id);
	char key[2 * KEY_ID_LEN + 1];

	if (state == HSM_KEY_READY)
		return true;
	works_hex(c->key_id, KEY_ID_LEN, key);
	*problem = rows[state].problem;
	(void)REFUSE(f, RC_HSM, HSM_UNAVAILABLE, NULL, "token '%s' %s %s",
	    front_set(fr)->config->token[c->token].name, rows[state].says, key);
	return false;
}

static bool
can_sign(const struct front *fr, const struct config_tenant *t, const struct credential *c,
    struct fault *f)
{
	const char *problem;

	if (!t->enabled) {
		(void)REFUSE(f, RC_DENIED, TENANT_DISABLED, NULL, "the tenant is %s",
		    t->offboarded ? "off-boarded" : "disabled");
		return false;
	}
	if (c->state == CREDENTIAL_LOADING) {
		(void)REFUSE(f, RC_BUSY, OVERLOADED, NULL, "it is still being loaded");
		return false;
	}
	if (c->state != CREDENTIAL_READY) {
		(void)REFUSE(f, RC_DENIED, NO_CREDENTIAL, NULL, "no certificate is in force");
		return false;
	}
	return credential_may_sign(c, loop_time_s(fr->loop), f) == RC_OK &&
	       gate_in_time(c->gate, loop_time_s(fr->loop), f) == RC_OK &&
	       token_can(fr, c, &problem, f);
}

/* One credential while it is written. */
struct shown {
	const struct front *front;
	const struct config_tenant *tenant;
	const struct config_credential *config;
	struct credential *credential;
	const char *token_problem; /* NULL: none */
	struct fault token_fault;
	bool stands_by;
	int64_t failed_over_at_s;
	char renewal[CREDENTIAL_PROBLEM_MAX];
	struct credential_progress progress;
	const char *revocation; /* NULL: none */
	char revocation_detail[CREDENTIAL_PROBLEM_MAX];
};

static struct shown
look_at(const struct front *fr, const struct credset *set, struct credset_place at)
{
	struct shown s = { .front = fr,
		.tenant = &set->config->tenant[at.tenant],
		.config = credset_config(set, at),
		.credential = credset_credential(set, at),
		.stands_by = credset_stands_by(set, at),
		.failed_over_at_s = credset_failed_over(set, at) };

	credential_problem(s.credential, s.renewal);
	credential_progress(s.credential, &s.progress);
	s.revocation = credential_revocation(s.credential, s.revocation_detail);
	if (s.credential->state == CREDENTIAL_READY)
		(void)token_can(fr, s.credential, &s.token_problem, &s.token_fault);
	return s;
}

/* The first thing that stands in the way, and else what the renewal met. */
static void
put_why(struct buf *out, const struct shown *s)
{
	const struct fault *why =
	    s->token_problem != NULL ? &s->token_fault : &s->credential->why;
	const char *detail = why->rc != RC_OK ? why->detail : NULL;

	jw_str(out, "reason", why->rc != RC_OK ? why->reason : NULL);
	if (s->renewal[0] != 0 && s->token_problem == NULL)
		detail = s->renewal;
	jw_str(out, "detail", detail);
}

static void
put_problem(struct buf *out, const char *problem, const char *detail)
{
	jw_open(out, NULL, '{');
	jw_str(out, "problem", problem);
	jw_str(out, "detail", detail);
	jw_close(out, '}');
}

/* Nobody asks a CA for it but the operator, who is told in time: a third of its life is left. */
static bool
awaits_operator(const struct shown *s)
{
	const struct credential *c = s->credential;
	int64_t life_s = c->not_after_s - c->not_before_s;

	return c->state == CREDENTIAL_READY &&
	       config_issuer(front_set(s->front)->config, s->config) == ISSUER_HAND &&
	       c->not_after_s - loop_time_s(s->front->loop) < life_s / 3;
}

static void
put_problems(struct buf *out, const struct shown *s)
{
	const struct credential *c = s->credential;
	int publish_error = atomic_load(&c->publish_error);

	jw_open(out, "problems", '[');
	if (s->token_problem != NULL)
		put_problem(out, s->token_problem, s->token_fault.detail);
	if (c->why.rc != RC_OK)
		put_problem(out, c->why.reason, c->why.detail);
	if (publish_error != 0)
		put_problem(out, "publish_dir", strerror(publish_error));
	if (atomic_load(&c->unordered))
		put_problem(out, "account_deactivated",
		    "nothing more is ordered for it: the account at its CA is deactivated; "
		    "another one is made by: vesper account replace");
	if (s->revocation != NULL)
		put_problem(out, s->revocation, s->revocation_detail);
	if (s->tenant->numbers_lost)
		put_problem(out, "numbers_lost",
		    "what was changed of the tenant's numbers cannot be read, so it has none: "
		    "mend or remove its file in STATE/front/numbers, then reload");
	if (s->renewal[0] != 0)
		put_problem(out, "renewal", s->renewal);
	if (atomic_load(&c->rtu_refused_at_s) != 0)
		put_problem(out, "rtu_withdrawn",
		    "the number authority refuses the right to use its numbers");
	if (atomic_load(&c->series_refused))
		put_problem(out, "series_refused",
		    "a series that is canceled goes on at its CA, which refuses to end it and "
		    "is "
		    "asked again every day: ask the CA");
	if (awaits_operator(s))
		put_problem(out, "renewal_due",
		    "its certificate ends and no CA is asked by itself: vesper cert csr, then "
		    "vesper cert install");
	jw_close(out, ']');
}

static void
put_since(struct buf *out, const char *key, int64_t time_s)
{
	if (time_s != 0)
		jw_int(out, key, time_s);
	else
		jw_null(out, key);
}

static void
put_life(struct buf *out, const struct shown *s)
{
	const struct credential *c = s->credential;
	struct life_facts facts = { .enabled = s->tenant->enabled,
		.state = c->state,
		.why = c->why.rc != RC_OK ? c->why.reason : NULL,
		.over = loop_time_s(s->front->loop) > c->not_after_s,
		.step = s->progress.step,
		.refusals = s->progress.refusals };

	jw_str(out, "life", life_name(life_of(&facts)));
}

static void
put_renewal(struct buf *out, const struct shown *s)
{
	const struct credential_progress *p = &s->progress;
	char reason[LIFE_REASON_MAX];

	life_reason(s->renewal, reason);
	jw_open(out, "renewal", '{');
	jw_str(out, "step", p->step[0] != 0 ? p->step : NULL);
	put_since(out, "since", p->step[0] != 0 ? p->step_since_s : 0);
	jw_uint(out, "attempts", p->attempts);
	jw_uint(out, "refusals", p->refusals);
	put_since(out, "failing_since", p->failing_since_s);
	jw_str(out, "reason", reason[0] != 0 ? reason : NULL);
	jw_close(out, '}');
}

static void
put_warnings(struct buf *out, const struct credential *c)
{
	jw_open(out, "warnings", '[');
	for (size_t i = 0; i < c->warnings; i++) {
		jw_open(out, NULL, '{');
		jw_str(out, "warning", c->warning[i].what);
		jw_str(out, "detail", c->warning[i].detail);
		jw_close(out, '}');
	}
	jw_close(out, ']');
}

/* The URLs of rcd_content that are observed. */
static void
put_contents(struct buf *out, const struct shown *s)
{
	const struct credset *set = s->front->desk.now->set;

	jw_open(out, "rcd_content", '[');
	for (size_t i = 0; i < s->config->rcd_contents; i++) {
		const char *uri = s->config->rcd_content[i].uri;
		struct content *c = contents_find(set->contents, uri);
		char problem[CONTENT_PROBLEM_MAX], digest[RCD_DIGEST_TEXT];

		if (c == NULL || s->config->rcd_content[i].pinned)
			continue;
		content_problem(c, problem);
		rcd_digest_text(&c->digest[RCD_SHA256], digest);
		jw_open(out, NULL, '{');
		jw_str(out, "uri", uri);
		jw_str(out, "digest", c->seen_at_s != 0 ? digest : NULL);
		jw_int(out, "seen_at", c->seen_at_s);
		jw_int(out, "checked_at", atomic_load(&c->checked_at_s));
		jw_str(out, "problem", problem[0] != 0 ? problem : NULL);
		jw_close(out, '}');
	}
	jw_close(out, ']');
}

static void
put_chain(struct buf *out, const struct credential *c)
{
	bool there = c->state == CREDENTIAL_READY;

	jw_str(out, "serial", there ? c->chain->cert[0]->serial : NULL);
	if (there) {
		jw_int(out, "not_before", c->not_before_s);
		jw_int(out, "not_after", c->not_after_s);
	} else {
		jw_null(out, "not_before");
		jw_null(out, "not_after");
	}
	jw_str(out, "x5u", there ? c->x5u : NULL);
	jw_bool(out, "imported", c->imported);
}

/* V-73: the codes of a delegate's certificate say who is expected to sign its calls. */
static void
put_originators(struct buf *out, const struct credential *c)
{
	const struct tnauth *list =
	    c->state == CREDENTIAL_READY && profile_rule(c->profile)->cls == CLASS_DELEGATE
		? gate_tnauth(c->gate)
		: NULL;

	jw_open(out, "originators", '[');
	for (size_t i = 0; list != NULL && i < tnauth_len(list); i++) {
		if (tnauth_at(list, i)->kind == TNAUTH_SPC)
			jw_str(out, NULL, tnauth_at(list, i)->spc);
	}
	jw_close(out, ']');
}

/* D-46 */
static void
put_tnlist(struct buf *out, const struct credential *c)
{
	if (c->list == NULL) {
		jw_null(out, "tnlist");
		return;
	}
	jw_open(out, "tnlist", '{');
	jw_str(out, "url", c->list->url);
	jw_uint(out, "numbers", tnset_count(c->list->numbers));
	jw_int(out, "fetched_at", atomic_load(&c->list->fetched_at_s));
	jw_int(out, "next_fetch", atomic_load(&c->list_due_s));
	jw_close(out, '}');
}

/* V-43: what the logs of its timestamps have proven to have. */
static void
put_logged(struct buf *out, const struct shown *s)
{
	struct inclusion item[SCT_MAX_LIST];
	size_t n = inclusion_copy(s->credential, item);

	if (!front_set(s->front)->config->ct_proofs)
		return;
	jw_open(out, "logged", '[');
	for (size_t i = 0; i < n; i++) {
		jw_open(out, NULL, '{');
		jw_hex(out, "log", span_of(item[i].promise.log_id, CTLOG_ID_LEN));
		jw_int(out, "promised_at", item[i].promise.time_ms / 1000);
		jw_str(out, "state", inclusion_state_name(item[i].state));
		put_since(out, "since", item[i].at_s);
		if (item[i].state == INCLUSION_PROVEN) {
			jw_uint(out, "index", item[i].index);
			jw_uint(out, "tree_size", item[i].size);
		}
		jw_close(out, '}');
	}
	jw_close(out, ']');
}

/* Its tenant's, or its part of them. */
static void
put_numbers(struct buf *out, const struct shown *s)
{
	const struct tnset *part = members_numbers(s->tenant, s->config);
	const struct tnset *all = part != NULL ? part : s->tenant->numbers;

	jw_uint(out, "numbers", all != NULL ? tnset_count(all) : 0);
	if (s->config->shard > 0)
		jw_uint(out, "shard", s->config->shard);
	else
		jw_null(out, "shard");
}

/* Which of two signs is an operator's word, whatever the state of either. */
static void
put_reserve(struct buf *out, const struct shown *s)
{
	jw_str(out, "reserve_for", s->config->reserve_for);
	jw_str(out, "reserve", s->config->reserve);
	jw_bool(out, "stands_by", s->stands_by);
	put_since(out, "failed_over_since", s->failed_over_at_s);
}

static void
put_credential(struct buf *out, const struct shown *s)
{
	struct credential *c = s->credential;
	const struct config_tenant *t = s->tenant;

	jw_open(out, NULL, '{');
	jw_str(out, "tenant", c->tenant);
	jw_str(out, "name", c->name);
	jw_str(out, "base", s->config->base);
	jw_str(out, "token", front_set(s->front)->config->token[c->token].name);
	jw_str(out, "profile", profile_rule(s->config->profile)->name);
	jw_bool(out, "enabled", t->enabled);
	jw_bool(out, "offboarded", t->offboarded);
	jw_str(out, "state", status_state(c, loop_time_s(s->front->loop)));
	put_life(out, s);
	jw_bool(out, "signable", can_sign(s->front, t, c, NULL));
	put_reserve(out, s);
	put_why(out, s);
	put_problems(out, s);
	put_warnings(out, c);
	put_contents(out, s);
	put_chain(out, c);
	put_originators(out, c);
	put_tnlist(out, c);
	put_logged(out, s);
	if (s->config->salts.text != NULL)
		jw_uint(out, "salts", salts_len(c->salts));
	put_numbers(out, s);
	put_since(out, "next_renewal", atomic_load(&c->renew_at_s));
	put_since(out, "port_revoke_at", atomic_load(&c->port_revoke_at_s));
	put_renewal(out, s);
	jw_close(out, '}');
}

static void
put_tenant(struct buf *out, const struct front *fr, const struct credset *set, size_t i)
{
	struct credset_place at = { i, 0 };

	for (; at.credential < set->config->tenant[i].credentials; at.credential++) {
		struct shown s = look_at(fr, set, at);

		put_credential(out, &s);
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
	put_since(out, "since", u->since_s);
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
	struct shown s;

	if (!status_find(call, &at))
		return;
	s = look_at(call->front, set, at);
	put_credential(&out, &s);
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
			if (can_sign(call->front, t, set->tenant[i].credential[n], f))
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
