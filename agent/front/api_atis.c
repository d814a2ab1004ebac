/*
 * POST …/v1/signing: ATIS-1000082 and 3GPP TS 24.229 annex V in one body, for
 * SIP servers that know nothing else.
 */
#include "agent/front/api.h"

#include "agent/front/jw.h"
#include "stir/jtext.h"

enum { RETRY_AFTER_S = 1 };

/* ---- refusals ---- */

enum variable { VAR_NONE, VAR_CLAIM, VAR_CLAIM_WHY, VAR_TYPE, VAR_PARSE };

/* docs/PROTOCOL.md, "Reasons", has this table. */
static const struct {
	enum reason reason;
	const char *id, *text;
	enum variable variable;
} codes[] = {
	{ REASON_MISSING_CLAIM, "SVC4001", "Missing mandatory parameter '%1'", VAR_CLAIM },
	{ REASON_MISSING_MEMBER, "SVC4001", "Missing mandatory parameter '%1'", VAR_CLAIM },
	{ REASON_NOT_ACCEPTABLE, "SVC4002",
	    "Requested response body type '%1' is not supported", VAR_TYPE },
	{ REASON_NOT_FOUND, "SVC4003", "Requested resource was not found", VAR_NONE },
	{ REASON_UNSUPPORTED_MEDIA, "SVC4004", "Unsupported request body type, expected '%1'",
	    VAR_TYPE },
	{ REASON_INVALID_CLAIM, "SVC4005", "Invalid '%1' parameter value: %2", VAR_CLAIM_WHY },
	{ REASON_INVALID_MEMBER, "SVC4005", "Invalid '%1' parameter value: %2", VAR_CLAIM_WHY },
	{ REASON_UNKNOWN_MEMBER, "SVC4005", "Invalid '%1' parameter value: %2", VAR_CLAIM_WHY },
	{ REASON_UNKNOWN_CLAIM, "SVC4005", "Invalid '%1' parameter value: %2", VAR_CLAIM_WHY },
	{ REASON_INVALID_TN, "SVC4005", "Invalid '%1' parameter value: %2", VAR_CLAIM_WHY },
	{ REASON_STALE_IAT, "SVC4005", "Invalid '%1' parameter value: %2", VAR_CLAIM_WHY },
	{ REASON_UNSUPPORTED_PPT, "SVC4005", "Invalid '%1' parameter value: %2",
	    VAR_CLAIM_WHY },
	{ REASON_MISSING_ORIGINAL, "SVC4001", "Missing mandatory parameter '%1'", VAR_CLAIM },
	{ REASON_MALFORMED_JSON, "SVC4006", "Failed to parse received message body: %1",
	    VAR_PARSE },
	{ REASON_DUPLICATE_MEMBER, "SVC4006", "Failed to parse received message body: %1",
	    VAR_PARSE },
	{ REASON_MALFORMED_HTTP, "SVC4006", "Failed to parse received message body: %1",
	    VAR_PARSE },
	{ REASON_TOO_LARGE, "SVC4006", "Failed to parse received message body: %1", VAR_PARSE },
	{ REASON_LENGTH_REQUIRED, "SVC4007", "Missing mandatory Content-Length header",
	    VAR_NONE },
	{ REASON_METHOD_NOT_ALLOWED, "POL4050", "Method not allowed", VAR_NONE },
	{ REASON_TN_NOT_AUTHORIZED, "POL4301", "Telephone number is not covered", VAR_CLAIM },
	{ REASON_CLAIM_EXCLUDED, "POL4302", "Claim '%1' is outside the constraints",
	    VAR_CLAIM },
	{ REASON_CLAIM_MISSING_BY_CONSTRAINT, "POL4302",
	    "Claim '%1' is outside the constraints", VAR_CLAIM },
	{ REASON_VALUE_NOT_PERMITTED, "POL4302", "Claim '%1' is outside the constraints",
	    VAR_CLAIM },
	{ REASON_COMMITMENT_NOT_PROVABLE, "POL4302", "Claim '%1' is outside the constraints",
	    VAR_CLAIM },
	{ REASON_CLAIM_NOT_VETTED, "POL4302", "Claim '%1' is outside the constraints",
	    VAR_CLAIM },
	{ REASON_PRIVATE_CLAIM_IN_CLEAR, "POL4302", "Claim '%1' is outside the constraints",
	    VAR_CLAIM },
	{ REASON_RCD_CONTENT_UNKNOWN, "POL4302", "Content of claim '%1' is not known",
	    VAR_CLAIM },
	{ REASON_RPH_NOT_ALLOWED, "POL4308", "Resource priority is not allowed", VAR_CLAIM },
	{ REASON_ORIGINAL_INVALID, "POL4309", "The original PASSporT does not hold",
	    VAR_CLAIM },
	{ REASON_ORIGINAL_MISMATCH, "POL4309", "The original PASSporT does not hold",
	    VAR_CLAIM },
	{ REASON_NO_CREDENTIAL, "POL4303", "No active credential", VAR_NONE },
	{ REASON_NUMBER_PENDING, "POL4303", "No active credential", VAR_NONE },
	{ REASON_CREDENTIAL_EXPIRED, "POL4303", "No active credential", VAR_NONE },
	{ REASON_CREDENTIAL_UNUSABLE, "POL4303", "No active credential", VAR_NONE },
	{ REASON_AMBIGUOUS_CREDENTIAL, "POL4303", "No active credential", VAR_NONE },
	{ REASON_IDENTITY_TOO_LARGE, "POL4303", "No active credential", VAR_NONE },
	{ REASON_CALLER_NOT_ALLOWED, "POL4304", "Caller is not allowed", VAR_NONE },
	{ REASON_TENANT_DISABLED, "POL4304", "Caller is not allowed", VAR_NONE },
	{ REASON_ATTEST_NOT_ALLOWED, "POL4305", "Attestation is above the limit", VAR_CLAIM },
	{ REASON_ORIGINATOR_NOT_LISTED, "POL4304", "Caller is not allowed", VAR_NONE },
	{ REASON_DEST_NOT_ALLOWED, "POL4307", "Destination is not allowed", VAR_CLAIM },
	{ REASON_SCT_POLICY, "POL4306", "Certificate transparency is not satisfied", VAR_NONE },
	{ REASON_RATE_LIMITED, "POL4290", "Too many requests", VAR_NONE },
	{ REASON_HSM_UNAVAILABLE, "POL5003", "Signing is not available. Please try again later",
	    VAR_NONE },
	{ REASON_HSM_TIMEOUT, "POL5003", "Signing is not available. Please try again later",
	    VAR_NONE },
	{ REASON_OVERLOADED, "POL5003", "Signing is not available. Please try again later",
	    VAR_NONE },
	{ REASON_AUDIT_UNAVAILABLE, "POL5003",
	    "Signing is not available. Please try again later", VAR_NONE },
	{ REASON_CLOCK_NOT_CREDIBLE, "POL5003",
	    "Signing is not available. Please try again later", VAR_NONE },
};

static void
write_variables(struct buf *out, enum variable v, const struct fault *f)
{
	jw_open(out, "variables", '[');
	switch (v) {
	case VAR_NONE: break;
	case VAR_CLAIM_WHY:
		jw_str(out, NULL, f->claim[0] != 0 ? f->claim : "signingRequest");
		jw_str(out, NULL, f->detail);
		break;
	case VAR_CLAIM:
		jw_str(out, NULL, f->claim[0] != 0 ? f->claim : "signingRequest");
		break;
	case VAR_TYPE: jw_str(out, NULL, "application/json"); break;
	case VAR_PARSE:
		jw_str(out, NULL,
		    fault_is(f, REASON_TOO_LARGE) ? "invalid message body length specified"
						  : "invalid JSON body");
		break;
	}
	jw_close(out, ']');
}

static void
write_refused(struct buf *out, const struct fault *f, const char *request_id)
{
	const char *id = "POL5000", *text = "Internal Server Error. Please try again later";
	enum variable variable = VAR_NONE;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (strcmp(f->reason, reason_token(codes[i].reason)) != 0)
			continue;
		id = codes[i].id;
		text = codes[i].text;
		variable = codes[i].variable;
	}
	if (fault_is(f, REASON_MISSING_MEMBER) && f->claim[0] == 0) {
		id = "SVC4000";
		text = "Missing request body";
		variable = VAR_NONE;
	}
	jw_open(out, NULL, '{');
	jw_open(out, "requestError", '{');
	jw_open(out, id[0] == 'S' ? "serviceException" : "policyException", '{');
	jw_str(out, "messageId", id);
	jw_str(out, "text", text);
	write_variables(out, variable, f);
	jw_close(out, '}');
	jw_close(out, '}');
	/* For those who know us: the native reason beside it. */
	jw_open(out, "vesper", '{');
	jw_str(out, "reason",
	    reason_status(f->reason) == 500 ? reason_token(REASON_INTERNAL) : f->reason);
	jw_str(out, "detail", f->detail);
	if (f->claim[0] != 0)
		jw_str(out, "claim", f->claim);
	jw_str(out, "request_id", request_id);
	jw_close(out, '}');
	jw_close(out, '}');
}

/* ---- answers: both members, so that one body serves both dialects ---- */

static void
write_allowed(struct buf *out, const struct sign_answers *a)
{
	jw_open(out, NULL, '{');
	jw_open(out, "signingResponse", '{');
	jw_span(out, "identity", a->item[0].identity);
	jw_span(out, "identityHeader", a->item[0].identity);
	jw_str(out, "requestId", a->request_id);
	jw_close(out, '}');
	jw_close(out, '}');
}

static void
write_refused_call(struct buf *out, const struct fault *f, const struct sign_answers *a)
{
	write_refused(out, f, a->request_id);
}

static const struct sign_face face = {
	.type = "application/json",
	.problem_type = "application/json",
	.allowed = write_allowed,
	.refused = write_refused_call,
};

void
api_signing_problem(struct api_call *call, const struct fault *f, const char *allow)
{
	AUTO_BUF body = BUF_INIT(4096);
	int status = reason_status(f->reason);

	write_refused(&body, f, call->request_id);
	conn_answer(call->conn,
	    &(struct http1_answer){ .status = status,
		.content_type = "application/json",
		.body = buf_view(&body),
		.request_id = call->request_id,
		.allow = allow,
		.retry_after_s = status == 503 || status == 429 ? RETRY_AFTER_S : 0 });
}

/* ---- requests ---- */

/* What else is a claim, wherever it stands: judged as one, and never dropped in silence. */
static const char *const claim_names[] = { "attest", "crn", "dest", "div", "iat", "iss", "mky",
	"msgi", "opt", "orig", "origid", "rcd", "rcdi", "rph", "sph", "vper" };

static bool
is_claim(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(claim_names); i++) {
		if (strcmp(name, claim_names[i]) == 0)
			return true;
	}
	return false;
}

static enum rc
take_name(const json_t *from, const char *name, const char **out, struct fault *f)
{
	const json_t *value = json_object_get(from, name);

	if (value == NULL)
		return RC_OK;
	if (!json_is_string(value) || json_string_length(value) == 0 ||
	    json_string_length(value) > CONFIG_NAME_MAX)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, name, "must be a short string");
	*out = json_string_value(value);
	return RC_OK;
}

/* Our own members live under "vesper", so that a plain client stays a plain client. */
static enum rc
take_own(const json_t *own, struct sign_request *r, struct fault *f)
{
	if (own == NULL)
		return RC_OK;
	if (!json_is_object(own))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "vesper", "must be an object");
	TRY(take_name(own, "tenant", &r->tenant, f));
	if (json_object_get(own, "delegate") != NULL)
		TRY(api_take_delegate(json_object_get(own, "delegate"), r, f));
	return take_name(own, "credential", &r->credential, f);
}

static enum rc
take_ppt(const json_t *value, struct sign_request *r, struct fault *f)
{
	r->ppt = PPT_SHAKEN;
	if (value == NULL)
		return RC_OK;
	if (!json_is_string(value))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "ppt", "must be a string");
	/* ppt_find(NULL) is the base type, which no ATIS request can name. */
	if (ppt_find(json_string_value(value), &r->ppt, NULL) != RC_OK)
		return REFUSE(
		    f, RC_INVALID, UNSUPPORTED_PPT, "ppt", "this ppt is not signed here");
	return RC_OK;
}

/* 3GPP servers name the request in the body; ATIS ones in X-RequestID. */
static void
take_request_id(struct api_call *call, const json_t *value)
{
	if (call->http->request_id.ptr == NULL && json_is_string(value))
		api_request_id(jtext_span(value), call->request_id);
}

static enum rc
take_claims(const json_t *body, json_t **out, struct fault *f)
{
	json_auto_t *claims = json_object();
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)body, name, value) {
		if (is_claim(name) && json_object_set(claims, name, value) != 0)
			return REFUSE(
			    f, RC_NO_MEMORY, INTERNAL, NULL, "no memory for the claims");
	}
	*out = TAKE(claims);
	return RC_OK;
}

struct atis_request {
	json_t *root, *claims; /* owned */
	struct sign_request sign;
	bool plain;
};

static enum rc
decode(struct api_call *call, struct atis_request *a, struct fault *f)
{
	const json_t *body;

	if (call->http->body.len == 0)
		return REFUSE(f, RC_INVALID, MISSING_MEMBER, NULL, "no body");
	TRY(api_body(call, &a->root, f));
	body = json_object_get(a->root, "signingRequest");
	if (body == NULL)
		return REFUSE(f, RC_INVALID, MISSING_MEMBER, "signingRequest", "it is due");
	if (!json_is_object(body))
		return REFUSE(
		    f, RC_INVALID, INVALID_MEMBER, "signingRequest", "must be an object");
	take_request_id(call, json_object_get(body, "requestId"));
	TRY(take_ppt(json_object_get(body, "ppt"), &a->sign, f));
	TRY(take_own(json_object_get(body, "vesper"), &a->sign, f));
	TRY(take_claims(body, &a->claims, f));
	a->sign.claims = a->claims;
	a->plain = !http1_accepts(call->http->accept, "application/json");
	return RC_OK;
}

void
api_signing(struct api_call *call)
{
	struct desk *d = &call->front->desk;
	struct atis_request a = { .sign = { .needs_identity = true } };
	struct fault f = { 0 };

	a.sign.request_id = call->request_id;
	if (decode(call, &a, &f) != RC_OK)
		sign_refuse(d, call->conn, &face, &f, call->request_id);
	else
		sign_start(d, call->conn,
		    &(struct sign_call){ .request = &a.sign,
			.len = 1,
			.face = &face,
			.plain = a.plain,
			.request_id = call->request_id,
			.keep = { a.root, a.claims } });
	json_decref(a.claims);
	json_decref(a.root);
}
