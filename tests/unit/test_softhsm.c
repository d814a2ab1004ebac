/* token.object is copied, put back when it is empty or zeros, and left alone otherwise. */
#include "pkcs11/softhsm.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stir/buf.h"
#include "tests/unit/cm.h"
#include "tests/unit/token_lab.h"

enum { PATH_LEN = 512 };

static const char *const plain[] = { "--label", "mend", "--canary-s", "0", NULL };
static struct lab lab;
static char object[PATH_LEN], copy[PATH_LEN];

/* Where the one token of the lab lies. */
static void
find_token(void)
{
	char tokens[PATH_LEN / 2];
	struct dirent *entry;
	DIR *dir;

	snprintf(tokens, sizeof tokens, "%s/tokens", lab.dir);
	dir = opendir(tokens);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(object, sizeof object, "%s/%.64s/token.object", tokens, entry->d_name);
		snprintf(
		    copy, sizeof copy, "%s/%.64s/token.object.copy", tokens, entry->d_name);
	}
	closedir(dir);
}

static int
setup(void **state)
{
	(void)state;
	if (lab_softhsm() == NULL)
		return 0;
	lab_make(&lab);
	lab_add_token(&lab, "mend");
	find_token();
	setenv("SOFTHSM2_CONF", lab.conf, 1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unsetenv("SOFTHSM2_CONF");
	if (lab_softhsm() != NULL)
		lab_remove(&lab);
	return 0;
}

static off_t
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

static unsigned
mend(void)
{
	struct fault f = { 0 };
	unsigned mended = 99;

	assert_int_equal(softhsm_mend(&mended, &f), RC_OK);
	return mended;
}

static void
copies_then_puts_back(void **state)
{
	off_t whole;

	(void)state;
	if (lab_softhsm() == NULL)
		skip();
	whole = size_of(object);
	assert_true(whole > 0);
	assert_int_equal(size_of(copy), -1);
	assert_int_equal(mend(), 0);
	assert_true(size_of(copy) == whole);
	assert_int_equal(truncate(object, 0), 0);
	assert_int_equal(mend(), 1);
	assert_true(size_of(object) == whole);
	assert_int_equal(mend(), 0);
}

/* What a new PIN wrote is the truth: the copy follows it. */
static void
copy_follows(void **state)
{
	FILE *file;

	(void)state;
	if (lab_softhsm() == NULL)
		skip();
	assert_int_equal(mend(), 0);
	file = fopen(copy, "a");
	assert_non_null(file);
	fputs("older", file);
	fclose(file);
	assert_int_equal(mend(), 0);
	assert_true(size_of(copy) == size_of(object));
}

static void
a_killed_login_costs_no_token(void **state)
{
	struct frame_hello hello;
	struct process p;

	(void)state;
	if (lab_softhsm() == NULL)
		skip();
	process_up(&p, &lab, "admin", plain);
	assert_int_equal(process_stop(&p), 0);
	assert_int_equal(truncate(object, 0), 0);
	process_start(&p, &lab, "admin", plain);
	assert_true(process_hello(&p, &hello));
	assert_int_equal(process_stop(&p), 0);
}

static void
fill_with_zeros(const char *path, off_t len)
{
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, len), 0);
}

/* Zeros are no newer state: they do not replace the copy, and are replaced by it. */
static void
zeros_are_put_back(void **state)
{
	off_t whole;

	(void)state;
	if (lab_softhsm() == NULL)
		skip();
	whole = size_of(object);
	fill_with_zeros(object, whole); /* without a copy there is nothing to put back */
	assert_int_equal(mend(), 0);
	assert_true(size_of(object) == whole && size_of(copy) == -1);
	teardown(NULL);
	setup(NULL);
	assert_int_equal(mend(), 0);
	fill_with_zeros(object, whole);
	assert_int_equal(mend(), 1);
	a_killed_login_costs_no_token(NULL); /* it is a token again */
	fill_with_zeros(object, whole);
	fill_with_zeros(copy, whole + 1);
	assert_int_equal(mend(), 0);
}

static void
nothing_without_softhsm(void **state)
{
	(void)state;
	unsetenv("SOFTHSM2_CONF");
	assert_int_equal(mend(), 0);
	setenv("SOFTHSM2_CONF", "/nonexistent/softhsm2.conf", 1);
	assert_int_equal(mend(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(copies_then_puts_back, setup, teardown),
		cmocka_unit_test_setup_teardown(copy_follows, setup, teardown),
		cmocka_unit_test_setup_teardown(a_killed_login_costs_no_token, setup, teardown),
		cmocka_unit_test_setup_teardown(zeros_are_put_back, setup, teardown),
		cmocka_unit_test(nothing_without_softhsm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
