/* channel, control messages, secrets, log: what passes between processes and files */
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/channel.h"
#include "agent/log.h"
#include "agent/role.h"
#include "agent/secret.h"
#include "tests/unit/cm.h"

struct pair {
	int a, b;
};

static struct pair
make_pair(void)
{
	int fd[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd), 0);
	return (struct pair){ fd[0], fd[1] };
}

static void
close_pair(struct pair p)
{
	close(p.a);
	close(p.b);
}

/* ---- channel ------------------------------------------------------------------- */

static void
message_arrives(void **state)
{
	struct pair p = make_pair();
	json_auto_t *sent = json_pack("{s:i,s:s}", "id", 7, "op", "plan"), *got = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(channel_recv(p.b, &got, &f), RC_NOT_FOUND);
	assert_int_equal(channel_send(p.a, sent, &f), RC_OK);
	assert_int_equal(channel_recv(p.b, &got, &f), RC_OK);
	assert_true(json_equal(sent, got));
	close(p.a);
	json_decref(got);
	got = NULL;
	assert_int_equal(channel_recv(p.b, &got, &f), RC_IO);
	assert_null(got);
	close(p.b);
}

static void
message_of_the_greatest_size(void **state)
{
	struct pair p = make_pair();
	AUTO_FREE char *text = malloc(CHANNEL_MAX + 1);
	size_t frame = strlen("{\"x\":\"\"}");
	json_auto_t *fits = NULL, *too_long = NULL, *got = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_non_null(text);
	memset(text, 'a', CHANNEL_MAX);
	fits = json_pack("{s:s%}", "x", text, CHANNEL_MAX - frame);
	too_long = json_pack("{s:s%}", "x", text, CHANNEL_MAX - frame + 1);
	assert_int_equal(channel_send(p.a, fits, &f), RC_OK);
	assert_int_equal(channel_recv(p.b, &got, &f), RC_OK);
	assert_true(json_equal(fits, got));
	assert_int_equal(channel_send(p.a, too_long, &f), RC_INVALID);
	assert_string_equal(f.reason, "too_large");
	close_pair(p);
}

static struct message_case {
	const char *name, *text, *reason;
} message_cases[] = {
	{ "not JSON", "{", "malformed_json" },
	{ "array", "[1]", "malformed_json" },
	{ "number", "1", "malformed_json" },
	{ "two values", "{} {}", "malformed_json" },
	{ "repeated member", "{\"a\":1,\"a\":2}", "duplicate_member" },
	{ "escaped NUL", "{\"a\":\"\\u0000\"}", "malformed_json" },
	{ "bad UTF-8", "{\"a\":\"\xff\"}", "malformed_json" },
	{ "too deep", "{\"a\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}", "malformed_json" },
};

static void
message_refused(void **state)
{
	const struct message_case *c = *state;
	struct pair p = make_pair();
	json_t *got = NULL;
	struct fault f = { 0 };

	assert_int_equal(send(p.a, c->text, strlen(c->text), 0), (ssize_t)strlen(c->text));
	assert_int_equal(channel_recv(p.b, &got, &f), RC_INVALID);
	assert_string_equal(f.reason, c->reason);
	assert_null(got);
	close_pair(p);
}

/* Behind a number, where jansson passes it over. */
static void
octet_zero(void **state)
{
	static const char text[] = "{\"a\":1\0}";
	struct pair p = make_pair();
	json_t *got = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(send(p.a, text, sizeof text - 1, 0), (ssize_t)sizeof text - 1);
	assert_int_equal(channel_recv(p.b, &got, &f), RC_INVALID);
	assert_string_equal(f.reason, "malformed_json");
	assert_null(got);
	close_pair(p);
}

static void
oversized_datagram(void **state)
{
	struct pair p = make_pair();
	AUTO_FREE char *text = malloc(CHANNEL_MAX + 1);
	json_t *got = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_non_null(text);
	memset(text, ' ', CHANNEL_MAX + 1);
	memcpy(text, "{}", 2); /* its first CHANNEL_MAX bytes would be a good message */
	assert_int_equal(send(p.a, text, CHANNEL_MAX + 1, 0), CHANNEL_MAX + 1);
	assert_int_equal(channel_recv(p.b, &got, &f), RC_INVALID);
	assert_string_equal(f.reason, "too_large");
	close_pair(p);
}

static void
sending_is_bounded(void **state)
{
	struct pair p = make_pair();
	json_auto_t *m = json_pack("{s:i}", "id", 1);
	enum rc rc = RC_OK;
	struct fault f = { 0 };

	(void)state;
	for (int i = 0; i < 100000 && rc == RC_OK; i++)
		rc = channel_send(p.a, m, &f);
	assert_int_equal(rc, RC_BUSY); /* nobody reads */
	close(p.b);
	f = (struct fault){ 0 };
	assert_int_equal(channel_send(p.a, m, &f), RC_IO);
	close(p.a);
}

/* ---- control ------------------------------------------------------------------- */

static void
control_with_a_descriptor(void **state)
{
	struct pair p = make_pair(), passed = make_pair();
	struct control sent = { .kind = CONTROL_SIGNER,
		.token = 1,
		.process = 2,
		.generation = 3 },
		       got = { 0 };
	struct fault f = { 0 };
	int fd = -1;

	(void)state;
	assert_int_equal(control_recv(p.b, &got, &fd, &f), RC_NOT_FOUND);
	assert_int_equal(control_send(p.a, &sent, passed.a, &f), RC_OK);
	assert_int_equal(control_recv(p.b, &got, &fd, &f), RC_OK);
	assert_memory_equal(&sent, &got, sizeof sent);
	assert_true(fd >= 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	assert_int_equal(recv(passed.b, &got, 1, 0), 1);
	close(fd);
	assert_int_equal(control_send(p.a, &sent, -1, &f), RC_OK);
	assert_int_equal(control_recv(p.b, &got, &fd, &f), RC_OK);
	assert_int_equal(fd, -1);
	close(p.a);
	assert_int_equal(control_recv(p.b, &got, &fd, &f), RC_IO);
	close(p.b);
	close_pair(passed);
}

/* Two descriptors at once, or a message of another size: refused, and nothing leaks. */
static void
control_refused(void **state)
{
	struct pair p = make_pair();
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} space = { .bytes = { 0 } };
	struct control c = { .kind = CONTROL_READY };
	struct iovec iov = { .iov_base = &c, .iov_len = sizeof c };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &space,
		.msg_controllen = sizeof space };
	int two[2] = { p.a, p.b }, fd = -1, free_before, free_after;
	struct fault f = { 0 };

	(void)state;
	free_before = dup(p.a);
	close(free_before);
	space.align.cmsg_level = SOL_SOCKET;
	space.align.cmsg_type = SCM_RIGHTS;
	space.align.cmsg_len = CMSG_LEN(sizeof two);
	memcpy(CMSG_DATA(&space.align), two, sizeof two);
	assert_int_equal(sendmsg(p.a, &m, 0), sizeof c);
	assert_int_equal(control_recv(p.b, &c, &fd, &f), RC_INVALID);
	assert_int_equal(fd, -1);
	assert_int_equal(send(p.a, "short", 5, 0), 5);
	f = (struct fault){ 0 };
	assert_int_equal(control_recv(p.b, &c, &fd, &f), RC_INVALID);
	assert_string_equal(f.reason, "control");
	assert_int_equal(fd, -1);
	free_after = dup(p.a);
	close(free_after);
	assert_int_equal(free_after, free_before);
	close_pair(p);
}

/* ---- becoming a user --------------------------------------------------------------- */

static int
in_child(int (*run)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#ifdef VESPER_SANITIZED
enum { DUMPABLE = 1 }; /* the leak checker needs it */
#else
enum { DUMPABLE = 0 };
#endif

static int
become_same_user(void)
{
	struct rlimit core = { 1, 1 };
	struct fault f = { 0 };
	int signal = 0;

	if (role_become(NULL, false, &f) != RC_OK)
		return 1;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) != 1 ||
	    prctl(PR_GET_DUMPABLE) != DUMPABLE)
		return 2;
	if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0 || core.rlim_max != 0)
		return 3;
	if (prctl(PR_GET_PDEATHSIG, &signal) != 0 || signal != SIGKILL)
		return 4;
	return 0;
}

static int
become_daemon(void)
{
	gid_t before = 4242, after[32];
	struct fault f = { 0 };
	int signal = 0, n;

	if (setgroups(1, &before) != 0 || role_become("daemon", true, &f) != RC_OK)
		return 1;
	n = getgroups(ARRAY_LEN(after), after);
	for (int i = 0; i < n; i++) {
		if (after[i] == before || after[i] == 0)
			return 6; /* root's groups must not stay */
	}
	if (getuid() != 1 || geteuid() != 1 || getgid() != 1 || setuid(0) == 0)
		return 2;
	if (prctl(PR_GET_DUMPABLE) != 1) /* cleared by the kernel, set again because asked */
		return 3;
	if (prctl(PR_GET_PDEATHSIG, &signal) != 0 || signal != SIGKILL)
		return 4; /* cleared by the kernel if it is set too early */
	return open("/etc/shadow", O_RDONLY | O_CLOEXEC) < 0 ? 0 : 5;
}

static int
become_nobody_known(void)
{
	struct fault f = { 0 };

	return role_become("no-such-user-here", false, &f) == RC_NOT_FOUND ? 0 : 1;
}

static int
become_root(void)
{
	struct fault f = { 0 };

	return role_become("root", false, &f) == RC_DENIED ? 0 : 1;
}

static void
users(void **state)
{
	(void)state;
	assert_int_equal(in_child(become_same_user), 0);
	assert_int_equal(in_child(become_nobody_known), 0);
	assert_int_equal(in_child(become_root), 0);
	if (geteuid() == 0)
		assert_int_equal(in_child(become_daemon), 0);
}

/* ---- secrets --------------------------------------------------------------------- */

static char secret_dir[] = "/tmp/vesper-secret-XXXXXX";

static struct secret_case {
	const char *name, *text; /* NULL: no file */
	mode_t mode;
	enum rc rc;
	const char *want;
} secret_cases[] = {
	{ "newline dropped", "1234\n", 0600, RC_OK, "1234" },
	{ "one newline only", "1234\n\n", 0400, RC_OK, "1234\n" },
	{ "no newline", "12 34", 0640, RC_OK, "12 34" },
	{ "missing", NULL, 0, RC_NOT_FOUND, NULL },
	{ "empty", "", 0600, RC_INVALID, NULL },
	{ "only a newline", "\n", 0600, RC_INVALID, NULL },
	{ "others read it", "1234", 0604, RC_INVALID, NULL },
	{ "others write it", "1234", 0602, RC_INVALID, NULL },
	{ "its group writes it", "1234", 0620, RC_INVALID, NULL },
};

static void
secret_judged(void **state)
{
	const struct secret_case *c = *state;
	AUTO_SECRET out = BUF_INIT(8192);
	char path[128], text[160], credential[] = "credential:pin";
	struct secret_ref ref = { text };
	struct fault f = { 0 };
	FILE *file;

	snprintf(path, sizeof path, "%s/pin", secret_dir);
	snprintf(text, sizeof text, "file:%s", path);
	(void)unlink(path);
	if (c->text != NULL) {
		file = fopen(path, "w");
		assert_non_null(file);
		fputs(c->text, file);
		fclose(file);
		assert_int_equal(chmod(path, c->mode), 0);
	}
	for (int turn = 0; turn < 2; turn++) {
		f = (struct fault){ 0 };
		buf_clear(&out);
		assert_int_equal(secret_read(&ref, &out, &f), c->rc);
		if (c->rc == RC_OK)
			assert_string_equal(buf_text(&out), c->want);
		else
			assert_int_equal(out.len, 0);
		assert_null(strstr(f.detail, "1234"));
		setenv("CREDENTIALS_DIRECTORY", secret_dir, 1);
		ref.text = credential;
	}
	(void)unlink(path);
}

static void
secret_references(void **state)
{
	static const struct {
		const char *text;
		enum rc rc;
	} rows[] = {
		{ "1234", RC_INVALID },
		{ "file:", RC_INVALID },
		{ "credential:", RC_INVALID },
		{ "credential:../pin", RC_INVALID },
		{ "credential:.", RC_INVALID },
		{ "credential:a/b", RC_INVALID },
		{ "file:/", RC_INVALID },
		{ "file:/dev/null", RC_INVALID },
		{ "http://x", RC_INVALID },
		{ NULL, RC_NOT_FOUND },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_FREE char *text = rows[i].text != NULL ? strdup(rows[i].text) : NULL;
		AUTO_BUF out = BUF_INIT(64);
		struct secret_ref ref = { text };
		struct fault f = { 0 };

		assert_int_equal(secret_read(&ref, &out, &f), rows[i].rc);
		assert_int_equal(out.len, 0);
		/* A literal that was meant as the secret itself is not repeated. */
		assert_null(strstr(f.detail, "1234"));
	}
	unsetenv("CREDENTIALS_DIRECTORY");
	{
		char text[] = "credential:pin";
		AUTO_BUF out = BUF_INIT(64);
		struct secret_ref ref = { text };
		struct fault f = { 0 };

		assert_int_equal(secret_read(&ref, &out, &f), RC_NOT_FOUND);
		assert_non_null(strstr(f.detail, "CREDENTIALS_DIRECTORY"));
	}
}

static void
secret_too_large(void **state)
{
	AUTO_BUF out = BUF_INIT(64);
	char path[128], text[160];
	struct secret_ref ref = { text };
	struct fault f = { 0 };
	FILE *file;

	(void)state;
	snprintf(path, sizeof path, "%s/big", secret_dir);
	snprintf(text, sizeof text, "file:%s", path);
	file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 4097; i++)
		fputc('x', file);
	fclose(file);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(secret_read(&ref, &out, &f), RC_INVALID);
	assert_int_equal(truncate(path, 4096), 0);
	f = (struct fault){ 0 };
	/* It fits the limit but not what the caller has room for. */
	assert_int_equal(secret_read(&ref, &out, &f), RC_INVALID);
	assert_string_equal(f.reason, "too_large");
	(void)unlink(path);
}

/* ---- log ------------------------------------------------------------------------- */

static size_t
capture(void (*run)(void), char *out, size_t size)
{
	int fd[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(fd), 0);
	assert_true(dup2(fd[1], STDERR_FILENO) >= 0);
	run();
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(fd[1]);
	n = read(fd[0], out, size - 1);
	close(fd[0]);
	out[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

static void
log_some(void)
{
	struct fault f = { 0 };

	log_open("test", LEVEL_NOTICE);
	log_event(LEVEL_DEBUG, "hidden", "x=%d", 1);
	log_event(LEVEL_NOTICE, "shown", "x=%s", "a\n<3>role=forged");
	log_event(LEVEL_ERR, "bare", "%s", "");
	log_event(LEVEL_NOTICE, "turned", "x=%s",
	    "a\xc2\x9b"
	    "1mb\xe2\x80\xae"
	    "c\xff");
	(void)FAULT(&f, RC_IO, "some_reason", "he said \"no\"\r\n");
	log_fault(LEVEL_WARNING, "failed", &f);
}

static void
log_long(void)
{
	char text[4000];

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = 0;
	log_event(LEVEL_ERR, "long", "%s", text);
}

static void
log_lines(void **state)
{
	char out[8192];

	(void)state;
	(void)capture(log_some, out, sizeof out);
	assert_null(strstr(out, "hidden"));
	assert_int_equal(strncmp(out, "<5>role=test event=shown x=a <3>role=forged\n", 44), 0);
	assert_non_null(strstr(out, "\n<3>role=test event=bare\n"));
	/* C1, an override of direction, what is not UTF-8 */
	assert_non_null(strstr(out, "event=turned x=a  1mb   c?\n"));
	assert_non_null(strstr(out, "\n<4>role=test event=failed rc=io reason=some_reason "
				    "detail=\"he said 'no'  \" at="));
	assert_true(capture(log_long, out, sizeof out) <= 1024);
	assert_int_equal(out[strlen(out) - 1], '\n');
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(secret_dir) != NULL ? 0 : -1;
}

static int
drop_dir(void **state)
{
	(void)state;
	return rmdir(secret_dir);
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(message_cases) + ARRAY_LEN(secret_cases) + 11];
	size_t n = 0;

	tests[n++] = (struct CMUnitTest)cmocka_unit_test(message_arrives);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(message_of_the_greatest_size);
	for (size_t i = 0; i < ARRAY_LEN(message_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = message_cases[i].name,
			.test_func = message_refused,
			.initial_state = &message_cases[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(octet_zero);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(oversized_datagram);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(sending_is_bounded);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(control_with_a_descriptor);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(control_refused);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(users);
	for (size_t i = 0; i < ARRAY_LEN(secret_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = secret_cases[i].name,
			.test_func = secret_judged,
			.initial_state = &secret_cases[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(secret_references);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(secret_too_large);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(log_lines);
	return _cmocka_run_group_tests("channel", tests, n, make_dir, drop_dir);
}
