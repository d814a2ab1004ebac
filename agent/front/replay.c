#include "agent/front/replay.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "stir/jtext.h"
#include "stir/text.h"

enum {
	APART_MS = 3600000,    /* between requests that do not say when they came */
	STEP_MAX_MS = 86400000 /* between two that do: more fills no rate */
};

struct replay {
	struct credset *set;
	struct policy *policy;
	struct replay_options options;
	struct caller caller; /* of the line before, so that groups are looked up once */
	bool has_caller;
	struct caller_view view;
	int64_t at_ms;	 /* of the last request, as the rates count it */
	int64_t said_ms; /* and as its record says it */
	/* What was decided of the same call. */
	char call[72];
	struct decision before[REPLAY_CALL_MAX];
	size_t befores;
};

/* What a line says. */
struct past {
	json_t *root;	/* owned */
	json_t *claims; /* owned: as the caller sent them, without iat */
	struct sign_request request;
	uid_t uid;
	gid_t gid;
	bool has_gid;
	struct caller_door door;
};

static void
past_done(struct past *p)
{
	json_decref(p->claims);
	json_decref(p->root);
}

enum rc
replay_new(const struct credset *set, const struct replay_options *o, struct replay **out,
    struct fault *f)
{
	AUTO(replay) *r = calloc(1, sizeof *r);

	if (r == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "replay");
	r->set = credset_ref((struct credset *)(uintptr_t)set);
	r->options = *o;
	TRY(policy_new(&r->policy, f));
	TRY(policy_adopt(r->policy, set, 0, f));
	*out = TAKE(r);
	return RC_OK;
}

static void
forget_call(struct replay *r)
{
	for (size_t i = 0; i < r->befores; i++)
		decide_done(&r->before[i]);
	r->befores = 0;
	r->call[0] = 0;
}

void
replay_free(struct replay *r)
{
	if (r == NULL)
		return;
	forget_call(r);
	caller_done(&r->caller);
	policy_free(r->policy);
	credset_release(r->set);
	free(r);
}

/* ---- reading a line ---- */

static void
copy_text(char *out, size_t len, const char *text)
{
	snprintf(out, len, "%s", text != NULL ? text : "");
}

static bool
is_request_event(const char *event)
{
	return strcmp(event, "sign") == 0 || strcmp(event, "dry_run") == 0 ||
	       strcmp(event, "refuse") == 0;
}

/* "2026-01-02T03:04:05.678Z" */
static int64_t
time_ms(const char *text)
{
	struct tm tm = { 0 };
	const char *rest = text == NULL ? NULL : strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int ms = 0;

	if (rest == NULL)
		return -1;
	if (rest[0] == '.' && sscanf(rest + 1, "%3d", &ms) != 1)
		ms = 0;
	return (int64_t)timegm(&tm) * 1000 + ms;
}

static enum rc
lacks(struct replay_verdict *v, const char *what)
{
	v->now = REPLAY_UNJUDGED;
	(void)FAULT(&v->fault, RC_NOT_FOUND, "not_recorded", "%s", what);
	return RC_OK;
}

static enum rc
take_ppt(const char *name, struct past *p, struct replay_verdict *v)
{
	struct fault f = { 0 };

	if (name != NULL && strcmp(name, "base") == 0)
		name = NULL;
	if (ppt_find(name, &p->request.ppt, &f) == RC_OK)
		return RC_OK;
	v->now = REPLAY_REFUSED;
	v->fault = f;
	return RC_OK;
}

/* What was asked, not what was granted; iat was judged when the request came. */
static enum rc
take_claims(const json_t *claims, const char *attest, struct past *p, struct fault *f)
{
	p->claims = json_copy((json_t *)(uintptr_t)claims);
	if (p->claims == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "claims");
	(void)json_object_del(p->claims, "iat");
	if (attest != NULL &&
	    json_object_set_new(p->claims, "attest", json_string(attest)) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "claims");
	p->request.claims = p->claims;
	return RC_OK;
}

static void
take_door(const json_t *door, struct past *p)
{
	p->door.tenant = jtext_get(door, "tenant");
	p->door.auth_socket = json_is_true(json_object_get(door, "auth_socket"));
}

static enum rc
read_record(struct past *p, struct replay_verdict *v, struct fault *f)
{
	const json_t *root = p->root, *asked = json_object_get(root, "asked");
	const json_t *claims = json_object_get(root, "claims");

	v->was = strcmp(jtext_get(root, "event"), "refuse") == 0 ? REPLAY_WAS_REFUSED
								 : REPLAY_WAS_ALLOWED;
	v->seq = (int64_t)json_integer_value(json_object_get(root, "seq"));
	copy_text(v->request_id, sizeof v->request_id, jtext_get(root, "request_id"));
	copy_text(v->tenant, sizeof v->tenant, jtext_get(root, "tenant"));
	copy_text(v->reason, sizeof v->reason, jtext_get(root, "reason"));
	p->uid = (uid_t)json_integer_value(json_object_get(root, "uid"));
	p->gid = (gid_t)json_integer_value(json_object_get(root, "gid"));
	p->has_gid = true;
	take_door(json_object_get(root, "door"), p);
	p->request.tenant = jtext_get(asked, "tenant");
	p->request.credential = jtext_get(asked, "credential");
	p->request.needs_identity = json_is_true(json_object_get(root, "needs_identity"));
	if (json_object_get(root, "delegate") != NULL)
		return lacks(v, "it rested on a delegate's PASSporT, which no record holds");
	if (json_object_get(root, "originals") != NULL)
		return lacks(v, "the PASSporTs that it answered are in no record");
	if (!json_is_object(claims))
		return lacks(v, "its claims are not in the record");
	TRY(take_ppt(jtext_get(root, "ppt"), p, v));
	return take_claims(claims, jtext_get(json_object_get(root, "attest"), "asked"), p, f);
}

/* The body of POST /v1/passports; what it was sent by is the operator's word. */
static enum rc
read_request(const struct replay *r, struct past *p, struct replay_verdict *v, struct fault *f)
{
	const json_t *claims = json_object_get(p->root, "claims");

	p->uid = r->options.uid;
	p->request.tenant = jtext_get(p->root, "tenant");
	p->request.credential = jtext_get(p->root, "credential");
	if (!json_is_object(claims))
		return FAULT(f, RC_INVALID, "replay_line",
		    "neither a record of the audit trail nor a request with claims");
	if (json_object_get(p->root, "original") != NULL)
		return lacks(v, "PASSporTs that it answers are not judged again");
	TRY(take_ppt(jtext_get(p->root, "ppt"), p, v));
	return take_claims(claims, NULL, p, f);
}

/* A record is longer than the request that it is of, and its text is our own. */
static enum rc
read_json(struct span line, json_t **out, struct fault *f)
{
	if (line.len <= JTEXT_MAX_BYTES)
		return jtext_read(line, out, f);
	return jtext_read_foreign(line, REPLAY_LINE_MAX, out, f);
}

static enum rc
read_line(const struct replay *r, struct span line, struct past *p, struct replay_verdict *v,
    struct fault *f)
{
	const char *event;
	struct fault why = { 0 };

	if (read_json(line, &p->root, &why) != RC_OK || !json_is_object(p->root))
		return FAULT(f, RC_INVALID, "replay_line", "not one JSON object: %s",
		    why.rc != RC_OK ? why.detail : "another type");
	p->request.request_id = "replay";
	event = jtext_get(p->root, "event");
	if (event == NULL)
		return read_request(r, p, v, f);
	if (!is_request_event(event))
		return RC_OK; /* skipped */
	return read_record(p, v, f);
}

/* ---- the caller ---- */

static enum rc
look_up_groups(struct caller *c, struct fault *f)
{
	const struct passwd *pw = getpwuid(c->uid);
	int n = CALLER_MAX_GROUPS;

	if (pw == NULL)
		return RC_OK; /* a user that this host does not know has no further groups */
	c->group = calloc(CALLER_MAX_GROUPS, sizeof *c->group);
	if (c->group == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "groups");
	if (c->gid == (gid_t)-1)
		c->gid = pw->pw_gid;
	if (getgrouplist(pw->pw_name, pw->pw_gid, c->group, &n) < 0)
		n = CALLER_MAX_GROUPS;
	c->groups = (size_t)n;
	return RC_OK;
}

/* The door's tenant, as long as the set lives. */
static const char *
lasting(const struct replay *r, const char *tenant)
{
	const struct config_tenant *t =
	    tenant == NULL ? NULL : config_tenant_find(r->set->config, tenant);

	return t != NULL ? t->name : tenant == NULL ? NULL : "";
}

static enum rc
become(struct replay *r, const struct past *p, struct fault *f)
{
	struct caller_door door = { lasting(r, p->door.tenant), p->door.auth_socket };
	gid_t gid = p->has_gid ? p->gid : (gid_t)-1;

	if (r->has_caller && r->caller.uid == p->uid && (!p->has_gid || r->caller.gid == gid) &&
	    text_same(r->caller.door.tenant, door.tenant) &&
	    r->caller.door.auth_socket == door.auth_socket)
		return RC_OK;
	caller_done(&r->caller);
	r->view = (struct caller_view){ 0 };
	r->has_caller = false;
	r->caller = (struct caller){ .uid = p->uid, .gid = gid, .door = door };
	TRY(look_up_groups(&r->caller, f));
	r->has_caller = true;
	return RC_OK;
}

/* ---- the judgement ---- */

static bool
key_ready(void *arg, unsigned token, const uint8_t key_id[KEY_ID_LEN])
{
	(void)arg;
	(void)token;
	(void)key_id;
	return true; /* which signers run is no matter of the configuration */
}

static void
put_verdict(const struct replay *r, struct replay_verdict *v, const struct decision *x,
    const struct fault *why)
{
	bool observed = x->observeds > 0;

	v->now = why->rc == RC_OK ? REPLAY_ALLOWED : REPLAY_REFUSED;
	v->fault = *why;
	if (x->tenant != NULL)
		copy_text(v->tenant, sizeof v->tenant, x->tenant->name);
	memcpy(v->observed, x->observed, sizeof v->observed);
	v->observeds = x->observeds;
	if (why->rc == RC_OK && observed && r->options.enforce) {
		v->now = REPLAY_REFUSED;
		v->fault = x->observed[0].why;
	}
}

/* Records of one call follow each other, in the order in which they were decided. */
static void
follow_call(struct replay *r, const struct past *p, const char *request_id)
{
	json_int_t after = json_integer_value(json_object_get(p->root, "after"));

	if (after <= 0 || after >= REPLAY_CALL_MAX || (size_t)after != r->befores ||
	    strcmp(request_id, r->call) != 0)
		forget_call(r);
	copy_text(r->call, sizeof r->call, request_id);
}

/* A clock that was set back takes nothing away: from there it goes on. */
static void
pass_time(struct replay *r, int64_t said_ms)
{
	int64_t step_ms = said_ms - r->said_ms;

	if (said_ms < 0)
		step_ms = APART_MS;
	else
		r->said_ms = said_ms;
	if (step_ms > 0)
		r->at_ms += step_ms < STEP_MAX_MS ? step_ms : STEP_MAX_MS;
}

static void
judge(struct replay *r, struct past *p, struct replay_verdict *v)
{
	struct decision *x;
	struct fault why = { 0 };
	struct decide_world w = { .set = r->set,
		.policy = r->policy,
		.caller = &r->caller,
		.view = caller_see(&r->caller, r->set, &r->view),
		.key_ready = key_ready,
		.now_s = r->options.now_s };

	follow_call(r, p, v->request_id);
	pass_time(r, time_ms(jtext_get(p->root, "time")));
	w.now_ms = r->at_ms;
	p->request.before = r->before;
	p->request.befores = r->befores;
	x = &r->before[r->befores];
	(void)!decide(&w, &p->request, x, &why);
	r->befores++;
	put_verdict(r, v, x, &why);
}

enum rc
replay_judge(struct replay *r, struct span line, struct replay_verdict *out, struct fault *f)
{
	__attribute__((cleanup(past_done))) struct past p = { .root = NULL };
	struct replay_verdict v = { .now = REPLAY_SKIPPED };

	TRY(read_line(r, line, &p, &v, f));
	if (v.now == REPLAY_SKIPPED && p.request.claims != NULL) {
		TRY(become(r, &p, f));
		judge(r, &p, &v);
	}
	*out = v;
	return RC_OK;
}
