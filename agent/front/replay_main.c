/*
 * vesper-replay: what "vesper replay" runs.  Reads the configuration and the
 * certificates of the agent, and logs; changes nothing.
 */
#include "agent/front/replay.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/front/load.h"
#include "agent/log.h"

enum { DONE = 0, FAILED = 1, USAGE = 2, REFUSED = 4, ABSENT = 6 };
enum { CHANGES_MAX = 10000 /* in JSON */ };

struct run {
	const char *config;
	bool json, quiet, all;
	struct replay_options options;
	struct replay *replay;
	json_t *changes; /* array */
	uint64_t judged, unjudged, allowed, refused, newly_refused, newly_allowed, observed;
	uint64_t cut_short;
};

static int
fail(int status, const char *what, const struct fault *f)
{
	fprintf(stderr, "vesper replay: %s: %s\n", what, f->detail);
	return status;
}

/* ---- one line ---- */

static void
count(struct run *r, const struct replay_verdict *v)
{
	bool refused = v->now == REPLAY_REFUSED;

	if (v->now == REPLAY_UNJUDGED) {
		r->unjudged++;
		return;
	}
	r->judged++;
	r->refused += refused;
	r->allowed += !refused;
	/* A request whose past is not known counts as one that was let through. */
	r->newly_refused += refused && v->was != REPLAY_WAS_REFUSED;
	r->newly_allowed += !refused && v->was == REPLAY_WAS_REFUSED;
	r->observed += v->observeds > 0;
}

static bool
is_news(const struct run *r, const struct replay_verdict *v)
{
	if (v->now == REPLAY_UNJUDGED)
		return r->all;
	return r->all || v->observeds > 0 ||
	       (v->now == REPLAY_REFUSED) != (v->was == REPLAY_WAS_REFUSED);
}

static const char *
now_name(const struct replay_verdict *v)
{
	return v->now == REPLAY_ALLOWED	  ? "allowed"
	       : v->now == REPLAY_REFUSED ? "refused"
					  : "not judged";
}

static json_t *
or_null(const char *text)
{
	return text[0] != 0 ? json_string(text) : json_null();
}

static json_t *
observed_json(const struct replay_verdict *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->observeds; i++)
		json_array_append_new(
		    list, json_pack("{s:s,s:s,s:s}", "rule",
			      config_observe_name(v->observed[i].rule), "reason",
			      v->observed[i].why.reason, "detail", v->observed[i].why.detail));
	return list;
}

static void
keep(struct run *r, uint64_t line, const struct replay_verdict *v)
{
	static const char *const was[] = { "unknown", "allowed", "refused" };

	if (json_array_size(r->changes) == CHANGES_MAX) {
		r->cut_short++;
		return;
	}
	json_array_append_new(r->changes,
	    json_pack("{s:I,s:I,s:o,s:o,s:s,s:o,s:s,s:o,s:o,s:o,s:o}", "line", (json_int_t)line,
		"seq", (json_int_t)v->seq, "request_id", or_null(v->request_id), "tenant",
		or_null(v->tenant), "was", was[v->was], "was_reason", or_null(v->reason), "now",
		now_name(v), "reason", or_null(v->fault.reason), "claim",
		or_null(v->fault.claim), "detail", or_null(v->fault.detail), "observed",
		observed_json(v)));
}

static void
print(uint64_t line, const struct replay_verdict *v)
{
	static const char *const was[] = { "", " (was allowed)", " (was refused" };

	printf("%" PRIu64 "  %-12s %-10s%s%s%s%s", line, v->tenant[0] != 0 ? v->tenant : "-",
	    now_name(v), was[v->was], v->was == REPLAY_WAS_REFUSED ? ": " : "",
	    v->was == REPLAY_WAS_REFUSED ? v->reason : "",
	    v->was == REPLAY_WAS_REFUSED ? ")" : "");
	if (v->fault.rc != RC_OK)
		printf("  %s%s%s%s: %s", v->fault.reason, v->fault.claim[0] != 0 ? " (" : "",
		    v->fault.claim, v->fault.claim[0] != 0 ? ")" : "", v->fault.detail);
	for (size_t i = 0; v->now == REPLAY_ALLOWED && i < v->observeds; i++)
		printf("  observed %s: %s", config_observe_name(v->observed[i].rule),
		    v->observed[i].why.detail);
	putchar('\n');
}

static enum rc
take_line(struct run *r, uint64_t line, struct span text, struct fault *f)
{
	struct replay_verdict v = { 0 };
	struct fault why = { 0 };

	if (replay_judge(r->replay, text, &v, &why) != RC_OK)
		return FAULT(f, why.rc, why.reason, "line %" PRIu64 ": %s", line, why.detail);
	if (v.now == REPLAY_SKIPPED)
		return RC_OK;
	count(r, &v);
	if (!is_news(r, &v))
		return RC_OK;
	if (r->json)
		keep(r, line, &v);
	else if (!r->quiet)
		print(line, &v);
	return RC_OK;
}

static enum rc
take_log(struct run *r, FILE *in, const char *name, struct fault *f)
{
	AUTO_FREE char *text = NULL;
	size_t room = 0;
	ssize_t len;
	struct fault why = { 0 };

	for (uint64_t line = 1; (len = getline(&text, &room, in)) > 0; line++) {
		while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
			len--;
		if (len > 0 && take_line(r, line, span_of(text, (size_t)len), &why) != RC_OK)
			return FAULT(f, why.rc, why.reason, "%.80s, %s", name, why.detail);
	}
	if (ferror(in))
		return FAULT(f, RC_IO, "io", "%.80s: %s", name, strerror(errno));
	return RC_OK;
}

/* ---- the whole ---- */

static int
summary(const struct run *r)
{
	json_t *out;
	AUTO_FREE char *text = NULL;

	if (!r->json) {
		if (!r->quiet)
			printf("%" PRIu64 " judged: %" PRIu64 " allowed, %" PRIu64
			       " refused; %" PRIu64 " refused now and not then, %" PRIu64
			       " allowed now and not then, %" PRIu64 " only observed; %" PRIu64
			       " not judged\n",
			    r->judged, r->allowed, r->refused, r->newly_refused,
			    r->newly_allowed, r->observed, r->unjudged);
		return r->newly_refused > 0 ? REFUSED : DONE;
	}
	out = json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:O,s:I}", "schema",
	    "vesper/replay/1", "judged", (json_int_t)r->judged, "allowed",
	    (json_int_t)r->allowed, "refused", (json_int_t)r->refused, "newly_refused",
	    (json_int_t)r->newly_refused, "newly_allowed", (json_int_t)r->newly_allowed,
	    "observed", (json_int_t)r->observed, "not_judged", (json_int_t)r->unjudged,
	    "requests", r->changes, "cut_short", (json_int_t)r->cut_short);
	text = out == NULL ? NULL : json_dumps(out, JSON_INDENT(2));
	json_decref(out);
	if (text == NULL || puts(text) < 0)
		return FAILED;
	return r->newly_refused > 0 ? REFUSED : DONE;
}

/* Relative paths of a configuration are relative to its folder. */
static enum rc
read_set(const char *config, int64_t now_s, struct credset **out, struct fault *f)
{
	char path[PATH_MAX];
	char *slash;

	if (realpath(config, path) == NULL)
		return FAULT(f, errno == ENOENT ? RC_NOT_FOUND : RC_IO, "config", "%.120s: %s",
		    config, strerror(errno));
	slash = strrchr(path, '/');
	*slash = 0;
	if (chdir(path[0] != 0 ? path : "/") != 0)
		return FAULT(f, RC_IO, "config", "%.120s: %s", path, strerror(errno));
	return load_look(slash + 1, now_s, out, f);
}

static int
replay_logs(struct run *r, char **logs, size_t n)
{
	FILE *in[64] = { NULL };
	AUTO_CREDSET *set = NULL;
	struct fault f = { 0 };
	enum rc rc = RC_OK;

	if (n > ARRAY_LEN(in)) {
		(void)FAULT(&f, RC_INVALID, "usage", "at most %zu at once", ARRAY_LEN(in));
		return fail(USAGE, "too many logs", &f);
	}
	for (size_t i = 0; i < n; i++) { /* before the folder is changed */
		in[i] = strcmp(logs[i], "-") == 0 ? stdin : fopen(logs[i], "re");
		if (in[i] != NULL)
			continue;
		(void)FAULT(&f, RC_IO, "io", "%.120s: %s", logs[i], strerror(errno));
		return fail(errno == ENOENT ? ABSENT : FAILED, "cannot read the log", &f);
	}
	if (read_set(r->config, r->options.now_s, &set, &f) != RC_OK)
		return fail(USAGE, "the configuration is not good", &f);
	if (replay_new(set, &r->options, &r->replay, &f) != RC_OK)
		return fail(FAILED, "cannot judge", &f);
	for (size_t i = 0; i < n && rc == RC_OK; i++)
		rc = take_log(r, in[i], logs[i], &f);
	replay_free(r->replay);
	return rc == RC_OK ? summary(r) : fail(FAILED, "the log", &f);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' }, { "quiet", no_argument, NULL, 'q' },
		{ "all", no_argument, NULL, 'a' }, { "enforce", no_argument, NULL, 'e' },
		{ "uid", required_argument, NULL, 'u' }, { NULL, 0, NULL, 0 } };
	struct run r = { .config = SYSCONFDIR "/vesperd.conf",
		.options = { .now_s = (int64_t)time(NULL), .uid = getuid() } };
	int c, status;

	while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		switch (c) {
		case 'c': r.config = optarg; break;
		case 'j': r.json = true; break;
		case 'q': r.quiet = true; break;
		case 'a': r.all = true; break;
		case 'e': r.options.enforce = true; break;
		case 'u': r.options.uid = (uid_t)strtoul(optarg, NULL, 10); break;
		default: return USAGE;
		}
	}
	if (optind == argc) {
		fputs("vesper replay: usage: LOG... is due, or - for standard input\n", stderr);
		return USAGE;
	}
	log_open("replay", LEVEL_ERR);
	r.changes = json_array();
	status = replay_logs(&r, argv + optind, (size_t)(argc - optind));
	json_decref(r.changes);
	return fflush(stdout) == 0 ? status : FAILED;
}
