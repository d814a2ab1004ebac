/*
 * Stands in for vesper-front, vesper-hsm and vesper-renewer under a real
 * vesperd: reports what it was given (descriptors, arguments, environment,
 * user) into reports/ROLE.PID of its working directory, and obeys.
 *
 * hsm-exit in the working directory: a token process ends at once with this
 * status.  The front takes commands on its first listening socket: "kill T G",
 * "exit N"; with the file front-stuck it ignores to be drained.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/role.h"

enum { MAX_ENDS = 64 };

extern char **environ;

static FILE *report;
static int ends[MAX_ENDS]; /* the front's ends of pairs, kept open */
static size_t ends_len;

static void
say(const char *key, const char *value)
{
	fprintf(report, "%s=%s\n", key, value);
	fflush(report);
}

static const char *
fd_kind(int fd)
{
	int type = 0, listening = 0;
	socklen_t len = sizeof type;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return "closed";
	if (S_ISCHR(st.st_mode))
		return "chr";
	if (!S_ISSOCK(st.st_mode))
		return "file";
	(void)getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	len = sizeof listening;
	(void)getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len);
	if (listening)
		return "listen";
	return type == SOCK_SEQPACKET ? "seqpacket" : "stream";
}

static void
say_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *e;
	char key[32];

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		int fd = (int)strtol(e->d_name, NULL, 10);

		if (e->d_name[0] == '.' || fd == dirfd(d) || fd == fileno(report))
			continue;
		snprintf(key, sizeof key, "fd%d", fd);
		say(key, fd_kind(fd));
	}
	closedir(d);
}

static const char *
option(int argc, char **argv, const char *name)
{
	for (int i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], name) == 0)
			return argv[i + 1];
	}
	return NULL;
}

static void
say_everything(int argc, char **argv)
{
	char text[64];

	for (int i = 1; i < argc; i++)
		say("arg", argv[i]);
	for (char **e = environ; *e != NULL; e++)
		say("env", *e);
	snprintf(text, sizeof text, "%u %u", (unsigned)getuid(), (unsigned)getgid());
	say("id", text);
	snprintf(text, sizeof text, "%d", prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L));
	say("no_new_privs", text);
	say_descriptors();
	say("end", "");
}

static void
obey(char *line)
{
	struct control m = { .kind = CONTROL_KILL };
	struct fault f = { 0 };
	unsigned token = 0, generation = 0;

	if (strncmp(line, "exit ", 5) == 0)
		_exit((int)strtol(line + 5, NULL, 10));
	if (sscanf(line, "kill %u %u", &token, &generation) == 2) {
		m.token = token;
		m.generation = generation;
		if (control_send(ROLE_FD_CONTROL, &m, -1, &f) != RC_OK)
			_exit(90);
	}
}

static void
take_command(void)
{
	char line[64] = "";
	AUTO_FD fd = accept(ROLE_FD_LISTEN, NULL, NULL);

	if (fd >= 0 && read(fd, line, sizeof line - 1) > 0)
		obey(line);
}

/* As if the signer had said hello. */
static void
greet(const struct control *signer)
{
	struct control m = *signer;
	struct fault f = { 0 };

	m.kind = CONTROL_UP;
	if (control_send(ROLE_FD_CONTROL, &m, -1, &f) != RC_OK)
		_exit(92);
}

static void
take_control(bool stuck)
{
	struct control m = { 0 };
	struct fault f = { 0 };
	char text[128];
	int fd = -1;
	enum rc rc = control_recv(ROLE_FD_CONTROL, &m, &fd, &f);

	if (rc == RC_NOT_FOUND)
		return;
	if (rc != RC_OK)
		_exit(0);
	snprintf(text, sizeof text,
	    "%u token=%u process=%u generation=%u role=%u isolated=%u fd=%s", m.kind, m.token,
	    m.process, m.generation, m.role, m.isolated, fd >= 0 ? fd_kind(fd) : "none");
	say("control", text);
	if (fd >= 0 && ends_len < MAX_ENDS)
		ends[ends_len++] = fd;
	if (m.kind == CONTROL_SIGNER && access("hsm-exit", F_OK) != 0)
		greet(&m);
	if (m.kind == CONTROL_DRAIN && !stuck)
		_exit(0);
}

static void
front(void)
{
	struct control ready = { .kind = CONTROL_READY };
	struct fault f = { 0 };
	bool stuck = access("front-stuck", F_OK) == 0;
	struct pollfd p[] = { { .fd = ROLE_FD_CONTROL, .events = POLLIN },
		{ .fd = ROLE_FD_LISTEN, .events = POLLIN } };

	if (control_send(ROLE_FD_CONTROL, &ready, -1, &f) != RC_OK)
		_exit(91);
	while (poll(p, ARRAY_LEN(p), -1) >= 0) {
		if (p[0].revents != 0)
			take_control(stuck);
		if (p[1].revents != 0)
			take_command();
	}
}

static void
renewer(void)
{
	struct pollfd p[] = { { .fd = ROLE_FD_PEER, .events = POLLIN },
		{ .fd = ROLE_FD_CONTROL, .events = POLLIN } };
	char byte;

	while (poll(p, ARRAY_LEN(p), -1) >= 0) {
		if (p[0].revents != 0 && recv(ROLE_FD_PEER, &byte, 1, MSG_DONTWAIT) == 0)
			_exit(0);
		if (p[1].revents != 0)
			take_control(false);
	}
}

static void
token_process(void)
{
	FILE *f = fopen("hsm-exit", "r");
	struct pollfd p = { .fd = ROLE_FD_PEER, .events = POLLIN };
	int status = 0;

	if (f != NULL && fscanf(f, "%d", &status) == 1)
		_exit(status);
	if (f != NULL)
		fclose(f);
	(void)poll(&p, 1, -1);
}

int
main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *name = slash != NULL ? slash + 1 : argv[0];
	bool hsm = strcmp(name, "vesper-hsm") == 0;
	struct fault f = { 0 };
	char path[128];

	if (role_become(option(argc, argv, "--user"), false, &f) != RC_OK) {
		fprintf(stderr, "%s: %s\n", name, f.detail);
		return 92;
	}
	snprintf(path, sizeof path, "reports/%s.%ld", hsm && argc > 1 ? argv[1] : name,
	    (long)getpid());
	report = fopen(path, "we");
	if (report == NULL)
		return 93;
	say_everything(argc, argv);
	if (hsm)
		token_process();
	else if (strcmp(name, "vesper-front") == 0)
		front();
	else
		renewer();
	return 0;
}
