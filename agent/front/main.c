/*
 * vesper-front: starts as agent/role.h says, then the loop.
 */
#include "agent/front/front.h"

#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/log.h"

struct arguments {
	const char *config, *user, *run_id;
};

static enum rc
read_arguments(int argc, char **argv, struct arguments *a, struct fault *f)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "user", required_argument, NULL, 'u' },
		{ "run-id", required_argument, NULL, 'r' }, { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c': a->config = optarg; break;
		case 'u': a->user = optarg; break;
		case 'r': a->run_id = optarg; break;
		default: return FAULT(f, RC_INVALID, "usage", "vesperd starts this program");
		}
	}
	if (a->config == NULL || optind != argc)
		return FAULT(f, RC_INVALID, "usage", "vesperd starts this program");
	return RC_OK;
}

/* Relative paths are relative to the main file, also where its folder is closed to our user. */
static enum rc
enter_folder(const char *file, const char **base, struct fault *f)
{
	static char folder[PATH_MAX];
	const char *slash = strrchr(file, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - file);

	*base = slash == NULL ? file : slash + 1;
	if (slash == NULL)
		return RC_OK;
	if (len >= sizeof folder)
		return FAULT(
		    f, RC_INVALID, "usage", "the path of the configuration is too long");
	memcpy(folder, file, len);
	folder[len] = 0;
	if (chdir(len == 0 ? "/" : folder) != 0)
		return FAULT(f, RC_IO, "config", "cannot enter the configuration's folder");
	return RC_OK;
}

static void
allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Before any thread: they inherit it. */
static void
set_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a log file at its limit fails the write, not the process */
	signal(SIGINT, SIG_IGN); /* from a terminal it goes to the supervisor, which tells us */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/*
 * Whoever asks and whoever signs shares the processors with the loop: woken for
 * each octet and frame, it takes many in a turn rather than stop them for every
 * one (docs/PERFORMANCE.md).  An operator's own policy stays.
 */
static void
take_turns(void)
{
	const struct sched_param none = { 0 };

	if (sched_getscheduler(0) == SCHED_OTHER)
		(void)sched_setscheduler(0, SCHED_BATCH, &none);
}

static enum rc
start(int argc, char **argv, struct front *fr, struct fault *f)
{
	struct arguments a = { 0 };
	const char *file = NULL;

	TRY(read_arguments(argc, argv, &a, f));
	TRY(enter_folder(a.config, &file, f));
	allow_descriptors();
	TRY(role_become(a.user, false, f));
	set_signals();
	take_turns();
	fr->reduced = a.user == NULL;
	return front_open(fr, file, f);
}

int
main(int argc, char **argv)
{
	static struct front fr;
	struct fault f = { 0 };
	enum rc rc;

	log_open("front", LEVEL_INFO);
	json_object_seed(0);
	rc = start(argc, argv, &fr, &f);
	if (rc == RC_OK)
		rc = front_run(&fr, &f);
	if (rc != RC_OK)
		log_fault(LEVEL_ERR, "front_ends", &f);
	front_close(&fr);
	return rc == RC_OK ? 0 : 1;
}
