/* What the agent says about one credential. */
#include "agent/front/status.h"

#include <string.h>

#include "agent/front/inclusion.h"
#include "agent/front/jw.h"
#include "agent/front/life.h"
#include "agent/front/works.h"
#include "agent/members.h"

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

bool
status_can_sign(const struct front *fr, const struct config_tenant *t,
    const struct credential *c, struct fault *f)
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
	jw_time(out, "since", p->step[0] != 0 ? p->step_since_s : 0);
	jw_uint(out, "attempts", p->attempts);
	jw_uint(out, "refusals", p->refusals);
	jw_time(out, "failing_since", p->failing_since_s);
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
		jw_time(out, "since", item[i].at_s);
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
	jw_time(out, "failed_over_since", s->failed_over_at_s);
}

static void
put_shown(struct buf *out, const struct shown *s)
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
	jw_bool(out, "signable", status_can_sign(s->front, t, c, NULL));
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
	jw_time(out, "next_renewal", atomic_load(&c->renew_at_s));
	jw_time(out, "port_revoke_at", atomic_load(&c->port_revoke_at_s));
	put_renewal(out, s);
	jw_close(out, '}');
}

void
status_put_credential(
    struct buf *out, const struct front *fr, const struct credset *set, struct credset_place at)
{
	struct shown s = look_at(fr, set, at);

	put_shown(out, &s);
}
