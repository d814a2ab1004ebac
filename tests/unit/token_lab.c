#include "tests/unit/token_lab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pkcs11/client.h"
#include "pkcs11/p256.h"
#include "tests/unit/cm.h"
#include "tests/unit/tree.h"

extern char **environ;

const char *
lab_softhsm(void)
{
	static const char *const paths[] = {
		"/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
		"/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
	};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (access(paths[i], R_OK) == 0 && access("/usr/bin/softhsm2-util", X_OK) == 0)
			return paths[i];
	}
	return NULL;
}

void
lab_write(const char *path, const char *text, mode_t mode)
{
	AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
}

static void
path_in(const struct lab *lab, const char *name, char out[LAB_PATH])
{
	int n = snprintf(out, LAB_PATH, "%s/%s", lab->dir, name);

	assert_true(n > 0 && n < LAB_PATH);
}

void
lab_make(struct lab *lab)
{
	char tokens[LAB_PATH], text[2 * LAB_PATH];

	*lab = (struct lab){ .module = lab_softhsm() };
	snprintf(lab->dir, sizeof lab->dir, "/tmp/vesper-token-XXXXXX");
	assert_non_null(mkdtemp(lab->dir));
	path_in(lab, "tokens", tokens);
	path_in(lab, "softhsm2.conf", lab->conf);
	path_in(lab, "pin", lab->pin);
	path_in(lab, "state", lab->state);
	path_in(lab, "token.lock", lab->lock);
	assert_int_equal(mkdir(tokens, 0700), 0);
	assert_int_equal(mkdir(lab->state, 0700), 0);
	snprintf(text, sizeof text, "directories.tokendir = %s\nlog.level = ERROR\n", tokens);
	lab_write(lab->conf, text, 0600);
	lab_write(lab->pin, LAB_PIN "\n", 0600);
}

void
lab_remove(struct lab *lab)
{
	if (lab->switches != NULL)
		(void)munmap(lab->switches, sizeof *lab->switches);
	(void)tree_remove(lab->dir);
}

int
lab_setup(void **state)
{
	struct lab *lab = malloc(sizeof *lab);

	assert_non_null(lab);
	lab_make(lab);
	lab_add_token(lab, "t");
	*state = lab;
	return 0;
}

int
lab_teardown(void **state)
{
	lab_remove(*state);
	free(*state);
	return 0;
}

static int
wait_status(pid_t pid)
{
	struct timespec step = { .tv_nsec = 5000000 };
	int status = 0;

	for (unsigned waited_ms = 0; waited_ms < LAB_WAIT_MS; waited_ms += 5) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		nanosleep(&step, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	fail_msg("process %d did not end", (int)pid);
	return -1;
}

bool
lab_run(const struct lab *lab, const char *const argv[])
{
	char conf[LAB_PATH + 16], *env[] = { conf, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int err;

	snprintf(conf, sizeof conf, "SOFTHSM2_CONF=%s", lab->conf);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	err = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, env);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(err, 0);
	return wait_status(pid) == 0;
}

void
lab_add_token(struct lab *lab, const char *label)
{
	const char *const argv[] = { "/usr/bin/softhsm2-util", "--init-token", "--free",
		"--label", label, "--so-pin", LAB_SO_PIN, "--pin", LAB_PIN, NULL };

	assert_true(lab_run(lab, argv));
}

void
lab_use_faults(struct lab *lab)
{
	const char *top = getenv("top_builddir");
	char path[4096];
	AUTO_FD fd = -1;

	snprintf(path, sizeof path, "%.3900s/tests/fault/.libs/p11fault.so",
	    top != NULL ? top : ".");
	assert_non_null(realpath(path, lab->fault_module));
	path_in(lab, "faults", lab->faults);
	fd = open(lab->faults, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, SWITCHES_SIZE), 0);
	lab->switches =
	    mmap(NULL, sizeof *lab->switches, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(lab->switches != MAP_FAILED);
	snprintf(lab->fault_env[0], sizeof lab->fault_env[0], "VESPER_FAULT=%s", lab->faults);
	snprintf(
	    lab->fault_env[1], sizeof lab->fault_env[1], "VESPER_FAULT_MODULE=%s", lab->module);
	lab->env[0] = lab->fault_env[0];
	lab->env[1] = lab->fault_env[1];
	lab->module = lab->fault_module;
}

void
lab_fault(const struct lab *lab, const char *rules)
{
	struct switches *s = lab->switches;

	atomic_fetch_add(&s->serial, 1);
	snprintf(s->text, sizeof s->text, "%s", rules);
	for (size_t i = 0; i < SWITCHES_RULES; i++) {
		s->rule[i].seen = 0;
		s->rule[i].fired = 0;
	}
	atomic_fetch_add(&s->serial, 1);
}

unsigned
lab_calls(const struct lab *lab, const char *function)
{
	for (size_t i = 0; i < SWITCHES_FUNCTIONS; i++) {
		if (strcmp(lab->switches->name[i], function) == 0)
			return (unsigned)lab->switches->calls[i];
	}
	return 0; /* nobody has loaded it yet */
}

/* ---- vesper-hsm -------------------------------------------------------------- */

static const char *
program(char out[4096])
{
	const char *top = getenv("top_builddir");

	snprintf(out, 4096, "%s/vesper-hsm", top != NULL ? top : ".");
	return out;
}

static void
spawn(struct process *p, char **argv, char **env, int peer)
{
	posix_spawn_file_actions_t actions;
	int err;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(
	    &actions, 2, p->err, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	posix_spawn_file_actions_adddup2(&actions, peer, 3);
	err = posix_spawn(&p->pid, argv[0], &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(err, 0);
}

/* Clear of descriptor 3, so that dup2 onto it also clears close-on-exec. */
static void
make_pair(int pair[2])
{
	int made[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, made), 0);
	for (size_t i = 0; i < 2; i++) {
		pair[i] = fcntl(made[i], F_DUPFD_CLOEXEC, 10);
		assert_true(pair[i] >= 0);
		close(made[i]);
	}
}

void
process_start(
    struct process *p, const struct lab *lab, const char *role, const char *const more[])
{
	static uint32_t generation = 100;
	static unsigned serial;
	char path[4096], conf[LAB_PATH + 16], pin[LAB_PATH + 8], gen[16];
	const char *argv[LAB_MAX_ARGS] = { program(path), role, "--module", lab->module,
		"--pin", pin, "--state", lab->state, "--lock-file", lab->lock, "--generation",
		gen };
	const char *env[8] = { conf };
	size_t n = 12, e = 1;
	int pair[2];

	*p = (struct process){ .generation = ++generation };
	snprintf(conf, sizeof conf, "SOFTHSM2_CONF=%s", lab->conf);
	snprintf(pin, sizeof pin, "file:%s", lab->pin);
	snprintf(gen, sizeof gen, "%u", p->generation);
	snprintf(p->err, sizeof p->err, "%.90s/err-%u", lab->dir, ++serial);
	for (size_t i = 0; more != NULL && more[i] != NULL; i++) {
		assert_true(n < LAB_MAX_ARGS - 1);
		argv[n++] = more[i];
	}
	for (size_t i = 0; i < ARRAY_LEN(lab->env) && lab->env[i] != NULL; i++)
		env[e++] = lab->env[i];
	make_pair(pair);
	spawn(p, (char **)(uintptr_t)argv, (char **)(uintptr_t)env, pair[1]);
	close(pair[1]);
	p->fd = pair[0];
}

bool
process_answer(struct process *p, struct frame *out)
{
	for (;;) {
		struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
		struct fault f = { 0 };
		enum rc rc = frame_recv(p->fd, out, &f);

		if (rc == RC_OK)
			return true;
		if (rc != RC_NOT_FOUND)
			return false;
		if (poll(&pfd, 1, LAB_WAIT_MS) == 0)
			fail_msg("no answer within %d ms", LAB_WAIT_MS);
	}
}

bool
process_hello(struct process *p, struct frame_hello *out)
{
	struct frame frame;

	if (!process_answer(p, &frame))
		return false;
	assert_int_equal(frame.op, FRAME_HELLO);
	assert_int_equal(frame.code, FRAME_OK);
	assert_int_equal(frame.request_id, 0);
	assert_int_equal(frame.generation, p->generation);
	if (out != NULL)
		memcpy(out, frame.body, sizeof *out);
	return true;
}

static void
show(const struct process *p)
{
	char text[1024];
	AUTO_FD fd = open(p->err, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);

	if (n > 0)
		print_error("%.*s", (int)n, text);
}

void
process_up(struct process *p, const struct lab *lab, const char *role, const char *const more[])
{
	process_start(p, lab, role, more);
	if (!process_hello(p, NULL)) {
		show(p);
		fail_msg("%s did not start", role);
	}
}

struct frame
process_ask(
    struct process *p, enum frame_op op, const uint8_t *key_id, const uint8_t *body, size_t len)
{
	struct frame frame = frame_make(op, p->generation, ++p->last_id);
	struct frame answer = { 0 };
	struct fault f = { 0 };

	if (key_id != NULL)
		memcpy(frame.key_id, key_id, sizeof frame.key_id);
	if (body != NULL)
		memcpy(frame.body, body, len);
	assert_int_equal(frame_send(p->fd, &frame, &f), RC_OK);
	if (!process_answer(p, &answer)) {
		show(p);
		fail_msg("it ended instead of answering");
	}
	assert_int_equal(answer.op, op);
	assert_true(answer.request_id == p->last_id);
	assert_int_equal(answer.generation, p->generation);
	return answer;
}

struct frame_stats
process_stats(struct process *p)
{
	struct frame answer = process_ask(p, FRAME_STATS, NULL, NULL, 0);
	struct frame_stats stats;

	memcpy(&stats, answer.body, sizeof stats);
	return stats;
}

static const uint8_t some_digest[32] = { 1, 2, 3, 4 };

struct made
made_key(struct process *admin)
{
	struct frame answer = process_ask(admin, FRAME_GENERATE, NULL, NULL, 0);
	struct made made;
	uint8_t id[32];

	assert_int_equal(answer.code, FRAME_OK);
	memcpy(made.id, answer.key_id, sizeof made.id);
	memcpy(made.point, answer.body, sizeof made.point);
	assert_int_equal(p256_key_id(made.point, id, NULL), RC_OK);
	assert_memory_equal(id, made.id, sizeof id);
	return made;
}

void
made_elsewhere(struct made *out)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	size_t len = 0;

	assert_int_equal(EVP_PKEY_get_octet_string_param(
			     key, OSSL_PKEY_PARAM_PUB_KEY, out->point, sizeof out->point, &len),
	    1);
	EVP_PKEY_free(key);
	assert_int_equal(p256_key_id(out->point, out->id, NULL), RC_OK);
}

int
made_code(struct process *p, enum frame_op op, const struct made *key)
{
	if (op == FRAME_LEARN || op == FRAME_LOOK)
		return process_ask(p, op, key->id, key->point, 65).code;
	return process_ask(p, op, key->id, some_digest, sizeof some_digest).code;
}

void
made_signs(struct process *p, const struct made *key)
{
	struct frame answer =
	    process_ask(p, FRAME_SIGN, key->id, some_digest, sizeof some_digest);
	uint8_t other[32] = { 9 };

	assert_int_equal(answer.code, FRAME_OK);
	assert_int_equal(p256_verify(key->point, some_digest, answer.body, NULL), RC_OK);
	assert_int_equal(p256_verify(key->point, other, answer.body, NULL), RC_DENIED);
}

int
process_wait(struct process *p)
{
	int status = wait_status(p->pid);

	close(p->fd);
	p->fd = -1;
	p->pid = 0;
	return status;
}

int
process_stop(struct process *p)
{
	int status;

	shutdown(p->fd, SHUT_RDWR);
	status = process_wait(p);
	if (status != 0)
		show(p);
	return status;
}

bool
process_said(const struct process *p, const char *text)
{
	char all[4096];
	AUTO_FD fd = open(p->err, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, all, sizeof all - 1);

	if (n < 0)
		return false;
	all[n] = 0;
	return strstr(all, text) != NULL;
}
