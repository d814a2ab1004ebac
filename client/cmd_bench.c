/* Load a running agent: rate, latency quantiles, CPU of each of its processes. */
#include "client/claims.h"
#include "client/http.h"
#include "client/load.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { BODIES_MAX = 64 * 1024 * 1024, PROCESSES_MAX = 256, STAT_MAX = 1024, NAME_TEXT = 32 };

struct bench {
	const char *tenant, *bodies; /* a file of bodies, one a line; NULL: as the rest says */
	struct claims_options claims;
	unsigned connections;
	double seconds, rate;
};

/* ---- the agent's processes ------------------------------------------------------------ */

struct process {
	int pid;
	char name[NAME_TEXT];
	double began_s, used_s; /* CPU time, user and system */
};

struct processes {
	struct process item[PROCESSES_MAX];
	size_t len;
};

struct proc_stat {
	char name[NAME_TEXT];
	int parent;
	double cpu_s;
};

/* proc(5), /proc/PID/stat: the name stands in parentheses and may hold any character. */
static bool
parse_stat(const char *text, struct proc_stat *out)
{
	const char *open = strchr(text, '('), *end = strrchr(text, ')');
	unsigned long long user, system;

	if (open == NULL || end == NULL || end < open)
		return false;
	if (sscanf(end + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
		&out->parent, &user, &system) != 3)
		return false;
	snprintf(out->name, sizeof out->name, "%.*s", (int)(end - open - 1), open + 1);
	out->cpu_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	return true;
}

static bool
read_stat(int pid, struct proc_stat *out)
{
	AUTO_BUF text = BUF_INIT(STAT_MAX);
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	return cli_read(path, &text, NULL) == RC_OK && buf_text(&text) != NULL &&
	       parse_stat(buf_text(&text), out);
}

static struct process *
find_process(struct processes *all, int pid)
{
	for (size_t i = 0; i < all->len; i++) {
		if (all->item[i].pid == pid)
			return &all->item[i];
	}
	return NULL;
}

static void
add_process(struct processes *all, int pid)
{
	struct proc_stat stat;
	struct process *p;

	if (pid <= 0 || all->len == PROCESSES_MAX || find_process(all, pid) != NULL ||
	    !read_stat(pid, &stat))
		return;
	p = &all->item[all->len++];
	*p = (struct process){ .pid = pid, .began_s = stat.cpu_s };
	memcpy(p->name, stat.name, sizeof p->name);
}

/* Every "pid" of the status, wherever it stands. */
static void
add_named(struct processes *all, json_t *value)
{
	size_t i;
	json_t *item;

	for (void *m = json_object_iter(value); m != NULL;
	     m = json_object_iter_next(value, m)) {
		json_t *member = json_object_iter_value(m);

		if (strcmp(json_object_iter_key(m), "pid") == 0)
			add_process(all, (int)json_integer_value(member));
		else
			add_named(all, member);
	}
	json_array_foreach (value, i, item)
		add_named(all, item);
}

/* The supervisor, which names no process of its own in the status. */
static void
add_parents(struct processes *all)
{
	for (size_t i = 0, n = all->len; i < n; i++) {
		struct proc_stat child, parent;

		if (read_stat(all->item[i].pid, &child) && read_stat(child.parent, &parent) &&
		    strcmp(parent.name, "vesperd") == 0)
			add_process(all, child.parent);
	}
}

static void
add_children(struct processes *all)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		int pid = (int)strtol(entry->d_name, NULL, 10);
		struct proc_stat stat;

		if (pid > 0 && read_stat(pid, &stat) && find_process(all, stat.parent) != NULL)
			add_process(all, pid);
	}
	if (proc != NULL)
		closedir(proc);
}

static void
find_processes(struct vesper_client *client, struct processes *all)
{
	struct vesper_response *r = NULL;
	json_auto_t *status = NULL;
	struct vesper_error e;

	if (vesper_status(client, &r, &e) != VESPER_OK)
		return;
	status = cli_answer(r);
	vesper_response_free(r);
	add_named(all, status);
	add_parents(all);
	add_children(all);
}

static void
count_cpu(struct processes *all)
{
	for (size_t i = 0; i < all->len; i++) {
		struct process *p = &all->item[i];
		struct proc_stat stat;

		if (read_stat(p->pid, &stat))
			p->used_s = stat.cpu_s - p->began_s;
	}
}

/* ---- the answer -------------------------------------------------------------------------- */

static json_t *
cpu_json(const struct processes *all)
{
	json_t *list = json_array();

	for (size_t i = 0; i < all->len; i++) {
		const struct process *p = &all->item[i];

		if (json_array_append_new(
			list, json_pack("{s:i, s:s, s:f}", "pid", p->pid, "name", p->name,
				  "cpu_seconds", p->used_s)) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static double
cpu_us(const struct processes *all, const struct load_result *r)
{
	double total_s = 0;

	for (size_t i = 0; i < all->len; i++)
		total_s += all->item[i].used_s;
	return r->answered == 0 ? 0 : total_s * 1e6 / (double)r->answered;
}

static int
print_json(const struct cli *cli, const struct bench *b, const struct load_result *r,
    const struct processes *all)
{
	json_t *out =
	    json_pack("{s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:f, s:i, s:f, s:o}",
		"rate", (double)r->good / r->seconds, "p50_us", r->p50_us, "p90_us", r->p90_us,
		"p99_us", r->p99_us, "max_us", r->max_us, "answered", (json_int_t)r->answered,
		"good", (json_int_t)r->good, "refused", (json_int_t)r->refused, "failed",
		(json_int_t)r->failed, "seconds", r->seconds, "connections",
		(int)b->connections, "cpu_us", cpu_us(all, r), "processes", cpu_json(all));

	if (out == NULL)
		return cli_fail(cli, EXIT_FAILED, "cannot answer", "no memory", NULL);
	return cli_print_json(cli, out);
}

static void
print_table(const struct bench *b, const struct load_result *r, const struct processes *all)
{
	printf("%.0f signed a second, %u connections, %.1f s\n", (double)r->good / r->seconds,
	    b->connections, r->seconds);
	printf("latency    p50 %.0f us   p90 %.0f us   p99 %.0f us   max %.0f us\n", r->p50_us,
	    r->p90_us, r->p99_us, r->max_us);
	printf("answers    %llu good   %llu refused   %llu failed\n",
	    (unsigned long long)r->good, (unsigned long long)r->refused,
	    (unsigned long long)r->failed);
	for (size_t i = 0; i < all->len; i++)
		printf("cpu        %-16s %7d   %5.1f %%\n", all->item[i].name, all->item[i].pid,
		    all->item[i].used_s * 100 / r->seconds);
	if (all->len > 0)
		printf("cpu        %.1f us a request, all processes\n", cpu_us(all, r));
}

static int
judge(const struct cli *cli, const struct load_result *r)
{
	json_auto_t *problem = NULL;
	const char *reason;
	char what[64];

	if (r->good > 0)
		return EXIT_DONE;
	problem = json_loads(r->last_body, 0, NULL);
	reason = json_string_value(json_object_get(problem, "reason"));
	snprintf(what, sizeof what, "nothing was signed, last status %d", r->last_status);
	return cli_fail(cli, r->refused > 0 ? EXIT_REFUSED : EXIT_FAILED, what,
	    reason != NULL ? reason : "no reason given", "try the same with: vesper sign");
}

/* ---- the command --------------------------------------------------------------------------- */

static enum rc
build_request(const struct bench *b, struct buf *out, struct fault *f)
{
	json_t *claims = NULL;
	json_auto_t *body = NULL;
	AUTO_FREE char *text = NULL;

	TRY(claims_build(&b->claims, &claims, f));
	body = json_pack(
	    "{s:s*, s:s*, s:o}", "tenant", b->tenant, "ppt", b->claims.ppt, "claims", claims);
	text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
	if (text == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "request");
	http_request(out, "POST", "/v1/passports", span_str(text));
	return buf_check(out, f);
}

/* What is sent: one text, and where each request of it lies. */
struct requests {
	struct buf text;
	struct span *item;
	size_t len;
};

static void
requests_done(struct requests *r)
{
	buf_free(&r->text);
	free(r->item);
}

static size_t
count_lines(struct span text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == '\n';
	return n;
}

/* A body is what stands before a line feed; at first only the lengths are known. */
static enum rc
put_bodies(struct requests *r, struct span text, struct fault *f)
{
	size_t lines = count_lines(text);

	if (lines == 0)
		return FAULT(f, RC_INVALID, "usage", "a file of bodies has one a line");
	r->item = calloc(lines, sizeof *r->item);
	if (r->item == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu requests", lines);
	while (r->len < lines) {
		const uint8_t *end = memchr(text.ptr, '\n', text.len);
		size_t before = r->text.len;

		http_request(&r->text, "POST", "/v1/passports",
		    span_cut(&text, (size_t)(end - text.ptr)));
		span_cut(&text, 1);
		r->item[r->len++].len = r->text.len - before;
	}
	return RC_OK;
}

static enum rc
read_bodies(struct requests *r, const char *path, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(BODIES_MAX);

	TRY(cli_read(path, &text, f));
	return put_bodies(r, buf_view(&text), f);
}

static enum rc
build_one(const struct bench *b, struct requests *r, struct fault *f)
{
	r->item = calloc(1, sizeof *r->item);
	if (r->item == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "request");
	TRY(build_request(b, &r->text, f));
	r->item[r->len++].len = r->text.len;
	return RC_OK;
}

static enum rc
build_all(const struct bench *b, struct requests *r, struct fault *f)
{
	struct span rest;

	TRY(b->bodies != NULL ? read_bodies(r, b->bodies, f) : build_one(b, r, f));
	TRY(buf_check(&r->text, f));
	rest = buf_view(&r->text);
	for (size_t i = 0; i < r->len; i++)
		r->item[i] = span_cut(&rest, r->item[i].len);
	return RC_OK;
}

static const char *
socket_path(const struct cli *cli)
{
	const char *path = cli->socket != NULL ? cli->socket : getenv("VESPER_SOCKET");

	return path != NULL && path[0] != 0 ? path : VESPER_DEFAULT_SOCKET;
}

/* The administration socket knows the processes; without it there is no CPU to show. */
static struct vesper_client *
status_client(const struct cli *cli)
{
	const char *admin = getenv("VESPER_ADMIN_SOCKET");
	struct vesper_client *client = NULL;
	struct vesper_error e;

	if (admin == NULL || admin[0] == 0)
		admin = socket_path(cli);
	if (vesper_open(admin, &client, &e) != VESPER_OK)
		return NULL;
	return client;
}

/* Nobody there is said as every command says it, before any load. */
static int
try_to_connect(const struct cli *cli)
{
	int status = EXIT_DONE;

	vesper_close(cli_connect(cli, socket_path(cli), &status));
	return status;
}

static int
bench(struct cli *cli, const struct bench *b)
{
	__attribute__((cleanup(
	    requests_done))) struct requests requests = { .text = BUF_INIT(2 * BODIES_MAX) };
	struct load_plan plan = {
		.connections = b->connections, .seconds = b->seconds, .rate = b->rate
	};
	struct processes all = { .len = 0 };
	struct vesper_client *client;
	struct load_result r = { 0 };
	struct fault f = { 0 };
	int status = EXIT_DONE;

	if (build_all(b, &requests, &f) != RC_OK)
		return cli_fault(cli, EXIT_FAILED, "the requests", &f, NULL);
	status = try_to_connect(cli);
	if (status != EXIT_DONE)
		return status;
	plan.request = requests.item;
	plan.requests = requests.len;
	client = status_client(cli);
	if (client != NULL)
		find_processes(client, &all);
	vesper_close(client);
	if (load_to_path(&plan, socket_path(cli), &f) != RC_OK ||
	    load_run(&plan, &r, &f) != RC_OK)
		return cli_fault(cli,
		    f.rc == RC_NET	 ? EXIT_UNREACHABLE
		    : f.rc == RC_INVALID ? EXIT_USAGE
					 : EXIT_FAILED,
		    "cannot load the agent", &f, "see: vesper status");
	count_cpu(&all);
	if (cli->json)
		status = print_json(cli, b, &r, &all);
	else
		print_table(b, &r, &all);
	return status != EXIT_DONE ? status : judge(cli, &r);
}

int
cmd_bench(struct cli *cli, int argc, char **argv)
{
	struct bench b = { .connections = 64, .seconds = 10 };
	struct text_list rest = { 0 };
	const struct option options[] = { { "--tenant", OPTION_TEXT, &b.tenant },
		{ "--orig", OPTION_TEXT, &b.claims.orig },
		{ "--dest", OPTION_LIST, &b.claims.dest },
		{ "--ppt", OPTION_TEXT, &b.claims.ppt },
		{ "--attest", OPTION_TEXT, &b.claims.attest },
		{ "--claims", OPTION_TEXT, &b.claims.file },
		{ "--bodies", OPTION_TEXT, &b.bodies },
		{ "--connections", OPTION_NUMBER, &b.connections },
		{ "--seconds", OPTION_REAL, &b.seconds }, { "--rate", OPTION_REAL, &b.rate },
		{ 0 } };
	struct fault f = { 0 };

	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (rest.len != 0 ||
	    (b.bodies == NULL && (b.claims.orig == NULL || b.claims.dest.len == 0)))
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "--orig TN and --dest TN are due, or --bodies FILE", NULL);
	if (b.seconds < 0.05 || b.seconds > 86400)
		return cli_fail(cli, EXIT_USAGE, "usage", "--seconds is 0.05 to 86400", NULL);
	if (load_bounds(b.connections, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	return bench(cli, &b);
}
