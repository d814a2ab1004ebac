/* POST /v1/passports: one PASSporT, strictly asked for. */
#include "agent/front/api.h"

#include "agent/front/jw.h"
#include "agent/front/problem.h"
#include "stir/jtext.h"

static enum rc
take_text(const json_t *value, const char *name, const char **out, struct fault *f)
{
	struct span text = jtext_span(value);

	if (!json_is_string(value) || text.len == 0 || text.len > CONFIG_NAME_MAX)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, name,
		    "must be a string of 1 to %d bytes", CONFIG_NAME_MAX);
	*out = json_string_value(value);
	return RC_OK;
}

static enum rc
take_ppt(const json_t *value, struct sign_request *r, struct fault *f)
{
	if (!json_is_string(value))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "ppt", "must be a string");
	if (ppt_find(json_string_value(value), &r->ppt, f) != RC_OK)
		return f->rc;
	return RC_OK;
}

/* Flat strings only: it is recorded word by word. */
static enum rc
take_context(const json_t *value, struct sign_request *r, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(SIGN_CONTEXT_MAX);
	const char *name;
	json_t *member;

	if (!json_is_object(value))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "context", "must be an object");
	json_object_foreach ((json_t *)(uintptr_t)value, name, member) {
		if (!json_is_string(member))
			return REFUSE(f, RC_INVALID, INVALID_MEMBER, "context",
			    "its members must be strings");
	}
	if (jtext_write(&text, value, NULL) != RC_OK || buf_check(&text, NULL) != RC_OK)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "context",
		    "must have at most %d bytes", SIGN_CONTEXT_MAX);
	r->context = value;
	return RC_OK;
}

static enum rc
take_member(const char *name, const json_t *value, struct sign_request *r, struct fault *f)
{
	if (strcmp(name, "claims") == 0) {
		if (!json_is_object(value))
			return REFUSE(
			    f, RC_INVALID, INVALID_MEMBER, "claims", "must be an object");
		r->claims = value;
		return RC_OK;
	}
	if (strcmp(name, "ppt") == 0)
		return take_ppt(value, r, f);
	if (strcmp(name, "tenant") == 0)
		return take_text(value, name, &r->tenant, f);
	if (strcmp(name, "credential") == 0)
		return take_text(value, name, &r->credential, f);
	if (strcmp(name, "context") == 0)
		return take_context(value, r, f);
	if (strcmp(name, "delegate") == 0)
		return api_take_delegate(value, r, f);
	return REFUSE(
	    f, RC_INVALID, UNKNOWN_MEMBER, name, "no member of that name is known here");
}

static enum rc
take_query(struct span query, struct sign_request *r, struct fault *f)
{
	if (query.len == 0 || span_is(query, "dry_run=0"))
		return RC_OK;
	if (!span_is(query, "dry_run=1"))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, NULL,
		    "the only query is 'dry_run=1' or 'dry_run=0'");
	r->dry_run = true;
	return RC_OK;
}

static enum rc
decode(struct api_call *call, json_t **root, struct sign_request *r, struct fault *f)
{
	const char *name;
	json_t *value;

	TRY(take_query(call->http->query, r, f));
	TRY(api_body(call, root, f));
	if (!http1_accepts(call->http->accept, "application/json"))
		return REFUSE(
		    f, RC_INVALID, NOT_ACCEPTABLE, NULL, "the answer is application/json");
	json_object_foreach (*root, name, value)
		TRY(take_member(name, value, r, f));
	if (r->claims == NULL)
		return REFUSE(f, RC_INVALID, MISSING_MEMBER, "claims", "every request has it");
	return RC_OK;
}

static void
write_allowed(struct buf *out, const struct sign_answer *a)
{
	jw_open(out, NULL, '{');
	if (a->dry_run) {
		jw_bool(out, "dry_run", true);
	} else {
		jw_span(out, "passport", a->passport);
		if (a->identity.len > 0)
			jw_span(out, "identity", a->identity);
		else
			jw_null(out, "identity");
	}
	jw_str(out, "tenant", a->tenant);
	jw_str(out, "credential", a->credential);
	jw_str(out, "serial", a->serial);
	if (a->attest != 0)
		jw_span(out, "attest", span_of(&a->attest, 1));
	jw_int(out, "not_after", a->not_after_s);
	jw_str(out, "request_id", a->request_id);
	jw_close(out, '}');
}

const struct sign_face api_native_face = {
	.type = "application/json",
	.problem_type = PROBLEM_TYPE,
	.allowed = write_allowed,
	.refused = problem_write,
};

void
api_passports(struct api_call *call)
{
	struct sign_request r = { .ppt = PPT_BASE, .request_id = call->request_id };
	struct desk *d = &call->front->desk;
	json_auto_t *root = NULL;
	struct fault f = { 0 };

	if (decode(call, &root, &r, &f) != RC_OK)
		sign_refuse(d, call->conn, &api_native_face, &f, call->request_id);
	else
		sign_start(d, call->conn, &r, &api_native_face, false);
}
