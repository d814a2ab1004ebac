/* The renewer's fetches of TNAuthLists, against a scripted web and front */
#include "agent/renewer/lists.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/renewer/upload.h"
#include "stir/jtext.h"
#include "tests/unit/mutate.h"

#define URL "https://lists.example/a.tnauthlist"

struct world {
	struct io io;
	int64_t now_ms;
	io_http_done *http_done;
	io_ask_done *ask_done;
	void *arg;
	json_t *message; /* the last question */
	size_t fetches, questions;
	struct lists *l;
};

static enum rc
web(void *ctx, const struct http_request *r, io_http_done *done, void *arg, struct fault *f)
{
	struct world *w = ctx;

	(void)f;
	assert_int_equal(r->method, HTTP_GET);
	assert_string_equal(r->url, URL);
	assert_string_equal(r->accept, "application/tnauthlist");
	assert_int_equal(r->body_max, 32 * 1024 * 1024);
	w->http_done = done;
	w->arg = arg;
	w->fetches++;
	return RC_OK;
}

static enum rc
front(void *ctx, const json_t *message, io_ask_done *done, void *arg, struct fault *f)
{
	struct world *w = ctx;

	(void)f;
	json_decref(w->message);
	w->message = json_deep_copy(message);
	w->ask_done = done;
	w->arg = arg;
	w->questions++;
	return RC_OK;
}

static int64_t
now(void *ctx)
{
	return ((struct world *)ctx)->now_ms;
}

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	w->io = (struct io){ .ctx = w, .http = web, .ask = front, .now_ms = now };
	w->now_ms = INT64_C(1700000000000);
	assert_int_equal(lists_new(&w->io, &w->l, NULL), RC_OK);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	lists_free(w->l);
	json_decref(w->message);
	free(w);
	return 0;
}

static void
answer(struct world *w, enum rc rc, const char *json)
{
	json_auto_t *root = json != NULL ? json_loads(json, 0, NULL) : NULL;
	struct fault f = { 0 };

	if (rc != RC_OK)
		(void)FAULT(&f, rc, "refused", "as scripted");
	w->ask_done(w->arg, rc, root, &f);
}

static void
serve(struct world *w, long status, const char *type, size_t len, int64_t max_age_s)
{
	struct http_answer a = {
		.status = status, .body = BUF_INIT(1000000), .max_age_s = max_age_s
	};

	snprintf(a.content_type, sizeof a.content_type, "%s", type);
	for (size_t i = 0; i < len; i++)
		buf_byte(&a.body, 'x');
	w->http_done(w->arg, RC_OK, &a, NULL);
	buf_free(&a.body);
}

/* One is due: asked for, and its transfer under way. */
static void
begin(struct world *w)
{
	(void)lists_run(w->l);
	assert_string_equal(json_string_value(json_object_get(w->message, "op")), "lists");
	answer(w, RC_OK,
	    "{\"lists\":[{\"tenant\":\"acme\",\"name\":\"main\",\"url\":\"" URL "\"}]}");
	(void)lists_run(w->l);
	assert_int_equal(w->fetches, 1);
}

static json_int_t
number(const struct world *w, const char *name)
{
	return json_integer_value(json_object_get(w->message, name));
}

static void
goes_over_in_parts(void **state)
{
	struct world *w = *state;

	begin(w);
	serve(w, 200, "application/tnauthlist", UPLOAD_PART + 7, 120);
	assert_string_equal(json_string_value(json_object_get(w->message, "tenant")), "acme");
	assert_int_equal(number(w, "total"), UPLOAD_PART + 7);
	assert_int_equal(number(w, "offset"), 0);
	assert_int_equal(number(w, "fresh_s"), 120);
	answer(w, RC_OK, "{}");
	assert_int_equal(number(w, "offset"), UPLOAD_PART);
	answer(w, RC_OK, "{}");
	assert_int_equal(w->questions, 3);
	/* Nothing more is due before the next look. */
	assert_true(lists_run(w->l) > 0);
	assert_int_equal(w->questions, 3);
	w->now_ms += LISTS_ASK_MS;
	(void)lists_run(w->l);
	assert_int_equal(w->questions, 4);
}

/* What the front refuses is not sent to its end. */
static void
ends_with_a_refusal(void **state)
{
	struct world *w = *state;

	begin(w);
	serve(w, 200, "application/tnauthlist", 2 * UPLOAD_PART, -1);
	answer(w, RC_DENIED, NULL);
	assert_int_equal(w->questions, 2);
	w->now_ms += LISTS_ASK_MS;
	(void)lists_run(w->l);
	assert_string_equal(json_string_value(json_object_get(w->message, "op")), "lists");
}

static void
problem_is(struct world *w, const char *part)
{
	const char *text = json_string_value(json_object_get(w->message, "problem"));

	assert_non_null(text);
	assert_non_null(strstr(text, part));
	assert_true(json_is_null(json_object_get(w->message, "data")));
}

/* D-46 */
static void
problems_are_told(void **state)
{
	static const struct {
		long status;
		const char *type;
		size_t len;
		const char *problem;
	} rows[] = {
		{ 404, "application/tnauthlist", 10, "HTTP status 404" },
		{ 302, "application/tnauthlist", 10, "HTTP status 302" },
		{ 200, "text/html", 10, "'text/html' is not application/tnauthlist" },
		{ 200, "", 10, "is not application/tnauthlist" },
		{ 200, "application/tnauthlist", 0, "empty" },
	};

	tear_down(state);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world *w;

		assert_int_equal(set_up(state), 0);
		w = *state;
		begin(w);
		serve(w, rows[i].status, rows[i].type, rows[i].len, -1);
		problem_is(w, rows[i].problem);
		answer(w, RC_OK, "{}");
		tear_down(state);
	}
	assert_int_equal(set_up(state), 0);
}

static void
the_net_fails(void **state)
{
	struct world *w = *state;
	struct fault f = { 0 };

	begin(w);
	(void)FAULT(&f, RC_NET, "http", "no route to host");
	w->http_done(w->arg, RC_NET, NULL, &f);
	problem_is(w, "no route to host");
	answer(w, RC_OK, "{}");
}

/* Whatever the front says, nothing is fetched that has no URL that fits. */
static void
odd_answers(void **state)
{
	static const char *const rows[] = { "{}", "{\"lists\":3}", "{\"lists\":[1]}",
		"{\"lists\":[{\"tenant\":\"a\",\"name\":\"b\"}]}",
		"{\"lists\":[{\"tenant\":\"a\",\"name\":1,\"url\":\"" URL "\"}]}" };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)lists_run(w->l);
		answer(w, RC_OK, rows[i]);
		(void)lists_run(w->l);
		assert_int_equal(w->fetches, 0);
		w->now_ms += LISTS_ASK_MS;
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(goes_over_in_parts),
		TEST(ends_with_a_refusal),
		TEST(problems_are_told),
		TEST(the_net_fails),
		TEST(odd_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
