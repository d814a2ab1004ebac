/*
 * vesper-renewer: the role's program.  Authority tokens and ACME over HTTPS;
 * everything that is signed or put in force is the front's, over descriptor 3.
 * Ends when the front or the supervisor is gone, or when it is told to.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/log.h"
#include "agent/renewer/ask.h"
#include "agent/renewer/documents.h"
#include "agent/renewer/httpc.h"
#include "agent/renewer/lists.h"
#include "agent/renewer/observe.h"
#include "agent/renewer/renew.h"
#include "agent/renewer/runner.h"
#include "agent/role.h"
#include "stir/jtext.h"

enum { EXIT_USAGE = 2, FILE_SIZE_MAX = 16 * 1024 * 1024 };

struct options {
	const char *config, *user;
};

struct renewer {
	const char *file;
	struct httpc *http;
	struct ask *ask;
	struct store *store;
	struct renew *renew;
	struct observe *observe;
	struct lists *lists;
	struct documents *documents;
	struct runner *runner;
	struct io io;
	bool stopping;
};

static enum rc
parse(int argc, char **argv, struct options *o, struct fault *f)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "user", required_argument, NULL, 'u' },
		{ "run-id", required_argument, NULL, 'r' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 'u': o->user = optarg; break;
		case 'r': break; /* shown by ps, read by nobody */
		default: return FAULT(f, RC_INVALID, "usage", "unknown option");
		}
	}
	if (o->config == NULL || optind != argc)
		return FAULT(f, RC_INVALID, "usage",
		    "vesper-renewer --config FILE [--user NAME] [--run-id HEX]; vesperd starts "
		    "it");
	return RC_OK;
}

static int64_t
wall_ms(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static enum rc
io_http(void *ctx, const struct http_request *r, io_http_done *done, void *arg, struct fault *f)
{
	return httpc_start(((struct renewer *)ctx)->http, r, done, arg, f);
}

static enum rc
io_ask(void *ctx, const json_t *message, io_ask_done *done, void *arg, struct fault *f)
{
	return ask_send(((struct renewer *)ctx)->ask, message, done, arg, f);
}

static enum rc
io_run(void *ctx, enum hook_kind kind, const char *name, struct span input,
    io_run_wanted *wanted, io_run_done *done, void *arg, struct fault *f)
{
	return runner_start(((struct renewer *)ctx)->runner, kind, name, input, wall_ms(NULL),
	    wanted, done, arg, f);
}

/* A bad configuration leaves the old one in force. */
static void
reload(struct renewer *r)
{
	struct config *config = NULL;
	struct fault f = { 0 };

	if (config_read(r->file, &config, &f) != RC_OK ||
	    config_check_eab(config, true, &f) != RC_OK) {
		log_fault(LEVEL_ERR, "reload_failed", &f);
		config_free(config);
		return;
	}
	/* The URLs first: renew_reload() takes the tree over. */
	if (observe_adopt(r->observe, config, &f) != RC_OK ||
	    lists_adopt(r->lists, config, &f) != RC_OK ||
	    documents_adopt(r->documents, config, &f) != RC_OK)
		log_fault(LEVEL_ERR, "reload_failed", &f);
	if (renew_reload(r->renew, config, &f) != RC_OK)
		log_fault(LEVEL_ERR, "reload_failed", &f);
}

/* "changed": an administrator may have asked the front alone to reload. */
static void
on_event(void *arg, const json_t *event)
{
	struct renewer *r = arg;
	const char *kind = jtext_get(event, "event");

	if (kind != NULL && strcmp(kind, "changed") == 0)
		reload(r);
	renew_event(r->renew, event);
}

/* After start-up, once and for good.  Files stay small and private; a full one is an error. */
static enum rc
harden(struct fault *f)
{
	static const struct rlimit file_size = { FILE_SIZE_MAX, FILE_SIZE_MAX };

	umask(077);
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
	    setrlimit(RLIMIT_FSIZE, &file_size) != 0)
		return FAULT(f, RC_IO, "harden", "%s", strerror(errno));
	return RC_OK;
}

static enum rc
start(struct renewer *r, const struct options *o, struct fault *f)
{
	struct config *config = NULL;
	struct fault weak = { 0 };

	r->file = o->config;
	r->io = (struct io){
		.ctx = r, .http = io_http, .ask = io_ask, .run = io_run, .now_ms = wall_ms
	};
	TRY(role_become(o->user, false, f));
	json_object_seed(0);
	TRY(httpc_new(&r->http, f));
	TRY(ask_new(ROLE_FD_PEER, on_event, r, &r->ask, f));
	TRY(runner_new(ROLE_FD_CONTROL, &r->runner, f));
	TRY(config_read(o->config, &config, f));
	if (config_check_eab(config, true, &weak) != RC_OK) /* the other CAs go on */
		log_fault(LEVEL_ERR, "eab_key", &weak);
	/* store_open() wants a path of the tree, which renew_new() takes over. */
	if (store_open(config->state_dir, &r->store, f) != RC_OK) {
		config_free(config);
		return f->rc;
	}
	if (observe_new(&r->io, &r->observe, f) != RC_OK ||
	    observe_adopt(r->observe, config, f) != RC_OK ||
	    lists_new(&r->io, &r->lists, f) != RC_OK ||
	    lists_adopt(r->lists, config, f) != RC_OK ||
	    documents_new(&r->io, &r->documents, f) != RC_OK ||
	    documents_adopt(r->documents, config, f) != RC_OK) {
		config_free(config);
		return f->rc;
	}
	TRY(renew_new(&r->io, r->store, config, &r->renew, f));
	return harden(f);
}

static void
stop(struct renewer *r)
{
	if (r->renew != NULL)
		renew_stop(r->renew);
	if (r->observe != NULL)
		observe_stop(r->observe);
	if (r->lists != NULL)
		lists_stop(r->lists);
	if (r->documents != NULL)
		documents_stop(r->documents);
	ask_free(r->ask);
	httpc_free(r->http);
	runner_free(r->runner);
	renew_free(r->renew);
	observe_free(r->observe);
	lists_free(r->lists);
	documents_free(r->documents);
	store_free(r->store);
}

static enum rc
run_control(struct renewer *r, struct fault *f)
{
	for (;;) {
		struct fault here = { 0 };
		struct control c;
		AUTO_FD fd = -1;
		enum rc rc = control_recv(ROLE_FD_CONTROL, &c, &fd, &here);

		if (rc == RC_NOT_FOUND)
			return RC_OK;
		if (rc != RC_OK) {
			*f = here;
			return rc;
		}
		if (c.kind == CONTROL_RELOAD)
			reload(r);
		if (c.kind == CONTROL_DRAIN)
			r->stopping = true;
		if (c.kind == CONTROL_HOOK_END)
			runner_ended(r->runner, &c);
	}
}

static int
sooner(int a_ms, int b_ms)
{
	return a_ms < b_ms ? a_ms : b_ms;
}

static enum rc
loop(struct renewer *r, struct fault *f)
{
	while (!r->stopping) {
		struct curl_waitfd fds[2 + RUNNER_MAX] = {
			{ .fd = ROLE_FD_PEER, .events = CURL_WAIT_POLLIN },
			{ .fd = ROLE_FD_CONTROL, .events = CURL_WAIT_POLLIN },
		};
		int wait_ms = renew_run(r->renew);

		wait_ms = sooner(wait_ms, observe_run(r->observe));
		wait_ms = sooner(wait_ms, lists_run(r->lists));
		wait_ms = sooner(wait_ms, documents_run(r->documents));

		/* What was just asked goes out before the wait. */
		TRY(ask_run(r->ask, wall_ms(NULL), f));
		TRY(httpc_wait(r->http, fds, 2 + runner_fds(r->runner, fds + 2), wait_ms, f));
		TRY(run_control(r, f));
		runner_turn(r->runner, wall_ms(NULL));
		TRY(ask_run(r->ask, wall_ms(NULL), f));
	}
	return RC_OK;
}

int
main(int argc, char **argv)
{
	struct options o = { 0 };
	struct renewer r = { 0 };
	struct fault f = { 0 };
	enum rc rc;

	log_open("renewer", LEVEL_INFO);
	if (parse(argc, argv, &o, &f) != RC_OK) {
		log_fault(LEVEL_ERR, "start", &f);
		return EXIT_USAGE;
	}
	rc = start(&r, &o, &f);
	if (rc != RC_OK) {
		log_fault(LEVEL_ERR, "start", &f);
		stop(&r);
		return rc == RC_INVALID ? EXIT_USAGE : EXIT_FAILURE;
	}
	log_event(LEVEL_NOTICE, "started", "pid=%d", (int)getpid());
	rc = loop(&r, &f);
	if (rc != RC_OK)
		log_fault(LEVEL_NOTICE, "ended", &f);
	stop(&r);
	return EXIT_SUCCESS;
}
