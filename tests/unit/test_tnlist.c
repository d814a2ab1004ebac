/* tnlist: a TNAuthList by reference on disk and in memory */
#include "agent/front/tnlist.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "stir/tnauth.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

#define URL   "https://lists.example/a.tnauthlist"
#define OTHER "https://lists.example/b.tnauthlist"
enum { NOW = 1800000000, MAX_AGE_S = 86400 };

static char home[] = "/tmp/vesper-tnlist-XXXXXX";
static struct config config = { .state_dir = home };
static struct config_credential credential = { .tnlist_max_age_s = MAX_AGE_S };
static const struct tnlist_of of = { &config, "acme", "main", &credential };

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(home) == NULL;
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "%s/front/tenants/acme/main", home);
	tnlist_sweep(&of, NULL);
	rmdir(command);
	for (char *slash; (slash = strrchr(command, '/')) != NULL && slash != command;) {
		*slash = 0;
		if (rmdir(command) != 0)
			break;
	}
	return access(home, F_OK) == 0;
}

/* n numbers from 12025550100 on, every second one. */
static void
put_list(struct buf *out, size_t n)
{
	struct tnauth_entry *e = calloc(n, sizeof *e);
	char text[TN_MAX + 1];

	assert_non_null(e);
	for (size_t i = 0; i < n; i++) {
		snprintf(text, sizeof text, "%llu", 12025550100ULL + 2 * i);
		e[i] = (struct tnauth_entry){ .kind = TNAUTH_ONE, .count = 1 };
		assert_int_equal(tn_exact(span_str(text), &e[i].start, NULL), RC_OK);
	}
	assert_int_equal(tnauth_encode(out, e, n, NULL), RC_OK);
	free(e);
}

static void
comes_back_from_disk(void **state)
{
	AUTO_BUF der = BUF_INIT(100000);
	AUTO_TNLIST *l = NULL, *none = NULL;
	struct fault f = { 0 };

	(void)state;
	put_list(&der, 3);
	assert_int_equal(tnlist_read(&of, URL, &l, &f), RC_NOT_FOUND);
	assert_int_equal(tnlist_write(&of, URL, buf_view(&der), NOW, 600, NULL), RC_OK);
	assert_int_equal(tnlist_read(&of, URL, &l, NULL), RC_OK);
	assert_string_equal(l->url, URL);
	assert_int_equal(tnset_count(l->numbers), 3);
	assert_int_equal(l->fetched_at_s, NOW);
	assert_int_equal(l->due_s, NOW + 600);
	/* What another certificate refers to is another list. */
	assert_int_equal(tnlist_read(&of, OTHER, &none, NULL), RC_NOT_FOUND);
	assert_int_equal(tnlist_write(&of, OTHER, buf_view(&der), NOW, 600, NULL), RC_OK);
	tnlist_sweep(&of, OTHER);
	assert_int_equal(tnlist_read(&of, URL, &none, NULL), RC_NOT_FOUND);
	assert_int_equal(tnlist_read(&of, OTHER, &none, NULL), RC_OK);
}

static void
times_are_times(void **state)
{
	static const int64_t wrong[] = { INT64_MIN, -1, 0, INT64_C(253402300800), INT64_MAX };
	AUTO_BUF der = BUF_INIT(1000);
	AUTO_TNLIST *l = NULL;

	(void)state;
	put_list(&der, 3);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct fault f = { 0 };

		assert_int_equal(
		    tnlist_write(&of, URL, buf_view(&der), wrong[i], 600, NULL), RC_OK);
		assert_int_equal(tnlist_read(&of, URL, &l, &f), RC_INVALID);
		assert_string_equal(f.reason, "tnlist_file");
	}
}

/* Cache-Control is honoured between a minute and half of the maximum age (D-46). */
static void
when_it_is_due(void **state)
{
	static const struct {
		int64_t fresh_s, after_s;
	} rows[] = { { -1, MAX_AGE_S / 2 }, { 0, 60 }, { 59, 60 }, { 61, 61 },
		{ MAX_AGE_S / 2, MAX_AGE_S / 2 }, { MAX_AGE_S, MAX_AGE_S / 2 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
		    tnlist_due_s(&of, NOW, rows[i].fresh_s), NOW + rows[i].after_s);
}

static struct wrong_case {
	const char *name, *hex, *reason;
} wrong_cases[] = {
	{ "empty", "", "der_tag" },
	{ "no entries", "3000", "tnauth_empty" },
	{ "implicit tag", "300d820b3132303235353530313030", "tnauth_choice" },
	{ "an octet more", "300fa20d160b313230323535353031303000", "der_trailing" },
	{ "cut short", "300fa20d160b31323032353535303130", "der_length" },
	{ "a letter", "300fa20d160b3132303235353530313041", "tnauth_number" },
};

static void
is_decoded_strictly(void **state)
{
	const struct wrong_case *c = *state;
	uint8_t der[64];
	size_t n = strlen(c->hex) / 2;
	AUTO_TNLIST *l = NULL;
	struct fault f = { 0 };

	for (size_t i = 0; i < n; i++) {
		unsigned octet;

		assert_int_equal(sscanf(c->hex + 2 * i, "%2x", &octet), 1);
		der[i] = (uint8_t)octet;
	}
	assert_int_equal(tnlist_make(&of, URL, span_of(der, n), NOW, 60, &l, &f), RC_INVALID);
	assert_string_equal(f.reason, c->reason);
	assert_null(l);
}

/* Codes name no number; a list of them alone authorises nothing. */
static void
codes_authorise_nothing(void **state)
{
	static const uint8_t code[] = { 0x30, 0x08, 0xa0, 0x06, 0x16, 0x04, '1', '2', '3',
		'4' };
	AUTO_TNLIST *l = NULL;

	(void)state;
	assert_int_equal(
	    tnlist_make(&of, URL, span_of(code, sizeof code), NOW, 60, &l, NULL), RC_OK);
	assert_int_equal(tnset_len(l->numbers), 0);
}

/* More than a certificate may hold: a million numbers are a normal list. */
static void
a_million_numbers(void **state)
{
	enum { N = 1000000, PART = 15 };
	AUTO_BUF der = BUF_INIT(TNAUTH_MAX_REFERENCED_BYTES), body = BUF_INIT(N * PART + PART);
	static const uint8_t one[] = { 0xa2, 13, 0x16, 11 };
	AUTO_TNLIST *l = NULL, *none = NULL;
	uint8_t head[] = { 0x30, 0x83, 0, 0, 0 };
	struct tn tn = { 0 };
	char text[TN_MAX + 1];
	struct fault f = { 0 };

	(void)state;
	for (uint64_t i = 0; i < N; i++) {
		snprintf(text, sizeof text, "%llu", 12000000000ULL + 2 * (unsigned long long)i);
		buf_put(&body, one, sizeof one);
		buf_put(&body, text, 11);
	}
	head[2] = (uint8_t)(body.len >> 16);
	head[3] = (uint8_t)(body.len >> 8);
	head[4] = (uint8_t)body.len;
	buf_put(&der, head, sizeof head);
	buf_span(&der, buf_view(&body));
	assert_int_equal(tnlist_make(&of, URL, buf_view(&der), NOW, 60, &l, NULL), RC_OK);
	assert_int_equal(tnset_len(l->numbers), N);
	assert_int_equal(tn_exact(span_str("12001999998"), &tn, NULL), RC_OK);
	assert_true(tnset_has(l->numbers, tn_key(&tn)));
	/* and one more is too many */
	buf_put(&body, one, sizeof one);
	buf_put(&body, text, 11);
	buf_clear(&der);
	head[2] = (uint8_t)(body.len >> 16);
	head[3] = (uint8_t)(body.len >> 8);
	head[4] = (uint8_t)body.len;
	buf_put(&der, head, sizeof head);
	buf_span(&der, buf_view(&body));
	assert_int_equal(tnlist_make(&of, URL, buf_view(&der), NOW, 60, &none, &f), RC_INVALID);
	assert_string_equal(f.reason, "tnauth_limit");
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(wrong_cases) + 5];
	size_t n = 0;

	ROWS(tests, n, wrong_cases, is_decoded_strictly);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(comes_back_from_disk);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(times_are_times);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(when_it_is_due);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(codes_authorise_nothing);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_million_numbers);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
