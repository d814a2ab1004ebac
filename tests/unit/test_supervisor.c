/* supervisor: a real vesperd with stand-ins for the roles, and its back-off */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/supervisor/breaker.h"
#include "agent/supervisor/child.h"
#include "agent/supervisor/supervisor.h"
#include "tests/unit/cm.h"
#include "tests/unit/pki.h"

enum { WAIT_MS = 8000, STEP_MS = 20, TEXT_MAX = 65536, NOBODY = 65534 };

static char build_dir[512]; /* where vesperd and the stand-in were built */
static char home[64], config_path[128];
static pid_t daemon_pid;

/* ---- back-off ---------------------------------------------------------------- */

#define EXITED(code) ((code) << 8)

static void
backoff_doubles(void **state)
{
	static const int64_t want_ms[] = { 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000 };
	struct child c = { .role = ROLE_SIGNER };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want_ms); i++) {
		int64_t now = 1000 * (int64_t)(i + 1);

		child_started(&c, 10, now);
		assert_false(child_due(&c, true, now + 1000000));
		child_ended(&c, EXITED(1), now);
		assert_int_equal(c.next_ms - now, want_ms[i]);
		assert_true(child_due(&c, true, c.next_ms));
		if (want_ms[i] > 0)
			assert_false(child_due(&c, true, c.next_ms - 1));
		assert_false(child_due(&c, false, c.next_ms));
	}
	assert_int_equal(c.restarts, ARRAY_LEN(want_ms) - 1);
	/* It says that it serves, and it starts over. */
	child_started(&c, 10, 50000);
	child_came_up(&c);
	child_ended(&c, SIGKILL, 50001);
	assert_int_equal(c.next_ms, 50001);
	/* Steady for long enough does the same. */
	child_started(&c, 10, 100000);
	child_ended(&c, SIGKILL, 100000 + CHILD_STEADY_MS);
	assert_int_equal(c.next_ms, 100000 + CHILD_STEADY_MS);
}

static void
backoff_by_status(void **state)
{
	struct child signer = { .role = ROLE_SIGNER }, front = { .role = ROLE_FRONT };

	(void)state;
	child_started(&signer, 10, 1000);
	child_ended(&signer, EXITED(CHILD_EXIT_USAGE), 1000);
	assert_int_equal(signer.next_ms, 1000 + CHILD_BAD_START_MS);
	child_started(&signer, 10, 9000);
	child_ended(&signer, EXITED(CHILD_EXIT_PIN), 9000);
	assert_true(signer.held);
	assert_false(child_due(&signer, true, 1000000));
	child_release(&signer, 9500);
	assert_true(child_due(&signer, true, 9500));
	/* Status 4 says nothing of a PIN when the front ends with it. */
	child_started(&front, 10, 1000);
	child_ended(&front, EXITED(CHILD_EXIT_PIN), 1000);
	assert_false(front.held);
	assert_true(child_due(&front, false, 1000));
}

static void
orphans_are_replaced_at_once(void **state)
{
	struct child c = { .role = ROLE_SIGNER, .failures = 5 };

	(void)state;
	child_orphaned(&c, 1000); /* not running: nothing to replace */
	assert_false(c.stale);
	child_started(&c, 10, 1000);
	child_orphaned(&c, 2000);
	assert_int_equal(c.kill_ms, 2000 + CHILD_LEAVE_MS);
	child_ended(&c, EXITED(0), 2100);
	assert_int_equal(c.next_ms, 2100);
	assert_int_equal(c.failures, 5);
	child_not_started(&c, 3000);
	assert_true(c.next_ms > 3000);
}

static void
a_token_has_pauses_of_its_own(void **state)
{
	struct child c = { .role = ROLE_SIGNER, .max_ms = 300 };

	(void)state;
	for (int i = 0; i < 6; i++) {
		child_started(&c, 10, 1000);
		child_ended(&c, EXITED(5), 1000);
	}
	assert_int_equal(c.next_ms, 1300);
}

/* ---- breaker ---------------------------------------------------------------------- */

static void
one_signer_tries(void **state)
{
	struct breaker b = { .max_ms = 300 };

	(void)state;
	assert_int_equal(breaker_due_ms(&b, false, true, 7), 7); /* closed: whoever is due */
	breaker_start_failed(&b, 1000);
	assert_int_equal(breaker_due_ms(&b, true, false, 7), 1100);
	assert_int_equal(breaker_due_ms(&b, true, false, 5000), 5000);
	assert_int_equal(breaker_due_ms(&b, true, true, 7), -1);
	assert_int_equal(breaker_due_ms(&b, false, false, 7), -1); /* the admin waits for it */
	for (int i = 0; i < 5; i++)
		breaker_start_failed(&b, 1000);
	assert_int_equal(b.next_ms, 1300);
	breaker_came_up(&b);
	assert_int_equal(breaker_due_ms(&b, false, true, 7), 7);
}

static void
an_outage_is_told_once(void **state)
{
	struct breaker b = { .max_ms = 300 };

	(void)state;
	assert_int_equal(breaker_over_ms(&b, 10), -1);
	assert_true(breaker_ended(&b, 100));
	assert_false(breaker_ended(&b, 200));
	assert_int_equal(b.ends, 2);
	assert_int_equal(breaker_over_ms(&b, 350), 250);
	assert_int_equal(breaker_over_ms(&b, 350), -1);
	assert_true(breaker_ended(&b, 400));
	assert_int_equal(b.ends, 1);
}

static void
tries_become_quiet(void **state)
{
	struct breaker b = { .max_ms = 300 };
	int said = 0;

	(void)state;
	for (int i = 0; i < 2 * BREAKER_QUIET_EVERY; i++) {
		said += !breaker_quiet(&b);
		breaker_start_failed(&b, 1000);
	}
	assert_int_equal(said, BREAKER_QUIET_FROM + 1);
}

/* ---- a daemon in a directory of its own ------------------------------------------ */

static bool
is_root(void)
{
	return geteuid() == 0;
}

static char *
at(const char *name)
{
	static char path[4][256];
	static unsigned turn;
	char *p = path[turn++ % ARRAY_LEN(path)];

	snprintf(p, sizeof path[0], "%s/%s", home, name);
	return p;
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static void
copy_program(const char *from, const char *to, mode_t mode)
{
	char path[600], block[65536];
	AUTO_FD in = -1, out = -1;
	ssize_t n;

	snprintf(path, sizeof path, "%s/%s", build_dir, from);
	in = open(path, O_RDONLY | O_CLOEXEC);
	out = open(at(to), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, block, sizeof block)) > 0)
		assert_int_equal(write(out, block, (size_t)n), n);
	assert_int_equal(n, 0);
}

/* Users that every Debian has, so that the test needs none of its own. */
#define CONFIG_TEXT \
	"state_dir = \"../state\"\naudit_dir = \"../audit\"\n" \
	"front_user = \"daemon\"\nhsm_user = \"bin\"\nnet_user = \"sys\"\n" \
	"trust_anchors = \"anchors.pem\"\n" \
	"listen \"main\" { path = \"../main.sock\" mode = \"0666\" }\n" \
	"listen \"two\" { path = \"../two.sock\" mode = \"0600\" }\n" \
	"admin_socket = \"../admin.sock\"\n" \
	"token \"hsm\" { module = \"/nonexistent.so\" label = \"l\" pin = \"file:pin\"\n" \
	"  processes = 2 threads = 3 lock_file = \"../token.lock\" environment = { \"A=1\", " \
	"\"B=2\", \"GLIBC_TUNABLES=glibc.malloc.mxfast=0\" } }\n"

static void
put_anchors(void)
{
	EVP_PKEY *key = pki_p256();
	X509 *root = pki_issue(&(struct pki_spec){ .cn = "root", .key = key, .ca = true });
	AUTO_BUF pem = BUF_INIT(65536);

	pki_pem(&pem, root);
	buf_byte(&pem, 0);
	assert_int_equal(buf_check(&pem, NULL), RC_OK);
	put("conf/anchors.pem", (const char *)pem.ptr);
	X509_free(root);
	EVP_PKEY_free(key);
}

static void
make_home_tree(void)
{
	snprintf(home, sizeof home, "/tmp/vesper-sup-XXXXXX");
	assert_non_null(mkdtemp(home));
	snprintf(config_path, sizeof config_path, "%s/conf/vesperd.conf", home);
	assert_int_equal(chmod(home, 0755), 0); /* the roles' users pass */
	assert_int_equal(mkdir(at("bin"), 0755), 0);
	assert_int_equal(mkdir(at("conf"), 0755), 0);
	assert_int_equal(mkdir(at("conf/reports"), 0700), 0);
	assert_int_equal(chmod(at("conf/reports"), 0777), 0);
	copy_program("vesperd", "bin/vesperd", 0755);
	copy_program("tests/unit/role_standin", "bin/vesper-front", 0755);
	assert_int_equal(symlink("vesper-front", at("bin/vesper-hsm")), 0);
	assert_int_equal(symlink("vesper-front", at("bin/vesper-renewer")), 0);
	assert_int_equal(symlink("vesper-front", at("bin/vesper-hook")), 0);
	put("conf/vesperd.conf", CONFIG_TEXT);
	put_anchors();
	put("conf/pin", "1234\n");
	assert_int_equal(chmod(at("conf/pin"), 0644), 0);
}

static int
set_up(void **state)
{
	(void)state;
	daemon_pid = 0;
	make_home_tree();
	return 0;
}

static void
nap(void)
{
	struct timespec ts = { 0, STEP_MS * 1000000L };

	nanosleep(&ts, NULL);
}

static void
run_daemon(uid_t uid, const char *const *args)
{
	char program[128];
	char *argv[8] = { program };
	char *env[] = { (char[]){ "CREDENTIALS_DIRECTORY=/creds" }, (char[]){ "SECRET=leak" },
		NULL };
	int log;

	snprintf(program, sizeof program, "%s/bin/vesperd", home);
	for (size_t i = 0; args[i] != NULL; i++)
		argv[i + 1] = (char *)(uintptr_t)args[i];
	log = open(at("log"), O_WRONLY | O_CREAT | O_APPEND, 0666);
	assert_true(log >= 0);
	if (uid != getuid()) {
		assert_int_equal(chown(home, uid, uid), 0);
		assert_int_equal(chown(at("conf"), uid, uid), 0);
	}
	daemon_pid = fork();
	assert_true(daemon_pid >= 0);
	if (daemon_pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(log, 0); /* a role's is /dev/null whatever ours is */
		(void)dup2(log, 1);
		(void)dup2(log, 2);
		(void)dup2(log, 9); /* a descriptor that a shell forgot to close */
		if (uid != getuid() && (setgid(uid) != 0 || setuid(uid) != 0))
			_exit(99);
		execve(argv[0], argv, env);
		_exit(98);
	}
	close(log);
}

static void
start_daemon(void)
{
	const char *const args[] = { "-c", config_path, NULL };

	run_daemon(getuid(), args);
}

static int
exit_status(int wait_ms)
{
	int status = 0;

	for (int waited = 0; waited < wait_ms; waited += STEP_MS) {
		if (waitpid(daemon_pid, &status, WNOHANG) == daemon_pid) {
			daemon_pid = 0;
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		}
		nap();
	}
	return -1;
}

static int
tear_down(void **state)
{
	const char *const argv[] = { "rm", "-rf", home, NULL };
	pid_t pid;

	(void)state;
	if (daemon_pid > 0) {
		kill(daemon_pid, SIGTERM);
		if (exit_status(WAIT_MS) < 0) {
			kill(daemon_pid, SIGKILL);
			(void)waitpid(daemon_pid, NULL, 0);
		}
	}
	pid = fork();
	if (pid == 0) {
		execv("/bin/rm", (char *const *)(uintptr_t)argv);
		_exit(1);
	}
	return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

/* ---- what the stand-ins reported ---------------------------------------------- */

struct report {
	pid_t pid;
	char text[TEXT_MAX];
};

static size_t
slurp(const char *path, char *out)
{
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, out, TEXT_MAX - 1) : 0;

	out[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

/* Not another process of this machine that was given the number since. */
static bool
still_runs(pid_t pid)
{
	char link[64], exe[512];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/%ld/exe", (long)pid);
	n = readlink(link, exe, sizeof exe);
	if (n < 0)
		return errno == EACCES; /* of another user: then it is there */
	return (size_t)n > strlen(home) && memcmp(exe, home, strlen(home)) == 0;
}

/* The n-th newest whole report of a role whose process still runs. */
static size_t
running_reports(const char *role, struct report *out, size_t max)
{
	DIR *d = opendir(at("conf/reports"));
	const struct dirent *e;
	size_t n = 0, len = strlen(role);

	assert_non_null(d);
	while ((e = readdir(d)) != NULL && n < max) {
		char path[512];

		if (strncmp(e->d_name, role, len) != 0 || e->d_name[len] != '.')
			continue;
		out[n].pid = (pid_t)strtol(e->d_name + len + 1, NULL, 10);
		snprintf(path, sizeof path, "%s/conf/reports/%s", home, e->d_name);
		(void)slurp(path, out[n].text);
		if (strstr(out[n].text, "\nend=") != NULL && still_runs(out[n].pid))
			n++;
	}
	closedir(d);
	return n;
}

static struct report found[8];

static bool
eventually(const char *role, size_t want)
{
	for (int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
		if (running_reports(role, found, ARRAY_LEN(found)) == want)
			return true;
		nap();
	}
	return false;
}

static bool
all_run(void)
{
	return eventually("admin", 1) && eventually("signer", 2) &&
	       eventually("vesper-renewer", 1) && eventually("vesper-front", 1);
}

static bool
logged(const char *text)
{
	static char log[TEXT_MAX];

	for (int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
		(void)slurp(at("log"), log);
		if (strstr(log, text) != NULL)
			return true;
		nap();
	}
	print_message("log: %s\n", log);
	return false;
}

static bool
has(const struct report *r, const char *line)
{
	char want[160];

	snprintf(want, sizeof want, "\n%s\n", line);
	if (strstr(r->text, want) != NULL || strncmp(r->text, want + 1, strlen(want + 1)) == 0)
		return true;
	print_message("missing '%s' in:\n%s\n", line, r->text);
	return false;
}

static int
call_socket(const char *name, const char *text)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s/%s", home, name);
	if (connect(fd, (const struct sockaddr *)&a, sizeof a) != 0)
		return -1;
	return send(fd, text, strlen(text), MSG_NOSIGNAL) > 0 ? 0 : -1;
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	for (text = strstr(text, what); text != NULL; text = strstr(text + 1, what))
		n++;
	return n;
}

/* ---- tests ------------------------------------------------------------------------ */

static void
check_front(const struct report *r)
{
	assert_true(has(r, "arg=--config"));
	assert_true(has(r, "arg=vesperd.conf"));
	assert_true(has(r, "fd0=chr"));
	assert_null(strstr(r->text, "\nfd3="));
	assert_true(has(r, "fd4=seqpacket"));
	assert_true(has(r, "fd5=listen"));
	assert_true(has(r, "fd6=listen"));
	assert_true(has(r, "fd7=listen"));
	assert_null(strstr(r->text, "\nfd8="));
	assert_null(strstr(r->text, "\nfd9="));
	assert_int_equal(count(r->text, "\nfd"), 7);
	assert_true(has(r, "env=CREDENTIALS_DIRECTORY=/creds"));
	assert_true(has(r, "env=GLIBC_TUNABLES=glibc.malloc.tcache_count=256"));
	assert_int_equal(count(r->text, "\nenv="), 3);
	assert_true(has(r, "no_new_privs=1"));
	assert_true(has(r, is_root() ? "id=1 1" : "no_new_privs=1"));
	assert_int_equal(count(r->text, "arg=--user"), is_root() ? 1 : 0);
}

static void
check_signer(const struct report *r)
{
	assert_true(has(r, "arg=signer"));
	assert_true(has(r, "arg=/nonexistent.so"));
	assert_true(has(r, "arg=file:pin"));
	assert_true(has(r, "arg=../token.lock"));
	assert_true(has(r, "arg=../state/hsm"));
	assert_true(has(r, "arg=--run-id"));
	assert_true(has(r, "env=A=1"));
	assert_true(has(r, "env=B=2"));
	assert_true(has(r, "env=GLIBC_TUNABLES=glibc.malloc.mxfast=0")); /* its own, not ours */
	assert_int_equal(count(r->text, "\nenv="), 3);
	assert_true(has(r, "fd3=seqpacket"));
	assert_null(strstr(r->text, "\nfd4="));
	assert_int_equal(count(r->text, "\nfd"), 4);
	assert_true(has(r, is_root() ? "id=2 2" : "no_new_privs=1"));
}

static void
check_control(const char *text)
{
	char line[128];

	/* Generations count up over the token's processes: the signers are started first. */
	assert_non_null(strstr(text, "control=1 token=0 process=0 generation=1 "));
	assert_non_null(strstr(text, "control=1 token=0 process=1 generation=2 "));
	assert_non_null(strstr(text, "control=2 token=0 process=0 generation=3 "));
	assert_non_null(strstr(text, "control=3 token=0 process=0 generation=0 "));
	assert_int_equal(count(text, "fd=seqpacket"), 4);
	snprintf(
	    line, sizeof line, "role=%d isolated=%d fd=none", ROLE_ADMIN, is_root() ? 1 : 0);
	assert_non_null(strstr(text, line));
	assert_int_equal(count(text, "control=8 "), 5);
}

static void
roles_get_what_they_were_promised(void **state)
{
	(void)state;
	start_daemon();
	assert_true(all_run());
	assert_true(logged("event=ready"));
	assert_true(eventually("vesper-front", 1));
	for (int waited = 0; waited < WAIT_MS && count(found[0].text, "control=8 ") < 5;
	     waited += STEP_MS) {
		nap();
		assert_true(eventually("vesper-front", 1));
	}
	check_front(&found[0]);
	check_control(found[0].text);
	assert_true(eventually("signer", 2));
	check_signer(&found[0]);
	check_signer(&found[1]);
	assert_true(eventually("vesper-renewer", 1));
	assert_true(has(&found[0], "fd3=seqpacket"));
	assert_true(has(&found[0], "fd4=seqpacket"));
	assert_true(has(&found[0], is_root() ? "id=3 3" : "no_new_privs=1"));
	assert_int_equal(count(found[0].text, "\nfd"), 5);
}

static mode_t
mode_of(const char *name, uid_t *uid)
{
	struct stat st = { 0 };

	assert_int_equal(stat(at(name), &st), 0);
	*uid = st.st_uid;
	return st.st_mode & 07777;
}

static void
places_belong_to_their_users(void **state)
{
	uid_t uid;

	(void)state;
	start_daemon();
	assert_true(all_run());
	assert_int_equal(mode_of("state", &uid), is_root() ? 0711 : 0700);
	assert_int_equal(uid, getuid());
	assert_int_equal(mode_of("state/front", &uid), 0700);
	assert_int_equal(uid, is_root() ? 1 : getuid());
	assert_int_equal(mode_of("state/hsm", &uid), 0700);
	assert_int_equal(uid, is_root() ? 2 : getuid());
	assert_int_equal(mode_of("state/renewer", &uid), 0700);
	assert_int_equal(uid, is_root() ? 3 : getuid());
	assert_int_equal(mode_of("audit", &uid), 0750);
	assert_int_equal(uid, is_root() ? 1 : getuid());
	assert_int_equal(mode_of("main.sock", &uid), 0666);
	assert_int_equal(mode_of("two.sock", &uid), 0600);
	assert_int_equal(mode_of("admin.sock", &uid), 0600);
	assert_int_equal(uid, getuid());
	assert_int_equal(mode_of("token.lock", &uid), 0600);
	assert_int_equal(uid, is_root() ? 2 : getuid());
}

static void
signer_is_replaced(void **state)
{
	pid_t before;

	(void)state;
	start_daemon();
	assert_true(all_run());
	assert_true(eventually("signer", 2));
	before = found[0].pid;
	assert_int_equal(kill(before, SIGKILL), 0);
	assert_true(logged("signal=9"));
	assert_true(logged("generation=4"));
	assert_true(eventually("signer", 2));
	assert_true(found[0].pid != before && found[1].pid != before);
}

static void
front_asks_to_kill(void **state)
{
	(void)state;
	start_daemon();
	assert_true(all_run());
	assert_int_equal(call_socket("main.sock", "kill 0 99"), 0);
	assert_true(logged("event=kill_ignored token=0 generation=99"));
	assert_int_equal(call_socket("main.sock", "kill 0 2"), 0);
	assert_true(logged("event=kill child=signer token=hsm process=1 generation=2"));
	assert_true(logged("event=started child=signer token=hsm process=1 generation=4"));
}

static void
front_loss_replaces_everyone(void **state)
{
	pid_t renewer;

	(void)state;
	start_daemon();
	assert_true(all_run());
	assert_true(eventually("vesper-renewer", 1));
	renewer = found[0].pid;
	assert_int_equal(call_socket("main.sock", "exit 3"), 0);
	assert_true(logged("exit=3"));
	assert_true(logged("generation=6")); /* 1 to 3, then 4 to 6 */
	assert_true(all_run());
	assert_true(eventually("vesper-renewer", 1));
	assert_int_not_equal(found[0].pid, renewer);
	assert_true(eventually("vesper-front", 1));
	assert_int_equal(count(found[0].text, "fd=seqpacket"), 4);
	assert_true(kill(daemon_pid, 0) == 0);
}

static void
drains_and_stops(void **state)
{
	struct stat st;

	(void)state;
	start_daemon();
	assert_true(all_run());
	assert_int_equal(kill(daemon_pid, SIGTERM), 0);
	assert_int_equal(exit_status(WAIT_MS), 0);
	assert_true(logged("event=stopped"));
	assert_true(eventually("signer", 0) && eventually("vesper-front", 0));
	assert_true(eventually("vesper-renewer", 0) && eventually("admin", 0));
	assert_int_not_equal(stat(at("main.sock"), &st), 0);
	assert_int_not_equal(stat(at("admin.sock"), &st), 0);
}

static void
a_second_signal_does_not_wait(void **state)
{
	(void)state;
	put("conf/front-stuck", "");
	start_daemon();
	assert_true(all_run());
	assert_true(logged("event=ready"));
	assert_int_equal(kill(daemon_pid, SIGTERM), 0);
	assert_true(logged("event=drain"));
	nap();
	assert_int_equal(kill(daemon_pid, 0), 0);
	assert_int_equal(kill(daemon_pid, SIGTERM), 0);
	assert_int_equal(exit_status(WAIT_MS), 0);
	assert_true(eventually("vesper-front", 0));
}

static void
hangup_is_passed_on(void **state)
{
	(void)state;
	start_daemon();
	assert_true(all_run());
	assert_int_equal(kill(daemon_pid, SIGHUP), 0);
	assert_true(logged("event=reload"));
	for (int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
		assert_true(eventually("vesper-renewer", 1));
		if (strstr(found[0].text, "control=4 ") != NULL)
			return;
		nap();
	}
	fail();
}

static void
nobody_outlives_a_killed_supervisor(void **state)
{
	(void)state;
	start_daemon();
	assert_true(all_run());
	assert_int_equal(kill(daemon_pid, SIGKILL), 0);
	assert_int_equal(exit_status(WAIT_MS), 128 + SIGKILL);
	assert_true(eventually("signer", 0) && eventually("vesper-front", 0));
	assert_true(eventually("vesper-renewer", 0) && eventually("admin", 0));
	/* What it left behind is no obstacle. */
	start_daemon();
	assert_true(all_run());
}

/* Every process of the token has met the refused PIN: none is on its way to it. */
static bool
all_refused(void)
{
	static char log[TEXT_MAX];

	for (int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
		(void)slurp(at("log"), log);
		if (count(log, " exit=4") == 3)
			return true;
		nap();
	}
	print_message("log: %s\n", log);
	return false;
}

static void
refused_pin_is_not_tried_again(void **state)
{
	static char log[TEXT_MAX];
	size_t starts;

	(void)state;
	put("conf/hsm-exit", "4");
	start_daemon();
	assert_true(logged("event=pin_refused token=hsm"));
	assert_true(all_refused());
	for (int i = 0; i < 30; i++)
		nap();
	(void)slurp(at("log"), log);
	starts =
	    count(log, "event=started child=signer") + count(log, "event=started child=admin");
	assert_int_equal(starts, 3);
	assert_int_equal(count(log, "event=pin_refused"), 1);
	assert_int_equal(unlink(at("conf/hsm-exit")), 0);
	assert_int_equal(kill(daemon_pid, SIGHUP), 0);
	assert_true(all_run());
}

/*
 * The stand-in greets a signer when it hears of it, unless hsm-exit is there:
 * one that starts after that went, and was heard of before, would never be up,
 * and the others wait for it.
 */
static void
changed_pin_is_tried(void **state)
{
	(void)state;
	put("conf/hsm-exit", "4");
	start_daemon();
	assert_true(logged("event=pin_refused token=hsm"));
	assert_true(all_refused());
	assert_int_equal(unlink(at("conf/hsm-exit")), 0);
	put("conf/pin", "567890\n");
	assert_true(logged("event=pin_changed"));
	assert_true(all_run());
}

static void
second_supervisor_is_refused(void **state)
{
	const char *const args[] = { "-c", config_path, NULL };
	pid_t first;

	(void)state;
	start_daemon();
	assert_true(all_run());
	first = daemon_pid;
	run_daemon(getuid(), args);
	assert_int_equal(exit_status(WAIT_MS), 1);
	assert_true(logged("is in use by another vesperd"));
	daemon_pid = first;
	assert_int_equal(call_socket("main.sock", "hello"), 0); /* its socket was left alone */
}

static void
ordinary_user_runs_all_roles(void **state)
{
	const char *const args[] = { "-c", config_path, NULL };

	(void)state;
	if (!is_root()) {
		skip();
		return;
	}
	run_daemon(NOBODY, args);
	assert_true(all_run());
	assert_true(eventually("signer", 2));
	assert_true(has(&found[0], "id=65534 65534"));
	assert_int_equal(count(found[0].text, "arg=--user"), 0);
	assert_true(logged("isolated=no"));
}

static void
spoil_parent(void)
{
	assert_int_equal(mkdir(at("open"), 0777), 0);
	assert_int_equal(chmod(at("open"), 0777), 0);
}

static void
spoil_socket(void)
{
	put("main.sock", "precious");
}

static void
spoil_state(void)
{
	assert_int_equal(mkdir(at("audit"), 0755), 0);
	put("audit/theirs", "x");
	if (is_root())
		assert_int_equal(chown(at("audit"), NOBODY, NOBODY), 0);
	else
		assert_int_equal(chmod(at("audit"), 0777), 0);
}

static void
spoil_audit(void)
{
	put("audit", "x");
}

static void
spoil_programs(void)
{
	assert_int_equal(unlink(at("bin/vesper-hsm")), 0);
}

/* Each row: what is wrong, the exit status, what is said. */
static struct start_case {
	const char *name, *config; /* appended to the good one, or NULL */
	void (*spoil)(void);
	int status;
	const char *says;
} start_cases[] = {
	{ "bad configuration", "kye = 1\n", NULL, 2, "vesperd.conf:12: no such option 'kye'" },
	{ "socket in an open directory", "listen \"x\" { path = \"../open/x.sock\" }\n",
	    spoil_parent, 1, "can be written by everyone" },
	{ "socket in no directory", "listen \"x\" { path = \"../none/x.sock\" }\n", NULL, 1,
	    "the socket's directory must exist" },
	{ "a file in the socket's place", NULL, spoil_socket, 1, "exists and is not a socket" },
	{ "someone else's audit directory", NULL, spoil_state, 1, "/audit" },
	{ "no directory for the lock of a token",
	    "token \"u\" { module = \"/nonexistent.so\" label = \"u\" pin = \"file:pin\" "
	    "lock_file = \"../none/lock\" }\n",
	    NULL, 1, "create the directory it stands in" },
	{ "a file in the place of a directory", NULL, spoil_audit, 1,
	    "is not a directory: remove it" },
	{ "a role is not installed", NULL, spoil_programs, 1, "vesper-hsm: No such file" },
};

static void
refuses_to_start(void **state)
{
	const struct start_case *t = *state;
	const char *const args[] = { "-c", config_path, NULL };
	char text[4096];

	make_home_tree();
	snprintf(text, sizeof text, "%s%s", CONFIG_TEXT, t->config != NULL ? t->config : "");
	put("conf/vesperd.conf", text);
	if (t->spoil != NULL)
		t->spoil();
	run_daemon(getuid(), args);
	assert_int_equal(exit_status(WAIT_MS), t->status);
	assert_true(logged(t->says));
	(void)tear_down(NULL);
}

static void
missing_users_are_named(void **state)
{
	(void)state;
	if (!is_root()) {
		skip();
		return;
	}
	put("conf/vesperd.conf",
	    "trust_anchors = \"anchors.pem\"\nfront_user = \"no-such-a\"\nhsm_user = \"bin\"\n"
	    "net_user = \"no-such-b\"\nstate_dir = \"../state\"\naudit_dir = \"../audit\"\n");
	start_daemon();
	assert_int_equal(exit_status(WAIT_MS), 1);
	assert_true(
	    logged("no such user: no-such-a no-such-b; for each run: adduser --system"));
}

static void
check_only(void **state)
{
	const char *const args[] = { "-t", "-c", config_path, NULL };
	struct stat st;

	(void)state;
	run_daemon(getuid(), args);
	assert_int_equal(exit_status(WAIT_MS), 0);
	assert_true(logged("warning: module /nonexistent.so"));
	assert_true(logged("warning: pin pin has mode 0644"));
	assert_int_not_equal(stat(at("state"), &st), 0);
	put("conf/vesperd.conf", "trust_anchors = \"anchors.pem\"\nfront_user = \"no-such-a\"\n"
				 "listen \"x\" { path = \"../none/x.sock\" }\n");
	run_daemon(getuid(), args);
	assert_int_equal(exit_status(WAIT_MS), 0);
	assert_true(logged("warning: the socket's directory ../none: No such file"));
	assert_true(logged("warning: no tenant: put a file for each into tenants.d"));
	assert_true(!is_root() || logged("warning: no such user: no-such-a"));
	put("conf/vesperd.conf", "kye = 1\n");
	run_daemon(getuid(), args);
	assert_int_equal(exit_status(WAIT_MS), 2);
	assert_true(logged("vesperd.conf:1: no such option 'kye'"));
}

/*
 * Without one of these the front can only fail: it is said once, and by -t with
 * the same words, rather than by a front that is started for ever.
 */
static void
shared_files_first(void **state)
{
	static const struct {
		const char *key, *text, *says;
	} rows[] = {
		{ "trust_anchors", NULL,
		    "trust_anchors x: No such file or directory; create it" },
		{ "trust_anchors", "no certificate\n", "trust_anchors x: " },
		{ "authority_anchors", NULL,
		    "authority_anchors x: No such file or directory; create it" },
		{ "authority_anchors", "-----BEGIN", "authority_anchors x: " },
		{ "ct_logs", NULL, "ct_logs x: No such file or directory; create it" },
		{ "ct_logs", "[]", "ct_logs x: " },
		{ "ct_logs", "", "ct_logs x: " },
	};
	const char *const args[] = { "-t", "-c", config_path, NULL };
	char text[512], says[128];
	struct stat st;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof text, "%s%s = \"x\"\nstate_dir = \"../state\"\n",
		    strcmp(rows[i].key, "trust_anchors") != 0
			? "trust_anchors = \"anchors.pem\"\n"
			: "",
		    rows[i].key);
		put("conf/vesperd.conf", text);
		(void)unlink(at("conf/x"));
		if (rows[i].text != NULL)
			put("conf/x", rows[i].text);
		snprintf(says, sizeof says, "vesperd: %s", rows[i].says);
		for (int start = 0; start < 2; start++) {
			(void)unlink(at("log"));
			run_daemon(getuid(), start ? args + 1 : args);
			assert_int_equal(exit_status(WAIT_MS), 2);
			assert_true(logged(says));
		}
	}
	assert_int_not_equal(stat(at("state"), &st), 0);
}

/* As root too it is the front's user who has to read them. */
static void
shared_files_of_others(void **state)
{
	const char *const test[] = { "-t", "-c", config_path, NULL };

	(void)state;
	if (!is_root()) {
		skip();
		return;
	}
	assert_int_equal(chmod(at("conf/anchors.pem"), 0600), 0);
	start_daemon();
	assert_int_equal(exit_status(WAIT_MS), 2);
	assert_true(logged("trust_anchors anchors.pem: Permission denied; make it, and"));
	assert_true(logged("readable for user daemon"));
	/* Somebody else who tries the file knows nothing of that. */
	(void)unlink(at("log"));
	run_daemon(65533, test);
	assert_int_equal(exit_status(WAIT_MS), 0);
}

/* The configuration itself: a role that cannot read it would be started for ever. */
static void
configuration_of_others(void **state)
{
	static const struct {
		const char *file;
		int mode;
		const char *says;
	} rows[] = {
		{ "conf/vesperd.conf", 0600, "vesperd.conf: Permission denied" },
		{ "conf/tenants.d", 0700, "tenants.d: Permission denied" },
		{ "conf/tenants.d/acme.conf", 0600, "tenants.d/acme.conf: Permission denied" },
		{ "conf/numbers", 0600, "numbers: Permission denied" },
		{ "conf", 0700, "vesperd.conf: Permission denied" },
	};
	const char *const test[] = { "-t", "-c", config_path, NULL };

	(void)state;
	if (!is_root()) {
		skip();
		return;
	}
	assert_int_equal(mkdir(at("conf/tenants.d"), 0755), 0);
	put("conf/numbers", "12025550100\n");
	put("conf/tenants.d/acme.conf", "tenant \"acme\" { numbers_file = \"numbers\" }\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct stat st;

		assert_int_equal(stat(at(rows[i].file), &st), 0);
		assert_int_equal(chmod(at(rows[i].file), (mode_t)rows[i].mode), 0);
		(void)unlink(at("log"));
		run_daemon(getuid(), test);
		assert_int_equal(exit_status(WAIT_MS), 2);
		assert_true(logged(rows[i].says));
		assert_true(logged("readable for user daemon"));
		start_daemon();
		assert_int_equal(exit_status(WAIT_MS), 2);
		assert_int_equal(chmod(at(rows[i].file), st.st_mode & 07777), 0);
	}
	(void)unlink(at("log"));
	run_daemon(getuid(), test);
	assert_int_equal(exit_status(WAIT_MS), 0);
}

static void
check_says_what_cannot_be(void **state)
{
	const char *const args[] = { "-t", "-c", config_path, NULL };
	static const char text[] =
	    "trust_anchors = \"anchors.pem\"\nstate_dir = \"plain\"\n"
	    "token \"a\" { module = \"/etc\" label = \"l\" pin = \"credential:pin\"\n"
	    "  lock_file = \"nowhere/token.lock\" }\n"
	    "token \"b\" { module = \"/etc/passwd\" label = \"m\" pin = \"file:pin\" }\n";

	(void)state;
	put("conf/vesperd.conf", text);
	put("conf/plain", "");
	assert_int_equal(mkdir(at("conf/tenants.d"), 0755), 0);
	put("conf/tenants.d/acme.conf",
	    "tenant \"acme\" {\n numbers = { \"12025550100\" }\n}\n");
	run_daemon(getuid(), args);
	assert_int_equal(exit_status(WAIT_MS), 0);
	assert_true(logged("warning: state_dir plain is not a directory: remove it"));
	assert_true(logged("warning: module /etc is no shared library"));
	assert_true(logged("warning: module /etc/passwd is no shared library"));
	assert_true(logged("warning: the lock file's directory nowhere: No such file"));
	assert_true(logged("warning: pin credential:pin: there is no CREDENTIALS_DIRECTORY"));
	assert_true(logged("warning: tenants.d/acme.conf:1: nobody may use tenant \"acme\""));
}

static void
check_says_what_is_empty(void **state)
{
	const char *const args[] = { "-t", "-c", config_path, NULL };
	static const char text[] =
	    "trust_anchors = \"anchors.pem\"\nfront_user = \"daemon\"\nhsm_user = \"bin\"\n"
	    "net_user = \"sys\"\ntoken \"hsm\" { module = \"/nonexistent.so\" label = \"l\"\n"
	    "  pin = \"file:pin\"\n"
	    "  environment = { \"A=1\", \"SOFTHSM2_CONF=soft.conf\" } }\n";
	static const char tenant[] =
	    "tenant \"acme\" {\n numbers = { \"12025550100\" }\n credential \"main\" {\n"
	    "  profile = \"atis-delegate\" token = \"hsm\" x5u = \"https://h/\"\n"
	    "  publish_dir = \"www\"\n }\n}\n";

	(void)state;
	put("conf/vesperd.conf", text);
	assert_int_equal(mkdir(at("conf/tenants.d"), 0755), 0);
	put("conf/tenants.d/acme.conf", tenant);
	put("conf/pin", "");
	run_daemon(getuid(), args);
	assert_int_equal(exit_status(WAIT_MS), 0);
	assert_true(logged("warning: vesperd.conf:6: pin pin is empty; write the user PIN"));
	assert_true(logged("warning: vesperd.conf:7: SOFTHSM2_CONF=soft.conf: No such file or "
			   "directory; create it"));
	assert_true(logged(
	    "warning: tenants.d/acme.conf:5: publish_dir www: No such file or directory"));
	/* There, but not for the front. */
	put("conf/pin", "1234");
	put("conf/soft.conf", "");
	assert_int_equal(mkdir(at("conf/www"), is_root() ? 0755 : 0555), 0);
	(void)unlink(at("log"));
	run_daemon(getuid(), args);
	assert_int_equal(exit_status(WAIT_MS), 0);
	assert_false(logged("is empty"));
	assert_false(logged("SOFTHSM2_CONF"));
	assert_true(logged(
	    "warning: tenants.d/acme.conf:5: publish_dir www: Permission denied; it is"));
	assert_int_equal(chmod(at("conf/www"), 0777), 0);
	(void)unlink(at("log"));
	run_daemon(getuid(), args);
	assert_int_equal(exit_status(WAIT_MS), 0);
	assert_false(logged("publish_dir"));
}

static void
usage_errors(void **state)
{
	const char *const unknown[] = { "-x", NULL }, *const extra[] = { "-t", "file", NULL };

	(void)state;
	run_daemon(getuid(), unknown);
	assert_int_equal(exit_status(WAIT_MS), 2);
	run_daemon(getuid(), extra);
	assert_int_equal(exit_status(WAIT_MS), 2);
	assert_true(logged("usage: vesperd"));
}

#define PROCESS_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(int argc, char **argv)
{
	const struct CMUnitTest fixed[] = {
		cmocka_unit_test(backoff_doubles),
		cmocka_unit_test(backoff_by_status),
		cmocka_unit_test(orphans_are_replaced_at_once),
		cmocka_unit_test(a_token_has_pauses_of_its_own),
		cmocka_unit_test(one_signer_tries),
		cmocka_unit_test(an_outage_is_told_once),
		cmocka_unit_test(tries_become_quiet),
		PROCESS_TEST(roles_get_what_they_were_promised),
		PROCESS_TEST(places_belong_to_their_users),
		PROCESS_TEST(signer_is_replaced),
		PROCESS_TEST(front_asks_to_kill),
		PROCESS_TEST(front_loss_replaces_everyone),
		PROCESS_TEST(drains_and_stops),
		PROCESS_TEST(a_second_signal_does_not_wait),
		PROCESS_TEST(hangup_is_passed_on),
		PROCESS_TEST(nobody_outlives_a_killed_supervisor),
		PROCESS_TEST(refused_pin_is_not_tried_again),
		PROCESS_TEST(changed_pin_is_tried),
		PROCESS_TEST(second_supervisor_is_refused),
		PROCESS_TEST(ordinary_user_runs_all_roles),
		PROCESS_TEST(missing_users_are_named),
		PROCESS_TEST(check_only),
		PROCESS_TEST(shared_files_first),
		PROCESS_TEST(shared_files_of_others),
		PROCESS_TEST(configuration_of_others),
		PROCESS_TEST(check_says_what_cannot_be),
		PROCESS_TEST(check_says_what_is_empty),
		PROCESS_TEST(usage_errors),
	};
	struct CMUnitTest tests[ARRAY_LEN(fixed) + ARRAY_LEN(start_cases)];
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	(void)argc;
	(void)argv;
	if (n <= 0)
		return 1;
	self[n] = 0;
	*strstr(self, "/tests/unit/") = 0;
	snprintf(build_dir, sizeof build_dir, "%s", self);
	memcpy(tests, fixed, sizeof fixed);
	for (size_t i = 0; i < ARRAY_LEN(start_cases); i++)
		tests[ARRAY_LEN(fixed) + i] = (struct CMUnitTest){ .name = start_cases[i].name,
			.test_func = refuses_to_start,
			.initial_state = &start_cases[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
