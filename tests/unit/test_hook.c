/* Commands for the renewer: which there are, how they end, and nothing else is run. */
#include "agent/supervisor/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

#define TEXT(name, text) static char name[] = text
TEXT(t_cat, "/bin/cat");
TEXT(t_sleep, "/bin/sleep");
TEXT(t_60, "60");
TEXT(t_absent, "/nonexistent/program");
TEXT(t_sh, "/bin/sh");
TEXT(t_c, "-c");
TEXT(t_exit, "read x; exit 3");
TEXT(t_echo, "echo");
TEXT(t_slow, "slow");
TEXT(t_gone, "gone");
TEXT(t_three, "three");
TEXT(t_acme, "acme");
TEXT(t_hand, "hand");
TEXT(t_domain, "domain");

static char *cat[] = { t_cat }, *sleeper[] = { t_sleep, t_60 }, *absent[] = { t_absent },
	    *three[] = { t_sh, t_c, t_exit };
static struct config_ca cas[] = {
	{ .name = t_echo, .issuer = ISSUER_COMMAND, .command = { cat, 1 } },
	{ .name = t_slow, .issuer = ISSUER_COMMAND, .command = { sleeper, 2 } },
	{ .name = t_gone, .issuer = ISSUER_COMMAND, .command = { absent, 1 } },
	{ .name = t_three, .issuer = ISSUER_COMMAND, .command = { three, 3 } },
	{ .name = t_acme, .issuer = ISSUER_ACME },
	{ .name = t_domain,
	    .issuer = ISSUER_ACME,
	    .domain_challenge = DOMAIN_HTTP_01,
	    .domain_command = { cat, 1 } },
	{ .name = t_hand, .issuer = ISSUER_HAND },
};
static struct config_authority authorities[] = {
	{ .name = t_three, .source = SOURCE_COMMAND, .command = { three, 3 } },
	{ .name = t_slow, .source = SOURCE_REST },
};
static struct config config = { .ca = cas,
	.cas = ARRAY_LEN(cas),
	.authority = authorities,
	.authorities = ARRAY_LEN(authorities) };
static struct spawn_context context = { .config = &config, .null = -1 };

static struct control
message(const char *name)
{
	struct control m = { .kind = CONTROL_HOOK, .hook = HOOK_ISSUE, .serial = 7 };

	memcpy(m.name, name, strlen(name) + 1);
	return m;
}

/* ---- which ---- */

static struct lookup_case {
	const char *name, *section;
	uint32_t hook;
	bool there;
} lookups[] = {
	{ "a command", "echo", HOOK_ISSUE, true },
	{ "a CA that speaks ACME", "acme", HOOK_ISSUE, false },
	{ "a CA by hand", "hand", HOOK_ISSUE, false },
	{ "no such section", "none", HOOK_ISSUE, false },
	{ "a path", "/bin/cat", HOOK_ISSUE, false },
	{ "no name", "", HOOK_ISSUE, false },
	{ "no kind", "echo", 0, false },
	{ "another kind", "echo", 99, false },
	{ "a token's command", "three", HOOK_TOKEN, true },
	{ "a CA's for a token", "echo", HOOK_TOKEN, false },
	{ "a domain's command", "domain", HOOK_DOMAIN, true },
	{ "a domain's command for an issue", "domain", HOOK_ISSUE, false },
	{ "a CA that proves no domain", "acme", HOOK_DOMAIN, false },
	{ "an issuer's command for a domain", "echo", HOOK_DOMAIN, false },
	{ "an authority's for a domain", "three", HOOK_DOMAIN, false },
	{ "an authority that is asked", "slow", HOOK_TOKEN, false },
};

static void
looks_up(void **state)
{
	const struct lookup_case *c = *state;
	struct control m = message(c->section);

	m.hook = c->hook;
	assert_int_equal(hook_command(&config, &m) != NULL, c->there);
}

static void
a_name_without_end(void **state)
{
	struct control m = message("echo");

	(void)state;
	memset(m.name, 'e', sizeof m.name);
	assert_null(hook_command(&config, &m));
}

/* ---- running ---- */

struct world {
	struct hooks hooks;
	int ours;
	pid_t pid;
};

static enum rc
start(struct world *w, const char *name, int64_t now_ms, struct fault *f)
{
	struct control m = message(name);
	int pair[2];
	enum rc rc;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	rc = hook_start(&w->hooks, &context, &m, pair[1], now_ms, f);
	close(pair[1]);
	w->ours = pair[0];
	for (size_t i = 0; i < HOOK_MAX; i++) {
		if (w->hooks.item[i].pid != 0)
			w->pid = w->hooks.item[i].pid;
	}
	return rc;
}

static struct control
ended(struct world *w)
{
	struct control out = { 0 };
	int status;

	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	assert_true(hook_ended(&w->hooks, w->pid, status, &out));
	assert_false(hook_ended(&w->hooks, w->pid, status, &out));
	close(w->ours);
	return out;
}

static void
gives_and_takes(void **state)
{
	struct world w = { 0 };
	struct fault f = { 0 };
	char text[16] = "";

	(void)state;
	if (start(&w, "echo", 0, &f) != RC_OK)
		fail_msg("%s", f.detail);
	assert_int_equal(write(w.ours, "hello", 5), 5);
	assert_int_equal(shutdown(w.ours, SHUT_WR), 0);
	assert_int_equal(read(w.ours, text, sizeof text), 5);
	assert_string_equal(text, "hello");
	assert_int_equal(read(w.ours, text, sizeof text), 0);
	{
		struct control end = ended(&w);

		assert_int_equal(end.kind, CONTROL_HOOK_END);
		assert_int_equal(end.serial, 7);
		assert_int_equal(end.status, 0);
	}
}

static struct status_case {
	const char *name, *section;
	uint32_t status;
} statuses[] = {
	{ "its exit status", "three", 3 },
	{ "a program that is not there", "gone", 127 },
};

static void
says_how(void **state)
{
	const struct status_case *c = *state;
	struct world w = { 0 };
	struct fault f = { 0 };

	if (start(&w, c->section, 0, &f) != RC_OK)
		fail_msg("%s", f.detail);
	assert_int_equal(shutdown(w.ours, SHUT_WR), 0);
	assert_int_equal(ended(&w).status, c->status);
}

static void
an_end_to_everything(void **state)
{
	struct world w = { 0 };
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(start(&w, "slow", 1000, &f), RC_OK);
	assert_int_equal(hook_overdue(&w.hooks, 1000), 1000 + HOOK_LIMIT_MS);
	assert_int_equal(hook_overdue(&w.hooks, 1000 + HOOK_LIMIT_MS), 0);
	assert_int_equal(ended(&w).status, 128 + SIGKILL);
	assert_int_equal(hook_overdue(&w.hooks, 1000 + HOOK_LIMIT_MS), 0);
}

/* Its renewer is gone: the next one must not take the word for its own. */
static void
nobody_is_told(void **state)
{
	struct world w = { 0 };
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(start(&w, "slow", 0, &f), RC_OK);
	hook_kill_all(&w.hooks);
	assert_int_equal(ended(&w).serial, 0);
}

static void
refuses(void **state)
{
	struct world w = { 0 };
	struct control m = message("echo");
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(start(&w, "acme", 0, &f), RC_NOT_FOUND);
	close(w.ours);
	assert_int_equal(hook_start(&w.hooks, &context, &m, -1, 0, NULL), RC_NOT_FOUND);
	for (size_t i = 0; i < HOOK_MAX; i++)
		w.hooks.item[i].pid = 1;
	assert_int_equal(hook_start(&w.hooks, &context, &m, 0, 0, NULL), RC_BUSY);
}

int
main(void)
{
	struct CMUnitTest tests[64];
	const char *dir = getenv("top_builddir");
	size_t n = 0;

	context.role_dir = dir != NULL ? dir : ".";
	ROWS(tests, n, lookups, looks_up);
	ROWS(tests, n, statuses, says_how);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_name_without_end);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(gives_and_takes);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(an_end_to_everything);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(nobody_is_told);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(refuses);
	return _cmocka_run_group_tests("hook", tests, n, NULL, NULL);
}
