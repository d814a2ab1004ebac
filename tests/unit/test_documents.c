/* The renewer's fetches of what the front wants, against a scripted web and front */
#include "agent/renewer/documents.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/renewer/address.h"
#include "agent/renewer/upload.h"
#include "stir/jtext.h"
#include "tests/unit/mutate.h"

#define URL "https://log.example/ct/v1/get-sth"
enum { MAX = 200000 };

struct world {
	struct io io;
	int64_t now_ms;
	io_http_done *http_done;
	io_ask_done *ask_done;
	void *arg;
	json_t *message; /* the last question */
	size_t fetches, questions;
	const char *tls_ca; /* that is expected */
	bool plain;	    /* likewise */
	struct documents *d;
};

static enum rc
web(void *ctx, const struct http_request *r, io_http_done *done, void *arg, struct fault *f)
{
	struct world *w = ctx;

	(void)f;
	assert_int_equal(r->method, HTTP_GET);
	assert_string_equal(r->url, URL);
	assert_string_equal(r->accept, "application/json, */*;q=0.5");
	assert_string_equal(r->tls_ca, w->tls_ca);
	assert_int_equal(r->body_max, MAX);
	assert_true(r->plain_to == (w->plain ? address_is_public : NULL));
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

static void
adopt(struct world *w, bool wanted)
{
	char tls_ca[] = "logs-ca.pem", list_ca[] = "list-ca.pem";
	const struct config c = {
		.ct_proofs = wanted, .ct_tls_ca = tls_ca, .ct_logs_tls_ca = list_ca
	};

	assert_int_equal(documents_adopt(w->d, &c, NULL), RC_OK);
}

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	w->io = (struct io){ .ctx = w, .http = web, .ask = front, .now_ms = now };
	w->now_ms = INT64_C(1700000000000);
	assert_int_equal(documents_new(&w->io, &w->d, NULL), RC_OK);
	adopt(w, true);
	w->tls_ca = "logs-ca.pem";
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	documents_free(w->d);
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
serve(struct world *w, long status, size_t len)
{
	struct http_answer a = { .status = status, .body = BUF_INIT(1000000) };

	for (size_t i = 0; i < len; i++)
		buf_byte(&a.body, 'x');
	w->http_done(w->arg, RC_OK, &a, NULL);
	buf_free(&a.body);
}

/* One is due: asked for, and its transfer under way. */
static void
begin(struct world *w)
{
	(void)documents_run(w->d);
	assert_string_equal(json_string_value(json_object_get(w->message, "op")), "documents");
	answer(
	    w, RC_OK, "{\"documents\":[{\"document\":7,\"url\":\"" URL "\",\"max\":200000}]}");
	(void)documents_run(w->d);
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
	serve(w, 200, UPLOAD_PART + 7);
	assert_int_equal(number(w, "document"), 7);
	assert_int_equal(number(w, "status"), 200);
	assert_int_equal(number(w, "total"), UPLOAD_PART + 7);
	assert_int_equal(number(w, "offset"), 0);
	answer(w, RC_OK, "{}");
	assert_int_equal(number(w, "offset"), UPLOAD_PART);
	answer(w, RC_OK, "{}");
	assert_int_equal(w->questions, 3);
	/* One document leads to another: what is due is asked for soon, and not at once. */
	assert_true(documents_run(w->d) > 0);
	assert_int_equal(w->questions, 3);
	w->now_ms += DOCUMENTS_NEXT_MS;
	(void)documents_run(w->d);
	assert_int_equal(w->questions, 4);
	answer(w, RC_OK, "{\"documents\":[]}");
	w->now_ms += DOCUMENTS_ASK_MS - 1;
	(void)documents_run(w->d);
	assert_int_equal(w->questions, 4);
	w->now_ms += 1;
	(void)documents_run(w->d);
	assert_int_equal(w->questions, 5);
}

/* What the front refuses is not sent to its end. */
static void
ends_with_a_refusal(void **state)
{
	struct world *w = *state;

	begin(w);
	serve(w, 200, 2 * UPLOAD_PART);
	answer(w, RC_DENIED, NULL);
	assert_int_equal(w->questions, 2);
	w->now_ms += DOCUMENTS_NEXT_MS;
	(void)documents_run(w->d);
	assert_string_equal(json_string_value(json_object_get(w->message, "op")), "documents");
}

/* Nothing is asked for that the configuration does not want. */
static void
not_wanted(void **state)
{
	struct world *w = *state;

	adopt(w, false);
	assert_int_equal(documents_run(w->d), DOCUMENTS_ASK_MS);
	assert_int_equal(w->questions, 0);
	adopt(w, true);
	(void)documents_run(w->d);
	assert_int_equal(w->questions, 1);
}

static void
problem_is(struct world *w, const char *part)
{
	const char *text = json_string_value(json_object_get(w->message, "problem"));

	assert_non_null(text);
	assert_non_null(strstr(text, part));
	assert_true(json_is_null(json_object_get(w->message, "data")));
}

static void
problems_are_told(void **state)
{
	static const struct {
		long status;
		size_t len;
		const char *problem;
	} rows[] = { { 404, 10, "HTTP status 404" }, { 302, 10, "HTTP status 302" },
		{ 200, 0, "empty" } };

	tear_down(state);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world *w;

		assert_int_equal(set_up(state), 0);
		w = *state;
		begin(w);
		serve(w, rows[i].status, rows[i].len);
		problem_is(w, rows[i].problem);
		assert_int_equal(number(w, "status"), rows[i].status);
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
	assert_int_equal(number(w, "status"), 0);
	answer(w, RC_OK, "{}");
}

/* Each server is known by its own CA: the front names the key, never a file. */
static void
another_tls_ca(void **state)
{
	struct world *w = *state;

	w->tls_ca = "list-ca.pem";
	(void)documents_run(w->d);
	answer(w, RC_OK,
	    "{\"documents\":[{\"document\":7,\"url\":\"" URL
	    "\",\"max\":200000,\"tls_ca\":\"ct_logs_tls_ca\"}]}");
	(void)documents_run(w->d);
	assert_int_equal(w->fetches, 1);
	serve(w, 200, 1);
	answer(w, RC_OK, "{}");
}

/*
 * Revocation lists are asked for unless an operator says no, from servers of their
 * own, and they alone over http (RFC 5280 s8).
 */
static void
a_revocation_list(void **state)
{
	char tls_ca[] = "crl-ca.pem";
	const struct config c = { .crl_check = true, .crl_tls_ca = tls_ca };
	struct world *w = *state;

	assert_int_equal(documents_adopt(w->d, &c, NULL), RC_OK);
	w->tls_ca = "crl-ca.pem";
	w->plain = true;
	(void)documents_run(w->d);
	answer(w, RC_OK,
	    "{\"documents\":[{\"document\":7,\"url\":\"" URL
	    "\",\"max\":200000,\"tls_ca\":\"crl_tls_ca\"}]}");
	(void)documents_run(w->d);
	assert_int_equal(w->fetches, 1);
	serve(w, 200, 1);
	answer(w, RC_OK, "{}");
}

/* Whatever the front says, nothing is fetched that has no URL that fits. */
static void
odd_answers(void **state)
{
	static const char *const rows[] = { "{}", "{\"documents\":3}", "{\"documents\":[1]}",
		"{\"documents\":[{\"document\":1,\"max\":10}]}",
		"{\"documents\":[{\"document\":1,\"url\":1,\"max\":10}]}",
		"{\"documents\":[{\"document\":1,\"url\":\"" URL "\"}]}",
		"{\"documents\":[{\"document\":1,\"url\":\"" URL "\",\"max\":-1}]}",
		"{\"documents\":[{\"document\":1,\"url\":\"" URL "\",\"max\":99999999}]}",
		"{\"documents\":[{\"document\":1,\"url\":\"" URL
		"\",\"max\":10,\"tls_ca\":\"eab_key\"}]}" };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)documents_run(w->d);
		answer(w, RC_OK, rows[i]);
		(void)documents_run(w->d);
		assert_int_equal(w->fetches, 0);
		w->now_ms += DOCUMENTS_ASK_MS;
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(goes_over_in_parts),
		TEST(ends_with_a_refusal),
		TEST(not_wanted),
		TEST(problems_are_told),
		TEST(the_net_fails),
		TEST(odd_answers),
		TEST(another_tls_ca),
		TEST(a_revocation_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
