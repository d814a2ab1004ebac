/* record and its store: what survives a restart, and what is not believed */
#include "agent/renewer/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/renewer/store.h"
#include "tests/unit/mutate.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void
fill(struct record *r)
{
	record_init(r, "acme", "main");
	r->state = RENEW_DOWNLOAD;
	r->attempt = 3;
	r->alarms = 1;
	r->wake_ms = 1800000000123;
	snprintf(r->asked, sizeof r->asked, "%s", HASH);
	snprintf(r->replacing, sizeof r->replacing, "0a");
	snprintf(r->installed, sizeof r->installed, "0b");
	r->constraints = strdup("MAA");
	r->order = strdup("https://ca.example/order/1");
	r->finalize = strdup("https://ca.example/order/1/finalize");
	r->certificate = strdup("https://ca.example/cert/1");
	r->x5u = strdup("https://x5u.example/1");
	r->auto_end_s = 7;
	r->series = (struct record_series){ strdup("https://ca.example/order/0"),
		strdup("https://ca.example/star/0"), 1234, true, true };
	r->authz[0] = strdup("https://ca.example/authz/1");
	r->authz[1] = strdup("https://ca.example/authz/2");
	r->authzs = 2;
	r->expires_s = 1800086400;
	snprintf(r->problem, sizeof r->problem, "acme_connection: why");
	r->failing_s = 1800000000;
}

static void
both_ways(void **state)
{
	AUTO_BUF text = BUF_INIT(STORE_FILE_MAX), again = BUF_INIT(STORE_FILE_MAX);
	struct record a, b;
	struct fault f = { 0 };

	(void)state;
	fill(&a);
	record_init(&b, "acme", "main");
	assert_int_equal(record_write(&text, &a, &f), RC_OK);
	assert_int_equal(record_read(&b, buf_view(&text), &f), RC_OK);
	assert_int_equal(b.state, RENEW_DOWNLOAD);
	assert_string_equal(b.certificate, a.certificate);
	assert_string_equal(b.x5u, a.x5u);
	assert_int_equal(b.auto_end_s, 7);
	assert_string_equal(b.series.order, a.series.order);
	assert_string_equal(b.series.certificate, a.series.certificate);
	assert_int_equal(b.series.end_s, 1234);
	assert_int_equal(b.failing_s, 1800000000);
	assert_true(b.series.get && b.series.fresh);
	assert_int_equal(b.wake_ms, a.wake_ms);
	assert_int_equal(record_write(&again, &b, &f), RC_OK);
	assert_string_equal(buf_text(&text), buf_text(&again));
	record_done(&a);
	record_done(&b);
}

static bool
accepted(struct span bytes)
{
	struct record r;
	struct fault f = { 0 };
	enum rc rc;

	record_init(&r, "acme", "main");
	rc = record_read(&r, bytes, &f);
	if (rc != RC_OK) {
		/* Nothing of a bad one stays. */
		assert_string_equal(f.reason, "record");
		assert_int_equal(r.state, RENEW_IDLE);
		assert_null(r.order);
	}
	record_done(&r);
	return rc == RC_OK;
}

static void
prefixes_and_flips(void **state)
{
	AUTO_BUF text = BUF_INIT(STORE_FILE_MAX);
	struct record r;

	(void)state;
	fill(&r);
	assert_int_equal(record_write(&text, &r, NULL), RC_OK);
	text.len--; /* without the newline, every prefix is another text */
	no_prefix_is_taken(accepted, buf_view(&text));
	(void)survives_bit_flips(accepted, buf_view(&text));
	record_done(&r);
}

/* One member set to a JSON text (NULL: taken away). */
static struct member_case {
	const char *name, *member, *value;
} member_cases[] = {
	{ "no version", "version", NULL },
	{ "another version", "version", "2" },
	{ "version as text", "version", "\"1\"" },
	{ "unknown member", "more", "1" },
	{ "another tenant", "tenant", "\"other\"" },
	{ "another credential", "name", "\"other\"" },
	{ "unknown state", "state", "\"paused\"" },
	{ "state in another case", "state", "\"Idle\"" },
	{ "negative attempt", "attempt", "-1" },
	{ "huge attempt", "attempt", "4294967296" },
	{ "negative alarms", "alarms", "-1" },
	{ "negative moment", "wake_ms", "-1" },
	{ "moment beyond all time", "wake_ms", "9007199254740991" },
	{ "moment as a real", "wake_ms", "1.5" },
	{ "hash that is none", "asked", "\"xyz\"" },
	{ "hash too long", "asked", "\"" HASH "00\"" },
	{ "serial that is none", "replacing", "\"../x\"" },
	{ "serial too long", "installed", "\"" HASH "\"" },
	{ "order over http", "order", "\"http://ca.example/1\"" },
	{ "order as number", "order", "1" },
	{ "order with a user", "order", "\"https://a@ca.example/1\"" },
	{ "no order in a later state", "order", "null" },
	{ "no finalize in a later state", "finalize", "null" },
	{ "no certificate in a later state", "certificate", "null" },
	{ "no authorization in a later state", "authorizations", "[]" },
	{ "too many authorizations", "authorizations",
	    "[\"https://a/\",\"https://a/\",\"https://a/\",\"https://a/\",\"https://a/\"]" },
	{ "authorization null", "authorizations", "[null]" },
	{ "authorizations as object", "authorizations", "{}" },
	{ "a series as a list", "series", "[]" },
	{ "a series without its certificate", "series",
	    "{\"order\":\"https://a/\",\"end\":1,\"get\":true,\"fresh\":false}" },
	{ "a series without its order", "series",
	    "{\"order\":null,\"certificate\":\"https://a/\",\"end\":1,\"get\":true,"
	    "\"fresh\":false}" },
	{ "a series over http", "series",
	    "{\"order\":\"https://a/\",\"certificate\":\"http://a/\",\"end\":1,"
	    "\"get\":true,\"fresh\":false}" },
	{ "a series that ended before it began", "series",
	    "{\"order\":\"https://a/\",\"certificate\":\"https://a/\",\"end\":-1,"
	    "\"get\":true,\"fresh\":false}" },
	{ "x5u over http", "x5u", "\"http://x5u.example/1\"" },
	{ "x5u as number", "x5u", "1" },
	{ "negative expiry", "expires", "-5" },
	{ "problem null", "problem", "null" },
	{ "failing before all time", "failing", "-1" },
	{ "failing beyond all time", "failing", "253402300800" },
	{ "failing as text", "failing", "\"1\"" },
};

static void
member(void **state)
{
	const struct member_case *c = *state;
	AUTO_BUF text = BUF_INIT(STORE_FILE_MAX);
	json_auto_t *root = NULL;
	AUTO_FREE char *changed = NULL;
	struct record r;

	fill(&r);
	assert_int_equal(record_write(&text, &r, NULL), RC_OK);
	record_done(&r);
	assert_true(accepted(buf_view(&text)));
	root = json_loadb((const char *)text.ptr, text.len, 0, NULL);
	if (c->value != NULL)
		json_object_set_new(
		    root, c->member, json_loads(c->value, JSON_DECODE_ANY, NULL));
	else
		json_object_del(root, c->member);
	changed = json_dumps(root, 0);
	assert_false(accepted(span_str(changed)));
}

static void
names_do_not_collide(void **state)
{
	char a[2 * CONFIG_NAME_MAX + 2], b[sizeof a];

	(void)state;
	record_file(a, "acme", "main");
	assert_string_equal(a, "acme.main");
	record_file(a, "a.b", "c");
	record_file(b, "a", "b.c");
	assert_string_not_equal(a, b);
}

static struct origin_case {
	const char *name, *a, *b;
	bool same;
} origin_cases[] = {
	{ "same", "https://ca.example/dir", "https://ca.example/order/1", true },
	{ "no path", "https://ca.example/dir", "https://ca.example", true },
	{ "query", "https://ca.example/dir", "https://ca.example?x", true },
	{ "port", "https://ca.example:8443/dir", "https://ca.example:8443/x", true },
	{ "another port", "https://ca.example/dir", "https://ca.example:8443/x", false },
	{ "longer host", "https://ca.example/dir", "https://ca.example.evil/x", false },
	{ "longer host by a letter", "https://ca.example/dir", "https://ca.examplex/", false },
	{ "user that looks like the host", "https://ca.example/dir", "https://ca.example@evil/",
	    false },
	{ "http", "https://ca.example/dir", "http://ca.example/x", false },
	{ "shorter host", "https://ca.example/dir", "https://ca.exampl", false },
	{ "backslash", "https://ca.example/dir", "https://ca.example\\@evil/", false },
	{ "empty", "https://ca.example/dir", "", false },
};

/* RFC 8555 s6.4 */
static void
origin(void **state)
{
	const struct origin_case *c = *state;

	assert_int_equal(url_same_origin(c->a, c->b), c->same);
}

/* ---- the store ---- */

static char state_dir[] = "/tmp/test-record-XXXXXX";

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(state_dir) == NULL;
}

static int
remove_dir(void **state)
{
	static const char *const part[] = { "renewer/orders", "renewer/accounts",
		"renewer/tokens", "renewer", "" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		snprintf(path, sizeof path, "%s/%s", state_dir, part[i]);
		rmdir(path);
	}
	return access(state_dir, F_OK) == 0;
}

static enum rc
get(struct store *s, const char *name, char out[64])
{
	AUTO_BUF text = BUF_INIT(STORE_FILE_MAX);
	enum rc rc = store_read(s, STORE_ORDERS, name, &text, NULL);

	snprintf(out, 64, "%.*s", (int)text.len, text.len > 0 ? (const char *)text.ptr : "");
	return rc;
}

static bool
keep_b(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "b") == 0;
}

static void
store_keeps(void **state)
{
	AUTO(store) *s = NULL;
	struct fault f = { 0 };
	char text[64], path[128];
	struct stat st;

	(void)state;
	assert_int_equal(store_open(state_dir, &s, &f), RC_OK);
	assert_int_equal(get(s, "a", text), RC_NOT_FOUND);
	assert_int_equal(store_write(s, STORE_ORDERS, "a", span_str("one"), &f), RC_OK);
	assert_int_equal(store_write(s, STORE_ORDERS, "a", span_str("two"), &f), RC_OK);
	assert_int_equal(get(s, "a", text), RC_OK);
	assert_string_equal(text, "two");
	snprintf(path, sizeof path, "%s/renewer/orders/a.json", state_dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);

	/* What an interrupted write left is in nobody's way, and swept. */
	snprintf(path, sizeof path, "%s/renewer/orders/.b.json.new", state_dir);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(store_write(s, STORE_ORDERS, "b", span_str("three"), &f), RC_OK);
	snprintf(path, sizeof path, "%s/renewer/orders/.c.json.new", state_dir);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(store_sweep(s, STORE_ORDERS, keep_b, NULL, &f), RC_OK);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(get(s, "a", text), RC_NOT_FOUND);
	assert_int_equal(get(s, "b", text), RC_OK);
	assert_int_equal(store_remove(s, STORE_ORDERS, "b", &f), RC_OK);
	assert_int_equal(store_remove(s, STORE_ORDERS, "b", &f), RC_OK);
}

static void
store_refuses(void **state)
{
	static const char *const bad[] = { "", ".", "..", "../x", "a/b", ".hidden" };
	AUTO(store) *s = NULL;
	struct fault f = { 0 };
	char path[128], text[64];

	(void)state;
	assert_int_equal(store_open(state_dir, &s, &f), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(
		    store_write(s, STORE_ORDERS, bad[i], span_str("x"), NULL), RC_BUG);
	/* A link is not followed out of the directory. */
	snprintf(path, sizeof path, "%s/renewer/orders/l.json", state_dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(get(s, "l", text), RC_IO);
	assert_int_equal(store_remove(s, STORE_ORDERS, "l", &f), RC_OK);
	assert_int_equal(store_open("/nonexistent/state", &s, &f), RC_IO);
}

int
main(void)
{
	struct CMUnitTest tests[64] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(prefixes_and_flips),
		cmocka_unit_test(names_do_not_collide),
		cmocka_unit_test(store_keeps),
		cmocka_unit_test(store_refuses),
	};
	size_t n = 5;

	ROWS(tests, n, member_cases, member);
	ROWS(tests, n, origin_cases, origin);
	return _cmocka_run_group_tests("record", tests, n, make_dir, remove_dir);
}
