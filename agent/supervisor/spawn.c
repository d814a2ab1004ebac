#include "agent/supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_ENV = 64, PATH_LEN = 4096, NUMBER_LEN = 16 };

static const char *const programs[ROLE__COUNT] = {
	[ROLE_FRONT] = "vesper-front",
	[ROLE_SIGNER] = "vesper-hsm",
	[ROLE_ADMIN] = "vesper-hsm",
	[ROLE_RENEWER] = "vesper-renewer",
};

static const char hook_program[] = "vesper-hook";

enum rc
spawn_high_fd(int *fd, struct fault *f)
{
	int high = fcntl(*fd, F_DUPFD_CLOEXEC, SPAWN_FD_BASE);

	if (high < 0)
		return FAULT(f, RC_IO, "spawn", "F_DUPFD_CLOEXEC: %s", strerror(errno));
	close(*fd);
	*fd = high;
	return RC_OK;
}

/* ---- arguments and environment ---------------------------------------------- */

/* What posix_spawn wants are char pointers that it does not write through. */
struct vector {
	char *item[MAX_ENV + 1];
	size_t len;
	bool full;
};

static void
push(struct vector *v, const char *text)
{
	if (v->len == MAX_ENV) {
		v->full = true;
		return;
	}
	v->item[v->len++] = (char *)(uintptr_t)text;
}

static void
push_pair(struct vector *v, const char *option, const char *value)
{
	if (value == NULL)
		return;
	push(v, option);
	push(v, value);
}

struct words { /* storage of what is put together here */
	char threads[NUMBER_LEN], generation[NUMBER_LEN], canary_s[NUMBER_LEN];
	char max_keys[NUMBER_LEN], place[NUMBER_LEN], places[NUMBER_LEN];
	char state[PATH_LEN], starter[64], credentials[PATH_LEN];
};

static const char *
role_user(const struct spawn_context *s, enum role_kind role)
{
	if (!s->as_root)
		return NULL;
	if (role == ROLE_FRONT)
		return s->config->front_user;
	return role == ROLE_RENEWER ? s->config->net_user : s->config->hsm_user;
}

/* Its signers compute all the time and in one thread each: they need a processor each. */
static bool
is_kept_apart(const struct config_token *t)
{
	return t->threads == 1 && !t->network && !t->any_processor;
}

/* Two such tokens would get in each other's way, and one of them may be idle. */
static bool
is_alone(const struct config *c)
{
	unsigned n = 0;

	for (size_t t = 0; t < c->tokens; t++)
		n += is_kept_apart(&c->token[t]);
	return n == 1;
}

static void
place_args(
    struct vector *v, const struct spawn_context *s, const struct child *c, struct words *w)
{
	const struct config_token *t = &s->config->token[c->token];

	if (c->role != ROLE_SIGNER || !is_kept_apart(t) || !is_alone(s->config))
		return;
	snprintf(w->place, sizeof w->place, "%u", (unsigned)c->process);
	snprintf(w->places, sizeof w->places, "%u", t->processes);
	push_pair(v, "--place", w->place);
	push_pair(v, "--places", w->places);
}

static void
token_args(
    struct vector *v, const struct spawn_context *s, const struct child *c, struct words *w)
{
	const struct config_token *t = &s->config->token[c->token];

	snprintf(w->threads, sizeof w->threads, "%u", t->threads);
	snprintf(w->generation, sizeof w->generation, "%u", (unsigned)c->generation);
	snprintf(w->canary_s, sizeof w->canary_s, "%u", t->canary_s);
	snprintf(w->max_keys, sizeof w->max_keys, "%u", t->max_keys);
	snprintf(w->state, sizeof w->state, "%s/hsm", s->config->state_dir);
	push(v, child_role_name(c->role));
	push_pair(v, "--module", t->module);
	push_pair(v, "--label", t->label);
	push_pair(v, "--serial", t->serial);
	push_pair(v, "--pin", t->pin.text);
	push_pair(v, "--threads", w->threads);
	push_pair(v, "--lock-file", t->lock_file);
	push_pair(v, "--generation", w->generation);
	push_pair(v, "--state", w->state);
	push_pair(v, "--canary-s", w->canary_s);
	push_pair(v, "--max-keys", w->max_keys);
	place_args(v, s, c, w);
	if (t->read_write)
		push(v, "--read-write");
	if (t->verify_all)
		push(v, "--verify-all");
	if (c->quiet)
		push(v, "--quiet");
}

static void
make_args(
    struct vector *v, const struct spawn_context *s, const struct child *c, struct words *w)
{
	push(v, programs[c->role]);
	if (c->role == ROLE_SIGNER || c->role == ROLE_ADMIN)
		token_args(v, s, c, w);
	else
		push_pair(v, "--config", s->config_name);
	push_pair(v, "--user", role_user(s, c->role));
	push_pair(v, "--run-id", s->run_id);
}

/*
 * Many requests are under way at once, and each frees what the next asks for:
 * glibc keeps 7 pieces of a size at hand for a thread, too few for that
 * (docs/PERFORMANCE.md).  Other C libraries do not read it.
 */
static const char memory_at_hand[] = "GLIBC_TUNABLES=glibc.malloc.tcache_count=256";

static bool
has_tunables(const struct vector *v)
{
	for (size_t i = 0; i < v->len; i++) {
		if (strncmp(v->item[i], memory_at_hand, strlen("GLIBC_TUNABLES=")) == 0)
			return true;
	}
	return false;
}

static void
make_env(
    struct vector *v, const struct spawn_context *s, const struct child *c, struct words *w)
{
	const struct config_token *t = NULL;

	if (c->role == ROLE_SIGNER || c->role == ROLE_ADMIN) {
		t = &s->config->token[c->token];
		for (size_t i = 0; i < t->environment.len; i++)
			push(v, t->environment.item[i]);
	} else {
		snprintf(w->starter, sizeof w->starter, "%s=%u", CONFIG_STARTER_ENV,
		    (unsigned)s->starter);
		push(v, w->starter);
	}
	/* A vendor's module sees the directory of secrets only when its PIN lies there. */
	if (s->credentials != NULL &&
	    (t == NULL || strncmp(t->pin.text, "credential:", strlen("credential:")) == 0)) {
		snprintf(w->credentials, sizeof w->credentials, "CREDENTIALS_DIRECTORY=%s",
		    s->credentials);
		push(v, w->credentials);
	}
	if (!has_tunables(v))
		push(v, memory_at_hand);
}

/* ---- descriptors ------------------------------------------------------------ */

static void
actions_cleanup(posix_spawn_file_actions_t *a)
{
	(void)posix_spawn_file_actions_destroy(a);
}

static void
attr_cleanup(posix_spawnattr_t *a)
{
	(void)posix_spawnattr_destroy(a);
}

static enum rc
check(int err, const char *what, struct fault *f)
{
	if (err == 0)
		return RC_OK;
	return FAULT(f, RC_IO, "spawn", "%s: %s", what, strerror(err));
}

static enum rc
place(posix_spawn_file_actions_t *a, int from, int to, struct fault *f)
{
	if (from < 0)
		return RC_OK;
	return check(posix_spawn_file_actions_adddup2(a, from, to), "adddup2", f);
}

static enum rc
place_all(posix_spawn_file_actions_t *a, const struct spawn_context *s, const struct child *c,
    int peer, int control, struct fault *f)
{
	TRY(place(a, s->null, STDIN_FILENO, f));
	TRY(place(a, STDERR_FILENO, STDOUT_FILENO, f));
	TRY(place(a, peer, ROLE_FD_PEER, f));
	TRY(place(a, control, ROLE_FD_CONTROL, f));
	if (c->role != ROLE_FRONT)
		return RC_OK;
	for (size_t i = 0; i < s->listens; i++)
		TRY(place(a, s->listen[i], ROLE_FD_LISTEN + (int)i, f));
	return RC_OK;
}

/*
 * No signal blocked or ignored, and a process group of its own: a terminal's
 * Ctrl-C reaches the supervisor alone, which then drains in order.
 */
static enum rc
set_attributes(posix_spawnattr_t *attr, struct fault *f)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	TRY(check(posix_spawnattr_setsigmask(attr, &none), "setsigmask", f));
	TRY(check(posix_spawnattr_setsigdefault(attr, &all), "setsigdefault", f));
	TRY(check(posix_spawnattr_setpgroup(attr, 0), "setpgroup", f));
	return check(
	    posix_spawnattr_setflags(
		attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP),
	    "setflags", f);
}

enum rc
spawn_role(const struct spawn_context *s, const struct child *c, int peer, int control,
    pid_t *pid, struct fault *f)
{
	__attribute__((cleanup(actions_cleanup))) posix_spawn_file_actions_t actions;
	__attribute__((cleanup(attr_cleanup))) posix_spawnattr_t attr;
	struct vector args = { .len = 0 }, env = { .len = 0 };
	char path[PATH_LEN];
	struct words words;
	int err;

	(void)posix_spawn_file_actions_init(&actions); /* cannot fail in glibc */
	(void)posix_spawnattr_init(&attr);
	TRY(place_all(&actions, s, c, peer, control, f));
	TRY(set_attributes(&attr, f));
	make_args(&args, s, c, &words);
	make_env(&env, s, c, &words);
	if (args.full || env.full)
		return FAULT(
		    f, RC_INVALID, "spawn", "more than %d variables or arguments", MAX_ENV);
	err = snprintf(path, sizeof path, "%s/%s", s->role_dir, programs[c->role]);
	if (err < 0 || err >= PATH_LEN)
		return FAULT(f, RC_INVALID, "spawn", "path of %s too long", programs[c->role]);
	err = posix_spawn(pid, path, &actions, &attr, args.item, env.item);
	return check(err, path, f);
}

enum rc
spawn_hook(const struct spawn_context *s, const struct config_strings *command, int fd,
    pid_t *pid, struct fault *f)
{
	__attribute__((cleanup(actions_cleanup))) posix_spawn_file_actions_t actions;
	__attribute__((cleanup(attr_cleanup))) posix_spawnattr_t attr;
	struct vector args = { .len = 0 }, env = { .len = 0 };
	char path[PATH_LEN];
	int n = snprintf(path, sizeof path, "%s/%s", s->role_dir, hook_program);

	if (n < 0 || n >= PATH_LEN)
		return FAULT(f, RC_INVALID, "spawn", "path of %s too long", hook_program);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attr);
	TRY(place(&actions, fd, STDIN_FILENO, f));
	TRY(place(&actions, fd, STDOUT_FILENO, f));
	TRY(set_attributes(&attr, f));
	push(&args, hook_program);
	push_pair(&args, "--user", role_user(s, ROLE_RENEWER));
	push(&args, "--");
	for (size_t i = 0; i < command->len; i++)
		push(&args, command->item[i]);
	push(&env, "PATH=/usr/local/bin:/usr/bin:/bin");
	if (args.full)
		return FAULT(f, RC_INVALID, "spawn", "more than %d arguments", MAX_ENV);
	return check(posix_spawn(pid, path, &actions, &attr, args.item, env.item), path, f);
}

/* ---- where the programs are ---------------------------------------------------- */

enum rc
spawn_find_roles(char **dir, struct fault *f)
{
	char self[PATH_LEN], front[PATH_LEN + 16];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	if (n > 0) {
		self[n] = 0;
		slash = strrchr(self, '/');
		*slash = 0;
		snprintf(front, sizeof front, "%s/%s", self, programs[ROLE_FRONT]);
	}
	if (n <= 0 || access(front, X_OK) != 0)
		snprintf(self, sizeof self, "%s", LIBEXECDIR);
	for (size_t i = 0; i < ROLE__COUNT; i++) {
		snprintf(front, sizeof front, "%s/%s", self, programs[i]);
		if (access(front, X_OK) != 0)
			return FAULT(f, RC_NOT_FOUND, "spawn",
			    "%s: %s; install the agent completely", front, strerror(errno));
	}
	snprintf(front, sizeof front, "%s/%s", self, hook_program);
	if (access(front, X_OK) != 0)
		return FAULT(f, RC_NOT_FOUND, "spawn", "%s: %s; install the agent completely",
		    front, strerror(errno));
	*dir = strdup(self);
	return *dir != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "role directory");
}
