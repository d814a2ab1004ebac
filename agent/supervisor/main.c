/*
 * vesperd: reads the configuration, prepares directories and sockets, and
 * hands over to the loop.  All messages before that go to stderr as one line
 * that says what failed and what to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/log.h"
#include "agent/supervisor/harden.h"
#include "agent/supervisor/place.h"
#include "agent/supervisor/supervisor.h"
#include "agent/supervisor/trial.h"

#include "config.h"

enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, SPARE_DESCRIPTORS = 1024 };

struct options {
	const char *config;
	bool test, verbose;
};

struct inherited { /* kept from an environment that is then emptied */
	char *credentials, *notify;
};

static int
usage(FILE *out, int status)
{
	fprintf(out, "usage: vesperd [-c FILE] [-t] [-v]\n"
		     "  -c FILE  configuration (default " SYSCONFDIR "/vesperd.conf)\n"
		     "  -t       check the configuration and exit: 0 good, 2 not\n"
		     "  -v       log more\n");
	return status;
}

static int
complain(const struct fault *f, int status)
{
	fprintf(stderr, "vesperd: %s\n", f->detail);
	return status;
}

/* -1: go on; else the exit status. */
static int
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "c:tvh", longs, NULL)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 't': o->test = true; break;
		case 'v': o->verbose = true; break;
		case 'h': return usage(stdout, EXIT_DONE);
		case 'V': printf("vesperd %s\n", PACKAGE_VERSION); return EXIT_DONE;
		default: return usage(stderr, EXIT_USAGE);
		}
	}
	return optind == argc ? -1 : usage(stderr, EXIT_USAGE);
}

/* 0 to 2 exist from here on, and nothing that a shell left open reaches a role. */
static enum rc
settle_descriptors(struct fault *f)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return FAULT(f, RC_IO, "start", "/dev/null: %s", strerror(errno));
	close(fd);
	for (fd = 0; fd <= STDERR_FILENO; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0)
			(void)fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
	}
	if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0 && errno != ENOSYS)
		return FAULT(f, RC_IO, "start", "close_range: %s", strerror(errno));
	return RC_OK;
}

static void
inherited_cleanup(struct inherited *in)
{
	free(in->credentials);
	free(in->notify);
}

static char *
copy_variable(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != 0 ? strdup(value) : NULL;
}

static void
empty_environment(struct inherited *in)
{
	in->credentials = copy_variable("CREDENTIALS_DIRECTORY");
	in->notify = copy_variable("NOTIFY_SOCKET");
	clearenv();
}

/* ---- -t ---------------------------------------------------------------------- */

static int
report_good(const struct options *o, const struct config *c)
{
	trial_warn(c);
	if (o->verbose)
		fprintf(stderr, "vesperd: %s is good: %zu tenants, %zu tokens\n", o->config,
		    c->tenants, c->tokens);
	return EXIT_DONE;
}

/* ---- start --------------------------------------------------------------------- */

/* As root for everybody; an ordinary user gets as much as the hard limit allows. */
static void
raise_descriptor_limit(const struct config *c)
{
	rlim_t want = (rlim_t)c->max_connections + SPARE_DESCRIPTORS;
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur >= want)
		return;
	l.rlim_cur = want;
	if (l.rlim_max < want && geteuid() == 0)
		l.rlim_max = want;
	if (l.rlim_cur > l.rlim_max)
		l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur < want)
		log_event(LEVEL_WARNING, "descriptor_limit", "have=%lu want=%lu",
		    (unsigned long)l.rlim_cur, (unsigned long)want);
}

static enum rc
make_run_id(char out[SPAWN_RUN_ID_LEN + 1], struct fault *f)
{
	unsigned char bytes[SPAWN_RUN_ID_LEN / 2];

	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return FAULT(f, RC_IO, "start", "getrandom: %s", strerror(errno));
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return RC_OK;
}

static enum rc
enter(const struct config *c, struct fault *f)
{
	if (chdir(c->dir) != 0)
		return FAULT(f, RC_IO, "start", "%s: %s", c->dir, strerror(errno));
	return RC_OK;
}

static enum rc
open_null(int *out, struct fault *f)
{
	AUTO_FD fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return FAULT(f, RC_IO, "start", "/dev/null: %s", strerror(errno));
	TRY(spawn_high_fd(&fd, f));
	*out = fd;
	fd = -1;
	return RC_OK;
}

static enum rc
prepare(struct config *c, struct spawn_context *s, int *lock, struct fault *f)
{
	struct place_users users;

	TRY(place_users(c, s->as_root, &users, f));
	TRY(place_directories(c, &users, s->as_root, f));
	TRY(place_lock(c, lock, f));
	TRY(make_run_id(s->run_id, f));
	return open_null(&s->null, f);
}

static enum rc
run_roles(struct config *c, struct spawn_context *s, const char *notify, struct fault *f)
{
	struct place_sockets sockets = { 0 };
	struct fault weak = { 0 };
	enum rc rc;

	TRY(place_sockets(c, &sockets, f));
	s->listen = sockets.fd;
	s->listens = sockets.len;
	if (supervisor_harden(&weak) != RC_OK)
		log_fault(LEVEL_WARNING, "harden", &weak);
	log_event(LEVEL_NOTICE, "start", "version=%s run=%s isolated=%s", PACKAGE_VERSION,
	    s->run_id, s->as_root ? "yes" : "no");
	rc = supervisor_run(s, notify, f);
	place_sockets_unlink(c, &sockets);
	place_sockets_close(&sockets);
	return rc;
}

static enum rc
serve(struct config *c, const struct inherited *in, struct fault *f)
{
	struct spawn_context s = { .config = c,
		.config_name =
		    strrchr(c->file, '/') != NULL ? strrchr(c->file, '/') + 1 : c->file,
		.credentials = in->credentials,
		.as_root = geteuid() == 0,
		.starter = getuid(),
		.null = -1 };
	AUTO_FREE char *roles = NULL;
	AUTO_FD lock = -1;

	config_drop_tenants(c); /* the roles read their own */
	TRY(spawn_find_roles(&roles, f));
	s.role_dir = roles;
	raise_descriptor_limit(c);
	TRY(supervisor_block_signals(f));
	TRY(prepare(c, &s, &lock, f));
	return run_roles(c, &s, in->notify, f);
}

int
main(int argc, char **argv)
{
	struct options o = { .config = SYSCONFDIR "/vesperd.conf" };
	__attribute__((cleanup(inherited_cleanup))) struct inherited in = { NULL, NULL };
	AUTO(config) *c = NULL;
	struct fault f = { 0 };
	int status = parse_options(argc, argv, &o);

	if (status >= 0)
		return status;
	if (settle_descriptors(&f) != RC_OK)
		return complain(&f, EXIT_FAILED);
	empty_environment(&in);
	log_open("supervisor", o.verbose ? LEVEL_DEBUG : LEVEL_INFO);
	if (config_read(o.config, &c, &f) != RC_OK || enter(c, &f) != RC_OK ||
	    trial_files(c, o.test, &f) != RC_OK)
		return complain(&f, EXIT_USAGE);
	if (o.test)
		return report_good(&o, c);
	if (serve(c, &in, &f) != RC_OK)
		return complain(&f, EXIT_FAILED);
	return EXIT_DONE;
}
