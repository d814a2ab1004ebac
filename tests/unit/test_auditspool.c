/* auditspool: what comes back after a crash, and what does not */
#include "agent/front/auditspool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

#define NAME "audit-20260101-000000.jsonl"

enum { BASE = 100, BLOCK = 4096, RUNS = 3, HEAD = 40, SPOOL_LOOK = 4 * BLOCK };

/* Octets of each run; the second crosses blocks. */
static const size_t run_len[RUNS] = { 900, 6000, 1 };

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

/* ---- a directory with a file and a spool ---------------------------------------------- */

static char dir[32];
static struct auditdir d;
static struct auditspool s;

static int
make_dir(void **state)
{
	struct fault f = { 0 };

	(void)state;
	snprintf(dir, sizeof dir, "/tmp/spool-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	s = AUDITSPOOL_NONE;
	return auditdir_open(dir, &d, &f) != RC_OK;
}

static int
remove_dir(void **state)
{
	(void)state;
	atomic_store(&failing_syncs, 0);
	auditspool_close(&s);
	unlinkat(d.fd, ".spool", 0);
	unlinkat(d.fd, NAME, 0);
	auditdir_close(&d);
	return rmdir(dir);
}

static struct span
run_of(size_t k)
{
	static uint8_t octets[RUNS][6000];

	memset(octets[k], 'p' + (int)k, sizeof octets[k]);
	return span_of(octets[k], run_len[k]);
}

/* The file with its first octets and so many runs. */
static void
expected(size_t runs, struct buf *out)
{
	uint8_t start[BASE];

	memset(start, 'a', sizeof start);
	buf_put(out, start, sizeof start);
	for (size_t k = 0; k < runs; k++)
		buf_span(out, run_of(k));
}

static void
write_file(size_t runs)
{
	AUTO_FD fd = openat(d.fd, NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	AUTO_BUF text = BUF_INIT(1 << 20);

	expected(runs, &text);
	assert_int_equal(write(fd, text.ptr, text.len), text.len);
}

static void
read_file(struct buf *out)
{
	AUTO_FD fd = openat(d.fd, NAME, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, buf_room(out, 1 << 19), 1 << 19);

	assert_true(n >= 0);
	buf_grew(out, (size_t)n);
}

static void
assert_runs(size_t runs)
{
	AUTO_BUF want = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20);

	expected(runs, &want);
	read_file(&got);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.ptr, want.ptr, want.len);
}

static void
make_spool(void)
{
	struct fault f = { 0 };

	assert_int_equal(auditspool_make(&d, 0, &s, &f), RC_OK);
	assert_int_equal(auditspool_begin(&s, NAME, BASE, &f), RC_OK);
	for (size_t k = 0; k < RUNS; k++) {
		assert_true(auditspool_has_room(&s, NAME, run_len[k]));
		assert_int_equal(auditspool_put(&s, run_of(k), &f), RC_OK);
	}
}

static void
open_again(void)
{
	struct fault f = { 0 };

	auditspool_close(&s);
	assert_int_equal(auditspool_open(&d, &s, &f), RC_OK);
}

/* ---- after a crash -------------------------------------------------------------------- */

enum damage { NONE, FLIP, WIPE, SHORT, LINK };

static int
cut(off_t len)
{
	AUTO_FD fd = openat(d.fd, NAME, O_WRONLY | O_CLOEXEC);

	return ftruncate(fd, len);
}

/* Where run k begins in the spool. */
static off_t
place(size_t k)
{
	off_t at = BLOCK;

	while (k-- > 0)
		at += HEAD + (off_t)run_len[k];
	return at;
}

static void
flip(off_t at)
{
	uint8_t octet;

	assert_int_equal(pread(s.fd, &octet, 1, at), 1);
	octet ^= 1;
	assert_int_equal(pwrite(s.fd, &octet, 1, at), 1);
}

static struct crash_case {
	const char *name;
	off_t keep;    /* octets of the file; -1: all */
	off_t zeros;   /* it has zeros up to here; 0: none */
	off_t flipped; /* octet of the spool; 0: none */
	size_t runs;   /* that the file has then */
	bool restored;
} crash_cases[] = {
	{ "nothing is lost", -1, 0, 0, 3, false },
	{ "all is lost", BASE, 0, 0, 3, true },
	{ "an octet is lost", BASE + 6900, 0, 0, 3, true },
	{ "an end is lost", BASE + 1000, 0, 0, 3, true },
	{ "zeros in place of all", BASE, BASE + 6901, 0, 3, true },
	{ "zeros in place of an end, and behind it", BASE + 1000, 9000, 0, 3, true },
	{ "nothing is lost, and zeros behind it", -1, 9000, 0, 3, false },
	{ "all is lost, and the last run torn", BASE, 0, BLOCK + 900 + 6000 + 3 * HEAD, 2,
	    true },
	{ "all is lost, and the second run torn", BASE, 0, BLOCK + 900 + HEAD + 4500, 1, true },
	{ "all is lost, and a length is another", BASE, 0, BLOCK + 900 + HEAD, 1, true },
	{ "all is lost, and a hash is another", BASE, 0, BLOCK + 900 + HEAD + 8, 1, true },
	{ "all is lost, and the first run torn", BASE, 0, BLOCK + HEAD, 0, false },
	{ "all is lost, and another magic", BASE, 0, 1, 0, false },
	{ "all is lost, and another salt", BASE, 0, 20, 0, false },
	{ "all is lost, and another base", BASE, 0, 32, 0, false },
	{ "all is lost, and another name", BASE, 0, 45, 0, false },
};

/* The runs are there, and what was behind them is as it was. */
static void
assert_begins(size_t runs, off_t size)
{
	AUTO_BUF want = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20);

	expected(runs, &want);
	read_file(&got);
	assert_int_equal(got.len, (off_t)want.len > size ? (off_t)want.len : size);
	assert_memory_equal(got.ptr, want.ptr, want.len);
	for (size_t i = want.len; i < got.len; i++)
		assert_int_equal(got.ptr[i], 0);
}

static void
comes_back(void **state)
{
	const struct crash_case *c = *state;
	struct auditspool_restored restored = { 0 };
	struct fault f = { 0 };
	struct stat before, after;

	write_file(RUNS);
	make_spool();
	if (c->keep >= 0)
		assert_int_equal(cut(c->keep), 0);
	if (c->zeros > 0)
		assert_int_equal(cut(c->zeros), 0);
	if (c->flipped > 0)
		flip(c->flipped);
	assert_int_equal(fstatat(d.fd, NAME, &before, 0), 0);
	open_again();
	assert_int_equal(auditspool_restore(&d, &s, &restored, &f), RC_OK);
	assert_int_equal(restored.octets > 0, c->restored);
	assert_int_equal(fstatat(d.fd, NAME, &after, 0), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_begins(c->runs, before.st_size);
	assert_string_equal(restored.name, c->runs > 0 ? NAME : "");
}

static void
of_a_shorter_file(void **state)
{
	struct auditspool_restored restored = { 0 };
	struct fault f = { 0 };

	(void)state;
	write_file(RUNS);
	make_spool();
	assert_int_equal(cut(BASE - 1), 0);
	open_again();
	assert_int_equal(auditspool_restore(&d, &s, &restored, &f), RC_NOT_FOUND);
	assert_string_equal(f.reason, "audit_unavailable");
	assert_non_null(strstr(f.detail, "move it away"));
}

/* Its pages may be dropped, and would be believed the next time: a copy, of all that is there. */
static void
by_a_copy_where_the_sync_fails(void **state)
{
	struct auditspool_restored restored = { 0 };
	struct fault f = { 0 };
	struct stat before, after;

	(void)state;
	write_file(RUNS);
	make_spool();
	assert_int_equal(cut(BASE + 10), 0);
	assert_int_equal(cut(9000), 0);
	open_again();
	assert_int_equal(fstatat(d.fd, NAME, &before, 0), 0);
	atomic_store(&failing_syncs, 1);
	assert_int_equal(auditspool_restore(&d, &s, &restored, &f), RC_OK);
	assert_int_equal(fstatat(d.fd, NAME, &after, 0), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	assert_int_equal(after.st_mode & 07777, 0640);
	assert_begins(RUNS, 9000);
}

/* One that cannot be looked at may hold records: it is not "none". */
static void
opens_or_says(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(auditspool_open(&d, &s, &f), RC_NOT_FOUND);
	assert_int_equal(mkdirat(d.fd, ".spool", 0700), 0);
	assert_int_equal(auditspool_open(&d, &s, &f), RC_IO);
	assert_non_null(strstr(f.detail, "/.spool cannot be opened"));
	assert_int_equal(unlinkat(d.fd, ".spool", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("/etc/passwd", d.fd, ".spool"), 0);
	assert_int_equal(auditspool_open(&d, &s, NULL), RC_IO);
}

static void
not_behind_the_limit(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(auditspool_make(&d, 0, &s, &f), RC_OK);
	assert_int_equal(auditspool_begin(&s, NAME, AUDITFILE_LIMIT, &f), RC_OK);
	assert_int_equal(auditspool_begin(&s, NAME, (off_t)AUDITFILE_LIMIT + 1, &f), RC_IO);
	assert_false(auditspool_has_room(&s, NAME, 1));
}

/* Synced between, as before another file that could not be had: the copy has all of it. */
static void
a_copy_is_whole(void **state)
{
	struct auditfile file = { .fd = -1 };
	AUTO_BUF got = BUF_INIT(1 << 20);
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(auditfile_create(&d, &file, &f), RC_OK);
	assert_int_equal(auditspool_make(&d, file.ino, &s, &f), RC_OK);
	for (size_t k = 0; k < RUNS; k++) {
		assert_int_equal(auditfile_write(&d, &file, &s, run_of(k), &f), RC_OK);
		if (k == 1)
			assert_true(auditfile_settle(&file, &s));
	}
	atomic_store(&failing_syncs, 3);
	assert_int_equal(auditfile_write(&d, &file, &s, run_of(0), &f), RC_IO);
	auditfile_abandon(&file, &s);
	assert_true(s.owes);
	assert_int_equal(auditspool_settle(&d, &s, &f), RC_OK);
	assert_int_equal(renameat(d.fd, file.name, d.fd, NAME), 0);
	read_file(&got);
	assert_int_equal(got.len, run_len[0] + run_len[1] + run_len[2]);
	for (size_t k = 0, at = 0; k < RUNS; at += run_len[k++])
		assert_memory_equal(got.ptr + at, run_of(k).ptr, run_len[k]);
}

/* A second crash right after it finds the same. */
static void
twice(void **state)
{
	struct fault f = { 0 };
	struct auditspool_restored restored = { 0 };

	(void)state;
	write_file(0);
	make_spool();
	open_again();
	assert_int_equal(auditspool_restore(&d, &s, &restored, &f), RC_OK);
	assert_int_equal(restored.octets, 6901);
	assert_int_equal(auditspool_restore(&d, &s, &restored, &f), RC_OK);
	assert_int_equal(restored.octets, 0);
	assert_runs(RUNS);
}

static void
no_file(void **state)
{
	struct fault f = { 0 };
	struct auditspool_restored restored = { 0 };

	(void)state;
	make_spool();
	open_again();
	assert_int_equal(auditspool_restore(&d, &s, &restored, &f), RC_OK);
	assert_int_equal(restored.octets, 0);
}

/* Of a filling before, behind the end of this one. */
static void
older_runs_stay_away(void **state)
{
	struct fault f = { 0 };
	struct auditspool_restored restored = { 0 };

	(void)state;
	write_file(0);
	make_spool();
	assert_int_equal(auditspool_begin(&s, NAME, BASE, &f), RC_OK);
	open_again();
	assert_int_equal(auditspool_restore(&d, &s, &restored, &f), RC_OK);
	assert_int_equal(restored.octets, 0);
	assert_int_equal(auditspool_begin(&s, NAME, BASE, &f), RC_OK);
	assert_int_equal(auditspool_put(&s, run_of(0), &f), RC_OK);
	open_again();
	assert_int_equal(auditspool_restore(&d, &s, &restored, &f), RC_OK);
	assert_runs(1);
}

static void
cleared(void **state)
{
	struct fault f = { 0 };
	struct auditspool_restored restored = { 0 };

	(void)state;
	write_file(0);
	make_spool();
	assert_int_equal(auditspool_clear(&s, &f), RC_OK);
	open_again();
	assert_int_equal(auditspool_restore(&d, &s, &restored, &f), RC_OK);
	assert_int_equal(restored.octets, 0);
}

/* ---- while it runs -------------------------------------------------------------------- */

/* The kernel dropped its pages: what was acknowledged comes back, and not what failed. */
static void
settles_what_it_owes(void **state)
{
	struct fault f = { 0 };
	struct stat before, after;

	(void)state;
	write_file(RUNS);
	make_spool();
	atomic_store(&failing_syncs, 1);
	assert_int_equal(auditspool_put(&s, run_of(0), &f), RC_IO);
	assert_string_equal(f.reason, "audit_unavailable");
	s.owes = true;
	assert_int_equal(fstatat(d.fd, NAME, &before, 0), 0);
	assert_int_equal(auditspool_settle(&d, &s, &f), RC_OK);
	assert_int_equal(fstatat(d.fd, NAME, &after, 0), 0);
	assert_int_not_equal(
	    before.st_ino, after.st_ino); /* also where all seems to be there */
	assert_false(s.owes);
	assert_runs(RUNS);
}

static struct owing_case {
	const char *name;
	enum damage damage;
	enum rc rc;
} owing_cases[] = {
	{ "owes, and the file is gone", LINK, RC_NOT_FOUND },
	{ "owes, and the file is shorter", SHORT, RC_NOT_FOUND },
	{ "owes, and the spool lost a run", FLIP, RC_NOT_FOUND },
	{ "owes, and the spool lost its head", WIPE, RC_NOT_FOUND },
};

static void
owes(void **state)
{
	const struct owing_case *c = *state;
	struct fault f = { 0 };

	write_file(c->damage == SHORT ? 0 : RUNS);
	make_spool();
	s.owes = true;
	switch (c->damage) {
	case LINK: assert_int_equal(unlinkat(d.fd, NAME, 0), 0); break;
	case SHORT: assert_int_equal(cut(9), 0); break;
	case FLIP: flip(place(1)); break;
	case WIPE: flip(3); break;
	case NONE: break;
	}
	assert_int_equal(auditspool_settle(&d, &s, &f), c->rc);
	assert_string_equal(f.reason, "audit_unavailable");
	assert_int_equal(s.owes, c->rc != RC_NOT_FOUND);
}

static void
has_an_end(void **state)
{
	static uint8_t much[100000];
	struct fault f = { 0 };
	struct stat st;
	size_t n = 0;

	(void)state;
	make_spool();
	assert_false(auditspool_has_room(&s, "audit-20260101-000001.jsonl", 1));
	assert_false(auditspool_has_room(&s, NAME, AUDITSPOOL_SIZE));
	assert_false(auditspool_has_room(&s, NAME, SIZE_MAX));
	while (auditspool_has_room(&s, NAME, sizeof much) && n++ < 1000)
		assert_int_equal(auditspool_put(&s, span_of(much, sizeof much), &f), RC_OK);
	assert_in_range(n, 30, 45);
	assert_int_equal(fstat(s.fd, &st), 0);
	assert_int_equal(st.st_size, AUDITSPOOL_SIZE);
	assert_int_equal(st.st_blocks * 512 >= AUDITSPOOL_SIZE, 1); /* no hole */
}

static void
a_full_disk_has_none(void **state)
{
	struct rlimit all, few;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
	few = all;
	few.rlim_cur = 1 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
	assert_int_equal(auditspool_make(&d, 0, &s, &f), RC_IO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	assert_string_equal(f.reason, "audit_unavailable");
	assert_int_equal(s.fd, -1);
	assert_int_equal(faccessat(d.fd, ".spool", F_OK, 0), -1);
	assert_false(auditspool_has_room(&s, "", 0));
}

/* Not in a block of inodes with the file, and made once. */
static void
lies_apart(void **state)
{
	struct fault f = { 0 };
	struct stat first, again, other;

	(void)state;
	assert_int_equal(auditspool_make(&d, 0, &s, &f), RC_OK);
	assert_int_equal(fstat(s.fd, &first), 0);
	assert_int_equal(auditspool_make(&d, 0, &s, &f), RC_OK);
	assert_int_equal(fstat(s.fd, &again), 0);
	assert_int_equal(first.st_ino, again.st_ino);
	assert_int_equal(auditspool_make(&d, first.st_ino, &s, &f), RC_OK);
	assert_int_equal(fstat(s.fd, &other), 0);
	assert_int_not_equal((first.st_ino - 1) / 32, (other.st_ino - 1) / 32);
}

/* ---- the decoder ---------------------------------------------------------------------- */

/* True where what it finds is the beginning of what was put. */
static bool
finds_truth(struct span all)
{
	struct auditspool_found found = AUDITSPOOL_NOTHING;
	AUTO_BUF want = BUF_INIT(1 << 20);
	bool any = auditspool_decode(all, &found), same;

	expected(RUNS, &want);
	same = !any || (found.octets.len <= want.len - BASE &&
			   memcmp(found.octets.ptr == NULL ? want.ptr + BASE : found.octets.ptr,
			       want.ptr + BASE, found.octets.len) == 0 &&
			   found.base == BASE && strcmp(found.name, NAME) == 0);
	buf_free(&found.octets);
	return same;
}

/* Every prefix, and every octet changed. */
static void
never_finds_anything_else(void **state)
{
	AUTO_BUF all = BUF_INIT(SPOOL_LOOK);
	uint8_t *octet;

	(void)state;
	make_spool();
	octet = buf_room(&all, SPOOL_LOOK);
	assert_int_equal(pread(s.fd, octet, SPOOL_LOOK, 0), SPOOL_LOOK);
	for (size_t n = 0; n <= SPOOL_LOOK; n += n < 200 ? 1 : 97)
		assert_true(finds_truth(span_of(octet, n)));
	for (size_t i = 0; i < SPOOL_LOOK; i += i < 200 ? 1 : 61) {
		octet[i] ^= (uint8_t)(1u << i % 8);
		assert_true(finds_truth(span_of(octet, SPOOL_LOOK)));
		octet[i] ^= (uint8_t)(1u << i % 8);
	}
}

#define DIR_TEST(function) cmocka_unit_test_setup_teardown(function, make_dir, remove_dir)

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(crash_cases) + ARRAY_LEN(owing_cases) + 14];
	size_t n = 0;

	signal(SIGXFSZ, SIG_IGN); /* as the audit's thread does */
	ROWS(tests, n, crash_cases, comes_back);
	ROWS(tests, n, owing_cases, owes);
	for (size_t i = 0; i < n; i++) {
		tests[i].setup_func = make_dir;
		tests[i].teardown_func = remove_dir;
	}
	tests[n++] = (struct CMUnitTest)DIR_TEST(of_a_shorter_file);
	tests[n++] = (struct CMUnitTest)DIR_TEST(by_a_copy_where_the_sync_fails);
	tests[n++] = (struct CMUnitTest)DIR_TEST(opens_or_says);
	tests[n++] = (struct CMUnitTest)DIR_TEST(not_behind_the_limit);
	tests[n++] = (struct CMUnitTest)DIR_TEST(a_copy_is_whole);
	tests[n++] = (struct CMUnitTest)DIR_TEST(twice);
	tests[n++] = (struct CMUnitTest)DIR_TEST(no_file);
	tests[n++] = (struct CMUnitTest)DIR_TEST(older_runs_stay_away);
	tests[n++] = (struct CMUnitTest)DIR_TEST(cleared);
	tests[n++] = (struct CMUnitTest)DIR_TEST(settles_what_it_owes);
	tests[n++] = (struct CMUnitTest)DIR_TEST(has_an_end);
	tests[n++] = (struct CMUnitTest)DIR_TEST(a_full_disk_has_none);
	tests[n++] = (struct CMUnitTest)DIR_TEST(lies_apart);
	tests[n++] = (struct CMUnitTest)DIR_TEST(never_finds_anything_else);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
