#include "client/program.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

extern char **environ;

void
words_add(struct words *w, const char *word)
{
	if (word == NULL)
		return;
	w->full = w->full || w->len == PROGRAM_WORDS - 1;
	if (!w->full)
		w->item[w->len++] = (char *)(uintptr_t)word;
}

void
words_pair(struct words *w, const char *option, const char *value)
{
	if (value == NULL)
		return;
	words_add(w, option);
	words_add(w, value);
}

void
program_find(const char *name, char out[PROGRAM_PATH])
{
	size_t len = strlen(name);
	ssize_t n = readlink("/proc/self/exe", out, PROGRAM_PATH - 1);
	char *slash;

	if (n > 0) {
		out[n] = 0;
		slash = strrchr(out, '/');
		if (slash != NULL && (size_t)(slash + 1 - out) + len < PROGRAM_PATH) {
			memcpy(slash + 1, name, len + 1);
			if (access(out, X_OK) == 0)
				return;
		}
	}
	snprintf(out, PROGRAM_PATH, "%s/%s", LIBEXECDIR, name);
}

static bool
too_many(const struct words *args, const struct words *env)
{
	return args->full || (env != NULL && env->full);
}

static int
not_started(const struct cli *cli, const char *path, int error)
{
	return cli_fail(
	    cli, EXIT_FAILED, path, strerror(error), "install the agent completely");
}

static void
be_quiet(const struct cli *cli)
{
	int fd = cli->quiet ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	(void)dup2(fd, STDOUT_FILENO);
	close(fd);
}

int
program_become(
    const struct cli *cli, const char *path, const struct words *args, const struct words *env)
{
	if (too_many(args, env))
		return cli_fail(cli, EXIT_USAGE, "usage", "too many arguments", NULL);
	be_quiet(cli);
	(void)execve(path, args->item, env != NULL ? env->item : environ);
	return not_started(cli, path, errno);
}

static int
wait_for(const struct cli *cli, const char *path, pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return not_started(cli, path, errno);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}

int
program_run(
    const struct cli *cli, const char *path, const struct words *args, const struct words *env)
{
	int error;
	pid_t pid;

	if (too_many(args, env))
		return cli_fail(cli, EXIT_USAGE, "usage", "too many arguments", NULL);
	be_quiet(cli);
	error =
	    posix_spawn(&pid, path, NULL, NULL, args->item, env != NULL ? env->item : environ);
	return error != 0 ? not_started(cli, path, error) : wait_for(cli, path, pid);
}

static int
spawn_into(
    const char *path, const struct words *args, const struct words *env, int to, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);

	if (error != 0)
		return error;
	error = posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
	if (error == 0)
		error = posix_spawn(
		    pid, path, &actions, NULL, args->item, env != NULL ? env->item : environ);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* To the end, also of what there is no room for: it must not wait for us. */
static void
read_all(int fd, struct buf *out)
{
	uint8_t chunk[16384];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0)
			buf_put(out, chunk, (size_t)n);
	}
}

int
program_capture(const struct cli *cli, const char *path, const struct words *args,
    const struct words *env, struct buf *out)
{
	int pipes[2], error, status;
	pid_t pid;

	if (too_many(args, env))
		return cli_fail(cli, EXIT_USAGE, "usage", "too many arguments", NULL);
	if (pipe2(pipes, O_CLOEXEC) != 0)
		return not_started(cli, path, errno);
	error = spawn_into(path, args, env, pipes[1], &pid);
	close(pipes[1]);
	if (error == 0)
		read_all(pipes[0], out);
	close(pipes[0]);
	if (error != 0)
		return not_started(cli, path, error);
	status = wait_for(cli, path, pid);
	return status == EXIT_DONE && buf_check(out, NULL) != RC_OK ? EXIT_FAILED : status;
}
