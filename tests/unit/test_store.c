/* store: old or new, whole, at every crash; links, names, ceilings; weburl */
#include "agent/front/store.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/front/weburl.h"
#include "tests/unit/cm.h"
#include "tests/unit/crash.h"
#include "tests/unit/rows.h"
#include "tests/unit/tree.h"

static char home[] = "/tmp/vesper-store-XXXXXX";

static void
expect(const char *path, const char *text)
{
	AUTO_BUF got = BUF_INIT(1000);
	struct fault f = { 0 };

	assert_int_equal(store_read(path, 1000, &got, &f), RC_OK);
	assert_string_equal(buf_text(&got), text);
}

static void
put(const char *path, const char *text)
{
	struct fault f = { 0 };

	assert_int_equal(store_write(path, span_str(text), 0640, &f), RC_OK);
}

static void
writes_and_reads(void **state)
{
	struct stat st;

	(void)state;
	put("a/b/file", "one");
	expect("a/b/file", "one");
	put("a/b/file", "two");
	expect("a/b/file", "two");
	assert_int_equal(stat("a/b/file", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(stat("a/b", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_not_equal(store_mtime("a/b/file"), 0);
	assert_int_equal(store_mtime("a/b/none"), 0);
	put("plain", "in the working directory");
	expect("plain", "in the working directory");
}

static void
refuses(void **state)
{
	AUTO_BUF got = BUF_INIT(1000);
	struct fault f = { 0 };
	char path[STORE_PATH_MAX + 10];

	(void)state;
	assert_int_equal(store_read("none", 10, &got, &f), RC_NOT_FOUND);
	assert_string_equal(f.reason, "not_found");
	put("big", "0123456789");
	f.rc = RC_OK;
	assert_int_equal(store_read("big", 9, &got, &f), RC_INVALID);
	assert_string_equal(f.reason, "store_size");
	assert_int_equal(symlink("big", "link"), 0);
	f.rc = RC_OK;
	assert_int_equal(store_read("link", 100, &got, &f), RC_IO);
	assert_string_equal(f.reason, "io");
	buf_clear(&got);
	assert_int_equal(store_read_linked("link", 100, &got, &f), RC_OK);
	f.rc = RC_OK;
	assert_int_equal(store_read("a", 100, &got, &f), RC_IO);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	f.rc = RC_OK;
	assert_int_equal(store_read("fifo", 100, &got, &f), RC_IO); /* and does not wait */
	memset(path, 'x', sizeof path);
	path[sizeof path - 1] = 0;
	f.rc = RC_OK;
	assert_int_equal(store_path(&(struct store_path){ "" }, &f, "%s", path), RC_INVALID);
	assert_string_equal(f.reason, "store_path");
}

static struct json_case {
	const char *name, *text; /* of the file; NULL: there is none */
	size_t max;
	enum rc rc;
	const char *reason;
} json_cases[] = {
	{ "a record", "{\"a\":1}", 7, RC_OK, NULL },
	{ "a record of one octet more", "{\"a\":1}", 6, RC_INVALID, "store_size" },
	{ "a record cut short", "{\"a\":", 100, RC_INVALID, "malformed_json" },
	{ "a record with a member twice", "{\"a\":1,\"a\":1}", 100, RC_INVALID,
	    "duplicate_member" },
	{ "an empty record", "", 100, RC_INVALID, "malformed_json" },
	{ "no record", NULL, 100, RC_NOT_FOUND, "not_found" },
};

static void
reads_json(void **state)
{
	const struct json_case *c = *state;
	json_auto_t *root = NULL;
	struct fault f = { 0 };

	(void)unlink("record");
	if (c->text != NULL)
		put("record", c->text);
	assert_int_equal(store_read_json("record", c->max, &root, &f), c->rc);
	if (c->rc == RC_OK) {
		assert_int_equal(json_integer_value(json_object_get(root, "a")), 1);
		return;
	}
	assert_string_equal(f.reason, c->reason);
	assert_null(root);
}

static void
writes_json(void **state)
{
	json_auto_t *root = json_pack("{s:i, s:i}", "b", 2, "a", 1);
	struct fault f = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(store_write_json("records/one", root, 13, &f), RC_OK);
	expect("records/one", "{\"a\":1,\"b\":2}");
	assert_int_equal(stat("records/one", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_not_equal(store_write_json("records/one", root, 12, &f), RC_OK);
	f = (struct fault){ 0 };
	assert_int_equal(store_write_json("records/one", NULL, 13, &f), RC_NO_MEMORY);
	assert_string_equal(f.reason, "no_memory");
	expect("records/one", "{\"a\":1,\"b\":2}");
}

static void
removes(void **state)
{
	struct fault f = { 0 };

	(void)state;
	put("gone", "x");
	assert_int_equal(store_remove("gone", &f), RC_OK);
	assert_int_equal(store_mtime("gone"), 0);
	assert_int_equal(store_remove("gone", &f), RC_OK);
	assert_int_equal(store_remove("no/such/dir", &f), RC_OK);
}

static void
renames(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(store_rename("none", "other", &f), RC_NOT_FOUND);
	put("from", "x");
	put("taken", "y");
	f = (struct fault){ 0 };
	assert_int_equal(store_rename("from", "taken", &f), RC_CONFLICT);
	assert_string_equal(f.reason, "store_taken");
	f = (struct fault){ 0 };
	assert_int_equal(store_rename("from", "no/such/dir", &f), RC_NOT_FOUND);
	assert_int_not_equal(store_mtime("from"), 0);
	assert_int_equal(store_rename("from", "to", &f), RC_OK);
	assert_int_equal(store_mtime("from"), 0);
	assert_int_not_equal(store_mtime("to"), 0);
	assert_int_equal(store_remove("to", &f), RC_OK);
	assert_int_equal(store_remove("taken", &f), RC_OK);
}

/* A link in place of the file is replaced, never followed. */
static void
replaces_a_link(void **state)
{
	(void)state;
	put("target", "safe");
	assert_int_equal(symlink("target", "trap"), 0);
	put("trap", "new");
	expect("target", "safe");
	expect("trap", "new");
	assert_int_equal(symlink("target", ".temp.tmp"), 0);
	put("temp", "new");
	expect("target", "safe");
}

static enum rc
count(void *arg, const char *name, struct fault *f)
{
	(void)f;
	assert_true(name[0] != '.');
	++*(unsigned *)arg;
	return RC_OK;
}

static void
lists(void **state)
{
	struct fault f = { 0 };
	unsigned n = 0;

	(void)state;
	put("list/one", "1");
	put("list/two", "2");
	put("list/.hidden", "3");
	assert_int_equal(store_each("list", count, &n, &f), RC_OK);
	assert_int_equal(n, 2);
	assert_int_equal(store_each("nowhere", count, &n, &f), RC_OK);
	assert_int_equal(n, 2);
}

static void
names(void **state)
{
	static const char *const good[] = { "a", "0", "acme", "a-b_c.d",
		"a23456789012345678901234567890123456789012345678901234567890123" };
	static const char *const bad[] = { "", ".", "..", "a/b", "/", "A", "a b", ".a", "-a",
		"_a", "a\n", "\xc3\xa4",
		"a234567890123456789012345678901234567890123456789012345678901234" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(store_name_ok(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(store_name_ok(bad[i]));
}

/* true when the child wrote it all */
static bool
write_until(unsigned at)
{
	struct fault f = { 0 };
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		crash_arm(CRASH_EXIT, at);
		_exit(store_write("crash/file", span_str("the new text"), 0600, &f) == RC_OK
			  ? 0
			  : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == CRASH_STATUS);
	return WEXITSTATUS(status) == 0;
}

static void
old_or_new_after_a_crash(void **state)
{
	bool done = false, was_new = false, was_old = false;
	unsigned at = 1;

	(void)state;
	for (; !done; at++) {
		AUTO_BUF got = BUF_INIT(1000);
		struct fault f = { 0 };
		const char *text;

		put("crash/file", "the old one");
		done = write_until(at);
		assert_int_equal(store_read("crash/file", 1000, &got, &f), RC_OK);
		text = buf_text(&got);
		assert_non_null(text);
		assert_true(
		    strcmp(text, "the old one") == 0 || strcmp(text, "the new text") == 0);
		was_new |= strcmp(text, "the new text") == 0;
		was_old |= strcmp(text, "the old one") == 0;
		assert_true(at < 100);
	}
	assert_true(was_new && was_old && at > 8);
}

static void
says_when_the_disk_fails(void **state)
{
	unsigned failed = 0;

	(void)state;
	for (unsigned at = 1; at < 20; at++) {
		AUTO_BUF got = BUF_INIT(1000);
		struct fault f = { 0 };
		enum rc rc;

		put("fail/file", "old");
		crash_arm(CRASH_FAIL, at);
		rc = store_write("fail/file", span_str("new"), 0600, &f);
		crash_arm(CRASH_NONE, 0);
		assert_true(rc == RC_OK || rc == RC_IO);
		failed += rc == RC_IO;
		assert_int_equal(store_read("fail/file", 1000, &got, &f), RC_OK);
		assert_true(rc != RC_OK || strcmp(buf_text(&got), "new") == 0);
	}
	assert_true(failed >= 5);
}

/* ---- weburl ---- */

static struct url_case {
	const char *name, *base, *url;
	enum rc rc;
	const char *reason;
} url_cases[] = {
	{ "same", "https://ca.example/dir", "https://ca.example/acme/1?x=y", RC_OK, "" },
	{ "port written out", "https://ca.example/dir", "https://ca.example:443/", RC_OK, "" },
	{ "case of host and scheme", "https://ca.example/d", "HTTPS://CA.Example", RC_OK, "" },
	{ "other port", "https://127.1.2.3:14000/d", "https://127.1.2.3:14000/o", RC_OK, "" },
	{ "IPv6", "https://[::1]:8443/d", "https://[::1]:8443/o", RC_OK, "" },
	{ "another host", "https://ca.example/d", "https://evil.example/", RC_DENIED,
	    "url_origin" },
	{ "a longer host", "https://ca.example/d", "https://ca.example.evil/", RC_DENIED,
	    "url_origin" },
	{ "a shorter host", "https://ca.example/d", "https://a.example/", RC_DENIED,
	    "url_origin" },
	{ "another port", "https://ca.example/d", "https://ca.example:8443/", RC_DENIED,
	    "url_origin" },
	{ "another IPv6", "https://[::1]/d", "https://[::2]/", RC_DENIED, "url_origin" },
	{ "http", "https://ca.example/d", "http://ca.example/", RC_INVALID, "invalid_member" },
	{ "user information", "https://ca.example/d", "https://ca.example@evil/", RC_INVALID,
	    "invalid_member" },
	{ "user information and port", "https://ca.example/d", "https://ca.example:1@evil/",
	    RC_INVALID, "invalid_member" },
	{ "user information in both", "https://u@ca.example/d", "https://u@ca.example/o",
	    RC_INVALID, "invalid_member" },
	{ "fragment", "https://ca.example/d", "https://ca.example/#", RC_INVALID,
	    "invalid_member" },
	{ "backslash", "https://ca.example/d", "https://ca.example\\@evil/", RC_INVALID,
	    "invalid_member" },
	{ "space", "https://ca.example/d", "https://ca.example/ x", RC_INVALID,
	    "invalid_member" },
	{ "new line", "https://ca.example/d", "https://ca.example/\n", RC_INVALID,
	    "invalid_member" },
	{ "not ASCII", "https://ca.example/d", "https://ca.example/\xc3\xa4", RC_INVALID,
	    "invalid_member" },
	{ "no host", "https://ca.example/d", "https:///d", RC_INVALID, "invalid_member" },
	{ "empty", "https://ca.example/d", "", RC_INVALID, "invalid_member" },
	{ "relative", "https://ca.example/d", "/order/1", RC_INVALID, "invalid_member" },
	{ "port 0", "https://ca.example/d", "https://ca.example:0/", RC_INVALID,
	    "invalid_member" },
	{ "port of six", "https://ca.example/d", "https://ca.example:65536/", RC_INVALID,
	    "invalid_member" },
	{ "port with a zero in front", "https://ca.example/d", "https://ca.example:0443/",
	    RC_INVALID, "invalid_member" },
	{ "empty port", "https://ca.example/d", "https://ca.example:/", RC_INVALID,
	    "invalid_member" },
	{ "port of letters", "https://ca.example/d", "https://ca.example:44x/", RC_INVALID,
	    "invalid_member" },
	{ "open bracket", "https://ca.example/d", "https://[::1/", RC_INVALID,
	    "invalid_member" },
};

static void
url_origin(void **state)
{
	const struct url_case *c = *state;
	struct fault f = { 0 };

	assert_int_equal(weburl_same_origin(c->base, c->url, &f), c->rc);
	assert_string_equal(f.reason, c->reason);
}

static void
url_ceiling(void **state)
{
	static char url[WEBURL_MAX + 100];
	struct fault f = { 0 };

	(void)state;
	memset(url, 'a', sizeof url - 1);
	memcpy(url, "https://h/", 10);
	assert_int_equal(weburl_same_origin("https://h/", url, &f), RC_INVALID);
	url[WEBURL_MAX] = 0;
	f.rc = RC_OK;
	assert_int_equal(weburl_same_origin("https://h/", url, &f), RC_OK);
}

static int
make_home(void **state)
{
	(void)state;
	return mkdtemp(home) != NULL ? chdir(home) : -1;
}

static int
drop_home(void **state)
{
	(void)state;
	return chdir("/") == 0 ? tree_remove(home) : -1;
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(url_cases) + ARRAY_LEN(json_cases) + 11] = {
		cmocka_unit_test(writes_and_reads),
		cmocka_unit_test(refuses),
		cmocka_unit_test(removes),
		cmocka_unit_test(renames),
		cmocka_unit_test(replaces_a_link),
		cmocka_unit_test(lists),
		cmocka_unit_test(names),
		cmocka_unit_test(old_or_new_after_a_crash),
		cmocka_unit_test(says_when_the_disk_fails),
		cmocka_unit_test(url_ceiling),
		cmocka_unit_test(writes_json),
	};
	size_t n = 11;

	ROWS(tests, n, url_cases, url_origin);
	ROWS(tests, n, json_cases, reads_json);
	return cmocka_run_group_tests(tests, make_home, drop_home);
}
