#include "client/vesper.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client/http.h"
#include "config.h"

enum { TIMEOUT_MS = 6000, REQUEST_MAX = 1024 * 1024, CHUNK = 65536 };
enum { ANSWER_MAX = HTTP_HEADER_MAX + HTTP_BODY_MAX };

static_assert(
    sizeof VESPER_VERSION == sizeof PACKAGE_VERSION, "configure.ac names the version");

struct vesper_client {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd; /* -1: to be connected again */
	unsigned timeout_ms;
	struct buf in;
};

struct vesper_response {
	int status, retry_after_s;
	size_t len;
	char *body; /* NUL-terminated */
};

struct vesper_signature {
	char *passport, *identity;
	struct vesper_response *response;
};

const char *
vesper_version(void)
{
	return PACKAGE_VERSION;
}

static int
fail(struct vesper_error *e, enum vesper_code code, const char *reason, const char *detail)
{
	if (e == NULL)
		return (int)code;
	*e = (struct vesper_error){ .code = (int)code };
	snprintf(e->reason, sizeof e->reason, "%s", reason);
	snprintf(e->detail, sizeof e->detail, "%s", detail);
	return (int)code;
}

static int
no_memory(struct vesper_error *e)
{
	return fail(e, VESPER_NO_MEMORY, "no_memory", "no memory");
}

/* ---- the connection ----------------------------------------------------------- */

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Wait until the socket is ready, or the moment until_ms. */
static int
wait_for(const struct vesper_client *c, short events, int64_t until_ms, struct vesper_error *e)
{
	struct pollfd p = { .fd = c->fd, .events = events };

	for (;;) {
		int64_t left_ms = until_ms - now_ms();
		int n = left_ms <= 0 ? 0 : poll(&p, 1, (int)left_ms);

		if (n > 0)
			return VESPER_OK;
		if (n == 0)
			return fail(e, VESPER_TIMED_OUT, "timeout", "no answer in time");
		if (errno != EINTR)
			return fail(e, VESPER_NOT_REACHABLE, "socket", strerror(errno));
	}
}

static void
hang_up(struct vesper_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_clear(&c->in);
}

/* Whoever is not let in is told something else than where nobody is. */
static int
unreached(const struct vesper_client *c, int why, struct vesper_error *e)
{
	const char *reason = why == ENOENT	   ? "no_socket"
			     : why == ECONNREFUSED ? "not_listening"
			     : why == EACCES	   ? "not_permitted"
						   : "connect";
	char detail[sizeof e->detail];

	snprintf(detail, sizeof detail, "%s: %s", c->path, strerror(why));
	return fail(e, VESPER_NOT_REACHABLE, reason, detail);
}

static int
dial(struct vesper_client *c, int64_t until_ms, struct vesper_error *e)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	memcpy(to.sun_path, c->path, sizeof to.sun_path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return fail(e, VESPER_NOT_REACHABLE, "socket", strerror(errno));
	while (connect(c->fd, (const struct sockaddr *)&to, sizeof to) != 0) {
		int why = errno;

		/* A Unix socket says EAGAIN while the listener's queue is full. */
		if (why == EAGAIN && now_ms() < until_ms) {
			poll(NULL, 0, 10);
			continue;
		}
		hang_up(c);
		return unreached(c, why, e);
	}
	return VESPER_OK;
}

/*
 * An idle connection that the agent has ended is found out before anything is
 * sent: after sending, nobody could say whether the request was carried out.
 */
static bool
is_idle(const struct vesper_client *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	return c->fd >= 0 && poll(&p, 1, 0) == 0;
}

static int
send_all(struct vesper_client *c, struct span what, int64_t until_ms, struct vesper_error *e)
{
	while (what.len > 0) {
		ssize_t n = send(c->fd, what.ptr, what.len, MSG_NOSIGNAL);

		if (n > 0) {
			span_cut(&what, (size_t)n);
			continue;
		}
		if (errno == EAGAIN) {
			int code = wait_for(c, POLLOUT, until_ms, e);

			if (code != VESPER_OK)
				return code;
		} else if (errno != EINTR) {
			return fail(e, VESPER_NOT_REACHABLE, "send", strerror(errno));
		}
	}
	return VESPER_OK;
}

static int
receive(struct vesper_client *c, int64_t until_ms, struct vesper_error *e)
{
	int code = wait_for(c, POLLIN, until_ms, e);
	uint8_t *room;
	ssize_t n;

	if (code != VESPER_OK)
		return code;
	room = buf_room(&c->in, CHUNK);
	if (room == NULL)
		return fail(e, VESPER_PROTOCOL, "http", "an answer that is too large");
	n = recv(c->fd, room, CHUNK, 0);
	if (n > 0)
		buf_grew(&c->in, (size_t)n);
	if (n == 0)
		return fail(
		    e, VESPER_NOT_REACHABLE, "closed", "the agent ended the connection");
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return fail(e, VESPER_NOT_REACHABLE, "receive", strerror(errno));
	return VESPER_OK;
}

/* ---- one request ---------------------------------------------------------------- */

static struct vesper_response *
keep_response(const struct http_answer *a)
{
	struct vesper_response *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->body = malloc(a->body.len + 1);
	if (r->body == NULL) {
		free(r);
		return NULL;
	}
	if (a->body.len > 0)
		memcpy(r->body, a->body.ptr, a->body.len);
	r->body[a->body.len] = 0;
	r->len = a->body.len;
	r->status = a->status;
	r->retry_after_s = a->retry_after_s;
	return r;
}

static int
read_answer(struct vesper_client *c, int64_t until_ms, struct vesper_response **out,
    struct vesper_error *e)
{
	struct http_answer a = { 0 };
	struct fault f = { 0 };
	bool complete = false;

	while (!complete) {
		int code = receive(c, until_ms, e);

		if (code != VESPER_OK)
			return code;
		if (http_answer(buf_view(&c->in), &a, &complete, &f) != RC_OK)
			return fail(e, VESPER_PROTOCOL, f.reason, f.detail);
	}
	*out = keep_response(&a);
	if (*out == NULL)
		return no_memory(e);
	buf_consume(&c->in, a.len);
	if (a.close)
		hang_up(c);
	return VESPER_OK;
}

static int
exchange(struct vesper_client *c, struct span request, struct vesper_response **out,
    struct vesper_error *e)
{
	int64_t until_ms = now_ms() + c->timeout_ms;
	int code = VESPER_OK;

	if (!is_idle(c)) {
		hang_up(c);
		code = dial(c, until_ms, e);
	}
	if (code == VESPER_OK)
		code = send_all(c, request, until_ms, e);
	/* A refusal may come before everything was sent: read it then too. */
	if (code == VESPER_OK || (code == VESPER_NOT_REACHABLE && c->fd >= 0))
		code = read_answer(c, until_ms, out, e);
	if (code != VESPER_OK)
		hang_up(c);
	return code;
}

int
vesper_call(struct vesper_client *client, const char *method, const char *target,
    const char *body, struct vesper_response **out, struct vesper_error *error)
{
	AUTO_BUF request = BUF_INIT(REQUEST_MAX);

	if (client == NULL || method == NULL || target == NULL || out == NULL)
		return fail(error, VESPER_INVALID, "argument", "a NULL argument");
	if (target[0] != '/' || strpbrk(target, " \r\n") != NULL ||
	    strpbrk(method, " \r\n") != NULL)
		return fail(error, VESPER_INVALID, "argument", "the method or the target");
	http_request(
	    &request, method, target, body == NULL ? span_of(NULL, 0) : span_str(body));
	if (buf_check(&request, NULL) != RC_OK)
		return fail(error, VESPER_INVALID, "too_large", "the request is too large");
	return exchange(client, buf_view(&request), out, error);
}

int
vesper_open(const char *path, struct vesper_client **out, struct vesper_error *error)
{
	struct vesper_client *c;
	int code;

	if (path == NULL)
		path = secure_getenv("VESPER_SOCKET");
	if (path == NULL || path[0] == 0)
		path = VESPER_DEFAULT_SOCKET;
	if (out == NULL || strlen(path) >= sizeof c->path)
		return fail(error, VESPER_INVALID, "argument", "the path of the socket");
	c = calloc(1, sizeof *c);
	if (c == NULL)
		return no_memory(error);
	memcpy(c->path, path, strlen(path) + 1);
	c->timeout_ms = TIMEOUT_MS;
	c->in = BUF_INIT(ANSWER_MAX);
	code = dial(c, now_ms() + c->timeout_ms, error);
	if (code != VESPER_OK) {
		vesper_close(c);
		return code;
	}
	*out = c;
	return VESPER_OK;
}

void
vesper_close(struct vesper_client *client)
{
	if (client == NULL)
		return;
	hang_up(client);
	buf_free(&client->in);
	free(client);
}

void
vesper_set_timeout_ms(struct vesper_client *client, unsigned timeout_ms)
{
	client->timeout_ms = timeout_ms;
}

void
vesper_response_free(struct vesper_response *response)
{
	if (response == NULL)
		return;
	free(response->body);
	free(response);
}

int
vesper_response_status(const struct vesper_response *response)
{
	return response->status;
}

const char *
vesper_response_body(const struct vesper_response *response)
{
	return response->body;
}

size_t
vesper_response_length(const struct vesper_response *response)
{
	return response->len;
}

int
vesper_status(
    struct vesper_client *client, struct vesper_response **out, struct vesper_error *error)
{
	return vesper_call(client, "GET", "/v1/status", NULL, out, error);
}

/* ---- signing --------------------------------------------------------------------- */

static enum vesper_code
code_of_status(int status)
{
	if (status < 300)
		return VESPER_OK;
	if (status == 404)
		return VESPER_NOT_FOUND;
	if (status == 503)
		return VESPER_UNAVAILABLE;
	return status < 500 ? VESPER_REFUSED : VESPER_PROTOCOL;
}

static void
copy_member(const json_t *from, const char *name, char *out, size_t len)
{
	const char *text = json_string_value(json_object_get(from, name));

	snprintf(out, len, "%s", text == NULL ? "" : text);
}

/* RFC 9457 problem details, as the native routes answer. */
static int
fail_by_problem(const struct vesper_response *r, const json_t *problem, struct vesper_error *e)
{
	enum vesper_code code = code_of_status(r->status);

	if (e == NULL)
		return (int)code;
	*e = (struct vesper_error){ .code = (int)code, .http_status = r->status };
	copy_member(problem, "reason", e->reason, sizeof e->reason);
	copy_member(problem, "claim", e->claim, sizeof e->claim);
	copy_member(problem, "detail", e->detail, sizeof e->detail);
	copy_member(problem, "request_id", e->request_id, sizeof e->request_id);
	e->retry_after_s = r->retry_after_s;
	return (int)code;
}

static char *
copy_text(const json_t *from, const char *name)
{
	const char *text = json_string_value(json_object_get(from, name));

	return text == NULL ? NULL : strdup(text);
}

/* NULL: no JSON, which has no octet 0; jansson passes over some (RFC 8259 section 7). */
static json_t *
answer_json(const struct vesper_response *r)
{
	if (r->len == 0 || memchr(r->body, 0, r->len) != NULL)
		return NULL;
	return json_loadb(r->body, r->len, JSON_REJECT_DUPLICATES, NULL);
}

static int
read_signature(struct vesper_response *r, struct vesper_signature **out, struct vesper_error *e)
{
	json_auto_t *answer = answer_json(r);
	struct vesper_signature *s;

	if (r->status >= 300)
		return fail_by_problem(r, answer, e);
	if (!json_is_object(answer))
		return fail(e, VESPER_PROTOCOL, "json", "the answer is no JSON object");
	s = calloc(1, sizeof *s);
	if (s == NULL)
		return no_memory(e);
	s->passport = copy_text(answer, "passport");
	s->identity = copy_text(answer, "identity");
	*out = s;
	return VESPER_OK;
}

/* A caller built before there was that member says a smaller size. */
static bool
has_original(const struct vesper_request *r)
{
	return r->size >= sizeof *r && r->original != NULL;
}

static char *
request_body(const struct vesper_request *r, struct vesper_error *e)
{
	json_error_t why;
	json_t *claims = json_loads(r->claims, JSON_REJECT_DUPLICATES, &why);
	json_t *original = NULL;
	json_auto_t *body = NULL;
	char *text;

	if (!json_is_object(claims)) {
		json_decref(claims);
		fail(e, VESPER_INVALID, "malformed_json",
		    claims == NULL ? why.text : "claims are no JSON object");
		return NULL;
	}
	if (has_original(r)) {
		original = json_loads(r->original, JSON_REJECT_DUPLICATES, &why);
		if (!json_is_array(original)) {
			json_decref(original);
			json_decref(claims);
			fail(e, VESPER_INVALID, "malformed_json", "original is no JSON array");
			return NULL;
		}
	}
	body = json_pack("{s:s*, s:s*, s:s*, s:o, s:o*}", "tenant", r->tenant, "credential",
	    r->credential, "ppt", r->ppt, "claims", claims, "original", original);
	text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
	if (text == NULL)
		no_memory(e);
	return text;
}

int
vesper_sign(struct vesper_client *client, const struct vesper_request *request,
    struct vesper_signature **out, struct vesper_error *error)
{
	struct vesper_error local;
	struct vesper_error *e = error != NULL ? error : &local;
	struct vesper_response *r = NULL;
	AUTO_FREE char *body = NULL;
	int code;

	if (client == NULL || request == NULL || out == NULL ||
	    request->size < offsetof(struct vesper_request, original) ||
	    request->claims == NULL)
		return fail(e, VESPER_INVALID, "argument", "the request");
	body = request_body(request, e);
	if (body == NULL)
		return e->code;
	code = vesper_call(client, "POST",
	    request->dry_run ? "/v1/passports?dry_run=1" : "/v1/passports", body, &r, e);
	if (code == VESPER_OK)
		code = read_signature(r, out, e);
	if (code == VESPER_OK)
		(*out)->response = TAKE(r);
	vesper_response_free(r);
	return code;
}

int
vesper_sign_call(struct vesper_client *client, const char *body, int dry_run,
    struct vesper_response **out, struct vesper_error *error)
{
	struct vesper_response *r = NULL;
	json_auto_t *answer = NULL;
	int code;

	if (body == NULL || out == NULL)
		return fail(error, VESPER_INVALID, "argument", "a NULL argument");
	code = vesper_call(
	    client, "POST", dry_run ? "/v1/calls?dry_run=1" : "/v1/calls", body, &r, error);
	if (code != VESPER_OK)
		return code;
	answer = answer_json(r);
	if (r->status >= 300)
		code = fail_by_problem(r, answer, error);
	else if (!json_is_object(answer))
		code = fail(error, VESPER_PROTOCOL, "json", "the answer is no JSON object");
	else
		*out = TAKE(r);
	vesper_response_free(r);
	return code;
}

void
vesper_signature_free(struct vesper_signature *signature)
{
	if (signature == NULL)
		return;
	vesper_response_free(signature->response);
	free(signature->passport);
	free(signature->identity);
	free(signature);
}

const char *
vesper_signature_passport(const struct vesper_signature *signature)
{
	return signature->passport;
}

const char *
vesper_signature_identity(const struct vesper_signature *signature)
{
	return signature->identity;
}

const char *
vesper_signature_json(const struct vesper_signature *signature)
{
	return signature->response->body;
}
