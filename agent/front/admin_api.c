#include "agent/front/admin_api.h"

#include <ctype.h>

#include "agent/front/jw.h"
#include "agent/front/status.h"
#include "agent/front/store.h"
#include "agent/front/transparency.h"
#include "stir/jtext.h"

/* ---- jobs ---- */

static void
answer_job(struct api_call *call, int status, const struct front_job *j)
{
	static const char *const states[] = {
		[JOB_RUNNING] = "running", [JOB_DONE] = "done", [JOB_FAILED] = "failed"
	};
	AUTO_BUF out = BUF_INIT(CONN_ANSWER_MAX / 2), result = BUF_INIT(CONN_ANSWER_MAX / 2);
	bool failed = j->state == JOB_FAILED;

	jw_open(&out, NULL, '{');
	jw_uint(&out, "job", j->id);
	jw_str(&out, "kind", j->kind);
	jw_str(&out, "state", states[j->state]);
	jw_int(&out, "began", j->began_s);
	if (j->state == JOB_RUNNING)
		jw_null(&out, "ended");
	else
		jw_int(&out, "ended", j->ended_s);
	jw_str(&out, "reason", failed ? j->fault.reason : NULL);
	jw_str(&out, "detail", failed ? j->fault.detail : NULL);
	if (j->result != NULL && jtext_write(&result, j->result, NULL) == RC_OK)
		jw_raw(&out, "result", buf_view(&result));
	jw_close(&out, '}');
	api_json(call, status, &out);
}

static void
answer_started(struct api_call *call, uint64_t id, struct fault *f)
{
	if (id != 0) {
		answer_job(call, 202, front_job(call->front, id));
		return;
	}
	/* The builder's word for a full queue is its own; the socket's is "overloaded". */
	*f = (struct fault){ 0 };
	(void)REFUSE(f, RC_BUSY, OVERLOADED, NULL, "too many jobs wait");
	api_problem(call, f);
}

void
admin_reload(struct api_call *call)
{
	struct fault f = { 0 };

	answer_started(call, front_reload(call->front, &f), &f);
}

void
admin_renew(struct api_call *call)
{
	const struct credset *set = front_set(call->front);
	struct credset_place at = { 0 };
	struct fault f = { 0 };
	const struct config_credential *cc;

	if (!status_find(call, &at))
		return;
	cc = credset_config(set, at);
	if (config_issuer(set->config, cc) == ISSUER_HAND) {
		(void)REFUSE(&f, RC_CONFLICT, CONFLICT, NULL,
		    "credential '%s' has no ca that is asked by itself: its certificates are "
		    "installed by hand",
		    cc->name);
		api_problem(call, &f);
		return;
	}
	answer_started(call,
	    front_renew(call->front, set->config->tenant[at.tenant].name, cc->name, &f), &f);
}

static enum rc
check_member(const json_t *body, const struct hand_member *m, size_t *known, struct fault *f)
{
	const json_t *value = json_object_get(body, m->name);

	if (value == NULL && m->optional)
		return RC_OK;
	if (value == NULL)
		return REFUSE(f, RC_INVALID, MISSING_MEMBER, m->name, "'%s'", m->name);
	if (!json_is_string(value))
		return REFUSE(
		    f, RC_INVALID, INVALID_MEMBER, m->name, "'%s' is no string", m->name);
	++*known;
	return RC_OK;
}

/* The members of the operation and no others, or no body at all. */
static enum rc
hand_body(struct api_call *call, enum hand kind, json_t **out, struct fault *f)
{
	const struct hand_member *m = hand_members(kind);
	json_auto_t *body = NULL;
	size_t known = 0;

	if (m->name == NULL || (m->optional && call->http->body.len == 0))
		return RC_OK;
	TRY(api_body(call, &body, f));
	for (; m->name != NULL; m++)
		TRY(check_member(body, m, &known, f));
	if (json_object_size(body) != known)
		return REFUSE(f, RC_INVALID, UNKNOWN_MEMBER, NULL,
		    "a member that operation '%s' does not know", hand_name(kind));
	*out = TAKE(body);
	return RC_OK;
}

void
admin_start(
    struct api_call *call, enum hand kind, const char *tenant, const char *name, json_t *body)
{
	struct fault f = { 0 };

	answer_started(call,
	    front_hand(call->front, kind, tenant, name, body, call->conn->caller.uid, &f), &f);
}

static void
answer_hand(struct api_call *call, enum hand kind, const char *tenant, const char *name)
{
	struct fault f = { 0 };
	json_t *body = NULL;

	if (hand_body(call, kind, &body, &f) != RC_OK) {
		api_problem(call, &f);
		return;
	}
	admin_start(call, kind, tenant, name, body);
}

static void
of_credential(struct api_call *call)
{
	const struct credset *set = front_set(call->front);
	struct credset_place at = { 0 };

	if (status_find(call, &at))
		answer_hand(call, call->hand, set->config->tenant[at.tenant].name,
		    credset_config(set, at)->name);
}

static void
of_account(struct api_call *call)
{
	const struct config *c = front_set(call->front)->config;
	struct fault f = { 0 };

	for (size_t i = 0; i < c->cas; i++) {
		if (span_is(call->part[0], c->ca[i].name)) {
			answer_hand(call, call->hand, c->ca[i].name, NULL);
			return;
		}
	}
	(void)REFUSE(&f, RC_NOT_FOUND, NOT_FOUND, NULL, "no CA of that name");
	api_problem(call, &f);
}

const struct config_tenant *
admin_tenant(struct api_call *call)
{
	const struct config *c = front_set(call->front)->config;
	char name[CONFIG_NAME_MAX + 1] = "";
	const struct config_tenant *t = NULL;
	struct fault f = { 0 };

	if (call->part[0].len <= CONFIG_NAME_MAX) {
		memcpy(name, call->part[0].ptr, call->part[0].len);
		t = config_tenant_find(c, name);
	}
	if (t != NULL)
		return t;
	(void)REFUSE(&f, RC_NOT_FOUND, NOT_FOUND, NULL, "no tenant of that name");
	api_problem(call, &f);
	return NULL;
}

static void
of_tenant(struct api_call *call)
{
	const struct config_tenant *t = admin_tenant(call);

	if (t != NULL)
		answer_hand(call, call->hand, t->name, NULL);
}

/* One that the configuration does not name any more may be meant: the builder knows. */
static void
of_offboarding(struct api_call *call)
{
	char name[CONFIG_NAME_MAX + 1] = "";
	struct fault f = { 0 };

	if (call->part[0].len <= CONFIG_NAME_MAX)
		memcpy(name, call->part[0].ptr, call->part[0].len);
	if (store_name_ok(name)) {
		answer_hand(call, call->hand, name, NULL);
		return;
	}
	(void)REFUSE(&f, RC_NOT_FOUND, NOT_FOUND, NULL, "no tenant of that name");
	api_problem(call, &f);
}

static void
of_token(struct api_call *call)
{
	const struct config_token *token = NULL;
	const struct config *c = front_set(call->front)->config;
	struct fault f = { 0 };

	for (size_t i = 0; i < c->tokens && token == NULL; i++)
		token = span_is(call->part[0], c->token[i].name) ? &c->token[i] : NULL;
	if (token != NULL) {
		answer_hand(call, call->hand, token->name, NULL);
		return;
	}
	(void)REFUSE(&f, RC_NOT_FOUND, NOT_FOUND, NULL, "no token section of that name");
	api_problem(call, &f);
}

void
admin_hand(struct api_call *call)
{
	if (hand_of_ca(call->hand))
		of_account(call);
	else if (hand_of_offboarding(call->hand))
		of_offboarding(call);
	else if (hand_of_tenant(call->hand))
		of_tenant(call);
	else if (hand_of_token(call->hand))
		of_token(call);
	else
		of_credential(call);
}

void
admin_accounts(struct api_call *call)
{
	const struct config *c = front_set(call->front)->config;
	AUTO_BUF out = BUF_INIT(CONN_ANSWER_MAX / 2);

	jw_open(&out, NULL, '{');
	jw_open(&out, "cas", '[');
	for (size_t i = 0; i < c->cas; i++) {
		jw_open(&out, NULL, '{');
		jw_str(&out, "ca", c->ca[i].name);
		jw_str(&out, "issuer", config_issuer_name(c->ca[i].issuer));
		jw_str(&out, "directory", c->ca[i].directory);
		jw_str(&out, "token", c->ca[i].token);
		jw_close(&out, '}');
	}
	jw_close(&out, ']');
	jw_close(&out, '}');
	api_json(call, 200, &out);
}

void
admin_ct(struct api_call *call)
{
	const struct front *fr = call->front;
	AUTO_BUF out = BUF_INIT(CONN_ANSWER_MAX / 2);
	json_auto_t *shown =
	    transparency_show(builder_transparency(fr->builder), loop_time_s(fr->loop));
	struct fault f = { 0 };

	if (shown == NULL)
		(void)FAULT(&f, RC_NO_MEMORY, "no_memory", "logs");
	else
		(void)!jtext_write(&out, shown, &f);
	if (f.rc != RC_OK)
		api_problem(call, &f);
	else
		api_json(call, 200, &out);
}

void
admin_job(struct api_call *call)
{
	const struct front_job *j = NULL;
	struct fault f = { 0 };
	uint64_t id = 0;

	if (api_number(call->part[0], &id))
		j = front_job(call->front, id);
	if (j != NULL) {
		answer_job(call, 200, j);
		return;
	}
	(void)REFUSE(&f, RC_NOT_FOUND, NOT_FOUND, NULL, "no job of that number is remembered");
	api_problem(call, &f);
}
