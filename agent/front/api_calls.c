/* POST /v1/calls: all the PASSporTs of a call, each by its own tenant, with one iat. */
#include "agent/front/api_native.h"

#include "agent/front/jw.h"
#include "agent/front/problem.h"
#include "stir/jtext.h"

/* Borrowed from the root, but for the claims put together. */
struct calls {
	json_t *root;	/* owned */
	json_t *merged; /* owned: the claims of each */
	const json_t *shared, *sign;
	struct sign_request request[SIGN_CALL_MAX];
	size_t len;
	struct sign_request common; /* context and dry_run of all of them */
	bool best_effort;
};

static void
calls_done(struct calls *k)
{
	json_decref(k->merged);
	json_decref(k->root);
}

/* ---- reading ---- */

static enum rc
take_mode(const json_t *value, struct calls *k, struct fault *f)
{
	struct span mode = jtext_span(value);

	if (!json_is_string(value) || (!span_is(mode, "all") && !span_is(mode, "best_effort")))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "mode",
		    "must be \"all\" or \"best_effort\"");
	k->best_effort = span_is(mode, "best_effort");
	return RC_OK;
}

static enum rc
take_sign(const json_t *value, struct calls *k, struct fault *f)
{
	if (!json_is_array(value) || json_array_size(value) == 0 ||
	    json_array_size(value) > SIGN_CALL_MAX)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "sign",
		    "must be an array of 1 to %d objects", SIGN_CALL_MAX);
	k->sign = value;
	return RC_OK;
}

/* What is one of a call's, and nothing of a single PASSporT's. */
static enum rc
take_shared(const json_t *value, struct calls *k, struct fault *f)
{
	const char *name;
	json_t *claim;

	if (!json_is_object(value))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "claims", "must be an object");
	json_object_foreach ((json_t *)(uintptr_t)value, name, claim) {
		if (strcmp(name, "orig") != 0 && strcmp(name, "dest") != 0 &&
		    strcmp(name, "iat") != 0)
			return REFUSE(f, RC_INVALID, UNKNOWN_CLAIM, name,
			    "the claims of all are orig, dest and iat; every other stands in "
			    "the claims of its own PASSporT");
	}
	k->shared = value;
	return RC_OK;
}

static enum rc
take_member(const char *name, const json_t *value, struct calls *k, struct fault *f)
{
	if (strcmp(name, "claims") == 0)
		return take_shared(value, k, f);
	if (strcmp(name, "sign") == 0)
		return take_sign(value, k, f);
	if (strcmp(name, "mode") == 0)
		return take_mode(value, k, f);
	if (strcmp(name, "context") == 0)
		return api_native_context(value, &k->common, f);
	return REFUSE(
	    f, RC_INVALID, UNKNOWN_MEMBER, name, "no member of that name is known here");
}

/* The claims of all and of this one; nothing stands above anything, so none may be twice. */
static enum rc
merge(struct calls *k, struct sign_request *r, struct fault *f)
{
	json_auto_t *claims = json_object();
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)r->claims, name, value) {
		if (strcmp(name, "iat") == 0)
			return REFUSE(f, RC_INVALID, INVALID_CLAIM, "iat",
			    "a call has one iat: it stands in the claims of all");
		if (json_object_get(k->shared, name) != NULL)
			return REFUSE(f, RC_INVALID, DUPLICATE_MEMBER, name,
			    "it stands in the claims of all already");
	}
	if (claims == NULL || json_object_update(claims, (json_t *)(uintptr_t)k->shared) != 0 ||
	    (r->claims != NULL &&
		json_object_update(claims, (json_t *)(uintptr_t)r->claims) != 0) ||
	    json_array_append(k->merged, claims) != 0)
		return REFUSE(f, RC_NO_MEMORY, INTERNAL, NULL, "no memory for the claims");
	r->claims = claims;
	return RC_OK;
}

static enum rc
take_one(struct calls *k, const json_t *one, struct fault *f)
{
	struct sign_request r = k->common;
	const char *name;
	json_t *value;

	if (!json_is_object(one))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "sign", "must be an object");
	json_object_foreach ((json_t *)(uintptr_t)one, name, value) {
		if (strcmp(name, "context") == 0)
			return REFUSE(f, RC_INVALID, UNKNOWN_MEMBER, name,
			    "the context is that of the whole call");
		TRY(api_native_member(name, value, &r, f));
	}
	TRY(merge(k, &r, f));
	k->request[k->len++] = r;
	return RC_OK;
}

static enum rc
take_all(struct calls *k, struct fault *f)
{
	k->merged = json_array();
	if (k->merged == NULL)
		return REFUSE(f, RC_NO_MEMORY, INTERNAL, NULL, "no memory for the claims");
	for (size_t i = 0; i < json_array_size(k->sign); i++) {
		struct fault why = { 0 };

		if (take_one(k, json_array_get(k->sign, i), &why) != RC_OK)
			return fault_set(f, why.rc, why.reason,
			    why.claim[0] != 0 ? why.claim : NULL, why.where, "sign[%zu]: %s", i,
			    why.detail);
	}
	return RC_OK;
}

static enum rc
decode(struct api_call *call, struct calls *k, struct fault *f)
{
	const char *name;
	json_t *value;

	k->common = (struct sign_request){ .ppt = PPT_BASE, .request_id = call->request_id };
	TRY(api_native_query(call->http->query, &k->common.dry_run, f));
	TRY(api_body(call, &k->root, f));
	if (!http1_accepts(call->http->accept, "application/json"))
		return REFUSE(
		    f, RC_INVALID, NOT_ACCEPTABLE, NULL, "the answer is application/json");
	json_object_foreach (k->root, name, value)
		TRY(take_member(name, value, k, f));
	if (k->shared == NULL)
		return REFUSE(f, RC_INVALID, MISSING_MEMBER, "claims", "every request has it");
	if (k->sign == NULL)
		return REFUSE(f, RC_INVALID, MISSING_MEMBER, "sign", "every request has it");
	return take_all(k, f);
}

/* ---- answers ---- */

static void
put_result(struct buf *out, const struct sign_answer *a)
{
	jw_open(out, NULL, '{');
	if (a->fault == NULL) {
		api_native_put(out, a);
	} else {
		jw_int(out, "status", reason_status(a->fault->reason));
		jw_str(out, "reason", problem_reason(a->fault));
		jw_str(out, "detail", a->fault->detail);
		if (a->fault->claim[0] != 0)
			jw_str(out, "claim", a->fault->claim);
	}
	jw_close(out, '}');
}

static void
put_results(struct buf *out, const struct sign_answers *a)
{
	jw_open(out, "results", '[');
	for (size_t i = 0; i < a->len; i++)
		put_result(out, &a->item[i]);
	jw_close(out, ']');
}

static void
write_allowed(struct buf *out, const struct sign_answers *a)
{
	jw_open(out, NULL, '{');
	jw_open(out, "identities", '[');
	for (size_t i = 0; i < a->len; i++) {
		if (a->item[i].identity.len > 0)
			jw_span(out, NULL, a->item[i].identity);
	}
	jw_close(out, ']');
	put_results(out, a);
	jw_str(out, "request_id", a->request_id);
	jw_close(out, '}');
}

static void
write_refused(struct buf *out, const struct fault *f, const struct sign_answers *a)
{
	jw_open(out, NULL, '{');
	problem_put(out, f, a->request_id);
	if (a->len > 0)
		put_results(out, a);
	jw_close(out, '}');
}

static const struct sign_face face = {
	.type = "application/json",
	.problem_type = PROBLEM_TYPE,
	.allowed = write_allowed,
	.refused = write_refused,
};

void
api_calls(struct api_call *call)
{
	struct calls k = { .len = 0 };
	struct desk *d = &call->front->desk;
	struct fault f = { 0 };

	if (decode(call, &k, &f) != RC_OK)
		sign_refuse(d, call->conn, &face, &f, call->request_id);
	else
		sign_start(d, call->conn,
		    &(struct sign_call){ .request = k.request,
			.len = k.len,
			.best_effort = k.best_effort,
			.face = &face,
			.request_id = call->request_id,
			.keep = { k.root, k.merged } });
	calls_done(&k);
}
