#include "agent/front/api.h"

#include <ctype.h>
#include <openssl/rand.h>

#include "agent/front/admin_api.h"
#include "agent/front/metrics.h"
#include "agent/front/notice.h"
#include "agent/front/problem.h"
#include "agent/front/proof.h"
#include "stir/jtext.h"

enum { ID_LEN = 16 };

#define GET(door, match, path, tail, handle) \
	{ \
		door, HTTP1_GET, match, path, tail, handle, HAND__COUNT \
	}
#define POST(door, match, path, tail, handle) \
	{ \
		door, HTTP1_POST, match, path, tail, handle, HAND__COUNT \
	}
#define BY_HAND(match, path, tail, hand) \
	{ \
		API_ADMIN, HTTP1_POST, match, path, tail, admin_hand, hand \
	}

static const struct api_route routes[] = {
	POST(API_CALLERS, API_EXACT, "/v1/passports", "", api_passports),
	POST(API_CALLERS, API_EXACT, "/v1/calls", "", api_calls),
	POST(API_CALLERS, API_SUFFIX, "/v1/signing", "", api_signing),
	GET(API_BOTH, API_EXACT, "/v1/credentials", "", api_credentials),
	GET(API_BOTH, API_TWO, "/v1/credentials/", "", api_credential),
	GET(API_BOTH, API_EXACT, "/v1/status", "", api_status),
	GET(API_BOTH, API_EXACT, "/health/live", "", api_live),
	GET(API_BOTH, API_EXACT, "/health/ready", "", api_ready),
	POST(API_ADMIN, API_TWO, "/v1/credentials/", "/renew", admin_renew),
	BY_HAND(API_TWO, "/v1/credentials/", "/csr", HAND_CSR),
	BY_HAND(API_TWO, "/v1/credentials/", "/install", HAND_INSTALL),
	BY_HAND(API_TWO, "/v1/credentials/", "/token", HAND_TOKEN),
	BY_HAND(API_TWO, "/v1/credentials/", "/token/judge", HAND_JUDGE),
	BY_HAND(API_TWO, "/v1/credentials/", "/token/fetch", HAND_FETCH),
	BY_HAND(API_TWO, "/v1/credentials/", "/revoke", HAND_REVOKE),
	BY_HAND(API_TWO, "/v1/credentials/", "/history", HAND_HISTORY),
	GET(API_ADMIN, API_EXACT, "/v1/accounts", "", admin_accounts),
	BY_HAND(API_ONE, "/v1/accounts/", "", HAND_ACCOUNT),
	BY_HAND(API_ONE, "/v1/accounts/", "/contact", HAND_CONTACT),
	BY_HAND(API_ONE, "/v1/accounts/", "/key", HAND_KEY),
	BY_HAND(API_ONE, "/v1/accounts/", "/deactivate", HAND_DEACTIVATE),
	BY_HAND(API_ONE, "/v1/accounts/", "/replace", HAND_REPLACE),
	BY_HAND(API_ONE, "/v1/tokens/", "/keys", HAND_KEYS),
	BY_HAND(API_ONE, "/v1/tokens/", "/orphans", HAND_ORPHANS),
	GET(API_ADMIN, API_ONE, "/v1/tenants/", "/numbers", admin_numbers),
	POST(API_ADMIN, API_ONE, "/v1/tenants/", "/numbers", admin_change_numbers),
	BY_HAND(API_ONE, "/v1/tenants/", "/failover", HAND_FAILOVER),
	BY_HAND(API_ONE, "/v1/tenants/", "/failback", HAND_FAILBACK),
	BY_HAND(API_ONE, "/v1/tenants/", "/offboarding", HAND_OFFBOARD),
	BY_HAND(API_ONE, "/v1/tenants/", "/offboarding/destroy-keys", HAND_DESTROY_KEYS),
	BY_HAND(API_ONE, "/v1/tenants/", "/offboarding/take-back", HAND_TAKE_BACK),
	BY_HAND(API_ONE, "/v1/tenants/", "/offboarding/status", HAND_OFFBOARDING),
	POST(API_ADMIN, API_EXACT, "/v1/reload", "", admin_reload),
	GET(API_ADMIN, API_ONE, "/v1/jobs/", "", admin_job),
	GET(API_ADMIN, API_EXACT, "/v1/ct", "", admin_ct),
	GET(API_ADMIN, API_EXACT, "/v1/events", "", admin_events),
	GET(API_ADMIN, API_EXACT, "/metrics", "", metrics_show),
};

/* ---- request ids ---- */

static bool
is_request_id(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!isalnum(s.ptr[i]) && s.ptr[i] != '-')
			return false;
	}
	return s.len > 0 && s.len <= SIGN_REQUEST_ID_MAX;
}

/*
 * Unlike others, not unpredictable: a failing generator does no harm.  Asking
 * it costs two system calls, so it is asked for many at once; loop thread only.
 */
static const uint8_t *
random_id(void)
{
	static uint8_t pool[64][ID_LEN];
	static size_t used = ARRAY_LEN(pool);

	if (used == ARRAY_LEN(pool)) {
		(void)RAND_bytes(pool[0], sizeof pool);
		used = 0;
	}
	return pool[used++];
}

void
api_request_id(struct span asked, char out[SIGN_REQUEST_ID_MAX + 1])
{
	static const char digit[] = "0123456789abcdef";
	const uint8_t *random;

	if (is_request_id(asked)) {
		memcpy(out, asked.ptr, asked.len);
		out[asked.len] = 0;
		return;
	}
	random = random_id();
	for (size_t i = 0; i < ID_LEN; i++) {
		out[2 * i] = digit[random[i] >> 4];
		out[2 * i + 1] = digit[random[i] & 15];
	}
	out[2 * ID_LEN] = 0;
}

/* ---- answers ---- */

void
api_json(struct api_call *call, int status, struct buf *body)
{
	if (buf_check(body, NULL) != RC_OK) {
		struct fault f = { 0 };

		(void)REFUSE(&f, RC_BUSY, INTERNAL, NULL, "the answer is too large");
		api_problem(call, &f);
		return;
	}
	conn_answer(call->conn, &(struct http1_answer){ .status = status,
				    .content_type = "application/json",
				    .body = buf_view(body),
				    .request_id = call->request_id });
}

void
api_problem(struct api_call *call, const struct fault *f)
{
	problem_answer(call->conn, f, call->request_id, NULL);
}

enum rc
api_take_delegate(const json_t *value, struct sign_request *r, struct fault *f)
{
	struct span text = jtext_span(value);

	if (!json_is_string(value) || text.len == 0 || text.len > PROOF_MAX_BYTES)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "delegate",
		    "must be a PASSporT of at most %d bytes", PROOF_MAX_BYTES);
	r->delegate_passport = text;
	return RC_OK;
}

enum rc
api_body(struct api_call *call, json_t **out, struct fault *f)
{
	json_auto_t *root = NULL;

	if (!http1_is_type(call->http->content_type, "application/json"))
		return REFUSE(f, RC_INVALID, UNSUPPORTED_MEDIA, NULL,
		    "the body must be of Content-Type application/json, in UTF-8");
	if (!http1_accepts(call->http->accept, "application/json") &&
	    !http1_accepts(call->http->accept, "text/plain"))
		return REFUSE(
		    f, RC_INVALID, NOT_ACCEPTABLE, NULL, "the answer is application/json");
	if (call->http->body.len == 0)
		return REFUSE(f, RC_INVALID, MALFORMED_JSON, NULL, "no body");
	TRY(jtext_read(call->http->body, &root, f));
	if (!json_is_object(root))
		return REFUSE(
		    f, RC_INVALID, MALFORMED_JSON, NULL, "the body must be an object");
	*out = TAKE(root);
	return RC_OK;
}

bool
api_number(struct span text, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (!isdigit(text.ptr[i]) || i >= 18)
			return false;
		*out = *out * 10 + (uint64_t)(text.ptr[i] - '0');
	}
	return text.len > 0;
}

/* ---- routes ---- */

static bool
cut_prefix(struct span *s, const char *text)
{
	size_t len = strlen(text);

	if (s->len < len || memcmp(s->ptr, text, len) != 0)
		return false;
	span_cut(s, len);
	return true;
}

static bool
ends_with(struct span s, const char *text)
{
	size_t len = strlen(text);

	return s.len >= len && memcmp(s.ptr + s.len - len, text, len) == 0;
}

static bool
match_names(struct span rest, const struct api_route *route, struct span part[2])
{
	size_t n = route->match == API_TWO ? 2 : 1;
	const uint8_t *slash;

	if (!ends_with(rest, route->tail))
		return false;
	rest.len -= strlen(route->tail);
	if (n == 2) {
		slash = rest.len > 0 ? memchr(rest.ptr, '/', rest.len) : NULL;
		if (slash == NULL)
			return false;
		part[0] = span_cut(&rest, (size_t)(slash - rest.ptr));
		span_cut(&rest, 1);
	}
	part[n - 1] = rest;
	return part[0].len > 0 && rest.len > 0 && memchr(rest.ptr, '/', rest.len) == NULL;
}

static bool
matches(const struct api_route *route, struct span path, struct span part[2])
{
	switch (route->match) {
	case API_EXACT: return span_is(path, route->path);
	case API_SUFFIX: return ends_with(path, route->path);
	default: return cut_prefix(&path, route->path) && match_names(path, route, part);
	}
}

/* The route, or what to say where there is none: 404, or 405 and the method that there is. */
static const struct api_route *
find_route(struct api_call *call, const char **allow)
{
	enum api_door door = call->conn->admin ? API_ADMIN : API_CALLERS;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		const struct api_route *r = &routes[i];

		if ((r->door & door) == 0 || !matches(r, call->http->path, call->part))
			continue;
		if (r->method == call->http->method)
			return r;
		*allow = r->method == HTTP1_GET ? "GET" : "POST";
	}
	return NULL;
}

/* In the form of the route that was asked. */
static void
refuse(struct api_call *call, const struct fault *f, const char *allow)
{
	if (!call->conn->admin && api_is_signing(call->http->path))
		api_signing_problem(call, f, allow);
	else
		problem_answer(call->conn, f, call->request_id, allow);
}

static void
no_route(struct api_call *call, const char *allow)
{
	struct fault f = { 0 };

	if (allow != NULL)
		(void)REFUSE(
		    &f, RC_INVALID, METHOD_NOT_ALLOWED, NULL, "this resource takes %s", allow);
	else
		(void)REFUSE(
		    &f, RC_NOT_FOUND, NOT_FOUND, NULL, "there is no such resource here");
	refuse(call, &f, allow);
}

static bool
admitted(struct api_call *call)
{
	struct fault f = { 0 };

	if (!call->conn->admin || front_is_admin(call->front, &call->conn->caller))
		return true;
	(void)REFUSE(
	    &f, RC_DENIED, CALLER_NOT_ALLOWED, NULL, "this user does not administer the agent");
	api_problem(call, &f);
	return false;
}

static bool
is_stranger(const struct api_call *call)
{
	struct conn *c = call->conn;
	struct span path = call->http->path;

	return !c->admin && !cut_prefix(&path, "/health/") &&
	       !caller_see(&c->caller, front_set(call->front), &c->view)->any;
}

/*
 * A caller without any tenant: what it asks costs one of the rate that all of
 * them share, and is not read where it could only be refused.
 */
static enum rc
take_stranger(struct api_call *call, const struct api_route *route, struct fault *f)
{
	struct desk *d = &call->front->desk;

	TRY(policy_take_stranger(d->policy, loop_now_ms(d->loop), f));
	if (route == NULL || route->method == HTTP1_GET)
		return RC_OK;
	return REFUSE(f, RC_DENIED, CALLER_NOT_ALLOWED, NULL, "this caller may use no tenant");
}

void
api_request(void *arg, struct conn *c, const struct http1_request *r)
{
	struct api_call call = { .front = arg, .conn = c, .http = r };
	const struct api_route *route;
	const char *allow = NULL;
	struct fault f = { 0 };

	api_request_id(r->request_id, call.request_id);
	if (!admitted(&call))
		return;
	route = find_route(&call, &allow);
	if (is_stranger(&call) && take_stranger(&call, route, &f) != RC_OK) {
		sign_count_refused(&call.front->desk, &f);
		refuse(&call, &f, NULL);
	} else if (route == NULL) {
		no_route(&call, allow);
	} else {
		call.hand = route->hand;
		route->handle(&call);
	}
}

void
api_malformed(void *arg, struct conn *c, const struct http1_request *r, const struct fault *f)
{
	struct api_call call = { .front = arg, .conn = c, .http = r };

	call.front->desk.stats.not_http++;
	api_request_id((struct span){ 0 }, call.request_id);
	refuse(&call, f, NULL);
}

bool
api_is_signing(struct span path)
{
	return ends_with(path, "/v1/signing");
}
