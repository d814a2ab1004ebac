/* POST /v1/passports: one PASSporT, strictly asked for. */
#include "agent/front/api_native.h"

#include "agent/front/journal.h"
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
enum rc
api_native_context(const json_t *value, struct sign_request *r, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(JOURNAL_CONTEXT_MAX);
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
		    "must have at most %d bytes", JOURNAL_CONTEXT_MAX);
	r->context = value;
	return RC_OK;
}

/* div, div-o, rsp: what it answers. */
static enum rc
take_original(const json_t *value, struct sign_request *r, struct fault *f)
{
	size_t n = json_array_size(value);

	if (n == 0 || n > ORIGINAL_MAX)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "original",
		    "must be an array of 1 to %d PASSporTs", ORIGINAL_MAX);
	for (size_t i = 0; i < n; i++) {
		if (!json_is_string(json_array_get(value, i)))
			return REFUSE(f, RC_INVALID, INVALID_MEMBER, "original",
			    "its elements must be strings");
	}
	r->original = value;
	return RC_OK;
}

enum rc
api_native_member(
    const char *name, const json_t *value, struct sign_request *r, struct fault *f)
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
	if (strcmp(name, "original") == 0)
		return take_original(value, r, f);
	if (strcmp(name, "context") == 0)
		return api_native_context(value, r, f);
	if (strcmp(name, "delegate") == 0)
		return api_take_delegate(value, r, f);
	return REFUSE(
	    f, RC_INVALID, UNKNOWN_MEMBER, name, "no member of that name is known here");
}

enum rc
api_native_query(struct span query, bool *dry_run, struct fault *f)
{
	if (query.len == 0 || span_is(query, "dry_run=0"))
		return RC_OK;
	if (!span_is(query, "dry_run=1"))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, NULL,
		    "the only query is 'dry_run=1' or 'dry_run=0'");
	*dry_run = true;
	return RC_OK;
}

static enum rc
decode(struct api_call *call, json_t **root, struct sign_request *r, struct fault *f)
{
	const char *name;
	json_t *value;

	TRY(api_native_query(call->http->query, &r->dry_run, f));
	TRY(api_body(call, root, f));
	if (!http1_accepts(call->http->accept, "application/json"))
		return REFUSE(
		    f, RC_INVALID, NOT_ACCEPTABLE, NULL, "the answer is application/json");
	json_object_foreach (*root, name, value)
		TRY(api_native_member(name, value, r, f));
	if (r->claims == NULL)
		return REFUSE(f, RC_INVALID, MISSING_MEMBER, "claims", "every request has it");
	return RC_OK;
}

void
api_native_put(struct buf *out, const struct sign_answer *a)
{
	if (a->dry_run) {
		jw_bool(out, "dry_run", true);
	} else {
		jw_behind(out, "passport", a->passport, (struct span){ 0 });
		if (a->identity.len > 0)
			jw_behind(out, "identity", a->passport,
			    span_of(a->identity.ptr + a->passport.len,
				a->identity.len - a->passport.len));
		else
			jw_null(out, "identity");
	}
	jw_str(out, "tenant", a->tenant);
	jw_str(out, "credential", a->credential);
	jw_str(out, "serial", a->serial);
	if (a->attest != 0)
		jw_span(out, "attest", span_of(&a->attest, 1));
	if (a->originals != 0) {
		jw_uint(out, "originals", a->originals);
		jw_uint(out, "originals_verified", a->originals_verified);
	}
	jw_int(out, "not_after", a->not_after_s);
}

static void
write_allowed(struct buf *out, const struct sign_answers *a)
{
	jw_open(out, NULL, '{');
	api_native_put(out, &a->item[0]);
	jw_str(out, "request_id", a->request_id);
	jw_close(out, '}');
}

static void
write_refused(struct buf *out, const struct fault *f, const struct sign_answers *a)
{
	problem_write(out, f, a->request_id);
}

static const struct sign_face face = {
	.type = "application/json",
	.problem_type = PROBLEM_TYPE,
	.allowed = write_allowed,
	.refused = write_refused,
};

void
api_passports(struct api_call *call)
{
	struct sign_request r = { .ppt = PPT_BASE, .request_id = call->request_id };
	struct desk *d = &call->front->desk;
	json_auto_t *root = NULL;
	struct fault f = { 0 };

	if (decode(call, &root, &r, &f) != RC_OK)
		sign_refuse(d, call->conn, &face, &f, call->request_id);
	else
		sign_start(d, call->conn,
		    &(struct sign_call){ .request = &r,
			.len = 1,
			.face = &face,
			.request_id = call->request_id,
			.keep = { root } });
}
