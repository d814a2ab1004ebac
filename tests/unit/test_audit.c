/* audit: chain, recovery, torn tails, disks that fail */
#include "agent/front/audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stir/buf.h"
#include "tests/unit/mutate.h"

enum { MAX_FILES = 16, MAX_TRAIL = 1 << 26, WAIT_MS = 10000 };

/* A disk that loses what it was told to keep cannot be had; its answer can. */
static atomic_int failing_syncs;
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

int
__wrap_fdatasync(int fd)
{
	if (atomic_load(&failing_syncs) == 0)
		return __real_fdatasync(fd);
	atomic_fetch_sub(&failing_syncs, 1);
	errno = EIO;
	return -1;
}

static atomic_int failing_unlinks;
int __real_unlinkat(int at, const char *name, int flags);
int __wrap_unlinkat(int at, const char *name, int flags);

int
__wrap_unlinkat(int at, const char *name, int flags)
{
	if (atomic_load(&failing_unlinks) == 0 || strncmp(name, "audit-", 6) != 0)
		return __real_unlinkat(at, name, flags);
	atomic_fetch_sub(&failing_unlinks, 1);
	errno = EIO;
	return -1;
}

/* ---- a directory of its own for each test -------------------------------------------- */

static char dir[32], mark_path[64];

static int
not_dots(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* The files in the order of their names, which is that of their records. */
static size_t
list_files(char path[MAX_FILES][128])
{
	struct dirent **entry;
	int n = scandir(dir, &entry, not_dots, alphasort);

	assert_in_range(n, 0, MAX_FILES);
	for (int i = 0; i < n; i++) {
		snprintf(path[i], 128, "%s/%.90s", dir, entry[i]->d_name);
		free(entry[i]);
	}
	free(entry);
	return (size_t)n;
}

static int
make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/audit-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(mark_path, sizeof mark_path, "%s.mark", dir);
	return 0;
}

static void
remove_spool(void)
{
	char spool[64];

	snprintf(spool, sizeof spool, "%s/.spool", dir);
	unlink(spool);
}

static int
remove_dir(void **state)
{
	char path[MAX_FILES][128];
	size_t n = list_files(path);

	(void)state;
	remove_spool();
	for (size_t i = 0; i < n; i++)
		unlink(path[i]);
	unlink(mark_path);
	return rmdir(dir);
}

static void
read_file(const char *path, struct buf *out)
{
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	do {
		uint8_t *room = buf_room(out, 65536);

		assert_non_null(room);
		n = read(fd, room, 65536);
		assert_true(n >= 0);
		buf_grew(out, (size_t)n);
	} while (n > 0);
}

static void
append_bytes(const char *path, const char *text)
{
	AUTO_FD fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* ---- the trail, judged from its text alone ------------------------------------------- */

struct trail {
	size_t lines, opens, files;
	json_t *tenants; /* name: last sequence */
	json_t *last;
	char prev[65];
};

static void
trail_done(struct trail *t)
{
	json_decref(t->tenants);
	json_decref(t->last);
}

static void
hash_of(struct span line, char text[65])
{
	uint8_t hash[32];
	size_t n = 0;

	assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, line.ptr, line.len, hash, &n), 1);
	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
}

static json_int_t
number(const json_t *record, const char *name)
{
	const json_t *value = json_object_get(record, name);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static const char *
text(const json_t *record, const char *name)
{
	return json_string_value(json_object_get(record, name));
}

static void
check_line(struct trail *t, struct span line)
{
	json_t *record =
	    json_loadb((const char *)line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
	const char *tenant;

	assert_non_null(record);
	assert_int_equal(number(record, "seq"), ++t->lines);
	assert_string_equal(text(record, "prev"), t->prev);
	assert_int_equal(strlen(text(record, "time")), 24);
	tenant = text(record, "tenant");
	if (tenant != NULL) {
		json_int_t before = json_integer_value(json_object_get(t->tenants, tenant));

		assert_int_equal(number(record, "tenant_seq"), before + 1);
		json_object_set_new(t->tenants, tenant, json_integer(before + 1));
	}
	if (strcmp(text(record, "event"), "open") == 0) {
		t->opens++;
		assert_true(json_equal(json_object_get(record, "tenants"), t->tenants));
	}
	hash_of(line, t->prev);
	json_decref(t->last);
	t->last = record;
}

/* Every line of every file, the chain recomputed over all of them. */
static struct trail
check_trail(void)
{
	struct trail t = { .tenants = json_object() };
	char path[MAX_FILES][128];

	memset(t.prev, '0', 64);
	t.files = list_files(path);
	for (size_t i = 0; i < t.files; i++) {
		AUTO_BUF file = BUF_INIT(MAX_TRAIL);
		struct span rest;

		read_file(path[i], &file);
		rest = buf_view(&file);
		while (rest.len > 0) {
			const uint8_t *end = memchr(rest.ptr, '\n', rest.len);

			assert_non_null(end);
			check_line(&t, span_cut(&rest, (size_t)(end - rest.ptr)));
			span_cut(&rest, 1);
		}
	}
	return t;
}

#define AUTO_TRAIL __attribute__((cleanup(trail_done))) struct trail

/* ---- helpers ------------------------------------------------------------------------- */

static struct audit *
open_with(bool sync)
{
	struct audit *a = NULL;
	struct fault f = { 0 };
	enum rc rc = audit_open(dir, mark_path, sync, &a, &f);

	if (rc != RC_OK)
		print_error("%s: %s\n", f.reason, f.detail);
	assert_int_equal(rc, RC_OK);
	return a;
}

static struct audit *
open_audit(void)
{
	return open_with(true);
}

static uint64_t
append(struct audit *a, const char *tenant)
{
	uint64_t ticket = 0;
	struct fault f = { 0 };

	assert_int_equal(audit_append(a, "sign", tenant, "r-1", NULL,
			     span_str("\"peer_uid\":1000,\"digest\":\"ab\""), &ticket, &f),
	    RC_OK);
	return ticket;
}

/* Until the writer says something; the counter is taken. */
static void
wait_event(const struct audit *a)
{
	struct pollfd p = { .fd = audit_fd(a), .events = POLLIN };
	uint64_t n;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(read(p.fd, &n, sizeof n), sizeof n);
}

static void
wait_durable(const struct audit *a, uint64_t ticket)
{
	while (audit_durable(a) < ticket)
		wait_event(a);
}

static void
wait_failed(const struct audit *a)
{
	while (!audit_failed(a))
		wait_event(a);
}

static void
limit_files(rlim_t octets)
{
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static void
assert_problem(struct audit *a, const char *part)
{
	struct fault f = { 0 };

	assert_true(audit_failed(a));
	assert_int_equal(audit_problem(a, &f), RC_IO);
	assert_string_equal(f.reason, "audit_unavailable");
	if (strstr(f.detail, part) == NULL)
		fail_msg("'%s' is not in '%s'", part, f.detail);
}

/* ---- tests --------------------------------------------------------------------------- */

static void
one_record(void **state)
{
	struct audit *a = open_audit();
	char path[MAX_FILES][128];
	struct stat st;

	(void)state;
	assert_int_equal(append(a, "acme"), 1);
	wait_durable(a, 1);
	assert_int_equal(audit_seq(a), 2); /* the open record is the first */
	audit_close(a);

	AUTO_TRAIL t = check_trail();

	assert_int_equal(t.lines, 2);
	assert_int_equal(t.opens, 1);
	assert_string_equal(text(t.last, "event"), "sign");
	assert_string_equal(text(t.last, "tenant"), "acme");
	assert_string_equal(text(t.last, "request_id"), "r-1");
	assert_true(json_is_null(json_object_get(t.last, "reason")));
	assert_int_equal(number(t.last, "peer_uid"), 1000);
	list_files(path);
	assert_int_equal(stat(path[0], &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static uint64_t
hold(struct audit *a)
{
	uint64_t ticket = 0;
	struct fault f = { 0 };

	assert_int_equal(
	    audit_hold(a, "sign", "acme", NULL, NULL, span_of(NULL, 0), &ticket, &f), RC_OK);
	return ticket;
}

/* Held records reach the disk with what starts them, all at once and in their order. */
static void
held_until_started(void **state)
{
	static const struct timespec a_while = { .tv_nsec = 50000000 };
	struct audit *a = open_audit();
	uint64_t first = hold(a), second = hold(a), third;

	(void)state;
	nanosleep(&a_while, NULL);
	assert_int_equal(audit_durable(a), 0);
	audit_start(a, first);
	wait_durable(a, second);
	audit_start(a, second); /* long on disk */
	third = hold(a);
	nanosleep(&a_while, NULL);
	assert_int_equal(audit_durable(a), second);
	wait_durable(a, append(a, "acme"));
	assert_true(audit_durable(a) > third);
	(void)hold(a);
	audit_close(a); /* nothing is left behind */

	AUTO_TRAIL t = check_trail();

	assert_int_equal(t.lines, 1 + 5);
}

static void
any_text_stays_one_line(void **state)
{
	struct audit *a = open_audit();
	uint64_t ticket = 0;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(audit_append(a, "refuse", NULL, "a\"b\\c\nd\xff\",\"prev\":\"0",
			     "invalid_tn", span_of(NULL, 0), &ticket, &f),
	    RC_OK);
	assert_int_equal(
	    audit_append(a, "x", NULL, NULL, NULL, span_str("\"a\":1\n"), &ticket, &f), RC_BUG);
	assert_string_equal(f.reason, "audit_record");
	for (size_t len = 1; len <= 20; len++) {
		for (size_t at = 0; at < len; at++) {
			uint8_t members[20] = { 0 };

			memset(members, ' ', len);
			members[at] = at % 2 == 0 ? 0x1f : 0;
			assert_int_equal(audit_append(a, "x", NULL, NULL, NULL,
					     span_of(members, len), &ticket, &f),
			    RC_BUG);
		}
	}
	wait_durable(a, ticket);
	audit_close(a);

	AUTO_TRAIL t = check_trail();

	assert_int_equal(t.lines, 2);
	assert_string_equal(text(t.last, "request_id"), "a\"b\\c\nd\xc3\xbf\",\"prev\":\"0");
	assert_true(json_is_null(json_object_get(t.last, "tenant")));
	audit_close(open_audit()); /* and is read back */
}

static void
goes_on_after_a_restart(void **state)
{
	(void)state;
	for (int run = 0; run < 4; run++) {
		struct audit *a = open_audit();

		for (int i = 0; i < 10; i++) {
			append(a, "acme");
			append(a, i % 2 == 0 ? "osp" : NULL);
		}
		audit_close(a); /* flushes */
	}

	AUTO_TRAIL t = check_trail();

	assert_int_equal(t.files, 4);
	assert_int_equal(t.opens, 4);
	assert_int_equal(t.lines, 4 * 21);
	assert_int_equal(number(t.tenants, "acme"), 40);
	assert_int_equal(number(t.tenants, "osp"), 20);
}

static void
many_records_share_a_sync(void **state)
{
	enum { N = 20000 };
	struct audit *a = open_audit();
	uint64_t last = 0;

	(void)state;
	for (int i = 0; i < N; i++)
		last = append(a, "acme");
	wait_durable(a, last);
	assert_int_equal(last, N);
	audit_close(a);

	AUTO_TRAIL t = check_trail();

	assert_int_equal(t.lines, N + 1);
}

static void
cuts_off_a_torn_line(void **state)
{
	struct audit *a = open_audit();
	char path[MAX_FILES][128];

	(void)state;
	append(a, "acme");
	audit_close(a);
	list_files(path);
	append_bytes(path[0], "{\"seq\":3,\"time\":\"2026");
	a = open_audit();
	append(a, "acme");
	audit_close(a);

	AUTO_TRAIL t = check_trail();
	AUTO_BUF second = BUF_INIT(MAX_TRAIL);

	assert_int_equal(t.files, 2);
	assert_int_equal(t.lines, 4);
	list_files(path);
	read_file(path[1], &second);
	assert_non_null(strstr(buf_text(&second), "\"torn_bytes\":21,"));
}

/* A crash just after a file was created, and one within its first line. */
static void
passes_over_files_without_a_line(void **state)
{
	static const char *const left[] = { "audit-99980101-000000.jsonl",
		"audit-99980101-000001.jsonl" };
	struct audit *a = open_audit();
	char path[128];

	(void)state;
	append(a, "acme");
	audit_close(a);
	for (size_t i = 0; i < ARRAY_LEN(left); i++) {
		AUTO_FD fd = -1;

		snprintf(path, sizeof path, "%s/%s", dir, left[i]);
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
	}
	append_bytes(path, "{\"seq\":3");
	a = open_audit();
	append(a, "acme");
	audit_close(a);

	AUTO_TRAIL t = check_trail();

	assert_int_equal(t.files, 2);
	assert_int_equal(t.lines, 4);
	assert_int_equal(number(t.tenants, "acme"), 2);
}

/* The clock was set back: the new file still sorts behind the old one. */
static void
names_sort_when_the_clock_goes_back(void **state)
{
	char path[MAX_FILES][128], future[128];
	struct audit *a = open_audit();

	(void)state;
	append(a, "acme");
	audit_close(a);
	list_files(path);
	snprintf(future, sizeof future, "%s/audit-20991231-235959.jsonl", dir);
	assert_int_equal(rename(path[0], future), 0);
	a = open_audit();
	append(a, "acme");
	audit_close(a);
	assert_int_equal(list_files(path), 2);
	assert_string_equal(path[0], future);
	assert_non_null(strstr(path[1], "audit-21000101-000000.jsonl"));

	AUTO_TRAIL t = check_trail();

	assert_int_equal(t.lines, 4);
}

static struct tamper_case {
	const char *name;
	const char *from, *to; /* the first place is changed; to NULL: the line is dropped */
} tamper_cases[] = {
	{ "a letter", "\"peer_uid\":1000", "\"peer_uid\":1001" },
	{ "the time", "\"time\":\"2", "\"time\":\"3" },
	{ "a tenant", "\"tenant\":\"acme\"", "\"tenant\":\"acne\"" },
	{ "a number", "\"seq\":2,", "\"seq\":9," },
	{ "the last number", "\"seq\":4,", "\"seq\":5," },
	{ "the last tenant_seq", "\"tenant_seq\":3", "\"tenant_seq\":4" },
	{ "a hash", "\"prev\":\"", "\"prev\":\"x" },
	{ "the open record", "\"event\":\"open\"", "\"event\":\"opem\"" },
	{ "a dropped line", "{\"seq\":2,", NULL },
	{ "a dropped open record", "{\"seq\":1,", NULL },
	{ "another shape", ",\"reason\":null", "" },
	{ "a line that is no JSON", "{\"seq\":3", "seq:3" },
};

static void
tampering_is_found(void **state)
{
	const struct tamper_case *c = *state;
	struct audit *a = open_audit();
	AUTO_BUF before = BUF_INIT(MAX_TRAIL), after = BUF_INIT(MAX_TRAIL);
	char path[MAX_FILES][128];
	struct fault f = { 0 };
	uint64_t ticket = 0;
	const char *all, *at;

	for (int i = 0; i < 3; i++)
		append(a, "acme");
	audit_close(TAKE(a));
	list_files(path);
	read_file(path[0], &before);
	all = buf_text(&before);
	at = strstr(all, c->from);
	assert_non_null(at);
	buf_put(&after, all, (size_t)(at - all));
	if (c->to != NULL)
		buf_str(&after, c->to);
	buf_str(&after, c->to != NULL ? at + strlen(c->from) : strchr(at, '\n') + 1);
	assert_int_equal(truncate(path[0], 0), 0);
	append_bytes(path[0], buf_text(&after));
	a = open_audit();
	assert_problem(a, "move it away");
	assert_int_equal(
	    audit_append(a, "sign", "acme", NULL, NULL, span_of(NULL, 0), &ticket, &f), RC_IO);
	assert_string_equal(f.reason, "audit_unavailable");
	audit_close(a);
	assert_int_equal(list_files(path), 1); /* what was found is left as it was */
	buf_clear(&before);
	read_file(path[0], &before);
	assert_string_equal(buf_text(&before), buf_text(&after));
}

static void
one_writer_a_directory(void **state)
{
	struct audit *a = open_audit(), *b = NULL;
	struct fault f = { 0 }, g = { 0 };

	(void)state;
	assert_int_equal(audit_open(dir, NULL, true, &b, &f), RC_IO);
	assert_string_equal(f.reason, "audit_unavailable");
	audit_close(a);
	assert_int_equal(audit_open("/nonexistent", NULL, true, &b, &g), RC_IO);
	assert_string_equal(g.reason, "audit_unavailable");
	assert_null(b);
}

static void
a_link_is_not_followed(void **state)
{
	struct audit *a;
	char path[128];

	(void)state;
	snprintf(path, sizeof path, "%s/audit-20260101-000000.jsonl", dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	a = open_audit();
	assert_problem(a, "a symbolic link");
	assert_problem(a, path);
	audit_close(a);
}

static void
put_file(const char *path, const char *content)
{
	AUTO_FD fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	append_bytes(path, content);
}

/* What cannot be continued is refused until it is gone, without a restart. */
static void
goes_on_when_the_way_is_free(void **state)
{
	struct audit *a = open_audit();
	char path[128];
	struct fault f = { 0 };

	(void)state;
	append(a, "acme");
	audit_close(a);
	snprintf(path, sizeof path, "%s/audit-20990101-000000.jsonl", dir);
	put_file(path, "garbage\n");
	a = open_audit();
	assert_problem(a, path);
	assert_int_equal(unlink(path), 0);
	while (audit_failed(a))
		wait_event(a);
	assert_int_equal(audit_problem(a, &f), RC_OK);
	assert_int_equal(audit_vanished(a), 0);
	wait_durable(a, append(a, "acme"));
	audit_close(a);

	AUTO_TRAIL t = check_trail();

	assert_int_equal(t.lines, 4);
	assert_int_equal(number(t.tenants, "acme"), 2);
}

enum taking { UNLINKED, REPLACED, MOVED };

static struct taken_case {
	const char *name;
	enum taking how;
} taken_cases[] = {
	{ "unlinked", UNLINKED },
	{ "replaced by another", REPLACED },
	{ "moved away", MOVED },
};

static void
take_away(const char *path, enum taking how)
{
	char other[160];

	snprintf(other, sizeof other, "%s/0", dir); /* sorts before all */
	assert_int_equal(how == UNLINKED ? unlink(path) : rename(path, other), 0);
	if (how == REPLACED)
		put_file(path, "");
}

/* What is written where nobody finds it does not count; the record stands in a new file. */
static void
a_file_taken_away_is_left(void **state)
{
	const struct taken_case *c = *state;
	struct audit *a = open_audit();
	char path[MAX_FILES][128];
	AUTO_BUF newest = BUF_INIT(MAX_TRAIL);
	size_t n;

	wait_durable(a, append(a, "acme"));
	list_files(path);
	take_away(path[0], c->how);
	wait_durable(a, append(a, "acme"));
	assert_false(audit_failed(a));
	assert_int_equal(audit_vanished(a), 2);
	assert_int_equal(audit_seq(a), 4);
	audit_close(a);
	n = list_files(path);
	read_file(path[n - 1], &newest);
	assert_non_null(strstr(buf_text(&newest), "\"why\":\"failure\""));
	assert_non_null(strstr(buf_text(&newest), ",\"vanished\":{\"seq\":2,\"hash\":\""));
	assert_non_null(strstr(buf_text(&newest), "{\"seq\":4,"));
}

static uint64_t
failed_after(struct audit *a, uint64_t of)
{
	uint64_t ticket = 0;

	assert_int_equal(audit_append_of(a, "sign_failed", "acme", "r-1", "hsm_timeout",
			     span_str("\"credential\":\"main\""), of, &ticket, NULL),
	    RC_OK);
	return ticket;
}

/* The whole line of that seq in this file ends so. */
static void
assert_of(struct buf *file, unsigned seq, unsigned of)
{
	char head[32], tail[64];
	const char *line, *end;

	snprintf(head, sizeof head, "{\"seq\":%u,", seq);
	snprintf(tail, sizeof tail, ",\"credential\":\"main\",\"of\":%u}", of);
	line = strstr(buf_text(file), head);
	assert_non_null(line);
	end = strchr(line, '\n');
	assert_non_null(end);
	assert_memory_equal(end - strlen(tail), tail, strlen(tail));
}

/* It names a line and not a ticket: over open records, a second try and a restart. */
static void
of_is_the_seq_of_a_line(void **state)
{
	struct audit *a = open_audit();
	char path[MAX_FILES][128];
	AUTO_BUF text = BUF_INIT(MAX_TRAIL);
	uint64_t first = hold(a), second = append(a, "acme"), third;

	(void)state;
	(void)failed_after(a, first);
	wait_durable(a, failed_after(a, second));
	list_files(path);
	read_file(path[0], &text);
	assert_of(&text, 4, 2);
	assert_of(&text, 5, 3);
	take_away(path[0], MOVED);
	third = append(a, "acme"); /* 6 is tried, and is the open record of the next file */
	wait_durable(a, failed_after(a, third));
	wait_durable(a, failed_after(a, second));
	audit_close(a);
	buf_clear(&text);
	read_file(path[list_files(path) - 1], &text);
	assert_of(&text, 8, 7);
	assert_of(&text, 9, 3);
	a = open_audit();
	wait_durable(a, failed_after(a, append(a, "acme")));
	audit_close(a);
	buf_clear(&text);
	read_file(path[list_files(path) - 1], &text);
	assert_of(&text, 12, 11);
}

/* Without its directory nothing is taken; with a new one of the name it goes on. */
static void
a_directory_taken_away_refuses(void **state)
{
	struct audit *a = open_audit();
	char path[MAX_FILES][128];
	uint64_t ticket = 0, last;
	struct fault f = { 0 };

	(void)state;
	wait_durable(a, append(a, "acme"));
	list_files(path);
	assert_int_equal(unlink(path[0]), 0);
	remove_spool();
	assert_int_equal(rmdir(dir), 0);
	last = append(a, "acme");
	wait_failed(a);
	assert_true(audit_durable(a) < last);
	assert_int_equal(
	    audit_append(a, "sign", "acme", NULL, NULL, span_of(NULL, 0), &ticket, &f), RC_IO);
	assert_string_equal(f.reason, "audit_unavailable");
	assert_problem(a, dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	wait_durable(a, last);
	assert_false(audit_failed(a));
	assert_int_equal(list_files(path), 1);
	audit_close(a);
}

static struct memory_case {
	const char *name;
	bool remove, forge; /* the trail */
	const char *mark;   /* in place of what was remembered; NULL: that */
	uint64_t vanished;
	uint64_t seq; /* of the new open record */
} memory_cases[] = {
	{ "all there", false, false, NULL, 0, 5 },
	{ "all gone", true, false, NULL, 4, 1 },
	{ "another trail", true, true, NULL, 4, 5 },
	{ "a trail that ends sooner", false, false,
	    "{\"seq\":9,\"hash\":"
	    "\"1111111111111111111111111111111111111111111111111111111111111111\"}\n",
	    9, 5 },
	{ "a damaged memory", false, false, "{\"seq\":9,\"hash\":\"11\"}\n", 0, 5 },
	{ "an empty memory", false, false, "", 0, 5 },
};

static void
write_three(const char *tenant)
{
	struct audit *a = open_audit();

	for (int i = 0; i < 3; i++)
		append(a, tenant);
	audit_close(a);
}

/* What was remembered outside the trail tells that the trail is gone. */
static void
a_vanished_trail_is_noticed(void **state)
{
	const struct memory_case *c = *state;
	AUTO_BUF memory = BUF_INIT(MAX_TRAIL);
	char path[MAX_FILES][128];
	struct audit *a;

	write_three("acme");
	read_file(mark_path, &memory);
	assert_non_null(strstr(buf_text(&memory), "{\"seq\":4,"));
	list_files(path);
	if (c->remove)
		assert_int_equal(unlink(path[0]), 0);
	if (c->forge) {
		assert_int_equal(unlink(mark_path), 0);
		write_three("osp");
	}
	assert_int_equal(unlink(mark_path), 0);
	put_file(mark_path, c->mark != NULL ? c->mark : buf_text(&memory));
	a = open_audit();
	assert_false(audit_failed(a));
	assert_int_equal(audit_vanished(a), c->vanished);
	assert_int_equal(audit_seq(a), c->seq);
	audit_close(a);
	a = open_audit();
	assert_int_equal(audit_vanished(a), 0); /* told once, and remembered anew */
	audit_close(a);
}

/* The file is full: what was not synced stands in a new one, nothing twice. */
static void
a_full_file_is_left(void **state)
{
	struct audit *a = open_audit();
	uint64_t last = 0;

	(void)state;
	for (int i = 0; i < 20; i++)
		last = append(a, "acme");
	wait_durable(a, last);
	limit_files(4200);
	for (int i = 0; i < 8; i++) {
		last = append(a, "acme");
		wait_durable(a, last);
	}
	limit_files(RLIM_INFINITY);
	assert_false(audit_failed(a));
	audit_close(a);

	AUTO_TRAIL t = check_trail();

	assert_true(t.files >= 2);
	assert_int_equal(t.lines, 28 + t.files);
	assert_int_equal(number(t.tenants, "acme"), 28);
}

/* No file takes anything: refused, and back by itself when one does. */
static void
fails_and_comes_back(void **state)
{
	struct audit *a = open_audit();
	uint64_t before = append(a, "acme"), during, ticket = 0;
	struct fault f = { 0 };

	(void)state;
	wait_durable(a, before);
	limit_files(1);
	during = append(a, "acme");
	wait_failed(a);
	assert_problem(a, dir);
	assert_true(audit_durable(a) == before);
	assert_int_equal(
	    audit_append(a, "sign", "acme", NULL, NULL, span_of(NULL, 0), &ticket, &f), RC_IO);
	assert_string_equal(f.reason, "audit_unavailable");
	limit_files(RLIM_INFINITY);
	wait_durable(a, during);
	assert_false(audit_failed(a));
	wait_durable(a, append(a, "acme"));
	audit_close(a);

	AUTO_TRAIL t = check_trail();

	assert_int_equal(t.files, 2);
	assert_int_equal(t.lines, 3 + 2);
	assert_int_equal(number(t.tenants, "acme"), 3);
}

/* New files are begun, torn and cannot be removed either: they have nothing in them. */
static void
what_cannot_be_removed_is_empty(void **state)
{
	struct audit *a = open_audit();
	uint64_t during;

	(void)state;
	wait_durable(a, append(a, "acme"));
	atomic_store(&failing_unlinks, 2);
	limit_files(1);
	during = append(a, "acme");
	while (atomic_load(&failing_unlinks) > 0)
		usleep(1000);
	limit_files(RLIM_INFINITY);
	wait_durable(a, during);
	audit_close(a);

	AUTO_TRAIL t = check_trail();

	assert_int_equal(t.lines, 2 + 2);
	assert_int_equal(number(t.tenants, "acme"), 2);
}

/* The spool's sync fails: the file's own does as well. */
static void
does_without_its_spool(void **state)
{
	struct audit *a = open_audit();

	(void)state;
	wait_durable(a, append(a, "acme"));
	atomic_store(&failing_syncs, 1);
	wait_durable(a, append(a, "acme"));
	wait_durable(a, append(a, "acme"));
	assert_false(audit_failed(a));
	audit_close(a);

	AUTO_TRAIL t = check_trail();

	assert_int_equal(t.files, 1);
	assert_int_equal(t.lines, 4);
}

/* Both syncs fail: not tried again on that file, and what it may have lost is put back. */
static void
a_failed_sync_is_not_repeated(void **state)
{
	struct audit *a = open_audit();
	char path[MAX_FILES][128];
	struct stat before, after;

	(void)state;
	wait_durable(a, append(a, "acme"));
	list_files(path);
	assert_int_equal(stat(path[0], &before), 0);
	atomic_store(&failing_syncs, 2);
	wait_durable(a, append(a, "acme"));
	assert_false(audit_failed(a));
	assert_int_equal(atomic_load(&failing_syncs), 0);
	assert_int_equal(stat(path[0], &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino); /* a copy, of other pages */
	audit_close(a);

	AUTO_TRAIL t = check_trail();

	assert_int_equal(t.files, 2);
	assert_int_equal(t.lines, 4);
}

/* As a kill leaves it: the trail in memory, no sync of its own, no order. */
static void
end_at_once(int records)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		struct audit *a = open_audit();
		uint64_t last = 0;

		for (int i = 0; i < records; i++)
			wait_durable(a, last = append(a, "acme"));
		_exit(audit_durable(a) == last ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static struct crash_case {
	const char *name;
	int keeps; /* of ten parts of what the file had */
	bool zeros;
	bool unsynced; /* started with audit_sync = none */
} crash_cases[] = {
	{ "the machine lost all but the first line", 0, false, false },
	{ "the machine lost a half", 5, false, false },
	{ "the machine has zeros in place of a half", 5, true, false },
	{ "the machine lost the last octets", 9, false, false },
	{ "only the process ended", 10, false, false },
	{ "the machine lost a half, and no more syncs", 5, false, true },
};

/* What was acknowledged is in the trail again, whatever the machine lost. */
static void
a_crash_loses_nothing(void **state)
{
	const struct crash_case *c = *state;
	AUTO_BUF before = BUF_INIT(MAX_TRAIL), after = BUF_INIT(MAX_TRAIL);
	char path[MAX_FILES][128];
	off_t first, keep;

	end_at_once(20);
	list_files(path);
	read_file(path[0], &before);
	first = strchr(buf_text(&before), '\n') + 1 - buf_text(&before);
	keep = first + ((off_t)before.len - first) * c->keeps / 10;
	assert_int_equal(truncate(path[0], keep), 0);
	if (c->zeros)
		assert_int_equal(truncate(path[0], (off_t)before.len), 0);
	audit_close(open_with(!c->unsynced));
	read_file(path[0], &after);
	assert_string_equal(buf_text(&after), buf_text(&before));
	list_files(path);
	buf_clear(&after);
	read_file(path[1], &after);
	assert_int_equal(
	    strstr(buf_text(&after), "\"restored_bytes\":") != NULL, c->keeps < 10);

	AUTO_TRAIL t = check_trail();

	assert_int_equal(t.files, 2);
	assert_int_equal(t.lines, 1 + 20 + 1);
}

/* Of a record that was not answered for, the last block came to the disk, and not the first. */
static void
a_hole_is_torn(void **state)
{
	AUTO_BUF before = BUF_INIT(MAX_TRAIL), after = BUF_INIT(MAX_TRAIL);
	char path[MAX_FILES][128];

	(void)state;
	end_at_once(5);
	list_files(path);
	read_file(path[0], &before);
	assert_int_equal(truncate(path[0], (off_t)before.len + 3000), 0);
	append_bytes(path[0], "\"a\":1}\n");
	audit_close(open_audit());
	read_file(path[0], &after);
	assert_string_equal(buf_text(&after), buf_text(&before));

	AUTO_TRAIL t = check_trail();

	assert_int_equal(t.lines, 1 + 5 + 1);
}

/* What may hold records is in the way until somebody has seen to it. */
static void
a_spool_that_cannot_be_opened(void **state)
{
	struct audit *a;
	char spool[64];

	(void)state;
	snprintf(spool, sizeof spool, "%s/.spool", dir);
	assert_int_equal(mkdir(spool, 0700), 0);
	a = open_audit();
	assert_problem(a, spool);
	assert_int_equal(rmdir(spool), 0);
	while (audit_failed(a))
		wait_event(a);
	wait_durable(a, append(a, "acme"));
	audit_close(a);
}

static void
closing_on_a_dead_disk_ends(void **state)
{
	struct audit *a = open_audit();

	(void)state;
	wait_durable(a, append(a, "acme"));
	limit_files(1);
	append(a, "acme");
	wait_failed(a);
	audit_close(a);
	limit_files(RLIM_INFINITY);

	AUTO_TRAIL t = check_trail();

	assert_int_equal(t.files, 1);
	assert_int_equal(t.lines, 2);
}

/* More than may wait is refused, not kept. */
static void
the_queue_has_an_end(void **state)
{
	struct audit *a = open_audit();
	struct fault f = { 0 };
	uint64_t ticket = 0, last = 0;
	enum rc rc = RC_OK;

	(void)state;
	atomic_store(&failing_syncs, 1000000); /* nothing becomes durable */
	for (int i = 0; i <= AUDIT_MAX_WAITING && rc == RC_OK; i++) {
		rc = audit_append(a, "sign", "acme", NULL, NULL, span_of(NULL, 0), &ticket, &f);
		last = rc == RC_OK ? ticket : last;
	}
	assert_int_equal(rc, RC_IO);
	assert_string_equal(f.reason, "audit_unavailable");
	atomic_store(&failing_syncs, 0);
	wait_durable(a, last);
	audit_close(a);

	AUTO_TRAIL t = check_trail();

	assert_int_equal(number(t.tenants, "acme"), last);
}

#define DIR_TEST(function) cmocka_unit_test_setup_teardown(function, make_dir, remove_dir)

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(tamper_cases) + ARRAY_LEN(taken_cases) +
				ARRAY_LEN(memory_cases) + ARRAY_LEN(crash_cases) + 22];
	size_t n = 0;

	ROWS(tests, n, tamper_cases, tampering_is_found);
	ROWS(tests, n, taken_cases, a_file_taken_away_is_left);
	ROWS(tests, n, memory_cases, a_vanished_trail_is_noticed);
	ROWS(tests, n, crash_cases, a_crash_loses_nothing);
	for (size_t i = 0; i < n; i++) {
		tests[i].setup_func = make_dir;
		tests[i].teardown_func = remove_dir;
	}
	tests[n++] = (struct CMUnitTest)DIR_TEST(one_record);
	tests[n++] = (struct CMUnitTest)DIR_TEST(held_until_started);
	tests[n++] = (struct CMUnitTest)DIR_TEST(of_is_the_seq_of_a_line);
	tests[n++] = (struct CMUnitTest)DIR_TEST(any_text_stays_one_line);
	tests[n++] = (struct CMUnitTest)DIR_TEST(goes_on_after_a_restart);
	tests[n++] = (struct CMUnitTest)DIR_TEST(many_records_share_a_sync);
	tests[n++] = (struct CMUnitTest)DIR_TEST(cuts_off_a_torn_line);
	tests[n++] = (struct CMUnitTest)DIR_TEST(passes_over_files_without_a_line);
	tests[n++] = (struct CMUnitTest)DIR_TEST(names_sort_when_the_clock_goes_back);
	tests[n++] = (struct CMUnitTest)DIR_TEST(one_writer_a_directory);
	tests[n++] = (struct CMUnitTest)DIR_TEST(a_link_is_not_followed);
	tests[n++] = (struct CMUnitTest)DIR_TEST(goes_on_when_the_way_is_free);
	tests[n++] = (struct CMUnitTest)DIR_TEST(a_directory_taken_away_refuses);
	tests[n++] = (struct CMUnitTest)DIR_TEST(a_full_file_is_left);
	tests[n++] = (struct CMUnitTest)DIR_TEST(fails_and_comes_back);
	tests[n++] = (struct CMUnitTest)DIR_TEST(what_cannot_be_removed_is_empty);
	tests[n++] = (struct CMUnitTest)DIR_TEST(a_hole_is_torn);
	tests[n++] = (struct CMUnitTest)DIR_TEST(a_spool_that_cannot_be_opened);
	tests[n++] = (struct CMUnitTest)DIR_TEST(does_without_its_spool);
	tests[n++] = (struct CMUnitTest)DIR_TEST(a_failed_sync_is_not_repeated);
	tests[n++] = (struct CMUnitTest)DIR_TEST(closing_on_a_dead_disk_ends);
	tests[n++] = (struct CMUnitTest)DIR_TEST(the_queue_has_an_end);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
