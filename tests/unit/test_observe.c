/* The renewer's looks at content elsewhere, against a scripted web and front */
#include "agent/renewer/observe.h"

#include <stdio.h>
#include <stdlib.h>

#include "stir/jtext.h"
#include "tests/unit/mutate.h"

enum { CALLS = 64 };
static const int64_t START_MS = INT64_C(1700000000000);

struct call {
	bool http, open;
	char url[128];
	io_http_done *http_done;
	io_ask_done *ask_done;
	void *arg;
	json_t *message;
};

struct web {
	struct io io;
	int64_t now_ms;
	struct call call[CALLS];
	size_t calls;
	bool no_transfer, no_question;
	struct observe *o;
};

static enum rc
web_http(
    void *ctx, const struct http_request *r, io_http_done *done, void *arg, struct fault *f)
{
	struct web *w = ctx;
	struct call *c = &w->call[w->calls];

	assert_int_equal(r->method, HTTP_GET);
	assert_null(r->bearer);
	if (w->no_transfer)
		return FAULT(f, RC_BUSY, "busy", "no transfer is free");
	assert_true(w->calls++ < CALLS);
	*c = (struct call){ .http = true, .open = true, .http_done = done, .arg = arg };
	snprintf(c->url, sizeof c->url, "%s", r->url);
	return RC_OK;
}

static enum rc
web_ask(void *ctx, const json_t *message, io_ask_done *done, void *arg, struct fault *f)
{
	struct web *w = ctx;
	struct call *c = &w->call[w->calls];

	if (w->no_question)
		return FAULT(f, RC_BUSY, "busy", "the queue is full");
	assert_true(w->calls++ < CALLS);
	*c = (struct call){ .open = true, .ask_done = done, .arg = arg };
	c->message = json_deep_copy(message);
	return RC_OK;
}

static int64_t
web_now(void *ctx)
{
	return ((struct web *)ctx)->now_ms;
}

static size_t
opens(const struct web *w, bool http)
{
	size_t n = 0;

	for (size_t i = 0; i < w->calls; i++)
		n += w->call[i].open && w->call[i].http == http ? 1 : 0;
	return n;
}

/* The first call that is open; there is one. */
static struct call *
open_call(struct web *w, bool http)
{
	size_t i = 0;

	assert_true(opens(w, http) > 0);
	while (!w->call[i].open || w->call[i].http != http)
		i++;
	return &w->call[i];
}

static void
serve(struct call *c, long status, const char *type, const char *body)
{
	struct http_answer a = { .status = status, .body = BUF_INIT(HTTP_BODY_MAX) };

	snprintf(a.content_type, sizeof a.content_type, "%s", type);
	buf_str(&a.body, body);
	c->open = false;
	c->http_done(c->arg, RC_OK, &a, NULL);
	buf_free(&a.body);
}

static void
lose(struct call *c)
{
	struct fault f = { 0 };

	(void)FAULT(&f, RC_NET, "http", "no route to host");
	c->open = false;
	c->http_done(c->arg, RC_NET, NULL, &f);
}

static void
reply(struct call *c, enum rc rc)
{
	struct fault f = { 0 };

	if (rc != RC_OK)
		(void)FAULT(&f, rc, "refused", "as scripted");
	c->open = false;
	c->ask_done(c->arg, rc, NULL, &f);
}

/* ---- a configuration ---------------------------------------------------------------- */

static struct config_content content[8];
static struct config_credential credential;
static struct config_tenant tenant;
static struct config config;

static char *
text_of(const char *text)
{
	static char room[8][64];
	static unsigned next;
	char *out = room[next++ % 8];

	snprintf(out, sizeof room[0], "%s", text);
	return out;
}

static void
configure(const char *const *uri, size_t n)
{
	for (size_t i = 0; i < n; i++)
		content[i] = (struct config_content){ .uri = text_of(uri[i]),
			.pinned = strstr(uri[i], "pinned") != NULL };
	credential = (struct config_credential){ .rcd_content = content, .rcd_contents = n };
	tenant = (struct config_tenant){
		.enabled = true, .credential = &credential, .credentials = 1
	};
	config = (struct config){ .tenant = &tenant, .tenants = 1 };
}

#define ONE "https://example.com/one.png"

static int
open_web(void **state)
{
	static const char *const uri[] = { ONE, "https://example.com/pinned.png", ONE };
	struct web *w = calloc(1, sizeof *w);

	assert_non_null(w);
	w->io = (struct io){ .ctx = w, .http = web_http, .ask = web_ask, .now_ms = web_now };
	w->now_ms = START_MS;
	configure(uri, ARRAY_LEN(uri));
	assert_int_equal(observe_new(&w->io, &w->o, NULL), RC_OK);
	assert_int_equal(observe_adopt(w->o, &config, NULL), RC_OK);
	*state = w;
	return 0;
}

static int
close_web(void **state)
{
	struct web *w = *state;

	for (size_t i = 0; i < w->calls; i++)
		json_decref(w->call[i].message);
	observe_free(w->o);
	free(w);
	return 0;
}

static const char *
told(const struct call *c, const char *member)
{
	return json_string_value(json_object_get(c->message, member));
}

/* ---- tests -------------------------------------------------------------------------- */

/* D-41: observed URLs only, each once; digests go to the front, then an hour's rest. */
static void
looks_and_tells(void **state)
{
	struct web *w = *state;
	struct call *c;

	observe_run(w->o);
	observe_run(w->o);
	assert_int_equal(w->calls, 1);
	assert_string_equal(w->call[0].url, ONE);
	serve(&w->call[0], 200, "image/png", "png");
	c = open_call(w, false);
	assert_string_equal(told(c, "op"), "content");
	assert_string_equal(told(c, "uri"), ONE);
	assert_string_equal(
	    told(c, "sha256"), "sha256-j4y7fc9G4Lx9UyZXSabBfRFgk6a6leRCdkBgx2/UqGw");
	assert_int_equal(strncmp(told(c, "sha384"), "sha384-", 7), 0);
	assert_int_equal(strncmp(told(c, "sha512"), "sha512-", 7), 0);
	assert_true(json_is_null(json_object_get(c->message, "card")));
	assert_true(json_is_null(json_object_get(c->message, "problem")));
	assert_int_equal(json_object_size(c->message), 7);
	reply(c, RC_OK);
	w->now_ms += OBSERVE_EVERY_S * 1000 - 1;
	assert_true(observe_run(w->o) > 0);
	assert_int_equal(opens(w, true), 0);
	w->now_ms += 1;
	observe_run(w->o);
	assert_int_equal(opens(w, true), 1);
	lose(open_call(w, true));
	reply(open_call(w, false), RC_OK);
}

static void
a_card_goes_as_text(void **state)
{
	struct web *w = *state;

	observe_run(w->o);
	serve(&w->call[0], 200, "application/json", "[\"vcard\",[]]");
	assert_string_equal(told(open_call(w, false), "card"), "[\"vcard\",[]]");
	reply(open_call(w, false), RC_DENIED);
	w->now_ms += OBSERVE_AGAIN_S * 1000;
	observe_run(w->o);
	serve(open_call(w, true), 200, "application/json", "[\"\xff\"]");
	assert_string_equal(told(open_call(w, false), "problem"), "the jCard is not UTF-8");
	reply(open_call(w, false), RC_OK);
}

static struct problem_case {
	const char *name;
	long status;
	const char *type, *body;
	const char *problem; /* part of it */
} problem_cases[] = {
	{ "not found", 404, "image/png", "x", "HTTP status 404" },
	{ "elsewhere again", 301, "image/png", "x", "HTTP status 301" },
	{ "part of it", 206, "image/png", "x", "HTTP status 206" },
	{ "a page", 200, "text/html", "x", "content type 'text/html'" },
	{ "no type", 200, "", "x", "content type ''" },
	{ "nearly an image", 200, "imagery/png", "x", "content type" },
	{ "JSON of another type", 200, "text/json", "[]", "content type" },
	{ "empty", 200, "image/png", "", "0 octets" },
};

static void
problems(void **state)
{
	const struct problem_case *c = *state;
	struct web *w = NULL;
	struct call *ask;

	open_web((void **)&w);
	observe_run(w->o);
	serve(&w->call[0], c->status, c->type, c->body);
	ask = open_call(w, false);
	assert_non_null(strstr(told(ask, "problem"), c->problem));
	assert_true(json_is_null(json_object_get(ask->message, "sha256")));
	reply(ask, RC_OK);
	w->now_ms += OBSERVE_AGAIN_S * 1000 - 1;
	observe_run(w->o);
	assert_int_equal(opens(w, true), 0);
	w->now_ms += 1;
	observe_run(w->o);
	assert_int_equal(opens(w, true), 1);
	lose(open_call(w, true));
	reply(open_call(w, false), RC_OK);
	close_web((void **)&w);
}

static void
a_large_card(void **state)
{
	static char body[OBSERVE_CARD_MAX + 2];
	struct web *w = *state;

	memset(body, '1', sizeof body - 1);
	observe_run(w->o);
	serve(&w->call[0], 200, "application/json", body);
	assert_non_null(strstr(told(open_call(w, false), "problem"), "octets"));
	reply(open_call(w, false), RC_OK);
}

static void
silence_is_tried_again(void **state)
{
	struct web *w = *state;

	w->no_transfer = true;
	observe_run(w->o);
	assert_int_equal(w->calls, 0);
	w->no_transfer = false;
	w->now_ms += OBSERVE_TELL_S * 1000;
	observe_run(w->o);
	w->no_question = true;
	serve(open_call(w, true), 200, "image/png", "x");
	w->no_question = false;
	w->now_ms += OBSERVE_TELL_S * 1000;
	observe_run(w->o);
	lose(open_call(w, true));
	assert_string_equal(told(open_call(w, false), "problem"), "no route to host");
	reply(open_call(w, false), RC_TIMEOUT);
	w->now_ms += OBSERVE_TELL_S * 1000;
	observe_run(w->o);
	assert_int_equal(opens(w, true), 1);
	/* A clock that was set back a day puts no look off for a day. */
	serve(open_call(w, true), 200, "image/png", "x");
	reply(open_call(w, false), RC_OK);
	w->now_ms -= INT64_C(86400000);
	observe_run(w->o);
	assert_int_equal(opens(w, true), 1);
	lose(open_call(w, true));
	reply(open_call(w, false), RC_OK);
}

/* At most four at once; what a new configuration does not name is dropped when it can be. */
static void
bounded_and_reloaded(void **state)
{
	static const char *const many[] = { "https://a/1", "https://a/2", "https://a/3",
		"https://a/4", "https://a/5", "https://a/6" };
	struct web *w = *state;
	size_t before;

	configure(many, ARRAY_LEN(many));
	assert_int_equal(observe_adopt(w->o, &config, NULL), RC_OK);
	observe_run(w->o);
	assert_int_equal(w->calls, OBSERVE_UNDER_WAY);
	configure(many, 0);
	assert_int_equal(observe_adopt(w->o, &config, NULL), RC_OK);
	for (size_t i = 0; i < OBSERVE_UNDER_WAY; i++)
		lose(open_call(w, true));
	while (opens(w, false) > 0)
		reply(open_call(w, false), RC_NOT_FOUND);
	before = w->calls;
	w->now_ms += OBSERVE_EVERY_S * 1000;
	observe_run(w->o);
	assert_int_equal(w->calls, before);
	tenant.enabled = false;
	credential.rcd_contents = 6;
	assert_int_equal(observe_adopt(w->o, &config, NULL), RC_OK);
	observe_run(w->o);
	assert_int_equal(w->calls, before);
}

static void
a_stop_tells_nothing(void **state)
{
	struct web *w = *state;

	observe_run(w->o);
	observe_stop(w->o);
	serve(&w->call[0], 200, "image/png", "x");
	observe_run(w->o);
	assert_int_equal(w->calls, 1);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(problem_cases) + 6];
	size_t n = 0;

	ROWS(tests, n, problem_cases, problems);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
	    looks_and_tells, open_web, close_web);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
	    a_card_goes_as_text, open_web, close_web);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
	    a_large_card, open_web, close_web);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
	    silence_is_tried_again, open_web, close_web);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
	    bounded_and_reloaded, open_web, close_web);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
	    a_stop_tells_nothing, open_web, close_web);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
