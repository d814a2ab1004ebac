/* ask: questions to the front and their answers, over a real pair */
#include "agent/renewer/ask.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/channel.h"
#include "tests/unit/cm.h"

struct ends {
	int ours, theirs;
	struct ask *ask;
};

static struct {
	unsigned answers, events, again;
	enum rc rc;
	char reason[32];
	json_int_t value;
	struct ask *ask;
} got;

static void
on_event(void *arg, const json_t *e)
{
	(void)arg;
	got.events++;
	got.value = json_integer_value(json_object_get(e, "n"));
}

static void
on_answer(void *arg, enum rc rc, const json_t *answer, const struct fault *f)
{
	(void)arg;
	assert_int_equal(answer != NULL, rc == RC_OK);
	got.answers++;
	got.rc = rc;
	got.value = json_integer_value(json_object_get(answer, "value"));
	snprintf(got.reason, sizeof got.reason, "%s", rc != RC_OK ? f->reason : "");
	/* Asking again from within an answer is allowed. */
	if (got.again > 0) {
		json_auto_t *m = json_pack("{s:s}", "op", "again");

		got.again--;
		assert_int_equal(ask_send(got.ask, m, on_answer, NULL, NULL), RC_OK);
	}
}

static int
set_up(void **state)
{
	struct ends *e = calloc(1, sizeof *e);
	int pair[2];

	if (e == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		return 1;
	memset(&got, 0, sizeof got);
	e->ours = pair[0];
	e->theirs = pair[1];
	*state = e;
	if (ask_new(e->ours, on_event, NULL, &e->ask, NULL) != RC_OK)
		return 1;
	got.ask = e->ask;
	return 0;
}

static int
tear_down(void **state)
{
	struct ends *e = *state;

	ask_free(e->ask);
	close(e->ours);
	if (e->theirs >= 0)
		close(e->theirs);
	free(e);
	return 0;
}

static void
question(struct ends *e, const char *op)
{
	json_auto_t *m = json_pack("{s:s}", "op", op);

	assert_int_equal(ask_send(e->ask, m, on_answer, NULL, NULL), RC_OK);
	/* The caller's message stays as it was. */
	assert_int_equal(json_object_size(m), 1);
}

/* What arrived at the front: its id, 0 for nothing. */
static json_int_t
heard(struct ends *e)
{
	json_auto_t *m = NULL;

	if (channel_recv(e->theirs, &m, NULL) != RC_OK)
		return 0;
	return json_integer_value(json_object_get(m, "id"));
}

static void
say(struct ends *e, json_t *m)
{
	assert_int_equal(channel_send(e->theirs, m, NULL), RC_OK);
	json_decref(m);
}

static void
run(struct ends *e, int64_t now_ms)
{
	assert_int_equal(ask_run(e->ask, now_ms, NULL), RC_OK);
}

static void
answers_in_any_order(void **state)
{
	struct ends *e = *state;
	json_int_t first, second;

	question(e, "a");
	question(e, "b");
	assert_int_equal(heard(e), 0); /* nothing before run */
	run(e, 1000);
	first = heard(e);
	second = heard(e);
	assert_true(first > 0 && second == first + 1);
	say(e, json_pack("{s:I, s:b, s:i}", "id", second, "ok", 1, "value", 2));
	run(e, 1000);
	assert_int_equal(got.value, 2);
	say(e, json_pack("{s:I, s:b, s:i}", "id", first, "ok", 1, "value", 1));
	run(e, 1000);
	assert_int_equal(got.value, 1);
	assert_int_equal(got.answers, 2);
}

static void
refusals(void **state)
{
	struct ends *e = *state;

	question(e, "a");
	run(e, 1000);
	say(e, json_pack("{s:I, s:b, s:s, s:s}", "id", heard(e), "ok", 0, "reason",
		   "chain_path", "detail", "no"));
	run(e, 1000);
	assert_int_equal(got.rc, RC_DENIED);
	assert_string_equal(got.reason, "chain_path");
	question(e, "b");
	run(e, 1000);
	say(e, json_pack("{s:I, s:b, s:s}", "id", heard(e), "ok", 0, "reason", "hsm_timeout"));
	run(e, 1000);
	assert_int_equal(got.rc, RC_TIMEOUT);
	question(e, "c");
	run(e, 1000);
	say(e, json_pack("{s:I}", "id", heard(e)));
	run(e, 1000);
	assert_int_equal(got.rc, RC_INVALID);
	assert_int_equal(got.answers, 3);
}

static void
few_are_under_way(void **state)
{
	struct ends *e = *state;
	json_int_t id = 0;

	for (int i = 0; i < ASK_SENT + 3; i++)
		question(e, "a");
	run(e, 1000);
	for (int i = 0; i < ASK_SENT; i++) {
		id = heard(e);
		assert_true(id > 0);
	}
	assert_int_equal(heard(e), 0);
	say(e, json_pack("{s:I, s:b}", "id", id, "ok", 1));
	run(e, 1000);
	assert_int_equal(heard(e), id + 1); /* the next in turn */
	assert_int_equal(heard(e), 0);
}

static void
there_is_a_limit(void **state)
{
	struct ends *e = *state;
	json_auto_t *m = json_pack("{s:s}", "op", "a");

	for (int i = 0; i < ASK_MAX; i++)
		assert_int_equal(ask_send(e->ask, m, on_answer, NULL, NULL), RC_OK);
	assert_int_equal(ask_send(e->ask, m, on_answer, NULL, NULL), RC_BUSY);
}

static void
late_ones_are_given_up(void **state)
{
	struct ends *e = *state;
	json_int_t id;

	question(e, "a");
	run(e, 1000);
	id = heard(e);
	run(e, 1000 + ASK_TIMEOUT_MS);
	assert_int_equal(got.answers, 0);
	run(e, 1001 + ASK_TIMEOUT_MS);
	assert_int_equal(got.rc, RC_TIMEOUT);
	assert_string_equal(got.reason, "front_timeout");
	/* Its answer comes after all: nobody waits for it. */
	say(e, json_pack("{s:I, s:b}", "id", id, "ok", 1));
	run(e, 1002 + ASK_TIMEOUT_MS);
	assert_int_equal(got.answers, 1);
}

static void
rubbish_is_passed_by(void **state)
{
	static const char *const bad[] = { "", "{", "[]", "{\"id\":1,\"id\":2}", "nonsense" };
	struct ends *e = *state;

	question(e, "a");
	run(e, 1000);
	for (size_t i = 1; i < ARRAY_LEN(bad); i++)
		assert_int_equal(
		    send(e->theirs, bad[i], strlen(bad[i]), 0), (int)strlen(bad[i]));
	say(e, json_pack("{s:I, s:b}", "id", (json_int_t)999, "ok", 1));
	say(e, json_pack("{s:s, s:b}", "id", "1", "ok", 1));
	say(e, json_pack("{s:I, s:b, s:i}", "id", heard(e), "ok", 1, "value", 7));
	run(e, 1000);
	assert_int_equal(got.answers, 1);
	assert_int_equal(got.value, 7);
}

static void
events_come_through(void **state)
{
	struct ends *e = *state;

	say(e, json_pack("{s:s, s:i}", "event", "changed", "n", 3));
	run(e, 1000);
	assert_int_equal(got.events, 1);
	assert_int_equal(got.value, 3);
	assert_int_equal(got.answers, 0);
}

static void
an_answer_may_ask(void **state)
{
	struct ends *e = *state;

	got.again = 1;
	question(e, "a");
	run(e, 1000);
	say(e, json_pack("{s:I, s:b}", "id", heard(e), "ok", 1));
	run(e, 1000);
	assert_int_equal(got.answers, 1);
	assert_true(heard(e) > 0);
}

static void
the_front_is_gone(void **state)
{
	struct ends *e = *state;
	struct fault f = { 0 };

	close(e->theirs);
	e->theirs = -1;
	assert_int_equal(ask_run(e->ask, 1000, &f), RC_IO);
}

static void
stopping_answers_everyone(void **state)
{
	struct ends *e = *state;

	question(e, "a");
	question(e, "b");
	run(e, 1000);
	question(e, "c");
	got.again = 0;
	ask_free(e->ask);
	e->ask = NULL;
	assert_int_equal(got.answers, 3);
	assert_int_equal(got.rc, RC_CONFLICT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(answers_in_any_order),
		TEST(refusals),
		TEST(few_are_under_way),
		TEST(there_is_a_limit),
		TEST(late_ones_are_given_up),
		TEST(rubbish_is_passed_by),
		TEST(events_come_through),
		TEST(an_answer_may_ask),
		TEST(the_front_is_gone),
		TEST(stopping_answers_everyone),
	};

	return cmocka_run_group_tests_name("ask", tests, NULL, NULL);
}
